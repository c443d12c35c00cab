//! The live view on a terminal: trust, axes against their twins, budgets per phase, events. Works at 80x24.
//!
//! It runs in a thread of normal priority and only looks: `p` freezes the picture, never the machine.

use crate::error::HostError;
use crate::keyboard;
use crate::lines::EventRecord;
use crate::names::{Names, RunInfo};
use crate::phases::{Phase, PhaseSnapshot};
use crate::snapshot::{Control, LIVE_AXES, LIVE_STATIONS, LiveSnapshot, SnapshotReceiver};
use crate::trust::Trust;
use ratatui::Frame;
use ratatui::crossterm::event::{self, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Row, Table};
use std::collections::VecDeque;
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;
use twinstep_cycle::event::Source;

/// Events that the view remembers.
const EVENTS: usize = 50;
/// Time between two pictures, unless a key is pressed.
const FRAME_TIME: Duration = Duration::from_millis(80);
/// Width of a budget bar (characters).
const BAR: usize = 10;
/// Residuals beyond this are shown in yellow, beyond twice this in red (sigma).
const NOTABLE_SIGMA: f64 = 4.0;

/// Everything that one picture is drawn from.
#[derive(Default)]
pub struct View {
    /// Name of the machine.
    pub title: String,
    /// Names of axes and stations.
    pub names: Names,
    /// The run, for what is known only once it cycles.
    pub run: Option<Arc<RunInfo>>,
    /// Period of the cycle (ns): the budget of a phase that has none of its own.
    pub period_ns: u64,
    /// The newest snapshot that is to be shown.
    pub snapshot: LiveSnapshot,
    /// Stored events, the newest last.
    pub events: VecDeque<EventRecord>,
    /// The picture is frozen.
    pub paused: bool,
    /// Where the page of this run is, once that is known.
    pub page: Option<Arc<OnceLock<String>>>,
}

impl View {
    /// A view that has seen nothing yet.
    pub fn new(title: impl Into<String>, run: Arc<RunInfo>, period_ns: u64) -> Self {
        Self {
            title: title.into(),
            names: run.names.clone(),
            run: Some(run),
            period_ns,
            ..Self::default()
        }
    }

    fn add_event(&mut self, event: EventRecord) {
        if self.events.len() >= EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }
}

/// Gives the terminal back, also when a panic unwinds through the view.
struct Restore;

impl Drop for Restore {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Shows the run until the cycle thread has ended. `q` and Ctrl-C ask the cycle to stop in order.
///
/// # Errors
/// [`HostError::Machine`] when the terminal cannot be used; the run is then asked to stop.
pub fn watch(
    mut view: View,
    receiver: &mut SnapshotReceiver,
    events: &mpsc::Receiver<EventRecord>,
    control: &Control,
) -> Result<(), HostError> {
    let watched = show(&mut view, receiver, events, control);
    watched.map_err(|error| {
        control.request_stop();
        HostError::machine(
            format!("cannot use the terminal: {error}"),
            "run with --json, or with the output in a file or pipe",
        )
    })
}

fn show(
    view: &mut View,
    receiver: &mut SnapshotReceiver,
    events: &mpsc::Receiver<EventRecord>,
    control: &Control,
) -> std::io::Result<()> {
    // This also makes a panic in any thread restore the terminal before its message is printed.
    let mut terminal = ratatui::try_init()?;
    let _restore = Restore;
    while !control.is_finished() {
        let newest = receiver.newest();
        if !view.paused {
            if let Some(snapshot) = newest {
                view.snapshot = snapshot;
            }
            events.try_iter().for_each(|event| view.add_event(event));
        }
        terminal.draw(|frame| render(frame, view))?;
        if keyboard::wait(FRAME_TIME)?
            && let event::Event::Key(key) = event::read()?
            && key.kind != KeyEventKind::Release
        {
            press(view, key.code, key.modifiers, control);
        }
    }
    Ok(())
}

/// What a key does.
fn press(view: &mut View, code: KeyCode, modifiers: KeyModifiers, control: &Control) {
    match code {
        KeyCode::Char('q') | KeyCode::Esc => control.request_stop(),
        // In raw mode Ctrl-C arrives as a key, not as a signal.
        KeyCode::Char('c') if modifiers.contains(KeyModifiers::CONTROL) => control.request_stop(),
        KeyCode::Char('p') => view.paused = !view.paused,
        KeyCode::Char('r') => control.request_reset(),
        _ => {}
    }
}

/// Draws one picture.
pub fn render(frame: &mut Frame<'_>, view: &View) {
    let shown_axes = view.snapshot.axis_count.min(LIVE_AXES);
    let shown_stations = view.snapshot.station_count.min(LIVE_STATIONS);
    let rows = u16::try_from(shown_axes + shown_stations + 1).unwrap_or(u16::MAX);
    let [header, axes, lower, footer] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Max(rows),
        // One line of head and one a phase; what is left below is the events'.
        Constraint::Min(Phase::COUNT as u16 + 1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    let [phases, events] =
        Layout::horizontal([Constraint::Length(49), Constraint::Min(0)]).areas(lower);
    render_header(frame, header, view);
    render_axes(frame, axes, view);
    render_phases(frame, phases, &view.snapshot.phases, view.period_ns);
    render_events(frame, events, view);
    render_footer(frame, footer, view);
}

fn bold() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}

fn render_header(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let snapshot = &view.snapshot;
    let first = Line::from(vec![
        Span::styled(format!(" twinstep  {}", view.title), bold()),
        Span::raw(format!(
            "  {:.1} s  cycle {}  period {} us  events {}",
            snapshot.time_ns as f64 * 1e-9,
            snapshot.cycle,
            view.period_ns as f64 / 1000.0,
            snapshot.events
        )),
        Span::styled(if view.paused { "  PAUSED" } else { "" }, bold()),
        Span::raw(match view.run.as_ref().and_then(|run| run.process_data()) {
            Some(from) => format!("  map {}", from.word()),
            None => String::new(),
        }),
        Span::raw(page(view)),
    ]);
    frame.render_widget(
        Paragraph::new(vec![first, trust_line(&snapshot.trust)]),
        area,
    );
}

/// Where the page is; browsers take the address without its scheme, and the line is short.
fn page(view: &View) -> String {
    let url = view.page.as_ref().and_then(|page| page.get());
    let short = url.map(|url| url.trim_start_matches("http://").trim_end_matches('/'));
    short.map_or(String::new(), |short| format!("  page {short}"))
}

fn trust_line(trust: &Trust) -> Line<'static> {
    let item = |name: &str, granted: bool| {
        let color = if granted { Color::Green } else { Color::Red };
        let text = format!(" {name} {} ", if granted { "yes" } else { "no" });
        Span::styled(text, Style::new().fg(color))
    };
    let verdict = if trust.timing_valid {
        "timing valid"
    } else {
        "timing NOT valid for a machine"
    };
    Line::from(vec![
        item("RT kernel", trust.realtime_kernel),
        item("SCHED_FIFO", trust.sched_fifo),
        item("memory locked", trust.memory_locked),
        Span::styled(format!(" {verdict}"), bold()),
    ])
}

fn sigma_style(sigma: f64) -> Style {
    if !sigma.is_finite() || sigma.abs() > 2.0 * NOTABLE_SIGMA {
        Style::new().fg(Color::Red)
    } else if sigma.abs() > NOTABLE_SIGMA {
        Style::new().fg(Color::Yellow)
    } else {
        Style::new()
    }
}

fn render_axes(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let snapshot = &view.snapshot;
    let mut rows = Vec::with_capacity(LIVE_AXES + LIVE_STATIONS);
    for (index, axis) in snapshot.axes.iter().take(snapshot.axis_count).enumerate() {
        let source = Source::Axis(index as u16);
        let name = format!(" {}", view.names.source(source));
        let (per_si, unit) = view.names.moves(source).way();
        // Thirteen characters with the unit.
        let place =
            |position: f64| format!("{:>w$.4} {unit}", position * per_si, w = 12 - unit.len());
        if !axis.valid {
            rows.push(
                Row::new([name, "not measured".into()]).style(Style::new().fg(Color::Yellow)),
            );
            continue;
        }
        let cells = [
            name,
            place(axis.position_m),
            place(axis.predicted_position_m),
            format!("{:>7.3} A", axis.current_a),
            format!("{:>7.3} A", axis.predicted_current_a),
            format!("{:>5.1}", axis.residual_sigma),
            axis.regime.name().into(),
        ];
        rows.push(Row::new(cells).style(sigma_style(axis.residual_sigma)));
    }
    for (index, station) in snapshot
        .stations
        .iter()
        .take(snapshot.station_count)
        .enumerate()
    {
        let name = format!(" {}", view.names.source(Source::Station(index as u16)));
        if !station.valid {
            rows.push(
                Row::new([name, "not measured".into()]).style(Style::new().fg(Color::Yellow)),
            );
            continue;
        }
        let cells = [
            name,
            // 100 Pa are one millibar, the unit on every vacuum gauge.
            format!("{:>8.1} mbar", station.pressure_pa / 100.0),
            format!("{:>8.1} mbar", station.predicted_pressure_pa / 100.0),
            String::new(),
            String::new(),
            format!("{:>5.1}", station.residual_sigma),
            String::new(),
        ];
        rows.push(Row::new(cells).style(sigma_style(station.residual_sigma)));
    }
    let hidden = snapshot.axis_count.saturating_sub(LIVE_AXES)
        + snapshot.station_count.saturating_sub(LIVE_STATIONS);
    let first = if hidden > 0 {
        format!(" +{hidden} more")
    } else {
        " axis".into()
    };
    let head = Row::new([
        first.as_str(),
        "     measured",
        "    predicted",
        " measured",
        "predicted",
        "sigma",
        "regime",
    ])
    .style(bold());
    let widths = [
        Constraint::Length(11),
        Constraint::Length(13),
        Constraint::Length(13),
        Constraint::Length(9),
        Constraint::Length(9),
        Constraint::Length(5),
        Constraint::Min(14),
    ];
    frame.render_widget(
        Table::new(rows, widths).header(head).column_spacing(1),
        area,
    );
}

/// A bar of [`BAR`] characters, full when `part` reaches `whole`.
fn bar(part: u64, whole: u64) -> String {
    let filled = if whole == 0 {
        0
    } else {
        let filled = u128::from(part) * BAR as u128 / u128::from(whole);
        usize::try_from(filled).unwrap_or(BAR).min(BAR)
    };
    "█".repeat(filled) + &"·".repeat(BAR - filled)
}

fn render_phases(frame: &mut Frame<'_>, area: Rect, phases: &PhaseSnapshot, period_ns: u64) {
    let us = |ns: u64| {
        let us = ns as f64 / 1000.0;
        if us < 1000.0 {
            format!("{us:>6.1}")
        } else {
            format!("{us:>6.0}")
        }
    };
    let head = format!(
        " {:<8}{:<BAR$} {:>6} {:>6} {:>6} {:>6}",
        "phase", "p99", "p50", "p99", "max", "budget"
    );
    let mut lines = vec![Line::styled(head, bold())];
    for (index, phase) in Phase::ALL.iter().enumerate() {
        let figures = phases.figures.get(index).copied().unwrap_or_default();
        let budget_ns = phases.budget_ns.get(index).copied().flatten();
        let over = phases.over_budget.get(index).copied().unwrap_or(0);
        let budget = budget_ns.map_or_else(|| format!("{:>6}", "-"), us);
        let text = format!(
            " {:<8}{} {} {} {} {budget}",
            phase.name(),
            bar(figures.p99_ns, budget_ns.unwrap_or(period_ns)),
            us(figures.p50_ns),
            us(figures.p99_ns),
            us(figures.max_ns),
        );
        let style = if over > 0 {
            Style::new().fg(Color::Yellow)
        } else {
            Style::new()
        };
        lines.push(Line::styled(text, style));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn render_events(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let mut lines = vec![Line::styled("events", bold())];
    // Two lines an event, the newest on top.
    for event in view.events.iter().rev().take(usize::from(area.height / 2)) {
        let color = match (&*event.state, &*event.severity) {
            ("cleared", _) => Color::Green,
            (_, "fault") => Color::Red,
            _ => Color::Yellow,
        };
        let time_s = event.time_ns as f64 * 1e-9;
        let first = format!(
            "{time_s:.1}s {} {} {}",
            event.source, event.channel, event.state
        );
        lines.push(Line::styled(first, Style::new().fg(color)));
        lines.push(Line::raw(format!("  {}", event.cause)));
    }
    if view.events.is_empty() {
        lines.push(Line::raw("none"));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn render_footer(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let bus = &view.snapshot.bus;
    let text = format!(
        " bus lost {} late {} dup {} foreign {} wkc {}  overruns {}   q quit  p pause  r reset",
        bus.lost,
        bus.late,
        bus.duplicate,
        bus.foreign,
        bus.working_counter_errors,
        view.snapshot.phases.overruns
    );
    frame.render_widget(
        Paragraph::new(text).style(Style::new().add_modifier(Modifier::REVERSED)),
        area,
    );
}

#[cfg(test)]
#[path = "live_tests.rs"]
mod tests;
