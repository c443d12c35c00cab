//! Tests of the output error on free runs of the very mechanics: the truth is known.

use super::super::{fit_axis, fit_axis_under};
use super::*;
use crate::axis::cascade::mechanics;

const PERIOD_S: f64 = 0.001;
const TRUTH: Parameters = [0.3, 0.8, 0.5, 0.2];

/// A motion of the mechanics under a current of several tones; dry friction makes it stop now and then.
fn record(n: usize) -> (Vec<f64>, Vec<f64>) {
    record_of(n, [TRUTH[1]; 2])
}

/// The same with this Coulomb friction in positive and in negative direction (A).
fn record_of(n: usize, [positive_a, negative_a]: [f64; 2]) -> (Vec<f64>, Vec<f64>) {
    let lane = LaneParams::new(
        &[AxisParams {
            inertia: TRUTH[0],
            coulomb_positive_a: positive_a,
            coulomb_negative_a: negative_a,
            viscous: TRUTH[2],
            gravity_a: TRUTH[3],
            ..AxisParams::IDLE
        }],
        PERIOD_S,
    );
    let current: Vec<f64> = (0..n)
        .map(|k| {
            let t = PERIOD_S * k as f64;
            0.2 + 2.0 * libm::sin(3.0 * t) + 1.5 * libm::sin(7.1 * t + 0.4)
        })
        .collect();
    let (mut x, mut v) = (0.1, 0.0);
    let mut positions = Vec::new();
    for i in &current {
        positions.push(x);
        for _ in 0..SUBSTEPS {
            (x, v) = mechanics(&lane, 0, x, v, *i, 0.0, lane.step_s);
        }
    }
    // Noise of a current sensor, always the same.
    let mut state = 7_u64;
    let measured = current.iter().map(|i| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        i + 0.2 * ((state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5)
    });
    (positions, measured.collect())
}

fn fits(
    x: &[f64],
    i: &[f64],
    start: impl Fn(Parameters) -> Parameters,
) -> (AxisFit, OutputErrorFit) {
    let usable = vec![true; x.len()];
    let r = AxisRecord {
        period_s: PERIOD_S,
        position_m: x,
        current_a: i,
        reference_m: x,
        usable: &usable,
    };
    let fit = fit_axis(&r).expect("well posed");
    let from = start(parameters(&fit));
    let other = fit_output_error(&r, &fit, from, true).expect("converges");
    (fit, other)
}

#[test]
fn the_truth_comes_back_from_any_start_and_both_ways_agree() {
    let (x, i) = record(8000);
    let mut minima: Vec<Parameters> = Vec::new();
    for factors in [[1.0; 4], [1.3; 4], [0.7; 4], [1.3, 0.7, 1.3, 0.7]] {
        let (fit, other) = fits(&x, &i, |p| std::array::from_fn(|c| factors[c] * p[c]));
        for (found, truth) in other.estimates.iter().zip(TRUTH) {
            assert!(
                (found.value / truth - 1.0).abs() < 0.02,
                "{factors:?}: {other:?}"
            );
        }
        minima.push(other.estimates.map(|e| e.value));
        let agreement = agreement(&fit, &other);
        let combined = agreement
            .combined
            .unwrap_or_else(|| panic!("{agreement:?}, {fit:?}, {other:?}"));
        assert!((combined[0] / TRUTH[0] - 1.0).abs() < 0.01, "{combined:?}");
    }
    for other in &minima {
        for (a, b) in other.iter().zip(minima[0]) {
            assert!((a / b - 1.0).abs() < 5e-4, "one minimum: {minima:?}");
        }
    }
}

#[test]
fn a_bent_parameter_is_no_agreement() {
    let (x, i) = record(8000);
    let (fit, mut other) = fits(&x, &i, |p| p);
    for c in 0..COMMON {
        other.covariance[c] = fit.covariance[c];
    }
    other.estimates[1].value = fit.coulomb_a.value + 30.0 * fit.coulomb_a.standard_error;
    let agreement = agreement(&fit, &other);
    assert!(
        (agreement.distance[1] - 30.0 / 2.0_f64.sqrt()).abs() < 1e-9,
        "{agreement:?}"
    );
    assert!(30.0 * fit.coulomb_a.standard_error > NEGLIGIBLE * fit.coulomb_a.value);
    assert_eq!(agreement.combined, None);
}

#[test]
fn a_gap_starts_a_new_free_run() {
    let (x, i) = record(3000);
    let mut usable = vec![true; 3000];
    usable[1500] = false;
    usable[2900..].fill(false);
    let r = AxisRecord {
        period_s: PERIOD_S,
        position_m: &x,
        current_a: &i,
        reference_m: &x,
        usable: &usable,
    };
    assert_eq!(stretches(&r), [(0, 1500), (1501, 2900)]);
}

/// Directions that differ by a fifth come back from free runs too, where the load is known; the load stays what was said.
#[test]
fn both_directions_come_back_where_the_load_is_known() {
    let truth = [TRUTH[0], 0.88, TRUTH[2], 0.72];
    let (x, i) = record_of(8000, [truth[1], truth[3]]);
    let usable = vec![true; x.len()];
    let r = AxisRecord {
        period_s: PERIOD_S,
        position_m: &x,
        current_a: &i,
        reference_m: &x,
        usable: &usable,
    };
    let fit = fit_axis_under(&r, TRUTH[3]).expect("well posed");
    for factors in [[1.0; 4], [1.3, 0.7, 1.3, 0.7]] {
        let start: Parameters = std::array::from_fn(|c| factors[c] * parameters(&fit)[c]);
        let other = fit_output_error(&r, &fit, start, true).expect("converges");
        for (found, truth) in other.estimates.iter().zip(truth) {
            assert!(
                (found.value / truth - 1.0).abs() < 0.02,
                "{factors:?}: {other:?}"
            );
            assert!(
                found.standard_error > 0.0 && found.standard_error < 0.1 * truth,
                "{factors:?}: {other:?}"
            );
        }
        let agreement = agreement(&fit, &other);
        assert!(
            agreement.distance.iter().all(|d| d.is_finite()),
            "{agreement:?}"
        );
        if let Some(combined) = agreement.combined {
            for (combined, truth) in combined.iter().zip(truth) {
                assert!((combined / truth - 1.0).abs() < 0.03, "{agreement:?}");
            }
        }
    }
    // Where the load is sought it takes half of the difference.
    let alike = fit_axis(&r).expect("well posed");
    assert!(
        (alike.gravity_a.value - TRUTH[3] - 0.08).abs() < 0.03,
        "{alike:?}"
    );
}

/// Braked by current and friction it stops where a parabola ends, and goes back from there, whatever of a substep is left.
#[test]
fn an_axis_stops_and_turns_within_a_substep() {
    let friction_a = 0.8;
    let lane = LaneParams::new(
        &[AxisParams {
            inertia: 0.5,
            coulomb_positive_a: friction_a,
            coulomb_negative_a: friction_a,
            ..AxisParams::IDLE
        }],
        PERIOD_S,
    );
    let rest_s = |v: f64, brake: f64| lane.step_s - v / brake;
    for s in [1.0, -1.0] {
        // Held: 0.8 A of friction and 0.3 A against the motion; its end is held by friction alone.
        let (v, brake) = (1e-4, (0.3 + friction_a) / 0.5);
        let (x, after) = moved(&lane, 0, (0.0, s * v), -s * 0.3);
        assert!((x - s * v * v / (2.0 * brake)).abs() < 1e-15, "{x}");
        assert_eq!(after, 0.0);
        assert_eq!(moved(&lane, 0, (x, 0.0), -s * 0.3), (x, 0.0));
        // Driven back: 2 A against the motion.
        let brake = (2.0 + friction_a) / 0.5;
        let back = (2.0 - friction_a) / 0.5;
        let left_s = rest_s(v, brake);
        let (x, after) = moved(&lane, 0, (0.0, s * v), -s * 2.0);
        let expected = v * v / (2.0 * brake) - 0.5 * back * left_s * left_s;
        assert!((x - s * expected).abs() < 1e-15, "{x} {expected}");
        assert!((after + s * back * left_s).abs() < 1e-15, "{after}");
    }
}

/// The parameters change by next to nothing, and so does where the run ends: no staircase that a search could stand on.
#[test]
fn the_sum_of_squares_is_smooth_where_an_axis_stops_and_turns() {
    let (x, i) = record(8000);
    let usable = vec![true; x.len()];
    let r = AxisRecord {
        period_s: PERIOD_S,
        position_m: &x,
        current_a: &i,
        reference_m: &x,
        usable: &usable,
    };
    let fit = fit_axis(&r).expect("well posed");
    let runs = FreeRuns::new(&r, &fit, true);
    // Off by a fifth: what is left is more than rounding.
    let at = |n: i32| {
        let mut p = SVector::from(TRUTH);
        p[1] *= 1.2 + 1e-4 * f64::from(n);
        runs.residuals(&p).norm_squared()
    };
    let sums: Vec<f64> = (0..40).map(at).collect();
    // Second differences of a parabola are alike; those of a staircase have either sign.
    let bends: Vec<f64> = sums.windows(3).map(|w| w[0] - 2.0 * w[1] + w[2]).collect();
    let slope = (sums[39] - sums[0]) / 39.0;
    let most = bends.iter().fold(0.0_f64, |m, b| m.max(b.abs()));
    println!("slope {slope:e} a step, bends up to {most:e}");
    assert!(most < 0.05 * slope.abs(), "{most} {slope}");
}
