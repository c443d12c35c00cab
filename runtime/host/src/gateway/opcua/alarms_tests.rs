use super::*;
use crate::false_alarms::Exposure;
use crate::gateway::book::Acknowledgement;
use crate::lines::EventRecord;
use crate::lines::tests::{leak, run_info};
use opcua::types::Variant;
use std::cell::{Cell, RefCell};

fn alarm(seq: u64, active: bool) -> Alarm {
    let mut event = EventRecord::of(&leak(1), &run_info(), Exposure::default());
    event.seq = seq;
    Alarm {
        raised_seq: 1,
        last_seq: seq,
        events: Vec::new(),
        raised_utc_ns: 0,
        active,
        ended_utc_ns: None,
        acknowledged: None,
        shelved_until_utc_ns: None,
        shelved: None,
        event,
    }
}

struct Bench {
    board: Board,
    book: Book,
    nodes: Nodes,
    answers: Cell<bool>,
    store: Cell<StoreId>,
    /// What the desk knows of an alarm that has left it.
    left: RefCell<Option<Alarm>>,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            board: Board::default(),
            book: Book::open(folder.path()).unwrap(),
            nodes: Nodes::new(2),
            answers: Cell::new(true),
            store: Cell::default(),
            left: RefCell::default(),
            _folder: folder,
        }
    }

    fn take(&self, alarms: &[Alarm], shelves: &[Shelf], now_utc_ns: u64) -> Vec<Condition> {
        let seen = Seen {
            now_utc_ns,
            answers: self.answers.get(),
            store: self.store.get(),
        };
        let left = |alarm: &Alarm| {
            let left = self.left.borrow().clone();
            left.filter(|left| left.raised_seq == alarm.raised_seq)
        };
        let desk = (alarms.to_vec(), left);
        (self.board).take(desk, shelves, &self.book, &self.nodes, seen)
    }
}

#[test]
fn what_a_new_run_ends_is_told_at_its_time_with_the_figures_of_before() {
    let bench = Bench::new();
    let before = bench.take(&[alarm(1, true)], &[], 10);
    let mut ended = alarm(1, false);
    (ended.last_seq, ended.ended_utc_ns) = (2, Some(77_000));
    let told = bench.take(&[ended], &[], 30);
    assert_eq!(told.len(), 1);
    for (field, value) in [
        ("Time", date(77_000).into()),
        ("EventNumber", 2_u64.into()),
        ("ActiveState/Id", false.into()),
        ("Measured", before[0].field("Measured")),
        ("Cause", before[0].field("Cause")),
    ] {
        assert_eq!(told[0].field(field), value, "{field}");
        assert_ne!(value, Variant::Empty, "{field}");
    }
}

#[test]
fn a_condition_has_the_whole_context_by_name() {
    let bench = Bench::new();
    let mut alarm = alarm(1, true);
    let word = |text: &str| Some(text.to_owned());
    alarm.event.context = crate::lines::ContextNames {
        recipe: word("heavy"),
        part: word("bush-a"),
        tool: word("welder"),
        load: None,
        temperature: word("20..30degC"),
    };
    let told = bench.take(&[alarm], &[], 10);
    for (field, value) in [
        ("Recipe", "heavy".into()),
        ("Part", "bush-a".into()),
        ("Tool", "welder".into()),
        ("Load", Variant::Empty),
        ("Temperature", "20..30degC".into()),
    ] {
        assert_eq!(told[0].field(field), value, "{field}");
        let all = crate::gateway::opcua::fields::OWN;
        assert!(all.iter().any(|one| one.path == field), "{field}");
    }
}

#[test]
fn what_left_the_desk_before_anybody_looked_is_told_as_it_left() {
    let bench = Bench::new();
    let by = Acknowledgement {
        who: "eva".into(),
        time_utc_ns: 11_000,
        comment: "greased".into(),
    };
    let mut seen = alarm(1, true);
    seen.acknowledged = Some(by);
    let before = bench.take(&[seen.clone()], &[], 10_000);
    // A new run ends it, and it is off the list with that.
    let mut ended = seen;
    (ended.active, ended.last_seq, ended.ended_utc_ns) = (false, 2, Some(77_000));
    *bench.left.borrow_mut() = Some(ended);
    let told = bench.take(&[], &[], 90_000);
    assert_eq!(told.len(), 1);
    for (field, value) in [
        ("Time", date(77_000).into()),
        ("ReceiveTime", date(90_000).into()),
        ("EventNumber", 2_u64.into()),
        ("ActiveState/Id", false.into()),
        ("AckedState/Id", true.into()),
        ("Retain", false.into()),
        ("Cause", before[0].field("Cause")),
    ] {
        assert_eq!(told[0].field(field), value, "{field}");
    }
    let Variant::LocalizedText(message) = told[0].field("Message") else {
        panic!("no message");
    };
    assert!(message.text.to_string().contains("ended by a new run"));
    assert!(bench.take(&[], &[], 95_000).is_empty());
}

#[test]
fn every_change_is_told_once() {
    let bench = Bench::new();
    let told = bench.take(&[alarm(1, true)], &[], 10);
    assert_eq!(told.len(), 1);
    let first = told[0].event_id;
    assert!(bench.take(&[alarm(1, true)], &[], 20).is_empty());
    let told = bench.take(&[alarm(2, false)], &[], 30);
    assert_eq!(told[0].field("ActiveState/Id"), false.into());
    assert!(told[0].event_id != first && told[0].retain());
    assert_eq!(bench.board.retained().len(), 1);
    // Somebody acknowledged it on the page, and it left the desk with that.
    let by = Acknowledgement {
        who: "eva".into(),
        time_utc_ns: 35,
        comment: "greased".into(),
    };
    bench.book.acknowledge((1, 0), "axis", &by).unwrap();
    let told = bench.take(&[], &[], 40);
    assert_eq!(told[0].field("AckedState/Id"), true.into());
    assert_eq!(told[0].field("ClientUserId"), "eva".into());
    assert!(!told[0].retain());
    assert!(bench.take(&[], &[], 50).is_empty() && bench.board.retained().is_empty());
    // Raised anew it is nobody's.
    let told = bench.take(&[alarm(9, true)], &[], 60);
    assert_eq!(told[0].field("AckedState/Id"), false.into());
}

/// A stroke on a press without a twin has no prediction.
#[test]
fn what_nobody_predicted_is_told_once_too() {
    let bench = Bench::new();
    let mut one = alarm(1, true);
    (one.event.predicted, one.event.residual) = (f64::NAN, f64::NAN);
    assert_eq!(bench.take(&[one.clone()], &[], 10).len(), 1);
    assert!(bench.take(&[one.clone()], &[], 20).is_empty());
    one.last_seq = 2;
    assert_eq!(bench.take(&[one], &[], 30).len(), 1);
}

#[test]
fn a_remark_is_told_too_at_its_time() {
    let bench = Bench::new();
    let first = bench.take(&[alarm(1, true)], &[], 10_000).remove(0);
    let name = Condition::name(&first.alarm);
    let remark = |text: &str| Remark {
        who: "eva".into(),
        time_utc_ns: 11_000,
        text: text.into(),
    };
    bench.board.remark(&name, remark("looked at it"));
    bench
        .board
        .remark("nothing of that name", remark("looked at it"));
    // Until it is told, its last event still names it: somebody may have more to say.
    assert_eq!(
        bench.board.find(&first.id).unwrap().event_id,
        first.event_id
    );
    bench.board.remark(&name, remark("and greased it"));
    let told = bench.take(&[alarm(1, true)], &[], 12_000);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].field("ClientUserId"), "eva".into());
    // Nothing is new of the machine.
    assert_ne!(told[0].alarm.last_utc_ns() / 100, 120);
    assert_eq!(told[0].field("Time"), date(12_000).into());
    assert!(told[0].event_id != first.event_id && told[0].event_id != EventId::default());
    assert!(bench.take(&[alarm(1, true)], &[], 13_000).is_empty());
    // It is cleared and acknowledged: what is said then is told too.
    let mut over = alarm(2, false);
    over.acknowledged = Some(Acknowledgement {
        who: "eva".into(),
        time_utc_ns: 14_000,
        comment: String::new(),
    });
    *bench.left.borrow_mut() = Some(over);
    assert_eq!(bench.take(&[], &[], 15_000).len(), 1);
    bench.board.remark(&name, remark("it was the seal"));
    let told = bench.take(&[], &[], 16_000);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].field("Time"), date(16_000).into());
    assert_eq!(told[0].field("Retain"), false.into());
    assert!(bench.take(&[], &[], 17_000).is_empty());
}

#[test]
fn a_shelf_says_of_which_kind_it_is() {
    let bench = Bench::new();
    let mut shelved = alarm(1, true);
    shelved.shelved_until_utc_ns = Some(5_000_000_000);
    let shelf = Shelf {
        bus: String::new(),
        source: shelved.event.source.clone(),
        channel: shelved.event.channel.to_string(),
        until_utc_ns: 5_000_000_000,
        who: "eva".into(),
        comment: ONE_SHOT.into(),
        behind: (0, 0),
    };
    let told = bench.take(&[shelved.clone()], &[shelf], 0);
    assert_eq!(told[0].field("SuppressedOrShelved"), true.into());
    let kind = |condition: &Condition| match condition.field("ShelvingState/CurrentState") {
        Variant::LocalizedText(text) => text.text.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(kind(&told[0]), "OneShotShelved");
    let told = bench.take(&[shelved], &[], 1_000_000_000);
    assert_eq!(kind(&told[0]), "TimedShelved");
    assert_eq!(
        told[0].field("ShelvingState/UnshelveTime"),
        4000.0_f64.into()
    );
}

#[test]
fn what_stands_is_uncertain_while_no_instance_answers() {
    let bench = Bench::new();
    bench.take(&[alarm(1, true)], &[], 10);
    bench.answers.set(false);
    let told = bench.take(&[alarm(1, true)], &[], 20);
    let uncertain = StatusCode::UncertainNoCommunicationLastUsableValue;
    assert_eq!(told[0].field("Quality"), Variant::StatusCode(uncertain));
    assert!(bench.take(&[alarm(1, true)], &[], 30).is_empty());
    bench.answers.set(true);
    assert_eq!(bench.take(&[alarm(1, true)], &[], 40).len(), 1);
}

#[test]
fn what_stood_in_a_store_that_was_replaced_is_over() {
    let bench = Bench::new();
    let another = |first_utc_ns| {
        let mut id = StoreId::default();
        id.first_utc_ns = first_utc_ns;
        id
    };
    bench.take(&[alarm(1, true)], &[], 10);
    // Where it had to make room on the desk it still stands.
    assert!(bench.take(&[], &[], 20).is_empty());
    assert_eq!(bench.board.retained().len(), 1);
    bench.store.set(another(7));
    let told = bench.take(&[], &[], 30);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].field("Retain"), false.into());
    assert_eq!(told[0].field("ActiveState/Id"), false.into());
    // Nobody has acknowledged it.
    assert_eq!(told[0].field("AckedState/Id"), false.into());
    let Variant::LocalizedText(comment) = told[0].field("Comment") else {
        panic!("no comment");
    };
    assert_eq!(comment.text.to_string(), REPLACED);
    assert!(bench.board.retained().is_empty());
    assert!(bench.take(&[], &[], 40).is_empty());
    // The same alarm in the new store stands, and in a third one that has it too.
    let told = bench.take(&[alarm(3, true)], &[], 50);
    assert_eq!(told[0].field("Retain"), true.into());
    bench.store.set(another(8));
    let told = bench.take(&[alarm(4, true)], &[], 60);
    assert_eq!(told[0].field("Retain"), true.into());
    assert_eq!(bench.board.retained().len(), 1);
}

#[test]
fn the_board_is_bounded() {
    let bench = Bench::new();
    let many: Vec<_> = (0..=MAX_ALARMS as u64)
        .map(|n| {
            let mut alarm = alarm(1, true);
            alarm.event.source = format!("axis {n}");
            alarm
        })
        .collect();
    assert_eq!(bench.take(&many, &[], 1).len(), MAX_ALARMS);
}
