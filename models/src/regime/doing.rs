//! What eight axes do, in the bits of one word.

use crate::channel::Regime;

/// What eight axes do: a bit for each axis. One that does none of this moves at constant speed.
///
/// The bytes are kept in one word: written one by one and copied together they would wait for each other on their way to memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Doing(u64);

/// The bytes of [`Doing`].
#[derive(Clone, Copy)]
pub(super) enum Does {
    Settling = 0,
    Standstill = 1,
    Reversal = 2,
    Pressing = 3,
    Acceleration = 4,
    /// The velocity is positive, where that matters.
    Forward = 5,
    /// Acceleration, or contact force where it presses, is positive.
    Up = 6,
}

impl Doing {
    /// Settling.
    pub const NEW: Self = Self(0).with(Does::Settling, u8::MAX);

    /// Nothing of all that.
    pub const NONE: Self = Self(0);

    /// And this too; the byte must be 0 yet.
    #[inline(always)]
    pub const fn with(self, does: Does, bits: u8) -> Self {
        Self(self.0 | (bits as u64) << (8 * does as u32))
    }

    #[inline(always)]
    pub const fn bits(self, does: Does) -> u8 {
        (self.0 >> (8 * does as u32)) as u8
    }

    /// The axes that do something else than in `other`.
    #[inline(always)]
    pub const fn differ(self, other: Self) -> u8 {
        let mut bytes = self.0 ^ other.0;
        bytes |= bytes >> 32;
        bytes |= bytes >> 16;
        bytes |= bytes >> 8;
        bytes as u8
    }

    pub const fn is(self, does: Does, l: usize) -> bool {
        self.bits(does) & (1 << l) != 0
    }

    pub fn regime(self, l: usize) -> Regime {
        if self.is(Does::Settling, l) {
            Regime::Settling
        } else if self.is(Does::Standstill, l) {
            Regime::Standstill
        } else if self.is(Does::Reversal, l) {
            Regime::Reversal
        } else if self.is(Does::Pressing, l) {
            Regime::Pressing
        } else if self.is(Does::Acceleration, l) {
            Regime::Acceleration
        } else {
            Regime::ConstantSpeed
        }
    }
}
