//! The network interfaces of the bus: set as the configuration asks, read back, and restored when the run ends.

mod left;

use super::capabilities;
use super::claim::{FOLDERS, in_this_namespace};
use crate::doctor::cpus::Cpus;
use crate::doctor::{Root, interrupts_of};
use crate::error::HostError;
use crate::ethtool::{self, Coalescing};
use crate::output::Output;
use left::{Before, Kept};
use rustix::thread::CapabilitySet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use twinstep_config::machine::{Machine, RealtimeNic};

/// What was there before, for when this goes.
#[derive(Debug)]
pub struct Settings {
    root: Root,
    interface: String,
    coalescing: Option<Coalescing>,
    /// Files of interrupts that were moved.
    affinities: Vec<PathBuf>,
    /// The same for the next run, should this one be killed; none where it cannot be kept.
    kept: Option<Kept>,
    before: Before,
    /// What was asked for and is not so, in words.
    pub refused: Vec<String>,
}

/// Interrupts that this process has moved: file, what stood in it before, and how many ports say so. Ports of one card may share an
/// interrupt, those of two buses too, and end in any order: the last one puts it back as the first one found it.
static MOVED: Mutex<Vec<(PathBuf, String, usize)>> = Mutex::new(Vec::new());

fn moved() -> MutexGuard<'static, Vec<(PathBuf, String, usize)>> {
    MOVED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes that a port has moved the interrupt of `file`, in which stood `before`.
fn note_moved(file: &Path, before: String) {
    let mut moved = moved();
    match moved.iter_mut().find(|(of, ..)| of == file) {
        Some((_, _, ports)) => *ports += 1,
        None => moved.push((file.to_owned(), before, 1)),
    }
}

/// What stood in `file` before this process moved its interrupt, where it has.
fn found_first(file: &Path) -> Option<String> {
    let moved = moved();
    let found = moved.iter().find(|(of, ..)| of == file);
    found.map(|(_, before, _)| before.clone())
}

/// Puts the interrupt of `file` back, unless another port has moved it too.
fn put_back(file: &Path) {
    let mut moved = moved();
    let Some(at) = moved.iter().position(|(of, ..)| of == file) else {
        return;
    };
    moved[at].2 -= 1;
    if moved[at].2 == 0 {
        let (file, before, _) = moved.swap_remove(at);
        let _ = std::fs::write(file, format!("{before}\n"));
    }
}

/// All interfaces of a bus, set as `[realtime.nic]` asks; set back when this goes.
#[derive(Debug, Default)]
pub struct AllSettings {
    /// Nothing reads them: their end sets back what they have set.
    _each: Vec<Settings>,
    /// Something was asked for and is not so.
    pub denied: bool,
}

/// Sets `interfaces` as the configuration asks, and says what is refused. To be called while there are rights.
///
/// # Errors
/// [`HostError::Machine`] where something is refused and required.
pub fn set(
    interfaces: &[String],
    machine: &Machine,
    output: &Output,
) -> Result<AllSettings, HostError> {
    for name in interfaces {
        let note = in_this_namespace("nic", name);
        let came_of_it = match left::give_back(&Root::live(), &FOLDERS, &note, name) {
            None => continue,
            Some(true) => "it is set back first",
            Some(false) => "it could not be set back; start once with the rights for it",
        };
        output.note(&format!(
            "[realtime.nic] a run that was killed had left {name} changed: {came_of_it}"
        ));
    }
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
        let mut settings = Self {
            root,
            interface: interface.to_owned(),
            coalescing: None,
            affinities: Vec::new(),
            kept: Kept::take(folders, &in_this_namespace("nic", interface), true),
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
            let file = self.root.place(&path);
            let now = self.root.read(&path);
            let first = now.map(|now| self.before_moved(&path, &file, now));
            if first.is_some() {
                self.keep();
            }
            let written = std::fs::write(&file, format!("{core}\n"));
            let now = self
                .root
                .read(&path)
                .and_then(|text| Cpus::parse_list(&text));
            if first.is_none() || now.as_ref() != Some(&Cpus::one(core)) {
                let why = written
                    .err()
                    .map_or(String::new(), |error| format!(" ({error})"));
                let now = now.map_or("unknown".to_owned(), |now| now.to_string());
                self.refused.push(format!(
                    "irq_core = {core}: interrupt {irq} stays on {now}{why}"
                ));
            }
            // Halfway is changed too.
            if let Some(first) = first {
                note_moved(&file, first);
                self.affinities.push(file);
            }
        }
    }

    /// What stood in the `file` of an interrupt before a run that was killed, or another port of this process, has moved it; `now` where
    /// nobody has.
    fn before_moved(&mut self, path: &str, file: &Path, now: String) -> String {
        let is_it =
            |(of, cores): &&(String, String)| of == path && Cpus::parse_list(cores).is_some();
        if let Some((_, first)) = self.before.affinities.iter().find(is_it) {
            return first.clone();
        }
        let first = found_first(file).unwrap_or(now);
        let noted = (path.to_owned(), first.clone());
        self.before.affinities.push(noted);
        first
    }

    /// What this is to set back and is not as it was. Where another port has moved the same interrupt, that one sets it back, and has a note
    /// of it.
    fn still_changed(&self) -> Before {
        let mut changed = self.before.still_changed(&self.root, &self.interface);
        let is_others = |path: &str| found_first(&self.root.place(path)).is_some();
        changed.affinities.retain(|(path, _)| !is_others(path));
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
        // As it was before a run that was killed, where one was.
        let first = *self.before.coalescing.get_or_insert(before);
        self.keep();
        let name = &self.interface;
        let set = ethtool::set_coalescing(name, wanted);
        let now = ethtool::coalescing(name);
        if set.is_ok() {
            self.coalescing = Some(first);
        }
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
        if let Some(before) = self.coalescing {
            // The interface may have gone meanwhile; then there is nothing to restore.
            let _ = capabilities::with(RIGHTS, || ethtool::set_coalescing(&self.interface, before));
        }
        for file in &self.affinities {
            put_back(file);
        }
        let changed = self.still_changed();
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
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn interrupts_are_moved_read_back_and_restored() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("sys/class/net/eth0/device/msi_irqs")).unwrap();
        for irq in ["130", "131"] {
            fs::write(at("sys/class/net/eth0/device/msi_irqs").join(irq), "msix\n").unwrap();
            fs::create_dir_all(at("proc/irq").join(irq)).unwrap();
            fs::write(at("proc/irq").join(irq).join("smp_affinity_list"), "0-3\n").unwrap();
        }
        // One that belongs to a core and cannot be moved.
        fs::write(at("sys/class/net/eth0/device/msi_irqs/132"), "msix\n").unwrap();
        let asked = RealtimeNic {
            irq_core: Some(2),
            ..RealtimeNic::default()
        };
        let settings = Settings::apply_under(Root::folder(folder.path()), "eth0", &asked, &[]);
        let read = |irq: &str| {
            fs::read_to_string(at("proc/irq").join(irq).join("smp_affinity_list")).unwrap()
        };
        assert_eq!((read("130").as_str(), read("131").as_str()), ("2\n", "2\n"));
        assert_eq!(settings.refused.len(), 1, "{:?}", settings.refused);
        assert!(
            settings.refused[0].contains("interrupt 132"),
            "{:?}",
            settings.refused
        );
        drop(settings);
        assert_eq!(
            (read("130").as_str(), read("131").as_str()),
            ("0-3\n", "0-3\n")
        );
    }

    #[test]
    fn what_a_killed_run_has_set_is_set_back_by_the_next_one() {
        let (folder, notes) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let at = |path: &str| folder.path().join(path);
        let folders = [notes.path().to_str().unwrap()];
        let affinity = at("proc/irq/140/smp_affinity_list");
        for port in ["eth0", "eth1"] {
            fs::create_dir_all(at("sys/class/net").join(port).join("device/msi_irqs/140")).unwrap();
        }
        fs::create_dir_all(at("proc/irq/140")).unwrap();
        fs::write(&affinity, "0-3\n").unwrap();
        let asked = RealtimeNic {
            irq_core: Some(2),
            ..RealtimeNic::default()
        };
        let root = Root::folder(folder.path());
        // Two ports share an interrupt: both know what the first one found.
        let apply = |port| Settings::apply_under(root.clone(), port, &asked, &folders);
        let mut both = ["eth0", "eth1"].map(apply);
        assert_eq!(fs::read_to_string(&affinity).unwrap(), "2\n");
        // Killed: locks go, and nothing is set back.
        moved().retain(|(of, ..)| *of != affinity);
        for settings in &mut both {
            settings.kept = None;
            settings.affinities.clear();
        }
        drop(both);
        for port in ["eth1", "eth0"] {
            fs::write(&affinity, "2\n").unwrap();
            let note = in_this_namespace("nic", port);
            assert_eq!(
                left::give_back(&root, &folders, &note, port),
                Some(true),
                "{port}"
            );
            assert_eq!(fs::read_to_string(&affinity).unwrap(), "0-3\n", "{port}");
            // In order nothing is left to set back.
            drop(apply(port));
            assert_eq!(
                left::give_back(&root, &folders, &note, port),
                None,
                "{port}"
            );
        }
    }

    #[test]
    fn what_could_not_be_set_back_is_set_back_by_a_run_that_can() {
        let (folder, notes) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let at = |path: &str| folder.path().join(path);
        let folders = [notes.path().to_str().unwrap()];
        fs::create_dir_all(at("sys/class/net/eth0/device/msi_irqs/141")).unwrap();
        fs::create_dir_all(at("proc/irq/141")).unwrap();
        let path = "/proc/irq/141/smp_affinity_list";
        let affinity = at("proc/irq/141/smp_affinity_list");
        // A list of cores that nobody can write to, whatever his rights, and that is never core 7 alone.
        std::os::unix::fs::symlink("/sys/devices/system/cpu/online", &affinity).unwrap();
        // A run that was killed had moved the interrupt away from there.
        let note = in_this_namespace("nic", "eth0");
        let before = Before {
            coalescing: None,
            affinities: vec![(path.to_owned(), "7".to_owned())],
        };
        let mut kept = Kept::take(&folders, &note, true).unwrap();
        kept.keep(&before).unwrap();
        drop(kept);
        let root = Root::folder(folder.path());
        let back = || left::give_back(&root, &folders, &note, "eth0");
        assert_eq!(back(), Some(false));
        let asked = RealtimeNic {
            irq_core: Some(2),
            ..RealtimeNic::default()
        };
        let apply = || Settings::apply_under(root.clone(), "eth0", &asked, &folders);
        // A run without the rights is refused, and ends.
        let settings = apply();
        assert_eq!(settings.refused.len(), 1, "{:?}", settings.refused);
        drop(settings);
        assert_eq!(back(), Some(false), "nothing was set back");
        // One with them ends with what was there before all of it.
        fs::remove_file(&affinity).unwrap();
        fs::write(&affinity, "1\n").unwrap();
        let settings = apply();
        assert_eq!(settings.refused, Vec::<String>::new());
        assert_eq!(fs::read_to_string(&affinity).unwrap(), "2\n");
        drop(settings);
        assert_eq!(fs::read_to_string(&affinity).unwrap(), "7\n");
        assert_eq!(back(), None, "nothing is left to do");
    }

    #[test]
    fn ports_that_share_an_interrupt_leave_it_as_the_first_one_found_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for port in ["eth0", "eth1"] {
            let of_port = at("sys/class/net").join(port).join("device/msi_irqs");
            fs::create_dir_all(&of_port).unwrap();
            fs::write(of_port.join("130"), "msix\n").unwrap();
        }
        fs::create_dir_all(at("proc/irq/130")).unwrap();
        let affinity = at("proc/irq/130/smp_affinity_list");
        fs::write(&affinity, "0-3\n").unwrap();
        let asked = RealtimeNic {
            irq_core: Some(2),
            ..RealtimeNic::default()
        };
        let apply = |port| Settings::apply_under(Root::folder(folder.path()), port, &asked, &[]);
        // Of one bus or of two: whichever ends first.
        for first in [0, 1] {
            let mut both = vec![apply("eth0"), apply("eth1")];
            drop(both.swap_remove(first));
            assert_eq!(fs::read_to_string(&affinity).unwrap(), "2\n");
            drop(both);
            assert_eq!(fs::read_to_string(&affinity).unwrap(), "0-3\n");
        }
    }

    #[test]
    fn a_driver_that_knows_no_coalescing_is_named() {
        let asked = RealtimeNic {
            rx_coalescing_us: Some(0),
            irq_core: Some(0),
            ..RealtimeNic::default()
        };
        let settings = Settings::apply("lo", &asked);
        let said = settings.refused.join("; ");
        assert!(
            said.contains("coalescing of lo") && said.contains("no interrupts"),
            "{said}"
        );
    }
}
