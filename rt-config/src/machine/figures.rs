//! Figures of movements in the healthy record: baselines and paces, in all contexts or in one.

use super::AxisTwin;
use std::collections::BTreeSet;
use twinstep_models::blocks::Paces;
use twinstep_models::sample::Only;

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
    /// Recipe, tool, load and temperature that it is of; without: all that have no row of their own for this figure and regime.
    pub only: Only,
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
    /// Whether it is of the same figure as another one, in whatever context.
    pub fn is_of(&self, other: &Self) -> bool {
        self.of == other.of && self.regime == other.regime && self.stage == other.stage
    }
}

/// Paces of the movements of one regime in the healthy record.
#[derive(Clone, Debug, PartialEq)]
pub struct RegimePaces {
    /// Feature, as in [`RegimeBaseline`].
    pub regime: String,
    /// Recipe, tool, load and temperature that they are of; without: all that have none of their own for this regime.
    pub only: Only,
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
    /// The contexts that have rows of their own: of those that hold at once the one that is taken stands first. Of one rank they are in the
    /// order of the configuration.
    pub fn contexts(&self) -> Vec<Only> {
        let baselines = self.baseline.iter().map(|row| row.only);
        let all = baselines.chain(self.paces.iter().map(|row| row.only));
        let own: BTreeSet<(u8, Only)> = all
            .filter(|only| *only != Only::ALWAYS)
            .map(|only| (only.rank(), only))
            .collect();
        own.into_iter().map(|(_, only)| only).collect()
    }
}
