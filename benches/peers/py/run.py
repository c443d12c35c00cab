"""run.py RUNNER SCENARIO BUDGET_MS [--trajectory FILE] [--fmu FILE] [--cycles N]: the runners in Python.

As c/run.c: prints the median pass in ns per axis and cycle, and writes all states of all cycles in one more run, which must
end in the same state. `--cycles` stops earlier, for runners that are slow.
"""

import argparse
import shutil
import statistics
import sys
import time

import numpy as np
from axis import PARAMS, STATES, Scenario, prepare, step

PASSES_MIN = 3


class Numpy:
    """All axes at once in numpy arrays."""

    def __init__(self, scenario, _):
        self.params = list(prepare(scenario.params).T)

    def start(self, scenario):
        self.state = list(scenario.start.T)

    def cycle(self, scenario, k):
        targets = scenario.targets_m
        self.state = step(self.params, self.state, targets[k], targets[k + 1], scenario.period_s)

    def states(self):
        return np.array(self.state).T


class Casadi:
    """One call of the CasADi function from Python per axis and cycle."""

    def __init__(self, scenario, _):
        import casadi
        from casadi_axis import function

        self.step = function()
        self.params = [casadi.DM(p) for p in prepare(scenario.params)]

    def start(self, scenario):
        import casadi

        self.state = [casadi.DM(s) for s in scenario.start]

    def cycle(self, scenario, k):
        for a, (p, s) in enumerate(zip(self.params, self.state)):
            targets = scenario.targets_m
            self.state[a] = self.step(s, p, targets[k, a], targets[k + 1, a], scenario.period_s)

    def states(self):
        return np.array([np.array(s).ravel() for s in self.state])


class Fmpy:
    """The FMU of c/fmu.c in FMPy: per cycle one input set, one step, three outputs read."""

    # Value references: see c/fmu.c. Read are position, velocity and reported current.
    TARGET, OUTPUTS, READ = [0], list(range(1, 1 + len(STATES))), [1, 2, 5]
    PARAMETERS = list(range(10, 10 + len(PARAMS)))
    START = list(range(40, 40 + len(STATES) + 1))

    def __init__(self, scenario, fmu):
        import fmpy

        self.folder = fmpy.extract(fmu)
        description = fmpy.read_model_description(self.folder)
        self.instances = [
            fmpy.instantiate_fmu(self.folder, description, fmi_type="CoSimulation") for _ in range(scenario.axes)
        ]

    def start(self, scenario):
        for a, instance in enumerate(self.instances):
            instance.reset()
            instance.setReal(self.PARAMETERS, scenario.params[a])
            instance.setReal(self.START, [*scenario.start[a], scenario.targets_m[0, a]])
            instance.setupExperiment(startTime=0.0)
            instance.enterInitializationMode()
            instance.exitInitializationMode()
        self.targets_m = scenario.targets_m.tolist()

    def cycle(self, scenario, k):
        period_s = scenario.period_s
        for instance, target_m in zip(self.instances, self.targets_m[k + 1]):
            instance.setReal(self.TARGET, [target_m])
            instance.doStep(k * period_s, period_s)
            instance.getReal(self.READ)

    def states(self):
        return np.array([instance.getReal(self.OUTPUTS) for instance in self.instances])

    def close(self):
        for instance in self.instances:
            instance.terminate()
            instance.freeInstance()
        shutil.rmtree(self.folder, ignore_errors=True)


RUNNERS = {"numpy": Numpy, "casadi": Casadi, "fmpy": Fmpy}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("runner", choices=RUNNERS)
    parser.add_argument("scenario")
    parser.add_argument("budget_ms", type=float)
    parser.add_argument("--trajectory")
    parser.add_argument("--fmu")
    parser.add_argument("--cycles", type=int, default=sys.maxsize)
    arguments = parser.parse_args()

    scenario = Scenario(arguments.scenario)
    runner = RUNNERS[arguments.runner](scenario, arguments.fmu)
    cycles = min(arguments.cycles, scenario.cycles)
    passes, begin = [], time.perf_counter()
    while len(passes) < PASSES_MIN or (time.perf_counter() - begin) * 1e3 < arguments.budget_ms:
        runner.start(scenario)
        before = time.perf_counter_ns()
        for k in range(cycles):
            runner.cycle(scenario, k)
        passes.append((time.perf_counter_ns() - before) / (scenario.axes * cycles))
    last = runner.states()
    print(f"{statistics.median(passes):.3f}")

    if arguments.trajectory:
        states = np.empty((cycles, scenario.axes, len(STATES)))
        runner.start(scenario)
        for k in range(cycles):
            runner.cycle(scenario, k)
            states[k] = runner.states()
        states.tofile(arguments.trajectory)
        if not np.array_equal(states[-1], last):
            sys.exit("the measured run did not end as the written one")
    if hasattr(runner, "close"):
        runner.close()


if __name__ == "__main__":
    main()
