//! Puts nodes into the address space, under others.

use super::nodes::Nodes;
use super::quantities::{Look, Quantity, Unit};
use opcua::nodes::{ObjectBuilder, VariableBuilder};
use opcua::server::address_space::AddressSpace;
use opcua::types::{
    DataTypeId, ExtensionObject, NodeId, ObjectTypeId, QualifiedName, VariableTypeId, Variant,
};
use twinstep_config::machine::AxisKind;

type Read = Box<dyn Fn(Look<'_>) -> Option<Variant> + Send>;

/// A variable that is kept like what it shows.
pub struct Watched {
    /// Its node.
    pub id: NodeId,
    /// Where its value is found; none where it is not known.
    pub read: Read,
}

/// Puts nodes under others and notes which.
pub struct Maker<'a> {
    /// Where they are put.
    pub space: &'a mut AddressSpace,
    /// Their names.
    pub nodes: &'a Nodes,
    /// What was made.
    pub made: Vec<NodeId>,
    /// Variables among that.
    pub watched: Vec<Watched>,
}

impl Maker<'_> {
    fn name(&self, name: &str) -> QualifiedName {
        QualifiedName::new(self.nodes.namespace(), name)
    }

    /// An object, which goes by `name` under `parent`.
    pub fn object(
        &mut self,
        path: &str,
        parent: &NodeId,
        name: &str,
        kind: ObjectTypeId,
    ) -> NodeId {
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

    /// A property with a value that stays.
    pub fn property(
        &mut self,
        parent: &NodeId,
        path: &str,
        name: &str,
        data_type: DataTypeId,
        value: Variant,
    ) {
        let id = self.nodes.at(&format!("{path}/{name}"));
        let own = name != "EngineeringUnits";
        let namespace = if own { self.nodes.namespace() } else { 0 };
        VariableBuilder::new(&id, QualifiedName::new(namespace, name), name)
            .property_of(parent.clone())
            .has_type_definition(VariableTypeId::PropertyType)
            .data_type(data_type)
            .value(value)
            .insert(self.space);
        self.made.push(id);
    }

    /// A folder of variables, one for each quantity, read from what `of` finds.
    pub fn group<T: 'static>(
        &mut self,
        parent: &NodeId,
        path: &str,
        quantities: &'static [Quantity<T>],
        of: impl for<'l> Fn(Look<'l>) -> Option<&'l T> + Clone + Send + 'static,
    ) {
        self.group_on(parent, path, (quantities, AxisKind::Linear), of);
    }

    /// The same, with the units of an axis that moves so.
    pub fn group_on<T: 'static>(
        &mut self,
        parent: &NodeId,
        path: &str,
        (quantities, kind): (&'static [Quantity<T>], AxisKind),
        of: impl for<'l> Fn(Look<'l>) -> Option<&'l T> + Clone + Send + 'static,
    ) {
        for (name, data_type, unit, read) in quantities {
            let of = of.clone();
            let read: Read = Box::new(move |look| read(of(look)?));
            let unit = unit.map(|unit| unit.on(kind));
            self.variable(parent, path, (name, *data_type, unit), read);
        }
    }
}
