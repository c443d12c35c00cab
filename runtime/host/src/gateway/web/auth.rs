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
use super::tokens::{Hash, Tokens};
use crate::error::HostError;
use rustix::rand::{GetRandomFlags, getrandom};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

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

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No token, an unknown one, or a login that has ended.
    Unknown,
    /// A wrong token, and there were too many from there.
    TooMany,
}

/// What somebody was let in by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Everybody here may.
    Local,
    /// The token with this hash.
    Token(Hash),
    /// A login, by the hash of its cookie.
    Login(Hash),
}

#[derive(Clone, Debug)]
struct Login {
    who: Who,
    /// By which token.
    token: Hash,
    /// Until when on the monotonic clock (ns).
    until_ns: u64,
}

#[derive(Debug, Default)]
struct Sessions {
    /// By the hash of the cookie.
    open: HashMap<Hash, Login>,
    guesses: Guesses,
}

/// Who may come in.
#[derive(Debug, Default)]
pub struct Door {
    /// None where everybody on this computer may.
    tokens: Option<Mutex<Tokens>>,
    /// The file that they stand in.
    file: Option<PathBuf>,
    sessions: Mutex<Sessions>,
}

impl Door {
    /// A door that is open to everybody on this computer.
    pub fn open() -> Self {
        Self::default()
    }

    /// A door for those whose tokens stand in the file at `path`; [`super::tokens::follow`] keeps it like the file.
    ///
    /// # Errors
    /// [`HostError::Usage`] naming the file and the entry, or a file without any.
    pub fn from_file(path: &Path) -> Result<Self, HostError> {
        let tokens = Tokens::from_file(path)?;
        if tokens.is_empty() {
            return Err(HostError::usage(
                format!(
                    "{}: no token stands in it, so that nobody could come in",
                    path.display()
                ),
                "`twinstep token NAME --role viewer --file FILE` adds an entry",
            ));
        }
        Ok(Self {
            tokens: Some(Mutex::new(tokens)),
            file: Some(path.to_owned()),
            sessions: Mutex::default(),
        })
    }

    /// Whether a token is needed.
    pub const fn is_guarded(&self) -> bool {
        self.tokens.is_some()
    }

    /// The file of tokens.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Takes other tokens instead of those it has: who came in by one that is no longer there, has to go.
    pub fn replace(&self, tokens: Tokens) {
        let Some(own) = &self.tokens else { return };
        self.sessions(|sessions| {
            (sessions.open).retain(|_, login| tokens.is_of(&login.token, &login.who));
        });
        *own.lock().unwrap_or_else(PoisonError::into_inner) = tokens;
    }

    /// Whether the token with this hash is there now, and theirs.
    pub fn knows(&self, hash: &Hash, who: &Who) -> bool {
        let Some(tokens) = &self.tokens else {
            return false;
        };
        let tokens = tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.is_of(hash, who)
    }

    fn sessions<T>(&self, work: impl FnOnce(&mut Sessions) -> T) -> T {
        // No call leaves it half done.
        work(&mut self.sessions.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Who comes from there with this token and this cookie, at `now_ns` of the monotonic clock, and what they came in by. A right token is
    /// always taken, whoever guesses at the same address: that may be one of many behind one proxy. Nobody finds a token of 256 bits, however
    /// many are tried.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn admit(
        &self,
        token: Option<&str>,
        cookie: Option<&str>,
        from: &str,
        now_ns: u64,
    ) -> Result<(Who, Pass), Refused> {
        let Some(tokens) = &self.tokens else {
            let who = Who {
                name: "local".to_owned(),
                role: Role::Admin,
            };
            return Ok((who, Pass::Local));
        };
        if let Some(cookie) = cookie.map(Hash::of)
            && let Some(who) = self.logged_in(&cookie, now_ns)
        {
            return Ok((who, Pass::Login(cookie)));
        }
        let token = token.ok_or(Refused::Unknown)?;
        let found = {
            let tokens = tokens.lock().unwrap_or_else(PoisonError::into_inner);
            tokens
                .find(token)
                .map(|(hash, who)| (who.clone(), Pass::Token(*hash)))
        };
        found.ok_or_else(|| {
            self.sessions(|sessions| {
                if sessions.guesses.are_too_many(from, now_ns) {
                    return Refused::TooMany;
                }
                sessions.guesses.count(from, now_ns);
                Refused::Unknown
            })
        })
    }

    fn logged_in(&self, cookie: &Hash, now_ns: u64) -> Option<Who> {
        let login = self.sessions(|sessions| sessions.open.get(cookie).cloned())?;
        // Its token may have gone while somebody logged in by it.
        (login.until_ns > now_ns && self.knows(&login.token, &login.who)).then_some(login.who)
    }

    /// Whether somebody who has come in may stay.
    pub fn holds(&self, pass: &Pass, now_ns: u64) -> bool {
        match (pass, &self.tokens) {
            (Pass::Local, None) => true,
            (Pass::Token(hash), Some(tokens)) => tokens
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .has(hash),
            (Pass::Login(cookie), Some(_)) => self.logged_in(cookie, now_ns).is_some(),
            _ => false,
        }
    }

    /// Logs the browser in of who came in by a token: returns its cookie.
    ///
    /// # Errors
    /// [`HostError::Machine`] when the system gives no random numbers.
    pub fn log_in(&self, who: &Who, token: Hash, now_ns: u64) -> Result<String, HostError> {
        let cookie = random()?;
        let login = Login {
            who: who.clone(),
            token,
            until_ns: now_ns.saturating_add(SESSION_NS),
        };
        self.sessions(|sessions| {
            sessions.open.retain(|_, login| login.until_ns > now_ns);
            if sessions.open.len() >= MAX_SESSIONS {
                let oldest = sessions.open.iter().min_by_key(|(_, login)| login.until_ns);
                if let Some(oldest) = oldest.map(|(hash, _)| *hash) {
                    sessions.open.remove(&oldest);
                }
            }
            sessions.open.insert(Hash::of(&cookie), login);
        });
        Ok(cookie)
    }

    /// Logs the browser with this cookie out.
    pub fn log_out(&self, cookie: &str) {
        let cookie = Hash::of(cookie);
        self.sessions(|sessions| sessions.open.remove(&cookie));
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
    hex(&Hash::of(text).0)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[path = "auth_tests.rs"]
mod tests;
