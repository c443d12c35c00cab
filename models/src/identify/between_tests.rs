//! Recordings of one axis whose friction shifts between them: the error that is told is that of many such sets.

use super::super::fit_axis;
use super::*;
use crate::health::trend::tests::normal;

const PERIOD_S: f64 = 0.005;
const INERTIA: f64 = 0.3;
/// Samples of a recording.
const LENGTH: usize = 600;

/// Recordings one after the other: their own motion each, friction that shifts by `shift_a`, white noise of the current.
fn set(count: usize, shift_a: f64, seed: &mut u64) -> (Vec<f64>, Vec<f64>, Vec<usize>) {
    let (mut x, mut i, mut starts) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..count {
        starts.push(x.len());
        let shift = shift_a * normal(seed);
        let (slow, phase) = (2.0 + 0.6 * normal(seed), normal(seed));
        // Recordings accelerate differently, each all the time: a level of friction looks like inertia.
        let pace = [0.2, 0.8, 0.5][n % 3];
        let way = if n % 2 == 0 { 1.0 } else { -1.0 };
        for k in 0..LENGTH {
            let t = PERIOD_S * k as f64;
            let angle = slow * t + phase;
            let (s, c) = (libm::sin(angle), libm::cos(angle));
            let v = way * (pace * t + 0.05 * c);
            let a = way * (pace - 0.05 * slow * s);
            x.push(way * (0.5 * pace * t * t + 0.05 * s / slow));
            let sign = if v > 0.0 { 1.0 } else { -1.0 };
            let friction = 0.8 + shift;
            i.push(INERTIA * a + friction * sign + 0.5 * v + 0.1 + 0.3 * normal(seed));
        }
    }
    (x, i, starts)
}

/// The inertia of a set, its error within recordings, and that between them.
fn found(x: &[f64], i: &[f64], starts: &[usize]) -> (f64, f64, Option<f64>) {
    let usable: Vec<bool> = (0..x.len())
        .map(|k| !starts.contains(&(k + 1)) && !starts.contains(&k))
        .collect();
    let r = AxisRecord {
        period_s: PERIOD_S,
        position_m: x,
        current_a: i,
        reference_m: x,
        usable: &usable,
    };
    let fit = fit_axis(&r).expect("well posed");
    let between = errors_between(&r, &fit, starts);
    let inertia = fit.inertia;
    (inertia.value, inertia.standard_error, between.map(|e| e[0]))
}

#[test]
fn a_shift_from_recording_to_recording_is_in_the_error_between_them_alone() {
    let (sets, mut seed) = (20, 11);
    let (mut square, mut within, mut between) = (0.0, 0.0, 0.0);
    for _ in 0..sets {
        let (x, i, starts) = set(6, 0.05, &mut seed);
        let (inertia, inside, across) = found(&x, &i, &starts);
        let across = across.expect("six recordings");
        let off = inertia - INERTIA;
        square += off * off / f64::from(sets);
        within += inside * inside / f64::from(sets);
        between += across * across / f64::from(sets);
    }
    let [told, missed] = [between, within].map(|v| (v / square).sqrt());
    println!("between {told}, within {missed} of the error of {sets} sets, seed 11");
    assert!((0.5..1.6).contains(&told), "{told}");
    assert!(missed < 0.7, "{missed}");
}

#[test]
fn alike_recordings_differ_by_what_is_within_them_and_two_say_nothing() {
    let mut seed = 5;
    let (mut within, mut between) = (0.0, 0.0);
    for _ in 0..8 {
        let (x, i, starts) = set(6, 0.0, &mut seed);
        let (_, inside, across) = found(&x, &i, &starts);
        let across = across.expect("six recordings");
        within += inside * inside;
        between += across * across;
    }
    let ratio = (between / within).sqrt();
    println!("between over within {ratio}, seed 5");
    assert!((0.4..2.0).contains(&ratio), "{ratio}");
    let (x, i, starts) = set(2, 0.05, &mut seed);
    assert_eq!(found(&x, &i, &starts).2, None);
}
