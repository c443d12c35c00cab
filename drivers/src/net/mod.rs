//! Setting up a network interface for time-sensitive traffic, and taking it back: a VLAN with priorities, and queueing
//! disciplines. What was set is read back and compared. Nothing here runs while the cycle does.

mod launch;
mod messages;
mod netlink;
mod setup;

pub use launch::{LaunchQueue, launch_queue};
pub use setup::{NetError, Setup};
