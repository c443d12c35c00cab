//! The primary host, as its STATE says it.

use srad_types::payload::StateBirthDeathCertificate as HostState;
use srad_types::topic::state_host_topic;

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

    /// Takes a message in: whether the host is online. None where it is none of its STATE, or an older one than was known: the will of
    /// a connection that the host has left may come after the birth of its next one.
    pub fn take(&mut self, topic: &str, payload: &[u8]) -> Option<bool> {
        if topic != self.topic {
            return None;
        }
        let state = HostState::try_from(payload).ok()?;
        if state.timestamp < self.known_ms {
            return None;
        }
        self.known_ms = state.timestamp;
        Some(state.online)
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
        assert_eq!(take(&topic, false, 10), Some(false));
        assert_eq!(take(&topic, true, 20), Some(true));
        // The will of the connection before.
        assert_eq!(take(&topic, false, 10), None);
        assert_eq!(take("spBv1.0/STATE/other", false, 30), None);
        // A will has the time of its own birth.
        assert_eq!(take(&topic, false, 20), Some(false));
        assert_eq!(take(&topic, true, 19), None);
        assert_eq!(host.take(&topic, b"offline"), None);
    }
}
