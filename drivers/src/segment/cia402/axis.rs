//! One axis of a simulated drive: its objects, its state machine, and what it asks of the [`DriveUnit`] behind it.
//!
//! Inside, positions are those of the encoder; on the bus they are shifted by what homing has found.
//!
//! [`DriveUnit`]: super::super::plant::DriveUnit

use super::super::pdo::{Layout, download, upload};
use super::super::plant::{DriveCommand, DriveFeedback, FaultReaction, Mode, Plant, Signal, Stop};
use super::homing::Homing;
use super::objects::{self, *};
use super::probe::{self, Probe};
use super::set_points::SetPoints;
use super::state::{Command, FAULT_RESET, Machine, Situation, State};
use super::window::Window;
use twinstep_config::machine;

/// Error code: communication lost while the output stage was on.
const ERROR_COMMUNICATION: u16 = 0x7500;
/// Controlword: halt.
pub(super) const HALT: i64 = 1 << 8;
/// Milliseconds in the objects, nanoseconds here.
const NS_PER_MS: u64 = 1_000_000;

/// Objects that say how the drive stops and when it faults.
type Watched = [i64; 5];

/// See the module.
pub(super) struct Axis {
    /// Its drive in the plant.
    pub index: usize,
    pub values: Values,
    initial_quick_stop: i64,
    pub outputs: Layout,
    pub inputs: Layout,
    pub machine: Machine,
    controlword_before: i64,
    communication_error: bool,
    /// 0x60C2 was written and has not reached the drive yet.
    new_period: bool,
    watched: Watched,
    operational: bool,
    /// Position on the bus minus that of the encoder (counts).
    origin: i32,
    pub set_points: SetPoints,
    pub homing: Homing,
    probes: [Probe; 2],
    in_position: Window,
    at_velocity: Window,
    at_rest: Window,
    pub windows: Windows,
    /// A limit has cut what was asked for.
    pub limited: bool,
}

/// Which windows the axis is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Windows {
    /// 0x6067.
    pub position: bool,
    /// 0x606D.
    pub velocity: bool,
    /// 0x606F.
    pub rest: bool,
}

impl Axis {
    /// The firmware of drive `index` of the plant.
    pub fn new(
        index: usize,
        axis: Option<&machine::Axis>,
        machine: &machine::Machine,
        (outputs, inputs): (Layout, Layout),
    ) -> Self {
        let values = objects::initial(axis, machine);
        Self {
            index,
            initial_quick_stop: values[QUICK_STOP_DECELERATION],
            watched: watched(&values),
            values,
            outputs,
            inputs,
            machine: Machine::new(),
            controlword_before: 0,
            communication_error: false,
            new_period: false,
            operational: false,
            origin: 0,
            set_points: SetPoints::default(),
            homing: Homing::default(),
            probes: [Probe::default(); 2],
            in_position: Window::default(),
            at_velocity: Window::default(),
            at_rest: Window::default(),
            windows: Windows::default(),
            limited: false,
        }
    }

    /// Position of the encoder for one on the bus (counts).
    pub fn encoder(&self, position: i32) -> i32 {
        position.wrapping_sub(self.origin)
    }

    /// Position on the bus for one of the encoder (counts).
    fn on_bus(&self, counts: i32) -> i64 {
        i64::from(counts.wrapping_add(self.origin))
    }

    /// SDO upload.
    pub fn read(&self, index: u16, subindex: u8, data: &mut [u8]) -> Result<usize, u32> {
        upload(&OBJECTS, &self.values, index, subindex, data)
    }

    /// SDO download. Switches of the axis decide which homing methods it has.
    pub fn write(
        &mut self,
        index: u16,
        subindex: u8,
        data: &[u8],
        present: &super::super::plant::Signals,
    ) -> Result<(), u32> {
        let mut values = self.values;
        let slot = download(&OBJECTS, &mut values, index, subindex, data)?;
        objects::check(slot, values[slot], present)?;
        self.values = values;
        self.new_period |= slot == PERIOD_VALUE || slot == PERIOD_EXPONENT;
        Ok(())
    }

    /// The AL state machine has reached a state; `operational`: OP.
    pub fn al_state(&mut self, operational: bool, plant: &mut Plant) {
        let left = self.operational && !operational;
        self.operational = operational;
        let reaction = self.fault_reaction();
        let Some(unit) = plant.drive_mut(self.index) else {
            return;
        };
        if left {
            // Nobody commands any more. With the output stage on that is an error, and 0x605E says what to do.
            self.values[CONTROLWORD] = 0;
            self.controlword_before = 0;
            if unit.powered() {
                self.communication_error = true;
                match reaction {
                    FaultReaction::Coast => unit.trip(ERROR_COMMUNICATION),
                    FaultReaction::Stop(stop) => unit.stop_and_disable(stop),
                }
                self.machine.fault(unit.powered());
            }
        }
        self.refresh(plant);
    }

    /// SYNC0: outputs take effect.
    pub fn outputs(&mut self, rx: &[u8], plant: &mut Plant) {
        let now_ns = plant.now_ns();
        let reaction_before = self.watched;
        self.outputs.decode(&OBJECTS, rx, &mut self.values);
        let reaction = self.fault_reaction();
        let Some(unit) = plant.drive_mut(self.index) else {
            return;
        };
        if self.new_period {
            self.new_period = false;
            let (value, exponent) = (self.values[PERIOD_VALUE], self.values[PERIOD_EXPONENT]);
            if let Some(period_s) = objects::period_s(value, exponent) {
                unit.set_interpolation_period_s(period_s);
            }
        }
        self.watched = watched(&self.values);
        if self.watched != reaction_before {
            let window = u32::try_from(self.values[FOLLOWING_WINDOW]).unwrap_or(u32::MAX);
            unit.set_following_error(
                Some(window).filter(|window| *window != u32::MAX),
                self.values[FOLLOWING_TIME] as f64 * 1e-3,
                reaction,
            );
        }
        let functions = (self.values[PROBE_FUNCTION] as u16).to_le_bytes();
        let homes_on_index = matches!(self.values[HOMING_METHOD], 33 | 34);
        let homing = self.values[MODE] == 6 && homes_on_index;
        unit.watch_index(homing || functions.into_iter().any(probe::wants_index));

        let feedback = unit.feedback();
        let controlword = self.values[CONTROLWORD];
        let reset = controlword & !self.controlword_before & FAULT_RESET != 0;
        self.controlword_before = controlword;
        let situation = Situation {
            now_ns,
            standstill: feedback.standstill,
            powered: unit.powered(),
            error: feedback.error_code != 0 || self.communication_error,
            reset,
            quick_stop_option: self.values[QUICK_STOP_OPTION],
            shutdown_option: self.values[SHUTDOWN_OPTION],
            disable_option: self.values[DISABLE_OPTION],
        };
        if self.machine.step(Command::decode(controlword), &situation) {
            self.communication_error = false;
            unit.clear_error();
        }
        let signals = *unit.signals();
        self.choose_mode(&feedback);
        let goal = self.goal(&feedback, &signals);
        let command = self.command(goal);
        // In its fault reaction the drive ramps down by itself.
        if self.machine.state != State::FaultReactionActive
            && let Some(unit) = plant.drive_mut(self.index)
        {
            unit.set_command(command);
        }
        self.look_at_windows(&feedback, now_ns);
    }

    /// SYNC0: inputs are latched.
    pub fn inputs(&mut self, tx: &mut [u8], plant: &Plant) {
        self.refresh(plant);
        self.inputs.encode(&self.values, tx);
    }

    /// A new mode begins without set-points. One that the drive does not have leaves the one in force.
    fn choose_mode(&mut self, feedback: &DriveFeedback) {
        let wanted = self.values[MODE];
        let changes = is_mode(wanted) && wanted != self.values[MODE_DISPLAY];
        let enabled = self.machine.state == State::OperationEnabled;
        if changes {
            self.values[MODE_DISPLAY] = wanted;
        }
        if changes || !enabled {
            let start = self.values[CONTROLWORD] & super::modes::NEW_SET_POINT != 0;
            let position = self.on_bus(feedback.position_counts) as i32;
            self.set_points = SetPoints::at(position, start);
            self.homing = Homing::idle(start);
        }
    }

    /// Homing has found its home position (counts of the encoder).
    pub fn set_home(&mut self, home: i32) {
        self.origin = (self.values[HOME_OFFSET] as i32).wrapping_sub(home);
    }

    fn command(&self, goal: Option<super::super::plant::ProfileGoal>) -> DriveCommand {
        let values = &self.values;
        let mode = match values[MODE_DISPLAY] {
            1 | 3 | 6 => Mode::Profile,
            9 => Mode::Velocity,
            10 => Mode::Torque,
            _ => Mode::Position,
        };
        let sides = [values[POSITIVE_TORQUE], values[NEGATIVE_TORQUE]].map(|side| side as u16);
        let profile = self.profile();
        let stop = self.stop();
        // Every value here came through an object of its own width, so no cast loses anything.
        DriveCommand {
            powered: self.machine.powered(),
            mode,
            target_position_counts: self.encoder(self.limited_target()),
            target_velocity_counts_per_s: values[TARGET_VELOCITY] as i32,
            target_torque_permille: values[TARGET_TORQUE] as i16,
            velocity_offset_counts_per_s: values[VELOCITY_OFFSET] as i32,
            torque_offset_permille: values[TORQUE_OFFSET] as i16,
            max_torque_permille: values[MAX_TORQUE] as u16,
            torque_limits_permille: Some(sides).filter(|sides| *sides != [u16::MAX; 2]),
            quick_stop: stop.is_some(),
            stop: stop.unwrap_or_default(),
            goal,
            profile_velocity_counts_per_s: profile.velocity,
            acceleration_counts_per_s2: profile.acceleration,
            deceleration_counts_per_s2: profile.deceleration,
        }
    }

    /// How the axis is being stopped; none: it is not.
    fn stop(&self) -> Option<Stop> {
        let slow = Stop::Ramp(self.values[DECELERATION] as u32);
        let by = |option: i64| match option {
            1 | 5 => slow,
            3 | 7 => Stop::CurrentLimit,
            _ => self.quick_stop(),
        };
        match self.machine.state {
            State::QuickStopActive => Some(by(self.values[QUICK_STOP_OPTION])),
            _ if self.machine.stopping => Some(slow),
            _ if self.machine.enabling() => Some(Stop::Own),
            State::OperationEnabled if self.halts() => Some(by(self.values[HALT_OPTION])),
            _ => None,
        }
    }

    /// Bit 8 of the controlword.
    pub fn halts(&self) -> bool {
        self.values[CONTROLWORD] & HALT != 0
    }

    /// The deceleration of 0x6085, the drive's own where nobody has changed it.
    fn quick_stop(&self) -> Stop {
        match self.values[QUICK_STOP_DECELERATION] {
            value if value == self.initial_quick_stop => Stop::Own,
            value => Stop::Ramp(value as u32),
        }
    }

    /// What 0x605E asks for.
    fn fault_reaction(&self) -> FaultReaction {
        match self.values[FAULT_REACTION_OPTION] {
            0 => FaultReaction::Coast,
            1 => FaultReaction::Stop(Stop::Ramp(self.values[DECELERATION] as u32)),
            3 => FaultReaction::Stop(Stop::CurrentLimit),
            _ => FaultReaction::Stop(self.quick_stop()),
        }
    }

    fn look_at_windows(&mut self, feedback: &DriveFeedback, now_ns: u64) {
        let values = &self.values;
        let time = |slot: usize| values[slot].max(0) as u64 * NS_PER_MS;
        let position = self.on_bus(feedback.position_counts);
        let target = self.set_points.current().map(|one| i64::from(one.target));
        let near =
            target.is_some_and(|target| (target - position).abs() <= values[POSITION_WINDOW]);
        let velocity = i64::from(feedback.velocity_counts_per_s);
        let fast = (velocity - values[TARGET_VELOCITY]).abs() <= values[VELOCITY_WINDOW];
        let slow = velocity.abs() <= values[VELOCITY_THRESHOLD];
        self.windows = Windows {
            position: self.in_position.step(near, now_ns, time(POSITION_TIME)),
            velocity: self.at_velocity.step(fast, now_ns, time(VELOCITY_TIME)),
            rest: self.at_rest.step(slow, now_ns, time(THRESHOLD_TIME)),
        };
    }

    fn refresh(&mut self, plant: &Plant) {
        let Some(unit) = plant.drive(self.index) else {
            return;
        };
        let (feedback, signals) = (unit.feedback(), unit.signals());
        let functions = (self.values[PROBE_FUNCTION] as u16).to_le_bytes();
        let inputs = [Signal::Probe1, Signal::Probe2];
        for ((probe, function), input) in self.probes.iter_mut().zip(functions).zip(inputs) {
            probe.step(function, input, signals);
        }
        let [first, second] = self.probes.map(|probe| probe.status());
        self.values[PROBE_STATUS] = i64::from(u16::from_le_bytes([first, second]));
        let latched = self.probes.map(|probe| probe.positions());
        for (n, position) in latched.as_flattened().iter().enumerate() {
            if let Some(position) = position {
                self.values[PROBE_POSITIONS + n] = self.on_bus(*position);
            }
        }
        let level = |signal: Signal, bit: u32| i64::from(signals.levels[signal as usize]) << bit;
        self.values[DIGITAL_INPUTS] = level(Signal::NegativeLimit, 0)
            | level(Signal::PositiveLimit, 1)
            | level(Signal::Home, 2)
            | level(Signal::Probe1, 16)
            | level(Signal::Probe2, 17);
        let position = self.on_bus(feedback.position_counts);
        let following = i64::from(feedback.following_error_counts);
        let values = &mut self.values;
        values[POSITION_INTERNAL] = i64::from(feedback.position_counts);
        values[POSITION_ACTUAL] = position;
        values[POSITION_DEMAND] = position + following;
        values[POSITION_DEMAND_INTERNAL] = i64::from(feedback.position_counts) + following;
        values[FOLLOWING_ERROR] = following;
        values[VELOCITY_ACTUAL] = i64::from(feedback.velocity_counts_per_s);
        values[VELOCITY_DEMAND] = i64::from(feedback.demand_counts_per_s);
        values[TORQUE_ACTUAL] = i64::from(feedback.torque_permille);
        values[CURRENT_ACTUAL] = i64::from(feedback.torque_permille);
        values[TORQUE_DEMAND] = i64::from(feedback.demand_permille);
        values[ERROR_CODE] = match feedback.error_code {
            0 if self.communication_error => i64::from(ERROR_COMMUNICATION),
            code => i64::from(code),
        };
        let statusword = self.statusword(&feedback);
        self.values[STATUSWORD] = statusword;
    }
}

fn watched(values: &Values) -> Watched {
    [
        values[FOLLOWING_WINDOW],
        values[FOLLOWING_TIME],
        values[FAULT_REACTION_OPTION],
        values[DECELERATION],
        values[QUICK_STOP_DECELERATION],
    ]
}
