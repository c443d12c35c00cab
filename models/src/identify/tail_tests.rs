use super::*;
use crate::identify::noise::Noise;
use crate::identify::{WhitenFit, fit_whitening};
use crate::innovation::{Statistics, Watch, WatchParams, Whitened};
use crate::lane::{LANES, ZERO};

const RUN: usize = 200;
const PERIOD_S: f64 = 1e-3;
/// Kurtosis 25 of the figures that drive the innovation: 3 + 6 / (freedom - 4).
const FREEDOM: f64 = 4.0 + 6.0 / 22.0;
/// Lag-1 autocorrelation of the innovation.
const LAG: f64 = 0.95;

/// Innovations as they were found on a real axis.
struct Stream {
    noise: Noise,
    last: f64,
}

impl Stream {
    fn new(seed: u64) -> Self {
        let mut stream = Self {
            noise: Noise::new(seed),
            last: 0.0,
        };
        for _ in 0..1000 {
            stream.next();
        }
        stream
    }

    fn next(&mut self) -> f64 {
        self.last = LAG * self.last + self.noise.student(FREEDOM);
        self.last
    }
}

#[test]
fn pareto_figures_are_found() {
    for (shape, scale, seed) in [(0.25, 2.0, 1), (0.0, 0.5, 2), (-0.3, 1.0, 3)] {
        let mut noise = Noise::new(seed);
        let mut excess: Vec<f64> = (0..20_000)
            .map(|_| {
                let u = noise.uniform();
                if shape == 0.0 {
                    -scale * libm::log(u)
                } else {
                    scale * (libm::pow(u, -shape) - 1.0) / shape
                }
            })
            .collect();
        excess.sort_by(f64::total_cmp);
        let (mean, found_shape) = moments_of(&excess).unwrap();
        let found_scale = mean * (1.0 - found_shape);
        assert!(
            (found_shape - shape).abs() < 0.03,
            "seed {seed}: {found_shape} for {shape}"
        );
        assert!(
            (found_scale / scale - 1.0).abs() < 0.05,
            "seed {seed}: {found_scale} for {scale}"
        );
    }
}

#[test]
fn clusters_end_after_the_calm() {
    let mut x = vec![0.0; 20];
    for (at, value) in [(2, 5.0), (4, 7.0), (9, 6.0), (15, 8.0)] {
        x[at] = value;
    }
    assert_eq!(peaks(&[x.clone()], 1.0, 4), [7.0, 6.0, 8.0]);
    assert_eq!(peaks(&[x.clone()], 1.0, 6), [8.0]);
    assert_eq!(
        peaks(&[x[..12].to_vec(), x[12..].to_vec()], 1.0, 6),
        [7.0, 8.0]
    );
    assert_eq!(peaks(&[x], 9.0, 4), [0.0; 0]);
}

#[test]
fn few_clusters_give_a_wide_exponential_and_a_still_statistic_none() {
    let mut x = vec![0.0; 3000];
    x[1000] = 2.0;
    let fit = fit_tail(&[x], PERIOD_S, RUN, AMPLITUDE_SHAPE).unwrap();
    assert!(!fit.fitted);
    let level = fit.tail.level(1.0 / (3.0 * libm::exp(2.0)));
    assert!((level - 6.0).abs() < 1e-9, "{level}");
    assert_eq!(
        fit_tail(&[vec![0.0; 3000]], PERIOD_S, RUN, AMPLITUDE_SHAPE),
        None
    );
    assert_eq!(fit_tail(&[], PERIOD_S, RUN, AMPLITUDE_SHAPE), None);
}

/// Detectors with no thresholds, whitened as learnt.
struct Bank {
    watch: Watch,
    params: WatchParams,
}

impl Bank {
    fn new(fit: WhitenFit) -> Self {
        let mut params = WatchParams::OFF;
        let whitened = Whitened {
            correlation: fit.correlation,
            sigma: fit.sigma,
            window: f64::INFINITY,
            cusum: f64::INFINITY,
        };
        params.put(0, &[None; 3], &[Some(whitened), None]);
        Self {
            watch: Watch::NEW,
            params,
        }
    }

    /// Size of the innovation, window and CUSUM.
    fn push(&mut self, e: f64) -> [f64; 3] {
        let mut innovation = [ZERO; 3];
        innovation[0][0] = e;
        self.watch.push(&self.params, &innovation, u8::MAX);
        let s = Statistics::of(&self.watch, 0, 0);
        [e.abs(), s.window, s.cusum]
    }
}

/// Alarms with hysteresis over a long stream: raised beyond the level, cleared after [`RUN`] cycles below half of it.
fn alarms(seed: u64, samples: u64, whitening: WhitenFit, levels: [f64; 3]) -> [u32; 3] {
    let mut stream = Stream::new(seed);
    let mut bank = Bank::new(whitening);
    let mut found = [0; 3];
    let mut calm = [RUN; 3];
    for _ in 0..samples {
        let values = bank.push(stream.next());
        for n in 0..3 {
            if values[n] > levels[n] && calm[n] >= RUN {
                found[n] += 1;
                calm[n] = 0;
            }
            calm[n] = if values[n] < 0.5 * levels[n] || calm[n] >= RUN {
                calm[n] + 1
            } else {
                0
            };
        }
    }
    found
}

/// Tails of the three detectors, learnt from a record of `samples`.
fn learnt(seed: u64, samples: usize) -> (WhitenFit, [TailFit; 3]) {
    let mut stream = Stream::new(seed);
    let record: Vec<f64> = (0..samples).map(|_| stream.next()).collect();
    let whitening = fit_whitening(std::slice::from_ref(&record)).unwrap();
    let mut bank = Bank::new(whitening);
    let mut statistics = [const { Vec::new() }; 3];
    for e in record {
        for (all, value) in statistics.iter_mut().zip(bank.push(e)) {
            all.push(value);
        }
    }
    let mut priors = [AMPLITUDE_SHAPE, SQUARE_SHAPE, AMPLITUDE_SHAPE].into_iter();
    let fits = statistics.map(|s| fit_tail(&[s], PERIOD_S, RUN, priors.next().unwrap()).unwrap());
    (whitening, fits)
}

const NAMES: [&str; 3] = ["fast_limit", "window", "cusum"];

/// 95 % upper bound of the mean count when `count` alarms were seen, nearly.
fn upper(count: f64) -> f64 {
    count + 3.0 + 2.0 * libm::sqrt(count)
}

/// What each detector of a hundred seconds' record is held to for `asked_s`: as the host does it, of a machine with one stream.
fn level(fit: &TailFit, asked_s: f64) -> f64 {
    let tail = if asked_s <= fit.tail.record_s {
        fit.tail.reaching(1.0)
    } else {
        fit.tail
    };
    tail.level(1.0 / asked_s)
}

/// Asks each detector of many streams for an alarm in `asked_s`, from a record of a hundred seconds each, and counts over
/// `seconds`. Returns the counts over what was asked, and says where a count is not possible within the 90 % interval stated.
fn ratios(seeds: std::ops::RangeInclusive<u64>, asked_s: f64, seconds: u64) -> ([f64; 3], usize) {
    let mut total = [0.0; 3];
    let mut outside = 0;
    let streams = seeds.clone().count() as f64;
    for seed in seeds {
        let (whitening, fits) = learnt(seed, 100_000);
        let levels = fits.map(|fit| level(&fit, asked_s));
        let counted = alarms(1000 + seed, 1000 * seconds, whitening, levels);
        for n in 0..3 {
            let tail = fits[n].tail;
            let interval = tail.rate_interval(levels[n]);
            let (low, high) = (
                seconds as f64 * interval.low,
                seconds as f64 * interval.high,
            );
            let count = f64::from(counted[n]);
            total[n] += count;
            outside += usize::from(low > upper(count) || count > upper(high));
            println!(
                "seed {seed} {}: {count} alarms, asked {}, stated {low:.2} to {high:.1}, shape {:.2}, {:.2} beyond, index {:.3}",
                NAMES[n],
                seconds as f64 / asked_s,
                tail.shape,
                tail.beyond_shape,
                fits[n].extremal_index,
            );
        }
    }
    let asked = streams * seconds as f64 / asked_s;
    println!("together {total:?}, asked {asked} each, {outside} outside");
    (total.map(|count| count / asked), outside)
}

/// Ten times the record: nine in ten of the counts must be possible within the interval that is stated beside the threshold, and all of them
/// together come within a factor of 2.
#[test]
fn a_long_interval_is_kept_on_streams_with_the_autocorrelation_and_tails_of_a_real_axis() {
    let (found, outside) = ratios(1..=12, 1_000.0, 2_000);
    assert!(outside <= 3, "{outside} of 36 counts");
    for (name, ratio) in NAMES.iter().zip(found) {
        assert!(
            (0.5..=2.0).contains(&ratio),
            "{name}: {ratio} times what was asked, seeds 1 to 12"
        );
    }
}

/// The record itself: within a factor of 1.5.
#[test]
fn an_interval_as_long_as_the_record_is_kept() {
    let (found, _) = ratios(21..=32, 100.0, 1_000);
    for (name, ratio) in NAMES.iter().zip(found) {
        assert!(
            (1.0 / 1.5..=1.5).contains(&ratio),
            "{name}: {ratio} times what was asked, seeds 21 to 32"
        );
    }
}

/// Alarms of every record's thresholds in one long stream: peaks of clusters, as the fit makes them, of each detector. Those of eight streams
/// beside one another are one stream, since nothing but a cluster on a border belongs to both.
fn long_stream(seed: u64, samples: usize, whitening: WhitenFit, least: [f64; 3]) -> [Vec<f64>; 3] {
    const CHUNK: usize = 1_000_000;
    let mut params = WatchParams::OFF;
    let whitened = Whitened {
        correlation: whitening.correlation,
        sigma: whitening.sigma,
        window: f64::INFINITY,
        cusum: f64::INFINITY,
    };
    for l in 0..LANES {
        params.put(l, &[None; 3], &[Some(whitened), None]);
    }
    let mut watch = Watch::NEW;
    let mut streams: [Stream; LANES] = std::array::from_fn(|l| Stream::new(seed + l as u64));
    let mut all = [const { Vec::new() }; 3];
    for _ in 0..samples / CHUNK {
        let mut statistics = [const { [const { Vec::new() }; LANES] }; 3];
        for _ in 0..CHUNK / LANES {
            let mut innovation = [ZERO; 3];
            for (e, stream) in innovation[0].iter_mut().zip(&mut streams) {
                *e = stream.next();
            }
            watch.push(&params, &innovation, u8::MAX);
            for l in 0..LANES {
                let s = Statistics::of(&watch, 0, l);
                for (to, x) in
                    statistics
                        .iter_mut()
                        .zip([innovation[0][l].abs(), s.window, s.cusum])
                {
                    to[l].push(x);
                }
            }
        }
        for (found, (statistic, least)) in all.iter_mut().zip(statistics.iter().zip(least)) {
            found.extend(peaks(statistic, least, RUN));
        }
    }
    all
}

/// Asks `asked` times their length of records of a hundred seconds, with these seeds, and counts in `samples` of one stream: the middle one of
/// the intervals that come of it is 0.7 to 1.5 times what was asked, and all of them together have within a factor of 2 as many alarms as were
/// asked.
fn kept(seeds: std::ops::RangeInclusive<u64>, stream: u64, samples: usize, asked: &[f64]) {
    let sigma = libm::sqrt(FREEDOM / (FREEDOM - 2.0));
    let records = seeds.clone().count();
    let levels: Vec<[Vec<f64>; 3]> = seeds
        .map(|seed| {
            let (whitening, fits) = learnt(seed, 100_000);
            // The stream is whitened by what is true of it. Levels of the record are in its own sigmas.
            let scale = whitening.sigma / sigma;
            let scales = [1.0, scale * scale, scale];
            std::array::from_fn(|n| {
                let of = |times: &f64| scales[n] * level(&fits[n], 100.0 * times);
                asked.iter().map(of).collect()
            })
        })
        .collect();
    let least = std::array::from_fn(|n| {
        let lowest = levels.iter().filter_map(|one| one[n].first());
        lowest.copied().fold(f64::INFINITY, f64::min)
    });
    let whitening = WhitenFit {
        correlation: LAG,
        sigma,
    };
    let peaks = long_stream(stream, samples, whitening, least);
    let seconds = samples as f64 * PERIOD_S;
    for n in 0..3 {
        for (a, times) in asked.iter().enumerate() {
            let expected = seconds / (100.0 * times);
            let beyond =
                |one: &[Vec<f64>; 3]| peaks[n].iter().filter(|peak| **peak > one[n][a]).count();
            let mut counts: Vec<f64> = levels.iter().map(|one| beyond(one) as f64).collect();
            counts.sort_by(f64::total_cmp);
            let together = counts.iter().sum::<f64>() / (records as f64 * expected);
            let middle = expected / counts[records / 2];
            let near = counts
                .iter()
                .filter(|count| (0.5..=2.0).contains(&(**count / expected)));
            let name = NAMES[n];
            println!(
                "{name}, {times} records: {together:.2} times the alarms, middle interval {middle:.2}, {} of {records} within 2",
                near.count()
            );
            assert!(
                (0.5..=2.0).contains(&together) && (0.7..=1.5).contains(&middle),
                "{name}, {times} records, stream {stream}: {together} times the alarms, {middle} times the interval"
            );
        }
    }
}

#[test]
fn intervals_of_some_records_are_kept_by_the_middle_record_and_by_all_together() {
    kept(101..=160, 9000, 200_000_000, &[3.0, 10.0]);
}

/// A hundred records ask for one alarm in 10 000 s: counting 200 of them takes 2 000 000 s.
#[test]
#[ignore = "two thousand million samples: to be run in release where the fit of tails changes"]
fn intervals_of_up_to_a_hundred_records_are_kept_by_the_middle_record_and_by_all_together() {
    kept(
        101..=400,
        9000,
        2_000_000_000,
        &[1.0, 3.0, 10.0, 30.0, 100.0],
    );
}
