//! How the start of a cycle is awaited: slept, spun, or both.

use crate::clock;
use crate::trust::Trust;
use serde::Serialize;
use twinstep_config::machine::Wait;

/// Sleeps that are measured.
const SLEEPS: usize = 200;
/// Length of one, at most (ns): the period, where that is shorter.
const SLEEP_NS: u64 = 250_000;
/// Share of the period by which a wake-up may be late before anything is done about it (parts).
const NO_MATTER: u64 = 50;
/// Longest time that a hybrid spins (ns): beyond it little is left for the rest of the computer.
const LONGEST_SPIN_NS: u64 = 200_000;
/// What is spun away where nothing was measured (ns).
const USUAL_SPIN_NS: u64 = 60_000;

/// See [`Wait`]; `auto` has become one of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// The kernel wakes the thread.
    #[default]
    Sleep,
    /// It sleeps, and spins the rest.
    Hybrid,
    /// The clock is read until it is time.
    Spin,
}

impl Way {
    /// As it is printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sleep => "sleep",
            Self::Hybrid => "hybrid",
            Self::Spin => "spin",
        }
    }
}

/// How it is awaited, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// The way.
    pub way: Way,
    /// Time before the start that is spun away (ns).
    pub spin_ns: u64,
    /// Lateness of 99 of 100 wake-ups here is at most this (ns), where it was measured.
    pub lateness_ns: Option<u64>,
}

impl Chosen {
    /// In words.
    pub fn text(&self) -> String {
        let measured = self.lateness_ns.map_or(String::new(), |late| {
            format!(
                " (wake-ups are up to {:.1} us late, 99 of 100)",
                late as f64 / 1000.0
            )
        });
        match self.way {
            Way::Hybrid => format!(
                "hybrid, the last {:.1} us are spun{measured}",
                self.spin_ns as f64 / 1000.0
            ),
            way => format!("{}{measured}", way.name()),
        }
    }
}

/// Chooses the way on the cycle's own thread, which has its policy and its core by now.
pub(super) fn choose(asked: Wait, period_ns: u64, trust: &Trust) -> Chosen {
    let measured = match asked {
        Wait::Auto | Wait::Hybrid if trust.policy.is_realtime() => Some(measure(period_ns)),
        _ => None,
    };
    decide(asked, measured, period_ns, trust)
}

/// Lateness of wake-ups that 99 of 100 keep (ns).
fn measure(period_ns: u64) -> u64 {
    let mut late_ns = [0; SLEEPS];
    for late in &mut late_ns {
        let until_ns = clock::monotonic_ns() + SLEEP_NS.min(period_ns);
        clock::sleep_until_ns(until_ns);
        *late = clock::monotonic_ns().saturating_sub(until_ns);
    }
    late_ns.sort_unstable();
    late_ns[SLEEPS * 99 / 100]
}

fn decide(asked: Wait, late_ns: Option<u64>, period_ns: u64, trust: &Trust) -> Chosen {
    let longest_ns = LONGEST_SPIN_NS.min(period_ns / 4);
    // Half as much again, for the one of a hundred.
    let margin_ns = late_ns.map_or(USUAL_SPIN_NS, |late| late + late / 2);
    let hybrid = |spin_ns: u64| Chosen {
        way: Way::Hybrid,
        spin_ns: spin_ns.min(longest_ns),
        lateness_ns: late_ns,
    };
    let sleep = Chosen {
        lateness_ns: late_ns,
        ..Chosen::default()
    };
    let spin = Chosen {
        way: Way::Spin,
        spin_ns: u64::MAX,
        lateness_ns: late_ns,
    };
    match asked {
        Wait::Sleep => sleep,
        Wait::Spin => spin,
        Wait::Hybrid => hybrid(margin_ns),
        Wait::Auto => match late_ns {
            // Among ordinary threads nothing is gained by holding on to the processor.
            None => sleep,
            Some(late) if late <= period_ns / NO_MATTER => sleep,
            // A core of its own may be spun on, where the kernel does not stop who does.
            Some(_) if margin_ns > longest_ns && trust.may_spin() => spin,
            Some(_) => hybrid(margin_ns),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::Scheduling;

    fn trust(throttling_off: bool, isolated: bool) -> Trust {
        Trust {
            policy: Scheduling::Fifo,
            throttling_off,
            isolated,
            ..Trust::default()
        }
    }

    #[test]
    fn the_way_follows_from_the_lateness() {
        const PERIOD_NS: u64 = 1_000_000;
        let way = |late_ns, trust: &Trust| {
            let chosen = decide(Wait::Auto, late_ns, PERIOD_NS, trust);
            (chosen.way, chosen.spin_ns)
        };
        let own = trust(true, true);
        assert_eq!(way(Some(20_000), &own), (Way::Sleep, 0));
        assert_eq!(way(Some(40_000), &own), (Way::Hybrid, 60_000));
        assert_eq!(way(Some(900_000), &own), (Way::Spin, u64::MAX));
        // Who is throttled, or shares its core, must not spin.
        assert_eq!(
            way(Some(900_000), &trust(false, true)),
            (Way::Hybrid, 200_000)
        );
        assert_eq!(
            way(Some(900_000), &trust(true, false)),
            (Way::Hybrid, 200_000)
        );
        // Nor who is stopped for others that starve.
        let served = Trust {
            starved_are_served: true,
            ..own
        };
        assert_eq!(way(Some(900_000), &served), (Way::Hybrid, 200_000));
        // Ordinary threads are not measured.
        assert_eq!(way(None, &Trust::default()), (Way::Sleep, 0));
    }

    #[test]
    fn what_is_asked_for_is_taken() {
        let way = |asked, period_ns| decide(asked, None, period_ns, &Trust::default());
        assert_eq!(way(Wait::Spin, 1_000_000).way, Way::Spin);
        assert_eq!(way(Wait::Sleep, 1_000_000).spin_ns, 0);
        assert_eq!(way(Wait::Hybrid, 1_000_000).spin_ns, 60_000);
        assert_eq!(way(Wait::Hybrid, 31_250).spin_ns, 7_812);
    }

    #[test]
    fn a_measured_lateness_is_told() {
        let chosen = decide(Wait::Auto, Some(40_000), 1_000_000, &trust(true, true));
        assert_eq!(
            chosen.text(),
            "hybrid, the last 60.0 us are spun (wake-ups are up to 40.0 us late, 99 of 100)"
        );
        assert!(measure(100_000) < u64::MAX);
    }
}
