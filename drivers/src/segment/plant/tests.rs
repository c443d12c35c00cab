use super::rig::{
    CYCLE_NS, HORIZONTAL, Rig, Trace, VERTICAL, friction_and_weight, press_cell, rated_a, run_with,
};
use super::*;
use twinstep_config::machine::{Recipe, Turn};

#[test]
fn every_machine_follows_its_programs_within_its_limits() {
    for machine_seed in 1..=6 {
        let mut rig = Rig::new(press_cell(), machine_seed, machine_seed + 100);
        rig.run(6_000, true);
        for (index, trace) in rig.traces.iter().enumerate() {
            let rated = rated_a(&rig, index);
            assert_eq!(trace.error_code, 0, "seed {machine_seed} drive {index}");
            assert!(!trace.limited, "seed {machine_seed} drive {index}");
            assert!(
                Trace::largest(&trace.following_m) < 0.4e-3,
                "seed {machine_seed} drive {index}"
            );
            let peak = Trace::largest(&trace.current_a) / rated;
            assert!(
                (0.35..1.0).contains(&peak),
                "seed {machine_seed} drive {index}: {peak}"
            );
        }
    }
}

#[test]
fn doubled_faults_upset_no_loop() {
    for kind in [
        FaultKind::Friction { factor: 1.4 },
        FaultKind::Load { mass_kg: 0.2 },
        FaultKind::Backlash { gap_m: 100e-6 },
        FaultKind::CurrentGain { factor: 1.1 },
        FaultKind::Lubrication { factor: 2.5 },
        FaultKind::Spalling { depth: 0.8 },
    ] {
        let rig = run_with(Some(kind.clone()), 6);
        for (index, trace) in rig.traces.iter().enumerate() {
            assert!(
                trace.error_code == 0 && !trace.limited,
                "{kind:?} drive {index}"
            );
            assert!(
                Trace::largest(&trace.following_m) < 0.4e-3,
                "{kind:?} drive {index}"
            );
        }
    }
}

#[test]
fn loops_stay_stable_over_the_range_of_machines() {
    for (stiffness, load, friction) in [
        (0.7, 1.0, 1.0),
        (10.0, 1.0, 1.0),
        (1.0, 0.5, 1.0),
        (1.0, 1.4, 1.0),
        (1.0, 1.0, 0.1),
        (1.0, 1.0, 2.0),
    ] {
        let mut machine = press_cell();
        for axis in &mut machine.axes {
            if let Some(plant) = &mut axis.plant {
                plant.stiffness_n_per_m *= stiffness;
                plant.load_mass_kg *= load;
                plant.coulomb_n *= friction;
                plant.viscous_n_s_per_m *= friction;
            }
        }
        let mut rig = Rig::new(machine, 3, 3);
        rig.run(3_000, true);
        for (index, trace) in rig.traces.iter().enumerate() {
            let largest = Trace::largest(&trace.following_m);
            assert!(
                trace.error_code == 0 && largest < 0.5e-3,
                "{stiffness} {load} {friction}: {index} {largest}"
            );
        }
    }
}

#[test]
fn the_same_seeds_give_the_same_machine_to_the_bit_and_others_do_not() {
    let run = |machine_seed, seed| {
        let mut rig = Rig::new(press_cell(), machine_seed, seed);
        rig.run(3_000, true);
        rig
    };
    let (a, b, other_day, other) = (run(1, 1), run(1, 1), run(1, 2), run(2, 1));
    for index in 0..a.traces.len() {
        assert_eq!(a.traces[index].current_a, b.traces[index].current_a);
        assert_eq!(a.traces[index].position_m, b.traces[index].position_m);
        assert_ne!(a.traces[index].current_a, other_day.traces[index].current_a);
        assert_ne!(a.traces[index].current_a, other.traces[index].current_a);
    }
    // A day changes noise, a machine its physics: friction of the same axis stays within 1 % and moves by more.
    let friction = |rig: &Rig| friction_and_weight(rig, "infeed").0;
    assert!((friction(&other_day) / friction(&a) - 1.0).abs() < 0.01);
    assert!((friction(&other) / friction(&a) - 1.0).abs() > 0.01);
}

#[test]
fn gravity_pulls_towards_smaller_positions_and_the_press_down() {
    let rig = run_with(None, 4);
    for name in VERTICAL {
        let index = rig.index_of(name);
        let axis = &rig.machine.axes[index];
        let weight_n = axis.plant.as_ref().unwrap().load_mass_kg * 9.81;
        let drive = &axis.drive;
        let force = core::f64::consts::TAU * drive.torque_constant_nm_per_a / drive.feed_m_per_rev;
        let weight = friction_and_weight(&rig, name).1;
        assert!(
            (weight * force / weight_n - 1.0).abs() < 0.12,
            "{name}: {weight}"
        );
    }
    assert!(friction_and_weight(&rig, "press").1 < 0.0);
    for name in HORIZONTAL {
        let (friction, weight) = friction_and_weight(&rig, name);
        assert!(weight.abs() < 0.2 * friction, "{name}: {friction} {weight}");
    }
}

#[test]
fn missing_set_points_are_bridged_without_a_blow() {
    let mut rig = Rig::new(press_cell(), 1, 1);
    rig.run(600, true);
    // Three SYNC0 without a new target while all axes travel.
    for _ in 0..3 {
        rig.plant.advance_to(rig.cycle * CYCLE_NS);
        for index in 0..rig.plant.drive_count() {
            let unit = rig.plant.drive_mut(index).unwrap();
            let command = unit.command();
            unit.set_command(command);
        }
        rig.skip_cycle();
    }
    rig.run(200, true);
    for (index, trace) in rig.traces.iter().enumerate() {
        let peak = Trace::largest(&trace.current_a) / rated_a(&rig, index);
        assert!(
            peak < 1.0 && !trace.limited && trace.error_code == 0,
            "{index}: {peak}"
        );
    }
}

#[test]
fn warming_up_takes_a_few_per_cent_of_friction_and_no_more() {
    let mut rig = Rig::new(press_cell(), 1, 1);
    rig.run(4_000, true);
    let cold = friction_and_weight(&rig, "carriage").0;
    rig.run(120_000, false);
    for trace in &mut rig.traces {
        *trace = Trace::default();
    }
    rig.run(4_000, true);
    let warm = friction_and_weight(&rig, "carriage").0;
    assert!(warm < 0.999 * cold && warm > 0.96 * cold, "{cold} {warm}");
}

#[test]
fn time_that_jumps_neither_stalls_nor_moves_back() {
    let machine = press_cell();
    let mut plant = Plant::new(&machine, 1, 1);
    plant.advance_to(u64::MAX / 2);
    plant.advance_to(5);
    assert_eq!(plant.now_ns(), u64::MAX / 2);
    plant.advance_to(u64::MAX);
    assert!(plant.now_ns() > u64::MAX - STEP_NS);
}

#[test]
fn the_plant_takes_nothing_from_the_twin() {
    // The twin must not be judged by itself: no equation and no parameter may come from its crate.
    let models = concat!("twinstep", "_models");
    for (file, source) in [
        ("draw", include_str!("draw.rs")),
        ("drive", include_str!("drive.rs")),
        ("fault", include_str!("fault.rs")),
        ("friction", include_str!("friction.rs")),
        ("linkage", include_str!("linkage.rs")),
        ("loops", include_str!("loops.rs")),
        ("mechanics", include_str!("mechanics.rs")),
        ("mod", include_str!("mod.rs")),
        ("press", include_str!("press.rs")),
        ("signals", include_str!("signals.rs")),
        ("vacuum", include_str!("vacuum.rs")),
    ] {
        assert!(!source.contains(models), "{file}.rs");
        assert!(
            !source.contains(concat!(".tw", "in")),
            "{file}.rs reads the twin's parameters"
        );
    }
}

#[test]
fn a_payload_weighs_and_one_of_another_recipe_changes_nothing() {
    let run = |payload: Option<(u8, f64)>| {
        let mut machine = press_cell();
        machine.recipes.push(Recipe {
            name: "other".to_owned(),
            parts: vec![0],
        });
        for axis in &mut machine.axes {
            let plant = axis.plant.as_mut().expect("simulated");
            plant.payloads.extend(payload);
        }
        let mut rig = Rig::new(machine, 1, 1);
        rig.run(5_000, true);
        rig
    };
    let (without, other, own) = (run(None), run(Some((1, 9.0))), run(Some((0, 9.0))));
    for name in VERTICAL {
        let index = without.index_of(name);
        assert_eq!(
            without.traces[index].current_a, other.traces[index].current_a,
            "{name}"
        );
        let weight = |rig: &Rig| friction_and_weight(rig, name).1;
        let table = without.machine.axes[index].plant.as_ref();
        let more = 9.0 / table.map_or(1.0, |plant| plant.load_mass_kg);
        let found = weight(&own) / weight(&without) - 1.0;
        assert!(
            (found / more - 1.0).abs() < 0.2,
            "{name}: {found} for {more}"
        );
    }
}

#[test]
fn a_payload_follows_the_strokes_of_the_first_press_and_is_handed_over_at_rest() {
    let mut machine = press_cell();
    machine.recipes.push(Recipe {
        name: "other".to_owned(),
        parts: vec![1],
    });
    let turn = |recipe, strokes| Turn { recipe, strokes };
    machine.schedule = vec![turn(0, 1), turn(1, 2)];
    let mut rig = Rig::new(machine.clone(), 1, 1);
    let lift = rig.index_of("lift");
    let plant = machine.axes[lift].plant.as_mut().expect("simulated");
    plant.payloads = vec![(1, 9.0)];
    rig = Rig::new(machine, 1, 1);
    let (mut handed_kg, mut changes) = (0.0, Vec::new());
    for _ in 0..15_000 {
        rig.run(1, false);
        let unit = rig.plant.drive(lift).expect("drive");
        if unit.handed_kg != handed_kg {
            handed_kg = unit.handed_kg;
            let (_, speed, _) = unit.true_state();
            assert!(speed.abs() < 5e-3, "{speed}");
            changes.push(handed_kg);
        }
    }
    assert!(changes.starts_with(&[9.0, 0.0, 9.0]), "{changes:?}");
}
