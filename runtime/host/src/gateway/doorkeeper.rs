//! Who is refused at the door of a sink: counted as `failed`, and every kind said once ([`Refusals`]).

use super::context::Context;
use super::sinks::SinkState;
use crate::output::Output;
use crate::refusals::Refusals;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

/// See the module. Clones share it.
#[derive(Clone)]
pub struct Doorkeeper {
    sink: Arc<SinkState>,
    output: Output,
    refusals: Arc<Mutex<Refusals>>,
}

impl Doorkeeper {
    /// That of `sink`.
    pub fn new(context: &Context, sink: Arc<SinkState>) -> Self {
        Self::telling(context.output.clone(), sink)
    }

    /// The same, telling `output`.
    pub fn telling(output: Output, sink: Arc<SinkState>) -> Self {
        Self {
            sink,
            output,
            refusals: Arc::default(),
        }
    }

    /// Counts somebody who was refused, and says so where it is the first of this kind.
    pub fn refuse(&self, kind: &str, what: &str) {
        // No call leaves them half counted.
        let mut refusals = (self.refusals.lock()).unwrap_or_else(PoisonError::into_inner);
        let said = refusals.count(kind, what);
        drop(refusals);
        if let Some(text) = said {
            self.output.note(&text);
        }
        // Who reads the count finds it said.
        self.sink.failed.fetch_add(1, Ordering::Release);
    }
}
