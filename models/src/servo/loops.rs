//! Position and velocity loops of a CiA 402 drive, as a sampled controller.
//!
//! # Derivation
//! A drive computes its loops at its own rate, 8 to 32 kHz, and holds the answer in between; so does this model, which is
//! why it has no discretisation error of its own. Once per tick of h:
//!
//! ```text
//! CSP:  w = kx (r - x) + kfv r' + dw      |w| <= w_max      (r: set-point, linear between two cycles)
//! CSV:  w = r + dw
//!       e = w - v,   i* = kv e + q + kfa r'' + di,   |i*| <= i_max,   q += ki e h
//! CST:  i* = r + di
//! ```
//!
//! dw and di are the offsets 0x60B1 and 0x60B2. Anti-windup: while i* is limited the integrator takes in only what leads
//! out of the limit, and never holds more than the limit itself. Changing the mode keeps i*: the integrator takes the jump.

use super::error::{ParamError, within};
use crate::lane::clamp;

/// What the drive is told in one cycle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Command {
    /// Cyclic synchronous position (mode 8).
    Csp {
        /// Target position 0x607A, reached at the end of the cycle (m).
        position_m: f64,
        /// Velocity offset 0x60B1 (m/s).
        velocity_offset_m_per_s: f64,
        /// Torque offset 0x60B2 (A).
        current_offset_a: f64,
    },
    /// Cyclic synchronous velocity (mode 9).
    Csv {
        /// Target velocity 0x60FF, reached at the end of the cycle (m/s).
        velocity_m_per_s: f64,
        /// Torque offset 0x60B2 (A).
        current_offset_a: f64,
    },
    /// Cyclic synchronous torque (mode 10).
    Cst {
        /// Target torque 0x6071 as a current (A).
        current_a: f64,
    },
}

impl Command {
    /// A position without offsets.
    pub const fn position(position_m: f64) -> Self {
        Self::Csp {
            position_m,
            velocity_offset_m_per_s: 0.0,
            current_offset_a: 0.0,
        }
    }

    /// A velocity without offset.
    pub const fn velocity(velocity_m_per_s: f64) -> Self {
        Self::Csv {
            velocity_m_per_s,
            current_offset_a: 0.0,
        }
    }
}

/// Gains of the drive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loops {
    /// Position gain kx (1/s, 0 to 1000).
    pub position_gain_per_s: f64,
    /// Velocity gain kv (A s/m, 0 to 1e7).
    pub velocity_gain_a_s_per_m: f64,
    /// Integral gain ki (A/m, 0 to 1e9).
    pub integral_gain_a_per_m: f64,
    /// Share of the set-point's velocity that is fed forward (1, 0 to 1.2).
    pub velocity_feedforward: f64,
    /// Current fed forward per acceleration of the set-point (A s2/m, 0 to 1e6); the ideal value is mass over force constant.
    pub acceleration_feedforward_a_s2_per_m: f64,
    /// Largest velocity that the position loop asks for (m/s, 1e-4 to 1e4).
    pub velocity_max_m_per_s: f64,
}

impl Loops {
    /// Checks every value against its range.
    ///
    /// # Errors
    /// The first value that is out of range.
    pub fn check(&self) -> Result<(), ParamError> {
        let hint = "a gain of the drive";
        within(
            "position_gain_per_s",
            self.position_gain_per_s,
            0.0,
            1e3,
            hint,
        )?;
        let (kv, ki) = (self.velocity_gain_a_s_per_m, self.integral_gain_a_per_m);
        within("velocity_gain_a_s_per_m", kv, 0.0, 1e7, hint)?;
        within("integral_gain_a_per_m", ki, 0.0, 1e9, hint)?;
        within(
            "velocity_feedforward",
            self.velocity_feedforward,
            0.0,
            1.2,
            hint,
        )?;
        within(
            "acceleration_feedforward_a_s2_per_m",
            self.acceleration_feedforward_a_s2_per_m,
            0.0,
            1e6,
            hint,
        )?;
        within(
            "velocity_max_m_per_s",
            self.velocity_max_m_per_s,
            1e-4,
            1e4,
            "limit of the drive",
        )
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    /// Nothing was commanded yet.
    #[default]
    None,
    Csp,
    Csv,
    Cst,
}

/// State of the loops.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LoopState {
    mode: Mode,
    /// Set-point at the end of the cycle before, and its change over that cycle.
    before: f64,
    change: f64,
    integral_a: f64,
    answer_a: f64,
}

impl LoopState {
    /// Integrator of the velocity loop (A).
    pub fn integral_a(&self) -> f64 {
        self.integral_a
    }

    /// The loops' latest answer (A).
    pub fn answer_a(&self) -> f64 {
        self.answer_a
    }
}

/// A cycle's set-point, ready to be asked at any time within the cycle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setpoint {
    mode: Mode,
    from: f64,
    change: f64,
    slope: f64,
    acceleration: f64,
    velocity_offset_m_per_s: f64,
    current_offset_a: f64,
    entered: bool,
}

impl Setpoint {
    /// Takes in the command of a cycle of `period_s`.
    pub fn new(
        state: &mut LoopState,
        command: Command,
        position_m: f64,
        velocity_m_per_s: f64,
        period_s: f64,
    ) -> Self {
        let (mode, to, velocity_offset, current_offset, here) = match command {
            Command::Csp {
                position_m: to,
                velocity_offset_m_per_s: dw,
                current_offset_a: di,
            } => (Mode::Csp, to, dw, di, position_m),
            Command::Csv {
                velocity_m_per_s: to,
                current_offset_a: di,
            } => (Mode::Csv, to, 0.0, di, velocity_m_per_s),
            Command::Cst { current_a } => (Mode::Cst, current_a, 0.0, 0.0, current_a),
        };
        let entered = state.mode != mode;
        if entered {
            state.before = here;
            state.change = match mode {
                Mode::Csp => velocity_m_per_s * period_s,
                _ => 0.0,
            };
        }
        let change = to - state.before;
        let setpoint = Self {
            mode,
            from: state.before,
            change,
            slope: change / period_s,
            acceleration: match mode {
                Mode::Csp => (change - state.change) / (period_s * period_s),
                Mode::Csv => change / period_s,
                _ => 0.0,
            },
            velocity_offset_m_per_s: velocity_offset,
            current_offset_a: current_offset,
            entered: entered && state.mode != Mode::None,
        };
        state.mode = mode;
        state.before = to;
        state.change = change;
        setpoint
    }
}

impl Loops {
    /// One tick of `tick_s` at the share `tau` (0 to 1) of the cycle. Returns the current that is asked for (A).
    #[allow(
        clippy::too_many_arguments,
        reason = "what a drive measures and what it is told"
    )]
    pub fn tick(
        &self,
        state: &mut LoopState,
        setpoint: &Setpoint,
        tau: f64,
        position_m: f64,
        velocity_m_per_s: f64,
        current_max_a: f64,
        tick_s: f64,
    ) -> f64 {
        let reference = setpoint.from + setpoint.change * tau;
        let wanted = match setpoint.mode {
            Mode::Csp => clamp(
                self.position_gain_per_s * (reference - position_m)
                    + self.velocity_feedforward * setpoint.slope
                    + setpoint.velocity_offset_m_per_s,
                self.velocity_max_m_per_s,
            ),
            Mode::Csv => clamp(reference, self.velocity_max_m_per_s),
            Mode::Cst | Mode::None => {
                // A target torque is not interpolated.
                state.answer_a = clamp(setpoint.from + setpoint.change, current_max_a);
                return state.answer_a;
            }
        };
        let error = wanted - velocity_m_per_s;
        let forward = self.acceleration_feedforward_a_s2_per_m * setpoint.acceleration
            + setpoint.current_offset_a;
        let proportional = self.velocity_gain_a_s_per_m * error + forward;
        if setpoint.entered && tau == 0.0 {
            state.integral_a = clamp(state.answer_a - proportional, current_max_a);
        }
        let asked = proportional + state.integral_a;
        let answer = clamp(asked, current_max_a);
        let growth = self.integral_gain_a_per_m * error * tick_s;
        // What is cut off and the growth on the same side: the integrator waits.
        if (asked - answer) * growth <= 0.0 {
            state.integral_a = clamp(state.integral_a + growth, current_max_a);
        }
        state.answer_a = answer;
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPS: Loops = Loops {
        position_gain_per_s: 50.0,
        velocity_gain_a_s_per_m: 100.0,
        integral_gain_a_per_m: 5000.0,
        velocity_feedforward: 1.0,
        acceleration_feedforward_a_s2_per_m: 0.5,
        velocity_max_m_per_s: 2.0,
    };

    fn tick(state: &mut LoopState, setpoint: &Setpoint, tau: f64, x: f64, v: f64) -> f64 {
        LOOPS.tick(state, setpoint, tau, x, v, 10.0, 1e-4)
    }

    #[test]
    fn csp_feeds_velocity_and_acceleration_forward() {
        let mut state = LoopState::default();
        Setpoint::new(&mut state, Command::position(0.0), 0.0, 0.0, 1e-3);
        let setpoint = Setpoint::new(&mut state, Command::position(1e-5), 0.0, 0.0, 1e-3);
        // In the middle of the cycle: r = 5 um, r' = 0.01 m/s, r'' = 10 m/s2.
        let asked = tick(&mut state, &setpoint, 0.5, 0.0, 0.0);
        let truth = 100.0 * (50.0 * 5e-6 + 0.01) + 0.5 * 10.0;
        assert!((asked - truth).abs() < 1e-12, "{asked}");
    }

    #[test]
    fn the_integrator_waits_at_the_limit_and_leaves_it_at_once() {
        let mut state = LoopState::default();
        for _ in 0..1000 {
            let up = Setpoint::new(&mut state, Command::velocity(5.0), 0.0, 0.0, 1e-3);
            assert_eq!(tick(&mut state, &up, 0.0, 0.0, 0.0), 10.0);
        }
        assert_eq!(state.integral_a(), 0.0);
        let down = Setpoint::new(&mut state, Command::velocity(-5.0), 0.0, 0.0, 1e-3);
        assert_eq!(tick(&mut state, &down, 1.0, 0.0, 0.0), -10.0);
    }

    #[test]
    fn a_change_of_mode_keeps_the_current() {
        let mut state = LoopState::default();
        let torque = Setpoint::new(&mut state, Command::Cst { current_a: 3.0 }, 0.2, 0.1, 1e-3);
        assert_eq!(tick(&mut state, &torque, 0.0, 0.2, 0.1), 3.0);
        let hold = Setpoint::new(&mut state, Command::velocity(0.1), 0.2, 0.1, 1e-3);
        assert_eq!(tick(&mut state, &hold, 0.0, 0.2, 0.1), 3.0);
    }

    #[test]
    fn a_torque_command_is_limited_and_not_interpolated() {
        let mut state = LoopState::default();
        Setpoint::new(&mut state, Command::Cst { current_a: 0.0 }, 0.0, 0.0, 1e-3);
        let torque = Setpoint::new(&mut state, Command::Cst { current_a: 30.0 }, 0.0, 0.0, 1e-3);
        assert_eq!(tick(&mut state, &torque, 0.0, 0.0, 0.0), 10.0);
    }
}
