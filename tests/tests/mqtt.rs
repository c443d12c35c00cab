//! Events over MQTT, with a broker and a subscriber that nobody here wrote: none is lost, none overtakes another.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use twinstep_tests::broker::Broker;
use twinstep_tests::cable::python_with;
use twinstep_tests::gateway::Peer;
use twinstep_tests::run::Place;
use twinstep_tests::{program, root};

/// What a test needs; none where something is missing, which is said.
struct Bench {
    place: Place,
    broker: Broker,
    python: PathBuf,
}

impl Bench {
    fn new(test: &str) -> Option<Self> {
        let place = Place::new();
        let python = python_with(test, "paho.mqtt")?;
        let broker = Broker::new(test, &place)?;
        Some(Self {
            place,
            broker,
            python,
        })
    }

    /// A store with the events of a short run: 3 at least. Returns the number of the last.
    fn fill(&self) -> u64 {
        let run = self.place.twinstep(
            "demo --fast --json --cycles 3000 --state state --inject drive_fault:gantry:code=0x2310@1s \
             --inject drive_fault:lift:code=0x8611@2s --inject frame_loss:bus:count=3@1500ms",
        );
        run.fine().of_type("event").len() as u64
    }

    /// More events; returns the number of the last.
    fn append(&self, count: usize) -> u64 {
        let script = root().join("tests/gateway/append.py");
        let args = format!("{} state {count}", script.display());
        let run = self.place.run(&self.python, &args).fine();
        run.stdout.trim().parse().unwrap()
    }

    /// A gateway with this `[mqtt]`, once it serves.
    fn gateway(&self, mqtt: &str) -> Peer {
        let _ = self.place.file("gateway.toml", mqtt);
        let args = "gateway --json --listen 127.0.0.1:0 --state state --config gateway.toml";
        let mut gateway = Peer::start(&self.place, args);
        gateway.next("listening");
        gateway
    }

    fn plain(&self) -> String {
        format!(
            "[mqtt]\nmachine = 'press cell'\n[mqtt.broker]\nurl = 'mqtt://127.0.0.1:{}'\n",
            self.broker.port
        )
    }
}

/// Waits until the sink says that it is connected, or that it is not; returns the trouble.
fn connected(gateway: &mut Peer, wanted: bool) -> Value {
    loop {
        let says = gateway.next("sink");
        if says["connected"] == wanted {
            return says["trouble"].clone();
        }
    }
}

fn is_event(message: &Value, seq: u64) -> bool {
    message["json"]["type"] == "event" && message["json"]["seq"] == seq
}

fn is_status(message: &Value, state: &str) -> bool {
    message["topic"] == "twinstep/press cell/status" && message["json"]["state"] == state
}

#[test]
fn no_event_is_lost_when_the_broker_stops_and_the_gateway_is_killed() {
    let test = "no_event_is_lost_when_the_broker_stops_and_the_gateway_is_killed";
    let Some(mut bench) = Bench::new(test) else {
        return;
    };
    let Some((tls, secret)) = bench.broker.certificates(test) else {
        return;
    };
    let folder = bench.place.path("");
    let config = format!("[mqtt]\nmachine = 'press cell'\n[mqtt.broker]\n{secret}");
    let mut last = bench.fill();
    assert!(last >= 3, "{last}");
    bench.broker.start(&tls);
    let secure = folder.display().to_string();
    let mut listener = bench.broker.subscriber(
        &bench.place,
        &bench.python,
        "twinstep/#",
        &["--tls", &secure],
    );

    // One that does not answer for two seconds is given up.
    let hasty = format!("{config}keep_alive_s = 2\n");
    let mut gateway = bench.gateway(&hasty);
    let event = listener.until(|message| is_event(message, last));
    // As it was stored, to the letter, with all that tells one that comes twice.
    let stored = bench.place.twinstep("events --json --state state").fine();
    let stored = stored.stdout.lines().last().unwrap().to_owned();
    let payload: String = stored.bytes().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(event["payload"], payload);
    assert_eq!(event["qos"], 1);
    assert_eq!(event["content"], "application/json");
    assert_eq!(event["expires"], false);
    assert_eq!(event["properties"]["seq"], last.to_string());
    let topic = format!(
        "twinstep/press cell/event/{}/{}",
        event["json"]["source"].as_str().unwrap(),
        event["json"]["channel"].as_str().unwrap()
    );
    assert_eq!(event["topic"], topic);
    assert_eq!(
        listener.assert_complete(last),
        0,
        "nothing has happened yet"
    );

    // Stopped with events on their way; more come while nobody listens.
    bench.append(40);
    bench.broker.stop();
    connected(&mut gateway, false);
    bench.append(40);
    bench.broker.start(&tls);
    last = bench.append(40);
    listener.until(|message| is_event(message, last));
    listener.assert_complete(last);

    // Hung with events on their way: it takes whatever is sent, and answers nothing.
    connected(&mut gateway, true);
    bench.append(40);
    bench.broker.hang(true);
    bench.append(40);
    connected(&mut gateway, false);
    bench.append(40);
    bench.broker.hang(false);
    last = bench.append(40);
    listener.until(|message| is_event(message, last));
    listener.assert_complete(last);

    // Killed with events on their way. The broker says so.
    bench.append(60);
    gateway.signal("KILL");
    let _ = gateway.child.wait();
    listener.until(|message| is_status(message, "offline"));
    bench.append(20);
    let mut gateway = bench.gateway(&config);
    last = bench.append(20);
    listener.until(|message| is_event(message, last));
    let again = listener.assert_complete(last);
    println!("{again} of {last} events came again");

    // Ended in order: nothing comes twice after that.
    gateway.signal("TERM");
    assert!(gateway.child.wait().unwrap().success());
    listener.until(|message| is_status(message, "offline"));
    let so_far = listener.events().len();
    let _gateway = bench.gateway(&config);
    last = bench.append(1);
    listener.until(|message| is_event(message, last));
    assert_eq!(listener.events().len(), so_far + 1);
    // A client without a certificate is not let in, and neither is a broker that we do not know.
    let without: Vec<_> = config
        .lines()
        .filter(|line| !line.contains("client"))
        .collect();
    drop(_gateway);
    let mut gateway = bench.gateway(&without.join("\n"));
    assert_ne!(connected(&mut gateway, false), Value::Null);
    drop(gateway);
    let authority = |folder: &Path, names: &[&str]| {
        std::fs::create_dir(folder).unwrap();
        let mut made = Command::new(root().join("tests/gateway/certificates.sh"));
        assert!(made.arg(folder).args(names).status().unwrap().success());
    };
    let other = bench.place.path("other");
    authority(&other, &[]);
    let path = |folder: &Path| folder.join("ca.pem").display().to_string();
    let stranger = config.replace(&path(&folder), &path(&other));
    let mut gateway = bench.gateway(&stranger);
    let trouble = connected(&mut gateway, false);
    assert!(
        trouble.as_str().unwrap().contains("certificate"),
        "{trouble}"
    );
    drop(gateway);
    // Nor one that an authority of ours knows by another name than the one that we call it by.
    let elsewhere = bench.place.path("elsewhere");
    authority(&elsewhere, &["DNS:elsewhere.example"]);
    let files = [
        "ca.pem",
        "broker.pem",
        "broker.key",
        "client.pem",
        "client.key",
    ];
    let moved = |text: &str| {
        files.iter().fold(text.to_owned(), |text, name| {
            let file = |folder: &Path| folder.join(name).display().to_string();
            text.replace(&file(&folder), &file(&elsewhere))
        })
    };
    bench.broker.start(&moved(&tls));
    let mut gateway = bench.gateway(&moved(&config));
    let trouble = connected(&mut gateway, false);
    let said = trouble.as_str().unwrap().to_lowercase().replace(' ', "");
    assert!(said.contains("validforname"), "{trouble}");
}

#[test]
fn the_first_events_of_a_longer_store_that_replaces_another_arrive() {
    let test = "the_first_events_of_a_longer_store_that_replaces_another_arrive";
    let Some(mut bench) = Bench::new(test) else {
        return;
    };
    // The longer one is made first, and put aside.
    bench.fill();
    let longer = bench.append(20);
    let (state, aside) = (bench.place.path("state"), bench.place.path("aside"));
    std::fs::rename(&state, &aside).unwrap();
    let last = bench.fill();
    assert!(last < longer, "{last} {longer}");
    bench.broker.start("allow_anonymous true");
    let mut listener =
        bench
            .broker
            .subscriber(&bench.place, &bench.python, "twinstep/+/event/#", &[]);
    let _gateway = bench.gateway(&bench.plain());
    let store = listener.until(|message| is_event(message, last))["properties"]["store"].clone();
    listener.passed.clear();
    let files = ["events.sqlite-wal", "events.sqlite-shm", "events.sqlite"];
    for name in files.iter().rev() {
        let _ = std::fs::remove_file(state.join(name));
    }
    for name in files {
        // What nobody has open is one file.
        let moved = std::fs::rename(aside.join(name), state.join(name));
        assert!(moved.is_ok() || name != "events.sqlite", "{moved:?}");
    }
    let event = listener.until(|message| is_event(message, longer));
    assert_ne!(event["properties"]["store"], store);
    listener.assert_complete(longer);
}

#[test]
fn no_event_is_lost_when_the_broker_is_full() {
    let Some(mut bench) = Bench::new("no_event_is_lost_when_the_broker_is_full") else {
        return;
    };
    bench.fill();
    let last = bench.append(400);
    bench
        .broker
        .start("allow_anonymous true\nmemory_limit 250000");
    // Somebody who is away, for whom the broker keeps everything.
    let away = bench.broker.subscriber(
        &bench.place,
        &bench.python,
        "twinstep/+/event/#",
        &["--leave"],
    );
    drop(away);
    // Many on their way at a time: those that were on their way when it gave up come again in order.
    let config = (bench.plain()).replace("[mqtt]\n", "[mqtt]\nin_flight = 16\n");
    let mut gateway = bench.gateway(&config);
    connected(&mut gateway, false);
    // Given more room, it takes the rest; what it took before counts.
    bench.broker.start("allow_anonymous true");
    connected(&mut gateway, true);
    let mut listener =
        bench
            .broker
            .subscriber(&bench.place, &bench.python, "twinstep/+/event/#", &[]);
    listener.until(|message| is_event(message, last));
    listener.assert_complete(last);
}

#[test]
fn a_broker_that_refuses_events_is_waited_for() {
    let test = "a_broker_that_refuses_events_is_waited_for";
    let Some(mut bench) = Bench::new(test) else {
        return;
    };
    let Some(passwd) = program(test, "mosquitto_passwd") else {
        return;
    };
    let last = bench.fill();
    let users = bench.place.path("users");
    for (n, user) in ["cell", "listener"].iter().enumerate() {
        let mut command = Command::new(&passwd);
        command.arg("-b");
        if n == 0 {
            command.arg("-c");
        }
        command.arg(&users).args([user, "secret word"]);
        assert!(command.status().unwrap().success());
    }
    let rights = |events: &str| {
        let text = format!(
            "user cell\ntopic readwrite twinstep/+/status\n{events}\nuser listener\ntopic read twinstep/#\n"
        );
        bench.place.file("rights", text)
    };
    let rights_file = rights("");
    let password = bench.place.file("password", "wrong\n");
    bench.broker.start(&format!(
        "allow_anonymous false\npassword_file {}\nacl_file {}",
        users.display(),
        rights_file.display()
    ));
    let user = ["--user", "listener", "secret word"];
    let mut listener = bench
        .broker
        .subscriber(&bench.place, &bench.python, "twinstep/#", &user);
    let config = format!(
        "{}user = 'cell'\npassword_file = {:?}\n",
        bench.plain(),
        password.display().to_string()
    );
    let mut gateway = bench.gateway(&config);
    let trouble = connected(&mut gateway, false);
    assert!(
        trouble.as_str().unwrap().contains("NotAuthorized"),
        "{trouble}"
    );
    // The file is read with every try.
    let _ = bench.place.file("password", "secret word\n");
    let trouble = loop {
        let trouble = connected(&mut gateway, false);
        if trouble.as_str().unwrap().contains("refuses an event") {
            break trouble;
        }
    };
    assert!(
        trouble.as_str().unwrap().contains("NotAuthorized"),
        "{trouble}"
    );
    assert!(listener.events().is_empty());
    let _ = rights("topic write twinstep/#");
    bench.broker.reload();
    listener.until(|message| is_event(message, last));
    assert_eq!(listener.assert_complete(last), 0);
}

#[test]
fn what_the_machine_is_doing_is_told_once_a_second() {
    let Some(mut bench) = Bench::new("what_the_machine_is_doing_is_told_once_a_second") else {
        return;
    };
    let Some(sub) = program(
        "what_the_machine_is_doing_is_told_once_a_second",
        "mosquitto_sub",
    ) else {
        return;
    };
    bench.broker.start("allow_anonymous true");
    let _run = Peer::start(
        &bench.place,
        "demo --json --no-page --cycles 3600000 --state state",
    );
    // The machine's name is the instance's.
    let config = bench
        .plain()
        .replace("machine = 'press cell'\n", "live_interval_s = 0.2\n");
    let _gateway = bench.gateway(&config);
    let port = bench.broker.port.to_string();
    let hear = |topic: &str, count: &str| -> Vec<Value> {
        let heard = Command::new(&sub)
            .args(["-V", "5", "-p", &port, "-W", "60", "-C", count, "-t", topic])
            .output()
            .unwrap();
        assert!(heard.status.success(), "{topic}: {heard:?}");
        let text = String::from_utf8(heard.stdout).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let axis = hear("twinstep/press cell/axis/lift", "2");
    assert_eq!(axis[0]["type"], "axis");
    assert_eq!(axis[1]["name"], "lift");
    assert!(
        axis[1]["time_utc_ns"].as_u64() > axis[0]["time_utc_ns"].as_u64(),
        "{axis:?}"
    );
    assert!(
        axis[1]["residual_sigma"].is_number() || axis[1]["valid"] == false,
        "{axis:?}"
    );
    assert_eq!(
        hear("twinstep/press cell/station/gripper", "1")[0]["type"],
        "station"
    );
    // Retained: it is there for whoever comes later.
    let status = hear("twinstep/press cell/status", "1");
    assert_eq!(
        (&status[0]["state"], &status[0]["instance"]),
        (&"online".into(), &true.into())
    );
}

#[test]
fn what_cannot_work_is_refused_at_the_start() {
    let place = Place::new();
    let refuse = |text: &str, says: &[&str]| {
        let file = place.file("gateway.toml", text);
        place.refuse(
            &format!(
                "gateway --json --listen 127.0.0.1:0 --state state --config {}",
                name(&file)
            ),
            2,
            says,
        );
    };
    refuse("[mqtt]\n", &["line 1", "broker"]);
    refuse("[mqtt]\nbrokr = 1\n", &["line 2", "brokr"]);
    refuse("[mqtt.broker]\nurl = 'http://a'\n", &["mqtt://HOST:PORT"]);
    refuse(
        "[mqtt.broker]\nurl = 'mqtts://a'\nca_file = '/nonexistent.pem'\n",
        &["/nonexistent.pem"],
    );
    refuse(
        "[mqtt]\nin_flight = 0\n[mqtt.broker]\nurl = 'mqtt://a'\n",
        &["in_flight"],
    );
}

fn name(path: &Path) -> String {
    path.display().to_string()
}
