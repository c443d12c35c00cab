//! Many who listen to a gateway at once, how far each has come, and what that takes.
#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a test fails by panicking, its helpers too"
)]

use crate::gateway::{Peer, host_of};
use crate::run::Place;
use crate::{release_binary, root};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Events a second of the machine.
pub const A_SECOND: u64 = 100;
/// Seconds of the machine.
pub const SECONDS: u64 = 600;
/// Who watches.
const CLIENTS: usize = 50;
/// What memory may grow by once everything has found its place in it (kB): pages that the allocator keeps.
pub const MAY_GROW_KB: u64 = 8192;

/// How far those who listen have come, each by the number of the newest event that it was told.
pub struct Listeners {
    seen: Vec<Arc<AtomicU64>>,
    tell: Sender<()>,
    news: Receiver<()>,
}

impl Default for Listeners {
    fn default() -> Self {
        let (tell, news) = channel();
        Self {
            seen: Vec::new(),
            tell,
            news,
        }
    }
}

impl Listeners {
    /// One more, who calls what is returned with each number.
    pub fn join(&mut self) -> impl FnMut(u64) + Send + 'static {
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
    pub fn until_all_are_at(&self, last: u64, peers: &mut [Peer]) {
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
pub fn told(kind: &str, line: &str) -> Option<u64> {
    let line: Value = serde_json::from_str(line).unwrap_or_default();
    (line["type"] == "told" && line["kind"] == kind).then(|| line["seq"].as_u64())?
}

/// Memory of a process (kB); none where it has ended.
pub fn resident_kb(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// A gateway by `g.toml`, its page, and its OPC UA server.
pub fn gateway(place: &Place, more: &str, opcua: bool) -> (Peer, String, Option<String>) {
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
pub fn crowd(page: &str, listeners: &mut Listeners) -> TcpStream {
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
pub fn follower(
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

/// The tables of `gateway.toml` for events, plain and Sparkplug's, to the broker at this port.
pub fn sinks(port: u16) -> String {
    format!(
        "[mqtt]\nmachine = 'cell'\nin_flight = 16\nbroker.url = 'mqtt://127.0.0.1:{port}'\n\
         [sparkplug]\nnode = 'cell'\nbroker.url = 'mqtt://127.0.0.1:{port}'\n"
    )
}
