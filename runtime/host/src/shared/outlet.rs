//! The way out, at the end of the cycle thread.

use super::wire::{AxisState, CycleHeader, Flag};
use super::{AXES_BUFFER, FLAG_BUFFER, MAX_SUBSCRIBERS, NODE, failed, node, service_name};
use crate::error::HostError;
use iceoryx2::node::Node;
use iceoryx2::port::backpressure_strategy::BackpressureStrategy;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::service::ipc;
use twinstep_config::machine::Shared;
use twinstep_cycle::event::Event;

/// Publishes flags and axes. Belongs to the thread that made it.
pub struct SharedOutlet {
    flags: Publisher<ipc::Service, Flag, ()>,
    axes: Publisher<ipc::Service, [AxisState], CycleHeader>,
    every: u32,
    /// Cycles until the next sample of the axes.
    wait: u32,
    dropped: u64,
    // Goes last: the ports are on it.
    _node: Node<ipc::Service>,
}

impl SharedOutlet {
    /// Makes both services for a machine of `axes` axes and presses.
    ///
    /// # Errors
    /// [`HostError::Machine`] where the shared memory cannot be had, or another process publishes under this name.
    pub fn new(settings: &Shared, axes: usize) -> Result<Self, HostError> {
        let node = node::<ipc::Service>(NODE)?;
        let name = service_name(&settings.name, "flags")?;
        let service = node
            .service_builder(&name)
            .publish_subscribe::<Flag>()
            .max_publishers(1)
            .max_subscribers(MAX_SUBSCRIBERS)
            .subscriber_max_buffer_size(FLAG_BUFFER)
            .history_size(0)
            .enable_safe_overflow(true)
            .open_or_create()
            .map_err(|error| failed(name.as_str(), &error))?;
        let flags = service
            .publisher_builder()
            .max_loaned_samples(1)
            .backpressure_strategy(BackpressureStrategy::DiscardData)
            .create()
            .map_err(|error| failed(name.as_str(), &error))?;
        let name = service_name(&settings.name, "axes")?;
        let service = node
            .service_builder(&name)
            .publish_subscribe::<[AxisState]>()
            .user_header::<CycleHeader>()
            .max_publishers(1)
            .max_subscribers(MAX_SUBSCRIBERS)
            .subscriber_max_buffer_size(AXES_BUFFER)
            .history_size(0)
            .enable_safe_overflow(true)
            .open_or_create()
            .map_err(|error| failed(name.as_str(), &error))?;
        let axes = service
            .publisher_builder()
            .max_loaned_samples(1)
            .initial_max_slice_len(axes.max(1))
            .backpressure_strategy(BackpressureStrategy::DiscardData)
            .create()
            .map_err(|error| failed(name.as_str(), &error))?;
        Ok(Self {
            flags,
            axes,
            every: settings.axes_every,
            wait: 0,
            dropped: 0,
            _node: node,
        })
    }

    /// Shows a deviation at once.
    pub fn flag(&mut self, event: &Event) {
        if self.flags.send_copy(Flag::from(event)).is_err() {
            self.dropped += 1;
        }
    }

    /// Shows all `axes` of a cycle, if it is one of those that are shown: `state` says what axis n is.
    pub fn axes(
        &mut self,
        header: CycleHeader,
        axes: usize,
        state: impl FnMut(usize) -> AxisState,
    ) {
        if self.wait > 0 {
            self.wait -= 1;
            return;
        }
        self.wait = self.every - 1;
        let Ok(sample) = self.axes.loan_slice_uninit(axes) else {
            self.dropped += 1;
            return;
        };
        let mut sample = sample.write_from_fn(state);
        *sample.user_header_mut() = header;
        if sample.send().is_err() {
            self.dropped += 1;
        }
    }

    /// Flags and samples that found no memory.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}
