//! Starts that follow another clock cross the pulses of the distributed clocks, in both directions.

use crate::clock::OtherClock;
use crate::cycle_clock::Grid;
use crate::pacer::{Pace, Pacer, within_half};
use twinstep_config::machine::{ClockSource, CycleClock};
use twinstep_drivers::clock::Clock;

const PERIOD_NS: u64 = 1_000_000;
const SHIFT_NS: u64 = 200_000;
const CYCLES: u64 = 20_000;

/// A bus whose distributed clocks are not the clock that is followed.
struct Bus {
    /// What they gain on it (ppb).
    drift_ppb: i64,
    /// Where the frame of the first start passes behind SYNC0 (ns).
    first_ns: i64,
}

/// What became of a run.
#[derive(Debug, Default)]
struct Seen {
    /// Cycles whose frame passed in the interval of the one before.
    doubles: Vec<u64>,
    left_out: u64,
    most_held_ns: u64,
}

/// Periods that the distributed clocks fell behind by, and began to.
fn periods_lost(bus: &Bus) -> u64 {
    let lost_ns = -bus.drift_ppb * CYCLES.cast_signed() / 1_000;
    lost_ns.max(0).cast_unsigned().div_ceil(PERIOD_NS)
}

/// Runs; `late` is what a cycle is late by before waking and before sending, `way` what its frame then takes, and `answers`
/// whether the reference clock is heard.
fn run(
    bus: &Bus,
    mut late: impl FnMut(u64) -> (u64, u64),
    mut way: impl FnMut() -> u64,
    answers: impl Fn(u64) -> bool,
) -> Seen {
    let clock = Clock::virtual_from(0);
    let pace = Pace::Bus {
        clock: clock.clone(),
        shift_ns: Some(SHIFT_NS),
    };
    let asked = CycleClock {
        source: ClockSource::Tai,
        phase_ns: 0,
        follow: true,
    };
    let mut pacer = Pacer::new(pace, PERIOD_NS, PERIOD_NS);
    pacer.hold_against(Grid::new(
        OtherClock::Virtual(clock.clone()),
        &asked,
        PERIOD_NS,
    ));
    // The computer's own clock is long past all of these times: nothing needs to be slept.
    pacer.spin_for(1);
    let pause = |ns| clock.wait_until_ns(clock.now_ns() + ns);
    let mut seen = Seen::default();
    let mut last = None;
    for cycle in 0..CYCLES {
        let held_ns = pacer.apart.as_ref().map_or(0, super::Apart::hold_ns);
        seen.most_held_ns = seen.most_held_ns.max(held_ns);
        let (waking_ns, sending_ns) = late(cycle);
        clock.wait_until_ns(pacer.next_ns + held_ns + waking_ns);
        // What was held back is not late.
        assert_eq!(pacer.wait(), waking_ns, "{cycle}");
        assert_eq!(pacer.started_ns(), Some(pacer.next_ns));
        pause(sending_ns);
        pacer.left();
        pause(way());
        let at_ns = clock.now_ns().cast_signed();
        let dc_ns = at_ns + bus.first_ns + at_ns * bus.drift_ppb / 1_000_000_000;
        let interval = dc_ns.div_euclid(PERIOD_NS.cast_signed());
        if last.replace(interval).is_some_and(|last| interval <= last) {
            seen.doubles.push(cycle);
        }
        pause(30_000);
        let error_ns = within_half(dc_ns - SHIFT_NS.cast_signed(), PERIOD_NS);
        let skipped = pacer.advance(answers(cycle).then_some(error_ns));
        seen.left_out += u64::from(skipped);
    }
    seen
}

/// Numbers below `limit`, always the same ones.
fn below(limit: u64) -> impl FnMut() -> u64 {
    let mut state = 1_u64;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005);
        state = state.wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    }
}

/// Slower and faster ones; the frames pass near the pulse for a while with each.
fn buses() -> impl Iterator<Item = Bus> {
    let drifts = [
        -900_000, -300_000, -50_000, -20_000, 0, 20_000, 50_000, 300_000,
    ];
    let firsts = [5_000, 120_000, 990_000];
    drifts.into_iter().flat_map(move |drift_ppb| {
        firsts.into_iter().map(move |first_ns| Bus {
            drift_ppb,
            first_ns,
        })
    })
}

#[test]
fn two_frames_never_pass_between_two_pulses_and_no_more_is_left_out_than_is_lost() {
    for bus in buses() {
        for jitter in [false, true] {
            let (mut waking, mut sending, mut way) = (below(40_000), below(20_000), below(5_000));
            let seen = run(
                &bus,
                |_| {
                    if jitter {
                        (waking(), sending())
                    } else {
                        (0, 0)
                    }
                },
                || if jitter { way() } else { 0 },
                |_| true,
            );
            let (drift_ppb, first_ns) = (bus.drift_ppb, bus.first_ns);
            let context = format!("{drift_ppb} ppb, {first_ns} ns, {jitter}: {seen:?}");
            assert!(seen.doubles.is_empty(), "{context}");
            assert!(seen.most_held_ns <= PERIOD_NS / 10, "{context}");
            // Most of a period lost from just behind a pulse is one start, and each more another one.
            let lost = periods_lost(&bus);
            assert!(seen.left_out <= lost, "{lost}: {context}");
            assert!(seen.left_out + 1 >= lost, "{lost}: {context}");
        }
    }
}

#[test]
fn late_frames_have_none_behind_them_in_their_interval() {
    for bus in buses() {
        for heard in [true, false] {
            let due = |cycle: u64| cycle % 40 == 39;
            // All lengths up to four periods, before waking, before sending and both.
            let late_ns = |cycle: u64| cycle / 40 % 999 * 4_003;
            let late = |cycle: u64| match (due(cycle), cycle / 40 % 3) {
                (true, 0) => (late_ns(cycle), 0),
                (true, 1) => (0, late_ns(cycle)),
                (true, _) => (late_ns(cycle) / 2, late_ns(cycle) / 2),
                (false, _) => (0, 0),
            };
            let mut way = below(5_000);
            let seen = run(&bus, late, &mut way, |cycle| heard || !due(cycle));
            let context = format!("{} ppb, {} ns, {heard}", bus.drift_ppb, bus.first_ns);
            assert!(seen.doubles.is_empty(), "{context}: {seen:?}");
            let long = (0..CYCLES).filter(|cycle| due(*cycle));
            let most: u64 = long.map(|cycle| 1 + late_ns(cycle) / PERIOD_NS).sum();
            assert!(
                seen.left_out <= most + periods_lost(&bus),
                "{context}: {seen:?}"
            );
        }
    }
}

#[test]
fn frames_that_are_not_heard_of_are_kept_apart_too() {
    for bus in buses() {
        let seen = run(&bus, |_| (0, 0), || 0, |cycle| cycle % 100 < 70);
        let context = format!("{} ppb, {} ns", bus.drift_ppb, bus.first_ns);
        assert!(seen.doubles.is_empty(), "{context}: {seen:?}");
        assert!(
            seen.left_out <= 1 + periods_lost(&bus),
            "{context}: {seen:?}"
        );
    }
}
