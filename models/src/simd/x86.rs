//! The vectors of AVX2 and AVX-512.
//!
//! These types are made in functions that [`super::Level`] enters only on a processor that has the unit, and nowhere else: the
//! module is private, and a kernel is handed the type by [`super::Level::run`]. Every block below rests on that.
#![expect(
    unsafe_code,
    reason = "instructions of a vector unit, entered only where the processor has it"
)]

use super::vector::Vector;
use crate::lane::Lane;
use core::arch::x86_64::*;
use core::ops::{Add, Mul, Sub};

/// AVX-512.
#[derive(Clone, Copy)]
pub(super) struct Wide(__m512d);

/// AVX2: two halves.
#[derive(Clone, Copy)]
pub(super) struct Halves(__m256d, __m256d);

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
        impl $trait for Halves {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                // SAFETY: see the module.
                unsafe { Self($half(self.0, other.0), $half(self.1, other.1)) }
            }
        }
    };
}

operator!(Add, add, _mm512_add_pd, _mm256_add_pd);
operator!(Sub, sub, _mm512_sub_pd, _mm256_sub_pd);
operator!(Mul, mul, _mm512_mul_pd, _mm256_mul_pd);

impl Vector for Wide {
    type Mask = __mmask8;
    #[inline(always)]
    fn load(from: &Lane) -> Self {
        // SAFETY: see the module; a lane is eight numbers, and no alignment is asked for.
        Self(unsafe { _mm512_loadu_pd(from.as_ptr()) })
    }
    #[inline(always)]
    fn store(self, to: &mut Lane) {
        // SAFETY: as for `load`.
        unsafe { _mm512_storeu_pd(to.as_mut_ptr(), self.0) }
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
    fn bits(mask: Self::Mask) -> u8 {
        mask
    }
}

impl Vector for Halves {
    type Mask = (__m256d, __m256d);
    #[inline(always)]
    fn load(from: &Lane) -> Self {
        // SAFETY: see the module; the second half begins at the fifth of eight numbers, and no alignment is asked for.
        unsafe {
            Self(
                _mm256_loadu_pd(from.as_ptr()),
                _mm256_loadu_pd(from.as_ptr().add(4)),
            )
        }
    }
    #[inline(always)]
    fn store(self, to: &mut Lane) {
        // SAFETY: as for `load`.
        unsafe {
            _mm256_storeu_pd(to.as_mut_ptr(), self.0);
            _mm256_storeu_pd(to.as_mut_ptr().add(4), self.1);
        }
    }
    #[inline(always)]
    fn splat(x: f64) -> Self {
        // SAFETY: see the module.
        unsafe { Self(_mm256_set1_pd(x), _mm256_set1_pd(x)) }
    }
    #[inline(always)]
    fn over(self, by: Self) -> Self {
        // SAFETY: see the module.
        unsafe { Self(_mm256_div_pd(self.0, by.0), _mm256_div_pd(self.1, by.1)) }
    }
    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        // SAFETY: see the module. The instruction gives the second where neither is the larger, as the others do.
        unsafe {
            Self(
                _mm256_max_pd(self.0, other.0),
                _mm256_max_pd(self.1, other.1),
            )
        }
    }
    #[inline(always)]
    fn smaller(self, other: Self) -> Self {
        // SAFETY: see the module. The instruction gives the second where neither is the smaller, as the others do.
        unsafe {
            Self(
                _mm256_min_pd(self.0, other.0),
                _mm256_min_pd(self.1, other.1),
            )
        }
    }
    #[inline(always)]
    fn above(self, other: Self) -> Self::Mask {
        // SAFETY: see the module.
        unsafe {
            (
                _mm256_cmp_pd::<_CMP_GT_OQ>(self.0, other.0),
                _mm256_cmp_pd::<_CMP_GT_OQ>(self.1, other.1),
            )
        }
    }
    #[inline(always)]
    fn within(self, other: Self) -> Self::Mask {
        // SAFETY: see the module.
        unsafe {
            (
                _mm256_cmp_pd::<_CMP_LE_OQ>(self.0, other.0),
                _mm256_cmp_pd::<_CMP_LE_OQ>(self.1, other.1),
            )
        }
    }
    #[inline(always)]
    fn both(a: Self::Mask, b: Self::Mask) -> Self::Mask {
        // SAFETY: see the module.
        unsafe { (_mm256_and_pd(a.0, b.0), _mm256_and_pd(a.1, b.1)) }
    }
    #[inline(always)]
    fn either(a: Self::Mask, b: Self::Mask) -> Self::Mask {
        // SAFETY: see the module.
        unsafe { (_mm256_or_pd(a.0, b.0), _mm256_or_pd(a.1, b.1)) }
    }
    #[inline(always)]
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        // SAFETY: see the module.
        unsafe {
            Self(
                _mm256_blendv_pd(no.0, yes.0, mask.0),
                _mm256_blendv_pd(no.1, yes.1, mask.1),
            )
        }
    }
    #[inline(always)]
    fn bits(mask: Self::Mask) -> u8 {
        // SAFETY: see the module.
        let (low, high) = unsafe { (_mm256_movemask_pd(mask.0), _mm256_movemask_pd(mask.1)) };
        // Four bits each.
        (low | high << 4) as u8
    }
}
