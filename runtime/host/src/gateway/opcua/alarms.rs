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
                condition.untold = true;
            }
        });
        self.news.notify_one();
    }

    /// Takes in what the desk had; returns what changed, in its new state. `left` says how an alarm was when it left the desk, as
    /// [`Desk::left`](crate::gateway::desk::Desk::left) does, asked after `alarms` were.
    pub fn take(
        &self,
        (alarms, left): (Vec<Alarm>, impl Fn(&Alarm) -> Option<Alarm>),
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
                    condition.untold = true;
                    condition.alarm.active = false;
                    condition.alarm.shelved_until_utc_ns = None;
                }
                let alarm = stands.or_else(|| gone(condition, book, &left));
                let Some(alarm) = alarm else { continue };
                let shot = one_shot(&alarm);
                let other_worth = condition.quality != quality && condition.retain();
                if condition.untold
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
fn gone(
    condition: &Condition,
    book: &Book,
    left: impl Fn(&Alarm) -> Option<Alarm>,
) -> Option<Alarm> {
    if !condition.retain() {
        return condition.untold.then(|| condition.alarm.clone());
    }
    if let Some(alarm) = left(&condition.alarm) {
        return Some(alarm);
    }
    // So long ago that the desk does not know any more how it went.
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
    condition.untold = false;
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
#[path = "alarms_tests.rs"]
mod tests;
