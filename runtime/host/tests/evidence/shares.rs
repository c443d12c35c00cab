//! How many of the overruns that a test has provoked are named right, and how many are not named at all.

use std::collections::BTreeMap;
use std::fmt;
use twinstep_host::overruns::cause::OverrunCause;
use twinstep_host::overruns::record::OverrunLine;

/// Overruns that were provoked, by what became of them.
#[derive(Debug)]
pub struct Share {
    /// What was provoked.
    pub cause: OverrunCause,
    /// All of them, but those that only follow from the cycle before.
    pub provoked: u64,
    /// Those with a name that is right.
    pub right: u64,
    /// Those whose name is something else that the kernel counted at that time: the computer did something of its own as well.
    pub beside: u64,
    /// Those without a name.
    pub unknown: u64,
    /// The names of the others.
    others: BTreeMap<&'static str, u64>,
}

/// Takes the records of a run; `expected` are the names that are right for one, none where it was not provoked.
pub fn share<'a>(
    cause: OverrunCause,
    records: impl Iterator<Item = &'a OverrunLine>,
    expected: impl Fn(&OverrunLine) -> Option<Vec<OverrunCause>>,
) -> Share {
    let mut share = Share {
        cause,
        provoked: 0,
        right: 0,
        beside: 0,
        unknown: 0,
        others: BTreeMap::new(),
    };
    for record in records.filter(|record| !record.follows) {
        let Some(names) = expected(record) else {
            continue;
        };
        // A computer without any trouble of its own has none of these; the memory of a test is not locked.
        let of_its_own = [
            OverrunCause::HypervisorSteal,
            OverrunCause::Interrupts,
            OverrunCause::PageFault,
        ];
        share.provoked += 1;
        if names.contains(&record.cause) {
            share.right += 1;
        } else if of_its_own.contains(&record.cause) {
            share.beside += 1;
        } else if record.cause == OverrunCause::Unknown {
            share.unknown += 1;
        } else {
            *share.others.entry(record.cause.name()).or_default() += 1;
        }
    }
    share
}

impl Share {
    /// Whether at least nine of ten are named right or after what the computer did beside it, seven of ten right in any case, and at most
    /// one of twenty is not named.
    pub fn is_good(&self) -> bool {
        10 * (self.right + self.beside) >= 9 * self.provoked
            && 10 * self.right >= 7 * self.provoked
            && 20 * self.unknown <= self.provoked
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "| {} | provoked {} | named right {} | of the computer's own {} | unknown {} | others {:?} |",
            self.cause.name(),
            self.provoked,
            self.right,
            self.beside,
            self.unknown,
            self.others
        )
    }
}
