//! What the gateway keeps for itself, in `gateway.sqlite` beside the event store: how far each sink has come, what people did to
//! alarms, and who did it.
//!
//! The event store has one writer, the scribe, and stays as it is. One gateway has the book at a time. Entries of the audit
//! trail are only ever added.

mod shelves;

pub use shelves::{Shelf, target};

use crate::error::HostError;
use crate::lock::{LockError, WriterLock};
use crate::store::integer;
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// File of the book in the folder of the store.
pub const FILE: &str = "gateway.sqlite";
/// File of its lock.
const LOCK_FILE: &str = "gateway.lock";
/// Longest text that a person may leave (bytes).
pub const MAX_TEXT: usize = 1024;
/// How long another program may hold the file.
const PATIENCE: Duration = Duration::from_secs(5);

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS cursors(sink TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS audit(
    id INTEGER PRIMARY KEY AUTOINCREMENT, time_utc_ns INTEGER NOT NULL, who TEXT NOT NULL, action TEXT NOT NULL,
    target TEXT NOT NULL, detail TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS acknowledgements(
    seq INTEGER NOT NULL, raised_utc_ns INTEGER NOT NULL, who TEXT NOT NULL, time_utc_ns INTEGER NOT NULL, comment TEXT NOT NULL,
    PRIMARY KEY (seq, raised_utc_ns)
) STRICT;
";

/// One entry of the audit trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its number, from 1.
    pub id: u64,
    /// When (ns since 1970, UTC).
    pub time_utc_ns: u64,
    /// Who.
    pub who: String,
    /// What was done: a stable word such as `acknowledge`.
    pub action: String,
    /// To what.
    pub target: String,
    /// With what.
    pub detail: String,
}

/// Who acknowledged an alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Acknowledgement {
    /// Who.
    pub who: String,
    /// When (ns since 1970, UTC).
    pub time_utc_ns: u64,
    /// What was said.
    pub comment: String,
}

/// The book. Clones share it. Its calls take a few milliseconds at most, those that write wait for the disk.
#[derive(Clone, Debug)]
pub struct Book(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    connection: Mutex<Connection>,
    _lock: WriterLock,
}

impl Book {
    /// Opens the book in `folder` and takes its lock.
    ///
    /// # Errors
    /// [`HostError::Usage`] when another gateway has it, or it cannot be opened.
    pub fn open(folder: &Path) -> Result<Self, HostError> {
        let path = folder.join(FILE);
        let broken = |error: &dyn std::fmt::Display| {
            HostError::usage(
                format!("cannot keep {}: {error}", path.display()),
                "give this user a folder that it may write to with --state",
            )
        };
        std::fs::create_dir_all(folder).map_err(|error| broken(&error))?;
        let lock = WriterLock::take(&folder.join(LOCK_FILE)).map_err(|error| match error {
            LockError::Held(pid) => HostError::usage(
                format!(
                    "another gateway serves the store in {}{}",
                    folder.display(),
                    pid.map_or(String::new(), |pid| format!(" (process {pid})"))
                ),
                "one gateway a store: stop that one, or give its configuration the section that you want",
            ),
            LockError::Io(error) => broken(&error),
        })?;
        let open = || {
            let mut connection = Connection::open(&path)?;
            connection.busy_timeout(PATIENCE)?;
            connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.execute_batch(SCHEMA)?;
            shelves::make(&mut connection)?;
            Ok::<_, rusqlite::Error>(connection)
        };
        let connection = open().map_err(|error| broken(&error))?;
        Ok(Self(Arc::new(Inner {
            path,
            connection: Mutex::new(connection),
            _lock: lock,
        })))
    }

    /// Its folder, for what else the gateway keeps.
    pub fn folder(&self) -> &Path {
        self.0.path.parent().unwrap_or(Path::new("."))
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, HostError> {
        // A panic in the middle of a transaction has rolled it back.
        let mut connection = (self.0.connection.lock()).unwrap_or_else(PoisonError::into_inner);
        work(&mut connection).map_err(|error| {
            HostError::machine(
                format!("cannot use {}: {error}", self.0.path.display()),
                "is the disk full, or the file damaged?",
            )
        })
    }

    /// Number of the last event that `sink` has delivered for good; 0 for none.
    ///
    /// # Errors
    /// [`HostError::Machine`] when the book cannot be read.
    pub fn cursor(&self, sink: &str) -> Result<u64, HostError> {
        self.with(|book| {
            let found = book
                .query_row("SELECT seq FROM cursors WHERE sink = ?1", [sink], |row| {
                    row.get::<_, i64>(0)
                })
                .optional()?;
            Ok(found.map_or(0, |seq| u64::try_from(seq).unwrap_or(0)))
        })
    }

    /// Notes that `sink` has delivered everything up to `seq`.
    ///
    /// # Errors
    /// [`HostError::Machine`] when it cannot be written; the old one holds then.
    pub fn set_cursor(&self, sink: &str, seq: u64) -> Result<(), HostError> {
        self.with(|book| {
            book.execute(
                "INSERT INTO cursors(sink, seq) VALUES (?1, ?2) ON CONFLICT (sink) DO UPDATE SET seq = excluded.seq",
                params![sink, integer(seq)],
            )
            .map(drop)
        })
    }

    /// Adds an entry to the audit trail.
    ///
    /// # Errors
    /// [`HostError::Machine`] when it cannot be written; what it was to record must not be done then.
    pub fn audit(
        &self,
        time_utc_ns: u64,
        who: &str,
        action: &str,
        target: &str,
        detail: &str,
    ) -> Result<(), HostError> {
        self.with(|book| insert_audit(book, time_utc_ns, who, action, target, detail))
    }

    /// The last `limit` entries of the audit trail, the newest first.
    ///
    /// # Errors
    /// [`HostError::Machine`] when it cannot be read.
    pub fn entries(&self, limit: u32) -> Result<Vec<Entry>, HostError> {
        self.with(|book| {
            let mut rows = book.prepare_cached(
                "SELECT id, time_utc_ns, who, action, target, detail FROM audit ORDER BY id DESC LIMIT ?1",
            )?;
            let entries = rows.query_map([limit], |row| {
                Ok(Entry {
                    id: count(row.get(0)?),
                    time_utc_ns: count(row.get(1)?),
                    who: row.get(2)?,
                    action: row.get(3)?,
                    target: row.get(4)?,
                    detail: row.get(5)?,
                })
            })?;
            entries.collect()
        })
    }

    /// Notes that the alarm that began with event `seq` at `raised_utc_ns` (ns since 1970, UTC) was acknowledged, and by whom, in the audit trail too.
    ///
    /// # Errors
    /// [`HostError::Machine`] when it cannot be written; neither is then.
    pub fn acknowledge(
        &self,
        (seq, raised_utc_ns): (u64, u64),
        target: &str,
        by: &Acknowledgement,
    ) -> Result<(), HostError> {
        self.with(|book| {
            let transaction = book.transaction()?;
            transaction.execute(
                "INSERT OR REPLACE INTO acknowledgements(seq, raised_utc_ns, who, time_utc_ns, comment) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![
                    integer(seq),
                    integer(raised_utc_ns),
                    by.who,
                    integer(by.time_utc_ns),
                    by.comment
                ],
            )?;
            let detail = format!("#{seq} {}", by.comment);
            insert_audit(
                &transaction,
                by.time_utc_ns,
                &by.who,
                "acknowledge",
                target,
                detail.trim_end(),
            )?;
            transaction.commit()
        })
    }

    /// Who acknowledged the alarm that began with event `seq` at `raised_utc_ns`. The time tells it from one of another store.
    ///
    /// # Errors
    /// [`HostError::Machine`] when it cannot be read.
    pub fn acknowledgement(
        &self,
        seq: u64,
        raised_utc_ns: u64,
    ) -> Result<Option<Acknowledgement>, HostError> {
        self.with(|book| {
            book.query_row(
                "SELECT who, time_utc_ns, comment FROM acknowledgements WHERE seq = ?1 AND raised_utc_ns = ?2",
                [integer(seq), integer(raised_utc_ns)],
                |row| {
                    Ok(Acknowledgement {
                        who: row.get(0)?,
                        time_utc_ns: count(row.get(1)?),
                        comment: row.get(2)?,
                    })
                },
            )
            .optional()
        })
    }
}

fn insert_audit(
    book: &Connection,
    time_utc_ns: u64,
    who: &str,
    action: &str,
    target: &str,
    detail: &str,
) -> rusqlite::Result<()> {
    book.execute(
        "INSERT INTO audit(time_utc_ns, who, action, target, detail) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![integer(time_utc_ns), who, action, target, detail],
    )
    .map(drop)
}

/// No count is below 0, whoever wrote it.
fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(who: &str, time_utc_ns: u64) -> Acknowledgement {
        Acknowledgement {
            who: who.into(),
            time_utc_ns,
            comment: "greased".into(),
        }
    }

    #[test]
    fn what_is_written_is_there_the_next_time_and_audited() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf {
            bus: "rear".into(),
            source: "lift".into(),
            channel: "ripple".into(),
            until_utc_ns: 9_000_000_000,
            who: "eva".into(),
            comment: String::new(),
            behind: (3, 30),
        };
        {
            let book = Book::open(folder.path()).unwrap();
            assert_eq!(book.cursor("mqtt").unwrap(), 0);
            book.set_cursor("mqtt", 5).unwrap();
            book.set_cursor("mqtt", 7).unwrap();
            book.acknowledge((3, 30), "lift ripple", &by("eva", 1))
                .unwrap();
            book.shelve(&shelf, 2_000_000_000).unwrap();
        }
        let book = Book::open(folder.path()).unwrap();
        assert_eq!(book.cursor("mqtt").unwrap(), 7);
        assert_eq!(book.acknowledgement(3, 30).unwrap(), Some(by("eva", 1)));
        assert_eq!(book.acknowledgement(4, 30).unwrap(), None);
        assert_eq!(book.acknowledgement(3, 31).unwrap(), None);
        assert_eq!(book.shelves(8_999_999_999).unwrap(), [shelf]);
        assert_eq!(book.shelves(9_000_000_000).unwrap(), []);
        let alarm = ("rear", "lift", "ripple");
        for (alarm, only) in [
            (("", "lift", "ripple"), None),
            (("front", "lift", "ripple"), None),
            (alarm, Some(9_000_000_001)),
        ] {
            assert!(!book.unshelve(alarm, only, "max", 3).unwrap());
        }
        assert!(book.unshelve(alarm, Some(9_000_000_000), "max", 3).unwrap());
        assert!(!book.unshelve(alarm, None, "max", 4).unwrap());
        let trail = book.entries(10).unwrap();
        let words: Vec<_> = trail
            .iter()
            .map(|entry| (entry.id, entry.action.as_str(), entry.detail.as_str()))
            .collect();
        assert_eq!(
            words,
            [
                (3, "unshelve", ""),
                (2, "shelve", "7 s"),
                (1, "acknowledge", "#3 greased")
            ]
        );
    }

    #[test]
    fn a_second_gateway_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let _first = Book::open(folder.path()).unwrap();
        let error = Book::open(folder.path()).unwrap_err();
        assert!(
            error.in_a_line().contains("another gateway"),
            "{}",
            error.in_a_line()
        );
    }

    #[test]
    fn a_file_of_somebody_else_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        std::fs::write(
            &path,
            "this is no database, whatever it is called".repeat(100),
        )
        .unwrap();
        assert!(Book::open(folder.path()).is_err());
        assert!(
            std::fs::read_to_string(&path)
                .unwrap()
                .starts_with("this is no database")
        );
    }
}
