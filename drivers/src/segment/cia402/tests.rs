use super::super::plant::Plant;
use super::super::plant::rig::{CYCLE_NS, fault, press_cell};
use super::modes::{FOLLOWING_ERROR_FAULT, FOLLOWS_TARGET, INTERNAL_LIMIT, TARGET_REACHED};
use super::objects::TARGET_POSITION;
use super::*;
use crate::segment::application::{
    ABORT_LENGTH, ABORT_NO_OBJECT, ABORT_NO_SUBINDEX, ABORT_READ_ONLY,
};
use twinstep_config::fault::FaultKind;

/// One drive on its plant, spoken to in process data as the configuration lays it out.
struct Bench {
    machine: Machine,
    plant: Plant,
    drive: Drive,
    index: usize,
    now_ns: u64,
    rx: Vec<u8>,
    tx: Vec<u8>,
}

impl Bench {
    fn new(index: usize) -> Self {
        Self::of(press_cell(), index)
    }

    fn of(machine: Machine, index: usize) -> Self {
        let mut plant = Plant::new(&machine, 1, 1);
        plant.advance_to(0);
        plant.start_of_operation(0);
        let mut drive = Drive::new(index, &machine);
        drive.al_state(AlState::PreOp, &mut plant);
        drive.al_state(AlState::SafeOp, &mut plant);
        drive.al_state(AlState::Op, &mut plant);
        let bytes = |entries: &[twinstep_config::machine::PdoEntry]| {
            entries
                .iter()
                .map(|entry| usize::from(entry.bits / 8))
                .sum()
        };
        let subdevice = &machine.bus.as_ref().unwrap().subdevices[index];
        let (rx, tx) = (
            vec![0; bytes(&subdevice.outputs)],
            vec![0; bytes(&subdevice.inputs)],
        );
        Self {
            machine,
            plant,
            drive,
            index,
            now_ns: 0,
            rx,
            tx,
        }
    }

    /// Offset and length of an object in the outputs or the inputs.
    fn place(&self, outputs: bool, index: u16) -> core::ops::Range<usize> {
        let subdevice = &self.machine.bus.as_ref().unwrap().subdevices[self.index];
        let entries = if outputs {
            &subdevice.outputs
        } else {
            &subdevice.inputs
        };
        let mut offset = 0;
        for entry in entries {
            let bytes = usize::from(entry.bits / 8);
            if entry.index == index {
                return offset..offset + bytes;
            }
            offset += bytes;
        }
        panic!("{index:#x} is not mapped")
    }

    fn set(&mut self, index: u16, value: i64) {
        let place = self.place(true, index);
        for (to, from) in self.rx[place].iter_mut().zip(value.to_le_bytes()) {
            *to = from;
        }
    }

    fn get(&self, index: u16) -> i64 {
        crate::segment::pdo::from_bytes(&self.tx[self.place(false, index)], true)
    }

    fn cycles(&mut self, count: u64) {
        for _ in 0..count {
            self.now_ns += CYCLE_NS;
            self.plant.advance_to(self.now_ns);
            self.drive.outputs(&self.rx, &mut self.plant);
            self.drive.inputs(&mut self.tx, &self.plant);
        }
    }

    fn enable(&mut self) {
        self.cycles(10);
        let position = self.get(0x6064);
        self.set(0x607a, position);
        self.set(0x6060, 8);
        for word in [0x06, 0x07, 0x0f] {
            self.set(0x6040, word);
            self.cycles(150);
        }
        assert_eq!(self.get(0x6041) & 0x6f, 0x27);
    }

    /// Ramps the target by `counts` a cycle.
    fn travel(&mut self, cycles: u64, counts: i64) {
        let mut target = i64::from(self.drive.first.values[TARGET_POSITION] as i32);
        for _ in 0..cycles {
            target += counts;
            self.set(0x607a, target);
            self.cycles(1);
        }
    }

    fn sdo(&mut self, index: u16, subindex: u8) -> i64 {
        let mut data = [0; 8];
        let length = self.drive.read_object(index, subindex, &mut data).unwrap();
        crate::segment::pdo::from_bytes(&data[..length], true)
    }
}

#[test]
fn controlwords_bring_a_drive_up_and_it_follows_its_target() {
    for index in [0, 1, 5] {
        let mut bench = Bench::new(index);
        bench.enable();
        assert_eq!(bench.get(0x6061), 8);
        assert_ne!(bench.get(0x6041) & FOLLOWS_TARGET, 0);
        let start = bench.get(0x6064);
        bench.travel(200, 1_000);
        let speed = bench.get(0x606c);
        assert!((speed - 1_000_000).abs() < 30_000, "{index}: {speed}");
        bench.cycles(200);
        let end = bench.get(0x6064);
        assert!(
            (end - start - 200_000).abs() < 3_000,
            "{index}: {start} {end}"
        );
        assert!(bench.get(0x60f4).abs() < 1_000);
    }
}

#[test]
fn positive_counts_turn_with_positive_torque_whatever_the_direction() {
    for index in [0, 1] {
        let mut bench = Bench::new(index);
        bench.enable();
        bench.travel(300, 2_000);
        assert!(bench.get(0x6077) > 50, "{index}: {}", bench.get(0x6077));
    }
}

#[test]
fn disabling_while_moving_ramps_down_first() {
    let mut bench = Bench::new(3);
    bench.enable();
    bench.travel(200, 10_000);
    bench.set(0x6040, 0x07);
    bench.cycles(5);
    assert_eq!(bench.get(0x6041) & 0x6f, 0x27);
    assert!(bench.get(0x606c) > 1_000_000);
    bench.cycles(400);
    assert_eq!(bench.get(0x6041) & 0x6f, 0x23);
    assert!(!bench.plant.drive(3).unwrap().powered());
}

#[test]
fn an_injected_fault_is_reported_and_a_rising_edge_resets_it() {
    let mut bench = Bench::new(0);
    let machine = bench.machine.clone();
    bench
        .plant
        .inject(
            &fault(
                "infeed",
                FaultKind::DriveFault { code: 0x2310 },
                500_000_000,
            ),
            500_000_000,
            &machine,
        )
        .unwrap();
    bench.enable();
    bench.cycles(600);
    assert_eq!(bench.get(0x6041) & 0x4f, 0x08);
    assert_eq!(bench.get(0x603f), 0x2310);
    bench.set(0x6040, 0x80);
    bench.cycles(3);
    assert_eq!(bench.get(0x6041) & 0x4f, 0x40);
    assert_eq!(bench.get(0x603f), 0);
    bench.enable();
}

#[test]
fn leaving_op_under_power_stops_the_axis_and_is_an_error() {
    let mut bench = Bench::new(3);
    bench.enable();
    bench.travel(200, 10_000);
    bench.drive.al_state(AlState::SafeOp, &mut bench.plant);
    for _ in 0..500 {
        bench.now_ns += CYCLE_NS;
        bench.plant.advance_to(bench.now_ns);
        bench.drive.inputs(&mut bench.tx, &bench.plant);
    }
    assert_eq!(bench.get(0x603f), 0x7500);
    assert!(bench.get(0x606c).abs() < 20_000);
    assert!(!bench.plant.drive(3).unwrap().powered());
    // Back in OP it stands in fault until it is reset.
    bench.drive.al_state(AlState::Op, &mut bench.plant);
    bench.set(0x6040, 0x0f);
    bench.cycles(50);
    assert_eq!(bench.get(0x6041) & 0x4f, 0x08);
    bench.set(0x6040, 0x80);
    bench.cycles(2);
    bench.enable();
}

#[test]
fn a_target_far_away_trips_on_the_following_error() {
    let mut bench = Bench::new(3);
    bench.enable();
    let far = bench.get(0x6064) + 40_000_000;
    bench.set(0x607a, far);
    bench.cycles(100);
    assert_eq!(bench.get(0x603f), 0x8611_u16 as i16 as i64);
    assert_ne!(bench.get(0x6041) & FOLLOWING_ERROR_FAULT, 0);
}

#[test]
fn velocity_and_torque_modes_work_by_sdo() {
    let mut bench = Bench::new(0);
    bench.enable();
    bench.set(0x6060, 9);
    bench
        .drive
        .write_object(0x60ff, 0, &500_000_i32.to_le_bytes())
        .unwrap();
    bench.cycles(200);
    assert_eq!(bench.get(0x6061), 9);
    assert!(
        (bench.get(0x606c) - 500_000).abs() < 50_000,
        "{}",
        bench.get(0x606c)
    );
    bench
        .drive
        .write_object(0x60ff, 0, &0_i32.to_le_bytes())
        .unwrap();
    bench.cycles(200);
    bench.set(0x6060, 10);
    bench
        .drive
        .write_object(0x6071, 0, &100_i16.to_le_bytes())
        .unwrap();
    bench.cycles(50);
    assert!(
        (bench.get(0x6077) - 100).abs() <= 10,
        "{}",
        bench.get(0x6077)
    );
    // A mode that the drive does not have is not shown.
    bench.set(0x6060, 7);
    bench.cycles(2);
    assert_eq!(bench.get(0x6061), 10);
}

#[test]
fn the_dictionary_tells_what_the_drive_is() {
    let mut bench = Bench::new(0);
    assert_eq!(bench.sdo(0x6075, 0), 5_000);
    assert_eq!(bench.sdo(0x6076, 0), 4_000);
    assert_eq!(bench.sdo(0x608f, 1), 1_048_576);
    assert_eq!((bench.sdo(0x60c2, 1), bench.sdo(0x60c2, 2)), (1, -3));
    assert_eq!(bench.sdo(0x6502, 0), 0x3a5);
    // Known before the first SYNC0.
    assert_ne!(bench.sdo(0x6064, 0), 0);
    let mut data = [0; 8];
    assert_eq!(
        bench.drive.read_object(0x5000, 0, &mut data),
        Err(ABORT_NO_OBJECT)
    );
    assert_eq!(
        bench.drive.read_object(0x6040, 1, &mut data),
        Err(ABORT_NO_SUBINDEX)
    );
    assert_eq!(
        bench.drive.read_object(0x6064, 0, &mut data[..2]),
        Err(ABORT_LENGTH)
    );
    assert_eq!(
        bench.drive.write_object(0x6041, 0, &[0, 0]),
        Err(ABORT_READ_ONLY)
    );
    assert_eq!(bench.drive.write_object(0x6040, 0, &[0]), Err(ABORT_LENGTH));
}

mod hostile;
mod moves;

#[test]
fn process_data_of_any_length_is_survived() {
    let mut bench = Bench::new(0);
    for length in 0..20 {
        bench.rx = vec![0xff; length];
        bench.tx = vec![0; length];
        bench.cycles(1);
    }
}

#[test]
fn a_vertical_axis_neither_sags_nor_jumps_when_it_is_enabled() {
    let mut bench = Bench::new(5);
    bench.cycles(10);
    let rest = bench.get(0x6064);
    bench.set(0x607a, rest);
    bench.set(0x6060, 8);
    let mut furthest = 0;
    for word in [0x06, 0x07, 0x0f] {
        bench.set(0x6040, word);
        for _ in 0..150 {
            bench.cycles(1);
            furthest = furthest.max((bench.get(0x6064) - rest).abs());
        }
    }
    assert_eq!(bench.get(0x6041) & 0x6f, 0x27);
    // 0.1 mm at 10 mm a revolution.
    assert!(furthest < 10_486, "{furthest}");
    assert!(
        (bench.get(0x6064) - rest).abs() < 3_000,
        "{}",
        bench.get(0x6064) - rest
    );
}
