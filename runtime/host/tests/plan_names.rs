//! The name of a plan stands in records and stores: it is another one where a parameter is, and not because a struct has grown.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its own files has failed"
)]

use twinstep_host::plan::PlanStore;

fn name(text: &str) -> String {
    let machine = twinstep_config::load(text, "machine.toml").unwrap();
    PlanStore::new(&machine).hash()
}

/// The machine of the Cranfield recordings, as one was written that knew no speeds of healthy movements.
fn cranfield() -> String {
    let text = include_str!("../../../rt-config/machines/cranfield.toml");
    let lines = text.lines();
    let older = lines.filter(|line| !line.starts_with("slowest") && !line.starts_with("fastest"));
    older.fold(String::new(), |text, line| text + line + "\n")
}

#[test]
fn a_plan_with_signatures_is_called_as_it_was_before_they_knew_speeds() {
    let text = cranfield();
    assert_eq!(name(&text), "f41d7f7e3673565a");
    // What is configured is another plan.
    let with = include_str!("../../../rt-config/machines/cranfield.toml");
    assert_ne!(name(with), name(&text));
    let other = text.replacen("settle = \"", "settle = \"1", 1);
    assert_ne!(other, text);
    assert_ne!(name(&other), name(&text));
}

#[test]
fn machines_are_called_as_they_were_before_stations_knew_dead_times() {
    let buses = include_str!("../../../rt-config/machines/two-buses.toml");
    let buses = twinstep_config::load_buses(buses, "two-buses.toml").unwrap();
    let names: Vec<_> = (buses.iter().zip(["front", "rear"]))
        .map(|(machine, bus)| PlanStore::new(machine).hash_on(bus))
        .collect();
    assert_eq!(names, ["91307f748acb3526", "0cfb478e40cf8259"]);
    // A dead time, of whole cycles or of less than one, is another plan.
    let delayed = |delay_s| {
        let mut machine = buses[0].clone();
        let twin = machine.stations[0].twin.as_mut().unwrap();
        twin.valve_delay_s = delay_s;
        PlanStore::new(&machine).hash_on("front")
    };
    let none = delayed(None);
    let others = [0.0, 0.0004, 0.02].map(|delay_s| delayed(Some(delay_s)));
    assert_eq!(others[0], none);
    assert!(others[1] != none && others[2] != none && others[1] != others[2]);
}
