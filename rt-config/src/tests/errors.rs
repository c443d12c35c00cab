//! Every kind of error, at its line.

use super::{REPLAY, without_twins};
use crate::{MAX_PROBLEMS, PRESS_CELL, load};

/// Replaces `from` in `base` once, and expects a problem on its line that says `words`.
pub(super) fn wrong(base: &str, from: &str, to: &str, words: &str) {
    let at = base
        .find(from)
        .unwrap_or_else(|| panic!("{from} is not there"));
    let text = format!("{}{to}{}", &base[..at], &base[at + from.len()..]);
    let line = base[..at].matches('\n').count() + 1;
    let error = load(&text, "it.toml").expect_err(to);
    let plain = error.plain();
    let found = plain
        .lines()
        .any(|told| told.starts_with(&format!("it.toml:{line}:")) && told.contains(words));
    assert!(
        found && !words.is_empty(),
        "{from} -> {to}: expected line {line} and \"{words}\" in\n{plain}"
    );
}

#[test]
fn every_kind_of_error_points_at_its_line() {
    let cell = |from, to, words| wrong(PRESS_CELL, from, to, words);
    // The file as TOML: the reader's own words.
    cell("[cycle]", "[cycle", "unclosed table");
    cell("period = \"1ms\"", "period = 1ms", "write text in quotes");
    cell(
        "lead = \"150mm\"",
        "lead = \"150mm\"; lead = \"1mm\"",
        "unexpected key or value",
    );
    cell(
        "counts_per_rev = 1048576",
        "lead = \"1mm\"",
        "duplicate key",
    );
    // Keys.
    cell(
        "rated_current = ",
        "rated_curent = ",
        "did you mean `rated_current`?",
    );
    cell("[simulation]", "[simulatoin]", "did you mean `simulation`?");
    cell("to = \"750mm\"", "too = \"750mm\"", "did you mean `to`?");
    cell(
        "wake = \"50us\"",
        "wakeup = \"50us\"",
        "Allowed here: wake, send, predict",
    );
    // Types and units.
    cell("\"150mm\"", "150", "needs a unit");
    cell("\"150mm\"", "\"150\"", "it has no unit");
    cell("\"150mm\"", "\"150kg\"", "allowed units: m, cm, mm, um, nm");
    cell("\"150mm\"", "\"mm\"", "does not begin with a number");
    cell("\"150mm\"", "\"1e400mm\"", "too large");
    cell("\"150mm\"", "[1]", "expected a length such as \"10mm\"");
    cell("\"150mm\"", "true", "expected a length");
    cell("\"150mm\"", "nan", "expected a length");
    cell("1048576", "\"1048576mm\"", "expected a number");
    cell(
        "machine_seed = 1",
        "machine_seed = -1",
        "expected a whole number, 0 or more",
    );
    cell("\"30days\"", "\"30A\"", "min, h, d, day, days, month");
    // Ranges.
    cell("\"150mm\"", "\"-150mm\"", "must be more than 0m");
    cell("\"150mm\"", "\"0mm\"", "must be more than 0m");
    cell("\"8kg\"", "\"0kg\"", "more than 0kg");
    cell("period = \"1ms\"", "period = \"11ms\"", "31.25us to 10ms");
    cell("period = \"1ms\"", "period = \"30us\"", "31.25us to 10ms");
    cell(
        "period = \"1ms\"",
        "period = \"1000.0005us\"",
        "no whole number of nanoseconds",
    );
    cell(
        "slack = \"100us\"",
        "slack = \"300us\"",
        "more than the period of 1ms",
    );
    cell(
        "frame_shift = \"200us\"",
        "frame_shift = \"1ms\"",
        "out of range",
    );
    cell("efficiency = 0.98", "efficiency = 1.1", "at most 1");
    cell(
        "static_ratio = 1.25",
        "static_ratio = 0.9",
        "at least 1 and at most 10",
    );
    cell("direction = -1", "direction = 2", "write 1");
    cell(
        "max_torque_permille = 2000",
        "max_torque_permille = 0",
        "could never move",
    );
    cell(
        "max_torque_permille = 2000",
        "max_torque_permille = 70000",
        "expected a whole number from 0 to 65535",
    );
    cell("start = \"50mm\"", "start = \"5km\"", "allowed units");
    cell("to = \"750mm\"", "to = \"750m\"", "32 bits of 0x607A");
    cell(
        "{ to = \"750mm\", dwell = \"300ms\" }",
        "{ to = \"750mm\", velocity = \"2m/s\" }",
        "more than the axis' own limit",
    );
    cell(
        "{ to = \"750mm\", dwell = \"300ms\" }",
        "{ to = \"50mm\" }",
        "takes no time",
    );
    // Names and references.
    cell(
        "name = \"infeed\"",
        "name = \"In feed\"",
        "a to z, 0 to 9, _ and -",
    );
    cell("name = \"infeed\"", "name = \"\"", "a to z");
    cell("name = \"infeed\"", "name = \"bus\"", "fault target");
    cell("name = \"outfeed\"", "name = \"infeed\"", "taken already");
    cell("name = \"bush-b\"", "name = \"bush-a\"", "taken already");
    cell(
        "\"press\", \"gripper\",",
        "\"pres\", \"gripper\",",
        "did you mean \"press\"?",
    );
    cell(
        "\"press\", \"gripper\",",
        "\"gripper\", \"gripper\", \"press\"",
        "taken already",
    );
    cell(
        "subdevices = [\n    \"infeed\", \"outfeed\",",
        "subdevices = [\n",
        "leaves out infeed, outfeed",
    );
    cell(
        "parts = [\"bush-a\", \"bush-b\"]",
        "parts = [\"bush-a\", \"bush-c\"]",
        "did you mean \"bush-a\"?",
    );
    cell(
        "parts = [\"bush-a\", \"bush-b\"]",
        "parts = []",
        "has no part",
    );
    cell(
        "name = \"press cell\"",
        "name = \"press\\ncell\"",
        "one line",
    );
    // The press.
    cell(
        "approach = \"148mm\"",
        "approach = \"30mm\"",
        "not beyond `top`",
    );
    cell(
        "bottom = \"155mm\"",
        "bottom = \"148mm\"",
        "not beyond `approach`",
    );
    cell(
        "press_velocity = \"15mm/s\"",
        "press_velocity = \"15m/s\"",
        "more than the press' own limit",
    );
    cell(
        "contact = \"150mm\"",
        "contact = \"120mm\"",
        "outside the pressing way of press",
    );
    cell(
        "stiffness = \"1.6N/um\"",
        "stiffness = \"90N/um\"",
        "N at its largest torque",
    );
    // Process data.
    cell(
        "direction = -1",
        "outputs = [\"0x6040\"]",
        "target position 0x607A",
    );
    cell(
        "direction = -1",
        "inputs = [\"0x6041\", \"0x6064\", \"0x9999\"]",
        "none of the known CiA 402 objects",
    );
    cell(
        "direction = -1",
        "inputs = [\"0x6041\", \"0x6041\", \"0x6064\"]",
        "in the list already",
    );
    // Faults.
    cell(
        "machine_seed = 1",
        "inject = [\"load:infeed:mass=1\"]\nmachine_seed = 1",
        "`mass` of the fault load",
    );
}

#[test]
fn missing_keys_and_tables_are_named() {
    wrong(
        PRESS_CELL,
        "[cycle]\nperiod = \"1ms\"",
        "[cycle]",
        "[cycle] needs the key `period`",
    );
    wrong(
        PRESS_CELL,
        "lead = \"150mm\"\n",
        "",
        "[axis.drive] needs the key `lead`",
    );
    let bare = "[machine]\nname = \"x\"\n[cycle]\nperiod = \"1ms\"\n";
    wrong(
        &format!("{bare}[simulation]\n"),
        "[simulation]",
        "[simulation]",
        "needs the key `machine_seed`",
    );
    wrong(
        bare,
        "name = \"x\"",
        "name = \"x\"",
        "no axis, no press and no station",
    );
    let simulated = format!("{bare}[simulation]\nmachine_seed = 1\n[[axis]]\nname = \"a\"\n");
    wrong(
        &simulated,
        "name = \"a\"",
        "name = \"a\"",
        "a needs the table [axis.drive] on a bus",
    );
    wrong(
        &simulated,
        "name = \"a\"",
        "name = \"a\"",
        "a needs the table [axis.plant] to be simulated",
    );
    let station = without_twins(PRESS_CELL).replace("[station.plant]", "[station.twins]");
    let error = load(&station, "x").unwrap_err();
    assert!(
        error.plain().contains("unknown") || error.plain().contains("not a key"),
        "{}",
        error.plain()
    );
    assert!(
        load("", "empty.toml")
            .unwrap_err()
            .plain()
            .starts_with("empty.toml:1:1: ")
    );
}

#[test]
fn a_real_interface_needs_identities() {
    let real = PRESS_CELL
        .replace("[simulation]\nmachine_seed = 1\n", "")
        .replace("[bus]\n", "[bus]\ninterface = \"eth1\"\n");
    wrong(
        &real,
        "name = \"infeed\"",
        "name = \"infeed\"",
        "has no vendor_id and product_code",
    );
    wrong(
        &real,
        "\"eth1\"",
        "\"eth 1/x\"",
        "no name of a network interface",
    );
}

#[test]
fn signatures_are_checked() {
    let start = REPLAY.find("[axis.twin]").unwrap();
    let end = REPLAY.find("[recording]").unwrap();
    let signature = r#"[axis.signature]
screw_lead = "5mm"
settle = "1.6s"
[axis.healthy]
movements = 50
degrees_of_freedom = 8.0
movement_time = "13s"
load_sigma = "8N"
friction_sigma = "14N"
hunting_sigma = 0.25
roughness_sigma = 0.14
ripple_sigma = 0.3
unrest_sigma = 0.06
lubrication_sigma = 0.9
backlash_sigma = 0.8
spalling_sigma = 0.9
[[axis.healthy.load]]
load = "-220N"
friction = "930N"
hunting = "0.17mm"
roughness = "0.25mm"
ripple = "18N"
unrest = "70N"
"#;
    let text = format!("{}{signature}{}", &REPLAY[..start], &REPLAY[end..]);
    load(&text, "signature.toml").unwrap();
    let check = |from, to, words| wrong(&text, from, to, words);
    check(
        "screw_lead = \"5mm\"",
        "screw_lead = \"0mm\"",
        "more than 0m",
    );
    check("settle = \"1.6s\"", "settle = \"-1s\"", "at least 0s");
    check(
        "friction = \"930N\"",
        "friction = \"930A\"",
        "expected a force",
    );
    check("hunting_sigma = 0.25", "hunting_sigma = 0", "more than 0");
    check(
        "degrees_of_freedom = 8.0",
        "degrees_of_freedom = 0",
        "at least 1",
    );
    check(
        "name = \"a\"\n[axis.signature]\nscrew_lead = \"5mm\"\nsettle = \"1.6s\"\n",
        "name = \"a\"\n",
        "needs [axis.signature]",
    );
    let from = text.find("[[axis.healthy.load]]").unwrap();
    let loads = &text[from..text.find("[recording]").unwrap()];
    check(
        loads,
        &loads.repeat(9),
        "9 loads, and an axis can have 1 to 8",
    );
}

#[test]
fn a_tapped_bus_is_checked() {
    let tap = |keys: &str| PRESS_CELL.replacen("[bus]\n", &format!("[bus]\n{keys}"), 1);
    let all = tap(
        "kind = \"tap\"\ninterface = \"eth1\"\nreturned_interface = \"eth2\"\norder = \"outputs_first\"\n",
    );
    let bus = load(&all, "tap.toml").unwrap().bus.unwrap();
    let expected = crate::machine::Tap {
        returned_interface: Some("eth2".into()),
        order: Some(crate::machine::ImageOrder::OutputsFirst),
    };
    assert_eq!(bus.tap, Some(expected));
    let ours = tap("kind = \"main_device\"\n");
    assert_eq!(load(&ours, "tap.toml").unwrap().bus.unwrap().tap, None);
    let check = |from, to, words| wrong(&all, from, to, words);
    check(
        "kind = \"tap\"",
        "kind = \"tab\"",
        "\"tap\", where it only listens",
    );
    check("\"outputs_first\"", "\"soem\"", "outputs_first");
    check("\"eth2\"", "\"eth 2\"", "`returned_interface` is no name");
    let ours = tap("order = \"inputs_first\"\n");
    wrong(
        &ours,
        "order = \"inputs_first\"",
        "order = \"outputs_first\"",
        "`order` is of a tap",
    );
}

#[test]
fn twins_and_recordings_are_checked() {
    let replay = |from, to, words| wrong(REPLAY, from, to, words);
    load(REPLAY, "replay.toml").unwrap();
    replay(
        "mass = \"10kg\"",
        "force_constant = \"1N/A\"\nmass = \"10kg\"",
        "no meaning here",
    );
    replay(
        "velocity_gain = \"5N s/m\"",
        "velocity_gain = \"5A s/m\"",
        "allowed units: N s/m",
    );
    replay("limit = \"10N\"", "limit = \"10A\"", "expected a force");
    replay(
        "\"acceleration\"",
        "\"accelerating\"",
        "there is no judged regime",
    );
    replay("sigma = \"1N\"", "sigma = \"0N\"", "more than 0N");
    replay(
        "position_limit = \"1um\"",
        "stribeck = \"1N\"\nposition_limit = \"1um\"",
        "`stribeck_velocity` beside it",
    );
    replay("unit = \"ms\"", "unit = \"mm\"", "allowed units: s, ms");
    replay("factor = -3.5", "factor = 0", "`factor` is 0");
    replay("column = \"p\"", "column = \"\"", "header");
    replay(
        "axis = \"a\"",
        "axis = \"b\"",
        "there is no axis or press \"b\"",
    );
    replay("position =", "positions =", "is not a key");
    replay(
        "axis = \"a\"\nposition =",
        "axis = \"a\"\nfollowing_error = { column = \"e\" }\nposition =",
        "either `position` or `following_error`",
    );
    replay(
        "axis = \"a\"\nposition =",
        "axis = \"a\"\nfollowing_error =",
        "`following_error` of a needs the reference",
    );
    replay(
        "axis = \"a\"\nposition =",
        "axis = \"a\"\ncurrent_magnitude = true\nposition =",
        "`current_magnitude` of a needs the reference",
    );
    // A current instead of a force needs the force constant, and currents everywhere.
    let current = REPLAY.replace("unit = \"N\"", "unit = \"A\"");
    wrong(
        &current,
        "mass = \"10kg\"",
        "mass = \"10kg\"",
        "needs `force_constant`",
    );
    wrong(
        &current,
        "limit = \"10N\"",
        "limit = \"10N\"",
        "expected a current",
    );
    // A drive on a bus measures a current.
    let bus = REPLAY.replace("[cycle]", "[bus]\n[cycle]");
    wrong(
        &bus,
        "unit = \"N\"",
        "unit = \"N\"",
        "its drive on the bus measures a current",
    );
}

#[test]
fn several_problems_are_told_at_once_in_the_order_of_the_text() {
    let text = PRESS_CELL
        .replace("\"150mm\"", "\"150kg\"")
        .replace("acceleration = \"6m/s2\"", "acceleration = 6");
    let error = load(&text, "it.toml").unwrap_err();
    let places: Vec<usize> = error.problems().map(|problem| problem.at.0).collect();
    assert!(places.len() >= 3, "{}", error.plain());
    assert!(places.is_sorted());
    let many = PRESS_CELL.replace('N', "X").replace("mm", "A");
    let error = load(&many, "it.toml").unwrap_err();
    assert_eq!(error.problems().count(), MAX_PROBLEMS);
    assert!(error.plain().contains(" more"));
}

#[test]
fn faults_in_the_configuration_are_read() {
    let text = PRESS_CELL.replace(
        "machine_seed = 1",
        "machine_seed = 1\ninject = [\"friction:infeed:factor=1.2@10s\"]",
    );
    let cell = load(&text, "x").unwrap();
    assert_eq!(
        cell.inject[0].to_string(),
        "friction:infeed:factor=1.2@10000000000ns"
    );
}

#[test]
fn a_report_shows_every_line_that_is_wrong() {
    let text = PRESS_CELL.replacen("\"150mm\"", "\"150kg\"", 1).replacen(
        "jerk = \"120m/s3\"",
        "jerk = \"120m/s\"",
        1,
    );
    let error = load(&text, "cell.toml").unwrap_err();
    let mut report = String::new();
    miette::NarratableReportHandler::new()
        .render_report(&mut report, &error)
        .unwrap();
    for part in [
        "cell.toml",
        "lead = \"150kg\"",
        "jerk = \"120m/s\"",
        "m/s3, mm/s3",
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }
}
