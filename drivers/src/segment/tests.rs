//! The segment as any master sees it: commands, working counters, byte ranges, mailboxes, clocks.

use super::testing::bench;
use super::*;
use crate::ethercat::frame::{self, DATAGRAM_OVERHEAD, command as c, working_counter};
use proptest::prelude::*;

const DATA: usize = frame::HEADERS + frame::DATAGRAM_HEADER;

/// A line of three at one moment.
struct Line {
    segment: Segment,
    now_ns: u64,
}

impl Line {
    fn new() -> Self {
        let (_, segment) = bench(&[(8, 12), (4, 6), (0, 3)], 1_000_000);
        Self {
            segment,
            now_ns: 5_000,
        }
    }

    /// Sends one datagram; returns its working counter, and its data in place.
    fn send(&mut self, command: u8, position: u16, offset: u16, data: &mut [u8]) -> u16 {
        let mut frame = frame::new();
        frame::push_datagram(&mut frame, command, position, offset, data.len());
        frame[DATA..DATA + data.len()].copy_from_slice(data);
        self.now_ns += 10_000;
        assert!(self.segment.process(&mut frame, self.now_ns));
        data.copy_from_slice(&frame[DATA..DATA + data.len()]);
        working_counter(&frame, DATA, data.len())
    }

    fn write(&mut self, address: u16, offset: u16, data: &[u8]) -> u16 {
        self.send(c::FPWR, address, offset, &mut data.to_vec())
    }

    fn read<const N: usize>(&mut self, address: u16, offset: u16) -> [u8; N] {
        let mut data = [0; N];
        assert_eq!(
            self.send(c::FPRD, address, offset, &mut data),
            1,
            "{offset:#06x}"
        );
        data
    }

    fn addressed() -> Self {
        let mut line = Self::new();
        for index in 0..3_u16 {
            let mut address = (0x1001 + index).to_le_bytes();
            assert_eq!(
                line.send(c::APWR, 0_u16.wrapping_sub(index), 0x0010, &mut address),
                1
            );
        }
        line
    }

    /// Mailboxes of the first SubDevice set up in one write, then PRE-OP.
    fn in_pre_op() -> Self {
        let mut line = Self::addressed();
        let both = [
            0, 0x10, 128, 0, 0x26, 0, 1, 0, 0x80, 0x10, 128, 0, 0x22, 0, 1, 0,
        ];
        assert_eq!(line.write(0x1001, 0x0800, &both), 1);
        line.write(0x1001, 0x0120, &[2, 0]);
        assert_eq!(line.read(0x1001, 0x0130), [2, 0, 0, 0, 0, 0]);
        line
    }
}

#[test]
fn every_command_counts_as_it_should() {
    let mut line = Line::addressed();
    let mut byte = [0];
    assert_eq!(line.send(c::BRD, 0, 0x0000, &mut byte), 3);
    assert_eq!(byte, [0x11]);
    assert_eq!(line.send(c::BWR, 0, 0x0010, &mut [0, 0]), 3);
    let mut line = Line::addressed();
    assert_eq!(line.send(c::APRD, 0xffff, 0x0010, &mut byte), 1);
    assert_eq!(byte, [0x02]);
    assert_eq!(line.send(c::FPRD, 0x1009, 0x0010, &mut byte), 0);
    assert_eq!(line.send(c::FPRW, 0x1002, 0x0f80, &mut [7]), 3);
    assert_eq!(line.send(c::APRW, 0xffff, 0x0f80, &mut byte), 3);
    assert_eq!(byte, [7]);
    assert_eq!(line.send(c::BRW, 0, 0x0f80, &mut [9]), 9);
    assert_eq!(line.send(c::NOP, 0, 0, &mut [0; 4]), 0);
    // One reads, the two others are written to.
    assert_eq!(line.send(c::FRMW, 0x1001, 0x0910, &mut [0; 8]), 3);
    assert_eq!(line.send(c::ARMW, 0, 0x0910, &mut [0; 8]), 3);
    assert_eq!(
        line.send(c::BRD, 0, 0x0b00, &mut byte),
        0,
        "a register that does not exist"
    );
    assert_eq!(
        line.send(c::BWR, 0, 0x0110, &mut byte),
        0,
        "a register that cannot be written"
    );
}

#[test]
fn positions_count_up_and_frames_are_marked_as_returned() {
    let mut line = Line::new();
    let mut frame = frame::new();
    frame::push_datagram(&mut frame, c::BRD, 0, 0x0130, 2);
    frame::push_datagram(&mut frame, c::APRD, 0xffff, 0x0130, 2);
    frame::push_datagram(&mut frame, c::FPRD, 0x1001, 0x0130, 2);
    assert!(line.segment.process(&mut frame, 0));
    let second = frame::HEADERS + DATAGRAM_OVERHEAD + 2;
    assert_eq!(frame[frame::HEADERS + 2..frame::HEADERS + 4], [3, 0]);
    assert_eq!(frame[second + 2..second + 4], [2, 0]);
    assert_eq!(working_counter(&frame, second + 10, 2), 1);
    assert_eq!(frame[6] & 0x02, 0x02);
}

#[test]
fn registers_take_any_length() {
    let mut line = Line::addressed();
    let mut offset_and_delay = [0; 12];
    offset_and_delay[..8].copy_from_slice(&77_u64.to_le_bytes());
    offset_and_delay[8..].copy_from_slice(&5_u32.to_le_bytes());
    assert_eq!(line.write(0x1002, 0x0920, &offset_and_delay), 1);
    assert_eq!(line.read(0x1002, 0x0920), offset_and_delay);
    assert_eq!(line.write(0x1002, 0x0920, &99_u64.to_le_bytes()), 1);
    assert_eq!(line.read::<1>(0x1002, 0x0928), [5]);
    // 32 bytes over all SyncManagers: what cannot be written stays.
    assert_eq!(line.write(0x1002, 0x0800, &[0xff; 32]), 1);
    assert_eq!(line.read::<1>(0x1002, 0x0805), [0]);
    assert_eq!(line.read::<6>(0x1002, 0x0000), [0x11, 0, 0, 0, 8, 4]);
    assert_eq!(line.read::<12>(0x1002, 0x0000)[8..], [0x0c, 0x01, 0, 0]);
}

#[test]
fn receive_times_show_where_each_stands() {
    let mut line = Line::addressed();
    assert_eq!(line.send(c::BWR, 0, 0x0900, &mut [0; 4]), 3);
    let mut loops = Vec::new();
    for address in 0x1001..=0x1003 {
        let ports: [u8; 8] = line.read(address, 0x0900);
        let port = |at: usize| u32::from_le_bytes(ports[at..at + 4].try_into().unwrap());
        loops.push(port(4).wrapping_sub(port(0)));
        let unit: [u8; 8] = line.read(address, 0x0918);
        assert_eq!(unit[..4], ports[..4]);
    }
    assert_eq!(loops[..2], [2_000, 1_000]);
}

#[test]
fn the_sii_is_read_eight_bytes_at_a_time() {
    let mut line = Line::addressed();
    line.write(0x1001, 0x0502, &[0, 1, 8, 0, 0, 0]);
    assert_eq!(line.read::<2>(0x1001, 0x0502), [0xc0, 0]);
    assert_eq!(
        line.read(0x1001, 0x0508),
        [0x0b, 0x0b, 0, 0, 0x34, 0x12, 0, 0]
    );
    // The device has taken the EEPROM: the command fails.
    line.write(0x1001, 0x0500, &[1]);
    line.write(0x1001, 0x0502, &[0, 1, 8, 0, 0, 0]);
    assert_eq!(line.read::<2>(0x1001, 0x0502), [0xc0, 0x20]);
    // An address beyond the EEPROM reads as empty.
    line.write(0x1001, 0x0500, &[0]);
    line.write(0x1001, 0x0502, &[0, 1, 0xff, 0xff, 0, 0]);
    assert_eq!(line.read(0x1001, 0x0508), [0xff; 8]);
}

/// An SDO upload of 0x1000 with a mailbox counter, as long as the mailbox.
fn upload(counter: u8) -> [u8; 128] {
    let mut request = [0; 128];
    request[..16].copy_from_slice(&[
        10,
        0,
        0,
        0,
        0,
        counter << 4 | 3,
        0,
        0x20,
        0x40,
        0x00,
        0x10,
        0,
        0,
        0,
        0,
        0,
    ]);
    request
}

#[test]
fn mailboxes_hand_over_one_message_at_a_time() {
    let mut line = Line::in_pre_op();
    assert_eq!(
        line.send(c::FPRD, 0x1001, 0x1080, &mut [0; 128]),
        0,
        "nothing to read yet"
    );
    assert_eq!(line.write(0x1001, 0x1000, &upload(1)), 1);
    assert_eq!(line.read(0x1001, 0x080d), [0x08]);
    // The next request waits until the answer is taken, the one after that is refused.
    assert_eq!(line.write(0x1001, 0x1000, &upload(2)), 1);
    assert_eq!(line.read(0x1001, 0x0805), [0x08]);
    assert_eq!(line.write(0x1001, 0x1000, &upload(3)), 0);
    let answer: [u8; 128] = line.read(0x1001, 0x1080);
    assert_eq!(
        answer[..16],
        [
            10, 0, 0, 0, 0, 0x13, 0, 0x30, 0x43, 0, 0x10, 0, 0x91, 0x01, 0, 0
        ]
    );
    let answer: [u8; 128] = line.read(0x1001, 0x1080);
    assert_eq!(answer[5], 0x23);
    assert_eq!(line.send(c::FPRD, 0x1001, 0x1080, &mut [0; 128]), 0);
    // Repeat request: the last answer again.
    line.write(0x1001, 0x080e, &[3]);
    assert_eq!(line.read(0x1001, 0x080f), [2]);
    let repeated: [u8; 128] = line.read(0x1001, 0x1080);
    assert_eq!(repeated, answer);
}

#[test]
fn states_refuse_what_is_not_configured() {
    let mut line = Line::addressed();
    line.write(0x1001, 0x0120, &[4, 0]);
    assert_eq!(line.read(0x1001, 0x0130), [0x11, 0, 0, 0, 0x11, 0]);
    line.write(0x1001, 0x0120, &[0x11, 0]);
    assert_eq!(line.read(0x1001, 0x0130), [1, 0, 0, 0, 0, 0]);
    line.write(0x1001, 0x0120, &[2, 0]);
    assert_eq!(line.read(0x1001, 0x0130), [0x11, 0, 0, 0, 0x16, 0]);

    let mut line = Line::in_pre_op();
    line.write(0x1001, 0x0120, &[4, 0]);
    assert_eq!(line.read(0x1001, 0x0130), [0x12, 0, 0, 0, 0x1d, 0]);
}

/// The first SubDevice in SAFE-OP with its outputs at logical 0x100 and its inputs at 0x108.
fn in_safe_op() -> Line {
    let mut line = Line::in_pre_op();
    line.write(0x1001, 0x0810, &[0x00, 0x11, 8, 0, 0x64, 0, 1, 0]);
    line.write(0x1001, 0x0818, &[0x00, 0x18, 12, 0, 0x20, 0, 1, 0]);
    line.write(
        0x1001,
        0x0600,
        &[0, 1, 0, 0, 8, 0, 0, 7, 0x00, 0x11, 0, 2, 1, 0, 0, 0],
    );
    line.write(
        0x1001,
        0x0610,
        &[8, 1, 0, 0, 12, 0, 0, 7, 0x00, 0x18, 0, 1, 1, 0, 0, 0],
    );
    line.write(0x1001, 0x0120, &[4, 0]);
    assert_eq!(line.read(0x1001, 0x0130), [4, 0, 0, 0, 0, 0]);
    line
}

#[test]
fn logical_access_counts_per_direction() {
    let mut line = in_safe_op();
    assert_eq!(line.send(c::LRW, 0x100, 0, &mut [1; 20]), 3);
    assert_eq!(line.send(c::LRD, 0x108, 0, &mut [0; 12]), 1);
    assert_eq!(line.send(c::LWR, 0x100, 0, &mut [2; 8]), 1);
    assert_eq!(line.send(c::LRD, 0x100, 0, &mut [0; 8]), 0);
    // A buffer is opened by its first byte; the rest of it follows then, and nobody else.
    assert_eq!(line.send(c::LRW, 0x104, 0, &mut [0; 4]), 0);
    assert_eq!(line.send(c::LRW, 0x100, 0, &mut [0; 4]), 2);
    assert_eq!(line.send(c::LRW, 0x104, 0, &mut [0; 4]), 2);
    assert_eq!(line.send(c::LRW, 0x200, 0, &mut [0; 4]), 0);
    // Without DC the frame itself is the event: outputs of one frame are in the next one's inputs.
    line.write(0x1001, 0x0120, &[8, 0]);
    line.send(c::LRW, 0x100, 0, &mut [5; 20]);
    assert_eq!(line.read(0x1001, 0x0130), [8, 0, 0, 0, 0, 0]);
    let mut data = [6; 20];
    line.send(c::LRW, 0x100, 0, &mut data);
    assert_eq!(data[8..16], [5; 8]);
}

#[test]
fn op_waits_for_outputs_and_gives_up() {
    let mut line = in_safe_op();
    line.write(0x1001, 0x0120, &[8, 0]);
    assert_eq!(line.read(0x1001, 0x0130), [4, 0, 0, 0, 0, 0]);
    line.now_ns += al::OP_TIMEOUT_NS;
    line.segment.advance(line.now_ns);
    assert_eq!(line.read(0x1001, 0x0130), [0x14, 0, 0, 0, 0x19, 0]);
}

#[test]
fn an_inputs_area_cannot_be_written_nor_outputs_read() {
    let mut line = in_safe_op();
    assert_eq!(line.write(0x1001, 0x1800, &[1, 2]), 0);
    assert_eq!(line.send(c::FPRD, 0x1001, 0x1100, &mut [0; 2]), 0);
    assert_eq!(line.write(0x1001, 0x1100, &[1, 2]), 1);
    assert_eq!(
        line.write(0x1001, 0x2000, &[1, 2]),
        1,
        "memory outside the SyncManagers is free"
    );
}

proptest! {
    /// Whatever comes off a wire, nothing panics, and only well-formed frames come back.
    #[test]
    fn arbitrary_frames_do_no_harm(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        keep_header in any::<bool>(),
    ) {
        let mut line = in_safe_op();
        let mut frame = bytes;
        if keep_header && frame.len() > 16 {
            frame[12..14].copy_from_slice(&[0x88, 0xa4]);
            let length = frame.len() - 16;
            frame[14] = length as u8;
            frame[15] = 0x10 | (length >> 8) as u8;
        }
        let well_formed = crate::frame::is_well_formed(&frame);
        prop_assert_eq!(line.segment.process(&mut frame, line.now_ns), well_formed);
    }

    /// Any single datagram to any place.
    #[test]
    fn arbitrary_datagrams_do_no_harm(
        command in 0_u8..16,
        position in prop_oneof![Just(0_u16), Just(0x1001), any::<u16>()],
        offset in any::<u16>(),
        data in prop::collection::vec(any::<u8>(), 1..64),
        steps in 0_u64..300_000_000,
    ) {
        let mut line = in_safe_op();
        let mut data = data;
        line.send(command, position, offset, &mut data);
        line.now_ns += steps;
        line.segment.advance(line.now_ns);
        line.send(c::LRW, 0x100, 0, &mut [0; 20]);
    }
}

#[test]
fn a_cable_that_is_pulled_before_the_first_cycle_in_op_is_out_at_once_and_comes_back() {
    use twinstep_config::fault::{BusFault, Fault, FaultKind};
    let mut line = Line::new();
    let fault = |at_ns| Fault {
        kind: FaultKind::Bus(BusFault::Cable { for_ns: 1_000_000 }),
        target: "dev1".into(),
        at_ns,
        ramp_ns: 0,
    };
    assert_eq!(line.send(c::BRD, 0, 0x0130, &mut [0; 2]), 3);
    // One whose time counts from OP waits for it.
    line.segment.inject_now(&fault(1)).unwrap();
    assert_eq!(line.send(c::BRD, 0, 0x0130, &mut [0; 2]), 3);
    line.segment.inject_now(&fault(0)).unwrap();
    assert_eq!(line.send(c::BRD, 0, 0x0130, &mut [0; 2]), 1);
    line.now_ns += 1_100_000;
    assert_eq!(line.send(c::BRD, 0, 0x0130, &mut [0; 2]), 3);
}
