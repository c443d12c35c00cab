//! One drive with its motor and what it moves: commands and feedback in the units of the bus.

use super::friction::spalled;
use super::jam::Jam;
use super::linkage::Ram;
use super::loops::{LoopInput, LoopParameters, Loops, Mode};
use super::mechanics::{Loads, Mechanics, MechanicsParameters};
use super::press::Tool;
use super::ramp::{Goal, RampLimits};
use super::signals::{
    DriveCommand, DriveFeedback, FaultReaction, Modifiers, ProfileGoal, Stop, wrap,
};
use super::switches::{SWITCHES, Signals, Switches};
use crate::rng::Rng;
use twinstep_config::machine::SwitchRange;

/// Entries of the cogging table, one motor revolution.
pub(super) const COGGING_ENTRIES: usize = 512;
/// Filter of the velocity that the velocity loop sees (s).
const VELOCITY_LOOP_FILTER_S: f64 = 0.25e-3;
/// Filter of the velocity actual value 0x606C (s).
const VELOCITY_ACTUAL_FILTER_S: f64 = 0.5e-3;
/// Noise of the encoder (counts, standard deviation).
const ENCODER_NOISE_COUNTS: f64 = 0.4;
/// Noise of the current sensor (share of the rated current, standard deviation).
const CURRENT_NOISE: f64 = 0.0015;
/// Time constant of the warm-up (s).
const WARM_UP_S: f64 = 300.0;
/// Time in which the brake opens and the loops take over what it held (s).
const BRAKE_S: f64 = 0.08;
/// Time constant with which a payload is laid on or taken off (s).
const LAYING_S: f64 = 0.02;
/// Standstill for a stop: speed (m/s) and time (s).
const STANDSTILL_M_PER_S: f64 = 2e-3;
const STANDSTILL_S: f64 = 0.05;
/// Time the following error may be out of its window before the drive faults, unless 0x6066 says otherwise (s).
const FOLLOWING_ERROR_S: f64 = 0.01;
/// Error code of a following error that is too large.
const ERROR_FOLLOWING: u16 = 0x8611;

/// What a drive unit is made of, after the draw.
pub(super) struct UnitParameters {
    pub loops: LoopParameters,
    pub mechanics: MechanicsParameters,
    /// The ram of a press behind a crank or a table.
    pub ram: Option<Ram>,
    /// Encoder increments per metre, with the sign of the direction.
    pub counts_per_m: f64,
    /// Sign of current and torque on the bus.
    pub direction: f64,
    pub rated_current_a: f64,
    pub torque_filter_s: f64,
    /// Force per true current (N/A).
    pub force_n_per_a: f64,
    /// Cogging force over one revolution (N).
    pub cogging_n: Box<[f32; COGGING_ENTRIES]>,
    /// Ripple of the torque constant: this times the cogging table (1/N).
    pub ripple_per_n: f64,
    pub feed_m_per_rev: f64,
    /// By how much friction falls once warm (1).
    pub warm_up: f64,
    /// Velocity at which warming up is half as fast (m/s).
    pub warm_velocity_m_per_s: f64,
    /// Force on the load per acceleration of the axis before and after (kg).
    pub coupling_kg: [f64; 2],
    /// Following error window (counts).
    pub following_window_counts: f64,
    /// Increments of the encoder a revolution (counts).
    pub counts_per_rev: f64,
    /// Switches along the axis, by signal.
    pub switches: [Option<SwitchRange>; SWITCHES],
    /// Mass that it carries in a recipe (kg).
    pub payloads: Vec<(u8, f64)>,
    pub dt_s: f64,
}

/// One drive, its motor and its load.
pub struct DriveUnit {
    p: UnitParameters,
    loops: Loops,
    mechanics: Mechanics,
    /// Of the step under way.
    loads: Loads,
    tool: Option<Tool>,
    jam: Jam,
    command: DriveCommand,
    input: LoopInput,
    switches: Switches,
    following_s: f64,
    reaction: FaultReaction,
    pub(super) modifiers: Modifiers,
    rng: Rng,
    velocity_share: f64,
    velocity_actual_share: f64,
    torque_share: f64,
    m_per_count: f64,
    inverse_feed: f64,
    /// Where in an increment the encoder stands (counts, 0 to 1).
    phase_counts: f64,
    counts: f64,
    velocity_actual: f64,
    torque_filtered_a: f64,
    warm: f64,
    brake: f64,
    still_s: f64,
    out_of_window_s: f64,
    disable_at_standstill: bool,
    error_code: u16,
    /// Mass that was handed over to it, and how much of it has been laid on (kg).
    pub(super) handed_kg: f64,
    payload_kg: f64,
}

impl DriveUnit {
    /// A drive at rest, output stage off. `rng` draws noise, the encoder's phase and how warm the axis is.
    pub(super) fn new(p: UnitParameters, start_m: f64, tool: Option<Tool>, mut rng: Rng) -> Self {
        let share = |time_s: f64| 1.0 - libm::exp(-p.dt_s / time_s.max(1e-6));
        let phase_counts = rng.uniform();
        let warm = 0.3 * rng.uniform();
        let moved_kg = (p.ram.as_ref()).map_or(p.mechanics.load_mass_kg, Ram::mass_kg);
        let mut unit = Self {
            jam: Jam::new(moved_kg, p.dt_s),
            loops: Loops::new(p.loops, start_m),
            mechanics: Mechanics::behind(p.mechanics, start_m, p.ram.clone()),
            loads: Loads::default(),
            tool,
            command: DriveCommand::default(),
            switches: Switches::new(p.switches, p.counts_per_rev, start_m, 0.0),
            following_s: FOLLOWING_ERROR_S,
            reaction: FaultReaction::Stop(Stop::Own),
            input: LoopInput {
                sensor_gain: 1.0,
                ..LoopInput::default()
            },
            modifiers: Modifiers::default(),
            rng,
            velocity_share: share(VELOCITY_LOOP_FILTER_S),
            velocity_actual_share: share(VELOCITY_ACTUAL_FILTER_S),
            torque_share: share(p.torque_filter_s),
            m_per_count: 1.0 / p.counts_per_m,
            inverse_feed: 1.0 / p.feed_m_per_rev,
            phase_counts,
            counts: 0.0,
            velocity_actual: 0.0,
            torque_filtered_a: 0.0,
            warm,
            brake: if p.mechanics.brake_n > 0.0 { 1.0 } else { 0.0 },
            still_s: 0.0,
            out_of_window_s: 0.0,
            disable_at_standstill: false,
            error_code: 0,
            handed_kg: 0.0,
            payload_kg: 0.0,
            p,
        };
        unit.counts = unit.encoder();
        unit.switches = Switches::new(unit.p.switches, unit.p.counts_per_rev, start_m, unit.counts);
        unit.input.position_m = unit.counts * unit.m_per_count;
        unit
    }

    /// SYNC0: a command takes effect, and its target position opens the next stretch of the interpolation.
    pub fn set_command(&mut self, command: DriveCommand) {
        let on = command.powered && self.error_code == 0;
        if on && !self.input.powered {
            self.disable_at_standstill = false;
            self.out_of_window_s = 0.0;
            self.loops.start(self.input.position_m);
        }
        self.input.powered = on;
        if self.input.quick_stop && !command.quick_stop {
            self.loops.resume();
        }
        self.input.quick_stop = command.quick_stop;
        self.input.stop_m_per_s2 = self.deceleration(command.stop);
        if self.input.mode == Mode::Profile && command.mode != Mode::Profile {
            self.loops.resume();
        } else if self.input.mode != Mode::Profile && command.mode == Mode::Profile {
            self.loops.generate();
        }
        self.input.mode = command.mode;
        self.set_goal(&command);
        let per_m = self.m_per_count;
        self.input.target_m_per_s = f64::from(command.target_velocity_counts_per_s) * per_m;
        self.input.offset_m_per_s = f64::from(command.velocity_offset_counts_per_s) * per_m;
        self.input.one_sided_a = command.torque_limits_permille.map(|limits| {
            let [positive, negative] =
                limits.map(|limit| f64::from(limit) * self.p.rated_current_a / 1000.0);
            // Where the motor turns the other way, positive torque leads to smaller positions.
            if self.p.direction < 0.0 {
                [negative, positive]
            } else {
                [positive, negative]
            }
        });
        let a_per_permille = self.p.direction * self.p.rated_current_a / 1000.0;
        let torque = if command.mode == Mode::Torque {
            i32::from(command.target_torque_permille)
        } else {
            0
        };
        self.input.offset_a =
            f64::from(torque + i32::from(command.torque_offset_permille)) * a_per_permille;
        self.input.limit_a = if command.max_torque_permille == 0 {
            f64::MAX
        } else {
            f64::from(command.max_torque_permille) * self.p.rated_current_a / 1000.0
        };
        if on {
            self.loops
                .push(f64::from(command.target_position_counts) * per_m);
        }
        self.command = command;
    }

    fn set_goal(&mut self, command: &DriveCommand) {
        let per_m = self.m_per_count;
        let goal = command.goal.map(|goal| match goal {
            ProfileGoal::Position(counts) => Goal::Position(f64::from(counts) * per_m),
            ProfileGoal::Velocity(counts_per_s) => Goal::Velocity(f64::from(counts_per_s) * per_m),
        });
        if goal != self.input.goal {
            self.loops.ramp.reached = false;
        }
        self.input.goal = goal;
        let per_m = per_m.abs();
        self.input.limits = RampLimits {
            velocity_m_per_s: f64::from(command.profile_velocity_counts_per_s) * per_m,
            acceleration_m_per_s2: f64::from(command.acceleration_counts_per_s2) * per_m,
            deceleration_m_per_s2: f64::from(command.deceleration_counts_per_s2) * per_m,
        };
    }

    /// Deceleration of a stop (m/s2); none: the drive's own.
    fn deceleration(&self, stop: Stop) -> Option<f64> {
        match stop {
            Stop::Own => None,
            Stop::Ramp(counts_per_s2) => Some(f64::from(counts_per_s2) * self.m_per_count.abs()),
            Stop::CurrentLimit => Some(f64::INFINITY),
        }
    }

    /// The command in force.
    pub fn command(&self) -> DriveCommand {
        self.command
    }

    /// Ramps down by itself and switches the output stage off at standstill, as when communication is lost.
    pub fn stop_and_disable(&mut self, stop: Stop) {
        self.input.stop_m_per_s2 = self.deceleration(stop);
        self.input.quick_stop = true;
        self.disable_at_standstill = true;
    }

    /// Window of the following error (counts; none: not watched), how long it may be outside (s), and what is done then.
    pub fn set_following_error(
        &mut self,
        window_counts: Option<u32>,
        outside_s: f64,
        reaction: FaultReaction,
    ) {
        self.p.following_window_counts = window_counts.map_or(f64::INFINITY, f64::from);
        self.following_s = outside_s;
        self.reaction = reaction;
    }

    /// Switches, inputs and zero pulses.
    pub fn signals(&self) -> &Signals {
        &self.switches.signals
    }

    /// Zero pulses are watched from now on, or not any more.
    pub fn watch_index(&mut self, watch: bool) {
        self.switches.watch_index(watch, self.counts);
    }

    /// The output stage is on.
    pub fn powered(&self) -> bool {
        self.input.powered
    }

    /// Sets the interpolation period 0x60C2 (s), 31.25 us to 100 ms; others are held to that.
    pub fn set_interpolation_period_s(&mut self, period_s: f64) {
        self.loops.set_cycle(period_s.clamp(31.25e-6, 0.1));
    }

    /// The drive faults: output stage off, the axis coasts to a stop (a vertical one is caught by its brake).
    pub fn trip(&mut self, error_code: u16) {
        if self.error_code == 0 {
            self.error_code = error_code;
        }
        self.input.powered = false;
    }

    /// Fault reset.
    pub fn clear_error(&mut self) {
        self.error_code = 0;
        self.out_of_window_s = 0.0;
    }

    /// What SYNC0 latches.
    pub fn feedback(&self) -> DriveFeedback {
        let permille = |current_a: f64| {
            let value = self.p.direction * current_a * 1000.0 / self.p.rated_current_a;
            (value + 0.5).floor() as i16
        };
        DriveFeedback {
            position_counts: wrap(self.counts),
            velocity_counts_per_s: (self.velocity_actual * self.p.counts_per_m + 0.5).floor()
                as i32,
            torque_permille: permille(self.torque_filtered_a),
            demand_permille: permille(self.loops.demand_a),
            following_error_counts: self.following_error_counts() as i32,
            error_code: self.error_code,
            standstill: self.still_s >= STANDSTILL_S,
            limited: self.loops.limited,
            goal_reached: self.input.mode == Mode::Profile && self.loops.ramp.reached,
            demand_counts_per_s: (self.loops.reference_m_per_s * self.p.counts_per_m + 0.5).floor()
                as i32,
        }
    }

    fn following_error_counts(&self) -> f64 {
        (self.loops.reference_m - self.input.position_m) * self.p.counts_per_m
    }

    fn encoder(&mut self) -> f64 {
        let noise = ENCODER_NOISE_COUNTS * self.rng.bell();
        let slip = self.modifiers.slip_m * self.p.counts_per_m;
        (self.mechanics.motor_m * self.p.counts_per_m + self.phase_counts + noise + slip).floor()
    }

    #[inline]
    fn cogging_n(&self) -> f64 {
        let revolution = self.mechanics.motor_m * self.inverse_feed;
        let whole = revolution as i64 as f64;
        // Positions below zero count backwards through the table; the mask closes the circle.
        let at = (revolution - whole + 1.0) * COGGING_ENTRIES as f64;
        let low = at as usize;
        let part = at - low as f64;
        let a = f64::from(self.p.cogging_n[low & (COGGING_ENTRIES - 1)]);
        let b = f64::from(self.p.cogging_n[(low + 1) & (COGGING_ENTRIES - 1)]);
        a + (b - a) * part
    }

    /// Begins a step of 16 kHz with the loops; `neighbours` are the accelerations of the axes before and after (m/s2).
    #[inline]
    pub(super) fn control(&mut self, neighbours: [f64; 2]) {
        self.input.sensor_gain = self.modifiers.current_gain;
        self.input.sensor_noise_a = CURRENT_NOISE * self.p.rated_current_a * self.rng.bell();
        let measured = self.loops.step(&self.input);
        self.torque_filtered_a += self.torque_share * (measured - self.torque_filtered_a);

        let cogging = self.cogging_n();
        let contact = match &mut self.tool {
            Some(tool) => tool.step(self.mechanics.ram_m()),
            None => 0.0,
        };
        let jam_n = (self.jam).force_n(self.mechanics.ram_m(), self.mechanics.ram_m_per_s());
        let bumps = if self.modifiers.spalling > 0.0 {
            1.0 + self.modifiers.spalling * spalled(self.mechanics.motor_m * self.inverse_feed)
        } else {
            1.0
        };
        let frame = self.p.coupling_kg[0] * neighbours[0] + self.p.coupling_kg[1] * neighbours[1];
        self.loads = Loads {
            motor_n: self.loops.current_a
                * self.p.force_n_per_a
                * (1.0 + self.p.ripple_per_n * cogging)
                + cogging,
            load_n: contact + frame + jam_n,
            friction_factor: self.modifiers.friction * (1.0 - self.p.warm_up * self.warm) * bumps,
            dry_factor: self.modifiers.dry,
            added_mass_kg: self.modifiers.mass_kg + self.payload_kg,
            added_gap_m: self.modifiers.gap_m,
            brake: self.brake.max(self.modifiers.brake),
        };
    }

    /// Substeps of its mechanics.
    pub(super) fn substeps(&self) -> u32 {
        self.mechanics.substeps
    }

    /// Substep `number` of its mechanics, where it has so many.
    #[inline]
    pub(super) fn move_on(&mut self, number: u32) {
        self.mechanics.substep_of(number, &self.loads);
    }

    /// Ends the step with the encoder.
    #[inline]
    pub(super) fn measure(&mut self) {
        let dt = self.p.dt_s;
        let counts = self.encoder();
        let moved = (counts - self.counts) * self.m_per_count / dt;
        self.counts = counts;
        self.switches.step(self.mechanics.load_m, counts);
        self.input.position_m = counts * self.m_per_count;
        self.input.velocity_m_per_s += self.velocity_share * (moved - self.input.velocity_m_per_s);
        self.velocity_actual += self.velocity_actual_share * (moved - self.velocity_actual);
    }

    /// What changes slowly: once every `period_s`.
    pub(super) fn supervise(&mut self, period_s: f64) {
        let speed = self.input.velocity_m_per_s.abs();
        // Heat comes with motion and leaves by itself; both with the same time constant.
        let heat = speed / (speed + self.p.warm_velocity_m_per_s);
        self.warm += (heat - self.warm) * (period_s / WARM_UP_S);

        if self.p.mechanics.brake_n > 0.0 {
            let step = period_s / BRAKE_S;
            self.brake = if self.input.powered {
                (self.brake - step).max(0.0)
            } else {
                1.0
            };
        }
        let asked = if self.input.powered {
            self.loops.reference_m_per_s.abs()
        } else {
            0.0
        };
        self.still_s = if speed.max(asked) < STANDSTILL_M_PER_S {
            self.still_s + period_s
        } else {
            0.0
        };
        let stands_m = (self.still_s >= STANDSTILL_S).then_some(self.mechanics.ram_m());
        self.jam.supervise(self.modifiers.jam_m, stands_m);
        if self.disable_at_standstill && self.still_s >= STANDSTILL_S {
            self.disable_at_standstill = false;
            self.input.powered = false;
        }
        let outside = self.input.powered
            && self.following_error_counts().abs() > self.p.following_window_counts;
        self.out_of_window_s = if outside {
            self.out_of_window_s + period_s
        } else {
            0.0
        };
        if self.out_of_window_s > self.following_s && self.error_code == 0 {
            match self.reaction {
                FaultReaction::Coast => self.trip(ERROR_FOLLOWING),
                FaultReaction::Stop(stop) => {
                    self.error_code = ERROR_FOLLOWING;
                    self.loops
                        .stop_from(self.input.position_m, self.input.velocity_m_per_s);
                    self.stop_and_disable(stop);
                }
            }
        }
    }

    /// The recipe is this one: a payload is handed over while the axis stands, and laid on softly.
    pub(super) fn carry(&mut self, recipe: u8, period_s: f64) {
        let payloads = &self.p.payloads;
        if payloads.is_empty() {
            return;
        }
        if self.still_s > 0.0 {
            let own = payloads.iter().find(|(of, _)| *of == recipe);
            self.handed_kg = own.map_or(0.0, |(_, mass_kg)| *mass_kg);
        }
        self.payload_kg += (self.handed_kg - self.payload_kg) * (period_s / LAYING_S);
    }

    /// It has a holding brake.
    pub(super) fn has_brake(&self) -> bool {
        self.p.mechanics.brake_n > 0.0
    }

    pub(super) fn load_acceleration(&self) -> f64 {
        self.mechanics.load_m_per_s2
    }

    pub(super) fn tool_mut(&mut self) -> Option<&mut Tool> {
        self.tool.as_mut()
    }

    /// True state for tests of the plant, never on the bus: load position (m), load velocity (m/s), motor current (A).
    pub fn true_state(&self) -> (f64, f64, f64) {
        (
            self.mechanics.load_m,
            self.mechanics.load_m_per_s,
            self.loops.current_a,
        )
    }

    /// Strokes since the start, while the ram stands; none otherwise, and on an axis without a tool.
    pub(super) fn strokes_at_rest(&self) -> Option<u64> {
        let tool = self.tool.as_ref().filter(|_| self.still_s > 0.0)?;
        Some(tool.stroke)
    }

    /// True press force (N) and strokes since the start, for tests of the plant; none on an axis without a tool.
    pub fn true_press(&self) -> Option<(f64, u64)> {
        self.tool.as_ref().map(|tool| (tool.force_n, tool.stroke))
    }
}
