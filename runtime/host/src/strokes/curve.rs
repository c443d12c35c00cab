//! As much of a stroke's curve as a picture needs.

use heapless::Vec;
use twinstep_models::press::curve::{Curve, Point};

/// Most points of a short curve.
pub const CURVE_POINTS: usize = 256;

/// Points of a curve at even distances in its buffer, the first, the last and the deepest among them.
#[derive(Clone, Debug, Default)]
pub struct ShortCurve {
    /// Travel (m) and force (N). Single precision is a hundredth of a micrometre in a press.
    points: Vec<[f32; 2], CURVE_POINTS>,
    /// Which one is the deepest.
    turn: u16,
}

impl ShortCurve {
    /// Copies `curve`, without the heap. At most [`CURVE_POINTS`] points are read.
    pub fn copy(&mut self, curve: &Curve) {
        self.clear();
        let all = curve.points();
        let last = all.len().saturating_sub(1);
        let kept = all.len().min(CURVE_POINTS);
        let place = |n: usize| {
            if kept > 1 { n * last / (kept - 1) } else { 0 }
        };
        for n in 0..kept {
            let (here, next) = (place(n), place(n + 1));
            let deepest = (here..next.max(here + 1)).contains(&curve.turn());
            if deepest {
                // There are at most 256.
                self.turn = n as u16;
            }
            let Some(p) = all.get(if deepest { curve.turn() } else { here }) else {
                break;
            };
            // As many as there is room for.
            let _ = self.points.push([p.position_m as f32, p.force_n as f32]);
        }
    }

    /// Forgets all points.
    pub fn clear(&mut self) {
        self.points.clear();
        self.turn = 0;
    }

    /// The points (m, N), oldest first.
    pub fn points(&self) -> impl ExactSizeIterator<Item = Point> + '_ {
        self.points.iter().map(|&[position_m, force_n]| Point {
            position_m: f64::from(position_m),
            force_n: f64::from(force_n),
        })
    }

    /// Index of the deepest point: it belongs to both branches.
    pub fn turn(&self) -> usize {
        usize::from(self.turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use twinstep_models::press::curve::{MAX_POINTS, Sampling};

    /// In over all but `back` of the points and out again; every force is larger than the one before.
    fn stroke(points: usize, back: usize) -> Curve {
        let mut curve = Curve::default();
        curve.begin(Sampling::EVERY);
        let deepest = (points - back) as f64 - 1.0;
        for n in 0..points {
            curve.push(Point {
                position_m: deepest - (n as f64 - deepest).abs(),
                force_n: n as f64,
            });
        }
        curve
    }

    #[test]
    fn first_last_and_deepest_point_are_kept_whatever_the_length() {
        for points in [1, 2, 255, 256, 257, 700, MAX_POINTS] {
            let curve = stroke(points, points / 3);
            let mut short = ShortCurve::default();
            short.copy(&curve);
            let all: std::vec::Vec<Point> = short.points().collect();
            assert_eq!(all.len(), points.min(CURVE_POINTS));
            let exact = curve.points();
            assert_eq!(all.first(), exact.first(), "{points}");
            assert_eq!(all.last(), exact.last(), "{points}");
            assert_eq!(all[short.turn()], exact[curve.turn()], "{points}");
            assert!(
                all.windows(2).all(|w| w[0].force_n < w[1].force_n),
                "in order and once each"
            );
        }
    }

    #[test]
    fn a_copy_holds_nothing_of_the_one_before() {
        let mut short = ShortCurve::default();
        short.copy(&stroke(300, 100));
        short.copy(&stroke(3, 1));
        assert_eq!(short.points().len(), 3);
        short.copy(&Curve::default());
        assert_eq!((short.points().len(), short.turn()), (0, 0));
    }
}
