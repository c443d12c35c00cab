//! Teaching an envelope from good strokes.
//!
//! # Derivation
//! At every node the forces of n good strokes have a mean m and a standard deviation s. The band `m +- k s` that holds at
//! least a share p of all strokes to come, with confidence c in spite of m and s being estimates, has the factor (Howe 1969,
//! normal distribution) `k = z((1 + p) / 2) sqrt(v (1 + 1 / n) / chi2(1 - c, v))`, `v = n - 1`. A stroke is OK when it is
//! within the band at all its N points; that at least P of the strokes are follows from `p = 1 - (1 - P) / N` whatever the
//! correlation between the points (Bonferroni). Neighbouring points move together, so the true share is above P.
//!
//! Between two nodes the points of a curve have a noise of their own, which the forces at the nodes do not show. Its mean
//! square, against the chord between the nodes of the same stroke, is added to s2; so is what the chord cuts off.
//!
//! Quantiles: the normal one by Acklam's rational function, refined once with the error function (1e-15); chi-square by
//! Wilson and Hilferty (within 1 % for v of 4 and more).

use super::envelope::{Envelope, NODES};
use super::passage::between;
use crate::press::curve::Point;

/// Fewest strokes that an envelope is taught from.
pub const LEAST_STROKES: u32 = 5;

/// Sums over good strokes.
#[derive(Clone, Debug, PartialEq)]
pub struct Teacher {
    x_min_m: f64,
    x_max_m: f64,
    strokes: u32,
    mean_n: [f64; NODES],
    /// Sum of squared deviations (N2).
    square_n2: [f64; NODES],
    /// Sum over the strokes of the mean square against the chord, from each node to the next (N2).
    rough_n2: [f64; NODES],
    /// Points within the range, of all strokes.
    points: f64,
}

impl Teacher {
    /// For a range of X; none unless it rises.
    pub fn new(x_min_m: f64, x_max_m: f64) -> Option<Self> {
        (x_min_m.is_finite() && x_max_m.is_finite() && x_max_m > x_min_m).then_some(Self {
            x_min_m,
            x_max_m,
            strokes: 0,
            mean_n: [0.0; NODES],
            square_n2: [0.0; NODES],
            rough_n2: [0.0; NODES],
            points: 0.0,
        })
    }

    /// Strokes taken in so far.
    pub const fn strokes(&self) -> u32 {
        self.strokes
    }

    /// Takes in one branch of a good stroke, X counted from the same reference in all. Returns false, and takes in nothing,
    /// where it does not reach from end to end of the range.
    pub fn learn(&mut self, branch: &[Point], origin_m: f64) -> bool {
        let mut force_n = [None; NODES];
        let pitch = (self.x_max_m - self.x_min_m) / (NODES - 1) as f64;
        for (node, force) in force_n.iter_mut().enumerate() {
            let x = if node + 1 == NODES {
                self.x_max_m
            } else {
                self.x_min_m + node as f64 * pitch
            };
            *force = force_at(branch, x + origin_m);
        }
        if force_n.iter().any(Option::is_none) {
            return false;
        }
        self.strokes = self.strokes.saturating_add(1);
        let n = f64::from(self.strokes);
        let sums = self.mean_n.iter_mut().zip(&mut self.square_n2);
        for ((mean, square), force) in sums.zip(force_n.into_iter().flatten()) {
            let d = force - *mean;
            *mean += d / n;
            *square += d * (force - *mean);
        }
        self.roughness(branch, origin_m, &force_n);
        true
    }

    /// What the points of a stroke have beyond the chords between its own nodes.
    fn roughness(&mut self, branch: &[Point], origin_m: f64, force_n: &[Option<f64>; NODES]) {
        let (mut sums, mut counts) = ([0.0; NODES], [0.0; NODES]);
        let pitch = (self.x_max_m - self.x_min_m) / (NODES - 1) as f64;
        for p in branch {
            let place = (p.position_m - origin_m - self.x_min_m) / pitch;
            if !(place >= 0.0 && place <= (NODES - 1) as f64) {
                continue;
            }
            // Casts from float saturate.
            let node = (place as usize).min(NODES - 2);
            let (Some(a), Some(b)) = (force_n[node], force_n[node + 1]) else {
                continue;
            };
            let d = p.force_n - a - (place - node as f64) * (b - a);
            sums[node] += d * d;
            counts[node] += 1.0;
            self.points += 1.0;
        }
        for (rough, (sum, count)) in self.rough_n2.iter_mut().zip(sums.iter().zip(counts)) {
            if count > 0.0 {
                *rough += sum / count;
            }
        }
    }

    /// The band that holds a share `coverage` of all strokes (1, 0.5 to below 1) with `confidence` (the same), and never less
    /// than `floor_n` (N) to both sides: what the sensor and the sampling add to strokes that are all alike.
    ///
    /// None with fewer than [`LEAST_STROKES`], or a share out of range.
    pub fn envelope(&self, coverage: f64, confidence: f64, floor_n: f64) -> Option<Envelope> {
        let in_range = |share: f64| (0.5..1.0).contains(&share);
        if self.strokes < LEAST_STROKES || !in_range(coverage) || !in_range(confidence) {
            return None;
        }
        let strokes = f64::from(self.strokes);
        let factor = factor(self.strokes, self.points / strokes, coverage, confidence);
        let mut envelope = Envelope {
            x_min_m: self.x_min_m,
            x_max_m: self.x_max_m,
            lower_n: [0.0; NODES],
            upper_n: [0.0; NODES],
        };
        for node in 0..NODES {
            let (before, after) = (self.rough_n2[node.max(1) - 1], self.rough_n2[node]);
            let rough = if before > after { before } else { after } / strokes;
            let sigma = libm::sqrt(self.square_n2[node] / (strokes - 1.0) + rough);
            let half = factor * sigma;
            let half = if half > floor_n { half } else { floor_n };
            envelope.lower_n[node] = self.mean_n[node] - half;
            envelope.upper_n[node] = self.mean_n[node] + half;
        }
        Some(envelope)
    }
}

/// The factor k on the standard deviation at one place, when a stroke of `points` points is to be within the band.
pub fn factor(strokes: u32, points: f64, coverage: f64, confidence: f64) -> f64 {
    let least = NODES as f64;
    let places = if points > least { points } else { least };
    let share = 1.0 - (1.0 - coverage) / places;
    let n = f64::from(strokes);
    let v = n - 1.0;
    normal(0.5 * (1.0 + share)) * libm::sqrt(v * (1.0 + 1.0 / n) / chi_square(1.0 - confidence, v))
}

/// Force where the branch first comes to `x_m`.
fn force_at(branch: &[Point], x_m: f64) -> Option<f64> {
    branch.windows(2).find_map(|w| {
        let (d0, d1) = (w[0].position_m - x_m, w[1].position_m - x_m);
        if d0 == 0.0 {
            return Some(w[0].force_n);
        }
        let crossed = (d0 < 0.0 && d1 >= 0.0) || (d0 > 0.0 && d1 <= 0.0);
        crossed.then(|| between(w[0], w[1], d0 / (d0 - d1)).force_n)
    })
}

/// Quantile of the normal distribution at `p` (0.5 to below 1).
fn normal(p: f64) -> f64 {
    let x = if p < 0.97575 {
        let q = p - 0.5;
        let r = q * q;
        let a = [
            -39.69683028665376,
            220.9460984245205,
            -275.9285104469687,
            138.357751867269,
            -30.66479806614716,
            2.506628277459239,
        ];
        let b = [
            -54.47609879822406,
            161.5858368580409,
            -155.6989798598866,
            66.80131188771972,
            -13.28068155288572,
            1.0,
        ];
        q * polynomial(&a, r) / polynomial(&b, r)
    } else {
        let q = libm::sqrt(-2.0 * libm::log(1.0 - p));
        let c = [
            -0.007784894002430293,
            -0.3223964580411365,
            -2.400758277161838,
            -2.549732539343734,
            4.374664141464968,
            2.938163982698783,
        ];
        let d = [
            0.007784695709041462,
            0.3224671290700398,
            2.445134137142996,
            3.754408661907416,
            1.0,
        ];
        -polynomial(&c, q) / polynomial(&d, q)
    };
    // One step of Halley: e is the error of the distribution function at x.
    let e = 1.0 - p - 0.5 * libm::erfc(x / core::f64::consts::SQRT_2);
    let u = e * libm::sqrt(2.0 * core::f64::consts::PI) * libm::exp(0.5 * x * x);
    x - u / (1.0 + 0.5 * x * u)
}

fn polynomial(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().fold(0.0, |sum, c| sum * x + c)
}

/// Quantile of chi-square with `v` degrees of freedom at `p` (0 to 0.5).
fn chi_square(p: f64, v: f64) -> f64 {
    let h = 2.0 / (9.0 * v);
    let root = 1.0 - h - normal(1.0 - p) * libm::sqrt(h);
    let least = 0.05;
    let root = if root > least { root } else { least };
    v * root * root * root
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (p, z) in [
            (0.5, 0.0),
            (0.975, 1.959963984540054),
            (0.995, 2.575829303548901),
            (0.99999, 4.264890793922825),
        ] {
            assert!((normal(p) - z).abs() < 1e-9, "{p}: {}", normal(p));
        }
        for (v, c) in [(9.0, 3.325), (19.0, 10.117), (49.0, 33.930)] {
            let q: f64 = chi_square(0.05, v);
            assert!((q / c - 1.0).abs() < 0.01, "{v}: {q}");
        }
        // Howe's factor for 95 % of the population with 95 % confidence and n = 30 is 2.55 in the tables; one node only.
        let one = normal(0.975) * libm::sqrt(29.0 * (1.0 + 1.0 / 30.0) / chi_square(0.05, 29.0));
        assert!((one - 2.55).abs() < 0.02, "{one}");
    }

    #[test]
    fn mean_and_spread_of_the_strokes_make_the_band() {
        let mut teacher = Teacher::new(0.0, 1.0).expect("a range");
        let stroke = |f: f64| {
            [
                Point {
                    position_m: -0.5,
                    force_n: f,
                },
                Point {
                    position_m: 2.0,
                    force_n: f,
                },
            ]
        };
        assert!(!teacher.learn(&stroke(1.0)[..1], 0.0));
        assert!(
            !teacher.learn(&stroke(1.0), 1.5),
            "it ends before the range does"
        );
        for f in [9.0, 10.0, 11.0, 9.0, 10.0, 11.0] {
            assert!(teacher.learn(&stroke(f), 0.25));
        }
        let e = teacher.envelope(0.99, 0.9, 0.0).expect("taught");
        let k = factor(6, 1.0, 0.99, 0.9);
        let sigma = 0.8_f64.sqrt();
        for n in 0..NODES {
            assert!(
                (e.upper_n[n] - 10.0 - k * sigma).abs() < 1e-9
                    && (10.0 - e.lower_n[n] - k * sigma).abs() < 1e-9
            );
        }
        let wide = teacher.envelope(0.99, 0.9, 100.0).expect("taught");
        assert_eq!((wide.lower_n[3], wide.upper_n[3]), (-90.0, 110.0));
    }

    #[test]
    fn too_few_strokes_teach_nothing() {
        let mut teacher = Teacher::new(0.0, 1.0).expect("a range");
        let line = [
            Point::default(),
            Point {
                position_m: 1.0,
                force_n: 1.0,
            },
        ];
        for _ in 0..LEAST_STROKES {
            assert!(teacher.envelope(0.99, 0.9, 1.0).is_none());
            assert!(teacher.learn(&line, 0.0));
        }
        assert!(teacher.envelope(0.99, 0.9, 1.0).is_some());
        assert!(teacher.envelope(1.0, 0.9, 1.0).is_none());
        assert!(Teacher::new(1.0, 1.0).is_none());
    }
}
