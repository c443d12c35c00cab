//! The twin of a press behind a crank or a table beside an independent solution: the equations of variable inertia under the loops of the drive by
//! the classic Runge-Kutta method, in very many substeps for the exact solution and in four as the yardstick.
#![allow(
    clippy::disallowed_methods,
    reason = "the yardstick is judged by its accuracy, not by its bits"
)]

mod reference;

use proptest::prelude::*;
use reference::equations::{RK4_SUBSTEPS, RUN_S, Targets, Y, dry, params};
use reference::rms;
use twinstep_models::axis::told::Told;
use twinstep_models::axis::{AxisParams, AxisState, LaneParams, Reference, cascade};
use twinstep_models::lane::{LANES, ZERO};
use twinstep_models::press::frame::{Counterbalance, Motor};
use twinstep_models::press::kinematics::{Kinematics, Table};
use twinstep_models::press::linked::{Linked, Middle, RAM_SHARE_MAX};
use twinstep_models::press::ram::Linkage;

/// Substeps of Runge-Kutta that stand for the exact solution.
const FINE_SUBSTEPS: usize = 200;
/// What the kernel's RMS errors may be, in those of Runge-Kutta, where the ram has as much inertia at the axis as the motor.
const RATIO_OF_ONE: f64 = 1.4;
/// The same where it has the most that is allowed: its force follows the acceleration within a cycle, and the load stands still.
const RATIO_MAX: f64 = 4.0;
/// Force per current (N/A).
const KF: f64 = 50.0;
/// Angle of the drive per way of the axis (rad/m), and at 0 (rad): the motion of the reference swings it from 0.2 to 3 rad.
const RAD_PER_M: f64 = 60.0;
const Q0_RAD: f64 = 1.6;
const RADIUS_M: f64 = 0.05;
const ROD_M: f64 = 0.2;

/// The ram by the cosine rule, and not by the formula of the model: place, first and second derivative by the angle.
fn rod_end(q: f64) -> [f64; 3] {
    let (b, db) = (RADIUS_M * q.cos(), -RADIUS_M * q.sin());
    let rest = ROD_M * ROD_M - RADIUS_M * RADIUS_M;
    let g = (b * b + rest).sqrt();
    [
        RADIUS_M + ROD_M - (b + g),
        -db * (1.0 + b / g),
        b * (1.0 + b / g) - db * db * rest / (g * g * g),
    ]
}

/// A table in rows of 5 degrees.
fn rows() -> Table {
    let q: Vec<f64> = (0..=36)
        .map(|n| f64::from(n) * 5.0_f64.to_radians())
        .collect();
    let s: Vec<f64> = q.iter().map(|q| rod_end(*q)[0]).collect();
    Table::new(&q, &s, None).expect("rises")
}

#[derive(Clone, Copy)]
struct Rig {
    p: AxisParams,
    linked: Linked,
    /// Where the ram meets a part (m), and its stiffness over the force constant (A/m), elastic both ways.
    contact_m: f64,
    stiffness_a_per_m: f64,
    table: bool,
}

impl Rig {
    /// `share` is the largest inertia of the ram at the axis over that of the motor.
    fn new(share: f64, table: bool, period_s: f64) -> Self {
        let mut p = params(50.0, 0.1, 1.0, period_s);
        // The loops are tuned to what they move in the mean.
        p.velocity_gain *= 1.0 + 0.5 * share;
        p.integral_gain *= 1.0 + 0.5 * share;
        p.limit_a = 1e4;
        let kinematics = if table {
            Kinematics::Table(rows())
        } else {
            Kinematics::crank(RADIUS_M, ROD_M).expect("a crank")
        };
        let way = [0.2, 3.0].map(|q| (q - Q0_RAD) / RAD_PER_M);
        let linkage = Linkage::new(kinematics, RAD_PER_M, -Q0_RAD / RAD_PER_M, way);
        let ram_mass_kg = share * p.inertia * KF / (linkage.most() * linkage.most());
        Self {
            p,
            linked: Linked {
                linkage,
                motor: Motor {
                    torque_constant_nm_per_a: KF,
                    efficiency: 1.0,
                    efficiency_back: 1.0,
                },
                counterbalance: Counterbalance {
                    constant_n: 60.0,
                    rate_n_per_m: 300.0,
                    at_m: 0.0,
                },
                ram_mass_kg,
                standstill_m_per_s: 0.001,
            },
            contact_m: 1.0,
            stiffness_a_per_m: 0.0,
            table,
        }
    }

    fn part_a(&self, ram_m: f64) -> f64 {
        self.stiffness_a_per_m * (ram_m - self.contact_m).max(0.0)
    }

    /// Place of the ram (m), J and J'.
    fn ram(&self, x: f64) -> [f64; 3] {
        if self.table {
            // The table is what it is; its second derivative is a difference quotient.
            let h = 1e-7;
            let g = |x: f64| self.linked.linkage.travel(x);
            let (s, j) = g(x);
            return [s, j, (g(x + h).1 - g(x - h).1) / (2.0 * h)];
        }
        let [s, ds, dds] = rod_end(Q0_RAD + RAD_PER_M * x);
        [s, ds * RAD_PER_M, dds * RAD_PER_M * RAD_PER_M]
    }

    /// One cycle as the pipeline makes it.
    fn step(&self, lane: &LaneParams, reference: &Reference, s: &mut AxisState) {
        let part = |m: &Middle| self.part_a(m.ram_m);
        let with = |load_a: f64| {
            let (mut after, mut load) = (*s, ZERO);
            load[0] = load_a;
            cascade::advance(lane, reference, &mut after, &load);
            after
        };
        let m = self.linked.ahead(lane, 0, s);
        let first = self.linked.first(lane, 0, s, &m, part(&m));
        let after = with(first.load_a);
        let m = self.linked.between(0, s, &after);
        let load_a =
            self.linked
                .again((lane, &Told::NOTHING), 0, (s, &after), &m, part(&m), &first);
        *s = with(load_a);
    }

    fn slopes(&self, r: (f64, f64), y: &Y) -> Y {
        let (p, [x, v, i, q, reported]) = (&self.p, *y);
        let [s, j, bend] = self.ram(x);
        let m = self.linked.ram_mass_kg / KF;
        let c = &self.linked.counterbalance;
        let carried_a = (c.constant_n + c.rate_n_per_m * (s - c.at_m)) / KF;
        let standing_a = j * (m * bend * v * v + self.part_a(s) + carried_a);
        let wanted = p.position_gain_per_s * (r.0 - x) + p.velocity_feedforward * r.1;
        let error = wanted - v;
        let asked = p.velocity_gain * error + q;
        let limited = asked.clamp(-p.limit_a, p.limit_a);
        let push = i - p.gravity_a - p.viscous * v - standing_a;
        let direction = if v != 0.0 { v.signum() } else { push.signum() };
        let dry = dry(p, direction, v);
        let holds = v == 0.0 && push.abs() <= dry;
        let a = if holds {
            0.0
        } else {
            (push - direction * dry) / (p.inertia + m * j * j)
        };
        let free = if asked == limited { 1.0 } else { 0.0 };
        let cascade = if p.cascade_valid { 1.0 } else { 0.0 };
        [
            v,
            a,
            cascade * (limited - i) / p.current_time_constant_s,
            cascade * free * p.integral_gain * error,
            (i - reported) / p.current_filter_s,
        ]
    }

    fn rk4(&self, targets: &Targets, y: &mut Y, (t, h): (f64, f64)) {
        let f = |at: f64, y: &Y| self.slopes(targets.at(at, t), y);
        let shifted = |k: &Y, by: f64| core::array::from_fn(|n| y[n] + by * k[n]);
        let k1 = f(t, y);
        let k2 = f(t + 0.5 * h, &shifted(&k1, 0.5 * h));
        let k3 = f(t + 0.5 * h, &shifted(&k2, 0.5 * h));
        let k4 = f(t + h, &shifted(&k3, h));
        let before = y[1];
        for n in 0..5 {
            y[n] += h / 6.0 * (k1[n] + 2.0 * k2[n] + 2.0 * k3[n] + k4[n]);
        }
        // Dry friction stops an axis and does not turn it around.
        if before * y[1] < 0.0 {
            y[1] = 0.0;
        }
    }

    /// RMS errors of kernel and RK4 in four substeps: position (m) and current (A).
    fn errors(&self, period_s: f64) -> [[f64; 2]; 2] {
        let lane = LaneParams::new(&[self.p], period_s);
        let targets = Targets {
            period_s,
            dead_s: self.p.dead_time_s,
        };
        let mut kernel = AxisState::REST;
        let mut reference = Reference::default();
        let mut solutions: [(usize, Y); 2] =
            [RK4_SUBSTEPS, FINE_SUBSTEPS].map(|substeps| (substeps, [0.0; 5]));
        let mut errors: [[Vec<f64>; 2]; 2] = Default::default();
        for k in 0..(RUN_S / period_s) as usize {
            let t = k as f64 * period_s;
            let mut all = ZERO;
            all[0] = targets.of_cycle(k as i64);
            reference.push(&all);
            self.step(&lane, &reference, &mut kernel);
            for (substeps, y) in &mut solutions {
                let h = period_s / *substeps as f64;
                for n in 0..*substeps {
                    self.rk4(&targets, y, (t + n as f64 * h, h));
                }
            }
            let truth = solutions[1].1;
            let found = [kernel.position_m[0], kernel.current_a[0]];
            let rk4 = [solutions[0].1[0], solutions[0].1[2]];
            for (list, one) in errors.iter_mut().zip([found, rk4]) {
                list[0].push(one[0] - truth[0]);
                list[1].push(one[1] - truth[2]);
            }
        }
        errors.map(|lists| lists.map(|list| rms(&list)))
    }
}

#[test]
fn the_twin_behind_a_linkage_is_beside_the_exact_solution() {
    println!("RMS error of position (um) and current (mA): kernel; RK4 x {RK4_SUBSTEPS}");
    for period_s in [0.00025, 0.001, 0.002] {
        for table in [false, true] {
            for (share, ratio) in [(0.25, 1.0), (1.0, RATIO_OF_ONE), (RAM_SHARE_MAX, RATIO_MAX)] {
                for stiffness_a_per_m in [0.0, 1000.0] {
                    let mut rig = Rig::new(share, table, period_s);
                    (rig.contact_m, rig.stiffness_a_per_m) = (0.08, stiffness_a_per_m);
                    let [kernel, rk4] = rig.errors(period_s);
                    println!(
                        "{:4.0} us table {table} share {share} part {stiffness_a_per_m}: {:.4} {:.3}; {:.4} {:.3}",
                        period_s * 1e6,
                        kernel[0] * 1e6,
                        kernel[1] * 1e3,
                        rk4[0] * 1e6,
                        rk4[1] * 1e3
                    );
                    assert!(kernel[0] <= ratio * rk4[0], "position: {kernel:?} {rk4:?}");
                    assert!(kernel[1] <= ratio * rk4[1], "current: {kernel:?} {rk4:?}");
                }
            }
        }
    }
}

/// A flywheel behind a crank, driven by nothing: what the ram takes out of its motion it gives back.
#[test]
fn a_ram_gives_back_what_it_took() {
    for (share, most) in [(1.0, 1e-3), (RAM_SHARE_MAX, 1e-2)] {
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
            rig.step(&lane, &Reference::default(), &mut s);
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Would show a load that feeds on its own acceleration.
    #[test]
    fn no_ram_that_is_allowed_diverges(
        share in 0.0..RAM_SHARE_MAX, hz in 20.0..100.0f64, period_us in 31.25..4000.0f64,
        efficiency in 0.5..1.0f64, back in 0.0..1.0f64, table: bool, stiffness in 0.0..2000.0f64,
        sampled: bool, tuned in 0.3..1.0f64,
    ) {
        let period_s = period_us * 1e-6;
        let mut rig = Rig::new(share, table, period_s);
        let gain = 2.0 * core::f64::consts::PI * hz * rig.p.inertia * (1.0 + tuned * share);
        // A drive that closes its loops once a cycle settles up to a share of its inertia per period.
        let gain = if sampled { gain.min(0.5 * rig.p.inertia / period_s) } else { gain };
        (rig.p.velocity_gain, rig.p.sampled) = (gain, sampled);
        rig.p.integral_gain = if sampled { 0.0 } else { 20.0 * gain };
        rig.p.position_gain_per_s = 20.0;
        rig.linked.motor.efficiency = efficiency;
        rig.linked.motor.efficiency_back = back;
        (rig.contact_m, rig.stiffness_a_per_m) = (0.09, stiffness);
        let lane = LaneParams::new(&[rig.p], period_s);
        let targets = Targets { period_s, dead_s: rig.p.dead_time_s };
        let (mut s, mut reference) = (AxisState::REST, Reference::default());
        let cycles = (1.6 / period_s) as i64;
        // It moves for a while, and stands then.
        let stands = (0.8 / period_s) as i64;
        let mut fastest: f64 = 0.0;
        for k in 0..cycles {
            let mut all = ZERO;
            all[0] = targets.of_cycle(k.min(stands));
            reference.push(&all);
            rig.step(&lane, &reference, &mut s);
            let (x, v) = (s.position_m[0], s.velocity_m_per_s[0]);
            prop_assert!(x.is_finite() && s.current_a[0].is_finite(), "cycle {k}");
            prop_assert!((x - all[0]).abs() < 0.05, "cycle {k} of {cycles}: {x} {}", all[0]);
            if k > cycles - cycles / 32 {
                fastest = fastest.max(v.abs());
            }
        }
        prop_assert!(fastest < 2e-3, "it goes on at {fastest} m/s");
    }
}

/// Would show a ram that makes a number no number, or that is thrown ever faster by a wrong velocity.
#[test]
fn what_is_measured_wrongly_is_predicted_by_a_number() {
    for table in [false, true] {
        for cascade_valid in [false, true] {
            for (x, v, i) in [
                (1e15, 1e15, 0.0),
                (-1e15, -1e3, 1e9),
                (0.0, 1e15, -1e15),
                (1e3, 0.0, 1e15),
            ] {
                let mut rig = Rig::new(RAM_SHARE_MAX, table, 0.004);
                rig.p.cascade_valid = cascade_valid;
                (rig.contact_m, rig.stiffness_a_per_m) = (0.09, 1e3);
                let lane = LaneParams::new(&[rig.p], 0.004);
                let mut s = AxisState::REST;
                (s.position_m[0], s.velocity_m_per_s[0], s.current_a[0]) = (x, v, i);
                for k in 0..500 {
                    rig.step(&lane, &Reference::default(), &mut s);
                    let all = [s.position_m[0], s.velocity_m_per_s[0], s.current_a[0]];
                    assert!(
                        all.iter().all(|x| x.is_finite() && x.abs() < 1e20),
                        "cycle {k}: {all:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn an_axis_without_a_ram_is_stepped_as_it_was() {
    let rig = Rig::new(0.0, false, 0.001);
    let mut bare = rig;
    bare.linked.counterbalance = Counterbalance::default();
    let lane = LaneParams::new(&[rig.p], 0.001);
    let (mut s, mut plain) = (AxisState::REST, AxisState::REST);
    let mut reference = Reference::default();
    for k in 0..500 {
        let mut all = ZERO;
        all[0] = 1e-5 * f64::from(k);
        reference.push(&all);
        bare.step(&lane, &reference, &mut s);
        cascade::advance(&lane, &reference, &mut plain, &[0.0; LANES]);
        assert_eq!(s, plain);
    }
}

/// Would show a load that was made for an acceleration which the loops of another mode would have let through.
#[test]
fn the_load_is_that_of_the_acceleration_in_every_mode() {
    use twinstep_models::sample;
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
        let with = |load_a: f64| {
            let (mut after, mut load) = (before, ZERO);
            load[0] = load_a;
            cascade::advance_told(&lane, &reference, &told, &mut after, Some(&load));
            after
        };
        let first =
            (rig.linked).first(&lane, 0, &before, &rig.linked.ahead(&lane, 0, &before), 0.0);
        let after = with(first.load_a);
        let m = rig.linked.between(0, &before, &after);
        let passed = (&before, &after);
        let load_a = (rig.linked).again((&lane, &told), 0, passed, &m, 0.0, &first);
        let mean = (with(load_a).velocity_m_per_s[0] - 0.3) / 0.002;
        let asked_a = rig.linked.load_a(&m, mean, 0.0);
        println!("{mode:?}: {load_a} {asked_a}, first {}", first.load_a);
        assert!(
            (load_a - asked_a).abs() < 0.01 * (1.0 + asked_a.abs()),
            "{mode:?}"
        );
    }
}
