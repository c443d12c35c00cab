//! The page of an event: what stands on it is what the store has, and what a replay of the recording gives.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::path::PathBuf;
use twinstep_tests::cable::python_with;
use twinstep_tests::gateway::{Peer, http};
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

    let mut files = Vec::new();
    for event in [&slow, &stroke] {
        let seq = &event["seq"];
        let (page, line) = page(&place, &format!("{seq} --state state --recording run.mcap"));
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
        &format!("{} --state state --out bare.html", slow["seq"]),
    );
    assert_eq!(line["missing"].as_array().unwrap().len(), 1, "{line}");
    assert!(
        bare.contains("id=\"missing\"") && !bare.contains("<svg"),
        "{line}"
    );
    // Another run's recording has no part in it.
    let other = "demo --fast --json --cycles 1500 --seed 5 --state other --record other.mcap";
    let _ = place.run(release_binary(), other).fine();
    let (_, line) = page(
        &place,
        &format!("{} --state state --recording other.mcap", slow["seq"]),
    );
    assert!(
        line["missing"][0].as_str().unwrap().contains("another run"),
        "{line}"
    );
    assert_eq!(line["recording"], Value::Null);
    place.refuse(
        "report 9999 --state state",
        2,
        &["no event 9999", "twinstep events"],
    );
    place.refuse("report 1 --state nowhere", 2, &[]);

    in_the_gateway(&place, &slow);

    let (Some(python), Some(chromium)) =
        (python_with(test, "playwright"), program(test, "chromium"))
    else {
        return;
    };
    // The last one was written over by the page of the other recording: it is made anew.
    let _ = page(
        &place,
        &format!("{} --state state --recording run.mcap", slow["seq"]),
    );
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
fn in_the_gateway(place: &Place, event: &Value) {
    let mut gateway = Peer::start(place, "gateway --json --listen 127.0.0.1:0 --state state");
    let listening = gateway.next("listening");
    let url = listening["url"].as_str().unwrap();
    let ask = |path: &str| http(url, &format!("GET {path}"), &[], "");
    let answer = ask(&format!("/api/events/{}/report", event["seq"]));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let stored: Value = serde_json::from_str(&text_of(&answer.body, "<pre id=\"event\">")).unwrap();
    assert_eq!(&stored, event);
    for path in ["/api/events/9999/report", "/api/events/x/report"] {
        assert_eq!(ask(path).status, 400, "{path}");
    }
}
