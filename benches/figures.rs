//! Order statistics of what was measured, and the cost of measuring it.

use twinstep_host::clock::monotonic_ns;

/// Figures in the order in which they were measured.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    values: Vec<f64>,
}

impl Figures {
    /// Room for `capacity` figures, so that nothing is allocated between two measurements.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            values: Vec::with_capacity(capacity),
        }
    }

    /// Takes in one figure.
    pub fn push(&mut self, value: f64) {
        self.values.push(value);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.values.len()
    }

    /// The smallest value that a share `q` (0 to 1) of the figures does not exceed; 0 when there is none.
    pub fn quantile(&self, q: f64) -> f64 {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (q * sorted.len() as f64).ceil() as usize;
        sorted
            .get(rank.clamp(1, sorted.len().max(1)) - 1)
            .copied()
            .unwrap_or(0.0)
    }

    /// The middle one.
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The largest one.
    pub fn max(&self) -> f64 {
        self.quantile(1.0)
    }
}

/// What one reading of the clock costs (ns), median of many: it is taken off every lap.
pub fn clock_cost_ns() -> f64 {
    const READINGS: u32 = 64;
    let mut figures = Figures::with_capacity(1000);
    for _ in 0..1000 {
        let start = monotonic_ns();
        for _ in 1..READINGS {
            std::hint::black_box(monotonic_ns());
        }
        figures.push((monotonic_ns() - start) as f64 / f64::from(READINGS));
    }
    figures.median()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_figures_that_were_measured() {
        let mut figures = Figures::default();
        assert_eq!(figures.median(), 0.0);
        for value in [5.0, 1.0, 4.0, 2.0, 3.0] {
            figures.push(value);
        }
        assert_eq!(figures.median(), 3.0);
        assert_eq!(figures.max(), 5.0);
        assert_eq!(figures.quantile(0.2), 1.0);
        assert_eq!(figures.quantile(0.0), 1.0);
    }
}
