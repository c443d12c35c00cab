//! Every shipped machine whose recordings come from elsewhere: each of its columns a thousand times and a thousandth of what it should
//! be. `calibrate` refuses it, `replay` says so, and both name the column. Recordings are made up, so that nobody needs the public ones; where
//! those are there, they are tried too.
#![allow(
    clippy::disallowed_methods,
    reason = "a motion of a test need not be the same on every platform"
)]
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::fmt::Write as _;
use twinstep_tests::run::{Place, Run, shipped};
use twinstep_tests::{recordings, release_binary};

/// A shipped machine and what is done to its recordings.
struct Machine {
    config: &'static str,
    /// A public recording of it.
    recording: &'static str,
    /// One that is made up.
    made_up: fn() -> String,
    /// Columns that are scaled together, and whether `calibrate` fits this machine at all.
    columns: &'static [&'static [&'static str]],
    calibrated: bool,
}

const MACHINES: [Machine; 5] = [
    Machine {
        config: "emps.toml",
        recording: "emps/emps_first_half.csv",
        made_up: emps,
        columns: &[
            &["time_s"],
            &["reference_m"],
            &["position_m"],
            &["drive_v"],
            &["reference_m", "position_m"],
        ],
        calibrated: true,
    },
    Machine {
        config: "cranfield.toml",
        recording: "cranfield_ema/normal_20kg_runs1-5.csv",
        made_up: cranfield,
        columns: &[
            &["time_s"],
            &["set_point_mm"],
            &["position_error_mm"],
            &["current_a"],
            &["set_point_mm", "position_error_mm"],
        ],
        calibrated: true,
    },
    Machine {
        config: "hsm150.toml",
        recording: "hsm150/idf_neg_0.045_1.csv",
        made_up: hsm150,
        columns: &[
            &["time_s"],
            &["position_rad"],
            &["velocity_rad_s"],
            &["current_a"],
            &["position_rad", "velocity_rad_s"],
        ],
        calibrated: true,
    },
    Machine {
        config: "pneumatic-leak.toml",
        recording: "pneumatic_leak/Aluminium.csv",
        made_up: chamber,
        columns: &[&["time_ms"], &["pressure_bar"]],
        calibrated: true,
    },
    Machine {
        config: "switch-force.toml",
        recording: "switch_force/durock-koala.csv",
        made_up: switch,
        columns: &[&["travel_um"], &["force_gf"]],
        calibrated: false,
    },
];

/// White noise from -0.5 to 0.5, always the same.
fn noise(state: &mut u64) -> f64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
}

/// Five seconds of a carriage whose drive follows two tones.
fn emps() -> String {
    let mut text = "time_s,reference_m,position_m,drive_v\n".to_owned();
    let mut state = 3;
    for k in 0..5000 {
        let t = f64::from(k) / 1000.0;
        let x = 0.1 + 0.06 * (2.0 * t).sin() + 0.01 * (7.0 * t).sin();
        let v = 0.12 * (2.0 * t).cos() + 0.07 * (7.0 * t).cos();
        let a = -0.24 * (2.0 * t).sin() - 0.49 * (7.0 * t).sin();
        let force_n = 95.0 * a + 203.5 * v + 20.4 * v.signum() - 3.1 + noise(&mut state);
        let reference = x + (force_n / 8947.2 + v) / 159.86;
        let drive = force_n / 35.150_651_882_485_47;
        writeln!(text, "{t},{reference},{x},{drive}").unwrap();
    }
    text
}

/// Three movements out and back at 24 mm/s.
fn cranfield() -> String {
    let mut text = "cycle,time_s,set_point_mm,position_error_mm,current_a,run\n".to_owned();
    let mut state = 5;
    for cycle in 1..=3 {
        let mut at_mm = 20.0;
        for k in 0..324 {
            let step_mm = match k {
                0..125 => 0.96,
                162..287 => -0.96,
                _ => 0.0,
            };
            at_mm += step_mm;
            let error_mm = 2.0 * step_mm + 0.7 * noise(&mut state);
            let current = if step_mm == 0.0 { 0.4 } else { 0.93 } + 0.1 * noise(&mut state);
            let t = 0.04 * f64::from(k);
            writeln!(text, "{cycle},{t:.2},{at_mm},{error_mm},{current},1").unwrap();
        }
    }
    text
}

/// Twenty seconds under two constant torques.
fn hsm150() -> String {
    let mut text = "time_s,position_rad,velocity_rad_s,current_a\n".to_owned();
    let (mut x, mut v, mut state) = (0.0, 0.0_f64, 7);
    for k in 0..20_000 {
        let mean = if k < 10_000 { 1.1 } else { 1.21 };
        let current = mean + 0.3 * noise(&mut state);
        let t = f64::from(k) / 1000.0;
        let encoder = x + 1e-3 * noise(&mut state);
        writeln!(text, "{t},{encoder},{v},{current}").unwrap();
        let push = current - 0.14 - 0.0013 * v - 0.776;
        v = (v + push / 2.03e-3 / 1000.0).max(0.0);
        x += v / 1000.0;
    }
    text
}

/// Twenty seconds of a chamber that holds.
fn chamber() -> String {
    let mut text = "time_ms,pressure_bar\n".to_owned();
    let mut state = 9;
    for k in 0..200 {
        let bar = 7.3 - 5e-5 * f64::from(k) + 3e-3 * noise(&mut state);
        writeln!(text, "{},{bar}", 100 * k).unwrap();
    }
    text
}

/// A stroke against a spring, in and out.
fn switch() -> String {
    let way = |um: i32| format!("{um},{}\n", 0.02 * f64::from((um - 100).max(0)));
    let (down, up) = (
        (0..800).map(|k| way(5 * k)),
        (0..800).rev().map(|k| way(5 * k)),
    );
    format!("travel_um,force_gf\n{}", down.chain(up).collect::<String>())
}

/// A table with some of its columns times `factor`.
fn scaled(text: &str, columns: &[&str], factor: f64) -> String {
    let (header, rows) = text.split_once('\n').unwrap();
    let names: Vec<&str> = header.trim().split(',').collect();
    let places: Vec<usize> = columns
        .iter()
        .map(|c| names.iter().position(|n| n == c).unwrap())
        .collect();
    let mut out = format!("{}\n", header.trim());
    for row in rows.lines() {
        let mut cells: Vec<String> = row.split(',').map(|cell| cell.trim().to_owned()).collect();
        for place in &places {
            cells[*place] = (factor * cells[*place].parse::<f64>().unwrap()).to_string();
        }
        out += &(cells.join(",") + "\n");
    }
    out
}

/// Everything that was said, on one line.
fn said(run: &Run) -> String {
    let all = format!("{} {}", run.stderr, run.stdout);
    // Messages are folded to the width of a page, with a bar at the edge.
    (all.split_whitespace().filter(|word| *word != "|"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// What is wrong with what is said of the recording `text`, with every column in turn off by a thousand.
fn tried(machine: &Machine, text: &str, wrong: &mut Vec<String>) {
    let place = Place::new();
    let config = shipped(machine.config).display().to_string();
    let run = |command: &str, text: &str| {
        let path = place.file("off.csv", text);
        let args = format!("{command} {config} {} --json", path.display());
        place.run(release_binary(), &args)
    };
    let good = run("replay", text);
    if !good.status.success() || said(&good).contains("column `") {
        wrong.push(format!("{} as it is: {}", machine.config, said(&good)));
    }
    for columns in machine.columns {
        for factor in [1e3, 1e-3] {
            let off = scaled(text, columns, factor);
            // A table without even steps is refused when it is read, whoever reads it.
            let unread = columns[0].starts_with("time") && machine.config != "pneumatic-leak.toml";
            // A thousandth of the way from the ambient pressure may be a circuit that is off: that is said, and nothing is fitted.
            let off_circuit = columns[0] == "pressure_bar" && factor < 1.0;
            let refused = if off_circuit { 0 } else { 2 };
            let commands = [
                ("calibrate", machine.calibrated, refused),
                ("replay", true, if unread { 2 } else { 0 }),
            ];
            for (command, _, code) in commands.into_iter().filter(|(_, done, _)| *done) {
                let run = run(command, &off);
                let all = said(&run);
                let named = columns
                    .iter()
                    .any(|c| all.contains(&format!("column `{c}`")));
                let why = ["thousand", "another unit", "milliseconds"];
                if run.status.code() != Some(code) || !named || !why.iter().any(|w| all.contains(w))
                {
                    wrong.push(format!(
                        "{} {columns:?} times {factor}: {command} ended with {:?}: {}",
                        machine.config,
                        run.status.code(),
                        all.chars().take(600).collect::<String>()
                    ));
                }
            }
        }
    }
}

#[test]
fn a_column_that_is_off_by_a_thousand_is_named() {
    let mut wrong = Vec::new();
    for machine in &MACHINES {
        tried(machine, &(machine.made_up)(), &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_column_of_a_public_recording_that_is_off_by_a_thousand_is_named() {
    let Some(folder) =
        recordings("a_column_of_a_public_recording_that_is_off_by_a_thousand_is_named")
    else {
        return;
    };
    let mut wrong = Vec::new();
    for machine in &MACHINES {
        let text = std::fs::read_to_string(folder.join(machine.recording)).unwrap();
        tried(machine, &text, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Five seconds of EMPS at rest, with one movement of 0.3 s in them, or none.
fn mostly_at_rest(moves: bool) -> String {
    let mut text = "time_s,reference_m,position_m,drive_v\n".to_owned();
    let mut state = 11;
    for k in 0..5000 {
        let t = f64::from(k) / 1000.0;
        let into = if moves {
            (t - 2.0).clamp(0.0, 0.3) / 0.3
        } else {
            0.0
        };
        let turn = 2.0 * std::f64::consts::PI;
        let x = 0.03 * (into - (turn * into).sin() / turn);
        let (v, a) = if into > 0.0 && into < 1.0 {
            let speed = 0.1 * (1.0 - (turn * into).cos());
            (speed, 0.1 * turn / 0.3 * (turn * into).sin())
        } else {
            (0.0, 0.0)
        };
        let friction_n = if v > 0.0 { 203.5 * v + 20.4 } else { 0.0 };
        let force_n = 95.0 * a + friction_n - 3.1;
        let reference = x + (force_n / 8947.2 + v) / 159.86;
        let position = x + 2e-7 * noise(&mut state);
        let drive = force_n / 35.150_651_882_485_47 + 1e-3 * noise(&mut state);
        writeln!(text, "{t},{reference},{position},{drive}").unwrap();
    }
    text
}

#[test]
fn an_axis_that_mostly_stands_is_in_no_wrong_unit() {
    for moves in [true, false] {
        let place = Place::new();
        let path = place.file("rest.csv", mostly_at_rest(moves));
        let config = shipped("emps.toml").display().to_string();
        for command in ["replay", "calibrate"] {
            let args = format!("{command} {config} {} --json", path.display());
            let all = said(&place.run(release_binary(), &args));
            assert!(!all.contains("thousand"), "{command}, {moves}: {all}");
        }
    }
}
