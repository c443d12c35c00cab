//! The least that a hundred axes can cost: their bytes are read, and nothing is done with them.

use crate::figures::Figures;
use crate::sizes::hot_bytes;
use std::hint::black_box;
use twinstep_host::clock::monotonic_ns;
use twinstep_models::lane::{LANES, Lane, ZERO};
use twinstep_models::simd::{Kernel, Level, Vector};

/// Times that all of it is read.
const ROUNDS: usize = 2000;

/// Reads lanes one after the other, four sums side by side.
struct Read<'a>(&'a [Lane]);

impl Kernel for Read<'_> {
    type Output = Lane;

    #[inline(always)]
    fn run<V: Vector>(self) -> Lane {
        let mut sums = [V::splat(0.0); 4];
        for four in self.0.chunks_exact(4) {
            for n in 0..4 {
                for part in 0..V::PARTS {
                    sums[n] = sums[n] + V::load(&four[n], part);
                }
            }
        }
        let mut sum = ZERO;
        ((sums[0] + sums[1]) + (sums[2] + sums[3])).store(&mut sum, 0);
        sum
    }
}

/// What an axis costs of which every byte that a cycle touches is read once, among so many (ns, median).
pub fn read_ns(axes: usize, level: Level) -> f64 {
    let lanes = vec![[1.0; LANES]; axes * hot_bytes() / size_of::<Lane>()];
    let mut figures = Figures::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let start = monotonic_ns();
        black_box(level.run(Read(black_box(&lanes))));
        figures.push((monotonic_ns() - start) as f64 / axes as f64);
    }
    figures.median()
}
