//! Small SubDevices for the tests of this crate.

use super::application::{ABORT_NO_OBJECT, AlState, Application};
use super::plant::Plant;
use super::{Description, Identity, Segment};
use twinstep_config::machine::{Bus, Machine, PdoEntry, SubDevice};

/// A device that stores one object, 0x2000, and returns its outputs as inputs, one SYNC0 later.
#[derive(Default)]
pub struct Cupboard {
    pub value: Vec<u8>,
    pub outputs: [u8; 16],
    pub pulses: u8,
}

impl Application for Cupboard {
    fn read_object(&mut self, index: u16, _: u8, data: &mut [u8]) -> Result<usize, u32> {
        if index != 0x2000 {
            return Err(ABORT_NO_OBJECT);
        }
        data[..self.value.len()].copy_from_slice(&self.value);
        Ok(self.value.len())
    }

    fn write_object(&mut self, index: u16, _: u8, data: &[u8]) -> Result<(), u32> {
        if index != 0x2000 {
            return Err(ABORT_NO_OBJECT);
        }
        self.value = data.to_vec();
        Ok(())
    }

    fn al_state(&mut self, _: AlState, _: &mut Plant) {}

    fn outputs(&mut self, rx: &[u8], _: &mut Plant) {
        for (to, from) in self.outputs.iter_mut().zip(rx) {
            *to = *from;
        }
    }

    fn inputs(&mut self, tx: &mut [u8], _: &Plant) {
        self.pulses = self.pulses.wrapping_add(1);
        for (to, from) in tx.iter_mut().zip(self.outputs) {
            *to = from;
        }
        if let Some(last) = tx.last_mut() {
            *last = self.pulses;
        }
    }
}

fn entries(index: u16, bytes: usize) -> Vec<PdoEntry> {
    (0..bytes)
        .map(|at| PdoEntry {
            index,
            subindex: at as u8 + 1,
            bits: 8,
        })
        .collect()
}

impl Description {
    /// A SubDevice with byte objects only.
    pub fn for_test(name: &str, output_bytes: usize, input_bytes: usize) -> Self {
        let identity = Identity {
            vendor_id: 0x0b0b,
            product_code: 0x1234,
            revision: 1,
            serial: 7,
        };
        let (outputs, inputs) = (entries(0x7000, output_bytes), entries(0x6000, input_bytes));
        Self::new(name, identity, outputs, inputs)
    }
}

/// A machine without axes whose bus has SubDevices of the given (outputs, inputs) in bytes, and its segment.
pub fn bench(sizes: &[(usize, usize)], period_ns: u64) -> (Machine, Segment) {
    let descriptions: Vec<_> = sizes
        .iter()
        .enumerate()
        .map(|(at, &(outputs, inputs))| Description::for_test(&format!("dev{at}"), outputs, inputs))
        .collect();
    // The shipped machine with everything taken out but its structure.
    let mut machine =
        twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
    machine.axes.clear();
    machine.presses.clear();
    machine.stations.clear();
    machine.cycle.period_ns = period_ns;
    machine.bus = Some(Bus {
        interface: None,
        subdevices: descriptions
            .iter()
            .map(|d| SubDevice {
                name: d.name.clone(),
                vendor_id: d.identity.vendor_id,
                product_code: d.identity.product_code,
                outputs: d.rx_pdos[0].entries.clone(),
                inputs: d.tx_pdos[0].entries.clone(),
            })
            .collect(),
        frame_shift_ns: period_ns / 4,
    });
    let plant = Plant::new(&machine, 1, 1);
    let parts = descriptions
        .into_iter()
        .map(|d| (d, Box::new(Cupboard::default()) as Box<dyn Application>))
        .collect();
    let segment = Segment::with_applications(machine.clone(), parts, plant, 1);
    (machine, segment)
}
