//! Threads that come before the cycle on its core.

use super::Root;
use super::noise::threads;

/// What to do about one.
pub const REMEDY: &str =
    "lower its priority (chrt --fifo --pid 40 ID), or give it another core (taskset)";

/// Threads of the kernel that must be above everything, and hardly ever run.
const ALWAYS_ABOVE: [&str; 6] = [
    "migration/",
    "stop_machine",
    "idle_inject/",
    "watchdog",
    "rcu",
    "sugov:",
];

/// A real-time thread of another program, at or above the priority of the cycle, that may run on its core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rival {
    /// Name, number and priority.
    text: String,
    /// It may run nowhere else, or was on that core when it ran last.
    pub stays: bool,
}

impl std::fmt::Display for Rival {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// The rivals of a thread of this process that runs under SCHED_FIFO at `priority` on `core`.
pub fn rivals(root: &Root, core: usize, priority: u8) -> Vec<Rival> {
    let own = std::process::id().to_string();
    threads(root)
        .filter(|thread| thread.process != own && thread.allowed.contains(core))
        .filter(|thread| thread.deadline || thread.priority >= u32::from(priority))
        .filter(|thread| !thread.name.starts_with("irq/"))
        .filter(|thread| {
            !ALWAYS_ABOVE
                .iter()
                .any(|name| thread.name.starts_with(name))
        })
        .map(|thread| {
            // Anybody may give a thread any name.
            let (name, id) = (thread.name.escape_debug(), &thread.id);
            Rival {
                stays: thread.allowed.len() == 1 || thread.processor == Some(core),
                text: if thread.deadline {
                    format!("{name} ({id}) SCHED_DEADLINE")
                } else {
                    format!("{name} ({id}) {}", thread.priority)
                },
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A thread in a folder that stands for a computer: its last processor, real-time priority and policy.
    fn thread(root: &Root, id: u32, name: &str, allowed: &str, [last, priority, policy]: [u32; 3]) {
        let folder = root.place(&format!("/proc/{id}"));
        fs::create_dir_all(&folder).unwrap();
        let fields: Vec<String> = (3..=52)
            .map(|field| match field {
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
    fn rivals_are_those_that_come_first_on_the_core_and_stay_where_they_are_pinned_or_run() {
        const FIFO: u32 = 1;
        const DEADLINE: u32 = 6;
        let folder = tempfile::tempdir().unwrap();
        let root = Root::folder(folder.path());
        let all = [
            // Id, name, cores, last processor, priority, policy.
            (100, "pinned", "3", [3, 80, FIFO]),
            (101, "runs there", "0-3", [3, 99, FIFO]),
            (102, "runs elsewhere", "0-3", [1, 99, FIFO]),
            (103, "reserved", "0-3", [3, 0, DEADLINE]),
            (104, "below", "3", [3, 79, FIFO]),
            (105, "ordinary", "3", [3, 0, 0]),
            (106, "other core", "0-2", [2, 99, FIFO]),
            (107, "irq/24-eth0", "3", [3, 90, FIFO]),
            (108, "migration/3", "3", [3, 99, FIFO]),
            (109, "sugov:3", "3", [3, 0, DEADLINE]),
            (std::process::id(), "own", "3", [3, 99, FIFO]),
        ];
        for (id, name, allowed, numbers) in all {
            thread(&root, id, name, allowed, numbers);
        }
        let found = rivals(&root, 3, 80);
        let told: Vec<_> = found
            .iter()
            .map(|one| (one.to_string(), one.stays))
            .collect();
        let told: Vec<_> = told
            .iter()
            .map(|(text, stays)| (&text[..], *stays))
            .collect();
        assert_eq!(
            told,
            [
                ("pinned (100) 80", true),
                ("runs there (101) 99", true),
                ("runs elsewhere (102) 99", false),
                ("reserved (103) SCHED_DEADLINE", true),
            ]
        );
        assert_eq!(rivals(&root, 3, 99).len(), 3);
    }
}
