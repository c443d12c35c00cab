//! Calibration: from recordings of a healthy machine to the twins of its configuration.
//!
//! Passes: first whether the recordings can be what the configuration says ([`plausible`]); then, axis by axis, the inverse
//! dynamics, the drive cascade that predicts best, or none, and the output error beside them ([`axis`] says by which rule they
//! become the twin); the last runs the very pipeline of the cycle over the recordings and learns what it says of a healthy machine: tails of
//! the innovations, and mean and spread of every feature.
#![allow(
    clippy::needless_range_loop,
    reason = "one sample index runs over several records"
)]

pub mod axis;
mod baseline;
mod cascade;
mod envelope;
pub mod gains;
mod innovations;
mod linked;
mod movements;
pub mod noise;
mod observer;
pub mod page;
pub mod parameters;
pub mod plausible;
mod press;
mod rests;
mod signature;

pub use envelope::Taught;
pub(crate) use movements::described;
pub use press::{LearntPart, PartErrors, PartFitted, parts_fitted};
pub use signature::SignatureReport;

use crate::error::HostError;
use axis::AxisReport;
use plausible::{Kind, column_name, station_column};
use std::path::PathBuf;
use twinstep_config::machine::{Axis, EffortUnit, Machine, Press, StationTwin};
use twinstep_drivers::recording::{AxisRecord, Recording, StationRecord, columns};
use twinstep_models::identify::{self, VacuumFit, VacuumRecord, fit_vacuum};
use twinstep_models::press::linked::RAM_SHARE_MAX;
use twinstep_models::vacuum::Phase;

/// Longest period with which inverse dynamics are fitted (ns), as the longest on a bus: a motor speeds up within tens of ms.
const MAX_FIT_PERIOD_NS: u64 = 10_000_000;

/// Most axes that are fitted at once: each holds a copy of its records.
const MAX_WORKERS: usize = 8;

/// No spread of a figure is believed to be smaller (A).
const LEAST_SIGMA_A: f64 = 1e-6;

/// Steps of the calibration of an axis, in their order.
const STAGES: [&str; 5] = [
    "inverse dynamics",
    "gains of the drive",
    "cascade",
    "output error",
    "noise",
];

/// What was found, for people.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Axes, then presses.
    pub axes: Vec<AxisReport>,
    /// Stations that were fitted, by their number.
    pub stations: Vec<(usize, VacuumFit)>,
    /// Parts that were fitted.
    pub parts: Vec<LearntPart>,
    /// Envelopes that were taught.
    pub envelopes: Vec<Taught>,
    /// Healthy signatures that were learnt.
    pub signatures: Vec<SignatureReport>,
    /// One remark per thing that could not be identified or validated, each with the name of the axis, part or station.
    pub remarks: Vec<String>,
}

/// How far a calibration has come: steps done, steps in all, and what is under way.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64, &str);

/// Calibrates every twin of `machine` from `paths`, in place.
///
/// # Errors
/// [`HostError::Usage`] when a recording is refused, contradicts the configuration by its units, or when nothing at all could
/// be identified.
pub fn calibrate(
    machine: &mut Machine,
    paths: &[PathBuf],
    progress: Progress<'_>,
) -> Result<Report, HostError> {
    let mut report = Report::default();
    let original = machine.clone();
    let count = STAGES.len() * (original.axes.len() + original.presses.len());
    let steps = (paths.len() + count + 1) as u64;
    let mut recordings = Vec::new();
    for (done, path) in paths.iter().enumerate() {
        progress(done as u64, steps, &path.display().to_string());
        let recording = columns(path, machine).map_err(crate::commands::replay::refused)?;
        report
            .remarks
            .extend(plausible::refuse_nonsense(&original, path, &recording)?);
        recordings.push(recording);
    }
    let mut told = |done: usize, name: &str| progress((paths.len() + done) as u64, steps, name);
    all_axes(&original, machine, &recordings, &mut told, &mut report)?;
    press::fit_parts(machine, &recordings, &mut report);
    for (n, station) in machine.stations.iter_mut().enumerate() {
        match fit_station(&recordings, n) {
            Ok(fit) => {
                station.twin = Some(station_twin(&fit));
                report.stations.push((n, fit));
            }
            Err(why) => {
                let column = station_column(&original, station);
                let column = column.map_or_else(String::new, |c| format!("column `{c}`: "));
                let name = &station.name;
                (report.remarks).push(format!("{name}: not calibrated, {column}{why}"));
            }
        }
    }
    signature::learn(machine, paths, &mut report)?;
    let fitted: Vec<bool> = report.axes.iter().map(|a| a.fit.is_some()).collect();
    let identified = fitted.contains(&true)
        || machine.stations.iter().any(|s| s.twin.is_some())
        || !report.signatures.is_empty();
    if identified {
        progress(steps - 1, steps, "limits and baselines");
        let rows = recordings.iter().map(|r| r.time_s.len()).sum();
        baseline::learn(machine, paths, &fitted, rows, &mut report)?;
    }
    envelope::teach(machine, paths, &mut report)?;
    if !identified && report.envelopes.is_empty() {
        return Err(HostError::usage(
            format!("nothing could be identified: {}", report.remarks.join("; ")),
            "record a run in which every axis moves both ways, with constant speed and with acceleration; an envelope is taught from five good strokes or more",
        ));
    }
    progress(steps, steps, "");
    Ok(report)
}

/// What one axis gave, and the remarks on it.
type OneAxis = (Result<AxisReport, HostError>, Vec<String>);

/// What a worker tells of axis `n`.
enum Told {
    /// A step of it, by its number, begins.
    Begins(usize, usize),
    /// It is done.
    Done(usize, Box<OneAxis>),
}

/// Calibrates all axes, in place: each is fitted by itself, on as many processors as there are. Reports and remarks are in the order of the
/// axes, and so is the error where several have one.
fn all_axes(
    original: &Machine,
    machine: &mut Machine,
    recordings: &[Recording],
    progress: &mut dyn FnMut(usize, &str),
    report: &mut Report,
) -> Result<(), HostError> {
    let presses = machine.presses.iter_mut().map(|press| &mut press.axis);
    let axes: Vec<(usize, &mut Axis)> =
        machine.axes.iter_mut().chain(presses).enumerate().collect();
    let count = axes.len();
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let queue = std::sync::Mutex::new(axes.into_iter());
    let (tell, told) = std::sync::mpsc::channel();
    let mut all: Vec<Option<OneAxis>> = Vec::new();
    all.resize_with(count, || None);
    std::thread::scope(|scope| {
        for _ in 0..workers.min(MAX_WORKERS).min(count) {
            let (queue, tell) = (&queue, tell.clone());
            scope.spawn(move || {
                // A worker that panicked has left the queue as it was.
                let next = || queue.lock().unwrap_or_else(|gone| gone.into_inner()).next();
                while let Some((n, axis)) = next() {
                    let mut remarks = Vec::new();
                    // Nobody listens any more where the main thread is gone.
                    let begins = |stage| drop(tell.send(Told::Begins(n, stage)));
                    let one = one_axis(original, axis, n, recordings, &mut remarks, &begins);
                    drop(tell.send(Told::Done(n, Box::new((one, remarks)))));
                }
            });
        }
        drop(tell);
        // Steps of each axis that are over: one that is left as it was has skipped some.
        let mut over = vec![0; count];
        for told in told {
            let n = match told {
                Told::Begins(n, stage) => {
                    over[n] = stage;
                    n
                }
                Told::Done(n, one) => {
                    over[n] = STAGES.len();
                    all[n] = Some(*one);
                    n
                }
            };
            let name = axes_name(original, n);
            let what = STAGES
                .get(over[n])
                .map_or_else(|| name.to_owned(), |stage| format!("{name}: {stage}"));
            progress(over.iter().sum(), &what);
        }
    });
    for (one, remarks) in all.into_iter().flatten() {
        report.axes.push(one?);
        report.remarks.extend(remarks);
    }
    Ok(())
}

/// Name of axis `n`, presses last.
fn axes_name(machine: &Machine, n: usize) -> &str {
    axes(machine).nth(n).map_or("", |axis| &axis.name)
}

/// Calibrates axis `n`, in place.
fn one_axis(
    original: &Machine,
    axis: &mut Axis,
    n: usize,
    recordings: &[Recording],
    remarks: &mut Vec<String>,
    begins: &dyn Fn(usize),
) -> Result<AxisReport, HostError> {
    let press = press_of(original, n);
    if press.is_some_and(|press| !press.drive_train.is_explained()) {
        remarks.push(format!(
            "{}: left as it was, behind a crank or a table no single mass and friction explain the motion: state `ram_mass` in [press.kinematics], and what turns with the motor is found",
            axis.name
        ));
        return Ok(AxisReport::default());
    }
    let linked = press.and_then(|press| crate::plan::behind(press, force_constant(axis)));
    begins(0);
    let Joined {
        mut record,
        usable: may,
        starts,
        recordings: begin,
    } = joined(original, n, recordings);
    let period_s = original.cycle.period_ns as f64 / 1e9;
    let known = linked.map(|one| linked::loads(&one, &record.position_m, &starts, period_s));
    let mut usable = may.clone();
    let measured_a = record.current_a.clone();
    // What the ram asks for is known of every position; of which current it is taken off depends on the delay, which is found with the rest.
    let delay_s = axis.twin.as_ref().map_or(0.0, |twin| twin.current_delay_s);
    let mut delay = linked::Delay::new(delay_s / period_s);
    let share = |fit: &identify::AxisFit| {
        let mass_kg = force_constant(axis) * fit.inertia.value;
        press.map_or(0.0, |press| press.drive_train.ram_share(mass_kg))
    };
    let (fit, record) = loop {
        if let Some(known) = &known {
            usable.copy_from_slice(&may);
            linked::take_off(
                known,
                delay.cycles,
                &measured_a,
                (&mut record.current_a, &mut usable),
            );
        }
        let one = identify::AxisRecord {
            period_s,
            position_m: &record.position_m,
            current_a: &record.current_a,
            reference_m: record.reference_m.as_deref().unwrap_or(&record.position_m),
            usable: &usable,
        };
        let fit = axis::fit(original, axis, n, &one);
        let again = match &fit {
            Ok(found) if known.is_some() => {
                delay.found(found.current_delay_s / period_s, share(found))
            }
            _ => false,
        };
        if !again {
            break (fit, one);
        }
    };
    let mut fit = match fit {
        Ok(fit) => fit,
        Err(why) => {
            // What an axis had is better than what a recording without it would say.
            remarks.push(format!("{}: left as it was, {why}", axis.name));
            return Ok(AxisReport::default());
        }
    };
    let mass_kg = force_constant(axis) * fit.inertia.value;
    let share = share(&fit);
    if share > RAM_SHARE_MAX {
        remarks.push(format!(
            "{}: left as it was, what turns with the motor is found to be {mass_kg:.4} kg, and the ram has up to {share:.1} times as much: a twin holds up to {RAM_SHARE_MAX}; check `ram_mass`, `gear` and the sizes of the linkage",
            axis.name
        ));
        return Ok(AxisReport::default());
    }
    // Friction that shifts from recording to recording is one error of each, however long it is.
    if let Some(errors) = identify::errors_between(&record, &fit, &begin) {
        fit.widen(errors);
    }
    let said = axis::directions(axis, &fit);
    fit.warnings.extend(said);
    let twin = axis::twin_of(axis, &fit);
    plausible::refuse_another_scale(original, n, &twin)?;
    axis.twin = Some(twin);
    begins(1);
    let found = gains::identify(axis, n, recordings);
    begins(2);
    let carried_kg = press.map_or(0.0, |press| press.drive_train.least_ram_kg(&press.stroke));
    let known = (found, linked, carried_kg);
    let chosen = cascade::choose(axis, n, recordings, known, |x| free_of_part(original, n, x));
    begins(3);
    let mut report = axis::refine(original, axis, &record, fit);
    report.cascade = chosen.fitted;
    gains::report(chosen.gains, &mut report);
    begins(4);
    let noise = observer::learn(axis, n, recordings, linked, |x| {
        free_of_part(original, n, x)
    });
    if let Some(twin) = &mut axis.twin {
        twin.noise = noise;
    }
    let warnings = report.warnings.iter();
    remarks.extend(warnings.map(|warning| format!("{}: {warning}", axis.name)));
    remarks.extend(chosen.remark);
    Ok(report)
}

/// The press whose axis is axis `n`; none: a servo axis.
fn press_of(machine: &Machine, n: usize) -> Option<&Press> {
    n.checked_sub(machine.axes.len())
        .and_then(|n| machine.presses.get(n))
}

/// Axes, then the axes of presses.
pub fn axes(machine: &Machine) -> impl Iterator<Item = &Axis> {
    (machine.axes.iter()).chain(machine.presses.iter().map(|press| &press.axis))
}

fn axis_mut(machine: &mut Machine, n: usize) -> &mut Axis {
    let axes = machine.axes.len();
    if n < axes {
        &mut machine.axes[n]
    } else {
        &mut machine.presses[n - axes].axis
    }
}

/// Force per current (N/A); the effort of an axis that is recorded as a force is that force.
fn force_constant(axis: &Axis) -> f64 {
    match axis.effort_unit {
        EffortUnit::Newton => 1.0,
        EffortUnit::Ampere => {
            2.0 * std::f64::consts::PI * axis.drive.torque_constant_nm_per_a
                / axis.drive.feed_m_per_rev
        }
    }
}

/// Whether axis `n` at `position_m` cannot be in a part: a servo axis always, a press before the end of its approach.
pub(crate) fn free_of_part(machine: &Machine, n: usize, position_m: f64) -> bool {
    press_of(machine, n)
        .is_none_or(|p| crate::plan::way_in(&p.stroke) * (position_m - p.stroke.approach_m) < 0.0)
}

/// What all recordings have of an axis, one after the other.
struct Joined {
    record: AxisRecord,
    /// Samples that the inverse dynamics may use.
    usable: Vec<bool>,
    /// Where segments and recordings begin.
    starts: Vec<usize>,
    /// Where recordings begin.
    recordings: Vec<usize>,
}

/// One record of axis `n` over all recordings.
fn joined(machine: &Machine, n: usize, recordings: &[Recording]) -> Joined {
    let mut all = AxisRecord {
        reference_m: Some(Vec::new()),
        ..AxisRecord::default()
    };
    let (mut usable, mut starts, mut begin) = (Vec::new(), Vec::new(), Vec::new());
    for recording in recordings {
        let Some(one) = recording.axes.get(n) else {
            continue;
        };
        begin.push(usable.len());
        let reference = one.reference_m.as_ref().unwrap_or(&one.position_m);
        for k in 0..one.position_m.len() {
            if k == 0 || recording.segments.contains(&k) {
                starts.push(usable.len());
            }
            let free = free_of_part(machine, n, one.position_m[k]);
            // Nothing may be differentiated across the join of two segments or recordings.
            let boundary = recording.segments.contains(&k)
                || recording.segments.contains(&(k + 1))
                || k + 1 == one.position_m.len();
            let finite = one.position_m[k].is_finite()
                && one.current_a[k].is_finite()
                && reference[k].is_finite();
            usable.push(one.enabled[k] && finite && free && !boundary);
        }
        all.position_m.extend_from_slice(&one.position_m);
        all.current_a.extend_from_slice(&one.current_a);
        if let Some(r) = &mut all.reference_m {
            r.extend_from_slice(reference);
        }
    }
    Joined {
        record: all,
        usable,
        starts,
        recordings: begin,
    }
}

fn fit_station(recordings: &[Recording], n: usize) -> Result<VacuumFit, &'static str> {
    let (mut pressure_pa, mut phase) = (Vec::new(), Vec::new());
    let mut period_s = 0.0;
    for recording in recordings {
        let Some(station) = recording.stations.get(n) else {
            continue;
        };
        period_s = recording.period_s;
        pressure_pa.extend_from_slice(&station.pressure_pa);
        phase.extend(phases(station));
    }
    fit_vacuum(&VacuumRecord {
        period_s,
        pressure_pa: &pressure_pa,
        phase: &phase,
    })
}

fn station_twin(fit: &VacuumFit) -> StationTwin {
    StationTwin {
        final_pressure_pa: fit.final_pressure_pa,
        evacuation_time_constant_s: fit.time_constant_s,
        valve_delay_s: fit.valve_delay.map(|[delay_s, _]| delay_s),
        leak_pa_per_s: fit.leak_pa_per_s,
        // A spread of nothing would make every later hold a deviation.
        leak_sigma_pa_per_s: fit
            .leak_sigma_pa_per_s
            .max(0.02 * fit.leak_pa_per_s.abs())
            .max(1.0),
        pressure_limit_pa: None,
        pressure_tail: None,
        noise_pa: None,
    }
}

fn phases(station: &StationRecord) -> impl Iterator<Item = Phase> + '_ {
    station
        .ejector_on
        .iter()
        .zip(&station.blow_off)
        .map(|(ejector_on, blow_off)| match (ejector_on, blow_off) {
            (true, false) => Phase::Evacuate,
            (false, false) => Phase::Hold,
            (_, true) => Phase::Release,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing to fit: every axis begins, is left as it was, and is done; the bar ends where it was to end.
    #[test]
    fn the_bar_goes_on_with_every_step_of_every_axis() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../rt-config/machines/press-cell.toml"
        );
        let text = std::fs::read_to_string(path).expect("shipped");
        let original = twinstep_config::load(&text, path).expect("valid");
        let mut machine = original.clone();
        let mut told = Vec::new();
        let mut progress = |done: usize, what: &str| told.push((done, what.to_owned()));
        let mut report = Report::default();
        all_axes(&original, &mut machine, &[], &mut progress, &mut report)
            .expect("nothing to refuse");
        let steps: Vec<usize> = told.iter().map(|(done, _)| *done).collect();
        assert!(steps.is_sorted(), "{told:?}");
        let count = axes(&original).count();
        assert_eq!(steps.last(), Some(&(count * STAGES.len())));
        for axis in axes(&original) {
            let begins = format!("{}: {}", axis.name, STAGES[0]);
            assert!(told.iter().any(|(_, what)| *what == begins), "{told:?}");
        }
    }
}
