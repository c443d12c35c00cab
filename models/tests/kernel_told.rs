//! How accurate the cycle's kernel is in CSV, in CST and with offsets in CSP: `axis::cascade::advance_told` against the reference solution of the
//! continuous equations of `models/src/axis/told.rs`, beside the classic Runge-Kutta method with four substeps a cycle.
//!
//! All three start at rest, are told the same, hold it for a cycle from the same delay on, and are corrected by no measurement.
#![allow(
    clippy::disallowed_methods,
    reason = "the yardstick is judged by its accuracy, not by its bits"
)]

mod reference;

use reference::equations::{RK4_SUBSTEPS, Targets, Y, dry, params, target};
use reference::{integrate, rms};
use twinstep_models::axis::told::Told;
use twinstep_models::axis::{AxisParams, AxisState, LaneParams, Reference, cascade};
use twinstep_models::lane::LANES;
use twinstep_models::sample;

/// What the kernel's RMS errors may be, in those of Runge-Kutta's better variant.
const RATIO_MAX: f64 = 1.0;

/// What a drive is told, and when it acts.
struct Orders {
    mode: sample::Told,
    period_s: f64,
    delay_s: f64,
    /// How fast the motion is, of several that are alike (1).
    pace: f64,
}

/// Motions of a case: where an axis stops and turns is never the same share of a cycle.
const PACES: [f64; 4] = [1.0, 0.93, 1.06, 1.13];
/// Length of a run (s).
const RUN_S: f64 = 1.5;

fn wave(t: f64, hz: f64) -> f64 {
    let start = (t / 0.2).min(1.0);
    start * start * (3.0 - 2.0 * start) * (2.0 * std::f64::consts::PI * hz * t).sin()
}

impl Orders {
    /// Velocity (m/s) and current (A) of cycle `k`.
    fn of_cycle(&self, k: i64) -> (f64, f64) {
        // What comes first is all that was ever told.
        let t = k.max(0) as f64 * self.period_s * self.pace;
        match self.mode {
            // A motion that reverses, stops all at once and starts again, with a torque beside.
            sample::Told::Velocity if (0.9..1.1).contains(&t) => (0.0, 0.3),
            sample::Told::Velocity => {
                let way_m = target(t + 1e-4) - target((t - 1e-4).max(0.0));
                (way_m / 2e-4, 0.3 * wave(t, 3.0))
            }
            sample::Told::Torque => (0.0, 0.2 + 2.5 * wave(t, 2.0)),
            _ => (0.05 * wave(t, 2.1), 0.5 * wave(t, 3.0)),
        }
    }

    /// What acts in the stretch that begins at `begin_s`.
    fn at(&self, begin_s: f64) -> (f64, f64) {
        self.of_cycle(((begin_s - self.delay_s) / self.period_s + 1e-6).floor() as i64)
    }
}

/// The equations, with dry friction given (A, with its sign) or the axis held; set-point and slope, velocity and current told.
fn slopes(
    p: &AxisParams,
    mode: sample::Told,
    (r_m, slope): (f64, f64),
    (w, c): (f64, f64),
    y: &Y,
    friction_a: Option<f64>,
) -> Y {
    let [x, v, i, q, reported] = *y;
    let wanted = match mode {
        sample::Told::Velocity => w,
        _ => p.position_gain_per_s * (r_m - x) + p.velocity_feedforward * slope + w,
    };
    let asked = match mode {
        sample::Told::Torque => c,
        _ => p.velocity_gain * (wanted - v) + q + c,
    };
    let limited = asked.clamp(-p.limit_a, p.limit_a);
    let grows = asked == limited && mode != sample::Told::Torque;
    let a = friction_a.map_or(0.0, |f| (i - p.gravity_a - p.viscous * v - f) / p.inertia);
    [
        if friction_a.is_some() { v } else { 0.0 },
        a,
        (limited - i) / p.current_time_constant_s,
        if grows {
            p.integral_gain * (wanted - v)
        } else {
            0.0
        },
        (i - reported) / p.current_filter_s,
    ]
}

/// In which direction dry friction lets an axis go: 0 where it holds it.
fn direction(p: &AxisParams, y: &Y) -> f64 {
    let push = y[2] - p.gravity_a;
    if y[1] > 0.0 || (y[1] == 0.0 && push > dry(p, 1.0, 0.0)) {
        1.0
    } else if y[1] < 0.0 || push < -dry(p, -1.0, 0.0) {
        -1.0
    } else {
        0.0
    }
}

/// The reference over one stretch in which nothing that is told changes.
fn exact(
    p: &AxisParams,
    orders: &Orders,
    targets: &Targets,
    y: &mut Y,
    (from_s, to_s): (f64, f64),
) {
    let mut t = from_s;
    while t < to_s {
        let d = direction(p, y);
        let (reached, next, ended) = integrate(
            |t, y: &Y| {
                let friction = (d != 0.0).then(|| d * dry(p, d, y[1]));
                let (set, told) = (targets.at(t, from_s), orders.at(from_s));
                slopes(p, orders.mode, set, told, y, friction)
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
            &[1e-3, 1e-2, 1.0, 1.0, 1.0],
        );
        *y = next;
        if ended && d != 0.0 {
            y[1] = 0.0;
        }
        t = reached;
    }
}

/// A substep of Runge-Kutta, friction by the sign of the velocity or by tanh with this slope (s/m).
fn rk4(
    p: &AxisParams,
    orders: &Orders,
    targets: &Targets,
    y: &mut Y,
    (t, h): (f64, f64),
    tanh: Option<f64>,
) {
    let f = |at: f64, y: &Y| {
        let friction = match tanh {
            Some(slope) => Some((y[1] * slope).tanh() * dry(p, y[1], y[1])),
            None => Some(direction(p, y))
                .filter(|d| *d != 0.0)
                .map(|d| d * dry(p, d, y[1])),
        };
        slopes(p, orders.mode, targets.at(at, t), orders.at(t), y, friction)
    };
    let shifted = |k: &Y, by: f64| std::array::from_fn::<f64, 5, _>(|n| y[n] + by * k[n]);
    let k1 = f(t, y);
    let k2 = f(t + 0.5 * h, &shifted(&k1, 0.5 * h));
    let k3 = f(t + 0.5 * h, &shifted(&k2, 0.5 * h));
    let k4 = f(t + h, &shifted(&k3, h));
    *y = std::array::from_fn(|n| y[n] + h / 6.0 * (k1[n] + 2.0 * k2[n] + 2.0 * k3[n] + k4[n]));
}

/// RMS errors of position (m), velocity (m/s) and reported current (A) of the kernel, of RK4 with the sign of v, and of RK4 with tanh; how
/// often the axis stood and how often its current was at the limit.
fn compare(p: &AxisParams, mode: sample::Told, period_s: f64) -> ([[f64; 3]; 3], [usize; 2]) {
    let mut errors: Errors = Default::default();
    let mut seen = [0; 2];
    for pace in PACES {
        run(p, (mode, pace), period_s, &mut errors, &mut seen);
    }
    (errors.map(|lists| lists.map(|list| rms(&list))), seen)
}

/// Errors of three solutions in three figures.
type Errors = [[Vec<f64>; 3]; 3];

fn run(
    p: &AxisParams,
    (mode, pace): (sample::Told, f64),
    period_s: f64,
    errors: &mut Errors,
    seen: &mut [usize; 2],
) {
    let lane = LaneParams::new(&[*p; LANES], period_s);
    let targets = Targets::new(period_s, p.dead_time_s);
    let orders = Orders {
        mode,
        period_s,
        delay_s: p.reference_delay_s.expect("stated"),
        pace,
    };
    let (mut kernel, mut reference, mut told) =
        (AxisState::REST, Reference::default(), Told::NOTHING);
    let mut solutions: [Y; 3] = [[0.0; 5]; 3];
    let tanh = [None, Some(100.0 / p.stribeck_velocity_m_per_s)];
    let share = |time_s: f64| (time_s / period_s + 1e-9).fract() * period_s;
    let mut kinks = [0.0, share(p.dead_time_s), share(orders.delay_s), period_s];
    kinks.sort_by(f64::total_cmp);
    for k in 0..(RUN_S / period_s) as usize {
        let t = k as f64 * period_s;
        reference.push(&[targets.of_cycle(k as i64); LANES]);
        let (m_per_s, a) = orders.of_cycle(k as i64);
        for l in 0..LANES {
            told.push(l, mode, m_per_s, a);
        }
        cascade::advance_told(&lane, &reference, &told, &mut kernel, None);
        for pair in kinks
            .windows(2)
            .filter(|pair| pair[1] - pair[0] > 1e-3 * period_s)
        {
            exact(
                p,
                &orders,
                &targets,
                &mut solutions[0],
                (t + pair[0], t + pair[1]),
            );
        }
        let h = period_s / RK4_SUBSTEPS as f64;
        for n in 0..RK4_SUBSTEPS {
            for (y, tanh) in solutions[1..].iter_mut().zip(tanh) {
                rk4(p, &orders, &targets, y, (t + n as f64 * h, h), tanh);
            }
        }
        let truth = solutions[0];
        seen[0] += usize::from(truth[1] == 0.0);
        seen[1] += usize::from(truth[2].abs() > 0.98 * p.limit_a);
        let kernel = [
            kernel.position_m[5],
            kernel.velocity_m_per_s[5],
            kernel.current_a[5],
            kernel.integral_a[5],
            kernel.reported_a[5],
        ];
        for (lists, y) in errors
            .iter_mut()
            .zip([&kernel, &solutions[1], &solutions[2]])
        {
            for (list, n) in lists.iter_mut().zip([0, 1, 4]) {
                list.push(y[n] - truth[n]);
            }
        }
    }
}

/// Rounding of a current that no loop moves, over a run (A).
const ROUNDING_A: f64 = 1e-7;

fn line(all: &[[f64; 3]; 3]) -> String {
    let texts = all.map(|[x, v, i]| format!("{:9.4} {:8.4} {:8.3}", x * 1e6, v * 1e3, i * 1e3));
    let ratios = [0, 1, 2].map(|n| format!("{:.3}", all[0][n] / all[1][n].min(all[2][n])));
    format!("{}  ratios {}", texts.join(" | "), ratios.join(" "))
}

/// What of position, velocity and current is further off than with Runge-Kutta's better variant.
fn worse_figures(all: &[[f64; 3]; 3]) -> Vec<String> {
    let rounding = [0.0, 0.0, ROUNDING_A];
    (0..3)
        .filter(|&n| all[0][n] > RATIO_MAX * all[1][n].min(all[2][n]) + rounding[n])
        .map(|n| format!("figure {n} of {}", line(all)))
        .collect()
}

const MODES: [sample::Told; 3] = [
    sample::Told::Velocity,
    sample::Told::Torque,
    sample::Told::PositionAndOffsets,
];

#[test]
fn the_kernel_in_every_mode_against_the_reference_beside_runge_kutta() {
    println!(
        "RMS error of the free run: kernel | RK4x4 sign | RK4x4 tanh; position (um), velocity (mm/s), current (mA)"
    );
    let mut worse = Vec::new();
    for period_s in [0.00025, 0.001, 0.002] {
        for mode in MODES {
            // Delays of whole cycles, with a change between two substeps, and with one within a substep.
            for (velocity_hz, stribeck_a, delay) in [
                (100.0, 0.1, 1.0),
                (100.0, 0.1, 2.5),
                (200.0, 0.0, 1.0),
                (200.0, 0.0, 1.3),
            ] {
                let mut p = params(velocity_hz, stribeck_a, delay, period_s);
                p.reference_delay_s = Some(delay * period_s);
                let (all, [stood, _]) = compare(&p, mode, period_s);
                println!(
                    "{:4.0} us {} {velocity_hz:3.0} Hz stribeck {stribeck_a} delay {delay}: {}; stood {stood}",
                    period_s * 1e6,
                    mode.name(),
                    line(&all)
                );
                assert!(stood > 10, "the axis stands now and then: {stood}");
                worse.extend(worse_figures(&all));
            }
        }
    }
    assert!(worse.is_empty(), "{worse:#?}");
}

#[test]
fn at_the_limit_the_kernel_is_as_good_as_runge_kutta_in_every_mode() {
    println!("RMS error of the free run at the limit, likewise");
    let mut worse = Vec::new();
    for period_s in [0.00025, 0.001, 0.002] {
        for mode in MODES {
            for delay in [1.0, 2.5] {
                let mut p = params(100.0, 0.1, delay, period_s);
                p.reference_delay_s = Some(delay * period_s);
                p.limit_a = if mode == sample::Told::Torque {
                    2.0
                } else {
                    3.5
                };
                let (all, [_, limited]) = compare(&p, mode, period_s);
                println!(
                    "{:4.0} us {} delay {delay}: {}; at the limit {limited}",
                    period_s * 1e6,
                    mode.name(),
                    line(&all)
                );
                assert!(limited > 20, "the limit is reached: {limited}");
                worse.extend(worse_figures(&all));
            }
        }
    }
    assert!(worse.is_empty(), "{worse:#?}");
}
