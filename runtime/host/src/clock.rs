//! The only place in the host that reads a clock; the bus has its own (`drivers/src/clock.rs`). Everything else takes time
//! as a parameter.

use rustix::thread::{ClockId as SleepClock, clock_nanosleep_absolute};
use rustix::time::{ClockId, DynamicClockId, Timespec, clock_gettime, clock_gettime_dynamic};
use std::os::fd::AsFd;

/// Nanoseconds in one second.
const NS_PER_S: u64 = 1_000_000_000;

/// CLOCK_MONOTONIC (ns). Never goes back; its zero is the start of the computer. No system call, lock or heap.
#[inline]
pub fn monotonic_ns() -> u64 {
    to_ns(clock_gettime(ClockId::Monotonic))
}

/// Time of day in UTC since 1970 (ns); may be stepped by the administrator, so it only labels what is stored.
pub fn utc_ns() -> u64 {
    to_ns(clock_gettime(ClockId::Realtime))
}

/// CLOCK_TAI against CLOCK_REALTIME (s): 0 until somebody has told the kernel how many leap seconds there were.
pub fn tai_offset_s() -> i64 {
    let read = || -> Option<(Timespec, Timespec)> {
        let utc = clock_gettime(ClockId::Realtime);
        Some((utc, clock_gettime_dynamic(DynamicClockId::Tai).ok()?))
    };
    // Half a second more: the seconds of the two readings may lie on both sides of a full one.
    read().map_or(0, |(utc, tai)| {
        (to_ns(tai).saturating_sub(to_ns(utc)) / (NS_PER_S / 2)).div_ceil(2) as i64
    })
}

/// Another clock beside CLOCK_MONOTONIC.
#[derive(Debug)]
pub enum OtherClock {
    /// CLOCK_TAI.
    Tai,
    /// The clock of a device such as `/dev/ptp0`.
    Device(std::fs::File),
    /// A virtual clock, which is CLOCK_MONOTONIC there too: for what is proven without waiting.
    Virtual(twinstep_drivers::clock::Clock),
}

/// The two clocks, read together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pair {
    /// CLOCK_MONOTONIC (ns), halfway between a reading before and one after the other clock's.
    pub monotonic_ns: u64,
    /// The other clock (ns).
    pub other_ns: u64,
    /// Time between those two readings (ns): the other clock was read somewhere in it.
    pub width_ns: u64,
}

impl Pair {
    /// What the other clock shows when CLOCK_MONOTONIC shows `monotonic_ns`, if both go on as they do (ns).
    pub const fn other_at_ns(&self, monotonic_ns: u64) -> u64 {
        let later = monotonic_ns.wrapping_sub(self.monotonic_ns);
        self.other_ns.saturating_add_signed(later.cast_signed())
    }
}

impl OtherClock {
    /// Opens the clock of a device.
    ///
    /// # Errors
    /// The device cannot be opened, or is no clock.
    pub fn device(path: &str) -> std::io::Result<Self> {
        let clock = Self::Device(std::fs::File::open(path)?);
        clock.read_ns()?;
        Ok(clock)
    }

    fn read_ns(&self) -> std::io::Result<u64> {
        let time = match self {
            Self::Tai => clock_gettime_dynamic(DynamicClockId::Tai),
            Self::Device(file) => clock_gettime_dynamic(DynamicClockId::Dynamic(file.as_fd())),
            Self::Virtual(clock) => return Ok(clock.now_ns()),
        };
        Ok(to_ns(time?))
    }

    /// Reads both clocks. None where the other clock has gone.
    pub fn read_once(&self) -> Option<Pair> {
        if let Self::Virtual(clock) = self {
            return Some(Pair {
                monotonic_ns: clock.now_ns(),
                other_ns: clock.now_ns(),
                width_ns: 0,
            });
        }
        let before_ns = monotonic_ns();
        let other_ns = self.read_ns().ok()?;
        let width_ns = monotonic_ns().saturating_sub(before_ns);
        Some(Pair {
            monotonic_ns: before_ns + width_ns / 2,
            other_ns,
            width_ns,
        })
    }

    /// The same, three times, of which the reading counts that was done soonest: a thread that is stopped halfway reads
    /// something else.
    pub fn pair(&self) -> Option<Pair> {
        let best = self.read_once()?;
        let others = (0..2).filter_map(|_| self.read_once());
        others.chain([best]).min_by_key(|pair| pair.width_ns)
    }
}

/// Whether the clock of a device such as `/dev/ptp0` runs: read twice, a millisecond apart.
///
/// # Errors
/// The device cannot be opened, or is no clock.
pub fn device_advances(path: &str) -> std::io::Result<bool> {
    let device = std::fs::File::open(path)?;
    let read = || clock_gettime_dynamic(DynamicClockId::Dynamic(device.as_fd()));
    let first = read()?;
    sleep_until_ns(monotonic_ns() + 1_000_000);
    Ok(read()? != first)
}

/// Sleeps until CLOCK_MONOTONIC has reached `deadline_ns`; returns at once when it has passed already.
///
/// The time is absolute, so that a late wake-up does not push the following ones back.
pub fn sleep_until_ns(deadline_ns: u64) {
    let request = Timespec {
        tv_sec: i64::try_from(deadline_ns / NS_PER_S).unwrap_or(i64::MAX),
        // Smaller than 1e9, so it fits every width the platform may use.
        tv_nsec: (deadline_ns % NS_PER_S) as _,
    };
    // A signal ends the sleep early; the deadline is absolute, so asking again is all it takes.
    while let Err(error) = clock_nanosleep_absolute(SleepClock::Monotonic, &request) {
        if error != rustix::io::Errno::INTR {
            return;
        }
    }
}

/// Waits until CLOCK_MONOTONIC has reached `deadline_ns`: sleeps until `spin_ns` before it, and spins the rest.
pub fn wait_until_ns(deadline_ns: u64, spin_ns: u64) {
    let sleep_ns = deadline_ns.saturating_sub(spin_ns);
    if spin_ns == 0 || monotonic_ns() < sleep_ns {
        sleep_until_ns(sleep_ns);
    }
    while monotonic_ns() < deadline_ns {
        std::hint::spin_loop();
    }
}

fn to_ns(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(NS_PER_S).saturating_add(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monotonic_time_never_goes_back() {
        let mut last_ns = monotonic_ns();
        for _ in 0..1000 {
            let now_ns = monotonic_ns();
            assert!(now_ns >= last_ns);
            last_ns = now_ns;
        }
    }

    #[test]
    fn sleep_ends_at_the_deadline_or_later() {
        let deadline_ns = monotonic_ns() + 100_000;
        sleep_until_ns(deadline_ns);
        assert!(monotonic_ns() >= deadline_ns);
        sleep_until_ns(0);
    }

    #[test]
    fn no_wait_ends_early() {
        for spin_ns in [0, 20_000, u64::MAX] {
            let deadline_ns = monotonic_ns() + 100_000;
            wait_until_ns(deadline_ns, spin_ns);
            assert!(monotonic_ns() >= deadline_ns, "{spin_ns}");
        }
    }

    #[test]
    fn two_clocks_are_read_together() {
        let pair = OtherClock::Tai.pair().unwrap();
        assert!(pair.other_ns > 1_577_836_800 * NS_PER_S);
        let later = pair.other_at_ns(pair.monotonic_ns + 1_000);
        assert_eq!(later, pair.other_ns + 1_000);
        assert_eq!(
            pair.other_at_ns(pair.monotonic_ns - 1_000),
            pair.other_ns - 1_000
        );
        assert!(OtherClock::device("/dev/null").is_err());
        assert!(OtherClock::device("/dev/no-such-clock").is_err());
    }

    #[test]
    fn utc_is_after_the_year_2020() {
        assert!(utc_ns() > 1_577_836_800 * NS_PER_S);
    }
}
