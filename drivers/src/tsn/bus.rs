//! A bus of devices that publish: waits for the next message of every data set and brings their process data.
//!
//! A cycle is one publishing interval. It is told when every data set is there, when one of the next interval comes first, or
//! when nothing has come for [`PATIENCE`] periods; whatever is not there then is missing, and its twin coasts. What comes
//! after that is still the youngest, and taken for the cycle in which it comes.

use super::reader::{Reader, Standing};
use super::uadp::{DataSetMessage, ETHERTYPE, NetworkMessage};
use crate::bus::{Bus, BusCause, BusCounters, BusFault, ProcessImage};
use crate::link::{Link, LinkError, MAX_FRAME};
use crate::object_map::{Layout, ObjectMapError};
use crate::tap::bus::presses_of_several_parts;
use std::fmt;
use std::time::Duration;
use twinstep_config::machine::Machine;
use twinstep_models::sample::{CycleStamp, Missing};

/// A publisher that is late by less than this is late; beyond, its cycles are missing (periods).
pub const PATIENCE: u64 = 3;
/// Longest that [`TsnBus::ready`] waits before it returns (ns).
const LISTEN_NS: u64 = 50_000_000;
/// Messages of a data set that cannot be read, after which it is an error.
const MISFITS: u64 = 200;
/// Frames that are read in one exchange at most: a flood of foreign ones must not hold the cycle.
const MOST_FRAMES: u32 = 1024;

/// Why there is no bus.
#[derive(Debug)]
pub enum TsnError {
    /// The machine subscribes to nothing.
    NoDataSets,
    /// Its process data cannot be laid out.
    Objects(ObjectMapError),
    /// The interface failed.
    Link(LinkError),
    /// A device publishes something else than the configuration says.
    Misfit {
        /// SubDevice.
        name: String,
    },
}

impl fmt::Display for TsnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDataSets => write!(
                f,
                "the bus is not of kind \"tsn\", or nobody publishes on it"
            ),
            Self::Objects(error) => error.fmt(f),
            Self::Link(error) => error.fmt(f),
            Self::Misfit { name } => write!(
                f,
                "what `{name}` publishes is no raw key frame with a sequence number, is shorter than its fields, or has another \
                 configuration version: compare `fields` and `major_version` in [[bus.dataset]] with the device's"
            ),
        }
    }
}

impl std::error::Error for TsnError {}

/// See the module.
pub struct TsnBus<L> {
    link: L,
    readers: Vec<Reader>,
    names: Vec<String>,
    /// SubDevices of presses that a twin cannot follow: nobody tells which of several parts lies in them.
    unknown_part: Vec<usize>,
    inputs: Vec<u8>,
    outputs: Vec<u8>,
    period_ns: u64,
    cycle: u64,
    /// The next exchange is cycle 0.
    ready: bool,
    /// Time of this cycle's values, as the first publisher says it (ns since 2000); 0 where it does not.
    time_ns: u64,
    /// When this cycle's messages are expected (ns).
    expected_ns: Option<u64>,
    /// A frame of the next cycle waits in the buffer.
    pending: Option<usize>,
    buffer: [u8; MAX_FRAME + 8],
    counters: BusCounters,
    before: BusCounters,
    misfits: u64,
    misfit: Option<usize>,
    waited_ns: u64,
    error: Option<LinkError>,
}

/// What a frame was.
enum Seen {
    Taken,
    Ahead,
    Other,
}

impl<L: Link> TsnBus<L> {
    /// Subscribes on `link` to what the bus of `machine` publishes.
    ///
    /// # Errors
    /// [`TsnError::NoDataSets`], [`TsnError::Objects`].
    pub fn new(link: L, machine: &Machine) -> Result<Self, TsnError> {
        let bus = machine.bus.as_ref().ok_or(TsnError::NoDataSets)?;
        let all = bus.pubsub.as_ref().filter(|all| !all.data_sets.is_empty());
        let layout = Layout::new(machine).map_err(TsnError::Objects)?;
        let image = layout.image();
        Ok(Self {
            link,
            readers: Reader::all(all.ok_or(TsnError::NoDataSets)?, &layout),
            names: bus
                .subdevices
                .iter()
                .map(|device| device.name.clone())
                .collect(),
            unknown_part: presses_of_several_parts(machine),
            inputs: image.inputs,
            outputs: image.outputs,
            period_ns: machine.cycle.period_ns.max(1),
            cycle: 0,
            ready: false,
            time_ns: 0,
            expected_ns: None,
            pending: None,
            buffer: [0; MAX_FRAME + 8],
            counters: BusCounters::default(),
            before: BusCounters::default(),
            misfits: 0,
            misfit: None,
            waited_ns: 0,
            error: None,
        })
    }

    /// The last error of the link since it gave a frame.
    pub fn error(&self) -> Option<&LinkError> {
        self.error.as_ref()
    }

    /// The last error of the link, once. To the cycle it looks like missing messages.
    pub fn take_error(&mut self) -> Option<LinkError> {
        self.error.take()
    }

    /// Part of the last exchange in which messages were waited for (ns).
    pub fn waited_ns(&self) -> u64 {
        self.waited_ns
    }

    /// The link.
    pub fn link_mut(&mut self) -> &mut L {
        &mut self.link
    }

    /// Waits, for 50 ms at most, and says whether the next exchange is cycle 0: the one after a cycle in which every data set was
    /// there, and good.
    ///
    /// # Errors
    /// [`TsnError::Link`]; [`TsnError::Misfit`] where a device keeps publishing something else than was configured.
    pub fn ready(&mut self) -> Result<bool, TsnError> {
        let until_ns = self.link.clock().now_ns().saturating_add(LISTEN_NS);
        while !self.ready {
            let deadline_ns = until_ns;
            self.collect(deadline_ns);
            if let Some(error) = self.error.take() {
                return Err(TsnError::Link(error));
            }
            if let Some(subdevice) = self.misfit.filter(|_| self.misfits >= MISFITS) {
                let name = self.names.get(subdevice).cloned().unwrap_or_default();
                return Err(TsnError::Misfit { name });
            }
            let good = self
                .readers
                .iter()
                .all(|reader| reader.fresh == Some(Ok(())));
            for reader in &mut self.readers {
                let _ = reader.finish();
            }
            self.time_ns = 0;
            if good {
                self.ready = true;
                self.before = self.counters;
                self.expected_ns = self.expected_ns.map(|at| at.saturating_add(self.period_ns));
            } else if self.link.clock().now_ns() >= until_ns {
                break;
            }
        }
        Ok(self.ready)
    }

    /// Reads messages until the cycle is whole, one of the next cycle has come, or the deadline has passed.
    fn collect(&mut self, deadline_ns: u64) {
        for _ in 0..MOST_FRAMES {
            if self.readers.iter().all(|reader| reader.fresh.is_some()) {
                return;
            }
            let length = match self.pending.take() {
                Some(length) => length,
                None => match self.link.receive(&mut self.buffer, deadline_ns) {
                    Ok(Some(length)) => {
                        // A link that was down is up again.
                        self.error = None;
                        length
                    }
                    Ok(None) => return,
                    Err(error) => {
                        self.error = Some(error);
                        // An interface that fails at once must not make the caller spin.
                        self.link.clock().wait_until_ns(deadline_ns);
                        return;
                    }
                },
            };
            let first = self.readers.iter().all(|reader| reader.fresh.is_none());
            match self.take(length) {
                Seen::Taken if first => {
                    let now_ns = self.link.clock().now_ns();
                    self.expected_ns = Some(now_ns);
                }
                Seen::Ahead => {
                    self.pending = Some(length);
                    return;
                }
                Seen::Taken | Seen::Other => {}
            }
        }
    }

    /// Takes the frame in the buffer, unless it holds something of a later cycle.
    fn take(&mut self, length: usize) -> Seen {
        let Self {
            buffer,
            readers,
            inputs,
            outputs,
            counters,
            time_ns,
            ..
        } = self;
        let frame = buffer.get(..length).unwrap_or_default();
        let Some(network) = payload(frame).and_then(|bytes| NetworkMessage::parse(bytes).ok())
        else {
            counters.foreign += 1;
            return Seen::Other;
        };
        // First a look: a frame is taken as a whole or not at all.
        for message in network.messages().flatten() {
            let reader = position(readers, &network, &message).and_then(|at| readers.get(at));
            let ahead = reader.filter(|one| one.fits(&message)).is_some_and(|one| {
                message
                    .sequence
                    .is_some_and(|number| one.standing(number) == Standing::Ahead)
            });
            if ahead {
                return Seen::Ahead;
            }
        }
        let mut seen = Seen::Other;
        for message in network.messages() {
            // What cannot be read at all, and what nobody here waits for.
            let Ok(message) = message else {
                counters.foreign += 1;
                continue;
            };
            let place = position(readers, &network, &message);
            let Some(reader) = place.and_then(|at| readers.get_mut(at)) else {
                counters.foreign += 1;
                continue;
            };
            let Some(sequence) = message.sequence.filter(|_| reader.fits(&message)) else {
                counters.foreign += 1;
                self.misfits += 1;
                self.misfit = Some(reader.subdevice);
                continue;
            };
            match reader.standing(sequence) {
                Standing::Now(gap) => {
                    reader.take(&message, gap, (&mut *inputs, &mut *outputs), counters);
                    if place == Some(0) {
                        *time_ns = network.time_ns.unwrap_or_default();
                    }
                    seen = Seen::Taken;
                }
                Standing::Duplicate => counters.duplicate += 1,
                // It was counted as lost before.
                Standing::Old => counters.late += 1,
                // Twice the same data set in one frame.
                Standing::Ahead => counters.foreign += 1,
            }
        }
        seen
    }

    fn stamp(&mut self) -> CycleStamp {
        let stamp = CycleStamp {
            cycle: self.cycle,
            time_ns: self.cycle.saturating_mul(self.period_ns),
            dc_time_ns: core::mem::take(&mut self.time_ns),
        };
        self.cycle += 1;
        stamp
    }
}

/// The reader that a message is meant for.
fn position(
    readers: &[Reader],
    network: &NetworkMessage<'_>,
    message: &DataSetMessage<'_>,
) -> Option<usize> {
    readers
        .iter()
        .position(|one| one.is_meant(network, message))
}

/// What follows the headers of Ethernet, with a VLAN tag or without; none for another protocol.
fn payload(frame: &[u8]) -> Option<&[u8]> {
    let rest = frame.get(12..)?;
    let rest = match rest.split_at_checked(4) {
        Some((tag, behind)) if tag.starts_with(&super::publisher::VLAN) => behind,
        _ => rest,
    };
    rest.strip_prefix(&ETHERTYPE)
}

impl<L: Link> Bus for TsnBus<L> {
    fn exchange(
        &mut self,
        image: &mut ProcessImage,
        in_flight: &mut dyn FnMut(),
    ) -> Result<CycleStamp, BusFault> {
        // Nothing of ours is under way: the prediction is made before the messages are waited for.
        in_flight();
        let began_ns = self.link.clock().now_ns();
        let expected_ns = *self.expected_ns.get_or_insert(began_ns);
        let patience_ns = PATIENCE.saturating_mul(self.period_ns);
        self.collect(expected_ns.saturating_add(patience_ns));
        let now_ns = self.link.clock().now_ns();
        self.waited_ns = now_ns.saturating_sub(began_ns);
        // From the first message of this cycle, else from where it should have been.
        let since_ns = self.expected_ns.unwrap_or(now_ns);
        self.expected_ns = Some(since_ns.saturating_add(self.period_ns));
        image.valid.fill(Err(Missing::NotMapped));
        let mut any = false;
        for reader in &mut self.readers {
            any |= reader.fresh.is_some();
            if let Some(valid) = image.valid.get_mut(reader.subdevice) {
                *valid = reader.finish();
            }
        }
        for place in &self.unknown_part {
            if let Some(valid) = image.valid.get_mut(*place) {
                *valid = valid.and(Err(Missing::NotMapped));
            }
        }
        let stamp = self.stamp();
        if !any {
            return Err(BusFault {
                stamp,
                cause: BusCause::NoFrame,
            });
        }
        image.inputs.copy_from_slice(&self.inputs);
        image.outputs.copy_from_slice(&self.outputs);
        Ok(stamp)
    }

    fn acyclic(&mut self, _budget: Duration) {}

    /// Not this bus' to steer.
    fn phase_error_ns(&self) -> Option<i64> {
        None
    }

    fn counters(&self) -> BusCounters {
        let (now, before) = (&self.counters, &self.before);
        BusCounters {
            lost: now.lost.saturating_sub(before.lost),
            late: now.late - before.late,
            duplicate: now.duplicate - before.duplicate,
            foreign: now.foreign - before.foreign,
            working_counter_errors: 0,
        }
    }
}
