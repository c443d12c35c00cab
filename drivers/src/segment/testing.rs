//! Small SubDevices for the tests of this crate.

use super::application::{ABORT_NO_OBJECT, AlState, Application};
use super::controller::{Area, Controller};
use super::plant::Plant;
use super::sii_image::PdoRow;
use super::{Description, Identity, Segment, sii};
use crate::ethercat::frame::{self, working_counter};
use crate::frame::command as c;
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
        Self::of_product(name, 0x1234, output_bytes, input_bytes)
    }

    /// The same with another product code.
    pub fn of_product(
        name: &str,
        product_code: u32,
        output_bytes: usize,
        input_bytes: usize,
    ) -> Self {
        let identity = Identity {
            vendor_id: 0x0b0b,
            product_code,
            revision: 1,
            serial: 7,
        };
        let (outputs, inputs) = (entries(0x7000, output_bytes), entries(0x6000, input_bytes));
        Self::new(name, identity, outputs, inputs)
    }
}

/// A digital terminal with two output SyncManagers and one for inputs, all without a mailbox.
pub fn terminal() -> Description {
    let identity = Identity {
        vendor_id: 0x0b0b,
        product_code: 0x4321,
        revision: 2,
        serial: 9,
    };
    let area = |sync_manager, start, bytes| Area {
        sync_manager,
        start,
        bytes,
    };
    let mut description = Description::new("terminal", identity, Vec::new(), Vec::new());
    description.controller = Controller {
        kind: 0x12,
        fmmus: 3,
        sync_managers: 4,
        ports: [3, 3, 0, 0],
        pdi: [0x0104, 0xff00],
        emulated: true,
        mailboxes: None,
        coe: false,
        outputs: vec![area(0, 0x0f00, 1), area(1, 0x0f01, 1)],
        inputs: vec![area(2, 0x1000, 2)],
    };
    let pdo = |index, sync_manager, bits| PdoRow {
        index,
        sync_manager: Some(sync_manager),
        name: String::new(),
        entries: vec![PdoEntry {
            index: 0x7000,
            subindex: 1,
            bits,
        }],
    };
    description.rx_pdos = vec![pdo(0x1600, 0, 8), pdo(0x1601, 1, 4)];
    description.tx_pdos = vec![pdo(0x1a00, 2, 16)];
    description.eeprom = sii::image(&description);
    description
}

/// A machine without axes whose bus has SubDevices of the given (outputs, inputs) in bytes, and its segment.
pub fn bench(sizes: &[(usize, usize)], period_ns: u64) -> (Machine, Segment) {
    let of = |(at, &(outputs, inputs)): (usize, &(usize, usize))| {
        Description::for_test(&format!("dev{at}"), outputs, inputs)
    };
    bench_of(sizes.iter().enumerate().map(of).collect(), period_ns)
}

/// As [`bench`], of given SubDevices.
pub fn bench_of(descriptions: Vec<Description>, period_ns: u64) -> (Machine, Segment) {
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
                ..SubDevice::default()
            })
            .collect(),
        redundant_interface: None,
        frame_shift_ns: period_ns / 4,
        overrun: twinstep_config::machine::Overrun::Skip,
        tap: None,
        pubsub: None,
    });
    let plant = Plant::new(&machine, 1, 1);
    let parts = descriptions
        .into_iter()
        .map(|d| (d, Box::new(Cupboard::default()) as Box<dyn Application>))
        .collect();
    let segment = Segment::with_applications(machine.clone(), parts, plant, 1);
    (machine, segment)
}

const DATA: usize = frame::HEADERS + frame::DATAGRAM_HEADER;

/// A segment, and a hand that sends single datagrams 10 us apart.
pub struct Probe {
    pub segment: Segment,
    pub now_ns: u64,
}

impl Probe {
    pub fn new(descriptions: Vec<Description>) -> Self {
        let (_, segment) = bench_of(descriptions, 1_000_000);
        Self {
            segment,
            now_ns: 5_000,
        }
    }

    pub fn send(&mut self, command: u8, position: u16, offset: u16, data: &mut [u8]) -> u16 {
        let mut frame = frame::new();
        frame::push_datagram(&mut frame, command, position, offset, data.len());
        frame[DATA..DATA + data.len()].copy_from_slice(data);
        self.now_ns += 10_000;
        assert!(self.segment.process(&mut frame, self.now_ns));
        data.copy_from_slice(&frame[DATA..DATA + data.len()]);
        working_counter(&frame, DATA, data.len())
    }

    pub fn write(&mut self, offset: u16, data: &[u8]) -> u16 {
        self.send(c::APWR, 0, offset, &mut data.to_vec())
    }

    pub fn read<const N: usize>(&mut self, offset: u16) -> [u8; N] {
        let mut data = [0; N];
        assert_eq!(self.send(c::APRD, 0, offset, &mut data), 1, "{offset:#06x}");
        data
    }
}
