//! `[realtime]`: what it means, and what is refused.

use super::errors::wrong;
use crate::machine::{Overrun, Policy, Realtime, RealtimeNic, Wait};
use crate::{PRESS_CELL, load};

#[test]
fn without_a_table_the_defaults_are_in_force() {
    let cell = load(PRESS_CELL, "it.toml").unwrap();
    assert_eq!(cell.realtime, Realtime::default());
    assert_eq!(
        (cell.realtime.policy, cell.realtime.priority),
        (Policy::Fifo, 80)
    );
    assert_eq!(
        (cell.realtime.wait, cell.realtime.require),
        (Wait::Auto, false)
    );
    assert!(!cell.realtime.nic.is_asked());
}

#[test]
fn every_key_is_read() {
    let text = format!(
        "{PRESS_CELL}\n[realtime]\ncore = 3\nmodel_cores = [2]\npolicy = \"fifo\"\npriority = 90\nrequire = true\nwait = \"hybrid\"\n\
         [realtime.nic]\nirq_core = 2\nrx_coalescing = \"0us\"\ntx_coalescing = \"10us\"\n"
    );
    assert_eq!(
        load(&text, "it.toml").unwrap().realtime,
        Realtime {
            core: Some(3),
            model_cores: vec![2],
            policy: Policy::Fifo,
            priority: 90,
            require: true,
            wait: Wait::Hybrid,
            nic: RealtimeNic {
                irq_core: Some(2),
                rx_coalescing_us: Some(0),
                tx_coalescing_us: Some(10),
            },
        }
    );
}

#[test]
fn mistakes_are_told_at_their_line() {
    let base = format!(
        "{PRESS_CELL}\n[realtime]\ncore = 3\npolicy = \"fifo\"\npriority = 90\nwait = \"spin\"\n\
         [realtime.nic]\nirq_core = 2\nrx_coalescing = \"0us\"\n"
    );
    load(&base, "it.toml").unwrap();
    for (from, to, words) in [
        ("core = 3", "core = 9000", "no kernel has so many cores"),
        ("core = 3", "core = -1", "a whole number from 0"),
        (
            "policy = \"fifo\"",
            "policy = \"rr\"",
            "write one of \"fifo\", \"deadline\", \"other\"",
        ),
        ("priority = 90", "priority = 99", "must be 1 to 98"),
        ("priority = 90", "priority = 0", "must be 1 to 98"),
        ("wait = \"spin\"", "wait = \"poll\"", "which is not known"),
        (
            "wait = \"spin\"",
            "waits = \"spin\"",
            "did you mean `wait`?",
        ),
        ("\"0us\"", "\"2ms\"", "0ns to 1ms"),
        ("\"0us\"", "\"1500ns\"", "whole number of microseconds"),
        (
            "irq_core = 2",
            "irq_core = 8192",
            "no kernel has so many cores",
        ),
    ] {
        wrong(&base, from, to, words);
    }
    let deadline = base.replace(
        "policy = \"fifo\"\npriority = 90\n",
        "policy = \"deadline\"\n",
    );
    wrong(
        &deadline,
        "wait = \"spin\"",
        "wait = \"spin\" ",
        "uses up the share",
    );
    let other = base.replace("policy = \"fifo\"", "policy = \"other\"");
    wrong(
        &other,
        "priority = 90",
        "priority = 90 ",
        "is of policy = \"fifo\"",
    );
}

#[test]
fn cores_that_share_the_models_are_others_than_the_cycle_s_and_no_more_than_lanes() {
    // Nine axes and presses: two lanes.
    let base = format!("{PRESS_CELL}\n[realtime]\ncore = 3\nmodel_cores = [2]\n");
    let given = "model_cores = [2]";
    for (to, words) in [
        ("model_cores = [3]", "core 3 is that of the cycle"),
        ("model_cores = [2, 2]", "core 2 is named twice"),
        ("model_cores = [1, 2]", "which are 2 lanes of 8"),
        ("model_cores = [9000]", "no kernel has so many cores"),
        ("model_cores = 2", "expected a list"),
        (
            "model_cores = [0,1,2,4,5,6,7,8,9,10,11,12,13,14,15,16]",
            "at most 15 share the models",
        ),
        (
            "model_cores = [2]\npolicy = \"deadline\"",
            "reserves its share for one thread",
        ),
    ] {
        wrong(&base, given, to, words);
    }
    let none = base.replace(given, "model_cores = []");
    assert!(
        load(&none, "it.toml")
            .unwrap()
            .realtime
            .model_cores
            .is_empty()
    );
}

#[test]
fn an_overrun_skips_or_stops() {
    assert_eq!(
        load(PRESS_CELL, "it.toml").unwrap().bus.unwrap().overrun,
        Overrun::Skip
    );
    let text = PRESS_CELL.replacen("[bus]\n", "[bus]\noverrun = \"stop\"\n", 1);
    assert_eq!(
        load(&text, "it.toml").unwrap().bus.unwrap().overrun,
        Overrun::Stop
    );
    wrong(&text, "\"stop\"", "\"halt\"", "is not known");
    wrong(
        &text,
        "\"stop\"",
        "\"stop\"\nkind = \"tap\"",
        "a tap cannot stop",
    );
}

#[test]
fn periods_of_every_length_are_taken() {
    for period in ["31.25us", "62.5us", "125us", "10ms"] {
        // Twins are those of a millisecond too.
        let text = super::without_twins(PRESS_CELL).replacen(
            "period = \"1ms\"",
            &format!("period = \"{period}\""),
            1,
        );
        // Budgets and shift are those of a millisecond.
        let start = text.find("[cycle.budget]").unwrap();
        let end = text.find("[judge]").unwrap();
        let text = format!("{}{}", &text[..start], &text[end..]);
        let text = text.replacen("frame_shift = \"200us\"\n", "", 1);
        let cell =
            load(&text, "it.toml").unwrap_or_else(|error| panic!("{period}: {}", error.plain()));
        assert!((31_250..=10_000_000).contains(&cell.cycle.period_ns));
    }
}
