//! What the kernel counts of the calling thread.
//!
//! One of the named files with unsafe code: a system call.
#![allow(unsafe_code)]

/// Counts of a thread, or how far they went up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Page faults without input or output.
    pub minor_faults: u64,
    /// Page faults that read from a disk.
    pub major_faults: u64,
    /// The thread waited.
    pub voluntary_switches: u64,
    /// The thread was made to wait.
    pub involuntary_switches: u64,
}

impl Usage {
    /// The counts of the calling thread. One system call, a fraction of a microsecond; zeros where it fails, which it does not on Linux.
    #[inline]
    pub fn of_this_thread() -> Self {
        // SAFETY: all zeros are a valid rusage.
        let mut usage: libc::rusage = unsafe { core::mem::zeroed() };
        // SAFETY: the pointer is to a live rusage that the call fills.
        if unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) } != 0 {
            return Self::default();
        }
        let count = |value: libc::c_long| u64::try_from(value).unwrap_or(0);
        Self {
            minor_faults: count(usage.ru_minflt),
            major_faults: count(usage.ru_majflt),
            voluntary_switches: count(usage.ru_nvcsw),
            involuntary_switches: count(usage.ru_nivcsw),
        }
    }

    /// How far the counts went up since `before`.
    #[inline]
    pub const fn since(&self, before: &Self) -> Self {
        Self {
            minor_faults: self.minor_faults.saturating_sub(before.minor_faults),
            major_faults: self.major_faults.saturating_sub(before.major_faults),
            voluntary_switches: self
                .voluntary_switches
                .saturating_sub(before.voluntary_switches),
            involuntary_switches: self
                .involuntary_switches
                .saturating_sub(before.involuntary_switches),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_is_a_voluntary_switch_and_fresh_memory_a_fault() {
        let before = Usage::of_this_thread();
        std::thread::park_timeout(std::time::Duration::from_millis(1));
        let fresh = std::hint::black_box(vec![1_u8; 4 << 20]);
        let delta = Usage::of_this_thread().since(&before);
        assert!(delta.voluntary_switches >= 1, "{delta:?}");
        assert!(delta.minor_faults >= 1, "{delta:?} {}", fresh.len());
    }
}
