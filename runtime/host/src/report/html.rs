//! The page itself: one file, nothing loaded from elsewhere, nothing that runs; light and dark; four sides of A4 at most for most events.

mod curves;

use super::gather::{Gathered, Moment};
use super::replayed::Replayed;
use super::svg::number;
use crate::day;
use crate::lines::EventRecord;
use std::fmt::Write;
use std::path::Path;

/// Text as HTML shows it.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

/// The whole page.
pub(super) fn page(
    gathered: &Gathered,
    replayed: Option<&Replayed>,
    recording: Option<&Path>,
    missing: &[String],
) -> String {
    let mut out = String::new();
    // Writing to a String has no way to fail.
    let _ = write_page(&mut out, gathered, replayed, recording, missing);
    out
}

fn write_page(
    out: &mut String,
    gathered: &Gathered,
    replayed: Option<&Replayed>,
    recording: Option<&Path>,
    missing: &[String],
) -> std::fmt::Result {
    let event = &gathered.event;
    let title = format!(
        "Event {}: {} {} {}",
        event.seq, event.source, event.channel, event.state
    );
    write!(
        out,
        "{HEAD}<title>{0}</title></head><body>\n<h1>{0}</h1>\n<p class=\"cause {1}\"><strong>{2}</strong></p>\n<p id=\"action\">{3}</p>\n",
        escaped(&title),
        escaped(&event.severity),
        escaped(&event.cause),
        escaped(&event.action)
    )?;
    write_trust(out, replayed)?;
    write_facts(out, gathered, replayed, recording)?;
    if !missing.is_empty() {
        out.push_str("<h2>Missing</h2>\n<ul id=\"missing\">\n");
        for why in missing {
            writeln!(out, "<li>{}</li>", escaped(why))?;
        }
        out.push_str("</ul>\n");
    }
    write_causes(out, event)?;
    if let Some(replayed) = replayed {
        curves::write_curves(out, event, replayed)?;
        curves::write_stroke(out, replayed)?;
        curves::write_figures(out, replayed)?;
        curves::write_life(out, replayed)?;
    }
    write_intervals(out, event)?;
    let commands = replayed.map_or(&[][..], |replayed| &replayed.commands);
    write_timeline(out, event, &gathered.moments, commands)?;
    writeln!(
        out,
        "<details><summary>The event as it is stored</summary><pre id=\"event\">{}</pre></details>\n</body></html>",
        escaped(&gathered.json)
    )
}

/// Whether the times on the page can be believed, as far as the recording says.
fn write_trust(out: &mut String, replayed: Option<&Replayed>) -> std::fmt::Result {
    let fact = |name: &str| replayed.and_then(|r| r.facts.get(name)).map(String::as_str);
    let simulated = match fact("simulated") {
        Some("true") => "The machine was simulated. ",
        _ => "",
    };
    let time = match (fact("trust"), fact("real_time")) {
        (Some(trust), _) => format!("Of the run: {}.", trust.replace('\n', "; ")),
        (None, Some("false")) => "The run was in virtual time.".to_owned(),
        (None, Some(_)) => {
            "The run was paced by a clock; whether its timing is valid stands in its summary."
                .to_owned()
        }
        (None, None) => {
            "How the run was timed is not known here: it stands in its summary.".to_owned()
        }
    };
    let replay = match replayed {
        Some(r) if r.confirmed => format!(
            " The replay found this event with the same values; {} digests agree with the run.",
            r.compared
        ),
        Some(_) => " The replay did not find this event itself.".to_owned(),
        None => String::new(),
    };
    writeln!(
        out,
        "<p id=\"trust\">{simulated}{}{replay}</p>",
        escaped(&time)
    )
}

fn write_facts(
    out: &mut String,
    gathered: &Gathered,
    replayed: Option<&Replayed>,
    recording: Option<&Path>,
) -> std::fmt::Result {
    let event = &gathered.event;
    out.push_str("<table id=\"facts\">\n");
    let mut row = |key: &str, name: &str, value: &str| {
        if value.is_empty() {
            return Ok(());
        }
        writeln!(
            out,
            "<tr><th>{name}</th><td data-key=\"{key}\">{}</td></tr>",
            escaped(value)
        )
    };
    let quantity = |value: f64| match value.is_finite() {
        true => format!("{} {}", number(value), event.unit),
        false => "not known".to_owned(),
    };
    if let Some(replayed) = replayed {
        row("machine", "Machine", &replayed.machine)?;
    }
    row("plan", "Plan", &event.plan)?;
    let period = replayed.map(|replayed| format!("{} us", number(replayed.period_ns as f64 / 1e3)));
    row("period", "Period", period.as_deref().unwrap_or_default())?;
    row("seq", "Event", &event.seq.to_string())?;
    let time = format!("{} UTC", day::text(event.time_utc_ns));
    row("time", "Time", &time)?;
    let cycle = format!(
        "{} ({:.3} s after the first)",
        event.cycle,
        event.time_ns as f64 / 1e9
    );
    row("cycle", "Cycle", &cycle)?;
    row("source", "Axis, press, station or bus", &event.source)?;
    row("asset_id", "Asset", &event.asset_id)?;
    row("channel", "Channel", &event.channel)?;
    row("state", "State", &event.state)?;
    row("detector", "Detector", &event.detector)?;
    row("severity", "Severity", &event.severity)?;
    row("regime", "Regime", &event.regime)?;
    row(
        "recipe",
        "Recipe",
        event.context.recipe.as_deref().unwrap_or_default(),
    )?;
    row(
        "part",
        "Part",
        event.context.part.as_deref().unwrap_or_default(),
    )?;
    let conditions = [
        ("tool", "Tool", &event.context.tool),
        ("load", "Load", &event.context.load),
        ("temperature", "Temperature", &event.context.temperature),
    ];
    for (key, title, name) in conditions {
        if let Some(name) = name {
            row(key, title, name)?;
        }
    }
    row("measured", "Measured", &quantity(event.measured))?;
    row("predicted", "Predicted", &quantity(event.predicted))?;
    row(
        "residual",
        "Measured - predicted",
        &quantity(event.residual),
    )?;
    if let Some(nok) = &event.nok {
        row("nok", "Stroke", &format!("{}: {}", nok.stroke, nok.text()))?;
    }
    let acknowledged = gathered
        .acknowledged
        .as_ref()
        .map(|a| format!("{} at {} UTC: {}", a.who, day::text(a.utc_ns), a.comment));
    row(
        "acknowledged",
        "Acknowledged",
        acknowledged.as_deref().unwrap_or("no"),
    )?;
    let path = recording.map(|path| path.display().to_string());
    row("recording", "Recording", path.as_deref().unwrap_or("none"))?;
    out.push_str("</table>\n");
    Ok(())
}

fn write_causes(out: &mut String, event: &EventRecord) -> std::fmt::Result {
    if event.causes.is_empty() {
        return Ok(());
    }
    out.push_str("<h2>Causes</h2>\n<table id=\"causes\"><tr><th>cause</th><th>share</th><th>what to do</th></tr>\n");
    for one in &event.causes {
        writeln!(
            out,
            "<tr><td>{}</td><td>{:.1} %</td><td class=\"text\">{}</td></tr>",
            escaped(&one.cause),
            100.0 * one.weight,
            escaped(&one.action)
        )?;
    }
    let said = if event.nok.is_some() {
        "What may be behind the verdict, from this stroke alone."
    } else {
        "The share is what the pattern over regimes and directions leaves to each cause."
    };
    writeln!(out, "</table>\n<p>{said}</p>")
}

fn write_intervals(out: &mut String, event: &EventRecord) -> std::fmt::Result {
    let days = |seconds: u64| format!("{} days", number(seconds as f64 / 86_400.0));
    let extrapolated = event
        .false_alarm_interval_extrapolated_s
        .map_or_else(|| "not known".to_owned(), days);
    writeln!(
        out,
        "<h2>Interval between false alarms</h2>\n<table id=\"intervals\"><tr><th>asked for</th><td>{}</td></tr>\
         <tr><th>extrapolated from the healthy record</th><td>{extrapolated}</td></tr>\
         <tr><th>demonstrated before this event (95 %)</th><td>{}</td></tr></table>",
        days(event.false_alarm_interval_asked_s),
        days(event.false_alarm_interval_demonstrated_s)
    )
}

fn write_timeline(
    out: &mut String,
    event: &EventRecord,
    moments: &[Moment],
    commands: &[Moment],
) -> std::fmt::Result {
    let mut all: Vec<&Moment> = moments.iter().chain(commands).collect();
    all.sort_by_key(|moment| moment.utc_ns);
    out.push_str("<h2>A minute before and after</h2>\n<table id=\"timeline\"><tr><th>s</th><th></th><th>what</th></tr>\n");
    let own = format!("#{} ", event.seq);
    for moment in all {
        let seconds = (i128::from(moment.utc_ns) - i128::from(event.time_utc_ns)) as f64 / 1e9;
        let this = moment.kind == "event" && moment.text.starts_with(&own);
        writeln!(
            out,
            "<tr{}><td>{seconds:+.3}</td><td>{}</td><td class=\"text\">{}</td></tr>",
            if this { " class=\"this\"" } else { "" },
            moment.kind,
            escaped(&moment.text)
        )?;
    }
    out.push_str("</table>\n");
    Ok(())
}

/// What every page of ours begins with, up to its title.
pub(crate) const HEAD: &str = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">
<link rel=\"icon\" href=\"data:,\">
<style>
:root { color-scheme: light dark; --text: #1b1f24; --back: #ffffff; --grid: #d8dee4; --a: #0969da; --b: #bc4c00; --c: #8250df; --ok: #1a7f37; --nok: #cf222e; --band: #1a7f3722; }
@media (prefers-color-scheme: dark) { :root { --text: #e6edf3; --back: #0d1117; --grid: #30363d; --a: #58a6ff; --b: #f0883e; --c: #bc8cff; --ok: #3fb950; --nok: #f85149; --band: #3fb95022; } }
@media print { :root { color-scheme: light; --text: #000; --back: #fff; --grid: #ccc; --a: #0550ae; --b: #953800; --c: #6639ba; --ok: #116329; --nok: #a40e26; --band: #1a7f3722; } details { display: none; } }
@page { size: A4; margin: 14mm; }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--text); background: var(--back); max-width: 1000px; margin: 2em auto; padding: 0 1em; overflow-wrap: anywhere; }
@media print { body { margin: 0; padding: 0; font-size: 10pt; max-width: none; } }
h2 { margin: 1.4em 0 0.4em; font-size: 1.15em; break-after: avoid; }
.cause { font-size: 1.15em; border-left: 5px solid var(--b); padding-left: 0.6em; } .cause.fault { border-color: var(--nok); } .cause.info { border-color: var(--a); }
table { border-collapse: collapse; } td, th { padding: 0.2em 0.7em; text-align: right; border-bottom: 1px solid var(--grid); vertical-align: top; }
td:first-child, th:first-child, .text, #facts td, #intervals td { text-align: left; } tr { break-inside: avoid; } tr.this { font-weight: 600; }
#timeline td:first-child { text-align: right; } td.ok, text.ok { color: var(--ok); fill: var(--ok); } td.nok, text.nok { color: var(--nok); fill: var(--nok); }
figure { margin: 1em 0; break-inside: avoid; } figcaption { font-weight: 600; } svg { width: 100%; height: auto; } pre { white-space: pre-wrap; }
svg text { font-size: 12px; fill: var(--text); } .grid { stroke: var(--grid); } .mark { stroke: var(--nok); stroke-dasharray: 3 3; } .band { fill: var(--band); }
path { fill: none; stroke-width: 1.2; stroke-linejoin: round; } .l0 { stroke: var(--a); } .l1 { stroke: var(--b); stroke-dasharray: 5 2; } .l2 { stroke: var(--c); }
svg text.l0 { fill: var(--a); stroke: none; } svg text.l1 { fill: var(--b); stroke: none; } svg text.l2 { fill: var(--c); stroke: none; }
.outline.ok { stroke: var(--ok); } .outline.nok { stroke: var(--nok); stroke-width: 2; }
</style>
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::false_alarms::Exposure;
    use crate::lines::tests::{leak, run_info};

    fn gathered() -> Gathered {
        let mut event = EventRecord::of(&leak(7), &run_info(), Exposure::default());
        event.seq = 3;
        event.source = "<script>alert(1)</script>".into();
        event.cause = "a & b".into();
        Gathered {
            json: serde_json::to_string(&event).unwrap(),
            moments: vec![Moment {
                utc_ns: event.time_utc_ns,
                kind: "event",
                text: "#3 <img src=x onerror=alert(1)>".into(),
            }],
            acknowledged: None,
            event,
            missing: Vec::new(),
        }
    }

    #[test]
    fn nothing_of_a_name_becomes_part_of_the_page() {
        let missing = ["no recording <b>".to_owned()];
        let page = page(&gathered(), None, None, &missing);
        for word in [
            "<script", "<img", "<b>", "src=\"", "http://", "https://", "url(",
        ] {
            assert!(!page.contains(word), "{word}");
        }
        assert!(page.contains("&lt;script&gt;alert(1)") && page.contains("a &amp; b"));
        assert!(page.contains("no recording &lt;b&gt;"));
        assert_eq!(escaped("'\"&<>"), "&#39;&quot;&amp;&lt;&gt;");
    }

    #[test]
    fn without_a_recording_the_page_has_what_the_store_has() {
        let page = page(&gathered(), None, None, &[]);
        for part in [
            "id=\"facts\"",
            "id=\"timeline\"",
            "id=\"intervals\"",
            "id=\"event\"",
            "data-key=\"recording\">none",
        ] {
            assert!(page.contains(part), "{part}");
        }
        assert!(!page.contains("<svg"));
    }
}
