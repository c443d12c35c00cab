//! Wear that begins some time after the record did, through the trackers that follow it: the life that is told is the one that is left.

use super::super::movement::tests::moved;
use super::super::scalar::ScalarTracker;
use super::super::tracker::{COULOMB, PARAMETERS, Tracker, VISCOUS};
use super::super::trend::tests::normal;
use super::super::trend::{Reservoir, trend};
use super::*;

/// Movements of a record.
const MOVEMENTS: u32 = 600;

/// What wears.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wears {
    Coulomb,
    Viscous,
    /// Lost motion, from crossings: one in three movements tells it.
    Backlash,
}

impl Wears {
    /// What all values may be wrong by together, relative to the way to the limit: as a run takes it of friction that may rise by half, and of a
    /// gap where the shares of the inertia are not stated.
    fn error(self) -> f64 {
        match self {
            Self::Coulomb => 0.06,
            Self::Viscous => 0.2,
            Self::Backlash => 0.11,
        }
    }
}

/// The record of a value that rises from 0 to 1 times its life's way once `begins` of it is over, `seen` of that at its end; and the
/// movements that are left.
fn record(wears: Wears, begins: f64, seen: f64, seed: u64) -> (Points, f64) {
    let all = f64::from(MOVEMENTS);
    let ramp = (1.0 - begins) * all / seen;
    let (mut tracker, mut scalar) = (Tracker::default(), ScalarTracker::default());
    let (mut reservoir, mut seed) = (Reservoir::default(), seed);
    for k in 0..MOVEMENTS {
        let gone = (f64::from(k) - begins * all).max(0.0) / ramp;
        if wears == Wears::Backlash {
            if k % 3 == 0 {
                scalar.push(100.0 * gone + 8.0 * normal(&mut seed), 8.0, 0.5);
                reservoir.push(f64::from(k), 1.0 + 0.005 * scalar.x, 0.005 * scalar.sigma());
            }
            continue;
        }
        let place = if wears == Wears::Coulomb {
            COULOMB
        } else {
            VISCOUS
        };
        let mut change = [0.0; PARAMETERS];
        change[place] = 0.5 * gone;
        let direction = if k % 2 == 0 { 1.0 } else { -1.0 };
        // No two movements are alike: another speed, another load.
        let jitter = 0.02 * normal(&mut seed);
        change[place] += jitter;
        tracker.update(&moved(direction, change, || 0.03 * normal(&mut seed)));
        if tracker.ready() {
            reservoir.push(f64::from(k), 1.0 + tracker.x[place], tracker.sigma(place));
        }
    }
    (reservoir.points(), ramp + begins * all - all)
}

/// Would show a ramp that is told to end long before it does because it began late, or that is not told at all before it has lasted as long as
/// what was even before it.
#[test]
fn a_ramp_that_begins_late_is_told_on_time() {
    for wears in [Wears::Coulomb, Wears::Viscous, Wears::Backlash] {
        for begins in [0.0, 1.0 / 3.0, 2.0 / 3.0] {
            let (mut ratios, mut inside, mut early) = (Vec::new(), 0, 0);
            let cases = 60;
            for case in 0..cases {
                let seen = 0.4 + 0.1 * f64::from(case % 5);
                let (points, left) = record(wears, begins, seen, 1000 + u64::from(case as u16));
                let life = uncertain_life(&points, 1.0, 1.5, wears.error(), f64::from(MOVEMENTS));
                let Ok([low, middle, high]) = life else {
                    continue;
                };
                ratios.push(middle / left);
                inside += i32::from(low <= left && left <= high);
                early += i32::from(high < left);
            }
            ratios.sort_by(f64::total_cmp);
            let known = ratios.len();
            let middle = ratios.get(known / 2).copied().unwrap_or(f64::NAN);
            let said = format!(
                "{wears:?} from {begins:.2} on: {known} of {cases} known, {inside} inside, {early} told too early, middle {middle:.2} of what is left"
            );
            println!("{said}");
            // Where all values may be wrong by a fifth the upper end is often too far to be told.
            assert!(known as i32 >= cases / 2, "{said}");
            assert!((0.8..1.25).contains(&middle), "{said}");
            assert!(f64::from(inside) >= 0.8 * known as f64, "{said}");
        }
    }
}

/// Would show lives of machines that do not wear: a begin that is chosen among many fits noise too.
#[test]
fn what_does_not_wear_has_no_life_however_it_wanders() {
    for (correlation, most) in [(0.0_f64, 3), (0.8, 12), (0.95, 40)] {
        let (mut found, mut straight) = (0, 0);
        for seed in 0..1000 {
            let (mut r, mut seed, mut value) = (Reservoir::default(), seed, 0.0);
            for k in 0..300 {
                value = correlation * value
                    + libm::sqrt(1.0 - correlation * correlation) * normal(&mut seed);
                r.push(f64::from(k), value, 1.0);
            }
            let points = r.points();
            straight += i32::from(trend(&points).is_some_and(|t| t.significant));
            found += i32::from(life(&points, 0.0, 5.0, 300.0) != Err(Unknown::NoTrend));
        }
        println!("correlation {correlation}: {straight} straight, {found} in all, of 1000");
        assert!(found >= straight && found <= most, "{correlation}: {found}");
    }
}
