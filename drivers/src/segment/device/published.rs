//! What stands in the process data of a SubDevice: what it would publish if it were no EtherCAT device.

use super::Device;
use crate::segment::controller::Area;

impl Device {
    /// Copies outputs and inputs, those of several SyncManagers one after the other; what does not fit is left out.
    pub fn process_data(&self, outputs: &mut [u8], inputs: &mut [u8]) {
        let controller = &self.description.controller;
        self.gather(&controller.outputs, outputs);
        self.gather(&controller.inputs, inputs);
    }

    fn gather(&self, areas: &[Area], to: &mut [u8]) {
        let mut at = 0;
        for area in areas {
            let sync_manager = self.sync_managers[area.sync_manager & 15];
            let bytes = self.memory.get(sync_manager.area()).unwrap_or_default();
            if let Some(to) = to.get_mut(at..at + bytes.len()) {
                to.copy_from_slice(bytes);
            }
            at += bytes.len();
        }
    }

    /// When new outputs came last (ns, segment time).
    pub fn outputs_at(&self) -> Option<u64> {
        self.outputs_at
    }
}
