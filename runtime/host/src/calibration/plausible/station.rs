//! Pressures of stations against what their circuit can have.

use super::{EMPTY, Finding, ratio, span, station_column, thousand};
use twinstep_config::machine::{Machine, Station};
use twinstep_drivers::recording::StationRecord;
use twinstep_models::vacuum::AMBIENT_PA;

/// Pressures beyond this many times the highest of a circuit are in another unit.
const ABOVE: f64 = 20.0;
/// Pressures that never come to this share of the lowest of a circuit as well: Pa for mbar is a hundredth.
const BELOW: f64 = 0.05;

/// Everything that is wrong or odd with a station.
pub(super) fn check(
    machine: &Machine,
    station: &Station,
    record: &StationRecord,
    all: &mut Vec<Finding>,
) {
    let Some(column) = station_column(machine, station) else {
        return;
    };
    let mut say = |nonsense: bool, text: String| {
        let text = format!("column `{column}`: {text}");
        all.push(Finding { nonsense, text });
    };
    let readings = &record.pressure_pa;
    let finite = || readings.iter().filter(|p| p.is_finite());
    let empty = readings.len() - finite().count();
    let share = empty as f64 / readings.len().max(1) as f64;
    if share > EMPTY {
        say(
            false,
            format!("{:.0} % of it is without a value", 100.0 * share),
        );
    }
    if empty == readings.len() {
        return;
    }
    if span(readings) == 0.0 {
        let text = "it never changes: is it the right column, and the sensor on?";
        say(false, text.to_owned());
        return;
    }
    let final_pa = (station.twin.as_ref()).map_or(AMBIENT_PA, |twin| twin.final_pressure_pa);
    let most = finite().fold(0.0_f64, |most, p| most.max(p.abs()));
    let (low, high) = (AMBIENT_PA.min(final_pa), AMBIENT_PA.max(final_pa));
    let away = finite().fold(0.0_f64, |most, p| most.max((p - AMBIENT_PA).abs()));
    let expected = (final_pa - AMBIENT_PA).abs();
    if most > ABOVE * high {
        say(
            true,
            format!(
                "it reaches {most:.0} Pa, and the circuit has {high:.0} Pa at most: in another unit than the configuration says (mbar for bar, Pa for mbar?)"
            ),
        );
    } else if most < BELOW * low {
        say(
            true,
            format!(
                "it comes to {most:.3} Pa, and the circuit has {low:.0} Pa at least: in another unit than the configuration says (bar for mbar, mbar for Pa?)"
            ),
        );
    } else if thousand(ratio(away, expected)) == Some(false) {
        // A circuit that is never switched on does so too.
        say(
            false,
            format!(
                "it stays within {away:.1} Pa of the ambient pressure, and the circuit goes {expected:.0} Pa from it: a thousandth, as of bar for mbar?"
            ),
        );
    }
}
