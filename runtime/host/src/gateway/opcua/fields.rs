//! The fields of an alarm: their paths as OPC 10000-9 has them, and our own.

use opcua::types::DataTypeId;

/// One field.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Path from the condition, with `/` between browse names.
    pub path: &'static str,
    /// Type of its value.
    pub data_type: DataTypeId,
    /// A property, not a variable with children.
    pub property: bool,
}

const fn property(path: &'static str, data_type: DataTypeId) -> Field {
    Field {
        path,
        data_type,
        property: true,
    }
}

const fn variable(path: &'static str, data_type: DataTypeId) -> Field {
    Field {
        path,
        data_type,
        property: false,
    }
}

/// Fields of the standard's types, parents before children. `ShelvingState` and `LimitState` are objects.
pub const STANDARD: &[Field] = &[
    property("EventId", DataTypeId::ByteString),
    property("EventType", DataTypeId::NodeId),
    property("SourceNode", DataTypeId::NodeId),
    property("SourceName", DataTypeId::String),
    property("Time", DataTypeId::UtcTime),
    property("ReceiveTime", DataTypeId::UtcTime),
    property("Message", DataTypeId::LocalizedText),
    property("Severity", DataTypeId::UInt16),
    property("ConditionClassId", DataTypeId::NodeId),
    property("ConditionClassName", DataTypeId::LocalizedText),
    property("ConditionName", DataTypeId::String),
    property("BranchId", DataTypeId::NodeId),
    property("Retain", DataTypeId::Boolean),
    variable("EnabledState", DataTypeId::LocalizedText),
    property("EnabledState/Id", DataTypeId::Boolean),
    variable("Quality", DataTypeId::StatusCode),
    property("Quality/SourceTimestamp", DataTypeId::UtcTime),
    variable("LastSeverity", DataTypeId::UInt16),
    property("LastSeverity/SourceTimestamp", DataTypeId::UtcTime),
    variable("Comment", DataTypeId::LocalizedText),
    property("Comment/SourceTimestamp", DataTypeId::UtcTime),
    property("ClientUserId", DataTypeId::String),
    variable("AckedState", DataTypeId::LocalizedText),
    property("AckedState/Id", DataTypeId::Boolean),
    variable("ActiveState", DataTypeId::LocalizedText),
    property("ActiveState/Id", DataTypeId::Boolean),
    property("InputNode", DataTypeId::NodeId),
    property("SuppressedOrShelved", DataTypeId::Boolean),
    property("MaxTimeShelved", DataTypeId::Duration),
    variable("ShelvingState/CurrentState", DataTypeId::LocalizedText),
    property("ShelvingState/CurrentState/Id", DataTypeId::NodeId),
    property("ShelvingState/UnshelveTime", DataTypeId::Duration),
    variable("LimitState/CurrentState", DataTypeId::LocalizedText),
    property("LimitState/CurrentState/Id", DataTypeId::NodeId),
    property("HighLimit", DataTypeId::Double),
    property("LowLimit", DataTypeId::Double),
    property("SetpointNode", DataTypeId::NodeId),
];

/// Fields of `TwinDeviationAlarmType`.
pub const OWN: &[Field] = &[
    property("Channel", DataTypeId::String),
    property("Detector", DataTypeId::String),
    property("Regime", DataTypeId::String),
    property("Measured", DataTypeId::Double),
    property("Predicted", DataTypeId::Double),
    property("Residual", DataTypeId::Double),
    property("Unit", DataTypeId::String),
    property("Cause", DataTypeId::String),
    property("Action", DataTypeId::String),
    property("AssetId", DataTypeId::String),
    property("Recipe", DataTypeId::String),
    property("Part", DataTypeId::String),
    property("Tool", DataTypeId::String),
    property("Load", DataTypeId::String),
    property("Temperature", DataTypeId::String),
    property("EventNumber", DataTypeId::UInt64),
    property("FalseAlarmIntervalAsked", DataTypeId::Duration),
    property("FalseAlarmIntervalExtrapolated", DataTypeId::Duration),
    property("FalseAlarmIntervalDemonstrated", DataTypeId::Duration),
];

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Field> {
    STANDARD.iter().chain(OWN)
}

impl Field {
    /// Path of its parent, empty for the condition itself, and its own name.
    pub fn split(&self) -> (&'static str, &'static str) {
        self.path.rsplit_once('/').unwrap_or(("", self.path))
    }
}
