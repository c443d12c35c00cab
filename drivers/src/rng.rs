//! The seeded generator behind every random draw of the simulation.
//!
//! xoshiro256++ seeded through splitmix64 (Blackman and Vigna): a few instructions a number, the same on every machine.

/// A stream of pseudo-random numbers.
#[derive(Clone, Debug)]
pub struct Rng {
    state: [u64; 4],
}

impl Rng {
    /// A generator for one purpose: streams of one seed are independent, so adding a consumer never moves the others.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut x = seed ^ stream.wrapping_mul(0xd134_2543_de82_ef95).rotate_left(17);
        Self {
            state: core::array::from_fn(|_| splitmix64(&mut x)),
        }
    }

    /// Next 64 random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// Uniform in 0 to 1 (1 excluded).
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// Uniform in -1 to 1.
    #[inline]
    pub fn symmetric(&mut self) -> f64 {
        2.0 * self.uniform() - 1.0
    }

    /// 1 plus or minus `part`, uniform.
    pub fn around_one(&mut self, part: f64) -> f64 {
        1.0 + part * self.symmetric()
    }

    /// Bell-shaped, mean 0, standard deviation 1, bounded by 3.47.
    ///
    /// The sum of four 16-bit uniforms: close enough to Gaussian for sensor noise and far cheaper.
    #[inline]
    pub fn bell(&mut self) -> f64 {
        let x = self.next_u64();
        let sum = (x & 0xffff) + ((x >> 16) & 0xffff) + ((x >> 32) & 0xffff) + (x >> 48);
        // Mean of the sum: 2 * 65535; standard deviation: sqrt(4 (65536^2 - 1) / 12).
        (sum as f64 - 131_070.0) * (1.0 / 37_837.2)
    }
}

fn splitmix64(x: &mut u64) -> u64 {
    *x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *x;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_stream_repeat_and_others_differ() {
        let (mut a, mut b) = (Rng::new(7, 3), Rng::new(7, 3));
        assert!((0..100).all(|_| a.next_u64() == b.next_u64()));
        let (mut c, mut d) = (Rng::new(7, 4), Rng::new(8, 3));
        assert_ne!(a.next_u64(), c.next_u64());
        assert_ne!(b.next_u64(), d.next_u64());
    }

    #[test]
    fn moments_are_those_promised() {
        let mut rng = Rng::new(1, 0);
        let n = 200_000;
        let (mut sum, mut square, mut uniform) = (0.0, 0.0, 0.0);
        for _ in 0..n {
            let x = rng.bell();
            assert!(x.abs() < 3.47);
            sum += x;
            square += x * x;
            uniform += rng.uniform();
        }
        let n = f64::from(n);
        assert!((sum / n).abs() < 0.01);
        assert!((square / n - 1.0).abs() < 0.01);
        assert!((uniform / n - 0.5).abs() < 0.005);
    }
}
