use super::super::fixtures::press_cell;
use super::super::{Problem, RecordingBus};
use super::*;
use crate::bus::{Bus, BusCause, BusFault};
use crate::object_map::ObjectMap;
use std::collections::BTreeMap;
use std::path::Path;
use twinstep_models::sample::{CycleStamp, Missing};

const CYCLES: u64 = 300;

fn stamp(cycle: u64) -> CycleStamp {
    CycleStamp {
        cycle,
        time_ns: cycle * 1_000_000,
        dc_time_ns: 7 + cycle,
    }
}

fn checkpoint(part: u32) -> Checkpoint {
    Checkpoint {
        round: 1,
        cycle: 20 + u64::from(part),
        part,
        parts: 2,
        bytes: vec![3; 5],
    }
}

/// Writes a run whose chunks end every 50 cycles, with two failed exchanges.
fn write(path: &Path) -> Vec<u64> {
    let machine = press_cell();
    let description = Description {
        configuration: "[machine]\nname = \"cell\"\n".to_owned(),
        facts: BTreeMap::from([("plan".to_owned(), "abc".to_owned())]),
        checkpoints: Some("form 7".to_owned()),
    };
    let mut writer = McapWriter::create(path, &machine, &description).unwrap();
    let mut image = ObjectMap::new(&machine).unwrap().image();
    let mut flushed = vec![writer.bytes()];
    for cycle in 0..CYCLES {
        image.inputs.fill(cycle as u8);
        image.outputs.fill(!cycle as u8);
        image.valid.fill(Ok(()));
        let result = match cycle {
            10 => Err(BusFault {
                stamp: stamp(10),
                cause: BusCause::WorkingCounter {
                    expected: 3,
                    actual: 1,
                },
            }),
            11 => Err(BusFault {
                stamp: stamp(11),
                cause: BusCause::NoFrame,
            }),
            _ => Ok(stamp(cycle)),
        };
        if result.is_err() {
            image.valid.fill(Err(Missing::WorkingCounter));
        }
        writer.write(cycle, &stamp(cycle), &result, &image).unwrap();
        if cycle % 50 == 49 {
            writer.event(cycle, cycle, "{\"type\":\"event\"}").unwrap();
            writer.digest(cycle, cycle, cycle * 3).unwrap();
            writer.flush().unwrap();
            flushed.push(writer.bytes());
        }
    }
    writer.command(9, 9, "{}").unwrap();
    for part in 0..2 {
        writer.checkpoint(9, &checkpoint(part)).unwrap();
    }
    writer.finish(&BTreeMap::new()).unwrap();
    flushed
}

#[test]
fn whenever_it_is_killed_a_file_lacks_less_than_a_second_of_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("run.mcap"), folder.path().join("cut"));
    let machine = press_cell();
    let description = Description {
        configuration: String::new(),
        facts: BTreeMap::new(),
        checkpoints: None,
    };
    let mut writer = McapWriter::create(&path, &machine, &description).unwrap();
    let image = ObjectMap::new(&machine).unwrap().image();
    for cycle in 0..3000 {
        // Nobody calls `flush`: the time of the machine does it.
        let written = writer.write(cycle, &stamp(cycle), &Ok(stamp(cycle)), &image);
        written.unwrap();
        if cycle % 173 == 0 {
            std::fs::copy(&path, &copy).unwrap();
            let mut bus = RecordingBus::open(&copy, &machine);
            let mut read = 0;
            while let Ok(bus) = &mut bus
                && bus.exchange(&mut image.clone(), &mut || {}).is_ok()
            {
                read += 1;
            }
            // Of the first half second there may be nothing yet.
            let lacks_ns = (cycle + 1 - read) * 1_000_000;
            assert!(lacks_ns <= CHUNK_NS, "{read} of {cycle}");
        }
    }
    // From one to the next are 500 cycles and the one that is beyond.
    assert_eq!(writer.flushes(), 3000 / 501);
}

#[test]
fn what_was_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.mcap");
    write(&path);
    assert!(is_mcap(&path));
    let head = head(&path).unwrap();
    assert_eq!(head.facts["plan"], "abc");
    assert!(head.configuration.starts_with("[machine]"));
    let machine = press_cell();
    let mut bus = RecordingBus::open(&path, &machine).unwrap();
    let contents = bus.contents().unwrap();
    assert_eq!((contents.events.len(), contents.commands.len()), (6, 1));
    assert_eq!(contents.digests[1], (99, 297));
    assert_eq!(contents.checkpoints, [checkpoint(0), checkpoint(1)]);
    assert_eq!(contents.checkpoint_form.as_deref(), Some("form 7"));
    assert_eq!(
        (contents.cut.as_deref(), contents.end.is_some()),
        (None, true)
    );
    let mut image = bus.object_map().image();
    for cycle in 0..CYCLES {
        let result = bus.exchange(&mut image, &mut || {});
        match cycle {
            10 | 11 => assert_eq!(result.unwrap_err().stamp, stamp(cycle)),
            _ => {
                assert_eq!(result.unwrap(), stamp(cycle));
                assert!(image.inputs.iter().all(|byte| *byte == cycle as u8));
            }
        }
        assert!(image.outputs.iter().all(|byte| *byte == !cycle as u8));
    }
    let end = bus.exchange(&mut image, &mut || {}).unwrap_err();
    assert_eq!(end.cause, BusCause::End);
}

/// Rows that a file of these bytes still has; none where nothing can be told from it.
fn rows(folder: &Path, bytes: &[u8]) -> Option<usize> {
    let path = folder.join("cut.mcap");
    std::fs::write(&path, bytes).unwrap();
    match RecordingBus::open(&path, &press_cell()) {
        Ok(bus) => {
            assert!(bus.contents().unwrap().cut.is_some());
            Some(bus.rows())
        }
        Err(_) => None,
    }
}

#[test]
fn a_file_that_is_cut_anywhere_is_read_up_to_its_last_whole_chunk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.mcap");
    let flushed = write(&path);
    let bytes = std::fs::read(&path).unwrap();
    // A chunk is whole a little before what was flushed with it is: its index stands behind it.
    let check = |at: u64, seed: u64| {
        let chunks = flushed.iter().filter(|end| **end <= at).count().max(1) - 1;
        let found = rows(folder.path(), &bytes[..usize::try_from(at).unwrap()]).unwrap_or(0);
        let least = 50 * chunks;
        assert!(
            found == least || (found == least + 50 && chunks < 6),
            "seed {seed}, cut at {at}: {found} of at least {least} cycles"
        );
    };
    for boundary in &flushed {
        for at in [boundary - 1, *boundary, boundary + 1] {
            check(at, 0);
        }
    }
    // Every byte of a chunk in the middle, with all that stands beside it.
    for at in flushed[2]..=flushed[3] {
        check(at, 0);
    }
    let seed = u64::from(std::process::id());
    let mut random = seed;
    for _ in 0..60 {
        // Knuth's constants.
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        check((random >> 20) % (bytes.len() as u64 - 1), seed);
    }
}

#[test]
fn a_damaged_chunk_ends_what_is_read_and_strangers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.mcap");
    let flushed = write(&path);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = usize::try_from((flushed[2] + flushed[3]) / 2).unwrap();
    bytes[middle] ^= 0xff;
    assert_eq!(rows(folder.path(), &bytes), Some(100));
    for (name, bytes) in [
        ("no", &b"cycle,time"[..]),
        ("empty", b""),
        ("magic", ::mcap::MAGIC),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        assert!(head(&path).is_err(), "{name}");
    }
}

#[test]
fn another_machine_is_named_by_its_first_field() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.mcap");
    write(&path);
    let mut machine = press_cell();
    machine.bus.as_mut().unwrap().subdevices[0]
        .inputs
        .swap(0, 1);
    let error = RecordingBus::open(&path, &machine).unwrap_err().to_string();
    assert!(error.contains("another configuration"), "{error}");
}

#[test]
fn rows_that_take_more_memory_than_they_may_are_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.mcap");
    write(&path);
    let open = |max_bytes| RecordingBus::open_within(&path, &press_cell(), max_bytes);
    let whole = open(1 << 20).unwrap();
    assert_eq!(whole.rows() as u64, CYCLES);
    // The file holds them in less than that.
    let error = open(30_000).unwrap_err();
    assert!(
        matches!(error.problem(), Problem::OverBound { max_bytes: 30_000 }),
        "{error}"
    );
    assert!(error.remedy().contains("--recording"));
}
