//! What stands in a store, kept beside its events, so that nobody has to read all of them to know it; and which machine a plan is of.
//!
//! One thing is a channel of a source on a bus. Its row is written in the transaction that stores its event. A store that was written by a
//! version without these tables, or goes on after one, is caught up with when it is next asked for.

use crate::lines::EventRecord;
use crate::store::{StoreReader, StoreWriter, StoredEvent, integer};
use crate::store_error::StoreError;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

/// Made in stores of earlier versions too: whoever reads those does without.
pub(crate) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS standing(
    bus TEXT NOT NULL, source TEXT NOT NULL, channel TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (bus, source, channel)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS standing_behind(one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS plans(plan TEXT PRIMARY KEY, machine TEXT NOT NULL) STRICT;
";

/// The last event of everything behind a number. The bus stands in the line alone.
const LAST: &str = "
SELECT coalesce(CASE WHEN json_valid(json) THEN json_extract(json, '$.bus') END, ''), source, channel, seq, state FROM events
WHERE seq IN (
    SELECT max(seq) FROM events WHERE seq > ?1
    GROUP BY source, channel, CASE WHEN json_valid(json) THEN json_extract(json, '$.bus') END)";
const RAISE: &str = "INSERT OR REPLACE INTO standing VALUES (?1, ?2, ?3, ?4)";
const CLEAR: &str = "DELETE FROM standing WHERE bus = ?1 AND source = ?2 AND channel = ?3";
const BEHIND: &str = "INSERT OR REPLACE INTO standing_behind VALUES (1, ?1)";

/// Number of the event up to which the table is made; 0 for none.
pub(crate) fn behind(connection: &Connection) -> rusqlite::Result<u64> {
    let found = connection
        .query_row("SELECT seq FROM standing_behind", [], |row| {
            row.get::<_, i64>(0)
        })
        .optional()?;
    Ok(found.map_or(0, |seq| u64::try_from(seq).unwrap_or(0)))
}

/// Takes in an event that is stored in this transaction.
pub(crate) fn take(transaction: &Transaction<'_>, record: &EventRecord) -> rusqlite::Result<()> {
    let bus = record.bus.as_deref().unwrap_or_default();
    note(
        transaction,
        (bus, &record.source, &record.channel),
        record.seq,
        &record.state,
    )
}

/// Notes how far the table is made.
pub(crate) fn set_behind(transaction: &Transaction<'_>, seq: u64) -> rusqlite::Result<()> {
    let mut set = transaction.prepare_cached(BEHIND)?;
    set.execute([integer(seq)]).map(drop)
}

fn note(
    transaction: &Transaction<'_>,
    (bus, source, channel): (&str, &str, &str),
    seq: u64,
    state: &str,
) -> rusqlite::Result<()> {
    if state == "cleared" {
        let mut clear = transaction.prepare_cached(CLEAR)?;
        clear.execute([bus, source, channel]).map(drop)
    } else {
        let mut raise = transaction.prepare_cached(RAISE)?;
        raise
            .execute(params![bus, source, channel, integer(seq)])
            .map(drop)
    }
}

/// Events that are looked at for what stands where the whole store cannot be read.
const RECENT: u64 = 100_000;

impl StoreWriter {
    /// The last event of everything that stands, as lines of JSON in the order of their numbers: at most `most`, the newest.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn standing(&mut self, most: usize) -> Result<Vec<String>, StoreError> {
        self.catch_up()?;
        let events = newest(&self.connection, u64::MAX, most);
        let events = events.map_err(StoreError::sqlite(&self.path))?;
        Ok(events.into_iter().map(|event| event.json).collect())
    }

    /// Takes in what was stored without these tables.
    fn catch_up(&mut self) -> Result<(), StoreError> {
        if self.standing_behind == Some(self.last_seq) {
            return Ok(());
        }
        let last_seq = self.last_seq;
        let from = self.standing_behind.filter(|seq| *seq < last_seq);
        let work = |connection: &mut Connection, from: Option<u64>| {
            let transaction = connection.transaction()?;
            if from.is_none() {
                transaction.execute("DELETE FROM standing", [])?;
            }
            let mut last = transaction.prepare(LAST)?;
            let mut rows = last.query([integer(from.unwrap_or(0))])?;
            while let Some(row) = rows.next()? {
                let text = |n: usize| row.get::<_, String>(n);
                let (bus, source, channel, state) = (text(0)?, text(1)?, text(2)?, text(4)?);
                let seq = u64::try_from(row.get::<_, i64>(3)?).unwrap_or(0);
                note(&transaction, (&bus, &source, &channel), seq, &state)?;
            }
            drop(rows);
            drop(last);
            set_behind(&transaction, last_seq)?;
            transaction.commit()
        };
        let done = work(&mut self.connection, from).or_else(|error| match from {
            // An old event that cannot be read must not keep what stands now from being known.
            None => work(&mut self.connection, Some(last_seq.saturating_sub(RECENT))),
            Some(_) => Err(error),
        });
        done.map_err(StoreError::sqlite(&self.path))?;
        self.standing_behind = Some(last_seq);
        Ok(())
    }

    /// Notes that `plan` is one of the machine of this name.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be written.
    pub fn note_plan(&mut self, plan: &str, machine: &str) -> Result<(), StoreError> {
        self.connection
            .execute(
                "INSERT OR REPLACE INTO plans VALUES (?1, ?2)",
                [plan, machine],
            )
            .map(drop)
            .map_err(StoreError::sqlite(&self.path))
    }

    /// The machine that `plan` is of; none where no run has said so.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub fn machine_of(&self, plan: &str) -> Result<Option<String>, StoreError> {
        self.connection
            .query_row("SELECT machine FROM plans WHERE plan = ?1", [plan], |row| {
                row.get(0)
            })
            .optional()
            .map_err(StoreError::sqlite(&self.path))
    }
}

impl StoreReader {
    /// The last event of everything that stands and was told of up to event `seq` for the last time, in the order of their numbers: at
    /// most `most`, the newest. Nothing where the store does not say: an earlier version has written it.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub fn standing(&self, seq: u64, most: usize) -> Result<Vec<StoredEvent>, StoreError> {
        let made =
            "SELECT count(*) FROM sqlite_schema WHERE name IN ('standing', 'standing_behind')";
        let read = || {
            let made: i64 = self.connection.query_row(made, [], |row| row.get(0))?;
            if made < 2 || behind(&self.connection)? < seq {
                return Ok(Vec::new());
            }
            newest(&self.connection, seq, most)
        };
        read().map_err(StoreError::sqlite(&self.path))
    }
}

fn newest(connection: &Connection, seq: u64, most: usize) -> rusqlite::Result<Vec<StoredEvent>> {
    let mut rows = connection.prepare_cached(
        "SELECT seq, json FROM (
             SELECT seq FROM standing WHERE seq <= ?1 ORDER BY seq DESC LIMIT ?2
         ) JOIN events USING (seq) ORDER BY seq",
    )?;
    let rows = rows.query_map([integer(seq), integer(most as u64)], |row| {
        Ok(StoredEvent {
            seq: u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0),
            json: row.get(1)?,
        })
    })?;
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::false_alarms::Exposure;
    use crate::lines::tests::{leak, run_info};

    fn record(source: &str, state: &'static str) -> EventRecord {
        let mut record = EventRecord::of(&leak(7), &run_info(), Exposure::default());
        record.source = source.to_owned();
        record.state = state.into();
        record
    }

    fn numbers(lines: &[String]) -> Vec<u64> {
        let read = |line: &String| serde_json::from_str::<EventRecord>(line).unwrap().seq;
        lines.iter().map(read).collect()
    }

    #[test]
    fn an_old_alarm_stands_however_many_events_have_come_since() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = StoreWriter::open(folder.path()).unwrap();
        let mut all = vec![record("old", "raised")];
        for n in 0..1000 {
            let state = if n % 2 == 0 { "raised" } else { "cleared" };
            all.push(record("other", state));
        }
        all.push(record("new", "raised"));
        store.append(&mut all).unwrap();
        assert_eq!(numbers(&store.standing(100).unwrap()), [1, 1002]);
        assert_eq!(numbers(&store.standing(1).unwrap()), [1002]);
        let reader = StoreReader::open(folder.path()).unwrap();
        let of = |seq, most| {
            let events = reader.standing(seq, most).unwrap();
            events.iter().map(|event| event.seq).collect::<Vec<_>>()
        };
        assert_eq!(of(1002, 100), [1, 1002]);
        assert_eq!(of(1001, 100), [1]);
        // Behind the end nothing is known.
        assert_eq!(of(1003, 100), [] as [u64; 0]);
    }

    #[test]
    fn what_a_version_without_these_tables_has_stored_is_caught_up_with() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = StoreWriter::open(folder.path()).unwrap();
        store
            .append(&mut [record("a", "raised"), record("b", "raised")])
            .unwrap();
        // As such a version leaves it: it clears one, raises another, and knows of no table.
        store.standing_behind = None;
        store
            .append(&mut [record("a", "cleared"), record("c", "updated")])
            .unwrap();
        assert_eq!(behind(&store.connection).unwrap(), 2);
        let reader = StoreReader::open(folder.path()).unwrap();
        assert!(reader.standing(4, 100).unwrap().is_empty());
        drop(store);
        let mut store = StoreWriter::open(folder.path()).unwrap();
        assert_eq!(numbers(&store.standing(100).unwrap()), [2, 4]);
        store.append(&mut [record("b", "cleared")]).unwrap();
        assert_eq!(numbers(&store.standing(100).unwrap()), [4]);
        assert_eq!(reader.standing(5, 100).unwrap().len(), 1);
        // And one in which they never were.
        store
            .connection
            .execute_batch("DROP TABLE standing; DROP TABLE standing_behind;")
            .unwrap();
        assert!(reader.standing(5, 100).unwrap().is_empty());
        drop(store);
        let mut store = StoreWriter::open(folder.path()).unwrap();
        assert_eq!(numbers(&store.standing(100).unwrap()), [4]);
    }

    #[test]
    fn a_plan_has_its_machine() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = StoreWriter::open(folder.path()).unwrap();
        store.note_plan("00ff", "cell").unwrap();
        store.note_plan("00ff", "press cell").unwrap();
        assert_eq!(
            store.machine_of("00ff").unwrap().as_deref(),
            Some("press cell")
        );
        assert_eq!(store.machine_of("beef").unwrap(), None);
    }
}
