//! What a recording adds to the page: curves, the stroke, the figures of the movements, health.

use super::escaped;
use crate::health::LifeLine;
use crate::lines::EventRecord;
use crate::report::replayed::Replayed;
use crate::report::svg::{Drawing, Line, Outline, number};
use crate::report::trace::Quantity;
use std::fmt::Write;
use twinstep_cycle::event::Source;
use twinstep_models::blocks::Feature;

/// Time on either side of an event that a channel of one cycle is drawn over once more, larger (s).
const NEAR_S: f64 = 0.1;

/// A drawing over the time.
fn over_time<'a>(title: &'a str, unit: &'a str, lines: Vec<Line<'a>>) -> Drawing<'a> {
    Drawing {
        title,
        across: "s from the event",
        unit,
        lines,
        marks: vec![(0.0, "event")],
        ..Drawing::default()
    }
}

/// Measured against predicted, and below it the difference with what is allowed.
fn write_pair(
    out: &mut String,
    name: &str,
    unit: &str,
    quantity: &Quantity,
    band: Option<[f64; 2]>,
    near: bool,
) -> std::fmt::Result {
    let kept = |points: &[[f64; 2]]| -> Vec<[f64; 2]> {
        let inside = points.iter().filter(|p| !near || p[0].abs() <= NEAR_S);
        inside.copied().collect()
    };
    let line = |name, class, points: &[[f64; 2]]| Line {
        name,
        class,
        points: kept(points),
    };
    over_time(
        name,
        unit,
        vec![
            line("measured", "l0", &quantity.measured),
            line("predicted", "l1", &quantity.predicted),
        ],
    )
    .write(out)?;
    let title = format!("{name}: measured - predicted");
    Drawing {
        band,
        ..over_time(
            &title,
            unit,
            vec![line("difference", "l2", &quantity.residual())],
        )
    }
    .write(out)
}

pub(super) fn write_curves(
    out: &mut String,
    event: &EventRecord,
    r: &Replayed,
) -> std::fmt::Result {
    out.push_str("<h2>Measured and predicted</h2>\n");
    let effort = r.effort_unit;
    let [way, speed] = ["m", "m/s"].map(|linear| r.moves.unit(linear));
    let limit = |n: usize| r.limits[n].map(|limit| [-limit, limit]);
    match r.source {
        Source::Axis(_) => {
            let channel = &*event.channel;
            let fast = [
                (
                    "position_next",
                    "Position, one cycle ahead",
                    way,
                    &r.trace.position,
                    limit(0),
                ),
                (
                    "velocity_next",
                    "Velocity, one cycle ahead",
                    speed,
                    &r.trace.velocity,
                    limit(1),
                ),
                (
                    "current_next",
                    "Drive signal, one cycle ahead",
                    effort,
                    &r.trace.current,
                    limit(2),
                ),
            ];
            for (own, name, unit, quantity, band) in fast {
                if channel == own {
                    let name = format!("{name}, near the event");
                    write_pair(out, &name, unit, quantity, band, true)?;
                }
                if channel == own || own != "velocity_next" {
                    write_pair(out, name, unit, quantity, band, false)?;
                }
            }
            out.push_str("<p>The band is the limit of one cycle.</p>\n");
            let band = r.healthy_band(&event.regime);
            write_pair(
                out,
                "Drive signal that motion and load explain, late by its filter",
                effort,
                &r.trace.load,
                band,
                false,
            )?;
            if band.is_some() {
                writeln!(
                    out,
                    "<p>The band is the healthy mean of a movement and three standard deviations, in the regime {}.</p>",
                    escaped(&event.regime)
                )?;
            }
            if channel == "drift" {
                let points = r.trace.drift.clone();
                let line = Line {
                    name: "drift",
                    class: "l2",
                    points,
                };
                Drawing {
                    band: r.drift_limit_m.map(|limit| [-limit, limit]),
                    ..over_time("Drift of free runs", way, vec![line])
                }
                .write(out)?;
            }
        }
        Source::Station(_) => {
            let band = r.pressure_limit_pa.map(|limit| [-limit, limit]);
            write_pair(
                out,
                "Pressure, one cycle ahead",
                "Pa",
                &r.trace.pressure,
                band,
                false,
            )?;
        }
        Source::Bus | Source::SubDevice(_) | Source::Controller => {
            out.push_str("<p>Of this source nothing is predicted.</p>\n");
        }
    }
    if !r.trace.lost.is_empty() {
        let first = r.trace.lost.first().copied().unwrap_or_default();
        writeln!(
            out,
            "<p id=\"lost\">{} cycles in the picture brought no process data, the first {first:.3} s from the event.</p>",
            r.trace.lost.len()
        )?;
    }
    Ok(())
}

pub(super) fn write_stroke(out: &mut String, r: &Replayed) -> std::fmt::Result {
    let Some(stroke) = &r.stroke else {
        return Ok(());
    };
    let line = &stroke.stroke;
    writeln!(
        out,
        "<h2>Stroke {}</h2>\n<p id=\"verdict\">{}</p>",
        line.stroke,
        escaped(&line.text())
    )?;
    let branch = |from: usize, to: usize| -> Vec<[f64; 2]> {
        let points = stroke.position_m.iter().zip(&stroke.force_n);
        let points = points.skip(from).take(to.saturating_sub(from));
        points.map(|(x, force_n)| [1e3 * x, *force_n]).collect()
    };
    let corners: Vec<Vec<[Option<f64>; 2]>> = (stroke.shapes.iter())
        .map(|shape| {
            let corners = shape.outline.iter();
            corners.map(|[x, y]| [x.map(|x| 1e3 * x), *y]).collect()
        })
        .collect();
    Drawing {
        title: "Force over travel, with the objects it was judged on",
        across: "travel (mm)",
        unit: "N",
        lines: vec![
            Line {
                name: "way in",
                class: "l0",
                points: branch(0, stroke.turn.saturating_add(1)),
            },
            Line {
                name: "way out",
                class: "l1",
                points: branch(stroke.turn, stroke.position_m.len()),
            },
        ],
        outlines: (stroke.shapes.iter().zip(&corners))
            .map(|(shape, corners)| Outline {
                name: &shape.name,
                ok: shape.ok,
                corners,
            })
            .collect(),
        ..Drawing::default()
    }
    .write(out)?;
    out.push_str("<table id=\"objects\"><tr><th>object</th><th>verdict</th><th>value</th><th>why</th></tr>\n");
    for object in &line.objects {
        let value = match (object.value, &object.unit) {
            (Some(value), Some(unit)) => format!("{} {unit}", number(value)),
            _ => String::new(),
        };
        let why = object
            .nok
            .as_ref()
            .map(|nok| nok.text())
            .unwrap_or_default();
        writeln!(
            out,
            "<tr><td>{}</td><td class=\"{1}\">{1}</td><td>{2}</td><td class=\"text\">{3}</td></tr>",
            escaped(&object.name),
            if object.ok { "ok" } else { "nok" },
            escaped(&value),
            escaped(&why)
        )?;
    }
    for object in &line.not_judged {
        writeln!(
            out,
            "<tr><td>{}</td><td>not judged</td><td></td><td class=\"text\">{}</td></tr>",
            escaped(&object.name),
            escaped(&object.reason.replace('_', " "))
        )?;
    }
    out.push_str("</table>\n");
    Ok(())
}

/// The evidence of slow faults: what each movement left, beside what is healthy.
pub(super) fn write_figures(out: &mut String, r: &Replayed) -> std::fmt::Result {
    if r.trace.movements.is_empty() {
        return Ok(());
    }
    let unit = r.effort_unit;
    writeln!(
        out,
        "<h2>Evidence</h2>\n<p>Mean of measured - predicted drive signal over each movement, in the direction in which a fault pushes ({unit}). \
         Below, how far it is off the healthy mean in its standard deviations; what the model may be wrong by widens them when it is judged.</p>\n\
         <table id=\"figures\"><tr><th>s from the event</th>"
    )?;
    let judged = || {
        Feature::ALL
            .into_iter()
            .filter(|f| r.healthy[*f as usize].is_some())
    };
    for feature in judged() {
        write!(out, "<th>{}</th>", feature.name().replace('_', " "))?;
    }
    out.push_str("</tr>\n<tr><td>healthy</td>");
    for healthy in judged().filter_map(|feature| r.healthy[feature as usize]) {
        write!(
            out,
            "<td>{} &#177; {}</td>",
            number(healthy.mean),
            number(healthy.sigma)
        )?;
    }
    out.push_str("</tr>\n");
    for movement in &r.trace.movements {
        write!(out, "<tr><td>{:.2}</td>", movement.time_s)?;
        for feature in judged() {
            let figure = movement.figures[feature as usize].as_ref();
            match figure.zip(r.healthy[feature as usize]) {
                None => out.push_str("<td></td>"),
                Some((figure, healthy)) => {
                    let sigma = (figure.residual_a - healthy.mean) / healthy.sigma;
                    write!(
                        out,
                        "<td>{}<br><small>{sigma:.1}</small></td>",
                        number(figure.residual_a)
                    )?;
                }
            }
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table>\n");
    Ok(())
}

pub(super) fn write_life(out: &mut String, r: &Replayed) -> std::fmt::Result {
    if r.health.is_empty() {
        return Ok(());
    }
    out.push_str("<h2>Health and remaining life</h2>\n<table id=\"health\"><tr><th>parameter</th><th>value</th><th>healthy</th><th>trend per hour</th><th>remaining life (90 %)</th></tr>\n");
    for line in &r.health {
        let life = match &line.life {
            LifeLine::NotYetKnown { reason } => format!("not yet known: {reason}"),
            LifeLine::Known {
                strokes,
                metres,
                hours,
            } => format!(
                "{} h ({} to {}), {} {}, {} strokes",
                number(hours[1].round()),
                number(hours[0].round()),
                number(hours[2].round()),
                number(metres[1].round()),
                r.moves.unit("m"),
                number(strokes[1].round())
            ),
        };
        writeln!(
            out,
            "<tr><td>{}{}</td><td>{} &#177; {} {}</td><td>{}</td><td>{}</td><td class=\"text\">{}</td></tr>",
            escaped(&line.parameter),
            if line.inferred { " (inferred)" } else { "" },
            number(line.value),
            number(line.sigma),
            escaped(&line.unit),
            line.healthy
                .map_or_else(|| "not yet known".to_owned(), number),
            line.trend_per_hour.map_or_else(|| "-".to_owned(), number),
            escaped(&life)
        )?;
    }
    out.push_str("</table>\n");
    Ok(())
}

impl Replayed {
    /// What is healthy of the residual of `current_load` in a regime: both directions of constant speed together, on either side.
    fn healthy_band(&self, regime: &str) -> Option<[f64; 2]> {
        let of = Feature::ALL
            .into_iter()
            .filter(|f| f.regime().name() == regime);
        let known = of.filter(|f| *f != Feature::Reversal);
        let reach = known.filter_map(|f| self.healthy[f as usize]);
        let reach = reach
            .map(|h| h.mean.abs() + 3.0 * h.sigma)
            .fold(0.0, f64::max);
        (reach > 0.0).then_some([-reach, reach])
    }
}
