//! The page in a real browser.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use twinstep_tests::cable::{Cable, ENDS};
use twinstep_tests::gateway::{Browser, Peer, http, post};
use twinstep_tests::release_binary;
use twinstep_tests::run::{Place, shipped};
use twinstep_tests::sim::Sim;

#[test]
fn every_view_opens_and_a_fault_goes_from_injection_to_the_shelf() {
    let test = "every_view_opens_and_a_fault_goes_from_injection_to_the_shelf";
    let Some(browser) = Browser::find(test) else {
        return;
    };
    let place = Place::new();
    let run = "demo --json --no-page --cycles 3600000 --state state --inject wrong_part:press:part=bush-long \
               --inject friction:carriage:factor=1.5@20s";
    let mut run = Peer::start(&place, run);
    run.forget_lines();
    let mut gateway = Peer::start(&place, "gateway --json --listen 127.0.0.1:0 --state state");
    let url = gateway.url();

    // Kept, so that the picture of the README, docs/page.png, can be made anew from it.
    let built = std::env::current_exe().unwrap();
    let picture = built.ancestors().nth(3).unwrap().join("page.png");
    let path = picture.display().to_string();
    let seen = browser.look(&place, "page.py", &url, &[&path]);
    assert_eq!(seen["wrong"], serde_json::json!([]), "{seen}");
    assert_eq!(seen["wide"], serde_json::json!([]), "{seen}");
    assert_eq!(seen["views"].as_array().unwrap().len(), 8, "{seen}");
    assert_eq!(seen["machine"], "press cell");
    assert_eq!(
        seen["buses"], true,
        "a machine with one has no choice: {seen}"
    );
    assert_eq!(seen["fault"], "drive_fault:lift:code=0x2310");
    assert!(seen["alarm"].as_str().unwrap().contains("lift"), "{seen}");
    assert_eq!(seen["images"], 0, "a comment became markup: {seen}");
    assert!(
        seen["audit"].as_str().unwrap().contains("<img src=x"),
        "{seen}"
    );
    for done in [
        "inject",
        "acknowledge",
        "shelve",
        "unshelve",
        "reset",
        "budget",
        "77us",
        "1ns",
        "refused",
        "baseline",
    ] {
        assert!(
            seen["audit"].as_str().unwrap().contains(done),
            "{done}: {seen}"
        );
    }
    let what_if = [0, 1, 2].map(|n| seen["what_if"][n].as_str().unwrap());
    for (text, begins) in what_if.iter().zip(["At 2.00 ms", "At 1.00 ms", "At "]) {
        assert!(text.starts_with(begins), "{seen}");
    }
    assert!(what_if[1] != what_if[2], "{seen}");
    let audit = http(&url, "GET /api/audit?limit=500", &[], "").json();
    let entries = audit["entries"].as_array().unwrap().iter();
    let baselines = entries.filter(|entry| entry["action"] == "baseline");
    let said: Vec<_> = baselines
        .map(|entry| ["who", "target", "detail"].map(|key| entry[key].as_str().unwrap()))
        .collect();
    // From the view of health, and before that from the card of the alarm.
    let axis = seen["tracked_found"][0].as_str().unwrap();
    let from_health = format!("{axis} new belt");
    let expected = [&*from_health, "lift new nut"];
    let expected = expected.map(|what| ["local", "press cell", what]);
    assert_eq!(said, expected, "{audit}");
    what_people_are_told(&seen);
    what_it_says(&seen, &status(&url));
    let size = std::fs::metadata(picture).unwrap().len();
    assert!((10_000..1_000_000).contains(&size), "{size} bytes");
    drop(gateway);

    // The same machine behind a guarded door.
    let token = place.twinstep("token max --role viewer --file tokens.toml --json");
    let token = token.fine().of_type("token").remove(0);
    let token = token["token"].as_str().unwrap();
    let _ = place.file("g.toml", "[web]\ntokens = \"tokens.toml\"\n");
    let args = "gateway --json --listen 127.0.0.1:0 --state state --config g.toml";
    let mut gateway = Peer::start(&place, args);
    let url = gateway.url();
    let id = run.child.id().to_string();
    let binary = twinstep_tests::binary().display().to_string();
    let again = "demo --json --no-page --cycles 3600000 --state state";
    let command: Vec<_> = (again.split(' ')).collect();
    let door = gateway.child.id().to_string();
    let more = [&[token, &id, &door, &binary], &command[..]].concat();
    let seen = browser.look(&place, "viewer.py", &url, &more);
    assert_eq!(seen["wrong"], serde_json::json!([]), "{seen}");
    assert_eq!(
        seen["before"], "twinstep",
        "nothing without a token: {seen}"
    );
    assert_eq!(seen["who"], "max, viewer", "{seen}");
    assert_eq!(
        seen["disabled"],
        serde_json::json!([true, true, true, true, true, true]),
        "{seen}"
    );
    assert!(seen["report"].as_u64() > Some(0), "{seen}");
    let chips = [&seen["gone"], &seen["back"]];
    assert_eq!(chips, ["chip bad", "chip good"], "{seen}");
    assert_eq!(seen["out"], "", "{seen}");
    // While it was gone: why and since when, and what it was.
    let [old, facts, machine] = [0, 1, 2].map(|n| seen["old"][n].as_str().unwrap());
    assert!(
        old.starts_with("No answer since 2") && old.contains("UTC+05:30: "),
        "{seen}"
    );
    assert!(!facts.is_empty() && !facts.contains("overruns"), "{seen}");
    assert_eq!(machine, "press cell", "{seen}");
    let kept = serde_json::json!([true, 1]);
    assert_eq!([&seen["health"], &seen["press"]], [&kept, &kept], "{seen}");
    assert_eq!(seen["health_button"], true, "{seen}");
    assert!(seen["overruns"].as_str().unwrap().contains("in this run"));
    assert_eq!(
        (&seen["late"][0], &seen["late"][1]),
        (&"press cell".into(), &true.into()),
        "{seen}"
    );
    let late = seen["late"][2].as_str().unwrap();
    assert!(late.contains("does not answer"), "{seen}");
    // A page that was opened behind its end has its axes too, as they were.
    assert!(seen["late_axes"].as_u64() > Some(0), "{seen}");
    assert_eq!(seen["old_again"], true, "{seen}");
    // The same of the gateway itself.
    let [cut, again] = [0, 1].map(|n| &seen["cut"][n]);
    let cut = cut.as_str().unwrap();
    assert!(
        cut.starts_with("No connection since 2") && cut.contains("UTC+05:30: "),
        "{seen}"
    );
    assert_eq!(again, true, "{seen}");
    // The run that came then counts its time anew.
    let times = seen["times"].as_array().unwrap().iter();
    let times: Vec<_> = times.map(|time| time.as_f64().unwrap()).collect();
    assert!(
        times.len() > 1 && times.is_sorted_by(|a, b| a < b),
        "{seen}"
    );
    // So do its strokes: the first one is drawn anew.
    assert_eq!(seen["anew"], serde_json::json!([true, true]), "{seen}");
    for card in seen["ended"].as_array().unwrap() {
        let card = card.as_str().unwrap();
        assert!(card.contains("stood since 2"), "{card}");
        assert!(!card.contains("a new run judges anew"), "{card}");
    }
}

#[test]
fn a_life_that_is_known_is_drawn() {
    let test = "a_life_that_is_known_is_drawn";
    let Some(browser) = Browser::find(test) else {
        return;
    };
    let place = Place::new();
    let worn = "demo --fast --json --no-page --keep-health --seed 11 --cycles 600000 --state state \
                --inject friction:infeed:factor=1.4,ramp=600s";
    let worn = place.run(release_binary(), worn).fine();
    let lines = worn.of_type("health");
    let is_known = |line: &&Value| line["source"] == "infeed" && line["parameter"] == "coulomb";
    let line = lines.iter().find(is_known).unwrap();
    assert_eq!(line["life"]["state"], "known", "{line}");
    // It goes on in real time.
    let run = "demo --json --no-page --seed 11 --cycles 3600000 --state state --inject friction:infeed:factor=1.4";
    let mut run = Peer::start(&place, run);
    run.forget_lines();
    let mut gateway = Peer::start(&place, "gateway --json --listen 127.0.0.1:0 --state state");
    let url = gateway.url();
    let seen = browser.look(&place, "life.py", &url, &[]);
    assert_eq!(seen["wrong"], serde_json::json!([]), "{seen}");
    let drawn = seen["life"].as_str().unwrap();
    assert!(
        drawn.contains(" to ") && drawn.contains(" strokes, ") && drawn.ends_with(" m"),
        "{seen}"
    );
    // Beside it the curve: points, healthy value and trend; the limit, as far as the trend is drawn.
    let note = seen["note"].as_str().unwrap();
    assert!(
        note.contains(" means over ") && note.contains("; limit ") && note.contains(" 95 %)"),
        "{seen}"
    );
    for (name, picture) in ["whole", "near"].iter().flat_map(|picture| {
        let picture = &seen[*picture];
        ["--measured", "--good", "--predicted", "--bad"].map(|name| (name, picture))
    }) {
        let dots = picture[name].as_u64().unwrap();
        let wanted = name != "--bad" || picture == &seen["whole"];
        assert_eq!(dots > 20, wanted, "{name}: {seen}");
    }
    // It stands first, and no other of a known life behind one that nobody knows. A tap is not lost.
    assert_eq!(
        (&seen["first"][0], &seen["pressed"]),
        (&true.into(), &true.into()),
        "{seen}"
    );
    let lives = seen["first"][1].as_array().unwrap();
    let known = lives.iter().take_while(|life| **life == true).count();
    assert!(
        known > 0 && lives[known..].iter().all(|life| *life == false),
        "{seen}"
    );
    // It is what the machine tells.
    let course = http(
        &url,
        "GET /api/trend?source=infeed&parameter=coulomb",
        &[],
        "",
    )
    .json();
    let points = course["points"].as_array().unwrap();
    assert!(points.len() >= 8, "{course}");
    let of = |key: &str| course[key].as_f64().unwrap();
    let [first, last] = [0, points.len() - 1].map(|n| points[n][1].as_f64().unwrap());
    assert!(
        first < last && last < of("limit") && of("trend") > 0.0,
        "{course}"
    );
    assert!((first / of("healthy") - 1.0).abs() < 0.2, "{course}");
    // What stands there is the middle of the interval that the machine tells.
    let line = status(&url)["health"]
        .as_array()
        .unwrap()
        .iter()
        .find(is_known)
        .unwrap()
        .clone();
    assert_eq!(line["life"]["state"], "known", "{line}");
    assert_eq!(
        seen["trend"].as_str().unwrap().split(' ').nth(1),
        Some("N/h")
    );
}

#[test]
fn a_machine_that_is_not_simulated_has_no_faults_to_inject() {
    let test = "a_machine_that_is_not_simulated_has_no_faults_to_inject";
    let (Some(browser), Some(cable)) = (Browser::find(test), Cable::new(test)) else {
        return;
    };
    let place = Place::new();
    // Longer than the shipped one: here the segment shares the processor with its master.
    let text = std::fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let text = text.replacen("period = \"1ms\"", "period = \"2ms\"", 1);
    let machine = place.file("cell.toml", text).display().to_string();
    let _sim = Sim::start(&cable, &machine, &[]);
    let [state, socket] = ["state", "cell.sock"].map(|name| place.path(name).display().to_string());
    let args = [
        "run",
        &machine,
        "--interface",
        ENDS[0],
        "--json",
        "--arm",
        "--cycles",
        "120000",
        "--state",
        &state,
        "--control",
        &socket,
    ];
    let mut run = Peer::of(cable.command(release_binary(), args));
    run.forget_lines();
    let args = "gateway --json --listen 127.0.0.1:0 --state state --control cell.sock";
    let mut gateway = Peer::start(&place, args);
    let url = gateway.url();
    let seen = browser.look(&place, "real.py", &url, &[]);
    assert_eq!(seen["wrong"], serde_json::json!([]), "{seen}");
    assert_eq!(seen["machine"], "press cell", "{seen}");
    assert_eq!(seen["hidden"], serde_json::json!([true, true]), "{seen}");
    assert_eq!(seen["address"], "#axes", "{seen}");
    assert!(!seen["facts"].as_str().unwrap().contains("simulated"));
    // Who does not go by the page is refused by the machine.
    let fault = serde_json::json!({"faults": ["friction:lift:factor=1.2"]});
    let answer = post(&url, "/api/inject", &fault);
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(answer.body.contains("simulated"), "{answer:?}");
    run.signal("INT");
    assert!(run.child.wait().unwrap().success());
}

fn status(url: &str) -> Value {
    http(url, "GET /api/status", &[], "").json()
}

/// What the page says to people: since when, who, and for how long.
fn what_people_are_told(seen: &Value) {
    let [here, utc, machine] = [0, 1, 2].map(|n| seen["since"][n].as_str().unwrap());
    assert!(
        here.ends_with(" UTC+05:30") && utc.ends_with(" UTC"),
        "{seen}"
    );
    let minute = |text: &str| {
        let part = |from: usize| text[from..from + 2].parse::<i32>().unwrap();
        60 * part(11) + part(14)
    };
    assert_eq!((minute(here) - minute(utc)).rem_euclid(1440), 330, "{seen}");
    assert_eq!(minute(utc), minute(machine), "{seen}");
    let card = seen["card"].as_str().unwrap();
    for words in [
        "stands since 2",
        "acknowledged by local at 2",
        "shelved by local: \"until Monday\"",
    ] {
        assert!(card.contains(words), "{words}: {card}");
    }
    let shelf = seen["shelf"].as_str().unwrap();
    for words in [
        "gantry: leak rate is shelved until 2",
        "by local: \"new belt\"",
    ] {
        assert!(shelf.contains(words), "{words}: {shelf}");
    }
    let all = |key: &str| seen[key].as_array().unwrap().clone();
    let found = all("found");
    assert!(!found.is_empty(), "{seen}");
    for event in found {
        let report = format!("/api/events/{}/report", event[1].as_str().unwrap());
        assert_eq!(
            (&event[0], &event[2]),
            (&true.into(), &report.into()),
            "{seen}"
        );
    }
    let signs = all("signs");
    let mut lift = signs.iter().filter(|sign| sign[0] == "lift");
    let why = lift.next().unwrap()[1].as_str().unwrap();
    assert!(why.contains("drive state: "), "{seen}");
    assert_eq!(seen["typed"], "half a fau", "{seen}");
    assert_eq!(seen["pressed"], true, "a tap was lost: {seen}");
    let [shown, judged] = [0, 1].map(|n| &seen["stroke_time"][n].as_str().unwrap()[..19]);
    assert_eq!(shown, judged, "{seen}");
    let times = all("stroke_times");
    // With the day where that is not today: midnight may have passed.
    let short = |time: &Value| [8, 19].contains(&time.as_str().unwrap().len());
    assert!(!times.is_empty() && times.iter().all(short), "{seen}");
    assert_eq!(seen["days"], serde_json::json!([8, 19]), "{seen}");
    assert_eq!(seen["unsure"], serde_json::json!([false, true]), "{seen}");
    assert_eq!(seen["tap"], false, "a tap was lost: {seen}");
    // As many as there are of the one that was looked for, and no others.
    let (mut tracked, found) = (all("tracked"), all("tracked_found"));
    tracked.retain(|one| *one == found[0]);
    assert!(found.len() >= tracked.len(), "{seen}");
    assert!(found.iter().all(|one| *one == found[0]), "{seen}");
    let asked = seen["asked"].as_str().unwrap();
    assert!(
        asked.contains("holds for this run") && asked.contains("`calibrate`"),
        "{asked}"
    );
}

/// What stands on the page is what the machine says.
fn what_it_says(seen: &Value, status: &Value) {
    let valid = status["trust"]["timing_valid"].as_bool().unwrap();
    let trust = match valid {
        true => ["timing valid", "chip good"],
        false => ["timing not valid", "chip bad"],
    };
    assert_eq!(seen["trust"][0], serde_json::json!(trust), "{seen}");
    // Red is what invalidates, and nothing else.
    let chips = seen["trust"].as_array().unwrap();
    let red = chips[1..].iter().any(|chip| chip[1] == "chip bad");
    assert_eq!(red, !valid, "{seen}");
    computers(&seen["chips"]);
    let head = seen["head"].as_array().unwrap();
    let carriage: Vec<_> = head
        .iter()
        .filter_map(Value::as_str)
        .filter(|one| one.starts_with("carriage"))
        .collect();
    // The picture of the README says what was injected, and nothing else of this axis.
    assert!(
        !carriage.is_empty()
            && carriage
                .iter()
                .all(|one| one.contains(": friction increased")),
        "{seen}"
    );
    let objects = seen["nok"].as_array().unwrap();
    let (nok, ok): (Vec<_>, Vec<_>) = objects.iter().partition(|one| one[0] == "NOK");
    assert!(!nok.is_empty(), "{seen}");
    assert!(
        nok.iter()
            .all(|one| one[1].as_str().unwrap().contains(" by ")),
        "{seen}"
    );
    assert!(ok.iter().all(|one| one[1] == ""), "{seen}");
    let intervals = seen["intervals"].as_str().unwrap();
    for word in ["asked ", "extrapolated ", "demonstrated so far at least "] {
        assert!(intervals.contains(word), "{word}: {seen}");
    }
    let [address, event] = [0, 1].map(|n| seen["report"][n].as_str().unwrap());
    assert!(address.contains("/api/events/"), "{address}");
    let event: Value = serde_json::from_str(event).unwrap();
    assert_eq!(event["source"], "lift");
    assert!(!seen["overrun"][0].as_str().unwrap().is_empty(), "{seen}");
    assert!(seen["overrun"][1].as_str().unwrap().len() > 10, "{seen}");
    // Eight views and the button, dark and light.
    let contrasts = seen["contrast"].as_object().unwrap();
    assert_eq!(contrasts.len(), 18, "{contrasts:?}");
    for (view, found) in contrasts {
        assert!(found["least"].as_f64() >= Some(4.5), "{view}: {found}");
        assert!(found["count"].as_u64() > Some(20), "{view}: {found}");
    }
}

/// The head of the page on computers of every kind.
fn computers(seen: &Value) {
    let chip = |text: &str, kind: &str| serde_json::json!([text, format!("chip {kind}").trim()]);
    let good = [
        "timing valid",
        "PREEMPT_RT",
        "SCHED_FIFO",
        "memory locked",
        "throttling off",
        "core 1, isolated",
        "governor performance",
        "clock tsc",
    ];
    let good = good.map(|text| chip(text, "good"));
    assert_eq!(seen["good"], serde_json::json!(good), "{seen}");
    // Without these no duration says anything of a machine controller.
    let invalid = [
        ("kernel", "no PREEMPT_RT kernel"),
        ("policy", "no real-time policy"),
        ("memory", "memory not locked"),
        ("throttling", "real-time throttling"),
        ("virtual", "virtual machine"),
        ("workers", "2 of 3 workers"),
    ];
    for (case, text) in invalid {
        let expected = serde_json::json!([chip("timing not valid", "bad"), chip(text, "bad")]);
        assert_eq!(seen[case], expected, "{case}: {seen}");
    }
    // These cost time now and then, or are no fault.
    let others = [
        ("deadline", "SCHED_DEADLINE", "good"),
        ("all workers", "3 of 3 workers", "good"),
        ("core", "no core of its own", "warn"),
        ("isolated", "core 1", "warn"),
        ("idle states", "idle states", "warn"),
        ("rivals", "real-time threads of others: 2", "warn"),
        ("governor", "governor powersave", "warn"),
        ("clock", "clock hpet", "warn"),
        ("interrupts", "NIC interrupts on 0-1", ""),
        ("coalescing", "coalescing 50 us", "warn"),
    ];
    for (case, text, kind) in others {
        let expected = serde_json::json!([chip(text, kind)]);
        assert_eq!(seen[case], expected, "{case}: {seen}");
    }
    assert_eq!(seen["nobody looked"], serde_json::json!([]), "{seen}");
    let cases = seen.as_object().unwrap().len();
    assert_eq!(cases, 2 + invalid.len() + others.len(), "{seen}");
}
