//! Parameters of an axis, in the ratios that can be identified, and eight of them side by side.

use crate::lane::{LANES, Lane, ZERO};

/// Longest dead time that the remembered targets reach back for (cycles).
pub const DEAD_MAX: f64 = 4.0;
/// Substeps of one cycle: the cascade is faster than the cycle.
pub const SUBSTEPS: usize = 4;

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
    /// Bandwidth of the observer (Hz, below a tenth of the cycle's rate).
    pub observer_hz: f64,
    /// The drive closes its loops once a cycle and holds its output in between.
    pub sampled: bool,
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
        observer_hz: 10.0,
        sampled: false,
        cascade_valid: false,
    };
}

/// Decay of a first-order lag over a step: exp(-step / tau), 0 for no lag.
fn decay(step_s: f64, tau_s: f64) -> f64 {
    if tau_s > 0.0 {
        libm::exp(-step_s / tau_s)
    } else {
        0.0
    }
}

/// Parameters of eight axes, with everything that can be computed beforehand.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub struct LaneParams {
    /// Substep (s).
    pub step_s: f64,
    /// Period (s).
    pub period_s: f64,
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
    pub integral_gain: Lane,
    /// See [`AxisParams`].
    pub velocity_feedforward: Lane,
    /// See [`AxisParams`].
    pub limit_a: Lane,
    /// Decay of the current loop over a substep.
    pub current_decay: Lane,
    /// Decay of the torque filter over a substep.
    pub filter_decay: Lane,
    /// Dead time in cycles.
    pub dead_cycles: Lane,
    /// 1 where the cascade is valid and continuous, else 0.
    pub continuous: Lane,
    /// 1 where the cascade is valid and sampled, else 0.
    pub sampled: Lane,
    /// 1 where the cascade is valid, else 0.
    pub cascade: Lane,
    /// Observer gain on position (1).
    pub gain_position: Lane,
    /// Observer gain on velocity (1/s).
    pub gain_velocity: Lane,
    /// Observer gain on the disturbance (A/m).
    pub gain_disturbance: Lane,
}

impl LaneParams {
    /// Builds the lane for up to eight axes; the rest idles.
    ///
    /// The observer's three poles lie at p = exp(-2 pi f T); for x, v and a constant disturbance the gains of a critically
    /// damped filter follow: 1 - p^3, 1.5 (1 - p)^2 (1 + p) / T and (1 - p)^3 / T^2.
    pub fn new(axes: &[AxisParams], period_s: f64) -> Self {
        let step_s = period_s / SUBSTEPS as f64;
        let mut lane = Self {
            step_s,
            period_s,
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
            integral_gain: ZERO,
            velocity_feedforward: ZERO,
            limit_a: ZERO,
            current_decay: ZERO,
            filter_decay: ZERO,
            dead_cycles: ZERO,
            continuous: ZERO,
            sampled: ZERO,
            cascade: ZERO,
            gain_position: ZERO,
            gain_velocity: ZERO,
            gain_disturbance: ZERO,
        };
        for l in 0..LANES {
            let a = axes.get(l).copied().unwrap_or(AxisParams::IDLE);
            lane.inertia[l] = a.inertia;
            lane.acceleration_per_a[l] = 1.0 / a.inertia;
            lane.coulomb_positive_a[l] = a.coulomb_positive_a;
            lane.coulomb_negative_a[l] = a.coulomb_negative_a;
            lane.viscous[l] = a.viscous;
            lane.stribeck_a[l] = a.stribeck_a;
            let vs = a.stribeck_velocity_m_per_s;
            lane.stribeck_per_v2[l] = 1.0 / (vs * vs);
            lane.direction_per_v[l] = 100.0 / vs;
            lane.gravity_a[l] = a.gravity_a;
            lane.position_gain_per_s[l] = a.position_gain_per_s;
            lane.velocity_gain[l] = a.velocity_gain;
            lane.integral_gain[l] = a.integral_gain;
            lane.velocity_feedforward[l] = a.velocity_feedforward;
            lane.limit_a[l] = a.limit_a;
            lane.current_decay[l] = decay(step_s, a.current_time_constant_s);
            lane.filter_decay[l] = decay(step_s, a.current_filter_s);
            let dead = a.dead_time_s / period_s;
            lane.dead_cycles[l] = if dead > DEAD_MAX { DEAD_MAX } else { dead };
            lane.cascade[l] = if a.cascade_valid { 1.0 } else { 0.0 };
            lane.sampled[l] = if a.cascade_valid && a.sampled {
                1.0
            } else {
                0.0
            };
            lane.continuous[l] = lane.cascade[l] - lane.sampled[l];
            let p = libm::exp(-2.0 * core::f64::consts::PI * a.observer_hz * period_s);
            let q = 1.0 - p;
            lane.gain_position[l] = 1.0 - p * p * p;
            lane.gain_velocity[l] = 1.5 * q * q * (1.0 + p) / period_s;
            lane.gain_disturbance[l] = q * q * q * a.inertia / (period_s * period_s);
        }
        lane
    }
}
