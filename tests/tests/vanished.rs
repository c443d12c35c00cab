//! Interfaces that are taken away: a listener's that is down may come up again, and one that has gone ends the run. That of what is published
//! ends no run, which has a machine to move: what does not leave is counted.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use twinstep_tests::cable::{Cable, ENDS, SECOND_ENDS};
use twinstep_tests::gateway::Peer;
use twinstep_tests::listener::Listener;
use twinstep_tests::release_binary;
use twinstep_tests::run::{Place, shipped};
use twinstep_tests::sim::{Sim, interrupt};

/// The press cell on a bus of another kind.
fn listening(place: &Place, kind: &str) -> PathBuf {
    let text = fs::read_to_string(shipped("press-cell.toml")).unwrap();
    // twinstep's own frames pass by where sockets listen on its interface, so a tap hears each way where it arrives.
    let returned = if kind == "tap" {
        format!("returned_interface = \"{}\"\n", ENDS[0])
    } else {
        String::new()
    };
    let bus = format!("[bus]\nkind = \"{kind}\"\n{returned}");
    let other = text.replacen("[bus]\n", &bus, 1);
    assert_ne!(text, other);
    place.file(&format!("{kind}.toml"), other)
}

fn ip(cable: &Cable, args: &[&str]) {
    let done = cable.command("ip", args).output().unwrap();
    assert!(done.status.success(), "{args:?}: {done:?}");
}

fn is_of_frames(line: &Value, state: &str) -> bool {
    line["source"] == "bus" && line["channel"] == "frames" && line["state"] == state
}

/// A tap on the segment's end, or a subscriber on a second cable, whose end goes down, comes up, and vanishes.
fn vanishes(test: &str, kind: &str, far: &str, end: &str) {
    let Some(cable) = Cable::new(test) else {
        return;
    };
    cable.lay(SECOND_ENDS);
    let place = Place::new();
    let machine = shipped("press-cell.toml").display().to_string();
    // Frames are lost every other second: what it says of them shows that it has heard cycles before.
    let losses = (1..=30).map(|n| format!("frame_loss:bus:count=20@{}s", 2 * n));
    let mut more: Vec<_> = losses
        .flat_map(|loss| ["--fault".to_owned(), loss])
        .collect();
    if kind == "tsn" {
        more.extend(["--publish-uadp".to_owned(), far.to_owned()]);
    }
    let more: Vec<_> = more.iter().map(String::as_str).collect();
    let _sim = Sim::start(&cable, &machine, &more);
    let mut listener = Listener::start(&cable, &place, kind, &listening(&place, kind), end);
    let state = place.path("master.state").display().to_string();
    let args = [
        "run",
        &machine,
        "--interface",
        ENDS[0],
        "--json",
        "--state",
        &state,
    ];
    let mut master = cable.command(release_binary(), args).spawn().unwrap();
    listener.wait_for(|line| is_of_frames(line, "cleared"));
    // Down for a while: frames are missing, and then they come again. A tap's end is the segment's too, which does not outlive that.
    if kind == "tsn" {
        ip(&cable, &["link", "set", end, "down"]);
        listener.wait_for(|line| is_of_frames(line, "raised"));
        ip(&cable, &["link", "set", end, "up"]);
        listener.wait_for(|line| is_of_frames(line, "cleared"));
    }
    ip(&cable, &["link", "del", end]);
    let (code, told, said) = listener.ended();
    let said: Vec<_> = said
        .split_whitespace()
        .filter(|word| *word != "|")
        .collect();
    let said = said.join(" ");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("the network interface has gone"), "{said}");
    // What was counted until then is told.
    assert_eq!(told.last().unwrap()["type"], "summary", "{told:?}");
    // The master of a tap has lost its interface too.
    interrupt(&master);
    let _ = master.wait().unwrap();
}

#[test]
fn a_tap_whose_interface_vanishes_ends() {
    vanishes("a_tap_whose_interface_vanishes_ends", "tap", "", ENDS[1]);
}

#[test]
fn a_subscriber_whose_interface_vanishes_ends() {
    let [far, end] = SECOND_ENDS;
    vanishes(
        "a_subscriber_whose_interface_vanishes_ends",
        "tsn",
        far,
        end,
    );
}

#[test]
fn a_publisher_whose_interface_vanishes_goes_on_and_counts_what_does_not_leave() {
    let test = "a_publisher_whose_interface_vanishes_goes_on_and_counts_what_does_not_leave";
    let Some(cable) = Cable::new(test) else {
        return;
    };
    cable.lay(SECOND_ENDS);
    let place = Place::new();
    let text = fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let [end, _] = SECOND_ENDS;
    let publish = format!("[publish.uadp]\ninterface = \"{end}\"\npublisher_id = 99\n");
    let config = place.file("cell.toml", format!("{text}\n{publish}"));
    let args = "demo --json --no-page --state".split_whitespace();
    let mut command = cable.command(release_binary(), args);
    command.args([&place.path("state"), Path::new("--config"), &config]);
    let mut machine = Peer::of(command);
    machine.next("stroke");
    ip(&cable, &["link", "del", end]);
    machine.next("stroke");
    interrupt(&machine.child);
    let summary = machine.next("summary");
    assert!(summary["unpublished"].as_u64() > Some(0), "{summary}");
    assert_eq!(machine.child.wait().unwrap().code(), Some(0));
}
