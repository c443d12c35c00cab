//! What stands in the process data of a SubDevice: what it would publish if it were no EtherCAT device.

use super::Device;

impl Device {
    /// Copies outputs and inputs, those of several SyncManagers one after the other; what does not fit is left out.
    pub fn process_data(&self, outputs: &mut [u8], inputs: &mut [u8]) {
        self.gather(false, outputs);
        self.gather(true, inputs);
    }

    fn gather(&self, of_inputs: bool, to: &mut [u8]) {
        let mut at = 0;
        for (sync_manager, _) in self.pdos.assignments(of_inputs) {
            // Nothing whole yet: what the first buffer holds.
            let area = self
                .whole(sync_manager)
                .unwrap_or_else(|| self.sync_managers[sync_manager & 15].area());
            let bytes = self.memory.get(area).unwrap_or_default();
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

#[cfg(test)]
mod tests {
    use crate::segment::Description;
    use crate::segment::testing::Probe;

    #[test]
    fn what_is_published_is_the_last_whole_value_whichever_buffer_holds_it() {
        let mut probe = Probe::new(vec![Description::for_test("dev", 8, 8)]);
        probe.write(0x0800, &[0x00, 0x10, 0x80, 0, 0x26, 0, 1, 0]);
        probe.write(0x0808, &[0x80, 0x10, 0x80, 0, 0x22, 0, 1, 0]);
        probe.write(0x0120, &[2, 0]);
        probe.write(0x0810, &[0x00, 0x11, 8, 0, 0x64, 0, 1, 0]);
        probe.write(0x0818, &[0x00, 0x18, 8, 0, 0x20, 0, 1, 0]);
        probe.write(0x0120, &[4, 0]);
        for n in 1..20 {
            assert_eq!(probe.write(0x1100, &[n; 8]), 1);
            let read: [u8; 8] = probe.read(0x1800);
            let (mut outputs, mut inputs) = ([0; 8], [0; 8]);
            probe.segment.devices[0].process_data(&mut outputs, &mut inputs);
            assert_eq!(outputs, [n; 8]);
            // Without SYNC0 the frame that has read them latches the next ones.
            assert_eq!(inputs[7], read[7] + 1);
        }
    }
}
