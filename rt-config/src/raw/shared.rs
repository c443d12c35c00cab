//! The tables of the shared memory of other programs.

use crate::value::{At, Quantity, Time};
use schemars::JsonSchema;
use serde::Deserialize;

/// Shared memory (iceoryx2) for other programs on this computer; none unless this table is there.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SharedTable {
    /// Services are called twinstep/NAME/...; letters, digits, '-', '_' and '.'.
    pub(crate) name: At<String>,
    /// Cycles from one sample of all axes to the next, 1 unless given (1 to 100000).
    pub(crate) axes_every: Option<At<u32>>,
    pub(crate) controller: Option<ControllerTable>,
}

/// A controller process sends the set-points, instead of the programs of the axes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ControllerTable {
    /// Longest time without a request before all axes are brought to a stop (a period to 1s).
    pub(crate) liveness: Quantity<Time>,
}
