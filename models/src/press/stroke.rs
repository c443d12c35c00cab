//! Where a stroke begins, turns and ends, and what is summed up on the way.
//!
//! A stroke begins when the travel passes `begin_m` on the way in, and ends when it is back there. The deepest point is the
//! turn: everything before it is the way in, everything behind it the way back, however often the ram hesitates in between.
//! So work is summed since the deepest point and moved to the way in whenever the ram goes deeper. The hysteresis only
//! says when the ram is believed to be on its way back. A stroke that is not seen from `begin_m` on is none.

use super::curve::{Branch, Point};

/// How strokes are cut out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StrokeParams {
    /// Travel at which a stroke begins and ends (m).
    pub begin_m: f64,
    /// Way back after which the ram is on its way back (m, > 0).
    pub turn_m: f64,
    /// Force from which on the ram has met the part (N, > 0).
    pub contact_n: f64,
}

/// What one sample did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// No stroke.
    Idle,
    /// A stroke began: the sample before this one is its first.
    Began,
    /// It goes on, on this branch.
    Goes(Branch),
    /// It ended with this sample.
    Ended,
}

/// What was summed up over a stroke.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Totals {
    /// Largest force (N) and where it was (m); on either branch.
    pub peak: Point,
    /// The deepest point (m) and the force there (N): block or dead centre.
    pub block: Point,
    /// First point with the force of contact on the way in (m); none: nothing was met.
    pub contact_m: Option<f64>,
    /// Work of the ram on the way in (J).
    pub work_j: f64,
    /// Work that came back on the way back (J).
    pub returned_j: f64,
    /// Samples.
    pub samples: u32,
}

impl Totals {
    /// The same stroke with its zero moved: every force less `force_n`, every place further by `place_m`. It was summed from
    /// `first_m` to `last_m`, both as they were measured.
    ///
    /// The work of a constant force is the force times the way.
    #[must_use]
    pub fn moved(mut self, force_n: f64, place_m: f64, first_m: f64, last_m: f64) -> Self {
        self.work_j -= force_n * (self.block.position_m - first_m);
        self.returned_j -= force_n * (self.block.position_m - last_m);
        self.peak = self.peak.moved(force_n, place_m);
        self.block = self.block.moved(force_n, place_m);
        self.contact_m = self.contact_m.map(|x| x + place_m);
        self
    }

    /// What the part kept: the area between the branches (J).
    pub fn hysteresis_j(&self) -> f64 {
        self.work_j - self.returned_j
    }
}

/// Cuts strokes out of a stream of samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Segmenter {
    previous: Option<Point>,
    in_stroke: bool,
    returning: bool,
    since_deepest_j: f64,
    totals: Totals,
}

impl Segmenter {
    /// Forgets the stroke in progress and the last sample: after a gap.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether a stroke is in progress.
    pub const fn in_stroke(&self) -> bool {
        self.in_stroke
    }

    /// What was summed up over the stroke in progress, or over the last one.
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Takes in a sample. Returns what it did and, when a stroke began, the sample before it.
    #[inline]
    pub fn push(&mut self, p: &StrokeParams, point: Point) -> (Step, Option<Point>) {
        let Some(before) = self.previous.replace(point) else {
            return (Step::Idle, None);
        };
        if !self.in_stroke {
            if before.position_m > p.begin_m || point.position_m <= p.begin_m {
                return (Step::Idle, None);
            }
            self.in_stroke = true;
            self.returning = false;
            self.since_deepest_j = 0.0;
            self.totals = Totals {
                peak: before,
                block: before,
                samples: 1,
                ..Totals::default()
            };
            self.sum(p, before, point);
            return (Step::Began, Some(before));
        }
        self.sum(p, before, point);
        if point.position_m <= p.begin_m {
            self.in_stroke = false;
            self.totals.returned_j = -self.since_deepest_j;
            return (Step::Ended, None);
        }
        self.returning = point.position_m < self.totals.block.position_m - p.turn_m;
        let branch = if self.returning {
            Branch::Return
        } else {
            Branch::Forward
        };
        (Step::Goes(branch), None)
    }

    fn sum(&mut self, p: &StrokeParams, before: Point, point: Point) {
        let t = &mut self.totals;
        t.samples = t.samples.saturating_add(1);
        self.since_deepest_j +=
            0.5 * (before.force_n + point.force_n) * (point.position_m - before.position_m);
        if point.force_n > t.peak.force_n {
            t.peak = point;
        }
        if point.position_m > t.block.position_m {
            t.block = point;
            t.work_j += self.since_deepest_j;
            self.since_deepest_j = 0.0;
        }
        if t.contact_m.is_none() && !self.returning && point.force_n >= p.contact_n {
            t.contact_m = Some(point.position_m);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const P: StrokeParams = StrokeParams {
        begin_m: 0.0,
        turn_m: 0.01,
        contact_n: 1.0,
    };

    fn run(points: &[(f64, f64)]) -> (Vec<Step>, Totals) {
        let mut s = Segmenter::default();
        let steps = points
            .iter()
            .map(|&(position_m, force_n)| {
                s.push(
                    &P,
                    Point {
                        position_m,
                        force_n,
                    },
                )
                .0
            })
            .collect();
        (steps, *s.totals())
    }

    #[test]
    fn a_stroke_begins_turns_and_ends() {
        use Branch::*;
        let (steps, t) = run(&[
            (-0.1, 0.0),
            (0.1, 0.0),
            (0.2, 2.0),
            (0.3, 4.0),
            (0.295, 9.0),
            (0.2, 1.0),
            (0.0, 0.0),
            (-0.1, 0.0),
        ]);
        assert_eq!(
            steps,
            [
                Step::Idle,
                Step::Began,
                Step::Goes(Forward),
                Step::Goes(Forward),
                Step::Goes(Forward),
                Step::Goes(Return),
                Step::Ended,
                Step::Idle
            ]
        );
        assert_eq!(t.contact_m, Some(0.2));
        assert_eq!((t.peak.force_n, t.peak.position_m), (9.0, 0.295));
        assert_eq!((t.block.position_m, t.block.force_n), (0.3, 4.0));
        assert!((t.work_j - (0.1 + 0.3)).abs() < 1e-12);
        assert!((t.returned_j - (0.005 * 6.5 + 0.095 * 5.0 + 0.2 * 0.5)).abs() < 1e-12);
    }

    #[test]
    fn half_a_stroke_is_none() {
        let (steps, _) = run(&[(0.2, 0.0), (0.3, 1.0), (0.1, 1.0), (-0.1, 0.0)]);
        assert!(steps.iter().all(|s| *s == Step::Idle));
    }

    #[test]
    fn a_ram_that_goes_deeper_again_is_on_its_way_in() {
        let (_, t) = run(&[(0.0, 0.0), (0.2, 2.0), (0.1, 1.0), (0.3, 3.0), (0.0, 0.0)]);
        assert_eq!(t.block.position_m, 0.3);
        assert!(
            (t.work_j - (0.2 - 0.15 + 0.4)).abs() < 1e-12,
            "{}",
            t.work_j
        );
        assert!((t.returned_j - 0.45).abs() < 1e-12);
    }

    #[test]
    fn a_moved_zero_is_what_the_moved_points_sum_up_to() {
        let points = [
            (-1.0, 3.0),
            (0.5, 3.5),
            (1.0, 9.0),
            (2.5, 40.0),
            (2.0, 12.0),
            (0.25, 2.0),
            (-0.5, 1.0),
        ];
        let (_, raw) = run(&points);
        let (_, tared) = run(&points.map(|(x, f)| (x, f - 3.0)));
        let moved = raw.moved(3.0, 0.0, -1.0, -0.5);
        assert!((moved.work_j - tared.work_j).abs() < 1e-12);
        assert!((moved.returned_j - tared.returned_j).abs() < 1e-12);
        assert_eq!((moved.peak, moved.block), (tared.peak, tared.block));
        let further = raw.moved(3.0, 0.125, -1.0, -0.5);
        assert_eq!(further.work_j, moved.work_j);
        assert_eq!(further.peak.position_m, 2.625);
    }

    proptest! {
        #[test]
        fn the_sums_are_the_integral_of_the_whole_loop(
            points in prop::collection::vec((0.001..1.0f64, -10.0..1e4f64), 1..200)
        ) {
            let mut all = vec![(-0.5, 0.0)];
            all.extend(points);
            all.push((-0.5, 0.0));
            let (steps, t) = run(&all);
            prop_assert_eq!(steps.last(), Some(&Step::Ended));
            let ring: f64 = all.windows(2).map(|w| 0.5 * (w[0].1 + w[1].1) * (w[1].0 - w[0].0)).sum();
            prop_assert!((t.hysteresis_j() - ring).abs() < 1e-9 * (1.0 + t.work_j.abs() + ring.abs()));
            prop_assert!(all.iter().all(|p| p.1 <= t.peak.force_n && p.0 <= t.block.position_m));
        }
    }
}
