//! Nodes of conditions: their state to be read, and their methods to be called.

use super::condition::Condition;
use super::fields::{self, Field};
use super::methods::{ALARM_METHODS, SHELVING_METHODS};
use super::nodes::Nodes;
use super::space::Space;
use opcua::nodes::{ObjectBuilder, VariableBuilder};
use opcua::server::address_space::AddressSpace;
use opcua::types::{
    DataValue, DateTime, Identifier, NodeId, ObjectTypeId, QualifiedName, ReferenceTypeId,
    VariableTypeId,
};

/// Conditions that have nodes to be read; more of them are told by events alone.
const MAX_CONDITION_NODES: usize = 256;

impl Space {
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
        // Its source may have been made anew since.
        let mut space = self.ours.address_space().write();
        space.insert_reference(
            &condition.source_node,
            &condition.id,
            ReferenceTypeId::HasCondition,
        );
        drop(space);
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
        Identifier::String(name) => name.as_ref(),
        _ => "",
    };
    nodes.at(&format!("{name}/ShelvingState"))
}
