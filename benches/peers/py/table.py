"""table.py BUILD [--rounds N] [--budget-ms MS] [--simd LEVELS] [--smoke]: runs all peers in turn and prints the table.

BUILD is the folder in which `scripts/peers` has put scenarios and programs. First every runner writes its trajectories of
both motions, and they are compared; then all are timed on the reversing motion, round after round. Fails when trajectories
do not agree.
"""

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

import environment
import numpy as np
from axis import STATES, Scenario

HERE = Path(__file__).parent
MOTIONS = ("sweep", "reversing")
# Runge-Kutta peers compute the same thing: largest difference over the largest value, of every state.
SAME_SCHEME = 1e-9
# Our kernel and the same algorithm in C differ by the last bits of exp.
SAME_ALGORITHM = 1e-9
# RMS of position (m) between our kernel and the C beside it where axes stop and start.
REVERSING_M = 1e-6
# Our kernel against Runge-Kutta: another scheme and another sign function, on a motion that never stands (m, RMS).
OTHER_SCHEME_M = 1e-6
# Cycles of the runner that is slowest.
CASADI_PYTHON_CYCLES = 100


class Runner:
    """One row: its name in the table, the command before the scenario and after the budget."""

    def __init__(self, title, before, after=(), simd="", key=None):
        self.title, self.simd = title, simd
        self.before, self.after = [str(word) for word in before], [str(word) for word in after]
        self.key = key or title
        self.ns = []
        self.evidence = {}

    def run(self, scenario, budget_ms, trajectory=None):
        command = [*self.before, str(scenario), str(budget_ms), *self.after]
        if trajectory:
            command += [str(trajectory)] if "/run-" in self.before[0] else ["--trajectory", str(trajectory)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{self.title} {self.simd}: {' '.join(command)}\n{done.stdout}{done.stderr}")
        ns, *evidence = map(float, done.stdout.split())
        self.evidence[scenario.stem] = evidence
        return ns


def runners(build, levels):
    native, fmu = build / "run-native", ["--fmu", build / "axis.fmu"]
    rust, python = build / "peers", [sys.executable, HERE / "run.py"]
    rows = []
    for level in levels:
        for part, title in ("", "predict"), ("-full", "predict + compare + correct"):
            ours = [rust, f"ours{part}"]
            rows.append(Runner(f"ours, {title}", ours, ["--simd", level], level, f"ours{part}-{level}"))
            soa = [build / f"run-{level}", f"soa{part}"]
            rows.append(Runner(f"same in C, {title}", soa, [], level, f"soa{part}-{level}"))
    for part, title in ("", "predict"), ("-full", "predict + compare + correct"):
        rows.append(Runner(f"same in C, {title}", [native, f"soa{part}"], [], "native", f"soa{part}-native"))
    rows += [
        Runner("C, RK4 x 4", [native, "rk4"], key="rk4"),
        Runner("Rust, RK4 x 4", [rust, "rk4"]),
        Runner("fmi crate, FMU of C, RK4 x 4", [rust, "fmi"], fmu),
        Runner("CasADi, generated C", [native, "casadi"]),
        Runner("numpy, 100 axes at once", [*python, "numpy"]),
        Runner("FMPy, set + doStep + get", [*python, "fmpy"], fmu),
        Runner("CasADi, called from Python", [*python, "casadi"], ["--cycles", CASADI_PYTHON_CYCLES]),
    ]
    return rows


class Checks:
    """Compares trajectories, says so, and remembers what failed."""

    def __init__(self, build, scenarios):
        self.build, self.scenarios, self.failed = build, scenarios, []

    def load(self, key, motion):
        name = f"{key}-{motion}.trajectory".replace(" ", "_").replace("/", "_")
        return self.build / name, self.scenarios[motion].axes

    def states(self, key, motion):
        path, axes = self.load(key, motion)
        return np.fromfile(path).reshape(-1, axes, len(STATES))

    def judge(self, what, value, limit, unit=""):
        good = value <= limit
        print(f"  {'ok    ' if good else 'FAILED'}  {what}: {value:.2g}{unit} (at most {limit:.2g}{unit})")
        if not good:
            self.failed.append(what)

    def alike(self, what, one, other, limit, motions=MOTIONS):
        """Largest difference of any state over its largest value."""
        worst = 0.0
        for motion in motions:
            a, b = self.states(one, motion), self.states(other, motion)
            n = min(len(a), len(b))
            scale = np.abs(b).max(axis=(0, 1))
            worst = max(worst, float((np.abs(a[:n] - b[:n]).max(axis=(0, 1)) / scale).max()))
        self.judge(what, worst, limit)

    def evidence(self, what, one, other):
        """Sums over the axes after the last cycle of the sweep: largest difference over its value."""
        worst = 0.0
        for motion in ("sweep",):
            if not one[motion] or len(one[motion]) != len(other[motion]):
                sys.exit(f"{what}: {len(one[motion])} figures against {len(other[motion])}: src/ours.rs or c/axis_soa.c is behind")
            pairs = zip(one[motion], other[motion], strict=True)
            worst = max(worst, *(abs(a - b) / max(abs(b), 1e-9) for a, b in pairs))
        self.judge(what, worst, SAME_ALGORITHM)

    def rms_m(self, one, other, motion):
        difference = self.states(one, motion)[:, :, 0] - self.states(other, motion)[:, :, 0]
        return float(np.sqrt((difference**2).mean()))


def check(build, rows, levels, scenarios):
    checks = Checks(build, scenarios)
    fine = Runner("fine", [build / "run-native", "rk4-fine"], key="fine")
    for runner in [*rows, fine]:
        for motion in MOTIONS:
            runner.run(build / f"{motion}.bin", 1, checks.load(runner.key, motion)[0])

    print("trajectories")
    slowest = np.abs(checks.states("fine", "sweep")[:, :, 1]).min()
    checks.judge("the sweep never stands: 1 / slowest axis", 1.0 / float(slowest), 100.0, " s/m")
    for runner in rows:
        if not runner.simd and runner.key != "rk4":
            checks.alike(f"{runner.title} as C, RK4 x 4", runner.key, "rk4", SAME_SCHEME)
    first = levels[0]
    found = {runner.key: runner.evidence for runner in rows}
    for part in "", "-full":
        for level in levels:
            ours, soa = f"ours{part}-{level}", f"soa{part}-{level}"
            checks.alike(f"ours{part} as the same in C on the sweep, {level}", ours, soa, SAME_ALGORITHM, ("sweep",))
            # The C steps a cycle in which an axis stops or starts in coarser substeps: the motion is the same, the bits are not.
            rms_m = checks.rms_m(ours, soa, "reversing")
            checks.judge(f"ours{part} as the same in C, reversing, RMS, {level}", rms_m, REVERSING_M, " m")
            if part:
                checks.evidence(f"detectors and load filter as in C, {level}", found[f"ours-full-{level}"], found[f"soa-full-{level}"])
            if level != first:
                checks.alike(f"ours{part} bit for bit, {level} as {first}", f"ours{part}-{level}", f"ours{part}-{first}", 0.0)
    key = f"ours-{first}"
    checks.judge("ours as C, RK4 x 4, position on the sweep, RMS", checks.rms_m(key, "rk4", "sweep"), OTHER_SCHEME_M, " m")
    print("accuracy: RMS of position against Runge-Kutta in 64 substeps (m)")
    for motion in MOTIONS:
        rms = {title: checks.rms_m(k, "fine", motion) for title, k in (("ours", key), ("RK4 x 4", "rk4"))}
        print(f"  {motion:<10} " + ", ".join(f"{title} {value:.2g}" for title, value in rms.items()))
    print("  (on the reversing motion the sign of Runge-Kutta is smoothed, ours is not)")
    return checks.failed


def table(rows, levels):
    medians = {runner.key: statistics.median(runner.ns) for runner in rows}
    best = levels[-1]
    print(f"\n{'runner':<42}{'SIMD':<10}{'ns per axis step':>17}{'fastest':>9}{'/ ours':>9}{'/ ours, same SIMD':>19}")
    for runner in rows:
        ns = medians[runner.key]
        part = "-full" if "correct" in runner.title else ""
        same = medians.get(f"ours{part}-{runner.simd}")
        beside = f"{ns / same:>19.2f}" if same else ""
        print(
            f"{runner.title:<42}{runner.simd or '-':<10}{ns:>17.1f}{min(runner.ns):>9.1f}"
            f"{ns / medians[f'ours{part}-{best}']:>9.2f}{beside}"
        )
    print(f"(medians over the rounds; / ours: to ours with {best}, predict to predict, whole cycle to whole cycle)")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--budget-ms", type=int, default=200)
    parser.add_argument("--simd", required=True, help="levels from portable to best, with commas between")
    arguments = parser.parse_args()
    build, levels = arguments.build.resolve(), arguments.simd.split(",")
    scenarios = {motion: Scenario(build / f"{motion}.bin") for motion in MOTIONS}
    axes, cycles = scenarios["sweep"].axes, scenarios["sweep"].cycles

    print(environment.describe())
    print(f"{axes} axes, {cycles} cycles of 1 ms a pass, {arguments.rounds} rounds of {arguments.budget_ms} ms a runner\n")
    rows = runners(build, levels)
    failed = check(build, rows, levels, scenarios)
    for n in range(arguments.rounds):
        # Forwards and backwards in turn: who is measured right after whom should not matter.
        for runner in rows if n % 2 == 0 else reversed(rows):
            runner.ns.append(runner.run(build / "reversing.bin", arguments.budget_ms))
    table(rows, levels)
    if failed:
        sys.exit(f"\nFAILED, the figures compare different things: {'; '.join(failed)}")


if __name__ == "__main__":
    main()
