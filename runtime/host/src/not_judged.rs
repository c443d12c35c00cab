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
    #[serde(default)]
    pub not_learnt: u64,
}

impl NotJudged {
    /// That of axis `n`; none where everything was judged.
    pub fn of(pipeline: &Pipeline<'_>, n: usize) -> Option<Self> {
        let found = Self {
            not_learnt: pipeline.not_learnt(n),
        };
        (found != Self::default()).then_some(found)
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
                not_judged: NotJudged::of(pipeline, n)?,
                source: names.source(Source::Axis(n as u16)).to_owned(),
            })
        })
        .collect()
}

/// A line a source, each with its line break.
pub fn text(lines: &[NotJudgedLine]) -> String {
    lines.iter().fold(String::new(), |mut text, line| {
        let movements = line.not_judged.not_learnt;
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{}: {movements} movements had a figure left out, because the healthy record holds none at their speed or acceleration; \
             calibrate with a recording that has some",
            line.source
        );
        text
    })
}
