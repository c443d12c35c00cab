//! What calibration found, as a patch: TOML with what was learnt alone, merged by name into a configuration
//! whose comments and order stay as they are.

mod budget;
mod figures;
mod twin;

pub use budget::{apply_budgets, patch_of_budgets, patch_of_budgets_of};

use crate::error::{ConfigError, Problem};
use crate::machine::{Axis, Healthy, Machine, Part, PartTwin, StationTwin};
use figures::write_figures;
use std::fmt::{self, Write};
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, TableLike, Value};
use twin::{inline, write_twin};
use twinstep_models::press::evaluate::envelope::Envelope;
use twinstep_models::sample::FACTORS;

/// The tables that have twins, with the key that names them.
const LISTS: [&str; 4] = ["axis", "press", "part", "station"];
/// What calibration writes into them.
const LEARNT: [&str; 4] = ["twin", "recipe_twin", PRESS_TWIN, "healthy"];
/// The one among them that has rows of several presses, on whichever bus they are.
const PRESS_TWIN: &str = "press_twin";

/// All twins of `machine` as a TOML patch; the empty text if it has none.
pub fn twin_patch(machine: &Machine) -> String {
    let mut out = String::new();
    // Writing to a String has no way to fail.
    let _ = write_patch(&mut out, machine);
    out
}

fn write_patch(out: &mut String, machine: &Machine) -> fmt::Result {
    let names = machine.factor_names();
    for axis in &machine.axes {
        write_axis(out, "axis", axis, &names)?;
    }
    for press in &machine.presses {
        write_axis(out, "press", &press.axis, &names)?;
    }
    for part in &machine.parts {
        write_learnt(out, machine, part)?;
    }
    for station in &machine.stations {
        if let Some(twin) = &station.twin {
            heading(out, "station", &station.name)?;
            table(out, "station", "twin")?;
            write_station(out, twin)?;
        }
    }
    Ok(())
}

/// `[[list]]` and the name. Names have no character that TOML would escape.
fn heading(out: &mut String, list: &str, name: &str) -> fmt::Result {
    if !out.is_empty() {
        out.push('\n');
    }
    writeln!(out, "[[{list}]]\nname = \"{name}\"")
}

/// The head of a table with what was learnt.
fn table(out: &mut String, list: &str, learnt: &str) -> fmt::Result {
    writeln!(out, "\n[{list}.{learnt}]")
}

/// One key with a quantity in its SI unit, in the fewest digits that read back as the same number.
fn quantity(out: &mut String, key: &str, value: f64, unit: &str) -> fmt::Result {
    let size = value.abs();
    if value == 0.0 || (1e-3..1e9).contains(&size) {
        writeln!(out, "{key} = \"{value}{unit}\"")
    } else {
        writeln!(out, "{key} = \"{value:e}{unit}\"")
    }
}

fn write_axis(
    out: &mut String,
    list: &str,
    axis: &Axis,
    names: &[Vec<String>; FACTORS],
) -> fmt::Result {
    if axis.twin.is_none() && axis.healthy.is_none() {
        return Ok(());
    }
    heading(out, list, &axis.name)?;
    if let Some(twin) = &axis.twin {
        table(out, list, "twin")?;
        write_twin(out, list, twin, axis)?;
        write_figures(out, list, twin, axis, names)?;
    }
    if let Some(healthy) = &axis.healthy {
        table(out, list, "healthy")?;
        write_healthy(out, list, healthy, axis)?;
    }
    Ok(())
}

fn write_healthy(out: &mut String, list: &str, healthy: &Healthy, axis: &Axis) -> fmt::Result {
    let unit = axis.effort();
    let [way, speed] = ["m", "m/s"].map(|linear| axis.kind.unit(linear));
    writeln!(out, "movements = {}", healthy.movements)?;
    let [friction, hunting, roughness, ripple, unrest] = healthy.figure_sigmas;
    let [lubrication, backlash, spalling] = healthy.family_sigmas;
    writeln!(out, "degrees_of_freedom = {:?}", healthy.degrees_of_freedom)?;
    quantity(out, "movement_time", healthy.movement_time_s, "s")?;
    quantity(out, "load_sigma", healthy.load_sigma_a, unit)?;
    quantity(out, "friction_sigma", friction, unit)?;
    for (key, sigma) in [
        ("hunting_sigma", hunting),
        ("roughness_sigma", roughness),
        ("ripple_sigma", ripple),
        ("unrest_sigma", unrest),
        ("lubrication_sigma", lubrication),
        ("backlash_sigma", backlash),
        ("spalling_sigma", spalling),
    ] {
        writeln!(out, "{key} = {sigma:?}")?;
    }
    if let Some(speeds) = healthy.speeds {
        quantity(out, "slowest", speeds.least, speed)?;
        quantity(out, "fastest", speeds.most, speed)?;
    }
    for load in &healthy.loads {
        let [friction, hunting, roughness, ripple, unrest] = load.figures;
        writeln!(out, "\n[[{list}.healthy.load]]")?;
        quantity(out, "load", load.load_a, unit)?;
        quantity(out, "friction", friction, unit)?;
        quantity(out, "hunting", hunting, way)?;
        quantity(out, "roughness", roughness, way)?;
        quantity(out, "ripple", ripple, unit)?;
        quantity(out, "unrest", unrest, unit)?;
    }
    Ok(())
}

/// What all presses have learnt of a part.
fn write_learnt(out: &mut String, machine: &Machine, part: &Part) -> fmt::Result {
    let on_others =
        (part.by_press.iter()).any(|one| one.twin.is_some() || !one.by_recipe.is_empty());
    // What a press of another bus has learnt stays as it is written.
    let home = (machine.home_press().is_some()).then_some(part);
    let by_home = home.is_some_and(|part| part.twin.is_some() || !part.by_recipe.is_empty());
    if by_home || on_others {
        heading(out, "part", &part.name)?;
    }
    if let Some(twin) = home.and_then(|part| part.twin.as_ref()) {
        table(out, "part", "twin")?;
        write_part(out, "twin", twin)?;
    }
    for (recipe, twin) in home.iter().flat_map(|part| &part.by_recipe) {
        if let Some(recipe) = machine.recipes.get(usize::from(*recipe)) {
            writeln!(out, "\n[[part.recipe_twin]]\nrecipe = \"{}\"", recipe.name)?;
            write_part(out, "recipe_twin", twin)?;
        }
    }
    for one in &part.by_press {
        let Some(press) = machine.presses.get(one.press) else {
            continue;
        };
        let head = format!("\n[[part.press_twin]]\npress = \"{}\"", press.axis.name);
        if let Some(twin) = &one.twin {
            writeln!(out, "{head}")?;
            write_part(out, "press_twin", twin)?;
        }
        for (recipe, twin) in &one.by_recipe {
            if let Some(recipe) = machine.recipes.get(usize::from(*recipe)) {
                writeln!(out, "{head}\nrecipe = \"{}\"", recipe.name)?;
                write_part(out, "press_twin", twin)?;
            }
        }
    }
    Ok(())
}

fn write_part(out: &mut String, table: &str, twin: &PartTwin) -> fmt::Result {
    quantity(out, "contact", twin.contact_m, "m")?;
    match twin.factor {
        Some(factor) => writeln!(out, "factor = {factor:?}")?,
        None => quantity(out, "stiffness", twin.stiffness_n_per_m, "N/m")?,
    }
    match &twin.envelope {
        Some(envelope) => write_envelope(out, table, envelope),
        None => Ok(()),
    }
}

/// The band of good strokes; forces to the millinewton, below what any sensor resolves.
fn write_envelope(out: &mut String, table: &str, envelope: &Envelope) -> fmt::Result {
    writeln!(out, "\n[part.{table}.envelope]")?;
    quantity(out, "from", envelope.x_min_m, "m")?;
    quantity(out, "to", envelope.x_max_m, "m")?;
    for (key, forces) in [("lower", &envelope.lower_n), ("upper", &envelope.upper_n)] {
        writeln!(out, "{key} = [")?;
        for eight in forces.chunks(8) {
            let row: Vec<String> = eight
                .iter()
                .map(|n| format!("\"{}N\"", (n * 1e3).round() / 1e3))
                .collect();
            writeln!(out, "    {},", row.join(", "))?;
        }
        writeln!(out, "]")?;
    }
    Ok(())
}

fn write_station(out: &mut String, twin: &StationTwin) -> fmt::Result {
    quantity(out, "final_pressure", twin.final_pressure_pa, "Pa")?;
    quantity(
        out,
        "evacuation_time_constant",
        twin.evacuation_time_constant_s,
        "s",
    )?;
    if let Some(delay) = twin.valve_delay_s {
        quantity(out, "valve_delay", delay, "s")?;
    }
    quantity(out, "leak", twin.leak_pa_per_s, "Pa/s")?;
    quantity(out, "leak_sigma", twin.leak_sigma_pa_per_s, "Pa/s")?;
    if let Some(limit) = twin.pressure_limit_pa {
        quantity(out, "pressure_limit", limit, "Pa")?;
    }
    if let Some((sigma, tail)) = &twin.pressure_tail {
        quantity(out, "pressure_sigma", *sigma, "Pa")?;
        writeln!(out, "pressure_tail = {}", inline(tail, "fast_limit"))?;
    }
    match twin.noise_pa {
        Some(noise) => quantity(out, "noise", noise, "Pa"),
        None => Ok(()),
    }
}

/// Replaces what was learnt of every axis, press, part and station that `patch_text` names in `base_text`. Everything
/// else stays, comments and order included, and what presses that it does not name have learnt of a part.
///
/// # Errors
/// [`ConfigError`] when either text is no TOML, the patch holds anything but names and twins, names something
/// that the configuration does not have, or the result is no machine.
pub fn apply_patch(base_text: &str, patch_text: &str) -> Result<String, ConfigError> {
    let mut base = parse(base_text, "configuration")?;
    let patch = parse(patch_text, "patch")?;
    let refuse = |message: String, help: &str| {
        ConfigError::one(
            patch_text,
            "patch",
            Problem::new(&(0..0), message, "", help),
        )
    };
    for (list, entries) in patch.iter() {
        if !LISTS.contains(&list) {
            let list = crate::error::shortened(list);
            return Err(refuse(
                format!("a patch cannot hold `{list}`"),
                "a patch holds [[axis]], [[press]], [[part]] and [[station]] with `name` and what was learnt alone",
            ));
        }
        for entry in tables(entries) {
            let name = entry
                .get("name")
                .and_then(Item::as_str)
                .unwrap_or_default()
                .to_owned();
            let learnt: Vec<_> = LEARNT
                .iter()
                .filter_map(|key| Some((*key, learnt_item(entry.get(key)?)?)))
                .collect();
            if learnt.is_empty() || entry.len() != 1 + learnt.len() {
                let name = crate::error::shortened(&name);
                return Err(refuse(
                    format!(
                        "[[{list}]] \"{name}\" of the patch is not just `name` with `twin`, `recipe_twin`, `press_twin` or `healthy`"
                    ),
                    "write the patch with `twinstep calibrate`",
                ));
            }
            for (key, learnt) in learnt {
                if !replace(&mut base, list, &name, key, learnt) {
                    let name = crate::error::shortened(&name);
                    return Err(refuse(
                        format!("the configuration has no [[{list}]] \"{name}\""),
                        "calibrate with the configuration that the patch is for",
                    ));
                }
            }
        }
    }
    let merged = base.to_string();
    crate::load_buses(&merged, "configuration with patch")?;
    Ok(merged)
}

fn parse(text: &str, name: &str) -> Result<DocumentMut, ConfigError> {
    text.parse::<DocumentMut>().map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        let message = error.message().lines().collect::<Vec<_>>().join("; ");
        ConfigError::one(text, name, Problem::new(&span, message, "here", ""))
    })
}

/// The tables of a list, whether written as `[[list]]` or inline.
fn tables(item: &Item) -> Vec<&dyn TableLike> {
    match item {
        Item::ArrayOfTables(array) => array.iter().map(|table| table as &dyn TableLike).collect(),
        Item::Value(Value::Array(array)) => array
            .iter()
            .filter_map(Value::as_inline_table)
            .map(|table| table as &dyn TableLike)
            .collect(),
        _ => Vec::new(),
    }
}

/// Puts `learnt` under `key` into the entry `name` of `list`; false if there is none.
fn replace(base: &mut DocumentMut, list: &str, name: &str, key: &str, mut learnt: Item) -> bool {
    let named = |table: &dyn TableLike| table.get("name").and_then(Item::as_str) == Some(name);
    match base.get_mut(list) {
        Some(Item::ArrayOfTables(array)) => match array.iter_mut().find(|table| named(*table)) {
            Some(table) => {
                learnt = beside_others(key, table.get(key), learnt);
                // What somebody wrote above the table is about the machine, and stays.
                if let (Some(prefix), Some(new)) = (
                    (table.get(key).and_then(Item::as_table)).and_then(|old| old.decor().prefix()),
                    learnt.as_table_mut(),
                ) {
                    new.decor_mut().set_prefix(prefix.clone());
                }
                table.insert(key, learnt);
                true
            }
            None => false,
        },
        Some(Item::Value(Value::Array(array))) => {
            let found = array
                .iter_mut()
                .filter_map(Value::as_inline_table_mut)
                .find(|table| named(*table));
            match found {
                Some(table) => {
                    let old = TableLike::get(table, key);
                    match beside_others(key, old, learnt).into_value() {
                        Ok(value) => {
                            table.insert(key, value);
                            true
                        }
                        Err(_) => false,
                    }
                }
                None => false,
            }
        }
        _ => false,
    }
}

/// `learnt`; of what presses have learnt of a part the rows of those come first that it does not name: presses of another bus.
fn beside_others(key: &str, old: Option<&Item>, learnt: Item) -> Item {
    let (Some(old), Item::ArrayOfTables(own), PRESS_TWIN) = (old, &learnt, key) else {
        return learnt;
    };
    let press = |table: &dyn TableLike| {
        let press = table.get("press").and_then(Item::as_str);
        press.map(str::to_owned)
    };
    let others = |table: &&dyn TableLike| own.iter().all(|one| press(one) != press(*table));
    let mut all: ArrayOfTables = match old {
        // With the comments above them.
        Item::ArrayOfTables(old) => (old.iter())
            .filter(|table| others(&(*table as &dyn TableLike)))
            .cloned()
            .collect(),
        _ => tables(old)
            .into_iter()
            .filter(others)
            .map(as_table)
            .collect(),
    };
    all.extend(own.iter().cloned());
    Item::ArrayOfTables(all)
}

/// A copy without places in the patch, so that it is written where it now belongs.
fn as_table(from: &dyn TableLike) -> Table {
    let mut table = Table::new();
    for (key, item) in from.iter() {
        let item = match item {
            Item::Table(inner) => Item::Table(as_table(inner)),
            Item::ArrayOfTables(inner) => {
                let mut array = ArrayOfTables::new();
                for one in inner {
                    array.push(as_table(one));
                }
                Item::ArrayOfTables(array)
            }
            other => other.clone(),
        };
        table.insert(key, item);
    }
    table
}

/// A copy of what was learnt under one key: a table, or a list of them.
fn learnt_item(item: &Item) -> Option<Item> {
    if let Some(table) = item.as_table_like() {
        return Some(Item::Table(as_table(table)));
    }
    let list = item.as_array_of_tables()?;
    Some(Item::ArrayOfTables(
        list.iter().map(|one| as_table(one)).collect(),
    ))
}

#[cfg(test)]
mod tests;
