//! What really arrives on the cores of cycle and workers: counters, read twice some time apart.

use super::SHOWN;
use crate::clock;
use crate::doctor::cpus::Cpus;
use crate::doctor::{Check, NOT_UNDER_SYSROOT, Subject};

/// Time between two readings (ns).
const WATCHED_NS: u64 = 500_000_000;
/// More interrupts of devices in that time are too many.
const MOST: u64 = 5;
/// Soft interrupts that devices cause.
const OF_DEVICES: [&str; 3] = ["NET_RX", "NET_TX", "BLOCK"];
const INTERRUPTS: &str = "/proc/interrupts";
const SOFTIRQS: &str = "/proc/softirqs";

/// Counters by name.
type Column = Vec<(String, u64)>;

/// One reading.
pub(in crate::doctor) struct Counts {
    at_ns: u64,
    interrupts: String,
    softirqs: String,
}

impl Counts {
    /// Reads both files, on a live system; empty elsewhere.
    pub(in crate::doctor) fn read(subject: &Subject) -> Self {
        let live = subject.root.is_live();
        let file = |path| live.then(|| subject.root.read(path)).flatten();
        Self {
            at_ns: if live { clock::monotonic_ns() } else { 0 },
            interrupts: file(INTERRUPTS).unwrap_or_default(),
            softirqs: file(SOFTIRQS).unwrap_or_default(),
        }
    }
}

/// The counters of one core, by name and what stands at the end of the line. The head names the cores that are online.
fn column(text: &str, core: usize) -> Vec<(String, u64)> {
    let mut lines = text.lines();
    let heads: Vec<&str> = lines
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let wanted = format!("CPU{core}");
    let Some(place) = heads.iter().position(|head| *head == wanted) else {
        return Vec::new();
    };
    lines
        .filter_map(|line| {
            let (name, rest) = line.split_once(':')?;
            let mut words = rest.split_whitespace();
            let count = words.nth(place)?.parse().ok()?;
            let name = name.trim();
            // What is left are the other cores' counters, and who it is. The core's own have names that say it all.
            let device = words
                .next_back()
                .filter(|_| name.starts_with(|c: char| c.is_ascii_digit()));
            let name = device.map_or(name.to_owned(), |device| format!("{name} {device}"));
            Some((name, count))
        })
        .collect()
}

/// What grew on any of `cores`, the most first.
fn growth(before: &str, after: &str, cores: &Cpus) -> Column {
    let mut grown = Column::new();
    for core in cores.iter() {
        let before = column(before, core);
        for (name, count) in column(after, core) {
            let first = before.iter().find(|(other, _)| *other == name);
            let delta = first.map_or(0, |(_, first)| count.saturating_sub(*first));
            match grown.iter_mut().find(|(other, _)| *other == name) {
                Some((_, sum)) => *sum += delta,
                None => grown.push((name, delta)),
            }
        }
    }
    grown.retain(|(_, delta)| *delta > 0);
    grown.sort_by_key(|(_, delta)| u64::MAX - delta);
    grown
}

/// What arrived while the other checks ran, at least for [`WATCHED_NS`].
pub(super) fn checks(subject: &Subject, before: &Counts) -> Vec<Check> {
    let mut all = vec![(
        Cpus::one(subject.core),
        ["interrupts.rate", "interrupts.softirqs"],
    )];
    let workers = subject.workers();
    if !workers.is_empty() {
        all.push((
            workers,
            ["interrupts.models_rate", "interrupts.models_softirqs"],
        ));
    }
    if subject.root.is_live() {
        clock::sleep_until_ns(before.at_ns + WATCHED_NS);
    }
    let after = Counts::read(subject);
    let pairs = all
        .iter()
        .map(|(cores, names)| judge(subject, (before, &after), cores, *names));
    pairs.flatten().collect()
}

fn judge(
    subject: &Subject,
    (before, after): (&Counts, &Counts),
    cores: &Cpus,
    [hard, soft]: [&'static str; 2],
) -> [Check; 2] {
    let interrupts = Check::new(
        hard,
        INTERRUPTS,
        "what really arrives on these cores, wherever it should go",
    );
    let softirqs = Check::new(
        soft,
        SOFTIRQS,
        "soft interrupts run behind hard ones, and network ones may take a millisecond",
    );
    if subject.root.is_live() {
        rated((before, after), cores, interrupts, softirqs)
    } else {
        [interrupts, softirqs].map(|check| check.not_here(NOT_UNDER_SYSROOT))
    }
}

/// Judges two readings.
fn rated(
    (before, after): (&Counts, &Counts),
    cores: &Cpus,
    interrupts: Check,
    softirqs: Check,
) -> [Check; 2] {
    let over_ms = (after.at_ns - before.at_ns) / 1_000_000;
    let told = |grown: &Column| {
        let shown = grown.iter().take(SHOWN);
        let list: Vec<String> = shown.map(|(name, n)| format!("{name} {n}")).collect();
        let list = if list.is_empty() {
            "none".to_owned()
        } else {
            list.join(", ")
        };
        format!("in {over_ms} ms: {list}")
    };
    let sum = |grown: &Column, counts: &dyn Fn(&str) -> bool| -> u64 {
        let counted = grown.iter().filter(|(name, _)| counts(name));
        counted.map(|(_, n)| n).sum()
    };
    let hard = growth(&before.interrupts, &after.interrupts, cores);
    let soft = growth(&before.softirqs, &after.softirqs, cores);
    // The numbered ones are those of devices; the core's own have letters.
    let devices = sum(&hard, &|name| {
        name.starts_with(|c: char| c.is_ascii_digit())
    });
    let of_devices = sum(&soft, &|name| OF_DEVICES.contains(&name));
    [
        interrupts.ok_or_warn(
            devices <= MOST,
            told(&hard),
            "see interrupts.affinity; the number is that of /proc/irq/N",
        ),
        softirqs.ok_or_warn(
            of_devices <= MOST,
            told(&soft),
            "move the interrupts of network and disk to other cores (interrupts.affinity), and their programs too",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_column_is_that_of_the_core_that_the_head_names() {
        let text = "           CPU0       CPU2\n  0:         12          7   IO-APIC   2-edge      timer\nLOC:    1000   2000   Local timer interrupts\nERR:          0\n";
        let found = column(text, 2);
        assert_eq!(found, [("0 timer".to_owned(), 7), ("LOC".to_owned(), 2000)]);
        assert_eq!(column(text, 1), []);
    }

    #[test]
    fn more_than_a_few_of_devices_are_too_many_and_the_cores_own_are_not() {
        use crate::doctor::Verdict::{Ok, Warn};
        let at = |at_ns, disk: u64, timer: u64, net: u64, rcu: u64| Counts {
            at_ns,
            interrupts: format!(" CPU0 CPU3\n 30: 9 {disk} PCI disk\nLOC: 9 {timer} Local timer\n"),
            softirqs: format!(" CPU0 CPU3\n NET_RX: 9 {net}\n RCU: 9 {rcu}\n"),
        };
        let before = at(0, 100, 1000, 50, 70);
        for (disk, timer, net, rcu, verdicts, hard, soft) in [
            (0, 0, 0, 0, [Ok, Ok], "none", "none"),
            (
                5,
                500,
                5,
                900,
                [Ok, Ok],
                "LOC 500, 30 disk 5",
                "RCU 900, NET_RX 5",
            ),
            (6, 0, 0, 0, [Warn, Ok], "30 disk 6", "none"),
            (0, 0, 6, 0, [Ok, Warn], "none", "NET_RX 6"),
        ] {
            let after = at(500_000_000, 100 + disk, 1000 + timer, 50 + net, 70 + rcu);
            let check = |name| Check::new(name, "", "");
            let both = (&before, &after);
            let [interrupts, softirqs] = rated(both, &Cpus::one(3), check("hard"), check("soft"));
            assert_eq!(
                [interrupts.verdict, softirqs.verdict],
                verdicts,
                "{disk} {net}"
            );
            assert_eq!(interrupts.value, format!("in 500 ms: {hard}"));
            assert_eq!(softirqs.value, format!("in 500 ms: {soft}"));
            assert_eq!(interrupts.remedy.is_empty(), verdicts[0] == Ok);
            assert_eq!(softirqs.remedy.is_empty(), verdicts[1] == Ok);
        }
    }

    #[test]
    fn what_grew_is_added_up_over_the_cores() {
        let before = "           CPU0       CPU1       CPU2\n 30:  5  7  1  PCI  disk\nLOC:  9  9  9  Local timer interrupts\n";
        let after = "           CPU0       CPU1       CPU2\n 30:  99  8  5  PCI  disk\n 31:  0  4  0  PCI  new\nLOC:  9  9  29  Local timer interrupts\n";
        let cores = Cpus::parse_list("1-2").unwrap();
        let grown = growth(before, after, &cores);
        // One that was not there before says nothing.
        assert_eq!(grown, [("LOC".to_owned(), 20), ("30 disk".to_owned(), 5)]);
        assert_eq!(growth(before, after, &Cpus::one(7)), []);
    }
}
