//! Axes that really move: programs of the configuration, followed by plants that are not the twins.
//!
//! The measurements are as a drive's would be: the plant differs from the twin by a few per cent, position and current
//! carry noise. So residuals are what they are on a healthy machine, and detectors do the work they do there.

use crate::outer::Outer;
use crate::rk4;
use twinstep_config::machine::{Machine, StationTwin};
use twinstep_cycle::motion::{Program, Progress};
use twinstep_cycle::setpoint::StationProgram;
use twinstep_drivers::rng::Rng;
use twinstep_host::plan::{self, PlanStore};
use twinstep_models::axis::AxisParams;
use twinstep_models::press::Contact;
use twinstep_models::press::linked::Linked;
use twinstep_models::sample::{AxisReading, Context, DriveState, Missing, StationReading, Told};

/// Difference between plant and twin.
const PART_SPREAD: f64 = 0.01;
/// Noise of the position (m), velocity (m/s) and current (A), standard deviations.
const NOISE: (f64, f64, f64) = (0.2e-6, 2.0e-4, 0.01);
/// Cycles by which the axes run ahead of each other at the start, at most.
const AHEAD_CYCLES: f64 = 2000.0;
/// Targets that an axis remembers.
pub const TARGETS: usize = 4;
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
                    (plan.plan().linked.iter())
                        .find(|one| usize::from(one.axis) == n)
                        .map(|one| one.linked),
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
        Context::of(0, 0)
    }
}

#[derive(Clone, Debug)]
struct Axis {
    plant: rk4::Axis,
    state: rk4::State,
    contact: Contact,
    /// What stands between the axis and its ram, if anything does.
    linked: Option<Linked>,
    program: Program,
    progress: Progress,
    /// Targets, newest first.
    targets_m: [f64; TARGETS],
    /// How the drive is told, and the loops that it leaves open.
    outer: Outer,
    /// Velocities (m/s) and currents (A) told, newest first.
    sent: [(f64, f64); TARGETS],
    /// Position (m) and velocity (m/s) as they were measured last.
    measured: (f64, f64),
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
        linked: Option<Linked>,
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
        let told = program
            .steps
            .first()
            .map_or(Told::Position, |step| step.told);
        let drawing = rk4::Axis::new(p);
        Self {
            plant: drawing.spread(|| rng.around_one(PART_SPREAD)).told(told),
            state: rk4::State {
                position_m: start_m,
                ..rk4::State::default()
            },
            contact,
            linked,
            program,
            progress,
            targets_m: [start_m; TARGETS],
            outer: Outer::new(told, drawing),
            sent: [(0.0, 0.0); TARGETS],
            measured: (start_m, 0.0),
            dead: ((p.dead_time_s / period_s).round() as usize).clamp(1, 2),
            filter_share,
            reported_a: 0.0,
            rng,
        }
    }

    fn next(&mut self, period_s: f64) -> AxisReading {
        self.targets_m.rotate_right(1);
        self.targets_m[0] = self.progress.advance(&self.program, period_s);
        self.sent.rotate_right(1);
        self.sent[0] = self
            .outer
            .ask(&self.targets_m, self.dead, self.measured, period_s);
        self.reported_a += self.filter_share * (self.state.current_a - self.reported_a);
        let reading = AxisReading {
            position_m: self.state.position_m + NOISE.0 * self.rng.bell(),
            velocity_m_per_s: self.state.velocity_m_per_s + NOISE.1 * self.rng.bell(),
            current_a: self.reported_a + NOISE.2 * self.rng.bell(),
            target_m: self.targets_m[0],
            told_m_per_s: self.sent[0].0,
            told_a: self.sent[0].1,
            told: self.outer.told(),
            state: DriveState::OperationEnabled,
            error_code: 0,
        };
        let (plant, load_a) = self.loaded();
        self.measured = (reading.position_m, reading.velocity_m_per_s);
        let (m_per_s, current_a) = self.sent[self.dead - 1];
        let (from_m, to_m) = match self.outer.told() {
            Told::Velocity => (0.0, m_per_s * period_s),
            Told::Torque => {
                self.state.integral_a = current_a;
                (0.0, 0.0)
            }
            Told::Position | Told::PositionAndOffsets | Told::Own => {
                (self.targets_m[self.dead], self.targets_m[self.dead - 1])
            }
        };
        plant.advance(&mut self.state, from_m, to_m, load_a, period_s);
        reading
    }

    /// The axis as heavy as it is where it stands, and what part and ram ask of it (A). The inertia of a ram is that of the start of the
    /// cycle.
    fn loaded(&self) -> (rk4::Axis, f64) {
        let (x, v) = (self.state.position_m, self.state.velocity_m_per_s);
        let part_a = |ram_m: f64, ram_m_per_s: f64| {
            if self.contact.direction * ram_m_per_s > -1.0e-4 {
                self.contact.current_a(ram_m)
            } else {
                0.0
            }
        };
        let Some(linked) = &self.linked else {
            return (self.plant, part_a(x, v));
        };
        let ram = linked.at(x, v);
        let kf = linked.motor.torque_constant_nm_per_a;
        let inertia = linked.ram_mass_kg / kf * ram.per_way * ram.per_way;
        let load_a = linked.load_a(&ram, 0.0, part_a(ram.ram_m, ram.ram_m_per_s()));
        (self.plant.heavier(inertia), load_a)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machines;
    use twinstep_config::machine::OperationMode;

    /// Would show an axis whose drive is told nothing in a mode, or that does not follow it: the benchmark would then measure axes that stand,
    /// or that run away.
    #[test]
    fn axes_go_where_their_programs_say_in_every_mode() {
        const AXES: usize = 8;
        for mode in OperationMode::ALL {
            let mut machine = machines::many_axes(AXES, 1);
            machines::tell(&mut machine, mode, |_| true);
            let plan = PlanStore::new(&machine);
            let mut fleet = Fleet::new(&machine, &plan, 1);
            let mut ways = [(f64::INFINITY, f64::NEG_INFINITY); AXES];
            for cycle in 0..8000 {
                fleet.next();
                for (n, (reading, way)) in fleet.axis_readings.iter().zip(&mut ways).enumerate() {
                    let r = reading.expect("the fleet measures every axis");
                    assert_eq!(r.told.name(), mode.name());
                    let off_m = r.target_m - r.position_m;
                    assert!(
                        off_m.abs() < 0.03,
                        "{}: axis {n} is {off_m} m off its path in cycle {cycle}",
                        mode.name()
                    );
                    *way = (way.0.min(r.position_m), way.1.max(r.position_m));
                }
            }
            // The shortest stroke of the press cell is 180 mm.
            assert!(
                ways.iter().all(|(least, most)| most - least > 0.15),
                "{}: {ways:?}",
                mode.name()
            );
        }
    }
}
