//! A broker that speaks just enough MQTT 5 to be told what it refuses: mosquitto refuses little of what others do.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// How long a packet is awaited before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A reason of PUBACK and CONNACK.
pub const SUCCESS: u8 = 0;

/// Where clients connect to.
#[derive(Debug)]
pub struct FakeBroker {
    listener: TcpListener,
}

/// What a client has sent.
#[derive(Debug)]
pub enum Packet {
    /// A message.
    Publish(Published),
    /// A subscription, by the number that it is answered with.
    Subscribe(u16),
    /// Anything else, by its type.
    Other(u8),
    /// The connection is closed.
    Closed,
}

/// A message.
#[derive(Debug)]
pub struct Published {
    /// Its number among those that wait for their word; 0 where none is wanted.
    pub id: u16,
    /// It is to be kept.
    pub retain: bool,
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub json: Value,
}

/// One connection.
#[derive(Debug)]
pub struct Session {
    stream: TcpStream,
    /// The will is to be kept.
    pub will_retain: bool,
}

impl FakeBroker {
    /// On a port of its own.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    pub fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.unwrap_or_else(|error| panic!("no port: {error}"));
        Self { listener }
    }

    /// Where it listens, on 127.0.0.1.
    ///
    /// # Panics
    /// Never once it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        let address = self.listener.local_addr();
        address.unwrap_or_else(|error| panic!("{error}")).port()
    }

    /// The next connection, answered with this reason and these properties.
    ///
    /// # Panics
    /// Where what comes is no CONNECT.
    #[must_use]
    pub fn accept(&self, reason: u8, properties: &[u8]) -> Session {
        let accepted = self.listener.accept();
        let (stream, _) = accepted.unwrap_or_else(|error| panic!("nobody comes: {error}"));
        let mut session = Session {
            stream,
            will_retain: false,
        };
        session.patience(PATIENCE);
        let (kind, body) = session.packet().unwrap_or_else(|| panic!("no CONNECT"));
        assert_eq!(kind >> 4, 1, "no CONNECT: {body:?}");
        // Behind the protocol's name and version.
        session.will_retain = body[7] & 0x20 != 0;
        let length = u8::try_from(properties.len()).unwrap_or_else(|_| panic!("too long"));
        session.say(&[&[0x20, 3 + length, 0, reason, length], properties].concat());
        session
    }
}

impl Default for FakeBroker {
    fn default() -> Self {
        Self::new()
    }
}

impl Session {
    fn patience(&self, time: Duration) {
        let set = self.stream.set_read_timeout(Some(time));
        set.unwrap_or_else(|error| panic!("{error}"));
    }

    fn say(&mut self, bytes: &[u8]) {
        // Whoever has gone already does not hear it.
        let _ = self.stream.write_all(bytes);
    }

    fn byte(&mut self) -> Option<u8> {
        let mut byte = [0];
        match self.stream.read(&mut byte) {
            Ok(1) => Some(byte[0]),
            Ok(_) => None,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => None,
            Err(error) => panic!("nothing comes: {error}"),
        }
    }

    fn packet(&mut self) -> Option<(u8, Vec<u8>)> {
        let kind = self.byte()?;
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let byte = self.byte()?;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).ok()?;
        Some((kind, body))
    }

    /// What the client sends next; its pings are answered.
    ///
    /// # Panics
    /// Where nothing comes.
    pub fn hear(&mut self) -> Packet {
        loop {
            let Some((kind, body)) = self.packet() else {
                return Packet::Closed;
            };
            match kind >> 4 {
                3 => return Packet::Publish(published(kind, &body)),
                8 => return Packet::Subscribe(u16::from(body[0]) << 8 | u16::from(body[1])),
                12 => self.say(&[0xd0, 0]),
                other => return Packet::Other(other),
            }
        }
    }

    /// Whether nothing comes for so long. What comes later is not seen: this finds mistakes and proves nothing.
    #[must_use]
    pub fn is_quiet(&self, time: Duration) -> bool {
        self.patience(time);
        let quiet = matches!(self.stream.peek(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock);
        self.patience(PATIENCE);
        quiet
    }

    /// The word for a message.
    pub fn acknowledge(&mut self, id: u16, reason: u8) {
        let [high, low] = id.to_be_bytes();
        self.say(&[0x40, 4, high, low, reason, 0]);
    }

    /// Answers a subscription to one topic.
    pub fn subscribed(&mut self, id: u16, reason: u8) {
        let [high, low] = id.to_be_bytes();
        self.say(&[0x90, 4, high, low, 0, reason]);
    }

    /// Sends these bytes, whatever they are.
    pub fn rave(&mut self, bytes: &[u8]) {
        self.say(bytes);
    }

    /// Sends these bytes, whatever they are, and goes.
    pub fn babble(mut self, bytes: &[u8]) {
        self.say(bytes);
    }

    /// Waits until the client has closed the connection, and returns what it still published.
    pub fn rest(&mut self) -> Vec<Published> {
        let mut rest = Vec::new();
        loop {
            match self.hear() {
                Packet::Publish(published) => rest.push(published),
                Packet::Subscribe(_) | Packet::Other(_) => {}
                Packet::Closed => return rest,
            }
        }
    }
}

/// Splits what stands behind a length of two bytes from the rest.
fn counted(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = bytes.split_at(2);
    rest.split_at(usize::from(length[0]) << 8 | usize::from(length[1]))
}

fn published(kind: u8, body: &[u8]) -> Published {
    let (topic, mut rest) = counted(body);
    let mut id = 0;
    if kind & 0x06 != 0 {
        id = u16::from(rest[0]) << 8 | u16::from(rest[1]);
        rest = &rest[2..];
    }
    // Properties of ours are shorter than 128 bytes.
    let properties = usize::from(rest[0]);
    assert!(properties < 0x80, "{rest:?}");
    Published {
        id,
        retain: kind & 1 != 0,
        topic: String::from_utf8_lossy(topic).into_owned(),
        json: serde_json::from_slice(&rest[1 + properties..]).unwrap_or_default(),
    }
}
