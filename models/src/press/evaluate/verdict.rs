//! One verdict per stroke: all objects over the whole curve, in portions.
//!
//! The curve waits in its buffer while it is judged, so that a reference that is known only at the end (final position) is
//! no other case than the rest, and the work of one call is bounded by the portion that is asked for.

use super::features::Rise;
use super::{MAX_OBJECTS, Miss, Object, Outcome, State, Unit, Violation};
use crate::press::curve::{Branch, Curve, Point};
use crate::press::stroke::Totals;
use crate::sample::Context;

/// What a stroke was like.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Features {
    /// What was summed up sample by sample.
    pub totals: Totals,
    /// Gradient of the rise, from 20 to 80 % of the peak (N/m).
    pub gradient_n_per_m: Option<f64>,
    /// Points that were judged.
    pub points: u32,
    /// How often the buffer was full and halved.
    pub thinned: u32,
}

/// The verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Verdict {
    /// Objects that were judged.
    pub judged: u32,
    /// Of them NOK.
    pub nok: u32,
    /// The first object in the order of the plan that is NOK, and why.
    pub first: Option<(u8, Violation)>,
}

impl Verdict {
    /// No object is NOK.
    pub const fn ok(&self) -> bool {
        self.nok == 0
    }
}

/// The judging of one stroke in progress.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Evaluation {
    states: [State; MAX_OBJECTS],
    origins_m: [Option<f64>; MAX_OBJECTS],
    outcomes: [Option<Outcome>; MAX_OBJECTS],
    rise: Rise,
    context: Context,
    next: usize,
    running: bool,
}

impl Default for Evaluation {
    fn default() -> Self {
        Self {
            states: [State::Block; MAX_OBJECTS],
            origins_m: [None; MAX_OBJECTS],
            outcomes: [None; MAX_OBJECTS],
            rise: Rise::default(),
            context: Context::default(),
            next: 0,
            running: false,
        }
    }
}

impl Evaluation {
    /// Begins with a stroke that has ended. Objects beyond [`MAX_OBJECTS`] are not judged: the configuration refuses them.
    pub fn begin(&mut self, objects: &[Object], context: Context, curve: &Curve, totals: &Totals) {
        let way_in = curve.points().get(..=curve.turn()).unwrap_or_default();
        for (n, object) in objects.iter().take(MAX_OBJECTS).enumerate() {
            self.states[n] = object.start();
            self.outcomes[n] = None;
            self.origins_m[n] = if object.is_for(context) {
                object.reference.origin_m(way_in, totals.block.position_m)
            } else {
                None
            };
        }
        self.outcomes[objects.len().min(MAX_OBJECTS)..].fill(None);
        self.rise = Rise::of_peak(totals.peak.force_n);
        (self.context, self.next, self.running) = (context, 1, true);
    }

    /// Whether a stroke is being judged.
    pub const fn running(&self) -> bool {
        self.running
    }

    /// Judges up to `points` more points. Returns true when that was the last one; then [`Self::finish`] is due.
    pub fn step(&mut self, objects: &[Object], curve: &Curve, points: usize) -> bool {
        let all = curve.points();
        let end = all.len().min(self.next.saturating_add(points));
        let turn = curve.turn();
        // The first point ends no piece, whatever was put back.
        let first = self.next.max(1);
        for (n, object) in objects.iter().take(MAX_OBJECTS).enumerate() {
            let Some(origin_m) = self.origins_m[n] else {
                continue;
            };
            let from = |p: Point| Point {
                position_m: p.position_m - origin_m,
                ..p
            };
            for k in first..end {
                object.push(
                    &mut self.states[n],
                    branch(k, turn),
                    from(all[k - 1]),
                    from(all[k]),
                );
            }
        }
        for k in first..end.min(turn + 1) {
            self.rise.push(all[k - 1], all[k]);
        }
        self.next = end.max(1);
        self.next >= all.len()
    }

    /// The verdict, after the last step.
    pub fn finish(
        &mut self,
        objects: &[Object],
        curve: &Curve,
        totals: &Totals,
    ) -> (Verdict, Features) {
        let mut verdict = Verdict::default();
        for (n, object) in objects.iter().take(MAX_OBJECTS).enumerate() {
            if !object.is_for(self.context) {
                continue;
            }
            let outcome = match self.origins_m[n] {
                Some(origin_m) => {
                    let block = Point {
                        position_m: totals.block.position_m - origin_m,
                        ..totals.block
                    };
                    object.finish(&self.states[n], block)
                }
                None => Outcome::nothing(Miss::NoReference, totals.block, Unit::Newton),
            };
            verdict.judged += 1;
            if let Some(violation) = outcome.violation {
                verdict.nok += 1;
                if verdict.first.is_none() {
                    verdict.first = Some((n as u8, violation));
                }
            }
            self.outcomes[n] = Some(outcome);
        }
        self.running = false;
        let features = Features {
            totals: *totals,
            gradient_n_per_m: self.rise.gradient_n_per_m(),
            points: curve.points().len() as u32,
            thinned: curve.thinned,
        };
        (verdict, features)
    }

    /// What each object said; none where it is for another part or recipe.
    pub const fn outcomes(&self) -> &[Option<Outcome>; MAX_OBJECTS] {
        &self.outcomes
    }
}

/// The branch of the piece that ends with point `k`.
const fn branch(k: usize, turn: usize) -> Branch {
    if k <= turn {
        Branch::Forward
    } else {
        Branch::Return
    }
}

#[cfg(test)]
mod tests;
