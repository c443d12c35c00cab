//! Two masses with a ram behind a crank, against an independent solution and the balance of energy.

use super::*;
use crate::rng::Rng;
use crate::segment::plant::press::Tool;
use twinstep_config::machine::Machine;

const SIMULATED: &str = include_str!("../../../../rt-config/machines/servo-crank-press.toml");
const DT_S: f64 = 62.5e-6;

fn machine() -> Machine {
    twinstep_config::load(SIMULATED, "servo-crank-press.toml").expect("shipped")
}

/// The shipped press without friction and losses.
fn frictionless() -> MechanicsParameters {
    MechanicsParameters {
        motor_mass_kg: 1.83,
        load_mass_kg: 0.6,
        coulomb_positive_n: 1e-9,
        coulomb_negative_n: 1e-9,
        motor_friction_share: 0.2,
        static_excess: 0.0,
        stribeck_velocity_m_per_s: 0.05,
        viscous_n_s_per_m: 0.0,
        presliding_m: 18e-6,
        motor_presliding_m: 18e-6,
        gravity: 0.0,
        offset_n: 0.0,
        stiffness_n_per_m: 6e5,
        damping_ratio: 0.05,
        backlash_m: 0.0,
        loss: 0.0,
        loss_back: None,
        brake_n: 0.0,
        dt_s: DT_S,
    }
}

/// With friction, as the shipped press has it.
fn rubs() -> MechanicsParameters {
    MechanicsParameters {
        coulomb_positive_n: 14.0,
        coulomb_negative_n: 12.0,
        static_excess: 0.2,
        viscous_n_s_per_m: 3.0,
        backlash_m: 60e-6,
        loss: 0.06,
        ..frictionless()
    }
}

/// The ram of the shipped press, 3 kg heavier than it was balanced for.
fn ram(start_m: f64) -> Ram {
    let machine = machine();
    let train = &machine.presses[0].drive_train;
    Ram::new(train, train.ram_mass_kg + 3.0, -1.0, start_m).expect("a crank")
}

/// The same without weight and counterbalance.
fn weightless(start_m: f64) -> Ram {
    let machine = machine();
    let mut train = machine.presses[0].drive_train;
    train.counterbalance.constant_n = 0.0;
    train.counterbalance.rate_n_per_m = 0.0;
    Ram::new(&train, train.ram_mass_kg, 0.0, start_m).expect("a crank")
}

fn push(motor_n: f64, load_n: f64) -> Loads {
    Loads {
        motor_n,
        load_n,
        friction_factor: 1.0,
        dry_factor: 1.0,
        ..Loads::default()
    }
}

/// Energy of masses and spring (J).
fn energy(m: &Mechanics) -> f64 {
    let ram = m.ram.as_ref().expect("a ram");
    let load_kg = m.p.load_mass_kg + ram.on_axis_kg(0.0);
    let twist = m.motor_m - m.load_m;
    0.5 * (m.p.motor_mass_kg * m.motor_m_per_s * m.motor_m_per_s
        + load_kg * m.load_m_per_s * m.load_m_per_s
        + m.stiffness * twist * twist)
}

/// Place of the ram and its first two derivatives over the axis, in the words of a textbook: r = 60 mm, l = 300 mm, a gear of 12.
fn crank(x: f64) -> [f64; 3] {
    let (r, l, k) = (0.06_f64, 0.3_f64, std::f64::consts::TAU / 0.36 / 12.0);
    let (sin, cos) = libm::sincos(k * x);
    let w = libm::sqrt(l * l - r * r * sin * sin);
    let (dw, cos2) = (-r * r * sin * cos / w, cos * cos - sin * sin);
    let ddw = -(r * r * cos2 + dw * dw) / w;
    [
        r * (1.0 - cos) + l - w,
        (r * sin - dw) * k,
        (r * cos - ddw) * k * k,
    ]
}

/// Derivatives of place and velocity of motor and load: the equation at the head of linkage.rs, the second derivative of the linkage
/// and all.
fn rates(m: &Mechanics, loads: &Loads, top_m: f64, [x1, v1, x2, v2]: [f64; 4]) -> [f64; 4] {
    let [s, j, dj] = crank(x2);
    let spring = m.stiffness * (x1 - x2) + m.damping * (v1 - v2);
    let kg = 183.0;
    let balance = 300.0 + 2000.0 * (s - top_m) - 3.0 * GRAVITY_M_PER_S2;
    let force = spring + j * (loads.load_n - balance) - kg * j * dj * v2 * v2;
    [
        v1,
        (loads.motor_n - spring) / m.p.motor_mass_kg,
        v2,
        force / (m.p.load_mass_kg + kg * j * j),
    ]
}

fn runge_kutta(h: f64, y: [f64; 4], f: impl Fn([f64; 4]) -> [f64; 4]) -> [f64; 4] {
    let along = |d: [f64; 4], h: f64| std::array::from_fn(|n| y[n] + h * d[n]);
    let a = f(y);
    let b = f(along(a, 0.5 * h));
    let c = f(along(b, 0.5 * h));
    let d = f(along(c, h));
    std::array::from_fn(|n| y[n] + h / 6.0 * (a[n] + 2.0 * (b[n] + c[n]) + d[n]))
}

#[test]
fn it_moves_as_the_equation_says_through_both_dead_centres() {
    let start_m = -0.5;
    let mut m = Mechanics::behind(frictionless(), start_m, Some(ram(start_m)));
    let top_m = crank(start_m)[0];
    let mut exact = [m.motor_m, 0.0, m.load_m, 0.0];
    let (mut off_m, mut off_m_per_s, mut fastest) = (0.0_f64, 0.0_f64, 0.0_f64);
    let (mut least, mut most) = (f64::MAX, f64::MIN);
    for n in 0..32_000 {
        let t = f64::from(n) * DT_S;
        // Two seconds, over more than a turn of the crank; the ram is pushed to and fro meanwhile.
        let motor_n = 90.0 * libm::sin(std::f64::consts::TAU * 0.9 * t);
        let loads = push(motor_n, 500.0 * libm::sin(20.0 * t));
        m.step(&loads);
        for _ in 0..16 {
            exact = runge_kutta(DT_S / 16.0, exact, |y| rates(&m, &loads, top_m, y));
        }
        off_m = off_m.max((m.load_m - exact[2]).abs());
        off_m_per_s = off_m_per_s.max((m.load_m_per_s - exact[3]).abs());
        fastest = fastest.max(exact[3].abs());
        (least, most) = (least.min(exact[2]), most.max(exact[2]));
    }
    println!("{off_m} m of {least} to {most} m, {off_m_per_s} m/s of {fastest} m/s");
    // Dead centres of the crank are every 2.16 m.
    assert!(least < -0.1 && most > 2.26, "{least} {most}");
    assert!(off_m < 2e-3 * (most - least), "{off_m}");
    assert!(off_m_per_s < 3e-3 * fastest, "{off_m_per_s} of {fastest}");
}

#[test]
fn a_crank_that_turns_freely_keeps_its_energy() {
    for m_per_s in [0.5, 5.0, 20.0] {
        let mut m = Mechanics::behind(frictionless(), 1.0, Some(weightless(1.0)));
        (m.motor_m_per_s, m.load_m_per_s) = (m_per_s, m_per_s);
        let first = energy(&m);
        let (mut least, mut most, mut slowest, mut quickest) = (first, first, m_per_s, m_per_s);
        for _ in 0..160_000 {
            m.step(&push(0.0, 0.0));
            let now = energy(&m);
            (least, most) = (least.min(now), most.max(now));
            (slowest, quickest) = (slowest.min(m.load_m_per_s), quickest.max(m.load_m_per_s));
        }
        println!("{m_per_s} m/s: {first} J, {least} to {most}, {slowest} to {quickest} m/s");
        // The damper between motor and load takes some; nothing gives any.
        assert!(
            most < 1.01 * first && least > 0.9 * first,
            "{least} {most} of {first}"
        );
        // It goes faster in the dead centres, where the ram does not move with it.
        assert!(
            quickest > 1.2 * slowest && slowest > 0.0,
            "{slowest} {quickest}"
        );
    }
}

#[test]
fn what_the_motor_gives_is_in_part_and_frame_when_nothing_is_lost() {
    let machine = machine();
    let press = &machine.presses[0];
    let [from_m, to_m] = [press.stroke.approach_m, press.stroke.bottom_m];
    let ram = weightless(from_m);
    let stroke = ram.stroke(&press.stroke);
    let mut tool = Tool::new(&machine, &stroke, &mut Rng::new(1, 0), Rng::new(2, 0), DT_S);
    let mut m = Mechanics::behind(frictionless(), from_m, Some(ram));
    let (mut given_j, mut taken_j, mut peak_n) = (0.0, 0.0, 0.0_f64);
    let steps = 24_000;
    for n in 0..steps {
        let part = f64::from(n) / f64::from(steps);
        let target_m =
            from_m + (to_m - from_m) * 0.5 * (1.0 - libm::cos(std::f64::consts::PI * part));
        let target_m_per_s =
            (to_m - from_m) * 0.5 * std::f64::consts::PI * libm::sin(std::f64::consts::PI * part)
                / (f64::from(steps) * DT_S);
        let motor_n = 2e5 * (target_m - m.motor_m) + 1e3 * (target_m_per_s - m.motor_m_per_s);
        let load_n = tool.step(m.ram_m());
        let (x1, s) = (m.motor_m, m.ram_m());
        m.step(&push(motor_n, load_n));
        given_j += motor_n * (m.motor_m - x1);
        taken_j -= load_n * (m.ram_m() - s);
        peak_n = peak_n.max(tool.force_n);
    }
    let kept_j = energy(&m);
    println!("given {given_j} J, taken {taken_j} J, kept {kept_j} J, {peak_n} N");
    assert!(taken_j > 200.0 && peak_n > 25e3, "{taken_j} {peak_n}");
    assert!(
        (given_j - taken_j - kept_j).abs() < 2e-3 * taken_j,
        "{given_j} {taken_j} {kept_j}"
    );
}

#[test]
fn on_a_part_it_stands_within_friction_and_slips_beyond() {
    let start_m = 1.8;
    for (share, stays) in [
        (0.0, true),
        (0.8, true),
        (-0.8, true),
        (2.5, false),
        (-2.5, false),
    ] {
        let mut m = Mechanics::behind(rubs(), start_m, Some(weightless(start_m)));
        let [_, j, _] = crank(start_m);
        // 20 kN of the part, held by the motor up to a share of the friction: Coulomb, and what the gear loses under that load.
        let holds_n = 20e3 * j;
        let friction_n = 13.0 + 0.06 * holds_n;
        let [motor_n, load_n] = [holds_n + share * friction_n, -20e3];
        for n in 0..16_000 {
            let there = (f64::from(n) / 8e3).min(1.0);
            m.step(&push(there * motor_n, there * load_n));
        }
        let loads = push(motor_n, load_n);
        let settled_m = m.load_m;
        for _ in 0..32_000 {
            m.step(&loads);
        }
        let way_m = (m.load_m - settled_m).abs();
        if stays {
            assert!(
                way_m < 1e-9 && m.load_m_per_s.abs() < 1e-9,
                "{share}: {way_m}"
            );
        } else {
            assert!(way_m > 1e-3, "{share}: {way_m}");
        }
    }
}

#[test]
fn whatever_the_ram_weighs_the_state_stays_finite() {
    for ram_kg in [0.1, 200.0, 1e6] {
        for stiffness in [1e3, 1e6, 1e9] {
            for load_kg in [0.01, 1.0, 1e4] {
                let p = MechanicsParameters {
                    stiffness_n_per_m: stiffness,
                    load_mass_kg: load_kg,
                    ..rubs()
                };
                let machine = machine();
                let train = &machine.presses[0].drive_train;
                // Begins in the dead centre.
                let ram = Ram::new(train, ram_kg, 0.0, 0.0);
                let mut m = Mechanics::behind(p, 0.0, ram);
                let (mut work, mut ram_work) = (0.0, 0.0);
                for n in 0..16_000 {
                    let t = f64::from(n) * DT_S;
                    let (x, s) = (m.motor_m, m.ram_m());
                    let force = 300.0 * libm::sin(7.0 * t);
                    m.step(&push(force, 0.0));
                    work += (force * (m.motor_m - x)).abs();
                    ram_work += (400.0 * (m.ram_m() - s)).abs();
                }
                let e = energy(&m);
                assert!(
                    e.is_finite() && m.ram_m().is_finite() && e <= 1.5 * (work + ram_work) + 1.0,
                    "{ram_kg} {stiffness} {load_kg}: {e} {work} {ram_work}"
                );
            }
        }
    }
}
