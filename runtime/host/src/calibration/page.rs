//! The page of a calibration: one HTML file with tables and drawings, nothing loaded from elsewhere.

mod others;

use super::Report;
use super::axis::AxisReport;
use super::parameters;
use std::fmt::Write;
use twinstep_config::machine::{Axis, AxisKind, Machine};
use twinstep_models::identify::AxisRecord;

/// Points that a line is drawn from: half of them smallest, half largest values of their share of the time.
const POINTS: usize = 1200;
/// Axes that are drawn; the tables have all.
const MOST_DRAWN: usize = 32;
/// Size of a drawing (px).
const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 180.0;
/// Room for the numbers at the left (px).
const LEFT: f64 = 80.0;

/// One drawing: lines over the time.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// What it shows, with its unit.
    pub title: String,
    /// Lines: name and points (s, value); NaN interrupts a line.
    pub lines: Vec<(&'static str, Vec<[f64; 2]>)>,
}

/// What the judge of `current_load` saw in one cycle of the record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Judged {
    /// Cycle over all recordings.
    pub cycle: usize,
    /// Measured current, filtered as it is judged (A).
    pub measured_a: f64,
    /// Explained current, filtered alike (A).
    pub predicted_a: f64,
}

/// Drawings of what the judge saw of one axis: measured against predicted current, and their difference.
pub(super) fn judged_curves(axis: &Axis, seen: &[Judged], period_s: f64) -> Vec<Curve> {
    let time = |k: usize| k as f64 * period_s;
    let unit = axis.effort();
    let of = |get: &dyn Fn(&Judged) -> f64| thinned(seen.iter().map(|s| (s.cycle, get(s))), &time);
    vec![
        Curve {
            title: format!(
                "Drive signal as current_load judges it, filtered and late by its lag ({unit})"
            ),
            lines: vec![
                ("measured", of(&|s| s.measured_a)),
                ("predicted", of(&|s| s.predicted_a)),
            ],
        },
        Curve {
            title: format!("Residual of current_load, before its baseline ({unit})"),
            lines: vec![("residual", of(&|s| s.measured_a - s.predicted_a))],
        },
    ]
}

/// Drawings of one axis in free run: measured against predicted position, and their difference.
pub(super) fn free_run_curves(
    kind: AxisKind,
    record: &AxisRecord<'_>,
    free_runs: &[(usize, f64)],
) -> Vec<Curve> {
    let (per_si, shown) = kind.way();
    let time = |k: usize| k as f64 * record.period_s;
    let run = |get: &dyn Fn(usize, f64) -> f64| {
        thinned(free_runs.iter().map(|(k, x)| (*k, get(*k, *x))), &time)
    };
    let x = record.position_m;
    vec![
        Curve {
            title: format!(
                "Position in free run from the measured drive signal ({})",
                kind.unit("m")
            ),
            lines: vec![
                ("measured", run(&|k, _| x[k])),
                ("predicted", run(&|_, predicted| predicted)),
            ],
        },
        Curve {
            title: format!("Residual of the position in free run ({shown})"),
            lines: vec![("residual", run(&|k, predicted| per_si * (x[k] - predicted)))],
        },
    ]
}

/// Smallest and largest value of every share of the samples, in the order of time.
fn thinned(
    samples: impl Iterator<Item = (usize, f64)> + Clone,
    time: &dyn Fn(usize) -> f64,
) -> Vec<[f64; 2]> {
    let count = samples.clone().count();
    let share = count.div_ceil(POINTS / 2).max(1);
    let all: Vec<(usize, f64)> = samples.collect();
    let mut out = Vec::new();
    let mut last = None;
    for chunk in all.chunks(share) {
        // A gap in the record is a gap in the line.
        if last.is_some_and(|last: usize| chunk[0].0 > last + 50 * share) {
            out.push([f64::NAN, f64::NAN]);
        }
        let low = chunk.iter().min_by(|a, b| a.1.total_cmp(&b.1));
        let high = chunk.iter().max_by(|a, b| a.1.total_cmp(&b.1));
        if let (Some(low), Some(high)) = (low, high) {
            let (first, second) = if low.0 <= high.0 {
                (low, high)
            } else {
                (high, low)
            };
            out.push([time(first.0), first.1]);
            if second.0 != first.0 {
                out.push([time(second.0), second.1]);
            }
        }
        last = chunk.last().map(|l| l.0);
    }
    out
}

/// The whole page.
pub fn html(before: &Machine, after: &Machine, report: &Report) -> String {
    let mut out = String::new();
    // Writing to a String has no way to fail.
    let _ = write_page(&mut out, before, after, report);
    out
}

fn write_page(
    out: &mut String,
    before: &Machine,
    after: &Machine,
    report: &Report,
) -> std::fmt::Result {
    let name = escaped(&after.name);
    write!(
        out,
        "{HEAD}<title>{name}: calibration</title></head><body>\n<h1>{name}: calibration</h1>\n"
    )?;
    if !report.remarks.is_empty() {
        out.push_str("<h2>Remarks</h2>\n<ul>\n");
        for remark in &report.remarks {
            writeln!(out, "<li>{}</li>", escaped(remark))?;
        }
        out.push_str("</ul>\n");
    }
    let pairs = super::axes(before).zip(super::axes(after));
    for (number, ((old, new), one)) in pairs.zip(&report.axes).enumerate() {
        writeln!(out, "<h2>{}</h2>", escaped(&new.name))?;
        if one.fit.is_none() {
            out.push_str("<p>Left as it was.</p>\n");
            continue;
        }
        write_table(out, old, new, one)?;
        if let Some(gains) = &one.gains {
            others::write_gains(out, gains, new.kind)?;
        }
        if number >= MOST_DRAWN {
            writeln!(out, "<p>Only the first {MOST_DRAWN} axes are drawn.</p>")?;
            continue;
        }
        for curve in &one.curves {
            write_curve(out, curve)?;
        }
    }
    others::write(out, before, after, report)?;
    out.push_str("</body></html>\n");
    Ok(())
}

fn write_table(out: &mut String, old: &Axis, new: &Axis, one: &AxisReport) -> std::fmt::Result {
    let (Some(fit), Some(twin)) = (&one.fit, &new.twin) else {
        return Ok(());
    };
    let kf = twin.force_constant_n_per_a;
    out.push_str("<table><tr><th></th><th>before</th><th>written</th><th>inverse dynamics</th><th>std. error</th><th>if white</th><th>output error</th><th>std. error</th><th>distance</th><th></th></tr>\n");
    let estimates = fit.common();
    for row in parameters::rows(old.twin.as_ref(), twin, fit) {
        // What is stated, or left as it was, was not found.
        let found = row.place.map(|c| estimates[c]);
        let other = (one.output_error.as_ref()).and_then(|o| row.place.map(|c| o.estimates[c]));
        let distance = (one.agreement.as_ref()).and_then(|a| row.place.map(|c| a.distance[c]));
        write!(out, "<tr><td>{}</td>", row.word.name)?;
        for cell in [
            shown(row.was),
            shown(Some(row.is)),
            shown(found.map(|e| kf * e.value)),
            shown(found.map(|e| kf * e.standard_error)),
            shown(found.map(|e| kf * e.naive_error)),
            shown(other.map(|o| kf * o.value)),
            shown(other.map(|o| kf * o.standard_error)),
            distance.map_or_else(|| "-".to_owned(), |d| format!("{d:.1}")),
        ] {
            write!(out, "<td>{cell}</td>")?;
        }
        writeln!(out, "<td>{}</td></tr>", new.kind.unit(row.word.unit))?;
    }
    out.push_str(
        "</table>\n<p>Distance: output error minus inverse dynamics, in combined standard errors. ",
    );
    for noise in &one.noise {
        write!(
            out,
            "Residual at {}: {:.4} {}. ",
            noise.regime.name(),
            noise.rms_a,
            new.effort()
        )?;
    }
    let (delay, error) = (twin.current_delay_s, fit.current_delay_error_s);
    write!(
        out,
        "Current delay {} ms, std. error {}. ",
        shown(Some(1e3 * delay)),
        shown(error.map(|error| 1e3 * error))
    )?;
    if twin.stribeck_n != 0.0 {
        let error = fit.stribeck_velocity_error_m_per_s;
        let (per_si, unit) = new.kind.speed();
        write!(
            out,
            "Stribeck velocity {} {unit}, std. error {}. ",
            shown(Some(per_si * twin.stribeck_velocity_m_per_s)),
            shown(error.map(|error| per_si * error))
        )?;
    }
    out.push_str("</p>\n");
    Ok(())
}

/// A number of a table.
fn shown(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |v| format!("{v:.4}"))
}

fn write_curve(out: &mut String, curve: &Curve) -> std::fmt::Result {
    let points = || curve.lines.iter().flat_map(|(_, line)| line);
    let range = |c: usize| {
        points()
            .map(|p| p[c])
            .filter(|v| v.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| {
                (l.min(v), h.max(v))
            })
    };
    let ((t0, t1), (low, high)) = (range(0), range(1));
    // Nothing to draw, or nothing to scale to.
    if t1.total_cmp(&t0).is_le() {
        return Ok(());
    }
    let high = if high > low { high } else { low + 1.0 };
    writeln!(
        out,
        "<figure><figcaption>{}</figcaption><svg viewBox=\"0 0 {} {}\" role=\"img\">",
        escaped(&curve.title),
        WIDTH + LEFT,
        HEIGHT + 30.0
    )?;
    for (value, y) in [(high, 10.0), (low, HEIGHT)] {
        write!(
            out,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{y}\" y2=\"{y}\"/><text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            WIDTH + LEFT,
            LEFT - 6.0,
            y + 4.0,
            short(value)
        )?;
    }
    for (value, x, anchor) in [(t0, LEFT, "start"), (t1, WIDTH + LEFT, "end")] {
        write!(
            out,
            "<text x=\"{x}\" y=\"{}\" text-anchor=\"{anchor}\">{} s</text>",
            HEIGHT + 20.0,
            short(value)
        )?;
    }
    for (number, (name, line)) in curve.lines.iter().enumerate() {
        let mut path = String::new();
        let mut pen = 'M';
        for [t, value] in line {
            if !value.is_finite() {
                pen = 'M';
                continue;
            }
            let x = LEFT + (t - t0) / (t1 - t0) * WIDTH;
            let y = HEIGHT - (value - low) / (high - low) * (HEIGHT - 10.0);
            write!(path, "{pen}{x:.1} {y:.1}")?;
            pen = 'L';
        }
        write!(
            out,
            "<path class=\"l{number}\" d=\"{path}\"/><text class=\"t{number}\" x=\"{}\" y=\"{}\">{name}</text>",
            LEFT + 100.0 + 100.0 * number as f64,
            HEIGHT + 20.0
        )?;
    }
    out.push_str("</svg></figure>\n");
    Ok(())
}

/// A number for an axis.
fn short(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || (0.01..100_000.0).contains(&size) {
        let text = format!("{value:.4}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{value:.2e}")
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

const HEAD: &str = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">
<style>
:root { color-scheme: light dark; --text: #1b1f24; --back: #ffffff; --grid: #d0d7de; --a: #0969da; --b: #bc4c00; }
@media (prefers-color-scheme: dark) { :root { --text: #e6edf3; --back: #0d1117; --grid: #30363d; --a: #58a6ff; --b: #f0883e; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--text); background: var(--back); max-width: 1000px; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; } td, th { padding: 0.2em 0.7em; text-align: right; border-bottom: 1px solid var(--grid); }
td:first-child, th:first-child { text-align: left; }
figure { margin: 1.2em 0; } figcaption { font-weight: 600; } svg { width: 100%; height: auto; }
svg text { font-size: 12px; fill: var(--text); } .grid { stroke: var(--grid); } path { fill: none; stroke-width: 1.2; stroke-linejoin: round; }
.l0 { stroke: var(--a); } .l1 { stroke: var(--b); stroke-dasharray: 4 2; } svg .t0 { fill: var(--a); } svg .t1 { fill: var(--b); }
</style>
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_thinned_and_keeps_its_peaks() {
        let n = 100_000;
        let samples = (0..n).map(|k| (k, if k == 54_321 { 9.0 } else { 0.1 }));
        let points = thinned(samples, &|k| k as f64 * 0.001);
        assert!(points.len() <= POINTS, "{}", points.len());
        assert!(points.iter().any(|p| p[1] == 9.0));
        assert!(points.windows(2).all(|w| w[0][0] < w[1][0]));
    }

    #[test]
    fn a_page_is_bounded_and_loads_nothing() {
        let curve = Curve {
            title: "<current>".into(),
            lines: vec![("measured", (0..POINTS).map(|k| [k as f64, 1.0]).collect())],
        };
        let mut out = String::new();
        write_curve(&mut out, &curve).unwrap();
        assert!(
            out.contains("&lt;current&gt;") && out.len() < 40_000,
            "{}",
            out.len()
        );
        for word in ["http", "<script", "url("] {
            assert!(!HEAD.contains(word) && !out.contains(word), "{word}");
        }
    }
}
