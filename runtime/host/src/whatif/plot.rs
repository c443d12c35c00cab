//! The page of a comparison: following error and current of every axis over its round, nothing loaded from elsewhere.

use super::kept::Drawn;
use super::lines::Case;
use super::simulate::AxisResult;
use super::text::{Row, axis_text};
use crate::report::html::{HEAD, escaped};
use crate::report::svg::{Drawing, Line};
use std::fmt::Write;

/// The page; an axis has a row of machines.
pub fn html(title: &str, changes: &[String], axes: &[&Row<'_>], band_m: f64) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_page(&mut out, title, changes, axes, band_m);
    out
}

fn write_page(
    out: &mut String,
    title: &str,
    changes: &[String],
    axes: &[&Row<'_>],
    band_m: f64,
) -> std::fmt::Result {
    writeln!(
        out,
        "{HEAD}<title>{0}</title></head><body>\n<h1>{0}</h1>",
        escaped(title)
    )?;
    if changes.is_empty() {
        writeln!(out, "<p>The machine as it is.</p>")?;
    }
    for change in changes {
        writeln!(out, "<p>{}</p>", escaped(change))?;
    }
    for row in axes {
        write_axis(out, row, band_m)?;
    }
    out.push_str("</body></html>\n");
    Ok(())
}

fn write_axis(out: &mut String, row: &Row<'_>, band_m: f64) -> std::fmt::Result {
    let Some((_, first)) = row.first() else {
        return Ok(());
    };
    writeln!(out, "<h2>{}</h2>", escaped(&first.source))?;
    writeln!(out, "<pre>{}</pre>", escaped(&axis_text(row, band_m)))?;
    let (way, way_unit) = first.kind.way();
    let drawings = [
        ("Position", first.kind.unit("m"), Drawn::Position, 1.0),
        ("Following error", way_unit, Drawn::FollowingError, way),
        (
            "Current as the drive reports it",
            first.unit,
            Drawn::Current,
            1.0,
        ),
    ];
    for (title, unit, what, scale) in drawings {
        let line = |(case, axis): &(Case, &AxisResult)| Line {
            name: case.title(),
            class: class(*case, row.len()),
            points: (axis.kept.points(what))
                .map(|[time_s, value]| [time_s, scale * value])
                .collect(),
        };
        Drawing {
            title,
            across: "time (s)",
            unit,
            lines: row.iter().map(line).collect(),
            ..Drawing::default()
        }
        .write(out)?;
    }
    Ok(())
}

/// Colour of a line: measured, as it is, would be.
const fn class(case: Case, machines: usize) -> &'static str {
    match (case, machines) {
        (Case::Measured, _) | (Case::AsIs, ..=2) => "l0",
        (Case::WouldBe, ..=2) | (Case::AsIs, _) => "l1",
        (Case::WouldBe, _) => "l2",
    }
}
