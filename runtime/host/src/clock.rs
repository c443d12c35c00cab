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
    fn utc_is_after_the_year_2020() {
        assert!(utc_ns() > 1_577_836_800 * NS_PER_S);
    }
}
