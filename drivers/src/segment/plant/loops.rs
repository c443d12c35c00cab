//! The loops of a servo drive at 16 kHz: set-point interpolation, position, velocity and current control.
//!
//! All in coordinates of the axis (m, m/s, A); [`super::drive`] converts from and to counts.

use super::ramp::{Goal, Ramp, RampLimits};

/// What the drive was commissioned with.
#[derive(Clone, Copy, Debug)]
pub(super) struct LoopParameters {
    /// Position gain (1/s).
    pub position_gain_per_s: f64,
    /// Velocity gain (A s/m).
    pub velocity_gain_a_s_per_m: f64,
    /// Integral time of the velocity loop (s).
    pub integral_time_s: f64,
    /// Share of a step of 16 kHz that the current loop closes in it (1).
    pub current_share: f64,
    /// Current limit (A).
    pub limit_a: f64,
    /// Quick stop deceleration (m/s2).
    pub quick_stop_m_per_s2: f64,
    /// Set-point cycle (s).
    pub cycle_s: f64,
    /// Step (s).
    pub dt_s: f64,
}

/// What the loops are asked to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Cyclic synchronous position (8).
    #[default]
    Position,
    /// Cyclic synchronous velocity (9).
    Velocity,
    /// Cyclic synchronous torque (10).
    Torque,
    /// The drive makes its own set-points: profile position (1), profile velocity (3), homing (6).
    Profile,
}

/// Set-points between two SYNC0.
///
/// The targets of three SYNC0 are joined by straight lines and the line is averaged over one cycle: position without
/// kinks and velocity without steps, at the price of half a cycle. With s = 0..1 through the cycle,
/// d0 = t1 - t0, d1 = t2 - t1: r = (t0 + t1)/2 + d0 s + (d1 - d0) s^2 / 2, r' = (d0 + (d1 - d0) s) / T.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Interpolator {
    targets_m: [f64; 3],
    elapsed_s: f64,
    /// The last target that arrived (m), and how often it came again.
    sent_m: f64,
    repeats: u8,
    /// Way per cycle while targets are missing (m), 0 for none.
    bridge_m: f64,
}

/// Exact repeats of a target at speed that are bridged before the axis is brought to rest.
const MAX_BRIDGED: u8 = 4;
/// Deceleration (m/s2) beyond which a repeated target is missing data and no intention.
const BRIDGE_M_PER_S2: f64 = 80.0;

impl Interpolator {
    /// Standing at `position_m`.
    pub fn reset(&mut self, position_m: f64) {
        *self = Self {
            targets_m: [position_m; 3],
            sent_m: position_m,
            ..Self::default()
        };
    }

    /// SYNC0 with a new target.
    ///
    /// A target that repeats the last one exactly while the axis travels is one that did not arrive: the drive goes on
    /// at the same velocity for a few cycles, as drives do, instead of tearing at the axis. If it was meant, the axis
    /// comes back to it afterwards.
    pub fn push(&mut self, target_m: f64, cycle_s: f64) {
        let [_, before, last] = self.targets_m;
        if (target_m - self.sent_m).abs() > 1e-12 {
            self.sent_m = target_m;
            self.repeats = 0;
        } else {
            if self.repeats == 0 {
                let slope = last - before;
                let travels = slope.abs() > BRIDGE_M_PER_S2 * cycle_s * cycle_s;
                self.bridge_m = if travels { slope } else { 0.0 };
            }
            self.repeats = self.repeats.saturating_add(1);
        }
        let bridged = self.repeats > 0 && self.repeats <= MAX_BRIDGED && self.bridge_m != 0.0;
        let next = if bridged {
            last + self.bridge_m
        } else {
            target_m
        };
        self.targets_m = [before, last, next];
        self.elapsed_s = 0.0;
    }

    /// Position (m) and velocity (m/s) now; then moves on by `dt_s`.
    #[inline]
    pub fn next(&mut self, inverse_cycle: f64, dt_s: f64) -> (f64, f64) {
        let s = (self.elapsed_s * inverse_cycle).min(1.0);
        self.elapsed_s += dt_s;
        let [t0, t1, t2] = self.targets_m;
        let (d0, bend) = (t1 - t0, t2 - 2.0 * t1 + t0);
        (
            0.5 * (t0 + t1) + (d0 + 0.5 * bend * s) * s,
            (d0 + bend * s) * inverse_cycle,
        )
    }
}

/// State of the loops.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loops {
    p: LoopParameters,
    inverse_cycle: f64,
    integral_gain: f64,
    /// Set-point interpolation.
    pub interpolator: Interpolator,
    /// Set-points of the drive's own.
    pub ramp: Ramp,
    integral_m_per_s: f64,
    /// Position and velocity asked for at this moment (m, m/s).
    pub reference_m: f64,
    /// See `reference_m`.
    pub reference_m_per_s: f64,
    /// Current asked for (A), limited.
    pub demand_a: f64,
    /// True current in the motor (A).
    pub current_a: f64,
    /// The current limit holds.
    pub limited: bool,
}

/// Speed below which a stop at the current limit holds the axis (m/s).
const AT_REST_M_PER_S: f64 = 5e-3;

/// What the loops need to know in one step.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LoopInput {
    /// Mode.
    pub mode: Mode,
    /// Output stage on.
    pub powered: bool,
    /// Ramp to standstill instead of following.
    pub quick_stop: bool,
    /// Deceleration of that (m/s2); none: the drive's own. Infinite: as hard as the current limit allows.
    pub stop_m_per_s2: Option<f64>,
    /// Where mode profile goes; none: it stands.
    pub goal: Option<Goal>,
    /// How it goes there.
    pub limits: RampLimits,
    /// Encoder position (m).
    pub position_m: f64,
    /// Its filtered derivative (m/s).
    pub velocity_m_per_s: f64,
    /// Target of mode velocity (m/s).
    pub target_m_per_s: f64,
    /// Added to the velocity set-point (m/s).
    pub offset_m_per_s: f64,
    /// Added to the current set-point; the set-point itself in mode torque (A).
    pub offset_a: f64,
    /// Limit of 0x6072 (A).
    pub limit_a: f64,
    /// Limits of 0x60E0 and 0x60E1 to larger and to smaller positions (A, both positive); none: no others than `limit_a`.
    pub one_sided_a: Option<[f64; 2]>,
    /// Gain of the current sensor (1).
    pub sensor_gain: f64,
    /// Noise of the current sensor (A).
    pub sensor_noise_a: f64,
}

impl Loops {
    /// Loops at rest at `start_m`.
    pub fn new(p: LoopParameters, start_m: f64) -> Self {
        let mut interpolator = Interpolator::default();
        interpolator.reset(start_m);
        Self {
            inverse_cycle: 1.0 / p.cycle_s,
            integral_gain: p.dt_s / p.integral_time_s,
            interpolator,
            ramp: Ramp::default(),
            integral_m_per_s: 0.0,
            reference_m: start_m,
            reference_m_per_s: 0.0,
            demand_a: 0.0,
            current_a: 0.0,
            limited: false,
            p,
        }
    }

    /// Another interpolation period (0x60C2) (s).
    pub fn set_cycle(&mut self, cycle_s: f64) {
        self.p.cycle_s = cycle_s;
        self.inverse_cycle = 1.0 / cycle_s;
    }

    /// SYNC0 with a new target position (m).
    pub fn push(&mut self, target_m: f64) {
        self.interpolator.push(target_m, self.p.cycle_s);
    }

    /// The output stage goes on with the axis at `position_m`.
    pub fn start(&mut self, position_m: f64) {
        self.interpolator.reset(position_m);
        self.ramp = Ramp {
            position_m,
            ..Ramp::default()
        };
        self.reference_m = position_m;
        self.reference_m_per_s = 0.0;
        self.integral_m_per_s = 0.0;
        self.demand_a = 0.0;
    }

    /// Follows targets again from where a quick stop holds the axis; what the integral carries stays.
    pub fn resume(&mut self) {
        self.interpolator.reset(self.reference_m);
        self.generate();
    }

    /// A stop begins where the axis is and as fast as it is: what was asked for is out of reach.
    pub fn stop_from(&mut self, position_m: f64, velocity_m_per_s: f64) {
        self.reference_m = position_m;
        self.reference_m_per_s = velocity_m_per_s;
    }

    /// The drive's own set-points go on from what is asked for now.
    pub fn generate(&mut self) {
        self.ramp = Ramp {
            position_m: self.reference_m,
            velocity_m_per_s: self.reference_m_per_s,
            reached: false,
        };
    }

    /// One step: the current of this step out of the demand of the last (one step of computing time), then a new demand.
    ///
    /// Returns the measured current (A).
    #[inline]
    pub fn step(&mut self, input: &LoopInput) -> f64 {
        let measured = self.current_a * input.sensor_gain + input.sensor_noise_a;
        // The loop acts on what its sensor says, so a sensor that reads too much makes the true current too small.
        let demand = if input.powered { self.demand_a } else { 0.0 };
        self.current_a += self.p.current_share * (demand - measured);
        if !input.powered {
            self.demand_a = 0.0;
            self.limited = false;
            self.reference_m = input.position_m;
            self.reference_m_per_s = 0.0;
            // An output stage that is off passes no noise on.
            self.current_a = if self.current_a.abs() < 1e-3 {
                0.0
            } else {
                self.current_a
            };
            return self.current_a * input.sensor_gain;
        }
        let feedforward = if input.quick_stop {
            self.ramp_down(input);
            self.reference_m_per_s
        } else {
            match input.mode {
                Mode::Position => {
                    let (r, v) = self.interpolator.next(self.inverse_cycle, self.p.dt_s);
                    (self.reference_m, self.reference_m_per_s) = (r, v);
                    v + input.offset_m_per_s
                }
                Mode::Velocity => {
                    self.reference_m = input.position_m;
                    self.reference_m_per_s = input.target_m_per_s + input.offset_m_per_s;
                    self.reference_m_per_s
                }
                Mode::Torque => {
                    self.reference_m = input.position_m;
                    self.reference_m_per_s = input.velocity_m_per_s;
                    self.demand(input.offset_a, input);
                    self.integral_m_per_s = 0.0;
                    return measured;
                }
                Mode::Profile => {
                    let goal = input.goal.unwrap_or(Goal::Velocity(0.0));
                    self.ramp.step(goal, &input.limits, self.p.dt_s);
                    self.reference_m = self.ramp.position_m;
                    self.reference_m_per_s = self.ramp.velocity_m_per_s;
                    self.reference_m_per_s
                }
            }
        };
        let wanted =
            feedforward + self.p.position_gain_per_s * (self.reference_m - input.position_m);
        let error = wanted - input.velocity_m_per_s;
        let gain = self.p.velocity_gain_a_s_per_m;
        let unlimited = gain * (error + self.integral_m_per_s) + input.offset_a;
        self.demand(unlimited, input);
        // Anti-windup: at the limit the integral may only fall.
        if !self.limited || error * unlimited < 0.0 {
            self.integral_m_per_s += self.integral_gain * error;
        }
        measured
    }

    #[inline]
    fn demand(&mut self, unlimited_a: f64, input: &LoopInput) {
        let limit = input.limit_a.min(self.p.limit_a);
        let [up, down] = input
            .one_sided_a
            .map_or([limit; 2], |sides| sides.map(|side| side.min(limit)));
        self.demand_a = unlimited_a.min(up).max(-down);
        self.limited = unlimited_a > up || unlimited_a < -down;
    }

    fn ramp_down(&mut self, input: &LoopInput) {
        let rate = input.stop_m_per_s2.unwrap_or(self.p.quick_stop_m_per_s2);
        if rate == f64::INFINITY {
            // No set-point moves: the axis is held where the current limit has brought it to rest.
            self.reference_m_per_s = 0.0;
            if input.velocity_m_per_s.abs() > AT_REST_M_PER_S {
                self.reference_m = input.position_m;
            }
            return;
        }
        let step = rate * self.p.dt_s;
        let v = self.reference_m_per_s;
        self.reference_m_per_s = if v.abs() <= step {
            0.0
        } else if v > 0.0 {
            v - step
        } else {
            v + step
        };
        self.reference_m += self.reference_m_per_s * self.p.dt_s;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpolation_joins_without_steps_and_arrives() {
        let mut interpolator = Interpolator::default();
        interpolator.reset(0.1);
        let (cycle, dt) = (1e-3, 62.5e-6);
        let (mut last, mut last_v) = (0.1, 0.0);
        let mut target = 0.1;
        for n in 0..50 {
            if n < 20 {
                target += 5e-5;
            }
            interpolator.push(target, cycle);
            for _ in 0..16 {
                let (r, v) = interpolator.next(1.0 / cycle, dt);
                assert!((r - last).abs() < 0.055 * dt && (v - last_v).abs() < 0.05 / 15.0);
                (last, last_v) = (r, v);
            }
        }
        assert!((last - 0.101).abs() < 1e-12, "{last}");
    }

    #[test]
    fn a_missing_target_at_speed_is_bridged_and_one_at_rest_is_not() {
        let mut interpolator = Interpolator::default();
        interpolator.reset(0.0);
        let cycle = 1e-3;
        for n in 1..=10 {
            interpolator.push(f64::from(n) * 1e-3, cycle);
        }
        for _ in 0..3 {
            interpolator.push(10e-3, cycle);
        }
        assert!((interpolator.targets_m[2] - 13e-3).abs() < 1e-12);
        interpolator.push(14e-3, cycle);
        assert!((interpolator.targets_m[2] - 14e-3).abs() < 1e-12);
        for _ in 0..10 {
            interpolator.push(14e-3, cycle);
        }
        assert!(
            (interpolator.targets_m[2] - 14e-3).abs() < 1e-12,
            "{:?}",
            interpolator.targets_m
        );
    }

    #[test]
    fn the_controlled_current_is_the_sensor_s_and_the_true_one_is_smaller() {
        let p = LoopParameters {
            position_gain_per_s: 80.0,
            velocity_gain_a_s_per_m: 100.0,
            integral_time_s: 0.01,
            current_share: 0.15,
            limit_a: 10.0,
            quick_stop_m_per_s2: 10.0,
            cycle_s: 1e-3,
            dt_s: 62.5e-6,
        };
        let mut loops = Loops::new(p, 0.0);
        let input = LoopInput {
            mode: Mode::Torque,
            powered: true,
            offset_a: 2.0,
            limit_a: 10.0,
            sensor_gain: 1.05,
            ..LoopInput::default()
        };
        let mut measured = 0.0;
        for _ in 0..400 {
            measured = loops.step(&input);
        }
        assert!((measured - 2.0).abs() < 1e-9);
        assert!((loops.current_a - 2.0 / 1.05).abs() < 1e-9);
    }
}
