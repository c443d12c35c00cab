//! How accurate the cycle's kernel is where the adaptive reference has no event for what happens: a drive at its current limit, one that
//! closes its loops once a cycle, a part in the way. `axis::cascade::advance` stands beside the classic Runge-Kutta method with four
//! substeps; the same method in very many stands for the exact solution, and half as many show that it has converged.
#![allow(
    clippy::disallowed_methods,
    reason = "the yardstick is judged by its accuracy, not by its bits"
)]

mod reference;

use reference::equations::{Part, RK4_SUBSTEPS, RUN_S, Targets, Y, params, rk4};
use reference::rms;
use twinstep_models::axis::stiff::{Met, advance_met, swings};
use twinstep_models::axis::{AxisParams, AxisState, LaneParams, Reference, cascade};
use twinstep_models::lane::LANES;

/// What the kernel's RMS errors may be, in those of Runge-Kutta.
const RATIO_MAX: f64 = 1.0;

/// What is left of the yardstick's own error, in that of Runge-Kutta in four substeps.
const YARDSTICK_MAX: f64 = 0.3;

/// Substeps of Runge-Kutta that stand for the exact solution where the reference has no event for what happens, in a cycle of 1 ms.
const FINE_SUBSTEPS: f64 = 400.0;

const PERIODS_S: [f64; 6] = [31.25e-6, 125e-6, 0.00025, 0.001, 0.002, 0.004];

/// RMS errors of position (m), velocity (m/s) and current (A).
type Figures = [f64; 3];

/// How the kernel fares beside Runge-Kutta.
struct Beside {
    kernel: Figures,
    rk4: Figures,
    /// How far half the steps of the yardstick are from it.
    half: Figures,
    /// The same three in the first half of the run.
    first: [Figures; 3],
    /// Cycles at the limit, and how often the limit is met or left.
    limited: usize,
    met: usize,
}

impl Beside {
    /// Errors of the kernel in those of Runge-Kutta.
    fn ratios(&self) -> Figures {
        std::array::from_fn(|n| self.kernel[n] / self.rk4[n])
    }

    /// At most as far from the exact solution as Runge-Kutta in four substeps, all that the yardstick does not know taken for an error.
    fn assert_as_good(&self, of: &str) {
        let um = |f: &Figures| {
            format!(
                "{:10.5} um {:9.5} mm/s {:9.4} mA",
                f[0] * 1e6,
                f[1] * 1e3,
                f[2] * 1e3
            )
        };
        let [x, v, i] = self.ratios();
        println!(
            "{of}: kernel {} | RK4x4 {} | yardstick {} | ratios {x:.3} {v:.3} {i:.3}; {} cycles at the limit, {} times",
            um(&self.kernel),
            um(&self.rk4),
            um(&self.half),
            self.limited,
            self.met
        );
        let [kernel, rk4, half] = self.first;
        println!("    first half of it: position {:.3}", kernel[0] / rk4[0]);
        for n in 0..3 {
            assert!(
                self.half[n] < YARDSTICK_MAX * self.rk4[n],
                "{of}: the yardstick has converged"
            );
            assert!(
                self.kernel[n] + self.half[n] <= RATIO_MAX * self.rk4[n],
                "{of}: {n}"
            );
            assert!(
                kernel[n] + half[n] <= RATIO_MAX * rk4[n],
                "{of}: {n}, first half: {:?}",
                self.first
            );
        }
    }
}

/// A cycle of the kernel, as a press of the cycle is told of its part: by the middle of the cycle, or as a spring
/// (`runtime/cycle/src/contact.rs`).
fn met_or_not(lane: &LaneParams, reference: &Reference, kernel: &mut AxisState, part: &Part) {
    let before = *kernel;
    let middle_m = before.position_m[0] + 0.5 * lane.period_s * before.velocity_m_per_s[0];
    let met_a = [part.current_a(middle_m); LANES];
    cascade::advance(lane, reference, kernel, &met_a);
    if swings(lane, 0, part.stiffness_a_per_m) {
        let met = Met {
            places: u8::MAX,
            contact_m: &[part.contact_m; LANES],
            stiffness_a_per_m: &[part.stiffness_a_per_m; LANES],
            direction: &[1.0; LANES],
            formed: [None; LANES],
            deepest_m: &[0.0; LANES],
        };
        advance_met(lane, reference, &met, &before, kernel);
    }
}

/// Below this velocity (m/s) a press is on its way back, and the cycle knows nothing of a part without a curve.
const RETURNING_M_PER_S: f64 = -1.0e-4;

/// The same of a part that is met on the way in alone, and looked for no further ahead than the axis comes: what the cycle does.
fn met_on_the_way_in(
    lane: &LaneParams,
    reference: &Reference,
    kernel: &mut AxisState,
    part: &Part,
) {
    let way_m = kernel.position_m[0] - part.contact_m;
    let v = kernel.velocity_m_per_s[0];
    if v > RETURNING_M_PER_S && way_m + 2.0 * lane.period_s * v > 0.0 {
        met_or_not(lane, reference, kernel, part);
    } else {
        cascade::advance(lane, reference, kernel, &[0.0; LANES]);
    }
}

/// Kernel, RK4 in four substeps and in very many.
fn beside_fine_steps(p: &AxisParams, part: &Part, period_s: f64) -> Beside {
    let lane = LaneParams::new(&[*p; LANES], period_s);
    let targets = Targets::new(period_s, p.dead_time_s);
    let mut kernel = AxisState::REST;
    let mut reference = Reference::default();
    // A dead time that bends the reference within a cycle bends it between two of them.
    let fine = ((FINE_SUBSTEPS * period_s / 1e-3) as usize).clamp(120, 800) / 20 * 20;
    let mut solutions: [(usize, Y); 3] =
        [RK4_SUBSTEPS, fine / 2, fine].map(|substeps| (substeps, [0.0; 5]));
    let mut errors: [[Vec<f64>; 3]; 3] = Default::default();
    let (mut limited, mut met, mut was) = (0, 0, false);
    // Short cycles are many, and happen as much.
    let run_s = if period_s < 1e-4 { 0.5 * RUN_S } else { RUN_S };
    for k in 0..(run_s / period_s) as usize {
        let t = k as f64 * period_s;
        reference.push(&[targets.of_cycle(k as i64); LANES]);
        met_or_not(&lane, &reference, &mut kernel, part);
        for (substeps, y) in &mut solutions {
            let before_m = y[0];
            let h = period_s / *substeps as f64;
            for n in 0..*substeps {
                rk4(p, (&targets, part), y, (t + n as f64 * h, h), None);
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
        let at_limit = truth[2].abs() > 0.98 * p.limit_a;
        limited += usize::from(at_limit);
        met += usize::from(at_limit != was);
        was = at_limit;
        let found = [
            kernel.position_m[0],
            kernel.velocity_m_per_s[0],
            kernel.reported_a[0],
        ];
        let of = |y: &Y| [y[0], y[1], y[4]];
        let found = [found, of(&solutions[0].1), of(&solutions[1].1)];
        for (lists, values) in errors.iter_mut().zip(found) {
            for n in 0..3 {
                lists[n].push(values[n] - of(&truth)[n]);
            }
        }
    }
    let first =
        (errors.each_ref()).map(|lists| lists.each_ref().map(|list| rms(&list[..list.len() / 2])));
    let [kernel, rk4, half] = errors.map(|lists| lists.map(|list| rms(&list)));
    Beside {
        kernel,
        rk4,
        half,
        first,
        limited,
        met,
    }
}

#[test]
fn where_the_limit_holds_the_current_the_kernel_is_as_good_as_runge_kutta() {
    for period_s in PERIODS_S {
        for velocity_hz in [50.0, 100.0, 200.0] {
            for (stribeck_a, dead_cycles, limit_a) in [
                (0.1, 1.0, 3.5),
                (0.1, 2.5, 3.5),
                (0.0, 1.3, 2.8),
                (0.0, 2.0, 2.0),
                (0.3, 1.0, 2.0),
            ] {
                let mut p = params(velocity_hz, stribeck_a, dead_cycles, period_s);
                p.limit_a = limit_a;
                let beside = beside_fine_steps(&p, &Part::NONE, period_s);
                let of = format!(
                    "{:4.0} us {velocity_hz:3.0} Hz stribeck {stribeck_a} dead {dead_cycles} limit {limit_a}",
                    period_s * 1e6
                );
                beside.assert_as_good(&of);
                assert!(
                    beside.met >= 4 && beside.limited > 10,
                    "the limit is met and left"
                );
            }
        }
    }
}

#[test]
fn a_drive_that_closes_its_loops_once_a_cycle_is_followed_as_well() {
    for period_s in [0.00025, 0.001, 0.002] {
        for stribeck_a in [0.0, 0.1] {
            let mut p = params(20.0, stribeck_a, 1.0, period_s);
            (p.sampled, p.integral_gain) = (true, 0.0);
            let beside = beside_fine_steps(&p, &Part::NONE, period_s);
            beside.assert_as_good(&format!(
                "{:4.0} us stribeck {stribeck_a}, sampled",
                period_s * 1e6
            ));
        }
    }
}

#[test]
fn an_axis_that_meets_a_part_is_followed_as_well() {
    for period_s in PERIODS_S {
        for velocity_hz in [50.0, 100.0] {
            for stiffness_a_per_m in [200.0, 700.0, 1000.0, 1500.0, 2000.0, 5000.0, 20_000.0] {
                let p = params(velocity_hz, 0.1, 1.0, period_s);
                let part = Part {
                    contact_m: 0.012,
                    stiffness_a_per_m,
                };
                let beside = beside_fine_steps(&p, &part, period_s);
                beside.assert_as_good(&format!(
                    "{:4.0} us {velocity_hz:3.0} Hz {stiffness_a_per_m:5} A/m",
                    period_s * 1e6
                ));
            }
        }
    }
}

#[test]
fn an_axis_that_is_held_in_a_part_at_its_limit_stands_still() {
    for period_s in [31.25e-6, 0.004] {
        for stiffness_a_per_m in [1000.0, 20_000.0] {
            let mut p = params(50.0, 0.1, 1.0, period_s);
            p.limit_a = 3.5;
            let lane = LaneParams::new(&[p; LANES], period_s);
            let part = Part {
                contact_m: 0.012,
                stiffness_a_per_m,
            };
            let (mut kernel, mut reference) = (AxisState::REST, Reference::default());
            let mut stood: Option<AxisState> = None;
            for k in 0..(1.5 / period_s) as usize {
                let t = k as f64 * period_s;
                reference.push(&[(0.1 * t).min(0.02); LANES]);
                if t < 1.0 {
                    met_or_not(&lane, &reference, &mut kernel, &part);
                    continue;
                }
                met_on_the_way_in(&lane, &reference, &mut kernel, &part);
                let (x, v, i) = (
                    kernel.position_m[0],
                    kernel.velocity_m_per_s[0],
                    kernel.current_a[0],
                );
                let of = format!("{stiffness_a_per_m} A/m at {period_s} s: {x} m, {i} A");
                assert_eq!(v, 0.0, "{of}");
                assert!((i - p.limit_a).abs() < 1e-9, "{of}");
                let before = stood.get_or_insert(kernel);
                assert_eq!(x, before.position_m[0], "{of}");
            }
            let push_a = part.current_a(kernel.position_m[0]);
            assert!(push_a > 2.0 && push_a < 4.2, "{push_a}");
        }
    }
}

/// The cycle knows nothing of the way back: what springs back out of the part has lost it for a cycle, whenever it is faster than that. A twin that
/// nothing corrects hops where a press would settle, by what drives it in a cycle without the part.
#[test]
fn what_springs_back_on_the_way_in_hops_no_further_than_it_is_driven() {
    for period_s in [31.25e-6, 0.001, 0.004] {
        for stiffness_a_per_m in [1000.0, 20_000.0] {
            let mut p = params(50.0, 0.1, 1.0, period_s);
            p.limit_a = 3.5;
            let lane = LaneParams::new(&[p; LANES], period_s);
            let part = Part {
                contact_m: 0.012,
                stiffness_a_per_m,
            };
            let (mut kernel, mut reference) = (AxisState::REST, Reference::default());
            let driven_a = p.limit_a - p.gravity_a - p.coulomb_positive_a;
            let most = driven_a / p.inertia * period_s - RETURNING_M_PER_S;
            let mut fastest: f64 = 0.0;
            for k in 0..(1.5 / period_s) as usize {
                let t = k as f64 * period_s;
                reference.push(&[(0.1 * t).min(0.02); LANES]);
                met_on_the_way_in(&lane, &reference, &mut kernel, &part);
                if t < 1.0 {
                    continue;
                }
                let (x, v) = (kernel.position_m[0], kernel.velocity_m_per_s[0]);
                let of = format!("{stiffness_a_per_m} A/m at {period_s} s: {x} m, {v} m/s");
                assert!(v.abs() < most, "{of}, at most {most} m/s");
                assert!(x > part.contact_m && x < 0.02, "{of}");
                fastest = fastest.max(v.abs());
            }
            println!("{stiffness_a_per_m} A/m at {period_s} s: {fastest} m/s");
        }
    }
}
