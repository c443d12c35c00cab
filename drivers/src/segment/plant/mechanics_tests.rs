use super::*;

const DT_S: f64 = 62.5e-6;

fn screw() -> MechanicsParameters {
    MechanicsParameters {
        motor_mass_kg: 70.0,
        load_mass_kg: 120.0,
        coulomb_positive_n: 190.0,
        coulomb_negative_n: 170.0,
        motor_friction_share: 0.2,
        static_excess: 0.3,
        stribeck_velocity_m_per_s: 0.006,
        viscous_n_s_per_m: 180.0,
        presliding_m: 6e-6,
        motor_presliding_m: 1e-6,
        gravity: 0.0,
        offset_n: 0.0,
        stiffness_n_per_m: 9e7,
        damping_ratio: 0.05,
        backlash_m: 6e-6,
        loss: 0.03,
        loss_back: None,
        brake_n: 0.0,
        dt_s: DT_S,
    }
}

fn frictionless() -> MechanicsParameters {
    MechanicsParameters {
        coulomb_positive_n: 1e-6,
        coulomb_negative_n: 1e-6,
        viscous_n_s_per_m: 0.0,
        static_excess: 0.0,
        loss: 0.0,
        ..screw()
    }
}

fn push(force_n: f64) -> Loads {
    Loads {
        motor_n: force_n,
        friction_factor: 1.0,
        dry_factor: 1.0,
        ..Loads::default()
    }
}

/// Kinetic energy and that of the spring (J).
fn energy(m: &Mechanics) -> f64 {
    let spring = m.transmitted_n * m.transmitted_n / (2.0 * m.stiffness);
    0.5 * m.p.motor_mass_kg * m.motor_m_per_s * m.motor_m_per_s
        + 0.5 * m.p.load_mass_kg * m.load_m_per_s * m.load_m_per_s
        + spring
}

#[test]
fn without_friction_force_is_mass_times_acceleration() {
    let mut m = Mechanics::new(frictionless(), 0.0);
    for _ in 0..16_000 {
        m.step(&push(190.0));
    }
    assert!((m.load_m_per_s - 1.0).abs() < 1e-3, "{}", m.load_m_per_s);
    assert!((m.motor_m - m.load_m).abs() < 10e-6);
}

#[test]
fn a_kicked_pair_rattles_out_and_never_gains_energy() {
    for (backlash_m, damping_ratio) in [(0.0, 0.05), (50e-6, 0.05), (200e-6, 0.01), (50e-6, 0.0)] {
        let p = MechanicsParameters {
            backlash_m,
            damping_ratio,
            ..frictionless()
        };
        let mut m = Mechanics::new(p, 0.0);
        m.motor_m_per_s = 0.3;
        let first = energy(&m);
        let mut most = first;
        for _ in 0..160_000 {
            m.step(&push(0.0));
            most = most.max(energy(&m));
        }
        // The two-mass mode is sampled some 70 times a period: the semi-implicit step may swing by a few per cent.
        assert!(most < 1.08 * first, "gap {backlash_m}: {most} of {first}");
        if damping_ratio > 0.0 {
            // What cannot be lost is the momentum of both together.
            let common = 0.3 * 70.0 / 190.0;
            assert!(
                (m.load_m_per_s - common).abs() < 0.02,
                "{} of {common}",
                m.load_m_per_s
            );
        }
    }
}

#[test]
fn a_flank_pushes_and_never_pulls() {
    let p = MechanicsParameters {
        backlash_m: 100e-6,
        ..screw()
    };
    let mut m = Mechanics::new(p, 0.0);
    for n in 0..48_000 {
        m.step(&push(800.0 * libm::sin(f64::from(n) * DT_S * 20.0)));
        if m.transmitted_n > 0.0 {
            assert!(m.gap_m >= 50e-6 - 1e-12);
        } else if m.transmitted_n < 0.0 {
            assert!(m.gap_m <= -50e-6 + 1e-12);
        }
    }
}

#[test]
fn at_rest_below_breakaway_it_sticks_and_above_it_goes() {
    let mut m = Mechanics::new(screw(), 0.0);
    for _ in 0..160_000 {
        m.step(&push(150.0));
    }
    let stuck = m.load_m;
    assert!(
        stuck.abs() < 20e-6 && m.load_m_per_s.abs() < 1e-9,
        "{stuck} {}",
        m.load_m_per_s
    );
    for _ in 0..16_000 {
        m.step(&push(400.0));
    }
    assert!(m.load_m > 0.1);
}

#[test]
fn friction_differs_by_direction_and_work_is_force_times_way() {
    for (force, coulomb) in [(500.0, 190.0), (-500.0, 170.0)] {
        let mut m = Mechanics::new(screw(), 0.0);
        for _ in 0..160_000 {
            m.step(&push(force));
        }
        // Steady: what is left of the force after Coulomb friction and the screw's loss is viscous.
        let through = force.abs() - 0.2 * coulomb - 0.2 * 180.0 * m.load_m_per_s.abs();
        let carried = through / (1.0 + 0.03);
        let expected = (carried - 0.8 * coulomb) / (0.8 * 180.0);
        assert!(
            (m.load_m_per_s.abs() / expected - 1.0).abs() < 0.005,
            "{} {expected}",
            m.load_m_per_s
        );
    }
}

#[test]
fn what_is_lost_on_the_way_back_is_its_own() {
    // Down, pulled by the weight, against a motor that brakes.
    let steady = |loss_back: Option<f64>| {
        let p = MechanicsParameters {
            gravity: 1.0,
            loss_back,
            ..screw()
        };
        let mut m = Mechanics::new(p, 0.0);
        for _ in 0..160_000 {
            m.step(&push(100.0));
        }
        let v = m.load_m_per_s.abs();
        assert!(m.load_m_per_s < -0.1, "{v}");
        // Of the weight and the guide's friction the screw lets pass what is not lost.
        let carried = 120.0 * GRAVITY_M_PER_S2 - 0.8 * (170.0 + 180.0 * v);
        let passed = carried * (1.0 - loss_back.unwrap_or(0.03));
        let asked = 0.2 * (170.0 + 180.0 * v) + 100.0;
        assert!((passed / asked - 1.0).abs() < 0.005, "{passed} {asked}");
        v
    };
    assert_eq!(steady(None).to_bits(), steady(Some(0.03)).to_bits());
    // A share of 0.3 on one way alone swings up on the spring, as screws with much friction do under a load that drives them.
    assert!(steady(Some(0.1)) < 0.98 * steady(None));
}

#[test]
fn a_vertical_axis_hangs_on_its_brake() {
    for gravity in [1.0, -1.0] {
        let p = MechanicsParameters {
            gravity,
            brake_n: 5000.0,
            ..screw()
        };
        let mut m = Mechanics::new(p, 0.25);
        for _ in 0..32_000 {
            m.step(&Loads {
                brake: 1.0,
                friction_factor: 1.0,
                dry_factor: 1.0,
                ..Loads::default()
            });
        }
        assert!(
            (m.motor_m - 0.25).abs() < 1e-6 && m.motor_m_per_s.abs() < 1e-6,
            "{}",
            m.motor_m
        );
        assert!((m.transmitted_n - gravity * 120.0 * GRAVITY_M_PER_S2).abs() < 150.0);
    }
}

#[test]
fn whatever_the_table_says_the_state_stays_finite() {
    for stiffness in [1e3, 1e6, 1e9, 1e12] {
        for mass in [0.01, 1.0, 1e4] {
            for coulomb in [1e-3, 10.0, 1e5] {
                let p = MechanicsParameters {
                    stiffness_n_per_m: stiffness,
                    load_mass_kg: mass,
                    coulomb_positive_n: coulomb,
                    coulomb_negative_n: coulomb,
                    ..screw()
                };
                let mut m = Mechanics::new(p, 0.0);
                let mut work = 0.0;
                for n in 0..8_000 {
                    let force = 300.0 * libm::sin(f64::from(n) * DT_S * 60.0);
                    work += force.abs() * m.motor_m_per_s.abs() * DT_S;
                    m.step(&push(force));
                }
                let e = energy(&m);
                assert!(
                    e.is_finite() && e <= 1.5 * work + 1e-3,
                    "{stiffness} {mass} {coulomb}: {e} {work}"
                );
            }
        }
    }
}
