use super::*;
use crate::lines::tests::{leak, run_info};
use crate::store_reader::{PAGE, immutable_uri, wal_path};
use rusqlite::OpenFlags;

fn records(count: u64) -> Vec<EventRecord> {
    let run = run_info();
    (0..count)
        .map(|cycle| EventRecord::of(&leak(cycle), &run, Exposure::default()))
        .collect()
}

fn numbers(folder: &Path, since: u64) -> Vec<u64> {
    let reader = StoreReader::open(folder).unwrap();
    reader
        .since(since)
        .map(|event| event.unwrap().seq)
        .collect()
}

#[test]
fn numbers_run_on_without_gaps_over_runs() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = StoreWriter::open(folder.path()).unwrap();
    assert_eq!(store.last_seq(), 0);
    let lines = store.append(&mut records(3)).unwrap();
    assert!(
        lines[2].starts_with(r#"{"type":"event","seq":3,"#),
        "{}",
        lines[2]
    );
    drop(store);
    let mut store = StoreWriter::open(folder.path()).unwrap();
    store.append(&mut records(2)).unwrap();
    assert_eq!(store.last_seq(), 5);
    assert_eq!(numbers(folder.path(), 0), [1, 2, 3, 4, 5]);
    assert_eq!(numbers(folder.path(), 3), [4, 5]);
    assert_eq!(numbers(folder.path(), 5), [] as [u64; 0]);
    assert_eq!(numbers(folder.path(), u64::MAX), [] as [u64; 0]);
}

#[test]
fn what_is_read_is_what_was_announced() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = StoreWriter::open(folder.path()).unwrap();
    let mut events = records(1);
    events[0].measured = f64::NAN;
    let lines = store.append(&mut events).unwrap();
    let reader = StoreReader::open(folder.path()).unwrap();
    let stored: Vec<_> = reader.since(0).map(Result::unwrap).collect();
    assert_eq!(
        stored,
        [StoredEvent {
            seq: 1,
            json: lines[0].clone()
        }]
    );
}

#[test]
fn readers_see_committed_events_while_the_writer_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = StoreWriter::open(folder.path()).unwrap();
    store.append(&mut records(1)).unwrap();
    let reader = StoreReader::open(folder.path()).unwrap();
    let mut since = reader.since(0);
    assert_eq!(since.next().unwrap().unwrap().seq, 1);
    store.append(&mut records(1)).unwrap();
    assert_eq!(since.next().unwrap().unwrap().seq, 2);
    assert!(since.next().is_none());
}

#[test]
fn more_events_than_a_page_come_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = StoreWriter::open(folder.path()).unwrap();
    let count = PAGE as u64 * 2 + 7;
    store.append(&mut records(count)).unwrap();
    assert!(numbers(folder.path(), 0).into_iter().eq(1..=count));
}

#[test]
fn a_failed_transaction_gives_no_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = StoreWriter::open(folder.path()).unwrap();
    store.append(&mut records(2)).unwrap();
    store
        .connection
        .pragma_update(None, "max_page_count", 1)
        .unwrap();
    let mut many = records(500);
    let error = store.append(&mut many).unwrap_err();
    assert!(error.remedy().contains("space"), "{error}");
    assert!(many.iter().all(|record| record.seq == 0));
    store
        .connection
        .pragma_update(None, "max_page_count", 1_000_000)
        .unwrap();
    store.append(&mut many).unwrap();
    assert!(numbers(folder.path(), 0).into_iter().eq(1..=502));
}

#[test]
fn commits_are_on_the_disk_before_they_are_announced() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = StoreWriter::open(folder.path()).unwrap();
    let pragma = |name: &str| {
        store
            .connection
            .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))
            .unwrap()
    };
    assert_eq!(pragma("synchronous"), rusqlite::types::Value::Integer(2));
    assert_eq!(
        pragma("journal_mode"),
        rusqlite::types::Value::Text("wal".into())
    );
    store.append(&mut records(3)).unwrap();
    // A killed process neither closes nor checkpoints: what the files hold at this moment must be enough.
    let copy = tempfile::tempdir().unwrap();
    for file in [FILE.to_owned(), format!("{FILE}-wal")] {
        std::fs::copy(folder.path().join(&file), copy.path().join(&file)).unwrap();
    }
    assert_eq!(numbers(copy.path(), 0), [1, 2, 3]);
}

#[test]
fn a_second_writer_is_refused_and_told_who_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    let _store = StoreWriter::open(folder.path()).unwrap();
    let error = StoreWriter::open(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }));
    assert!(
        error.to_string().contains(&std::process::id().to_string()),
        "{error}"
    );
    assert!(StoreReader::open(folder.path()).is_ok());
}

#[test]
fn newer_foreign_broken_and_missing_stores_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    assert!(matches!(
        StoreReader::open(folder.path()),
        Err(StoreError::Missing(_))
    ));
    // One that is made in this moment is not there yet.
    std::fs::write(&path, "").unwrap();
    let made = Connection::open(&path).unwrap();
    for _ in 0..2 {
        assert!(matches!(
            StoreReader::open(folder.path()),
            Err(StoreError::Missing(_))
        ));
        let wal = made.query_row("PRAGMA journal_mode = WAL", [], |row| {
            row.get::<_, String>(0)
        });
        assert_eq!(wal.unwrap(), "wal");
    }
    drop(made);
    drop(StoreWriter::open(folder.path()).unwrap());
    let edit = |sql: &str| Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    edit("PRAGMA user_version = 99");
    assert!(matches!(
        StoreWriter::open(folder.path()),
        Err(StoreError::Newer { found: 99, .. })
    ));
    assert!(matches!(
        StoreReader::open(folder.path()),
        Err(StoreError::Newer { found: 99, .. })
    ));
    edit("PRAGMA user_version = 1; PRAGMA application_id = 7");
    assert!(matches!(
        StoreWriter::open(folder.path()),
        Err(StoreError::Foreign(_))
    ));
    for name in [
        FILE.to_owned(),
        format!("{FILE}-wal"),
        format!("{FILE}-shm"),
    ] {
        let _ = std::fs::remove_file(folder.path().join(name));
    }
    std::fs::write(
        &path,
        "this is no database, but it is long enough to look like a header ".repeat(20),
    )
    .unwrap();
    let error = StoreWriter::open(folder.path()).unwrap_err();
    assert!(
        error.to_string().contains(FILE) && error.remedy().contains("move"),
        "{error}"
    );
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = StoreWriter::open(&file.join("below")).unwrap_err();
    assert!(error.to_string().contains("below"), "{error}");
    assert_eq!(error.into_usage().exit(), crate::error::Exit::Usage);
}

#[test]
fn exposure_is_kept_per_plan() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = StoreWriter::open(folder.path()).unwrap();
    assert_eq!(store.exposure("a").unwrap(), Exposure::default());
    let seen = Exposure {
        seen_ns: 5,
        alarms: 1,
    };
    store
        .set_exposure(
            "a",
            Exposure {
                seen_ns: 1,
                alarms: 0,
            },
        )
        .unwrap();
    store.set_exposure("a", seen).unwrap();
    assert_eq!(store.exposure("a").unwrap(), seen);
    assert_eq!(store.exposure("b").unwrap(), Exposure::default());
}

#[test]
fn folder_follows_the_xdg_rules() {
    let some = |text: &'static str| Some(std::ffi::OsStr::new(text));
    let named = folder_from(Some(Path::new("here")), some("/xdg"), some("/home/u")).unwrap();
    assert_eq!(named, Path::new("here"));
    assert_eq!(
        folder_from(None, some("/xdg"), some("/home/u")).unwrap(),
        Path::new("/xdg/twinstep")
    );
    assert_eq!(
        folder_from(None, some("xdg"), some("/home/u")).unwrap(),
        Path::new("/home/u/.local/state/twinstep")
    );
    assert!(folder_from(None, None, None).is_err());
}

#[test]
fn a_store_can_be_opened_as_a_file_that_nobody_writes() {
    let folder = tempfile::Builder::new()
        .prefix("50% #1?")
        .tempdir()
        .unwrap();
    let mut store = StoreWriter::open(folder.path()).unwrap();
    store.append(&mut records(2)).unwrap();
    let path = store.path().to_owned();
    drop(store);
    assert!(!wal_path(&path).exists());
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(immutable_uri(&path), flags).unwrap();
    let reader = StoreReader {
        connection,
        path,
        immutable: false,
    };
    assert_eq!(reader.since(0).count(), 2);
}

#[test]
fn tool_load_and_temperature_have_columns_also_in_a_store_that_was_made_without() {
    let folder = tempfile::tempdir().unwrap();
    let told = |name: &str| Some(name.to_owned());
    let event = |tool: &str| {
        let mut all = records(1);
        all[0].context.tool = told(tool);
        all[0].context.temperature = told("15..25degC");
        all
    };
    // As a version before had it, with an event of this one.
    let mut store = StoreWriter::open(folder.path()).unwrap();
    store.append(&mut event("gripper")).unwrap();
    for name in CONDITIONS {
        let drop = format!("ALTER TABLE events DROP COLUMN {name}");
        store.connection.execute_batch(&drop).unwrap();
    }
    let columns = |store: &StoreWriter| -> Vec<String> {
        let mut query = store
            .connection
            .prepare("SELECT name FROM pragma_table_xinfo('events')")
            .unwrap();
        let names = query.query_map([], |row| row.get(0)).unwrap();
        names.map(Result::unwrap).collect()
    };
    let old = columns(&store);
    assert!(
        CONDITIONS.iter().all(|name| !old.contains(&(*name).into())),
        "{old:?}"
    );
    // What that version writes behind it has them too; a line that cannot be read has none.
    drop(store);
    let mut store = StoreWriter::open(folder.path()).unwrap();
    store.append(&mut event("welder")).unwrap();
    let odd = "INSERT INTO events SELECT 3, cycle, time_ns, time_utc_ns, plan, source, channel, state, detector, severity,
        measured, predicted, residual, unit, regime, recipe, part, false_alarm_interval_asked_s,
        false_alarm_interval_demonstrated_s, cause, action, asset_id, 'cut' FROM events WHERE seq = 1";
    store.connection.execute_batch(odd).unwrap();
    drop(store);
    let store = StoreWriter::open(folder.path()).unwrap();
    let expected: Vec<String> = (old.iter().cloned())
        .chain(CONDITIONS.map(str::to_owned))
        .collect();
    assert_eq!(columns(&store), expected);
    let mut query = store
        .connection
        .prepare("SELECT tool, load, temperature FROM events ORDER BY seq")
        .unwrap();
    let rows = query.query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]));
    let rows: Vec<[Option<String>; 3]> = rows.unwrap().map(Result::unwrap).collect();
    let band = told("15..25degC");
    let known = |tool: &str| [told(tool), None, band.clone()];
    assert_eq!(
        rows,
        [known("gripper"), known("welder"), [None, None, None]]
    );
}

#[test]
fn every_run_is_noted_also_in_a_store_that_had_no_place_for_it() {
    use crate::attached::ProcessData;
    let folder = tempfile::tempdir().unwrap();
    let run = run_info();
    let store = StoreWriter::open(folder.path()).unwrap();
    store.connection.execute_batch("DROP TABLE runs").unwrap();
    drop(store);
    let mut store = StoreWriter::open(folder.path()).unwrap();
    for from in [
        None,
        Some(ProcessData::StartUp),
        Some(ProcessData::Configuration),
    ] {
        run.set_process_data(from);
        store.add_run(&run, 7).unwrap();
    }
    let mut query = store
        .connection
        .prepare("SELECT start_utc_ns, plan, seen_ns, process_data FROM runs")
        .unwrap();
    let rows = query.query_map([], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    });
    let rows: Vec<(i64, String, i64, Option<String>)> = rows.unwrap().map(Result::unwrap).collect();
    for (row, from) in rows
        .iter()
        .zip([None, Some("start_up"), Some("configuration")])
    {
        let expected = (
            integer(run.utc_ns(0)),
            run.plan.clone(),
            7,
            from.map(str::to_owned),
        );
        assert_eq!(*row, expected);
    }
    assert_eq!(rows.len(), 3);
}
