"""Says what a machine finds, and once a second where its first axis is: python example.py NAME"""

import sys
import time

from layout import Machine, text

machine = Machine(sys.argv[1])
alive, next_s = True, 0
while alive:
    # Asked first: what came before the machine ended is still taken.
    alive = machine.lives()
    for sample in machine.all(machine.flags):
        flag = sample.payload().contents
        print(f"cycle {flag.cycle}: measured {flag.measured:.6g}, predicted {flag.predicted:.6g}", flush=True)
    for sample in machine.all(machine.events):
        event = sample.payload().contents
        print(f"event {event.seq}: {text(event.source)}, {text(event.channel)}: {text(event.cause)}", flush=True)
    newest = machine.newest(0)
    if newest and newest[0].time_ns >= next_s * 1_000_000_000:
        header, axis, count = newest
        print(f"{header.time_ns / 1e9:.3f} s: the first of {count} axes is at {axis.position_m:.4f} m", flush=True)
        next_s = header.time_ns // 1_000_000_000 + 1
    time.sleep(0.001)
