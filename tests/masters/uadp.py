"""Decodes the predictions that twinstep publishes (OPC UA PubSub, UADP over Ethernet), with nothing of twinstep's own.

uadp.py INTERFACE PUBLISHER INTERVALS: listens until so many publishing intervals have passed and prints one JSON object.
"""

import json
import socket
import struct
import sys

ETHERTYPE = 0xB62C
NAMES = ["measured_position", "predicted_position", "measured_current", "predicted_current"]


def take(data, at, form):
    return struct.unpack_from("<" + form, data, at), at + struct.calcsize("<" + form)


def message(data):
    """PublisherId, SequenceNumber of the group and [(writer id, sequence, status, fields)] of a NetworkMessage."""
    flags, extended = data[0], data[1]
    assert flags == 0xF1, f"flags {flags:02x}"
    assert extended == 0x01, f"extended flags {extended:02x}"
    (publisher,), at = take(data, 2, "H")
    assert data[at] == 0x0F, f"group flags {data[at]:02x}"
    (_group, _version, _number, sequence), at = take(data, at + 1, "HIHH")
    (count,), at = take(data, at, "B")
    writers, at = take(data, at, f"{count}H")
    sizes, at = take(data, at, f"{count}H") if count > 1 else ((len(data) - at,), at)
    sets = []
    for writer, size in zip(writers, sizes):
        (head, number, status, major, _minor), fields = take(data, at, "BHHII")
        assert head == 0x7B, f"flags of a data set {head:02x}"
        assert major == 1, f"version {major}"
        sets.append((writer, number, status, data[fields : at + size]))
        at += size
    return publisher, sequence, sets


def values(fields):
    """An axis has two pairs of measured and predicted, a station one."""
    count = (len(fields) - 12) // 8
    cycle, *numbers, flags = struct.unpack("<Q%ddI" % count, fields)
    return {"cycle": cycle, "flags": flags, **dict(zip(NAMES, numbers))}


def main():
    interface, publisher, intervals = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE))
    # SO_RCVBUFFORCE: on a busy computer many frames wait.
    link.setsockopt(socket.SOL_SOCKET, 33, 4 << 20)
    link.bind((interface, ETHERTYPE))
    link.settimeout(20)
    seen, gaps, last, sets = set(), 0, None, {}
    while len(seen) < intervals:
        frame = link.recv(2048)
        found, sequence, messages = message(frame[14:])
        if found != publisher:
            continue
        gaps += last is not None and (last + 1) % 65536 != sequence
        last = sequence
        for writer, number, status, fields in messages:
            seen.add(number)
            if status == 0:
                sets[writer] = values(fields)
    print(json.dumps({"intervals": len(seen), "gaps": gaps, "data_sets": sets}))


main()
