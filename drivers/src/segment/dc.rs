//! Distributed clocks: the local clock of a SubDevice, its copy of the system time, and SYNC0.
//!
//! The segment has one time base (ns since it was first seen). A SubDevice's local clock is that plus an offset of its
//! own; its system time is local time + 0x0920 + what its control loop has added. A write to 0x0910 is compared with
//! the own system time, never stored, and the control loop takes a small part of the difference.

/// Largest correction of the control loop per received system time (ns).
const STEP_NS: i64 = 50;
/// Part of the difference that the control loop takes.
const SHARE: i64 = 4;

/// The clock of one SubDevice.
#[derive(Clone, Debug, Default)]
pub struct Dc {
    /// Local clock minus segment time (ns).
    pub local_offset_ns: u64,
    /// System time offset 0x0920 (ns, two's complement).
    pub offset_ns: u64,
    /// Propagation delay 0x0928 (ns).
    pub delay_ns: u32,
    /// What the control loop has added (ns, two's complement).
    adjust_ns: u64,
    /// SYNC0, if it is active.
    pub sync0: Option<Sync0>,
    /// SYNC0 pulses since activation.
    pub pulses: u64,
    /// SYNC1, if it is active: it follows SYNC0.
    sync1: Option<Sync1>,
}

/// An active SYNC1. Its register says how long after a SYNC0 it comes: up to one cycle it follows every SYNC0 by that, with
/// n whole cycles more it follows every (n + 1)th.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sync1 {
    /// It follows every so many SYNC0.
    every: u64,
    /// By so much (ns).
    shift_ns: u64,
}

/// An active SYNC0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sync0 {
    /// System time of the next pulse (ns).
    pub next_ns: u64,
    /// Cycle time (ns), at least [`Dc::SHORTEST_CYCLE_NS`].
    pub cycle_ns: u32,
}

impl Dc {
    /// Shortest SYNC0 cycle that is accepted (ns): bounds the work of catching up after a pause.
    pub const SHORTEST_CYCLE_NS: u32 = 10_000;

    /// Local time at a segment time (ns).
    pub fn local_ns(&self, segment_ns: u64) -> u64 {
        segment_ns.wrapping_add(self.local_offset_ns)
    }

    /// System time at a segment time (ns).
    pub fn system_ns(&self, segment_ns: u64) -> u64 {
        self.local_ns(segment_ns)
            .wrapping_add(self.offset_ns)
            .wrapping_add(self.adjust_ns)
    }

    /// A new offset was written; the control loop starts afresh.
    pub fn set_offset(&mut self, offset_ns: u64) {
        if offset_ns != self.offset_ns {
            self.offset_ns = offset_ns;
            self.adjust_ns = 0;
        }
    }

    /// A system time arrived: the control loop follows it. Returns the value of 0x092C (sign and magnitude).
    pub fn receive(&mut self, segment_ns: u64, received_ns: u64) -> u32 {
        let target = received_ns.wrapping_add(u64::from(self.delay_ns));
        let difference = self.system_ns(segment_ns).wrapping_sub(target) as i64;
        let step = (difference / SHARE).clamp(-STEP_NS, STEP_NS);
        self.adjust_ns = self.adjust_ns.wrapping_sub(step as u64);
        let magnitude = difference.unsigned_abs().min(0x7fff_ffff) as u32;
        magnitude | u32::from(difference < 0) << 31
    }

    /// Segment time of the next SYNC0 (ns).
    ///
    /// A start time that has already passed never comes, as on a real controller: the pulse is due when a 64 bit clock
    /// meets it again.
    pub fn next_pulse_ns(&self) -> Option<u64> {
        self.sync0
            .map(|sync0| sync0.next_ns.wrapping_sub(self.system_ns(0)))
    }

    /// SYNC0 has fired.
    pub fn pulsed(&mut self) {
        if let Some(sync0) = &mut self.sync0 {
            sync0.next_ns = sync0.next_ns.wrapping_add(u64::from(sync0.cycle_ns));
            self.pulses = self.pulses.saturating_add(1);
        }
    }

    /// Leaves out the pulses before a segment time, in whole cycles.
    pub fn skip_before(&mut self, segment_ns: u64) {
        let Some(next_ns) = self.next_pulse_ns().filter(|&next_ns| next_ns < segment_ns) else {
            return;
        };
        if let Some(sync0) = &mut self.sync0 {
            let cycle_ns = u64::from(sync0.cycle_ns.max(1));
            let missed = (segment_ns - next_ns).div_ceil(cycle_ns);
            sync0.next_ns = sync0.next_ns.wrapping_add(missed * cycle_ns);
        }
    }

    /// How long after the SYNC0 that has just fired its SYNC1 comes (ns); none where none belongs to it.
    pub fn sync1_after_pulse(&self) -> Option<u64> {
        let sync1 = self.sync1?;
        let first = self.pulses.checked_sub(1)?.is_multiple_of(sync1.every);
        first.then_some(sync1.shift_ns)
    }

    /// SYNC1 is active.
    pub fn has_sync1(&self) -> bool {
        self.sync1.is_some()
    }

    /// System time of the next SYNC1 (ns).
    pub fn next_sync1_ns(&self) -> Option<u64> {
        let (Some(sync0), Some(sync1)) = (self.sync0, self.sync1) else {
            return None;
        };
        let cycle_ns = u64::from(sync0.cycle_ns);
        let behind = self.pulses % sync1.every;
        // The last SYNC0 may have one that is still to come.
        let pending = self.pulses > 0 && sync1.shift_ns > 0 && behind == 1 % sync1.every;
        let first_ns = if pending {
            sync0.next_ns.wrapping_sub(cycle_ns)
        } else {
            let wait = (sync1.every - behind) % sync1.every;
            sync0.next_ns.wrapping_add(wait.wrapping_mul(cycle_ns))
        };
        Some(first_ns.wrapping_add(sync1.shift_ns))
    }

    /// Activation register 0x0981 was written: bit 0 cyclic operation, bit 1 SYNC0, bit 2 SYNC1.
    pub fn activate(
        &mut self,
        activation: u8,
        start_ns: u64,
        (cycle_ns, sync1_ns): (u32, u32),
        segment_ns: u64,
    ) {
        let on = activation & 0x03 == 0x03;
        if !on {
            self.sync0 = None;
            self.sync1 = None;
            self.pulses = 0;
        } else if self.sync0.is_none()
            && cycle_ns >= Self::SHORTEST_CYCLE_NS
            && (start_ns.wrapping_sub(self.system_ns(segment_ns)) as i64) >= 0
        {
            self.sync0 = Some(Sync0 {
                next_ns: start_ns,
                cycle_ns,
            });
            self.sync1 = (activation & 0x04 != 0).then(|| Sync1 {
                every: u64::from(sync1_ns / cycle_ns) + 1,
                shift_ns: u64::from(sync1_ns % cycle_ns),
            });
            self.pulses = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_converge_on_the_reference() {
        let mut dc = Dc {
            local_offset_ns: 123_456,
            delay_ns: 500,
            ..Dc::default()
        };
        dc.set_offset(5_000_u64.wrapping_sub(123_456));
        let mut last = 0;
        for cycle in 0..1_000_u64 {
            let t = cycle * 1_000_000;
            last = dc.receive(t, t + 2_000);
        }
        assert!(last & 0x7fff_ffff < 4, "difference {last:#x}");
    }

    #[test]
    fn sync0_in_the_past_never_fires() {
        let mut dc = Dc::default();
        dc.activate(3, 999, (1_000_000, 0), 1_000);
        assert_eq!(dc.sync0, None);
        dc.activate(3, 2_000, (1_000_000, 0), 1_000);
        assert_eq!(dc.next_pulse_ns(), Some(2_000));
        dc.pulsed();
        assert_eq!(dc.next_pulse_ns(), Some(1_002_000));
        dc.skip_before(10_500_000_000);
        assert_eq!(dc.next_pulse_ns(), Some(10_500_002_000));
        dc.activate(0, 0, (0, 0), 0);
        assert_eq!(dc.next_pulse_ns(), None);
    }

    #[test]
    fn sync1_follows_sync0() {
        // 0x09A4, and the next SYNC1 before any pulse and after each of three.
        let table: [(u32, [u64; 4]); 4] = [
            (0, [5_000_000, 6_000_000, 7_000_000, 8_000_000]),
            (250_000, [5_250_000, 5_250_000, 6_250_000, 7_250_000]),
            (1_000_000, [5_000_000, 7_000_000, 7_000_000, 9_000_000]),
            (1_100_000, [5_100_000, 5_100_000, 7_100_000, 7_100_000]),
        ];
        for (sync1_ns, expected) in table {
            let mut dc = Dc::default();
            dc.activate(7, 5_000_000, (1_000_000, sync1_ns), 0);
            let found = expected.map(|_| {
                let next = dc.next_sync1_ns();
                dc.pulsed();
                next.unwrap()
            });
            assert_eq!(found, expected, "{sync1_ns}");
            dc.activate(0, 0, (0, 0), 0);
            assert_eq!(dc.next_sync1_ns(), None);
        }
    }
}
