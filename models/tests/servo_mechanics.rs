//! The mechanics of the scalar servo model against an independent solution of the continuous equations.
#![allow(
    clippy::disallowed_methods,
    reason = "the yardstick is judged by its accuracy, not by its bits"
)]

mod reference;

use reference::Random;
use reference::axes::{STEPS_S, compare, one_mass, pushes, two_masses, with_bristles};
use twinstep_models::servo::{
    Drive, Friction, MechanicsPlan, MechanicsState, StaticFriction, Transmission,
};

#[test]
fn one_mass_starts_moves_and_stops_as_the_reference_does() {
    // Without losses and Stribeck the step is exact. Both are second order: the loss where the transmitted force turns
    // around within a step.
    for (stribeck, lossless, bounds) in [
        (false, true, [1e-9, 1e-9, 1e-9]),
        (false, false, [1e-7, 1e-5, 5e-4]),
        (true, false, [1e-6, 1e-4, 5e-3]),
    ] {
        let (mut seen, mut worst) = ([0; 3], [0.0f64; 3]);
        for seed in 0..40 {
            let mut random = Random(seed);
            let mut m = one_mass(&mut random, stribeck);
            if lossless {
                m.transmission = Transmission::lossless(Drive::Direct);
            }
            let pushes = pushes(&mut random, 250.0, 16);
            let steps = [STEPS_S[0], 2.5e-4, STEPS_S[1]];
            for ((step_s, bound), worst) in steps.into_iter().zip(bounds).zip(&mut worst) {
                let (error, count) = compare(&m, step_s, 0.08, &pushes, seed);
                for n in 0..3 {
                    seen[n] += count[n];
                    *worst = worst.max(error[n]);
                    assert!(
                        error[n] < bound,
                        "seed {seed}, step {step_s}: {error:?}\n{m:?}"
                    );
                }
            }
        }
        println!("one mass, stribeck {stribeck}, lossless {lossless}: {worst:?}, {seen:?}");
        assert!(seen.iter().all(|n| *n > 40), "{seen:?}");
    }
}

#[test]
fn an_axis_at_rest_keeps_its_bits() {
    for seed in 0..40 {
        let mut random = Random(seed);
        let m = one_mass(&mut random, true);
        // Within the friction of the motor's side and of the guide alone, whatever the efficiency.
        let least = |f: &StaticFriction| f.coulomb_positive_n.min(f.coulomb_negative_n);
        let room = least(&m.motor_friction);
        for step_s in STEPS_S {
            let plan = MechanicsPlan::new(&m, step_s);
            let start = MechanicsState::rest(random.between(-1.0, 1.0));
            let mut state = start;
            for _ in 0..2000 {
                let motor = random.between(-room, room);
                let load = random.between(-1.0, 1.0) * least(m.load_friction.map());
                // The load's force is balanced by the guide, the motor's by its bearings.
                plan.advance(&mut state, motor, load - m.gravity_n);
            }
            assert_eq!(state, start, "seed {seed}, step {step_s}");
        }
    }
}

#[test]
fn one_mass_loses_the_energy_that_friction_takes() {
    // Lossless transmission, Coulomb and viscous friction: work in = kinetic + potential + lost in friction. The friction's
    // loss is summed over fine steps, with the velocities of the model.
    let mut worst = 0.0f64;
    for seed in 0..20 {
        let mut random = Random(seed);
        let mut m = one_mass(&mut random, false);
        m.transmission = Transmission::lossless(Drive::Direct);
        let plan = MechanicsPlan::new(&m, STEPS_S[0]);
        let mut state = MechanicsState::rest(0.0);
        let (mut work, mut lost, mut through) = (0.0, 0.0, 0.0);
        for push in pushes(&mut random, 400.0, 10) {
            for _ in 0..2000 {
                let before = state;
                plan.advance(&mut state, push.asked, push.load_n);
                let way = state.position_m - before.position_m;
                let (v0, v1) = (before.motor_velocity_m_per_s, state.motor_velocity_m_per_s);
                let (f1, f2) = (&m.motor_friction, m.load_friction.map());
                work += (push.asked - push.load_n - m.gravity_n) * way;
                through += (push.asked * way).abs();
                let viscous = f1.viscous_n_s_per_m + f2.viscous_n_s_per_m;
                lost += (f1.dry_n(way, v1) + f2.dry_n(way, v1)) * way.abs()
                    + viscous * (v0 * v0 + v0 * v1 + v1 * v1) / 3.0 * STEPS_S[0];
            }
        }
        let v = state.motor_velocity_m_per_s;
        let kinetic = 0.5 * (m.motor_mass_kg + m.load_mass_kg) * v * v;
        let error = (work - kinetic - lost).abs() / through;
        worst = worst.max(error);
        assert!(
            error < 1e-6,
            "seed {seed}: {work} {kinetic} {lost}, {error:e}"
        );
    }
    println!("energy of one mass: {worst:.1e} of the work");
}

#[test]
fn a_shaft_vibrates_at_its_frequency_and_decays_as_its_damping_says() {
    for seed in 0..20 {
        let mut random = Random(seed);
        let mut m = two_masses(&mut random, false, false);
        m.motor_friction = StaticFriction::NONE;
        m.load_friction = Friction::Static(StaticFriction::NONE);
        m.gravity_n = 0.0;
        let (m1, m2) = (m.motor_mass_kg, m.load_mass_kg);
        let reduced = m1 * m2 / (m1 + m2);
        let mut c = m.compliance.expect("two masses");
        let w = (c.stiffness_n_per_m / reduced).sqrt();
        let period_s = 2.0 * std::f64::consts::PI / w;
        c.damping_n_s_per_m = 2.0 * 0.002 * w * reduced;
        m.compliance = Some(c);
        for step_s in [STEPS_S[0], period_s / 7.3] {
            let plan = MechanicsPlan::new(&m, step_s);
            let mut state = MechanicsState::rest(0.0);
            state.stretch_m = 1e-3;
            let energy = |s: &MechanicsState| {
                let (v1, v2) = (s.motor_velocity_m_per_s, s.load_velocity_m_per_s);
                0.5 * (m1 * v1 * v1
                    + m2 * v2 * v2
                    + c.stiffness_n_per_m * s.stretch_m * s.stretch_m)
            };
            let first = energy(&state);
            // Zeros of the deflection going down, each interpolated by its own speed.
            let (mut t, mut zeros) = (0.0, Vec::new());
            while t < 20.0 * period_s {
                let before = state;
                plan.advance(&mut state, 0.0, 0.0);
                if before.stretch_m > 0.0 && state.stretch_m <= 0.0 {
                    let share = before.stretch_m / (before.stretch_m - state.stretch_m);
                    zeros.push(t + share * step_s);
                }
                t += step_s;
            }
            let periods = (zeros.len() - 1) as f64;
            let seen_s = (zeros[zeros.len() - 1] - zeros[0]) / periods;
            let error = (seen_s / period_s - 1.0).abs();
            assert!(error < 0.01, "seed {seed}, step {step_s}: {error}");
            // E falls as exp(-2 D w t), but for a ripple of the order of D.
            let left = energy(&state) / first * (2.0 * 0.002 * w * t).exp();
            assert!((left - 1.0).abs() < 0.01, "seed {seed}: {left}");
            // Nothing from outside: the momentum stays 0.
            let momentum = m1 * state.motor_velocity_m_per_s + m2 * state.load_velocity_m_per_s;
            assert!(momentum.abs() < 1e-9 * (first * (m1 + m2)).sqrt());
        }
    }
}

#[test]
fn a_held_flank_carries_the_load_and_a_free_motor_crosses_the_gap() {
    let mut random = Random(7);
    let mut m = two_masses(&mut random, true, false);
    m.gravity_n = 100.0;
    m.motor_friction = StaticFriction {
        viscous_n_s_per_m: 0.0,
        coulomb_positive_n: 20.0,
        coulomb_negative_n: 20.0,
        ..StaticFriction::NONE
    };
    m.load_friction = Friction::Static(StaticFriction::NONE);
    let c = m.compliance.expect("two masses");
    for step_s in STEPS_S {
        // Held: the motor's force carries the load, which hangs on the upper flank by its spring.
        let plan = MechanicsPlan::new(&m, step_s);
        let mut state = MechanicsState::rest(0.0);
        for _ in 0..(20.0 / step_s) as usize {
            plan.advance(&mut state, 100.0, 0.0);
        }
        assert!((state.gap_m - 0.5 * c.gap_m).abs() < 1e-15, "{state:?}");
        let stretch_m = 100.0 / c.stiffness_n_per_m;
        assert!(
            (state.stretch_m / stretch_m - 1.0).abs() < 1e-6,
            "{state:?}"
        );
        assert!(state.motor_velocity_m_per_s == 0.0 && state.load_velocity_m_per_s.abs() < 1e-9);

        // Free: without gravity the motor alone accelerates through the gap, t = sqrt(2 gap / a), and the load stands.
        let mut free = m;
        free.gravity_n = 0.0;
        let a = (30.0 - 20.0) / m.motor_mass_kg;
        let crossing_s = (2.0 * c.gap_m / a).sqrt();
        let plan = MechanicsPlan::new(&free, crossing_s * 0.999 / 8.0);
        let mut state = MechanicsState::rest(0.0);
        state.gap_m = -0.5 * c.gap_m;
        for n in 1..=8 {
            plan.advance(&mut state, 30.0, 0.0);
            let t = f64::from(n) * crossing_s * 0.999 / 8.0;
            let place = -0.5 * c.gap_m + 0.5 * a * t * t;
            assert!((state.gap_m - place).abs() < 1e-9 * c.gap_m, "{state:?}");
            assert!(state.load_velocity_m_per_s == 0.0 && state.position_m == 0.0);
        }
        plan.advance(&mut state, 30.0, 0.0);
        assert!(
            state.gap_m == 0.5 * c.gap_m && state.load_velocity_m_per_s > 0.0,
            "{state:?}"
        );
    }
}

#[test]
fn two_masses_lose_the_energy_that_friction_and_damping_take() {
    let mut worst = 0.0f64;
    for seed in 0..10 {
        let mut random = Random(seed);
        let m = two_masses(&mut random, false, false);
        let c = m.compliance.expect("two masses");
        let step_s = STEPS_S[0];
        let plan = MechanicsPlan::new(&m, step_s);
        let mut state = MechanicsState::rest(0.0);
        let (mut work, mut lost, mut through) = (0.0, 0.0, 0.0);
        for push in pushes(&mut random, 400.0, 10) {
            for _ in 0..2000 {
                let before = state;
                plan.advance(&mut state, push.asked, push.load_n);
                let way1 = state.motor_position_m() - before.motor_position_m();
                let way2 = state.position_m - before.position_m;
                let (f1, f2) = (&m.motor_friction, m.load_friction.map());
                // Mean of the square of what changes evenly.
                let square = |a: f64, b: f64| (a * a + a * b + b * b) / 3.0 * step_s;
                let (a1, b1) = (before.motor_velocity_m_per_s, state.motor_velocity_m_per_s);
                let (a2, b2) = (before.load_velocity_m_per_s, state.load_velocity_m_per_s);
                work += push.asked * way1 - (push.load_n + m.gravity_n) * way2;
                through += (push.asked * way1).abs();
                lost += f1.dry_n(way1, b1) * way1.abs() + f2.dry_n(way2, b2) * way2.abs();
                lost += f1.viscous_n_s_per_m * square(a1, b1)
                    + f2.viscous_n_s_per_m * square(a2, b2)
                    + c.damping_n_s_per_m * square(a1 - a2, b1 - b2);
            }
        }
        let (v1, v2) = (state.motor_velocity_m_per_s, state.load_velocity_m_per_s);
        let stored = 0.5
            * (m.motor_mass_kg * v1 * v1
                + m.load_mass_kg * v2 * v2
                + c.stiffness_n_per_m * state.stretch_m * state.stretch_m);
        let error = (work - stored - lost).abs() / through;
        worst = worst.max(error);
        assert!(
            error < 1e-4,
            "seed {seed}: {work} {stored} {lost}, {error:e}"
        );
    }
    println!("energy of two masses: {worst:.1e} of the work");
}

#[test]
fn bristles_break_away_at_the_static_friction() {
    for seed in 0..20 {
        let mut random = Random(seed);
        let base = one_mass(&mut random, true);
        let m = with_bristles(&mut random, base);
        let breakaway_n = m.load_friction.map().breakaway_n(1.0);
        let lugre = *m.load_friction.bristles().expect("bristles");
        let step_s = 2.5e-4;
        let plan = MechanicsPlan::new(&m, step_s);
        // The force rises slowly, so that what moves is the bristles and not the mass.
        let ramp = |to: f64| {
            let mut state = MechanicsState::rest(0.0);
            for n in 0..=40_000 {
                plan.advance(
                    &mut state,
                    to * breakaway_n * (f64::from(n) / 20_000.0).min(1.0),
                    0.0,
                );
            }
            state
        };
        let (below, above) = (ramp(0.97), ramp(1.03));
        let yield_m = breakaway_n / lugre.bristle_stiffness_n_per_m;
        assert!(
            below.position_m < 20.0 * yield_m && below.motor_velocity_m_per_s < 1e-6,
            "seed {seed}: {below:?}"
        );
        assert!(
            above.position_m > 100.0 * yield_m && above.motor_velocity_m_per_s > 1e-4,
            "seed {seed}: {above:?}"
        );
    }
}

#[test]
fn two_masses_at_rest_keep_their_bits() {
    for seed in 0..20 {
        let mut random = Random(seed);
        let m = two_masses(&mut random, seed % 2 == 0, true);
        let least = |f: &StaticFriction| f.coulomb_positive_n.min(f.coulomb_negative_n);
        let room = least(&m.motor_friction);
        for step_s in STEPS_S {
            let plan = MechanicsPlan::new(&m, step_s);
            let start = MechanicsState::rest(random.between(-1.0, 1.0));
            let mut state = start;
            for _ in 0..2000 {
                let load = random.between(-1.0, 1.0) * least(m.load_friction.map());
                plan.advance(&mut state, random.between(-room, room), load - m.gravity_n);
            }
            assert_eq!(state, start, "seed {seed}, step {step_s}");
        }
    }
}
