//! The one seam between the cycle and whatever brings its process data.

use std::time::Duration;
use twinstep_models::sample::{Conditions, CycleStamp, Missing};

/// The process data of one bus: inputs and outputs of all SubDevices, in the order of the wire.
///
/// Allocated once; the cycle only copies into it.
#[derive(Clone, Debug, Default)]
pub struct ProcessImage {
    /// Outputs (RxPDO) of all SubDevices, back to back in the order of the configuration.
    pub outputs: Vec<u8>,
    /// Inputs (TxPDO) of all SubDevices, back to back in the order of the configuration.
    pub inputs: Vec<u8>,
    /// Per SubDevice: whether its inputs of this cycle may be used, and if not, why not.
    pub valid: Vec<Result<(), Missing>>,
    /// Index of the recipe in force and of the part that is in the press;
    /// [`UNKNOWN`](twinstep_models::sample::Context::UNKNOWN) where nobody knows.
    pub recipe: u8,
    /// See `recipe`.
    pub part: u8,
    /// Tool, load and band of the temperature, likewise; process data or columns tell them.
    pub conditions: Conditions,
}

/// What went wrong in an exchange. Inputs are not used; the cycle goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusFault {
    /// The cycle that it happened in.
    pub stamp: CycleStamp,
    /// What happened.
    pub cause: BusCause,
}

/// Causes of a failed exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusCause {
    /// No answer before the deadline.
    NoFrame,
    /// The working counter was not the expected one.
    WorkingCounter {
        /// Sum over the SubDevices of 1 for inputs and 2 for outputs.
        expected: u16,
        /// What came back.
        actual: u16,
    },
    /// A recording has no row for this cycle.
    Gap,
    /// A new segment of a recording begins with the next cycle: nothing is missing, and nothing goes on.
    Segment,
    /// The source has no more data: the end of a recording, or of the link.
    End,
}

/// Counters of everything that a bus dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BusCounters {
    /// Frames that never came back.
    pub lost: u64,
    /// Frames that came back after their deadline.
    pub late: u64,
    /// Frames that came back twice.
    pub duplicate: u64,
    /// Frames that nobody here sent, or that were cut short.
    pub foreign: u64,
    /// Datagrams with a wrong working counter.
    pub working_counter_errors: u64,
}

/// One source of process data, seen from the cycle.
pub trait Bus {
    /// Sends `image.outputs`, runs `in_flight` while the answer is under way, and returns when inputs are in `image`.
    ///
    /// # Errors
    /// [`BusFault`] when the inputs of this cycle must not be used; `image.valid` says so per SubDevice.
    fn exchange(
        &mut self,
        image: &mut ProcessImage,
        in_flight: &mut dyn FnMut(),
    ) -> Result<CycleStamp, BusFault>;

    /// Spends at most `budget` on work outside the cycle's data.
    fn acyclic(&mut self, budget: Duration);

    /// Where the last frame passed against SYNC0 plus the shift (ns, positive: late); none without DC or before OP.
    ///
    /// The host steers the start of its cycle with it.
    fn phase_error_ns(&self) -> Option<i64>;

    /// What was dropped so far.
    fn counters(&self) -> BusCounters;
}
