//! The primary host, as its STATE says it.

use srad_types::payload::StateBirthDeathCertificate as HostState;
use srad_types::topic::state_host_topic;

/// What a message says of the primary host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// It is online, or not.
    Online(bool),
    /// Nothing: it is none of its STATE, or an older one than was known.
    Nothing,
    /// It is a STATE that cannot be read.
    Unreadable,
}

/// What a connection knows of the primary host.
#[derive(Debug)]
pub struct Host {
    topic: String,
    /// The newest time that it has said (ms since 1970, UTC).
    known_ms: u64,
}

impl Host {
    /// Of one that has said nothing yet.
    pub fn new(name: &str) -> Self {
        Self {
            topic: state_host_topic(name),
            known_ms: 0,
        }
    }

    /// Topic of its STATE.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Takes a message in. The will of a connection that the host has left may come after the birth of its next one, and says nothing.
    pub fn take(&mut self, topic: &str, payload: &[u8]) -> Word {
        // One without a word ends what the broker has kept.
        if topic != self.topic || payload.is_empty() {
            return Word::Nothing;
        }
        let Ok(state) = HostState::try_from(payload) else {
            return Word::Unreadable;
        };
        if state.timestamp < self.known_ms {
            return Word::Nothing;
        }
        self.known_ms = state.timestamp;
        Word::Online(state.online)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_what_is_known_is_ignored() {
        let mut host = Host::new("scada");
        let topic = host.topic().to_owned();
        assert_eq!(topic, "spBv1.0/STATE/scada");
        let mut take = |topic: &str, online: bool, timestamp: u64| {
            let payload = format!(r#"{{"online":{online},"timestamp":{timestamp}}}"#);
            host.take(topic, payload.as_bytes())
        };
        assert_eq!(take(&topic, false, 10), Word::Online(false));
        assert_eq!(take(&topic, true, 20), Word::Online(true));
        // The will of the connection before.
        assert_eq!(take(&topic, false, 10), Word::Nothing);
        assert_eq!(take("spBv1.0/STATE/other", false, 30), Word::Nothing);
        // A will has the time of its own birth.
        assert_eq!(take(&topic, false, 20), Word::Online(false));
        assert_eq!(take(&topic, true, 19), Word::Nothing);
        assert_eq!(host.take(&topic, b"offline"), Word::Unreadable);
        assert_eq!(host.take(&topic, b""), Word::Nothing);
    }
}
