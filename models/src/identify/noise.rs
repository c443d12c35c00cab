//! Noise for tests: seeded, with tails.

/// A small generator (splitmix64), seeded so that a failure can be repeated.
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Uniform in 0 to 1, both left out.
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (((z ^ (z >> 31)) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Student t with `freedom` degrees (Bailey 1994).
    pub(crate) fn student(&mut self, freedom: f64) -> f64 {
        loop {
            let u = 2.0 * self.uniform() - 1.0;
            let v = 2.0 * self.uniform() - 1.0;
            let w = u * u + v * v;
            if w < 1.0 {
                return u * libm::sqrt(freedom * (libm::pow(w, -2.0 / freedom) - 1.0) / w);
            }
        }
    }
}
