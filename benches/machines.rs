//! The machines that are measured: the shipped press cell, and plants of any number of axes made after its drawings.

use twinstep_config::machine::{Axis, AxisTwin, Cascade, Machine, OperationMode, OperationModes};
use twinstep_drivers::rng::Rng;

/// The shipped press behind a crank.
const CRANK_PRESS: &str = include_str!("../rt-config/machines/servo-crank-press.toml");
/// Standard gravity (m/s2).
const GRAVITY_M_PER_S2: f64 = 9.806_65;
/// Spread from axis to axis.
const SPREAD: f64 = 0.2;

/// The shipped press cell: eight servo axes, a press and a gripper. An axis that was not calibrated gets the twin that
/// its tables describe.
///
/// # Panics
/// When the shipped configuration is broken, which its own tests see first.
#[expect(
    clippy::expect_used,
    reason = "the shipped configuration is part of the product"
)]
pub fn press_cell() -> Machine {
    let mut machine = twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml")
        .expect("the shipped machine is valid");
    let axes = machine
        .axes
        .iter_mut()
        .chain(machine.presses.iter_mut().map(|press| &mut press.axis));
    for axis in axes {
        if axis.twin.is_none() {
            axis.twin = twin(axis);
        }
    }
    machine
}

/// The press of the press cell, without its axes and its gripper.
pub fn press_alone() -> Machine {
    let mut machine = press_cell();
    machine.axes.clear();
    machine.stations.clear();
    machine.recipes.clear();
    machine
}

/// The shipped press behind a crank, whose ram is stepped with its axis (`ram_mass`).
///
/// # Panics
/// When the shipped configuration is broken, which its own tests see first.
#[expect(
    clippy::expect_used,
    reason = "the shipped configuration is part of the product"
)]
pub fn crank_alone() -> Machine {
    let mut machine = twinstep_config::load(CRANK_PRESS, "servo-crank-press.toml")
        .expect("the shipped machine is valid");
    machine.recipes.clear();
    machine
}

/// A line of `count` presses, each like that of `machine` and with a name of its own.
pub fn line(mut machine: Machine, count: usize) -> Machine {
    let drawings = std::mem::take(&mut machine.presses);
    for (n, drawing) in drawings.iter().cycle().take(count).enumerate() {
        let mut press = drawing.clone();
        press.axis.name = format!("press-{n:04}");
        machine.presses.push(press);
    }
    // Each has learnt the parts by itself, and is judged by bands of its own.
    for part in 0..machine.parts.len() {
        let learnt = machine.learnt_on(0, part).twin.copied();
        for press in 1..machine.presses.len() {
            if let Some((twin, _)) = machine.learnt_on_mut(press, part) {
                *twin = learnt;
            }
        }
    }
    machine
}

/// A machine of `count` servo axes: those of the press cell in turn, each with masses, frictions, gains and programs of its
/// own. Every axis has its SubDevice.
pub fn many_axes(count: usize, seed: u64) -> Machine {
    let mut machine = press_cell();
    let drawings = std::mem::take(&mut machine.axes);
    machine.presses.clear();
    machine.stations.clear();
    machine.parts.clear();
    machine.recipes.clear();
    let devices = machine
        .bus
        .as_mut()
        .map(|bus| std::mem::take(&mut bus.subdevices))
        .unwrap_or_default();
    for n in 0..count {
        let mut rng = Rng::new(seed, n as u64);
        let Some(drawing) = drawings.get(n % drawings.len()) else {
            break;
        };
        let axis = vary(drawing, format!("axis-{n:04}"), &mut rng);
        if let (Some(bus), Some(device)) = (
            &mut machine.bus,
            devices.iter().find(|d| d.name == drawing.name),
        ) {
            let mut device = device.clone();
            device.name.clone_from(&axis.name);
            bus.subdevices.push(device);
        }
        machine.axes.push(axis);
    }
    machine
}

/// The axes that `which` picks by their places run their programs in `mode`, and are judged in it.
pub fn tell(machine: &mut Machine, mode: OperationMode, which: impl Fn(usize) -> bool) {
    let axes = machine.axes.iter_mut().enumerate();
    for (_, axis) in axes.filter(|(n, _)| which(*n)) {
        for step in &mut axis.motion.program {
            step.mode = mode;
        }
        if let Some(twin) = &mut axis.twin {
            twin.modes = OperationModes::NONE.with(mode);
        }
    }
}

fn vary(drawing: &Axis, name: String, rng: &mut Rng) -> Axis {
    let mut axis = drawing.clone();
    axis.name = name;
    let motion = &mut axis.motion;
    motion.velocity_m_per_s *= rng.around_one(SPREAD);
    motion.acceleration_m_per_s2 *= rng.around_one(SPREAD);
    for step in &mut motion.program {
        step.velocity_m_per_s = None;
        // Rests of different length pull the axes apart, so that they do not all do the same in one cycle.
        step.dwell_s = 0.25 * rng.around_one(0.5);
    }
    if let Some(twin) = &mut axis.twin {
        twin.mass_kg *= rng.around_one(SPREAD);
        twin.coulomb_positive_n *= rng.around_one(SPREAD);
        twin.coulomb_negative_n *= rng.around_one(SPREAD);
        twin.viscous_n_s_per_m *= rng.around_one(SPREAD);
        if let Some(cascade) = &mut twin.cascade {
            cascade.position_gain_per_s *= rng.around_one(SPREAD);
            cascade.velocity_gain_a_s_per_m *= rng.around_one(SPREAD);
        }
    }
    axis
}

/// What the tables of an axis say its twin should be.
fn twin(axis: &Axis) -> Option<AxisTwin> {
    let (drive, plant) = (&axis.drive, axis.plant.as_ref()?);
    let radian_per_m = 2.0 * core::f64::consts::PI / drive.feed_m_per_rev;
    let force_constant_n_per_a = radian_per_m * drive.torque_constant_nm_per_a;
    Some(AxisTwin {
        force_constant_n_per_a,
        mass_kg: plant.load_mass_kg + plant.motor_inertia_kg_m2 * radian_per_m * radian_per_m,
        coulomb_positive_n: plant.coulomb_n,
        coulomb_negative_n: plant.coulomb_n,
        viscous_n_s_per_m: plant.viscous_n_s_per_m,
        stribeck_n: plant.coulomb_n * (plant.static_ratio - 1.0),
        stribeck_velocity_m_per_s: plant.stribeck_velocity_m_per_s,
        gravity_n: plant.gravity * plant.load_mass_kg * GRAVITY_M_PER_S2,
        cascade: Some(Cascade {
            position_gain_per_s: drive.position_gain_per_s,
            velocity_gain_a_s_per_m: drive.velocity_gain_a_s_per_m,
            integral_gain_a_per_m: drive.velocity_gain_a_s_per_m / drive.velocity_integral_time_s,
            velocity_feedforward: 1.0,
            dead_time_s: 1.0e-3,
            reference_delay_s: None,
            limit_a: drive.rated_current_a * f64::from(drive.max_torque_permille) / 1000.0,
            current_time_constant_s: drive.current_time_constant_s,
            current_filter_s: drive.torque_filter_s,
            sampled: false,
        }),
        cascade_off: None,
        noise: None,
        current_delay_s: drive.torque_filter_s,
        load_lag_s: 0.0,
        baseline: Vec::new(),
        paces: Vec::new(),
        modes: OperationModes::default(),
        position_limit_m: None,
        velocity_limit_m_per_s: None,
        current_limit_a: None,
        innovations: [None; 4],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_axis_of_a_machine_differs_and_has_its_subdevice() {
        let machine = many_axes(100, 1);
        assert_eq!(machine.axes.len(), 100);
        assert_eq!(
            machine.bus.as_ref().map(|bus| bus.subdevices.len()),
            Some(100)
        );
        for (n, axis) in machine.axes.iter().enumerate() {
            let twin = axis.twin.as_ref().expect("a twin");
            let same = machine.axes[..n].iter().any(|other| {
                other
                    .twin
                    .as_ref()
                    .is_some_and(|t| t.mass_kg == twin.mass_kg)
            });
            assert!(!same, "{}", axis.name);
        }
        assert_eq!(many_axes(8, 1), many_axes(8, 1));
        assert_ne!(many_axes(8, 1), many_axes(8, 2));
    }
}
