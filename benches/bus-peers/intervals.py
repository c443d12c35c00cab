"""When frames with process data arrive on an interface: intervals.py INTERFACE. Ends with its standard input; prints the time between
each and the one before (ns), one a line. Only what the other end sends counts."""

import socket
import struct
import sys
import threading

SO_TIMESTAMPNS = 35
OUTGOING = 4
LOGICAL = (0x0A, 0x0B, 0x0C)


def has_process_data(frame):
    """Whether a datagram of the frame reads or writes logical memory (ETG.1000.4, 5.4.1)."""
    at = 16
    while at + 12 <= len(frame):
        length = frame[at + 6] | frame[at + 7] << 8
        if frame[at] in LOGICAL:
            return True
        if not length & 0x8000:
            return False
        at += 12 + (length & 0x07FF)
    return False


def main():
    heard = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88A4))
    heard.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    heard.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    heard.bind((sys.argv[1], 0))
    heard.settimeout(0.1)
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    print("listening", flush=True)
    times = []
    while not over.is_set():
        try:
            frame, more, _, address = heard.recvmsg(256, 64)
        except TimeoutError:
            continue
        if address[2] != OUTGOING and has_process_data(frame):
            seconds, ns = struct.unpack("qq", more[0][2][:16])
            times.append(seconds * 1_000_000_000 + ns)
    print("\n".join(str(b - a) for a, b in zip(times, times[1:])))


main()
