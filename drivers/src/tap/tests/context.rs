//! What another MainDevice writes tells recipe and part.

use super::run;
use crate::bus::Bus;
use crate::object_map::ObjectMap;
use crate::tap::bus::presses_of_several_parts;
use twinstep_config::machine::{PdoEntry, Teller, TellerPlace};
use twinstep_models::sample::Context;

#[test]
fn an_output_of_the_master_tells_the_part_in_the_cycle_that_brings_it() {
    let mut run = run("context");
    // The first output of the second SubDevice, which the master counts up by three each cycle.
    let number = |cycle: usize| (3 * cycle as u32 + 8) | 1;
    run.machine.context.part = Some(Teller {
        place: TellerPlace::Object {
            subdevice: 1,
            entry: PdoEntry {
                index: 0x7000,
                subindex: 1,
                bits: 8,
            },
            output: true,
        },
        numbers: vec![number(20), number(30)],
        names: vec!["short".to_owned(), "long".to_owned()],
    });
    let map = ObjectMap::new(&run.machine).unwrap();
    let (mut bus, mut image) = run.tap(run.script.clone());
    let mut told = Vec::new();
    while bus.exchange(&mut image, &mut || {}).is_ok() {
        map.tell_context(&mut image, Ok(()), Default::default());
        told.push((image.recipe, image.part));
    }
    // The last cycles are those of the run.
    let told = &told[told.len() - run.images.len()..];
    for (cycle, (recipe, part)) in told.iter().enumerate() {
        let expected = match cycle {
            20 => 0,
            30 => 1,
            _ => Context::UNKNOWN,
        };
        assert_eq!((*recipe, *part), (0, expected), "{cycle}");
    }
}

#[test]
fn presses_of_several_parts_are_heard_where_the_part_is_told() {
    let text = twinstep_config::PRESS_CELL;
    let told = "[context]\npart = { subdevice = \"plc\", object = \"0x6000:01/8\" }\n";
    let terminal = "[[bus.subdevice]]\nname = \"plc\"\ninputs = [\"0x6000:01/8\"]\n";
    let with = |more: &str| {
        let text = text.replacen("\"gripper\",\n]", "\"gripper\", \"plc\",\n]", 1);
        let text = text.replacen("[simulation]", &format!("{more}\n[simulation]"), 1);
        let machine = twinstep_config::load(&text, "it.toml");
        presses_of_several_parts(&machine.unwrap_or_else(|error| panic!("{}", error.plain())))
    };
    assert_eq!(with(terminal), [8]);
    assert_eq!(with(&format!("{terminal}{told}")), [0; 0]);
}
