//! The interface of the page, by plain HTTP: what it tells, and what becomes of requests that are wrong.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use twinstep_tests::binary;
use twinstep_tests::gateway::{
    Peer, connect, deaf, host_of, http, metric, post, until, until_metric,
};
use twinstep_tests::run::Place;

/// A run and a gateway beside it, and where that is.
struct Cell {
    _run: Peer,
    _gateway: Peer,
    url: String,
    place: Place,
}

/// The sample that counts what the page has refused.
const FAILED: &str = "twinstep_sink_failed_total{sink=\"web\"}";

impl Cell {
    fn start(more: &str) -> Self {
        let place = Place::new();
        let run = format!("demo --json --no-page --cycles 3600000 --state state {more}");
        let run = Peer::start(&place, &run);
        let gateway = "gateway --json --listen 127.0.0.1:0 --state state";
        let mut gateway = Peer::heard(&place, binary(), gateway, "gateway.err");
        let url = gateway.next("listening")["url"]
            .as_str()
            .unwrap()
            .to_owned();
        let cell = Self {
            _run: run,
            _gateway: gateway,
            url,
            place,
        };
        until(|| (cell.get("/api/status").0 == 200).then_some(()));
        cell
    }

    fn get(&self, path: &str) -> (u16, Value) {
        let answer = http(&self.url, &format!("GET {path}"), &[], "");
        (answer.status, answer.json())
    }

    /// Asks until `done` likes the answer; the runner of the tests ends what never comes.
    fn until(&self, path: &str, done: impl Fn(&Value) -> bool) -> Value {
        until(|| {
            let (status, answer) = self.get(path);
            assert!(matches!(status, 200 | 503), "{status} {answer}");
            (status == 200 && done(&answer)).then_some(answer)
        })
    }

    /// How often the gateway has said this.
    fn said(&self, text: &str) -> usize {
        let said = std::fs::read_to_string(self.place.path("gateway.err")).unwrap();
        assert!(!said.contains("panicked"), "{said}");
        said.matches(text).count()
    }

    /// Waits until so many were refused; more is an error.
    fn refused(&self, count: u64) {
        until_metric(&self.url, FAILED, |failed| {
            assert!(failed <= count, "{failed} {count}");
            failed == count
        });
    }

    /// A stream of events, behind its head.
    fn watch(&self) -> BufReader<TcpStream> {
        let mut stream = connect(&self.url);
        let head = format!(
            "GET /api/live HTTP/1.1\r\nHost: {}\r\n\r\n",
            host_of(&self.url)
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut lines = BufReader::new(stream);
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 200"), "{line}");
        lines
    }
}

/// Data of the next event with this name.
fn next(stream: &mut BufReader<TcpStream>, name: &str) -> Value {
    let mut line = String::new();
    loop {
        line.clear();
        assert!(
            stream.read_line(&mut line).unwrap() > 0,
            "the stream has ended"
        );
        if line.trim() == format!("event: {name}") {
            line.clear();
            stream.read_line(&mut line).unwrap();
            return serde_json::from_str(line.strip_prefix("data: ").unwrap()).unwrap();
        }
    }
}

#[test]
fn an_alarm_is_acknowledged_and_shelved_and_a_stroke_has_a_curve() {
    let cell = Cell::start("--inject drive_fault:lift:code=0x2310@2s");
    let (status, session) = cell.get("/api/session");
    assert_eq!((status, &session["role"]), (200, &json!("admin")));
    let alarms = cell.until("/api/alarms", |a| a["standing"] == 1);
    let alarm = &alarms["alarms"][0];
    assert_eq!(
        (&alarm["event"]["source"], &alarms["unacknowledged"]),
        (&json!("lift"), &json!(1))
    );
    let seq = &alarm["raised_seq"];
    let told = post(
        &cell.url,
        "/api/alarms/acknowledge",
        &json!({"seq": seq, "comment": "seen"}),
    );
    assert_eq!(told.status, 200, "{told:?}");
    let shelf = json!({"source": "lift", "channel": alarm["event"]["channel"], "seconds": 60, "comment": "later"});
    assert_eq!(post(&cell.url, "/api/alarms/shelve", &shelf).status, 200);
    // One that nothing stands on is listed apart.
    let nothing =
        json!({"source": "gantry", "channel": "ripple", "seconds": 60, "comment": "new belt"});
    assert_eq!(post(&cell.url, "/api/alarms/shelve", &nothing).status, 200);
    let (_, alarms) = cell.get("/api/alarms");
    let stands = &alarms["alarms"][0];
    assert_eq!(stands["raised_utc_ns"], alarm["event"]["time_utc_ns"]);
    assert!(stands["acknowledged"]["time_utc_ns"].as_u64() > stands["raised_utc_ns"].as_u64());
    assert_eq!(
        stands["shelved"],
        json!({"who": "local", "comment": "later"})
    );
    let shelves = alarms["shelves"].as_array().unwrap();
    assert_eq!((shelves.len(), &alarms["more_shelves"]), (1, &json!(0)));
    for (key, value) in [
        ("source", "gantry"),
        ("channel", "ripple"),
        ("who", "local"),
        ("comment", "new belt"),
    ] {
        assert_eq!(shelves[0][key], value, "{alarms}");
    }
    let off = json!({"source": "gantry", "channel": "ripple"});
    let told = post(&cell.url, "/api/alarms/unshelve", &off);
    assert_eq!(told.json()["was_shelved"], true, "{told:?}");
    let (_, alarms) = cell.get("/api/alarms");
    assert_eq!(alarms["shelves"], json!([]), "{alarms}");
    assert_eq!(
        (&alarms["unacknowledged"], &alarms["shelved"]),
        (&json!(0), &json!(1))
    );
    let off = json!({"source": "lift", "channel": alarm["event"]["channel"]});
    let told = post(&cell.url, "/api/alarms/unshelve", &off);
    assert_eq!(told.json()["was_shelved"], true, "{told:?}");
    let (_, events) = cell.get("/api/events?last=1");
    assert_eq!(events["events"].as_array().unwrap().len(), 1, "{events}");
    assert_eq!(events["events"][0]["seq"], events["last_seq"]);
    let (_, events) = cell.get("/api/events?after=0&limit=1");
    assert_eq!(events["events"][0]["seq"], 1);
    let (_, audit) = cell.get("/api/audit?limit=5");
    let done: Vec<_> = audit["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["action"])
        .collect();
    assert_eq!(
        done,
        ["unshelve", "unshelve", "shelve", "shelve", "acknowledge"]
    );

    // A drive that has tripped stops the machine before it presses: another cell.
    let cell = Cell::start("");
    let status = cell.until("/api/status", |s| {
        s["strokes"].is_array() && s["health"].is_array()
    });
    let stroke = &status["strokes"][0];
    assert_eq!(
        (&stroke["source"], &stroke["verdict"]),
        (&json!("press"), &json!("ok"))
    );
    let parameter = &status["health"][0];
    assert!(parameter["value"].is_number() && parameter["life"]["state"].is_string());
    let [source, name] = ["source", "parameter"].map(|key| parameter[key].as_str().unwrap());
    let (code, trend) = cell.get(&format!("/api/trend?source={source}&parameter={name}"));
    assert_eq!((code, &trend["unit"]), (200, &parameter["unit"]), "{trend}");
    assert_eq!(trend["limit"], parameter["limit"], "{trend}");
    let used = trend["used"].as_f64().unwrap();
    let points = trend["points"].as_array().unwrap();
    assert!(
        points
            .iter()
            .all(|point| point[0].as_f64().unwrap() <= used)
    );
    assert!(status["false_alarms"]["asked_s"].as_u64().unwrap() > 0);
    let (code, curve) = cell.get(&format!(
        "/api/curve?source=press&stroke={}",
        stroke["stroke"]
    ));
    assert_eq!((code, &curve["stroke"]["stroke"]), (200, &stroke["stroke"]));
    let (travel, force) = (
        curve["position_m"].as_array().unwrap(),
        curve["force_n"].as_array().unwrap(),
    );
    assert!((100..=256).contains(&travel.len()) && travel.len() == force.len());
    let peak = force.iter().filter_map(Value::as_f64).fold(0.0, f64::max);
    let judged = stroke["peak_n"].as_f64().unwrap();
    assert!((peak / judged - 1.0).abs() < 0.02, "{peak} {judged}");
    let deepest = travel[curve["turn"].as_u64().unwrap() as usize]
        .as_f64()
        .unwrap();
    assert!((deepest - stroke["block_position_m"].as_f64().unwrap()).abs() < 1e-6);
    let block = curve["shapes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|s| s["name"] == "block")
        .unwrap();
    assert_eq!(block["outline"].as_array().unwrap().len(), 4, "{block}");
    let (code, gone) = cell.get("/api/curve?source=press&stroke=999999");
    assert_eq!(code, 400, "{gone}");
    assert!(
        gone["error"].as_str().unwrap().contains("not kept"),
        "{gone}"
    );
}

#[test]
fn fifty_watch_and_those_who_never_read_cost_the_others_nothing() {
    let cell = Cell::start("");
    let before = metric(&cell.url, FAILED).unwrap();
    // They ask, and never read a byte.
    let silent: Vec<_> = (0..10)
        .map(|_| {
            let mut stream = connect(&cell.url);
            let head = format!(
                "GET /api/live HTTP/1.1\r\nHost: {}\r\n\r\n",
                host_of(&cell.url)
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    // Half of a request, twice, and nothing at all.
    let halves: Vec<_> = ["GET /api/live HTTP/1.1\r\nHos", "GET", ""]
        .map(|half| {
            let mut stream = connect(&cell.url);
            stream.write_all(half.as_bytes()).unwrap();
            stream
        })
        .into();
    let mut watching: Vec<_> = (0..50).map(|_| cell.watch()).collect();
    for stream in &mut watching {
        let mut state = next(stream, "state");
        // The first may still tell that nobody has answered.
        while !state["trouble"].is_null() {
            state = next(stream, "state");
        }
        assert_eq!(state["axes"].as_array().unwrap().len(), 9);
        assert_eq!(state["axes"][0], "infeed");
    }
    for stream in &mut watching {
        let first = next(stream, "live")["cycle"].as_u64().unwrap();
        let live = next(stream, "live");
        assert!(live["cycle"].as_u64().unwrap() > first);
        assert_eq!(live["axes"].as_array().unwrap().len(), 9);
        assert_eq!(live["now_ns"].as_array().unwrap().len(), 13);
    }
    // Sixty watch; there is room for four more.
    let more: Vec<_> = (0..4).map(|_| cell.watch()).collect();
    let refused = http(&cell.url, "GET /api/live", &[], "");
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(
        refused.json()["error"].as_str().unwrap().contains("64"),
        "{refused:?}"
    );
    assert_eq!(
        cell.get("/api/session").0,
        200,
        "what is no stream is answered"
    );
    // Who goes gives his place back: the ten that never read and one are left.
    let mut last = watching.remove(0);
    drop((more, watching));
    while next(&mut last, "state")["clients"] != 11 {}
    let _ = cell.watch();
    // Half a head is waited for, and then no more: the connection ends.
    for mut half in halves {
        let mut rest = Vec::new();
        // Ended, not given up here.
        let ended = half.read_to_end(&mut rest);
        assert!(
            !matches!(&ended, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock),
            "{ended:?}"
        );
        assert!(!rest.starts_with(b"HTTP/1.1 200"), "{rest:?}");
    }
    // Both halves are counted, beside the stream that found no place; the one who said nothing is nobody.
    cell.refused(before + 3);
    assert_eq!(cell.said("half a request"), 1);
    drop(silent);
}

#[test]
fn who_never_reads_is_ended_and_counted_out() {
    let cell = Cell::start("");
    let mut watching = cell.watch();
    let never_read: Vec<_> = (0..3).map(|_| deaf(&cell.url)).collect();
    while next(&mut watching, "state")["clients"] != 4 {}
    // What was sent to them stays unread, and who reads goes on being told: at last that he is alone.
    while next(&mut watching, "state")["clients"] != 1 {}
    for mut stream in never_read {
        // They were served, and then ended by the other side, not given up here: nobody knows this connection there any more.
        let _ = stream.write(b"x");
        let mut heard = Vec::new();
        let ended = stream.read_to_end(&mut heard);
        assert!(heard.starts_with(b"HTTP/1.1 200"), "{heard:?}");
        let reset = std::io::ErrorKind::ConnectionReset;
        assert!(
            matches!(&ended, Err(error) if error.kind() == reset),
            "{ended:?}"
        );
    }
}

#[test]
fn bad_input_is_refused_in_words_on_every_route() {
    let cell = Cell::start("");
    let json = "Content-Type: application/json";
    let reads = [
        "/api/live",
        "/api/session",
        "/api/status",
        "/api/alarms",
        "/api/events",
        "/api/events/1/report",
        "/api/curve",
        "/api/trend",
        "/api/audit",
        "/metrics",
        "/",
        "/page/main.js",
    ];
    let acts = [
        "/api/alarms/acknowledge",
        "/api/alarms/shelve",
        "/api/alarms/unshelve",
        "/api/inject",
        "/api/clear",
        "/api/reset",
        "/api/budget",
        "/api/baseline",
        "/login",
        "/logout",
    ];
    let expect = |request: &str, headers: &[&str], body: &str, status: u16| {
        let answer = http(&cell.url, request, headers, body);
        assert_eq!(answer.status, status, "{request} {headers:?} {answer:?}");
        assert!(answer.json()["error"].is_string(), "{request} {answer:?}");
        assert!(
            answer.head.contains("content-security-policy"),
            "{answer:?}"
        );
    };
    for path in reads {
        expect(&format!("POST {path}"), &[json], "{}", 405);
        expect(&format!("GET {path}"), &["Host: evil.example"], "", 421);
        expect(&format!("DELETE {path}"), &[json], "", 405);
    }
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(17 << 10));
    for path in acts {
        let path = format!("POST {path}");
        expect(&path.replace("POST", "GET"), &[], "", 405);
        expect(&path, &[], "{}", 415);
        expect(&path, &["Content-Type: text/plain"], "{}", 415);
        expect(&path, &[json, "Origin: http://evil.example"], "{}", 403);
        expect(&path, &[json, "Origin: null"], "{}", 403);
        expect(&path, &[json, "Host: evil.example"], "{}", 421);
        if path == "POST /logout" {
            // It takes no words, and reads none.
            continue;
        }
        expect(&path, &[json], "", 400);
        expect(&path, &[json], "{", 400);
        expect(&path, &[json], "[]", 400);
        expect(&path, &[json], "{\"unknown\":1}", 400);
        expect(&path, &[json], "\u{0}\u{1}", 400);
        expect(&path, &[json], &long, 413);
    }
    let strange = ["Sec-Fetch-Site: cross-site"];
    expect("GET /api/live", &strange, "", 403);
    for path in [
        "/api/nothing",
        "/nothing",
        "/page/nothing.js",
        "/page/..%2f..%2fsecret",
        "/page/main.js/x",
    ] {
        expect(&format!("GET {path}"), &[], "", 404);
    }
    for query in [
        "events?after=x",
        "events?after=1&last=1",
        "events?what=1",
        "audit?limit=-1",
        "curve",
        "curve?source=",
        "curve?source=nobody",
        "curve?source=press&stroke=x",
        "trend",
        "trend?source=lift",
        "trend?source=lift&parameter=x",
        "trend?source=nobody&parameter=coulomb",
        "events/0/report",
        "events/x/report",
        "events/-1/report",
        "events/99999999999999999999/report",
        "events/%00/report",
    ] {
        expect(&format!("GET /api/{query}"), &[], "", 400);
    }
    let name = "x".repeat(300);
    expect(&format!("GET /api/curve?source={name}"), &[], "", 400);
    for (path, body, said) in [
        ("alarms/acknowledge", json!({"seq": 999_999}), "999999"),
        ("alarms/acknowledge", json!({"seq": -1}), "-1"),
        (
            "alarms/shelve",
            json!({"source": "lift", "channel": "x", "seconds": 0}),
            "0 s",
        ),
        (
            "alarms/shelve",
            json!({"source": "", "channel": "x", "seconds": 5}),
            "source",
        ),
        ("inject", json!({"faults": []}), "faults"),
        ("inject", json!({"faults": ["dance:lift"]}), "dance"),
        (
            "inject",
            json!({"faults": ["friction:nobody:factor=2"]}),
            "nobody",
        ),
        ("budget", json!({"set": {"wake": "2s"}}), "wake"),
        ("baseline", json!({"source": "nobody"}), "nobody"),
    ] {
        let answer = post(&cell.url, &format!("/api/{path}"), &body);
        assert_eq!(answer.status, 400, "{path} {body}: {answer:?}");
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(error.contains(said), "{path} {body}: {error}");
    }
    // Rubbish that is no HTTP at all: counted, and said once.
    let before = metric(&cell.url, FAILED).unwrap();
    for _ in 0..2 {
        let mut stream = connect(&cell.url);
        stream.write_all(&[0x16, 3, 1, 0, 200, 1, 0, 0]).unwrap();
        let _ = stream.write_all(b"\r\n\r\n");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
    }
    cell.refused(before + 2);
    assert_eq!(cell.said("speaks no HTTP"), 1);
    assert_eq!(
        cell.said("405 Method Not Allowed; further ones are counted"),
        1
    );
    // A wish that was refused is in the trail with its refusal, and the page goes on.
    let (status, audit) = cell.get("/api/audit?limit=500");
    assert_eq!(status, 200);
    let refused = audit["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|e| e["action"] == "refused");
    assert_eq!(refused.count(), 5, "{audit}");
    // The state is told once a second, and a quick test is done before.
    let mut watched = cell.watch();
    loop {
        let state = next(&mut watched, "state");
        let mut sinks = state["sinks"].as_array().unwrap().iter();
        let web = sinks.find(|s| s["name"] == "web").unwrap();
        assert!(web["trouble"].is_null(), "{web}");
        if web["failed"].as_u64() > Some(100) {
            break;
        }
    }
    assert_eq!(http(&cell.url, "GET /page/main.js", &[], "").status, 200);
    // The page does its work all the same.
    let fault = json!({"faults": ["frame_loss:bus:count=3"]});
    assert_eq!(post(&cell.url, "/api/inject", &fault).status, 200);
    let lost = |events: &Value| {
        let events = events["events"].as_array().unwrap().iter();
        events.clone().any(|event| event["source"] == "bus")
    };
    let events = cell.until("/api/events?after=0", lost);
    let events = events["events"].as_array().unwrap();
    for (event, seq) in events.iter().zip(1..) {
        assert_eq!(event["seq"], seq, "{events:?}");
    }
    // More than there are places for.
    let before = metric(&cell.url, FAILED).unwrap();
    let crowd: Vec<_> = (0..300).map(|_| connect(&cell.url)).collect();
    until(|| (cell.said("256 others are open") > 0).then_some(()));
    drop(crowd);
    until_metric(&cell.url, FAILED, |failed| failed >= before + 2);
    assert_eq!(
        cell.said("256 others are open; further ones are counted"),
        1
    );
}
