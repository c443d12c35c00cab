//! Payloads of Sparkplug B: metrics, births, data and deaths, and the command for a rebirth.

use super::figures::{Figure, Value};
use srad_types::constants::{BDSEQ, NODE_CONTROL_REBIRTH};
use srad_types::payload::{
    DataType, Message as _, Metric, Payload, PropertySet, PropertyValue, metric, property_value,
};

/// A metric of a birth: with name, type and unit. `alias` is what data will call it.
pub fn birth(figure: &Figure, alias: u64, time_ms: u64) -> Metric {
    let mut metric = data(figure, alias, time_ms);
    metric.set_name(figure.name.to_owned());
    metric.set_datatype(kind(&figure.value));
    if !figure.unit.is_empty() {
        metric.properties = Some(PropertySet {
            keys: vec!["engUnit".to_owned()],
            values: vec![PropertyValue {
                r#type: Some(DataType::String as u32),
                is_null: None,
                value: Some(property_value::Value::StringValue(figure.unit.to_owned())),
            }],
        });
    }
    metric
}

/// A metric of data: alias, time and value.
pub fn data(figure: &Figure, alias: u64, time_ms: u64) -> Metric {
    let mut metric = Metric::new();
    metric.set_alias(alias);
    metric.set_timestamp(time_ms);
    let value = match &figure.value {
        Value::Flag(value) => value.map(metric::Value::BooleanValue),
        Value::Count(value) => value.map(metric::Value::LongValue),
        Value::Number(value) => value.map(metric::Value::DoubleValue),
        Value::Text(value) => value.clone().map(metric::Value::StringValue),
    };
    match value {
        Some(value) => metric.set_value(value),
        None => metric.set_null(),
    };
    metric
}

const fn kind(value: &Value) -> DataType {
    match value {
        Value::Flag(_) => DataType::Boolean,
        Value::Count(_) => DataType::UInt64,
        Value::Number(_) => DataType::Double,
        Value::Text(_) => DataType::String,
    }
}

/// The metric that ties a birth to its death.
pub fn birth_death(number: u8, time_ms: u64) -> Metric {
    let mut metric = Metric::new();
    metric.set_name(BDSEQ.to_owned());
    metric.set_timestamp(time_ms);
    metric.set_datatype(DataType::Int64);
    metric.set_value(metric::Value::LongValue(u64::from(number)));
    metric
}

/// The metric by which a host asks for a rebirth.
pub fn rebirth(time_ms: u64) -> Metric {
    let mut metric = Metric::new();
    metric.set_name(NODE_CONTROL_REBIRTH.to_owned());
    metric.set_timestamp(time_ms);
    metric.set_datatype(DataType::Boolean);
    metric.set_value(metric::Value::BooleanValue(false));
    metric
}

/// Encodes a payload; a death has no number.
pub fn encode(metrics: Vec<Metric>, number: Option<u8>, time_ms: u64) -> Vec<u8> {
    Payload {
        timestamp: Some(time_ms),
        metrics,
        seq: number.map(u64::from),
        uuid: None,
        body: None,
    }
    .encode_to_vec()
}

/// What a command asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// That the node is born again.
    Rebirth,
    /// Nothing.
    Nothing,
    /// Something that this node does not do.
    Unknown,
    /// It cannot be read.
    Unreadable,
}

impl Command {
    /// Reads the payload of a command.
    pub fn of(payload: &[u8]) -> Self {
        let Ok(payload) = Payload::decode(payload) else {
            return Self::Unreadable;
        };
        let asks = |metric: &Metric| metric.name.as_deref() == Some(NODE_CONTROL_REBIRTH);
        let (rebirths, others): (Vec<_>, Vec<_>) =
            payload.metrics.iter().partition(|one| asks(one));
        let wanted = Some(metric::Value::BooleanValue(true));
        if rebirths.iter().any(|metric| metric.value == wanted) {
            Self::Rebirth
        } else if others.is_empty() {
            Self::Nothing
        } else {
            Self::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn births_have_names_and_types_and_data_has_neither() {
        let figure = Figure {
            name: "Current",
            unit: "A",
            deadband: 0.0,
            value: Value::Number(None),
        };
        let first = birth(&figure, 7, 5);
        assert_eq!(
            (first.name.as_deref(), first.alias),
            (Some("Current"), Some(7))
        );
        assert_eq!(first.datatype, Some(DataType::Double as u32));
        assert_eq!(first.is_null, Some(true));
        assert_eq!(
            first.properties.as_ref().map(|set| set.keys.clone()),
            Some(vec!["engUnit".to_owned()])
        );
        let next = data(&figure, 7, 6);
        assert_eq!(
            (next.name, next.datatype, next.alias),
            (None, None, Some(7))
        );
    }

    #[test]
    fn only_true_under_its_name_asks_for_a_rebirth() {
        let command = |name: &str, value| {
            let mut metric = Metric::new();
            metric.set_name(name.to_owned());
            metric.set_value(metric::Value::BooleanValue(value));
            encode(vec![metric], None, 1)
        };
        let of = |name: &str, value| Command::of(&command(name, value));
        assert_eq!(of(NODE_CONTROL_REBIRTH, true), Command::Rebirth);
        assert_eq!(of(NODE_CONTROL_REBIRTH, false), Command::Nothing);
        assert_eq!(of("Node Control/Reboot", true), Command::Unknown);
        assert_eq!(Command::of(b"\xff\xff\xff"), Command::Unreadable);
        assert_eq!(Command::of(b""), Command::Nothing);
    }
}
