//! Output error: the parameters whose free run stays closest to the measured position.
//!
//! # Derivation
//! The mechanics of [`crate::axis::cascade`] are driven by the measured current alone, from the measured state at the start of
//! every stretch; the residual is measured minus predicted position. Where they stop, they do so within the substep ([`moved`]): the sum
//! of squares is then smooth in the parameters, and the search ends at one minimum. It is minimised by the
//! Levenberg-Marquardt method. Sensitivities are central differences: the eight lanes of one roll-out carry the four
//! parameters, each a little more and a little less.
//!
//! Position and current are weighed differently here than in the inverse dynamics: where the model's structure is that of the
//! machine, both give the same parameters within their errors. Where they do not, the output error bends parameters to make up
//! for what the model lacks. The residuals of a free run are an integral of all that was before, so their standard errors mean
//! nothing without the correction for autocorrelation.

use super::axis::{AxisFit, AxisRecord, COMMON, Estimate};
use super::hac;
use crate::axis::cascade::dry_friction_a;
use crate::axis::params::SUBSTEPS;
use crate::axis::{AxisParams, LaneParams};
use crate::lane::LANES;
use levenberg_marquardt::{LeastSquaresProblem, LevenbergMarquardt};
use nalgebra::{DMatrix, DVector, Dyn, Owned, SMatrix, SVector};

/// Longest free run from one measured state (s): beyond it an error of the constant load drowns everything else.
const LONGEST_S: f64 = 5.0;
/// Shortest one (samples): less says nothing about friction.
const SHORTEST: usize = 200;
/// Samples that are used at most.
const MOST: usize = 40_000;
/// Step of the central differences, relative to the parameter's size.
const DIFFERENCE: f64 = 1e-4;
/// Evaluations that the search may take, times the number of parameters.
const PATIENCE: usize = 60;
/// Relative change that ends the search.
const TOLERANCE: f64 = 1e-8;
/// Combined standard errors within which two estimates agree.
const AGREE: f64 = 2.0;

/// Difference, relative to the larger of value and Coulomb friction, that is none: the substeps of the model show before.
const NEGLIGIBLE: f64 = 0.01;

/// Inertia (A s2/m), Coulomb (A), viscous (A s/m) and constant load (A), or Coulomb in negative direction (A): see [`AxisFit::common`].
pub type Parameters = [f64; COMMON];

/// What the free runs say.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputErrorFit {
    /// As [`AxisFit::common`].
    pub estimates: [Estimate; COMMON],
    /// Their covariance, corrected for autocorrelation.
    pub covariance: [[f64; COMMON]; COMMON],
    /// Residual of the position (m, root mean square).
    pub position_rms_m: f64,
    /// Free runs.
    pub stretches: usize,
    /// Samples in them.
    pub samples: usize,
    /// Roll-outs that the search took.
    pub evaluations: usize,
}

/// The four common parameters of an inverse-dynamics fit.
pub fn parameters(fit: &AxisFit) -> Parameters {
    fit.common().map(|e| e.value)
}

/// Where free runs start and end.
pub fn stretches(r: &AxisRecord<'_>) -> Vec<(usize, usize)> {
    let longest = ((LONGEST_S / r.period_s) as usize).max(2 * SHORTEST);
    let mut all = Vec::new();
    let (mut from, mut total) = (0, 0);
    for k in 0..=r.usable.len() {
        if k < r.usable.len() && r.usable[k] {
            continue;
        }
        let length = k - from;
        // Equal pieces, none longer than the longest.
        let pieces = length.div_ceil(longest).max(1);
        for piece in 0..pieces {
            let (a, b) = (
                from + length * piece / pieces,
                from + length * (piece + 1) / pieces,
            );
            if b - a >= SHORTEST && total + b - a <= MOST {
                total += b - a;
                all.push((a, b));
            }
        }
        from = k + 1;
    }
    all
}

/// Refines `fit` over all free runs of a recording, from the parameters `start`. `sampled`: the drive holds its current over
/// the cycle.
///
/// # Errors
/// In words, why there is no such estimate.
pub fn fit_output_error(
    r: &AxisRecord<'_>,
    fit: &AxisFit,
    start: Parameters,
    sampled: bool,
) -> Result<OutputErrorFit, &'static str> {
    if fit.one_way.is_some() {
        return Err("it moves in one direction only: no free run says anything of the other");
    }
    let runs = FreeRuns::new(r, fit, sampled);
    let samples = runs.samples();
    if samples < 2 * SHORTEST {
        return Err("no free run is long enough: record longer without a gap");
    }
    let problem = Problem {
        at: SVector::from(start).component_div(&runs.scale),
        runs: &runs,
    };
    let (found, report) = LevenbergMarquardt::new()
        .with_tol(TOLERANCE)
        .with_patience(PATIENCE)
        .minimize(problem);
    let at = found.at.component_mul(&runs.scale);
    if !report.termination.was_successful() {
        return Err("the search for the smallest output error did not come to an end");
    }
    let residuals = runs.residuals(&at);
    let jacobian = runs.jacobian(&at);
    let bread = (jacobian.transpose() * &jacobian)
        .try_inverse()
        .ok_or("free runs do not tell the parameters apart")?;
    let mut scores = Vec::with_capacity(samples * COMMON);
    for (line, e) in jacobian.row_iter().zip(residuals.iter()) {
        scores.extend(line.iter().map(|d| d * e));
    }
    let (robust, _) = hac::covariance(&scores, COMMON, bread.as_slice());
    let variance = residuals.norm_squared() / (samples - COMMON) as f64;
    let mut covariance = [[0.0; COMMON]; COMMON];
    for (line, robust) in covariance.iter_mut().zip(robust.chunks(COMMON)) {
        line.copy_from_slice(robust);
    }
    Ok(OutputErrorFit {
        estimates: std::array::from_fn(|c| Estimate {
            value: at[c],
            standard_error: libm::sqrt(covariance[c][c]),
            naive_error: libm::sqrt(variance * bread[(c, c)]),
        }),
        covariance,
        position_rms_m: libm::sqrt(residuals.norm_squared() / samples as f64),
        stretches: runs.stretches.len(),
        samples,
        evaluations: report.number_of_evaluations,
    })
}

/// Predicted position of every sample of the free runs with `fit`'s own parameters: (sample, m).
pub fn free_runs(r: &AxisRecord<'_>, fit: &AxisFit, sampled: bool) -> Vec<(usize, f64)> {
    let runs = FreeRuns::new(r, fit, sampled);
    let residuals = runs.residuals(&SVector::from(parameters(fit)));
    let samples = runs.stretches.iter().flat_map(|(a, b)| *a..*b);
    samples
        .zip(residuals.iter())
        .map(|(k, e)| (k, r.position_m[k] - e))
        .collect()
}

/// How two estimates of the same parameters go together.
#[derive(Clone, Debug, PartialEq)]
pub struct Agreement {
    /// Difference of each parameter in combined standard errors.
    pub distance: Parameters,
    /// Both weighed by their covariances; none where they do not agree.
    pub combined: Option<Parameters>,
}

/// Compares the inverse dynamics with the output error. They agree where no parameter differs by more than two of their
/// combined standard errors, or by no more than 1 % of itself.
pub fn agreement(fit: &AxisFit, other: &OutputErrorFit) -> Agreement {
    let (a, b) = (parameters(fit), other.estimates.map(|e| e.value));
    let distance: Parameters = std::array::from_fn(|c| {
        let combined = libm::sqrt(fit.covariance[c][c] + other.covariance[c][c]);
        (b[c] - a[c]) / combined
    });
    // A load of nothing is known to a share of the friction.
    let load = fit.coulomb_negative_a.is_none().then_some(3);
    let size = |c: usize| {
        if Some(c) == load {
            a[c].abs().max(a[1].abs())
        } else {
            a[c].abs()
        }
    };
    let within = |c: usize, difference: f64, error: f64| {
        difference.abs() <= (AGREE * error).max(NEGLIGIBLE * size(c))
    };
    let agree = (0..COMMON).all(|c| {
        let combined = libm::sqrt(fit.covariance[c][c] + other.covariance[c][c]);
        within(c, b[c] - a[c], combined)
    });
    let combined = combine(a, &fit.covariance, b, &other.covariance)
        // Between covariances that are all but singular a weighted mean may leave the interval of its two parts.
        .filter(|x| (0..COMMON).all(|c| within(c, x[c] - a[c], libm::sqrt(fit.covariance[c][c]))));
    Agreement {
        distance,
        combined: combined.filter(|_| agree),
    }
}

/// Mean of two estimates, each weighed by its inverse covariance.
fn combine(
    a: Parameters,
    covariance_a: &[[f64; COMMON]; COMMON],
    b: Parameters,
    covariance_b: &[[f64; COMMON]; COMMON],
) -> Option<Parameters> {
    // In units of a's own errors, so that all entries are of one size.
    let unit: Parameters = std::array::from_fn(|c| libm::sqrt(covariance_a[c][c]));
    let weight = |covariance: &[[f64; COMMON]; COMMON]| {
        SMatrix::<f64, COMMON, COMMON>::from_fn(|i, j| covariance[i][j] / (unit[i] * unit[j]))
            .cholesky()
            .map(|c| c.inverse())
    };
    let (wa, wb) = (weight(covariance_a)?, weight(covariance_b)?);
    let away = SVector::<f64, COMMON>::from_fn(|c, _| (b[c] - a[c]) / unit[c]);
    let step = (wa + wb).cholesky()?.solve(&(wb * away));
    let mean: Parameters = std::array::from_fn(|c| a[c] + unit[c] * step[c]);
    mean.iter().all(|x| x.is_finite()).then_some(mean)
}

/// One substep of axis `l` at `(x, v)` (m, m/s) with current `i` (A). An axis that comes to rest within it is at rest from that moment on,
/// and is held or driven away in what is left of it.
///
/// The mechanics of the cycle let it stand until the end of the substep. By the parameters that is a staircase: a velocity that is off by
/// what a substep changes, after every turn and for seconds, made hills and valleys of half a percent in the sum of squares, and a search
/// ended in the first one.
fn moved(p: &LaneParams, l: usize, (mut x, mut v): (f64, f64), i: f64) -> (f64, f64) {
    let per_a = p.acceleration_per_a[l];
    let push_a = i - p.gravity_a[l];
    let mut left_s = p.step_s;
    if v != 0.0 {
        let dry_a = dry_friction_a(p, l, v);
        let against_a = if v > 0.0 { dry_a } else { -dry_a };
        // Viscous friction at the mean velocity of the substep.
        let damped = 1.0 + 0.5 * p.viscous[l] * per_a * left_s;
        let acceleration = (push_a - against_a - p.viscous[l] * v) * per_a / damped;
        let next = v + acceleration * left_s;
        if v * next >= 0.0 {
            return (x + 0.5 * (v + next) * left_s, next);
        }
        let stop_s = -v / acceleration;
        x += 0.5 * v * stop_s;
        left_s -= stop_s;
    }
    // The sign of what is next to nothing says which friction holds it.
    let way = if push_a < 0.0 {
        -f64::MIN_POSITIVE
    } else {
        f64::MIN_POSITIVE
    };
    let hold_a = dry_friction_a(p, l, way);
    let free_a = if push_a > hold_a {
        push_a - hold_a
    } else if push_a < -hold_a {
        push_a + hold_a
    } else {
        0.0
    };
    v = free_a * per_a * left_s;
    (x + 0.5 * v * left_s, v)
}

/// Free runs over all stretches of a record.
struct FreeRuns<'a> {
    r: &'a AxisRecord<'a>,
    fixed: AxisParams,
    /// The constant load where it is known (A).
    known_a: Option<f64>,
    stretches: Vec<(usize, usize)>,
    /// Current at the middle of every substep (A), stretch by stretch.
    current_a: Vec<f64>,
    /// Size of each parameter: what the search and the differences are relative to.
    scale: SVector<f64, COMMON>,
}

impl<'a> FreeRuns<'a> {
    fn new(r: &'a AxisRecord<'a>, fit: &AxisFit, sampled: bool) -> Self {
        let stretches = stretches(r);
        let delay = fit.current_delay_s / r.period_s;
        let mut current_a = Vec::new();
        for (from, to) in &stretches {
            for k in *from..*to {
                for piece in 0..SUBSTEPS {
                    let middle = (piece as f64 + 0.5) / SUBSTEPS as f64;
                    // A drive that holds its output reports at once what it will hold.
                    let at = if sampled {
                        k as f64
                    } else {
                        k as f64 + middle + delay
                    };
                    let before = (libm::floor(at).max(0.0) as usize).clamp(*from, *to - 1);
                    let after = (before + 1).min(*to - 1);
                    let share = (at - before as f64).clamp(0.0, 1.0);
                    let i = r.current_a[before];
                    current_a.push(i + share * (r.current_a[after] - i));
                }
            }
        }
        let p = parameters(fit).map(f64::abs);
        let friction = p[1].max(1e-9);
        Self {
            r,
            fixed: AxisParams {
                stribeck_a: fit.stribeck_a.value,
                stribeck_velocity_m_per_s: fit.stribeck_velocity_m_per_s,
                ..AxisParams::IDLE
            },
            known_a: fit.known_a(),
            stretches,
            current_a,
            scale: SVector::from([
                p[0],
                friction,
                p[2].max(1e-3 * friction),
                p[3].max(friction),
            ]),
        }
    }

    fn samples(&self) -> usize {
        self.stretches.iter().map(|(a, b)| b - a).sum()
    }

    fn lane(&self, parameters: &[SVector<f64, COMMON>]) -> LaneParams {
        let all: Vec<AxisParams> = parameters
            .iter()
            .map(|p| AxisParams {
                inertia: p[0],
                // Friction cannot drive.
                coulomb_positive_a: p[1].max(0.0),
                coulomb_negative_a: self.known_a.map_or(p[1], |_| p[3]).max(0.0),
                viscous: p[2].max(0.0),
                gravity_a: self.known_a.unwrap_or(p[3]),
                ..self.fixed
            })
            .collect();
        LaneParams::new(&all, self.r.period_s)
    }

    /// Rolls as many lanes as `L` over all stretches and hands every sample's positions to `each`.
    fn roll<const L: usize>(&self, lane: &LaneParams, mut each: impl FnMut(usize, &[f64; L])) {
        let x = self.r.position_m;
        let mut at = 0;
        for (from, to) in &self.stretches {
            let mut position = [x[*from]; L];
            // The slope through the first three samples, taken at the first one.
            let slope = (4.0 * x[*from + 1] - 3.0 * x[*from] - x[*from + 2]) * 0.5;
            let mut velocity = [slope / self.r.period_s; L];
            for k in *from..*to {
                each(k, &position);
                for _ in 0..SUBSTEPS {
                    let i = self.current_a[at];
                    at += 1;
                    for l in 0..L {
                        (position[l], velocity[l]) = moved(lane, l, (position[l], velocity[l]), i);
                    }
                }
            }
        }
    }

    fn residuals(&self, at: &SVector<f64, COMMON>) -> DVector<f64> {
        let mut out = Vec::with_capacity(self.samples());
        self.roll::<1>(&self.lane(&[*at]), |k, position| {
            out.push(self.r.position_m[k] - position[0]);
        });
        DVector::from_vec(out)
    }

    /// Derivatives of the residuals by the parameters, in their own units.
    fn jacobian(&self, at: &SVector<f64, COMMON>) -> DMatrix<f64> {
        let steps = self.scale * DIFFERENCE;
        let beside: Vec<SVector<f64, COMMON>> = (0..LANES)
            .map(|l| {
                let mut p = *at;
                let c = l / 2;
                p[c] += if l % 2 == 0 { steps[c] } else { -steps[c] };
                p
            })
            .collect();
        let mut out = DMatrix::zeros(self.samples(), COMMON);
        let mut row = 0;
        self.roll::<LANES>(&self.lane(&beside), |_, position| {
            for c in 0..COMMON {
                out[(row, c)] = (position[2 * c + 1] - position[2 * c]) / (2.0 * steps[c]);
            }
            row += 1;
        });
        out
    }
}

const _: () = assert!(LANES == 2 * COMMON);

/// The problem as the search sees it: parameters relative to their sizes.
struct Problem<'a> {
    at: SVector<f64, COMMON>,
    runs: &'a FreeRuns<'a>,
}

impl LeastSquaresProblem<f64, Dyn, nalgebra::Const<COMMON>> for Problem<'_> {
    type ResidualStorage = Owned<f64, Dyn>;
    type JacobianStorage = Owned<f64, Dyn, nalgebra::Const<COMMON>>;
    type ParameterStorage = Owned<f64, nalgebra::Const<COMMON>>;

    fn set_params(&mut self, x: &SVector<f64, COMMON>) {
        self.at = *x;
    }

    fn params(&self) -> SVector<f64, COMMON> {
        self.at
    }

    fn residuals(&self) -> Option<DVector<f64>> {
        // Without inertia nothing has a finite velocity.
        (self.at[0] > 1e-3).then(|| {
            self.runs
                .residuals(&self.at.component_mul(&self.runs.scale))
        })
    }

    fn jacobian(&self) -> Option<nalgebra::OMatrix<f64, Dyn, nalgebra::Const<COMMON>>> {
        let jacobian = self.runs.jacobian(&self.at.component_mul(&self.runs.scale));
        let mut out = jacobian.fixed_columns::<COMMON>(0).into_owned();
        for c in 0..COMMON {
            out.column_mut(c).scale_mut(self.runs.scale[c]);
        }
        Some(out)
    }
}

#[cfg(test)]
#[path = "output_error_tests.rs"]
mod tests;
