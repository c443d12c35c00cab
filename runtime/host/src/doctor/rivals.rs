//! Threads that come before the cycle on its core.

use super::Root;
use super::noise::{Thread, threads};

/// What to do about one.
pub const REMEDY: &str = "lower its priority to below the cycle's (chrt --fifo --pid PRIORITY ID; chrt --other --pid 0 ID ends SCHED_DEADLINE), \
     or give it another core (taskset), or the cycle ([realtime] core = N)";

/// Threads of the kernel that must be above everything, and hardly ever run, and those of interrupts, which have a check of their own.
const ALWAYS_ABOVE: [&str; 7] = [
    "migration/",
    "stop_machine",
    "idle_inject/",
    "watchdog",
    "rcu",
    "sugov:",
    "irq/",
];

/// A real-time thread of another program, at or above the priority of the cycle, that may run on its core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rival {
    /// Name, number and priority.
    text: String,
    /// The core.
    pub core: usize,
    /// It may run nowhere else.
    pub stays: bool,
    /// It was on that core when it ran last. Where it runs next, the scheduler decides.
    pub was_there: bool,
}

impl std::fmt::Display for Rival {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// The rivals of threads of this process that run under SCHED_FIFO at `priority` on `cores`.
pub fn rivals(root: &Root, cores: &[usize], priority: u8) -> Vec<Rival> {
    let own = std::process::id().to_string();
    let above: Vec<Thread> = threads(root)
        .filter(|thread| thread.process != own)
        .filter(|thread| thread.deadline || thread.priority >= u32::from(priority))
        // Anybody may give a thread any name, but not make it the kernel's.
        .filter(|thread| !(thread.of_the_kernel && is_always_above(&thread.name)))
        .collect();
    let on = |core: usize| {
        let there = above
            .iter()
            .filter(move |thread| thread.allowed.contains(core));
        there.map(move |thread| rival(thread, core))
    };
    cores.iter().flat_map(|core| on(*core)).collect()
}

fn is_always_above(name: &str) -> bool {
    ALWAYS_ABOVE.iter().any(|known| name.starts_with(known))
}

fn rival(thread: &Thread, core: usize) -> Rival {
    let (name, id) = (thread.name.escape_debug(), &thread.id);
    Rival {
        core,
        stays: thread.allowed.len() == 1,
        was_there: thread.processor == Some(core),
        text: if thread.deadline {
            format!("{name} ({id}) SCHED_DEADLINE")
        } else {
            format!("{name} ({id}) {}", thread.priority)
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Flags of an ordinary process, and of a thread of the kernel.
    const USER: u32 = 0x0040_0040;
    const KERNEL: u32 = 0x0420_8040;

    /// A thread in a folder that stands for a computer: its flags, last processor, real-time priority and policy.
    fn thread(root: &Root, id: u32, name: &str, allowed: &str, numbers: [u32; 4], state: &str) {
        let [flags, last, priority, policy] = numbers;
        let folder = root.place(&format!("/proc/{id}"));
        fs::create_dir_all(&folder).unwrap();
        let fields: Vec<String> = (3..=52)
            .map(|field| match field {
                3 => state.to_owned(),
                9 => flags.to_string(),
                39 => last.to_string(),
                40 => priority.to_string(),
                41 => policy.to_string(),
                _ => "7".to_owned(),
            })
            .collect();
        let stat = format!("{id} ({name}) {}", fields.join(" "));
        fs::write(folder.join("stat"), stat).unwrap();
        let status = format!("Name:\t{name}\nCpus_allowed_list:\t{allowed}\n");
        fs::write(folder.join("status"), status).unwrap();
    }

    #[test]
    fn rivals_are_those_that_come_first_on_the_core_and_stay_where_they_are_pinned() {
        const FIFO: u32 = 1;
        const DEADLINE: u32 = 6;
        let folder = tempfile::tempdir().unwrap();
        let root = Root::folder(folder.path());
        let all = [
            // Id, name, cores, flags, last processor, priority, policy.
            (100, "pinned", "3", [USER, 3, 80, FIFO]),
            (101, "ran there", "0-3", [USER, 3, 99, FIFO]),
            (102, "ran elsewhere", "0-3", [USER, 1, 99, FIFO]),
            (103, "reserved", "0-3", [USER, 3, 0, DEADLINE]),
            (104, "below", "3", [USER, 3, 79, FIFO]),
            (105, "ordinary", "3", [USER, 3, 0, 0]),
            (106, "other core", "0-2", [USER, 2, 99, FIFO]),
            (107, "irq/24-eth0", "3", [KERNEL, 3, 90, FIFO]),
            (108, "migration/3", "3", [KERNEL, 3, 99, FIFO]),
            (109, "sugov:3", "3", [KERNEL, 3, 0, DEADLINE]),
            // A name makes no thread of the kernel.
            (110, "watchdog", "3", [USER, 3, 95, FIFO]),
            (111, "irq/1-mine", "3", [USER, 3, 95, FIFO]),
            (112, "kworker/3", "3", [KERNEL, 3, 99, FIFO]),
            (std::process::id(), "own", "3", [USER, 3, 99, FIFO]),
        ];
        for (id, name, allowed, numbers) in all {
            thread(&root, id, name, allowed, numbers, "S");
        }
        thread(&root, 113, "ended", "3", [USER, 3, 99, FIFO], "Z");
        let found = rivals(&root, &[3], 80);
        let told: Vec<_> = found
            .iter()
            .map(|one| (one.to_string(), one.stays, one.was_there))
            .collect();
        let told: Vec<_> = told
            .iter()
            .map(|(text, stays, was_there)| (&text[..], *stays, *was_there))
            .collect();
        assert_eq!(
            told,
            [
                ("pinned (100) 80", true, true),
                ("ran there (101) 99", false, true),
                ("ran elsewhere (102) 99", false, false),
                ("reserved (103) SCHED_DEADLINE", false, true),
                ("watchdog (110) 95", true, true),
                ("irq/1-mine (111) 95", true, true),
                ("kworker/3 (112) 99", true, true),
            ]
        );
        assert_eq!(rivals(&root, &[3], 99).len(), 4);
        // Of each core its own.
        let cores: Vec<_> = rivals(&root, &[0, 2], 99)
            .iter()
            .map(|one| one.core)
            .collect();
        assert_eq!(cores, [0, 0, 0, 0, 2, 2, 2, 2]);
    }
}
