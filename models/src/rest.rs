//! What holds an axis at rest: the mean of the measured current, once the axis has settled, over stretches of a stated length.
//!
//! # Derivation
//! At rest inertia and viscous friction are gone, and the current i, the load L and what static friction takes balance:
//!
//! ```text
//! i = L - f,  -Fs <= f <= Fs
//! ```
//!
//! f is what the axis stopped with, and the rest keeps it. It has the sign of the movement before, so rests after movements in one direction
//! are alike and those after movements in the other lie up to `2 Fc` beside them: they have figures of their own. Within one direction f is
//! drawn anew with every stop, between nothing and Fc: by what the loop overshot, and by where its integral action ended. That is the spread
//! of healthy rests, and what a change of the load must leave to be seen.
//!
//! Within one rest f is the same draw all along, but it creeps: bristles give way and the integral action of the drive takes over what they
//! held, within some seconds (on the simulated lift from 0.8 A to nothing, with a time constant of 3 s). The same creep comes after every stop.
//! So rests have stages by their age, each twice as long as the one before, with figures of their own. Figures of one rest are no
//! independent witnesses of anything, however many there are: they count as one, the latest of them.

/// Directions of the movement before a rest.
pub const RESTS: usize = 2;
/// Stages of a rest by its age.
pub const STAGES: usize = 6;
/// Age at which each begins (s); the last one has no end.
pub const STAGES_S: [f64; STAGES] = [0.0, 1.0, 2.0, 4.0, 8.0, 16.0];
/// Time at rest before a figure begins: loops settle (ns).
const SETTLE_NS: u64 = 100_000_000;
/// Length of the first figure of a rest (ns): a machine in operation stops for a few tenths of a second.
const FIRST_NS: u64 = 100_000_000;
/// Length of every further one (ns): no more than one a second.
const EVERY_NS: u64 = 1_000_000_000;

/// A rest, by the direction of the movement before it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[repr(u8)]
pub enum Rested {
    /// After a movement to larger positions.
    #[default]
    Positive = 0,
    /// After a movement to smaller ones.
    Negative = 1,
}

impl Rested {
    /// Both, in the order of their codes.
    pub const ALL: [Self; RESTS] = [Self::Positive, Self::Negative];

    /// The word used in configurations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Positive => "standstill_positive",
            Self::Negative => "standstill_negative",
        }
    }

    /// After a movement in this direction.
    pub const fn after(forward: bool) -> Self {
        if forward {
            Self::Positive
        } else {
            Self::Negative
        }
    }
}

/// When a rest has figures (cycles).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    settle: u64,
    first: u64,
    every: u64,
}

impl Rhythm {
    /// That of a period (ns).
    pub const fn of(period_ns: u64) -> Self {
        let period_ns = if period_ns > 0 { period_ns } else { 1 };
        Self {
            settle: SETTLE_NS.div_ceil(period_ns),
            first: FIRST_NS.div_ceil(period_ns),
            every: EVERY_NS.div_ceil(period_ns),
        }
    }

    /// Whether a rest of so many cycles has settled.
    pub const fn is_settled(&self, cycles: u64) -> bool {
        cycles >= self.settle
    }

    /// What a rest of so many cycles has behind it: 0 while it settles, then 1 and one more for each figure.
    pub const fn step(&self, cycles: u64) -> u64 {
        let settled = self.settle + self.first;
        if cycles < self.settle {
            0
        } else if cycles < settled {
            1
        } else {
            2 + (cycles - settled) / self.every
        }
    }

    /// The stage of a rest of so many cycles.
    pub fn stage(&self, cycles: u64) -> u8 {
        let seconds = cycles / self.every;
        let bits = (u64::BITS - seconds.leading_zeros()) as usize;
        bits.min(STAGES - 1) as u8
    }

    /// Whether something of a rest of `cycles` begins or ends, that was looked at so many cycles `before`.
    pub const fn is_due(&self, cycles: u64, before: u64) -> bool {
        self.step(cycles) != self.step(cycles.saturating_sub(before))
    }
}

/// A rest as it is summed up so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct RestSum {
    /// The cycle in which it began, of the axis' own count.
    pub began: u64,
    /// Cycles.
    pub cycles: u64,
    /// Sum of the measured current (A).
    pub measured_a: f64,
    /// Stage of the rest.
    pub stage: u8,
    /// What the rest has behind it ([`Rhythm::step`]).
    pub step: u64,
}

impl RestSum {
    /// Mean of the measured current since `mark` was taken (A); none where that is of another rest, no earlier, or not of the step before:
    /// figures are of whole stretches alone.
    pub fn mean_since(&self, mark: &Self) -> Option<f64> {
        let whole = self.began == mark.began && self.step == mark.step.saturating_add(1);
        (whole && self.cycles > mark.cycles).then(|| {
            let cycles = self.cycles - mark.cycles;
            (self.measured_a - mark.measured_a) / cycles as f64
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cycles of a rest at which it is due, looked at every so many cycles.
    fn due(period_ns: u64, every: u64, cycles: u64) -> Vec<u64> {
        let rhythm = Rhythm::of(period_ns);
        (every..=cycles)
            .step_by(usize::try_from(every).unwrap())
            .filter(|n| rhythm.is_due(*n, every))
            .collect()
    }

    #[test]
    fn a_rest_settles_has_a_short_figure_and_then_one_a_second() {
        assert_eq!(due(1_000_000, 1, 2500), [100, 200, 1200, 2200]);
        // Looked at now and then it is due at the look after that.
        assert_eq!(due(1_000_000, 16, 2500), [112, 208, 1200, 2208]);
        assert_eq!(due(31_250, 512, 80_000), [3584, 6656, 38_400, 70_656]);
        assert_eq!(due(10_000_000, 1, 130), [10, 20, 120]);
        assert_eq!(due(1_000_000, 1, 99), [0; 0]);
    }

    #[test]
    fn stages_begin_where_they_say() {
        for period_ns in [31_250_u64, 1_000_000, 4_000_000] {
            let rhythm = Rhythm::of(period_ns);
            for (stage, begins_s) in STAGES_S.into_iter().enumerate() {
                let cycles = (begins_s * 1e9) as u64 / period_ns;
                assert_eq!(usize::from(rhythm.stage(cycles)), stage);
                if stage > 0 {
                    assert_eq!(usize::from(rhythm.stage(cycles - 1)), stage - 1);
                }
            }
            assert_eq!(usize::from(rhythm.stage(u64::MAX)), STAGES - 1);
        }
    }

    #[test]
    fn a_mean_is_that_since_the_mark_and_of_one_rest() {
        let sum = |began, cycles, measured_a, step| RestSum {
            began,
            cycles,
            measured_a,
            stage: 0,
            step,
        };
        let mark = sum(7, 100, 50.0, 3);
        assert_eq!(sum(7, 300, 450.0, 4).mean_since(&mark), Some(2.0));
        assert_eq!(sum(8, 300, 450.0, 4).mean_since(&mark), None);
        // One stretch was not looked at.
        assert_eq!(sum(7, 300, 450.0, 5).mean_since(&mark), None);
        assert_eq!(mark.mean_since(&mark), None);
    }

    #[test]
    fn words_are_told_apart() {
        assert_eq!(Rested::ALL.map(|one| one as usize), [0, 1]);
        assert_ne!(Rested::Positive.name(), Rested::Negative.name());
        assert_eq!(Rested::after(true), Rested::Positive);
    }
}
