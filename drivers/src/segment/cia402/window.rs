//! A window that a value must have been in for some time.

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Window {
    since_ns: Option<u64>,
}

impl Window {
    /// Whether the value has been inside for `time_ns`.
    pub fn step(&mut self, inside: bool, now_ns: u64, time_ns: u64) -> bool {
        if !inside {
            self.since_ns = None;
            return false;
        }
        let since_ns = *self.since_ns.get_or_insert(now_ns);
        now_ns.saturating_sub(since_ns) >= time_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_counts_from_the_last_entry() {
        let mut window = Window::default();
        assert!(!window.step(true, 100, 50));
        assert!(!window.step(true, 149, 50));
        assert!(window.step(true, 150, 50));
        assert!(!window.step(false, 151, 50));
        assert!(!window.step(true, 200, 50));
        assert!(window.step(true, 200, 0));
    }
}
