//! What the gateway serves: a TOML file of its own, because it belongs to other people than the machine's.
//!
//! One optional section a sink. Unknown keys are refused, with their line.

use super::mqtt::MqttConfig;
use super::opcua::OpcuaConfig;
use super::sparkplug::SparkplugConfig;
use super::web::WebConfig;
use crate::error::{HostError, read_text};
use serde::Deserialize;
use std::path::Path;

/// Longest file (bytes).
const MAX_BYTES: usize = 1 << 20;

/// The file. Without one everything is at its default.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatewayConfig {
    /// The page and its interface.
    pub web: WebConfig,
    /// JSON over MQTT.
    pub mqtt: Option<MqttConfig>,
    /// Sparkplug B over MQTT.
    pub sparkplug: Option<SparkplugConfig>,
    /// The OPC UA server; none without the section.
    pub opcua: Option<OpcuaConfig>,
}

impl GatewayConfig {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`HostError::Usage`] with the line.
    pub fn load(path: &Path) -> Result<Self, HostError> {
        let text = read_text(path, "configuration of the gateway")?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Reads the text of a file called `name`.
    ///
    /// # Errors
    /// [`HostError::Usage`] with the line.
    pub fn parse(text: &str, name: &str) -> Result<Self, HostError> {
        if text.len() > MAX_BYTES {
            return Err(HostError::usage(
                format!(
                    "{name} has {} bytes; at most {MAX_BYTES} are read",
                    text.len()
                ),
                "is it the configuration of the gateway?",
            ));
        }
        let config: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| {
                1 + text.as_bytes()[..span.start.min(text.len())]
                    .iter()
                    .filter(|byte| **byte == b'\n')
                    .count()
            });
            HostError::usage(
                format!("{name}, line {line}: {}", error.message()),
                "docs/gateway.md, docs/mqtt.md and docs/opcua.md list every section and key",
            )
        })?;
        config.mqtt.as_ref().map_or(Ok(()), MqttConfig::check)?;
        (config.sparkplug.as_ref()).map_or(Ok(()), SparkplugConfig::check)?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_word_the_page_is_for_this_computer() {
        let config = GatewayConfig::parse("", "none").unwrap();
        assert_eq!(config, GatewayConfig::default());
        assert!(config.web.listen.ip().is_loopback());
    }

    #[test]
    fn what_is_not_known_is_refused_with_its_line() {
        for (text, expected) in [
            ("\n[webb]\n", "line 2"),
            ("[web]\n\nlisen = \"127.0.0.1:1\"\n", "line 3"),
            ("[web]\nlisten = \"here\"\n", "line 2"),
            ("[web\n", "line 1"),
        ] {
            let error = GatewayConfig::parse(text, "g.toml").unwrap_err();
            let said = error.in_a_line();
            assert!(
                said.contains(expected) && said.contains("g.toml"),
                "{text:?}: {said}"
            );
        }
        let long = " ".repeat(MAX_BYTES + 1);
        assert!(GatewayConfig::parse(&long, "g.toml").is_err());
    }

    /// The keys of a section, which the refusal of one that is not known lists.
    fn keys(section: &str) -> Vec<String> {
        // What is needed stands there; the other sections of the file do not matter.
        let text = format!("[{section}]\nnot_known = 1\n");
        let said = toml::from_str::<GatewayConfig>(&text).unwrap_err();
        let said = said.message().to_owned();
        let (_, keys) = said.split_once("expected ").unwrap();
        let keys = keys.split('`').skip(1).step_by(2).map(str::to_owned);
        keys.collect()
    }

    #[test]
    fn every_key_is_on_its_page() {
        let gateway = include_str!("../../../../docs/gateway.md");
        let mqtt = include_str!("../../../../docs/mqtt.md");
        let opcua = include_str!("../../../../docs/opcua.md");
        for (section, page, least) in [
            ("web", gateway, 5),
            ("mqtt", mqtt, 5),
            ("mqtt.broker", mqtt, 8),
            ("sparkplug", mqtt, 6),
            ("sparkplug.deadband", mqtt, 5),
            ("sparkplug.broker", mqtt, 8),
            ("opcua", opcua, 8),
        ] {
            let keys = keys(section);
            assert!(keys.len() >= least, "{section}: {keys:?}");
            let part = |key: &str| format!("{section}.{key}");
            for key in keys {
                // A section of its own, or a line of one.
                let there = page.contains(&format!("[{}]", part(&key)))
                    || page.lines().any(|line| {
                        line.split_once(" = ")
                            .is_some_and(|(name, _)| name.trim() == key)
                    });
                assert!(there, "{section}: `{key}` is not on its page");
            }
        }
    }

    #[test]
    fn what_the_page_on_mqtt_shows_is_taken() {
        let page = include_str!("../../../../docs/mqtt.md");
        let blocks: Vec<_> = (page.split("```").skip(1).step_by(2))
            .filter(|block| block.starts_with("\n["))
            .collect();
        assert_eq!(blocks.len(), 2);
        let config: GatewayConfig = toml::from_str(&blocks.concat()).unwrap();
        let (mqtt, sparkplug) = (config.mqtt.unwrap(), config.sparkplug.unwrap());
        assert_eq!((mqtt.topic.as_str(), mqtt.in_flight), ("twinstep", 1));
        // What is shown as the deadbands is what holds without any.
        let bare = "[sparkplug.broker]\nurl = 'mqtt://a'\n";
        let bare = GatewayConfig::parse(bare, "bare")
            .unwrap()
            .sparkplug
            .unwrap();
        assert_eq!(sparkplug.deadband, bare.deadband);
    }
}
