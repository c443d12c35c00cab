//! Narrow numbers that are worked on at once: a whole lane of them.
//!
//! What is compared with a threshold needs few digits, and narrow numbers take half the memory and half the unit. All operations are
//! those of IEEE 754, place by place, as with [`Vector`](super::Vector): every unit gives the same bits.

use crate::lane::Narrow;
use core::ops::{Add, Mul, Sub};

/// A lane of narrow numbers. For closures and adapters see [`Vector`](super::Vector).
pub trait Slim: Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> {
    /// A truth value for each number.
    type Mask: Copy;
    /// From memory.
    fn load(from: &Narrow) -> Self;
    /// To memory.
    fn store(self, to: &mut Narrow);
    /// The same number everywhere.
    fn splat(x: f32) -> Self;
    /// `self` where it is greater than `other`, else `other`: where either is no number, `other`.
    fn larger(self, other: Self) -> Self;
    /// `self` where it is less than `other`, else `other`: where either is no number, `other`.
    fn smaller(self, other: Self) -> Self;
    /// Sizes, without signs.
    fn size(self) -> Self;
    /// Greater than or equal.
    fn reaches(self, other: Self) -> Self::Mask;
    /// At least one.
    fn either(a: Self::Mask, b: Self::Mask) -> Self::Mask;
    /// `self` where the mask is set, 0 elsewhere.
    fn kept(self, mask: Self::Mask) -> Self;
    /// One bit a place, the first one lowest.
    fn bits(mask: Self::Mask) -> u8;
    /// The mask of such bits.
    fn mask(bits: u8) -> Self::Mask;
}

/// Any processor: two vectors of four.
#[derive(Clone, Copy)]
pub struct PortableSlim([[f32; 4]; 2]);

#[inline(always)]
fn each(a: [f32; 4], b: [f32; 4], f: impl Fn(f32, f32) -> f32) -> [f32; 4] {
    [f(a[0], b[0]), f(a[1], b[1]), f(a[2], b[2]), f(a[3], b[3])]
}

impl PortableSlim {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Self([
            each(self.0[0], other.0[0], &f),
            each(self.0[1], other.0[1], &f),
        ])
    }
}

impl Add for PortableSlim {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
}

impl Sub for PortableSlim {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
}

impl Mul for PortableSlim {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }
}

/// All bits of a place or none.
#[inline(always)]
fn all(set: bool) -> u32 {
    if set { u32::MAX } else { 0 }
}

impl Slim for PortableSlim {
    type Mask = [[u32; 4]; 2];
    #[inline(always)]
    fn load(x: &Narrow) -> Self {
        Self([[x[0], x[1], x[2], x[3]], [x[4], x[5], x[6], x[7]]])
    }
    #[inline(always)]
    fn store(self, to: &mut Narrow) {
        let [[a, b, c, d], [e, f, g, h]] = self.0;
        *to = [a, b, c, d, e, f, g, h];
    }
    #[inline(always)]
    fn splat(x: f32) -> Self {
        Self([[x; 4]; 2])
    }
    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn smaller(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn size(self) -> Self {
        self.zip(self, |a, _| f32::from_bits(a.to_bits() & (u32::MAX >> 1)))
    }
    #[inline(always)]
    fn reaches(self, other: Self) -> Self::Mask {
        let four = |a: [f32; 4], b: [f32; 4]| {
            [
                all(a[0] >= b[0]),
                all(a[1] >= b[1]),
                all(a[2] >= b[2]),
                all(a[3] >= b[3]),
            ]
        };
        [four(self.0[0], other.0[0]), four(self.0[1], other.0[1])]
    }
    #[inline(always)]
    fn either(a: Self::Mask, b: Self::Mask) -> Self::Mask {
        let four = |a: [u32; 4], b: [u32; 4]| [a[0] | b[0], a[1] | b[1], a[2] | b[2], a[3] | b[3]];
        [four(a[0], b[0]), four(a[1], b[1])]
    }
    #[inline(always)]
    fn kept(self, mask: Self::Mask) -> Self {
        let four = |x: [f32; 4], m: [u32; 4]| {
            let one = |n: usize| f32::from_bits(x[n].to_bits() & m[n]);
            [one(0), one(1), one(2), one(3)]
        };
        Self([four(self.0[0], mask[0]), four(self.0[1], mask[1])])
    }
    #[inline(always)]
    fn bits(m: Self::Mask) -> u8 {
        let four = |m: [u32; 4]| (m[0] & 1) | (m[1] & 2) | (m[2] & 4) | (m[3] & 8);
        (four(m[0]) | four(m[1]) << 4) as u8
    }
    #[inline(always)]
    fn mask(bits: u8) -> Self::Mask {
        let bit = |l: u32| 0_u32.wrapping_sub(u32::from(bits) >> l & 1);
        [
            [bit(0), bit(1), bit(2), bit(3)],
            [bit(4), bit(5), bit(6), bit(7)],
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lane::LANES;

    const X: Narrow = [1.5, -2.0, 3.25, 0.0, f32::NAN, -8.5, f32::INFINITY, 1.0];
    const Y: Narrow = [0.5, 3.0, 3.25, 4.0, 2.0, f32::NAN, 1e30, -1.0];

    fn stored(x: PortableSlim) -> Narrow {
        let mut to = [9.0; LANES];
        x.store(&mut to);
        to
    }

    #[test]
    fn what_is_no_number_gives_way_and_bits_are_those_of_places() {
        let (x, y) = (PortableSlim::load(&X), PortableSlim::load(&Y));
        assert_eq!(stored(x.larger(y))[..5], [1.5, 3.0, 3.25, 4.0, 2.0]);
        assert_eq!(stored(y.smaller(x))[..4], [0.5, -2.0, 3.25, 0.0]);
        assert!(
            stored(x.larger(y))[5].is_nan(),
            "the second where neither is larger"
        );
        let reached = x.reaches(y);
        assert_eq!(PortableSlim::bits(reached), 0b1100_0101);
        let other = PortableSlim::mask(0b0010_0001);
        assert_eq!(
            PortableSlim::bits(PortableSlim::either(reached, other)),
            0b1110_0101
        );
        assert_eq!(
            stored(x.size().kept(other)),
            [1.5, 0.0, 0.0, 0.0, 0.0, 8.5, 0.0, 0.0]
        );
        assert_eq!(stored(x * y - y + x)[..3], [1.75, -11.0, 10.5625]);
    }
}
