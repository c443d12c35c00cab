//! The part in the press: where the current leaves the free model, and how fast it rises.
//!
//! # Standard errors
//! With the excess `y = k s(x - c)` and the residuals e, both are linear near the fit: `dy = s dk - k s' dc`. Their covariance is that of a least
//! squares with these two columns, corrected for autocorrelation: of one stroke neighbouring samples are off together. The
//! slope s' is a difference over a thousandth of the range, for a shape may have corners.

use super::hac;
use super::least_squares::LeastSquares;

/// Way over which the slope of a shape is taken, relative to the range of the positions.
const SLOPE: f64 = 1e-3;

/// What was found for one part.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ContactFit {
    /// Where the ram meets the part (m).
    pub contact_m: f64,
    /// Current per way after contact (A/m).
    pub stiffness_a_per_m: f64,
    /// Residual (A, root mean square).
    pub residual_rms_a: f64,
    /// Standard errors of contact (m) and of what `stiffness_a_per_m` is, corrected for autocorrelation; none where the samples cannot tell both
    /// apart.
    pub standard_errors: Option<[f64; 2]>,
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
                    standard_errors: None,
                });
            }
        }
        let centre = direction * best?.contact_m;
        range = (centre - 2.0 * width, centre + 2.0 * width);
    }
    let mut fit = best?;
    fit.standard_errors = errors(&fit, samples, direction, &shape, SLOPE * (last - first));
    Some(fit)
}

/// Standard errors of contact and stiffness.
fn errors(
    fit: &ContactFit,
    samples: &[(f64, f64)],
    direction: f64,
    shape: impl Fn(f64) -> f64,
    step_m: f64,
) -> Option<[f64; 2]> {
    let (k, contact_m) = (fit.stiffness_a_per_m, direction * fit.contact_m);
    let row = |(x, excess): &(f64, f64)| {
        let way = direction * x - contact_m;
        let slope = (shape(way + step_m) - shape(way - step_m)) / (2.0 * step_m);
        let s = shape(way);
        ([s, -k * slope], direction * excess - k * s)
    };
    let mut ls = LeastSquares::new(2);
    for sample in samples {
        let (columns, residual) = row(sample);
        ls.push(&columns, residual);
    }
    let solved = ls.solve()?;
    let scores: Vec<f64> = (samples.iter())
        .flat_map(|sample| {
            let (columns, residual) = row(sample);
            columns.map(|column| column * residual)
        })
        .collect();
    let (covariance, _) = hac::covariance(&scores, 2, &solved.inverse_normal);
    Some([libm::sqrt(covariance[3]), libm::sqrt(covariance[0])])
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

    /// Contact and stiffness of many noisy recordings scatter as their standard errors say, white or correlated.
    #[test]
    fn standard_errors_are_the_spread_of_many_fits() {
        for rho in [0.0, 0.8] {
            let (mut state, mut told) = (11_u64, [0.0; 2]);
            let mut normal = || {
                let mut sum = 0.0;
                for _ in 0..4 {
                    state = (state.wrapping_mul(6_364_136_223_846_793_005))
                        .wrapping_add(1_442_695_040_888_963_407);
                    sum += (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5;
                }
                sum
            };
            let runs = 60;
            let mut found = Vec::new();
            for _ in 0..runs {
                let mut last = 0.0;
                let samples: Vec<(f64, f64)> = (0..400)
                    .map(|n| {
                        let way = -0.002 + 0.000_02 * f64::from(n);
                        last = rho * last + 0.05 * normal();
                        (-(0.05 + way), -900.0 * way.max(0.0) + last)
                    })
                    .collect();
                let fit = fit_contact(&samples, -1.0).expect("well posed");
                let errors = fit.standard_errors.expect("told apart");
                for (told, error) in told.iter_mut().zip(errors) {
                    *told += error / f64::from(runs);
                }
                found.push([fit.contact_m, fit.stiffness_a_per_m]);
            }
            for (c, told) in told.into_iter().enumerate() {
                let mean = found.iter().map(|f| f[c]).sum::<f64>() / f64::from(runs);
                let square: f64 = found.iter().map(|f| (f[c] - mean) * (f[c] - mean)).sum();
                let spread = libm::sqrt(square / f64::from(runs - 1));
                let ratio = told / spread;
                assert!((0.6..1.6).contains(&ratio), "{rho}, {c}: {told} {spread}");
            }
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
