//! What is put on the shelf, and how it comes off: by its time, by the alarm that is cleared, by somebody.

use super::*;

#[tokio::test]
async fn a_shelf_that_ends_is_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let desk = desk(folder.path());
    desk.shelve(("", "lift", "ripple"), 1, "eva", "").unwrap();
    let changes = desk.changes();
    let before = *changes.borrow();
    while *changes.borrow() == before {
        desk.end_shelves();
        tokio::task::yield_now().await;
    }
    assert!(desk.shelves().is_empty());
}

#[tokio::test]
async fn what_is_on_the_shelf_without_an_alarm_is_listed_apart() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = StoreWriter::open(folder.path()).unwrap();
    let (source, channel) = (record("raised").source, record("raised").channel);
    store.append(&mut [record("raised")]).unwrap();
    let desk = desk(folder.path());
    read(&desk, folder.path()).await;
    desk.shelve(("", &source, &channel), 3600, "eva", "until Monday")
        .unwrap();
    desk.shelve(("", "zero", "ripple"), 60, "max", "").unwrap();
    let alone = || {
        let shelves = desk.shelves_without_alarm().into_iter();
        shelves.map(|shelf| shelf.source).collect::<Vec<_>>()
    };
    assert_eq!(alone(), ["zero"]);
    let by = desk.alarms().remove(0).shelved.unwrap();
    assert_eq!((&*by.who, &*by.comment), ("eva", "until Monday"));
    // It leaves the list, and comes shelved the next time.
    desk.acknowledge(1, "eva", "").unwrap();
    store.append(&mut [record("cleared")]).unwrap();
    read(&desk, folder.path()).await;
    assert!(desk.alarms().is_empty());
    assert_eq!(alone(), [source.as_str(), "zero"]);
    assert!(desk.unshelve(("", &source, &channel), "eva").unwrap());
    assert_eq!(alone(), ["zero"]);
}

#[tokio::test]
async fn a_shelf_for_one_time_ends_when_the_alarm_is_cleared_and_not_with_its_store() {
    let folder = tempfile::tempdir().unwrap();
    let look = async |desk: &Desk| {
        read(desk, folder.path()).await;
        desk.end_one_shots();
        desk.shelves().len()
    };
    let later = |state, ns| {
        let record = record(state);
        EventRecord {
            time_utc_ns: record.time_utc_ns + ns,
            ..record
        }
    };
    let mut store = StoreWriter::open(folder.path()).unwrap();
    // It has been cleared before, and stands again.
    store
        .append(&mut [record("raised"), record("cleared"), record("raised")])
        .unwrap();
    let first = desk(folder.path());
    assert_eq!(look(&first).await, 0);
    let event = first.alarms().remove(0).event;
    let month = *SHELF_S.end();
    first
        .shelve(("", &event.source, &event.channel), month, "eva", ONE_SHOT)
        .unwrap();
    assert_eq!(look(&first).await, 1);
    // Another gateway reads what came before; it may look before it has read.
    drop(first);
    let second = desk(folder.path());
    second.end_one_shots();
    assert_eq!(look(&second).await, 1);
    // The same alarm of another store, which counts from 1 again, is on the shelf as soon as it is raised.
    drop(store);
    remove(folder.path());
    let mut store = StoreWriter::open(folder.path()).unwrap();
    assert_eq!(look(&second).await, 1);
    store.append(&mut [later("raised", 1)]).unwrap();
    assert_eq!(look(&second).await, 1);
    assert!(second.alarms()[0].shelved_until_utc_ns.is_some());
    store.append(&mut [later("updated", 2)]).unwrap();
    assert_eq!(look(&second).await, 1);
    // Cleared and raised anew between two looks: that was the one time.
    store
        .append(&mut [later("cleared", 3), later("raised", 4)])
        .unwrap();
    assert_eq!(look(&second).await, 0);
    let trail = second.book.entries(1).unwrap();
    assert_eq!(
        (trail[0].action.as_str(), trail[0].who.as_str()),
        ("unshelve", "eva")
    );
    // One with another word on it stays for its time.
    second
        .shelve(("", &event.source, &event.channel), month, "eva", "later")
        .unwrap();
    store.append(&mut [later("cleared", 5)]).unwrap();
    assert_eq!(look(&second).await, 1);
}

#[tokio::test]
async fn a_shelf_for_one_time_ends_with_what_was_cleared_while_no_gateway_ran() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = StoreWriter::open(folder.path()).unwrap();
    let alarm = record("raised");
    store
        .append(&mut [record("raised"), record("cleared"), record("raised")])
        .unwrap();
    let first = desk(folder.path());
    read(&first, folder.path()).await;
    first
        .shelve(
            ("", &alarm.source, &alarm.channel),
            *SHELF_S.end(),
            "eva",
            ONE_SHOT,
        )
        .unwrap();
    drop(first);
    store
        .append(&mut [record("cleared"), record("raised")])
        .unwrap();
    let second = desk(folder.path());
    read(&second, folder.path()).await;
    second.end_one_shots();
    assert!(second.shelves().is_empty());
    let alarm = second.alarms().remove(0);
    assert_eq!((alarm.active, alarm.shelved_until_utc_ns), (true, None));
}

#[tokio::test]
async fn what_is_put_on_the_shelf_anew_is_not_taken_off_for_what_was_cleared_before() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = StoreWriter::open(folder.path()).unwrap();
    let alarm = record("raised");
    let name = ("", alarm.source.as_str(), &*alarm.channel);
    store.append(&mut [record("raised")]).unwrap();
    let desk = desk(folder.path());
    read(&desk, folder.path()).await;
    desk.shelve(name, 3600, "eva", ONE_SHOT).unwrap();
    store
        .append(&mut [record("cleared"), record("raised")])
        .unwrap();
    read(&desk, folder.path()).await;
    // Between the page and what follows from it.
    desk.shelve(name, 7200, "max", ONE_SHOT).unwrap();
    desk.end_one_shots();
    assert_eq!(desk.shelves()[0].who, "max");
    assert_eq!(desk.book.shelves(0).unwrap().len(), 1);
}

#[tokio::test]
async fn a_shelf_of_before_there_were_buses_is_that_of_the_alarm_on_its_bus() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = StoreWriter::open(folder.path()).unwrap();
    let on = |state| EventRecord {
        bus: Some("rear".to_owned()),
        ..record(state)
    };
    let (source, channel) = (on("raised").source, on("raised").channel);
    store.append(&mut [on("raised")]).unwrap();
    let desk = desk(folder.path());
    read(&desk, folder.path()).await;
    let shelved = || desk.alarms()[0].shelved_until_utc_ns.is_some();
    desk.shelve(("", &source, &channel), 60, "eva", "").unwrap();
    assert!(shelved());
    let of = desk.bus_of(None, (&source, &channel), &Buses::Unknown);
    assert_eq!(of.unwrap(), "rear");
    assert_eq!(desk.bus_on_shelf(&source, &channel).as_deref(), Some(""));
    assert!(desk.unshelve(("rear", &source, &channel), "eva").unwrap());
    assert!(!shelved() && desk.book.shelves(0).unwrap().is_empty());
    // For one time too.
    desk.shelve(("", &source, &channel), 60, "eva", ONE_SHOT)
        .unwrap();
    store.append(&mut [on("cleared")]).unwrap();
    read(&desk, folder.path()).await;
    desk.end_one_shots();
    assert!(desk.shelves().is_empty());
}
