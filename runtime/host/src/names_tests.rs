use super::*;
use twinstep_config::machine::{Cycle, Judge, Part, Recipe, Station};

/// A machine of one station, two parts and one recipe.
pub(crate) fn small_machine() -> Machine {
    let part = |name: &str| Part {
        name: name.into(),
        contact_m: 0.1,
        stiffness_n_per_m: 1e6,
        curve: None,
        stiffness_spread: 0.0,
        twin: None,
        by_recipe: Vec::new(),
        by_press: Vec::new(),
    };
    Machine {
        name: "cell".into(),
        asset_id: "CELL-1".into(),
        cycle: Cycle {
            period_ns: 1_000_000,
            budget_ns: [None; 9],
            model_budget_ns: [None; 3],
            warm_up_cycles: None,
        },
        judge: Judge {
            false_alarm_interval_s: 2_592_000.0,
            warm_up: None,
            standstill: false,
        },
        realtime: twinstep_config::machine::Realtime::default(),
        bus: None,
        place: None,
        lender: None,
        publish: None,
        tsn: None,
        axes: Vec::new(),
        presses: Vec::new(),
        stations: vec![Station {
            asset_id: Some("G-7".into()),
            ..Station::named("gripper")
        }],
        parts: vec![part("bush"), part("ring")],
        recipes: vec![Recipe {
            name: "a".into(),
            parts: vec![0, 1],
        }],
        schedule: Vec::new(),
        context: Default::default(),
        simulation: None,
        recording: None,
        shared: None,
        text: Default::default(),
        inject: Vec::new(),
    }
}

#[test]
fn indexes_become_names_and_strangers_do_not_panic() {
    let names = Names::of(&small_machine());
    assert_eq!(names.source(Source::Station(0)), "gripper");
    assert_eq!(names.asset_id(Source::Station(0)), "G-7");
    assert_eq!(names.source(Source::Bus), "bus");
    assert_eq!(names.asset_id(Source::Bus), "CELL-1");
    assert_eq!(names.source(Source::Axis(999)), "unknown");
    assert_eq!(names.recipe(Context::of(0, 1)), Some("a"));
    assert_eq!(names.part(Context::of(0, 1)), Some("ring"));
    assert_eq!(names.part(Context::of(0, 9)), None);
    assert_eq!((names.axis_count(), names.station_count()), (0, 1));
}

/// Names of a machine that is one of two buses.
pub(crate) fn on_bus(name: &str) -> Names {
    let mut machine = small_machine();
    machine.place = Some(twinstep_config::machine::BusPlace {
        name: name.to_owned(),
        index: 1,
        count: 2,
    });
    Names::of(&machine)
}

#[test]
fn one_of_several_buses_goes_by_its_name() {
    let names = on_bus("rear");
    assert_eq!(names.bus(), Some("rear"));
    assert_eq!(names.source(Source::Bus), "rear");
    assert_eq!(names.source(Source::Controller), "rear.controller");
    assert_eq!(Names::of(&small_machine()).bus(), None);
}

#[test]
fn what_is_demonstrated_counts_earlier_runs_and_every_alarm() {
    let run = RunInfo::new(Names::default(), "p".into(), 60.0, 0).with_extrapolated(None, 7);
    let before = Exposure {
        seen_ns: 300_000_000_000,
        alarms: 0,
    };
    run.set_exposure(before, 0);
    let line = run.false_alarms(300_000_000_000);
    assert_eq!((line.asked_s, line.streams), (60, 7));
    assert_eq!((line.extrapolated_s, line.demonstrated_s), (None, 200));
    run.set_exposure(before, 1);
    assert_eq!(run.false_alarms(300_000_000_000).demonstrated_s, 126);
}

#[test]
fn time_of_day_counts_from_the_first_cycle() {
    let run = RunInfo::new(Names::default(), "p".into(), 1.0, 5);
    assert_eq!(run.utc_ns(10), 15);
    run.set_start_utc_ns(100);
    assert_eq!(run.utc_ns(10), 110);
}
