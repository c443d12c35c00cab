//! Several buses in one configuration: `[[bus]]` instead of `[bus]`. Each becomes a file of its own with what hangs on it, and is
//! built as if it were alone; what only the whole can tell is checked here.

mod tellers;

use crate::check::Check;
use crate::fault::retarget;
use crate::machine::{BusPlace, Lender, MAX_BUSES, MAX_NAME};
use crate::raw::{BusTable, File, PressTable, RealtimeTable};
use crate::value::At;
use std::collections::HashSet;

/// The file of each bus; the file itself, once, where there is one bus. `read` reads the text again: a table belongs to one file.
pub(crate) fn split(
    mut file: File,
    read: impl Fn() -> Option<File>,
    check: &mut Check,
) -> Vec<File> {
    if !file.buses.many {
        file.bus = file.buses.tables.pop().map(|table| table.value);
        alone(&file, check);
        return vec![file];
    }
    let count = file.buses.tables.len();
    if count == 0 || count > MAX_BUSES {
        let message = format!("`bus` is a list of {count} buses");
        let help = format!("a machine has 1 to {MAX_BUSES} [[bus]]");
        check.problem(&file.machine.name.span, message, "this machine", help);
        return Vec::new();
    }
    let names = names(&file, check);
    belongings(&file, &names, check);
    only_once(&file, check);
    machine_wide(&file, &names, check);
    let home = home_press(&file);
    let places = names.iter().enumerate();
    places
        .filter_map(|(index, name)| {
            // Without a name it has been told already, and nothing can be on it.
            if name.is_empty() {
                return None;
            }
            let mut own = read()?;
            keep(&mut own, &names, index);
            let span = &file.buses.tables.get(index)?.span;
            if own.axis.len() + own.press.len() + own.station.len() == 0 {
                let message = format!("no axis, press or station is on the bus \"{name}\"");
                let help =
                    format!("write bus = \"{name}\" into what hangs there, or leave the bus out");
                check.problem(span, message, "an empty bus", help);
                return None;
            }
            own.lender =
                (home.filter(|press| !is_on(press.bus.as_ref(), name))).map(|press| Lender {
                    press: press.name.value.clone(),
                    has_twin: press.twin.is_some(),
                });
            own.place = Some(BusPlace {
                name: name.clone(),
                index,
                count,
            });
            Some(own)
        })
        .collect()
}

/// Refuses keys that only mean something beside other buses.
fn alone(file: &File, check: &mut Check) {
    if let Some(bus) = &file.bus {
        let keys = [
            ("name", bus.name.as_ref().map(|key| &key.span)),
            ("period", bus.period.as_ref().map(|key| &key.span)),
            ("core", bus.core.as_ref().map(|key| &key.span)),
            ("model_cores", bus.model_cores.as_ref().map(|key| &key.span)),
            ("clock", bus.clock.as_ref().map(|key| &key.span)),
            ("budget", bus.budget.as_ref().map(|key| &key.span)),
            (
                "model_budget",
                bus.model_budget.as_ref().map(|key| &key.span),
            ),
        ];
        for (key, span) in keys {
            let Some(span) = span else { continue };
            let place = match key {
                "name" => "leave it out: there is one bus",
                "core" | "model_cores" => "write it into [realtime]",
                "clock" => "write it as [realtime.clock]",
                _ => "write it into [cycle]",
            };
            check.problem(
                span,
                format!("`{key}` is of one of several buses, and this is the only one"),
                "not in [bus]",
                format!("{place}; several buses are written as [[bus]]"),
            );
        }
    }
    for bus in belongs(file).filter_map(|(_, bus)| bus) {
        check.problem(
            &bus.span,
            "`bus` names one of several buses, and there is one",
            "no such choice",
            "leave it out, or write the buses as [[bus]] with a name each",
        );
    }
    let publish = file
        .publish
        .as_ref()
        .and_then(|publish| publish.uadp.as_ref());
    if let Some(bus) = publish.and_then(|uadp| uadp.bus.as_ref()) {
        check.problem(
            &bus.span,
            "`bus` names one of several buses, and there is one",
            "no such choice",
            "leave it out",
        );
    }
}

/// Axes, presses and stations with the bus that each names.
fn belongs(file: &File) -> impl Iterator<Item = (&At<String>, Option<&At<String>>)> {
    let axes = file.axis.iter().map(|one| (&one.name, one.bus.as_ref()));
    let presses = file.press.iter().map(|one| (&one.name, one.bus.as_ref()));
    let stations = file.station.iter().map(|one| (&one.name, one.bus.as_ref()));
    axes.chain(presses).chain(stations)
}

/// The press of all buses whose learning stands in `twin` and `recipe_twin` of the parts: as of one bus, the first one that a twin can explain,
/// with a screw or with a `ram_mass`, else the first.
fn home_press(file: &File) -> Option<&PressTable> {
    let explained = |press: &&PressTable| {
        press.kinematics.as_ref().is_none_or(|kinematics| {
            let kind = kinematics.kind.as_ref();
            kind.is_none_or(|kind| kind.value == "screw") || kinematics.ram_mass.is_some()
        })
    };
    file.press.iter().find(explained).or(file.press.first())
}

/// Whether what names `bus` is on the bus `name`.
fn is_on(bus: Option<&At<String>>, name: &str) -> bool {
    bus.is_some_and(|bus| bus.value == name)
}

/// The names of the buses, none of them twice and none that of an axis, press or station.
fn names(file: &File, check: &mut Check) -> Vec<String> {
    for table in &file.buses.tables {
        match &table.value.name {
            Some(name) => check.name(name),
            None => check.problem(
                &table.span,
                "a bus beside others has no name",
                "this bus",
                "add name = \"...\": events, recordings and commands name it so",
            ),
        }
    }
    let tables = file.buses.tables.iter();
    let given = tables.clone().filter_map(|table| table.value.name.as_ref());
    let images = (tables.clone()).flat_map(|table| &table.value.subdevice);
    let images = images.filter(|one| one.is_its_own()).map(|one| &one.name);
    let others = belongs(file).map(|(name, _)| name).chain(images);
    check.unique("axes, presses, stations and buses", others.chain(given));
    let name = |table: &At<BusTable>| table.value.name.as_ref().map(|name| name.value.clone());
    tables
        .map(|table| name(table).unwrap_or_default())
        .collect()
}

/// Every axis, press and station is on one of the buses.
fn belongings(file: &File, names: &[String], check: &mut Check) {
    let given = names.iter().filter(|name| !name.is_empty());
    let known: Vec<&str> = given.map(String::as_str).collect();
    for (name, bus) in belongs(file) {
        match bus {
            Some(bus) if known.contains(&bus.value.as_str()) => {}
            Some(bus) => check.unknown("bus", bus, &known),
            None => check.problem(
                &name.span,
                format!(
                    "{} is on none of the {} buses",
                    crate::error::shortened(&name.value),
                    known.len()
                ),
                "on which bus?",
                format!("add bus = \"...\", one of {}", known.join(", ")),
            ),
        }
    }
}

/// Cores and interfaces have one bus.
fn only_once(file: &File, check: &mut Check) {
    let mut interfaces: Vec<(&str, usize)> = Vec::new();
    let mut cores: Vec<(u32, usize)> = Vec::new();
    for (n, table) in file.buses.tables.iter().enumerate() {
        let bus = &table.value;
        let name = |n: usize| {
            let table = file.buses.tables.get(n);
            let name = table.and_then(|table| table.value.name.as_ref());
            name.map_or("another bus", |name| name.value.as_str())
        };
        let keys = [
            &bus.interface,
            &bus.redundant_interface,
            &bus.returned_interface,
        ];
        for interface in keys.into_iter().flatten() {
            // Twice in one bus is told where that bus is built.
            let other = |(taken, by): &&(&str, usize)| *taken == interface.value && *by != n;
            if let Some((_, by)) = interfaces.iter().find(other) {
                check.problem(
                    &interface.span,
                    format!("this interface is the bus \"{}\"'s already", name(*by)),
                    "taken",
                    "a bus has an interface of its own",
                );
            }
            interfaces.push((&interface.value, n));
        }
        let models = bus.model_cores.iter().flat_map(|cores| &cores.value);
        for core in bus.core.iter().chain(models) {
            let other = |(taken, by): &&(u32, usize)| *taken == core.value && *by != n;
            if let Some((_, by)) = cores.iter().find(other) {
                check.problem(
                    &core.span,
                    format!("core {} is the bus \"{}\"'s already", core.value, name(*by)),
                    "taken",
                    "a cycle has a core of its own, and so has a worker",
                );
            }
            cores.push((core.value, n));
        }
    }
}

/// What is of the machine as a whole, and cannot be there or needs a choice with several buses.
fn machine_wide(file: &File, names: &[String], check: &mut Check) {
    tellers::on_the_bus_of_the_presses(file, check);
    if let Some(realtime) = &file.realtime {
        let core = realtime.core.as_ref().map(|core| &core.span);
        let models = realtime.model_cores.as_ref().map(|cores| &cores.span);
        for (key, span) in [("core", core), ("model_cores", models)] {
            let Some(span) = span else { continue };
            check.problem(
                span,
                format!("`{key}` is of one bus, and there are several"),
                "whose?",
                format!("write `{key}` into each [[bus]]"),
            );
        }
    }
    if let Some(recording) = &file.recording {
        let axis = recording.axis.as_ref().map(|axes| &axes.span);
        let station = recording.station.as_ref().map(|stations| &stations.span);
        check.problem(
            axis.or(station).unwrap_or(&file.machine.name.span),
            "a recording from elsewhere is of a machine with one bus",
            "not with [[bus]]",
            "write a configuration for it, with the axes that it holds",
        );
    }
    let publish = file
        .publish
        .as_ref()
        .and_then(|publish| publish.uadp.as_ref());
    if let Some(uadp) = publish {
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        match &uadp.bus {
            Some(bus) if known.contains(&bus.value.as_str()) => {}
            Some(bus) => check.unknown("bus", bus, &known),
            None => check.problem(
                &uadp.interface.span,
                "predictions of one bus are published, and there are several",
                "of which bus?",
                format!("add bus = \"...\", one of {}", known.join(", ")),
            ),
        }
    }
    if let Some(shared) = &file.shared {
        let longest = names.iter().map(String::len).max().unwrap_or(0) + 1;
        if shared.name.value.len() + longest > MAX_NAME {
            check.problem(
                &shared.name.span,
                format!("with the name of a bus behind it `name` is longer than {MAX_NAME} bytes"),
                "too long",
                "shorten it: each bus shares as NAME.BUS",
            );
        }
    }
    for text in file
        .simulation
        .iter()
        .flat_map(|simulation| &simulation.inject)
    {
        if retarget(&text.value, "", |target| target == "bus").is_some() {
            check.problem(
                &text.span,
                "\"bus\" could be any of the buses",
                "which one?",
                format!("name it instead: {}", names.join(", ")),
            );
        }
    }
}

/// Leaves in `file` what is on bus `index`.
fn keep(file: &mut File, names: &[String], index: usize) {
    let name = names.get(index).cloned().unwrap_or_default();
    let mut tables = std::mem::take(&mut file.buses.tables);
    if index >= tables.len() {
        return;
    }
    let of_buses = tables.iter().flat_map(|table| &table.value.subdevice);
    let mut of_buses: HashSet<String> = of_buses.map(|one| one.name.value.clone()).collect();
    let mut bus = tables.swap_remove(index).value;
    let here = |bus: &Option<At<String>>| is_on(bus.as_ref(), &name);
    let on_a_bus: HashSet<String> = belongs(file).map(|(name, _)| name.value.clone()).collect();
    let presses = file.press.iter().map(|press| press.name.value.clone());
    let presses: HashSet<String> = presses.collect();
    file.axis.retain(|one| here(&one.bus));
    file.press.retain(|one| here(&one.bus));
    file.station.retain(|one| here(&one.bus));
    // What another bus' press has learnt of a part is its own; a press that there is nowhere is refused later.
    for part in &mut file.part {
        part.press_twin.retain(|one| {
            let name = &one.value.press.value;
            !presses.contains(name) || file.press.iter().any(|press| press.name.value == *name)
        });
    }
    // Parts and recipes are of presses; without any press at all the first bus says what is wrong with them.
    if file.press.is_empty() && index > 0 {
        file.part.clear();
        file.recipe.clear();
        file.schedule.clear();
        // What else is told on the bus stays.
        if let Some(context) = &mut file.context {
            (context.recipe, context.part) = (None, None);
        }
        if let Some(simulation) = &mut file.simulation {
            simulation.told.clear();
        }
    }
    of_buses.extend(on_a_bus.iter().cloned());
    tellers::keep(file, &bus, &of_buses, index);
    if let Some(period) = bus.period.take() {
        file.cycle.period = period;
    }
    if let Some(budget) = bus.budget.take() {
        file.cycle.budget = Some(budget.value);
    }
    if let Some(budget) = bus.model_budget.take() {
        file.cycle.model_budget = Some(budget.value);
    }
    file.recording = None;
    let publish = file
        .publish
        .as_ref()
        .and_then(|publish| publish.uadp.as_ref());
    if !publish.is_some_and(|uadp| here(&uadp.bus)) {
        file.publish = None;
    }
    // One bus asks ptp4l for all: there is one clock.
    if index > 0
        && let Some(realtime) = &mut file.realtime
    {
        realtime.ptp = None;
    }
    let (core, model_cores) = (bus.core.take(), bus.model_cores.take());
    if core.is_some() || model_cores.is_some() {
        let realtime = file.realtime.get_or_insert_with(RealtimeTable::default);
        realtime.core = core;
        realtime.model_cores = model_cores;
    }
    if let Some(clock) = bus.clock.take() {
        let realtime = file.realtime.get_or_insert_with(RealtimeTable::default);
        realtime.clock = Some(clock.value);
    }
    if let Some(shared) = &mut file.shared {
        shared.name.value = format!("{}.{name}", shared.name.value);
        let listens = bus
            .kind
            .as_ref()
            .is_some_and(|kind| kind.value != "main_device");
        if listens {
            shared.controller = None;
        }
    }
    let carried: HashSet<String> = belongs(file).map(|(name, _)| name.value.clone()).collect();
    if let Some(simulation) = &mut file.simulation {
        // Each line is drawn by itself.
        simulation.machine_seed = simulation.machine_seed.wrapping_add(index as u64);
        let images: HashSet<String> = (bus.subdevice.iter())
            .map(|one| one.name.value.clone())
            .collect();
        let is_here = |target: &str| carried.contains(target) || images.contains(target);
        let elsewhere =
            |target: &str| on_a_bus.contains(target) || names.iter().any(|bus| bus == target);
        simulation
            .inject
            .retain_mut(|text| match retarget(&text.value, &name, is_here) {
                Some(own) => {
                    text.value = own;
                    true
                }
                // What is on no bus at all is a mistake, and the first bus says so.
                None => index == 0 && retarget(&text.value, "", elsewhere).is_none(),
            });
    }
    file.bus = Some(bus);
}
