//! The tables of an axis' movement signature.

use crate::value::{At, AxisPlace, AxisVelocity, Effort, Number, Quantity, Time};
use schemars::JsonSchema;
use serde::Deserialize;

/// How signatures of movements are taken.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignatureTable {
    /// Way per revolution of the screw, of a rotary axis per turn of what wears (above 0, at most 100m).
    pub(crate) screw_lead: Quantity<AxisPlace>,
    /// Time at constant speed until the following error of the start has died away (0 to 10min).
    pub(crate) settle: Quantity<Time>,
}

/// What `twinstep calibrate` learnt from healthy movements.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HealthyTable {
    /// Movements that were seen (0 to 4294967295).
    pub(crate) movements: At<u32>,
    /// Degrees of freedom of every spread: runs less loads (1 to 1e6).
    pub(crate) degrees_of_freedom: Quantity<Number>,
    /// Typical time from one movement to the next (above 0, at most 24h).
    pub(crate) movement_time: Quantity<Time>,
    /// Spread of the load from movement to movement (above 0).
    pub(crate) load_sigma: Quantity<Effort>,
    /// Spread of the friction (above 0).
    pub(crate) friction_sigma: Quantity<Effort>,
    /// Spread of the logarithm of the hunting (above 0).
    pub(crate) hunting_sigma: Quantity<Number>,
    /// Spread of the logarithm of the roughness (above 0).
    pub(crate) roughness_sigma: Quantity<Number>,
    /// Spread of the logarithm of the ripple (above 0).
    pub(crate) ripple_sigma: Quantity<Number>,
    /// Spread of the logarithm of the unrest (above 0).
    pub(crate) unrest_sigma: Quantity<Number>,
    /// Spread of the score of lacking lubrication (above 0).
    pub(crate) lubrication_sigma: Quantity<Number>,
    /// Spread of the score of backlash (above 0).
    pub(crate) backlash_sigma: Quantity<Number>,
    /// Spread of the score of spalling (above 0).
    pub(crate) spalling_sigma: Quantity<Number>,
    /// Slowest of the movements; needed with `fastest`, any speed is judged unless given (0 or more).
    pub(crate) slowest: Option<Quantity<AxisVelocity>>,
    /// Fastest of the movements; needed with `slowest` (`slowest` or more).
    pub(crate) fastest: Option<Quantity<AxisVelocity>>,
    /// The healthy signature of every load, 1 to 8.
    pub(crate) load: At<Vec<HealthyLoadTable>>,
}

/// The healthy signature of one load.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HealthyLoadTable {
    /// The load: half the difference of the currents of both directions, positive pulls towards smaller positions (any).
    pub(crate) load: Quantity<Effort>,
    /// Friction, mean of both directions (any).
    pub(crate) friction: Quantity<Effort>,
    /// RMS of the slow following error (0 or more).
    pub(crate) hunting: Quantity<AxisPlace>,
    /// Spread of the fast following error (0 or more).
    pub(crate) roughness: Quantity<AxisPlace>,
    /// Amplitude of the current once a revolution (0 or more).
    pub(crate) ripple: Quantity<Effort>,
    /// RMS of the current about a straight line over a stroke (0 or more).
    pub(crate) unrest: Quantity<Effort>,
}
