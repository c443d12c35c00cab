//! How accurate the cycle's kernel is: `axis::cascade::advance` against the reference solution of the same continuous
//! equations, beside the classic Runge-Kutta method with four substeps a cycle.
//!
//! All three solve the equations of `models/src/axis/mod.rs` from the same start, with the same targets, the same linear
//! interpolation between them and the same dead time. None is corrected by a measurement: what is compared is the free run.
#![allow(
    clippy::disallowed_methods,
    reason = "the yardstick is judged by its accuracy, not by its bits"
)]

mod reference;

use reference::{integrate, rms};
use twinstep_models::axis::{AxisParams, AxisState, LaneParams, Reference, cascade};
use twinstep_models::lane::{LANES, ZERO};

/// Substeps of Runge-Kutta in a cycle.
const RK4_SUBSTEPS: usize = 4;
/// What the kernel's RMS position error may be, in those of Runge-Kutta's better variant.
const RATIO_MAX: f64 = 1.0;
/// The same where the drive holds the current at its limit: 15 of 18 cases are below 1.
const LIMITED_RATIO_MAX: f64 = 1.5;
/// What the kernel's RMS position error may be per second of the cycle (m/s): it grows with the cycle.
const POSITION_MAX_M_PER_S: f64 = 5.0e-5;
/// Length of a run (s).
const RUN_S: f64 = 2.0;

/// Position, velocity, current, integrator, reported current.
type Y = [f64; 5];

fn params(velocity_hz: f64, stribeck_a: f64, dead_cycles: f64, period_s: f64) -> AxisParams {
    let inertia = 0.4;
    let velocity_gain = 2.0 * std::f64::consts::PI * velocity_hz * inertia;
    AxisParams {
        inertia,
        coulomb_positive_a: 0.8,
        coulomb_negative_a: 0.7,
        viscous: 0.3,
        stribeck_a,
        stribeck_velocity_m_per_s: 0.01,
        gravity_a: 0.2,
        position_gain_per_s: 60.0,
        velocity_gain,
        integral_gain: 50.0 * velocity_gain,
        velocity_feedforward: 1.0,
        limit_a: 30.0,
        current_time_constant_s: 4e-4,
        current_filter_s: 8e-4,
        dead_time_s: dead_cycles * period_s,
        sampled: false,
        cascade_valid: true,
        ..AxisParams::IDLE
    }
}

/// A motion that reverses: two harmonics, started smoothly.
fn target(t: f64) -> f64 {
    let start = (t / 0.2).min(1.0);
    let blend = start * start * (3.0 - 2.0 * start);
    blend
        * (0.02 * (2.0 * std::f64::consts::PI * 1.3 * t).sin()
            + 0.003 * (2.0 * std::f64::consts::PI * 7.0 * t).sin())
}

/// The targets as the drive sees them: target of cycle k is reached at the end of cycle k, plus the dead time; linear.
struct Targets {
    period_s: f64,
    dead_s: f64,
}

impl Targets {
    fn of_cycle(&self, k: i64) -> f64 {
        if k < 0 {
            0.0
        } else {
            target(k as f64 * self.period_s)
        }
    }

    /// Set-point and its slope within the stretch that begins at `begin_s`: the kink itself belongs to both sides.
    fn at(&self, t: f64, begin_s: f64) -> (f64, f64) {
        // Cycle k starts at k T and its target stands for its start, the dead time later.
        let inside = (begin_s - self.dead_s) / self.period_s + 1e-6;
        let k = inside.floor() as i64;
        let (from, to) = (self.of_cycle(k), self.of_cycle(k + 1));
        let share = (t - self.dead_s) / self.period_s - k as f64;
        (from + (to - from) * share, (to - from) / self.period_s)
    }
}

fn dry(p: &AxisParams, d: f64, v: f64) -> f64 {
    let coulomb = if d > 0.0 {
        p.coulomb_positive_a
    } else {
        p.coulomb_negative_a
    };
    coulomb + p.stribeck_a / (1.0 + (v / p.stribeck_velocity_m_per_s).powi(2))
}

/// The equations, with dry friction given (A, with its sign) or the axis held.
fn slopes(p: &AxisParams, r: (f64, f64), y: &Y, friction_a: Option<f64>) -> Y {
    let [x, v, i, q, reported] = *y;
    let wanted = p.position_gain_per_s * (r.0 - x) + p.velocity_feedforward * r.1;
    let error = wanted - v;
    let asked = p.velocity_gain * error + q;
    let limited = asked.clamp(-p.limit_a, p.limit_a);
    // A drive that closes its loops once a cycle holds what flows.
    let held = if p.sampled { 0.0 } else { 1.0 };
    let free = if asked == limited { held } else { 0.0 };
    let a = match friction_a {
        None => 0.0,
        Some(f) => (i - p.gravity_a - p.viscous * v - f) / p.inertia,
    };
    [
        if friction_a.is_some() { v } else { 0.0 },
        a,
        held * (limited - i) / p.current_time_constant_s,
        free * p.integral_gain * error,
        (i - reported) / p.current_filter_s,
    ]
}

/// The reference over one stretch without a kink of the set-point.
fn exact(p: &AxisParams, targets: &Targets, y: &mut Y, from_s: f64, to_s: f64) {
    let scale = [1e-3, 1e-2, 1.0, 1.0, 1.0];
    let mut t = from_s;
    while t < to_s {
        let push = y[2] - p.gravity_a;
        let d = if y[1] > 0.0 || (y[1] == 0.0 && push > dry(p, 1.0, 0.0)) {
            1.0
        } else if y[1] < 0.0 || push < -dry(p, -1.0, 0.0) {
            -1.0
        } else {
            0.0
        };
        let (reached, next, ended) = integrate(
            |t, y: &Y| {
                let friction = (d != 0.0).then(|| d * dry(p, d, y[1]));
                slopes(p, targets.at(t, from_s), y, friction)
            },
            |_, y| {
                if d == 0.0 {
                    let push = y[2] - p.gravity_a;
                    (dry(p, 1.0, 0.0) - push).min(push + dry(p, -1.0, 0.0))
                } else {
                    d * y[1]
                }
            },
            t,
            to_s,
            *y,
            &scale,
        );
        *y = next;
        if ended && d != 0.0 {
            y[1] = 0.0;
        }
        t = reached;
    }
}

/// Dry friction as a Runge-Kutta scheme has it: `None` for the sign of v, else tanh with this slope (s/m).
fn rk4_friction(p: &AxisParams, y: &Y, slope: Option<f64>) -> Option<f64> {
    let (v, push) = (y[1], y[2] - p.gravity_a);
    if let Some(slope) = slope {
        return Some((v * slope).tanh() * dry(p, v, v));
    }
    if v == 0.0 && push <= dry(p, 1.0, 0.0) && push >= -dry(p, -1.0, 0.0) {
        return None;
    }
    let d = if v != 0.0 { v.signum() } else { push.signum() };
    Some(d * dry(p, d, v))
}

fn rk4(p: &AxisParams, targets: &Targets, y: &mut Y, t: f64, h: f64, slope: Option<f64>) {
    // The pair of targets is that of the whole substep: a stage at its end must not see the slope behind a kink.
    let begin_s = t;
    let f = |t: f64, y: &Y| slopes(p, targets.at(t, begin_s), y, rk4_friction(p, y, slope));
    let shifted = |k: &Y, by: f64| {
        let mut out = *y;
        for n in 0..5 {
            out[n] += by * k[n];
        }
        out
    };
    let k1 = f(t, y);
    let k2 = f(t + 0.5 * h, &shifted(&k1, 0.5 * h));
    let k3 = f(t + 0.5 * h, &shifted(&k2, 0.5 * h));
    let k4 = f(t + h, &shifted(&k3, h));
    for n in 0..5 {
        y[n] += h / 6.0 * (k1[n] + 2.0 * k2[n] + 2.0 * k3[n] + k4[n]);
    }
}

/// RMS errors of position and reported current.
#[derive(Clone, Copy, Debug)]
struct Figures {
    position_m: f64,
    velocity_m_per_s: f64,
    current_a: f64,
}

struct Errors([Vec<f64>; 3]);

impl Errors {
    fn push(&mut self, y: &Y, truth: &Y) {
        for (list, n) in self.0.iter_mut().zip([0, 1, 4]) {
            list.push(y[n] - truth[n]);
        }
    }

    fn figures(&self) -> Figures {
        Figures {
            position_m: rms(&self.0[0]),
            velocity_m_per_s: rms(&self.0[1]),
            current_a: rms(&self.0[2]),
        }
    }
}

/// Errors of the kernel, of RK4 with the sign of v, and of RK4 with tanh.
fn compare(p: &AxisParams, period_s: f64, rk4_substeps: usize) -> [Figures; 3] {
    let lane = LaneParams::new(&[*p; LANES], period_s);
    let targets = Targets {
        period_s,
        dead_s: p.dead_time_s,
    };
    let mut kernel = AxisState::REST;
    let mut reference = Reference::default();
    let start: Y = [0.0; 5];
    let (mut truth, mut sign, mut tanh) = (start, start, start);
    let tanh_slope = 100.0 / p.stribeck_velocity_m_per_s;
    let mut errors = [(); 3].map(|()| Errors([(); 3].map(|()| Vec::new())));
    let cycles = (RUN_S / period_s) as usize;
    // The newest target that the kernel knows stands for the start of the cycle.
    let kink_s = (p.dead_time_s / period_s).fract() * period_s;
    for k in 0..cycles {
        let t = k as f64 * period_s;
        reference.push(&[targets.of_cycle(k as i64); LANES]);
        cascade::advance(&lane, &reference, &mut kernel, &ZERO);
        if kink_s > 0.0 {
            exact(p, &targets, &mut truth, t, t + kink_s);
        }
        exact(p, &targets, &mut truth, t + kink_s, t + period_s);
        let h = period_s / rk4_substeps as f64;
        for n in 0..rk4_substeps {
            rk4(p, &targets, &mut sign, t + n as f64 * h, h, None);
            rk4(
                p,
                &targets,
                &mut tanh,
                t + n as f64 * h,
                h,
                Some(tanh_slope),
            );
        }
        let y = [
            kernel.position_m[0],
            kernel.velocity_m_per_s[0],
            kernel.current_a[0],
            kernel.integral_a[0],
            kernel.reported_a[0],
        ];
        errors[0].push(&y, &truth);
        errors[1].push(&sign, &truth);
        errors[2].push(&tanh, &truth);
    }
    errors.map(|e| e.figures())
}

#[test]
fn the_kernel_against_the_reference_beside_runge_kutta() {
    println!(
        "RMS error of the free run: kernel | RK4x4 sign | RK4x4 tanh; position (um), velocity (mm/s), current (mA)"
    );
    for period_s in [0.00025, 0.001, 0.002] {
        for velocity_hz in [50.0, 100.0, 200.0] {
            for (stribeck_a, dead_cycles) in [(0.0, 1.0), (0.1, 1.0), (0.1, 2.5)] {
                let p = params(velocity_hz, stribeck_a, dead_cycles, period_s);
                let all = compare(&p, period_s, RK4_SUBSTEPS);
                let ratio = all[0].position_m / all[1].position_m.min(all[2].position_m);
                let text = all.map(|f| {
                    format!(
                        "{:9.4} {:8.4} {:8.3}",
                        f.position_m * 1e6,
                        f.velocity_m_per_s * 1e3,
                        f.current_a * 1e3
                    )
                });
                println!(
                    "{:4.0} us {velocity_hz:3.0} Hz stribeck {stribeck_a} dead {dead_cycles}: {}  ratio {:.2}",
                    period_s * 1e6,
                    text.join(" | "),
                    ratio
                );
                assert!(
                    ratio <= RATIO_MAX && all[0].position_m <= POSITION_MAX_M_PER_S * period_s,
                    "{p:?} at {period_s} s: {all:?}"
                );
            }
        }
    }
}

/// Substeps of Runge-Kutta that stand for the exact solution where the reference has no event for what happens.
const FINE_SUBSTEPS: usize = 400;

/// RMS errors of position (m) of the kernel and of RK4 in four substeps, and how far RK4 in half of [`FINE_SUBSTEPS`] is from them.
fn beside_fine_steps(p: &AxisParams, period_s: f64) -> ([f64; 3], usize) {
    let lane = LaneParams::new(&[*p; LANES], period_s);
    let targets = Targets {
        period_s,
        dead_s: p.dead_time_s,
    };
    let mut kernel = AxisState::REST;
    let mut reference = Reference::default();
    let mut solutions: [(usize, Y); 3] =
        [RK4_SUBSTEPS, FINE_SUBSTEPS / 2, FINE_SUBSTEPS].map(|substeps| (substeps, [0.0; 5]));
    let mut errors: [Vec<f64>; 3] = Default::default();
    let mut limited = 0;
    for k in 0..(RUN_S / period_s) as usize {
        let t = k as f64 * period_s;
        reference.push(&[targets.of_cycle(k as i64); LANES]);
        cascade::advance(&lane, &reference, &mut kernel, &ZERO);
        for (substeps, y) in &mut solutions {
            let before_m = y[0];
            let h = period_s / *substeps as f64;
            for n in 0..*substeps {
                rk4(p, &targets, y, t + n as f64 * h, h, None);
            }
            if p.sampled {
                // From the position of the sample and the backward difference to the one before.
                let (to_m, slope) = targets.at(t + period_s, t);
                let wanted = p.position_gain_per_s * (to_m - y[0]) + p.velocity_feedforward * slope;
                let asked = p.velocity_gain * (wanted - (y[0] - before_m) / period_s);
                let held = asked.clamp(-p.limit_a, p.limit_a);
                (y[2], y[4]) = (held, held);
            }
        }
        let truth = solutions[2].1;
        limited += usize::from(truth[2].abs() > 0.98 * p.limit_a);
        let found = [kernel.position_m[0], solutions[0].1[0], solutions[1].1[0]];
        for (list, position_m) in errors.iter_mut().zip(found) {
            list.push(position_m - truth[0]);
        }
    }
    (errors.map(|list| rms(&list)), limited)
}

#[test]
fn where_the_limit_holds_the_current_the_kernel_is_about_as_good_as_runge_kutta() {
    println!(
        "RMS error of the position (um): kernel, RK4x4, RK4 x {FINE_SUBSTEPS}/2; cycles at the limit"
    );
    for period_s in [0.00025, 0.001, 0.002] {
        for velocity_hz in [50.0, 100.0, 200.0] {
            for dead_cycles in [1.0, 2.5] {
                let mut p = params(velocity_hz, 0.1, dead_cycles, period_s);
                p.limit_a = 3.5;
                let ([kernel, rk4, fine], limited) = beside_fine_steps(&p, period_s);
                println!(
                    "{:4.0} us {velocity_hz:3.0} Hz dead {dead_cycles}: {:.4} {:.4} {:.4}; {limited}",
                    period_s * 1e6,
                    kernel * 1e6,
                    rk4 * 1e6,
                    fine * 1e6
                );
                assert!(limited > 20, "the limit is reached: {limited}");
                assert!(
                    fine < 0.2 * kernel.max(1e-9),
                    "the yardstick has converged: {fine} {kernel}"
                );
                assert!(
                    kernel <= LIMITED_RATIO_MAX * rk4,
                    "{p:?} at {period_s} s: {kernel} {rk4}"
                );
            }
        }
    }
}

#[test]
fn a_drive_that_closes_its_loops_once_a_cycle_is_followed_as_well() {
    println!("RMS error of the position (um), sampled: kernel, RK4x4, RK4 x {FINE_SUBSTEPS}/2");
    for period_s in [0.00025, 0.001, 0.002] {
        for stribeck_a in [0.0, 0.1] {
            let mut p = params(20.0, stribeck_a, 1.0, period_s);
            (p.sampled, p.integral_gain) = (true, 0.0);
            let ([kernel, rk4, fine], _) = beside_fine_steps(&p, period_s);
            println!(
                "{:4.0} us stribeck {stribeck_a}: {:.4} {:.4} {:.4}",
                period_s * 1e6,
                kernel * 1e6,
                rk4 * 1e6,
                fine * 1e6
            );
            assert!(
                fine < 0.2 * kernel.max(1e-9),
                "the yardstick has converged: {fine} {kernel}"
            );
            assert!(
                kernel <= RATIO_MAX * rk4,
                "{p:?} at {period_s} s: {kernel} {rk4}"
            );
        }
    }
}

/// The yardstick is right: Runge-Kutta, written apart from the reference, runs into it with its order where nothing is dry.
#[test]
fn runge_kutta_runs_into_the_reference() {
    let mut p = params(100.0, 0.0, 1.0, 0.001);
    (p.coulomb_positive_a, p.coulomb_negative_a) = (0.0, 0.0);
    let error = |substeps| compare(&p, 0.001, substeps)[1].position_m;
    let (coarse, fine, finest) = (error(4), error(8), error(32));
    println!(
        "RK4 without dry friction, 4, 8 and 32 substeps: {coarse:.3e}, {fine:.3e}, {finest:.3e} m"
    );
    assert!(
        coarse / fine > 12.0 && coarse / fine < 22.0,
        "{}",
        coarse / fine
    );
    assert!(finest < 2e-11, "{finest}");
}
