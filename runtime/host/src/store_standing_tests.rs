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
        events.iter().map(|one| one.event.seq).collect::<Vec<_>>()
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
        .execute_batch("DROP TABLE alarms_standing; DROP TABLE alarms_standing_behind;")
        .unwrap();
    assert!(reader.standing(5, 100).unwrap().is_empty());
    drop(store);
    let mut store = StoreWriter::open(folder.path()).unwrap();
    assert_eq!(numbers(&store.standing(100).unwrap()), [4]);
}

#[test]
fn a_long_store_is_caught_up_with_in_pieces_and_goes_on_where_it_was_left() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = StoreWriter::open(folder.path()).unwrap();
    store.standing_behind = None;
    let states = [
        ("a", "raised"), // 1
        ("b", "raised"),
        ("a", "updated"),
        ("c", "raised"), // 4: another piece
        ("b", "cleared"),
        ("d", "raised"),
        ("a", "updated"), // 7
        ("c", "cleared"),
        ("c", "raised"),
        ("d", "updated"), // 10
        ("e", "raised"),
    ];
    let mut all = states.map(|(source, state)| record(source, state));
    store.append(&mut all).unwrap();
    // One that was ended behind the first piece.
    store.take_in(0, BATCH, true).unwrap();
    assert_eq!(behind(&store.connection).unwrap(), 3);
    drop(store);
    let mut store = StoreWriter::open(folder.path()).unwrap();
    let mut said = Vec::new();
    store
        .catch_up(&mut |text| said.push(text.to_owned()))
        .unwrap();
    assert_eq!(numbers(&store.standing(100).unwrap()), [7, 9, 10, 11]);
    let raised = "SELECT group_concat(raised_seq) FROM (SELECT raised_seq FROM alarms_standing ORDER BY raised_seq)";
    let raised: String = (store.connection)
        .query_row(raised, [], |row| row.get(0))
        .unwrap();
    assert_eq!(raised, "1,6,9,11");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].ends_with("up to number 3 of 11 are read"),
        "{said:?}"
    );
    // Nothing is left to be said.
    store.catch_up(&mut |text| panic!("{text}")).unwrap();
}

#[test]
fn old_events_that_cannot_be_read_do_not_hide_what_stands_now() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = StoreWriter::open(folder.path()).unwrap();
    store.standing_behind = None;
    let mut all = Vec::from(["a", "b", "c", "d", "e", "f", "g", "h"].map(|s| record(s, "raised")));
    all.push(record("h", "cleared"));
    store.append(&mut all).unwrap();
    // No text is a number of bytes: whoever reads it as one fails.
    store
        .connection
        .execute(
            "UPDATE events SET source = CAST(x'ff' AS TEXT) WHERE seq = 2",
            [],
        )
        .unwrap();
    // Of nine the last six are looked at.
    let mut said = Vec::new();
    store
        .catch_up(&mut |text| said.push(text.to_owned()))
        .unwrap();
    assert_eq!(numbers(&store.standing(100).unwrap()), [4, 5, 6, 7]);
    let skipped = |text: &String| text.contains("from number 1 to 3: they cannot be read");
    assert!(said.iter().any(skipped), "{said:?}");
}

/// A store that knows what stands of its first event, and has eight more.
fn behind_by_eight(folder: &std::path::Path) -> StoreWriter {
    let mut store = StoreWriter::open(folder).unwrap();
    store.append(&mut [record("old", "raised")]).unwrap();
    store.standing_behind = None;
    let mut all = ["a", "b", "c", "d", "e", "f", "g", "h"].map(|s| record(s, "raised"));
    store.append(&mut all).unwrap();
    store
}

#[test]
fn what_was_known_before_events_that_cannot_be_read_still_stands() {
    let folder = tempfile::tempdir().unwrap();
    let store = behind_by_eight(folder.path());
    let spoil = "UPDATE events SET source = CAST(x'ff' AS TEXT) WHERE seq = 3";
    store.connection.execute(spoil, []).unwrap();
    drop(store);
    let mut store = StoreWriter::open(folder.path()).unwrap();
    // Of those behind the first, the piece with the spoiled one is passed over up to the last six.
    let stand = numbers(&store.standing(100).unwrap());
    assert_eq!(stand, [1, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn a_store_that_is_busy_forgets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = behind_by_eight(folder.path());
    drop(store);
    let mut store = StoreWriter::open(folder.path()).unwrap();
    store
        .connection
        .busy_timeout(std::time::Duration::ZERO)
        .unwrap();
    let other = Connection::open(store.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = store.standing(100).unwrap_err();
    assert!(refused.to_string().contains("locked"), "{refused}");
    other.execute_batch("ROLLBACK").unwrap();
    let stand = numbers(&store.standing(100).unwrap());
    assert_eq!(stand, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn a_store_that_begins_at_a_large_number_has_nothing_to_be_looked_through() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = StoreWriter::open(folder.path()).unwrap();
    store.number_from(1 << 60);
    store.catch_up(&mut |text| panic!("{text}")).unwrap();
    store
        .append(&mut [record("a", "raised"), record("b", "raised")])
        .unwrap();
    let expected = [1 << 60, (1 << 60) + 1];
    assert_eq!(numbers(&store.standing(9).unwrap()), expected);
    assert_eq!(behind(&store.connection).unwrap(), expected[1]);
    // Not where an earlier version goes on with it either.
    let forget = "DELETE FROM alarms_standing_behind";
    store.connection.execute(forget, []).unwrap();
    drop(store);
    let mut store = StoreWriter::open(folder.path()).unwrap();
    store.catch_up(&mut |text| panic!("{text}")).unwrap();
    assert_eq!(numbers(&store.standing(9).unwrap()), expected);
}

/// The tables of before there were machines, as a version of then makes them and writes a raised event.
const BEFORE: &str = "
CREATE TABLE IF NOT EXISTS standing(
    bus TEXT NOT NULL, source TEXT NOT NULL, channel TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (bus, source, channel)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS standing_behind(one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL) STRICT;";

#[test]
fn what_an_earlier_version_knew_is_taken_over_and_it_may_be_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = StoreWriter::open(folder.path()).unwrap();
    store
        .append(&mut [
            record("a", "raised"),
            record("b", "raised"),
            record("a", "updated"),
        ])
        .unwrap();
    let channel = record("a", "raised").channel;
    let earlier = |store: &StoreWriter, rows: &[(&str, u64)], behind: u64| {
        store.connection.execute_batch(BEFORE).unwrap();
        for (source, seq) in rows {
            let row = params!["", source, channel, integer(*seq)];
            let insert = "INSERT OR REPLACE INTO standing VALUES (?1, ?2, ?3, ?4)";
            store.connection.execute(insert, row).unwrap();
        }
        let set = "INSERT OR REPLACE INTO standing_behind VALUES (1, ?1)";
        store.connection.execute(set, [integer(behind)]).unwrap();
    };
    store
        .connection
        .execute_batch("DROP TABLE alarms_standing; DROP TABLE alarms_standing_behind;")
        .unwrap();
    // It knew less than there is, so that what it knew is what is seen here.
    earlier(&store, &[("a", 3)], 3);
    drop(store);
    let store = StoreWriter::open(folder.path()).unwrap();
    let reader = StoreReader::open(folder.path()).unwrap();
    let of = |seq| {
        let all = reader.standing(seq, 9).unwrap().into_iter();
        all.map(|one| (one.event.seq, one.raised.0))
            .collect::<Vec<_>>()
    };
    assert_eq!(of(3), [(3, 1)]);
    // Before its last event it is told by the one that raised it.
    assert_eq!(of(2), [(1, 1)]);
    let left = "SELECT count(*) FROM sqlite_schema WHERE name IN ('standing', 'standing_behind')";
    let left: i64 = (store.connection)
        .query_row(left, [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 0);
    drop(store);
    // The earlier version again: it makes its tables and writes its rows, and this one catches up with its events.
    let mut store = StoreWriter::open(folder.path()).unwrap();
    earlier(&store, &[("a", 3), ("c", 4)], 4);
    store.standing_behind = None;
    store
        .append(&mut [record("c", "raised"), record("a", "updated")])
        .unwrap();
    drop(store);
    let mut store = StoreWriter::open(folder.path()).unwrap();
    store.set_machine("cell");
    assert_eq!(numbers(&store.standing(9).unwrap()), [4, 5]);
    // What raised it is still known.
    assert_eq!(of(5), [(4, 4), (5, 1)]);
    // Whose it was nobody knew: it is that of the machine that goes on with it.
    store.append(&mut [record("a", "updated")]).unwrap();
    assert_eq!(numbers(&store.standing(9).unwrap()), [4, 6]);
    assert_eq!(of(6), [(4, 4), (6, 1)]);
    store.append(&mut [record("c", "cleared")]).unwrap();
    assert_eq!(numbers(&store.standing(9).unwrap()), [6]);
}

#[test]
fn what_stands_has_the_machine_that_stored_it_or_that_its_plan_is_of() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = StoreWriter::open(folder.path()).unwrap();
    store.append(&mut [record("a", "raised")]).unwrap();
    let plan = record("a", "raised").plan;
    store.note_plan(&plan, "cell").unwrap();
    store.set_machine("press cell");
    store.append(&mut [record("a", "raised")]).unwrap();
    assert_eq!(numbers(&store.standing(9).unwrap()), [2]);
    // That of a machine clears none of another.
    store.append(&mut [record("a", "cleared")]).unwrap();
    assert_eq!(numbers(&store.standing(9).unwrap()), [] as [u64; 0]);
    store.set_machine("cell");
    assert_eq!(numbers(&store.standing(9).unwrap()), [1]);
    store.note_plan(&plan, "press cell").unwrap();
    store.note_plan("beef", "cell").unwrap();
    store.set_machine("press cell");
    assert_eq!(numbers(&store.standing(9).unwrap()), [1]);
}
