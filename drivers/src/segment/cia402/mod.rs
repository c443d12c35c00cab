//! The firmware of a simulated servo drive: CiA 402 on top of a [`DriveUnit`], for one axis or for two.
//!
//! What is pure has a file of its own: the state machine, the set-points of profile position, homing, touch probes and
//! windows see objects and signals and know neither plant nor bus.
//!
//! [`DriveUnit`]: super::plant::DriveUnit

mod axis;
mod homing;
mod modes;
mod objects;
mod probe;
mod set_points;
mod state;
mod window;

use super::application::{ABORT_NO_OBJECT, AlState, Application};
use super::pdo::{Layout, Object};
use super::plant::{Plant, Signals};
use axis::Axis;
use objects::{BOTH, OBJECTS};
use twinstep_config::machine::{Machine, PdoEntry, SECOND_AXIS};

/// First object of the second axis, and the first behind it.
const SECOND: core::ops::Range<u16> = 0x6800..0x7000;

/// A simulated CiA 402 drive.
pub struct Drive {
    first: Axis,
    second: Option<Axis>,
    /// Switches that the axes have, known since the plant was seen.
    present: [Signals; 2],
}

impl Drive {
    /// The firmware of drive `index` of the plant: axes first, then presses. Its process data is that of the
    /// SubDevice that carries the axis' name, and so is a second axis.
    pub fn new(index: usize, machine: &Machine) -> Self {
        let axes = || {
            let presses = machine.presses.iter().map(|press| &press.axis);
            machine.axes.iter().chain(presses)
        };
        let name = axes().nth(index).map_or("", |axis| axis.name.as_str());
        let subdevices = machine.bus.iter().flat_map(|bus| &bus.subdevices);
        let own = subdevices.into_iter().find(|one| one.name == name);
        let second = own.and_then(|one| one.second.as_deref());
        let second = second.and_then(|name| axes().position(|axis| axis.name == name));
        let axis = |index: usize, shift: u16| {
            let layouts = own.map_or_else(Default::default, |one| {
                let layout = |entries| Layout::new(&OBJECTS, entries, shift);
                (layout(&one.outputs), layout(&one.inputs))
            });
            Axis::new(index, axes().nth(index), machine, layouts)
        };
        Self {
            first: axis(index, 0),
            second: second.map(|index| axis(index, SECOND_AXIS)),
            present: [Signals::default(); 2],
        }
    }

    fn axes(&mut self) -> impl Iterator<Item = &mut Axis> {
        core::iter::once(&mut self.first).chain(&mut self.second)
    }

    /// The axis that has an object, its switches, and the object's index for the axis.
    fn axis_of(&mut self, index: u16) -> Result<(&mut Axis, &Signals, u16), u32> {
        let [first, second] = &self.present;
        match &mut self.second {
            Some(axis) if SECOND.contains(&index) => Ok((axis, second, index - SECOND_AXIS)),
            _ if SECOND.contains(&index) => Err(ABORT_NO_OBJECT),
            _ => Ok((&mut self.first, first, index)),
        }
    }
}

impl Application for Drive {
    fn objects(&self) -> &'static [Object] {
        if self.second.is_some() {
            &BOTH
        } else {
            &OBJECTS
        }
    }

    fn map(&mut self, outputs: &[PdoEntry], inputs: &[PdoEntry]) {
        let shifts = [0, SECOND_AXIS];
        for (axis, shift) in self.axes().zip(shifts) {
            axis.outputs = Layout::new(&OBJECTS, outputs, shift);
            axis.inputs = Layout::new(&OBJECTS, inputs, shift);
        }
    }

    fn read_object(&mut self, index: u16, subindex: u8, data: &mut [u8]) -> Result<usize, u32> {
        let (axis, _, index) = self.axis_of(index)?;
        axis.read(index, subindex, data)
    }

    fn write_object(&mut self, index: u16, subindex: u8, data: &[u8]) -> Result<(), u32> {
        let (axis, signals, index) = self.axis_of(index)?;
        axis.write(index, subindex, data, signals)
    }

    fn al_state(&mut self, state: AlState, plant: &mut Plant) {
        let indices = [
            Some(self.first.index),
            self.second.as_ref().map(|axis| axis.index),
        ];
        for (present, index) in self.present.iter_mut().zip(indices) {
            if let Some(unit) = index.and_then(|index| plant.drive(index)) {
                *present = *unit.signals();
            }
        }
        for axis in self.axes() {
            axis.al_state(state == AlState::Op, plant);
        }
    }

    fn outputs(&mut self, rx: &[u8], plant: &mut Plant) {
        for axis in self.axes() {
            axis.outputs(rx, plant);
        }
    }

    fn inputs(&mut self, tx: &mut [u8], plant: &Plant) {
        for axis in self.axes() {
            axis.inputs(tx, plant);
        }
    }
}

#[cfg(test)]
mod tests;
