//! SubDevices of other layouts than that of a drive: terminals without a mailbox, several SyncManagers, 16 channels.

use super::sii_image::SiiImage;
use super::testing::{Probe, terminal};
use super::*;
use crate::frame::command as c;

#[test]
fn an_image_tells_the_controller_that_it_was_made_from() {
    for mut description in [terminal(), Description::for_test("lift", 12, 14)] {
        let image = SiiImage::parse(&description.eeprom).unwrap();
        let back = Description::from_image(image).unwrap();
        // How many channels there are, no image tells.
        description.controller.sync_managers = back.controller.sync_managers;
        assert_eq!(back.controller, description.controller);
        assert_eq!(back.eeprom, description.eeprom);
        // Empty PDOs, for whoever wants to map something, stand in the dictionary only.
        for pdos in [&mut description.rx_pdos, &mut description.tx_pdos] {
            pdos.retain(|pdo| !pdo.entries.is_empty());
        }
        assert_eq!(
            (back.rx_pdos, back.tx_pdos),
            (description.rx_pdos, description.tx_pdos)
        );
    }
}

#[test]
fn a_terminal_goes_to_op_as_it_is_told() {
    let mut one = Probe::new(vec![terminal()]);
    assert_eq!(one.read(0x0000), [0x12, 0, 0, 0, 3, 4, 8, 0x0a]);
    assert_eq!(one.read(0x0140), [0x04, 0x01]);
    // AL control is copied, without conditions; what is no state is not.
    for state in [2, 4, 8, 1, 8] {
        one.write(0x0120, &[state | 0x10, 0]);
        assert_eq!(one.read(0x0130), [state, 0, 0, 0, 0, 0]);
    }
    one.write(0x0120, &[5, 0]);
    assert_eq!(one.read(0x0130), [8, 0]);
    // It has no mailbox that would swallow or refuse anything.
    assert_eq!(one.write(0x1000, &[1; 128]), 1);
    assert_eq!(one.read::<128>(0x1000), [1; 128]);
}

#[test]
fn channels_that_a_controller_lacks_do_not_exist() {
    let mut one = Probe::new(vec![terminal()]);
    assert_eq!(one.write(0x0620, &[0; 16]), 1);
    assert_eq!(one.send(c::APRD, 0, 0x0630, &mut [0; 16]), 0);
    assert_eq!(one.write(0x0630, &[0; 16]), 0);
    assert_eq!(one.write(0x0820, &[0; 8]), 0);
    assert_eq!(one.write(0x0818, &[0; 8]), 1);
    // A broadcast that clears all sixteen counts once.
    assert_eq!(one.send(c::BWR, 0, 0x0600, &mut [0; 256]), 1);
    let mut all = terminal();
    all.controller.fmmus = 16;
    all.controller.sync_managers = 16;
    let mut one = Probe::new(vec![all]);
    assert_eq!(one.write(0x06f0, &[0; 16]), 1);
    assert_eq!(one.write(0x0878, &[0; 8]), 1);
    assert_eq!(one.read::<2>(0x0004), [16, 16]);
}

#[test]
fn outputs_of_several_sync_managers_are_one() {
    let mut one = Probe::new(vec![terminal()]);
    one.write(0x0800, &[0x00, 0x0f, 1, 0, 0x44, 0, 1, 0]);
    one.write(0x0808, &[0x01, 0x0f, 1, 0, 0x44, 0, 1, 0]);
    one.write(0x0810, &[0x00, 0x10, 2, 0, 0x20, 0, 1, 0]);
    // Twelve bits of outputs at bit 4 of logical 0x100 and on, inputs behind them.
    one.write(
        0x0600,
        &[0, 1, 0, 0, 2, 0, 4, 7, 0x00, 0x0f, 0, 2, 1, 0, 0, 0],
    );
    one.write(
        0x0610,
        &[2, 1, 0, 0, 2, 0, 0, 7, 0x00, 0x10, 0, 1, 1, 0, 0, 0],
    );
    one.write(0x0120, &[8, 0]);
    let mut data = [0xaf, 0x5b, 0, 0];
    assert_eq!(one.send(c::LRW, 0x100, 0, &mut data), 3);
    // Write-only areas are not read; the firmware of the test returns its outputs a frame later.
    assert_eq!(one.send(c::APRD, 0, 0x0f00, &mut [0; 2]), 0);
    assert_eq!(one.send(c::LRW, 0x100, 0, &mut data), 3);
    assert_eq!(
        data[2], 0xba,
        "the first output byte: bits 4 to 11 of what was sent"
    );
}

#[test]
fn a_terminal_without_frames_drops_its_outputs_and_stays_in_op() {
    let mut one = Probe::new(vec![terminal()]);
    one.write(0x0800, &[0x00, 0x0f, 1, 0, 0x44, 0, 1, 0]);
    one.write(0x0808, &[0x01, 0x0f, 1, 0, 0x44, 0, 1, 0]);
    one.write(0x0120, &[8, 0]);
    assert_eq!(one.write(0x0f00, &[1]), 1);
    assert_eq!(one.read(0x0440), [1]);
    one.now_ns += 150_000_000;
    one.segment.advance(one.now_ns);
    assert_eq!(one.read(0x0440), [0, 0, 1]);
    assert_eq!(one.read(0x0130), [8, 0]);
}

#[test]
fn a_mailbox_of_1024_bytes_carries_a_long_object_at_once() {
    let mut description = Description::for_test("big", 4, 4);
    let boxes = super::sii_image::Mailboxes {
        receive_start: 0x1800,
        receive_bytes: 1024,
        send_start: 0x1c00,
        send_bytes: 1024,
    };
    description.controller.mailboxes = Some(boxes);
    let mut one = Probe::new(vec![description]);
    let both = [0, 0x18, 0, 4, 0x26, 0, 1, 0, 0, 0x1c, 0, 4, 0x22, 0, 1, 0];
    assert_eq!(one.write(0x0800, &both), 1);
    one.write(0x0120, &[2, 0]);
    assert_eq!(one.read(0x0130), [2, 0]);
    // A download of 300 bytes into 0x2000, then the upload of it: one message each.
    let mut request = [0; 1024];
    request[..16].copy_from_slice(&[54, 1, 0, 0, 0, 0x13, 0, 0x20, 0x21, 0, 0x20, 0, 44, 1, 0, 0]);
    request[16..316].fill(0x5a);
    request[0..2].copy_from_slice(&310_u16.to_le_bytes());
    assert_eq!(one.write(0x1800, &request), 1);
    let answer: [u8; 1024] = one.read(0x1c00);
    assert_eq!(answer[8], 0x60);
    let mut request = [0; 1024];
    request[..16].copy_from_slice(&[10, 0, 0, 0, 0, 0x23, 0, 0x20, 0x40, 0, 0x20, 0, 0, 0, 0, 0]);
    assert_eq!(one.write(0x1800, &request), 1);
    let answer: [u8; 1024] = one.read(0x1c00);
    assert_eq!(answer[..2], 310_u16.to_le_bytes());
    assert_eq!(answer[16..316], [0x5a; 300]);
}
