//! The vector units of the processor, chosen when the program runs.
//!
//! A [`Kernel`] is written once, over the [`Vector`] of a unit, with nothing but + - * / and comparisons. It is compiled once for
//! every level, and since nothing is contracted or reordered, all levels give the same bits.

mod first;
mod slim;
mod vector;
#[cfg(target_arch = "x86_64")]
mod x86;
#[cfg(target_arch = "x86_64")]
mod x86_slim;

pub use slim::Slim;
pub use vector::{Portable, Vector};

/// A piece of work over lanes. `run` must be `#[inline(always)]`: it becomes part of a function made for a vector unit.
pub trait Kernel {
    /// What it returns.
    type Output;
    /// Does the work, with the vector of the unit.
    fn run<V: Vector>(self) -> Self::Output;
}

/// A vector unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(Unit);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// What every processor of the target has.
    pub const PORTABLE: Self = Self(Unit::Portable);

    /// AVX2: four axes an instruction.
    ///
    /// # Safety
    /// The processor must have AVX2.
    #[cfg(target_arch = "x86_64")]
    #[expect(unsafe_code, reason = "the caller vouches for the processor")]
    pub const unsafe fn avx2() -> Self {
        Self(Unit::Avx2)
    }

    /// AVX-512: eight axes an instruction.
    ///
    /// # Safety
    /// The processor must have AVX-512 F, DQ, VL and BW.
    #[cfg(target_arch = "x86_64")]
    #[expect(unsafe_code, reason = "the caller vouches for the processor")]
    pub const unsafe fn avx512() -> Self {
        Self(Unit::Avx512)
    }

    /// The word used in tables.
    pub const fn name(self) -> &'static str {
        match self.0 {
            Unit::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Unit::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Unit::Avx512 => "avx512",
        }
    }

    /// Runs a kernel on this unit.
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            Unit::Portable => kernel.run::<Portable>(),
            // SAFETY: only the functions above make these levels, and their callers vouch for the processor.
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "the level says that the processor has the unit")]
            Unit::Avx2 => unsafe { avx2(kernel) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "the level says that the processor has the unit")]
            Unit::Avx512 => unsafe { avx512(kernel) },
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<x86::Half>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw")]
fn avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<x86::Wide>()
}
