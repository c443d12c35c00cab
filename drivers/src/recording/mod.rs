//! Recordings: our own, bit-exact form, and tables from elsewhere; both are replayed as a [`Bus`](crate::bus::Bus).
//!
//! **Our own form** is plain CSV that any tool reads. One row a cycle: `cycle,time_ns,dc_time_ns,bus,valid,recipe,part`, an
//! empty column named `twinstep_recording_v1` that marks the form, then one raw integer per object of the process data,
//! named `SUBDEVICE.0x6064` or, with a subindex, `SUBDEVICE.0x6000:01`: per SubDevice first its outputs, then its inputs.
//! `bus` is `ok`, `no_frame`, `working_counter:EXPECTED:ACTUAL`, `gap` or `segment`. `valid` has one letter per SubDevice: `v`
//! usable, `n` no frame, `w` working counter, `o` not in OP, `g` gap, `x` not a number, `m` not mapped, `s` new segment. Inputs of
//! a failed exchange are empty. Raw integers are kept, never SI units, so that a replay converts exactly what the live bus converted.
//!
//! **MCAP** files hold the same, and more: see [`mcap`].
//!
//! **Tables from elsewhere** are mapped by `[recording]` of the configuration, column by column.
//!
//! Both are read and checked as a whole when they are opened: what is wrong is known before the first cycle, with its
//! line and column. Bounds: [`MAX_ROWS`], [`MAX_BYTES`], [`MAX_LINE_BYTES`], [`MAX_GAP_CYCLES`].

mod columns;
mod context;
mod error;
#[cfg(test)]
pub(crate) mod fixtures;
mod foreign;
mod form;
pub mod mcap;
mod own;
mod recorder;
mod replay;
mod resample;
mod rows;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod writer;

pub use columns::{AxisRecord, Recording, StationRecord, columns};
pub use error::{Problem, RecordingError};
pub use form::{Column, Form};
pub use recorder::Recorder;
pub use replay::{MissingCycles, RecordingBus};
pub use rows::Rows;
pub use writer::Writer;

/// Most rows of a recording: five and a half hours at 1 ms.
pub const MAX_ROWS: usize = 20_000_000;
/// Most memory that a recording may take once it is read (bytes).
pub const MAX_BYTES: usize = 4 << 30;
/// Longest line (bytes): 1024 axes with 12 objects each fit four times.
pub const MAX_LINE_BYTES: usize = 1 << 20;
/// Longest gap that is replayed cycle by cycle; a longer one is refused, since nothing stays locked over it.
pub const MAX_GAP_CYCLES: u64 = 1_000_000;
