//! OPC UA PubSub as a whole on a PREEMPT_RT kernel: the press cell on one cable, what its devices publish on a VLAN of another, through the
//! gates of `[tsn]`, and a subscriber whose twins find what the MainDevice finds.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::JoinHandle;
use twinstep_tests::gates::{self, in_its_gate};
use twinstep_tests::run::{Place, json_lines};
use twinstep_tests::vm::{self, as_found, lay, told};

/// Cycles of the MainDevice, and its period: the emulator runs its processors in turn.
const CYCLES: u64 = 750;
const PERIOD: &str = "period = \"4ms\"";
/// All that is published is of class 0, which is sent in the second half of 4 ms.
const TSN: &str = r#"
[tsn]
interface = "tsn0"
vlan = 5
pcp = [6, 1, 2, 3, 4, 5, 0, 7]
qdisc = "taprio"
classes = [0, 0, 0, 1]
gates = [{ open = [1], for = "2ms" }, { open = [0], for = "2ms" }]
"#;

/// A run whose output is read as it comes: one that has filled its pipe stands still.
struct Running {
    child: Child,
    lines: JoinHandle<String>,
    errors: JoinHandle<String>,
}

/// The rest of what comes `from` it.
fn rest(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        from.read_to_string(&mut text).unwrap();
        text
    })
}

impl Running {
    /// Starts it, and waits until it has said `begun`.
    fn start(place: &Place, args: &[&str], begun: &str) -> Self {
        let mut command = place.command(Path::new(vm::BINARY), args);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let lines = rest(child.stdout.take().unwrap());
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains(begun) {
            assert!(errors.read_line(&mut said).unwrap() > 0, "{said}");
        }
        Self {
            child,
            lines,
            errors: rest(errors),
        }
    }

    fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits until it has ended; its lines, and what else it said.
    fn ended(mut self) -> (Vec<Value>, String) {
        let status = self.child.wait().unwrap();
        let [lines, errors] = [self.lines, self.errors].map(|read| read.join().unwrap());
        assert!(status.success(), "{errors}");
        (json_lines(&lines), errors)
    }

    /// Asks it to end first.
    fn end(self) -> (Vec<Value>, String) {
        told("kill", &format!("-INT {}", self.child.id()));
        self.ended()
    }
}

/// The cycle in which the fault of the drive was raised.
fn fault(lines: &[Value]) -> Option<u64> {
    let is_it = |line: &&Value| {
        line["type"] == "event"
            && line["source"] == "lift"
            && line["channel"] == "drive_state"
            && line["state"] == "raised"
    };
    lines.iter().find(is_it)?["cycle"].as_u64()
}

#[test]
fn what_is_published_on_a_vlan_is_heard_and_judged() {
    if !vm::inside(
        "what_is_published_on_a_vlan_is_heard_and_judged",
        3,
        "",
        &[],
    ) {
        return;
    }
    lay(["ec0", "ec1"]);
    lay(["tsn0", "tsn1"]);
    // Only what carries the tag of this VLAN comes to it.
    told("ip", "link add link tsn1 name tsn1.5 type vlan id 5");
    told("ip", "link set tsn1.5 up");
    let found = as_found();
    let place = Place::new();
    let text = fs::read_to_string(vm::PRESS_CELL).unwrap();
    let cell = text.replacen("period = \"1ms\"", PERIOD, 1);
    assert_ne!(cell, text);
    let path = |name: &str, text: String| place.file(name, text).display().to_string();
    // `[tsn]` is somebody's who runs all the time: here another cell, in a process of its own.
    let owner = path("owner.toml", format!("{cell}{TSN}"));
    let subscriber = cell.replacen("[bus]\n", "[bus]\nkind = \"tsn\"\n", 1);
    let subscriber = path("subscriber.toml", subscriber);
    let cell = path("cell.toml", cell);

    // All of them are the press cell: each has a socket of its own.
    let run = ["run", &owner, "--json", "--no-event-recordings"];
    let run = [&run[..], &["--control", "owner.sock"]].concat();
    let mut owner = Running::start(&place, &run, "");
    while !Path::new("/sys/class/net/tsn0.5/operstate").exists() {
        assert!(owner.runs());
        vm::moment();
    }
    let sim = [
        "sim",
        &cell,
        "--interface",
        "ec1",
        "--json",
        "--publish-uadp",
        "tsn0.5",
    ];
    let fault_of_lift = ["--fault", "drive_fault:lift:code=0x2310@1500ms"];
    let sim = Running::start(&place, &[&sim[..], &fault_of_lift].concat(), "");
    let listen = ["run", &subscriber, "--interface", "tsn1.5", "--json"];
    let more = [
        "--no-event-recordings",
        "--state",
        "subscriber.state",
        "--control",
        "subscriber.sock",
    ];
    let listen = [&listen[..], &more].concat();
    let listener = Running::start(&place, &listen, "listening on");
    let cycles = CYCLES.to_string();
    let master = ["run", &cell, "--interface", "ec0", "--json", "--arm"];
    let more = [
        "--no-event-recordings",
        "--cycles",
        &cycles,
        "--state",
        "master.state",
        "--control",
        "master.sock",
    ];
    let mut master = Running::start(&place, &[&master[..], &more].concat(), "");
    let mut published = Vec::new();
    let goes_on = || master.runs();
    gates::listen("tsn1", goes_on, |kind, phase| {
        if kind == gates::UADP {
            published.push(phase);
        }
    });
    let (master, _) = master.ended();
    let (heard, rest) = listener.end();
    let (sim, _) = sim.end();
    // What left by the VLAN.
    let links: Value = serde_json::from_str(&told("ip", "-j -d -s link show tsn0.5")).unwrap();
    println!("{links}");
    drop(owner.end());

    let (summary, subscriber) = (master.last().unwrap(), heard.last().unwrap());
    println!("master: {summary}\nsubscriber: {subscriber}\n{rest}");
    assert_eq!(sim.last().unwrap()["unpublished"], 0, "{sim:?}");
    let sent = links[0]["stats64"]["tx"]["packets"].as_u64().unwrap();
    assert!(sent >= CYCLES, "{links}");
    in_its_gate(0, &published, CYCLES as usize);
    let count = |key: &str| subscriber["bus"][key].as_u64().unwrap();
    assert_eq!(count("foreign") + count("duplicate"), 0, "{subscriber}");
    // Ten data sets a cycle; the emulator keeps its processors still now and then.
    assert!(
        count("lost") + count("late") <= 10 * CYCLES / 20,
        "{subscriber}"
    );
    let cycles = subscriber["cycles"].as_u64().unwrap();
    assert!(cycles >= CYCLES * 9 / 10, "{subscriber}");
    // Both twins have seen the drive fail.
    let faults = [&master, &heard].map(|lines| fault(lines));
    assert!(faults.iter().all(Option::is_some), "{faults:?}: {heard:?}");
    assert_eq!(as_found(), found, "left as found");
}
