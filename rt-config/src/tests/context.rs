//! `[context]`: who tells recipe and part, and terminals that they are told by.

use super::errors::wrong;
use crate::machine::{ContextFrom, Machine, PdoEntry, Teller, TellerPlace};
use crate::{PRESS_CELL, load, load_buses};
use twinstep_models::sample::Context;

const SWITCH: &str = include_str!("../../machines/switch-force.toml");

/// The press cell with a terminal of the controller, which tells what `context` says.
fn cell(context: &str) -> String {
    let terminal = "\
[[bus.subdevice]]
name = \"plc\"
inputs = [\"0x6000:01/16\", \"0x6000:02/8\"]
outputs = [\"0x7000:01/8\"]
";
    PRESS_CELL
        .replacen("\"gripper\",\n]", "\"gripper\", \"plc\",\n]", 1)
        .replacen(
            "[simulation]",
            &format!("{terminal}\n[context]\n{context}\n[simulation]"),
            1,
        )
}

fn built(text: &str) -> Machine {
    load(text, "it.toml").unwrap_or_else(|error| panic!("{}", error.plain()))
}

fn told(context: &str) -> ContextFrom {
    built(&cell(context)).context
}

const PART: &str = "part = { subdevice = \"plc\", object = \"0x6000:02/8\", values = [7, 9, 255] }";

#[test]
fn an_object_of_a_terminal_tells_the_part() {
    let machine = built(&cell(PART));
    let bus = machine.bus.as_ref().unwrap();
    let terminal = bus.subdevices.last().unwrap();
    assert_eq!((terminal.name.as_str(), terminal.terminal), ("plc", true));
    assert_eq!((terminal.outputs.len(), terminal.inputs.len()), (1, 2));
    assert!(bus.subdevices.iter().filter(|one| one.terminal).count() == 1);
    let part = machine.context.part.as_ref().unwrap();
    let expected = Teller {
        place: TellerPlace::Object {
            subdevice: 10,
            entry: PdoEntry {
                index: 0x6000,
                subindex: 2,
                bits: 8,
            },
            output: false,
        },
        numbers: vec![7, 9, 255],
        names: ["bush-a", "bush-b", "bush-long"]
            .map(str::to_owned)
            .to_vec(),
    };
    assert_eq!(part, &expected);
    assert!(machine.context.tells_part() && machine.context.recipe.is_none());
    let index = |number| part.index_of(number);
    assert_eq!([7, 9, 255].map(index), [0, 1, 2]);
    assert_eq!([0, 8, 263].map(index), [Context::UNKNOWN; 3]);
    assert_eq!(part.index_of_name("bush-b"), Some(1));
    // Without `values` they are counted from 0.
    let plain = told("part = { subdevice = \"plc\", object = \"0x6000:01/16\" }");
    assert_eq!(plain.part.unwrap().numbers, [0, 1, 2]);
    assert_eq!(built(PRESS_CELL).context, ContextFrom::default());
}

#[test]
fn the_part_follows_from_recipes_of_one_part() {
    let recipe = "recipe = { subdevice = \"plc\", object = \"0x6000:02/8\" }";
    let text = cell(recipe).replacen(
        "parts = [\"bush-a\", \"bush-b\"]",
        "parts = [\"bush-b\", \"bush-b\"]\n\n[[recipe]]\nname = \"b\"\nparts = [\"bush-a\"]",
        1,
    );
    let context = built(&text).context;
    assert!(context.tells_part() && context.part.is_none());
    assert_eq!(context.part_of, [1, 0]);
    assert_eq!(context.part_of(0), Some(1));
    assert_eq!(context.part_of(Context::UNKNOWN), Some(Context::UNKNOWN));
    // Of a recipe with several parts it does not follow.
    let base = cell(recipe);
    wrong(
        &base,
        "recipe = { subdevice",
        "recipe = { subdevice",
        "recipe a has several parts",
    );
}

#[test]
fn a_tap_hears_outputs_too_and_a_replayed_machine_reads_columns() {
    let output = "part = { subdevice = \"plc\", object = \"0x7000:01/8\" }";
    wrong(
        &cell(output),
        output,
        output,
        "twinstep writes the outputs of this bus itself",
    );
    let tapped = cell(output).replacen("[bus]\n", "[bus]\nkind = \"tap\"\n", 1);
    let part = built(&tapped).context.part.unwrap();
    assert!(matches!(
        part.place,
        TellerPlace::Object { output: true, .. }
    ));
    let read = |context: &str| {
        SWITCH.replacen(
            "[recording]",
            &format!("[context]\n{context}\n\n[recording]"),
            1,
        )
    };
    let column = "part = { column = \"switch\" }";
    let part = built(&read(column)).context.part.unwrap();
    assert_eq!(part.place, TellerPlace::Column("switch".to_owned()));
    assert_eq!(
        (part.numbers, part.names),
        (vec![0], vec!["switch".to_owned()])
    );
    let refused = |context: &str, words| wrong(&read(context), context, context, words);
    refused("part = { column = \"\" }", "a header of 1 to 128 bytes");
    refused(
        "part = { subdevice = \"plc\", object = \"0x6000:01/8\" }",
        "name the `column` of the recording instead",
    );
    refused("recipe = { column = \"r\" }", "add a table [[recipe]]");
}

#[test]
fn what_cannot_be_is_named() {
    let base = cell(PART);
    let at = |from, to, words| wrong(&base, from, to, words);
    at(
        "subdevice = \"plc\"",
        "subdevice = \"pls\"",
        "did you mean \"plc\"?",
    );
    at(
        "0x6000:02/8\", values",
        "0x6000:03/8\", values",
        "known: 0x6000:01/16",
    );
    at(
        "0x6000:02/8\", values",
        "0x6000:02/16\", values",
        "there is no object",
    );
    at(
        "0x6000:02/8\", values",
        "6000\", values",
        "the index is hexadecimal",
    );
    at(
        "subdevice = \"plc\", ",
        "",
        "write `subdevice` and `object`",
    );
    at(
        "subdevice = \"plc\", ",
        "column = \"x\", ",
        "or by a column",
    );
    at(
        "subdevice = \"plc\", object = \"0x6000:02/8\"",
        "column = \"x\"",
        "maps none",
    );
    at("[7, 9, 255]", "[7, 9]", "there are 3 tables [[part]]");
    at(
        "[7, 9, 255]",
        "[7, 9, 7]",
        "7 stands for two of the tables [[part]]",
    );
    at("[7, 9, 255]", "[7, 9, 256]", "does not fit into the 8 bits");
    at("values = [7", "value = [7", "did you mean `values`?");
    at("[context]", "[contex]", "did you mean `context`?");
    at(
        "subdevice = \"plc\", object = \"0x6000:02/8\"",
        "subdevice = \"gripper\", object = \"0x6000:02/8\"",
        "add a [[bus.subdevice]] with the object among its `inputs`",
    );
    let shared = base.replacen(
        "[judge]",
        "[shared]\nname = \"cell\"\n[shared.controller]\nliveness = \"5ms\"\n\n[judge]",
        1,
    );
    wrong(
        &shared,
        "part = {",
        "part = {",
        "tells recipe and part with every request",
    );
}

#[test]
fn a_terminal_has_ids_of_its_own_or_an_image() {
    let base = cell(PART);
    let at = |from: &str, to: &str, words| wrong(&base, from, to, words);
    // It is a SubDevice like others.
    at(
        "name = \"plc\"",
        "name = \"press\"",
        "the name \"press\" is taken already",
    );
    at(
        "\"0x6000:01/16\", ",
        "\"0x6000:01/12\", ",
        "the length is 8, 16 or 32 bits",
    );
    // The place of an axis has no ids.
    let place = "[[bus.subdevice]]\nname = \"press\"\nvendor_id = 2\n\n[context]";
    let base = base.replacen("[context]", place, 1);
    wrong(
        &base,
        "vendor_id = 2",
        "vendor_id = 3",
        "stand in its own table",
    );
    let image = cell(PART).replacen(
        "name = \"plc\"\n",
        "name = \"plc\"\nsii = \"el1008.sii\"\nvendor_id = 2\n",
        1,
    );
    wrong(
        &image,
        "vendor_id = 2",
        "vendor_id = 3",
        "follow from the image",
    );
    // On a real interface nothing else tells it from another SubDevice.
    let (head, rest) = cell(PART)
        .split_once("[simulation]")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let (_, tail) = rest.split_once("[[axis]]").unwrap();
    let real =
        format!("{head}[[axis]]{tail}").replacen("[bus]\n", "[bus]\ninterface = \"eth1\"\n", 1);
    wrong(
        &real,
        "name = \"plc\"",
        "name = \"plc\"",
        "plc is on a real interface and has no vendor_id and product_code",
    );
}

/// The press cell on two buses: `two` has the belt `infeed`, and the terminal where `terminal_on` says so.
pub(super) fn two_buses(terminal_on: &str) -> String {
    let (head, rest) = PRESS_CELL.split_once("[bus]\n").unwrap();
    let (_, tail) = rest.split_once("[simulation]").unwrap();
    let bus = |name: &str| {
        let terminal = "[[bus.subdevice]]\nname = \"plc\"\ninputs = [\"0x6000:01/8\"]\n";
        let terminal = if name == terminal_on { terminal } else { "" };
        format!("[[bus]]\nname = \"{name}\"\n{terminal}\n")
    };
    let context = "[context]\npart = { subdevice = \"plc\", object = \"0x6000:01/8\" }\n\n";
    let mut text = format!(
        "{head}{}{}{context}[simulation]{tail}",
        bus("one"),
        bus("two")
    );
    let names = "infeed outfeed gantry carriage cross insert lift pusher press gripper";
    for name in names.split(' ') {
        let on = if name == "infeed" { "two" } else { "one" };
        let line = format!("name = \"{name}\"\n");
        text = text.replacen(&line, &format!("{line}bus = \"{on}\"\n"), 1);
    }
    text
}

#[test]
fn a_press_is_told_its_part_on_its_own_bus() {
    let machines = load_buses(&two_buses("one"), "two.toml");
    let machines = machines.unwrap_or_else(|error| panic!("{}", error.plain()));
    assert!(machines[0].context.tells_part());
    assert_eq!(machines[1].context, ContextFrom::default());
    let base = two_buses("two");
    let subdevice = "subdevice = \"plc\"";
    wrong(
        &base,
        subdevice,
        subdevice,
        "this SubDevice is on the bus \"two\"",
    );
    wrong(
        &base,
        subdevice,
        "subdevice = \"plk\"",
        "there is no SubDevice \"plk\"",
    );
}

/// What the controller tells, all of it.
const OF_CONTROLLER: &str = r#"[context.tool]
names = ["gripper", "welder"]
controller = true
values = [7, 12]

[context.load]
names = ["empty", "full"]
controller = true
values = [0, 100000]

[context.temperature]
controller = true
bands = ["10degC", "20degC", "30degC"]

"#;
const CONTROLLER: &str = "[shared]\nname = \"cell\"\n[shared.controller]\nliveness = \"5ms\"\n\n";

#[test]
fn a_controller_tells_tool_load_and_temperature() {
    let base = PRESS_CELL.replacen("[judge]", &format!("{CONTROLLER}{OF_CONTROLLER}[judge]"), 1);
    let context = built(&base).context;
    let places = [&context.tool, &context.load].map(|one| one.as_ref().unwrap().place.clone());
    assert_eq!(places, [TellerPlace::Controller, TellerPlace::Controller]);
    // No object has to hold the number.
    assert_eq!(context.load.as_ref().unwrap().numbers, [0, 100_000]);
    let thermometer = context.temperature.as_ref().unwrap();
    assert_eq!(thermometer.place, TellerPlace::Controller);
    assert!(context.is_told() && context.is_told_by_controller() && !context.tells_part());
    assert!(!built(&cell(PART)).context.is_told_by_controller());
    let lone = base.replacen(CONTROLLER, "", 1);
    let told = "controller = true";
    let words = "a controller tells `tool`, and this machine has none";
    wrong(&lone, told, told, words);
    let table = "[context.tool]\nnames = [\"gripper\", \"welder\"]\n";
    let tool = format!("{table}controller = true\n");
    let at = |more: &str, words| wrong(&base, &tool, &format!("{table}{more}"), words);
    at("", "or `controller` alone");
    at("controller = false\n", "is told by an object");
    let object = "subdevice = \"lift\"\nobject = \"0x6000:01/8\"\n";
    at(
        &format!("controller = true\n{object}"),
        "or `controller` alone",
    );
    // Recipe and part it tells with every request.
    let part = "part = { column = \"x\" }";
    let both = format!("[context]\n{part}\n\n[context.tool]");
    wrong(
        &base.replacen("[context.tool]", &both, 1),
        part,
        "part = { controller = true }",
        "`controller` is not a key of this table",
    );
}

#[test]
fn a_controller_tells_on_each_bus_that_it_moves() {
    let text = two_buses("one");
    let (head, tail) = text.split_once("[context]").unwrap();
    let (_, tail) = tail.split_once("[simulation]").unwrap();
    let text = format!("{head}{CONTROLLER}{OF_CONTROLLER}[simulation]{tail}");
    let machines = load_buses(&text, "two.toml");
    let machines = machines.unwrap_or_else(|error| panic!("{}", error.plain()));
    // The second one has no press.
    assert!(machines[1].presses.is_empty());
    for machine in &machines {
        assert!(machine.context.is_told_by_controller(), "{}", machine.name);
        assert_eq!(machine.context.temperature, machines[0].context.temperature);
    }
}
