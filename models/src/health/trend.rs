//! A robust trend over a bounded reservoir.
//!
//! # Derivation
//! A machine runs for years and memory does not: a bin takes `per` measurements and keeps their weighted mean over usage. When
//! all [`BINS`] are full, neighbours are merged and `per` doubles, so the reservoir always spans the whole life at an even
//! resolution.
//!
//! The trend is a weighted straight line through the bins. A bin far from the median of its neighbours, measured by the
//! median of all such distances, is an outlier and loses weight (Huber). The variance of the slope comes from what is left,
//! not from stated sigmas, and is widened by the lag-one correlation q of what is left, `(1 + q) / (1 - q)`: warm-up and seasons are
//! no white noise.
#![allow(
    clippy::needless_range_loop,
    reason = "indexes of rows and columns run over several arrays at once"
)]

/// Bins of a reservoir.
pub const BINS: usize = 40;
/// Bins that a trend needs.
pub const LEAST_BINS: usize = 8;
/// Standard deviations that a slope must stand out by.
const SIGNIFICANT: f64 = 4.0;
/// Distance (robust standard deviations) beyond which a bin loses weight.
const HUBER: f64 = 4.0;
/// From the median of absolute values of normal figures to their standard deviation.
const NORMAL_MAD: f64 = 1.4826;

/// A bin: sums of its measurements.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
struct Bin {
    w: f64,
    wu: f64,
    wv: f64,
}

/// Measurements over usage.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Reservoir {
    #[serde(with = "serde_big_array::BigArray")]
    bins: [Bin; BINS],
    #[serde(deserialize_with = "full")]
    full: usize,
    open: Bin,
    in_open: u64,
    per: u64,
}

/// As many full bins as there are at most.
fn full<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let full = <usize as serde::Deserialize>::deserialize(deserializer)?;
    if full > BINS {
        return Err(serde::de::Error::custom("more bins than a reservoir has"));
    }
    Ok(full)
}

impl Default for Reservoir {
    fn default() -> Self {
        Self {
            bins: [Bin::default(); BINS],
            full: 0,
            open: Bin::default(),
            in_open: 0,
            per: 1,
        }
    }
}

impl Reservoir {
    /// Takes in a measurement with its standard deviation (> 0) at `usage`, which never falls.
    pub fn push(&mut self, usage: f64, value: f64, sigma: f64) {
        let w = 1.0 / (sigma * sigma);
        if !(w > 0.0 && w.is_finite() && value.is_finite() && usage.is_finite()) {
            return;
        }
        self.open.w += w;
        self.open.wu += w * usage;
        self.open.wv += w * value;
        self.in_open = self.in_open.saturating_add(1);
        if self.in_open < self.per {
            return;
        }
        if self.full == BINS {
            for n in 0..BINS / 2 {
                let (a, b) = (self.bins[2 * n], self.bins[2 * n + 1]);
                self.bins[n] = Bin {
                    w: a.w + b.w,
                    wu: a.wu + b.wu,
                    wv: a.wv + b.wv,
                };
            }
            self.full = BINS / 2;
            self.per = self.per.saturating_mul(2);
            if self.in_open < self.per {
                return;
            }
        }
        if let Some(bin) = self.bins.get_mut(self.full) {
            *bin = self.open;
            self.full += 1;
        }
        self.open = Bin::default();
        self.in_open = 0;
    }

    /// Full bins as (usage, value), oldest first, with robust weights, and their number.
    pub fn points(&self) -> Points {
        let mut points = Points {
            usage: [0.0; BINS],
            value: [0.0; BINS],
            weight: [0.0; BINS],
            count: self.full,
        };
        let mut away = [0.0; BINS];
        for (n, bin) in self.bins.iter().take(self.full).enumerate() {
            points.usage[n] = bin.wu / bin.w;
            points.value[n] = bin.wv / bin.w;
        }
        for n in 0..self.full {
            let from = n.saturating_sub(2).min(self.full.saturating_sub(5));
            let to = (from + 5).min(self.full);
            let mut near = [0.0; 5];
            for (near, value) in near.iter_mut().zip(&points.value[from..to]) {
                *near = *value;
            }
            away[n] = points.value[n] - median(&mut near[..to - from]);
        }
        let mut sizes = away;
        for size in &mut sizes {
            *size = size.abs();
        }
        let scale = NORMAL_MAD * median(&mut sizes[..self.full]);
        // Bins hold about the same number of measurements; what little they differ by in weight is kept within a factor.
        let mean_w =
            self.bins[..self.full].iter().map(|b| b.w).sum::<f64>() / (self.full.max(1)) as f64;
        for n in 0..self.full {
            let own = (self.bins[n].w / mean_w).clamp(0.1, 10.0);
            let far = away[n].abs() / (HUBER * scale);
            points.weight[n] = if scale > 0.0 && far > 1.0 {
                own / (far * far)
            } else {
                own
            };
        }
        points
    }
}

/// Bins with robust weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Points {
    /// Usage, rising.
    pub usage: [f64; BINS],
    /// Values.
    pub value: [f64; BINS],
    /// Weights, around 1.
    pub weight: [f64; BINS],
    /// How many of them hold something.
    pub count: usize,
}

/// A straight line, or any curve that is linear in two parameters, with its covariance.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Line {
    /// Value at `f = 0`.
    pub offset: f64,
    /// Slope over `f`.
    pub slope: f64,
    /// Covariance: offset, both, slope.
    pub covariance: [f64; 3],
    /// Weighted sum of squares that is left.
    pub left: f64,
    /// Widening by the correlation of what is left (1, >= 1).
    pub correlation: f64,
}

impl Points {
    /// Fits `value = offset + slope f(usage)`. None where f does not vary.
    pub fn fit(&self, f: impl Fn(f64) -> f64) -> Option<Line> {
        if self.count < 3 {
            return None;
        }
        let (mut w, mut wf, mut wff, mut wv, mut wfv) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for n in 0..self.count {
            let (x, v, p) = (f(self.usage[n]), self.value[n], self.weight[n]);
            w += p;
            wf += p * x;
            wff += p * x * x;
            wv += p * v;
            wfv += p * x * v;
        }
        let det = w * wff - wf * wf;
        if det.is_nan() || det <= 1e-12 * w * wff {
            return None;
        }
        let slope = (w * wfv - wf * wv) / det;
        let offset = (wv - slope * wf) / w;
        let (mut left, mut lagged, mut square, mut before) = (0.0, 0.0, 0.0, 0.0);
        for n in 0..self.count {
            let r = self.value[n] - offset - slope * f(self.usage[n]);
            left += self.weight[n] * r * r;
            // By the square root of its weight: an outlier says nothing about correlation either.
            let r = libm::sqrt(self.weight[n]) * r;
            lagged += r * before;
            square += r * r;
            before = r;
        }
        let q = if square > 0.0 { lagged / square } else { 0.0 };
        let q = q.clamp(0.0, 0.8);
        let correlation = (1.0 + q) / (1.0 - q);
        let variance = correlation * left / (self.count as f64 - 2.0);
        Some(Line {
            offset,
            slope,
            covariance: [
                variance * wff / det,
                -variance * wf / det,
                variance * w / det,
            ],
            left,
            correlation,
        })
    }

    /// Usage from the first bin to the last.
    pub fn span(&self) -> f64 {
        if self.count == 0 {
            0.0
        } else {
            self.usage[self.count - 1] - self.usage[0]
        }
    }
}

/// A trend.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Trend {
    /// Change of the value per usage.
    pub slope: f64,
    /// Its standard deviation.
    pub sigma: f64,
    /// It stands out of its error by four standard deviations.
    pub significant: bool,
}

/// The trend of a reservoir; none while it holds too little.
pub fn trend(points: &Points) -> Option<Trend> {
    let used = points.count.checked_sub(1).map_or(0.0, |n| points.usage[n]);
    // Where nothing was used between the bins, rounding is no usage.
    if points.count < LEAST_BINS || points.span() <= 1e-9 * used {
        return None;
    }
    let line = points.fit(|u| u - points.usage[0])?;
    let sigma = libm::sqrt(line.covariance[2]);
    Some(Trend {
        slope: line.slope,
        sigma,
        significant: line.slope.abs() > SIGNIFICANT * sigma,
    })
}

/// Median; the slice is sorted. 0 where it is empty.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let n = values.len();
    match n {
        0 => 0.0,
        n if n % 2 == 1 => values[n / 2],
        n => 0.5 * (values[n / 2 - 1] + values[n / 2]),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn normal(seed: &mut u64) -> f64 {
        let mut sum = -6.0;
        for _ in 0..12 {
            *seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            sum += (*seed >> 11) as f64 / (1_u64 << 53) as f64;
        }
        sum
    }

    fn line(slope: f64, count: u32, seed: u64, outlier: impl Fn(u32) -> f64) -> Reservoir {
        let (mut r, mut seed) = (Reservoir::default(), seed);
        for k in 0..count {
            let u = f64::from(k);
            r.push(u, 3.0 + slope * u + normal(&mut seed) + outlier(k), 1.0);
        }
        r
    }

    #[test]
    fn a_slope_is_found_with_an_honest_sigma() {
        let mut square = 0.0;
        for seed in 0..200 {
            let t = trend(&line(0.1, 300, seed, |_| 0.0).points()).expect("full");
            assert!(t.significant, "{seed}: {t:?}");
            let z = (t.slope - 0.1) / t.sigma;
            square += z * z / 200.0;
        }
        assert!((0.5..1.5).contains(&square), "{square}");
    }

    #[test]
    fn nothing_is_no_trend() {
        let found = (0..500)
            .filter(|seed| {
                trend(&line(0.0, 300, *seed, |_| 0.0).points())
                    .expect("full")
                    .significant
            })
            .count();
        assert!(found <= 2, "{found} of 500");
    }

    #[test]
    fn where_nothing_is_used_there_is_no_trend() {
        let (mut r, mut seed) = (Reservoir::default(), 5);
        for _ in 0..300 {
            r.push(5.1, normal(&mut seed), 0.3 + normal(&mut seed).abs());
        }
        assert_eq!(trend(&r.points()), None);
    }

    #[test]
    fn outliers_bend_it_little() {
        let wild = |k| if k % 17 == 3 && k > 20 { 40.0 } else { 0.0 };
        let t = trend(&line(0.5, 39, 4, wild).points()).expect("full");
        assert!((t.slope - 0.5).abs() < 0.1 && t.significant, "{t:?}");
    }

    #[test]
    fn the_reservoir_is_bounded_and_spans_everything() {
        let r = line(0.0, 100_000, 1, |_| 0.0);
        let p = r.points();
        assert!((BINS / 2..=BINS).contains(&p.count), "{}", p.count);
        assert!(p.span() > 90_000.0, "{}", p.span());
    }

    proptest! {
        #[test]
        fn whatever_comes_it_stays_finite(
            values in proptest::collection::vec((-1e9..1e9f64, 1e-6..1e6f64, 0.0..10.0f64), 0..200),
        ) {
            let (mut r, mut u) = (Reservoir::default(), 0.0);
            for (value, sigma, step) in values {
                u += step;
                r.push(u, value, sigma);
            }
            if let Some(t) = trend(&r.points()) {
                prop_assert!(t.slope.is_finite() && t.sigma >= 0.0, "{t:?}");
            }
        }
    }
}
