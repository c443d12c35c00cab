//! Draws the machine around the builder's table, once and by `machine_seed` alone.

use super::drive::{COGGING_ENTRIES, DriveUnit, UnitParameters};
use super::linkage::Ram;
use super::loops::LoopParameters;
use super::mechanics::MechanicsParameters;
use super::press::Tool;
use super::switches::SWITCHES;
use crate::rng::Rng;
use twinstep_config::machine::{Axis, AxisPlant, Drive, Machine, Press, SwitchRange, Switches};

/// Streams of random numbers per unit: one for the machine, others for what differs from run to run.
pub(super) const STREAM_MACHINE: u64 = 1 << 32;
pub(super) const STREAM_NOISE: u64 = 2 << 32;
pub(super) const STREAM_PARTS: u64 = 3 << 32;
pub(super) const STREAM_STATION: u64 = 4 << 32;

/// Smallest mass on either side (kg).
const MIN_MASS_KG: f64 = 0.01;

/// Seeds and step of a draw.
#[derive(Clone, Copy)]
pub(super) struct Draw {
    pub machine_seed: u64,
    pub seed: u64,
    pub cycle_s: f64,
    pub dt_s: f64,
}

/// The table for an axis that has none: a load that the rated torque accelerates at 10 m/s2, with ordinary friction.
fn ordinary(drive: &Drive) -> AxisPlant {
    let rev_per_m = core::f64::consts::TAU / drive.feed_m_per_rev.abs().max(1e-6);
    let rated_n = drive.torque_constant_nm_per_a * drive.rated_current_a * rev_per_m;
    AxisPlant {
        load_mass_kg: rated_n / 20.0,
        motor_inertia_kg_m2: rated_n / 20.0 / (rev_per_m * rev_per_m),
        coulomb_n: 0.1 * rated_n,
        static_ratio: 1.2,
        stribeck_velocity_m_per_s: 0.01,
        viscous_n_s_per_m: 0.05 * rated_n,
        gravity: 0.0,
        stiffness_n_per_m: rated_n / 20.0 * 1e6,
        backlash_m: 0.0,
        cogging_nm: 0.0,
        efficiency: 0.97,
        efficiency_back: None,
        switches: Switches::default(),
        payloads: Vec::new(),
    }
}

/// Draws one drive with its load; `press` for the axis of a press.
pub(super) fn drive_unit(
    machine: &Machine,
    axis: &Axis,
    press: Option<&Press>,
    index: usize,
    draw: Draw,
) -> DriveUnit {
    let number = index as u64;
    let mut rng = Rng::new(draw.machine_seed, STREAM_MACHINE + number);
    let drive = &axis.drive;
    let table = axis.plant.clone().unwrap_or_else(|| ordinary(drive));
    let rad_per_m = core::f64::consts::TAU / drive.feed_m_per_rev.abs().max(1e-6);
    let rated_current_a = drive.rated_current_a.max(1e-3);
    let rated_n = drive.torque_constant_nm_per_a * rated_current_a * rad_per_m;

    let load_mass_kg = (table.load_mass_kg * rng.around_one(0.04)).max(MIN_MASS_KG);
    let motor_mass_kg =
        (table.motor_inertia_kg_m2 * rad_per_m * rad_per_m * rng.around_one(0.02)).max(MIN_MASS_KG);
    // The two directions are drawn apart: guides are never alike both ways.
    let coulomb_positive_n = (table.coulomb_n * rng.around_one(0.12)).max(1e-3);
    let coulomb_negative_n = (table.coulomb_n * rng.around_one(0.12)).max(1e-3);
    // Bearings of a crank or a toggle turn with the drive, and its counterbalance may push in any place: it has a brake.
    let linked = press.is_some_and(|press| press.drive_train.linkage.is_some());
    let turn_m = drive.feed_m_per_rev.abs().max(1e-3);
    let presliding_m = if linked {
        (5e-5 * turn_m).max(6e-6)
    } else {
        6e-6
    };
    let mechanics = MechanicsParameters {
        motor_mass_kg,
        load_mass_kg,
        coulomb_positive_n,
        coulomb_negative_n,
        motor_friction_share: 0.2 * rng.around_one(0.25),
        static_excess: ((table.static_ratio - 1.0) * rng.around_one(0.15)).max(0.0),
        stribeck_velocity_m_per_s: (table.stribeck_velocity_m_per_s * rng.around_one(0.2))
            .max(1e-5),
        viscous_n_s_per_m: (table.viscous_n_s_per_m * rng.around_one(0.15)).max(0.0),
        presliding_m: presliding_m * rng.around_one(0.25),
        motor_presliding_m: turn_m * 5e-5 * rng.around_one(0.25),
        gravity: table.gravity,
        offset_n: 0.06 * table.coulomb_n * rng.symmetric(),
        stiffness_n_per_m: (table.stiffness_n_per_m * rng.around_one(0.1)).max(1.0),
        damping_ratio: 0.05 * rng.around_one(0.3),
        backlash_m: (table.backlash_m * rng.around_one(0.2)).max(0.0),
        loss: (1.0 - table.efficiency * rng.around_one(0.004)).clamp(0.0, 0.7),
        loss_back: (table.efficiency_back).map(|back| 1.0 - back),
        brake_n: if table.gravity == 0.0 && !linked {
            0.0
        } else {
            2.0 * rated_n
        },
        dt_s: draw.dt_s,
    };
    let torque_constant = drive.torque_constant_nm_per_a * rng.around_one(0.02);
    let cogging_n = cogging(table.cogging_nm * rad_per_m, &mut rng);
    let ripple = 0.003 * rng.around_one(0.5) / (table.cogging_nm * rad_per_m).max(1e-9);
    let torque_filter_s = drive.torque_filter_s * rng.around_one(0.1);
    let warm_up = 0.03 * rng.around_one(0.3);
    let ram = press.and_then(|press| ram(press, table.gravity, &mut rng));
    let carried_kg = ram.as_ref().map_or(load_mass_kg, Ram::mass_kg);
    let coupling_kg = [
        0.004 * carried_kg * rng.symmetric(),
        0.004 * carried_kg * rng.symmetric(),
    ];
    let stroke = (press.map(|press| &press.stroke)).map(|stroke| match &ram {
        None => stroke.clone(),
        Some(ram) => ram.stroke(stroke),
    });

    let direction = if drive.direction < 0.0 { -1.0 } else { 1.0 };
    let parameters = UnitParameters {
        loops: LoopParameters {
            position_gain_per_s: drive.position_gain_per_s,
            velocity_gain_a_s_per_m: drive.velocity_gain_a_s_per_m,
            integral_time_s: drive.velocity_integral_time_s.max(draw.dt_s),
            current_share: 1.0
                - libm::exp(-draw.dt_s / drive.current_time_constant_s.max(0.5 * draw.dt_s)),
            limit_a: rated_current_a * f64::from(drive.max_torque_permille) / 1000.0,
            quick_stop_m_per_s2: 2.0 * axis.motion.acceleration_m_per_s2.abs().max(0.1),
            cycle_s: draw.cycle_s,
            dt_s: draw.dt_s,
        },
        mechanics,
        ram,
        counts_per_m: direction * drive.counts_per_rev / drive.feed_m_per_rev.abs().max(1e-6),
        direction,
        rated_current_a,
        torque_filter_s,
        force_n_per_a: torque_constant * rad_per_m,
        cogging_n,
        ripple_per_n: ripple,
        feed_m_per_rev: drive.feed_m_per_rev.abs().max(1e-6),
        warm_up,
        warm_velocity_m_per_s: (0.2 * axis.motion.velocity_m_per_s.abs()).max(1e-3),
        coupling_kg,
        following_window_counts: 0.25 * drive.counts_per_rev,
        counts_per_rev: drive.counts_per_rev,
        switches: wired(&table.switches, direction),
        payloads: table.payloads,
        dt_s: draw.dt_s,
    };
    let tool = stroke.map(|stroke| {
        Tool::new(
            machine,
            &stroke,
            &mut rng,
            Rng::new(draw.seed, STREAM_PARTS + number),
            draw.dt_s,
        )
    });
    DriveUnit::new(
        parameters,
        axis.motion.start_m,
        tool,
        Rng::new(draw.seed, STREAM_NOISE + number),
    )
}

/// The ram of a press behind a crank or a table; none, and nothing drawn, behind a screw. What it weighs the builder knows well.
fn ram(press: &Press, gravity: f64, rng: &mut Rng) -> Option<Ram> {
    let train = &press.drive_train;
    train.linkage.as_ref()?;
    let mass_kg = train.ram_mass_kg * rng.around_one(0.02);
    Ram::new(train, mass_kg, gravity, press.axis.motion.start_m)
}

/// Switches as they are wired: the positive limit switch of a drive is where it gets to in its own positive direction.
fn wired(switches: &Switches, direction: f64) -> [Option<SwitchRange>; SWITCHES] {
    let mut all = switches.all();
    if direction < 0.0 {
        all.swap(0, 1);
    }
    all
}

/// Cogging force over a revolution: two slot orders and a once-per-revolution share, in drawn strengths and phases.
fn cogging(amplitude_n: f64, rng: &mut Rng) -> Box<[f32; COGGING_ENTRIES]> {
    let mut table = Box::new([0.0_f32; COGGING_ENTRIES]);
    let amplitude = amplitude_n * rng.around_one(0.25);
    let orders: [(f64, f64, f64); 3] = [
        (
            12.0,
            0.75 * amplitude,
            core::f64::consts::TAU * rng.uniform(),
        ),
        (
            24.0,
            0.25 * amplitude * rng.uniform(),
            core::f64::consts::TAU * rng.uniform(),
        ),
        (
            1.0,
            0.30 * amplitude * rng.uniform(),
            core::f64::consts::TAU * rng.uniform(),
        ),
    ];
    for (n, entry) in table.iter_mut().enumerate() {
        let angle = core::f64::consts::TAU * n as f64 / COGGING_ENTRIES as f64;
        *entry = orders
            .iter()
            .map(|(order, strength, phase)| strength * libm::sin(order * angle + phase))
            .sum::<f64>() as f32;
    }
    table
}
