//! The registers, one table after the other: what is written, what is read, what counts.

use super::application::AlState;
use super::testing::{Probe, terminal};
use super::*;
use crate::frame::command as c;

fn three() -> Probe {
    let of = |at| Description::for_test(&format!("dev{at}"), 4, 4);
    let mut probe = Probe::new((0..3).map(of).collect());
    for at in 0..3_u16 {
        let mut address = (0x1001 + at).to_le_bytes();
        probe.send(c::APWR, 0_u16.wrapping_sub(at), 0x0010, &mut address);
    }
    probe
}

#[test]
fn the_eeprom_is_read_written_and_reloaded() {
    // What 0x0502 is written with, at a word, with data; the status after it; what the word reads as then.
    let table: [(u16, u16, u16, u16, u16); 7] = [
        (0x0100, 0x0008, 0, 0x00c0, 0x0b0b),
        (0x0201, 0x0004, 0x1234, 0x00c0, 0x1234), // write with enable
        (0x0200, 0x0004, 0x5678, 0x40c0, 0x1234), // without: refused
        (0x0201, 0xfff0, 0x5678, 0x20c0, 0xffff), // beyond the end
        (0x0301, 0x0004, 0x5678, 0x20c0, 0x1234), // read and write at a time
        (0x0000, 0x0004, 0, 0x00c0, 0x1234),
        (0x0400, 0x0004, 0, 0x08c0, 0x1234), // the alias is part of what the checksum covers
    ];
    let mut one = Probe::new(vec![Description::for_test("lift", 4, 4)]);
    for (at, (command, word, data, status, found)) in table.into_iter().enumerate() {
        one.write(0x0508, &data.to_le_bytes());
        let [low, high] = command.to_le_bytes();
        let [word_low, word_high] = word.to_le_bytes();
        one.write(0x0502, &[low, high, word_low, word_high, 0, 0]);
        assert_eq!(one.read(0x0502), status.to_le_bytes(), "row {at}");
        one.write(0x0502, &[0, 1, word_low, word_high, 0, 0]);
        assert_eq!(one.read(0x0508), found.to_le_bytes(), "row {at}");
    }
    // The alias was written before the reload, which breaks the checksum: it is not taken.
    assert_eq!(one.read(0x0012), [0, 0]);
    assert_eq!(one.read(0x0502), [0xc0, 0x08]);
    // With the right checksum it is.
    let mut image = one.segment.devices[0].description.eeprom.clone();
    image[8..10].copy_from_slice(&0x1234_u16.to_le_bytes());
    let sum = sii_image::checksum(&image[..14]);
    one.write(0x0508, &[sum, 0]);
    one.write(0x0502, &[1, 2, 7, 0, 0, 0]);
    assert_eq!(one.read(0x0012), [0, 0], "not before the reload");
    one.write(0x0502, &[0, 4, 0, 0, 0, 0]);
    assert_eq!(one.read(0x0012), [0x34, 0x12]);
    assert_eq!(one.read(0x0502), [0xc0, 0x00]);
}

#[test]
fn a_wrong_checksum_keeps_a_subdevice_in_init() {
    let mut one = Probe::new(vec![Description::for_test("lift", 4, 4)]);
    one.segment.damage_eeprom(0);
    assert_eq!(one.read(0x0502), [0xc0, 0x08]);
    let both = [
        0, 0x10, 128, 0, 0x26, 0, 1, 0, 0x80, 0x10, 128, 0, 0x22, 0, 1, 0,
    ];
    one.write(0x0800, &both);
    one.write(0x0120, &[2, 0]);
    assert_eq!(one.read(0x0130), [0x11, 0, 0, 0, 0x51, 0]);
    // A terminal does not even answer.
    let mut one = Probe::new(vec![terminal()]);
    one.segment.damage_eeprom(0);
    one.write(0x0120, &[2, 0]);
    assert_eq!(one.read(0x0130), [1, 0, 0, 0, 0, 0]);
    one.segment.damage_eeprom(0);
    one.write(0x0120, &[2, 0]);
    assert_eq!(one.read(0x0130), [2, 0]);
}

#[test]
fn error_counters_clear_in_their_groups() {
    let mut one = Probe::new(vec![terminal()]);
    let counters = [0x0300, 0x0307, 0x030b, 0x030c, 0x030d, 0x0310, 0x0313];
    // Written address, and the counters that are 0 after it.
    let table: [(u16, &[usize]); 4] = [
        (0x0303, &[0x0300, 0x0307, 0x030b]),
        (0x030c, &[0x030c]),
        (0x030d, &[0x030d]),
        (0x0312, &[0x0310, 0x0313]),
    ];
    for (written, cleared) in table {
        for counter in counters {
            one.segment.devices[0].count_error(counter);
        }
        one.write(written, &[7]);
        for counter in counters {
            let [count] = one.read(counter as u16);
            assert_eq!(
                count == 0,
                cleared.contains(&counter),
                "{written:#x} {counter:#x}"
            );
        }
    }
    for _ in 0..300 {
        one.segment.devices[0].count_error(0x0300);
    }
    assert_eq!(one.read(0x0300), [255]);
}

#[test]
fn a_frame_that_is_cut_counts_at_the_first_processing_unit() {
    let mut probe = three();
    let mut frame = crate::ethercat::frame::new();
    crate::ethercat::frame::push_datagram(&mut frame, c::BRD, 0, 0, 8);
    frame.truncate(30);
    assert!(!probe.segment.process(&mut frame, probe.now_ns));
    frame[12] = 0x08;
    assert!(!probe.segment.process(&mut frame, probe.now_ns));
    let counts = [0x1001, 0x1002].map(|address| {
        let mut count = [0];
        probe.send(c::FPRD, address, 0x030c, &mut count);
        count[0]
    });
    assert_eq!(counts, [1, 0]);
}

#[test]
fn a_broken_cable_shows_at_both_ends() {
    let mut probe = three();
    let status = |probe: &mut Probe, address| {
        let mut data = [0; 2];
        let mut lost = [0; 4];
        let counter = probe.send(c::FPRD, address, 0x0110, &mut data);
        probe.send(c::FPRD, address, 0x0310, &mut lost);
        (counter, data, lost)
    };
    // Links of ports 0 and 1, loops of 2 and 3 closed; the last has port 0 alone.
    assert_eq!(status(&mut probe, 0x1002), (1, [0x33, 0x5a], [0; 4]));
    assert_eq!(status(&mut probe, 0x1003), (1, [0x13, 0x56], [0; 4]));
    assert!(probe.segment.cut(2, false, 0, 1_000_000));
    assert_eq!(status(&mut probe, 0x1002), (1, [0x13, 0x56], [0, 1, 0, 0]));
    assert_eq!(status(&mut probe, 0x1003).0, 0);
    assert_eq!(probe.send(c::BRD, 0, 0, &mut [0]), 2);
    probe.now_ns += 1_000_000;
    assert_eq!(status(&mut probe, 0x1003), (1, [0x13, 0x56], [1, 0, 0, 0]));
    assert_eq!(status(&mut probe, 0x1002), (1, [0x33, 0x5a], [0, 1, 0, 0]));
    assert_eq!(probe.send(c::BRD, 0, 0, &mut [0]), 3);
}

#[test]
fn events_are_told_until_they_are_read() {
    let mut probe = three();
    let request = |probe: &mut Probe| {
        let mut data = [0; 2];
        probe.send(c::FPRD, 0x1001, 0x0210, &mut data);
        u16::from_le_bytes(data)
    };
    assert_eq!(request(&mut probe), 0);
    probe.send(c::FPWR, 0x1001, 0x0120, &mut [8, 0]);
    assert_eq!(request(&mut probe), 0x0008, "AL status");
    probe.send(c::FPRD, 0x1001, 0x0130, &mut [0; 2]);
    assert_eq!(request(&mut probe), 0);
    probe.segment.cut(1, false, 0, 20_000);
    probe.segment.advance(probe.now_ns);
    assert_eq!(request(&mut probe), 0x0004, "DL status");
    // Reported in every datagram that passes, where the mask has it.
    let events = |probe: &mut Probe| {
        let mut frame = crate::ethercat::frame::new();
        crate::ethercat::frame::push_datagram(&mut frame, c::FPRD, 0x1002, 0x0000, 1);
        assert!(probe.segment.process(&mut frame, probe.now_ns));
        u16::from_le_bytes([frame[24], frame[25]])
    };
    assert_eq!(events(&mut probe), 0);
    probe.send(c::FPWR, 0x1001, 0x0200, &mut [0x04, 0]);
    assert_eq!(events(&mut probe), 0x0004);
    probe.send(c::FPRD, 0x1001, 0x0110, &mut [0; 2]);
    assert_eq!(events(&mut probe), 0);
    // A full mailbox to the device: bit 8 for the PDI, bit 4 for the MainDevice.
    let mut both = [
        0, 0x10, 128, 0, 0x26, 0, 1, 0, 0x80, 0x10, 128, 0, 0x22, 0, 1, 0,
    ];
    probe.send(c::FPWR, 0x1001, 0x0800, &mut both);
    assert_eq!(probe.send(c::FPWR, 0x1001, 0x1000, &mut [0; 128]), 1);
    assert_eq!(request(&mut probe) & 0x0030, 0x0010);
    let mut al = [0; 4];
    probe.send(c::FPRD, 0x1001, 0x0220, &mut al);
    assert_eq!(al, [0, 1, 0, 0]);
}

#[test]
fn the_alias_answers_when_dl_control_says_so() {
    let mut description = Description::for_test("lift", 4, 4);
    description.eeprom[8..10].copy_from_slice(&0x0042_u16.to_le_bytes());
    description.eeprom[14] = sii_image::checksum(&description.eeprom[..14]);
    let mut probe = Probe::new(vec![Description::for_test("other", 4, 4), description]);
    probe.send(c::APWR, 0xffff, 0x0010, &mut [0x07, 0x10]);
    let mut byte = [0];
    assert_eq!(probe.send(c::FPRD, 0x0042, 0x0000, &mut byte), 0);
    // Bit 24 of DL control.
    assert_eq!(probe.send(c::BWR, 0, 0x0103, &mut [1]), 2);
    assert_eq!(probe.send(c::FPRD, 0x0042, 0x0012, &mut byte), 1);
    assert_eq!(byte, [0x42]);
    assert_eq!(probe.send(c::FPWR, 0x0042, 0x0f80, &mut [9]), 1);
    assert_eq!(probe.send(c::FPRD, 0x1007, 0x0f80, &mut byte), 1);
    assert_eq!(byte, [9]);
    assert_eq!(
        probe.send(c::FPRD, 0, 0x0000, &mut byte),
        1,
        "the other's own address is 0"
    );
    assert_eq!(probe.send(c::BWR, 0, 0x0103, &mut [0]), 2);
    assert_eq!(probe.send(c::FPRD, 0x0042, 0x0000, &mut byte), 0);
}

#[test]
fn multiple_write_reads_one_and_writes_the_others() {
    let mut probe = three();
    for (at, address) in [0x1001, 0x1002, 0x1003].into_iter().enumerate() {
        probe.send(c::FPWR, address, 0x0f80, &mut [at as u8 + 1]);
    }
    let mut byte = [0];
    // Auto-increment -1: the second is read; the first had what came in, the third has what it said.
    assert_eq!(probe.send(c::ARMW, 0xffff, 0x0f80, &mut byte), 3);
    assert_eq!(byte, [2]);
    let found = [0x1001, 0x1002, 0x1003].map(|address| {
        probe.send(c::FPRD, address, 0x0f80, &mut byte);
        byte[0]
    });
    assert_eq!(found, [0, 2, 2]);
}

#[test]
fn sync1_has_its_time() {
    let mut one = Probe::new(vec![terminal()]);
    let now: [u8; 8] = one.read(0x0910);
    let start = u64::from_le_bytes(now) + 1_000_000;
    one.write(0x0990, &start.to_le_bytes());
    let mut cycles = 500_000_u32.to_le_bytes().to_vec();
    cycles.extend_from_slice(&120_000_u32.to_le_bytes());
    one.write(0x09a0, &cycles);
    one.write(0x0981, &[7]);
    assert_eq!(one.read(0x0998), (start + 120_000).to_le_bytes());
    one.now_ns += 2_000_000;
    one.segment.advance(one.now_ns);
    let (next0, next1): ([u8; 8], [u8; 8]) = (one.read(0x0990), one.read(0x0998));
    let pending = u64::from_le_bytes(next0) - 500_000 + 120_000;
    assert_eq!(u64::from_le_bytes(next1), pending);
    assert_eq!(one.segment.al_state(0), Some((AlState::Init, false)));
}
