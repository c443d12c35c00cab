//! Gains of a drive's table against what a recording says of them.

use super::axis::AxisReport;
use twinstep_config::machine::{Axis, EffortUnit};
use twinstep_drivers::recording::{AxisRecord, Recording};
use twinstep_models::identify::{self, GainTable, GainsFit, fit_gains};
use twinstep_models::sample::Told;

/// Samples of the recording that are looked at.
pub(super) const LOOKED_AT: usize = 30_000;
/// Share of the current limit from which a sample may be limited.
const LIMITED: f64 = 0.98;

/// What a recording says of the gains of a drive, beside its table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gains {
    /// As the drive's table has them.
    pub table: GainTable,
    /// As they were identified.
    pub fit: GainsFit,
}

impl Gains {
    /// Position gain (1/s), velocity gain (A s/m) and integral time (s) that are written.
    pub(super) fn written(&self) -> [f64; 3] {
        let (table, fit) = (&self.table, &self.fit);
        let found = [&fit.position_gain_per_s, &fit.velocity_gain];
        let told = [table.position_gain_per_s, table.velocity_gain];
        let [kx, kv] = [0, 1].map(|n| {
            if fit.another[n] {
                found[n].value
            } else {
                told[n]
            }
        });
        let time = fit.integral_time_s.filter(|_| fit.contradicts);
        [kx, kv, time.map_or(table.integral_time_s, |t| t.value)]
    }
}

/// Identifies the gains of an axis whose drive has a table; none where the recording is not of that kind, and in words where it does not
/// say them.
pub(super) fn identify(
    axis: &Axis,
    recording: &Recording,
    record: &AxisRecord,
) -> Option<Result<Gains, String>> {
    let (drive, reference) = (&axis.drive, record.reference_m.as_ref()?);
    let table = GainTable {
        position_gain_per_s: drive.position_gain_per_s,
        velocity_gain: drive.velocity_gain_a_s_per_m,
        integral_time_s: drive.velocity_integral_time_s,
        current_time_constant_s: drive.current_time_constant_s,
        current_filter_s: drive.torque_filter_s,
    };
    let told_all = [
        table.position_gain_per_s,
        table.velocity_gain,
        table.integral_time_s,
    ];
    if axis.effort_unit != EffortUnit::Ampere || told_all.iter().any(|gain| *gain <= 0.0) {
        return None;
    }
    let limit_a = drive.rated_current_a * f64::from(drive.max_torque_permille) / 1000.0;
    let length = recording.time_s.len();
    let usable: Vec<bool> = (0..length)
        .map(|k| {
            // With another mode or offset the loops follow something else.
            let csp = (record.told.get(k)).is_none_or(|(told, speed, a)| {
                *told == Told::Position && *speed == 0.0 && *a == 0.0
            });
            let finite = record.position_m[k].is_finite() && reference[k].is_finite();
            // No number is not below the limit.
            let below = record.current_a[k].abs() < LIMITED * limit_a;
            record.enabled[k] && csp && finite && below && !recording.segments.contains(&k)
        })
        .collect();
    if !usable.contains(&true) {
        let csp = |told: &(Told, f64, f64)| Told::Position.same_mode(told.0);
        return record.told.iter().any(csp).then(|| {
            Err("no sample of it is in csp without offsets, enabled and below the limit of the current".to_owned())
        });
    }
    let fit = fit_gains(
        &identify::AxisRecord {
            period_s: recording.period_s,
            position_m: &record.position_m[..length],
            current_a: &record.current_a[..length],
            reference_m: &reference[..length],
            usable: &usable,
        },
        &table,
    );
    Some(fit.map(|fit| Gains { table, fit }))
}

/// Puts what was found into the report, with a warning where there is one.
pub(super) fn report(found: Option<Result<Gains, String>>, report: &mut AxisReport) {
    match found {
        Some(Ok(gains)) => {
            if gains.fit.contradicts {
                let (table, [kx, kv, time_s]) = (&gains.table, gains.written());
                let [told, with] = gains.fit.not_fitted_rms_a;
                report.warnings.push(format!(
                    "the gains of the drive's table are not those of the recording: position gain {kx:.2} for {:.2} /s, velocity gain {kv:.2} for {:.2} A s/m, integral time {:.2} for {:.2} ms; with them {with:.4} A instead of {told:.4} A are left of the half that was not fitted, and they are written: look whether the table is the drive's",
                    table.position_gain_per_s,
                    table.velocity_gain,
                    1e3 * time_s,
                    1e3 * table.integral_time_s,
                ));
            }
            report.gains = Some(gains);
        }
        Some(Err(why)) => (report.warnings).push(format!(
            "gains of the drive not identified: {why} (of the first recording, {LOOKED_AT} samples at most)"
        )),
        None => {}
    }
}
