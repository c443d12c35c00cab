//! Set-points of a controller process.
//!
//! ```text
//!             fresh request, every axis may follow
//!   Waiting ------------------------------------------> Following
//!      ^                                                    |  silence, a step beyond the limit, a drive that drops out, stop
//!      |  fresh request that enables no axis                v
//!      +------------------------------------------------ Halted (ramp, standstill, operation disabled)
//! ```
//! A request answers the sample of a cycle, and is due when the set-points of the next cycle are decided. One that is in time is
//! followed to the last bit. One that is n cycles late is carried on by n cycles, and without one the targets go on, both at the
//! velocity that the controller asked for: the way between its last two targets over the cycles between the samples that they
//! answer. How a request was delayed is no part of that velocity: a controller that catches up asks for no higher one. For at
//! most the liveness limit, that is, since a controller that is a cycle late has not stopped.
//! A target is followed like this or not at all: one that would step
//! beyond the velocity limit of its axis halts all axes, because nobody knows which part of it was meant. Nothing starts again
//! by itself: after a halt the controller has to take every enable back first.

use crate::setpoint::{
    DISABLE_VOLTAGE, SHUTDOWN, SWITCH_ON, SetpointSource, Setpoints, StationSetpoint,
    towards_enabled,
};
use twinstep_models::sample::{AxisReading, Context, DriveState, Missing, Samples};

/// What a controller asks of one axis.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AxisRequest {
    /// The drive is to be enabled.
    pub enable: bool,
    /// Target position (m).
    pub target_m: f64,
}

/// All that a controller asks at once.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Cycle of the sample that it answers.
    pub cycle: u64,
    /// Axes, then presses. Those that are left out keep what was asked before.
    pub axes: &'a [AxisRequest],
    /// Stations; the same.
    pub stations: &'a [StationSetpoint],
    /// Recipe and part, and what else the controller tells.
    pub context: Context,
}

/// Why the axes were halted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// No request for longer than the liveness limit.
    Silent,
    /// The target of this axis, by its index, stepped beyond its velocity limit, or was no number.
    Step(u16),
    /// The drive of this axis, by its index, dropped out while it was enabled.
    Drive(u16),
    /// The user asked for the end.
    Asked,
}

/// How requests are followed at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No request yet, or none since a halt.
    Waiting,
    /// Requests are followed.
    Following,
    /// The axes are brought to a stop and stay there.
    Halted(Halt),
}

/// How requests are followed, and what was counted on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControllerState {
    /// How requests are followed at present.
    pub phase: Phase,
    /// Cycles in which the targets went on without a request.
    pub bridged_cycles: u64,
    /// Requests that did not fit the machine, or were older than the liveness limit: they count as not sent.
    pub refused: u64,
    /// Version of the layout that its last request came in; 0 where none has, or there is one alone.
    pub layout: u8,
}

/// Limits and state of one axis.
#[derive(Clone, Copy, Debug)]
pub struct ControlledAxis {
    velocity_m_per_s: f64,
    acceleration_m_per_s2: f64,
    request: AxisRequest,
    /// What was sent last (m).
    target_m: f64,
    /// The way that was asked for in a cycle (m).
    way_m: f64,
    /// Target of the last request that was followed (m), and the cycle that it answered.
    asked: Option<(f64, u64)>,
    anchor_m: f64,
    still_s: f64,
    enabled: bool,
    /// Cycles since it was last heard of.
    missed: u32,
}

/// An axis that stays within this way (m) for this time (s) stands.
const STANDSTILL_M: f64 = 20.0e-6;
/// See [`STANDSTILL_M`].
const STANDSTILL_S: f64 = 0.05;
/// A target may exceed the velocity limit by this share: the clocks of two processes differ, and targets are rounded.
const MARGIN: f64 = 1.05;
/// And by this way, whatever the limit (m).
const MARGIN_M: f64 = 1.0e-6;
/// Cycles without a reading after which an axis counts as moved by others.
const BRIDGED_CYCLES: u32 = 4;
/// Time that drives may take to disable after the ramp (s).
const DISABLE_S: f64 = 5.0;

impl ControlledAxis {
    /// An axis whose targets may move at `velocity_m_per_s` (above 0) and that is braked at `acceleration_m_per_s2` (above 0).
    pub fn new(velocity_m_per_s: f64, acceleration_m_per_s2: f64) -> Self {
        Self {
            velocity_m_per_s,
            acceleration_m_per_s2,
            request: AxisRequest::default(),
            target_m: 0.0,
            way_m: 0.0,
            asked: None,
            anchor_m: 0.0,
            still_s: 0.0,
            enabled: false,
            missed: 0,
        }
    }

    fn stands(&self) -> bool {
        self.still_s >= STANDSTILL_S
    }

    /// Takes a reading in. Returns whether its drive has dropped out.
    fn observe(&mut self, reading: &AxisReading, period_s: f64) -> bool {
        let way_m = reading.position_m - self.anchor_m;
        if (-STANDSTILL_M..=STANDSTILL_M).contains(&way_m) {
            self.still_s += period_s;
        } else {
            (self.anchor_m, self.still_s) = (reading.position_m, 0.0);
        }
        let enabled = reading.state == DriveState::OperationEnabled;
        let dropped = self.enabled && !enabled;
        if !enabled || !self.enabled {
            // It stands where it stands. What it is told on the first enabled cycle must be no step.
            (self.target_m, self.way_m, self.asked) = (reading.position_m, 0.0, None);
        } else if self.missed > BRIDGED_CYCLES {
            // The drive was on its own: a target that had gone on without it would be a jump.
            self.target_m = reading.position_m;
            self.way_m = reading.velocity_m_per_s * period_s;
            self.asked = None;
        }
        (self.enabled, self.missed) = (enabled, 0);
        dropped
    }

    /// `cycles` cycles of the ramp to a stop.
    fn brake(&mut self, period_s: f64, cycles: f64) {
        let step_m = self.acceleration_m_per_s2 * period_s * period_s * cycles;
        self.way_m = if self.way_m > step_m {
            self.way_m - step_m
        } else if self.way_m < -step_m {
            self.way_m + step_m
        } else {
            0.0
        };
        self.target_m += self.way_m * cycles;
    }

    /// The way a cycle that a target for `cycle` means after the one before (m): no more than the velocity limit allows.
    fn way_to(&self, target_m: f64, cycle: u64, period_s: f64) -> f64 {
        let largest_m = self.velocity_m_per_s * period_s;
        match self.asked {
            Some((before_m, before)) if cycle > before => {
                let way_m = (target_m - before_m) / (cycle - before) as f64;
                way_m.max(-largest_m).min(largest_m)
            }
            // Another one for the same sample.
            Some(_) => self.way_m,
            None => 0.0,
        }
    }

    /// Whether `target_m` is no further away than `cycles` cycles allow.
    fn reaches(&self, target_m: f64, period_s: f64, cycles: f64) -> bool {
        let allowed_m = self.velocity_m_per_s * period_s * cycles * MARGIN + MARGIN_M;
        let way_m = target_m - self.target_m;
        way_m >= -allowed_m && way_m <= allowed_m
    }
}

/// The set-points of a machine that a controller moves.
#[derive(Debug)]
pub struct ControllerSource<'a> {
    axes: &'a mut [ControlledAxis],
    stations: &'a mut [StationSetpoint],
    context: Context,
    period_s: f64,
    /// Longest silence (cycles, at least 1).
    liveness_cycles: u32,
    armed: bool,
    phase: Phase,
    ending: bool,
    quick: bool,
    /// Cycles that the last request is late by now.
    age: u32,
    /// One has come since the last cycle.
    fresh: bool,
    /// The cycle that the last request answers.
    answered: u64,
    /// Cycles that were bridged for want of a request.
    bridged_cycles: u64,
    refused: u64,
    disabled: bool,
    still: bool,
    stop_ramp_s: f64,
}

impl<'a> ControllerSource<'a> {
    /// `axes` and `stations` are as many as the machine has. Not armed, every drive stays disabled.
    pub fn new(
        axes: &'a mut [ControlledAxis],
        stations: &'a mut [StationSetpoint],
        period_s: f64,
        liveness_cycles: u32,
        armed: bool,
    ) -> Self {
        let ramp = |axis: &ControlledAxis| axis.velocity_m_per_s / axis.acceleration_m_per_s2;
        let stop_ramp_s = axes.iter().map(ramp).fold(0.1, f64::max);
        Self {
            axes,
            stations,
            context: Context::default(),
            period_s,
            liveness_cycles: liveness_cycles.max(1),
            armed,
            phase: Phase::Waiting,
            ending: false,
            quick: false,
            age: 0,
            fresh: false,
            answered: 0,
            bridged_cycles: 0,
            refused: 0,
            disabled: false,
            still: false,
            stop_ramp_s,
        }
    }

    /// Takes a request in before the set-points of the cycle `now` are decided. Of several in one cycle the last one counts. One
    /// that answers a cycle that has not been, is older than the one before, or than the liveness limit, is refused. Returns whether it was
    /// taken.
    pub fn take(&mut self, request: &Request<'_>, now: u64) -> bool {
        let late = now.saturating_sub(request.cycle).saturating_sub(1);
        let old = late > u64::from(self.liveness_cycles) || request.cycle < self.answered;
        if request.cycle > now || old {
            self.refuse();
            return false;
        }
        for (axis, request) in self.axes.iter_mut().zip(request.axes) {
            axis.request = *request;
        }
        for (set, request) in self.stations.iter_mut().zip(request.stations) {
            *set = *request;
        }
        self.context = request.context;
        self.answered = request.cycle;
        // It is no more than the limit.
        self.age = late as u32;
        self.fresh = true;
        true
    }

    /// How requests are followed.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Counts a request that does not fit the machine; it counts as not sent.
    pub fn refuse(&mut self) {
        self.refused += 1;
    }

    /// Cycles in which the targets went on without a request.
    pub fn bridged_cycles(&self) -> u64 {
        self.bridged_cycles
    }

    fn halt(&mut self, why: Halt) {
        if !matches!(self.phase, Phase::Halted(_)) || why == Halt::Asked {
            self.phase = Phase::Halted(why);
        }
    }

    /// Whether the controller is heard, and what follows from it.
    fn listen(&mut self, skipped: u32) {
        let fresh = self.fresh;
        if !fresh {
            self.age = self.age.saturating_add(1).saturating_add(skipped);
        }
        match self.phase {
            Phase::Waiting if fresh => self.phase = Phase::Following,
            Phase::Following if self.age > self.liveness_cycles => self.halt(Halt::Silent),
            Phase::Following => self.bridged_cycles += u64::from(!fresh),
            Phase::Halted(_)
                if fresh
                    && !self.ending
                    && self.still
                    && self.axes.iter().all(|axis| !axis.request.enable) =>
            {
                self.phase = Phase::Following;
            }
            Phase::Waiting | Phase::Halted(_) => {}
        }
    }

    /// The targets of the coming cycle: all as they were asked for, or a halt and the first cycle of the ramp.
    fn targets(&mut self, skipped: u32) {
        let cycles = 1.0 + f64::from(skipped);
        if self.phase == Phase::Following {
            let (fresh, late, period_s) = (self.fresh, f64::from(self.age), self.period_s);
            let answered = self.answered;
            // Position and way a cycle. Both count in the cycles that are run, as the controller does: a start that was left out
            // moves nobody.
            let next = |axis: &ControlledAxis| {
                if fresh {
                    let target_m = axis.request.target_m;
                    let way_m = axis.way_to(target_m, answered, period_s);
                    // In time it is followed to the last bit.
                    let carried_m = if late == 0.0 { 0.0 } else { way_m * late };
                    (target_m + carried_m, way_m)
                } else {
                    (axis.target_m + axis.way_m, axis.way_m)
                }
            };
            let led = |axis: &ControlledAxis| axis.enabled && axis.request.enable;
            let beyond = (self.axes.iter()).position(|axis| {
                led(axis) && fresh && !axis.reaches(next(axis).0, period_s, cycles)
            });
            match beyond {
                Some(n) => self.halt(Halt::Step(n as u16)),
                None => {
                    for axis in self.axes.iter_mut() {
                        if led(axis) {
                            (axis.target_m, axis.way_m) = next(axis);
                            if fresh {
                                axis.asked = Some((axis.request.target_m, answered));
                            }
                        } else {
                            axis.brake(period_s, cycles);
                        }
                    }
                    return;
                }
            }
        }
        for axis in self.axes.iter_mut() {
            axis.brake(self.period_s, cycles);
        }
    }

    /// The controlword that leads the drive of `axis` to where it is asked to be.
    fn controlword(&self, axis: &ControlledAxis, state: DriveState) -> u16 {
        const QUICK_STOP: u16 = 0x0002;
        let wanted = self.phase == Phase::Following && axis.request.enable;
        match (self.armed, wanted, axis.enabled) {
            (false, ..) => DISABLE_VOLTAGE,
            (true, true, _) => towards_enabled(state),
            (true, false, true) if self.quick => QUICK_STOP,
            // Disable operation; the brake closes before the voltage goes.
            (true, false, true) if axis.way_m == 0.0 && axis.stands() => SWITCH_ON,
            (true, false, true) => towards_enabled(state),
            (true, false, false) => SHUTDOWN,
        }
    }
}

impl SetpointSource for ControllerSource<'_> {
    fn next(&mut self, samples: &Samples<'_>, skipped: u32, out: &mut Setpoints<'_>) {
        self.listen(skipped);
        let mut dropped = None;
        (self.disabled, self.still) = (true, true);
        for (n, (axis, sample)) in self.axes.iter_mut().zip(samples.axes).enumerate() {
            match sample {
                Ok(reading) => {
                    if axis.observe(reading, self.period_s) {
                        dropped = dropped.or(Some(n as u16));
                    }
                    self.disabled &= !axis.enabled;
                }
                Err(reason) => {
                    axis.missed = axis.missed.saturating_add(1).saturating_add(skipped);
                    // A SubDevice out of OP takes no outputs: its drive has stopped by its own options.
                    self.disabled &= *reason == Missing::NotOperational;
                }
            }
            self.still &= axis.way_m == 0.0;
        }
        if let (Some(n), Phase::Following) = (dropped, self.phase) {
            // Dropping out is what was asked for where the enable was taken back.
            if self
                .axes
                .get(usize::from(n))
                .is_some_and(|a| a.request.enable)
            {
                self.halt(Halt::Drive(n));
            }
        }
        self.targets(skipped);
        self.fresh = false;
        let mut sets = out.axes.iter_mut();
        for (n, sample) in samples.axes.iter().enumerate().take(self.axes.len()) {
            let Some(set) = sets.next() else { break };
            set.target_m = self.axes[n].target_m;
            if let Ok(reading) = sample {
                set.controlword = self.controlword(&self.axes[n], reading.state);
            }
        }
        let active = self.armed && self.phase == Phase::Following;
        for (set, asked) in out.stations.iter_mut().zip(self.stations.iter()) {
            // A part that is held stays held: letting it go is a movement too.
            if active {
                *set = *asked;
            }
        }
        if self.ending {
            out.stations.fill(StationSetpoint::default());
        }
        out.context = self.context;
    }

    fn stop(&mut self) {
        self.ending = true;
        self.halt(Halt::Asked);
    }

    fn quick_stop(&mut self) {
        self.stop();
        self.quick = true;
    }

    fn stop_time_s(&self) -> f64 {
        2.0 * self.stop_ramp_s + DISABLE_S
    }

    fn stopped(&self) -> bool {
        self.ending && self.disabled
    }

    fn arm(&mut self) {
        // Once a stop has begun nothing starts again.
        self.armed |= !self.ending;
    }

    fn armed(&self) -> bool {
        self.armed
    }

    fn controller(&self) -> Option<ControllerState> {
        Some(ControllerState {
            phase: self.phase,
            bridged_cycles: self.bridged_cycles,
            refused: self.refused,
            layout: 0,
        })
    }
}

#[cfg(test)]
mod tests;
