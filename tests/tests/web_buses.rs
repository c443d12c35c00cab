//! A machine of two buses as a gateway shows it: what is of a bus is named with it, everywhere, and reaches it.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::{Value, json};
use std::process::Command;
use twinstep_tests::broker::Broker;
use twinstep_tests::gateway::{Browser, Peer, http, post, until};
use twinstep_tests::program;
use twinstep_tests::run::{Place, shipped};

/// The two lines, and a gateway with this configuration beside them.
struct Lines {
    url: String,
    place: Place,
    _peers: [Peer; 2],
}

impl Lines {
    fn start(place: Place, gateway: &str) -> Self {
        let machine = shipped("two-buses.toml").display().to_string();
        let run =
            format!("demo --config {machine} --json --no-page --cycles 3600000 --state state");
        let run = Peer::start(&place, &run);
        let _ = place.file("gateway.toml", gateway);
        let gateway = "gateway --json --listen 127.0.0.1:0 --state state --config gateway.toml";
        let mut gateway = Peer::start(&place, gateway);
        let url = gateway.url();
        let lines = Self {
            url,
            place,
            _peers: [run, gateway],
        };
        lines.until("/api/status", |s| {
            let mut buses = s["buses"].as_array().unwrap().iter();
            buses.all(|bus| bus["cycle"].as_u64() > Some(0))
        });
        lines
    }

    fn get(&self, path: &str) -> (u16, String) {
        let answer = http(&self.url, &format!("GET {path}"), &[], "");
        (answer.status, answer.body)
    }

    /// Asks until `done` likes the answer; the runner of the tests ends what never comes.
    fn until(&self, path: &str, done: impl Fn(&Value) -> bool) -> Value {
        until(|| {
            let (status, answer) = self.get(path);
            assert!(matches!(status, 200 | 503), "{status} {answer}");
            let answer: Value = serde_json::from_str(&answer).unwrap();
            (status == 200 && done(&answer)).then_some(answer)
        })
    }

    fn act(&self, path: &str, body: &Value) -> (u16, Value) {
        let answer = post(&self.url, path, body);
        (answer.status, answer.json())
    }

    /// Metrics whose line begins so.
    fn metrics(&self, begins: &str) -> Vec<String> {
        let (status, body) = self.get("/metrics");
        assert_eq!(status, 200, "{body}");
        let lines = body.lines().filter(|line| line.starts_with(begins));
        lines.map(str::to_owned).collect()
    }
}

/// The budget of `predict` of each bus (ns).
fn predict(status: &Value) -> [&Value; 2] {
    [0, 1].map(|bus| &status["buses"][bus]["phases"][2]["budget_ns"])
}

#[test]
fn an_event_of_one_bus_is_told_with_it_and_actions_reach_theirs() {
    let test = "an_event_of_one_bus_is_told_with_it_and_actions_reach_theirs";
    let place = Place::new();
    let broker = Broker::new(test, &place);
    let sub = program(test, "mosquitto_sub");
    let (Some(mut broker), Some(sub)) = (broker, sub) else {
        return;
    };
    broker.start("allow_anonymous true");
    let config = format!(
        "[mqtt]\nlive_interval_s = 0.2\n[mqtt.broker]\nurl = 'mqtt://127.0.0.1:{}'\n",
        broker.port
    );
    let lines = Lines::start(place, &config);
    let (status, answer) = lines.act(
        "/api/inject",
        &json!({"faults": ["drive_fault:pusher:code=0x2310"]}),
    );
    assert_eq!(status, 200, "{answer}");
    let events = lines.until("/api/events?last=100", |answer| {
        let mut events = answer["events"].as_array().unwrap().iter();
        events.any(|event| event["source"] == "pusher")
    });
    // What a slow computer adds (a SubDevice that was late, say) has other names: of these the bus is known.
    for event in events["events"].as_array().unwrap() {
        let bus = match event["source"].as_str().unwrap() {
            "pusher" | "outfeed" | "rear" => "rear",
            "infeed" | "insert" | "gripper" | "front" => "front",
            _ => continue,
        };
        assert_eq!(event["bus"], bus, "{event}");
    }
    let alarms = lines.until("/api/alarms", |a| a["standing"].as_u64() > Some(0));
    let mut standing = alarms["alarms"].as_array().unwrap().iter();
    assert!(
        standing.any(|alarm| alarm["event"]["bus"] == "rear"),
        "{alarms}"
    );

    // Metrics: every axis with its bus, and the event that was stored.
    let raised = until(|| {
        let lines = lines.metrics("twinstep_events_total{bus=\"rear\",channel=\"drive_state\"");
        (!lines.is_empty()).then_some(lines)
    });
    assert!(raised[0].contains("state=\"raised\""), "{raised:?}");
    let axes = lines.metrics("twinstep_axis_valid{");
    let names: Vec<_> = axes
        .iter()
        .filter_map(|line| line.split(['{', '}']).nth(1))
        .collect();
    assert_eq!(
        names,
        [
            "bus=\"front\",axis=\"infeed\"",
            "bus=\"front\",axis=\"insert\"",
            "bus=\"rear\",axis=\"outfeed\"",
            "bus=\"rear\",axis=\"pusher\""
        ]
    );
    let periods = lines.metrics("twinstep_cycle_period_seconds{");
    assert_eq!(
        periods,
        [
            "twinstep_cycle_period_seconds{bus=\"front\"} 0.001",
            "twinstep_cycle_period_seconds{bus=\"rear\"} 0.0005"
        ]
    );

    // MQTT: the bus is a level of the topic.
    let port = broker.port.to_string();
    let hear = |topic: &str| -> Value {
        let args = ["-V", "5", "-p", &port, "-W", "60", "-C", "1", "-t", topic];
        let heard = Command::new(&sub).args(args).output().unwrap();
        assert!(heard.status.success(), "{topic}: {heard:?}");
        serde_json::from_slice(&heard.stdout).unwrap()
    };
    let axis = hear("twinstep/two lines/axis/rear/pusher");
    assert_eq!(
        (&axis["name"], &axis["bus"]),
        (&json!("pusher"), &json!("rear"))
    );
    hear("twinstep/two lines/station/front/gripper");
    let heard = Command::new(&sub)
        .args(["-V", "5", "-p", &port, "-W", "60", "-C", "1"])
        .args(["-t", "twinstep/two lines/event/rear/rear/frames"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // Whoever subscribes late hears nothing of the past: it goes on until one is heard.
    let mut heard = heard;
    while heard.try_wait().unwrap().is_none() {
        let fault = json!({"faults": ["frame_loss:rear:count=3"]});
        let (status, answer) = lines.act("/api/inject", &fault);
        assert_eq!(status, 200, "{answer}");
        let after = lines.until("/api/status", |_| true)["buses"][1]["cycle"].clone();
        let passed = after.as_u64().unwrap() + 500;
        lines.until("/api/status", |s| {
            s["buses"][1]["cycle"].as_u64() > Some(passed)
        });
    }
    let heard = heard.wait_with_output().unwrap();
    let event: Value = serde_json::from_slice(&heard.stdout).unwrap();
    assert_eq!(
        (&event["bus"], &event["channel"]),
        (&json!("rear"), &json!("frames"))
    );

    // A budget and a reset are of the bus that they name, and of none that is not there.
    let before = lines.until("/api/status", |_| true);
    let (status, answer) = lines.act(
        "/api/budget",
        &json!({"set": {"predict": "33us"}, "bus": "rear"}),
    );
    assert_eq!(status, 200, "{answer}");
    let after = lines.until("/api/status", |s| *predict(s)[1] == 33_000);
    assert_eq!(predict(&after)[0], predict(&before)[0]);
    assert_eq!(lines.act("/api/reset", &json!({"bus": "rear"})).0, 200);
    for path in ["budget", "reset", "clear", "inject"] {
        let mut body = json!({"bus": "roof"});
        match path {
            "budget" => body["set"] = json!({"predict": "1us"}),
            "inject" => body["faults"] = json!(["friction:pusher:factor=2"]),
            _ => {}
        }
        let (status, answer) = lines.act(&format!("/api/{path}"), &body);
        assert_eq!(status, 400, "{path}: {answer}");
        assert!(answer["error"].to_string().contains("roof"), "{answer}");
    }
    // A shelf is that of a bus: of the one that has the source, else of the one that is named.
    let shelve = |of: Value| {
        let mut body = json!({"source": "scribe", "channel": "events_dropped", "seconds": 60});
        body.as_object_mut()
            .unwrap()
            .extend(of.as_object().unwrap().clone());
        lines.act("/api/alarms/shelve", &body)
    };
    for (of, said) in [
        (json!({}), "front, rear"),
        (json!({"bus": ""}), "front, rear"),
        (json!({"bus": "roof"}), "front, rear"),
    ] {
        let (status, answer) = shelve(of.clone());
        assert_eq!(status, 400, "{of}: {answer}");
        assert!(answer["error"].to_string().contains(said), "{of}: {answer}");
    }
    for of in [json!({"bus": "front"}), json!({"source": "infeed"})] {
        let (status, answer) = shelve(of.clone());
        assert_eq!(status, 200, "{of}: {answer}");
    }
    let (_, audit) = lines.get("/api/audit?limit=50");
    let audit: Value = serde_json::from_str(&audit).unwrap();
    let shelved: Vec<_> = (audit["entries"].as_array().unwrap().iter())
        .filter(|entry| entry["action"] == "shelve")
        .map(|entry| &entry["target"])
        .collect();
    assert_eq!(
        shelved,
        ["front infeed events_dropped", "front scribe events_dropped"]
    );
    let entries = audit["entries"].as_array().unwrap().iter();
    let target = |action: &str| {
        let mut entries = entries.clone();
        let found =
            entries.find(|entry| entry["action"] == action && entry["target"] != "two lines, roof");
        found.unwrap()["target"].clone()
    };
    assert_eq!(
        (target("reset"), target("budget"), target("inject")),
        (
            "two lines, rear".into(),
            "two lines, rear".into(),
            "two lines".into()
        )
    );
    drop(lines);
}

#[test]
fn a_bus_is_chosen_in_the_head_and_its_budgets_are_set() {
    let test = "a_bus_is_chosen_in_the_head_and_its_budgets_are_set";
    let Some(browser) = Browser::find(test) else {
        return;
    };
    let lines = Lines::start(Place::new(), "");
    let seen = browser.look(&lines.place, "buses.py", &lines.url, &[]);
    assert_eq!(seen["wrong"], json!([]), "{seen}");
    assert_eq!(seen["wide"], false, "{seen}");
    assert_eq!(seen["buses"], json!(["front", "rear"]), "{seen}");
    let first = seen["front"].as_str().unwrap();
    assert!(
        first.contains("2 axes") && first.contains("of 1.00 ms"),
        "{seen}"
    );
    assert_eq!(seen["axes"], json!(["outfeed", "pusher"]), "{seen}");
    assert_eq!(seen["address"], "#budget/rear", "{seen}");
    assert!(seen["alarm"].as_str().unwrap().contains("rear"), "{seen}");
    // What the page has set is in force, on this bus alone.
    let status = lines.until("/api/status", |_| true);
    assert_eq!(*predict(&status)[1], 44_000, "{seen}");
    assert_eq!(*predict(&status)[0], 100_000, "{seen}");
    let wake = &status["buses"][1]["phases"][0]["budget_ns"];
    assert_eq!(*wake, Value::Null, "an empty field takes it away: {seen}");
    assert!(
        seen["refused"]
            .as_str()
            .unwrap()
            .contains("longer than the period"),
        "{seen}"
    );
    let (_, audit) = lines.get("/api/audit?limit=50");
    assert!(
        audit.contains("two lines, rear") && audit.contains("44us"),
        "{audit}"
    );
}
