//! What becomes of a SubDevice that left OP: it is reported, and brought back where acknowledging is enough.
//!
//! SAFE-OP with an error (a watchdog, a lost SYNC0) keeps mailboxes, SyncManagers and FMMUs: the error is acknowledged
//! and OP requested again. A SubDevice below SAFE-OP has lost its configuration: see [`super::restore`].
//!
//! Where all from one SubDevice on fall silent the line is broken in front of it: that is one report, and what those behind
//! say when they come back is its consequence and no news.

use super::port::Port;
use super::registers::{ACKNOWLEDGE, AlStatus, Registers};
use super::report::{News, Reports};
use crate::link::Link;
use twinstep_models::cause::Cause;

/// Longest register access (ns).
pub const REGISTER_NS: u64 = 50_000_000;
/// Attempts per SubDevice until it has been seen in OP again, or is given up.
pub const ATTEMPTS: u8 = 8;
/// AL status: OP.
const OP: u8 = 8;

/// What is known of one SubDevice.
#[derive(Clone, Copy, Debug)]
struct Known {
    seen: AlStatus,
    attempts: u8,
    /// It is behind the break of the line, or was and has not been in OP since.
    cut_off: bool,
    /// What was reported of it and is not over.
    raised: Option<(Cause, u16)>,
}

/// See the module.
pub struct Recovery {
    known: Vec<Known>,
    /// First SubDevice behind the break, and whether it turned out to have been without power.
    gap: Option<(usize, bool)>,
    next: usize,
}

impl Recovery {
    /// For so many SubDevices, all in OP.
    pub fn new(subdevices: usize) -> Self {
        let known = Known {
            seen: AlStatus {
                status: OP,
                code: 0,
            },
            attempts: 0,
            cut_off: false,
            raised: None,
        };
        Self {
            known: vec![known; subdevices],
            gap: None,
            next: 0,
        }
    }

    /// All SubDevices were in OP when last seen.
    pub fn is_idle(&self) -> bool {
        self.known.iter().all(|known| known.seen.status == OP)
    }

    /// First SubDevice behind the break of the line.
    pub fn gap(&self) -> Option<usize> {
        self.gap.map(|(at, _)| at)
    }

    /// Reports every change to something worse than OP, and what is over.
    ///
    /// The steps of a SubDevice that `is_restored` are no news.
    pub fn look(
        &mut self,
        statuses: &[AlStatus],
        reports: &mut Reports,
        is_restored: impl Fn(usize) -> bool,
    ) {
        self.look_for_gap(statuses, reports);
        for (n, (known, status)) in self.known.iter_mut().zip(statuses).enumerate() {
            let changed = known.seen != *status;
            known.seen = *status;
            if status.status == OP {
                known.attempts = 0;
                known.cut_off = false;
                if let Some((cause, code)) = known.raised.take() {
                    reports.push(News::Cleared, Some(n), cause, f64::from(code));
                }
                continue;
            }
            let error = status.status & 0x10 != 0;
            // The steps of an own recovery (SAFE-OP without an error) are no news.
            let own_step = (status.status == 4 && known.attempts > 0)
                || (is_restored(n) && matches!(status.status, 1 | 2 | 4));
            if !changed || known.cut_off || (own_step && !error) {
                continue;
            }
            let cause = match status.status {
                0 => Cause::NoAnswer,
                _ => Cause::AlError,
            };
            // What comes again on the way back is the same error still.
            let news = match known.raised {
                Some((before, code)) if (before, code) == (cause, status.code) => continue,
                Some((Cause::Refused | Cause::EepromUnreadable, _)) => continue,
                Some(_) => News::Updated,
                None => News::Raised,
            };
            known.raised = Some((cause, status.code));
            reports.push(news, Some(n), cause, f64::from(status.code));
        }
        if let Some((at, unpowered)) = self.gap
            && self.known.iter().all(|known| !known.cut_off)
        {
            self.gap = None;
            let cause = if unpowered {
                Cause::PowerLost
            } else {
                Cause::CableBroken
            };
            reports.push(News::Cleared, Some(at), cause, 0.0);
        }
    }

    /// The line is broken where all SubDevices from one on are silent.
    fn look_for_gap(&mut self, statuses: &[AlStatus], reports: &mut Reports) {
        let answering = statuses.iter().rposition(|status| status.status != 0);
        let first = answering.map_or(0, |last| last + 1);
        let silent = statuses.len() - first;
        // One silent SubDevice at the end alone has no break in front of it when it has merely lost its address, and is
        // found by the way back just the same.
        if silent == 0 || self.gap.is_some_and(|(at, _)| at <= first) {
            return;
        }
        let news = match self.gap {
            Some(_) => News::Updated,
            None => News::Raised,
        };
        self.gap = Some((first, false));
        for known in self.known.iter_mut().skip(first) {
            known.cut_off = true;
        }
        reports.push(news, Some(first), Cause::LineBroken, silent as f64);
    }

    /// SubDevice `n` answers again and has forgotten everything: it had no power.
    pub fn was_without_power(&mut self, n: usize, reports: &mut Reports) {
        if let Some((at, unpowered)) = &mut self.gap
            && *at == n
            && !*unpowered
        {
            *unpowered = true;
            reports.push(News::Updated, Some(n), Cause::PowerLost, 0.0);
        }
    }

    /// SubDevice `n` cannot be brought back, and why.
    pub fn give_up(&mut self, n: usize, cause: Cause, code: u16, reports: &mut Reports) {
        if let Some(known) = self.known.get_mut(n)
            && known.raised != Some((cause, code))
        {
            let news = if known.raised.is_some() {
                News::Updated
            } else {
                News::Raised
            };
            known.raised = Some((cause, code));
            reports.push(news, Some(n), cause, f64::from(code));
        }
    }

    /// One step for one SubDevice: the next that is in SAFE-OP and has attempts left.
    pub fn step<L: Link>(
        &mut self,
        port: &mut Port<L>,
        registers: &mut Registers,
        reports: &mut Reports,
        deadline_ns: u64,
    ) {
        let count = self.known.len();
        for turn in 0..count {
            let at = (self.next + turn) % count;
            let Some(known) = self.known.get_mut(at) else {
                return;
            };
            let request = match known.seen.status {
                0x14 if known.attempts < ATTEMPTS => {
                    known.attempts += 1;
                    4 | ACKNOWLEDGE
                }
                0x14 if known.attempts == ATTEMPTS => {
                    known.attempts += 1;
                    let code = known.seen.code;
                    self.give_up(at, Cause::Refused, code, reports);
                    continue;
                }
                // Without an error nobody asked for SAFE-OP but a recovery that is under way, here or elsewhere.
                4 if known.attempts > 0 => OP,
                _ => continue,
            };
            self.next = at + 1;
            registers.request(port, at, request, deadline_ns);
            return;
        }
    }
}
