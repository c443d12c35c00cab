//! The certificate of the page, and what becomes of it while the gateway runs: one that is renewed is shown from the next connection on.

use super::changed::Files;
use crate::error::HostError;
use axum_server::tls_rustls::RustlsConfig;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A certificate with its key.
pub struct Certificate {
    tls: RustlsConfig,
    files: Files,
    certificate: PathBuf,
    key: PathBuf,
}

impl Certificate {
    /// Reads both.
    ///
    /// # Errors
    /// [`HostError::Usage`] where they cannot be used.
    pub async fn read(certificate: &Path, key: &Path) -> Result<Self, HostError> {
        let files = Files::new([certificate, key]).about_to_be_read();
        let tls = usable(certificate, key).await?;
        Ok(Self {
            tls,
            files,
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        })
    }

    /// What connections are taken with. Clones share what is read later.
    pub fn tls(&self) -> RustlsConfig {
        self.tls.clone()
    }

    /// Keeps it like its files. Those that cannot be used change nothing, which `say` is told: a certificate that has been replaced before its
    /// key is one of those for a moment.
    pub async fn follow(mut self, say: impl Fn(&str) + Send) {
        loop {
            self.files.changed().await;
            match usable(&self.certificate, &self.key).await {
                Ok(new) => {
                    self.tls.reload_from_config(new.get_inner());
                    say(
                        "the certificate was renewed: connections from here on are shown the new one",
                    );
                }
                Err(error) => say(&format!(
                    "the certificate that was read before holds: {}",
                    error.in_a_line()
                )),
            }
        }
    }
}

async fn usable(certificate: &Path, key: &Path) -> Result<RustlsConfig, HostError> {
    let read = RustlsConfig::from_pem_file(certificate, key).await;
    let read = read.inspect(only_http1);
    read.map_err(|error| {
        HostError::usage(
            format!(
                "the certificate {} and its key {} cannot be used: {error}",
                certificate.display(),
                key.display()
            ),
            "both are PEM files that belong together, and this user must be allowed to read them",
        )
    })
}

/// Offers HTTP/1.1 alone: the bounds on heads, bodies and what stays unread are those of its connections.
fn only_http1(tls: &RustlsConfig) {
    let mut config = (*tls.get_inner()).clone();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    tls.reload_from_config(Arc::new(config));
}
