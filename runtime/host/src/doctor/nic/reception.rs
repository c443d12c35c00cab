//! The threads that take received frames out of the card (NAPI).

use super::Nic;
use crate::doctor::noise::{Thread, threads};
use crate::doctor::{Check, Subject};

/// The priority of the kernel's interrupt threads, which reception has where it has no thread of its own.
const OF_INTERRUPTS: u8 = 50;
/// Longer names of threads are cut off by some kernels, and by `pgrep`.
const NAME: usize = 15;

impl Nic<'_> {
    /// What the names of the threads begin with.
    fn napi(&self) -> String {
        let name = format!("napi/{}-", self.name);
        name.chars().take(NAME).collect()
    }

    pub(super) fn threaded(&self, subject: &Subject) -> Check {
        let path = self.path("threaded");
        let check = Check::new(
            "nic.threaded_napi",
            path.as_str(),
            "in a thread of its own the reception has a priority, but begins with none, behind every real-time thread; as a soft interrupt it waits behind others",
        );
        // Below the cycle, which it serves.
        let priority = OF_INTERRUPTS.min(subject.priority.saturating_sub(1)).max(1);
        let chrt = format!("chrt --fifo --pid {priority}");
        match self.root.number(&path) {
            None => check.not_here(self.root.missing(&path)),
            Some(0) => {
                let name = self.napi();
                let remedy = format!(
                    "echo 1 > {path}, then give its threads a priority: pgrep ^{name} | xargs -r -n 1 {chrt}"
                );
                let check = check.warn("off", &remedy).write(path, "1");
                // Names may hold nearly anything, and the shell would read it.
                let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
                if name.ends_with('-') && name.chars().all(plain) {
                    check.shell(format!("pgrep ^{name} | xargs -r -n 1 {chrt}"))
                } else {
                    check
                }
            }
            Some(_) => {
                let name = self.napi();
                let whole = format!("napi/{}-", self.name);
                // A number and nothing else comes behind it: `eth0-1` is another interface than `eth0`. Cut off, it may be another one's.
                let is_own = |thread: &Thread| {
                    let number = thread.name.strip_prefix(&whole);
                    number.is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()))
                        || thread.name == name
                };
                let all: Vec<Thread> = threads(self.root)
                    .filter(|thread| thread.of_the_kernel && is_own(thread))
                    .collect();
                judged(check, &all, &chrt)
            }
        }
    }
}

/// Judges the threads of an interface that has some: all of them need a priority.
fn judged(check: Check, all: &[Thread], chrt: &str) -> Check {
    let has_one = |thread: &&Thread| thread.deadline || thread.priority > 0;
    let without: Vec<&Thread> = all.iter().filter(|thread| !has_one(thread)).collect();
    if all.is_empty() {
        return check.ok("on, no thread seen");
    }
    if without.is_empty() {
        let least = all.iter().map(|thread| thread.priority).min();
        return check.ok(format!("on, priority {}", least.unwrap_or_default()));
    }
    let named = |thread: &&Thread| format!("{} ({})", thread.name, thread.id);
    let named: Vec<String> = without.iter().map(named).collect();
    let commands = without.iter().map(|thread| format!("{chrt} {}", thread.id));
    let commands: Vec<String> = commands.collect();
    let value = format!("on, without a priority: {}", named.join(", "));
    let check = check.warn(value, &commands.join("; "));
    (commands.iter()).fold(check, |check, command| check.run(command.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{Fix, Root, Verdict};
    use std::fs;

    /// A thread of the kernel, or one that is only called like it, in a folder that stands for a computer.
    fn thread(root: &Root, id: u32, name: &str, priority: u32, of_the_kernel: bool) {
        let folder = root.place(&format!("/proc/{id}"));
        fs::create_dir_all(&folder).unwrap();
        let flags = if of_the_kernel {
            0x0020_8040
        } else {
            0x0040_0040
        };
        let fields: Vec<String> = (3..=52)
            .map(|field| match field {
                3 => "S".to_owned(),
                9 => flags.to_string(),
                40 => priority.to_string(),
                41 => u32::from(priority > 0).to_string(),
                _ => "0".to_owned(),
            })
            .collect();
        fs::write(
            folder.join("stat"),
            format!("{id} ({name}) {}", fields.join(" ")),
        )
        .unwrap();
        fs::write(folder.join("status"), "Cpus_allowed_list:\t0-3\n").unwrap();
    }

    fn looked_at(root: &Root, interface: &str, cycle: u8) -> Check {
        let interfaces = vec![interface.to_owned()];
        let subject = Subject::new(root.clone(), Some(3), &[], interfaces, cycle);
        let nic = Nic {
            root: &subject.root,
            name: interface,
            folder: format!("/sys/class/net/{interface}"),
        };
        nic.threaded(&subject)
    }

    #[test]
    fn a_thread_of_reception_needs_a_priority() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::folder(folder.path());
        let set = |on: &str| {
            let of = root.place("/sys/class/net/enp0s31f6");
            fs::create_dir_all(&of).unwrap();
            fs::write(of.join("threaded"), on).unwrap();
        };
        let look = |cycle| looked_at(&root, "enp0s31f6", cycle);
        set("0\n");
        let off = look(80);
        assert_eq!((off.verdict, off.value.as_str()), (Verdict::Warn, "off"));
        // As much of the name as every kernel and pgrep show.
        let line = "pgrep ^napi/enp0s31f6- | xargs -r -n 1 chrt --fifo --pid 50";
        assert!(off.remedy.ends_with(line), "{off:?}");
        let write = Fix::Write {
            path: "/sys/class/net/enp0s31f6/threaded".into(),
            value: "1".into(),
        };
        assert_eq!(off.fixes, [write, Fix::Shell(line.into())]);
        // A cycle of a low priority stays above what it waits for.
        assert!(look(40).remedy.ends_with("--pid 39"));
        set("1\n");
        // Those of others, and one that only has the name, are no business of this one.
        thread(&root, 90, "napi/eno1-3", 0, true);
        thread(&root, 91, "napi/enp0s31f6-9", 0, false);
        let none = look(80);
        let found = (none.verdict, none.value.as_str());
        assert_eq!(found, (Verdict::Ok, "on, no thread seen"));
        thread(&root, 613, "napi/enp0s31f6-8193", 50, true);
        // Cut off, as older kernels do.
        thread(&root, 614, "napi/enp0s31f6-", 0, true);
        let one = look(80);
        assert_eq!(one.verdict, Verdict::Warn);
        assert_eq!(one.value, "on, without a priority: napi/enp0s31f6- (614)");
        assert_eq!(one.remedy, "chrt --fifo --pid 50 614");
        assert_eq!(one.fixes, [Fix::Run(one.remedy.clone())]);
        thread(&root, 614, "napi/enp0s31f6-", 85, true);
        let all = look(80);
        let found = (all.verdict, all.value.as_str());
        assert_eq!(found, (Verdict::Ok, "on, priority 50"));
    }
    /// Whose threads those of this interface are said to be: their numbers, of the threads in `named`, none of which has a priority.
    fn own(interface: &str, named: &[&str]) -> Vec<u32> {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::folder(folder.path());
        let of = root.place(&format!("/sys/class/net/{interface}"));
        fs::create_dir_all(&of).unwrap();
        fs::write(of.join("threaded"), "1\n").unwrap();
        for (name, id) in named.iter().zip(600..) {
            thread(&root, id, name, 0, true);
        }
        let look = looked_at(&root, interface, 80);
        let ids = look.fixes.iter().map(|fix| match fix {
            Fix::Run(line) => line.rsplit(' ').next().unwrap().parse().unwrap(),
            other => panic!("{other:?}"),
        });
        let mut ids: Vec<u32> = ids.collect();
        ids.sort_unstable();
        ids
    }

    /// Would show threads of another interface that are given a priority, or a thread of this one that is missed.
    #[test]
    fn a_thread_is_of_the_interface_that_its_whole_name_says() {
        let all = [
            "napi/eth0-8193",
            "napi/eth0-8194",
            // Of `eth01`, `eth0.5`, `eth0-1` and `xeth0`.
            "napi/eth01-8195",
            "napi/eth0.5-8196",
            "napi/eth0-1-8197",
            "napi/xeth0-8198",
        ];
        assert_eq!(own("eth0", &all), [600, 601]);
        assert_eq!(own("eth01", &all), [602]);
        assert_eq!(own("eth0.5", &all), [603]);
        assert_eq!(own("eth0-1", &all), [604]);
        assert_eq!(own("eth", &all), [] as [u32; 0]);
        // Newer kernels show long names whole: these two have their first 15 letters in common.
        let long = ["napi/enp0s31f6np0-8193", "napi/enp0s31f6np1-8194"];
        assert_eq!(own("enp0s31f6np0", &long), [600]);
        assert_eq!(own("enp0s31f6np1", &long), [601]);
        // Older ones cut them off: then nothing tells them apart, and both are named.
        let cut = ["napi/enp0s31f6n", "napi/enp0s31f6n"];
        assert_eq!(own("enp0s31f6np0", &cut), [600, 601]);
        // Cut off behind the name or within its number.
        assert_eq!(own("enp0s31f6", &["napi/enp0s31f6-"]), [600]);
        assert_eq!(own("enp0s31", &["napi/enp0s31-81"]), [600]);
    }

    /// Would show a command of which `pgrep` finds the threads of another interface, because the name is longer than it looks.
    #[test]
    fn a_name_that_is_cut_off_gets_no_command_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::folder(folder.path());
        for (interface, has_command) in [("eth0", true), ("enp0s31f6np0", false)] {
            let of = root.place(&format!("/sys/class/net/{interface}"));
            fs::create_dir_all(&of).unwrap();
            fs::write(of.join("threaded"), "0\n").unwrap();
            let off = looked_at(&root, interface, 80);
            let shells = off.fixes.iter().filter(|fix| matches!(fix, Fix::Shell(_)));
            assert_eq!(shells.count() == 1, has_command, "{off:?}");
            assert_eq!(off.value, "off");
        }
    }
}
