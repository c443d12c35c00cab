//! The last events: what deviates, by how much, why, and what to do.

use super::draw::{bold, colored};
use super::text::{time_of_day, words, wrapped};
use super::view::View;
use crate::lines::EventRecord;
use crate::tables::figures;
use ratatui::style::{Color, Style};
use ratatui::text::Line;

pub(super) fn lines(view: &View, width: usize) -> Vec<Line<'static>> {
    let head = " events, the newest first; time of day in UTC; all: twinstep events";
    let mut lines = vec![Line::styled(head, bold())];
    if view.events.is_empty() {
        lines.push(Line::raw(" none"));
    }
    for event in view.events.iter().rev().skip(view.offset()) {
        lines.push(brief(event));
        // A count has no unit to show.
        let unit = if event.unit == "1" {
            String::new()
        } else {
            format!(" {}", event.unit)
        };
        let figures = format!(
            "{}, {}, cycle {}, {}",
            figures(event, &unit),
            words(&event.regime),
            event.cycle,
            words(&event.detector),
        );
        let mut below = wrapped(&figures, 4, width);
        if event.state != "cleared" {
            below.extend(wrapped(&format!("-> {}", event.action), 4, width));
        }
        lines.extend(below.into_iter().map(Line::raw));
    }
    lines
}

/// An event in one line.
pub(super) fn brief(event: &EventRecord) -> Line<'static> {
    let text = format!(
        " #{} {} {} {} {}: {}",
        event.seq,
        time_of_day(event.time_utc_ns),
        event.source,
        event.channel,
        event.state,
        event.cause
    );
    Line::styled(text, style(event))
}

fn style(event: &EventRecord) -> Style {
    colored(match (&*event.state, &*event.severity) {
        ("cleared", _) => Color::Green,
        (_, "fault") => Color::Red,
        _ => Color::Yellow,
    })
}
