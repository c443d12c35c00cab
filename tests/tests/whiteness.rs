//! What whitening leaves of the one-cycle innovations of a real axis: autocorrelation before and after, on the EMPS record.
//!
//! Window and CUSUM look at `y = (e - a e') / sigma`, as if it were white. Of `n` white figures an autocorrelation has the standard error
//! `1 / sqrt(n)`, whatever the lag: of forty, two channels at twenty lags, all are within [`Z`] of them 99 times in 100. What is beyond that is
//! no chance. It is printed, and `docs/false-alarms.md` has the figures; thresholds do not suppose that there is none, because the tails are
//! learnt from the detectors' own clusters.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::path::Path;
use twinstep_config::machine::Machine;
use twinstep_drivers::recording::RecordingBus;
use twinstep_drivers::rng::Rng;
use twinstep_host::pass;
use twinstep_host::plan::PlanStore;
use twinstep_models::innovation::{
    NEXT, WHITENED, WHITENED_CHANNELS, WINDOW_WEIGHT, Watch, WatchParams, Whitened,
};
use twinstep_models::lane::ZERO;
use twinstep_tests::recordings;
use twinstep_tests::run::shipped;

/// Lags that are looked at.
const LAGS: usize = 20;
/// Standard errors within which all autocorrelations of both channels are by chance, 99 times in 100: the normal law at 1 - 0.01 / 80.
const Z: f64 = 3.66;
/// Cycles in which the machine may still be anywhere, as `calibrate` leaves them out.
const SKIP_CYCLES: u64 = 1000;
/// The largest autocorrelation that whitening leaves: what was measured on the record, and a tenth of it more.
const LEFT: [f64; WHITENED] = [0.29, 0.41];

/// One channel, in stretches without gaps.
type Stretches = Vec<Vec<f64>>;

/// Innovations of position and current that were judged.
fn innovations(machine: &Machine, store: &PlanStore, path: &Path) -> [Stretches; WHITENED] {
    let mut bus = RecordingBus::open(path, machine).unwrap();
    let mut state = store.state();
    let mut pipeline = store.pipeline(&mut state);
    let mut all: [Stretches; WHITENED] = Default::default();
    let mut joined = false;
    pass::over(&mut bus, &mut pipeline, |pipeline, stamp, readings| {
        let judged = stamp.cycle >= SKIP_CYCLES && pipeline.judged(0);
        let (true, Some(predicted), Some(Ok(r))) = (judged, pipeline.compared(0), readings.first())
        else {
            joined = false;
            return;
        };
        let measured = [r.position_m, r.velocity_m_per_s, r.current_a];
        for (stretches, c) in all.iter_mut().zip(WHITENED_CHANNELS) {
            if !joined {
                stretches.push(Vec::new());
            }
            (stretches.last_mut().unwrap()).push(measured[c] - predicted[c]);
        }
        joined = true;
    });
    all
}

/// What is left, by the formula of the module that whitens.
fn whitened(stretches: &[Vec<f64>], by: &Whitened) -> Stretches {
    let one = |stretch: &Vec<f64>| {
        let before = std::iter::once(&0.0).chain(stretch);
        (stretch.iter().zip(before))
            .map(|(e, before)| (e - by.correlation * before) / by.sigma)
            .collect::<Vec<f64>>()
    };
    stretches.iter().map(one).collect()
}

/// Autocorrelations at the lags 1 to [`LAGS`]. The mean is not taken off: a detector does not know it either.
fn autocorrelation(stretches: &[Vec<f64>]) -> [f64; LAGS] {
    let power: f64 = stretches.iter().flatten().map(|x| x * x).sum();
    std::array::from_fn(|k| {
        let products = stretches.iter().flat_map(|stretch| {
            let later = stretch.iter().skip(k + 1);
            stretch.iter().zip(later).map(|(x, then)| x * then)
        });
        products.sum::<f64>() / power
    })
}

fn largest(autocorrelation: &[f64]) -> f64 {
    autocorrelation
        .iter()
        .fold(0.0, |most, r| most.max(r.abs()))
}

/// What the cycle's own detectors look at is that `y`, or this fails: a coefficient of another channel, of another sign, or one that is not
/// applied at all.
fn is_what_the_detectors_see(
    all: &[Stretches; WHITENED],
    left: &[Stretches; WHITENED],
    by: &[Whitened; WHITENED],
) {
    let quiet = by.map(|w| {
        Some(Whitened {
            window: f64::INFINITY,
            cusum: f64::INFINITY,
            ..w
        })
    });
    let mut params = WatchParams::OFF;
    params.put(0, &[None; NEXT], &quiet);
    for n in 0..all[0].len() {
        let (mut watch, mut window) = (Watch::NEW, [0.0; WHITENED]);
        for k in 0..all[0][n].len() {
            let mut innovation = [ZERO; NEXT];
            for (w, c) in WHITENED_CHANNELS.into_iter().enumerate() {
                innovation[c][0] = all[w][n][k];
            }
            watch.push(&params, &innovation, u8::MAX);
            for w in 0..WHITENED {
                let y = left[w][n][k];
                window[w] += WINDOW_WEIGHT * (y * y - window[w]);
                let seen = f64::from(watch.window[w][0]);
                assert!(
                    (seen - window[w]).abs() <= 1e-5 * (1.0 + window[w]), // narrow numbers
                    "channel {w}, sample {k}: the detectors see {seen}, not {}",
                    window[w]
                );
            }
        }
    }
}

#[test]
fn whitening_takes_out_what_neighbours_have_in_common() {
    let Some(folder) = recordings("whitening_takes_out_what_neighbours_have_in_common") else {
        return;
    };
    let text = std::fs::read_to_string(shipped("emps.toml")).unwrap();
    let machine = twinstep_config::load(&text, "emps.toml").unwrap();
    let store = PlanStore::new(&machine);
    let by = store.plan().axes[0].whitened.map(Option::unwrap);
    let all = innovations(&machine, &store, &folder.join("emps/emps_first_half.csv"));
    let left: [Stretches; WHITENED] = std::array::from_fn(|w| whitened(&all[w], &by[w]));
    is_what_the_detectors_see(&all, &left, &by);
    for (w, name) in ["position_next", "current_next"].into_iter().enumerate() {
        let count: usize = all[w].iter().map(Vec::len).sum();
        assert!(count > 11_000, "{name}: {count} cycles were judged");
        let chance = Z / (count as f64).sqrt();
        let [before, after] = [&all[w], &left[w]].map(|of| autocorrelation(of));
        println!("{name}: {count} cycles, white within {chance:.4}");
        println!("lag   before    after");
        for (k, (before, after)) in before.iter().zip(&after).enumerate() {
            println!("{:>3}{before:>9.3}{after:>9.3}", k + 1);
        }
        let beyond = |of: &[f64]| of.iter().filter(|r| r.abs() > chance).count();
        println!(
            "largest {:.3} and {:.3}, beyond chance {} and {} of {LAGS}",
            largest(&before),
            largest(&after),
            beyond(&before),
            beyond(&after)
        );
        // The shipped coefficient is that of this record: another one would be of another twin.
        assert!(
            (by[w].correlation - before[0]).abs() < 0.02,
            "{name}: whitened with {}, neighbours have {} in common",
            by[w].correlation,
            before[0]
        );
        // And what is left at lag 1 is what the best single coefficient leaves: `y y'` of `e - r1 e'` over its own variance. It is no sign of a
        // coefficient that does not fit, but of a record whose correlation falls slowly after the first lag (r2 above r1 squared).
        let [r1, r2, ..] = before;
        let expected = r1 * (r1 * r1 - r2) / (1.0 - r1 * r1);
        assert!(
            (after[0] - expected).abs() < 0.02,
            "{name}: {} is left at lag 1, {expected} with a coefficient that fits",
            after[0]
        );
        assert!(
            after[0].abs() < before[0].abs().max(chance),
            "{name}: neighbours have {} in common before and {} after",
            before[0],
            after[0]
        );
        assert!(
            largest(&after) <= LEFT[w],
            "{name}: {after:?} after whitening, at most {} was expected",
            LEFT[w]
        );
        // Variance one, or thresholds in standard deviations mean something else.
        let square: f64 = left[w].iter().flatten().map(|y| y * y).sum();
        let sigma = (square / count as f64).sqrt();
        assert!((sigma - 1.0).abs() < 0.1, "{name}: {sigma} sigma are left");
    }
}

/// Would show a measure that finds nothing, or finds what is not there.
#[test]
fn the_measure_tells_white_from_what_is_not() {
    let seed = 5;
    let mut rng = Rng::new(seed, 0);
    let mut past = 0.0;
    let colored: Vec<f64> = (0..20_000)
        .map(|_| {
            past = 0.9 * past + rng.bell();
            past
        })
        .collect();
    let by = |correlation| Whitened {
        correlation,
        sigma: 1.0,
        window: 0.0,
        cusum: 0.0,
    };
    let of = |correlation| {
        let left = whitened(std::slice::from_ref(&colored), &by(correlation));
        autocorrelation(&left)
    };
    let chance = Z / 20_000_f64.sqrt();
    let (untouched, white, other) = (of(0.0), of(0.9), of(0.5));
    for (k, r) in untouched.iter().enumerate().take(5) {
        let expected = (0..=k).fold(1.0, |power, _| power * 0.9);
        assert!((r - expected).abs() < 0.08, "seed {seed}: {untouched:?}");
    }
    assert!(largest(&white) < chance, "seed {seed}: {white:?}");
    assert!(largest(&other) > 10.0 * chance, "seed {seed}: {other:?}");
}
