use super::*;
use crate::false_alarms::Exposure;
use crate::gateway::journal::tests_store::remove;
use crate::lines::tests::{leak, run_info};
use crate::store::StoreWriter;

pub(super) fn record(state: &'static str) -> EventRecord {
    let mut record = EventRecord::of(&leak(1), &run_info(), Exposure::default());
    record.state = state.into();
    record
}

pub(super) fn desk(folder: &std::path::Path) -> Desk {
    Desk::new(Book::open(folder).unwrap()).unwrap()
}

async fn read(desk: &Desk, folder: &std::path::Path) {
    let journal = Journal::open(folder).unwrap();
    while desk.take_page(&journal).await.unwrap() {}
}

#[tokio::test]
async fn an_alarm_goes_when_it_is_cleared_and_acknowledged_in_either_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = StoreWriter::open(folder.path()).unwrap();
    let desk = desk(folder.path());
    store
        .append(&mut [record("raised"), record("updated")])
        .unwrap();
    read(&desk, folder.path()).await;
    let alarm = desk.alarms().remove(0);
    assert_eq!(
        (alarm.raised_seq, alarm.last_seq, alarm.active),
        (1, 2, true)
    );
    desk.acknowledge(2, "eva", "seen").unwrap();
    assert_eq!(desk.alarms()[0].acknowledged.as_ref().unwrap().who, "eva");
    store.append(&mut [record("cleared")]).unwrap();
    read(&desk, folder.path()).await;
    assert!(desk.alarms().is_empty());
    // Raised anew it is nobody's again; cleared first, it waits for somebody.
    store
        .append(&mut [record("raised"), record("cleared")])
        .unwrap();
    read(&desk, folder.path()).await;
    let alarm = desk.alarms().remove(0);
    assert_eq!(
        (alarm.raised_seq, alarm.active, alarm.acknowledged),
        (4, false, None)
    );
    desk.acknowledge(4, "eva", "").unwrap();
    assert!(desk.alarms().is_empty());
    assert!(desk.acknowledge(4, "eva", "").is_err());
}

#[tokio::test]
async fn the_alarm_of_the_event_is_acknowledged_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = StoreWriter::open(folder.path()).unwrap();
    let desk = desk(folder.path());
    let of = |source: &str, state| EventRecord {
        source: source.into(),
        ..record(state)
    };
    // The numbers of `a` enclose those of `b`.
    store
        .append(&mut [
            of("a", "raised"),
            of("b", "raised"),
            of("b", "updated"),
            of("a", "updated"),
        ])
        .unwrap();
    read(&desk, folder.path()).await;
    desk.acknowledge(3, "eva", "").unwrap();
    let seen: Vec<_> = (desk.alarms().iter())
        .map(|alarm| (alarm.event.source.clone(), alarm.acknowledged.is_some()))
        .collect();
    assert_eq!(seen, [("b".to_owned(), true), ("a".to_owned(), false)]);
    assert!(desk.acknowledge(5, "eva", "").is_err());
}

#[tokio::test]
async fn an_alarm_of_another_store_is_another_alarm() {
    let folder = tempfile::tempdir().unwrap();
    let book = Book::open(folder.path()).unwrap();
    let by = Acknowledgement {
        who: "eva".into(),
        time_utc_ns: 1,
        comment: String::new(),
    };
    let raised = record("raised");
    book.acknowledge((1, raised.time_utc_ns + 1), "gripper leak_rate", &by)
        .unwrap();
    let mut store = StoreWriter::open(folder.path()).unwrap();
    store.append(&mut [raised]).unwrap();
    let desk = Desk::new(book).unwrap();
    read(&desk, folder.path()).await;
    assert_eq!(desk.alarms()[0].acknowledged, None);
}

#[tokio::test]
async fn of_a_store_that_was_replaced_nothing_stands_and_of_the_new_one_everything() {
    let folder = tempfile::tempdir().unwrap();
    let desk = desk(folder.path());
    let journal = Journal::open(folder.path()).unwrap();
    let of = |source: &str| EventRecord {
        source: source.into(),
        ..record("raised")
    };
    let mut before = StoreWriter::open(folder.path()).unwrap();
    before.append(&mut [of("a")]).unwrap();
    while desk.take_page(&journal).await.unwrap() {}
    drop(before);
    remove(folder.path());
    // It is longer: its first event is behind nobody's.
    let later = |source| {
        let record = of(source);
        EventRecord {
            time_utc_ns: record.time_utc_ns + 1,
            ..record
        }
    };
    let mut store = StoreWriter::open(folder.path()).unwrap();
    store
        .append(&mut [later("b"), later("c"), later("d")])
        .unwrap();
    while desk.take_page(&journal).await.unwrap() {}
    let seen: Vec<_> = (desk.alarms().into_iter())
        .map(|alarm| (alarm.raised_seq, alarm.event.source))
        .collect();
    assert_eq!(
        seen,
        [
            (3, "d".to_owned()),
            (2, "c".to_owned()),
            (1, "b".to_owned())
        ]
    );
}

#[tokio::test]
async fn what_people_did_is_kept_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = StoreWriter::open(folder.path()).unwrap();
    let (source, channel) = (record("raised").source, record("raised").channel);
    store.append(&mut [record("raised")]).unwrap();
    {
        let desk = desk(folder.path());
        read(&desk, folder.path()).await;
        desk.acknowledge(1, "eva", "greased").unwrap();
        desk.shelve(("", &source, &channel), 3600, "eva", "until Monday")
            .unwrap();
    }
    let desk = desk(folder.path());
    read(&desk, folder.path()).await;
    let alarm = desk.alarms().remove(0);
    assert_eq!(alarm.acknowledged.unwrap().comment, "greased");
    assert!(alarm.shelved_until_utc_ns.is_some());
    assert!(desk.unshelve(("", &source, &channel), "eva").unwrap());
    assert_eq!(desk.alarms()[0].shelved_until_utc_ns, None);
    for seconds in [0, SHELF_S.end() + 1, u64::MAX] {
        assert!(
            desk.shelve(("", &source, &channel), seconds, "eva", "")
                .is_err()
        );
    }
    assert!(desk.shelve(("", &source, &channel), 9, "", "").is_err());
    assert!(desk.shelve(("", "", &channel), 9, "eva", "").is_err());
    assert!(
        desk.acknowledge(1, "eva", &"x".repeat(MAX_TEXT + 1))
            .is_err()
    );
}

#[test]
fn the_list_is_bounded_and_what_stands_goes_last() {
    let mut state = State::default();
    for seq in 1..=MAX_ALARMS as u64 + 1 {
        let mut record = record(if seq == 2 { "cleared" } else { "raised" });
        record.seq = seq;
        record.source = if seq == 2 {
            "axis 1".into()
        } else {
            format!("axis {seq}")
        };
        state.take(record, None);
    }
    assert_eq!(state.alarms.len(), MAX_ALARMS);
    let mut record = record("raised");
    record.seq = 9999;
    record.source = "one more".into();
    state.take(record, None);
    assert_eq!((state.alarms.len(), state.dropped), (MAX_ALARMS, 1));
    assert!(
        !state.alarms.keys().any(|key| key.1 == "axis 1"),
        "it was cleared"
    );
}

#[tokio::test]
async fn what_two_buses_have_under_one_name_are_two_alarms() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = StoreWriter::open(folder.path()).unwrap();
    let desk = desk(folder.path());
    let on = |bus: &str, state| EventRecord {
        bus: Some(bus.to_owned()),
        source: "bus".into(),
        ..record(state)
    };
    store
        .append(&mut [on("front", "raised"), on("rear", "raised")])
        .unwrap();
    read(&desk, folder.path()).await;
    let channel = record("raised").channel;
    // Who names no bus means one of them, and nobody knows which.
    let of = |source| desk.bus_of(None, (source, &*channel), &Buses::Unknown);
    let error = of("bus").unwrap_err().in_a_line();
    assert!(error.contains("front, rear"), "{error}");
    desk.shelve(("rear", "bus", &channel), 60, "eva", "")
        .unwrap();
    store.append(&mut [on("front", "cleared")]).unwrap();
    read(&desk, folder.path()).await;
    let seen: Vec<_> = (desk.alarms().into_iter())
        .map(|alarm| {
            let shelved = alarm.shelved_until_utc_ns.is_some();
            (alarm.event.bus.unwrap(), alarm.active, shelved)
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("rear".to_owned(), true, true),
            ("front".to_owned(), false, false)
        ]
    );
    desk.acknowledge(1, "eva", "").unwrap();
    assert_eq!(of("bus").unwrap(), "rear");
    assert!(of("nobody").is_err());
    let trail = desk.book.entries(1).unwrap();
    assert!(trail[0].target.starts_with("front bus "), "{trail:?}");
}

#[tokio::test]
async fn what_stands_from_before_what_is_read_is_on_the_list() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = StoreWriter::open(folder.path()).unwrap();
    let of = |source: &str, state| EventRecord {
        source: source.into(),
        ..record(state)
    };
    let mut all = vec![of("old", "raised"), of("over", "raised")];
    for _ in 0..40 {
        all.extend([of("other", "raised"), of("other", "cleared")]);
    }
    all.extend([of("over", "cleared"), of("new", "raised")]);
    store.append(&mut all).unwrap();
    let desk = desk(folder.path());
    let journal = Journal::open(folder.path()).unwrap();
    desk.begin(&journal, 10).await;
    assert_eq!(desk.seen(), 74);
    assert_eq!(desk.alarms().len(), 1);
    while desk.take_page(&journal).await.unwrap() {}
    let seen: Vec<_> = (desk.alarms().into_iter())
        .map(|alarm| (alarm.event.source, alarm.raised_seq, alarm.active))
        .collect();
    // Cleared, and nobody has seen it: the desk has not seen the event that raised `other`, but the one that cleared it.
    assert_eq!(
        seen,
        [
            ("new".to_owned(), 84, true),
            ("other".to_owned(), 81, false),
            ("old".to_owned(), 1, true)
        ]
    );
}

#[tokio::test]
async fn an_acknowledgement_holds_however_long_ago_the_alarm_was_raised() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = StoreWriter::open(folder.path()).unwrap();
    let of = |source: &str, state| EventRecord {
        source: source.into(),
        ..record(state)
    };
    let calm =
        |count: usize| (0..count).flat_map(|_| [of("other", "raised"), of("other", "cleared")]);
    let mut all = vec![
        of("still", "raised"),
        of("told", "raised"),
        of("told", "updated"),
        of("late", "raised"),
    ];
    all.extend(calm(20));
    // Its last event is among those that are read again, the one that raised it is not.
    all.push(of("late", "updated"));
    all.extend(calm(2));
    store.append(&mut all).unwrap();
    let first = desk(folder.path());
    read(&first, folder.path()).await;
    for seq in [1, 3, 4] {
        first.acknowledge(seq, "eva", "ordered").unwrap();
    }
    drop(first);
    let desk = desk(folder.path());
    let journal = Journal::open(folder.path()).unwrap();
    desk.begin(&journal, 10).await;
    while desk.take_page(&journal).await.unwrap() {}
    let mut seen: Vec<_> = (desk.alarms().into_iter())
        .filter(|alarm| alarm.active)
        .map(|alarm| {
            let by = alarm.acknowledged.map(|by| by.comment);
            (alarm.event.source, alarm.raised_seq, alarm.last_seq, by)
        })
        .collect();
    seen.sort();
    let ordered = || Some("ordered".to_owned());
    assert_eq!(
        seen,
        [
            ("late".to_owned(), 4, 45, ordered()),
            ("still".to_owned(), 1, 1, ordered()),
            ("told".to_owned(), 2, 3, ordered()),
        ]
    );
    // Cleared now, they are nobody's business any more.
    store
        .append(&mut ["late", "still", "told"].map(|source| of(source, "cleared")))
        .unwrap();
    while desk.take_page(&journal).await.unwrap() {}
    assert!(
        desk.alarms()
            .iter()
            .all(|alarm| alarm.event.source == "other")
    );
}

#[path = "desk_ended_tests.rs"]
mod ended;
#[path = "desk_shelf_tests.rs"]
mod shelf;
