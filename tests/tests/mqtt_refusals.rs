//! Brokers that take less than others: what they refuse comes again, and what they cannot do is not asked of them.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde_json::Value;
use twinstep_tests::fake_broker::{FakeBroker, Packet, Published, SUCCESS};
use twinstep_tests::gateway::{Peer, http, until, until_metric};
use twinstep_tests::run::Place;
use twinstep_tests::{binary, program, root};

/// A store with some events; the number of the last. None where there is no Python.
fn store(test: &str, place: &Place) -> Option<u64> {
    let python = program(test, "python3")?;
    let run = place.twinstep(
        "demo --fast --json --cycles 3000 --state state --inject drive_fault:gantry:code=0x2310@1s",
    );
    assert!(!run.fine().of_type("event").is_empty());
    let script = root().join("tests/gateway/append.py");
    let run = place.run(&python, &format!("{} state 11", script.display()));
    Some(run.fine().stdout.trim().parse().unwrap())
}

/// A gateway that sends there, and its page.
fn gateway(place: &Place, broker: &FakeBroker, mqtt: &str) -> (Peer, String) {
    let port = broker.port();
    let text = format!(
        "[mqtt]\nmachine = 'press cell'\nlive_interval_s = 0\n{mqtt}\n[mqtt.broker]\nurl = 'mqtt://127.0.0.1:{port}'\n"
    );
    let _ = place.file("gateway.toml", text);
    let args = "gateway --json --listen 127.0.0.1:0 --state state --config gateway.toml";
    let mut gateway = Peer::heard(place, binary(), args, "gateway.err");
    let url = gateway.next("listening")["url"]
        .as_str()
        .unwrap()
        .to_owned();
    (gateway, url)
}

/// Number of an event; none of a status.
fn seq(published: &Published) -> Option<u64> {
    published
        .topic
        .contains("/event/")
        .then(|| published.json["seq"].as_u64().unwrap())
}

/// What the gateway says of its sink, up to the first word for which `last` holds.
fn said(gateway: &mut Peer, last: impl Fn(&Value) -> bool) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        all.push(gateway.next("sink"));
        if all.last().is_some_and(&last) {
            return all;
        }
    }
}

fn mentions(says: &Value, words: &str) -> bool {
    says["trouble"]
        .as_str()
        .is_some_and(|trouble| trouble.contains(words))
}

/// Waits until no event is behind, and returns how many messages did not arrive.
fn failed(url: &str) -> f64 {
    until(|| {
        let metrics = http(url, "GET /metrics", &[], "").body;
        let of = |name: &str| -> Option<f64> {
            let start = format!("{name}{{sink=\"mqtt\"}} ");
            metrics
                .lines()
                .find_map(|line| line.strip_prefix(&start)?.parse().ok())
        };
        (of("twinstep_sink_behind") == Some(0.0)).then(|| of("twinstep_sink_failed_total").unwrap())
    })
}

#[test]
fn a_refused_event_comes_again_and_none_overtakes_it() {
    let place = Place::new();
    let Some(last) = store("a_refused_event_comes_again_and_none_overtakes_it", &place) else {
        return;
    };
    // Every reason that MQTT 5 has for PUBACK (3.4.2.1); quota exceeded until there is room again.
    let mut refusals = BTreeMap::from([(1, vec![0x97, 0x97, 0x97])]);
    for (n, reason) in [0x80, 0x83, 0x87, 0x90, 0x91, 0x99].into_iter().enumerate() {
        refusals.insert(2 + n as u64, vec![reason]);
    }
    let broker = FakeBroker::new();
    let (mut gateway, url) = gateway(&place, &broker, "");
    let (mut came, mut taken) = (Vec::new(), Vec::new());
    while taken.last() != Some(&last) {
        let mut session = broker.accept(SUCCESS, &[]);
        loop {
            let published = match session.hear() {
                Packet::Publish(published) => published,
                other => panic!("{other:?} after {came:?}"),
            };
            let Some(seq) = seq(&published) else {
                session.acknowledge(published.id, SUCCESS);
                continue;
            };
            came.push(seq);
            if let Some(reason) = refusals.get_mut(&seq).and_then(Vec::pop) {
                session.acknowledge(published.id, reason);
                // Nothing behind it is sent.
                assert!(session.rest().iter().all(|rest| self::seq(rest).is_none()));
                break;
            }
            session.acknowledge(published.id, SUCCESS);
            taken.push(seq);
            if seq == last {
                break;
            }
        }
        if taken.last() == Some(&last) {
            // Counted, and shown with the reason; the same one is said once.
            assert_eq!(failed(&url), 9.0);
        }
    }
    assert_eq!(taken, (1..=last).collect::<Vec<_>>());
    let mut wanted = vec![1, 1, 1];
    wanted.extend((2..=7).flat_map(|seq| [seq - 1, seq]));
    wanted.extend(7..=last);
    assert_eq!(came, wanted);
    let says = said(&mut gateway, |says| mentions(says, "PayloadFormatInvalid"));
    let count = |words| says.iter().filter(|says| mentions(says, words)).count();
    assert_eq!(count("QuotaExceeded"), 1, "{says:#?}");
    for reason in [
        "Unspecified",
        "Implementation",
        "NotAuthorized",
        "TopicName",
        "PacketIdentifier",
    ] {
        assert_eq!(count(reason), 1, "{reason}: {says:#?}");
    }
}

#[test]
fn a_broker_that_babbles_has_taken_nothing() {
    let place = Place::new();
    let Some(last) = store("a_broker_that_babbles_has_taken_nothing", &place) else {
        return;
    };
    let broker = FakeBroker::new();
    let (mut gateway, url) = gateway(&place, &broker, "in_flight = 4");
    // A seeded generator, so that a failure can be had again.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let (mut taken, mut kept) = (Vec::new(), None);
    for round in 0..4 {
        let mut session = broker.accept(SUCCESS, &[]);
        loop {
            let Packet::Publish(published) = session.hear() else {
                panic!("it has gone by itself after {taken:?}");
            };
            session.acknowledge(published.id, SUCCESS);
            let Some(seq) = seq(&published) else {
                continue;
            };
            // What was acknowledged may be unknown to the gateway where rubbish came right behind.
            if taken.last() < Some(&seq) {
                assert_eq!(taken.len() as u64 + 1, seq, "a gap");
                taken.push(seq);
            }
            if round < 3 && seq > 2 * round {
                break;
            }
            if seq == last {
                break;
            }
        }
        if round == 3 {
            assert_eq!(taken, (1..=last).collect::<Vec<_>>());
            let _ = failed(&url);
            kept = Some(session);
            break;
        }
        if round == 0 {
            // A packet of no kind that there is: it is the client that goes.
            session.rave(&[0, 0]);
            let _ = session.rest();
            continue;
        }
        let rubbish: Vec<u8> = (0..64)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 32) as u8
            })
            .collect();
        session.babble(&rubbish);
    }
    // Every outage is said once, with what was wrong, and so is that it is over.
    let outages = said(&mut gateway, |says| says["connected"] == true);
    drop(kept);
    let (over, troubles) = outages.split_last().unwrap();
    assert_eq!(over["trouble"], Value::Null, "{outages:#?}");
    assert!((1..=3).contains(&troubles.len()), "{outages:#?}");
    println!("{outages:#?}");
    for pair in troubles.windows(2) {
        assert_ne!(pair[0]["trouble"], pair[1]["trouble"], "{outages:#?}");
    }
    assert!(mentions(&troubles[0], "Mqtt"), "{outages:#?}");
}

#[test]
fn what_a_broker_cannot_do_is_not_asked_of_it() {
    let place = Place::new();
    let Some(last) = store("what_a_broker_cannot_do_is_not_asked_of_it", &place) else {
        return;
    };
    let broker = FakeBroker::new();
    let (mut gateway, url) = gateway(&place, &broker, "in_flight = 16");
    // Maximum QoS 0: nothing would ever be acknowledged.
    let mut session = broker.accept(SUCCESS, &[0x24, 0]);
    assert!(session.rest().is_empty());
    // Retain Not Supported: once more, without a will to be kept. Maximum Packet Size 300: no event is so short.
    assert!(broker.accept(0x9a, &[]).will_retain);
    let nothing_kept = [0x25, 0];
    let mut session = broker.accept(SUCCESS, &[&nothing_kept[..], &[0x27, 0, 0, 1, 44]].concat());
    assert!(!session.will_retain);
    assert!(
        session
            .rest()
            .iter()
            .all(|rest| seq(rest).is_none() && !rest.retain)
    );
    // Receive Maximum 2: no third message before one of two has its word.
    assert!(broker.accept(0x9a, &[]).will_retain);
    let mut session = broker.accept(SUCCESS, &[&nothing_kept[..], &[0x21, 0, 2]].concat());
    let (mut taken, mut pending) = (Vec::new(), VecDeque::new());
    let mut looks = 0;
    while taken.last() != Some(&last) {
        let Packet::Publish(published) = session.hear() else {
            panic!("it has gone after {taken:?}");
        };
        assert!(!published.retain, "{published:?}");
        pending.push_back(published);
        if pending.len() == 2 && looks < 3 {
            looks += 1;
            assert!(session.is_quiet(Duration::from_millis(300)), "a third one");
        }
        // One of two, and the last one for which no other comes.
        while pending.len() == 2
            || pending
                .back()
                .is_some_and(|last_one| seq(last_one) == Some(last))
        {
            let Some(oldest) = pending.pop_front() else {
                break;
            };
            session.acknowledge(oldest.id, SUCCESS);
            taken.extend(seq(&oldest));
        }
    }
    assert_eq!(looks, 3);
    assert_eq!(taken, (1..=last).collect::<Vec<_>>());
    assert_eq!(failed(&url), 0.0);
    let says = said(&mut gateway, |says| says["connected"] == true);
    assert!(mentions(&says[0], "QoS 0 alone"), "{says:#?}");
    assert!(mentions(&says[1], "packets of 300 bytes"), "{says:#?}");
}

#[test]
fn what_a_broker_sends_uninvited_is_counted_and_said_once() {
    let place = Place::new();
    let broker = FakeBroker::new();
    let (_gateway, url) = gateway(&place, &broker, "");
    let mut session = broker.accept(SUCCESS, &[]);
    // PUBLISH with QoS 0: topic, no properties, payload.
    let message = [b"\x30\x0e\x00\x07press/x\x00".as_slice(), b"stop"].concat();
    for _ in 0..3 {
        session.rave(&message);
    }
    let failed = "twinstep_sink_failed_total{sink=\"mqtt\"}";
    until_metric(&url, failed, |count| count == 3);
    let said = std::fs::read_to_string(place.path("gateway.err")).unwrap();
    assert_eq!(
        said.matches("nothing was subscribed to").count(),
        1,
        "{said}"
    );
    // The connection is as good as before: what it says is that the gateway is there.
    let Packet::Publish(status) = session.hear() else {
        panic!("it has gone");
    };
    assert_eq!(status.json["state"], "online", "{status:?}");
    session.acknowledge(status.id, SUCCESS);
    assert!(session.is_quiet(Duration::from_millis(300)));
}
