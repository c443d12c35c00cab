//! Schedules that cannot be kept.

use super::*;

#[test]
fn a_start_that_has_passed_is_never_used() {
    for (now, skipped) in [
        (0, 0),
        (999, 0),
        (1000, 1),
        (1001, 1),
        (1999, 1),
        (2000, 2),
        (5300, 5),
    ] {
        assert_eq!(starts_before(now, 1000, 1000), skipped, "{now}");
    }
}

/// What frames that leave late do to the ones behind them, with SYNC0 at whole periods of the bus's clock: the interval of each
/// frame. `lateness` of a cycle comes before waking or before sending; `answers` tells whether the reference clock is heard.
fn intervals(
    shift_ns: u64,
    offset_ns: u64,
    answers: impl Fn(u64) -> bool,
    lateness: impl Fn(u64) -> (u64, u64),
) -> Vec<u64> {
    const PERIOD_NS: u64 = 1_000_000;
    let clock = Clock::virtual_from(0);
    let pace = Pace::Bus {
        clock: clock.clone(),
        shift_ns: Some(shift_ns),
    };
    let mut pacer = Pacer::new(pace, PERIOD_NS, 7 * PERIOD_NS + shift_ns + offset_ns);
    let pause = |ns| clock.wait_until_ns(clock.now_ns() + ns);
    let passed = (0..60).map(|cycle| {
        let (waking_ns, sending_ns) = lateness(cycle);
        if waking_ns > 0 {
            clock.wait_until_ns(pacer.next_ns + waking_ns);
        }
        pacer.wait();
        pause(sending_ns);
        let at_ns = clock.now_ns();
        pacer.left();
        pause(30_000);
        let error_ns = within_half(at_ns.cast_signed() - shift_ns.cast_signed(), PERIOD_NS);
        pacer.advance(answers(cycle).then_some(error_ns));
        at_ns / PERIOD_NS
    });
    passed.collect()
}

#[test]
fn two_frames_never_come_between_two_pulses() {
    for shift_ns in [50_000, 200_000, 900_000] {
        for late in 1..36 {
            let late_ns = late * 100_000 - 49_000;
            for (waking_ns, sending_ns) in [(late_ns, 0), (0, late_ns), (late_ns / 2, late_ns)] {
                for answers in [true, false] {
                    let due = |cycle| cycle % 20 == 10;
                    let seen = intervals(
                        shift_ns,
                        0,
                        |cycle| answers || !due(cycle),
                        |cycle| {
                            if due(cycle) {
                                (waking_ns, sending_ns)
                            } else {
                                (0, 0)
                            }
                        },
                    );
                    let apart = seen.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]));
                    let context = format!("{shift_ns} {waking_ns} {sending_ns} {answers}");
                    // No more is left out than the frame was late by, and one for the interval that it came into.
                    let most = 1 + (waking_ns + sending_ns).div_ceil(1_000_000);
                    for apart in apart {
                        assert!((1..=most).contains(&apart), "{context}: {apart}");
                    }
                }
            }
        }
    }
    // In time nothing is left out, wherever the frames pass.
    for shift_ns in [10_000, 500_000, 980_000] {
        let seen = intervals(shift_ns, 0, |_| true, |cycle| (cycle % 7 * 1_000, 0));
        assert!(seen.windows(2).all(|pair| pair[1] == pair[0] + 1));
    }
}

#[test]
fn starts_that_lie_elsewhere_are_judged_by_where_the_frames_pass() {
    // As where the starts follow another clock: 300 us behind where they should be, and corrected slowly.
    let late = |cycle| if cycle == 2 { (480_000, 0) } else { (0, 0) };
    let seen = intervals(300_000, 300_000, |_| true, late);
    assert!(seen.windows(2).all(|pair| pair[1] > pair[0]), "{seen:?}");
}

#[test]
fn without_distributed_clocks_only_starts_that_have_passed_are_left_out() {
    const PERIOD_NS: u64 = 1_000_000;
    let clock = Clock::virtual_from(0);
    let pace = Pace::Bus {
        clock: clock.clone(),
        shift_ns: None,
    };
    let mut pacer = Pacer::new(pace, PERIOD_NS, PERIOD_NS);
    for late_ns in (0..40).map(|step| step * 100_000) {
        let due_ns = pacer.next_ns;
        clock.wait_until_ns(due_ns + late_ns);
        pacer.wait();
        pacer.left();
        let skipped = pacer.advance(None);
        assert_eq!(u64::from(skipped), late_ns / PERIOD_NS, "{late_ns}");
        assert_eq!(pacer.next_ns, due_ns + (1 + u64::from(skipped)) * PERIOD_NS);
    }
}

#[test]
fn a_late_cycle_does_not_move_the_starts() {
    let clock = Clock::virtual_from(0);
    let pace = Pace::Bus {
        clock: clock.clone(),
        shift_ns: Some(0),
    };
    let mut pacer = Pacer::new(pace, 1_000_000, 1_000_000);
    for cycle in 0..1_000 {
        if cycle == 900 {
            clock.wait_until_ns(pacer.next_ns + 400_000);
        }
        pacer.wait();
        pacer.left();
        let error_ns = within_half(clock.now_ns().cast_signed(), 1_000_000);
        pacer.advance(Some(error_ns));
        let moved_ns = within_half(pacer.next_ns.cast_signed(), 1_000_000);
        assert!(moved_ns.abs() < 100, "{moved_ns} ns after cycle {cycle}");
    }
}

#[test]
fn what_is_late_in_every_cycle_is_made_up_for() {
    let clock = Clock::virtual_from(0);
    let pace = Pace::Bus {
        clock: clock.clone(),
        shift_ns: Some(200_000),
    };
    let mut pacer = Pacer::new(pace, 1_000_000, 1_200_000);
    let mut error_ns = 0;
    for _ in 0..5_000 {
        clock.wait_until_ns(pacer.next_ns + 40_000);
        pacer.wait();
        pacer.left();
        error_ns = within_half(clock.now_ns().cast_signed() - 200_000, 1_000_000);
        pacer.advance(Some(error_ns));
    }
    assert!(error_ns.abs() < 500, "{error_ns}");
}

#[test]
fn a_drifting_clock_is_followed() {
    // The frame passes at next_ns; SYNC0 of a clock that runs 100 ppm fast comes 100 ns earlier with every cycle.
    let bus = Clock::virtual_from(0);
    let mut pacer = Pacer::new(Pace::Virtual(Some(bus.clone())), 1_000_000, 1_000_000);
    let mut sync_ns = 1_000_300.0;
    let mut last = f64::NAN;
    for _ in 0..5_000 {
        pacer.wait();
        last = bus.now_ns() as f64 - sync_ns;
        pacer.advance(Some(last as i64));
        sync_ns += 1_000_000.0 - 100.0;
    }
    assert!(last.abs() < 10.0, "phase error {last} ns");
}
