//! Evidence beside the features: what tells causes apart that move the same features.
//!
//! | evidence | from | tells |
//! |---|---|---|
//! | ripple | root mean square of the residual of `current_load` about its mean, at constant speed, beyond what a shift leaves at the ends | spalling from friction |
//! | speed | residual at constant speed against that on the way to and from it | lubrication from friction |
//! | parts | contact current of two parts that differ in stiffness | a press that gives way from a wrong part |
//! | hold | mean current at rest of an axis that carries weight | load from torque constant |
//!
//! The following error is none: a loop with integral action takes it back whatever the cause is, and one without shows the
//! friction that `current_load` shows.
//!
//! # Derivation of the speed
//! Speeding up and slowing down, weighed alike, inertia cancels and friction at a mean velocity `va` is left. With the velocity
//! `vc` of the constant part, a shift of friction `dC + dV v` moves the difference of both by `dV (vc - va)`, so its viscous share is
//! `dV vc / (dC + dV vc)`. Where all of friction rises together that is the share of the calibrated friction; dry
//! surfaces raise it.
//!
//! # Healthy values
//! No configuration holds them: they are the mean of the first [`LEARN`] values of each direction in a run without a
//! deviation. Before that there is no evidence, and a fault that is there from the start is none.

mod parts;

pub use parts::Parts;

use crate::channel::Regime;
use crate::regime::Segment;

/// Values that make a healthy one, per direction.
pub const LEARN: u32 = 8;
/// Samples that a figure of a movement needs.
const LEAST: f64 = 20.0;
/// Samples at rest that a holding current needs: what settles is over.
const LEAST_HOLD: f64 = 100.0;
/// Weight of the newest movement.
const NEWEST: f64 = 0.5;
/// What a ripple may be wrong by (natural logarithm).
pub const RIPPLE_SIGMA: f64 = 0.1;
/// Ripple that a shift of the residual leaves by itself, where the speed becomes constant, relative to the shift.
const EDGES: f64 = 0.25;
/// What a viscous share may be wrong by: friction is no straight line.
const SHARE_SIGMA: f64 = 0.08;
/// What a holding current may be wrong by (relative).
const HOLD_SIGMA: f64 = 0.01;
/// Least shift of friction that has a viscous share, relative to friction.
const LEAST_SHIFT: f64 = 0.05;

/// Natural logarithm of a ripple (A, root mean square) over the healthy one (A, > 0), without what the ends of a shift (A) of the residual
/// leave in it; 0 or more.
pub fn own_ripple(ripple_a: f64, healthy_a: f64, shift_a: f64) -> f64 {
    let edges = EDGES * shift_a / healthy_a;
    let own = libm::log(ripple_a / healthy_a) - 0.5 * libm::log(1.0 + edges * edges);
    if own > 0.0 { own } else { 0.0 }
}

/// Evidence of an axis, each with its standard deviation; none where it was not measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Evidence {
    /// Natural logarithm of the ripple of current at constant speed over the healthy one, 0 or more.
    pub ripple: Option<(f64, f64)>,
    /// Viscous share of the shift of friction minus that of the calibrated friction (1).
    pub speed: Option<(f64, f64)>,
    /// What the strokes of two parts leave of a press that gives way (1): see [`Parts`].
    pub parts: Option<(f64, f64)>,
    /// Holding current after a movement backwards and forwards, since something deviates.
    pub hold: [Option<Hold>; 2],
}

/// The current that holds an axis at rest against its weight.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Hold {
    /// Shift against the healthy one (A).
    pub shift_a: f64,
    /// Its standard deviation (A, > 0).
    pub sigma_a: f64,
    /// Healthy value (A).
    pub healthy_a: f64,
}

/// A healthy value with its variance, learnt from the first figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
struct Learnt {
    n: u32,
    mean: f64,
    squares: f64,
}

impl Learnt {
    /// Takes a healthy figure in until there are enough.
    fn learn(&mut self, x: f64) {
        if self.n < LEARN {
            self.n += 1;
            let from = x - self.mean;
            self.mean += from / f64::from(self.n);
            self.squares += from * (x - self.mean);
        }
    }

    /// Deviation of `x` and its standard deviation, `least` at least; none until enough was seen.
    fn deviation(&self, x: f64, least: f64) -> Option<(f64, f64)> {
        let n = f64::from(LEARN);
        // What is predicted is one figure, and the mean is itself uncertain.
        let variance = self.squares / (n - 1.0) * (1.0 + 1.0 / n) + least * least;
        (self.n >= LEARN).then(|| (x - self.mean, libm::sqrt(variance)))
    }
}

/// Sums of one regime and direction, in the direction of the motion.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
struct Sum {
    n: f64,
    residual: f64,
    square: f64,
    speed: f64,
}

impl Sum {
    fn add(&mut self, s: &Segment, direction: f64) {
        let residual = s.measured_a - s.predicted_a;
        self.n += s.cycles;
        self.residual += direction * residual;
        // About the mean of each stretch: where friction differs along the way is no ripple.
        self.square += (s.residual_square - residual * residual / s.cycles).max(0.0);
        self.speed += direction * s.velocity_m_per_s;
    }

    /// Mean residual (A) and mean speed (m/s).
    fn mean(&self) -> Option<(f64, f64)> {
        (self.n >= LEAST).then(|| (self.residual / self.n, self.speed / self.n))
    }
}

/// What is calibrated of an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibrated {
    /// Viscous friction (A s/m).
    pub viscous: f64,
    /// Healthy mean of the residual at constant speed, backwards and forwards, with its standard deviation (A).
    pub constant_a: [Option<(f64, f64)>; 2],
}

/// Gathers the evidence of one axis over its segments and movements.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Gather {
    /// At constant speed, backwards and forwards.
    constant: [Sum; 2],
    /// Slowing down and speeding up, backwards and forwards.
    changing: [[Sum; 2]; 2],
    healthy_ripple: [Learnt; 2],
    healthy_rise: [Learnt; 2],
    healthy_hold: [Learnt; 2],
    forward: bool,
    parts: Parts,
    evidence: Evidence,
}

impl Gather {
    /// Forgets the movement in progress.
    pub fn clear(&mut self) {
        (self.constant, self.changing) = Default::default();
    }

    /// Takes in a segment of a movement.
    pub fn add(&mut self, s: &Segment) {
        let (at, direction) = (usize::from(s.forward), if s.forward { 1.0 } else { -1.0 });
        match s.regime {
            Regime::ConstantSpeed => self.constant[at].add(s, direction),
            Regime::Acceleration => {
                let half = usize::from(s.speeding == s.forward);
                self.changing[at][half].add(s, direction);
            }
            _ => return,
        }
        self.forward = s.forward;
    }

    /// The movement has ended. `healthy` says that nothing deviates, so that it may be learnt from; `friction_a` are the
    /// friction currents of both directions.
    pub fn end(&mut self, calibrated: &Calibrated, friction_a: &[Option<f64>; 2], healthy: bool) {
        for at in 0..2 {
            let constant = self.constant[at];
            let Some((residual_a, speed)) = constant.mean() else {
                continue;
            };
            if constant.square > 0.0 {
                let ripple = 0.5 * libm::log(constant.square / constant.n);
                if healthy {
                    self.healthy_ripple[at].learn(ripple);
                }
                let shift_a = residual_a - calibrated.constant_a[at].map_or(0.0, |(mean, _)| mean);
                let new = (self.healthy_ripple[at].deviation(ripple, RIPPLE_SIGMA)).map(
                    |(more, sigma)| {
                        let healthy_a = libm::exp(ripple - more);
                        (own_ripple(libm::exp(ripple), healthy_a, shift_a), sigma)
                    },
                );
                self.evidence.ripple = blend(self.evidence.ripple, new);
            }
            let [Some(slowing), Some(speeding)] = self.changing[at].map(|s| s.mean()) else {
                continue;
            };
            let between = 0.5 * (slowing.1 + speeding.1);
            let rise_a = residual_a - 0.5 * (slowing.0 + speeding.0);
            if healthy {
                self.healthy_rise[at].learn(rise_a);
            }
            let (Some(rise), Some((mean_a, sigma_a)), Some(friction_a)) = (
                self.healthy_rise[at].deviation(rise_a, 0.0),
                calibrated.constant_a[at],
                friction_a[at],
            ) else {
                continue;
            };
            let shift_a = residual_a - mean_a;
            let least_a = (LEAST_SHIFT * friction_a).max(3.0 * sigma_a);
            if shift_a.abs() < least_a || speed <= between || friction_a <= 0.0 {
                // Without a shift there is nothing to be shared.
                self.evidence.speed = None;
                continue;
            }
            let per_shift = speed / (speed - between) / shift_a;
            let share = rise.0 * per_shift - calibrated.viscous * speed / friction_a;
            let sigma = rise.1 * per_shift.abs() + share.abs() * sigma_a / shift_a.abs();
            let new = Some((share, libm::sqrt(sigma * sigma + SHARE_SIGMA * SHARE_SIGMA)));
            self.evidence.speed = blend(self.evidence.speed, new);
        }
        self.clear();
    }

    /// The axis has stood still for a segment. What holds it is learnt while nothing deviates, and compared afterwards. Returns whether that
    /// is new evidence.
    pub fn rest(&mut self, s: &Segment, healthy: bool) -> bool {
        if s.cycles < LEAST_HOLD {
            return false;
        }
        let hold_a = s.measured_a / s.cycles;
        let at = usize::from(self.forward);
        let learnt = &mut self.healthy_hold[at];
        if healthy {
            learnt.learn(hold_a);
            self.evidence.hold[at] = None;
            return false;
        }
        let least_a = (HOLD_SIGMA * hold_a.abs()).max(1e-9);
        let found = learnt.deviation(hold_a, least_a);
        self.evidence.hold[at] = found.map(|(shift_a, sigma_a)| Hold {
            shift_a,
            sigma_a,
            healthy_a: learnt.mean,
        });
        found.is_some()
    }

    /// A stroke with `part` of this stiffness (A/m) had this share of its contact current (1).
    pub fn pressed(&mut self, part: u8, stiffness: f64, share: f64, stepped: bool) {
        self.parts.push(part, stiffness, share, stepped);
        self.evidence.parts = self.parts.evidence();
    }

    /// A fault has begun within the movement: its parts cannot be compared.
    pub fn stepped(&mut self) {
        self.evidence.speed = None;
    }

    /// What was found so far.
    pub fn evidence(&self) -> Evidence {
        self.evidence
    }
}

/// The newest movement counts half; what was missing takes it as it is.
fn blend(old: Option<(f64, f64)>, new: Option<(f64, f64)>) -> Option<(f64, f64)> {
    match (old, new) {
        (Some(old), Some(new)) => Some((old.0 + NEWEST * (new.0 - old.0), new.1)),
        (old, new) => new.or(old),
    }
}

#[cfg(test)]
#[path = "evidence_tests.rs"]
mod tests;
