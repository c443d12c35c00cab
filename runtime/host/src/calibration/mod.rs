//! Calibration: from recordings of a healthy machine to the twins of its configuration.
//!
//! Three passes. The first fits parameters by least squares; the second chooses the drive cascade that predicts best, or none;
//! the third runs the very pipeline of the cycle over the recordings and learns what it says of a healthy machine: limits of
//! the innovations, and mean and spread of every feature.
#![allow(
    clippy::needless_range_loop,
    reason = "one sample index runs over several records"
)]

mod baseline;
mod cascade;
mod envelope;
mod offset;
mod press;
mod signature;

pub use signature::SignatureReport;

use crate::error::HostError;
use std::path::PathBuf;
use twinstep_config::machine::{Axis, AxisTwin, EffortUnit, Machine, StationTwin};
use twinstep_drivers::recording::{AxisRecord, Recording, StationRecord, columns};
use twinstep_models::identify::{self, AxisFit, VacuumRecord, fit_axis, fit_vacuum};
use twinstep_models::vacuum::Phase;

/// Longest period with which inverse dynamics are fitted (ns), as the longest on a bus: a motor speeds up within tens of ms.
const MAX_FIT_PERIOD_NS: u64 = 10_000_000;

/// What was found, for people: one remark per thing that could not be identified or validated.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Fits in the order of axes and presses; none where it failed.
    pub fits: Vec<Option<AxisFit>>,
    /// Healthy signatures that were learnt.
    pub signatures: Vec<SignatureReport>,
    /// Remarks, each with the name of the axis, part or station.
    pub remarks: Vec<String>,
}

/// Calibrates every twin of `machine` from `paths`, in place.
///
/// # Errors
/// [`HostError::Usage`] when a recording is refused, or when nothing at all could be identified.
pub fn calibrate(machine: &mut Machine, paths: &[PathBuf]) -> Result<Report, HostError> {
    let mut recordings = Vec::new();
    for path in paths {
        recordings.push(columns(path, machine).map_err(crate::commands::replay::refused)?);
    }
    let mut report = Report::default();
    let original = machine.clone();
    for n in 0..original.axes.len() + original.presses.len() {
        let fitted = fit_one(&original, n, &recordings);
        let axis = axis_mut(machine, n);
        match fitted {
            Ok(fit) => {
                axis.twin = Some(twin_of(axis, &fit));
                report.fits.push(Some(fit));
            }
            Err(why) => {
                // What an axis had is better than what a recording without it would say.
                report
                    .remarks
                    .push(format!("{}: left as it was, {why}", axis.name));
                report.fits.push(None);
                continue;
            }
        }
        if let Some(remark) =
            cascade::choose(axis, n, &recordings, |x| free_of_part(&original, n, x))
        {
            report.remarks.push(remark);
        }
        if let Some(Some(fit)) = report.fits.last().filter(|_| n < original.axes.len()) {
            offset::refine(axis, n, &recordings, fit);
        }
    }
    press::fit_parts(machine, &recordings, &mut report.remarks);
    for (n, station) in machine.stations.iter_mut().enumerate() {
        match fit_station(&recordings, n) {
            Ok(twin) => station.twin = Some(twin),
            Err(why) => report
                .remarks
                .push(format!("{}: not calibrated, {why}", station.name)),
        }
    }
    signature::learn(machine, paths, &mut report)?;
    if report.fits.iter().all(Option::is_none)
        && machine.stations.iter().all(|s| s.twin.is_none())
        && report.signatures.is_empty()
    {
        return Err(HostError::usage(
            format!("nothing could be identified: {}", report.remarks.join("; ")),
            "record a run in which every axis moves both ways, with constant speed and with acceleration",
        ));
    }
    let fitted: Vec<bool> = report.fits.iter().map(Option::is_some).collect();
    baseline::learn(machine, paths, &fitted, &mut report.remarks)?;
    envelope::teach(machine, paths, &mut report.remarks)?;
    Ok(report)
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
fn free_of_part(machine: &Machine, n: usize, position_m: f64) -> bool {
    let press = n
        .checked_sub(machine.axes.len())
        .and_then(|p| machine.presses.get(p));
    press.is_none_or(|p| crate::plan::way_in(&p.stroke) * (position_m - p.stroke.approach_m) < 0.0)
}

/// One record of axis `n` over all recordings, and which samples the inverse dynamics may use.
fn joined(machine: &Machine, n: usize, recordings: &[Recording]) -> (AxisRecord, Vec<bool>) {
    let mut all = AxisRecord {
        reference_m: Some(Vec::new()),
        ..AxisRecord::default()
    };
    let mut usable = Vec::new();
    for recording in recordings {
        let Some(one) = recording.axes.get(n) else {
            continue;
        };
        let reference = one.reference_m.as_ref().unwrap_or(&one.position_m);
        for k in 0..one.position_m.len() {
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
    (all, usable)
}

fn fit_one(machine: &Machine, n: usize, recordings: &[Recording]) -> Result<AxisFit, &'static str> {
    if machine.cycle.period_ns > MAX_FIT_PERIOD_NS {
        return Err("its period is too long to tell accelerations");
    }
    let (record, usable) = joined(machine, n, recordings);
    let reference_m = record.reference_m.as_deref().unwrap_or(&record.position_m);
    fit_axis(&identify::AxisRecord {
        period_s: machine.cycle.period_ns as f64 / 1e9,
        position_m: &record.position_m,
        current_a: &record.current_a,
        reference_m,
        usable: &usable,
    })
}

fn twin_of(axis: &Axis, fit: &AxisFit) -> AxisTwin {
    let kf = force_constant(axis);
    AxisTwin {
        force_constant_n_per_a: kf,
        mass_kg: kf * fit.inertia.value,
        // Friction cannot drive: what a fit says below zero is zero.
        coulomb_positive_n: (kf * fit.coulomb_a.value).max(0.0),
        coulomb_negative_n: (kf * fit.coulomb_a.value).max(0.0),
        viscous_n_s_per_m: (kf * fit.viscous.value).max(0.0),
        stribeck_n: kf * fit.stribeck_a.value,
        stribeck_velocity_m_per_s: fit.stribeck_velocity_m_per_s,
        gravity_n: kf * fit.gravity_a.value,
        cascade: None,
        current_delay_s: fit.current_delay_s,
        baseline: Vec::new(),
        position_limit_m: None,
        velocity_limit_m_per_s: None,
        current_limit_a: None,
    }
}

fn fit_station(recordings: &[Recording], n: usize) -> Result<StationTwin, &'static str> {
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
    let fit = fit_vacuum(&VacuumRecord {
        period_s,
        pressure_pa: &pressure_pa,
        phase: &phase,
    })?;
    Ok(StationTwin {
        final_pressure_pa: fit.final_pressure_pa,
        evacuation_time_constant_s: fit.time_constant_s,
        leak_pa_per_s: fit.leak_pa_per_s,
        // A spread of nothing would make every later hold a deviation.
        leak_sigma_pa_per_s: fit
            .leak_sigma_pa_per_s
            .max(0.02 * fit.leak_pa_per_s.abs())
            .max(1.0),
        pressure_limit_pa: None,
        noise_pa: None,
    })
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
