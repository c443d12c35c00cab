//! `[mqtt]` of the gateway's configuration.

use super::NAME;
use super::broker::BrokerConfig;
use super::topics::level;
use crate::error::HostError;
use serde::Deserialize;

/// `[mqtt]` of the gateway's configuration.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MqttConfig {
    /// Where the broker is.
    pub broker: BrokerConfig,
    /// What all topics begin with, one or more levels.
    #[serde(default = "twinstep")]
    pub topic: String,
    /// Name of the machine in topics; that of the instance unless given, and then nothing is sent before one has answered.
    pub machine: Option<String>,
    /// Seconds between two messages of an axis (0 for none, else 0.1 to 3600; 1 unless given).
    #[serde(default = "one")]
    pub live_interval_s: f64,
    /// Events on their way at a time (1 to 64). With more than 1, a broker that refuses one of them may deliver those behind it first.
    #[serde(default = "alone")]
    pub in_flight: u16,
}

fn twinstep() -> String {
    "twinstep".to_owned()
}

const fn one() -> f64 {
    1.0
}

const fn alone() -> u16 {
    1
}

impl MqttConfig {
    /// Checks what can be checked without the broker.
    ///
    /// # Errors
    /// [`HostError::Usage`] with the key that is wrong.
    pub fn check(&self) -> Result<(), HostError> {
        self.broker.check(NAME)?;
        let wrong = |message: String, remedy: &str| Err(HostError::usage(message, remedy));
        if self.topic.len() > 256
            || (self.topic.split('/')).any(|part| part.is_empty() || level(part) != part)
        {
            return wrong(
                format!("[mqtt]: topic {:?} is none", self.topic),
                "levels with / between them, without + and #, at most 256 bytes",
            );
        }
        let every = self.live_interval_s;
        if every != 0.0 && !(0.1..=3600.0).contains(&every) {
            return wrong(
                format!("[mqtt]: live_interval_s must be 0 or 0.1 to 3600, not {every}"),
                "1 is once a second, 0 is never",
            );
        }
        if !(1..=64).contains(&self.in_flight) {
            return wrong(
                format!("[mqtt]: in_flight must be 1 to 64, not {}", self.in_flight),
                "1 keeps the order whatever the broker does",
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_sent_is_refused_at_the_start() {
        for (more, says) in [
            ("topic = 'a/+/b'", "topic"),
            ("topic = 'a//b'", "topic"),
            ("topic = ''", "topic"),
            ("live_interval_s = 0.01", "live_interval_s"),
            ("live_interval_s = nan", "live_interval_s"),
            ("in_flight = 0", "in_flight"),
            ("in_flight = 65", "in_flight"),
        ] {
            let text = format!("{more}\n[broker]\nurl = 'mqtt://127.0.0.1'");
            let config: MqttConfig = toml::from_str(&text).unwrap();
            let error = config.check().unwrap_err().in_a_line();
            assert!(error.contains(says), "{more}: {error}");
        }
        let config: MqttConfig = toml::from_str("[broker]\nurl = 'mqtt://127.0.0.1'").unwrap();
        config.check().unwrap();
        assert!(toml::from_str::<MqttConfig>("retain = true\n[broker]\nurl = 'mqtt://a'").is_err());
    }
}
