//! One alarm as an OPC UA condition, and as the event that tells of it.

use super::nodes::Nodes;
use crate::gateway::book::target;
use crate::gateway::desk::{Alarm, SHELF_S};
use opcua::nodes::Event;
use opcua::types::event_field::EventField;
use opcua::types::{
    AttributeId, ByteString, DateTime, LocalizedText, NodeId, NumericRange, ObjectId, ObjectTypeId,
    QualifiedName, StatusCode, UAString, Variant,
};

/// From 1582, where OPC UA begins to count, to 1970 (s).
const SINCE_1601_S: i64 = 11_644_473_600;

/// Time of day as OPC UA has it: in 100 ns since 1601.
pub fn date(utc_ns: u64) -> DateTime {
    let ticks = SINCE_1601_S * 10_000_000 + i64::try_from(utc_ns / 100).unwrap_or(i64::MAX / 2);
    DateTime::from(ticks)
}

/// Something that somebody said to an alarm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remark {
    /// Who.
    pub who: String,
    /// When (ns since 1970, UTC).
    pub time_utc_ns: u64,
    /// What.
    pub text: String,
}

/// One condition. It is also the event that tells of its present state.
#[derive(Clone, Debug)]
pub struct Condition {
    /// Its node.
    pub id: NodeId,
    /// Type of its events.
    pub event_type: NodeId,
    /// The axis, station or machine.
    pub source_node: NodeId,
    /// The variables of what is measured and predicted; null where there are none.
    pub input_node: NodeId,
    /// See `input_node`.
    pub setpoint_node: NodeId,
    /// As the desk has it.
    pub alarm: Alarm,
    /// The last remark.
    pub remark: Remark,
    /// Severity before the last change, and when that was.
    pub last_severity: (u16, DateTime),
    /// Names the state of it that was told last.
    pub event_id: EventId,
    /// Something was said to it that is still to be told.
    pub untold: bool,
    /// When it got there.
    pub time: DateTime,
    /// When we heard of it.
    pub received: DateTime,
    /// On the shelf until it is cleared.
    pub one_shot: bool,
    /// What its state is worth: nobody is there to change it while no instance answers.
    pub quality: StatusCode,
    /// It is of a store that was replaced: nothing will be heard of it any more.
    pub over: bool,
}

/// The name of an event: the alarm, its last stored event, and a number of our own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventId {
    /// Number of the event that raised it.
    pub raised_seq: u64,
    /// Number of its last event.
    pub last_seq: u64,
    /// Makes it unlike every other.
    pub nonce: u64,
}

impl EventId {
    /// As it goes over the wire.
    pub fn to_bytes(self) -> ByteString {
        let words = [self.raised_seq, self.last_seq, self.nonce];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        ByteString::from(bytes)
    }

    /// What it names; none where it is not one of ours.
    pub fn from_bytes(bytes: &ByteString) -> Option<Self> {
        let bytes: &[u8; 24] = bytes.value.as_deref()?.try_into().ok()?;
        let mut words = bytes.chunks_exact(8).map(|word| {
            word.iter()
                .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte))
        });
        Some(Self {
            raised_seq: words.next()?,
            last_seq: words.next()?,
            nonce: words.next()?,
        })
    }
}

/// From 1 to 1000, in the middle of the ranges of OPC 10000-5.
pub fn severity(word: &str) -> u16 {
    match word {
        "fault" => 900,
        "warning" => 500,
        _ => 100,
    }
}

fn text(text: &str) -> Variant {
    LocalizedText::new("en", text).into()
}

fn number(value: f64) -> Variant {
    if value.is_finite() {
        value.into()
    } else {
        Variant::Empty
    }
}

/// A name; empty where there is none.
fn word(name: Option<&str>) -> Variant {
    name.map_or(Variant::Empty, Variant::from)
}

/// Milliseconds, as the standard has every duration.
fn milliseconds(seconds: u64) -> Variant {
    (seconds as f64 * 1000.0).into()
}

impl Condition {
    /// What names it among conditions.
    pub fn name(alarm: &Alarm) -> String {
        let event = &alarm.event;
        target(
            event.bus.as_deref().unwrap_or_default(),
            &event.source,
            &event.channel,
        )
    }

    /// The condition of an alarm that is new to us.
    pub fn new(alarm: Alarm, nodes: &Nodes) -> Self {
        let (input_node, setpoint_node) = nodes.of_channel(&alarm.event);
        let time = date(alarm.last_utc_ns());
        Self {
            id: nodes.condition(&Self::name(&alarm)),
            event_type: nodes.event_type(),
            source_node: nodes.source(&alarm.event.source),
            input_node,
            setpoint_node,
            remark: Remark::default(),
            last_severity: (severity(&alarm.event.severity), time),
            event_id: EventId::default(),
            untold: false,
            received: time,
            time,
            one_shot: false,
            quality: StatusCode::Good,
            over: false,
            alarm,
        }
    }

    /// Clients keep showing it.
    pub fn retain(&self) -> bool {
        !self.over && (self.alarm.active || self.alarm.acknowledged.is_none())
    }

    /// The value of the field at `path`; empty where there is none.
    pub fn field(&self, path: &str) -> Variant {
        let alarm = &self.alarm;
        let event = &alarm.event;
        let acknowledged = alarm.acknowledged.is_some();
        match path {
            "EventId" => self.event_id.to_bytes().into(),
            "EventType" => self.event_type.clone().into(),
            "SourceNode" => self.source_node.clone().into(),
            "SourceName" => event.source.as_str().into(),
            "Time" => self.time.into(),
            "ReceiveTime" => self.received.into(),
            "Message" => text(&self.message()),
            "Severity" => severity(&event.severity).into(),
            "ConditionClassId" => NodeId::from(ObjectTypeId::MaintenanceConditionClassType).into(),
            "ConditionClassName" => text("Maintenance"),
            "ConditionName" => Self::name(alarm).into(),
            "BranchId" => NodeId::null().into(),
            "Retain" => self.retain().into(),
            "EnabledState" => text("Enabled"),
            "EnabledState/Id" => true.into(),
            "Quality" => Variant::StatusCode(self.quality),
            "Quality/SourceTimestamp" => date(alarm.last_utc_ns()).into(),
            "LastSeverity" => self.last_severity.0.into(),
            "LastSeverity/SourceTimestamp" => self.last_severity.1.into(),
            "Comment" => text(&self.remark.text),
            "Comment/SourceTimestamp" if self.remark == Remark::default() => {
                DateTime::null().into()
            }
            "Comment/SourceTimestamp" => date(self.remark.time_utc_ns).into(),
            "ClientUserId" => UAString::from(self.remark.who.as_str()).into(),
            "AckedState" if acknowledged => text("Acknowledged"),
            "AckedState" => text("Unacknowledged"),
            "AckedState/Id" => acknowledged.into(),
            "ActiveState" if alarm.active => text("Active"),
            "ActiveState" => text("Inactive"),
            "ActiveState/Id" => alarm.active.into(),
            "InputNode" => self.input_node.clone().into(),
            "SetpointNode" => self.setpoint_node.clone().into(),
            "SuppressedOrShelved" => alarm.shelved_until_utc_ns.is_some().into(),
            "MaxTimeShelved" => milliseconds(*SHELF_S.end()),
            _ => self.state_or_own(path),
        }
    }

    fn state_or_own(&self, path: &str) -> Variant {
        let alarm = &self.alarm;
        let event = &alarm.event;
        match path {
            "ShelvingState/CurrentState" => text(self.shelving().0),
            "ShelvingState/CurrentState/Id" => NodeId::from(self.shelving().1).into(),
            "ShelvingState/UnshelveTime" => {
                let now = self.received_utc_ns();
                let left_ns = alarm
                    .shelved_until_utc_ns
                    .map_or(0, |until| until.saturating_sub(now));
                (left_ns as f64 / 1e6).into()
            }
            "LimitState/CurrentState" => {
                self.limit().map_or(Variant::Empty, |(word, _)| text(word))
            }
            "LimitState/CurrentState/Id" => {
                (self.limit()).map_or(Variant::Empty, |(_, id)| NodeId::from(id).into())
            }
            // Of a deviation they count from the set-point (OPC 10000-9).
            "HighLimit" => event.limit.map_or(Variant::Empty, number),
            "LowLimit" => event.limit.map_or(Variant::Empty, |limit| number(-limit)),
            "Channel" => event.channel.as_ref().into(),
            "Detector" => event.detector.as_ref().into(),
            "Regime" => event.regime.as_ref().into(),
            "Measured" => number(event.measured),
            "Predicted" => number(event.predicted),
            "Residual" => number(event.residual),
            "Unit" => event.unit.as_ref().into(),
            "Cause" => event.cause.as_ref().into(),
            "Action" => event.action.as_ref().into(),
            "AssetId" => event.asset_id.as_str().into(),
            "Recipe" => word(event.context.recipe.as_deref()),
            "Part" => word(event.context.part.as_deref()),
            "Tool" => word(event.context.tool.as_deref()),
            "Load" => word(event.context.load.as_deref()),
            "Temperature" => word(event.context.temperature.as_deref()),
            "EventNumber" => alarm.last_seq.into(),
            "FalseAlarmIntervalAsked" => milliseconds(event.false_alarm_interval_asked_s),
            "FalseAlarmIntervalExtrapolated" => {
                (event.false_alarm_interval_extrapolated_s).map_or(Variant::Empty, milliseconds)
            }
            "FalseAlarmIntervalDemonstrated" => {
                milliseconds(event.false_alarm_interval_demonstrated_s)
            }
            _ => Variant::Empty,
        }
    }

    /// One sentence: where, what, what to do.
    fn message(&self) -> String {
        let event = &self.alarm.event;
        let mut message = format!("{}: {}", event.source, event.cause);
        if !event.action.is_empty() {
            message = format!("{message}; {}", event.action);
        }
        if self.alarm.ended_utc_ns.is_some() {
            message = format!("{message} (ended by a new run, which judges anew)");
        }
        message
    }

    fn received_utc_ns(&self) -> u64 {
        let ticks = self.received.ticks() - SINCE_1601_S * 10_000_000;
        u64::try_from(ticks).unwrap_or(0).saturating_mul(100)
    }

    fn shelving(&self) -> (&'static str, ObjectId) {
        match (self.alarm.shelved_until_utc_ns, self.one_shot) {
            (None, _) => ("Unshelved", ObjectId::ShelvedStateMachineType_Unshelved),
            (Some(_), true) => (
                "OneShotShelved",
                ObjectId::ShelvedStateMachineType_OneShotShelved,
            ),
            (Some(_), false) => (
                "TimedShelved",
                ObjectId::ShelvedStateMachineType_TimedShelved,
            ),
        }
    }

    /// On which side of the prediction the measurement is; none where the alarm does not stand, or has no such side.
    fn limit(&self) -> Option<(&'static str, ObjectId)> {
        let residual = self.alarm.event.residual;
        if !self.alarm.active || residual == 0.0 || !residual.is_finite() {
            return None;
        }
        Some(if residual > 0.0 {
            ("High", ObjectId::ExclusiveLimitStateMachineType_High)
        } else {
            ("Low", ObjectId::ExclusiveLimitStateMachineType_Low)
        })
    }
}

impl Event for Condition {
    fn get_field(
        &self,
        _type_definition_id: &NodeId,
        attribute_id: AttributeId,
        index_range: &NumericRange,
        browse_path: &[QualifiedName],
    ) -> Variant {
        // No two types on the way to ours have fields of one name, so that the path says it all.
        self.get_value(attribute_id, index_range, browse_path)
    }

    fn time(&self) -> &DateTime {
        &self.time
    }

    fn event_type_id(&self) -> &NodeId {
        &self.event_type
    }
}

impl EventField for Condition {
    fn get_value(
        &self,
        attribute_id: AttributeId,
        index_range: &NumericRange,
        path: &[QualifiedName],
    ) -> Variant {
        match attribute_id {
            // The ConditionId.
            AttributeId::NodeId if path.is_empty() => self.id.clone().into(),
            AttributeId::Value if !path.is_empty() => {
                let names: Vec<&str> = path.iter().map(|part| part.name.as_ref()).collect();
                let value = self.field(&names.join("/"));
                value.range_of(index_range).unwrap_or(Variant::Empty)
            }
            _ => Variant::Empty,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fields;
    use super::*;
    use crate::false_alarms::Exposure;
    use crate::lines::EventRecord;
    use crate::lines::tests::{leak, run_info};

    fn condition() -> Condition {
        let mut event = EventRecord::of(&leak(1), &run_info(), Exposure::default());
        (event.seq, event.state) = (7, "raised".into());
        let alarm = Alarm {
            raised_seq: 7,
            last_seq: 7,
            events: Vec::new(),
            raised_utc_ns: 0,
            active: true,
            ended_utc_ns: None,
            acknowledged: None,
            shelved_until_utc_ns: None,
            shelved: None,
            event,
        };
        Condition::new(alarm, &Nodes::new(2))
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(date(0), DateTime::ymd(1970, 1, 1));
        assert_eq!(date(1_767_225_600_000_000_000), DateTime::ymd(2026, 1, 1));
        assert!(date(u64::MAX).ticks() > 0);
    }

    #[test]
    fn the_name_of_an_event_comes_back() {
        let id = EventId {
            raised_seq: 1,
            last_seq: u64::MAX,
            nonce: 0x0102_0304_0506_0708,
        };
        assert_eq!(EventId::from_bytes(&id.to_bytes()), Some(id));
        for wrong in [&b""[..], b"12345678", &[0; 25]] {
            assert_eq!(EventId::from_bytes(&ByteString::from(wrong)), None);
        }
        assert_eq!(EventId::from_bytes(&ByteString::null()), None);
    }

    #[test]
    fn every_field_that_is_declared_is_filled() {
        let mut condition = condition();
        condition.alarm.event.residual = -1.0;
        condition.alarm.event.false_alarm_interval_extrapolated_s = Some(9);
        condition.alarm.event.limit = Some(0.5);
        (
            condition.alarm.event.measured,
            condition.alarm.event.predicted,
        ) = (1.0, 2.0);
        for field in fields::all() {
            assert_ne!(
                condition.field(field.path),
                Variant::Empty,
                "{}",
                field.path
            );
        }
        assert_eq!(condition.field("LimitState/CurrentState"), text("Low"));
        assert_eq!(condition.field("LowLimit"), (-0.5).into());
        condition.alarm.event.limit = None;
        assert_eq!(condition.field("HighLimit"), Variant::Empty);
        assert_eq!(condition.field("Nothing"), Variant::Empty);
        condition.alarm.event.measured = f64::NAN;
        assert_eq!(condition.field("Measured"), Variant::Empty);
    }

    #[test]
    fn what_a_new_run_ends_keeps_saying_what_it_was() {
        let mut condition = condition();
        condition.alarm.event.cause = "the seal leaks".into();
        condition.alarm.event.action = "Replace it.".into();
        assert_eq!(
            condition.field("Message"),
            text("gripper: the seal leaks; Replace it.")
        );
        condition.alarm.active = false;
        (condition.alarm.last_seq, condition.alarm.ended_utc_ns) = (9, Some(5_000));
        assert_eq!(
            condition.field("Message"),
            text("gripper: the seal leaks; Replace it. (ended by a new run, which judges anew)")
        );
        assert_eq!(condition.field("Cause"), "the seal leaks".into());
        assert_eq!(condition.field("EventNumber"), 9_u64.into());
        assert_eq!(
            condition.field("Quality/SourceTimestamp"),
            date(5_000).into()
        );
    }

    #[test]
    fn it_stays_until_it_is_cleared_and_acknowledged() {
        let mut condition = condition();
        assert!(condition.retain());
        condition.alarm.active = false;
        assert!(condition.retain());
        condition.alarm.acknowledged = Some(crate::gateway::book::Acknowledgement {
            who: "eva".into(),
            time_utc_ns: 0,
            comment: String::new(),
        });
        assert!(!condition.retain());
        assert_eq!(condition.field("AckedState/Id"), true.into());
    }
}
