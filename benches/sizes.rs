//! Bytes of an axis: what a cycle streams through the caches, and what it leaves alone.

use crate::environment;
use twinstep_cycle::health::AxisHealth;
use twinstep_cycle::judge::AxisJudge;
use twinstep_cycle::lanes::LaneState;
use twinstep_cycle::plan::{AxisPlan, JudgeLane};
use twinstep_models::axis::params::{Fine, LaneParams};
use twinstep_models::lane::LANES;
use twinstep_models::regime::RegimeLane;

/// What every cycle may read or write of an axis at most (bytes).
const HOT_BYTES: usize = 1024;

/// What every cycle reads or writes of an axis (bytes). Substeps are read only in the few per cent of cycles that do not hold exactly.
const HOT: [(&str, usize); 3] = [
    (
        "parameters",
        (size_of::<LaneParams>() - size_of::<Fine>()) / LANES,
    ),
    (
        "thresholds",
        (size_of::<JudgeLane>() - RegimeLane::RARE_BYTES) / LANES,
    ),
    (
        "state",
        (size_of::<LaneState>() - LaneState::PRESS_BYTES - LaneState::RARE_BYTES) / LANES,
    ),
];
const _: () = assert!(
    hot_bytes() <= HOT_BYTES,
    "an axis has more parameters and state than every cycle may read"
);

/// What is read or written now and then, and when.
const COLD: [(&str, usize, &str); 6] = [
    (
        "substeps",
        size_of::<Fine>() / LANES,
        "at starts, stops, reversals; steps of CSV and CST, offsets",
    ),
    (
        "segments",
        LaneState::RARE_BYTES / LANES,
        "while an axis settles, when a segment ends; targets of CSV and CST",
    ),
    (
        "regimes",
        RegimeLane::RARE_BYTES / LANES,
        "when an axis turns around, and of presses",
    ),
    (
        "presses",
        LaneState::PRESS_BYTES / LANES,
        "lanes with presses, every cycle",
    ),
    (
        "judging",
        size_of::<AxisJudge>() + size_of::<AxisPlan>(),
        "when something is raised or ends",
    ),
    ("health", size_of::<AxisHealth>(), "acyclic phase"),
];

/// What every cycle reads or writes of an axis (bytes).
pub const fn hot_bytes() -> usize {
    HOT[0].1 + HOT[1].1 + HOT[2].1
}

/// Prints all of them in one table, with the sum of what is hot and that of everything.
pub fn print() {
    let hot = hot_bytes();
    let cold: usize = COLD.iter().map(|(_, bytes, _)| bytes).sum();
    let kb = |axes: usize| axes * hot / 1000;
    println!("bytes of an axis");
    for (name, bytes) in HOT {
        println!("{name:<12}{bytes:>6}  every cycle");
    }
    println!("{:<12}{hot:>6}  every cycle; at most {HOT_BYTES}", "hot");
    for (name, bytes, when) in COLD {
        println!("{name:<12}{bytes:>6}  {when}");
    }
    println!("{:<12}{:>6}", "all", hot + cold);
    println!(
        "hot of 100 axes {} kB, of 1000 axes {} kB; second-level cache {}\n",
        kb(100),
        kb(1000),
        environment::second_level_cache()
    );
}
