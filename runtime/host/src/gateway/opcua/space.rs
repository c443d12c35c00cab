//! The address space: what stands in it, and how the status of the instance gets there.
//!
//! The components of the machine are made when the first status comes, and anew when a later one is of another machine.

use super::OpcuaConfig;
use super::fields;
use super::maker::{Maker, Watched};
use super::methods::CoreManager;
use super::nodes::Nodes;
use super::quantities::{AXIS, CYCLE, Look, ROW, SINK, STATION, STROKE};
use crate::control::status::StatusLine;
use crate::gateway::buses::each;
use opcua::nodes::{
    EventNotifier, ObjectBuilder, ObjectTypeBuilder, ReferenceDirection, VariableBuilder,
};
use opcua::server::SubscriptionCache;
use opcua::server::node_manager::memory::SimpleNodeManager;
use opcua::types::{
    DataTypeId, DataValue, DateTime, LocalizedText, NodeId, ObjectId, ObjectTypeId, QualifiedName,
    ReferenceTypeId, StatusCode, VariableTypeId, Variant,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use twinstep_config::machine::AxisKind;

/// Names that say which nodes there are.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shape {
    machine: String,
    version: String,
    plan: String,
    /// One without a name, or several.
    buses: Vec<BusShape>,
    sinks: Vec<&'static str>,
}

/// The same of a bus.
#[derive(Debug, Default, PartialEq, Eq)]
struct BusShape {
    name: Option<String>,
    axes: Vec<String>,
    /// Those of them that are rotary.
    rotary: BTreeSet<String>,
    presses: BTreeSet<String>,
    stations: Vec<String>,
    rows: Vec<String>,
}

impl Shape {
    fn of(look: Look<'_>) -> Self {
        let identity = &look.status.identity;
        Self {
            machine: identity.machine.clone(),
            version: identity.version.clone(),
            plan: identity.plan.clone(),
            buses: each(look.status).iter().map(BusShape::of).collect(),
            sinks: look.sinks.iter().map(|sink| sink.name).collect(),
        }
    }
}

impl BusShape {
    fn of(bus: &StatusLine) -> Self {
        Self {
            name: bus.bus_name.clone(),
            axes: bus.axes.iter().map(|axis| axis.name.clone()).collect(),
            rotary: (bus.axes.iter())
                .filter(|axis| axis.moves() == AxisKind::Rotary)
                .map(|axis| axis.name.clone())
                .collect(),
            presses: (bus.strokes.iter())
                .map(|stroke| stroke.source.clone())
                .collect(),
            stations: bus.stations.iter().map(|s| s.name.clone()).collect(),
            rows: bus.rows().map(|row| row.name.clone()).collect(),
        }
    }
}

/// The bus in this place.
fn bus(look: Look<'_>, place: usize) -> Option<&StatusLine> {
    each(look.status).get(place)
}

/// See the module.
pub struct Space {
    /// Names of its nodes.
    pub nodes: Nodes,
    /// The manager of our nodes.
    pub ours: Arc<SimpleNodeManager>,
    /// The manager of the standard's.
    pub core: Arc<CoreManager>,
    /// Who listens.
    pub subscriptions: Arc<SubscriptionCache>,
    /// Conditions with nodes of their own.
    pub conditions: usize,
    shape: Option<Shape>,
    /// What the operator says of the machine.
    card: Vec<(&'static str, String)>,
    made: Vec<NodeId>,
    watched: Vec<Watched>,
    answers: bool,
}

impl Space {
    /// A space with types and folders, and no machine yet.
    pub fn new(
        nodes: Nodes,
        (ours, core): (Arc<SimpleNodeManager>, Arc<CoreManager>),
        subscriptions: Arc<SubscriptionCache>,
        config: &OpcuaConfig,
    ) -> Self {
        let card = (config.identification())
            .map(|(name, text)| (name, text.to_owned()))
            .collect();
        let space = Self {
            card,
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
        let buses = || shape.buses.iter();
        self.nodes.axes = buses().flat_map(|bus| bus.axes.clone()).collect();
        self.nodes.stations = buses().flat_map(|bus| bus.stations.clone()).collect();
        let on = buses().flat_map(|bus| {
            let name = bus.name.as_ref();
            let all = bus.axes.iter().chain(&bus.stations);
            all.filter_map(move |one| Some((one.clone(), name?.clone())))
        });
        self.nodes.on = on.collect();
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
        for (name, text) in &self.card {
            // Names of makers and models are in a language, numbers and addresses are not.
            let (data_type, value) = match *name {
                "Manufacturer" | "Model" => (
                    DataTypeId::LocalizedText,
                    LocalizedText::new("", text).into(),
                ),
                _ => (DataTypeId::String, Variant::from(text.as_str())),
            };
            maker.property(&card, "Machine/Identification", name, data_type, value);
        }
        let several = (shape.buses.iter()).any(|bus| bus.name.is_some()).then(|| {
            let kind = ObjectTypeId::FolderType;
            maker.object("Machine/Buses", &machine, "Buses", kind)
        });
        for (place, bus) in shape.buses.iter().enumerate() {
            let root = Nodes::root(bus.name.as_deref());
            let parent = match (&several, &bus.name) {
                (Some(folder), Some(name)) => {
                    let kind = ObjectTypeId::BaseObjectType;
                    let id = maker.object(&root, folder, name, kind);
                    (maker.space).insert_reference(&machine, &id, ReferenceTypeId::HasEventSource);
                    id
                }
                _ => machine.clone(),
            };
            put_bus(&mut maker, &machine, (&parent, &root), bus, place);
        }
        let monitoring = maker.nodes.at("Machine/Monitoring");
        if several.is_some() {
            let kind = ObjectTypeId::FolderType;
            maker.object("Machine/Monitoring", &machine, "Monitoring", kind);
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
}

/// Components and monitoring of the bus in this `place`, under `parent`, whose path is `root`.
fn put_bus(
    maker: &mut Maker<'_>,
    machine: &NodeId,
    (parent, root): (&NodeId, &str),
    shape: &BusShape,
    place: usize,
) {
    let folder = ObjectTypeId::FolderType;
    let object = ObjectTypeId::BaseObjectType;
    let at = format!("{root}/Components");
    let components = maker.object(&at, parent, "Components", folder);
    for (n, axis) in shape.axes.iter().enumerate() {
        let path = format!("{at}/{axis}");
        let id = maker.object(&path, &components, axis, object);
        (maker.space).insert_reference(machine, &id, ReferenceTypeId::HasEventSource);
        let kind = match shape.rotary.contains(axis) {
            true => AxisKind::Rotary,
            false => AxisKind::Linear,
        };
        maker.group_on(&id, &path, (AXIS, kind), move |look| {
            bus(look, place)?.axes.get(n)
        });
        if let Some(press) = shape.presses.get(axis).cloned() {
            let path = format!("{path}/LastStroke");
            let id = maker.object(&path, &id, "LastStroke", object);
            maker.group(&id, &path, STROKE, move |look: Look<'_>| {
                let mut strokes = bus(look, place)?.strokes.iter();
                strokes.rfind(|stroke| stroke.source == press)
            });
        }
    }
    for (n, station) in shape.stations.iter().enumerate() {
        let path = format!("{at}/{station}");
        let id = maker.object(&path, &components, station, object);
        (maker.space).insert_reference(machine, &id, ReferenceTypeId::HasEventSource);
        maker.group(&id, &path, STATION, move |look| {
            bus(look, place)?.stations.get(n)
        });
    }
    let at = format!("{root}/Monitoring");
    let monitoring = maker.object(&at, parent, "Monitoring", folder);
    maker.group(&monitoring, &at, CYCLE, move |look| bus(look, place));
    let rows = maker.object(&format!("{at}/Phases"), &monitoring, "Phases", folder);
    for (n, row) in shape.rows.iter().enumerate() {
        let path = format!("{at}/Phases/{row}");
        let id = maker.object(&path, &rows, row, object);
        maker.group(&id, &path, ROW, move |look| bus(look, place)?.rows().nth(n));
    }
}
