//! A two-sided CUSUM for what lasts, and its threshold where the figures are white and normal.
//!
//! # Derivation
//! A one-sided CUSUM of a white standard normal z, `S = max(0, S + z - k)`, alarms at S > h. With D = -k and
//! b = h + 1.166 its mean run length on a healthy machine is (Siegmund 1985)
//!
//! ```text
//! ARL = (exp(2 k b) - 2 k b - 1) / (2 k^2)
//! ```
//!
//! Here z is a block feature: one figure per move and regime, so that the strong autocorrelation inside a move is gone.

/// A two-sided CUSUM over standardised features.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Cusum {
    /// Upward sum (1).
    pub up: f64,
    /// Downward sum (1).
    pub down: f64,
}

impl Cusum {
    /// Takes in one feature with slack `k` and threshold `h`. Sums stop at 2 h, so that a fault that has gone is cleared soon.
    pub fn push(&mut self, z: f64, k: f64, h: f64) {
        self.up = bounded(self.up + z - k, 2.0 * h);
        self.down = bounded(self.down - z - k, 2.0 * h);
    }

    /// The larger sum.
    pub fn largest(&self) -> f64 {
        if self.up > self.down {
            self.up
        } else {
            self.down
        }
    }
}

fn bounded(x: f64, top: f64) -> f64 {
    if x < 0.0 {
        0.0
    } else if x > top {
        top
    } else {
        x
    }
}

/// Mean run length (features) of a one-sided CUSUM with slack `k` > 0 and threshold `h` on a healthy machine.
pub fn run_length(k: f64, h: f64) -> f64 {
    let e = 2.0 * k * (h + 1.166);
    (libm::exp(e) - e - 1.0) / (2.0 * k * k)
}

/// Threshold for which a two-sided CUSUM with slack `k` runs `features` features between false alarms, in 1 to 60.
///
/// The two sides halve the run length of one. Solved by bisection: the run length rises with h.
pub fn threshold(k: f64, features: f64) -> f64 {
    let (mut low, mut high) = (1.0, 60.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if run_length(k, middle) < 2.0 * features {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_length_matches_the_published_table() {
        // k 0.5, h 5: 938 by simulation of white normal residuals.
        let arl = run_length(0.5, 5.0);
        assert!((arl - 938.0).abs() < 10.0, "{arl}");
    }

    #[test]
    fn threshold_inverts_run_length() {
        for k in [0.25, 0.5, 1.0, 2.0] {
            for features in [1e3, 1e6, 1e9] {
                let h = threshold(k, features);
                let back = run_length(k, h) / 2.0;
                assert!(
                    (back / features - 1.0).abs() < 1e-6,
                    "k {k}: {back} for {features}"
                );
            }
        }
    }

    #[test]
    fn a_shift_is_found_and_cleared() {
        let mut c = Cusum::default();
        let h = 4.0;
        let found = (1..20).find(|_| {
            c.push(5.0, 2.0, h);
            c.largest() > h
        });
        assert_eq!(found, Some(2));
        for _ in 0..200 {
            c.push(5.0, 2.0, h);
        }
        let cleared = (1..20).find(|_| {
            c.push(0.0, 2.0, h);
            c.largest() < 0.5 * h
        });
        assert_eq!(cleared, Some(4));
    }
}
