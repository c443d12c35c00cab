//! What the library's managers of nodes leave open: who may not call a method is counted here, and not who asks whether he may; queues of
//! values are as long as somebody needs who is late, and not as long as those of events.
//!
//! A manager stands behind each of these. Services that none of ours has (history, and changes of nodes) end here, as they end there.

use crate::gateway::doorkeeper::Doorkeeper;
use async_trait::async_trait;
use opcua::nodes::DefaultTypeTree;
use opcua::server::CreateMonitoredItem;
use opcua::server::diagnostics::NamespaceMetadata;
use opcua::server::node_manager::{
    BrowseNode, BrowsePathItem, DynNodeManager, ExternalReferenceRequest, MethodCall,
    MonitoredItemRef, MonitoredItemUpdateRef, NodeManager, NodeManagerBuilder, NodeManagers,
    ReadNode, RegisterNodeItem, RequestContext, ServerContext, WriteNode,
};
use opcua::types::{
    AttributeId, ExpandedNodeId, MonitoringMode, NodeId, StatusCode, TimestampsToReturn,
};
use std::any::Any;
use std::sync::Arc;

/// Values that wait in one monitored item: those of a second and more.
pub const MAX_VALUES: usize = 16;

/// Builds a [`Managed`] around what `builder` builds.
pub struct ManagedBuilder<B> {
    /// The manager behind it.
    pub builder: B,
    /// Counts who is refused.
    pub doorkeeper: Doorkeeper,
}

impl<B: NodeManagerBuilder> NodeManagerBuilder for ManagedBuilder<B> {
    fn build(self: Box<Self>, context: ServerContext) -> Arc<DynNodeManager> {
        let Self {
            builder,
            doorkeeper,
        } = *self;
        Arc::new(Managed {
            inner: Box::new(builder).build(context),
            doorkeeper,
        })
    }
}

/// See the module.
pub struct Managed {
    inner: Arc<DynNodeManager>,
    doorkeeper: Doorkeeper,
}

/// The manager of this type that stands behind one of ours.
pub fn behind<T: NodeManager + Send + Sync + Any>(managers: &NodeManagers) -> Option<Arc<T>> {
    managers.iter().find_map(|manager| {
        let managed = Arc::clone(manager).into_any_arc().downcast::<Managed>();
        let inner = Arc::clone(&managed.ok()?.inner);
        inner.into_any_arc().downcast::<T>().ok()
    })
}

/// Bounds the queue of an item that is being made. One that is modified later has the bound of events: the library
/// takes the request first, and lends what it made only to be looked at.
fn bound(item: &mut CreateMonitoredItem) {
    if item.item_to_monitor().attribute_id != AttributeId::EventNotifier {
        item.revise_queue_size(MAX_VALUES);
    }
}

#[async_trait]
impl NodeManager for Managed {
    fn owns_node(&self, id: &NodeId) -> bool {
        self.inner.owns_node(id)
    }

    fn name(&self) -> &str {
        self.inner.name()
    }

    fn owns_server_events(&self) -> bool {
        self.inner.owns_server_events()
    }

    fn handle_new_node(&self, parent: &ExpandedNodeId) -> bool {
        self.inner.handle_new_node(parent)
    }

    fn namespaces_for_user(&self, context: &RequestContext) -> Vec<NamespaceMetadata> {
        self.inner.namespaces_for_user(context)
    }

    async fn init(&self, types: &mut DefaultTypeTree, context: ServerContext) {
        self.inner.init(types, context).await;
    }

    async fn resolve_external_references(
        &self,
        context: &RequestContext,
        items: &mut [&mut ExternalReferenceRequest],
    ) {
        self.inner.resolve_external_references(context, items).await;
    }

    async fn read(
        &self,
        context: &RequestContext,
        max_age: f64,
        timestamps: TimestampsToReturn,
        nodes: &mut [&mut ReadNode],
    ) -> Result<(), StatusCode> {
        self.inner.read(context, max_age, timestamps, nodes).await
    }

    async fn write(
        &self,
        context: &RequestContext,
        nodes: &mut [&mut WriteNode],
    ) -> Result<(), StatusCode> {
        self.inner.write(context, nodes).await
    }

    async fn browse(
        &self,
        context: &RequestContext,
        nodes: &mut [BrowseNode],
    ) -> Result<(), StatusCode> {
        self.inner.browse(context, nodes).await
    }

    async fn translate_browse_paths_to_node_ids(
        &self,
        context: &RequestContext,
        nodes: &mut [&mut BrowsePathItem],
    ) -> Result<(), StatusCode> {
        let inner = &self.inner;
        inner
            .translate_browse_paths_to_node_ids(context, nodes)
            .await
    }

    async fn register_nodes(
        &self,
        context: &RequestContext,
        nodes: &mut [&mut RegisterNodeItem],
    ) -> Result<(), StatusCode> {
        self.inner.register_nodes(context, nodes).await
    }

    async fn unregister_nodes(
        &self,
        context: &RequestContext,
        nodes: &[&NodeId],
    ) -> Result<(), StatusCode> {
        self.inner.unregister_nodes(context, nodes).await
    }

    async fn create_monitored_items(
        &self,
        context: &RequestContext,
        items: &mut [&mut CreateMonitoredItem],
    ) -> Result<(), StatusCode> {
        items.iter_mut().for_each(|item| bound(item));
        self.inner.create_monitored_items(context, items).await
    }

    async fn modify_monitored_items(
        &self,
        context: &RequestContext,
        items: &[&MonitoredItemUpdateRef],
    ) {
        self.inner.modify_monitored_items(context, items).await;
    }

    async fn set_monitoring_mode(
        &self,
        context: &RequestContext,
        mode: MonitoringMode,
        items: &[&MonitoredItemRef],
    ) {
        self.inner.set_monitoring_mode(context, mode, items).await;
    }

    async fn delete_monitored_items(&self, context: &RequestContext, items: &[&MonitoredItemRef]) {
        self.inner.delete_monitored_items(context, items).await;
    }

    async fn call(
        &self,
        context: &RequestContext,
        methods: &mut [&mut MethodCall],
    ) -> Result<(), StatusCode> {
        let done = self.inner.call(context, methods).await;
        for call in methods {
            // Nothing of ours ends so: it is the role that was not enough.
            if call.status() == StatusCode::BadUserAccessDenied {
                let what = "OPC UA: somebody who may only look was refused a method";
                self.doorkeeper.refuse("role", what);
            }
        }
        done
    }
}
