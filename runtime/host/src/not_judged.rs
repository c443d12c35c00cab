//! What of a run was not judged, axis by axis, and why.

use crate::names::Names;
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use twinstep_cycle::event::Source;
use twinstep_cycle::pipeline::Pipeline;

/// What was not judged of one axis so far, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotJudged {
    /// Movements of which something was left out: the record that the axis was calibrated with holds none like them.
    #[serde(skip_serializing_if = "none", default)]
    pub not_learnt: u64,
    /// Movements of which something was left out: nothing was learnt of it in their context, which is recipe, tool, load and temperature, or
    /// that changed within them.
    #[serde(skip_serializing_if = "none", default)]
    pub recipe_not_learnt: u64,
    /// It is cold, or warming up, now.
    #[serde(skip_serializing_if = "core::ops::Not::not", default)]
    pub warming_up: bool,
    /// Movements while it warmed up.
    #[serde(skip_serializing_if = "none", default)]
    pub warm_up: u64,
    /// Cycles in a mode of operation that it holds nothing of: their innovations were not judged.
    #[serde(skip_serializing_if = "none", default)]
    pub mode_not_learnt: u64,
    /// Cycles in which its drive was enabled and made its own set-points (homing, profiles): nothing was predicted.
    #[serde(skip_serializing_if = "none", default)]
    pub own_mode: u64,
    /// Envelopes of a press that are not taught: they judge no stroke.
    #[serde(skip_serializing_if = "none", default)]
    pub envelopes_not_taught: u64,
}

/// Nothing to be said.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn none(count: &u64) -> bool {
    *count == 0
}

impl NotJudged {
    /// That of axis `n`; none where everything was judged.
    pub fn of(pipeline: &Pipeline<'_>, n: usize) -> Option<Self> {
        let cycles = pipeline.judge(n)?.not_judged();
        let found = Self {
            not_learnt: pipeline.not_learnt(n),
            recipe_not_learnt: cycles.context,
            warming_up: pipeline.warms(n),
            warm_up: pipeline.warm_up(n),
            mode_not_learnt: cycles.mode,
            own_mode: cycles.own,
            envelopes_not_taught: 0,
        };
        (found != Self::default()).then_some(found)
    }

    /// `found` of axis `n`, with what the names know: the envelopes that are not taught.
    pub fn named(found: Option<Self>, names: &Names, n: usize) -> Option<Self> {
        match names.all_not_taught(n).count() {
            0 => found,
            count => Some(Self {
                envelopes_not_taught: count as u64,
                ..found.unwrap_or_default()
            }),
        }
    }
}

/// The same in a summary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotJudgedLine {
    /// Name of the axis or press.
    pub source: String,
    /// Why and how often.
    #[serde(flatten)]
    pub not_judged: NotJudged,
}

/// The axes of which something was not judged.
pub fn lines(pipeline: &Pipeline<'_>, names: &Names) -> Vec<NotJudgedLine> {
    (0..names.axis_count())
        .filter_map(|n| {
            Some(NotJudgedLine {
                not_judged: NotJudged::named(NotJudged::of(pipeline, n), names, n)?,
                source: names.source(Source::Axis(n as u16)).to_owned(),
            })
        })
        .collect()
}

/// A line for each reason of each source, with its line break.
pub fn text(lines: &[NotJudgedLine]) -> String {
    let mut text = String::new();
    for NotJudgedLine { source, not_judged } in lines {
        let NotJudged {
            not_learnt,
            recipe_not_learnt,
            warming_up: _,
            warm_up,
            mode_not_learnt,
            own_mode,
            envelopes_not_taught,
        } = not_judged;
        let mut say = |count: u64, what: &str| {
            if count > 0 {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "{source}: {count} {what}");
            }
        };
        say(
            *not_learnt,
            "movements had a figure left out: the healthy record holds none at their speed or acceleration; \
             calibrate with a recording that has some",
        );
        say(
            *recipe_not_learnt,
            "movements had a figure left out: nothing was learnt of it in their context (recipe, tool, load, temperature), or that changed within \
             them; calibrate with a recording that has enough of each",
        );
        say(
            *warm_up,
            "movements while the axis warmed up (warm_up in [judge]): only what surprised within a cycle was judged",
        );
        say(
            *mode_not_learnt,
            "cycles in a mode of operation that the healthy record holds nothing of: surprises were not judged; \
             calibrate with a recording that has some",
        );
        say(
            *own_mode,
            "cycles in which the drive made its own set-points (homing, profiles): nothing was predicted",
        );
        say(
            *envelopes_not_taught,
            "envelope(s) not taught, which judged no stroke: calibrate with a recording of good strokes",
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_that_is_none_is_not_told() {
        let line = NotJudgedLine {
            source: "x".to_owned(),
            not_judged: NotJudged {
                not_learnt: 12,
                ..NotJudged::default()
            },
        };
        let json = serde_json::to_string(&line).unwrap();
        assert_eq!(json, r#"{"source":"x","not_learnt":12}"#);
        let text = text(&[line]);
        assert!(text.starts_with("x: 12 movements"), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}
