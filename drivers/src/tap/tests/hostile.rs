//! Whatever is heard, nothing panics and nothing grows without bound.

use super::super::capture::CaptureFile;
use super::super::report::report;
use super::super::source::{FrameSource, MAX_CAPTURED, Next};
use super::{Script, run};
use crate::bus::{Bus, BusCause};
use crate::frame::HEADERS;
use proptest::prelude::*;
use std::path::PathBuf;

/// Bytes that often are EtherCAT.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    (prop::collection::vec(any::<u8>(), 0..120), any::<bool>()).prop_map(|(mut bytes, ethercat)| {
        if ethercat && bytes.len() > HEADERS + 12 {
            let length = bytes.len() - HEADERS;
            bytes[12..16].copy_from_slice(&[0x88, 0xa4, length as u8, 0x10 | (length >> 8) as u8]);
            bytes[16] %= 15;
            bytes[22] = (length - 12) as u8;
            bytes[23] = 0;
        }
        bytes
    })
}

fn read_to_the_end(bytes: &[u8], name: &str) -> Option<usize> {
    let path: PathBuf =
        std::env::temp_dir().join(format!("twinstep-{name}-{}", std::process::id()));
    std::fs::write(&path, bytes).unwrap();
    let mut frames = 0;
    let mut buffer = [0; MAX_CAPTURED];
    let source = CaptureFile::open(&path);
    let whole = source.ok().and_then(|mut source| {
        loop {
            match source.next(&mut buffer, 0) {
                Ok(Next::Frame(heard)) => {
                    assert!(heard.length <= buffer.len() && heard.length <= heard.wire_length);
                    frames += 1;
                }
                Ok(_) => return Some(frames),
                Err(_) => return None,
            }
        }
    });
    std::fs::remove_file(&path).unwrap();
    whole
}

proptest! {
    #[test]
    fn arbitrary_frames_are_counted(frames in prop::collection::vec(frame(), 0..40)) {
        // Each is heard twice, the second time as if it came back.
        let both = frames.iter().flat_map(|frame| {
            let mut back = frame.clone();
            if let Some(byte) = back.get_mut(6) {
                *byte |= 2;
            }
            [frame.clone(), back]
        });
        let script: Vec<_> = both.enumerate().map(|(at, frame)| (frame, at as u64)).collect();
        let heard = script.len() as u64;
        let found = report(&mut Script(script, 0)).unwrap();
        prop_assert_eq!(found.counts.frames, heard);
    }

    /// A run in which frames are changed, left out and doubled.
    #[test]
    fn a_disturbed_bus_goes_on_to_its_end(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..4, any::<prop::sample::Index>(), any::<u8>()), 1..30),
    ) {
        static RUN: std::sync::OnceLock<(twinstep_config::machine::Machine, Script)> = std::sync::OnceLock::new();
        let (machine, script) = RUN.get_or_init(|| {
            let run = run("disturbed");
            (run.machine, run.script)
        });
        let mut script = script.clone();
        for (place, kind, byte, value) in changes {
            let at = place.index(script.0.len());
            // A frame of which nothing is left can be changed no further.
            let length = script.0[at].0.len();
            match kind {
                0 => drop(script.0.remove(at)),
                1 => {
                    let copy = script.0[at].clone();
                    script.0.insert(at, copy);
                }
                _ if length == 0 => {}
                2 => script.0[at].0.truncate(byte.index(length)),
                _ => script.0[at].0[byte.index(length)] = value,
            }
        }
        let mut bus = super::TapBus::new(script, machine).unwrap();
        if bus.ready().is_ok() {
            let mut image = crate::object_map::Layout::new(machine).unwrap().image();
            let mut cycles = 0;
            while bus.exchange(&mut image, &mut || {}).map_err(|fault| fault.cause) != Err(BusCause::End) {
                cycles += 1;
                prop_assert!(cycles < 10_000);
            }
        }
    }

    #[test]
    fn arbitrary_files_are_refused_or_read(
        kind in 0_usize..5,
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let magic: [&[u8]; 5] = [
            &[0xd4, 0xc3, 0xb2, 0xa1],
            &[0xa1, 0xb2, 0x3c, 0x4d],
            &[0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a],
            &[0x0a, 0x0d, 0x0d, 0x0a, 0, 0, 0, 28, 0x1a, 0x2b, 0x3c, 0x4d],
            &[],
        ];
        let mut file = magic[kind].to_vec();
        file.extend_from_slice(&bytes);
        read_to_the_end(&file, "arbitrary");
    }
}

/// A pcapng file in this byte order with one frame of 15 bytes at 1.5 s: in an enhanced and a simple packet.
fn pcapng(big: bool) -> Vec<u8> {
    let u32s = |values: &[u32]| -> Vec<u8> {
        let bytes = |v: &u32| {
            if big {
                v.to_be_bytes()
            } else {
                v.to_le_bytes()
            }
        };
        values.iter().flat_map(bytes).collect()
    };
    let u16s = |values: &[u16]| -> Vec<u8> {
        let bytes = |v: &u16| {
            if big {
                v.to_be_bytes()
            } else {
                v.to_le_bytes()
            }
        };
        values.iter().flat_map(bytes).collect()
    };
    let block = |kind: u32, body: &[u8]| {
        let length = 12 + body.len().next_multiple_of(4) as u32;
        let mut block = u32s(&[kind, length]);
        block.extend_from_slice(body);
        block.resize(length as usize - 4, 0);
        block.extend(u32s(&[length]));
        block
    };
    let mut section = u32s(&[0x1a2b_3c4d]);
    section.extend(u16s(&[1, 0]));
    section.extend([0xff; 8]);
    let mut interface = u16s(&[1, 0]);
    interface.extend(u32s(&[0]));
    interface.extend(u16s(&[9, 1])); // resolution: milliseconds
    interface.extend([3, 0, 0, 0]);
    let mut packet = u32s(&[0, 0, 1500, 15, 90]);
    packet.extend([7; 15]);
    let mut simple = u32s(&[15]);
    simple.extend([7; 15]);
    let blocks = [
        block(0x0a0d_0d0a, &section),
        block(1, &interface),
        block(5, &[0; 12]), // statistics
        block(6, &packet),
        block(3, &simple),
    ];
    blocks.concat()
}

#[test]
fn both_byte_orders_are_read() {
    for big in [false, true] {
        let file = pcapng(big);
        let path = std::env::temp_dir().join(format!("twinstep-order-{}", std::process::id()));
        std::fs::write(&path, &file).unwrap();
        let mut source = CaptureFile::open(&path).unwrap();
        let mut buffer = [0; MAX_CAPTURED];
        let Next::Frame(heard) = source.next(&mut buffer, 0).unwrap() else {
            panic!("no frame")
        };
        assert_eq!(
            (heard.length, heard.wire_length, heard.time_ns),
            (15, 90, 1_500_000_000)
        );
        assert_eq!(buffer[..15], [7; 15]);
        assert!(
            matches!(source.next(&mut buffer, 0), Ok(Next::Frame(heard)) if heard.length == 15)
        );
        assert_eq!(source.next(&mut buffer, 0).unwrap(), Next::End);
        std::fs::remove_file(&path).unwrap();
    }
    // Cut anywhere, it is read as far as it goes.
    let file = pcapng(false);
    for length in 0..file.len() {
        let frames = read_to_the_end(&file[..length], "cut");
        assert!(frames.is_none_or(|frames| frames <= 2), "{length}");
    }
}
