//! The firmware of a simulated I/O station with valves and a vacuum sensor.

use super::application::{AlState, Application};
use super::pdo::{Layout, Object, download, slot_of, upload};
use super::plant::Plant;
use twinstep_config::machine::{Machine, PdoEntry};

/// Bit of the digital outputs and of the digital inputs: ejector.
const EJECTOR: i64 = 1;
/// Bit of the digital outputs: blow-off.
const BLOW_OFF: i64 = 2;

const fn object(
    index: u16,
    subindex: u8,
    bits: u8,
    signed: bool,
    initial: i64,
    name: &'static str,
) -> Object {
    Object {
        index,
        subindex,
        bits,
        signed,
        writable: index == 0x7000 && subindex > 0,
        initial,
        name,
    }
}

const OBJECTS: [Object; 5] = [
    object(0x6000, 0, 8, false, 2, "Inputs"),
    object(0x6000, 1, 16, true, 0, "Pressure (counts)"),
    object(0x6000, 2, 8, false, 0, "Digital inputs"),
    object(0x7000, 0, 8, false, 1, "Outputs"),
    object(0x7000, 1, 8, false, 0, "Digital outputs"),
];

const PRESSURE: usize = slot_of(&OBJECTS, 0x6000, 1);
const DIGITAL_INPUTS: usize = slot_of(&OBJECTS, 0x6000, 2);
const DIGITAL_OUTPUTS: usize = slot_of(&OBJECTS, 0x7000, 1);

/// A simulated station: 0x7000:1 bit 0 ejector, bit 1 blow-off; 0x6000:1 pressure, 0x6000:2 bit 0 ejector has switched.
pub struct IoStation {
    index: usize,
    values: [i64; OBJECTS.len()],
    outputs: Layout,
    inputs: Layout,
}

impl IoStation {
    /// The firmware of station `station_index`. Its process data is that of the SubDevice that carries its name.
    pub fn new(station_index: usize, machine: &Machine) -> Self {
        let name = machine
            .stations
            .get(station_index)
            .map_or("", |station| station.name.as_str());
        let (outputs, inputs) = Layout::of_subdevice(&OBJECTS, machine, name);
        Self {
            index: station_index,
            values: core::array::from_fn(|n| OBJECTS[n].initial),
            outputs,
            inputs,
        }
    }

    fn switch(&self, plant: &mut Plant) {
        if let Some(station) = plant.station_mut(self.index) {
            station.ejector = self.values[DIGITAL_OUTPUTS] & EJECTOR != 0;
            station.blow_off = self.values[DIGITAL_OUTPUTS] & BLOW_OFF != 0;
        }
    }

    fn refresh(&mut self, plant: &Plant) {
        if let Some(station) = plant.station(self.index) {
            self.values[PRESSURE] = i64::from(station.pressure_counts());
            self.values[DIGITAL_INPUTS] = if station.ejector_feedback() {
                EJECTOR
            } else {
                0
            };
        }
    }
}

impl Application for IoStation {
    fn objects(&self) -> &'static [Object] {
        &OBJECTS
    }

    fn map(&mut self, outputs: &[PdoEntry], inputs: &[PdoEntry]) {
        self.outputs = Layout::new(&OBJECTS, outputs, 0);
        self.inputs = Layout::new(&OBJECTS, inputs, 0);
    }

    fn read_object(&mut self, index: u16, subindex: u8, data: &mut [u8]) -> Result<usize, u32> {
        upload(&OBJECTS, &self.values, index, subindex, data)
    }

    fn write_object(&mut self, index: u16, subindex: u8, data: &[u8]) -> Result<(), u32> {
        download(&OBJECTS, &mut self.values, index, subindex, data).map(|_| ())
    }

    fn al_state(&mut self, state: AlState, plant: &mut Plant) {
        if state != AlState::Op {
            // Outputs fall off as soon as nobody commands them.
            self.values[DIGITAL_OUTPUTS] = 0;
            self.switch(plant);
        }
        self.refresh(plant);
    }

    fn outputs(&mut self, rx: &[u8], plant: &mut Plant) {
        self.outputs.decode(&OBJECTS, rx, &mut self.values);
        self.switch(plant);
    }

    fn inputs(&mut self, tx: &mut [u8], plant: &Plant) {
        self.refresh(plant);
        self.inputs.encode(&self.values, tx);
    }
}

#[cfg(test)]
mod tests {
    use super::super::plant::rig::press_cell;
    use super::*;
    use crate::segment::application::{ABORT_LENGTH, ABORT_READ_ONLY};

    #[test]
    fn outputs_switch_valves_and_inputs_carry_the_pressure() {
        let machine = press_cell();
        let mut plant = Plant::new(&machine, 1, 1);
        plant.advance_to(0);
        let mut station = IoStation::new(0, &machine);
        station.al_state(AlState::Op, &mut plant);
        let mut tx = [0; 3];
        let pressure_pa = |tx: &[u8; 3]| {
            f64::from(i16::from_le_bytes([tx[0], tx[1]]))
                * machine.stations[0].pressure_pa_per_count
        };
        station.inputs(&mut tx, &plant);
        assert!(
            (pressure_pa(&tx) - 101_325.0).abs() < 100.0,
            "{}",
            pressure_pa(&tx)
        );
        assert_eq!(tx[2], 0);
        station.outputs(&[1], &mut plant);
        plant.advance_to(600_000_000);
        station.inputs(&mut tx, &plant);
        assert!(pressure_pa(&tx) < 30_000.0, "{}", pressure_pa(&tx));
        assert_eq!(tx[2], 1);
        station.outputs(&[2], &mut plant);
        plant.advance_to(1_000_000_000);
        station.inputs(&mut tx, &plant);
        assert!(pressure_pa(&tx) > 100_000.0);
        // Without OP nothing is commanded.
        station.outputs(&[1], &mut plant);
        station.al_state(AlState::SafeOp, &mut plant);
        plant.advance_to(1_500_000_000);
        station.inputs(&mut tx, &plant);
        assert!(pressure_pa(&tx) > 95_000.0);
    }

    #[test]
    fn sdo_reads_inputs_and_writes_outputs_only() {
        let machine = press_cell();
        let mut station = IoStation::new(0, &machine);
        let mut data = [0; 4];
        assert_eq!(station.read_object(0x6000, 1, &mut data), Ok(2));
        assert_eq!(station.write_object(0x7000, 1, &[1]), Ok(()));
        assert_eq!(station.write_object(0x7000, 1, &[1, 0]), Err(ABORT_LENGTH));
        assert_eq!(
            station.write_object(0x6000, 1, &[1, 0]),
            Err(ABORT_READ_ONLY)
        );
    }
}
