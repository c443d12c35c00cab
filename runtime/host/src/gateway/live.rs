//! The running instance as the sinks see it: its status ten times a second, and a way to ask it something.
//!
//! A thread of its own speaks to the control socket, because that blocks. While nobody answers it looks again four times a second.

use super::cores::Cores;
use super::find::Target;
use crate::clock::monotonic_ns;
use crate::control::client::Client;
use crate::control::status::StatusLine;
use crate::error::HostError;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// Time between two statuses (ns).
const EVERY_NS: u64 = 100_000_000;
/// Time between two tries to find an instance (ns).
const RETRY_NS: u64 = 250_000_000;
/// Requests that wait; one more is refused.
const ASKS: usize = 16;

/// One look at the instance.
#[derive(Clone, Debug, Default)]
pub struct Moment {
    /// Its status; none while nobody answers.
    pub status: Option<Arc<StatusLine>>,
    /// The same as it came, one JSON object; empty while nobody answers.
    pub json: Arc<str>,
    /// Why nobody answers.
    pub trouble: Option<Arc<str>>,
}

struct Ask {
    request: Value,
    answer: oneshot::Sender<Result<Value, HostError>>,
}

/// Passes requests of the control socket on to the instance. Clones share the connection.
#[derive(Clone, Debug)]
pub struct Steer(SyncSender<Ask>);

impl Steer {
    /// Passes `request` on (see `docs/control.md`) and returns the answer.
    ///
    /// # Errors
    /// [`HostError::Usage`] with what the instance refuses; [`HostError::Machine`] when nobody answers, or too many ask at once.
    pub async fn ask(&self, request: Value) -> Result<Value, HostError> {
        let (answer, answered) = oneshot::channel();
        self.0
            .try_send(Ask { request, answer })
            .map_err(|error| match error {
                TrySendError::Full(_) => {
                    HostError::machine("too many requests wait for the instance", "try again")
                }
                TrySendError::Disconnected(_) => {
                    HostError::machine("the gateway is ending", "start it again")
                }
            })?;
        answered
            .await
            .unwrap_or_else(|_| Err(HostError::machine("the request was given up", "try again")))
    }
}

/// Starts to look at the instance, and keeps the gateway off its cores. The thread ends with the last receiver.
///
/// # Errors
/// What the system says when no thread can be started.
pub fn start(
    target: Target,
    cores: Cores,
) -> std::io::Result<(watch::Receiver<Arc<Moment>>, Steer)> {
    let (tell, moments) = watch::channel(Arc::default());
    let (asks, asked) = sync_channel(ASKS);
    let worker = Worker {
        tell,
        asked,
        target,
        cores,
    };
    std::thread::Builder::new()
        .name("live".into())
        .spawn(move || worker.run())?;
    Ok((moments, Steer(asks)))
}

struct Worker {
    tell: watch::Sender<Arc<Moment>>,
    asked: Receiver<Ask>,
    target: Target,
    cores: Cores,
}

/// Nobody looks any more.
struct Gone;

impl Worker {
    fn run(mut self) {
        while !self.tell.is_closed() {
            let trouble = match self.target.connect() {
                Ok(client) => match self.serve(client) {
                    Ok(error) => error,
                    Err(Gone) => return,
                },
                Err(error) => error,
            };
            let trouble = trouble.in_a_line();
            self.tell.send_replace(Arc::new(Moment {
                trouble: Some(trouble.as_str().into()),
                ..Moment::default()
            }));
            let until_ns = monotonic_ns() + RETRY_NS;
            loop {
                match self.wait_until(until_ns) {
                    Ok(Some(ask)) => {
                        let error = HostError::machine(trouble.clone(), "try again once it runs");
                        drop(ask.answer.send(Err(error)));
                    }
                    Ok(None) => break,
                    Err(Gone) => return,
                }
            }
        }
    }

    /// Serves a connection until it breaks, and says why.
    fn serve(&mut self, mut client: Client) -> Result<HostError, Gone> {
        loop {
            let next_ns = monotonic_ns() + EVERY_NS;
            match client.ask(json!({"request": "status"})) {
                Ok(answer) => {
                    let json: Arc<str> = answer.to_string().into();
                    match serde_json::from_value(answer) {
                        Ok(status) => {
                            self.cores.follow(&status);
                            self.tell.send_replace(Arc::new(Moment {
                                status: Some(Arc::new(status)),
                                json,
                                trouble: None,
                            }));
                        }
                        Err(error) => {
                            return Ok(HostError::machine(
                                format!("the status cannot be read: {error}"),
                                "use the gateway of the same version",
                            ));
                        }
                    }
                }
                // A cycle that did not answer in time is no broken connection, but nobody knows what it does.
                Err(error @ HostError::Usage(_)) => {
                    let trouble = error.in_a_line();
                    self.tell.send_replace(Arc::new(Moment {
                        trouble: Some(trouble.as_str().into()),
                        ..Moment::default()
                    }));
                }
                Err(broken) => return Ok(broken),
            }
            if self.tell.is_closed() {
                return Err(Gone);
            }
            // However many ask, the status is looked at again after some of them.
            for _ in 0..ASKS {
                let Some(ask) = self.wait_until(next_ns)? else {
                    break;
                };
                let answer = client.ask(ask.request);
                let broken = matches!(answer, Err(HostError::Machine(_)));
                drop(ask.answer.send(answer));
                if broken {
                    return Ok(HostError::machine(
                        "the connection broke while somebody asked",
                        "try again",
                    ));
                }
            }
        }
    }

    /// The next request that comes before `until_ns`.
    fn wait_until(&self, until_ns: u64) -> Result<Option<Ask>, Gone> {
        match self.asked.recv_timeout(Duration::from_nanos(
            until_ns.saturating_sub(monotonic_ns()),
        )) {
            Ok(ask) => Ok(Some(ask)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(Gone),
        }
    }
}
