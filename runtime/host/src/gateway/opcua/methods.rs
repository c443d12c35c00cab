//! What clients may do to alarms: the methods of the standard's condition types, which the library declares and does not have.
//!
//! They are called by the nodes of the types (OPC 10000-9), which are the library's own: this is its manager of them, with those
//! methods put in front.

use super::alarms::Board;
use super::condition::{Condition, EventId, Remark};
use super::condition_nodes::shelving_of;
use super::nodes::Nodes;
use super::users::who_has;
use crate::clock::utc_ns;
use crate::error::HostError;
use crate::gateway::book::{Book, MAX_TEXT};
use crate::gateway::desk::{Desk, ONE_SHOT, SHELF_S};
use crate::gateway::doorkeeper::Doorkeeper;
use async_trait::async_trait;
use opcua::nodes::{BaseEventType, Event};
use opcua::server::CreateMonitoredItem;
use opcua::server::address_space::AddressSpace;
use opcua::server::diagnostics::NamespaceMetadata;
use opcua::server::node_manager::memory::{
    CoreNodeManagerBuilder, CoreNodeManagerImpl, InMemoryNodeManager, InMemoryNodeManagerImpl,
    InMemoryNodeManagerImplBuilder,
};
use opcua::server::node_manager::{
    MethodCall, MonitoredItemRef, MonitoredItemUpdateRef, ParsedReadValueId, RequestContext,
    ServerContext,
};
use opcua::sync::RwLock;
use opcua::types::{
    AttributeId, ByteString, DataValue, DateTime, Identifier, LocalizedText, MethodId,
    MonitoringMode, NodeId, ObjectTypeId, StatusCode, TimestampsToReturn, Variant,
};

/// Methods of a condition.
pub const ALARM_METHODS: &[MethodId] = &[
    MethodId::AcknowledgeableConditionType_Acknowledge,
    MethodId::ConditionType_AddComment,
];

/// Methods of its shelf.
pub const SHELVING_METHODS: &[MethodId] = &[
    MethodId::ShelvedStateMachineType_TimedShelve,
    MethodId::ShelvedStateMachineType_OneShotShelve,
    MethodId::ShelvedStateMachineType_Unshelve,
];

/// The library's manager of the standard's nodes, with our methods.
pub type CoreManager = InMemoryNodeManager<Core>;

/// Builds a [`Core`].
pub struct CoreBuilder(pub Operator);

impl InMemoryNodeManagerImplBuilder for CoreBuilder {
    type Impl = Core;

    fn build(self, context: ServerContext, address_space: &mut AddressSpace) -> Core {
        Core {
            library: CoreNodeManagerBuilder.build(context, address_space),
            operator: self.0,
        }
    }
}

/// See the module.
pub struct Core {
    library: CoreNodeManagerImpl,
    operator: Operator,
}

#[async_trait]
impl InMemoryNodeManagerImpl for Core {
    async fn init(&self, address_space: &mut AddressSpace, context: ServerContext) {
        self.library.init(address_space, context).await;
    }

    fn name(&self) -> &str {
        self.library.name()
    }

    fn namespaces(&self) -> Vec<NamespaceMetadata> {
        self.library.namespaces()
    }

    async fn read_values(
        &self,
        context: &RequestContext,
        address_space: &RwLock<AddressSpace>,
        nodes: &[&ParsedReadValueId],
        max_age: f64,
        timestamps: TimestampsToReturn,
    ) -> Vec<DataValue> {
        let library = &self.library;
        (library.read_values(context, address_space, nodes, max_age, timestamps)).await
    }

    async fn create_value_monitored_items(
        &self,
        context: &RequestContext,
        address_space: &RwLock<AddressSpace>,
        items: &mut [&mut &mut CreateMonitoredItem],
    ) {
        let library = &self.library;
        (library.create_value_monitored_items(context, address_space, items)).await;
    }

    async fn set_monitoring_mode(
        &self,
        context: &RequestContext,
        mode: MonitoringMode,
        items: &[&MonitoredItemRef],
    ) {
        (self.library.set_monitoring_mode(context, mode, items)).await;
    }

    async fn modify_monitored_items(
        &self,
        context: &RequestContext,
        items: &[&MonitoredItemUpdateRef],
    ) {
        self.library.modify_monitored_items(context, items).await;
    }

    async fn delete_monitored_items(&self, context: &RequestContext, items: &[&MonitoredItemRef]) {
        self.library.delete_monitored_items(context, items).await;
    }

    async fn call(
        &self,
        context: &RequestContext,
        address_space: &RwLock<AddressSpace>,
        methods: &mut [&mut &mut MethodCall],
    ) -> Result<(), StatusCode> {
        for call in methods {
            let ours = match call.method_id().as_method_id() {
                Ok(method) => self.operator.call(context, method, call).await,
                Err(_) => None,
            };
            match ours {
                Some(status) => {
                    self.operator.count(status);
                    call.set_status(status);
                }
                None => {
                    let one = std::slice::from_mut(call);
                    self.library.call(context, address_space, one).await?;
                }
            }
        }
        Ok(())
    }
}

/// Does what clients ask for, through the desk.
#[derive(Clone)]
pub struct Operator {
    /// The alarms.
    pub desk: Desk,
    /// The audit trail.
    pub book: Book,
    /// The conditions.
    pub board: Board,
    /// Counts what is refused.
    pub doorkeeper: Doorkeeper,
}

impl Operator {
    /// Does what is asked for; none where the method is not one of ours.
    async fn call(
        &self,
        context: &RequestContext,
        method: MethodId,
        call: &MethodCall,
    ) -> Option<StatusCode> {
        match method {
            MethodId::ConditionType_ConditionRefresh => {
                Some(self.refresh(context, call.arguments(), None))
            }
            MethodId::ConditionType_ConditionRefresh2 => {
                let item = call.arguments().get(1);
                Some(self.refresh(context, call.arguments(), item))
            }
            _ => {
                let wish = match Wish::of(method, call.arguments())? {
                    Ok(wish) => wish,
                    Err(status) => return Some(status),
                };
                let Some(condition) = self.condition(call.object_id()) else {
                    return Some(StatusCode::BadNodeIdUnknown);
                };
                let who = who_has(context.user_token()).name;
                let operator = self.clone();
                // The book waits for the disk.
                let done =
                    tokio::task::spawn_blocking(move || operator.fulfil(wish, &condition, &who));
                Some(done.await.unwrap_or(StatusCode::BadShutdown))
            }
        }
    }

    /// Counts a call that was refused, by its status.
    fn count(&self, status: StatusCode) {
        if status.is_bad() {
            let what = format!("OPC UA: a call of a method was refused: {status}");
            self.doorkeeper.refuse(&status.to_string(), &what);
        }
    }

    /// The condition with this node, or with this shelf.
    fn condition(&self, id: &NodeId) -> Option<Condition> {
        let nodes = Nodes::new(id.namespace);
        self.board.find(id).or_else(|| {
            let name = match &id.identifier {
                Identifier::String(name) => name.as_ref(),
                _ => return None,
            };
            let owner = nodes.at(name.strip_suffix("/ShelvingState")?);
            (shelving_of(&owner, &nodes) == *id).then(|| self.board.find(&owner))?
        })
    }

    fn fulfil(&self, wish: Wish, condition: &Condition, who: &str) -> StatusCode {
        let event = &condition.alarm.event;
        let bus = event.bus.as_deref().unwrap_or_default();
        let name = (bus, event.source.as_str(), event.channel.as_ref());
        let shelved = condition.alarm.shelved_until_utc_ns.is_some();
        let done = match wish {
            Wish::Acknowledge(id, _) | Wish::Comment(id, _) if !names(&id, condition) => {
                return StatusCode::BadEventIdUnknown;
            }
            Wish::Acknowledge(..) if condition.alarm.acknowledged.is_some() => {
                return StatusCode::BadConditionBranchAlreadyAcked;
            }
            Wish::Acknowledge(_, comment) => {
                self.desk
                    .acknowledge(condition.alarm.last_seq, who, &comment)
            }
            Wish::Comment(_, comment) => self.comment(condition, who, comment),
            Wish::Shelve(seconds) => self.desk.shelve(name, seconds, who, "over OPC UA"),
            Wish::OneShot if shelved && condition.one_shot => {
                return StatusCode::BadConditionAlreadyShelved;
            }
            Wish::OneShot => {
                let longest = *SHELF_S.end();
                self.desk.shelve(name, longest, who, ONE_SHOT)
            }
            Wish::Unshelve if !shelved => return StatusCode::BadConditionNotShelved,
            Wish::Unshelve => self.desk.unshelve(name, who).map(|_| ()),
        };
        match done {
            Ok(()) => StatusCode::Good,
            Err(HostError::Usage(_)) => StatusCode::BadInvalidArgument,
            Err(HostError::Machine(_)) => StatusCode::BadResourceUnavailable,
        }
    }

    fn comment(&self, condition: &Condition, who: &str, text: String) -> Result<(), HostError> {
        let (now, name) = (utc_ns(), Condition::name(&condition.alarm));
        self.book.audit(now, who, "comment", &name, &text)?;
        let remark = Remark {
            who: who.to_owned(),
            time_utc_ns: now,
            text,
        };
        self.board.remark(&name, remark);
        Ok(())
    }

    /// Tells one subscription of everything that is to be kept, between the two events that say so.
    fn refresh(
        &self,
        context: &RequestContext,
        arguments: &[Variant],
        item: Option<&Variant>,
    ) -> StatusCode {
        let Some(Variant::UInt32(id)) = arguments.first() else {
            return StatusCode::BadInvalidArgument;
        };
        let only = match item {
            None => None,
            Some(Variant::UInt32(item)) => Some(*item),
            Some(_) => return StatusCode::BadInvalidArgument,
        };
        let subscriptions = context
            .subscriptions()
            .get_session_subscriptions(context.session_id());
        let Some(subscriptions) = subscriptions else {
            return StatusCode::BadSubscriptionIdInvalid;
        };
        let retained = self.board.retained();
        let (start, end) = (
            mark(ObjectTypeId::RefreshStartEventType),
            mark(ObjectTypeId::RefreshEndEventType),
        );
        let type_tree = context.get_type_tree_for_user();
        let mut subscriptions = subscriptions.lock();
        let Some(subscription) = subscriptions.get_mut(*id) else {
            return StatusCode::BadSubscriptionIdInvalid;
        };
        let listens = |item: &&opcua::server::MonitoredItem| {
            item.item_to_monitor().attribute_id == AttributeId::EventNotifier
                && only.is_none_or(|only| only == item.id())
        };
        let items: Vec<u32> = subscription
            .items()
            .filter(listens)
            .map(|item| item.id())
            .collect();
        if only.is_some() && items.is_empty() {
            return StatusCode::BadMonitoredItemIdInvalid;
        }
        for item in items {
            subscription.notify_event(&item, &start, type_tree.get());
            for condition in &retained {
                subscription.notify_event(&item, condition as &dyn Event, type_tree.get());
            }
            subscription.notify_event(&item, &end, type_tree.get());
        }
        StatusCode::Good
    }
}

fn mark(kind: ObjectTypeId) -> BaseEventType {
    let now = utc_ns();
    let id = EventId {
        raised_seq: u64::MAX,
        last_seq: kind as u64,
        nonce: now,
    };
    BaseEventType::new(kind, id.to_bytes(), "Refresh", DateTime::now()).set_severity(1)
}

/// Whether an event of this name tells of the alarm as it stands now, or as it stood earlier.
fn names(id: &ByteString, condition: &Condition) -> bool {
    EventId::from_bytes(id).is_some_and(|id| {
        let alarm = &condition.alarm;
        id.raised_seq == alarm.raised_seq
            && id.last_seq <= alarm.last_seq
            && id.nonce <= condition.event_id.nonce
    })
}

/// What a client wants.
#[derive(Debug, PartialEq)]
enum Wish {
    Acknowledge(ByteString, String),
    Comment(ByteString, String),
    /// For so many seconds.
    Shelve(u64),
    OneShot,
    Unshelve,
}

impl Wish {
    /// What this call wants; none where the method is not one of ours.
    fn of(method: MethodId, arguments: &[Variant]) -> Option<Result<Self, StatusCode>> {
        let words = |make: fn(ByteString, String) -> Self| match arguments {
            [Variant::ByteString(id), Variant::LocalizedText(comment)] => {
                told(comment).map(|comment| make(id.clone(), comment))
            }
            _ => Err(StatusCode::BadInvalidArgument),
        };
        Some(match method {
            MethodId::AcknowledgeableConditionType_Acknowledge => words(Self::Acknowledge),
            MethodId::ConditionType_AddComment => words(Self::Comment),
            MethodId::ShelvedStateMachineType_TimedShelve => match arguments {
                [Variant::Double(milliseconds)] => seconds(*milliseconds).map(Self::Shelve),
                _ => Err(StatusCode::BadInvalidArgument),
            },
            MethodId::ShelvedStateMachineType_OneShotShelve => Ok(Self::OneShot),
            MethodId::ShelvedStateMachineType_Unshelve => Ok(Self::Unshelve),
            _ => return None,
        })
    }
}

/// A comment that is not too long.
fn told(comment: &LocalizedText) -> Result<String, StatusCode> {
    let text = comment.text.as_ref();
    if text.len() > MAX_TEXT {
        return Err(StatusCode::BadInvalidArgument);
    }
    Ok(text.to_owned())
}

/// Whole seconds of a time on the shelf, rounded up.
fn seconds(milliseconds: f64) -> Result<u64, StatusCode> {
    let seconds = (milliseconds / 1000.0).ceil();
    if !(*SHELF_S.start() as f64..=*SHELF_S.end() as f64).contains(&seconds) {
        return Err(StatusCode::BadShelvingTimeOutOfRange);
    }
    // It lies in the range of the shelf.
    Ok(seconds as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_read_with_care() {
        let of = Wish::of;
        let id = ByteString::from(b"12");
        let said = Variant::from(LocalizedText::new("en", "seen"));
        let acknowledge = MethodId::AcknowledgeableConditionType_Acknowledge;
        assert_eq!(
            of(acknowledge, &[id.clone().into(), said.clone()]),
            Some(Ok(Wish::Acknowledge(id.clone(), "seen".into())))
        );
        let long = Variant::from(LocalizedText::new("en", &"x".repeat(MAX_TEXT + 1)));
        for wrong in [
            vec![],
            vec![said.clone()],
            vec![said, 1.into()],
            vec![id.into(), long],
        ] {
            assert_eq!(
                of(acknowledge, &wrong),
                Some(Err(StatusCode::BadInvalidArgument)),
                "{wrong:?}"
            );
        }
        let shelve = MethodId::ShelvedStateMachineType_TimedShelve;
        assert_eq!(of(shelve, &[1500.0_f64.into()]), Some(Ok(Wish::Shelve(2))));
        for wrong in [f64::NAN, -1.0, 0.0, f64::INFINITY, 1e300] {
            let out = Some(Err(StatusCode::BadShelvingTimeOutOfRange));
            assert_eq!(of(shelve, &[wrong.into()]), out, "{wrong}");
        }
        assert_eq!(of(MethodId::ConditionType_Enable, &[]), None);
    }
}
