//! The scalar servo axis with its loops closed, in CSP and CSV and with a dead time, against the reference solution: the loops are
//! those of a sampled drive, written out once more; what they act on is continuous.
#![allow(
    clippy::disallowed_methods,
    reason = "the yardstick is judged by its accuracy, not by its bits"
)]

mod reference;

use reference::axes::{plant, winding};
use reference::plant::{Push, State};
use std::f64::consts::TAU;
use twinstep_models::servo::{
    Command, Drive, Loops, ServoParams, ServoParts, ServoPlan, ServoState,
};

const PERIOD_S: f64 = 0.001;
const CYCLES: usize = 400;

/// The set-point at the end of cycle k: a position (m) or a velocity (m/s).
fn target(csp: bool, k: usize) -> f64 {
    let t = (k + 1) as f64 * PERIOD_S;
    if csp {
        0.01 * (1.0 - (TAU * 3.0 * t).cos())
    } else {
        0.15 * (TAU * 4.0 * t).sin()
    }
}

/// The drive, by the equations of CiA 402's cascade; no limit is met.
#[derive(Default)]
struct Sampled {
    before: f64,
    change: f64,
    integral_a: f64,
    /// Answers, the newest last.
    answers_a: Vec<f64>,
}

impl Sampled {
    fn tick(&mut self, loops: &Loops, csp: bool, to: f64, tau: f64, y: &State, tick_s: f64) {
        let change = to - self.before;
        let reference = self.before + change * tau;
        let (wanted, acceleration) = if csp {
            let slope = change / PERIOD_S;
            let wanted =
                loops.position_gain_per_s * (reference - y[0]) + loops.velocity_feedforward * slope;
            (wanted, (change - self.change) / (PERIOD_S * PERIOD_S))
        } else {
            (reference, change / PERIOD_S)
        };
        let error = wanted - y[1];
        self.answers_a.push(
            loops.velocity_gain_a_s_per_m * error
                + self.integral_a
                + loops.acceleration_feedforward_a_s2_per_m * acceleration,
        );
        self.integral_a += loops.integral_gain_a_per_m * error * tick_s;
    }

    fn cycle_ends(&mut self, to: f64) {
        (self.change, self.before) = (to - self.before, to);
    }

    /// The answer of so many ticks ago.
    fn asked(&self, back: usize) -> f64 {
        let at = self.answers_a.len().checked_sub(back + 1);
        at.map_or(0.0, |at| self.answers_a[at])
    }
}

/// Largest errors of position, velocity and current over their ranges.
fn compare(csp: bool, tick_s: f64, dead_ticks: f64) -> [f64; 3] {
    let mut parts = ServoParts::example(Drive::BallScrew { lead_m: 0.01 });
    parts.tick_s = tick_s;
    parts.motor.dead_time_s = dead_ticks * tick_s;
    // Cold for good: the reference has no temperature.
    parts.thermal.ambient_c = 20.0;
    parts.thermal.winding.capacity_j_per_k = 1e6;
    parts.mechanics.gravity_n = 60.0;
    let plan =
        ServoPlan::new(&ServoParams::new(parts).expect("in range"), PERIOD_S).expect("a plan");
    assert!((plan.tick_s() - tick_s).abs() < 1e-12);
    let mut truth = plant(&parts.mechanics);
    truth.winding = Some(winding(&parts, (0.0, 1.0)));
    let mut state = ServoState::rest(&plan, 0.0);
    let (mut y, mut drive): (State, _) = ([0.0; 7], Sampled::default());
    let (whole, rest) = (dead_ticks.floor() as usize, dead_ticks.fract());
    let ticks = (PERIOD_S / tick_s).round() as usize;
    let (mut error, mut size) = ([0.0f64; 3], [1e-9f64; 3]);
    for k in 0..CYCLES {
        let to = target(csp, k);
        let command = if csp {
            Command::position(to)
        } else {
            Command::velocity(to)
        };
        plan.step(&mut state, command, 0.0);
        for n in 0..ticks {
            let tau = n as f64 / ticks as f64;
            drive.tick(&parts.loops, csp, to, tau, &y, tick_s);
            for (share, back) in [(rest, whole + 1), (1.0 - rest, whole)] {
                if share > 0.0 {
                    let push = Push {
                        asked: drive.asked(back),
                        load_n: parts.mechanics.gravity_n,
                    };
                    truth.run(&mut y, &push, share * tick_s);
                }
            }
        }
        drive.cycle_ends(to);
        assert!(
            drive.asked(0).abs() < parts.motor.current_max_a,
            "no limit is met"
        );
        let m = &state.mechanics;
        let pairs = [
            (m.motor_position_m(), y[0]),
            (m.motor_velocity_m_per_s, y[1]),
            (state.current_a, y[6]),
        ];
        for (n, (model, truth)) in pairs.into_iter().enumerate() {
            error[n] = error[n].max((model - truth).abs());
            size[n] = size[n].max(truth.abs());
        }
    }
    [0, 1, 2].map(|n| error[n] / size[n])
}

#[test]
fn closed_loops_with_a_dead_time_follow_the_reference() {
    for (tick_s, bound) in [(15.625e-6, 1e-5), (62.5e-6, 1e-4)] {
        for csp in [true, false] {
            for dead_ticks in [0.0, 0.4, 2.5] {
                let worst = compare(csp, tick_s, dead_ticks);
                let mode = if csp { "CSP" } else { "CSV" };
                println!("{mode}, tick {tick_s} s, dead time {dead_ticks} ticks: {worst:?}");
                assert!(worst.iter().all(|x| *x < bound), "{worst:?}");
            }
        }
    }
}
