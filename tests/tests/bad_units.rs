//! A recording in the wrong unit, or one that contradicts the configuration: `calibrate` refuses it or says so, `replay`
//! says so, and both name the column.
#![allow(
    clippy::disallowed_methods,
    reason = "a motion of a test need not be the same on every platform"
)]
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use twinstep_tests::run::{Place, Run, shipped};

/// One axis with a drive, a program from -150 mm to 150 mm and a recorded velocity; nothing is calibrated.
const CONFIG: &str = r#"[machine]
name = "one axis"
[cycle]
period = "1ms"
[[axis]]
name = "slide"
[axis.drive]
lead = "20mm"
counts_per_rev = 1048576
rated_current = "6A"
torque_constant = "0.8N m/A"
position_gain = "60/s"
velocity_gain = "60A s/m"
velocity_integral_time = "10ms"
current_time_constant = "0.5ms"
[axis.motion]
start = "-150mm"
velocity = "1m/s"
acceleration = "10m/s2"
jerk = "200m/s3"
program = [{ to = "150mm" }, { to = "-150mm" }]
[recording]
time = { column = "t", unit = "s" }
[[recording.axis]]
axis = "slide"
reference = { column = "target", unit = "m" }
position = { column = "actual", unit = "m" }
velocity = { column = "speed", unit = "m/s" }
current = { column = "amps", unit = "A" }
"#;

/// Names of the columns, in the order of the factors.
const HEADER: &str = "t,target,actual,speed,amps\n";

/// `count` rows, changed by `change` in turn, each column times its factor.
fn rows(count: usize, change: impl Fn(usize, [f64; 5]) -> [f64; 5], factors: [f64; 5]) -> String {
    let mut text = HEADER.to_owned();
    for k in 0..count {
        let t = k as f64 / 1000.0;
        let x = 0.1 * (4.0 * t).sin() + 0.03 * (9.0 * t).sin();
        let v = 0.4 * (4.0 * t).cos() + 0.27 * (9.0 * t).cos();
        let a = -1.6 * (4.0 * t).sin() - 2.43 * (9.0 * t).sin();
        let i = 0.3 * a + 0.5 * v.signum() + 1.0 * v;
        let row = change(k, [t, x, x, v, i]);
        let cells: Vec<String> = (row.iter().zip(factors))
            .map(|(v, f)| (v * f).to_string())
            .collect();
        text += &(cells.join(",") + "\n");
    }
    text
}

/// Three seconds of motion, each column times its factor: time, target, position, velocity, current.
fn scaled(factors: [f64; 5]) -> String {
    rows(3000, |_, row| row, factors)
}

/// Three seconds of motion, changed row by row.
fn changed(change: impl Fn(usize, [f64; 5]) -> [f64; 5]) -> String {
    rows(3000, change, [1.0; 5])
}

/// Everything that was said, on one line.
fn said(run: &Run) -> String {
    let all = format!("{} {}", run.stderr, run.stdout);
    // Messages are folded to the width of a page, with a bar at the edge.
    (all.split_whitespace().filter(|word| *word != "|"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// Code 2.
    Refused,
    /// Code 0, and it says so.
    Warned,
    /// Code 0: what lacks is only needed for a fit.
    Fine,
}

#[test]
fn every_contradiction_names_its_column() {
    use End::{Fine, Refused, Warned};
    let place = Place::new();
    let config = place.file("one.toml", CONFIG).display().to_string();
    let milli = 1e-3;
    // Name, recording, how calibrate ends, how replay ends, words of both.
    let cases: &[(&str, String, End, End, &[&str])] = &[
        (
            "position",
            scaled([1.0, 1.0, 1e3, 1.0, 1.0]),
            Refused,
            Warned,
            &[
                "column `actual`",
                "column `target`",
                "a factor of a thousand more",
                "mm for m",
            ],
        ),
        (
            "position-small",
            scaled([1.0, 1.0, milli, 1.0, 1.0]),
            Refused,
            Warned,
            &["column `actual`", "a factor of a thousand less"],
        ),
        (
            "target",
            scaled([1.0, 1e3, 1.0, 1.0, 1.0]),
            Refused,
            Warned,
            &["column `target`", "a factor of a thousand"],
        ),
        (
            "lengths",
            scaled([1.0, 1e3, 1e3, 1e3, 1.0]),
            Refused,
            Warned,
            &[
                "column `actual`",
                "travel of the motion program",
                "mm for m",
            ],
        ),
        (
            "velocity",
            scaled([1.0, 1.0, 1.0, 1e3, 1.0]),
            Refused,
            Warned,
            &[
                "column `speed`",
                "derivative of the position",
                "mm/s for m/s",
            ],
        ),
        (
            "velocity-small",
            scaled([1.0, 1.0, 1.0, milli, 1.0]),
            Refused,
            Warned,
            &["column `speed`", "derivative of the position"],
        ),
        (
            "velocity-still",
            scaled([1.0, 1.0, 1.0, 0.0, 1.0]),
            Warned,
            Warned,
            &["column `speed`", "never changes, and the position does"],
        ),
        (
            "target-still",
            scaled([1.0, 0.0, 1.0, 1.0, 1.0]),
            Warned,
            Warned,
            &["column `target`", "never changes, and the position does"],
        ),
        (
            "current",
            scaled([1.0, 1.0, 1.0, 1.0, 1e3]),
            Refused,
            Warned,
            &["column `amps`", "off by a thousand", "mA for A"],
        ),
        (
            "current-small",
            scaled([1.0, 1.0, 1.0, 1.0, milli]),
            Refused,
            Warned,
            &["column `amps`", "off by a thousand", "A for mA"],
        ),
        (
            "rated",
            scaled([1.0, 1.0, 1.0, 1.0, 20.0]),
            Warned,
            Warned,
            &[
                "column `amps`",
                "the drive gives 18.0000 A",
                "`rated_current`",
            ],
        ),
        (
            "time",
            scaled([1e3, 1.0, 1.0, 1.0, 1.0]),
            Refused,
            Refused,
            &["column `t`", "milliseconds?"],
        ),
        (
            "time-small",
            scaled([milli, 1.0, 1.0, 1.0, 1.0]),
            Refused,
            Refused,
            &[
                "column `t`",
                "a step of 0.000001 s where the period is 0.001 s",
                "thousandth",
            ],
        ),
        (
            "time-still",
            scaled([0.0, 1.0, 1.0, 1.0, 1.0]),
            Refused,
            Refused,
            &["column `t`", "follows"],
        ),
        (
            "uneven",
            changed(|k, mut row| {
                if k == 1000 {
                    row[0] += 0.0003;
                }
                row
            }),
            Refused,
            Refused,
            &[
                "uneven.csv, line 1002",
                "column `t`",
                "10 % are allowed",
                "uneven",
            ],
        ),
        (
            "travel",
            scaled([1.0, 2.0, 2.0, 2.0, 1.0]),
            Warned,
            Warned,
            &["column `actual`", "beyond the motion program", "-0.15"],
        ),
        (
            "one-way",
            changed(|_, [t, ..]| {
                let x = 0.05 * t - 0.1 + 0.01 * (6.0 * t).sin() / 6.0;
                let v = 0.05 + 0.01 * (6.0 * t).cos();
                [t, x, x, v, 1.0 + v - 0.02 * (6.0 * t).sin()]
            }),
            Refused,
            Fine,
            &["column `actual`", "positive direction only"],
        ),
        (
            "still",
            changed(|_, [t, _, _, _, i]| [t, 0.1, 0.1, 0.0, i]),
            Refused,
            Warned,
            &["column `actual`", "does not move"],
        ),
        (
            "current-still",
            changed(|_, [t, r, x, v, _]| [t, r, x, v, 0.7]),
            Refused,
            Warned,
            &["column `amps`", "never changes"],
        ),
        (
            "short",
            rows(120, |_, row| row, [1.0; 5]),
            Refused,
            Fine,
            &["column `actual`", "too short"],
        ),
    ];
    let mut wrong = Vec::new();
    for (name, text, calibrate, replay, words) in cases {
        let path = place
            .file(&format!("{name}.csv"), text)
            .display()
            .to_string();
        for (command, end) in [("calibrate", calibrate), ("replay", replay)] {
            let run = place.twinstep(&format!("{command} {config} {path} --json"));
            let (code, all) = (run.status.code(), said(&run));
            let wanted = if *end == Refused { 2 } else { 0 };
            let lacks: Vec<_> = words
                .iter()
                .filter(|w| *end != Fine && !all.contains(**w))
                .collect();
            if code != Some(wanted) || !lacks.is_empty() {
                wrong.push(format!(
                    "{name}: {command} ended with {code:?}, and {lacks:?} is not in: {}",
                    all.chars().take(900).collect::<String>()
                ));
            }
            assert!(
                *end != Refused || run.stdout.is_empty(),
                "{name}: {command} printed results: {run:#?}"
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Where steps may differ nobody refuses one, and what is interpolated has the period whatever the table says.
#[test]
fn a_time_in_another_unit_is_seen_where_sampling_is_uneven() {
    let place = Place::new();
    for uneven in ["uneven", "resample"] {
        let text = format!(
            "{}\n",
            CONFIG.replace("[recording]", &format!("[recording]\n{uneven} = true"))
        );
        let config = place.file("uneven.toml", text).display().to_string();
        for (factor, says) in [
            (
                1e3,
                [
                    "1 s apart in the middle",
                    "a thousand times that",
                    "in milliseconds?",
                ],
            ),
            (
                1e-3,
                ["s apart in the middle", "a thousandth", "in seconds"],
            ),
        ] {
            let factors = [factor, 1.0, 1.0, 1.0, 1.0];
            let path = place.file("time.csv", rows(400, |_, row| row, factors));
            for (command, code) in [("calibrate", 2), ("replay", 0)] {
                let run = place.twinstep(&format!("{command} {config} {} --json", path.display()));
                let all = said(&run);
                assert_eq!(run.status.code(), Some(code), "{uneven}: {run:?}");
                assert!(all.contains("column `t`"), "{uneven}, {command}: {all}");
                for word in says {
                    assert!(
                        all.contains(word),
                        "{uneven}, {command}: no {word} in {all}"
                    );
                }
            }
        }
        // A gap is none, however long.
        let gap = changed(|k, mut row| {
            row[0] += if k < 1500 { 0.0 } else { 4.0 };
            row
        });
        let path = place.file("gap.csv", gap);
        let run = place.twinstep(&format!("calibrate {config} {} --json", path.display()));
        assert!(!said(&run.fine()).contains("column `t`"), "{uneven}");
    }
}

#[test]
fn a_recording_that_fits_is_taken_without_a_word() {
    let place = Place::new();
    let config = place.file("one.toml", CONFIG).display().to_string();
    let path = place
        .file("good.csv", scaled([1.0; 5]))
        .display()
        .to_string();
    for command in ["calibrate", "replay"] {
        let run = place
            .twinstep(&format!("{command} {config} {path} --json"))
            .fine();
        assert!(!said(&run).contains("column `"), "{run:#?}");
    }
}

#[test]
fn the_page_is_drawn_from_the_judge_and_readable_for_whom_the_umask_allows() {
    let place = Place::new();
    let config = place.file("one.toml", CONFIG).display().to_string();
    let recording = place.file("good.csv", scaled([1.0; 5]));
    let page = place.path("page.html");
    let args = format!(
        "calibrate {config} {} --report {} --json",
        recording.display(),
        page.display()
    );
    assert!(place.twinstep(&args).status.success());
    let text = fs::read_to_string(&page).unwrap();
    let figures: Vec<_> = text.split("<figure>").skip(1).collect();
    let shown = [
        ("Drive signal as current_load judges it", 2),
        ("Residual of current_load", 1),
        ("Position in free run", 2),
        ("Residual of the position", 1),
    ];
    assert_eq!(figures.len(), shown.len(), "{text}");
    for (figure, (title, lines)) in figures.iter().zip(shown) {
        assert!(figure.contains(title), "{title}: {figure}");
        assert_eq!(figure.matches("d=\"M").count(), lines, "{title}: {figure}");
    }
    // The recording was written by this process, under the same umask.
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&page), mode(&recording));
    // A page that is there keeps its own permissions.
    fs::set_permissions(&page, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(place.twinstep(&args).status.success());
    assert_eq!(mode(&page), 0o640);
}

/// A chamber under vacuum, and a press whose force is measured on the ram.
const STATION: &str = r#"[machine]
name = "chamber"
[cycle]
period = "100ms"
[[station]]
name = "chamber"
pressure_per_count = "1mbar"
leak_limit = "4mbar/s"
[station.twin]
final_pressure = "300mbar"
leak = "0.4mbar/s"
leak_sigma = "0.3mbar/s"
noise = "2mbar"
[recording]
time = { column = "t", unit = "s" }
[[recording.station]]
station = "chamber"
pressure = { column = "p", unit = "mbar" }
"#;

#[test]
fn pressures_and_forces_in_another_unit_name_their_column() {
    let place = Place::new();
    let station = place.file("station.toml", STATION).display().to_string();
    type Reading = fn(f64) -> f64;
    let chamber = |name: &str, pressure: Reading| {
        let rows = (0..300).map(|k| {
            let t = f64::from(k) / 10.0;
            format!("{t},{}\n", pressure(300.0 + 0.5 * t + (7.0 * t).sin()))
        });
        let text = format!("t,p\n{}", rows.collect::<String>());
        let path = place.file(&format!("{name}.csv"), text);
        place.twinstep(&format!("replay {station} {} --json", path.display()))
    };
    let cases: [(&str, Reading, &str); 4] = [
        ("pascals", |p| 100.0 * p, "in another unit"),
        ("bars", |p| p / 1000.0, "in another unit"),
        ("off", |p| 1013.25 - (1013.25 - p) / 1000.0, "a thousandth"),
        ("constant", |_| 300.0, "it never changes"),
    ];
    for (name, pressure, word) in cases {
        let said = said(&chamber(name, pressure));
        assert!(
            said.contains("column `p`") && said.contains(word),
            "{name}: {said}"
        );
    }
    let good = chamber("good", |p| p).fine();
    assert!(!said(&good).contains("column `"), "{good:?}");

    let press = shipped("switch-force.toml").display().to_string();
    let stroke = |name: &str, travel: f64, force: f64| {
        let way = |um: i32| {
            let contact = f64::from((um - 100).max(0));
            format!("{},{}\n", f64::from(um) * travel, contact * 0.02 * force)
        };
        let down = (0..800).map(|k| way(5 * k));
        let up = (0..800).rev().map(|k| way(5 * k));
        let text = format!("travel_um,force_gf\n{}", down.chain(up).collect::<String>());
        let path = place.file(&format!("{name}.csv"), text);
        place.twinstep(&format!("replay {press} {} --json", path.display()))
    };
    let millimetres = said(&stroke("millimetres", 1e-3, 1.0));
    assert!(
        millimetres.contains("column `travel_um`") && millimetres.contains("travel of the stroke"),
        "{millimetres}"
    );
    let heavy = said(&stroke("heavy", 1.0, 1e3));
    assert!(
        heavy.contains("column `force_gf`") && heavy.contains("a factor of a thousand more"),
        "{heavy}"
    );
    let good = stroke("good", 1.0, 1.0).fine();
    assert!(!said(&good).contains("column `"), "{good:?}");
}
