//! ptp4l, the real one, on a virtual cable: what doctor, run and status say of it.
//!
//! Both clocks run free: nobody steers the clock of the computer that tests. A port that follows stays uncalibrated then.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use twinstep_tests::cable::{Cable, ENDS};
use twinstep_tests::run::{Place, json_lines, shipped};
use twinstep_tests::{binary, program, skip};

/// Times that doctor is asked until both clocks have found each other: it takes half a second each time.
const ATTEMPTS: usize = 240;

/// One ptp4l, ended with the value.
struct Clock(Child);

impl Clock {
    fn start(cable: &Cable, ptp4l: &Path, place: &Place, end: &str, priority: u8) -> Self {
        let config = format!(
            "[global]\nfree_running 1\npriority1 {priority}\nuds_address {}\n\
             logAnnounceInterval -2\nlogSyncInterval -2\nannounceReceiptTimeout 4\n",
            place.path(end).display()
        );
        let config = place.file(&format!("{end}.conf"), config);
        let config = config.display().to_string();
        // Software time stamps, right on Ethernet, nothing to the system's log.
        let args = ["-S", "-2", "-q", "-m", "-f", &config, "-i", end];
        let mut command = cable.command(ptp4l, args);
        let log = fs::File::create(place.path(&format!("{end}.log"))).unwrap();
        command.stdout(Stdio::from(log)).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The press cell, with a ptp4l that listens at `socket`.
fn configuration(place: &Place, name: &str, socket: &Path) -> String {
    let text = fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let socket = socket.display();
    let keys = format!("[realtime.ptp]\nsocket = \"{socket}\"\nmax_offset = \"100ms\"\n");
    let path = place.file(name, format!("{text}\n{keys}"));
    path.display().to_string()
}

/// The check `clock.ptp` of doctor, inside of the namespace.
fn doctor(cable: &Cable, config: &str) -> Value {
    let output = cable
        .command(binary(), ["doctor", "--json", config])
        .output();
    let lines = json_lines(&String::from_utf8(output.unwrap().stdout).unwrap());
    let check = lines.iter().find(|line| line["name"] == "clock.ptp");
    check.unwrap().clone()
}

#[test]
fn two_clocks_on_a_cable_are_told_apart() {
    let test = "two_clocks_on_a_cable_are_told_apart";
    let (Some(ptp4l), Some(cable)) = (program(test, "ptp4l"), Cable::new(test)) else {
        return;
    };
    let place = Place::new();
    let configs = ENDS.map(|end| configuration(&place, &format!("{end}.toml"), &place.path(end)));
    let mut clocks: Vec<Clock> = [(ENDS[0], 100), (ENDS[1], 128)]
        .map(|(end, priority)| Clock::start(&cable, &ptp4l, &place, end, priority))
        .into();
    let said = |check: &Value| check["value"].as_str().unwrap().to_owned();
    let mut last = (Value::Null, Value::Null);
    let settled = (0..ATTEMPTS).any(|_| {
        last = (doctor(&cable, &configs[0]), doctor(&cable, &configs[1]));
        let follows = ["port uncalibrated", "port slave"];
        said(&last.0).contains("is the grandmaster")
            && follows.iter().any(|words| said(&last.1).contains(words))
    });
    if !settled {
        // Kernels without software time stamps on virtual cables have no clocks there.
        let log = fs::read_to_string(place.path("ec0.log")).unwrap();
        let failed = log.contains("time stamping") || log.contains("timestamp");
        assert!(failed, "{last:?}: {log}");
        skip(test, "ptp4l has no software time stamps on a virtual cable");
        return;
    }
    assert_eq!(last.0["verdict"], "ok", "{last:?}");
    // Both name the same grandmaster.
    let grandmaster = |check: &Value| {
        said(check)
            .rsplit("grandmaster ")
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(grandmaster(&last.0).len(), "112233.4455.667788".len());
    assert_eq!(grandmaster(&last.0), grandmaster(&last.1));

    // A run tells the same in its summary, and its status.
    let run = |config: &str, state: &str| {
        let state = place.path(state).display().to_string();
        let args = [
            "run", config, "--json", "--cycles", "1500", "--state", &state,
        ];
        let output = cable.command(binary(), args).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let lines = json_lines(&String::from_utf8(output.stdout).unwrap());
        let trust = lines.last().unwrap()["trust"].clone();
        let missing = trust["missing"].to_string();
        (trust["ptp"].clone(), missing)
    };
    let (master, missing) = run(&configs[0], "m");
    assert_eq!(
        (&master["verdict"], &master["port_state"]),
        (&"grandmaster".into(), &"master".into()),
        "{master}"
    );
    assert!(!missing.contains("ptp4l keeps"), "{missing}");
    let (follower, missing) = run(&configs[1], "f");
    println!("{follower}");
    assert_eq!(follower["grandmaster"], master["grandmaster"]);
    assert_eq!(follower["steps_removed"], 1, "{follower}");
    assert!(follower["offset_ns"].is_i64(), "{follower}");
    assert!(follower["since_sync_ns"].is_u64(), "{follower}");
    let follows = follower["verdict"] == "follows";
    assert_eq!(!follows, missing.contains("ptp4l keeps"), "{missing}");

    // Nobody answers any more.
    clocks.clear();
    let check = doctor(&cable, &configs[1]);
    assert_eq!(check["verdict"], "warn", "{check}");
    assert!(said(&check).contains("ptp4l's socket"), "{check}");
    let (gone, missing) = run(&configs[1], "g");
    assert_eq!(gone["verdict"], "no_answer", "{gone}");
    assert!(missing.contains("start ptp4l"), "{missing}");
}
