//! Eight numbers that are worked on at once.
//!
//! Most kernels are plain loops that the compiler turns into vector instructions. The exact step of the cascade is too long for
//! that, so it is written over this trait. All operations are those of IEEE 754, place by place: every vector gives the same bits.

use crate::lane::{LANES, Lane};
use core::ops::{Add, Mul, Sub};

/// Eight numbers.
pub trait Vector: Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> {
    /// Eight truth values.
    type Mask: Copy;
    /// From memory.
    fn load(from: &Lane) -> Self;
    /// To memory.
    fn store(self, to: &mut Lane);
    /// The same number eight times.
    fn splat(x: f64) -> Self;
    /// Quotients.
    fn over(self, by: Self) -> Self;
    /// `self` where it is greater than `other`, else `other`.
    fn larger(self, other: Self) -> Self;
    /// `self` where it is less than `other`, else `other`.
    fn smaller(self, other: Self) -> Self;
    /// Greater than.
    fn above(self, other: Self) -> Self::Mask;
    /// Less than or equal.
    fn within(self, other: Self) -> Self::Mask;
    /// Both.
    fn both(a: Self::Mask, b: Self::Mask) -> Self::Mask;
    /// At least one.
    fn either(a: Self::Mask, b: Self::Mask) -> Self::Mask;
    /// `yes` where the mask is set, `no` elsewhere.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;
    /// One bit a place, the first one lowest.
    fn bits(mask: Self::Mask) -> u8;
}

/// Any processor.
#[derive(Clone, Copy)]
pub struct Portable(Lane);

impl Portable {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f64, f64) -> f64) -> Self {
        Self(core::array::from_fn(|l| f(self.0[l], other.0[l])))
    }
}

impl Add for Portable {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
}

impl Sub for Portable {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
}

impl Mul for Portable {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }
}

impl Vector for Portable {
    // All bits of a place or none: choices become bit operations, which every vector unit has.
    type Mask = [u64; LANES];
    #[inline(always)]
    fn load(from: &Lane) -> Self {
        Self(*from)
    }
    #[inline(always)]
    fn store(self, to: &mut Lane) {
        *to = self.0;
    }
    #[inline(always)]
    fn splat(x: f64) -> Self {
        Self([x; LANES])
    }
    #[inline(always)]
    fn over(self, by: Self) -> Self {
        self.zip(by, |a, b| a / b)
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
    fn above(self, other: Self) -> Self::Mask {
        core::array::from_fn(|l| if self.0[l] > other.0[l] { u64::MAX } else { 0 })
    }
    #[inline(always)]
    fn within(self, other: Self) -> Self::Mask {
        core::array::from_fn(|l| if self.0[l] <= other.0[l] { u64::MAX } else { 0 })
    }
    #[inline(always)]
    fn both(a: Self::Mask, b: Self::Mask) -> Self::Mask {
        core::array::from_fn(|l| a[l] & b[l])
    }
    #[inline(always)]
    fn either(a: Self::Mask, b: Self::Mask) -> Self::Mask {
        core::array::from_fn(|l| a[l] | b[l])
    }
    #[inline(always)]
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        Self(core::array::from_fn(|l| {
            f64::from_bits((yes.0[l].to_bits() & mask[l]) | (no.0[l].to_bits() & !mask[l]))
        }))
    }
    #[inline(always)]
    fn bits(mask: Self::Mask) -> u8 {
        (mask.iter().enumerate()).fold(0, |bits, (l, set)| bits | (((set & 1) as u8) << l))
    }
}
