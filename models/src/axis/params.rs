//! Parameters of an axis, in the ratios that can be identified, and eight of them side by side.

use super::load::{delay, lag_share};
use super::quick::quick;
pub use super::steps::{RestingStep, Step};
use super::told::plan::{ToldExact, ToldSteps};
use super::transition::{Transition, lag, transitions};
use crate::kalman::Gains;
use crate::lane::{LANES, Lane, ZERO};

/// Longest dead time that the remembered targets reach back for (cycles).
pub const DEAD_MAX: f64 = 4.0;
/// Longest delay of a reference that the remembered ones reach back for (cycles).
pub const TOLD_MAX: f64 = 4.0;
/// Substeps of a cycle in which an axis starts in the middle of it, stops, turns around or reaches a limit: all others are stepped exactly.
pub const SUBSTEPS: usize = 4;

/// Cuts of a substep in which it happens.
pub const CUTS: usize = 4;

/// Viscous friction that takes more than this share of the velocity in a step is taken at the end of it instead of its beginning: taken there
/// twice the velocity would come back with the other sign.
pub const DAMPED: f64 = 0.5;

/// Parameters of one axis. Immutable: a new set is a new plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AxisParams {
    /// Moved mass over force constant (A s2/m, > 0).
    pub inertia: f64,
    /// Coulomb friction in positive direction (A, >= 0).
    pub coulomb_positive_a: f64,
    /// Coulomb friction in negative direction (A, >= 0).
    pub coulomb_negative_a: f64,
    /// Viscous friction (A s/m, >= 0).
    pub viscous: f64,
    /// Static minus Coulomb friction (A, >= 0).
    pub stribeck_a: f64,
    /// Stribeck velocity (m/s, > 0).
    pub stribeck_velocity_m_per_s: f64,
    /// Constant load (A): positive pulls towards smaller positions.
    pub gravity_a: f64,
    /// Position gain of the drive (1/s, >= 0).
    pub position_gain_per_s: f64,
    /// Velocity gain of the drive (A s/m, >= 0).
    pub velocity_gain: f64,
    /// Integral gain of the velocity loop (A/m, >= 0).
    pub integral_gain: f64,
    /// Velocity feed-forward (0 to 1).
    pub velocity_feedforward: f64,
    /// Current limit (A, > 0).
    pub limit_a: f64,
    /// Current loop time constant (s, >= 0).
    pub current_time_constant_s: f64,
    /// Time constant of the filter in front of the torque actual value (s, >= 0).
    pub current_filter_s: f64,
    /// Dead time from a target to its effect (s, 0 to 3 cycles).
    pub dead_time_s: f64,
    /// Time from a target velocity or torque, or an offset, to its effect, which is held for a cycle (s, 0 to 3 cycles); none: a cycle less
    /// than the dead time, in which a target position is only arrived at.
    pub reference_delay_s: Option<f64>,
    /// Gains of the observer in steady state: see [`crate::kalman`].
    pub observer: Gains,
    /// The drive closes its loops once a cycle and holds its output in between.
    pub sampled: bool,
    /// Delay of the current against the position (s, -1 to 2 cycles).
    pub current_delay_s: f64,
    /// Lag of the balance of `current_load` (s, 0 to 1): see [`super::load::lag_share`]. Axes of one lane have the longest of theirs.
    pub load_lag_s: f64,
    /// The cascade was validated; without it only the measured current drives the prediction.
    pub cascade_valid: bool,
}

impl AxisParams {
    /// A parameter set that predicts nothing but rest: fills unused places of a lane.
    pub const IDLE: Self = Self {
        inertia: 1.0,
        coulomb_positive_a: 0.0,
        coulomb_negative_a: 0.0,
        viscous: 0.0,
        stribeck_a: 0.0,
        stribeck_velocity_m_per_s: 1.0,
        gravity_a: 0.0,
        position_gain_per_s: 0.0,
        velocity_gain: 0.0,
        integral_gain: 0.0,
        velocity_feedforward: 0.0,
        limit_a: 1.0,
        current_time_constant_s: 0.0,
        current_filter_s: 0.0,
        dead_time_s: 0.0,
        reference_delay_s: None,
        observer: Gains::NONE,
        sampled: false,
        current_delay_s: 0.0,
        load_lag_s: 0.0,
        cascade_valid: false,
    };
}

/// Gains of eight observers: see [`Gains`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub struct LaneGains {
    /// On position (1).
    pub position: Lane,
    /// On velocity (1/s).
    pub velocity_per_s: Lane,
    /// On the disturbance (A/m).
    pub disturbance_a_per_m: Lane,
}

impl LaneGains {
    /// Sets those of place `l`.
    pub fn put(&mut self, l: usize, gains: &Gains) {
        self.position[l] = gains.position;
        self.velocity_per_s[l] = gains.velocity_per_s;
        self.disturbance_a_per_m[l] = gains.disturbance_a_per_m;
    }
}

/// What of [`LaneParams`] is read only in cycles that are stepped in substeps, and where an axis is told more than a position.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub struct Fine {
    /// Exact substeps of the axes one by one, moving and resting.
    pub steps: [(Transition, Transition); LANES],
    /// The same with the position loop open, for CSV.
    pub velocity_steps: [(Transition, Transition); LANES],
    /// The same with the velocity loop open too, for CST.
    pub torque_steps: [(Transition, Transition); LANES],
    /// Those of [`Self::steps`], side by side.
    pub abreast: (Step, RestingStep),
    /// The loops turn the axis around within a substep.
    pub quick: u8,
    /// Whole cycles of the delay of references.
    pub told_whole: [u8; LANES],
    /// Share of the period at which they change: the rest of it (0 to 1).
    pub told_change: Lane,
    /// Exact steps of a period of axes that are told more than a position, or something else.
    pub told: ToldSteps,
    /// Decay of the current loop over a cut.
    pub current_decay: Lane,
    /// Decay of the torque filter over a cut.
    pub filter_decay: Lane,
    /// 1 / lag of the current loop (1/s).
    pub per_current_lag: Lane,
    /// 1 / lag of the torque filter (1/s).
    pub per_filter_lag: Lane,
    /// See [`AxisParams`].
    pub integral_gain: Lane,
}

/// Parameters of eight axes, with everything that can be computed beforehand. Masks have a bit for each axis.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub struct LaneParams {
    /// Period (s).
    pub period_s: f64,
    /// 1 / period (1/s).
    pub per_s: f64,
    /// Substep (s).
    pub step_s: f64,
    /// Share of a new value that each stage of the filter of `current_load` takes in.
    pub load_share: f64,
    /// The cascade is valid and continuous.
    pub continuous: u8,
    /// The cascade is valid and sampled.
    pub sampled: u8,
    /// The dead time has at least 1, 2, 3 whole cycles.
    pub dead: [u8; 3],
    /// Whole cycles of the dead time, where all axes have the same.
    pub dead_alike: Option<u8>,
    /// The current that belongs to the position of 2 cycles ago lies before those of now and of 1 cycle ago.
    pub delayed: [u8; 2],
    /// How many cycles ago it lies, where that is the same for all axes.
    pub delayed_alike: Option<u8>,
    /// Viscous friction takes more than [`DAMPED`] of the velocity in a period.
    pub damped: u8,
    /// The loops turn the axis around within a period, so that it is stepped in substeps.
    pub quick: u8,
    /// Exact step of moving axes.
    pub moving: Step,
    /// Exact step of resting axes.
    pub resting: RestingStep,
    /// See [`AxisParams`].
    pub inertia: Lane,
    /// 1 / inertia.
    pub acceleration_per_a: Lane,
    /// See [`AxisParams`].
    pub coulomb_positive_a: Lane,
    /// See [`AxisParams`].
    pub coulomb_negative_a: Lane,
    /// See [`AxisParams`].
    pub viscous: Lane,
    /// See [`AxisParams`].
    pub stribeck_a: Lane,
    /// 1 / Stribeck velocity squared.
    pub stribeck_per_v2: Lane,
    /// Slope of the sign of friction around standstill: 100 / Stribeck velocity (s/m).
    pub direction_per_v: Lane,
    /// See [`AxisParams`].
    pub gravity_a: Lane,
    /// See [`AxisParams`].
    pub position_gain_per_s: Lane,
    /// See [`AxisParams`].
    pub velocity_gain: Lane,
    /// See [`AxisParams`].
    pub velocity_feedforward: Lane,
    /// See [`AxisParams`].
    pub limit_a: Lane,
    /// Share of the period at which the reference bends (0 to 1): the rest of the dead time.
    pub bend: Lane,
    /// Gains of the observer in steady state.
    pub gains: LaneGains,
    /// Weight of the younger of the two currents around it: see [`super::load::delay`].
    pub delay_weight: Lane,
    /// What substeps need.
    pub fine: Fine,
}

/// What of an axis takes exponentials: its steps, each moving and resting.
#[derive(Clone, Copy)]
struct Exact {
    /// Over a period.
    whole: (Transition, Transition),
    /// Over a substep.
    steps: (Transition, Transition),
    /// The same with the position loop open, for CSV.
    velocity_steps: (Transition, Transition),
    /// The same with the velocity loop open too, for CST.
    torque_steps: (Transition, Transition),
    /// See [`LaneParams::quick`].
    quick: bool,
    /// See [`Fine::quick`].
    fine_quick: bool,
    /// See [`Fine::told`].
    told: ToldExact,
}

impl Exact {
    fn new(a: &AxisParams, period_s: f64) -> Self {
        let step_s = period_s / SUBSTEPS as f64;
        let velocity = AxisParams {
            position_gain_per_s: 0.0,
            velocity_feedforward: 1.0,
            ..*a
        };
        let torque = AxisParams {
            velocity_gain: 0.0,
            integral_gain: 0.0,
            ..velocity
        };
        let whole = transitions(a, period_s, dead_cycles(a, period_s).1);
        let change = told_cycles(a, period_s).1;
        Self {
            told: ToldExact::new([a, &velocity, &torque], &whole, period_s, change),
            whole,
            steps: transitions(a, step_s, 0.0),
            velocity_steps: transitions(&velocity, step_s, 0.0),
            torque_steps: transitions(&torque, step_s, 0.0),
            quick: quick(a, period_s),
            fine_quick: quick(a, step_s) || quick(&velocity, step_s),
        }
    }
}

/// Whole cycles of the dead time, and the rest of it: the share of a period at which the reference bends.
fn dead_cycles(a: &AxisParams, period_s: f64) -> (f64, f64) {
    let dead = (a.dead_time_s / period_s).clamp(0.0, DEAD_MAX);
    // The oldest pair of targets bends at the end of the period: 4 cycles are 3 and a whole one.
    let whole = libm::floor(dead).min(DEAD_MAX - 1.0);
    (whole, dead - whole)
}

/// The same of the delay of what is told besides: the share at which it changes.
fn told_cycles(a: &AxisParams, period_s: f64) -> (f64, f64) {
    let delay = a.reference_delay_s.unwrap_or(a.dead_time_s - period_s);
    let delay = (delay / period_s).clamp(0.0, TOLD_MAX);
    let whole = libm::floor(delay).min(TOLD_MAX - 1.0);
    (whole, delay - whole)
}

/// The longest lag of a few axes (s).
fn longest(axes: &[AxisParams]) -> f64 {
    axes.iter().map(|a| a.load_lag_s).fold(
        0.0,
        |longest, lag| if lag > longest { lag } else { longest },
    )
}

impl LaneParams {
    /// Builds the lane for up to eight axes; the rest idles.
    pub fn new(axes: &[AxisParams], period_s: f64) -> Self {
        let mut lane = Self {
            period_s,
            per_s: 1.0 / period_s,
            step_s: period_s / SUBSTEPS as f64,
            load_share: lag_share(period_s, longest(axes)),
            continuous: 0,
            sampled: 0,
            dead: [0; 3],
            dead_alike: None,
            delayed: [0; 2],
            delayed_alike: None,
            damped: 0,
            quick: 0,
            moving: Step::NONE,
            resting: RestingStep::NONE,
            inertia: ZERO,
            acceleration_per_a: ZERO,
            coulomb_positive_a: ZERO,
            coulomb_negative_a: ZERO,
            viscous: ZERO,
            stribeck_a: ZERO,
            stribeck_per_v2: ZERO,
            direction_per_v: ZERO,
            gravity_a: ZERO,
            position_gain_per_s: ZERO,
            velocity_gain: ZERO,
            velocity_feedforward: ZERO,
            limit_a: ZERO,
            bend: ZERO,
            gains: LaneGains {
                position: ZERO,
                velocity_per_s: ZERO,
                disturbance_a_per_m: ZERO,
            },
            delay_weight: ZERO,
            fine: Fine {
                steps: [(Transition::default(), Transition::default()); LANES],
                velocity_steps: [(Transition::default(), Transition::default()); LANES],
                torque_steps: [(Transition::default(), Transition::default()); LANES],
                abreast: (Step::NONE, RestingStep::NONE),
                quick: 0,
                told_whole: [0; LANES],
                told_change: ZERO,
                told: ToldSteps::NONE,
                current_decay: ZERO,
                filter_decay: ZERO,
                per_current_lag: ZERO,
                per_filter_lag: ZERO,
                integral_gain: ZERO,
            },
        };
        let mut before: Option<(&AxisParams, Exact)> = None;
        for l in 0..LANES {
            let axis = axes.get(l).unwrap_or(&AxisParams::IDLE);
            // Exponentials are most of the work, and axes side by side are often alike: those that idle always.
            let same = before.filter(|(other, _)| *other == axis);
            let exact = same.map_or_else(|| Exact::new(axis, period_s), |(_, exact)| exact);
            lane.put(l, axis, &exact);
            before = Some((axis, exact));
        }
        // What idles in unused places follows any reference.
        let used = u8::MAX >> (LANES - axes.len().clamp(1, LANES));
        lane.dead_alike = alike(&lane.dead, used);
        lane.delayed_alike = alike(&lane.delayed, used);
        lane.fine.told.alike = alike(&lane.fine.told.reaches, used);
        lane
    }

    fn put(&mut self, l: usize, a: &AxisParams, exact: &Exact) {
        let period_s = self.period_s;
        self.inertia[l] = a.inertia;
        self.acceleration_per_a[l] = 1.0 / a.inertia;
        self.coulomb_positive_a[l] = a.coulomb_positive_a;
        self.coulomb_negative_a[l] = a.coulomb_negative_a;
        self.viscous[l] = a.viscous;
        self.stribeck_a[l] = a.stribeck_a;
        let vs = a.stribeck_velocity_m_per_s;
        self.stribeck_per_v2[l] = 1.0 / (vs * vs);
        self.direction_per_v[l] = 100.0 / vs;
        self.gravity_a[l] = a.gravity_a;
        self.position_gain_per_s[l] = a.position_gain_per_s;
        self.velocity_gain[l] = a.velocity_gain;
        self.velocity_feedforward[l] = a.velocity_feedforward;
        self.limit_a[l] = a.limit_a;
        let bit = |on: bool| u8::from(on) << l;
        self.sampled |= bit(a.cascade_valid && a.sampled);
        self.continuous |= bit(a.cascade_valid && !a.sampled);
        self.damped |= bit(a.viscous / a.inertia * period_s > DAMPED);
        self.quick |= bit(exact.quick);
        let (whole, bend) = dead_cycles(a, period_s);
        for (n, bits) in self.dead.iter_mut().enumerate() {
            *bits |= bit(whole > n as f64);
        }
        self.bend[l] = bend;
        let (moving, resting) = &exact.whole;
        self.moving.put(l, moving);
        self.resting.put(l, resting);
        self.gains.put(l, &a.observer);
        let (ago, weight) = delay(a.current_delay_s / period_s);
        for (n, bits) in self.delayed.iter_mut().enumerate() {
            *bits |= bit(ago > n);
        }
        self.delay_weight[l] = weight;
        let cut_s = self.step_s / CUTS as f64;
        let fine = &mut self.fine;
        fine.steps[l] = exact.steps;
        fine.abreast.0.put(l, &exact.steps.0);
        fine.abreast.1.put(l, &exact.steps.1);
        fine.quick |= bit(exact.fine_quick);
        fine.velocity_steps[l] = exact.velocity_steps;
        fine.torque_steps[l] = exact.torque_steps;
        let (whole, change) = told_cycles(a, period_s);
        (fine.told_whole[l], fine.told_change[l]) = (whole as u8, change);
        fine.told.put(l, &exact.told, whole, change);
        fine.current_decay[l] = decay(cut_s, a.current_time_constant_s);
        fine.filter_decay[l] = decay(cut_s, a.current_filter_s);
        fine.per_current_lag[l] = 1.0 / lag(a.current_time_constant_s, self.step_s);
        fine.per_filter_lag[l] = 1.0 / lag(a.current_filter_s, self.step_s);
        fine.integral_gain[l] = a.integral_gain;
    }
}

/// How many of the masks the axes in `used` are in, where that is the same for all of them.
fn alike(masks: &[u8], used: u8) -> Option<u8> {
    (masks.iter().all(|bits| [0, used].contains(&(bits & used))))
        .then(|| masks.iter().map(|bits| bits & 1).sum())
}

/// Decay of a first-order lag over a step: exp(-step / tau), 0 for no lag.
fn decay(step_s: f64, tau_s: f64) -> f64 {
    if tau_s > 0.0 {
        libm::exp(-step_s / tau_s)
    } else {
        0.0
    }
}
