//! From what a client wishes to what the cycles of which buses are told.

use super::bus::BusEnd;
use super::place::listens;
use super::queue::{Command, Refusal};
use super::request::{Wish, Wrong};
use std::collections::VecDeque;
use twinstep_config::fault::{Fault, on_which_bus};

/// Commands of one request, each with its bus.
pub(super) type Commands = VecDeque<(usize, Command)>;

/// The bus that is meant, or all of them.
pub(super) fn chosen(
    buses: &[BusEnd],
    of: Option<usize>,
) -> impl Iterator<Item = (usize, &BusEnd)> {
    let all = buses.iter().enumerate();
    all.filter(move |(n, _)| of.is_none_or(|of| of == *n))
}

/// Why the cycle does not obey, in words.
pub(super) fn refused(buses: &[BusEnd], refusal: Refusal) -> Wrong {
    match refusal {
        Refusal::NoOutputs => Wrong::new(
            "this run sends no outputs: there is nothing to arm",
            "a tap and a recording have none; arm the master that owns the bus",
        ),
        Refusal::NotSimulated => not_simulated(buses),
        Refusal::Busy => Wrong::new(
            "the models of this axis are with a worker that is late",
            "try again",
        ),
    }
}

fn not_simulated(buses: &[BusEnd]) -> Wrong {
    let machine = buses
        .first()
        .map_or("", |bus| &bus.setting.identity.machine);
    Wrong::new(
        format!(
            "'{machine}' runs on a real interface: faults are injected on simulated machines only"
        ),
        "run the simulated machine, or give faults to `twinstep sim` on the other end of the cable",
    )
}

/// Which bus goes by this name.
pub(super) fn named(buses: &[BusEnd], name: &str) -> Result<usize, Wrong> {
    let mut all = buses.iter();
    all.position(|bus| bus.name() == Some(name)).ok_or_else(|| {
        let known: Vec<_> = buses.iter().filter_map(BusEnd::name).collect();
        let shown: String = name.chars().take(32).collect();
        let remedy = if known.is_empty() {
            "leave `bus` out: the machine has one".to_owned()
        } else {
            format!("they are: {}", known.join(", "))
        };
        Wrong::new(
            format!("no bus is called '{}'", shown.escape_default()),
            remedy,
        )
    })
}

/// What the cycles are told for a wish about one bus, or all of them.
pub(super) fn commands(
    buses: &[BusEnd],
    wish: &Wish,
    of: Option<usize>,
) -> Result<Commands, Wrong> {
    // Whoever has ended needs nothing; where there is one bus it is asked all the same.
    let alone = buses.len() == 1;
    let each = || chosen(buses, of).filter(move |(_, bus)| alone || !bus.has_ended());
    let commands: Commands = match wish {
        Wish::Status | Wish::Save | Wish::Events(_) | Wish::Curve { .. } | Wish::Trend { .. } => {
            Commands::new()
        }
        Wish::Baseline(source) => Commands::from([baseline(buses, source)?]),
        Wish::Reset => {
            let begun = each().filter(|(_, bus)| alone || bus.has_begun());
            begun.map(|(n, _)| (n, Command::Reset)).collect()
        }
        Wish::Arm => {
            // Beside one that sends outputs, a bus that is only listened to is left out.
            let sends = |bus: &BusEnd| of.is_some() || !listens(&bus.setting.machine);
            let any = each().any(|(_, bus)| sends(bus));
            let armed = each().filter(|(_, bus)| !any || sends(bus));
            armed.map(|(n, _)| (n, Command::Arm)).collect()
        }
        Wish::Clear => each().map(|(n, _)| (n, Command::ClearFaults)).collect(),
        Wish::Budget(budgets) => {
            for (_, bus) in chosen(buses, of) {
                bus.budgets.check(budgets, bus.setting.identity.period_ns)?;
            }
            let command = |&(row, budget_ns): &_| Command::SetBudget { row, budget_ns };
            let all = each().flat_map(|(n, _)| budgets.iter().map(move |one| (n, command(one))));
            all.collect()
        }
        Wish::Inject(faults) => {
            let parsed = faults.iter().map(|text| fault(buses, text, of));
            parsed.collect::<Result<_, _>>()?
        }
    };
    Ok(commands)
}

/// The command for the axis or press called `source`, whose name is the only one on all buses.
fn baseline(buses: &[BusEnd], source: &str) -> Result<(usize, Command), Wrong> {
    let names = |bus: &BusEnd| {
        let machine = &bus.setting.machine;
        let axes = machine.axes.iter().map(|axis| axis.name.clone());
        let presses = machine.presses.iter().map(|press| press.axis.name.clone());
        axes.chain(presses).collect::<Vec<_>>()
    };
    let place = |bus: &BusEnd| names(bus).iter().position(|name| name == source);
    let mut found = buses
        .iter()
        .enumerate()
        .filter_map(|(n, bus)| Some((n, place(bus)?)));
    let found = found.next().map(|(n, axis)| (n, Command::Baseline(axis)));
    found.ok_or_else(|| {
        let shown: String = source.chars().take(32).collect();
        let all: Vec<_> = buses.iter().flat_map(names).collect();
        Wrong::new(
            format!("no axis or press is called '{}'", shown.escape_default()),
            format!("they are: {}", all.join(", ")),
        )
    })
}

/// A fault as a command for the bus that it is of.
fn fault(buses: &[BusEnd], text: &str, of: Option<usize>) -> Result<(usize, Command), Wrong> {
    let found = match of.and_then(|n| Some((n, buses.get(n)?))) {
        Some((n, bus)) => {
            let here = on_which_bus(text, [&bus.setting.machine]);
            Some((n, here.map_or(text.to_owned(), |(_, text)| text)))
        }
        None => on_which_bus(text, buses.iter().map(|bus| &bus.setting.machine)),
    };
    let several = buses.len() > 1;
    if found.is_none() && several && text.split([':', '@']).nth(1) == Some("bus") {
        let known: Vec<_> = buses.iter().filter_map(BusEnd::name).collect();
        return Err(Wrong::new(
            "\"bus\" could be any of the buses",
            format!("name it instead: {}", known.join(", ")),
        ));
    }
    // What has no target on any bus is read by the first one, which says so.
    let (n, text) = found.unwrap_or((0, text.to_owned()));
    let bus = buses.get(n).filter(|bus| bus.setting.identity.simulated);
    let Some(bus) = bus else {
        return Err(not_simulated(buses));
    };
    Fault::parse(&text, &bus.setting.machine)
        .map(|fault| (n, Command::Inject(Box::new(fault))))
        .map_err(|error| Wrong::new(error.to_string(), error.help))
}
