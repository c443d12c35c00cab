//! Learns the tail of a statistic from a healthy record: clusters, threshold, generalised Pareto fit.
//!
//! # Derivation
//! Clusters end where the statistic has been at or below the threshold for `run` cycles (runs declustering, Smith and
//! Weissman 1994), the very rule by which the detectors call an alarm over. The threshold is the highest of a ladder of quantiles
//! that still leaves [`ENOUGH`] clusters, else the one with most of them.
//!
//! Scale and shape come from probability-weighted moments of the largest excess of each cluster (Hosking and Wallis 1987), which
//! do not fail with few figures, and are then drawn towards a shape that is known beforehand, as if [`PRIOR_CLUSTERS`] clusters of
//! it had been seen besides (the device of Zhang and Stephens 2009): a handful of clusters must not promise an end of the tail.
//! Window and CUSUM sum figures that nothing bounds, so one large innovation fills them: they have the tail of their source as well.

use crate::tail::{SHAPES, Tail};

/// Clusters that are enough for a fit: fewer and higher ones follow the limit law better.
pub const ENOUGH: usize = 60;
/// Clusters below which no shape is fitted.
pub const LEAST: usize = 3;
/// Shape of an amplitude: innovations of a real axis had a kurtosis of 25, as a Student t with 4.3 degrees of freedom has,
/// whose tail has the shape 1 / 4.3.
const AMPLITUDE_SHAPE: f64 = 0.23;
/// Shape that an amplitude has at least beyond its record.
const AMPLITUDE_BEYOND: f64 = 0.1;
/// Clusters that this counts for.
const PRIOR_CLUSTERS: f64 = 30.0;
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
///
/// None for a record without samples, or a statistic that never moves.
pub fn fit_tail(stretches: &[Vec<f64>], period_s: f64, run: usize) -> Option<TailFit> {
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
            .is_some_and(|(_, found)| found.len() >= ENOUGH)
        {
            break;
        }
    }
    let (threshold, peaks) = best?;
    if peaks.len() < LEAST {
        return fallback(largest, record_s);
    }
    let mut excess: Vec<f64> = peaks.iter().map(|peak| peak - threshold).collect();
    excess.sort_by(f64::total_cmp);
    let (scale, shape) = pareto_of(&excess, AMPLITUDE_SHAPE)?;
    let beyond = sorted.len() - sorted.partition_point(|x| *x <= threshold);
    Some(TailFit {
        tail: Tail {
            threshold,
            scale,
            shape,
            beyond_shape: shape.max(AMPLITUDE_BEYOND),
            clusters: peaks.len() as f64,
            record_s,
            largest,
        },
        extremal_index: peaks.len() as f64 / beyond.max(1) as f64,
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

/// Scale and shape of sorted excesses, the shape drawn towards `prior`.
fn pareto_of(excess: &[f64], prior: f64) -> Option<(f64, f64)> {
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
    let shape = (n * shape + PRIOR_CLUSTERS * prior) / (n + PRIOR_CLUSTERS);
    Some((mean * (1.0 - shape), shape))
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
        },
        extremal_index: 1.0,
        fitted: false,
    })
}

#[cfg(test)]
#[path = "tail_tests.rs"]
mod tests;
