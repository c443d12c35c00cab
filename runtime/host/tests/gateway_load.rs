//! A hundred events a second for ten minutes, and fifty who watch: a gateway loses none of them, and its memory stays.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use twinstep_host::lines::EventRecord;
use twinstep_host::store::{StoreReader, StoreWriter};

/// Events a second of the machine.
const A_SECOND: u64 = 100;
/// Seconds of the machine.
const SECONDS: u64 = 600;
/// Seconds that are stored before it is asked whether all have seen them.
const AT_ONCE: u64 = 10;
/// Who watches.
const CLIENTS: usize = 50;
/// Seconds after which everything has found its place in memory.
const SETTLED: u64 = 120;
/// What memory may grow by from then on (kB): pages that the allocator keeps.
const MAY_GROW_KB: u64 = 8192;

/// An event of one of forty axes, each raised and cleared in turn.
fn event(n: u64) -> EventRecord {
    let state = if (n / 40).is_multiple_of(2) { "raised" } else { "cleared" };
    let record = json!({
        "type": "event", "seq": 0, "cycle": 10 * n, "time_ns": 10_000_000 * n, "time_utc_ns": 10_000_000 * n, "plan": "00ff",
        "source": format!("axis {}", n % 40), "channel": "current_load", "state": state, "detector": "cusum",
        "severity": "warning", "measured": 3.91, "predicted": 3.12, "residual": 0.79, "unit": "A",
        "regime": "constant_speed", "context": {"recipe": "a"}, "false_alarm_interval_asked_s": 2_592_000,
        "false_alarm_interval_demonstrated_s": 640, "cause": "friction increased", "action": "Check lubrication.",
        "asset_id": "A-1",
    });
    serde_json::from_value(record).unwrap()
}

/// A gateway that goes with this value.
struct Gateway(Child);

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Gateway {
    fn resident_kb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

/// Follows the stream for ever and notes the largest number of an event that the list of alarms has shown.
fn watch(host: &str, seen: &AtomicU64) {
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    write!(stream, "GET /api/live HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
    for line in BufReader::new(stream).lines() {
        // It ends with the gateway.
        let Ok(line) = line else { return };
        let Some(data) = line.strip_prefix("data: ") else { continue };
        let message: Value = serde_json::from_str(data).unwrap_or_default();
        let alarms = message["alarms"].as_array().into_iter().flatten();
        let newest = alarms.filter_map(|alarm| alarm["last_seq"].as_u64()).max();
        seen.fetch_max(newest.unwrap_or(0), Ordering::Relaxed);
    }
}

#[test]
fn fifty_who_watch_a_hundred_events_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = StoreWriter::open(folder.path()).unwrap();
    let mut gateway = Command::new(env!("CARGO_BIN_EXE_twinstep"))
        .args(["gateway", "--json", "--listen", "127.0.0.1:0", "--state"])
        .arg(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .map(Gateway)
        .unwrap();
    let mut said = BufReader::new(gateway.0.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    let listening: Value = serde_json::from_str(&line).unwrap();
    let url = listening["url"].as_str().unwrap();
    let host = url.trim_start_matches("http://").trim_end_matches('/').to_owned();

    let seen: Arc<[AtomicU64]> = (0..CLIENTS).map(|_| AtomicU64::new(0)).collect();
    for n in 0..CLIENTS {
        let (seen, host) = (Arc::clone(&seen), host.clone());
        std::thread::spawn(move || watch(&host, &seen[n]));
    }
    // One more who never reads.
    let mut deaf = TcpStream::connect(&host).unwrap();
    write!(deaf, "GET /api/live HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();

    let mut settled_kb = 0;
    for second in (0..SECONDS).step_by(AT_ONCE as usize) {
        for second in second..second + AT_ONCE {
            let first = second * A_SECOND;
            let mut records: Vec<_> = (first..first + A_SECOND).map(event).collect();
            store.append(&mut records).unwrap();
        }
        // Whoever reads has seen all of them, or will: it fails by the patience of the runner.
        let last = (second + AT_ONCE) * A_SECOND;
        while seen.iter().any(|seen| seen.load(Ordering::Relaxed) < last) {
            std::thread::yield_now();
        }
        if second + AT_ONCE == SETTLED {
            settled_kb = gateway.resident_kb();
        }
    }
    let end_kb = gateway.resident_kb();
    println!("resident after {SETTLED} s {settled_kb} kB, after {SECONDS} s {end_kb} kB");
    assert!(end_kb < settled_kb + MAY_GROW_KB, "{settled_kb} kB became {end_kb} kB");

    let reader = StoreReader::open(folder.path()).unwrap();
    assert_eq!(reader.last_seq().unwrap(), SECONDS * A_SECOND);
    // What was asked for last is what the store holds.
    let mut stream = TcpStream::connect(&host).unwrap();
    write!(stream, "GET /api/events?last=3 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    for event in reader.since(SECONDS * A_SECOND - 3) {
        assert!(answer.contains(&event.unwrap().json), "{answer}");
    }
}
