//! The shipped files are the machines that they say.

mod buses;
mod context;
mod drives;
mod errors;
mod evaluation;
mod figures;
mod hostile;
mod judge;
mod parts;
mod press_strokes;
mod press_twins;
mod presses;
mod pubsub;
mod realtime;
mod rotary;
mod servo;
mod shared;
mod tsn;
mod twins;

use super::*;
use crate::machine::EffortUnit;

const EMPS: &str = include_str!("../machines/emps.toml");

/// `text` without its twins and what is written above them: what the builder of the machine wrote.
pub(crate) fn without_twins(text: &str) -> String {
    let mut document = text.parse::<toml_edit::DocumentMut>().unwrap();
    for list in ["axis", "press", "part", "station"] {
        let tables = document
            .get_mut(list)
            .and_then(|list| list.as_array_of_tables_mut());
        for table in tables.into_iter().flat_map(|tables| tables.iter_mut()) {
            table.remove("twin");
        }
    }
    document.to_string()
}

/// A machine that is only replayed, as short as it gets.
const REPLAY: &str = r#"[machine]
name = "x"
[cycle]
period = "1ms"
[[axis]]
name = "a"
[axis.twin]
mass = "10kg"
coulomb_positive = "1N"
coulomb_negative = "1N"
viscous = "1N s/m"
position_limit = "1um"
current_limit = "1N"
[axis.twin.cascade]
position_gain = "60/s"
velocity_gain = "5N s/m"
limit = "10N"
[[axis.twin.baseline]]
regime = "acceleration"
mean = "0N"
sigma = "1N"
[recording]
time = { column = "t", unit = "ms" }
segment_by = ["run"]
[[recording.axis]]
axis = "a"
position = { column = "p", unit = "mm", factor = 2 }
current = { column = "u", factor = -3.5, unit = "N" }
"#;

#[test]
fn the_press_cell_is_what_the_issue_asks_for() {
    let cell = load(PRESS_CELL, "press-cell.toml").unwrap();
    assert_eq!(cell.axes.len(), 8);
    assert_eq!(cell.presses.len(), 1);
    assert_eq!(cell.stations.len(), 1);
    assert_eq!(cell.parts.len(), 3);
    assert_eq!(cell.recipes.len(), 1);
    assert_eq!(cell.recipes[0].parts, [0, 1]);
    assert_eq!(cell.cycle.period_ns, 1_000_000);
    assert!(cell.cycle.budget_ns.iter().all(Option::is_some));
    assert_eq!(cell.judge.false_alarm_interval_s, 2_592_000.0);
    assert_eq!(cell.simulation.unwrap().machine_seed, 1);
    let bus = cell.bus.unwrap();
    assert_eq!(bus.interface, None);
    assert_eq!(bus.tap, None);
    assert_eq!(bus.subdevices.len(), 10);
    assert_eq!(bus.subdevices[8].name, "press");
    assert_eq!(bus.subdevices[0].outputs, objects::DRIVE_OUTPUTS);
    assert_eq!(bus.subdevices[9].inputs, objects::STATION_INPUTS);
    assert_eq!(bus.frame_shift_ns, 200_000);
    let lift = cell.axes.iter().find(|axis| axis.name == "lift").unwrap();
    assert_eq!(lift.drive.feed_m_per_rev, 16e-3);
    assert_eq!(lift.plant.as_ref().unwrap().gravity, 1.0);
    assert_eq!(lift.effort_unit, EffortUnit::Ampere);
    let press = &cell.presses[0];
    assert_eq!(press.axis.motion.start_m, press.stroke.top_m);
    assert_eq!(press.axis.motion.program.len(), 3);
    assert_eq!(cell.parts[1].stiffness_n_per_m, 1.9e6);
}

#[test]
fn emps_is_replayed_as_a_force() {
    let emps = load(EMPS, "emps.toml").unwrap();
    assert_eq!(emps.bus, None);
    let axis = &emps.axes[0];
    assert_eq!(axis.effort_unit, EffortUnit::Newton);
    // What calibration found may change with it; that all of it is a force does not.
    let twin = axis.twin.as_ref().unwrap();
    assert_eq!(twin.force_constant_n_per_a, 1.0);
    let limit_n = twin.cascade.unwrap().limit_a;
    assert!(twin.coulomb_positive_n > 0.0 && twin.coulomb_positive_n < limit_n);
    assert!(twin.gravity_n.abs() < twin.coulomb_positive_n);
    let map = emps.recording.unwrap();
    assert_eq!(map.time.factor, 1.0);
    assert_eq!(map.axes[0].current.name, "drive_v");
    assert_eq!(map.axes[0].current.factor, 35.150_651_882_485_47);
    assert!(!map.uneven);
}

#[test]
fn columns_have_their_factor_to_si() {
    let map = load(REPLAY, "replay.toml").unwrap().recording.unwrap();
    assert_eq!(map.time.factor, 1e-3);
    assert_eq!(map.axes[0].position.factor, 2e-3);
    assert_eq!(map.axes[0].current.factor, -3.5);
    assert_eq!(map.segment_by, ["run"]);
    let turned = REPLAY.replace("unit = \"mm\", factor = 2", "unit = \"rev\"");
    // The neutral drive moves 1 m a turn.
    let map = load(&turned, "replay.toml").unwrap().recording.unwrap();
    assert!((map.axes[0].position.factor - 1.0).abs() < 1e-15);
}

/// The press cell with SubDevices of real images: a coupler with a terminal at port B, and the cell behind port C.
const BRANCH: &str = r#"
[[bus.subdevice]]
name = "coupler"
sii = "ek1100.bin"
[[bus.subdevice]]
name = "valves"
sii = "images/el2004.bin"
[[bus.subdevice]]
name = "infeed"
behind = "coupler"
port = "C"
"#;

fn branched(branch: &str, order: &str) -> String {
    let cell = PRESS_CELL.replace(
        "subdevices = [\n",
        &format!("subdevices = [\n    {order}\n"),
    );
    assert_ne!(cell, PRESS_CELL);
    cell + branch
}

#[test]
fn subdevices_have_images_and_places() {
    let text = branched(BRANCH, "\"coupler\", \"valves\",");
    let bus = load(&text, "it.toml").unwrap().bus.unwrap();
    let names: Vec<&str> = bus.subdevices.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names[..3], ["coupler", "valves", "infeed"]);
    assert_eq!(names.len(), 12);
    let image = bus.subdevices[1].sii.as_ref().unwrap();
    assert_eq!(
        (image.path.as_str(), image.bytes.len()),
        ("images/el2004.bin", 0)
    );
    let place = bus.subdevices[2].behind.unwrap();
    assert_eq!((place.subdevice, place.port), (0, 2));
    assert_eq!(bus.subdevices[1].behind, None);
}

#[test]
fn cables_that_cannot_be_are_refused() {
    let order = "\"coupler\", \"valves\",";
    let said = |branch: &str, order: &str, words: &str| {
        let error = load(&branched(branch, order), "it.toml")
            .unwrap_err()
            .plain();
        assert!(error.contains(words), "{words}: {error}");
    };
    said(
        &BRANCH.replace("\"C\"", "\"E\""),
        order,
        "write \"B\", \"C\" or \"D\"",
    );
    said(
        &BRANCH.replace("\"C\"", "\"B\""),
        order,
        "another one hangs already",
    );
    said(
        &BRANCH.replace("\"C\"", "\"D\""),
        order,
        "they pass coupler, infeed",
    );
    said(
        &BRANCH.replace("behind = \"coupler\"", ""),
        order,
        "`behind` is missing",
    );
    said(
        &BRANCH.replace("behind = \"coupler\"", "behind = \"gantry\""),
        order,
        "comes after",
    );
    said(
        &BRANCH.replace("behind = \"coupler\"", "behind = \"x\""),
        order,
        "there is no SubDevice",
    );
    said(
        &BRANCH.replace("\"infeed\"", "\"nobody\""),
        order,
        "there is no axis, press or station",
    );
    said(
        &BRANCH.replace("\"valves\"\nsii", "\"lift\"\nsii"),
        "",
        "taken already",
    );
    said(BRANCH, "\"coupler\",", "leaves out valves");
}
