//! What the machine is doing, in messages: a look at a bounded rate, which may be missed.

use super::link::Message;
use super::topics::topic;
use crate::gateway::buses::each_json;
use serde_json::{Value, json};

/// Most messages of one look.
const MAX_MESSAGES: usize = 2000;

/// Lists of the status, the level of their topic, and the keys that name an entry.
const LISTS: [(&str, &str, &[&str]); 4] = [
    ("axes", "axis", &["name"]),
    ("stations", "station", &["name"]),
    ("health", "health", &["source", "parameter"]),
    ("strokes", "stroke", &["source"]),
];

/// One message for each axis, station and tracked parameter in `status`, which is the answer of the control socket, and for each
/// stroke that is not `told` yet; at first only the newest of each press. Of several buses those of all of them. Of more than
/// [`MAX_MESSAGES`] each look leaves others out, in turn. Returns how many it left out, too.
pub fn messages(
    root: &str,
    status: &Value,
    time_utc_ns: u64,
    told: &mut Told,
) -> (Vec<Message>, u64) {
    let (mut messages, mut strokes) = (Vec::new(), Vec::new());
    for status in each_json(status) {
        of_bus(
            root,
            status,
            time_utc_ns,
            told,
            (&mut messages, &mut strokes),
        );
    }
    let all = strokes.len() + messages.len();
    // A stroke is told once, so that it goes first.
    strokes.truncate(MAX_MESSAGES);
    let room = MAX_MESSAGES - strokes.len();
    if messages.len() > room {
        let at = told.next % messages.len();
        messages.rotate_left(at);
        messages.truncate(room);
        told.next = at + room;
    }
    strokes.append(&mut messages);
    let left_out = all - strokes.len();
    (strokes, left_out as u64)
}

fn of_bus(
    root: &str,
    status: &Value,
    time_utc_ns: u64,
    told: &mut Told,
    (messages, strokes): (&mut Vec<Message>, &mut Vec<Message>),
) {
    let bus = status["bus_name"].as_str();
    for (list, kind, names) in LISTS {
        let entries = status[list].as_array().map_or(&[][..], Vec::as_slice);
        for (n, entry) in entries.iter().enumerate() {
            let Some(name) = names
                .iter()
                .map(|key| entry[*key].as_str())
                .collect::<Option<Vec<_>>>()
            else {
                continue;
            };
            if list == "strokes" && !told.is_news(entry, !newer(entries, n)) {
                continue;
            }
            let mut payload = json!({"type": kind, "time_utc_ns": time_utc_ns});
            if let Some(bus) = bus {
                payload["bus"] = bus.into();
            }
            if let (Some(payload), Some(entry)) = (payload.as_object_mut(), entry.as_object()) {
                payload.extend(
                    entry
                        .iter()
                        .map(|(key, value)| (key.clone(), value.clone())),
                );
            }
            let message = Message::json(topic(root, kind, bus, name), payload.to_string());
            if list == "strokes" {
                strokes.push(message);
            } else {
                messages.push(message);
            }
        }
    }
}

/// A later entry is of the same press.
fn newer(entries: &[Value], n: usize) -> bool {
    entries[n + 1..]
        .iter()
        .any(|later| later["source"] == entries[n]["source"])
}

/// What the looks before have told.
#[derive(Debug, Default)]
pub struct Told {
    /// The last stroke of each press.
    strokes: std::collections::BTreeMap<String, u64>,
    /// Where the next look begins if not all fits.
    next: usize,
}

impl Told {
    fn is_news(&mut self, stroke: &Value, newest: bool) -> bool {
        let (Some(source), Some(number)) = (stroke["source"].as_str(), stroke["stroke"].as_u64())
        else {
            return false;
        };
        if self.strokes.len() >= MAX_MESSAGES {
            self.strokes.clear();
        }
        let news = match self.strokes.get(source) {
            // A run that began anew counts from 1 again.
            Some(told) => number > *told || (newest && number < *told),
            None => newest,
        };
        if news {
            self.strokes.insert(source.to_owned(), number);
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_axis_station_parameter_and_new_stroke_has_a_topic() {
        let status = json!({
            "axes": [{"name": "in/feed", "valid": false}, {"nameless": 1}],
            "stations": [{"name": "gripper"}],
            "health": [{"source": "lift", "parameter": "coulomb", "value": 1.5}],
            "strokes": [{"source": "press", "stroke": 6}, {"source": "press", "stroke": 7}],
        });
        let mut told = Told::default();
        let topics = |messages: &[Message]| -> Vec<String> {
            messages
                .iter()
                .map(|message| message.topic.clone())
                .collect()
        };
        let (first, _) = messages("t/m", &status, 5, &mut told);
        assert_eq!(
            topics(&first),
            [
                "t/m/stroke/press",
                "t/m/axis/in_feed",
                "t/m/station/gripper",
                "t/m/health/lift/coulomb"
            ]
        );
        let axis: Value = serde_json::from_slice(&first[1].payload).unwrap();
        assert_eq!(
            axis,
            json!({"type": "axis", "time_utc_ns": 5, "name": "in/feed", "valid": false})
        );
        let stroke: Value = serde_json::from_slice(&first[0].payload).unwrap();
        assert_eq!(stroke["stroke"], 7);
        // The same stroke is no news.
        assert_eq!(topics(&messages("t/m", &status, 6, &mut told).0).len(), 3);
        // None is left out between two looks, and another run counts anew.
        let mut strokes = |numbers: &[u64]| -> Vec<Value> {
            let strokes: Vec<_> = (numbers.iter())
                .map(|stroke| json!({"source": "press", "stroke": stroke}))
                .collect();
            let (all, _) = messages("t/m", &json!({"strokes": strokes}), 7, &mut told);
            let parsed = all
                .iter()
                .map(|message| serde_json::from_slice(&message.payload).unwrap());
            parsed
                .map(|stroke: Value| stroke["stroke"].clone())
                .collect()
        };
        assert_eq!(strokes(&[7, 8, 9]), [8, 9]);
        assert_eq!(strokes(&[1]), [1]);
        assert!(strokes(&[1]).is_empty());
        assert!(messages("t/m", &Value::Null, 5, &mut told).0.is_empty());
    }

    #[test]
    fn of_several_buses_every_topic_has_the_bus() {
        let bus = |name: &str, axis: &str| json!({"bus_name": name, "axes": [{"name": axis}], "health": [{"source": axis, "parameter": "viscous"}]});
        let mut status = bus("front", "infeed");
        status["buses"] = json!([bus("front", "infeed"), bus("rear", "pusher")]);
        let (all, left_out) = messages("t/m", &status, 5, &mut Told::default());
        assert_eq!(left_out, 0);
        let topics: Vec<_> = all.iter().map(|message| message.topic.as_str()).collect();
        assert_eq!(
            topics,
            [
                "t/m/axis/front/infeed",
                "t/m/health/front/infeed/viscous",
                "t/m/axis/rear/pusher",
                "t/m/health/rear/pusher/viscous"
            ]
        );
        let last: Value = serde_json::from_slice(&all[3].payload).unwrap();
        assert_eq!(
            (&last["bus"], &last["source"]),
            (&json!("rear"), &json!("pusher"))
        );
    }

    #[test]
    fn a_look_is_bounded_and_the_next_ones_tell_the_rest() {
        let axes: Vec<_> = (0..5000)
            .map(|n| json!({"name": format!("a{n}")}))
            .collect();
        let mut told = Told::default();
        let mut topics = std::collections::BTreeSet::new();
        for stroke in 1..=3 {
            let strokes = json!([{"source": "press", "stroke": stroke}]);
            let status = json!({"axes": axes, "strokes": strokes});
            let (all, left_out) = messages("t/m", &status, 5, &mut told);
            assert_eq!((all.len(), left_out), (MAX_MESSAGES, 3001));
            assert_eq!(all[0].topic, "t/m/stroke/press");
            topics.extend(all.into_iter().map(|message| message.topic));
        }
        assert_eq!(topics.len(), 5001);
    }
}
