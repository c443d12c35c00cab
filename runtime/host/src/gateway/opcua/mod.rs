//! The OPC UA server: the machine as variables, its deviations as alarms that are acknowledged and shelved.
//!
//! Behind the cargo feature `opcua`, because its library takes minutes to build. Nodes are shaped as OPC 40001-1 (Machinery)
//! shapes them, alarms as the ExclusiveDeviationAlarmType of OPC 10000-9; `docs/opcua.md` lists them. The library has events
//! and no conditions, so those are written here.
//!
//! The library's tasks read an address space in memory and never wait for us; `server` writes the instance's status into it
//! ten times a second. What a client does to an alarm goes through the desk, as what the page does.

pub mod config;

#[cfg(feature = "opcua")]
mod alarms;
#[cfg(feature = "opcua")]
mod condition;
#[cfg(feature = "opcua")]
mod condition_nodes;
#[cfg(feature = "opcua")]
mod fields;
#[cfg(feature = "opcua")]
mod front;
#[cfg(feature = "opcua")]
mod maker;
#[cfg(feature = "opcua")]
mod managed;
#[cfg(feature = "opcua")]
mod messages;
#[cfg(feature = "opcua")]
mod methods;
#[cfg(feature = "opcua")]
mod nodes;
#[cfg(feature = "opcua")]
mod pki;
#[cfg(feature = "opcua")]
mod quantities;
#[cfg(feature = "opcua")]
mod server;
#[cfg(feature = "opcua")]
mod space;
#[cfg(feature = "opcua")]
mod users;

pub use config::OpcuaConfig;
#[cfg(feature = "opcua")]
pub use server::run;

#[cfg(not(feature = "opcua"))]
use super::context::Context;
#[cfg(not(feature = "opcua"))]
use crate::error::HostError;

/// Refuses: this program was built without the server.
///
/// # Errors
/// [`HostError::Usage`], always.
#[cfg(not(feature = "opcua"))]
pub async fn run(_context: Context, config: OpcuaConfig) -> Result<(), HostError> {
    config.check()
}
