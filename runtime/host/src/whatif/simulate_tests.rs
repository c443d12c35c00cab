use super::*;

const ONE_ROUND: Settings = Settings {
    time_s: None,
    band_m: 50e-6,
    keep: false,
};

fn machine() -> Machine {
    twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap()
}

fn result<'a>(outcome: &'a Outcome, name: &str) -> &'a AxisResult {
    let all = outcome.iter().flatten();
    let mut found = all.filter(|axis| axis.source == name);
    found.next().unwrap()
}

#[test]
fn every_axis_of_the_press_cell_runs_its_round_within_its_limits() {
    let outcome = simulate(&machine(), &ONE_ROUND).unwrap();
    assert_eq!(outcome.iter().flatten().count(), 9);
    for axis in outcome.iter().flatten() {
        assert!(axis.whole.peak_a < axis.limit_a, "{axis:?}");
        assert_eq!(axis.whole.limited, 0, "{}", axis.source);
        assert!(axis.whole.rms_a() > 0.0 && axis.whole.following_error_m < 2e-3);
        let samples = axis.round.length_s / axis.period_s;
        assert!((axis.whole.samples as f64 - samples).abs() <= 1.0);
        assert!(
            axis.moves.iter().all(|one| one.repetitions == 1),
            "{axis:?}"
        );
    }
}

#[test]
fn the_same_machine_gives_the_same_bits_and_longer_is_the_same_round_again() {
    let machine = machine();
    let once = simulate(&machine, &ONE_ROUND).unwrap();
    assert_eq!(once, simulate(&machine, &ONE_ROUND).unwrap());
    let longer = Settings {
        time_s: Some(60.0),
        ..ONE_ROUND
    };
    let longer = simulate(&machine, &longer).unwrap();
    for axis in once.iter().flatten() {
        let other = result(&longer, &axis.source);
        let (a, b) = (axis.whole.rms_a(), other.whole.rms_a());
        assert!((b / a - 1.0).abs() < 0.1, "{}: {a} {b}", axis.source);
        assert!((other.measured_s - 60.0).abs() < 1e-9);
    }
}

#[test]
fn a_press_meets_the_parts_of_its_recipe() {
    let outcome = simulate(&machine(), &ONE_ROUND).unwrap();
    let press = result(&outcome, "press");
    let strokes = press.round.moves.len() / 3;
    let pressing: Vec<f64> = (press.moves.iter().skip(1).step_by(3))
        .map(|one| one.figures.part_n)
        .collect();
    assert_eq!(pressing.len(), strokes);
    assert!(pressing.iter().all(|n| *n > 5e3), "{pressing:?}");
    let approaches = press.moves.iter().step_by(3);
    assert!(approaches.clone().all(|one| one.figures.part_n == 0.0));
    assert!(press.whole.part_j > 15.0, "{}", press.whole.part_j);
}

#[test]
fn what_cannot_be_computed_says_why() {
    let mut machine = machine();
    machine.axes[0].twin = None;
    machine.axes[1].motion.program.clear();
    if let Some(twin) = &mut machine.axes[2].twin {
        twin.cascade = None;
    }
    let outcome = simulate(&machine, &ONE_ROUND).unwrap();
    let reasons: Vec<&str> = (outcome.iter())
        .filter_map(|one| one.as_ref().err().map(|left| left.reason))
        .collect();
    assert_eq!(reasons.len(), 3);
    assert!(reasons[0].contains("no twin") && reasons[1].contains("no motion program"));
    assert!(reasons[2].contains("no cascade"));
}

#[test]
fn too_many_cycles_are_refused() {
    let mut machine = machine();
    machine.cycle.period_ns = 31_250;
    let longer = Settings {
        time_s: Some(3600.0),
        ..ONE_ROUND
    };
    let error = simulate(&machine, &longer).unwrap_err();
    assert!(error.in_a_line().contains("--for"), "{}", error.in_a_line());
}
