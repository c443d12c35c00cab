//! Many alarms over the interface of the page, and who is kept out for guessing.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::{Value, json};
use std::collections::BTreeSet;
use twinstep_tests::gateway::{Browser, Peer, http, until};
use twinstep_tests::run::Place;
use twinstep_tests::{program, root};

#[test]
fn alarms_beyond_the_first_hundred_are_asked_for() {
    let test = "alarms_beyond_the_first_hundred_are_asked_for";
    let Some(python) = program(test, "python3") else {
        return;
    };
    let place = Place::new();
    let run = "demo --fast --json --no-page --cycles 3000 --state state --inject drive_fault:gantry:code=0x2310@1s";
    let last = place.twinstep(run).fine().of_type("event").len();
    let script = root().join("tests/gateway/append.py").display().to_string();
    let many = place
        .run(&python, &format!("{script} state 250 axis"))
        .fine();
    assert_eq!(many.stdout.trim(), (last + 250).to_string());
    let mut gateway = Peer::start(&place, "gateway --json --listen 127.0.0.1:0 --state state");
    let url = gateway.url();
    let get = |path: &str| http(&url, &format!("GET {path}"), &[], "");
    let all = until(|| {
        let first = get("/api/alarms").json();
        (first["known"] == true).then(|| first["standing"].as_u64().unwrap())
    });
    assert!(all > 250, "{all}");
    let (mut names, mut beyond) = (BTreeSet::new(), BTreeSet::new());
    let first = get("/api/alarms").json();
    let mut skip = 0;
    loop {
        let page = get(&format!("/api/alarms?skip={skip}")).json();
        let alarms = page["alarms"].as_array().unwrap();
        let here = alarms.iter().map(|alarm| &alarm["event"]);
        names.extend(here.map(|event| format!("{} {}", event["source"], event["channel"])));
        if skip > 0 {
            let stand = alarms.iter().filter(|alarm| alarm["active"] == true);
            let sources = stand.map(|alarm| alarm["event"]["source"].as_str().unwrap());
            beyond.extend(sources.map(str::to_owned));
        }
        skip += alarms.len() as u64;
        assert_eq!(page["more"], all - skip, "{page}");
        if page["more"] == 0 {
            break;
        }
        assert_eq!(alarms.len(), 100);
    }
    assert_eq!(names.len() as u64, all);
    // The first page names who has them.
    assert_eq!(first["more_sources"], json!(beyond));
    assert!(beyond.len() >= 150, "{beyond:?}");
    assert_eq!(get("/api/alarms?skip=9999").json()["alarms"], json!([]));
    assert_eq!(get("/api/alarms?skip=-1").status, 400);
}

#[test]
fn after_a_restart_alarms_say_what_they_were() {
    let place = Place::new();
    let run = "demo --fast --json --no-page --cycles 3000 --state state";
    let fault = format!("{run} --inject drive_fault:gantry:code=0x2310@1s");
    let first = place.twinstep(&fault).fine().of_type("event");
    let of_drive = |event: &Value| event["source"] == "gantry" && event["channel"] == "drive_state";
    let mut events = first.iter().filter(|event| of_drive(event));
    let raised = events.next().unwrap();
    let last = events.next_back().unwrap_or(raised);
    assert_ne!(last["state"], "cleared", "{last}");
    let next = place.twinstep(run).fine().of_type("event");
    let end = next.iter().find(|event| of_drive(event)).unwrap();
    assert_eq!(end["cause"], "a new run judges anew", "{end}");
    let mut gateway = Peer::start(&place, "gateway --json --listen 127.0.0.1:0 --state state");
    let url = gateway.url();
    let alarms = until(|| {
        let told = http(&url, "GET /api/alarms", &[], "").json();
        (told["known"] == true).then_some(told)
    });
    let mut all = alarms["alarms"].as_array().unwrap().iter();
    let alarm = all.find(|alarm| of_drive(&alarm["event"])).unwrap();
    assert_eq!(alarm["active"], false, "{alarm}");
    assert_eq!(
        (&alarm["raised_utc_ns"], &alarm["ended_utc_ns"]),
        (&raised["time_utc_ns"], &end["time_utc_ns"])
    );
    assert_eq!(
        (&alarm["raised_seq"], &alarm["last_seq"]),
        (&raised["seq"], &end["seq"])
    );
    // Not its figures: here they have been read and written twice.
    for key in ["seq", "cause", "action"] {
        assert_eq!(alarm["event"][key], last[key], "{key}: {alarm}");
    }
    let causes = |event: &Value| {
        let all = event["causes"].as_array().into_iter().flatten();
        all.map(|one| one["cause"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(causes(&alarm["event"]), causes(last), "{alarm}");
}

#[test]
fn a_storm_does_not_freeze_the_list() {
    let test = "a_storm_does_not_freeze_the_list";
    let (Some(browser), Some(python)) = (Browser::find(test), program(test, "python3")) else {
        return;
    };
    let place = Place::new();
    let run = "demo --fast --json --no-page --cycles 3000 --state state --inject drive_fault:gantry:code=0x2310@1s";
    let _ = place.twinstep(run).fine();
    let script = root().join("tests/gateway/append.py").display().to_string();
    let _ = place
        .run(&python, &format!("{script} state 250 axis"))
        .fine();
    let mut gateway = Peer::start(&place, "gateway --json --listen 127.0.0.1:0 --state state");
    let url = gateway.url();
    let seen = browser.look(&place, "storm.py", &url, &["state"]);
    assert_eq!(seen["wrong"], json!([]), "{seen}");
    assert_eq!(seen["during"], 3, "{seen}");
    assert_eq!(seen["signs"], 250, "{seen}");
    // Events by their numbers, the newest first: a page, and the one before it.
    let numbers = |key: &str| {
        let all = seen[key].as_array().unwrap().iter();
        all.map(|one| one.as_u64().unwrap()).collect::<Vec<_>>()
    };
    let pages = [numbers("newest"), numbers("older")].concat();
    let expected: Vec<_> = (0..200).map(|n| pages[0] - n).collect();
    assert_eq!(pages, expected, "{seen}");
    let found: BTreeSet<_> = (seen["found"].as_array().unwrap().iter())
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    let mut wanted = BTreeSet::from(["axis 17".to_owned()]);
    wanted.extend((0..10).map(|n| format!("axis 17{n}")));
    assert_eq!(found, wanted, "{seen}");
    let after = seen["after"].as_array().unwrap();
    let names: BTreeSet<_> = after.iter().filter_map(Value::as_str).collect();
    // The gantry has several alarms of its own; of those that the storm raised each has another name.
    let storm = |name: &&&str| name.starts_with("storm ");
    assert!(
        after.len() >= 300 && names.iter().filter(storm).count() >= 250,
        "{seen}"
    );
    let again = after.iter().filter(|name| {
        let same = |other: &&Value| other == name;
        name.as_str().unwrap().starts_with("storm ") && after.iter().filter(same).count() > 1
    });
    assert_eq!(again.count(), 0, "{seen}");
    assert_eq!(seen["kept"], 1, "{seen}");
    let note = seen["note"].as_str().unwrap();
    let alarms = http(&url, "GET /api/alarms", &[], "").json();
    assert!(
        note.starts_with(&format!("{} standing", alarms["standing"])),
        "{note} {alarms}"
    );
}

#[test]
fn who_guesses_tokens_keeps_nobody_else_out() {
    let test = "who_guesses_tokens_keeps_nobody_else_out";
    let Some(curl) = program(test, "curl") else {
        return;
    };
    let place = Place::new();
    let made = place.twinstep("token eva --role viewer --file tokens.toml --json");
    let token: Value = serde_json::from_str(made.fine().stdout.trim()).unwrap();
    let token = token["token"].as_str().unwrap();
    let _ = place.file("g.toml", "[web]\ntokens = \"tokens.toml\"\n");
    let args = "gateway --json --listen 127.0.0.1:0 --state state --config g.toml";
    let mut gateway = Peer::start(&place, args);
    let url = gateway.url();
    let ask = |from: &str, token: &str| {
        let args = format!(
            "--silent --output out --write-out %{{http_code}} --interface {from} --oauth2-bearer {token} {url}api/session"
        );
        place.run(&curl, &args).fine().stdout
    };
    for _ in 0..10 {
        assert_eq!(ask("127.0.0.2", "guess"), "401");
    }
    assert_eq!(ask("127.0.0.2", "guess"), "429");
    // Behind one address there may be many: a right token is taken whoever guesses there.
    assert_eq!(ask("127.0.0.2", token), "200");
    assert_eq!(ask("127.0.0.1", token), "200");
}
