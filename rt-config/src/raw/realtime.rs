//! How the cycle is scheduled, as it is written.

use crate::value::{At, Quantity, Time};
use schemars::JsonSchema;
use serde::Deserialize;

/// How the cycle gets its time on this computer. `twinstep doctor` says what is there.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RealtimeTable {
    /// Core of the cycle; the last isolated one, or the last one, unless given (0 to 8191).
    pub(crate) core: Option<At<u32>>,
    /// Cores that share the models with that of the cycle, one worker each. None: the cycle does all by itself.
    pub(crate) model_cores: Option<At<Vec<At<u32>>>>,
    /// How the cycle is scheduled: "fifo" (unless given), "deadline", or "other", which is the ordinary way.
    pub(crate) policy: Option<At<String>>,
    /// Priority under "fifo", 1 to 98, 80 unless given: above the interrupt threads, which have 50.
    pub(crate) priority: Option<At<u32>>,
    /// Refuse to start without PREEMPT_RT, the policy, locked memory, throttling off, a hold on /dev/cpu_dma_latency, and what is
    /// asked for here: the core, the workers, and what [realtime.nic] sets.
    #[serde(default)]
    pub(crate) require: bool,
    /// How the start of a cycle is awaited: "auto" (measured at the start, unless given), "sleep", "spin", or "hybrid",
    /// which sleeps and spins the rest.
    pub(crate) wait: Option<At<String>>,
    /// The network interfaces of the bus; what is not given stays as it is.
    pub(crate) nic: Option<RealtimeNicTable>,
    /// A clock that the starts of the cycle lie on; without it they follow the distributed clocks, or CLOCK_MONOTONIC.
    pub(crate) clock: Option<ClockTable>,
    /// Whether ptp4l keeps this computer's clock: watched, and told in the status.
    pub(crate) ptp: Option<PtpTable>,
}

/// A clock beside CLOCK_MONOTONIC, for the starts of the cycle.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClockTable {
    /// "tai" (CLOCK_TAI), or the device of a PTP hardware clock such as "/dev/ptp0".
    pub(crate) source: At<String>,
    /// Starts lie on whole periods of the clock and this much later, "0us" unless given (0 to less than the period).
    pub(crate) phase: Option<Quantity<Time>>,
    /// The cycle follows this clock. Where false it follows what it would without, and how far it is off is only told.
    pub(crate) follow: Option<At<bool>>,
}

/// ptp4l (linuxptp), asked once a second over its management socket.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PtpTable {
    /// Its socket; "/var/run/ptp4l", or "/var/run/ptp4lro" where that one may not be used, unless given.
    pub(crate) socket: Option<At<String>>,
    /// PTP domain, 0 unless given (0 to 255).
    pub(crate) domain: Option<At<u16>>,
    /// Offset from the grandmaster beyond which the clock is not good enough, "1us" unless given (1ns to 1s).
    pub(crate) max_offset: Option<Quantity<Time>>,
    /// Time without a Sync message after which it is not followed any more, "3s" unless given (1s to 1h).
    pub(crate) max_silence: Option<Quantity<Time>>,
}

/// The network interfaces of the bus, all of them. What is set here is read back, and restored when the run ends.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RealtimeNicTable {
    /// Core that takes its interrupts; stays as it is unless given (0 to 8191).
    pub(crate) irq_core: Option<At<u32>>,
    /// Time that a received frame may wait for others, "0us" to "1ms"; stays as it is unless given.
    pub(crate) rx_coalescing: Option<Quantity<Time>>,
    /// Time that the report of a sent frame may wait for others, "0us" to "1ms"; stays as it is unless given.
    pub(crate) tx_coalescing: Option<Quantity<Time>>,
}
