//! Stations, parts and baselines by context in what `calibrate` shows: rows, or lines of JSON.

use crate::calibration::{PartFitted, Report, Taught, axes, described, parts_fitted};
use crate::in_force::{self, InForce};
use crate::output::Output;
use serde::Serialize;
use twinstep_config::machine::{Axis, FigureOf, Machine, PartTwin, RegimeBaseline, StationTwin};
use twinstep_models::blocks::Feature;
use twinstep_models::identify::VacuumFit;
use twinstep_models::rest::{Rested, STAGES_S};
use twinstep_models::sample::{FACTORS, Only};

/// One calibrated station, as a line of JSON: values with their standard errors, where there were two or more to tell one by.
#[derive(Serialize)]
#[serde(tag = "type", rename = "calibration_station")]
struct StationLine<'a> {
    source: &'a str,
    final_pressure_pa: (f64, Option<f64>),
    evacuation_time_constant_s: (f64, Option<f64>),
    /// None where the recording shows none.
    valve_delay_s: Option<[f64; 2]>,
    leak_pa_per_s: (f64, Option<f64>),
    /// From hold to hold.
    leak_sigma_pa_per_s: f64,
    holds: u32,
    before: Option<StationBefore>,
}

/// What a station had before.
#[derive(Serialize)]
struct StationBefore {
    final_pressure_pa: f64,
    evacuation_time_constant_s: f64,
    valve_delay_s: Option<f64>,
    leak_pa_per_s: f64,
}

/// One part that was pressed, as a line of JSON.
#[derive(Serialize)]
#[serde(tag = "type", rename = "calibration_part")]
struct PartLine<'a> {
    source: &'a str,
    /// The press that met it, of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    press: Option<&'a str>,
    /// Where the part is known by itself in this recipe.
    recipe: Option<&'a str>,
    contact_m: f64,
    stiffness_n_per_m: f64,
    /// Of the force of its curve.
    factor: Option<f64>,
    /// None where the strokes cannot tell contact and stiffness apart.
    contact_standard_error_m: Option<f64>,
    stiffness_standard_error_n_per_m: Option<f64>,
    factor_standard_error: Option<f64>,
    before: Option<PartBefore>,
}

/// What a channel is judged by, as a line of JSON.
#[derive(Serialize)]
#[serde(tag = "type", rename = "calibration_threshold")]
struct ThresholdLine<'a> {
    #[serde(flatten)]
    now: &'a InForce,
    before: Option<ThresholdBefore>,
}

/// What it was judged by before.
#[derive(Serialize)]
struct ThresholdBefore {
    limit: Option<f64>,
    window: Option<f64>,
    cusum: Option<f64>,
}

/// What a part had before.
#[derive(Serialize)]
struct PartBefore {
    contact_m: f64,
    stiffness_n_per_m: f64,
    factor: Option<f64>,
}

/// One envelope that was taught, as a line of JSON.
#[derive(Serialize)]
#[serde(tag = "type", rename = "calibration_envelope")]
struct EnvelopeLine<'a> {
    /// The press.
    source: &'a str,
    object: &'a str,
    part: &'a str,
    /// The recipe that it is for alone.
    recipe: Option<&'a str>,
    /// Good strokes that it was taught from.
    strokes: u32,
}

/// One figure of the movements of an axis that differs by recipe, tool, load or temperature, as a line of JSON.
#[derive(Serialize)]
#[serde(tag = "type", rename = "calibration_recipe")]
struct ContextLine<'a> {
    source: &'a str,
    /// By name, where it is of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    recipe: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    load: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<&'a str>,
    channel: &'static str,
    regime: &'a str,
    /// Of a rest: for how long it has lasted at least (s); none of movements and of first figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    rest_s: Option<f64>,
    /// With its standard error.
    mean: (f64, Option<f64>),
    /// From movement to movement.
    sigma: f64,
    figures: Option<f64>,
    unit: &'static str,
    before_mean: Option<f64>,
}

/// Shows every station and part that was fitted, and what is healthy of each axis where that differs by context.
pub(super) fn show(before: &Machine, after: &Machine, report: &Report, output: &Output) {
    for (n, fit) in &report.stations {
        if let (Some(old), Some(new)) = (before.stations.get(*n), after.stations.get(*n)) {
            show_station(&new.name, old.twin.as_ref(), fit, output);
        }
    }
    for part in parts_fitted(before, after, report) {
        show_part(&part, output);
    }
    let fitted = axes(before).zip(axes(after)).zip(&report.axes);
    for ((old, new), _) in fitted.filter(|(_, one)| one.fit.is_some()) {
        show_contexts(old, new, after, output);
    }
    for envelope in &report.envelopes {
        show_envelope(envelope, output);
    }
    show_thresholds(before, after, output);
}

/// Shows what every channel is judged by, before and after.
fn show_thresholds(before: &Machine, after: &Machine, output: &Output) {
    let was = in_force::of(before);
    let mut all = in_force::of(after);
    // What was on before and is off now.
    let off = was
        .iter()
        .filter(|old| !all.iter().any(|now| old.is_of(now)));
    let off: Vec<InForce> = off.map(InForce::off).collect();
    all.extend(off);
    for now in &all {
        let old = was.iter().find(|old| old.is_of(now));
        if output.json() {
            let before = old.map(|old| ThresholdBefore {
                limit: old.limit,
                window: old.window,
                cusum: old.cusum,
            });
            output.json_line(&ThresholdLine { now, before });
            continue;
        }
        for (detector, get, unit) in now.detectors() {
            let figures = [old.and_then(get), get(now), None];
            if figures[0].is_some() || figures[1].is_some() {
                let quantity = format!("{} {detector}", now.channel);
                row(output, &now.source, &quantity, figures, unit);
            }
        }
    }
}

/// What was there before of the same figure: in this context, or in all.
fn mean_before(old: &Axis, row: &RegimeBaseline) -> Option<f64> {
    let rows = &old.twin.as_ref()?.baseline;
    let same = |only: Only| {
        (rows.iter())
            .find(|b| b.is_of(row) && b.only == only)
            .map(|b| b.mean_a)
    };
    same(row.only).or_else(|| same(Only::ALWAYS))
}

/// Short enough for the table.
fn short(regime: &str) -> &str {
    match Feature::ALL.into_iter().find(|f| f.name() == regime) {
        Some(Feature::ConstantPositive) => "speed +",
        Some(Feature::ConstantNegative) => "speed -",
        _ if regime == Rested::Positive.name() => "rest +",
        _ if regime == Rested::Negative.name() => "rest -",
        _ => regime,
    }
}

fn show_contexts(old: &Axis, new: &Axis, machine: &Machine, output: &Output) {
    let (unit, names) = (new.effort(), machine.factor_names());
    let rows = (new.twin.iter()).flat_map(|twin| &twin.baseline);
    for one in rows {
        if one.only == Only::ALWAYS {
            continue;
        }
        let name = |names: &'_ [String], of: Option<u8>| {
            of.and_then(|n| names.get(usize::from(n))).cloned()
        };
        let named: [Option<String>; FACTORS] =
            std::array::from_fn(|n| name(&names[n], one.only.factors()[n]));
        let [recipe, tool, load, temperature] = named.each_ref().map(Option::as_deref);
        let figures = one.law.map(|law| law.figures);
        let error = figures.map(|figures| one.sigma_a / figures.sqrt());
        let was = mean_before(old, one);
        let rest_s = STAGES_S.get(usize::from(one.stage)).copied();
        let rest_s = rest_s.filter(|rest_s| *rest_s > 0.0);
        if output.json() {
            output.json_line(&ContextLine {
                source: &new.name,
                recipe,
                tool,
                load,
                temperature,
                channel: one.of.name(),
                regime: &one.regime,
                rest_s,
                mean: (one.mean_a, error),
                sigma: one.sigma_a,
                figures,
                unit,
                before_mean: was,
            });
        } else if one.of == FigureOf::CurrentLoad {
            let unit = format!("{unit}, healthy in {}", described(&one.only, &names));
            let figures = [was, Some(one.mean_a), error];
            let age = rest_s.map_or_else(String::new, |rest_s| format!(" {rest_s} s"));
            let quantity = format!("{}{age}", short(&one.regime));
            row(output, &new.name, &quantity, figures, &unit);
        }
    }
}

fn show_envelope(taught: &Taught, output: &Output) {
    let recipe = taught.recipe.as_deref();
    if output.json() {
        output.json_line(&EnvelopeLine {
            source: &taught.press,
            object: &taught.object,
            part: &taught.part,
            recipe,
            strokes: taught.strokes,
        });
        return;
    }
    let recipe = recipe.map_or_else(String::new, |recipe| format!(" in recipe {recipe}"));
    output.line(&format!(
        "{:<16} envelope {} of {}{recipe} taught from {} good strokes",
        taught.press, taught.object, taught.part, taught.strokes
    ));
}

fn show_station(name: &str, old: Option<&StationTwin>, fit: &VacuumFit, output: &Output) {
    if output.json() {
        output.json_line(&StationLine {
            source: name,
            final_pressure_pa: (fit.final_pressure_pa, fit.final_pressure_error_pa),
            evacuation_time_constant_s: (fit.time_constant_s, fit.time_constant_error_s),
            valve_delay_s: fit.valve_delay,
            leak_pa_per_s: (fit.leak_pa_per_s, Some(fit.leak_error_pa_per_s)),
            leak_sigma_pa_per_s: fit.leak_sigma_pa_per_s,
            holds: fit.holds,
            before: old.map(|twin| StationBefore {
                final_pressure_pa: twin.final_pressure_pa,
                evacuation_time_constant_s: twin.evacuation_time_constant_s,
                valve_delay_s: twin.valve_delay_s,
                leak_pa_per_s: twin.leak_pa_per_s,
            }),
        });
        return;
    }
    let show =
        |quantity: &str, was: Option<f64>, (value, error): (f64, Option<f64>), unit: &str| {
            row(output, name, quantity, [was, Some(value), error], unit);
        };
    show(
        "pressure",
        old.map(|twin| twin.final_pressure_pa),
        (fit.final_pressure_pa, fit.final_pressure_error_pa),
        "Pa",
    );
    show(
        "evacuation",
        old.map(|twin| twin.evacuation_time_constant_s),
        (fit.time_constant_s, fit.time_constant_error_s),
        "s",
    );
    let was = old.and_then(|twin| twin.valve_delay_s);
    if was.is_some() || fit.valve_delay.is_some() {
        let [delay, error] = [0, 1].map(|n| fit.valve_delay.map(|found| found[n]));
        row(output, name, "valve delay", [was, delay, error], "s");
    }
    show(
        "leak",
        old.map(|twin| twin.leak_pa_per_s),
        (fit.leak_pa_per_s, Some(fit.leak_error_pa_per_s)),
        "Pa/s",
    );
    output.line(&format!(
        "{name:<16} leak differs by {:.4} Pa/s from hold to hold, {} holds",
        fit.leak_sigma_pa_per_s, fit.holds
    ));
}

fn show_part(part: &PartFitted<'_>, output: &Output) {
    let (name, old, twin, errors) = (part.name, part.old, part.new, part.errors);
    if output.json() {
        output.json_line(&PartLine {
            source: name,
            press: part.press,
            recipe: part.recipe,
            contact_m: twin.contact_m,
            stiffness_n_per_m: twin.stiffness_n_per_m,
            factor: twin.factor,
            contact_standard_error_m: errors.contact_m,
            stiffness_standard_error_n_per_m: errors.share.map(|e| e * twin.stiffness_n_per_m),
            factor_standard_error: errors.share.zip(twin.factor).map(|(e, factor)| e * factor),
            before: old.map(|twin| PartBefore {
                contact_m: twin.contact_m,
                stiffness_n_per_m: twin.stiffness_n_per_m,
                factor: twin.factor,
            }),
        });
        return;
    }
    let show = |quantity: &str, get: fn(&PartTwin) -> f64, error: Option<f64>, unit: &str| {
        let figures = [old.map(get), Some(get(twin)), error];
        row(output, name, quantity, figures, unit);
    };
    let stiffness = |twin: &PartTwin| 1e-6 * twin.stiffness_n_per_m;
    let contact_mm = errors.contact_m.map(|error| 1e3 * error);
    show("contact", |twin| 1e3 * twin.contact_m, contact_mm, "mm");
    let error = errors.share.map(|share| share * stiffness(twin));
    show("stiffness", stiffness, error, "N/um");
    if let Some(factor) = twin.factor {
        let was = old.and_then(|twin| twin.factor);
        let error = errors.share.map(|share| share * factor);
        row(
            output,
            name,
            "factor",
            [was, Some(factor), error],
            "of its curve",
        );
    }
    if let Some(recipe) = part.recipe {
        output.line(&format!("{name:<16} by itself in recipe {recipe}"));
    }
    if let Some(press) = part.press {
        output.line(&format!("{name:<16} on {press}"));
    }
}

/// A row of the table: what was there before, what is there now, and its standard error.
fn row(output: &Output, name: &str, quantity: &str, figures: [Option<f64>; 3], unit: &str) {
    let [was, value, error] =
        figures.map(|v| v.map_or_else(|| "-".to_owned(), |v| format!("{v:.4}")));
    output.line(&format!(
        "{name:<16} {quantity:<20} {was:>14} {value:>12} {error:>12}  {unit}"
    ));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::Buffer;
    use serde_json::Value;

    fn shown(before: &Machine, after: &Machine, json: bool) -> String {
        let buffer = Buffer::endless();
        let output = Output::new(json, false, Box::new(buffer.clone()));
        show_thresholds(before, after, &output);
        buffer.text()
    }

    /// The shipped cell, and the same without the channel of the current of its first axis.
    fn with_and_without() -> (Machine, Machine) {
        let with = twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
        let mut without = with.clone();
        let twin = without.axes[0].twin.as_mut().unwrap();
        (twin.innovations[2], twin.current_limit_a) = (None, None);
        (with, without)
    }

    /// Figures before and after of each detector of that channel.
    fn rows(text: &str, name: &str) -> Vec<(Option<f64>, Option<f64>)> {
        let rows = text.lines().filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [source, channel, _, was, now, ..] = words[..] else {
                return None;
            };
            (source == name && channel == "current_next")
                .then(|| (was.parse().ok(), now.parse().ok()))
        });
        rows.collect()
    }

    /// Would show a calibration that puts a channel off, and says nothing of it.
    #[test]
    fn thresholds_that_go_off_or_come_are_shown_with_what_was_there_before() {
        let (with, without) = with_and_without();
        let name = &with.axes[0].name;
        let same = rows(&shown(&with, &with, false), name);
        assert_eq!(same.len(), 3, "limit, window and cusum: {same:?}");
        assert!(
            same.iter().all(|(was, now)| was.is_some() && was == now),
            "{same:?}"
        );
        let off = rows(&shown(&with, &without, false), name);
        let before: Vec<_> = same.iter().map(|(was, _)| (*was, None)).collect();
        assert_eq!(off, before);
        let on = rows(&shown(&without, &with, false), name);
        let after: Vec<_> = same.iter().map(|(_, now)| (None, *now)).collect();
        assert_eq!(on, after);
        // What was never on has no row.
        assert_eq!(rows(&shown(&without, &without, false), name), []);
    }

    /// The same for programs: null is off, and `before` is null where the channel was off altogether.
    #[test]
    fn programs_are_told_what_goes_off_too() {
        let (with, without) = with_and_without();
        let line = |before: &Machine, after: &Machine| {
            let text = shown(before, after, true);
            let mut lines = text
                .lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap());
            lines.find(|line| {
                line["source"] == with.axes[0].name.as_str() && line["channel"] == "current_next"
            })
        };
        let off = line(&with, &without).unwrap();
        assert_eq!(off["type"], "calibration_threshold");
        for detector in ["limit", "window", "cusum"] {
            assert_eq!(off[detector], Value::Null, "{off}");
            assert!(off["before"][detector].is_f64(), "{off}");
        }
        let on = line(&without, &with).unwrap();
        assert!(on["limit"].is_f64() && on["before"].is_null(), "{on}");
        assert_eq!(line(&without, &without), None);
    }
}
