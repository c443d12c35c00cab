//! Where set-points come from, and the way of a drive to operation enabled (CiA 402).

use crate::motion::{Override, Program, Progress};
use twinstep_models::sample::{Context, DriveState, Samples};

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
    /// Axes, then presses.
    pub axes: &'a mut [AxisSetpoint],
    /// Stations.
    pub stations: &'a mut [StationSetpoint],
    /// Recipe and part that are in force from the coming cycle on.
    pub context: Context,
}

/// A source of set-points: a program of the configuration, or a controller.
pub trait SetpointSource {
    /// Decides what is sent next, given what the last cycle brought.
    fn next(&mut self, samples: &Samples<'_>, out: &mut Setpoints<'_>);

    /// Begins to stop: ramp, standstill, operation disabled.
    fn stop(&mut self);

    /// Whether everything stands and no drive is enabled any more.
    fn stopped(&self) -> bool;
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
    still: u32,
    last_m: f64,
}

impl AxisProgram {
    /// At the start of `program`.
    pub fn new(program: Program) -> Self {
        Self {
            program,
            ..Self::default()
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

/// Cycles without movement after which an axis stands.
const STANDSTILL_CYCLES: u32 = 50;

/// The set-points of a machine whose programs stand in the configuration.
#[derive(Debug)]
pub struct ProgramSource<'a> {
    axes: &'a mut [AxisProgram],
    stations: &'a [StationProgram],
    /// Part of each stroke of the first press, repeated.
    parts: &'a [u8],
    first_press: usize,
    period_s: f64,
    feed: Override,
    cycle: u64,
    armed: bool,
    stopping: bool,
    disabled: bool,
}

impl<'a> ProgramSource<'a> {
    /// `first_press` is the index of the first press among the axes. Not armed, every drive stays disabled.
    pub fn new(
        axes: &'a mut [AxisProgram],
        stations: &'a [StationProgram],
        parts: &'a [u8],
        first_press: usize,
        period_s: f64,
        stop_ramp_s: f64,
        armed: bool,
    ) -> Self {
        let feed = Override::new(stop_ramp_s);
        Self {
            axes,
            stations,
            parts,
            first_press,
            period_s,
            feed,
            cycle: 0,
            armed,
            stopping: false,
            disabled: false,
        }
    }

    fn part(&self) -> u8 {
        let strokes = self
            .axes
            .get(self.first_press)
            .map_or(0, |a| a.progress.strokes());
        let n = self.parts.len() as u64;
        if n == 0 {
            0
        } else {
            self.parts.get((strokes % n) as usize).copied().unwrap_or(0)
        }
    }
}

impl SetpointSource for ProgramSource<'_> {
    fn next(&mut self, samples: &Samples<'_>, out: &mut Setpoints<'_>) {
        let time_s = self.feed.step(self.period_s);
        let mut all_disabled = true;
        for ((axis, sample), set) in self
            .axes
            .iter_mut()
            .zip(samples.axes)
            .zip(out.axes.iter_mut())
        {
            if let Ok(reading) = sample {
                let way = reading.position_m - axis.last_m;
                axis.last_m = reading.position_m;
                let moved = if way < 0.0 { -way } else { way };
                let slow = moved < 1.0e-3 * self.period_s;
                axis.still = if slow {
                    axis.still.saturating_add(1)
                } else {
                    0
                };
                let enabled = reading.state == DriveState::OperationEnabled;
                all_disabled &= !enabled;
                if !enabled {
                    axis.progress.follow(reading.position_m);
                } else if !axis.progress.running() && !self.stopping {
                    axis.progress.start(&axis.program, reading.position_m);
                }
                let stands = self.feed.stopped() && axis.still >= STANDSTILL_CYCLES;
                set.controlword = if !self.armed {
                    DISABLE_VOLTAGE
                } else if self.stopping && (stands || !enabled) {
                    SHUTDOWN
                } else {
                    towards_enabled(reading.state)
                };
            } else {
                all_disabled = false;
            }
            // Without a reading the set-point goes on in time: the drive may well have received it.
            set.target_m = axis.progress.advance(&axis.program, time_s);
        }
        self.disabled = all_disabled;
        for (program, set) in self.stations.iter().zip(out.stations.iter_mut()) {
            let ring = program.evacuate_cycles + program.hold_cycles + program.release_cycles;
            let at = if ring == 0 { 0 } else { self.cycle % ring };
            let active = self.armed && !self.stopping && ring > 0;
            set.ejector_on = active && at < program.evacuate_cycles;
            set.blow_off = active && at >= program.evacuate_cycles + program.hold_cycles;
        }
        self.cycle += 1;
        out.context = Context {
            recipe: 0,
            part: self.part(),
        };
    }

    fn stop(&mut self) {
        self.stopping = true;
        self.feed.stop();
    }

    fn stopped(&self) -> bool {
        self.stopping && self.feed.stopped() && self.disabled
    }
}
