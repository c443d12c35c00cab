//! What moves memory about, or takes it away.

use super::{Check, Subject};

pub(super) fn checks(subject: &Subject) -> Vec<Check> {
    vec![
        swap(subject),
        huge_pages(subject),
        number_is_0(
            subject,
            Check::new(
                "memory.ksm",
                "/sys/kernel/mm/ksm/run",
                "merging equal pages makes the next write to one of them a page fault",
            ),
        ),
        number_is_0(
            subject,
            Check::new(
                "memory.compaction",
                "/proc/sys/vm/compact_unevictable_allowed",
                "compaction moves locked pages too, and whoever touches one meanwhile waits",
            ),
        ),
        number_is_0(
            subject,
            Check::new(
                "memory.numa_balancing",
                "/proc/sys/kernel/numa_balancing",
                "balancing takes pages away for a moment to see who uses them: page faults in the cycle",
            ),
        ),
    ]
}

fn number_is_0(subject: &Subject, check: Check) -> Check {
    let path = check.path.clone();
    match subject.root.number(&path) {
        None => check.not_here(subject.root.missing(&path)),
        Some(value) => check
            .ok_or_warn(value == 0, value.to_string(), &format!("echo 0 > {path}"))
            .write(path, "0"),
    }
}

fn swap(subject: &Subject) -> Check {
    const PATH: &str = "/proc/swaps";
    let check = Check::new(
        "memory.swap",
        PATH,
        "what is locked stays, but the rest of the computer stalls on the disk when memory gets short",
    );
    let Some(text) = subject.root.read(PATH) else {
        return check.not_here(subject.root.missing(PATH));
    };
    // The first line names the columns.
    let areas: Vec<&str> = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    if areas.is_empty() {
        return check.ok("none");
    }
    check
        .warn(
            areas.join(" "),
            "swapoff -a, and remove the areas from /etc/fstab",
        )
        .run("swapoff -a")
}

fn huge_pages(subject: &Subject) -> Check {
    const PATH: &str = "/sys/kernel/mm/transparent_hugepage/enabled";
    let check = Check::new(
        "memory.huge_pages",
        PATH,
        "putting pages together into huge ones happens behind the program's back and stops who touches them",
    );
    match subject.root.chosen(PATH) {
        None => check.not_here(subject.root.missing(PATH)),
        Some(chosen) => check
            .ok_or_warn(
                chosen != "always",
                chosen.as_str(),
                &format!("echo madvise > {PATH}"),
            )
            .write(PATH, "madvise"),
    }
}
