//! A whole recording in SI units, for calibration and tables of accuracy.

use super::{RecordingBus, RecordingError};
use crate::bus::{Bus, BusCause};
use crate::object_map::outcome;
use std::path::Path;
use twinstep_config::machine::Machine;
use twinstep_models::sample::{Context, DriveState, Told};

/// One entry per cycle in every vector, NaN where the cycle has no value. Gaps are there as cycles without values, except
/// the one that stands before every segment but the first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recording {
    /// Period (s).
    pub period_s: f64,
    /// Number of the cycle.
    pub cycle: Vec<u64>,
    /// Time as the recording has it (s); it may start anew with every segment.
    pub time_s: Vec<f64>,
    /// Step between two rows of a table from elsewhere, in the middle, as its time has it (s).
    pub row_step_s: Option<f64>,
    /// Recipe, part, tool, load and temperature.
    pub context: Vec<Context>,
    /// First entry of every segment; nothing may be differentiated or filtered across it.
    pub segments: Vec<usize>,
    /// Axes, then presses.
    pub axes: Vec<AxisRecord>,
    /// Stations.
    pub stations: Vec<StationRecord>,
}

/// One axis or press.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AxisRecord {
    /// Name.
    pub name: String,
    /// Target position (m); none where the recording has no reference at all.
    pub reference_m: Option<Vec<f64>>,
    /// Position (m).
    pub position_m: Vec<f64>,
    /// Velocity (m/s).
    pub velocity_m_per_s: Vec<f64>,
    /// Current (A), or what stands for it.
    pub current_a: Vec<f64>,
    /// What it was told besides: what counts, velocity (m/s), current (A).
    pub told: Vec<(Told, f64, f64)>,
    /// The drive was in operation enabled.
    pub enabled: Vec<bool>,
}

/// One station.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StationRecord {
    /// Name.
    pub name: String,
    /// Pressure (Pa).
    pub pressure_pa: Vec<f64>,
    /// The ejector was commanded on.
    pub ejector_on: Vec<bool>,
    /// The blow-off valve was commanded open.
    pub blow_off: Vec<bool>,
}

/// Reads a recording, our own or one from elsewhere, into columns in SI units.
///
/// # Errors
/// As [`RecordingBus::open`].
pub fn columns(path: impl AsRef<Path>, machine: &Machine) -> Result<Recording, RecordingError> {
    let mut bus = RecordingBus::open(path, machine)?;
    let map = bus.object_map().clone();
    let mut image = map.image();
    let mut stations = vec![Err(twinstep_models::sample::Missing::NotMapped); map.station_count()];
    let mut recording = Recording {
        period_s: machine.cycle.period_ns as f64 / 1e9,
        row_step_s: bus.row_step_s(),
        axes: (map.axis_names().iter().enumerate())
            .map(|(number, name)| AxisRecord {
                name: name.clone(),
                reference_m: (map.has_target(number) || map.has_other_target(number))
                    .then(Vec::new),
                ..AxisRecord::default()
            })
            .collect(),
        stations: (machine.stations.iter())
            .map(|station| StationRecord {
                name: station.name.clone(),
                ..StationRecord::default()
            })
            .collect(),
        ..Recording::default()
    };
    loop {
        let result = bus.exchange(&mut image, &mut || {});
        let (stamp, gap) = match &result {
            Ok(stamp) => (*stamp, false),
            Err(fault) if fault.cause == BusCause::End => break,
            Err(fault) if fault.cause == BusCause::Segment => continue,
            Err(fault) => (fault.stamp, fault.cause == BusCause::Gap),
        };
        if bus.at_segment_start() {
            recording.segments.push(recording.cycle.len());
        }
        let exchange = outcome(&result);
        let before = image.conditions;
        map.tell_context(&mut image, exchange, before);
        recording.cycle.push(stamp.cycle);
        recording.time_s.push(if gap {
            stamp.time_ns as f64 / 1e9
        } else {
            bus.row_time_s()
        });
        recording.context.push(Context {
            recipe: image.recipe,
            part: image.part,
            conditions: image.conditions,
        });
        for (number, axis) in recording.axes.iter_mut().enumerate() {
            let valid = map
                .axis_subdevice(number)
                .and_then(|device| image.valid.get(device))
                .is_some_and(Result::is_ok);
            let raw = map
                .raw_axis(&image, number)
                .filter(|_| valid && exchange.is_ok());
            let value =
                |value: Option<f64>| value.filter(|value| value.is_finite()).unwrap_or(f64::NAN);
            axis.position_m.push(value(raw.map(|raw| raw.position_m)));
            axis.velocity_m_per_s
                .push(value(raw.map(|raw| raw.velocity_m_per_s)));
            axis.current_a.push(value(raw.map(|raw| raw.current_a)));
            if let Some(reference_m) = &mut axis.reference_m {
                // What a drive does by itself follows no reference.
                let followed = raw.filter(|raw| raw.told != Told::Own);
                reference_m.push(value(followed.map(|raw| raw.target_m)));
            }
            axis.told
                .push(raw.map_or((Told::Position, 0.0, 0.0), |raw| {
                    (raw.told, raw.told_m_per_s, raw.told_a)
                }));
            axis.enabled
                .push(raw.is_some_and(|raw| raw.state == DriveState::OperationEnabled));
        }
        map.read(&image, exchange, &mut [], &mut stations);
        for (station, reading) in recording.stations.iter_mut().zip(&stations) {
            let reading = reading.ok();
            station
                .pressure_pa
                .push(reading.map_or(f64::NAN, |reading| reading.pressure_pa));
            station
                .ejector_on
                .push(reading.is_some_and(|reading| reading.ejector_on));
            station
                .blow_off
                .push(reading.is_some_and(|reading| reading.blow_off));
        }
    }
    Ok(recording)
}
