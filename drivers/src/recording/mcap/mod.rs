//! Recordings as MCAP files, which PlotJuggler, Foxglove and readers in many languages open without us.
//!
//! A file holds, each with its schema:
//!
//! | channel | encoding | what |
//! |---|---|---|
//! | `/process_data` | `ros1` | every cycle: stamp, outcome, validity, and the raw integer of every object |
//! | `/axes/NAME`, `/stations/NAME` | `ros1` | the same in SI units, at most every [`SI_INTERVAL_NS`] |
//! | `/events`, `/commands` | `json` | stored events; what the operator told the run, and from which cycle on |
//! | `/digests` | `ros1` | the digest of all predictions and events after a cycle |
//! | `/checkpoints` | `x-twinstep-postcard` | parts of the twins' state: [`Checkpoint`] |
//!
//! The metadata record [`METADATA`] stands in front: form, version, plan and seeds; the attachment [`CONFIGURATION`] is the
//! machine. A second metadata record, [`END`], is written when the run has ended in order.
//!
//! Chunks are written as a whole. None holds more than [`CHUNK_NS`] and a period of the machine's time, and each is handed to the system as
//! it ends: a file that was cut anywhere is read up to its last whole chunk, which lacks less than that.
//! `log_time` is the time of day (ns, UTC); `sequence` is the cycle's number, cut to 32 bits.

mod read;
mod rounds;
mod row;
mod schema;
#[cfg(test)]
mod tests;
mod write;

pub(super) use read::load;
pub use read::{Contents, Head, head, is_mcap};
pub use rounds::Checkpoint;
pub use write::{Description, McapWriter};

/// Name of the metadata record in front.
pub const METADATA: &str = "twinstep";
/// Name of the metadata record at the end.
pub const END: &str = "twinstep_end";
/// Name of the attachment with the configuration.
pub const CONFIGURATION: &str = "machine.toml";
/// Version of the form.
pub const FORM: &str = "1";
/// Shortest time between two messages in SI units of one axis or station (ns).
pub const SI_INTERVAL_NS: u64 = 10_000_000;
/// Most messages in SI units a second, over all axes and stations.
pub const SI_MESSAGES_PER_S: u64 = 10_000;

/// A chunk ends when it holds so much (bytes, before compression).
const CHUNK_BYTES: u64 = 1 << 20;
/// A chunk ends when it holds so much of the machine's time (ns): what is lost with it is less than a second.
pub const CHUNK_NS: u64 = 500_000_000;
/// Longest record that is read, and longest chunk (bytes): a row of the largest bus fits many times.
const MAX_RECORD_BYTES: usize = 64 << 20;
/// Most bytes of schemas, events and commands that are kept when a file is read; what is beyond is passed over.
const MAX_NOTE_BYTES: usize = 256 << 20;
/// Most messages besides the cycles that are kept when a file is read: a digest a second of the longest recording.
const MAX_NOTES: usize = 1_000_000;

const PROCESS_DATA: &str = "/process_data";
const EVENTS: &str = "/events";
const COMMANDS: &str = "/commands";
const DIGESTS: &str = "/digests";
const CHECKPOINTS: &str = "/checkpoints";
