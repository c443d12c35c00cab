//! A vacuum gripper: an ejector evacuates a small volume, a leak fills it again.
//!
//! # Derivation
//! With the volume V and the ejector's suction falling linearly to 0 at its final pressure pf, the pressure follows
//! `p' = (pf - p) / tau` while the ejector is on. A leak through a small gap feeds `p' = L (pa - p) / (pa - pf)` at any
//! time, with L the rate at full vacuum and pa the ambient pressure. While the part is held with the ejector off only the
//! leak is left, and its rate is the slope of a straight line through the hold, scaled to full vacuum.

/// Ambient pressure (Pa).
pub const AMBIENT_PA: f64 = 101_325.0;
/// Share of the innovation that the observer takes in (1).
const GAIN: f64 = 0.1;

/// Parameters of one circuit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VacuumParams {
    /// Pressure the ejector reaches (Pa).
    pub final_pressure_pa: f64,
    /// Time constant of the evacuation (s).
    pub time_constant_s: f64,
    /// Healthy leak at full vacuum (Pa/s).
    pub leak_pa_per_s: f64,
    /// Period (s).
    pub period_s: f64,
    /// Cycles of a hold that are left out of the slope while valves settle.
    pub settle_cycles: u32,
    /// Cycles that a slope needs.
    pub least_cycles: u32,
}

/// What the ejector and the valve were told to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Ejector on.
    Evacuate,
    /// Both off: the part is held by what is left.
    Hold,
    /// Blow-off: not predicted.
    #[default]
    Release,
}

/// State of one circuit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct VacuumState {
    /// Estimated pressure (Pa).
    pub pressure_pa: f64,
    phase: Phase,
    in_phase: u32,
    n: f64,
    sum_t: f64,
    sum_p: f64,
    sum_tt: f64,
    sum_tp: f64,
    first_pa: f64,
}

impl VacuumState {
    /// Advances by one cycle: the pressure that is expected in the coming sample (Pa).
    pub fn predict(&mut self, p: &VacuumParams) -> f64 {
        let vacuum = (AMBIENT_PA - self.pressure_pa) / (AMBIENT_PA - p.final_pressure_pa);
        let leak = p.leak_pa_per_s * vacuum;
        let rate = match self.phase {
            Phase::Evacuate => (p.final_pressure_pa - self.pressure_pa) / p.time_constant_s + leak,
            Phase::Hold => leak,
            Phase::Release => 0.0,
        };
        self.pressure_pa += rate * p.period_s;
        self.pressure_pa
    }

    /// The phase that the last sample was in, and the cycles spent in it.
    pub fn phase(&self) -> (Phase, u32) {
        (self.phase, self.in_phase)
    }

    /// Takes in the measurement of this cycle. Returns the leak rate of a hold that has just ended (Pa/s at full vacuum).
    pub fn correct(&mut self, p: &VacuumParams, measured_pa: f64, phase: Phase) -> Option<f64> {
        let mut ended = None;
        if phase != self.phase {
            if self.phase == Phase::Hold {
                ended = self.slope(p);
            }
            self.phase = phase;
            self.in_phase = 0;
            (self.n, self.sum_t, self.sum_p, self.sum_tt, self.sum_tp) = (0.0, 0.0, 0.0, 0.0, 0.0);
        }
        self.in_phase = self.in_phase.saturating_add(1);
        if phase == Phase::Hold && self.in_phase > p.settle_cycles {
            if self.n == 0.0 {
                self.first_pa = measured_pa;
            }
            let t = self.n * p.period_s;
            let y = measured_pa - self.first_pa;
            self.n += 1.0;
            self.sum_t += t;
            self.sum_p += y;
            self.sum_tt += t * t;
            self.sum_tp += t * y;
        }
        let gain = if phase == Phase::Release { 1.0 } else { GAIN };
        self.pressure_pa += gain * (measured_pa - self.pressure_pa);
        ended
    }

    /// Forgets the hold in progress: after a gap.
    pub fn interrupt(&mut self) {
        self.phase = Phase::Release;
        self.in_phase = 0;
        self.n = 0.0;
    }

    fn slope(&self, p: &VacuumParams) -> Option<f64> {
        if self.n < f64::from(p.least_cycles) || self.n < 2.0 {
            return None;
        }
        let slope = (self.n * self.sum_tp - self.sum_t * self.sum_p)
            / (self.n * self.sum_tt - self.sum_t * self.sum_t);
        let mean_pa = self.first_pa + self.sum_p / self.n;
        let vacuum = (AMBIENT_PA - mean_pa) / (AMBIENT_PA - p.final_pressure_pa);
        if vacuum > 0.05 {
            Some(slope / vacuum)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: VacuumParams = VacuumParams {
        final_pressure_pa: 30_000.0,
        time_constant_s: 0.15,
        leak_pa_per_s: 400.0,
        period_s: 0.001,
        settle_cycles: 100,
        least_cycles: 200,
    };

    #[test]
    fn the_leak_of_a_hold_is_measured() {
        for leak in [100.0, 1000.0, 5000.0] {
            let mut s = VacuumState::default();
            let mut plant = 30_000.0;
            for _ in 0..10 {
                s.correct(&P, plant, Phase::Evacuate);
            }
            for _ in 0..1500 {
                plant += leak * 0.001 * (AMBIENT_PA - plant) / (AMBIENT_PA - 30_000.0);
                s.predict(&P);
                assert_eq!(s.correct(&P, plant, Phase::Hold), None);
            }
            let found = s.correct(&P, plant, Phase::Release);
            assert!(
                found.is_some_and(|f| (f / leak - 1.0).abs() < 0.01),
                "{found:?} for {leak}"
            );
        }
    }

    #[test]
    fn a_short_hold_says_nothing() {
        let mut s = VacuumState::default();
        for _ in 0..150 {
            s.correct(&P, 30_000.0, Phase::Hold);
        }
        assert_eq!(s.correct(&P, 30_000.0, Phase::Release), None);
    }

    #[test]
    fn a_healthy_circuit_is_predicted() {
        let mut s = VacuumState {
            pressure_pa: AMBIENT_PA,
            ..VacuumState::default()
        };
        let mut plant = AMBIENT_PA;
        let mut worst: f64 = 0.0;
        for k in 0..2000 {
            let phase = if k < 1000 {
                Phase::Evacuate
            } else {
                Phase::Hold
            };
            let predicted = s.predict(&P);
            let vacuum = (AMBIENT_PA - plant) / (AMBIENT_PA - 30_000.0);
            plant += 0.001 * 400.0 * vacuum;
            if phase == Phase::Evacuate {
                plant += 0.001 * (30_000.0 - plant) / 0.15;
            }
            // The cycle in which the phase changes cannot be known beforehand.
            if k > 2 && k != 1000 {
                worst = worst.max((predicted - plant).abs());
            }
            s.correct(&P, plant, phase);
        }
        assert!(worst < 600.0, "{worst}");
    }
}
