"""Takes every flag and sample of the axes and stations until twinstep has ended, and prints what it saw as one JSON object."""

import json
import sys

from layout import Machine, text

machine = Machine(sys.argv[1])
of_stations = machine.stations()
flags, events, cycles, wrong, predicted = [], [], [], 0, 0
stations, pressures, valves, off_pa, blown = [], [], set(), 0.0, 0
last = False
while True:
    alive = machine.lives()
    for sample in machine.all(machine.axes):
        header = sample.user_header().contents
        axes = sample.payload()
        cycles.append(header.cycle)
        count = machine.count(sample)
        for n in range(count):
            axis = axes[n]
            # The twin is near the machine, or the sample says why there is none.
            predicted += axis.predicted
            if axis.predicted and abs(axis.position_m - axis.predicted_position_m) > 1e-3:
                wrong += 1
        last = count
    for sample in machine.all(of_stations):
        stations.append([sample.user_header().contents.cycle, machine.count(sample)])
        gripper = sample.payload()[0]
        valves.add((gripper.ejector_on, gripper.blow_off))
        pressures.append(gripper.pressure_pa)
        blown += gripper.predicted and gripper.blow_off
        if gripper.predicted:
            off_pa = max(off_pa, abs(gripper.pressure_pa - gripper.predicted_pressure_pa))
    for sample in machine.all(machine.flags):
        flag = sample.payload().contents
        flags.append([flag.cycle, flag.source_kind, flag.source, flag.channel, flag.state])
    for sample in machine.all(machine.events):
        event = sample.payload().contents
        events.append([event.seq, event.cycle, text(event.source), text(event.channel), text(event.cause), event.state, event.measured])
    if not alive:
        break
gaps = sum(1 for a, b in zip(cycles, cycles[1:]) if b != a + 1)
print(json.dumps({"flags": flags, "events": events, "samples": len(cycles), "gaps": gaps, "axes": last, "wrong": wrong, "predicted": predicted,
                  "forward": cycles == sorted(set(cycles)), "stations": stations, "pressures_pa": [min(pressures), max(pressures)],
                  "valves": sorted(valves), "off_pa": off_pa, "blown": blown}))
