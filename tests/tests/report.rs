//! The page of an event: what stands on it is what the store has, and what a replay of the recording gives.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::{Value, json};
use std::io::Write as _;
use std::path::PathBuf;
use twinstep_tests::cable::python_with;
use twinstep_tests::gateway::{Peer, http, post};
use twinstep_tests::run::{Place, Run, json_lines, shipped};
use twinstep_tests::{program, release_binary};

/// The text of the element that begins with `start`.
fn text_of(page: &str, start: &str) -> String {
    let found = page.find(start);
    let from = found.unwrap_or_else(|| panic!("{start} is not on the page")) + start.len();
    let text = &page[from..];
    let text = &text[..text.find('<').unwrap()];
    let unescaped = text.replace("&lt;", "<").replace("&gt;", ">");
    let unescaped = unescaped.replace("&quot;", "\"").replace("&#39;", "'");
    unescaped.replace("&amp;", "&")
}

fn page(place: &Place, args: &str) -> (String, Value) {
    let args = format!("report {args} --json");
    let run: Run = place.run(release_binary(), &args).fine();
    let line = run.of_type("report").remove(0);
    let page = std::fs::read_to_string(place.path(line["file"].as_str().unwrap()));
    (page.unwrap(), line)
}

/// The first event that `wanted` is true of.
fn first(events: &[Value], wanted: impl Fn(&Value) -> bool) -> Value {
    let found = events.iter().find(|event| wanted(event));
    found
        .unwrap_or_else(|| panic!("no such event: {events:#?}"))
        .clone()
}

/// The book of the gateway lies elsewhere, as in a shipped installation: somebody acknowledges the alarm there. A cycle near the event
/// took too long.
fn around(place: &Place, url: &str, event: &Value) {
    let wish = json!({"seq": event["seq"], "comment": "a <b>dry</b> guide"});
    // The gateway has to read the store first.
    loop {
        let told = post(url, "/api/alarms/acknowledge", &wish);
        match told.status {
            200 => break,
            status => assert_eq!(status, 400, "{told:?}"),
        }
    }
    let line = json!({
        "type": "overrun", "kind": "overrun", "cycle": event["cycle"], "time_ns": event["time_ns"], "time_utc_ns": event["time_utc_ns"],
        "row": "predict", "took_ns": 1_234_500, "usual_ns": 20_000, "busy_ns": 1_300_000, "follows": false, "cause": "page_fault",
        "next_step": "lock it", "evidence": {
            "phases_ns": {}, "models_ns": {}, "exchange": "good", "minor_faults": 0, "major_faults": 1, "involuntary_switches": 0,
            "voluntary_switches": 0, "core": 0, "kernel": null
        }
    });
    let mut options = std::fs::OpenOptions::new();
    let file = options.append(true).create(true);
    let mut file = file.open(place.path("state/overruns.jsonl")).unwrap();
    writeln!(file, "{line}").unwrap();
}

/// What people did and what the cycle took stand on the page.
fn tells_what_was_around(page: &str, event: &Value) {
    let (source, channel) = (&event["source"], &event["channel"]);
    let [source, channel] = [source, channel].map(|text| text.as_str().unwrap());
    let acknowledged = text_of(page, "data-key=\"acknowledged\">");
    assert!(
        acknowledged.starts_with("local at ") && acknowledged.ends_with(": a <b>dry</b> guide"),
        "{acknowledged}"
    );
    let did = format!(
        "local: acknowledge {source} {channel} #{} a &lt;b&gt;",
        event["seq"]
    );
    let took = format!(
        "<td>+0.000</td><td>overrun</td><td class=\"text\">cycle {}: overrun, predict took 1234.5 us, cause page fault</td>",
        event["cycle"]
    );
    for text in [did, took] {
        assert!(page.contains(&text), "{text} is not on {page}");
    }
    assert!(page.contains("</td><td>person</td>"));
}

/// A press cell whose names would be markup.
fn hostile(place: &Place) -> PathBuf {
    let text = std::fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let text = text.replace(
        "name = \"press cell\"",
        "name = '<script>alert(1)</script>'",
    );
    let text = text.replace("\"CELL-07\"", "'\"><img src=x onerror=alert(1)>'");
    place.file("hostile.toml", text)
}

#[test]
fn a_page_has_the_values_of_the_store_and_the_curves_of_the_run() {
    let test = "a_page_has_the_values_of_the_store_and_the_curves_of_the_run";
    let place = Place::new();
    let config = hostile(&place);
    let demo = format!(
        "demo --config {} --fast --json --cycles 12000 --seed 4 --state state --record run.mcap \
         --inject friction:carriage:factor=2@3s --inject wrong_part:press:part=bush-long",
        config.display()
    );
    let run = place.run(release_binary(), &demo).fine();
    let events = run.of_type("event");
    let slow = first(&events, |e| {
        e["source"] == "carriage" && e["channel"] == "current_load"
    });
    let stroke = first(&events, |e| e["channel"] == "stroke");

    let serve = "gateway --json --listen 127.0.0.1:0 --state state --book desk";
    let mut gateway = Peer::start(&place, serve);
    let url = gateway.url();
    around(&place, &url, &slow);
    let mut files = Vec::new();
    for event in [&slow, &stroke] {
        let seq = &event["seq"];
        let args = format!("{seq} --state state --book desk --recording run.mcap");
        let (page, line) = page(&place, &args);
        if event == &slow {
            tells_what_was_around(&page, event);
        }
        files.push(line["file"].as_str().unwrap().to_owned());
        assert_eq!(line["missing"], serde_json::json!([]), "{line}");
        let stored: Value = serde_json::from_str(&text_of(&page, "<pre id=\"event\">")).unwrap();
        assert_eq!(&stored, event);
        let fact = |key: &str| text_of(&page, &format!("data-key=\"{key}\">"));
        for key in ["plan", "source", "channel", "state", "severity", "regime"] {
            assert_eq!(fact(key), event[key].as_str().unwrap(), "{key}");
        }
        let measured: f64 = fact("measured").split(' ').next().unwrap().parse().unwrap();
        let exact = event["measured"].as_f64().unwrap();
        assert!(
            (measured - exact).abs() <= 1e-4 + 1e-3 * exact.abs(),
            "{measured} {exact}"
        );
        assert_eq!(fact("machine"), "<script>alert(1)</script>");
        assert!(fact("cycle").starts_with(&format!("{} (", event["cycle"])));
        assert_eq!(
            text_of(&page, "<p id=\"action\">"),
            event["action"].as_str().unwrap()
        );
        let trust = text_of(&page, "<p id=\"trust\">");
        assert!(
            trust.contains("found this event with the same values"),
            "{trust}"
        );
        assert!(
            page.matches("<svg").count() >= 4,
            "{}",
            page.matches("<svg").count()
        );
        assert!(!page.contains("<script") && !page.contains("<img"));
        assert!(page.contains("tr class=\"this\""));
    }

    // Without a recording the page comes out too, and says what it lacks.
    let _ = std::fs::remove_dir_all(place.path("state/events"));
    let (bare, line) = page(
        &place,
        &format!("{} --state state --book desk --out bare.html", slow["seq"]),
    );
    assert_eq!(line["missing"].as_array().unwrap().len(), 1, "{line}");
    tells_what_was_around(&bare, &slow);
    assert!(
        bare.contains("id=\"missing\"") && !bare.contains("<svg"),
        "{line}"
    );
    // Another run's recording has no part in it.
    let other = "demo --fast --json --cycles 1500 --seed 5 --state other --record other.mcap";
    let _ = place.run(release_binary(), other).fine();
    let (_, line) = page(
        &place,
        &format!(
            "{} --state state --book desk --recording other.mcap",
            slow["seq"]
        ),
    );
    assert!(
        line["missing"][0].as_str().unwrap().contains("another run"),
        "{line}"
    );
    assert_eq!(line["recording"], Value::Null);
    // A book that is not where it is looked for is missed aloud.
    let (_, line) = page(
        &place,
        &format!("{} --state state --recording run.mcap", slow["seq"]),
    );
    let missing = line["missing"].as_array().unwrap();
    assert_eq!(missing.len(), 1, "{line}");
    assert!(missing[0].as_str().unwrap().contains("--book"), "{line}");
    place.refuse(
        "report 9999 --state state",
        2,
        &["no event 9999", "twinstep events"],
    );
    place.refuse("report 1 --state nowhere", 2, &[]);

    in_the_gateway(&url, &slow);

    let (Some(python), Some(chromium)) =
        (python_with(test, "playwright"), program(test, "chromium"))
    else {
        return;
    };
    let script = twinstep_tests::root().join("tests/recordings/page.py");
    let mut args = vec![script.display().to_string(), chromium.display().to_string()];
    args.extend(files);
    let mut browser = place.command(&python, &args);
    browser.env("HOME", place.path("home"));
    let output = browser.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let seen = json_lines(&String::from_utf8_lossy(&output.stdout));
    assert_eq!(seen.len(), 4);
    for (seen, event) in seen.iter().zip([&slow, &slow, &stroke, &stroke]) {
        assert_eq!(seen["wrong"], serde_json::json!([]), "{seen}");
        assert_eq!(
            (&seen["wide"], &seen["scripts"]),
            (&Value::Bool(false), &Value::from(0))
        );
        assert!(seen["curves"].as_u64().unwrap() >= 2, "{seen}");
        let shown: Value = serde_json::from_str(seen["event"].as_str().unwrap()).unwrap();
        assert_eq!(&shown, event);
        assert_eq!(seen["facts"]["channel"], event["channel"]);
    }
    assert_ne!(seen[0]["back"], seen[1]["back"], "dark and light");
    assert!(seen[2]["objects"].as_u64().unwrap() >= 1, "{}", seen[2]);
}

/// The same page, where the gateway serves it.
fn in_the_gateway(url: &str, event: &Value) {
    let ask = |path: &str| http(url, &format!("GET {path}"), &[], "");
    let answer = ask(&format!("/api/events/{}/report", event["seq"]));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let stored: Value = serde_json::from_str(&text_of(&answer.body, "<pre id=\"event\">")).unwrap();
    assert_eq!(&stored, event);
    tells_what_was_around(&answer.body, event);
    for path in ["/api/events/9999/report", "/api/events/x/report"] {
        assert_eq!(ask(path).status, 400, "{path}");
    }
}
