//! The thread that speaks to the instance, so that the terminal never waits for it.

use super::view::News;
use crate::clock::monotonic_ns;
use crate::control::client::Client;
use crate::control::{find, find_machine};
use crate::error::HostError;
use crate::lines::EventRecord;
use serde_json::json;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// Time between two statuses (ns); a wish is passed on once in it at most.
const EVERY_NS: u64 = 250_000_000;
/// Time between two tries to find an instance (ns).
const RETRY_NS: u64 = 1_000_000_000;
/// News on their way to the terminal; where it does not take them, the thread waits, and the instance is asked less.
const NEWS: usize = 16;
/// Wishes on their way to the instance; one more is refused.
const ASKS: usize = 4;
/// Events from before that are asked for.
const PAST: u64 = 32;

/// Where to find the instance, also the one after it.
#[derive(Clone, Debug)]
pub enum Target {
    /// The only one that answers.
    Only,
    /// At this socket.
    Path(PathBuf),
    /// The one that runs the machine whose socket goes by this name.
    Machine(String),
}

impl Target {
    /// Connects to it.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub fn connect(&self) -> Result<Client, HostError> {
        let path = match self {
            Self::Only => find(None)?,
            Self::Path(path) => path.clone(),
            Self::Machine(name) => find_machine(name)?,
        };
        Client::connect_to(path)
    }
}

/// What the user asks of the instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// Statistics start anew.
    Reset,
    /// A fault.
    Inject(String),
    /// Faults are taken back.
    Clear,
}

/// Both ends that the terminal has. When they go, the thread ends by itself.
pub(super) struct Feed {
    /// What it tells.
    pub news: Receiver<News>,
    /// What it is to ask.
    pub asks: SyncSender<Ask>,
}

/// The terminal has gone: there is nobody to work for.
struct Gone;

impl Feed {
    /// Starts the thread with a connection that stands already.
    pub fn start(client: Client, target: Target) -> Result<Self, HostError> {
        let (tell, news) = sync_channel(NEWS);
        let (asks, asked) = sync_channel(ASKS);
        let worker = Worker {
            tell,
            asked,
            target,
        };
        // It may wait for an answer when the view ends; nobody waits for it.
        std::thread::Builder::new()
            .name("feed".into())
            .spawn(move || worker.run(client))
            .map_err(|error| {
                HostError::machine(
                    format!("cannot start a thread: {error}"),
                    "raise the limit of processes",
                )
            })?;
        Ok(Self { news, asks })
    }
}

struct Worker {
    tell: SyncSender<News>,
    asked: Receiver<Ask>,
    target: Target,
}

impl Worker {
    fn run(self, client: Client) {
        let mut client = Some(client);
        // It ends with the terminal's ends of the channels.
        while let Ok(next) = self.turn(client) {
            client = next;
        }
    }

    /// Serves a connection to its end, or looks for the next one.
    fn turn(&self, client: Option<Client>) -> Result<Option<Client>, Gone> {
        let Some(mut client) = client else {
            if self.wait_until(monotonic_ns() + RETRY_NS)?.is_some() {
                let wish = "nobody answers now: this wish is not passed on";
                self.tell(News::Said(wish.to_owned()))?;
            }
            return match self.target.connect() {
                Ok(client) => Ok(Some(client)),
                Err(error) => {
                    self.tell(News::Lost(error.in_a_line()))?;
                    Ok(None)
                }
            };
        };
        self.tell(News::Connected)?;
        let error = self.serve(&mut client)?;
        self.tell(News::Lost(error.in_a_line()))?;
        Ok(None)
    }

    /// Asks for statuses, and what the user wants, until the connection breaks. Returns why it did.
    fn serve(&self, client: &mut Client) -> Result<HostError, Gone> {
        // A store that cannot be read is said, and the rest is shown all the same.
        if let Some(broken) = self.said(client.follow(PAST).err())? {
            return Ok(broken);
        }
        loop {
            let wrong = match client.status() {
                Ok(status) => {
                    self.tell(News::Status(Box::new(status)))?;
                    None
                }
                Err(error) => self.said(Some(error))?,
            };
            if let Some(broken) = wrong {
                return Ok(broken);
            }
            self.tell_events(client)?;
            let until_ns = monotonic_ns() + EVERY_NS;
            if let Some(ask) = self.wait_until(until_ns)? {
                let (request, done) = words(&ask);
                match client.ask(request) {
                    Ok(_) => self.tell(News::Said(done))?,
                    Err(error) => {
                        if let Some(broken) = self.said(Some(error))? {
                            return Ok(broken);
                        }
                    }
                }
                // Whoever keeps a key down does not keep the cycle busy.
                std::thread::sleep(left(until_ns));
            }
        }
    }

    fn tell_events(&self, client: &mut Client) -> Result<(), Gone> {
        let (mut events, mut strange) = (Vec::new(), 0_u64);
        for event in client.take_events() {
            match serde_json::from_value::<EventRecord>(event) {
                Ok(event) => events.push(event),
                Err(_) => strange += 1,
            }
        }
        if strange > 0 {
            self.tell(News::Said(format!(
                "{strange} events are in a form of another version: see `twinstep events`"
            )))?;
        }
        if events.is_empty() {
            return Ok(());
        }
        self.tell(News::Events(events))
    }

    /// Says what was refused. Returns an error that the connection has not survived.
    fn said(&self, error: Option<HostError>) -> Result<Option<HostError>, Gone> {
        match error {
            Some(error @ HostError::Usage(_)) => {
                self.tell(News::Said(error.in_a_line()))?;
                Ok(None)
            }
            broken => Ok(broken),
        }
    }

    /// Waits until then (CLOCK_MONOTONIC), or for a wish.
    fn wait_until(&self, until_ns: u64) -> Result<Option<Ask>, Gone> {
        match self.asked.recv_timeout(left(until_ns)) {
            Ok(ask) => Ok(Some(ask)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(Gone),
        }
    }

    fn tell(&self, news: News) -> Result<(), Gone> {
        self.tell.send(news).map_err(|_| Gone)
    }
}

/// Time until then (CLOCK_MONOTONIC).
fn left(until_ns: u64) -> Duration {
    Duration::from_nanos(until_ns.saturating_sub(monotonic_ns()))
}

/// The request for a wish, and what to say when it is done.
fn words(ask: &Ask) -> (serde_json::Value, String) {
    match ask {
        Ask::Reset => (
            json!({"request": "reset"}),
            "durations, budget counts and what-if start anew; overruns stay counted".to_owned(),
        ),
        Ask::Inject(fault) => (
            json!({"request": "inject", "faults": [fault]}),
            format!("injected {fault}"),
        ),
        Ask::Clear => (
            json!({"request": "clear"}),
            "faults that last or wait are taken back".to_owned(),
        ),
    }
}
