//! The figures for a person: a table an axis, one column a machine.

use super::changes::{Change, NotSet, Setting};
use super::lines::Case;
use super::motor::MotorFigures;
use super::servo_figures::ServoFigures;
use super::simulate::AxisResult;
use super::verdict;
use crate::tables::number;
use std::fmt::Write;
use twinstep_config::machine::AxisKind;

/// Width of the first column, and of the others.
const FIRST: usize = 22;
const OTHER: usize = 14;

/// One axis of every machine that is compared.
pub type Row<'a> = [(Case, &'a AxisResult)];

/// A share as percent.
pub fn percent(share: f64) -> String {
    let value = 100.0 * share;
    if value.abs() >= 10.0 || value == 0.0 {
        format!("{value:.0} %")
    } else if value.abs() >= 0.1 {
        format!("{value:.1} %")
    } else {
        format!("{value:.2} %")
    }
}

/// A short way (m; rad of a rotary axis).
pub fn length(kind: AxisKind, si: f64) -> String {
    let ((way, unit), (fine, small)) = (kind.way(), kind.small());
    // A millimetre is shown as such, a tenth of a degree too.
    let (least, digits) = match kind {
        AxisKind::Linear => (1.0, 1),
        AxisKind::Rotary => (0.1, 2),
    };
    let size = si.abs();
    if size * way >= least {
        format!("{:.digits$} {unit}", way * si)
    } else if size * fine >= 10.0 {
        format!("{:.0} {small}", fine * si)
    } else {
        format!("{:.2} {small}", fine * si)
    }
}

/// A short time.
fn time(s: Option<f64>) -> String {
    s.map_or_else(|| "-".to_owned(), |s| format!("{:.0} ms", 1e3 * s))
}

/// A time of minutes or hours.
pub fn minutes(s: f64) -> String {
    if s < 5400.0 {
        format!("{:.1} min", s / 60.0)
    } else {
        format!("{:.1} h", s / 3600.0)
    }
}

/// A change in words.
pub fn change_text(change: &Change) -> String {
    let value = |setting: &Setting| match setting {
        Setting::Number(value) => format!("{}{}", number(*value), change.unit),
        Setting::Name(name) => name.clone(),
    };
    format!(
        "{}: {} -> {}",
        super::changes::name_of(change),
        value(&change.from),
        value(&change.to)
    )
}

/// What was set for all and is not of this axis, in words.
pub fn not_set_text(one: &NotSet) -> String {
    format!(
        "{}.{} is left as it is: {}",
        one.source, one.key, one.reason
    )
}

/// The table of one axis.
pub fn axis_text(row: &Row<'_>, band_m: f64) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_axis(&mut text, row, band_m);
    text.truncate(text.trim_end().len());
    text
}

fn write_axis(text: &mut String, row: &Row<'_>, band_m: f64) -> std::fmt::Result {
    let Some((_, first)) = row.first() else {
        return Ok(());
    };
    write!(text, "{:<FIRST$}", first.source)?;
    for (case, _) in row {
        write!(text, " {:>OTHER$}", case.title())?;
    }
    if row.len() > 1 {
        write!(text, " {:>9}", "change")?;
    }
    text.push('\n');
    let unit = first.unit;
    let effort = |value: f64| format!("{} {unit}", number(value));
    let mut line = |name: &str, get: &dyn Fn(&AxisResult) -> f64, show: &dyn Fn(f64) -> String| {
        let values: Vec<f64> = row.iter().map(|(_, axis)| get(axis)).collect();
        write_line(text, name, &values, show)
    };
    if !first.moves.is_empty() {
        line("round", &|a| a.round.length_s, &|s| format!("{s:.3} s"))?;
    }
    line("peak current", &|a| a.whole.peak_a, &effort)?;
    line("  of the limit", &|a| a.whole.peak_a / a.limit_a, &percent)?;
    line("RMS current", &|a| a.whole.rms_a(), &effort)?;
    if first.rated_a.is_some() {
        let load = |a: &AxisResult| a.rated_a.map_or(f64::NAN, |rated| a.whole.rms_a() / rated);
        line("  of the rated one", &load, &percent)?;
        line("  heat", &|a| load(a) * load(a), &percent)?;
    }
    let limited = |a: &AxisResult| a.whole.limited as f64 / a.whole.samples.max(1) as f64;
    line("time at the limit", &limited, &percent)?;
    line("following error", &|a| a.whole.following_error_m, &|si| {
        length(first.kind, si)
    })?;
    line("work, driving", &|a| a.whole.drive_j, &|j| {
        format!("{} J", number(j))
    })?;
    line("  braking", &|a| a.whole.brake_j, &|j| {
        format!("{} J", number(j))
    })?;
    if row.iter().any(|(_, axis)| axis.whole.part_n > 0.0) {
        line("force of the part", &|a| a.whole.part_n, &|n| {
            format!("{} N", number(n))
        })?;
        line("  work into it", &|a| a.whole.part_j, &|j| {
            format!("{} J", number(j))
        })?;
    }
    write_motor(text, row)?;
    write_moves(text, row)?;
    for (case, axis) in row {
        let said = verdict::verdict(axis, band_m);
        match row.len() {
            1 => writeln!(text, "{said}")?,
            _ => writeln!(text, "{}: {said}", case.title())?,
        }
    }
    Ok(())
}

/// What the motor says, where it is known in every machine.
fn write_motor(text: &mut String, row: &Row<'_>) -> std::fmt::Result {
    let known: Vec<_> = row
        .iter()
        .filter_map(|(_, axis)| axis.motor.as_ref())
        .collect();
    let figures: Vec<&MotorFigures> = known.iter().filter_map(|one| one.as_ref().ok()).collect();
    if figures.len() < row.len() {
        return match known.into_iter().find_map(|one| one.as_ref().err()) {
            Some(why) => writeln!(text, "motor: {why}"),
            None => Ok(()),
        };
    }
    let mut line = |name: &str, get: fn(&MotorFigures) -> f64, show: &dyn Fn(f64) -> String| {
        let values: Vec<f64> = figures.iter().map(|one| get(one)).collect();
        write_line(text, name, &values, show)
    };
    line("voltage of the motor", |m| m.voltage_share, &percent)?;
    line("  time at its limit", |m| m.limited_share, &percent)?;
    line("winding", |m| m.winding_c, &|c| format!("{c:.0} degC"))?;
    write_servo(text, row, &figures)
}

/// What the servo axis in full shows, where it is known in every machine.
fn write_servo(text: &mut String, row: &Row<'_>, figures: &[&MotorFigures]) -> std::fmt::Result {
    let all: Vec<&ServoFigures> = figures
        .iter()
        .filter_map(|one| one.servo.as_ref())
        .collect();
    let Some((_, first)) = row.first().filter(|_| all.len() == row.len()) else {
        return Ok(());
    };
    let effort = |a: f64| format!("{} {}", number(a), first.unit);
    let way = |si: f64| length(first.kind, si);
    let hz = |hz: f64| format!("{hz:.1} Hz");
    type Get = fn(&ServoFigures) -> Option<f64>;
    type Show<'a> = &'a dyn Fn(f64) -> String;
    let lines: [(&str, Get, Show<'_>); 11] = [
        ("in full: peak current", |s| Some(s.peak_a), &effort),
        ("  time at the limit", |s| Some(s.limited_share), &percent),
        ("  at speed, forward", |s| s.positive_a, &effort),
        ("  at speed, back", |s| s.negative_a, &effort),
        ("  ripple at speed", |s| s.ripple_a, &effort),
        ("  following error", |s| Some(s.following_error_m), &way),
        ("  lost motion", |s| s.lost_motion_m, &way),
        ("  load off at rest", |s| s.rest_error_m, &way),
        ("  swing at rest", |s| s.swing_m, &way),
        ("  resonance", |s| s.resonance_hz, &hz),
        ("  with motor held", |s| s.antiresonance_hz, &hz),
    ];
    for (name, get, show) in lines {
        let values: Option<Vec<f64>> = all.iter().map(|one| get(one)).collect();
        if let Some(values) = values {
            write_line(text, name, &values, show)?;
        }
    }
    Ok(())
}

/// A figure of every machine, and how the last differs from the one before.
fn write_line(
    text: &mut String,
    name: &str,
    values: &[f64],
    show: &dyn Fn(f64) -> String,
) -> std::fmt::Result {
    write!(text, "{name:<FIRST$}")?;
    for value in values {
        write!(text, " {:>OTHER$}", show(*value))?;
    }
    if let [.., from, to] = values
        && *from != 0.0
        && to.is_finite()
    {
        let change = to / from - 1.0;
        if change.abs() >= 5e-4 {
            let change = format!("{:+.1} %", 100.0 * change);
            write!(text, " {change:>9}")?;
        }
    }
    text.push('\n');
    Ok(())
}

/// The moves: a line each, and each value of every machine in its cell.
fn write_moves(text: &mut String, row: &Row<'_>) -> std::fmt::Result {
    let Some((_, first)) = row.first() else {
        return Ok(());
    };
    if first.moves.is_empty() {
        return Ok(());
    }
    let unit = first.unit;
    let (way, way_unit) = first.kind.way();
    let length = |si: f64| length(first.kind, si);
    writeln!(
        text,
        "  {:>2} {:<20} {:>15} {:>17} {:>17} {:>17} {:>19} {:>17}",
        "",
        format!("move ({way_unit})"),
        "time (s)",
        "settling",
        format!("peak ({unit})"),
        "at limit",
        "following error",
        "overshoot"
    )?;
    for n in 0..first.moves.len() {
        let planned = &first.round.moves[n];
        let cell = |get: &dyn Fn(&AxisResult) -> String| {
            let mut values: Vec<String> = row.iter().map(|(_, axis)| get(axis)).collect();
            values.dedup();
            values.join(" > ")
        };
        let settling = |axis: &AxisResult| {
            // Without a rest nothing has time to settle.
            let rests = axis.round.moves[n].dwell_s > 0.0;
            time(axis.moves[n].settling_s.filter(|_| rests))
        };
        writeln!(
            text,
            "  {:>2} {:<20} {:>15} {:>17} {:>17} {:>17} {:>19} {:>17}",
            n + 1,
            format!("{:.1} -> {:.1}", way * planned.from_m, way * planned.to_m),
            cell(&|a| format!("{:.3}", a.round.moves[n].move_s)),
            cell(&settling),
            cell(&|a| number(a.moves[n].figures.peak_a)),
            cell(&|a| time(Some(a.moves[n].figures.limited as f64 * a.period_s))),
            cell(&|a| length(a.moves[n].figures.following_error_m)),
            cell(&|a| length(a.moves[n].overshoot_m)),
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_ways_are_short() {
        assert_eq!(
            [percent(0.0), percent(0.1234), percent(0.0049), percent(1.5)],
            ["0 %", "12 %", "0.5 %", "150 %"].map(str::to_owned)
        );
        assert_eq!(
            [0.0041, 5e-5, 3e-8].map(|m| length(AxisKind::Linear, m)),
            ["4.1 mm", "50 um", "0.03 um"].map(str::to_owned)
        );
        let degree = std::f64::consts::PI / 180.0;
        assert_eq!(
            [4.1, 0.25, 0.05, 3e-5].map(|deg| length(AxisKind::Rotary, deg * degree)),
            ["4.10 deg", "0.25 deg", "50 mdeg", "0.03 mdeg"].map(str::to_owned)
        );
        assert_eq!(
            (time(None), time(Some(0.0124))),
            ("-".to_owned(), "12 ms".to_owned())
        );
    }

    #[test]
    fn a_change_reads_as_from_and_to() {
        let change = Change {
            of_all: false,
            source: Some("carriage".into()),
            key: "velocity",
            from: Setting::Number(0.5),
            to: Setting::Number(0.6),
            unit: "m/s",
        };
        assert_eq!(
            change_text(&change),
            "carriage.velocity: 0.5000m/s -> 0.6000m/s"
        );
    }

    #[test]
    fn two_machines_are_two_columns_and_their_difference() {
        let mut axis = AxisResult {
            source: "x".into(),
            unit: "A",
            limit_a: 10.0,
            ..AxisResult::default()
        };
        axis.whole.samples = 1;
        axis.whole.peak_a = 5.0;
        let mut other = axis.clone();
        other.whole.peak_a = 6.0;
        let text = axis_text(&[(Case::AsIs, &axis), (Case::WouldBe, &other)], 5e-5);
        let peak = text
            .lines()
            .find(|line| line.starts_with("peak current"))
            .unwrap();
        assert!(
            peak.contains("5.000 A") && peak.contains("6.000 A") && peak.ends_with("+20.0 %"),
            "{text}"
        );
        assert!(
            text.contains("would be: within its limits: peak at 60 %"),
            "{text}"
        );
        let one = axis_text(&[(Case::AsIs, &axis)], 5e-5);
        assert!(
            !one.contains("change") && one.ends_with("peak at 50 % of the current limit"),
            "{one}"
        );
    }
}
