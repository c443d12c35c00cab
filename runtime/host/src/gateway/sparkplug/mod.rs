//! Sparkplug B 3.0 over MQTT 5: a node a machine, a device an axis, press or station (`docs/mqtt.md`).
//!
//! Data of Sparkplug have QoS 0, so nobody acknowledges them. Behind events the node subscribes to its own commands once more: the
//! broker answers that only after it has taken what came before, and the cursor moves then.

mod figures;
mod host;
mod life;
mod payload;

use super::context::Context;
use super::doorkeeper::Doorkeeper;
use super::mqtt::again::{Connect, End, again};
use super::mqtt::backoff::Backoff;
use super::mqtt::broker::BrokerConfig;
use super::mqtt::cursor::{Cursor, Head};
use super::mqtt::link::{Heard, Link, silent};
use super::mqtt::{machine, tell, topics::level};
use super::sinks::SinkState;
use crate::clock::utc_ns;
use crate::error::HostError;
use figures::Deadband;
use host::{Host, Word};
use life::Life;
use payload::Command;
use serde::Deserialize;
use serde_json::Value as Json;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

/// Name of the sink.
const NAME: &str = "sparkplug";
/// Name under which the book keeps the number that ties births to deaths.
const BIRTHS: &str = "sparkplug births";
/// Events between two answers of the broker.
const BATCH: usize = 16;
/// How long the broker may take for that answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the broker may take for a death that is said.
const FAREWELL: Duration = Duration::from_millis(500);
/// Rebirths come no closer.
const REBIRTH_EVERY: Duration = Duration::from_secs(1);

/// `[sparkplug]` of the gateway's configuration.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SparkplugConfig {
    /// Where the broker is.
    pub broker: BrokerConfig,
    /// Group of the node.
    #[serde(default = "twinstep")]
    pub group: String,
    /// Name of the node; the machine's unless given, and then nothing is sent before an instance has answered.
    pub node: Option<String>,
    /// Identifier of a host without which nothing is sent; none unless given.
    pub primary_host: Option<String>,
    /// Seconds between two looks at the machine (0.1 to 3600; 1 unless given).
    #[serde(default = "one")]
    pub interval_s: f64,
    /// Changes that are not worth a message.
    #[serde(default)]
    pub deadband: Deadband,
}

fn twinstep() -> String {
    "twinstep".to_owned()
}

const fn one() -> f64 {
    1.0
}

impl SparkplugConfig {
    /// Checks what can be checked without the broker.
    ///
    /// # Errors
    /// [`HostError::Usage`] with the key that is wrong.
    pub fn check(&self) -> Result<(), HostError> {
        self.broker.check(NAME)?;
        let names = [
            ("group", Some(&self.group)),
            ("node", self.node.as_ref()),
            ("primary_host", self.primary_host.as_ref()),
        ];
        for (key, name) in names {
            if name.is_some_and(|name| level(name) != *name) {
                return Err(HostError::usage(
                    format!(
                        "[sparkplug]: {key} must be 1 to {} bytes without /, + and #",
                        super::mqtt::topics::MAX_LEVEL
                    ),
                    "it is one level of a topic",
                ));
            }
        }
        if !(0.1..=3600.0).contains(&self.interval_s) {
            return Err(HostError::usage(
                format!(
                    "[sparkplug]: interval_s must be 0.1 to 3600, not {}",
                    self.interval_s
                ),
                "1 is once a second",
            ));
        }
        if !self
            .deadband
            .all()
            .iter()
            .all(|band| band.is_finite() && *band >= 0.0)
        {
            return Err(HostError::usage(
                "[sparkplug.deadband]: a deadband must be 0 or more",
                "0 tells every change",
            ));
        }
        Ok(())
    }
}

/// Sends until the gateway is to end, by a configuration that was checked.
///
/// # Errors
/// None: troubles with the broker are waited out.
pub async fn run(context: Context, config: SparkplugConfig) -> Result<(), HostError> {
    let state = context.sinks.register(NAME);
    Cursor::look(&context.journal, &context.book, &state).await;
    let machine = tokio::select! {
        machine = machine(&context, &state, config.broker.name(), config.node.as_deref()) => machine,
        () = context.stopped() => return Ok(()),
    };
    let doorkeeper = Doorkeeper::new(&context, Arc::clone(&state));
    let sender = Sender {
        context,
        config,
        state,
        machine,
        doorkeeper,
    };
    let broker = sender.config.broker.name();
    again(&sender.context, &sender.state, broker, &sender).await;
    Ok(())
}

type Answer = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

struct Sender {
    context: Context,
    config: SparkplugConfig,
    state: Arc<SinkState>,
    machine: String,
    /// Counts what cannot be read.
    doorkeeper: Doorkeeper,
}

/// What is under way on a connection.
struct Session<'a> {
    link: &'a mut Link,
    life: &'a mut Life,
    cursor: Option<Cursor>,
    /// Events up to this number are in the broker's hands once it answers.
    answer: Option<(u64, usize, Answer, Instant)>,
    /// Events up to this number were stored before the node was born.
    old: u64,
}

impl Connect for Sender {
    async fn connection(&self, backoff: &mut Backoff) -> End {
        let id = format!("twinstep-sparkplug-{}", level(&self.machine));
        let options = self.config.broker.options(&id, NAME);
        let prepared = options.and_then(|options| Ok((options, self.birth_death()?)));
        let (options, number) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return End::Broken(error.in_a_line()),
        };
        let mut life = Life::new(self.config.group.clone(), level(&self.machine), number);
        Cursor::look(&self.context.journal, &self.context.book, &self.state).await;
        let connecting = Link::connect(options, life.death(now_ms()), 16);
        let connected = tokio::select! {
            connected = connecting => connected,
            () = self.context.stopped() => return End::Stopped,
        };
        let mut link = match connected {
            Ok(link) => link,
            Err(error) => return End::Broken(error),
        };
        let end = tokio::select! {
            end = self.serve(&mut link, &mut life, backoff) => end,
            () = self.context.stopped() => End::Stopped,
        };
        let end = match end {
            End::Broken(trouble) => End::Broken(link.reason(trouble)),
            End::Stopped => End::Stopped,
        };
        // A connection that still stands is left in order; on one that is gone this comes to nothing.
        let _ = timeout(FAREWELL, link.say(&life.death(now_ms()))).await;
        link.close().await;
        end
    }
}

impl Sender {
    /// The number of this connection's birth and death: one more than the last, over restarts too.
    fn birth_death(&self) -> Result<u8, HostError> {
        let number = self.context.book.cursor(BIRTHS)?;
        self.context
            .book
            .set_cursor(BIRTHS, number.wrapping_add(1))?;
        Ok((number % 256) as u8)
    }

    async fn serve(&self, link: &mut Link, life: &mut Life, backoff: &mut Backoff) -> End {
        let born = async {
            link.subscribed(&life.commands()).await?;
            self.host(link).await
        };
        let mut host = match born.await {
            Ok(host) => host,
            Err(trouble) => return End::Broken(trouble),
        };
        let mut session = Session {
            link,
            life,
            cursor: None,
            answer: None,
            old: self.context.journal.look().await.last,
        };
        if let Err(trouble) = self.birth(&mut session).await {
            return End::Broken(trouble);
        }
        tell(&self.context, &self.state, self.config.broker.name(), None);
        let mut stand = self.context.journal.stand();
        let mut look = interval(Duration::from_secs_f64(self.config.interval_s));
        look.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut wanted = false;
        let mut reborn = Instant::now();
        loop {
            if let Err(trouble) = self.send(&mut session).await {
                return End::Broken(trouble);
            }
            let patience = session
                .answer
                .as_ref()
                .map_or_else(Instant::now, |(.., asked)| *asked + PATIENCE);
            tokio::select! {
                biased;
                heard = session.link.heard() => match heard {
                    Heard::Broken(trouble) => return End::Broken(trouble),
                    Heard::Message { topic, payload, retained } => {
                        if topic == session.life.commands() {
                            // What the broker has kept comes again with every answer, and is nobody's wish of now.
                            wanted |= !retained && self.command(&payload);
                        } else if let Some(host) = &mut host
                            && self.word(host, &topic, &payload) == Some(false)
                        {
                            return End::Broken("the primary host is offline".to_owned());
                        }
                    }
                    Heard::TooMany(count) => self.too_many(count),
                },
                () = sleep_until(reborn + REBIRTH_EVERY), if wanted => {
                    wanted = false;
                    reborn = Instant::now();
                    if let Err(trouble) = self.birth(&mut session).await {
                        return End::Broken(trouble);
                    }
                }
                answered = answer(&mut session.answer) => {
                    let Some((seq, count, ..)) = session.answer.take() else {
                        continue;
                    };
                    if let Err(trouble) = self.arrived(answered, &mut session, seq, count).await {
                        return End::Broken(trouble);
                    }
                    backoff.reset();
                }
                () = sleep_until(patience), if session.answer.is_some() => {
                    self.state.failed.fetch_add(1, Ordering::Relaxed);
                    return End::Broken(silent(PATIENCE));
                }
                _ = look.tick() => {
                    if let Err(trouble) = self.look(&mut session).await {
                        return End::Broken(trouble);
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

    /// Waits until the primary host is online, where there is to be one.
    async fn host(&self, link: &mut Link) -> Result<Option<Host>, String> {
        let Some(name) = &self.config.primary_host else {
            return Ok(None);
        };
        let mut host = Host::new(name);
        link.subscribed(host.topic()).await?;
        let waits = format!("waits for the primary host {name}");
        tell(
            &self.context,
            &self.state,
            self.config.broker.name(),
            Some(&waits),
        );
        loop {
            match link.heard().await {
                Heard::Broken(trouble) => return Err(trouble),
                Heard::Message { topic, payload, .. } => {
                    if self.word(&mut host, &topic, &payload) == Some(true) {
                        return Ok(Some(host));
                    }
                }
                Heard::TooMany(count) => self.too_many(count),
            }
        }
    }

    /// Whether a command asks for a rebirth. Another one is refused.
    fn command(&self, payload: &[u8]) -> bool {
        let (kind, what) = match Command::of(payload) {
            Command::Rebirth => return true,
            Command::Nothing => return false,
            Command::Unknown => (
                "unknown command",
                "sparkplug: a command (NCMD) was refused: this node takes Node Control/Rebirth alone",
            ),
            Command::Unreadable => (
                "unreadable command",
                "sparkplug: a command (NCMD) was refused: it is no payload of Sparkplug B",
            ),
        };
        self.doorkeeper.refuse(kind, what);
        false
    }

    /// Whether a message says that the primary host is online, or is not. One that cannot be read is refused, and says nothing.
    fn word(&self, host: &mut Host, topic: &str, payload: &[u8]) -> Option<bool> {
        match host.take(topic, payload) {
            Word::Online(online) => Some(online),
            Word::Nothing => None,
            Word::Unreadable => {
                let what = "sparkplug: a STATE of the primary host was refused: it must be {\"online\":true,\"timestamp\":MILLISECONDS}";
                self.doorkeeper.refuse("state", what);
                None
            }
        }
    }

    fn too_many(&self, count: u64) {
        for _ in 0..count {
            let what = "sparkplug: messages of the broker were dropped: they come faster than they can be read";
            self.doorkeeper.refuse("too many", what);
        }
    }

    /// The node is born, and every device with it.
    async fn birth(&self, session: &mut Session<'_>) -> Result<(), String> {
        let status = self.context.live.borrow().status.clone();
        let figures = figures::node(status.as_deref());
        let events = figures::event(&Json::Null, None);
        let message = session.life.birth(&figures, &events, now_ms());
        session.link.say(&message).await?;
        self.state.sent.fetch_add(1, Ordering::Relaxed);
        self.look(session).await
    }

    /// Says what has changed.
    async fn look(&self, session: &mut Session<'_>) -> Result<(), String> {
        let status = self.context.live.borrow().status.clone();
        let figures = figures::node(status.as_deref());
        let devices = status.map_or_else(Vec::new, |status| {
            figures::devices(&status, &self.config.deadband)
        });
        for message in session.life.news(&figures, &devices, now_ms()) {
            session.link.say(&message).await?;
            self.state.sent.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Hands over events, unless the broker still owes an answer for the last ones.
    async fn send(&self, session: &mut Session<'_>) -> Result<(), String> {
        let context = &self.context;
        let stand = *context.journal.stand().borrow();
        if session.answer.is_some() || stand.last == 0 {
            return Ok(());
        }
        if session.cursor.is_none() {
            session.cursor = Cursor::open(&context.journal, &context.book, &self.state).await?;
        }
        let Some(cursor) = &mut session.cursor else {
            return Ok(());
        };
        let mut count = 0;
        while count < BATCH && cursor.is_behind(stand)? {
            let Some(event) = cursor.next().await? else {
                break;
            };
            let time_ms = Head::of(&event).time_utc_ns / 1_000_000;
            let parsed: Json = serde_json::from_str(&event.json).unwrap_or_default();
            let late = event.seq <= session.old;
            let figures = figures::event(&parsed, Some(cursor.store()));
            let message = session.life.event(&figures, time_ms, now_ms(), late);
            session.link.say(&message).await?;
            count += 1;
        }
        if count > 0 {
            let answer = session.link.subscribe(&session.life.commands()).await?;
            let answer: Answer = Box::pin(answer.wait());
            session.answer = Some((cursor.read(), count, answer, Instant::now()));
        }
        Ok(())
    }

    async fn arrived(
        &self,
        answered: Result<(), String>,
        session: &mut Session<'_>,
        seq: u64,
        count: usize,
    ) -> Result<(), String> {
        if let Err(trouble) = answered {
            self.state.failed.fetch_add(count as u64, Ordering::Relaxed);
            return Err(trouble);
        }
        if let Some(cursor) = &mut session.cursor {
            // The last of them is counted there.
            self.state
                .sent
                .fetch_add(count as u64 - 1, Ordering::Relaxed);
            cursor.arrive(seq);
            cursor.write().await.map_err(|error| error.in_a_line())?;
        }
        Ok(())
    }
}

/// The broker's answer for the last events; never where none is awaited.
async fn answer(answer: &mut Option<(u64, usize, Answer, Instant)>) -> Result<(), String> {
    match answer {
        Some((_, _, answer, _)) => answer.await,
        None => std::future::pending().await,
    }
}

fn now_ms() -> u64 {
    utc_ns() / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_refused() {
        for (more, says) in [
            ("group = 'a/b'", "group"),
            ("group = ''", "group"),
            ("node = '#'", "node"),
            ("primary_host = '+'", "primary_host"),
            ("interval_s = 0", "interval_s"),
            ("deadband = { current_a = -1 }", "deadband"),
        ] {
            let text = format!("{more}\n[broker]\nurl = 'mqtt://127.0.0.1'");
            let config: SparkplugConfig = toml::from_str(&text).unwrap();
            let error = config.check().unwrap_err().in_a_line();
            assert!(error.contains(says), "{more}: {error}");
        }
        let config: SparkplugConfig = toml::from_str("[broker]\nurl = 'mqtt://a'").unwrap();
        config.check().unwrap();
    }
}
