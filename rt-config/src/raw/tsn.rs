//! The table `[tsn]` as it is written.

use crate::value::{At, Quantity, Time};
use schemars::JsonSchema;
use serde::Deserialize;

/// What is set on a network interface for the time of a run, and taken back at its end.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TsnTable {
    /// Network interface. It must have no queueing discipline of somebody else.
    pub(crate) interface: At<String>,
    /// VLAN, 1 to 4094: the interface NAME.ID is made on top of `interface`; none is made unless given.
    pub(crate) vlan: Option<At<u16>>,
    /// PCP (0 to 7) of frames of the priorities 0 to 7 in the VLAN, eight numbers; [0, 1, 2, 3, 4, 5, 6, 7] unless given.
    pub(crate) pcp: Option<At<Vec<At<u16>>>>,
    /// Queueing discipline: "mqprio", "taprio" or "etf". None is set where missing.
    pub(crate) qdisc: Option<At<String>>,
    /// Traffic class of frames of the priorities 0, 1, ..., at most 16 numbers; the other priorities have class 0; needed
    /// for mqprio and taprio.
    pub(crate) classes: Option<At<Vec<At<u16>>>>,
    /// Number of transmit queues of each traffic class, one each unless given (1 to 256 each).
    pub(crate) queues: Option<At<Vec<At<u16>>>>,
    /// taprio: the list of gates, repeated for ever. Together a multiple of the period of the cycle.
    pub(crate) gates: Option<At<Vec<GateTable>>>,
    /// taprio: when the list starts (CLOCK_TAI since 1970), "0s" unless given: whole cycles since then (0 to 2^53ns).
    pub(crate) base_time: Option<Quantity<Time>>,
    /// etf: the traffic class whose frames leave at their launch time, where `classes` are given; of all frames
    /// unless given (one of `classes`).
    pub(crate) launch_class: Option<At<u16>>,
    /// etf: time before its launch time at which a frame is handed to the network card; needed for etf (0 to the period).
    pub(crate) delta: Option<Quantity<Time>>,
    /// Priority (0 to 15) of our EtherCAT frames where the bus is on `interface`, 0 unless given.
    pub(crate) bus_priority: Option<At<u16>>,
    /// The network card does it itself: refused where it cannot. Else the kernel does; false unless given.
    #[serde(default)]
    pub(crate) offload: bool,
}

/// One entry of the list of gates.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GateTable {
    /// Traffic classes whose gates are open; none: nothing leaves (a number of `classes` each).
    pub(crate) open: Vec<At<u16>>,
    /// How long (1us to 1s).
    #[serde(rename = "for")]
    pub(crate) length: Quantity<Time>,
}
