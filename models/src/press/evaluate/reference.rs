//! Where the X of an object is counted from.

use crate::press::curve::Point;

/// The reference of an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Reference {
    /// The axis' own position.
    #[default]
    Absolute,
    /// Where the force first rises to this value on the way in (N): parts of different height are judged alike.
    Trigger(f64),
    /// The deepest point of the stroke: X is negative before it.
    Final,
}

impl Reference {
    /// The travel that X is counted from (m); none where this stroke does not have it.
    pub fn origin_m(&self, way_in: &[Point], deepest_m: f64) -> Option<f64> {
        match self {
            Self::Absolute => Some(0.0),
            Self::Final => Some(deepest_m),
            Self::Trigger(force_n) => trigger_m(way_in, *force_n),
        }
    }
}

fn trigger_m(way_in: &[Point], force_n: f64) -> Option<f64> {
    let after = way_in.iter().position(|p| p.force_n >= force_n)?;
    let b = way_in[after];
    let Some(a) = after.checked_sub(1).map(|before| way_in[before]) else {
        // It begins with the force on: the trigger lies before what was seen.
        return None;
    };
    let u = (force_n - a.force_n) / (b.force_n - a.force_n);
    Some(a.position_m + u * (b.position_m - a.position_m))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_are_found() {
        let curve: Vec<Point> = [(0.0, 0.0), (1.0, 0.0), (2.0, 8.0), (3.0, 9.0)]
            .map(|(position_m, force_n)| Point {
                position_m,
                force_n,
            })
            .to_vec();
        assert_eq!(Reference::Absolute.origin_m(&curve, 3.0), Some(0.0));
        assert_eq!(Reference::Final.origin_m(&curve, 3.0), Some(3.0));
        assert_eq!(Reference::Trigger(2.0).origin_m(&curve, 3.0), Some(1.25));
        assert_eq!(Reference::Trigger(10.0).origin_m(&curve, 3.0), None);
        assert_eq!(
            Reference::Trigger(0.0).origin_m(&curve, 3.0),
            None,
            "before what was seen"
        );
        assert_eq!(Reference::Trigger(1.0).origin_m(&[], 3.0), None);
    }
}
