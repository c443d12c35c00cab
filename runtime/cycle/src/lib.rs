//! What happens in one cycle of twinstep once the samples are there: pure, `no_std`, no heap, no clock.
#![cfg_attr(not(test), no_std)]

pub mod checkpoint;
pub mod coasting;
mod contact;
pub mod controller;
pub mod digest;
pub mod drift;
pub mod event;
pub mod group;
pub mod health;
pub mod judge;
pub mod lanes;
pub mod motion;
pub mod outbox;
pub mod pipeline;
pub mod plan;
pub mod press;
pub mod profile;
pub mod section;
pub mod setpoint;
pub mod signature;
pub mod station;
