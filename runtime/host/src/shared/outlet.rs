//! The way out, at the end of the cycle thread.

use super::wire::{AxisState, CycleHeader, Flag, StationState};
use super::{AXES_BUFFER, FLAG_BUFFER, MAX_SUBSCRIBERS, NODE, failed, node, service_name};
use crate::error::HostError;
use core::fmt::Debug;
use iceoryx2::node::Node;
use iceoryx2::port::backpressure_strategy::BackpressureStrategy;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::service::ipc;
use iceoryx2_bb_elementary_traits::zero_copy_send::ZeroCopySend;
use twinstep_config::machine::Shared;
use twinstep_cycle::event::Event;

/// Samples of all of a kind, one element each.
type Samples<T> = Publisher<ipc::Service, [T], CycleHeader>;

/// Publishes flags, axes and stations. Belongs to the thread that made it.
pub struct SharedOutlet {
    flags: Publisher<ipc::Service, Flag, ()>,
    axes: Samples<AxisState>,
    /// None where the machine has no stations.
    stations: Option<Samples<StationState>>,
    every: u32,
    /// Cycles until the next samples.
    wait: u32,
    dropped: u64,
    // Goes last: the ports are on it.
    _node: Node<ipc::Service>,
}

impl SharedOutlet {
    /// Makes the services for a machine of so many axes, presses among them, and stations.
    ///
    /// # Errors
    /// [`HostError::Machine`] where the shared memory cannot be had, or another process publishes under this name.
    pub fn new(settings: &Shared, (axes, stations): (usize, usize)) -> Result<Self, HostError> {
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
        let of_stations = (stations > 0).then(|| samples(&node, settings, "stations", stations));
        let stations = of_stations.transpose()?;
        // Last: who sees the axes may count on the rest.
        let axes = samples(&node, settings, "axes", axes)?;
        Ok(Self {
            flags,
            axes,
            stations,
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

    /// Whether this cycle is one of those that are shown. To be asked once a cycle.
    pub fn is_due(&mut self) -> bool {
        let due = self.wait == 0;
        self.wait = if due { self.every - 1 } else { self.wait - 1 };
        due
    }

    /// Shows all `axes` of a cycle: `state` says what axis n is.
    pub fn axes(
        &mut self,
        header: CycleHeader,
        axes: usize,
        state: impl FnMut(usize) -> AxisState,
    ) {
        self.dropped += u64::from(!show(&self.axes, header, axes, state));
    }

    /// Shows all `stations` of a cycle: `state` says what station n is.
    pub fn stations(
        &mut self,
        header: CycleHeader,
        stations: usize,
        state: impl FnMut(usize) -> StationState,
    ) {
        if let Some(to) = &self.stations {
            self.dropped += u64::from(!show(to, header, stations, state));
        }
    }

    /// Flags and samples that found no memory.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// Makes the service `what` for samples of `count` elements.
fn samples<T: Debug + ZeroCopySend>(
    node: &Node<ipc::Service>,
    settings: &Shared,
    what: &str,
    count: usize,
) -> Result<Samples<T>, HostError> {
    let name = service_name(&settings.name, what)?;
    let service = node
        .service_builder(&name)
        .publish_subscribe::<[T]>()
        .user_header::<CycleHeader>()
        .max_publishers(1)
        .max_subscribers(MAX_SUBSCRIBERS)
        .subscriber_max_buffer_size(AXES_BUFFER)
        .history_size(0)
        .enable_safe_overflow(true)
        .open_or_create()
        .map_err(|error| failed(name.as_str(), &error))?;
    service
        .publisher_builder()
        .max_loaned_samples(1)
        .initial_max_slice_len(count.max(1))
        .backpressure_strategy(BackpressureStrategy::DiscardData)
        .create()
        .map_err(|error| failed(name.as_str(), &error))
}

/// Sends one sample; false where there is no memory for it.
fn show<T: Debug + ZeroCopySend>(
    to: &Samples<T>,
    header: CycleHeader,
    count: usize,
    state: impl FnMut(usize) -> T,
) -> bool {
    let Ok(sample) = to.loan_slice_uninit(count) else {
        return false;
    };
    let mut sample = sample.write_from_fn(state);
    *sample.user_header_mut() = header;
    sample.send().is_ok()
}
