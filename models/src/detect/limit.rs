//! A limit with hysteresis: raised by one value beyond it, cleared when the values have been calm for a while.

/// Cycles below half the limit after which it is cleared.
pub const CALM_CYCLES: u16 = 200;

/// What a limit did in a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// A value beyond the limit, and none before.
    Raised,
    /// It is calm again.
    Cleared,
}

/// State of one limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// Cycles that it has been calm for, while it is raised.
    calm_cycles: u16,
    raised: bool,
}

impl Limit {
    /// Whether it is raised.
    pub const fn is_raised(&self) -> bool {
        self.raised
    }

    /// Takes in one value (>= 0) in units of the limit: above 1 raises it, [`CALM_CYCLES`] below 0.5 clear it.
    ///
    /// A value that is no number is not beyond the limit, nor is it calm.
    #[inline]
    pub fn push(&mut self, relative: f64) -> Option<Turn> {
        if !self.raised {
            if relative > 1.0 {
                self.raised = true;
                self.calm_cycles = 0;
                return Some(Turn::Raised);
            }
            return None;
        }
        self.calm_cycles = if relative < 0.5 {
            self.calm_cycles + 1
        } else {
            0
        };
        if self.calm_cycles < CALM_CYCLES {
            return None;
        }
        self.raised = false;
        Some(Turn::Cleared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_one_alarm_and_ends_when_it_is_calm() {
        let mut limit = Limit::default();
        assert_eq!(limit.push(1.0), None, "the limit itself is allowed");
        assert_eq!(limit.push(1.1), Some(Turn::Raised));
        for _ in 0..10 {
            assert_eq!(limit.push(3.0), None);
            for _ in 1..CALM_CYCLES {
                assert_eq!(limit.push(0.4), None);
            }
        }
        assert_eq!(limit.push(0.7), None, "not calm: counted from the start");
        for _ in 1..CALM_CYCLES {
            assert_eq!(limit.push(0.4), None);
        }
        assert!(limit.is_raised());
        assert_eq!(limit.push(0.4), Some(Turn::Cleared));
        assert_eq!(limit.push(1.1), Some(Turn::Raised));
    }

    #[test]
    fn what_is_no_number_neither_raises_nor_calms() {
        let mut limit = Limit::default();
        assert_eq!(limit.push(f64::NAN), None);
        limit.push(2.0);
        for _ in 0..1000 {
            assert_eq!(limit.push(f64::NAN), None);
        }
    }
}
