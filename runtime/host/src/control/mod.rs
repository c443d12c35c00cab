//! The control socket: what a running cycle is asked and told by other programs. The protocol stands in `docs/control.md`.
//!
//! A thread of normal priority serves it. Between it and the cycle stand two bounded lock-free queues: the cycle takes at
//! most one command between two cycles, and neither end ever waits for the other. What a command owns (a fault, the
//! buffer of a status) travels back with the answer, so that the cycle thread neither takes nor gives back memory.

pub mod around;
mod budgets;
mod bus;
pub mod client;
mod connection;
pub mod faults;
mod find;
pub mod health;
mod lines;
mod orders;
mod overruns;
mod peer;
mod place;
pub mod queue;
mod request;
mod server;
pub mod status;
mod trail;
mod visitor;
mod what_if;

pub use bus::Setting;
pub use find::{find, find_machine, live_sockets};
pub use lines::PROTOCOL;
pub(crate) use place::file_name;
pub use place::{Place, listens, name_of};
pub use server::Server;

#[cfg(test)]
mod several_tests;
