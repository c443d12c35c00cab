//! A Sparkplug node as a host sees it, with a decoder that nobody here wrote: birth before data, numbers without gaps, death, rebirth.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;
use twinstep_tests::broker::Broker;
use twinstep_tests::cable::python_with;
use twinstep_tests::gateway::{Peer, metric as metric_of, until_metric};
use twinstep_tests::run::Place;
use twinstep_tests::{binary, program, root};

/// A host, and what it knows of the one node that it sees.
struct Host {
    peer: Peer,
    /// The node lives, with this number of its birth.
    born: Option<u64>,
    /// Number that the next message must have.
    number: u64,
    /// Devices that live.
    devices: BTreeSet<String>,
    /// Numbers of the events that were told, each once.
    events: Vec<u64>,
    /// The store that they are of.
    store: Option<u64>,
    /// Events that came again.
    again: u64,
}

impl Host {
    /// With certificates in the place's own folder where the broker asks for them.
    fn start(place: &Place, python: &std::path::Path, port: u16, tls: bool) -> Self {
        let script = root().join("tests/gateway/sparkplug.py");
        let mut command = place.command(python, [script.as_os_str()]);
        command
            .arg(port.to_string())
            .arg("plant")
            .args(tls.then(|| place.path("")))
            .stdin(Stdio::piped());
        let mut peer = Peer::of(command);
        peer.next("subscribed");
        Self {
            peer,
            born: None,
            number: 0,
            devices: BTreeSet::new(),
            events: Vec::new(),
            store: None,
            again: 0,
        }
    }

    fn say(&mut self, command: &str) {
        let stdin = self.peer.child.stdin.as_mut().unwrap();
        writeln!(stdin, "{command}").unwrap();
        stdin.flush().unwrap();
    }

    /// The next message; it must be one that may come now.
    fn next(&mut self) -> Value {
        let message = self.peer.next("message");
        self.take(message)
    }

    /// Takes what comes before the host is subscribed once more.
    fn returns(&mut self) {
        loop {
            let value: Value = serde_json::from_str(&self.peer.line()).unwrap();
            match value["type"].as_str() {
                Some("subscribed") => return,
                _ => drop(self.take(value)),
            }
        }
    }

    /// An event: the next one, or one that comes again and says so.
    fn event(&mut self, message: &Value) {
        let number = metric(message, "Event/Number");
        let Some(seq) = number["value"].as_u64() else {
            return;
        };
        let store = metric(message, "Event/Store")["value"].as_u64();
        assert!(store.is_some(), "{message}");
        assert_eq!(*self.store.get_or_insert(store.unwrap()), store.unwrap());
        let last = self.events.last().copied().unwrap_or(0);
        if seq > last {
            assert_eq!(seq, last + 1, "a gap: {message}");
            self.events.push(seq);
        } else {
            assert_eq!(number["historical"], true, "again, unmarked: {message}");
            self.again += 1;
        }
    }

    fn take(&mut self, message: Value) -> Value {
        let kind = message["kind"].as_str().unwrap();
        assert_eq!(message["node"], "cell", "{message}");
        assert_eq!(message["retain"], false, "{message}");
        if kind == "NDEATH" {
            let number = metric(&message, "bdSeq")["value"].as_u64();
            // The last will, and what a node says before it goes, may both come.
            assert!(self.born.is_none() || self.born == number, "{message}");
            self.born = None;
            self.devices.clear();
            return message;
        }
        if kind == "NBIRTH" {
            self.number = 0;
            self.devices.clear();
            self.born = metric(&message, "bdSeq")["value"].as_u64();
            assert_eq!(metric(&message, "Node Control/Rebirth")["value"], false);
        }
        assert!(self.born.is_some(), "before its birth: {message}");
        assert_eq!(message["seq"], self.number, "{message}");
        self.number = (self.number + 1) % 256;
        let device = message["device"].as_str().unwrap_or_default().to_owned();
        match kind {
            "DBIRTH" => assert!(self.devices.insert(device), "twice: {message}"),
            "DDATA" => assert!(self.devices.contains(&device), "{message}"),
            "DDEATH" => assert!(self.devices.remove(&device), "{message}"),
            "NDATA" => self.event(&message),
            _ => assert_eq!(kind, "NBIRTH", "{message}"),
        }
        message
    }

    fn until(&mut self, test: impl Fn(&Self, &Value) -> bool) -> Value {
        loop {
            let message = self.next();
            if test(self, &message) {
                return message;
            }
        }
    }
}

/// The metric of this name; null where the message has none.
fn metric(message: &Value, name: &str) -> Value {
    let metrics = message["metrics"].as_array();
    let found = metrics.and_then(|all| all.iter().find(|metric| metric["name"] == name));
    found.cloned().unwrap_or_default()
}

#[test]
fn a_node_is_born_before_it_speaks_and_reborn_when_it_is_asked() {
    let test = "a_node_is_born_before_it_speaks_and_reborn_when_it_is_asked";
    let Some(python) = python_with(test, "pysparkplug") else {
        return;
    };
    let place = Place::new();
    let Some(mut broker) = Broker::new(test, &place) else {
        return;
    };
    // All of it by TLS, with a certificate of the client.
    let Some((tls, secret)) = broker.certificates(test) else {
        return;
    };
    broker.start(&tls);
    let faults =
        "--inject drive_fault:gantry:code=0x2310@1s --inject drive_fault:lift:code=0x8611@2s";
    let run = format!("demo --fast --json --cycles 3000 --state state {faults}");
    let old = place.twinstep(&run).fine().of_type("event").len() as u64;
    assert!(old >= 2, "{old}");
    let mut machine = Peer::start(
        &place,
        "demo --json --no-page --cycles 3600000 --state state --control cell.sock",
    );
    // It ends what stood, all at once, before it says so of the first.
    let ended = machine.next("event");
    assert_eq!(
        (&ended["state"], &ended["seq"]),
        (&"cleared".into(), &(old + 1).into())
    );
    let old = place
        .twinstep("events --json --state state")
        .fine()
        .lines()
        .len() as u64;
    let mut host = Host::start(&place, &python, broker.port, true);
    let config = format!(
        "[sparkplug]\ngroup = 'plant'\nnode = 'cell'\nprimary_host = 'scada'\ninterval_s = 0.2\n[sparkplug.broker]\n{secret}"
    );
    let _ = place.file("gateway.toml", config);
    let gateway = "gateway --json --listen 127.0.0.1:0 --state state --control cell.sock --config gateway.toml";
    let mut first = Peer::heard(&place, binary(), gateway, "first.err");
    let page = first.url();
    // Nothing is said while the host is away.
    let waits = first.next("sink");
    assert!(
        waits["trouble"].as_str().unwrap().contains("primary host"),
        "{waits}"
    );
    host.say("online scada");
    let born = host.next();
    assert_eq!(born["kind"], "NBIRTH", "{born}");
    assert_eq!(
        metric(&born, "Properties/Machine")["type"],
        "STRING",
        "{born}"
    );
    let birth = host.born.unwrap();
    // What was stored before is told as history, in order, and every axis and station is born.
    let late = host.until(|host, _| host.events.last() == Some(&old));
    assert_eq!(metric(&late, "Event/Number")["historical"], true, "{late}");
    assert_eq!(host.events, (1..=old).collect::<Vec<_>>());
    host.until(|host, message| host.devices.len() == 10 && message["kind"] == "DDATA");
    assert!(
        host.devices.contains("gripper") && host.devices.contains("lift"),
        "{:?}",
        host.devices
    );

    // What happens now is none.
    assert!(
        place
            .twinstep("inject drive_fault:pusher:code=0x2310 --control cell.sock")
            .status
            .success()
    );
    let now = host.until(|host, _| host.events.len() as u64 > old);
    let number = metric(&now, "Event/Number");
    assert_eq!(
        (&number["historical"], &number["value"]),
        (&false.into(), &(old + 1).into())
    );
    let line = metric(&now, "Event/JSON");
    let event: Value = serde_json::from_str(line["value"].as_str().unwrap()).unwrap();
    // The machine has one recipe and parts; it knows nothing of tools.
    let context = &event["context"];
    assert!(context["part"].is_string(), "{now}");
    for (name, key) in [("Recipe", "recipe"), ("Part", "part"), ("Tool", "tool")] {
        let told = metric(&now, &format!("Event/{name}"));
        assert_eq!(told["value"], context[key], "{now}");
    }

    host.say("rebirth cell");
    let reborn = host.until(|_, message| message["kind"] == "NBIRTH");
    assert_eq!(host.born, Some(birth), "{reborn}");
    host.until(|host, _| host.devices.len() == 10);

    // One that the broker keeps is heard when it is sent, and never again: it comes with every answer to an event.
    host.say("keep cell");
    host.until(|_, message| message["kind"] == "NBIRTH");
    host.until(|host, _| host.devices.len() == 10);
    let inject = "inject drive_fault:infeed:code=0x2310 --control cell.sock";
    assert!(place.twinstep(inject).status.success());
    let told = host.events.len();
    host.until(|host, _| host.events.len() > told);
    // Longer than rebirths are apart.
    for _ in 0..8 {
        host.until(|_, message| {
            assert_ne!(message["kind"], "NBIRTH", "{message}");
            message["kind"] == "NDATA" && metric(message, "Cycle/Count").is_object()
        });
    }
    host.say("forget cell");

    // What nobody can read, and what this node does not do, is refused: each kind is counted and said once, and nothing comes of it.
    let failed = "twinstep_sink_failed_total{sink=\"sparkplug\"}";
    assert_eq!(metric_of(&page, failed), Some(0));
    host.say("babble cell,scada");
    until_metric(&page, failed, |failed| failed >= 6);
    assert_eq!(metric_of(&page, failed), Some(6));
    let said = std::fs::read_to_string(place.path("first.err")).unwrap();
    for kind in [
        "it is no payload of Sparkplug B; further",
        "this node takes Node Control/Rebirth alone; further",
        "a STATE of the primary host was refused: it must be",
    ] {
        assert_eq!(said.matches(kind).count(), 1, "{kind}: {said}");
    }
    host.say("rebirth cell");
    host.until(|_, message| message["kind"] == "NBIRTH");
    assert_eq!(host.born, Some(birth));
    host.until(|host, _| host.devices.len() == 10);

    // Killed: the broker tells its death, and the next life has another number.
    first.signal("KILL");
    host.until(|host, _| host.born.is_none());
    let second = Peer::start(&place, gateway);
    host.until(|_, message| message["kind"] == "NBIRTH");
    assert_eq!(host.born, Some((birth + 1) % 256));
    host.until(|host, _| host.devices.len() == 10);
    // Devices die with their instance.
    machine.signal("TERM");
    let _ = machine.child.wait();
    host.until(|host, message| host.devices.is_empty() && message["kind"] == "DDEATH");
    // Events were delivered in the first life: they do not come again, or are marked; nothing is missing ([`Host::event`]).
    let append = |count: u64| -> u64 {
        let script = root().join("tests/gateway/append.py");
        let run = place.run(&python, &format!("{} state {count}", script.display()));
        run.fine().stdout.trim().parse().unwrap()
    };
    // The broker stops with events on their way, and more come while there is none.
    append(40);
    broker.stop();
    append(40);
    // The gateway is held until the host listens again: nobody keeps what is said to nobody.
    second.signal("STOP");
    broker.start(&tls);
    host.returns();
    host.say("online scada");
    second.signal("CONT");
    let last = append(40);
    host.until(|host, _| host.events.last() == Some(&last));
    // The gateway is killed with events on their way.
    append(40);
    second.signal("KILL");
    host.until(|host, _| host.born.is_none());
    append(40);
    let mut second = Peer::start(&place, gateway);
    let last = append(40);
    host.until(|host, _| host.events.last() == Some(&last));
    assert_eq!(host.events, (1..=last).collect::<Vec<_>>());
    println!("{} of {last} events came again", host.again);
    // A host that goes away is left alone.
    host.say("offline scada");
    host.until(|host, _| host.born.is_none());
    host.say("online scada");
    host.until(|_, message| message["kind"] == "NBIRTH");
    assert_ne!(host.born, Some((birth + 1) % 256));
    second.signal("TERM");
    host.until(|host, _| host.born.is_none());
    assert!(second.child.wait().unwrap().success());
}

#[test]
fn no_event_is_lost_when_the_broker_is_full() {
    let test = "no_event_is_lost_when_the_broker_is_full";
    let (Some(python), Some(publish)) = (
        python_with(test, "pysparkplug"),
        program(test, "mosquitto_pub"),
    ) else {
        return;
    };
    let place = Place::new();
    let Some(mut broker) = Broker::new(test, &place) else {
        return;
    };
    let run =
        "demo --fast --json --cycles 3000 --state state --inject drive_fault:gantry:code=0x2310@1s";
    assert!(!place.twinstep(run).fine().of_type("event").is_empty());
    let append = |count: u64| -> u64 {
        let script = root().join("tests/gateway/append.py");
        let run = place.run(&python, &format!("{} state {count}", script.display()));
        run.fine().stdout.trim().parse().unwrap()
    };
    let mut last = append(20);
    broker.start("allow_anonymous true\nmemory_limit 400000");
    let mut host = Host::start(&place, &python, broker.port, false);
    let config = format!(
        "[sparkplug]\ngroup = 'plant'\nnode = 'cell'\ninterval_s = 0.2\n[sparkplug.broker]\nurl = 'mqtt://127.0.0.1:{}'\n",
        broker.port
    );
    let _ = place.file("gateway.toml", config);
    let gateway = Peer::start(
        &place,
        "gateway --json --listen 127.0.0.1:0 --state state --config gateway.toml",
    );
    host.until(|host, _| host.events.last() == Some(&last));
    assert_eq!(host.again, 0, "nothing has happened yet");
    // Somebody else has the broker keep more than it has room for.
    drop(broker.subscriber(&place, &python, "fill/#", &["--leave"]));
    let port = broker.port.to_string();
    let fill = || {
        let args = [
            "-V",
            "5",
            "-p",
            &port,
            "-q",
            "1",
            "-t",
            "fill/a",
            "-m",
            &"x".repeat(20_000),
        ];
        place.command(&publish, args).status().unwrap().success()
    };
    while fill() {}
    // Nobody keeps what the node says, so that it finds room nevertheless.
    last = append(200);
    host.until(|host, _| host.events.last() == Some(&last));
    assert!(!fill(), "it is still full");
    // It goes with events on their way, and more come while there is none.
    append(40);
    // The gateway is held until the host listens again: nobody keeps what is said to nobody.
    broker.stop();
    gateway.signal("STOP");
    append(100);
    broker.start("allow_anonymous true");
    host.returns();
    gateway.signal("CONT");
    last = append(1);
    host.until(|host, _| host.events.last() == Some(&last));
    assert_eq!(host.events, (1..=last).collect::<Vec<_>>());
    println!("{} of {last} events came again", host.again);
}
