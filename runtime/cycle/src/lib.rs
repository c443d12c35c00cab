//! What happens in one cycle of twinstep once the samples are there: pure, `no_std`, no heap, no clock.
#![cfg_attr(not(test), no_std)]

pub mod digest;
pub mod event;
pub mod judge;
pub mod motion;
pub mod outbox;
pub mod pipeline;
pub mod plan;
pub mod press;
pub mod profile;
pub mod setpoint;
pub mod station;
