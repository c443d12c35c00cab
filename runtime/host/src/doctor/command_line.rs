//! The kernel's command line: its parameters, those that are misspelt, and lists of cores that cannot be meant.

use super::Root;
use super::cpus::Cpus;
use super::parameters::{KNOWN, REALTIME};

/// Most letters by which a misspelt parameter differs from the one that was meant; see [`CommandLine::misspelt`].
const MOST_LETTERS: usize = 2;
/// Shorter parameters are near to everything.
const SHORTEST: usize = 5;

/// The parameters, in order.
#[derive(Clone, Debug, Default)]
pub struct CommandLine {
    parameters: Vec<(String, String)>,
}

impl CommandLine {
    /// Where it stands.
    pub const PATH: &'static str = "/proc/cmdline";

    /// Reads it; none where there is none.
    pub fn read(root: &Root) -> Option<Self> {
        root.read(Self::PATH).map(|text| Self::parse(&text))
    }

    /// Takes the line apart as the kernel does: at spaces outside of double quotes, up to `--`, behind which all is for the
    /// first program.
    pub fn parse(text: &str) -> Self {
        let mut parameters = Vec::new();
        let mut quoted = false;
        let words = text.split(|c: char| {
            quoted ^= c == '"';
            c.is_whitespace() && !quoted
        });
        for word in words.filter(|word| !word.is_empty()) {
            if word == "--" {
                break;
            }
            let word = word.replace('"', "");
            let (name, value) = word.split_once('=').unwrap_or((&word, ""));
            parameters.push((name.to_owned(), value.to_owned()));
        }
        Self { parameters }
    }

    /// How many parameters.
    pub fn len(&self) -> usize {
        self.parameters.len()
    }

    /// The last value of a parameter, which is the one in force; empty where it takes none. `-` and `_` are the same.
    pub fn value(&self, name: &str) -> Option<&str> {
        let name = folded(name);
        let mut found = self.parameters.iter().rev();
        found
            .find(|(other, _)| folded(other) == name)
            .map(|(_, value)| value.as_str())
    }

    /// Parameters that the kernel does not know and that are nearly one that matters to real time: as written, and as meant.
    pub fn misspelt(&self) -> Vec<(String, &'static str)> {
        let mut found = Vec::new();
        for (name, _) in self.strangers() {
            // The environment of the first program is in capitals.
            if name.starts_with(char::is_uppercase) {
                continue;
            }
            let bare = bare(name);
            let near = REALTIME
                .iter()
                .map(|meant| {
                    (
                        strsim::damerau_levenshtein(&bare, &self::bare(meant)),
                        *meant,
                    )
                })
                .filter(|(letters, meant)| *letters <= MOST_LETTERS.min(meant.len() / 4))
                .min_by_key(|(letters, _)| *letters);
            if let Some((_, meant)) = near.filter(|_| bare.len() >= SHORTEST) {
                found.push((name.clone(), meant));
            }
        }
        found
    }

    /// Names that are neither known nor nearly so. Names with a dot belong to a module or a program, and capitals to the
    /// environment of the first program.
    pub fn unknown(&self) -> Vec<String> {
        let misspelt = self.misspelt();
        self.strangers()
            .map(|(name, _)| name.clone())
            .filter(|name| !name.contains('.') && !name.starts_with(char::is_uppercase))
            .filter(|name| misspelt.iter().all(|(other, _)| other != name))
            .collect()
    }

    /// Parameters that stand in no list.
    fn strangers(&self) -> impl Iterator<Item = &(String, String)> {
        self.parameters.iter().filter(|(name, _)| {
            let folded = folded(name);
            let known = |list: &[&str]| list.iter().any(|one| self::folded(one) == folded);
            !known(REALTIME) && !known(KNOWN)
        })
    }

    /// A list of cores among the parameters. `isolcpus` has flags in front of it.
    pub fn cpus(&self, name: &str, last: Option<usize>) -> Option<Result<Cpus, String>> {
        let value = self.value(name)?;
        let flag = |part: &&str| ["nohz", "domain", "managed_irq"].contains(part);
        let list: Vec<&str> = value.split(',').filter(|part| !flag(part)).collect();
        let list = list.join(",");
        Some(Cpus::parse_parameter(&list, last).ok_or(list))
    }

    /// The lists as they stand.
    pub fn lists_told(&self) -> String {
        let told: Vec<String> = LISTS
            .iter()
            .filter_map(|name| Some(format!("{name}={}", self.value(name)?)))
            .collect();
        if told.is_empty() {
            "no lists of cores".to_owned()
        } else {
            told.join(" ")
        }
    }

    /// Lists of cores that cannot be read, name cores that are not there, or contradict each other.
    pub fn list_problems(&self, online: &Cpus) -> Vec<String> {
        let mut problems = Vec::new();
        let mut read = |name: &str| -> Option<Cpus> {
            match self.cpus(name, online.last())? {
                Err(list) => {
                    problems.push(format!("{name}={list} is no list of cores"));
                    None
                }
                Ok(cpus) => {
                    let absent = cpus.without(online);
                    if !online.is_empty() && !absent.is_empty() {
                        problems.push(format!("{name} names {absent}, and {online} are online"));
                    }
                    Some(cpus)
                }
            }
        };
        let isolated = read("isolcpus");
        let [nohz, nocbs, irqs] = ["nohz_full", "rcu_nocbs", "irqaffinity"].map(&mut read);
        if let Some(isolated) = &isolated {
            for (name, list) in [("nohz_full", &nohz), ("rcu_nocbs", &nocbs)] {
                let missing = list.as_ref().map(|list| isolated.without(list));
                if let Some(missing) = missing.filter(|missing| !missing.is_empty()) {
                    problems.push(format!("isolcpus has {missing} and {name} has not"));
                }
            }
        }
        if let (Some(isolated), Some(irqs)) = (&isolated, &irqs) {
            let both = isolated.intersection(irqs);
            if !both.is_empty() {
                problems.push(format!(
                    "irqaffinity sends interrupts to {both}, which isolcpus keeps free"
                ));
            }
        }
        problems
    }
}

/// Parameters that hold a list of cores.
const LISTS: [&str; 4] = ["isolcpus", "nohz_full", "rcu_nocbs", "irqaffinity"];

/// `-` and `_` are the same to the kernel.
fn folded(name: &str) -> String {
    name.replace('-', "_")
}

/// Without anything between the words, which is what people get wrong most.
fn bare(name: &str) -> String {
    let name = name.chars().filter(|c| !['-', '_'].contains(c));
    name.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn misspelt(line: &str) -> Vec<(String, &'static str)> {
        CommandLine::parse(line).misspelt()
    }

    #[test]
    fn misspelt_parameters_are_named_with_the_one_that_was_meant() {
        for (found, meant) in [
            ("irq_affinity=0", "irqaffinity"),
            ("isolcpu=3", "isolcpus"),
            ("isol_cpus=3", "isolcpus"),
            ("nohzfull=3", "nohz_full"),
            ("rcu_nocb=3", "rcu_nocbs"),
            ("rcu_ncobs=3", "rcu_nocbs"),
            ("nmi_watchdgo=0", "nmi_watchdog"),
            ("clock_source=tsc", "clocksource"),
            ("nosoft_lockup", "nosoftlockup"),
            ("intel_idle_max_cstate=0", "intel_idle.max_cstate"),
            ("procesor.max_cstate=0", "processor.max_cstate"),
        ] {
            let name = found.split('=').next().unwrap().to_owned();
            assert_eq!(misspelt(found), [(name, meant)]);
        }
    }

    #[test]
    fn what_is_right_or_somebody_elses_is_not_misspelt() {
        let line = "BOOT_IMAGE=/vmlinuz root=/dev/sda1 ro quiet splash console=ttyS0 isolcpus=managed_irq,domain,3 \
                    nohz-full=3 rcu_nocbs=3 irqaffinity=0-2 systemd.unit=rescue.target nosmt vga=normal crashkernel=auto \
                    processor.max_cstate=1 dyndbg=\"file a.c +p irq_affinity=1\" -- irq_affinity=2";
        assert_eq!(misspelt(line), []);
        let line = CommandLine::parse(line);
        assert_eq!(line.unknown(), Vec::<String>::new());
        assert_eq!(line.value("nohz_full"), Some("3"));
        assert_eq!(line.value("dyndbg"), Some("file a.c +p irq_affinity=1"));
        assert_eq!(CommandLine::parse("flavour=mint").unknown(), ["flavour"]);
    }

    #[test]
    fn the_last_value_is_in_force() {
        assert_eq!(
            CommandLine::parse("isolcpus=1 isolcpus=2").value("isolcpus"),
            Some("2")
        );
    }

    #[test]
    fn lists_that_cannot_be_meant_are_told() {
        let online = Cpus::parse_list("0-3").unwrap();
        let told = |line: &str| CommandLine::parse(line).list_problems(&online).join("; ");
        assert_eq!(
            told("isolcpus=nohz,domain,2-3 nohz_full=2-N rcu_nocbs=2-3 irqaffinity=0-1"),
            ""
        );
        assert_eq!(told("isolcpus=7"), "isolcpus names 7, and 0-3 are online");
        assert_eq!(told("isolcpus=two"), "isolcpus=two is no list of cores");
        assert_eq!(
            told("isolcpus=2-3 nohz_full=3"),
            "isolcpus has 2 and nohz_full has not"
        );
        assert_eq!(
            told("isolcpus=3 irqaffinity=0-3"),
            "irqaffinity sends interrupts to 3, which isolcpus keeps free"
        );
    }
}
