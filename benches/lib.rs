//! What the benchmarks share: machines in motion, a commissioning run for them, figures and where they were measured.
//!
//! `cargo bench` runs both benchmarks; see `README.md` in this folder.

pub mod after_sleep;
pub mod arguments;
pub mod before;
pub mod callgrind;
pub mod commission;
pub mod disturb;
pub mod environment;
pub mod figures;
pub mod fleet;
pub mod machines;
pub mod memory;
pub mod outer;
pub mod rig;
pub mod rk4;
pub mod sizes;
pub mod subscriber;
pub mod tally;
pub mod wire;
