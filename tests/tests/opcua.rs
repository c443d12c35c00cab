//! The OPC UA server of the gateway, driven by a client that nobody here wrote, and by people who speak no OPC UA.
//!
//! Of the release binary, and only where that was built with the feature: the library takes minutes to build.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::{Value, json};
use std::net::TcpStream;
use twinstep_tests::cable::python_with;
use twinstep_tests::gateway::{has_opcua, until};
use twinstep_tests::opcua::{answer, gateway, hello, said, start};
use twinstep_tests::run::Place;
use twinstep_tests::{release_binary, root};

fn token(place: &Place, name: &str, role: &str) -> String {
    let args = format!("token {name} --role {role} --file tokens.toml --json");
    let made = place.run(release_binary(), &args).fine();
    let made: Value = serde_json::from_str(made.stdout.trim()).unwrap();
    made["token"].as_str().unwrap().to_owned()
}

#[test]
fn a_client_browses_reads_and_acknowledges_an_alarm() {
    let test = "a_client_browses_reads_and_acknowledges_an_alarm";
    if !has_opcua(test) {
        return;
    }
    let Some(python) = python_with(test, "asyncua") else {
        return;
    };
    let place = Place::new();
    let people = [("eva", "tuner"), ("max", "viewer"), ("ada", "admin")];
    let [eva, max, ada] = people.map(|(name, role)| token(&place, name, role));
    let mut demo = start(
        &place,
        "demo --no-page --json --state state --control cell.sock",
    );
    let (_gateway, url, _) = gateway(
        &place,
        "tokens = \"tokens.toml\"\nmanufacturer = \"Example Presses\"\nserial_number = \"4711\"\n",
    );
    let script = root().join("tests/clients/opcua.py");
    let (pki, book) = (place.path("state/opcua"), place.path("state"));
    let socket = place.path("cell.sock");
    let paths =
        [&script, &pki, release_binary(), &socket, &book].map(|path| path.to_str().unwrap());
    let [script, pki, binary, socket, book] = paths;
    let id = demo.child.id().to_string();
    let args = [
        script, &url, pki, binary, socket, book, &eva, &max, &id, &ada,
    ];
    let output = place.command(&python, args).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    // The client has ended it.
    let _ = demo.child.wait();

    // At the door.
    let encrypted = |policy| json!([policy, "SignAndEncrypt", ["UserName"]]);
    let endpoints = json!([
        encrypted("Aes256_Sha256_RsaPss"),
        encrypted("Basic256Sha256")
    ]);
    assert_eq!(seen["endpoints"], endpoints, "{seen:#}");
    // In the clear one gets no further than a session that is never active.
    assert_eq!(seen["plain"][0], "Good", "{seen:#}");
    assert!(
        seen["plain"][1].as_str().unwrap().starts_with("Bad"),
        "{seen:#}"
    );
    assert!(
        seen["plain"][2].as_str().unwrap().starts_with("Bad"),
        "{seen:#}"
    );
    for who in ["stranger", "nasty", "wrong_token", "wrong_name", "no_name"] {
        assert!(seen[who].is_string(), "{who}: {seen:#}");
    }
    assert_eq!(seen["strangers"], 1, "{seen:#}");
    // A wrong token and a wrong name are one kind.
    let said = said(&place);
    let refused = "no such name with such a token; further ones are counted";
    assert_eq!(said.matches(refused).count(), 1, "{said}");
    // Files of strangers are named by their thumbprints, and what is no certificate does not stay.
    for file in seen["rejected"].as_array().unwrap() {
        let digits = file.as_str().unwrap().strip_suffix(".der").unwrap();
        assert!(
            digits.len() == 40 && digits.chars().all(|c| c.is_ascii_hexdigit()),
            "{seen:#}"
        );
    }
    // Calls that were refused are said once each, with their status.
    for status in [
        "BadEventIdUnknown",
        "BadShelvingTimeOutOfRange",
        "BadInvalidArgument",
        "BadConditionBranchAlreadyAcked",
        "BadSubscriptionIdInvalid",
        "BadMonitoredItemIdInvalid",
    ] {
        let refused = format!("OPC UA: a call of a method was refused: {status}; further ones");
        assert_eq!(said.matches(&refused).count(), 1, "{status}: {said}");
    }
    for kind in [
        "somebody who may only look was refused a method; further",
        "a request was refused: it has no session that is active, or a channel that is not offered; further",
    ] {
        assert_eq!(said.matches(kind).count(), 1, "{kind}: {said}");
    }
    // Inside.
    assert_eq!(seen["machine"], "press cell", "{seen:#}");
    let has = |folder: &str, name: &str| {
        let names = seen[folder].as_array().unwrap();
        assert!(names.contains(&json!(name)), "{folder}: {seen:#}");
    };
    has("Components", "lift");
    has("Components", "press");
    for name in ["SoftwareRevision", "Manufacturer", "SerialNumber"] {
        has("Identification", name);
    }
    has("Monitoring", "Overruns");
    has("lift", "PredictedCurrent");
    has("lift", "ResidualSigma");
    assert!(seen["position"].is_f64(), "{seen:#}");
    assert_eq!(seen["unit"], json!([5_067_858, "m"]), "{seen:#}");
    assert_ne!(seen["written"], true, "{seen:#}");
    assert!(
        ["ok", "nok"].contains(&seen["stroke"][0].as_str().unwrap()),
        "{seen:#}"
    );
    assert!(seen["stroke"][2].as_f64() > Some(0.0), "{seen:#}");
    assert!(seen["cycles_seen"].as_u64() > Some(3), "{seen:#}");
    assert_eq!(seen["cycles_grow"], true, "{seen:#}");
    // As docs/opcua.md has them: a handful of values, and all events of a refresh.
    assert_eq!(seen["queues"], json!([16, 4098]), "{seen:#}");
    // Who asks whether he may is told, and not refused anything.
    assert_eq!(seen["asked_whether"], json!([[false], 0]), "{seen:#}");
    // The alarm.
    let raised = &seen["raised"];
    assert_eq!(raised["ConditionName"], "lift drive_state", "{seen:#}");
    assert_eq!(raised["Retain"], "True", "{seen:#}");
    assert_eq!(raised["AckedState/Id"], "False", "{seen:#}");
    for field in ["Cause", "Action", "Message", "FalseAlarmIntervalAsked"] {
        assert!(
            !["None", ""].contains(&raised[field].as_str().unwrap()),
            "{field}: {seen:#}"
        );
    }
    // The client asks for every field of the standard; those that the server has are filled. A reported state has no limits.
    let filled = [
        "EventId",
        "EventType",
        "SourceNode",
        "SourceName",
        "Time",
        "ReceiveTime",
        "Message",
        "Severity",
        "ConditionClassId",
        "ConditionClassName",
        "ConditionName",
        "BranchId",
        "Retain",
        "EnabledState",
        "EnabledState/Id",
        "Quality",
        "Quality/SourceTimestamp",
        "LastSeverity",
        "LastSeverity/SourceTimestamp",
        "Comment",
        "Comment/SourceTimestamp",
        "ClientUserId",
        "AckedState",
        "AckedState/Id",
        "ActiveState",
        "ActiveState/Id",
        "SuppressedOrShelved",
        "MaxTimeShelved",
        "ShelvingState/CurrentState",
        "ShelvingState/CurrentState/Id",
        "ShelvingState/UnshelveTime",
        "EventNumber",
        "AssetId",
        "Recipe",
        "Part",
        "Channel",
        "Detector",
        "Regime",
        "Cause",
        "Action",
        "Measured",
        "Predicted",
        "Residual",
        "Unit",
        "FalseAlarmIntervalAsked",
        "FalseAlarmIntervalDemonstrated",
    ];
    for field in filled {
        assert!(raised[field].is_string(), "{field}: {seen:#}");
        let empty = seen["empty"].as_array().unwrap();
        assert!(!empty.contains(&json!(field)), "{field}: {seen:#}");
    }
    assert_eq!(seen["at_the_machine"], "lift drive_state", "{seen:#}");
    assert_eq!(seen["told_twice"], 0, "{seen:#}");
    // One with limits: as it was stored.
    let limits = &seen["limits"];
    let stored = place
        .run(release_binary(), "events --json --state state")
        .fine();
    let stored: Vec<Value> = stored.of_type("event");
    let event = stored
        .iter()
        .find(|event| event["seq"] == limits["EventNumber"])
        .unwrap();
    assert_eq!(event["detector"], "fast_limit", "{event:#}");
    assert_eq!(limits["HighLimit"], event["limit"], "{event:#} {seen:#}");
    assert_eq!(
        limits["LowLimit"].as_f64(),
        event["limit"].as_f64().map(|limit| -limit)
    );
    for (field, key) in [("Measured", "measured"), ("Predicted", "predicted")] {
        assert_eq!(limits[field], event[key], "{event:#} {seen:#}");
    }
    let times = [&event["time_utc_ns"], &seen["time_utc_ns"]].map(|time| time.as_u64().unwrap());
    let late_ns = times[0].abs_diff(times[1]);
    assert!(
        late_ns < 3_000,
        "microseconds are what this client keeps: {late_ns}"
    );
    let side = if event["residual"].as_f64() > Some(0.0) {
        "High"
    } else {
        "Low"
    };
    assert_eq!(seen["limit_state"], side, "{seen:#}");
    let nodes = ["ActualVelocity", "PredictedVelocity"]
        .map(|name| format!("Machine/Components/lift/{name}"));
    assert_eq!(seen["nodes"], json!(nodes), "{seen:#}");
    // UNECE_to_OPCUA.csv of the OPC Foundation.
    assert_eq!(
        seen["units"],
        json!({"m/s": 5_067_859, "A": 4_279_632, "1": 4_404_786}),
        "{seen:#}"
    );
    // What stands is still told when the machine has gone, and what it is worth.
    assert_eq!(
        (&seen["gone"], &seen["gone_cycle"]),
        (&json!(true), &json!("BadNoCommunication")),
        "{seen:#}"
    );
    for (call, status) in [
        ("by_the_admin", "Good"),
        ("with_a_wrong_event", "BadEventIdUnknown"),
        ("comment", "Good"),
        ("shelve_too_long", "BadShelvingTimeOutOfRange"),
        ("shelve_for_nothing", "BadShelvingTimeOutOfRange"),
        ("shelve_in_words", "BadInvalidArgument"),
        ("long_comment", "BadInvalidArgument"),
        ("acknowledge_a_number", "BadInvalidArgument"),
        ("shelve", "Good"),
        ("unshelve", "Good"),
        ("one_shot", "Good"),
        ("acknowledge", "Good"),
        ("again", "BadConditionBranchAlreadyAcked"),
        ("refresh", "Good"),
        ("refresh_of_nobody", "BadSubscriptionIdInvalid"),
        ("refresh_of_an_item", "Good"),
        ("refresh_of_no_item", "BadMonitoredItemIdInvalid"),
        ("refresh_of_nothing", "BadInvalidArgument"),
        ("shelved", "TimedShelved"),
        ("one_shot_state", "OneShotShelved"),
        ("remarked_by", "eva"),
    ] {
        assert_eq!(seen[call], status, "{call}: {seen:#}");
    }
    assert_eq!(
        seen["by_the_viewer"],
        json!(vec!["BadUserAccessDenied"; 5]),
        "{seen:#}"
    );
    assert_eq!(
        seen["acknowledged_by"],
        json!(["eva", "fuse changed"]),
        "{seen:#}"
    );
    assert_eq!(seen["acked_node"], true, "{seen:#}");
    assert!(
        seen["refreshed"]
            .as_array()
            .unwrap()
            .contains(&json!("lift")),
        "{seen:#}"
    );
    // The desk knows, and who did what is written down.
    assert_eq!(seen["desk"], json!([["eva", "fuse changed"]]), "{seen:#}");
    let audit = ["comment", "shelve", "unshelve", "shelve", "acknowledge"];
    let mut audit: Vec<_> = audit.iter().map(|action| ["eva", *action]).collect();
    audit.insert(0, ["ada", "comment"]);
    assert_eq!(seen["audit"], json!(audit), "{seen:#}");
}

#[test]
fn nobody_is_let_in_unseen_but_where_that_is_asked_for() {
    if !has_opcua("nobody_is_let_in_unseen_but_where_that_is_asked_for") {
        return;
    }
    let place = Place::new();
    for (section, said) in [
        ("", "nobody could log in"),
        (
            "listen = \"0.0.0.0:0\"\ninsecure = true\n",
            "other computers do",
        ),
        ("tokens = \"none.toml\"\n", "none.toml"),
    ] {
        let _ = place.file("g.toml", format!("[opcua]\n{section}"));
        let run = place.run(
            release_binary(),
            "gateway --json --state state --config g.toml --listen 127.0.0.1:0",
        );
        assert_eq!(run.status.code(), Some(2), "{run:#?}");
        let words: Vec<_> = run
            .stderr
            .split_whitespace()
            .filter(|word| *word != "|")
            .collect();
        assert!(words.join(" ").contains(said), "{said}: {run:#?}");
    }
}

#[test]
fn a_crowd_is_let_in_as_far_as_there_are_places() {
    let test = "a_crowd_is_let_in_as_far_as_there_are_places";
    if !has_opcua(test) {
        return;
    }
    let Some(python) = python_with(test, "asyncua") else {
        return;
    };
    let place = Place::new();
    let (_gateway, url, _) = gateway(&place, "insecure = true\n");
    let script = root().join("tests/clients/opcua.py");
    let args = [script.to_str().unwrap(), &url, "crowd"];
    let output = place.command(&python, args).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    // As docs/opcua.md has them.
    assert_eq!(seen["sessions"], 32, "{seen:#}");
    assert_eq!(seen["session_refused"], "BadTooManySessions", "{seen:#}");
    assert_eq!(seen["subscriptions"], 8, "{seen:#}");
    assert_eq!(seen["items"], 2000, "{seen:#}");
    assert_eq!(seen["item_refused"], "BadTooManyMonitoredItems", "{seen:#}");
    assert_eq!(
        seen["subscription_refused"], "BadTooManySubscriptions",
        "{seen:#}"
    );
    assert_eq!(seen["served"].as_array().unwrap().len(), 32, "{seen:#}");
    assert_eq!(seen["late"], 0, "{seen:#}");
    // Connections that say nothing: 64 have a place for a while, and the others are told.
    let host = url.trim_start_matches("opc.tcp://").trim_end_matches('/');
    let silent: Vec<_> = (0..64).map(|_| TcpStream::connect(host).unwrap()).collect();
    let busy = 0x807d_0000_u32.to_le_bytes();
    let refused = answer(host, b"");
    assert!(
        refused.starts_with(b"ERRF") && refused[8..12] == busy,
        "{refused:?}"
    );
    let _ = answer(host, b"");
    let said = said(&place);
    let busy = "OPC UA: a connection was refused: 64 others are open; further";
    assert_eq!(said.matches(busy).count(), 1, "{said}");
    drop(silent);
    // Places are free again once the others have gone.
    until(|| answer(host, &hello()).starts_with(b"ACKF").then_some(()));
}
