//! What can go wrong with an event store, where, and what to do about it.

use crate::error::HostError;
use crate::store::SCHEMA_VERSION;
use rusqlite::ErrorCode;
use std::path::{Path, PathBuf};

/// What went wrong with a store.
#[derive(Debug)]
pub enum StoreError {
    /// Another process writes to it.
    Locked {
        /// Folder of the store.
        folder: PathBuf,
        /// Process id of the writer, where it is known.
        holder: Option<u32>,
    },
    /// It was written by a newer twinstep.
    Newer {
        /// The store.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
    /// It is an SQLite file, but not an event store.
    Foreign(PathBuf),
    /// There is none.
    Missing(PathBuf),
    /// A folder or lock file cannot be made.
    Io {
        /// What was tried.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// A reader may not read it, or not what SQLite keeps beside it.
    Closed {
        /// The store.
        path: PathBuf,
        /// What was said.
        error: std::io::Error,
    },
    /// SQLite reports an error.
    Sqlite {
        /// The store.
        path: PathBuf,
        /// What it said.
        error: rusqlite::Error,
    },
    /// An event could not be written as JSON.
    Json(serde_json::Error),
    /// A stored number is out of range: somebody else wrote to the table.
    Damaged(PathBuf),
}

impl std::error::Error for StoreError {}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Locked { folder, holder } => {
                write!(
                    f,
                    "another twinstep writes to the event store in {}",
                    folder.display()
                )?;
                holder.map_or(Ok(()), |pid| write!(f, " (process {pid})"))
            }
            Self::Newer { path, found } => write!(
                f,
                "the event store {} has version {found}; this twinstep knows up to {SCHEMA_VERSION}",
                path.display()
            ),
            Self::Foreign(path) => {
                write!(f, "{} is not an event store of twinstep", path.display())
            }
            Self::Missing(path) => write!(f, "there is no event store at {}", path.display()),
            Self::Io { path, error } => write!(f, "cannot use {}: {error}", path.display()),
            Self::Closed { path, error } => write!(f, "cannot read {}: {error}", path.display()),
            Self::Sqlite { path, error } => write!(f, "event store {}: {error}", path.display()),
            Self::Json(error) => write!(f, "an event cannot be written as JSON: {error}"),
            Self::Damaged(path) => write!(
                f,
                "the numbers in the event store {} are damaged",
                path.display()
            ),
        }
    }
}

impl StoreError {
    pub(crate) fn sqlite(path: &Path) -> impl Fn(rusqlite::Error) -> Self {
        move |error| Self::Sqlite {
            path: path.to_owned(),
            error,
        }
    }

    /// Whether SQLite could not open the file or one that belongs to it.
    pub(crate) fn is_cannot_open(&self) -> bool {
        match self {
            Self::Sqlite { error, .. } => Self::cannot_open(error),
            _ => false,
        }
    }

    pub(crate) fn cannot_open(error: &rusqlite::Error) -> bool {
        let code = error.sqlite_error_code();
        matches!(code, Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
    }

    /// What the user can do about it.
    pub fn remedy(&self) -> &'static str {
        const MOVE_AWAY: &str = "move the file away and start again, or name another folder with --state DIR; \
                                 what is left of it can be rescued with `sqlite3 FILE .recover`";
        match self {
            Self::Locked { .. } => "end the other run, or name another folder with --state DIR",
            Self::Newer { .. } => "use the newer twinstep, or name another folder with --state DIR",
            Self::Missing(_) => {
                "name the folder of a run with --state DIR; `demo` prints the one it uses, \
                 others use $XDG_STATE_HOME/twinstep"
            }
            Self::Foreign(_) | Self::Damaged(_) => MOVE_AWAY,
            Self::Closed { .. } => {
                "let this user read the folder, events.sqlite, and events.sqlite-wal and events.sqlite-shm beside it, \
                 as a member of the group that owns them; or name another folder with --state DIR"
            }
            Self::Io { error, .. } => match error.kind() {
                std::io::ErrorKind::StorageFull => "free some space on that disk",
                std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                    "give this user write permission on that folder, or name another one with --state DIR"
                }
                _ => "name another folder with --state DIR",
            },
            Self::Sqlite { error, .. } => match error.sqlite_error_code() {
                Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => MOVE_AWAY,
                Some(ErrorCode::DiskFull) => "free some space on that disk",
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                    "another program holds the file; close it and try again"
                }
                Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                    "give this user write permission on that folder, or name another one with --state DIR"
                }
                _ => "check the disk, or name another folder with --state DIR",
            },
            Self::Json(_) => "report this with the recording of the run",
        }
    }

    /// As a failure of the user's input: the folder that was named cannot be used.
    pub fn into_usage(self) -> HostError {
        HostError::usage(self.to_string(), self.remedy())
    }

    /// As a failure while running.
    pub fn into_machine(self) -> HostError {
        HostError::machine(self.to_string(), self.remedy())
    }
}
