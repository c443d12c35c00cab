"""Takes the simulated press cell to OP with SOEM (pysoem) and exchanges process data until its standard input ends.

steady.py INTERFACE: prints one JSON object when all are in OP and one at the end; judging them is the test's part.
"""

import json
import sys
import threading
import time

import pysoem
from soem import Exchange, to_op, to_safeop

CYCLE_NS = 1_000_000


def main():
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    master = to_safeop(sys.argv[1], CYCLE_NS)
    exchange = Exchange(master)
    op = to_op(master, exchange)
    # What was wrong on the way up is nobody's doing.
    exchange = Exchange(master)
    print(json.dumps({"op": op}), flush=True)
    while not ended.is_set():
        exchange()
        time.sleep(0.0008)
    master.read_state()
    states = [s.state for s in master.slaves]
    master.state = pysoem.INIT_STATE
    master.write_state()
    master.close()
    print(json.dumps({"counts": exchange.counts, "still_op": states}))


main()
