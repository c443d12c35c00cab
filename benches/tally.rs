//! What the axes of a benchmark were seen doing.

use twinstep_cycle::pipeline::Pipeline;
use twinstep_models::blocks::FEATURES;
use twinstep_models::channel::Regime;

/// What the axes were seen doing: proof that it was no idling that was measured.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Axis cycles by regime.
    pub regimes: [u64; Regime::COUNT],
    /// Movements judged by feature.
    pub features: [u64; FEATURES],
}

impl Tally {
    /// Looks at all axes after a cycle.
    pub fn look(&mut self, pipeline: &Pipeline<'_>) {
        for n in 0..pipeline.plan().axes.len() {
            if let Some((_, _, regime)) = pipeline.load(n) {
                self.regimes[regime as usize] += 1;
            }
            let ended = pipeline.ended(n).into_iter().flatten();
            for (count, block) in self.features.iter_mut().zip(ended) {
                *count += u64::from(block.is_some());
            }
        }
    }

    /// Whether the axes did all that axes do; `name` is what the message calls them.
    ///
    /// # Panics
    /// When a regime was never visited or a feature never judged.
    pub fn check(&self, name: &str) {
        for regime in [
            Regime::ConstantSpeed,
            Regime::Acceleration,
            Regime::Reversal,
            Regime::Standstill,
        ] {
            assert!(
                self.regimes[regime as usize] > 0,
                "{name}: no axis was ever in `{}`",
                regime.name()
            );
        }
        assert!(
            self.features.iter().take(4).all(|&n| n > 0),
            "{name}: features were not judged: {:?}",
            self.features
        );
    }
}
