//! Plain JSON over MQTT 5: one message an event, with store and forward, and what the machine is doing (`docs/mqtt.md`).
//!
//! An event counts as delivered once the broker has acknowledged it, and the cursor in the book moves no earlier. Whatever
//! ends a connection, the next one begins behind the cursor: no event is lost, none overtakes another, and one that comes
//! twice has the same number.

pub mod again;
pub mod backoff;
pub mod broker;
mod config;
pub mod cursor;
pub mod link;
mod live;
pub mod topics;

use super::context::Context;
use super::doorkeeper::Doorkeeper;
use super::sinks::SinkState;
use crate::clock::utc_ns;
use crate::error::HostError;
use again::{Connect, End, again};
use backoff::Backoff;
pub use config::MqttConfig;
use cursor::{Cursor, Head};
use link::{Heard, Link, Message, Receipt};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use topics::{level, topic};

/// Name of the sink.
const NAME: &str = "mqtt";
/// How long the broker may take to acknowledge an event.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the broker may take for the last status.
const FAREWELL: Duration = Duration::from_millis(500);
/// How long what has arrived may be unknown to the book while more arrives.
const WRITE_EVERY: Duration = Duration::from_millis(200);

/// Sends until the gateway is to end, by a configuration that was checked.
///
/// # Errors
/// None: troubles with the broker are waited out.
pub async fn run(context: Context, config: MqttConfig) -> Result<(), HostError> {
    let state = context.sinks.register(NAME);
    Cursor::look(&context.journal, &context.book, &state).await;
    let machine = tokio::select! {
        machine = machine(&context, &state, config.broker.name(), config.machine.as_deref()) => machine,
        () = context.stopped() => return Ok(()),
    };
    let sender = Sender {
        root: format!("{}/{}", config.topic, level(&machine)),
        doorkeeper: Doorkeeper::new(&context, Arc::clone(&state)),
        state,
        context,
        config,
        machine,
    };
    let broker = sender.config.broker.name();
    again(&sender.context, &sender.state, broker, &sender).await;
    Ok(())
}

/// The name of the machine, as configured or as the first instance says it.
pub async fn machine(
    context: &Context,
    state: &SinkState,
    broker: &str,
    configured: Option<&str>,
) -> String {
    if let Some(name) = configured {
        return name.to_owned();
    }
    let waits = "no instance has said yet how its machine is called";
    tell(context, state, broker, Some(waits));
    let mut live = context.live.clone();
    loop {
        let name = (live.borrow_and_update().status.as_ref())
            .map(|status| status.identity.machine.clone());
        if let Some(name) = name {
            return name;
        }
        if live.changed().await.is_err() {
            // The gateway is ending.
            return std::future::pending().await;
        }
    }
}

/// Notes and says that a sink has lost or found its broker, once.
pub fn tell(context: &Context, state: &SinkState, broker: &str, trouble: Option<&str>) {
    let was = state.connected.swap(trouble.is_none(), Ordering::Relaxed);
    if !state.set_trouble(trouble) && was == trouble.is_none() {
        return;
    }
    if context.output.json() {
        context.output.json_line(&json!({
            "type": "sink", "sink": state.name(), "broker": broker, "connected": trouble.is_none(), "trouble": trouble,
        }));
    } else {
        let word = trouble.unwrap_or("connected");
        context
            .output
            .note(&format!("{}: {broker}: {word}", state.name()));
    }
}

type Waiting = VecDeque<(
    u64,
    Pin<Box<dyn Future<Output = Result<(), Option<String>>> + Send>>,
)>;

struct Sender {
    context: Context,
    config: MqttConfig,
    state: Arc<SinkState>,
    doorkeeper: Doorkeeper,
    machine: String,
    /// What the topics of this machine begin with.
    root: String,
}

impl Connect for Sender {
    async fn connection(&self, backoff: &mut Backoff) -> End {
        let id = format!("twinstep-{}", level(&self.machine));
        let options = match self.config.broker.options(&id, NAME) {
            Ok(options) => options,
            Err(error) => return End::Broken(error.in_a_line()),
        };
        // More than events are on their way: the status is acknowledged too.
        let room = self.config.in_flight + 4;
        Cursor::look(&self.context.journal, &self.context.book, &self.state).await;
        let connecting = Link::connect(options, self.status("offline", false), room);
        let connected = tokio::select! {
            connected = connecting => connected,
            () = self.context.stopped() => return End::Stopped,
        };
        let mut link = match connected {
            Ok(link) => link,
            Err(error) => return End::Broken(error),
        };
        let end = match self.serve(&mut link, backoff).await {
            End::Broken(trouble) => End::Broken(link.reason(trouble)),
            End::Stopped => End::Stopped,
        };
        if matches!(end, End::Stopped) {
            let farewell = self.status("offline", false);
            let said = async {
                if let Ok(receipt) = link.publish(&farewell).await {
                    let _ = receipt.wait().await;
                }
            };
            let _ = timeout(FAREWELL, said).await;
            link.close().await;
        }
        end
    }
}

impl Sender {
    async fn serve(&self, link: &mut Link, backoff: &mut Backoff) -> End {
        let mut cursor = None;
        let mut waiting = Waiting::new();
        let mut stand = self.context.journal.stand();
        let mut answers = None;
        let mut told = live::Told::default();
        let every = self.config.live_interval_s;
        let mut look = interval(Duration::from_secs_f64(if every > 0.0 {
            every
        } else {
            1.0
        }));
        look.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut write = interval(WRITE_EVERY);
        write.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut asked = Instant::now();
        // The last time that a look found room.
        let mut taken = Instant::now();
        // A broker that refuses every event is none that is found.
        let mut proven = false;
        let stopped = self.context.stopped();
        tokio::pin!(stopped);
        loop {
            // None: the gateway ends while a message waits for room.
            let sent = tokio::select! {
                sent = self.send(link, &mut cursor, &mut waiting, &mut asked) => Some(sent),
                () = &mut stopped => None,
            };
            match sent {
                Some(Ok(())) => {}
                Some(Err(trouble)) => {
                    let _ = note(&mut cursor).await;
                    return End::Broken(trouble);
                }
                None => return self.stop(&mut cursor).await,
            }
            tokio::select! {
                biased;
                () = &mut stopped => return self.stop(&mut cursor).await,
                // Before the end of the connection: what was said of an event counts.
                arrived = first(&mut waiting) => {
                    let seq = waiting.pop_front().map_or(0, |(seq, _)| seq);
                    asked = Instant::now();
                    match (arrived, &mut cursor) {
                        (Ok(()), Some(cursor)) => {
                            cursor.arrive(seq);
                            backoff.reset();
                            proven = true;
                        }
                        (Err(trouble), _) => {
                            self.state.failed.fetch_add(1, Ordering::Relaxed);
                            let _ = note(&mut cursor).await;
                            return End::Broken(match trouble {
                                Some(trouble) => trouble,
                                None => link.end().await,
                            });
                        }
                        (Ok(()), None) => {}
                    }
                }
                heard = link.heard() => match heard {
                    Heard::Broken(trouble) => {
                        // What has been acknowledged before counts.
                        let _ = note(&mut cursor).await;
                        return End::Broken(trouble);
                    }
                    Heard::Message { .. } => self.uninvited(1),
                    Heard::TooMany(count) => self.uninvited(count),
                },
                () = tokio::time::sleep_until(asked + PATIENCE), if !waiting.is_empty() => {
                    self.state.failed.fetch_add(1, Ordering::Relaxed);
                    let _ = note(&mut cursor).await;
                    return End::Broken(format!("an event was not acknowledged within {} s", PATIENCE.as_secs()));
                }
                _ = write.tick() => {
                    if let Err(trouble) = note(&mut cursor).await {
                        return End::Broken(trouble);
                    }
                    if proven || waiting.is_empty() {
                        tell(&self.context, &self.state, self.config.broker.name(), None);
                    }
                    if let Err(trouble) = self.announce(link, &mut answers).await {
                        return End::Broken(trouble);
                    }
                }
                _ = look.tick(), if every > 0.0 => {
                    if self.look(link, &mut told) {
                        taken = Instant::now();
                    } else if taken.elapsed() >= PATIENCE {
                        self.state.failed.fetch_add(1, Ordering::Relaxed);
                        let _ = note(&mut cursor).await;
                        return End::Broken(link::stuck(PATIENCE));
                    }
                }
                news = stand.changed() => {
                    if news.is_err() {
                        return End::Stopped;
                    }
                }
            }
        }
    }

    /// Counts what the broker sends although nothing was subscribed to: it is dropped.
    fn uninvited(&self, count: u64) {
        for _ in 0..count {
            let what = "mqtt: a message of the broker was dropped: nothing was subscribed to";
            self.doorkeeper.refuse("uninvited", what);
        }
    }

    /// Hands over events until as many are on their way as may be.
    async fn send(
        &self,
        link: &Link,
        cursor: &mut Option<Cursor>,
        waiting: &mut Waiting,
        asked: &mut Instant,
    ) -> Result<(), String> {
        let context = &self.context;
        let stand = *context.journal.stand().borrow();
        if cursor.is_none() && stand.last > 0 {
            *cursor = Cursor::open(&context.journal, &context.book, &self.state).await?;
        }
        let Some(cursor) = cursor else {
            return Ok(());
        };
        while waiting.len() < usize::from(self.config.in_flight) && cursor.is_behind(stand)? {
            let Some(event) = cursor.next().await? else {
                break;
            };
            let head = Head::of(&event);
            let topic = topic(
                &self.root,
                "event",
                head.bus.as_deref(),
                [head.source.as_str(), &head.channel],
            );
            let mut message = Message::json(topic, event.json);
            message.properties = vec![
                ("seq".to_owned(), event.seq.to_string()),
                ("store".to_owned(), cursor.store().to_string()),
            ];
            if message.packet_len() > link.max_packet {
                return Err(format!(
                    "event {} has {} bytes, and the broker takes packets of {} bytes",
                    event.seq,
                    message.packet_len(),
                    link.max_packet
                ));
            }
            if waiting.is_empty() {
                *asked = Instant::now();
            }
            let receipt: Receipt = link.publish(&message).await?;
            waiting.push_back((event.seq, Box::pin(receipt.wait())));
        }
        Ok(())
    }

    /// Notes what has arrived, at the end of the gateway.
    async fn stop(&self, cursor: &mut Option<Cursor>) -> End {
        if let Err(trouble) = note(cursor).await {
            let broker = self.config.broker.name();
            tell(&self.context, &self.state, broker, Some(&trouble));
        }
        End::Stopped
    }

    /// Says what the machine is doing, as far as the network takes it. Returns whether it took any of it, or nothing was to be said.
    fn look(&self, link: &Link, told: &mut live::Told) -> bool {
        let moment = Arc::clone(&self.context.live.borrow());
        if moment.status.is_none() {
            return true;
        }
        let status: Value = serde_json::from_str(&moment.json).unwrap_or_default();
        let (messages, left_out) = live::messages(&self.root, &status, utc_ns(), told);
        self.state.left_out.fetch_add(left_out, Ordering::Relaxed);
        let mut taken = messages.is_empty();
        for message in messages {
            let counter = if link.mention(&message) {
                taken = true;
                &self.state.sent
            } else {
                &self.state.left_out
            };
            counter.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    /// Says whether an instance answers, when that has changed.
    async fn announce(&self, link: &Link, said: &mut Option<bool>) -> Result<(), String> {
        let answers = self.context.live.borrow().status.is_some();
        if *said != Some(answers) {
            // Its receipt is nobody's business: the next status says the same.
            drop(link.publish(&self.status("online", answers)).await?);
            *said = Some(answers);
        }
        Ok(())
    }

    fn status(&self, state: &str, answers: bool) -> Message {
        let payload = json!({
            "type": "status", "machine": self.machine, "state": state, "instance": answers, "version": env!("CARGO_PKG_VERSION"),
            "time_utc_ns": utc_ns(),
        });
        let mut message = Message::json(format!("{}/status", self.root), payload.to_string());
        message.retain = true;
        message
    }
}

async fn note(cursor: &mut Option<Cursor>) -> Result<(), String> {
    match cursor {
        Some(cursor) => cursor.write().await.map_err(|error| error.in_a_line()),
        None => Ok(()),
    }
}

/// The broker's word for the event that has waited longest; never where none waits.
async fn first(waiting: &mut Waiting) -> Result<(), Option<String>> {
    match waiting.front_mut() {
        Some((_, receipt)) => receipt.await,
        None => std::future::pending().await,
    }
}
