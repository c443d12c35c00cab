"""A controller: enables the first axis, moves it by 5 mm, falls silent, and later starts again in order.

One request for each sample of the axes. Prints what happened as one JSON object.
"""

import json
import sys

from layout import FOLLOWING, HALTED, OPERATION_ENABLED, Machine, ask

machine = Machine(sys.argv[1])
# As controllers of before do.
publisher = machine.publisher(1)
# 5 mm/s: this program may be 200 cycles late before that is a step beyond the limit of 1 m/s.
WAY_M, STEP_M = 0.005, 0.000005
seen = {"phases": []}
start, goal, first, target, calm, stage = None, None, 0, 0.0, 0, "enable"

while machine.lives() and stage != "done":
    newest = machine.newest(0)
    if newest is None:
        continue
    header, axis, count = newest
    if not seen["phases"] or seen["phases"][-1] != header.controller:
        seen["phases"].append(header.controller)
        seen.setdefault("halts", []).extend([header.halt] * (header.controller == HALTED))
    enabled = axis.missing == 0 and axis.drive_state == OPERATION_ENABLED
    if stage == "enable":
        target = axis.position_m
        ask(publisher, header.cycle, count, True, target)
        if enabled:
            start, stage = target, "move"
            goal, first = start + WAY_M, header.cycle
    elif stage == "move":
        # By the cycle, not by the request: targets that were bridged have gone on in time.
        target = min(start + STEP_M * (header.cycle - first), goal)
        ask(publisher, header.cycle, count, True, target)
        # It has arrived when the machine says so, not when the target has.
        if target == goal and abs(axis.position_m - goal) < 2e-5:
            seen["moved_m"] = axis.position_m - start
            stage, first = "back", header.cycle
    elif stage == "back":
        target = goal - STEP_M * (header.cycle - first)
        ask(publisher, header.cycle, count, True, target)
        if target < start + WAY_M / 2:
            # In the middle of a movement.
            stage, first = "silent", header.cycle
    elif stage == "silent":
        if header.controller == HALTED and not enabled:
            seen["halted_after"], stage = header.cycle - first, "insist"
    elif stage == "insist":
        # Asking on is not enough: enables have to be taken back first.
        ask(publisher, header.cycle, count, True, axis.position_m)
        calm += 1
        if calm > 100:
            seen["still_halted"] = header.controller == HALTED and not enabled
            stage = "let go"
    elif stage == "let go":
        ask(publisher, header.cycle, count, False, axis.position_m)
        if header.controller == FOLLOWING:
            stage = "again"
    elif stage == "again":
        ask(publisher, header.cycle, count, True, axis.position_m)
        if enabled:
            # A step of 50 mm in one cycle.
            ask(publisher, header.cycle, count, True, axis.position_m + 0.05)
            stage, before = "step", axis.position_m
    elif stage == "step":
        if header.controller == HALTED and not enabled:
            seen["way_after_step_m"] = abs(axis.position_m - before)
            stage = "done"
print(json.dumps({**seen, "stage": stage}))
