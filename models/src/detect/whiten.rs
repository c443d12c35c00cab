//! Whitening: what is new in an innovation, given the ones before.

/// Largest order of the autoregression.
pub const ORDER: usize = 4;

/// The last innovations of one channel, the newest first (16 bytes).
///
/// They are kept as 32-bit floats: seven digits of a residual are more than any sensor gives.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Whitener {
    last: [f32; ORDER],
}

impl Whitener {
    /// Takes in one innovation (finite) and gives the part that `coefficients` do not foretell, in its unit.
    ///
    /// Unused coefficients are 0. After a start or [`Self::clear`] the first outputs lack a history: hold judging back for
    /// [`ORDER`] cycles.
    #[inline]
    pub fn push(&mut self, coefficients: &[f32; ORDER], innovation: f64) -> f64 {
        let mut foretold = 0.0;
        for (a, e) in coefficients.iter().zip(&self.last) {
            foretold += f64::from(*a) * f64::from(*e);
        }
        self.last = [innovation as f32, self.last[0], self.last[1], self.last[2]];
        innovation - foretold
    }

    /// Forgets everything: after a gap.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_autoregression_becomes_what_drove_it() {
        let coefficients = [0.6, 0.2, -0.1, 0.05];
        let mut whitener = Whitener::default();
        let mut past = [0.0_f64; ORDER];
        for k in 0..1000_u32 {
            let drive = f64::from((k * 7919) % 1000) / 500.0 - 1.0;
            let e = drive
                + coefficients
                    .iter()
                    .zip(past)
                    .map(|(a, p)| f64::from(*a) * p)
                    .sum::<f64>();
            past = [e, past[0], past[1], past[2]];
            let white = whitener.push(&coefficients, e);
            assert!((white - drive).abs() < 1e-6, "{k}: {white} for {drive}");
        }
        whitener.clear();
        assert_eq!(whitener.push(&coefficients, 0.5), 0.5);
    }
}
