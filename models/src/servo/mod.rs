//! A servo axis in full: drive, motor, mechanics and temperature, as a scalar model of high fidelity.
//!
//! # Derivation
//! The parts and their equations, each with its own derivation:
//!
//! ```text
//! set-point -> loops -> dead time -> current -> torque -> transmission -> mechanics -> encoder -> loops
//!              loops.rs              motor.rs             transmission.rs one_mass.rs, two_mass.rs
//!                                    ^ thermal.rs         cogging.rs       friction.rs
//! ```
//!
//! A drive is a sampled controller, so nothing is lost by ticking the loops at the drive's own rate. Between two ticks what
//! the current is asked for is constant but for one change, where the dead time ends: each tick has two parts of fixed
//! length. In each part
//!
//! 1. the current takes its exact step at the mean of the speeds before and after (a first pass supplies the latter where
//!    speed or angle matter: voltage at its limit, cogging);
//! 2. the mechanics take their exact step under the mean current's force and the cogging torque of the middle of the part.
//!
//! Both are exact in themselves, so what remains is the coupling: second order in the tick. Temperature follows once per
//! cycle with the mean squared current. Stiff parts (current loop, spring, bristles, winding) cannot diverge, whatever the
//! period: their steps are exponentials. A gain may still be too high for the drive's rate, as in a real drive; the current
//! limit then bounds what follows. It also bounds the current of a motor that the load drives beyond its no-load speed.
//!
//! Under a given torque the whole, cogging included, stays within 2e-4 of the range of a reference solution in ticks of
//! 15.6 us and within 1e-3 in ticks of 62.5 us, voltage limit included (`tests/servo_range.rs`). In CSP and CSV with a dead time of 0
//! to 2.5 ticks it stays within 1e-5 and 1e-4 (`tests/servo_loops.rs`). What nobody drives loses energy in every step
//! (`tests/servo_energy.rs`).
//!
//! The axis' coordinate is in m, N, kg; for a rotary axis read rad, N m, kg m2. A positive load force acts against positive
//! motion. The vectorised twin in [`crate::axis`] is the simplification of this model that runs in the cycle.
//!
//! ```
//! use twinstep_models::servo::{Command, Drive, ServoParams, ServoParts, ServoPlan, ServoState};
//!
//! let parts = ServoParts::example(Drive::BallScrew { lead_m: 0.01 });
//! let params = ServoParams::new(parts)?;
//! let plan = ServoPlan::new(&params, 0.001)?;
//! let mut state = ServoState::rest(&plan, 0.0);
//! for k in 1..=1000 {
//!     plan.step(&mut state, Command::position(1e-4 * f64::from(k)), 0.0);
//! }
//! assert!((state.mechanics.position_m - 0.1).abs() < 1e-3);
//! # Ok::<(), twinstep_models::servo::ParamError>(())
//! ```

pub mod cogging;
pub mod error;
pub mod friction;
pub mod halving;
pub mod linear;
pub mod loops;
pub mod mechanics;
pub mod motor;
pub mod one_mass;
mod parts;
pub mod thermal;
pub mod transmission;
pub mod two_mass;

pub use cogging::Cogging;
pub use error::ParamError;
pub use friction::{Friction, LuGre, StaticFriction};
pub use loops::{Command, LoopState, Loops};
pub use mechanics::{Compliance, Mechanics, MechanicsPlan, MechanicsState};
pub use motor::Motor;
pub use parts::{Feedback, ServoParams, ServoParts};
pub use thermal::{Thermal, ThermalState};
pub use transmission::{Drive, Transmission};

use loops::Setpoint;
use motor::Electrical;
use thermal::ThermalPlan;

/// Most ticks that the dead time spans.
pub const DEAD_TICKS_MAX: usize = 64;
/// Shortest cycle (s).
pub const PERIOD_MIN_S: f64 = 31.25e-6;
/// Longest cycle (s).
pub const PERIOD_MAX_S: f64 = 0.01;

/// A part of a tick.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Part {
    step_s: f64,
    /// Ticks by which the current that is asked for lies back.
    back: usize,
    mechanics: MechanicsPlan,
}

/// An axis with what can be computed beforehand for one period. Some 110 kB; built once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ServoPlan {
    parts: ServoParts,
    period_s: f64,
    ticks: u32,
    tick_s: f64,
    travel_per_rad: f64,
    /// Before and after the dead time ends; the first is missing where the dead time is a multiple of the tick.
    early: Option<Part>,
    late: Part,
    thermal: ThermalPlan,
}

/// State of an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ServoState {
    /// The mechanics.
    pub mechanics: MechanicsState,
    /// Torque-forming current, amplitude (A).
    pub current_a: f64,
    /// The drive's loops.
    pub loops: LoopState,
    /// Temperatures.
    pub thermal: ThermalState,
    /// Mean squared current of the last cycle (A2).
    pub mean_squared_a2: f64,
    /// The voltage was at its limit in the last cycle.
    pub voltage_limited: bool,
    /// Currents that were asked for and have not come through the dead time: a ring, `newest` is the newest.
    asked_a: [f64; DEAD_TICKS_MAX + 2],
    newest: usize,
}

impl ServoState {
    /// At rest at `position_m`, without current, at the temperature of the surroundings.
    pub fn rest(plan: &ServoPlan, position_m: f64) -> Self {
        Self {
            mechanics: MechanicsState::rest(position_m),
            current_a: 0.0,
            loops: LoopState::default(),
            thermal: plan.parts.thermal.cold(),
            mean_squared_a2: 0.0,
            voltage_limited: false,
            asked_a: [0.0; DEAD_TICKS_MAX + 2],
            newest: 0,
        }
    }

    fn push(&mut self, asked_a: f64) {
        self.newest = (self.newest + 1) % self.asked_a.len();
        self.asked_a[self.newest] = asked_a;
    }

    fn asked(&self, back: usize) -> f64 {
        let length = self.asked_a.len();
        self.asked_a[(self.newest + length - back % length) % length]
    }
}

impl ServoPlan {
    /// The plan for cycles of `period_s` (s, 31.25e-6 to 0.01).
    ///
    /// # Errors
    /// A period out of range, or a dead time beyond [`DEAD_TICKS_MAX`] ticks.
    pub fn new(params: &ServoParams, period_s: f64) -> Result<Self, ParamError> {
        let hint = "cycle of the bus";
        error::within("period_s", period_s, PERIOD_MIN_S, PERIOD_MAX_S, hint)?;
        let parts = *params.parts();
        // As many ticks as the drive's rate gives, none longer than asked for.
        let ticks = libm::ceil(period_s / parts.tick_s * (1.0 - 1e-9));
        let tick_s = period_s / ticks;
        let dead = parts.motor.dead_time_s / tick_s;
        let hint = "a dead time spans at most 64 ticks of the drive";
        error::within("dead_time_s / tick", dead, 0.0, DEAD_TICKS_MAX as f64, hint)?;
        let whole = libm::floor(dead + 1e-9);
        let rest = dead - whole;
        let part = |step_s: f64, back: usize| Part {
            step_s,
            back,
            mechanics: MechanicsPlan::new(&parts.mechanics, step_s),
        };
        let back = whole as usize;
        let split = rest > 1e-9;
        let early = split.then(|| part(rest * tick_s, back + 1));
        let late = part(if split { (1.0 - rest) * tick_s } else { tick_s }, back);
        Ok(Self {
            parts,
            period_s,
            ticks: ticks as u32,
            tick_s,
            travel_per_rad: parts.mechanics.transmission.travel_per_rad(),
            early,
            late,
            thermal: ThermalPlan::new(&parts.thermal, period_s),
        })
    }

    /// Period of the cycle (s).
    pub fn period_s(&self) -> f64 {
        self.period_s
    }

    /// Tick of the drive's loops: the configured one or the next shorter that divides the period (s).
    pub fn tick_s(&self) -> f64 {
        self.tick_s
    }

    /// Advances by one cycle with a constant force of the process on the load (N, against positive motion).
    pub fn step(&self, state: &mut ServoState, command: Command, load_n: f64) {
        let loops = &self.parts.loops;
        let warm = self
            .parts
            .motor
            .at(state.thermal.winding_c, state.thermal.housing_c);
        let (x, v) = self.measured(&state.mechanics);
        let setpoint = Setpoint::new(&mut state.loops, command, x, v, self.period_s);
        state.voltage_limited = false;
        let mut squared = 0.0;
        for n in 0..self.ticks {
            let tau = f64::from(n) / f64::from(self.ticks);
            let (x, v) = self.measured(&state.mechanics);
            let limit = self.parts.motor.current_max_a;
            let asked = loops.tick(&mut state.loops, &setpoint, tau, x, v, limit, self.tick_s);
            state.push(asked);
            for part in [self.early.as_ref(), Some(&self.late)]
                .into_iter()
                .flatten()
            {
                squared += part.step_s * self.advance(part, &warm, state, load_n);
            }
        }
        let mean = squared / self.period_s;
        state.mean_squared_a2 = mean;
        let motor = &self.parts.motor;
        self.thermal.advance(&mut state.thermal, |winding_c| {
            motor.loss_w(&motor.at(winding_c, winding_c), mean)
        });
    }

    /// What the drive's encoder sees: position and velocity of the side it is on; velocity is always the motor's.
    fn measured(&self, m: &MechanicsState) -> (f64, f64) {
        let x = match self.parts.feedback {
            Feedback::Motor => m.motor_position_m(),
            Feedback::Load => m.position_m,
        };
        (x, m.motor_velocity_m_per_s)
    }

    /// One part of a tick. Returns the mean squared current (A2).
    fn advance(&self, part: &Part, warm: &Electrical, state: &mut ServoState, load_n: f64) -> f64 {
        let motor = &self.parts.motor;
        let asked = state.asked(part.back);
        let before = state.mechanics;
        let start_a = state.current_a;
        let run = |v: f64, x: f64| {
            let speed = v / self.travel_per_rad;
            let mut current = motor.advance(warm, start_a, asked, speed, part.step_s);
            // Driven beyond its no-load speed a motor feeds the converter; a drive does not let that pass its limit.
            let limit_a = motor.current_max_a;
            current.end_a = crate::lane::clamp(current.end_a, limit_a);
            current.mean_a = crate::lane::clamp(current.mean_a, limit_a);
            let cogging = match &self.parts.cogging {
                Some(table) => table.torque_nm(x / self.travel_per_rad),
                None => 0.0,
            };
            let torque = warm.torque_constant_nm_per_a * current.mean_a + cogging;
            let mut after = before;
            part.mechanics
                .advance(&mut after, torque / self.travel_per_rad, load_n);
            (current, after)
        };
        let (x, v) = (before.motor_position_m(), before.motor_velocity_m_per_s);
        let (mut current, mut after) = run(v, x);
        if current.saturated || self.parts.cogging.is_some() {
            let middle_v = 0.5 * (v + after.motor_velocity_m_per_s);
            (current, after) = run(middle_v, 0.5 * (x + after.motor_position_m()));
        }
        state.mechanics = after;
        state.current_a = current.end_a;
        state.voltage_limited |= current.saturated;
        // Simpson's rule with the mean in the middle.
        (start_a * start_a + 4.0 * current.mean_a * current.mean_a + current.end_a * current.end_a)
            / 6.0
    }
}
