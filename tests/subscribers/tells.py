"""A controller that enables no axis, and tells tool, load and temperature: python tells.py NAME

One that it knows, a tool that there is not, and the first again, each for 300 cycles. Then a second controller comes that knows the
layout of before alone: it is refused while the first one is heard, and followed once the machine has been halted for its silence. Prints
what it saw as one JSON object.
"""

import json
import sys

from layout import FOLLOWING, HALTED, SILENT, Machine, ask

machine = Machine(sys.argv[1])
newer, older = machine.publisher(2), machine.publisher(1)
KNOWN, UNKNOWN = (12, 15, 24.0), (99, 15, 24.0)
STAGES = [KNOWN, UNKNOWN, KNOWN, KNOWN]
first, told, halted, followed = None, 0, False, False

while machine.lives() and not followed:
    newest = machine.newest(0)
    if newest is None:
        continue
    header, axis, count = newest
    first = header.cycle if first is None else first
    stage = (header.cycle - first) // 300
    if stage < len(STAGES):
        ask(newer, header.cycle, count, False, axis.position_m, STAGES[stage])
        told += 1
        if stage == 3:
            ask(older, header.cycle, count, False, axis.position_m)
    elif header.controller == HALTED and not halted:
        halted = header.halt == SILENT
    elif halted:
        ask(older, header.cycle, count, False, axis.position_m)
        followed = header.controller == FOLLOWING
print(json.dumps({"told": told, "halted": halted, "followed": followed}))
