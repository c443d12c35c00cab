"""Runs a program under the filters that a unit has systemd make: python filtered.py UNIT COMMAND...

System calls (SystemCallFilter, in systemd's own sets), address families, memory that is written to and executed, real-time policies; each is
refused as systemd refuses it. What the kernel is given is a filter of seccomp, made here from the words of the unit.
"""

import ctypes
import errno
import os
import pathlib
import re
import struct
import subprocess
import sys

NAMES = "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
LOAD, EQUAL, ABOVE, AND, RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16
X86_64, X32 = 0xC000003E, 0x40000000
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16, "AF_PACKET": 17}
PROT_WRITE, PROT_EXEC, SHM_EXEC = 2, 4, 0o100000


def settings(text):
    """All lines of [Service], as pairs."""
    lines = text.split("[Service]\n")[1].split("\n[")[0].splitlines()
    return [line.partition("=")[::2] for line in lines if line and not line.startswith("#")]


def sets():
    """The sets of system calls that systemd knows."""
    told = subprocess.run(["systemd-analyze", "syscall-filter"], check=True, stdout=subprocess.PIPE, text=True).stdout
    found, name = {}, None
    for line in told.splitlines():
        word = line.strip()
        if line.startswith("@"):
            name = word
            found[name] = []
        elif name and word and not word.startswith("#") and line.startswith(" "):
            found[name].append(word)
        elif line.startswith("#"):
            # What is in no set is listed behind them.
            name = None
    return found


def members(word, known):
    """The system calls of a set, or the one of this name."""
    if not word.startswith("@"):
        return {word}
    return {name for one in known[word] for name in members(one, known)}


def allowed(unit):
    """The system calls that are left; those that are always permitted are among them."""
    known = sets()
    left = members("@default", known)
    for key, words in unit:
        if key != "SystemCallFilter":
            continue
        names = {name for word in words.lstrip("~").split() for name in members(word, known)}
        left = left - names if words.startswith("~") else left | names
    return left


def program(unit):
    """The filter: a list of (code, jump where it holds, jump where not, number)."""
    numbers = dict(re.findall(r"#define __NR_(\w+) (\d+)", pathlib.Path(NAMES).read_text()))
    numbers = {name: int(number) for name, number in numbers.items()}
    of = dict(unit)
    refuse = (RETURN, 0, 0, ERRNO | getattr(errno, of["SystemCallErrorNumber"]))
    no_family = (RETURN, 0, 0, ERRNO | errno.EAFNOSUPPORT)
    allow = (RETURN, 0, 0, ALLOW)
    made = [(LOAD, 0, 0, ARCHITECTURE), (EQUAL, 1, 0, X86_64), refuse, (LOAD, 0, 0, NUMBER), (ABOVE, 0, 1, X32), refuse]

    def argument(n, steps):
        """The lower half of an argument, then `steps`, and the number of the call again."""
        return [(LOAD, 0, 0, ARGUMENTS + 8 * n), *steps, (LOAD, 0, 0, NUMBER)]

    def only(name, steps):
        """`steps` for one system call."""
        made.extend([(EQUAL, 0, len(steps), numbers[name]), *steps])

    if "RestrictAddressFamilies" in of:
        families = [FAMILIES[word] for word in of["RestrictAddressFamilies"].split()]
        # Any of them leads behind the refusal.
        steps = [(EQUAL, len(families) - n, 0, family) for n, family in enumerate(families)]
        only("socket", argument(0, [*steps, no_family]))
    if of.get("MemoryDenyWriteExecute") == "yes":
        both = PROT_WRITE | PROT_EXEC
        only("mmap", argument(2, [(AND, 0, 0, both), (EQUAL, 0, 1, both), refuse]))
        for name in ("mprotect", "pkey_mprotect"):
            only(name, argument(2, [(AND, 0, 0, PROT_EXEC), (EQUAL, 0, 1, PROT_EXEC), refuse]))
        only("shmat", argument(2, [(AND, 0, 0, SHM_EXEC), (EQUAL, 0, 1, SHM_EXEC), refuse]))
    if of.get("RestrictRealtime") == "yes":
        # SCHED_OTHER, SCHED_BATCH and SCHED_IDLE are left.
        only("sched_setscheduler", argument(1, [(EQUAL, 3, 0, 0), (EQUAL, 2, 0, 3), (EQUAL, 1, 0, 5), refuse]))
    for name in sorted(allowed(unit)):
        if name in numbers:
            made += [(EQUAL, 0, 1, numbers[name]), allow]
    return [*made, refuse]


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def main():
    path, *command = sys.argv[1:]
    code = b"".join(struct.pack("HBBI", *one) for one in program(settings(pathlib.Path(path).read_text())))
    libc = ctypes.CDLL(None, use_errno=True)
    filters = Program(len(code) // 8, code)
    # No new privileges, and the filter.
    for words in ((38, 1, 0, 0, 0), (22, 2, ctypes.byref(filters), 0, 0)):
        if libc.prctl(*words):
            sys.exit(f"filtered.py: no filter can be set: {os.strerror(ctypes.get_errno())}")
    os.execv(command[0], command)


main()
