"""scenario.py FOLDER AXES CYCLES: writes two motions of many axes as FOLDER/sweep.bin and FOLDER/reversing.bin.

`sweep` speeds up and slows down faster and faster but never stands or turns: there every friction law and every scheme of
order one or more has to give the same trajectory. `reversing` goes to and fro, which is what is timed.
"""

import sys

import numpy as np
from axis import PARAMS, STATES, prepare, step

PERIOD_S = 1.0e-3
# Limits on the residuals of position (m), velocity (m/s) and current (A).
LIMITS = (5.0e-6, 5.0e-3, 0.2)
# The axis that all are spread around: a ball screw of a small press cell, in the ratios of models/src/axis.
CENTRE = dict(
    inertia=0.8,
    coulomb_positive_a=0.6,
    coulomb_negative_a=0.65,
    viscous=0.5,
    stribeck_a=0.15,
    stribeck_velocity_m_per_s=0.01,
    gravity_a=0.2,
    position_gain_per_s=60.0,
    velocity_gain=140.0,
    integral_gain=8000.0,
    velocity_feedforward=1.0,
    limit_a=10.0,
    current_time_constant_s=4.0e-4,
    current_filter_s=5.0e-4,
    smooth_m_per_s=0.002,
    observer_hz=30.0,
)
# Not spread: kept by the drive's type.
FIXED = "velocity_feedforward limit_a smooth_m_per_s observer_hz".split()


def spread(axes, random):
    rows = np.array([[CENTRE[name] for name in PARAMS]] * axes)
    for k, name in enumerate(PARAMS):
        if name not in FIXED:
            rows[:, k] *= random.uniform(0.85, 1.15, axes)
    return rows


def sweep(time_s, length_s, axes, random):
    """Velocity (m/s): 1 Hz to 10 Hz around an offset, half of the axes in each direction."""
    offset = random.uniform(0.08, 0.15, axes) * np.where(np.arange(axes) % 2, -1.0, 1.0)
    phase = random.uniform(0.0, 2.0 * np.pi, axes)
    turns = time_s + 4.5 * time_s * time_s / length_s
    return offset * (1.0 + 0.6 * np.sin(phase + 2.0 * np.pi * turns))


def reversing(time_s, length_s, axes, random):
    """Velocity (m/s): 2 Hz to 5 Hz to and fro."""
    peak = random.uniform(0.1, 0.2, axes)
    phase = random.uniform(0.0, 2.0 * np.pi, axes)
    return peak * np.sin(phase + 2.0 * np.pi * random.uniform(2.0, 5.0, axes) * time_s)


def write(path, motion, axes, cycles, random):
    params = spread(axes, random)
    middle_s = (np.arange(cycles)[:, None] + 0.5) * PERIOD_S
    speed = motion(middle_s, cycles * PERIOD_S, axes, random)
    targets = np.vstack([np.zeros(axes), np.cumsum(speed * PERIOD_S, axis=0)])
    value = {name: params[:, k] for k, name in enumerate(PARAMS)}
    # On its way already, with the current that this speed and acceleration take.
    v = speed[0]
    coulomb = np.where(v >= 0.0, value["coulomb_positive_a"], value["coulomb_negative_a"])
    stribeck = value["stribeck_a"] / (1.0 + (v / value["stribeck_velocity_m_per_s"]) ** 2)
    friction = value["viscous"] * v + (coulomb + stribeck) * np.tanh(v / value["smooth_m_per_s"])
    carried = value["gravity_a"] + friction
    current = carried + value["inertia"] * (speed[1] - speed[0]) / PERIOD_S
    start = np.array([targets[0], v, current, current, current]).T

    # What a machine would report whose friction is 5 % higher.
    plant = params.copy()
    for name in "coulomb_positive_a", "coulomb_negative_a", "viscous":
        plant[:, PARAMS.index(name)] *= 1.05
    plant = list(prepare(plant).T)
    state = list(start.T)
    measured = np.empty((3, cycles, axes))
    for k in range(cycles):
        state = step(plant, state, targets[k], targets[k + 1], PERIOD_S)
        for row, name in enumerate(("position_m", "velocity_m_per_s", "reported_a")):
            measured[row, k] = state[STATES.index(name)]
    for row, noise in enumerate((2.0e-7, 2.0e-4, 5.0e-3)):
        measured[row] += random.normal(0.0, noise, (cycles, axes))

    head = [axes, cycles, len(PARAMS), len(STATES), PERIOD_S, *LIMITS]
    parts = [np.array(head, float), params, start, targets, measured]
    np.concatenate([part.ravel() for part in parts]).astype("<f8").tofile(path)


if __name__ == "__main__":
    folder, axes, cycles = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    for motion in sweep, reversing:
        write(f"{folder}/{motion.__name__}.bin", motion, axes, cycles, np.random.default_rng(1))
