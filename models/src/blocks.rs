//! Block features: one figure per movement and regime, so that what is judged is no longer autocorrelated.
//!
//! The residual of `current_load` is turned into the direction in which its cause pushes, and averaged:
//!
//! - constant speed, per direction: times the sign of the velocity. Friction raises it; gravity splits the directions.
//! - acceleration: times the sign of the acceleration, speeding up and slowing down averaged with the same weight, so that
//!   friction cancels and inertia is left.
//! - reversal: not the residual, whose mean a gap leaves as it is (the motor runs free of its load, and pays for it when the
//!   gap closes), but the largest root mean square of the one-cycle innovation of current: both are surprises.
//! - pressing: times the sign of the velocity (into the part).
//!
//! The disturbance that the observer holds is averaged in the same way, except over reversals. The ripple at constant speed is the root
//! mean square of the residual about the mean of each stretch: where friction differs along the way is no ripple.

mod pace;

pub use pace::{BEYOND, Paces};

use crate::channel::Regime;
use crate::regime::Segment;

/// Number of features.
pub const FEATURES: usize = 5;

/// One judged figure of a movement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Feature {
    /// Constant speed, positive direction.
    ConstantPositive = 0,
    /// Constant speed, negative direction.
    ConstantNegative = 1,
    /// Speeding up and slowing down.
    Acceleration = 2,
    /// Right after a change of direction.
    Reversal = 3,
    /// In the part.
    Pressing = 4,
}

impl Feature {
    /// All features in the order of their codes.
    pub const ALL: [Self; FEATURES] = [
        Self::ConstantPositive,
        Self::ConstantNegative,
        Self::Acceleration,
        Self::Reversal,
        Self::Pressing,
    ];

    /// The word used in configurations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConstantPositive => "constant_speed_positive",
            Self::ConstantNegative => "constant_speed_negative",
            Self::Acceleration => "acceleration",
            Self::Reversal => "reversal",
            Self::Pressing => "pressing",
        }
    }

    /// The regime it is taken in.
    pub const fn regime(self) -> Regime {
        match self {
            Self::ConstantPositive | Self::ConstantNegative => Regime::ConstantSpeed,
            Self::Acceleration => Regime::Acceleration,
            Self::Reversal => Regime::Reversal,
            Self::Pressing => Regime::Pressing,
        }
    }

    /// Samples that each half of the feature needs.
    const fn least(self) -> f64 {
        match self {
            Self::ConstantPositive | Self::ConstantNegative => 20.0,
            Self::Acceleration => 8.0,
            Self::Reversal => 8.0,
            Self::Pressing => 20.0,
        }
    }
}

/// Sums over one half of a feature, in the direction in which it is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
struct Sum {
    n: f64,
    residual: f64,
    measured: f64,
    friction: f64,
    inertial: f64,
    contact: f64,
    disturbance: f64,
    square: f64,
    speed: f64,
    speed_square: f64,
}

impl Sum {
    fn add(&mut self, s: &Segment, direction: f64) {
        self.n += s.cycles;
        self.residual += direction * (s.measured_a - s.predicted_a);
        self.measured += direction * s.measured_a;
        self.friction +=
            direction * (s.predicted_a - s.inertial_a - s.contact_a - s.gravity_a * s.cycles);
        self.inertial += direction * s.inertial_a;
        self.contact += direction * s.contact_a;
        self.disturbance += direction * s.disturbance_a;
        let residual = s.measured_a - s.predicted_a;
        self.square += (s.residual_square - residual * residual / s.cycles).max(0.0);
        self.went(s);
    }

    /// How fast it went.
    fn went(&mut self, s: &Segment) {
        let speed = s.velocity_m_per_s.abs();
        self.speed += speed;
        self.speed_square += speed * speed / s.cycles;
    }
}

/// The figure of one feature over one movement.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Block {
    /// Mean residual in the direction of the feature (A).
    pub residual_a: f64,
    /// Mean measured current in the same direction (A).
    pub measured_a: f64,
    /// Mean friction current that was predicted (A).
    pub friction_a: f64,
    /// Mean inertial current that was predicted (A).
    pub inertial_a: f64,
    /// Mean contact current that was predicted (A).
    pub contact_a: f64,
    /// Mean disturbance of the observer in the same direction (A); 0 for a reversal.
    pub disturbance_a: f64,
    /// Root mean square of the residual about its mean (A); 0 for a reversal.
    pub ripple_a: f64,
    /// Mean speed (m/s).
    pub speed_m_per_s: f64,
    /// Root mean square by which the mean speeds of its stretches differ from that (m/s).
    pub spread_m_per_s: f64,
}

/// The features of the movement in progress, of one axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Blocks {
    /// The second half is used by acceleration only: slowing down.
    sums: [[Sum; 2]; FEATURES],
    moving: bool,
    /// The movement in progress was seen from its start on: half a movement is none.
    whole: bool,
}

impl Blocks {
    /// Throws the movement in progress away: after a gap, or when the axis is disabled.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes in a segment.
    pub fn add(&mut self, s: &Segment) {
        self.moving |= !matches!(s.regime, Regime::Standstill | Regime::Settling);
        if !self.whole {
            return;
        }
        let v = if s.forward { 1.0 } else { -1.0 };
        match s.regime {
            Regime::ConstantSpeed if s.forward => self.sums[0][0].add(s, v),
            Regime::ConstantSpeed => self.sums[1][0].add(s, v),
            Regime::Acceleration => {
                let a = if s.speeding { 1.0 } else { -1.0 };
                let half = usize::from(a * v < 0.0);
                self.sums[2][half].add(s, a);
            }
            Regime::Reversal => {
                // The largest innovation counts, not a sum.
                let sum = &mut self.sums[3][0];
                sum.n += s.cycles;
                sum.measured = sum.measured.max(s.innovation_square);
                sum.went(s);
            }
            Regime::Pressing if s.into == s.forward => self.sums[4][0].add(s, v),
            Regime::Pressing | Regime::Standstill | Regime::Settling => {}
        }
    }

    /// The axis has come to rest. Returns the features of the movement, in the order of [`Feature::ALL`]; none if it had not
    /// moved, or if its start was not seen.
    pub fn end(&mut self) -> Option<[Option<Block>; FEATURES]> {
        let (moved, whole) = (self.moving, self.whole);
        (self.moving, self.whole) = (false, true);
        if !moved || !whole {
            return None;
        }
        let mut blocks = [None; FEATURES];
        for (block, (feature, sums)) in blocks.iter_mut().zip(Feature::ALL.iter().zip(&self.sums)) {
            *block = finish(*feature, sums);
        }
        self.sums = Default::default();
        Some(blocks)
    }
}

fn finish(feature: Feature, sums: &[Sum; 2]) -> Option<Block> {
    if feature == Feature::Reversal {
        let rms = libm::sqrt(sums[0].measured);
        let block = Block {
            residual_a: rms,
            measured_a: rms,
            ..Block::default()
        };
        return (sums[0].n >= feature.least()).then(|| block.with_speed(sums));
    }
    let halves = if feature == Feature::Acceleration {
        2
    } else {
        1
    };
    let mut block = Block::default();
    for sum in sums.iter().take(halves) {
        if sum.n < feature.least() {
            return None;
        }
        let w = 1.0 / (sum.n * halves as f64);
        block.residual_a += w * sum.residual;
        block.measured_a += w * sum.measured;
        block.friction_a += w * sum.friction;
        block.inertial_a += w * sum.inertial;
        block.contact_a += w * sum.contact;
        block.disturbance_a += w * sum.disturbance;
        block.ripple_a += w * sum.square;
    }
    block.ripple_a = libm::sqrt(block.ripple_a);
    Some(block.with_speed(sums))
}

impl Block {
    fn with_speed(mut self, sums: &[Sum; 2]) -> Self {
        let n = sums[0].n + sums[1].n;
        let mean = (sums[0].speed + sums[1].speed) / n;
        let square = (sums[0].speed_square + sums[1].speed_square) / n - mean * mean;
        self.speed_m_per_s = mean;
        self.spread_m_per_s = libm::sqrt(square.max(0.0));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(regime: Regime, cycles: f64, forward: bool, speeding: bool) -> Segment {
        Segment {
            regime,
            forward,
            speeding,
            cycles,
            ..Segment::default()
        }
    }

    /// A movement with extra friction `df` and extra inertia `dj` (A), both ways.
    fn movement(blocks: &mut Blocks, df: f64, dj: f64) -> Option<[Option<Block>; FEATURES]> {
        for (regime, cycles, a) in [
            (Regime::Acceleration, 50.0, 1.0),
            (Regime::ConstantSpeed, 100.0, 0.0),
            (Regime::Acceleration, 30.0, -1.0),
        ] {
            let mut s = segment(regime, cycles, true, a > 0.0);
            s.inertial_a = 3.0 * a * cycles;
            s.predicted_a = s.inertial_a + cycles;
            s.measured_a = s.predicted_a + (df + dj * a) * cycles;
            s.disturbance_a = s.measured_a - s.predicted_a;
            // A ripple of 0.1 A about the mean.
            s.residual_square = s.disturbance_a * s.disturbance_a / cycles + 0.01 * cycles;
            blocks.add(&s);
        }
        blocks.add(&segment(Regime::Standstill, 10.0, false, false));
        blocks.end()
    }

    #[test]
    fn friction_shows_at_constant_speed_alone() {
        let mut blocks = Blocks::default();
        assert_eq!(blocks.end(), None);
        let b = movement(&mut blocks, 0.2, 0.0).expect("a whole movement");
        assert!((b[0].expect("constant").residual_a - 0.2).abs() < 1e-12);
        assert!((b[0].expect("constant").friction_a - 1.0).abs() < 1e-12);
        assert!((b[0].expect("constant").disturbance_a - 0.2).abs() < 1e-12);
        assert!((b[0].expect("constant").ripple_a - 0.1).abs() < 1e-12);
        assert!(b[2].expect("acceleration").residual_a.abs() < 1e-12);
        assert_eq!(b[1], None);
    }

    #[test]
    fn inertia_shows_in_acceleration_alone() {
        let mut blocks = Blocks::default();
        blocks.end();
        let b = movement(&mut blocks, 0.0, 0.3).expect("a whole movement");
        assert!(b[0].expect("constant").residual_a.abs() < 1e-12);
        assert!((b[2].expect("acceleration").residual_a - 0.3).abs() < 1e-12);
        assert!((b[2].expect("acceleration").disturbance_a - 0.3).abs() < 1e-12);
        assert!((b[2].expect("acceleration").inertial_a - 3.0).abs() < 1e-12);
    }

    #[test]
    fn the_largest_innovation_of_a_reversal_counts() {
        let mut blocks = Blocks::default();
        blocks.end();
        for r in [0.1, 0.81, 0.4] {
            let mut s = segment(Regime::Reversal, 5.0, false, false);
            s.innovation_square = r;
            blocks.add(&s);
        }
        let ended = blocks.end().expect("the movement ends");
        assert_eq!(ended[3].expect("reversal").residual_a, 0.9);
    }

    #[test]
    fn half_a_movement_says_nothing() {
        assert_eq!(movement(&mut Blocks::default(), 0.2, 0.0), None);
    }

    #[test]
    fn a_cleared_movement_says_nothing() {
        let mut blocks = Blocks::default();
        blocks.end();
        blocks.add(&segment(Regime::ConstantSpeed, 50.0, true, false));
        blocks.clear();
        assert_eq!(blocks.end(), None);
    }

    #[test]
    fn standing_still_is_no_movement() {
        let mut blocks = Blocks::default();
        blocks.end();
        blocks.add(&segment(Regime::Standstill, 500.0, false, false));
        assert_eq!(blocks.end(), None);
    }
}
