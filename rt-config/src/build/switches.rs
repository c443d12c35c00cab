//! Switches along an axis.

use crate::check::{Bounds, Check};
use crate::machine::{SwitchRange, Switches};
use crate::raw::{SwitchTable, SwitchesTable};
use crate::value::{At, AxisPlace, Quantity};

/// Furthest place of a switch (m).
const FURTHEST_M: f64 = 1e4;

pub(super) fn switches(raw: Option<&SwitchesTable>, check: &mut Check) -> Switches {
    let Some(raw) = raw else {
        return Switches::default();
    };
    Switches {
        negative_limit: range("negative_limit", raw.negative_limit.as_ref(), check),
        positive_limit: range("positive_limit", raw.positive_limit.as_ref(), check),
        home: range("home", raw.home.as_ref(), check),
        probe_1: range("probe_1", raw.probe_1.as_ref(), check),
        probe_2: range("probe_2", raw.probe_2.as_ref(), check),
    }
}

fn range(key: &str, raw: Option<&At<SwitchTable>>, check: &mut Check) -> Option<SwitchRange> {
    let raw = raw?;
    let mut end = |key: &str, end: Option<&Quantity<AxisPlace>>, open: f64| {
        end.map_or(open, |end| {
            check.si(key, end, Bounds::between(-FURTHEST_M, FURTHEST_M))
        })
    };
    let range = SwitchRange {
        from_m: end("from", raw.value.from.as_ref(), f64::NEG_INFINITY),
        to_m: end("to", raw.value.to.as_ref(), f64::INFINITY),
    };
    let open = raw.value.from.is_none() && raw.value.to.is_none();
    if open || range.from_m >= range.to_m {
        let wrong = if open {
            "is always on: it has no end"
        } else {
            "is never on: `from` is not below `to`"
        };
        check.problem(
            &raw.span,
            format!("the switch `{key}` {wrong}"),
            "no end that the axis could pass",
            "write { from = \"100mm\", to = \"120mm\" }, or one of the two for a switch at an end of the axis",
        );
    }
    Some(range)
}
