//! Health: what wears, tracked from movement to movement, with its uncertainty, its trend and the life that is left.
//!
//! Tracked parameters feed health and nothing else: what is judged keeps the parameters that were calibrated, else a slow fault
//! would be learnt away.
//!
//! | subject | module |
//! |---|---|
//! | inertia, Coulomb and viscous friction, gravity of one movement | [`movement`] |
//! | the same four, recursively with covariance | [`tracker`] |
//! | are they one and the same change: torque constant or current sensor | [`torque_constant`] |
//! | lost motion at reversals, inferred from one encoder | [`backlash`] |
//! | the gap that a load crosses while it is braked, inferred from one encoder | [`crossing`] |
//! | stiffness against the part | [`stiffness`] |
//! | any single figure with its sigma: leak rate, stiffness, lost motion | [`scalar`] |
//! | how much single measurements scatter, where none says so itself | [`scatter`] |
//! | robust trend over a bounded reservoir | [`trend`] |
//! | remaining useful life with an interval, or why it is not known yet | [`life`] |
//!
//! Nothing here is part of the digest, and all of it costs at the end of movements, but for a few sums every eighth cycle
//! and the centre of mass of [`crossing`].

pub mod backlash;
pub mod crossing;
pub mod life;
pub mod matrix;
pub mod movement;
pub mod scalar;
pub mod scatter;
pub mod stiffness;
pub mod torque_constant;
pub mod tracker;
pub mod trend;
