//! The tap: somebody else's EtherCAT, heard and never spoken to.
//!
//! Frames come from a [`FrameSource`](source::FrameSource): a mirror port, the two ports of a TAP, the interface of
//! another master on this computer, or a captured file. Outbound and returned frames are [paired](pairing); what the
//! master writes and reads while it starts is [learnt](learn); from both follow the [process-data map](map) and the
//! working counter of every logical datagram. [`TapBus`] then is a [`Bus`](crate::bus::Bus) like any other, but that it
//! waits for the master's cycle instead of making one.
//!
//! Nothing here sends: a source has no function for it, and the socket of a live one is only ever received from.

mod apart;
pub mod bus;
pub mod capture;
mod collect;
mod evidence;
pub mod exchange;
pub mod layout;
pub mod learn;
pub mod map;
pub mod mismatch;
pub mod overhear;
pub mod pairing;
pub mod report;
mod restart;
mod rhythm;
pub mod socket;
pub mod source;
#[cfg(test)]
mod tests;

pub use bus::TapBus;
