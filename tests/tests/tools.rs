//! A lift that carries another load with another tool, which a terminal tells: events carry the tool, `calibrate` learns rows of each, and by
//! them a healthy machine is quiet and a fault is found. A temperature beside it is known by its bands. Tests that commission a machine run
//! in processes of their own.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::path::PathBuf;
use twinstep_tests::cell::{demo, found, general, left_out, raised, tables, without_recipe};
use twinstep_tests::release_binary;
use twinstep_tests::run::{Place, Run, shipped};

/// Two recipes in turn; the second is worked with the other tool, which weighs 15 kg more: 60 % of the lift's friction.
const TWO: &str = r#"
[[recipe]]
name = "heavy"
parts = ["bush-a", "bush-b"]

[[schedule]]
recipe = "a"
strokes = 4

[[schedule]]
recipe = "heavy"
strokes = 4

[[simulation.told]]
recipe = "heavy"
tool = "welder"
temperature = "24degC"
"#;
const PAYLOAD: &str = "[[axis.plant.payload]]\nrecipe = \"heavy\"\nmass = \"15kg\"\n\n";
const TERMINAL: &str = r#"[[bus.subdevice]]
name = "plc"
inputs = ["0x6000:01/8", "0x6000:02/16", "0x6000:03/8", "0x6000:04/8"]

[context.tool]
names = ["gripper", "welder"]
subdevice = "plc"
object = "0x6000:01/8"
values = [7, 12]

"#;
/// Tells recipe and part beside the temperature: then all of it comes with the bytes of one cycle.
const TELLS: &str = r#"[context.recipe]
subdevice = "plc"
object = "0x6000:03/8"

[context.part]
subdevice = "plc"
object = "0x6000:04/8"

[context.temperature]
subdevice = "plc"
object = "0x6000:02/16"
scale = "0.1degC"
bands = ["10degC", "20degC", "30degC"]

"#;
/// Friction of the lift that is 20 % up.
const FAULT: &str = "--inject friction:lift:factor=1.2@15s";

/// The shipped machine with the terminal, which tells what `more` says too; `twin`: commissioned as it was shipped.
fn cell(more: &str, twin: bool) -> String {
    let text = std::fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let lift = text.find("name = \"lift\"").unwrap();
    let at = lift + text[lift..].find("[axis.twin]").unwrap();
    let payload = if twin { "" } else { PAYLOAD };
    let text = format!("{}{payload}{}", &text[..at], &text[at..]);
    let (head, tail) = text.split_once("[simulation]").unwrap();
    let head = head.replace("\"gripper\",\n]", "\"gripper\", \"plc\",\n]");
    assert!(head.contains("plc"), "{head}");
    format!("{head}{TERMINAL}{more}[simulation]{tail}{TWO}")
}

/// The same without a temperature, which nobody commissioned.
fn bare() -> String {
    cell("", false).replace("temperature = \"24degC\"\n", "")
}

/// What a run of a minute raises, and what of the lift was left out for its context.
fn run(text: &str, more: &str) -> (Vec<Value>, u64) {
    let place = Place::new();
    let config = place.file("cell.toml", text);
    let run = demo(&place, &config, 60_000, more);
    (raised(&run), left_out(&run, "lift"))
}

/// A row of a twin that is of this tool alone.
fn is_row(table: &str, tool: &str) -> bool {
    let of_twin = table.starts_with("[[axis.twin.") || table.starts_with("[[press.twin.");
    let of_recipe = table.contains("\nrecipe = \"");
    of_twin && !of_recipe && table.contains(&format!("\ntool = \"{tool}\"\n"))
}

#[test]
fn events_carry_tool_and_temperature_and_a_replay_tells_them_again() {
    let place = Place::new();
    let machine = place.file("cell.toml", cell(TELLS, true));
    let check = place.twinstep(&format!("check {}", machine.display()));
    let check = check.fine();
    for told in [
        "tool told by plc, input 0x6000:01/8: 7 gripper, 12 welder",
        "temperature told by plc, input 0x6000:02/16: 10..20degC, 20..30degC",
    ] {
        assert!(check.stdout.contains(told), "{}", check.stdout);
    }
    let record = place.path("run.mcap");
    let more = format!(
        "--record {} --seed 3 --inject friction:lift:factor=2@10s",
        record.display()
    );
    let run = demo(&place, &machine, 40_000, &more);
    let raised = raised(&run);
    assert!(found(&raised, "lift"), "{raised:#?}");
    let mut seen = std::collections::BTreeSet::new();
    for event in run.of_type("event") {
        let context = &event["context"];
        let word = |key: &str| context[key].as_str().unwrap_or_default().to_owned();
        let told = (word("recipe"), word("tool"), word("temperature"));
        let (recipe, tool, band) = (told.0.as_str(), told.1.as_str(), told.2.as_str());
        // The next part is told when the ram has left the last one, the tool when it stands at the top.
        assert!(["a", "heavy"].contains(&recipe), "{event}");
        let known = [("gripper", "10..20degC"), ("welder", "20..30degC")];
        assert!(known.contains(&(tool, band)), "{event}");
        assert_eq!(context.get("load"), None, "{event}");
        seen.insert(told);
    }
    assert!(!seen.is_empty());
    let never = serde_json::json!({"unknown_cycles": 0, "unknown": 0});
    assert_eq!(run.summary()["context"], never);
    let again = place.twinstep(&format!("replay {} --json", record.display()));
    let again = again.fine();
    assert_eq!(again.summary()["digest"], run.summary()["digest"]);
    let contexts = |run: &Run| -> Vec<Value> {
        let events = run.of_type("event").into_iter();
        events.map(|event| event["context"].clone()).collect()
    };
    assert_eq!(contexts(&again), contexts(&run));
}

#[test]
fn a_temperature_outside_of_all_bands_is_said_once_and_counted() {
    let place = Place::new();
    let text = cell(TELLS, true).replace("\"24degC\"", "\"-40.5degC\"");
    let machine = place.file("cell.toml", text);
    let run = demo(&place, &machine, 40_000, "--seed 3");
    let raised = raised(&run);
    let unknown: Vec<&Value> = (raised.iter())
        .filter(|event| event["channel"] == "context")
        .collect();
    let [one] = unknown[..] else {
        panic!("{raised:#?}");
    };
    assert_eq!(one["measured"], -40.5, "{one}");
    assert_eq!(one["context"]["tool"], "welder", "{one}");
    assert_eq!(one["context"].get("temperature"), None, "{one}");
    let counted = run.summary()["context"]["unknown_cycles"].as_u64().unwrap();
    assert!((1_000..39_000).contains(&counted), "{counted}");
    // No row is of a temperature, so everything is judged: nothing else is said.
    assert_eq!(raised.len(), 1, "{raised:#?}");
    // Presses are judged on.
    let strokes = run.of_type("stroke");
    let heavy = strokes.iter().filter(|stroke| stroke["recipe"] == "heavy");
    assert!(heavy.count() > 0, "{strokes:#?}");
}

/// Recordings of three minutes of commissioning.
fn recorded(place: &Place) -> Vec<PathBuf> {
    let config = place.file("cell.toml", bare());
    let seeds = [101, 102, 103].into_iter();
    let records = seeds.map(|seed| {
        let record = place.path(&format!("{seed}.csv"));
        let args = format!("--seed {seed} --record {}", record.display());
        let _ = demo(place, &config, 60_000, &args);
        let text = std::fs::read_to_string(&record).unwrap();
        place.file(&format!("{seed}-tools.csv"), without_recipe(&text))
    });
    records.collect()
}

#[test]
fn a_machine_is_judged_by_the_rows_of_each_tool() {
    let place = Place::new();
    let records = recorded(&place);
    let config = place.file("cell.toml", bare());
    let records: Vec<String> = records.iter().map(|r| r.display().to_string()).collect();
    let args = format!(
        "calibrate {} {} --write",
        config.display(),
        records.join(" ")
    );
    let shown = place.run(release_binary(), &args).fine().stdout;
    let machine = std::fs::read_to_string(&config).unwrap();
    for tool in ["gripper", "welder"] {
        for rows in ["baseline", "pace"] {
            let head = format!("[[axis.twin.{rows}]]");
            let own = tables(&machine, |table| {
                table.starts_with(&head) && is_row(table, tool)
            });
            let count = own.matches(&head).count();
            assert!(count > 1, "{count} {head} of {tool}");
        }
        let words = format!("A, healthy in tool {tool}");
        let row = |line: &&str| line.starts_with("lift") && line.ends_with(&words);
        let rows = shown.lines().filter(row).count();
        assert!(rows >= 4, "{rows} rows of {tool}: {shown}");
    }
    for seed in [5, 6] {
        let (raised, left_out) = run(&machine, &format!("--seed {seed}"));
        assert!(raised.is_empty(), "seed {seed}: {raised:#?}");
        // At each change of tool a movement is under way, or none.
        assert!(left_out <= 6, "seed {seed}: {left_out}");
    }
    let (raised, _) = run(&machine, &format!("--seed 5 {FAULT}"));
    assert!(found(&raised, "lift"), "{raised:#?}");
    for event in &raised {
        assert_eq!(event["source"], "lift", "{event}");
        assert_eq!(event["cause"], "friction increased", "{event}");
        let tool = event["context"]["tool"].as_str().unwrap();
        assert!(["gripper", "welder"].contains(&tool), "{event}");
    }
    // Rows of one tool in all: the other tool is taken for a fault.
    let one = tables(&machine, |table| !is_row(table, "welder"));
    let (raised, left_out) = run(&one, "--seed 5");
    assert!(raised.is_empty() && left_out > 10, "{left_out} {raised:#?}");
    let general = general(&one, "tool", "gripper");
    let (raised, _) = run(&general, "--seed 5");
    assert!(found(&raised, "lift"), "{raised:#?}");
}
