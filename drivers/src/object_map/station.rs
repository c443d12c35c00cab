//! One I/O station: where its objects lie, and what they say.

use super::{CommandError, Slot, SubDeviceLayout, layout};
use crate::bus::ProcessImage;
use twinstep_config::machine::Station;
use twinstep_models::axis::range::MEASURED;
use twinstep_models::sample::{Missing, StationReading};

/// Places of the objects of one station.
#[derive(Clone, Debug)]
pub(super) struct StationSlots {
    pub(super) subdevice: usize,
    pa_per_count: f64,
    offset_pa: f64,
    pub(super) pressure: Option<Slot>,
    outputs: StationOutputs,
}

#[derive(Clone, Copy, Debug)]
enum StationOutputs {
    None,
    Bits(Slot),
    Two(Slot, Slot),
}

impl StationSlots {
    pub(super) fn none() -> Self {
        Self {
            subdevice: usize::MAX,
            pa_per_count: 1.0,
            offset_pa: 0.0,
            pressure: None,
            outputs: StationOutputs::None,
        }
    }

    pub(super) fn new(subdevice: usize, device: &SubDeviceLayout, station: &Station) -> Self {
        let mut outputs = device
            .outputs
            .iter()
            .filter(|entry| layout::is_module_output(entry.object.index))
            .map(|entry| entry.slot);
        Self {
            subdevice,
            pa_per_count: station.pressure_pa_per_count,
            offset_pa: station.pressure_offset_pa,
            pressure: device
                .inputs
                .iter()
                .find(|entry| {
                    layout::is_module_input(entry.object.index) && entry.object.bits >= 16
                })
                .map(|entry| entry.slot),
            outputs: match (outputs.next(), outputs.next()) {
                (Some(first), Some(second)) => StationOutputs::Two(first, second),
                (Some(single), None) => StationOutputs::Bits(single),
                (None, _) => StationOutputs::None,
            },
        }
    }

    pub(super) fn read(&self, image: &ProcessImage) -> Result<StationReading, Missing> {
        let counts = self
            .pressure
            .and_then(|slot| slot.get(&image.inputs))
            .ok_or(Missing::NotMapped)?;
        let output = |slot: Slot| slot.get(&image.outputs).unwrap_or(0);
        let (ejector_on, blow_off) = match self.outputs {
            StationOutputs::None => (false, false),
            StationOutputs::Bits(slot) => (output(slot) & 1 != 0, output(slot) & 2 != 0),
            StationOutputs::Two(first, second) => (output(first) != 0, output(second) != 0),
        };
        let pressure_pa = counts as f64 * self.pa_per_count + self.offset_pa;
        // What is no number is not within any bound either.
        let within = pressure_pa.abs() <= MEASURED;
        if !within {
            return Err(Missing::NotANumber);
        }
        Ok(StationReading {
            pressure_pa,
            ejector_on,
            blow_off,
        })
    }

    pub(super) fn write(
        &self,
        image: &mut ProcessImage,
        station: usize,
        ejector: bool,
        blow_off: bool,
    ) -> Result<(), CommandError> {
        let written = match self.outputs {
            StationOutputs::None => return Err(CommandError::NotMapped { index: 0x7000 }),
            StationOutputs::Bits(slot) => slot.put(
                &mut image.outputs,
                i64::from(ejector) | (i64::from(blow_off) << 1),
            ),
            StationOutputs::Two(first, second) => {
                first.put(&mut image.outputs, i64::from(ejector))
                    && second.put(&mut image.outputs, i64::from(blow_off))
            }
        };
        if written {
            Ok(())
        } else {
            Err(CommandError::NoSuchTarget { number: station })
        }
    }
}
