//! The clock of a bus: CLOCK_MONOTONIC, or a virtual one that only moves when somebody waits.
//!
//! ethercrab takes its timers from `embassy-time`, whose driver is one per process. It is implemented here and asks
//! the clock that the current thread has entered, so that several MainDevices on several threads, some in real and
//! some in virtual time, do not disturb each other.
//!
//! One of the named files with unsafe code: system calls, and the symbols that `embassy-time` links against.
#![allow(unsafe_code)]

use core::cell::{Cell, RefCell};
use core::task::Waker;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Wake-up latency of a sleep that is spun away instead (ns).
const SPIN_NS: u64 = 60_000;
const NS_PER_S: u64 = 1_000_000_000;

/// A clock; clones show the same time.
#[derive(Clone, Debug)]
pub struct Clock {
    /// Time of a virtual clock (ns); none: CLOCK_MONOTONIC.
    virtual_ns: Option<Arc<AtomicU64>>,
}

impl Clock {
    /// The system's monotonic clock.
    pub const fn monotonic() -> Self {
        Self { virtual_ns: None }
    }

    /// A virtual clock that shows `start_ns` until somebody waits.
    pub fn virtual_from(start_ns: u64) -> Self {
        Self {
            virtual_ns: Some(Arc::new(AtomicU64::new(start_ns))),
        }
    }

    /// Whether this clock is virtual.
    pub const fn is_virtual(&self) -> bool {
        self.virtual_ns.is_some()
    }

    /// The time (ns).
    pub fn now_ns(&self) -> u64 {
        match &self.virtual_ns {
            // Relaxed: the time is a value of its own, nothing else is published with it.
            Some(time) => time.load(Ordering::Relaxed),
            None => monotonic_ns(),
        }
    }

    /// Waits until `time_ns`; returns at once where it has passed. A virtual clock jumps there.
    pub fn wait_until_ns(&self, time_ns: u64) {
        if let Some(time) = &self.virtual_ns {
            time.fetch_max(time_ns, Ordering::Relaxed);
            return;
        }
        if time_ns > monotonic_ns().saturating_add(SPIN_NS) {
            sleep_until_ns(time_ns - SPIN_NS);
        }
        while monotonic_ns() < time_ns {
            core::hint::spin_loop();
        }
    }

    /// Makes this the clock of ethercrab's timers on this thread until the guard is dropped.
    pub fn enter(&self) -> Entered {
        let before = CURRENT.with_borrow_mut(|current| current.replace(self.clone()));
        Entered { before }
    }
}

/// See [`Clock::enter`].
#[derive(Debug)]
pub struct Entered {
    before: Option<Clock>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let before = self.before.take();
        CURRENT.with_borrow_mut(|current| *current = before);
    }
}

/// CLOCK_MONOTONIC (ns), whatever clock is entered: for measuring how long something really took.
pub fn monotonic_ns() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a live timespec that the call fills; CLOCK_MONOTONIC always exists on Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    (time.tv_sec as u64)
        .saturating_mul(NS_PER_S)
        .saturating_add(time.tv_nsec as u64)
}

fn sleep_until_ns(time_ns: u64) {
    let until = libc::timespec {
        tv_sec: (time_ns / NS_PER_S) as libc::time_t,
        tv_nsec: (time_ns % NS_PER_S) as libc::c_long,
    };
    // An interrupted sleep only makes the spin afterwards longer.
    // SAFETY: both pointers are valid for the call; a null remainder is allowed for absolute sleeps.
    unsafe {
        libc::clock_nanosleep(
            libc::CLOCK_MONOTONIC,
            libc::TIMER_ABSTIME,
            &raw const until,
            core::ptr::null_mut(),
        )
    };
}

thread_local! {
    /// The clock that this thread has entered.
    static CURRENT: RefCell<Option<Clock>> = const { RefCell::new(None) };
    /// Earliest time that a timer asked to be polled at (ns).
    static NEXT_WAKE_NS: Cell<u64> = const { Cell::new(u64::MAX) };
}

/// The earliest time (ns) that a timer polled on this thread since the last call waits for, `u64::MAX` for none.
pub fn take_next_wake_ns() -> u64 {
    NEXT_WAKE_NS.replace(u64::MAX)
}

const NS_PER_TICK: u64 = NS_PER_S / embassy_time_driver::TICK_HZ;

struct ThreadClock;

impl embassy_time_driver::Driver for ThreadClock {
    fn now(&self) -> u64 {
        let now_ns = CURRENT.with_borrow(|current| match current {
            Some(clock) => clock.now_ns(),
            None => monotonic_ns(),
        });
        now_ns / NS_PER_TICK
    }

    fn schedule_wake(&self, at: u64, _: &Waker) {
        // Futures are polled in a loop by hand, which only needs to know when to poll again.
        let at_ns = at.saturating_mul(NS_PER_TICK);
        NEXT_WAKE_NS.set(NEXT_WAKE_NS.get().min(at_ns));
    }
}

embassy_time_driver::time_driver_impl!(static THREAD_CLOCK: ThreadClock = ThreadClock);

#[cfg(test)]
mod tests {
    use super::*;
    use embassy_time_driver::Driver;

    #[test]
    fn virtual_time_moves_only_when_waited_for() {
        let clock = Clock::virtual_from(5_000);
        let same = clock.clone();
        assert_eq!(clock.now_ns(), 5_000);
        same.wait_until_ns(7_000);
        same.wait_until_ns(6_000);
        assert_eq!(clock.now_ns(), 7_000);
    }

    #[test]
    fn timers_follow_the_clock_of_their_thread() {
        let clock = Clock::virtual_from(42_000_000);
        let outer = clock.enter();
        assert_eq!(ThreadClock.now(), 42_000);
        {
            let _inner = Clock::virtual_from(1_000_000).enter();
            assert_eq!(ThreadClock.now(), 1_000);
        }
        assert_eq!(ThreadClock.now(), 42_000);
        std::thread::spawn(|| assert_ne!(ThreadClock.now(), 42_000))
            .join()
            .unwrap();
        drop(outer);
        assert_ne!(ThreadClock.now(), 42_000);
    }

    #[test]
    fn the_earliest_timer_is_remembered() {
        take_next_wake_ns();
        ThreadClock.schedule_wake(90, Waker::noop());
        ThreadClock.schedule_wake(70, Waker::noop());
        assert_eq!(take_next_wake_ns(), 70_000);
        assert_eq!(take_next_wake_ns(), u64::MAX);
    }

    #[test]
    fn monotonic_waits_are_not_short() {
        let clock = Clock::monotonic();
        let until = clock.now_ns() + 200_000;
        clock.wait_until_ns(until);
        assert!(clock.now_ns() >= until);
    }
}
