//! Axes drawn from a seed, and the model beside the reference under the same forces.

use super::Random;
use super::plant::{Plant, Push, Rub, Shaft, State, Winding};
use twinstep_models::servo::{
    Compliance, Drive, Friction, LuGre, Mechanics, MechanicsPlan, MechanicsState, ServoParts,
    StaticFriction, Transmission,
};

/// The shortest and a long cycle of the bus.
pub const STEPS_S: [f64; 2] = [31.25e-6, 0.004];

pub fn rub(f: &StaticFriction) -> Rub {
    Rub {
        coulomb_up_n: f.coulomb_positive_n,
        coulomb_down_n: f.coulomb_negative_n,
        extra_n: f.stribeck_n,
        fade_m_per_s: f.stribeck_velocity_m_per_s,
        viscous: f.viscous_n_s_per_m,
    }
}

/// The motor of an axis for the reference; `cogging` is amplitude and periods per revolution.
pub fn winding(parts: &ServoParts, cogging: (f64, f64)) -> Winding {
    let motor = &parts.motor;
    Winding {
        kt: motor.torque_constant_nm_per_a,
        r_ohm: motor.resistance_ohm,
        l_h: motor.inductance_h,
        pairs: motor.pole_pairs,
        u_max: motor.voltage_max_v,
        tau_s: motor.current_time_constant_s,
        travel: parts.mechanics.transmission.travel_per_rad(),
        cogging,
    }
}

/// The same axis for the reference.
pub fn plant(m: &Mechanics) -> Plant {
    Plant {
        m1: m.motor_mass_kg,
        m2: m.load_mass_kg,
        rub1: rub(&m.motor_friction),
        rub2: rub(m.load_friction.map()),
        bristles: m
            .load_friction
            .bristles()
            .map(|l| (l.bristle_stiffness_n_per_m, l.bristle_damping_n_s_per_m)),
        shaft: m.compliance.map(|c| Shaft {
            k: c.stiffness_n_per_m,
            c: c.damping_n_s_per_m,
            half_gap: 0.5 * c.gap_m,
        }),
        winding: None,
        eta_forward: m.transmission.efficiency_forward,
        eta_backward: m.transmission.efficiency_backward,
    }
}

pub fn friction(random: &mut Random, stribeck: bool) -> StaticFriction {
    let size = random.decades(1.0, 60.0);
    StaticFriction {
        coulomb_positive_n: size * random.between(0.7, 1.3),
        coulomb_negative_n: size * random.between(0.7, 1.3),
        stribeck_n: if stribeck { 0.3 * size } else { 0.0 },
        stribeck_velocity_m_per_s: random.decades(0.01, 0.1),
        viscous_n_s_per_m: random.decades(1.0, 200.0),
    }
}

pub fn one_mass(random: &mut Random, stribeck: bool) -> Mechanics {
    let transmission = Transmission {
        efficiency_forward: random.between(0.7, 1.0),
        efficiency_backward: random.between(0.5, 1.0),
        ..Transmission::lossless(Drive::Direct)
    };
    Mechanics {
        motor_mass_kg: random.decades(1.0, 50.0),
        load_mass_kg: random.decades(1.0, 100.0),
        motor_friction: friction(random, stribeck),
        load_friction: Friction::Static(friction(random, stribeck)),
        gravity_n: random.between(-100.0, 100.0),
        compliance: None,
        transmission,
    }
}

/// Runs both under forces that are held for `hold_s` and returns the largest difference of the load's position and of both
/// velocities over the largest of each that was reached, beside how often the reference was at rest and moving either way.
pub fn compare(
    m: &Mechanics,
    step_s: f64,
    hold_s: f64,
    pushes: &[Push],
    seed: u64,
) -> ([f64; 3], [usize; 3]) {
    let plan = MechanicsPlan::new(m, step_s);
    let plant = plant(m);
    let mut state = MechanicsState::rest(0.0);
    let mut y: State = [0.0; 7];
    let (mut worst, mut size, mut count) = ([0.0f64; 3], [1e-9f64; 3], [0; 3]);
    for push in pushes {
        let outer = Push {
            asked: push.asked,
            load_n: push.load_n + m.gravity_n,
        };
        plant.run(&mut y, &outer, hold_s);
        for _ in 0..(hold_s / step_s).round() as usize {
            plan.advance(&mut state, push.asked, push.load_n);
        }
        let truth = [y[2], y[1], y[3]];
        let model = [
            state.position_m,
            state.motor_velocity_m_per_s,
            state.load_velocity_m_per_s,
        ];
        for n in 0..3 {
            assert!(model[n].is_finite(), "seed {seed}: {state:?}");
            worst[n] = worst[n].max((model[n] - truth[n]).abs());
            size[n] = size[n].max(truth[n].abs());
        }
        count[if y[3] == 0.0 {
            0
        } else {
            1 + usize::from(y[3] < 0.0)
        }] += 1;
    }
    for n in 0..3 {
        worst[n] /= size[n];
    }
    (worst, count)
}

pub fn pushes(random: &mut Random, force_n: f64, count: usize) -> Vec<Push> {
    (0..count)
        .map(|_| Push {
            asked: random.between(-force_n, force_n),
            load_n: random.between(-0.2 * force_n, 0.2 * force_n),
        })
        .collect()
}

pub fn two_masses(random: &mut Random, gap: bool, stribeck: bool) -> Mechanics {
    let mut m = one_mass(random, stribeck);
    m.transmission = Transmission::lossless(Drive::Direct);
    let (m1, m2) = (m.motor_mass_kg, m.load_mass_kg);
    let reduced = m1 * m2 / (m1 + m2);
    let w = 2.0 * std::f64::consts::PI * random.decades(20.0, 200.0);
    m.compliance = Some(Compliance {
        stiffness_n_per_m: w * w * reduced,
        damping_n_s_per_m: 2.0 * random.decades(0.01, 0.3) * w * reduced,
        gap_m: if gap { random.decades(1e-5, 1e-3) } else { 0.0 },
    });
    m
}

/// Worst errors over seeds: [position, motor velocity, load velocity] as a share of the range, at each of `steps_s`.
pub fn worst_of(
    seeds: u64,
    steps_s: &[f64],
    hold_s: f64,
    force_n: f64,
    make: impl Fn(&mut Random) -> Mechanics,
) -> (Vec<f64>, [usize; 3]) {
    let (mut worst, mut seen) = (vec![0.0f64; steps_s.len()], [0; 3]);
    for seed in 0..seeds {
        let mut random = Random(seed);
        let m = make(&mut random);
        let pushes = pushes(&mut random, force_n, 10);
        for (step_s, worst) in steps_s.iter().zip(&mut worst) {
            let (error, count) = compare(&m, *step_s, hold_s, &pushes, seed);
            let most = error.into_iter().fold(0.0, f64::max);
            *worst = worst.max(most);
            for n in 0..3 {
                seen[n] += count[n];
            }
        }
    }
    (worst, seen)
}

/// Every error below its bound, and the axis was seen to move either way.
pub fn below(worst: &[f64], bounds: &[f64], seen: &[usize; 3]) {
    for (error, bound) in worst.iter().zip(bounds) {
        assert!(error < bound, "{worst:?} against {bounds:?}");
    }
    assert!(seen[1] > 20 && seen[2] > 20, "{seen:?}");
}

pub fn with_bristles(random: &mut Random, mut m: Mechanics) -> Mechanics {
    let map = friction(random, true);
    let s0 = random.decades(1e5, 1e7);
    m.motor_friction = StaticFriction::NONE;
    m.load_friction = Friction::LuGre(LuGre {
        map,
        bristle_stiffness_n_per_m: s0,
        bristle_damping_n_s_per_m: random.between(0.3, 1.0) * (s0 * m.load_mass_kg).sqrt(),
    });
    m.gravity_n = 0.0;
    m.transmission = Transmission::lossless(Drive::Direct);
    m
}
