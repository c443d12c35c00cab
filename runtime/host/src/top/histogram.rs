//! How the durations of one row are spread. Both axes are logarithmic: what matters is rare.

use super::draw::{bold, colored};
use super::text::{count, us, us_short};
use super::view::View;
use crate::control::status::{RowLine, StatusLine};
use crate::phases::PhaseFigures;
use ratatui::style::{Color, Style};
use ratatui::text::Line;

/// Characters in front of the bars.
const LABELS: usize = 20;
/// Lines that are not buckets: two of head, the scale, the warm-up.
const OTHERS: usize = 4;

pub(super) fn lines(view: &View, status: &StatusLine, size: (usize, usize)) -> Vec<Line<'static>> {
    let (width, height) = size;
    let Some(row) = status.rows().nth(view.offset()) else {
        return Vec::new();
    };
    let place = format!("{} of {}", view.offset() + 1, status.rows().count());
    let head = format!(" {} ({place}; up and down for another)", row.name);
    let mut lines = vec![
        Line::styled(head, bold()),
        Line::raw(figures("run", status.run_cycles, &row.run)),
        Line::raw(figures(
            "warm-up apart",
            status.warm_up_cycles,
            &row.warm_up,
        )),
    ];
    let buckets = merged(&row.histogram, height.saturating_sub(OTHERS));
    let most = buckets.iter().map(|(_, count)| *count).max().unwrap_or(0);
    if most == 0 {
        lines.push(Line::raw(" nothing yet: the warm-up is kept apart"));
        return lines;
    }
    let decades = decades(most);
    // The last label of the scale stands behind its place.
    let room = width.saturating_sub(LABELS + 5).max(1);
    lines.push(Line::raw(scale(decades, room)));
    let mut marked = false;
    lines.extend(
        buckets
            .iter()
            .map(|&(below_ns, number)| bucket(row, (below_ns, number), decades, room, &mut marked)),
    );
    lines
}

fn figures(what: &str, cycles: u64, figures: &PhaseFigures) -> String {
    let known = |ns| {
        if cycles > 0 {
            us_short(ns)
        } else {
            "-".to_owned()
        }
    };
    format!(
        " {what:<13}{:>8} cycles  p50 {} p99 {} p99.99 {} max {} us",
        count(cycles),
        known(figures.p50_ns),
        known(figures.p99_ns),
        known(figures.p9999_ns),
        known(figures.max_ns),
    )
}

/// Neighbours together, until there are at most `lines`.
fn merged(buckets: &[(Option<u64>, u64)], lines: usize) -> Vec<(Option<u64>, u64)> {
    let mut all = buckets.to_vec();
    while all.len() > lines.max(1) {
        all = all
            .chunks(2)
            .filter_map(|pair| {
                let (below_ns, _) = pair.last()?;
                Some((*below_ns, pair.iter().map(|(_, count)| count).sum()))
            })
            .collect();
    }
    all
}

/// Decades that the scale of counts spans: the last mark is not below `most`.
fn decades(most: u64) -> u32 {
    most.saturating_sub(1).checked_ilog10().map_or(1, |n| n + 1)
}

/// Characters of the bar of `number`: the first for one, all of `room` for the last mark.
fn length(number: u64, decades: u32, room: usize) -> usize {
    if number == 0 {
        return 0;
    }
    let part = libm::log10(number as f64) / f64::from(decades);
    // A share of at most 1, so that the cast is exact enough.
    let beyond = (part * (room - 1) as f64).round() as usize;
    (1 + beyond).min(room)
}

fn scale(decades: u32, room: usize) -> String {
    let mut text = format!("{:>LABELS$}", "below us     cycles ");
    let step = decades.div_ceil(8).max(1) as usize;
    for decade in (0..=decades).step_by(step) {
        let number = 10_u64.saturating_pow(decade);
        let at = LABELS + length(number, decades, room) - 1;
        let label = match decade {
            0..3 => number.to_string(),
            3..6 => format!("{}k", number / 1000),
            6..9 => format!("{}M", number / 1_000_000),
            _ => format!("{}G", number / 1_000_000_000),
        };
        let used = text.chars().count();
        if used <= at {
            text.extend(std::iter::repeat_n(' ', at - used));
            text += &label;
        }
    }
    text
}

fn bucket(
    row: &RowLine,
    (below_ns, number): (Option<u64>, u64),
    decades: u32,
    room: usize,
    marked: &mut bool,
) -> Line<'static> {
    let below = below_ns.map_or_else(|| "  more".to_owned(), us);
    let mut text = format!(" {below:>8} {:>9} ", count(number));
    text.extend(std::iter::repeat_n('█', length(number, decades, room)));
    // The budget of slack is what must be left.
    let budget = row.budget_ns.filter(|_| row.name != "slack");
    let reached = budget.is_some_and(|budget| below_ns.is_none_or(|below| below > budget));
    if reached && !*marked {
        text += " < budget";
    }
    let style = if reached && *marked {
        colored(Color::Yellow)
    } else {
        Style::new()
    };
    *marked |= reached;
    Line::styled(text, style)
}
