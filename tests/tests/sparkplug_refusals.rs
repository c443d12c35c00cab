//! Brokers that refuse a Sparkplug node, or do not answer it: it goes, says why, and comes again; no event is lost by that.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use twinstep_tests::fake_broker::{FakeBroker, Packet, Published, SUCCESS, Session};
use twinstep_tests::gateway::{Peer, http, until};
use twinstep_tests::run::Place;

/// A reason of SUBACK: QoS 1 is granted.
const GRANTED: u8 = 1;
/// Another one: not authorized.
const REFUSED: u8 = 0x87;

/// The next subscription, and what was published before it.
fn subscription(session: &mut Session) -> (u16, Vec<Published>) {
    let mut before = Vec::new();
    loop {
        match session.hear() {
            Packet::Subscribe(id) => return (id, before),
            Packet::Publish(published) => {
                if published.id > 0 {
                    session.acknowledge(published.id, SUCCESS);
                }
                before.push(published);
            }
            other => panic!("{other:?} after {before:?}"),
        }
    }
}

fn of(kind: &str, published: &[Published]) -> usize {
    let wanted = format!("/{kind}/");
    let found = published.iter().filter(|one| one.topic.contains(&wanted));
    found.count()
}

#[test]
fn a_node_goes_from_a_broker_that_refuses_or_hangs_and_no_event_is_lost() {
    let place = Place::new();
    let run = place.twinstep(
        "demo --fast --json --cycles 3000 --state state --inject drive_fault:gantry:code=0x2310@1s",
    );
    let events = run.fine().of_type("event").len();
    assert!((1..=16).contains(&events), "one batch: {events}");
    let broker = FakeBroker::new();
    let text = format!(
        "[sparkplug]\nnode = 'cell'\n[sparkplug.broker]\nurl = 'mqtt://127.0.0.1:{}'\n",
        broker.port()
    );
    let _ = place.file("gateway.toml", text);
    let args = "gateway --json --listen 127.0.0.1:0 --state state --config gateway.toml";
    let mut gateway = Peer::start(&place, args);
    let url = gateway.url();

    // Without its commands it is not born.
    let mut session = broker.accept(SUCCESS, &[]);
    let (id, before) = subscription(&mut session);
    session.subscribed(id, REFUSED);
    assert_eq!(of("NBIRTH", &before) + of("NBIRTH", &session.rest()), 0);
    // Nor where nobody says whether it has them: the connection stands, and it goes by itself.
    let mut session = broker.accept(SUCCESS, &[]);
    let (_, before) = subscription(&mut session);
    assert_eq!(of("NBIRTH", &before) + of("NBIRTH", &session.rest()), 0);
    // Born, and nobody says that its events have come.
    let mut session = broker.accept(SUCCESS, &[]);
    let (id, _) = subscription(&mut session);
    session.subscribed(id, GRANTED);
    let (_, told) = subscription(&mut session);
    assert_eq!(of("NBIRTH", &told), 1, "{told:?}");
    assert!(of("NDATA", &told) >= events, "{told:?}");
    let _ = session.rest();
    // They come once more, and count when that is answered.
    let mut session = broker.accept(SUCCESS, &[]);
    let (id, _) = subscription(&mut session);
    session.subscribed(id, GRANTED);
    let (id, again) = subscription(&mut session);
    assert!(of("NDATA", &again) >= events, "{again:?}");
    let metrics = || http(&url, "GET /metrics", &[], "").body;
    let behind = format!("twinstep_sink_behind{{sink=\"sparkplug\"}} {events}.0\n");
    assert!(metrics().contains(&behind), "{}", metrics());
    session.subscribed(id, GRANTED);
    until(|| {
        let none = "twinstep_sink_behind{sink=\"sparkplug\"} 0.0\n";
        metrics().contains(none).then_some(())
    });

    // What was wrong is said, and that it is over.
    let mut troubles = Vec::new();
    loop {
        let says = gateway.next("sink");
        match says["trouble"].as_str() {
            Some(trouble) => troubles.push(trouble.to_owned()),
            None if says["connected"] == true && troubles.len() >= 2 => break,
            None => {}
        }
    }
    println!("{troubles:#?}");
    assert!(
        troubles[0].contains("refuses a subscription"),
        "{troubles:#?}"
    );
    assert!(
        troubles[1].contains("did not answer within 30 s"),
        "{troubles:#?}"
    );
}
