//! The way in: requests of a controller process, in either layout.
//!
//! Requests of the second layout tell tool, load and temperature besides; controllers that know the first one go on with it. Each layout is
//! a service of its own, and takes one controller. Of two the one that was taken first is heard until it is silent for longer than the
//! liveness limit.

use super::refused::{Refused, Why};
use super::wire::{AxisTarget, RequestHeader, RequestHeader2};
use super::{MAX_SUBSCRIBERS, NODE, REQUEST_BUFFER, failed, name_of_layout, node};
use crate::error::HostError;
use iceoryx2::node::Node;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::service::ipc;
use iceoryx2_bb_elementary_traits::zero_copy_send::ZeroCopySend;
use std::fmt::Debug;
use std::sync::Arc;
use twinstep_config::machine::{ContextFrom, Machine, Shared};
use twinstep_cycle::controller::{AxisRequest, ControllerSource, ControllerState, Request};
use twinstep_cycle::setpoint::{SetpointSource, Setpoints, StationSetpoint};
use twinstep_models::sample::{Context, Samples};

/// Where requests of one layout come in.
type Inlet<H> = Subscriber<ipc::Service, [AxisTarget], H>;

/// Set-points that a controller process sends. Belongs to the thread that made it.
///
/// A request with the wrong number of axes, with a recipe or part that the configuration does not have, of a second controller, or for
/// another time ([`ControllerSource::take`]), is refused: it counts as not sent.
pub struct SharedController<'a> {
    first: Inlet<RequestHeader>,
    second: Inlet<RequestHeader2>,
    source: ControllerSource<'a>,
    /// What was read last, as large as the machine.
    axes: Vec<AxisRequest>,
    stations: Vec<StationSetpoint>,
    recipes: usize,
    parts: usize,
    from: ContextFrom,
    /// Band of the temperature of the last request.
    band: u8,
    /// Layout of the last request that was taken, and the cycle in which it was; none before the first.
    heard: Option<(u8, u64)>,
    liveness_cycles: u64,
    refused: Arc<Refused>,
    _node: Node<ipc::Service>,
}

/// What a request says once for all axes, in whichever layout.
#[derive(Clone, Copy, Debug)]
struct Asked {
    layout: u8,
    cycle: u64,
    ejectors: u64,
    blow_offs: u64,
    recipe: u8,
    part: u8,
    /// The numbers of tool, load and temperature, where the layout has them.
    told: Option<(u32, u32, f64)>,
}

impl From<&RequestHeader> for Asked {
    fn from(header: &RequestHeader) -> Self {
        Self {
            layout: 1,
            cycle: header.cycle,
            ejectors: header.ejectors,
            blow_offs: header.blow_offs,
            recipe: header.recipe,
            part: header.part,
            told: None,
        }
    }
}

impl From<&RequestHeader2> for Asked {
    fn from(header: &RequestHeader2) -> Self {
        Self {
            layout: 2,
            cycle: header.cycle,
            ejectors: header.ejectors,
            blow_offs: header.blow_offs,
            recipe: header.recipe,
            part: header.part,
            told: Some((header.tool, header.load, header.temperature)),
        }
    }
}

/// The service of one layout, made where it is not there yet.
fn inlet<H: ZeroCopySend + Debug + 'static>(
    node: &Node<ipc::Service>,
    settings: &Shared,
    layout: u8,
) -> Result<Inlet<H>, HostError> {
    let name = name_of_layout(&settings.name, "requests", layout)?;
    let service = node
        .service_builder(&name)
        .publish_subscribe::<[AxisTarget]>()
        .user_header::<H>()
        // Two controllers would pull at the same axis.
        .max_publishers(1)
        .max_subscribers(MAX_SUBSCRIBERS)
        .subscriber_max_buffer_size(REQUEST_BUFFER)
        .history_size(0)
        .enable_safe_overflow(true)
        .open_or_create()
        .map_err(|error| failed(name.as_str(), &error))?;
    service
        .subscriber_builder()
        .buffer_size(REQUEST_BUFFER)
        .create()
        .map_err(|error| failed(name.as_str(), &error))
}

impl<'a> SharedController<'a> {
    /// Makes the services. `source` is what follows the requests; `refused` counts those that are not followed, by why.
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
        // Who finds the first layout finds the second one too.
        let second = inlet(&node, settings, 2)?;
        let first = inlet(&node, settings, 1)?;
        let liveness = settings.controller.map_or(1, |one| one.liveness_cycles);
        Ok(Self {
            first,
            second,
            source,
            axes: vec![AxisRequest::default(); machine.axes.len() + machine.presses.len()],
            stations: vec![StationSetpoint::default(); machine.stations.len()],
            recipes: machine.recipes.len().max(1),
            parts: machine.parts.len().max(1),
            from: machine.context.clone(),
            band: Context::UNKNOWN,
            heard: None,
            liveness_cycles: u64::from(liveness),
            refused,
            _node: node,
        })
    }

    fn listen(&mut self, now: u64) {
        // At most what fits into the buffers: a controller that sends without end must not hold the cycle up.
        for _ in 0..REQUEST_BUFFER {
            let Ok(Some(sample)) = self.second.receive() else {
                break;
            };
            self.take(Asked::from(sample.user_header()), sample.payload(), now);
        }
        for _ in 0..REQUEST_BUFFER {
            let Ok(Some(sample)) = self.first.receive() else {
                break;
            };
            self.take(Asked::from(sample.user_header()), sample.payload(), now);
        }
    }

    /// Why a request does not fit the machine, or comes from a second controller.
    fn unfit(&self, asked: &Asked, axes: usize, now: u64) -> Option<Why> {
        let known =
            usize::from(asked.recipe) < self.recipes && usize::from(asked.part) < self.parts;
        let other = |(layout, at): (u8, u64)| {
            layout != asked.layout && now.saturating_sub(at) <= self.liveness_cycles
        };
        if axes != self.axes.len() {
            Some(Why::Axes)
        } else if !known {
            Some(Why::Context)
        } else {
            self.heard.is_some_and(other).then_some(Why::Second)
        }
    }

    fn take(&mut self, asked: Asked, targets: &[AxisTarget], now: u64) {
        if let Some(why) = self.unfit(&asked, targets.len(), now) {
            self.source.refuse();
            self.refused.count(why);
            return;
        }
        for (axis, target) in self.axes.iter_mut().zip(targets) {
            *axis = AxisRequest {
                enable: target.enable != 0,
                target_m: target.target_m,
            };
        }
        for (n, station) in self.stations.iter_mut().enumerate() {
            *station = StationSetpoint {
                ejector_on: asked.ejectors >> n & 1 == 1,
                blow_off: asked.blow_offs >> n & 1 == 1,
            };
        }
        let context = Context {
            recipe: asked.recipe,
            part: asked.part,
            conditions: self.from.of_request(asked.told, self.band),
        };
        let request = Request {
            cycle: asked.cycle,
            axes: &self.axes,
            stations: &self.stations,
            context,
        };
        if !self.source.take(&request, now) {
            self.refused.count(Why::Time);
            return;
        }
        self.heard = Some((asked.layout, now));
        self.band = context.conditions.temperature;
        if asked.told.is_none() && self.from.is_told_by_controller() {
            self.refused.lacks_conditions();
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
        let layout = self.heard.map_or(0, |(layout, _)| layout);
        let state = self.source.controller();
        state.map(|state| ControllerState { layout, ..state })
    }
}
