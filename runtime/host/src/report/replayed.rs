//! The recording around an event, through the very pipeline that judged the run.

use super::gather::Moment;
use super::trace::{Healthy, Seen, Trace, healthy, source_of};
use crate::commands::replay::{machine_in, refused};
use crate::error::HostError;
use crate::health::{self, HealthLine};
use crate::lines::EventRecord;
use crate::names::{Names, RunInfo};
use crate::plan::PlanStore;
use crate::record::checks::{BASELINE, Checks};
use crate::runner::samples_of;
use crate::strokes::{SentStroke, ShortCurve, StrokeBoard, StrokeCurveLine, StrokeLine};
use std::collections::BTreeMap;
use std::path::Path;
use twinstep_config::machine::{Axis, AxisKind, Machine};
use twinstep_cycle::event::Source;
use twinstep_cycle::pipeline::Pipeline;
use twinstep_drivers::bus::{Bus, BusCause};
use twinstep_drivers::object_map::outcome;
use twinstep_drivers::recording::RecordingBus;
use twinstep_drivers::recording::mcap::Contents;
use twinstep_models::blocks::{FEATURES, Feature};
use twinstep_models::innovation::NEXT;
use twinstep_models::sample::Missing;

/// What is drawn before and after the event (ns).
const BEFORE_NS: u64 = 4_000_000_000;
const AFTER_NS: u64 = 2_000_000_000;
/// Most commands of the operator that are told.
const MAX_COMMANDS: usize = 60;

/// What came of it.
#[derive(Debug)]
pub(super) struct Replayed {
    pub machine: String,
    pub period_ns: u64,
    /// What the recording says of its run.
    pub facts: BTreeMap<String, String>,
    pub source: Source,
    /// How the source moves, which its units follow from.
    pub moves: AxisKind,
    /// Unit of what the drive takes or gives: `A`, or `N`, or of a rotary axis `N m`.
    pub effort_unit: &'static str,
    pub trace: Trace,
    /// Limits of the innovations of position (m), velocity (m/s) and current (A).
    pub limits: [Option<f64>; NEXT],
    pub drift_limit_m: Option<f64>,
    pub pressure_limit_pa: Option<f64>,
    /// Healthy residuals of `current_load`.
    pub healthy: [Option<Healthy>; FEATURES],
    /// The press stroke that the event is of, or the last one before it.
    pub stroke: Option<StrokeCurveLine>,
    /// Of the event's source, at the event.
    pub health: Vec<HealthLine>,
    /// What the operator told the run around the event.
    pub commands: Vec<Moment>,
    /// Digests that agreed with those of the run.
    pub compared: u64,
    /// The replay raised the very same event.
    pub confirmed: bool,
    pub missing: Vec<String>,
}

/// Replays the recording at `path` around `event`, whose rows may take `max_bytes` of memory. What cannot be drawn from it is said in the inner error.
///
/// # Errors
/// [`HostError::Usage`] where the file cannot be read.
pub(super) fn replay(
    path: &Path,
    event: &EventRecord,
    max_bytes: usize,
) -> Result<Result<Box<Replayed>, String>, HostError> {
    let machine = machine_in(path, None)?;
    let mut bus = RecordingBus::open_within(path, &machine, max_bytes).map_err(refused)?;
    let Some(contents) = bus.take_contents() else {
        return Ok(Err(format!("{} is no MCAP file.", path.display())));
    };
    if !of_same_run(&contents, event) {
        let why = match contents.end {
            Some(_) => "it is of another run",
            None => "it is of another run, or still being written: ask again in a moment",
        };
        return Ok(Err(format!(
            "{} does not hold this event: {why}. There are no curves.",
            path.display()
        )));
    }
    let first = bus.first_cycle().unwrap_or(0);
    if event.cycle < first || event.cycle >= first.saturating_add(bus.cycles()) {
        return Ok(Err(format!(
            "{} does not hold cycle {}: there are no curves.",
            path.display(),
            event.cycle
        )));
    }
    let checks = match Checks::for_replay(&contents, first, false) {
        Ok(checks) => checks,
        Err(error) => return Ok(Err(format!("{}. There are no curves.", error.in_a_line()))),
    };
    if let Some(whole) = checks.first_cycle() {
        bus.skip_to(whole);
    }
    Ok(Ok(run(&machine, &mut bus, &contents, checks, event)))
}

/// Whether the recording has the event itself.
fn of_same_run(contents: &Contents, event: &EventRecord) -> bool {
    let mut lines = contents.events.iter();
    lines.any(|line| {
        serde_json::from_str::<EventRecord>(line).is_ok_and(|other| {
            other.seq == event.seq
                && other.time_utc_ns == event.time_utc_ns
                && other.plan == event.plan
        })
    })
}

fn run(
    machine: &Machine,
    bus: &mut RecordingBus,
    contents: &Contents,
    checks: Checks,
    event: &EventRecord,
) -> Box<Replayed> {
    let store = PlanStore::new(machine);
    let place = machine.place.as_ref().map_or("", |place| &place.name);
    let names = Names::of(machine);
    let source = source_of(machine, &event.source);
    let moves = names.moves(source);
    let start_ns = event.time_utc_ns.saturating_sub(event.time_ns);
    let info = RunInfo::new(
        names,
        store.hash_on(place),
        machine.judge.false_alarm_interval_s,
        start_ns,
    );
    let mut out = Box::new(Replayed {
        machine: machine.name.clone(),
        period_ns: machine.cycle.period_ns,
        facts: facts(contents),
        source,
        moves,
        effort_unit: effort_unit(machine, source),
        trace: Trace::default(),
        limits: [None; NEXT],
        drift_limit_m: None,
        pressure_limit_pa: None,
        healthy: [None; FEATURES],
        stroke: None,
        health: Vec::new(),
        commands: commands(contents, event, machine),
        compared: 0,
        confirmed: false,
        missing: Vec::new(),
    });
    if info.plan != event.plan {
        out.missing.push(
            "This version builds another plan from the configuration in the recording: predictions may differ from those of the run.".to_owned(),
        );
    }
    let missing = bus.missing();
    let late = bus.first_cycle().filter(|first| *first > 0);
    if let (Some(first), None) = (late, checks.first_cycle()) {
        out.missing.push(format!(
            "The recording begins at cycle {first}: the predictions start there without what was before."
        ));
    }
    if let Some(missing) = missing.filter(|missing| missing.first <= event.cycle) {
        out.missing.push(format!(
            "{} cycles are missing in the recording from cycle {} on: predictions after it may differ from those of the run.",
            missing.count, missing.first
        ));
    }
    let checks = checks.up_to(missing.map(|missing| missing.first));
    let mut state = store.state();
    let mut pipeline = store.pipeline(&mut state);
    limits(&mut out, &pipeline);
    let board = StrokeBoard::of(machine);
    follow(bus, &mut pipeline, &checks, &info, &board, event, &mut out);
    let verdict = checks.verdict();
    if verdict.unfit {
        out.missing.push(
            "The checkpoint in the recording is of other twins: nothing was judged.".to_owned(),
        );
    }
    out.compared = verdict.compared;
    if let Some(cycle) = verdict.differs {
        out.compared = 0;
        out.missing.push(format!(
            "The replay differs from the run, first seen at cycle {cycle}: the curves are those of the replay."
        ));
    }
    out.stroke = stroke(&board, event);
    out
}

/// What stands in front of the file and at its end.
fn facts(contents: &Contents) -> BTreeMap<String, String> {
    let mut facts = contents.head.facts.clone();
    facts.extend(contents.end.clone().unwrap_or_default());
    facts
}

fn effort_unit(machine: &Machine, source: Source) -> &'static str {
    let Source::Axis(n) = source else { return "A" };
    let presses = machine.presses.iter().map(|press| &press.axis);
    let mut axes = machine.axes.iter().chain(presses);
    axes.nth(usize::from(n)).map_or("A", Axis::effort)
}

/// What the plan judges the source by.
fn limits(out: &mut Replayed, pipeline: &Pipeline<'_>) {
    match out.source {
        Source::Axis(n) => {
            let n = usize::from(n);
            if let Some(axis) = pipeline.plan().axes.get(n) {
                out.limits = axis.limits;
                out.drift_limit_m = axis.drift_limit_m;
            }
            for feature in Feature::ALL {
                out.healthy[feature as usize] = healthy(pipeline, n, feature);
            }
        }
        Source::Station(n) => {
            let station = pipeline.plan().stations.get(usize::from(n));
            out.pressure_limit_pa = station.and_then(|station| station.limit_pa);
        }
        Source::Bus | Source::SubDevice(_) | Source::Controller => {}
    }
}

/// The loop of [`crate::pass`], with what the run was told, up to a little after the event.
fn follow<'p>(
    bus: &mut RecordingBus,
    pipeline: &mut Pipeline<'p>,
    checks: &Checks,
    info: &RunInfo,
    board: &StrokeBoard,
    event: &EventRecord,
    out: &mut Replayed,
) {
    let map = bus.object_map().clone();
    let mut image = map.image();
    let mut axes = vec![Err(Missing::NoFrame); pipeline.plan().axes.len()];
    let mut stations = vec![Err(Missing::NoFrame); pipeline.plan().stations.len()];
    let mut follower = checks.follow();
    follower.put_back_first(pipeline);
    let shown_from_ns = event.time_ns.saturating_sub(BEFORE_NS);
    let shown_to_ns = event.time_ns.saturating_add(AFTER_NS);
    loop {
        let result = bus.exchange(&mut image, &mut || pipeline.predict());
        let stamp = match &result {
            Ok(stamp) => *stamp,
            Err(fault) if fault.cause == BusCause::End => break,
            Err(fault) => fault.stamp,
        };
        if stamp.time_ns > shown_to_ns {
            break;
        }
        let exchange = outcome(&result);
        map.tell_context(&mut image, exchange, pipeline.context().conditions);
        map.read(&image, exchange, &mut axes, &mut stations);
        let samples = samples_of(&axes, &stations, &image, exchange);
        pipeline.compare(stamp, &samples);
        let whole = follower.is_whole();
        while let Some(found) = pipeline.take_event() {
            out.confirmed |= whole
                && found.cycle == event.cycle
                && info.names.source(found.source) == event.source
                && found.channel.name() == event.channel
                && found.state.name() == event.state
                && same(found.measured, event.measured)
                && same(found.predicted, event.predicted);
        }
        pipeline.correct(stamp, &samples);
        // What is judged before the state is that of the run is nothing.
        strokes(pipeline, info, whole.then_some(board), event);
        pipeline.track(stamp);
        if whole && stamp.time_ns >= shown_from_ns {
            let seen = Seen {
                time_s: (stamp.time_ns as f64 - event.time_ns as f64) / 1e9,
                axes: &axes,
                stations: &stations,
                exchanged: exchange.is_ok(),
            };
            out.trace.push(pipeline, out.source, &seen);
        }
        if whole && stamp.cycle == event.cycle {
            let all = health::lines(pipeline, &info.names);
            let own = all.into_iter().filter(|line| line.source == event.source);
            out.health = own.collect();
        }
        follower.put_back(stamp.cycle, pipeline);
        if follower.is_whole() {
            follower.cycle(stamp.cycle, || pipeline.digest());
        }
        if let Some(axis) = follower.baseline(stamp.cycle.saturating_add(1)) {
            // What the run could do the replay can.
            let _ = pipeline.renew(axis);
        }
    }
}

/// The same number but for what JSON may take off its last bit, or none in both.
fn same(one: f64, other: f64) -> bool {
    let none = !(one.is_finite() || other.is_finite());
    none || (one - other).abs() <= 1e-12 * one.abs()
}

/// Puts strokes that were judged up to the event on the board.
fn strokes(
    pipeline: &mut Pipeline<'_>,
    info: &RunInfo,
    board: Option<&StrokeBoard>,
    event: &EventRecord,
) {
    for n in 0..pipeline.plan().presses.len() {
        let mut curve = ShortCurve::default();
        if let Some(press) = pipeline.press(n)
            && let Some(record) = press.judged()
            && press.curve().points().len() == record.features.points as usize
        {
            curve.copy(press.curve());
        }
        let Some(record) = pipeline.take_stroke(n) else {
            continue;
        };
        if let Some(board) = board.filter(|_| record.stamp.cycle <= event.cycle) {
            let line = StrokeLine::of(&record, info);
            board.keep(&SentStroke { record, curve }, line);
        }
    }
}

/// The stroke that an event of a press is of; of another channel, the last one before it.
fn stroke(board: &StrokeBoard, event: &EventRecord) -> Option<StrokeCurveLine> {
    let number = event.nok.as_ref().map(|nok| nok.stroke);
    let own = number.and_then(|number| board.curve(&event.source, Some(number)).ok());
    own.or_else(|| board.curve(&event.source, None).ok())
}

/// A command with the name of its axis or press, which it has by number: presses come after all axes.
fn named(command: &str, machine: &Machine) -> String {
    let number = command.strip_prefix(BASELINE).map(str::parse::<usize>);
    let presses = machine.presses.iter().map(|press| &press.axis);
    let mut axes = machine.axes.iter().chain(presses);
    match number.and_then(|number| axes.nth(number.ok()?)) {
        Some(axis) => format!("{BASELINE}{}", axis.name),
        None => command.to_owned(),
    }
}

/// What the operator told the run around the event.
fn commands(contents: &Contents, event: &EventRecord, machine: &Machine) -> Vec<Moment> {
    let told = contents.commands.iter().filter_map(|line| {
        let command: serde_json::Value = serde_json::from_str(line).ok()?;
        let (cycle, text) = (command["cycle"].as_u64()?, command["command"].as_str()?);
        let cycles = i128::from(cycle) - i128::from(event.cycle);
        let utc_ns = i128::from(event.time_utc_ns) + cycles * i128::from(machine.cycle.period_ns);
        Some(Moment {
            utc_ns: u64::try_from(utc_ns).ok()?,
            kind: "command",
            text: format!("from cycle {cycle} on: {}", named(text, machine)),
        })
    });
    let near = told.filter(|m| m.utc_ns.abs_diff(event.time_utc_ns) <= 60_000_000_000);
    near.take(MAX_COMMANDS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baseline_is_that_of_an_axis_or_a_press_by_name() {
        let machine =
            twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
        let axes = machine.axes.len();
        let at = |n: usize| named(&format!("{BASELINE}{n}"), &machine);
        assert_eq!(at(0), format!("{BASELINE}{}", machine.axes[0].name));
        assert_eq!(at(axes), format!("{BASELINE}press"));
        assert_eq!(at(axes + 1), format!("{BASELINE}{}", axes + 1));
        assert_eq!(named("reset", &machine), "reset");
    }
}
