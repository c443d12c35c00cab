//! A straight line through points that come one by one, with a standard error that does not believe in white noise.
//!
//! # Derivation
//! Weighted recursive least squares of `y = a + b t` in centred sums (West 1979), so that nothing cancels after hours:
//!
//! ```text
//! W += w;  t_m += (w / W) (t - t_m);  S_tt += w (t - t_m,old) (t - t_m);  S_ty, S_yy likewise;  b = S_ty / S_tt
//! ```
//!
//! With w the inverse of the variance of y up to a factor, that factor is s^2 = (S_yy - S_ty^2 / S_tt) / (n - 2), and white
//! noise would give sigma_b = s / sqrt(S_tt). A sensor's noise is not white: a converter sticks to its steps and the gas drifts
//! with temperature. The prediction errors e of the recursion are white where the noise is. What they are not is measured
//! twice and the larger figure inflates the variance: by neighbours, (1 + rho) / (1 - rho) with rho the first autocorrelation,
//! and by batches, the variance of the mean of [`BATCH`] errors times `BATCH`, over that of one.

/// Errors in one batch mean: about a second of blocks.
const BATCH: u32 = 16;
/// Batches that a variance of batch means needs.
const LEAST_BATCHES: u32 = 3;
/// Largest first autocorrelation that is believed.
const RHO_MAX: f64 = 0.9;

/// Sums of one line.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Line {
    n: u32,
    w: f64,
    t: f64,
    y: f64,
    tt: f64,
    ty: f64,
    yy: f64,
    /// Prediction errors: squares, products of neighbours, the latest one, and how many there were.
    ee: f64,
    ee1: f64,
    last: f64,
    errors: u32,
    batch: f64,
    in_batch: u32,
    batches: u32,
    batch_squares: f64,
}

impl Line {
    /// Takes in a point with weight `w` > 0.
    pub fn push(&mut self, t: f64, y: f64, w: f64) {
        if self.n >= 2 && self.tt > 0.0 {
            let far = (t - self.t) * (t - self.t) / self.tt;
            // Normalised, so that early errors, whose prediction is poor, count no more than late ones.
            let e = (y - self.y - self.ty / self.tt * (t - self.t)) * libm::sqrt(w)
                / libm::sqrt(1.0 + w / self.w + w * far);
            self.ee += e * e;
            self.ee1 += e * self.last;
            self.last = e;
            self.errors = self.errors.saturating_add(1);
            self.batch += e;
            self.in_batch += 1;
            if self.in_batch == BATCH {
                self.batch_squares += self.batch * self.batch;
                self.batches = self.batches.saturating_add(1);
                (self.batch, self.in_batch) = (0.0, 0);
            }
        }
        self.n = self.n.saturating_add(1);
        self.w += w;
        let (dt, dy) = (t - self.t, y - self.y);
        self.t += w / self.w * dt;
        self.y += w / self.w * dy;
        self.tt += w * dt * (t - self.t);
        self.ty += w * dt * (y - self.y);
        self.yy += w * dy * (y - self.y);
    }

    /// Points so far.
    pub fn points(&self) -> u32 {
        self.n
    }

    /// Sum of squared residuals, weighted.
    pub fn squares(&self) -> f64 {
        let rest = self.yy - self.ty / self.tt * self.ty;
        if rest > 0.0 { rest } else { 0.0 }
    }

    /// Slope and its standard error. `floor` is the least variance of a residual that is believed (weighted units), `known`
    /// a variance seen elsewhere and the number of points behind it, pooled with the line's own. None with fewer than 4 points.
    pub fn slope(&self, floor: f64, known: (f64, f64)) -> Option<(f64, f64)> {
        if self.n < 4 || self.tt <= 0.0 {
            return None;
        }
        let free = f64::from(self.n) - 2.0;
        let own = self.squares() * self.inflation() / free;
        let pooled = (known.0 * known.1 + self.squares()) / (known.1 + free);
        // A few residuals say less of the noise than what was seen elsewhere.
        let few = self.errors < BATCH && known.1 > free;
        let mut variance = if own > pooled && !few { own } else { pooled };
        if variance < floor {
            variance = floor;
        }
        let slope = self.ty / self.tt;
        let sigma = libm::sqrt(variance / self.tt);
        (slope.is_finite() && sigma.is_finite()).then_some((slope, sigma))
    }

    /// How much larger the variance of the slope is than white noise would make it (1, at least 1).
    fn inflation(&self) -> f64 {
        // A correlation of few errors is noise itself.
        if self.errors < BATCH || self.ee <= 0.0 {
            return 1.0;
        }
        let mut rho = self.ee1 / self.ee;
        if rho > RHO_MAX {
            rho = RHO_MAX;
        }
        let neighbours = (1.0 + rho) / (1.0 - rho);
        let batches = if self.batches < LEAST_BATCHES {
            1.0
        } else {
            let one = self.ee / f64::from(self.errors);
            self.batch_squares / (f64::from(self.batches) * f64::from(BATCH) * one)
        };
        let larger = if neighbours > batches {
            neighbours
        } else {
            batches
        };
        if larger > 1.0 { larger } else { 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise that needs no crate: uniform, -1 to 1.
    fn noise(seed: &mut u64) -> f64 {
        *seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    /// Share of lines whose true slope lies within two standard errors, for noise that remembers `rho` of itself.
    fn coverage(rho: f64, points: u32) -> f64 {
        let mut seed = 7;
        let mut inside = 0;
        for _ in 0..1000 {
            let (mut line, mut e) = (Line::default(), 0.0);
            for k in 0..points {
                e = rho * e + noise(&mut seed);
                let t = 1e5 + 0.1 * f64::from(k);
                line.push(t, -3.0 * t + e, 1.0);
            }
            let (slope, sigma) = line.slope(0.0, (0.0, 0.0)).unwrap_or((0.0, 0.0));
            inside += u32::from((slope + 3.0).abs() < 2.0 * sigma);
        }
        f64::from(inside) / 1000.0
    }

    #[test]
    fn the_standard_error_covers_the_truth_with_and_without_memory() {
        for (rho, points) in [(0.0, 20), (0.0, 200), (0.5, 100), (0.8, 400)] {
            let found = coverage(rho, points);
            assert!(
                (0.88..=1.0).contains(&found),
                "{found} at rho {rho}, {points} points"
            );
        }
    }

    #[test]
    fn weights_count() {
        let (mut line, mut heavy) = (Line::default(), Line::default());
        for (t, y) in [(0.0, 0.0), (1.0, 1.0), (2.0, 2.0), (3.0, 30.0)] {
            line.push(t, y, 1.0);
            heavy.push(t, y, if t < 3.0 { 1.0 } else { 1e-12 });
        }
        let slope = |line: &Line| line.slope(0.0, (0.0, 0.0)).map_or(0.0, |s| s.0);
        assert!(slope(&line) > 5.0);
        assert!((slope(&heavy) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn three_points_say_nothing_of_their_error() {
        let mut line = Line::default();
        for k in 0..3 {
            line.push(f64::from(k), 1.0, 1.0);
            assert_eq!(line.slope(0.0, (0.0, 0.0)), None);
        }
        // A constant reading has at least the floor for its error.
        line.push(3.0, 1.0, 1.0);
        let sigma = line.slope(0.25, (0.0, 0.0)).map_or(0.0, |s| s.1);
        assert!((sigma - 0.5 / libm::sqrt(5.0)).abs() < 1e-12);
    }
}
