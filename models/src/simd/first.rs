//! The first part of a lane alone.

use super::Kernel;
use super::vector::Vector;
use crate::lane::{Lane, Narrow};
use core::ops::{Add, Mul, Sub};

/// A vector for lanes with an axis in none but the places of their first part: the other parts stay as they are.
///
/// A press is often the only axis of its lane, and a machine rarely has a multiple of eight.
#[derive(Clone, Copy)]
pub struct First<V>(V);

macro_rules! first {
    ($trait:ident, $method:ident) => {
        impl<V: Vector> $trait for First<V> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Self(self.0.$method(other.0))
            }
        }
    };
}

first!(Add, add);
first!(Sub, sub);
first!(Mul, mul);

impl<V: Vector> Vector for First<V> {
    const WIDTH: usize = V::WIDTH;
    const PARTS: usize = 1;
    type Mask = V::Mask;
    type Whole = Self;
    type Few = Self;
    type Slim = V::Slim;
    #[inline(always)]
    fn load(from: &Lane, part: usize) -> Self {
        Self(V::load(from, part))
    }
    #[inline(always)]
    fn widen(from: &Narrow, part: usize) -> Self {
        Self(V::widen(from, part))
    }
    #[inline(always)]
    fn store(self, to: &mut Lane, part: usize) {
        self.0.store(to, part);
    }
    #[inline(always)]
    fn narrow(self, to: &mut Narrow, part: usize) {
        self.0.narrow(to, part);
    }
    #[inline(always)]
    fn splat(x: f64) -> Self {
        Self(V::splat(x))
    }
    #[inline(always)]
    fn over(self, by: Self) -> Self {
        Self(self.0.over(by.0))
    }
    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        Self(self.0.larger(other.0))
    }
    #[inline(always)]
    fn smaller(self, other: Self) -> Self {
        Self(self.0.smaller(other.0))
    }
    #[inline(always)]
    fn size(self) -> Self {
        Self(self.0.size())
    }
    #[inline(always)]
    fn above(self, other: Self) -> Self::Mask {
        self.0.above(other.0)
    }
    #[inline(always)]
    fn within(self, other: Self) -> Self::Mask {
        self.0.within(other.0)
    }
    #[inline(always)]
    fn both(a: Self::Mask, b: Self::Mask) -> Self::Mask {
        V::both(a, b)
    }
    #[inline(always)]
    fn either(a: Self::Mask, b: Self::Mask) -> Self::Mask {
        V::either(a, b)
    }
    #[inline(always)]
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        Self(V::select(mask, yes.0, no.0))
    }
    #[inline(always)]
    fn bits(mask: Self::Mask, part: usize) -> u8 {
        V::bits(mask, part)
    }
    #[inline(always)]
    fn mask(bits: u8, part: usize) -> Self::Mask {
        V::mask(bits, part)
    }
    #[inline(always)]
    fn columns(part: usize, row: impl Fn(usize) -> [f64; 4]) -> [Self; 4] {
        let [a, b, c, d] = V::columns(part, row);
        [Self(a), Self(b), Self(c), Self(d)]
    }
    #[inline(always)]
    fn apart<W: Vector, K: Kernel>(kernel: K) -> K::Output {
        V::apart::<W, K>(kernel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lane::LANES;
    use crate::simd::Portable;

    const X: Lane = [1.5, -2.0, 3.25, 0.0, 7.0, -8.5, 9.0, 1.0];
    const Y: Lane = [0.5, 3.0, -0.25, 4.0, 2.0, 2.5, -1.0, 0.0];

    /// Some of everything, in as many parts as the vector works on.
    fn work<V: Vector>(to: &mut Lane) -> u8 {
        let mut bits = 0;
        for part in 0..V::PARTS {
            let [x, y] = V::each([&X, &Y], part);
            let z = (x + y * x - y).over(x.size() + V::splat(1.0));
            let greater = V::both(x.above(y), V::mask(0b0101_0101, part));
            bits |= V::bits(greater, part) & V::places(part);
            let chosen = V::select(greater, z.larger(y), z.smaller(x));
            chosen.limited(V::splat(2.0)).store(to, part);
        }
        bits
    }

    #[test]
    fn the_first_part_is_as_ever_and_the_others_stay() {
        let (mut all, mut few) = ([9.0; LANES], [9.0; LANES]);
        let bits = work::<Portable>(&mut all);
        let first = work::<<Portable as Vector>::Few>(&mut few);
        let width = <Portable as Vector>::Few::WIDTH;
        assert_eq!(few[..width], all[..width]);
        assert!(few[width..].iter().all(|x| *x == 9.0));
        assert_eq!(first, bits & <Portable as Vector>::Few::places(0));
        assert_eq!((width, bits), (2, 0b0101_0101));
    }
}
