//! When a part that wears has come to the end of its life: what the user says, for remaining life.

/// Limits of an axis or a press.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HealthLimits {
    /// Coulomb and viscous friction, relative to the calibrated one (1.01 to 100).
    pub friction_factor: f64,
    /// Lost motion gained at reversals (m, 1e-6 to 0.1).
    pub backlash_gap_m: f64,
    /// Torque constant, relative to the one of the drive's table (0.1 to 0.99).
    pub torque_constant_fraction: f64,
    /// The motor's share of the inertia that it moves (0.02 to 0.98); none: not said. Not a limit: what a gap that grows is told by.
    pub motor_inertia_share: Option<f64>,
    /// Stiffness against the part, relative to the calibrated one (0.1 to 0.99); a press alone has it.
    pub stiffness_factor: f64,
    /// Loading gradient of strokes, relative to the healthy one (0.1 to 0.99); none: not said. Of a press alone.
    pub gradient_factor: Option<f64>,
    /// Tare of strokes (N, > 0); none: not said. Of a press alone.
    pub tare_n: Option<f64>,
}

impl Default for HealthLimits {
    fn default() -> Self {
        Self {
            friction_factor: 1.5,
            backlash_gap_m: 100e-6,
            torque_constant_fraction: 0.9,
            motor_inertia_share: None,
            stiffness_factor: 0.8,
            gradient_factor: None,
            tare_n: None,
        }
    }
}

/// Leak rate at the end of a station's life, relative to the calibrated one, unless given.
pub const LEAK_FACTOR: f64 = 10.0;
