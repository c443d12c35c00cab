use super::super::fixtures::emps;
use super::super::*;
use super::{Scratch, open_error};
use crate::bus::Bus;
use crate::conformance::bus_conformance;
use std::path::{Path, PathBuf};
use twinstep_models::sample::Missing;

/// A table of the form that the recorded axis expects; `change` may rewrite a row, given its number.
fn table(rows: usize, change: impl Fn(usize, String) -> String) -> String {
    let mut text = String::from("time_s,reference_m,position_m,drive_v\n");
    for row in 0..rows {
        let time_s = row as f64 / 1000.0;
        let position_m = row as f64 / 4096.0;
        let line = format!("{time_s},{},{position_m},2", position_m + 0.5);
        text += &(change(row, line) + "\n");
    }
    text
}

#[test]
fn the_replay_of_a_table_conforms() {
    let file = Scratch::with(table(50, |_, row| row));
    let mut bus = RecordingBus::open(&file, &emps()).unwrap();
    let mut image = bus.object_map().image();
    let report = bus_conformance(&mut bus, &mut image, 100, true).unwrap();
    assert_eq!((report.good, report.ended), (50, true));
}

#[test]
fn a_table_is_read_in_si_units() {
    let file = Scratch::with(table(5, |_, row| row));
    let mut bus = RecordingBus::open(&file, &emps()).unwrap();
    let map = bus.object_map().clone();
    let mut image = map.image();
    for cycle in 0..5_u64 {
        let stamp = bus.exchange(&mut image, &mut || ()).unwrap();
        assert_eq!((stamp.cycle, stamp.time_ns), (cycle, cycle * 1_000_000));
        let reading = map.read_axis(&image, Ok(()), 0);
        if cycle == 0 {
            // Nothing to take a difference to.
            assert_eq!(reading, Err(Missing::NotANumber));
            continue;
        }
        let reading = reading.unwrap();
        assert_eq!(reading.position_m, cycle as f64 / 4096.0);
        assert_eq!(reading.target_m, cycle as f64 / 4096.0 + 0.5);
        assert_eq!(reading.velocity_m_per_s, 1.0 / 4096.0 / 0.001);
        assert_eq!(reading.current_a, 2.0 * 35.15065188248547);
    }
}

#[test]
fn other_tools_habits_are_tolerated() {
    let plain = Scratch::with(table(5, |_, row| row));
    let text = table(5, |_, row| row.replace(',', " , ") + "  ");
    let text = text
        .replace("time_s,reference_m", "\"time_s\", \"reference_m\"")
        .replace('\n', "\r\n");
    let odd = Scratch::with(format!("\u{feff}{text}\r\n\r\n"));
    // As text, since the velocity that the first row lacks is NaN.
    let text = |file| format!("{:?}", columns(file, &emps()).unwrap());
    assert_eq!(text(&plain), text(&odd));
}

#[test]
fn missing_values_are_missing() {
    for nothing in [
        "", "NaN", "nan", "inf", "-inf", "null", "1e400", "1e300", "-1e16",
    ] {
        let text = table(6, |row, line| match row {
            2 => line.rsplit_once(',').unwrap().0.to_owned() + "," + nothing,
            _ => line,
        });
        let mut bus = RecordingBus::open(Scratch::with(text), &emps()).unwrap();
        let map = bus.object_map().clone();
        let mut image = map.image();
        let readings: Vec<_> = (0..6)
            .map(|_| {
                bus.exchange(&mut image, &mut || ()).unwrap();
                map.read_axis(&image, Ok(()), 0).map(|_| ())
            })
            .collect();
        let missing = Err(Missing::NotANumber);
        assert_eq!(readings, [missing, Ok(()), missing, Ok(()), Ok(()), Ok(())]);
    }
}

#[test]
fn time_is_checked() {
    let error = open_error(
        table(6, |row, line| match row {
            3 => line.replacen("0.003", "0.001", 1),
            _ => line,
        }),
        &emps(),
    );
    assert!(
        matches!(error.problem(), Problem::TimeOrder { .. }),
        "{error}"
    );
    assert_eq!((error.line(), error.column()), (Some(5), Some("time_s")));

    let gap = table(6, |row, line| match row {
        5 => line.replacen("0.005", "0.009", 1),
        _ => line,
    });
    let error = open_error(&gap, &emps());
    assert!(
        matches!(error.problem(), Problem::Uneven { cycles: 5, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("4 rows are missing"), "{error}");
    let mut uneven = emps();
    uneven.recording.as_mut().unwrap().uneven = true;
    let bus = RecordingBus::open(Scratch::with(&gap), &uneven).unwrap();
    assert_eq!((bus.rows(), bus.cycles()), (6, 10));

    let error = open_error(
        table(6, |row, line| match row {
            4 => line.replacen("0.004", "NaN", 1),
            _ => line,
        }),
        &emps(),
    );
    assert!(matches!(error.problem(), Problem::Cell { .. }), "{error}");
    assert_eq!((error.line(), error.column()), (Some(6), Some("time_s")));

    let far = table(6, |row, line| match row {
        5 => line.replacen("0.005", "1e300", 1),
        _ => line,
    });
    let error = open_error(far, &uneven);
    assert!(
        matches!(error.problem(), Problem::GapTooLong { .. }),
        "{error}"
    );
}

#[test]
fn columns_are_found_by_name() {
    let text = table(3, |_, row| row).replace("drive_v", "drive_volts");
    let error = open_error(text, &emps());
    assert!(
        matches!(error.problem(), Problem::MissingColumn { .. }),
        "{error}"
    );
    assert_eq!(error.column(), Some("drive_v"));
    assert!(error.to_string().contains("`drive_volts`"), "{error}");

    let text = table(3, |_, row| row).replace("reference_m", "drive_v");
    let mut machine = emps();
    machine.recording.as_mut().unwrap().axes[0].reference = None;
    let error = open_error(text, &machine);
    assert!(matches!(error.problem(), Problem::DoubleColumn), "{error}");
    assert_eq!(error.column(), Some("drive_v"));

    let error = open_error(
        table(3, |row, line| match row {
            1 => line.replace(",2", ",two"),
            _ => line,
        }),
        &emps(),
    );
    assert_eq!(
        (error.line(), error.column()),
        (Some(3), Some("drive_v")),
        "{error}"
    );
}

#[test]
fn a_new_segment_starts_after_one_gap() {
    let mut machine = emps();
    machine.recording.as_mut().unwrap().segment_by = vec!["run".to_owned()];
    let mut text = String::from("run,time_s,reference_m,position_m,drive_v\n");
    for run in ["a", "b", "b2"] {
        for row in 0..4 {
            text += &format!("{run},{},0,{},1\n", row as f64 / 1000.0, row as f64);
        }
    }
    let file = Scratch::with(text);
    let mut bus = RecordingBus::open(&file, &machine).unwrap();
    assert_eq!(bus.segment_starts(), [0, 5, 10]);
    let mut image = bus.object_map().image();
    let report = bus_conformance(&mut bus, &mut image, 100, true).unwrap();
    assert_eq!((report.good, report.faults), (12, 2));
    bus.rewind();
    let starts: Vec<u64> = (0..14)
        .filter(|_| {
            let _ = bus.exchange(&mut image, &mut || ());
            bus.at_segment_start()
        })
        .collect();
    assert_eq!(starts, [0, 5, 10]);

    let recording = columns(&file, &machine).unwrap();
    assert_eq!(recording.segments, [0, 4, 8]);
    assert_eq!(recording.cycle.len(), 12);
    assert_eq!(recording.time_s[4], 0.0);
    // No difference across the jump from 3 to 0.
    assert!(recording.axes[0].velocity_m_per_s[4].is_nan());
    assert_eq!(recording.axes[0].position_m[4], 0.0);
    assert_eq!(recording.axes[0].velocity_m_per_s[5], 1000.0);
}

#[test]
fn a_following_error_becomes_a_position_and_a_size_gets_the_sign_of_the_motion() {
    let mut machine = emps();
    let map = machine.recording.as_mut().unwrap();
    // The reference is in mm, what is left to it in um.
    map.axes[0].reference.as_mut().unwrap().factor = 1e-3;
    map.axes[0].position.factor = 1e-6;
    map.axes[0].following_error = true;
    map.axes[0].current.factor = 1.0;
    map.axes[0].current_magnitude = true;
    let mut text = String::from("time_s,reference_m,position_m,drive_v\n");
    let references_mm = [10.0, 11.0, 12.0, 12.0, 11.0, 10.0, 10.0];
    for (row, reference) in references_mm.iter().enumerate() {
        text += &format!("{},{reference},250,2\n", row as f64 / 1000.0);
    }
    let recording = columns(Scratch::with(text), &machine).unwrap();
    let axis = &recording.axes[0];
    for (position_m, reference_mm) in axis.position_m.iter().zip(references_mm) {
        assert!((position_m - (reference_mm * 1e-3 - 250e-6)).abs() < 1e-12);
    }
    // At rest the last direction stays.
    assert_eq!(axis.current_a, [2.0, 2.0, 2.0, 2.0, -2.0, -2.0, -2.0]);
}

#[test]
fn a_new_segment_is_no_gap_and_a_new_run_is_counted() {
    let mut machine = emps();
    let map = machine.recording.as_mut().unwrap();
    map.segment_by = vec!["run".into(), "part".into()];
    let mut text = String::from("run,part,time_s,reference_m,position_m,drive_v\n");
    for (run, part) in [(1, 1), (1, 2), (2, 2), (2, 3)] {
        for row in 0..3 {
            text += &format!("{run},{part},{},0,0,1\n", f64::from(row) / 1000.0);
        }
    }
    let mut bus = RecordingBus::open(Scratch::with(text), &machine).unwrap();
    assert_eq!(bus.segment_starts(), [0, 4, 8, 12]);
    assert_eq!(bus.run_starts(), [0, 8]);
    let mut image = bus.object_map().image();
    for cycle in 0..15 {
        let result = bus.exchange(&mut image, &mut || ());
        let between = cycle % 4 == 3;
        assert_eq!(
            result.map_err(|fault| fault.cause).err(),
            between.then_some(crate::bus::BusCause::Segment)
        );
        assert_eq!(image.valid.contains(&Err(Missing::NewSegment)), between);
    }
}

#[test]
fn the_recorded_positioning_system_is_read() {
    let folder = std::env::var_os("TWINSTEP_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
        PathBuf::from,
    );
    let file = folder.join("emps/emps_first_half.csv");
    if !file.exists() {
        eprintln!("skipped: no recordings at {}", folder.display());
        return;
    }
    let recording = columns(&file, &emps()).unwrap();
    assert_eq!(recording.cycle.len(), 12_421);
    assert_eq!(recording.segments, [0]);
    let carriage = &recording.axes[0];
    let values = carriage.position_m.iter().chain(&carriage.current_a);
    assert!(
        values
            .chain(carriage.reference_m.as_ref().unwrap())
            .all(|value| value.is_finite())
    );
    assert!(carriage.velocity_m_per_s[0].is_nan());
    assert!(
        carriage.velocity_m_per_s[1..]
            .iter()
            .all(|value| value.is_finite())
    );
    assert_eq!(carriage.position_m[1], 1.43e-05);
    assert_eq!(carriage.current_a[0], 2.53862809 * 35.15065188248547);
    for step in recording.time_s.windows(2) {
        assert!((step[1] - step[0] - 0.001).abs() < 1e-4);
    }
}

#[test]
fn uneven_rows_are_interpolated_to_the_period() {
    // Times in periods; what is recorded is twice the time, so that an interpolated value tells its own.
    let times = [0.0, 0.7, 1.9, 3.0, 4.6, 8.2, 20.0, 21.5];
    let text = table(times.len(), |row, _| {
        let position = 2.0 * times[row];
        format!("{},0,{position},2", times[row] / 1000.0)
    });
    let mut machine = emps();
    machine.recording.as_mut().unwrap().resample = true;
    let recording = columns(Scratch::with(&text), &machine).unwrap();
    let axis = &recording.axes[0];
    // Twelve periods without a row are not bridged.
    let expected = (0..=21).map(|k| (!(9..20).contains(&k)).then_some(2.0 * f64::from(k)));
    assert_eq!(axis.position_m.len(), 22, "{axis:#?}");
    for (k, (found, expected)) in axis.position_m.iter().zip(expected).enumerate() {
        match expected {
            Some(expected) => assert!((found - expected).abs() < 1e-9, "{found} at {k}"),
            None => assert!(found.is_nan(), "{found} at {k}"),
        }
    }
}

#[test]
fn a_station_is_read_from_its_columns() {
    use twinstep_config::machine::{Column, StationColumns};
    let mut machine = emps();
    machine.stations = super::super::fixtures::press_cell().stations;
    let column = |name: &str, factor| Column {
        name: name.to_owned(),
        factor,
    };
    let map = machine.recording.as_mut().unwrap();
    map.stations.push(StationColumns {
        station: "gripper".to_owned(),
        pressure: column("reference_m", 1e5),
        ejector: Some(column("drive_v", 1.0)),
        blow_off: None,
    });
    let recording = columns(Scratch::with(table(3, |_, row| row)), &machine).unwrap();
    let station = &recording.stations[0];
    // Half a bar of gauge pressure in the first row, above the ambient pressure that the station's offset is.
    assert!((station.pressure_pa[0] - 151_325.0).abs() < 1e-6);
    assert_eq!(station.ejector_on, [true; 3]);
    assert_eq!(station.blow_off, [false; 3]);
}

#[test]
fn a_table_without_a_time_is_a_row_a_period_and_begins_at_rest() {
    let mut machine = emps();
    if let Some(map) = &mut machine.recording {
        (map.index, map.time.name) = (true, String::new());
    }
    let file = Scratch::with(table(300, |_, row| row));
    let mut bus = RecordingBus::open(&file, &machine).unwrap();
    assert_eq!((bus.rows(), bus.cycles()), (300, 300));
    let map = bus.object_map().clone();
    let mut image = map.image();
    for cycle in 0..300_u64 {
        let stamp = bus.exchange(&mut image, &mut || ()).unwrap();
        assert_eq!(stamp.time_ns, cycle * 1_000_000);
        let reading = map.read_axis(&image, Ok(()), 0).unwrap();
        let velocity = if cycle == 0 {
            0.0
        } else {
            1.0 / 4096.0 / 0.001
        };
        assert_eq!(reading.velocity_m_per_s, velocity);
    }
}
