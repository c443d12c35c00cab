//! What a status says of overruns.

use crate::overruns::cause::Kind;
use crate::overruns::record::{Causes, OverrunLine};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Overruns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverrunsLine {
    /// In the whole run, warm-up and resets included.
    pub count: u64,
    /// Overruns by cause, those that are not 0.
    pub by_cause: BTreeMap<String, u64>,
    /// Exceeded budgets by cause, as far as they were looked at.
    pub budgets_by_cause: BTreeMap<String, u64>,
    /// The last records, the newest last: at most 16.
    pub recent: Vec<OverrunLine>,
    /// Records that are counted above and not in the file.
    pub unwritten: u64,
    /// Overruns and exceeded budgets that found no room on their way and have no cause.
    pub dropped: u64,
    /// Exceeded budgets that were not looked at, because another one had been less than 10 ms before.
    pub unexamined: u64,
    /// Dumps that were written.
    pub dumps: u64,
    /// Overruns that would have had a dump, and have none.
    pub dumps_dropped: u64,
}

impl OverrunsLine {
    /// Those of the whole run, and what is known of their causes.
    pub(super) fn new(count: u64, causes: Option<Causes>) -> Self {
        let causes = causes.unwrap_or_default();
        Self {
            count,
            by_cause: causes.by_cause(Kind::Overrun),
            budgets_by_cause: causes.by_cause(Kind::Budget),
            recent: causes.recent.into(),
            unwritten: causes.unwritten,
            dropped: causes.dropped,
            unexamined: causes.unexamined,
            dumps: causes.dumps,
            dumps_dropped: causes.dumps_dropped,
        }
    }
}
