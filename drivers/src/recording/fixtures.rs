//! Machines for the tests of this crate.

use twinstep_config::machine::*;

fn entry(index: u16, subindex: u8, bits: u8) -> PdoEntry {
    PdoEntry {
        index,
        subindex,
        bits,
    }
}

fn axis(name: &str) -> Axis {
    Axis {
        name: name.to_owned(),
        asset_id: None,
        kind: AxisKind::Linear,
        drive: Drive {
            feed_m_per_rev: 0.01,
            counts_per_rev: 131_072.0,
            rated_current_a: 8.0,
            torque_constant_nm_per_a: 0.5,
            max_torque_permille: 3000,
            position_gain_per_s: 50.0,
            velocity_gain_a_s_per_m: 100.0,
            velocity_integral_time_s: 0.01,
            current_time_constant_s: 0.000_3,
            torque_filter_s: 0.001,
            direction: 1.0,
        },
        motion: Motion {
            start_m: 0.0,
            velocity_m_per_s: 1.0,
            acceleration_m_per_s2: 5.0,
            jerk_m_per_s3: 100.0,
            program: Vec::new(),
        },
        effort_unit: EffortUnit::Ampere,
        motor: None,
        servo: None,
        twin: None,
        stated_gravity_n: None,
        signature: None,
        healthy: None,
        health: twinstep_config::machine::HealthLimits::default(),
        plant: None,
    }
}

fn drive(name: &str) -> SubDevice {
    SubDevice {
        name: name.to_owned(),
        vendor_id: 1,
        product_code: 2,
        outputs: vec![
            entry(0x6040, 0, 16),
            entry(0x607a, 0, 32),
            entry(0x60b1, 0, 32),
            entry(0x60b2, 0, 16),
            entry(0x6060, 0, 8),
        ],
        inputs: vec![
            entry(0x6041, 0, 16),
            entry(0x6064, 0, 32),
            entry(0x606c, 0, 32),
            entry(0x6077, 0, 16),
            entry(0x603f, 0, 16),
        ],
        ..SubDevice::default()
    }
}

/// Two axes, a press and a vacuum station on a bus, 1 ms.
pub(crate) fn press_cell() -> Machine {
    Machine {
        name: "cell".to_owned(),
        asset_id: String::new(),
        cycle: Cycle {
            period_ns: 1_000_000,
            budget_ns: [None; 9],
            model_budget_ns: [None; 3],
            warm_up_cycles: None,
        },
        judge: Judge {
            false_alarm_interval_s: 1e6,
            warm_up: None,
            standstill: false,
        },
        tsn: None,
        place: None,
        lender: None,
        realtime: twinstep_config::machine::Realtime::default(),
        bus: Some(Bus {
            interface: None,
            subdevices: vec![
                drive("x"),
                drive("y"),
                drive("press"),
                SubDevice {
                    name: "gripper".to_owned(),
                    vendor_id: 1,
                    product_code: 3,
                    outputs: vec![entry(0x7000, 1, 8)],
                    inputs: vec![entry(0x6000, 1, 16)],
                    ..SubDevice::default()
                },
            ],
            redundant_interface: None,
            frame_shift_ns: 300_000,
            overrun: twinstep_config::machine::Overrun::Skip,
            tap: None,
            pubsub: None,
        }),
        publish: None,
        axes: vec![axis("x"), axis("y")],
        presses: vec![Press {
            axis: axis("press"),
            stroke: Stroke {
                top_m: 0.2,
                approach_m: 0.1,
                bottom_m: 0.05,
                press_velocity_m_per_s: 0.02,
                hold_s: 0.1,
                rest_s: 0.2,
            },
            curve: Curve {
                begin_m: 0.1,
                step_m: 1e-5,
                step_n: f64::INFINITY,
                contact_n: 50.0,
                frame_m_per_n: 0.0,
                tare: None,
            },
            drive_train: DriveTrain::SCREW,
            evaluations: Vec::new(),
        }],
        stations: vec![Station {
            pressure_pa_per_count: 10.0,
            pressure_offset_pa: 101_325.0,
            ..Station::named("gripper")
        }],
        parts: Vec::new(),
        recipes: Vec::new(),
        schedule: Vec::new(),
        context: Default::default(),
        simulation: None,
        recording: None,
        shared: None,
        inject: Vec::new(),
        text: Default::default(),
    }
}

fn column(name: &str, factor: f64) -> Column {
    Column {
        name: name.to_owned(),
        factor,
    }
}

/// One recorded axis, 1 ms, no bus.
pub(crate) fn emps() -> Machine {
    let mut machine = press_cell();
    machine.name = "emps".to_owned();
    machine.bus = None;
    machine.axes = vec![axis("carriage")];
    machine.presses.clear();
    machine.stations.clear();
    machine.recording = Some(RecordingMap {
        time: column("time_s", 1.0),
        index: false,
        segment_by: Vec::new(),
        uneven: false,
        resample: false,
        stations: Vec::new(),
        axes: vec![AxisColumns {
            axis: "carriage".to_owned(),
            reference: Some(column("reference_m", 1.0)),
            position: column("position_m", 1.0),
            following_error: false,
            velocity: None,
            current: column("drive_v", 35.15065188248547),
            current_magnitude: false,
        }],
    });
    machine
}
