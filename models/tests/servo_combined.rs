//! What the scalar servo mechanics are made of, in all combinations, against an independent solution of the continuous
//! equations: one mass or two, a gap or none, losses or none, static friction with Stribeck or bristles, with dry friction on
//! the motor's side, in steps from 31.25 us to 4 ms.
#![allow(
    clippy::disallowed_methods,
    reason = "the yardstick is judged by its accuracy, not by its bits"
)]

mod reference;

use reference::Random;
use reference::axes::{below, one_mass, two_masses, with_bristles, worst_of};
use twinstep_models::servo::Mechanics;

const STEPS_S: [f64; 4] = [31.25e-6, 2.5e-4, 0.002, 0.004];
/// Forces are held for so long: whole steps of each length.
const HOLD_S: f64 = 0.048;
const SEEDS: u64 = 10;
/// The same on bristles, whose reference takes its time.
const BRISTLES_HOLD_S: f64 = 0.02;
const BRISTLES_SEEDS: u64 = 6;

#[derive(Clone, Copy, Debug)]
struct Of {
    masses: usize,
    gap: bool,
    losses: bool,
    bristles: bool,
    /// Dry friction on the motor's side beside the bristles; without them there always is.
    dry: bool,
    stribeck: bool,
}

fn drawn(random: &mut Random, of: Of) -> Mechanics {
    let mut m = if of.masses == 1 {
        one_mass(random, of.stribeck)
    } else {
        two_masses(random, of.gap, of.stribeck)
    };
    let motor_friction = m.motor_friction;
    if of.bristles {
        m = with_bristles(random, m);
        if of.dry {
            m.motor_friction = motor_friction;
        }
    }
    let t = &mut m.transmission;
    (t.efficiency_forward, t.efficiency_backward) = if of.losses {
        (random.between(0.7, 1.0), random.between(0.5, 1.0))
    } else {
        (1.0, 1.0)
    };
    m
}

/// Errors as shares of the range, at each of `STEPS_S`.
fn assert_follows(of: Of, bounds: [f64; 4]) {
    let (seeds, hold_s, force_n) = if of.bristles {
        (BRISTLES_SEEDS, BRISTLES_HOLD_S, 150.0)
    } else {
        (SEEDS, HOLD_S, 250.0)
    };
    let (worst, seen) = worst_of(seeds, &STEPS_S, hold_s, force_n, |r| drawn(r, of));
    println!("{of:?}: {worst:?}, {seen:?}");
    below(&worst, &bounds, &seen);
}

/// What is allowed on bristles.
const BRISTLES_MAX: [f64; 4] = [2e-5, 1e-3, 1e-2, 1e-2];

const PLAIN: Of = Of {
    masses: 2,
    gap: false,
    losses: false,
    bristles: false,
    dry: true,
    stribeck: false,
};

#[test]
fn two_masses_follow_the_reference() {
    assert_follows(PLAIN, [2e-6, 2e-5, 1e-4, 1e-4]);
    let stribeck = true;
    assert_follows(Of { stribeck, ..PLAIN }, [1e-5, 1e-4, 5e-3, 5e-3]);
}

#[test]
fn a_gap_is_crossed_as_in_the_reference() {
    let plain = Of { gap: true, ..PLAIN };
    assert_follows(plain, [3e-6, 3e-5, 5e-3, 5e-3]);
    let stribeck = true;
    assert_follows(Of { stribeck, ..plain }, [1e-5, 1e-4, 5e-3, 5e-3]);
}

#[test]
fn losses_follow_the_reference_with_a_gap_and_without() {
    for gap in [false, true] {
        for stribeck in [false, true] {
            let of = Of {
                gap,
                losses: true,
                stribeck,
                ..PLAIN
            };
            assert_follows(of, [1e-5, 1e-4, 5e-3, 5e-3]);
        }
    }
}

#[test]
fn bristles_under_one_mass_follow_the_reference() {
    for (losses, dry) in [(false, false), (true, false), (false, true), (true, true)] {
        let of = Of {
            masses: 1,
            bristles: true,
            losses,
            dry,
            stribeck: true,
            ..PLAIN
        };
        assert_follows(of, BRISTLES_MAX);
    }
}

#[test]
fn bristles_under_two_masses_follow_the_reference() {
    for (losses, dry) in [(false, false), (true, false), (false, true), (true, true)] {
        let of = Of {
            bristles: true,
            losses,
            dry,
            stribeck: true,
            ..PLAIN
        };
        assert_follows(of, BRISTLES_MAX);
    }
}

#[test]
fn bristles_losses_and_a_gap_together_follow_the_reference() {
    for (losses, dry) in [(false, false), (true, false), (false, true), (true, true)] {
        let of = Of {
            gap: true,
            bristles: true,
            losses,
            dry,
            stribeck: true,
            ..PLAIN
        };
        assert_follows(of, BRISTLES_MAX);
    }
}
