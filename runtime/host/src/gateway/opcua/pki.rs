//! Certificates: our own, and those of clients that are trusted, in the folder `opcua` beside the gateway's book.
//!
//! `own/cert.der` and `private/private.pem` are made at the first start. A client that is not known is refused and its
//! certificate put into `rejected`; moving the file to `trusted` lets it in, without a restart. The library looks for a
//! certificate under a name of its own; whatever it is called, the one that lies in `trusted` is given that name.

use crate::error::HostError;
use opcua::crypto::{CertificateStore, X509, X509Data};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Folder beside the book.
const FOLDER: &str = "opcua";
/// How long our certificate lasts (days).
const LASTS_DAYS: u32 = 3650;
/// Size of our key (bits).
const KEY_BITS: u32 = 3072;
/// Files of one folder that are looked at.
const MAX_FILES: usize = 256;
/// Certificates of strangers that are kept; of more the oldest go.
const MAX_REJECTED: usize = 64;
/// Longest certificate that is looked at (bytes).
const MAX_BYTES: u64 = 64 << 10;

/// The folder.
#[derive(Debug)]
pub struct Pki {
    /// Its path.
    pub folder: PathBuf,
    told: BTreeSet<OsString>,
}

impl Pki {
    /// Opens the folder under `book`, and makes what is missing: for a server with this `uri` that is reached at `host`.
    ///
    /// # Errors
    /// [`HostError::Usage`] when it cannot be written to; [`HostError::Machine`] when no certificate can be made.
    pub fn open(book: &Path, uri: &str, host: &str) -> Result<Self, HostError> {
        let folder = book.join(FOLDER);
        let broken = |error: std::io::Error| {
            HostError::usage(
                format!("cannot keep certificates in {}: {error}", folder.display()),
                "give this user a folder that it may write to with --book",
            )
        };
        for (name, mode) in [
            ("own", 0o755),
            ("private", 0o700),
            ("trusted", 0o755),
            ("rejected", 0o755),
        ] {
            let path = folder.join(name);
            let mut builder = fs::DirBuilder::new();
            (builder.recursive(true).mode(mode))
                .create(&path)
                .map_err(broken)?;
        }
        let pki = Self {
            // The library counts what is relative from its own folder.
            folder: folder.canonicalize().map_err(broken)?,
            told: BTreeSet::new(),
        };
        let (certificate, key) = (pki.certificate(), pki.key());
        match (certificate.exists(), key.exists()) {
            (true, true) => {}
            (false, false) => make(uri, host, &certificate, &key)?,
            (has, _) => {
                let (there, missing) = if has {
                    (certificate, key)
                } else {
                    (key, certificate)
                };
                return Err(HostError::usage(
                    format!(
                        "{} is there and {} is not",
                        there.display(),
                        missing.display()
                    ),
                    "put the missing file back, or take both away: new ones are made, and clients have to trust them anew",
                ));
            }
        }
        Ok(pki)
    }

    /// Our certificate.
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("own/cert.der")
    }

    /// Its key.
    pub fn key(&self) -> PathBuf {
        self.folder.join("private/private.pem")
    }

    /// Gives trusted certificates the name that the library looks for, takes them out of `rejected`, bounds that, and returns
    /// the files of strangers that were not told of before.
    pub fn sweep(&mut self) -> Vec<PathBuf> {
        let (trusted, rejected) = (self.folder.join("trusted"), self.folder.join("rejected"));
        for (path, _) in files(&trusted) {
            let Some(certificate) = read(&path) else {
                continue;
            };
            let name = CertificateStore::cert_file_name(&certificate);
            if path.file_name() != Some(name.as_ref())
                && let Ok(bytes) = certificate.to_der()
                && fs::write(trusted.join(&name), bytes).is_ok()
            {
                // Its copy has the right name now.
                let _ = fs::remove_file(&path);
            }
            // It need not lie there.
            let _ = fs::remove_file(rejected.join(&name));
        }
        let mut strangers = files(&rejected);
        strangers.sort_by_key(|(_, time)| std::cmp::Reverse(*time));
        for (path, _) in strangers.drain(strangers.len().min(MAX_REJECTED)..) {
            let _ = fs::remove_file(path);
        }
        let here: BTreeSet<_> = (strangers.iter())
            .filter_map(|(path, _)| path.file_name().map(OsString::from))
            .collect();
        let news = here.difference(&self.told);
        let news = news.map(|name| rejected.join(name)).collect();
        self.told = here;
        news
    }
}

fn make(uri: &str, host: &str, certificate: &Path, key: &Path) -> Result<(), HostError> {
    let data = X509Data {
        key_size: KEY_BITS,
        common_name: "twinstep".to_owned(),
        organization: "twinstep".to_owned(),
        organizational_unit: String::new(),
        country: String::new(),
        state: String::new(),
        alt_host_names: X509Data::alt_host_names(
            uri,
            Some(vec![host.to_owned()]),
            true,
            true,
            false,
        ),
        certificate_duration_days: LASTS_DAYS,
    };
    CertificateStore::create_certificate_and_key(&data, false, certificate, key)
        .map(|_| ())
        .map_err(|error| {
            HostError::machine(
                format!("no certificate can be made for OPC UA: {error}"),
                "put one of your own there: own/cert.der and private/private.pem",
            )
        })
}

fn read(path: &Path) -> Option<X509> {
    let known = path
        .extension()
        .is_some_and(|end| end == "der" || end == "pem");
    let short = fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() <= MAX_BYTES);
    (known && short).then(|| CertificateStore::read_cert(path).ok())?
}

/// The first files of a folder, each with its time.
fn files(folder: &Path) -> Vec<(PathBuf, SystemTime)> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let time = |entry: &fs::DirEntry| {
        let data = entry.metadata().ok()?;
        data.is_file()
            .then(|| data.modified().unwrap_or(SystemTime::UNIX_EPOCH))
    };
    (entries.flatten())
        .filter_map(|entry| Some((entry.path(), time(&entry)?)))
        .take(16 * MAX_FILES)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_told_of_once_and_do_not_fill_the_disk() {
        let state = tempfile::tempdir().unwrap();
        let folder = state.path().join(FOLDER);
        for name in ["own", "private", "trusted", "rejected"] {
            fs::create_dir_all(folder.join(name)).unwrap();
        }
        // Neither is read here; both are there.
        fs::write(folder.join("own/cert.der"), "x").unwrap();
        fs::write(folder.join("private/private.pem"), "x").unwrap();
        let mut pki = Pki::open(state.path(), "urn:x", "localhost").unwrap();
        for n in 0..MAX_REJECTED + 9 {
            fs::write(folder.join(format!("rejected/{n}.der")), "x").unwrap();
        }
        fs::write(folder.join("trusted/no certificate.der"), "x").unwrap();
        assert_eq!(pki.sweep().len(), MAX_REJECTED);
        assert!(pki.sweep().is_empty());
        assert_eq!(files(&folder.join("rejected")).len(), MAX_REJECTED);
        fs::remove_file(folder.join("own/cert.der")).unwrap();
        let error = Pki::open(state.path(), "urn:x", "localhost").unwrap_err();
        assert!(error.in_a_line().contains("cert.der is not"), "{error:?}");
    }
}
