//! The lines of [`crate::lines`] for a person: one line an event, tables for figures.

use crate::lines::{AccuracyLine, EventRecord, FreeRunLine, SummaryLine};
use crate::not_judged;
use crate::phases::Phase;
use crate::strokes::ObjectNotJudged;
use crate::trust::Trust;
use crate::uadp::unpublished_text;
use std::collections::BTreeMap;
use std::fmt::Write;

/// An event in one line.
pub fn event_text(event: &EventRecord) -> String {
    let mut text = format!(
        "#{} {:.3} s  {} {} {}: {} ({}, {}{})",
        event.seq,
        event.time_ns as f64 * 1e-9,
        event.source,
        event.channel,
        event.state,
        event.cause,
        figures(event, &format!(" {}", event.unit)),
        event.regime,
        ObjectNotJudged::text(&event.not_judged),
    );
    if event.state == "raised" {
        text.push_str(". ");
        text.push_str(&event.action);
    }
    text
}

/// What was measured and predicted. Nothing is, of a stroke of a press without a twin.
pub fn figures(event: &EventRecord, unit: &str) -> String {
    let [measured, predicted] = [event.measured, event.predicted].map(number);
    if event.measured.is_finite() && !event.predicted.is_finite() {
        return format!("measured {measured}{unit}, nothing predicted");
    }
    format!("measured {measured}{unit}, predicted {predicted}{unit}")
}

/// The end of a run as a table of phases and a few sentences.
pub fn summary_text(summary: &SummaryLine) -> String {
    let mut text = format!(
        "{:<8} {:>10} {:>10} {:>10} {:>10}\n",
        "phase us", "p50", "p99", "p99.9", "max"
    );
    for (phase, figures) in Phase::ALL.iter().zip(&summary.phases.0) {
        let us = |ns: u64| ns as f64 / 1000.0;
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:<8} {:>10.1} {:>10.1} {:>10.1} {:>10.1}",
            phase.name(),
            us(figures.p50_ns),
            us(figures.p99_ns),
            us(figures.p999_ns),
            us(figures.max_ns)
        );
    }
    if let Some(from) = summary.process_data {
        let _ = writeln!(text, "{}", from.text());
    }
    if let Some(launch) = &summary.launch {
        let _ = writeln!(text, "{}", launch.text());
    }
    if let Some(count) = summary.unpublished.filter(|count| *count > 0) {
        let _ = writeln!(text, "{}", unpublished_text(count));
    }
    if let Some(clock) = &summary.clock {
        let _ = writeln!(text, "{}", clock.text());
    }
    if let Some(ptp) = &summary.trust.ptp {
        let _ = writeln!(text, "{}", ptp.text());
    }
    if let Some(shared) = &summary.shared {
        let _ = writeln!(text, "{}", shared.text());
    }
    if let Some(context) = summary.context.filter(|context| context.unknown > 0) {
        let _ = writeln!(text, "{}", context.text());
    }
    text.push_str(&not_judged::text(&summary.not_judged));
    let bus = &summary.bus;
    let _ = write!(
        text,
        "{} cycles of {} us, {} deviations, {} events dropped, {} overruns{}\n\
         bus: {} lost, {} late, {} duplicate, {} foreign, {} working counter errors\n\
         {}\n\
         digest {}",
        summary.cycles,
        summary.period_ns as f64 / 1000.0,
        summary.events,
        summary.dropped_events,
        summary.overruns,
        causes(&summary.overrun_causes),
        bus.lost,
        bus.late,
        bus.duplicate,
        bus.foreign,
        bus.working_counter_errors,
        trust_text(&summary.trust),
        summary.digest,
    );
    text
}

/// One of several buses in a line, before the summary of the machine.
pub fn bus_text(bus: &SummaryLine) -> String {
    format!(
        "bus {}: {} cycles of {} us, {} deviations, {} overruns{}, {} lost, {} working counter errors, digest {}",
        bus.bus_name.as_deref().unwrap_or("without a name"),
        bus.cycles,
        bus.period_ns as f64 / 1000.0,
        bus.events,
        bus.overruns,
        causes(&bus.overrun_causes),
        bus.bus.lost,
        bus.bus.working_counter_errors,
        bus.digest,
    )
}

/// What the durations of a run are worth, in one line, and what was not granted in another.
pub fn trust_text(trust: &Trust) -> String {
    let yes_no = |yes: bool| if yes { "yes" } else { "no" };
    let mut text = format!(
        "timing {}: PREEMPT_RT kernel {}, SCHED_FIFO {}, memory locked {}",
        if trust.timing_valid {
            "valid"
        } else {
            "NOT valid for a machine controller"
        },
        yes_no(trust.realtime_kernel),
        yes_no(trust.sched_fifo),
        yes_no(trust.memory_locked),
    );
    let missing: Vec<&str> = trust.missing().map(|lack| lack.what).collect();
    // In virtual time nothing of it matters.
    if trust.wait.is_some() && !missing.is_empty() {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\nwithout {} (`twinstep doctor` says what to do)",
            missing.join(", ")
        );
    }
    text
}

/// A time in microseconds.
pub fn us(ns: u64) -> String {
    format!("{:.1}", ns as f64 / 1000.0)
}

/// Overruns by cause, most of them first.
pub fn causes(by_cause: &BTreeMap<String, u64>) -> String {
    if by_cause.is_empty() {
        return String::new();
    }
    let mut all: Vec<_> = by_cause.iter().collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let named: Vec<_> = (all.iter())
        .map(|(cause, count)| format!("{count} {}", cause.replace('_', " ")))
        .collect();
    format!(" ({})", named.join(", "))
}

/// Accuracy per horizon and free run, as one table each.
pub fn accuracy_text(accuracy: &[AccuracyLine], free_runs: &[FreeRunLine]) -> String {
    let mut text = String::new();
    if !accuracy.is_empty() {
        let _ = writeln!(
            text,
            "{:<12} {:<14} {:>4} {:>8} {:>9} {:>12} {:>12} {:>12} {:>12}",
            "axis",
            "channel",
            "unit",
            "horizon",
            "samples",
            "twin rms",
            "hold",
            "linear",
            "arx(10)"
        );
    }
    for line in accuracy {
        let _ = writeln!(
            text,
            "{:<12} {:<14} {:>4} {:>8} {:>9} {:>12.4e} {:>12.4e} {:>12.4e} {:>12.4e}",
            line.source,
            line.channel,
            line.unit,
            line.horizon_cycles,
            line.samples,
            line.twin_rms,
            line.hold_rms,
            line.linear_rms,
            line.arx10_rms
        );
    }
    if !free_runs.is_empty() {
        let _ = writeln!(
            text,
            "{:<12} {:<14} {:>4} {:>8} {:>9} {:>12} {:>12}",
            "axis", "channel", "unit", "horizon", "samples", "rms", "FIT %"
        );
    }
    for line in free_runs {
        let _ = writeln!(
            text,
            "{:<12} {:<14} {:>4} {:>8} {:>9} {:>12.4e} {:>12.2}",
            line.source,
            line.channel,
            line.unit,
            "free run",
            line.samples,
            line.rms,
            line.fit_percent
        );
        let _ = writeln!(
            text,
            "{:<12} constant load {} {} lower or higher: FIT {:.2} % or {:.2} %",
            line.source,
            line.offset_step_n,
            if line.unit == "rad" { "N m" } else { "N" },
            line.fit_percent_offset_less,
            line.fit_percent_offset_more
        );
    }
    text.truncate(text.trim_end().len());
    text
}

/// Four significant digits, without an exponent where a person does not need one.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        "-".into()
    } else if size == 0.0 {
        "0".into()
    } else if (0.01..100_000.0).contains(&size) {
        let digits = match size {
            s if s >= 1000.0 => 0,
            s if s >= 100.0 => 1,
            s if s >= 10.0 => 2,
            s if s >= 1.0 => 3,
            _ => 4,
        };
        format!("{value:.digits$}")
    } else {
        format!("{value:.3e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::false_alarms::Exposure;
    use crate::lines::tests::{leak, run_info, summary};

    #[test]
    fn an_event_reads_as_a_sentence() {
        let mut record = EventRecord::of(&leak(1500), &run_info(), Exposure::default());
        record.seq = 4;
        assert_eq!(
            event_text(&record),
            "#4 1.500 s  gripper leak_rate raised: vacuum leak increased (measured 3.500 Pa/s, predicted 3.000 Pa/s, \
             standstill). Check suction cups, hoses and fittings of the station."
        );
        record.state = "cleared".into();
        assert!(event_text(&record).ends_with("standstill)"));
    }

    #[test]
    fn numbers_have_four_digits() {
        for (value, text) in [
            (0.0, "0"),
            (7.12349, "7.123"),
            (-12.3456, "-12.35"),
            (123.456, "123.5"),
            (4567.8, "4568"),
            (0.05, "0.0500"),
            (6.0e-8, "6.000e-8"),
            (1.0e9, "1.000e9"),
            (f64::NAN, "-"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn the_summary_says_plainly_when_timing_is_not_valid() {
        let text = summary_text(&summary());
        assert!(
            text.contains("600000 cycles of 1000 us, 0 deviations"),
            "{text}"
        );
        assert!(text.contains("timing NOT valid"), "{text}");
        assert!(text.ends_with("digest abcd"), "{text}");
        for phase in Phase::ALL {
            assert!(
                text.lines().any(|line| line.starts_with(phase.name())),
                "{text}"
            );
        }
    }

    #[test]
    fn accuracy_is_one_row_a_horizon() {
        let line = AccuracyLine {
            source: "carriage".into(),
            channel: "position_next".into(),
            unit: "m".into(),
            horizon_cycles: 100,
            samples: 5,
            twin_rms: 6e-8,
            hold_rms: 1.0,
            linear_rms: 2.0,
            arx10_rms: 3.0,
        };
        let free_run = FreeRunLine {
            source: "carriage".into(),
            channel: "position".into(),
            unit: "m".into(),
            samples: 5,
            rms: 1e-4,
            fit_percent: 97.25,
            offset_step_n: 0.1,
            fit_percent_offset_less: 96.0,
            fit_percent_offset_more: 95.0,
        };
        let text = accuracy_text(&[line], &[free_run]);
        assert_eq!(text.lines().count(), 5);
        assert!(
            text.contains("6.0000e-8") && text.contains("97.25"),
            "{text}"
        );
        assert_eq!(accuracy_text(&[], &[]), "");
    }
}
