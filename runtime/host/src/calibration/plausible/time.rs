//! The column of the time against the period.

use super::{Finding, ratio, thousand};
use twinstep_config::machine::Machine;
use twinstep_drivers::recording::Recording;

/// Where uneven sampling is allowed, the step between two rows still has to be that of the cycle in the middle. It is the step of the
/// table: what was interpolated to the period has that of the period, and cycles of a gap have no row.
pub(super) fn check(machine: &Machine, recording: &Recording, all: &mut Vec<Finding>) {
    let (Some(map), Some(middle)) = (&machine.recording, recording.row_step_s) else {
        return;
    };
    if let Some(more) = thousand(ratio(middle, recording.period_s)) {
        // Differences of times have digits that nobody wrote.
        let middle = (middle * 1e9).round() / 1e9;
        all.push(Finding {
            nonsense: true,
            text: format!(
                "column `{}`: its rows are {middle} s apart in the middle, {} of the period of {} s: is it in {}?",
                map.time.name,
                if more { "a thousand times that" } else { "a thousandth" },
                recording.period_s,
                if more { "milliseconds" } else { "seconds, and the configuration says milliseconds" },
            ),
        });
    }
}
