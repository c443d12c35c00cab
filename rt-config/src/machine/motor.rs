//! The motor behind a drive.

/// A motor as its data sheet has it. What runs in the cycle does not know it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Motor {
    /// Resistance of a phase at 20 degrees (ohm, 1e-3 to 1e3).
    pub resistance_ohm: f64,
    /// Inductance of a phase (H, 1e-6 to 1).
    pub inductance_h: f64,
    /// Pairs of poles (1 to 100).
    pub pole_pairs: f64,
    /// DC link of the converter (V, 2 to 1500).
    pub dc_link_v: f64,
    /// Amplitude of a phase current per ampere that the drive tells (1): the root of 2 where it tells the RMS.
    pub amplitude_per_a: f64,
    /// From the winding to the surroundings (K/W, 1e-3 to 100).
    pub thermal_resistance_k_per_w: f64,
    /// In which the winding warms up (s, 1 to 86400).
    pub thermal_time_constant_s: f64,
    /// Temperature of the surroundings (degrees Celsius, -40 to 100).
    pub ambient_c: f64,
    /// Temperature that the insulation bears (degrees Celsius, 50 to 250).
    pub winding_limit_c: f64,
}
