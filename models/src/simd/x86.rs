//! The vectors of AVX2 and AVX-512.
//!
//! These types are made in functions that [`super::Level`] enters only on a processor that has the unit, and nowhere else: the
//! module is private, and a kernel is handed the type by [`super::Level::run`]. Every block below rests on that.
#![expect(
    unsafe_code,
    reason = "instructions of a vector unit, entered only where the processor has it"
)]

use super::Kernel;
use super::first::First;
use super::vector::{Two, Vector};
use super::x86_slim::{HalfSlim, WideSlim};
use crate::digest::K;
use crate::lane::{LANES, Lane, Narrow};
use core::arch::x86_64::*;
use core::ops::{Add, Mul, Sub};

/// AVX-512: a lane.
#[derive(Clone, Copy)]
pub(super) struct Wide(__m512d);

/// AVX2: half of one.
#[derive(Clone, Copy)]
pub(super) struct Half(__m256d);

macro_rules! operator {
    ($trait:ident, $method:ident, $wide:ident, $half:ident) => {
        impl $trait for Wide {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                // SAFETY: see the module.
                Self(unsafe { $wide(self.0, other.0) })
            }
        }
        impl $trait for Half {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                // SAFETY: see the module.
                Self(unsafe { $half(self.0, other.0) })
            }
        }
    };
}

operator!(Add, add, _mm512_add_pd, _mm256_add_pd);
operator!(Sub, sub, _mm512_sub_pd, _mm256_sub_pd);
operator!(Mul, mul, _mm512_mul_pd, _mm256_mul_pd);

impl Vector for Wide {
    const WIDTH: usize = LANES;
    type Mask = __mmask8;
    type Whole = Self;
    type Few = First<Half>;
    type Slim = WideSlim;
    #[inline(always)]
    fn load(from: &Lane, part: usize) -> Self {
        let from = &from[part * Self::WIDTH..][..Self::WIDTH];
        // SAFETY: see the module; the slice is as long as the vector, and no alignment is asked for.
        Self(unsafe { _mm512_loadu_pd(from.as_ptr()) })
    }
    #[inline(always)]
    fn widen(from: &Narrow, part: usize) -> Self {
        let from = &from[part * Self::WIDTH..][..Self::WIDTH];
        // SAFETY: as for `load`.
        Self(unsafe { _mm512_cvtps_pd(_mm256_loadu_ps(from.as_ptr())) })
    }
    #[inline(always)]
    fn store(self, to: &mut Lane, part: usize) {
        let to = &mut to[part * Self::WIDTH..][..Self::WIDTH];
        // SAFETY: as for `load`.
        unsafe { _mm512_storeu_pd(to.as_mut_ptr(), self.0) }
    }
    #[inline(always)]
    fn narrow(self, to: &mut Narrow, part: usize) {
        let to = &mut to[part * Self::WIDTH..][..Self::WIDTH];
        // SAFETY: as for `load`.
        unsafe { _mm256_storeu_ps(to.as_mut_ptr(), _mm512_cvtpd_ps(self.0)) }
    }
    #[inline(always)]
    fn hash(hash: &mut [u64; LANES], figures: [&Lane; 4], _part: usize) {
        // SAFETY: see the module; a lane, and as many hashes, are as long as the vector.
        unsafe {
            let [a, b, c, d] = figures;
            let a = _mm512_castpd_si512(_mm512_loadu_pd(a.as_ptr()));
            let b = _mm512_castpd_si512(_mm512_loadu_pd(b.as_ptr()));
            let c = _mm512_castpd_si512(_mm512_loadu_pd(c.as_ptr()));
            let d = _mm512_castpd_si512(_mm512_loadu_pd(d.as_ptr()));
            let two = _mm512_xor_si512(a, _mm512_rol_epi64::<17>(b));
            let more = _mm512_xor_si512(_mm512_rol_epi64::<34>(c), _mm512_rol_epi64::<51>(d));
            let old = _mm512_loadu_si512(hash.as_ptr().cast());
            let turned = _mm512_xor_si512(_mm512_rol_epi64::<5>(old), two);
            let word = _mm512_xor_si512(turned, more);
            let new = _mm512_mullo_epi64(word, _mm512_set1_epi64(K.cast_signed()));
            _mm512_storeu_si512(hash.as_mut_ptr().cast(), new);
        }
    }
    #[inline(always)]
    fn splat(x: f64) -> Self {
        // SAFETY: see the module.
        Self(unsafe { _mm512_set1_pd(x) })
    }
    #[inline(always)]
    fn over(self, by: Self) -> Self {
        // SAFETY: see the module.
        Self(unsafe { _mm512_div_pd(self.0, by.0) })
    }
    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        // SAFETY: see the module. The instruction gives the second where neither is the larger, as the others do.
        Self(unsafe { _mm512_max_pd(self.0, other.0) })
    }
    #[inline(always)]
    fn smaller(self, other: Self) -> Self {
        // SAFETY: see the module. The instruction gives the second where neither is the smaller, as the others do.
        Self(unsafe { _mm512_min_pd(self.0, other.0) })
    }
    #[inline(always)]
    fn size(self) -> Self {
        // SAFETY: see the module. A sign is the highest bit.
        Self(unsafe { _mm512_abs_pd(self.0) })
    }
    #[inline(always)]
    fn above(self, other: Self) -> Self::Mask {
        // SAFETY: see the module.
        unsafe { _mm512_cmp_pd_mask::<_CMP_GT_OQ>(self.0, other.0) }
    }
    #[inline(always)]
    fn within(self, other: Self) -> Self::Mask {
        // SAFETY: see the module.
        unsafe { _mm512_cmp_pd_mask::<_CMP_LE_OQ>(self.0, other.0) }
    }
    #[inline(always)]
    fn both(a: Self::Mask, b: Self::Mask) -> Self::Mask {
        a & b
    }
    #[inline(always)]
    fn either(a: Self::Mask, b: Self::Mask) -> Self::Mask {
        a | b
    }
    #[inline(always)]
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        // SAFETY: see the module.
        Self(unsafe { _mm512_mask_blend_pd(mask, no.0, yes.0) })
    }
    #[inline(always)]
    fn bits(mask: Self::Mask, _part: usize) -> u8 {
        mask
    }
    #[inline(always)]
    fn mask(bits: u8, _part: usize) -> Self::Mask {
        bits
    }
    #[inline(always)]
    fn columns(_part: usize, row: impl Fn(usize) -> [f64; 4]) -> [Self; 4] {
        // SAFETY: see the module; a row is as long as half a vector.
        unsafe {
            // Rows l and l + 4 in two halves.
            let a = two(row(0), row(4));
            let b = two(row(1), row(5));
            let c = two(row(2), row(6));
            let d = two(row(3), row(7));
            let (ab0, ab1) = (_mm512_unpacklo_pd(a, b), _mm512_unpackhi_pd(a, b));
            let (cd0, cd1) = (_mm512_unpacklo_pd(c, d), _mm512_unpackhi_pd(c, d));
            let first = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13);
            let second = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
            [
                Self(_mm512_permutex2var_pd(ab0, first, cd0)),
                Self(_mm512_permutex2var_pd(ab1, first, cd1)),
                Self(_mm512_permutex2var_pd(ab0, second, cd0)),
                Self(_mm512_permutex2var_pd(ab1, second, cd1)),
            ]
        }
    }
    #[inline(always)]
    fn apart<W: Vector, K: Kernel>(kernel: K) -> K::Output {
        // SAFETY: see the module; `W` is a vector of this unit too.
        unsafe { avx512_apart::<W, K>(kernel) }
    }
}

/// Two rows side by side.
#[inline(always)]
fn two(low: [f64; 4], high: [f64; 4]) -> __m512d {
    // SAFETY: see the module; a row is as long as half a vector.
    unsafe {
        let low = _mm512_castpd256_pd512(_mm256_loadu_pd(low.as_ptr()));
        _mm512_insertf64x4::<1>(low, _mm256_loadu_pd(high.as_ptr()))
    }
}

impl Vector for Half {
    const WIDTH: usize = LANES / 2;
    type Mask = __m256d;
    type Whole = Two<Self>;
    type Few = First<Self>;
    type Slim = HalfSlim;
    #[inline(always)]
    fn load(from: &Lane, part: usize) -> Self {
        let from = &from[part * Self::WIDTH..][..Self::WIDTH];
        // SAFETY: see the module; the slice is as long as the vector, and no alignment is asked for.
        Self(unsafe { _mm256_loadu_pd(from.as_ptr()) })
    }
    #[inline(always)]
    fn widen(from: &Narrow, part: usize) -> Self {
        let from = &from[part * Self::WIDTH..][..Self::WIDTH];
        // SAFETY: as for `load`.
        Self(unsafe { _mm256_cvtps_pd(_mm_loadu_ps(from.as_ptr())) })
    }
    #[inline(always)]
    fn store(self, to: &mut Lane, part: usize) {
        let to = &mut to[part * Self::WIDTH..][..Self::WIDTH];
        // SAFETY: as for `load`.
        unsafe { _mm256_storeu_pd(to.as_mut_ptr(), self.0) }
    }
    #[inline(always)]
    fn narrow(self, to: &mut Narrow, part: usize) {
        let to = &mut to[part * Self::WIDTH..][..Self::WIDTH];
        // SAFETY: as for `load`.
        unsafe { _mm_storeu_ps(to.as_mut_ptr(), _mm256_cvtpd_ps(self.0)) }
    }
    #[inline(always)]
    fn splat(x: f64) -> Self {
        // SAFETY: see the module.
        Self(unsafe { _mm256_set1_pd(x) })
    }
    #[inline(always)]
    fn over(self, by: Self) -> Self {
        // SAFETY: see the module.
        Self(unsafe { _mm256_div_pd(self.0, by.0) })
    }
    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        // SAFETY: see the module. The instruction gives the second where neither is the larger, as the others do.
        Self(unsafe { _mm256_max_pd(self.0, other.0) })
    }
    #[inline(always)]
    fn smaller(self, other: Self) -> Self {
        // SAFETY: see the module. The instruction gives the second where neither is the smaller, as the others do.
        Self(unsafe { _mm256_min_pd(self.0, other.0) })
    }
    #[inline(always)]
    fn size(self) -> Self {
        // SAFETY: see the module. A sign is the highest bit.
        Self(unsafe { _mm256_andnot_pd(_mm256_set1_pd(-0.0), self.0) })
    }
    #[inline(always)]
    fn above(self, other: Self) -> Self::Mask {
        // SAFETY: see the module.
        unsafe { _mm256_cmp_pd::<_CMP_GT_OQ>(self.0, other.0) }
    }
    #[inline(always)]
    fn within(self, other: Self) -> Self::Mask {
        // SAFETY: see the module.
        unsafe { _mm256_cmp_pd::<_CMP_LE_OQ>(self.0, other.0) }
    }
    #[inline(always)]
    fn both(a: Self::Mask, b: Self::Mask) -> Self::Mask {
        // SAFETY: see the module.
        unsafe { _mm256_and_pd(a, b) }
    }
    #[inline(always)]
    fn either(a: Self::Mask, b: Self::Mask) -> Self::Mask {
        // SAFETY: see the module.
        unsafe { _mm256_or_pd(a, b) }
    }
    #[inline(always)]
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        // SAFETY: see the module.
        Self(unsafe { _mm256_blendv_pd(no.0, yes.0, mask) })
    }
    #[inline(always)]
    fn bits(mask: Self::Mask, part: usize) -> u8 {
        // SAFETY: see the module.
        let bits = unsafe { _mm256_movemask_pd(mask) };
        // Four bits.
        (bits as u8) << (4 * part)
    }
    #[inline(always)]
    fn mask(bits: u8, part: usize) -> Self::Mask {
        // SAFETY: see the module.
        unsafe {
            let place = _mm256_setr_epi64x(1, 2, 4, 8);
            let all = _mm256_set1_epi64x(i64::from(bits >> (4 * part)));
            _mm256_castsi256_pd(_mm256_cmpeq_epi64(_mm256_and_si256(all, place), place))
        }
    }
    #[inline(always)]
    fn columns(part: usize, row: impl Fn(usize) -> [f64; 4]) -> [Self; 4] {
        // SAFETY: see the module; a row is as long as a vector.
        unsafe {
            let a = _mm256_loadu_pd(row(4 * part).as_ptr());
            let b = _mm256_loadu_pd(row(4 * part + 1).as_ptr());
            let c = _mm256_loadu_pd(row(4 * part + 2).as_ptr());
            let d = _mm256_loadu_pd(row(4 * part + 3).as_ptr());
            let (ab0, ab1) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
            let (cd0, cd1) = (_mm256_unpacklo_pd(c, d), _mm256_unpackhi_pd(c, d));
            [
                Self(_mm256_permute2f128_pd::<0x20>(ab0, cd0)),
                Self(_mm256_permute2f128_pd::<0x20>(ab1, cd1)),
                Self(_mm256_permute2f128_pd::<0x31>(ab0, cd0)),
                Self(_mm256_permute2f128_pd::<0x31>(ab1, cd1)),
            ]
        }
    }
    #[inline(always)]
    fn apart<W: Vector, K: Kernel>(kernel: K) -> K::Output {
        // SAFETY: see the module; `W` is a vector of this unit too.
        unsafe { avx2_apart::<W, K>(kernel) }
    }
}

#[cold]
#[inline(never)]
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw")]
fn avx512_apart<W: Vector, K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<W>()
}

#[cold]
#[inline(never)]
#[target_feature(enable = "avx2")]
fn avx2_apart<W: Vector, K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<W>()
}
