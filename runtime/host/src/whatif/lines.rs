//! The stable JSON lines of `twinstep whatif`: one for each change, move and axis, and the summary at the end.

use super::changes::{Change, NotSet};
use super::meter::Figures;
use super::motor::MotorFigures;
use super::simulate::{AxisResult, LeftOut};
use super::verdict::{self, Limit};
use serde::Serialize;
use twinstep_config::machine::Machine;

/// Which of the machines that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Case {
    /// What a recording holds.
    Measured,
    /// The machine as it is configured.
    AsIs,
    /// The machine as it would be.
    WouldBe,
}

impl Case {
    /// As a heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::AsIs => "as it is",
            Self::WouldBe => "would be",
        }
    }
}

/// A value that is otherwise.
#[derive(Clone, Debug, Serialize)]
pub struct ChangeLine<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    /// What.
    #[serde(flatten)]
    pub change: &'a Change,
}

impl<'a> ChangeLine<'a> {
    /// Of one change.
    pub const fn new(change: &'a Change) -> Self {
        Self {
            kind: "what_if_change",
            change,
        }
    }
}

/// Figures of a stretch of motion; fields that end in `_a` are in `unit`.
#[derive(Clone, Debug, Serialize)]
pub struct FiguresLine {
    /// Largest current, without its sign.
    pub peak_a: f64,
    /// Root mean square of the current.
    pub rms_a: f64,
    /// Time in which the loops ask for more than the limit (s).
    pub limited_s: f64,
    /// Largest distance from the reference of the drive (m).
    pub following_error_m: f64,
    /// Work of the motor while it drives (J).
    pub drive_j: f64,
    /// Work that comes back while it brakes (J).
    pub brake_j: f64,
    /// Largest force of a part (N); none where none is met.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part_n: Option<f64>,
    /// Work into parts (J).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part_j: Option<f64>,
}

impl FiguresLine {
    fn new(figures: &Figures, period_s: f64) -> Self {
        let pressed = figures.part_n > 0.0;
        Self {
            peak_a: figures.peak_a,
            rms_a: figures.rms_a(),
            limited_s: figures.limited as f64 * period_s,
            following_error_m: figures.following_error_m,
            drive_j: figures.drive_j,
            brake_j: figures.brake_j,
            part_n: pressed.then_some(figures.part_n),
            part_j: pressed.then_some(figures.part_j),
        }
    }
}

/// One move of the program.
#[derive(Clone, Debug, Serialize)]
pub struct MoveLine {
    #[serde(rename = "type")]
    kind: &'static str,
    /// Which machine.
    pub case: Case,
    /// Axis or press.
    pub source: String,
    /// `rotary` where it turns: what ends in `_m` is in rad then; absent of a linear axis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub axis_kind: Option<&'static str>,
    /// Number of the move in the round, from 1.
    #[serde(rename = "move")]
    pub number: usize,
    /// Where from (m).
    pub from_m: f64,
    /// Where to (m).
    pub to_m: f64,
    /// The part that is pressed; none where there is no recipe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// Time of the move as it is programmed (s).
    pub move_s: f64,
    /// Rest after it (s).
    pub dwell_s: f64,
    /// From the end of the move until the axis stays in the band (s); `null`: not before the next move.
    pub settling_s: Option<f64>,
    /// Largest way beyond the target (m).
    pub overshoot_m: f64,
    /// Unit of what ends in `_a`.
    pub unit: &'static str,
    /// Its figures, the rest after it included.
    #[serde(flatten)]
    pub figures: FiguresLine,
}

/// The moves of an axis.
pub fn moves(case: Case, axis: &AxisResult, machine: &Machine) -> Vec<MoveLine> {
    let part = |one: &super::round::Move| {
        let is_press = (machine.presses.iter()).any(|press| press.axis.name == axis.source);
        let part = machine.parts.get(usize::from(one.context.part));
        part.filter(|_| is_press && !machine.recipes.is_empty())
            .map(|part| part.name.clone())
    };
    (axis.round.moves.iter().zip(&axis.moves).enumerate())
        .map(|(n, (planned, one))| MoveLine {
            kind: "what_if_move",
            case,
            source: axis.source.clone(),
            axis_kind: axis.kind.told(),
            number: n + 1,
            from_m: planned.from_m,
            to_m: planned.to_m,
            part: part(planned),
            move_s: planned.move_s,
            dwell_s: planned.dwell_s,
            settling_s: one.settling_s,
            overshoot_m: one.overshoot_m,
            unit: axis.unit,
            figures: FiguresLine::new(&one.figures, axis.period_s),
        })
        .collect()
}

/// What a program asks of a motor.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum MotorLine {
    /// It is known.
    Known(MotorFigures),
    /// It is not.
    LeftOut {
        /// Why.
        left_out: String,
    },
}

impl MotorLine {
    fn new(figures: &Result<MotorFigures, String>) -> Self {
        match figures {
            Ok(figures) => Self::Known(*figures),
            Err(why) => Self::LeftOut {
                left_out: why.clone(),
            },
        }
    }
}

/// One axis.
#[derive(Clone, Debug, Serialize)]
pub struct AxisLine {
    #[serde(rename = "type")]
    kind: &'static str,
    /// Which machine.
    pub case: Case,
    /// Axis or press.
    pub source: String,
    /// Length of a round of the program (s); none with a recording.
    pub round_s: Option<f64>,
    /// Time that the figures are of (s).
    pub measured_s: f64,
    /// `rotary` where it turns: what ends in `_m` is in rad then; absent of a linear axis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub axis_kind: Option<&'static str>,
    /// Unit of what ends in `_a`.
    pub unit: &'static str,
    /// Its figures.
    #[serde(flatten)]
    pub figures: FiguresLine,
    /// Current limit.
    pub limit_a: f64,
    /// Rated current; none where nothing is known of the drive.
    pub rated_a: Option<f64>,
    /// Share of the time at the limit (1).
    pub limited_share: f64,
    /// Square of the RMS current over the rated one (1): the heat of the winding, relative to what it bears for ever.
    pub heat_share: Option<f64>,
    /// What its motor says; none where nothing is known of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub motor: Option<MotorLine>,
    /// Longest settling time (s); none where a move did not settle.
    pub settling_s: Option<f64>,
    /// Largest way beyond a target (m).
    pub overshoot_m: f64,
    /// Moves of the round.
    pub moves: usize,
    /// Those in which the current was at its limit.
    pub limited_moves: usize,
    /// Those that were not in the band at the end of their rest.
    pub unsettled_moves: usize,
    /// Limits that are exceeded.
    pub exceeds: Vec<Limit>,
    /// In words.
    pub verdict: String,
}

impl AxisLine {
    /// Of one axis.
    pub fn new(case: Case, axis: &AxisResult, band_m: f64) -> Self {
        let samples = axis.whole.samples.max(1) as f64;
        let rested =
            (axis.moves.iter().zip(&axis.round.moves)).filter(|(_, planned)| planned.dwell_s > 0.0);
        let settling_s = rested
            .map(|(one, _)| one.settling_s)
            .try_fold(0.0, |worst: f64, one| one.map(|s| worst.max(s)));
        let overshoots = axis.moves.iter().map(|one| one.overshoot_m);
        Self {
            kind: "what_if_axis",
            case,
            source: axis.source.clone(),
            round_s: (axis.round.length_s > 0.0).then_some(axis.round.length_s),
            measured_s: axis.measured_s,
            axis_kind: axis.kind.told(),
            unit: axis.unit,
            figures: FiguresLine::new(&axis.whole, axis.period_s),
            limit_a: axis.limit_a,
            rated_a: axis.rated_a,
            limited_share: axis.whole.limited as f64 / samples,
            heat_share: axis.rated_a.map(|rated_a| {
                let load = axis.whole.rms_a() / rated_a;
                load * load
            }),
            motor: axis.motor.as_ref().map(MotorLine::new),
            settling_s: settling_s.filter(|_| !axis.moves.is_empty()),
            overshoot_m: overshoots.fold(0.0, f64::max),
            moves: axis.moves.len(),
            limited_moves: verdict::limited_moves(axis),
            unsettled_moves: verdict::unsettled_moves(axis),
            exceeds: verdict::exceeded(axis),
            verdict: verdict::verdict(axis, band_m),
        }
    }
}

/// The last line.
#[derive(Clone, Debug, Serialize)]
pub struct SummaryLine<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    /// Values that are otherwise.
    pub changes: usize,
    /// Axes and presses that were computed.
    pub axes: usize,
    /// Period as it would be (ns).
    pub period_ns: u64,
    /// Way around a target within which an axis has settled (m).
    pub band_m: f64,
    /// Axes and presses that exceed a limit as they would be, or as they are where nothing is changed.
    pub exceeding: Vec<String>,
    /// Axes and presses that cannot be computed.
    pub left_out: &'a [LeftOut],
    /// Axes and presses without a key that was set for all.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub not_set: &'a [NotSet],
}

impl<'a> SummaryLine<'a> {
    /// Of the whole.
    pub const fn new(
        changes: usize,
        axes: usize,
        period_ns: u64,
        band_m: f64,
        exceeding: Vec<String>,
        left_out: &'a [LeftOut],
        not_set: &'a [NotSet],
    ) -> Self {
        Self {
            kind: "what_if",
            changes,
            axes,
            period_ns,
            band_m,
            exceeding,
            left_out,
            not_set,
        }
    }
}
