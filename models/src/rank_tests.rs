//! How often the first and the first two are right, on shifts of one or two movements with noise and with what the shapes leave out.

use super::*;
use proptest::prelude::*;

fn normal(seed: &mut u64) -> f64 {
    let mut sum = -6.0;
    for _ in 0..12 {
        *seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        sum += (*seed >> 11) as f64 / (1_u64 << 53) as f64;
    }
    sum
}

/// An axis as the judge sees it: currents (A) of its features.
#[derive(Clone, Copy)]
struct Axis {
    friction: f64,
    inertial: f64,
    gravity: f64,
    contact: f64,
    /// Share of a carried force that the screw takes as friction.
    loss: f64,
    reversal: f64,
    inertia: f64,
}

const BELT: Axis = Axis {
    friction: 0.95,
    inertial: 2.2,
    gravity: 0.03,
    contact: 0.0,
    loss: 0.02,
    reversal: 0.17,
    inertia: 0.37,
};
const SCREW: Axis = Axis {
    friction: 0.7,
    inertial: 1.1,
    gravity: -0.03,
    contact: 0.0,
    loss: 0.08,
    reversal: 0.12,
    inertia: 0.45,
};
const LIFT: Axis = Axis {
    friction: 0.8,
    inertial: 0.9,
    gravity: 2.4,
    contact: 0.0,
    loss: 0.1,
    reversal: 0.1,
    inertia: 0.4,
};
const PRESS: Axis = Axis {
    friction: 1.6,
    inertial: 1.2,
    gravity: -1.6,
    contact: 6.0,
    loss: 0.08,
    reversal: 0.1,
    inertia: 1.1,
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Put {
    Friction(f64),
    /// Relative to the whole inertia.
    Load(f64),
    Gain(f64),
    Gap(f64),
    Part(f64),
}

impl Put {
    fn right(self, cause: Cause) -> bool {
        match self {
            Self::Friction(a) if a > 0.0 => cause == Cause::FrictionIncreased,
            Self::Friction(_) => cause == Cause::FrictionDecreased,
            Self::Load(_) => cause == Cause::LoadAdded,
            Self::Gain(_) => cause == Cause::TorqueConstantChanged,
            Self::Gap(_) => cause == Cause::Backlash,
            Self::Part(_) => cause == Cause::WrongPart,
        }
    }
}

/// Shifts of an axis after one movement (one direction, as the first after a step) or two.
fn shifts(axis: &Axis, put: Put, movements: usize, seed: &mut u64) -> [Shift; FEATURES] {
    let mut out = [Shift::default(); FEATURES];
    let up = normal(seed) > 0.0;
    for feature in Feature::ALL {
        let sign = match feature {
            Feature::ConstantPositive => 1.0,
            Feature::ConstantNegative => -1.0,
            _ => 0.0,
        };
        let other = if up { -1.0 } else { 1.0 };
        if movements == 1 && sign == other {
            continue;
        }
        let constant = sign != 0.0;
        let (friction, inertial, contact, healthy) = match feature {
            Feature::Acceleration => (0.0, axis.inertial, 0.0, 0.0),
            Feature::Reversal => (0.0, 0.0, 0.0, axis.reversal),
            Feature::Pressing if axis.contact > 0.0 => (axis.friction, 0.0, axis.contact, 0.0),
            Feature::Pressing => continue,
            _ => (axis.friction, 0.0, 0.0, 0.0),
        };
        // The weight of the load itself and what the screw loses on it: the truth is not the shape.
        let whole_g = axis.inertia
            * 9.8
            * if axis.gravity.abs() > 1.0 {
                axis.gravity.signum()
            } else {
                0.0
            };
        let pressing_sign = if feature == Feature::Pressing {
            1.0
        } else {
            sign
        };
        let reversal = feature == Feature::Reversal;
        let shift = match put {
            Put::Friction(a) if constant || feature == Feature::Pressing => a * friction,
            Put::Friction(a) if reversal => 0.3 * a * healthy,
            Put::Load(a) if reversal => 0.3 * a * healthy,
            Put::Load(a) => {
                let g = a * whole_g;
                pressing_sign * g + if constant { axis.loss * g.abs() } else { 0.0 } + a * inertial
            }
            Put::Gain(a) if reversal => 0.5 * a * healthy,
            Put::Gain(a) => a * (friction + pressing_sign * axis.gravity + inertial + contact),
            Put::Gap(a) if reversal => a * healthy,
            Put::Part(a) if feature == Feature::Pressing => a * contact,
            _ => 0.0,
        };
        let model = match feature {
            Feature::Acceleration => 0.01 * inertial,
            Feature::Reversal => 0.1 * healthy,
            Feature::Pressing => 0.04 * contact,
            _ => 0.03 * friction,
        };
        let sigma = libm::sqrt(model * model + 0.003 * 0.003);
        out[feature as usize] = Shift {
            shift_a: shift + sigma * normal(seed),
            sigma_a: sigma,
            friction_a: friction,
            inertial_a: inertial,
            contact_a: contact,
            healthy_a: healthy,
        };
    }
    out
}

const SEEDS: u64 = 200;

/// Shares (first, first with the inertia known, within two).
fn shares(axis: &Axis, put: Put, movements: usize) -> [f64; 3] {
    let mut right = [0.0; 3];
    for n in 0..SEEDS {
        let mut seed = 1 + 7919 * n;
        let s = shifts(axis, put, movements, &mut seed);
        let facts = Facts {
            gravity_a: axis.gravity,
            inertia: Some(axis.inertia),
        };
        let (plain, known) = (
            rank(&s, axis.gravity),
            rank_with(&s, &facts, &Evidence::default()),
        );
        let ok = [
            put.right(plain.first()),
            put.right(known.first()),
            known.0[..2].iter().any(|c| put.right(c.0)),
        ];
        for (right, ok) in right.iter_mut().zip(ok) {
            *right += f64::from(u8::from(ok)) / SEEDS as f64;
        }
    }
    right
}

#[test]
fn the_first_and_the_first_two_are_mostly_right() {
    println!("axis    put              moves  first  with inertia  within two");
    let mut mean = [0.0; 3];
    let mut count = 0.0;
    for (name, axis) in [
        ("belt", BELT),
        ("screw", SCREW),
        ("lift", LIFT),
        ("press", PRESS),
    ] {
        for put in [
            Put::Friction(0.2),
            Put::Friction(0.5),
            Put::Load(0.06),
            Put::Load(0.2),
            Put::Gain(0.05),
            Put::Gain(-0.08),
            Put::Gap(0.8),
            Put::Part(0.2),
        ] {
            let part = matches!(put, Put::Part(_));
            let closed = matches!(put, Put::Gap(_)) && axis.gravity.abs() > 1.0;
            if part && axis.contact == 0.0 || closed {
                continue;
            }
            for movements in [1, 2] {
                let s = shares(&axis, put, movements);
                println!(
                    "{name:<7} {:<17} {movements}    {:5.2} {:5.2}         {:5.2}",
                    format!("{put:?}"),
                    s[0],
                    s[1],
                    s[2]
                );
                if movements == 2 {
                    assert!(s[2] >= 0.8, "{name} {put:?}: {s:?}");
                }
                for (mean, s) in mean.iter_mut().zip(s) {
                    *mean += s;
                }
                count += 1.0;
            }
        }
    }
    let mean = mean.map(|m| m / count);
    println!(
        "mean first {:.3}, with inertia {:.3}, within two {:.3}",
        mean[0], mean[1], mean[2]
    );
    assert!(mean[1] > 0.85 && mean[2] > 0.95, "{mean:?}");
}

#[test]
fn a_heavier_lift_is_no_torque_constant() {
    for amount in [0.06, 0.15, 0.3] {
        for movements in [1, 2] {
            let s = shares(&LIFT, Put::Load(amount), movements);
            assert!(
                s[1] > if amount < 0.1 { 0.8 } else { 0.95 },
                "{amount} after {movements}: {s:?}"
            );
        }
    }
}

#[test]
fn a_heavier_ram_is_no_better_friction() {
    for n in 0..SEEDS {
        let mut seed = 1 + 7919 * n;
        let s = shifts(&PRESS, Put::Load(0.1), 2, &mut seed);
        let facts = Facts {
            gravity_a: PRESS.gravity,
            inertia: Some(PRESS.inertia),
        };
        let r = rank_with(&s, &facts, &Evidence::default());
        assert_ne!(
            r.first(),
            Cause::FrictionDecreased,
            "seed {seed}: {r:?} {s:?}"
        );
    }
}

#[test]
fn ripple_and_speed_tell_spalling_and_dry_surfaces_from_friction() {
    let mut seed = 5;
    let more = shifts(&SCREW, Put::Friction(0.3), 2, &mut seed);
    let less = shifts(&SCREW, Put::Friction(-0.2), 2, &mut seed);
    let facts = Facts::default();
    let with = |ripple: f64, share: f64| Evidence {
        ripple: Some((ripple, 0.1)),
        speed: Some((share, 0.1)),
        parts: None,
        hold: [None; 2],
    };
    for (shifts, evidence, cause) in [
        (&more, with(0.0, 0.0), Cause::FrictionIncreased),
        (&more, with(0.1, 0.4), Cause::LubricationLacking),
        (&more, with(1.2, 0.0), Cause::Spalling),
        // Current falls, ripple rises.
        (&less, with(0.9, 0.1), Cause::Spalling),
        (&less, with(0.0, 0.0), Cause::FrictionDecreased),
    ] {
        let r = rank_with(shifts, &facts, &evidence);
        assert_eq!(r.first(), cause, "{evidence:?}: {r:?}");
    }
}

/// Twice the friction and more, as much at every speed, is the brake of an axis that has one; what grows with the speed as friction does is
/// friction, and so is a little of either.
#[test]
fn a_brake_that_drags_is_told_from_friction_by_its_size_and_by_the_speed() {
    let facts = Facts {
        gravity_a: LIFT.gravity,
        inertia: Some(LIFT.inertia),
    };
    let with = |share| Evidence {
        ripple: Some((0.0, 0.1)),
        speed: Some((share, 0.08)),
        ..Evidence::default()
    };
    for (amount, share, cause) in [
        (1.0, -0.33, Cause::BrakeDrags),
        (1.5, -0.25, Cause::BrakeDrags),
        (4.0, -0.33, Cause::BrakeDrags),
        (0.25, 0.0, Cause::FrictionIncreased),
        (0.5, 0.0, Cause::FrictionIncreased),
        (0.25, -0.1, Cause::FrictionIncreased),
    ] {
        let right = (0..SEEDS).filter(|n| {
            let mut seed = 1 + 7919 * n;
            let s = shifts(&LIFT, Put::Friction(amount), 2, &mut seed);
            rank_with(&s, &facts, &with(share)).first() == cause
        });
        let right = right.count();
        assert!(
            right > 180,
            "{amount} {share}: {cause:?} {right} of {SEEDS}"
        );
    }
    // A horizontal axis has none.
    let mut seed = 3;
    let s = shifts(&BELT, Put::Friction(1.5), 2, &mut seed);
    let facts = Facts {
        gravity_a: BELT.gravity,
        inertia: Some(BELT.inertia),
    };
    let found = rank_with(&s, &facts, &with(-0.33)).0;
    assert!(found.iter().all(|c| c.0 != Cause::BrakeDrags), "{found:?}");
}

/// After one movement up, load and torque constant move the same features; the current that holds the weight does not.
#[test]
fn what_holds_a_weight_tells_load_from_torque_constant() {
    let facts = Facts {
        gravity_a: LIFT.gravity,
        inertia: Some(LIFT.inertia),
    };
    let mut right = [0; 2];
    for n in 0..SEEDS {
        let mut seed = 1 + 7919 * n;
        for (right, (put, shift_a)) in right.iter_mut().zip([
            (Put::Load(0.06), 0.06 * LIFT.inertia * 9.8),
            (Put::Gain(0.05), 0.05 * LIFT.gravity),
        ]) {
            let s = shifts(&LIFT, put, 1, &mut seed);
            let evidence = Evidence {
                hold: [1.0, -1.0].map(|up| {
                    // It stopped with the friction of its movement.
                    let healthy_a = LIFT.gravity + up * LIFT.friction;
                    let friction_a = if matches!(put, Put::Gain(_)) {
                        0.05 * up * LIFT.friction
                    } else {
                        0.0
                    };
                    Some(Hold {
                        shift_a: shift_a + friction_a + 0.03 * normal(&mut seed),
                        sigma_a: 0.03,
                        healthy_a,
                    })
                }),
                ..Evidence::default()
            };
            let r = rank_with(&s, &facts, &evidence);
            *right += u32::from(put.right(r.first()));
        }
    }
    assert!(right[0] > 180 && right[1] > 140, "of {SEEDS}: {right:?}");
}

#[test]
fn no_part_at_all_is_named() {
    let mut seed = 9;
    let s = shifts(&PRESS, Put::Part(-0.95), 2, &mut seed);
    assert_eq!(rank(&s, PRESS.gravity).first(), Cause::MissingPart);
}

/// A crank and a toggle on their way back, whose friction is 1.6 times what it was; only one direction was seen at constant speed, and the part hides
/// what an acceleration says. The ram and its counterbalance count as inertia: as friction they would take its sign.
#[test]
fn friction_behind_a_linkage_is_told_by_one_direction() {
    let shifts = |back: [f64; 4], acceleration: [f64; 2]| {
        let mut s = [Shift::default(); FEATURES];
        let [shift_a, sigma_a, friction_a, inertial_a] = back;
        s[Feature::ConstantNegative as usize] = Shift {
            shift_a,
            sigma_a,
            friction_a,
            inertial_a,
            ..Shift::default()
        };
        s[Feature::Acceleration as usize] = Shift {
            sigma_a: acceleration[0],
            inertial_a: acceleration[1],
            ..Shift::default()
        };
        s
    };
    let calm = Evidence {
        ripple: Some((0.0, 0.1)),
        ..Evidence::default()
    };
    let crank = Facts {
        gravity_a: 0.036,
        inertia: Some(0.071),
    };
    let toggle = Facts {
        gravity_a: 0.033,
        inertia: Some(1.061),
    };
    for (facts, back, acceleration) in [
        (crank, [0.588, 0.03, 0.987, -0.77], [1.23, 3.2]),
        (toggle, [0.112, 0.006, 0.201, -0.344], [0.47, 6.0]),
    ] {
        let ranked = rank_with(&shifts(back, acceleration), &facts, &calm);
        assert_eq!(ranked.first(), Cause::FrictionIncreased, "{ranked:?}");
        assert!(ranked.is_sure(), "{ranked:?}");
        let [shift_a, sigma_a, friction_a, inertial_a] = back;
        let mixed = [shift_a, sigma_a, friction_a + inertial_a, 0.0];
        let wrong = rank_with(&shifts(mixed, acceleration), &facts, &calm);
        assert!(
            !wrong.is_sure() || wrong.first() != Cause::FrictionIncreased,
            "{wrong:?}"
        );
    }
}

/// A crank press whose counterbalance has grown by 0.4: what it asks for, with the losses of each direction, and no inertia with it.
#[test]
fn a_counterbalance_behind_a_linkage_is_a_load_and_no_inertia() {
    let facts = Facts {
        gravity_a: 0.0,
        inertia: Some(0.4),
    };
    let shifts = |forwards_a: f64, backwards_a: f64, inertial_a: [f64; 2]| {
        let mut s = [Shift::default(); FEATURES];
        for (f, shift_a, inertial_a) in [
            (Feature::ConstantPositive, forwards_a, inertial_a[0]),
            (Feature::ConstantNegative, backwards_a, inertial_a[1]),
            (Feature::Acceleration, 0.05, 2.9),
        ] {
            s[f as usize] = Shift {
                shift_a,
                sigma_a: 0.05,
                friction_a: 0.95,
                inertial_a,
                ..Shift::default()
            };
        }
        rank_with(&s, &facts, &Evidence::default())
    };
    let grown = shifts(0.56, -0.44, [1.4, -1.1]);
    assert_eq!(grown.first(), Cause::LoadAdded, "{grown:?}");
    assert!(grown.is_sure(), "{grown:?}");
    let fallen = shifts(-0.56, 0.44, [1.4, -1.1]);
    assert_eq!(fallen.first(), Cause::LoadRemoved, "{fallen:?}");
    // An axis without a ram has no counterbalance: such a pattern is that of no cause there, and friction stays friction behind a linkage.
    let plain = shifts(0.56, -0.44, [0.01, -0.01]);
    assert_ne!(plain.first(), Cause::LoadAdded, "{plain:?}");
    let friction = shifts(0.38, 0.38, [1.4, -1.1]);
    assert_eq!(friction.first(), Cause::FrictionIncreased, "{friction:?}");
}

#[test]
fn nothing_seen_names_nothing() {
    let r = rank(&[Shift::default(); FEATURES], 1.0);
    assert_eq!(r.0, [(Cause::Disturbance, 0.0); RANKED]);
}

proptest! {
    #[test]
    fn weights_are_shares_in_order(
        values in proptest::collection::vec((-1e3..1e3f64, 0.0..10.0f64, -10.0..10.0f64, -10.0..10.0f64, 0.0..10.0f64), FEATURES),
        gravity in -10.0..10.0f64,
    ) {
        let mut s = [Shift::default(); FEATURES];
        for (s, v) in s.iter_mut().zip(values) {
            *s = Shift {
                shift_a: v.0,
                sigma_a: if v.1 < 1.0 { 0.0 } else { v.1 - 0.999 },
                friction_a: v.2,
                inertial_a: v.3,
                contact_a: v.4,
                healthy_a: v.4,
            };
        }
        let r = rank(&s, gravity).0;
        let sum: f64 = r.iter().map(|c| c.1).sum();
        prop_assert!(r.iter().all(|c| (0.0..=1.0).contains(&c.1)) && sum <= 1.0 + 1e-9, "{r:?}");
        prop_assert!(r[0].1 >= r[1].1 && r[1].1 >= r[2].1, "{r:?}");
    }
}
