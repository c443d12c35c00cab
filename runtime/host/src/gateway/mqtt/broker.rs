//! Where the broker is and who the gateway is to it: keys of the configuration, checked, and what the client needs of them.

use crate::error::HostError;
use rumqttc::{Broker, MqttOptions, TlsConfiguration, Transport};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest certificate, key or password file (bytes).
const MAX_FILE: u64 = 1 << 20;
/// Longest password (bytes).
const MAX_PASSWORD: usize = 4096;
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest packet that is taken from the broker (bytes): commands are short.
const MAX_INCOMING: u32 = 64 << 10;

/// `[mqtt.broker]` and `[sparkplug.broker]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerConfig {
    /// `mqtt://HOST:PORT`, or `mqtts://HOST:PORT` for TLS. Ports are 1883 and 8883 unless given.
    pub url: String,
    /// Identifier of the client, `twinstep-MACHINE` unless given.
    pub client_id: Option<String>,
    /// Certificates that the broker's is checked against, PEM; those of the system unless given.
    pub ca_file: Option<PathBuf>,
    /// Certificate of the client and its chain, PEM.
    pub certificate_file: Option<PathBuf>,
    /// Its key, PEM.
    pub key_file: Option<PathBuf>,
    /// Name of the user.
    pub user: Option<String>,
    /// File that holds the password and nothing else; a line end behind it does not count.
    pub password_file: Option<PathBuf>,
    /// Seconds without a word after which the connection is tested (1 to 3600, 30 unless given).
    #[serde(default = "half_a_minute")]
    pub keep_alive_s: u16,
}

const fn half_a_minute() -> u16 {
    30
}

/// What the URL says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place<'a> {
    host: &'a str,
    port: u16,
    tls: bool,
}

impl BrokerConfig {
    /// Checks everything that can be checked without the broker; files are read and left again.
    ///
    /// # Errors
    /// [`HostError::Usage`] with the key that is wrong.
    pub fn check(&self, section: &str) -> Result<(), HostError> {
        let place = self.place(section)?;
        let wrong = |message: &str, remedy: &str| {
            Err(HostError::usage(
                format!("[{section}.broker]: {message}"),
                remedy,
            ))
        };
        if !(1..=3600).contains(&self.keep_alive_s) {
            return wrong("keep_alive_s must be 1 to 3600", "30 fits most brokers");
        }
        if self
            .client_id
            .as_ref()
            .is_some_and(|id| id.is_empty() || id.len() > 128)
        {
            return wrong("client_id must have 1 to 128 bytes", "leave it out");
        }
        if self.certificate_file.is_some() != self.key_file.is_some() {
            return wrong(
                "certificate_file and key_file belong together",
                "give both, or none",
            );
        }
        if !place.tls && (self.ca_file.is_some() || self.certificate_file.is_some()) {
            return wrong(
                "certificates are given, and url says mqtt://",
                "write mqtts:// for TLS",
            );
        }
        if self.password_file.is_some() && self.user.is_none() {
            return wrong("a password without a user", "give user too");
        }
        self.options("check", section).map(drop)
    }

    /// Where it is, for messages.
    pub fn name(&self) -> &str {
        self.url
            .split_once("://")
            .map_or(&self.url, |(_, place)| place)
    }

    fn place(&self, section: &str) -> Result<Place<'_>, HostError> {
        let wrong = || {
            HostError::usage(
                format!(
                    "[{section}.broker]: url must be mqtt://HOST:PORT or mqtts://HOST:PORT, not {:?}",
                    self.url
                ),
                "a user and a password have keys of their own",
            )
        };
        let (scheme, rest) = self.url.split_once("://").ok_or_else(wrong)?;
        let tls = match scheme {
            "mqtt" => false,
            "mqtts" => true,
            _ => return Err(wrong()),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.strip_prefix('[') {
            // An address of IPv6 stands in brackets.
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or_else(wrong)?;
                (host, port.strip_prefix(':'))
            }
            None => rest
                .split_once(':')
                .map_or((rest, None), |(host, port)| (host, Some(port))),
        };
        let port = match port {
            Some(port) => port.parse().map_err(|_| wrong())?,
            None => {
                if tls {
                    8883
                } else {
                    1883
                }
            }
        };
        if host.is_empty() || host.len() > 255 || host.contains(['/', '@', ' ']) || port == 0 {
            return Err(wrong());
        }
        Ok(Place { host, port, tls })
    }

    /// What the client needs; files are read anew, so that a renewed certificate is taken with the next connection.
    ///
    /// # Errors
    /// [`HostError::Usage`] when a file cannot be read.
    pub fn options(&self, client_id: &str, section: &str) -> Result<MqttOptions, HostError> {
        let place = self.place(section)?;
        let id = self.client_id.as_deref().unwrap_or(client_id);
        let mut options = MqttOptions::new(id, Broker::tcp(place.host, place.port));
        options
            .set_keep_alive(self.keep_alive_s)
            .set_clean_start(true)
            .set_connect_timeout(CONNECT_TIMEOUT)
            .set_max_packet_size(Some(MAX_INCOMING));
        if place.tls {
            let client = match (&self.certificate_file, &self.key_file) {
                (Some(certificate), Some(key)) => Some((read(certificate)?, read(key)?)),
                _ => None,
            };
            options.set_transport(self.transport(client, section)?);
        }
        if let Some(user) = &self.user {
            match &self.password_file {
                Some(path) => options.set_credentials(user.clone(), password(path)?),
                None => options.set_username(user.clone()),
            };
        }
        Ok(options)
    }

    fn transport(
        &self,
        client_auth: Option<(Vec<u8>, Vec<u8>)>,
        section: &str,
    ) -> Result<Transport, HostError> {
        let Some(path) = &self.ca_file else {
            if client_auth.is_some() {
                return Err(HostError::usage(
                    format!("[{section}.broker]: certificate_file needs ca_file"),
                    "name the certificates that the broker's is checked against",
                ));
            }
            return Transport::try_tls_with_default_config().map_err(|error| {
                HostError::usage(
                    format!(
                        "[{section}.broker]: the system's certificates cannot be used: {error}"
                    ),
                    "name them with ca_file",
                )
            });
        };
        Ok(Transport::tls_with_config(TlsConfiguration::Simple {
            ca: read(path)?,
            alpn: None,
            client_auth,
        }))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, HostError> {
    let read = std::fs::metadata(path).and_then(|file| {
        if file.len() > MAX_FILE {
            return Err(std::io::Error::other(format!(
                "it has {} bytes",
                file.len()
            )));
        }
        std::fs::read(path)
    });
    read.map_err(|error| {
        HostError::usage(
            format!("cannot read {}: {error}", path.display()),
            "the gateway's user must be able to read it",
        )
    })
}

fn password(path: &Path) -> Result<Vec<u8>, HostError> {
    let mut password = read(path)?;
    while password
        .last()
        .is_some_and(|byte| matches!(byte, b'\n' | b'\r'))
    {
        password.pop();
    }
    if password.is_empty() || password.len() > MAX_PASSWORD {
        return Err(HostError::usage(
            format!(
                "{} must hold a password of 1 to {MAX_PASSWORD} bytes",
                path.display()
            ),
            "the file holds the password and nothing else",
        ));
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broker(text: &str) -> BrokerConfig {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn urls_have_a_scheme_a_host_and_a_port() {
        for (url, host, port, tls) in [
            ("mqtt://broker", "broker", 1883, false),
            ("mqtts://broker/", "broker", 8883, true),
            ("mqtt://10.0.0.1:1884", "10.0.0.1", 1884, false),
            ("mqtts://[::1]:8884", "::1", 8884, true),
        ] {
            let broker = broker(&format!("url = {url:?}"));
            assert_eq!(
                broker.place("mqtt").unwrap(),
                Place { host, port, tls },
                "{url}"
            );
        }
        for url in [
            "broker",
            "http://broker",
            "mqtt://",
            "mqtt://a:b",
            "mqtt://a:0",
            "mqtt://u:p@a",
            "mqtt://[::1",
            "mqtt://a/b",
        ] {
            let error = broker(&format!("url = {url:?}")).check("mqtt").unwrap_err();
            assert!(error.in_a_line().contains("mqtt://HOST:PORT"), "{url}");
        }
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        for (text, says) in [
            ("url = 'mqtt://a'\nca_file = 'x'", "mqtts://"),
            (
                "url = 'mqtts://a'\ncertificate_file = 'x'",
                "belong together",
            ),
            ("url = 'mqtt://a'\npassword_file = 'x'", "without a user"),
            ("url = 'mqtt://a'\nkeep_alive_s = 0", "keep_alive_s"),
            ("url = 'mqtt://a'\nclient_id = ''", "client_id"),
            (
                "url = 'mqtts://a'\nca_file = '/nonexistent/ca.pem'",
                "/nonexistent/ca.pem",
            ),
        ] {
            let error = broker(text).check("mqtt").unwrap_err();
            assert!(
                error.in_a_line().contains(says),
                "{text}: {}",
                error.in_a_line()
            );
        }
        assert!(toml::from_str::<BrokerConfig>("url = 'mqtt://a'\nca = 'x'").is_err());
    }

    #[test]
    fn a_password_is_a_file_without_its_line_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "secret word\r\n").unwrap();
        assert_eq!(password(&path).unwrap(), b"secret word");
        std::fs::write(&path, "\n").unwrap();
        assert!(password(&path).is_err());
    }
}
