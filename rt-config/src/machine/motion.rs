//! The motion program of an axis.

use super::OperationMode;

/// Motion limits and program.
#[derive(Clone, Debug, PartialEq)]
pub struct Motion {
    /// Where the axis stands at the start (m).
    pub start_m: f64,
    /// Velocity limit (m/s).
    pub velocity_m_per_s: f64,
    /// Acceleration limit (m/s2).
    pub acceleration_m_per_s2: f64,
    /// Jerk limit (m/s3).
    pub jerk_m_per_s3: f64,
    /// Steps, repeated for ever. At most 32.
    pub program: Vec<Step>,
}

/// One step of a motion program: go to a place, then dwell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Target (m).
    pub to_m: f64,
    /// Velocity limit of this step, at most the axis' own (m/s).
    pub velocity_m_per_s: Option<f64>,
    /// Rest after arrival (s).
    pub dwell_s: f64,
    /// Mode of operation.
    pub mode: OperationMode,
}
