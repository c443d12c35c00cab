//! Shared memory (iceoryx2) with other programs on this computer: flags and samples of all axes and stations go out, requests of a
//! controller come in. No copy is made and no system call either; who reads polls.
//!
//! | service | payload | header | way |
//! |---|---|---|---|
//! | `twinstep/NAME/flags/1` | [`Flag`] | none | one sample a deviation, as soon as it is found |
//! | `twinstep/NAME/events/1` | [`StoredEvent`] | none | one sample an event, once it is stored |
//! | `twinstep/NAME/axes/1` | slice of [`AxisState`], servo axes, then presses | [`CycleHeader`] | one sample every `axes_every` cycles |
//! | `twinstep/NAME/stations/1` | slice of [`StationState`]; only where there are stations | [`CycleHeader`] | in the same cycles |
//! | `twinstep/NAME/requests/2` | slice of [`AxisTarget`], as many as the machine has | [`RequestHeader2`] | a controller to twinstep |
//! | `twinstep/NAME/requests/1` | the same | [`RequestHeader`] | a controller of before, which tells no tool, load and temperature |
//!
//! The number at the end is the version of the layout; all are `repr(C)`, so that C, C++ and Python read them too. At most 8
//! subscribers of each. Who does not keep up loses the oldest samples; the cycle never waits. A flag is volatile: what counts is
//! the event in the store.

mod controller;
mod counts;
mod events;
mod halts;
mod outlet;
mod reader;
mod refused;
mod wire;

pub use controller::SharedController;
pub use counts::{ControllerLine, SharedCounts, SharedLine};
pub use events::EventOutlet;
pub use halts::HaltWatch;
pub use outlet::SharedOutlet;
pub use reader::FlagReader;
pub use refused::Refused;
pub use wire::{
    AxisState, AxisTarget, CycleHeader, Flag, RequestHeader, RequestHeader2, StationState,
    StoredEvent, source_kind,
};

use crate::error::HostError;
use iceoryx2::node::node_name::NodeName;
use iceoryx2::node::{Node, NodeBuilder};
use iceoryx2::service::Service;
use iceoryx2::service::service_name::ServiceName;
use iceoryx2::signal_handling_mode::SignalHandlingMode;
use std::sync::Arc;
use twinstep_config::machine::{Machine, Shared};
use twinstep_cycle::controller::{ControlledAxis, ControllerSource};
use twinstep_cycle::setpoint::StationSetpoint;

/// Most subscribers of a service.
pub const MAX_SUBSCRIBERS: usize = 8;
/// Flags that wait for a subscriber.
pub const FLAG_BUFFER: usize = 256;
/// Stored events that wait for a subscriber: a run that ends alarms of earlier ones tells all of them at once.
pub const EVENT_BUFFER: usize = 1024;
/// Samples of all axes, and of all stations, that wait for a subscriber.
pub const AXES_BUFFER: usize = 16;
/// Requests that wait for the cycle; the last one counts.
pub const REQUEST_BUFFER: usize = 2;

/// What a controller moves, with its limits: as large as the machine.
#[derive(Debug)]
pub struct Moved {
    axes: Vec<ControlledAxis>,
    stations: Vec<StationSetpoint>,
    /// What was refused of it, for who says so.
    pub refused: Arc<Refused>,
}

impl Moved {
    /// Takes its memory here.
    pub fn of(machine: &Machine) -> Self {
        let presses = machine.presses.iter().map(|press| &press.axis);
        let axes = machine.axes.iter().chain(presses).map(|axis| {
            let motion = &axis.motion;
            ControlledAxis::new(motion.velocity_m_per_s, motion.acceleration_m_per_s2)
        });
        Self {
            axes: axes.collect(),
            stations: vec![StationSetpoint::default(); machine.stations.len()],
            refused: Arc::default(),
        }
    }
}

/// Makes what `settings` ask for, on the thread that calls: it belongs to it. Not `armed`, a controller enables no drive.
///
/// # Errors
/// [`HostError::Machine`] where the shared memory cannot be had, or another process has the name.
pub fn open<'a>(
    settings: Option<&Shared>,
    machine: &Machine,
    moved: &'a mut Moved,
    armed: bool,
) -> Result<(Option<SharedOutlet>, Option<SharedController<'a>>), HostError> {
    let Some(settings) = settings else {
        return Ok((None, None));
    };
    let counts = (moved.axes.len(), moved.stations.len());
    let controller = settings.controller.map(|controller| {
        let period_s = machine.cycle.period_ns as f64 / 1e9;
        let Moved {
            axes,
            stations,
            refused,
        } = moved;
        let source =
            ControllerSource::new(axes, stations, period_s, controller.liveness_cycles, armed);
        SharedController::new(settings, machine, source, Arc::clone(refused))
    });
    let controller = controller.transpose()?;
    // Last: who sees the axes may count on the rest.
    let outlet = SharedOutlet::new(settings, counts)?;
    Ok((Some(outlet), controller))
}

/// What the node of a running twinstep is called: subscribers look whether it lives.
pub const NODE: &str = "twinstep";
/// What that of a reader is called.
const READER: &str = "twinstep reader";

/// A place in the shared memory of this computer. What processes that have died left there is removed.
///
/// # Errors
/// [`HostError::Machine`] with what iceoryx2 said.
fn node<S: Service>(name: &str) -> Result<Node<S>, HostError> {
    let known = NodeName::new(name).map_err(|error| failed(name, &error))?;
    NodeBuilder::new()
        .name(&known)
        // Signals are ours: see `Control::stop_on_signals`.
        .signal_handling_mode(SignalHandlingMode::Disabled)
        .create::<S>()
        .map_err(|error| failed("a node", &error))
}

/// The name of a service in its first layout, such as `twinstep/press-cell/flags/1`.
fn service_name(machine: &str, what: &str) -> Result<ServiceName, HostError> {
    name_of_layout(machine, what, 1)
}

/// The name of a service in one of its layouts.
fn name_of_layout(machine: &str, what: &str, layout: u8) -> Result<ServiceName, HostError> {
    let name = format!("twinstep/{machine}/{what}/{layout}");
    ServiceName::new(&name).map_err(|error| failed(&name, &error))
}

fn failed(what: &str, error: &impl std::fmt::Debug) -> HostError {
    HostError::machine(
        format!("shared memory: {what} could not be made: {error:?}"),
        "another twinstep may use this name: end it or give [shared] another one; else make room and rights in /dev/shm and /tmp/iceoryx2",
    )
}
