use super::*;
use crate::recording::fixtures::{emps, press_cell};
use proptest::prelude::*;

fn ready(map: &ObjectMap) -> ProcessImage {
    let mut image = map.image();
    image.valid.fill(Ok(()));
    image
}

fn put_input(map: &ObjectMap, image: &mut ProcessImage, device: usize, index: u16, raw: i64) {
    let slot = map.layout().subdevices[device].input(index, 0).unwrap();
    assert!(slot.put(&mut image.inputs, raw));
}

#[test]
fn reads_an_axis_in_si_units() {
    let machine = press_cell();
    let map = ObjectMap::new(&machine).unwrap();
    let mut image = ready(&map);
    put_input(&map, &mut image, 0, 0x6041, 0x0627);
    put_input(&map, &mut image, 0, 0x6064, -131_072);
    put_input(&map, &mut image, 0, 0x606c, 262_144);
    put_input(&map, &mut image, 0, 0x6077, -500);
    put_input(&map, &mut image, 0, 0x603f, 0x2310);
    let command = AxisCommand {
        controlword: 0x0f,
        target_m: 0.015,
        mode: mode::CSP,
        ..AxisCommand::default()
    };
    map.write_axis(&mut image, 0, &command).unwrap();
    let reading = map.read_axis(&image, Ok(()), 0).unwrap();
    // 131072 increments and 10 mm a revolution, rated current 8 A.
    assert_eq!(reading.position_m, -0.01);
    assert_eq!(reading.velocity_m_per_s, 0.02);
    assert_eq!(reading.current_a, -4.0);
    assert_eq!(reading.target_m, 196_608.0 * (0.01 / 131_072.0));
    assert_eq!(reading.state, DriveState::OperationEnabled);
    assert_eq!(reading.error_code, 0x2310);
}

#[test]
fn the_mode_and_what_is_told_in_it_are_read_back_rounded() {
    let mut machine = press_cell();
    let entry = |index, bits| twinstep_config::machine::PdoEntry {
        index,
        subindex: 0,
        bits,
    };
    let device = &mut machine.bus.as_mut().unwrap().subdevices[0];
    for (index, bits) in [
        (0x60ff, 32),
        (0x6071, 16),
        (0x60b1, 32),
        (0x60b2, 16),
        (0x6060, 8),
    ] {
        if device.outputs.iter().all(|known| known.index != index) {
            device.outputs.push(entry(index, bits));
        }
    }
    if device.inputs.iter().all(|known| known.index != 0x6061) {
        device.inputs.push(entry(0x6061, 8));
    }
    let map = ObjectMap::new(&machine).unwrap();
    let mut image = ready(&map);
    let mut told = |mode: i8, m_per_s: f64, a: f64, display: i64| {
        let command = AxisCommand {
            velocity_offset_m_per_s: m_per_s,
            torque_offset_a: a,
            mode,
            ..AxisCommand::default()
        };
        map.write_axis(&mut image, 0, &command).unwrap();
        put_input(&map, &mut image, 0, 0x6061, display);
        let r = map.read_axis(&image, Ok(()), 0).unwrap();
        (r.told, r.told_m_per_s, r.told_a)
    };
    // Per mille of 8 A, and 131072 increments for 10 mm.
    let m_per_s = 13_107.0 * (0.01 / 131_072.0);
    for (mode, a, expected) in [
        (mode::CSP, 0.0, Told::PositionAndOffsets),
        (mode::CSV, 2.0, Told::Velocity),
        (mode::CST, 2.0, Told::Torque),
    ] {
        let found = told(mode, 1.000_01e-3, a, mode.into());
        // In CST a velocity is neither target nor offset.
        let velocity = if mode == mode::CST { 0.0 } else { m_per_s };
        assert_eq!(found, (expected, velocity, a), "{mode}");
    }
    assert_eq!(told(mode::CSP, 0.0, 0.0, 8), (Told::Position, 0.0, 0.0));
    // The drive says what it does, not what it was told.
    assert_eq!(told(mode::CSV, 0.0, 0.0, 6).0, Told::Own);
    assert!(map.has_target_of(0, mode::CSV) && !map.has_other_target(1));
}

#[test]
fn a_mode_that_nobody_tells_is_that_of_the_only_target() {
    let told = |inputs: &[u16], outputs: &[(u16, u8)], sent: i8| {
        let mut machine = press_cell();
        let device = &mut machine.bus.as_mut().unwrap().subdevices[0];
        device.inputs.retain(|entry| inputs.contains(&entry.index));
        device.outputs = outputs
            .iter()
            .map(|(index, bits)| twinstep_config::machine::PdoEntry {
                index: *index,
                subindex: 0,
                bits: *bits,
            })
            .collect();
        let map = ObjectMap::new(&machine).unwrap();
        let mut image = ready(&map);
        if outputs.iter().any(|(index, _)| *index == 0x6060) {
            let command = AxisCommand {
                mode: sent,
                ..AxisCommand::default()
            };
            map.write_axis(&mut image, 0, &command).unwrap();
        }
        map.read_axis(&image, Ok(()), 0).unwrap().told
    };
    let inputs = [0x6041, 0x6064, 0x606c, 0x6077];
    let (word, position, velocity, torque) =
        ((0x6040, 16), (0x607a, 32), (0x60ff, 32), (0x6071, 16));
    assert_eq!(told(&inputs, &[word, position], 0), Told::Position);
    assert_eq!(told(&inputs, &[word, velocity], 0), Told::Velocity);
    assert_eq!(told(&inputs, &[word, torque], 0), Told::Torque);
    assert_eq!(
        told(&inputs, &[word, position, velocity], 0),
        Told::Position
    );
    // A 0 that is sent asks for no other mode; homing is one.
    let all = [word, position, (0x6060, 8)];
    assert_eq!(told(&inputs, &all, 0), Told::Position);
    assert_eq!(told(&inputs, &all, 6), Told::Own);
}

#[test]
fn direction_turns_every_sign() {
    let mut machine = press_cell();
    machine.axes[0].drive.direction = -1.0;
    let map = ObjectMap::new(&machine).unwrap();
    let mut image = ready(&map);
    put_input(&map, &mut image, 0, 0x6064, 131_072);
    put_input(&map, &mut image, 0, 0x606c, 131_072);
    put_input(&map, &mut image, 0, 0x6077, 1000);
    let reading = map.read_axis(&image, Ok(()), 0).unwrap();
    assert_eq!(reading.position_m, -0.01);
    assert_eq!(reading.velocity_m_per_s, -0.01);
    assert_eq!(reading.current_a, -8.0);
}

#[test]
fn a_missing_value_says_why() {
    let machine = press_cell();
    let map = ObjectMap::new(&machine).unwrap();
    let mut image = ready(&map);
    assert_eq!(
        map.read_axis(&image, Err(Missing::WorkingCounter), 0),
        Err(Missing::WorkingCounter)
    );
    image.valid[0] = Err(Missing::NotOperational);
    assert_eq!(
        map.read_axis(&image, Err(Missing::WorkingCounter), 0),
        Err(Missing::NotOperational)
    );
    assert!(map.read_axis(&image, Ok(()), 1).is_ok());
    image.inputs.truncate(3);
    assert_eq!(map.read_axis(&image, Ok(()), 1), Err(Missing::NotMapped));
    assert_eq!(map.read_axis(&image, Ok(()), 99), Err(Missing::NotMapped));
}

#[test]
fn an_essential_object_that_is_not_mapped_is_named() {
    let mut machine = press_cell();
    let bus = machine.bus.as_mut().unwrap();
    bus.subdevices[0]
        .inputs
        .retain(|entry| entry.index != 0x606c);
    let map = ObjectMap::new(&machine).unwrap();
    assert_eq!(map.unmapped(), vec![("x", 0x606c)]);
    assert_eq!(
        map.read_axis(&ready(&map), Ok(()), 0),
        Err(Missing::NotMapped)
    );
}

#[test]
fn a_command_that_is_not_a_number_leaves_the_image_alone() {
    let machine = press_cell();
    let map = ObjectMap::new(&machine).unwrap();
    let mut image = ready(&map);
    let command = AxisCommand {
        controlword: 0x0f,
        target_m: f64::NAN,
        ..AxisCommand::default()
    };
    assert_eq!(
        map.write_axis(&mut image, 0, &command),
        Err(CommandError::NotANumber {
            value: "target position"
        })
    );
    assert!(image.outputs.iter().all(|&byte| byte == 0));
    assert_eq!(
        map.write_axis(&mut image, 77, &AxisCommand::default()),
        Err(CommandError::NoSuchTarget { number: 77 })
    );
}

#[test]
fn targets_saturate() {
    let machine = press_cell();
    let map = ObjectMap::new(&machine).unwrap();
    let mut image = ready(&map);
    let command = AxisCommand {
        target_m: -1e12,
        torque_offset_a: 1e9,
        mode: mode::CSP,
        ..AxisCommand::default()
    };
    map.write_axis(&mut image, 0, &command).unwrap();
    let device = &map.layout().subdevices[0];
    let get = |index| device.output(index, 0).unwrap().get(&image.outputs);
    assert_eq!(get(0x607a), Some(i64::from(i32::MIN)));
    assert_eq!(get(0x60b2), Some(i64::from(i16::MAX)));
    assert_eq!(get(0x6060), Some(8));
}

#[test]
fn stations_read_pressure_and_their_own_outputs() {
    let machine = press_cell();
    let map = ObjectMap::new(&machine).unwrap();
    let mut image = ready(&map);
    let device = map.station_subdevice(0).unwrap();
    let slot = map.layout().subdevices[device].input(0x6000, 1).unwrap();
    assert!(slot.put(&mut image.inputs, -100));
    map.write_station(&mut image, 0, false, true).unwrap();
    let mut stations = [Err(Missing::NoFrame)];
    map.read(&image, Ok(()), &mut [], &mut stations);
    assert_eq!(
        stations[0],
        Ok(StationReading {
            pressure_pa: 101_325.0 - 100.0 * 10.0,
            ejector_on: false,
            blow_off: true,
        })
    );
    assert!(map.write_station(&mut image, 1, true, true).is_err());
}

#[test]
fn a_wrong_length_and_a_missing_subdevice_are_refused() {
    let mut machine = press_cell();
    machine.bus.as_mut().unwrap().subdevices[1].inputs[1].bits = 16;
    let error = ObjectMap::new(&machine).unwrap_err();
    assert!(matches!(
        error,
        ObjectMapError::Length {
            expected_bits: 32,
            ..
        }
    ));
    assert!(error.to_string().contains("0x6064"), "{error}");

    let mut machine = press_cell();
    machine.bus.as_mut().unwrap().subdevices[1].name = "other".to_owned();
    assert!(matches!(
        ObjectMap::new(&machine),
        Err(ObjectMapError::NoSubDevice { .. })
    ));

    let mut machine = press_cell();
    machine.axes[0].drive.counts_per_rev = 0.0;
    assert!(matches!(
        ObjectMap::new(&machine),
        Err(ObjectMapError::Scale { .. })
    ));

    let mut machine = emps();
    machine.recording.as_mut().unwrap().axes[0].axis = "nobody".to_owned();
    assert!(matches!(
        ObjectMap::new(&machine),
        Err(ObjectMapError::NoColumns { .. })
    ));
    machine.recording = None;
    assert_eq!(
        ObjectMap::new(&machine).unwrap_err(),
        ObjectMapError::NoProcessData
    );
}

#[test]
fn known_objects_are_sorted_and_found() {
    for pair in OBJECTS.windows(2) {
        assert!((pair[0].index, pair[0].subindex) < (pair[1].index, pair[1].subindex));
    }
    for index in [
        0x6040, 0x6041, 0x6060, 0x6064, 0x606c, 0x6077, 0x607a, 0x60ff, 0x6071, 0x60f4, 0x603f,
        0x6061, 0x6074, 0x6075, 0x6076, 0x6078, 0x60b1, 0x60b2,
    ] {
        assert!(find_object(index, 0).is_some(), "0x{index:04x}");
    }
    assert!(find_object(0x60c2, 1).is_some() && find_object(0x60c2, 2).is_some());
}

#[test]
fn interpolation_periods() {
    assert_eq!(interpolation_period(1_000_000), Some((1, -3)));
    assert_eq!(interpolation_period(62_500), None);
    assert_eq!(interpolation_period(125_000), Some((125, -6)));
    assert_eq!(interpolation_period(1_500_000), Some((15, -4)));
    assert_eq!(interpolation_period(0), None);
    assert_eq!(interpolation_period(u64::MAX), None);
}

proptest! {
    #[test]
    fn targets_come_back_within_half_an_increment(
        target_m in -150.0..150.0_f64,
        feed_m in 1e-3..0.5_f64,
        counts in prop::sample::select(vec![4096.0, 10_000.0, 131_072.0]),
        forward in any::<bool>(),
    ) {
        let mut machine = press_cell();
        machine.axes[0].drive.feed_m_per_rev = feed_m;
        machine.axes[0].drive.counts_per_rev = counts;
        machine.axes[0].drive.direction = if forward { 1.0 } else { -1.0 };
        prop_assume!(target_m.abs() / feed_m * counts < 2e9);
        let map = ObjectMap::new(&machine).unwrap();
        let mut image = ready(&map);
        let command = AxisCommand { target_m, mode: mode::CSP, ..AxisCommand::default() };
        map.write_axis(&mut image, 0, &command).unwrap();
        let reading = map.read_axis(&image, Ok(()), 0).unwrap();
        let increment_m = feed_m / counts;
        prop_assert!((reading.target_m - target_m).abs() <= increment_m * 0.5 + target_m.abs() * 1e-15);
    }

    #[test]
    fn slots_hold_what_fits(raw in any::<i64>(), object in prop::sample::select(OBJECTS.to_vec())) {
        let entry = twinstep_config::machine::PdoEntry {
            index: object.index,
            subindex: object.subindex,
            bits: object.bits,
        };
        let mut machine = press_cell();
        machine.bus.as_mut().unwrap().subdevices[0].outputs = vec![entry];
        let layout = Layout::new(&machine).unwrap();
        let slot = layout.subdevices[0].outputs[0].slot;
        let mut bytes = vec![0; layout.output_bytes];
        prop_assert!(slot.put(&mut bytes, raw));
        let (low, high) = slot.range();
        prop_assert_eq!(slot.get(&bytes), Some(raw.clamp(low, high)));
    }

    #[test]
    fn any_image_reads_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for machine in [press_cell(), emps()] {
            let map = ObjectMap::new(&machine).unwrap();
            let mut image = ready(&map);
            image.inputs = bytes.clone();
            image.outputs = bytes.clone();
            let mut axes = vec![Err(Missing::NoFrame); map.axis_names().len()];
            let mut stations = vec![Err(Missing::NoFrame); map.station_count()];
            map.read(&image, Ok(()), &mut axes, &mut stations);
            for reading in axes.into_iter().flatten() {
                prop_assert!(reading.position_m.is_finite() && reading.current_a.is_finite());
            }
        }
    }
}
