//! What a run takes of the computer, what it does where it does not get it, and how it leaves it.
//!
//! Nothing here judges a duration. What a kernel with PREEMPT_RT grants is shown in `rt_vm.rs`.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use twinstep_tests::cable::{Cable, ENDS, SECOND_ENDS};
use twinstep_tests::run::{Place, json_lines, rights_are_given_up, rights_of, shipped};
use twinstep_tests::sim::{Sim, interrupt};
use twinstep_tests::{binary, program, release_binary};

/// The press cell with more text at its end.
fn cell(place: &Place, name: &str, more: &str) -> String {
    let text = fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let path = place.file(name, format!("{text}\n{more}\n"));
    path.to_str().unwrap().to_owned()
}

fn said(text: &str) -> String {
    let words: Vec<_> = text
        .split_whitespace()
        .filter(|word| *word != "|")
        .collect();
    words.join(" ")
}

/// Runs `twinstep` without any capability, as a service that was given none would.
fn without_rights(place: &Place, test: &str, args: &str) -> Option<(Option<i32>, String)> {
    let setpriv = program(test, "setpriv")?;
    let bare = [
        "--bounding-set=-all",
        "--inh-caps=-all",
        "--ambient-caps=-all",
    ];
    let mut command = place.command(&setpriv, bare);
    let output = command
        .arg(binary())
        .args(args.split_whitespace())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    if text.contains("setpriv: ") {
        twinstep_tests::skip(test, "setpriv may not drop rights here (root is needed)");
        return None;
    }
    assert!(!text.contains("panicked"), "{text}");
    Some((output.status.code(), said(&text)))
}

#[test]
fn what_is_required_and_not_granted_is_refused_by_name() {
    const TEST: &str = "what_is_required_and_not_granted_is_refused_by_name";
    let place = Place::new();
    let config = cell(&place, "cell.toml", "[realtime]\nrequire = true");
    let args = format!("demo --config {config} --cycles 10 --json");
    let Some((code, text)) = without_rights(&place, TEST, &args) else {
        return;
    };
    assert_eq!(code, Some(1), "{text}");
    for words in [
        "require = true",
        "SCHED_FIFO or SCHED_DEADLINE",
        "cap_sys_nice",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    // Without it the same user runs, and the summary says what was missing and how to have it.
    let config = cell(&place, "lax.toml", "[realtime]\npolicy = \"fifo\"");
    let run = place
        .twinstep(&format!("demo --config {config} --cycles 10 --json"))
        .fine();
    let trust = &run.summary()["trust"];
    let missing = trust["missing"].as_array().unwrap();
    let names = |what: &str| missing.iter().any(|lack| lack["what"] == what);
    assert_eq!(
        names("a PREEMPT_RT kernel"),
        trust["realtime_kernel"] == false
    );
    assert_eq!(
        names("real-time throttling off"),
        trust["throttling_off"] == false
    );
    assert!(
        missing
            .iter()
            .all(|lack| lack["remedy"].as_str().unwrap().len() > 10)
    );
    assert!(trust["wait"].is_string(), "{trust}");
    let fast = place.twinstep("demo --fast --cycles 10 --json").fine();
    assert!(fast.summary()["trust"]["wait"].is_null());
}

#[test]
fn a_core_that_is_not_there_is_refused() {
    let place = Place::new();
    let config = cell(&place, "cell.toml", "[realtime]\ncore = 4000");
    place.refuse(
        &format!("demo --config {config} --cycles 10 --json"),
        2,
        &[
            "core = 4000",
            "the cores of this computer are",
            "twinstep doctor",
        ],
    );
}

#[test]
fn ways_of_waiting_and_scheduling_change_no_digest() {
    let place = Place::new();
    let digest = |name: &str, more: &str| {
        let config = cell(&place, name, more);
        let run = place
            .twinstep(&format!("demo --config {config} --cycles 200 --json"))
            .fine();
        let wait = run.summary()["trust"]["wait"].as_str().unwrap().to_owned();
        (run.digest(), wait)
    };
    let fast = place
        .twinstep("demo --fast --cycles 200 --json")
        .fine()
        .digest();
    for (n, (more, wait)) in [
        ("wait = \"spin\"\npolicy = \"other\"", "spin"),
        ("wait = \"sleep\"", "sleep"),
        ("wait = \"hybrid\"\npolicy = \"deadline\"", "hybrid"),
    ]
    .iter()
    .enumerate()
    {
        let found = digest(&format!("{n}.toml"), &format!("[realtime]\n{more}"));
        assert_eq!(found, (fast.clone(), (*wait).to_owned()), "{more}");
    }
}

/// Runs `demo` until it is told to end.
fn demo(place: &Place, config: &str, json: bool) -> Child {
    let mut args = vec!["demo", "--config", config, "--cycles", "3600000"];
    if json {
        args.push("--json");
    }
    place.command(binary(), args).spawn().unwrap()
}

/// Ends when the test does, however it does.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Exit code of a run that ends by itself, and what it said.
fn ended(mut run: Running) -> (Option<i32>, String) {
    let mut errors = String::new();
    let mut pipe = run.0.stderr.take().unwrap();
    pipe.read_to_string(&mut errors).unwrap();
    (run.0.wait().unwrap().code(), said(&errors))
}

#[test]
fn a_core_belongs_to_one_cycle() {
    let place = Place::new();
    let last = fs::read_to_string("/sys/devices/system/cpu/online").unwrap();
    let last = last.trim().rsplit(['-', ',']).next().unwrap().to_owned();
    let config = cell(&place, "cell.toml", &format!("[realtime]\ncore = {last}"));
    let mut first = Running(demo(&place, &config, true));
    // The first one writes its process id into the lock that it has.
    let lock = format!("/run/lock/twinstep-core-{last}.lock");
    let lock = if Path::new("/run/lock").is_dir() {
        lock
    } else {
        lock.replace("/run/lock", "/tmp")
    };
    while fs::read_to_string(&lock).unwrap_or_default().trim() != first.0.id().to_string() {
        assert_eq!(first.0.try_wait().unwrap(), None, "the first one has ended");
        std::thread::yield_now();
    }
    let refused = place.twinstep(&format!("demo --config {config} --cycles 1 --json"));
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let text = said(&refused.stderr);
    assert!(
        text.contains(&format!(
            "core {last} is taken by another twinstep (process"
        )),
        "{text}"
    );
    // Another core is free.
    if last != "0" {
        let config = cell(&place, "other.toml", "[realtime]\ncore = 0");
        let _ = place
            .twinstep(&format!("demo --config {config} --cycles 1 --json"))
            .fine();
    }
}

#[test]
fn an_overrun_stops_the_machine_where_that_is_asked_for() {
    let place = Place::new();
    let text = fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let text = text.replacen("[bus]\n", "[bus]\noverrun = \"stop\"\n", 1);
    assert!(text.contains("overrun"));
    let config = place.file("cell.toml", text);
    let mut run = Running(demo(&place, config.to_str().unwrap(), true));
    let id = run.0.id().to_string();
    let signal = |name: &str| {
        let _ = Command::new("kill")
            .args([name, &id])
            .stderr(Stdio::null())
            .status();
    };
    // A process that is stopped misses its starts. On a busy computer it does so by itself.
    let status = loop {
        signal("-STOP");
        signal("-CONT");
        if let Some(status) = run.0.try_wait().unwrap() {
            break status;
        }
    };
    assert_eq!(status.code(), Some(1));
    let mut errors = String::new();
    run.0
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut errors)
        .unwrap();
    let errors = said(&errors);
    assert!(
        errors.contains("overran, and [bus] overrun = \"stop\""),
        "{errors}"
    );
    assert!(errors.contains("it was stopped in order"), "{errors}");
    let mut lines = String::new();
    run.0
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut lines)
        .unwrap();
    let summary = json_lines(&lines).pop().unwrap();
    assert_eq!(summary["overruns"], 1, "{summary}");
}

#[test]
fn the_service_manager_is_told_ready_alive_and_stopping() {
    let place = Place::new();
    let path = place.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let config = cell(&place, "cell.toml", "");
    let mut run = place.command(
        binary(),
        ["demo", "--config", &config, "--cycles", "3600000", "--json"],
    );
    run.env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "200000")
        .env_remove("WATCHDOG_PID");
    let mut run = Running(run.spawn().unwrap());
    let hear = || {
        let mut bytes = [0; 256];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).trim().to_owned()
    };
    assert_eq!(hear(), "READY=1");
    for _ in 0..3 {
        assert_eq!(hear(), "WATCHDOG=1");
    }
    interrupt(&run.0);
    while hear() != "STOPPING=1" {}
    let status = run.0.wait().unwrap();
    assert!(status.success(), "{status}");
}

/// Starts a run on the MainDevice's end.
fn run_on(cable: &Cable, place: &Place, config: &str, more: &[&str]) -> Running {
    let args = ["run", config, "--interface", ENDS[0]];
    let child = cable
        .command(release_binary(), args.iter().chain(more))
        .env("XDG_STATE_HOME", place.path("state"))
        .env("XDG_RUNTIME_DIR", place.path(""))
        .env("TMPDIR", place.path(""))
        .stderr(Stdio::piped())
        .spawn();
    Running(child.unwrap())
}

/// A configuration with a longer period, since both ends share the processor.
fn slower(place: &Place) -> String {
    let text = fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let slower = text.replacen("period = \"1ms\"", "period = \"4ms\"", 1);
    assert_ne!(text, slower);
    place
        .file("slower.toml", slower)
        .to_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_bus_belongs_to_one_run_and_its_rights_are_given_up() {
    const TEST: &str = "a_bus_belongs_to_one_run_and_its_rights_are_given_up";
    let Some(cable) = Cable::new(TEST) else {
        return;
    };
    let place = Place::new();
    let config = slower(&place);
    let mut sim = Sim::start(&cable, &config, &[]);
    let mut first = run_on(&cable, &place, &config, &["--json"]);
    sim.wait_for_op();
    for args in [
        vec!["run", &config, "--interface", ENDS[0], "--json"],
        vec!["scan", "--interface", ENDS[0], "--json"],
        vec!["sim", &config, "--interface", ENDS[1], "--json"],
    ] {
        let second = cable
            .command(release_binary(), args.clone())
            .env("XDG_STATE_HOME", place.path("other"))
            .env("XDG_RUNTIME_DIR", place.path(""))
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let text = said(&String::from_utf8_lossy(&second.stderr));
        assert_eq!(second.status.code(), Some(1), "{args:?}: {text}");
        assert!(
            text.contains("is taken by another twinstep (process"),
            "{args:?}: {text}"
        );
    }
    // The machine is in OP, so the threads are set up, or will be in a moment.
    while first.0.try_wait().unwrap().is_none() {
        let rights = rights_of(first.0.id());
        if rights_are_given_up(&rights) {
            println!("{rights:?}");
            break;
        }
        std::thread::yield_now();
    }
    interrupt(&first.0);
    let status = first.0.wait().unwrap();
    let mut errors = String::new();
    first
        .0
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut errors)
        .unwrap();
    assert!(status.success(), "{errors}");
    assert!(errors.contains("wait: "), "{errors}");
    let _ = sim.end();
}

#[test]
fn an_interface_that_vanishes_ends_the_run() {
    const TEST: &str = "an_interface_that_vanishes_ends_the_run";
    let Some(cable) = Cable::new(TEST) else {
        return;
    };
    let place = Place::new();
    let config = slower(&place);
    let _sim = Sim::start(&cable, &config, &[]);
    // A virtual cable knows no coalescing, and the run goes on without.
    let text = fs::read_to_string(&config).unwrap();
    let asking = format!("{text}\n[realtime.nic]\nrx_coalescing = \"0us\"\n");
    let asking = place.file("asking.toml", asking);
    let mut run = run_on(&cable, &place, asking.to_str().unwrap(), &[]);
    // It tells of its cycles once a second.
    let mut output = BufReader::new(run.0.stdout.take().unwrap());
    let mut begun = String::new();
    while !begun.contains(" s  cycle ") {
        assert!(output.read_line(&mut begun).unwrap() > 0, "{begun}");
    }
    let gone = cable
        .command("ip", ["link", "del", ENDS[0]])
        .status()
        .unwrap();
    assert!(gone.success());
    let status = run.0.wait().unwrap();
    let mut errors = String::new();
    run.0
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut errors)
        .unwrap();
    assert_eq!(status.code(), Some(1), "{errors}");
    let errors = said(&errors);
    assert!(
        errors.contains("the network interface has gone"),
        "{errors}"
    );
    // What was counted until then is told.
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("\ndigest "), "{rest}");
    assert!(
        begun.contains("[realtime.nic] coalescing of ec0"),
        "{begun}"
    );
    assert!(rest.contains("what [realtime.nic] asks for"), "{rest}");
}

#[test]
fn every_interface_of_a_bus_is_set_as_asked() {
    const TEST: &str = "every_interface_of_a_bus_is_set_as_asked";
    let Some(cable) = Cable::new(TEST) else {
        return;
    };
    cable.lay(SECOND_ENDS);
    let place = Place::new();
    // What a virtual cable cannot do is refused before the bus is touched, and so names who was asked.
    let more = "[realtime]\nrequire = true\n[realtime.nic]\nrx_coalescing = \"0us\"";
    let text = fs::read_to_string(cell(&place, "cell.toml", more)).unwrap();
    for (kind, keys, asked) in [
        (
            "ring",
            "interface = \"ec0\"\nredundant_interface = \"ec2\"",
            &["ec0", "ec2"][..],
        ),
        (
            "tap",
            "kind = \"tap\"\nreturned_interface = \"ec2\"",
            &["ec0", "ec2"],
        ),
        ("tsn", "kind = \"tsn\"", &["ec0"]),
    ] {
        let own = text.replacen("[bus]\n", &format!("[bus]\n{keys}\n"), 1);
        let config = place.file(&format!("{kind}.toml"), own);
        let run = run_on(&cable, &place, config.to_str().unwrap(), &["--json"]);
        let (code, errors) = ended(run);
        assert_eq!(code, Some(1), "{kind}: {errors}");
        assert!(errors.contains("require = true, and"), "{kind}: {errors}");
        for interface in asked {
            let refused = format!("coalescing of {interface}: its driver");
            assert!(errors.contains(&refused), "{kind}: {errors}");
        }
    }
}

#[test]
fn without_the_right_to_send_the_run_says_which_one_it_needs() {
    const TEST: &str = "without_the_right_to_send_the_run_says_which_one_it_needs";
    let place = Place::new();
    let config = cell(&place, "cell.toml", "");
    let args = format!("run {config} --interface lo --json");
    let Some((code, text)) = without_rights(&place, TEST, &args) else {
        return;
    };
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("CAP_NET_RAW is needed"), "{text}");
    place.refuse(
        &format!("run {config} --interface no-such-if0 --json"),
        1,
        &["no network interface 'no-such-if0'"],
    );
}
