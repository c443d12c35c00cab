//! A new baseline after a repair: what is healthy from now on is what the next movements show.
//!
//! Somebody who knows the machine asks for it. Deviations that were told of the slow figures are cleared, their evidence is
//! forgotten, and until [`MOVEMENTS`] movements have shown a figure it is not judged. Then its healthy mean is theirs. The
//! spread stays the calibrated one, wider by what the new mean is uncertain: `sigma sqrt(1 + 1/n)`. Limits on innovations,
//! free runs and states know no baseline and go on as before.

use super::{AxisJudge, CURRENT, DIRECTIONS, Occasion};
use crate::event::{Detector, Event, EventState, Severity};
use crate::outbox::Outbox;
use crate::plan::{AxisPlan, Baseline};
use twinstep_models::blocks::{Block, FEATURES, Feature};
use twinstep_models::cause::Cause;
use twinstep_models::channel::{Channel, Regime};
use twinstep_models::evidence::Gather;

/// Movements that make a baseline.
pub const MOVEMENTS: u32 = 8;

/// Baselines of all figures that are judged once a movement has ended.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Bases {
    /// Of the features of `current_load`.
    pub load: [Option<Baseline>; FEATURES],
    /// Of the disturbance over the same regimes.
    pub disturbance: [Option<Baseline>; FEATURES],
    /// Of the ripple; the mean is the geometric one.
    pub ripple: [Option<Baseline>; DIRECTIONS],
}

impl Bases {
    /// Those of the plan.
    pub fn of(plan: &AxisPlan) -> Self {
        Self {
            load: plan.baseline,
            disturbance: plan.slow.disturbance,
            ripple: plan.slow.ripple,
        }
    }
}

/// Mean of the first figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
struct Mean {
    n: u32,
    mean: f64,
}

impl Mean {
    fn learn(&mut self, x: f64) {
        if self.n < MOVEMENTS {
            self.n += 1;
            self.mean += (x - self.mean) / f64::from(self.n);
        }
    }

    /// The baseline that takes the place of `old`; none while it is learnt.
    fn instead(&self, old: Option<Baseline>) -> Option<Baseline> {
        let old = old.filter(|_| self.n >= MOVEMENTS)?;
        Some(Baseline {
            mean_a: self.mean,
            sigma_a: old.sigma_a * libm::sqrt(1.0 + 1.0 / f64::from(MOVEMENTS)),
        })
    }

    /// The same of a ripple, which is learnt as a logarithm and spreads in proportion to its mean.
    fn instead_of_ripple(&self, old: Option<Baseline>) -> Option<Baseline> {
        let new = self.instead(old)?;
        let mean_a = libm::exp(new.mean_a);
        let sigma_a = old.map_or(0.0, |old| new.sigma_a * mean_a / old.mean_a);
        Some(Baseline { mean_a, sigma_a })
    }
}

/// What is learnt.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
struct Figures {
    load: [Mean; FEATURES],
    disturbance: [Mean; FEATURES],
    /// Natural logarithms.
    ripple: [Mean; DIRECTIONS],
}

/// A new baseline of one axis; in most runs nobody asks for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Renewal {
    asked: bool,
    figures: Option<Figures>,
}

impl Renewal {
    /// Somebody asks; it begins with the movement that ends next.
    pub const fn ask(&mut self) {
        self.asked = true;
    }

    /// Whether it is to begin now.
    pub fn begins(&mut self) -> bool {
        let begins = core::mem::take(&mut self.asked);
        if begins {
            self.figures = Some(Figures::default());
        }
        begins
    }

    /// Baselines in force.
    pub fn bases(&self, plan: &AxisPlan) -> Bases {
        let mut bases = Bases::of(plan);
        let Some(figures) = &self.figures else {
            return bases;
        };
        for (base, new) in bases.load.iter_mut().zip(&figures.load) {
            *base = new.instead(*base);
        }
        for (base, new) in bases.disturbance.iter_mut().zip(&figures.disturbance) {
            *base = new.instead(*base);
        }
        for (base, new) in bases.ripple.iter_mut().zip(&figures.ripple) {
            *base = new.instead_of_ripple(*base);
        }
        bases
    }

    /// Takes in the figures of a movement.
    pub fn learn(&mut self, blocks: &[Option<Block>; FEATURES]) {
        let Some(figures) = &mut self.figures else {
            return;
        };
        for (f, block) in blocks.iter().enumerate() {
            let Some(block) = block else { continue };
            figures.load[f].learn(block.residual_a);
            figures.disturbance[f].learn(block.disturbance_a);
            if let Some(ripple) = figures.ripple.get_mut(f).filter(|_| block.ripple_a > 0.0) {
                ripple.learn(libm::log(block.ripple_a));
            }
        }
    }

    /// Movements that the figure with the fewest of those that are judged has seen, of [`MOVEMENTS`]; none where the baseline is the
    /// calibrated one. Figures that no movement shows do not count.
    pub fn seen(&self, plan: &AxisPlan) -> Option<u32> {
        if self.asked {
            return Some(0);
        }
        let figures = self.figures.as_ref()?;
        let judged = figures.load.iter().zip(&plan.baseline);
        let seen = judged.filter(|(mean, base)| base.is_some() && mean.n > 0);
        Some(seen.map(|(mean, _)| mean.n).min().unwrap_or(0))
    }
}

impl AxisJudge {
    /// What is healthy is to be learnt anew, from the movement on that ends next.
    pub const fn ask_for_renewal(&mut self) {
        self.renewal.ask();
    }

    /// Movements that a new baseline has seen, of [`MOVEMENTS`], the fewest of its figures; none where the baseline is the calibrated one.
    pub fn renewal_seen(&self, plan: &AxisPlan) -> Option<u32> {
        self.renewal.seen(plan)
    }

    /// Clears what was told of the slow figures, and forgets the evidence behind it.
    pub(super) fn renew(&mut self, at: &Occasion, out: &mut Outbox) {
        let cleared = |channel, (measured, healthy), regime, cause| -> Event {
            at.event(
                channel,
                EventState::Cleared,
                Detector::Cusum,
                Severity::Warning,
                measured,
                healthy,
                regime,
                cause,
            )
        };
        if let Some(cause) = self.load_cause.take() {
            let block = self.last[Feature::ConstantPositive as usize];
            let figures = (block.measured_a, block.measured_a - block.residual_a);
            out.push(cleared(
                Channel::CurrentLoad,
                figures,
                Regime::ConstantSpeed,
                cause,
            ));
        }
        // Where a surprise has raised the channel too, that goes on, and is cleared with the surprise.
        if core::mem::take(&mut self.backlash_raised) && self.next[CURRENT].raised.is_none() {
            let block = self.last[Feature::Reversal as usize];
            let figures = (block.measured_a, block.measured_a - block.residual_a);
            out.push(cleared(
                Channel::CurrentNext,
                figures,
                Regime::Reversal,
                Cause::Backlash,
            ));
        }
        let slow = core::mem::take(&mut self.slow);
        for (channel, figure_a, cause) in slow.standing() {
            out.push(cleared(
                channel,
                (figure_a, figure_a),
                Regime::ConstantSpeed,
                cause,
            ));
        }
        (self.cusum, self.shifts, self.beside) =
            (Default::default(), Default::default(), Gather::default());
        self.known = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(residual_a: f64) -> Block {
        Block {
            residual_a,
            disturbance_a: 2.0 * residual_a,
            ripple_a: 0.5 * residual_a,
            ..Block::default()
        }
    }

    fn plan() -> AxisPlan {
        let base = Some(Baseline {
            mean_a: 0.1,
            sigma_a: 0.02,
        });
        let mut plan = crate::judge::tests::plan();
        plan.baseline = [base; FEATURES];
        plan.slow.disturbance = [base; FEATURES];
        plan.slow.ripple = [base; DIRECTIONS];
        plan
    }

    #[test]
    fn nobody_who_does_not_ask_gets_another_baseline() {
        let mut renewal = Renewal::default();
        renewal.learn(&[Some(block(9.0)); FEATURES]);
        assert!(!renewal.begins());
        assert_eq!(renewal.bases(&plan()), Bases::of(&plan()));
        assert_eq!(renewal.seen(&plan()), None);
    }

    #[test]
    fn eight_movements_make_one_and_no_more() {
        let (plan, mut renewal) = (plan(), Renewal::default());
        renewal.ask();
        assert_eq!(renewal.seen(&plan), Some(0));
        assert!(renewal.begins() && !renewal.begins());
        let mut blocks = [None; FEATURES];
        for n in 0..MOVEMENTS {
            assert_eq!(renewal.bases(&plan).load, [None; FEATURES]);
            assert_eq!(renewal.seen(&plan), Some(n));
            // Only one direction moves.
            blocks[0] = Some(block(0.2 + 0.01 * f64::from(n)));
            renewal.learn(&blocks);
        }
        blocks[0] = Some(block(5.0));
        renewal.learn(&blocks);
        let bases = renewal.bases(&plan);
        let mean_a = 0.2 + 0.01 * f64::from(MOVEMENTS - 1) / 2.0;
        let load = bases.load[0].unwrap();
        assert!((load.mean_a - mean_a).abs() < 1e-12);
        assert!((load.sigma_a - 0.02 * 1.125_f64.sqrt()).abs() < 1e-12);
        assert!((bases.disturbance[0].unwrap().mean_a - 2.0 * mean_a).abs() < 1e-12);
        let ripple = bases.ripple[0].unwrap();
        assert!((ripple.mean_a / mean_a - 0.5).abs() < 0.01, "{ripple:?}");
        assert!((ripple.sigma_a / ripple.mean_a - 0.2 * 1.125_f64.sqrt()).abs() < 1e-12);
        assert_eq!((bases.load[1], bases.ripple[1]), (None, None));
        assert_eq!(renewal.seen(&plan), Some(MOVEMENTS));
    }
}
