//! Calibration: from a recording of a healthy machine to the twin's parameters. Needs std; only the host turns it on.
//!
//! # Derivation
//! The inverse dynamics are linear in the parameters:
//!
//! ```text
//! i = J a + Fc sign(v) + Fv v + Fs s(v) + g
//! ```
//!
//! Every term is averaged with the triangle of [`crate::axis::load`], so that what is fitted here is what is judged there.
//! Samples at rest are left out: static friction hides the load. The Stribeck velocity and the delay of the current are
//! found by search, since they do not enter linearly.

mod axis;
mod cascade;
mod contact;
mod least_squares;
#[cfg(test)]
mod noise;
mod tail;
mod vacuum;
mod whiten;

pub use axis::{AxisFit, AxisRecord, Estimate, fit_axis};
pub use cascade::{CascadeFit, fit_cascade};
pub use contact::{ContactFit, fit_contact};
pub use least_squares::{LeastSquares, Solution};
pub use tail::{TailFit, TailKind, fit_tail};
pub use vacuum::{
    LEAST_S as VACUUM_LEAST_S, SETTLE_S as VACUUM_SETTLE_S, VacuumFit, VacuumRecord, fit_vacuum,
};
pub use whiten::{WhitenFit, fit_whitening};
