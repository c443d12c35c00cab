//! A window: a rectangle that the curve enters and leaves through the sides it may.
//!
//! An online window is entered at one side and left at another; a block window is entered and not left (`exit` within).

use super::passage::{Quad, Sides};

/// The rectangle from `x_m` (m) and `y_n` (N), each as smallest and largest, as an area to pass.
pub const fn window(x_m: [f64; 2], y_n: [f64; 2], entry: Sides, exit: Sides) -> Quad {
    Quad {
        x_min_m: x_m[0],
        x_max_m: x_m[1],
        bottom_n: [y_n[0], y_n[0]],
        top_n: [y_n[1], y_n[1]],
        entry,
        exit,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Miss, Object, Outcome, Shape, Side, Unit};
    use super::*;
    use crate::press::curve::{Branch, Point};
    use crate::press::evaluate::reference::Reference;
    use proptest::prelude::*;

    fn judge(quad: Quad, curve: &[(f64, f64)]) -> Outcome {
        let object = Object {
            shape: Shape::Passage(quad),
            reference: Reference::Absolute,
            branch: Branch::Forward,
            part: None,
            recipe: None,
        };
        let points: Vec<Point> = (curve.iter())
            .map(|&(position_m, force_n)| Point {
                position_m,
                force_n,
            })
            .collect();
        let mut state = object.start();
        for w in points.windows(2) {
            object.push(&mut state, Branch::Forward, w[0], w[1]);
        }
        object.finish(&state, *points.last().expect("a curve"))
    }

    fn cut(entry: Sides, exit: Sides) -> Quad {
        window([1.0, 2.0], [10.0, 20.0], entry, exit)
    }

    const LEFT: Sides = Sides::of(Side::Left);
    const RIGHT: Sides = Sides::of(Side::Right);

    #[test]
    fn a_curve_through_the_right_sides_is_ok() {
        let through = [(0.0, 15.0), (3.0, 15.0)];
        assert_eq!(judge(cut(LEFT, RIGHT), &through).violation, None);
        assert_eq!(
            judge(cut(LEFT, RIGHT), &[(0.0, 15.0), (1.5, 12.0), (3.0, 15.0)]).violation,
            None
        );
        // Noise at the entry, and a block window.
        let noisy = [
            (0.9, 15.0),
            (1.1, 15.0),
            (0.95, 15.0),
            (1.2, 15.0),
            (1.8, 16.0),
        ];
        assert_eq!(judge(cut(LEFT, Sides::WITHIN), &noisy).violation, None);
    }

    #[test]
    fn every_wrong_way_has_its_name_side_place_and_size() {
        let told = |quad, curve: &[(f64, f64)]| {
            let v = judge(quad, curve).violation.expect("NOK");
            (v.miss, v.side, v.at.position_m, v.by, v.unit)
        };
        let q = cut(LEFT, RIGHT);
        assert_eq!(told(q, &[(0.0, 5.0), (3.0, 5.0)]).0, Miss::NotEntered);
        let low = told(q, &[(0.0, 5.0), (1.5, 7.0), (3.0, 5.0)]);
        assert_eq!(
            low,
            (Miss::NotEntered, Some(Side::Bottom), 1.5, 3.0, Unit::Newton)
        );
        let early = told(q, &[(0.0, 15.0), (0.5, 15.0)]);
        assert_eq!(
            early,
            (Miss::NotEntered, Some(Side::Left), 0.5, 0.5, Unit::Metre)
        );
        let top = told(q, &[(0.0, 15.0), (1.5, 15.0), (1.7, 25.0), (3.0, 25.0)]);
        assert_eq!(
            (top.0, top.1, top.3),
            (Miss::WrongExit, Some(Side::Top), 5.0)
        );
        assert!((top.2 - 1.6).abs() < 1e-12);
        let below = told(q, &[(0.0, 0.0), (1.2, 5.0), (1.4, 15.0), (3.0, 15.0)]);
        assert_eq!(
            (below.0, below.1, below.3),
            (Miss::WrongEntry, Some(Side::Bottom), 5.0)
        );
        assert_eq!(told(q, &[(0.0, 15.0), (1.5, 15.0)]).0, Miss::NotLeft);
        let back = told(q, &[(0.0, 15.0), (1.5, 15.0), (0.5, 15.0)]);
        assert_eq!((back.0, back.1), (Miss::WrongExit, Some(Side::Left)));
        assert_eq!(told(q, &[(1.5, 15.0), (3.0, 15.0)]).0, Miss::WrongEntry);
    }

    #[test]
    fn a_corner_cut_between_two_samples_is_seen() {
        // From left of it over the corner to above it: in through the left side, out through the top.
        let v = judge(cut(LEFT, RIGHT), &[(0.9, 18.0), (1.4, 23.0)])
            .violation
            .expect("NOK");
        assert_eq!((v.miss, v.side), (Miss::WrongExit, Some(Side::Top)));
        assert!((v.at.position_m - 1.1).abs() < 1e-9 && (v.at.force_n - 20.0).abs() < 1e-9);
        assert_eq!(
            judge(cut(LEFT, RIGHT), &[(0.5, 18.0), (1.0, 23.0)])
                .violation
                .expect("NOK")
                .miss,
            Miss::NotEntered
        );
    }

    proptest! {
        /// Against a plain rule on a curve sampled a hundred times as densely.
        #[test]
        fn the_sides_agree_with_a_dense_walk(curve in prop::collection::vec((0.0..3.0f64, 0.0..30.0f64), 2..12)) {
            let inside = |x: f64, y: f64| (1.0..=2.0).contains(&x) && (10.0..=20.0).contains(&y);
            let mut touched = inside(curve[0].0, curve[0].1);
            let mut closest = f64::INFINITY;
            for w in curve.windows(2) {
                for k in 0..=1000 {
                    let u = f64::from(k) / 1000.0;
                    let (x, y) = (w[0].0 + u * (w[1].0 - w[0].0), w[0].1 + u * (w[1].1 - w[0].1));
                    touched |= inside(x, y);
                    let out_x = (1.0 - x).max(x - 2.0).max(0.0);
                    let out_y = (10.0 - y).max(y - 20.0).max(0.0);
                    closest = closest.min(out_x + 0.1 * out_y);
                }
            }
            let outcome = judge(cut(Sides::ANY, Sides::ANY), &curve);
            let entered = outcome.violation.is_none();
            // A graze between two steps of the walk is not decided by it.
            prop_assert!(entered == touched || closest < 0.01, "{entered} {touched} {closest}");
        }
    }
}
