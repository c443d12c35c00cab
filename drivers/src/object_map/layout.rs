//! Where every object lies in the process image.

use super::objects;
use crate::bus::ProcessImage;
use std::fmt;
use std::ops::Range;
use twinstep_config::machine::{MAX_SUBDEVICES, Machine, PdoEntry, SECOND_AXIS};

/// Most bytes of process data that one direction of one SubDevice may have.
pub const MAX_PDO_BYTES: usize = 1486;

/// Why a machine's process data cannot be laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectMapError {
    /// The machine has neither a bus nor a mapped recording.
    NoProcessData,
    /// More SubDevices than [`MAX_SUBDEVICES`].
    TooManySubDevices {
        /// How many there are.
        actual: usize,
    },
    /// An axis, press or station has no SubDevice of its name.
    NoSubDevice {
        /// The name.
        name: String,
    },
    /// An axis has no columns in the recording map, or the map names an axis that does not exist.
    NoColumns {
        /// The name.
        name: String,
    },
    /// An object has another length than CiA 402 gives it, or one that is none of 8, 16 and 32 bits.
    Length {
        /// SubDevice.
        subdevice: String,
        /// The object.
        entry: PdoEntry,
        /// Length that it should have (bits), 0 where any of 8, 16 and 32 would do.
        expected_bits: u8,
    },
    /// The process data of one SubDevice is longer than [`MAX_PDO_BYTES`].
    TooLong {
        /// SubDevice.
        subdevice: String,
        /// Its length (bytes).
        actual: usize,
    },
    /// Drive parameters that give no finite factor between increments and SI units.
    Scale {
        /// The axis or press.
        axis: String,
    },
}

impl fmt::Display for ObjectMapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProcessData => write!(
                f,
                "the machine has no process data: give it a [bus] with SubDevices, or a [recording] that maps columns"
            ),
            Self::TooManySubDevices { actual } => write!(
                f,
                "{actual} SubDevices on the bus, at most {MAX_SUBDEVICES} are possible: split it into several buses"
            ),
            Self::NoSubDevice { name } => write!(
                f,
                "`{name}` has no SubDevice: give the SubDevice that carries it the same name"
            ),
            Self::NoColumns { name } => write!(
                f,
                "the columns of the recording and the axes do not match at `{name}`: every axis needs exactly one entry of its name"
            ),
            Self::Length {
                subdevice,
                entry,
                expected_bits,
            } => {
                write!(
                    f,
                    "SubDevice `{subdevice}`, object 0x{:04x}:{:02}: {} bits are given, ",
                    entry.index, entry.subindex, entry.bits
                )?;
                if *expected_bits == 0 {
                    write!(f, "8, 16 or 32 are possible")
                } else {
                    write!(f, "it has {expected_bits}")
                }
            }
            Self::TooLong { subdevice, actual } => write!(
                f,
                "SubDevice `{subdevice}` has {actual} bytes of process data in one direction, at most {MAX_PDO_BYTES} fit into a frame"
            ),
            Self::Scale { axis } => write!(
                f,
                "the drive of `{axis}` gives no scaling: feed, increments per revolution and rated current must be finite and not 0"
            ),
        }
    }
}

impl std::error::Error for ObjectMapError {}

/// The place of one object in the outputs or inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// First byte.
    offset: usize,
    /// Length (bytes): 1, 2 or 4.
    bytes: usize,
    /// Two's complement.
    signed: bool,
}

impl Slot {
    /// First byte.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Length (bytes): 1, 2 or 4.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Two's complement.
    pub const fn signed(&self) -> bool {
        self.signed
    }

    /// The raw integer, none where the image is too short.
    pub fn get(&self, image: &[u8]) -> Option<i64> {
        let bytes = image.get(self.offset..self.offset.checked_add(self.bytes)?)?;
        Some(match (bytes, self.signed) {
            (&[a], false) => i64::from(a),
            (&[a], true) => i64::from(a as i8),
            (&[a, b], false) => i64::from(u16::from_le_bytes([a, b])),
            (&[a, b], true) => i64::from(i16::from_le_bytes([a, b])),
            (&[a, b, c, d], false) => i64::from(u32::from_le_bytes([a, b, c, d])),
            (&[a, b, c, d], true) => i64::from(i32::from_le_bytes([a, b, c, d])),
            _ => return None,
        })
    }

    /// Smallest and largest raw integer that fits.
    pub fn range(&self) -> (i64, i64) {
        let bits = self.bytes * 8;
        if self.signed {
            (-(1_i64 << (bits - 1)), (1_i64 << (bits - 1)) - 1)
        } else {
            (0, (1_i64 << bits) - 1)
        }
    }

    /// Writes the raw integer, saturated to what fits; false where the image is too short.
    pub fn put(&self, image: &mut [u8], raw: i64) -> bool {
        let (low, high) = self.range();
        let bytes = raw.clamp(low, high).to_le_bytes();
        let Some(end) = self.offset.checked_add(self.bytes) else {
            return false;
        };
        match (image.get_mut(self.offset..end), bytes.get(..self.bytes)) {
            (Some(place), Some(bytes)) => {
                place.copy_from_slice(bytes);
                true
            }
            _ => false,
        }
    }
}

/// One object of the process data and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The object.
    pub object: PdoEntry,
    /// Its place.
    pub slot: Slot,
}

/// One SubDevice's share of the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubDeviceLayout {
    /// Name.
    pub name: String,
    /// Name of the second axis of a drive that has two.
    pub second: Option<String>,
    /// Objects in the outputs.
    pub outputs: Vec<Entry>,
    /// Objects in the inputs.
    pub inputs: Vec<Entry>,
    /// Its bytes in [`ProcessImage::outputs`].
    pub output_bytes: Range<usize>,
    /// Its bytes in [`ProcessImage::inputs`].
    pub input_bytes: Range<usize>,
}

impl SubDeviceLayout {
    /// Place of an object in the outputs.
    pub fn output(&self, index: u16, subindex: u8) -> Option<Slot> {
        find(&self.outputs, index, subindex)
    }

    /// Place of an object in the inputs.
    pub fn input(&self, index: u16, subindex: u8) -> Option<Slot> {
        find(&self.inputs, index, subindex)
    }
}

fn find(entries: &[Entry], index: u16, subindex: u8) -> Option<Slot> {
    entries
        .iter()
        .find(|entry| entry.object.index == index && entry.object.subindex == subindex)
        .map(|entry| entry.slot)
}

/// The process image of a bus: all SubDevices back to back, in the order of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// The SubDevices.
    pub subdevices: Vec<SubDeviceLayout>,
    /// Length of all outputs (bytes).
    pub output_bytes: usize,
    /// Length of all inputs (bytes).
    pub input_bytes: usize,
    /// A controller tells tool, load or temperature: no object has them, and they stand in recordings.
    pub conditions: bool,
}

impl Layout {
    /// Lays out the bus of a machine; empty for a machine without one.
    ///
    /// # Errors
    /// An object with a wrong length, or more data than the bounds allow.
    pub fn new(machine: &Machine) -> Result<Self, ObjectMapError> {
        let mut layout = Self {
            conditions: machine.context.is_told_by_controller(),
            ..Self::default()
        };
        let Some(bus) = &machine.bus else {
            return Ok(layout);
        };
        if bus.subdevices.len() > MAX_SUBDEVICES {
            return Err(ObjectMapError::TooManySubDevices {
                actual: bus.subdevices.len(),
            });
        }
        for subdevice in &bus.subdevices {
            let (outputs, output_bytes) =
                place(&subdevice.name, &subdevice.outputs, layout.output_bytes)?;
            let (inputs, input_bytes) =
                place(&subdevice.name, &subdevice.inputs, layout.input_bytes)?;
            layout.output_bytes = output_bytes.end;
            layout.input_bytes = input_bytes.end;
            layout.subdevices.push(SubDeviceLayout {
                name: subdevice.name.clone(),
                second: subdevice.second.clone(),
                outputs,
                inputs,
                output_bytes,
                input_bytes,
            });
        }
        Ok(layout)
    }

    /// Number of the SubDevice that carries an axis, and how far its objects lie behind those of the device profile.
    pub fn axis(&self, name: &str) -> Option<(usize, u16)> {
        let second = |one: &SubDeviceLayout| one.second.as_deref() == Some(name);
        self.position(name).map(|at| (at, 0)).or_else(|| {
            let at = self.subdevices.iter().position(second)?;
            Some((at, SECOND_AXIS))
        })
    }

    /// Number of the SubDevice with this name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.subdevices
            .iter()
            .position(|subdevice| subdevice.name == name)
    }

    /// An image of this size: all bytes 0, nothing received yet.
    pub fn image(&self) -> ProcessImage {
        super::empty_image(self.output_bytes, self.input_bytes, self.subdevices.len())
    }
}

fn place(
    subdevice: &str,
    objects: &[PdoEntry],
    start: usize,
) -> Result<(Vec<Entry>, Range<usize>), ObjectMapError> {
    let mut entries = Vec::with_capacity(objects.len());
    let mut end = start;
    for &object in objects {
        let known = objects::find(object.index, object.subindex).or_else(|| {
            let first = second_axis(object.index)?;
            objects::find(first, object.subindex)
        });
        let expected_bits = known.map_or(0, |known| known.bits);
        if !matches!(object.bits, 8 | 16 | 32)
            || (expected_bits != 0 && object.bits != expected_bits)
        {
            return Err(ObjectMapError::Length {
                subdevice: subdevice.to_owned(),
                entry: object,
                expected_bits,
            });
        }
        let bytes = usize::from(object.bits / 8);
        // Values of the device profile for modules (0x6000 to 0x6FFF in an I/O station) are signed.
        let signed = known.map_or(is_module_input(object.index), |known| known.signed);
        entries.push(Entry {
            object,
            slot: Slot {
                offset: end,
                bytes,
                signed,
            },
        });
        end = end.saturating_add(bytes);
    }
    if end - start > MAX_PDO_BYTES {
        return Err(ObjectMapError::TooLong {
            subdevice: subdevice.to_owned(),
            actual: end - start,
        });
    }
    Ok((entries, start..end))
}

/// Object of a first axis that this one is for a second one; none where it is none.
fn second_axis(index: u16) -> Option<u16> {
    (0x6800..0x7000)
        .contains(&index)
        .then(|| index - SECOND_AXIS)
}

/// Inputs of an I/O terminal. The area overlaps with CiA 402, whose objects are found by name first.
pub(super) fn is_module_input(index: u16) -> bool {
    (0x6000..0x6400).contains(&index)
}

/// Outputs of an I/O terminal.
pub(super) fn is_module_output(index: u16) -> bool {
    (0x7000..0x8000).contains(&index)
}
