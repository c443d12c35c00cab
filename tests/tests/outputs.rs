//! What enables the drives of a machine on a cable while it runs, and what stops them: `twinstep arm`, from which on they are enabled and none
//! of them jumps, and `overrun = "stop"`.
//!
//! Needs root and `ip`. Positions are judged against the limits of the axes, never by when they came.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use twinstep_config::machine::Machine;
use twinstep_tests::cable::{Cable, ENDS};
use twinstep_tests::listener::{tripped, undisturbed};
use twinstep_tests::release_binary;
use twinstep_tests::run::{Place, json_lines, shipped};
use twinstep_tests::sim::{Sim, interrupt};

/// Longer than the shipped one: here the segment shares the processor with its master.
const PERIOD: [&str; 2] = ["period = \"1ms\"", "period = \"2ms\""];
/// Cycles before the order, and after it.
const CYCLES: u64 = 1000;

/// What the run answers to `status`, once it does.
fn status(cable: &Cable, run: &mut Child) -> Value {
    loop {
        assert_eq!(run.try_wait().unwrap(), None, "the run has ended");
        let mut asked = cable.command(release_binary(), ["status", "--json"]);
        let answer = asked.stderr(Stdio::null()).output().unwrap();
        let lines = json_lines(&String::from_utf8(answer.stdout).unwrap());
        if let Some(status) = lines.into_iter().find(|line| line["type"] == "status") {
            return status;
        }
    }
}

/// The first status `cycles` cycles on.
fn wait_for(cable: &Cable, run: &mut Child, cycles: u64) -> Value {
    loop {
        let status = status(cable, run);
        if status["cycle"].as_u64().unwrap() >= cycles {
            return status;
        }
    }
}

/// A cycle of the record, of those with a frame: its number, its time on the distributed clocks (ns), and statusword, target and
/// position of every drive.
struct Row {
    cycle: u64,
    dc_ns: i64,
    drives: Vec<[i64; 3]>,
}

fn rows(record: &Path, machine: &Machine) -> Vec<Row> {
    let text = fs::read_to_string(record).unwrap();
    let mut lines = text.lines();
    let head: Vec<_> = lines.next().unwrap().split(',').collect();
    let column = |name: &str| head.iter().position(|one| *one == name).unwrap();
    let (cycle, dc_time) = (column("cycle"), column("dc_time_ns"));
    let objects = ["0x6041", "0x607a", "0x6064"];
    let columns = machine.axes.iter();
    let columns: Vec<_> = columns
        .map(|axis| objects.map(|object| column(&format!("{}.{object}", axis.name))))
        .collect();
    let row = |line: &str| {
        let cells: Vec<_> = line.split(',').collect();
        let number = |at: usize| cells.get(at)?.parse::<i64>().ok();
        let drive = |columns: &[usize; 3]| {
            let [status, target, position] = columns.map(number);
            Some([status?, target?, position?])
        };
        Some(Row {
            cycle: number(cycle)?.try_into().ok()?,
            dc_ns: number(dc_time)?,
            drives: columns.iter().map(drive).collect::<Option<_>>()?,
        })
    };
    lines.filter_map(row).collect()
}

/// CiA 402: the only state in which set-points move an axis.
fn is_enabled(drive: &[i64; 3]) -> bool {
    drive[0] & 0x6f == 0x27
}

#[test]
fn arm_at_the_socket_enables_every_drive_and_none_jumps() {
    undisturbed(|| armed_while_it_runs("arm_at_the_socket_enables_every_drive_and_none_jumps"));
}

/// Whether the machine was not disturbed beyond what was asked for.
fn armed_while_it_runs(test: &str) -> bool {
    let Some(cable) = Cable::new(test) else {
        return true;
    };
    let place = Place::new();
    let text = fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let slower = text.replacen(PERIOD[0], PERIOD[1], 1);
    assert_ne!(text, slower);
    let machine = twinstep_config::load(&slower, "cell.toml").unwrap();
    let config = place.file("cell.toml", slower).display().to_string();
    let sim = Sim::start(&cable, &config, &[]);
    let (state, record) = (place.path("state"), place.path("run.csv"));
    let args = [
        "run",
        &config,
        "--interface",
        ENDS[0],
        "--json",
        "--state",
        state.to_str().unwrap(),
        "--record",
        record.to_str().unwrap(),
    ];
    let mut run = cable.command(release_binary(), args).spawn().unwrap();
    // Without an order nothing is enabled, however long.
    let before = wait_for(&cable, &mut run, CYCLES);
    assert_eq!(before["armed"], false, "{before}");
    let asked = cable.command(release_binary(), ["arm", "--json"]).output();
    let asked = asked.unwrap();
    assert!(asked.status.success(), "{asked:?}");
    let after = status(&cable, &mut run);
    assert_eq!(after["armed"], true, "{after}");
    let armed_at = after["cycle"].as_u64().unwrap();
    let _ = wait_for(&cable, &mut run, armed_at + CYCLES);
    interrupt(&run);
    let output = run.wait_with_output().unwrap();
    let _ = sim.end();
    let lines = json_lines(&String::from_utf8(output.stdout.clone()).unwrap());
    if tripped(&lines) {
        return false;
    }
    assert!(output.status.success(), "{output:?}");

    let rows = rows(&record, &machine);
    let known = before["cycle"].as_u64().unwrap();
    let unarmed = rows.iter().filter(|row| row.cycle <= known);
    let early = unarmed.filter(|row| row.drives.iter().any(is_enabled));
    assert_eq!(early.count(), 0, "enabled before the order");
    // All are soon, and stay so until the run is asked to end.
    let all = |row: &Row| row.drives.iter().all(is_enabled);
    let enabled = rows.iter().filter(|row| all(row)).count() as u64;
    assert!(enabled >= CYCLES / 2, "{enabled} cycles with all drives");
    for (n, axis) in machine.axes.iter().enumerate() {
        let counts_per_m = axis.drive.counts_per_rev / axis.drive.feed_m_per_rev;
        // The velocity limit, and a quarter for what a drive overshoots.
        let most_m_per_s = 1.25 * axis.motion.velocity_m_per_s;
        let period_ns = machine.cycle.period_ns as f64;
        let in_m = |counts: i64| counts as f64 / counts_per_m;
        let mut furthest_m = 0.0_f64;
        for pair in rows.windows(2) {
            let [last, next] = pair else { continue };
            let ([_, _, from], [_, target, to]) = (last.drives[n], next.drives[n]);
            // A position is up to a period older than the frame that brings it.
            let most_m = most_m_per_s * ((next.dc_ns - last.dc_ns) as f64 + period_ns) / 1e9;
            let way_m = in_m(to - from).abs();
            assert!(
                way_m <= most_m,
                "{}: {way_m} m in cycle {}",
                axis.name,
                next.cycle
            );
            furthest_m = furthest_m.max(in_m(to - rows[0].drives[n][2]).abs());
            if !is_enabled(&last.drives[n]) && is_enabled(&next.drives[n]) {
                // It goes on from where it stands.
                let apart_m = in_m(target - to).abs();
                assert!(apart_m <= most_m, "{}: {apart_m} m apart", axis.name);
            }
        }
        println!("{}: went {furthest_m:.3} m", axis.name);
        assert!(furthest_m > 1e-3, "{} has not moved", axis.name);
    }
    true
}

#[test]
fn an_overrun_stops_the_machine_on_a_cable_where_that_is_asked_for() {
    let test = "an_overrun_stops_the_machine_on_a_cable_where_that_is_asked_for";
    let Some(cable) = Cable::new(test) else {
        return;
    };
    let place = Place::new();
    let text = fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let slower = text.replacen(PERIOD[0], PERIOD[1], 1);
    let stops = slower.replacen("[bus]\n", "[bus]\noverrun = \"stop\"\n", 1);
    assert_ne!(slower, stops);
    let config = place.file("cell.toml", stops).display().to_string();
    let mut sim = Sim::start(&cable, &config, &[]);
    let state = place.path("state").display().to_string();
    let args = ["run", &config, "--interface", ENDS[0], "--json", "--arm"];
    let args = args.iter().copied().chain(["--state", &state]);
    let mut command = cable.command(release_binary(), args);
    let mut run = command.stderr(Stdio::piped()).spawn().unwrap();
    sim.wait_for_op();
    let id = run.id().to_string();
    // A process that is stopped misses its starts. On a busy computer it does so by itself.
    while run.try_wait().unwrap().is_none() {
        for name in ["-STOP", "-CONT"] {
            let mut kill = Command::new("kill");
            let _ = kill.args([name, &id]).stderr(Stdio::null()).status();
        }
    }
    let output = run.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let said: Vec<_> = said
        .split_whitespace()
        .filter(|word| *word != "|")
        .collect();
    let said = said.join(" ");
    assert_eq!(output.status.code(), Some(1), "{said}");
    let why = "overran, and [bus] overrun = \"stop\"";
    assert!(said.contains(why), "{said}");
    let lines = json_lines(&String::from_utf8(output.stdout.clone()).unwrap());
    assert_eq!(lines.last().unwrap()["overruns"], 1, "{said}");
    // In order: no drive was left enabled, and the SubDevices are out of OP.
    assert!(!said.contains("still enabled"), "{said}");
    sim.wait_until_none_is_in_op();
    let _ = sim.end();
}
