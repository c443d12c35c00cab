//! One connection to a broker, from CONNECT to its end. The only file that calls the client library.
//!
//! A connection that breaks is not mended: what was on its way is forgotten here, and whoever sends begins again from what it
//! knows to have arrived. So nothing is sent twice behind its back, and order is the sender's.

use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, Incoming, LastWill,
    MqttOptions, NetworkOptions, PubAckReason, PublishNotice, PublishNoticeError, PublishOptions,
    PublishProperties, PublishResult, QoS, SubscribeNotice,
};
use std::fmt;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Messages that wait for the network: one look at the largest machine fits.
const QUEUE: usize = 2048;
/// Messages of the broker that wait to be heard; of more the newest are dropped, and counted.
const HEARD: usize = 64;
/// How long the goodbye may take.
const FAREWELL: Duration = Duration::from_millis(500);
/// How long the network may take nothing while a message waits for room.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is said of a connection that has broken, where nothing more is known.
const GONE: &str = "the connection is closed";

/// What is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Topic without wildcards.
    pub topic: String,
    /// Payload.
    pub payload: Vec<u8>,
    /// The broker keeps it for those who come later.
    pub retain: bool,
    /// The payload is JSON.
    pub json: bool,
    /// User properties.
    pub properties: Vec<(String, String)>,
}

impl Message {
    /// JSON that the broker does not keep.
    pub fn json(topic: String, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            topic,
            payload: payload.into(),
            retain: false,
            json: true,
            properties: Vec::new(),
        }
    }

    /// Upper bound of its size as a packet (bytes).
    pub fn packet_len(&self) -> usize {
        let properties = self
            .properties
            .iter()
            .map(|(key, value)| 5 + key.len() + value.len());
        // Header, packet identifier, format and content type.
        48 + self.topic.len() + self.payload.len() + properties.sum::<usize>()
    }

    fn options(&self, qos: QoS, keeps: bool) -> PublishOptions {
        let properties = PublishProperties {
            payload_format_indicator: self.json.then_some(1),
            content_type: self.json.then(|| "application/json".to_owned()),
            user_properties: self.properties.clone(),
            ..PublishProperties::default()
        };
        PublishOptions::new(qos)
            .retain(self.retain && keeps)
            .properties(properties)
    }
}

/// What comes from the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A message on a topic that was subscribed to.
    Message {
        /// Its topic.
        topic: String,
        /// Its payload.
        payload: Vec<u8>,
        /// The broker has kept it: it was not sent now.
        retained: bool,
    },
    /// So many messages found no room before this.
    TooMany(u64),
    /// The connection is gone, and why.
    Broken(String),
}

/// The broker's word for a message that was published with QoS 1.
#[derive(Debug)]
pub struct Receipt(PublishNotice);

impl Receipt {
    /// Waits for it.
    ///
    /// # Errors
    /// Why the broker did not take the message; none where the connection has gone before, which [`Link::heard`] explains.
    pub async fn wait(self) -> Result<(), Option<String>> {
        match self.0.wait_async().await {
            Ok(PublishResult::Qos1(puback)) => match puback.reason {
                PubAckReason::Success | PubAckReason::NoMatchingSubscribers => Ok(()),
                reason => Err(Some(format!("the broker refuses an event: {reason:?}"))),
            },
            Ok(_) => Ok(()),
            Err(PublishNoticeError::V5PubAck(reason)) => {
                Err(Some(format!("the broker refuses an event: {reason:?}")))
            }
            Err(PublishNoticeError::Recv) => Err(None),
            Err(error) => Err(Some(format!("an event was not acknowledged: {error}"))),
        }
    }
}

/// The broker's word for a subscription: it has taken everything that was sent before.
#[derive(Debug)]
pub struct Subscribed(SubscribeNotice);

impl Subscribed {
    /// Waits for it.
    ///
    /// # Errors
    /// Why there is no subscription.
    pub async fn wait(self) -> Result<(), String> {
        self.0
            .wait_completion_async()
            .await
            .map_err(|error| format!("the broker refuses a subscription: {error}"))
    }
}

/// Why there is no connection.
enum Refusal {
    Broker(ConnectionError),
    /// Its Maximum QoS is 0.
    AcknowledgesNothing,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broker(error) => error.fmt(f),
            Self::AcknowledgesNothing => {
                f.write_str("the broker takes QoS 0 alone and would acknowledge no event; events wait until it takes QoS 1")
            }
        }
    }
}

/// A connection.
#[derive(Debug)]
pub struct Link {
    client: AsyncClient,
    heard: mpsc::Receiver<Heard>,
    task: JoinHandle<()>,
    /// Longest packet that the broker takes (bytes).
    pub max_packet: usize,
    /// The broker keeps messages for those who come later.
    keeps: bool,
    /// How long a message may wait for room.
    patience: Duration,
}

impl Link {
    /// Connects, and leaves `will` with the broker: not to be kept where it keeps nothing.
    ///
    /// # Errors
    /// Why there is no connection, or that the broker acknowledges nothing.
    pub async fn connect(
        options: MqttOptions,
        will: Message,
        in_flight: u16,
    ) -> Result<Self, String> {
        let refused = |error: &ConnectionError| {
            let code = ConnectReturnCode::RetainNotSupported;
            matches!(error, ConnectionError::ConnectionRefused(refused) if *refused == code)
        };
        match Self::connect_once(options.clone(), will.clone(), in_flight).await {
            Err(Refusal::Broker(error)) if will.retain && refused(&error) => {
                let will = Message {
                    retain: false,
                    ..will
                };
                Self::connect_once(options, will, in_flight).await
            }
            outcome => outcome,
        }
        .map_err(|refusal| refusal.to_string())
    }

    async fn connect_once(
        mut options: MqttOptions,
        will: Message,
        in_flight: u16,
    ) -> Result<Self, Refusal> {
        let retain = will.retain;
        let last = LastWill::new(will.topic, will.payload, QoS::AtLeastOnce, retain, None);
        // Small packets are not held back until the broker has acknowledged the one before: it takes 40 ms to where it has nothing to say.
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        options
            .set_last_will(last)
            .set_network_options(network)
            .set_outgoing_inflight_upper_limit(in_flight);
        let (client, mut eventloop) = AsyncClient::builder(options).capacity(QUEUE).build();
        let limits = loop {
            match eventloop.poll().await {
                Ok(Event::Incoming(Incoming::ConnAck(connack))) => break connack.properties,
                Ok(_) => {}
                Err(error) => return Err(Refusal::Broker(error)),
            }
        };
        let limits = limits.as_ref();
        if limits.and_then(|limits| limits.max_qos) == Some(0) {
            return Err(Refusal::AcknowledgesNothing);
        }
        let max_packet = limits.and_then(|limits| limits.max_packet_size);
        let keeps = limits.and_then(|limits| limits.retain_available) != Some(0);
        let (tell, heard) = mpsc::channel(HEARD);
        let task = tokio::spawn(listen(eventloop, tell));
        Ok(Self {
            client,
            heard,
            task,
            max_packet: max_packet.map_or(usize::MAX, |limit| limit as usize),
            keeps,
            patience: PATIENCE,
        })
    }

    /// The next word of the broker.
    pub async fn heard(&mut self) -> Heard {
        let gone = || Heard::Broken(GONE.to_owned());
        self.heard.recv().await.unwrap_or_else(gone)
    }

    /// Why the connection has broken, where `trouble` says no more than that it has.
    pub fn reason(&mut self, trouble: String) -> String {
        if trouble != GONE {
            return trouble;
        }
        while let Ok(heard) = self.heard.try_recv() {
            if let Heard::Broken(reason) = heard {
                return reason;
            }
        }
        trouble
    }

    /// Why the connection is gone, once it is.
    pub async fn end(&mut self) -> String {
        loop {
            if let Heard::Broken(trouble) = self.heard().await {
                return trouble;
            }
        }
    }

    /// Waits until a message has found room in the queue. A broker that does not read any more leaves none, and says nothing.
    async fn queued<T, E: fmt::Display>(
        &self,
        queued: impl Future<Output = Result<T, E>>,
    ) -> Result<T, String> {
        match tokio::time::timeout(self.patience, queued).await {
            Ok(queued) => queued.map_err(|error| {
                let text = error.to_string();
                // The library's word for a connection that has broken; why it has is heard.
                if text.contains("disconnected") {
                    GONE.to_owned()
                } else {
                    text
                }
            }),
            Err(_) => Err(stuck(self.patience)),
        }
    }

    /// Publishes with QoS 1. Returns once the message is queued.
    ///
    /// # Errors
    /// That it cannot be, or that the broker has taken nothing for too long.
    pub async fn publish(&self, message: &Message) -> Result<Receipt, String> {
        let options = message.options(QoS::AtLeastOnce, self.keeps);
        let (topic, payload) = (message.topic.clone(), message.payload.clone());
        let queued = self.client.publish_tracked(topic, payload, options);
        self.queued(queued).await.map(Receipt)
    }

    /// Publishes with QoS 0, or not at all where the network is slower than what is said. Returns whether it was queued.
    pub fn mention(&self, message: &Message) -> bool {
        let options = message.options(QoS::AtMostOnce, self.keeps);
        (self.client)
            .try_publish(message.topic.clone(), message.payload.clone(), options)
            .is_ok()
    }

    /// Publishes with QoS 0 once there is room in the queue.
    ///
    /// # Errors
    /// That the connection is gone, or that the broker has taken nothing for too long.
    pub async fn say(&self, message: &Message) -> Result<(), String> {
        let options = message.options(QoS::AtMostOnce, self.keeps);
        let (topic, payload) = (message.topic.clone(), message.payload.clone());
        self.queued(self.client.publish(topic, payload, options))
            .await
    }

    /// Subscribes with QoS 1.
    ///
    /// # Errors
    /// That the connection is gone, or that the broker has taken nothing for too long.
    pub async fn subscribe(&self, topic: &str) -> Result<Subscribed, String> {
        let queued = self.client.subscribe_tracked(topic, QoS::AtLeastOnce);
        self.queued(queued).await.map(Subscribed)
    }

    /// The same, and waits for the broker's word.
    ///
    /// # Errors
    /// Why there is no subscription, or that no word has come for as long as a message may wait for room.
    pub async fn subscribed(&self, topic: &str) -> Result<(), String> {
        let word = self.subscribe(topic).await?.wait();
        let word = tokio::time::timeout(self.patience, word).await;
        word.unwrap_or_else(|_| Err(silent(self.patience)))
    }

    /// Says goodbye, so that the will is not published.
    pub async fn close(mut self) {
        let Self { client, task, .. } = &mut self;
        let goodbye = async {
            if client.disconnect().await.is_ok() {
                let _ = task.await;
            }
        };
        let _ = tokio::time::timeout(FAREWELL, goodbye).await;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Says that a broker does not answer.
pub fn silent(patience: Duration) -> String {
    format!("the broker did not answer within {} s", patience.as_secs())
}

/// Says that a broker takes nothing.
pub fn stuck(patience: Duration) -> String {
    format!(
        "the broker has taken nothing for {} s, and no message finds room any more",
        patience.as_secs()
    )
}

/// Drives the connection until it breaks.
async fn listen(mut eventloop: EventLoop, tell: mpsc::Sender<Heard>) {
    let mut dropped = 0_u64;
    loop {
        match eventloop.poll().await {
            Ok(Event::Incoming(Incoming::Publish(publish))) => {
                let message = Heard::Message {
                    topic: String::from_utf8_lossy(&publish.topic).into_owned(),
                    payload: publish.payload.to_vec(),
                    retained: publish.retain,
                };
                // One that nobody has time for is dropped: commands are repeated, states are retained.
                if dropped > 0 && tell.try_send(Heard::TooMany(dropped)).is_ok() {
                    dropped = 0;
                }
                if tell.try_send(message).is_err() {
                    dropped += 1;
                }
            }
            Ok(_) => {}
            Err(error) => {
                let _ = tell.send(Heard::Broken(error.to_string())).await;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rumqttc::Broker;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_broker_that_stops_reading_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        // It lets the client in, and reads nothing from there on.
        let broker = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut connect = [0; 1024];
            assert!(stream.read(&mut connect).await.unwrap() > 0);
            stream.write_all(&[0x20, 3, 0, 0, 0]).await.unwrap();
            stream
        });
        let mut options = MqttOptions::new("a", Broker::tcp("127.0.0.1", port));
        options.set_keep_alive(3600);
        let message = Message::json("a".to_owned(), vec![b'1'; 20_000]);
        let will = Message::json("will".to_owned(), "1");
        let mut link = Link::connect(options, will, 16).await.unwrap();
        let _stream = broker.await.unwrap();
        link.patience = Duration::from_millis(200);
        let mut queued = 0_u32;
        let trouble = loop {
            match link.say(&message).await {
                Ok(()) => queued += 1,
                Err(trouble) => break trouble,
            }
        };
        assert!(trouble.contains("taken nothing"), "{queued}: {trouble}");
        // An event comes to nothing as well, and leaving takes no longer than it does.
        assert!(link.publish(&message).await.is_err());
        link.close().await;
    }
}
