//! Power: what a SubDevice has forgotten when it comes back.

use super::super::application::{ABORT_NO_OBJECT, AlState, Application};
use super::super::plant::Plant;
use super::Device;

/// Stands in while the firmware moves over.
struct Nothing;

impl Application for Nothing {
    fn read_object(&mut self, _: u16, _: u8, _: &mut [u8]) -> Result<usize, u32> {
        Err(ABORT_NO_OBJECT)
    }
    fn write_object(&mut self, _: u16, _: u8, _: &[u8]) -> Result<(), u32> {
        Err(ABORT_NO_OBJECT)
    }
    fn al_state(&mut self, _: AlState, _: &mut Plant) {}
    fn outputs(&mut self, _: &[u8], _: &mut Plant) {}
    fn inputs(&mut self, _: &mut [u8], _: &Plant) {}
}

impl Device {
    /// Starts anew: registers, clock and mailboxes as after power-up; the EEPROM is kept, the firmware is in INIT.
    pub fn restart(&mut self, local_offset_ns: u64, plant: &mut Plant) {
        let mut application: Box<dyn Application> = Box::new(Nothing);
        core::mem::swap(&mut application, &mut self.application);
        application.al_state(AlState::Init, plant);
        let (firmware, refuse) = (self.firmware, (self.al.refuse, self.al.refusals));
        let eeprom = core::mem::take(&mut self.sii);
        *self = Self::with_eeprom(self.description.clone(), eeprom, application);
        let outputs: Vec<_> = self.pdos.entries(false).collect();
        let inputs: Vec<_> = self.pdos.entries(true).collect();
        self.application.map(&outputs, &inputs);
        self.firmware = firmware;
        (self.al.refuse, self.al.refusals) = refuse;
        self.dc.local_offset_ns = local_offset_ns;
    }
}
