//! What becomes of Coulomb friction by direction: found, kept or taken to be the same, and what is said of it.

use super::super::parameters::rows;
use super::*;
use twinstep_models::identify::Estimate;

/// Constant load that every fit here has (N).
const LOAD_N: f64 = 4.0;

/// The first axis of the press cell: with this Coulomb friction in its twin (N), or without one, and with this stated gravity (N).
fn axis(was_n: Option<[f64; 2]>, stated_gravity_n: Option<f64>) -> Axis {
    let machine =
        twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").expect("shipped");
    let mut axis = machine.axes[0].clone();
    axis.stated_gravity_n = stated_gravity_n;
    axis.twin = axis
        .twin
        .zip(was_n)
        .map(|(twin, [positive_n, negative_n])| AxisTwin {
            coulomb_positive_n: positive_n,
            coulomb_negative_n: negative_n,
            ..twin
        });
    axis
}

/// A fit that found these (N): where gravity was sought, the first of them in both directions.
fn found(axis: &Axis, [positive_n, negative_n]: [f64; 2]) -> AxisFit {
    let kf = force_constant(axis);
    let one = |value: f64| Estimate {
        value,
        standard_error: 0.01,
        naive_error: 0.005,
    };
    let stated = axis.stated_gravity_n.map(|gravity_n| Estimate {
        value: gravity_n / kf,
        ..Estimate::default()
    });
    AxisFit {
        inertia: one(0.1),
        coulomb_a: one(positive_n / kf),
        coulomb_negative_a: stated.map(|_| one(negative_n / kf)),
        viscous: one(0.2),
        gravity_a: stated.unwrap_or_else(|| one(LOAD_N / kf)),
        ..AxisFit::default()
    }
}

fn near(twin: &AxisTwin, [positive_n, negative_n, gravity_n]: [f64; 3]) {
    let off = [
        twin.coulomb_positive_n - positive_n,
        twin.coulomb_negative_n - negative_n,
        twin.gravity_n - gravity_n,
    ];
    assert!(off.iter().all(|off| off.abs() < 1e-9), "{twin:?}");
}

#[test]
fn where_gravity_is_stated_it_stays_and_both_directions_are_written() {
    for was_n in [None, Some([28.0, 28.0]), Some([20.0, 30.0])] {
        let axis = axis(was_n, Some(5.3));
        let fit = found(&axis, [30.0, 24.0]);
        let twin = twin_of(&axis, &fit);
        near(&twin, [30.0, 24.0, 5.3]);
        // To the bit: it is no finding.
        assert_eq!(twin.gravity_n.to_bits(), 5.3_f64.to_bits());
        assert_eq!(directions(&axis, &fit), None);
        let words = rows(axis.twin.as_ref(), &twin, &fit);
        let names: Vec<_> = words.iter().map(|row| row.word.name).collect();
        let all = [
            "mass",
            "coulomb positive",
            "coulomb negative",
            "viscous",
            "gravity (stated)",
        ];
        assert_eq!(names, all);
        let places: Vec<_> = words.iter().map(|row| row.place).collect();
        assert_eq!(places, [Some(0), Some(1), Some(3), Some(2), None]);
        assert_eq!(words[2].was, was_n.map(|[_, negative_n]| negative_n));
    }
}

#[test]
fn where_gravity_is_sought_there_is_one_figure_and_one_row() {
    for was_n in [None, Some([28.0, 28.0])] {
        let axis = axis(was_n, None);
        let fit = found(&axis, [20.0, 0.0]);
        let twin = twin_of(&axis, &fit);
        let kf = force_constant(&axis);
        let both = [twin.coulomb_positive_n, twin.coulomb_negative_n];
        assert_eq!(both, [kf * fit.coulomb_a.value; 2]);
        assert_eq!(twin.gravity_n, kf * fit.gravity_a.value);
        assert_eq!(directions(&axis, &fit), None);
        let words = rows(axis.twin.as_ref(), &twin, &fit);
        let names: Vec<_> = words.iter().map(|row| row.word.name).collect();
        assert_eq!(names, ["mass", "coulomb", "viscous", "gravity"]);
    }
}

/// Three to two by hand: what moves is explained as before, forward and backward.
#[test]
fn a_ratio_that_somebody_wrote_is_kept_and_said() {
    let axis = axis(Some([30.0, 20.0]), None);
    let fit = found(&axis, [20.0, 0.0]);
    let mut twin = twin_of(&axis, &fit);
    near(&twin, [24.0, 16.0, LOAD_N - 4.0]);
    let said = directions(&axis, &fit).expect("both cannot be found");
    assert!(said.contains("their ratio is kept"), "{said}");
    let words = rows(axis.twin.as_ref(), &twin, &fit);
    assert_eq!(words[1].word.name, "coulomb positive");
    assert_eq!(
        (words[2].word.name, words[2].was),
        ("coulomb negative", Some(20.0))
    );
    // The weighted mean with the output error is put in the same way.
    let kf = force_constant(&axis);
    let was_n = coulomb_n(&twin);
    put(&mut twin, &fit, [0.1, 10.0 / kf, 0.2, 0.0], Some(was_n));
    near(&twin, [12.0, 8.0, -2.0]);
}

#[test]
fn a_direction_that_was_not_moved_is_left_as_it_was_or_taken_to_be_the_same() {
    for (was_n, positive, written, says) in [
        (
            Some([30.0, 20.0]),
            true,
            [26.0, 20.0],
            "in negative direction is left at 20.0000 N",
        ),
        (
            Some([30.0, 20.0]),
            false,
            [30.0, 26.0],
            "in positive direction is left at 30.0000 N",
        ),
        (
            None,
            true,
            [26.0, 26.0],
            "in negative direction is taken to be the same",
        ),
    ] {
        let axis = axis(was_n, Some(0.0));
        let mut fit = found(&axis, [26.0, 26.0]);
        fit.one_way = Some(positive);
        let twin = twin_of(&axis, &fit);
        near(&twin, [written[0], written[1], 0.0]);
        let said = directions(&axis, &fit).expect("one is missing");
        assert!(said.contains(says), "{said}");
        let words = rows(axis.twin.as_ref(), &twin, &fit);
        let place = if positive { 2 } else { 1 };
        assert_eq!(words[place].place, None, "{words:?}");
        assert!(words[3 - place].place.is_some(), "{words:?}");
    }
}

#[test]
fn directions_that_are_far_apart_put_the_stated_gravity_in_doubt() {
    for (negative_n, doubted) in [(29.0, false), (11.0, false), (9.0, true), (-1.0, true)] {
        let axis = axis(None, Some(0.0));
        let fit = found(&axis, [30.0, negative_n]);
        let said = directions(&axis, &fit);
        assert_eq!(said.is_some(), doubted, "{negative_n}: {said:?}");
        if let Some(said) = said {
            let half = format!("off by {:.4} N", 0.5 * (30.0 - negative_n));
            assert!(said.contains(&half), "{said}");
        }
        // Friction cannot drive.
        assert!(twin_of(&axis, &fit).coulomb_negative_n >= 0.0);
    }
}
