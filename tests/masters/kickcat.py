"""Takes a segment to OP with KickCAT and exchanges process data.

kickcat.py INTERFACE: prints one JSON object with what was seen; judging it is the test's part.
"""

import json
import os
import sys
import time

# KickCAT tells its interfaces on standard output, which is for the result alone.
result = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

# This file has the name of the module.
sys.path = [path for path in sys.path if os.path.realpath(path or ".") != os.path.dirname(os.path.realpath(__file__))]
import kickcat  # noqa: E402


def again(action, times=10):
    """A busy computer makes answers late, and KickCAT waits for milliseconds: what fails is tried again."""
    for left in reversed(range(times)):
        try:
            return action()
        except RuntimeError:
            if not left:
                raise
            time.sleep(0.1)


def main():
    link = kickcat.create_link(sys.argv[1], "")
    link.set_timeout(0.1)
    bus = kickcat.Bus(link)
    again(lambda: bus.init(2.0))
    slaves = bus.slaves()
    seen = {"subdevices": len(slaves)}
    read = lambda: bus.read_sdo(slaves[0], 0x1008, 0, kickcat.Access.PARTIAL, 64, 2.0)
    seen["name"] = bytes(again(read)).decode().rstrip("\0")
    again(lambda: bus.create_mapping(8192))
    seen["sizes"] = [[s.output_size, s.input_size] for s in slaves]
    bus.request_state(kickcat.State.SAFE_OP)
    again(lambda: bus.wait_for_state(kickcat.State.SAFE_OP, 2.0))
    for s in slaves:
        s.set_output_bytes(bytes(s.output_size))
    bus.process_data_no_check()
    bus.request_state(kickcat.State.OPERATIONAL)
    deadline = time.monotonic() + 5.0
    states = []
    while time.monotonic() < deadline:
        bus.process_data_no_check()
        states = [bus.get_state(s) for s in slaves]
        if all(state == kickcat.State.OPERATIONAL for state in states):
            break
    seen["op"] = [state.name for state in states]
    seen["right"] = 0
    for _ in range(1000):
        try:
            bus.process_data()
            seen["right"] += 1
        except RuntimeError as error:
            seen["error"] = str(error)
        time.sleep(0.0005)
    seen["statusword"] = int.from_bytes(slaves[0].input_data[:2], "little")
    seen["pressure"] = int.from_bytes(slaves[9].input_data[:2], "little")
    result.write(json.dumps(seen))
    result.flush()


main()
