use super::*;
use crate::coast_watch::CoastLine;
use crate::names::Names;
use crate::names::tests::small_machine;
use twinstep_cycle::event::{Detector, EventState, Severity, Source};
use twinstep_models::cause::Cause;
use twinstep_models::channel::{Channel, Regime};
use twinstep_models::sample::Context;

pub(crate) fn run_info() -> RunInfo {
    RunInfo::new(
        Names::of(&small_machine()),
        "00ff".into(),
        2_592_000.0,
        1_000,
    )
}

pub(crate) fn leak(cycle: u64) -> Event {
    Event {
        cycle,
        time_ns: cycle * 1_000_000,
        source: Source::Station(0),
        channel: Channel::LeakRate,
        state: EventState::Raised,
        detector: Detector::Cusum,
        severity: Severity::Warning,
        measured: 3.5,
        predicted: 3.0,
        residual: 0.5,
        regime: Regime::Standstill,
        context: Context::of(0, 1),
        cause: Cause::Leak,
        subdevice: None,
        causes: None,
        nok: None,
    }
}

#[test]
fn event_line_is_the_documented_one() {
    let exposure = Exposure {
        seen_ns: 1_920_000_000_000,
        alarms: 0,
    };
    let mut record = EventRecord::of(&leak(10_412), &run_info(), exposure);
    record.seq = 7;
    let text = serde_json::to_string(&record).unwrap();
    assert_eq!(
        text,
        concat!(
            r#"{"type":"event","seq":7,"cycle":10412,"time_ns":10412000000,"time_utc_ns":10412001000,"plan":"00ff","#,
            r#""source":"gripper","channel":"leak_rate","state":"raised","detector":"cusum","severity":"warning","#,
            r#""measured":3.5,"predicted":3.0,"residual":0.5,"unit":"Pa/s","regime":"standstill","#,
            r#""context":{"recipe":"a","part":"ring"},"false_alarm_interval_asked_s":2592000,"#,
            r#""false_alarm_interval_extrapolated_s":null,"false_alarm_interval_demonstrated_s":640,"cause":"vacuum leak increased","#,
            r#""causes":[{"cause":"vacuum leak increased","weight":1.0,"#,
            r#""action":"Check suction cups, hoses and fittings of the station."}],"#,
            r#""action":"Check suction cups, hoses and fittings of the station.","asset_id":"G-7"}"#
        )
    );
    let back: EventRecord = serde_json::from_str(&text).unwrap();
    assert_eq!(back, record);
}

#[test]
fn numbers_that_are_not_finite_stay_valid_json() {
    let mut event = leak(1);
    event.measured = f64::NAN;
    event.residual = f64::INFINITY;
    let text =
        serde_json::to_string(&EventRecord::of(&event, &run_info(), Exposure::default())).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(value["measured"].is_null() && value["residual"].is_null());
    let back: EventRecord = serde_json::from_str(&text).unwrap();
    assert!(back.measured.is_nan());
}

#[test]
fn accuracy_and_free_run_lines_are_the_documented_ones() {
    let accuracy = AccuracyLine {
        source: "carriage".into(),
        channel: "position_next".into(),
        unit: "m".into(),
        horizon_cycles: 10,
        samples: 12_000,
        twin_rms: 0.5,
        hold_rms: 1.5,
        linear_rms: 2.5,
        arx10_rms: 3.5,
    };
    assert_eq!(
        serde_json::to_string(&accuracy).unwrap(),
        concat!(
            r#"{"type":"accuracy","source":"carriage","channel":"position_next","unit":"m","horizon_cycles":10,"#,
            r#""samples":12000,"twin_rms":0.5,"hold_rms":1.5,"linear_rms":2.5,"arx10_rms":3.5}"#
        )
    );
    let free_run = FreeRunLine {
        source: "carriage".into(),
        channel: "position".into(),
        unit: "m".into(),
        samples: 12_421,
        rms: 0.25,
        fit_percent: 97.5,
        offset_step_n: 0.1,
        fit_percent_offset_less: 96.5,
        fit_percent_offset_more: 95.5,
    };
    assert_eq!(
        serde_json::to_string(&free_run).unwrap(),
        concat!(
            r#"{"type":"free_run","source":"carriage","channel":"position","unit":"m","samples":12421,"#,
            r#""rms":0.25,"fit_percent":97.5,"offset_step_n":0.1,"fit_percent_offset_less":96.5,"fit_percent_offset_more":95.5}"#
        )
    );
}

pub(crate) fn summary() -> SummaryLine {
    let mut phases = PhasesLine::default();
    phases.0[Phase::Send as usize] = PhaseFigures {
        p50_ns: 1,
        p99_ns: 2,
        p999_ns: 3,
        p9999_ns: 3,
        max_ns: 4,
    };
    SummaryLine {
        bus_name: None,
        buses: Vec::new(),
        cycles: 600_000,
        period_ns: 1_000_000,
        events: 0,
        dropped_events: 0,
        overruns: 0,
        overrun_causes: std::collections::BTreeMap::new(),
        digest: "abcd".into(),
        false_alarms: FalseAlarmsLine {
            asked_s: 2_592_000,
            extrapolated_s: Some(3_000_000),
            extrapolated_low_s: None,
            demonstrated_s: 640,
            streams: 27,
        },
        process_data: None,
        bus: BusLine {
            lost: 1,
            ..BusLine::default()
        },
        launch: None,
        unpublished: None,
        clock: None,
        phase: Some(PhaseLine {
            p50_ns: 5,
            p99_ns: 6,
            max_ns: 7,
        }),
        coast: CoastLine {
            cycles: 8,
            relock_cycles: Some(9),
        },
        context: None,
        not_judged: Vec::new(),
        shared: None,
        recording: None,
        phases,
        jitter: None,
        trust: Trust::default(),
    }
}

#[test]
fn summary_line_is_the_documented_one() {
    let zero = r#"{"p50_ns":0,"p99_ns":0,"p999_ns":0,"p9999_ns":0,"max_ns":0}"#;
    let expected = format!(
        concat!(
            r#"{{"type":"summary","cycles":600000,"period_ns":1000000,"events":0,"dropped_events":0,"overruns":0,"overrun_causes":{{}},"#,
            r#""digest":"abcd","false_alarms":{{"asked_s":2592000,"extrapolated_s":3000000,"extrapolated_low_s":null,"demonstrated_s":640,"streams":27}},"bus":{{"lost":1,"late":0,"duplicate":0,"foreign":0,"working_counter_errors":0}},"#,
            r#""phase":{{"p50_ns":5,"p99_ns":6,"max_ns":7}},"coast":{{"cycles":8,"relock_cycles":9}},"#,
            r#""phases":{{"wake":{z},"send":{{"p50_ns":1,"p99_ns":2,"p999_ns":3,"p9999_ns":3,"max_ns":4}},"predict":{z},"#,
            r#""receive":{z},"compare":{z},"publish":{z},"correct":{z},"acyclic":{z},"slack":{z}}},"#,
            r#""jitter":null,"trust":{{"realtime_kernel":false,"sched_fifo":false,"memory_locked":false,"timing_valid":false,"#,
            r#""policy":"other","core":null,"isolated":false,"throttling_off":false,"cpu_dma_latency_held":false,"virtual_machine":false,"#,
            r#""wait":null,"workers":0,"workers_granted":0,"rivals":null,"missing":{missing}}}}}"#
        ),
        z = zero,
        missing = serde_json::to_string(&Trust::default().missing().collect::<Vec<_>>()).unwrap()
    );
    assert_eq!(serde_json::to_string(&summary()).unwrap(), expected);
}
