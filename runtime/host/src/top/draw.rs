//! The picture: three lines of head, one page, two lines of foot.

use super::keys::HELP;
use super::text::{counted, period};
use super::view::{Page, View};
use super::{axes, budget, bus, events, histogram, overruns};
use crate::control::status::StatusLine;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};

/// A smaller terminal shows nothing that could be read (columns, lines).
const SMALLEST: (u16, u16) = (40, 10);

/// Draws one picture.
pub fn render(frame: &mut Frame<'_>, view: &View) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        let text = format!("{} x {}: top needs 80 x 24", area.width, area.height);
        frame.render_widget(Paragraph::new(text), area);
        return;
    }
    let [head, page, foot] = Layout::vertical([
        Constraint::Length(3),
        Constraint::Min(0),
        Constraint::Length(2),
    ])
    .areas(area);
    let mut lines = vec![title(view)];
    lines.extend(view.status.iter().flat_map(|status| trust(status)));
    frame.render_widget(Paragraph::new(lines), head);
    let state = state(view);
    let width = u16::try_from(state.chars().count())
        .unwrap_or(0)
        .min(head.width);
    if width > 0 {
        let mut corner = head;
        (corner.x, corner.width, corner.height) = (head.right() - width, width, 1);
        frame.render_widget(Clear, corner);
        let style = bold().add_modifier(Modifier::REVERSED);
        frame.render_widget(Paragraph::new(state).style(style), corner);
    }
    let (width, height) = (usize::from(page.width), usize::from(page.height));
    let mut lines = match &view.status {
        _ if view.help => help(),
        None => vec![Line::raw(" waiting for the first answer of the instance")],
        Some(status) => match view.page {
            Page::Budget => budget::lines(status, width),
            Page::Axes => axes::lines(view, status, height),
            Page::Histogram => histogram::lines(view, status, (width, height)),
            Page::Overruns => overruns::lines(view, status, width),
            Page::Bus => bus::lines(view, status, width),
            Page::Events => events::lines(view, width),
        },
    };
    lines.truncate(height);
    frame.render_widget(Paragraph::new(lines), page);
    frame.render_widget(Paragraph::new(footer(view)), foot);
}

pub(super) fn bold() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}

pub(super) fn colored(color: Color) -> Style {
    Style::new().fg(color)
}

fn title(view: &View) -> Line<'static> {
    let Some(status) = &view.status else {
        return Line::styled(" twinstep top", bold());
    };
    let who = &status.identity;
    let bus = (status.bus_name.as_ref()).map_or(String::new(), |name| format!(", {name}"));
    let text = format!(
        "  {:.1} s  {} us  {}  {}  {}  {}",
        status.time_ns as f64 * 1e-9,
        period(who.period_ns),
        if who.simulated { "simulated" } else { "real" },
        if status.armed { "armed" } else { "not armed" },
        counted(status.events, "deviation"),
        counted(status.overruns.count, "overrun"),
    );
    Line::from(vec![
        Span::styled(format!(" {}{bus}", who.machine), bold()),
        Span::raw(text),
    ])
}

/// What stands in the corner.
fn state(view: &View) -> String {
    match (&view.lost, view.frozen) {
        (Some(_), _) => " NO ANSWER ".to_owned(),
        (None, Some("paused")) => " PAUSED ".to_owned(),
        (None, Some(why)) => format!(" FROZEN: {why} "),
        (None, None) if view.trigger.name().is_empty() => String::new(),
        (None, None) => format!(" {} ", view.trigger.name()),
    }
}

/// What the durations are worth. Red is what takes their value from them, yellow what costs time now and then.
fn trust(status: &StatusLine) -> [Line<'static>; 2] {
    let trust = &status.trust;
    let is = |key: &str| trust[key] == true;
    let must = |text: &str, fine: bool| {
        let color = if fine { Color::Green } else { Color::Red };
        Span::styled(format!("  {text}"), colored(color))
    };
    let should = |text: String, fine: bool| {
        let color = if fine { Color::Reset } else { Color::Yellow };
        Span::styled(format!("  {text}"), colored(color))
    };
    let policy = trust["policy"].as_str().unwrap_or("unknown");
    let scheduled = is("sched_fifo") || policy == "deadline";
    let verdict = if is("timing_valid") {
        " timing valid"
    } else {
        " timing NOT valid"
    };
    let free = is("throttling_off");
    let first = Line::from(vec![
        Span::styled(verdict, bold()),
        must(
            if is("realtime_kernel") {
                "RT kernel"
            } else {
                "no RT kernel"
            },
            is("realtime_kernel"),
        ),
        must(&format!("policy {policy}"), scheduled),
        must(
            if is("memory_locked") {
                "locked"
            } else {
                "NOT locked"
            },
            is("memory_locked"),
        ),
        must(if free { "unthrottled" } else { "throttled" }, free),
        must(
            if is("virtual_machine") { "VM" } else { "no VM" },
            !is("virtual_machine"),
        ),
    ]);
    let computer = &status.computer;
    let word = |word: &Option<String>| word.as_deref().unwrap_or("-").to_owned();
    let (core, isolated) = (trust["core"].as_u64(), is("isolated"));
    let place = match core {
        Some(core) if isolated => format!("core {core} isolated"),
        Some(core) => format!("core {core} shared"),
        None => "no core of its own".to_owned(),
    };
    let held = is("cpu_dma_latency_held");
    // One on the cycle's own core stops the cycle.
    let own = core.map(|core| core.to_string());
    let mut second = vec![
        should(place.clone(), isolated),
        should(format!("idle {}", if held { "off" } else { "on" }), held),
        should(
            word(&computer.governor),
            [None, Some("performance")].contains(&computer.governor.as_deref()),
        ),
        should(
            word(&computer.clock_source),
            [None, Some("tsc"), Some("arch_sys_counter")]
                .contains(&computer.clock_source.as_deref()),
        ),
    ];
    let count = |key: &str| trust[key].as_u64().unwrap_or(0);
    let (workers, granted) = (count("workers"), count("workers_granted"));
    if workers > 0 {
        let text = format!("workers {granted}/{workers}");
        second.insert(1, must(&text, granted == workers));
    }
    if let Some(cores) = &computer.interrupt_cores {
        let apart = Some(cores) != own.as_ref() && !cores.contains(['-', ',']);
        second.push(should(format!("IRQ {cores}"), apart));
    }
    if let Some(rx_us) = computer.rx_coalescing_us {
        second.push(should(format!("rx {rx_us}us"), rx_us == 0));
    }
    // The first one stands at the edge, as everything does.
    second[0] = Span::styled(format!(" {place}"), second[0].style);
    [first, Line::from(second)]
}

fn help() -> Vec<Line<'static>> {
    let mut lines = vec![Line::styled(" keys", bold())];
    lines.extend(HELP.map(|(key, what)| Line::raw(format!(" {key:<20}{what}"))));
    lines
}

fn footer(view: &View) -> Vec<Line<'static>> {
    let first = match (&view.prompt, &view.lost, view.events.back()) {
        (Some(prompt), ..) => {
            let hint = if prompt.is_empty() {
                "   KIND:TARGET[:KEY=VALUE,..] as with `twinstep inject`"
            } else {
                ""
            };
            Line::styled(format!(" inject: {prompt}_{hint}"), bold())
        }
        _ if !view.message.is_empty() => Line::styled(format!(" {}", view.message), bold()),
        (None, Some(why), _) => Line::styled(
            format!(" trying again every second: {why}"),
            colored(Color::Yellow),
        ),
        (None, None, Some(event)) => events::brief(event),
        (None, None, None) => Line::raw(" no events yet"),
    };
    let mut keys = String::from(" ");
    for (n, page) in Page::ALL.iter().enumerate() {
        let (open, close) = if *page == view.page {
            ("[", "]")
        } else {
            ("", "")
        };
        keys += &format!("{open}{} {}{close} ", n + 1, page.name());
    }
    keys += " p pause h keys q quit";
    let reversed = Style::new().add_modifier(Modifier::REVERSED);
    vec![first, Line::styled(keys, reversed)]
}
