//! Who tells recipe and part, and tool, load and temperature.

mod lists;

pub(super) use lists::{factors, thermometer};

use crate::check::Check;
use crate::error::shortened;
use crate::machine::{Bus, ContextFrom, PdoEntry, Recipe, Teller, TellerPlace, Thermometer};
use crate::objects;
use crate::raw::{ContextTable, File, TellerTable};
use crate::value::At;
use lists::Place;

/// Longest header of a column (bytes).
const MAX_HEADER: usize = 128;

pub(super) fn context(
    file: &File,
    bus: Option<&Bus>,
    (recipes, thermometer): (&[Recipe], Option<Thermometer>),
    check: &mut Check,
) -> ContextFrom {
    let Some(raw) = &file.context else {
        let _ = lists::simulated(file, &ContextFrom::default(), check);
        return ContextFrom::default();
    };
    let named = |names: &[&At<String>]| names.iter().map(|name| name.value.clone()).collect();
    let of_recipes: Vec<_> = file.recipe.iter().map(|one| &one.name).collect();
    let of_parts: Vec<_> = file.part.iter().map(|one| &one.name).collect();
    let told = |key, raw: &Option<At<TellerTable>>, names: Vec<String>, check: &mut Check| {
        let raw = raw.as_ref()?;
        teller(key, raw, names, (file, bus), check)
    };
    let temperature = thermometer.and_then(|one| {
        let place = lists::place_of_temperature(raw.temperature.as_ref()?, (file, bus), check)?;
        Some(Thermometer { place, ..one })
    });
    let built = ContextFrom {
        recipe: told("recipe", &raw.recipe, named(&of_recipes), check),
        part: told("part", &raw.part, named(&of_parts), check),
        part_of: Vec::new(),
        tool: lists::list("tool", raw.tool.as_ref(), (file, bus), check),
        load: lists::list("load", raw.load.as_ref(), (file, bus), check),
        temperature,
        simulated: Vec::new(),
    };
    let simulated = lists::simulated(file, &built, check);
    one_teller(file, raw, check);
    ContextFrom {
        part_of: part_of(file, raw, recipes, check),
        simulated,
        ..built
    }
}

/// A controller tells recipe and part with every request.
fn one_teller(file: &File, raw: &ContextTable, check: &mut Check) {
    let controller = file
        .shared
        .as_ref()
        .is_some_and(|shared| shared.controller.is_some());
    let first = raw.recipe.as_ref().or(raw.part.as_ref());
    if let (Some(first), true) = (first, controller) {
        check.problem(
            &first.span,
            "[shared.controller] tells recipe and part with every request",
            "a second teller",
            "leave `recipe` and `part` of [context] out, or [shared.controller]",
        );
    }
}

/// The part of each recipe, where the recipe alone is told; empty where it does not matter.
fn part_of(file: &File, raw: &ContextTable, recipes: &[Recipe], check: &mut Check) -> Vec<u8> {
    let (Some(told), None) = (&raw.recipe, &raw.part) else {
        return Vec::new();
    };
    if file.press.is_empty() || file.part.len() < 2 {
        return Vec::new();
    }
    let only = |recipe: &Recipe| {
        let first = *recipe.parts.first()?;
        recipe
            .parts
            .iter()
            .all(|part| *part == first)
            .then_some(first)
    };
    if let Some(several) = recipes.iter().find(|recipe| only(recipe).is_none()) {
        check.problem(
            &told.span,
            format!(
                "recipe {} has several parts, and nothing tells which of them lies in the press",
                shortened(&several.name)
            ),
            "the recipe alone",
            "tell `part` too, or write recipes with one part each",
        );
        return Vec::new();
    }
    recipes.iter().filter_map(only).collect()
}

fn teller(
    key: &str,
    raw: &At<TellerTable>,
    names: Vec<String>,
    (file, bus): (&File, Option<&Bus>),
    check: &mut Check,
) -> Option<Teller> {
    let table = &raw.value;
    if names.is_empty() {
        check.problem(
            &raw.span,
            format!("`{key}` is told, and the configuration has none"),
            format!("of no [[{key}]]"),
            format!("add a table [[{key}]], or leave `{key}` out of [context]"),
        );
        return None;
    }
    let place = Place {
        key,
        span: &raw.span,
        subdevice: table.subdevice.as_ref(),
        object: table.object.as_ref(),
        column: table.column.as_ref(),
        controller: None,
    };
    let of = format!("tables [[{key}]]");
    place.teller((&of, names), table.values.as_ref(), (file, bus), check)
}

/// The number that stands for each `of` them; `most` is the largest that can be told.
fn numbers(
    of: &str,
    values: Option<&At<Vec<u32>>>,
    (count, most): (usize, u32),
    check: &mut Check,
) -> Vec<u32> {
    // There are at most 64 of them.
    let plain = || (0_u32..).take(count).collect();
    let Some(values) = values else {
        return plain();
    };
    if values.value.len() != count {
        check.problem(
            &values.span,
            format!(
                "`values` has {} numbers, and there are {count} {of}",
                values.value.len()
            ),
            "one for each",
            "list a number for each of them, in their order",
        );
        return plain();
    }
    for (n, value) in values.value.iter().enumerate() {
        if values.value.iter().take(n).any(|before| before == value) {
            check.problem(
                &values.span,
                format!("{value} stands for two of the {of}"),
                "twice",
                "every number stands for one of them",
            );
        }
        if *value > most {
            let bits = 32 - most.leading_zeros();
            check.problem(
                &values.span,
                format!("{value} does not fit into the {bits} bits of the object"),
                format!("0 to {most}"),
                "list the numbers as the controller writes them, without a sign",
            );
        }
    }
    values.value.clone()
}

fn column_of(
    column: &At<String>,
    file: &File,
    bus: Option<&Bus>,
    check: &mut Check,
) -> Option<TellerPlace> {
    if bus.is_some() || file.recording.is_none() {
        check.problem(
            &column.span,
            "a column is of a recording from elsewhere, and this machine maps none",
            "no such table",
            "on a bus name `subdevice` and `object`; a machine that is only replayed has a table [recording]",
        );
        return None;
    }
    if column.value.is_empty() || column.value.len() > MAX_HEADER {
        check.problem(
            &column.span,
            format!("`column` must be a header of 1 to {MAX_HEADER} bytes"),
            "no header",
            "write the column's header as the first line of the recording has it",
        );
    }
    Some(TellerPlace::Column(column.value.clone()))
}

fn object_of(
    name: &At<String>,
    object: &At<String>,
    (file, bus): (&File, Option<&Bus>),
    check: &mut Check,
) -> Option<TellerPlace> {
    let Some(bus) = bus else {
        check.problem(
            &name.span,
            "process data are of a bus, and this machine is only replayed",
            "no SubDevices",
            "name the `column` of the recording instead",
        );
        return None;
    };
    let devices = &bus.subdevices;
    let Some(subdevice) = devices.iter().position(|one| one.name == name.value) else {
        let known: Vec<&str> = devices.iter().map(|one| one.name.as_str()).collect();
        check.unknown("SubDevice", name, &known);
        return None;
    };
    let device = devices.get(subdevice)?;
    let entry = match objects::parse(&object.value) {
        Ok(entry) => entry,
        Err(wrong) => {
            check.problem(
                &object.span,
                format!(
                    "\"{}\" is no object of process data: {wrong}",
                    shortened(&object.value)
                ),
                "not possible",
                "write index, subindex and bits as in its list: \"0x6000:01/8\"",
            );
            return None;
        }
    };
    let output = !device.inputs.contains(&entry);
    if output && !device.outputs.contains(&entry) {
        let all = device.inputs.iter().chain(&device.outputs);
        let known: Vec<String> = all.map(shown).collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        check.unknown(
            "object in the process data of this SubDevice",
            object,
            &known,
        );
        return None;
    }
    let listens = bus.tap.is_some() || bus.pubsub.is_some();
    if output && !listens {
        check.problem(
            &object.span,
            "this is an output, and twinstep writes the outputs of this bus itself",
            "nobody else sets it",
            "name an input; where twinstep only listens an output is what the other MainDevice tells",
        );
    }
    if !output && !device.terminal && file.simulation.is_some() {
        check.problem(
            &name.span,
            "a simulated axis, press or station knows nothing of recipe, part, tool, load and temperature",
            "tells 0 for ever",
            "add a [[bus.subdevice]] with the object among its `inputs`: the simulated machine tells there what it presses, and what [[simulation.told]] says",
        );
    }
    Some(TellerPlace::Object {
        subdevice,
        entry,
        output,
    })
}

/// An object as it is written.
fn shown(entry: &PdoEntry) -> String {
    let PdoEntry {
        index,
        subindex,
        bits,
    } = entry;
    format!("0x{index:04X}:{subindex:02X}/{bits}")
}
