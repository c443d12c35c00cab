//! Alarms that nobody wants to hear of for a while.

use super::{Book, count, insert_audit};
use crate::error::HostError;
use crate::store::integer;
use rusqlite::{Connection, params};
use serde::Serialize;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS shelved(
    bus TEXT NOT NULL, source TEXT NOT NULL, channel TEXT NOT NULL, until_utc_ns INTEGER NOT NULL, who TEXT NOT NULL,
    comment TEXT NOT NULL, after_seq INTEGER NOT NULL, store_utc_ns INTEGER NOT NULL,
    PRIMARY KEY (bus, source, channel)
) STRICT;
";

/// Whether there are shelves of an earlier version, and whether those have a bus and say behind which event they were put there. They have a
/// name of their own, so that such a version can make and fill them again where it is used again.
const EARLIER: &str =
    "SELECT count(*) > 0, sum(name = 'bus') > 0 FROM pragma_table_info('shelves')";

/// Makes the table, and takes over what an earlier version has left.
pub(super) fn make(book: &mut Connection) -> rusqlite::Result<()> {
    let transaction = book.transaction()?;
    transaction.execute_batch(SCHEMA)?;
    let (earlier, with_bus) = transaction.query_row(EARLIER, [], |row| {
        Ok((
            row.get::<_, bool>(0)?,
            row.get::<_, Option<bool>>(1)? == Some(true),
        ))
    })?;
    if earlier {
        let more = if with_bus {
            "bus, after_seq, store_utc_ns"
        } else {
            "'', 0, 0"
        };
        transaction.execute_batch(&format!(
            "INSERT OR REPLACE INTO shelved(source, channel, until_utc_ns, who, comment, bus, after_seq, store_utc_ns)
                 SELECT source, channel, until_utc_ns, who, comment, {more} FROM shelves;
             DROP TABLE shelves;"
        ))?;
    }
    transaction.commit()
}

/// An alarm that nobody wants to hear of for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shelf {
    /// Bus of the alarm; empty where the machine has one.
    pub bus: String,
    /// Source of the alarm.
    pub source: String,
    /// Channel of the alarm.
    pub channel: String,
    /// Until when (ns since 1970, UTC).
    pub until_utc_ns: u64,
    /// Who.
    pub who: String,
    /// What was said.
    pub comment: String,
    /// Number of the last event that was known when it was put there, and the store that it is of, by the time of its first event (ns since
    /// 1970, UTC; 0 for an empty one).
    pub behind: (u64, u64),
}

impl Shelf {
    /// The alarm, as the audit trail names it.
    pub fn target(&self) -> String {
        target(&self.bus, &self.source, &self.channel)
    }
}

/// An alarm, as the audit trail names it: with its bus where there are several.
pub fn target(bus: &str, source: &str, channel: &str) -> String {
    if bus.is_empty() {
        format!("{source} {channel}")
    } else {
        format!("{bus} {source} {channel}")
    }
}

impl Book {
    /// Puts an alarm on the shelf, and into the audit trail.
    ///
    /// # Errors
    /// [`HostError::Machine`] when it cannot be written; neither is then.
    pub fn shelve(&self, shelf: &Shelf, now_utc_ns: u64) -> Result<(), HostError> {
        self.with(|book| {
            let transaction = book.transaction()?;
            transaction.execute(
                "INSERT OR REPLACE INTO shelved(bus, source, channel, until_utc_ns, who, comment, after_seq, store_utc_ns)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    shelf.bus,
                    shelf.source,
                    shelf.channel,
                    integer(shelf.until_utc_ns),
                    shelf.who,
                    shelf.comment,
                    integer(shelf.behind.0),
                    integer(shelf.behind.1),
                ],
            )?;
            let seconds = shelf.until_utc_ns.saturating_sub(now_utc_ns) / 1_000_000_000;
            let detail = format!("{seconds} s {}", shelf.comment);
            insert_audit(
                &transaction,
                now_utc_ns,
                &shelf.who,
                "shelve",
                &shelf.target(),
                detail.trim_end(),
            )?;
            transaction.commit()
        })
    }

    /// Takes the alarm of this bus, source and channel off the shelf; whether it was there. `only`: where it is still there until then
    /// (ns since 1970, UTC), and nobody has put it there anew. Noted in the audit trail.
    ///
    /// # Errors
    /// [`HostError::Machine`] when it cannot be written; neither is then.
    pub fn unshelve(
        &self,
        (bus, source, channel): (&str, &str, &str),
        only: Option<u64>,
        who: &str,
        now_utc_ns: u64,
    ) -> Result<bool, HostError> {
        self.with(|book| {
            let transaction = book.transaction()?;
            let gone = transaction.execute(
                "DELETE FROM shelved WHERE bus = ?1 AND source = ?2 AND channel = ?3 AND (?4 IS NULL OR until_utc_ns = ?4)",
                params![bus, source, channel, only.map(integer)],
            )?;
            if gone > 0 {
                let target = target(bus, source, channel);
                insert_audit(&transaction, now_utc_ns, who, "unshelve", &target, "")?;
            }
            transaction.commit()?;
            Ok(gone > 0)
        })
    }

    /// Everything that is on the shelf after `now_utc_ns`.
    ///
    /// # Errors
    /// [`HostError::Machine`] when it cannot be read.
    pub fn shelves(&self, now_utc_ns: u64) -> Result<Vec<Shelf>, HostError> {
        self.with(|book| {
            let mut rows = book.prepare_cached(
                "SELECT bus, source, channel, until_utc_ns, who, comment, after_seq, store_utc_ns
                 FROM shelved WHERE until_utc_ns > ?1 LIMIT 4096",
            )?;
            let shelves = rows.query_map([integer(now_utc_ns)], |row| {
                Ok(Shelf {
                    bus: row.get(0)?,
                    source: row.get(1)?,
                    channel: row.get(2)?,
                    until_utc_ns: count(row.get(3)?),
                    who: row.get(4)?,
                    comment: row.get(5)?,
                    behind: (count(row.get(6)?), count(row.get(7)?)),
                })
            })?;
            shelves.collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::book::FILE;

    const FIRST: &str = "
        CREATE TABLE IF NOT EXISTS shelves(
            source TEXT NOT NULL, channel TEXT NOT NULL, until_utc_ns INTEGER NOT NULL, who TEXT NOT NULL, comment TEXT NOT NULL,
            PRIMARY KEY (source, channel)
        ) STRICT;
        INSERT OR REPLACE INTO shelves VALUES ('lift', 'ripple', 9000, 'eva', 'until Monday');";
    const SECOND: &str = "
        CREATE TABLE IF NOT EXISTS shelves(
            bus TEXT NOT NULL DEFAULT '', source TEXT NOT NULL, channel TEXT NOT NULL, until_utc_ns INTEGER NOT NULL, who TEXT NOT NULL,
            comment TEXT NOT NULL, after_seq INTEGER NOT NULL DEFAULT 0, store_utc_ns INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (bus, source, channel)
        ) STRICT;
        INSERT OR REPLACE INTO shelves VALUES ('rear', 'lift', 'ripple', 9000, 'eva', 'until Monday', 3, 30);";

    #[test]
    fn shelves_of_earlier_versions_are_taken_over_and_those_may_be_used_again() {
        for (earlier, target, behind) in [
            (FIRST, "lift ripple", (0, 0)),
            (SECOND, "rear lift ripple", (3, 30)),
        ] {
            let folder = tempfile::tempdir().unwrap();
            // The second time this version has used the book before.
            for _ in 0..2 {
                let old = Connection::open(folder.path().join(FILE)).unwrap();
                old.execute_batch(earlier).unwrap();
                drop(old);
                for _ in 0..2 {
                    let book = Book::open(folder.path()).unwrap();
                    let shelves = book.shelves(1).unwrap();
                    assert_eq!(shelves.len(), 1);
                    assert_eq!(shelves[0].target(), target);
                    let put = (shelves[0].until_utc_ns, shelves[0].behind);
                    assert_eq!(put, (9000, behind));
                }
                let book = Book::open(folder.path()).unwrap();
                let shelf = book.shelves(1).unwrap().remove(0);
                let name = (&*shelf.bus, "lift", "ripple");
                assert!(book.unshelve(name, None, "eva", 2).unwrap());
            }
        }
    }
}
