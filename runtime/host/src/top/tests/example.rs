//! What an instance may tell, for the pictures of the tests.

use crate::control::around::{ComputerLine, LinkLine};
use crate::control::status::{
    AxisLine, BusHealthLine, Identity, OverrunsLine, RowLine, StationLine, StatusLine, WhatIfLine,
    WhatIfPeriod, WrongWorkingCounter,
};
use crate::false_alarms::Exposure;
use crate::lines::tests::{leak, run_info};
use crate::lines::{BusLine, EventRecord};
use crate::overruns::cause::{Kind, Outcome, OverrunCause};
use crate::overruns::record::{EvidenceLine, KernelLine, OverrunLine, WorkerLine};
use crate::phases::{PhaseFigures, Row};
use serde_json::json;

pub fn figures(p50_ns: u64) -> PhaseFigures {
    PhaseFigures {
        p50_ns,
        p99_ns: 2 * p50_ns,
        p999_ns: 3 * p50_ns,
        p9999_ns: 4 * p50_ns,
        max_ns: 500 * p50_ns,
    }
}

pub fn row(name: &str) -> RowLine {
    let ns = 1_000 * name.len() as u64;
    RowLine {
        name: name.to_owned(),
        now_ns: ns + 500,
        budget_ns: (name != "acyclic").then_some(50_000),
        over_budget: u64::from(name == "wake") * 12,
        run: figures(ns),
        warm_up: figures(2 * ns),
        histogram: vec![
            (Some(4_096), 1_234_567),
            (Some(8_192), 40_000),
            (Some(49_152), 310),
            (Some(65_536), 12),
            (None, 1),
        ],
    }
}

pub fn axis(name: &str, sigma: f64) -> AxisLine {
    AxisLine {
        name: name.to_owned(),
        axis_kind: None,
        valid: true,
        position_m: Some(0.123_456_7),
        predicted_position_m: Some(0.123_456_9),
        velocity_m_per_s: Some(0.5),
        predicted_velocity_m_per_s: Some(0.5),
        current_a: Some(3.91),
        predicted_current_a: Some(-12.125),
        residual_sigma: Some(sigma),
        regime: Some("constant_speed".to_owned()),
        confidence: Some(1.0),
        new_baseline: None,
        not_judged: None,
        judged: true,
    }
}

pub fn overrun() -> OverrunLine {
    let phases = [("wake", 2_001_000), ("receive", 10_300), ("slack", 0)];
    OverrunLine {
        line: "overrun".to_owned(),
        kind: Kind::Overrun,
        cycle: 12_001,
        time_ns: 12_001_000_000,
        time_utc_ns: 0,
        row: "wake".to_owned(),
        took_ns: 2_001_000,
        usual_ns: 3_100,
        busy_ns: 2_050_000,
        follows: false,
        cause: OverrunCause::InvoluntarySwitch,
        next_step: OverrunCause::InvoluntarySwitch.next_step().to_owned(),
        evidence: EvidenceLine {
            phases_ns: phases.map(|(name, ns)| (name.to_owned(), ns)).into(),
            models_ns: [("servo".to_owned(), 3_000)].into(),
            exchange: Outcome::Good,
            minor_faults: 0,
            major_faults: 0,
            involuntary_switches: 1,
            voluntary_switches: 1,
            core: 1,
            kernel: Some(KernelLine {
                interval_ns: 100_000_000,
                cycles: 100,
                interrupts: 3,
                softirqs: 0,
                steal_ns: 40_000,
                smi: None,
            }),
            worker: Some(WorkerLine {
                core: 3,
                late_ns: 40_000,
            }),
        },
    }
}

pub fn event(seq: u64) -> EventRecord {
    let mut event = EventRecord::of(&leak(1_500 + seq), &run_info(), Exposure::default());
    event.seq = seq;
    event
}

/// The press cell after 12 s: one overrun, one deviation, one axis that is not measured.
pub fn status() -> Box<StatusLine> {
    let mut names = [
        "infeed", "outfeed", "gantry", "carriage", "cross", "insert", "lift", "pusher", "press",
    ]
    .map(|name| axis(name, 1.5));
    names[1].residual_sigma = Some(5.0);
    names[2].residual_sigma = Some(-9.25);
    names[3] = AxisLine {
        name: "carriage".to_owned(),
        axis_kind: None,
        valid: false,
        position_m: None,
        predicted_position_m: None,
        velocity_m_per_s: None,
        predicted_velocity_m_per_s: None,
        current_a: None,
        predicted_current_a: None,
        residual_sigma: None,
        regime: None,
        confidence: None,
        new_baseline: None,
        not_judged: None,
        judged: false,
    };
    let rows: Vec<_> = Row::all().map(|kind| row(kind.name())).collect();
    let mut busy = row("busy");
    (busy.now_ns, busy.budget_ns) = (400_000, Some(1_000_000));
    Box::new(StatusLine {
        bus_name: None,
        buses: Vec::new(),
        kind: "status".to_owned(),
        protocol: 1,
        id: None,
        identity: Identity {
            machine: "press cell".to_owned(),
            version: "0.1.0".to_owned(),
            pid: 4711,
            plan: "00ff".to_owned(),
            simulated: true,
            state: "state".to_owned(),
            period_ns: 1_000_000,
            model_cores: Vec::new(),
        },
        armed: true,
        cycle: 12_345,
        time_ns: 12_345_000_000,
        time_utc_ns: 0,
        trust: json!({
            "realtime_kernel": false, "sched_fifo": true, "memory_locked": true, "timing_valid": false,
            "policy": "fifo", "core": 1, "isolated": false, "throttling_off": false,
            "cpu_dma_latency_held": true, "virtual_machine": true, "wait": "sleep", "workers": 2,
            "workers_granted": 1, "missing": [],
        }),
        run_cycles: 11_345,
        warm_up_cycles: 1_000,
        phases: rows[..9].to_vec(),
        models: rows[9..12].to_vec(),
        busy,
        overruns: OverrunsLine {
            count: 1,
            by_cause: [("involuntary_switch".to_owned(), 1)].into(),
            budgets_by_cause: [("late_wake".to_owned(), 2)].into(),
            recent: vec![overrun()],
            unexamined: 9,
            dumps: 1,
            ..OverrunsLine::default()
        },
        what_if: WhatIfLine {
            cycles: 1_200_000,
            periods: [
                (2_000_000, 0),
                (1_000_000, 1),
                (500_000, 3),
                (62_500, 1_199_999),
            ]
            .map(|(period_ns, overruns)| WhatIfPeriod {
                period_ns,
                overruns,
            })
            .into(),
        },
        axes: names.into(),
        stations: vec![StationLine {
            name: "gripper".to_owned(),
            valid: true,
            pressure_pa: Some(61_230.0),
            predicted_pressure_pa: Some(61_200.0),
            residual_sigma: Some(0.3),
        }],
        bus: BusHealthLine {
            counters: BusLine {
                lost: 2,
                late: 0,
                duplicate: 0,
                foreign: 1,
                working_counter_errors: 3,
            },
            phase_error_ns: Some(-120),
            wrong_working_counter: Some(WrongWorkingCounter {
                cycle: 9_000,
                expected: 30,
                actual: 27,
            }),
            subdevices: 10,
            not_operational: vec!["carriage".to_owned()],
            links: vec![LinkLine {
                name: "eth1".to_owned(),
                state: "up".to_owned(),
                speed_mbit_per_s: Some(100),
            }],
        },
        launch: None,
        unpublished: None,
        clock: None,
        computer: ComputerLine {
            governor: Some("powersave".to_owned()),
            clock_source: Some("tsc".to_owned()),
            interrupt_cores: Some("0".to_owned()),
            rx_coalescing_us: Some(0),
        },
        shared: None,
        recording: None,
        event_recordings: None,
        strokes: Vec::new(),
        health: Vec::new(),
        false_alarms: None,
        events: 1,
        dropped_events: 0,
        refused_requests: 0,
    })
}
