//! The scalar servo axis with its loops closed, in CSP and CSV and with a dead time, against the reference solution: the
//! loops are those of a sampled drive, written out once more; what they act on is continuous.
#![allow(
    clippy::disallowed_methods,
    reason = "the yardstick is judged by its accuracy, not by its bits"
)]

mod reference;

use reference::axes::{plant, winding};
use reference::plant::{Push, State};
use std::f64::consts::TAU;
use twinstep_models::servo::{
    Command, Compliance, Drive, Friction, LuGre, ServoParams, ServoParts, ServoPlan, ServoState,
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

/// The drive, by the equations of CiA 402's cascade, with the limit of its current.
#[derive(Default)]
struct Sampled {
    before: f64,
    change: f64,
    integral_a: f64,
    /// Answers, the newest last.
    answers_a: Vec<f64>,
    /// Ticks at the limit.
    limited: usize,
}

impl Sampled {
    fn tick(&mut self, parts: &ServoParts, csp: bool, to: f64, tau: f64, y: &State, tick_s: f64) {
        let (loops, limit_a) = (&parts.loops, parts.motor.current_max_a);
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
        let asked = loops.velocity_gain_a_s_per_m * error
            + self.integral_a
            + loops.acceleration_feedforward_a_s2_per_m * acceleration;
        let answer = asked.clamp(-limit_a, limit_a);
        let growth = loops.integral_gain_a_per_m * error * tick_s;
        // At the limit the integrator takes in what leads out of it.
        if asked == answer || (asked > answer) != (growth > 0.0) {
            self.integral_a = (self.integral_a + growth).clamp(-limit_a, limit_a);
        }
        self.limited += usize::from(asked != answer);
        self.answers_a.push(answer);
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

/// What an axis is compared in.
#[derive(Clone, Copy)]
struct Case {
    csp: bool,
    tick_s: f64,
    dead_ticks: f64,
    parts: ServoParts,
}

/// A ball screw with gravity, cold for good: the reference has no temperature.
fn axis() -> ServoParts {
    let mut parts = ServoParts::example(Drive::BallScrew { lead_m: 0.01 });
    parts.thermal.ambient_c = 20.0;
    parts.thermal.winding.capacity_j_per_k = 1e6;
    parts.mechanics.gravity_n = 60.0;
    parts
}

/// The current that accelerates the axis by 1 m/s2 (A s2/m).
fn ideal_feedforward(parts: &ServoParts) -> f64 {
    let m = &parts.mechanics;
    (m.motor_mass_kg + m.load_mass_kg) * m.transmission.travel_per_rad()
        / parts.motor.torque_constant_nm_per_a
}

/// Largest errors of position, velocity and current over their ranges, the share of ticks at the limit, and how far
/// the axis lags behind its set-point at most.
fn compare(case: &Case) -> ([f64; 3], f64, f64) {
    let Case {
        csp,
        tick_s,
        dead_ticks,
        mut parts,
    } = *case;
    parts.tick_s = tick_s;
    parts.motor.dead_time_s = dead_ticks * tick_s;
    let plan =
        ServoPlan::new(&ServoParams::new(parts).expect("in range"), PERIOD_S).expect("a plan");
    assert!((plan.tick_s() - tick_s).abs() < 1e-12);
    let mut truth = plant(&parts.mechanics);
    truth.winding = Some(winding(&parts, (0.0, 1.0)));
    let mut state = ServoState::rest(&plan, 0.0);
    let (mut y, mut drive): (State, _) = ([0.0; 7], Sampled::default());
    let (whole, rest) = (dead_ticks.floor() as usize, dead_ticks.fract());
    let ticks = (PERIOD_S / tick_s).round() as usize;
    let (mut error, mut size, mut lag) = ([0.0f64; 3], [1e-9f64; 3], 0.0f64);
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
            drive.tick(&parts, csp, to, tau, &y, tick_s);
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
        lag = lag.max((to - if csp { y[0] } else { y[1] }).abs());
    }
    let limited = drive.limited as f64 / drive.answers_a.len() as f64;
    ([0, 1, 2].map(|n| error[n] / size[n]), limited, lag)
}

#[test]
fn closed_loops_with_a_dead_time_follow_the_reference() {
    for (tick_s, bound) in [(15.625e-6, 1e-5), (62.5e-6, 1e-4)] {
        for csp in [true, false] {
            for dead_ticks in [0.0, 0.4, 2.5] {
                let (worst, limited, _) = compare(&Case {
                    csp,
                    tick_s,
                    dead_ticks,
                    parts: axis(),
                });
                let mode = if csp { "CSP" } else { "CSV" };
                println!("{mode}, tick {tick_s} s, dead time {dead_ticks} ticks: {worst:?}");
                assert!(worst.iter().all(|x| *x < bound), "{worst:?}");
                assert!(limited == 0.0, "no limit is met");
            }
        }
    }
}

#[test]
fn a_torque_that_is_fed_forward_follows_the_reference_and_takes_the_lag_away() {
    for csp in [true, false] {
        let mut lags = Vec::new();
        for share in [0.0, 0.6, 1.0] {
            for (tick_s, bound) in [(15.625e-6, 1e-5), (62.5e-6, 1e-4)] {
                let mut parts = axis();
                parts.loops.acceleration_feedforward_a_s2_per_m = share * ideal_feedforward(&parts);
                let (worst, limited, lag) = compare(&Case {
                    csp,
                    tick_s,
                    dead_ticks: 1.5,
                    parts,
                });
                println!(
                    "CSP {csp}, tick {tick_s} s, feed-forward {share}: {worst:?}, lag {lag:e}"
                );
                assert!(worst.iter().all(|x| *x < bound), "{worst:?}");
                assert!(limited == 0.0, "no limit is met");
                lags.push(lag);
            }
        }
        // Friction and gravity are left to the loops.
        assert!(lags[4] < 0.9 * lags[0], "{lags:?}");
    }
}

/// Two masses with a spring, a gap and losses.
fn loose(gap_m: f64) -> ServoParts {
    let mut parts = axis();
    let m = &mut parts.mechanics;
    let reduced = m.motor_mass_kg * m.load_mass_kg / (m.motor_mass_kg + m.load_mass_kg);
    let w = TAU * 60.0;
    m.compliance = Some(Compliance {
        stiffness_n_per_m: w * w * reduced,
        damping_n_s_per_m: 0.2 * w * reduced,
        gap_m,
    });
    m.transmission.efficiency_forward = 0.85;
    m.transmission.efficiency_backward = 0.75;
    // The motor's side is held by a loop that its gap does not set in motion.
    parts.loops.velocity_gain_a_s_per_m *= 0.3;
    parts.loops.integral_gain_a_per_m *= 0.1;
    parts.loops.position_gain_per_s = 20.0;
    parts
}

#[test]
fn loops_around_a_gap_with_losses_follow_the_reference_through_the_limit() {
    for bristles in [false, true] {
        for csp in [true, false] {
            for (tick_s, bound) in [(15.625e-6, 2e-4), (62.5e-6, 2e-3)] {
                let mut parts = loose(2e-4);
                parts.motor.current_max_a = 1.4;
                if bristles {
                    let m = &mut parts.mechanics;
                    let stiffness = 2e6;
                    m.load_friction = Friction::LuGre(LuGre {
                        map: *m.load_friction.map(),
                        bristle_stiffness_n_per_m: stiffness,
                        bristle_damping_n_s_per_m: (stiffness * m.load_mass_kg).sqrt(),
                    });
                }
                let (worst, limited, _) = compare(&Case {
                    csp,
                    tick_s,
                    dead_ticks: 1.5,
                    parts,
                });
                println!(
                    "gap, losses, bristles {bristles}, CSP {csp}, tick {tick_s} s: {worst:?}, {limited} at the limit"
                );
                assert!(worst.iter().all(|x| *x < bound), "{worst:?}");
                assert!(limited > 0.02 && limited < 0.9, "{limited}");
            }
        }
    }
}
