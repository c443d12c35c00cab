//! Where set-points come from, and the way of a drive to operation enabled (CiA 402).

mod outer;

pub use outer::OuterGains;

use crate::controller::ControllerState;
use crate::motion::{Override, Program, Progress};
use outer::{Advance, Outer};
use twinstep_models::sample::{AxisReading, Context, DriveState, Missing, Samples, Told};

/// Controlword 0x6040: shutdown.
pub const SHUTDOWN: u16 = 0x0006;
/// Controlword 0x6040: switch on.
pub const SWITCH_ON: u16 = 0x0007;
/// Controlword 0x6040: enable operation.
pub const ENABLE_OPERATION: u16 = 0x000f;
/// Controlword 0x6040: disable voltage.
pub const DISABLE_VOLTAGE: u16 = 0x0000;

/// What an axis is told in one cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AxisSetpoint {
    /// Controlword 0x6040.
    pub controlword: u16,
    /// Target position 0x607A (m).
    pub target_m: f64,
    /// The mode to be in.
    pub told: Told,
    /// Target velocity 0x60FF in CSV (m/s), else 0.
    pub told_m_per_s: f64,
    /// Target torque 0x6071 in CST, as a current (A), else 0.
    pub told_a: f64,
}

/// What a vacuum station is told in one cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StationSetpoint {
    /// Ejector on.
    pub ejector_on: bool,
    /// Blow-off valve open.
    pub blow_off: bool,
}

/// Everything that is sent in one cycle.
#[derive(Debug)]
pub struct Setpoints<'a> {
    /// Cycle of the samples that they follow from.
    pub cycle: u64,
    /// Axes, then presses.
    pub axes: &'a mut [AxisSetpoint],
    /// Stations.
    pub stations: &'a mut [StationSetpoint],
    /// Recipe and part that are in force from the coming cycle on.
    pub context: Context,
}

/// A source of set-points: a program of the configuration, or a controller.
pub trait SetpointSource {
    /// Decides what is sent next, given what the last cycle brought. `skipped` starts of cycles have passed unused since.
    fn next(&mut self, samples: &Samples<'_>, skipped: u32, out: &mut Setpoints<'_>);

    /// Lets drives be enabled from now on; each goes on from where it stands.
    fn arm(&mut self);

    /// Whether drives may be enabled.
    fn armed(&self) -> bool;

    /// Begins to stop: ramp, standstill, operation disabled.
    fn stop(&mut self);

    /// The stop did not come to an end: quick stop of every drive that is still enabled.
    fn quick_stop(&mut self);

    /// Time after which a stop must have come to an end (s).
    fn stop_time_s(&self) -> f64;

    /// Whether everything stands and no drive is enabled any more.
    fn stopped(&self) -> bool;

    /// How the requests of a controller are followed; none where no controller sends the set-points.
    fn controller(&self) -> Option<ControllerState> {
        None
    }
}

/// Controlword that leads a drive in `state` one step towards operation enabled. A fault is not reset on its own.
pub const fn towards_enabled(state: DriveState) -> u16 {
    match state {
        DriveState::SwitchOnDisabled => SHUTDOWN,
        DriveState::ReadyToSwitchOn => SWITCH_ON,
        DriveState::SwitchedOn | DriveState::OperationEnabled => ENABLE_OPERATION,
        DriveState::NotReadyToSwitchOn
        | DriveState::QuickStopActive
        | DriveState::FaultReactionActive
        | DriveState::Fault => DISABLE_VOLTAGE,
    }
}

/// One axis of a machine program.
#[derive(Clone, Debug, Default)]
pub struct AxisProgram {
    /// The program.
    pub program: Program,
    /// How far it is.
    pub progress: Progress,
    /// Where it was when it began to stand.
    anchor_m: f64,
    still_s: f64,
    /// Cycles without a reading, up to now.
    missed: u32,
    /// It was lost for long: it brakes from where it was found, at this velocity (m/s), stands, then goes on.
    braking_m_per_s: Option<f64>,
    was_enabled: bool,
    gains: OuterGains,
    outer: Outer,
}

impl AxisProgram {
    /// At the start of `program`.
    pub fn new(program: Program) -> Self {
        Self {
            program,
            ..Self::default()
        }
    }

    /// With the gains of its drive, for steps in CSV or CST.
    pub fn with_gains(mut self, gains: OuterGains) -> Self {
        self.gains = gains;
        self
    }

    fn stands(&self) -> bool {
        self.still_s >= STANDSTILL_S
    }

    /// Takes a reading in: where the axis is, and where the program is to go on from.
    fn observe(&mut self, reading: &AxisReading, period_s: f64, stopping: bool) {
        let way = reading.position_m - self.anchor_m;
        if !(-STANDSTILL_M..=STANDSTILL_M).contains(&way) {
            self.anchor_m = reading.position_m;
            self.still_s = 0.0;
        } else {
            self.still_s += period_s;
        }
        if self.missed > BRIDGED_CYCLES && self.progress.running() {
            // The drive was on its own: a target that had gone on without it would be a jump.
            self.braking_m_per_s = Some(reading.velocity_m_per_s);
            self.progress.follow(reading.position_m);
            self.outer.put_elsewhere(reading.velocity_m_per_s);
        }
        self.missed = 0;
        if reading.state != DriveState::OperationEnabled {
            self.progress.follow(reading.position_m);
            self.outer.put_elsewhere(0.0);
            self.braking_m_per_s = None;
        } else if let Some(velocity_m_per_s) = self.braking_m_per_s {
            let target_m = self.progress.target_m();
            let step = self.program.acceleration_m_per_s2 * period_s;
            let speed = if velocity_m_per_s < 0.0 {
                -velocity_m_per_s
            } else {
                velocity_m_per_s
            };
            let slower = if speed > step { speed - step } else { 0.0 };
            let next = if velocity_m_per_s < 0.0 {
                -slower
            } else {
                slower
            };
            self.progress.follow(target_m + next * period_s);
            self.braking_m_per_s = Some(next);
            if slower == 0.0 && self.stands() {
                self.braking_m_per_s = None;
                if !stopping {
                    self.progress.resume(&self.program, target_m);
                }
            }
        } else if !self.progress.running() && !stopping {
            self.progress.start(&self.program, reading.position_m);
        }
    }
}

/// The sequence of a vacuum station (cycles).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StationProgram {
    /// Ejector on.
    pub evacuate_cycles: u64,
    /// Part held.
    pub hold_cycles: u64,
    /// Blow-off and rest.
    pub release_cycles: u64,
}

/// An axis that stays within this way (m) for this time (s) stands.
const STANDSTILL_M: f64 = 20.0e-6;
/// See [`STANDSTILL_M`].
const STANDSTILL_S: f64 = 0.05;
/// Cycles without a reading over which set-points go on in time: the drive may well have received them, and bridges what it
/// did not receive.
const BRIDGED_CYCLES: u32 = 4;
/// Time that drives may take to disable after the ramp (s).
const DISABLE_S: f64 = 5.0;
/// Controlword 0x6040: quick stop.
const QUICK_STOP: u16 = 0x0002;

/// The set-points of a machine whose programs stand in the configuration.
#[derive(Debug)]
pub struct ProgramSource<'a> {
    axes: &'a mut [AxisProgram],
    stations: &'a [StationProgram],
    /// Recipe and part of each stroke of the first press, repeated.
    strokes: &'a [Context],
    first_press: usize,
    period_s: f64,
    feed: Override,
    stop_ramp_s: f64,
    cycle: u64,
    armed: bool,
    stopping: bool,
    quick: bool,
    disabled: bool,
}

impl<'a> ProgramSource<'a> {
    /// `strokes` are recipe and part of each stroke of the first press, repeated; none: recipe and part 0. `first_press` is the index of the first press among the axes. Not armed, every drive stays disabled.
    pub fn new(
        axes: &'a mut [AxisProgram],
        stations: &'a [StationProgram],
        strokes: &'a [Context],
        first_press: usize,
        period_s: f64,
        stop_ramp_s: f64,
        armed: bool,
    ) -> Self {
        Self {
            axes,
            stations,
            strokes,
            first_press,
            period_s,
            feed: Override::new(stop_ramp_s),
            stop_ramp_s,
            cycle: 0,
            armed,
            stopping: false,
            quick: false,
            disabled: false,
        }
    }

    fn context(&self) -> Context {
        let press = self.axes.get(self.first_press);
        let done = press.map_or(0, |a| a.progress.strokes());
        // Without any there is no remainder.
        let at = done.checked_rem(self.strokes.len() as u64).unwrap_or(0);
        self.strokes.get(at as usize).copied().unwrap_or_default()
    }
}

impl SetpointSource for ProgramSource<'_> {
    fn next(&mut self, samples: &Samples<'_>, skipped: u32, out: &mut Setpoints<'_>) {
        let time_s = self.feed.step(self.period_s * f64::from(1 + skipped));
        let mut all_disabled = true;
        let mut tripped = false;
        for ((axis, sample), set) in self
            .axes
            .iter_mut()
            .zip(samples.axes)
            .zip(out.axes.iter_mut())
        {
            axis.missed = axis.missed.saturating_add(skipped);
            match sample {
                Ok(reading) => {
                    axis.observe(reading, self.period_s, self.stopping);
                    let enabled = reading.state == DriveState::OperationEnabled;
                    all_disabled &= !enabled;
                    // A drive that drops out takes the whole machine with it, and nothing starts again by itself.
                    tripped |= axis.was_enabled && !enabled;
                    axis.was_enabled = enabled;
                    let stands = self.feed.stopped() && axis.stands();
                    set.controlword = match (self.armed, self.stopping, enabled) {
                        (false, _, _) => DISABLE_VOLTAGE,
                        (true, true, true) if self.quick => QUICK_STOP,
                        // Disable operation; the brake closes before the voltage goes.
                        (true, true, true) if stands => SWITCH_ON,
                        (true, true, false) => SHUTDOWN,
                        (true, _, _) => towards_enabled(reading.state),
                    };
                }
                Err(reason) => {
                    axis.missed = axis.missed.saturating_add(1);
                    // A SubDevice out of OP takes no outputs: its drive has stopped by its own options.
                    all_disabled &= *reason == Missing::NotOperational;
                }
            }
            set.target_m = if axis.missed > BRIDGED_CYCLES {
                set.target_m
            } else {
                axis.progress.advance(&axis.program, time_s)
            };
            let told = axis.progress.told(&axis.program);
            let (gains, reading) = (&axis.gains, sample.as_ref().ok());
            let advance = Advance {
                time_s: self.period_s * f64::from(1 + skipped),
                period_s: self.period_s,
                fastest_m_per_s: axis.program.fastest_m_per_s(),
            };
            (set.told, set.told_m_per_s, set.told_a) =
                (axis.outer).step(gains, told, set.target_m, reading, advance);
        }
        self.disabled = all_disabled;
        if tripped && !self.stopping {
            self.stop();
        }
        for (program, set) in self.stations.iter().zip(out.stations.iter_mut()) {
            let ring = program.evacuate_cycles + program.hold_cycles + program.release_cycles;
            let at = if ring == 0 { 0 } else { self.cycle % ring };
            let active = self.armed && !self.stopping && ring > 0;
            set.ejector_on = active && at < program.evacuate_cycles;
            set.blow_off = active && at >= program.evacuate_cycles + program.hold_cycles;
        }
        self.cycle += 1;
        out.context = self.context();
    }

    fn arm(&mut self) {
        if !self.armed {
            // Stations begin with the start of their sequence.
            (self.armed, self.cycle) = (true, 0);
        }
    }

    fn armed(&self) -> bool {
        self.armed
    }

    fn stop(&mut self) {
        self.stopping = true;
        self.feed.stop();
    }

    fn quick_stop(&mut self) {
        self.stop();
        self.quick = true;
    }

    fn stop_time_s(&self) -> f64 {
        2.0 * self.stop_ramp_s + DISABLE_S
    }

    fn stopped(&self) -> bool {
        self.stopping && self.feed.stopped() && self.disabled
    }
}

#[cfg(test)]
mod tests;
