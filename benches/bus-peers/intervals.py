"""When frames with process data arrive on an interface: intervals.py INTERFACE. Ends with its standard input; prints the time between
each and the one before (ns), one a line. Only what the other end sends counts, and of the frames of a cycle the one with the lowest
logical address: a large bus needs several."""

import socket
import struct
import sys
import threading

SO_RCVBUFFORCE = 33
SO_TIMESTAMPNS = 35
OUTGOING = 4
LOGICAL = (0x0A, 0x0B, 0x0C)


def logical_address(frame):
    """The lowest of its datagrams that read or write logical memory (ETG.1000.4, 5.4.1); none where there are none."""
    at, lowest = 16, None
    while at + 12 <= len(frame):
        command, address, length = struct.unpack_from("<BxIH", frame, at)
        if command in LOGICAL and (lowest is None or address < lowest):
            lowest = address
        if not length & 0x8000:
            break
        at += 12 + (length & 0x07FF)
    return lowest


def main():
    heard = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88A4))
    heard.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    heard.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)
    heard.bind((sys.argv[1], 0))
    heard.settimeout(0.1)
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    print("listening", flush=True)
    heard_at = []
    while not over.is_set():
        try:
            frame, more, _, address = heard.recvmsg(256, 64)
        except TimeoutError:
            continue
        logical = logical_address(frame) if address[2] != OUTGOING else None
        if logical is not None:
            seconds, ns = struct.unpack("qq", more[0][2][:16])
            heard_at.append((logical, seconds * 1_000_000_000 + ns))
    first = min((logical for logical, _ in heard_at), default=0)
    times = [at_ns for logical, at_ns in heard_at if logical == first]
    print("\n".join(str(b - a) for a, b in zip(times, times[1:])))


main()
