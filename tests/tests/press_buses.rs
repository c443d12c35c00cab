//! Two presses of one machine, each on a bus of its own, through the real binary: each learns the parts for itself, is judged by what it has
//! learnt, and the calibration of one bus leaves what the press of the other one has.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::{Value, json};
use std::path::Path;
use twinstep_tests::press::nok;
use twinstep_tests::run::{Place, Run, shipped};

const BUSES: [(&str, &str); 2] = [("one", "press"), ("two", "second")];

/// The press of the press cell alone on a bus, and one like it on another; nothing was calibrated. Each bus draws its own frame.
fn two_presses() -> String {
    let cell = std::fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let (head, rest) = cell.split_once("[bus]\n").unwrap();
    let (_, rest) = rest.split_once("[simulation]\n").unwrap();
    let (_, rest) = rest.split_once("[[press]]\nname = \"press\"\n").unwrap();
    let (press, rest) = rest.split_once("[press.twin]").unwrap();
    let (_, parts) = rest.split_once("[[part]]").unwrap();
    let (parts, recipes) = parts.split_once("[[recipe]]").unwrap();
    let buses = BUSES.map(|(bus, _)| format!("[[bus]]\nname = \"{bus}\"\n\n"));
    let presses = BUSES.map(|(bus, name)| {
        let press = press.replacen("asset_id = \"CELL-07-PRESS\"\n", "", 1);
        format!("[[press]]\nname = \"{name}\"\nbus = \"{bus}\"\n{press}\n")
    });
    let parts = parts.split("[[part]]").map(|part| {
        let (stated, _) = part.split_once("[part.twin]").unwrap_or((part, ""));
        format!("[[part]]{stated}\n")
    });
    format!(
        "{head}{}[simulation]\nmachine_seed = 1\n\n{}{}[[recipe]]{recipes}",
        buses.concat(),
        presses.concat(),
        parts.collect::<String>()
    )
}

fn demo(place: &Place, config: &Path, more: &str) -> Run {
    let args = format!(
        "demo --config {} --json --fast --cycles 60000 {more}",
        config.display()
    );
    place.twinstep(&args).fine()
}

fn calibrate(place: &Place, config: &Path, record: &str, bus: &str) -> Run {
    let args = format!(
        "calibrate {} {} --bus {bus} --write --json",
        config.display(),
        place.path(&format!("{record}.{bus}.csv")).display()
    );
    place.twinstep(&args).fine()
}

/// What `check` says of the press on each bus.
fn checked(place: &Place, config: &Path) -> Vec<Value> {
    let run = place.twinstep(&format!("check {} --json", config.display()));
    let lines = run.fine().of_type("check");
    lines
        .iter()
        .map(|line| line["presses"][0].clone())
        .collect()
}

/// Everything that a press has learnt of parts, as it is written.
fn rows_of_second(text: &str) -> Vec<&str> {
    let rows = text.split("[[part.press_twin]]").skip(1);
    let ends = ["\n[[part]]", "\n[part.twin]", "\n[[recipe]]"];
    let own = rows.map(|row| {
        let ends = ends.iter().filter_map(|end| row.find(end));
        row.split_at(ends.min().unwrap_or(row.len())).0.trim_end()
    });
    own.collect()
}

/// Would show buses that overwrite what the press of another one has learnt, or a press that is judged by the band of another.
#[test]
fn presses_on_two_buses_learn_the_same_parts_each_for_itself() {
    let place = Place::new();
    let config = place.file("machine.toml", two_presses());
    let _ = demo(&place, &config, "--record good.csv");
    for (bus, press) in BUSES {
        let run = calibrate(&place, &config, "good", bus);
        let taught = run.of_type("calibration_envelope");
        let sources: Vec<&Value> = taught.iter().map(|line| &line["source"]).collect();
        assert_eq!(sources, [press, press]);
        // As long as the second has learnt nothing it has no band, least of all that of the first, which has.
        let missing = checked(&place, &config).remove(1)["envelopes_not_taught"].take();
        let expected = if bus == "one" {
            json!(["bush-a", "bush-b"])
        } else {
            json!([])
        };
        assert_eq!(missing, expected, "after {bus}");
    }
    for press in checked(&place, &config) {
        assert_eq!(press["predicts_with"], Value::Null, "{press}");
        assert_eq!(press["envelopes_not_taught"], json!([]), "{press}");
    }
    let machines = || {
        let text = std::fs::read_to_string(&config).unwrap();
        twinstep_config::load_buses(&text, "machine.toml").unwrap()
    };
    // The frames are others, and so is what gives way in series with them.
    let learnt = machines();
    for part in 0..2 {
        let [one, two] = [0, 1].map(|bus| *learnt[bus].learnt_on(0, part).twin.unwrap());
        let apart = one.stiffness_n_per_m / two.stiffness_n_per_m - 1.0;
        println!("part {part}: {one:?} {two:?}, {apart}");
        assert!(apart.abs() > 0.005, "{apart}");
        assert_ne!(one.envelope, two.envelope);
    }
    // Both find good parts good, and the one whose frame has become soft finds its own strokes NOK.
    let of_press = |run: &Run, name: &str| {
        let mut strokes = run.of_type("stroke");
        strokes.retain(|stroke| stroke["source"] == name);
        strokes
    };
    let healthy = demo(&place, &config, "--seed 7 --record other.csv");
    let soft = demo(
        &place,
        &config,
        "--seed 7 --inject stiffness:second:factor=0.8",
    );
    for (_, press) in BUSES {
        let strokes = of_press(&healthy, press);
        assert!(strokes.len() > 10, "{press}: {}", strokes.len());
        for stroke in strokes {
            assert_eq!(nok(&stroke), [] as [&str; 0], "{stroke}");
        }
        let found = of_press(&soft, press);
        let bad = found.iter().filter(|stroke| !nok(stroke).is_empty());
        assert_eq!(bad.count() > 5, press == "second", "{press}");
    }
    // Learnt anew on either bus, the other one keeps what it has, byte by byte.
    let before = std::fs::read_to_string(&config).unwrap();
    let _ = calibrate(&place, &config, "other", "one");
    let after = std::fs::read_to_string(&config).unwrap();
    assert_eq!(rows_of_second(&before).len(), 2, "{before}");
    assert_eq!(rows_of_second(&after), rows_of_second(&before));
    let _ = calibrate(&place, &config, "other", "two");
    let anew = machines();
    for part in 0..2 {
        let twins = |machines: &[twinstep_config::machine::Machine], bus: usize| {
            *machines[bus].learnt_on(0, part).twin.unwrap()
        };
        for bus in 0..2 {
            assert_ne!(twins(&anew, bus), twins(&learnt, bus), "{bus} {part}");
        }
        assert_ne!(twins(&anew, 0), twins(&anew, 1));
    }
}
