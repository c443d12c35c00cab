//! How the cycle is scheduled, as it is written.

use crate::value::{At, Quantity, Time};
use schemars::JsonSchema;
use serde::Deserialize;

/// How the cycle gets its time on this computer. `twinstep doctor` says what is there.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RealtimeTable {
    /// Core of the cycle; the last isolated one, or the last one, unless given.
    pub(crate) core: Option<At<u32>>,
    /// Cores that share the models with that of the cycle, one worker each. None: the cycle does all by itself.
    pub(crate) model_cores: Option<At<Vec<At<u32>>>>,
    /// How the cycle is scheduled: "fifo" (unless given), "deadline", or "other", which is the ordinary way.
    pub(crate) policy: Option<At<String>>,
    /// Priority under "fifo", 1 to 98, 80 unless given: above the interrupt threads, which have 50.
    pub(crate) priority: Option<At<u32>>,
    /// Refuse to start without PREEMPT_RT, the policy, locked memory, and throttling off.
    #[serde(default)]
    pub(crate) require: bool,
    /// How the start of a cycle is awaited: "auto" (measured at the start, unless given), "sleep", "spin", or "hybrid",
    /// which sleeps and spins the rest.
    pub(crate) wait: Option<At<String>>,
    /// The network interface of the bus; what is not given stays as it is.
    pub(crate) nic: Option<RealtimeNicTable>,
}

/// The network interface of the bus. What is set here is read back, and restored when the run ends.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RealtimeNicTable {
    /// Core that takes its interrupts.
    pub(crate) irq_core: Option<At<u32>>,
    /// Time that a received frame may wait for others, "0us" to "1ms".
    pub(crate) rx_coalescing: Option<Quantity<Time>>,
    /// Time that the report of a sent frame may wait for others, "0us" to "1ms".
    pub(crate) tx_coalescing: Option<Quantity<Time>>,
}
