"""Where the figures were measured: without it they say nothing."""

import os
import re
import shutil
import subprocess
from pathlib import Path


def _first(path, pattern):
    try:
        found = re.search(pattern, Path(path).read_text())
    except OSError:
        return "unknown"
    return found.group(1).strip() if found else "unknown"


def _version(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.splitlines()[0]
    except (OSError, IndexError):
        return f"{command[0]} unknown"


def _latency():
    """The wake-up latency of these seconds, or why it is not known."""
    if not shutil.which("cyclictest"):
        return "cyclictest: not installed (Debian: rt-tests)"
    command = ["cyclictest", "-q", "-m", "-p", "80", "-i", "1000", "-D", "5s"]
    done = subprocess.run(command, capture_output=True, text=True)
    line = done.stdout.strip() or done.stderr.strip().split("\n")[0]
    return f"{' '.join(command)}: {line}"


def describe():
    """Processor, kernel, load, compilers and cyclictest."""
    cpu = "/proc/cpuinfo"
    model, family, number = (_first(cpu, rf"{key}\s*:\s*(.*)") for key in ("model name", "cpu family", r"model\t"))
    realtime = _first("/sys/kernel/realtime", r"(\d)") == "1"
    return "\n".join(
        [
            f"{model} (family {family}, model {number}), {os.cpu_count()} cores",
            f"kernel {os.uname().release}, {'PREEMPT_RT' if realtime else 'no PREEMPT_RT'}, load {os.getloadavg()[0]:.2f}",
            f"{_version('rustc', '--version')}; {_version('cc', '--version')}",
            _latency(),
        ]
    )
