//! The energy of the scalar servo mechanics: what nobody drives loses it, step by step, and comes to rest, with every kind of friction,
//! with a spring and with a gap, in short and in long cycles.
#![allow(
    clippy::disallowed_methods,
    reason = "the yardstick is judged by its accuracy, not by its bits"
)]

mod reference;

use reference::Random;
use reference::axes::{STEPS_S, friction, one_mass, two_masses};
use twinstep_models::servo::{Friction, LuGre, Mechanics, MechanicsPlan, MechanicsState};

const SEEDS: u64 = 20;
const RUN_S: f64 = 4.0;

/// Kinetic energy, and what spring and bristles hold (J).
fn energy_j(m: &Mechanics, s: &MechanicsState) -> f64 {
    let kinetic = m.motor_mass_kg * s.motor_velocity_m_per_s.powi(2)
        + m.load_mass_kg * s.load_velocity_m_per_s.powi(2);
    let spring = m
        .compliance
        .map_or(0.0, |c| c.stiffness_n_per_m * s.stretch_m.powi(2));
    let bristles = m
        .load_friction
        .bristles()
        .map_or(0.0, |l| l.bristle_stiffness_n_per_m * s.bristle_m.powi(2));
    0.5 * (kinetic + spring + bristles)
}

fn runs_down(name: &str, step_s: f64, seed: u64, m: &Mechanics, random: &mut Random) {
    let mut m = *m;
    m.gravity_n = 0.0;
    let plan = MechanicsPlan::new(&m, step_s);
    let mut s = MechanicsState::rest(0.0);
    s.motor_velocity_m_per_s = random.between(-1.0, 1.0);
    s.load_velocity_m_per_s = if m.compliance.is_some() {
        random.between(-1.0, 1.0)
    } else {
        s.motor_velocity_m_per_s
    };
    let first = energy_j(&m, &s);
    let mut before = first;
    for n in 0..(RUN_S / step_s) as usize {
        plan.advance(&mut s, 0.0, 0.0);
        let now = energy_j(&m, &s);
        assert!(
            now <= before + 1e-9 * first,
            "{name}, {step_s} s, seed {seed}, step {n}: {before} J became {now} J\n{m:?}\n{s:?}"
        );
        before = now;
    }
    let fastest = s
        .motor_velocity_m_per_s
        .abs()
        .max(s.load_velocity_m_per_s.abs());
    assert!(
        fastest < 1e-6,
        "{name}, {step_s} s, seed {seed}: it still moves at {fastest} m/s\n{m:?}"
    );
}

#[test]
fn what_nobody_drives_loses_energy_and_comes_to_rest() {
    for step_s in STEPS_S {
        for seed in 0..SEEDS {
            let mut random = Random(seed);
            let stribeck = seed % 2 == 0;
            let m = one_mass(&mut random, stribeck);
            runs_down("one mass", step_s, seed, &m, &mut random);
            let m = two_masses(&mut random, false, stribeck);
            runs_down("two masses", step_s, seed, &m, &mut random);
            let m = two_masses(&mut random, true, stribeck);
            runs_down("a gap", step_s, seed, &m, &mut random);
            // Bristles give back what they hold, and never more than that where their level does not fall with speed.
            let mut m = one_mass(&mut random, false);
            let map = friction(&mut random, false);
            let k = random.decades(1e4, 1e7);
            m.load_friction = Friction::LuGre(LuGre {
                map,
                bristle_stiffness_n_per_m: k,
                bristle_damping_n_s_per_m: 2.0 * (k * (m.motor_mass_kg + m.load_mass_kg)).sqrt(),
            });
            runs_down("bristles", step_s, seed, &m, &mut random);
        }
    }
}
