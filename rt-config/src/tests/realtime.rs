//! `[realtime]`: what it means, and what is refused.

use super::errors::wrong;
use crate::machine::{ClockSource, CycleClock, Overrun, Policy, Ptp, Realtime, RealtimeNic, Wait};
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
            ..Realtime::default()
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
        "who only listens cannot stop",
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

#[test]
fn the_clock_of_the_cycle_and_its_keeper_are_read() {
    let keys = "[realtime.clock]\nsource = \"tai\"\nphase = \"250us\"\n\
        [realtime.ptp]\nsocket = \"/run/ptp\"\ndomain = 24\nmax_offset = \"50us\"\nmax_silence = \"10s\"\n";
    let text = format!("{PRESS_CELL}\n{keys}");
    let realtime = load(&text, "it.toml").unwrap().realtime;
    assert_eq!(
        realtime.clock,
        Some(CycleClock {
            source: ClockSource::Tai,
            phase_ns: 250_000,
            follow: true,
        })
    );
    assert_eq!(
        realtime.ptp,
        Some(Ptp {
            socket: Some("/run/ptp".into()),
            domain: 24,
            max_offset_ns: 50_000,
            max_silence_ns: 10_000_000_000,
        })
    );
    let device = text.replace("\"tai\"", "\"/dev/ptp1\"\nfollow = false");
    let clock = load(&device, "it.toml").unwrap().realtime.clock.unwrap();
    assert_eq!((clock.source.name(), clock.follow), ("/dev/ptp1", false));
    let bare = format!("{PRESS_CELL}\n[realtime.ptp]\n");
    let bare = load(&bare, "it.toml").unwrap().realtime;
    assert_eq!(bare.ptp, Some(Ptp::default()));

    let check = |from, to, words| wrong(&text, from, to, words);
    check("\"tai\"", "\"utc\"", "this clock is not known");
    check(
        "phase = \"250us\"",
        "phase = \"1ms\"",
        "`phase` must be 0ns to",
    );
    check("\"/run/ptp\"", "\"run/ptp\"", "`socket` must be a path");
    check("domain = 24", "domain = 256", "no PTP domain 256");
    check(
        "max_silence = \"10s\"",
        "max_silence = \"10ms\"",
        "`max_silence` must be 1s to",
    );
    check(
        "max_offset = \"50us\"",
        "max_offset = \"0us\"",
        "`max_offset` must be 1ns to 1s",
    );
    let tapped = text.replacen(
        "[bus]\n",
        "[bus]\nkind = \"tap\"\ninterface = \"eth1\"\n",
        1,
    );
    let plain = load(&tapped, "it.toml").unwrap_err().plain();
    assert!(
        plain.contains("begins with the frames of others"),
        "{plain}"
    );
}
