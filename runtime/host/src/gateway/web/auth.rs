//! Who asks, and what they may do.
//!
//! Where the page is for this computer alone and no tokens are named, everybody who reaches it is `local`, with every right:
//! whoever can open a connection here is a user of this computer already. With tokens everybody needs one: programs send it
//! as `Authorization: Bearer TOKEN`, a browser logs in with it once and gets a cookie. Tokens are 32 random bytes, and the
//! file holds their SHA-256 only, which tells nobody a token.
//!
//! Every request is also checked against pages of strangers: it must name a host that is ours (a stranger's name that was
//! made to point here does not), and what changes something must come from a page of ours, or from a program.

use super::guesses::Guesses;
use crate::error::{HostError, read_text};
use rustix::rand::{GetRandomFlags, getrandom};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Most entries of a file of tokens.
const MAX_TOKENS: usize = 256;
/// Longest token that is looked at (bytes).
const MAX_TOKEN: usize = 256;
/// Longest name (bytes).
const MAX_NAME: usize = 64;
/// Browsers that are logged in at a time; of more, those that logged in first have to do it again.
const MAX_SESSIONS: usize = 256;
/// How long a browser stays logged in (ns).
pub const SESSION_NS: u64 = 12 * 3600 * 1_000_000_000;

/// What somebody may do. Each may do what those before it may.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Acknowledges and shelves alarms, sets budgets, resets statistics.
    Tuner,
    /// Injects faults into a simulated machine, sets a new baseline after a repair.
    Admin,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Viewer => "viewer",
            Self::Tuner => "tuner",
            Self::Admin => "admin",
        })
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Who {
    /// The name that goes into the audit trail.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

impl Who {
    /// Whether they may do what `role` may.
    ///
    /// # Errors
    /// [`HostError::Usage`] that names the role that is missing.
    pub fn require(&self, role: Role) -> Result<(), HostError> {
        if self.role >= role {
            return Ok(());
        }
        Err(HostError::usage(
            format!(
                "'{}' is a {}, and this needs a {role}",
                self.name, self.role
            ),
            "log in with a token of that role",
        ))
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

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No token, an unknown one, or a login that has ended.
    Unknown,
    /// Too many wrong tokens from there: none is looked at for a while.
    TooMany,
}

#[derive(Debug, Default)]
struct Sessions {
    /// By the hash of the cookie: who, and until when on the monotonic clock (ns).
    open: HashMap<String, (Who, u64)>,
    guesses: Guesses,
}

/// Who may come in.
#[derive(Debug, Default)]
pub struct Door {
    /// By the hash of the token; none where everybody on this computer may.
    tokens: Option<HashMap<String, Who>>,
    sessions: Mutex<Sessions>,
}

impl Door {
    /// A door that is open to everybody on this computer.
    pub fn open() -> Self {
        Self::default()
    }

    /// A door for those whose tokens stand in the file at `path`.
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
        let file: File = toml::from_str(text).map_err(|error| wrong(error.message().to_owned()))?;
        if file.token.is_empty() || file.token.len() > MAX_TOKENS {
            return Err(wrong(format!(
                "{} tokens; from 1 to {MAX_TOKENS} are taken",
                file.token.len()
            )));
        }
        let mut tokens = HashMap::new();
        for entry in file.token {
            check_name(&entry.name).map_err(wrong)?;
            let hash = entry.sha256.to_ascii_lowercase();
            if hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(wrong(format!(
                    "the sha256 of '{}' is not 64 hexadecimal digits",
                    entry.name
                )));
            }
            let who = Who {
                name: entry.name,
                role: entry.role,
            };
            if let Some(other) = tokens.insert(hash, who.clone()) {
                return Err(wrong(format!(
                    "'{}' and '{}' have the same token",
                    other.name, who.name
                )));
            }
        }
        Ok(Self {
            tokens: Some(tokens),
            sessions: Mutex::default(),
        })
    }

    /// Whether a token is needed.
    pub const fn is_guarded(&self) -> bool {
        self.tokens.is_some()
    }

    /// Who comes from there with this token and this cookie, at `now_ns` of the monotonic clock.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn who(
        &self,
        token: Option<&str>,
        cookie: Option<&str>,
        from: &str,
        now_ns: u64,
    ) -> Result<Who, Refused> {
        let Some(tokens) = &self.tokens else {
            return Ok(Who {
                name: "local".to_owned(),
                role: Role::Admin,
            });
        };
        // No call leaves it half done.
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((who, until_ns)) = cookie.and_then(|cookie| sessions.open.get(&hash_of(cookie)))
            && *until_ns > now_ns
        {
            return Ok(who.clone());
        }
        let token = token.ok_or(Refused::Unknown)?;
        if sessions.guesses.are_too_many(from, now_ns) {
            return Err(Refused::TooMany);
        }
        let found = (token.len() <= MAX_TOKEN)
            .then(|| tokens.get(&hash_of(token)))
            .flatten();
        found.cloned().ok_or_else(|| {
            sessions.guesses.count(from, now_ns);
            Refused::Unknown
        })
    }

    /// Logs a browser in: returns its cookie.
    ///
    /// # Errors
    /// [`HostError::Machine`] when the system gives no random numbers.
    pub fn log_in(&self, who: &Who, now_ns: u64) -> Result<String, HostError> {
        let cookie = random()?;
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.open.retain(|_, (_, until_ns)| *until_ns > now_ns);
        if sessions.open.len() >= MAX_SESSIONS {
            let oldest = sessions
                .open
                .iter()
                .min_by_key(|(_, (_, until_ns))| *until_ns);
            if let Some(oldest) = oldest.map(|(hash, _)| hash.clone()) {
                sessions.open.remove(&oldest);
            }
        }
        sessions.open.insert(
            hash_of(&cookie),
            (who.clone(), now_ns.saturating_add(SESSION_NS)),
        );
        Ok(cookie)
    }

    /// Logs the browser with this cookie out.
    pub fn log_out(&self, cookie: &str) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.open.remove(&hash_of(cookie));
    }
}

/// What is wrong with a name; nothing where it will do.
///
/// # Errors
/// The sentence.
pub fn check_name(name: &str) -> Result<(), String> {
    let fine = !name.is_empty() && name.len() <= MAX_NAME && !name.chars().any(char::is_control);
    if fine && name != "local" {
        return Ok(());
    }
    Err(format!(
        "'{}' is no name: 1 to {MAX_NAME} bytes, and not `local`",
        name.escape_debug()
    ))
}

/// 32 random bytes in hexadecimal digits.
///
/// # Errors
/// [`HostError::Machine`] when the system gives none.
pub fn random() -> Result<String, HostError> {
    let mut bytes = [0_u8; 32];
    let mut filled = 0;
    while filled < bytes.len() {
        filled += getrandom(&mut bytes[filled..], GetRandomFlags::empty()).map_err(|error| {
            HostError::machine(
                format!("no random numbers: {error}"),
                "is this a Linux of this century?",
            )
        })?;
    }
    Ok(hex(&bytes))
}

/// SHA-256 in hexadecimal digits.
pub fn hash_of(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::web::guesses::{MAX_WRONG, PENALTY_NS};

    fn door(text: &str) -> Result<Door, HostError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        std::fs::write(&path, text).unwrap();
        Door::from_file(&path)
    }

    fn entry(name: &str, role: &str, token: &str) -> String {
        format!(
            "[[token]]\nname = \"{name}\"\nrole = \"{role}\"\nsha256 = \"{}\"\n",
            hash_of(token)
        )
    }

    #[test]
    fn the_known_digest_of_nothing_else() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            hash_of("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn without_tokens_everybody_here_is_local() {
        let who = Door::open().who(None, None, "here", 0).unwrap();
        assert_eq!((who.name.as_str(), who.role), ("local", Role::Admin));
    }

    #[test]
    fn roles_may_what_those_before_them_may() {
        let who = |role| Who {
            name: "eva".into(),
            role,
        };
        for (role, may) in [(Role::Viewer, 1), (Role::Tuner, 2), (Role::Admin, 3)] {
            let wanted = [Role::Viewer, Role::Tuner, Role::Admin];
            let allowed = wanted
                .into_iter()
                .filter(|wanted| who(role).require(*wanted).is_ok());
            assert_eq!(allowed.count(), may, "{role}");
        }
    }

    #[test]
    fn a_token_lets_in_and_a_cookie_for_a_while() {
        let door = door(&(entry("eva", "tuner", "secret") + &entry("grafana", "viewer", "other")))
            .unwrap();
        assert_eq!(door.who(None, None, "here", 0), Err(Refused::Unknown));
        assert_eq!(
            door.who(Some("wrong"), None, "here", 0),
            Err(Refused::Unknown)
        );
        let eva = door.who(Some("secret"), None, "here", 0).unwrap();
        assert_eq!((eva.name.as_str(), eva.role), ("eva", Role::Tuner));
        let cookie = door.log_in(&eva, 0).unwrap();
        assert_eq!(
            door.who(None, Some(&cookie), "here", SESSION_NS - 1),
            Ok(eva.clone())
        );
        assert_eq!(
            door.who(None, Some(&cookie), "here", SESSION_NS),
            Err(Refused::Unknown)
        );
        assert_eq!(
            door.who(None, Some("secret"), "here", 0),
            Err(Refused::Unknown),
            "a token is no cookie"
        );
        door.log_out(&cookie);
        assert_eq!(
            door.who(None, Some(&cookie), "here", 1),
            Err(Refused::Unknown)
        );
        // More browsers than there is room for: the first ones have to log in again.
        let first = door.log_in(&eva, 1).unwrap();
        for now_ns in 2..2 + MAX_SESSIONS as u64 {
            door.log_in(&eva, now_ns).unwrap();
        }
        assert_eq!(
            door.who(None, Some(&first), "here", 2),
            Err(Refused::Unknown)
        );
        assert_eq!(door.sessions.lock().unwrap().open.len(), MAX_SESSIONS);
    }

    #[test]
    fn whoever_guesses_is_not_listened_to_for_a_while() {
        let door = door(&entry("eva", "admin", "secret")).unwrap();
        for _ in 0..MAX_WRONG {
            let guess = door.who(Some("guess"), None, "here", 5);
            assert_eq!(guess, Err(Refused::Unknown));
        }
        let eva = |from, now_ns| door.who(Some("secret"), None, from, now_ns);
        assert_eq!(eva("here", 6), Err(Refused::TooMany));
        assert!(eva("elsewhere", 6).is_ok());
        assert!(eva("here", 6 + PENALTY_NS).is_ok());
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        let twice = entry("eva", "viewer", "a") + &entry("max", "admin", "a");
        for (text, said) in [
            ("", "0 tokens"),
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
            let error = door(text).unwrap_err().in_a_line();
            assert!(error.contains(said), "{text}: {error}");
        }
        let many: String = (0..=MAX_TOKENS)
            .map(|n| entry("eva", "viewer", &n.to_string()))
            .collect();
        assert!(door(&many).unwrap_err().in_a_line().contains("257 tokens"));
    }
}
