use super::super::simulate::{Outcome, Settings, simulate};
use super::servo::MAGNET_PER_K;
use super::*;
use twinstep_config::machine::Machine;
use twinstep_models::servo::Thermal;
use twinstep_models::servo::thermal::{Node, ThermalPlan};

/// A motor that has more than the axes of the cell ask for.
pub(in crate::whatif) fn ample() -> Motor {
    Motor {
        resistance_ohm: 0.8,
        inductance_h: 0.005,
        pole_pairs: 4.0,
        dc_link_v: 560.0,
        amplitude_per_a: std::f64::consts::SQRT_2,
        thermal_resistance_k_per_w: 0.5,
        thermal_time_constant_s: 1500.0,
        ambient_c: 40.0,
        winding_limit_c: 155.0,
    }
}

fn cell(motor: Motor) -> Machine {
    let mut machine =
        twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
    let presses = machine.presses.iter_mut().map(|press| &mut press.axis);
    for axis in machine.axes.iter_mut().chain(presses) {
        axis.motor = Some(motor);
    }
    machine
}

fn outcome(machine: &Machine) -> Outcome {
    let one_round = Settings {
        time_s: None,
        band_m: 50e-6,
        keep: false,
    };
    simulate(machine, &one_round).unwrap()
}

#[test]
fn with_voltage_to_spare_the_servo_in_full_draws_what_the_kernel_says() {
    let all = outcome(&cell(ample()));
    assert_eq!(all.len(), 9);
    for axis in all.iter().flatten() {
        let motor = axis.motor.clone().unwrap().unwrap();
        println!(
            "{}: {:.4} A, servo {motor:?}",
            axis.source,
            axis.whole.rms_a()
        );
        // A winding at 60 degrees has magnets that are some per cent weaker.
        let weaker = 1.0 + MAGNET_PER_K * (motor.winding_c - RATED_C);
        let off = motor.rms_a * weaker / axis.whole.rms_a() - 1.0;
        assert!(off.abs() < 0.05, "{}: {off}", axis.source);
        assert!(
            motor.voltage_share > 0.0 && motor.voltage_share < 1.0,
            "{motor:?}"
        );
        assert_eq!((motor.limited_share, motor.limit_after_s), (0.0, None));
        assert!(motor.winding_c > 40.0, "{motor:?}");
    }
}

#[test]
fn a_converter_without_the_voltage_is_seen() {
    let needed = |axis: &super::super::simulate::AxisResult| {
        let motor = axis.motor.clone().unwrap().unwrap();
        motor.voltage_share * 560.0
    };
    let carriage = |machine: &Machine| {
        let all = outcome(machine);
        let found = all
            .into_iter()
            .flatten()
            .find(|axis| axis.source == "carriage");
        found.unwrap()
    };
    let needed_v = needed(&carriage(&cell(ample())));
    let motor = Motor {
        dc_link_v: 0.9 * needed_v,
        ..ample()
    };
    let axis = carriage(&cell(motor));
    let motor = axis.motor.clone().unwrap().unwrap();
    assert!(
        motor.limited_share > 0.0 && motor.limited_share < 0.9,
        "{motor:?}"
    );
    let exceeded = super::super::verdict::exceeded(&axis);
    assert_eq!(exceeded, [super::super::verdict::Limit::Voltage]);
    let said = super::super::verdict::verdict(&axis, 50e-6);
    assert!(said.contains("the converter has not the voltage"), "{said}");
}

/// The closed form against the servo's own winding, stepped second by second.
#[test]
fn a_winding_ends_where_its_own_model_does_and_reaches_its_limit_when_that_does() {
    for squared_a2 in [10.0, 60.0, 90.0, 130.0, 400.0] {
        let motor = ample();
        let heat = Heat::new(&motor, squared_a2);
        let thermal = Thermal {
            winding: Node {
                capacity_j_per_k: 1500.0 / 0.5,
                resistance_k_per_w: 0.5,
            },
            housing: None,
            ambient_c: 40.0,
        };
        let plan = ThermalPlan::new(&thermal, 1.0);
        let mut state = thermal.cold();
        let loss_w = |c: f64| 1.5 * 0.8 * (1.0 + COPPER_PER_K * (c - RATED_C)) * squared_a2;
        let mut reached_s = None;
        for second in 1..200_000 {
            plan.advance(&mut state, loss_w);
            if state.winding_c >= 155.0 && reached_s.is_none() {
                reached_s = Some(f64::from(second));
            }
        }
        let end_c = heat.ends_at_c();
        println!("{squared_a2} A2: {end_c} {state:?} {reached_s:?}");
        assert!((end_c - state.winding_c).abs() < 0.05, "{end_c} {state:?}");
        match (heat.reaches_after_s(155.0), reached_s) {
            (Some(said_s), Some(seen_s)) => {
                assert!((said_s - seen_s).abs() < 2.0, "{said_s} {seen_s}");
            }
            (None, None) => {}
            other => panic!("{squared_a2}: {other:?}"),
        }
    }
}

#[test]
fn what_cannot_be_computed_says_why() {
    let mut machine = cell(ample());
    machine.axes[0].drive.feed_m_per_rev = 50.0;
    if let Some(cascade) = machine.axes[1]
        .twin
        .as_mut()
        .and_then(|t| t.cascade.as_mut())
    {
        cascade.sampled = true;
    }
    machine.axes[2].effort_unit = twinstep_config::machine::EffortUnit::Newton;
    let all = outcome(&machine);
    let why = |n: usize| all[n].as_ref().unwrap().motor.clone().unwrap().unwrap_err();
    assert!(why(0).contains("pinion_radius_m"), "{}", why(0));
    assert!(why(2).contains("holds a force"), "{}", why(2));
    assert_eq!(why(1), "its drive closes its loops once a cycle");
}
