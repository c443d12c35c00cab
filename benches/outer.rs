//! The loops that a motion controller closes around drives in CSV and CST, so that the benchmarks' axes go where their programs say.
//!
//! ```text
//! CSV:  w = r' + kx / 2 (r - x)
//! CST:  c = what the drawing says that the motion takes + kv / 4 (r' + kx / 4 (r - x) - v)
//! ```
//!
//! They are closed once a cycle, over the bus: x and v are those of the last sample, and r is where the axis was to be in it. The product's
//! own (`cycle/src/setpoint/outer.rs`) need no drawing. Here it is known, so that an axis with smooth friction rests between its moves.

use crate::fleet::TARGETS;
use crate::rk4;
use twinstep_models::sample::Told;

/// How a drive is told what to do, and what it leaves open.
#[derive(Clone, Copy, Debug)]
pub struct Outer {
    told: Told,
    drawing: rk4::Axis,
}

impl Outer {
    /// Around a drive that is told this, on an axis of this drawing.
    pub const fn new(told: Told, drawing: rk4::Axis) -> Self {
        Self { told, drawing }
    }

    /// What of its references the drive follows.
    pub const fn told(&self) -> Told {
        self.told
    }

    /// Velocity (m/s) and current (A) of the coming frame. `targets_m` are newest first, `dead` the cycles from one to its effect (1 or 2),
    /// `measured` position (m) and velocity (m/s) of the last sample.
    pub fn ask(
        &self,
        targets_m: &[f64; TARGETS],
        dead: usize,
        measured: (f64, f64),
        period_s: f64,
    ) -> (f64, f64) {
        let (position_gain, velocity_gain) = self.drawing.gains();
        let [newest, before, older, _] = *targets_m;
        let ahead_m_per_s = (newest - before) / period_s;
        // A target acts `dead` cycles after it was sent, and shows in the sample before this frame's.
        let (was_m, then_m) = (targets_m[dead + 1], targets_m[dead]);
        let error_m = was_m - measured.0;
        match self.told {
            Told::Velocity => (ahead_m_per_s + 0.5 * position_gain * error_m, 0.0),
            Told::Torque => {
                let m_per_s2 = (newest - 2.0 * before + older) / (period_s * period_s);
                let wanted_m_per_s = (then_m - was_m) / period_s + 0.25 * position_gain * error_m;
                let pulls_a = 0.25 * velocity_gain * (wanted_m_per_s - measured.1);
                let current_a = self.drawing.motion_a(ahead_m_per_s, m_per_s2) + pulls_a;
                (0.0, current_a)
            }
            Told::Position | Told::PositionAndOffsets | Told::Own => (0.0, 0.0),
        }
    }
}
