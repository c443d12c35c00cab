//! The reading end of an event store: it never holds up the run that writes.

use crate::store::{BUSY_TIMEOUT, FILE, check_version, integer};
use crate::store_error::StoreError;
use rusqlite::{Connection, OpenFlags, params};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// Rows fetched at a time, so that a reader holds no long transaction, which would keep the WAL from shrinking.
pub(crate) const PAGE: usize = 512;

pub(crate) fn wal_path(path: &Path) -> PathBuf {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    wal.into()
}

/// The file as an SQLite URI that promises that nobody writes to it.
pub(crate) fn immutable_uri(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let mut uri = String::from("file:");
    for &byte in path.as_os_str().as_bytes() {
        // `?`, `#` and `%` have a meaning in URIs; only what surely has none goes in as it is.
        if byte.is_ascii_alphanumeric() || b"/._-".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri + "?immutable=1"
}

/// One event as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its number.
    pub seq: u64,
    /// Its line of JSON, byte for byte as it was announced.
    pub json: String,
}

/// A reading end of a store; a run that writes to it is never held up.
#[derive(Debug)]
pub struct StoreReader {
    pub(crate) connection: Connection,
    pub(crate) path: PathBuf,
    /// It was opened as a file that nobody writes to.
    pub(crate) immutable: bool,
}

/// Whether nothing is in a file yet.
fn is_empty(connection: &Connection) -> bool {
    let tables = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0));
    tables.is_ok_and(|tables: i64| tables == 0)
}

impl StoreReader {
    /// Whether it was opened as a file that nobody writes to: what is written later is not seen.
    pub const fn is_immutable(&self) -> bool {
        self.immutable
    }

    /// Opens the store in `folder` for reading.
    ///
    /// # Errors
    /// [`StoreError`] naming the path.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(FILE);
        if let Err(error) = std::fs::File::open(&path) {
            return Err(match error.kind() {
                std::io::ErrorKind::NotFound => StoreError::Missing(path),
                std::io::ErrorKind::PermissionDenied => StoreError::Closed { path, error },
                _ => StoreError::Io { path, error },
            });
        }
        let failed = StoreError::sqlite(&path);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&path, flags).map_err(&failed)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(&failed)?;
        let mut immutable = false;
        let mut checked = check_version(&connection, &path);
        if checked.as_ref().is_err_and(StoreError::is_cannot_open) && !wal_path(&path).exists() {
            // A reader that may not write the folder cannot make the WAL's index. Without a WAL nobody writes now, and
            // the file alone is complete.
            connection = Connection::open_with_flags(
                immutable_uri(&path),
                flags | OpenFlags::SQLITE_OPEN_URI,
            )
            .map_err(&failed)?;
            checked = check_version(&connection, &path);
            immutable = true;
        }
        checked.map_err(|error| match error {
            // Somebody makes it in this moment.
            StoreError::Foreign(path) if is_empty(&connection) => StoreError::Missing(path),
            // What belongs to the file cannot be opened, though the file itself can.
            StoreError::Sqlite { path, error } if StoreError::cannot_open(&error) => {
                StoreError::Closed {
                    path,
                    error: std::io::Error::other(error),
                }
            }
            error => error,
        })?;
        drop(failed);
        Ok(Self {
            connection,
            path,
            immutable,
        })
    }

    /// All events with a number larger than `seq`, in order, also those that are stored while it is read.
    pub const fn since(&self, seq: u64) -> Since<'_> {
        Since {
            reader: self,
            after: seq,
            page: VecDeque::new(),
            done: false,
        }
    }

    /// Number of the last stored event; 0 for an empty store.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub fn last_seq(&self) -> Result<u64, StoreError> {
        let last: i64 = self
            .connection
            .query_row("SELECT coalesce(max(seq), 0) FROM events", [], |row| {
                row.get(0)
            })
            .map_err(StoreError::sqlite(&self.path))?;
        u64::try_from(last).map_err(|_| StoreError::Damaged(self.path.clone()))
    }

    /// When its first event was (ns since 1970, UTC), which no other store's was; 0 for an empty store.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub fn first_utc_ns(&self) -> Result<u64, StoreError> {
        let first: i64 = self
            .connection
            .query_row(
                "SELECT coalesce((SELECT time_utc_ns FROM events ORDER BY seq LIMIT 1), 0)",
                [],
                |row| row.get(0),
            )
            .map_err(StoreError::sqlite(&self.path))?;
        u64::try_from(first).map_err(|_| StoreError::Damaged(self.path.clone()))
    }

    /// The next events with a number larger than `after`, in order, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] when one of them cannot be read.
    pub fn some(&self, after: u64, limit: usize) -> Result<Vec<StoredEvent>, StoreError> {
        self.page(after, limit).map(Into::into)
    }

    fn page(&self, after: u64, limit: usize) -> Result<VecDeque<StoredEvent>, StoreError> {
        let failed = StoreError::sqlite(&self.path);
        let mut statement = self
            .connection
            .prepare_cached("SELECT seq, json FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2")
            .map_err(&failed)?;
        let rows = statement
            .query_map(params![integer(after), integer(limit as u64)], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
            })
            .map_err(&failed)?;
        rows.map(|row| {
            let (seq, json) = row.map_err(&failed)?;
            let seq = u64::try_from(seq).map_err(|_| StoreError::Damaged(self.path.clone()))?;
            Ok(StoredEvent { seq, json })
        })
        .collect()
    }
}

/// Iterator over stored events; see [`StoreReader::since`].
#[derive(Debug)]
pub struct Since<'a> {
    reader: &'a StoreReader,
    after: u64,
    page: VecDeque<StoredEvent>,
    done: bool,
}

impl Iterator for Since<'_> {
    type Item = Result<StoredEvent, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.is_empty() && !self.done {
            match self.reader.page(self.after, PAGE) {
                Ok(page) => self.page = page,
                Err(error) => {
                    self.done = true;
                    return Some(Err(error));
                }
            }
        }
        let event = self.page.pop_front()?;
        self.after = event.seq;
        Some(Ok(event))
    }
}
