//! The network interfaces of the bus: set as the configuration asks, read back, and restored when the run ends.

mod left;
mod moved;

use super::capabilities;
use super::claim::{FOLDERS, in_this_namespace};
use crate::doctor::cpus::Cpus;
use crate::doctor::{Root, interrupts_of};
use crate::error::HostError;
use crate::ethtool;
use crate::output::Output;
use left::{Before, Kept};
use moved::All;
use rustix::thread::CapabilitySet;
use std::io;
use twinstep_config::machine::{Machine, RealtimeNic};

/// What was there before, for when this goes.
#[derive(Debug)]
pub struct Settings {
    root: Root,
    interface: String,
    /// Files of interrupts that were moved, and what the note says of each.
    moved: Vec<(String, String)>,
    /// The same for the next run, should this one be killed; none where it cannot be kept.
    kept: Option<Kept>,
    before: Before,
    /// Another process has set the interface, and sets it back: nothing is set here.
    is_anothers: bool,
    /// What was asked for and is not so, in words.
    pub refused: Vec<String>,
}

/// What is said of an interface that another process has set.
const ANOTHERS: &str = "another twinstep has set this interface, and sets it back";

/// All interfaces of a bus, set as `[realtime.nic]` asks; set back when this goes.
#[derive(Debug, Default)]
pub struct AllSettings {
    /// Nothing reads them: their end sets back what they have set.
    _each: Vec<Settings>,
    /// Something was asked for and is not so.
    pub denied: bool,
}

/// Whether an earlier run has left something on one of `interfaces`.
pub fn is_left(interfaces: &[String]) -> bool {
    let mut names = interfaces.iter();
    names.any(|name| left::is_left(&FOLDERS, &in_this_namespace("nic", name)))
}

/// Sets back what earlier runs have left on `interfaces`. Of several buses to be called for all of them before [`set`] for any: they may share
/// an interrupt, and what the first one sets is not what was there. To be called while there are rights.
pub fn give_back(interfaces: &[String], output: &Output) {
    for name in interfaces {
        let note = in_this_namespace("nic", name);
        let came_of_it = match left::give_back(&Root::live(), &FOLDERS, &note, name) {
            None => continue,
            Some(true) => "it is set back first",
            Some(false) => {
                "it could not be set back; start once with the rights for it, and with the interface under that name"
            }
        };
        output.note(&format!(
            "[realtime.nic] an earlier run had left {name} changed: {came_of_it}"
        ));
    }
}

/// Sets `interfaces` as the configuration asks, and says what is refused. To be called after [`give_back`], and while there are rights.
///
/// # Errors
/// [`HostError::Machine`] where something is refused and required.
pub fn set(
    interfaces: &[String],
    machine: &Machine,
    output: &Output,
) -> Result<AllSettings, HostError> {
    let asked = &machine.realtime.nic;
    if !asked.is_asked() {
        return Ok(AllSettings::default());
    }
    // A signal that comes before the run listens to them must not end the process with the interfaces changed.
    crate::snapshot::hold_signals().map_err(|error| {
        HostError::machine(format!("signals cannot be caught: {error}"), "try again")
    })?;
    let all = interfaces.iter();
    let each: Vec<_> = all.map(|name| Settings::apply(name, asked)).collect();
    let refused: Vec<&str> = (each.iter())
        .flat_map(|settings| settings.refused.iter().map(String::as_str))
        .collect();
    if machine.realtime.require && !refused.is_empty() {
        return Err(HostError::machine(
            format!("[realtime] require = true, and {}", refused.join("; ")),
            "leave out of [realtime.nic] what this interface cannot do, or give the process CAP_NET_ADMIN (coalescing) and root (interrupts)",
        ));
    }
    for refused in &refused {
        output.note(&format!("[realtime.nic] {refused}"));
    }
    Ok(AllSettings {
        denied: !refused.is_empty(),
        _each: each,
    })
}

/// Rights that it takes to restore the coalescing.
pub const RIGHTS: CapabilitySet = CapabilitySet::NET_ADMIN;

impl Settings {
    /// Sets what is asked for.
    pub fn apply(interface: &str, asked: &RealtimeNic) -> Self {
        Self::apply_under(Root::live(), interface, asked, &FOLDERS)
    }

    fn apply_under(root: Root, interface: &str, asked: &RealtimeNic, folders: &[&str]) -> Self {
        let note = in_this_namespace("nic", interface);
        let kept = Kept::take(folders, &note, true);
        let mut settings = Self {
            root,
            interface: interface.to_owned(),
            moved: Vec::new(),
            is_anothers: kept.is_none() && left::is_held(folders, &note),
            kept,
            before: Before::default(),
            refused: Vec::new(),
        };
        // What could not be set back yet is still what was there before.
        let left = settings.kept.as_mut().and_then(Kept::left_behind);
        settings.before = left.unwrap_or_default();
        if let Some(core) = asked.irq_core {
            settings.interrupts_to(core);
        }
        if asked.rx_coalescing_us.is_some() || asked.tx_coalescing_us.is_some() {
            settings.coalesce(asked);
        }
        settings
    }

    /// Keeps what is about to be changed. Where that cannot be, a killed run leaves it as it set it.
    fn keep(&mut self) {
        if let Some(kept) = &mut self.kept {
            let _ = kept.keep(&self.before);
        }
    }

    fn interrupts_to(&mut self, core: usize) {
        let irqs = interrupts_of(&self.root, &self.interface);
        if irqs.is_empty() {
            self.refused.push(format!(
                "irq_core = {core}: {} has no interrupts of its own",
                self.interface
            ));
        }
        for irq in irqs {
            let path = format!("/proc/irq/{irq}/smp_affinity_list");
            let written = self.move_to(core, &path);
            let now = self
                .root
                .read(&path)
                .and_then(|text| Cpus::parse_list(&text));
            if now.as_ref() != Some(&Cpus::one(core)) {
                let why = written
                    .err()
                    .map_or(String::new(), |error| format!(" ({error})"));
                let now = now.map_or("unknown".to_owned(), |now| now.to_string());
                self.refused.push(format!(
                    "irq_core = {core}: interrupt {irq} stays on {now}{why}"
                ));
            }
        }
    }

    /// Moves the interrupt of the file `path`, and notes before it what stood there.
    fn move_to(&mut self, core: usize, path: &str) -> io::Result<()> {
        if self.is_anothers {
            return Err(io::Error::other(ANOTHERS));
        }
        let file = self.root.place(path);
        let mut moved = moved::all();
        let Some(now) = self.root.read(path) else {
            return Err(io::Error::other("its cores cannot be read"));
        };
        let (first, is_older) = self.before_moved(path, moved.first(&file), now);
        self.keep();
        let written = std::fs::write(&file, format!("{core}\n"));
        // Halfway is changed too.
        moved.note(&file, &first, is_older);
        self.moved.push((path.to_owned(), first));
        written
    }

    /// What stood in the file of an interrupt before an earlier run, or another port of this process (`found_first`), has moved it; `now` where
    /// nobody has. And whether that is of an earlier run.
    fn before_moved(
        &mut self,
        path: &str,
        found_first: Option<&str>,
        now: String,
    ) -> (String, bool) {
        let is_it =
            |(of, cores): &&(String, String)| of == path && Cpus::parse_list(cores).is_some();
        if let Some((_, first)) = self.before.affinities.iter().find(is_it) {
            return (first.clone(), true);
        }
        let first = found_first.map_or(now, str::to_owned);
        let noted = (path.to_owned(), first.clone());
        self.before.affinities.push(noted);
        (first, false)
    }

    /// What this is to set back and is not as it was. Where another port that still runs has the same in its note, that one does.
    fn still_changed(&self, moved: &All) -> Before {
        let mut changed = self.before.still_changed(&self.root, &self.interface);
        let is_others = |path: &str, cores: &str| moved.has_noted(&self.root.place(path), cores);
        (changed.affinities).retain(|(path, cores)| !is_others(path, cores));
        changed
    }

    fn coalesce(&mut self, asked: &RealtimeNic) {
        let name = &self.interface;
        let before = match ethtool::coalescing(name) {
            Ok(before) => before,
            Err(error) => {
                let why = format!("coalescing of {name}: its driver does not tell it ({error})");
                self.refused.push(why);
                return;
            }
        };
        let wanted = before.with_us(
            asked.rx_coalescing_us.unwrap_or(before.rx_us()),
            asked.tx_coalescing_us.unwrap_or(before.tx_us()),
        );
        let set = if self.is_anothers {
            Err(io::Error::other(ANOTHERS))
        } else {
            // As it was before an earlier run, where that has left it changed.
            self.before.coalescing = self.before.coalescing.or(Some(before));
            self.keep();
            ethtool::set_coalescing(&self.interface, wanted)
        };
        let name = &self.interface;
        let now = ethtool::coalescing(name);
        let same = now.as_ref().is_ok_and(|now| {
            (now.rx_us(), now.tx_us(), now.adaptive()) == (wanted.rx_us(), wanted.tx_us(), false)
        });
        if !same {
            let why = set
                .err()
                .map_or("the driver takes other values".to_owned(), |error| {
                    error.to_string()
                });
            self.refused.push(format!(
                "coalescing of {name}: rx {} us, tx {} us refused ({why})",
                wanted.rx_us(),
                wanted.tx_us()
            ));
        }
    }
}

impl Drop for Settings {
    fn drop(&mut self) {
        // What was refused may be set halfway.
        if self.before.coalescing.is_some() {
            capabilities::with(RIGHTS, || self.before.restore_coalescing(&self.interface));
        }
        let mut moved = moved::all();
        for (path, noted) in std::mem::take(&mut self.moved) {
            if let Some(first) = moved.put_back(&self.root.place(&path), &noted) {
                self.before.set_affinity(&path, &first);
            }
        }
        let changed = self.still_changed(&moved);
        drop(moved);
        if let Some(kept) = &mut self.kept {
            // What could not be set back is kept for a run that can.
            let _ = if changed == Before::default() {
                kept.clear()
            } else {
                kept.keep(&changed)
            };
        }
    }
}

#[cfg(test)]
mod tests;
