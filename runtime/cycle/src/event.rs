//! Events: what the cycle found, as small values that are copied into a queue.

use twinstep_models::cause::Cause;
use twinstep_models::channel::{Channel, Regime};
use twinstep_models::press::evaluate::Violation;
use twinstep_models::press::tare::Tare;
use twinstep_models::rank::Ranking;
use twinstep_models::sample::Context;

/// What an event is about. Indexes are those of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Source {
    /// A servo axis or press: servo axes first, then presses.
    Axis(u16),
    /// A vacuum station.
    Station(u16),
    /// The bus itself.
    Bus,
    /// A SubDevice, by its place in the configuration.
    SubDevice(u16),
    /// The process that sends the set-points.
    Controller,
}

/// Where an event stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[repr(u8)]
pub enum EventState {
    /// It has begun.
    Raised = 0,
    /// It goes on and has changed by much.
    Updated = 1,
    /// It is over.
    Cleared = 2,
}

impl EventState {
    /// The stable word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Updated => "updated",
            Self::Cleared => "cleared",
        }
    }
}

/// Which detector spoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[repr(u8)]
pub enum Detector {
    /// One value beyond its limit.
    FastLimit = 0,
    /// Two-sided CUSUM over block features.
    Cusum = 1,
    /// A reported state, not a statistic.
    State = 2,
    /// Weighted mean square of whitened innovations.
    Window = 3,
    /// An evaluation object of a press stroke.
    Evaluation = 4,
}

impl Detector {
    /// The stable word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FastLimit => "fast_limit",
            Self::Cusum => "cusum",
            Self::State => "state",
            Self::Window => "window",
            Self::Evaluation => "evaluation",
        }
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[repr(u8)]
pub enum Severity {
    /// For the record.
    Info = 0,
    /// Plan maintenance.
    Warning = 1,
    /// The machine has stopped or will.
    Fault = 2,
}

impl Severity {
    /// The stable word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Fault => "fault",
        }
    }
}

/// One event, as the cycle hands it over.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Event {
    /// Cycle in which it was found.
    pub cycle: u64,
    /// Nominal time of that cycle (ns).
    pub time_ns: u64,
    /// What it is about.
    pub source: Source,
    /// Channel.
    pub channel: Channel,
    /// Raised, updated, cleared.
    pub state: EventState,
    /// Who found it.
    pub detector: Detector,
    /// How bad.
    pub severity: Severity,
    /// Measured value in the unit of the channel.
    pub measured: f64,
    /// Predicted value in the unit of the channel; NaN where nothing was predicted: a stroke of a press without a twin.
    pub predicted: f64,
    /// Measured minus predicted; NaN where nothing was predicted.
    pub residual: f64,
    /// Regime in which it was found.
    pub regime: Regime,
    /// Recipe, part, tool, load and temperature.
    pub context: Context,
    /// Likeliest cause.
    pub cause: Cause,
    /// SubDevice that the cause is about, where the source is the bus and it is known; no part of the digest, since no recording
    /// knows it.
    pub subdevice: Option<u16>,
    /// Causes with their share of the posterior, best first; none where there is but one. Weights of 0 fill unused places. Of a stroke
    /// they are what may be behind its verdict, which `cause` says.
    pub causes: Option<Ranking>,
    /// The object that a press stroke failed at, and how; none on other channels.
    pub nok: Option<StrokeNok>,
}

/// Why a press stroke is NOK.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct StrokeNok {
    /// Number of the stroke.
    pub stroke: u64,
    /// The first object that failed, by its place among those of the press.
    pub object: u8,
    /// What, at which side, where and by how much.
    pub violation: Violation,
    /// The zero of the stroke: what was taken away, or why nothing was.
    pub tare: Tare,
}
