//! Switches along an axis, wired to the digital inputs of its drive, and the zero pulse of its encoder.
//!
//! A switch sees the load; what a drive latches is its encoder. An edge between two steps of the simulation is put where
//! the load passed the end of the switch, as the hardware of a drive latches it.

use twinstep_config::machine::SwitchRange;

/// What a drive can watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Limit switch at the end of smaller positions.
    NegativeLimit,
    /// Limit switch at the end of larger positions.
    PositiveLimit,
    /// Home switch.
    Home,
    /// Input of touch probe 1.
    Probe1,
    /// Input of touch probe 2.
    Probe2,
    /// Zero pulse of the encoder, once a revolution.
    Index,
}

/// Number of signals.
pub const SIGNALS: usize = 6;
/// Those that are switches.
pub const SWITCHES: usize = 5;

/// An edge of a signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    /// How many there were; it wraps.
    pub count: u32,
    /// Where the encoder stood at the last one (counts).
    pub position_counts: i32,
}

/// All signals of a drive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signals {
    /// On now, by [`Signal`]; a zero pulse is never seen on.
    pub levels: [bool; SIGNALS],
    /// There is such a signal.
    pub present: [bool; SIGNALS],
    /// Edges from off to on.
    pub rising: [Edge; SIGNALS],
    /// Edges from on to off; those of a zero pulse are where it rises.
    pub falling: [Edge; SIGNALS],
}

/// The switches of one axis.
pub(super) struct Switches {
    ranges: [Option<SwitchRange>; SWITCHES],
    counts_per_rev: f64,
    /// Anything to look at in a step.
    active: bool,
    watch_index: bool,
    load_m: f64,
    counts: f64,
    pub signals: Signals,
}

impl Switches {
    /// Switches of an axis at `load_m`, with its encoder at `counts`.
    pub fn new(
        ranges: [Option<SwitchRange>; SWITCHES],
        counts_per_rev: f64,
        load_m: f64,
        counts: f64,
    ) -> Self {
        let mut signals = Signals::default();
        for (n, range) in ranges.iter().enumerate() {
            signals.present[n] = range.is_some();
            signals.levels[n] = range.is_some_and(|range| range.contains(load_m));
        }
        signals.present[Signal::Index as usize] = true;
        Self {
            active: ranges.iter().any(Option::is_some),
            ranges,
            counts_per_rev: counts_per_rev.max(1.0),
            watch_index: false,
            load_m,
            counts,
            signals,
        }
    }

    /// Zero pulses are watched, or not any more.
    pub fn watch_index(&mut self, watch: bool, counts: f64) {
        if watch && !self.watch_index {
            self.counts = counts;
        }
        self.watch_index = watch;
        self.active = watch || self.ranges.iter().any(Option::is_some);
    }

    /// The load and the encoder have moved on.
    #[inline]
    pub fn step(&mut self, load_m: f64, counts: f64) {
        if self.active {
            self.look(load_m, counts);
        }
    }

    fn look(&mut self, load_m: f64, counts: f64) {
        let moved = load_m - self.load_m;
        for (n, range) in self.ranges.iter().enumerate() {
            let Some(range) = range else { continue };
            let on = range.contains(load_m);
            if on == self.signals.levels[n] {
                continue;
            }
            self.signals.levels[n] = on;
            // The end that was passed is the one between the two positions.
            let (low, high) = (self.load_m.min(load_m), self.load_m.max(load_m));
            let end = [range.from_m, range.to_m]
                .into_iter()
                .find(|end| (low..=high).contains(end))
                .unwrap_or(load_m);
            let part = if moved == 0.0 {
                1.0
            } else {
                (end - self.load_m) / moved
            };
            let at = self.counts + part * (counts - self.counts);
            let edges = if on {
                &mut self.signals.rising
            } else {
                &mut self.signals.falling
            };
            passed(&mut edges[n], at);
        }
        if self.watch_index {
            let revolution = |counts: f64| libm::floor(counts / self.counts_per_rev);
            let (before, now) = (revolution(self.counts), revolution(counts));
            if before != now {
                let at = before.max(now) * self.counts_per_rev;
                passed(&mut self.signals.rising[Signal::Index as usize], at);
                passed(&mut self.signals.falling[Signal::Index as usize], at);
            }
        }
        self.load_m = load_m;
        self.counts = counts;
    }
}

fn passed(edge: &mut Edge, counts: f64) {
    edge.count = edge.count.wrapping_add(1);
    edge.position_counts = libm::floor(counts + 0.5) as i64 as i32;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(from_m: f64, to_m: f64) -> Option<SwitchRange> {
        Some(SwitchRange { from_m, to_m })
    }

    #[test]
    fn edges_lie_where_the_load_passed_the_end_of_the_switch() {
        let ranges = [None, None, range(0.1, 0.2), range(0.5, f64::INFINITY), None];
        let mut switches = Switches::new(ranges, 1000.0, 0.0, 0.0);
        let mut walk = |from: i32, to: i32| {
            let step = (to - from).signum() * 3;
            let mut at = from;
            while (to - at) * step.signum() > 0 {
                at += step;
                switches.step(f64::from(at) * 1e-3, f64::from(at) * 10.0);
            }
            switches.signals
        };
        let home = Signal::Home as usize;
        let there = walk(0, 300);
        assert_eq!(
            (there.rising[home].count, there.falling[home].count),
            (1, 1)
        );
        assert_eq!(there.rising[home].position_counts, 1000);
        assert_eq!(there.falling[home].position_counts, 2000);
        let back = walk(300, 150);
        assert!(back.levels[home]);
        assert_eq!(back.rising[home].position_counts, 2000);
        assert_eq!(back.rising[Signal::Index as usize].count, 0, "not watched");
        let far = walk(150, 900);
        assert!(far.levels[Signal::Probe1 as usize]);
        assert_eq!(far.rising[Signal::Probe1 as usize].position_counts, 5000);
        assert!(!far.present[Signal::Probe2 as usize]);
    }

    #[test]
    fn zero_pulses_come_once_a_revolution_both_ways() {
        let mut switches = Switches::new([None; SWITCHES], 1000.0, 0.0, 0.0);
        switches.watch_index(true, 10.0);
        for at in [400.0, 990.0, 1010.0, 1990.0, 2004.0, 1999.0] {
            switches.step(0.0, at);
        }
        let index = switches.signals.rising[Signal::Index as usize];
        assert_eq!((index.count, index.position_counts), (3, 2000));
    }
}
