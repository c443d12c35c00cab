use super::super::fixtures::{emps, press_cell};
use super::super::*;
use super::{Scratch, open_error};
use crate::bus::{Bus, BusCause, BusFault, ProcessImage};
use crate::conformance::bus_conformance;
use crate::object_map::{AxisCommand, ObjectMap, mode};
use proptest::prelude::*;
use std::fs;
use twinstep_models::sample::{CycleStamp, Missing};

type Row = (CycleStamp, Result<CycleStamp, BusFault>, ProcessImage);

/// What a run is: the inputs of a failed exchange are those of the one before.
fn run(seeds: &[(u8, Vec<u8>)]) -> Vec<Row> {
    let map = ObjectMap::new(&press_cell()).unwrap();
    let mut image = map.image();
    let mut rows = Vec::new();
    for (cycle, (kind, bytes)) in seeds.iter().enumerate() {
        let stamp = CycleStamp {
            cycle: cycle as u64,
            time_ns: cycle as u64 * 1_000_000,
            dc_time_ns: u64::from_le_bytes(bytes[..8].try_into().unwrap()),
        };
        let cause = match kind % 8 {
            0 => Some(BusCause::NoFrame),
            1 => Some(BusCause::WorkingCounter {
                expected: 12,
                actual: u16::from(bytes[0]),
            }),
            2 => Some(BusCause::Gap),
            3 => Some(BusCause::Segment),
            _ => None,
        };
        let result = match cause {
            None => Ok(stamp),
            Some(cause) => Err(BusFault { stamp, cause }),
        };
        let mut source = bytes.iter().copied().cycle();
        image.outputs.fill_with(|| source.next().unwrap());
        if cause.is_none() {
            image.inputs.fill_with(|| source.next().unwrap());
        }
        for valid in &mut image.valid {
            let code = source.next().unwrap() % 7;
            *valid = match Missing::ALL.iter().find(|missing| **missing as u8 == code) {
                Some(missing) => Err(*missing),
                None => Ok(()),
            };
        }
        image.recipe = bytes[1];
        image.part = bytes[2];
        rows.push((stamp, result, image.clone()));
    }
    rows
}

fn record(rows: &[Row]) -> Scratch {
    let file = Scratch::new();
    let mut writer = Writer::create(&file, &press_cell()).unwrap();
    for (stamp, result, image) in rows {
        writer.write(stamp, result, image).unwrap();
    }
    writer.finish().unwrap();
    file
}

fn same(a: &ProcessImage, b: &ProcessImage) -> bool {
    a.outputs == b.outputs
        && a.inputs == b.inputs
        && a.valid == b.valid
        && (a.recipe, a.part) == (b.recipe, b.part)
}

fn good_rows(count: usize) -> Vec<Row> {
    let seeds: Vec<_> = (0..count).map(|cycle| (7, vec![cycle as u8; 32])).collect();
    let mut rows = run(&seeds);
    for (_, _, image) in &mut rows {
        image.valid.fill(Ok(()));
    }
    rows
}

fn good_text(count: usize) -> String {
    fs::read_to_string(record(&good_rows(count))).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_run_comes_back_bit_for_bit(
        seeds in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 32)), 1..30),
    ) {
        let rows = run(&seeds);
        let file = record(&rows);
        let mut bus = RecordingBus::open(&file, &press_cell()).unwrap();
        let mut image = bus.object_map().image();
        for (_, result, recorded) in &rows {
            let mut ran = 0;
            let replayed = bus.exchange(&mut image, &mut || ran += 1);
            prop_assert_eq!(&replayed, result);
            prop_assert_eq!(ran, 1);
            prop_assert!(same(&image, recorded));
        }
        let end = bus.exchange(&mut image, &mut || ()).unwrap_err();
        prop_assert_eq!(end.cause, BusCause::End);

        // Recording the replay gives the same file.
        let again = Scratch::new();
        bus.rewind();
        let writer = Writer::create(&again, &press_cell()).unwrap();
        let mut recorder = Recorder::new(bus, writer);
        let mut image = ObjectMap::new(&press_cell()).unwrap().image();
        for _ in 0..=rows.len() {
            let _ = recorder.exchange(&mut image, &mut || ());
        }
        recorder.finish().1.unwrap();
        prop_assert_eq!(fs::read(&file).unwrap(), fs::read(&again).unwrap());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), with_header in 0..3) {
        let mut content = match with_header {
            0 => Vec::new(),
            1 => b"time_s,reference_m,position_m,drive_v\n".to_vec(),
            _ => good_text(1).into_bytes(),
        };
        content.extend(bytes);
        let file = Scratch::with(content);
        for machine in [press_cell(), emps()] {
            let _ = RecordingBus::open(&file, &machine);
        }
    }

    #[test]
    fn any_cut_is_found_or_harmless(cut in 0.0..1.0_f64) {
        let whole = good_text(6);
        let cut = (whole.len() as f64 * cut) as usize;
        let file = Scratch::with(&whole[..cut]);
        match RecordingBus::open(&file, &press_cell()) {
            // A cut between two lines leaves complete rows.
            Ok(bus) => prop_assert_eq!(bus.rows() + 1, whole[..cut].lines().count()),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}

#[test]
fn the_replay_of_a_run_conforms() {
    let file = record(&good_rows(50));
    let mut bus = RecordingBus::open(&file, &press_cell()).unwrap();
    let mut image = bus.object_map().image();
    let report = bus_conformance(&mut bus, &mut image, 100, true).unwrap();
    assert_eq!((report.good, report.faults, report.ended), (50, 0, true));
}

#[test]
fn dropped_rows_are_gaps() {
    let text = good_text(10);
    let cut: Vec<&str> = (text.lines().enumerate())
        .filter(|(line, _)| !(4..=6).contains(line))
        .map(|(_, line)| line)
        .collect();
    let file = Scratch::with(cut.join("\n") + "\n");
    let mut bus = RecordingBus::open(&file, &press_cell()).unwrap();
    assert_eq!((bus.rows(), bus.cycles()), (7, 10));
    let missing = MissingCycles {
        first: 3,
        last: 5,
        count: 3,
    };
    assert_eq!(bus.missing(), Some(missing));
    let mut image = bus.object_map().image();
    let report = bus_conformance(&mut bus, &mut image, 100, true).unwrap();
    assert_eq!((report.good, report.faults, bus.gaps()), (7, 3, 3));

    bus.rewind();
    for cycle in 0..10 {
        let result = bus.exchange(&mut image, &mut || ());
        if (3..=5).contains(&cycle) {
            let fault = result.unwrap_err();
            assert_eq!((fault.cause, fault.stamp.cycle), (BusCause::Gap, cycle));
            assert_eq!(fault.stamp.time_ns, cycle * 1_000_000);
            assert_eq!(image.valid[0], Err(Missing::Gap));
        } else {
            assert_eq!(result.unwrap().cycle, cycle);
        }
    }
}

#[test]
fn a_recording_of_another_machine_is_refused() {
    let file = record(&good_rows(2));
    let mut machine = press_cell();
    machine.bus.as_mut().unwrap().subdevices[1].outputs.pop();
    let error = RecordingBus::open(&file, &machine).unwrap_err();
    assert!(
        matches!(error.problem(), Problem::OtherMachine { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("y.0x6060"), "{error}");

    let error = RecordingBus::open(&file, &emps()).unwrap_err();
    assert!(matches!(error.problem(), Problem::NoBus), "{error}");

    let mut machine = press_cell();
    machine.cycle.period_ns = 2_000_000;
    let error = RecordingBus::open(&file, &machine).unwrap_err();
    assert!(
        matches!(error.problem(), Problem::Uneven { own: true, .. }),
        "{error}"
    );

    let newer = good_text(1).replace("twinstep_recording_v1", "twinstep_recording_v2");
    let error = open_error(newer, &press_cell());
    assert!(
        matches!(error.problem(), Problem::Version { .. }),
        "{error}"
    );
}

#[test]
fn bad_rows_are_named_by_line_and_column() {
    let text = good_text(4);
    let lines: Vec<&str> = text.lines().collect();
    let with = |line: usize, cell: usize, value: &str| {
        let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let mut cells: Vec<&str> = lines[line].split(',').collect();
        cells[cell] = value;
        lines[line] = cells.join(",");
        lines.join("\n") + "\n"
    };
    for (cell, value, column) in [
        (0, "-1", "cycle"),
        (0, "0", "cycle"),
        (1, "0", "time_ns"),
        (1, "x", "time_ns"),
        (3, "fine", "bus"),
        (3, "working_counter:3", "bus"),
        (3, "working_counter:3:65536", "bus"),
        (4, "vvv", "valid"),
        (4, "vvvz", "valid"),
        (5, "256", "recipe"),
        (7, "1", "twinstep_recording_v1"),
        (8, "", "x.0x6040"),
        (8, "65536", "x.0x6040"),
        (8, "-1", "x.0x6040"),
        (9, "1.5", "x.0x607a"),
        (9, "2147483648", "x.0x607a"),
        (14, "NaN", "x.0x6064"),
    ] {
        let error = open_error(with(3, cell, value), &press_cell());
        assert_eq!(error.line(), Some(4), "{error}");
        assert_eq!(error.column(), Some(column), "{error}");
    }
    // The exchange failed, but there are inputs.
    let error = open_error(with(2, 3, "no_frame"), &press_cell());
    assert_eq!((error.line(), error.column()), (Some(3), Some("x.0x6041")));

    let error = open_error(format!("{}\n{}\n", lines[0], "0,0,0,ok"), &press_cell());
    assert!(
        matches!(error.problem(), Problem::Cells { actual: 4, .. }),
        "{error}"
    );
    assert_eq!(error.line(), Some(2));
    let error = open_error(text.trim_end(), &press_cell());
    assert!(matches!(error.problem(), Problem::Truncated), "{error}");
    assert_eq!(error.line(), Some(5));
    let error = open_error(with(4, 0, "99999999"), &press_cell());
    assert!(
        matches!(error.problem(), Problem::GapTooLong { .. }),
        "{error}"
    );
    let error = open_error(with(4, 0, "18446744073709551615"), &press_cell());
    assert!(
        matches!(error.problem(), Problem::GapTooLong { .. }),
        "{error}"
    );
}

#[test]
fn what_is_no_recording_is_refused() {
    let machine = emps();
    let error = open_error("", &machine);
    assert!(matches!(error.problem(), Problem::Empty), "{error}");
    let error = open_error("\n\n", &machine);
    assert!(matches!(error.problem(), Problem::Empty), "{error}");
    let error = open_error("time_s,reference_m,position_m,drive_v\n", &machine);
    assert!(matches!(error.problem(), Problem::NoRows), "{error}");
    let error = open_error(b"\x7fELF\x02\x01\x01\0\0\0\nabc\n", &machine);
    assert!(matches!(error.problem(), Problem::NotText), "{error}");
    let error = open_error(vec![b'a'; MAX_LINE_BYTES + 10], &machine);
    assert!(matches!(error.problem(), Problem::LineTooLong), "{error}");
    let error = open_error("a,\"b\n1,2\n", &machine);
    assert!(matches!(error.problem(), Problem::OpenQuote), "{error}");

    let error = RecordingBus::open(std::env::temp_dir(), &machine).unwrap_err();
    assert!(matches!(error.problem(), Problem::Directory), "{error}");
    let error = RecordingBus::open("/nowhere/at/all.csv", &machine).unwrap_err();
    assert!(matches!(error.problem(), Problem::Io(_)), "{error}");
    assert!(error.to_string().contains("/nowhere/at/all.csv"), "{error}");

    let error = open_error("a,b\n1,2\n", &press_cell());
    assert!(matches!(error.problem(), Problem::NoMap { .. }), "{error}");
    assert!(error.to_string().contains("`a`, `b`"), "{error}");
    let mut both = press_cell();
    both.recording = emps().recording;
    let error = open_error("a,b\n1,2\n", &both);
    assert!(matches!(error.problem(), Problem::ForeignOnBus), "{error}");

    let error = Writer::create(Scratch::new(), &emps()).unwrap_err();
    assert!(matches!(error.problem(), Problem::NoBus), "{error}");
    let error = Writer::create(std::env::temp_dir(), &press_cell()).unwrap_err();
    assert!(matches!(error.problem(), Problem::Directory), "{error}");
    let error = Writer::create("/nowhere/at/all.csv", &press_cell()).unwrap_err();
    assert!(matches!(error.problem(), Problem::Io(_)), "{error}");
}

#[test]
fn our_own_form_becomes_columns_too() {
    let machine = press_cell();
    let map = ObjectMap::new(&machine).unwrap();
    let mut image = map.image();
    image.valid.fill(Ok(()));
    let file = Scratch::new();
    let mut writer = Writer::create(&file, &machine).unwrap();
    for cycle in 0..20_u64 {
        let stamp = CycleStamp {
            cycle,
            time_ns: cycle * 1_000_000,
            dc_time_ns: 0,
        };
        let command = AxisCommand {
            target_m: cycle as f64 * 1e-3,
            mode: mode::CSP,
            ..AxisCommand::default()
        };
        map.write_axis(&mut image, 2, &command).unwrap();
        map.write_station(&mut image, 0, cycle >= 10, false)
            .unwrap();
        let slot = map.layout().subdevices[2].input(0x6041, 0).unwrap();
        assert!(slot.put(&mut image.inputs, if cycle < 5 { 0x21 } else { 0x27 }));
        image.part = u8::from(cycle >= 15);
        let result = if cycle == 7 {
            Err(BusFault {
                stamp,
                cause: BusCause::NoFrame,
            })
        } else {
            Ok(stamp)
        };
        writer.write(&stamp, &result, &image).unwrap();
    }
    writer.finish().unwrap();
    let recording = columns(&file, &machine).unwrap();
    assert_eq!(recording.segments, [0]);
    let press = &recording.axes[2];
    assert_eq!(press.name, "press");
    let reference_m = press.reference_m.as_ref().unwrap();
    assert!((reference_m[19] - 0.019).abs() < 1e-7);
    assert!(reference_m[7].is_nan() && press.position_m[7].is_nan());
    assert_eq!(
        (press.enabled[4], press.enabled[5], press.enabled[7]),
        (false, true, false)
    );
    assert_eq!(recording.context[14].part, 0);
    assert_eq!(recording.context[15].part, 1);
    let gripper = &recording.stations[0];
    assert_eq!(
        (gripper.ejector_on[9], gripper.ejector_on[10]),
        (false, true)
    );
    assert_eq!(gripper.pressure_pa[19], 101_325.0);
    assert_eq!(recording.time_s[19], 0.019);
}
