//! Health of the bus: link, SubDevices, working counter, frames, clocks.

use super::draw::{bold, colored};
use super::events::brief;
use super::text::{count, us_short, wrapped};
use super::view::View;
use crate::commands::status::ptp_text;
use crate::control::status::StatusLine;
use crate::uadp::unpublished_text;
use ratatui::style::{Color, Style};
use ratatui::text::Line;

/// Width of the names of rows (characters).
const NAMES: usize = 17;
/// Channels on which the bus speaks.
const CHANNELS: [&str; 4] = ["frames", "al_state", "phase", "drive_state"];

pub(super) fn lines(view: &View, status: &StatusLine, width: usize) -> Vec<Line<'static>> {
    let (bus, counters) = (&status.bus, &status.bus.counters);
    let wrong = |wrong: bool| {
        if wrong {
            colored(Color::Yellow)
        } else {
            Style::new()
        }
    };
    let row = |name: &str, text: String, style: Style| {
        Line::styled(format!(" {name:<NAMES$}{text}"), style)
    };
    let mut lines = Vec::new();
    if bus.links.is_empty() {
        let text = "none: the segment is simulated in the process";
        lines.push(row("link", text.to_owned(), Style::new()));
    }
    for link in &bus.links {
        let speed = link.speed_mbit_per_s;
        let speed = speed.map_or(String::new(), |speed| format!(", {speed} Mbit/s"));
        let text = format!("{} {}{speed}", link.name, link.state);
        let style = if link.is_up() {
            Style::new()
        } else {
            colored(Color::Red)
        };
        lines.push(row("link", text, style));
    }
    let out = &bus.not_operational;
    let text = match out.as_slice() {
        [] => format!("{}, all in OP", bus.subdevices),
        out => format!(
            "{} of {} not in OP: {}",
            out.len(),
            bus.subdevices,
            out.join(", ")
        ),
    };
    let style = if out.is_empty() {
        Style::new()
    } else {
        colored(Color::Red)
    };
    // A break of the line takes many of them along.
    for (n, text) in wrapped(&text, 0, width.saturating_sub(NAMES + 1))
        .into_iter()
        .enumerate()
    {
        let name = if n == 0 { "SubDevices" } else { "" };
        lines.push(row(name, text, style));
    }
    let errors = counters.working_counter_errors;
    let last = bus.wrong_working_counter.map_or(String::new(), |last| {
        format!(
            "; last in cycle {}: {}, expected {}",
            last.cycle, last.actual, last.expected
        )
    });
    let text = format!("{} wrong{last}", count(errors));
    lines.push(row("working counter", text, wrong(errors > 0)));
    let frames = [
        ("lost", counters.lost),
        ("late", counters.late),
        ("twice", counters.duplicate),
        ("foreign or cut", counters.foreign),
    ];
    let text = frames.map(|(name, number)| format!("{} {name}", count(number)));
    let any = frames.iter().any(|(_, number)| *number > 0);
    lines.push(row("frames", text.join(", "), wrong(any)));
    let text = bus.phase_error_ns.map_or_else(
        || "no distributed clocks, or not known yet".to_owned(),
        |ns| format!("the frame passed {ns:+} ns from SYNC0 plus shift"),
    );
    lines.push(row("clocks", text, Style::new()));
    for name in ["send", "receive"] {
        let Some(found) = status.phases.iter().find(|row| row.name == name) else {
            continue;
        };
        let (run, budget) = (&found.run, found.budget_ns);
        let text = format!(
            "now {} us, p99 {}, p99.99 {}, max {}, budget {}",
            us_short(found.now_ns),
            us_short(run.p99_ns),
            us_short(run.p9999_ns),
            us_short(run.max_ns),
            budget.map_or_else(|| "-".to_owned(), us_short),
        );
        lines.push(row(name, text, wrong(found.over_budget > 0)));
    }
    for (text, fine) in beside(status) {
        for text in wrapped(&text, 1, width) {
            lines.push(Line::styled(text, wrong(!fine)));
        }
    }
    lines.push(Line::raw(""));
    lines.push(Line::styled(
        " what the bus has reported, the newest first",
        bold(),
    ));
    let of_bus = (view.events.iter().rev()).filter(|event| CHANNELS.contains(&&*event.channel));
    let before = lines.len();
    lines.extend(of_bus.map(brief));
    if lines.len() == before {
        lines.push(Line::raw(" nothing"));
    }
    lines
}

/// What the cycle is held against and shares, in words, and whether it is as it should be: launch times, what is published, a clock, ptp4l, shared memory.
fn beside(status: &StatusLine) -> Vec<(String, bool)> {
    let launch =
        (status.launch.as_ref()).map(|one| (one.text(), one.kept && one.missed + one.invalid == 0));
    let unpublished = status.unpublished.filter(|count| *count > 0);
    let unpublished = unpublished.map(|count| (unpublished_text(count), false));
    let clock = status.clock.as_ref().map(|one| {
        let fine = one.figures.locked || !one.figures.follows;
        (one.text(), fine)
    });
    let ptp = &status.trust["ptp"];
    let ptp = ptp_text(ptp).map(|text| {
        (
            text,
            ["follows", "grandmaster"]
                .iter()
                .any(|word| ptp["verdict"] == *word),
        )
    });
    let shared = (status.shared.as_ref()).map(|one| {
        let halted = one
            .controller
            .as_ref()
            .is_some_and(|controller| controller.halt.is_some());
        (one.text(), one.dropped == 0 && !halted)
    });
    [launch, unpublished, clock, ptp, shared]
        .into_iter()
        .flatten()
        .collect()
}
