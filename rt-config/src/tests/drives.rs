//! Switches of simulated axes, and drives with two axes.

use super::*;
use crate::machine::SwitchRange;

/// The press cell with tables added to the bus, and switches to the plant of its first axis.
fn cell(bus: &str, switches: &str) -> String {
    let order = PRESS_CELL.find("subdevices = [").unwrap();
    let end = order + PRESS_CELL[order..].find(']').unwrap() + 1;
    let mut text = PRESS_CELL.to_owned();
    text.replace_range(order..end, bus);
    let plant = text.find("[axis.plant]").unwrap();
    text.insert_str(plant, &format!("[axis.plant.switches]\n{switches}\n"));
    text
}

#[test]
fn switches_have_ends() {
    let text = cell(
        "",
        "negative_limit = { to = \"-5mm\" }\nhome = { from = \"100mm\", to = \"120mm\" }",
    );
    let machine = load(&text, "x.toml").unwrap();
    let plant = machine.axes[0].plant.as_ref().unwrap();
    let [negative, positive, home, ..] = plant.switches.all();
    assert_eq!(
        (negative, positive, home),
        (
            Some(SwitchRange {
                from_m: f64::NEG_INFINITY,
                to_m: -0.005
            }),
            None,
            Some(SwitchRange {
                from_m: 0.1,
                to_m: 0.12
            })
        )
    );
    for (wrong, said) in [
        ("home = {}", "always on"),
        ("probe_1 = { from = \"2mm\", to = \"1mm\" }", "never on"),
        ("probe_3 = { from = \"2mm\" }", "probe_3"),
    ] {
        let error = load(&cell("", wrong), "x.toml").unwrap_err().plain();
        assert!(error.contains(said), "{wrong}: {error}");
    }
}

#[test]
fn two_axes_share_a_drive() {
    let table = |first: &str, second: &str| {
        format!("[[bus.subdevice]]\nname = \"{first}\"\nsecond_axis = \"{second}\"\n")
    };
    let machine = load(&cell(&table("cross", "infeed"), ""), "x.toml").unwrap();
    let bus = machine.bus.unwrap();
    assert_eq!(bus.subdevices.len(), 9);
    assert!(bus.subdevices.iter().all(|one| one.name != "infeed"));
    let both = bus
        .subdevices
        .iter()
        .find(|one| one.name == "cross")
        .unwrap();
    assert_eq!(both.second.as_deref(), Some("infeed"));
    let half = both.outputs.len() / 2;
    for (first, second) in both.outputs[..half].iter().zip(&both.outputs[half..]) {
        assert_eq!(first.index + 0x800, second.index);
        assert_eq!((first.subindex, first.bits), (second.subindex, second.bits));
    }
    for (first, second) in [
        ("cross", "cross"),
        ("cross", "gripper"),
        ("gripper", "cross"),
        ("cross", "nobody"),
    ] {
        let error = load(&cell(&table(first, second), ""), "x.toml").unwrap_err();
        let said = error.plain();
        assert!(said.contains("cannot be the second axis"), "{said}");
    }
}
