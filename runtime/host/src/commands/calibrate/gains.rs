//! The gains of a drive in what `calibrate` shows.

use crate::calibration;
use crate::calibration::axis::AxisReport;
use serde::Serialize;
use twinstep_config::machine::Axis;
use twinstep_models::identify::Estimate;

/// Gains of the chosen cascade, `[value, standard error]` where they were fitted to the recording.
#[derive(Serialize)]
pub(super) struct Gains {
    pub(super) fitted: bool,
    pub(super) position_gain_per_s: [Option<f64>; 2],
    pub(super) velocity_gain: [Option<f64>; 2],
    pub(super) velocity_feedforward: [Option<f64>; 2],
    pub(super) dead_time_s: f64,
    /// Where the dead time was fitted.
    pub(super) dead_time_standard_error_s: Option<f64>,
    pub(super) sampled: bool,
    pub(super) residual_rms: Option<f64>,
    pub(super) identified: Option<Identified>,
}

/// What the recording says of the gains of a drive's table, `[table, identified, standard error]`.
#[derive(Serialize)]
pub(super) struct Identified {
    pub(super) position_gain_per_s: [f64; 3],
    pub(super) velocity_gain: [f64; 3],
    /// None where the recording does not contradict the table's.
    pub(super) velocity_integral_time_s: Option<[f64; 3]>,
    pub(super) dead_time_s: f64,
    pub(super) dead_time_standard_error_s: f64,
    pub(super) velocity_lag_s: f64,
    /// Residual of a quarter that nothing was fitted to or chosen by: with the table, and with what was identified.
    pub(super) not_fitted_rms: [f64; 2],
    /// In the twin, because the table is contradicted.
    pub(super) written: bool,
}

/// What is told of the cascade of a twin; none without one.
pub(super) fn gains(axis: &Axis, one: &AxisReport, period_s: f64) -> Option<Gains> {
    let cascade = axis.twin.as_ref()?.cascade?;
    let error = |n: usize| one.cascade.map(|fit| fit.standard_errors[n]);
    Some(Gains {
        fitted: one.cascade.is_some(),
        position_gain_per_s: [Some(cascade.position_gain_per_s), error(0)],
        velocity_gain: [Some(cascade.velocity_gain_a_s_per_m), error(1)],
        velocity_feedforward: [Some(cascade.velocity_feedforward), error(2)],
        dead_time_s: cascade.dead_time_s,
        dead_time_standard_error_s: (one.cascade.and_then(|fit| fit.dead_error_cycles))
            .map(|cycles| cycles * period_s),
        sampled: cascade.sampled,
        residual_rms: one.cascade.map(|fit| fit.residual_rms_a),
        identified: one.gains.as_ref().map(identified),
    })
}

/// What the recording says beside the drive's table.
pub(super) fn identified(gains: &calibration::gains::Gains) -> Identified {
    let (table, fit) = (&gains.table, &gains.fit);
    let beside = |told: f64, e: &Estimate| [told, e.value, e.standard_error];
    Identified {
        position_gain_per_s: beside(table.position_gain_per_s, &fit.position_gain_per_s),
        velocity_gain: beside(table.velocity_gain, &fit.velocity_gain),
        velocity_integral_time_s: (fit.integral_time_s.as_ref())
            .map(|time| beside(table.integral_time_s, time)),
        dead_time_s: fit.dead_time_s,
        dead_time_standard_error_s: fit.dead_time_error_s,
        velocity_lag_s: fit.velocity_lag_s,
        not_fitted_rms: fit.not_fitted_rms_a,
        written: fit.contradicts(),
    }
}
