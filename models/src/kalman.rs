//! Steady-state Kalman gains of the axis observer, computed once at plan time.
//!
//! # Derivation
//! States are position x (m), velocity v (m/s) and a disturbance current d (A) that pulls towards smaller positions. With
//! the inertia J (A s2/m) and the period T (s), and everything that is known of the force taken out,
//!
//! ```text
//! x' = v,   v' = -d / J + w_v,   d' = w_d,   measured: x + n
//! ```
//!
//! Velocity and disturbance are random walks: `w_v` is what the model does not know of the force and forgets at once, `w_d`
//! what it keeps. Viscous friction is left out: it only damps the error further, see the tests.
//!
//! In units of r (position, r being the measurement noise), r l / T (velocity) and J r l2 / T2 (current, turned round) the matrices lose inertia and period:
//!
//! ```text
//!     | 1 l l2/2 |          | l3/3 l2/2 0 |        | l5/20 l4/8 l3/6 |
//! F = | 0 1 l    |   Q = qv | l2/2 l    0 |  + qd  | l4/8  l3/3 l2/2 |    H = (1 0 0),  R = 1
//!     | 0 0 1    |          | 0    0    0 |        | l3/6  l2/2 l    |
//! ```
//!
//! with `qv = lv4 / l3` and `qd = ld6 / l5`, where `lv = (velocity walk2 T3 / r2)^(1/4)` and `ld = (disturbance walk2 T5 / (J r)2)^(1/6)`
//! are the bandwidths (rad per cycle) that either walk alone would give. The scale l is the larger one, so that all entries
//! of the covariance are of one size, whatever the noise. The discrete Riccati equation
//!
//! ```text
//! P = F P F' - F P H' (H P H' + R)^-1 H P F' + Q
//! ```
//!
//! is solved by the structure-preserving doubling algorithm (Chu, Fan, Lin, Wang 2004): one doubling does the work of
//! all steps of the plain iteration before it, so a filter that needs 1e5 cycles to settle takes 17 doublings.

/// Slowest bandwidth of the observer (rad per cycle): beyond 1e4 cycles a disturbance is a baseline, not a state.
pub const SLOWEST: f64 = 1e-4;
/// Fastest bandwidth of the observer (rad per cycle): the estimate then follows every measurement as it is.
pub const FASTEST: f64 = 10.0;
/// Most doublings: the slowest filter needs 20.
const DOUBLINGS: usize = 40;
/// Relative change of the covariance at which the doubling has converged.
const CONVERGED: f64 = 1e-14;
/// Relative residual of the Riccati equation that is accepted.
const RESIDUAL: f64 = 1e-8;

type Matrix = [[f64; 3]; 3];
const IDENTITY: Matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

/// What is uncertain about an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AxisNoise {
    /// Standard deviation of the measured position (m, > 0).
    pub position_m: f64,
    /// Random walk of the velocity: its standard deviation after one second (m/s per root second, >= 0).
    pub velocity_walk: f64,
    /// Random walk of the disturbance: its standard deviation after one second (A per root second, >= 0).
    pub disturbance_walk: f64,
}

impl AxisNoise {
    /// Noise of an encoder with steps of `step_m` (m, > 0): uniform within a step, plus `more_m` (m, >= 0) of its own.
    pub fn position_of_step(step_m: f64, more_m: f64) -> f64 {
        libm::sqrt(step_m * step_m / 12.0 + more_m * more_m)
    }

    /// The disturbance walk that gives an observer without velocity walk the bandwidth `observer_hz` (Hz, > 0).
    ///
    /// The continuous filter of a triple integrator is a third-order Butterworth at `w = (walk2 / (J2 r2 T))^(1/6)`.
    pub fn disturbance_walk_of(
        observer_hz: f64,
        position_m: f64,
        inertia: f64,
        period_s: f64,
    ) -> f64 {
        let w = 2.0 * core::f64::consts::PI * observer_hz;
        w * w * w * position_m * inertia * libm::sqrt(period_s)
    }
}

/// Why there are no gains.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum KalmanError {
    /// A parameter is not finite, or not in its range.
    Parameter {
        /// Its name.
        name: &'static str,
        /// What came.
        value: f64,
    },
    /// The equation is not solved well enough; not known to happen within the ranges.
    Residual {
        /// Relative residual that was left.
        left: f64,
    },
}

impl core::fmt::Display for KalmanError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Parameter { name, value } => write!(
                f,
                "observer gains need a finite {name} above 0 (walks: not negative, one of them above 0), found {value}"
            ),
            Self::Residual { left } => write!(
                f,
                "observer gains: the Riccati equation keeps a residual of {left:e}, at most {RESIDUAL:e} is accepted"
            ),
        }
    }
}

/// The observer in steady state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Steady {
    /// Gain on position (1, 0 to 1).
    pub position: f64,
    /// Gain on velocity (1/s, >= 0).
    pub velocity_per_s: f64,
    /// Gain on the disturbance (A/m, >= 0): the disturbance falls by this times the innovation.
    pub disturbance_a_per_m: f64,
    /// Variance of the one-cycle innovation of position (m2).
    pub innovation_m2: f64,
    /// Standard deviation of the disturbance, before the measurement (A).
    pub disturbance_a: f64,
    /// What is left of an error of the estimate after one cycle, in the long run (1, below 1).
    pub decay: f64,
    /// Variance of the innovation, its growth per power of the coasted cycles, over its steady value (1).
    growth: [f64; 6],
}

impl Steady {
    /// How much wider the innovation spreads after `coasted` cycles without a sample (1 at 0; standard deviations).
    ///
    /// Prediction alone carries the covariance on: `P(n) = F^n P F'^n + Q(n)`, whose corner is a polynomial of degree 5.
    /// Counts beyond 10 000 cycles are taken as that: whoever coasts so long must be locked anew.
    pub fn widening(&self, coasted: u32) -> f64 {
        let n = f64::from(coasted.min(10_000));
        let square = self.growth.iter().rev().fold(0.0, |sum, g| sum * n + g);
        libm::sqrt(if square > 1.0 { square } else { 1.0 })
    }

    /// Cycles with samples after which one part in `parts` (> 1) of an error is left.
    pub fn settle_cycles(&self, parts: f64) -> u32 {
        // Float to integer casts saturate.
        libm::ceil(libm::log(parts) / -libm::log(self.decay)) as u32
    }
}

/// Solves for the gains of an axis with `period_s` (s, > 0) and `inertia` (A s2/m, > 0).
///
/// Noise that would make the observer slower than [`SLOWEST`] or faster than [`FASTEST`] is brought to that bound.
///
/// # Errors
/// [`KalmanError::Parameter`] for what is not finite or out of its range; [`KalmanError::Residual`] when the solution fails its own test.
pub fn steady(period_s: f64, inertia: f64, noise: &AxisNoise) -> Result<Steady, KalmanError> {
    let check = |name, value: f64, least: f64| {
        if value.is_finite() && value >= least {
            Ok(())
        } else {
            Err(KalmanError::Parameter { name, value })
        }
    };
    check("period", period_s, f64::MIN_POSITIVE)?;
    check("inertia", inertia, f64::MIN_POSITIVE)?;
    check("position noise", noise.position_m, f64::MIN_POSITIVE)?;
    check("velocity walk", noise.velocity_walk, 0.0)?;
    check("disturbance walk", noise.disturbance_walk, 0.0)?;
    check(
        "walk",
        noise.velocity_walk + noise.disturbance_walk,
        f64::MIN_POSITIVE,
    )?;
    let (t, r) = (period_s, noise.position_m);
    // Bandwidths in radians per cycle that either walk alone would give.
    let of_velocity = libm::sqrt(noise.velocity_walk * t * libm::sqrt(t) / r);
    let of_velocity = within(of_velocity, 0.0, FASTEST);
    // Beside a velocity walk the disturbance is told apart with the bandwidth of the ratio of both.
    let least = libm::cbrt(SLOWEST * of_velocity * of_velocity);
    let of_disturbance = libm::cbrt(noise.disturbance_walk / inertia * t * t * libm::sqrt(t) / r);
    let of_disturbance = within(of_disturbance, larger(SLOWEST, least), FASTEST);
    let l = larger(of_velocity, of_disturbance);
    let ratio = |x: f64, power: f64| libm::pow(x / l, power);
    // In the scaled units a walk that sets the bandwidth has the variance l.
    let qv = l * ratio(of_velocity, 4.0);
    let qd = l * ratio(of_disturbance, 6.0);
    let solution = Solution::new(l, qv, qd)?;
    let p = &solution.p;
    let s = p[0][0] + 1.0;
    let disturbance_unit = inertia * l * l * r / (t * t);
    Ok(Steady {
        position: p[0][0] / s,
        velocity_per_s: p[1][0] / s * l / t,
        disturbance_a_per_m: p[2][0] / s * disturbance_unit / r,
        innovation_m2: s * r * r,
        disturbance_a: libm::sqrt(p[2][2]) * disturbance_unit,
        decay: solution.decay,
        growth: [
            1.0,
            2.0 * l * p[0][1] / s,
            l * l * (p[1][1] + p[0][2]) / s,
            (l * l * l * p[1][2] + qv * l * l * l / 3.0) / s,
            0.25 * l * l * l * l * p[2][2] / s,
            qd * l * l * l * l * l / 20.0 / s,
        ],
    })
}

fn larger(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

fn within(x: f64, low: f64, high: f64) -> f64 {
    if x < low {
        low
    } else if x > high {
        high
    } else {
        x
    }
}

/// Covariance before the measurement, in scaled units.
struct Solution {
    p: Matrix,
    decay: f64,
}

impl Solution {
    fn new(l: f64, qv: f64, qd: f64) -> Result<Self, KalmanError> {
        let f = [[1.0, l, 0.5 * l * l], [0.0, 1.0, l], [0.0, 0.0, 1.0]];
        let (l2, l3) = (l * l, l * l * l);
        let q = [
            [
                qv * l3 / 3.0 + qd * l2 * l3 / 20.0,
                qv * l2 / 2.0 + qd * l2 * l2 / 8.0,
                qd * l3 / 6.0,
            ],
            [
                qv * l2 / 2.0 + qd * l2 * l2 / 8.0,
                qv * l + qd * l3 / 3.0,
                qd * l2 / 2.0,
            ],
            [qd * l3 / 6.0, qd * l2 / 2.0, qd * l],
        ];
        let p = doubling(&f, &q);
        let s = p[0][0] + 1.0;
        let gain = [p[0][0] / s, p[1][0] / s, p[2][0] / s];
        // One plain step must change nothing.
        let mut corrected = p;
        for (row, k) in corrected.iter_mut().zip(gain) {
            for (x, h) in row.iter_mut().zip(p[0]) {
                *x -= k * h;
            }
        }
        let again = sum(&product(&product(&f, &corrected), &transposed(&f)), &q);
        let left = distance(&again, &p) / size(&p);
        // Written so that a residual that is no number is refused too.
        if left.is_nan() || left > RESIDUAL {
            return Err(KalmanError::Residual { left });
        }
        let mut error = f;
        for (row, old) in error.iter_mut().zip(f) {
            // F (I - K H): only the first column changes.
            row[0] -= old[0] * gain[0] + old[1] * gain[1] + old[2] * gain[2];
        }
        let decay = radius(&error);
        if decay < 1.0 {
            Ok(Self { p, decay })
        } else {
            Err(KalmanError::Residual { left: decay })
        }
    }
}

/// Solves the Riccati equation for H = (1 0 0), R = 1.
fn doubling(f: &Matrix, q: &Matrix) -> Matrix {
    let mut a = transposed(f);
    let mut g = [[0.0; 3]; 3];
    g[0][0] = 1.0;
    let mut x = *q;
    for _ in 0..DOUBLINGS {
        let w = inverse(&sum(&IDENTITY, &product(&g, &x)));
        let aw = product(&a, &w);
        let at = transposed(&a);
        let grown = product(&product(&at, &product(&x, &w)), &a);
        g = symmetric(&sum(&g, &product(&product(&aw, &g), &at)));
        x = symmetric(&sum(&x, &grown));
        a = product(&aw, &a);
        if size(&grown) <= CONVERGED * size(&x) {
            break;
        }
    }
    x
}

/// Spectral radius, from the norm of a high power; 1 or more unless that power has become small.
fn radius(m: &Matrix) -> f64 {
    const SQUARINGS: u32 = 24;
    let mut power = *m;
    let mut log = 0.0;
    let mut weight = 1.0;
    for _ in 0..SQUARINGS {
        let norm = size(&power);
        if norm == 0.0 {
            return 0.0;
        }
        log += weight * libm::log(norm);
        for x in power.iter_mut().flatten() {
            *x /= norm;
        }
        power = product(&power, &power);
        weight *= 0.5;
    }
    libm::exp(log + weight * libm::log(size(&power)))
}

fn transposed(a: &Matrix) -> Matrix {
    let mut t = [[0.0; 3]; 3];
    for (r, row) in a.iter().enumerate() {
        for (c, x) in row.iter().enumerate() {
            t[c][r] = *x;
        }
    }
    t
}

fn product(a: &Matrix, b: &Matrix) -> Matrix {
    let mut out = [[0.0; 3]; 3];
    for (to, row) in out.iter_mut().zip(a) {
        for (c, x) in to.iter_mut().enumerate() {
            *x = row[0] * b[0][c] + row[1] * b[1][c] + row[2] * b[2][c];
        }
    }
    out
}

fn sum(a: &Matrix, b: &Matrix) -> Matrix {
    let mut out = *a;
    for (x, y) in out.iter_mut().flatten().zip(b.iter().flatten()) {
        *x += y;
    }
    out
}

fn symmetric(a: &Matrix) -> Matrix {
    let mut out = sum(a, &transposed(a));
    for x in out.iter_mut().flatten() {
        *x *= 0.5;
    }
    out
}

/// The largest entry.
fn size(a: &Matrix) -> f64 {
    a.iter()
        .flatten()
        .fold(0.0, |most, x| larger(most, libm::fabs(*x)))
}

/// The largest difference of two entries.
fn distance(a: &Matrix, b: &Matrix) -> f64 {
    let pairs = a.iter().flatten().zip(b.iter().flatten());
    pairs.fold(0.0, |most, (x, y)| larger(most, libm::fabs(x - y)))
}

/// Inverse by the adjugate. `I + G X` of two positive semidefinite matrices is never singular.
fn inverse(a: &Matrix) -> Matrix {
    let minor = |r: usize, c: usize| {
        let (r1, r2) = ((r + 1) % 3, (r + 2) % 3);
        let (c1, c2) = ((c + 1) % 3, (c + 2) % 3);
        a[r1][c1] * a[r2][c2] - a[r1][c2] * a[r2][c1]
    };
    let determinant = a[0][0] * minor(0, 0) + a[0][1] * minor(0, 1) + a[0][2] * minor(0, 2);
    let mut out = [[0.0; 3]; 3];
    for (r, row) in out.iter_mut().enumerate() {
        for (c, x) in row.iter_mut().enumerate() {
            *x = minor(c, r) / determinant;
        }
    }
    out
}

#[cfg(test)]
mod tests;
