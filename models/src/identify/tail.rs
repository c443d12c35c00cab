//! Learns the tail of a statistic from a healthy record: clusters, threshold, generalised Pareto fit.
//!
//! # Derivation
//! Clusters end where the statistic has been at or below a base level for `run` cycles (runs declustering, Smith and
//! Weissman 1994). The base is the highest of a ladder of quantiles that leaves twice [`ENOUGH`] clusters, else the one with most of them.
//! Of these the higher half is fitted, [`ENOUGH`] at most: a machine repeats its motion, and a base that every movement passes would
//! describe the movement, not its tail.
//!
//! Scale and shape come from probability-weighted moments of the excess over the highest peak left out (Hosking and Wallis 1987), which
//! do not fail with few figures. Within the record the shape is drawn towards the one known beforehand as if [`PRIOR_WITHIN`] clusters
//! of it had been seen besides (the device of Zhang and Stephens 2009).
//!
//! Asked beyond the record, the fit alone holds to the level passed once in [`REACH`] of it, and the shape from there on is drawn with
//! [`PRIOR_BEYOND`]. Two errors make that necessary. The limit law is reached slowly: an autoregression of Student t figures, whose
//! tail has the shape 0.23 in the end, has one of 0.12 at the threshold of such a fit (limit), and that shape alone has five times as many
//! alarms as asked at a hundred records. And the shape of 60 clusters has an error of 0.15: at a hundred records one record has a sixth of
//! the asked alarms, another six times as many, and the mean of rates that scatter so is far above the middle one. What is drawn more
//! scatters less, but still is lopsided, so that the shape is raised a little, by [`RAISE`]. The shape beyond is never more than [`LIKELY`] standard errors
//! above that of the record, since what ended within the record did not come from a tail so heavy.
//!
//! A window is a mean of squares, and has twice the shape of its source; a CUSUM sums figures, and one large innovation fills it: it has
//! the shape of its source.

use crate::tail::{LEAST_CLUSTERS, PRIOR_WITHIN, RAISE, SHAPE_ERROR, SHAPES, Tail};

pub use crate::tail::{AMPLITUDE_SHAPE, SQUARE_SHAPE};

/// Clusters that are enough for a fit: fewer and higher ones follow the limit law better.
pub const ENOUGH: usize = 60;
/// Clusters below which no shape is fitted.
pub const LEAST: usize = LEAST_CLUSTERS as usize;
/// Clusters that the shape known beforehand counts for, beyond the record.
const PRIOR_BEYOND: f64 = 240.0;
/// Standard errors by which the shape beyond may lie above that of the record.
const LIKELY: f64 = 3.0;
/// Share of the record to which the fit alone holds, where more than the record is asked for.
const REACH: f64 = 0.1;
/// Shape that a tail has at least beyond its record.
const BEYOND_SHAPE: f64 = 0.1;
/// Shares of the record beyond the thresholds that are tried, the highest first.
const LADDER: [f64; 12] = [
    0.0005, 0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3,
];

/// A tail, and what is worth knowing about its fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TailFit {
    /// The tail.
    pub tail: Tail,
    /// Extremal index: clusters per exceedance (1: no autocorrelation in the tail; 0.1: an alarm lasts ten cycles).
    pub extremal_index: f64,
    /// The shape was fitted; else there were too few clusters, and a wide exponential stands in.
    pub fitted: bool,
}

/// Fits the tail of a statistic (>= 0, finite) that was recorded in `stretches` without gaps, `run` cycles (>= 1) of calm apart.
/// `prior` is the shape known beforehand ([`AMPLITUDE_SHAPE`], [`SQUARE_SHAPE`]).
///
/// None for a record without samples, or a statistic that never moves.
pub fn fit_tail(stretches: &[Vec<f64>], period_s: f64, run: usize, prior: f64) -> Option<TailFit> {
    let mut sorted: Vec<f64> = stretches.iter().flatten().copied().collect();
    sorted.retain(|x| x.is_finite());
    sorted.sort_by(f64::total_cmp);
    let largest = *sorted.last()?;
    let record_s = sorted.len() as f64 * period_s;
    let mut best: Option<(f64, Vec<f64>)> = None;
    for share in LADDER {
        let place = ((1.0 - share) * sorted.len() as f64) as usize;
        let threshold = *sorted.get(place.min(sorted.len() - 1))?;
        let found = peaks(stretches, threshold, run);
        if best.as_ref().is_none_or(|(_, old)| found.len() > old.len()) {
            best = Some((threshold, found));
        }
        if best
            .as_ref()
            .is_some_and(|(_, found)| found.len() >= 2 * ENOUGH)
        {
            break;
        }
    }
    let (base, mut peaks) = best?;
    if peaks.len() < LEAST {
        return fallback(largest, record_s);
    }
    peaks.sort_by(f64::total_cmp);
    let kept = peaks.len().div_ceil(2).clamp(LEAST, ENOUGH);
    let (left_out, kept) = peaks.split_at(peaks.len() - kept);
    let threshold = left_out.last().copied().unwrap_or(base);
    let excess: Vec<f64> = kept.iter().map(|peak| peak - threshold).collect();
    let (mean, shape) = moments_of(&excess)?;
    let clusters = excess.len() as f64;
    let within = drawn(shape, clusters, prior, PRIOR_WITHIN);
    let likely = shape + LIKELY * SHAPE_ERROR / libm::sqrt(clusters);
    let known = drawn(shape, clusters, prior, PRIOR_BEYOND) + RAISE;
    let beyond = known.min(likely);
    let exceeding = sorted.len() - sorted.partition_point(|x| *x <= threshold);
    Some(TailFit {
        tail: Tail {
            threshold,
            scale: mean * (1.0 - within),
            shape: within,
            beyond_shape: beyond.clamp(BEYOND_SHAPE, SHAPES.1),
            clusters,
            record_s,
            largest,
            reach: REACH,
            raised: RAISE,
        },
        extremal_index: clusters / exceeding.max(1) as f64,
        fitted: true,
    })
}

/// The largest value of every cluster beyond `threshold`.
pub fn peaks(stretches: &[Vec<f64>], threshold: f64, run: usize) -> Vec<f64> {
    let mut all = Vec::new();
    for stretch in stretches {
        let mut peak: Option<f64> = None;
        let mut calm = 0;
        for x in stretch {
            if *x > threshold {
                peak = Some(peak.map_or(*x, |p| p.max(*x)));
                calm = 0;
            } else if peak.is_some() {
                calm += 1;
                if calm >= run {
                    all.extend(peak.take());
                }
            }
        }
        all.extend(peak);
    }
    all
}

/// Mean and shape of sorted excesses, by probability-weighted moments.
fn moments_of(excess: &[f64]) -> Option<(f64, f64)> {
    let n = excess.len() as f64;
    let mean = excess.iter().sum::<f64>() / n;
    let weighted = (excess.iter().enumerate())
        .map(|(i, x)| (1.0 - (i as f64 + 0.65) / n) * x)
        .sum::<f64>()
        / n;
    let difference = mean - 2.0 * weighted;
    if mean.is_nan() || mean <= 0.0 {
        return None;
    }
    // Equal excesses have no difference: a tail that ends.
    let shape = if difference > 0.0 {
        (2.0 - mean / difference).clamp(SHAPES.0, SHAPES.1)
    } else {
        SHAPES.0
    };
    Some((mean, shape))
}

/// `shape` of `clusters` figures, drawn towards `prior` as if `weight` figures had it.
fn drawn(shape: f64, clusters: f64, prior: f64, weight: f64) -> f64 {
    (clusters * shape + weight * prior) / (clusters + weight)
}

/// Too few clusters for a shape: the largest value is taken as the scale of an exponential tail behind it, so that a rate of
/// one in e records lies at twice the largest, one in e2 at three times.
fn fallback(largest: f64, record_s: f64) -> Option<TailFit> {
    (largest > 0.0).then_some(TailFit {
        tail: Tail {
            threshold: largest,
            scale: largest,
            shape: 0.0,
            beyond_shape: 0.0,
            clusters: 1.0,
            record_s,
            largest,
            reach: 1.0,
            raised: 0.0,
        },
        extremal_index: 1.0,
        fitted: false,
    })
}

#[cfg(test)]
#[path = "tail_interval_tests.rs"]
mod interval_tests;
#[cfg(test)]
#[path = "tail_tests.rs"]
mod tests;
