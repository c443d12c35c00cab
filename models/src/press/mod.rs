//! What the ram of a press meets, what drives it, and how its strokes are judged.
//!
//! # Derivation
//! A press fit answers with a force that rises with the way after contact, `F = k w`, with w the way since contact (Lame
//! pressure times the growing contact length). On the motor it is a current `F / kf`. On the way back the fit only holds the ram by what
//! springs back, so the contact term is given for the way in alone; `press return` is no regime of its own and not judged.

pub mod cause;
pub mod curve;
pub mod evaluate;
pub mod frame;
pub mod kinematics;
pub mod linked;
mod near;
pub mod ram;
pub mod stroke;
pub mod tare;
pub mod workpiece;

/// A part in the press, as the twin knows it, on the motor's side.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Contact {
    /// Where the ram meets the part (m).
    pub contact_m: f64,
    /// Current per way after contact (A/m, >= 0); 0: no part.
    pub stiffness_a_per_m: f64,
    /// The way into the part leads to larger (+1) or smaller (-1) positions.
    pub direction: f64,
}

impl Contact {
    /// Load current that the part causes with the ram at `position_m` (A): the sign is that of the way in.
    #[inline]
    pub fn current_a(&self, position_m: f64) -> f64 {
        let way = self.direction * (position_m - self.contact_m);
        if way > 0.0 {
            self.direction * self.stiffness_a_per_m * way
        } else {
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn force_rises_from_contact_on_and_opposes_the_way() {
        for direction in [1.0, -1.0] {
            let c = Contact {
                contact_m: 0.05,
                stiffness_a_per_m: 1000.0,
                direction,
            };
            assert_eq!(c.current_a(0.05 - direction * 0.001), 0.0);
            assert!((c.current_a(0.05 + direction * 0.002) - direction * 2.0).abs() < 1e-9);
        }
    }
}
