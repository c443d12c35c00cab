use super::*;
use crate::machine::{
    AxisTwin, Cascade, FigureLaw, FigureOf, HealthyInnovation, OperationMode, OperationModes,
    RegimeBaseline, RegimePaces,
};
use crate::tests::without_twins;

fn twin() -> AxisTwin {
    AxisTwin {
        force_constant_n_per_a: 0.1 + 0.2,
        mass_kg: 1.0 / 3.0,
        coulomb_positive_n: 12.5,
        coulomb_negative_n: 1e-7,
        viscous_n_s_per_m: 1e6 / 7.0,
        stribeck_n: 0.0,
        stribeck_velocity_m_per_s: 1e-3,
        gravity_n: -3.1648,
        cascade: Some(Cascade {
            position_gain_per_s: 60.5,
            velocity_gain_a_s_per_m: 140.25,
            integral_gain_a_per_m: 7000.1,
            velocity_feedforward: 1.0,
            dead_time_s: 1.37e-3,
            reference_delay_s: Some(2.5e-3),
            limit_a: 10.0,
            current_time_constant_s: 4e-4,
            current_filter_s: 8e-4,
            sampled: true,
        }),
        cascade_off: None,
        noise: Some(twinstep_models::kalman::AxisNoise {
            position_m: 2.7e-8,
            position_walk: 1.0 / 7.0,
            velocity_walk: 0.0,
            disturbance_walk: 12.3,
        }),
        current_delay_s: 8.1e-4,
        load_lag_s: 0.016,
        baseline: vec![
            baseline(
                FigureOf::CurrentLoad,
                "constant_speed_negative",
                -1e-3,
                None,
            ),
            baseline(
                FigureOf::CurrentLoad,
                "constant_speed_positive",
                0.0,
                Some(LAW),
            ),
            baseline(FigureOf::CurrentLoad, "standstill_negative", 1.7, Some(LAW)),
            RegimeBaseline {
                stage: 4,
                ..baseline(
                    FigureOf::CurrentLoad,
                    "standstill_negative",
                    1.0 / 3.0,
                    None,
                )
            },
            baseline(FigureOf::Disturbance, "acceleration", -0.1, Some(LAW)),
            baseline(
                FigureOf::Ripple,
                "constant_speed_positive",
                1.0 / 3.0,
                Some(LAW),
            ),
        ],
        modes: OperationModes::NONE.with(OperationMode::Velocity),
        paces: vec![
            paces("constant_speed_positive", 0.0, 1.0 / 3.0),
            paces("acceleration", 1e-7, 12.0),
        ],
        position_limit_m: Some(4.9e-8),
        velocity_limit_m_per_s: Some(0.01),
        current_limit_a: Some(0.013),
        innovations: [
            Some(innovation(1.7e-9)),
            None,
            Some(innovation(0.004)),
            Some(HealthyInnovation {
                cusum: None,
                ..innovation(1.0 / 7.0)
            }),
        ],
    }
}

const LAW: FigureLaw = FigureLaw {
    freedom: 17.3,
    figures: 60.0,
    record_s: 179.1,
};

fn baseline(of: FigureOf, regime: &str, mean_a: f64, law: Option<FigureLaw>) -> RegimeBaseline {
    RegimeBaseline {
        of,
        regime: regime.into(),
        only: Default::default(),
        stage: 0,
        mean_a,
        sigma_a: 0.02,
        law,
    }
}

fn paces(regime: &str, least: f64, most: f64) -> RegimePaces {
    RegimePaces {
        regime: regime.into(),
        only: Default::default(),
        paces: twinstep_models::blocks::Paces { least, most },
    }
}

fn innovation(sigma: f64) -> HealthyInnovation {
    let tail = twinstep_models::tail::Tail {
        threshold: 3.0 / 7.0,
        scale: 1e-7,
        shape: -0.1 - 0.2,
        beyond_shape: 0.1,
        clusters: 61.0,
        record_s: 179.5,
        largest: 5.1,
        reach: 0.1,
        raised: twinstep_models::tail::RAISE,
    };
    HealthyInnovation {
        correlation: -1.0 / 3.0,
        sigma,
        fast_limit: Some(tail),
        window: None,
        cusum: Some(twinstep_models::tail::Tail {
            reach: 1.0,
            raised: twinstep_models::tail::Tail::raise_of(1.0, 61.0),
            ..tail
        }),
    }
}

fn healthy() -> crate::machine::Healthy {
    let load = |load_a| crate::machine::HealthyLoad {
        load_a,
        figures: [1.0 / 3.0, 1.7e-4, 0.0, 0.0125, 0.07],
    };
    crate::machine::Healthy {
        movements: 50,
        degrees_of_freedom: 8.0,
        movement_time_s: 12.96,
        load_sigma_a: 0.1 + 0.2,
        figure_sigmas: [0.013, 0.25, 1.0 / 7.0, 0.3, 0.06],
        family_sigmas: [0.9, 0.8, 1.1],
        loads: vec![load(-0.2), load(1e-7)],
        speeds: Some(twinstep_models::blocks::Paces {
            least: 1.0 / 7.0,
            most: 0.2,
        }),
    }
}

#[test]
fn what_was_learnt_of_movements_reads_back_the_same() {
    let mut machine = crate::load(crate::PRESS_CELL, "press-cell.toml").unwrap();
    let at = crate::PRESS_CELL.find("[axis.drive]").unwrap();
    let (before, after) = crate::PRESS_CELL.split_at(at);
    let text =
        format!("{before}[axis.signature]\nscrew_lead = \"5mm\"\nsettle = \"1.5s\"\n\n{after}");
    machine.axes[0].signature = Some(crate::machine::SignatureSettings {
        screw_lead_m: 0.005,
        settle_s: 1.5,
    });
    machine.axes[0].healthy = Some(healthy());
    let merged = apply_patch(&text, &twin_patch(&machine)).unwrap();
    assert_eq!(crate::load(&merged, "merged").unwrap(), machine);
    // A second calibration replaces the first.
    let again = apply_patch(&merged, &twin_patch(&machine)).unwrap();
    assert_eq!(again, merged);
}

fn calibrated() -> Machine {
    let mut machine = crate::load(crate::PRESS_CELL, "press-cell.toml").unwrap();
    for axis in &mut machine.axes {
        axis.twin = Some(twin());
    }
    machine.presses[0].axis.twin = Some(AxisTwin {
        cascade: None,
        cascade_off: Some("no cascade predicts better than the last value".to_owned()),
        noise: None,
        baseline: Vec::new(),
        ..twin()
    });
    for part in &mut machine.parts {
        part.twin = Some(PartTwin {
            // Forces are written to the millinewton.
            envelope: Some(Envelope {
                x_min_m: 0.1495,
                x_max_m: 0.1549,
                lower_n: std::array::from_fn(|n| n as f64 - 0.125),
                upper_n: std::array::from_fn(|n| n as f64 + 0.125),
            }),
            contact_m: 0.149_987,
            stiffness_n_per_m: 1.61e6,
            factor: None,
        });
    }
    machine.stations[0].twin = Some(StationTwin {
        final_pressure_pa: 25_010.0,
        evacuation_time_constant_s: 0.0812,
        valve_delay_s: Some(0.0143),
        leak_pa_per_s: 301.7,
        leak_sigma_pa_per_s: 11.0,
        pressure_limit_pa: Some(9.1),
        pressure_tail: innovation(1.7).fast_limit.map(|tail| (1.0 / 3.0, tail)),
        noise_pa: Some(2.5),
    });
    machine
}

#[test]
fn a_patch_brings_every_twin_back_bit_for_bit() {
    let machine = calibrated();
    let patch = twin_patch(&machine);
    let merged = apply_patch(crate::PRESS_CELL, &patch).unwrap();
    assert_eq!(crate::load(&merged, "merged").unwrap(), machine);
    // Once more: the twins are replaced, not doubled, and nothing moves.
    assert_eq!(apply_patch(&merged, &patch).unwrap(), merged);
}

#[test]
fn the_rest_of_the_configuration_stays() {
    let patch = twin_patch(&calibrated());
    let bare = without_twins(crate::PRESS_CELL);
    for (base, what) in [
        (bare.as_str(), "without twins"),
        (crate::PRESS_CELL, "as shipped"),
    ] {
        let merged = apply_patch(base, &patch).unwrap();
        assert_ne!(merged, base, "{what}");
        assert_eq!(without_twins(&merged), bare, "{what}");
    }
    // The comments and the order are a text's, and this one has both.
    assert!(bare.contains("\n# Belt that brings the housings in.\n[[axis]]\nname = \"infeed\"\n"));
}

#[test]
fn a_comment_above_a_twin_stays() {
    let base = r#"# Whose machine this is.
[machine]
name = "x"

[cycle]
period = "1ms"

[[axis]]
name = "a"

# From the commissioning run in May.
# Published: 12 kg.
[axis.twin]
mass = "10kg" # of the old twin, and replaced with it
coulomb_positive = "1N"
coulomb_negative = "1N"
viscous = "1N s/m"

# The next one has no twin yet.
[[axis]]
name = "b"

# How it was recorded.
[recording]
time = { column = "t" }

[[recording.axis]]
axis = "a"
position = { column = "p" }
current = { column = "f", unit = "N" }

[[recording.axis]]
axis = "b"
position = { column = "q" }
current = { column = "g", unit = "N" }
"#;
    let mut machine = crate::load(base, "base").unwrap();
    for axis in &mut machine.axes {
        axis.twin = Some(AxisTwin {
            force_constant_n_per_a: 1.0,
            ..twin()
        });
    }
    let patch = twin_patch(&machine);
    let merged = apply_patch(base, &patch).unwrap();
    assert_eq!(crate::load(&merged, "merged").unwrap(), machine);
    for kept in [
        "# Whose machine this is.\n[machine]\n",
        "\n\n# From the commissioning run in May.\n# Published: 12 kg.\n[axis.twin]\nmass = ",
        "\n\n# The next one has no twin yet.\n[[axis]]\nname = \"b\"\n\n[axis.twin]\n",
        "\n\n# How it was recorded.\n[recording]\n",
    ] {
        assert!(merged.contains(kept), "{kept}\nis not in\n{merged}");
    }
    assert!(!merged.contains("10kg") && !merged.contains("old twin"));
    // However often it is calibrated.
    assert_eq!(apply_patch(&merged, &patch).unwrap(), merged);
}

#[test]
fn an_old_twin_is_replaced_as_a_whole() {
    let merged = apply_patch(crate::PRESS_CELL, &twin_patch(&calibrated())).unwrap();
    let mut machine = calibrated();
    machine.axes[0].twin = Some(AxisTwin {
        cascade: None,
        noise: None,
        baseline: Vec::new(),
        mass_kg: 7.0,
        ..twin()
    });
    let patch = twin_patch(&machine);
    let again = apply_patch(&merged, &patch).unwrap();
    assert_eq!(crate::load(&again, "again").unwrap(), machine);
}

#[test]
fn a_force_stays_a_force() {
    let base = include_str!("../../machines/emps.toml");
    let mut machine = crate::load(base, "emps.toml").unwrap();
    machine.axes[0].twin = Some(AxisTwin {
        force_constant_n_per_a: 1.0,
        ..twin()
    });
    let merged = apply_patch(base, &twin_patch(&machine)).unwrap();
    assert_eq!(crate::load(&merged, "merged").unwrap(), machine);
}

#[test]
fn inline_tables_are_patched_too() {
    let base = r#"
machine = { name = "x" }
cycle = { period = "1ms" }
axis = [{ name = "a" }, { name = "b" }] # two
recording = { time = { column = "t" }, axis = [
    { axis = "a", position = { column = "p" }, current = { column = "i" } },
    { axis = "b", position = { column = "q" }, current = { column = "j" } },
] }
"#;
    let mut machine = crate::load(base, "base").unwrap();
    machine.axes[1].twin = Some(twin());
    let merged = apply_patch(base, &twin_patch(&machine)).unwrap();
    assert!(merged.contains("# two"));
    assert_eq!(crate::load(&merged, "merged").unwrap(), machine);
}

#[test]
fn a_patch_that_does_not_fit_is_refused() {
    for (patch, words) in [
        (
            "[[axis]]\nname = \"nobody\"\n[axis.twin]\n",
            "has no [[axis]] \"nobody\"",
        ),
        (
            "[[axis]]\nname = \"infeed\"\n",
            "is not just `name` with `twin`, `recipe_twin`, `press_twin` or `healthy`",
        ),
        (
            "[[axis]]\nname = \"infeed\"\nasset_id = \"x\"\n[axis.twin]\n",
            "is not just",
        ),
        ("[machine]\nname = \"other\"\n", "cannot hold `machine`"),
        ("[[axis]\n", ""),
        (
            "[[axis]]\nname = \"infeed\"\n[axis.twin]\nmass = \"3kg\"\n",
            "[axis.twin] needs the key",
        ),
    ] {
        let error = apply_patch(crate::PRESS_CELL, patch).unwrap_err();
        assert!(error.plain().contains(words), "{patch}: {}", error.plain());
    }
}
