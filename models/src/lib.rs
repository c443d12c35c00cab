//! Physics, observers and detectors of twinstep.
//!
//! `no_std`, no heap, no clock: every model is a pure function of parameters, state and samples. Unsafe code stands in `simd.rs`
//! alone, where the vector unit is chosen.
#![cfg_attr(not(any(test, feature = "identify")), no_std)]

pub mod abrupt;
pub mod axis;
pub mod blocks;
pub mod cause;
pub mod channel;
pub mod detect;
pub mod digest;
pub mod evidence;
pub mod health;
pub mod held;
#[cfg(feature = "identify")]
pub mod identify;
pub mod innovation;
pub mod kalman;
pub mod lane;
pub mod press;
pub mod rank;
pub mod regime;
pub mod rest;
pub mod rollout;
pub mod sample;
pub mod servo;
pub mod signature;
pub mod simd;
pub mod tail;
pub mod vacuum;
