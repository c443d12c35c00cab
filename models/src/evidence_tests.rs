//! Movements with more Coulomb friction, more viscous friction, ripple and another weight.

use super::*;

const C: Calibrated = Calibrated {
    viscous: 0.5,
    constant_a: [Some((0.0, 0.002)); 2],
};
/// 0.8 A Coulomb and 0.5 A s/m viscous friction at 0.4 m/s.
const FRICTION_A: [Option<f64>; 2] = [Some(1.0); 2];

fn segment(regime: Regime, forward: bool, speeding: bool, speed: f64, shift_a: f64) -> Segment {
    let (cycles, direction) = (100.0, if forward { 1.0 } else { -1.0 });
    Segment {
        regime,
        forward,
        speeding,
        cycles,
        measured_a: direction * cycles * shift_a,
        velocity_m_per_s: direction * cycles * speed,
        ..Segment::default()
    }
}

/// One movement forward or backward with `coulomb_a` and `viscous` added, and a ripple of `ripple_a` at constant speed.
fn movement(
    g: &mut Gather,
    forward: bool,
    coulomb_a: f64,
    viscous: f64,
    ripple_a: f64,
    healthy: bool,
) {
    for (regime, speeding, speed) in [
        (Regime::Acceleration, forward, 0.2),
        (Regime::ConstantSpeed, false, 0.4),
        (Regime::Acceleration, !forward, 0.2),
    ] {
        let shift_a = coulomb_a + viscous * speed;
        let mut s = segment(regime, forward, speeding, speed, shift_a);
        s.residual_square = s.cycles * (shift_a * shift_a + ripple_a * ripple_a);
        g.add(&s);
    }
    g.end(&C, &FRICTION_A, healthy);
}

fn learnt() -> Gather {
    let mut g = Gather::default();
    for n in 0..2 * LEARN {
        assert_eq!(g.evidence(), Evidence::default(), "after {n}");
        // Movements differ a little.
        movement(
            &mut g,
            n % 2 == 0,
            0.0,
            0.0,
            0.02 + 0.0005 * f64::from(n % 4),
            true,
        );
        if n == 2 * LEARN - 2 {
            break;
        }
    }
    movement(&mut g, false, 0.0, 0.0, 0.0205, true);
    g
}

#[test]
fn ripple_is_seen_by_its_ratio() {
    let mut g = learnt();
    let before = g.evidence().ripple.expect("learnt").0;
    assert!(before.abs() < 0.1, "{before}");
    for _ in 0..8 {
        movement(&mut g, true, -0.01, 0.0, 0.06, false);
    }
    let (ripple, sigma) = g.evidence().ripple.expect("seen");
    assert!(
        (ripple - libm::log(3.0)).abs() < 0.1 && sigma < 0.2,
        "{ripple} +- {sigma}"
    );
}

#[test]
fn the_ripple_that_a_shift_leaves_by_itself_is_none() {
    let mut g = learnt();
    for _ in 0..8 {
        movement(&mut g, true, 0.4, 0.0, 0.09, false);
    }
    assert!(g.evidence().ripple.expect("seen").0 < 1e-3);
}

#[test]
fn the_viscous_share_of_a_shift_is_found_in_both_directions() {
    // Of the calibrated 1.0 A, 0.2 A are viscous.
    for (coulomb_a, viscous, share) in [(0.2, 0.0, -0.2), (0.16, 0.1, 0.0), (0.0, 0.5, 0.8)] {
        for forward in [true, false] {
            let mut g = learnt();
            for _ in 0..4 {
                movement(&mut g, forward, coulomb_a, viscous, 0.02, false);
            }
            let (found, sigma) = g.evidence().speed.expect("a shift");
            assert!(
                (found - share).abs() < 0.02 && sigma < 0.15,
                "{share}: {found} +- {sigma}"
            );
            // Without a shift there is nothing to share.
            movement(&mut g, forward, 0.0, 0.0, 0.02, false);
            assert_eq!(g.evidence().speed, None);
        }
    }
}

#[test]
fn a_holding_current_is_compared_with_that_after_the_same_direction() {
    let mut g = Gather::default();
    let rest = |g: &mut Gather, forward: bool, current_a: f64, healthy: bool| {
        g.add(&segment(Regime::ConstantSpeed, forward, false, 0.4, 0.0));
        g.rest(
            &segment(Regime::Standstill, false, false, 0.0, -current_a),
            healthy,
        )
    };
    for n in 0..LEARN {
        let current_a = 2.0 + 0.01 * f64::from(n % 2);
        assert!(
            !rest(&mut g, true, current_a, true),
            "{n}: what is learnt from is no evidence"
        );
        rest(&mut g, false, 2.5, true);
    }
    assert!(rest(&mut g, true, 2.3, false));
    let hold = g.evidence().hold[1].expect("learnt");
    assert!(
        (hold.shift_a - 0.295).abs() < 1e-9 && hold.sigma_a < 0.04,
        "{hold:?}"
    );
    assert!(rest(&mut g, false, 2.5, false));
    assert!(g.evidence().hold[0].expect("learnt").shift_a.abs() < 1e-9);
    rest(&mut g, false, 2.5, true);
    assert_eq!(g.evidence().hold[0], None);
    let mut short = segment(Regime::Standstill, false, false, 0.0, 2.0);
    short.cycles = 50.0;
    assert!(!g.rest(&short, false), "what settles is no holding current");
}
