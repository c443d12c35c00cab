//! Where the energy of the scalar servo axis goes: what a driver puts into two masses with a gap, losses and bristles, what
//! the converter puts into the motor, and what warms its winding.
#![allow(
    clippy::disallowed_methods,
    reason = "the yardstick is judged by its accuracy, not by its bits"
)]

mod reference;

use reference::Random;
use reference::axes::{pushes, two_masses, with_bristles};
use twinstep_models::servo::thermal::{Node, ThermalPlan};
use twinstep_models::servo::two_mass::TwoMassPlan;
use twinstep_models::servo::{
    Command, Drive, Mechanics, MechanicsState, Motor, ServoParams, ServoParts, ServoPlan,
    ServoState, Thermal,
};

/// The powers that leave two masses with a gap in a state (W): friction of the motor's side, losses of the transmission, the
/// shaft's damper, and the guide with its bristles.
fn powers_w(m: &Mechanics, plan: &TwoMassPlan, s: &MechanicsState) -> [f64; 4] {
    let c = m.compliance.expect("two masses");
    let lugre = m.load_friction.bristles().expect("bristles");
    let (v1, v2) = (s.motor_velocity_m_per_s, s.load_velocity_m_per_s);
    let force = plan.spring_force_n(s);
    let motor = m.motor_friction.force_n(v1) * v1;
    let losses = (m.transmission.felt(force, v1.signum()) - 1.0) * force * v1;
    // In the gap the shaft relaxes against its own damper.
    let slide = if force != 0.0 {
        v1 - v2
    } else {
        c.stiffness_n_per_m / c.damping_n_s_per_m * s.stretch_m
    };
    let guide = lugre.force_n(s.bristle_m, v2) * v2;
    [motor, losses, c.damping_n_s_per_m * slide * slide, guide]
}

#[test]
fn a_driven_axis_with_gap_losses_and_bristles_keeps_its_balance() {
    let mut total = [0.0f64; 4];
    for seed in 0..8 {
        let mut random = Random(seed);
        let base = two_masses(&mut random, true, true);
        let motor_friction = base.motor_friction;
        let mut m = with_bristles(&mut random, base);
        (m.motor_friction, m.gravity_n) = (motor_friction, random.between(-20.0, 20.0));
        m.transmission.efficiency_forward = random.between(0.7, 1.0);
        m.transmission.efficiency_backward = random.between(0.5, 1.0);
        let c = m.compliance.expect("two masses");
        let step_s = 31.25e-6 / 4.0;
        let plan = TwoMassPlan::new(&m, c, step_s);
        let mut state = MechanicsState::rest(0.0);
        let (mut work, mut lost, mut through) = (0.0, [0.0; 4], 0.0);
        for push in pushes(&mut random, 250.0, 6) {
            for _ in 0..2000 {
                let before = state;
                plan.advance(&mut state, push.asked, push.load_n);
                let way1 = state.motor_position_m() - before.motor_position_m();
                let way2 = state.position_m - before.position_m;
                work += push.asked * way1 - (push.load_n + m.gravity_n) * way2;
                through += (push.asked * way1).abs();
                let (a, b) = (powers_w(&m, &plan, &before), powers_w(&m, &plan, &state));
                for n in 0..4 {
                    lost[n] += 0.5 * step_s * (a[n] + b[n]);
                }
            }
        }
        let (v1, v2) = (state.motor_velocity_m_per_s, state.load_velocity_m_per_s);
        let stored = 0.5
            * (m.motor_mass_kg * v1 * v1
                + m.load_mass_kg * v2 * v2
                + c.stiffness_n_per_m * state.stretch_m * state.stretch_m);
        let error = (work - stored - lost.iter().sum::<f64>()).abs() / through;
        println!("seed {seed}: {error:.1e} of {through:.2} J; lost {lost:?}");
        assert!(
            error < 1e-3,
            "seed {seed}: {work} {stored} {lost:?}, {error:e}"
        );
        for n in 0..4 {
            // No way out gives anything back for good.
            assert!(lost[n] >= 0.0, "seed {seed}: {lost:?}");
            total[n] += lost[n] / through;
        }
    }
    assert!(
        total.iter().all(|x| *x > 1e-3),
        "every way out was taken: {total:?}"
    );
}

/// u as the converter gives it for the current that is asked for, within its limit.
fn voltage_v(m: &Motor, warm: (f64, f64), i: f64, asked: f64, speed: f64) -> f64 {
    let (r, kt) = warm;
    let wanted =
        r * i + kt / 1.5 * speed + m.inductance_h * (asked - i) / m.current_time_constant_s;
    let d_axis = m.pole_pairs * speed * m.inductance_h * i;
    let room = (m.voltage_max_v.powi(2) - d_axis.powi(2)).max(0.0).sqrt();
    wanted.clamp(-room, room)
}

#[test]
fn what_the_converter_gives_is_heat_torque_and_field() {
    // Three phases, amplitudes: 1.5 u i = 1.5 R i^2 + T w + 1.5 L i i'. The speed runs up to where the voltage is at its
    // limit.
    let m = ServoParts::example(Drive::Direct).motor;
    let warm = m.at(80.0, 60.0);
    let (r, kt) = (warm.resistance_ohm, warm.torque_constant_nm_per_a);
    let balance = |h: f64| {
        let base = m.no_load_speed_rad_per_s(&warm);
        let steps = (0.2 / h).round() as usize;
        let (mut i, mut saturated) = (0.0f64, 0usize);
        let (mut given, mut heat, mut shaft, mut through) = (0.0, 0.0, 0.0, 0.0);
        for n in 0..steps {
            let t = (n as f64 + 0.5) * h;
            let speed = base * (0.2 + 4.0 * t);
            let asked = if ((t * 40.0) as usize).is_multiple_of(2) {
                6.0
            } else {
                -4.0
            };
            let step = m.advance(&warm, i, asked, speed, h);
            // Simpson's rule over start, mean and end of the current; its slope has a kink where the limit is met.
            let at = [i, step.mean_a, step.end_a];
            let over = |f: &dyn Fn(f64) -> f64| (f(at[0]) + 4.0 * f(at[1]) + f(at[2])) / 6.0 * h;
            let electric = over(&|i| 1.5 * voltage_v(&m, (r, kt), i, asked, speed) * i);
            given += electric;
            through += electric.abs();
            heat += over(&|i| 1.5 * r * i * i);
            shaft += kt * step.mean_a * speed * h;
            saturated += usize::from(step.saturated);
            i = step.end_a;
        }
        let field = 0.75 * m.inductance_h * i * i;
        assert!(
            saturated > steps / 20 && saturated < steps * 9 / 10,
            "{saturated} of {steps}"
        );
        (given - heat - shaft - field).abs() / through
    };
    let (coarse, fine) = (balance(62.5e-6), balance(62.5e-6 / 8.0));
    println!(
        "balance of the motor: {coarse:.1e} and {fine:.1e} of what the converter gives and takes"
    );
    assert!(fine < 1e-5 && coarse < 1e-5, "{coarse} {fine}");
}

#[test]
fn the_heat_of_the_winding_is_stored_or_leaves() {
    let mut parts = ServoParts::example(Drive::BallScrew { lead_m: 0.01 });
    // A small motor, so that a few seconds warm it.
    parts.thermal = Thermal {
        winding: Node {
            capacity_j_per_k: 2.0,
            resistance_k_per_w: 0.8,
        },
        housing: Some(Node {
            capacity_j_per_k: 20.0,
            resistance_k_per_w: 1.2,
        }),
        ambient_c: 25.0,
    };
    // A cycle is one tick of the drive: what the current does in between is one lag.
    let period_s = 62.5e-6;
    let plan =
        ServoPlan::new(&ServoParams::new(parts).expect("in range"), period_s).expect("a plan");
    let mut state = ServoState::rest(&plan, 0.0);
    let (motor, thermal) = (&parts.motor, &parts.thermal);
    let housing = thermal.housing.expect("two nodes");
    let (mut heat, mut left, mut sampled) = (0.0, 0.0, 0.0);
    for k in 0..80_000 {
        let t = f64::from(k) * period_s;
        let x = 0.02 * (1.0 - (2.0 * std::f64::consts::PI * 3.0 * t).cos());
        let (before, current_a) = (state.thermal, state.current_a);
        plan.step(&mut state, Command::position(x), 0.0);
        let middle_c = 0.5 * (before.winding_c + state.thermal.winding_c);
        let warm = motor.at(middle_c, middle_c);
        heat += 1.5 * warm.resistance_ohm * state.mean_squared_a2 * period_s;
        let (i0, i1) = (current_a, state.current_a);
        sampled += 0.5 * warm.resistance_ohm * (i0 * i0 + i0 * i1 + i1 * i1) * period_s;
        let out = 0.5 * (before.housing_c + state.thermal.housing_c) - thermal.ambient_c;
        left += out / housing.resistance_k_per_w * period_s;
    }
    let stored = thermal.winding.capacity_j_per_k * (state.thermal.winding_c - thermal.ambient_c)
        + housing.capacity_j_per_k * (state.thermal.housing_c - thermal.ambient_c);
    println!(
        "heat {heat:.3} J, by the current at the cycles' ends {sampled:.3} J, stored {stored:.3} J, left {left:.3} J"
    );
    assert!(state.thermal.winding_c > 27.0, "{:?}", state.thermal);
    assert!(
        (heat - stored - left).abs() < 1e-5 * heat,
        "{heat} {stored} {left}"
    );
    // What the cycles say of themselves is what the current makes.
    assert!((sampled / heat - 1.0).abs() < 0.02, "{sampled} {heat}");
}

#[test]
fn one_node_keeps_its_balance_with_losses_that_grow() {
    let thermal = Thermal {
        winding: Node {
            capacity_j_per_k: 100.0,
            resistance_k_per_w: 0.9,
        },
        housing: None,
        ambient_c: 20.0,
    };
    let (step_s, loss) = (0.05, |c: f64| 30.0 * (1.0 + 0.003_93 * (c - 20.0)));
    let plan = ThermalPlan::new(&thermal, step_s);
    let mut state = thermal.cold();
    let (mut heat, mut left) = (0.0, 0.0);
    for _ in 0..4000 {
        let before = state.winding_c;
        plan.advance(&mut state, loss);
        let middle = 0.5 * (before + state.winding_c);
        heat += loss(middle) * step_s;
        left += (middle - 20.0) / 0.9 * step_s;
    }
    let stored = 100.0 * (state.winding_c - 20.0);
    assert!(
        (heat - stored - left).abs() < 1e-6 * heat,
        "{heat} {stored} {left}"
    );
}
