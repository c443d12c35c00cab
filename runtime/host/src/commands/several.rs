//! Machines of several buses on the command line: one bus of them, or all in one run.

use super::{run, simulated};
use crate::cli::{CycleArgs, RunArgs};
use crate::error::{Exit, HostError};
use crate::output::Output;
use crate::realtime::capabilities;
use crate::record::folder::is_folder;
use crate::session::{Options, run_several, title_of};
use crate::{store, tsn};
use std::path::{Path, PathBuf};
use twinstep_config::fault::on_which_bus;
use twinstep_config::machine::Machine;

/// The part of the machine on `bus`, or all of it.
///
/// # Errors
/// [`HostError::Usage`] where no bus has that name.
pub fn choose(machines: Vec<Machine>, bus: Option<&str>) -> Result<Vec<Machine>, HostError> {
    let Some(bus) = bus else {
        return Ok(machines);
    };
    let known = names(&machines);
    let named = |machine: &Machine| {
        machine
            .place
            .as_ref()
            .is_some_and(|place| place.name == bus)
    };
    let chosen: Vec<Machine> = machines.into_iter().filter(named).collect();
    if chosen.is_empty() {
        let remedy = if known.is_empty() {
            "leave --bus out: the machine has one".to_owned()
        } else {
            format!("the buses of this machine are {known}")
        };
        let shown: String = bus.chars().take(32).collect();
        return Err(HostError::usage(
            format!("no bus is called '{}'", shown.escape_default()),
            remedy,
        ));
    }
    Ok(chosen)
}

/// The names of the buses, as they are told.
fn names(machines: &[Machine]) -> String {
    let names = machines.iter().filter_map(|machine| machine.place.as_ref());
    names
        .map(|place| place.name.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

/// What to say where a command is of one bus and there are several.
pub fn one_is_wanted(machines: &[Machine]) -> HostError {
    HostError::usage(
        format!("the machine has several buses: {}", names(machines)),
        "name one of them with --bus",
    )
}

/// `FILE.csv` with the name of a bus: `FILE.NAME.csv`.
pub fn file_of(path: &Path, bus: &str) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(".");
    name.push(bus);
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// Where a bus is recorded: a file with its name, or a folder in that of the machine.
fn recording_of(path: &Path, bus: &str) -> PathBuf {
    if is_folder(path) {
        // It ends as folders do.
        path.join(bus).join("")
    } else {
        file_of(path, bus)
    }
}

/// The bus whose name stands in the name of a file, see [`file_of`].
pub fn bus_of<'a>(path: &Path, machines: &'a [Machine]) -> Option<&'a str> {
    let stem = Path::new(path.file_stem()?);
    let name = stem.extension()?.to_str()?;
    let mut places = machines.iter().filter_map(|machine| machine.place.as_ref());
    places
        .find(|place| place.name == name)
        .map(|place| place.name.as_str())
}

/// Runs all buses of `machines`, as `twinstep run` does.
///
/// # Errors
/// [`HostError`].
pub fn run_all(args: &RunArgs, machines: &[Machine], output: &Output) -> Result<Exit, HostError> {
    if let Some(option) = args
        .interface
        .as_ref()
        .or(args.redundant_interface.as_ref())
    {
        return Err(HostError::usage(
            format!(
                "{option} cannot be the interface of all buses: {}",
                names(machines)
            ),
            "write `interface` into each [[bus]], or name one bus with --bus",
        ));
    }
    let state = store::folder(args.cycle.state.as_deref())?;
    let interface = |machine: &Machine| machine.bus.as_ref().and_then(|bus| bus.interface.clone());
    let cycles = split(&args.cycle, machines)?;
    let options: Vec<Options> = (machines.iter().zip(&cycles))
        .map(|(machine, cycle)| Options {
            simulated: interface(machine).is_none(),
            interfaces: interfaces(machine),
            ..Options::new(&title_of(machine), cycle, state.clone(), args.arm)
        })
        .collect();
    let real = options.iter().any(|options| !options.simulated);
    if real || machines.iter().any(run::uses_rights) {
        capabilities::prepare();
    }
    let Some(first) = machines.first() else {
        return Ok(Exit::Fine);
    };
    run::listen_before_tsn(args, machines)?;
    tsn::with(first, output, || {
        run::give_back(args, machines, output)?;
        run_several(machines, &options, output, |machine, options| {
            let cycle = cycles.get(place_of(machine));
            let own = RunArgs {
                cycle: cycle.cloned().unwrap_or_default(),
                ..args.clone()
            };
            run::attend(&own, machine, output, run::Of(None, options.seat.clone()))
        })
    })
}

/// Runs all buses of `machines`, simulated, as `twinstep demo` does.
///
/// # Errors
/// [`HostError`].
pub fn demo_all(
    args: &CycleArgs,
    machines: &[Machine],
    options: &Options,
    output: &Output,
) -> Result<Exit, HostError> {
    let args = CycleArgs {
        cycles: options.cycles,
        ..args.clone()
    };
    let cycles = split(&args, machines)?;
    let options: Vec<Options> = (machines.iter().zip(&cycles))
        .map(|(machine, cycle)| Options {
            simulated: true,
            title: title_of(machine),
            cycles: cycle.cycles,
            record: cycle.record.clone(),
            ..options.clone()
        })
        .collect();
    run_several(machines, &options, output, |machine, options| {
        let cycle = cycles.get(place_of(machine));
        simulated::run(machine, cycle.unwrap_or(&args), options, output)
    })
}

/// Its place among the buses of its machine.
fn place_of(machine: &Machine) -> usize {
    machine.place.as_ref().map_or(0, |place| place.index)
}

/// The interfaces of a real bus.
pub(super) fn interfaces(machine: &Machine) -> Vec<String> {
    let Some(bus) = &machine.bus else {
        return Vec::new();
    };
    let returned = bus
        .tap
        .as_ref()
        .and_then(|tap| tap.returned_interface.clone());
    let names = [
        bus.interface.clone(),
        bus.redundant_interface.clone(),
        returned,
    ];
    names.into_iter().flatten().collect()
}

/// The arguments of each bus: the cycles of `--cycles` are the first one's, and the others run as long; files have the name of the bus;
/// a fault goes to the bus of its target.
fn split(args: &CycleArgs, machines: &[Machine]) -> Result<Vec<CycleArgs>, HostError> {
    let mut injected: Vec<Vec<String>> = vec![Vec::new(); machines.len()];
    for text in &args.inject {
        let found = on_which_bus(text, machines);
        if found.is_none() && text.split([':', '@']).nth(1) == Some("bus") {
            return Err(HostError::usage(
                format!("'{text}' could be of any of the buses"),
                format!("name it instead of \"bus\": {}", names(machines)),
            ));
        }
        // What has no target on any bus is read by the first one, which says so.
        let (n, text) = found.unwrap_or_else(|| (0, text.clone()));
        if let Some(bus) = injected.get_mut(n) {
            bus.push(text);
        }
    }
    let first_ns = machines
        .first()
        .map_or(1, |machine| machine.cycle.period_ns);
    let all = machines.iter().zip(injected);
    let split = all.map(|(machine, inject)| {
        let file = |path: &Option<PathBuf>| {
            let place = machine.place.as_ref()?;
            path.as_ref().map(|path| file_of(path, &place.name))
        };
        let cycles = |cycles: u64| {
            let time_ns = u128::from(cycles) * u128::from(first_ns);
            let own = time_ns.div_ceil(u128::from(machine.cycle.period_ns.max(1)));
            u64::try_from(own).unwrap_or(u64::MAX)
        };
        CycleArgs {
            cycles: args.cycles.map(cycles),
            record: (machine.place.as_ref().zip(args.record.as_ref()))
                .map(|(place, path)| recording_of(path, &place.name)),
            pcap: file(&args.pcap),
            inject,
            ..args.clone()
        }
    });
    Ok(split.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Vec<Machine> {
        let text = include_str!("../../../../rt-config/machines/two-buses.toml");
        twinstep_config::load_buses(text, "two.toml").unwrap()
    }

    #[test]
    fn files_are_told_apart_by_the_bus() {
        let machines = two();
        let path = file_of(Path::new("/a/b.c/run.csv"), "rear");
        assert_eq!(path, Path::new("/a/b.c/run.rear.csv"));
        assert_eq!(file_of(Path::new("run"), "rear"), Path::new("run.rear"));
        assert_eq!(bus_of(&path, &machines), Some("rear"));
        assert_eq!(bus_of(Path::new("run.csv"), &machines), None);
        assert_eq!(bus_of(Path::new("run.roof.csv"), &machines), None);
    }

    #[test]
    fn each_bus_has_its_own_arguments() {
        let args = CycleArgs {
            cycles: Some(1000),
            record: Some("x.csv".into()),
            inject: vec![
                "frame_loss:rear:count=3@1s".to_owned(),
                "friction:infeed:factor=2".to_owned(),
            ],
            ..CycleArgs::default()
        };
        let split = split(&args, &two()).unwrap();
        assert_eq!((split[0].cycles, split[1].cycles), (Some(1000), Some(2000)));
        assert_eq!(split[1].record.as_deref(), Some(Path::new("x.rear.csv")));
        assert_eq!(split[0].inject, ["friction:infeed:factor=2"]);
        assert_eq!(split[1].inject, ["frame_loss:bus:count=3@1s"]);
        let args = CycleArgs {
            inject: vec!["frame_loss:bus:count=3".to_owned()],
            ..CycleArgs::default()
        };
        let error = super::split(&args, &two()).unwrap_err();
        assert!(error.in_a_line().contains("front, rear"));
    }

    #[test]
    fn a_bus_is_chosen_by_its_name() {
        assert_eq!(choose(two(), Some("rear")).unwrap().len(), 1);
        assert_eq!(choose(two(), None).unwrap().len(), 2);
        let error = choose(two(), Some("roof")).unwrap_err();
        assert!(error.in_a_line().contains("front, rear"));
        assert!(one_is_wanted(&two()).in_a_line().contains("--bus"));
    }
}
