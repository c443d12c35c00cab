//! The image of a machine that is only replayed: floats in the unit of the recording's columns.

use super::{ObjectMapError, RawReading};
use crate::bus::ProcessImage;
use twinstep_config::machine::{RecordingMap, Station};
use twinstep_models::axis::range::MEASURED;
use twinstep_models::sample::{DriveState, Missing, StationReading, Told};

/// Outputs per axis: the reference (bytes).
pub const RAW_OUTPUT_BYTES: usize = 8;
/// Inputs per axis: position, velocity and current (bytes).
pub const RAW_INPUT_BYTES: usize = 24;
/// Outputs per recorded station: ejector and blow-off valve (bytes).
pub const RAW_STATION_OUTPUT_BYTES: usize = 16;
/// Inputs per recorded station: the pressure (bytes).
pub const RAW_STATION_INPUT_BYTES: usize = 8;

/// Factors of one axis.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Factors {
    /// None: there is no reference, the position stands in for it.
    reference: Option<f64>,
    position: f64,
    /// Of the column, or of the position where the velocity is its difference.
    velocity: f64,
    current: f64,
}

/// One station of the machine that the recording has.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Recorded {
    /// Its place among the recorded stations, in the order of the map.
    place: usize,
    pressure: f64,
    offset_pa: f64,
}

/// The factors of all axes and stations, and the order of the map's entries.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnMap {
    factors: Vec<Factors>,
    entries: Vec<usize>,
    stations: Vec<Option<Recorded>>,
}

impl ColumnMap {
    /// Builds the map for axes of these names.
    ///
    /// # Errors
    /// [`ObjectMapError::NoColumns`] unless every axis has exactly one entry.
    pub fn new(names: &[String], map: &RecordingMap) -> Result<Self, ObjectMapError> {
        let no_columns = |name: &str| ObjectMapError::NoColumns {
            name: name.to_owned(),
        };
        let stray = map.axes.iter().enumerate().find(|(number, entry)| {
            let twice = map.axes.iter().take(*number).any(|e| e.axis == entry.axis);
            twice || !names.contains(&entry.axis)
        });
        if let Some((_, entry)) = stray {
            return Err(no_columns(&entry.axis));
        }
        let mut factors = Vec::with_capacity(names.len());
        let mut entries = Vec::with_capacity(names.len());
        for name in names {
            let (number, entry) = map
                .axes
                .iter()
                .enumerate()
                .find(|(_, entry)| entry.axis == *name)
                .ok_or_else(|| no_columns(name))?;
            entries.push(number);
            factors.push(Factors {
                reference: entry.reference.as_ref().map(|column| column.factor),
                position: entry.position.factor,
                velocity: entry
                    .velocity
                    .as_ref()
                    .map_or(entry.position.factor, |column| column.factor),
                current: entry.current.factor,
            });
        }
        Ok(Self {
            factors,
            entries,
            stations: Vec::new(),
        })
    }

    /// Adds the stations; one without an entry in the map has no readings.
    #[must_use]
    pub fn with_stations(mut self, stations: &[Station], map: &RecordingMap) -> Self {
        self.stations = stations
            .iter()
            .map(|station| {
                let mut entries = map.stations.iter().enumerate();
                let (place, entry) = entries.find(|(_, entry)| entry.station == station.name)?;
                Some(Recorded {
                    place,
                    pressure: entry.pressure.factor,
                    offset_pa: station.pressure_offset_pa,
                })
            })
            .collect();
        self
    }

    /// Stations that the recording has.
    pub fn recorded_stations(&self) -> usize {
        self.stations.iter().flatten().count()
    }

    /// First byte of the outputs and of the inputs of the station at this place of the map.
    pub fn station_bytes(&self, place: usize) -> (usize, usize) {
        let axes = self.factors.len();
        (
            axes * RAW_OUTPUT_BYTES + place * RAW_STATION_OUTPUT_BYTES,
            axes * RAW_INPUT_BYTES + place * RAW_STATION_INPUT_BYTES,
        )
    }

    pub(super) fn station_subdevice(&self, station: usize) -> Option<usize> {
        let recorded = self.stations.get(station)?.as_ref()?;
        Some(self.factors.len() + recorded.place)
    }

    pub(super) fn read_station(
        &self,
        image: &ProcessImage,
        station: usize,
    ) -> Result<StationReading, Missing> {
        let recorded = self.stations.get(station).and_then(Option::as_ref);
        let recorded = recorded.ok_or(Missing::NotMapped)?;
        let (output, input) = self.station_bytes(recorded.place);
        let number = |bytes, offset| float(bytes, offset).ok_or(Missing::NotMapped);
        let pressure_pa = number(&image.inputs, input)? * recorded.pressure + recorded.offset_pa;
        let ejector = number(&image.outputs, output)?;
        let blow_off = number(&image.outputs, output + 8)?;
        // What is no number is not within any bound either.
        let within = pressure_pa.abs() <= MEASURED;
        if !(within && ejector.is_finite() && blow_off.is_finite()) {
            return Err(Missing::NotANumber);
        }
        Ok(StationReading {
            pressure_pa,
            ejector_on: ejector != 0.0,
            blow_off: blow_off != 0.0,
        })
    }

    /// For every axis, the number of its entry in the configuration's map.
    pub fn entries(&self) -> &[usize] {
        &self.entries
    }

    /// Whether the axis has a column for the reference.
    pub fn has_reference(&self, axis: usize) -> bool {
        self.factors
            .get(axis)
            .is_some_and(|factors| factors.reference.is_some())
    }

    pub(super) fn read(&self, image: &ProcessImage, axis: usize) -> Option<RawReading> {
        let factors = self.factors.get(axis)?;
        let output = axis.checked_mul(RAW_OUTPUT_BYTES)?;
        let input = axis.checked_mul(RAW_INPUT_BYTES)?;
        let position_m = float(&image.inputs, input)? * factors.position;
        Some(RawReading {
            position_m,
            velocity_m_per_s: float(&image.inputs, input.checked_add(8)?)? * factors.velocity,
            current_a: float(&image.inputs, input.checked_add(16)?)? * factors.current,
            target_m: match factors.reference {
                Some(factor) => float(&image.outputs, output)? * factor,
                None => position_m,
            },
            told_m_per_s: 0.0,
            told_a: 0.0,
            told: Told::Position,
            state: DriveState::OperationEnabled,
            error_code: 0,
        })
    }
}

fn float(bytes: &[u8], offset: usize) -> Option<f64> {
    let bytes = bytes.get(offset..offset.checked_add(8)?)?;
    Some(f64::from_le_bytes(bytes.try_into().ok()?))
}
