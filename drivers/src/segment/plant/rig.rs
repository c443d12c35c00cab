//! A bench for the plant's tests: every drive of the shipped press cell on its own program, without a bus.

use super::{DriveCommand, Plant};
use twinstep_config::fault::{Fault, FaultKind};
use twinstep_config::machine::{Axis, Machine, Press};

pub(crate) const CYCLE_NS: u64 = 1_000_000;

/// The shipped machine.
pub(crate) fn press_cell() -> Machine {
    twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").expect("shipped machine")
}

/// A fault of the machine, from `at_ns` on.
pub(crate) fn fault(target: &str, kind: FaultKind, at_ns: u64) -> Fault {
    Fault {
        kind,
        target: target.to_owned(),
        at_ns,
        ramp_ns: 0,
    }
}

/// One move: where to, how fast, how long to stay.
#[derive(Clone, Copy, Debug)]
struct Move {
    to_m: f64,
    velocity_m_per_s: f64,
    dwell_s: f64,
}

/// A jerk-limited program: a trapezoid of velocity, averaged over the time that acceleration takes to build up.
pub(crate) struct Program {
    moves: Vec<Move>,
    acceleration: f64,
    at: usize,
    from_m: f64,
    time_s: f64,
    window: Vec<f64>,
    next: usize,
}

impl Program {
    fn of_axis(axis: &Axis) -> Self {
        let moves = axis
            .motion
            .program
            .iter()
            .map(|step| Move {
                to_m: step.to_m,
                velocity_m_per_s: step
                    .velocity_m_per_s
                    .unwrap_or(axis.motion.velocity_m_per_s),
                dwell_s: step.dwell_s,
            })
            .collect();
        Self::new(axis, moves)
    }

    fn of_press(press: &Press) -> Self {
        let (s, v) = (&press.stroke, press.axis.motion.velocity_m_per_s);
        let step = |to_m, velocity_m_per_s, dwell_s| Move {
            to_m,
            velocity_m_per_s,
            dwell_s,
        };
        let moves = vec![
            step(s.approach_m, v, 0.0),
            step(s.bottom_m, s.press_velocity_m_per_s, s.hold_s),
            step(s.top_m, v, s.rest_s),
        ];
        Self::new(&press.axis, moves)
    }

    fn new(axis: &Axis, moves: Vec<Move>) -> Self {
        let motion = &axis.motion;
        let length = (motion.acceleration_m_per_s2 / motion.jerk_m_per_s3 * 1e3) as usize;
        Self {
            moves,
            acceleration: motion.acceleration_m_per_s2,
            at: 0,
            from_m: motion.start_m,
            time_s: 0.0,
            window: vec![motion.start_m; length.max(1)],
            next: 0,
        }
    }

    fn next_target_m(&mut self) -> f64 {
        let step = self.moves[self.at];
        let way = (step.to_m - self.from_m).abs();
        let v = step
            .velocity_m_per_s
            .min(libm::sqrt(way * self.acceleration));
        let ramp = v / self.acceleration;
        let travel = if v > 0.0 { way / v + ramp } else { 0.0 };
        let t = self.time_s.min(travel);
        let gone = if t < ramp {
            0.5 * self.acceleration * t * t
        } else if t < travel - ramp {
            v * (t - 0.5 * ramp)
        } else {
            let left = travel - t;
            way - 0.5 * self.acceleration * left * left
        };
        let raw = self.from_m + gone * (step.to_m - self.from_m).signum();
        self.time_s += 1e-3;
        let settle = self.window.len() as f64 * 1e-3;
        if self.time_s > travel + settle + step.dwell_s {
            self.from_m = step.to_m;
            self.time_s = 0.0;
            self.at = (self.at + 1) % self.moves.len();
        }
        self.window[self.next] = raw;
        self.next = (self.next + 1) % self.window.len();
        self.window.iter().sum::<f64>() / self.window.len() as f64
    }
}

/// What one drive showed over a run, sampled at SYNC0 (SI, axis coordinates).
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    pub target_m: Vec<f64>,
    pub position_m: Vec<f64>,
    pub velocity_m_per_s: Vec<f64>,
    pub current_a: Vec<f64>,
    pub following_m: Vec<f64>,
    pub limited: bool,
    pub error_code: u16,
}

impl Trace {
    /// Mean current at constant speed in positive and negative direction (A): target velocity steady for 40 cycles.
    pub fn steady_current_a(&self) -> (f64, f64) {
        let (mut sums, mut counts) = ([0.0; 2], [0.0; 2]);
        for n in 42..self.target_m.len() {
            let d = self.target_m[n] - self.target_m[n - 1];
            let before = self.target_m[n - 40] - self.target_m[n - 41];
            if d.abs() > 20e-6 && (d - before).abs() < 1e-9 {
                let side = usize::from(d < 0.0);
                sums[side] += self.current_a[n];
                counts[side] += 1.0;
            }
        }
        (sums[0] / counts[0], sums[1] / counts[1])
    }

    pub fn largest(values: &[f64]) -> f64 {
        values.iter().fold(0.0_f64, |most, v| most.max(v.abs()))
    }
}

/// The machine with its programs running.
pub(crate) struct Rig {
    pub machine: Machine,
    pub plant: Plant,
    programs: Vec<Program>,
    pub cycle: u64,
    pub traces: Vec<Trace>,
}

impl Rig {
    pub fn new(machine: Machine, machine_seed: u64, seed: u64) -> Self {
        let mut plant = Plant::new(&machine, machine_seed, seed);
        plant.advance_to(0);
        plant.start_of_operation(0);
        let programs: Vec<Program> = machine
            .axes
            .iter()
            .map(Program::of_axis)
            .chain(machine.presses.iter().map(Program::of_press))
            .collect();
        let traces = programs.iter().map(|_| Trace::default()).collect();
        Self {
            machine,
            plant,
            programs,
            cycle: 0,
            traces,
        }
    }

    fn axis(&self, index: usize) -> &Axis {
        let presses = self.machine.presses.iter().map(|press| &press.axis);
        self.machine
            .axes
            .iter()
            .chain(presses)
            .nth(index)
            .expect("axis")
    }

    pub fn index_of(&self, name: &str) -> usize {
        (0..self.programs.len())
            .find(|&n| self.axis(n).name == name)
            .expect("axis")
    }

    /// Runs `cycles`, the first 300 ms of all at rest; records when asked to.
    pub fn run(&mut self, cycles: u64, record: bool) {
        for _ in 0..cycles {
            self.plant.advance_to(self.cycle * CYCLE_NS);
            for index in 0..self.programs.len() {
                self.exchange(index, record);
            }
            self.cycle += 1;
        }
    }

    /// A cycle passes in which no new set-point reached the drives; the programs go on in time.
    pub fn skip_cycle(&mut self) {
        for program in &mut self.programs {
            program.next_target_m();
        }
        self.cycle += 1;
    }

    fn exchange(&mut self, index: usize, record: bool) {
        let drive = self.axis(index).drive.clone();
        let m_per_count = drive.direction * drive.feed_m_per_rev / drive.counts_per_rev;
        let a_per_permille = drive.direction * drive.rated_current_a / 1000.0;
        let start_m = self.axis(index).motion.start_m;
        let moving = self.cycle >= 300;
        let program = &mut self.programs[index];
        let target_m = if moving {
            program.next_target_m()
        } else {
            start_m
        };
        let unit = self.plant.drive_mut(index).expect("drive");
        let feedback = unit.feedback();
        unit.set_command(DriveCommand {
            powered: true,
            target_position_counts: (target_m / m_per_count + 0.5).floor() as i32,
            ..DriveCommand::default()
        });
        let trace = &mut self.traces[index];
        trace.limited |= feedback.limited;
        trace.error_code = feedback.error_code;
        if record {
            trace.target_m.push(target_m);
            trace
                .position_m
                .push(f64::from(feedback.position_counts) * m_per_count);
            trace
                .velocity_m_per_s
                .push(f64::from(feedback.velocity_counts_per_s) * m_per_count);
            trace
                .current_a
                .push(f64::from(feedback.torque_permille) * a_per_permille);
            trace
                .following_m
                .push(f64::from(feedback.following_error_counts) * m_per_count);
        }
    }
}

/// Axes by kind: weight hides nothing on the horizontal ones.
pub(crate) const HORIZONTAL: [&str; 6] =
    ["infeed", "outfeed", "gantry", "carriage", "cross", "pusher"];
pub(crate) const VERTICAL: [&str; 2] = ["insert", "lift"];

pub(crate) fn rated_a(rig: &Rig, index: usize) -> f64 {
    let presses = rig.machine.presses.iter().map(|press| &press.axis);
    rig.machine
        .axes
        .iter()
        .chain(presses)
        .nth(index)
        .map_or(1.0, |axis| axis.drive.rated_current_a)
}

/// A run of `seconds` with the same fault on every axis from the start.
pub(crate) fn run_with(kind: Option<FaultKind>, seconds: u64) -> Rig {
    let mut rig = Rig::new(press_cell(), 1, 1);
    if let Some(kind) = kind {
        let machine = rig.machine.clone();
        for axis in &machine.axes {
            let mut kind = kind.clone();
            if let (FaultKind::Load { mass_kg }, Some(plant)) = (&mut kind, &axis.plant) {
                *mass_kg *= plant.load_mass_kg;
            }
            rig.plant
                .inject(&fault(&axis.name, kind, 0), 0, &machine)
                .unwrap();
        }
    }
    rig.run(seconds * 1000, true);
    rig
}

/// Half the difference of the currents in both directions, and their mean (A): friction, and what pulls one way.
pub(crate) fn friction_and_weight(rig: &Rig, name: &str) -> (f64, f64) {
    let (up, down) = rig.traces[rig.index_of(name)].steady_current_a();
    (0.5 * (up - down), 0.5 * (up + down))
}
