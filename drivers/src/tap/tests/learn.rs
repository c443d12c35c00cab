//! What is learnt from registers, EEPROM and SDOs, message by message.

use super::super::exchange::Exchange;
use super::super::learn::{Learner, MAX_OBJECT_BYTES, MAX_STATIONS, Station};
use crate::frame::command as c;

const ADDRESS: u16 = 0x1001;
const TO_DEVICE: u16 = 0x1000;
const FROM_DEVICE: u16 = 0x1080;

/// One SubDevice at the second place of the ring, with mailboxes of 128 bytes.
struct Desk(Learner);

impl Desk {
    fn new() -> Self {
        let mut desk = Self(Learner::default());
        // The second place: positions count up from minus one.
        desk.take(c::APWR, 0xffff, 0x0010, &ADDRESS.to_le_bytes(), &[0; 2]);
        let managers = [
            0x00, 0x10, 128, 0, 0x26, 0, 1, 0, 0x80, 0x10, 128, 0, 0x22, 0, 1, 0,
        ];
        desk.take(c::FPWR, ADDRESS, 0x0800, &managers, &[0; 16]);
        desk
    }

    fn take(&mut self, command: u8, position: u16, offset: u16, sent: &[u8], back: &[u8]) {
        self.0.take(&Exchange {
            command,
            position,
            offset,
            sent,
            back,
            counter: 1,
        });
    }

    fn station(&self) -> &Station {
        &self.0.stations()[0]
    }

    fn ask(&mut self, sdo: &[u8]) {
        let message = message(2, sdo);
        self.take(c::FPWR, ADDRESS, TO_DEVICE, &message, &message);
    }

    fn answer(&mut self, service: u8, sdo: &[u8]) {
        let empty = [0; 128];
        self.take(
            c::FPRD,
            ADDRESS,
            FROM_DEVICE,
            &empty,
            &message(service, sdo),
        );
    }

    fn object(&self, index: u16, subindex: u8) -> Option<&[u8]> {
        self.station().mailbox.object(index, subindex)
    }
}

/// A CoE message in a mailbox of 128 bytes.
fn message(service: u8, sdo: &[u8]) -> Vec<u8> {
    let mut message = ((sdo.len() + 2) as u16).to_le_bytes().to_vec();
    message.extend([0, 0, 0, 0x13, 0, service << 4]);
    message.extend(sdo);
    message.resize(128, 0);
    message
}

#[test]
fn expedited_and_normal_uploads_are_taken() {
    let mut desk = Desk::new();
    assert_eq!(
        (desk.station().address, desk.station().position),
        (ADDRESS, Some(1))
    );
    desk.ask(&[0x40, 0x12, 0x1c, 0, 0, 0, 0, 0]);
    desk.answer(3, &[0x4f, 0x12, 0x1c, 0, 1, 0, 0, 0]);
    desk.ask(&[0x40, 0x08, 0x10, 0, 0, 0, 0, 0]);
    desk.answer(
        3,
        &[
            0x41, 0x08, 0x10, 0, 5, 0, 0, 0, b'p', b'r', b'e', b's', b's',
        ],
    );
    assert_eq!(desk.object(0x1c12, 0), Some(&[1][..]));
    assert_eq!(desk.station().mailbox.name().as_deref(), Some("press"));
    assert_eq!(desk.station().mailbox.transfers, 2);
}

#[test]
fn segments_are_put_together_and_repeated_ones_left_out() {
    let mut desk = Desk::new();
    desk.ask(&[0x40, 0x08, 0x10, 0, 0, 0, 0, 0]);
    desk.answer(3, &[0x41, 0x08, 0x10, 0, 12, 0, 0, 0, b'a', b'b', b'c']);
    assert_eq!(desk.object(0x1008, 0), None, "it is not complete");
    desk.ask(&[0x60, 0, 0, 0, 0, 0, 0, 0]);
    desk.answer(3, &[0x00, b'd', b'e', b'f', b'g', b'h', b'i', b'j']);
    desk.answer(3, &[0x00, b'd', b'e', b'f', b'g', b'h', b'i', b'j']);
    // An emergency in the middle is none of its business.
    desk.answer(1, &[0; 8]);
    desk.ask(&[0x70, 0, 0, 0, 0, 0, 0, 0]);
    desk.answer(3, &[0x1b, b'k', b'l', 0, 0, 0, 0, 0]); // the last, five bytes unused
    assert_eq!(desk.object(0x1008, 0), Some(&b"abcdefghijkl"[..]));
    assert_eq!(desk.station().mailbox.emergencies, 1);
}

#[test]
fn downloads_count_once_they_are_confirmed() {
    let mut desk = Desk::new();
    let pdo = [0x23, 0x00, 0x16, 1, 0x10, 0x00, 0x40, 0x60];
    desk.ask(&pdo);
    desk.answer(3, &[0x80, 0x00, 0x16, 1, 0x22, 0, 0, 0x08]); // refused
    assert_eq!(
        (desk.object(0x1600, 1), desk.station().mailbox.aborts),
        (None, 1)
    );
    desk.ask(&pdo);
    desk.answer(3, &[0x60, 0x00, 0x16, 2, 0, 0, 0, 0]); // another object
    assert_eq!(desk.object(0x1600, 1), None);
    desk.answer(3, &[0x60, 0x00, 0x16, 1, 0, 0, 0, 0]);
    assert_eq!(desk.object(0x1600, 1), Some(&pdo[4..]));
    // In segments: nine bytes, of which the first message has two.
    desk.ask(&[0x21, 0x08, 0x10, 0, 9, 0, 0, 0, b'a', b'b']);
    desk.answer(3, &[0x60, 0x08, 0x10, 0, 0, 0, 0, 0]);
    desk.ask(&[0x01, b'c', b'd', b'e', b'f', b'g', b'h', b'i']);
    assert_eq!(desk.object(0x1008, 0), None);
    desk.answer(3, &[0x20, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(desk.object(0x1008, 0), Some(&b"abcdefghi"[..]));
}

#[test]
fn complete_access_fills_every_subindex() {
    let mut desk = Desk::new();
    // 0x1A00 with two entries of four bytes, then 0x1C13 with one of two.
    desk.ask(&[0x50, 0x00, 0x1a, 0, 0, 0, 0, 0]);
    let pdo = [2, 0, 0x10, 0, 0x41, 0x60, 0x20, 0, 0x64, 0x60];
    desk.answer(3, &[&[0x41, 0x00, 0x1a, 0, 10, 0, 0, 0][..], &pdo].concat());
    desk.ask(&[0x50, 0x13, 0x1c, 0, 0, 0, 0, 0]);
    desk.answer(3, &[0x43, 0x13, 0x1c, 0, 1, 0, 0x00, 0x1a]);
    assert_eq!(
        desk.station().process_objects(3, true),
        [(0x6041, 0, 16), (0x6064, 0, 32)]
    );
    // Without an assignment and without an SII nothing is claimed.
    assert_eq!(desk.station().process_objects(2, false), []);
}

#[test]
fn an_object_that_never_ends_is_bounded() {
    let mut desk = Desk::new();
    desk.ask(&[0x40, 0x08, 0x10, 0, 0, 0, 0, 0]);
    desk.answer(3, &[0x41, 0x08, 0x10, 0, 0xff, 0xff, 0xff, 0x7f, b'a']);
    for turn in 0..100 {
        let toggle = if turn % 2 == 0 { 0x00 } else { 0x10 };
        desk.answer(3, &[&[toggle][..], &[b'x'; 100]].concat());
    }
    desk.answer(3, &[0x01, b'y', b'y', b'y', b'y', b'y', b'y', b'y']);
    assert_eq!(
        desk.object(0x1008, 0).map(<[u8]>::len),
        Some(MAX_OBJECT_BYTES)
    );
}

#[test]
fn the_eeprom_is_read_word_by_word() {
    let mut desk = Desk::new();
    let mut read = |control: u16, address: u32, data: &[u8]| {
        let mut request = vec![0, 1];
        request.extend(address.to_le_bytes());
        desk.take(c::FPWR, ADDRESS, 0x0502, &request, &request);
        desk.take(c::FPRD, ADDRESS, 0x0502, &[0; 2], &control.to_le_bytes());
        desk.take(c::FPRD, ADDRESS, 0x0508, &[0; 8], data);
    };
    read(0x0040, 0x08, &[2, 0, 0, 0, 0x52, 0x30, 0x0c, 0x0b]);
    // Busy: what stands there is not the answer.
    read(0x8040, 0x0c, &[9; 8]);
    // A device that reads four bytes at a time: the rest of eight means nothing.
    read(0x0000, 0x0c, &[1, 0, 0, 0, 9, 9, 9, 9]);
    let sii = &desk.station().sii;
    assert_eq!(
        (sii.vendor_id(), sii.product_code()),
        (Some(2), Some(0x0b0c_3052))
    );
    assert_eq!((sii.revision(), sii.serial()), (Some(1), None));
    assert_eq!(sii.name(), None);
    assert_eq!(sii.pdos(), []);
}

#[test]
fn addresses_follow_the_master_and_are_bounded() {
    let mut desk = Desk::new();
    // Another master names the same place anew; what it says by the new address is the same SubDevice.
    desk.take(c::APWR, 0xffff, 0x0010, &[0x05, 0x20], &[0; 2]);
    desk.take(c::FPRD, 0x2005, 0x0130, &[0; 6], &[0x14, 0, 0, 0, 0x1b, 0]);
    assert_eq!(desk.0.stations().len(), 1);
    assert_eq!(desk.station().al, Some((0x14, 0x001b)));
    desk.take(c::BRD, 0, 0x0130, &[0; 2], &[8, 0]);
    assert_eq!(desk.station().al, Some((8, 0)));
    for address in 0..1000 {
        desk.take(c::FPRD, address, 0x0130, &[0; 2], &[2, 0]);
    }
    assert_eq!(desk.0.stations().len(), MAX_STATIONS);
    assert!(desk.0.dropped > 0);
}

#[test]
fn sync0_counts_where_it_is_switched_on() {
    let mut desk = Desk::new();
    desk.take(
        c::FPWR,
        ADDRESS,
        0x09a0,
        &1_000_000_u32.to_le_bytes(),
        &[0; 4],
    );
    assert_eq!(desk.station().sync0_ns(), None);
    desk.take(c::FPWR, ADDRESS, 0x0981, &[0x03], &[0]);
    assert_eq!(desk.station().sync0_ns(), Some(1_000_000));
    desk.take(c::FRMW, ADDRESS, 0x0910, &[0; 8], &[1; 8]);
    assert_eq!(desk.0.reference_clock, Some(ADDRESS));
}
