//! Faults change the right thing by the right size.

use super::rig::{
    CYCLE_NS, HORIZONTAL, Rig, Trace, VERTICAL, fault, friction_and_weight, press_cell, rated_a,
    run_with,
};
use super::*;

#[test]
fn friction_by_a_fifth_is_a_fifth_more_current_at_constant_speed() {
    let (healthy, faulty) = (
        run_with(None, 5),
        run_with(Some(FaultKind::Friction { factor: 1.2 }), 5),
    );
    for name in HORIZONTAL.iter().chain(&VERTICAL) {
        let (before, weight) = friction_and_weight(&healthy, name);
        let (after, weight_after) = friction_and_weight(&faulty, name);
        // On a vertical axis a part of the friction is the screw's loss under the weight, which is not the guide's.
        let low = if HORIZONTAL.contains(name) {
            1.18
        } else {
            1.14
        };
        assert!(
            (low..1.21).contains(&(after / before)),
            "{name}: {before} {after}"
        );
        // The pull to one side moves only by the difference of the two directions.
        assert!(
            (weight_after - weight).abs() < 0.03 * before,
            "{name}: {weight} {weight_after}"
        );
    }
}

#[test]
fn more_load_shows_in_weight_and_in_acceleration_but_not_at_constant_speed() {
    let (healthy, faulty) = (
        run_with(None, 5),
        run_with(Some(FaultKind::Load { mass_kg: 0.1 }), 5),
    );
    for name in HORIZONTAL {
        let index = healthy.index_of(name);
        let (before, after) = (
            friction_and_weight(&healthy, name).0,
            friction_and_weight(&faulty, name).0,
        );
        assert!(
            (after / before - 1.0).abs() < 0.005,
            "{name}: {before} {after}"
        );
        let peak = |rig: &Rig| Trace::largest(&rig.traces[index].current_a);
        assert!(peak(&faulty) > 1.03 * peak(&healthy), "{name}");
    }
    for name in VERTICAL {
        let (before, after) = (
            friction_and_weight(&healthy, name).1,
            friction_and_weight(&faulty, name).1,
        );
        assert!(
            (1.08..1.12).contains(&(after / before)),
            "{name}: {before} {after}"
        );
    }
}

#[test]
fn a_sensor_that_reads_more_reports_more_for_the_same_force() {
    let (healthy, faulty) = (
        run_with(None, 4),
        run_with(Some(FaultKind::CurrentGain { factor: 1.05 }), 4),
    );
    for name in HORIZONTAL {
        let (before, after) = (
            friction_and_weight(&healthy, name).0,
            friction_and_weight(&faulty, name).0,
        );
        assert!(
            (after / before - 1.05).abs() < 0.004,
            "{name}: {before} {after}"
        );
    }
    for name in VERTICAL {
        let (before, after) = (
            friction_and_weight(&healthy, name).1,
            friction_and_weight(&faulty, name).1,
        );
        assert!(
            (after / before - 1.05).abs() < 0.004,
            "{name}: {before} {after}"
        );
    }
}

#[test]
fn backlash_shows_where_the_force_turns_and_nowhere_else() {
    let (healthy, faulty) = (
        run_with(None, 4),
        run_with(Some(FaultKind::Backlash { gap_m: 50e-6 }), 4),
    );
    let worst = |name: &str| {
        let index = healthy.index_of(name);
        let (a, b) = (
            &healthy.traces[index].current_a,
            &faulty.traces[index].current_a,
        );
        // The first 300 ms stand still: the gap opens there and the load settles in it.
        let pairs = a.iter().zip(b).skip(300);
        let most = pairs.fold(0.0_f64, |most, (a, b)| most.max((a - b).abs()));
        most / rated_a(&healthy, index)
    };
    for name in HORIZONTAL {
        let (before, after) = (
            friction_and_weight(&healthy, name).0,
            friction_and_weight(&faulty, name).0,
        );
        assert!(
            (after / before - 1.0).abs() < 0.003,
            "{name}: {before} {after}"
        );
        assert!(worst(name) > 0.08, "{name}: {}", worst(name));
    }
    for name in VERTICAL {
        // Its weight keeps a vertical axis on one flank: the gap is there and nobody can see it.
        assert!(worst(name) < 0.02, "{name}: {}", worst(name));
    }
}

#[test]
fn a_drive_fault_ends_in_rest_and_a_vertical_axis_does_not_drop() {
    for name in ["carriage", "insert"] {
        let mut rig = Rig::new(press_cell(), 1, 1);
        let (machine, index) = (rig.machine.clone(), rig.index_of(name));
        let at_ns = 700 * CYCLE_NS;
        rig.plant
            .inject(
                &fault(name, FaultKind::DriveFault { code: 0x2310 }, at_ns),
                at_ns,
                &machine,
            )
            .unwrap();
        rig.run(700, true);
        let moving = rig.traces[index].velocity_m_per_s[699].abs();
        assert!(moving > 0.2, "{name} {moving}");
        rig.run(1_000, true);
        let trace = &rig.traces[index];
        assert_eq!(trace.error_code, 0x2310);
        assert!(trace.current_a[760].abs() < 1e-2 * rated_a(&rig, index));
        let last = trace.position_m.len() - 1;
        assert!(
            (trace.position_m[last] - trace.position_m[last - 300]).abs() < 2e-6,
            "{name}"
        );
        let unit = rig.plant.drive_mut(index).unwrap();
        assert!(!unit.powered());
        unit.clear_error();
        assert_eq!(unit.feedback().error_code, 0);
    }
}

#[test]
fn recipe_and_wrong_part_decide_what_the_ram_meets() {
    let peaks = |kind: Option<FaultKind>| {
        let mut rig = Rig::new(press_cell(), 1, 1);
        let machine = rig.machine.clone();
        if let Some(kind) = kind {
            rig.plant
                .inject(&fault("press", kind, 0), 0, &machine)
                .unwrap();
        }
        let index = rig.index_of("press");
        let mut peaks = [0.0_f64; 4];
        loop {
            rig.run(1, false);
            let (force_n, stroke) = rig.plant.drive(index).unwrap().true_press().unwrap();
            match peaks.get_mut(stroke as usize) {
                Some(peak) => *peak = peak.max(force_n),
                None => break peaks,
            }
        }
    };
    let good = peaks(None);
    // bush-a, bush-b: 1.6 and 1.9 N/um over 5 mm, less what chamfer and frame take.
    for (n, peak) in good.iter().enumerate() {
        let nominal = if n % 2 == 0 { 1.6e6 } else { 1.9e6 } * 5e-3;
        assert!((0.9..1.02).contains(&(peak / nominal)), "{n}: {peak}");
    }
    let missing = peaks(Some(FaultKind::MissingPart));
    assert!((missing[0] / good[0] - 1.0).abs() < 1e-9);
    assert_eq!(missing[1..], [0.0; 3]);
    let wrong = peaks(Some(FaultKind::WrongPart {
        part: "bush-long".to_owned(),
    }));
    // The part that lay in the press at the start is the recipe's; from then on it is the wrong one.
    assert!((wrong[0] / good[0] - 1.0).abs() < 1e-9);
    for peak in &wrong[1..] {
        assert!((0.9..1.02).contains(&(peak / (2.0e6 * 5.5e-3))), "{peak}");
    }
}

#[test]
fn a_slip_is_a_jump_of_the_measured_position_that_the_loop_takes_back() {
    let mut rig = Rig::new(press_cell(), 1, 1);
    let (machine, index) = (rig.machine.clone(), rig.index_of("cross"));
    let kind = FaultKind::EncoderSlip { step_m: 200e-6 };
    let at_ns = 150 * CYCLE_NS;
    rig.plant
        .inject(&fault("cross", kind, at_ns), at_ns, &machine)
        .unwrap();
    rig.run(300, true);
    let (position_m, load_m) = (&rig.traces[index].position_m, |rig: &Rig| {
        rig.plant.drive(index).unwrap().true_state().0
    });
    let jump = |n: usize| (position_m[n] - position_m[n - 1]).abs();
    let largest = (1..300).map(jump).fold(0.0, f64::max);
    assert!((140e-6..210e-6).contains(&largest), "{largest}");
    // At the end the encoder says what was asked for, and the load stands off by the slip.
    let start_m = machine.axes[index].motion.start_m;
    assert!((position_m[299] - start_m).abs() < 10e-6);
    assert!((load_m(&rig) - start_m + 200e-6).abs() < 20e-6);
}

#[test]
fn dry_surfaces_raise_friction_with_speed_and_pits_raise_its_ripple_while_its_mean_falls() {
    let healthy = run_with(None, 5);
    let dry = run_with(Some(FaultKind::Lubrication { factor: 2.0 }), 5);
    let pitted = run_with(Some(FaultKind::Spalling { depth: 0.4 }), 5);
    let largest = |rig: &Rig, name: &str| Trace::largest(&rig.traces[rig.index_of(name)].current_a);
    for name in HORIZONTAL {
        let before = friction_and_weight(&healthy, name).0;
        // Coulomb friction takes a quarter of the rise, viscous friction all of it and that of Coulomb.
        let ratio = friction_and_weight(&dry, name).0 / before;
        assert!((1.3..2.0).contains(&ratio), "{name}: {ratio}");
        let ratio = friction_and_weight(&pitted, name).0 / before;
        assert!((0.85..0.95).contains(&ratio), "{name}: {ratio}");
        assert_ne!(largest(&pitted, name), largest(&healthy, name), "{name}");
    }
}

#[test]
fn a_leak_shows_as_slope_of_the_hold_and_ramps_grow() {
    let slope = |rate_pa_per_s: f64, ramp_ns: u64| {
        let machine = press_cell();
        let mut plant = Plant::new(&machine, 1, 1);
        plant.advance_to(0);
        plant.start_of_operation(0);
        if rate_pa_per_s > 0.0 {
            let mut leak = fault("gripper", FaultKind::Leak { rate_pa_per_s }, 0);
            leak.ramp_ns = ramp_ns;
            plant.inject(&leak, leak.at_ns, &machine).unwrap();
        }
        plant.station_mut(0).unwrap().ejector = true;
        plant.advance_to(600_000_000);
        assert!(plant.station(0).unwrap().ejector_feedback());
        let evacuated = plant.station(0).unwrap().true_pressure_pa();
        assert!((22_000.0..28_000.0).contains(&evacuated), "{evacuated}");
        plant.station_mut(0).unwrap().ejector = false;
        plant.advance_to(700_000_000);
        let from = f64::from(plant.station(0).unwrap().pressure_counts());
        plant.advance_to(1_700_000_000);
        let to = f64::from(plant.station(0).unwrap().pressure_counts());
        plant.station_mut(0).unwrap().blow_off = true;
        plant.advance_to(2_000_000_000);
        assert!(plant.station(0).unwrap().true_pressure_pa() > 100_000.0);
        (to - from) * machine.stations[0].pressure_pa_per_count
    };
    let healthy = slope(0.0, 0);
    assert!((200.0..400.0).contains(&healthy), "{healthy}");
    let leaking = slope(1000.0, 0);
    assert!(
        (950.0..1050.0).contains(&(leaking - healthy)),
        "{healthy} {leaking}"
    );
    // Half of a ramp over 2.4 s is there in the middle of the hold at 1.2 s.
    let half = slope(1000.0, 2_400_000_000);
    assert!(
        (450.0..550.0).contains(&(half - healthy)),
        "{healthy} {half}"
    );
}

/// Runs the lift with a fault that grows over `ramp_ns`.
fn lift_with(kind: FaultKind, ramp_ns: u64, cycles: u64) -> Rig {
    let mut rig = Rig::new(press_cell(), 1, 1);
    let machine = rig.machine.clone();
    let mut fault = fault("lift", kind, 0);
    fault.ramp_ns = ramp_ns;
    rig.plant.inject(&fault, 0, &machine).unwrap();
    rig.run(cycles, true);
    rig
}

#[test]
fn a_brake_that_stays_closed_in_part_drags_as_much_both_ways_and_a_ramp_grows() {
    let healthy = Rig::new(press_cell(), 1, 1);
    let rated = rated_a(&healthy, healthy.index_of("lift"));
    let of = |share: f64, ramp_ns: u64| {
        let rig = lift_with(FaultKind::Brake { share }, ramp_ns, 8_000);
        assert_eq!(rig.traces[rig.index_of("lift")].error_code, 0, "{share}");
        friction_and_weight(&rig, "lift")
    };
    let (before, weight) = of(0.0, 0);
    let (after, weight_after) = of(0.1, 0);
    // A brake holds twice the rated force; of it as much as is asked, whatever the speed.
    let drag = (after - before) / rated;
    assert!((0.18..0.21).contains(&drag), "{before} {after}");
    assert!(
        (weight_after - weight).abs() < 0.05 * weight,
        "{weight_after} {weight}"
    );
    // A ramp over twice the run is there by a quarter in the mean.
    let (ramped, _) = of(0.1, 16_000_000_000);
    let share = (ramped - before) / (after - before);
    assert!((0.15..0.4).contains(&share), "{share}");
}

#[test]
fn a_jam_holds_what_stands_until_the_drive_gives_up() {
    let rig = lift_with(FaultKind::Jam { push_m: 0.0 }, 0, 1_500);
    let trace = &rig.traces[rig.index_of("lift")];
    assert!(trace.limited);
    // A following error.
    assert_eq!(trace.error_code, 0x8611);
    let start_m = rig.machine.axes[rig.index_of("lift")].motion.start_m;
    let most = (trace.position_m.iter()).fold(0.0_f64, |most, x| most.max((x - start_m).abs()));
    assert!(most < 0.3e-3, "{most}");
    // What is free goes on.
    let trace = &rig.traces[rig.index_of("cross")];
    assert_eq!(trace.error_code, 0);
    assert!(Trace::largest(&trace.following_m) < 0.4e-3);
}

#[test]
fn a_jam_that_pushes_takes_the_weight_off_the_drive_at_once_or_slowly() {
    // The first 300 ms of a run stand.
    let held_a = |kind: Option<FaultKind>, ramp_ns: u64| {
        let rig = match kind {
            Some(kind) => lift_with(kind, ramp_ns, 295),
            None => run_with(None, 1),
        };
        rig.traces[rig.index_of("lift")].current_a[250..295]
            .iter()
            .sum::<f64>()
            / 45.0
    };
    let before = held_a(None, 0);
    let pushed = held_a(Some(FaultKind::Jam { push_m: 10e-6 }), 0);
    assert!(before > 2.0 && pushed < before - 1.0, "{before} {pushed}");
    let slowly = held_a(Some(FaultKind::Jam { push_m: 10e-6 }), 500_000_000);
    assert!(
        slowly < before - 0.2 && slowly > pushed + 0.5,
        "{before} {slowly} {pushed}"
    );
}

#[test]
fn what_cannot_be_injected_is_refused_with_a_reason() {
    let machine = press_cell();
    let mut plant = Plant::new(&machine, 1, 1);
    let refused = [
        fault("nobody", FaultKind::Friction { factor: 1.2 }, 0),
        fault("infeed", FaultKind::Friction { factor: f64::NAN }, 0),
        fault("infeed", FaultKind::Load { mass_kg: -100.0 }, 0),
        fault("infeed", FaultKind::Backlash { gap_m: 1.0 }, 0),
        fault("infeed", FaultKind::DriveFault { code: 0 }, 0),
        fault("infeed", FaultKind::Leak { rate_pa_per_s: 1.0 }, 0),
        fault(
            "infeed",
            FaultKind::WrongPart {
                part: "bush-a".to_owned(),
            },
            0,
        ),
        fault(
            "press",
            FaultKind::WrongPart {
                part: "nothing".to_owned(),
            },
            0,
        ),
        fault("infeed", FaultKind::MissingPart, 0),
        fault("infeed", FaultKind::EncoderSlip { step_m: 1.0 }, 0),
        fault("infeed", FaultKind::Lubrication { factor: 0.5 }, 0),
        fault("infeed", FaultKind::Spalling { depth: -0.1 }, 0),
        fault("lift", FaultKind::Brake { share: 1.1 }, 0),
        fault("lift", FaultKind::Brake { share: f64::NAN }, 0),
        // It carries no weight and has no brake.
        fault("infeed", FaultKind::Brake { share: 0.1 }, 0),
        fault("lift", FaultKind::Jam { push_m: 0.1 }, 0),
        fault("lift", FaultKind::Jam { push_m: -1e-6 }, 0),
        fault("bus", FaultKind::FrameLoss { count: 3 }, 0),
    ];
    for fault in &refused {
        let reason = plant.inject(fault, fault.at_ns, &machine).unwrap_err();
        assert!(!reason.is_empty(), "{fault:?}");
    }
    let good = fault("infeed", FaultKind::Friction { factor: 1.2 }, 0);
    for _ in 0..MAX_FAULTS {
        plant.inject(&good, 0, &machine).unwrap();
    }
    assert!(plant.inject(&good, 0, &machine).is_err());
    plant.clear_faults();
    assert!(plant.inject(&good, 0, &machine).is_ok());
}
