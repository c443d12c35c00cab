//! Numbers that are worked on at once: a lane, or a part of one.
//!
//! A unit takes as many numbers as its registers hold: a lane is worked on part by part, so that what is computed on the way stays
//! in registers. Left to itself the compiler takes a long loop one number at a time as soon as it holds a choice, so the
//! kernels of a cycle are written over this trait. All operations are those of IEEE 754, place by place: every vector gives the same bits.

#![allow(
    clippy::needless_range_loop,
    reason = "an iterator's adapter over vectors is not made for the unit"
)]

use super::Kernel;
use super::first::First;
use super::slim::{PortableSlim, Slim};
use crate::digest::mix;
use crate::lane::{LANES, Lane, Narrow};
use core::ops::{Add, Mul, Sub};

/// As many numbers as the unit takes at once.
///
/// A closure, or an iterator's adapter, is a function of its own that is not made for the unit: where the compiler does not
/// happen to inline it, every operation in it becomes a call, ten times as slow. So there are none over vectors, here and in
/// the kernels: functions that are `#[inline(always)]`, and loops over numbers.
pub trait Vector: Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> {
    /// Numbers in it: a divisor of [`LANES`].
    const WIDTH: usize;
    /// Parts of a lane that are worked on: all of them but for [`Self::Few`].
    const PARTS: usize = LANES / Self::WIDTH;
    /// A truth value for each number.
    type Mask: Copy;
    /// The vector of a whole lane: for a long chain of operations, in which parts one after the other would wait for themselves.
    type Whole: Vector;
    /// The vector of lanes with an axis in none but the first few places: it leaves the others alone.
    type Few: Vector;
    /// Narrow numbers of the unit.
    type Slim: Slim;
    /// From memory: part `part` of a lane, which must be below [`Self::PARTS`].
    fn load(from: &Lane, part: usize) -> Self;
    /// The same out of narrow numbers.
    fn widen(from: &Narrow, part: usize) -> Self;
    /// To memory, likewise.
    fn store(self, to: &mut Lane, part: usize);
    /// The same into narrow numbers, each to the nearest.
    fn narrow(self, to: &mut Narrow, part: usize);
    /// The same number everywhere.
    fn splat(x: f64) -> Self;
    /// Quotients.
    fn over(self, by: Self) -> Self;
    /// `self` where it is greater than `other`, else `other`.
    fn larger(self, other: Self) -> Self;
    /// `self` where it is less than `other`, else `other`.
    fn smaller(self, other: Self) -> Self;
    /// Sizes, without signs.
    fn size(self) -> Self;
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
    /// One bit a place of the whole lane, the first one lowest: those of part `part` are set as the mask is, others are 0.
    fn bits(mask: Self::Mask, part: usize) -> u8;
    /// The mask of part `part` out of the bits of a lane.
    fn mask(bits: u8, part: usize) -> Self::Mask;
    /// Four columns out of rows: `row(l)` is that of place `l` of part `part`, counted over the whole lane.
    fn columns(part: usize, row: impl Fn(usize) -> [f64; 4]) -> [Self; 4];
    /// Does a piece of work of `W`, a vector of this unit, in a function of its own that is made for the unit: what is rare makes what is
    /// not no larger.
    fn apart<W: Vector, K: Kernel>(kernel: K) -> K::Output;
    /// Takes four figures a place into running hashes, each turned so that none hides another.
    #[inline(always)]
    fn hash(hash: &mut [u64; LANES], figures: [&Lane; 4], part: usize) {
        for l in part * Self::WIDTH..(part + 1) * Self::WIDTH {
            let word = figures[0][l].to_bits()
                ^ figures[1][l].to_bits().rotate_left(17)
                ^ figures[2][l].to_bits().rotate_left(34)
                ^ figures[3][l].to_bits().rotate_left(51);
            hash[l] = mix(hash[l], word);
        }
    }
    /// Part `part` of several lanes.
    #[inline(always)]
    fn each<const N: usize>(from: [&Lane; N], part: usize) -> [Self; N] {
        let mut all = [Self::splat(0.0); N];
        for n in 0..N {
            all[n] = Self::load(from[n], part);
        }
        all
    }
    /// The bits of all places of part `part`.
    #[inline(always)]
    fn places(part: usize) -> u8 {
        (u8::MAX >> (LANES - Self::WIDTH)) << (part * Self::WIDTH)
    }
    /// `-limit <= self <= limit`.
    #[inline(always)]
    fn inside(self, limit: Self) -> Self::Mask {
        self.size().within(limit)
    }
    /// Limited to `-limit..=limit`.
    #[inline(always)]
    fn limited(self, limit: Self) -> Self {
        limit.smaller((Self::splat(0.0) - limit).larger(self))
    }
}

/// Any processor: two numbers, as the smallest vector units have it.
#[derive(Clone, Copy)]
pub struct Portable([f64; 2]);

impl Portable {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f64, f64) -> f64) -> Self {
        Self([f(self.0[0], other.0[0]), f(self.0[1], other.0[1])])
    }

    #[inline(always)]
    fn compare(self, other: Self, f: impl Fn(f64, f64) -> bool) -> [u64; 2] {
        let all = |set: bool| if set { u64::MAX } else { 0 };
        [all(f(self.0[0], other.0[0])), all(f(self.0[1], other.0[1]))]
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
    const WIDTH: usize = 2;
    // All bits of a place or none: choices become bit operations, which every vector unit has.
    type Mask = [u64; 2];
    type Whole = Two<Two<Self>>;
    type Few = First<Self>;
    type Slim = PortableSlim;
    #[inline(always)]
    fn load(from: &Lane, part: usize) -> Self {
        Self([from[2 * part], from[2 * part + 1]])
    }
    #[inline(always)]
    fn widen(from: &Narrow, part: usize) -> Self {
        Self([f64::from(from[2 * part]), f64::from(from[2 * part + 1])])
    }
    #[inline(always)]
    fn store(self, to: &mut Lane, part: usize) {
        [to[2 * part], to[2 * part + 1]] = self.0;
    }
    #[inline(always)]
    fn narrow(self, to: &mut Narrow, part: usize) {
        [to[2 * part], to[2 * part + 1]] = [self.0[0] as f32, self.0[1] as f32];
    }
    #[inline(always)]
    fn splat(x: f64) -> Self {
        Self([x; 2])
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
    fn size(self) -> Self {
        let size = |x: f64| f64::from_bits(x.to_bits() & (u64::MAX >> 1));
        Self([size(self.0[0]), size(self.0[1])])
    }
    #[inline(always)]
    fn above(self, other: Self) -> Self::Mask {
        self.compare(other, |a, b| a > b)
    }
    #[inline(always)]
    fn within(self, other: Self) -> Self::Mask {
        self.compare(other, |a, b| a <= b)
    }
    #[inline(always)]
    fn both(a: Self::Mask, b: Self::Mask) -> Self::Mask {
        [a[0] & b[0], a[1] & b[1]]
    }
    #[inline(always)]
    fn either(a: Self::Mask, b: Self::Mask) -> Self::Mask {
        [a[0] | b[0], a[1] | b[1]]
    }
    #[inline(always)]
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        let choose = |l: usize| {
            f64::from_bits((yes.0[l].to_bits() & mask[l]) | (no.0[l].to_bits() & !mask[l]))
        };
        Self([choose(0), choose(1)])
    }
    #[inline(always)]
    fn bits(mask: Self::Mask, part: usize) -> u8 {
        ((mask[0] & 1 | mask[1] & 2) as u8) << (2 * part)
    }
    #[inline(always)]
    fn mask(bits: u8, part: usize) -> Self::Mask {
        let bit = |l: usize| 0_u64.wrapping_sub(u64::from(bits >> (2 * part + l) & 1));
        [bit(0), bit(1)]
    }
    #[inline(always)]
    fn columns(part: usize, row: impl Fn(usize) -> [f64; 4]) -> [Self; 4] {
        let (a, b) = (row(2 * part), row(2 * part + 1));
        [
            Self([a[0], b[0]]),
            Self([a[1], b[1]]),
            Self([a[2], b[2]]),
            Self([a[3], b[3]]),
        ]
    }
    #[cold]
    #[inline(never)]
    fn apart<W: Vector, K: Kernel>(kernel: K) -> K::Output {
        kernel.run::<W>()
    }
}

/// Two vectors as one: more work side by side, where a long chain of operations would let the unit wait for itself.
#[derive(Clone, Copy)]
pub struct Two<V>(V, V);

macro_rules! by_two {
    ($trait:ident, $method:ident) => {
        impl<V: Vector> $trait for Two<V> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Self(self.0.$method(other.0), self.1.$method(other.1))
            }
        }
    };
}

by_two!(Add, add);
by_two!(Sub, sub);
by_two!(Mul, mul);

impl<V: Vector> Vector for Two<V> {
    const WIDTH: usize = 2 * V::WIDTH;
    type Mask = (V::Mask, V::Mask);
    type Whole = V::Whole;
    type Few = V::Few;
    type Slim = V::Slim;
    #[inline(always)]
    fn load(from: &Lane, part: usize) -> Self {
        Self(V::load(from, 2 * part), V::load(from, 2 * part + 1))
    }
    #[inline(always)]
    fn widen(from: &Narrow, part: usize) -> Self {
        Self(V::widen(from, 2 * part), V::widen(from, 2 * part + 1))
    }
    #[inline(always)]
    fn store(self, to: &mut Lane, part: usize) {
        self.0.store(to, 2 * part);
        self.1.store(to, 2 * part + 1);
    }
    #[inline(always)]
    fn narrow(self, to: &mut Narrow, part: usize) {
        self.0.narrow(to, 2 * part);
        self.1.narrow(to, 2 * part + 1);
    }
    #[inline(always)]
    fn splat(x: f64) -> Self {
        Self(V::splat(x), V::splat(x))
    }
    #[inline(always)]
    fn over(self, by: Self) -> Self {
        Self(self.0.over(by.0), self.1.over(by.1))
    }
    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        Self(self.0.larger(other.0), self.1.larger(other.1))
    }
    #[inline(always)]
    fn smaller(self, other: Self) -> Self {
        Self(self.0.smaller(other.0), self.1.smaller(other.1))
    }
    #[inline(always)]
    fn size(self) -> Self {
        Self(self.0.size(), self.1.size())
    }
    #[inline(always)]
    fn above(self, other: Self) -> Self::Mask {
        (self.0.above(other.0), self.1.above(other.1))
    }
    #[inline(always)]
    fn within(self, other: Self) -> Self::Mask {
        (self.0.within(other.0), self.1.within(other.1))
    }
    #[inline(always)]
    fn both(a: Self::Mask, b: Self::Mask) -> Self::Mask {
        (V::both(a.0, b.0), V::both(a.1, b.1))
    }
    #[inline(always)]
    fn either(a: Self::Mask, b: Self::Mask) -> Self::Mask {
        (V::either(a.0, b.0), V::either(a.1, b.1))
    }
    #[inline(always)]
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        Self(
            V::select(mask.0, yes.0, no.0),
            V::select(mask.1, yes.1, no.1),
        )
    }
    #[inline(always)]
    fn bits(mask: Self::Mask, part: usize) -> u8 {
        V::bits(mask.0, 2 * part) | V::bits(mask.1, 2 * part + 1)
    }
    #[inline(always)]
    fn mask(bits: u8, part: usize) -> Self::Mask {
        (V::mask(bits, 2 * part), V::mask(bits, 2 * part + 1))
    }
    #[inline(always)]
    fn columns(part: usize, row: impl Fn(usize) -> [f64; 4]) -> [Self; 4] {
        let [a, b, c, d] = V::columns(2 * part, &row);
        let [e, f, g, h] = V::columns(2 * part + 1, &row);
        [Self(a, e), Self(b, f), Self(c, g), Self(d, h)]
    }
    #[inline(always)]
    fn apart<W: Vector, K: Kernel>(kernel: K) -> K::Output {
        V::apart::<W, K>(kernel)
    }
}
