//! Axes, presses and stations against their twins, and the last deviations.

use super::draw::{bold, colored};
use super::events::brief;
use super::text::{number, short, words};
use super::view::View;
use crate::control::status::{AxisLine, StationLine, StatusLine};
use ratatui::style::{Color, Style};
use ratatui::text::Line;
use twinstep_config::machine::AxisKind;

/// Residuals beyond this are shown in yellow, beyond twice this in red (sigma).
const NOTABLE_SIGMA: f64 = 4.0;

pub(super) fn lines(view: &View, status: &StatusLine, height: usize) -> Vec<Line<'static>> {
    let all = status.axes.len() + status.stations.len();
    let head = format!(
        " {:<11}{:>10} {:>10} {:>7} {:>7} {:>6}  {:<14}{:>5}",
        format!("{all} in all"),
        ways(status),
        "predicted",
        "A",
        "pred.",
        "sigma",
        "regime",
        "conf."
    );
    let mut lines = vec![Line::styled(head, bold())];
    let axes = status.axes.iter().map(axis);
    let stations = status.stations.iter().map(station);
    lines.extend(axes.chain(stations).skip(view.offset()));
    // Whatever is left below is the deviations'.
    let room = height.saturating_sub(lines.len() + 1);
    if room > 1 && !view.events.is_empty() {
        lines.push(Line::raw(""));
        lines.extend(view.events.iter().rev().take(room).map(brief));
    }
    lines
}

/// What the positions are in: degrees have their sign behind them.
fn ways(status: &StatusLine) -> &'static str {
    let turns = |axis: &&AxisLine| axis.moves() == AxisKind::Rotary;
    match status.axes.iter().filter(turns).count() {
        0 => "mm",
        n if n == status.axes.len() => "deg",
        _ => "mm, deg",
    }
}

/// A position, ten characters wide.
fn place(axis: &AxisLine, position: Option<f64>) -> String {
    let kind = axis.moves();
    let (per_si, _) = kind.way();
    match kind {
        AxisKind::Linear => number(position, per_si, 10, 4),
        AxisKind::Rotary => format!("{}°", number(position, per_si, 9, 4)),
    }
}

fn style(valid: bool, sigma: Option<f64>) -> Style {
    match sigma.map(f64::abs) {
        _ if !valid => colored(Color::Yellow),
        Some(sigma) if sigma <= NOTABLE_SIGMA => Style::new(),
        Some(sigma) if sigma > 2.0 * NOTABLE_SIGMA => colored(Color::Red),
        _ => colored(Color::Yellow),
    }
}

fn axis(axis: &AxisLine) -> Line<'static> {
    let regime = axis.regime.as_deref().unwrap_or("not measured");
    let text = format!(
        " {:<11}{} {} {} {} {}  {:<14}{}",
        short(&axis.name, 11),
        place(axis, axis.position_m),
        place(axis, axis.predicted_position_m),
        number(axis.current_a, 1.0, 7, 3),
        number(axis.predicted_current_a, 1.0, 7, 3),
        number(axis.residual_sigma, 1.0, 6, 1),
        words(regime),
        number(axis.confidence, 1.0, 5, 2),
    );
    Line::styled(text, style(axis.valid, axis.residual_sigma))
}

fn station(station: &StationLine) -> Line<'static> {
    let text = format!(
        " {:<11}{} {} mbar            {}",
        short(&station.name, 11),
        // 100 Pa are one millibar, the unit on every vacuum gauge.
        number(station.pressure_pa, 0.01, 10, 1),
        number(station.predicted_pressure_pa, 0.01, 10, 1),
        number(station.residual_sigma, 1.0, 6, 1),
    );
    Line::styled(text, style(station.valid, station.residual_sigma))
}
