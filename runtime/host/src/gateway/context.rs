//! What every sink is given.

use super::book::Book;
use super::desk::Desk;
use super::journal::Journal;
use super::live::{Moment, Steer};
use super::sinks::Sinks;
use crate::output::Output;
use std::sync::Arc;
use tokio::sync::watch;

/// What every sink is given. Clones share it.
#[derive(Clone)]
pub struct Context {
    /// The running instance, ten times a second.
    pub live: watch::Receiver<Arc<Moment>>,
    /// Passes requests on to it.
    pub steer: Steer,
    /// The event store.
    pub journal: Journal,
    /// Cursors and the audit trail.
    pub book: Book,
    /// The alarms, and what people do to them.
    pub desk: Desk,
    /// How the sinks are doing.
    pub sinks: Sinks,
    /// What is said goes here.
    pub output: Output,
    /// Becomes true when the gateway is to end.
    pub stop: watch::Receiver<bool>,
}

impl Context {
    /// Waits until the gateway is to end.
    pub async fn stopped(&self) {
        let mut stop = self.stop.clone();
        // An error means that the gateway has gone already.
        let _ = stop.wait_for(|stop| *stop).await;
    }
}
