//! Whether mass, friction and loops of a twin belong together: each may be within its bounds, and all of them be those of no machine.

use super::Whole;
use crate::check::{Check, duration};
use crate::machine::AxisTwin;
use crate::raw::TwinTable;
use twinstep_models::axis::range::{self, LoopsError, Rate};
use twinstep_models::axis::transition::RATE_MAX;

/// Refuses a twin that is too fast for its period, and loops that grow by themselves. `carried_kg` is what it moves behind a linkage wherever it
/// is (kg).
pub(super) fn loops(
    raw: &TwinTable,
    twin: &AxisTwin,
    carried_kg: f64,
    whole: &Whole,
    check: &mut Check,
) {
    let axis = twin.loops();
    let carried = carried_kg / twin.force_constant_n_per_a;
    let figures = [
        axis.inertia,
        axis.viscous,
        axis.position_gain_per_s,
        axis.velocity_gain,
        axis.integral_gain,
        axis.velocity_feedforward,
        axis.current_time_constant_s,
        axis.current_filter_s,
        carried,
    ];
    // What has a problem already is no number, and without a period there is no rate.
    if whole.period_ns == 0 || figures.iter().any(|x| x.is_nan()) {
        return;
    }
    let Err(error) = range::loops_carrying(&axis, carried, whole.period_ns as f64 / 1e9) else {
        return;
    };
    let (viscous, mass) = (&raw.viscous, raw.mass.scalar.shown());
    let period = duration(whole.period_ns);
    let cascade = raw.cascade.as_ref();
    match error {
        LoopsError::TooFast {
            of,
            per_period,
            lag_s,
        } => {
            let velocity = cascade.map(|c| (&c.velocity_gain.span, c.velocity_gain.scalar.shown()));
            let position = cascade.map(|c| (&c.position_gain.span, c.position_gain.scalar.shown()));
            let integral = cascade.and_then(|c| c.integral_gain.as_ref());
            let integral = integral.map(|gain| (&gain.span, gain.scalar.shown()));
            let (key, place) = match of {
                Rate::Viscous => ("viscous", None),
                Rate::Velocity => ("velocity_gain", velocity),
                Rate::Integral => ("integral_gain", integral),
                Rate::Position => ("position_gain", position),
            };
            let (span, shown) = place.unwrap_or((&viscous.span, viscous.scalar.shown()));
            let lag = duration((lag_s * 1e9).round() as u64);
            check.problem(
                span,
                format!(
                    "`{key}` is {shown}, and beside a `mass` of {mass} it acts {per_period:.1e} times within the period of {period}: a twin follows up to {RATE_MAX:e} ({})",
                    made_of(of, &lag)
                ),
                "faster than any machine",
                format!(
                    "check the units of `{key}`, `mass` and `force_constant`{}",
                    match of {
                        Rate::Viscous => "",
                        _ => "; or leave the table of the cascade out where the period is as long as that of a slow recording: the axis is predicted from its measured current then",
                    }
                ),
            );
        }
        LoopsError::Unstable { growth } => check.problem(
            cascade.map_or(&raw.mass.span, |c| &c.velocity_gain.span),
            format!(
                "with these gains and a `mass` of {mass}{} the loops of the drive grow by {growth:.3e} of themselves in every period of {period} instead of settling",
                if carried_kg > 0.0 {
                    format!(" and {carried_kg:.3} kg of the ram, where it goes slowest,")
                } else {
                    String::new()
                }
            ),
            "oscillates ever more",
            "check the units of `position_gain`, `velocity_gain`, `integral_gain` and `current_time_constant`; without the table of the cascade the axis is predicted from its measured current",
        ),
    }
}

/// How that figure comes about, so that it can be computed again: `lag` is that of the current as it is judged.
fn made_of(of: Rate, lag: &str) -> String {
    let lag = format!(
        "period / lag, the lag of the current being {lag}: `current_time_constant`, or a 32nd of the period where that is longer"
    );
    match of {
        Rate::Viscous => "`viscous` x period / `mass`".to_owned(),
        Rate::Velocity => format!("`velocity_gain` x `force_constant` x period / `mass` x {lag}"),
        Rate::Integral => {
            "`integral_gain` x `force_constant` x period x period / `mass`".to_owned()
        }
        Rate::Position => format!(
            "`position_gain` x `force_constant` x period x period / `mass`, times `integral_gain` x period or, what is larger, times `velocity_gain` x {lag}"
        ),
    }
}
