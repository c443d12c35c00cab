//! The file of tokens: what stands in it, and what becomes of it while the gateway runs.

use super::auth::{Door, Role, Who, check_name};
use super::changed::Files;
use crate::error::{HostError, read_text};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

/// Most entries of a file of tokens.
const MAX_TOKENS: usize = 256;
/// Longest token that is looked at (bytes).
const MAX_TOKEN: usize = 256;
/// A SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// That of a text.
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// That of 64 hexadecimal digits.
    pub fn from_hex(digits: &str) -> Option<Self> {
        let mut hash = [0; 32];
        if digits.len() != 64 || !digits.is_ascii() {
            return None;
        }
        for (n, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(digits.get(2 * n..2 * n + 2)?, 16).ok()?;
        }
        // What a sign stands before is a number too.
        let plain = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        plain.then_some(Self(hash))
    }

    /// As 64 hexadecimal digits.
    pub fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether both are the same, in a time that does not say where they differ.
    fn is(&self, other: &Self) -> bool {
        let pairs = self.0.iter().zip(&other.0);
        black_box(pairs.fold(0, |differ, (a, b)| differ | (a ^ b))) == 0
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    role: Role,
    sha256: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    token: Vec<Entry>,
}

/// The tokens of a file, by their hashes.
#[derive(Debug, Default)]
pub struct Tokens(Vec<(Hash, Who)>);

impl Tokens {
    /// Those of the file at `path`.
    ///
    /// # Errors
    /// [`HostError::Usage`] naming the file and the entry.
    pub fn from_file(path: &Path) -> Result<Self, HostError> {
        Self::from_text(&read_text(path, "file of tokens")?, path)
    }

    /// The same for the text of a file at `path`.
    ///
    /// # Errors
    /// As [`Self::from_file`].
    pub fn from_text(text: &str, path: &Path) -> Result<Self, HostError> {
        let wrong = |what: String| {
            HostError::usage(
                format!("{}: {what}", path.display()),
                "`twinstep token NAME --role viewer --file FILE` adds an entry",
            )
        };
        // So it looks while it is being written, and on a full disk. Who means it leaves a comment.
        if text.trim().is_empty() {
            return Err(wrong("it is empty".to_owned()));
        }
        let file: File = toml::from_str(text).map_err(|error| wrong(error.message().to_owned()))?;
        if file.token.len() > MAX_TOKENS {
            return Err(wrong(format!(
                "{} tokens; at most {MAX_TOKENS} are taken",
                file.token.len()
            )));
        }
        let mut tokens = Self::default();
        for entry in file.token {
            check_name(&entry.name).map_err(wrong)?;
            let hash = Hash::from_hex(&entry.sha256).ok_or_else(|| {
                wrong(format!(
                    "the sha256 of '{}' is not 64 hexadecimal digits",
                    entry.name
                ))
            })?;
            let who = Who {
                name: entry.name,
                role: entry.role,
            };
            if let Some((_, other)) = tokens.0.iter().find(|(other, _)| other.is(&hash)) {
                return Err(wrong(format!(
                    "'{}' and '{}' have the same token",
                    other.name, who.name
                )));
            }
            tokens.0.push((hash, who));
        }
        Ok(tokens)
    }

    /// Whether there is none: nobody comes in.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whose token this is. All are looked at, whichever it is.
    pub fn find(&self, token: &str) -> Option<(&Hash, &Who)> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let hash = Hash::of(token);
        let all = self.0.iter();
        all.fold(None, |found, (own, who)| {
            if own.is(&hash) {
                Some((own, who))
            } else {
                found
            }
        })
    }

    /// Whether one of them has this hash.
    pub fn has(&self, hash: &Hash) -> bool {
        self.0.iter().any(|(own, _)| own.is(hash))
    }

    /// Whether the one with this hash is theirs, and lets them do the same.
    pub fn is_of(&self, hash: &Hash, who: &Who) -> bool {
        self.0.iter().any(|(own, of)| own.is(hash) && of == who)
    }
}

/// Keeps `door` like its file of tokens. One that cannot be read changes nothing, and is told to `say` once; one that holds a
/// comment and no token any more revokes them all, and is told too.
pub async fn follow(door: Arc<Door>, say: impl Fn(&str) + Send) {
    let Some(path) = door.file().map(Path::to_owned) else {
        return;
    };
    let mut files = Files::new([path.as_path()]);
    loop {
        files.changed().await;
        let file = path.clone();
        let tokens = tokio::task::spawn_blocking(move || Tokens::from_file(&file)).await;
        match tokens {
            Ok(Ok(tokens)) => {
                if tokens.is_empty() {
                    say(&format!(
                        "{} holds no token any more: nobody comes in until one is added (`twinstep token NAME --role viewer --file FILE`)",
                        path.display()
                    ));
                }
                door.replace(tokens);
            }
            Ok(Err(error)) => say(&format!(
                "the tokens that were read before hold: {}",
                error.in_a_line()
            )),
            // The gateway is ending.
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::auth::hash_of;
    use super::super::changed::LOOK;
    use super::*;
    use tokio::sync::mpsc::unbounded_channel;

    fn entry(name: &str, role: &str, token: &str) -> String {
        let hash = hash_of(token);
        format!("[[token]]\nname = \"{name}\"\nrole = \"{role}\"\nsha256 = \"{hash}\"\n")
    }

    #[test]
    fn hashes_are_read_as_they_are_written_and_nothing_else_is() {
        let digits = hash_of("secret");
        assert!(Hash::from_hex(&digits).unwrap().is(&Hash::of("secret")));
        assert_eq!(
            Hash::from_hex(&digits.to_ascii_uppercase()),
            Some(Hash::of("secret"))
        );
        for wrong in [
            "",
            "12",
            &digits[1..],
            &format!("+{}", &digits[1..]),
            &format!("{}ä", &digits[2..]),
            &format!("{digits}0"),
        ] {
            assert_eq!(Hash::from_hex(wrong), None, "{wrong}");
        }
        assert!(!Hash::of("a").is(&Hash::of("b")));
    }

    #[test]
    fn every_token_of_a_file_is_found_and_no_other() {
        let text = entry("eva", "tuner", "a") + &entry("max", "viewer", "b");
        let tokens = Tokens::from_text(&text, Path::new("t")).unwrap();
        let name = |token: &str| tokens.find(token).map(|(_, who)| who.name.as_str());
        assert_eq!(
            [name("a"), name("b"), name("c")],
            [Some("eva"), Some("max"), None]
        );
        assert_eq!(name(&"a".repeat(MAX_TOKEN + 1)), None);
    }

    #[tokio::test]
    async fn a_file_that_changes_is_taken_and_one_that_is_wrong_changes_nothing() {
        // Each change is seen within two looks, where the computer has time for them.
        let all = tokio::time::timeout(200 * LOOK, changes()).await;
        all.expect("every change of the file is seen");
    }

    async fn changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        let both = entry("eva", "tuner", "a") + &entry("max", "viewer", "b");
        std::fs::write(&path, &both).unwrap();
        let door = Arc::new(Door::from_file(&path).unwrap());
        let (tell, mut told) = unbounded_channel::<String>();
        let follower = tokio::spawn(follow(Arc::clone(&door), move |text| {
            let _ = tell.send(text.to_owned());
        }));
        let known = |token| door.who(Some(token), None, "", 0);
        std::fs::write(&path, entry("max", "viewer", "b")).unwrap();
        while known("a").is_ok() {
            tokio::time::sleep(LOOK / 10).await;
        }
        assert!(known("b").is_ok());
        std::fs::write(&path, "[[token]]\n").unwrap();
        let said = told.recv().await.unwrap();
        assert!(
            said.contains("tokens.toml") && said.contains("hold"),
            "{said}"
        );
        assert!(known("b").is_ok());
        std::fs::remove_file(&path).unwrap();
        assert!(told.recv().await.unwrap().contains("tokens.toml"));
        assert!(known("b").is_ok());
        std::fs::write(&path, &both).unwrap();
        while known("a")
            != known("b").map(|_| Who {
                name: "eva".into(),
                role: Role::Tuner,
            })
        {
            tokio::time::sleep(LOOK / 10).await;
        }
        assert!(known("c").is_err());
        assert!(told.try_recv().is_err(), "each is said once");
        // One that is being written is empty for a moment.
        std::fs::write(&path, "\n").unwrap();
        assert!(told.recv().await.unwrap().contains("is empty"));
        assert!(known("a").is_ok() && known("b").is_ok());
        // The last ones can be revoked too.
        std::fs::write(&path, "# nobody\n").unwrap();
        assert!(told.recv().await.unwrap().contains("no token any more"));
        while known("a").is_ok() || known("b").is_ok() {
            tokio::time::sleep(LOOK / 10).await;
        }
        std::fs::write(&path, &both).unwrap();
        while known("a").is_err() {
            tokio::time::sleep(LOOK / 10).await;
        }
        follower.abort();
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        let path = Path::new("tokens.toml");
        let twice = entry("eva", "viewer", "a") + &entry("max", "admin", "a");
        for (text, said) in [
            (
                "[[token]]\nname = \"eva\"\nrole = \"boss\"\nsha256 = \"\"\n",
                "boss",
            ),
            (
                "[[token]]\nname = \"eva\"\nrole = \"viewer\"\nsha256 = \"12\"\n",
                "64 hexadecimal digits",
            ),
            (&entry("", "viewer", "a"), "no name"),
            (&entry("local", "viewer", "a"), "no name"),
            (&twice, "same token"),
            ("[[token]]\ntoken = \"clear\"\n", "token"),
        ] {
            let error = Tokens::from_text(text, path).unwrap_err().in_a_line();
            assert!(error.contains(said), "{text}: {error}");
        }
        // Who starts with nobody to let in has named the wrong file.
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("tokens.toml");
        std::fs::write(&empty, "# nobody\n").unwrap();
        let error = Door::from_file(&empty).unwrap_err().in_a_line();
        assert!(error.contains("no token"), "{error}");
        let many: String = (0..=MAX_TOKENS)
            .map(|n| entry("eva", "viewer", &n.to_string()))
            .collect();
        assert!(
            Tokens::from_text(&many, path)
                .unwrap_err()
                .in_a_line()
                .contains("257 tokens")
        );
    }
}
