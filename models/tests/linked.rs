//! The twin of a press behind a crank or a table beside an independent solution: the equations of variable inertia under the loops of the drive, by
//! an adaptive method that ends its steps where the axis stops or is let go. The classic Runge-Kutta method in four substeps is the yardstick.
#![allow(
    clippy::disallowed_methods,
    reason = "the yardstick is judged by its accuracy, not by its bits"
)]

mod reference;

use reference::equations::{RK4_SUBSTEPS, RUN_S, Targets, Y};
use reference::press::{Follows, Forward, KF, RAD_PER_M, Rig};
use reference::{TOLERANCE, rms};
use twinstep_models::axis::told::Told;
use twinstep_models::axis::walk::{Walk, Ways};
use twinstep_models::axis::{AxisParams, AxisState, LaneParams, Reference, cascade};
use twinstep_models::lane::{LANES, ZERO};
use twinstep_models::press::frame::Counterbalance;
use twinstep_models::press::linked::RAM_SHARE_MAX;
use twinstep_models::sample;

/// What the kernel's RMS errors may be, in those of Runge-Kutta.
const RATIO_MAX: f64 = 1.0;
/// What half the tolerance may make of the exact solution, in the errors of Runge-Kutta.
const YARDSTICK_MAX: f64 = 0.01;
/// The same of half as many substeps, where the current is at its limit: a drive that slides along it has no event.
const YARDSTICK_AT_LIMIT: f64 = 0.3;
/// Substeps of Runge-Kutta that stand for the exact solution there.
const FINE_SUBSTEPS: usize = 200;

const PERIODS_S: [f64; 3] = [0.00025, 0.001, 0.002];
const SHARES: [f64; 3] = [0.25, 1.0, RAM_SHARE_MAX];

/// How an exact solution comes about.
#[derive(Clone, Copy)]
enum Exact {
    Adaptive(f64),
    Fine(usize),
}

/// RMS errors of position (m), velocity (m/s) and reported current (A).
type Figures = [f64; 3];

/// Errors of the kernel and of Runge-Kutta, how far the exact solution is from its own check, and cycles at the limit.
struct Beside {
    kernel: Figures,
    rk4: Figures,
    check: Figures,
    limited: usize,
}

fn beside(rig: &Rig, forward: Forward, period_s: f64, exact: [Exact; 2]) -> Beside {
    let p = &rig.p;
    let lane = LaneParams::new(&[*p], period_s);
    let targets = &Targets::new(period_s, p.dead_time_s);
    let (mut kernel, mut reference) = (AxisState::REST, Reference::default());
    let mut told = Told::NOTHING;
    let (mut rk4, mut solutions): (Y, [Y; 2]) = ([0.0; 5], [[0.0; 5]; 2]);
    let mut errors: [[Vec<f64>; 3]; 3] = Default::default();
    let mut limited = 0;
    for k in 0..(RUN_S / period_s) as i64 {
        let t = k as f64 * period_s;
        let mut all = ZERO;
        all[0] = targets.of_cycle(k);
        reference.push(&all);
        let besides = forward.of(targets, k, p.inertia);
        if forward != Forward::Nothing {
            let (m_per_s, a) = besides;
            told.push(0, sample::Told::PositionAndOffsets, m_per_s, a);
        }
        rig.step(&lane, &reference, &told, &mut kernel);
        let follows = |begin_s: f64| {
            move |at: f64| Follows {
                reference: targets.at(at, begin_s),
                told: besides,
            }
        };
        let steps = |y: &mut Y, substeps: usize| {
            let h = period_s / substeps as f64;
            for n in 0..substeps {
                let begin_s = t + n as f64 * h;
                rig.rk4(follows(begin_s), y, (begin_s, h));
            }
        };
        steps(&mut rk4, RK4_SUBSTEPS);
        for (y, of) in solutions.iter_mut().zip(exact) {
            match of {
                Exact::Fine(substeps) => steps(y, substeps),
                Exact::Adaptive(tolerance) => {
                    rig.exact(follows(t), y, (t, t + period_s), tolerance);
                }
            }
        }
        let of = |y: &Y| [y[0], y[1], y[4]];
        let truth = of(&solutions[0]);
        limited += usize::from(solutions[0][2].abs() > 0.98 * p.limit_a);
        let found = [
            kernel.position_m[0],
            kernel.velocity_m_per_s[0],
            kernel.reported_a[0],
        ];
        let found = [found, of(&rk4), of(&solutions[1])];
        for (lists, values) in errors.iter_mut().zip(found) {
            for n in 0..3 {
                lists[n].push(values[n] - truth[n]);
            }
        }
    }
    let [kernel, rk4, check] = errors.map(|lists| lists.map(|list| rms(&list)));
    Beside {
        kernel,
        rk4,
        check,
        limited,
    }
}

impl Beside {
    /// Prints the ratios of the kernel's errors to those of Runge-Kutta; what is above a limit is an answer.
    fn failure(&self, of: &str, check_max: f64) -> Option<String> {
        let ratio = |x: &Figures| core::array::from_fn::<f64, 3, _>(|n| x[n] / self.rk4[n]);
        let (ratios, checks) = (ratio(&self.kernel), ratio(&self.check));
        let [x, v, i] = ratios;
        let line = format!(
            "{of}: {:.5} um {:.5} mm/s {:.4} mA; ratios {x:.3} {v:.3} {i:.3}; exact within {:.1e} {:.1e} {:.1e}; {} cycles at the limit",
            self.kernel[0] * 1e6,
            self.kernel[1] * 1e3,
            self.kernel[2] * 1e3,
            checks[0],
            checks[1],
            checks[2],
            self.limited
        );
        println!("{line}");
        let good = (0..3).all(|n| ratios[n] + checks[n] <= RATIO_MAX && checks[n] < check_max);
        (!good).then_some(line)
    }
}

/// Nothing of these failed.
fn assert_all(failures: impl Iterator<Item = Option<String>>) {
    let failures: Vec<String> = failures.flatten().collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

const ADAPTIVE: [Exact; 2] = [Exact::Adaptive(TOLERANCE), Exact::Adaptive(0.5 * TOLERANCE)];

/// Every period, kinematics and share of the ram.
fn cases() -> impl Iterator<Item = (f64, bool, f64)> {
    PERIODS_S.into_iter().flat_map(|period_s| {
        [false, true]
            .into_iter()
            .flat_map(move |table| SHARES.map(|share| (period_s, table, share)))
    })
}

fn name((period_s, table, share): (f64, bool, f64), more: &str) -> String {
    let kinematics = if table { "table" } else { "crank" };
    format!(
        "{:4.0} us {kinematics} share {share} {more}",
        period_s * 1e6
    )
}

#[test]
fn the_twin_behind_a_linkage_is_as_good_as_runge_kutta() {
    assert_all(cases().flat_map(|case| {
        [0.0, 1000.0].map(|stiffness_a_per_m| {
            let (period_s, table, share) = case;
            let mut rig = Rig::new(share, table, period_s);
            (rig.contact_m, rig.stiffness_a_per_m) = (0.08, stiffness_a_per_m);
            let of = name(case, &format!("part {stiffness_a_per_m}"));
            beside(&rig, Forward::Nothing, period_s, ADAPTIVE).failure(&of, YARDSTICK_MAX)
        })
    }));
}

#[test]
fn it_is_where_the_linkage_has_losses() {
    assert_all(cases().flat_map(|case| {
        [(0.9, 0.8), (0.7, 0.4)].map(|(efficiency, back)| {
            let (period_s, table, share) = case;
            let mut rig = Rig::new(share, table, period_s);
            rig.linked.motor.efficiency = efficiency;
            rig.linked.motor.efficiency_back = back;
            (rig.contact_m, rig.stiffness_a_per_m) = (0.08, 400.0);
            let of = name(case, &format!("efficiency {efficiency}, back {back}"));
            beside(&rig, Forward::Nothing, period_s, ADAPTIVE).failure(&of, YARDSTICK_MAX)
        })
    }));
}

#[test]
fn it_is_where_the_drive_is_told_a_velocity_and_a_current_ahead() {
    assert_all(cases().map(|case| {
        let (period_s, table, share) = case;
        let mut rig = Rig::new(share, table, period_s);
        rig.p.velocity_feedforward = 0.0;
        let of = name(case, "fed forward");
        beside(&rig, Forward::Offsets, period_s, ADAPTIVE).failure(&of, YARDSTICK_MAX)
    }));
}

#[test]
fn it_is_where_the_current_is_at_its_limit() {
    assert_all(cases().flat_map(|case| {
        [0.5, 0.6].map(|of_most| {
            let (period_s, table, share) = case;
            let mut rig = Rig::new(share, table, period_s);
            // What friction, counterbalance and the acceleration ask for at most, about.
            rig.p.limit_a = of_most * (4.0 + 4.0 * (1.0 + share));
            let fine = [Exact::Fine(FINE_SUBSTEPS), Exact::Fine(FINE_SUBSTEPS / 2)];
            let of = name(case, &format!("limit {:.1} A", rig.p.limit_a));
            let beside = beside(&rig, Forward::Nothing, period_s, fine);
            assert!(beside.limited > 5, "{of}: the limit is met");
            beside.failure(&of, YARDSTICK_AT_LIMIT)
        })
    }));
}

/// A flywheel behind a crank, driven by nothing: what the ram takes out of its motion it gives back.
#[test]
fn a_ram_gives_back_what_it_took() {
    for (share, most) in [(1.0, 1e-4), (RAM_SHARE_MAX, 1e-3)] {
        let period_s = 0.001;
        let mut rig = Rig::new(share, false, period_s);
        rig.p = AxisParams {
            inertia: rig.p.inertia,
            ..AxisParams::IDLE
        };
        rig.linked.counterbalance = Counterbalance::default();
        let lane = LaneParams::new(&[rig.p], period_s);
        let mut s = AxisState::REST;
        // Two turns of the crank a second.
        s.velocity_m_per_s[0] = 2.0 * 2.0 * core::f64::consts::PI / RAD_PER_M;
        let energy = |s: &AxisState| {
            let [_, j, _] = rig.ram(s.position_m[0]);
            let m = rig.p.inertia + rig.linked.ram_mass_kg / KF * j * j;
            0.5 * m * s.velocity_m_per_s[0] * s.velocity_m_per_s[0]
        };
        let first = energy(&s);
        let (mut worst, mut velocity): (f64, [f64; 2]) = (0.0, [f64::MAX, 0.0]);
        for _ in 0..5000 {
            rig.step(&lane, &Reference::default(), &Told::NOTHING, &mut s);
            worst = worst.max((energy(&s) / first - 1.0).abs());
            let v = s.velocity_m_per_s[0];
            velocity = [velocity[0].min(v), velocity[1].max(v)];
        }
        println!("share {share}: energy within {worst:.2e}; {velocity:?}");
        // It does change its velocity: by the root of 1 + share.
        assert!(velocity[1] / velocity[0] > 0.95 * (1.0 + share).sqrt());
        assert!(worst < most, "{worst}");
    }
}

#[test]
fn an_axis_without_a_ram_is_stepped_as_it_was() {
    let mut bare = Rig::new(0.0, false, 0.001);
    bare.linked.counterbalance = Counterbalance::default();
    let lane = LaneParams::new(&[bare.p], 0.001);
    let (mut s, mut plain) = (AxisState::REST, AxisState::REST);
    let mut reference = Reference::default();
    for k in 0..500 {
        let mut all = ZERO;
        all[0] = 1e-5 * f64::from(k);
        reference.push(&all);
        bare.step(&lane, &reference, &Told::NOTHING, &mut s);
        cascade::advance(&lane, &reference, &mut plain, &[0.0; LANES]);
        // In substeps here, as a whole there: Stribeck friction is not linear.
        let off = s.position_m[0] - plain.position_m[0];
        assert!(off.abs() < 1e-8, "cycle {k}: {off} m");
    }
}

/// Would show a load that was made for an acceleration which the loops of another mode would have let through.
#[test]
fn the_load_is_that_of_the_acceleration_in_every_mode() {
    for mode in [
        sample::Told::Position,
        sample::Told::Velocity,
        sample::Told::Torque,
    ] {
        let mut rig = Rig::new(RAM_SHARE_MAX, false, 0.002);
        // No dry friction, which is no straight line, and no limit.
        (rig.p.coulomb_positive_a, rig.p.coulomb_negative_a) = (0.0, 0.0);
        rig.p.stribeck_a = 0.0;
        rig.p.limit_a = 1e9;
        let lane = LaneParams::new(&[rig.p], 0.002);
        let reference = Reference::default();
        let mut told = Told::NOTHING;
        for _ in 0..8 {
            told.push(0, mode, 0.4, 3.0);
        }
        let mut before = AxisState::REST;
        (before.position_m[0], before.velocity_m_per_s[0]) = (0.01, 0.3);
        let walk = Walk::begin(&lane, 0, &Ways::of(&lane, &reference), &told, &before);
        let burden = rig.linked.ahead_of(&walk, |_| 0.0);
        let ([x0, v0, ..], [x1, v1, ..]) = (walk.now(), walk.tried(&burden));
        let m = rig.linked.between([x0, v0], [x1, v1]);
        let asked_a = rig.linked.load_a(&m, (v1 - v0) / lane.step_s, 0.0);
        let load_a = burden.load_a;
        println!("{mode:?}: {load_a} {asked_a}");
        assert!(
            (load_a - asked_a).abs() < 0.01 * (1.0 + asked_a.abs()),
            "{mode:?}"
        );
    }
}
