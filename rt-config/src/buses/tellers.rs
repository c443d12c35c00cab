//! Who tells recipe and part, where there are several buses: a SubDevice on the bus of the presses. Tool, load and temperature are told on
//! any, and known on that one; those of a controller on each that it moves, as each has one of its own.

use super::belongs;
use crate::check::Check;
use crate::raw::{BusTable, File, TellerTable};
use crate::value::At;
use std::collections::HashSet;

/// Those that are told of `file`.
fn told(file: &File) -> impl Iterator<Item = &At<TellerTable>> {
    let context = file.context.iter();
    context.flat_map(|one| one.recipe.iter().chain(&one.part))
}

/// Refuses a SubDevice that is on another bus than a press.
pub(super) fn on_the_bus_of_the_presses(file: &File, check: &mut Check) {
    let bus_of = |name: &str| {
        let of_axis = belongs(file).find(|(known, _)| known.value == name);
        let of_axis = of_axis.and_then(|(_, bus)| bus).map(|bus| &bus.value);
        of_axis.or_else(|| {
            let has = |table: &BusTable| table.subdevice.iter().any(|one| one.name.value == name);
            let mut tables = file.buses.tables.iter().map(|table| &table.value);
            let table = tables.find(|table| has(table))?;
            table.name.as_ref().map(|name| &name.value)
        })
    };
    for name in told(file).filter_map(|one| one.value.subdevice.as_ref()) {
        let Some(bus) = bus_of(&name.value) else {
            // There is no such SubDevice, which is told where the first bus is built.
            continue;
        };
        let elsewhere = |of: &&At<String>| of.value != *bus;
        for press in &file.press {
            if let Some(other) = press.bus.as_ref().filter(elsewhere) {
                check.problem(
                    &name.span,
                    format!(
                        "this SubDevice is on the bus \"{bus}\", and {} is on \"{}\"",
                        crate::error::shortened(&press.name.value),
                        crate::error::shortened(&other.value)
                    ),
                    "another bus",
                    "a press is told its part on its own bus",
                );
            }
        }
    }
}

/// Leaves in `file` what is told on bus `index`, which is `bus`; what no bus has the first one says. `of_buses` are the SubDevices
/// of all buses.
pub(super) fn keep(file: &mut File, bus: &BusTable, of_buses: &HashSet<String>, index: usize) {
    let carried: HashSet<String> = belongs(file).map(|(name, _)| name.value.clone()).collect();
    let controller = (file.shared.as_ref()).is_some_and(|shared| shared.controller.is_some());
    let kind = bus.kind.as_ref();
    let listens = kind.is_some_and(|kind| kind.value != "main_device");
    let Some(context) = &mut file.context else {
        return;
    };
    let is_elsewhere = |subdevice: Option<&At<String>>| match subdevice {
        None => index > 0,
        Some(name) => {
            let name = &name.value;
            let here =
                carried.contains(name) || bus.subdevice.iter().any(|one| one.name.value == *name);
            !here && (index > 0 || of_buses.contains(name))
        }
    };
    for teller in [&mut context.recipe, &mut context.part] {
        let _ = teller.take_if(|one| is_elsewhere(one.value.subdevice.as_ref()));
    }
    // Without a controller anywhere the first bus says so.
    let unheard = if controller { listens } else { index > 0 };
    let is_away = |subdevice: Option<&At<String>>, told: Option<&At<bool>>| {
        if told.is_some_and(|told| told.value) {
            unheard
        } else {
            is_elsewhere(subdevice)
        }
    };
    for list in [&mut context.tool, &mut context.load] {
        let _ = list.take_if(|one| {
            let table = &one.value;
            is_away(table.subdevice.as_ref(), table.controller.as_ref())
        });
    }
    let _ = context.temperature.take_if(|one| {
        let table = &one.value;
        is_away(table.subdevice.as_ref(), table.controller.as_ref())
    });
    let tells_press = context.recipe.is_some() || context.part.is_some();
    let lists = context.tool.is_some() || context.load.is_some();
    if !tells_press && !lists && context.temperature.is_none() {
        file.context = None;
    }
}
