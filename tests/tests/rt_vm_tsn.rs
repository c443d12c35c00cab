//! `[tsn]` on a real kernel: what is asked for is there while the machine runs, as `tc` and `ip` see it, and gone afterwards.
//!
//! Behaviour only; the one test that looks at times asks in which gate a frame arrives, and gates are milliseconds wide.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use twinstep_drivers::link::Link;
use twinstep_drivers::link::raw_socket::RawSocket;
use twinstep_tests::gates::{self, CYCLE_NS, in_its_gate, phase_ns};
use twinstep_tests::run::{Place, json_lines, rights_are_given_up, rights_of};
use twinstep_tests::vm::{self, as_found, lay, told};

const MQPRIO: &str = r#"
qdisc = "mqprio"
classes = [0, 0, 0, 1, 0, 2]
queues = [2, 1, 1]
"#;

/// A cycle of 4 ms: class 1 in its first half, class 0 in its second.
const TAPRIO: &str = r#"
qdisc = "taprio"
classes = [0, 0, 0, 1]
gates = [{ open = [1], for = "2ms" }, { open = [0], for = "2ms" }]
"#;

const ETF: &str = r#"
vlan = 5
pcp = [0, 1, 2, 6, 4, 5, 6, 7]
qdisc = "etf"
classes = [0, 0, 0, 1]
launch_class = 1
delta = "300us"
"#;

/// The press cell, simulated in the process, with a `[tsn]` on `interface`; a multiple of its period fits all the gates here.
fn configuration(place: &Place, interface: &str, tsn: &str) -> String {
    let text = fs::read_to_string(vm::PRESS_CELL).unwrap();
    let text = format!("{text}\n[tsn]\ninterface = \"{interface}\"\n{tsn}");
    let path = place.file("tsn.toml", text);
    path.to_str().unwrap().to_owned()
}

fn run(place: &Place, config: &str, more: &[&str]) -> Command {
    // Compression would keep the emulator's other processor still for milliseconds.
    let args = ["run", config, "--json", "--no-event-recordings"];
    let args = args.iter().chain(more).copied();
    place.command(Path::new(vm::BINARY), args)
}

/// The queueing disciplines of an interface once `kind` is among them.
fn wait_for(child: &mut Child, interface: &str, kind: &str) -> Vec<Value> {
    loop {
        let ended = child.try_wait().unwrap();
        let text = told("tc", &format!("-j qdisc show dev {interface}"));
        let all: Vec<Value> = serde_json::from_str(&text).unwrap();
        if all.iter().any(|one| one["kind"] == kind) {
            return all;
        }
        assert!(ended.is_none(), "ended as {ended:?} without {kind}: {text}");
        vm::moment();
    }
}

/// Starts a run and waits until `kind` is set; `look` sees the queueing disciplines. Then asks it to end, by `signal`.
fn while_set(interface: &str, tsn: &str, kind: &str, signal: &str, look: impl FnOnce(&[Value])) {
    let before = as_found();
    let place = Place::new();
    let config = configuration(&place, interface, tsn);
    let mut child = run(&place, &config, &[]).spawn().unwrap();
    let found = wait_for(&mut child, interface, kind);
    println!("{found:?}");
    // A VLAN comes last: by the first event or cycle everything is in place.
    if tsn.contains("vlan") {
        while !Path::new(&format!("/sys/class/net/{interface}.5")).exists() {
            assert!(child.try_wait().unwrap().is_none());
            vm::moment();
        }
    }
    look(&found);
    // One right is kept, by the thread that takes everything back.
    const NET_ADMIN: u64 = 1 << 12;
    loop {
        let mut rights = rights_of(child.id());
        rights.retain(|(name, mask)| *mask != NET_ADMIN || name != "twinstep");
        if rights_are_given_up(&rights) {
            break;
        }
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none(), "ended as {ended:?} with {rights:?}");
        vm::moment();
    }
    told("kill", &format!("-{signal} {}", child.id()));
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(as_found(), before, "left as found");
}

#[test]
fn what_is_asked_for_is_set_and_taken_back() {
    if !vm::inside("what_is_asked_for_is_set_and_taken_back", 2, "", &[]) {
        return;
    }
    lay(["tsn0", "tsn1"]);
    let root = |all: &[Value], kind: &str| {
        let root = all
            .iter()
            .find(|one| one["kind"] == kind && one["root"] == true);
        root.unwrap_or_else(|| panic!("no {kind} at the root: {all:?}"))["options"].clone()
    };
    while_set("tsn0", MQPRIO, "mqprio", "TERM", |all| {
        let options = root(all, "mqprio");
        assert_eq!(options["tc"], 3, "{options}");
        let map: Vec<_> = (0..6)
            .map(|n| options["map"][n].as_u64().unwrap())
            .collect();
        assert_eq!(map, [0, 0, 0, 1, 0, 2]);
    });
    while_set("tsn0", TAPRIO, "taprio", "INT", |all| {
        let options = root(all, "taprio");
        assert_eq!(options["clockid"], "TAI", "{options}");
        let text = options.to_string();
        // The list stands under `schedule`, or under `admin` before it starts; the mask of open gates is hexadecimal.
        assert_eq!(text.matches("\"interval\":2000000").count(), 2, "{options}");
        assert!(text.contains("\"gatemask\":\"0x2\""), "{options}");
    });
    while_set("tsn0", ETF, "etf", "TERM", |all| {
        assert_eq!(root(all, "mqprio")["tc"], 2);
        let etf: Vec<_> = all.iter().filter(|one| one["kind"] == "etf").collect();
        assert_eq!(etf.len(), 1, "one queue: {all:?}");
        let options = &etf[0]["options"];
        assert_eq!(options["delta"], 300_000, "{options}");
        assert_eq!(options["clockid"], "TAI", "{options}");
        let links: Value = serde_json::from_str(&told("ip", "-j -d link show tsn0.5")).unwrap();
        let vlan = &links[0]["linkinfo"]["info_data"];
        assert_eq!(vlan["id"], 5, "{links}");
        let maps = vlan["egress_qos"].as_array().unwrap();
        assert!(
            maps.iter().any(|map| map["from"] == 3 && map["to"] == 6),
            "{vlan}"
        );
        // And back: a PCP means the first priority that is sent with it.
        let maps = vlan["ingress_qos"].as_array().unwrap();
        let back = |from: u64| {
            let map = maps.iter().find(|map| map["from"] == from);
            map.map_or(0, |map| map["to"].as_u64().unwrap())
        };
        assert_eq!(
            [1, 2, 3, 4, 5, 6, 7].map(back),
            [1, 2, 0, 4, 5, 3, 7],
            "{vlan}"
        );
    });
}

/// What `[tsn]` was set on is taken away while the machine runs: the run has a machine to move, goes on, and ends in order.
#[test]
fn an_interface_of_tsn_that_vanishes_ends_no_run() {
    if !vm::inside("an_interface_of_tsn_that_vanishes_ends_no_run", 2, "", &[]) {
        return;
    }
    let before = as_found();
    lay(["tsn0", "tsn1"]);
    let place = Place::new();
    let config = configuration(&place, "tsn0", &format!("vlan = 5\n{TAPRIO}"));
    let mut child = run(&place, &config, &[]).spawn().unwrap();
    wait_for(&mut child, "tsn0", "taprio");
    while !Path::new("/sys/class/net/tsn0.5/operstate").exists() {
        assert!(child.try_wait().unwrap().is_none());
        vm::moment();
    }
    told("ip", "link del tsn0");
    let status = |child: &mut Child| loop {
        assert_eq!(child.try_wait().unwrap(), None);
        let asked = place.run(Path::new(vm::BINARY), "status --json");
        if let Some(line) = asked.lines().into_iter().find(|_| asked.status.success()) {
            return line["cycle"].as_u64().unwrap();
        }
    };
    // It cycles without it.
    let then = status(&mut child);
    while status(&mut child) < then + 100 {}
    told("kill", &format!("-INT {}", child.id()));
    let output = child.wait_with_output().unwrap();
    println!("{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{output:?}");
    assert_eq!(as_found(), before, "left as found");
}

#[test]
fn what_cannot_be_had_leaves_nothing_behind() {
    if !vm::inside("what_cannot_be_had_leaves_nothing_behind", 2, "", &[]) {
        return;
    }
    lay(["tsn0", "tsn1"]);
    told("ip", "link add one0 type veth peer name one1");
    told("ip", "link set one0 up");
    let refused = |interface: &str, tsn: &str, says: &[&str]| {
        let before = as_found();
        let place = Place::new();
        let config = configuration(&place, interface, tsn);
        let output = run(&place, &config, &["--cycles", "10"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let said: Vec<_> = said
            .split_whitespace()
            .filter(|word| *word != "|")
            .collect();
        let said = said.join(" ");
        println!("{said}");
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        for text in says {
            assert!(said.contains(text), "{text:?} is not said: {said}");
        }
        assert_eq!(as_found(), before, "left as found");
    };
    let offload = |tsn: &str| format!("offload = true\n{tsn}");
    for (tsn, name) in [(TAPRIO, "taprio"), (MQPRIO, "mqprio"), (ETF, "etf")] {
        let asked = format!("tsn0: {name} with offload was asked for");
        refused("tsn0", &offload(tsn), &[&asked, "leave `offload` out"]);
    }
    refused(
        "one0",
        TAPRIO,
        &["one0: taprio was asked for, and the kernel refuses"],
    );
    refused("tsn9", TAPRIO, &["no network interface 'tsn9'"]);
    // Half-way: the queueing disciplines are set by the time that the VLAN is found taken.
    told("ip", "link add link tsn0 name tsn0.5 type vlan id 7");
    refused(
        "tsn0",
        ETF,
        &["tsn0 has an interface tsn0.5 already", "ip link del tsn0.5"],
    );
    told("ip", "link del tsn0.5");
    told("tc", "qdisc add dev tsn0 root handle 1: pfifo");
    refused(
        "tsn0",
        MQPRIO,
        &[
            "the queueing discipline pfifo at its root",
            "tc qdisc del dev tsn0 root",
        ],
    );
}

#[test]
fn streams_of_two_classes_arrive_in_their_own_gates() {
    if !vm::inside(
        "streams_of_two_classes_arrive_in_their_own_gates",
        2,
        "",
        &[],
    ) {
        return;
    }
    const FRAMES: usize = 200;
    lay(["tsn0", "tsn1"]);
    let place = Place::new();
    let tsn = format!("vlan = 5\n{TAPRIO}");
    let config = configuration(&place, "tsn0", &tsn);
    let mut child = run(&place, &config, &[])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_for(&mut child, "tsn0", "taprio");
    while !Path::new("/sys/class/net/tsn0.5/operstate").exists() {
        assert!(child.try_wait().unwrap().is_none());
        vm::moment();
    }
    // EtherCAT on the interface itself, in class 1; the other stream tagged, in class 0.
    let mut streams = [
        RawSocket::open_queued("tsn0.5", 0).unwrap(),
        RawSocket::open_queued("tsn0", 3).unwrap(),
    ];
    let mut peer = RawSocket::open("tsn1").unwrap();
    let mut arrived: [Vec<u128>; 2] = [Vec::new(), Vec::new()];
    let mut buffer = [0; 1514];
    for round in 0..FRAMES {
        // Both are handed over at the same moment, and the moment wanders through the cycle.
        let wanted = (round as u128 * 37 % 100) * CYCLE_NS / 100;
        while phase_ns().abs_diff(wanted) > CYCLE_NS / 50 {
            std::thread::yield_now();
        }
        for (class, stream) in streams.iter_mut().enumerate() {
            let mut frame = [0; 60];
            frame[..6].fill(0xff);
            frame[12..14].copy_from_slice(&[0x88, 0xa4]);
            frame[14] = class as u8;
            stream.send(&frame).unwrap();
        }
        for _ in 0..streams.len() {
            let deadline = peer.clock().now_ns() + Duration::from_secs(1).as_nanos() as u64;
            let length = peer.receive(&mut buffer, deadline).unwrap();
            let phase = phase_ns();
            assert!(length.is_some(), "a frame of round {round} never arrived");
            arrived[usize::from(buffer[14])].push(phase);
        }
    }
    for class in [1, 0] {
        assert_eq!(arrived[class].len(), FRAMES, "class {class}");
        in_its_gate(class, &arrived[class], FRAMES);
    }
    told("kill", &format!("-INT {}", child.id()));
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// Cycles of a run whose frames are looked at.
const CYCLES: usize = 500;

/// What a run with a bus came to.
struct Sent {
    summary: Value,
    /// When frames arrived in their cycle of 4 ms (ns): what is published, and those of the bus.
    arrived: [Vec<u128>; 2],
}

impl Sent {
    /// Frames of the bus that did not come back in time.
    fn missed(&self) -> usize {
        let count = |key: &str| self.summary["bus"][key].as_u64().unwrap() as usize;
        count("lost") + count("late")
    }
}

/// Runs the press cell on `tsn0`, its bus in a class of its own, beside what it publishes or not.
fn bus_in_its_gate(publishes: bool) -> Sent {
    let place = Place::new();
    let text = fs::read_to_string(vm::PRESS_CELL).unwrap();
    let machine = text.replacen("period = \"1ms\"", "period = \"4ms\"", 1);
    assert_ne!(machine, text);
    let plain = place.file("sim.toml", &machine);
    let publish = if publishes {
        "[publish.uadp]\ninterface = \"tsn0.5\"\npublisher_id = 9\n"
    } else {
        ""
    };
    // The cycle begins with the gate of the bus; what is published is ready long before its own gate.
    let config = format!(
        "{machine}\n[tsn]\ninterface = \"tsn0\"\nvlan = 5\nbus_priority = 3\n{TAPRIO}\n\
         {publish}\n[realtime.clock]\nsource = \"tai\"\n"
    );
    let config = place.file("tsn.toml", config);
    let plain = plain.to_str().unwrap();
    let args = ["sim", plain, "--interface", "tsn1", "--json"];
    let mut sim = place
        .command(Path::new(vm::BINARY), args)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let cycles = CYCLES.to_string();
    let args = ["--interface", "tsn0", "--cycles", &cycles];
    let mut child = run(&place, config.to_str().unwrap(), &args)
        .spawn()
        .unwrap();
    wait_for(&mut child, "tsn0", "taprio");
    let mut arrived: [Vec<u128>; 2] = [Vec::new(), Vec::new()];
    let goes_on = || child.try_wait().unwrap().is_none();
    gates::listen("tsn1", goes_on, |kind, phase| match kind {
        gates::ETHERCAT => arrived[1].push(phase),
        gates::UADP => arrived[0].push(phase),
        _ => {}
    });
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let lines = json_lines(&String::from_utf8(output.stdout).unwrap());
    let summary = lines.last().unwrap().clone();
    println!("publishes {publishes}: {summary}");
    told("kill", &format!("-INT {}", sim.id()));
    let _ = sim.wait().unwrap();
    assert_eq!(summary["clock"]["follows"], true, "{summary}");
    Sent { summary, arrived }
}

/// What the cycle itself sends on one interface, EtherCAT and what it publishes: each arrives in its own gate, and the bus loses no
/// more than it does alone.
#[test]
fn what_a_run_sends_and_publishes_arrives_in_its_own_gate() {
    const TEST: &str = "what_a_run_sends_and_publishes_arrives_in_its_own_gate";
    if !vm::inside(TEST, 3, "", &[]) {
        return;
    }
    lay(["tsn0", "tsn1"]);
    let alone = bus_in_its_gate(false);
    assert!(alone.arrived[0].is_empty(), "nobody publishes");
    let both = bus_in_its_gate(true);
    for class in [1, 0] {
        in_its_gate(class, &both.arrived[class], CYCLES);
    }
    // Frames of the bus that wait for their gate, or behind others, would be late or lost; so would be some of the emulator's alone.
    println!("missed: alone {}, beside {}", alone.missed(), both.missed());
    let beside = alone.missed() + CYCLES / 100;
    assert!(both.missed() <= beside, "{}", both.summary);
    assert!(both.missed() <= CYCLES / 20, "{}", both.summary);
}
