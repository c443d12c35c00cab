//! Physics, observers and detectors of twinstep.
//!
//! `no_std`, no heap, no clock, no unsafe: every model is a pure function of parameters, state and samples.
#![cfg_attr(not(any(test, feature = "identify")), no_std)]

pub mod axis;
pub mod blocks;
pub mod cause;
pub mod channel;
pub mod detect;
#[cfg(feature = "identify")]
pub mod identify;
pub mod lane;
pub mod pattern;
pub mod press;
pub mod regime;
pub mod sample;
pub mod servo;
pub mod vacuum;
