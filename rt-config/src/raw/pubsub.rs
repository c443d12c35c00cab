//! OPC UA PubSub over Ethernet, as it is written.

use crate::value::{At, Quantity, Time};
use schemars::JsonSchema;
use serde::Deserialize;

/// What an axis, press or station publishes on a bus of kind "tsn".
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DataSetTable {
    /// The axis, press or station.
    pub(crate) name: At<String>,
    /// DataSetWriterId, 1 to 65535; the place in the order of the bus, from 1, unless given.
    pub(crate) writer_id: Option<At<u16>>,
    /// PublisherId of this device, that of [bus] unless given (1 to 65535).
    pub(crate) publisher_id: Option<At<u16>>,
    /// Major configuration version that must match; any unless given (0 to 4294967295).
    pub(crate) major_version: Option<At<u32>>,
    /// Fields in their order, as objects of its inputs and outputs: "0x6041". All inputs, then all outputs, unless given.
    pub(crate) fields: Option<At<Vec<At<String>>>>,
}

/// What is published from the cycle.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PublishTable {
    pub(crate) uadp: Option<UadpTable>,
}

/// Predictions and deviations as OPC UA PubSub (UADP) over Ethernet, a data set for each axis, press and station.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UadpTable {
    /// The bus whose predictions are published, where there are several; needed there.
    pub(crate) bus: Option<At<String>>,
    /// Network interface.
    pub(crate) interface: At<String>,
    /// PublisherId, 1 to 65535.
    pub(crate) publisher_id: At<u16>,
    /// WriterGroupId, 1 unless given (1 to 65535).
    pub(crate) writer_group_id: Option<At<u16>>,
    /// VLAN of the frames, 0 to 4094; no tag unless given. Leave it out where the interface is a VLAN itself.
    pub(crate) vlan: Option<At<u16>>,
    /// Priority of the frames, 0 to 7, 0 unless given.
    pub(crate) pcp: Option<At<u8>>,
    /// Destination address, "01:00:5e:7f:00:01" unless given.
    pub(crate) destination: Option<At<String>>,
    /// Frames leave so long after the start of their cycle, by launch times that the queueing discipline etf keeps. Without it
    /// they leave when they are ready (1ns to 10 periods).
    pub(crate) launch_offset: Option<Quantity<Time>>,
}
