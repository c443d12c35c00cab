//! A hundred events a second for ten minutes, fifty who watch, and plant systems that listen: a gateway loses none of the events, and its
//! memory stays.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use rusqlite::{Connection, params};
use serde_json::{Value, json};
use std::io::Write;
use std::process::Stdio;
use std::sync::mpsc::channel;
use twinstep_tests::broker::Broker;
use twinstep_tests::cable::python_with;
use twinstep_tests::gateway::{Peer, has_opcua, http, metric};
use twinstep_tests::load::{
    A_SECOND, Listeners, MAY_GROW_KB, SECONDS, crowd, follower, gateway, resident_kb, sinks, told,
};
use twinstep_tests::run::Place;
use twinstep_tests::{release_binary, root};

/// Seconds that are stored before it is asked whether all have seen them.
const AT_ONCE: u64 = 10;
/// Axes that take turns.
const AXES: u64 = 40;
/// Seconds after which everything has found its place in memory.
const SETTLED: u64 = 120;

/// Event `seq`, of one of the axes, each raised and cleared in turn.
fn event(seq: u64) -> Value {
    let n = seq - 1;
    let state = if (n / AXES).is_multiple_of(2) {
        "raised"
    } else {
        "cleared"
    };
    json!({
        "type": "event", "seq": seq, "cycle": 10 * n, "time_ns": 10_000_000 * n, "time_utc_ns": 10_000_000 * n, "plan": "00ff",
        "source": format!("axis {}", n % AXES), "channel": "current_load", "state": state, "detector": "cusum",
        "severity": "warning", "measured": 3.91, "predicted": 3.12, "residual": 0.79, "unit": "A",
        "regime": "constant_speed", "context": {"recipe": "a"}, "false_alarm_interval_asked_s": 2_592_000,
        "false_alarm_interval_demonstrated_s": 640, "cause": "friction increased", "action": "Check lubrication.",
        "asset_id": "A-1",
    })
}

/// Stores the events of a second as the scribe does, in one transaction.
fn store_second(store: &mut Connection, second: u64) {
    let transaction = store.transaction().unwrap();
    for seq in second * A_SECOND + 1..=(second + 1) * A_SECOND {
        let event = event(seq);
        let text = |key: &str| event[key].as_str().unwrap().to_owned();
        let count = |key: &str| event[key].as_i64().unwrap();
        let number = |key: &str| event[key].as_f64().unwrap();
        transaction
            .prepare_cached(
                "INSERT INTO events VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            )
            .unwrap()
            .execute(params![
                count("seq"),
                count("cycle"),
                count("time_ns"),
                count("time_utc_ns"),
                text("plan"),
                text("source"),
                text("channel"),
                text("state"),
                text("detector"),
                text("severity"),
                number("measured"),
                number("predicted"),
                number("residual"),
                text("unit"),
                text("regime"),
                event["context"]["recipe"].as_str(),
                None::<String>,
                count("false_alarm_interval_asked_s"),
                count("false_alarm_interval_demonstrated_s"),
                text("cause"),
                text("action"),
                text("asset_id"),
                event.to_string(),
            ])
            .unwrap();
    }
    transaction.commit().unwrap();
}

#[test]
fn fifty_who_watch_and_a_plant_that_listens_to_a_hundred_events_a_second() {
    let test = "fifty_who_watch_and_a_plant_that_listens_to_a_hundred_events_a_second";
    let place = Place::new();
    // What is not there is left out, aloud; the browsers are always there.
    let mqtt = python_with(test, "paho.mqtt.client, pysparkplug")
        .and_then(|python| Some((python, Broker::new(test, &place)?)));
    let opcua = python_with(test, "asyncua").filter(|_| has_opcua(test));
    // A run makes the store.
    let made = place
        .run(
            release_binary(),
            "demo --fast --json --no-page --cycles 10 --state state",
        )
        .fine();
    assert_eq!(made.of_type("event").len(), 0);
    let mut store = Connection::open(place.path("state/events.sqlite")).unwrap();

    let mut config = String::new();
    let mut listeners = Listeners::default();
    let mut peers = Vec::new();
    let broker = mqtt.map(|(python, mut broker)| {
        // What it still owes to who listens is its memory's business.
        broker.start("allow_anonymous true");
        let port = broker.port;
        config += &sinks(port);
        let (plain, sparkplug) = (listeners.join(), listeners.join());
        peers.push(follower(&place, &python, port, plain, sparkplug));
        broker
    });
    if opcua.is_some() {
        config += "[opcua]\nlisten = '127.0.0.1:0'\ninsecure = true\n";
    }
    let _ = place.file("g.toml", config);
    let (gateway, page, server) = gateway(&place, "", opcua.is_some());
    let _deaf = crowd(&page, &mut listeners);
    let (refreshed, conditions) = channel();
    let client = opcua.zip(server).map(|(python, url)| {
        let script = root().join("tests/gateway/follow_opcua.py");
        let mut command = place.command(&python, [script, url.into(), AXES.to_string().into()]);
        command.stdin(Stdio::piped());
        let mut peer = Peer::of(command);
        peer.next("subscribed");
        let mut tell = listeners.join();
        peer.follow(move |line| match told("opcua", &line) {
            Some(seq) => tell(seq),
            None => refreshed.send(line).unwrap_or_default(),
        });
        peers.push(peer);
        peers.len() - 1
    });

    let mut settled_kb = 0;
    for second in (0..SECONDS).step_by(AT_ONCE as usize) {
        for second in second..second + AT_ONCE {
            store_second(&mut store, second);
        }
        // Whoever listens has been told all of them, or will be.
        listeners.until_all_are_at((second + AT_ONCE) * A_SECOND, &mut peers);
        if second + AT_ONCE == SETTLED {
            settled_kb = resident_kb(gateway.child.id()).unwrap();
        }
    }
    let end_kb = resident_kb(gateway.child.id()).unwrap();
    println!("resident after {SETTLED} s {settled_kb} kB, after {SECONDS} s {end_kb} kB");
    assert!(
        end_kb < settled_kb + MAY_GROW_KB,
        "{settled_kb} kB became {end_kb} kB"
    );

    let last = SECONDS * A_SECOND;
    // What was asked for last is what the store holds.
    let answer = http(&page, "GET /api/events?last=3", &[], "").body;
    for seq in last - 2..=last {
        let stored: String = store
            .query_row(
                "SELECT json FROM events WHERE seq = ?",
                [seq as i64],
                |row| row.get(0),
            )
            .unwrap();
        assert!(answer.contains(&stored), "{answer}");
    }
    for sink in ["mqtt", "sparkplug"]
        .into_iter()
        .filter(|_| broker.is_some())
    {
        let sample =
            |name: &str| metric(&page, &format!("twinstep_sink_{name}{{sink=\"{sink}\"}}"));
        assert_eq!(sample("failed_total"), Some(0), "{sink}");
        assert!(sample("sent_total") >= Some(last), "{sink}");
    }
    // Who has listened over OPC UA is still answered: with each alarm, as it stands.
    if let Some(client) = client {
        writeln!(peers[client].child.stdin.as_mut().unwrap(), "refresh").unwrap();
        let line: Value = serde_json::from_str(&conditions.recv().unwrap()).unwrap();
        let newest =
            (last - AXES + 1..=last).map(|seq| (format!("axis {}", (seq - 1) % AXES), json!(seq)));
        let newest: Value = newest.collect::<serde_json::Map<_, _>>().into();
        assert_eq!(line["conditions"], newest);
    }
    // Before the gateway: who listens need not find out.
    drop(peers);
}
