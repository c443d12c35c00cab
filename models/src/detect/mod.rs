//! The CUSUM over figures that come one a movement, and the threshold that an asked-for interval means. What is judged every
//! cycle is in [`crate::innovation`].

pub mod cusum;

pub use cusum::{Cusum, run_length, threshold};
