//! What stands in a store, kept beside its events, so that nobody has to read all of them to know it; and which machine a plan is of.
//!
//! One thing is a channel of a source on a bus of a machine. Its row is written in the transaction that stores its event. A store that was
//! written by a version without these tables, or goes on after one, is caught up with when it is next asked for. Versions before had a table
//! `standing` without the machine: what it holds is taken over. Such a version makes it anew where it is used again.

use crate::lines::EventRecord;
use crate::store::{StoreReader, StoreWriter, StoredEvent, integer};
use crate::store_error::StoreError;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, named_params, params};

/// Made in stores of earlier versions too: whoever reads those does without. A machine that nobody has named is empty.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS alarms_standing(
    machine TEXT NOT NULL, bus TEXT NOT NULL, source TEXT NOT NULL, channel TEXT NOT NULL,
    raised_seq INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (machine, bus, source, channel)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alarms_standing_behind(one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS plans(plan TEXT PRIMARY KEY, machine TEXT NOT NULL) STRICT;
";

/// Whether there are the tables of before there were machines, and none of now.
const IS_OLD: &str = "SELECT sum(name IN ('standing', 'standing_behind')) = 2 AND sum(name = 'alarms_standing') = 0 FROM sqlite_schema";

/// Takes them over. The bus stands in the line of an event alone. What raised an alarm is looked for in the 100 000 events up to its last.
const TAKE_OVER: &str = "
INSERT INTO alarms_standing(machine, bus, source, channel, raised_seq, seq)
SELECT coalesce((SELECT machine FROM events JOIN plans USING (plan) WHERE events.seq = standing.seq), ''), bus, source, channel, coalesce((
    SELECT seq FROM events WHERE seq <= standing.seq AND seq > standing.seq - 100000
        AND source = standing.source AND channel = standing.channel AND state = 'raised'
        AND coalesce(CASE WHEN json_valid(json) THEN json_extract(json, '$.bus') END, '') = standing.bus
    ORDER BY seq DESC LIMIT 1), seq), seq
FROM standing;
INSERT INTO alarms_standing_behind(one, seq) SELECT one, seq FROM standing_behind;
DROP TABLE standing;
DROP TABLE standing_behind;
";

/// The last event of everything behind a number and up to another one, and the last one of those that raised it. Who has written it is not
/// known: its plan may say whose it is.
const LAST: &str = "
SELECT whose, bus, source, channel, raised_seq, seq, (SELECT state FROM events WHERE seq = last.seq) FROM (
    SELECT coalesce(machine, '') AS whose, coalesce(CASE WHEN json_valid(json) THEN json_extract(json, '$.bus') END, '') AS bus,
        source, channel, max(CASE WHEN state = 'raised' THEN seq END) AS raised_seq, max(seq) AS seq
    FROM events LEFT JOIN plans USING (plan) WHERE seq > ?1 AND seq <= ?2 GROUP BY 1, 2, 3, 4
) AS last ORDER BY seq";
const RAISE: &str = "
INSERT INTO alarms_standing(machine, bus, source, channel, raised_seq, seq)
VALUES (:machine, :bus, :source, :channel, coalesce(:raised_seq, :seq), :seq)
ON CONFLICT (machine, bus, source, channel) DO UPDATE SET raised_seq = coalesce(:raised_seq, raised_seq), seq = excluded.seq";
/// What nobody knew whose it was, and is no other machine's, is that of the one that tells of it.
const ADOPT: &str = "
UPDATE OR REPLACE alarms_standing SET machine = :machine
WHERE machine = '' AND bus = :bus AND source = :source AND channel = :channel AND NOT EXISTS (
    SELECT 1 FROM events JOIN plans USING (plan) WHERE events.seq = alarms_standing.seq AND plans.machine != :machine)";
/// Of a machine its own and what is nobody else's; of nobody knows whom, whatever has that name.
const CLEAR: &str = "
DELETE FROM alarms_standing WHERE bus = :bus AND source = :source AND channel = :channel AND (
    machine = :machine OR :machine = '' OR machine = '' AND NOT EXISTS (
        SELECT 1 FROM events JOIN plans USING (plan) WHERE events.seq = alarms_standing.seq AND plans.machine != :machine))";
/// What stands of a machine, and its plans, are another one's from here on. Of two alarms of one name the later one stays.
const RENAME: [&str; 3] = [
    "DELETE FROM alarms_standing AS one WHERE machine IN (?1, ?2) AND EXISTS (
        SELECT 1 FROM alarms_standing AS other WHERE other.machine IN (?1, ?2) AND other.bus = one.bus AND other.source = one.source
            AND other.channel = one.channel AND other.seq > one.seq)",
    "UPDATE alarms_standing SET machine = ?2 WHERE machine = ?1",
    "UPDATE plans SET machine = ?2 WHERE machine = ?1",
];
const BEHIND: &str = "INSERT OR REPLACE INTO alarms_standing_behind(one, seq) VALUES (1, ?1)";

/// Makes the tables. What cannot be taken over is caught up with later: nothing old keeps a machine from running.
pub(crate) fn make(connection: &mut Connection) -> rusqlite::Result<()> {
    let take_over = |connection: &mut Connection| {
        let transaction = connection.transaction()?;
        transaction.execute_batch(TABLES)?;
        transaction.execute_batch(TAKE_OVER)?;
        transaction.commit()
    };
    let old = connection.query_row(IS_OLD, [], |row| row.get::<_, Option<bool>>(0));
    if matches!(old, Ok(Some(true))) && take_over(connection).is_ok() {
        return Ok(());
    }
    connection.execute_batch(TABLES)
}

/// Number of the event up to which the table is made; 0 for none.
pub(crate) fn behind(connection: &Connection) -> rusqlite::Result<u64> {
    let found = connection
        .query_row("SELECT seq FROM alarms_standing_behind", [], |row| {
            row.get::<_, i64>(0)
        })
        .optional()?;
    Ok(found.map_or(0, count))
}

/// Takes in an event of `machine` that is stored in this transaction.
pub(crate) fn take(
    transaction: &Transaction<'_>,
    machine: &str,
    record: &EventRecord,
) -> rusqlite::Result<()> {
    let bus = record.bus.as_deref().unwrap_or_default();
    let raised = (record.state == "raised").then_some(record.seq);
    note(
        transaction,
        (machine, bus, &record.source, &record.channel),
        (raised, record.seq),
        &record.state,
    )
}

/// Notes how far the table is made.
pub(crate) fn set_behind(transaction: &Transaction<'_>, seq: u64) -> rusqlite::Result<()> {
    let mut set = transaction.prepare_cached(BEHIND)?;
    set.execute([integer(seq)]).map(drop)
}

/// Notes the last event of something, and the number of what raised it, where that is known.
fn note(
    transaction: &Transaction<'_>,
    (machine, bus, source, channel): (&str, &str, &str, &str),
    (raised_seq, seq): (Option<u64>, u64),
    state: &str,
) -> rusqlite::Result<()> {
    let name =
        named_params! {":machine": machine, ":bus": bus, ":source": source, ":channel": channel};
    if state == "cleared" {
        let mut clear = transaction.prepare_cached(CLEAR)?;
        clear.execute(name).map(drop)
    } else {
        if !machine.is_empty() {
            transaction.prepare_cached(ADOPT)?.execute(name)?;
        }
        let mut raise = transaction.prepare_cached(RAISE)?;
        let row = named_params! {
            ":machine": machine, ":bus": bus, ":source": source, ":channel": channel,
            ":raised_seq": raised_seq.map(integer), ":seq": integer(seq),
        };
        raise.execute(row).map(drop)
    }
}

/// Events that are looked at for what stands where the whole store cannot be read.
const RECENT: u64 = if cfg!(test) { 6 } else { 100_000 };
/// Numbers whose events are taken in at once, in one transaction.
const BATCH: u64 = if cfg!(test) { 3 } else { 100_000 };
/// So many of these are taken in from one word about it to the next.
const BATCHES_A_WORD: u64 = if cfg!(test) { 2 } else { 10 };

/// Whether it is what was stored that cannot be read: it will not be otherwise the next time.
fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        None | Some(ErrorCode::DatabaseCorrupt)
    )
}

/// No number is below 0, whoever wrote it.
fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

impl StoreWriter {
    /// What is stored from here on is of the machine of this name.
    pub fn set_machine(&mut self, machine: &str) {
        machine.clone_into(&mut self.machine);
    }

    /// Hands over to machine `new` what stands of `old`, and its plans. Returns whether there was anything of `old`.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read or written.
    pub(crate) fn rename(&mut self, old: &str, new: &str) -> Result<bool, StoreError> {
        let mut hand_over = || {
            let transaction = self.connection.transaction()?;
            let [alone, alarms, plans] = RENAME;
            transaction.execute(alone, [old, new])?;
            let handed = transaction.execute(alarms, [old, new])?
                + transaction.execute(plans, [old, new])?;
            transaction.commit()?;
            Ok(handed > 0)
        };
        hand_over().map_err(StoreError::sqlite(&self.path))
    }

    /// The last event of everything that stands, as lines of JSON in the order of their numbers: at most `most`, the newest. What stands of
    /// another machine is not among them; whose nobody knows is.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn standing(&mut self, most: usize) -> Result<Vec<String>, StoreError> {
        self.catch_up(&mut |_| {})?;
        let read = || {
            let mut rows = self.connection.prepare_cached(
                "SELECT seq, json FROM (
                     SELECT seq, json FROM alarms_standing JOIN events USING (seq) LEFT JOIN plans USING (plan)
                     WHERE ?1 = '' OR coalesce(nullif(alarms_standing.machine, ''), plans.machine, ?1) = ?1
                     ORDER BY seq DESC LIMIT ?2
                 ) ORDER BY seq",
            )?;
            let lines = rows.query_map(params![self.machine, integer(most as u64)], |row| {
                row.get::<_, String>(1)
            })?;
            lines.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(StoreError::sqlite(&self.path))
    }

    /// Machine, bus, source and channel of what stands of another machine than this one: the newest that `is_it` is true of. Names that are
    /// no text are those of nothing.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub(crate) fn standing_of_another(
        &self,
        mut is_it: impl FnMut(&[String; 4]) -> bool,
    ) -> Result<Option<[String; 4]>, StoreError> {
        let mut read = || {
            let mut rows = self.connection.prepare_cached(
                "SELECT coalesce(nullif(alarms_standing.machine, ''), plans.machine) AS whose, bus,
                     alarms_standing.source, alarms_standing.channel
                 FROM alarms_standing JOIN events USING (seq) LEFT JOIN plans USING (plan)
                 WHERE whose != '' AND whose != ?1 ORDER BY seq DESC",
            )?;
            let mut rows = rows.query([&self.machine])?;
            while let Some(row) = rows.next()? {
                let text = |n: usize| row.get::<_, String>(n);
                let (Ok(whose), Ok(bus), Ok(source), Ok(channel)) =
                    (text(0), text(1), text(2), text(3))
                else {
                    continue;
                };
                let one = [whose, bus, source, channel];
                if is_it(&one) {
                    return Ok(Some(one));
                }
            }
            Ok(None)
        };
        read().map_err(StoreError::sqlite(&self.path))
    }

    /// Takes in what was stored without these tables, some events at a time: whoever ends it in between goes on there the next time. `say` is
    /// told how far it has come where that takes a while, and which events cannot be read.
    pub(crate) fn catch_up(&mut self, say: &mut dyn FnMut(&str)) -> Result<(), StoreError> {
        let last_seq = self.last_seq;
        if self.standing_behind == Some(last_seq) {
            return Ok(());
        }
        let mut at = (self.standing_behind)
            .filter(|seq| *seq < last_seq)
            .unwrap_or(0);
        let mut anew = at == 0;
        let mut batches = 0_u64;
        while at < last_seq || anew {
            let to = match self.end_of_piece(at) {
                Ok(to) => to,
                Err(error) if is_damage(&error) => last_seq,
                Err(error) => return Err(StoreError::sqlite(&self.path)(error)),
            };
            if batches.is_multiple_of(BATCHES_A_WORD) && to < last_seq {
                say(&format!(
                    "what stands is looked for in events that another version has stored: those up to number {at} of {last_seq} are read"
                ));
            }
            batches += 1;
            match self.take_in(at, to, anew) {
                Ok(()) => {
                    (at, anew) = (to, false);
                    self.standing_behind = Some(at);
                }
                // An old event that cannot be read must not keep what stands now from being known, nor take what was known before it.
                Err(error) if is_damage(&error) && last_seq - at > RECENT => {
                    let behind = to.min(last_seq - RECENT);
                    say(&format!(
                        "what stands is not looked for in the events from number {} to {behind}: they cannot be read ({error})",
                        at + 1
                    ));
                    at = behind;
                }
                Err(error) => return Err(StoreError::sqlite(&self.path)(error)),
            }
        }
        Ok(())
    }

    /// Number up to which the events behind `at` are taken in next. Numbers that no event has are passed over at once.
    fn end_of_piece(&self, at: u64) -> rusqlite::Result<u64> {
        let first = "SELECT min(seq) FROM events WHERE seq > ?1";
        let first = (self.connection)
            .query_row(first, [integer(at)], |row| row.get::<_, Option<i64>>(0))?;
        let to = first.map(|first| count(first).saturating_add(BATCH - 1));
        Ok(to.map_or(self.last_seq, |to| to.min(self.last_seq)))
    }

    /// Takes in the events behind number `from`, up to `to`; `anew`: of those before nothing is known.
    fn take_in(&mut self, from: u64, to: u64, anew: bool) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        if anew {
            transaction.execute("DELETE FROM alarms_standing", [])?;
        }
        let mut last = transaction.prepare_cached(LAST)?;
        let mut rows = last.query([integer(from), integer(to)])?;
        while let Some(row) = rows.next()? {
            let text = |n: usize| row.get::<_, String>(n);
            let names = (text(0)?, text(1)?, text(2)?, text(3)?);
            let raised = row.get::<_, Option<i64>>(4)?.map(count);
            let seq = count(row.get(5)?);
            let name = (&*names.0, &*names.1, &*names.2, &*names.3);
            note(&transaction, name, (raised, seq), &text(6)?)?;
        }
        drop(rows);
        drop(last);
        set_behind(&transaction, to)?;
        transaction.commit()
    }

    /// Notes that `plan` is one of the machine of this name.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be written.
    pub fn note_plan(&mut self, plan: &str, machine: &str) -> Result<(), StoreError> {
        self.connection
            .execute(
                "INSERT OR REPLACE INTO plans(plan, machine) VALUES (?1, ?2)",
                [plan, machine],
            )
            .map(drop)
            .map_err(StoreError::sqlite(&self.path))
    }
}

/// Something that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// One of its events.
    pub event: StoredEvent,
    /// Number and time (ns since 1970, UTC) of the event that raised it.
    pub raised: (u64, u64),
}

impl StoreReader {
    /// What stands and was raised up to event `seq`, each with its last event up to there that is known, in the order of their numbers: at
    /// most `most`, the newest. Nothing where the store does not say: an earlier version has written it.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub fn standing(&self, seq: u64, most: usize) -> Result<Vec<Standing>, StoreError> {
        let made = "SELECT count(*) FROM sqlite_schema WHERE name IN ('alarms_standing', 'alarms_standing_behind')";
        let read = || {
            let made: i64 = self.connection.query_row(made, [], |row| row.get(0))?;
            if made < 2 || behind(&self.connection)? < seq {
                return Ok(Vec::new());
            }
            let mut rows = self.connection.prepare_cached(
                "SELECT known, json, raised_seq, raised_utc_ns FROM (
                     SELECT known, json, raised_seq,
                         (SELECT time_utc_ns FROM events WHERE events.seq = raised_seq) AS raised_utc_ns
                     FROM (
                         SELECT CASE WHEN seq <= ?1 THEN seq ELSE raised_seq END AS known, raised_seq FROM alarms_standing
                         WHERE raised_seq <= ?1
                     ) JOIN events ON events.seq = known
                     ORDER BY known DESC LIMIT ?2
                 ) ORDER BY known",
            )?;
            let rows = rows.query_map([integer(seq), integer(most as u64)], |row| {
                Ok(Standing {
                    event: StoredEvent {
                        seq: count(row.get(0)?),
                        json: row.get(1)?,
                    },
                    raised: (
                        count(row.get(2)?),
                        row.get::<_, Option<i64>>(3)?.map_or(0, count),
                    ),
                })
            })?;
            rows.collect()
        };
        read().map_err(StoreError::sqlite(&self.path))
    }
}

#[cfg(test)]
#[path = "store_standing_tests.rs"]
mod tests;
