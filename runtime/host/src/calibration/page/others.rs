//! Stations and parts on the page of a calibration: a table each, before and after.

use super::super::Report;
use super::super::gains::Gains;
use super::{escaped, shown};
use crate::in_force;
use std::fmt::Write;
use twinstep_config::machine::{AxisKind, Machine};

/// A row: what it is, before, written, its standard error, and its unit.
type Row<'a> = (&'a str, Option<f64>, f64, Option<f64>, &'a str);

/// Writes a table for every station that was fitted and every part, and a sentence for every envelope.
pub(super) fn write(
    out: &mut String,
    before: &Machine,
    after: &Machine,
    report: &Report,
) -> std::fmt::Result {
    for (n, fit) in &report.stations {
        let (Some(old), Some(new)) = (before.stations.get(*n), after.stations.get(*n)) else {
            continue;
        };
        let old = old.twin.as_ref();
        writeln!(out, "<h2>{}</h2>", escaped(&new.name))?;
        let mut rows = vec![
            (
                "pressure",
                old.map(|twin| twin.final_pressure_pa),
                fit.final_pressure_pa,
                fit.final_pressure_error_pa,
                "Pa",
            ),
            (
                "evacuation",
                old.map(|twin| twin.evacuation_time_constant_s),
                fit.time_constant_s,
                fit.time_constant_error_s,
                "s",
            ),
            (
                "leak",
                old.map(|twin| twin.leak_pa_per_s),
                fit.leak_pa_per_s,
                Some(fit.leak_error_pa_per_s),
                "Pa/s",
            ),
        ];
        if let Some([delay_s, error_s]) = fit.valve_delay {
            let was = old.and_then(|twin| twin.valve_delay_s);
            rows.insert(2, ("valve delay", was, delay_s, Some(error_s), "s"));
        }
        write_rows(out, "written", &rows)?;
        writeln!(
            out,
            "<p>The leak differs by {:.4} Pa/s from hold to hold, {} holds.</p>",
            fit.leak_sigma_pa_per_s, fit.holds
        )?;
    }
    for one in super::super::parts_fitted(before, after, report) {
        let recipe = one.recipe.map_or_else(String::new, |recipe| {
            format!(" in recipe {}", escaped(recipe))
        });
        let press = (one.press).map_or_else(String::new, |press| format!(" on {}", escaped(press)));
        writeln!(out, "<h2>{}{recipe}{press}</h2>", escaped(one.name))?;
        let mut rows = vec![
            (
                "contact",
                one.old.map(|twin| 1e3 * twin.contact_m),
                1e3 * one.new.contact_m,
                one.errors.contact_m.map(|error| 1e3 * error),
                "mm",
            ),
            (
                "stiffness",
                one.old.map(|twin| 1e-6 * twin.stiffness_n_per_m),
                1e-6 * one.new.stiffness_n_per_m,
                (one.errors.share).map(|share| 1e-6 * share * one.new.stiffness_n_per_m),
                "N/um",
            ),
        ];
        if let Some(factor) = one.new.factor {
            let was = one.old.and_then(|twin| twin.factor);
            let error = one.errors.share.map(|share| share * factor);
            rows.push(("factor", was, factor, error, "of its curve"));
        }
        write_rows(out, "written", &rows)?;
    }
    for one in &report.envelopes {
        let recipe = (one.recipe.as_ref()).map_or_else(String::new, |recipe| {
            format!(" in recipe {}", escaped(recipe))
        });
        writeln!(
            out,
            "<p>{}: envelope {} of {}{recipe}, taught from {} good strokes.</p>",
            escaped(&one.press),
            escaped(&one.object),
            escaped(&one.part),
            one.strokes
        )?;
    }
    write_thresholds(out, before, after)
}

/// What every channel is judged by.
fn write_thresholds(out: &mut String, before: &Machine, after: &Machine) -> std::fmt::Result {
    let was = in_force::of(before);
    let all = in_force::of(after);
    if all.is_empty() {
        return Ok(());
    }
    out.push_str("<h2>Thresholds</h2>\n<table><tr><th></th><th></th><th></th><th>before</th><th>after</th><th></th></tr>\n");
    for now in &all {
        let old = was.iter().find(|old| old.is_of(now));
        for (detector, get, unit) in now.detectors() {
            let Some(value) = get(now) else { continue };
            let [before, after] = [old.and_then(get), Some(value)].map(shown);
            writeln!(
                out,
                "<tr><td>{}</td><td>{}</td><td>{detector}</td><td>{before}</td><td>{after}</td><td>{unit}</td></tr>",
                escaped(&now.source),
                now.channel
            )?;
        }
    }
    out.push_str("</table>\n");
    Ok(())
}

/// Writes a table with the gains of a drive: its own table, and what the recording says.
pub(super) fn write_gains(out: &mut String, gains: &Gains, kind: AxisKind) -> std::fmt::Result {
    let (table, fit) = (&gains.table, &gains.fit);
    out.push_str(
        "<p>Gains of the drive: before is its table, identified what the recording says.</p>\n",
    );
    let time = fit.integral_time_s;
    let mut rows = vec![
        (
            "position gain",
            Some(table.position_gain_per_s),
            fit.position_gain_per_s.value,
            Some(fit.position_gain_per_s.standard_error),
            "/s",
        ),
        (
            "velocity gain",
            Some(table.velocity_gain),
            fit.velocity_gain.value,
            Some(fit.velocity_gain.standard_error),
            kind.unit("A s/m"),
        ),
    ];
    if let Some(time) = time {
        rows.push((
            "integral time",
            Some(1e3 * table.integral_time_s),
            1e3 * time.value,
            Some(1e3 * time.standard_error),
            "ms",
        ));
    }
    write_rows(out, "identified", &rows)?;
    let written = if fit.contradicts() {
        "What differs by more than its interval predicts better: it is in the twin."
    } else {
        "The table agrees, or predicts as well: its gains are in the twin."
    };
    writeln!(out, "<p>{written}</p>")
}

fn write_rows(out: &mut String, found: &str, rows: &[Row<'_>]) -> std::fmt::Result {
    writeln!(
        out,
        "<table><tr><th></th><th>before</th><th>{found}</th><th>std. error</th><th></th></tr>"
    )?;
    for (name, before, after, error, unit) in rows {
        let [before, after, error] = [*before, Some(*after), *error].map(shown);
        writeln!(
            out,
            "<tr><td>{name}</td><td>{before}</td><td>{after}</td><td>{error}</td><td>{unit}</td></tr>"
        )?;
    }
    out.push_str("</table>\n");
    Ok(())
}
