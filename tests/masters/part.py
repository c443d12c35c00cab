"""Takes a simulated cell to OP with SOEM (pysoem) and tells numbers in the output of its last SubDevice, as a controller tells a part.

part.py INTERFACE EXCHANGES NUMBER...: each number for so many exchanges. Prints one JSON object; judging it is the test's part.
"""

import json
import sys
import time

import pysoem
from soem import Exchange, to_op, to_safeop

CYCLE_NS = 1_000_000


def main():
    interface, exchanges = sys.argv[1], int(sys.argv[2])
    master = to_safeop(interface, CYCLE_NS)
    exchange = Exchange(master)
    op = to_op(master, exchange)
    for number in map(int, sys.argv[3:]):
        master.slaves[-1].output = bytes([number])
        for _ in range(exchanges):
            exchange()
            time.sleep(0.0008)
    master.state = pysoem.INIT_STATE
    master.write_state()
    master.close()
    print(json.dumps({"op": op, "counts": exchange.counts}))


main()
