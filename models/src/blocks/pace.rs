//! At which pace a movement went through a regime, and which paces a healthy record holds.
//!
//! A model is fitted where the machine was. Friction far below the speeds of the record is another one, because nothing in the record
//! has shown its Stribeck share; far above them its viscous share is extrapolated. What an error of the model leaves of a movement at such
//! a speed is no deviation, and nothing tells it from one. So a figure is worth judging at the paces that its baseline was learnt at.
//!
//! The pace is a speed, and for an acceleration that acceleration: with it goes what is left of an error of the inertia. A movement at
//! several speeds has an interval: its mean, less and more the root mean square of how far its stretches differ from that.

use super::{Block, Feature};

/// How far beyond the record a pace may lie (1): over so much of a way the friction of an axis goes on as it did.
pub const BEYOND: f64 = 1.25;

/// The paces of a regime in a healthy record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paces {
    /// Least (m/s, of an acceleration m/s2; >= 0).
    pub least: f64,
    /// Most (likewise, >= `least`).
    pub most: f64,
}

impl Block {
    /// The pace of this figure, from and to (m/s, of an acceleration m/s2). `inertia` is that of the axis (A s2/m, > 0).
    pub fn pace(&self, feature: Feature, inertia: f64) -> [f64; 2] {
        if feature == Feature::Acceleration {
            let acceleration = self.inertial_a.abs() / inertia;
            return [acceleration; 2];
        }
        let least = (self.speed_m_per_s - self.spread_m_per_s).max(0.0);
        [least, self.speed_m_per_s + self.spread_m_per_s]
    }
}

impl Paces {
    /// All of the paces `of` the movements of a record; none without movements.
    pub fn of(paces: impl Iterator<Item = [f64; 2]>) -> Option<Self> {
        paces.fold(None, |all: Option<Self>, [from, to]| {
            let all = all.unwrap_or(Self {
                least: from,
                most: to,
            });
            Some(Self {
                least: all.least.min(from),
                most: all.most.max(to),
            })
        })
    }

    /// Whether the record says what is healthy at this pace. What is no number is none that it knows.
    pub fn hold(&self, [from, to]: [f64; 2]) -> bool {
        from * BEYOND >= self.least && to <= self.most * BEYOND
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(speed_m_per_s: f64, spread_m_per_s: f64) -> Block {
        Block {
            speed_m_per_s,
            spread_m_per_s,
            inertial_a: -2.0,
            ..Block::default()
        }
    }

    #[test]
    fn what_lies_little_beyond_the_record_is_known() {
        let record = [block(0.9, 0.1), block(1.0, 0.05)];
        let pace = |b: &Block| b.pace(Feature::ConstantPositive, 0.5);
        let paces = Paces::of(record.iter().map(pace)).unwrap();
        assert!((paces.least - 0.8).abs() < 1e-12 && (paces.most - 1.05).abs() < 1e-12);
        for (speed, spread, known) in [
            (0.9, 0.0, true),
            (0.65, 0.0, true),
            (0.6, 0.0, false),
            (0.03, 0.0, false),
            (1.3, 0.0, true),
            (1.35, 0.0, false),
            // Half of the way far slower than the other.
            (0.9, 0.4, false),
            (f64::NAN, 0.0, false),
        ] {
            let found = paces.hold(pace(&block(speed, spread)));
            assert_eq!(found, known, "{speed} m/s, spread {spread}");
        }
        assert_eq!(Paces::of(core::iter::empty()), None);
    }

    #[test]
    fn the_pace_of_an_acceleration_is_that_acceleration() {
        assert_eq!(block(1.0, 0.3).pace(Feature::Acceleration, 0.5), [4.0; 2]);
    }
}
