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

use reference::equations::{Part, RK4_SUBSTEPS, RUN_S, Targets, Y, params, rk4};
use reference::exact::Exact;
use reference::rms;
use twinstep_models::axis::{AxisParams, AxisState, LaneParams, Reference, cascade};
use twinstep_models::lane::{LANES, ZERO};

/// What the kernel's RMS errors may be, in those of Runge-Kutta's better variant.
const RATIO_MAX: f64 = 1.0;
/// What the kernel's RMS position error may be per second of the cycle (m/s): it grows with the cycle.
const POSITION_MAX_M_PER_S: f64 = 5.0e-5;

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
    let targets = Targets::new(period_s, p.dead_time_s);
    let mut kernel = AxisState::REST;
    let mut reference = Reference::default();
    let start: Y = [0.0; 5];
    let (mut truth, mut sign, mut tanh) = (start, start, start);
    let tanh_slope = 100.0 / p.stribeck_velocity_m_per_s;
    let mut errors = [(); 3].map(|()| Errors([(); 3].map(|()| Vec::new())));
    let cycles = (RUN_S / period_s) as usize;
    let exact = Exact {
        p,
        targets: &targets,
        part: &Part::NONE,
    };
    for k in 0..cycles {
        let t = k as f64 * period_s;
        reference.push(&[targets.of_cycle(k as i64); LANES]);
        cascade::advance(&lane, &reference, &mut kernel, &ZERO);
        exact.cycle(&mut truth, t, &[]);
        let h = period_s / rk4_substeps as f64;
        for n in 0..rk4_substeps {
            let (on, at) = ((&targets, &Part::NONE), (t + n as f64 * h, h));
            rk4(p, on, &mut sign, at, None);
            rk4(p, on, &mut tanh, at, Some(tanh_slope));
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
    for period_s in [31.25e-6, 125e-6, 0.00025, 0.001, 0.002, 0.004] {
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
                let [kernel, sign, tanh] = all;
                let as_good = |figure: fn(&Figures) -> f64| {
                    figure(&kernel) <= RATIO_MAX * figure(&sign).min(figure(&tanh))
                };
                assert!(
                    as_good(|f| f.position_m)
                        && as_good(|f| f.velocity_m_per_s)
                        && as_good(|f| f.current_a)
                        && kernel.position_m <= POSITION_MAX_M_PER_S * period_s,
                    "{p:?} at {period_s} s: {all:?}"
                );
            }
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
