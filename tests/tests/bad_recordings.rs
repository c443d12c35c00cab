//! Broken recordings: the message names file, line and column, and the remedy; nothing runs before all of it was read.
#![allow(
    clippy::disallowed_methods,
    reason = "a motion of a test need not be the same on every platform"
)]
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::fs;

use twinstep_tests::release_binary;
use twinstep_tests::run::{Place, shipped};

/// A recording of ours as lines: the header first.
fn recorded(place: &Place, cycles: u32) -> Vec<String> {
    let path = place.path("good.csv");
    let args = format!(
        "demo --fast --json --cycles {cycles} --seed 1 --record {}",
        path.display()
    );
    assert_eq!(place.twinstep(&args).fine().summary()["cycles"], cycles);
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// `lines` with the cell in line `line` (the header is line 1) below `column` replaced.
fn with_cell(lines: &[String], line: usize, column: &str, cell: &str) -> Vec<String> {
    let at = lines[0].split(',').position(|head| head == column).unwrap();
    let mut lines = lines.to_vec();
    let mut cells: Vec<_> = lines[line - 1].split(',').collect();
    cells[at] = cell;
    lines[line - 1] = cells.join(",");
    lines
}

#[test]
fn recordings_of_ours() {
    let place = Place::new();
    let good = recorded(&place, 20);
    let text = |lines: &[String]| lines.join("\n") + "\n";
    let whole = text(&good);
    let mut swapped = good.clone();
    swapped.swap(4, 5);
    let mut wide = good.clone();
    wide[7].push_str(",0");
    let mut other = good.clone();
    other[0] = other[0].replace("infeed.", "inlet.");
    let mut leap = with_cell(&good, 21, "cycle", "4000000000");
    leap = with_cell(&leap, 21, "time_ns", "4000000000000000");
    let cases: &[(&str, String, &[&str])] = &[
        (
            "cut",
            whole[..whole.len() - 30].to_owned(),
            &["cut.csv, line 21", "cut short", "record it again"],
        ),
        (
            "nan",
            text(&with_cell(&good, 4, "carriage.0x6064", "NaN")),
            &[
                "nan.csv, line 4, column `carriage.0x6064`",
                "`NaN` found",
                "repair the cell",
            ],
        ),
        (
            "huge",
            text(&with_cell(&good, 4, "press.0x6041", "70000")),
            &["huge.csv, line 4, column `press.0x6041`", "`70000` found"],
        ),
        (
            "backwards",
            text(&swapped),
            &[
                "backwards.csv, line 6",
                "cycle 3 follows cycle 4",
                "in the order",
            ],
        ),
        (
            "time",
            text(&with_cell(&good, 6, "time_ns", "1000000")),
            &["time.csv, line 6", "column `time_ns`"],
        ),
        (
            "wide",
            text(&wide),
            &["wide.csv, line 8", "one cell per column"],
        ),
        (
            "other",
            text(&other),
            &["other.csv", "another configuration", "`inlet.", "`infeed."],
        ),
        (
            "leap",
            text(&leap),
            &["leap.csv, line 21", "are missing", "cut the recording"],
        ),
        ("none", good[0].clone() + "\n", &["none.csv", "no rows"]),
        ("empty", String::new(), &["empty.csv", "the file is empty"]),
    ];
    let config = shipped("press-cell.toml").display().to_string();
    for (name, text, says) in cases {
        let path = place.file(&format!("{name}.csv"), text);
        place.refuse(&format!("replay {config} {}", path.display()), 2, says);
        place.refuse(
            &format!("calibrate {config} {}", path.display()),
            2,
            &says[..1],
        );
    }
    place.refuse(
        &format!("replay {config} nosuch.csv"),
        2,
        &["nosuch.csv", "check the path"],
    );
    place.refuse(
        &format!("replay {config} ."),
        2,
        &["directory", "name the CSV file"],
    );
    let emps = shipped("emps.toml").display().to_string();
    place.refuse(
        &format!("replay {emps} {}", place.path("good.csv").display()),
        2,
        &["the machine has none", "[bus]"],
    );
}

/// `lines` with every cell below `column` changed.
fn with_column(lines: &[String], column: &str, change: impl Fn(i64) -> i64) -> Vec<String> {
    let at = lines[0].split(',').position(|head| head == column).unwrap();
    let changed = lines[1..].iter().map(|line| {
        let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
        cells[at] = change(cells[at].parse().unwrap()).to_string();
        cells.join(",")
    });
    std::iter::once(lines[0].clone()).chain(changed).collect()
}

/// Everything that was said, on one line: messages are folded to the width of a page, with a bar at the edge.
fn said(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().filter(|w| *w != "|").collect();
    words.join(" ")
}

#[test]
fn a_recording_of_ours_that_cannot_be_names_the_object_under_which_it_stands() {
    let place = Place::new();
    let good = recorded(&place, 6000);
    let config = shipped("press-cell.toml").display().to_string();
    let calibrate = |name: &str, lines: &[String]| {
        let path = place.file(name, lines.join("\n") + "\n");
        let args = format!("calibrate {config} {} --json", path.display());
        place.run(release_binary(), &args)
    };
    let fine = calibrate("good.csv", &good).fine();
    assert!(
        !said(&fine.stderr).contains("good.csv, column"),
        "{}",
        fine.stderr
    );

    let slow = with_column(&good, "infeed.0x606c", |v| v / 1000);
    let refused = calibrate("slow.csv", &slow);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    for word in [
        "slow.csv, column `infeed.0x606c`",
        "times the derivative of the position",
        "`counts_per_rev`",
    ] {
        assert!(
            said(&refused.stderr).contains(word),
            "{word}: {}",
            refused.stderr
        );
    }

    let odd = with_column(&good, "carriage.0x6077", |_| 100);
    let odd = with_column(&odd, "outfeed.0x6064", |x| x + 30_000_000);
    let odd = with_column(&odd, "pusher.0x6077", |i| (20 * i).clamp(-32_000, 32_000));
    let warned = calibrate("odd.csv", &odd).fine();
    let all = said(&warned.stderr);
    for word in [
        "odd.csv, column `carriage.0x6077`: it never changes, and the position does",
        "odd.csv, column `outfeed.0x6064`: it goes from",
        "odd.csv, column `pusher.0x6077`: it reaches",
        "gripper: not calibrated, column `gripper.0x",
    ] {
        assert!(all.contains(word), "{word}: {all}");
    }
}

#[test]
fn a_short_gap_in_a_recording_of_ours_is_told_and_bridged() {
    let place = Place::new();
    let mut lines = recorded(&place, 20);
    lines.drain(8..11);
    let path = place.file("gap.csv", lines.join("\n") + "\n");
    let config = shipped("press-cell.toml").display().to_string();
    let run = place.twinstep(&format!("replay {config} {} --json", path.display()));
    let run = run.fine();
    assert_eq!(run.summary()["cycles"], 20);
    let events = run.of_type("event");
    let event = &events[0];
    assert_eq!(
        (&event["source"], &event["cycle"]),
        (&"bus".into(), &7.into())
    );
    assert_ne!(
        event["cause"], "frames lost on the bus",
        "what the recording lacks is not what the bus has lost: {event}"
    );
}

/// A table from elsewhere for `emps.toml`: `time`, in milliseconds, of row `n`, and its position.
fn table(time_ms: impl Fn(u32) -> u32, position: impl Fn(u32) -> String) -> String {
    let mut text = String::from("time_s,reference_m,position_m,drive_v\n");
    for n in 0..50 {
        text += &format!(
            "{:.3},0.001,{},0.1\n",
            f64::from(time_ms(n)) / 1000.0,
            position(n)
        );
    }
    text
}

#[test]
fn tables_from_elsewhere() {
    let place = Place::new();
    let still = |_| "0.001".to_owned();
    let good = table(|n| n, still);
    let cases: &[(&str, String, &[&str])] = &[
        (
            "gap",
            table(|n| if n < 20 { n } else { n + 7 }, still),
            &["gap.csv, line 22", "rows are missing", "uneven"],
        ),
        (
            "backwards",
            table(|n| if n == 20 { 18 } else { n }, still),
            &["backwards.csv, line 22", "follows", "segment_by"],
        ),
        (
            "twice",
            table(|n| if n == 20 { 19 } else { n }, still),
            &["twice.csv, line 22", "follows"],
        ),
        (
            "text",
            table(|n| n, |n| if n == 9 { "x".into() } else { "0.001".into() }),
            &["text.csv, line 11, column `position_m`", "`x` found"],
        ),
        (
            "column",
            good.replacen("drive_v", "drive", 1),
            &["column.csv", "`drive_v`", "`drive`", "[recording]"],
        ),
        (
            "cut",
            good[..good.len() - 3].to_owned(),
            &["cut.csv, line 51"],
        ),
        (
            "header",
            "time_s,reference_m,position_m,drive_v\n".into(),
            &["header.csv", "no rows"],
        ),
    ];
    let config = shipped("emps.toml").display().to_string();
    for (name, text, says) in cases {
        let path = place.file(&format!("{name}.csv"), text);
        place.refuse(&format!("replay {config} {}", path.display()), 2, says);
    }
    let path = place.file("good.csv", good);
    let press_cell = shipped("press-cell.toml").display().to_string();
    place.refuse(
        &format!("replay {press_cell} {}", path.display()),
        2,
        &["good.csv", "no recording made by twinstep"],
    );
    assert!(
        place
            .twinstep(&format!("replay {config} {}", path.display()))
            .status
            .success()
    );
}

/// A second and a half of an axis of EMPS' kind that moves both ways: position, velocity and force (m, m/s, N) at row `n`.
fn motion(n: u32) -> (f64, f64, f64) {
    let t = f64::from(n) / 1000.0;
    let x = 0.1 * (4.0 * t).sin() + 0.03 * (9.0 * t).sin();
    let v = 0.4 * (4.0 * t).cos() + 0.27 * (9.0 * t).cos();
    let a = -1.6 * (4.0 * t).sin() - 2.43 * (9.0 * t).sin();
    (x, v, 95.0 * a + 20.0 * v.signum() + 200.0 * v - 3.0)
}

/// `rows` of that motion, each column times its factor: time, reference, position, drive signal.
fn scaled(rows: u32, [time, reference, position, drive]: [f64; 4]) -> String {
    let mut text = String::from("time_s,reference_m,position_m,drive_v\n");
    for n in 0..rows {
        let (x, _, force) = motion(n);
        text += &format!(
            "{},{},{},{}\n",
            time * f64::from(n) / 1000.0,
            reference * x,
            position * x,
            drive * force / 35.15065188248547
        );
    }
    text
}

#[test]
fn what_contradicts_the_configuration_names_its_column() {
    let place = Place::new();
    let config = shipped("emps.toml").display().to_string();
    let still = |_| "0.001".to_owned();
    let cases: &[(&str, String, &[&str])] = &[
        (
            "position",
            scaled(3000, [1.0, 1.0, 1000.0, 1.0]),
            &[
                "column `position_m`",
                "column `reference_m`",
                "a factor of a thousand more",
            ],
        ),
        (
            "reference",
            scaled(3000, [1.0, 1000.0, 1.0, 1.0]),
            &["column `reference_m`", "a factor of a thousand less"],
        ),
        (
            "both",
            scaled(3000, [1.0, 1000.0, 1000.0, 1.0]),
            &["column `position_m`", "the configuration has", "wrong unit"],
        ),
        (
            "drive",
            scaled(3000, [1.0, 1.0, 1.0, 1000.0]),
            &["column `drive_v`", "off by a thousand"],
        ),
        (
            "little",
            scaled(3000, [1.0, 1.0, 1.0, 0.0005]),
            &["column `drive_v`", "off by a thousand"],
        ),
        (
            "time",
            scaled(3000, [1000.0, 1.0, 1.0, 1.0]),
            &[
                "column `time_s`",
                "a step of 1 s where the period is 0.001 s",
            ],
        ),
        (
            "short",
            scaled(120, [1.0; 4]),
            &["column `position_m`", "too short", "at least 200"],
        ),
        (
            "constant",
            table(|n| n, still),
            &["column `position_m`", "does not move"],
        ),
        (
            "sign",
            scaled(3000, [1.0, 1.0, 1.0, -1.0]),
            &["column `drive_v`", "inertia is not positive", "sign"],
        ),
    ];
    for (name, text, says) in cases {
        let path = place.file(&format!("{name}.csv"), text);
        place.refuse(&format!("calibrate {config} {}", path.display()), 2, says);
    }
    let path = place.file("good.csv", scaled(3000, [1.0; 4]));
    let run = place.twinstep(&format!("calibrate {config} {} --json", path.display()));
    let line = run.fine().of_type("calibration").remove(0);
    let mass = line["inverse_dynamics"]["mass_kg"][0].as_f64().unwrap();
    assert!((mass / 95.0 - 1.0).abs() < 0.01, "{line}");
}
