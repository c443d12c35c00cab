//! A drive whose gains are known, as drives are: loops at 16 kHz, filters, an encoder with noise and steps, torque in per mille.

use super::super::noise::Noise;
use super::*;

const DT: f64 = 62.5e-6;
const INERTIA: f64 = 0.37;
const TABLE: GainTable = GainTable {
    position_gain_per_s: 60.0,
    velocity_gain: 140.0,
    integral_time_s: 0.018,
    current_time_constant_s: 0.0004,
    current_filter_s: 0.0008,
};

struct Recorded {
    x: Vec<f64>,
    i: Vec<f64>,
    r: Vec<f64>,
}

/// Acceleration of a move that goes there and back in 2 s, with pauses, at `share` of the full speed.
fn acceleration(t: f64, share: f64) -> f64 {
    let at = t % 1.0;
    let direction = if t % 2.0 < 1.0 { 1.0 } else { -1.0 };
    // Up and down again within 0.2 s each, rounded: a jerk that is no step.
    let bump = |from: f64| {
        let p = (at - from) / 0.2;
        if (0.0..1.0).contains(&p) {
            0.5 * (1.0 - libm::cos(core::f64::consts::TAU * p))
        } else {
            0.0
        }
    };
    direction * share * 8.0 * (bump(0.1) - bump(0.6))
}

/// 24 s of a drive with these gains, at a share of full speed.
fn recorded(kx: f64, kv: f64, ti: f64, seed: u64, share: f64) -> Recorded {
    let mut noise = Noise::new(seed);
    let mut bell = move || (0..4).map(|_| noise.uniform() - 0.5).sum::<f64>() * 1.732;
    let count = 1.43e-7;
    let (mut x, mut v, mut i, mut q) = (0.0, 0.0, 0.0, 0.0);
    let (mut demand, mut seen, mut filtered, mut before) = (0.0, 0.0, 0.0, 0.0);
    let (mut r, mut rv) = (0.0, 0.0);
    let mut targets = [0.0_f64; 4];
    let mut out = Recorded {
        x: Vec::new(),
        i: Vec::new(),
        r: Vec::new(),
    };
    let strength = 0.8 + 0.1 * bell();
    for k in 0..24_000 {
        let t = f64::from(k) * 1e-3;
        let a = acceleration(t, share);
        r += 1e-3 * (rv + 0.5e-3 * a);
        rv += 1e-3 * a;
        // What is told now acts at the next sample.
        out.r.push(r);
        out.x.push(before);
        out.i.push((filtered / 0.005_f64).round() * 0.005);
        let [_, t0, t1, t2] = targets;
        for n in 0..16 {
            let s = f64::from(n) / 16.0;
            let (d0, bend) = (t1 - t0, t2 - 2.0 * t1 + t0);
            let reference = 0.5 * (t0 + t1) + (d0 + 0.5 * bend * s) * s;
            let speed = (d0 + bend * s) / 1e-3;
            let measured = i + 0.0075 * bell();
            i += (1.0 - libm::exp(-DT / 0.0004)) * (demand - measured);
            filtered += (1.0 - libm::exp(-DT / 0.00083)) * (measured - filtered);
            let error = speed + kx * (reference - before) - seen;
            demand = kv * (error + q);
            q += DT / ti * error;
            let push = (i - 0.02 * v) / INERTIA * DT;
            let brake = strength / INERTIA * DT;
            let free: f64 = v + push;
            v = if free.abs() > brake {
                free - brake * free.signum()
            } else {
                0.0
            };
            x += v * DT;
            let now = ((x / count) + 0.4 * bell()).floor() * count;
            seen += (1.0 - libm::exp(-DT / 0.00025)) * ((now - before) / DT - seen);
            before = now;
        }
        targets = [targets[1], targets[2], targets[3], r];
    }
    out
}

fn fit(one: &Recorded) -> Result<GainsFit, String> {
    let usable = vec![true; one.x.len()];
    let record = AxisRecord {
        period_s: 0.001,
        position_m: &one.x,
        current_a: &one.i,
        reference_m: &one.r,
        usable: &usable,
    };
    fit_gains(&record, &TABLE)
}

#[test]
fn gains_come_back_within_their_intervals() {
    let (mut inside, mut all) = (0, 0);
    for (kx, kv) in [
        (60.0, 140.0),
        (80.0, 140.0),
        (60.0, 100.0),
        (45.0, 190.0),
        (80.0, 100.0),
    ] {
        for seed in 0..6 {
            let said = format!("position {kx}, velocity {kv}, seed {seed}");
            let found = fit(&recorded(kx, kv, 0.018, seed, 1.0));
            let found = found.unwrap_or_else(|why| panic!("{said}: {why}"));
            println!("{said}: {found:?}");
            for (one, truth) in [(found.position_gain_per_s, kx), (found.velocity_gain, kv)] {
                let off = (one.value - truth).abs();
                assert!(off < 4.0 * one.standard_error, "{said}: {one:?}");
                assert!(one.standard_error < 0.02 * truth, "{said}: {one:?}");
                all += 1;
                inside += usize::from(off < 2.0 * one.standard_error);
            }
            let right = (kx, kv) == (60.0, 140.0);
            assert_eq!(found.contradicts(), !right, "{said}: {found:?}");
        }
    }
    // Two standard errors hold 95 % of them.
    assert!(20 * inside >= 19 * all, "{inside} of {all}");
}

#[test]
fn an_integral_time_that_is_another_is_found_too() {
    for seed in 0..4 {
        let found = fit(&recorded(60.0, 140.0, 0.008, seed, 1.0)).expect("rich");
        println!("seed {seed}: {found:?}");
        let time = found.integral_time_s.expect("contradicts");
        for (one, truth) in [
            (time, 0.008),
            (found.position_gain_per_s, 60.0),
            (found.velocity_gain, 140.0),
        ] {
            let off = (one.value - truth).abs();
            assert!(off < 3.0 * one.standard_error, "seed {seed}: {one:?}");
            assert!(one.standard_error < 0.03 * truth, "seed {seed}: {one:?}");
        }
        assert!(found.contradicts(), "{found:?}");
    }
}

#[test]
fn what_does_not_move_tells_nothing_and_says_what_is_missing() {
    let why = fit(&recorded(60.0, 140.0, 0.018, 1, 0.0)).expect_err("still");
    assert!(why.contains("never move"), "{why}");
    let why = fit(&recorded(60.0, 140.0, 0.018, 1, 0.002)).expect_err("creeps");
    assert!(why.contains("record faster moves in csp"), "{why}");
}

/// A table whose integral time is a little off must not make another position gain of it: `1 / Ti` is about as large here. Nor with a
/// velocity gain that is another.
#[test]
fn an_integral_time_that_is_a_little_off_does_not_go_into_the_position_gain() {
    for kv in [140.0, 100.0] {
        for (ti, seed) in [(0.014, 1), (0.014, 2), (0.016, 3), (0.022, 4), (0.025, 5)] {
            match fit(&recorded(60.0, kv, ti, seed, 1.0)) {
                Ok(found) => {
                    println!("{kv} A s/m, {ti} s, seed {seed}: {found:?}");
                    let off = (found.position_gain_per_s.value - 60.0).abs();
                    let near = off < 3.0 * found.position_gain_per_s.standard_error;
                    assert!(near || !found.another[0], "{ti} s, seed {seed}: {found:?}");
                    let told = kv == TABLE.velocity_gain || found.another[1];
                    assert!(told, "{ti} s, seed {seed}: {found:?}");
                }
                Err(why) => {
                    println!("{kv} A s/m, {ti} s, seed {seed}: {why}");
                    assert!(why.contains("integral time"), "{ti} s, seed {seed}: {why}");
                }
            }
        }
    }
}

#[test]
fn a_drive_without_an_integral_is_not_told_with_that_of_the_table() {
    for seed in 0..6 {
        match fit(&recorded(120.0, 140.0, 1e9, seed, 1.0)) {
            Ok(found) => {
                println!("seed {seed}: {found:?}");
                let kx = found.position_gain_per_s;
                let near = (kx.value - 120.0).abs() < 3.0 * kx.standard_error;
                assert!(near || !found.another[0], "seed {seed}: {found:?}");
            }
            Err(why) => println!("seed {seed}: {why}"),
        }
    }
}
