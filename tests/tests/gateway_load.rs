//! A hundred events a second for ten minutes, fifty who watch, and plant systems that listen: a gateway loses none of the events, and its
//! memory stays.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use rusqlite::{Connection, params};
use serde_json::{Value, json};
use twinstep_config::PRESS_CELL;
use twinstep_tests::broker::Broker;
use twinstep_tests::cable::python_with;
use twinstep_tests::gateway::{Peer, has_opcua, host_of, http, metric, until};
use twinstep_tests::run::Place;
use twinstep_tests::{release_binary, root};

/// Events a second of the machine.
const A_SECOND: u64 = 100;
/// Seconds of the machine.
const SECONDS: u64 = 600;
/// Seconds that are stored before it is asked whether all have seen them.
const AT_ONCE: u64 = 10;
/// Who watches.
const CLIENTS: usize = 50;
/// Axes that take turns.
const AXES: u64 = 40;
/// Seconds after which everything has found its place in memory.
const SETTLED: u64 = 120;
/// What memory may grow by from then on (kB): pages that the allocator keeps.
const MAY_GROW_KB: u64 = 8192;

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

/// How far those who listen have come, each by the number of the newest event that it was told.
struct Listeners {
    seen: Vec<Arc<AtomicU64>>,
    tell: Sender<()>,
    news: Receiver<()>,
}

impl Listeners {
    fn new() -> Self {
        let (tell, news) = channel();
        Self {
            seen: Vec::new(),
            tell,
            news,
        }
    }

    /// One more, who calls what is returned with each number.
    fn join(&mut self) -> impl FnMut(u64) + Send + 'static {
        let seen = Arc::new(AtomicU64::new(0));
        self.seen.push(Arc::clone(&seen));
        let tell = self.tell.clone();
        move |seq| {
            if seen.fetch_max(seq, Ordering::Relaxed) < seq {
                // Where the test has ended nobody wants to know.
                let _ = tell.send(());
            }
        }
    }

    /// Returns once all have come to `last`: it fails by the patience of the runner, or as soon as one of `peers` has ended.
    fn until_all_are_at(&self, last: u64, peers: &mut [Peer]) {
        let is_behind = |seen: &Arc<AtomicU64>| seen.load(Ordering::Relaxed) < last;
        while self.seen.iter().any(is_behind) {
            let _ = self.news.recv_timeout(Duration::from_secs(1));
            for peer in &mut *peers {
                let ended = peer.child.try_wait().unwrap();
                assert!(ended.is_none(), "who listens has ended: {ended:?}");
            }
        }
    }
}

/// Follows the stream for ever and tells the largest number of an event that the list of alarms has shown.
fn watch(host: &str, mut tell: impl FnMut(u64)) {
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET /api/live HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
    let mut alarms = false;
    for line in BufReader::new(stream).lines() {
        // It ends with the gateway.
        let Ok(line) = line else { return };
        if let Some(kind) = line.strip_prefix("event: ") {
            alarms = kind == "alarms";
        } else if let Some(data) = line.strip_prefix("data: ").filter(|_| alarms) {
            // Read as text: fifty who read JSON would be the load.
            let numbers = data.split("\"last_seq\":").skip(1).filter_map(|rest| {
                let digits = rest.split(|c: char| !c.is_ascii_digit()).next();
                digits.and_then(|digits| digits.parse().ok())
            });
            tell(numbers.max().unwrap_or(0));
        }
    }
}

/// Has `peer` tell how far its sink of this kind has come, for ever.
fn told(kind: &str, line: &str) -> Option<u64> {
    let line: Value = serde_json::from_str(line).unwrap_or_default();
    (line["type"] == "told" && line["kind"] == kind).then(|| line["seq"].as_u64())?
}

/// Memory of a process (kB); none where it has ended.
fn resident_kb(peer: &Peer) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", peer.child.id())).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// A gateway by `g.toml`, its page, and its OPC UA server.
fn gateway(place: &Place, more: &str, opcua: bool) -> (Peer, String, Option<String>) {
    let args = format!("gateway --json --state state --config g.toml --listen 127.0.0.1:0 {more}");
    let mut gateway = Peer::of(place.command(release_binary(), args.split_whitespace()));
    let (mut page, mut server) = (None, None);
    while page.is_none() || (opcua && server.is_none()) {
        let line = gateway.next("listening");
        let which = if line["sink"] == "opcua" {
            &mut server
        } else {
            &mut page
        };
        *which = line["url"].as_str().map(str::to_owned);
    }
    gateway.forget_lines();
    (gateway, page.unwrap(), server)
}

/// Fifty who watch, and one more who never reads.
fn crowd(page: &str, listeners: &mut Listeners) -> TcpStream {
    let host = host_of(page).to_owned();
    for _ in 0..CLIENTS {
        let (host, tell) = (host.clone(), listeners.join());
        std::thread::spawn(move || watch(&host, tell));
    }
    let mut deaf = TcpStream::connect(&host).unwrap();
    write!(deaf, "GET /api/live HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
    deaf
}

/// Who follows the events at a broker.
fn follower(
    place: &Place,
    python: &Path,
    port: u16,
    mut plain: impl FnMut(u64) + Send + 'static,
    mut sparkplug: impl FnMut(u64) + Send + 'static,
) -> Peer {
    let script = root().join("tests/gateway/follow_mqtt.py");
    let mut peer = Peer::of(place.command(python, [script, port.to_string().into()]));
    peer.next("subscribed");
    peer.follow(move |line| {
        told("plain", &line).into_iter().for_each(&mut plain);
        told("sparkplug", &line)
            .into_iter()
            .for_each(&mut sparkplug);
    });
    peer
}

fn sinks(port: u16) -> String {
    format!(
        "[mqtt]\nmachine = 'cell'\nin_flight = 16\nbroker.url = 'mqtt://127.0.0.1:{port}'\n\
         [sparkplug]\nnode = 'cell'\nbroker.url = 'mqtt://127.0.0.1:{port}'\n"
    )
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
    let mut listeners = Listeners::new();
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
            settled_kb = resident_kb(&gateway).unwrap();
        }
    }
    let end_kb = resident_kb(&gateway).unwrap();
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

/// A press cell with limits in the noise of its twins, so that something is raised or cleared all the time.
fn restless() -> String {
    let limits = "[axis.twin]\nposition_limit = \"1e-6m\"\nvelocity_limit = \"1e-3m/s\"\ncurrent_limit = \"0.05A\"\n";
    PRESS_CELL.replace("[axis.twin]\n", limits)
}

/// The same beside a machine that runs, for ten minutes of its own time and as fast as it can: what the cycle has counted is what is stored
/// and what everybody is told, and neither process grows. Its twins find what they find, which is less than a hundred events a second.
#[test]
fn what_a_running_machine_raises_is_stored_and_told_beside_fifty_who_watch() {
    let test = "what_a_running_machine_raises_is_stored_and_told_beside_fifty_who_watch";
    let place = Place::new();
    let mqtt = python_with(test, "paho.mqtt.client, pysparkplug")
        .and_then(|python| Some((python, Broker::new(test, &place)?)));
    let _ = place.file("cell.toml", restless());
    let (mut config, mut listeners, mut peers) = (String::new(), Listeners::new(), Vec::new());
    let broker = mqtt.map(|(python, mut broker)| {
        broker.start("allow_anonymous true");
        config += &sinks(broker.port);
        let (plain, sparkplug) = (listeners.join(), listeners.join());
        let port = broker.port;
        peers.push(follower(&place, &python, port, plain, sparkplug));
        broker
    });
    let _ = place.file("g.toml", config);
    let args = format!(
        "demo --config cell.toml --fast --json --no-page --cycles {} --state state --control cell.sock --no-event-recordings",
        1000 * SECONDS
    );
    let mut machine = Peer::of(place.command(release_binary(), args.split_whitespace()));
    let (gateway, page, _) = gateway(&place, "--control cell.sock", false);
    let _deaf = crowd(&page, &mut listeners);
    let (say, lines) = channel();
    machine.follow(move |line| say.send(line).unwrap_or_default());
    let (mut told, mut settled_kb, mut end_kb) = (Vec::new(), None, [0; 2]);
    let summary: Value = loop {
        let line = lines.recv().unwrap();
        let value: Value = serde_json::from_str(&line).unwrap_or_default();
        match value["type"].as_str() {
            Some("summary") => break value,
            Some("event") => told.push(line),
            _ => {}
        }
        // Looked at with each line that says how far it has come, such as of a stroke. A process that has ended has no memory.
        let now = resident_kb(&gateway).zip(resident_kb(&machine));
        if let Some(now) = now.filter(|_| value["cycle"].as_u64() > Some(1000 * SETTLED)) {
            let now: [u64; 2] = now.into();
            settled_kb.get_or_insert(now);
            end_kb = now;
        }
    };
    println!(
        "{} events, {settled_kb:?} kB became {end_kb:?} kB",
        told.len()
    );
    for (settled, end) in settled_kb.unwrap().into_iter().zip(end_kb) {
        assert!(end < settled + MAY_GROW_KB, "{settled} kB became {end} kB");
    }
    // What the cycle has counted is what is stored.
    let events: Vec<Value> = told
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let raised = events
        .iter()
        .filter(|event| event["state"] == "raised")
        .count();
    assert_eq!(summary["events"], raised, "{summary}");
    assert_eq!(summary["dropped_events"], 0, "{summary}");
    let last = told.len() as u64;
    assert!(last > 50, "{last}");
    let numbers = events.iter().map(|event| event["seq"].as_u64().unwrap());
    assert!(numbers.eq(1..=last));
    let stored = place
        .run(release_binary(), "events --json --state state")
        .fine();
    assert!(stored.stdout.lines().eq(told.iter().map(String::as_str)));
    // And everybody is told: followers of the broker find out by themselves what is missing, and count in hundreds.
    listeners.until_all_are_at(last / 100 * 100, &mut peers);
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
