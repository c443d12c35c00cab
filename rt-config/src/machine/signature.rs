//! Signatures of movements: how they are taken, and what healthy ones look like.

use twinstep_models::blocks::Paces;

/// Loads that one axis may be learnt with.
pub const MAX_LOADS: usize = 8;

/// How signatures of an axis are taken; what the user says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SignatureSettings {
    /// Way per revolution of the screw (m).
    pub screw_lead_m: f64,
    /// Time at constant speed until the following error of the start has died away (s).
    pub settle_s: f64,
}

/// What `calibrate` learnt from healthy movements.
#[derive(Clone, Debug, PartialEq)]
pub struct Healthy {
    /// Movements that were seen.
    pub movements: u32,
    /// Degrees of freedom of every spread: runs less loads (1 or more).
    pub degrees_of_freedom: f64,
    /// Typical time from one movement to the next (s).
    pub movement_time_s: f64,
    /// Spread of the load from movement to movement (A).
    pub load_sigma_a: f64,
    /// Spread of friction (A), and of the logarithms of hunting, roughness, ripple and unrest (1).
    pub figure_sigmas: [f64; 5],
    /// Spread of the scores of lubrication, backlash and spalling (1).
    pub family_sigmas: [f64; 3],
    /// The healthy signature of every load; at least one.
    pub loads: Vec<HealthyLoad>,
    /// Speeds of the movements (m/s); none: movements are judged at any speed.
    pub speeds: Option<Paces>,
}

/// The healthy signature of one load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HealthyLoad {
    /// The load (A), positive pulls towards smaller positions.
    pub load_a: f64,
    /// Friction (A), hunting (m), roughness (m), ripple (A) and unrest (A).
    pub figures: [f64; 5],
}
