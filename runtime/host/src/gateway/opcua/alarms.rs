//! The board of conditions: what the desk has, as OPC UA tells it.
//!
//! The desk is looked at whenever it changes. A condition that differs from what was told last gets a new event. An alarm that
//! has left the desk was cleared and acknowledged; its last event says so, and that it need not be kept. So does the last event of
//! an alarm of a store that was replaced by another one.

use super::condition::{Condition, EventId, Remark, date, severity};
use super::nodes::Nodes;
use crate::gateway::book::{Book, Shelf};
use crate::gateway::desk::{Alarm, MAX_ALARMS, ONE_SHOT};
use crate::gateway::journal::StoreId;
use opcua::types::{NodeId, StatusCode};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// The last remark to an alarm whose store was replaced.
const REPLACED: &str = "the event store was replaced by another one";

/// When the desk was looked at, and what was known then.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// The moment (ns since 1970, UTC).
    pub now_utc_ns: u64,
    /// An instance answers, so that what stands is known to stand.
    pub answers: bool,
    /// The store that the alarms are of.
    pub store: StoreId,
}

#[derive(Debug, Default)]
struct State {
    conditions: BTreeMap<String, Condition>,
    nonce: u64,
    store: StoreId,
}

/// See the module. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Board {
    state: Arc<Mutex<State>>,
    /// Somebody said something.
    pub news: Arc<Notify>,
}

impl Board {
    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        // No call leaves it half done.
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The condition with this node.
    pub fn find(&self, id: &NodeId) -> Option<Condition> {
        self.with(|state| {
            let mut all = state.conditions.values();
            all.find(|condition| condition.id == *id).cloned()
        })
    }

    /// All conditions that clients keep showing.
    pub fn retained(&self) -> Vec<Condition> {
        self.with(|state| {
            let all = state.conditions.values();
            all.filter(|condition| condition.retain())
                .cloned()
                .collect()
        })
    }

    /// Notes what somebody said to the alarm of this name; the next [`Self::take`] tells of it.
    pub fn remark(&self, name: &str, remark: Remark) {
        self.with(|state| {
            if let Some(condition) = state.conditions.get_mut(name) {
                condition.remark = remark;
                // Told with the next look: it names no event of ours.
                condition.event_id = EventId::default();
            }
        });
        self.news.notify_one();
    }

    /// Takes in what the desk had; returns what changed, in its new state.
    pub fn take(
        &self,
        alarms: Vec<Alarm>,
        shelves: &[Shelf],
        book: &Book,
        nodes: &Nodes,
        seen: Seen,
    ) -> Vec<Condition> {
        let Seen {
            now_utc_ns,
            answers,
            store,
        } = seen;
        let quality = if answers {
            StatusCode::Good
        } else {
            StatusCode::UncertainNoCommunicationLastUsableValue
        };
        self.with(|state| {
            state.nonce = state.nonce.max(now_utc_ns);
            let replaced = std::mem::replace(&mut state.store, store) != store;
            let one_shot = |alarm: &Alarm| {
                shelves.iter().any(|shelf| {
                    // One without a bus is of before there were several.
                    let bus = alarm.event.bus.as_deref().unwrap_or_default();
                    shelf.comment == ONE_SHOT
                        && (shelf.bus == bus || shelf.bus.is_empty())
                        && shelf.source == alarm.event.source
                        && shelf.channel == alarm.event.channel
                })
            };
            let mut told = Vec::new();
            let mut here: BTreeMap<String, Alarm> = (alarms.into_iter())
                .map(|alarm| (Condition::name(&alarm), alarm))
                .collect();
            for (name, condition) in &mut state.conditions {
                let stands = here.remove(name);
                condition.over &= stands.is_none();
                if replaced && stands.is_none() && condition.retain() {
                    condition.over = true;
                    condition.remark = Remark {
                        who: String::new(),
                        time_utc_ns: now_utc_ns,
                        text: REPLACED.to_owned(),
                    };
                    // Told below.
                    condition.event_id = EventId::default();
                    condition.alarm.active = false;
                    condition.alarm.shelved_until_utc_ns = None;
                }
                let alarm = stands.or_else(|| gone(condition, book));
                let Some(alarm) = alarm else { continue };
                let shot = one_shot(&alarm);
                let untold = condition.event_id == EventId::default();
                let other_worth = condition.quality != quality && condition.retain();
                if untold
                    || other_worth
                    || differs(&condition.alarm, &alarm)
                    || condition.one_shot != shot
                {
                    state.nonce += 1;
                    (condition.one_shot, condition.quality) = (shot, quality);
                    change(condition, alarm, nodes, state.nonce, now_utc_ns);
                    told.push(condition.clone());
                }
            }
            for (name, alarm) in here {
                if state.conditions.len() >= MAX_ALARMS && !make_room(&mut state.conditions) {
                    continue;
                }
                state.nonce += 1;
                let mut condition = Condition::new(alarm.clone(), nodes);
                (condition.one_shot, condition.quality) = (one_shot(&alarm), quality);
                change(&mut condition, alarm, nodes, state.nonce, now_utc_ns);
                told.push(condition.clone());
                state.conditions.insert(name, condition);
            }
            told
        })
    }
}

/// Whether there is something new to tell. Numbers say which event it is: figures that nobody knows equal nothing, not even themselves.
fn differs(told: &Alarm, now: &Alarm) -> bool {
    let state = |alarm: &Alarm| {
        (
            (alarm.raised_seq, alarm.raised_utc_ns, alarm.last_seq),
            (alarm.active, alarm.shelved_until_utc_ns),
        )
    };
    state(told) != state(now) || told.acknowledged != now.acknowledged
}

/// The last state of an alarm that has left the desk; none where that was told already.
fn gone(condition: &Condition, book: &Book) -> Option<Alarm> {
    if !condition.retain() {
        return (condition.event_id == EventId::default()).then(|| condition.alarm.clone());
    }
    let mut alarm = condition.alarm.clone();
    alarm.active = false;
    alarm.shelved_until_utc_ns = None;
    alarm.acknowledged = book
        .acknowledgement(alarm.raised_seq, alarm.raised_utc_ns)
        .unwrap_or_default()
        .or(alarm.acknowledged);
    // It had to make room: nobody will hear of it again.
    alarm.acknowledged.is_some().then_some(alarm)
}

fn change(condition: &mut Condition, alarm: Alarm, nodes: &Nodes, nonce: u64, now_utc_ns: u64) {
    let same_event = condition.event_id.last_seq == alarm.last_seq;
    condition.received = date(now_utc_ns);
    // The machine's own time where it is news of the machine, else when somebody did something.
    condition.time = if same_event {
        date(now_utc_ns)
    } else {
        date(alarm.last_utc_ns())
    };
    let before = severity(&condition.alarm.event.severity);
    if before != severity(&alarm.event.severity) {
        condition.last_severity = (before, condition.time);
    }
    if alarm.acknowledged != condition.alarm.acknowledged
        && let Some(by) = &alarm.acknowledged
    {
        condition.remark = Remark {
            who: by.who.clone(),
            time_utc_ns: by.time_utc_ns,
            text: by.comment.clone(),
        };
    }
    condition.event_id = EventId {
        raised_seq: alarm.raised_seq,
        last_seq: alarm.last_seq,
        nonce,
    };
    condition.source_node = nodes.source(&alarm.event.source);
    (condition.input_node, condition.setpoint_node) = nodes.of_channel(&alarm.event);
    condition.alarm = alarm;
}

/// Forgets a condition that need not be kept; whether there was one.
fn make_room(conditions: &mut BTreeMap<String, Condition>) -> bool {
    let mut all = conditions.iter();
    let name = all
        .find(|(_, condition)| !condition.retain())
        .map(|(name, _)| name.clone());
    name.and_then(|name| conditions.remove(&name)).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::false_alarms::Exposure;
    use crate::gateway::book::Acknowledgement;
    use crate::lines::EventRecord;
    use crate::lines::tests::{leak, run_info};
    use opcua::types::Variant;
    use std::cell::Cell;

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
                _folder: folder,
            }
        }

        fn take(&self, alarms: &[Alarm], shelves: &[Shelf], now_utc_ns: u64) -> Vec<Condition> {
            let seen = Seen {
                now_utc_ns,
                answers: self.answers.get(),
                store: self.store.get(),
            };
            (self.board).take(alarms.to_vec(), shelves, &self.book, &self.nodes, seen)
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
    fn a_remark_is_told_too() {
        let bench = Bench::new();
        let name = Condition::name(&bench.take(&[alarm(1, true)], &[], 10)[0].alarm);
        let remark = Remark {
            who: "eva".into(),
            time_utc_ns: 11,
            text: "looked at it".into(),
        };
        bench.board.remark(&name, remark.clone());
        bench.board.remark("nothing of that name", remark);
        let told = bench.take(&[alarm(1, true)], &[], 12);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].field("ClientUserId"), "eva".into());
        assert_ne!(told[0].event_id, EventId::default());
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
}
