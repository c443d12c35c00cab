//! What the strokes of two different parts say about a contact current that has fallen: a press that gives way, or another part.
//!
//! # Derivation
//! A part of stiffness k in a press whose frame yields c more than it did is met with `k / (1 + c k)`: the stiffer part loses more. With q
//! the share of its contact current that each of two parts has, `c = (1/q - 1) / k`, and the two must agree:
//!
//! ```text
//! V = ln(q2 / q1) + ln((1 + c k2) / (1 + c k1)),  c the mean of both
//! ```
//!
//! is 0 where the press gives way. Where one and the same wrong part lies in the press whatever the recipe says, `q1 k1 = q2 k2`; where
//! one part alone is wrong, the other's q is 1. Parts of one stiffness say nothing.

/// Weight of the newest stroke of a part.
const NEWEST: f64 = 0.5;
/// What V may be wrong by: spread from part to part, of two parts.
const SIGMA: f64 = 0.02;
/// Least difference of two parts (natural logarithm of their stiffness) that tells.
const LEAST_DIFFERENCE: f64 = 0.08;
/// Least share of the contact current: below that there is no part.
const LEAST_SHARE: f64 = 0.1;

/// The latest strokes of a part.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Strokes {
    part: u8,
    stiffness: f64,
    share: f64,
}

/// The latest strokes of two parts, the newest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Parts([Option<Strokes>; 2]);

impl Parts {
    /// A stroke with `part` of this stiffness (A/m, > 0) had this share of its contact current (1). `stepped`: what was seen before is of
    /// another time.
    pub fn push(&mut self, part: u8, stiffness: f64, share: f64, stepped: bool) {
        if stepped {
            *self = Self::default();
        }
        let mut new = Strokes {
            part,
            stiffness,
            share,
        };
        let [first, second] = self.0;
        let before = [first, second].into_iter().flatten();
        if let Some(old) = before.into_iter().find(|old| old.part == part) {
            new.share = old.share + NEWEST * (share - old.share);
        }
        let other = [first, second]
            .into_iter()
            .flatten()
            .find(|old| old.part != part);
        self.0 = [Some(new), other];
    }

    /// V and its standard deviation; none where the parts do not tell.
    pub fn evidence(&self) -> Option<(f64, f64)> {
        let [Some(one), Some(other)] = self.0 else {
            return None;
        };
        let apart = libm::fabs(libm::log(other.stiffness / one.stiffness));
        // Not a number where a stiffness is none.
        if apart.is_nan()
            || apart < LEAST_DIFFERENCE
            || one.share < LEAST_SHARE
            || other.share < LEAST_SHARE
        {
            return None;
        }
        let yields = |s: &Strokes| (1.0 / s.share - 1.0) / s.stiffness;
        let c = 0.5 * (yields(&one) + yields(&other));
        // Below 0 it would be stiffer than rigid.
        let c = if c > 0.0 { c } else { 0.0 };
        let left = |s: &Strokes| libm::log(s.share * (1.0 + c * s.stiffness));
        Some((left(&other) - left(&one), SIGMA))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STIFFNESS: [f64; 2] = [1300.0, 1550.0];

    /// Evidence after some strokes of both parts, whose share is `share` of their stiffness.
    fn of(share: impl Fn(f64) -> f64) -> Option<f64> {
        let mut parts = Parts::default();
        for n in 0..6_u8 {
            let k = STIFFNESS[usize::from(n % 2)];
            parts.push(n % 2, k, share(k), n == 0);
        }
        parts.evidence().map(|(v, _)| v)
    }

    #[test]
    fn a_press_that_gives_way_leaves_nothing_and_a_wrong_part_does() {
        let soft = of(|k| 1.0 / (1.0 + 1.6e-4 * k)).expect("two parts");
        assert!(soft.abs() < 1e-3, "{soft}");
        let wrong = of(|k| 1000.0 / k).expect("two parts");
        assert!(wrong.abs() > 4.0 * SIGMA, "{wrong}");
        let one_alone = of(|k| if k < 1400.0 { 0.8 } else { 1.0 }).expect("two parts");
        assert!(one_alone.abs() > 4.0 * SIGMA, "{one_alone}");
    }

    #[test]
    fn one_part_no_part_or_a_step_say_nothing() {
        assert_eq!(of(|_| 0.0), None);
        let mut parts = Parts::default();
        parts.push(0, STIFFNESS[0], 0.8, false);
        assert_eq!(parts.evidence(), None);
        parts.push(1, STIFFNESS[1], 0.8, false);
        assert!(parts.evidence().is_some());
        parts.push(0, STIFFNESS[0], 0.5, true);
        assert_eq!(parts.evidence(), None);
        parts.push(2, STIFFNESS[0], 0.5, false);
        assert_eq!(parts.evidence(), None, "parts that are alike");
    }
}
