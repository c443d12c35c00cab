//! Detectors: a limit for the abrupt, a window for the scatter, a two-sided CUSUM for the lasting; thresholds that an
//! asked-for interval means.
//!
//! # Derivation
//! The one-cycle innovation e of a channel is far from white (lag-1 autocorrelation 0.95 on a real axis), because the model
//! errs the same way for many cycles. An abrupt fault is judged on what is new, so an autoregression that was learnt on the healthy
//! record takes the rest out ([`whiten`]):
//!
//! ```text
//! w(k) = e(k) - a1 e(k-1) - ... - a4 e(k-4)
//! ```
//!
//! | detector | statistic | finds |
//! |---|---|---|
//! | fast limit ([`limit`]) | w in units of its sigma | a jump, in one cycle |
//! | window ([`window`]) | weighted mean of w2 | scatter that has grown, in some thirty cycles |
//! | CUSUM ([`cusum`]) | sum of clipped e in units of its sigma, less a slack | a shift that lasts |
//!
//! None of their thresholds is taken from a table of normal variates: they come from [`crate::tail`] models of the same
//! statistics over the healthy record. [`channel`] runs all three on one channel in 40 bytes of state.

pub mod channel;
pub mod cusum;
pub mod limit;
pub mod whiten;
pub mod window;

pub use channel::{ChannelDetectors, ChannelPlan, Statistics, Verdict};
pub use cusum::{Cusum, run_length, threshold};
pub use limit::{CALM_CYCLES, Limit, Turn};
pub use whiten::{ORDER, Whitener};
pub use window::Window;
