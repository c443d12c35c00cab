//! The firmware of a simulated servo drive: CiA 402 on top of a [`DriveUnit`].
//!
//! [`DriveUnit`]: super::plant::DriveUnit

mod objects;
mod state;

use super::application::{AlState, Application};
use super::pdo::{Layout, Object, download, upload};
use super::plant::{DriveCommand, DriveFeedback, Mode, Plant};
use objects::{
    CONTROLWORD, CURRENT_ACTUAL, ERROR_CODE, FAULT_REACTION_OPTION, FOLLOWING_ERROR, MAX_TORQUE,
    MODE, MODE_DISPLAY, OBJECTS, PERIOD_EXPONENT, PERIOD_VALUE, POSITION_ACTUAL, POSITION_DEMAND,
    POSITION_DEMAND_INTERNAL, QUICK_STOP_OPTION, STATUSWORD, TARGET_POSITION, TARGET_TORQUE,
    TARGET_VELOCITY, TORQUE_ACTUAL, TORQUE_DEMAND, TORQUE_OFFSET, VELOCITY_ACTUAL, VELOCITY_OFFSET,
    Values,
};
use state::{Command, FAULT_RESET, Situation, State};
use twinstep_config::machine::Machine;

/// Error code: communication lost while the output stage was on.
const ERROR_COMMUNICATION: u16 = 0x7500;
/// Statusword: voltage enabled.
const VOLTAGE_ENABLED: i64 = 1 << 4;
/// Statusword: the controlword is obeyed.
const REMOTE: i64 = 1 << 9;
/// Statusword: target reached; in a quick stop: stopped.
const TARGET_REACHED: i64 = 1 << 10;
/// Statusword: the current limit holds.
const INTERNAL_LIMIT: i64 = 1 << 11;
/// Statusword: the drive follows the target.
const FOLLOWS_TARGET: i64 = 1 << 12;
/// Statusword: the drive faulted on its following error.
const FOLLOWING_ERROR_FAULT: i64 = 1 << 13;

/// A simulated CiA 402 drive.
pub struct Drive {
    index: usize,
    values: Values,
    outputs: Layout,
    inputs: Layout,
    machine: state::Machine,
    controlword_before: i64,
    communication_error: bool,
    /// 0x60C2 was written and has not reached the drive yet.
    new_period: bool,
    operational: bool,
}

impl Drive {
    /// The firmware of drive `index` of the plant: axes first, then presses. Its process data is that of the
    /// SubDevice that carries the axis' name.
    pub fn new(index: usize, machine: &Machine) -> Self {
        let presses = machine.presses.iter().map(|press| &press.axis);
        let axis = machine.axes.iter().chain(presses).nth(index);
        let name = axis.map_or("", |axis| axis.name.as_str());
        let (outputs, inputs) = Layout::of_subdevice(&OBJECTS, machine, name);
        Self {
            index,
            values: objects::initial(axis.map(|axis| &axis.drive), machine),
            outputs,
            inputs,
            machine: state::Machine::new(),
            controlword_before: 0,
            communication_error: false,
            new_period: false,
            operational: false,
        }
    }

    fn mode(&self) -> Option<Mode> {
        match self.values[MODE] {
            8 => Some(Mode::Position),
            9 => Some(Mode::Velocity),
            10 => Some(Mode::Torque),
            _ => None,
        }
    }

    fn refresh(&mut self, feedback: &DriveFeedback) {
        let values = &mut self.values;
        let position = i64::from(feedback.position_counts);
        let following = i64::from(feedback.following_error_counts);
        values[POSITION_ACTUAL] = position;
        values[POSITION_DEMAND] = position + following;
        values[POSITION_DEMAND_INTERNAL] = position + following;
        values[FOLLOWING_ERROR] = following;
        values[VELOCITY_ACTUAL] = i64::from(feedback.velocity_counts_per_s);
        values[TORQUE_ACTUAL] = i64::from(feedback.torque_permille);
        values[CURRENT_ACTUAL] = i64::from(feedback.torque_permille);
        values[TORQUE_DEMAND] = i64::from(feedback.demand_permille);
        values[ERROR_CODE] = match feedback.error_code {
            0 if self.communication_error => i64::from(ERROR_COMMUNICATION),
            code => i64::from(code),
        };
        let mut word = self.machine.statusword() | VOLTAGE_ENABLED | REMOTE;
        if feedback.limited {
            word |= INTERNAL_LIMIT;
        }
        if feedback.error_code == 0x8611 {
            word |= FOLLOWING_ERROR_FAULT;
        }
        match self.machine.state {
            State::OperationEnabled if !self.machine.stopping => word |= FOLLOWS_TARGET,
            State::QuickStopActive if feedback.standstill => word |= TARGET_REACHED,
            _ => {}
        }
        values[STATUSWORD] = word;
    }
}

impl Application for Drive {
    fn objects(&self) -> &'static [Object] {
        &OBJECTS
    }

    fn read_object(&mut self, index: u16, subindex: u8, data: &mut [u8]) -> Result<usize, u32> {
        upload(&OBJECTS, &self.values, index, subindex, data)
    }

    fn write_object(&mut self, index: u16, subindex: u8, data: &[u8]) -> Result<(), u32> {
        let slot = download(&OBJECTS, &mut self.values, index, subindex, data)?;
        self.new_period |= slot == PERIOD_VALUE || slot == PERIOD_EXPONENT;
        Ok(())
    }

    fn al_state(&mut self, state: AlState, plant: &mut Plant) {
        let left = self.operational && state != AlState::Op;
        self.operational = state == AlState::Op;
        let Some(unit) = plant.drive_mut(self.index) else {
            return;
        };
        if left {
            // Nobody commands any more. With the output stage on that is an error, and 0x605E says what to do.
            self.values[CONTROLWORD] = 0;
            self.controlword_before = 0;
            if unit.powered() {
                self.communication_error = true;
                if self.values[FAULT_REACTION_OPTION] == 0 {
                    unit.trip(ERROR_COMMUNICATION);
                } else {
                    unit.stop_and_disable();
                }
                self.machine.fault(unit.powered());
            }
        }
        let feedback = unit.feedback();
        self.refresh(&feedback);
    }

    fn outputs(&mut self, rx: &[u8], plant: &mut Plant) {
        let now_ns = plant.now_ns();
        let Some(unit) = plant.drive_mut(self.index) else {
            return;
        };
        self.outputs.decode(&OBJECTS, rx, &mut self.values);
        if self.new_period {
            self.new_period = false;
            let (value, exponent) = (self.values[PERIOD_VALUE], self.values[PERIOD_EXPONENT]);
            if let Some(period_s) = objects::period_s(value, exponent) {
                unit.set_interpolation_period_s(period_s);
            }
        }
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
        };
        if self.machine.step(Command::decode(controlword), &situation) {
            self.communication_error = false;
            unit.clear_error();
        }
        // A mode that the drive does not have leaves the one in force.
        let mode = self.mode().unwrap_or(match self.values[MODE_DISPLAY] {
            9 => Mode::Velocity,
            10 => Mode::Torque,
            _ => Mode::Position,
        });
        self.values[MODE_DISPLAY] = match mode {
            Mode::Position => 8,
            Mode::Velocity => 9,
            Mode::Torque => 10,
        };
        // In its fault reaction the drive ramps down by itself.
        if self.machine.state != State::FaultReactionActive {
            unit.set_command(self.command(mode));
        }
    }

    fn inputs(&mut self, tx: &mut [u8], plant: &Plant) {
        if let Some(unit) = plant.drive(self.index) {
            self.refresh(&unit.feedback());
        }
        self.inputs.encode(&self.values, tx);
    }
}

impl Drive {
    fn command(&self, mode: Mode) -> DriveCommand {
        let values = &self.values;
        // Every value here came through an object of its own width, so no cast loses anything.
        DriveCommand {
            powered: self.machine.powered(),
            mode,
            target_position_counts: values[TARGET_POSITION] as i32,
            target_velocity_counts_per_s: values[TARGET_VELOCITY] as i32,
            target_torque_permille: values[TARGET_TORQUE] as i16,
            velocity_offset_counts_per_s: values[VELOCITY_OFFSET] as i32,
            torque_offset_permille: values[TORQUE_OFFSET] as i16,
            max_torque_permille: values[MAX_TORQUE] as u16,
            quick_stop: self.machine.state == State::QuickStopActive
                || self.machine.stopping
                || self.machine.enabling(),
        }
    }
}

#[cfg(test)]
mod tests;
