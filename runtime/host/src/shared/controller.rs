//! The way in: requests of a controller process.

use super::refused::{Refused, Why};
use super::wire::{AxisTarget, RequestHeader};
use super::{MAX_SUBSCRIBERS, NODE, REQUEST_BUFFER, failed, node, service_name};
use crate::error::HostError;
use iceoryx2::node::Node;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::service::ipc;
use std::sync::Arc;
use twinstep_config::machine::{Machine, Shared};
use twinstep_cycle::controller::{AxisRequest, ControllerSource, ControllerState, Request};
use twinstep_cycle::setpoint::{SetpointSource, Setpoints, StationSetpoint};
use twinstep_models::sample::{Context, Samples};

/// Set-points that a controller process sends. Belongs to the thread that made it.
///
/// A request with the wrong number of axes, with a recipe or part that the configuration does not have, or for another time
/// ([`ControllerSource::take`]), is refused: it counts as not sent.
pub struct SharedController<'a> {
    requests: Subscriber<ipc::Service, [AxisTarget], RequestHeader>,
    source: ControllerSource<'a>,
    /// What was read last, as large as the machine.
    axes: Vec<AxisRequest>,
    stations: Vec<StationSetpoint>,
    recipes: usize,
    parts: usize,
    refused: Arc<Refused>,
    _node: Node<ipc::Service>,
}

impl<'a> SharedController<'a> {
    /// Makes the service. `source` is what follows the requests; `refused` counts those that are not followed, by why.
    ///
    /// # Errors
    /// [`HostError::Machine`] where the shared memory cannot be had.
    pub fn new(
        settings: &Shared,
        machine: &Machine,
        source: ControllerSource<'a>,
        refused: Arc<Refused>,
    ) -> Result<Self, HostError> {
        let node = node::<ipc::Service>(NODE)?;
        let name = service_name(&settings.name, "requests")?;
        let service = node
            .service_builder(&name)
            .publish_subscribe::<[AxisTarget]>()
            .user_header::<RequestHeader>()
            // Two controllers would pull at the same axis.
            .max_publishers(1)
            .max_subscribers(MAX_SUBSCRIBERS)
            .subscriber_max_buffer_size(REQUEST_BUFFER)
            .history_size(0)
            .enable_safe_overflow(true)
            .open_or_create()
            .map_err(|error| failed(name.as_str(), &error))?;
        let requests = service
            .subscriber_builder()
            .buffer_size(REQUEST_BUFFER)
            .create()
            .map_err(|error| failed(name.as_str(), &error))?;
        Ok(Self {
            requests,
            source,
            axes: vec![AxisRequest::default(); machine.axes.len() + machine.presses.len()],
            stations: vec![StationSetpoint::default(); machine.stations.len()],
            recipes: machine.recipes.len().max(1),
            parts: machine.parts.len().max(1),
            refused,
            _node: node,
        })
    }

    fn listen(&mut self, now: u64) {
        // At most what fits into the buffer: a controller that sends without end must not hold the cycle up.
        for _ in 0..REQUEST_BUFFER {
            let Ok(Some(sample)) = self.requests.receive() else {
                return;
            };
            let (header, targets) = (*sample.user_header(), sample.payload());
            let known =
                usize::from(header.recipe) < self.recipes && usize::from(header.part) < self.parts;
            let unfit = if targets.len() != self.axes.len() {
                Some(Why::Axes)
            } else {
                (!known).then_some(Why::Context)
            };
            if let Some(why) = unfit {
                self.source.refuse();
                self.refused.count(why);
                continue;
            }
            for (axis, target) in self.axes.iter_mut().zip(targets) {
                *axis = AxisRequest {
                    enable: target.enable != 0,
                    target_m: target.target_m,
                };
            }
            for (n, station) in self.stations.iter_mut().enumerate() {
                *station = StationSetpoint {
                    ejector_on: header.ejectors >> n & 1 == 1,
                    blow_off: header.blow_offs >> n & 1 == 1,
                };
            }
            let context = Context::of(header.recipe, header.part);
            let request = Request {
                cycle: header.cycle,
                axes: &self.axes,
                stations: &self.stations,
                context,
            };
            if !self.source.take(&request, now) {
                self.refused.count(Why::Time);
            }
        }
    }
}

impl SetpointSource for SharedController<'_> {
    fn next(&mut self, samples: &Samples<'_>, skipped: u32, out: &mut Setpoints<'_>) {
        self.listen(out.cycle);
        self.source.next(samples, skipped, out);
    }

    fn stop(&mut self) {
        self.source.stop();
    }

    fn quick_stop(&mut self) {
        self.source.quick_stop();
    }

    fn stop_time_s(&self) -> f64 {
        self.source.stop_time_s()
    }

    fn stopped(&self) -> bool {
        self.source.stopped()
    }

    fn arm(&mut self) {
        self.source.arm();
    }

    fn armed(&self) -> bool {
        self.source.armed()
    }

    fn controller(&self) -> Option<ControllerState> {
        self.source.controller()
    }
}
