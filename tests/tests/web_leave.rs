//! Who is logged in at the page, and for how long he is told what happens.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use twinstep_tests::gateway::{Peer, connect, host_of, http};
use twinstep_tests::run::Place;

/// A stream of events behind its head.
fn watch(url: &str, pass: &str) -> BufReader<TcpStream> {
    let mut stream = connect(url);
    let host = host_of(url);
    let head =
        format!("GET /api/live HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{pass}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut lines = BufReader::new(stream);
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    assert!(line.starts_with("HTTP/1.1 200"), "{line}");
    lines
}

/// The next line; none at the end of the stream.
fn line(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    (stream.read_line(&mut line).unwrap() > 0).then_some(line)
}

/// Reads on until this has been told so often.
fn told(stream: &mut BufReader<TcpStream>, event: &str, count: u32) {
    for _ in 0..count {
        while line(stream).unwrap().trim() != format!("event: {event}") {}
    }
}

/// Reads to the end; the patience of the connection ends what has none.
fn ends(stream: &mut BufReader<TcpStream>) {
    while line(stream).is_some() {}
}

#[test]
fn who_logs_out_or_loses_his_token_is_told_no_more() {
    let place = Place::new();
    let token = |name: &str| {
        let args = format!("token {name} --role viewer --file tokens.toml --json");
        let made = place.twinstep(&args).fine();
        let made: Value = serde_json::from_str(made.stdout.trim()).unwrap();
        made["token"].as_str().unwrap().to_owned()
    };
    let max = token("max");
    let alone = std::fs::read(place.path("tokens.toml")).unwrap();
    let eva = token("eva");
    let _ = place.file("g.toml", "[web]\ntokens = \"tokens.toml\"\n");
    let mut run = Peer::start(
        &place,
        "demo --json --no-page --cycles 3600000 --state state",
    );
    run.forget_lines();
    let args = "gateway --json --listen 127.0.0.1:0 --state state --config g.toml";
    let mut gateway = Peer::start(&place, args);
    let url = gateway.url();
    let json = "Content-Type: application/json";
    let log_in = |token: &str| {
        let body = json!({"token": token}).to_string();
        let answer = http(&url, "POST /login", &[json], &body);
        assert_eq!(answer.status, 200, "{answer:?}");
        let mut heads = answer.head.lines();
        let cookie = heads.find_map(|line| line.strip_prefix("set-cookie: "));
        let cookie = cookie.unwrap().split(';').next().unwrap().to_owned();
        format!("Cookie: {cookie}")
    };
    let bearer = |token: &str| format!("Authorization: Bearer {token}");
    let passes = [
        log_in(&max),
        log_in(&eva),
        log_in(&eva),
        bearer(&eva),
        bearer(&max),
    ];
    let [mut first, mut second, mut third, mut by_token, mut other] =
        passes.each_ref().map(|pass| watch(&url, pass));
    for stream in [
        &mut first,
        &mut second,
        &mut third,
        &mut by_token,
        &mut other,
    ] {
        told(stream, "live", 2);
    }

    // One browser logs out: its stream ends, and nobody else's.
    let answer = http(&url, "POST /logout", &[json, &passes[1]], "{}");
    assert_eq!(answer.status, 200, "{answer:?}");
    ends(&mut second);
    let session = |pass: &str| http(&url, "GET /api/session", &[pass], "").status;
    assert_eq!(session(&passes[1]), 401);

    // Her token goes out of the file: whatever came in by it ends.
    let _ = place.file("tokens.toml", &alone);
    ends(&mut third);
    ends(&mut by_token);
    assert_eq!([session(&passes[2]), session(&passes[3])], [401, 401]);
    for stream in [&mut first, &mut other] {
        // What came meanwhile is read as well.
        told(stream, "live", 30);
    }
    assert_eq!([session(&passes[0]), session(&passes[4])], [200, 200]);
}
