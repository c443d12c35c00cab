//! Readings as bytes in the process image: what a frame would have brought.

use twinstep_cycle::setpoint::ENABLE_OPERATION;
use twinstep_drivers::bus::ProcessImage;
use twinstep_drivers::object_map::{AxisCommand, ObjectMap, Scaling, Slot, Unit, mode};
use twinstep_models::sample::{AxisReading, Missing, StationReading};

/// Statusword of an enabled drive that follows its targets.
const ENABLED: i64 = 0x1237;

/// Writes readings of one machine into its process image.
#[derive(Debug)]
pub struct Wire {
    axes: Vec<AxisPlaces>,
    stations: Vec<(Slot, f64, f64)>,
}

#[derive(Debug)]
struct AxisPlaces {
    scaling: Scaling,
    statusword: Slot,
    /// Where the drive shows its mode: one that shows none is in a mode of its own.
    mode: Option<Slot>,
    position: Slot,
    velocity: Slot,
    torque: Slot,
}

impl Wire {
    /// Finds the places of all objects; none when the machine does not map what a reading needs.
    pub fn new(machine: &twinstep_config::machine::Machine, map: &ObjectMap) -> Option<Self> {
        let devices = &map.layout().subdevices;
        let axes = (0..map.axis_names().len()).map(|n| {
            let device = devices.get(map.axis_subdevice(n)?)?;
            Some(AxisPlaces {
                scaling: map.scaling(n)?,
                statusword: device.input(0x6041, 0)?,
                mode: device.input(0x6061, 0),
                position: device.input(0x6064, 0)?,
                velocity: device.input(0x606c, 0)?,
                torque: device.input(0x6077, 0)?,
            })
        });
        let stations = machine.stations.iter().enumerate().map(|(n, station)| {
            let device = devices.get(map.station_subdevice(n)?)?;
            let pressure = device.inputs.iter().find(|entry| entry.object.bits >= 16)?;
            Some((
                pressure.slot,
                station.pressure_pa_per_count,
                station.pressure_offset_pa,
            ))
        });
        Some(Self {
            axes: axes.collect::<Option<_>>()?,
            stations: stations.collect::<Option<_>>()?,
        })
    }

    /// Writes the targets of this cycle into the outputs and everything measured into the inputs.
    pub fn fill(
        &self,
        map: &ObjectMap,
        image: &mut ProcessImage,
        axes: &[Result<AxisReading, Missing>],
        stations: &[Result<StationReading, Missing>],
    ) {
        image.valid.fill(Ok(()));
        for (n, (places, reading)) in self.axes.iter().zip(axes).enumerate() {
            let Ok(reading) = reading else { continue };
            let command = AxisCommand {
                controlword: ENABLE_OPERATION,
                target_m: reading.target_m,
                mode: mode::CSP,
                ..AxisCommand::default()
            };
            // The machines of the benchmarks map what the mode needs.
            let _ = map.write_axis(image, n, &command);
            places.statusword.put(&mut image.inputs, ENABLED);
            if let Some(shown) = &places.mode {
                shown.put(&mut image.inputs, i64::from(mode::CSP));
            }
            self.put_position(image, n, reading.position_m);
            for (slot, unit, value) in [
                (places.velocity, Unit::Velocity, reading.velocity_m_per_s),
                (places.torque, Unit::Torque, reading.current_a),
            ] {
                slot.put(
                    &mut image.inputs,
                    places.scaling.to_raw(unit, value).unwrap_or(0),
                );
            }
        }
        for (n, ((slot, pa_per_count, offset_pa), reading)) in
            self.stations.iter().zip(stations).enumerate()
        {
            let Ok(reading) = reading else { continue };
            let _ = map.write_station(image, n, reading.ejector_on, reading.blow_off);
            slot.put(
                &mut image.inputs,
                ((reading.pressure_pa - offset_pa) / pa_per_count).round() as i64,
            );
        }
    }

    /// Overwrites the position of one axis.
    pub fn put_position(&self, image: &mut ProcessImage, axis: usize, position_m: f64) {
        let Some(places) = self.axes.get(axis) else {
            return;
        };
        let raw = places
            .scaling
            .to_raw(Unit::Position, position_m)
            .unwrap_or(0);
        places.position.put(&mut image.inputs, raw);
    }
}
