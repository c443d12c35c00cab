//! The tables of a press that say what a stroke must look like.

use crate::value::{At, Energy, Force, Length, Number, Quantity, Stiffness};
use schemars::JsonSchema;
use serde::Deserialize;

/// How the force over the travel of a stroke is taken.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CurveTable {
    /// Where the ram is when a stroke begins and ends; at `approach` of the stroke unless given
    /// (`top` to less than `bottom`).
    pub(crate) begin: Option<Quantity<Length>>,
    /// A point is kept after this travel; a thousandth of the way from `begin` to `bottom` unless given (above 0).
    pub(crate) step: Option<Quantity<Length>>,
    /// A point is kept after this change of the force as well; travel alone unless given (above 0).
    pub(crate) force_step: Option<Quantity<Force>>,
    /// Force from which on the ram has met the part, 50N unless given (above 0).
    pub(crate) contact_force: Option<Quantity<Force>>,
    /// Stiffness of the frame between drive and ram; rigid unless given (above 0).
    pub(crate) frame_stiffness: Option<Quantity<Stiffness>>,
    /// From where to where on the way in the ram meets nothing: the mean force there is the zero of each stroke. No stroke has
    /// a zero of its own unless given.
    pub(crate) tare: Option<At<Vec<Quantity<Length>>>>,
    /// The largest mean that is taken for a zero, `contact_force` unless given; beyond it a stroke is judged as measured
    /// (above 0).
    pub(crate) tare_limit: Option<Quantity<Force>>,
}

/// One evaluation object. X is the travel, Y the force on the ram.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EvaluationTable {
    /// Unique within the press; kind and number unless given.
    pub(crate) name: Option<At<String>>,
    /// window, trapezium, threshold, envelope, peak, work, gradient, hysteresis or block.
    pub(crate) kind: At<String>,
    /// Name of the part that it is for; all parts unless given.
    pub(crate) part: Option<At<String>>,
    /// Name of the recipe that it is for; every recipe unless given.
    pub(crate) recipe: Option<At<String>>,
    /// forward (unless given) or return.
    pub(crate) branch: Option<At<String>>,
    /// Where X is counted from: absolute (unless given), final (deepest travel) or trigger.
    pub(crate) reference: Option<At<String>>,
    /// Force of the reference "trigger"; needed for that (above 0).
    pub(crate) trigger: Option<Quantity<Force>>,
    /// Smallest and largest X; needed for window, trapezium, envelope and gradient; everywhere unless given for the others.
    pub(crate) x: Option<At<Vec<Quantity<Length>>>>,
    /// Smallest and largest Y; needed for window and peak, and for a hysteresis with `at`; any unless given for threshold and block.
    pub(crate) y: Option<At<Vec<Quantity<Force>>>>,
    /// Bottom and top of a trapezium at its left side; needed there.
    pub(crate) y_left: Option<At<Vec<Quantity<Force>>>>,
    /// Bottom and top of a trapezium at its right side; needed there.
    pub(crate) y_right: Option<At<Vec<Quantity<Force>>>>,
    /// Sides through which the curve may come in: left, right, bottom, top, within (it begins there); window and trapezium:
    /// any side unless given.
    pub(crate) entry: Option<At<Vec<At<String>>>>,
    /// Sides through which it must leave: left, right, bottom, top, within (it ends there); window and trapezium: any side
    /// unless given.
    pub(crate) exit: Option<At<Vec<At<String>>>>,
    /// X of a threshold whose Y is judged, or of a hysteresis in force; one of it and `at_force` is needed for a threshold (any).
    pub(crate) at: Option<Quantity<Length>>,
    /// Y of a threshold whose X is judged; one of it and `at` is needed for a threshold (any).
    pub(crate) at_force: Option<Quantity<Force>>,
    /// Direction of a threshold: rising (unless given), falling or either.
    pub(crate) crossing: Option<At<String>>,
    /// Smallest and largest work; needed for work, and for a hysteresis without `at`.
    pub(crate) work: Option<At<Vec<Quantity<Energy>>>>,
    /// Smallest and largest gradient; needed for a gradient.
    pub(crate) gradient: Option<At<Vec<Quantity<Stiffness>>>>,
    /// Share of good strokes that an envelope is to hold, 0.9999 unless given (0.5 to 0.999999999).
    pub(crate) coverage: Option<Quantity<Number>>,
    /// Confidence of that share, 0.95 unless given (0.5 to 0.999999999).
    pub(crate) confidence: Option<Quantity<Number>>,
    /// Least half width of an envelope, 0 unless given (0 or more).
    pub(crate) floor: Option<Quantity<Force>>,
}

/// The band of good strokes, as `twinstep calibrate` taught it: 64 nodes at equal distances.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnvelopeTable {
    /// X of the first node (any).
    pub(crate) from: Quantity<Length>,
    /// X of the last node (above `from`).
    pub(crate) to: Quantity<Length>,
    /// Smallest force at every node.
    pub(crate) lower: At<Vec<Quantity<Force>>>,
    /// Largest force at every node.
    pub(crate) upper: At<Vec<Quantity<Force>>>,
}
