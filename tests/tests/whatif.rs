//! What `whatif` predicts from the twins, against the simulated machine once it was really changed: the plant knows nothing of the twins.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use twinstep_config::machine::{Axis, Machine};
use twinstep_drivers::recording::{AxisRecord, Recording, columns};
use twinstep_tests::run::{Place, number, shipped};
use twinstep_tests::{recordings, release_binary};

/// Length of a run of the changed machine (cycles of 1 ms).
const CYCLES: u64 = 40_000;

/// Currents and following error of an axis.
#[derive(Clone, Copy, Debug)]
struct Figures {
    rms_a: f64,
    peak_a: f64,
    following_m: f64,
}

impl Figures {
    fn of(line: &Value) -> Self {
        Self {
            rms_a: number(line, "rms_a"),
            peak_a: number(line, "peak_a"),
            following_m: number(line, "following_error_m"),
        }
    }

    fn all(self) -> [f64; 3] {
        [self.rms_a, self.peak_a, self.following_m]
    }
}

/// The press cell with one value of one axis changed in its text, table and all.
fn edited(text: &str, axis: &str, key: &str, value: &str) -> String {
    let begin = text.find(&format!("name = \"{axis}\"")).unwrap();
    let at = begin + text[begin..].find(&format!("\n{key} = ")).unwrap() + 1;
    let end = at + text[at..].find('\n').unwrap();
    format!("{}{key} = {value}{}", &text[..at], &text[end..])
}

fn cell() -> String {
    std::fs::read_to_string(shipped("press-cell.toml")).unwrap()
}

fn load(text: &str) -> Machine {
    twinstep_config::load(text, "cell.toml").unwrap()
}

fn axis_of<'a>(machine: &'a Machine, name: &str) -> (usize, &'a Axis) {
    let presses = machine.presses.iter().map(|press| &press.axis);
    let mut all = machine.axes.iter().chain(presses).enumerate();
    all.find(|(_, axis)| axis.name == name).unwrap()
}

/// Runs the simulated machine of `text` and records it.
fn recorded(place: &Place, text: &str, more: &str) -> (Machine, Recording) {
    let config = place.file("changed.toml", text);
    let file = place.path("changed.csv");
    let args = format!(
        "demo --config {} --fast --json --cycles {CYCLES} --seed 5 --state {} --record {} {more}",
        config.display(),
        place.path("state").display(),
        file.display()
    );
    let _ = place.run(release_binary(), &args).fine();
    let machine = load(text);
    let recording = columns(&file, &machine).unwrap();
    (machine, recording)
}

/// What `whatif` says of an axis: as it is, and as it would be.
fn predicted(place: &Place, sets: &[&str], axis: &str) -> (Value, Value) {
    let config = place.file("cell.toml", cell());
    let sets: String = sets.iter().map(|set| format!(" --set {set}")).collect();
    let args = format!("whatif {}{sets} --json", config.display());
    let run = place.run(release_binary(), &args).fine();
    let line = |case: &str| {
        let lines = run.of_type("what_if_axis");
        let mut found = lines.into_iter();
        (found.find(|line| line["case"] == case && line["source"] == axis)).unwrap()
    };
    (line("as_is"), line("would_be"))
}

/// The figures of the last whole rounds of a recording, of `round_s` each; the reference is that of the drive, `dead_s` behind.
fn measured(recording: &Recording, record: &AxisRecord, round_s: f64, dead_s: f64) -> Figures {
    let t = recording.period_s;
    let reference = record.reference_m.as_ref().unwrap();
    let count = record.position_m.len();
    // Cut so that the start, and what is not settled yet, is left out.
    let rounds = ((count as f64 * t - 5.0) / round_s).floor();
    assert!(rounds >= 2.0, "{rounds} rounds of {round_s} s");
    let from = count - (rounds * round_s / t).round() as usize;
    let (mut squares, mut peak_a, mut following_m) = (0.0, 0.0_f64, 0.0_f64);
    for k in from..count {
        let i = record.current_a[k];
        squares += i * i;
        peak_a = peak_a.max(i.abs());
        let back = k as f64 - dead_s / t;
        let (whole, share) = (back as usize, back.fract());
        let wanted = reference[whole] + share * (reference[whole + 1] - reference[whole]);
        following_m = following_m.max((wanted - record.position_m[k]).abs());
    }
    Figures {
        rms_a: (squares / (count - from) as f64).sqrt(),
        peak_a,
        following_m,
    }
}

fn off(predicted: f64, measured: f64) -> f64 {
    predicted / measured - 1.0
}

/// One change: how it is asked for, how the machine is really changed, and what is expected.
struct Case<'a> {
    axis: &'a str,
    set: &'a [&'a str],
    /// Keys of the machine that are changed in its text.
    edits: &'a [(&'a str, &'a str)],
    /// A fault instead.
    fault: &'a str,
    /// Largest errors of RMS current, peak current and following error (1).
    within: [f64; 3],
    /// What a slide rule says: the current as it is, times that.
    naive: f64,
}

impl Case<'_> {
    /// The text of the machine, really changed.
    fn changed(&self) -> String {
        let mut text = cell();
        for (key, value) in self.edits {
            let quoted = format!("\"{value}\"");
            text = match *key {
                "period" => text.replace("period = \"1ms\"", &format!("period = {quoted}")),
                "max_torque_permille" => edited(&text, self.axis, key, value),
                _ => edited(&text, self.axis, key, &quoted),
            };
        }
        text
    }

    /// Predicts and measures; returns a line of the table, and what is further off than it should be.
    fn judge(&self) -> (String, Option<String>) {
        let place = Place::new();
        let (as_is, would_be) = predicted(&place, self.set, self.axis);
        let fault = match self.fault {
            "" => String::new(),
            fault => format!("--inject {fault}"),
        };
        let (machine, recording) = recorded(&place, &self.changed(), &fault);
        let (n, axis) = axis_of(&machine, self.axis);
        let cascade = axis.twin.as_ref().unwrap().cascade.unwrap();
        // Counted in cycles, it goes with the period.
        let dead_s = cascade.dead_time_s * recording.period_s / 0.001;
        let round_s = number(&would_be, "round_s");
        let found = measured(&recording, &recording.axes[n], round_s, dead_s);
        let (was, will) = (Figures::of(&as_is), Figures::of(&would_be));
        let naive = off(was.rms_a * self.naive, found.rms_a);
        let mut line = format!("| {} |", self.set.join(" "));
        let mut offence = None;
        for (c, (will, found)) in will.all().into_iter().zip(found.all()).enumerate() {
            let (unit, factor) = if c < 2 { ("A", 1.0) } else { ("um", 1e6) };
            let (error, as_is) = (off(will, found), off(was.all()[c], found));
            line += &format!(
                " {:.4} / {:.4} {unit} {:+.1} % ({:+.1} %) |",
                will * factor,
                found * factor,
                100.0 * error,
                100.0 * as_is
            );
            // Written so that a figure that is no number is an offence too.
            if error.is_nan() || error.abs() > self.within[c] {
                offence = Some(line.clone());
            }
        }
        line += &format!(" {:+.1} % |", 100.0 * naive);
        // What changes a current by much must be known better than by a slide rule.
        if naive.abs() > 0.05 && off(will.rms_a, found.rms_a).abs() > 0.5 * naive.abs() {
            offence = Some(line.clone());
        }
        (line, offence)
    }
}

fn judge(cases: &[Case<'_>]) {
    let (lines, offences): (Vec<String>, Vec<_>) = cases.iter().map(Case::judge).unzip();
    println!("{}", lines.join("\n"));
    let offences: Vec<String> = offences.into_iter().flatten().collect();
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn more_load_and_friction_draw_the_current_that_was_predicted() {
    let within = [0.05, 0.05, 0.12];
    let load = |axis, set, fault, naive| Case {
        axis,
        set,
        edits: &[],
        fault,
        within,
        naive,
    };
    judge(&[
        load(
            "carriage",
            &["carriage.mass=+20kg"],
            "load:carriage:mass=20kg",
            214.7 / 194.7,
        ),
        load(
            "lift",
            &["lift.mass=+20kg"],
            "load:lift:mass=20kg",
            171.6 / 151.6,
        ),
        load(
            "infeed",
            &["infeed.mass=+20kg"],
            "load:infeed:mass=20kg",
            32.58 / 12.58,
        ),
        load(
            "outfeed",
            &["outfeed.friction=x1.5"],
            "friction:outfeed:factor=1.5",
            1.5,
        ),
        load(
            "pusher",
            &["pusher.friction=x1.5"],
            "friction:pusher:factor=1.5",
            1.5,
        ),
        load(
            "cross",
            &["cross.friction=x1.5"],
            "friction:cross:factor=1.5",
            1.5,
        ),
    ]);
}

#[test]
fn other_motion_gains_and_periods_do_what_was_predicted() {
    let motion = |axis, set, edits, naive| Case {
        axis,
        set,
        edits,
        fault: "",
        within: [0.05, 0.05, 0.12],
        naive,
    };
    judge(&[
        motion(
            "gantry",
            &["gantry.velocity=x1.2", "gantry.acceleration=x1.2"],
            &[("velocity", "1.56m/s"), ("acceleration", "8.4m/s2")],
            1.2,
        ),
        motion(
            "cross",
            &["cross.acceleration=x1.5"],
            &[("acceleration", "7.5m/s2")],
            1.5,
        ),
        motion("insert", &["insert.jerk=x2"], &[("jerk", "200m/s3")], 1.0),
        motion(
            "cross",
            &["cross.position_gain=x0.6"],
            &[("position_gain", "48/s")],
            1.0,
        ),
        motion("infeed", &["period=2ms"], &[("period", "2ms")], 1.0),
        // The following error of a press that goes faster is predicted worse than that of an axis, as docs/whatif.md says.
        Case {
            within: [0.05, 0.05, 0.4],
            ..motion(
                "press",
                &["press.press_velocity=25mm/s"],
                &[("press_velocity", "25mm/s")],
                1.0,
            )
        },
    ]);
}

#[test]
fn at_the_current_limit_an_axis_falls_behind_as_was_predicted() {
    let limited = |axis, set, edits, naive| Case {
        axis,
        set,
        edits,
        fault: "",
        within: [0.05, 0.05, 0.15],
        naive,
    };
    judge(&[
        limited(
            "carriage",
            &["carriage.acceleration=x4", "carriage.jerk=x8"],
            &[("acceleration", "20m/s2"), ("jerk", "800m/s3")],
            4.0,
        ),
        limited(
            "gantry",
            &["gantry.max_torque_permille=640"],
            &[("max_torque_permille", "640")],
            1.0,
        ),
    ]);
}

#[test]
fn a_limit_is_said_and_judged() {
    let place = Place::new();
    let config = place.file("cell.toml", cell());
    let whatif = |more: &str| {
        place.run(
            release_binary(),
            &format!("whatif {} --json --judge{more}", config.display()),
        )
    };
    let as_is = whatif("").fine();
    assert!(as_is.of_type("what_if_change").is_empty());
    let summary = as_is.lines().pop().unwrap();
    assert_eq!(
        (&summary["type"], &summary["axes"]),
        (&"what_if".into(), &9.into())
    );
    assert_eq!(summary["exceeding"], Value::Array(Vec::new()));
    let run = whatif(" --set carriage.acceleration=x4 --set carriage.jerk=x8 --for 20s");
    assert_eq!(run.status.code(), Some(3), "{run:#?}");
    assert_eq!(run.lines().pop().unwrap()["exceeding"][0], "carriage");
    let lines = run.of_type("what_if_axis");
    let carriage = (lines.iter()).find(|l| l["source"] == "carriage" && l["case"] == "would_be");
    let carriage = carriage.unwrap();
    assert_eq!(carriage["exceeds"][0], "current_limit");
    let verdict = carriage["verdict"].as_str().unwrap();
    assert!(
        verdict.starts_with("current limit reached in 2 of 2 moves"),
        "{verdict}"
    );
    assert_eq!(number(carriage, "measured_s"), 20.0);
    let moves = run.of_type("what_if_move");
    assert!((moves.iter()).any(|m| m["part"] == "bush-a" && m["part_n"].as_f64() > Some(5e3)));
}

#[test]
fn a_page_is_written_and_loads_nothing() {
    let place = Place::new();
    let config = place.file("cell.toml", cell());
    let page = place.path("page.html");
    let args = format!(
        "whatif {} --set lift.mass=+20kg --plot {}",
        config.display(),
        page.display()
    );
    let run = place.run(release_binary(), &args).fine();
    assert!(
        run.stdout.contains("8 other axes are as they were"),
        "{run:#?}"
    );
    let text = std::fs::read_to_string(page).unwrap();
    assert_eq!(text.matches("<svg").count(), 3);
    for word in ["<script", "http:", "https:", "src="] {
        assert!(!text.contains(word), "{word}: {text}");
    }
}

#[test]
fn what_is_set_for_all_is_set_where_it_is() {
    let place = Place::new();
    let text = cell();
    // The loops of one axis were never found.
    let from = text.find("[axis.twin.cascade]").unwrap();
    let to = from + 1 + text[from + 1..].find("\n[").unwrap();
    let config = place.file("cell.toml", format!("{}{}", &text[..from], &text[to..]));
    let args = format!(
        "whatif {} --set *.position_gain=x1.1 --json",
        config.display()
    );
    let run = place.run(release_binary(), &args).fine();
    let summary = run.lines().pop().unwrap();
    assert_eq!(
        (&summary["changes"], &summary["axes"]),
        (&8.into(), &8.into())
    );
    let not_set = summary["not_set"].as_array().unwrap();
    assert_eq!(not_set.len(), 1, "{summary}");
    assert_eq!(not_set[0]["source"], "infeed");
    assert_eq!(summary["left_out"][0]["source"], "infeed");
}

#[test]
fn wrong_arguments_are_refused_with_what_there_is() {
    let place = Place::new();
    let cell = place.file("cell.toml", cell());
    let bare = cell_without_twins(&place);
    for (config, more, says) in [
        (&cell, "--set lift.mas=+20kg", "the keys are velocity"),
        (&cell, "--set lft.mass=+20kg", "the axes are infeed"),
        (&cell, "--set lift.mass=20", "it has no unit"),
        (&cell, "--set lift.mass", "write AXIS.KEY=VALUE"),
        (&cell, "--for 0s", "it may be more than 0"),
        (&cell, "--for 30", "it has no unit"),
        (&cell, "--band 2m", "up to 1m"),
        (&cell, "--bus x", "the machine has one"),
        (&cell, "--plot /nowhere/page.html", "--plot"),
        (&cell, "--recording /nowhere.csv", "nowhere.csv"),
        (&bare, "", "twinstep calibrate"),
    ] {
        let args = format!("whatif {} {more}", config.display());
        let run = place.run(release_binary(), &args);
        assert_eq!(run.status.code(), Some(2), "{run:#?}");
        let words: Vec<&str> = run
            .stderr
            .split_whitespace()
            .filter(|w| *w != "|")
            .collect();
        assert!(words.join(" ").contains(says), "{says}: {run:#?}");
    }
}

/// The configuration of a machine that nobody has calibrated.
fn cell_without_twins(place: &Place) -> PathBuf {
    let text = cell();
    let mut kept = String::new();
    let mut twin = false;
    for line in text.lines() {
        if line.starts_with('[') {
            twin = line.contains(".twin");
        }
        if !twin {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    place.file("bare.toml", kept)
}

/// `whatif` with a recording of the EMPS rig: what was measured, and what the twin makes of its targets.
fn emps(place: &Place, config: &Path, recording: &Path) -> [Figures; 2] {
    let args = format!(
        "whatif {} --recording {} --json",
        config.display(),
        recording.display()
    );
    let run = place.run(release_binary(), &args).fine();
    ["measured", "as_is"].map(|case| {
        let lines = run.of_type("what_if_axis");
        let line = lines.iter().find(|line| line["case"] == case).unwrap();
        Figures::of(line)
    })
}

#[test]
fn a_recorded_rig_draws_what_its_twin_says_on_the_half_it_was_not_fitted_on() {
    let test = "a_recorded_rig_draws_what_its_twin_says_on_the_half_it_was_not_fitted_on";
    let Some(folder) = recordings(test) else {
        return;
    };
    let text = std::fs::read_to_string(folder.join("emps/emps_first_half.csv")).unwrap();
    let (head, rows) = text.split_once('\n').unwrap();
    let rows: Vec<&str> = rows.lines().collect();
    let (fit, judged) = rows.split_at(rows.len() / 2);
    let place = Place::new();
    let first = place.file("fit.csv", format!("{head}\n{}\n", fit.join("\n")));
    let second = place.file("judged.csv", format!("{head}\n{}\n", judged.join("\n")));
    let config = place.file("emps.toml", std::fs::read(shipped("emps.toml")).unwrap());
    let args = format!(
        "calibrate {} {} --write --json",
        config.display(),
        first.display()
    );
    let _ = place.run(release_binary(), &args).fine();
    let [measured, predicted] = emps(&place, &config, &second);
    for (c, (will, found)) in predicted.all().into_iter().zip(measured.all()).enumerate() {
        let error = off(will, found);
        println!(
            "{c}: {will:.6} predicted, {found:.6} measured, {:+.2} %",
            100.0 * error
        );
        assert!(error.abs() < 0.02, "{predicted:?} {measured:?}");
    }
}
