//! Drawings: lines over an axis, bands, outlines and marks, as SVG that needs nothing else.

use super::html::escaped;
use std::fmt::Write;

/// Size of a drawing and the room around it (px).
const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 76.0;
const TOP: f64 = 12.0;
const BELOW: f64 = 40.0;
/// Shares of the width that a line is thinned to: its smallest and largest value in each.
const SHARES: usize = 600;

/// A line: its name, its class (`l0`: measured, `l1`: predicted, `l2`: difference), its points; NaN interrupts it.
pub(crate) struct Line<'a> {
    pub name: &'a str,
    pub class: &'static str,
    pub points: Vec<[f64; 2]>,
}

/// A closed outline; a corner without a number is as far out as the drawing goes.
pub(crate) struct Outline<'a> {
    pub name: &'a str,
    pub ok: bool,
    pub corners: &'a [[Option<f64>; 2]],
}

/// One drawing.
#[derive(Default)]
pub(crate) struct Drawing<'a> {
    pub title: &'a str,
    /// What goes to the right, with its unit.
    pub across: &'a str,
    /// Unit of what goes up.
    pub unit: &'a str,
    pub lines: Vec<Line<'a>>,
    /// What is healthy, from and to.
    pub band: Option<[f64; 2]>,
    pub outlines: Vec<Outline<'a>>,
    /// Where something happened: at, and what.
    pub marks: Vec<(f64, &'a str)>,
}

/// From values to places in the drawing.
struct Scale {
    low: [f64; 2],
    high: [f64; 2],
}

impl Scale {
    fn x(&self, value: f64) -> f64 {
        let share = (value - self.low[0]) / (self.high[0] - self.low[0]);
        LEFT + share.clamp(0.0, 1.0) * WIDTH
    }

    fn y(&self, value: f64) -> f64 {
        let share = (value - self.low[1]) / (self.high[1] - self.low[1]);
        TOP + (1.0 - share.clamp(0.0, 1.0)) * HEIGHT
    }
}

impl Drawing<'_> {
    /// Smallest and largest value of either direction; none where there is nothing to scale to.
    fn scale(&self) -> Option<Scale> {
        let mut low = [f64::INFINITY; 2];
        let mut high = [f64::NEG_INFINITY; 2];
        let mut take = |direction: usize, value: f64| {
            if value.is_finite() {
                low[direction] = low[direction].min(value);
                high[direction] = high[direction].max(value);
            }
        };
        for point in self.lines.iter().flat_map(|line| &line.points) {
            if point[1].is_finite() {
                take(0, point[0]);
                take(1, point[1]);
            }
        }
        for corner in self.outlines.iter().flat_map(|outline| outline.corners) {
            take(0, corner[0].unwrap_or(f64::NAN));
            take(1, corner[1].unwrap_or(f64::NAN));
        }
        for value in self.band.into_iter().flatten() {
            take(1, value);
        }
        if high[0].total_cmp(&low[0]).is_le() {
            return None;
        }
        // A curve that stands still lies in the middle.
        let room = 0.06 * (high[1] - low[1]).max(1e-9 * high[1].abs()).max(1e-12);
        (low[1], high[1]) = (low[1] - room, high[1] + room);
        Some(Scale { low, high })
    }

    /// Writes it; a drawing without points is left out.
    pub fn write(&self, out: &mut String) -> std::fmt::Result {
        let Some(scale) = self.scale() else {
            return Ok(());
        };
        writeln!(
            out,
            "<figure><figcaption>{0} ({1})</figcaption><svg viewBox=\"0 0 {2} {3}\" role=\"img\" aria-label=\"{0}\">",
            escaped(self.title),
            escaped(self.unit),
            WIDTH + LEFT + 8.0,
            HEIGHT + TOP + BELOW
        )?;
        self.write_grid(out, &scale)?;
        if let Some([from, to]) = self.band {
            let (top, bottom) = (scale.y(to), scale.y(from));
            writeln!(
                out,
                "<rect class=\"band\" x=\"{LEFT}\" width=\"{WIDTH}\" y=\"{top:.1}\" height=\"{:.1}\"/>",
                bottom - top
            )?;
        }
        for outline in &self.outlines {
            write_outline(out, outline, &scale)?;
        }
        for (at, what) in &self.marks {
            let x = scale.x(*at);
            writeln!(
                out,
                "<line class=\"mark\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{}\"/><text x=\"{:.1}\" y=\"{}\">{}</text>",
                TOP + HEIGHT,
                x + 4.0,
                TOP + 12.0,
                escaped(what)
            )?;
        }
        for line in &self.lines {
            write_line(out, line, &scale)?;
        }
        for (number, line) in self.lines.iter().enumerate() {
            write!(
                out,
                "<text class=\"t {}\" x=\"{}\" y=\"{}\">{}</text>",
                line.class,
                LEFT + 10.0 + 130.0 * number as f64,
                HEIGHT + TOP + 34.0,
                escaped(line.name)
            )?;
        }
        out.push_str("</svg></figure>\n");
        Ok(())
    }

    fn write_grid(&self, out: &mut String, scale: &Scale) -> std::fmt::Result {
        for value in ticks(scale.low[1], scale.high[1], 5) {
            let y = scale.y(value);
            write!(
                out,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                WIDTH + LEFT,
                LEFT - 6.0,
                y + 4.0,
                number(value)
            )?;
        }
        for value in ticks(scale.low[0], scale.high[0], 8) {
            let x = scale.x(value);
            write!(
                out,
                "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{}\"/><text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                TOP + HEIGHT,
                TOP + HEIGHT + 15.0,
                number(value)
            )?;
        }
        writeln!(
            out,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            WIDTH + LEFT,
            HEIGHT + TOP + 34.0,
            escaped(self.across)
        )
    }
}

fn write_outline(out: &mut String, outline: &Outline<'_>, scale: &Scale) -> std::fmt::Result {
    if outline.corners.is_empty() {
        return Ok(());
    }
    // What has no limit on a side goes to the edge: corners come as left, right, right, left and bottom, bottom, top, top.
    let count = outline.corners.len();
    let mut path = String::new();
    let mut least = [f64::INFINITY; 2];
    for (n, [x, y]) in outline.corners.iter().enumerate() {
        let right = if count == 4 {
            matches!(n, 1 | 2)
        } else {
            n > 0
        };
        let up = if count == 2 { n > 0 } else { n >= count / 2 };
        let edge = |far: bool, direction: usize| {
            if far {
                scale.high[direction]
            } else {
                scale.low[direction]
            }
        };
        let x = scale.x(x.unwrap_or(edge(right, 0)));
        let y = scale.y(y.unwrap_or(edge(up, 1)));
        least = [least[0].min(x), least[1].min(y)];
        write!(path, "{}{x:.1} {y:.1}", if n == 0 { 'M' } else { 'L' })?;
    }
    let class = if outline.ok { "ok" } else { "nok" };
    writeln!(
        out,
        "<path class=\"outline {class}\" d=\"{path}{}\"/><text class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\">{} {}</text>",
        if count > 2 { "Z" } else { "" },
        least[0] + 3.0,
        least[1] + 12.0,
        escaped(outline.name),
        class.to_uppercase()
    )
}

fn write_line(out: &mut String, line: &Line<'_>, scale: &Scale) -> std::fmt::Result {
    let mut path = String::new();
    let mut pen = 'M';
    for [x, y] in thinned(&line.points) {
        if y.is_finite() {
            write!(path, "{pen}{:.1} {:.1}", scale.x(x), scale.y(y))?;
            pen = 'L';
        } else {
            pen = 'M';
        }
    }
    writeln!(
        out,
        "<path class=\"{}\" d=\"{path}\"><title>{}</title></path>",
        line.class,
        escaped(line.name)
    )
}

/// Smallest and largest value of each share of the points, in their order; a share with a hole has one.
fn thinned(points: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let share = points.len().div_ceil(SHARES);
    if share <= 2 {
        return points.to_vec();
    }
    let mut out = Vec::new();
    for chunk in points.chunks(share) {
        let known = || chunk.iter().enumerate().filter(|(_, p)| p[1].is_finite());
        let low = known().min_by(|a, b| a.1[1].total_cmp(&b.1[1]));
        let high = known().max_by(|a, b| a.1[1].total_cmp(&b.1[1]));
        if let (Some(low), Some(high)) = (low, high) {
            let (first, second) = if low.0 <= high.0 {
                (low, high)
            } else {
                (high, low)
            };
            out.push(*first.1);
            if second.0 != first.0 {
                out.push(*second.1);
            }
        }
        if let Some(hole) = chunk.iter().find(|p| !p[1].is_finite()) {
            out.push(*hole);
        }
    }
    out
}

/// Round values between `low` and `high`, about so many.
fn ticks(low: f64, high: f64, about: usize) -> Vec<f64> {
    let raw = (high - low) / about as f64;
    if !raw.is_finite() || raw <= 0.0 {
        return Vec::new();
    }
    let power = libm::pow(10.0, libm::floor(libm::log10(raw)));
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= raw)
        .unwrap_or(10.0 * power);
    let first = libm::ceil(low / step);
    (0..2 * about)
        .map(|n| (first + n as f64) * step)
        .take_while(|value| *value <= high)
        .collect()
}

/// A number for people.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        "-".to_owned()
    } else if size == 0.0 || (1e-3..1e6).contains(&size) {
        let text = format!("{value:.4}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        if text == "-0" {
            "0".to_owned()
        } else {
            text.to_owned()
        }
    } else {
        format!("{value:.3e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_thinned_and_keeps_peaks_and_holes() {
        let mut points: Vec<[f64; 2]> = (0..100_000).map(|k| [k as f64, 0.1]).collect();
        points[54_321][1] = 9.0;
        points[70_000][1] = f64::NAN;
        let thin = thinned(&points);
        assert!(thin.len() <= 3 * SHARES, "{}", thin.len());
        assert!(thin.iter().any(|p| p[1] == 9.0) && thin.iter().any(|p| p[1].is_nan()));
    }

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(
            ticks(0.0, 1.0, 5),
            [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]
        );
        assert_eq!(ticks(-3.1, 2.9, 3), [-2.0, 0.0, 2.0]);
        assert!(ticks(1.0, 1.0, 5).is_empty() && ticks(f64::NAN, 1.0, 5).is_empty());
        assert_eq!(
            (number(-0.00000), number(1.5), number(f64::NAN)),
            ("0".into(), "1.5".into(), "-".into())
        );
    }

    #[test]
    fn a_drawing_is_bounded_escaped_and_has_its_parts() {
        let corners = [
            [Some(0.0), Some(1.0)],
            [None, Some(1.0)],
            [None, None],
            [Some(0.0), None],
        ];
        let drawing = Drawing {
            title: "<script>",
            across: "s",
            unit: "A",
            lines: vec![Line {
                name: "measured",
                class: "l0",
                points: (0..50_000).map(|k| [k as f64, (k % 7) as f64]).collect(),
            }],
            band: Some([-1.0, 1.0]),
            outlines: vec![Outline {
                name: "w",
                ok: false,
                corners: &corners,
            }],
            marks: vec![(3.0, "event")],
        };
        let mut out = String::new();
        drawing.write(&mut out).unwrap();
        assert!(!out.contains("<script>") && out.contains("&lt;script&gt;"));
        assert!(out.len() < 60_000, "{}", out.len());
        for part in ["class=\"band\"", "outline nok", "class=\"mark\"", "w NOK"] {
            assert!(out.contains(part), "{part}");
        }
        assert!(!out.contains("NaN") && !out.contains("inf"));
        let mut empty = String::new();
        Drawing::default().write(&mut empty).unwrap();
        assert_eq!(empty, "");
    }
}
