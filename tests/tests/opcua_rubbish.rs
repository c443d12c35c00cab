//! Bytes that are no OPC UA at the server of the gateway: refused, counted, each kind said once, and nobody else notices.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::{Value, json};
use std::io::Write;
use std::net::TcpStream;
use twinstep_tests::cable::python_with;
use twinstep_tests::gateway::{has_opcua, http, metric, until, until_metric};
use twinstep_tests::opcua::{answer, gateway, hello, message, refused, said, start};
use twinstep_tests::run::Place;
use twinstep_tests::{release_binary, root};

/// No OPC UA, half of it, and more than there is.
fn rubbish() -> Vec<Vec<u8>> {
    let huge = [b"HELF".as_slice(), &u32::MAX.to_le_bytes()].concat();
    let mut text = hello();
    // A text that says that it is longer than the message.
    text[28..32].copy_from_slice(&i32::MAX.to_le_bytes());
    let open = message(b"OPNF", &[0xff; 64]);
    vec![
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0; 4096],
        huge,
        text,
        hello()[..20].to_vec(),
        [hello(), hello()].concat(),
        [hello(), open].concat(),
        [hello(), message(b"MSGF", &[0; 200])].concat(),
        [hello(), message(b"MSGC", &vec![7; 60_000])].concat(),
        [hello(), b"OPNF".to_vec()].concat(),
    ]
}

fn acknowledged(answer: &[u8]) -> bool {
    answer.starts_with(b"ACKF")
}

/// What counts those who are refused.
const FAILED: &str = "twinstep_sink_failed_total{sink=\"opcua\"}";

#[test]
fn rubbish_and_half_a_handshake_leave_the_server_as_it_was() {
    let test = "rubbish_and_half_a_handshake_leave_the_server_as_it_was";
    if !has_opcua(test) {
        return;
    }
    let Some(python) = python_with(test, "asyncua") else {
        return;
    };
    let place = Place::new();
    let run = "demo --no-page --json --state state --control cell.sock --cycles 3600000";
    let mut run = start(&place, run);
    run.forget_lines();
    let (gateway, url, page) = gateway(&place, "insecure = true\n");
    let host = url.trim_start_matches("opc.tcp://").trim_end_matches('/');
    assert!(acknowledged(&answer(host, &hello())));
    let rubbish = rubbish();
    // Counted, and each kind said once.
    let before = metric(&page, FAILED).unwrap();
    for bytes in [&rubbish[0], &rubbish[0], &rubbish[3], &rubbish[3]] {
        let _ = refused(host, bytes);
    }
    until_metric(&page, FAILED, |count| count >= before + 4);
    assert_eq!(metric(&page, FAILED), Some(before + 4));
    for kind in ["speaks no OPC UA", "a Hello was refused"] {
        assert_eq!(said(&place).matches(kind).count(), 1, "{}", said(&place));
    }
    // So is what comes behind a good Hello: another one, and messages that nobody can read.
    let before = before + 4;
    let behind = [&rubbish[5], &rubbish[6], &rubbish[7]];
    for bytes in behind {
        assert!(acknowledged(&refused(host, bytes)), "{bytes:?}");
    }
    until_metric(&page, FAILED, |count| count >= before + 3);
    assert_eq!(metric(&page, FAILED), Some(before + 3));
    let kind = "a message behind a Hello was refused";
    assert_eq!(said(&place).matches(kind).count(), 1, "{}", said(&place));
    // Some who connect and say nothing while the others are looked after.
    let silent: Vec<_> = (0..50).map(|_| TcpStream::connect(host).unwrap()).collect();
    for bytes in &rubbish {
        let _ = answer(host, bytes);
        assert!(acknowledged(&answer(host, &hello())), "after {bytes:?}");
    }
    // A seeded generator, so that a failure can be had again.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for round in 0..200 {
        let mut bytes = hello();
        for _ in 0..1 + round % 7 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let place = usize::try_from(state % bytes.len() as u64).unwrap();
            bytes[place] = (state >> 32) as u8;
        }
        let mut stream = TcpStream::connect(host).unwrap();
        let _ = stream.write_all(&bytes);
    }
    // Whoever talks sense is served, and may look.
    let script = root().join("tests/clients/opcua.py");
    let output = place
        .command(&python, [script.to_str().unwrap(), &url])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        seen,
        json!({"state": 0, "acknowledge": "BadUserAccessDenied"})
    );
    drop(silent);
    // Beside all that the machine has run, and what it finds is stored and told, each with the next number.
    let fault = "inject frame_loss:bus:count=3 --control cell.sock";
    let injected = place.run(release_binary(), fault);
    assert!(injected.status.success(), "{injected:?}");
    let events = until(|| {
        let events = http(&page, "GET /api/events?after=0", &[], "").json();
        let events = events["events"].as_array().cloned().unwrap_or_default();
        let lost = events.iter().any(|event| event["channel"] == "frames");
        lost.then_some(events)
    });
    for (event, seq) in events.iter().zip(1..) {
        assert_eq!(event["seq"], seq, "{events:?}");
    }
    let dropped = metric(&page, "twinstep_events_dropped_total");
    assert_eq!(dropped, Some(0), "{events:?}");
    drop(gateway);
}

#[test]
fn a_server_that_is_encrypted_refuses_rubbish_too() {
    let test = "a_server_that_is_encrypted_refuses_rubbish_too";
    if !has_opcua(test) {
        return;
    }
    let place = Place::new();
    let token = "token eva --role tuner --file tokens.toml --json";
    let _ = place.run(release_binary(), token).fine();
    let (_gateway, url, page) = gateway(&place, "tokens = \"tokens.toml\"\n");
    let host = url.trim_start_matches("opc.tcp://").trim_end_matches('/');
    let rubbish = rubbish();
    let before = metric(&page, FAILED).unwrap();
    // Those of which something is said: no OPC UA, a Hello that cannot be, and what comes behind a good one.
    for n in [0, 3, 5, 6, 7] {
        let _ = refused(host, &rubbish[n]);
    }
    until_metric(&page, FAILED, |count| count >= before + 5);
    assert_eq!(metric(&page, FAILED), Some(before + 5), "{}", said(&place));
    for bytes in &rubbish {
        let _ = answer(host, bytes);
        assert!(acknowledged(&answer(host, &hello())), "after {bytes:?}");
    }
    let said = said(&place);
    assert!(!said.contains("panicked"), "{said}");
    assert_eq!(
        said.matches("speaks no OPC UA and was refused; further")
            .count(),
        1,
        "{said}"
    );
}
