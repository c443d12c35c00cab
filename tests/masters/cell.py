"""Drives the simulated press cell with SOEM (pysoem): scan, dictionary, SII, mapping, DC, OP, an enable and a move.

cell.py INTERFACE CYCLES: prints one JSON object with what was seen; judging it is the test's part.
"""

import json
import struct
import sys
import time

import pysoem
from soem import Exchange, to_op

CYCLE_NS = 1_000_000


def unsigned(data):
    return int.from_bytes(data, "little")


def dictionary(slave):
    """Every object by SDO information, every readable entry read: (objects, entries, what did not agree)."""
    objects, entries, wrong = [], 0, []
    for thing in slave.od:
        objects.append([thing.index, thing.name.decode()])
        # A variable is listed without entries.
        listed = list(thing.entries) or [thing]
        for subindex, entry in enumerate(listed):
            entries += 1
            try:
                value = slave.sdo_read(thing.index, subindex)
            except pysoem.SdoError as error:
                wrong.append(f"{thing.index:04x}:{subindex}: {error}")
                continue
            if len(value) * 8 != entry.bit_length:
                wrong.append(f"{thing.index:04x}:{subindex}: {len(value)} bytes, told as {entry.bit_length} bits")
    return objects, entries, wrong


def mapping(slave, index):
    """Byte offset and length of every object of a PDO."""
    places, at = {}, 0
    for subindex in range(1, unsigned(slave.sdo_read(index, 0)) + 1):
        word = unsigned(slave.sdo_read(index, subindex))
        bits = word & 0xFF
        places[word >> 16, word >> 8 & 0xFF] = (at, bits // 8)
        at += bits // 8
    return places


class Axis:
    """A CiA 402 drive over its process data."""

    def __init__(self, slave):
        self.slave = slave
        self.rx, self.tx = mapping(slave, 0x1600), mapping(slave, 0x1A00)
        self.out = bytearray(sum(length for _, length in self.rx.values()))

    def put(self, index, value):
        at, length = self.rx[index, 0]
        self.out[at : at + length] = value.to_bytes(length, "little", signed=value < 0)
        self.slave.output = bytes(self.out)

    def get(self, index, signed=False):
        at, length = self.tx[index, 0]
        return int.from_bytes(self.slave.input[at : at + length], "little", signed=signed)


def main():
    interface, cycles = sys.argv[1], int(sys.argv[2])
    master = pysoem.Master()
    master.open(interface)
    seen = {"subdevices": master.config_init()}
    seen["identity"] = [[s.man, s.id, s.rev] for s in master.slaves]
    seen["sii"] = [
        [unsigned(s.eeprom_read(word)) for word in (0x08, 0x0A, 0x0C)] for s in master.slaves
    ]
    seen["names"] = [s.sdo_read(0x1008, 0).decode() for s in master.slaves]
    drive, station = master.slaves[0], master.slaves[-1]
    seen["dictionaries"] = [dictionary(s) for s in (drive, station)]
    complete = drive.sdo_read(0x1018, 0, 512, True)
    seen["complete"] = list(struct.unpack("<HIIII", complete))
    try:
        drive.sdo_read(0x2ABC, 0)
        seen["abort"] = None
    except pysoem.SdoError as error:
        seen["abort"] = error.abort_code

    seen["image"] = master.config_map()
    seen["dc"] = bool(master.config_dc())
    axes = [Axis(s) for s in master.slaves if s.id == drive.id]
    for s in master.slaves:
        s.dc_sync(True, CYCLE_NS)
    seen["safe_op"] = master.state_check(pysoem.SAFEOP_STATE, 2_000_000) == pysoem.SAFEOP_STATE

    exchange = Exchange(master)
    counts = exchange.counts

    seen["op"] = to_op(master, exchange)

    # Enable the first drive where it stands, then lead it away in small steps.
    axis = axes[0]
    for index in (0x6060,):
        if (index, 0) in axis.rx:
            axis.put(index, 8)
    start = axis.get(0x6064, signed=True)
    for control, wanted in ((0x06, 0x21), (0x07, 0x23), (0x0F, 0x27)):
        for _ in range(2000):
            axis.put(0x607A, start)
            axis.put(0x6040, control)
            exchange()
            time.sleep(0.0005)
            if axis.get(0x6041) & 0x6F == wanted:
                break
    seen["enabled"] = axis.get(0x6041) & 0x6F == 0x27
    # Parts of the way of a smooth step: what a controller would send cycle by cycle.
    counts_per_mm = 1.0 / (float(sys.argv[3]) * 1000.0)
    way, steps = round(5.0 * counts_per_mm), 1500
    for step in range(steps + 600):
        part = min(step / steps, 1.0)
        axis.put(0x607A, start + round(way * part * part * (3.0 - 2.0 * part)))
        exchange()
        time.sleep(0.0008)
    seen["way"] = [way, axis.get(0x6064, signed=True) - start]
    while counts["cycles"] < cycles:
        exchange()
        time.sleep(0.0003)
    seen["counts"] = counts
    master.read_state()
    seen["still_op"] = all(s.state == pysoem.OP_STATE for s in master.slaves)
    seen["faults"] = [s.al_status for s in master.slaves if s.al_status]
    master.state = pysoem.INIT_STATE
    master.write_state()
    master.close()
    print(json.dumps(seen))


main()
