//! The parts of a step: halves of halves, down to where something happens and to where the error is small enough.
//!
//! # Derivation
//! A part is taken as it is where nothing happens within and its error is below what is allowed. Otherwise its first half is
//! tried. A moment is found by bisection: the half before it is taken, the other is halved on, and what happens takes effect
//! at the end of the smallest part, `step / 2^LEVELS`. Where the error decides, parts grow again as it falls; what is
//! integrated is second order, so that a part of twice the length has eight times the error.
//!
//! No part is longer than 1 rad of the fastest oscillation, so that nothing comes and goes within one. Where a step has more
//! than 60 rad of it, parts of it would tell nothing: the step is then taken whole, which is stable. The number of tries is
//! bounded, and with it the work of a step.

/// Halvings of a step down to which moments are located.
pub const LEVELS: usize = 16;
/// Tries in one step beside four for each part that the oscillation asks for.
const TRIES_MAX: u32 = 256;
/// Tries in a step that is not resolved.
const TRIES_LOST: u32 = 48;
/// Largest phase of the fastest oscillation in one part (rad).
const PHASE_MAX: f64 = 1.0;
/// Phase of the fastest oscillation in one step beyond which it is not resolved (rad).
const PHASE_LOST: f64 = 60.0;
/// Share of the velocity that a part may be wrong by.
const ERROR_MAX: f64 = 2e-6;
/// A velocity counts as at least what the forces make of it in this time (s).
const SCALE_S: f64 = 1e-3;
/// Share of the allowed error below which the next part may be twice as long.
const GROW_BELOW: f64 = 0.08;

/// How a step may be divided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Division {
    /// Level of the longest part; a part of level n lasts `step / 2^(LEVELS - n)`.
    longest: usize,
    tries: u32,
}

impl Division {
    /// For a step of `step_s` in which the fastest oscillation has `rate_per_s` (rad/s).
    pub fn new(rate_per_s: f64, step_s: f64) -> Self {
        let mut phase = rate_per_s * step_s;
        if phase.is_nan() || phase > PHASE_LOST {
            return Self {
                longest: LEVELS,
                tries: TRIES_LOST,
            };
        }
        let mut halvings = 0;
        while phase > PHASE_MAX {
            phase *= 0.5;
            halvings += 1;
        }
        Self {
            longest: LEVELS - halvings,
            tries: TRIES_MAX + (4 << halvings),
        }
    }

    /// Whether the fastest oscillation is beyond what the step resolves.
    pub fn lost(&self) -> bool {
        self.tries == TRIES_LOST
    }
}

/// What a part of a step came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Something happened that changes the equations.
    pub happened: bool,
    /// The error over what is allowed (1).
    pub error: f64,
}

impl Outcome {
    /// From the error of the velocity, the velocity (m/s) and the acceleration by the forces in play (m/s2).
    pub fn new(
        happened: bool,
        error_m_per_s: f64,
        v_m_per_s: f64,
        by_forces_m_per_s2: f64,
    ) -> Self {
        let allowed = ERROR_MAX * (v_m_per_s + SCALE_S * by_forces_m_per_s2);
        Self {
            happened,
            error: if error_m_per_s > 0.0 {
                error_m_per_s / allowed
            } else {
                0.0
            },
        }
    }
}

/// A step on its way.
#[derive(Clone, Copy, Debug)]
pub struct Halving {
    division: Division,
    /// What is left, in the smallest parts.
    left: u32,
    /// Largest level of the next part.
    top: usize,
    /// Largest level by the error alone.
    smooth: usize,
    /// A moment lies within the part that was halved last.
    seeking: bool,
    tries: u32,
}

impl Halving {
    /// Before the first part.
    pub fn new(division: Division) -> Self {
        Self {
            division,
            left: 1 << LEVELS,
            top: division.longest,
            smooth: division.longest,
            seeking: false,
            tries: 0,
        }
    }

    /// Level of the part to be tried next; `None` where the step has ended.
    pub fn level(&self) -> Option<usize> {
        if self.left == 0 {
            return None;
        }
        let fits = (u32::BITS - 1 - self.left.leading_zeros()) as usize;
        Some(if fits < self.top { fits } else { self.top })
    }

    /// Share of the step that a part of this level takes (1).
    pub fn share(level: usize) -> f64 {
        (1u32 << level) as f64 / (1u32 << LEVELS) as f64
    }

    /// Whether the part of this level is taken; otherwise its half is to be tried.
    pub fn takes(&mut self, level: usize, outcome: Outcome) -> bool {
        self.tries += 1;
        let rough = outcome.error > 1.0;
        if (outcome.happened || rough) && level > 0 && self.tries <= self.division.tries {
            self.seeking = outcome.happened;
            self.top = level - 1;
            if !outcome.happened {
                self.smooth = self.top;
            }
            return false;
        }
        self.left -= 1 << level;
        if outcome.happened || level == 0 {
            self.seeking = false;
        }
        if self.tries > self.division.tries {
            // The rest is taken without looking for more.
            self.smooth = self.division.longest;
            self.seeking = false;
        }
        self.top = if self.seeking {
            // The moment lies in the other half of what was halved, if it was real.
            level - 1
        } else {
            if level == self.smooth && outcome.error < GROW_BELOW && level < self.division.longest {
                self.smooth = level + 1;
            }
            self.smooth
        };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Outcome = Outcome {
        happened: false,
        error: 0.0,
    };

    #[test]
    fn a_step_in_which_nothing_happens_is_taken_whole() {
        let mut step = Halving::new(Division::new(10.0, 0.001));
        assert_eq!(step.level(), Some(LEVELS));
        assert!(step.takes(LEVELS, QUIET));
        assert_eq!(step.level(), None);
    }

    #[test]
    fn a_moment_is_found_to_the_smallest_part() {
        // Something happens at 0.3 of the step, and nothing else.
        let mut step = Halving::new(Division::new(0.0, 0.001));
        let (mut at, mut found, mut tries) = (0.0, None, 0);
        while let Some(level) = step.level() {
            let end = at + Halving::share(level);
            let happened = found.is_none() && end > 0.3;
            tries += 1;
            if step.takes(level, Outcome { happened, ..QUIET }) {
                at = end;
                if happened {
                    found = Some(at);
                }
            }
        }
        let found = found.expect("it happens");
        assert!((found - 0.3f64).abs() < 2.0 * Halving::share(0) && at == 1.0);
        assert!(tries < 60, "{tries}");
    }

    #[test]
    fn the_work_is_bounded_whatever_happens() {
        for rate_per_s in [0.0, 1e3, 5e4, 1e9, f64::NAN] {
            let mut step = Halving::new(Division::new(rate_per_s, 0.001));
            let mut tries = 0;
            while let Some(level) = step.level() {
                let outcome = Outcome {
                    happened: tries % 2 == 0,
                    error: 1e9,
                };
                step.takes(level, outcome);
                tries += 1;
            }
            assert!(tries < 1000, "{rate_per_s}: {tries}");
        }
    }

    #[test]
    fn parts_shrink_and_grow_with_the_error() {
        let mut step = Halving::new(Division::new(0.0, 0.001));
        let mut lengths = std::vec::Vec::new();
        let mut at = 0.0;
        while let Some(level) = step.level() {
            // Allowed is a part of 0.01 up to the middle, and one of 0.3 behind it.
            let most: f64 = if at < 0.5 { 0.01 } else { 0.3 };
            let error = libm::pow(Halving::share(level) / most, 3.0);
            if step.takes(
                level,
                Outcome {
                    happened: false,
                    error,
                },
            ) {
                at += Halving::share(level);
                lengths.push(Halving::share(level));
            }
        }
        assert!(at == 1.0 && lengths[0] <= 0.01 && lengths[lengths.len() / 2] <= 0.01);
        assert!(lengths.iter().any(|l| *l > 0.1), "{lengths:?}");
    }
}
