//! What an axis is doing, told from the smoothed motion of [`crate::axis::load`].

use crate::channel::Regime;

/// When a motion counts as what.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RegimeParams {
    /// Below this an axis stands (m/s, > 0).
    pub standstill_m_per_s: f64,
    /// Above this it speeds up or slows down (m/s2, > 0).
    pub steady_m_per_s2: f64,
    /// Cycles after a start in the other direction that count as reversal.
    pub reversal_cycles: u32,
    /// Contact current beyond which, in either direction, a press presses (A).
    pub pressing_a: f64,
}

/// State of the classification of one axis.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RegimeState {
    /// Direction of the last movement: -1, 1, or 0 when it has not moved yet.
    last_direction: i8,
    /// Direction of the movement in progress, 0 at standstill.
    direction: i8,
    /// Cycles that the reversal still lasts.
    reversal_left: u32,
}

impl RegimeState {
    /// Classifies one cycle from velocity, acceleration and the share of the contact force in the current.
    pub fn classify(
        &mut self,
        p: &RegimeParams,
        velocity: f64,
        acceleration: f64,
        contact_a: f64,
    ) -> Regime {
        let direction = if velocity > p.standstill_m_per_s {
            1
        } else if velocity < -p.standstill_m_per_s {
            -1
        } else {
            0
        };
        if direction == 0 {
            self.direction = 0;
            self.reversal_left = 0;
            return Regime::Standstill;
        }
        if direction != self.direction {
            self.reversal_left = if self.last_direction == -direction {
                p.reversal_cycles
            } else {
                0
            };
            self.direction = direction;
            self.last_direction = direction;
        }
        if self.reversal_left > 0 {
            self.reversal_left -= 1;
            return Regime::Reversal;
        }
        if contact_a > p.pressing_a || contact_a < -p.pressing_a {
            return Regime::Pressing;
        }
        if acceleration > p.steady_m_per_s2 || acceleration < -p.steady_m_per_s2 {
            Regime::Acceleration
        } else {
            Regime::ConstantSpeed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: RegimeParams = RegimeParams {
        standstill_m_per_s: 0.001,
        steady_m_per_s2: 0.1,
        reversal_cycles: 3,
        pressing_a: 0.1,
    };

    #[test]
    fn a_stroke_passes_through_its_regimes() {
        let mut s = RegimeState::default();
        let mut seen = Vec::new();
        for (v, a, c) in [
            (0.0, 0.0, 0.0),
            (0.01, 1.0, 0.0),
            (0.1, 0.0, 0.0),
            (0.1, 0.0, 0.5),
            (0.0, 0.0, 0.5),
            (-0.01, -1.0, 0.0),
            (-0.1, -1.0, 0.0),
            (-0.1, -1.0, 0.0),
            (-0.1, -1.0, 0.0),
            (-0.1, 0.0, 0.0),
        ] {
            seen.push(s.classify(&P, v, a, c));
        }
        use Regime::*;
        assert_eq!(
            seen,
            [
                Standstill,
                Acceleration,
                ConstantSpeed,
                Pressing,
                Standstill,
                Reversal,
                Reversal,
                Reversal,
                Acceleration,
                ConstantSpeed
            ]
        );
    }

    #[test]
    fn a_start_in_the_same_direction_is_no_reversal() {
        let mut s = RegimeState::default();
        s.classify(&P, 0.1, 0.0, 0.0);
        s.classify(&P, 0.0, 0.0, 0.0);
        assert_eq!(s.classify(&P, 0.1, 0.0, 0.0), Regime::ConstantSpeed);
    }
}
