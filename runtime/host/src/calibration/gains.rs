//! Gains of a drive's table against what the recordings say of them.

mod motion;

use super::axis::AxisReport;
use motion::{Motion, most_telling};
use twinstep_config::machine::{Axis, EffortUnit};
use twinstep_drivers::recording::Recording;
use twinstep_models::identify::{GainTable, GainsFit, fit_gains};
use twinstep_models::sample::Told;

/// Samples that are looked at, of all recordings together.
const LOOKED_AT: usize = 30_000;
/// Share of the current limit from which a sample may be limited.
const LIMITED: f64 = 0.98;

/// What recordings say of the gains of a drive, beside its table.
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
        let time = fit.integral_time_s.filter(|_| fit.contradicts());
        [kx, kv, time.map_or(table.integral_time_s, |t| t.value)]
    }
}

/// Identifies the gains of axis `n` whose drive has a table; none where the recordings are not of that kind, and in words where they do not
/// say them.
pub(super) fn identify(
    axis: &Axis,
    n: usize,
    recordings: &[Recording],
) -> Option<Result<Gains, String>> {
    let drive = &axis.drive;
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
    let limit_a = LIMITED * drive.rated_current_a * f64::from(drive.max_torque_permille) / 1000.0;
    let all: Vec<Motion<'_>> = (recordings.iter())
        .filter_map(|recording| Motion::new(recording, n, limit_a))
        .collect();
    let period_s = recordings.first()?.period_s;
    if all.is_empty() {
        return None;
    }
    let chosen = most_telling(&all, period_s, LOOKED_AT);
    if chosen.usable.is_empty() {
        let csp = |told: &(Told, f64, f64)| Told::Position.same_mode(told.0);
        return all.iter().any(|one| one.record.told.iter().any(csp)).then(|| {
            Err("no sample of them is in csp without offsets, enabled and below the limit of the current".to_owned())
        });
    }
    let fit = fit_gains(&chosen.record(period_s), &table);
    Some(fit.map(|fit| Gains { table, fit }))
}

/// Puts what was found into the report, with a warning where there is one.
pub(super) fn report(found: Option<Result<Gains, String>>, report: &mut AxisReport) {
    match found {
        Some(Ok(gains)) => {
            if gains.fit.contradicts() {
                let (table, [kx, kv, time_s]) = (&gains.table, gains.written());
                let [told, with] = gains.fit.not_fitted_rms_a;
                report.warnings.push(format!(
                    "the gains of the drive's table are not those of the recording: position gain {kx:.2} for {:.2} /s, velocity gain {kv:.2} for {:.2} A s/m, integral time {:.2} for {:.2} ms; with them {with:.4} A instead of {told:.4} A are left of the quarter that nothing was fitted to or chosen by, and they are written: look whether the table is the drive's",
                    table.position_gain_per_s,
                    table.velocity_gain,
                    1e3 * time_s,
                    1e3 * table.integral_time_s,
                ));
            }
            report.gains = Some(gains);
        }
        Some(Err(why)) => (report.warnings).push(format!(
            "gains of the drive not identified: {why} (of all recordings, the {LOOKED_AT} samples with most acceleration)"
        )),
        None => {}
    }
}
