"""What the programs here that take a segment to OP with SOEM have in common."""

import pysoem


class Exchange:
    """One exchange of process data a call; counts what came back."""

    def __init__(self, master):
        self.master = master
        self.counts = {"cycles": 0, "no_frame": 0, "wrong": 0}

    def __call__(self):
        self.master.send_processdata()
        counter = self.master.receive_processdata(4000)
        self.counts["cycles"] += 1
        self.counts["no_frame"] += counter < 0
        self.counts["wrong"] += counter >= 0 and counter != self.master.expected_wkc


def to_safeop(interface, cycle_ns):
    """A master whose SubDevices are in SAFEOP, with distributed clocks."""
    master = pysoem.Master()
    master.open(interface)
    master.config_init()
    master.config_map()
    master.config_dc()
    for s in master.slaves:
        s.dc_sync(True, cycle_ns)
    master.state_check(pysoem.SAFEOP_STATE, 2_000_000)
    return master


def to_op(master, exchange):
    """Asks for OP while process data is exchanged, for 2000 exchanges at most; the states that are read then."""
    exchange()
    master.state = pysoem.OP_STATE
    master.write_state()
    for _ in range(2000):
        exchange()
        if master.state_check(pysoem.OP_STATE, 1000) == pysoem.OP_STATE:
            break
    master.read_state()
    return [s.state for s in master.slaves]
