//! The firmware of a SubDevice of which only the EEPROM image is known: a terminal that keeps its outputs and has zero
//! inputs, or a coupler.

use super::application::{ABORT_NO_OBJECT, AlState, Application};
use super::plant::Plant;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terminal;

impl Application for Terminal {
    fn read_object(&mut self, _: u16, _: u8, _: &mut [u8]) -> Result<usize, u32> {
        Err(ABORT_NO_OBJECT)
    }

    fn write_object(&mut self, _: u16, _: u8, _: &[u8]) -> Result<(), u32> {
        Err(ABORT_NO_OBJECT)
    }

    fn al_state(&mut self, _: AlState, _: &mut Plant) {}

    /// They stay in the memory of the controller.
    fn outputs(&mut self, _: &[u8], _: &mut Plant) {}

    fn inputs(&mut self, tx: &mut [u8], _: &Plant) {
        tx.fill(0);
    }
}
