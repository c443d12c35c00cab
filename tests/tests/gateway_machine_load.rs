//! A hundred events a second that a machine's own cycle raises for ten minutes of its time, fifty who watch, and a plant that listens.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::mpsc::channel;
use twinstep_tests::belts::belts;
use twinstep_tests::broker::Broker;
use twinstep_tests::cable::python_with;
use twinstep_tests::gateway::{Peer, http, metric, until};
use twinstep_tests::load::{
    A_SECOND, Listeners, MAY_GROW_KB, SECONDS, crowd, follower, gateway, resident_kb, sinks,
};
use twinstep_tests::release_binary;
use twinstep_tests::run::Place;

/// Belts of the machine.
const BELTS: usize = 64;

/// Belts that go to and fro, with limits that every way violates and every rest keeps. Each way is three deviations that begin and end, and the
/// rest is as long as it takes for the next ones to be new (`runtime/cycle/src/judge/innovation.rs`). No two rest equally long.
fn restless() -> String {
    belts(BELTS, "1ms", |n, belt| {
        let (before, rest) = belt.split_once("program = [").unwrap();
        let (_, after) = rest.split_once("]\n").unwrap();
        let dwell_ms = 3420 + 3 * n;
        let program = format!(
            "program = [{{ to = \"70mm\", dwell = \"{dwell_ms}ms\" }}, {{ to = \"50mm\", dwell = \"{dwell_ms}ms\" }}]\n"
        );
        let limits = "[axis.twin]\nposition_limit = \"2e-6m\"\nvelocity_limit = \"3e-3m/s\"\ncurrent_limit = \"0.15A\"\n";
        let after = after.replace("[axis.twin]\n", limits);
        format!("{before}{program}{after}")
    })
}

/// Number of the newest deviation that still stands after these events.
fn newest_that_stands(events: &[Value]) -> u64 {
    let mut standing = BTreeMap::new();
    for event in events {
        let of = (event["source"].to_string(), event["channel"].to_string());
        match event["state"].as_str() {
            Some("raised") => drop(standing.insert(of, event["seq"].as_u64().unwrap())),
            Some("cleared") => drop(standing.remove(&of)),
            _ => {}
        }
    }
    standing.into_values().max().unwrap()
}

/// Memory of two processes over a run, by fifths of it.
#[derive(Default)]
struct Memory {
    /// Largest (kB) in each fifth.
    largest: [[u64; 2]; 5],
}

impl Memory {
    /// What it is in this second of the machine.
    fn look(&mut self, second: u64, now: [u64; 2]) {
        let fifth = &mut self.largest[(second * 5 / SECONDS).min(4) as usize];
        for (largest, now) in fifth.iter_mut().zip(now) {
            *largest = now.max(*largest);
        }
    }
}

/// As fast as it can: what the cycle has counted is what is stored and what everybody is told, in order, and neither process grows.
#[test]
fn what_a_running_machine_raises_is_stored_and_told_beside_fifty_who_watch() {
    let test = "what_a_running_machine_raises_is_stored_and_told_beside_fifty_who_watch";
    let place = Place::new();
    let mqtt = python_with(test, "paho.mqtt.client, pysparkplug")
        .and_then(|python| Some((python, Broker::new(test, &place)?)));
    let _ = place.file("belts.toml", restless());
    let (mut config, mut peers) = (String::new(), Vec::new());
    let (mut plant, mut pages) = (Listeners::default(), Listeners::default());
    let broker = mqtt.map(|(python, mut broker)| {
        broker.start("allow_anonymous true");
        config += &sinks(broker.port);
        let (plain, sparkplug) = (plant.join(), plant.join());
        let port = broker.port;
        peers.push(follower(&place, &python, port, plain, sparkplug));
        broker
    });
    let _ = place.file("g.toml", config);
    let args = format!(
        "demo --config belts.toml --fast --json --no-page --cycles {} --state state --control cell.sock --no-event-recordings",
        1000 * SECONDS
    );
    let mut machine = Peer::of(place.command(release_binary(), args.split_whitespace()));
    let (gateway, page, _) = gateway(&place, "--control cell.sock", false);
    let _deaf = crowd(&page, &mut pages);
    let (say, lines) = channel();
    let (processes, mut second) = ([gateway.child.id(), machine.child.id()], 0);
    machine.follow(move |line| {
        let value: Value = serde_json::from_str(&line).unwrap_or_default();
        let at = value["cycle"].as_u64().unwrap_or(0) / 1000;
        // Where the line arrives: nobody knows how far behind who takes it from here is.
        let memory = (at > second).then(|| {
            second = at;
            (at, processes.map(resident_kb))
        });
        say.send((line, value, memory)).unwrap_or_default();
    });
    let (mut told, mut memory) = (Vec::new(), Memory::default());
    let summary: Value = loop {
        let (line, value, seen) = lines.recv().unwrap();
        // A process that has ended has no memory.
        if let Some((at, [Some(of_gateway), Some(of_machine)])) = seen {
            memory.look(at, [of_gateway, of_machine]);
        }
        match value["type"].as_str() {
            Some("summary") => break value,
            Some("event") => told.push(line),
            _ => {}
        }
    };
    // What the cycle has counted is what is stored.
    let events: Vec<Value> = told
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let seconds = events
        .iter()
        .map(|event| event["cycle"].as_u64().unwrap() / 1000);
    let mut by_ten = vec![0; SECONDS as usize / 10];
    seconds.for_each(|second| by_ten[(second as usize / 10).min(59)] += 1);
    println!(
        "{} events, in ten seconds {:?} to {:?}; gateway and machine by fifths at most {:?} kB",
        told.len(),
        by_ten.iter().min().unwrap(),
        by_ten.iter().max().unwrap(),
        memory.largest
    );
    let [_, settled, .., end] = memory.largest;
    for (settled, end) in settled.into_iter().zip(end) {
        assert!(
            settled > 0 && end > 0 && end < settled + MAY_GROW_KB,
            "{settled} kB became {end} kB"
        );
    }
    let raised = events
        .iter()
        .filter(|event| event["state"] == "raised")
        .count();
    assert_eq!(summary["events"], raised, "{summary}");
    assert_eq!(summary["dropped_events"], 0, "{summary}");
    let last = told.len() as u64;
    assert!(last >= A_SECOND * SECONDS, "{last}");
    let numbers = events.iter().map(|event| event["seq"].as_u64().unwrap());
    assert!(numbers.eq(1..=last));
    let stored = place
        .run(release_binary(), "events --json --state state")
        .fine();
    assert!(stored.stdout.lines().eq(told.iter().map(String::as_str)));
    // And everybody is told: followers of the broker find out by themselves what is missing, and count in hundreds.
    plant.until_all_are_at(last / 100 * 100, &mut peers);
    // A page skips what it is too slow for; in the end it has the newest alarm that stands, which is the first of its list.
    pages.until_all_are_at(newest_that_stands(&events), &mut peers);
    for sink in ["mqtt", "sparkplug"]
        .into_iter()
        .filter(|_| broker.is_some())
    {
        let sample =
            |name: &str| metric(&page, &format!("twinstep_sink_{name}{{sink=\"{sink}\"}}"));
        let arrived = format!("twinstep_sink_behind{{sink=\"{sink}\"}} 0.0");
        until(|| {
            let metrics = http(&page, "GET /metrics", &[], "").body;
            metrics.contains(&arrived).then_some(())
        });
        assert_eq!(sample("failed_total"), Some(0), "{sink}");
        assert!(sample("sent_total") >= Some(last), "{sink}");
    }
    drop(peers);
}
