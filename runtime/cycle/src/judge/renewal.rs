//! A new baseline after a repair: what is healthy from now on is what the next movements show.
//!
//! Somebody who knows the machine asks for it. Deviations that were told of the slow figures are cleared, their evidence is
//! forgotten, and until [`MOVEMENTS`] movements have shown a figure it is not judged. Then its healthy mean is theirs. The
//! spread stays the calibrated one, wider by what the new mean is uncertain: `sigma sqrt(1 + 1/n)`. Limits on innovations,
//! free runs and states know no baseline and go on as before.
//!
//! Rows by context are learnt anew each from the movements of its own context: what a repair changes differs with the load. A context
//! that comes later begins then.

use super::{AxisJudge, CURRENT, DIRECTIONS, Occasion, RestFigure};
use crate::event::{Detector, Event, EventState, Severity};
use crate::outbox::Outbox;
use crate::plan::{AxisPlan, Baseline, ContextBases, MAX_CONTEXT_BASES, Rests, SlowPlan};
use twinstep_models::blocks::{Block, FEATURES, Feature};
use twinstep_models::cause::Cause;
use twinstep_models::channel::{Channel, Regime};
use twinstep_models::evidence::Gather;
use twinstep_models::rest::RESTS;

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
    /// Of what holds the axis at rest.
    pub standstill: [Rests; RESTS],
}

impl Bases {
    /// Those of a plan.
    pub fn of(baseline: &[Option<Baseline>; FEATURES], slow: &SlowPlan) -> Self {
        Self {
            load: *baseline,
            disturbance: slow.disturbance,
            ripple: slow.ripple,
            standstill: slow.standstill,
        }
    }
}

/// Place of the figures of rests: how far they are from those of the calibrated rows.
const OF_RESTS: usize = 2 * FEATURES + DIRECTIONS;
/// Figures that have baselines: of `current_load`, of the disturbance, of the ripple, of rests.
const FIGURES: usize = OF_RESTS + RESTS;

/// Means of the first figures, the ripple as natural logarithms.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
struct Figures {
    mean: [f64; FIGURES],
    /// Figures that are in each.
    seen: [u8; FIGURES],
}

const _: () = assert!(MOVEMENTS <= u8::MAX as u32);

impl Figures {
    fn learn(&mut self, figure: usize, x: f64) {
        let seen = &mut self.seen[figure];
        if u32::from(*seen) < MOVEMENTS {
            *seen += 1;
            self.mean[figure] += (x - self.mean[figure]) / f64::from(*seen);
        }
    }

    /// Takes in the figures of a movement.
    fn take(&mut self, blocks: &[Option<Block>; FEATURES]) {
        for (f, block) in blocks.iter().enumerate() {
            let Some(block) = block else { continue };
            self.learn(f, block.residual_a);
            self.learn(FEATURES + f, block.disturbance_a);
            if f < DIRECTIONS && block.ripple_a > 0.0 {
                self.learn(2 * FEATURES + f, libm::log(block.ripple_a));
            }
        }
    }

    /// The baseline that takes the place of `old`; none while it is learnt.
    fn instead(&self, figure: usize, old: Option<Baseline>) -> Option<Baseline> {
        let old = old.filter(|_| u32::from(self.seen[figure]) >= MOVEMENTS)?;
        Some(Baseline {
            mean_a: self.mean[figure],
            sigma_a: old.sigma_a * libm::sqrt(1.0 + 1.0 / f64::from(MOVEMENTS)),
        })
    }

    /// The same of a ripple, which is learnt as a logarithm and spreads in proportion to its mean.
    fn instead_of_ripple(&self, figure: usize, old: Option<Baseline>) -> Option<Baseline> {
        let new = self.instead(figure, old)?;
        let mean_a = libm::exp(new.mean_a);
        let sigma_a = old.map_or(0.0, |old| new.sigma_a * mean_a / old.mean_a);
        Some(Baseline { mean_a, sigma_a })
    }

    /// All of them instead of the calibrated ones.
    fn bases(&self, mut bases: Bases) -> Bases {
        for (f, base) in bases.load.iter_mut().enumerate() {
            *base = self.instead(f, *base);
        }
        for (f, base) in bases.disturbance.iter_mut().enumerate() {
            *base = self.instead(FEATURES + f, *base);
        }
        for (f, base) in bases.ripple.iter_mut().enumerate() {
            *base = self.instead_of_ripple(2 * FEATURES + f, *base);
        }
        // What holds an axis creeps as it did, from another beginning.
        for (f, stages) in bases.standstill.iter_mut().enumerate() {
            for base in stages {
                let old_a = base.map_or(0.0, |base| base.mean_a);
                *base = self.instead(OF_RESTS + f, *base).map(|new| Baseline {
                    mean_a: old_a + new.mean_a,
                    ..new
                });
            }
        }
        bases
    }

    /// Movements that the figure of `current_load` with the fewest of those that are judged has seen; none where no movement showed any.
    fn fewest(&self, baseline: &[Option<Baseline>; FEATURES]) -> Option<u32> {
        let judged = self.seen.iter().zip(baseline);
        judged
            .filter(|(seen, base)| base.is_some() && **seen > 0)
            .map(|(seen, _)| u32::from(*seen))
            .min()
    }
}

/// A new baseline of one axis; in most runs nobody asks for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Renewal {
    asked: bool,
    /// For the rows that hold in every context without its own; there once somebody has asked.
    figures: Option<Figures>,
    /// For those of the contexts that have their own, in their order; none before a movement in it.
    by_context: [Option<Figures>; MAX_CONTEXT_BASES],
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
            self.by_context = Default::default();
        }
        begins
    }

    /// Baselines in force: those of the rows of context `number` of the axis, or of its general ones.
    pub fn bases(&self, number: Option<usize>, calibrated: Bases) -> Bases {
        let Some(general) = self.figures else {
            return calibrated;
        };
        let figures = match number {
            None => general,
            Some(n) => self
                .by_context
                .get(n)
                .copied()
                .flatten()
                .unwrap_or_default(),
        };
        figures.bases(calibrated)
    }

    /// Takes in the figures of a movement that these rows hold for.
    pub fn learn(&mut self, number: Option<usize>, blocks: &[Option<Block>; FEATURES]) {
        if let Some(figures) = self.figures_of(number) {
            figures.take(blocks);
        }
    }

    /// Takes in the first figure of a rest that these rows hold for; `calibrated` are the rows.
    pub fn learn_rest(&mut self, number: Option<usize>, figure: &RestFigure, calibrated: &Bases) {
        let (f, stage) = (figure.after as usize, usize::from(figure.stage));
        let base = calibrated.standstill[f].get(stage).copied().flatten();
        if let (Some(figures), Some(base)) = (self.figures_of(number), base) {
            figures.learn(OF_RESTS + f, figure.hold_a - base.mean_a);
        }
    }

    /// What is learnt for these rows; none where nobody has asked.
    fn figures_of(&mut self, number: Option<usize>) -> Option<&mut Figures> {
        let general = self.figures.as_mut()?;
        match number {
            None => Some(general),
            Some(n) => Some(self.by_context.get_mut(n)?.get_or_insert_default()),
        }
    }

    /// Movements that the figure with the fewest of those that are judged has seen, of [`MOVEMENTS`]; none where the baseline is the
    /// calibrated one. Figures that no movement shows do not count, and contexts in which none has ended since.
    pub fn seen(&self, plan: &AxisPlan, own: &[ContextBases]) -> Option<u32> {
        if self.asked {
            return Some(0);
        }
        let general = self.figures.as_ref()?.fewest(&plan.baseline);
        let by_context = (self.by_context.iter().zip(own))
            .filter_map(|(figures, one)| figures.as_ref()?.fewest(&one.baseline));
        Some(general.into_iter().chain(by_context).min().unwrap_or(0))
    }
}

impl AxisJudge {
    /// What is healthy is to be learnt anew, from the movement on that ends next.
    pub const fn ask_for_renewal(&mut self) {
        self.renewal.ask();
    }

    /// Movements that a new baseline has seen, of [`MOVEMENTS`], the fewest of its figures; none where the baseline is the calibrated one.
    pub fn renewal_seen(&self, plan: &AxisPlan, own: &[ContextBases]) -> Option<u32> {
        self.renewal.seen(plan, own)
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
        self.contexts.renew();
        self.standstill.renew();
        self.known = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use twinstep_models::sample::Only;

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

    fn bases(plan: &AxisPlan) -> Bases {
        Bases::of(&plan.baseline, &plan.slow)
    }

    #[test]
    fn nobody_who_does_not_ask_gets_another_baseline() {
        let (plan, mut renewal) = (plan(), Renewal::default());
        for number in [None, Some(0)] {
            renewal.learn(number, &[Some(block(9.0)); FEATURES]);
            assert!(!renewal.begins());
            assert_eq!(renewal.bases(number, bases(&plan)), bases(&plan));
        }
        assert_eq!(renewal.seen(&plan, &[]), None);
    }

    #[test]
    fn eight_movements_make_one_and_no_more() {
        let (plan, mut renewal) = (plan(), Renewal::default());
        renewal.ask();
        assert_eq!(renewal.seen(&plan, &[]), Some(0));
        assert!(renewal.begins() && !renewal.begins());
        let mut blocks = [None; FEATURES];
        for n in 0..MOVEMENTS {
            assert_eq!(renewal.bases(None, bases(&plan)).load, [None; FEATURES]);
            assert_eq!(renewal.seen(&plan, &[]), Some(n));
            // Only one direction moves.
            blocks[0] = Some(block(0.2 + 0.01 * f64::from(n)));
            renewal.learn(None, &blocks);
        }
        blocks[0] = Some(block(5.0));
        renewal.learn(None, &blocks);
        let found = renewal.bases(None, bases(&plan));
        let mean_a = 0.2 + 0.01 * f64::from(MOVEMENTS - 1) / 2.0;
        let load = found.load[0].unwrap();
        assert!((load.mean_a - mean_a).abs() < 1e-12);
        assert!((load.sigma_a - 0.02 * 1.125_f64.sqrt()).abs() < 1e-12);
        assert!((found.disturbance[0].unwrap().mean_a - 2.0 * mean_a).abs() < 1e-12);
        let ripple = found.ripple[0].unwrap();
        assert!((ripple.mean_a / mean_a - 0.5).abs() < 0.01, "{ripple:?}");
        assert!((ripple.sigma_a / ripple.mean_a - 0.2 * 1.125_f64.sqrt()).abs() < 1e-12);
        assert_eq!((found.load[1], found.ripple[1]), (None, None));
        assert_eq!(renewal.seen(&plan, &[]), Some(MOVEMENTS));
    }

    #[test]
    fn each_context_is_learnt_anew_from_its_own_movements() {
        let (plan, mut renewal) = (plan(), Renewal::default());
        let own = [2, 5].map(|recipe| ContextBases {
            axis: 0,
            only: Only {
                recipe: Some(recipe),
                ..Only::ALWAYS
            },
            baseline: plan.baseline,
            slow: plan.slow,
        });
        renewal.ask();
        assert!(renewal.begins());
        let learn = |renewal: &mut Renewal, number, residual_a| {
            for _ in 0..MOVEMENTS {
                renewal.learn(number, &[Some(block(residual_a)); FEATURES]);
            }
        };
        let mean = |renewal: &Renewal, number| {
            let found = renewal.bases(number, bases(&plan)).load[0];
            found.map(|base| base.mean_a)
        };
        learn(&mut renewal, Some(1), 0.5);
        assert_eq!(renewal.seen(&plan, &own), Some(MOVEMENTS));
        let means = [None, Some(0), Some(1)].map(|number| mean(&renewal, number));
        assert_eq!(means, [None, None, Some(0.5)]);
        renewal.learn(Some(0), &[Some(block(0.25)); FEATURES]);
        assert_eq!(renewal.seen(&plan, &own), Some(1));
        learn(&mut renewal, Some(0), 0.25);
        learn(&mut renewal, None, 0.125);
        let means = [None, Some(0), Some(1)].map(|number| mean(&renewal, number));
        assert_eq!(means, [Some(0.125), Some(0.25), Some(0.5)]);
        assert_eq!(renewal.seen(&plan, &own), Some(MOVEMENTS));
        // Asked for again, all of them are.
        renewal.ask();
        assert!(renewal.begins());
        let means = [None, Some(0), Some(1)].map(|number| mean(&renewal, number));
        assert_eq!(means, [None; 3]);
    }
}
