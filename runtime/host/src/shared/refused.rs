//! Requests of a controller that were refused: counted by the cycle, and said beside it, every reason once and then by how many there are.
//! That requests lack what the machine is told by its controller is said too.

use crate::refusals::Refusals;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// How often the counts are looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It has more or fewer axes than the machine.
    Axes,
    /// The configuration does not have its recipe or part.
    Context,
    /// It answers a cycle that has not been, is older than the one before, or than the liveness limit.
    Time,
    /// Another controller is heard in the other layout.
    Second,
}

impl Why {
    const ALL: [Self; 4] = [Self::Axes, Self::Context, Self::Time, Self::Second];

    const fn text(self) -> &'static str {
        match self {
            Self::Axes => {
                "shared memory: a request was refused: it must have a target for every axis and press of the machine, no more and no less"
            }
            Self::Context => {
                "shared memory: a request was refused: the configuration has no such recipe or part"
            }
            Self::Time => {
                "shared memory: a request was refused: it answers a cycle that has not been, that was answered already, or that is too long ago"
            }
            Self::Second => {
                "shared memory: a request was refused: another controller is heard in the other layout of requests, and one alone moves a machine"
            }
        }
    }
}

/// What is said of requests in the first layout where the controller tells more than it has.
const FIRST_LAYOUT: &str = "shared memory: the controller sends requests/1, which have no tool, load and temperature, and [context] has some with \
                            controller = true: they are unknown, and what depends on them is not judged; send requests/2 (docs/shared-memory.md)";

/// The counts. Nothing hangs on their order.
#[derive(Debug, Default)]
pub struct Refused {
    counts: [AtomicU64; Why::ALL.len()],
    lacking: AtomicBool,
}

impl Refused {
    /// Counts one. The cycle thread alone writes.
    pub fn count(&self, why: Why) {
        let count = &self.counts[why as usize];
        count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// A request was followed that has no tool, load and temperature, though the controller tells some of them.
    pub fn lacks_conditions(&self) {
        self.lacking.store(true, Ordering::Relaxed);
    }

    /// Says what is refused until `ended`, to `say`; what was counted before the end is said too.
    pub fn tell(&self, ended: impl Fn() -> bool, say: impl Fn(&str)) {
        let mut said = Refusals::default();
        let mut known = [0; Why::ALL.len()];
        let mut lacking = false;
        loop {
            let last = ended();
            if !lacking && self.lacking.load(Ordering::Relaxed) {
                lacking = true;
                say(FIRST_LAYOUT);
            }
            for (why, known) in Why::ALL.into_iter().zip(&mut known) {
                let count = self.counts[why as usize].load(Ordering::Relaxed);
                for _ in *known..count {
                    if let Some(text) = said.count(why.text(), why.text()) {
                        say(&text);
                    }
                }
                *known = count;
            }
            if last {
                return;
            }
            std::thread::sleep(LOOK);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn every_reason_is_said_once_and_then_by_its_count() {
        let refused = Refused::default();
        for _ in 0..10 {
            refused.count(Why::Axes);
        }
        refused.count(Why::Time);
        refused.lacks_conditions();
        refused.lacks_conditions();
        let said = RefCell::new(Vec::new());
        refused.tell(|| true, |text| said.borrow_mut().push(text.to_owned()));
        let said = said.into_inner();
        assert_eq!(said.len(), 4, "{said:?}");
        assert_eq!(said[0], FIRST_LAYOUT);
        assert!(said[1].ends_with("no more and no less; further ones are counted"));
        assert!(said[2].ends_with("no more and no less: 10 so far"));
        assert!(said[3].contains("too long ago"));
    }
}
