//! The last overruns and exceeded budgets, each with its cause, what that rests on, and the next step.

use super::draw::{bold, colored};
use super::text::{count, counted, us_short, words, wrapped};
use super::view::View;
use crate::control::status::StatusLine;
use crate::overruns::cause::{Kind, Outcome};
use crate::overruns::record::OverrunLine;
use ratatui::style::Color;
use ratatui::text::Line;
use std::fmt::Write;

/// Phases and groups of models that are named as evidence: those that took longest.
const LONGEST: usize = 3;

pub(super) fn lines(view: &View, status: &StatusLine, width: usize) -> Vec<Line<'static>> {
    let all = &status.overruns;
    let budgets: u64 = all.budgets_by_cause.values().sum();
    let head = format!(
        " {} in {} cycles; {} explained",
        counted(all.count, "overrun"),
        count(status.cycle + 1),
        counted(budgets, "exceeded budget"),
    );
    let beside = format!(
        " beside them: {} not looked at, {} without room, {} unwritten; dumps {}, left out {}",
        count(all.unexamined),
        count(all.dropped),
        count(all.unwritten),
        count(all.dumps),
        count(all.dumps_dropped)
    );
    let mut lines = vec![Line::styled(head, bold()), Line::raw(beside)];
    if all.recent.is_empty() {
        lines.push(Line::raw(" none has been looked at yet"));
    }
    for one in all.recent.iter().rev().skip(view.offset()) {
        lines.push(Line::styled(first(one), colored(Color::Yellow)));
        let rest = [evidence(one), format!("-> {}", one.next_step)];
        for text in rest {
            lines.extend(wrapped(&text, 4, width).into_iter().map(Line::raw));
        }
    }
    lines
}

fn first(one: &OverrunLine) -> String {
    let what = match one.kind {
        Kind::Overrun => "overrun",
        Kind::Budget => "budget",
    };
    format!(
        " {:.3} s  cycle {}  {what}: {}; {} {} us, usually {}",
        one.time_ns as f64 * 1e-9,
        one.cycle,
        words(one.cause.name()),
        one.row,
        us_short(one.took_ns),
        us_short(one.usual_ns)
    )
}

/// What the cause rests on: only what was there.
fn evidence(one: &OverrunLine) -> String {
    let found = &one.evidence;
    let mut text = format!("busy {} us:", us_short(one.busy_ns));
    let rows = found.phases_ns.iter().chain(&found.models_ns);
    let mut rows: Vec<_> = rows.filter(|(name, _)| *name != "slack").collect();
    rows.sort_by_key(|(_, ns)| std::cmp::Reverse(**ns));
    for (name, ns) in rows.iter().take(LONGEST) {
        let _ = write!(text, " {name} {},", us_short(**ns));
    }
    match found.exchange {
        Outcome::Good => {}
        Outcome::NoFrame => text += " a frame was lost,",
        Outcome::WorkingCounter => text += " a working counter was wrong,",
        Outcome::Gap => text += " no samples,",
    }
    let mut some = |number: u64, word: &str| {
        if number > 0 {
            let _ = write!(text, " {},", counted(number, word));
        }
    };
    some(found.minor_faults, "page fault");
    some(found.major_faults, "page fault from disk");
    some(found.involuntary_switches, "preemption");
    if let Some(kernel) = &found.kernel {
        some(kernel.interrupts, "interrupt");
        some(kernel.softirqs, "softirq");
        some(kernel.smi.unwrap_or(0), "SMI");
        if kernel.steal_ns > 0 {
            let _ = write!(text, " {} us stolen,", us_short(kernel.steal_ns));
        }
        let _ = write!(
            text,
            " on core {} in {}",
            found.core,
            counted(kernel.cycles, "cycle")
        );
    } else {
        let _ = write!(text, " on core {}", found.core);
    }
    if let Some(worker) = &found.worker {
        let late = us_short(worker.late_ns);
        let _ = write!(text, "; the worker on core {} {late} us late", worker.core);
    }
    if one.follows {
        text += "; it began late, as the one before was too long";
    }
    text
}
