//! Everything that brings process data, and the only crate that speaks wire formats.
pub mod bus;
pub mod clock;
pub mod conformance;
pub mod ethercat;
pub mod frame;
pub mod link;
pub mod net;
pub mod object_map;
pub mod ptp;
pub mod recording;
pub mod rng;
pub mod segment;
pub mod tap;
pub mod tsn;
