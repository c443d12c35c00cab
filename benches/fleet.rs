//! Axes that really move: programs of the configuration, followed by plants that are not the twins.
//!
//! The measurements are as a drive's would be: the plant differs from the twin by a few per cent, position and current
//! carry noise. So residuals are what they are on a healthy machine, and detectors do the work they do there.

use crate::rk4;
use twinstep_config::machine::{Machine, StationTwin};
use twinstep_cycle::motion::{Program, Progress};
use twinstep_cycle::setpoint::StationProgram;
use twinstep_drivers::rng::Rng;
use twinstep_host::plan::{self, PlanStore};
use twinstep_models::axis::AxisParams;
use twinstep_models::press::Contact;
use twinstep_models::sample::{AxisReading, Context, DriveState, Missing, StationReading};

/// Difference between plant and twin.
const PART_SPREAD: f64 = 0.01;
/// Noise of the position (m), velocity (m/s) and current (A), standard deviations.
const NOISE: (f64, f64, f64) = (0.2e-6, 2.0e-4, 0.01);
/// Cycles by which the axes run ahead of each other at the start, at most.
const AHEAD_CYCLES: f64 = 2000.0;
/// Normal pressure (Pa).
const AMBIENT_PA: f64 = 101_325.0;

/// All axes and stations of one machine, and what they measured in the last cycle.
#[derive(Clone, Debug)]
pub struct Fleet {
    axes: Vec<Axis>,
    stations: Vec<Station>,
    period_s: f64,
    /// Readings of the axes, then presses.
    pub axis_readings: Vec<Result<AxisReading, Missing>>,
    /// Readings of the stations.
    pub station_readings: Vec<Result<StationReading, Missing>>,
}

impl Fleet {
    /// The machine in motion; `plan` is that of the machine. Everything is drawn from `seed`.
    pub fn new(machine: &Machine, plan: &PlanStore, seed: u64) -> Self {
        let period_s = machine.cycle.period_ns as f64 / 1e9;
        let programs = plan::programs(machine);
        let axes = plan
            .params
            .iter()
            .zip(plan.plan().axes)
            .zip(programs)
            .enumerate()
            .map(|(n, ((p, axis), program))| {
                let mut axis = Axis::new(
                    p,
                    axis.contacts[0],
                    program.program,
                    period_s,
                    Rng::new(seed, n as u64),
                );
                let ahead = (AHEAD_CYCLES * axis.rng.uniform()) as u64;
                for _ in 0..ahead {
                    axis.next(period_s);
                }
                axis
            });
        let axes: Vec<Axis> = axes.collect();
        let stations: Vec<Station> = (machine.stations.iter().zip(plan::station_programs(machine)))
            .filter_map(|(station, program)| {
                Some(Station {
                    twin: station.twin?,
                    program,
                    cycle: 0,
                    pressure_pa: AMBIENT_PA,
                })
            })
            .collect();
        Self {
            axis_readings: vec![Err(Missing::NoFrame); axes.len()],
            station_readings: vec![Err(Missing::NoFrame); stations.len()],
            axes,
            stations,
            period_s,
        }
    }

    /// One cycle: everything moves on and is measured.
    pub fn next(&mut self) {
        for (axis, reading) in self.axes.iter_mut().zip(&mut self.axis_readings) {
            *reading = Ok(axis.next(self.period_s));
        }
        for (station, reading) in self.stations.iter_mut().zip(&mut self.station_readings) {
            *reading = Ok(station.next(self.period_s));
        }
    }

    /// The part in the press: always the first.
    pub const fn context(&self) -> Context {
        Context { recipe: 0, part: 0 }
    }
}

#[derive(Clone, Debug)]
struct Axis {
    plant: rk4::Axis,
    state: rk4::State,
    contact: Contact,
    program: Program,
    progress: Progress,
    /// Targets, newest first.
    targets_m: [f64; 4],
    /// Cycles from a target to its effect, 1 or 2.
    dead: usize,
    /// Share of the way to the current that the torque filter covers in a cycle.
    filter_share: f64,
    reported_a: f64,
    rng: Rng,
}

impl Axis {
    fn new(
        p: &AxisParams,
        contact: Contact,
        program: Program,
        period_s: f64,
        mut rng: Rng,
    ) -> Self {
        let start_m = program.steps.last().map_or(0.0, |step| step.to_m);
        let mut progress = Progress::default();
        progress.start(&program, start_m);
        let filter_share = if p.current_filter_s > 0.0 {
            1.0 - libm::exp(-period_s / p.current_filter_s)
        } else {
            1.0
        };
        Self {
            plant: rk4::Axis::new(p).spread(|| rng.around_one(PART_SPREAD)),
            state: rk4::State {
                position_m: start_m,
                ..rk4::State::default()
            },
            contact,
            program,
            progress,
            targets_m: [start_m; 4],
            dead: ((p.dead_time_s / period_s).round() as usize).clamp(1, 2),
            filter_share,
            reported_a: 0.0,
            rng,
        }
    }

    fn next(&mut self, period_s: f64) -> AxisReading {
        self.targets_m.rotate_right(1);
        self.targets_m[0] = self.progress.advance(&self.program, period_s);
        self.reported_a += self.filter_share * (self.state.current_a - self.reported_a);
        let reading = AxisReading {
            position_m: self.state.position_m + NOISE.0 * self.rng.bell(),
            velocity_m_per_s: self.state.velocity_m_per_s + NOISE.1 * self.rng.bell(),
            current_a: self.reported_a + NOISE.2 * self.rng.bell(),
            target_m: self.targets_m[0],
            state: DriveState::OperationEnabled,
            error_code: 0,
            ..AxisReading::default()
        };
        let inwards = self.contact.direction * self.state.velocity_m_per_s > -1.0e-4;
        let load_a = if inwards {
            self.contact.current_a(self.state.position_m)
        } else {
            0.0
        };
        let (from_m, to_m) = (self.targets_m[self.dead], self.targets_m[self.dead - 1]);
        self.plant
            .advance(&mut self.state, from_m, to_m, load_a, period_s);
        reading
    }
}

#[derive(Clone, Debug)]
struct Station {
    twin: StationTwin,
    program: StationProgram,
    cycle: u64,
    pressure_pa: f64,
}

impl Station {
    fn next(&mut self, period_s: f64) -> StationReading {
        let (evacuate, hold) = (self.program.evacuate_cycles, self.program.hold_cycles);
        let phase = self.cycle % (evacuate + hold + self.program.release_cycles).max(1);
        self.cycle += 1;
        let (ejector_on, blow_off) = (phase < evacuate, phase >= evacuate + hold);
        let reading = StationReading {
            pressure_pa: self.pressure_pa,
            ejector_on,
            blow_off,
        };
        let share = 1.0 - libm::exp(-period_s / self.twin.evacuation_time_constant_s);
        self.pressure_pa += if ejector_on {
            share * (self.twin.final_pressure_pa - self.pressure_pa)
        } else if blow_off {
            0.1 * (AMBIENT_PA - self.pressure_pa)
        } else {
            self.twin.leak_pa_per_s * period_s
        };
        reading
    }
}
