//! The cycle against its budgets: one bar of the last cycle, a table of all rows, overruns by cause, and what other periods
//! would have led to.

use super::draw::{bold, colored};
use super::text::{bar, count, period, us, us_short, words, wrapped};
use crate::control::status::{RowLine, StatusLine};
use ratatui::style::{Color, Style};
use ratatui::text::Line;
use std::fmt::Write;

/// Width of a budget bar (characters).
const BAR: usize = 16;
/// Width of the bar of the last cycle (characters).
const CYCLE: usize = 56;

/// Parts of the bar of the last cycle: letter, name, phases.
const PARTS: [(char, &str, &[&str]); 6] = [
    ('w', "wake late", &["wake"]),
    ('e', "exchange", &["send", "receive"]),
    ('m', "models", &["predict", "correct"]),
    ('c', "compare", &["compare"]),
    ('p', "publish", &["publish"]),
    ('a', "acyclic", &["acyclic"]),
];

pub(super) fn lines(status: &StatusLine, width: usize) -> Vec<Line<'static>> {
    let mut lines = vec![Line::raw(last_cycle(status)), Line::raw(legend())];
    let head = match status.run_cycles {
        0 => format!(
            " us       warm-up: {} cycles so far, which are kept apart",
            count(status.warm_up_cycles)
        ),
        _ => format!(
            " {:<8}{:<BAR$} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>7}",
            "us", "p99 of budget", "now", "p50", "p99", "p99.99", "max", "budget", "over"
        ),
    };
    lines.push(Line::styled(head, bold()));
    let known = status.run_cycles > 0;
    lines.extend(
        status
            .rows()
            .map(|row| duration(row, status.identity.period_ns, known)),
    );
    lines.push(overruns(status));
    lines.extend(what_if(status));
    // On a larger terminal: what to do about the last one.
    if let Some(last) = status.overruns.recent.last() {
        let text = format!("last overrun or exceeded budget: {}", last.next_step);
        lines.extend(wrapped(&text, 1, width).into_iter().map(Line::raw));
    }
    lines
}

/// The last cycle as one bar, as long as the period, or as the cycle where that was longer.
fn last_cycle(status: &StatusLine) -> String {
    let (busy_ns, period_ns) = (status.busy.now_ns, status.identity.period_ns);
    let whole = u128::from(busy_ns.max(period_ns).max(1));
    let mut text = String::from(" now    ");
    let (mut sum_ns, mut drawn) = (0_u64, 0);
    for (letter, _, phases) in PARTS {
        let rows = status.phases.iter();
        let part_ns: u64 = rows
            .filter(|row| phases.contains(&row.name.as_str()))
            .map(|row| row.now_ns)
            .sum();
        sum_ns = sum_ns.saturating_add(part_ns);
        let end = (u128::from(sum_ns) * CYCLE as u128 + whole / 2) / whole;
        let end = usize::try_from(end).unwrap_or(CYCLE).min(CYCLE);
        text.extend(std::iter::repeat_n(letter, end.saturating_sub(drawn)));
        drawn = drawn.max(end);
    }
    text.extend(std::iter::repeat_n('·', CYCLE - drawn));
    let _ = write!(text, " {} of {}", us_short(busy_ns), period(period_ns));
    text
}

fn legend() -> String {
    let mut text = String::new();
    for (letter, name, _) in PARTS {
        let _ = write!(text, " {letter} {name} ");
    }
    text + " · slack"
}

fn duration(row: &RowLine, period_ns: u64, known: bool) -> Line<'static> {
    let (run, budget) = (&row.run, row.budget_ns);
    let figure = |ns: u64| if known { us(ns) } else { format!("{:>6}", "-") };
    // The budget of slack is what must be left: it is no limit to fill up.
    let whole = budget.filter(|_| row.name != "slack").unwrap_or(period_ns);
    let text = format!(
        " {:<8}{} {} {} {} {} {} {} {:>7}",
        row.name,
        bar(if known { run.p99_ns } else { 0 }, whole, BAR),
        us(row.now_ns),
        figure(run.p50_ns),
        figure(run.p99_ns),
        figure(run.p9999_ns),
        figure(run.max_ns),
        budget.map_or_else(|| format!("{:>6}", "-"), us),
        count(row.over_budget),
    );
    let style = if row.over_budget > 0 {
        colored(Color::Yellow)
    } else {
        Style::new()
    };
    Line::styled(text, style)
}

fn overruns(status: &StatusLine) -> Line<'static> {
    let overruns = &status.overruns;
    let mut text = format!(" overruns {}", count(overruns.count));
    for (cause, number) in &overruns.by_cause {
        let _ = write!(text, "  {} {}", words(cause), count(*number));
    }
    let color = if overruns.count > 0 {
        Color::Yellow
    } else {
        Color::Reset
    };
    Line::styled(text, colored(color))
}

/// How many cycles other periods would have been too short for.
fn what_if(status: &StatusLine) -> Vec<Line<'static>> {
    let what_if = &status.what_if;
    if what_if.cycles == 0 {
        return vec![Line::raw(
            " what other periods would have led to is counted after the warm-up",
        )];
    }
    let mut head = format!(
        " {:<24}",
        format!("of {} cycles at (us)", count(what_if.cycles))
    );
    let mut text = format!(" {:<24}", "would have overrun");
    for one in &what_if.periods {
        let _ = write!(head, "{:>9}", period(one.period_ns));
        let _ = write!(text, "{:>9}", count(one.overruns));
    }
    vec![Line::raw(head), Line::raw(text)]
}
