//! The stable JSON lines: one object a line, each with a `type`. Keys are added, never renamed.
//!
//! A number that is not finite becomes `null`: JSON has no other word for it.

mod context;

pub use context::ContextNames;

use crate::attached::ProcessData;
use crate::cause_text::cause_text;
use crate::coast_watch::CoastLine;
use crate::context_watch::ContextLine;
use crate::cycle_clock::ClockLine;
use crate::false_alarms::Exposure;
use crate::findings::PhaseLine;
use crate::launch::LaunchLine;
use crate::names::{RunInfo, SCRIBE};
use crate::not_judged::NotJudgedLine;
use crate::phases::{Phase, PhaseFigures};
use crate::record::tally::RecordingLine;
use crate::shared::SharedLine;
use crate::strokes::{NokLine, ObjectNotJudged};
use crate::trust::Trust;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use twinstep_cycle::event::Event;
use twinstep_drivers::bus::BusCounters;
use twinstep_models::channel::Channel;

/// An event as it is stored and announced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventRecord {
    /// Always `event`.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// Number in the store, without gaps, from 1; 0 until it is stored.
    pub seq: u64,
    /// Cycle in which it was found.
    pub cycle: u64,
    /// Nominal time of that cycle from the start of the run (ns).
    pub time_ns: u64,
    /// The same as time of day (ns since 1970, UTC).
    pub time_utc_ns: u64,
    /// Hash of the plan in force.
    pub plan: String,
    /// Name of the axis, press or station; `bus`; `scribe` for what the scribe itself has to report.
    pub source: String,
    /// Name of the bus, where the machine has several.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bus: Option<String>,
    /// Channel.
    pub channel: Cow<'static, str>,
    /// `raised`, `updated` or `cleared`.
    pub state: Cow<'static, str>,
    /// Who found it.
    pub detector: Cow<'static, str>,
    /// `info`, `warning` or `fault`.
    pub severity: Cow<'static, str>,
    /// Measured value, in `unit`.
    #[serde(deserialize_with = "number_or_null")]
    pub measured: f64,
    /// Predicted value, in `unit`; `null` where nothing was predicted.
    #[serde(deserialize_with = "number_or_null")]
    pub predicted: f64,
    /// Measured minus predicted, in `unit`.
    #[serde(deserialize_with = "number_or_null")]
    pub residual: f64,
    /// Size of the residual from which on `fast_limit` speaks, in `unit`; not given where something else is judged.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<f64>,
    /// Unit of the four.
    pub unit: Cow<'static, str>,
    /// Regime in which it was found.
    pub regime: Cow<'static, str>,
    /// Circumstances by name.
    pub context: ContextNames,
    /// Interval between false alarms that was asked for (s).
    pub false_alarm_interval_asked_s: u64,
    /// Interval that the tails of the healthy record extrapolate to at the thresholds in force (s); none where nothing is known.
    #[serde(default)]
    pub false_alarm_interval_extrapolated_s: Option<u64>,
    /// Interval that the healthy time before this event demonstrates (s).
    pub false_alarm_interval_demonstrated_s: u64,
    /// Likeliest cause.
    pub cause: Cow<'static, str>,
    /// Causes that the pattern allows, best first, each with its share of the posterior: one where nothing else comes into question. Of a press
    /// stroke what may be behind its verdict, which `cause` says.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub causes: Vec<CauseLine>,
    /// What to do.
    pub action: Cow<'static, str>,
    /// Asset id for the work order; may be empty.
    pub asset_id: String,
    /// On the channel `stroke`: the object that failed, and how.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub nok: Option<NokLine>,
    /// On the channel `stroke`: objects that could not judge it. Absent where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub not_judged: Vec<ObjectNotJudged>,
}

/// One of the causes that the pattern over the regimes allows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CauseLine {
    /// The cause.
    pub cause: Cow<'static, str>,
    /// Its share of the posterior (0 to 1).
    pub weight: f64,
    /// What to do about it.
    pub action: Cow<'static, str>,
}

/// The ranked causes that have a share worth telling.
fn ranked(event: &Event) -> Vec<CauseLine> {
    /// Below that a cause only confuses.
    const LEAST: f64 = 0.02;
    let Some(ranking) = event.causes else {
        return vec![CauseLine {
            cause: event.cause.text().into(),
            weight: 1.0,
            action: event.cause.action().into(),
        }];
    };
    (ranking.0.iter().copied())
        .filter(|(_, weight)| *weight >= LEAST)
        .map(|(cause, weight)| CauseLine {
            cause: cause.text().into(),
            weight: (1000.0 * weight).round() / 1000.0,
            action: cause.action().into(),
        })
        .collect()
}

fn number_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

/// The object that a stroke failed at, by name.
pub(crate) fn nok(event: &Event, run: &RunInfo) -> Option<NokLine> {
    let nok = event.nok.as_ref()?;
    let object = run.names.object(event.source, usize::from(nok.object));
    Some(NokLine::new(nok.stroke, object, &nok.violation, nok.tare))
}

impl EventRecord {
    /// Puts the names to an event of the cycle. `exposure` is the healthy time before it.
    pub fn of(event: &Event, run: &RunInfo, exposure: Exposure) -> Self {
        Self {
            kind: "event".into(),
            seq: 0,
            cycle: event.cycle,
            time_ns: event.time_ns,
            time_utc_ns: run.utc_ns(event.time_ns),
            plan: run.plan.clone(),
            source: run.names.source(event.source).to_owned(),
            bus: run.names.bus().map(str::to_owned),
            channel: event.channel.name().into(),
            state: event.state.name().into(),
            detector: event.detector.name().into(),
            severity: event.severity.name().into(),
            measured: event.measured,
            predicted: event.predicted,
            residual: event.residual,
            limit: run.limits.limit(event),
            unit: run.names.unit(event.source, event.channel).into(),
            regime: event.regime.name().into(),
            context: ContextNames::of(&run.names, event.context),
            // Whole seconds; casts from float saturate.
            false_alarm_interval_asked_s: run.asked_s as u64,
            false_alarm_interval_extrapolated_s: run
                .extrapolated
                .map(|all| all.interval_s() as u64),
            false_alarm_interval_demonstrated_s: exposure.demonstrated_s(),
            cause: cause_text(event, run).into(),
            causes: ranked(event),
            action: event.cause.action().into(),
            asset_id: run.names.asset_id(event.source).to_owned(),
            nok: nok(event, run),
            not_judged: match event.channel {
                Channel::Stroke => ObjectNotJudged::all(run, event.source, event.context),
                _ => Vec::new(),
            },
        }
    }

    /// The event of `count` events that were dropped between cycle and store, found at `time_ns` of the run.
    ///
    /// Its source is `scribe`, its channel `events_dropped`, and `measured` is the number that is missing.
    pub fn dropped(
        count: u64,
        cycle: u64,
        time_ns: u64,
        run: &RunInfo,
        exposure: Exposure,
    ) -> Self {
        Self {
            kind: "event".into(),
            seq: 0,
            cycle,
            time_ns,
            time_utc_ns: run.utc_ns(time_ns),
            plan: run.plan.clone(),
            source: SCRIBE.into(),
            bus: run.names.bus().map(str::to_owned),
            channel: "events_dropped".into(),
            state: "raised".into(),
            detector: "state".into(),
            severity: "warning".into(),
            measured: count as f64,
            predicted: 0.0,
            residual: count as f64,
            limit: None,
            unit: "1".into(),
            regime: "standstill".into(),
            context: ContextNames::default(),
            false_alarm_interval_asked_s: run.asked_s as u64,
            false_alarm_interval_extrapolated_s: run.extrapolated.map(|all| all.interval_s() as u64),
            false_alarm_interval_demonstrated_s: exposure.demonstrated_s(),
            cause: "more events in a short time than the queue holds".into(),
            causes: Vec::new(),
            action: "Look at the events before this one; check that the disk of the event store keeps up.".into(),
            asset_id: run.names.machine_asset_id().to_owned(),
            nok: None,
            not_judged: Vec::new(),
        }
    }
}

/// Errors of the twin at one horizon beside simple predictors, RMS.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename = "accuracy")]
pub struct AccuracyLine {
    /// Name of the axis.
    pub source: String,
    /// Channel.
    pub channel: String,
    /// Unit of the errors.
    pub unit: String,
    /// Cycles ahead.
    pub horizon_cycles: u64,
    /// Predictions compared.
    pub samples: u64,
    /// The twin.
    pub twin_rms: f64,
    /// The last value held.
    pub hold_rms: f64,
    /// The last two values extrapolated.
    pub linear_rms: f64,
    /// ARX(10) fitted on the first half.
    pub arx10_rms: f64,
}

/// One movement of one axis, out and back, and how far it goes in the direction of every family of faults.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename = "movement")]
pub struct MovementLine {
    /// Name of the axis.
    pub source: String,
    /// Cycle in which it was complete.
    pub cycle: u64,
    /// Its time (ns).
    pub time_ns: u64,
    /// `rotary` where it turns: what ends in `_m` is in rad then; absent of a linear axis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub axis_kind: Option<&'static str>,
    /// Unit of load, friction, ripple and unrest.
    pub unit: &'static str,
    /// Constant load, positive pulls towards smaller positions.
    pub load: f64,
    /// Friction, mean of both directions.
    pub friction: f64,
    /// RMS of the slow following error (m).
    pub hunting_m: f64,
    /// Spread of the fast following error (m).
    pub roughness_m: f64,
    /// Amplitude once a revolution of the screw.
    pub ripple: f64,
    /// RMS of the current about a straight line over a stroke.
    pub unrest: f64,
    /// Score of lacking lubrication (standard deviations); none where it is not judged.
    pub lubrication: Option<f64>,
    /// Score of backlash.
    pub backlash: Option<f64>,
    /// Score of spalling.
    pub spalling: Option<f64>,
    /// Evidence of the strongest family, in thresholds.
    pub evidence: Option<f64>,
}

/// How much of the current the motion explains, beside a linear regression that was fitted on the very record.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename = "explained")]
pub struct ExplainedLine {
    /// Name of the axis.
    pub source: String,
    /// Channel.
    pub channel: String,
    /// Unit of the errors.
    pub unit: String,
    /// Time that is averaged over beyond the smoothing of the channel (s).
    pub averaged_s: f64,
    /// Samples compared.
    pub samples: u64,
    /// Share of the variance that the twin explains; below 0 where the mean of the record does better.
    pub r2: f64,
    /// Error of the twin, RMS.
    pub rms: f64,
    /// The same with the level of friction followed that was seen before each sample.
    pub followed_r2: f64,
    /// The same with that level followed.
    pub followed_rms: f64,
    /// The same of the regression.
    pub regression_r2: f64,
    /// The same of the regression.
    pub regression_rms: f64,
}

/// The leak rate of a hold and what follows from it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename = "leak")]
pub struct LeakLine {
    /// Name of the station.
    pub source: String,
    /// Rate at the final pressure; none where nothing is known.
    pub rate_pa_per_s: Option<f64>,
    /// Its standard error.
    pub sigma_pa_per_s: Option<f64>,
    /// Time since the hold began.
    pub seconds: f64,
    /// `sound`, `leaky` or `not_yet_known`.
    pub verdict: &'static str,
}

/// The free run of the twin over a whole record.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename = "free_run")]
pub struct FreeRunLine {
    /// Name of the axis.
    pub source: String,
    /// Channel.
    pub channel: String,
    /// Unit of the error.
    pub unit: String,
    /// Samples compared.
    pub samples: u64,
    /// RMS error.
    pub rms: f64,
    /// 100 (1 - |measured - predicted| / |measured - mean(measured)|).
    pub fit_percent: f64,
    /// The same with the constant load this much lower and higher: how much the figure hangs on it (N; N m where `unit` is `rad`).
    pub offset_step_n: f64,
    /// FIT with the lower constant load.
    pub fit_percent_offset_less: f64,
    /// FIT with the higher constant load.
    pub fit_percent_offset_more: f64,
}

/// The last line of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename = "summary")]
pub struct SummaryLine {
    /// Name of the bus that the keys are of, where the machine has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bus_name: Option<String>,
    /// Cycles since the first one in OP.
    pub cycles: u64,
    /// Period (ns).
    pub period_ns: u64,
    /// Deviations raised.
    pub events: u64,
    /// Events that did not fit into a queue.
    pub dropped_events: u64,
    /// Cycles that took longer than the period.
    pub overruns: u64,
    /// The same by cause, those that are not 0; `not_looked_at` came too fast to be looked at.
    pub overrun_causes: BTreeMap<String, u64>,
    /// Digest of all predictions and events (hex).
    pub digest: String,
    /// Intervals between false alarms: asked for, extrapolated, demonstrated.
    pub false_alarms: FalseAlarmsLine,
    /// What says where the process data of a tapped bus stand; absent on a bus of our own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_data: Option<ProcessData>,
    /// What the bus dropped.
    pub bus: BusLine,
    /// The cycle against SYNC0; none without distributed clocks, and in the first 2 s.
    pub phase: Option<PhaseLine>,
    /// What became of launch times; absent where none are given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launch: Option<LaunchLine>,
    /// Frames with predictions that did not leave; absent where nothing is published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unpublished: Option<u64>,
    /// The clock that the cycle was held against; absent where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockLine>,
    /// What the twins had to do without.
    pub coast: CoastLine,
    /// How long something of the context was unknown; absent where nobody tells any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<ContextLine>,
    /// What was not judged, axis by axis; absent where everything was.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_judged: Vec<NotJudgedLine>,
    /// The shared memory; absent where nothing is shared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared: Option<SharedLine>,
    /// What became of the recording; absent where nothing is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording: Option<RecordingLine>,
    /// Durations per phase, warm-up left out.
    pub phases: PhasesLine,
    /// Lateness of a wake-up against that of the one before; null in virtual time.
    pub jitter: Option<PhaseFigures>,
    /// Whether the durations can be believed.
    pub trust: Trust,
    /// The summary of each of several buses, in the order of the configuration; empty where there is one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub buses: Vec<Self>,
}

/// Intervals between false alarms (s, whole seconds), all streams of the machine together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FalseAlarmsLine {
    /// Asked for.
    pub asked_s: u64,
    /// What the tails of the healthy record extrapolate to; none where nothing is known.
    pub extrapolated_s: Option<u64>,
    /// Its lower end, 95 %.
    pub extrapolated_low_s: Option<u64>,
    /// What all healthy time under this plan demonstrates, 95 %.
    pub demonstrated_s: u64,
    /// Streams that the asked rate is shared out over.
    pub streams: usize,
}

/// Counters of the bus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusLine {
    /// Frames that never came back.
    pub lost: u64,
    /// Frames that came back after their deadline.
    pub late: u64,
    /// Frames that came back twice.
    pub duplicate: u64,
    /// Frames of others.
    pub foreign: u64,
    /// Datagrams with a wrong working counter.
    pub working_counter_errors: u64,
}

impl From<BusCounters> for BusLine {
    fn from(counters: BusCounters) -> Self {
        let BusCounters {
            lost,
            late,
            duplicate,
            foreign,
            working_counter_errors,
        } = counters;
        Self {
            lost,
            late,
            duplicate,
            foreign,
            working_counter_errors,
        }
    }
}

/// Durations of all phases, written as an object in the order of the cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PhasesLine(pub [PhaseFigures; Phase::COUNT]);

impl Serialize for PhasesLine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Phase::COUNT))?;
        for (phase, figures) in Phase::ALL.iter().zip(&self.0) {
            map.serialize_entry(phase.name(), figures)?;
        }
        map.end()
    }
}

#[cfg(test)]
#[path = "lines_tests.rs"]
pub(crate) mod tests;
