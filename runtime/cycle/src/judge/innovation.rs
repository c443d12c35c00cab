//! What is surprising now: the innovations of one cycle, and the deviations that they raise.
//!
//! A surprise is ranked at once by [`abrupt`], unless features that deviate have already said what it is; what they say later updates it.

use super::{AxisJudge, CALM_CYCLES, CURRENT, Occasion};
use crate::event::{Detector, Event, EventState, Severity};
use crate::outbox::Outbox;
use crate::plan::{AxisPlan, NEXT, Thresholds};
use twinstep_models::abrupt::{self, JUMP};
use twinstep_models::blocks::Feature;
use twinstep_models::cause::Cause;
use twinstep_models::channel::{Channel, Regime};
use twinstep_models::held::{self, Held, Pushed};
use twinstep_models::innovation::{Statistics, WHITENED, WHITENED_CHANNELS, Watch};
use twinstep_models::rank::Ranking;

/// Channels of the three innovations.
const NEXT_CHANNELS: [Channel; NEXT] = [
    Channel::PositionNext,
    Channel::VelocityNext,
    Channel::CurrentNext,
];
/// A deviation that comes back within this many times the calm it was cleared after has never been gone: the calm that it needs is doubled.
const BACK_WITHIN: u64 = 16;
/// Longest calm that is needed (cycles).
const CALM_MOST: u32 = CALM_CYCLES << 8;

/// What the detectors of one axis have in one cycle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Innovation {
    /// Measured position (m), velocity (m/s) and current (A).
    pub measured: [f64; NEXT],
    /// Predicted, likewise.
    pub predicted: [f64; NEXT],
    /// Window and CUSUM of the whitened channels.
    pub whitened: [Statistics; WHITENED],
}

impl Innovation {
    /// What place `l` of a lane has.
    pub fn of(watch: &Watch, l: usize, measured: [f64; NEXT], predicted: [f64; NEXT]) -> Self {
        Self {
            measured,
            predicted,
            whitened: core::array::from_fn(|w| Statistics::of(watch, w, l)),
        }
    }

    /// How far the furthest detector of channel `c` is towards its threshold (1: there), and which it is. Of a cold axis the limit of one
    /// cycle alone: what others sum up at a start is the friction that the observer has not taken in yet.
    fn excess(&self, plan: &AxisPlan, c: usize, cold: bool) -> (f64, Detector) {
        let residual = (self.measured[c] - self.predicted[c]).abs();
        let mut furthest = (
            plan.limits[c].map_or(0.0, |limit| residual / limit),
            Detector::FastLimit,
        );
        for (w, s) in self.whitened.into_iter().enumerate().filter(|_| !cold) {
            let Some(p) = plan.whitened[w].filter(|_| WHITENED_CHANNELS[w] == c) else {
                continue;
            };
            for (excess, detector) in [
                (s.window / p.window, Detector::Window),
                (s.cusum / p.cusum, Detector::Cusum),
            ] {
                if excess > furthest.0 {
                    furthest = (excess, detector);
                }
            }
        }
        furthest
    }
}

/// What was told of a deviation when it was raised.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Told {
    measured: f64,
    predicted: f64,
    regime: Regime,
    detector: Detector,
    pub(super) cause: Cause,
}

/// The deviation of one channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Next {
    /// It is raised.
    pub(super) raised: Option<Told>,
    calm: u32,
    calm_needed: u32,
    cleared_cycle: u64,
}

impl Next {
    /// It begins: what surprises once a movement is one deviation, not one a movement.
    fn raise(&mut self, told: Told, cycle: u64) {
        self.raised = Some(told);
        self.calm = 0;
        let old = self.calm_needed;
        let since = cycle.saturating_sub(self.cleared_cycle);
        let back = old > 0 && since <= BACK_WITHIN * u64::from(old);
        self.calm_needed = if back {
            CALM_MOST.min(2 * old)
        } else {
            CALM_CYCLES
        };
    }
}

impl AxisJudge {
    /// Judges the innovations of one cycle: called where a detector is beyond its threshold, and until a deviation is cleared.
    pub fn innovation(
        &mut self,
        plan: &AxisPlan,
        t: &Thresholds,
        at: &Occasion,
        regime: Regime,
        evidence: &Innovation,
        out: &mut Outbox,
    ) {
        let away_m = evidence.measured[0] - evidence.predicted[0];
        self.jumped |= away_m.abs() > JUMP * plan.cycle_way_m;
        self.slip(plan, at, regime, away_m, out);
        let cold = self.warms(t.warm_up.as_ref(), at.stamp.cycle);
        for (c, channel) in NEXT_CHANNELS.into_iter().enumerate() {
            // What was raised stays until all of its detectors are calm.
            let cold = cold && self.next[c].raised.is_none();
            let (excess, detector) = evidence.excess(plan, c, cold);
            let (measured, predicted) = (evidence.measured[c], evidence.predicted[c]);
            let event = |state, cause, causes: Option<Ranking>| Event {
                causes,
                ..at.event(
                    channel,
                    state,
                    detector,
                    Severity::Warning,
                    measured,
                    predicted,
                    regime,
                    cause,
                )
            };
            // Backlash is a deviation of the same channel: it begins once and ends once.
            let silent = c == CURRENT && self.backlash_raised;
            let next = &mut self.next[c];
            match next.raised {
                None if excess > 1.0 => {
                    let ranking = match self.known {
                        Some(known) if !self.jumped => known,
                        _ => abrupt::rank(regime, self.jumped, plan.carries_weight),
                    };
                    let told = Told {
                        measured,
                        predicted,
                        regime,
                        detector,
                        cause: ranking.first(),
                    };
                    next.raise(told, at.stamp.cycle);
                    if !silent {
                        out.push(event(EventState::Raised, told.cause, Some(ranking)));
                    }
                }
                None => {}
                Some(told) => {
                    next.calm = if excess < 0.5 { next.calm + 1 } else { 0 };
                    if next.calm >= next.calm_needed {
                        next.cleared_cycle = at.stamp.cycle;
                        next.raised = None;
                        if !silent {
                            out.push(event(EventState::Cleared, told.cause, None));
                        }
                    }
                }
            }
        }
        self.push(plan, at, evidence, out);
    }

    /// What surprises an axis that stands although its drive pushes is told once it is clear that a free one would have gone.
    fn push(&mut self, plan: &AxisPlan, at: &Occasion, evidence: &Innovation, out: &mut Outbox) {
        let friction_a = [Feature::ConstantPositive, Feature::ConstantNegative]
            .map(|feature| self.last[feature as usize].friction_a.abs());
        let friction_a = friction_a[0].max(friction_a[1]);
        let raised = self.next.iter().any(|next| next.raised.is_some());
        let inertia = plan.inertia.filter(|inertia| *inertia > 0.0);
        // A press is held by its part, and of an axis that has not moved yet nobody knows what friction it has.
        let (true, Some(inertia), false) = (raised && friction_a > 0.0, inertia, plan.presses())
        else {
            self.held = None;
            return;
        };
        let pushed = Pushed {
            gravity_a: plan.gravity_a,
            friction_a,
            inertia,
            movement_m: plan.movement_m,
        };
        let [position_m, _, current_a] = evidence.measured;
        let time_ns = at.stamp.time_ns;
        match &mut self.held {
            None => self.held = Some(Held::at(time_ns, position_m)),
            Some(held) => {
                if held.look(time_ns, position_m, current_a, &pushed) {
                    self.tell(&held::ranked(), at, out);
                }
            }
        }
    }

    /// The cycle after a surprise tells a slip of the encoder, which stays as far as it was, from a blow, which goes on.
    fn slip(
        &mut self,
        plan: &AxisPlan,
        at: &Occasion,
        regime: Regime,
        away_m: f64,
        out: &mut Outbox,
    ) {
        let (cycle, hop) = (at.stamp.cycle, self.hop.take());
        if let Some((_, first_m)) = hop.filter(|(before, _)| before + 1 == cycle) {
            if abrupt::slipped(first_m, away_m + plan.carried * first_m) {
                self.jumped = true;
                let ranking = abrupt::rank(regime, true, plan.carries_weight);
                self.tell(&ranking, at, out);
            }
        } else if plan.limits[0].is_some_and(|limit_m| away_m.abs() > limit_m)
            && away_m.abs() > plan.hop_m
        {
            self.hop = Some((cycle, away_m));
        }
    }

    /// Tells of the surprises that are raised what one look at them could not say.
    fn tell(&mut self, ranking: &Ranking, at: &Occasion, out: &mut Outbox) {
        let cause = ranking.first();
        for (c, channel) in NEXT_CHANNELS.into_iter().enumerate() {
            let Some(told) = &mut self.next[c].raised else {
                continue;
            };
            // What was told from a movement's features, or of a gap, has its reasons.
            if told.cause == cause || self.known.is_some() || (c == CURRENT && self.backlash_raised)
            {
                continue;
            }
            told.cause = cause;
            out.push(Event {
                causes: Some(*ranking),
                ..at.event(
                    channel,
                    EventState::Updated,
                    told.detector,
                    Severity::Warning,
                    told.measured,
                    told.predicted,
                    told.regime,
                    cause,
                )
            });
        }
    }

    /// A movement has ended and its features say what is the matter: tells it of the surprises that are still raised.
    pub(super) fn explain(&mut self, at: &Occasion, out: &mut Outbox) {
        let Some(known) = self.known.filter(Ranking::is_sure) else {
            return;
        };
        self.drift.explain(&known, at, out);
        let cause = known.first();
        for (c, channel) in NEXT_CHANNELS.into_iter().enumerate() {
            let Some(told) = &mut self.next[c].raised else {
                continue;
            };
            if told.cause == cause || (c == CURRENT && self.backlash_raised) {
                continue;
            }
            told.cause = cause;
            out.push(Event {
                causes: Some(known),
                ..at.event(
                    channel,
                    EventState::Updated,
                    told.detector,
                    Severity::Warning,
                    told.measured,
                    told.predicted,
                    told.regime,
                    cause,
                )
            });
        }
    }
}
