"""A controller that moves the first axis to and fro until it is killed or the machine ends.

Where the machine is halted it first insists, then takes every enable back. One line for each thing that happened.
"""

import sys

from layout import END_OF_RUN, FOLLOWING, HALTED, OPERATION_ENABLED, Machine, ask

machine = Machine(sys.argv[1])
publisher = machine.publisher()
# 5 mm/s, 5 mm out and back.
STEP_M, WAY = 0.000005, 1000
# Samples over which a halted machine must not start again.
INSIST = 200
stage, start, first, calm, ended = None, 0.0, 0, 0, False


def say(text):
    print(text, flush=True)


while machine.lives():
    newest = machine.newest(0)
    if newest is None:
        continue
    header, axis, count = newest
    if header.controller == HALTED and header.halt == END_OF_RUN:
        if not ended:
            ended = True
            say("end of run")
        continue
    enabled = axis.missing == 0 and axis.drive_state == OPERATION_ENABLED
    if stage is None:
        stage = "insist" if header.controller == HALTED else "enable"
    if stage == "insist":
        ask(publisher, header.cycle, count, True, axis.position_m)
        calm += 1
        if header.controller != HALTED or enabled:
            say("it started by itself")
            break
        if calm == INSIST:
            say("refused")
            stage = "let go"
    elif stage == "let go":
        ask(publisher, header.cycle, count, False, axis.position_m)
        if header.controller == FOLLOWING:
            say("following")
            stage = "enable"
    elif stage == "enable":
        ask(publisher, header.cycle, count, True, axis.position_m)
        if enabled:
            start, first, stage = axis.position_m, header.cycle, "start"
    else:
        at = (header.cycle - first) % (2 * WAY)
        ask(publisher, header.cycle, count, True, start + STEP_M * (at if at < WAY else 2 * WAY - at))
        if stage == "start" and abs(axis.position_m - start) > 0.001:
            say("moving")
            stage = "move"
