//! `[opcua]` of the gateway's configuration.

use crate::error::HostError;
use serde::Deserialize;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// The port that IANA gave OPC UA.
const PORT: u16 = 4840;

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
    /// Also lets in whoever asks without encryption and without a name, to look. On this computer alone.
    pub insecure: bool,
}

impl Default for OpcuaConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)),
            host: None,
            tokens: None,
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

    fn check_doors(&self) -> Result<(), HostError> {
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
