//! What is known of an alarm that has ended: by a new run, or because it left the list.

use super::*;

#[tokio::test]
async fn what_a_new_run_ends_keeps_its_cause_its_action_and_its_figures() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = StoreWriter::open(folder.path()).unwrap();
    store
        .append(&mut [record("raised"), record("updated")])
        .unwrap();
    let first = desk(folder.path());
    read(&first, folder.path()).await;
    let was = first.alarms().remove(0).event;
    let run = [Arc::new(run_info())];
    let mut ended = crate::standing::ended(&mut store, &run, "cell", true).unwrap();
    assert_eq!(ended.len(), 1);
    assert!(ended[0].cause != was.cause && ended[0].measured.is_nan());
    store.append(&mut ended).unwrap();
    // Who was there, and a gateway that starts later.
    read(&first, folder.path()).await;
    let seen = first.alarms().remove(0);
    drop(first);
    let second = desk(folder.path());
    read(&second, folder.path()).await;
    for alarm in [seen, second.alarms().remove(0)] {
        assert_eq!(
            (alarm.raised_seq, alarm.last_seq, alarm.active),
            (1, 3, false)
        );
        assert_eq!(alarm.ended_utc_ns, Some(ended[0].time_utc_ns));
        assert_eq!(alarm.last_utc_ns(), ended[0].time_utc_ns);
        assert_eq!((alarm.event.seq, alarm.event.cycle), (2, was.cycle));
        assert_eq!(
            (&alarm.event.cause, &alarm.event.action),
            (&was.cause, &was.action)
        );
        assert_eq!(alarm.event.causes, was.causes);
        assert_eq!(alarm.event.measured.to_bits(), was.measured.to_bits());
        let told = serde_json::to_value(&alarm).unwrap();
        assert_eq!(told["raised_utc_ns"], was.time_utc_ns);
        assert_eq!(told["ended_utc_ns"], ended[0].time_utc_ns);
    }
    // Where it still holds it is another one, and what the run itself finds to be over says so.
    store.append(&mut [record("raised")]).unwrap();
    read(&second, folder.path()).await;
    let alarm = second.alarms().remove(0);
    assert_eq!(
        (alarm.raised_seq, alarm.active, alarm.ended_utc_ns),
        (4, true, None)
    );
    store.append(&mut [record("cleared")]).unwrap();
    read(&second, folder.path()).await;
    let alarm = second.alarms().remove(0);
    assert_eq!(
        (alarm.event.seq, alarm.active, alarm.ended_utc_ns),
        (5, false, None)
    );
}

#[tokio::test]
async fn how_an_alarm_was_when_it_left_the_list_is_known_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = StoreWriter::open(folder.path()).unwrap();
    store
        .append(&mut [record("raised"), record("updated")])
        .unwrap();
    let desk = desk(folder.path());
    read(&desk, folder.path()).await;
    desk.acknowledge(1, "eva", "").unwrap();
    let stood = desk.alarms().remove(0);
    assert!(desk.left(&stood).is_none());
    // A new run ends it.
    let run = [Arc::new(run_info())];
    let mut ended = crate::standing::ended(&mut store, &run, "cell", true).unwrap();
    store.append(&mut ended).unwrap();
    read(&desk, folder.path()).await;
    assert!(desk.alarms().is_empty());
    let left = desk.left(&stood).unwrap();
    assert_eq!((left.raised_seq, left.last_seq, left.active), (1, 3, false));
    assert_eq!(left.ended_utc_ns, Some(ended[0].time_utc_ns));
    assert_eq!(left.acknowledged, stood.acknowledged);
    assert_eq!(left.event.cause, stood.event.cause);
    // Cleared first, it leaves when somebody has seen it.
    store
        .append(&mut [record("raised"), record("cleared")])
        .unwrap();
    read(&desk, folder.path()).await;
    let cleared = desk.alarms().remove(0);
    assert!(desk.left(&cleared).is_none());
    desk.acknowledge(5, "eva", "greased").unwrap();
    let left = desk.left(&cleared).unwrap();
    assert_eq!((left.raised_seq, left.last_seq), (4, 5));
    assert_eq!(left.acknowledged.unwrap().comment, "greased");
    assert_eq!(desk.left(&stood).unwrap().last_seq, 3);
}
