"""A controller whose requests do not fit: one axis too few, a recipe that there is not, a cycle that has not been.

Each for 50 cycles of the machine. Nothing of what it asks for may happen; prints what it saw as one JSON object.
"""

import json
import sys

from layout import Machine

machine = Machine(sys.argv[1])
# As controllers of before do.
publisher = machine.publisher(1)
WRONG = [(-1, 0, 0), (0, 200, 0), (0, 0, 1_000_000_000)]
first, kind, sent, controllers, enabled = None, 0, 0, set(), False

while machine.lives() and kind < len(WRONG):
    newest = machine.newest(0)
    if newest is None:
        continue
    header, axis, count = newest
    first = header.cycle if first is None else first
    kind = (header.cycle - first) // 50
    controllers.add(header.controller)
    enabled = enabled or axis.drive_state == 4
    if kind < len(WRONG):
        fewer, recipe, ahead = WRONG[kind]
        sample = publisher.loan_slice_uninit(count + fewer)
        asked = sample.user_header().contents
        asked.cycle, asked.ejectors, asked.blow_offs, asked.recipe, asked.part = header.cycle + ahead, 0, 0, recipe, 0
        for n in range(count + fewer):
            sample.payload()[n].target_m, sample.payload()[n].enable = axis.position_m, 1
        sample.assume_init().send()
        sent += 1
print(json.dumps({"sent": sent, "controllers": sorted(controllers), "enabled": enabled}))
