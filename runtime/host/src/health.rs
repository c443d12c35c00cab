//! Health: its plan from the configuration, its lines and table at the end of a run, and what is kept of it between two runs.

pub mod book;
pub mod keeper;
pub mod presses;

use crate::names::Names;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt::Write;
use twinstep_config::machine::{Axis, AxisKind, EffortUnit, Press, Station};
use twinstep_cycle::event::Source;
use twinstep_cycle::health::{AxisHealth, AxisHealthPlan, Reading, StationHealth, Usage, Wear};
use twinstep_cycle::pipeline::Pipeline;
use twinstep_models::axis::AxisParams;
use twinstep_models::health::backlash::MeterParams;
use twinstep_models::health::crossing::CrossingParams;
use twinstep_models::health::movement::Scales;

/// Share of the axis' velocity below which bristles make the friction.
const SLOW: f64 = 0.05;

/// The motor's share of the inertia where nobody says it, and what the load's share may then be wrong by, relative to itself: servo
/// axes are built with loads of one to three times the motor's inertia.
const MOTOR_SHARE: (f64, f64) = (0.375, 0.11);
/// What the load's share may be wrong by where the motor's is said.
const SAID_ERROR: f64 = 0.06;

/// Health of an axis, from its twin.
pub fn axis_health(
    axis: &Axis,
    press: Option<&Press>,
    p: &AxisParams,
    period_s: f64,
) -> AxisHealth {
    let speed = axis.motion.velocity_m_per_s.max(1e-3);
    let twin = axis.twin.as_ref();
    // Movements in both directions tell the mean of their frictions; what is left of a difference is to them a constant load.
    let coulomb_a = 0.5 * (p.coulomb_positive_a + p.coulomb_negative_a);
    let constant_a = p.gravity_a + 0.5 * (p.coulomb_positive_a - p.coulomb_negative_a);
    // Without friction of its own an axis is scaled by what its inertia needs.
    let level_a = coulomb_a
        .max(1e-3 * p.inertia * axis.motion.acceleration_m_per_s2.abs())
        .max(1e-9);
    let linked =
        press.is_some_and(|press| press.drive_train.linkage.is_some()) && axis.twin.is_some();
    let (motor_share, crossing_error) =
        (axis.health.motor_inertia_share).map_or(MOTOR_SHARE, |share| (share, SAID_ERROR));
    AxisHealth::new(AxisHealthPlan {
        scales: Scales {
            inertia: p.inertia,
            level_a,
            viscous: p.viscous.max(0.1 * level_a / speed),
            least_m_per_s: SLOW * speed,
        },
        calibrated: [p.inertia, coulomb_a, p.viscous, constant_a],
        force_constant_n_per_a: twin.map_or(1.0, |t| t.force_constant_n_per_a),
        torque_constant_nm_per_a: match axis.effort_unit {
            EffortUnit::Ampere => axis.drive.torque_constant_nm_per_a,
            EffortUnit::Newton => 0.0,
        },
        meter: MeterParams {
            inertia: p.inertia,
            coulomb_a,
            gravity_a: constant_a,
            delay_cycles: twin.map_or(0.0, |t| t.current_delay_s / period_s),
            // Behind a linkage the current of a start is that of the ram too: the meter never sees the axis stand there.
            still_m: if linked { 0.0 } else { 2e-6 },
            period_s,
        },
        crossing: CrossingParams::new(p.viscous, SLOW * speed, motor_share, period_s),
        crossing_error,
        free_until_m: press.map_or(f64::INFINITY, |p| p.stroke.approach_m),
        friction_limit: axis.health.friction_factor,
        backlash_limit_m: axis.health.backlash_gap_m,
        torque_constant_limit: axis.health.torque_constant_fraction,
        stiffness_limit: axis.health.stiffness_factor,
        press: press.is_some(),
        tracked: twin.is_some(),
    })
}

/// Health of a station, from its twin.
pub fn station_health(station: &Station) -> StationHealth {
    let healthy = (station.twin.as_ref()).map(|t| (t.leak_pa_per_s, t.leak_sigma_pa_per_s));
    StationHealth::new(
        healthy,
        healthy.map_or(f64::INFINITY, |(leak, _)| station.leak_factor * leak),
    )
}

/// One tracked parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "health")]
pub struct HealthLine {
    /// Name of the axis, press or station.
    pub source: String,
    /// What is tracked. Of the curves of strokes `gradient` and `tare`, with the names of part and recipe behind them, `gradient:PART:RECIPE`:
    /// of each it is another figure.
    pub parameter: Cow<'static, str>,
    /// The part whose strokes it is of; absent for what has none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub part: Option<String>,
    /// The recipe that these strokes were in; absent for what has none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recipe: Option<String>,
    /// Value, in `unit`.
    pub value: f64,
    /// Its standard deviation.
    pub sigma: f64,
    /// Healthy value; `null` where it is not known yet.
    pub healthy: Option<f64>,
    /// Value at the end of life; `null` where it is not known yet.
    #[serde(default)]
    pub limit: Option<f64>,
    /// It may be more than `value`.
    #[serde(default)]
    pub lower_bound: bool,
    /// Movements that were not used, because too many kinds come: of a lost motion, and of the curves of strokes.
    #[serde(default)]
    pub left_out: u32,
    /// Unit.
    pub unit: Cow<'static, str>,
    /// Inferred, not measured.
    pub inferred: bool,
    /// Trend per hour of the mean use so far; `null` where too little was seen.
    pub trend_per_hour: Option<f64>,
    /// The trend stands out of its error and is the parameter's own.
    pub trend_significant: bool,
    /// Remaining useful life.
    pub life: LifeLine,
}

/// Remaining useful life: lower end, middle and upper end of a 90 % interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum LifeLine {
    /// It is not known yet.
    NotYetKnown {
        /// Why.
        reason: Cow<'static, str>,
    },
    /// It is known.
    Known {
        /// Strokes.
        strokes: [f64; 3],
        /// Way (m; rad of a rotary axis).
        metres: [f64; 3],
        /// Hours.
        hours: [f64; 3],
    },
}

fn line(source: &str, kind: AxisKind, r: &Reading, usage: Usage) -> HealthLine {
    // What wears is the measure; hours and the other follow from the mean use so far, idle hours included.
    let worn = usage.of(r.over);
    let ratio = |one: f64, of: f64| if of > 0.0 { one / of } else { 0.0 };
    HealthLine {
        source: source.to_owned(),
        parameter: r.parameter.into(),
        part: None,
        recipe: None,
        value: r.value,
        sigma: r.sigma,
        healthy: r.healthy,
        limit: r.limit,
        lower_bound: r.lower_bound,
        left_out: r.left_out,
        unit: kind.unit(r.unit).into(),
        inferred: r.inferred,
        trend_per_hour: r.trend.map(|t| t.slope * ratio(worn, usage.hours)),
        trend_significant: r.trend.is_some_and(|t| t.significant),
        life: match r.life {
            Err(why) => LifeLine::NotYetKnown {
                reason: why.text().into(),
            },
            Ok(life) => LifeLine::Known {
                strokes: life.map(|l| l * ratio(usage.strokes as f64, worn)),
                metres: life.map(|l| l * ratio(usage.metres, worn)),
                hours: life.map(|l| l * ratio(usage.hours, worn)),
            },
        },
    }
}

/// How a tracked parameter has gone over what wears it: since it is followed, over all runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CourseLine {
    /// Name of the axis, press or station.
    pub source: String,
    /// What is tracked, as in the line.
    pub parameter: Cow<'static, str>,
    /// Unit of the values.
    pub unit: &'static str,
    /// What wears: `metres`, of a rotary axis `radians`, or `strokes` (of a station, holds).
    pub over: &'static str,
    /// So much of it was used so far.
    pub used: f64,
    /// Healthy value; `null` where it is not known yet.
    pub healthy: Option<f64>,
    /// Value at the end of life; `null` where it is not known yet.
    pub limit: Option<f64>,
    /// Trend per metre or stroke; `null` where too little was seen.
    pub trend: Option<f64>,
    /// The trend stands out of its error and is the parameter's own.
    pub trend_significant: bool,
    /// Remaining life in what wears: lower end, middle and upper end of a 90 % interval; `null` where it is not known yet.
    pub life: Option<[f64; 3]>,
    /// What was used, and the value, as means of equally many movements; the oldest first.
    pub points: Vec<[f64; 2]>,
}

impl CourseLine {
    /// That of a reading of `source`.
    pub fn of(source: &str, kind: AxisKind, r: &Reading, usage: Usage) -> Self {
        let points = r.course.usage.iter().zip(&r.course.value);
        Self {
            source: source.to_owned(),
            parameter: r.parameter.into(),
            unit: kind.unit(r.unit),
            over: match (r.over, kind) {
                (Wear::Metres, AxisKind::Linear) => "metres",
                (Wear::Metres, AxisKind::Rotary) => "radians",
                (Wear::Strokes, _) => "strokes",
            },
            used: usage.of(r.over),
            healthy: r.healthy,
            limit: r.limit,
            trend: r.trend.map(|trend| trend.slope),
            trend_significant: r.trend.is_some_and(|trend| trend.significant),
            life: r.life.ok(),
            points: points
                .take(r.course.count)
                .map(|(used, value)| [*used, *value])
                .collect(),
        }
    }
}

/// Adds the lines of axis or press `n`.
pub fn axis_lines(names: &Names, n: u16, health: &AxisHealth, lines: &mut Vec<HealthLine>) {
    let (source, readings, usage) = (Source::Axis(n), health.readings(), health.usage());
    let (name, kind) = (names.source(source), names.moves(source));
    let readings = readings.iter().flatten();
    lines.extend(readings.map(|r| line(name, kind, r, usage)));
}

/// The line of a station called `name`; none before its first hold.
pub fn station_line(name: &str, health: &StationHealth) -> Option<HealthLine> {
    let reading = health.reading()?;
    Some(line(name, AxisKind::Linear, &reading, health.usage()))
}

/// All lines of a pipeline.
pub fn lines(pipeline: &Pipeline<'_>, names: &Names) -> Vec<HealthLine> {
    let mut lines = Vec::new();
    for n in 0..pipeline.plan().axes.len() {
        if let Some(health) = pipeline.health(n) {
            axis_lines(names, n as u16, health, &mut lines);
        }
    }
    for (n, plan) in pipeline.plan().presses.iter().enumerate() {
        if let Some(health) = pipeline.press_health(n) {
            presses::press_lines(names, plan.axis, health, &mut lines);
        }
    }
    for n in 0..pipeline.plan().stations.len() {
        if let Some(health) = pipeline.station_health(n) {
            lines.extend(station_line(
                names.source(Source::Station(n as u16)),
                health,
            ));
        }
    }
    lines
}

/// The lines as a table.
pub fn text(lines: &[HealthLine]) -> String {
    // Names of parts and recipes may be long.
    let wide = lines.iter().map(|l| l.parameter.len()).fold(15, usize::max);
    let mut text = format!(
        "{:<12} {:<wide$} {:>11} {:>10} {:>11} {:<6} life (90 %)",
        "health", "parameter", "value", "sigma", "healthy", "unit"
    );
    for l in lines {
        let healthy = l.healthy.map_or("-".to_owned(), |h| format!("{h:.4e}"));
        let value = format!("{}{:.4e}", if l.lower_bound { ">" } else { "" }, l.value);
        let life = match &l.life {
            LifeLine::NotYetKnown { reason } => format!("not yet known: {reason}"),
            LifeLine::Known {
                hours: [a, m, b], ..
            } => format!("{m:.3} h ({a:.3} to {b:.3})"),
        };
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n{:<12} {:<wide$} {:>11} {:>10.1e} {:>11} {:<6} {}",
            l.source, l.parameter, value, l.sigma, healthy, l.unit, life
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use twinstep_models::health::trend::{Reservoir, Trend};

    /// To movements in both directions a difference of their frictions is a load: health is that of the twin whose gravity holds it.
    #[test]
    fn a_difference_of_the_directions_is_a_load_to_health() {
        let machine =
            twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").expect("shipped");
        let axis = &machine.axes[0];
        // Powers of two: sums and halves of them are exact.
        let of = |positive_a: f64, negative_a: f64, gravity_a: f64| {
            let p = AxisParams {
                inertia: 0.25,
                coulomb_positive_a: positive_a,
                coulomb_negative_a: negative_a,
                viscous: 0.5,
                gravity_a,
                ..AxisParams::IDLE
            };
            format!("{:?}", axis_health(axis, None, &p, 1e-3))
        };
        assert_eq!(of(0.875, 0.625, 0.5), of(0.75, 0.75, 0.625));
        assert_eq!(of(0.625, 0.875, 0.5), of(0.75, 0.75, 0.375));
        assert_ne!(of(0.875, 0.625, 0.5), of(0.75, 0.75, 0.5));
    }

    #[test]
    fn hours_follow_from_what_wears_and_its_mean_use() {
        let usage = Usage {
            hours: 8.0,
            strokes: 400,
            metres: 1600.0,
        };
        for (over, strokes, metres, hours) in [
            (Wear::Metres, 25.0, 100.0, 0.5),
            (Wear::Strokes, 100.0, 400.0, 2.0),
        ] {
            let reading = Reading {
                parameter: "coulomb",
                unit: "N",
                value: 3.0,
                sigma: 0.1,
                healthy: Some(2.0),
                limit: Some(4.0),
                lower_bound: false,
                left_out: 0,
                inferred: false,
                over,
                course: Reservoir::default().points(),
                trend: Some(Trend {
                    slope: 0.001,
                    sigma: 0.0001,
                    significant: true,
                }),
                life: Ok([50.0, 100.0, 200.0]),
            };
            let turned = line("x", AxisKind::Rotary, &reading, usage);
            assert_eq!(turned.unit, "N m");
            let line = line("x", AxisKind::Linear, &reading, usage);
            assert_eq!(line.unit, "N");
            let expected = LifeLine::Known {
                strokes: [0.5 * strokes, strokes, 2.0 * strokes],
                metres: [0.5 * metres, metres, 2.0 * metres],
                hours: [0.5 * hours, hours, 2.0 * hours],
            };
            assert_eq!(line.life, expected);
            let per_hour = 0.001 * usage.of(over) / usage.hours;
            assert_eq!(line.trend_per_hour, Some(per_hour));
        }
    }
}
