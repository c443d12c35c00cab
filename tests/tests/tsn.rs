//! Devices that publish (OPC UA PubSub over Ethernet), on a virtual cable: the simulated machine publishes what its MainDevice
//! exchanges, and whoever subscribes finds the same deviations.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::fs;
use std::process::Stdio;
use twinstep_tests::cable::{Cable, ENDS};
use twinstep_tests::listener::{
    Listener, both_found, events, replays, shifted, tripped, undisturbed,
};
use twinstep_tests::pieces::replayed;
use twinstep_tests::run::{Place, json_lines, shipped};
use twinstep_tests::sim::Sim;
use twinstep_tests::{program, release_binary, root};

/// The ends of the second cable: the devices', and the subscriber's.
const TSN: [&str; 2] = ["ts0", "ts1"];

/// The press cell, whose devices publish.
fn tsn_config(more: &str) -> String {
    let text = fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let tsn = text.replacen("[bus]\n", &format!("{more}[bus]\nkind = \"tsn\"\n"), 1);
    assert_ne!(text, tsn);
    tsn
}

fn second_cable(cable: &Cable) {
    let run = |args: &[&str]| {
        let output = cable.command("ip", args).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    run(&[
        "link", "add", TSN[0], "type", "veth", "peer", "name", TSN[1],
    ]);
    for end in TSN {
        let quiet = format!("echo 1 >/proc/sys/net/ipv6/conf/{end}/disable_ipv6");
        let _ = cable.command("sh", ["-c", &quiet]).output();
        run(&["link", "set", end, "up"]);
    }
}

#[test]
fn what_is_published_raises_what_the_main_device_raises() {
    undisturbed(|| subscribed("what_is_published_raises_what_the_main_device_raises"));
}

/// Whether the machine was not disturbed beyond what was asked for.
fn subscribed(test: &str) -> bool {
    let (Some(cable), Some(python)) = (Cable::new(test), program(test, "python3")) else {
        return true;
    };
    const CYCLES: u64 = 14_000;
    second_cable(&cable);
    let place = Place::new();
    let machine = shipped("press-cell.toml").display().to_string();
    let faults = [
        "--publish-uadp",
        TSN[0],
        "--fault",
        "friction:outfeed:factor=1.5@1s",
        "--fault",
        "drive_fault:lift:code=0x2310@12s",
    ];
    let mut sim = Sim::start(&cable, &machine, &faults);
    // The subscriber publishes its predictions on the same cable, the other way.
    let publish = format!(
        "[publish.uadp]\ninterface = \"{}\"\npublisher_id = 99\n",
        TSN[1]
    );
    let config = place.file("tsn.toml", tsn_config(&publish));
    let listener = Listener::start(&cable, &place, "tsn", &config, TSN[1]);
    let state = place.path("master.state").display().to_string();
    let cycles = CYCLES.to_string();
    let args = [
        "run",
        &machine,
        "--interface",
        ENDS[0],
        "--arm",
        "--json",
        "--cycles",
        &cycles,
    ];
    let mut master = cable.command(release_binary(), args);
    let master = master.args(["--state", &state]).spawn().unwrap();
    sim.wait_for_op();
    // A decoder of its own, in another language.
    let script = root().join("tests/masters/uadp.py").display().to_string();
    let decoder = cable.command(python, [script.as_str(), TSN[0], "99", "500"]);
    let mut decoder = decoder;
    let decoded = decoder.stderr(Stdio::inherit()).spawn().unwrap();
    let decoded = decoded.wait_with_output().unwrap();
    let master = master.wait_with_output().unwrap();
    assert!(master.status.success(), "{master:?}");
    let heard = listener.end();
    let sim = sim.end();
    replays(&place, "tsn", &heard);
    let kept = replayed(&place, &place.path("tsn.state"), &heard);
    assert_eq!(sim.last().unwrap()["unpublished"], 0, "{sim:?}");
    let lines = json_lines(&String::from_utf8(master.stdout).unwrap());
    let (summary, subscriber) = (lines.last().unwrap(), heard.last().unwrap());
    for (who, of) in [("master", summary), ("subscriber", subscriber)] {
        let (bus, causes) = (&of["bus"], &of["overrun_causes"]);
        println!("{who}: {bus}, {} overruns {causes}", of["overruns"]);
    }
    assert_eq!(subscriber["bus"]["foreign"], 0, "{subscriber}");
    assert_eq!(subscriber["bus"]["duplicate"], 0, "{subscriber}");
    if tripped(&lines) {
        return false;
    }
    let (seen, told) = (events(&lines), events(&heard));
    // On a busy computer a frame is late for one of them; else they agree to the cycle.
    let none = |bus: &Value| ["lost", "late"].iter().all(|key| bus[*key] == 0);
    let faulted = |lines: &[Value]| {
        lines.iter().any(|line| {
            line["type"] == "event"
                && line["channel"] == "frames"
                && line["cycle"].as_u64() < Some(CYCLES)
        })
    };
    let clean =
        none(&summary["bus"]) && none(&subscriber["bus"]) && !faulted(&lines) && !faulted(&heard);
    println!("{} deviations; compared to the cycle: {clean}", seen.len());
    if !both_found([&seen, &told], clean) {
        return false;
    }
    if clean {
        assert_eq!(shifted(&told, &seen, CYCLES), seen);
    }
    assert!(kept > 0, "{heard:?}");

    let text = String::from_utf8(decoded.stdout).unwrap();
    assert!(decoded.status.success(), "{text}");
    let decoded: Value = serde_json::from_str(&text).unwrap();
    // Eight axes and the station; the press is not judged, so that its data set is bad.
    let sets = decoded["data_sets"].as_object().unwrap();
    assert_eq!(sets.len(), 9, "{decoded}");
    assert!(!sets.contains_key("9"), "{decoded}");
    assert_eq!(decoded["intervals"], 500, "{decoded}");
    assert_eq!(decoded["gaps"], 0, "{decoded}");
    let infeed = &sets["1"];
    let number = |key: &str| infeed[key].as_f64().unwrap();
    assert!(
        (number("measured_position") - number("predicted_position")).abs() < 1e-3,
        "{infeed}"
    );
    true
}

#[test]
fn what_cannot_be_subscribed_to_is_refused() {
    let place = Place::new();
    let config = place.file("tsn.toml", tsn_config("")).display().to_string();
    place.refuse(
        &format!("run {config}"),
        2,
        &["the devices publish and no interface"],
    );
    place.refuse(
        &format!("run {config} --interface ts0 --arm"),
        2,
        &["knows no --arm"],
    );
    place.refuse(
        &format!("run {config} --interface none0"),
        1,
        &["no network interface 'none0'"],
    );
    let check = place.twinstep(&format!("check {config} --json")).fine();
    assert!(check.stdout.contains("OPC UA PubSub"), "{check:?}");
}
