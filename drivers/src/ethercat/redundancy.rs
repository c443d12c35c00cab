//! What a MainDevice with a redundant cable knows of its ring: where it is broken, and what that does to the clocks.
//!
//! Where the ring is broken, the half without the reference clock hears no system time from it. It is told one by us: the
//! last that came, plus the time since, put right by the way that the frame now goes. Its clocks so follow the reference as
//! exactly as our frames leave.

use super::report::{News, Reports};
use super::saved::Saved;
use crate::link::RingState;
use twinstep_models::cause::Cause;

/// See the module.
pub struct Redundancy {
    subdevices: usize,
    ring: Option<RingState>,
    /// The break that was reported: the first SubDevice behind it.
    reported: Option<usize>,
    /// System time when our clock showed the second (ns).
    heard: Option<(u64, u64)>,
    /// A frame reaches the reference clock so much later than in the whole ring (ns).
    lag_ns: u64,
    /// A frame from the second end is behind its delays by so much (ns).
    detour_ns: i64,
}

impl Redundancy {
    /// Of so many SubDevices.
    pub fn new(subdevices: usize) -> Self {
        Self {
            subdevices,
            ring: None,
            reported: None,
            heard: None,
            lag_ns: 0,
            detour_ns: 0,
        }
    }

    /// Looks at the ring as the last frames have shown it.
    pub fn look(&mut self, ring: Option<RingState>, saved: &[Saved], reference: Option<usize>) {
        if ring == self.ring {
            return;
        }
        self.ring = ring;
        (self.lag_ns, self.detour_ns) = (0, 0);
        let Some(RingState::Broken {
            answered: [before, _],
        }) = ring
        else {
            return;
        };
        let before = usize::from(before);
        let delay_ns = |known: Option<&Saved>| known.map_or(0, Saved::delay_ns);
        let clocks = || saved.iter().filter(|known| known.has_clock());
        let last_ns = delay_ns(clocks().next_back());
        if reference.is_some_and(|reference| reference >= before) {
            self.lag_ns = last_ns;
        } else {
            let behind = saved.iter().skip(before).find(|known| known.has_clock());
            self.detour_ns = last_ns as i64 - 2 * delay_ns(behind) as i64;
        }
    }

    /// The reference clock showed `system_ns` when it was passed by a frame sent at `sent_ns`.
    pub fn heard(&mut self, system_ns: u64, sent_ns: u64) {
        self.heard = Some((system_ns.wrapping_sub(self.lag_ns), sent_ns));
    }

    /// System time for a frame that is sent now; none without a redundant cable.
    pub fn system_time_ns(&self, sent_ns: u64) -> Option<u64> {
        self.ring?;
        let (system_ns, at_ns) = self.heard?;
        let now_ns = system_ns.wrapping_add(sent_ns.wrapping_sub(at_ns));
        Some(now_ns.wrapping_add_signed(self.detour_ns))
    }

    /// See the field.
    pub fn lag_ns(&self) -> u64 {
        self.lag_ns
    }

    /// Reports a break where all SubDevices answer all the same, and its end. Where somebody is silent that is the news.
    pub fn report(&mut self, reports: &mut Reports) {
        let found = match self.ring {
            Some(RingState::Broken { answered: [a, b] })
                if usize::from(a) + usize::from(b) == self.subdevices =>
            {
                Some(usize::from(a))
            }
            Some(RingState::Broken { .. }) => return,
            Some(RingState::Whole) | None => None,
        };
        if found == self.reported {
            return;
        }
        let (news, at) = match (self.reported, found) {
            (None, Some(at)) => (News::Raised, at),
            (Some(_), Some(at)) => (News::Updated, at),
            (Some(at), None) => (News::Cleared, at),
            (None, None) => return,
        };
        self.reported = found;
        // Behind the last one there is no SubDevice: it is the cable to the second interface.
        let subdevice = (at < self.subdevices).then_some(at);
        reports.push(news, subdevice, Cause::RingBroken, at as f64);
    }
}
