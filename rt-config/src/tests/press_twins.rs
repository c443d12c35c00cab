//! What presses of one machine have learnt of the same part.

use super::context::two_buses;
use crate::machine::{Machine, PartTwin};
use crate::patch::{apply_patch, twin_patch};
use crate::{load, load_buses};
use twinstep_models::press::evaluate::envelope::Envelope;

const CRANK: &str = include_str!("../../machines/crank-press.toml");

/// Two presses alike behind cranks, with `learnt` at the end of their part.
fn two_presses(learnt: &str) -> String {
    let (head, rest) = CRANK.split_once("[[press]]").unwrap();
    let (press, rest) = rest.split_once("[[part]]").unwrap();
    let (part, map) = rest.split_once("[recording]").unwrap();
    let second = press.replacen("name = \"ram\"", "name = \"second\"", 1);
    format!(
        "{head}[[press]]{press}[[press]]{second}[[part]]{part}{learnt}\n[[recipe]]\nname = \"a\"\nparts = [\"blank\"]\n\n\
         [recording]{map}\n[[recording.axis]]\naxis = \"second\"\n\
         position = {{ column = \"motor2_deg\", unit = \"deg\" }}\ncurrent = {{ column = \"current2_a\" }}\n"
    )
}

fn built(text: &str) -> Machine {
    load(text, "it.toml").unwrap_or_else(|error| panic!("{}", error.plain()))
}

const OTHER: &str =
    "[[part.press_twin]]\npress = \"second\"\ncontact = \"100.1mm\"\nstiffness = \"1.4kN/mm\"\n";

#[test]
fn each_press_has_its_own_and_it_goes_through_a_patch() {
    let in_a = OTHER.replace("press = ", "recipe = \"a\"\npress = ");
    let text = two_presses(&format!("{OTHER}{in_a}"));
    let mut machine = built(&text);
    let own = machine.learnt_on(1, 0);
    assert_eq!(own.twin.map(|twin| twin.contact_m), Some(0.1001));
    assert_eq!(
        own.of(Some(0)).map(|twin| twin.stiffness_n_per_m),
        Some(1.4e6)
    );
    assert!(machine.learnt_on(0, 0).is_empty());
    let envelope = Envelope {
        x_min_m: 0.101,
        x_max_m: 0.118,
        lower_n: std::array::from_fn(|n| n as f64 - 0.125),
        upper_n: std::array::from_fn(|n| n as f64 + 0.125),
    };
    let twin = |contact_m| PartTwin {
        contact_m,
        envelope: Some(envelope),
        ..machine.parts[0].as_configured()
    };
    let (first, second) = (twin(0.1), twin(0.1002));
    for (press, learnt) in [(0, first), (1, second)] {
        let (general, by_recipe) = machine.learnt_on_mut(press, 0).unwrap();
        *general = Some(learnt);
        *by_recipe = vec![(0, learnt)];
    }
    let merged = apply_patch(&text, &twin_patch(&machine)).unwrap();
    let again = built(&merged);
    assert_eq!(again.parts, machine.parts, "{merged}");
    // Nothing learnt is nothing written.
    let mut bare = built(&two_presses(""));
    assert!(bare.learnt_on_mut(1, 0).is_some());
    assert_eq!(twin_patch(&bare), "");
}

#[test]
fn what_no_press_can_have_learnt_is_refused() {
    for (learnt, words) in [
        (
            OTHER.replace("\"second\"", "\"third\""),
            "there is no press \"third\"",
        ),
        (
            OTHER.replace("\"second\"", "\"ram\""),
            "what ram learnt of a part stands in `twin` and `recipe_twin`",
        ),
        (
            format!("{OTHER}{OTHER}"),
            "what second learnt of blank is there twice",
        ),
        (
            OTHER.replace("press = ", "recipe = \"z\"\npress = "),
            "there is no recipe \"z\"",
        ),
        (
            OTHER.replace("stiffness = \"1.4kN/mm\"", "factor = 1"),
            "needs `stiffness`, and that alone",
        ),
    ] {
        let error = load(&two_presses(&learnt), "it.toml").expect_err(words);
        let error = error.plain();
        assert!(error.contains(words), "{words} is not in\n{error}");
    }
}

#[test]
fn a_press_learns_one_band_of_a_part_in_a_recipe() {
    let envelope = |name: &str, more: &str| {
        format!(
            "[[press.evaluation]]\nname = \"{name}\"\nkind = \"envelope\"\npart = \"blank\"\nx = [\"101mm\", \"118mm\"]\n{more}\n[[part]]"
        )
    };
    let text = |more: &str| {
        let first = CRANK.replacen("[[part]]", &envelope("one", ""), 1);
        let both = first.replacen("[[part]]", &envelope("two", more), 1);
        format!("{both}\n[[recipe]]\nname = \"a\"\nparts = [\"blank\"]\n")
    };
    built(&text("recipe = \"a\"\n"));
    let error = load(&text("branch = \"return\"\n"), "it.toml").expect_err("twice");
    let error = error.plain();
    assert!(
        error.contains("an envelope of the same part and recipe already"),
        "{error}"
    );
}

/// The press cell on two buses, with `learnt` at the end of its first part. The bus `one` has the presses `press` and `second`, the bus `two`
/// the press `third`.
fn three_presses(learnt: &str) -> String {
    let text = two_buses("").replacen(
        "[context]\npart = { subdevice = \"plc\", object = \"0x6000:01/8\" }\n",
        "",
        1,
    );
    let (head, rest) = text.split_once("[[press]]").unwrap();
    let (press, rest) = rest.split_once("[[station]]").unwrap();
    let (first, others) = rest.split_once("[[part]]\nname = \"bush-b\"").unwrap();
    let another = |name: &str, bus: &str| {
        let from = "name = \"press\"\nbus = \"one\"\nasset_id = \"CELL-07-PRESS\"\n";
        assert!(press.contains(from), "{press}");
        press.replacen(from, &format!("name = \"{name}\"\nbus = \"{bus}\"\n"), 1)
    };
    format!(
        "{head}[[press]]{press}[[press]]{}[[press]]{}[[station]]{first}{learnt}\n[[part]]\nname = \"bush-b\"{others}",
        another("second", "one"),
        another("third", "two")
    )
}

/// Would show a bus that refuses, or takes for its own, what the press of another bus has learnt.
#[test]
fn each_bus_keeps_what_its_own_presses_have_learnt() {
    let text = three_presses(&OTHER.replace("100.1mm", "150.2mm"));
    let machines = load_buses(&text, "it.toml").unwrap_or_else(|error| panic!("{}", error.plain()));
    let [one, two] = &machines[..] else {
        panic!("{} machines", machines.len());
    };
    let names = |machine: &Machine| {
        let names = machine.presses.iter().map(|press| press.axis.name.clone());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(one), ["press", "second"]);
    assert_eq!(names(two), ["third"]);
    let own = one.learnt_on(1, 0).twin.map(|twin| twin.contact_m);
    assert_eq!(own, Some(0.1502));
    assert!(two.parts.iter().all(|part| part.by_press.is_empty()));
    // What stands in the part itself is of the first press with a screw of all buses. That of another bus predicts with it as long as it has
    // learnt nothing by itself, and takes no band from it.
    let learnt = |machine: &Machine| machine.learnt_on(0, 0).twin.map(|twin| twin.contact_m);
    assert_eq!(learnt(one), Some(0.15003131842660905));
    assert_eq!((one.home_press(), one.lends()), (Some(0), Some("press")));
    assert_eq!(learnt(two), None);
    assert_eq!((two.home_press(), two.lends()), (None, Some("press")));
    assert_eq!(two.known_on(0, 0).twin, one.learnt_on(0, 0).twin);
    // Part by part: of another part nobody but the home press has learnt anything.
    assert!(one.learnt_on(1, 1).is_empty());
    assert_eq!(one.known_on(1, 1).twin, one.learnt_on(0, 1).twin);
}

/// Would show two rules for the press whose learning stands in the parts: one over all buses, and another one within a bus.
#[test]
fn the_home_press_of_cranks_on_two_buses_is_the_first_with_a_ram_mass() {
    let text = include_str!("../../machines/servo-crank-press.toml");
    let (head, rest) = text.split_once("[[press]]").unwrap();
    let (press, parts) = rest.split_once("[[part]]").unwrap();
    let bus = "[bus]\nframe_shift = \"200us\"\nsubdevices = [\"ram\"]\n";
    assert!(head.contains(bus) && press.contains("ram_mass = \"180kg\"\n"));
    // Real ones: a simulated crank always has a ram.
    let (head, _) = head.split_once(bus).unwrap();
    let bus =
        |name: &str, on: &str| format!("[[bus]]\nname = \"{name}\"\ninterface = \"{on}\"\n\n");
    let head = format!("{head}{}{}", bus("one", "eth1"), bus("two", "eth2"));
    let (press, _) = press.split_once("[press.plant]").unwrap();
    let device = "[press.drive]\nvendor_id = 1\nproduct_code = 2\n";
    let press = press.replacen("[press.drive]\n", device, 1);
    let named = |press: &str, name: &str, bus: &str| {
        let to = format!("name = \"{name}\"\nbus = \"{bus}\"\n");
        press.replacen("name = \"ram\"\n", &to, 1)
    };
    let bare = press.replacen("ram_mass = \"180kg\"\n", "", 1);
    let built = |first: &str, second: &str| {
        let text = format!("{head}[[press]]{first}[[press]]{second}[[part]]{parts}");
        let machines = load_buses(&text, "it.toml");
        let machines = machines.unwrap_or_else(|error| panic!("{}\n{text}", error.plain()));
        (machines.iter().map(Machine::home_press)).collect::<Vec<_>>()
    };
    let (first, second) = (named(&bare, "bare", "one"), named(&press, "ram", "two"));
    assert_eq!(built(&first, &second), [None, Some(0)]);
    // Where none is explained, it is the first, and where all are, too.
    let other = named(&bare, "other", "two");
    assert_eq!(built(&first, &other), [Some(0), None]);
    let ram = named(&press, "first", "one");
    assert_eq!(built(&ram, &second), [Some(0), None]);
}

/// Would show a bus whose calibration takes away what the press of another bus has learnt, or rewrites it.
#[test]
fn what_one_bus_learns_leaves_that_of_the_others() {
    let second = OTHER.replace("100.1mm", "150.2mm");
    let fourth = second.replace("\"second\"", "\"third\"");
    let mut text = three_presses(&format!("# Frame mended in May.\n{second}"));
    let build = |text: &str| {
        let machines = load_buses(text, "it.toml");
        machines.unwrap_or_else(|error| panic!("{}\n{text}", error.plain()))
    };
    let machines = build(&text);
    let envelope = machines[0].learnt_on(0, 0).twin.unwrap().envelope;
    assert!(envelope.is_some());
    let learnt = |contact_m, stiffness_n_per_m| PartTwin {
        contact_m,
        stiffness_n_per_m,
        factor: None,
        envelope,
    };
    // Each bus in turn, in both orders: contacts of the first and the second press of `one`, and of the press of `two`.
    let found = [0.1501, 0.1503, 0.1505];
    for order in [[0, 1], [1, 0]] {
        for bus in order {
            let mut machine = build(&text).remove(bus);
            let presses = if bus == 0 { 0..2 } else { 2..3 };
            for (press, n) in presses.enumerate() {
                *machine.learnt_on_mut(press, 0).unwrap().0 =
                    Some(learnt(found[n], 1e6 + n as f64));
            }
            text = apply_patch(&text, &twin_patch(&machine)).unwrap();
        }
        let machines = build(&text);
        for (bus, press, n) in [(0, 0, 0), (0, 1, 1), (1, 0, 2)] {
            let own = machines[bus].learnt_on(press, 0).twin.copied();
            assert_eq!(own, Some(learnt(found[n], 1e6 + n as f64)), "{bus} {press}");
        }
        let rows = text.matches("[[part.press_twin]]").count();
        assert_eq!(rows, 2, "{text}");
    }
    // What was learnt by a press that is calibrated anew goes, with what was written above it; that of the other bus stays as it is.
    let mut text = three_presses(&format!("# Frame mended in May.\n{second}{fourth}"));
    let mut machine = build(&text).remove(1);
    *machine.learnt_on_mut(0, 0).unwrap().0 = Some(learnt(0.1505, 1e6));
    let patch = twin_patch(&machine);
    assert!(!patch.contains("[part.twin]"), "{patch}");
    text = apply_patch(&text, &patch).unwrap();
    assert!(
        text.contains(
            "# Frame mended in May.\n[[part.press_twin]]\npress = \"second\"\ncontact = \"150.2mm\""
        ),
        "{text}"
    );
    assert_eq!(text.matches("press = \"third\"").count(), 1, "{text}");
}

/// Would show a table that is dropped in silence because its press is on no bus at all, or is the home press of its own.
#[test]
fn a_press_that_is_on_no_bus_is_refused_there_too() {
    for (press, words) in [
        ("fourth", "there is no press \"fourth\""),
        // An axis is no press.
        ("gantry", "there is no press \"gantry\""),
        ("press", "what press learnt of a part stands in `twin`"),
    ] {
        let learnt = OTHER.replace("\"second\"", &format!("\"{press}\""));
        let learnt = learnt.replace("100.1mm", "150.2mm");
        let error = load_buses(&three_presses(&learnt), "it.toml").expect_err(words);
        let error = error.plain();
        assert!(error.contains(words), "{words} is not in\n{error}");
    }
}
