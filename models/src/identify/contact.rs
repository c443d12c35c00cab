//! The part in the press: where the current leaves the free model, and how fast it rises.

use super::least_squares::LeastSquares;

/// What was found for one part.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ContactFit {
    /// Where the ram meets the part (m).
    pub contact_m: f64,
    /// Current per way after contact (A/m).
    pub stiffness_a_per_m: f64,
    /// Residual (A, root mean square).
    pub residual_rms_a: f64,
}

/// Fits `excess = direction k w` over the samples (position, excess current over the free model) taken on the way in.
///
/// The contact point is found by search over the range of the positions, the stiffness by least squares.
pub fn fit_contact(samples: &[(f64, f64)], direction: f64) -> Option<ContactFit> {
    fit_shape(samples, direction, |way| way.max(0.0))
}

/// The same for a part whose force over the way behind the contact (m) has another `shape`: `excess = direction k shape(w)`. The
/// stiffness of the result is then k, in A over what `shape` gives.
pub fn fit_shape(
    samples: &[(f64, f64)],
    direction: f64,
    shape: impl Fn(f64) -> f64,
) -> Option<ContactFit> {
    let mut ways: Vec<f64> = samples.iter().map(|(x, _)| direction * x).collect();
    ways.sort_by(f64::total_cmp);
    let (first, last) = (*ways.first()?, *ways.last()?);
    let mut best: Option<ContactFit> = None;
    let mut range = (first, last);
    for _ in 0..4 {
        let steps = 40;
        let width = (range.1 - range.0) / f64::from(steps);
        for n in 0..steps {
            let contact = range.0 + width * f64::from(n);
            let mut ls = LeastSquares::new(1);
            for (x, excess) in samples {
                ls.push(&[shape(direction * x - contact)], direction * excess);
            }
            let Some(s) = ls.solve() else { continue };
            if s.x[0] > 0.0 && best.is_none_or(|b| s.residual_rms < b.residual_rms_a) {
                best = Some(ContactFit {
                    contact_m: direction * contact,
                    stiffness_a_per_m: s.x[0],
                    residual_rms_a: s.residual_rms,
                });
            }
        }
        let centre = direction * best?.contact_m;
        range = (centre - 2.0 * width, centre + 2.0 * width);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contact_and_stiffness_come_back() {
        for direction in [1.0, -1.0] {
            let samples: Vec<(f64, f64)> = (0..400)
                .map(|n| {
                    let way = -0.002 + 0.000_02 * f64::from(n);
                    (direction * (0.05 + way), direction * 900.0 * way.max(0.0))
                })
                .collect();
            let fit = fit_contact(&samples, direction).expect("well posed");
            assert!((fit.contact_m - direction * 0.05).abs() < 5e-5, "{fit:?}");
            assert!(
                (fit.stiffness_a_per_m / 900.0 - 1.0).abs() < 0.02,
                "{fit:?}"
            );
        }
    }

    #[test]
    fn a_shape_is_found_where_it_is_and_as_strong_as_it_is() {
        // 2 N over the first millimetre, then none more.
        let shape = |way: f64| 2.0 * (1e3 * way).clamp(0.0, 1.0);
        let samples: Vec<(f64, f64)> = (0..400)
            .map(|n| {
                let way = -0.002 + 0.000_02 * f64::from(n);
                (-(0.05 + way), -0.7 * shape(way))
            })
            .collect();
        let fit = fit_shape(&samples, -1.0, shape).expect("well posed");
        assert!((fit.contact_m + 0.05).abs() < 5e-6, "{fit:?}");
        assert!((fit.stiffness_a_per_m / 0.7 - 1.0).abs() < 0.005, "{fit:?}");
    }
}
