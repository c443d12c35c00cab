//! Judges the signatures of one axis' movements: a CUSUM for every family of faults, along its own direction.
//!
//! A deviation is raised once with the family that explains best what has gathered since its CUSUM left 0, updated when two movements
//! running find another one likelier than all others, and cleared when the evidence is gone (hysteresis). All families are ranked. A movement under a load, or at a speed, that was never learnt is not judged, and counted.

use crate::event::{Detector, Event, EventState, Severity};
use crate::judge::{Occasion, WarmUp, Warmth};
use crate::outbox::Outbox;
use twinstep_models::blocks::Paces;
use twinstep_models::channel::{Channel, Regime};
use twinstep_models::sample::{AxisReading, DriveState, Missing, Told};
use twinstep_models::signature::{
    FAMILIES, FIGURES, Family, Figure, Movement, Settings, Signature, likeliest, nearest, rank,
};

/// Loads that one axis may be learnt with.
pub const MAX_LOADS: usize = 8;

/// What healthy movements of one axis look like, and when one is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HealthyPlan {
    /// Healthy signatures, one a load; the first `count` are used.
    pub loads: [Signature; MAX_LOADS],
    /// Number of loads.
    pub count: usize,
    /// A load further away than this from every learnt one is strange (A).
    pub within_a: f64,
    /// Spread of the deviation of every figure (A for friction, else 1; > 0).
    pub figure_sigmas: [f64; FIGURES],
    /// Spread of the score of every family (1, > 0).
    pub family_sigmas: [f64; FAMILIES],
    /// Slack of the CUSUMs (standard deviations).
    pub slack: f64,
    /// Threshold of the CUSUMs (standard deviations).
    pub threshold: f64,
    /// Speeds of the healthy movements (m/s); none: any is judged.
    pub paces: Option<Paces>,
}

/// How the signatures of one axis are taken and judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SignaturePlan {
    /// Number of the axis.
    pub axis: u16,
    /// How they are taken.
    pub settings: Settings,
    /// None: taken for calibration, not judged.
    pub healthy: Option<HealthyPlan>,
}

/// State of the judging of one axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SignatureJudge {
    /// The signature that was complete in the last cycle, for calibration.
    pub ended: Option<Signature>,
    movement: Movement,
    /// Scores of the latest movement, none where it was not judged.
    scores: Option<[f64; FAMILIES]>,
    evidence: [f64; FAMILIES],
    /// Sum of the standardised deviations since the evidence of the family was 0.
    gathered: [[f64; FIGURES]; FAMILIES],
    /// Movements that these sums are of.
    gathering: [u32; FAMILIES],
    raised: Option<Family>,
    /// What the latest movement has made likelier than what was told.
    likelier: Option<Family>,
    /// Movements that were not judged.
    not_learnt: u64,
    /// Movements that were not judged because the axis warmed up.
    cold: u64,
    warmth: Warmth,
}

impl SignatureJudge {
    /// Takes in one cycle of the axis.
    pub fn push(
        &mut self,
        plan: &SignaturePlan,
        warm_up: Option<&WarmUp>,
        at: &Occasion,
        sample: &Result<AxisReading, Missing>,
        out: &mut Outbox,
    ) {
        self.ended = match sample {
            Ok(r)
                if r.state == DriveState::OperationEnabled && r.told.same_mode(Told::Position) =>
            {
                let movement = &mut self.movement;
                movement.push(&plan.settings, r.target_m, r.position_m, r.current_a)
            }
            // Half a movement is none.
            other => {
                if matches!(other, Err(Missing::NewSegment)) {
                    self.warmth = Warmth::default();
                }
                self.movement.gap(&plan.settings)
            }
        };
        if let (Some(signature), Some(healthy)) = (self.ended, &plan.healthy) {
            if self.warms(warm_up, at.stamp.cycle) {
                self.scores = None;
                self.cold = self.cold.saturating_add(1);
            } else {
                self.judge(healthy, at, &signature, out);
            }
        }
    }

    /// How far the latest movement goes in the direction of every family (standard deviations); none where it was not judged.
    pub fn scores(&self) -> Option<[f64; FAMILIES]> {
        self.scores
    }

    /// Movements that were not judged, because none like them was learnt.
    pub const fn not_learnt(&self) -> u64 {
        self.not_learnt
    }

    /// Movements that were not judged, because the axis warmed up.
    pub const fn cold(&self) -> u64 {
        self.cold
    }

    /// Whether the axis is cold, or warming up.
    pub fn is_cold(&self, plan: Option<&WarmUp>, cycle: u64) -> bool {
        plan.is_some_and(|plan| self.warmth.warming(plan, cycle))
    }

    /// A movement has ended: whether the axis is still warming up.
    fn warms(&mut self, plan: Option<&WarmUp>, cycle: u64) -> bool {
        plan.is_some_and(|plan| {
            let cold = self.warmth.warming(plan, cycle);
            self.warmth.moves(plan, cycle);
            cold
        })
    }

    /// Evidence of the strongest family (standard deviations).
    pub fn evidence(&self) -> f64 {
        let larger = |a: f64, b: &f64| if *b > a { *b } else { a };
        self.evidence.iter().fold(0.0, larger)
    }

    fn judge(&mut self, plan: &HealthyPlan, at: &Occasion, now: &Signature, out: &mut Outbox) {
        let loads = plan.loads.get(..plan.count).unwrap_or(&plan.loads);
        self.scores = None;
        let known = plan.paces.is_none_or(|paces| paces.hold(now.pace()));
        let nearest = nearest(loads, now.load_a, plan.within_a).filter(|_| known);
        let Some(healthy) = nearest else {
            self.not_learnt = self.not_learnt.saturating_add(1);
            return;
        };
        let mut z = now.deviation(healthy);
        for (z, sigma) in z.iter_mut().zip(plan.figure_sigmas) {
            *z /= sigma;
        }
        let (mut strongest, mut scores) = (0, [0.0; FAMILIES]);
        for family in Family::ALL {
            let f = family as usize;
            let score = family.score(&z) / plan.family_sigmas[f];
            scores[f] = score;
            let evidence = self.evidence[f] + score - plan.slack;
            // Bounded above, so that a fault that has gone is cleared soon.
            self.evidence[f] = evidence.clamp(0.0, 2.0 * plan.threshold);
            if self.evidence[f] > 0.0 {
                for (sum, z) in self.gathered[f].iter_mut().zip(z) {
                    *sum += z;
                }
                self.gathering[f] = self.gathering[f].saturating_add(1);
            } else {
                self.gathered[f] = [0.0; FIGURES];
                self.gathering[f] = 0;
            }
            if self.evidence[f] > self.evidence[strongest] {
                strongest = f;
            }
        }
        self.scores = Some(scores);
        let evidence = self.evidence[strongest];
        let family = likeliest(&self.gathered[strongest]);
        let ranking = rank(&self.gathered[strongest], self.gathering[strongest]);
        let before = self.likelier.take();
        let (state, family) = match self.raised {
            None if evidence > plan.threshold => (EventState::Raised, family),
            Some(told) if evidence < 0.5 * plan.threshold => (EventState::Cleared, told),
            Some(told) if told != family && evidence > plan.threshold && ranking.is_sure() => {
                // One movement changes no mind.
                if before != Some(family) {
                    self.likelier = Some(family);
                    return;
                }
                (EventState::Updated, family)
            }
            _ => return,
        };
        let over = state == EventState::Cleared;
        self.raised = (!over).then_some(family);
        out.push(Event {
            causes: (!over).then_some(ranking),
            ..at.event(
                Channel::Signature,
                state,
                Detector::Cusum,
                Severity::Warning,
                now.figures[Figure::Friction as usize],
                healthy.figures[Figure::Friction as usize],
                Regime::ConstantSpeed,
                family.cause(),
            )
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Source;
    use twinstep_models::cause::Cause;
    use twinstep_models::sample::{Context, CycleStamp};

    const HEALTHY: Signature = Signature {
        load_a: 0.1,
        figures: [0.9, 2e-4, 2e-4, 0.02, 0.05],
        speeds_m_per_s: [0.02, 0.025],
    };

    fn plan() -> SignaturePlan {
        SignaturePlan {
            axis: 0,
            settings: Settings::new(0.005, 0.4, 40_000_000),
            healthy: Some(HealthyPlan {
                loads: [HEALTHY; MAX_LOADS],
                count: 1,
                within_a: 0.1,
                figure_sigmas: [0.01, 0.2, 0.2, 0.2, 0.2],
                family_sigmas: [1.0; FAMILIES],
                slack: 1.5,
                threshold: 6.0,
                paces: Some(Paces {
                    least: 0.02,
                    most: 0.03,
                }),
            }),
        }
    }

    fn occasion() -> Occasion {
        Occasion {
            stamp: CycleStamp::default(),
            source: Source::Axis(0),
            context: Context::default(),
        }
    }

    /// Judges `count` signatures that deviate by `z`; the events of each.
    fn judged(judge: &mut SignatureJudge, z: [f64; FIGURES], count: usize) -> Vec<Event> {
        let healthy = plan().healthy.unwrap();
        let mut now = HEALTHY;
        for figure in Figure::ALL {
            let f = figure as usize;
            let deviation = z[f] * healthy.figure_sigmas[f];
            match figure {
                Figure::Friction => now.figures[f] += deviation,
                _ => now.figures[f] *= libm::exp(deviation),
            }
        }
        let mut events = Vec::new();
        for _ in 0..count {
            let mut out = Outbox::default();
            judge.judge(&healthy, &occasion(), &now, &mut out);
            events.extend(std::iter::from_fn(|| out.pop()));
        }
        events
    }

    #[test]
    fn a_healthy_movement_raises_nothing() {
        for z in [
            [0.0; FIGURES],
            [1.0, 0.5, -0.5, -0.5, 0.0],
            [-0.7, 0.0, 0.0, 0.7, 0.0],
        ] {
            assert!(judged(&mut SignatureJudge::default(), z, 1000).is_empty());
        }
    }

    #[test]
    fn every_family_is_raised_by_its_name_and_cleared_once() {
        for (z, cause) in [
            ([9.0, 3.0, -2.0, -2.0, 0.5], Cause::LubricationLacking),
            ([-7.0, 1.5, 1.0, 0.5, 1.5], Cause::PreloadLost),
            // The current falls, and the ripple tells it from a lost preload.
            ([-2.2, 0.3, -0.6, 2.7, 0.8], Cause::Spalling),
        ] {
            let mut judge = SignatureJudge::default();
            let raised = judged(&mut judge, z, 20);
            assert_eq!(raised.len(), 1, "{raised:?}");
            assert_eq!(
                (raised[0].state, raised[0].cause),
                (EventState::Raised, cause)
            );
            assert_eq!(raised[0].measured < raised[0].predicted, z[0] < 0.0);
            let cleared = judged(&mut judge, [0.0; FIGURES], 20);
            assert_eq!(cleared.len(), 1, "{cleared:?}");
            assert_eq!(
                (cleared[0].state, cleared[0].cause),
                (EventState::Cleared, cause)
            );
        }
    }

    #[test]
    fn one_strange_movement_is_not_enough() {
        assert!(judged(&mut SignatureJudge::default(), [7.0, 0.0, 0.0, 0.0, 0.0], 1).is_empty());
    }

    #[test]
    fn every_family_is_ranked_and_another_one_updates_what_was_told() {
        let lubrication = [9.0, 3.0, -2.0, -2.0, 0.5];
        let spalling = [-2.2, 0.3, -0.6, 2.7, 0.8];
        let mut judge = SignatureJudge::default();
        let raised = judged(&mut judge, lubrication, 20);
        let [first, second, third] = raised[0].causes.unwrap().0;
        assert_eq!(first.0, Cause::LubricationLacking);
        assert!(first.1 > 0.5 && second.1 > 0.0 && third.1 > 0.0);
        assert!((first.1 + second.1 + third.1 - 1.0).abs() < 1e-12);
        // The screw was greased, and what has broken meanwhile is seen.
        let then = judged(&mut judge, spalling, 30);
        assert_eq!(then.len(), 1, "{then:?}");
        let now = (
            then[0].state,
            then[0].cause,
            then[0].causes.unwrap().first(),
        );
        assert_eq!(now, (EventState::Updated, Cause::Spalling, Cause::Spalling));
        let cleared = judged(&mut judge, [0.0; FIGURES], 20);
        assert_eq!(cleared.len(), 1, "{cleared:?}");
        assert_eq!(
            (cleared[0].state, cleared[0].cause, cleared[0].causes),
            (EventState::Cleared, Cause::Spalling, None)
        );
    }

    #[test]
    fn one_movement_that_looks_otherwise_changes_no_mind() {
        let mut judge = SignatureJudge::default();
        let preload = |ripple| [-7.0, 1.5, 1.0, ripple, 1.5];
        assert_eq!(judged(&mut judge, preload(0.5), 2).len(), 1);
        assert!(judged(&mut judge, preload(60.0), 1).is_empty());
        assert_eq!(judge.likelier, Some(Family::Spalling));
        assert!(judged(&mut judge, preload(-60.0), 1).is_empty());
        assert_eq!(judge.likelier, None);
        // A second one does.
        assert!(judged(&mut judge, preload(60.0), 1).is_empty());
        let updated = judged(&mut judge, preload(60.0), 1);
        assert_eq!(updated.len(), 1, "{updated:?}");
        assert_eq!(
            (updated[0].state, updated[0].cause),
            (EventState::Updated, Cause::Spalling)
        );
    }

    #[test]
    fn a_strange_load_or_speed_is_not_judged_and_counted() {
        let healthy = plan().healthy.unwrap();
        let deviates = Signature {
            figures: [2.0, 1e-3, 1e-3, 0.1, 0.2],
            ..HEALTHY
        };
        let strange = [
            Signature {
                load_a: 0.5,
                ..deviates
            },
            Signature {
                speeds_m_per_s: [0.001, 0.025],
                ..deviates
            },
        ];
        let (mut judge, mut out) = (SignatureJudge::default(), Outbox::default());
        for n in 1..=2 {
            judge.judge(&healthy, &occasion(), &strange[n as usize - 1], &mut out);
            assert_eq!((judge.not_learnt(), judge.evidence()), (n, 0.0));
        }
        assert!(out.pop().is_none());
        judge.judge(&healthy, &occasion(), &deviates, &mut out);
        assert!(judge.evidence() > 0.0);
    }

    #[test]
    fn a_cold_axis_is_not_judged_and_counted() {
        let warm_up = WarmUp {
            lasts_cycles: 1000,
            rest_cycles: 5000,
        };
        let mut judge = SignatureJudge::default();
        let mut warms = |cycle| judge.warms(Some(&warm_up), cycle);
        assert_eq!(
            [400, 1399, 1400, 6399].map(&mut warms),
            [true, true, false, false]
        );
        // The rest counts from movement to movement.
        assert_eq!(
            [11_399, 12_398, 12_399].map(&mut warms),
            [true, true, false]
        );
        assert!(!SignatureJudge::default().warms(None, 0));
    }

    #[test]
    fn a_whole_movement_is_judged_and_a_torn_one_is_not() {
        let run = |torn: Option<usize>| {
            let (mut judge, mut out) = (SignatureJudge::default(), Outbox::default());
            let (mut target_m, mut ended) = (0.0, 0);
            for k in 0..200 {
                target_m += if k < 100 { 1e-3 } else { -1e-3 };
                let reading = AxisReading {
                    target_m,
                    position_m: target_m,
                    current_a: if k < 100 { 2.0 } else { -1.8 },
                    state: DriveState::OperationEnabled,
                    ..AxisReading::default()
                };
                let sample = if torn == Some(k) {
                    Err(Missing::NoFrame)
                } else {
                    Ok(reading)
                };
                judge.push(&plan(), None, &occasion(), &sample, &mut out);
                ended += usize::from(judge.ended.is_some());
            }
            (ended, out.pop().map(|event| event.cause))
        };
        assert_eq!(run(None), (1, Some(Cause::LubricationLacking)));
        assert_eq!(run(Some(130)), (0, None));
    }
}
