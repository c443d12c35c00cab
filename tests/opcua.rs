//! A gateway with an OPC UA server, for tests, and bytes that are no OPC UA.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use crate::gateway::Peer;
use crate::release_binary;
use crate::run::Place;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// `twinstep` as it is released, with these arguments.
///
/// # Panics
/// Where it cannot be done.
#[must_use]
pub fn start(place: &Place, args: &str) -> Peer {
    Peer::of(place.command(release_binary(), args.split_whitespace()))
}

/// A gateway that serves OPC UA, and where; where its page is.
///
/// # Panics
/// Where it cannot be done.
#[must_use]
pub fn gateway(place: &Place, section: &str) -> (Peer, String, String) {
    let text = format!("[opcua]\nlisten = \"127.0.0.1:0\"\n{section}");
    let _ = place.file("g.toml", text);
    let args =
        "gateway --json --state state --control cell.sock --config g.toml --listen 127.0.0.1:0";
    let mut gateway = Peer::heard(place, release_binary(), args, "gateway.err");
    // In whatever order they are ready.
    let (mut url, mut page) = (String::new(), String::new());
    while url.is_empty() || page.is_empty() {
        let line = gateway.next("listening");
        let place = if line["sink"] == "opcua" {
            &mut url
        } else {
            &mut page
        };
        line["url"].as_str().unwrap().clone_into(place);
    }
    (gateway, url, page)
}

/// What the gateway has said.
///
/// # Panics
/// Where it cannot be done.
#[must_use]
pub fn said(place: &Place) -> String {
    std::fs::read_to_string(place.path("gateway.err")).unwrap()
}

/// What a peer answers to these bytes until it closes, with their end at once.
///
/// # Panics
/// Where it cannot be done.
#[must_use]
pub fn answer(host: &str, bytes: &[u8]) -> Vec<u8> {
    hear(host, bytes, true)
}

/// What a peer answers that closes by itself. An end at once could be heard before the bytes are judged, and then nothing is said of them.
///
/// # Panics
/// Where it cannot be done.
#[must_use]
pub fn refused(host: &str, bytes: &[u8]) -> Vec<u8> {
    hear(host, bytes, false)
}

fn hear(host: &str, bytes: &[u8], end: bool) -> Vec<u8> {
    let mut stream = TcpStream::connect(host).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    // It may have closed already.
    let _ = stream.write_all(bytes);
    if end {
        let _ = stream.shutdown(Shutdown::Write);
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

/// A message of this kind.
///
/// # Panics
/// Where it cannot be done.
#[must_use]
pub fn message(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(8 + body.len()).unwrap();
    [&kind[..], &length.to_le_bytes(), body].concat()
}

/// A Hello as a client sends it.
///
/// # Panics
/// Where it cannot be done.
#[must_use]
pub fn hello() -> Vec<u8> {
    let url = b"opc.tcp://127.0.0.1:4840/";
    let words = [
        0_u32,
        65_535,
        65_535,
        0,
        0,
        u32::try_from(url.len()).unwrap(),
    ];
    let body: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    message(b"HELF", &[&body[..], url].concat())
}
