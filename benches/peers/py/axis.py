"""The axis and the scenario file, for the peers in Python. The equations are in c/axis.h."""

import numpy as np

# Fields of `struct axis` in their order, and those that are prepared: reciprocals (the Stribeck velocity squared).
PARAMS = (
    "inertia coulomb_positive_a coulomb_negative_a viscous stribeck_a stribeck_velocity_m_per_s gravity_a "
    "position_gain_per_s velocity_gain integral_gain velocity_feedforward limit_a current_time_constant_s "
    "current_filter_s smooth_m_per_s observer_hz"
).split()
STATES = "position_m velocity_m_per_s current_a integral_a reported_a".split()
SUBSTEPS = 4
HEADER = 8


def prepare(params):
    """[axis][parameter] as `prepare` in C."""
    p = np.array(params, float)
    for name in "inertia", "current_time_constant_s", "current_filter_s", "smooth_m_per_s":
        p[:, PARAMS.index(name)] = 1.0 / p[:, PARAMS.index(name)]
    vs = PARAMS.index("stribeck_velocity_m_per_s")
    p[:, vs] = 1.0 / (p[:, vs] * p[:, vs])
    return p


def slope(p, s, r, speed, op):
    """Derivative of the state; `p` prepared. `op` brings where, tanh, minimum and maximum: numpy's or CasADi's."""
    m, fcp, fcn, fv, fs, vs, g, kx, kv, ki, kff, limit, tau, tau_f, eps, _ = p
    x, v, i, q, f = s
    error = kx * (r - x) + kff * speed - v
    asked = kv * error + q
    limited = op.maximum(op.minimum(asked, limit), -limit)
    dry = op.where(v >= 0.0, fcp, fcn) + fs / (1.0 + v * v * vs)
    friction = fv * v + dry * op.tanh(v * eps)
    return [
        v,
        (i - g - friction) * m,
        (limited - i) * tau,
        op.where(op.equal(asked, limited), ki * error, 0.0),
        (i - f) * tau_f,
    ]


def step(p, s, from_m, to_m, period_s, op=np):
    """One cycle by Runge-Kutta of fourth order in four substeps."""
    h = period_s / SUBSTEPS
    speed = (to_m - from_m) / period_s

    def plus(state, k, by):
        return [a + by * b for a, b in zip(state, k)]

    for n in range(SUBSTEPS):
        r = from_m + speed * h * n
        k1 = slope(p, s, r, speed, op)
        k2 = slope(p, plus(s, k1, 0.5 * h), r + 0.5 * h * speed, speed, op)
        k3 = slope(p, plus(s, k2, 0.5 * h), r + 0.5 * h * speed, speed, op)
        k4 = slope(p, plus(s, k3, h), r + h * speed, speed, op)
        for k, weight in (k1, 6.0), (k2, 3.0), (k3, 3.0), (k4, 6.0):
            s = plus(s, k, h / weight)
    return s


class Scenario:
    """What c/run.c calls `struct scenario`; arrays are [cycle][axis]."""

    def __init__(self, path):
        data = np.fromfile(path)
        self.axes, self.cycles = int(data[0]), int(data[1])
        self.period_s = float(data[4])
        a, n, at = self.axes, self.axes * self.cycles, HEADER

        def take(size):
            nonlocal at
            at += size
            return data[at - size : at]

        self.params = take(a * len(PARAMS)).reshape(a, -1)
        self.start = take(a * len(STATES)).reshape(a, -1)
        self.targets_m = take(n + a).reshape(-1, a)
