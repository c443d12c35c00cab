//! The way out for stored events, at the end of the scribe's thread.

use super::wire::StoredEvent;
use super::{EVENT_BUFFER, MAX_SUBSCRIBERS, NODE, failed, node, service_name};
use crate::error::HostError;
use crate::lines::EventRecord;
use iceoryx2::node::Node;
use iceoryx2::port::backpressure_strategy::BackpressureStrategy;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::service::ipc_threadsafe::Service;
use twinstep_config::machine::Shared;

/// Publishes events that are stored. It is made on one thread and used on another.
pub struct EventOutlet {
    events: Publisher<Service, StoredEvent, ()>,
    // Goes last: the port is on it.
    _node: Node<Service>,
}

impl EventOutlet {
    /// Makes the service.
    ///
    /// # Errors
    /// [`HostError::Machine`] where the shared memory cannot be had, or another process publishes under this name.
    pub fn new(settings: &Shared) -> Result<Self, HostError> {
        let node = node::<Service>(NODE)?;
        let name = service_name(&settings.name, "events")?;
        let service = node
            .service_builder(&name)
            .publish_subscribe::<StoredEvent>()
            .max_publishers(1)
            .max_subscribers(MAX_SUBSCRIBERS)
            .subscriber_max_buffer_size(EVENT_BUFFER)
            .history_size(0)
            .enable_safe_overflow(true)
            .open_or_create()
            .map_err(|error| failed(name.as_str(), &error))?;
        let events = service
            .publisher_builder()
            .max_loaned_samples(1)
            .backpressure_strategy(BackpressureStrategy::DiscardData)
            .create()
            .map_err(|error| failed(name.as_str(), &error))?;
        Ok(Self {
            events,
            _node: node,
        })
    }

    /// Shows an event that is stored. Who misses one finds it in the store, by the gap in the numbers.
    pub fn show(&self, record: &EventRecord) {
        // Without memory it is not shown; it is stored all the same.
        let _ = self.events.send_copy(StoredEvent::of(record));
    }
}
