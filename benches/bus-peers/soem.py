"""SOEM's cyclic exchange (pysoem) on an interface: soem.py INTERFACE CYCLES PERIOD_US. Prints the duration of each (ns)."""

import sys
import time

import pysoem

interface, cycles, period_us = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
master = pysoem.Master()
master.open(interface)
if master.config_init() <= 0:
    sys.exit("no SubDevices")
master.config_map()
if master.state_check(pysoem.SAFEOP_STATE, 5_000_000) != pysoem.SAFEOP_STATE:
    sys.exit("no SAFE-OP")
master.send_processdata()
master.receive_processdata(5000)
master.state = pysoem.OP_STATE
master.write_state()
for _ in range(2000):
    master.send_processdata()
    master.receive_processdata(5000)
    if master.state_check(pysoem.OP_STATE, 1000) == pysoem.OP_STATE:
        break
took, wrong, start = [], 0, time.perf_counter_ns()
for cycle in range(cycles):
    while period_us and time.perf_counter_ns() < start + cycle * period_us * 1000:
        time.sleep(max(0.0, (start + cycle * period_us * 1000 - time.perf_counter_ns()) / 1e9))
    begin = time.perf_counter_ns()
    master.send_processdata()
    wrong += master.receive_processdata(5000) != master.expected_wkc
    took.append(time.perf_counter_ns() - begin)
print(f"{wrong} wrong", file=sys.stderr)
print("\n".join(map(str, took)))
master.state = pysoem.INIT_STATE
master.write_state()
master.close()
