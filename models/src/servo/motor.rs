//! The motor and its current loop: a PMSM in the rotor's frame with the d current held at 0.
//!
//! # Derivation
//! Amplitude-invariant dq frame, i_d = 0, electrical speed p w (p pole pairs, w rad/s of the shaft):
//!
//! ```text
//! u_q = R i + L i' + E,   E = p w psi = (2/3) Kt w,   u_d = -p w L i,   T = 1.5 p psi i = Kt i
//! ```
//!
//! A current loop that is tuned to the time constant tau asks for `u* = R i + E + L (i* - i) / tau`, so that
//! `i' = (i* - i) / tau` while the voltage is there. The converter has the amplitude U, of which the d axis takes its share:
//! `|u_q| <= uq = sqrt(U^2 - (p w L i)^2)`. Beyond that `i' = (+-uq - R i - E) / L`, which ends at the no-load speed U / Ke.
//! In i this is one continuous, piecewise linear equation with three zones (ordered by i because tau < L / R makes u* fall
//! with i), each with its exponential; a trajectory is monotone and enters each zone at most once. For a frozen speed and
//! share of the d axis the step is therefore exact, whatever its length. The mean current over the step comes with it.
//!
//! Temperature: R = R20 (1 + 0.00393 (T - 20)) for copper, Kt = Kt20 (1 + c (T_magnet - 20)) with c about -0.001 / K for
//! NdFeB and -0.002 / K for ferrite.

use super::error::{ParamError, within};

/// Temperature coefficient of copper at 20 degrees (1/K).
pub const COPPER_PER_K: f64 = 0.003_93;
/// Temperature of the rated values (degrees Celsius).
pub const RATED_C: f64 = 20.0;

/// A motor on its converter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Motor {
    /// Torque over the amplitude of the q current at 20 degrees (N m/A, 1e-3 to 1e3). From a value per A rms: divide by
    /// the root of 2.
    pub torque_constant_nm_per_a: f64,
    /// Change of the torque constant with the magnets' temperature (1/K, -0.003 to 0).
    pub magnet_per_k: f64,
    /// Resistance of a phase at 20 degrees (ohm, 1e-3 to 1e3).
    pub resistance_ohm: f64,
    /// Inductance of a phase (H, 1e-6 to 1).
    pub inductance_h: f64,
    /// Pole pairs (1, 1 to 100).
    pub pole_pairs: f64,
    /// Largest amplitude of a phase voltage: DC link over the root of 3 (V, 1 to 1000).
    pub voltage_max_v: f64,
    /// Largest amplitude of the current that is asked for (A, 0.01 to 5000).
    pub current_max_a: f64,
    /// Time constant of the closed current loop (s, 1e-5 to L / (2.2 R20)).
    pub current_time_constant_s: f64,
    /// From the loop's answer to the voltage's effect: computation and modulation (s, 0 to 1e-3).
    pub dead_time_s: f64,
}

/// What a temperature makes of the motor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Electrical {
    /// Resistance of a phase (ohm).
    pub resistance_ohm: f64,
    /// Torque constant (N m/A).
    pub torque_constant_nm_per_a: f64,
}

/// A step of the current.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurrentStep {
    /// Current at the end (A).
    pub end_a: f64,
    /// Mean current (A).
    pub mean_a: f64,
    /// The voltage was at its limit for some of the step.
    pub saturated: bool,
}

impl Motor {
    /// Checks every value against its range.
    ///
    /// # Errors
    /// The first value that is out of range.
    pub fn check(&self) -> Result<(), ParamError> {
        within(
            "torque_constant_nm_per_a",
            self.torque_constant_nm_per_a,
            1e-3,
            1e3,
            "N m per A of the amplitude",
        )?;
        within(
            "magnet_per_k",
            self.magnet_per_k,
            -0.003,
            0.0,
            "magnets get weaker when warm",
        )?;
        within(
            "resistance_ohm",
            self.resistance_ohm,
            1e-3,
            1e3,
            "one phase",
        )?;
        within("inductance_h", self.inductance_h, 1e-6, 1.0, "one phase")?;
        within(
            "pole_pairs",
            self.pole_pairs,
            1.0,
            100.0,
            "pairs, not poles",
        )?;
        within(
            "voltage_max_v",
            self.voltage_max_v,
            1.0,
            1000.0,
            "amplitude of a phase",
        )?;
        within(
            "current_max_a",
            self.current_max_a,
            0.01,
            5000.0,
            "amplitude of a phase",
        )?;
        within(
            "current_time_constant_s",
            self.current_time_constant_s,
            1e-5,
            self.inductance_h / (2.2 * self.resistance_ohm),
            "a closed loop is faster than the winding, L / R, when hot too",
        )?;
        within(
            "dead_time_s",
            self.dead_time_s,
            0.0,
            1e-3,
            "one and a half periods of the modulation",
        )
    }

    /// The motor with its winding and its magnets at these temperatures.
    pub fn at(&self, winding_c: f64, magnet_c: f64) -> Electrical {
        Electrical {
            resistance_ohm: self.resistance_ohm * (1.0 + COPPER_PER_K * (winding_c - RATED_C)),
            torque_constant_nm_per_a: self.torque_constant_nm_per_a
                * (1.0 + self.magnet_per_k * (magnet_c - RATED_C)),
        }
    }

    /// Speed at which the back-EMF equals the voltage (rad/s).
    pub fn no_load_speed_rad_per_s(&self, warm: &Electrical) -> f64 {
        self.voltage_max_v / (warm.torque_constant_nm_per_a / 1.5)
    }

    /// `asked_a` within the current limit (A).
    #[inline]
    pub fn limited_a(&self, asked_a: f64) -> f64 {
        crate::lane::clamp(asked_a, self.current_max_a)
    }

    /// Copper losses at a squared current (W).
    pub fn loss_w(&self, warm: &Electrical, squared_a2: f64) -> f64 {
        1.5 * warm.resistance_ohm * squared_a2
    }

    /// Voltage left for the q axis (V).
    fn headroom_v(&self, speed_rad_per_s: f64, current_a: f64) -> f64 {
        let d = self.pole_pairs * speed_rad_per_s * self.inductance_h * current_a;
        let left = self.voltage_max_v * self.voltage_max_v - d * d;
        if left > 0.0 { libm::sqrt(left) } else { 0.0 }
    }

    /// Advances the current towards `asked_a` at a frozen speed. `warm` comes from [`Motor::at`].
    pub fn advance(
        &self,
        warm: &Electrical,
        current_a: f64,
        asked_a: f64,
        speed_rad_per_s: f64,
        step_s: f64,
    ) -> CurrentStep {
        let asked_a = self.limited_a(asked_a);
        // The d axis' share depends on the current: once with the first, then with the mean.
        let early = self.headroom_v(speed_rad_per_s, current_a);
        let guess = self.advance_within(warm, current_a, asked_a, speed_rad_per_s, step_s, early);
        let middle = self.headroom_v(speed_rad_per_s, guess.mean_a);
        if middle == early {
            return guess;
        }
        self.advance_within(warm, current_a, asked_a, speed_rad_per_s, step_s, middle)
    }

    /// As [`Motor::advance`], with `headroom_v` (V, >= 0) left for the q axis all the time: exact for a step of any length.
    pub fn advance_within(
        &self,
        warm: &Electrical,
        current_a: f64,
        asked_a: f64,
        speed_rad_per_s: f64,
        step_s: f64,
        headroom_v: f64,
    ) -> CurrentStep {
        let (r, l) = (warm.resistance_ohm, self.inductance_h);
        let loop_rate = 1.0 / self.current_time_constant_s;
        let emf = warm.torque_constant_nm_per_a / 1.5 * speed_rad_per_s;
        // The zones' borders in i: below `low` the voltage is at its upper limit, above `high` at its lower one.
        let slope = r - l * loop_rate;
        let low = (headroom_v - emf - l * asked_a * loop_rate) / slope;
        let high = (-headroom_v - emf - l * asked_a * loop_rate) / slope;
        let mut zone = if current_a < low {
            -1
        } else if current_a > high {
            1
        } else {
            0
        };
        let (mut i, mut left_s, mut charge, mut saturated) = (current_a, step_s, 0.0, false);
        for _ in 0..3 {
            let (aim, rate) = match zone {
                0 => (asked_a, loop_rate),
                -1 => ((headroom_v - emf) / r, r / l),
                _ => ((-headroom_v - emf) / r, r / l),
            };
            saturated |= zone != 0;
            // The border in the way, and the zone behind it.
            let up = aim > i;
            let (border, next) = match (zone, up) {
                (-1, true) => (low, 0),
                (0, true) => (high, 1),
                (0, false) => (low, -1),
                (1, false) => (high, 0),
                _ => (aim, zone),
            };
            let crosses = if up { border < aim } else { border > aim };
            let mut t = left_s;
            if crosses {
                // (aim - i) exp(-rate t) = aim - border
                let reach = libm::log((aim - i) / (aim - border)) / rate;
                t = if reach < left_s { reach } else { left_s };
                t = if t > 0.0 { t } else { 0.0 };
            }
            let done = -libm::expm1(-rate * t);
            charge += aim * t + (i - aim) * done / rate;
            i += (aim - i) * done;
            if !(crosses && t < left_s) {
                break;
            }
            left_s -= t;
            i = border;
            zone = next;
        }
        CurrentStep {
            end_a: i,
            mean_a: if step_s > 0.0 { charge / step_s } else { i },
            saturated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn motor() -> Motor {
        Motor {
            torque_constant_nm_per_a: 0.9,
            magnet_per_k: -0.001,
            resistance_ohm: 0.8,
            inductance_h: 0.004,
            pole_pairs: 5.0,
            voltage_max_v: 320.0,
            current_max_a: 30.0,
            current_time_constant_s: 4e-4,
            dead_time_s: 1e-4,
        }
    }

    #[test]
    fn a_hundred_kelvin_raise_the_resistance_by_39_3_per_cent() {
        let cold = motor().at(20.0, 20.0);
        let hot = motor().at(120.0, 120.0);
        assert!((hot.resistance_ohm / cold.resistance_ohm - 1.393).abs() < 1e-12);
        assert!((hot.torque_constant_nm_per_a / 0.9 - 0.9).abs() < 1e-12);
    }

    #[test]
    fn with_voltage_to_spare_the_loop_is_a_first_order_lag() {
        let warm = motor().at(20.0, 20.0);
        let step = motor().advance(&warm, 1.0, 5.0, 10.0, 4e-4);
        assert!((step.end_a - (5.0 - 4.0 * libm::exp(-1.0))).abs() < 1e-12);
        assert!((step.mean_a - (5.0 - 4.0 * (1.0 - libm::exp(-1.0)))).abs() < 1e-12);
        assert!(!step.saturated);
    }

    #[test]
    fn at_the_no_load_speed_no_current_is_left() {
        let warm = motor().at(20.0, 20.0);
        let speed = motor().no_load_speed_rad_per_s(&warm);
        assert!((speed - 320.0 / 0.6).abs() < 1e-9);
        let step = motor().advance(&warm, 0.0, 30.0, speed, 1.0);
        assert!(step.saturated && step.end_a.abs() < 1e-9, "{step:?}");
    }

    #[test]
    fn the_slowest_allowed_loop_ends_where_the_winding_does() {
        let mut m = motor();
        m.current_time_constant_s = 0.1;
        assert_eq!(m.check().unwrap_err().name, "current_time_constant_s");
    }
}
