//! What stood in an interface before `[realtime.nic]`, kept where the next run finds it: a process that is killed sets nothing back, and one
//! without the rights cannot.
//!
//! The file is locked while its writer runs, so that what stands in one that can be locked was left behind.

use crate::doctor::cpus::Cpus;
use crate::doctor::{Root, interrupts_of};
use crate::ethtool::{self, Coalescing};
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
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

/// The file `name` in the first of `folders` that has one, or takes one where it is to `create` it. Somebody else's is passed over: what is in
/// it is written into the kernel.
fn open_own(folders: &[&str], name: &str, create: bool) -> Option<File> {
    folders.iter().find_map(|folder| {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(create)
            .truncate(false)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(Path::new(folder).join(format!("twinstep-{name}.before")))
            .ok()?;
        let of = file.metadata().ok()?;
        let own = of.is_file() && of.uid() == rustix::process::geteuid().as_raw();
        let open_to_others = of.mode() & 0o022 != 0;
        (own && !open_to_others).then_some(file)
    })
}

/// Whether another process has the file `name`: it has set the interface, and sets it back.
pub(super) fn is_held(folders: &[&str], name: &str) -> bool {
    open_own(folders, name, false).is_some_and(|file| {
        flock(&file, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK)
    })
}

/// Whether something was left behind in the file `name`.
pub(super) fn is_left(folders: &[&str], name: &str) -> bool {
    let kept = Kept::take(folders, name, false);
    kept.and_then(|mut kept| kept.left_behind()).is_some()
}

/// The file of an interface, while it is this process'.
#[derive(Debug)]
pub(super) struct Kept {
    file: File,
}

impl Kept {
    /// Takes the file `name` in the first of `folders` in which that can be. None where another process has it.
    /// Who has nothing to keep makes none with `create` false: it would be his, and closed to others.
    pub(super) fn take(folders: &[&str], name: &str, create: bool) -> Option<Self> {
        let file = open_own(folders, name, create)?;
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
    /// Sets an interface back, as far as that goes. An interrupt that is not the interface's now is left alone: a driver that was loaded anew has
    /// other numbers, and these may be another device's.
    fn restore(&self, root: &Root, interface: &str) {
        self.restore_coalescing(interface);
        let own = interrupts_of(root, interface);
        for (path, cores) in &self.affinities {
            if affinity_of(path).is_some_and(|number| own.iter().any(|irq| irq == number)) {
                let _ = std::fs::write(root.place(path), format!("{cores}\n"));
            }
        }
    }

    /// Sets the coalescing back, where it is not as it was.
    pub(super) fn restore_coalescing(&self, interface: &str) {
        if let Some(before) = self.coalescing.filter(|before| differs(interface, before)) {
            let _ = ethtool::restore_coalescing(interface, before);
        }
    }

    /// Another port knows better what stood in the file `path`.
    pub(super) fn set_affinity(&mut self, path: &str, first: &str) {
        for (of, cores) in &mut self.affinities {
            if of == path {
                first.clone_into(cores);
            }
        }
    }

    /// What of it is not as it was: of interrupts those that are the interface's, and lists of cores. Whatever else stands in a note is left
    /// alone. An interface that has another name now, or is in another namespace, has not taken back what was set: of one that is not here
    /// all is kept that cannot be seen to be as it was.
    pub(super) fn still_changed(&self, root: &Root, interface: &str) -> Self {
        let own = interrupts_of(root, interface);
        let is_here = !own.is_empty() || root.exists(&format!("/sys/class/net/{interface}"));
        let is_moved = |path: &str, cores: &str| {
            let (Some(number), Some(before)) = (affinity_of(path), Cpus::parse_list(cores)) else {
                return false;
            };
            let now = root.read(path).and_then(|text| Cpus::parse_list(&text));
            (!is_here || own.iter().any(|irq| irq == number)) && now != Some(before)
        };
        let moved = self.affinities.iter();
        let moved = moved.filter(|(path, cores)| is_moved(path, cores));
        Self {
            coalescing: self.coalescing.filter(|before| differs(interface, before)),
            affinities: moved.cloned().collect(),
        }
    }
}

/// Whether the coalescing of an interface is not what it was `before`, or cannot be told.
fn differs(interface: &str, before: &Coalescing) -> bool {
    !ethtool::coalescing(interface).is_ok_and(|now| now.is_as(before))
}

/// Sets `interface` back where an earlier run has left it changed. None where none had; else whether that went. What could not be set back
/// stays kept.
pub(super) fn give_back(
    root: &Root,
    folders: &[&str],
    name: &str,
    interface: &str,
) -> Option<bool> {
    let mut kept = Kept::take(folders, name, false)?;
    let changed = kept.left_behind()?.still_changed(root, interface);
    if changed == Before::default() {
        // Somebody else has set it back, or the computer has started since.
        let _ = kept.clear();
        return None;
    }
    changed.restore(root, interface);
    let changed = changed.still_changed(root, interface);
    let is_back = changed == Before::default();
    let _ = if is_back {
        kept.clear()
    } else {
        kept.keep(&changed)
    };
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
    use std::os::unix::fs::PermissionsExt;

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

    /// Of an interface that nobody has.
    fn coalescing() -> Coalescing {
        serde_json::from_str(&format!("{:?}", [7; 23])).unwrap()
    }

    #[test]
    fn what_is_as_it_was_is_not_told_and_not_kept() {
        let (computer, notes) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = Root::folder(computer.path());
        let affinity = computer.path().join("proc/irq/150/smp_affinity_list");
        fs::create_dir_all(affinity.parent().unwrap()).unwrap();
        fs::write(&affinity, "0-3\n").unwrap();
        let own = "sys/class/net/no-such-if/device/msi_irqs/150";
        fs::create_dir_all(computer.path().join(own)).unwrap();
        let folders = [notes.path().to_str().unwrap()];
        let mut kept = Kept::take(&folders, "nic-eth0", true).unwrap();
        let path = "/proc/irq/150/smp_affinity_list".to_owned();
        let before = Before {
            coalescing: None,
            affinities: vec![(path, "0,1,2,3".to_owned())],
        };
        kept.keep(&before).unwrap();
        assert!(is_held(&folders, "nic-eth0"));
        drop(kept);
        assert!(!is_held(&folders, "nic-eth0"));
        assert!(is_left(&folders, "nic-eth0"));
        let back = give_back(&root, &folders, "nic-eth0", "no-such-if");
        assert_eq!(back, None);
        assert_eq!(fs::read_to_string(&affinity).unwrap(), "0-3\n");
        assert!(!is_left(&folders, "nic-eth0"));
    }

    #[test]
    fn the_note_of_an_interface_that_has_gone_is_kept() {
        let (computer, notes) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = Root::folder(computer.path());
        let affinity = computer.path().join("proc/irq/151/smp_affinity_list");
        fs::create_dir_all(affinity.parent().unwrap()).unwrap();
        fs::write(&affinity, "2\n").unwrap();
        let folders = [notes.path().to_str().unwrap()];
        let path = |irq: u32| format!("/proc/irq/{irq}/smp_affinity_list");
        let before = Before {
            coalescing: Some(coalescing()),
            affinities: vec![(path(151), "0-3".to_owned())],
        };
        let mut kept = Kept::take(&folders, "nic-eth0", true).unwrap();
        kept.keep(&before).unwrap();
        drop(kept);
        let back = || give_back(&root, &folders, "nic-eth0", "no-such-if");
        let left = || {
            Kept::take(&folders, "nic-eth0", false)
                .unwrap()
                .left_behind()
        };
        assert_eq!(back(), Some(false));
        assert_eq!(left(), Some(before.clone()));
        // Nobody knows whose that interrupt is now.
        assert_eq!(fs::read_to_string(&affinity).unwrap(), "2\n");
        // It has its name again, and its interrupt; coalescing it has none.
        let own = "sys/class/net/no-such-if/device/msi_irqs/151";
        fs::create_dir_all(computer.path().join(own)).unwrap();
        assert_eq!(back(), Some(false));
        assert_eq!(fs::read_to_string(&affinity).unwrap(), "0-3\n");
        let only = Before {
            affinities: Vec::new(),
            ..before
        };
        assert_eq!(left(), Some(only));
    }

    #[test]
    fn a_note_in_a_later_folder_is_found_past_what_is_somebody_elses() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folders = [&first, &second].map(|folder| folder.path().to_str().unwrap());
        let mut kept = Kept::take(&folders[1..], "nic-eth0", true).unwrap();
        kept.keep(&Before::default()).unwrap();
        drop(kept);
        // One that others may write to is nobody's note.
        let theirs = first.path().join("twinstep-nic-eth0.before");
        fs::write(&theirs, "").unwrap();
        fs::set_permissions(&theirs, fs::Permissions::from_mode(0o666)).unwrap();
        assert!(is_left(&folders, "nic-eth0"));
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
