//! How deviations are judged.

use crate::check::{Bounds, Check};
use crate::machine::{Judge, WarmUp};
use crate::raw::{File, JudgeTable};

/// Asked-for interval between false alarms unless given (s): 30 days.
const FALSE_ALARM_INTERVAL_S: f64 = 2_592_000.0;
/// From a tenth of a second, to count alarms on a short record, to a century (s).
const INTERVAL: Bounds = Bounds::between(0.1, 3_155_760_000.0);
/// How long an axis may warm up (s): from a minute, since one that never stops is seen to move every few seconds only, to a day.
const WARM_UP: Bounds = Bounds::between(60.0, 86_400.0);
/// How long it may take to cool down (s): to a month.
const COOL_DOWN: Bounds = Bounds::between(60.0, 2_592_000.0);
/// Cooling down against warming up unless given: a machine that stands still makes no heat, and is cooled by nothing that moves.
const SLOWER: f64 = 2.0;

pub(super) fn judge(file: &File, check: &mut Check) -> Judge {
    let raw = file.judge.as_ref();
    let interval = raw.and_then(|judge| judge.false_alarm_interval.as_ref());
    let whole_s = check.si_or(
        "false_alarm_interval",
        interval,
        INTERVAL,
        FALSE_ALARM_INTERVAL_S,
    );
    Judge {
        // Of the part of the machine that this file is of.
        false_alarm_interval_s: whole_s
            * file.place.as_ref().map_or(1.0, |place| place.count as f64),
        warm_up: raw.and_then(|judge| warm_up(judge, check)),
        standstill: (raw.and_then(|judge| judge.standstill.as_ref())).is_some_and(|at| at.value),
    }
}

fn warm_up(raw: &JudgeTable, check: &mut Check) -> Option<WarmUp> {
    let Some(lasts) = &raw.warm_up else {
        if let Some(rest) = &raw.cool_down {
            check.problem(
                &rest.span,
                "`cool_down` without `warm_up`",
                "nothing warms up",
                "write how long an axis warms up, as in `warm_up = \"30min\"`, or leave `cool_down` out",
            );
        }
        return None;
    };
    let lasts_s = check.si("warm_up", lasts, WARM_UP);
    let rest_s = check.si_or(
        "cool_down",
        raw.cool_down.as_ref(),
        COOL_DOWN,
        SLOWER * lasts_s,
    );
    if let Some(rest) = raw.cool_down.as_ref().filter(|_| rest_s < lasts_s) {
        check.problem(
            &rest.span,
            "`cool_down` is shorter than `warm_up`",
            "an axis would be cold again before it is warm",
            "give it at least the time of `warm_up`, or leave it out: then it is twice that",
        );
    }
    Some(WarmUp { lasts_s, rest_s })
}
