//! A threshold: where the curve crosses a line in X or Y in the given direction, the other coordinate has limits.

use super::features::Limits;
use super::passage::between;
use super::{Miss, Outcome, Side, Unit, Violation};
use crate::press::curve::Point;

/// The line.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Line {
    /// A travel (m): the force there is judged (N).
    X(f64),
    /// A force (N): the travel there is judged (m).
    Y(f64),
}

/// In which direction the line is crossed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Crossing {
    /// Towards larger values.
    #[default]
    Rising,
    /// Towards smaller values.
    Falling,
    /// Either.
    Either,
}

/// A threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// The line.
    pub line: Line,
    /// The direction that counts.
    pub crossing: Crossing,
    /// Limits of the other coordinate.
    pub limits: Limits,
}

/// The first crossing.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ThresholdState(Option<Point>);

impl ThresholdState {
    /// Takes in a piece.
    pub fn push(&mut self, t: &Threshold, a: Point, b: Point) {
        if self.0.is_some() {
            return;
        }
        let (d0, d1) = match t.line {
            Line::X(at) => (a.position_m - at, b.position_m - at),
            Line::Y(at) => (a.force_n - at, b.force_n - at),
        };
        let rising = d0 < 0.0 && d1 >= 0.0;
        let falling = d0 > 0.0 && d1 <= 0.0;
        let counts = match t.crossing {
            Crossing::Rising => rising,
            Crossing::Falling => falling,
            Crossing::Either => rising || falling,
        };
        if counts {
            self.0 = Some(between(a, b, d0 / (d0 - d1)));
        }
    }

    /// Where it was crossed.
    pub const fn crossed(&self) -> Option<Point> {
        self.0
    }

    /// After the last piece.
    pub fn finish(&self, t: &Threshold, block: Point) -> Outcome {
        match (self.0, t.line) {
            (Some(at), Line::X(_)) => Outcome::of_value(at.force_n, t.limits, Unit::Newton, at),
            (Some(at), Line::Y(_)) => {
                let outcome = Outcome::of_value(at.position_m, t.limits, Unit::Metre, at);
                // In X a value that is too small lies to the left.
                let turned = |v: Violation| Violation {
                    side: v.side.map(|side| {
                        if side == Side::Bottom {
                            Side::Left
                        } else {
                            Side::Right
                        }
                    }),
                    ..v
                };
                Outcome {
                    violation: outcome.violation.map(turned),
                    ..outcome
                }
            }
            (None, Line::X(_)) => Outcome::nothing(Miss::NotReached, block, Unit::Newton),
            (None, Line::Y(_)) => Outcome::nothing(Miss::NotReached, block, Unit::Metre),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(t: &Threshold, curve: &[(f64, f64)]) -> Outcome {
        let mut state = ThresholdState::default();
        let point = |&(position_m, force_n): &(f64, f64)| Point {
            position_m,
            force_n,
        };
        for w in curve.windows(2) {
            state.push(t, point(&w[0]), point(&w[1]));
        }
        state.finish(t, point(curve.last().expect("a curve")))
    }

    #[test]
    fn the_force_at_a_travel_is_judged_in_the_direction_that_counts() {
        let rise = [(0.0, 0.0), (2.0, 20.0), (4.0, 20.0), (1.0, 5.0)];
        let t = |crossing, limits| Threshold {
            line: Line::X(3.0),
            crossing,
            limits,
        };
        let ok = judge(&t(Crossing::Rising, Limits::between(19.0, 21.0)), &rise);
        assert_eq!((ok.value, ok.violation), (Some(20.0), None));
        let falling = judge(&t(Crossing::Falling, Limits::between(19.0, 21.0)), &rise);
        assert_eq!(falling.value, Some(15.0));
        let v = falling.violation.expect("NOK");
        assert_eq!(
            (v.miss, v.side, v.by),
            (Miss::Below, Some(Side::Bottom), 4.0)
        );
        let never = judge(&t(Crossing::Rising, Limits::ANY), &rise[..2]);
        assert_eq!(never.violation.expect("NOK").miss, Miss::NotReached);
    }

    #[test]
    fn the_travel_at_a_force_is_judged() {
        let t = Threshold {
            line: Line::Y(10.0),
            crossing: Crossing::Rising,
            limits: Limits::between(1.5, 2.0),
        };
        let outcome = judge(&t, &[(0.0, 0.0), (2.0, 20.0)]);
        assert_eq!(outcome.value, Some(1.0));
        let v = outcome.violation.expect("NOK");
        assert_eq!(
            (v.miss, v.side, v.by, v.unit),
            (Miss::Below, Some(Side::Left), 0.5, Unit::Metre)
        );
        // Touching from above is a falling crossing, and starting on the line is none.
        let falling = Threshold {
            crossing: Crossing::Falling,
            limits: Limits::ANY,
            ..t
        };
        assert_eq!(
            judge(&falling, &[(0.0, 20.0), (1.0, 10.0)]).value,
            Some(1.0)
        );
        assert_eq!(judge(&t, &[(0.0, 10.0), (1.0, 12.0)]).value, None);
    }
}
