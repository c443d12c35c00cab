//! What is told of the health of a machine: every tracked parameter, so that its history is where history is kept.

use super::families::{Families, Labels, label, on};
use crate::control::status::StatusLine;
use crate::health::{HealthLine, LifeLine};
use std::fmt;

/// Most parameters that are told of a bus: those of 128 axes with all of four.
pub const MAX_PARAMETERS: usize = 512;

/// Its families.
///
/// # Errors
/// What the encoder says.
pub fn encode(families: &mut Families<'_, '_>, buses: &[StatusLine]) -> fmt::Result {
    let mut gauges = |name, help, of: fn(&HealthLine) -> Option<f64>| {
        let rows = lines(buses);
        let rows = rows.filter_map(|(bus, line)| Some((labels(bus, line), of(line)?)));
        families.gauges(name, help, None, rows)
    };
    gauges(
        "health_value",
        "Value of a tracked parameter, in its unit.",
        |line| Some(line.value),
    )?;
    gauges(
        "health_healthy",
        "Healthy value of a tracked parameter.",
        |line| line.healthy,
    )?;
    gauges(
        "health_limit",
        "Value of a tracked parameter at the end of its life.",
        |line| line.limit,
    )?;
    gauges(
        "health_trend_per_hour",
        "Trend of a tracked parameter an hour of the mean use so far.",
        |line| line.trend_per_hour,
    )?;
    let left_out = buses.iter().map(|bus| {
        let left_out = bus.health.len().saturating_sub(MAX_PARAMETERS);
        (on(bus, []), left_out as f64)
    });
    families.gauges(
        "health_left_out",
        "Tracked parameters beyond the first 512 of a bus, which are not told.",
        None,
        left_out,
    )?;
    let lives = lines(buses).flat_map(|(bus, line)| {
        let hours = match line.life {
            LifeLine::Known { hours, .. } => Some(hours),
            LifeLine::NotYetKnown { .. } => None,
        };
        let each = ["0.05", "0.5", "0.95"]
            .into_iter()
            .zip(hours.into_iter().flatten());
        each.map(move |(quantile, hours)| {
            let mut labels = labels(bus, line);
            labels.push(label("quantile", quantile));
            (labels, hours)
        })
    });
    families.gauges(
        "health_life_hours",
        "Remaining life by a tracked parameter, hours of the mean use so far; none where it is not known yet.",
        None,
        lives,
    )
}

fn lines(buses: &[StatusLine]) -> impl Iterator<Item = (&StatusLine, &HealthLine)> {
    buses.iter().flat_map(|bus| {
        let lines = bus.health.iter().take(MAX_PARAMETERS);
        lines.map(move |line| (bus, line))
    })
}

fn labels(bus: &StatusLine, line: &HealthLine) -> Labels {
    let labels = [
        label("source", &line.source),
        label("parameter", &line.parameter),
        label("unit", &line.unit),
    ];
    on(bus, labels)
}
