//! Motion programs: where every axis is to be, cycle by cycle.
//!
//! A program is a ring of moves with rests between them. Program time runs with the cycle; stopping slows program time down
//! until it stands, so that every axis brakes on its own path and all of them together.

use crate::profile::{Limits, Profile};
use twinstep_models::sample::Told;

/// Most steps of one program.
pub const MAX_STEPS: usize = 32;

/// One step: a move, then a rest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Where to (m).
    pub to_m: f64,
    /// Velocity limit of this move (m/s).
    pub velocity_m_per_s: f64,
    /// Rest after arrival (s).
    pub dwell_s: f64,
    /// A stroke is complete when this step begins: the part is changed.
    pub ends_stroke: bool,
    /// The mode that the drive is in for this step.
    pub told: Told,
}

/// The program of one axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Program {
    /// Steps, repeated for ever; none: the axis stands.
    pub steps: heapless::Vec<Step, MAX_STEPS>,
    /// Acceleration limit (m/s2).
    pub acceleration_m_per_s2: f64,
    /// Jerk limit (m/s3).
    pub jerk_m_per_s3: f64,
}

impl Program {
    /// The fastest of its steps (m/s); 0 without any.
    pub fn fastest_m_per_s(&self) -> f64 {
        let speeds = self.steps.iter().map(|step| step.velocity_m_per_s);
        speeds.fold(0.0, f64::max)
    }
}

/// How far a program has come.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    running: bool,
    next: usize,
    profile: Profile,
    move_s: f64,
    step_s: f64,
    time_s: f64,
    target_m: f64,
    strokes: u64,
}

impl Progress {
    /// Strokes completed.
    pub fn strokes(&self) -> u64 {
        self.strokes
    }

    /// Starts (again) from where the axis stands.
    pub fn start(&mut self, program: &Program, position_m: f64) {
        self.running = true;
        self.next = 0;
        self.target_m = position_m;
        self.begin(program);
    }

    /// Not running: the target follows the axis.
    pub fn follow(&mut self, position_m: f64) {
        self.running = false;
        self.target_m = position_m;
    }

    /// The target of this cycle (m).
    pub fn target_m(&self) -> f64 {
        self.target_m
    }

    /// The mode of the step in progress.
    pub fn told(&self, program: &Program) -> Told {
        (program.steps.get(self.next)).map_or(Told::Position, |step| step.told)
    }

    /// Whether the program runs.
    pub fn running(&self) -> bool {
        self.running
    }

    /// Goes on with the step in progress from where the axis stands: after it was lost for a while.
    pub fn resume(&mut self, program: &Program, position_m: f64) {
        self.running = true;
        self.target_m = position_m;
        self.plan(program);
    }

    fn begin(&mut self, program: &Program) {
        self.strokes += u64::from(
            program
                .steps
                .get(self.next)
                .is_some_and(|step| step.ends_stroke),
        );
        self.plan(program);
    }

    fn plan(&mut self, program: &Program) {
        let Some(step) = program.steps.get(self.next) else {
            return;
        };
        let limits = Limits {
            velocity_m_per_s: step.velocity_m_per_s,
            acceleration_m_per_s2: program.acceleration_m_per_s2,
            jerk_m_per_s3: program.jerk_m_per_s3,
        };
        self.profile = Profile::new(self.target_m, step.to_m, &limits);
        self.move_s = self.profile.duration_s();
        self.step_s = self.move_s + step.dwell_s;
        self.time_s = 0.0;
    }

    /// Advances program time by `time_s` and returns the target (m).
    pub fn advance(&mut self, program: &Program, time_s: f64) -> f64 {
        if !self.running || program.steps.is_empty() {
            return self.target_m;
        }
        self.time_s += time_s;
        if self.time_s >= self.step_s {
            let over = self.time_s - self.step_s;
            self.target_m = self.profile.position_m(self.move_s);
            self.next = (self.next + 1) % program.steps.len();
            self.begin(program);
            self.time_s = over;
        }
        self.target_m = self.profile.position_m(self.time_s);
        self.target_m
    }
}

/// Program time against real time: 1 while running, ramped to 0 on a stop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Override {
    rate: f64,
    left_s: f64,
    ramp_s: f64,
    stopping: bool,
}

impl Override {
    /// Full speed; a stop will take `ramp_s` (s, > 0).
    pub fn new(ramp_s: f64) -> Self {
        Self {
            rate: 1.0,
            left_s: ramp_s,
            ramp_s,
            stopping: false,
        }
    }

    /// Begins to stop.
    pub fn stop(&mut self) {
        self.stopping = true;
    }

    /// Whether everything stands.
    pub fn stopped(&self) -> bool {
        self.rate <= 0.0
    }

    /// Program time that passes in this cycle (s). The rate falls as a cosine would, without jumps of acceleration.
    pub fn step(&mut self, period_s: f64) -> f64 {
        if self.stopping {
            self.left_s -= period_s;
            let u = if self.left_s > 0.0 {
                self.left_s / self.ramp_s
            } else {
                0.0
            };
            self.rate = u * u * (3.0 - 2.0 * u);
        }
        self.rate * period_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program() -> Program {
        let mut steps = heapless::Vec::new();
        for (to_m, dwell_s) in [(0.2, 0.1), (0.0, 0.05)] {
            let step = Step {
                to_m,
                velocity_m_per_s: 0.5,
                dwell_s,
                ends_stroke: to_m == 0.0,
                told: Told::Position,
            };
            steps.push(step).expect("two steps fit");
        }
        Program {
            steps,
            acceleration_m_per_s2: 3.0,
            jerk_m_per_s3: 60.0,
        }
    }

    #[test]
    fn a_program_repeats_and_counts_strokes() {
        let p = program();
        let mut progress = Progress::default();
        progress.start(&p, 0.05);
        let mut highest: f64 = 0.0;
        let mut last = 0.05;
        let mut fastest: f64 = 0.0;
        for _ in 0..5000 {
            let x = progress.advance(&p, 0.001);
            fastest = fastest.max((x - last).abs() / 0.001);
            highest = highest.max(x);
            last = x;
        }
        assert!((highest - 0.2).abs() < 1e-12);
        assert!(fastest <= 0.5 + 1e-9, "{fastest}");
        assert!(progress.strokes() >= 2, "{}", progress.strokes());
    }

    #[test]
    fn a_stop_keeps_the_path_and_ends() {
        let p = program();
        let mut progress = Progress::default();
        progress.start(&p, 0.0);
        let mut o = Override::new(0.3);
        let mut last = (0.0, 0.0);
        let mut worst: f64 = 0.0;
        for k in 0..1000 {
            if k == 250 {
                o.stop();
            }
            let t = o.step(0.001);
            let x = progress.advance(&p, t);
            let v = (x - last.0) / 0.001;
            worst = worst.max((v - last.1).abs() / 0.001);
            last = (x, v);
        }
        assert!(o.stopped());
        assert_eq!(last.1, 0.0);
        // Braking from 0.5 m/s in 0.3 s: 1.5 x the mean at the steepest, on top of the path's own 3 m/s2.
        assert!(worst < 3.0 + 1.6 * 0.5 / 0.3, "{worst}");
    }
}
