//! What becomes of a SubDevice that left OP: it is reported, and brought back where acknowledging is enough.
//!
//! SAFE-OP with an error (a watchdog, a lost SYNC0) keeps mailboxes, SyncManagers and FMMUs: the error is acknowledged
//! and OP requested again. A SubDevice below SAFE-OP has lost its configuration: see [`super::restore`].

use super::al_status::AlReport;
use super::port::Port;
use super::registers::{ACKNOWLEDGE, AlStatus, Registers};
use crate::link::Link;

/// Longest register access (ns).
pub const REGISTER_NS: u64 = 50_000_000;
/// Reports that wait to be taken.
const REPORTS: usize = 32;
/// Attempts per SubDevice until it has been seen in OP again.
const ATTEMPTS: u8 = 8;

/// See the module.
pub struct Recovery {
    reports: Vec<AlReport>,
    seen: Vec<AlStatus>,
    attempts: Vec<u8>,
    next: usize,
    /// Reports that found no room.
    pub dropped: u64,
}

impl Recovery {
    /// For so many SubDevices, all in OP.
    pub fn new(subdevices: usize) -> Self {
        Self {
            reports: Vec::with_capacity(REPORTS),
            seen: vec![AlStatus { status: 8, code: 0 }; subdevices],
            attempts: vec![0; subdevices],
            next: 0,
            dropped: 0,
        }
    }

    /// The oldest report.
    pub fn take_report(&mut self) -> Option<AlReport> {
        (!self.reports.is_empty()).then(|| self.reports.remove(0))
    }

    /// All SubDevices were in OP when last seen.
    pub fn is_idle(&self) -> bool {
        self.seen.iter().all(|status| status.status == 8)
    }

    /// Reports every change to something worse than OP.
    ///
    /// The steps of a SubDevice that `is_restored` are no news.
    pub fn look(&mut self, statuses: &[AlStatus], is_restored: impl Fn(usize) -> bool) {
        let all = self.seen.iter_mut().zip(&mut self.attempts).zip(statuses);
        for (subdevice, ((seen, attempts), status)) in all.enumerate() {
            let changed = seen.status != status.status || seen.code != status.code;
            let error = status.status & 0x10 != 0;
            // The steps of an own recovery (SAFE-OP without an error) are no news.
            let own_step = (status.status == 4 && *attempts > 0)
                || (is_restored(subdevice) && matches!(status.status, 1 | 2 | 4));
            if status.status == 8 {
                *attempts = 0;
            } else if changed && (error || !own_step) {
                if self.reports.len() < REPORTS {
                    self.reports.push(AlReport {
                        subdevice,
                        status: status.status,
                        code: status.code,
                    });
                } else {
                    self.dropped += 1;
                }
            }
            *seen = *status;
        }
    }

    /// One step for one SubDevice: the next that is in SAFE-OP and has attempts left.
    pub fn step<L: Link>(
        &mut self,
        port: &mut Port<L>,
        registers: &mut Registers,
        statuses: &[AlStatus],
        deadline_ns: u64,
    ) {
        let count = statuses.len();
        for turn in 0..count {
            let at = (self.next + turn) % count;
            let (Some(status), Some(attempts)) = (statuses.get(at), self.attempts.get_mut(at))
            else {
                return;
            };
            let request = match status.status {
                0x14 if *attempts < ATTEMPTS => {
                    *attempts += 1;
                    4 | ACKNOWLEDGE
                }
                // Without an error nobody asked for SAFE-OP but a recovery that is under way, here or elsewhere.
                4 if *attempts > 0 => 8,
                _ => continue,
            };
            self.next = at + 1;
            registers.request(port, at, request, deadline_ns);
            return;
        }
    }
}
