//! OPC UA PubSub over Ethernet: drives that publish their process data, twins that subscribe, and what is published of them.
//!
//! [`uadp`] is the wire format, [`publisher`] frames of fixed layout, [`reader`] the data sets that are expected, and
//! [`TsnBus`] a [`Bus`](crate::bus::Bus) that waits for them. Sockets are those of EtherCAT with another EtherType.

pub mod bus;
pub mod devices;
pub mod publisher;
pub mod reader;
#[cfg(test)]
mod tests;
pub mod uadp;

pub use bus::TsnBus;
