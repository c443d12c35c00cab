use super::*;
use crate::lines::tests::{leak, run_info};
use crate::store::StoreReader;
use std::path::Path;
use std::sync::mpsc;

fn start(folder: &Path) -> (EventSender, Scribe, mpsc::Receiver<String>) {
    let (lines, announced) = mpsc::channel();
    let announce = Box::new(move |_: &EventRecord, line: &str| {
        let _ = lines.send(line.to_owned());
    });
    let store = StoreWriter::open(folder).unwrap();
    let (sender, scribe) = Scribe::start(store, Arc::new(run_info()), announce).unwrap();
    (sender, scribe, announced)
}

fn stored(folder: &Path) -> Vec<EventRecord> {
    let reader = StoreReader::open(folder).unwrap();
    reader
        .since(0)
        .map(|event| serde_json::from_str(&event.unwrap().json).unwrap())
        .collect()
}

#[test]
fn everything_sent_before_the_stop_is_stored_and_announced_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let (mut sender, scribe, announced) = start(folder.path());
    for cycle in 0..3000 {
        assert!(sender.send_waiting(leak(cycle)));
    }
    let totals = scribe.stop(3_000_000_000).unwrap();
    assert_eq!(
        totals,
        ScribeTotals {
            raised: 3000,
            stored: 3000,
            dropped: 0,
            last_seq: 3000,
            exposure: Exposure {
                seen_ns: 3_000_000_000,
                alarms: 3000
            },
        }
    );
    let events = stored(folder.path());
    assert!(events.iter().map(|event| event.cycle).eq(0..3000));
    assert!(
        announced
            .iter()
            .map(|line| serde_json::from_str::<EventRecord>(&line).unwrap())
            .eq(events)
    );
}

#[test]
fn an_event_is_in_the_store_when_it_is_announced() {
    let folder = tempfile::tempdir().unwrap();
    let (mut sender, scribe, announced) = start(folder.path());
    sender.send(leak(5));
    let line = announced.recv().unwrap();
    let reader = StoreReader::open(folder.path()).unwrap();
    let found: Vec<_> = reader.since(0).map(|event| event.unwrap().json).collect();
    assert_eq!(found, [line]);
    scribe.stop(0).unwrap();
}

#[test]
fn drops_become_one_stored_event_with_their_number() {
    let folder = tempfile::tempdir().unwrap();
    // No scribe thread empties this queue while it is filled.
    let store = StoreWriter::open(folder.path()).unwrap();
    let (mut sender, inlet) = inlet(&store, Arc::new(run_info())).unwrap();
    let fits = EVENT_QUEUE as u64 - 1;
    for cycle in 0..fits + 7 {
        assert_eq!(sender.send(leak(cycle)), cycle < fits);
    }
    sender.count_dropped(3, 5_000, 5_000_000_000);
    assert_eq!(sender.dropped(), 10);
    inlet.shared.stop.store(true, Ordering::Release);
    let worker = Worker {
        inlets: vec![inlet],
        store,
        announce: Box::new(|_, _| ()),
        first: Vec::new(),
        pending: Vec::new(),
    };
    let totals = worker.run().unwrap()[0];
    assert_eq!(
        totals,
        ScribeTotals {
            raised: fits,
            stored: fits + 1,
            dropped: 10,
            last_seq: fits + 1,
            exposure: totals.exposure,
        }
    );
    let events = stored(folder.path());
    let last = events.last().unwrap();
    assert_eq!(
        (last.source.as_str(), &*last.channel, last.measured),
        ("scribe", "events_dropped", 10.0)
    );
    assert_eq!(
        (last.cycle, last.time_ns, last.seq),
        (5_000, 5_000_000_000, fits + 1)
    );
}

#[test]
fn demonstrated_interval_counts_healthy_time_and_alarms_over_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (_, scribe, _) = start(folder.path());
    scribe.stop(3_000_000_000_000).unwrap();
    let (mut sender, scribe, _) = start(folder.path());
    sender.send(leak(0));
    sender.send(leak(1));
    scribe.stop(0).unwrap();
    let events = stored(folder.path());
    assert_eq!(events[0].false_alarm_interval_demonstrated_s, 1000);
    // One alarm in 3000 s: the first event counts against the second.
    let second = events[1].false_alarm_interval_demonstrated_s;
    assert!((630..640).contains(&second), "{second}");
}

#[test]
fn events_wait_for_a_store_that_another_program_holds() {
    let folder = tempfile::tempdir().unwrap();
    let (mut sender, scribe, announced) = start(folder.path());
    let other = rusqlite::Connection::open(folder.path().join(crate::store::FILE)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    sender.send(leak(1));
    assert!(announced.try_recv().is_err());
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(scribe.stop(0).unwrap().stored, 1);
}

#[test]
fn a_cycle_in_virtual_time_does_not_wait_for_a_scribe_that_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let (mut sender, scribe, _) = start(folder.path());
    scribe.stop(0).unwrap();
    for cycle in 0..EVENT_QUEUE as u64 + 5 {
        sender.send_waiting(leak(cycle));
    }
    assert_eq!(sender.dropped(), 6);
}

#[test]
fn several_cycles_have_one_sequence_of_numbers_and_are_watched_apart() {
    let folder = tempfile::tempdir().unwrap();
    let store = StoreWriter::open(folder.path()).unwrap();
    let other = RunInfo::new(run_info().names, "other".to_owned(), 1.0, 0);
    let runs = [Arc::new(run_info()), Arc::new(other)];
    let (mut senders, scribe) =
        Scribe::start_for(store, &runs, Vec::new(), Box::new(|_, _| ())).unwrap();
    for cycle in 0..100 {
        assert!(senders[usize::from(cycle % 3 == 0)].send(leak(cycle)));
    }
    senders[1].count_dropped(2, 7, 7);
    let totals = scribe.stop_all(&[5_000, 9_000]).unwrap();
    let of = |n: usize| (totals[n].raised, totals[n].stored, totals[n].dropped);
    assert_eq!((of(0), of(1)), ((66, 66, 0), (34, 35, 2)));
    assert_eq!(
        (totals[0].exposure.seen_ns, totals[1].exposure.seen_ns),
        (5_000, 9_000)
    );
    let events = stored(folder.path());
    assert!(events.iter().map(|event| event.seq).eq(1..=101));
    let plan = |plan: &str| {
        events
            .iter()
            .filter(|event| event.plan == plan)
            .map(|event| event.cycle)
            .collect::<Vec<_>>()
    };
    assert!(
        plan("other")
            .iter()
            .filter(|cycle| **cycle != 7)
            .copied()
            .eq((0..100).step_by(3))
    );
    assert_eq!(plan(&runs[0].plan).len(), 66);
}
