//! A network card with interrupts, coalescing and a clock of its own, in a virtual machine with a PREEMPT_RT kernel: `[realtime.nic]` sets
//! it, the run leaves it as it was found, `doctor` reads of it what `ethtool` does, and what it says to do and its script mend it. Read
//! back by `ethtool`, by `chrt` and from `/proc/irq`.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::Command;
use twinstep_tests::run::Place;
use twinstep_tests::sim::interrupt;
use twinstep_tests::{program, vm};

/// Microseconds that a received frame may wait, and where the card's interrupts go.
fn card() -> (String, Vec<String>) {
    let told = vm::told("./ethtool", "-c eth0");
    let waits = told.lines().find(|line| line.starts_with("rx-usecs:"));
    let mut irqs: Vec<_> = fs::read_dir("/sys/class/net/eth0/device/msi_irqs")
        .unwrap()
        .map(|irq| irq.unwrap().file_name().into_string().unwrap())
        .collect();
    irqs.sort();
    let place = |irq: &String| {
        let path = format!("/proc/irq/{irq}/smp_affinity_list");
        format!("{irq}: {}", fs::read_to_string(path).unwrap().trim())
    };
    let waits = waits.unwrap_or_else(|| panic!("{told}")).to_owned();
    (waits, irqs.iter().map(place).collect())
}

/// Programs of this computer that the machine has not got: those that the doctor's script calls, and one that takes rights away.
const PROGRAMS: [&str; 4] = ["ethtool", "chrt", "pgrep", "setpriv"];

/// Whether the test goes on here, in a machine with two cards and [`PROGRAMS`].
fn with_cards(test: &str) -> bool {
    let find = |name: &&str| {
        // Inside of the machine they stand where the test begins.
        let here = Path::new(".").join(name);
        (here.exists().then_some(here)).or_else(|| program(test, name))
    };
    let found: Option<Vec<PathBuf>> = PROGRAMS.iter().map(find).collect();
    found.is_some_and(|found| {
        let files: Vec<&Path> = found.iter().map(PathBuf::as_path).collect();
        vm::inside_with(2, test, 2, "", &files)
    })
}

/// Both cards up, each with its peer, and nobody sends by himself.
fn cards_up() {
    for end in ["eth0", "eth1"] {
        let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{end}/disable_ipv6"), "1");
        vm::told("ip", &format!("link set {end} up"));
    }
    // A card finds its peer after a moment.
    for end in ["eth0", "eth1"] {
        let carrier = format!("/sys/class/net/{end}/carrier");
        while fs::read_to_string(&carrier).unwrap_or_default().trim() != "1" {
            vm::moment();
        }
    }
}

/// What stands behind `key` in what `ethtool` tells; none where it does not know the card by that.
fn ethtool(args: &str, key: &str) -> Option<String> {
    let told = Command::new("./ethtool").args(args.split(' ')).output();
    let told = told.unwrap();
    println!("ethtool {args}: {told:?}");
    let text = String::from_utf8(told.stdout).unwrap();
    let mut lines = text.lines().filter(|_| told.status.success());
    let line = lines.find_map(|line| line.trim().strip_prefix(key))?;
    Some(line.trim_start_matches(':').trim().to_owned())
}

/// What `doctor` says of this computer and an interface of it.
fn checks(place: &Place, interface: &str) -> Vec<Value> {
    let args = format!("doctor --interface {interface} --json");
    let run = place.run(Path::new(vm::BINARY), &args).fine();
    run.of_type("check")
}

/// A word of the check called `name`.
fn word(checks: &[Value], name: &str, key: &str) -> String {
    let check = checks.iter().find(|check| check["name"] == name).unwrap();
    println!("doctor: {check}");
    check[key].as_str().unwrap().to_owned()
}

/// What `doctor` says of an interface, by the name of the check: verdict and value.
fn doctor(place: &Place, interface: &str) -> impl Fn(&str) -> (String, String) + use<> {
    let checks = checks(place, interface);
    move |name| {
        let word = |key| word(&checks, name, key);
        (word("verdict"), word("value"))
    }
}

/// Does what `doctor` says of eth0, word by word.
fn mend(place: &Place, name: &str) {
    let remedy = word(&checks(place, "eth0"), name, "remedy");
    // In front of the commands stands what a configuration may ask for.
    let commands = remedy.rsplit("or: ").next().unwrap();
    let line = format!("set -e; {commands}");
    let done = Command::new("sh").args(["-c", &line]).output().unwrap();
    assert!(done.status.success(), "{line}: {done:?}");
}

#[test]
fn the_doctor_reads_of_a_card_what_ethtool_reads() {
    const TEST: &str = "the_doctor_reads_of_a_card_what_ethtool_reads";
    if !with_cards(TEST) {
        return;
    }
    let place = Place::new();
    vm::told("ip", "link set eth0 up");
    let agrees = |gro: Option<&str>, wait_us: Option<&str>| {
        let says = doctor(&place, "eth0");
        let found_us = ethtool("-c eth0", "rx-usecs").unwrap();
        assert!(wait_us.is_none_or(|us| us == found_us), "{found_us}");
        let (verdict, value) = says("nic.coalescing");
        assert!(value.starts_with(&format!("rx {found_us} us, ")), "{value}");
        assert_eq!(verdict == "ok", found_us == "0", "{value}");

        let on = |key: &str| ethtool("-k eth0", key).unwrap().starts_with("on");
        let word = |on: bool| if on { "on" } else { "off" };
        let found = [on("generic-receive-offload"), on("large-receive-offload")].map(word);
        assert!(gro.is_none_or(|gro| gro == found[0]), "{found:?}");
        let (verdict, value) = says("nic.offloads");
        assert_eq!(value, format!("gro {}, lro {}", found[0], found[1]));
        assert_eq!(verdict == "ok", found == ["off"; 2], "{value}");
    };
    // As found, with other figures, and as the doctor says to set it.
    agrees(None, None);
    vm::told("./ethtool", "-K eth0 gro off");
    vm::told("./ethtool", "-C eth0 rx-usecs 50");
    agrees(Some("off"), Some("50"));
    vm::told("./ethtool", "-K eth0 gro on");
    agrees(Some("on"), Some("50"));
    mend(&place, "nic.coalescing");
    mend(&place, "nic.offloads");
    agrees(Some("off"), Some("0"));
    let says = doctor(&place, "eth0");
    // A driver that knows nothing of it is asked the same by both.
    let (verdict, value) = says("nic.eee");
    let sleeps = ethtool("--show-eee eth0", "EEE status");
    match sleeps.as_deref() {
        None => assert_eq!(verdict, "not_here", "{value}"),
        Some(status) => assert_eq!(value == "on", status.starts_with("enabled"), "{status}"),
    }
    let (verdict, value) = says("nic.time_stamping");
    let stamps = ["hardware-transmit", "hardware-receive"];
    let hardware = stamps.iter().all(|key| ethtool("-T eth0", key).is_some());
    assert_eq!(verdict == "ok", hardware, "{value}");
    let clock = ethtool("-T eth0", "PTP Hardware Clock").unwrap();
    if hardware && clock != "none" {
        assert_eq!(value, format!("in hardware, clock /dev/ptp{clock}"));
    }

    // This card has one queue and its driver no word for it; a cable has as many as it was laid with.
    assert_eq!(says("nic.channels").0, "not_here");
    assert_eq!(ethtool("-l eth0", "RX"), None);
    vm::lay(["tsn0", "tsn1"]);
    let queues = || {
        let told = vm::told("./ethtool", "-l tsn0");
        let (_, current) = told.split_once("Current hardware settings").unwrap();
        let line = current.lines().find_map(|line| line.strip_prefix("RX:"));
        line.unwrap().trim().to_owned()
    };
    for (set, verdict) in [("", "warn"), ("-L tsn0 rx 1 tx 1", "ok")] {
        if !set.is_empty() {
            vm::told("./ethtool", set);
        }
        let found = doctor(&place, "tsn0")("nic.channels");
        assert_eq!(found, (verdict.to_owned(), format!("{} in use", queues())));
    }

    // The clock of an emulated card stands still: the doctor says so, and no cycle goes by it.
    let (verdict, value) = says("nic.ptp_clock");
    if clock == "none" {
        assert_eq!(verdict, "not_here", "{value}");
        println!("the card has no clock here");
        return;
    }
    let device = format!("/dev/ptp{clock}");
    assert_eq!(value, format!("{device} stands still"));
    assert_eq!(verdict, "warn");
    let text = fs::read_to_string(vm::PRESS_CELL).unwrap();
    let config = format!("{text}\n[realtime.clock]\nsource = \"{device}\"\n");
    let config = place.file("clock.toml", config).display().to_string();
    let run = format!("run {config} --json --cycles 20");
    let run = place.run(Path::new(vm::BINARY), &run);
    assert_eq!(run.status.code(), Some(1), "{run:?}");
    assert!(run.stderr.contains("stands still"), "{run:?}");
}

#[test]
fn the_script_mends_a_card_and_can_be_run_again() {
    const TEST: &str = "the_script_mends_a_card_and_can_be_run_again";
    if !with_cards(TEST) {
        return;
    }
    cards_up();
    vm::told("./ethtool", "-C eth0 rx-usecs 50");
    let place = Place::new();
    let before = checks(&place, "eth0");
    const MENDED: [&str; 3] = ["nic.threaded_napi", "nic.coalescing", "nic.offloads"];
    for name in MENDED {
        assert_eq!(word(&before, name, "verdict"), "warn", "{name}");
    }
    let script = "doctor --interface eth0 --fix-script";
    let script = place.run(Path::new(vm::BINARY), script).fine().stdout;
    println!("{script}");
    let script = place.file("fix.sh", script);
    let run = || {
        let done = Command::new("sh").arg(&script).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (did, refused) = (text(done.stdout), text(done.stderr));
        println!("{did}{refused}");
        // Interrupts that belong to a core may refuse, no command fails.
        assert!(!refused.contains("failed: "), "{refused}");
        did
    };
    let did = run();
    for command in [
        "ethtool -C eth0 rx-usecs 0",
        "ethtool -K eth0 gro off",
        "sh -c pgrep ^napi/eth0- | xargs -r -n 1 chrt --fifo --pid 50",
    ] {
        let done = format!("done: {command}");
        assert!(did.lines().any(|line| line == done), "{done}: {did}");
    }
    let of_card = |checks: &[Value]| -> Vec<[String; 3]> {
        let names = checks.iter().map(|check| check["name"].as_str().unwrap());
        let names = names.filter(|name| name.starts_with("nic."));
        let told = |name: &str| {
            let word = |key| word(checks, name, key);
            [name.to_owned(), word("verdict"), word("value")]
        };
        names.map(told).collect()
    };
    let after = checks(&place, "eth0");
    assert_eq!(word(&after, MENDED[0], "value"), "on, priority 50");
    for name in MENDED {
        assert_eq!(word(&after, name, "verdict"), "ok", "{name}");
    }
    // Nothing but the clock of this card, which no script mends, is left.
    let after = of_card(&after);
    let wrong = |check: &&[String; 3]| ["warn", "bad"].contains(&check[1].as_str());
    let left = after.iter().filter(wrong);
    let left: Vec<_> = left.filter(|check| check[0] != "nic.ptp_clock").collect();
    assert!(left.is_empty(), "{left:?}");
    // The threads of reception are really there, and have it.
    let threads = vm::told("./pgrep", "^napi/eth0-");
    assert!(threads.lines().count() > 0);
    for thread in threads.lines() {
        let has = vm::told("./chrt", &format!("--pid {thread}"));
        assert!(has.contains("SCHED_FIFO"), "{has}");
        assert!(has.contains("priority: 50"), "{has}");
    }
    // Nothing is left to be written, and all stays as it is.
    let again = run();
    let written = again.lines().find(|line| line.starts_with('/'));
    assert_eq!(written, None, "{again}");
    assert_eq!(of_card(&checks(&place, "eth0")), after);
}

#[test]
fn a_card_is_set_read_back_and_left_as_it_was() {
    const TEST: &str = "a_card_is_set_read_back_and_left_as_it_was";
    if !with_cards(TEST) {
        return;
    }
    cards_up();
    let before = card();
    println!("found: {before:?}");
    assert!(!before.1.is_empty(), "it has interrupts of its own");
    assert_ne!(before.0, "rx-usecs: 0");
    let place = Place::new();
    let text = fs::read_to_string(vm::PRESS_CELL).unwrap();
    // A tap: nothing needs to answer.
    let text = text.replacen("[bus]\n", "[bus]\nkind = \"tap\"\n", 1);
    let asked = "[realtime]\ncore = 1\n\n[realtime.nic]\nirq_core = 0\nrx_coalescing = \"0us\"\n";
    let config = place.file("cell.toml", format!("{text}\n{asked}"));
    let args = [
        "run",
        config.to_str().unwrap(),
        "--interface",
        "eth0",
        "--json",
    ];
    // Started by `by`, where that is anything.
    let start = |by: &[&str]| {
        let words: Vec<&str> = by.iter().copied().chain([vm::BINARY]).chain(args).collect();
        let mut run = place.command(Path::new(words[0]), &words[1..]);
        let mut run = run.spawn().unwrap();
        let mut said = BufReader::new(run.stderr.take().unwrap());
        let mut begun = String::new();
        while !begun.contains("listening on") {
            assert!(said.read_line(&mut begun).unwrap() > 0, "{begun}");
        }
        (run, said, begun)
    };
    let (mut run, mut said, begun) = start(&[]);
    let during = card();
    println!("set: {during:?}");
    assert!(!begun.contains("[realtime.nic]"), "{begun}");
    assert_eq!(during.0, "rx-usecs: 0");
    assert!(
        during.1.iter().all(|irq| irq.ends_with(": 0")),
        "{during:?}"
    );
    interrupt(&run);
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert!(run.wait().unwrap().code().is_some(), "{rest}");
    assert_eq!(card(), before, "{rest}");

    // A run that is killed sets nothing back; the next one knows what it had found.
    let (mut run, _, _) = start(&[]);
    run.kill().unwrap();
    run.wait().unwrap();
    assert_eq!(card(), during);
    // One without the right to set coalescing back leaves that to one that has it.
    let without = ["/opt/setpriv", "--bounding-set=-net_admin"];
    let (mut run, mut said, begun) = start(&without);
    assert!(begun.contains("could not be set back"), "{begun}");
    interrupt(&run);
    said.read_to_string(&mut rest).unwrap();
    assert!(run.wait().unwrap().code().is_some(), "{rest}");
    assert_eq!(card(), (during.0.clone(), before.1.clone()), "{rest}");
    let (mut run, mut said, begun) = start(&[]);
    assert!(begun.contains("it is set back first"), "{begun}");
    assert_eq!(card(), during);
    interrupt(&run);
    said.read_to_string(&mut rest).unwrap();
    assert!(run.wait().unwrap().code().is_some(), "{rest}");
    assert_eq!(card(), before, "{rest}");

    // What the card cannot do is refused before the bus is touched, and nothing stays changed.
    let strict = asked.replacen("core = 1\n", "core = 1\nrequire = true\n", 1)
        + "tx_coalescing = \"50us\"\n";
    let config = place.file("strict.toml", format!("{text}\n{strict}"));
    let refused = format!("run {} --interface eth0", config.display());
    let refused = place.run(Path::new(vm::BINARY), &refused);
    println!("{}", refused.stderr);
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stderr.contains("tx 50 us refused"), "{refused:?}");
    assert_eq!(card(), before);
}
