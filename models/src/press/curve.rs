//! The force over the travel of one stroke, in a buffer of one size.
//!
//! A point is kept when the travel, the force or the number of samples since the last kept one has grown by its step. When
//! the buffer is full every second point is given up and the steps are doubled, so that a stroke of any length is held as
//! a whole, with a resolution that never falls below half of what the buffer could hold.

/// Most points of a stroke.
pub const MAX_POINTS: usize = 4096;

/// One point of a stroke.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Point {
    /// Travel in the direction of the way in (m).
    pub position_m: f64,
    /// Force against it (N).
    pub force_n: f64,
}

impl Point {
    /// The point with less force by `force_n` and further by `place_m`.
    #[must_use]
    pub const fn moved(self, force_n: f64, place_m: f64) -> Self {
        Self {
            position_m: self.position_m + place_m,
            force_n: self.force_n - force_n,
        }
    }
}

/// The half of a stroke that something is judged on.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[repr(u8)]
pub enum Branch {
    /// The way in, up to the deepest point.
    #[default]
    Forward = 0,
    /// The way back.
    Return = 1,
}

impl Branch {
    /// The stable word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Return => "return",
        }
    }
}

/// When a point is kept: as soon as one of the three has grown by its step. An infinite step never keeps one.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Sampling {
    /// Step of the travel (m, > 0).
    pub step_m: f64,
    /// Step of the force (N, > 0).
    pub step_n: f64,
    /// Step of the time (samples, > 0).
    pub step_samples: f64,
}

impl Sampling {
    /// Every sample.
    pub const EVERY: Self = Self {
        step_m: f64::INFINITY,
        step_n: f64::INFINITY,
        step_samples: 1.0,
    };

    /// By travel alone.
    pub const fn travel(step_m: f64) -> Self {
        Self {
            step_m,
            step_n: f64::INFINITY,
            step_samples: f64::INFINITY,
        }
    }
}

/// The points of a stroke.
#[derive(Clone, Debug)]
pub struct Curve {
    points: [Point; MAX_POINTS],
    count: usize,
    turn: usize,
    /// How often the buffer was full.
    pub thinned: u32,
    steps: Sampling,
    since: f64,
}

/// What counts of a curve: its points are a list of their own length.
#[derive(serde::Serialize, serde::Deserialize)]
struct Kept<P> {
    turn: usize,
    thinned: u32,
    steps: Sampling,
    since: f64,
    points: P,
}

impl serde::Serialize for Curve {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let kept = Kept {
            turn: self.turn,
            thinned: self.thinned,
            steps: self.steps,
            since: self.since,
            points: self.points(),
        };
        kept.serialize(serializer)
    }
}

/// Points that are read back, as far as there is room.
struct PointsBack {
    points: [Point; MAX_POINTS],
    count: usize,
}

impl<'de> serde::Deserialize<'de> for PointsBack {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = PointsBack;

            fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, "at most {MAX_POINTS} points")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut seq: A,
            ) -> Result<PointsBack, A::Error> {
                let mut back = PointsBack {
                    points: [Point::default(); MAX_POINTS],
                    count: 0,
                };
                while let Some(point) = seq.next_element()? {
                    let Some(place) = back.points.get_mut(back.count) else {
                        return Err(serde::de::Error::invalid_length(back.count + 1, &self));
                    };
                    *place = point;
                    back.count += 1;
                }
                Ok(back)
            }
        }

        deserializer.deserialize_seq(Visitor)
    }
}

impl<'de> serde::Deserialize<'de> for Curve {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let kept = Kept::<PointsBack>::deserialize(deserializer)?;
        Ok(Self {
            turn: kept.turn.min(kept.points.count),
            thinned: kept.thinned,
            steps: kept.steps,
            since: kept.since,
            count: kept.points.count,
            points: kept.points.points,
        })
    }
}

impl Default for Curve {
    fn default() -> Self {
        Self {
            points: [Point::default(); MAX_POINTS],
            count: 0,
            turn: 0,
            thinned: 0,
            steps: Sampling::EVERY,
            since: 0.0,
        }
    }
}

impl Curve {
    /// Copies the points that there are, and nothing else of the buffer.
    pub fn copy_from(&mut self, from: &Self) {
        let Self {
            points,
            count,
            turn,
            thinned,
            steps,
            since,
        } = from;
        self.points[..*count].copy_from_slice(&points[..*count]);
        (self.count, self.turn, self.thinned) = (*count, *turn, *thinned);
        (self.steps, self.since) = (*steps, *since);
    }

    /// Begins a stroke.
    pub fn begin(&mut self, sampling: Sampling) {
        (self.count, self.turn, self.thinned, self.since) = (0, 0, 0, 0.0);
        self.steps = sampling;
    }

    /// Takes in a sample; keeps it where a step has passed.
    #[inline]
    pub fn push(&mut self, point: Point) {
        self.since += 1.0;
        if let Some(last) = self.count.checked_sub(1).map(|n| self.points[n]) {
            let (dx, df) = (
                point.position_m - last.position_m,
                point.force_n - last.force_n,
            );
            let s = &self.steps;
            let kept = dx >= s.step_m
                || -dx >= s.step_m
                || df >= s.step_n
                || -df >= s.step_n
                || self.since >= s.step_samples;
            if !kept {
                return;
            }
        }
        self.keep(point);
    }

    /// Takes in the last sample of a stroke, whatever its distance.
    pub fn end(&mut self, point: Point) {
        if self.points[..self.count].last() != Some(&point) {
            self.keep(point);
        }
    }

    fn keep(&mut self, point: Point) {
        if self.count == MAX_POINTS {
            self.thin();
        }
        self.since = 0.0;
        self.points[self.count] = point;
        if point.position_m > self.points[self.turn].position_m {
            self.turn = self.count;
        }
        self.count += 1;
    }

    fn thin(&mut self) {
        let half = MAX_POINTS / 2;
        for n in 0..half {
            self.points[n] = self.points[2 * n];
        }
        self.count = half;
        self.thinned += 1;
        self.steps.step_m *= 2.0;
        self.steps.step_n *= 2.0;
        self.steps.step_samples *= 2.0;
        self.turn = 0;
        for n in 1..half {
            if self.points[n].position_m > self.points[self.turn].position_m {
                self.turn = n;
            }
        }
    }

    /// Moves the zero of the stroke: every force less `force_n`, every place further by `place_m`.
    pub fn move_zero(&mut self, force_n: f64, place_m: f64) {
        for point in &mut self.points[..self.count] {
            *point = point.moved(force_n, place_m);
        }
    }

    /// All points.
    pub fn points(&self) -> &[Point] {
        &self.points[..self.count]
    }

    /// Index of the deepest point: it belongs to both branches.
    pub fn turn(&self) -> usize {
        self.turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn point(position_m: f64, force_n: f64) -> Point {
        Point {
            position_m,
            force_n,
        }
    }

    #[test]
    fn points_are_kept_by_travel_force_or_time() {
        let mut curve = Curve::default();
        let kept = |curve: &Curve| {
            curve
                .points()
                .iter()
                .map(|p| p.position_m)
                .collect::<Vec<_>>()
        };
        curve.begin(Sampling::travel(0.5));
        for x in [0.0, 0.25, 0.5, 0.75, 1.0, 0.75, 0.5] {
            curve.push(point(x, 0.0));
        }
        assert_eq!(kept(&curve), [0.0, 0.5, 1.0, 0.5]);
        assert_eq!(curve.turn(), 2);
        curve.begin(Sampling {
            step_m: f64::INFINITY,
            step_n: 1.0,
            step_samples: 3.0,
        });
        for (x, f) in [
            (0.0, 0.0),
            (1.0, 0.5),
            (2.0, 1.5),
            (3.0, 1.5),
            (4.0, 1.5),
            (5.0, 1.5),
        ] {
            curve.push(point(x, f));
        }
        assert_eq!(kept(&curve), [0.0, 2.0, 5.0]);
        curve.end(point(5.1, 1.5));
        curve.end(point(5.1, 1.5));
        assert_eq!(kept(&curve), [0.0, 2.0, 5.0, 5.1]);
    }

    proptest! {
        #[test]
        fn a_stroke_of_any_length_fits_and_keeps_its_deepest_part(length in 1usize..40_000, turn in 0.0..1.0f64) {
            let mut curve = Curve::default();
            curve.begin(Sampling::EVERY);
            let deepest = turn * length as f64;
            for k in 0..length {
                curve.push(point(deepest - (k as f64 - deepest).abs(), 1.0));
            }
            let points = curve.points();
            prop_assert!(!points.is_empty() && points.len() <= MAX_POINTS);
            prop_assert!(length < MAX_POINTS || points.len() >= MAX_POINTS / 2);
            let most = points.iter().map(|p| p.position_m).fold(f64::NEG_INFINITY, f64::max);
            prop_assert_eq!(points[curve.turn()].position_m, most);
            let step = f64::from(1_u32 << curve.thinned);
            prop_assert!(most >= deepest.min(length as f64 - 1.0) - step - 1.0);
        }
    }
}
