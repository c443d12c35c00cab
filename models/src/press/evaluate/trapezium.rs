//! A trapezium: left and right side are vertical, bottom and top may slope. It is passed as a window is.

use super::passage::{Quad, Sides};

/// Why a trapezium or a window was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuadError {
    /// A corner that is no finite number.
    NotFinite,
    /// The right side must be beyond the left one.
    Width,
    /// The top must not be below the bottom, and not meet it at both sides.
    Height,
}

impl core::fmt::Display for QuadError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NotFinite => "a corner is no finite number",
            Self::Width => "the right side must be beyond the left one",
            Self::Height => "the top must be above the bottom",
        })
    }
}

impl core::error::Error for QuadError {}

/// The area between `x_m`, from `bottom_n` to `top_n`, each at the left and at the right side.
///
/// # Errors
/// [`QuadError`] where it has no area or is twisted.
pub fn trapezium(
    x_m: [f64; 2],
    bottom_n: [f64; 2],
    top_n: [f64; 2],
    entry: Sides,
    exit: Sides,
) -> Result<Quad, QuadError> {
    let finite = [x_m, bottom_n, top_n]
        .iter()
        .flatten()
        .all(|corner| corner.is_finite());
    if !finite {
        return Err(QuadError::NotFinite);
    }
    if x_m[1] <= x_m[0] {
        return Err(QuadError::Width);
    }
    let heights = [top_n[0] - bottom_n[0], top_n[1] - bottom_n[1]];
    if heights[0] < 0.0 || heights[1] < 0.0 || heights[0] + heights[1] <= 0.0 {
        return Err(QuadError::Height);
    }
    Ok(Quad {
        x_min_m: x_m[0],
        x_max_m: x_m[1],
        bottom_n,
        top_n,
        entry,
        exit,
    })
}

#[cfg(test)]
mod tests {
    use super::super::passage::Passage;
    use super::super::{Miss, Side};
    use super::*;
    use crate::press::curve::Point;

    fn judge(q: &Quad, curve: &[(f64, f64)]) -> Option<super::super::Violation> {
        let mut passage = Passage::default();
        let point = |&(position_m, force_n): &(f64, f64)| Point {
            position_m,
            force_n,
        };
        for w in curve.windows(2) {
            passage.push(q, point(&w[0]), point(&w[1]));
        }
        passage.finish(q).violation
    }

    #[test]
    fn a_sloping_band_follows_a_rising_force() {
        let (left, right) = (Sides::of(Side::Left), Sides::of(Side::Right));
        let q = trapezium([1.0, 2.0], [8.0, 18.0], [12.0, 22.0], left, right).expect("an area");
        assert_eq!(
            judge(&q, &[(0.0, 0.0), (1.0, 10.0), (2.0, 20.0), (3.0, 30.0)]),
            None
        );
        let flat = judge(&q, &[(0.0, 10.0), (3.0, 10.0)]).expect("NOK");
        assert_eq!(
            (flat.miss, flat.side),
            (Miss::WrongExit, Some(Side::Bottom))
        );
        assert!((flat.at.position_m - 1.2).abs() < 1e-9);
    }

    #[test]
    fn an_area_that_is_none_is_refused() {
        let any = Sides::ANY;
        assert_eq!(
            trapezium([1.0, 1.0], [0.0; 2], [1.0; 2], any, any),
            Err(QuadError::Width)
        );
        assert_eq!(
            trapezium([0.0, 1.0], [0.0, 2.0], [1.0, 1.0], any, any),
            Err(QuadError::Height)
        );
        assert_eq!(
            trapezium([0.0, f64::NAN], [0.0; 2], [1.0; 2], any, any),
            Err(QuadError::NotFinite)
        );
        assert!(
            trapezium([0.0, 1.0], [0.0, 1.0], [1.0, 1.0], any, any).is_ok(),
            "a triangle has an area"
        );
    }
}
