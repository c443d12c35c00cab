//! From samples to signatures: finds the strokes in the reference, and pairs one with the stroke back.
//!
//! A stroke is a stretch in which the reference moves one way. It counts at constant speed, and once the following error of
//! its start has died away. A signature is complete as soon as the way back has as many samples as the way out, so that both
//! directions weigh the same; a shorter way back counts when it ends, if it has at least half of them.

use super::stroke::Stroke;
use super::{FIGURES, SAMPLE_NS, Signature};

/// Samples that a stroke needs.
const LEAST: f64 = 20.0;
/// A reference that moves by less between two samples stands (m).
const STANDS_M: f64 = 1.0e-7;
/// Share by which the steps of the reference may differ at constant speed.
const STEADY_SHARE: f64 = 0.02;

/// How signatures of one axis are taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Way per revolution of the screw (m, > 0).
    pub screw_lead_m: f64,
    /// Samples at constant speed until the following error has died away.
    pub settle_samples: u32,
    /// Cycles that are averaged to one sample (1 or more).
    pub cycles_per_sample: u32,
    /// Time of a sample (s, > 0).
    pub sample_s: f64,
}

impl Settings {
    /// Settings for a lead (m), a settling time (s) and a period (ns).
    pub fn new(screw_lead_m: f64, settle_s: f64, period_ns: u64) -> Self {
        let cycles = SAMPLE_NS / if period_ns > 0 { period_ns } else { 1 };
        let cycles = if cycles > 1 { cycles } else { 1 };
        let sample_s = (cycles * period_ns) as f64 / 1e9;
        Self {
            screw_lead_m,
            settle_samples: (settle_s / sample_s) as u32,
            cycles_per_sample: cycles as u32,
            sample_s,
        }
    }
}

/// State of the signature of the movement in progress, of one axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Movement {
    /// Sums of the sample in progress: following error (m), current (A), and cycles in them.
    gathered: [f64; 2],
    cycles: u32,
    target_m: Option<f64>,
    step_m: Option<f64>,
    /// Samples at constant speed, without a break.
    steady: u32,
    stroke: Stroke,
    /// The stroke before, as long as nothing has been paired with it.
    waiting: Option<Stroke>,
    /// The stroke in progress has been part of a signature.
    spent: bool,
}

impl Movement {
    /// Ends the stroke in progress and forgets where the axis was: at a gap, or when it is disabled.
    pub fn gap(&mut self, settings: &Settings) -> Option<Signature> {
        let ended = self.close(0, settings);
        *self = Self::default();
        ended
    }

    /// Takes in one cycle: reference and position (m), and current (A). Returns a signature that is complete with it.
    pub fn push(
        &mut self,
        settings: &Settings,
        target_m: f64,
        position_m: f64,
        current_a: f64,
    ) -> Option<Signature> {
        self.gathered[0] += target_m - position_m;
        self.gathered[1] += current_a;
        self.cycles += 1;
        if self.cycles < settings.cycles_per_sample {
            return None;
        }
        let [error_m, current_a] = self.gathered.map(|sum| sum / f64::from(self.cycles));
        self.gathered = [0.0; 2];
        self.cycles = 0;
        self.sample(settings, target_m, error_m, current_a)
    }

    fn sample(
        &mut self,
        settings: &Settings,
        target_m: f64,
        error_m: f64,
        current_a: f64,
    ) -> Option<Signature> {
        let before_m = self.target_m.replace(target_m);
        let step_m = target_m - before_m?;
        let before_step_m = self.step_m.replace(step_m);
        let direction = if step_m > STANDS_M {
            1
        } else if step_m < -STANDS_M {
            -1
        } else {
            0
        };
        let ended = if direction == self.stroke.direction {
            None
        } else {
            self.close(direction, settings)
        };
        let change = libm::fabs(step_m - before_step_m.unwrap_or(0.0));
        if direction == 0 || change > STEADY_SHARE * libm::fabs(step_m) {
            self.steady = 0;
            return ended;
        }
        self.steady = self.steady.saturating_add(1);
        if self.steady <= settings.settle_samples || self.spent {
            return ended;
        }
        let angle_rad = 2.0 * core::f64::consts::PI * (target_m / settings.screw_lead_m);
        let towards_a = f64::from(direction) * current_a;
        self.stroke
            .push(libm::fabs(step_m), towards_a, error_m, angle_rad);
        // A stroke that has just begun has no sample yet, so nothing is lost when one has ended.
        ended.or_else(|| self.complete(settings))
    }

    /// Whether the way back has as many samples as the way out.
    fn complete(&mut self, settings: &Settings) -> Option<Signature> {
        let waiting = self.waiting?;
        if waiting.direction + self.stroke.direction != 0 || self.stroke.n < waiting.n {
            return None;
        }
        self.waiting = None;
        self.spent = true;
        Some(signature(&waiting, &self.stroke, settings))
    }

    /// Ends the stroke in progress, and begins one in `direction`.
    fn close(&mut self, direction: i8, settings: &Settings) -> Option<Signature> {
        let ended = self.stroke;
        let spent = self.spent;
        self.stroke = Stroke::towards(direction);
        self.steady = 0;
        self.spent = false;
        if ended.n < LEAST || spent {
            return None;
        }
        match self.waiting {
            Some(waiting)
                if waiting.direction + ended.direction == 0 && ended.n >= 0.5 * waiting.n =>
            {
                self.waiting = None;
                Some(signature(&waiting, &ended, settings))
            }
            _ => {
                self.waiting = Some(ended);
                None
            }
        }
    }
}

fn signature(one: &Stroke, other: &Stroke, settings: &Settings) -> Signature {
    let (a, b) = (one.share(), other.share());
    let towards = f64::from(one.direction);
    let mut figures = [0.0; FIGURES];
    figures[0] = 0.5 * (a.current_a + b.current_a);
    figures[1] = libm::sqrt(0.5 * (a.hunting_square + b.hunting_square));
    figures[2] = libm::sqrt(0.5 * (a.roughness_square + b.roughness_square));
    figures[3] = libm::sqrt(0.5 * (a.ripple_square + b.ripple_square));
    figures[4] = libm::sqrt(0.5 * (a.unrest_square + b.unrest_square));
    Signature {
        load_a: 0.5 * towards * (a.current_a - b.current_a),
        figures,
        speeds_m_per_s: [one, other].map(|stroke| stroke.mean_way_m() / settings.sample_s),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SETTINGS: Settings = Settings {
        screw_lead_m: 0.005,
        settle_samples: 10,
        cycles_per_sample: 1,
        sample_s: 0.04,
    };

    /// Out, rest, back with friction and load (A); returns all signatures, and the cycle of the first.
    fn cycle(
        movement: &mut Movement,
        settings: &Settings,
        samples: usize,
        step_m: f64,
        friction_a: f64,
        load_a: f64,
    ) -> Vec<(usize, Signature)> {
        let mut found = Vec::new();
        let mut target_m = 0.0;
        for k in 0..3 * samples {
            let direction = match k / samples {
                0 => 1.0,
                1 => 0.0,
                _ => -1.0,
            };
            target_m += direction * step_m;
            let current_a = direction * friction_a + load_a;
            let signature = movement.push(settings, target_m, target_m - 1e-4, current_a);
            found.extend(signature.map(|s| (k, s)));
        }
        found
    }

    #[test]
    fn friction_and_load_are_told_apart() {
        let mut movement = Movement::default();
        let found = cycle(&mut movement, &SETTINGS, 60, 1e-3, 0.9, 0.2);
        assert_eq!(found.len(), 1, "{found:?}");
        let (at, one) = found[0];
        // The very first sample has no step, so the way out has one sample less than the way back.
        assert_eq!(at, 178, "as many samples back as out");
        assert!((one.figures[0] - 0.9).abs() < 1e-12, "{one:?}");
        assert!((one.load_a - 0.2).abs() < 1e-12, "{one:?}");
        // A millimetre in each sample of 40 ms.
        let [out, back] = one.speeds_m_per_s;
        assert!((out - 0.025).abs() < 1e-9 && (back - 0.025).abs() < 1e-9);
    }

    #[test]
    fn a_faster_cycle_gives_the_same_signature() {
        let slow = cycle(&mut Movement::default(), &SETTINGS, 60, 1e-3, 0.9, 0.2);
        let settings = Settings {
            cycles_per_sample: 40,
            ..SETTINGS
        };
        let fast = cycle(&mut Movement::default(), &settings, 2400, 2.5e-5, 0.9, 0.2);
        assert_eq!(fast.len(), 1);
        assert!((fast[0].1.figures[0] - slow[0].1.figures[0]).abs() < 1e-9);
        assert!((fast[0].1.load_a - slow[0].1.load_a).abs() < 1e-9);
    }

    #[test]
    fn a_gap_pairs_what_has_ended_and_forgets_the_rest() {
        let mut movement = Movement::default();
        let mut target_m = 0.0;
        for k in 0..100 {
            target_m += if k < 50 { 1e-3 } else { -1e-3 };
            if k < 85 {
                let one = movement.push(&SETTINGS, target_m, target_m, 1.0);
                assert_eq!(one, None, "at {k}");
            }
        }
        assert!(
            movement.gap(&SETTINGS).is_some(),
            "more than half the way back"
        );
        assert_eq!(movement, Movement::default());
        assert_eq!(movement.gap(&SETTINGS), None);
    }

    #[test]
    fn a_stroke_that_is_too_short_says_nothing() {
        let mut movement = Movement::default();
        for _ in 0..10 {
            assert!(cycle(&mut movement, &SETTINGS, 25, 1e-3, 0.9, 0.2).is_empty());
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_in_a_signature_is_finite(
            samples in 1_usize..200,
            step_m in 1e-6_f64..1.0,
            friction_a in -1e3_f64..1e3,
            load_a in -1e3_f64..1e3,
            cycles_per_sample in 1_u32..50,
            settle_samples in 0_u32..100,
        ) {
            let settings = Settings { screw_lead_m: 0.005, settle_samples, cycles_per_sample, sample_s: 0.04 };
            let mut movement = Movement::default();
            for _ in 0..3 {
                for (_, one) in cycle(&mut movement, &settings, samples, step_m, friction_a, load_a) {
                    prop_assert!(one.load_a.is_finite());
                    prop_assert!(one.figures.iter().all(|f| f.is_finite()), "{one:?}");
                    prop_assert!(one.speeds_m_per_s.iter().all(|s| s.is_finite()), "{one:?}");
                    prop_assert!(one.figures[1..].iter().all(|f| *f >= 0.0), "{one:?}");
                }
            }
        }
    }
}
