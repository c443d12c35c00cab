//! Launch times of what is published: given from the start of the cycle on, and what became of them.

use crate::clock::{OtherClock, Pair};
use crate::error::HostError;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use twinstep_config::machine::Publish;
use twinstep_drivers::link::launch::{LaunchCounters, LaunchSocket};
use twinstep_drivers::link::raw_socket::RawSocket;
use twinstep_drivers::net::{LaunchQueue, launch_queue};

/// What became of launch times, in status and summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchLine {
    /// The queueing discipline of the interface keeps launch times; else frames leave when they are ready.
    pub kept: bool,
    /// Launch time from the start of the cycle on (ns).
    pub offset_ns: u64,
    /// Frames that were given one.
    pub sent: u64,
    /// Frames that were dropped, because their time passed while they were waiting.
    pub missed: u64,
    /// Frames that were dropped at once: as a rule their time had passed when they came.
    pub invalid: u64,
}

impl LaunchLine {
    /// In words.
    pub fn text(&self) -> String {
        let offset_us = self.offset_ns as f64 / 1000.0;
        if !self.kept {
            return format!(
                "launch times: NOT kept, nothing on the interface does; frames leave when they are ready, \
                 not {offset_us} us after the start of the cycle"
            );
        }
        let mut text = format!(
            "launch times: {} frames at {offset_us} us after the start of the cycle",
            self.sent
        );
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            ", {} dropped: {} missed their time, {} came after it",
            self.missed + self.invalid,
            self.missed,
            self.invalid
        );
        text
    }
}

/// Gives frames their launch times.
#[derive(Debug)]
pub struct Launches {
    clock: OtherClock,
    offset_ns: u64,
    kept: bool,
    /// Why nobody keeps them, in words.
    trouble: Option<String>,
    counters: LaunchCounters,
}

impl Launches {
    /// On CLOCK_TAI.
    pub const fn new(offset_ns: u64, kept: bool) -> Self {
        Self {
            clock: OtherClock::Tai,
            offset_ns,
            kept,
            trouble: None,
            counters: LaunchCounters {
                sent: 0,
                missed: 0,
                invalid: 0,
            },
        }
    }

    /// The launch time of a cycle that started at `start_ns` on CLOCK_MONOTONIC, now where it has no start of its own (ns,
    /// CLOCK_TAI); none where the clock cannot be read.
    pub fn at_ns(&self, start_ns: Option<u64>) -> Option<u64> {
        let pair = self.clock.pair()?;
        Some(launch_ns(&pair, start_ns, self.offset_ns))
    }

    /// Takes note of what was reported.
    pub fn note(&mut self, counters: LaunchCounters) {
        self.counters = counters;
    }

    /// Why nobody keeps launch times, once.
    pub fn take_trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    /// What became of them so far.
    pub const fn line(&self) -> LaunchLine {
        LaunchLine {
            kept: self.kept,
            offset_ns: self.offset_ns,
            sent: self.counters.sent,
            missed: self.counters.missed,
            invalid: self.counters.invalid,
        }
    }
}

/// See [`Launches::at_ns`].
const fn launch_ns(pair: &Pair, start_ns: Option<u64>, offset_ns: u64) -> u64 {
    let start_ns = match start_ns {
        Some(start_ns) => start_ns,
        None => pair.monotonic_ns,
    };
    pair.other_at_ns(start_ns).saturating_add(offset_ns)
}

/// Opens what is published to: with launch times, where these are asked for and the interface keeps them.
///
/// # Errors
/// [`HostError`] where the interface cannot be had.
pub fn open(publish: &Publish) -> Result<(LaunchSocket, Option<Launches>), HostError> {
    let name = &publish.interface;
    let priority = publish.stream.vlan.map(|vlan| vlan.priority);
    let socket = RawSocket::open_uadp(name, priority).map_err(crate::uadp::not_open)?;
    let Some(offset_ns) = publish.launch_offset_ns else {
        return Ok((LaunchSocket::at_once(socket), None));
    };
    // A socket takes launch times whether or not anybody keeps them, so that the interface is asked.
    let queue = launch_queue(name, publish.priority())
        .map_err(|error| HostError::machine(error.to_string(), error.remedy()))?;
    match queue {
        LaunchQueue::Etf => {
            let timed = LaunchSocket::at_launch_times(socket).map_err(|error| {
                HostError::machine(
                    format!("[publish.uadp] launch_offset on {name}: {error}"),
                    "give the process CAP_NET_ADMIN, or leave launch_offset out",
                )
            })?;
            Ok((timed, Some(Launches::new(offset_ns, true))))
        }
        LaunchQueue::None(what) => {
            let mut launches = Launches::new(offset_ns, false);
            launches.trouble = Some(format!(
                "[publish.uadp] launch_offset has no effect: frames of priority {} on {name} pass {what}, and only etf on \
                 CLOCK_TAI keeps launch times ([tsn] qdisc = \"etf\", docs/tsn.md)",
                publish.priority()
            ));
            Ok((LaunchSocket::at_once(socket), Some(launches)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_launch_time_counts_from_the_start_of_the_cycle() {
        let pair = Pair {
            monotonic_ns: 5_000_400,
            other_ns: 1_700_000_000_000_000_400,
            width_ns: 40,
        };
        let start = 1_700_000_000_000_000_000;
        assert_eq!(launch_ns(&pair, Some(5_000_000), 600_000), start + 600_000);
        // A cycle that somebody else's frames begin has no start on this clock.
        assert_eq!(launch_ns(&pair, None, 600_000), start + 600_400);
        assert_eq!(launch_ns(&pair, Some(6_000_000), 1), start + 1_000_001);
    }

    #[test]
    fn what_is_not_kept_is_said() {
        let line = Launches::new(500_000, false).line();
        assert!(line.text().contains("NOT kept"), "{}", line.text());
        let mut kept = Launches::new(500_000, true);
        kept.note(LaunchCounters {
            sent: 10,
            missed: 2,
            invalid: 1,
        });
        assert_eq!(
            kept.line().text(),
            "launch times: 10 frames at 500 us after the start of the cycle, 3 dropped: 2 missed their time, 1 came after it"
        );
    }
}
