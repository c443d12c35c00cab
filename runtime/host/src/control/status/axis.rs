//! One axis or press in a status.

use super::known;
use crate::names::Names;
use crate::not_judged::NotJudged;
use crate::snapshot::LiveAxis;
use serde::{Deserialize, Serialize};
use twinstep_config::machine::AxisKind;
use twinstep_cycle::event::Source;
use twinstep_cycle::judge::RENEWAL_MOVEMENTS;

/// One axis or press; all but `name` is none where it was not measured in this cycle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AxisLine {
    /// Its name.
    pub name: String,
    /// `rotary` where it turns: what ends in `_m` and `_m_per_s` is in rad and rad/s then; absent of a linear axis.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub axis_kind: Option<String>,
    /// The measurement of this cycle could be used.
    pub valid: bool,
    /// Measured position.
    pub position_m: Option<f64>,
    /// Predicted one.
    pub predicted_position_m: Option<f64>,
    /// Measured velocity.
    pub velocity_m_per_s: Option<f64>,
    /// Predicted one.
    pub predicted_velocity_m_per_s: Option<f64>,
    /// Measured current; a force where the machine's recording has one.
    pub current_a: Option<f64>,
    /// Predicted one.
    pub predicted_current_a: Option<f64>,
    /// The largest residual of its channels, in standard deviations.
    pub residual_sigma: Option<f64>,
    /// What it is doing.
    pub regime: Option<String>,
    /// How sure the model is (0 to 1): 1 in steady state.
    pub confidence: Option<f64>,
    /// Deviations of it were judged in this cycle.
    pub judged: bool,
    /// A new baseline after a repair; absent where it is the calibrated one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub new_baseline: Option<NewBaselineLine>,
    /// What of it was not judged in this run, by reason; absent where everything was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub not_judged: Option<NotJudged>,
}

impl AxisLine {
    /// How it moves, which its units follow from.
    pub fn moves(&self) -> AxisKind {
        AxisKind::of(self.axis_kind.as_deref())
    }
}

/// How far a new baseline is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewBaselineLine {
    /// Movements seen, the fewest of its figures.
    pub movements: u32,
    /// Movements that make it; slow figures are not judged before.
    pub of: u32,
}

pub(super) fn axis_line(names: &Names, n: usize, axis: &LiveAxis) -> AxisLine {
    let known = |value| known(axis.valid, value);
    let source = Source::Axis(n as u16);
    AxisLine {
        name: names.source(source).to_owned(),
        axis_kind: names.moves(source).told().map(str::to_owned),
        valid: axis.valid,
        position_m: known(axis.position_m),
        predicted_position_m: known(axis.predicted_position_m),
        velocity_m_per_s: known(axis.velocity_m_per_s),
        predicted_velocity_m_per_s: known(axis.predicted_velocity_m_per_s),
        current_a: known(axis.current_a),
        predicted_current_a: known(axis.predicted_current_a),
        residual_sigma: known(axis.residual_sigma),
        regime: axis.valid.then(|| axis.regime.name().to_owned()),
        confidence: known(axis.confidence),
        judged: axis.judged,
        new_baseline: axis.renewal.map(|movements| NewBaselineLine {
            movements,
            of: RENEWAL_MOVEMENTS,
        }),
        not_judged: NotJudged::named(axis.not_judged, names, n),
    }
}
