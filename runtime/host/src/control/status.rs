//! The status: everything that a live view needs, filled in by the cycle and written by the control thread.

mod axis;

use super::around::{Around, ComputerLine, LinkLine};
use super::lines::PROTOCOL;
pub use super::overruns::OverrunsLine;
use super::request::Id;
pub use super::what_if::{WhatIfLine, WhatIfPeriod};
use crate::cycle_clock::{ClockFigures, ClockLine};
use crate::health::HealthLine;
use crate::launch::LaunchLine;
use crate::lines::{BusLine, FalseAlarmsLine};
use crate::names::Names;
use crate::overruns::record::Causes;
use crate::phases::{Buckets, PhaseFigures, PhaseSnapshot, Row};
use crate::record::ring::EventRecordingsLine;
use crate::record::tally::RecordingLine;
use crate::shared::{SharedCounts, SharedLine};
use crate::snapshot::{LiveAxis, LiveStation};
use crate::strokes::StrokeLine;
use crate::trust::Trust;
use axis::axis_line;
pub use axis::{AxisLine, NewBaselineLine};
use serde::{Deserialize, Serialize};
use twinstep_config::machine::MAX_SUBDEVICES;
use twinstep_cycle::event::Source;
use twinstep_drivers::bus::BusCounters;

/// What the cycle fills in. Made once with room for everything; it travels between the two threads.
#[derive(Clone, Debug)]
pub struct StatusBuffer {
    /// Cycles since the first one in OP.
    pub cycle: u64,
    /// Time since then (ns).
    pub time_ns: u64,
    /// Whether the durations can be believed.
    pub trust: Trust,
    /// Drives may be enabled.
    pub armed: bool,
    /// Durations, budgets, overruns.
    pub phases: PhaseSnapshot,
    /// Coarse histograms, by [`Row::index`].
    pub buckets: [Buckets; Row::COUNT],
    /// Servo axes first, then presses.
    pub axes: Vec<LiveAxis>,
    /// Stations.
    pub stations: Vec<LiveStation>,
    /// What the bus dropped.
    pub bus: BusCounters,
    /// The frame against SYNC0 plus the shift (ns).
    pub phase_error_ns: Option<i64>,
    /// The last wrong working counter of an exchange.
    pub wrong_working_counter: Option<WrongWorkingCounter>,
    /// SubDevices that are not in OP, by their place on the wire.
    pub not_operational: heapless::Vec<u16, MAX_SUBDEVICES>,
    /// What became of launch times; none where none are given.
    pub launches: Option<LaunchLine>,
    /// Frames with predictions that did not leave; none where nothing is published.
    pub unpublished: Option<u64>,
    /// The clock that the cycle is held against; none where there is none.
    pub clock: Option<ClockFigures>,
    /// The shared memory; none where nothing is shared.
    pub shared: Option<SharedCounts>,
    /// Deviations raised so far.
    pub events: u64,
    /// Events dropped so far.
    pub dropped_events: u64,
}

impl StatusBuffer {
    /// Room for a machine of so many axes and stations.
    pub fn new(axes: usize, stations: usize) -> Self {
        Self {
            cycle: 0,
            time_ns: 0,
            trust: Trust::default(),
            armed: false,
            phases: PhaseSnapshot::default(),
            buckets: [Buckets::default(); Row::COUNT],
            axes: Vec::with_capacity(axes),
            stations: Vec::with_capacity(stations),
            bus: BusCounters::default(),
            phase_error_ns: None,
            launches: None,
            unpublished: None,
            clock: None,
            wrong_working_counter: None,
            not_operational: heapless::Vec::new(),
            shared: None,
            events: 0,
            dropped_events: 0,
        }
    }

    /// Empties the lists.
    pub fn clear(&mut self) {
        self.axes.clear();
        self.stations.clear();
        self.not_operational.clear();
    }
}

/// A working counter that was not the expected one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrongWorkingCounter {
    /// The cycle.
    pub cycle: u64,
    /// Sum over the SubDevices of 1 for inputs and 2 for outputs.
    pub expected: u16,
    /// What came back.
    pub actual: u16,
}

/// What does not change in a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Name of the machine.
    pub machine: String,
    /// Version of the program.
    pub version: String,
    /// Process.
    pub pid: u32,
    /// Hash of the plan, as in every event.
    pub plan: String,
    /// The machine is simulated: faults can be injected.
    pub simulated: bool,
    /// Folder of the event store.
    pub state: String,
    /// Period of the cycle (ns).
    pub period_ns: u64,
    /// Cores of the workers that share its models; absent where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub model_cores: Vec<usize>,
}

/// The answer to `status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatusLine {
    /// Always `status`.
    #[serde(rename = "type")]
    pub kind: String,
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// As it came with the request.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub id: Option<Id>,
    /// Of which run.
    #[serde(flatten)]
    pub identity: Identity,
    /// Name of the bus that the keys are of, where the machine has several.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bus_name: Option<String>,
    /// The status of each of several buses, in the order of the configuration; empty unless it was asked for all of them.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub buses: Vec<Self>,
    /// Drives may be enabled.
    pub armed: bool,
    /// Cycles since the first one in OP.
    pub cycle: u64,
    /// Time since then (ns).
    pub time_ns: u64,
    /// The same as time of day (ns since 1970, UTC).
    #[serde(default)]
    pub time_utc_ns: u64,
    /// Whether the durations can be believed: the `trust` of the summary.
    pub trust: serde_json::Value,
    /// Cycles in `run` of all rows: since the warm-up or the last reset.
    pub run_cycles: u64,
    /// Cycles in `warm_up` of all rows.
    pub warm_up_cycles: u64,
    /// The phases in the order of the cycle.
    pub phases: Vec<RowLine>,
    /// The groups of models: time in predict, compare and correct together.
    pub models: Vec<RowLine>,
    /// All phases but slack; its budget is the period.
    pub busy: RowLine,
    /// Cycles that took longer than the period.
    pub overruns: OverrunsLine,
    /// What other periods would have led to.
    pub what_if: WhatIfLine,
    /// Servo axes first, then presses.
    pub axes: Vec<AxisLine>,
    /// Stations.
    pub stations: Vec<StationLine>,
    /// The bus.
    pub bus: BusHealthLine,
    /// What became of launch times; absent where none are given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub launch: Option<LaunchLine>,
    /// Frames with predictions that did not leave; absent where nothing is published.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unpublished: Option<u64>,
    /// The clock that the cycle is held against; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub clock: Option<ClockLine>,
    /// The computer around the cycle.
    #[serde(default)]
    pub computer: ComputerLine,
    /// The shared memory; none where nothing is shared.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shared: Option<SharedLine>,
    /// What became of the recording so far; absent where nothing is recorded.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recording: Option<RecordingLine>,
    /// What became of the recordings around events so far; absent where none are kept.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub event_recordings: Option<EventRecordingsLine>,
    /// The last strokes of every press, the newest last.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub strokes: Vec<StrokeLine>,
    /// What is tracked of its health, at most a few seconds old.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub health: Vec<HealthLine>,
    /// The interval between false alarms: asked for, extrapolated, demonstrated so far.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub false_alarms: Option<FalseAlarmsLine>,
    /// Deviations raised so far.
    pub events: u64,
    /// Events dropped so far.
    pub dropped_events: u64,
    /// At the control socket: lines that were no request, and clients that found no place.
    #[serde(default)]
    pub refused_requests: u64,
}

/// One row of durations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowLine {
    /// Its stable word.
    pub name: String,
    /// The last cycle (ns).
    pub now_ns: u64,
    /// Budget (ns), none where none is set. That of `slack` is what must be left.
    pub budget_ns: Option<u64>,
    /// Cycles over it, since the budget was set or statistics were reset.
    pub over_budget: u64,
    /// Since the warm-up or the last reset; all 0 before.
    pub run: PhaseFigures,
    /// In the warm-up; all 0 while it lasts.
    pub warm_up: PhaseFigures,
    /// Half octaves that hold something: the end that the durations are below (ns; none for the last one), and how many.
    pub histogram: Vec<(Option<u64>, u64)>,
}

/// One station; pressures are none where they were not measured in this cycle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StationLine {
    /// Its name.
    pub name: String,
    /// The measurement of this cycle could be used.
    pub valid: bool,
    /// Measured pressure.
    pub pressure_pa: Option<f64>,
    /// Predicted one.
    pub predicted_pressure_pa: Option<f64>,
    /// The residual, in standard deviations.
    pub residual_sigma: Option<f64>,
}

/// Health of the bus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusHealthLine {
    /// What it dropped.
    #[serde(flatten)]
    pub counters: BusLine,
    /// The frame against SYNC0 plus the shift (ns, positive: late); none without distributed clocks.
    pub phase_error_ns: Option<i64>,
    /// The last exchange whose working counter was wrong; none where none was.
    #[serde(default)]
    pub wrong_working_counter: Option<WrongWorkingCounter>,
    /// SubDevices of the bus.
    #[serde(default)]
    pub subdevices: usize,
    /// SubDevices that are not in OP.
    pub not_operational: Vec<String>,
    /// Network interfaces of the bus; empty where it is simulated in the process.
    #[serde(default)]
    pub links: Vec<LinkLine>,
}

impl StatusLine {
    /// Puts the names to what the cycle filled in.
    pub fn new(
        id: Option<Id>,
        identity: &Identity,
        names: &Names,
        buffer: &StatusBuffer,
        causes: Option<Causes>,
        around: &Around,
    ) -> Self {
        let row = |row: Row| row_line(row, buffer, identity.period_ns);
        let (phases, rest): (Vec<_>, Vec<_>) =
            Row::all().partition(|row| matches!(row, Row::Phase(_)));
        let models = rest.into_iter().filter(|row| *row != Row::Busy);
        let axis = |(n, axis): (usize, &LiveAxis)| axis_line(names, n, axis);
        let station = |(n, station): (usize, &LiveStation)| {
            station_line(names.source(Source::Station(n as u16)), station)
        };
        let subdevice = |n: &u16| names.source(Source::SubDevice(*n)).to_owned();
        Self {
            kind: "status".to_owned(),
            protocol: PROTOCOL,
            id,
            identity: identity.clone(),
            bus_name: names.bus().map(str::to_owned),
            buses: Vec::new(),
            armed: buffer.armed,
            cycle: buffer.cycle,
            time_ns: buffer.time_ns,
            // The run knows when it began.
            time_utc_ns: 0,
            trust: serde_json::to_value(buffer.trust).unwrap_or_default(),
            run_cycles: buffer.phases.cycles,
            warm_up_cycles: buffer.phases.warm_up_cycles,
            phases: phases.into_iter().map(row).collect(),
            models: models.map(row).collect(),
            busy: row(Row::Busy),
            overruns: OverrunsLine::new(buffer.phases.overruns, causes),
            what_if: WhatIfLine::from(&buffer.phases.what_if),
            axes: buffer.axes.iter().enumerate().map(axis).collect(),
            stations: buffer.stations.iter().enumerate().map(station).collect(),
            bus: BusHealthLine {
                counters: BusLine::from(buffer.bus),
                phase_error_ns: buffer.phase_error_ns,
                wrong_working_counter: buffer.wrong_working_counter,
                subdevices: around.subdevices,
                not_operational: buffer.not_operational.iter().map(subdevice).collect(),
                links: around.links().to_vec(),
            },
            launch: buffer.launches,
            unpublished: buffer.unpublished,
            // Its name stands in the configuration.
            clock: None,
            computer: around.computer().clone(),
            shared: (buffer.shared).map(|counts| SharedLine::new(counts, names)),
            // What other threads than the cycle's know.
            recording: None,
            event_recordings: None,
            strokes: Vec::new(),
            health: Vec::new(),
            false_alarms: None,
            events: buffer.events,
            dropped_events: buffer.dropped_events,
            refused_requests: 0,
        }
    }
}

impl StatusLine {
    /// All rows: phases, groups of models, and all of it.
    pub fn rows(&self) -> impl Iterator<Item = &RowLine> {
        (self.phases.iter().chain(&self.models)).chain([&self.busy])
    }
}

fn row_line(row: Row, buffer: &StatusBuffer, period_ns: u64) -> RowLine {
    let (n, all) = (row.index(), &buffer.phases);
    let known = all.cycles > 0;
    let buckets = buffer.buckets[n].filled();
    RowLine {
        name: row.name().to_owned(),
        now_ns: all.now_ns[n],
        budget_ns: match row {
            Row::Busy => Some(period_ns),
            _ => all.budget_ns[n],
        },
        over_budget: match row {
            Row::Busy => all.overruns,
            _ => all.over_budget[n],
        },
        run: if known {
            all.figures[n]
        } else {
            PhaseFigures::default()
        },
        warm_up: all.warm_up[n],
        histogram: buckets
            .map(|(below_ns, count)| ((below_ns < u64::MAX).then_some(below_ns), count))
            .collect(),
    }
}

/// A number that JSON has a word for.
fn known(valid: bool, value: f64) -> Option<f64> {
    (valid && value.is_finite()).then_some(value)
}

fn station_line(name: &str, station: &LiveStation) -> StationLine {
    let known = |value| known(station.valid, value);
    StationLine {
        name: name.to_owned(),
        valid: station.valid,
        pressure_pa: known(station.pressure_pa),
        predicted_pressure_pa: known(station.predicted_pressure_pa),
        residual_sigma: known(station.residual_sigma),
    }
}
