//! The twin of a press behind a crank or a table over all that a configuration may have: every mass of a ram up to the most that is allowed,
//! cranks and tables of any shape, whatever the drive is told. What comes of it are numbers, no ram diverges, and none goes further than its forces
//! allow.
#![allow(
    clippy::disallowed_methods,
    reason = "powers of ten that become parameters need not be the same bits everywhere"
)]

#[allow(dead_code, reason = "every test draws a part of it")]
mod draw;
mod reference;

use draw::{Draw, Noise, unit};
use proptest::prelude::*;
use reference::equations::Targets;
use reference::press::{KF, Rig};
use twinstep_models::axis::told::Told;
use twinstep_models::axis::walk::{Walk, Ways};
use twinstep_models::axis::{AxisParams, AxisState, LaneParams, Reference};
use twinstep_models::lane::{LANES, Lane, ZERO};
use twinstep_models::press::frame::{Counterbalance, Motor};
use twinstep_models::press::kinematics::{Kinematics, MAX_NODES, Table};
use twinstep_models::press::linked::{Linked, RAM_SHARE_MAX};
use twinstep_models::press::ram::Linkage;
use twinstep_models::sample;

/// Cycles in which anything may come.
const WILD_CYCLES: usize = 60;
/// What flows within a cycle at most, in what may flow at its ends.
const WITHIN: f64 = 10.0;
/// The most that a ram asks for without losses (A): `press/linked.rs`.
const LARGEST_A: f64 = 1e12;

/// A crank, or a table of any rows that rise, by values from 0 to 1.
fn kinematics(table: bool, radius_m: f64, values: &[f64]) -> Kinematics {
    if !table {
        let rod_m = radius_m * (1.0 + 1e-3 * 1e6_f64.powf(values[0]));
        return Kinematics::crank(radius_m, rod_m).expect("a crank");
    }
    let rows = values.len().min(MAX_NODES);
    let angle = |n: usize| core::f64::consts::PI * n as f64 / (rows - 1) as f64;
    let q: Vec<f64> = (0..rows).map(angle).collect();
    let mut s = vec![0.0];
    for value in &values[1..rows] {
        // Slopes that jump by more than half of the largest are refused.
        s.push(s[s.len() - 1] + radius_m * (0.6 + 0.4 * value) / rows as f64);
    }
    Kinematics::Table(Table::new(&q, &s, None).expect("rises"))
}

/// As many cases as `PROPTEST_CASES` says, 64 without it.
fn config() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok();
    ProptestConfig {
        cases: asked.and_then(|cases| cases.parse().ok()).unwrap_or(64),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Ends of the axis in the motion of the reference (m).
const WAY_M: [f64; 2] = [-0.023, 0.023];

proptest! {
    #![proptest_config(config())]

    /// Would show a load that feeds on its own acceleration.
    #[test]
    fn no_ram_that_is_allowed_diverges(
        share in prop_oneof![8 => 0.0..RAM_SHARE_MAX, 1 => Just(RAM_SHARE_MAX), 1 => Just(0.0)],
        hz in 20.0..100.0f64, period_us in 31.25..4000.0f64,
        efficiency in 0.5..1.0f64, back in 0.0..1.0f64, table: bool, stiffness in 0.0..20_000.0f64,
        sampled: bool, tuned in 0.3..1.0f64, carried in -1.0..1.0f64,
        radius in unit(), ends in (0.0..1.2f64, 1.6..3.1f64), values in prop::collection::vec(unit(), 3..40),
    ) {
        let period_s = period_us * 1e-6;
        let mut rig = Rig::new(share, table, period_s);
        let rad_per_m = (ends.1 - ends.0) / (WAY_M[1] - WAY_M[0]);
        let kinematics = kinematics(table, 1e-3 * 1e3_f64.powf(radius), &values);
        let linkage = Linkage::new(kinematics, rad_per_m, WAY_M[0] - ends.0 / rad_per_m, WAY_M);
        let most = linkage.most();
        rig.linked.linkage = linkage;
        rig.linked.ram_mass_kg = share * rig.p.inertia * KF / (most * most);
        rig.linked.counterbalance = Counterbalance { constant_n: 3.0 * carried * KF / most, ..Counterbalance::default() };
        let gain = 2.0 * core::f64::consts::PI * hz * rig.p.inertia * (1.0 + tuned * share);
        // A drive that closes its loops once a cycle settles up to a share of its inertia per period.
        let gain = if sampled { gain.min(0.5 * rig.p.inertia / period_s) } else { gain };
        (rig.p.velocity_gain, rig.p.sampled) = (gain, sampled);
        rig.p.integral_gain = if sampled { 0.0 } else { 20.0 * gain };
        rig.p.position_gain_per_s = 20.0;
        rig.linked.motor.efficiency = efficiency;
        rig.linked.motor.efficiency_back = back;
        rig.contact_m = linkage.travel(0.01).0;
        rig.stiffness_a_per_m = stiffness / (most * most);
        let lane = LaneParams::new(&[rig.p], period_s);
        let targets = Targets::new(period_s, rig.p.dead_time_s);
        let (mut s, mut reference) = (AxisState::REST, Reference::default());
        let cycles = (1.6 / period_s) as i64;
        // It moves for a while, and stands then.
        let stands = (0.8 / period_s) as i64;
        let mut fastest: f64 = 0.0;
        for k in 0..cycles {
            let mut all = ZERO;
            all[0] = targets.of_cycle(k.min(stands));
            reference.push(&all);
            rig.step(&lane, &reference, &Told::NOTHING, &mut s);
            let (x, v) = (s.position_m[0], s.velocity_m_per_s[0]);
            prop_assert!(x.is_finite() && s.current_a[0].is_finite(), "cycle {k}");
            prop_assert!((x - all[0]).abs() < 0.05, "cycle {k} of {cycles}: {x} {}", all[0]);
            if k > cycles - cycles / 32 {
                fastest = fastest.max(v.abs());
            }
        }
        prop_assert!(fastest < 2e-3, "it goes on at {fastest} m/s");
    }

    #[test]
    fn whatever_comes_is_predicted_by_numbers_that_its_forces_allow(
        values in prop::collection::vec(unit(), 32 * LANES),
        shapes in prop::collection::vec((any::<bool>(), prop::collection::vec(unit(), 8..40)), LANES),
        period in unit(),
        seed in any::<u64>(),
    ) {
        let period_s = 31.25e-6 * (1e-2_f64 / 31.25e-6).powf(period);
        let mut draw = Draw(values.iter());
        let axes: [AxisParams; LANES] = std::array::from_fn(|_| draw.axis(period_s));
        let lane = LaneParams::new(&axes, period_s);
        let all: Vec<Linked> = (axes.iter().zip(&shapes))
            .map(|(axis, (table, values))| drawn(axis, *table, values))
            .collect();
        let mut noise = Noise(seed);
        let (mut s, mut reference, mut told) = (AxisState::REST, Reference::default(), Told::NOTHING);
        for cycle in 0..WILD_CYCLES {
            let mut targets = *reference.ago_m(0);
            let mut part_a: Lane = ZERO;
            for l in 0..LANES {
                if noise.one_in(4) {
                    targets[l] = noise.anything();
                }
                if noise.one_in(6) {
                    let mode = TOLD[noise.below(TOLD.len())];
                    told.push(l, mode, noise.anything(), noise.anything());
                }
                if noise.one_in(8) {
                    s.position_m[l] = noise.anything();
                    s.velocity_m_per_s[l] = noise.anything();
                    s.current_a[l] = noise.anything();
                    s.disturbance_a[l] = noise.anything();
                }
                if noise.one_in(10) {
                    // It stands where it is held.
                    s.velocity_m_per_s[l] = 0.0;
                    s.position_m[l] = noise.near(targets[l]);
                }
                if noise.one_in(3) {
                    part_a[l] = noise.anything();
                }
            }
            reference.push(&targets);
            let before = s;
            let ways = Ways::of(&lane, &reference);
            for (l, linked) in all.iter().enumerate() {
                let walk = Walk::begin(&lane, l, &ways, &told, &before);
                linked.walk(walk, |_| part_a[l], &mut s);
                let one = format!("cycle {cycle}, period {period_s}, {:?}, before {:?}, after {:?}\n{:?}\n{linked:?}", told.of(l), figures(&before, l), figures(&s, l), axes[l]);
                prop_assert!(figures(&s, l).iter().all(|x| x.is_finite()), "{one}");
                let own_a = before.current_a[l].abs();
                let known = (lane.continuous | lane.sampled) & (1 << l) != 0;
                let most_a = if known { lane.limit_a[l].max(own_a) } else { own_a };
                let slack = 1.0 + 1e-6;
                prop_assert!(s.current_a[l].abs() <= most_a * slack, "{one}");
                let load_a = LARGEST_A / linked.motor.efficiency + lane.gravity_a[l].abs() + before.disturbance_a[l].abs();
                let gain = (WITHIN * most_a + load_a) * lane.acceleration_per_a[l] * period_s;
                let (v0, v1) = (before.velocity_m_per_s[l].abs(), s.velocity_m_per_s[l]);
                prop_assert!((v1 - before.velocity_m_per_s[l]).abs() <= (gain + v0) * slack, "{one}");
            }
        }
    }
}

const TOLD: [sample::Told; 5] = [
    sample::Told::Position,
    sample::Told::PositionAndOffsets,
    sample::Told::Velocity,
    sample::Told::Torque,
    sample::Told::Own,
];

/// Everything of a state, an axis.
fn figures(s: &AxisState, l: usize) -> [f64; 6] {
    [
        s.position_m[l],
        s.velocity_m_per_s[l],
        s.current_a[l],
        s.reported_a[l],
        s.integral_a[l],
        s.disturbance_a[l],
    ]
}

/// A ram behind an axis that was drawn, with all that a configuration may say of it.
fn drawn(axis: &AxisParams, table: bool, values: &[f64]) -> Linked {
    let decades = |low: f64, high: f64, value: f64| low * (high / low).powf(value);
    let kinematics = kinematics(table, decades(1e-4, 10.0, values[1]), values);
    let rad_per_m = decades(1e-3, 1e5, values[2]);
    let way_m = [0.05, 3.1].map(|q| q / rad_per_m);
    let linkage = Linkage::new(kinematics, rad_per_m, 0.0, way_m);
    let force_n_per_a = decades(1e-6, 1e9, values[3]);
    let share = RAM_SHARE_MAX * values[4];
    Linked {
        linkage,
        motor: Motor {
            torque_constant_nm_per_a: force_n_per_a,
            efficiency: decades(1e-3, 1.0, values[5]),
            efficiency_back: values[6],
        },
        counterbalance: Counterbalance {
            constant_n: 1e9 * (2.0 * values[7] - 1.0),
            rate_n_per_m: 1e9 * values[1],
            at_m: 0.0,
        },
        ram_mass_kg: share * axis.inertia * force_n_per_a / (linkage.most() * linkage.most()),
        standstill_m_per_s: 0.001,
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
                    rig.step(&lane, &Reference::default(), &Told::NOTHING, &mut s);
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
