//! A start-up as the IgH master makes it, access by access, and a drive that runs without a clock.
//!
//! Its accesses have lengths of their own: SII commands of four bytes that leave the high address alone, SII answers of ten, a
//! base of twelve, whole pages of FMMUs and SyncManagers, SYNC0 and SYNC1 cycle in one.

use super::plant::rig::press_cell;
use super::testing::Probe;
use super::*;
use crate::frame::command as c;

/// Station address of the SubDevice in front.
const STATION: u16 = 1;

fn cell() -> Probe {
    Probe {
        segment: Segment::new(&press_cell(), 1, 1).unwrap(),
        now_ns: 5_000,
    }
}

impl Probe {
    fn put(&mut self, offset: u16, data: &[u8]) {
        let counter = self.send(c::FPWR, STATION, offset, &mut data.to_vec());
        assert_eq!(counter, 1, "write of {} bytes to {offset:#06x}", data.len());
    }

    fn get<const N: usize>(&mut self, offset: u16) -> [u8; N] {
        let mut data = [0; N];
        let counter = self.send(c::FPRD, STATION, offset, &mut data);
        assert_eq!(counter, 1, "read of {N} bytes from {offset:#06x}");
        data
    }

    /// A word of the SII as the master reads it: two words an access.
    fn sii(&mut self, word: u16) -> u32 {
        let [low, high] = word.to_le_bytes();
        self.put(0x0502, &[0x80, 0x01, low, high]);
        let answer: [u8; 10] = self.get(0x0502);
        assert_eq!(answer[1] & 0xe0, 0, "busy or an error: {answer:02x?}");
        u32::from_le_bytes(answer[6..].try_into().unwrap())
    }

    fn change(&mut self, state: u8) {
        self.put(0x0120, &[state, 0]);
        let status: [u8; 2] = self.get(0x0130);
        if status[0] != state {
            let code: [u8; 2] = self.get(0x0134);
            panic!("{state}: {status:02x?}, {code:02x?}");
        }
    }

    /// INIT to SAFE-OP, with `clock` between the SyncManagers and SAFE-OP.
    fn start(&mut self, clock: impl Fn(&mut Self)) {
        assert_eq!(self.send(c::BRD, 0, 0x0130, &mut [0; 2]), 10);
        assert_eq!(self.send(c::BWR, 0, 0x0900, &mut [0]), 10);
        assert_eq!(self.send(c::APWR, 0, 0x0010, &mut STATION.to_le_bytes()), 1);
        self.get::<2>(0x0130);
        let base: [u8; 12] = self.get(0x0000);
        assert_eq!((base[0], base[4], base[5]), (0x11, 8, 4), "{base:02x?}");
        assert_ne!(base[8] & 0x0c, 0, "it has a clock of 64 bit");
        self.get::<8>(0x0910);
        self.get::<16>(0x0900);
        let link: [u8; 2] = self.get(0x0110);
        assert_eq!(link[0] & 0x10, 0x10, "somebody at port 0");
        self.put(0x0500, &[0]);
        assert_eq!(self.sii(0x08), 0x5457_494e, "vendor");
        assert_eq!(self.sii(0x0a), 0x0402, "product");
        // Categories up to the end.
        let mut at = 0x40;
        loop {
            let head = self.sii(at);
            if head as u16 == 0xffff {
                break;
            }
            at += 2 + (head >> 16) as u16;
            assert!(at < 0x400, "the categories have no end");
        }
        self.change(1);
        self.put(0x0600, &[0; 8 * 16]);
        self.put(0x0800, &[0; 4 * 8]);
        self.put(0x0980, &[0; 2]);
        let mailboxes = [
            0x00, 0x10, 0x80, 0x00, 0x26, 0, 1, 0, 0x80, 0x10, 0x80, 0x00, 0x22, 0, 1, 0,
        ];
        self.put(0x0800, &mailboxes);
        self.change(2);
        self.put(0x0400, &2498_u16.to_le_bytes());
        self.put(0x0420, &1000_u16.to_le_bytes());
        let process_data = [
            0x00, 0x11, 13, 0, 0x64, 0, 1, 0, 0x00, 0x18, 19, 0, 0x20, 0, 1, 0,
        ];
        self.put(0x0810, &process_data);
        let mut fmmus = [0; 32];
        fmmus[..13].copy_from_slice(&[0, 0, 0, 0, 13, 0, 0, 7, 0x00, 0x11, 0, 2, 1]);
        fmmus[16..29].copy_from_slice(&[13, 0, 0, 0, 19, 0, 0, 7, 0x00, 0x18, 0, 1, 1]);
        self.put(0x0600, &fmmus);
        clock(self);
        self.change(4);
    }

    /// One exchange, 1 ms after the last: outputs in, inputs out.
    fn exchange(&mut self, outputs: &[u8; 13]) -> [u8; 19] {
        let mut data = [0; 32];
        data[..13].copy_from_slice(outputs);
        self.now_ns += 990_000;
        assert_eq!(self.send(c::LRW, 0, 0, &mut data), 3);
        data[13..].try_into().unwrap()
    }

    /// Enables the drive and leads it 200 steps of 500 counts away; how far it got.
    fn lead(&mut self) -> i64 {
        let mut outputs = [0; 13];
        outputs[12] = 8;
        self.exchange(&outputs);
        self.change(8);
        let position = |inputs: &[u8; 19]| i32::from_le_bytes(inputs[2..6].try_into().unwrap());
        let mut inputs = self.exchange(&outputs);
        for word in [0x06, 0x07, 0x0f] {
            outputs[0] = word;
            for _ in 0..150 {
                outputs[2..6].copy_from_slice(&position(&inputs).to_le_bytes());
                inputs = self.exchange(&outputs);
            }
        }
        assert_eq!(inputs[0] & 0x6f, 0x27, "{inputs:02x?}");
        let start = position(&inputs);
        for step in 1..=300 {
            let target = start + 500 * step.min(200);
            outputs[2..6].copy_from_slice(&target.to_le_bytes());
            inputs = self.exchange(&outputs);
        }
        i64::from(position(&inputs) - start)
    }
}

#[test]
fn a_start_up_as_igh_makes_it() {
    let mut probe = cell();
    probe.start(|probe| {
        probe.put(0x0920, &[0; 8]);
        probe.put(0x0928, &[0; 4]);
        assert!(u32::from_le_bytes(probe.get(0x092c)) & 0x7fff_ffff < 1_000_000_000);
        let mut cycles = [0; 8];
        cycles[..4].copy_from_slice(&1_000_000_u32.to_le_bytes());
        probe.put(0x09a0, &cycles);
        let now = u64::from_le_bytes(probe.get(0x0910));
        probe.put(0x0990, &(now + 5_000_000).to_le_bytes());
        probe.put(0x0980, &0x0300_u16.to_le_bytes());
    });
    for _ in 0..10 {
        probe.exchange(&[0; 13]);
    }
    let way = probe.lead();
    assert!((way - 100_000).abs() < 3_000, "{way}");
}

#[test]
fn a_drive_without_a_clock_runs_with_the_frames() {
    let mut probe = cell();
    probe.start(|_| {});
    let way = probe.lead();
    assert!((way - 100_000).abs() < 3_000, "{way}");
}

#[test]
fn outputs_wait_for_sync1_and_their_shift() {
    // Mode of 0x1C32, its shift, SYNC1 after SYNC0 (ns); then the AL status of the request for SAFE-OP.
    for (mode, shift_ns, sync1_ns, status) in [
        (3_u16, 0_u32, 250_000_u32, (4, 0)),
        (2, 100_000, 0, (4, 0)),
        (2, 0, 0, (4, 0)),
        (3, 0, 0, (0x12, 0x30)),
    ] {
        let mut probe = Probe::new(vec![Description::for_test("dev", 8, 8)]);
        probe.write(0x0800, &[0x00, 0x10, 0x80, 0, 0x26, 0, 1, 0]);
        probe.write(0x0808, &[0x80, 0x10, 0x80, 0, 0x22, 0, 1, 0]);
        probe.write(0x0120, &[2, 0]);
        let mut download = |subindex: u8, data: &[u8]| {
            let mut mailbox = [0; 128];
            mailbox[..8].copy_from_slice(&[10, 0, 0, 0, 0, 0x13, 0, 0x20]);
            let command = 0x23 | ((4 - data.len()) as u8) << 2;
            mailbox[8..12].copy_from_slice(&[command, 0x32, 0x1c, subindex]);
            mailbox[12..12 + data.len()].copy_from_slice(data);
            probe.write(0x1000, &mailbox);
            assert_eq!(probe.read::<128>(0x1080)[8], 0x60);
        };
        download(1, &mode.to_le_bytes());
        download(3, &shift_ns.to_le_bytes());
        probe.write(0x0810, &[0x00, 0x11, 8, 0, 0x64, 0, 1, 0]);
        probe.write(0x0818, &[0x00, 0x18, 8, 0, 0x20, 0, 1, 0]);
        let mut cycles = [0; 8];
        cycles[..4].copy_from_slice(&1_000_000_u32.to_le_bytes());
        cycles[4..].copy_from_slice(&sync1_ns.to_le_bytes());
        probe.write(0x09a0, &cycles);
        let start = u64::from_le_bytes(probe.read(0x0910)) + 2_000_000;
        probe.write(0x0990, &start.to_le_bytes());
        let activation = if sync1_ns > 0 { 7 } else { 3 };
        probe.write(0x0981, &[activation]);
        probe.write(0x0120, &[4, 0]);
        let answered: [u8; 6] = probe.read(0x0130);
        assert_eq!((answered[0], answered[4]), status, "mode {mode}");
        if status.0 != 4 {
            continue;
        }
        // So long after `start` (ns, in system time).
        let wait = |probe: &mut Probe, until_ns: u64| {
            let now = u64::from_le_bytes(probe.read(0x0910));
            probe.now_ns += (start + until_ns).checked_sub(now).unwrap();
        };
        wait(&mut probe, 3_300_000);
        probe.write(0x1100, &[1; 8]);
        probe.write(0x0120, &[8, 0]);
        assert_eq!(probe.read::<1>(0x0130), [8]);
        wait(&mut probe, 5_500_000);
        assert_eq!(probe.read::<8>(0x1800)[0], 1);
        probe.write(0x1100, &[7; 8]);
        // A SYNC0 takes outputs before it latches inputs; what waits comes too late for that.
        wait(&mut probe, 6_500_000);
        let seen = probe.read::<8>(0x1800)[0];
        assert_eq!(
            seen,
            if shift_ns + sync1_ns > 0 { 1 } else { 7 },
            "mode {mode}"
        );
        wait(&mut probe, 7_500_000);
        assert_eq!(probe.read::<8>(0x1800)[0], 7);
    }
}
