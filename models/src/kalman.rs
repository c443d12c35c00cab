//! Steady-state Kalman gains of the axis observer, computed once at plan time.
//!
//! # Derivation
//! States are position x (m), velocity v (m/s) and a disturbance current d (A) that pulls towards smaller positions. With
//! the inertia J (A s2/m) and the period T (s), and everything that is known of the force taken out,
//!
//! ```text
//! x' = v + w_x,   v' = -d / J + w_v,   d' = w_d,   measured: x + n
//! ```
//!
//! All three are random walks: `w_x` is play and elasticity between motor and encoder and the jitter of the sampling, `w_v`
//! what the model does not know of the force and forgets at once, `w_d` what it keeps. Viscous friction is left out: it only
//! damps the error further, see the tests.
//!
//! In units of r (position, r being the measurement noise), r l / T (velocity) and J r l2 / T2 (current, turned round) the matrices lose inertia and period:
//!
//! ```text
//!     | 1 l l2/2 |          | l 0 0 |        | l3/3 l2/2 0 |        | l5/20 l4/8 l3/6 |
//! F = | 0 1 l    |   Q = qx | 0 0 0 |  + qv  | l2/2 l    0 |  + qd  | l4/8  l3/3 l2/2 |    H = (1 0 0),  R = 1
//!     | 0 0 1    |          | 0 0 0 |        | 0    0    0 |        | l3/6  l2/2 l    |
//! ```
//!
//! with `qx = lx2 / l`, `qv = lv4 / l3` and `qd = ld6 / l5`, where `lx = (position walk2 T / r2)^(1/2)`,
//! `lv = (velocity walk2 T3 / r2)^(1/4)` and `ld = (disturbance walk2 T5 / (J r)2)^(1/6)` are the bandwidths (rad per cycle)
//! that each walk alone would give. The scale l is the largest one, so that all entries of the covariance are of one size,
//! whatever the noise. The discrete Riccati equation
//!
//! ```text
//! P = F P F' - F P H' (H P H' + R)^-1 H P F' + Q
//! ```
//!
//! is solved by the structure-preserving doubling algorithm (Chu, Fan, Lin, Wang 2004): one doubling does the work of
//! all steps of the plain iteration before it, so a filter that needs 1e5 cycles to settle takes 17 doublings.
//!
//! While an axis coasts, and until it is settled again, the plain recursion carries the covariance of that axis on, in the same
//! units ([`Steady::coast`], [`Steady::take_in`]): its gains are larger for as long as less is known.

mod matrix;

use matrix::{IDENTITY, Matrix, distance, inverse, product, size, sum, symmetric, transposed};

/// Slowest bandwidth of the observer (rad per cycle): beyond 1e4 cycles a disturbance is a baseline, not a state.
pub const SLOWEST: f64 = 1e-4;
/// Fastest bandwidth of the observer (rad per cycle): the estimate then follows every measurement as it is.
pub const FASTEST: f64 = 10.0;
/// Cycles that an axis may coast: after more it may be anywhere, and the next sample locks it anew.
pub const LONGEST: u32 = 20;
/// Most doublings: the slowest filter needs 20.
const DOUBLINGS: usize = 40;
/// Relative change of the covariance at which the doubling has converged.
const CONVERGED: f64 = 1e-14;
/// Relative residual of the Riccati equation that is accepted.
const RESIDUAL: f64 = 1e-8;

/// What is uncertain about an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AxisNoise {
    /// Standard deviation of the measured position (m, > 0).
    pub position_m: f64,
    /// Random walk of the position: its standard deviation after one second (m per root second, >= 0).
    pub position_walk: f64,
    /// Random walk of the velocity: its standard deviation after one second (m/s per root second, >= 0).
    pub velocity_walk: f64,
    /// Random walk of the disturbance: its standard deviation after one second (A per root second, >= 0).
    pub disturbance_walk: f64,
}

impl AxisNoise {
    /// The noise that asks for an observer with three equal poles at `observer_hz` (Hz, > 0): the calmest that has it.
    ///
    /// With `w = 2 pi f` the loop gain L of three equal poles has `|1 + L|2 = 1 + 3 w2/s2 + 3 w4/s4 + w6/s6` at the frequency
    /// s: by the return difference of the continuous filter (Kalman 1964) that is what walks with the variances 3 w2, 3 w4
    /// and w6, times the density r2 T of the measurement noise, have as their optimum.
    pub fn of_bandwidth(observer_hz: f64, position_m: f64, inertia: f64, period_s: f64) -> Self {
        let w = 2.0 * core::f64::consts::PI * observer_hz;
        let density = position_m * libm::sqrt(period_s);
        let root3 = libm::sqrt(3.0);
        Self {
            position_m,
            position_walk: root3 * w * density,
            velocity_walk: root3 * w * w * density,
            disturbance_walk: w * w * w * density * inertia,
        }
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

/// What an observer takes of an innovation of position.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Gains {
    /// On position (1, 0 to 1).
    pub position: f64,
    /// On velocity (1/s, >= 0).
    pub velocity_per_s: f64,
    /// On the disturbance (A/m, >= 0): the disturbance falls by this times the innovation.
    pub disturbance_a_per_m: f64,
}

impl Gains {
    /// Nothing: the model goes on by itself.
    pub const NONE: Self = Self {
        position: 0.0,
        velocity_per_s: 0.0,
        disturbance_a_per_m: 0.0,
    };
}

/// How sure an observer is before the next sample: upper half of its covariance, in the units of the derivation.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Covariance {
    xx: f64,
    xv: f64,
    xd: f64,
    vv: f64,
    vd: f64,
    dd: f64,
}

/// The observer in steady state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Steady {
    /// Gains.
    pub gains: Gains,
    /// Variance of the one-cycle innovation of position (m2).
    pub innovation_m2: f64,
    /// Standard deviation of the disturbance, before the measurement (A).
    pub disturbance_a: f64,
    /// What is left of an error of the estimate after one cycle, in the long run (1, below 1).
    pub decay: f64,
    /// Covariance before a measurement.
    pub covariance: Covariance,
    /// Covariance after [`LONGEST`] cycles without a sample.
    pub lost: Covariance,
    /// Gains of the scaled states, to SI.
    units: Gains,
    scale: f64,
    /// What one cycle adds, in the units of the derivation.
    added: Covariance,
}

impl Steady {
    /// An axis that nothing is known of: it is not corrected.
    pub const BLIND: Self = Self {
        gains: Gains::NONE,
        innovation_m2: 1.0,
        disturbance_a: 0.0,
        decay: 0.0,
        covariance: Covariance::ZERO,
        lost: Covariance::ZERO,
        units: Gains::NONE,
        scale: 0.0,
        added: Covariance::ZERO,
    };

    /// Carries `p` over a cycle: the covariance before the next sample, when this one was missing or taken in.
    #[must_use]
    pub fn coast(&self, p: &Covariance) -> Covariance {
        let (l, q) = (self.scale, &self.added);
        let half = 0.5 * l * l;
        // The rows of F P, then times F'.
        let x = [
            p.xx + l * p.xv + half * p.xd,
            p.xv + l * p.vv + half * p.vd,
            p.xd + l * p.vd + half * p.dd,
        ];
        let v = [p.vv + l * p.vd, p.vd + l * p.dd];
        Covariance {
            xx: x[0] + l * x[1] + half * x[2] + q.xx,
            xv: x[1] + l * x[2] + q.xv,
            xd: x[2] + q.xd,
            vv: v[0] + l * v[1] + q.vv,
            vd: v[1] + q.vd,
            dd: p.dd + q.dd,
        }
    }

    /// What to take of a sample that comes at `p`, and the covariance after it.
    pub fn take_in(&self, p: &Covariance) -> (Gains, Covariance) {
        let s = 1.0 / (p.xx + 1.0);
        let [kx, kv, kd] = [p.xx * s, p.xv * s, p.xd * s];
        let gains = Gains {
            position: kx,
            velocity_per_s: kv * self.units.velocity_per_s,
            disturbance_a_per_m: kd * self.units.disturbance_a_per_m,
        };
        let after = Covariance {
            xx: kx,
            xv: kv,
            xd: kd,
            vv: p.vv - kv * p.xv,
            vd: p.vd - kv * p.xd,
            dd: p.dd - kd * p.xd,
        };
        (gains, after)
    }

    /// How much wider an innovation spreads at `p` than in steady state (standard deviations, 1 there).
    pub fn widening(&self, p: &Covariance) -> f64 {
        libm::sqrt((p.xx + 1.0) / (self.covariance.xx + 1.0))
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
    check("position walk", noise.position_walk, 0.0)?;
    check("velocity walk", noise.velocity_walk, 0.0)?;
    check("disturbance walk", noise.disturbance_walk, 0.0)?;
    // A position that walks alone would never tell a velocity.
    check(
        "walk",
        noise.velocity_walk + noise.disturbance_walk,
        f64::MIN_POSITIVE,
    )?;
    let (t, r) = (period_s, noise.position_m);
    // Bandwidths in radians per cycle that each walk alone would give.
    let of_position = within(noise.position_walk * libm::sqrt(t) / r, 0.0, FASTEST);
    let of_velocity = libm::sqrt(noise.velocity_walk * t * libm::sqrt(t) / r);
    // Beside a faster walk the next state is told apart with the bandwidth of the ratio of both.
    let least = libm::sqrt(SLOWEST * of_position);
    let of_velocity = within(
        of_velocity,
        if of_velocity > 0.0 { least } else { 0.0 },
        FASTEST,
    );
    let least = larger(
        libm::cbrt(SLOWEST * of_velocity * of_velocity),
        libm::cbrt(SLOWEST * SLOWEST * of_position),
    );
    let of_disturbance = libm::cbrt(noise.disturbance_walk / inertia * t * t * libm::sqrt(t) / r);
    let of_disturbance = within(of_disturbance, larger(SLOWEST, least), FASTEST);
    let l = larger(larger(of_velocity, of_disturbance), of_position);
    let ratio = |x: f64, power: f64| libm::pow(x / l, power);
    // In the scaled units a walk that sets the bandwidth has the variance l.
    let qx = l * ratio(of_position, 2.0);
    let qv = l * ratio(of_velocity, 4.0);
    let qd = l * ratio(of_disturbance, 6.0);
    let (l2, l3) = (l * l, l * l * l);
    let added = Covariance {
        xx: qx * l + qv * l3 / 3.0 + qd * l2 * l3 / 20.0,
        xv: qv * l2 / 2.0 + qd * l2 * l2 / 8.0,
        xd: qd * l3 / 6.0,
        vv: qv * l + qd * l3 / 3.0,
        vd: qd * l2 / 2.0,
        dd: qd * l,
    };
    let (p, decay) = solution(l, &added.matrix())?;
    let covariance = Covariance {
        xx: p[0][0],
        xv: p[0][1],
        xd: p[0][2],
        vv: p[1][1],
        vd: p[1][2],
        dd: p[2][2],
    };
    let disturbance_unit = inertia * l * l / (t * t);
    let solved = Steady {
        gains: Gains::NONE,
        innovation_m2: (covariance.xx + 1.0) * r * r,
        disturbance_a: libm::sqrt(covariance.dd) * disturbance_unit * r,
        decay,
        covariance,
        lost: covariance,
        units: Gains {
            position: 1.0,
            velocity_per_s: l / t,
            disturbance_a_per_m: disturbance_unit,
        },
        scale: l,
        added,
    };
    let (gains, _) = solved.take_in(&covariance);
    let lost = (0..LONGEST).fold(covariance, |p, _| solved.coast(&p));
    Ok(Steady {
        gains,
        lost,
        ..solved
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

impl Covariance {
    const ZERO: Self = Self {
        xx: 0.0,
        xv: 0.0,
        xd: 0.0,
        vv: 0.0,
        vd: 0.0,
        dd: 0.0,
    };

    const fn matrix(&self) -> Matrix {
        [
            [self.xx, self.xv, self.xd],
            [self.xv, self.vv, self.vd],
            [self.xd, self.vd, self.dd],
        ]
    }
}

/// Covariance before the measurement, in scaled units, and the decay of an error.
fn solution(l: f64, q: &Matrix) -> Result<(Matrix, f64), KalmanError> {
    let f = [[1.0, l, 0.5 * l * l], [0.0, 1.0, l], [0.0, 0.0, 1.0]];
    let p = doubling(&f, q);
    let s = p[0][0] + 1.0;
    let gain = [p[0][0] / s, p[1][0] / s, p[2][0] / s];
    // One plain step must change nothing.
    let mut corrected = p;
    for (row, k) in corrected.iter_mut().zip(gain) {
        for (x, h) in row.iter_mut().zip(p[0]) {
            *x -= k * h;
        }
    }
    let again = sum(&product(&product(&f, &corrected), &transposed(&f)), q);
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
        Ok((p, decay))
    } else {
        Err(KalmanError::Residual { left: decay })
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

#[cfg(test)]
mod tests;
