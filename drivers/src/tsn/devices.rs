//! Devices that publish their process data: the simulated machine does, and what it needs for that.

use super::publisher::Publisher;
use super::uadp::{DataSet, LayoutError};
use crate::bus::ProcessImage;
use crate::link::Link;
use crate::object_map::Layout;
use twinstep_config::machine::{Machine, PubSub};

/// StatusCode Bad (upper half): the device is not in OP.
pub const BAD: u16 = 0x8000;

/// A piece of a data set: where it stands in the process image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// First byte in the fields.
    pub from: usize,
    /// Among the outputs of the image, else among its inputs.
    pub output: bool,
    /// First byte there.
    pub at: usize,
    /// Length (bytes).
    pub bytes: usize,
}

/// Where the fields of every data set of `all` stand in the image that `layout` describes.
pub fn pieces(all: &PubSub, layout: &Layout) -> Vec<Vec<Piece>> {
    let of = |one: &twinstep_config::machine::DataSet| {
        let mut from = 0;
        let device = layout.subdevices.get(one.subdevice);
        let mut pieces = Vec::new();
        for field in &one.fields {
            let bytes = usize::from(field.entry.bits / 8);
            let entries = device.map(|device| match field.output {
                true => (&device.outputs, device.output_bytes.start),
                false => (&device.inputs, device.input_bytes.start),
            });
            if let Some((entries, start)) = entries
                && let Some(place) = entries.iter().position(|entry| entry.object == field.entry)
            {
                let before = entries.iter().take(place);
                let before: usize = before.map(|entry| usize::from(entry.object.bits / 8)).sum();
                pieces.push(Piece {
                    from,
                    output: field.output,
                    at: start + before,
                    bytes,
                });
            }
            from += bytes;
        }
        pieces
    };
    all.data_sets.iter().map(of).collect()
}

/// Length of the fields of a data set (bytes).
pub fn length(one: &twinstep_config::machine::DataSet) -> usize {
    let bytes = one
        .fields
        .iter()
        .map(|field| usize::from(field.entry.bits / 8));
    bytes.sum()
}

/// Publishes process images.
#[derive(Debug)]
pub struct Devices {
    publisher: Publisher,
    pieces: Vec<Vec<Piece>>,
    subdevices: Vec<usize>,
}

impl Devices {
    /// Devices of `machine`, with the data sets of its bus, else with those that a device has unless told otherwise. Whatever its
    /// configuration says, all of them are sent with the PublisherId of the stream.
    ///
    /// # Errors
    /// [`LayoutError`].
    pub fn new(machine: &Machine, layout: &Layout, source: [u8; 6]) -> Result<Self, LayoutError> {
        let bus = machine.bus.as_ref();
        let default = || PubSub::of(bus.map_or(&[], |bus| &bus.subdevices));
        let all = bus
            .and_then(|bus| bus.pubsub.clone())
            .unwrap_or_else(default);
        let set = |one: &twinstep_config::machine::DataSet| DataSet {
            writer_id: one.writer_id,
            version: (one.major_version.unwrap_or(1), 0),
            bytes: length(one),
        };
        let sets: Vec<DataSet> = all.data_sets.iter().map(set).collect();
        Ok(Self {
            publisher: Publisher::new(&all.stream, source, &sets, true)?,
            pieces: pieces(&all, layout),
            subdevices: all.data_sets.iter().map(|one| one.subdevice).collect(),
        })
    }

    /// Publishes what `image` holds, as of `time_ns` (since 2000, as distributed clocks count). What is not valid there has the
    /// status [`BAD`].
    pub fn publish<L: Link + ?Sized>(&mut self, image: &ProcessImage, time_ns: u64, link: &mut L) {
        self.publisher.set_time(time_ns);
        for (n, (pieces, subdevice)) in self.pieces.iter().zip(&self.subdevices).enumerate() {
            let good = matches!(image.valid.get(*subdevice), Some(Ok(())));
            let Some(fields) = self.publisher.data_set(n, if good { 0 } else { BAD }) else {
                continue;
            };
            for piece in pieces {
                let bytes = if piece.output {
                    &image.outputs
                } else {
                    &image.inputs
                };
                if let (Some(to), Some(from)) = (
                    fields.get_mut(piece.from..piece.from + piece.bytes),
                    bytes.get(piece.at..piece.at + piece.bytes),
                ) {
                    to.copy_from_slice(from);
                }
            }
        }
        self.publisher.send(link);
    }

    /// Frames that did not leave.
    pub fn failed(&self) -> u64 {
        self.publisher.failed
    }
}
