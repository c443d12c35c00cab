//! `[opcua]` of the gateway's configuration.

use crate::error::HostError;
use serde::Deserialize;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// The port that IANA gave OPC UA.
const PORT: u16 = 4840;

/// Longest text about the machine (bytes).
const MAX_TEXT: usize = 128;

/// `[opcua]` of the gateway's configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OpcuaConfig {
    /// Address and port.
    pub listen: SocketAddr,
    /// Name of this computer as clients know it, for the addresses that the server tells them; that of `listen` unless given,
    /// or this computer's own where `listen` is every address.
    pub host: Option<String>,
    /// File of tokens, as `[web] tokens`: the name is the user name, the token the password.
    pub tokens: Option<PathBuf>,
    /// Manufacturer of the machine, for its `Identification`; nothing unless given.
    pub manufacturer: Option<String>,
    /// Its model.
    pub model: Option<String>,
    /// Its serial number.
    pub serial_number: Option<String>,
    /// What names it in all the world (an address as OPC 40001-1 wants it).
    pub product_instance_uri: Option<String>,
    /// Also lets in whoever asks without encryption and without a name, to look. On this computer alone.
    pub insecure: bool,
}

impl Default for OpcuaConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)),
            host: None,
            tokens: None,
            manufacturer: None,
            model: None,
            serial_number: None,
            product_instance_uri: None,
            insecure: false,
        }
    }
}

impl OpcuaConfig {
    /// Whether it can be served.
    ///
    /// # Errors
    /// [`HostError::Usage`] when this program has no OPC UA, nobody could come in, or anybody could from outside.
    pub fn check(&self) -> Result<(), HostError> {
        if !cfg!(feature = "opcua") {
            return Err(HostError::usage(
                "[opcua] is configured, and this twinstep was built without OPC UA",
                "take a release, build with `cargo build --release --features opcua`, or leave the section out",
            ));
        }
        self.check_doors()
    }

    /// What the operator says of the machine, by the names of OPC 40001-1.
    pub fn identification(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("Manufacturer", &self.manufacturer),
            ("Model", &self.model),
            ("SerialNumber", &self.serial_number),
            ("ProductInstanceUri", &self.product_instance_uri),
        ];
        all.into_iter()
            .filter_map(|(name, text)| Some((name, text.as_deref()?)))
    }

    fn check_doors(&self) -> Result<(), HostError> {
        if let Some((name, _)) =
            (self.identification()).find(|(_, text)| !(1..=MAX_TEXT).contains(&text.len()))
        {
            return Err(HostError::usage(
                format!("[opcua]: the {name} of the machine must have 1 to {MAX_TEXT} bytes"),
                "shorten it, or leave it out",
            ));
        }
        if self.insecure && !self.listen.ip().is_loopback() {
            return Err(HostError::usage(
                format!(
                    "[opcua] `insecure` lets in whoever reaches {}, which other computers do",
                    self.listen
                ),
                "listen on 127.0.0.1, or leave `insecure` out",
            ));
        }
        if !self.insecure && self.tokens.is_none() {
            return Err(HostError::usage(
                "[opcua] has no `tokens`, so that nobody could log in",
                "`twinstep token NAME --role viewer --file FILE.toml` makes the file; name it there",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        let config: OpcuaConfig = toml::from_str(text).unwrap();
        (config.check_doors()).map_or_else(|error| error.in_a_line(), |()| "fine".to_owned())
    }

    #[test]
    fn nobody_comes_in_unseen() {
        assert!(OpcuaConfig::default().listen.ip().is_loopback());
        assert!(said("").contains("nobody could log in"));
        assert_eq!(said("tokens = \"t.toml\""), "fine");
        assert_eq!(
            said("listen = \"0.0.0.0:4840\"\ntokens = \"t.toml\""),
            "fine"
        );
        assert_eq!(said("insecure = true"), "fine");
        assert!(said("insecure = true\nmodel = ''").contains("Model of the machine"));
        let open = said("insecure = true\nlisten = \"192.168.0.1:4840\"\ntokens = \"t.toml\"");
        assert!(open.contains("192.168.0.1:4840"), "{open}");
    }

    #[cfg(not(feature = "opcua"))]
    #[test]
    fn without_the_feature_the_section_is_refused() {
        let error = OpcuaConfig::default().check().unwrap_err().in_a_line();
        assert!(error.contains("built without OPC UA"), "{error}");
    }
}
