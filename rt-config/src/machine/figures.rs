//! Figures of movements in the healthy record: baselines and paces, in all recipes or in one.

use super::AxisTwin;
use std::collections::BTreeSet;
use twinstep_models::blocks::Paces;

/// Which figure of a movement a baseline is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FigureOf {
    /// The residual of `current_load`.
    #[default]
    CurrentLoad,
    /// The disturbance of the observer.
    Disturbance,
    /// The ripple of the residual at constant speed; `mean_a` is the geometric mean.
    Ripple,
}

impl FigureOf {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::CurrentLoad, Self::Disturbance, Self::Ripple];

    /// The channel that it is judged on, as in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CurrentLoad => "current_load",
            Self::Disturbance => "disturbance",
            Self::Ripple => "ripple",
        }
    }
}

/// Healthy figure of the movements of one regime.
#[derive(Clone, Debug, PartialEq)]
pub struct RegimeBaseline {
    /// Which figure.
    pub of: FigureOf,
    /// Feature: `constant_speed_positive`, `constant_speed_negative`, `acceleration`, `reversal`, `pressing`; of rests
    /// `standstill_positive`, `standstill_negative`.
    pub regime: String,
    /// The recipe that it is of; none: every one that has no row of its own for this figure and regime.
    pub recipe: Option<u8>,
    /// Of a rest: its stage ([`twinstep_models::rest::STAGES_S`]); 0 of movements.
    pub stage: u8,
    /// Mean (A).
    pub mean_a: f64,
    /// Standard deviation from movement to movement (A, > 0).
    pub sigma_a: f64,
    /// Its law; none: nothing is known of its tail.
    pub law: Option<FigureLaw>,
}

impl RegimeBaseline {
    /// Whether it is of the same figure as another one, in whatever recipe.
    pub fn is_of(&self, other: &Self) -> bool {
        self.of == other.of && self.regime == other.regime && self.stage == other.stage
    }
}

/// Paces of the movements of one regime in the healthy record.
#[derive(Clone, Debug, PartialEq)]
pub struct RegimePaces {
    /// Feature, as in [`RegimeBaseline`].
    pub regime: String,
    /// The recipe that they are of; none: every one that has none of its own for this regime.
    pub recipe: Option<u8>,
    /// Speeds (m/s), of `acceleration` accelerations (m/s2).
    pub paces: Paces,
}

/// Tail of a figure of movements: Student's t over the learnt spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FigureLaw {
    /// Degrees of freedom (1, at least 1).
    pub freedom: f64,
    /// Figures in the healthy record (>= 1).
    pub figures: f64,
    /// Length of that record (s, > 0).
    pub record_s: f64,
}

impl AxisTwin {
    /// The recipes that have rows of their own, in the order of the configuration.
    pub fn recipes(&self) -> BTreeSet<u8> {
        let baselines = self.baseline.iter().filter_map(|row| row.recipe);
        let paces = self.paces.iter().filter_map(|row| row.recipe);
        baselines.chain(paces).collect()
    }
}
