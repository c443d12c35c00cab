//! What the files beside the store tell of an event: its neighbours, overruns, runs, and what people did.

use crate::error::HostError;
use crate::gateway::book;
use crate::lines::EventRecord;
use crate::overruns::record::OverrunLine;
use crate::store::{StoreError, StoreReader};
use rusqlite::{Connection, OpenFlags, params};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// Time before and after the event that the timeline covers (ns).
const AROUND_NS: u64 = 60_000_000_000;
/// Events on either side that are looked at.
const NEIGHBOURS: i64 = 200;
/// Most lines of a timeline of one kind.
const MOST: usize = 60;
/// Most bytes of a file of overruns that are read, from its end.
const MAX_OVERRUN_BYTES: u64 = 64 << 20;

/// One line of the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// When (ns since 1970, UTC).
    pub utc_ns: u64,
    /// `event`, `overrun`, `run`, `person`, `command`.
    pub kind: &'static str,
    /// What.
    pub text: String,
}

/// Who acknowledged the alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Acknowledged {
    pub who: String,
    pub utc_ns: u64,
    pub comment: String,
}

/// All of it.
#[derive(Clone, Debug)]
pub(super) struct Gathered {
    pub event: EventRecord,
    /// Its line, byte for byte.
    pub json: String,
    pub moments: Vec<Moment>,
    pub acknowledged: Option<Acknowledged>,
    /// What could not be read, in words.
    pub missing: Vec<String>,
}

/// Collects what stands of event `seq` in the store in `folder`, and in the gateway's book in the folder `book`.
///
/// # Errors
/// [`HostError::Usage`] where there is no store or no such event.
pub(super) fn gather(folder: &Path, book: &Path, seq: u64) -> Result<Gathered, HostError> {
    let store = StoreReader::open(folder).map_err(StoreError::into_usage)?;
    let none = |why: String| HostError::usage(why, "`twinstep events` lists what there is");
    let found = match seq
        .checked_sub(1)
        .and_then(|before| store.since(before).next())
    {
        Some(found) => Some(found.map_err(StoreError::into_usage)?),
        None => None,
    };
    let stored = found.filter(|found| found.seq == seq).ok_or_else(|| {
        let last = store.last_seq().unwrap_or(0);
        none(format!(
            "there is no event {seq} in {}: its events have the numbers 1 to {last}",
            folder.display()
        ))
    })?;
    let event: EventRecord = serde_json::from_str(&stored.json)
        .map_err(|error| none(format!("event {seq} is not one of this version's: {error}")))?;
    let mut all = Gathered {
        event,
        json: stored.json,
        moments: Vec::new(),
        acknowledged: None,
        missing: Vec::new(),
    };
    let raised = all.neighbours(&store)?;
    all.runs(&store);
    all.overruns(folder);
    all.people(book, raised);
    all.moments.sort_by(|a, b| {
        let key = |m: &Moment| (m.utc_ns, m.kind);
        key(a).cmp(&key(b))
    });
    Ok(all)
}

impl Gathered {
    fn near(&self, utc_ns: u64) -> bool {
        utc_ns.abs_diff(self.event.time_utc_ns) <= AROUND_NS
    }

    /// Events around this one. Returns number and time of the one that raised the alarm.
    fn neighbours(&mut self, store: &StoreReader) -> Result<(u64, u64), HostError> {
        let seq = self.event.seq;
        let mut raised = (seq, self.event.time_utc_ns);
        let first = seq.saturating_sub(NEIGHBOURS.unsigned_abs() + 1);
        let mut told = 0;
        let plan = self.event.plan.clone();
        for stored in store.since(first) {
            let stored = stored.map_err(StoreError::into_usage)?;
            if stored.seq > seq.saturating_add(NEIGHBOURS.unsigned_abs()) {
                break;
            }
            // A line of another version has no place here.
            let Ok(record) = serde_json::from_str::<EventRecord>(&stored.json) else {
                continue;
            };
            let same = record.source == self.event.source && record.channel == self.event.channel;
            if same && record.state == "raised" && stored.seq <= seq {
                raised = (stored.seq, record.time_utc_ns);
            }
            if !self.near(record.time_utc_ns) || told >= 2 * MOST {
                continue;
            }
            told += 1;
            let other = if record.plan == plan {
                ""
            } else {
                ", under another plan"
            };
            self.moments.push(Moment {
                utc_ns: record.time_utc_ns,
                kind: "event",
                text: format!(
                    "#{} {} {} {}: {}{other}",
                    record.seq, record.source, record.channel, record.state, record.cause
                ),
            });
        }
        Ok(raised)
    }

    /// Runs that began near the event; a run that still goes on stands in no table.
    fn runs(&mut self, store: &StoreReader) {
        let start_ns = self.event.time_utc_ns.saturating_sub(self.event.time_ns);
        if self.near(start_ns) {
            self.moments.push(Moment {
                utc_ns: start_ns,
                kind: "run",
                text: format!("the run began, under plan {}", self.event.plan),
            });
        }
        let read = || {
            let mut found = store.connection.prepare(
                "SELECT start_utc_ns, plan, seen_ns FROM runs WHERE start_utc_ns BETWEEN ?1 AND ?2 ORDER BY start_utc_ns LIMIT 60",
            )?;
            let (from, to) = (
                self.event.time_utc_ns.saturating_sub(2 * AROUND_NS),
                self.event.time_utc_ns.saturating_add(AROUND_NS),
            );
            let rows = found.query_map(params![from as i64, to as i64], |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, String>(1)?,
                    row.get::<_, i64>(2)?,
                ))
            })?;
            rows.collect::<Result<Vec<_>, rusqlite::Error>>()
        };
        // Stores of earlier versions have no such table.
        for (start, plan, seen) in read().unwrap_or_default() {
            let (start, seen) = (start.unsigned_abs(), seen.unsigned_abs());
            let another = if plan == self.event.plan {
                ""
            } else {
                ": another plan"
            };
            if start.abs_diff(start_ns) > 1_000_000 && self.near(start) {
                self.moments.push(Moment {
                    utc_ns: start,
                    kind: "run",
                    text: format!("a run began under plan {plan}{another}"),
                });
            }
            if self.near(start.saturating_add(seen)) {
                self.moments.push(Moment {
                    utc_ns: start.saturating_add(seen),
                    kind: "run",
                    text: format!("the run under plan {plan} ended"),
                });
            }
        }
    }

    /// Cycles near the event that took too long.
    fn overruns(&mut self, folder: &Path) {
        // Several buses have a file each.
        let Ok(files) = std::fs::read_dir(folder) else {
            return;
        };
        let mut lines = Vec::new();
        for file in files.flatten() {
            let name = file.file_name();
            let ours = name
                .to_str()
                .is_some_and(|name| name.starts_with("overruns.") && name.ends_with(".jsonl"));
            if ours
                && let Err(error) = read_overruns(&file.path(), |line| {
                    if self.near(line.time_utc_ns) && lines.len() < 4096 {
                        lines.push(line);
                    }
                })
            {
                self.missing.push(format!(
                    "{} cannot be read ({error}): overruns are missing in the timeline.",
                    file.path().display()
                ));
            }
        }
        let event_ns = self.event.time_utc_ns;
        lines.sort_by_key(|line| line.time_utc_ns.abs_diff(event_ns));
        if lines.len() > MOST {
            self.missing.push(format!(
                "There are {} overruns around the event: the nearest {MOST} are shown.",
                lines.len()
            ));
        }
        for line in lines.into_iter().take(MOST) {
            let kind = serde_json::to_value(line.kind).unwrap_or_default();
            let cause = serde_json::to_value(line.cause).unwrap_or_default();
            self.moments.push(Moment {
                utc_ns: line.time_utc_ns,
                kind: "overrun",
                text: format!(
                    "cycle {}: {}, {} took {:.1} us, cause {}",
                    line.cycle,
                    kind.as_str().unwrap_or_default(),
                    line.row,
                    line.took_ns as f64 / 1e3,
                    cause.as_str().unwrap_or_default().replace('_', " ")
                ),
            });
        }
    }

    /// What people did, as the gateway's book in `folder` has it.
    fn people(&mut self, folder: &Path, (seq, utc_ns): (u64, u64)) {
        let path = folder.join(book::FILE);
        // One that this user may not look for is said below.
        if path.try_exists().is_ok_and(|there| !there) {
            self.missing.push(format!(
                "No gateway keeps its book in {}: what people did is missing. --book names the folder of one that keeps it elsewhere.",
                folder.display()
            ));
            return;
        }
        let read = || {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let book = Connection::open_with_flags(&path, flags)?;
            book.busy_timeout(std::time::Duration::from_secs(1))?;
            let mut found = book.prepare(
                "SELECT who, time_utc_ns, comment FROM acknowledgements WHERE seq = ?1 AND raised_utc_ns = ?2",
            )?;
            let acknowledged = found
                .query_map(params![seq as i64, utc_ns as i64], |row| {
                    Ok(Acknowledged {
                        who: row.get(0)?,
                        utc_ns: row.get::<_, i64>(1)?.unsigned_abs(),
                        comment: row.get(2)?,
                    })
                })?
                .next()
                .transpose()?;
            let mut found = book.prepare(
                "SELECT time_utc_ns, who, action, target, detail FROM audit WHERE time_utc_ns BETWEEN ?1 AND ?2 ORDER BY id DESC LIMIT 60",
            )?;
            let at = self.event.time_utc_ns;
            let (from, to) = (at.saturating_sub(AROUND_NS), at.saturating_add(AROUND_NS));
            let rows = found.query_map(params![from as i64, to as i64], |row| {
                let text = |n: usize| row.get::<_, String>(n);
                Ok(Moment {
                    utc_ns: row.get::<_, i64>(0)?.unsigned_abs(),
                    kind: "person",
                    text: format!("{}: {} {} {}", text(1)?, text(2)?, text(3)?, text(4)?),
                })
            })?;
            Ok::<_, rusqlite::Error>((acknowledged, rows.collect::<Result<Vec<_>, _>>()?))
        };
        match read() {
            Ok((acknowledged, moments)) => {
                self.acknowledged = acknowledged;
                self.moments.extend(moments);
            }
            Err(error) => self.missing.push(format!(
                "{} cannot be read ({error}): what people did is missing.",
                path.display()
            )),
        }
    }
}

/// Calls `take` with every overrun of a file, the oldest of a very long one left out.
fn read_overruns(path: &Path, mut take: impl FnMut(OverrunLine)) -> std::io::Result<()> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(MAX_OVERRUN_BYTES)))?;
    let mut lines = BufReader::new(file.take(MAX_OVERRUN_BYTES));
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        // The first may be half a line.
        if let Ok(record) = serde_json::from_slice(&line) {
            take(record);
        }
        line.clear();
    }
    Ok(())
}
