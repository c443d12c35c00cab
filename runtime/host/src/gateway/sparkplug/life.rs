//! The life of a node on one connection: births before data, numbers from 0 to 255, and what has been told.

use super::figures::{Device, Figure, Value};
use super::payload::{birth, birth_death, data, encode, rebirth};
use crate::gateway::mqtt::link::Message;
use srad_types::topic::{DeviceMessage, NodeMessage, device_topic, node_topic};

/// Figures that were told in a birth, and what was told of them last.
#[derive(Debug)]
struct Told {
    first_alias: u64,
    figures: Vec<(&'static str, Value)>,
}

impl Told {
    fn new(first_alias: u64, figures: &[Figure]) -> Self {
        Self {
            first_alias,
            figures: (figures.iter())
                .map(|figure| (figure.name, figure.value.clone()))
                .collect(),
        }
    }

    /// The same figures, whatever their values.
    fn is_of(&self, figures: &[Figure]) -> bool {
        self.figures.len() == figures.len()
            && (self.figures.iter().zip(figures)).all(|((name, _), figure)| *name == figure.name)
    }

    /// Metrics of what has changed, noted as told.
    fn news(&mut self, figures: &[Figure], time_ms: u64) -> Vec<srad_types::payload::Metric> {
        let mut metrics = Vec::new();
        for (n, (figure, (_, told))) in figures.iter().zip(&mut self.figures).enumerate() {
            if figure.value.differs(told, figure.deadband) {
                *told = figure.value.clone();
                metrics.push(data(figure, self.first_alias + n as u64, time_ms));
            }
        }
        metrics
    }
}

/// The life of a node from its birth on.
#[derive(Debug)]
pub struct Life {
    group: String,
    node: String,
    birth_death: u8,
    /// Number of the next message.
    number: u8,
    told: Option<Told>,
    /// Where the figures of events begin.
    event_alias: u64,
    devices: Vec<(String, Told)>,
    /// The next alias; none is given twice on a connection.
    alias: u64,
}

impl Life {
    /// A node that is not born yet.
    pub const fn new(group: String, node: String, birth_death: u8) -> Self {
        Self {
            group,
            node,
            birth_death,
            number: 0,
            told: None,
            event_alias: 0,
            devices: Vec::new(),
            alias: 0,
        }
    }

    /// The death that the broker tells, or we when we go.
    pub fn death(&self, time_ms: u64) -> Message {
        let metrics = vec![birth_death(self.birth_death, time_ms)];
        self.message(
            self.node_topic(NodeMessage::NDeath),
            encode(metrics, None, time_ms),
        )
    }

    /// Where commands for the node come.
    pub fn commands(&self) -> String {
        self.node_topic(NodeMessage::NCmd)
    }

    /// The birth of the node; numbers begin anew, and every device has to be born again.
    pub fn birth(&mut self, figures: &[Figure], events: &[Figure], time_ms: u64) -> Message {
        self.number = 0;
        self.devices.clear();
        self.alias = 0;
        let mut metrics = vec![birth_death(self.birth_death, time_ms), rebirth(time_ms)];
        let first = self.announce(figures, time_ms, &mut metrics);
        self.told = Some(Told::new(first, figures));
        self.event_alias = self.announce(events, time_ms, &mut metrics);
        let payload = encode(metrics, Some(self.next()), time_ms);
        self.message(self.node_topic(NodeMessage::NBirth), payload)
    }

    /// What has changed since the last call: births of devices that are new, deaths of those that are gone, data. Nothing before the
    /// birth of the node.
    pub fn news(&mut self, figures: &[Figure], devices: &[Device], time_ms: u64) -> Vec<Message> {
        let mut messages = Vec::new();
        let Some(told) = &mut self.told else {
            return messages;
        };
        let metrics = told.news(figures, time_ms);
        if !metrics.is_empty() {
            let payload = encode(metrics, Some(self.next()), time_ms);
            messages.push(self.message(self.node_topic(NodeMessage::NData), payload));
        }
        let gone: Vec<_> = (self.devices.iter())
            .filter(|(id, _)| !devices.iter().any(|device| device.id == *id))
            .map(|(id, _)| id.clone())
            .collect();
        for id in gone {
            self.devices.retain(|(known, _)| *known != id);
            let payload = encode(Vec::new(), Some(self.next()), time_ms);
            messages.push(self.message(self.device_topic(DeviceMessage::DDeath, &id), payload));
        }
        for device in devices {
            let known = self
                .devices
                .iter()
                .position(|(id, told)| *id == device.id && told.is_of(&device.figures));
            let (metrics, kind) = match known {
                Some(n) => (
                    self.devices[n].1.news(&device.figures, time_ms),
                    DeviceMessage::DData,
                ),
                None => {
                    let mut metrics = Vec::new();
                    let first = self.announce(&device.figures, time_ms, &mut metrics);
                    self.devices.retain(|(id, _)| *id != device.id);
                    let told = Told::new(first, &device.figures);
                    self.devices.push((device.id.clone(), told));
                    (metrics, DeviceMessage::DBirth)
                }
            };
            if !metrics.is_empty() {
                let payload = encode(metrics, Some(self.next()), time_ms);
                messages.push(self.message(self.device_topic(kind, &device.id), payload));
            }
        }
        messages
    }

    /// An event of `time_ms`, as data of the node. `late`: it was stored before the node was born.
    pub fn event(&mut self, figures: &[Figure], time_ms: u64, now_ms: u64, late: bool) -> Message {
        let metrics = (figures.iter().zip(self.event_alias..))
            .map(|(figure, alias)| {
                let mut metric = data(figure, alias, time_ms);
                metric.is_historical = late.then_some(true);
                metric
            })
            .collect();
        let payload = encode(metrics, Some(self.next()), now_ms);
        self.message(self.node_topic(NodeMessage::NData), payload)
    }

    fn announce(
        &mut self,
        figures: &[Figure],
        time_ms: u64,
        metrics: &mut Vec<srad_types::payload::Metric>,
    ) -> u64 {
        let first = self.alias;
        metrics.extend(
            figures
                .iter()
                .zip(first..)
                .map(|(figure, alias)| birth(figure, alias, time_ms)),
        );
        self.alias += figures.len() as u64;
        first
    }

    const fn next(&mut self) -> u8 {
        let number = self.number;
        self.number = number.wrapping_add(1);
        number
    }

    fn node_topic(&self, kind: NodeMessage) -> String {
        node_topic(&self.group, &kind, &self.node)
    }

    fn device_topic(&self, kind: DeviceMessage, id: &str) -> String {
        device_topic(&self.group, &kind, &self.node, id)
    }

    fn message(&self, topic: String, payload: Vec<u8>) -> Message {
        Message {
            topic,
            payload,
            retain: false,
            json: false,
            properties: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use srad_types::payload::{Message as _, Payload};

    fn figure(value: f64) -> Figure {
        Figure {
            name: "Position",
            unit: "m",
            deadband: 0.1,
            value: Value::Number(Some(value)),
        }
    }

    fn device(value: f64) -> Device {
        Device {
            id: "lift".to_owned(),
            figures: vec![figure(value)],
        }
    }

    fn read(message: &Message) -> (String, Payload) {
        let kind = message.topic.split('/').nth(2).unwrap().to_owned();
        (kind, Payload::decode(&message.payload[..]).unwrap())
    }

    fn kinds(messages: &[Message]) -> Vec<String> {
        messages.iter().map(|message| read(message).0).collect()
    }

    fn life() -> Life {
        Life::new("plant".to_owned(), "cell".to_owned(), 3)
    }

    #[test]
    fn nothing_is_said_before_birth_and_changes_alone_after_it() {
        let mut life = life();
        assert!(life.news(&[figure(0.0)], &[device(0.0)], 1).is_empty());
        let born = life.birth(&[figure(0.0)], &[], 2);
        assert_eq!(born.topic, "spBv1.0/plant/NBIRTH/cell");
        let (_, payload) = read(&born);
        assert_eq!(payload.seq, Some(0));
        assert_eq!(payload.metrics[0].name.as_deref(), Some("bdSeq"));
        assert_eq!(
            kinds(&life.news(&[figure(0.0)], &[device(0.0)], 3)),
            ["DBIRTH"]
        );
        assert!(life.news(&[figure(0.05)], &[device(0.05)], 4).is_empty());
        // A slow drift is told in the end.
        assert_eq!(
            kinds(&life.news(&[figure(0.0)], &[device(0.15)], 5)),
            ["DDATA"]
        );
        assert_eq!(
            kinds(&life.news(&[figure(0.2)], &[], 6)),
            ["NDATA", "DDEATH"]
        );
        assert_eq!(
            kinds(&life.news(&[figure(0.2)], &[device(0.15)], 7)),
            ["DBIRTH"]
        );
    }

    /// What a machine tells, from its status to the metrics: by exception, one axis and one figure at a time.
    #[test]
    fn what_moves_within_its_deadband_is_not_told() {
        use crate::gateway::sparkplug::figures::{Deadband, devices, node};
        let mut status = crate::top::tests::example::status();
        let deadband = Deadband::default();
        let mut life = life();
        let _ = life.birth(&node(Some(&*status)), &[], 1);
        let births = life.news(&node(Some(&*status)), &devices(&status, &deadband), 2);
        assert!(kinds(&births).iter().all(|kind| kind == "DBIRTH"));
        let (_, born) = read(&births[0]);
        let alias = |name: &str| {
            let mut all = born.metrics.iter();
            let found = all.find(|metric| metric.name.as_deref() == Some(name));
            found.and_then(|metric| metric.alias).unwrap()
        };
        let mut look = |change: &dyn Fn(&mut crate::control::status::StatusLine)| {
            change(&mut status);
            let messages = life.news(&node(Some(&*status)), &devices(&status, &deadband), 3);
            let told = messages.iter().map(|message| {
                let (kind, payload) = read(message);
                let aliases: Vec<_> = payload.metrics.iter().map(|m| m.alias.unwrap()).collect();
                (kind, message.topic.clone(), aliases)
            });
            told.collect::<Vec<_>>()
        };
        let infeed = "spBv1.0/plant/DDATA/cell/infeed".to_owned();
        let data = |aliases| vec![("DDATA".to_owned(), infeed.clone(), aliases)];
        assert!(look(&|_| ()).is_empty());
        let step = |status: &mut crate::control::status::StatusLine| {
            *status.axes[0].position_m.as_mut().unwrap() += 0.6 * Deadband::default().position_m;
        };
        // Half a step is none; two are one, and a third begins anew from there.
        assert!(look(&step).is_empty());
        assert_eq!(look(&step), data(vec![alias("Position")]));
        assert!(look(&step).is_empty());
        let moved = look(&|status| {
            status.axes[0].current_a = Some(4.0);
            status.axes[0].velocity_m_per_s = Some(0.5004);
            status.axes[0].regime = None;
        });
        assert_eq!(moved, data(vec![alias("Current"), alias("Regime")]));
        // What cannot be measured any more is told, and so is what is measured again.
        for position in [None, Some(0.123_456_7)] {
            let told = look(&|status| status.axes[0].position_m = position);
            assert_eq!(told, data(vec![alias("Position")]));
        }
        // A count has no deadband.
        let told = look(&|status| status.cycle += 1);
        assert_eq!((told.len(), told[0].0.as_str()), (1, "NDATA"));
        assert_eq!(told[0].2.len(), 1);
    }

    #[test]
    fn numbers_run_from_0_to_255_and_again_and_a_birth_begins_anew() {
        let mut life = life();
        let mut expected = 0;
        let _ = life.birth(&[figure(0.0)], &[], 1);
        for n in 1..600 {
            let messages = life.news(&[figure(f64::from(n))], &[], 1);
            let (_, payload) = read(&messages[0]);
            expected = (expected + 1) % 256;
            assert_eq!(payload.seq, Some(expected));
        }
        let (_, payload) = read(&life.birth(&[figure(0.0)], &[], 1));
        assert_eq!(payload.seq, Some(0));
        let (kind, payload) = read(&life.death(1));
        assert_eq!((kind.as_str(), payload.seq), ("NDEATH", None));
    }

    #[test]
    fn aliases_are_never_given_twice_and_late_events_are_marked() {
        let mut life = life();
        let events = [figure(0.0)];
        let (_, born) = read(&life.birth(&[figure(0.0)], &events, 1));
        let (_, device) = read(&life.news(&[figure(0.0)], &[device(0.0)], 1)[0]);
        let aliases: Vec<_> = born
            .metrics
            .iter()
            .chain(&device.metrics)
            .filter_map(|metric| metric.alias)
            .collect();
        assert_eq!(aliases, [0, 1, 2]);
        for late in [true, false] {
            let (kind, payload) = read(&life.event(&events, 5, 9, late));
            assert_eq!(kind, "NDATA");
            assert_eq!(payload.metrics[0].is_historical, late.then_some(true));
            assert_eq!(
                (payload.metrics[0].alias, payload.metrics[0].timestamp),
                (Some(1), Some(5))
            );
        }
    }
}
