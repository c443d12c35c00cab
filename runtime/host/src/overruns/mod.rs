//! A cause for every overrun, and for every budget that is exceeded.
//!
//! The cycle thread keeps the last cycles in a ring ([`ring`]) and hands over what it knows of a cycle that took too long
//! ([`sentry`]). A thread of normal priority reads what the kernel counted meanwhile ([`kernel`]), decides ([`cause`], a pure
//! function) and writes it down ([`watcher`]).

pub mod cause;
pub mod kernel;
pub mod record;
pub mod ring;
pub mod sentry;
pub mod usage;
pub mod watcher;
