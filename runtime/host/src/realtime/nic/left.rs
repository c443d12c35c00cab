//! What stood in an interface before `[realtime.nic]`, kept where the next run finds it: a process that is killed sets nothing back.
//!
//! The file is locked while its writer runs, so that what stands in one that can be locked was left behind.

use crate::doctor::cpus::Cpus;
use crate::doctor::{Root, interrupts_of};
use crate::ethtool::{self, Coalescing};
use rustix::fs::{FlockOperation, OFlags, flock};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// More than all interrupts of a card come to (bytes).
const LONGEST: u64 = 65_536;

/// What is set back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Before {
    /// Coalescing of the interface, where it was changed.
    pub(super) coalescing: Option<Coalescing>,
    /// Files of interrupts that were moved, and what stood in them.
    pub(super) affinities: Vec<(String, String)>,
}

/// The file of an interface, while it is this process'.
#[derive(Debug)]
pub(super) struct Kept {
    file: File,
}

impl Kept {
    /// Takes the file `name` in the first of `folders` in which that can be. None where another process has it, or somebody else has made
    /// it: what is in it is written into the kernel.
    /// Who has nothing to keep makes none with `create` false: it would be his, and closed to others.
    pub(super) fn take(folders: &[&str], name: &str, create: bool) -> Option<Self> {
        let open = |folder: &&str| {
            OpenOptions::new()
                .read(true)
                .write(true)
                .create(create)
                .truncate(false)
                .mode(0o600)
                .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
                .open(Path::new(folder).join(format!("twinstep-{name}.before")))
                .ok()
        };
        let file = folders.iter().find_map(open)?;
        let of = file.metadata().ok()?;
        let own = of.is_file() && of.uid() == rustix::process::geteuid().as_raw();
        let open_to_others = of.mode() & 0o022 != 0;
        if !own || open_to_others {
            return None;
        }
        flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
        Some(Self { file })
    }

    /// What was left behind; nothing where nobody did, or where it cannot be read.
    pub(super) fn left_behind(&mut self) -> Option<Before> {
        let mut text = String::new();
        self.file.rewind().ok()?;
        let mut file = (&self.file).take(LONGEST);
        file.read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Keeps it. To be called before anything is changed.
    pub(super) fn keep(&mut self, before: &Before) -> io::Result<()> {
        let text = serde_json::to_string(before)?;
        // Cut off last: who is killed in between leaves what is read, or what cannot be and is no note, but never nothing of two.
        self.file.rewind()?;
        self.file.write_all(text.as_bytes())?;
        self.file.set_len(text.len() as u64)
    }

    /// All of it is as it was.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()
    }
}

impl Before {
    /// Sets an interface back, as far as that goes; whether all of it is as it was.
    fn restore(&self, root: &Root, interface: &str) -> bool {
        if let Some(before) = self.coalescing {
            let _ = ethtool::set_coalescing(interface, before);
        }
        for (path, cores) in self.own_affinities(root, interface) {
            let _ = std::fs::write(root.place(path), format!("{cores}\n"));
        }
        self.still_changed(root, interface) == Self::default()
    }

    /// What of it is not as it was.
    pub(super) fn still_changed(&self, root: &Root, interface: &str) -> Self {
        let differs = |before: &Coalescing| match ethtool::coalescing(interface) {
            Ok(now) => now != *before,
            // An interface that has gone has taken with it what was set.
            Err(error) => error.raw_os_error() != Some(libc::ENODEV),
        };
        let moved = self
            .own_affinities(root, interface)
            .filter(|(path, cores)| {
                let now = root.read(path).and_then(|text| Cpus::parse_list(&text));
                now != Cpus::parse_list(cores)
            });
        Self {
            coalescing: self.coalescing.filter(differs),
            affinities: moved.cloned().collect(),
        }
    }

    /// Interrupts that are the interface's, and lists of cores: whatever else stands in a note is left alone. A driver that was loaded anew has
    /// other numbers, and these may be another device's.
    fn own_affinities<'a>(
        &'a self,
        root: &Root,
        interface: &str,
    ) -> impl Iterator<Item = &'a (String, String)> + use<'a> {
        let own = interrupts_of(root, interface);
        self.affinities.iter().filter(move |(path, cores)| {
            let is_own = |number: &str| own.iter().any(|irq| irq == number);
            Cpus::parse_list(cores).is_some() && affinity_of(path).is_some_and(is_own)
        })
    }
}

/// Sets `interface` back where a run that was killed has left it changed. None where none had; else whether that went. What could not be set
/// back stays kept.
pub(super) fn give_back(
    root: &Root,
    folders: &[&str],
    name: &str,
    interface: &str,
) -> Option<bool> {
    let mut kept = Kept::take(folders, name, false)?;
    let before = kept.left_behind()?;
    let is_back = before.restore(root, interface);
    if is_back {
        let _ = kept.clear();
    }
    Some(is_back)
}

/// The number of the interrupt whose cores stand in this file; none where it is another file.
fn affinity_of(path: &str) -> Option<&str> {
    let number = path.strip_prefix("/proc/irq/")?;
    let number = number.strip_suffix("/smp_affinity_list")?;
    (!number.is_empty() && number.chars().all(|c| c.is_ascii_digit())).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn only_what_was_left_behind_is_set_back() {
        let (computer, notes) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = Root::folder(computer.path());
        let affinity = computer.path().join("proc/irq/130/smp_affinity_list");
        fs::create_dir_all(affinity.parent().unwrap()).unwrap();
        fs::write(&affinity, "2\n").unwrap();
        let other = computer.path().join("etc/passwd");
        fs::create_dir_all(other.parent().unwrap()).unwrap();
        fs::write(&other, "root").unwrap();
        let folders = ["/no/such/folder", notes.path().to_str().unwrap()];
        let own = computer
            .path()
            .join("sys/class/net/no-such-if/device/msi_irqs/130");
        fs::create_dir_all(own.parent().unwrap()).unwrap();
        fs::write(&own, "").unwrap();
        let another = computer.path().join("proc/irq/131/smp_affinity_list");
        fs::create_dir_all(another.parent().unwrap()).unwrap();
        fs::write(&another, "1\n").unwrap();
        let back = || give_back(&root, &folders, "nic-eth0", "no-such-if");
        assert_eq!(back(), None, "nobody has left anything");
        assert_eq!(fs::read_dir(notes.path()).unwrap().count(), 0);
        let mut kept = Kept::take(&folders, "nic-eth0", true).unwrap();
        let path = |file: &str| (file.to_owned(), "0-3".to_owned());
        let before = Before {
            coalescing: None,
            affinities: vec![
                path("/proc/irq/130/smp_affinity_list"),
                // Another device has that number now.
                path("/proc/irq/131/smp_affinity_list"),
                // Whatever stands in the file, nothing else is written to.
                path("/etc/passwd"),
                path("/proc/irq/../../etc/passwd"),
            ],
        };
        kept.keep(&before).unwrap();
        assert_eq!(back(), None, "its writer still runs");
        assert_eq!(fs::read_to_string(&affinity).unwrap(), "2\n");
        drop(kept);
        assert_eq!(back(), Some(true));
        assert_eq!(fs::read_to_string(&affinity).unwrap(), "0-3\n");
        assert_eq!(fs::read_to_string(&another).unwrap(), "1\n");
        assert_eq!(fs::read_to_string(&other).unwrap(), "root");
        assert_eq!(back(), None, "once");
        // A shorter note leaves nothing of a longer one.
        let mut kept = Kept::take(&folders, "nic-eth0", true).unwrap();
        kept.keep(&before).unwrap();
        kept.keep(&Before::default()).unwrap();
        assert_eq!(kept.left_behind(), Some(Before::default()));
        kept.clear().unwrap();
        assert_eq!(kept.left_behind(), None);
    }

    #[test]
    fn what_is_no_note_of_ours_is_left_alone() {
        let notes = tempfile::tempdir().unwrap();
        let folders = [notes.path().to_str().unwrap()];
        let file = notes.path().join("twinstep-nic-eth0.before");
        fs::write(&file, "{\"affinities\":7}").unwrap();
        let root = Root::folder(notes.path());
        assert_eq!(give_back(&root, &folders, "nic-eth0", "eth0"), None);
        fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &file).unwrap();
        assert!(Kept::take(&folders, "nic-eth0", true).is_none());
    }
}
