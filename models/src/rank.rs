//! Which causes explain the pattern over the features, ranked, each with its share of the posterior.
//!
//! # Derivation
//! Every cause k moves the features in a proportion u that the model's own shares of the current give:
//!
//! | cause | constant + | constant - | acceleration | reversal | pressing | at rest, with weight |
//! |---|---|---|---|---|---|---|
//! | friction, lubrication, spalling, a brake that drags | friction | friction | 0 | ? | friction | what is not gravity |
//! | load | gravity | -gravity | inertia | ? | gravity | gravity |
//! | torque constant, current sensor | friction + gravity | friction - gravity | inertia | ? | friction + gravity + contact | all |
//! | backlash | 0 | 0 | 0 | + | 0 | 0 |
//! | wrong or missing part, press stiffness | 0 | 0 | 0 | ? | contact | 0 |
//!
//! The innovation of a reversal grows a little with every cause, in ways that no proportion describes (?): there it counts with
//! a wide spread. How strongly a cause acts, the amplitude A, is not known. With the
//! shifts d, their variances and a normal prior of width t for the amplitude, A can be integrated out:
//!
//! ```text
//! d = A u + e,  e ~ N(0, V),  A ~ N(0, t^2)
//! ss = u' V^-1 u,  sd = u' V^-1 d
//! log p(d | k) = -1/2 sum(d^2 / V + log V) + 1/2 t^2 sd^2 / (1 + t^2 ss) - 1/2 log(1 + t^2 ss)
//! ```
//!
//! So a cause pays for an amplitude that nobody expects: a torque constant that has changed by half is rarer than a friction that
//! has. The least squares that this replaces let every cause choose its amplitude for free. What A has no sign for (a gap
//! only grows) counts one side of it, and friction or load that has fallen is rarer than one that has risen.
//!
//! No proportion is exact. V holds, beside the variance of the shifts, what the shape may be wrong by: a share of each
//! proportion and a share of the largest one, both times the fitted amplitude. Without it a very precise shift would be
//! decided by what the shape leaves out.
//!
//! Behind a crank or a table what the ram asks for counts as inertia, and its counterbalance does so at constant speed too. Where that is seen
//! both ways a counterbalance which has changed is asked for by itself: it moves those features, and no acceleration.
//!
//! Added mass moves gravity by `m g` and inertia by `m a`. Inertia holds the motor too, so in relative figures inertia moves
//! less than gravity; with the inertia given the proportion is exact, else it is integrated over a few, which cannot name a load on a press
//! whose inertia is mostly motor.
//!
//! What moves the features alike is told apart by the [`Evidence`] beside them, a normal likelihood each.

mod hypotheses;
mod rest;

pub use rest::{AtRest, at_rest};

use crate::blocks::{FEATURES, Feature};
use crate::cause::Cause;
use crate::evidence::{Evidence, Hold};
use hypotheses::{
    BESIDE, BRAKE, CARRIED, HYPOTHESES, Hypothesis, LIFTED, LOAD_SHARES, Shape, load,
};

/// Share from which on a cause is likelier than all others together.
const SURE: f64 = 0.5;
/// Causes that a ranking holds.
pub const RANKED: usize = 3;
/// Standard gravity (m/s2).
const GRAVITY_M_PER_S2: f64 = 9.806_65;
/// Gravity of a horizontal axis is an offset, a small share of its friction: below this (1).
pub const VERTICAL: f64 = 0.3;
/// Spread of the reversal feature under other causes than a gap, relative to its healthy value, and what each unit of the
/// cause's amplitude adds to it.
const REVERSAL_SPREAD: [f64; 2] = [0.15, 0.5];
/// What the friction that an axis stopped with may be wrong by, relative to its change.
const HOLD_FRICTION: f64 = 0.5;
/// Relative fall of the contact current beyond which no part is likelier than a softer one.
const NO_PART: f64 = -0.6;

/// What is known of an axis beside its shifts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Facts {
    /// Calibrated gravity (A); positive pulls towards smaller positions.
    pub gravity_a: f64,
    /// Calibrated inertia (A s2/m), where it is known.
    pub inertia: Option<f64>,
}

/// What is known of one feature.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Shift {
    /// Shift of the residual against its healthy mean (A), 0 where not seen.
    pub shift_a: f64,
    /// Its standard deviation (A, > 0), 0 where not seen.
    pub sigma_a: f64,
    /// Predicted friction current (A).
    pub friction_a: f64,
    /// Predicted inertial current (A).
    pub inertial_a: f64,
    /// Predicted contact current (A).
    pub contact_a: f64,
    /// Healthy value of the feature (A).
    pub healthy_a: f64,
}

/// The likeliest causes, best first, with their share of the posterior (0 to 1). Places without a cause hold a weight of 0.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Ranking(pub [(Cause, f64); RANKED]);

impl Ranking {
    /// A ranking of `causes` by their weights (not below 0), which become shares; only the heaviest are kept.
    pub fn of(causes: &[(Cause, f64)]) -> Self {
        let mut ranking = Self([(Cause::Disturbance, 0.0); RANKED]);
        let total: f64 = causes.iter().map(|c| c.1).sum();
        if total > 0.0 && total.is_finite() {
            for (cause, weight) in causes {
                ranking.insert(*cause, weight / total);
            }
        }
        ranking
    }

    /// The likeliest cause.
    pub fn first(&self) -> Cause {
        self.0[0].0
    }

    /// Whether the likeliest cause is likelier than all others together: what is hardly likelier than another changes every movement.
    pub fn is_sure(&self) -> bool {
        self.0[0].1 >= SURE
    }

    fn insert(&mut self, cause: Cause, weight: f64) {
        let mut new = (cause, weight);
        for place in &mut self.0 {
            if new.1 > place.1 {
                core::mem::swap(place, &mut new);
            }
        }
    }
}

/// Ranks the causes from shifts and gravity (A) alone.
pub fn rank(shifts: &[Shift; FEATURES], gravity_a: f64) -> Ranking {
    let facts = Facts {
        gravity_a,
        inertia: None,
    };
    rank_with(shifts, &facts, &Evidence::default())
}

/// Ranks the causes with everything that is known. Without any feature seen the first place holds a disturbance with weight 0.
pub fn rank_with(shifts: &[Shift; FEATURES], facts: &Facts, evidence: &Evidence) -> Ranking {
    let friction_a = shifts
        .iter()
        .fold(0.0_f64, |m, s| m.max(s.friction_a.abs()));
    let vertical = facts.gravity_a.abs() > VERTICAL * friction_a;
    // An axis without weight holds whatever its friction took when it stopped.
    let evidence = &Evidence {
        hold: evidence.hold.map(|hold| hold.filter(|_| vertical)),
        ..*evidence
    };
    let mut found: [Option<Weighed>; MOST] = [None; MOST];
    let mut hypotheses = found.iter_mut();
    let mut ask = |h: &Hypothesis| {
        if let Some(slot) = hypotheses.next() {
            *slot = weigh(h, shifts, facts, evidence);
        }
    };
    HYPOTHESES.iter().for_each(&mut ask);
    match facts.inertia {
        Some(inertia) => {
            let whole_a = inertia * GRAVITY_M_PER_S2;
            let gravity_a = match vertical {
                true if facts.gravity_a < 0.0 => -whole_a,
                true => whole_a,
                false => 0.0,
            };
            let share = if vertical { LIFTED } else { 1.0 };
            ask(&load(Shape::Mass(gravity_a), share));
        }
        None => {
            let share = 1.0 / LOAD_SHARES.len() as f64;
            for inertia in LOAD_SHARES {
                ask(&load(Shape::Load(inertia), share));
            }
        }
    }
    if carries(shifts, friction_a) {
        ask(&CARRIED);
    }
    if evidence.ripple.is_some() || evidence.speed.is_some() {
        BESIDE.iter().for_each(&mut ask);
    }
    if vertical {
        ask(&BRAKE);
    }
    collect(&found)
}

/// Most hypotheses at once.
const MOST: usize = HYPOTHESES.len() + BESIDE.len() + LOAD_SHARES.len() + 2;

/// Whether a ram behind a linkage asks for something at constant speed, one way as much as the other: of an axis without one inertia asks for nothing
/// there.
fn carries(shifts: &[Shift; FEATURES], friction_a: f64) -> bool {
    let of = |feature: Feature| shifts[feature as usize].inertial_a;
    let (forwards, backwards) = (of(Feature::ConstantPositive), of(Feature::ConstantNegative));
    let least = VERTICAL * friction_a;
    forwards * backwards < 0.0 && forwards.abs() > least && backwards.abs() > least
}

/// A hypothesis after the shifts were seen: logarithm of its evidence, chance of a positive amplitude, amplitude.
#[derive(Clone, Copy)]
struct Weighed {
    log_evidence: f64,
    up: (Cause, f64),
    down: Option<(Cause, f64)>,
}

fn collect(found: &[Option<Weighed>; MOST]) -> Ranking {
    let best = (found.iter().flatten()).fold(f64::NEG_INFINITY, |b, w| b.max(w.log_evidence));
    // Several hypotheses may mean the same cause.
    let mut sums = [(Cause::Disturbance, 0.0); 2 * MOST];
    let mut used = 0;
    for w in found.iter().flatten() {
        let scale = libm::exp(w.log_evidence - best);
        for (cause, share) in core::iter::once(w.up).chain(w.down) {
            let weight = scale * share;
            match sums[..used].iter_mut().find(|s| s.0 == cause) {
                Some(sum) => sum.1 += weight,
                None => {
                    sums[used] = (cause, weight);
                    used += 1;
                }
            }
        }
    }
    Ranking::of(&sums[..used])
}

/// What one unit of a shape does to a feature.
fn unit(shape: Shape, feature: Feature, s: &Shift, facts: &Facts) -> f64 {
    let sign = match feature {
        Feature::ConstantPositive => 1.0,
        Feature::ConstantNegative => -1.0,
        // The way into the part leads to larger positions.
        Feature::Pressing => 1.0,
        Feature::Acceleration | Feature::Reversal => 0.0,
    };
    let reversal = feature == Feature::Reversal;
    match shape {
        Shape::Gap if reversal => s.healthy_a,
        Shape::Gap | Shape::Any => 0.0,
        _ if reversal => 0.0,
        Shape::Friction | Shape::Rough if feature == Feature::Acceleration => 0.0,
        Shape::Friction | Shape::Rough => s.friction_a,
        Shape::Load(share) => sign * facts.gravity_a + share * s.inertial_a,
        Shape::Mass(gravity_a) => sign * gravity_a + s.inertial_a,
        // Speeding up and slowing down it counts once for and once against.
        Shape::Carried if feature == Feature::Acceleration => 0.0,
        Shape::Carried => s.inertial_a,
        Shape::Gain => s.friction_a + sign * facts.gravity_a + s.inertial_a + s.contact_a,
        Shape::Part if feature == Feature::Pressing => s.contact_a,
        Shape::Part => 0.0,
    }
}

/// Size of a feature that no pattern is needed for.
fn size(feature: Feature, s: &Shift, facts: &Facts) -> f64 {
    if feature == Feature::Reversal {
        s.healthy_a.abs()
    } else {
        0.3 * (s.friction_a.abs() + s.inertial_a.abs() + s.contact_a.abs() + facts.gravity_a.abs())
    }
}

fn weigh(
    h: &Hypothesis,
    shifts: &[Shift; FEATURES],
    facts: &Facts,
    evidence: &Evidence,
) -> Option<Weighed> {
    let mut u = [0.0; FEATURES];
    let (mut largest, mut seen) = (0.0_f64, false);
    for (u, (feature, s)) in u.iter_mut().zip(Feature::ALL.iter().zip(shifts)) {
        if s.sigma_a > 0.0 {
            *u = unit(h.shape, *feature, s, facts);
            largest = largest.max(u.abs());
            seen = true;
        }
    }
    // A cause that moves nothing that was seen is no candidate; no pattern at all needs none.
    if !seen || (largest <= 0.0 && h.shape != Shape::Any) {
        return None;
    }
    // The amplitude first, with the shifts' own variances; then its doubt widens them.
    let first = sums(h, shifts, &u, facts, &evidence.hold, 0.0, largest);
    let amplitude = first.amplitude(h.width);
    let second = sums(h, shifts, &u, facts, &evidence.hold, amplitude, largest);
    let t2 = h.width * h.width;
    let denominator = 1.0 + t2 * second.ss;
    let mut log_evidence = -0.5 * (second.dd + second.log_v)
        + 0.5 * t2 * second.sd * second.sd / denominator
        - 0.5 * libm::log(denominator);
    let beside = [evidence.ripple, evidence.speed, evidence.parts];
    for (value, (mean, spread)) in beside.iter().zip(h.beside) {
        if let Some((value, sigma)) = value {
            let v = sigma * sigma + spread * spread;
            let away = value - mean;
            log_evidence -= 0.5 * (away * away / v + libm::log(v));
        }
    }
    // Posterior of the amplitude: mean and standard deviation, and with them the chance of its sign.
    let mean = t2 * second.sd / denominator;
    let sigma = libm::sqrt(t2 / denominator);
    let up = 0.5 * libm::erfc(-mean / sigma * core::f64::consts::FRAC_1_SQRT_2);
    let of = |(cause, prior): (Cause, f64), chance: f64| {
        let cause = match cause {
            Cause::WrongPart if mean < NO_PART => Cause::MissingPart,
            other => other,
        };
        (cause, 2.0 * prior * chance)
    };
    Some(Weighed {
        log_evidence,
        up: of(h.up, up),
        down: h.down.map(|down| of(down, 1.0 - up)),
    })
}

/// Sums over the features, weighed by their variances.
struct Sums {
    ss: f64,
    sd: f64,
    dd: f64,
    log_v: f64,
}

impl Sums {
    fn add(&mut self, u: f64, shift_a: f64, v: f64) {
        self.ss += u * u / v;
        self.sd += u * shift_a / v;
        self.dd += shift_a * shift_a / v;
        self.log_v += libm::log(v);
    }

    fn amplitude(&self, width: f64) -> f64 {
        width * width * self.sd / (1.0 + width * width * self.ss)
    }
}

fn sums(
    h: &Hypothesis,
    shifts: &[Shift; FEATURES],
    u: &[f64; FEATURES],
    facts: &Facts,
    holds: &[Option<Hold>; 2],
    amplitude: f64,
    largest: f64,
) -> Sums {
    let mut out = Sums {
        ss: 0.0,
        sd: 0.0,
        dd: 0.0,
        log_v: 0.0,
    };
    for (u, (feature, s)) in u.iter().zip(Feature::ALL.iter().zip(shifts)) {
        if s.sigma_a <= 0.0 {
            continue;
        }
        let own = h.doubt.own * amplitude * u;
        let mut v = s.sigma_a * s.sigma_a + own * own;
        if *feature == Feature::Reversal {
            if h.shape != Shape::Gap {
                let wide =
                    s.healthy_a * (REVERSAL_SPREAD[0] + REVERSAL_SPREAD[1] * amplitude.abs());
                v += wide * wide;
            }
        } else if h.shape == Shape::Gap {
            // A gap shows a little in everything that follows the reversal.
            let wide = 0.02 * amplitude * s.friction_a;
            v += wide * wide;
        } else {
            let wide = h.doubt.largest * amplitude * largest;
            v += wide * wide;
        }
        if h.shape == Shape::Any {
            let wide = h.width * size(*feature, s, facts);
            v += wide * wide;
        }
        out.add(*u, s.shift_a, v);
    }
    for hold in holds.iter().flatten() {
        let (u, wide) = match h.shape {
            Shape::Load(_) => (facts.gravity_a, 0.0),
            Shape::Mass(gravity_a) => (gravity_a, 0.0),
            Shape::Gain => (hold.healthy_a, 0.0),
            // What friction holds is what the current does not, more or less of it as the axis came to rest.
            Shape::Friction => {
                let friction_a = hold.healthy_a - facts.gravity_a;
                (friction_a, HOLD_FRICTION * amplitude * friction_a)
            }
            // It may have stopped on a bump or beside it.
            Shape::Rough => (0.0, hold.healthy_a - facts.gravity_a),
            Shape::Gap | Shape::Part | Shape::Carried => (0.0, 0.0),
            Shape::Any => (0.0, 0.3 * h.width * hold.healthy_a),
        };
        let own = h.doubt.own * amplitude * u;
        out.add(
            u,
            hold.shift_a,
            hold.sigma_a * hold.sigma_a + own * own + wide * wide,
        );
    }
    out
}

#[cfg(test)]
#[path = "rank_tests.rs"]
mod tests;
