//! What is judged beside `current_load` once a movement has ended: the observer's disturbance against its baseline, regime by regime,
//! and the ripple of the residual at constant speed.
//!
//! The disturbance is what the observer needs beside the model to follow the axis: a second witness of what `current_load` says, with
//! a memory of milliseconds and no filter of its own. The ripple is none of both: their means leave it out. What rolls over a damaged
//! raceway ripples, while its mean current may even fall.

use super::renewal::Bases;
use super::{Occasion, model_error};
use crate::event::{Detector, Event, EventState, Severity};
use crate::outbox::Outbox;
use crate::plan::Thresholds;
use twinstep_models::blocks::{Block, FEATURES, Feature};
use twinstep_models::cause::Cause;
use twinstep_models::channel::{Channel, Regime};
use twinstep_models::detect::Cusum;
use twinstep_models::evidence::{RIPPLE_SIGMA, own_ripple};
use twinstep_models::rank::Ranking;

/// Directions of the motion: those of [`Feature::ConstantPositive`] and [`Feature::ConstantNegative`].
pub const DIRECTIONS: usize = 2;
/// Share of the threshold that one movement may add to the sum of its ripple: a blow, or a fault that begins within the movement, is no
/// ripple, and two movements must agree.
const ONE_MOVEMENT: f64 = 0.6;

/// State of both.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Slow {
    disturbance: [Cusum; FEATURES],
    /// The latest figures: of the disturbance, and of the ripple.
    last: [Block; FEATURES],
    /// What was told of the disturbance while it is raised.
    told: Option<Cause>,
    ripple: [Cusum; DIRECTIONS],
    rippling: bool,
}

/// What the disturbance may differ by because the motion is another one (A): the observer follows a jerk late, which is all of the healthy mean
/// over an acceleration, and a machine that is being stopped, or runs slower, has other jerks.
fn late(feature: Feature, mean_a: f64) -> f64 {
    if feature == Feature::Acceleration {
        mean_a
    } else {
        0.0
    }
}

impl Slow {
    /// A movement has ended: takes in its figures.
    pub(super) fn push(
        &mut self,
        bases: &Bases,
        t: &Thresholds,
        blocks: &[Option<Block>; FEATURES],
    ) {
        for feature in Feature::ALL {
            let f = feature as usize;
            let Some(block) = blocks[f] else { continue };
            self.last[f] = block;
            if let Some(base) = bases.disturbance[f] {
                let model_a = model_error(feature, &block, base.mean_a);
                let late_a = late(feature, base.mean_a);
                let square = base.sigma_a * base.sigma_a + model_a * model_a + late_a * late_a;
                let z = (block.disturbance_a - base.mean_a) / libm::sqrt(square);
                self.disturbance[f].push(z, t.slack, t.threshold);
            }
        }
        // What a shift of the mean leaves at its ends is no ripple.
        for (f, base) in bases.ripple.iter().enumerate() {
            let (Some(block), Some(base)) = (blocks[f], base) else {
                continue;
            };
            let healthy_a = bases.load[f].map_or(0.0, |b| b.mean_a);
            let more = own_ripple(block.ripple_a, base.mean_a, block.residual_a - healthy_a);
            let own = base.sigma_a / base.mean_a;
            let z = more / libm::sqrt(own * own + RIPPLE_SIGMA * RIPPLE_SIGMA);
            let most = t.slack + ONE_MOVEMENT * t.threshold;
            self.ripple[f].push(if z < most { z } else { most }, t.slack, t.threshold);
        }
    }

    /// What stands of both: channel, latest figure (A), cause.
    pub(super) fn standing(&self) -> impl Iterator<Item = (Channel, f64, Cause)> {
        let constant = self.last[Feature::ConstantPositive as usize];
        let disturbance =
            (self.told).map(|cause| (Channel::Disturbance, constant.disturbance_a, cause));
        let ripple =
            (self.rippling).then_some((Channel::Ripple, constant.ripple_a, Cause::Spalling));
        disturbance.into_iter().chain(ripple)
    }

    /// Whether a ranking of the causes is needed: the disturbance deviates, or has.
    pub(super) fn asks(&self, t: &Thresholds) -> bool {
        let beyond = (self.disturbance.iter()).any(|cusum| cusum.largest() > t.threshold);
        self.told.is_some() || beyond
    }

    /// Tells what is new of both. `told` is what the features of `current_load` say, where that was asked, and whether they deviate in this
    /// movement.
    pub(super) fn tell(
        &mut self,
        bases: &Bases,
        t: &Thresholds,
        at: &Occasion,
        told: Option<(Ranking, bool)>,
        out: &mut Outbox,
    ) {
        if let Some((ranking, speaks)) = told {
            self.tell_disturbance(bases, t, at, (&ranking, speaks), out);
        }
        self.tell_ripple(bases, t, at, out);
    }

    fn tell_disturbance(
        &mut self,
        bases: &Bases,
        t: &Thresholds,
        at: &Occasion,
        (ranking, speaks): (&Ranking, bool),
        out: &mut Outbox,
    ) {
        let mut worst = Feature::ConstantPositive;
        for feature in Feature::ALL {
            if self.disturbance[feature as usize].largest()
                > self.disturbance[worst as usize].largest()
            {
                worst = feature;
            }
        }
        let evidence = self.disturbance[worst as usize].largest();
        let cause = ranking.first();
        let (state, told) = match self.told {
            None if evidence > t.threshold => (EventState::Raised, cause),
            Some(old) if evidence < 0.5 * t.threshold => (EventState::Cleared, old),
            Some(old) if old != cause && evidence > t.threshold && speaks && ranking.is_sure() => {
                (EventState::Updated, cause)
            }
            _ => return,
        };
        self.told = (state != EventState::Cleared).then_some(told);
        let healthy_a = bases.disturbance[worst as usize].map_or(0.0, |b| b.mean_a);
        out.push(Event {
            causes: (state != EventState::Cleared).then_some(*ranking),
            ..at.event(
                Channel::Disturbance,
                state,
                Detector::Cusum,
                Severity::Warning,
                self.last[worst as usize].disturbance_a,
                healthy_a,
                worst.regime(),
                told,
            )
        });
    }

    fn tell_ripple(&mut self, bases: &Bases, t: &Thresholds, at: &Occasion, out: &mut Outbox) {
        let worst = usize::from(self.ripple[1].up > self.ripple[0].up);
        let evidence = self.ripple[worst].up;
        let state = match self.rippling {
            false if evidence > t.threshold => EventState::Raised,
            true if evidence < 0.5 * t.threshold => EventState::Cleared,
            _ => return,
        };
        self.rippling = state == EventState::Raised;
        // How often each is met behind a ripple that lasts, in the experience of the simulated machine.
        let causes = [
            (Cause::Spalling, 0.8),
            (Cause::LubricationLacking, 0.1),
            (Cause::Disturbance, 0.1),
        ];
        out.push(Event {
            causes: self.rippling.then(|| Ranking::of(&causes)),
            ..at.event(
                Channel::Ripple,
                state,
                Detector::Cusum,
                Severity::Warning,
                self.last[worst].ripple_a,
                bases.ripple[worst].map_or(0.0, |b| b.mean_a),
                Regime::ConstantSpeed,
                Cause::Spalling,
            )
        });
    }
}
