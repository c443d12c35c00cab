//! The gateway's door, and that nobody behind it is in the cycle's way.

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use twinstep_tests::gateway::{Peer, deaf, host_of, http, until, value_of};
use twinstep_tests::run::Place;
use twinstep_tests::{binary, program};

/// A demo with a socket of its own, and its store; it serves no page by itself.
fn demo(place: &Place, more: &str) -> Peer {
    Peer::start(
        place,
        &format!("demo --no-page --json --state state --control cell.sock {more}"),
    )
}

/// A gateway beside it, once it listens.
fn gateway(place: &Place, more: &str) -> (Peer, String) {
    let mut gateway = Peer::start(
        place,
        &format!("gateway --json --listen 127.0.0.1:0 {more}"),
    );
    let url = gateway.next("listening")["url"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    (gateway, url)
}

fn token(place: &Place, name: &str, role: &str) -> String {
    let made = place
        .twinstep(&format!(
            "token {name} --role {role} --file tokens.toml --json"
        ))
        .fine();
    let made: Value = serde_json::from_str(made.stdout.trim()).unwrap_or_default();
    assert!(made["token"].is_string(), "{made}");
    made["token"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_demo_brings_a_page_along_and_takes_it_away() {
    let place = Place::new();
    let mut demo = Peer::start(&place, "demo --state state");
    let url = loop {
        let line = demo.line();
        if let Some(url) = line.strip_prefix("page: ") {
            break url.trim().to_owned();
        }
    };
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    let page = http(&url, "GET /", &[], "");
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.body.contains("twinstep"));
    // However the demo ends, nobody listens there any more.
    demo.signal("KILL");
    let _ = demo.child.wait();
    until(|| std::net::TcpStream::connect(host_of(&url)).err());
}

#[test]
fn without_tls_and_tokens_nobody_else_is_served() {
    let place = Place::new();
    let _ = place.file("tokens.toml", "");
    let _ = place.file("other.toml", "[web]\nlisten = \"0.0.0.0:0\"\n");
    place.refuse(
        "gateway --json --state state --listen 0.0.0.0:0",
        2,
        &["needs TLS and tokens", "docs/gateway.md"],
    );
    place.refuse(
        "gateway --json --state state --config other.toml",
        2,
        &["needs TLS and tokens"],
    );
    let _ = place.file("half.toml", "[web]\ntls_key = \"key.pem\"\n");
    place.refuse(
        "gateway --json --state state --config half.toml",
        2,
        &["belong together"],
    );
    let _ = place.file("none.toml", "[web]\ntokens = \"tokens.toml\"\n");
    place.refuse(
        "gateway --json --state state --config none.toml",
        2,
        &["tokens.toml: it is empty", "twinstep token"],
    );
    let _ = place.file("odd.toml", "[web]\nport = 80\n");
    place.refuse(
        "gateway --json --state state --config odd.toml",
        2,
        &["odd.toml, line 2", "port"],
    );
    place.refuse("gateway --json", 1, &["no running twinstep", "--control"]);
}

#[test]
fn one_gateway_a_store_and_one_port_a_gateway() {
    let place = Place::new();
    let (_first, url) = gateway(&place, "--state state");
    place.refuse(
        "gateway --json --state state --listen 127.0.0.1:0",
        2,
        &["another gateway", "process"],
    );
    let taken = host_of(&url);
    place.refuse(
        &format!("gateway --json --state other --listen {taken}"),
        2,
        &["cannot listen", taken],
    );
}

#[test]
fn with_tokens_everybody_needs_one() {
    let place = Place::new();
    let viewer = token(&place, "grafana", "viewer");
    let tokens = [("eva", "tuner"), ("ada", "admin")].map(|(name, role)| token(&place, name, role));
    let _ = place.file("g.toml", "[web]\ntokens = \"tokens.toml\"\n");
    let (_gateway, url) = gateway(&place, "--state state --config g.toml");
    let bearer = format!("Authorization: Bearer {viewer}");
    // The page holds nothing; what it shows does.
    assert_eq!(http(&url, "GET /", &[], "").status, 200);
    for path in ["/api/status", "/api/nothing", "/metrics"] {
        let refused = http(&url, &format!("GET {path}"), &[], "");
        assert_eq!(refused.status, 401, "{path}: {refused:?}");
        assert!(
            refused.json()["remedy"]
                .as_str()
                .is_some_and(|text| text.contains("twinstep token"))
        );
        assert_ne!(
            http(&url, &format!("GET {path}"), &[&bearer], "").status,
            401,
            "{path}"
        );
    }
    // Each role may do what is its own; nobody runs, so that what is let through is not done.
    let wrong = "Authorization: Bearer 0000";
    let [tuner, admin] = tokens.map(|token| format!("Authorization: Bearer {token}"));
    let all = [bearer.as_str(), &tuner, &admin];
    for (path, body, least) in [
        ("alarms/acknowledge", json!({"seq": 999}), 1),
        (
            "alarms/shelve",
            json!({"source": "lift", "channel": "x", "seconds": 9}),
            1,
        ),
        (
            "alarms/unshelve",
            json!({"source": "lift", "channel": "x"}),
            1,
        ),
        ("reset", json!({}), 1),
        ("budget", json!({"set": {"wake": "9us"}}), 1),
        ("inject", json!({"faults": ["frame_loss:bus:count=1"]}), 2),
        ("clear", json!({}), 2),
        ("baseline", json!({"source": "lift"}), 2),
    ] {
        let told = |bearer: &str| {
            let headers = [bearer, "Content-Type: application/json"];
            http(
                &url,
                &format!("POST /api/{path}"),
                &headers,
                &body.to_string(),
            )
        };
        assert_eq!(told(wrong).status, 401, "{path}");
        for (role, bearer) in all.iter().enumerate() {
            let answer = told(bearer);
            if role >= least {
                assert!(
                    matches!(answer.status, 200 | 400 | 503),
                    "{path} {role}: {answer:?}"
                );
            } else {
                assert_eq!(answer.status, 403, "{path} {role}: {answer:?}");
                let needed = ["viewer", "tuner", "admin"][least];
                assert!(
                    answer.body.contains(&format!("needs a {needed}")),
                    "{answer:?}"
                );
            }
        }
    }
    let audit = http(&url, "GET /api/audit?limit=500", &[&bearer], "").json();
    let names: BTreeSet<_> = (audit["entries"].as_array().unwrap().iter())
        .map(|entry| entry["who"].as_str().unwrap())
        .collect();
    assert_eq!(names, BTreeSet::from(["ada", "eva"]), "{audit}");
    // A browser trades the token for a cookie.
    let login = |token: &str| {
        let body = serde_json::json!({"token": token}).to_string();
        http(
            &url,
            "POST /login",
            &["Content-Type: application/json"],
            &body,
        )
    };
    assert_eq!(login("wrong").status, 401);
    let answer = login(&viewer);
    assert_eq!(
        (answer.status, answer.json()["role"].as_str()),
        (200, Some("viewer")),
        "{answer:?}"
    );
    let cookie = answer.head.lines().find_map(|line| {
        line.to_lowercase()
            .strip_prefix("set-cookie: ")
            .map(str::to_owned)
    });
    let cookie = cookie.unwrap();
    assert!(
        cookie.contains("httponly") && cookie.contains("samesite=strict"),
        "{cookie}"
    );
    let cookie = format!("Cookie: {}", cookie.split(';').next().unwrap());
    assert_ne!(http(&url, "GET /api/nothing", &[&cookie], "").status, 401);
    let out = http(
        &url,
        "POST /logout",
        &[&cookie, "Content-Type: application/json"],
        "{}",
    );
    assert_eq!(out.status, 200);
    assert_eq!(http(&url, "GET /api/nothing", &[&cookie], "").status, 401);
}

/// A certificate for this computer, and its key.
fn certificate(place: &Place, openssl: &Path, key: &str, certificate: &str) {
    let args = format!(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout {key} -out {certificate} \
         -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1"
    );
    let made = place.run(openssl, &args);
    assert!(made.status.success(), "{made:#?}");
}

#[test]
fn a_certificate_that_is_renewed_is_shown_without_a_new_start() {
    let test = "a_certificate_that_is_renewed_is_shown_without_a_new_start";
    let (Some(openssl), Some(curl)) = (program(test, "openssl"), program(test, "curl")) else {
        return;
    };
    let place = Place::new();
    certificate(&place, &openssl, "key.pem", "cert.pem");
    certificate(&place, &openssl, "new-key.pem", "new-cert.pem");
    for name in ["cert.pem", "new-cert.pem"] {
        let kept = place.path(&format!("trusted-{name}"));
        std::fs::copy(place.path(name), kept).unwrap();
    }
    let _ = place.file(
        "g.toml",
        "[web]\ntls_certificate = \"cert.pem\"\ntls_key = \"key.pem\"\n",
    );
    let args = "gateway --json --state state --config g.toml --listen 127.0.0.1:0";
    let mut gateway = Peer::heard(&place, binary(), args, "gateway.err");
    let url = gateway.url();
    let shows = |trusted: &str| {
        let args = format!("--silent --max-time 20 --cacert {trusted} {url}");
        place.run(&curl, &args).status.success()
    };
    let said = |text: &str| {
        let said = std::fs::read_to_string(place.path("gateway.err")).unwrap();
        said.matches(text).count()
    };
    assert!(shows("trusted-cert.pem") && !shows("trusted-new-cert.pem"));
    // One without its key is none: the one before holds, and that is said.
    let swap = |new: &str, old: &str| std::fs::rename(place.path(new), place.path(old)).unwrap();
    swap("new-cert.pem", "cert.pem");
    let holds = "the certificate that was read before holds";
    until(|| (said(holds) > 0).then_some(()));
    assert!(shows("trusted-cert.pem") && !shows("trusted-new-cert.pem"));
    swap("new-key.pem", "key.pem");
    until(|| shows("trusted-new-cert.pem").then_some(()));
    assert!(!shows("trusted-cert.pem"));
    // It is said once it is shown.
    until(|| (said("the certificate was renewed") > 0).then_some(()));
    assert_eq!((said(holds), said("the certificate was renewed")), (1, 1));
}

#[test]
fn with_a_certificate_the_page_is_for_others_too() {
    let test = "with_a_certificate_the_page_is_for_others_too";
    let (Some(openssl), Some(curl)) = (program(test, "openssl"), program(test, "curl")) else {
        return;
    };
    let place = Place::new();
    let viewer = token(&place, "eva", "viewer");
    certificate(&place, &openssl, "key.pem", "cert.pem");
    let web = "[web]\nlisten = \"0.0.0.0:0\"\ntls_certificate = \"cert.pem\"\ntls_key = \"key.pem\"\ntokens = \"tokens.toml\"\n";
    let _ = place.file("g.toml", web);
    let args = "gateway --json --state state --config g.toml";
    let mut gateway = Peer::heard(&place, binary(), args, "gateway.err");
    let url = gateway.next("listening")["url"]
        .as_str()
        .unwrap()
        .replace("0.0.0.0", "127.0.0.1");
    assert!(url.starts_with("https://"), "{url}");
    let page = place.run(
        &curl,
        &format!("--silent --show-error --cacert cert.pem {url}"),
    );
    assert!(
        page.status.success() && page.stdout.contains("twinstep"),
        "{page:#?}"
    );
    // Whoever speaks no TLS is counted, and said once.
    let failed = || {
        let args = format!("--silent --cacert cert.pem --oauth2-bearer {viewer} {url}metrics");
        let metrics = place.run(&curl, &args).fine().stdout;
        let failed = value_of(&metrics, "twinstep_sink_failed_total{sink=\"web\"}");
        failed.unwrap_or_else(|| panic!("{metrics}"))
    };
    let before = failed();
    for _ in 0..2 {
        let plain = format!("--silent --max-time 20 {}", url.replace("https", "http"));
        let plain = place.run(&curl, &plain);
        assert!(!plain.status.success(), "{plain:#?}");
        let mut rubbish = twinstep_tests::gateway::connect(&url);
        std::io::Write::write_all(&mut rubbish, &[0x16, 3, 1, 0, 4, 9, 9, 9, 9]).unwrap();
        let _ = std::io::Read::read_to_end(&mut rubbish, &mut Vec::new());
    }
    until(|| (failed() >= before + 4).then_some(()));
    assert_eq!(failed(), before + 4);
    let said = std::fs::read_to_string(place.path("gateway.err")).unwrap();
    let refused = "page: a connection was refused: ";
    assert_eq!(said.matches(refused).count(), 1, "{said}");
    let _ = place.file("swapped.toml", web.replace("cert.pem", "tokens.toml"));
    place.refuse(
        "gateway --json --state other --config swapped.toml",
        2,
        &["certificate", "PEM"],
    );
}

/// A run up to its end: the events that it told, each once it was stored, and its summary.
fn heard(run: &mut Peer) -> (Vec<String>, Value) {
    let mut events = Vec::new();
    loop {
        let line = run.line().trim_end().to_owned();
        let value: Value = serde_json::from_str(&line).unwrap_or_default();
        match value["type"].as_str() {
            Some("event") => events.push(line),
            Some("summary") => return (events, value),
            _ => {}
        }
    }
}

/// What the cycle has found, whatever the time of day.
fn found(events: &[String]) -> Vec<Value> {
    let events = events.iter().map(|line| {
        let mut event: Value = serde_json::from_str(line).unwrap_or_default();
        event["time_utc_ns"].take();
        event
    });
    events.collect()
}

/// Killed, stopped or deaf, a gateway takes no event and no cycle: what the cycle has found is what a run that nobody watched has, event by
/// event, and all of it is in the store.
#[test]
fn what_becomes_of_a_gateway_is_not_the_cycles_business() {
    let alone = Place::new();
    let args = "--cycles 6000 --seed 4 --inject friction:outfeed:factor=1.3@1s --inject drive_fault:lift:code=0x2310@3s";
    let (expected, summary) = heard(&mut demo(&alone, args));
    let place = Place::new();
    let mut watched = demo(&place, args);
    let (killed, _) = gateway_of_a_run(&place, "one");
    drop(killed);
    let (stopped, _) = gateway_of_a_run(&place, "two");
    stopped.signal("STOP");
    let (_deaf, url) = gateway_of_a_run(&place, "three");
    // Somebody who asks and never reads.
    let never_read: Vec<_> = (0..50).map(|_| deaf(&url)).collect();
    let (told, beside) = heard(&mut watched);
    stopped.signal("CONT");
    drop(never_read);
    assert_eq!(beside["digest"], summary["digest"]);
    let raised = |events: &[Value]| events.iter().filter(|e| e["state"] == "raised").count() as u64;
    for (run, events) in [(&summary, found(&expected)), (&beside, found(&told))] {
        // The cycle has counted for itself what it has raised.
        assert_eq!(run["events"].as_u64(), Some(raised(&events)), "{run}");
        assert_eq!(run["dropped_events"], 0, "{run}");
        let numbers = events.iter().filter_map(|event| event["seq"].as_u64());
        assert!(numbers.eq(1..=events.len() as u64), "{events:#?}");
    }
    assert!(beside["events"].as_u64() > Some(1), "{beside}");
    assert_eq!(found(&told), found(&expected));
    let stored = place.twinstep("events --state state --json").fine();
    let stored: Vec<_> = stored.stdout.lines().map(str::to_owned).collect();
    assert_eq!(stored, told);
}

fn gateway_of_a_run(place: &Place, book: &str) -> (Peer, String) {
    gateway(
        place,
        &format!("--state state --control cell.sock --book {book}"),
    )
}
