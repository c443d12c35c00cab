//! The narrow vectors of AVX2 and AVX-512: eight numbers in both. As in [`super::x86`], they are made only where the processor has
//! the unit, and every block below rests on that.
#![expect(
    unsafe_code,
    reason = "instructions of a vector unit, entered only where the processor has it"
)]

use super::slim::Slim;
use crate::lane::Narrow;
use core::arch::x86_64::*;
use core::ops::{Add, Mul, Sub};

/// AVX-512: its masks are bits.
#[derive(Clone, Copy)]
pub struct WideSlim(__m256);

/// AVX2: its masks are numbers.
#[derive(Clone, Copy)]
pub struct HalfSlim(__m256);

macro_rules! operator {
    ($type:ident, $trait:ident, $method:ident, $operation:ident) => {
        impl $trait for $type {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                // SAFETY: see the module.
                Self(unsafe { $operation(self.0, other.0) })
            }
        }
    };
}

macro_rules! alike {
    () => {
        #[inline(always)]
        fn load(from: &Narrow) -> Self {
            // SAFETY: see the module; the array is as long as the vector, and no alignment is asked for.
            Self(unsafe { _mm256_loadu_ps(from.as_ptr()) })
        }
        #[inline(always)]
        fn store(self, to: &mut Narrow) {
            // SAFETY: as for `load`.
            unsafe { _mm256_storeu_ps(to.as_mut_ptr(), self.0) }
        }
        #[inline(always)]
        fn splat(x: f32) -> Self {
            // SAFETY: see the module.
            Self(unsafe { _mm256_set1_ps(x) })
        }
        #[inline(always)]
        fn larger(self, other: Self) -> Self {
            // SAFETY: see the module. The instruction gives the second where neither is the larger, as the others do.
            Self(unsafe { _mm256_max_ps(self.0, other.0) })
        }
        #[inline(always)]
        fn smaller(self, other: Self) -> Self {
            // SAFETY: see the module. The instruction gives the second where neither is the smaller, as the others do.
            Self(unsafe { _mm256_min_ps(self.0, other.0) })
        }
        #[inline(always)]
        fn size(self) -> Self {
            // SAFETY: see the module. A sign is the highest bit.
            Self(unsafe { _mm256_andnot_ps(_mm256_set1_ps(-0.0), self.0) })
        }
    };
}

operator!(WideSlim, Add, add, _mm256_add_ps);
operator!(WideSlim, Sub, sub, _mm256_sub_ps);
operator!(WideSlim, Mul, mul, _mm256_mul_ps);
operator!(HalfSlim, Add, add, _mm256_add_ps);
operator!(HalfSlim, Sub, sub, _mm256_sub_ps);
operator!(HalfSlim, Mul, mul, _mm256_mul_ps);

impl Slim for WideSlim {
    type Mask = __mmask8;
    alike!();
    #[inline(always)]
    fn reaches(self, other: Self) -> Self::Mask {
        // SAFETY: see the module.
        unsafe { _mm256_cmp_ps_mask::<_CMP_GE_OQ>(self.0, other.0) }
    }
    #[inline(always)]
    fn either(a: Self::Mask, b: Self::Mask) -> Self::Mask {
        a | b
    }
    #[inline(always)]
    fn kept(self, mask: Self::Mask) -> Self {
        // SAFETY: see the module.
        Self(unsafe { _mm256_maskz_mov_ps(mask, self.0) })
    }
    #[inline(always)]
    fn bits(mask: Self::Mask) -> u8 {
        mask
    }
    #[inline(always)]
    fn mask(bits: u8) -> Self::Mask {
        bits
    }
}

impl Slim for HalfSlim {
    type Mask = __m256;
    alike!();
    #[inline(always)]
    fn reaches(self, other: Self) -> Self::Mask {
        // SAFETY: see the module.
        unsafe { _mm256_cmp_ps::<_CMP_GE_OQ>(self.0, other.0) }
    }
    #[inline(always)]
    fn either(a: Self::Mask, b: Self::Mask) -> Self::Mask {
        // SAFETY: see the module.
        unsafe { _mm256_or_ps(a, b) }
    }
    #[inline(always)]
    fn kept(self, mask: Self::Mask) -> Self {
        // SAFETY: see the module.
        Self(unsafe { _mm256_and_ps(self.0, mask) })
    }
    #[inline(always)]
    fn bits(mask: Self::Mask) -> u8 {
        // SAFETY: see the module. Eight bits.
        (unsafe { _mm256_movemask_ps(mask) }) as u8
    }
    #[inline(always)]
    fn mask(bits: u8) -> Self::Mask {
        // SAFETY: see the module.
        unsafe {
            let place = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
            let all = _mm256_set1_epi32(i32::from(bits));
            _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(all, place), place))
        }
    }
}
