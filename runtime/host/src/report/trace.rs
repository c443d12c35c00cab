//! What the pipeline says of one source, cycle by cycle, around an event.

use twinstep_config::machine::Machine;
use twinstep_cycle::event::Source;
use twinstep_cycle::pipeline::Pipeline;
use twinstep_models::blocks::{Block, FEATURES, Feature};
use twinstep_models::channel::Regime;
use twinstep_models::sample::{AxisReading, Missing, StationReading};

/// Most cycles that are kept: 16 s at 16 kHz.
const MAX_CYCLES: usize = 1 << 18;
/// Most movements that are kept.
const MAX_MOVEMENTS: usize = 64;

/// One quantity: seconds from the event, measured and predicted; NaN where there is none.
#[derive(Clone, Debug, Default)]
pub(super) struct Quantity {
    pub measured: Vec<[f64; 2]>,
    pub predicted: Vec<[f64; 2]>,
}

impl Quantity {
    fn push(&mut self, time_s: f64, measured: f64, predicted: f64) {
        if self.measured.len() < MAX_CYCLES {
            self.measured.push([time_s, measured]);
            self.predicted.push([time_s, predicted]);
        }
    }

    /// Measured minus predicted.
    pub fn residual(&self) -> Vec<[f64; 2]> {
        let both = self.measured.iter().zip(&self.predicted);
        both.map(|(m, p)| [m[0], m[1] - p[1]]).collect()
    }
}

/// A movement whose figures came out.
#[derive(Clone, Debug)]
pub(super) struct Movement {
    /// Seconds from the event.
    pub time_s: f64,
    pub figures: [Option<Block>; FEATURES],
}

/// A figure that stands beside those of the movements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Healthy {
    pub mean: f64,
    pub sigma: f64,
}

/// All that was seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Trace {
    pub position: Quantity,
    pub velocity: Quantity,
    pub current: Quantity,
    /// As `current_load` judges it: filtered, and late by its lag.
    pub load: Quantity,
    pub pressure: Quantity,
    /// Drift of free runs that counted (s, m).
    pub drift: Vec<[f64; 2]>,
    /// Seconds of the cycles without an exchange that went well.
    pub lost: Vec<f64>,
    pub movements: Vec<Movement>,
}

/// One cycle's readings.
pub(super) struct Seen<'a> {
    /// From the event (s).
    pub time_s: f64,
    pub axes: &'a [Result<AxisReading, Missing>],
    pub stations: &'a [Result<StationReading, Missing>],
    /// The exchange went well.
    pub exchanged: bool,
}

impl Trace {
    /// Takes in what `pipeline` says of `source` after a cycle.
    pub fn push(&mut self, pipeline: &Pipeline<'_>, source: Source, seen: &Seen<'_>) {
        let time_s = seen.time_s;
        if !seen.exchanged && self.lost.len() < MAX_CYCLES {
            self.lost.push(time_s);
        }
        match source {
            Source::Axis(n) => {
                let n = usize::from(n);
                let reading = seen.axes.get(n).and_then(|reading| reading.ok());
                let [position_m, velocity, current] = match pipeline.compared(n) {
                    Some(predicted) if reading.is_some() => predicted,
                    _ => [f64::NAN; 3],
                };
                let of = |get: fn(&AxisReading) -> f64| reading.as_ref().map_or(f64::NAN, get);
                self.position.push(time_s, of(|r| r.position_m), position_m);
                self.velocity
                    .push(time_s, of(|r| r.velocity_m_per_s), velocity);
                self.current.push(time_s, of(|r| r.current_a), current);
                let load = pipeline.load(n).filter(|(.., regime)| {
                    pipeline.judged(n) && reading.is_some() && *regime != Regime::Settling
                });
                let (measured, predicted, _) =
                    load.unwrap_or((f64::NAN, f64::NAN, Regime::Settling));
                self.load.push(time_s, measured, predicted);
                if let Some(drift_m) = pipeline.drift_m(n)
                    && self.drift.len() < MAX_CYCLES
                {
                    self.drift.push([time_s, drift_m]);
                }
                if let Some(figures) = pipeline.ended(n)
                    && self.movements.len() < MAX_MOVEMENTS
                {
                    self.movements.push(Movement {
                        time_s,
                        figures: *figures,
                    });
                }
            }
            Source::Station(n) => {
                let n = usize::from(n);
                let reading = seen.stations.get(n).and_then(|reading| reading.ok());
                self.pressure.push(
                    time_s,
                    reading.map_or(f64::NAN, |reading| reading.pressure_pa),
                    pipeline.predicted_pressure_pa(n).unwrap_or(f64::NAN),
                );
            }
            Source::Bus | Source::SubDevice(_) | Source::Controller => {}
        }
    }
}

/// The source that is called `name` in this machine.
pub(super) fn source_of(machine: &Machine, name: &str) -> Source {
    let presses = machine.presses.iter().map(|press| &press.axis.name);
    let mut axes = machine.axes.iter().map(|axis| &axis.name).chain(presses);
    // There are at most 1024 axes and 64 stations.
    if let Some(n) = axes.position(|axis| axis == name) {
        return Source::Axis(n as u16);
    }
    let mut stations = machine.stations.iter();
    match stations.position(|station| station.name == name) {
        Some(n) => Source::Station(n as u16),
        None => Source::Bus,
    }
}

/// What is healthy of a feature of axis `n`.
pub(super) fn healthy(pipeline: &Pipeline<'_>, n: usize, feature: Feature) -> Option<Healthy> {
    let baseline = pipeline.healthy(n, feature)?;
    Some(Healthy {
        mean: baseline.mean_a,
        sigma: baseline.sigma_a,
    })
}
