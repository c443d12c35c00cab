//! Certificates: our own, and those of clients that are trusted, in the folder `opcua` beside the gateway's book.
//!
//! `own/cert.der` and `private/private.pem` are made at the first start. A client that is not known is refused and its
//! certificate put into `rejected`; moving the file to `trusted` lets it in, without a restart. The library looks for a
//! certificate under a name of its own; whatever it is called, the one that lies in `trusted` is given that name.

use crate::error::HostError;
use opcua::crypto::{CertificateStore, X509, X509Data};
use std::collections::BTreeSet;
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
/// Longest name of a stranger that is shown (characters).
const MAX_NAME: usize = 64;
/// Longest certificate that is looked at (bytes).
const MAX_BYTES: u64 = 64 << 10;

/// The folder.
#[derive(Debug)]
pub struct Pki {
    /// Its path.
    pub folder: PathBuf,
    told: BTreeSet<String>,
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

    /// Whether clients wait to be let in.
    pub fn has_strangers(&self) -> bool {
        !self.told.is_empty()
    }

    /// Gives trusted certificates the name that the library looks for, takes them out of `rejected`, bounds that, and returns
    /// the strangers that were not told of before.
    ///
    /// A stranger chooses the name in a certificate, and with it what the library calls the file. Here it gets one that can do
    /// no harm where it is shown or typed.
    pub fn sweep(&mut self) -> Vec<Stranger> {
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
            for name in [name, harmless(&certificate)] {
                let _ = fs::remove_file(rejected.join(name));
            }
        }
        let mut here = BTreeSet::new();
        let mut news = Vec::new();
        let mut strangers = files(&rejected);
        strangers.sort_by_key(|(_, time)| std::cmp::Reverse(*time));
        for (path, _) in strangers {
            let known = read(&path).filter(|_| here.len() < MAX_REJECTED);
            let Some(certificate) = known else {
                let _ = fs::remove_file(path);
                continue;
            };
            let name = harmless(&certificate);
            let file = rejected.join(&name);
            // Where that fails, the library finds it under its old name, which is as well.
            let _ = fs::rename(&path, &file);
            if here.insert(name.clone()) && !self.told.contains(&name) {
                let called = certificate.common_name().unwrap_or_default();
                let called: String = called.chars().take(MAX_NAME).collect();
                let called = called.escape_debug().to_string();
                news.push(Stranger { file, called });
            }
        }
        self.told = here;
        news
    }
}

/// A client that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stranger {
    /// Its certificate.
    pub file: PathBuf,
    /// What it calls itself, which proves nothing.
    pub called: String,
}

/// A name for a file that is made of digits.
fn harmless(certificate: &X509) -> String {
    format!("{}.der", certificate.thumbprint().as_hex_string())
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

    fn stranger(folder: &Path, name: &str) -> X509 {
        let data = X509Data {
            key_size: 2048,
            common_name: name.to_owned(),
            organization: String::new(),
            organizational_unit: String::new(),
            country: String::new(),
            state: String::new(),
            alt_host_names: X509Data::alt_host_names("urn:x", None, true, false, false),
            certificate_duration_days: 2,
        };
        let (certificate, _) = X509::cert_and_pkey(&data).unwrap();
        // As the library puts it there.
        let file = CertificateStore::cert_file_name(&certificate);
        fs::write(
            folder.join("rejected").join(file),
            certificate.to_der().unwrap(),
        )
        .unwrap();
        certificate
    }

    #[test]
    fn strangers_are_told_of_once_by_a_name_that_does_no_harm_and_come_in_when_trusted() {
        let book = tempfile::tempdir().unwrap();
        let mut pki = Pki::open(book.path(), "urn:x", "localhost").unwrap();
        let folder = pki.folder.clone();
        let certificate = stranger(&folder, "x'; reboot; '\u{1b}[2J");
        let told = pki.sweep();
        assert_eq!(told.len(), 1);
        let name = told[0].file.file_name().unwrap().to_str().unwrap();
        assert!(
            name.chars()
                .all(|c| c.is_ascii_hexdigit() || "der.".contains(c)),
            "{name}"
        );
        assert!(!told[0].called.contains('\u{1b}'), "{told:?}");
        // It tries again.
        let der = certificate.to_der().unwrap();
        let theirs = CertificateStore::cert_file_name(&certificate);
        fs::write(folder.join("rejected").join(&theirs), &der).unwrap();
        assert!(pki.sweep().is_empty() && pki.has_strangers());
        fs::rename(&told[0].file, folder.join("trusted/line seven.der")).unwrap();
        assert!(pki.sweep().is_empty() && !pki.has_strangers());
        let trusted: Vec<_> = files(&folder.join("trusted")).into_iter().collect();
        assert_eq!(trusted.len(), 1);
        assert_eq!(trusted[0].0, folder.join("trusted").join(theirs));
        // Rubbish does not stay, nor does half of what is ours do.
        fs::write(folder.join("rejected/rubbish.der"), "x").unwrap();
        assert!(pki.sweep().is_empty() && files(&folder.join("rejected")).is_empty());
        fs::remove_file(pki.certificate()).unwrap();
        let error = Pki::open(book.path(), "urn:x", "localhost").unwrap_err();
        assert!(error.in_a_line().contains("cert.der is not"), "{error:?}");
    }
}
