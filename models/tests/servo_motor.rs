//! Motor, current loop and temperature against the reference.
#![allow(
    clippy::disallowed_methods,
    reason = "the yardstick is judged by its accuracy, not by its bits"
)]

mod reference;

use reference::{Random, integrate};
use twinstep_models::servo::motor::Electrical;
use twinstep_models::servo::thermal::{Node, ThermalPlan};
use twinstep_models::servo::{Motor, Thermal};

fn random_motor(random: &mut Random) -> Motor {
    let resistance_ohm = random.decades(0.05, 20.0);
    let inductance_h = resistance_ohm * random.decades(1e-3, 2e-2);
    Motor {
        torque_constant_nm_per_a: random.decades(0.05, 5.0),
        magnet_per_k: -0.001,
        resistance_ohm,
        inductance_h,
        pole_pairs: 5.0,
        voltage_max_v: random.between(50.0, 400.0),
        current_max_a: 1e3,
        current_time_constant_s: inductance_h / resistance_ohm * random.between(0.02, 0.45),
        dead_time_s: 0.0,
    }
}

/// i' as the textbook has it, with `room` (V) for the q axis.
fn slope(m: &Motor, warm: &Electrical, i: f64, asked: f64, speed: f64, room: f64) -> f64 {
    let emf = m.pole_pairs * speed * warm.torque_constant_nm_per_a / (1.5 * m.pole_pairs);
    let u =
        warm.resistance_ohm * i + emf + m.inductance_h * (asked - i) / m.current_time_constant_s;
    (u.clamp(-room, room) - warm.resistance_ohm * i - emf) / m.inductance_h
}

/// Final current and charge by the reference: the slope by time and current is given.
fn exact(slope: impl Fn(f64, f64) -> f64, i: f64, span_s: f64, scale_a: f64) -> [f64; 2] {
    let f = |t: f64, y: &[f64; 2]| [slope(t, y[0]), y[0]];
    integrate(
        f,
        |_, _| 1.0,
        0.0,
        span_s,
        [i, 0.0],
        &[scale_a, scale_a * span_s],
    )
    .1
}

#[test]
fn at_a_frozen_speed_a_step_is_exact_through_all_zones() {
    let mut worst = 0.0f64;
    let mut through = 0;
    for seed in 0..400 {
        let mut random = Random(seed);
        let m = random_motor(&mut random);
        let warm = m.at(random.between(0.0, 120.0), random.between(0.0, 100.0));
        let speed = random.between(-1.3, 1.3) * m.no_load_speed_rad_per_s(&warm);
        let room = random.between(0.3, 1.0) * m.voltage_max_v;
        let base = m.voltage_max_v / m.resistance_ohm;
        let i = random.between(-0.5, 0.5) * base;
        let asked = m.limited_a(random.between(-0.5, 0.5) * base);
        let span_s = random.decades(0.01, 3.0) * m.inductance_h / m.resistance_ohm;
        let step = m.advance_within(&warm, i, asked, speed, span_s, room);
        let truth = exact(
            |_, i| slope(&m, &warm, i, asked, speed, room),
            i,
            span_s,
            base,
        );
        let end = (step.end_a - truth[0]).abs() / base;
        let charge = (step.mean_a * span_s - truth[1]).abs() / (base * span_s);
        worst = worst.max(end).max(charge);
        through += u32::from(step.saturated);
    }
    println!(
        "current at a frozen speed: {worst:.2e} of U / R, {through} of 400 at the voltage's limit"
    );
    // The reference steps over the zones' borders without locating them: the figure holds its error too.
    assert!(worst < 2e-8, "{worst}");
    assert!(through > 100 && through < 390, "{through}");
}

#[test]
fn with_a_changing_speed_and_the_d_axis_the_step_is_of_second_order() {
    let mut saturated = 0;
    let mut error = |parts: u32| {
        let mut worst = 0.0f64;
        for seed in 0..40 {
            let mut random = Random(seed);
            let m = random_motor(&mut random);
            let warm = m.at(60.0, 40.0);
            let base = m.no_load_speed_rad_per_s(&warm);
            let span_s = 0.5 * m.inductance_h / m.resistance_ohm;
            let speed = |t: f64| base * (0.5 + 0.35 * t / span_s);
            // The d axis may take up to 0.7 of the voltage.
            let asked =
                m.limited_a(0.7 * m.voltage_max_v / (m.pole_pairs * 0.85 * base * m.inductance_h));
            let h = span_s / f64::from(parts);
            let mut i = 0.0;
            for n in 0..parts {
                let middle = speed((f64::from(n) + 0.5) * h);
                let step = m.advance(&warm, i, asked, middle, h);
                saturated += u32::from(step.saturated);
                i = step.end_a;
            }
            let at = |t: f64, i: f64| {
                let ud = m.pole_pairs * speed(t) * m.inductance_h * i;
                let room = (m.voltage_max_v.powi(2) - ud * ud).max(0.0).sqrt();
                slope(&m, &warm, i, asked, speed(t), room)
            };
            worst = worst.max((i - exact(at, 0.0, span_s, asked)[0]).abs() / asked);
        }
        worst
    };
    let (coarse, fine) = (error(2048), error(4096));
    println!(
        "current with d axis, 2048 and 4096 steps in L / 2 R: {coarse:.2e}, {fine:.2e} of what is asked"
    );
    assert!(saturated > 1000, "{saturated}");
    assert!(coarse < 1e-4 && coarse / fine > 3.3, "{coarse} {fine}");
}

#[test]
fn a_step_of_any_length_is_bounded() {
    for seed in 0..2000 {
        let mut random = Random(seed);
        let m = random_motor(&mut random);
        let warm = m.at(random.between(-60.0, 300.0), random.between(-60.0, 300.0));
        let speed = random.between(-5.0, 5.0) * m.no_load_speed_rad_per_s(&warm);
        let i = random.between(-2.0, 2.0) * m.current_max_a;
        let asked = random.between(-5.0, 5.0) * m.current_max_a;
        let step = m.advance(&warm, i, asked, speed, random.decades(1e-7, 10.0));
        let emf = warm.torque_constant_nm_per_a / 1.5 * speed.abs();
        let bound = i
            .abs()
            .max(m.current_max_a)
            .max((m.voltage_max_v + emf) / warm.resistance_ohm);
        assert!(
            step.end_a.abs() <= bound * (1.0 + 1e-12),
            "seed {seed}: {step:?}"
        );
        assert!(
            step.mean_a.abs() <= bound * (1.0 + 1e-9),
            "seed {seed}: {step:?}"
        );
    }
}

#[test]
fn temperature_follows_the_reference() {
    let mut worst = 0.0f64;
    for seed in 0..50 {
        let mut random = Random(seed);
        let thermal = Thermal {
            winding: Node {
                capacity_j_per_k: random.decades(20.0, 2000.0),
                resistance_k_per_w: random.between(0.1, 1.0),
            },
            housing: (seed % 2 == 0).then(|| Node {
                capacity_j_per_k: random.decades(500.0, 20_000.0),
                resistance_k_per_w: random.between(0.1, 1.0),
            }),
            ambient_c: random.between(0.0, 40.0),
        };
        let (r20, current) = (1.0, random.between(1.0, 5.0));
        let loss = |c: f64| 1.5 * r20 * (1.0 + 0.003_93 * (c - 20.0)) * current * current;
        let w = thermal.winding;
        let f = |_: f64, y: &[f64; 2]| {
            let outside = if thermal.housing.is_some() {
                y[1]
            } else {
                thermal.ambient_c
            };
            let flow = (y[0] - outside) / w.resistance_k_per_w;
            let second = thermal.housing.map_or(0.0, |h| {
                (flow - (y[1] - thermal.ambient_c) / h.resistance_k_per_w) / h.capacity_j_per_k
            });
            [(loss(y[0]) - flow) / w.capacity_j_per_k, second]
        };
        let start = [thermal.ambient_c, thermal.ambient_c];
        let (_, truth, _) = integrate(f, |_, _| 1.0, 0.0, 600.0, start, &[1.0, 1.0]);
        let plan = ThermalPlan::new(&thermal, 0.1);
        let mut state = thermal.cold();
        for _ in 0..6000 {
            plan.advance(&mut state, loss);
        }
        worst = worst.max((state.winding_c - truth[0]).abs());
        if thermal.housing.is_some() {
            worst = worst.max((state.housing_c - truth[1]).abs());
        }
    }
    println!("temperature after 600 s in steps of 0.1 s: {worst:.2e} K");
    assert!(worst < 1e-5, "{worst}");
}
