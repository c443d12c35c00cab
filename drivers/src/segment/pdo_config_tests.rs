use super::*;
use crate::segment::application::Application;
use crate::segment::cia402::Drive;
use crate::segment::pdo::mappable;
use crate::segment::plant::rig::press_cell;
use crate::segment::{Identity, testing::Probe};

fn description() -> Description {
    let identity = Identity {
        vendor_id: 1,
        product_code: 2,
        revision: 3,
        serial: 4,
    };
    let machine = press_cell();
    let one = &machine.bus.as_ref().unwrap().subdevices[0];
    Description::new("infeed", identity, one.outputs.clone(), one.inputs.clone())
}

/// Writes lists as a master does.
struct Master {
    config: PdoConfig,
    drive: Drive,
}

impl Master {
    fn new(description: &Description) -> Self {
        Self {
            config: PdoConfig::new(description, 0x200),
            drive: Drive::new(0, &press_cell()),
        }
    }

    fn in_state(&mut self, index: u16, subindex: u8, data: &[u8], pre_op: bool) -> Result<(), u32> {
        let objects = self.drive.objects();
        let mappable = |entry, outputs| mappable(objects, entry, outputs);
        self.config.write(index, subindex, data, pre_op, &mappable)
    }

    fn write(&mut self, index: u16, subindex: u8, data: &[u8]) -> Result<(), u32> {
        self.in_state(index, subindex, data, true)
    }

    fn map(&mut self, index: u16, subindex: u8, entry: u32) -> Result<(), u32> {
        self.write(index, subindex, &entry.to_le_bytes())
    }

    fn indices(&self, inputs: bool) -> Vec<u16> {
        self.config
            .entries(inputs)
            .map(|entry| entry.index)
            .collect()
    }
}

#[test]
fn lists_are_emptied_filled_and_closed() {
    let mut master = Master::new(&description());
    assert_eq!(master.config.read(0x1c12, 0), Some(Ok((1, 1))));
    assert_eq!(master.config.read(0x1c12, 1), Some(Ok((0x1600, 2))));
    assert_eq!(master.config.bytes(false), 13);
    // Not while it is in use.
    assert_eq!(master.map(0x1600, 1, 0x6040_0010), Err(ABORT_IN_USE));
    assert_eq!(master.write(0x1600, 0, &[3]), Err(ABORT_IN_USE));
    master.write(0x1c12, 0, &[0]).unwrap();
    master.write(0x1600, 0, &[0]).unwrap();
    assert_eq!(
        (master.config.bytes(false), master.indices(false)),
        (0, vec![])
    );
    master.map(0x1600, 1, 0x6040_0010).unwrap();
    assert_eq!(master.map(0x1600, 3, 0x60ff_0020), Err(ABORT_NO_SUBINDEX));
    master.map(0x1600, 2, 0x60ff_0020).unwrap();
    master.map(0x1600, 3, 0x0000_0008).unwrap();
    assert_eq!(master.write(0x1600, 0, &[4]), Err(ABORT_RANGE));
    master.write(0x1600, 0, &[3]).unwrap();
    assert_eq!(master.config.bytes(false), 0, "not assigned yet");
    master.write(0x1c12, 1, &[0x00, 0x16]).unwrap();
    assert_eq!(
        master.write(0x1c12, 2, &[0x00, 0x16]),
        Err(ABORT_RANGE),
        "twice"
    );
    master.write(0x1c12, 0, &[1]).unwrap();
    assert_eq!(
        (master.config.bytes(false), master.indices(false)),
        (7, vec![0x6040, 0x60ff, 0])
    );
    assert_eq!(master.config.read(0x1600, 2), Some(Ok((0x60ff_0020, 4))));
    assert_eq!(master.config.read(0x1600, 4), Some(Err(ABORT_NO_SUBINDEX)));
    assert!(master.config.take_changed() && !master.config.take_changed());
    // The empty one takes what another does not have room for, behind it.
    master.write(0x1601, 0, &[0]).unwrap();
    master.map(0x1601, 1, 0x6060_0008).unwrap();
    master.write(0x1601, 0, &[1]).unwrap();
    master.write(0x1c12, 0, &[0]).unwrap();
    master.write(0x1c12, 1, &[0x01, 0x16]).unwrap();
    master.write(0x1c12, 2, &[0x00, 0x16]).unwrap();
    master.write(0x1c12, 0, &[2]).unwrap();
    assert_eq!(master.indices(false), [0x6060, 0x6040, 0x60ff, 0]);
}

#[test]
fn what_cannot_be_is_refused_with_its_code() {
    let mut master = Master::new(&description());
    master.write(0x1600, 0, &[0]).unwrap();
    master.write(0x1a00, 0, &[0]).unwrap();
    master.write(0x1c12, 0, &[0]).unwrap();
    for (index, entry, code) in [
        (0x1600, 0x2abc_0010, ABORT_NO_OBJECT),
        (0x1600, 0x6040_0110, ABORT_NO_SUBINDEX),
        (0x1600, 0x6040_0020, ABORT_LENGTH),
        // A status is none of the outputs, a count of neither.
        (0x1600, 0x6041_0010, ABORT_NOT_MAPPABLE),
        (0x1a00, 0x6099_0008, ABORT_NOT_MAPPABLE),
        (0x1a00, 0x0000_0007, ABORT_NO_OBJECT),
    ] {
        assert_eq!(master.map(index, 1, entry), Err(code), "{entry:#010x}");
    }
    for (index, subindex, data, code) in [
        (0x1600, 1, &[1, 2][..], ABORT_LENGTH),
        (0x1600, 0, &[0, 0], ABORT_LENGTH),
        (0x1c12, 1, &[0x00, 0x1a], ABORT_NOT_MAPPABLE),
        (0x1c12, 1, &[0x00], ABORT_LENGTH),
        (0x1c14, 0, &[0], ABORT_NO_OBJECT),
        (0x1777, 0, &[0], ABORT_NO_OBJECT),
    ] {
        assert_eq!(
            master.write(index, subindex, data),
            Err(code),
            "{index:#x}:{subindex}"
        );
    }
    assert_eq!(master.in_state(0x1c12, 0, &[0], false), Err(ABORT_STATE));
    for subindex in 1..=64 {
        master.map(0x1600, subindex, 0x60ff_0020).unwrap();
    }
    assert_eq!(master.map(0x1600, 65, 0x60ff_0020), Err(ABORT_TOO_LONG));
    let mut fixed = description();
    (fixed.pdo_assignment, fixed.pdo_mapping) = (false, false);
    let mut master = Master::new(&fixed);
    for index in [0x1600, 0x1a00, 0x1c12, 0x1c13] {
        assert_eq!(master.write(index, 0, &[0]), Err(ABORT_READ_ONLY));
    }
}

#[test]
fn complete_access_writes_a_list_whole_or_not_at_all() {
    let mut master = Master::new(&description());
    let before = master.config.clone();
    let objects = master.drive.objects();
    let mappable = |entry, outputs| mappable(objects, entry, outputs);
    let mut list = vec![2, 0];
    list.extend_from_slice(&0x6040_0010_u32.to_le_bytes());
    list.extend_from_slice(&0x6041_0010_u32.to_le_bytes());
    let wrong = master.config.write_complete(0x1600, &list, true, &mappable);
    assert_eq!(wrong, Err(ABORT_NOT_MAPPABLE));
    assert_eq!(master.config, before);
    list.truncate(6);
    assert_eq!(
        master.config.write_complete(0x1600, &list, true, &mappable),
        Err(ABORT_LENGTH)
    );
    list[0] = 1;
    assert_eq!(
        master.config.write_complete(0x1600, &list, true, &mappable),
        Ok(())
    );
    assert_eq!(master.indices(false), [0x6040]);
}

#[test]
fn no_write_whatever_panics_or_grows_beyond_its_room() {
    let mut master = Master::new(&description());
    let mut rng = crate::rng::Rng::new(5, 1);
    for _ in 0..20_000 {
        let bits = rng.next_u64();
        let index = [
            0x1600, 0x1601, 0x1a00, 0x1a01, 0x1c12, 0x1c13, 0x1c10, 0x17ff,
        ][bits as usize % 8];
        let entries = [
            0x6040_0010_u32,
            0x60ff_0020,
            0x6041_0010,
            0x0000_00f8,
            0x1600,
            bits as u32,
        ];
        let entry = entries[(bits >> 8) as usize % 6].to_le_bytes();
        let length = [1, 2, 4][(bits >> 16) as usize % 3];
        let subindex = (bits >> 24) as u8 % 5;
        let _ = master.write(index, subindex, &entry[..length]);
        assert!(master.config.bytes(false) <= 0x200 && master.config.bytes(true) <= 0x200);
        let _ = master.config.read(index, (bits >> 32) as u8);
    }
}

/// A CoE request to SubDevice 0 and the command byte of its answer with four bytes of data or abort code.
fn sdo(probe: &mut Probe, command: u8, index: u16, subindex: u8, data: u32) -> (u8, u32) {
    let mut mailbox = [0; 128];
    mailbox[..8].copy_from_slice(&[10, 0, 0, 0, 0, 0x13, 0, 0x20]);
    mailbox[8] = command;
    mailbox[9..11].copy_from_slice(&index.to_le_bytes());
    mailbox[11] = subindex;
    mailbox[12..16].copy_from_slice(&data.to_le_bytes());
    assert_eq!(probe.write(0x1000, &mailbox), 1);
    let answer: [u8; 128] = probe.read(0x1080);
    (
        answer[8],
        u32::from_le_bytes(answer[12..16].try_into().unwrap()),
    )
}

#[test]
fn safe_op_needs_sync_managers_of_the_mapped_length() {
    let mut probe = Probe::new(vec![Description::for_test("dev", 8, 4)]);
    probe.write(0x0800, &[0x00, 0x10, 0x80, 0, 0x26, 0, 1, 0]);
    probe.write(0x0808, &[0x80, 0x10, 0x80, 0, 0x22, 0, 1, 0]);
    probe.write(0x0120, &[2, 0]);
    // One byte of the outputs less than before.
    assert_eq!(sdo(&mut probe, 0x2f, 0x1600, 0, 0), (0x60, 0));
    for subindex in 1..=7_u8 {
        let entry = 0x7000_0008 | u32::from(subindex) << 8;
        assert_eq!(sdo(&mut probe, 0x23, 0x1600, subindex, entry), (0x60, 0));
    }
    assert_eq!(sdo(&mut probe, 0x2f, 0x1600, 0, 7), (0x60, 0));
    assert_eq!(sdo(&mut probe, 0x40, 0x1600, 0, 0), (0x4f, 7));
    let mut try_safe_op = |outputs: u8, inputs: u8| {
        probe.write(0x0120, &[0x12, 0]);
        probe.write(0x0810, &[0x00, 0x11, outputs, 0, 0x64, 0, 1, 0]);
        probe.write(0x0818, &[0x00, 0x18, inputs, 0, 0x20, 0, 1, 0]);
        probe.write(0x0120, &[4, 0]);
        let status: [u8; 6] = probe.read(0x0130);
        (status[0], status[4])
    };
    assert_eq!(try_safe_op(8, 4), (0x12, 0x1d));
    assert_eq!(try_safe_op(7, 5), (0x12, 0x1e));
    assert_eq!(try_safe_op(7, 4), (0x04, 0));
    // Not in SAFE-OP.
    assert_eq!(sdo(&mut probe, 0x2f, 0x1600, 0, 0), (0x80, ABORT_STATE));
}
