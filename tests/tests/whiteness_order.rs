//! Why innovations are whitened with one coefficient and no more: friction that is imposed on the EMPS record at some moment, found by window and
//! CUSUM of the current whitened by autoregressions of several orders, each with no alarm on the healthy record.
//!
//! Two coefficients leave less correlation, and lose what is looked for: friction that is up is slow, and so is what they take out.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::path::Path;
use twinstep_config::machine::Machine;
use twinstep_drivers::recording::RecordingBus;
use twinstep_host::pass;
use twinstep_host::plan::PlanStore;
use twinstep_models::innovation::{SLACK, WINDOW_WEIGHT};
use twinstep_tests::recordings;
use twinstep_tests::run::{Place, shipped};

/// Cycles in which the machine may still be anywhere, as `calibrate` leaves them out.
const SKIP_CYCLES: u64 = 1000;
/// Friction of the machine (N, N s/m) and force of its drive input (N/V).
const COULOMB_N: f64 = 20.47;
const VISCOUS_N_S_PER_M: f64 = 203.6;
const GAIN_N_PER_V: f64 = 35.150_651_882_485_47;
/// Cycles over which a velocity is taken.
const WIDE: usize = 4;
/// Cycles from which on friction is up: all are in motion, or come to one soon.
const FROM: [u64; 10] = [1500, 2500, 3500, 4500, 5500, 6500, 7500, 8500, 9500, 10_500];
const ORDERS: [usize; 3] = [1, 2, 4];

/// Cycles and innovations of the current that were judged, without gaps.
fn innovations(machine: &Machine, store: &PlanStore, path: &Path) -> Vec<(u64, f64)> {
    let mut bus = RecordingBus::open(path, machine).unwrap();
    let mut state = store.state();
    let mut pipeline = store.pipeline(&mut state);
    let mut all = Vec::new();
    pass::over(&mut bus, &mut pipeline, |pipeline, stamp, readings| {
        let (Some(predicted), Some(Ok(r))) = (pipeline.compared(0), readings.first()) else {
            return;
        };
        if stamp.cycle >= SKIP_CYCLES && pipeline.judged(0) {
            all.push((stamp.cycle, r.current_a - predicted[2]));
        }
    });
    assert!(
        all.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1),
        "gaps"
    );
    all
}

/// The record with a share of its friction more on the drive signal from a row on.
fn harder(text: &str, share: f64, from: u64) -> String {
    let (head, rows) = text.split_once('\n').unwrap();
    let cells: Vec<[f64; 4]> = rows
        .lines()
        .map(|row| {
            let mut cells = row.split(',').map(|cell| cell.trim().parse().unwrap());
            std::array::from_fn(|_| cells.next().unwrap())
        })
        .collect();
    let mut text = format!("{head}\n");
    for (k, [time, reference, position, drive]) in cells.iter().enumerate() {
        let (a, b) = (k.saturating_sub(WIDE), (k + WIDE).min(cells.len() - 1));
        let velocity = (cells[b][2] - cells[a][2]) / ((b - a) as f64 * 1e-3);
        let friction_n =
            COULOMB_N * (velocity / 1e-3).clamp(-1.0, 1.0) + VISCOUS_N_S_PER_M * velocity;
        let more = if k as u64 >= from {
            share * friction_n / GAIN_N_PER_V
        } else {
            0.0
        };
        text += &format!("{time},{reference},{position},{}\n", drive + more);
    }
    text
}

/// An autoregression, and what it leaves (A).
struct Whitening {
    coefficients: Vec<f64>,
    sigma: f64,
}

impl Whitening {
    /// By Levinson's recursion on the autocovariances.
    fn fit(e: &[f64], order: usize) -> Self {
        let covariance =
            |k: usize| -> f64 { e.iter().zip(&e[k..]).map(|(x, then)| x * then).sum() };
        let r: Vec<f64> = (0..=order).map(covariance).collect();
        let (mut a, mut left) = (Vec::<f64>::new(), r[0]);
        for k in 1..=order {
            let explained: f64 = a.iter().enumerate().map(|(j, a)| a * r[k - 1 - j]).sum();
            let new = (r[k] - explained) / left;
            let back: Vec<f64> = a.iter().rev().copied().collect();
            for (a, back) in a.iter_mut().zip(back) {
                *a -= new * back;
            }
            a.push(new);
            left *= 1.0 - new * new;
        }
        let mut fit = Self {
            coefficients: a,
            sigma: 1.0,
        };
        let square: f64 = fit.of(e).iter().map(|y| y * y).sum();
        fit.sigma = (square / e.len() as f64).sqrt();
        fit
    }

    fn of(&self, e: &[f64]) -> Vec<f64> {
        let one = |k: usize| {
            let before = e[..k].iter().rev().zip(&self.coefficients);
            (e[k] - before.map(|(e, a)| a * e).sum::<f64>()) / self.sigma
        };
        (0..e.len()).map(one).collect()
    }

    /// Window and the larger sum after every cycle.
    fn detectors(&self, e: &[f64]) -> Vec<[f64; 2]> {
        let (mut window, mut up, mut down) = (0.0, 0.0_f64, 0.0_f64);
        (self.of(e).iter())
            .map(|y| {
                window += WINDOW_WEIGHT * (y * y - window);
                up = (up + y - SLACK).max(0.0);
                down = (down - y - SLACK).max(0.0);
                [window, up.max(down)]
            })
            .collect()
    }
}

/// How many of the faults are found, and the cycles to the middle one of them all; none where fewer than half are found.
fn delays(found: &[Option<u64>]) -> (usize, Option<u64>) {
    let mut all: Vec<u64> = found.iter().map(|f| f.unwrap_or(u64::MAX)).collect();
    all.sort_unstable();
    let middle = all[all.len() / 2];
    (
        found.iter().flatten().count(),
        Some(middle).filter(|m| *m < u64::MAX),
    )
}

#[test]
fn one_coefficient_finds_friction_sooner_than_more_of_them() {
    let Some(folder) = recordings("one_coefficient_finds_friction_sooner_than_more_of_them") else {
        return;
    };
    let text = std::fs::read_to_string(shipped("emps.toml")).unwrap();
    let machine = twinstep_config::load(&text, "emps.toml").unwrap();
    let store = PlanStore::new(&machine);
    let record = folder.join("emps/emps_first_half.csv");
    let healthy: Vec<f64> = (innovations(&machine, &store, &record).iter())
        .map(|(_, e)| *e)
        .collect();
    let whitenings = ORDERS.map(|order| Whitening::fit(&healthy, order));
    let shipped = store.plan().axes[0].whitened[1].unwrap();
    assert!(
        (whitenings[0].coefficients[0] - shipped.correlation).abs() < 1e-3
            && (whitenings[0].sigma / shipped.sigma - 1.0).abs() < 0.01,
        "the shipped whitening is {shipped:?}"
    );
    let largest = whitenings.each_ref().map(|whitening| {
        let all = whitening.detectors(&healthy);
        let largest = |d: usize| all.iter().fold(0.0_f64, |most, both| most.max(both[d]));
        [largest(0), largest(1)]
    });
    let place = Place::new();
    let text = std::fs::read_to_string(&record).unwrap();
    for (share, least) in [(0.05, ORDERS.len() - 1), (0.1, 0)] {
        let mut found: [Vec<Option<u64>>; ORDERS.len()] = Default::default();
        for from in FROM {
            let path = place.file("harder.csv", harder(&text, share, from));
            let (cycles, e): (Vec<u64>, Vec<f64>) =
                innovations(&machine, &store, &path).into_iter().unzip();
            for ((whitening, largest), found) in whitenings.iter().zip(largest).zip(&mut found) {
                let all = whitening.detectors(&e);
                let beyond = |both: &[f64; 2]| both[0] > largest[0] || both[1] > largest[1];
                let first = all.iter().position(beyond).map(|k| cycles[k]);
                assert!(first.is_none_or(|first| first >= from), "before the fault");
                found.push(first.map(|first| first - from));
            }
        }
        let found = found.map(|found| delays(&found));
        for (order, (count, middle)) in ORDERS.into_iter().zip(found) {
            println!(
                "{} % of friction, order {order}: {count} of {} found, in the middle after {middle:?} cycles",
                100.0 * share,
                FROM.len()
            );
        }
        let [(count, one), others @ ..] = found;
        assert_eq!(count, FROM.len(), "{share}: {found:?}");
        assert!(
            others
                .iter()
                .all(|(_, other)| other.is_none_or(|other| Some(other) > one)),
            "{share}: with more than one coefficient sooner, {found:?}"
        );
        let blind = others.iter().filter(|(count, _)| *count == 0).count();
        assert!(blind >= least, "{share}: {found:?}");
    }
}
