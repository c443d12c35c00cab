//! An envelope: a band in which the curve must stay over a range of X.
//!
//! # Derivation
//! The bounds are straight between nodes at equal distances, the curve is straight between its points. What the curve has
//! beyond a bound is therefore straight between the nodes and points together, and its largest value is at one of them: the
//! band is checked at every point of the curve and at every node that a piece passes, and nothing in between is missed.

use super::passage::between;
use super::{Miss, Outcome, Side, Unit, Violation};
use crate::press::curve::Point;

/// Nodes of an envelope.
pub const NODES: usize = 64;

/// The band.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Envelope {
    /// First node (m).
    pub x_min_m: f64,
    /// Last node (m, beyond the first).
    pub x_max_m: f64,
    /// Smallest force at every node (N).
    pub lower_n: [f64; NODES],
    /// Largest force at every node (N).
    pub upper_n: [f64; NODES],
}

impl Envelope {
    /// Distance of the nodes (m).
    fn pitch_m(&self) -> f64 {
        (self.x_max_m - self.x_min_m) / (NODES - 1) as f64
    }

    /// Where node `n` is (m).
    pub fn node_m(&self, n: usize) -> f64 {
        if n + 1 == NODES {
            self.x_max_m
        } else {
            self.x_min_m + n as f64 * self.pitch_m()
        }
    }

    /// The band at `x_m`, which is within the range.
    pub fn band_n(&self, x_m: f64) -> (f64, f64) {
        let place = (x_m - self.x_min_m) / self.pitch_m();
        // Casts from float saturate.
        let node = (place as usize).min(NODES - 2);
        let u = place - node as f64;
        let line = |ends: &[f64; NODES]| ends[node] + u * (ends[node + 1] - ends[node]);
        (line(&self.lower_n), line(&self.upper_n))
    }

    /// The places that a piece from `a` to `b` must be checked at besides its end: the nodes that it passes.
    fn passed(&self, a: f64, b: f64) -> core::ops::Range<usize> {
        let (low, high) = if a < b { (a, b) } else { (b, a) };
        if high < self.x_min_m || low > self.x_max_m {
            return 0..0;
        }
        let pitch = self.pitch_m();
        let first = libm::ceil((low - self.x_min_m) / pitch);
        let last = libm::floor((high - self.x_min_m) / pitch);
        let first = if first > 0.0 { first as usize } else { 0 };
        let last = if last >= 0.0 {
            (last as usize).min(NODES - 1)
        } else {
            return 0..0;
        };
        first..last.saturating_add(1)
    }
}

/// How the curve went so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct EnvelopeState {
    /// The first point beyond the band, and at which side.
    first: Option<(Side, Point)>,
    /// By how much at most beyond that side (N).
    worst_n: f64,
    /// Smallest reserve so far (N), negative beyond.
    reserve_n: Option<f64>,
    /// Range of X that was seen.
    seen_m: Option<(f64, f64)>,
}

impl EnvelopeState {
    /// Takes in a piece.
    pub fn push(&mut self, e: &Envelope, a: Point, b: Point) {
        let seen = self.seen_m.get_or_insert((a.position_m, a.position_m));
        for x in [a.position_m, b.position_m] {
            if x < seen.0 {
                seen.0 = x;
            }
            if x > seen.1 {
                seen.1 = x;
            }
        }
        if self.reserve_n.is_none() {
            self.check(e, a);
        }
        for node in e.passed(a.position_m, b.position_m) {
            let (x, dx) = (e.node_m(node), b.position_m - a.position_m);
            // Without travel there is nothing between the two points.
            if dx * dx > 0.0 {
                let on_it = between(a, b, (x - a.position_m) / dx);
                self.check(
                    e,
                    Point {
                        position_m: x,
                        ..on_it
                    },
                );
            }
        }
        self.check(e, b);
    }

    fn check(&mut self, e: &Envelope, p: Point) {
        if !(p.position_m >= e.x_min_m && p.position_m <= e.x_max_m) {
            return;
        }
        let (lower, upper) = e.band_n(p.position_m);
        let (above, below) = (p.force_n - upper, lower - p.force_n);
        let (beyond, side) = if above > below {
            (above, Side::Top)
        } else {
            (below, Side::Bottom)
        };
        if self.reserve_n.is_none_or(|reserve| -beyond < reserve) {
            self.reserve_n = Some(-beyond);
        }
        if beyond > 0.0 {
            let (first_side, _) = *self.first.get_or_insert((side, p));
            if side == first_side && beyond > self.worst_n {
                self.worst_n = beyond;
            }
        }
    }

    /// After the last piece. The value of an envelope is the reserve: the smallest distance to the band's bounds (N).
    pub fn finish(&self, e: &Envelope, block: Point) -> Outcome {
        let violation = if let Some((side, at)) = self.first {
            Some(Violation {
                miss: if side == Side::Top {
                    Miss::Above
                } else {
                    Miss::Below
                },
                side: Some(side),
                at,
                by: self.worst_n,
                unit: Unit::Newton,
            })
        } else {
            let (low, high) = self.seen_m.unwrap_or((f64::INFINITY, f64::NEG_INFINITY));
            let (side, by) = if high < e.x_max_m {
                (Side::Right, e.x_max_m - high)
            } else {
                (Side::Left, low - e.x_min_m)
            };
            (by > 0.0).then_some(Violation {
                miss: Miss::NotReached,
                side: Some(side),
                at: block,
                by: if by < f64::INFINITY { by } else { 0.0 },
                unit: Unit::Metre,
            })
        };
        Outcome {
            value: self.reserve_n,
            unit: Unit::Newton,
            violation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn p(position_m: f64, force_n: f64) -> Point {
        Point {
            position_m,
            force_n,
        }
    }

    /// A band of +-1 N around 10 N/m over 0 to 6.3 m: nodes every 0.1 m.
    fn band() -> Envelope {
        let at = |shift: f64| core::array::from_fn(|n| n as f64 + shift);
        Envelope {
            x_min_m: 0.0,
            x_max_m: 6.3,
            lower_n: at(-1.0),
            upper_n: at(1.0),
        }
    }

    fn judge(e: &Envelope, curve: &[Point]) -> Outcome {
        let mut state = EnvelopeState::default();
        for w in curve.windows(2) {
            state.push(e, w[0], w[1]);
        }
        state.finish(e, *curve.last().expect("a curve"))
    }

    #[test]
    fn a_curve_within_the_band_is_ok_and_has_a_reserve() {
        let outcome = judge(&band(), &[p(-1.0, -10.0), p(7.0, 70.5)]);
        assert_eq!(outcome.violation, None);
        let reserve = outcome.value.expect("a reserve");
        assert!(reserve > 0.5 && reserve < 1.0, "{reserve}");
    }

    #[test]
    fn beyond_the_band_has_side_place_and_size() {
        let e = band();
        let v = judge(
            &e,
            &[
                p(0.0, 0.0),
                p(2.0, 20.0),
                p(2.5, 28.0),
                p(4.0, 40.0),
                p(6.4, 64.0),
            ],
        )
        .violation
        .expect("NOK");
        assert_eq!((v.miss, v.side), (Miss::Above, Some(Side::Top)));
        assert!((v.by - 2.0).abs() < 1e-9, "{}", v.by);
        let short = judge(&e, &[p(0.0, 0.0), p(6.0, 60.0)])
            .violation
            .expect("NOK");
        assert_eq!(
            (short.miss, short.side, short.unit),
            (Miss::NotReached, Some(Side::Right), Unit::Metre)
        );
        assert!((short.by - 0.3).abs() < 1e-9);
        let late = judge(&e, &[p(1.0, 10.0), p(6.4, 64.0)])
            .violation
            .expect("NOK");
        assert_eq!((late.miss, late.side), (Miss::NotReached, Some(Side::Left)));
    }

    #[test]
    fn a_notch_between_two_points_of_the_curve_is_seen() {
        let mut e = band();
        e.upper_n[30] = 29.0;
        let v = judge(&e, &[p(-1.0, -10.0), p(7.0, 70.0)])
            .violation
            .expect("NOK");
        assert!((v.at.position_m - 3.0).abs() < 1e-9 && (v.by - 1.0).abs() < 1e-9);
    }

    proptest! {
        /// Against a dense walk over the same polygon.
        #[test]
        fn the_worst_excess_is_that_of_a_dense_walk(
            steps in prop::collection::vec((0.01..0.5f64, -3.0..3.0f64), 20..40), width in prop::collection::vec(0.1..3.0f64, NODES)
        ) {
            let mut e = band();
            for (n, width) in width.iter().enumerate() {
                let middle = 10.0 * e.node_m(n);
                (e.lower_n[n], e.upper_n[n]) = (middle - width, middle + width);
            }
            let mut curve = vec![p(-0.1, 0.0)];
            for (dx, df) in steps {
                let x = curve[curve.len() - 1].position_m + dx;
                curve.push(p(x, 10.0 * x + df));
            }
            let mut worst = f64::INFINITY;
            for w in curve.windows(2) {
                for k in 0..=300 {
                    let q = between(w[0], w[1], f64::from(k) / 300.0);
                    if (0.0..=6.3).contains(&q.position_m) {
                        let (low, high) = e.band_n(q.position_m);
                        worst = worst.min((q.force_n - low).min(high - q.force_n));
                    }
                }
            }
            let reserve = judge(&e, &curve).value.expect("within the range");
            prop_assert!(reserve <= worst + 1e-9 && reserve > worst - 0.2, "{reserve} {worst}");
        }
    }
}
