//! Calibration: from a recording of a healthy machine to the twin's parameters. Needs std; only the host turns it on.
//!
//! # Derivation
//! The inverse dynamics are linear in the parameters:
//!
//! ```text
//! i = J a + Fc sign(v) + Fv v + Fs s(v) + g
//! ```
//!
//! `sign(v)` and 1 span the two directions, so that a difference between their Coulomb frictions cannot be told from the constant load g. Where
//! g is known before, it goes to the left side, and each direction has a column of its own:
//!
//! ```text
//! i - g = J a + Fp [v > 0] - Fn [v < 0] + Fv v + Fs s(v)
//! ```
//!
//! Every term is averaged with the triangle of [`crate::axis::load`], so that what is fitted here is what is judged there.
//! Samples at rest are left out: static friction hides the load. The Stribeck velocity and the delay of the current are
//! found by search, since they do not enter linearly.
//!
//! The output error of a free run over the measured position is minimised beside it. What is written are the parameters of the
//! inverse dynamics; where the output error agrees with them within two combined standard errors in every parameter, the
//! weighted mean of both.

mod axis;
mod between;
mod cascade;
mod contact;
mod drive_gains;
mod figures;
mod hac;
mod least_squares;
mod motion;
#[cfg(test)]
mod noise;
mod output_error;
mod regressors;
mod signals;
mod stretches;
mod tail;
mod vacuum;
mod whiten;

pub use axis::{
    AxisFit, AxisRecord, COMMON, Estimate, Explained, explain, fit_axis, fit_axis_under,
};
pub use between::errors_between;
pub use cascade::{CascadeFit, fit_cascade};
pub use contact::{ContactFit, fit_contact, fit_shape};
pub use drive_gains::{GainTable, GainsFit, SETTLE_S as GAINS_SETTLE_S, fit_gains};
pub use figures::{FigureFit, LEAST_FIGURES, fit_figures};
pub use least_squares::{LeastSquares, Solution};
pub use motion::{LEAST_ROWS, MissingMotion};
pub use output_error::{
    Agreement, OutputErrorFit, Parameters, agreement, fit_output_error, free_runs, parameters,
};
pub use tail::{AMPLITUDE_SHAPE, SQUARE_SHAPE, TailFit, fit_tail};
pub use vacuum::{
    LEAST_S as VACUUM_LEAST_S, SETTLE_S as VACUUM_SETTLE_S, VacuumFit, VacuumRecord, fit_vacuum,
};
pub use whiten::{WhitenFit, fit_whitening};
