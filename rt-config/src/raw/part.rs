//! The tables of a part: what a press meets, and what calibration learnt of it.

use super::EnvelopeTable;
use crate::value::{At, CurvePlace, Elasticity, Length, Number, Quantity, Stiffness};
use schemars::JsonSchema;
use serde::Deserialize;

/// A row of a force curve.
pub(crate) type CurveRow = At<Vec<Quantity<CurvePlace>>>;

/// A part that a press meets. It answers with one of `stiffness`, `force` and `press_fit`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartTable {
    /// Unique among parts: a to z, 0 to 9, _ and -, at most 32 bytes.
    pub(crate) name: At<String>,
    /// Where the ram meets it (of the ram, not of the drive), beyond `approach` and above `bottom` of every press.
    pub(crate) contact: Quantity<Length>,
    /// Stiffness of the press-fit: force rises with this from the contact on; needed without `force` and `press_fit` (above 0).
    pub(crate) stiffness: Option<Quantity<Stiffness>>,
    /// Forming by table: rows of [way behind `contact`, force on the way in], 2 to 64. The first way is 0, ways rise to the bottom of
    /// the stroke or beyond, forces are 0 or more; between them the force is a straight line. Behind a crank or a
    /// table `ram_mass` is needed.
    pub(crate) force: Option<At<Vec<CurveRow>>>,
    /// Stiffness with which the workpiece springs back; needed with `force` (no less than the steepest rise of `force`, at most
    /// 1 kN/um).
    pub(crate) elastic: Option<Quantity<Stiffness>>,
    /// A pin in a hub, made into a force curve. Behind a crank or a table `ram_mass` is needed.
    pub(crate) press_fit: Option<At<PressFitTable>>,
    /// Part-to-part spread of the stiffness, or of the forces of a curve, a standard deviation relative to it, none unless given;
    /// simulation only (0 to 0.5).
    pub(crate) stiffness_spread: Option<Quantity<Number>>,
    /// What `twinstep calibrate` learnt of it.
    pub(crate) twin: Option<PartTwinTable>,
    /// The same for one recipe alone, where the part is met otherwise in it; at most 16 of all parts together.
    #[serde(default)]
    pub(crate) recipe_twin: Vec<At<RecipeTwinTable>>,
    /// The same on one press of several, where it is not the first one with a screw or a `ram_mass` (of all buses), whose figures are `twin`
    /// and `recipe_twin`.
    #[serde(default)]
    pub(crate) press_twin: Vec<At<PressTwinTable>>,
}

/// A solid pin in a hub of the same material. It holds by friction: `pi mu d E (1 - (joint_radius / hub_radius)^2)` per way, d being the
/// interference. It springs back as a column of its length.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PressFitTable {
    /// Radius of the joint (above 0, at most 1 m).
    pub(crate) joint_radius: Quantity<Length>,
    /// Outer radius of the hub (more than `joint_radius`, at most 10 m).
    pub(crate) hub_radius: Quantity<Length>,
    /// Interference on the radius (above 0, at most a hundredth of `joint_radius`).
    pub(crate) interference: Quantity<Length>,
    /// Modulus of elasticity of both (above 0, at most 2000 GPa).
    pub(crate) modulus: Quantity<Elasticity>,
    /// Friction of the joint (above 0, at most 2).
    pub(crate) friction: Quantity<Number>,
    /// Way behind `contact` at which the shoulder seats (above 0, at most 1 m).
    pub(crate) shoulder: Quantity<Length>,
    /// Stiffness of the seated shoulder; the curve ends 1 mm behind the shoulder (0 to 1 kN/um).
    pub(crate) seating: Quantity<Stiffness>,
}

/// What calibration learnt about a part in one recipe.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecipeTwinTable {
    /// Name of the recipe.
    pub(crate) recipe: At<String>,
    /// Contact position (any).
    pub(crate) contact: Quantity<Length>,
    /// Stiffness; needed for a part that has one (above 0).
    pub(crate) stiffness: Option<Quantity<Stiffness>>,
    /// Force over that of the part's curve; needed for a part that has one (0.1 to 10).
    pub(crate) factor: Option<Quantity<Number>>,
    /// The band of good strokes, for the evaluation of kind "envelope" with this recipe.
    pub(crate) envelope: Option<EnvelopeTable>,
}

/// What calibration learnt about a part on one press of several.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PressTwinTable {
    /// Name of the press.
    pub(crate) press: At<String>,
    /// Name of the recipe that it holds in alone; every recipe unless given; at most 16 of one press have one.
    pub(crate) recipe: Option<At<String>>,
    /// Contact position (any).
    pub(crate) contact: Quantity<Length>,
    /// Stiffness; needed for a part that has one (above 0).
    pub(crate) stiffness: Option<Quantity<Stiffness>>,
    /// Force over that of the part's curve; needed for a part that has one (0.1 to 10).
    pub(crate) factor: Option<Quantity<Number>>,
    /// The band of good strokes, for the evaluation of kind "envelope" of this press, and with this recipe.
    pub(crate) envelope: Option<EnvelopeTable>,
}

/// What calibration learnt about a part.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartTwinTable {
    /// Contact position (any).
    pub(crate) contact: Quantity<Length>,
    /// Stiffness; needed for a part that has one (above 0).
    pub(crate) stiffness: Option<Quantity<Stiffness>>,
    /// Force over that of the part's curve; needed for a part that has one (0.1 to 10).
    pub(crate) factor: Option<Quantity<Number>>,
    /// The band of good strokes, for the evaluation of kind "envelope".
    pub(crate) envelope: Option<EnvelopeTable>,
}
