//! What the tests of the pipeline have in common.

use twinstep_cycle::plan::{AxisPlan, JudgeLane, Plan, Thresholds};
use twinstep_models::axis::LaneParams;
use twinstep_models::simd::Level;

/// A plan of axes and nothing else: a test says what it has besides.
pub fn plan<'a>(
    period_ns: u64,
    lanes: &'a [LaneParams],
    judges: &'a [JudgeLane],
    axes: &'a [AxisPlan],
) -> Plan<'a> {
    Plan {
        period_ns,
        lanes,
        judges,
        axes,
        stations: &[],
        presses: &[],
        objects: &[],
        curves: &[],
        linked: &[],
        contexts: &[],
        first_axis: 0,
        thresholds: Thresholds {
            slack: 2.0,
            threshold: 5.0,
            settle_cycles: 100,
            horizon_cycles: 100,
            warm_up: None,
        },
        level: Level::PORTABLE,
    }
}
