//! Health of presses without a twin, through the real binary: a crank whose press gives way has a life, a healthy one has no trend, another part
//! has figures of its own, and with a twin it is followed where somebody asks.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use twinstep_tests::crank::{PART_N_PER_M, forces, swings, table};
use twinstep_tests::press::near;
use twinstep_tests::release_binary;
use twinstep_tests::run::{Place, Run, number, shipped};

/// What parts scatter by, one after the other.
const SCATTER: [f64; 7] = [0.0008, -0.0011, 0.0003, -0.0005, 0.0012, -0.0007, 0.0001];
/// Strokes of a recording: 2 s each.
const STROKES: usize = 40;

/// Stiffness of the parts of a recording, which falls by `falls` from stroke to stroke: what they are met with gives way.
fn parts(falls: f64) -> Vec<f64> {
    let part = |k: usize| 1.0 - falls * k as f64 + SCATTER[k % SCATTER.len()];
    (0..STROKES).map(part).collect()
}

/// The shipped crank press with a `[press.health]` of these keys.
fn config(place: &Place, keys: &str) -> PathBuf {
    let text = fs::read_to_string(shipped("crank-press.toml")).unwrap();
    let before = "# Travel of the ram from its upper dead centre.";
    assert!(text.contains(before), "{before} is no longer there");
    let health = format!("[press.health]\n{keys}\n\n{before}");
    place.file("machine.toml", text.replacen(before, &health, 1))
}

fn replay(place: &Place, config: &Path, table: String) -> Run {
    let table = place.file("run.csv", table);
    let args = format!(
        "replay {} {} --json --state {}",
        config.display(),
        table.display(),
        place.path("state").display()
    );
    place.run(release_binary(), &args).fine()
}

fn one(run: &Run, parameter: &str) -> Value {
    let lines = run.of_type("health");
    let found = lines.iter().find(|line| line["parameter"] == parameter);
    found
        .unwrap_or_else(|| panic!("no {parameter} in {lines:?}"))
        .clone()
}

/// Lower end, middle and upper end of a life.
fn life(line: &Value, unit: &str) -> [f64; 3] {
    let life = line["life"][unit].as_array();
    let life = life.unwrap_or_else(|| panic!("no life: {line}"));
    [0, 1, 2].map(|n| life[n].as_f64().unwrap())
}

#[test]
fn a_press_behind_a_crank_that_gives_way_has_a_life() {
    let place = Place::new();
    let config = config(&place, "gradient_factor = 0.95\ntare = \"2.6kN\"");
    let run = replay(&place, &config, table(&swings(&parts(0.0008), 2000.0)));
    assert!(
        run.of_type("stroke")
            .iter()
            .all(|stroke| stroke["verdict"] == "ok"),
        "{run:?}"
    );
    let gradient = one(&run, "gradient:blank");
    println!("{gradient}");
    assert_eq!(gradient["source"], "ram");
    assert_eq!(gradient["part"], "blank");
    assert_eq!(gradient.get("recipe"), None, "the machine has none");
    assert_eq!(
        (&gradient["unit"], &gradient["inferred"]),
        (&"N/m".into(), &true.into())
    );
    // The first eight strokes are healthy; after forty it has fallen by 3 %.
    let healthy = number(&gradient, "healthy");
    near("healthy", healthy, 0.9972 * PART_N_PER_M, 3e-3);
    near(
        "value",
        number(&gradient, "value"),
        0.9688 * PART_N_PER_M,
        1e-2,
    );
    near("limit", number(&gradient, "limit"), 0.95 * healthy, 1e-9);
    assert_eq!(gradient["trend_significant"], true, "{gradient}");
    // 0.95 of it is reached with stroke 66 or 67.
    let [low, middle, high] = life(&gradient, "strokes");
    assert!(
        low < 33.0 && high > 21.0 && (13.0..54.0).contains(&middle) && low < middle,
        "{gradient}"
    );
    // A stroke takes 2 s, and 64 mm in and back.
    let hours = life(&gradient, "hours");
    near("hours", hours[1], middle * 2.0 / 3600.0, 0.05);
    let metres = life(&gradient, "metres");
    near("metres", metres[1], middle * 2.0 * 0.064, 0.02);
    // Friction stays what it is.
    let tare = one(&run, "tare:blank");
    near("tare", number(&tare, "value"), 2000.0, 1e-2);
    near("limit", number(&tare, "limit"), 2600.0, 1e-9);
    assert_eq!(tare["life"]["state"], "not_yet_known", "{tare}");
    // `check` says where it ends.
    let check = place.twinstep(&format!("check {}", config.display()));
    let said = check.fine().stdout;
    assert!(said.contains("gradient x0.95, tare 2600 N"), "{said}");
}

#[test]
fn a_healthy_one_has_no_trend_and_without_a_limit_no_life() {
    let place = Place::new();
    let config = shipped("crank-press.toml");
    let run = replay(&place, &config, table(&swings(&parts(0.0), 0.0)));
    let gradient = one(&run, "gradient:blank");
    assert_eq!(gradient["trend_significant"], false, "{gradient}");
    let reason = "no limit is set for it";
    assert_eq!(gradient["life"]["reason"], reason, "{gradient}");
    assert_eq!(gradient["limit"], Value::Null);
    near("value", number(&gradient, "value"), PART_N_PER_M, 2e-3);
    // To a person too.
    let args = format!(
        "replay {} {} --state {}",
        config.display(),
        place.path("run.csv").display(),
        place.path("again").display()
    );
    let said = place.run(release_binary(), &args).fine().stdout;
    assert!(
        said.contains("gradient:blank") && said.contains(reason),
        "{said}"
    );
}

#[test]
fn another_part_has_figures_of_its_own_and_a_force_that_is_measured_is_not_inferred() {
    let place = Place::new();
    let text = fs::read_to_string(shipped("crank-press.toml")).unwrap();
    let (machine, recording) = text.split_once("[recording]").unwrap();
    // A sensor on the ram has neither losses nor a counterbalance.
    let machine = machine
        .replace("efficiency = 0.92\nefficiency_back = 0.9\n", "")
        .replace("counterbalance = \"1.5kN\"\n", "");
    let recording = recording.replace("\"current_a\" }", "\"current_a\", unit = \"N\" }");
    let machine = format!(
        "{machine}[[part]]\nname = \"softer\"\ncontact = \"100mm\"\nstiffness = \"1.4kN/mm\"\n\n\
         [context]\npart = {{ column = \"part\" }}\n\n[recording]{recording}"
    );
    let config = place.file("machine.toml", machine);
    // Twelve strokes with the one, four with the other, and so on.
    let is_other = |k: usize| k % 16 >= 12;
    let stiffness = |k: usize| {
        let part = if is_other(k) { 0.96 } else { 1.0 };
        part + SCATTER[k % SCATTER.len()]
    };
    let parts: Vec<f64> = (0..STROKES).map(stiffness).collect();
    let rows = table(&forces(&parts));
    let told: Vec<String> = (rows.lines().enumerate())
        .map(|(n, row)| match n.checked_sub(1) {
            None => format!("{row},part\n"),
            // The next part is told while the ram is out of the last.
            Some(k) if is_other((k / 2000).min(STROKES - 1)) => format!("{row},softer\n"),
            Some(_) => format!("{row},blank\n"),
        })
        .collect();
    let run = replay(&place, &config, told.concat());
    for (part, factor) in [("blank", 1.0), ("softer", 0.96)] {
        let line = one(&run, &format!("gradient:{part}"));
        println!("{line}");
        let expected = factor * PART_N_PER_M;
        near(part, number(&line, "value"), expected, 2e-3);
        near(part, number(&line, "healthy"), expected, 2e-3);
        assert_eq!(
            (&line["part"], &line["inferred"]),
            (&part.into(), &false.into())
        );
        assert_eq!(line["trend_significant"], false, "{line}");
        one(&run, &format!("tare:{part}"));
    }
}

#[test]
fn a_press_with_a_twin_is_followed_where_it_is_asked_for_and_goes_on() {
    let place = Place::new();
    let text = fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let text = text.replacen(
        "[press.motion]",
        "[press.health]\ngradient_factor = 0.8\n\n[press.motion]",
        1,
    );
    let asked = place.file("machine.toml", text);
    let run = |config: &Path| {
        let args = format!(
            "run {} --fast --json --keep-health --cycles 100000 --seed 11 --state {}",
            config.display(),
            place.path("state").display()
        );
        place.run(release_binary(), &args).fine()
    };
    let gradients = |run: &Run| -> Vec<Value> {
        let lines = run.of_type("health");
        let gradients = lines.into_iter().filter(|line| {
            let parameter = line["parameter"].as_str().unwrap_or_default();
            parameter.starts_with("gradient:")
        });
        gradients.collect()
    };
    let first = run(&asked);
    let found = gradients(&first);
    assert!(!found.is_empty(), "{first:?}");
    for line in &found {
        assert_eq!(line["life"]["state"], "not_yet_known", "{line}");
        assert!(number(line, "healthy").is_finite());
    }
    // What was healthy in the first run is in the second.
    let second = run(&asked);
    assert!(second.stderr.contains("health goes on"), "{second:?}");
    for (was, is) in found.iter().zip(gradients(&second)) {
        for key in ["parameter", "part", "recipe", "healthy", "limit"] {
            assert_eq!(was[key], is[key], "{was} {is}");
        }
        assert_ne!(was["value"], is["value"], "{is}");
    }
    // Nobody asks: its twin tells all there is, and nothing that is predicted or found is another.
    let fresh = |config: &Path, state: &str| {
        let args = format!(
            "run {} --fast --json --cycles 20000 --seed 11 --state {}",
            config.display(),
            place.path(state).display()
        );
        place.run(release_binary(), &args).fine()
    };
    let plain = fresh(&shipped("press-cell.toml"), "plain");
    assert!(gradients(&plain).is_empty(), "{plain:?}");
    assert_eq!(fresh(&asked, "asked").digest(), plain.digest());
}
