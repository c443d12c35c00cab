//! Both programs under the filters that their units have systemd make: system calls, address families, memory that is executed, real-time
//! policies. `tests/services/filtered.py` makes them of the units' own words; what else a unit leaves to its program is in `units.rs`.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use twinstep_config::PRESS_CELL;
use twinstep_tests::broker::Broker;
use twinstep_tests::cable::{Cable, ENDS};
use twinstep_tests::gateway::{Peer, has_opcua, http, post, until};
use twinstep_tests::load::sinks;
use twinstep_tests::opcua::{answer, hello};
use twinstep_tests::run::{Place, json_lines, shipped};
use twinstep_tests::sim::Sim;
use twinstep_tests::{program, release_binary, root, skip};

const CYCLE: &str = "twinstep@.service";
const GATEWAY: &str = "twinstep-gateway@.service";

/// What runs a program under the filters of a unit: the first words of its command.
struct Filtered {
    python: PathBuf,
    script: PathBuf,
}

impl Filtered {
    /// Where this computer has what it takes; otherwise `test` is skipped aloud.
    fn find(test: &str) -> Option<Self> {
        let found = Self {
            python: program(test, "python3")?,
            script: root().join("tests/services/filtered.py"),
        };
        program(test, "systemd-analyze")?;
        let names = Path::new("/usr/include/x86_64-linux-gnu/asm/unistd_64.h");
        if !names.exists() {
            skip(
                test,
                "the numbers of system calls are not here (linux-libc-dev)",
            );
            return None;
        }
        let place = Place::new();
        let tried = place
            .command(&found.python, found.words(&unit(GATEWAY), "/bin/true"))
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&tried.stderr);
        if errors.contains("no filter can be set") {
            skip(test, errors.trim());
            return None;
        }
        assert!(tried.status.success(), "{errors}");
        Some(found)
    }

    /// The words behind the interpreter: those of `command`, split at spaces, under the filters of `unit`.
    fn words(&self, unit: &Path, command: &str) -> Vec<String> {
        let start = [self.script.as_path(), unit].map(|path| path.display().to_string());
        let command = command.split_whitespace().map(str::to_owned);
        start.into_iter().chain(command).collect()
    }
}

fn unit(name: &str) -> PathBuf {
    root().join("scripts/systemd").join(name)
}

/// What a program may, told by Python, which asks the kernel for it.
const ASKS: &str = "
import mmap, os, socket
def tell(what, ask):
    try:
        ask()
        print(what, 'done')
    except OSError as error:
        print(what, error.errno)
tell('packets', lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
tell('internet', lambda: socket.socket(socket.AF_INET))
tell('unix', lambda: socket.socket(socket.AF_UNIX))
tell('code', lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC))
tell('fifo', lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)))
tell('core', lambda: os.sched_setaffinity(0, os.sched_getaffinity(0)))
tell('root', lambda: os.chroot('/'))
";

#[test]
fn the_filters_refuse_what_their_units_do_not_leave() {
    let test = "the_filters_refuse_what_their_units_do_not_leave";
    let Some(filtered) = Filtered::find(test) else {
        return;
    };
    let place = Place::new();
    let asks = place.file("asks.py", ASKS);
    let told = |name: &str| {
        let command = format!("{} {}", filtered.python.display(), asks.display());
        let words = filtered.words(&unit(name), &command);
        let output = place.command(&filtered.python, words).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    // EAFNOSUPPORT and EPERM, as systemd has them.
    let gateway = "packets 97\ninternet done\nunix done\ncode 1\nfifo 1\ncore done\nroot 1\n";
    assert_eq!(told(GATEWAY), gateway);
    let cycle = told(CYCLE);
    for refused in ["internet 97", "unix done", "code 1", "root 1"] {
        assert!(cycle.contains(refused), "{cycle}");
    }
    // Whether this user may is another matter: it is not the filter that refuses.
    assert!(!cycle.contains("packets 97"), "{cycle}");
}

#[test]
fn the_cycle_works_under_the_filters_of_its_unit() {
    let test = "the_cycle_works_under_the_filters_of_its_unit";
    let Some(filtered) = Filtered::find(test) else {
        return;
    };
    let place = Place::new();
    let more = format!(
        "[shared]\nname = \"filters-{}\"\n[judge]",
        std::process::id()
    );
    let cell = place.file("cell.toml", PRESS_CELL.replacen("[judge]", &more, 1));
    let command = format!(
        "{} run {} --json --state state --control cell.sock --cycles 1000 --inject drive_fault:lift:code=0x2310@300ms",
        release_binary().display(),
        cell.display()
    );
    let run = |program: &Path, words: Vec<String>| -> Vec<Value> {
        let output = place.command(program, words).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        json_lines(&String::from_utf8(output.stdout).unwrap())
    };
    let within = run(&filtered.python, filtered.words(&unit(CYCLE), &command));
    let (program, words) = command.split_once(' ').unwrap();
    let free = words.split(' ').map(str::to_owned).collect();
    let free = run(Path::new(program), free);
    // What the kernel grants is granted under the filters too, and what is found is the same.
    let [within_end, free_end] = [&within, &free].map(|lines| lines.last().unwrap());
    assert_eq!(within_end["cycles"], 1000, "{within_end}");
    assert_eq!(within_end["digest"], free_end["digest"]);
    for key in ["policy", "memory_locked", "cpu_dma_latency_held", "wait"] {
        let trust = [within_end, free_end].map(|end| &end["trust"][key]);
        assert_eq!(trust[0], trust[1], "{key}");
    }
    assert!(within_end["shared"].is_object(), "{within_end}");
    let raised = within.iter().any(|line| line["source"] == "lift");
    assert!(raised, "{within:?}");
}

#[test]
fn the_cycle_drives_a_cable_under_the_filters_of_its_unit() {
    let test = "the_cycle_drives_a_cable_under_the_filters_of_its_unit";
    let (Some(filtered), Some(cable)) = (Filtered::find(test), Cable::new(test)) else {
        return;
    };
    let place = Place::new();
    // Longer than the shipped one: here the segment shares the processor with its master.
    let text = std::fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let text = text.replacen("period = \"1ms\"", "period = \"4ms\"", 1);
    let machine = place.file("cell.toml", text).display().to_string();
    let _sim = Sim::start(&cable, &machine, &[]);
    let [state, socket] = ["state", "cell.sock"].map(|name| place.path(name).display().to_string());
    let command = format!(
        "{} run {machine} --interface {} --json --arm --cycles 500 --state {state} --control {socket}",
        release_binary().display(),
        ENDS[0]
    );
    let words = filtered.words(&unit(CYCLE), &command);
    let output = cable.command(&filtered.python, words).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let lines = json_lines(&String::from_utf8(output.stdout).unwrap());
    let summary = lines.last().unwrap();
    assert_eq!(summary["cycles"], 500, "{summary}");
}

#[test]
fn the_gateway_serves_all_its_sinks_under_the_filters_of_its_unit() {
    let test = "the_gateway_serves_all_its_sinks_under_the_filters_of_its_unit";
    let place = Place::new();
    let (Some(filtered), Some(mut broker)) = (Filtered::find(test), Broker::new(test, &place))
    else {
        return;
    };
    broker.start("allow_anonymous true");
    let opcua = has_opcua(test);
    let mut config = sinks(broker.port);
    if opcua {
        config += "[opcua]\nlisten = \"127.0.0.1:0\"\ninsecure = true\n";
    }
    let _ = place.file("g.toml", config);
    let run = "demo --json --no-page --cycles 3600000 --state state --control cell.sock --inject drive_fault:lift:code=0x2310@500ms";
    let mut run = Peer::start(&place, run);
    run.forget_lines();
    let command = format!(
        "{} gateway --json --state state --control cell.sock --config g.toml --listen 127.0.0.1:0",
        release_binary().display()
    );
    let words = filtered.words(&unit(GATEWAY), &command);
    let command = place.command(&filtered.python, words);
    let mut gateway = Peer::of_heard(command, &place.path("gateway.err"));
    let (mut page, mut server) = (String::new(), String::new());
    while page.is_empty() || (opcua && server.is_empty()) {
        let line = gateway.next("listening");
        let at = if line["sink"] == "opcua" {
            &mut server
        } else {
            &mut page
        };
        line["url"].as_str().unwrap().clone_into(at);
    }
    gateway.forget_lines();
    let get = |path: &str| http(&page, &format!("GET {path}"), &[], "");
    let alarm = until(|| {
        let alarms = get("/api/alarms").json();
        alarms["alarms"].get(0).cloned()
    });
    let seen = serde_json::json!({"seq": alarm["last_seq"]});
    assert_eq!(post(&page, "/api/alarms/acknowledge", &seen).status, 200);
    if opcua {
        let host = server.trim_start_matches("opc.tcp://");
        let host = host.trim_end_matches('/');
        assert!(answer(host, &hello()).starts_with(b"ACKF"));
    }
    for sink in ["mqtt", "sparkplug"] {
        let line = format!("twinstep_sink_connected{{sink=\"{sink}\"}} 1.0\n");
        until(|| get("/metrics").body.contains(&line).then_some(()));
    }
    gateway.signal("TERM");
    assert!(gateway.child.wait().unwrap().success());
    let said = std::fs::read_to_string(place.path("gateway.err")).unwrap();
    assert!(!said.contains("not permitted"), "{said}");
}
