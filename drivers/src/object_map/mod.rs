//! The one place where bytes become SI units, and set-points become bytes.
//!
//! Recordings keep the raw integers, so a replay goes through the very same conversion as a live bus.
//!
//! **Scaling of an axis.** Position (m) = increments x feed / increments per revolution x direction; velocity (m/s) from
//! increments per second likewise; current (A) = per mille / 1000 x rated current x direction. The torque actual value
//! 0x6077 is per mille of the rated torque, which is torque constant times rated current, so both carry the same factor.
//! 0x6077 is read where it is mapped; 0x6078 only where 0x6077 is not, because drives differ in its sign and scale.
//!
//! **An I/O station** brings its pressure as the first input object of 0x6000 to 0x63FF (signed, 16 or 32 bits). Its outputs
//! are objects of 0x7000 to 0x7FFF: with two of them the first is the ejector and the second the blow-off valve (not 0 is
//! on); a single one has the ejector in bit 0 and the blow-off valve in bit 1.
//!
//! **A machine that is only replayed** (`[recording]`, no `[bus]`) has an image of 64-bit floats, little-endian, in the
//! unit of the columns: per axis one output (reference) and three inputs (position, velocity, current), after them per recorded
//! station two outputs (ejector and blow-off valve, not 0 is on) and one input (pressure). Its drives count as enabled.

mod axis;
mod columns;
mod context;
mod layout;
mod objects;
mod station;

#[cfg(test)]
mod tests;

pub use axis::{AxisCommand, mode};
pub use columns::{
    ColumnMap, RAW_INPUT_BYTES, RAW_OUTPUT_BYTES, RAW_STATION_INPUT_BYTES, RAW_STATION_OUTPUT_BYTES,
};
pub use layout::{Entry, Layout, MAX_PDO_BYTES, ObjectMapError, Slot, SubDeviceLayout};
pub use objects::{OBJECTS, Object, Scaling, Unit, find as find_object, interpolation_period};

use crate::bus::{BusCause, BusFault, ProcessImage};
use axis::AxisSlots;
use context::ContextMap;
use station::StationSlots;
use std::fmt;
use twinstep_config::machine::Machine;
use twinstep_models::axis::range::MEASURED;
use twinstep_models::sample::{AxisReading, CycleStamp, DriveState, Missing, StationReading, Told};

/// Why a command was not written; nothing of it stands in the image then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// There is no axis or station of this number, or the image is too short for it.
    NoSuchTarget {
        /// The number asked for.
        number: usize,
    },
    /// A value is NaN or infinite.
    NotANumber {
        /// Which one.
        value: &'static str,
    },
    /// The outputs do not carry the object that the command needs.
    NotMapped {
        /// Index of the object.
        index: u16,
    },
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchTarget { number } => write!(f, "there are no outputs for number {number}"),
            Self::NotANumber { value } => write!(f, "{value} is not a finite number"),
            Self::NotMapped { index } => {
                write!(f, "object 0x{index:04x} is not mapped into the outputs")
            }
        }
    }
}

impl std::error::Error for CommandError {}

impl From<BusCause> for Missing {
    fn from(cause: BusCause) -> Self {
        match cause {
            BusCause::NoFrame | BusCause::End => Self::NoFrame,
            BusCause::WorkingCounter { .. } => Self::WorkingCounter,
            BusCause::Gap => Self::Gap,
            BusCause::Segment => Self::NewSegment,
        }
    }
}

/// What the result of an exchange means for its samples.
pub fn outcome(result: &Result<CycleStamp, BusFault>) -> Result<(), Missing> {
    match result {
        Ok(_) => Ok(()),
        Err(fault) => Err(fault.cause.into()),
    }
}

/// The values of one axis, each NaN where the recording has none: for tables and calibration, never for the cycle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RawReading {
    /// Position (m).
    pub position_m: f64,
    /// Velocity (m/s).
    pub velocity_m_per_s: f64,
    /// Current (A).
    pub current_a: f64,
    /// Target position (m); the position where the source has no target.
    pub target_m: f64,
    /// Velocity that is told beside or instead of it: see [`AxisReading`] (m/s).
    pub told_m_per_s: f64,
    /// Current, likewise (A).
    pub told_a: f64,
    /// What of these the drive follows.
    pub told: Told,
    /// State of the drive.
    pub state: DriveState,
    /// Error code.
    pub error_code: u16,
}

/// Where the values come from.
#[derive(Clone, Debug)]
enum Source {
    Bus(Vec<AxisSlots>),
    Columns(ColumnMap),
}

/// The map between process image and SI units of one machine. Built once; nothing here allocates afterwards.
#[derive(Clone, Debug)]
pub struct ObjectMap {
    layout: Layout,
    source: Source,
    stations: Vec<StationSlots>,
    names: Vec<String>,
    context: ContextMap,
}

impl ObjectMap {
    /// Builds the map of a machine: axes first, then presses, in the order of the configuration.
    ///
    /// # Errors
    /// [`ObjectMapError`] when a name has no SubDevice, an object a wrong length, or a drive no scaling.
    pub fn new(machine: &Machine) -> Result<Self, ObjectMapError> {
        let layout = Layout::new(machine)?;
        let axes = || {
            machine
                .axes
                .iter()
                .chain(machine.presses.iter().map(|press| &press.axis))
        };
        let names: Vec<String> = axes().map(|axis| axis.name.clone()).collect();
        let context = ContextMap::new(machine, &layout);
        if machine.bus.is_none() {
            let Some(recording) = &machine.recording else {
                return Err(ObjectMapError::NoProcessData);
            };
            return Ok(Self {
                layout,
                source: Source::Columns(
                    ColumnMap::new(&names, recording)?.with_stations(&machine.stations, recording),
                ),
                stations: machine
                    .stations
                    .iter()
                    .map(|_| StationSlots::none())
                    .collect(),
                names,
                context,
            });
        }
        let slots = axes()
            .map(|axis| {
                let scaling = Scaling::new(&axis.drive).ok_or_else(|| ObjectMapError::Scale {
                    axis: axis.name.clone(),
                })?;
                let (number, shift, device) = device(&layout, &axis.name)?;
                Ok(AxisSlots::new(number, device, shift, scaling))
            })
            .collect::<Result<Vec<_>, ObjectMapError>>()?;
        let stations = machine
            .stations
            .iter()
            .map(|station| {
                let (number, _, device) = device(&layout, &station.name)?;
                Ok(StationSlots::new(number, device, station))
            })
            .collect::<Result<Vec<_>, ObjectMapError>>()?;
        Ok(Self {
            layout,
            source: Source::Bus(slots),
            stations,
            names,
            context,
        })
    }

    /// An image of the right size: all bytes 0, nothing received yet.
    pub fn image(&self) -> ProcessImage {
        match &self.source {
            Source::Bus(_) => self.layout.image(),
            Source::Columns(columns) => {
                let (axes, stations) = (self.names.len(), columns.recorded_stations());
                empty_image(
                    axes * RAW_OUTPUT_BYTES + stations * RAW_STATION_OUTPUT_BYTES,
                    axes * RAW_INPUT_BYTES + stations * RAW_STATION_INPUT_BYTES,
                    axes + stations,
                )
            }
        }
    }

    /// The bytes of every SubDevice; empty for a machine that is only replayed.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The columns of a machine that is only replayed.
    pub fn columns(&self) -> Option<&ColumnMap> {
        match &self.source {
            Source::Bus(_) => None,
            Source::Columns(columns) => Some(columns),
        }
    }

    /// Names of the axes, then of the presses.
    pub fn axis_names(&self) -> &[String] {
        &self.names
    }

    /// Number of stations.
    pub fn station_count(&self) -> usize {
        self.stations.len()
    }

    /// Number in the image of the SubDevice that carries an axis or press.
    pub fn axis_subdevice(&self, axis: usize) -> Option<usize> {
        match &self.source {
            Source::Bus(axes) => axes.get(axis).map(|slots| slots.subdevice),
            Source::Columns(_) => (axis < self.names.len()).then_some(axis),
        }
    }

    /// Number in the image of the SubDevice that carries a station; none where a recording does not have it.
    pub fn station_subdevice(&self, station: usize) -> Option<usize> {
        if let Source::Columns(columns) = &self.source {
            return columns.station_subdevice(station);
        }
        self.stations
            .get(station)
            .filter(|slots| slots.pressure.is_some())
            .map(|slots| slots.subdevice)
    }

    /// Scaling of an axis on a bus, for objects that are read over the mailbox.
    pub fn scaling(&self, axis: usize) -> Option<Scaling> {
        match &self.source {
            Source::Bus(axes) => axes.get(axis).map(|slots| slots.scaling),
            Source::Columns(_) => None,
        }
    }

    /// Whether the axis has a target of its own: 0x607A in the outputs, or a column for the reference.
    pub fn has_target(&self, axis: usize) -> bool {
        match &self.source {
            Source::Bus(axes) => axes
                .get(axis)
                .is_some_and(|slots| slots.target_position.is_some()),
            Source::Columns(columns) => columns.has_reference(axis),
        }
    }

    /// Whether the outputs carry what a drive follows in this mode of operation; a recording has no outputs.
    pub fn has_target_of(&self, axis: usize, mode: i8) -> bool {
        match &self.source {
            Source::Bus(axes) => axes.get(axis).is_some_and(|slots| slots.carries(mode)),
            Source::Columns(_) => false,
        }
    }

    /// Whether the axis has a target velocity or torque in the outputs.
    pub fn has_other_target(&self, axis: usize) -> bool {
        self.has_target_of(axis, mode::CSV) || self.has_target_of(axis, mode::CST)
    }

    /// Axes whose process data lacks an object that a reading needs, with its index: all their readings will be
    /// [`Missing::NotMapped`]. For `check`; allocates.
    pub fn unmapped(&self) -> Vec<(&str, u16)> {
        let Source::Bus(axes) = &self.source else {
            return Vec::new();
        };
        let mut unmapped = Vec::new();
        for (slots, name) in axes.iter().zip(&self.names) {
            let needed = [
                (slots.statusword, 0x6041),
                (slots.position, 0x6064),
                (slots.velocity, 0x606c),
                (slots.current, 0x6077),
            ];
            let lacking = needed.iter().filter(|(slot, _)| slot.is_none());
            unmapped.extend(lacking.map(|&(_, index)| (name.as_str(), index)));
        }
        unmapped
    }

    /// Turns an image into readings. `exchange` is what [`outcome`] says of the exchange that filled it.
    ///
    /// `axes` holds axes first, then presses. What the map does not know is left as it is.
    pub fn read(
        &self,
        image: &ProcessImage,
        exchange: Result<(), Missing>,
        axes: &mut [Result<AxisReading, Missing>],
        stations: &mut [Result<StationReading, Missing>],
    ) {
        for (number, reading) in axes.iter_mut().enumerate().take(self.names.len()) {
            *reading = self.read_axis(image, exchange, number);
        }
        if let Source::Columns(columns) = &self.source {
            for (number, reading) in stations.iter_mut().enumerate().take(self.stations.len()) {
                *reading = columns
                    .station_subdevice(number)
                    .ok_or(Missing::NotMapped)
                    .and_then(|subdevice| usable(image, exchange, subdevice))
                    .and_then(|()| columns.read_station(image, number));
            }
            return;
        }
        for (slots, reading) in self.stations.iter().zip(stations) {
            *reading = usable(image, exchange, slots.subdevice).and_then(|()| slots.read(image));
        }
    }

    /// One axis or press of [`Self::read`].
    ///
    /// # Errors
    /// Why the cycle has no usable measurement of it.
    pub fn read_axis(
        &self,
        image: &ProcessImage,
        exchange: Result<(), Missing>,
        axis: usize,
    ) -> Result<AxisReading, Missing> {
        let subdevice = self.axis_subdevice(axis).ok_or(Missing::NotMapped)?;
        usable(image, exchange, subdevice)?;
        let raw = self.raw_axis(image, axis).ok_or(Missing::NotMapped)?;
        let measured = [raw.position_m, raw.velocity_m_per_s, raw.current_a];
        let told = [raw.target_m, raw.told_m_per_s, raw.told_a];
        // What is no number is not within any bound either.
        let within = |x: &f64| x.abs() <= MEASURED;
        if !(measured.iter().chain(&told)).all(within) {
            return Err(Missing::NotANumber);
        }
        Ok(AxisReading {
            position_m: raw.position_m,
            velocity_m_per_s: raw.velocity_m_per_s,
            current_a: raw.current_a,
            target_m: raw.target_m,
            told_m_per_s: raw.told_m_per_s,
            told_a: raw.told_a,
            told: raw.told,
            state: raw.state,
            error_code: raw.error_code,
        })
    }

    /// The values of one axis, NaN where a recording has none; whether the exchange went well is not looked at.
    pub fn raw_axis(&self, image: &ProcessImage, axis: usize) -> Option<RawReading> {
        match &self.source {
            Source::Bus(axes) => axes.get(axis)?.read(image),
            Source::Columns(columns) => columns.read(image, axis),
        }
    }

    /// Writes what an axis or press is told. Values are rounded to increments and saturated to the object's length.
    ///
    /// Objects that are not mapped are skipped, except those that the mode cannot do without.
    ///
    /// # Errors
    /// [`CommandError`]; nothing is written then.
    pub fn write_axis(
        &self,
        image: &mut ProcessImage,
        axis: usize,
        command: &AxisCommand,
    ) -> Result<(), CommandError> {
        match &self.source {
            Source::Bus(axes) => axes
                .get(axis)
                .ok_or(CommandError::NoSuchTarget { number: axis })?
                .write(image, axis, command),
            Source::Columns(_) => Err(CommandError::NotMapped { index: 0x6040 }),
        }
    }

    /// Writes the outputs of a station.
    ///
    /// # Errors
    /// [`CommandError`]; nothing is written then.
    pub fn write_station(
        &self,
        image: &mut ProcessImage,
        station: usize,
        ejector: bool,
        blow_off: bool,
    ) -> Result<(), CommandError> {
        self.stations
            .get(station)
            .ok_or(CommandError::NoSuchTarget { number: station })?
            .write(image, station, ejector, blow_off)
    }
}

/// An image of the given sizes: all bytes 0, nothing received yet.
fn empty_image(output_bytes: usize, input_bytes: usize, subdevices: usize) -> ProcessImage {
    ProcessImage {
        outputs: vec![0; output_bytes],
        inputs: vec![0; input_bytes],
        valid: vec![Err(Missing::NoFrame); subdevices],
        recipe: 0,
        part: 0,
        conditions: Default::default(),
    }
}

fn device<'a>(
    layout: &'a Layout,
    name: &str,
) -> Result<(usize, u16, &'a SubDeviceLayout), ObjectMapError> {
    layout
        .axis(name)
        .and_then(|(number, shift)| Some((number, shift, layout.subdevices.get(number)?)))
        .ok_or_else(|| ObjectMapError::NoSubDevice {
            name: name.to_owned(),
        })
}

/// The SubDevice's own reason goes before that of the whole exchange: it is the more precise one.
fn usable(
    image: &ProcessImage,
    exchange: Result<(), Missing>,
    subdevice: usize,
) -> Result<(), Missing> {
    (*image
        .valid
        .get(subdevice)
        .unwrap_or(&Err(Missing::NotMapped)))?;
    exchange
}
