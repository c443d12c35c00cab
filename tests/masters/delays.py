"""Lets SOEM (pysoem) measure the propagation delays, and reads back what it has written to 0x0928.

delays.py INTERFACE: prints one JSON object with what was seen; judging it is the test's part.
"""

import json
import sys

import pysoem


def main():
    master = pysoem.Master()
    master.open(sys.argv[1])
    seen = {"subdevices": master.config_init()}
    seen["names"] = [s.name for s in master.slaves]
    master.config_map()
    seen["dc"] = bool(master.config_dc())
    # The binding has no name for the delay: the register has it.
    seen["delays"] = [int.from_bytes(s._fprd(0x0928, 4), "little") for s in master.slaves]
    master.state = pysoem.INIT_STATE
    master.write_state()
    master.close()
    print(json.dumps(seen))


main()
