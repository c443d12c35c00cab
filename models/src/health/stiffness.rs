//! Stiffness against the part: slope of the contact current over the way into the part, one figure a stroke.
//!
//! # Derivation
//! In contact the model expects the current `c = k w` over the way w. What is measured of it, m (all other shares taken off), is
//! fitted by `m = q c + o`: q is the stiffness relative to the calibrated part, and the offset o takes up a contact that came
//! a little sooner or later. Part, frame and screw are springs in series: a frame that gives way lowers q.
//!
//! Neighbouring samples are averaged over the same window, and the error of a stroke is that of its part rather than that of
//! its samples: the sigma of a stroke is no smaller than `PART`.

/// Samples that a stroke needs.
const LEAST: f64 = 8.0;
/// Spread from part to part that is always there (relative).
const PART: f64 = 0.01;

/// Sums over the stroke in progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ContactSums {
    n: f64,
    c: f64,
    m: f64,
    cc: f64,
    cm: f64,
    mm: f64,
}

impl ContactSums {
    /// Takes in a sample on the way into the part: contact current that is expected and that is measured (A).
    pub fn push(&mut self, expected_a: f64, measured_a: f64) {
        self.n += 1.0;
        self.c += expected_a;
        self.m += measured_a;
        self.cc += expected_a * expected_a;
        self.cm += expected_a * measured_a;
        self.mm += measured_a * measured_a;
    }

    /// Stiffness relative to the calibrated one and its standard deviation; forgets the stroke.
    pub fn finish(&mut self) -> Option<(f64, f64)> {
        let s = core::mem::take(self);
        if s.n < LEAST {
            return None;
        }
        let scc = s.cc - s.c * s.c / s.n;
        let scm = s.cm - s.c * s.m / s.n;
        let smm = s.mm - s.m * s.m / s.n;
        // Without a way in the part there is no slope.
        if scc <= 1e-3 * s.cc || scc <= 0.0 {
            return None;
        }
        let slope = scm / scc;
        let left = (smm - slope * scm).max(0.0) / (s.n - 2.0);
        Some((slope, libm::sqrt(left / scc + PART * PART)))
    }

    /// Forgets the stroke in progress.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slope_and_offset_are_told_apart() {
        for (q, o) in [(1.0, 0.0), (0.8, 0.5), (1.1, -0.3)] {
            let mut s = ContactSums::default();
            for k in 0..30 {
                let c = 0.2 * f64::from(k);
                s.push(c, q * c + o);
            }
            let (found, sigma) = s.finish().expect("a stroke");
            assert!((found - q).abs() < 1e-9 && sigma >= PART, "{found} {sigma}");
            assert_eq!(s, ContactSums::default());
        }
    }

    #[test]
    fn without_a_way_there_is_no_slope() {
        let mut s = ContactSums::default();
        for _ in 0..30 {
            s.push(1.0, 1.0);
        }
        assert_eq!(s.finish(), None);
        s.push(1.0, 1.0);
        assert_eq!(s.finish(), None);
    }
}
