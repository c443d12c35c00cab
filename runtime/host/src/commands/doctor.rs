//! `twinstep doctor`: whether this computer keeps the time of a cycle, and what to do where it does not.

use super::load_buses;
use super::several::{self, choose};
use crate::cli::DoctorArgs;
use crate::doctor::{self, Check, Root, Subject, Verdict, script};
use crate::error::{Exit, HostError};
use crate::output::Output;
use crate::trust::{Scheduling, Trust};
use serde::Serialize;
use std::fmt::Write as _;
use twinstep_config::machine::{Machine, Realtime};

/// What all checks came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename = "summary")]
struct Summary {
    /// Core of the cycle that the checks were made for.
    core: usize,
    /// Checks that found what they should.
    ok: usize,
    /// Checks that found what costs time now and then.
    warn: usize,
    /// Checks that found what invalidates every figure.
    bad: usize,
    /// Checks of what is not here.
    not_here: usize,
    /// What the figures of a run here would be worth.
    trust: Trust,
}

impl Summary {
    fn of(checks: &[Check], core: usize) -> Self {
        let count = |verdict| {
            checks
                .iter()
                .filter(|check| check.verdict == verdict)
                .count()
        };
        // On every core that it was looked at for.
        let is_ok = |name| {
            let mut named = checks.iter().filter(|check| check.name == name).peekable();
            named.peek().is_some() && named.all(|check| check.verdict == Verdict::Ok)
        };
        let bad = count(Verdict::Bad);
        let (realtime_kernel, sched_fifo, memory_locked) = (
            is_ok("kernel.realtime"),
            is_ok("rights.sched_fifo"),
            is_ok("rights.lock_memory"),
        );
        let proven = [
            "kernel.realtime",
            "kernel.hypervisor",
            "throttling.rt_runtime",
            "rights.sched_fifo",
            "rights.lock_memory",
        ];
        Self {
            core,
            ok: count(Verdict::Ok),
            warn: count(Verdict::Warn),
            bad,
            not_here: count(Verdict::NotHere),
            trust: Trust {
                virtual_machine: !is_ok("kernel.hypervisor"),
                throttling_off: is_ok("throttling.rt_runtime"),
                isolated: is_ok("isolation.isolated"),
                core: Some(core),
                policy: if sched_fifo {
                    Scheduling::Fifo
                } else {
                    Scheduling::Other
                },
                cpu_dma_latency_held: is_ok("power.cpu_dma_latency"),
                realtime_kernel,
                sched_fifo,
                memory_locked,
                // What could not be read is no proof: neither that there is nothing to hold, nor of the rest.
                idle_states: true,
                timing_valid: bad == 0 && proven.iter().all(|name| is_ok(name)),
                ..Trust::default()
            },
        }
    }
}

/// Runs the command.
///
/// # Errors
/// [`HostError`]: a configuration or a folder that cannot be read.
pub fn run(args: &DoctorArgs, output: &Output) -> Result<Exit, HostError> {
    let machines = args.config.as_deref().map(load_buses).transpose()?;
    let machines = choose(machines.unwrap_or_default(), args.bus.as_deref())?;
    let interfaces = match &args.interface {
        Some(interface) => vec![interface.clone()],
        None => interfaces(&machines),
    };
    let root = match &args.sysroot {
        None => Root::live(),
        Some(folder) if folder.is_dir() => Root::folder(folder),
        Some(folder) => {
            return Err(HostError::usage(
                format!("{} is no folder", folder.display()),
                "--sysroot names a folder with copies of /proc and /sys below it",
            ));
        }
    };
    let usual = Realtime::default();
    let mut buses: Vec<&Realtime> = machines.iter().map(|machine| &machine.realtime).collect();
    // A core that is asked for is that of the first bus.
    buses.truncate(if args.core.is_some() { 1 } else { buses.len() });
    if buses.is_empty() {
        buses.push(&usual);
    }
    let sets_network = machines.iter().any(|machine| {
        let launches = (machine.publish.as_ref()).is_some_and(|one| one.launch_offset_ns.is_some());
        machine.tsn.is_some() || launches || machine.realtime.nic.is_asked()
    });
    let tsn: Vec<String> = (machines.iter())
        .filter_map(|machine| Some(machine.tsn.as_ref()?.interface.clone()))
        .collect();
    let cores: Vec<usize> = (buses.iter())
        .map(|settings| args.core.unwrap_or_else(|| core_of(&root, settings)))
        .collect();
    let mut checks: Vec<Check> = Vec::new();
    for (settings, &core) in buses.iter().zip(&cores) {
        let (models, interfaces) = (&settings.model_cores, interfaces.clone());
        let subject = Subject::new(
            root.clone(),
            Some(core),
            models,
            interfaces,
            settings.priority,
        );
        let subject = subject.setting_network(sets_network).with_tsn(tsn.clone());
        let subject = subject.beside(&cores).with_ptp(settings.ptp.clone());
        // What is the same for all of them is said once.
        for check in subject.examine() {
            if !checks.contains(&check) {
                checks.push(check);
            }
        }
    }
    let summary = Summary::of(&checks, cores.first().copied().unwrap_or_default());
    if args.fix_script {
        output.line(script::script(&checks).trim_end());
    } else if output.json() {
        checks.iter().for_each(|check| output.json_line(check));
        output.json_line(&summary);
    } else {
        output.line(text(&checks, &summary).trim_end());
    }
    Ok(Exit::Fine)
}

/// The core of a cycle as `run` takes it: the one that is named, else the last isolated one, or the last one of all, that nobody else names and
/// that buses before it leave.
fn core_of(root: &Root, settings: &Realtime) -> usize {
    let others = &settings.others;
    let is_free =
        |core: &usize| !settings.model_cores.contains(core) && !others.cores.contains(core);
    let online = doctor::online_cores(root);
    let nth = |cores: Vec<usize>| {
        let free: Vec<usize> = cores.into_iter().filter(is_free).collect();
        free.iter().rev().nth(others.before).copied()
    };
    let isolated = || {
        nth(doctor::isolated(root)
            .intersection(&online)
            .iter()
            .collect())
    };
    let last = || nth(online.iter().collect()).or(online.last());
    settings.core.or_else(isolated).or_else(last).unwrap_or(0)
}

/// Every interface that the configuration names, each once: those of all buses, of `[tsn]`, and of what is published. A VLAN that
/// `[tsn]` makes is not there yet.
fn interfaces(machines: &[Machine]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for machine in machines {
        let tsn = machine.tsn.as_ref().map(|tsn| tsn.interface.as_str());
        let on_tsn = |name: &str| tsn.is_some_and(|tsn| name.starts_with(&format!("{tsn}.")));
        let publish = machine.publish.as_ref();
        let publish = publish.map(|publish| publish.interface.clone());
        let publish = publish.filter(|name| !on_tsn(name));
        let named = several::interfaces(machine).into_iter();
        for name in named.chain(tsn.map(str::to_owned)).chain(publish) {
            if !all.contains(&name) {
                all.push(name);
            }
        }
    }
    all
}

/// For people: a line a check, and what to do below it where something is wrong.
fn text(checks: &[Check], summary: &Summary) -> String {
    let mut text = String::new();
    for check in checks {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:<8} {:<28} {}",
            check.verdict, check.name, check.value
        );
        if matches!(check.verdict, Verdict::Warn | Verdict::Bad) {
            let _ = writeln!(text, "         at  {}", check.path);
            let _ = writeln!(text, "         why {}", check.why);
            let _ = writeln!(text, "         do  {}", check.remedy);
        }
    }
    let _ = writeln!(
        text,
        "core {}: {} ok, {} warn, {} bad, {} not here",
        summary.core, summary.ok, summary.warn, summary.bad, summary.not_here
    );
    if summary.trust.timing_valid {
        text.push_str("timing valid: durations measured here say something about a machine\n");
    } else {
        let bad: Vec<&str> = checks
            .iter()
            .filter(|check| check.verdict == Verdict::Bad)
            .map(|check| check.name)
            .collect();
        let why = if bad.is_empty() {
            "kernel, hypervisor, throttling or rights could not be read".to_owned()
        } else {
            bad.join(", ")
        };
        let _ = writeln!(text, "timing NOT valid: {why}");
    }
    text.push_str("`twinstep doctor --fix-script` prints a script of what can be mended without a new start\n");
    text
}
