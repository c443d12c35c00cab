//! The mechanics of the scalar servo model against an independent solution of the continuous equations.
#![allow(
    clippy::disallowed_methods,
    reason = "the yardstick is judged by its accuracy, not by its bits"
)]

mod reference;

use proptest::prelude::*;
use reference::Random;
use reference::plant::{Plant, Push, Rub, Shaft, State, Winding};
use twinstep_models::servo::{
    Command, Compliance, Drive, Feedback, Friction, LuGre, Mechanics, MechanicsPlan,
    MechanicsState, PERIOD_MAX_S, PERIOD_MIN_S, ServoParams, ServoParts, ServoPlan, ServoState,
    StaticFriction, Transmission,
};

/// The shortest and a long cycle of the bus.
const STEPS_S: [f64; 2] = [31.25e-6, 0.004];

fn rub(f: &StaticFriction) -> Rub {
    Rub {
        coulomb_up_n: f.coulomb_positive_n,
        coulomb_down_n: f.coulomb_negative_n,
        extra_n: f.stribeck_n,
        fade_m_per_s: f.stribeck_velocity_m_per_s,
        viscous: f.viscous_n_s_per_m,
    }
}

/// The same axis for the reference.
fn plant(m: &Mechanics) -> Plant {
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

fn friction(random: &mut Random, stribeck: bool) -> StaticFriction {
    let size = random.decades(1.0, 60.0);
    StaticFriction {
        coulomb_positive_n: size * random.between(0.7, 1.3),
        coulomb_negative_n: size * random.between(0.7, 1.3),
        stribeck_n: if stribeck { 0.3 * size } else { 0.0 },
        stribeck_velocity_m_per_s: random.decades(0.01, 0.1),
        viscous_n_s_per_m: random.decades(1.0, 200.0),
    }
}

fn one_mass(random: &mut Random, stribeck: bool) -> Mechanics {
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
fn compare(
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

fn pushes(random: &mut Random, force_n: f64, count: usize) -> Vec<Push> {
    (0..count)
        .map(|_| Push {
            asked: random.between(-force_n, force_n),
            load_n: random.between(-0.2 * force_n, 0.2 * force_n),
        })
        .collect()
}

#[test]
fn one_mass_starts_moves_and_stops_as_the_reference_does() {
    // Without losses and Stribeck the step is exact. Both are second order: the loss where the transmitted force turns
    // around within a step.
    for (stribeck, lossless, bounds) in [
        (false, true, [1e-9, 1e-9]),
        (false, false, [1e-7, 5e-4]),
        (true, false, [1e-6, 5e-3]),
    ] {
        let (mut seen, mut worst) = ([0; 3], [0.0f64; 2]);
        for seed in 0..40 {
            let mut random = Random(seed);
            let mut m = one_mass(&mut random, stribeck);
            if lossless {
                m.transmission = Transmission::lossless(Drive::Direct);
            }
            let pushes = pushes(&mut random, 250.0, 16);
            for ((step_s, bound), worst) in STEPS_S.into_iter().zip(bounds).zip(&mut worst) {
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

/// Values from 0 to 1 that become parameters, the borders more often than chance has them.
struct Draw<'a>(std::slice::Iter<'a, f64>);

impl Draw<'_> {
    fn even(&mut self, low: f64, high: f64) -> f64 {
        let u = *self.0.next().expect("enough values");
        (low + (high - low) * u).clamp(low, high)
    }

    fn decades(&mut self, low: f64, high: f64) -> f64 {
        let u = *self.0.next().expect("enough values");
        (low * (high / low).powf(u)).clamp(low, high)
    }

    fn yes(&mut self) -> bool {
        self.even(0.0, 1.0) > 0.5
    }

    fn friction(&mut self, least_n: f64) -> StaticFriction {
        let low = least_n.max(1e-6);
        let mut size = |from: f64| match self.decades(low, 1e6) {
            n if n <= low => from,
            n => n,
        };
        StaticFriction {
            coulomb_positive_n: size(least_n),
            coulomb_negative_n: size(least_n),
            stribeck_n: size(0.0),
            viscous_n_s_per_m: size(0.0),
            stribeck_velocity_m_per_s: self.decades(1e-6, 10.0),
        }
    }

    fn axis(&mut self) -> ServoParts {
        let drive = match self.even(0.0, 3.99) as usize {
            0 => Drive::BallScrew {
                lead_m: self.decades(1e-4, 0.2),
            },
            1 => Drive::Belt {
                pinion_radius_m: self.decades(1e-3, 1.0),
            },
            2 => Drive::Gear {
                ratio: self.decades(0.1, 1000.0),
            },
            _ => Drive::Direct,
        };
        let mut parts = ServoParts::example(drive);
        let m = &mut parts.motor;
        m.torque_constant_nm_per_a = self.decades(1e-3, 1e3);
        m.magnet_per_k = self.even(-0.003, 0.0);
        m.resistance_ohm = self.decades(1e-3, 1e3);
        let least = (2.2 * m.resistance_ohm * 1e-5 * (1.0 + 1e-9)).max(1e-6);
        m.inductance_h = self.decades(least, 1.0);
        m.pole_pairs = self.even(1.0, 100.0).round();
        m.voltage_max_v = self.decades(1.0, 1000.0);
        m.current_max_a = self.decades(0.01, 5000.0);
        let most = m.inductance_h / (2.2 * m.resistance_ohm);
        m.current_time_constant_s = self.decades(1e-5, most);
        parts.tick_s = self.decades(1.5e-5, 1e-3);
        m.dead_time_s = self.even(0.0, (60.0 * parts.tick_s).min(1e-3));
        let l = &mut parts.loops;
        l.position_gain_per_s = self.even(0.0, 1e3);
        l.velocity_gain_a_s_per_m = self.decades(1e-6, 1e7);
        l.integral_gain_a_per_m = self.decades(1e-6, 1e9);
        l.velocity_feedforward = self.even(0.0, 1.2);
        l.acceleration_feedforward_a_s2_per_m = self.decades(1e-6, 1e6);
        l.velocity_max_m_per_s = self.decades(1e-4, 1e4);
        if self.yes() {
            parts.feedback = Feedback::Load;
        }
        let t = &mut parts.mechanics.transmission;
        t.efficiency_forward = self.even(0.05, 1.0);
        t.efficiency_backward = self.even(0.0, 1.0);
        let (with_lugre, with_compliance, with_gap) = (self.yes(), self.yes(), self.yes());
        let m = &mut parts.mechanics;
        m.motor_mass_kg = self.decades(1e-6, 1e9);
        m.load_mass_kg = self.decades(1e-6, 1e9);
        m.gravity_n = self.even(-1e6, 1e6);
        m.motor_friction = self.friction(0.0);
        m.load_friction = if with_lugre {
            Friction::LuGre(LuGre {
                map: self.friction(1e-6),
                bristle_stiffness_n_per_m: self.decades(1.0, 1e10),
                bristle_damping_n_s_per_m: self.decades(1e-6, 1e7),
            })
        } else {
            Friction::Static(self.friction(0.0))
        };
        m.compliance = with_compliance.then(|| Compliance {
            stiffness_n_per_m: self.decades(1.0, 1e10),
            damping_n_s_per_m: self.decades(1e-3, 1e7),
            gap_m: if with_gap {
                self.decades(1e-6, 0.1)
            } else {
                0.0
            },
        });
        parts
    }
}

fn unit() -> impl Strategy<Value = f64> {
    prop_oneof![1 => Just(0.0), 1 => Just(1.0), 8 => 0.0..1.0f64]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_allowed_axis_stays_finite_and_within_its_current(
        values in prop::collection::vec(unit(), 64),
        period in unit(),
        commands in prop::collection::vec((0..3usize, -1.0..1.0f64, -6.0..6.0f64, unit()), 4),
    ) {
        let parts = Draw(values.iter()).axis();
        let params = ServoParams::new(parts).expect("within the ranges");
        let period_s = (PERIOD_MIN_S * (PERIOD_MAX_S / PERIOD_MIN_S).powf(period)).min(PERIOD_MAX_S);
        // Longer ticks than asked for do not exist, shorter ones may make the dead time too long.
        let Ok(plan) = ServoPlan::new(&params, period_s) else {
            return Ok(());
        };
        let mut state = ServoState::rest(&plan, 0.0);
        for (mode, sign, exponent, load) in commands {
            let value = sign * 10f64.powf(exponent);
            let command = match mode {
                0 => Command::position(value),
                1 => Command::velocity(value),
                _ => Command::Cst { current_a: value },
            };
            plan.step(&mut state, command, (2.0 * load - 1.0) * 1e6);
            let m = &state.mechanics;
            for x in [
                m.position_m,
                m.motor_position_m(),
                m.motor_velocity_m_per_s,
                m.load_velocity_m_per_s,
                m.bristle_m,
                state.mean_squared_a2,
                state.thermal.winding_c,
                state.thermal.housing_c,
            ] {
                prop_assert!(x.is_finite(), "{state:?}\n{parts:?}");
            }
            let limit = parts.motor.current_max_a;
            prop_assert!(state.current_a.abs() <= limit, "{} of {limit}\n{parts:?}", state.current_a);
        }
    }
}

fn two_masses(random: &mut Random, gap: bool, stribeck: bool) -> Mechanics {
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

/// Worst errors over seeds: [position, motor velocity, load velocity] as a share of the range, at each of `steps_s`.
fn worst_of(
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
fn below(worst: &[f64], bounds: &[f64], seen: &[usize; 3]) {
    for (error, bound) in worst.iter().zip(bounds) {
        assert!(error < bound, "{worst:?} against {bounds:?}");
    }
    assert!(seen[1] > 20 && seen[2] > 20, "{seen:?}");
}

#[test]
fn two_masses_follow_the_reference() {
    let steps = [STEPS_S[0], 2.5e-4, 0.002];
    let (worst, seen) = worst_of(20, &steps, 0.05, 250.0, |r| two_masses(r, false, false));
    println!("two masses: {worst:?}, {seen:?}");
    below(&worst, &[2e-6, 2e-5, 1e-4], &seen);
}

#[test]
fn the_gap_follows_the_reference() {
    let steps = [STEPS_S[0], 2.5e-4, 0.002];
    let (worst, seen) = worst_of(20, &steps, 0.05, 250.0, |r| two_masses(r, true, false));
    println!("gap: {worst:?}, {seen:?}");
    below(&worst, &[3e-6, 3e-5, 0.03], &seen);
}

fn with_bristles(random: &mut Random, mut m: Mechanics) -> Mechanics {
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

#[test]
fn bristles_follow_the_reference() {
    let steps = [STEPS_S[0] / 16.0, STEPS_S[0], 2.5e-4];
    let (worst, seen) = worst_of(10, &steps, 0.02, 150.0, |r| {
        let m = one_mass(r, true);
        with_bristles(r, m)
    });
    println!("bristles, one mass: {worst:?}, {seen:?}");
    below(&worst, &[1e-7, 1e-4, 2e-3], &seen);
    let (worst, seen) = worst_of(10, &steps, 0.02, 150.0, |r| {
        let m = two_masses(r, false, true);
        with_bristles(r, m)
    });
    println!("bristles, two masses: {worst:?}, {seen:?}");
    below(&worst, &[3e-7, 1e-4, 5e-3], &seen);
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
fn two_masses_with_losses_and_a_gap_follow_the_reference() {
    let steps = [STEPS_S[0] / 8.0, STEPS_S[0], 2.5e-4];
    for gap in [false, true] {
        let (worst, seen) = worst_of(20, &steps, 0.05, 250.0, |r| {
            let mut m = two_masses(r, gap, true);
            m.transmission.efficiency_forward = r.between(0.7, 1.0);
            m.transmission.efficiency_backward = r.between(0.5, 1.0);
            m
        });
        println!("losses and Stribeck, gap {gap}: {worst:?}, {seen:?}");
        below(&worst, &[1e-6, 6e-5, 5e-3], &seen);
        let (worst, seen) = worst_of(6, &steps, 0.02, 150.0, |r| {
            let m = two_masses(r, gap, true);
            with_bristles(r, m)
        });
        println!("bristles, gap {gap}: {worst:?}, {seen:?}");
        below(&worst, &[1e-6, 6e-5, 5e-3], &seen);
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

/// Current, voltage limit and mechanics together, without dead time and cogging, with the torque given (CST): the largest error of
/// speed and current over their ranges.
fn whole_axis(tick_s: f64, seed: u64) -> [f64; 2] {
    let mut random = Random(seed);
    let mut parts = ServoParts::example(Drive::BallScrew { lead_m: 0.01 });
    parts.tick_s = tick_s;
    parts.motor.dead_time_s = 0.0;
    parts.motor.voltage_max_v = random.between(30.0, 300.0);
    // Cold for good: the reference has no temperature.
    parts.thermal.ambient_c = 20.0;
    parts.thermal.winding.capacity_j_per_k = 1e6;
    parts.mechanics.gravity_n = random.between(-200.0, 200.0);
    let plan = ServoPlan::new(&ServoParams::new(parts).expect("in range"), 0.001).expect("a plan");
    let mut truth = plant(&parts.mechanics);
    let motor = &parts.motor;
    truth.winding = Some(Winding {
        kt: motor.torque_constant_nm_per_a,
        r_ohm: motor.resistance_ohm,
        l_h: motor.inductance_h,
        pairs: motor.pole_pairs,
        u_max: motor.voltage_max_v,
        tau_s: motor.current_time_constant_s,
        travel: parts.mechanics.transmission.travel_per_rad(),
        cogging: (0.0, 1.0),
    });
    let mut state = ServoState::rest(&plan, 0.0);
    let mut y: State = [0.0; 7];
    let (mut error, mut size) = ([0.0f64; 2], [1e-9f64; 2]);
    for _ in 0..12 {
        let asked = random.between(-5.0, 5.0);
        for _ in 0..10 {
            plan.step(&mut state, Command::Cst { current_a: asked }, 0.0);
        }
        let push = Push {
            asked,
            load_n: parts.mechanics.gravity_n,
        };
        truth.run(&mut y, &push, 0.01);
        let pairs = [
            (state.mechanics.motor_velocity_m_per_s, y[1]),
            (state.current_a, y[6]),
        ];
        for (n, (model, truth)) in pairs.into_iter().enumerate() {
            error[n] = error[n].max((model - truth).abs());
            size[n] = size[n].max(truth.abs());
        }
    }
    [error[0] / size[0], error[1] / size[1]]
}

#[test]
fn the_whole_axis_follows_the_reference_under_given_torque() {
    for (tick_s, bound) in [(15.625e-6, 5e-5), (62.5e-6, 5e-4)] {
        let mut worst = [0.0f64; 2];
        for seed in 0..20 {
            let error = whole_axis(tick_s, seed);
            worst = [worst[0].max(error[0]), worst[1].max(error[1])];
        }
        println!("whole axis, tick {tick_s}: {worst:?}");
        assert!(worst.iter().all(|x| *x < bound), "{worst:?}");
    }
}
