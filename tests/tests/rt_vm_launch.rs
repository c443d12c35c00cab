//! Launch times on a real kernel: frames are held by etf until then, and those that come too late are dropped and counted. And the
//! clocks that they count on: a cycle that is locked to CLOCK_TAI, ptp4l that keeps a clock.
//!
//! Behaviour only: what is asked of times is that a frame does not leave before its launch, and not half a second later.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::SystemTime;
use twinstep_drivers::link::Link;
use twinstep_drivers::link::launch::{LaunchCounters, LaunchSocket, Launching};
use twinstep_drivers::link::raw_socket::RawSocket;
use twinstep_drivers::net::{LaunchQueue, launch_queue};
use twinstep_tests::run::{Place, json_lines};
use twinstep_tests::skip;
use twinstep_tests::vm::{self, as_found, lay, told};

/// Time before its launch at which a frame is handed on: emulated processors take long to do it.
const DELTA_NS: u64 = 1_500_000;

const ETF: &str = r#"
[tsn]
interface = "tsn0"
vlan = 5
qdisc = "etf"
classes = [0, 0, 0, 1]
launch_class = 1
delta = "1500us"
"#;

const PUBLISH: &str = r#"
[publish.uadp]
interface = "tsn0"
publisher_id = 9
pcp = 3
launch_offset = "3ms"
"#;

/// The press cell with a period that an emulated processor keeps, and `more`.
fn configuration(place: &Place, more: &str) -> String {
    let text = fs::read_to_string(vm::PRESS_CELL).unwrap();
    let slower = text.replacen("period = \"1ms\"", "period = \"4ms\"", 1);
    assert_ne!(slower, text);
    let path = place.file("launch.toml", format!("{slower}\n{more}"));
    path.to_str().unwrap().to_owned()
}

fn run(place: &Place, config: &str, more: &[&str]) -> Command {
    let args = ["run", config, "--json"];
    let args = args.iter().chain(more).copied();
    place.command(Path::new(vm::BINARY), args)
}

/// Waits until the interface of the VLAN, which comes last, is there and bears its mark.
fn wait_until_set(child: &mut Child) {
    loop {
        let ended = child.try_wait().unwrap();
        let alias = fs::read_to_string("/sys/class/net/tsn0.5/ifalias").unwrap_or_default();
        if alias.trim() == "twinstep" {
            return;
        }
        assert!(ended.is_none(), "ended as {ended:?}");
        vm::moment();
    }
}

fn ended_in_order(child: Child) -> (Value, String) {
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{output:?}");
    let lines = json_lines(&String::from_utf8(output.stdout).unwrap());
    (lines.last().unwrap().clone(), said)
}

/// CLOCK_TAI, which is UTC in the machine (ns).
#[expect(
    clippy::disallowed_methods,
    reason = "launch times are on the kernel's clock, and the test gives some"
)]
fn tai_ns() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(now.unwrap().as_nanos()).unwrap()
}

/// The next frame at `peer`; none within half a second.
fn next(peer: &mut RawSocket) -> Option<usize> {
    let deadline_ns = peer.clock().now_ns() + 500_000_000;
    peer.receive(&mut [0; 1514], deadline_ns).unwrap()
}

#[test]
fn frames_leave_at_their_launch_time_and_not_after_it() {
    if !vm::inside(
        "frames_leave_at_their_launch_time_and_not_after_it",
        2,
        "",
        &[],
    ) {
        return;
    }
    const FRAMES: u64 = 100;
    lay(["tsn0", "tsn1"]);
    let place = Place::new();
    let config = configuration(&place, ETF);
    let mut child = run(&place, &config, &[])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until_set(&mut child);
    for (name, priority, kept) in [
        ("tsn0", 3, true),
        ("tsn0.5", 3, true),
        ("tsn0", 2, false),
        ("tsn1", 3, false),
    ] {
        let found = launch_queue(name, priority).unwrap();
        assert_eq!(
            found == LaunchQueue::Etf,
            kept,
            "{name} {priority}: {found:?}"
        );
    }
    let mut peer = RawSocket::open_uadp("tsn1", None).unwrap();
    let mut frame = [0; 100];
    frame[..6].fill(0xff);
    frame[12..14].copy_from_slice(&[0xb6, 0x2c]);
    // Through the VLAN as well: its frames pass the queueing discipline of the interface below.
    for name in ["tsn0", "tsn0.5"] {
        let socket = RawSocket::open_uadp(name, Some(3)).unwrap();
        let mut stream = LaunchSocket::at_launch_times(socket).unwrap();
        let (mut early, mut arrived, mut latest_ns) = (0, 0, 0);
        for round in 0..FRAMES {
            let at_ns = tai_ns() + 3_000_000 + round * 37_000;
            stream.launch_at(at_ns);
            // A machine that is too slow even for that hears it from the kernel at once; only then it counts as sent.
            let _ = stream.send(&frame);
            if next(&mut peer).is_some() {
                let now_ns = tai_ns();
                arrived += 1;
                early += u64::from(now_ns < at_ns - DELTA_NS);
                latest_ns = latest_ns.max(now_ns.saturating_sub(at_ns));
            }
        }
        let before = stream.launched().unwrap();
        println!("{name}: {before:?}, seen at most {latest_ns} ns after the launch");
        assert_eq!(early, 0, "of {FRAMES} frames left before their launch");
        assert_eq!(before.sent, FRAMES);
        // Where the machine was too slow to hand one on in time, that is told.
        assert_eq!(arrived + before.missed + before.invalid, FRAMES);
        assert!(arrived > FRAMES / 2, "{arrived} of {FRAMES}");
        // One that comes too late stays behind, and is told.
        stream.launch_at(tai_ns() - 1_000);
        // The kernel may say so at once.
        let _ = stream.send(&frame);
        assert_eq!(next(&mut peer), None, "a late frame has left {name}");
        let counters = stream.launched().unwrap();
        println!("{counters:?}");
        let dropped = |of: LaunchCounters| of.missed + of.invalid;
        assert_eq!(dropped(counters), dropped(before) + 1, "{counters:?}");
    }
    told("kill", &format!("-INT {}", child.id()));
    ended_in_order(child);
}

#[test]
fn what_is_published_too_late_is_counted() {
    if !vm::inside("what_is_published_too_late_is_counted", 2, "", &[]) {
        return;
    }
    const CYCLES: u64 = 200;
    lay(["tsn0", "tsn1"]);
    let cycles = CYCLES.to_string();
    // What is published within the cycles, and what of it arrives.
    let published = |config: &str| {
        let place = Place::new();
        let config = configuration(&place, config);
        let mut peer = RawSocket::open_uadp("tsn1", None).unwrap();
        let child = run(&place, &config, &["--cycles", &cycles])
            .spawn()
            .unwrap();
        let (summary, said) = ended_in_order(child);
        let mut arrived = 0;
        while next(&mut peer).is_some() {
            arrived += 1;
        }
        println!("{}, {arrived} arrived; {said}", summary["launch"]);
        (summary, arrived, said)
    };
    let number = |summary: &Value, key: &str| summary["launch"][key].as_u64().unwrap();

    let (summary, arrived, _) = published(&format!("{ETF}{PUBLISH}"));
    assert_eq!(summary["launch"]["kept"], true);
    assert_eq!(summary["launch"]["offset_ns"], 3_000_000);
    assert_eq!(summary["trust"]["launch_times_kept"], true);
    assert_eq!(number(&summary, "sent"), CYCLES);
    let dropped = number(&summary, "missed") + number(&summary, "invalid");
    // The last one may still be waiting when the queueing discipline is taken back.
    let there = arrived + dropped;
    assert!(
        there == CYCLES || there + 1 == CYCLES,
        "{arrived} + {dropped}"
    );
    assert!(arrived > CYCLES / 2, "{arrived} of {CYCLES}");

    // One nanosecond after its start no cycle has published anything.
    let early = PUBLISH.replace("3ms", "1ns");
    let (summary, arrived, _) = published(&format!("{ETF}{early}"));
    assert_eq!((number(&summary, "invalid"), arrived), (CYCLES, 0));

    // Handed on no sooner than their launch, all frames in the queue miss it.
    let no_delta = ETF.replace("1500us", "0us");
    let (summary, arrived, _) = published(&format!("{no_delta}{PUBLISH}"));
    let (missed, invalid) = (number(&summary, "missed"), number(&summary, "invalid"));
    assert!(missed > CYCLES / 2, "{missed}");
    assert!(arrived + missed + invalid + 1 >= CYCLES, "{arrived}");

    // Nobody keeps them: it is said, and the frames leave all the same.
    let (summary, arrived, said) = published(PUBLISH);
    assert_eq!(summary["launch"]["kept"], false);
    assert_eq!(summary["trust"]["launch_times_kept"], false);
    assert_eq!(arrived, CYCLES);
    assert!(said.contains("launch_offset has no effect"), "{said}");
}

#[test]
fn what_a_killed_run_left_is_taken_back() {
    if !vm::inside("what_a_killed_run_left_is_taken_back", 2, "", &[]) {
        return;
    }
    lay(["tsn0", "tsn1"]);
    let before = as_found();
    let place = Place::new();
    let config = configuration(&place, ETF);
    let mut first = run(&place, &config, &[]).spawn().unwrap();
    wait_until_set(&mut first);
    // While it lives, what it has set is its own.
    let other = Place::new();
    let again = configuration(&other, ETF);
    let refused = run(&other, &again, &["--cycles", "10"]).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(said.contains("taken by another twinstep"), "{said}");
    told("kill", &format!("-KILL {}", first.id()));
    let _ = first.wait_with_output().unwrap();
    assert_ne!(as_found(), before, "a killed run takes nothing back");

    // Another VLAN and another discipline: what was left is known by its marks.
    let next = ETF.replace("vlan = 5", "vlan = 7");
    let config = configuration(&other, &next);
    let child = run(&other, &config, &["--cycles", "10"]).spawn().unwrap();
    let (_, said) = ended_in_order(child);
    println!("{said}");
    let words = "tsn0: a run that was killed had left the interface tsn0.5 and the queueing discipline mqprio";
    assert!(said.contains(words), "{said}");
    assert_eq!(as_found(), before, "left as found");
    // And the next one has nothing to say.
    let child = run(&other, &config, &["--cycles", "10"]).spawn().unwrap();
    let (_, said) = ended_in_order(child);
    assert!(!said.contains("killed"), "{said}");
}

#[test]
fn a_cycle_on_tai_launches_in_phase_and_survives_a_jump() {
    const TEST: &str = "a_cycle_on_tai_launches_in_phase_and_survives_a_jump";
    if !vm::inside(TEST, 2, "", &[]) {
        return;
    }
    const PERIOD_NS: u64 = 4_000_000;
    const FRAMES: usize = 200;
    lay(["tsn0", "tsn1"]);
    let place = Place::new();
    let clock = "[realtime.clock]\nsource = \"tai\"\nphase = \"500us\"\n";
    let config = configuration(&place, &format!("{ETF}{PUBLISH}{clock}"));
    let mut peer = RawSocket::open_uadp("tsn1", None).unwrap();
    let mut child = run(&place, &config, &[]).spawn().unwrap();
    wait_until_set(&mut child);
    let phases = |peer: &mut RawSocket| -> Vec<u64> {
        let frames = 0..FRAMES;
        frames
            .map(|n| {
                assert!(next(peer).is_some(), "frame {n} never came");
                tai_ns() % PERIOD_NS
            })
            .collect()
    };
    // Launched 3 ms after a start at 0.5 ms, handed on 1.5 ms before that at the earliest, and seen a little later.
    let inside = |phases: &[u64]| {
        let inside = phases
            .iter()
            .filter(|ns| (2_000_000..=3_990_000).contains(*ns));
        inside.count()
    };
    let found = phases(&mut peer);
    println!("{:?} to {:?} ns", found.iter().min(), found.iter().max());
    assert!(inside(&found) > FRAMES * 9 / 10, "{found:?}");
    // Somebody sets the clock: to a whole second, wherever in a period the cycle is then.
    let later_s = tai_ns() / 1_000_000_000 + 100;
    told("date", &format!("-s @{later_s}"));
    let _ = phases(&mut peer);
    let found = phases(&mut peer);
    println!("{:?} to {:?} ns", found.iter().min(), found.iter().max());
    assert!(inside(&found) > FRAMES * 9 / 10, "{found:?}");
    told("kill", &format!("-INT {}", child.id()));
    let (summary, _) = ended_in_order(child);
    let clock = &summary["clock"];
    println!("{clock}");
    assert_eq!(
        (&clock["source"], &clock["follows"]),
        (&"tai".into(), &true.into())
    );
    assert_eq!(clock["locked"], true, "{clock}");
    assert_eq!(clock["jumps"], 1, "{clock}");
    // The machine's TAI is its UTC, and that is named.
    assert_eq!(summary["trust"]["tai_offset_s"], 0);
    let missing = summary["trust"]["missing"].to_string();
    assert!(missing.contains("TAI - UTC"), "{missing}");
}

#[test]
fn a_clock_that_ptp4l_keeps_is_told_as_kept() {
    const TEST: &str = "a_clock_that_ptp4l_keeps_is_told_as_kept";
    let ptp4l = Path::new("/usr/sbin/ptp4l");
    if !ptp4l.exists() && !Path::new("/opt/ptp4l").exists() {
        skip(TEST, "no program ptp4l");
        return;
    }
    if !vm::inside(TEST, 2, "", &[ptp4l]) {
        return;
    }
    lay(["tsn0", "tsn1"]);
    let place = Place::new();
    // Here the follower may steer the clock, which is that of both: the offset is what a frame takes longer one way.
    let clock = |end: &str, more: &str| {
        let socket = place.path(end).display().to_string();
        let keys = format!(
            "[global]\nuds_address {socket}\nlogAnnounceInterval -2\nlogSyncInterval -2\n\
             announceReceiptTimeout 4\nstep_threshold 0.0\n{more}"
        );
        let config = place
            .file(&format!("{end}.conf"), keys)
            .display()
            .to_string();
        let mut command = Command::new("/opt/ptp4l");
        command.args(["-S", "-2", "-q", "-m", "-f", &config, "-i", end]);
        command.stdout(Stdio::null()).spawn().unwrap()
    };
    let mut clocks = [
        clock("tsn0", "free_running 1\npriority1 100\n"),
        clock("tsn1", "slaveOnly 1\n"),
    ];
    let keys = format!(
        "[realtime.ptp]\nsocket = \"{}\"\nmax_offset = \"100ms\"\n",
        place.path("tsn1").display()
    );
    let config = configuration(&place, &keys);
    let doctor = || {
        let run = place.run(Path::new(vm::BINARY), &format!("doctor --json {config}"));
        let lines = run.fine().lines();
        let check = lines.iter().find(|line| line["name"] == "clock.ptp");
        check.unwrap().clone()
    };
    let mut last = Value::Null;
    let kept = (0..200).any(|_| {
        last = doctor();
        // Before they have found each other, each is its own grandmaster.
        let follows = last["value"].as_str().unwrap().contains("port slave");
        last["verdict"] == "ok" && follows
    });
    println!("{last}");
    assert!(kept, "{last}");
    let child = run(&place, &config, &["--cycles", "1000"]).spawn().unwrap();
    let (summary, said) = ended_in_order(child);
    let ptp = &summary["trust"]["ptp"];
    println!("{ptp}");
    assert_eq!(ptp["verdict"], "follows", "{ptp}");
    assert!(!said.contains("ptp4l"), "{said}");
    for clock in &mut clocks {
        clock.kill().unwrap();
        clock.wait().unwrap();
    }
}
