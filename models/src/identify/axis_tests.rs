//! Tests of the inverse dynamics.

use super::*;

/// A closed form motion with known parameters.
fn record(delay: f64) -> (Vec<f64>, Vec<f64>) {
    record_of(delay, [0.8, 0.7])
}

/// The same with this Coulomb friction in positive and in negative direction (A).
fn record_of(delay: f64, [positive_a, negative_a]: [f64; 2]) -> (Vec<f64>, Vec<f64>) {
    let (t, w) = (0.001, 6.0);
    let current = |time: f64| {
        let v = 0.1 * w * libm::cos(w * time) + 0.04 * 2.3 * w * libm::cos(2.3 * w * time);
        let a =
            -0.1 * w * w * libm::sin(w * time) - 0.04 * 5.29 * w * w * libm::sin(2.3 * w * time);
        let dry = if v > 0.0 { positive_a } else { -negative_a };
        0.3 * a + dry + 0.5 * v + 1.1
    };
    let x = (0..8000)
        .map(|k| {
            0.1 * libm::sin(w * t * f64::from(k)) + 0.04 * libm::sin(2.3 * w * t * f64::from(k))
        })
        .collect();
    let i = (0..8000)
        .map(|k| current(t * (f64::from(k) - delay)))
        .collect();
    (x, i)
}

#[test]
fn parameters_and_delay_come_back() {
    for delay in [0.0, 0.6, 1.4] {
        let (x, i) = record(delay);
        let usable = vec![true; x.len()];
        let r = AxisRecord {
            period_s: 0.001,
            position_m: &x,
            current_a: &i,
            reference_m: &x,
            usable: &usable,
        };
        let fit = fit_axis(&r).expect("well posed");
        assert!((fit.inertia.value - 0.3).abs() < 0.003, "{fit:?}");
        // 0.8 and 0.7 in the two directions: a Coulomb friction of 0.75 and 0.05 more load.
        assert!((fit.coulomb_a.value - 0.75).abs() < 0.02, "{fit:?}");
        assert!((fit.gravity_a.value - 1.15).abs() < 0.02, "{fit:?}");
        assert!(
            (fit.current_delay_s - delay * 0.001).abs() < 1.1e-4,
            "{fit:?}"
        );
    }
}

/// What was searched for has an error too: the delay lies within a few of it, and it grows with the noise.
#[test]
fn the_delay_is_as_uncertain_as_it_is_told() {
    let (x, clean) = record(0.6);
    let usable = vec![true; x.len()];
    let mut state = 5_u64;
    let mut noise = || {
        state = (state.wrapping_mul(6_364_136_223_846_793_005)).wrapping_add(1);
        (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
    };
    let mut before_s = 0.0;
    for size_a in [0.05, 2.0, 10.0] {
        let i: Vec<f64> = clean.iter().map(|i| i + size_a * noise()).collect();
        let fit = fit_axis(&AxisRecord {
            period_s: 0.001,
            position_m: &x,
            current_a: &i,
            reference_m: &x,
            usable: &usable,
        })
        .expect("well posed");
        let error_s = fit.current_delay_error_s.expect("told from the rest");
        let off_s = (fit.current_delay_s - 0.6e-3).abs();
        assert!(off_s <= 4.0 * error_s, "{size_a} A: {off_s} +- {error_s}");
        assert!(
            error_s > before_s && error_s < 2e-3,
            "{size_a} A: {error_s}"
        );
        before_s = error_s;
        // There is no Stribeck effect whose velocity could be uncertain.
        assert_eq!(fit.stribeck_velocity_error_m_per_s, None, "{size_a} A");
    }
}

/// An encoder of coarse steps that are read at uncertain times: over the narrowest window a fifth of the acceleration is noise.
#[test]
fn noise_of_the_position_does_not_make_the_inertia_small() {
    let (clean, i) = record(0.0);
    let usable = vec![true; clean.len()];
    let mut state = 1_u64;
    let mut noise = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
    };
    let coarse: Vec<f64> = clean.iter().map(|x| x + 2.6e-4 * noise()).collect();
    let of = |x: &[f64]| {
        fit_axis(&AxisRecord {
            period_s: 0.001,
            position_m: x,
            current_a: &i,
            reference_m: x,
            usable: &usable,
        })
        .expect("well posed")
    };
    let fit = of(&coarse);
    assert!((fit.inertia.value - 0.3).abs() < 0.01, "{fit:?}");
    assert!((fit.coulomb_a.value - 0.75).abs() < 0.03, "{fit:?}");
    assert!(fit.half_width_s > 0.03, "{fit:?}");
    assert!(fit.warnings.iter().any(|w| w.contains("too coarse")));
    // A fine encoder keeps the window that judges.
    let fine = of(&clean);
    assert!(
        fine.half_width_s < 0.0081 && fine.warnings.is_empty(),
        "{fine:?}"
    );
}

#[test]
fn what_is_missing_is_said() {
    let still = vec![0.5; 500];
    let usable = vec![true; 500];
    let r = AxisRecord {
        period_s: 0.001,
        position_m: &still,
        current_a: &still,
        reference_m: &still,
        usable: &usable,
    };
    assert_eq!(fit_axis(&r), Err(MissingMotion::Still));
}

/// Moves at the given velocities, one after the other, with ramps or without; the current is that of known parameters.
fn moves(velocities: &[f64], ramp: bool) -> (Vec<f64>, Vec<f64>, Vec<bool>) {
    let (mut x, mut v) = (0.0, 0.0_f64);
    let (mut xs, mut is, mut usable) = (Vec::new(), Vec::new(), Vec::new());
    for target in velocities {
        for _ in 0..600 {
            let a = if ramp {
                ((target - v) / 0.001).clamp(-2.0, 2.0)
            } else {
                0.0
            };
            v = if ramp { v + 0.001 * a } else { *target };
            x += 0.001 * v;
            xs.push(x);
            let dry = if v == 0.0 { 0.0 } else { 0.8 * v.signum() };
            is.push(0.3 * a + dry + 0.5 * v + 0.2);
            usable.push(true);
        }
        // Nothing is known of how the velocity got to the next one.
        let end = usable.len() - 1;
        usable[end] = ramp;
    }
    (xs, is, usable)
}

fn missing(velocities: &[f64], ramp: bool) -> Result<AxisFit, MissingMotion> {
    let (x, i, usable) = moves(velocities, ramp);
    fit_axis(&AxisRecord {
        period_s: 0.001,
        position_m: &x,
        current_a: &i,
        reference_m: &x,
        usable: &usable,
    })
}

#[test]
fn each_missing_motion_is_named() {
    use MissingMotion::*;
    let back_and_forth = [0.2, -0.2, 0.1, -0.1];
    assert!(missing(&back_and_forth, true).is_ok());
    assert_eq!(
        missing(&[0.2, 0.1, 0.2, 0.05], true),
        Err(OneDirection { positive: true })
    );
    assert_eq!(
        missing(&[-0.2, -0.1, -0.2], true),
        Err(OneDirection { positive: false })
    );
    assert_eq!(missing(&[0.2, -0.2, 0.2, -0.2], false), Err(OneSpeed));
    assert!(matches!(missing(&[0.2], false), Err(OneDirection { .. })));
    let (x, mut i, usable) = moves(&back_and_forth, true);
    let of = |x: &[f64], i: &[f64], n: usize| {
        fit_axis(&AxisRecord {
            period_s: 0.001,
            position_m: &x[..n],
            current_a: &i[..n],
            reference_m: &x[..n],
            usable: &usable[..n],
        })
    };
    assert!(matches!(of(&x, &i, 150), Err(Short { .. })));
    i.iter_mut().for_each(|i| *i = -*i);
    assert_eq!(of(&x, &i, x.len()), Err(Inertia));
    i.fill(0.4);
    assert_eq!(of(&x, &i, x.len()), Err(ConstantCurrent));
}

/// Steady speeds, a few of them: friction is known, the mass rests on the noise of the encoder alone.
#[test]
fn a_mass_without_acceleration_is_a_warning() {
    let fit = missing(&[0.2, -0.2, 0.1, -0.1, 0.15, -0.15], false).expect("friction is known");
    let told = fit.warnings.join("; ");
    assert!(
        told.contains("mass is poorly identified") && told.contains("more acceleration"),
        "{told}"
    );
    assert!((fit.coulomb_a.value - 0.8).abs() < 0.01, "{fit:?}");
}

fn all_of<'a>(x: &'a [f64], i: &'a [f64], usable: &'a [bool]) -> AxisRecord<'a> {
    AxisRecord {
        period_s: 0.001,
        position_m: x,
        current_a: i,
        reference_m: x,
        usable,
    }
}

/// A fifth more friction in one direction than in the other: with the load known both are found, and without it half of the difference is load.
#[test]
fn a_load_that_is_known_tells_the_directions_apart() {
    for by_direction in [[0.9, 0.75], [0.75, 0.9]] {
        let [positive_a, negative_a] = by_direction;
        let (x, i) = record_of(0.0, by_direction);
        let usable = vec![true; x.len()];
        let r = all_of(&x, &i, &usable);
        let fit = fit_axis_under(&r, 1.1).expect("well posed");
        let negative = fit.coulomb_negative_a.expect("the load is known");
        assert!((fit.coulomb_a.value - positive_a).abs() < 0.02, "{fit:?}");
        assert!((negative.value - negative_a).abs() < 0.02, "{fit:?}");
        assert!((fit.inertia.value - 0.3).abs() < 0.003, "{fit:?}");
        let load = Estimate {
            value: 1.1,
            ..Estimate::default()
        };
        assert_eq!((fit.gravity_a, fit.known_a()), (load, Some(1.1)));
        assert_eq!(fit.one_way, None);
        assert_eq!(fit.common()[3], negative);

        let sought = fit_axis(&r).expect("well posed");
        let half_a = 0.5 * (positive_a - negative_a);
        assert!((sought.coulomb_a.value - 0.825).abs() < 0.02, "{sought:?}");
        assert!(
            (sought.gravity_a.value - 1.1 - half_a).abs() < 0.02,
            "{sought:?}"
        );
        assert_eq!((sought.coulomb_negative_a, sought.known_a()), (None, None));
        assert_eq!(sought.common()[3], sought.gravity_a);
        // Both are the same explanation of what moves.
        for (a, b) in explain(&r, &fit).iter().zip(explain(&r, &sought)) {
            assert!((a.predicted_a - b.predicted_a).abs() < 0.15, "{a:?} {b:?}");
        }
    }
}

/// With noise each direction lies within a few of its own errors, and these grow with it.
#[test]
fn each_direction_is_as_uncertain_as_it_is_told() {
    let (x, clean) = record_of(0.0, [0.9, 0.75]);
    let usable = vec![true; x.len()];
    for seed in 1..=4_u64 {
        let mut state = seed;
        let mut noise = || {
            state = (state.wrapping_mul(6_364_136_223_846_793_005)).wrapping_add(1);
            (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
        };
        let mut before_a = [0.0; 2];
        for size_a in [0.5, 5.0] {
            let i: Vec<f64> = clean.iter().map(|i| i + size_a * noise()).collect();
            let fit = fit_axis_under(&all_of(&x, &i, &usable), 1.1).expect("well posed");
            let negative = fit.coulomb_negative_a.expect("the load is known");
            let both = [fit.coulomb_a, negative];
            for ((one, truth), before_a) in both.iter().zip([0.9, 0.75]).zip(&mut before_a) {
                let off = (one.value - truth).abs();
                // The window blurs a reversal, by less than two hundredths of an ampere.
                assert!(
                    off < 4.0 * one.standard_error + 0.02,
                    "seed {seed}, {size_a} A: {fit:?}"
                );
                assert!(
                    one.standard_error > *before_a && one.standard_error < 0.2,
                    "seed {seed}, {size_a} A: {fit:?}"
                );
                *before_a = one.standard_error;
            }
        }
    }
}

/// With the load known one direction is enough for its own friction; of the other nothing is found, and a free run is none.
#[test]
fn one_direction_is_enough_where_the_load_is_known() {
    for (velocities, positive) in [
        ([0.2, 0.1, 0.2, 0.05], true),
        ([-0.2, -0.1, -0.2, -0.05], false),
    ] {
        let (x, clean, usable) = moves(&velocities, true);
        let mut state = 3_u64;
        let i: Vec<f64> = clean
            .iter()
            .map(|i| {
                state = (state.wrapping_mul(6_364_136_223_846_793_005)).wrapping_add(1);
                i + 0.1 * ((state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5)
            })
            .collect();
        let r = all_of(&x, &i, &usable);
        assert_eq!(fit_axis(&r), Err(MissingMotion::OneDirection { positive }));
        let fit = fit_axis_under(&r, 0.2).expect("its own friction is known");
        assert_eq!(fit.one_way, Some(positive));
        let other = fit.coulomb_negative_a.expect("the load is known");
        assert!((fit.coulomb_a.value - 0.8).abs() < 0.02, "{fit:?}");
        assert!(
            (other.value / fit.coulomb_a.value - 1.0).abs() < 1e-3,
            "{fit:?}"
        );
        let apart = other.standard_error / fit.coulomb_a.standard_error - 1.0;
        assert!(apart.abs() < 0.05, "{fit:?}");
        assert!(fit.coulomb_a.standard_error > 0.0, "{fit:?}");
        let start = crate::identify::parameters(&fit);
        let free = crate::identify::fit_output_error(&r, &fit, start, true);
        assert!(free.is_err_and(|why| why.contains("one direction only")));
    }
    // What else a recording lacks is still said.
    let (x, mut i, usable) = moves(&[0.2], false);
    for (k, i) in i.iter_mut().enumerate() {
        *i += 1e-3 * (k % 7) as f64;
    }
    let one_speed = fit_axis_under(&all_of(&x, &i, &usable), 0.2);
    assert_eq!(one_speed, Err(MissingMotion::OneSpeed));
}
