//! The exact step of the linear part of an axis: matrix exponentials, computed once when a plan is built.
//!
//! # Derivation
//! While an axis moves in one direction and its current is not limited, the equations of the parent module are linear but for
//! the Stribeck term. With the position error `e = r - x`, the slope `s` of the reference and the load `b` (dry friction,
//! gravity, contact, disturbance; A) they read
//!
//! ```text
//! e' = s - v
//! v' = (i - b - fv v) / m
//! i' = (kv (kx e + kff s - v) + q - i) / tau
//! q' = ki (kx e + kff s - v)
//! p' = (i - p) / tau_f                          current as the drive reports it
//! ```
//!
//! so that with s and b constant over a cycle, `z(T) = exp(A T) z(0)` holds exactly, with s and b as two further states that do
//! not change. A dead time that is no whole number of cycles bends the reference once inside of a cycle, at `f T`: the change of
//! slope adds the response to a ramp over the rest of the cycle, again an exponential. A resting axis has `v = 0`: a second, smaller set.
//!
//! With the position loop open (CSV, CST) no column is needed for e. In its place stands the response of what a drive is told of the current
//! (A) and changes at the same instant: a step of q over the rest of the cycle. In CSP offsets have three columns of their own
//! (`offsets`): a velocity that is added to the reference over the cycle, its change, and that of the current.
//!
//! Time is counted in periods, length in `T^2 / m` and velocity in `T / m`, which makes all entries of A of order one.
//! The exponential is a Taylor series of order 14 on the matrix divided by a power of two, squared back.

use super::params::AxisParams;

/// States: e, v, i, q, p, and the constants s, b.
const N: usize = 7;
const E: usize = 0;
pub(super) const V: usize = 1;
const I: usize = 2;
const Q: usize = 3;
const P: usize = 4;
const S: usize = 5;
pub(super) const B: usize = 6;
/// A lag shorter than this share of a period is taken as this long: nothing that a cycle could show.
const SHORTEST_LAG: f64 = 1.0 / 32.0;
/// Largest entry of A: what is faster within a period is beyond what a configuration allows ([`super::range::loops`]).
pub const RATE_MAX: f64 = 1.0e4;
/// Squarings by which the growth of the loops is found.
const GROWTH_SQUARINGS: u32 = 40;

pub(super) type Matrix = [[f64; N]; N];

/// Columns of a row: e, v, i, q, slope, change of slope, load, and for the reported current itself.
pub const COLUMNS: usize = 8;

/// Columns that offsets have beside them: velocity, its change, change of the current.
pub const OFFSETS: usize = 3;

/// One axis over one period, in SI units.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Transition {
    /// Way covered (m).
    pub way: [f64; COLUMNS],
    /// Velocity (m/s).
    pub velocity: [f64; COLUMNS],
    /// Current (A).
    pub current: [f64; COLUMNS],
    /// Integrator of the velocity loop (A).
    pub integral: [f64; COLUMNS],
    /// Reported current (A).
    pub reported: [f64; COLUMNS],
}

impl Transition {
    /// The step of loops that grow beyond all numbers within a period. No figure of it compares with anything, so such an axis is stepped
    /// in cuts, where its current is limited.
    const NEVER: Self = Self {
        way: [f64::NAN; COLUMNS],
        velocity: [f64::NAN; COLUMNS],
        current: [f64::NAN; COLUMNS],
        integral: [f64::NAN; COLUMNS],
        reported: [f64::NAN; COLUMNS],
    };

    fn finite(&self) -> bool {
        let rows = [&self.way, &self.velocity, &self.current];
        let rest = [&self.integral, &self.reported];
        (rows.into_iter().chain(rest).flatten()).all(|x| x.is_finite())
    }
}

/// The step of a moving and of a resting axis whose reference bends at the share `bend` of the period.
pub fn transitions(a: &AxisParams, period_s: f64, bend: f64) -> (Transition, Transition) {
    [true, false]
        .map(|moving| transition(a, period_s, bend, moving, First::Error))
        .into()
}

/// The same of an axis whose position loop is open, and which is told what it does: a velocity, whose slope is that of the reference, and a
/// current, which both change at the share `change` of the period. The first column is that of the change of the current.
pub(super) fn told_transitions(
    a: &AxisParams,
    period_s: f64,
    change: f64,
) -> (Transition, Transition) {
    [true, false]
        .map(|moving| transition(a, period_s, change, moving, First::Change))
        .into()
}

/// What the first column of a row is of.
#[derive(Clone, Copy, PartialEq)]
enum First {
    /// The error of the position.
    Error,
    /// A change of the integrator at the bend.
    Change,
}

fn transition(a: &AxisParams, period_s: f64, bend: f64, moving: bool, first: First) -> Transition {
    let generator = limited(generator(a, period_s, moving));
    let whole = exponential(&generator, 1.0);
    let rest = exponential(&generator, 1.0 - bend);
    let length = period_s * period_s / a.inertia;
    let speed = period_s / a.inertia;
    // Size of one unit of e, v, i, q, p, s, b.
    let unit = [length, speed, 1.0, 1.0, 1.0, speed, 1.0];
    let row = |n: usize, out: f64| {
        let mut columns = [0.0; COLUMNS];
        for (to, from) in [E, V, I, Q, S].into_iter().enumerate() {
            columns[to] = whole[n][from] * out / unit[from];
        }
        if first == First::Change {
            columns[0] = rest[n][Q] * out;
        }
        columns[5] = rest[n][S] * out / unit[S];
        columns[6] = whole[n][B] * out / unit[B];
        columns[7] = whole[n][P] * out / unit[P];
        columns
    };
    // The way is what the error lacks to the movement of the reference.
    let mut way = row(E, length);
    for c in &mut way {
        *c = -*c;
    }
    if first == First::Error {
        way[0] += 1.0;
    }
    way[4] += period_s;
    way[5] += (1.0 - bend) * period_s;
    if a.sampled || !a.cascade_valid {
        // A held current knows no reference, not even in the last bit.
        (way[0], way[4], way[5]) = (0.0, 0.0, 0.0);
    }
    let step = Transition {
        way,
        velocity: row(V, speed),
        current: row(I, 1.0),
        integral: row(Q, 1.0),
        reported: row(P, 1.0),
    };
    if step.finite() {
        step
    } else {
        Transition::NEVER
    }
}

/// What offsets add in CSP to way, velocity, current, integrator and reported current over a period: a velocity (m/s) that is held over it,
/// a change of that at the share `change`, and one of the current (A) there.
pub(super) fn offsets(
    a: &AxisParams,
    period_s: f64,
    change: f64,
    moving: bool,
) -> [[f64; OFFSETS]; 5] {
    // A velocity that is fed forward whole, along a reference that stays.
    let fed = AxisParams {
        velocity_feedforward: 1.0,
        ..*a
    };
    let mut generator = limited(generator(&fed, period_s, moving));
    generator[E][S] = 0.0;
    let whole = exponential(&generator, 1.0);
    let rest = exponential(&generator, 1.0 - change);
    let speed = period_s / a.inertia;
    [E, V, I, Q, P].map(|n| {
        let out = match n {
            E => -period_s * speed,
            V => speed,
            _ => 1.0,
        };
        [
            whole[n][S] * out / speed,
            rest[n][S] * out / speed,
            rest[n][Q] * out,
        ]
    })
}

/// How fast an axis is (1 per period): viscous friction, velocity loop, its integrator, position loop.
pub(super) fn rates(a: &AxisParams, period_s: f64) -> [f64; 4] {
    let g = generator(a, period_s, true);
    let position = if g[Q][E] > g[I][E] { g[Q][E] } else { g[I][E] };
    [-g[V][V], -g[I][V], -g[Q][V], position]
}

/// By what share the loops of a moving axis grow in a period, in the long run (1): below 0 they settle.
pub(super) fn growth(a: &AxisParams, period_s: f64) -> f64 {
    if a.cascade_valid && a.sampled {
        return growth_of_sampled(a, period_s);
    }
    let generator = limited(generator(a, period_s, true));
    let fastest =
        generator.iter().flatten().fold(
            1.0,
            |fastest, x| {
                if x.abs() > fastest { x.abs() } else { fastest }
            },
        );
    // Over a stretch in which nothing is fast: what grows in it grows in a period, and no rounding is squared back.
    let whole = exponential(&generator, 1.0 / fastest);
    if !whole.iter().flatten().all(|x| x.is_finite()) {
        return f64::INFINITY;
    }
    // The loops alone: what is reported and what acts from outside does not come back.
    let mut power = [[0.0; N]; N];
    for row in [E, V, I, Q] {
        for column in [E, V, I, Q] {
            power[row][column] = whole[row][column];
        }
    }
    libm::exp(log_radius(power) * fastest) - 1.0
}

/// The same of a drive that closes its loops once a period: it holds `i = kv (kx (r - x) - w)` until the next sample, w being the mean velocity
/// of the period before. In the units of the generator, with the position instead of the error,
///
/// ```text
/// x(k+1) = x + a v + b i,   v(k+1) = c v + d i,   i(k+1) = -K x(k+1) - D (x(k+1) - x),   K = kv kx T^2 / m,   D = kv T / m
/// ```
fn growth_of_sampled(a: &AxisParams, period_s: f64) -> f64 {
    let whole = exponential(&limited(generator(a, period_s, true)), 1.0);
    // Of the error, which a way makes smaller.
    let (by_v, by_i) = (-whole[E][V], -whole[E][I]);
    let damping = a.velocity_gain * period_s / a.inertia;
    let spring = a.position_gain_per_s * period_s * damping;
    let both = spring + damping;
    let mut power = [[0.0; N]; N];
    (power[E][E], power[E][V], power[E][I]) = (1.0, by_v, by_i);
    (power[V][V], power[V][I]) = (whole[V][V], whole[V][I]);
    (power[I][E], power[I][V], power[I][I]) = (-spring, -both * by_v, -both * by_i);
    if !power.iter().flatten().all(|x| x.is_finite()) {
        return f64::INFINITY;
    }
    libm::exp(log_radius(power)) - 1.0
}

/// Logarithm of the largest eigenvalue's size: how much a power of the matrix grows, one squared again and again.
fn log_radius(mut power: Matrix) -> f64 {
    let (mut log, mut weight) = (0.0, 1.0);
    for _ in 0..GROWTH_SQUARINGS {
        let entries = power.iter().flatten();
        let size = entries.fold(0.0, |size, x| if x.abs() > size { x.abs() } else { size });
        if size == 0.0 {
            return f64::NEG_INFINITY;
        }
        log += weight * libm::log(size);
        for x in power.iter_mut().flatten() {
            *x /= size;
        }
        power = product(&power, &power);
        weight *= 0.5;
    }
    log
}

/// The matrix A, scaled, with its two constants.
pub(super) fn generator(a: &AxisParams, period_s: f64, moving: bool) -> Matrix {
    let (t, m) = (period_s, a.inertia);
    let (length, speed) = (t * t / m, t / m);
    let mut g = [[0.0; N]; N];
    g[E][S] = 1.0;
    if moving {
        g[E][V] = -1.0;
        g[V][V] = -a.viscous * speed;
        g[V][I] = 1.0;
        g[V][B] = -1.0;
    }
    // A sampled drive, and one that nobody knows, hold their current over the cycle.
    if a.cascade_valid && !a.sampled {
        let rate = 1.0 / at_least(a.current_time_constant_s / t, SHORTEST_LAG);
        let on_error = a.position_gain_per_s * length;
        let on_slope = a.velocity_feedforward * speed;
        g[I][E] = rate * a.velocity_gain * on_error;
        g[I][S] = rate * a.velocity_gain * on_slope;
        g[I][Q] = rate;
        g[I][I] = -rate;
        g[Q][E] = t * a.integral_gain * on_error;
        g[Q][S] = t * a.integral_gain * on_slope;
        if moving {
            g[I][V] = -rate * a.velocity_gain * speed;
            g[Q][V] = -t * a.integral_gain * speed;
        }
    }
    let rate = 1.0 / at_least(a.current_filter_s / t, SHORTEST_LAG);
    g[P][I] = rate;
    g[P][P] = -rate;
    g
}

/// Its entries within [`RATE_MAX`].
pub(super) fn limited(mut g: Matrix) -> Matrix {
    for x in g.iter_mut().flatten() {
        *x = x.clamp(-RATE_MAX, RATE_MAX);
    }
    g
}

/// A lag as it is taken over a period (s).
pub(super) fn lag(time_s: f64, period_s: f64) -> f64 {
    at_least(time_s, SHORTEST_LAG * period_s)
}

fn at_least(x: f64, least: f64) -> f64 {
    if x > least { x } else { least }
}

/// exp(a t) by scaling and squaring.
pub(super) fn exponential(a: &Matrix, t: f64) -> Matrix {
    let mut norm = 0.0_f64;
    for row in a {
        let sum: f64 = row.iter().map(|x| x.abs() * t).sum();
        norm = if sum > norm { sum } else { norm };
    }
    let mut squarings = 0;
    let mut scale = t;
    while norm > 0.25 {
        norm *= 0.5;
        scale *= 0.5;
        squarings += 1;
    }
    let mut result = identity();
    let mut term = identity();
    for n in 1..=14 {
        term = product(&term, a);
        let factor = scale / f64::from(n);
        for (sum, x) in result.iter_mut().flatten().zip(term.iter_mut().flatten()) {
            *x *= factor;
            *sum += *x;
        }
    }
    for _ in 0..squarings {
        result = product(&result, &result);
    }
    result
}

fn identity() -> Matrix {
    let mut m = [[0.0; N]; N];
    for (n, row) in m.iter_mut().enumerate() {
        row[n] = 1.0;
    }
    m
}

/// a b.
pub(super) fn product(a: &Matrix, b: &Matrix) -> Matrix {
    let mut out = [[0.0; N]; N];
    for (row, from) in out.iter_mut().zip(a) {
        for (x, column) in row.iter_mut().enumerate() {
            *column = from.iter().zip(b).map(|(f, line)| f * line[x]).sum();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::axis::tests::DRIVE;

    const A: AxisParams = AxisParams {
        velocity_feedforward: 0.8,
        ..DRIVE
    };

    /// The same equations by many small Runge-Kutta steps: e, v, i, q, p from `z` with slopes and load.
    fn by_hand(z: [f64; 5], slopes: (f64, f64), bend: f64, load_a: f64) -> [f64; 5] {
        let steps = 20_000;
        let h = 0.001 / f64::from(steps);
        let slope = |z: [f64; 5], s: f64| {
            let w = A.position_gain_per_s * z[0] + A.velocity_feedforward * s - z[1];
            [
                s - z[1],
                (z[2] - load_a - A.viscous * z[1]) / A.inertia,
                (A.velocity_gain * w + z[3] - z[2]) / A.current_time_constant_s,
                A.integral_gain * w,
                (z[2] - z[4]) / A.current_filter_s,
            ]
        };
        let plus = |z: [f64; 5], k: [f64; 5], h: f64| {
            core::array::from_fn::<f64, 5, _>(|n| z[n] + h * k[n])
        };
        let mut z = z;
        for n in 0..steps {
            let s = if (f64::from(n) + 0.5) / f64::from(steps) < bend {
                slopes.0
            } else {
                slopes.1
            };
            let k1 = slope(z, s);
            let k2 = slope(plus(z, k1, 0.5 * h), s);
            let k3 = slope(plus(z, k2, 0.5 * h), s);
            let k4 = slope(plus(z, k3, h), s);
            for m in 0..5 {
                z[m] += h / 6.0 * (k1[m] + 2.0 * k2[m] + 2.0 * k3[m] + k4[m]);
            }
        }
        z
    }

    #[test]
    fn one_step_is_what_twenty_thousand_small_ones_are() {
        for bend in [0.0, 0.3, 1.0] {
            let (z, slopes, load) = ([2e-4, 0.12, 0.8, 0.5, 0.7], (0.15, 0.11), 0.6);
            let (t, _) = transitions(&A, 0.001, bend);
            let input = [
                z[0],
                z[1],
                z[2],
                z[3],
                slopes.0,
                slopes.1 - slopes.0,
                load,
                z[4],
            ];
            let row = |r: &[f64; COLUMNS]| r.iter().zip(&input).map(|(a, b)| a * b).sum::<f64>();
            let expected = by_hand(z, slopes, bend, load);
            let moved =
                z[0] + slopes.0 * bend * 0.001 + slopes.1 * (1.0 - bend) * 0.001 - expected[0];
            for (found, expected) in [
                (row(&t.way), moved),
                (row(&t.velocity), expected[1]),
                (row(&t.current), expected[2]),
                (row(&t.integral), expected[3]),
                (row(&t.reported), expected[4]),
            ] {
                assert!(
                    (found - expected).abs() < 1e-10 * (1.0 + expected.abs()),
                    "{bend}: {found} instead of {expected}"
                );
            }
        }
    }

    #[test]
    fn a_held_current_moves_the_axis_whatever_the_reference() {
        let held = AxisParams { sampled: true, ..A };
        let (t, _) = transitions(&held, 0.001, 0.4);
        assert_eq!((t.way[0], t.velocity[0]), (0.0, 0.0));
        assert!(t.way[4].abs() < 1e-18 && t.way[5].abs() < 1e-18, "{t:?}");
        assert_eq!(t.current[2], 1.0);
    }

    #[test]
    fn a_resting_axis_goes_nowhere() {
        let (_, t) = transitions(&A, 0.001, 0.4);
        for c in t.way {
            assert!(c.abs() < 1e-18, "{t:?}");
        }
        assert_eq!(t.velocity[2], 0.0);
        assert!(t.current[0] > 0.0 && t.integral[0] > 0.0);
    }
}
