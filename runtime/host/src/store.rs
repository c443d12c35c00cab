//! The event store: SQLite in WAL mode, one writer, any number of readers.
//!
//! An event has its number only once its transaction is on the disk (`synchronous = FULL`), so nothing is announced
//! that a power cut could take back. Numbers run from 1 without gaps: they are given in the transaction that stores
//! the events, and a transaction that fails gives none. Any tool that reads SQLite reads the store.

use crate::attached::ProcessData;
use crate::error::HostError;
use crate::false_alarms::Exposure;
use crate::lines::EventRecord;
use crate::lock::{LockError, WriterLock};
use crate::names::RunInfo;
pub use crate::store_error::StoreError;
pub use crate::store_reader::{Since, StoreReader, StoredEvent};
use crate::store_standing;
pub use crate::store_standing::Standing;
use rusqlite::{Connection, OptionalExtension, params};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// File of the store in its folder.
pub const FILE: &str = "events.sqlite";
/// File of the writer's lock in the same folder.
pub const LOCK_FILE: &str = "events.lock";
/// Version of the tables; a store of a newer one is refused.
pub(crate) const SCHEMA_VERSION: i64 = 1;
/// `TWIN` in ASCII: tells a store of ours from any other SQLite file.
const APPLICATION_ID: i64 = 0x5457_494e;
/// How long SQLite waits for a reader's checkpoint before it reports the store as locked.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

const SCHEMA: &str = "
CREATE TABLE events(
    seq INTEGER PRIMARY KEY CHECK (seq > 0),
    cycle INTEGER NOT NULL, time_ns INTEGER NOT NULL, time_utc_ns INTEGER NOT NULL, plan TEXT NOT NULL,
    source TEXT NOT NULL, channel TEXT NOT NULL, state TEXT NOT NULL, detector TEXT NOT NULL, severity TEXT NOT NULL,
    measured REAL, predicted REAL, residual REAL, unit TEXT NOT NULL, regime TEXT NOT NULL,
    recipe TEXT, part TEXT,
    false_alarm_interval_asked_s INTEGER NOT NULL, false_alarm_interval_demonstrated_s INTEGER NOT NULL,
    cause TEXT NOT NULL, action TEXT NOT NULL, asset_id TEXT NOT NULL,
    json TEXT NOT NULL
) STRICT;
CREATE TABLE exposure(plan TEXT PRIMARY KEY, seen_ns INTEGER NOT NULL, alarms INTEGER NOT NULL) STRICT;
";

/// What of the context has columns beside recipe and part. They are read out of the line of each event, so that events of before have them
/// too, and those that an earlier version stores behind them.
const CONDITIONS: [&str; 3] = ["tool", "load", "temperature"];

/// Made in stores of earlier versions too: whoever reads those does without.
const RUNS: &str = "
CREATE TABLE IF NOT EXISTS runs(
    start_utc_ns INTEGER NOT NULL, plan TEXT NOT NULL, seen_ns INTEGER NOT NULL, process_data TEXT
) STRICT;
";

const INSERT: &str = "
INSERT INTO events(seq, cycle, time_ns, time_utc_ns, plan, source, channel, state, detector, severity,
    measured, predicted, residual, unit, regime, recipe, part,
    false_alarm_interval_asked_s, false_alarm_interval_demonstrated_s, cause, action, asset_id, json)
VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22,?23)";

/// Folder of the store: `--state`, else `$XDG_STATE_HOME/twinstep`, else `~/.local/state/twinstep`.
///
/// # Errors
/// [`HostError::Usage`] when none of them is known.
pub fn folder(state: Option<&Path>) -> Result<PathBuf, HostError> {
    folder_from(
        state,
        std::env::var_os("XDG_STATE_HOME").as_deref(),
        std::env::var_os("HOME").as_deref(),
    )
}

fn folder_from(
    state: Option<&Path>,
    xdg_state_home: Option<&std::ffi::OsStr>,
    home: Option<&std::ffi::OsStr>,
) -> Result<PathBuf, HostError> {
    if let Some(folder) = state {
        return Ok(folder.to_owned());
    }
    // The XDG rules say that a relative path is to be ignored.
    let absolute =
        |text: Option<&std::ffi::OsStr>| text.map(PathBuf::from).filter(|path| path.is_absolute());
    absolute(xdg_state_home)
        .or_else(|| absolute(home).map(|home| home.join(".local/state")))
        .map(|base| base.join("twinstep"))
        .ok_or_else(|| {
            HostError::usage(
                "no folder for the event store: HOME is not set",
                "name one with --state DIR",
            )
        })
}

/// A fresh folder for the store of a run that is only a demonstration. It stays when the process ends.
///
/// # Errors
/// [`HostError::Usage`] when it cannot be made.
pub fn temporary_folder() -> Result<PathBuf, HostError> {
    let made = tempfile::Builder::new().prefix("twinstep-").tempdir();
    made.map(tempfile::TempDir::keep).map_err(|error| {
        HostError::usage(
            format!(
                "cannot make a folder in {}: {error}",
                std::env::temp_dir().display()
            ),
            "set TMPDIR to a folder that this user can write to, or name one with --state DIR",
        )
    })
}

/// The writing end of a store.
#[derive(Debug)]
pub struct StoreWriter {
    pub(crate) connection: Connection,
    pub(crate) path: PathBuf,
    pub(crate) last_seq: u64,
    /// Number of the event up to which what stands is known; none where that cannot be read.
    pub(crate) standing_behind: Option<u64>,
    /// Whose events are stored; empty where nobody has said it.
    pub(crate) machine: String,
    _lock: WriterLock,
}

impl StoreWriter {
    /// Opens the store in `folder`, making both when they are missing, and takes the writer's lock.
    ///
    /// # Errors
    /// [`StoreError`] naming the path.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let io = |error| StoreError::Io {
            path: folder.to_owned(),
            error,
        };
        std::fs::create_dir_all(folder).map_err(io)?;
        let lock_path = folder.join(LOCK_FILE);
        let lock = WriterLock::take(&lock_path).map_err(|error| match error {
            LockError::Held(holder) => StoreError::Locked {
                folder: folder.to_owned(),
                holder,
            },
            LockError::Io(error) => StoreError::Io {
                path: lock_path.clone(),
                error,
            },
        })?;
        let path = folder.join(FILE);
        let failed = StoreError::sqlite(&path);
        let mut connection = Connection::open(&path).map_err(&failed)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(&failed)?;
        let tables: i64 = connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .map_err(&failed)?;
        if tables > 0 {
            check_version(&connection, &path)?;
        }
        let mode: String = connection
            .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
            .map_err(&failed)?;
        debug_assert_eq!(mode, "wal");
        connection
            .pragma_update(None, "synchronous", "FULL")
            .map_err(&failed)?;
        if tables == 0 {
            let transaction = connection.transaction().map_err(&failed)?;
            transaction.execute_batch(SCHEMA).map_err(&failed)?;
            transaction
                .pragma_update(None, "application_id", APPLICATION_ID)
                .map_err(&failed)?;
            transaction
                .pragma_update(None, "user_version", SCHEMA_VERSION)
                .map_err(&failed)?;
            transaction.commit().map_err(&failed)?;
        }
        connection.execute_batch(RUNS).map_err(&failed)?;
        add_conditions(&mut connection).map_err(&failed)?;
        store_standing::make(&mut connection).map_err(&failed)?;
        let last: i64 = connection
            .query_row("SELECT coalesce(max(seq), 0) FROM events", [], |row| {
                row.get(0)
            })
            .map_err(&failed)?;
        let last_seq = u64::try_from(last).map_err(|_| StoreError::Damaged(path.clone()))?;
        drop(failed);
        let standing_behind = store_standing::behind(&connection).ok();
        Ok(Self {
            connection,
            path,
            last_seq,
            standing_behind,
            machine: String::new(),
            _lock: lock,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Has an empty store number its events from `seq` on; one that has some goes on with its own numbers.
    pub fn number_from(&mut self, seq: u64) {
        if self.last_seq == 0 {
            self.last_seq = seq.saturating_sub(1);
            // Nothing lies before it that could be caught up with. It is written with the first event.
            if self.standing_behind == Some(0) {
                self.standing_behind = Some(self.last_seq);
            }
        }
    }

    /// Number of the last stored event; 0 for an empty store.
    pub const fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Stores `records` in one transaction, gives them their numbers and returns the JSON line of each.
    ///
    /// Returns after the commit is on the disk. On an error none of them is stored, and their numbers are 0.
    ///
    /// # Errors
    /// [`StoreError`] when the transaction failed.
    pub fn append(&mut self, records: &mut [EventRecord]) -> Result<Vec<String>, StoreError> {
        let stored = self.try_append(records);
        match &stored {
            Ok(lines) => {
                let before = self.last_seq;
                self.last_seq = before.saturating_add(lines.len() as u64);
                if self.standing_behind == Some(before) {
                    self.standing_behind = Some(self.last_seq);
                }
            }
            Err(_) => records.iter_mut().for_each(|record| record.seq = 0),
        }
        stored
    }

    fn try_append(&mut self, records: &mut [EventRecord]) -> Result<Vec<String>, StoreError> {
        let failed = StoreError::sqlite(&self.path);
        let mut lines = Vec::with_capacity(records.len());
        let known = self.standing_behind == Some(self.last_seq);
        let transaction = self.connection.transaction().map_err(&failed)?;
        {
            let mut insert = transaction.prepare_cached(INSERT).map_err(&failed)?;
            for (record, seq) in records.iter_mut().zip(self.last_seq.saturating_add(1)..) {
                record.seq = seq;
                let json = serde_json::to_string(record).map_err(StoreError::Json)?;
                insert
                    .execute(params![
                        integer(record.seq),
                        integer(record.cycle),
                        integer(record.time_ns),
                        integer(record.time_utc_ns),
                        record.plan,
                        record.source,
                        record.channel,
                        record.state,
                        record.detector,
                        record.severity,
                        finite(record.measured),
                        finite(record.predicted),
                        finite(record.residual),
                        record.unit,
                        record.regime,
                        record.context.recipe,
                        record.context.part,
                        integer(record.false_alarm_interval_asked_s),
                        integer(record.false_alarm_interval_demonstrated_s),
                        record.cause,
                        record.action,
                        record.asset_id,
                        json,
                    ])
                    .map_err(&failed)?;
                if known {
                    store_standing::take(&transaction, &self.machine, record).map_err(&failed)?;
                }
                lines.push(json);
            }
        }
        if known {
            let last = self.last_seq.saturating_add(lines.len() as u64);
            store_standing::set_behind(&transaction, last).map_err(&failed)?;
        }
        transaction.commit().map_err(&failed)?;
        Ok(lines)
    }

    /// What was watched under `plan` by earlier runs.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub fn exposure(&self, plan: &str) -> Result<Exposure, StoreError> {
        let row = self
            .connection
            .query_row(
                "SELECT seen_ns, alarms FROM exposure WHERE plan = ?1",
                [plan],
                |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)),
            )
            .optional()
            .map_err(StoreError::sqlite(&self.path))?;
        let count = |value: i64| u64::try_from(value).unwrap_or(0);
        Ok(
            row.map_or(Exposure::default(), |(seen_ns, alarms)| Exposure {
                seen_ns: count(seen_ns),
                alarms: count(alarms),
            }),
        )
    }

    /// Notes a run that has ended: when its first cycle was, how long it was watched, and what said where the process
    /// data of a tapped bus stand.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be written.
    pub fn add_run(&mut self, run: &RunInfo, seen_ns: u64) -> Result<(), StoreError> {
        self.connection
            .execute(
                "INSERT INTO runs(start_utc_ns, plan, seen_ns, process_data) VALUES (?1, ?2, ?3, ?4)",
                params![
                    integer(run.utc_ns(0)),
                    run.plan,
                    integer(seen_ns),
                    run.process_data().map(ProcessData::word),
                ],
            )
            .map(|_| ())
            .map_err(StoreError::sqlite(&self.path))
    }

    /// Sets what was watched under `plan` in all runs.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be written.
    pub fn set_exposure(&mut self, plan: &str, exposure: Exposure) -> Result<(), StoreError> {
        self.connection
            .execute(
                "INSERT INTO exposure(plan, seen_ns, alarms) VALUES (?1, ?2, ?3)
                 ON CONFLICT (plan) DO UPDATE SET seen_ns = excluded.seen_ns, alarms = excluded.alarms",
                params![plan, integer(exposure.seen_ns), integer(exposure.alarms)],
            )
            .map(|_| ())
            .map_err(StoreError::sqlite(&self.path))
    }
}

/// Adds the columns of [`CONDITIONS`] where the store has been made without. No row is written for it.
fn add_conditions(connection: &mut Connection) -> rusqlite::Result<()> {
    // All or none, however it ends.
    let transaction = connection.transaction()?;
    for name in CONDITIONS {
        let known: bool = transaction.query_row(
            "SELECT count(*) > 0 FROM pragma_table_xinfo('events') WHERE name = ?1",
            [name],
            |row| row.get(0),
        )?;
        if !known {
            // A line that cannot be read has none.
            transaction.execute_batch(&format!(
                "ALTER TABLE events ADD COLUMN {name} TEXT GENERATED ALWAYS AS (
                    CASE WHEN json_valid(json) THEN json_extract(json, '$.context.{name}') END) VIRTUAL"
            ))?;
        }
    }
    transaction.commit()
}

/// SQLite's integers are signed; a larger count stays at the largest of them.
pub(crate) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

pub(crate) fn check_version(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let failed = StoreError::sqlite(path);
    let pragma = |name: &str| {
        connection
            .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
            .map_err(&failed)
    };
    if pragma("application_id")? != APPLICATION_ID {
        return Err(StoreError::Foreign(path.to_owned()));
    }
    let found = pragma("user_version")?;
    if found > SCHEMA_VERSION {
        return Err(StoreError::Newer {
            path: path.to_owned(),
            found,
        });
    }
    Ok(())
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
