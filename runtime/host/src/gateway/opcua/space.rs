//! The address space: what stands in it, and how the status of the instance gets there.
//!
//! The components of the machine are made when the first status comes, and anew when a later one is of another machine.

use super::condition::Condition;
use super::fields::{self, Field};
use super::methods::{ALARM_METHODS, CoreManager, SHELVING_METHODS};
use super::nodes::Nodes;
use crate::control::status::{AxisLine, RowLine, StationLine, StatusLine};
use crate::gateway::sinks::SinkLine;
use opcua::nodes::{
    EventNotifier, ObjectBuilder, ObjectTypeBuilder, ReferenceDirection, VariableBuilder,
};
use opcua::server::SubscriptionCache;
use opcua::server::address_space::AddressSpace;
use opcua::server::node_manager::memory::SimpleNodeManager;
use opcua::types::{
    DataTypeId, DataValue, DateTime, EUInformation, ExtensionObject, LocalizedText, NodeId,
    ObjectId, ObjectTypeId, QualifiedName, ReferenceTypeId, StatusCode, VariableTypeId, Variant,
};
use std::sync::Arc;

/// Conditions that have nodes to be read; more of them are told by events alone.
const MAX_CONDITION_NODES: usize = 256;

/// A unit: its code in UNECE Recommendation 20, and how it is written.
#[derive(Clone, Copy)]
struct Unit(&'static str, &'static str);

const METRE: Unit = Unit("MTR", "m");
const METRE_PER_SECOND: Unit = Unit("MTS", "m/s");
const AMPERE: Unit = Unit("AMP", "A");
const PASCAL: Unit = Unit("PAL", "Pa");
const NANOSECOND: Unit = Unit("C45", "ns");
const ONE: Unit = Unit("C62", "1");

impl Unit {
    fn information(self) -> EUInformation {
        EUInformation {
            namespace_uri: "http://www.opcfoundation.org/UA/units/un/cefact".into(),
            // OPC 10000-8: the code's letters, the first one highest.
            unit_id: self.0.bytes().fold(0, |id, byte| id << 8 | i32::from(byte)),
            display_name: LocalizedText::new("en", self.1),
            description: LocalizedText::new("en", self.1),
        }
    }
}

/// What variables are read from.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    /// The instance.
    pub status: &'a StatusLine,
    /// The gateway's sinks.
    pub sinks: &'a [SinkLine],
}

type Read = Box<dyn Fn(Look<'_>) -> Option<Variant> + Send>;

struct Watched {
    id: NodeId,
    read: Read,
}

/// Names that say which nodes there are.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shape {
    machine: String,
    version: String,
    plan: String,
    axes: Vec<String>,
    stations: Vec<String>,
    rows: Vec<String>,
    sinks: Vec<&'static str>,
}

impl Shape {
    fn of(look: Look<'_>) -> Self {
        let status = look.status;
        Self {
            machine: status.identity.machine.clone(),
            version: status.identity.version.clone(),
            plan: status.identity.plan.clone(),
            axes: status.axes.iter().map(|axis| axis.name.clone()).collect(),
            stations: status.stations.iter().map(|s| s.name.clone()).collect(),
            rows: status.rows().map(|row| row.name.clone()).collect(),
            sinks: look.sinks.iter().map(|sink| sink.name).collect(),
        }
    }
}

/// See the module.
pub struct Space {
    /// Names of its nodes.
    pub nodes: Nodes,
    ours: Arc<SimpleNodeManager>,
    core: Arc<CoreManager>,
    subscriptions: Arc<SubscriptionCache>,
    shape: Option<Shape>,
    made: Vec<NodeId>,
    watched: Vec<Watched>,
    conditions: usize,
    answers: bool,
}

type Quantity<T> = (
    &'static str,
    DataTypeId,
    Option<Unit>,
    fn(&T) -> Option<Variant>,
);

fn double(value: Option<f64>) -> Option<Variant> {
    value.map(Variant::from)
}

fn word(value: Option<&String>) -> Option<Variant> {
    value.map(|word| word.as_str().into())
}

const AXIS: &[Quantity<AxisLine>] = &[
    ("ActualPosition", DataTypeId::Double, Some(METRE), |axis| {
        double(axis.position_m)
    }),
    (
        "PredictedPosition",
        DataTypeId::Double,
        Some(METRE),
        |axis| double(axis.predicted_position_m),
    ),
    (
        "ActualVelocity",
        DataTypeId::Double,
        Some(METRE_PER_SECOND),
        |axis| double(axis.velocity_m_per_s),
    ),
    (
        "PredictedVelocity",
        DataTypeId::Double,
        Some(METRE_PER_SECOND),
        |axis| double(axis.predicted_velocity_m_per_s),
    ),
    ("ActualCurrent", DataTypeId::Double, Some(AMPERE), |axis| {
        double(axis.current_a)
    }),
    (
        "PredictedCurrent",
        DataTypeId::Double,
        Some(AMPERE),
        |axis| double(axis.predicted_current_a),
    ),
    ("ResidualSigma", DataTypeId::Double, Some(ONE), |axis| {
        double(axis.residual_sigma)
    }),
    ("Confidence", DataTypeId::Double, Some(ONE), |axis| {
        double(axis.confidence)
    }),
    ("Regime", DataTypeId::String, None, |axis| {
        word(axis.regime.as_ref())
    }),
    ("Judged", DataTypeId::Boolean, None, |axis| {
        Some(axis.judged.into())
    }),
];

const STATION: &[Quantity<StationLine>] = &[
    (
        "ActualPressure",
        DataTypeId::Double,
        Some(PASCAL),
        |station| double(station.pressure_pa),
    ),
    (
        "PredictedPressure",
        DataTypeId::Double,
        Some(PASCAL),
        |station| double(station.predicted_pressure_pa),
    ),
    ("ResidualSigma", DataTypeId::Double, Some(ONE), |station| {
        double(station.residual_sigma)
    }),
];

const ROW: &[Quantity<RowLine>] = &[
    ("P50", DataTypeId::UInt64, Some(NANOSECOND), |row| {
        Some(row.run.p50_ns.into())
    }),
    ("P99", DataTypeId::UInt64, Some(NANOSECOND), |row| {
        Some(row.run.p99_ns.into())
    }),
    ("P99_9", DataTypeId::UInt64, Some(NANOSECOND), |row| {
        Some(row.run.p999_ns.into())
    }),
    ("P99_99", DataTypeId::UInt64, Some(NANOSECOND), |row| {
        Some(row.run.p9999_ns.into())
    }),
    ("Max", DataTypeId::UInt64, Some(NANOSECOND), |row| {
        Some(row.run.max_ns.into())
    }),
    ("Budget", DataTypeId::UInt64, Some(NANOSECOND), |row| {
        row.budget_ns.map(Variant::from)
    }),
    ("OverBudget", DataTypeId::UInt64, Some(ONE), |row| {
        Some(row.over_budget.into())
    }),
];

const CYCLE: &[Quantity<StatusLine>] = &[
    ("Cycle", DataTypeId::UInt64, Some(ONE), |status| {
        Some(status.cycle.into())
    }),
    ("Period", DataTypeId::UInt64, Some(NANOSECOND), |status| {
        Some(status.identity.period_ns.into())
    }),
    ("Overruns", DataTypeId::UInt64, Some(ONE), |status| {
        Some(status.overruns.count.into())
    }),
    ("Events", DataTypeId::UInt64, Some(ONE), |status| {
        Some(status.events.into())
    }),
    ("DroppedEvents", DataTypeId::UInt64, Some(ONE), |status| {
        Some(status.dropped_events.into())
    }),
    ("Armed", DataTypeId::Boolean, None, |status| {
        Some(status.armed.into())
    }),
    ("TimingValid", DataTypeId::Boolean, None, |status| {
        status
            .trust
            .get("timing_valid")?
            .as_bool()
            .map(Variant::from)
    }),
];

const SINK: &[Quantity<SinkLine>] = &[
    ("Sent", DataTypeId::UInt64, Some(ONE), |sink| {
        Some(sink.sent.into())
    }),
    ("Failed", DataTypeId::UInt64, Some(ONE), |sink| {
        Some(sink.failed.into())
    }),
    ("Cursor", DataTypeId::UInt64, Some(ONE), |sink| {
        Some(sink.cursor.into())
    }),
    ("Behind", DataTypeId::UInt64, Some(ONE), |sink| {
        Some(sink.behind.into())
    }),
    ("Connected", DataTypeId::Boolean, None, |sink| {
        Some(sink.connected.into())
    }),
    ("Trouble", DataTypeId::String, None, |sink| {
        Some(sink.trouble.as_deref().unwrap_or_default().into())
    }),
];

/// Puts nodes under others and notes which.
struct Maker<'a> {
    space: &'a mut AddressSpace,
    nodes: &'a Nodes,
    made: Vec<NodeId>,
    watched: Vec<Watched>,
}

impl Maker<'_> {
    fn name(&self, name: &str) -> QualifiedName {
        QualifiedName::new(self.nodes.namespace(), name)
    }

    fn object(&mut self, path: &str, parent: &NodeId, name: &str, kind: ObjectTypeId) -> NodeId {
        let id = self.nodes.at(path);
        ObjectBuilder::new(&id, self.name(name), name)
            .component_of(parent.clone())
            .has_type_definition(kind)
            .insert(self.space);
        self.made.push(id.clone());
        id
    }

    fn variable(
        &mut self,
        parent: &NodeId,
        path: &str,
        what: (&str, DataTypeId, Option<Unit>),
        read: Read,
    ) {
        let (name, data_type, unit) = what;
        let id = self.nodes.at(&format!("{path}/{name}"));
        let kind = if unit.is_some() {
            VariableTypeId::AnalogUnitType
        } else {
            VariableTypeId::BaseDataVariableType
        };
        VariableBuilder::new(&id, self.name(name), name)
            .component_of(parent.clone())
            .has_type_definition(kind)
            .data_type(data_type)
            .minimum_sampling_interval(100.0)
            .insert(self.space);
        if let Some(unit) = unit {
            let unit = Variant::from(ExtensionObject::from_message(unit.information()));
            self.property(
                &id,
                &format!("{path}/{name}"),
                "EngineeringUnits",
                DataTypeId::EUInformation,
                unit,
            );
        }
        self.made.push(id.clone());
        self.watched.push(Watched { id, read });
    }

    /// A property of the standard's, or one of ours where `parent` is.
    fn property(
        &mut self,
        parent: &NodeId,
        path: &str,
        name: &str,
        data_type: DataTypeId,
        value: Variant,
    ) {
        let id = self.nodes.at(&format!("{path}/{name}"));
        VariableBuilder::new(&id, QualifiedName::new(0, name), name)
            .property_of(parent.clone())
            .has_type_definition(VariableTypeId::PropertyType)
            .data_type(data_type)
            .value(value)
            .insert(self.space);
        self.made.push(id);
    }

    /// A folder of variables, one for each quantity, read from what `of` finds.
    fn group<T: 'static>(
        &mut self,
        parent: &NodeId,
        path: &str,
        quantities: &'static [Quantity<T>],
        of: impl for<'l> Fn(Look<'l>) -> Option<&'l T> + Copy + Send + 'static,
    ) {
        for (name, data_type, unit, read) in quantities {
            let read: Read = Box::new(move |look| read(of(look)?));
            self.variable(parent, path, (name, *data_type, *unit), read);
        }
    }
}

impl Space {
    /// A space with types and folders, and no machine yet.
    pub fn new(
        nodes: Nodes,
        ours: Arc<SimpleNodeManager>,
        core: Arc<CoreManager>,
        subscriptions: Arc<SubscriptionCache>,
    ) -> Self {
        let space = Self {
            nodes,
            ours,
            core,
            subscriptions,
            shape: None,
            made: Vec::new(),
            watched: Vec::new(),
            conditions: 0,
            answers: false,
        };
        space.put_types();
        space
    }

    fn put_types(&self) {
        let nodes = &self.nodes;
        let mut space = self.ours.address_space().write();
        let event_type = nodes.event_type();
        let name = QualifiedName::new(nodes.namespace(), "TwinDeviationAlarmType");
        ObjectTypeBuilder::new(&event_type, name, "TwinDeviationAlarmType")
            .description("Measurement and prediction of the twin differ")
            .subtype_of(ObjectTypeId::ExclusiveDeviationAlarmType)
            .insert(&mut *space);
        for field in fields::OWN {
            let id = nodes.at(&format!("TwinDeviationAlarmType/{}", field.path));
            VariableBuilder::new(
                &id,
                QualifiedName::new(nodes.namespace(), field.path),
                field.path,
            )
            .property_of(event_type.clone())
            .has_type_definition(VariableTypeId::PropertyType)
            .has_modelling_rule(ObjectId::ModellingRule_Mandatory)
            .data_type(field.data_type)
            .insert(&mut *space);
        }
        ObjectBuilder::new(
            &nodes.machines(),
            QualifiedName::new(nodes.namespace(), "Machines"),
            "Machines",
        )
        .is_folder()
        .organized_by(ObjectId::ObjectsFolder)
        .insert(&mut *space);
        ObjectBuilder::new(
            &nodes.alarms(),
            QualifiedName::new(nodes.namespace(), "Alarms"),
            "Alarms",
        )
        .is_folder()
        .insert(&mut *space);
        // Who browses down from the server finds who tells of events.
        space.insert_reference(
            &ObjectId::Server.into(),
            &nodes.machine(),
            ReferenceTypeId::HasNotifier,
        );
    }

    /// Shows this status; none where nobody answers.
    pub fn show(&mut self, look: Option<Look<'_>>) {
        let Some(look) = look else {
            if std::mem::replace(&mut self.answers, false) {
                self.set(|_| None, StatusCode::BadNoCommunication);
            }
            return;
        };
        self.answers = true;
        let shape = Shape::of(look);
        if self.shape.as_ref() != Some(&shape) {
            self.make(shape, look);
        }
        self.set(|watched| (watched.read)(look), StatusCode::BadNoData);
    }

    /// Writes all variables; those without a value get `without`.
    fn set(&self, value: impl Fn(&Watched) -> Option<Variant>, without: StatusCode) {
        let now = DateTime::now();
        let values = self.watched.iter().map(|watched| {
            let value = match value(watched) {
                Some(value) => DataValue::new_at(value, now),
                None => DataValue::new_at_status(Variant::Empty, now, without),
            };
            (&watched.id, None, value)
        });
        // The nodes were made with the list.
        let _ = self.ours.set_values(&self.subscriptions, values);
    }

    fn make(&mut self, shape: Shape, look: Look<'_>) {
        let identity = &look.status.identity;
        let mut space = self.ours.address_space().write();
        for id in self.made.drain(..).rev() {
            space.delete(&id, true);
        }
        self.nodes.axes = shape.axes.iter().cloned().collect();
        self.nodes.stations = shape.stations.iter().cloned().collect();
        let machine = self.nodes.machine();
        ObjectBuilder::new(
            &machine,
            QualifiedName::new(self.nodes.namespace(), shape.machine.as_str()),
            shape.machine.as_str(),
        )
        .event_notifier(EventNotifier::SUBSCRIBE_TO_EVENTS)
        .organized_by(self.nodes.machines())
        .has_type_definition(ObjectTypeId::BaseObjectType)
        .reference(
            ObjectId::Server,
            ReferenceTypeId::HasNotifier,
            ReferenceDirection::Inverse,
        )
        .has_component(self.nodes.alarms())
        .insert(&mut *space);
        let mut maker = Maker {
            space: &mut space,
            nodes: &self.nodes,
            made: vec![machine.clone()],
            watched: Vec::new(),
        };
        let card = maker.object(
            "Machine/Identification",
            &machine,
            "Identification",
            ObjectTypeId::FolderType,
        );
        let name = LocalizedText::new("", &identity.machine);
        for (property, data_type, value) in [
            (
                "ComponentName",
                DataTypeId::LocalizedText,
                Variant::from(name),
            ),
            (
                "SoftwareRevision",
                DataTypeId::String,
                identity.version.as_str().into(),
            ),
            (
                "PlanHash",
                DataTypeId::String,
                identity.plan.as_str().into(),
            ),
            ("Simulated", DataTypeId::Boolean, identity.simulated.into()),
        ] {
            maker.property(&card, "Machine/Identification", property, data_type, value);
        }
        let components = maker.object(
            "Machine/Components",
            &machine,
            "Components",
            ObjectTypeId::FolderType,
        );
        for (n, axis) in shape.axes.iter().enumerate() {
            let path = format!("Machine/Components/{axis}");
            let id = maker.object(&path, &components, axis, ObjectTypeId::BaseObjectType);
            maker
                .space
                .insert_reference(&machine, &id, ReferenceTypeId::HasEventSource);
            maker.group(&id, &path, AXIS, move |look| look.status.axes.get(n));
        }
        for (n, station) in shape.stations.iter().enumerate() {
            let path = format!("Machine/Components/{station}");
            let id = maker.object(&path, &components, station, ObjectTypeId::BaseObjectType);
            maker
                .space
                .insert_reference(&machine, &id, ReferenceTypeId::HasEventSource);
            maker.group(&id, &path, STATION, move |look| look.status.stations.get(n));
        }
        let monitoring = maker.object(
            "Machine/Monitoring",
            &machine,
            "Monitoring",
            ObjectTypeId::FolderType,
        );
        maker.group(&monitoring, "Machine/Monitoring", CYCLE, |look| {
            Some(look.status)
        });
        let rows = maker.object(
            "Machine/Monitoring/Phases",
            &monitoring,
            "Phases",
            ObjectTypeId::FolderType,
        );
        for (n, row) in shape.rows.iter().enumerate() {
            let path = format!("Machine/Monitoring/Phases/{row}");
            let id = maker.object(&path, &rows, row, ObjectTypeId::BaseObjectType);
            maker.group(&id, &path, ROW, move |look| look.status.rows().nth(n));
        }
        let sinks = maker.object(
            "Machine/Monitoring/Sinks",
            &monitoring,
            "Sinks",
            ObjectTypeId::FolderType,
        );
        for (n, sink) in shape.sinks.iter().enumerate() {
            let path = format!("Machine/Monitoring/Sinks/{sink}");
            let id = maker.object(&path, &sinks, sink, ObjectTypeId::BaseObjectType);
            maker.group(&id, &path, SINK, move |look| look.sinks.get(n));
        }
        (self.made, self.watched) = (maker.made, maker.watched);
        self.shape = Some(shape);
    }

    /// Shows the state of a condition, with a node of its own where there is room.
    pub fn show_condition(&mut self, condition: &Condition) {
        let known = self.ours.address_space().read().node_exists(&condition.id);
        if !known && self.conditions >= MAX_CONDITION_NODES {
            return;
        }
        if !known {
            self.conditions += 1;
            self.make_condition(condition);
        }
        let ids: Vec<_> = fields::all()
            .map(|field| (child(&self.nodes, condition, field.path), field))
            .collect();
        let now = DateTime::now();
        let values = ids.iter().map(|(id, field)| {
            (
                id,
                None,
                DataValue::new_at(condition.field(field.path), now),
            )
        });
        let _ = self.ours.set_values(&self.subscriptions, values);
    }

    /// Lets the methods of the standard's types be called on a condition.
    pub fn allow_methods(&self, condition: &NodeId, nodes: &Nodes) {
        let mut space = self.core.address_space().write();
        for method in ALARM_METHODS.iter().chain(SHELVING_METHODS) {
            space.insert_reference(
                condition,
                &NodeId::from(*method),
                ReferenceTypeId::HasComponent,
            );
        }
        let shelving = shelving_of(condition, nodes);
        for method in SHELVING_METHODS {
            space.insert_reference(
                &shelving,
                &NodeId::from(*method),
                ReferenceTypeId::HasComponent,
            );
        }
    }

    fn make_condition(&self, condition: &Condition) {
        let mut space = self.ours.address_space().write();
        let name = Condition::name(&condition.alarm);
        ObjectBuilder::new(
            &condition.id,
            QualifiedName::new(self.nodes.namespace(), name.as_str()),
            name.as_str(),
        )
        .component_of(self.nodes.alarms())
        .has_type_definition(self.nodes.event_type())
        .reference(
            condition.source_node.clone(),
            ReferenceTypeId::HasCondition,
            ReferenceDirection::Inverse,
        )
        .insert(&mut *space);
        for (state, kind) in [
            ("ShelvingState", ObjectTypeId::ShelvedStateMachineType),
            ("LimitState", ObjectTypeId::ExclusiveLimitStateMachineType),
        ] {
            ObjectBuilder::new(
                &child(&self.nodes, condition, state),
                QualifiedName::new(0, state),
                state,
            )
            .component_of(condition.id.clone())
            .has_type_definition(kind)
            .insert(&mut *space);
        }
        for field in fields::all() {
            self.make_field(&mut space, condition, field);
        }
    }

    fn make_field(&self, space: &mut AddressSpace, condition: &Condition, field: &Field) {
        let own = fields::OWN.iter().any(|own| own.path == field.path);
        let (parent, name) = field.split();
        let parent = if parent.is_empty() {
            condition.id.clone()
        } else {
            child(&self.nodes, condition, parent)
        };
        let namespace = if own { self.nodes.namespace() } else { 0 };
        let id = child(&self.nodes, condition, field.path);
        let node = VariableBuilder::new(&id, QualifiedName::new(namespace, name), name)
            .data_type(field.data_type);
        if field.property {
            node.property_of(parent)
                .has_type_definition(VariableTypeId::PropertyType)
        } else {
            node.component_of(parent).has_type_definition(match name {
                "CurrentState" => VariableTypeId::FiniteStateVariableType,
                "Quality" | "LastSeverity" | "Comment" => VariableTypeId::ConditionVariableType,
                _ => VariableTypeId::TwoStateVariableType,
            })
        }
        .insert(space);
    }
}

fn child(nodes: &Nodes, condition: &Condition, path: &str) -> NodeId {
    nodes.at(&format!(
        "Machine/Alarms/{}/{path}",
        Condition::name(&condition.alarm)
    ))
}

/// The state machine of the shelf of a condition.
pub fn shelving_of(condition: &NodeId, nodes: &Nodes) -> NodeId {
    let name = match &condition.identifier {
        opcua::types::Identifier::String(name) => name.as_ref(),
        _ => "",
    };
    nodes.at(&format!("{name}/ShelvingState"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_units_are_those_of_the_foundation() {
        // UNECE_to_OPCUA.csv of the OPC Foundation.
        for (unit, id) in [
            (METRE, 5_067_858),
            (METRE_PER_SECOND, 5_067_859),
            (AMPERE, 4_279_632),
            (ONE, 4_404_786),
        ] {
            assert_eq!(unit.information().unit_id, id, "{}", unit.0);
        }
    }
}
