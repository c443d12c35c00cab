//! A running hash over 64-bit words: equal hashes mean equal runs, bit for bit. It tells runs apart and resists no attacker.

pub(crate) const K: u64 = 0x517c_c1b7_2722_0a95;

/// Takes one word into a running hash: it is turned and multiplied.
#[inline(always)]
pub const fn mix(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(5) ^ word).wrapping_mul(K)
}
