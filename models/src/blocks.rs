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

use crate::channel::Regime;
use crate::lane::sign;

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

/// Sums over one half of a feature.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sum {
    n: f64,
    residual: f64,
    measured: f64,
    friction: f64,
    inertial: f64,
    contact: f64,
}

impl Sum {
    /// Keeps the largest innovation, and the number of samples.
    fn keep_innovation(&mut self, s: &LoadSample) {
        self.n += 1.0;
        if s.innovation_square > self.measured {
            self.measured = s.innovation_square;
        }
    }

    fn add(&mut self, s: &LoadSample, direction: f64) {
        self.n += 1.0;
        self.residual += direction * (s.measured_a - s.predicted_a);
        self.measured += direction * s.measured_a;
        self.friction += direction * (s.predicted_a - s.inertial_a - s.contact_a - s.gravity_a);
        self.inertial += direction * s.inertial_a;
        self.contact += direction * s.contact_a;
    }
}

/// One cycle of `current_load` of one axis.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LoadSample {
    /// Measured (A).
    pub measured_a: f64,
    /// Predicted (A).
    pub predicted_a: f64,
    /// Inertial share of the prediction (A).
    pub inertial_a: f64,
    /// Contact share of the prediction (A).
    pub contact_a: f64,
    /// Gravity share of the prediction (A).
    pub gravity_a: f64,
    /// Velocity (m/s).
    pub velocity_m_per_s: f64,
    /// Acceleration (m/s2).
    pub acceleration_m_per_s2: f64,
    /// Mean square of the one-cycle innovation of current over the last cycles (A2).
    pub innovation_square: f64,
}

/// The figure of one feature over one movement.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
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
}

/// The features of the movement in progress, of one axis.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Blocks {
    /// The second half is used by acceleration only: slowing down.
    sums: [[Sum; 2]; FEATURES],
    still: u32,
    moving: bool,
    /// The movement in progress was seen from its start on: half a movement is none.
    whole: bool,
}

/// Cycles at rest after which a movement is over.
const STILL: u32 = 10;

impl Blocks {
    /// Throws the movement in progress away: after a gap, or when the axis is disabled.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes in one cycle. Returns the features of a movement that has just ended, in the order of [`Feature::ALL`].
    pub fn push(&mut self, regime: Regime, s: &LoadSample) -> Option<[Option<Block>; FEATURES]> {
        let v = sign(s.velocity_m_per_s);
        match regime {
            _ if !self.whole => {}
            Regime::ConstantSpeed if v > 0.0 => self.sums[0][0].add(s, v),
            Regime::ConstantSpeed => self.sums[1][0].add(s, v),
            Regime::Acceleration => {
                let a = sign(s.acceleration_m_per_s2);
                let half = usize::from(a * v < 0.0);
                self.sums[2][half].add(s, a);
            }
            Regime::Reversal => self.sums[3][0].keep_innovation(s),
            Regime::Pressing if v * s.contact_a > 0.0 => self.sums[4][0].add(s, v),
            Regime::Pressing | Regime::Standstill | Regime::Settling => {}
        }
        if regime == Regime::Standstill {
            self.still = self.still.saturating_add(1);
        } else {
            self.still = 0;
            self.moving = true;
        }
        if self.still < STILL {
            return None;
        }
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
        return (sums[0].n >= feature.least()).then_some(block);
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
    }
    Some(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A movement with extra friction `df` and extra inertia `dj` (A).
    fn movement(df: f64, dj: f64) -> [Option<Block>; FEATURES] {
        let mut blocks = Blocks::default();
        let mut sample = |regime, v: f64, a: f64| {
            let predicted = 1.0 * sign(v) + 3.0 * a;
            let s = LoadSample {
                measured_a: predicted + df * sign(v) + dj * a,
                predicted_a: predicted,
                inertial_a: 3.0 * a,
                velocity_m_per_s: v,
                acceleration_m_per_s2: a,
                ..LoadSample::default()
            };
            blocks.push(regime, &s)
        };
        for _ in 0..20 {
            sample(Regime::Standstill, 0.0, 0.0);
        }
        for _ in 0..50 {
            assert_eq!(sample(Regime::Acceleration, 0.1, 1.0), None);
        }
        for _ in 0..100 {
            sample(Regime::ConstantSpeed, 0.1, 0.0);
        }
        for _ in 0..30 {
            sample(Regime::Acceleration, 0.1, -1.0);
        }
        (0..20)
            .find_map(|_| sample(Regime::Standstill, 0.0, 0.0))
            .expect("the movement ends")
    }

    #[test]
    fn friction_shows_at_constant_speed_alone() {
        let b = movement(0.2, 0.0);
        assert!((b[0].expect("constant").residual_a - 0.2).abs() < 1e-12);
        assert!(b[2].expect("acceleration").residual_a.abs() < 1e-12);
        assert_eq!(b[1], None);
    }

    #[test]
    fn inertia_shows_in_acceleration_alone() {
        let b = movement(0.0, 0.3);
        assert!(b[0].expect("constant").residual_a.abs() < 1e-12);
        assert!((b[2].expect("acceleration").residual_a - 0.3).abs() < 1e-12);
    }

    #[test]
    fn the_largest_innovation_of_a_reversal_counts() {
        let mut blocks = Blocks::default();
        let mut push = |regime, velocity_m_per_s, innovation_square| {
            blocks.push(
                regime,
                &LoadSample {
                    innovation_square,
                    velocity_m_per_s,
                    ..LoadSample::default()
                },
            )
        };
        for _ in 0..20 {
            push(Regime::Standstill, 0.0, 0.0);
        }
        for r in [0.1, 0.2, 0.81, 0.4, 0.8, 0.0, 0.1, 0.0, 0.1] {
            push(Regime::Reversal, -0.1, r);
        }
        let ended = (0..20)
            .find_map(|_| push(Regime::Standstill, 0.0, 0.0))
            .expect("the movement ends");
        assert_eq!(ended[3].expect("reversal").residual_a, 0.9);
    }

    #[test]
    fn half_a_movement_says_nothing() {
        let mut blocks = Blocks::default();
        for _ in 0..100 {
            blocks.push(
                Regime::ConstantSpeed,
                &LoadSample {
                    velocity_m_per_s: 1.0,
                    ..LoadSample::default()
                },
            );
        }
        for _ in 0..50 {
            assert_eq!(
                blocks.push(Regime::Standstill, &LoadSample::default()),
                None
            );
        }
    }

    #[test]
    fn a_cleared_movement_says_nothing() {
        let mut blocks = Blocks::default();
        for _ in 0..50 {
            blocks.push(
                Regime::ConstantSpeed,
                &LoadSample {
                    velocity_m_per_s: 1.0,
                    ..LoadSample::default()
                },
            );
        }
        blocks.clear();
        for _ in 0..50 {
            assert_eq!(
                blocks.push(Regime::Standstill, &LoadSample::default()),
                None
            );
        }
    }
}
