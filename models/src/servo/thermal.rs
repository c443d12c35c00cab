//! Temperature of winding and housing.
//!
//! # Derivation
//! Copper losses P heat the winding, which warms the housing, which warms the surroundings:
//!
//! ```text
//! Cw Tw' = P - (Tw - Th) / Rwh,   Ch Th' = (Tw - Th) / Rwh - (Th - Ta) / Rha
//! ```
//!
//! or, with one node, `Cw Tw' = P - (Tw - Ta) / Rwa`. With P constant over a step this is linear and its step exact, by the
//! matrix exponential of the plan. P grows with the winding's own temperature, so it is taken at the middle of the step.

use super::error::{ParamError, within};
use super::linear::{self, Matrix};

/// Coldest temperature that the model gives (degrees Celsius).
pub const COLDEST_C: f64 = -60.0;
/// Hottest temperature that the model gives: insulation has failed long before (degrees Celsius).
pub const HOTTEST_C: f64 = 300.0;

/// A thermal mass and its way out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Node {
    /// Heat capacity (J/K, 0.1 to 1e6).
    pub capacity_j_per_k: f64,
    /// Thermal resistance to the next node (K/W, 1e-3 to 100).
    pub resistance_k_per_w: f64,
}

/// A motor's thermal model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thermal {
    /// The winding; its resistance leads to the housing, or to the surroundings where there is no housing.
    pub winding: Node,
    /// The housing with the magnets; its resistance leads to the surroundings.
    pub housing: Option<Node>,
    /// Temperature of the surroundings (degrees Celsius, -40 to 100).
    pub ambient_c: f64,
}

/// Temperatures of a motor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ThermalState {
    /// Winding (degrees Celsius).
    pub winding_c: f64,
    /// Housing; with one node the winding's (degrees Celsius).
    pub housing_c: f64,
}

impl Thermal {
    /// Checks every value against its range.
    ///
    /// # Errors
    /// The first value that is out of range.
    pub fn check(&self) -> Result<(), ParamError> {
        for node in [Some(self.winding), self.housing].into_iter().flatten() {
            let c = node.capacity_j_per_k;
            within("capacity_j_per_k", c, 0.1, 1e6, "heat capacity of a node")?;
            let r = node.resistance_k_per_w;
            within("resistance_k_per_w", r, 1e-3, 100.0, "K per W")?;
        }
        within("ambient_c", self.ambient_c, -40.0, 100.0, "degrees Celsius")
    }

    /// Everything at the temperature of the surroundings.
    pub fn cold(&self) -> ThermalState {
        ThermalState {
            winding_c: self.ambient_c,
            housing_c: self.ambient_c,
        }
    }
}

/// A thermal model with its step of one period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ThermalPlan {
    /// exp - 1 over the states winding, housing, losses, surroundings.
    step: Matrix<4>,
    ambient_c: f64,
    one_node: bool,
}

impl ThermalPlan {
    /// The plan for steps of `step_s`.
    pub fn new(thermal: &Thermal, step_s: f64) -> Self {
        let w = &thermal.winding;
        let out = 1.0 / (w.capacity_j_per_k * w.resistance_k_per_w);
        let mut a = [[0.0; 4]; 4];
        a[0][0] = -out;
        a[0][2] = 1.0 / w.capacity_j_per_k;
        if let Some(h) = &thermal.housing {
            let from = 1.0 / (h.capacity_j_per_k * w.resistance_k_per_w);
            let lost = 1.0 / (h.capacity_j_per_k * h.resistance_k_per_w);
            a[0][1] = out;
            a[1] = [from, -from - lost, 0.0, lost];
        } else {
            a[0][3] = out;
        }
        Self {
            step: linear::expm1(&a, step_s),
            ambient_c: thermal.ambient_c,
            one_node: thermal.housing.is_none(),
        }
    }

    /// Advances by one step with losses that depend on the winding's temperature (W by degrees Celsius).
    pub fn advance(&self, state: &mut ThermalState, loss_w: impl Fn(f64) -> f64) {
        let with = |p: f64| {
            let y = [state.winding_c, state.housing_c, p, self.ambient_c];
            linear::apply(&self.step, &y)
        };
        let guess = with(loss_w(state.winding_c));
        let middle = bounded(0.5 * (state.winding_c + guess[0]));
        let y = with(loss_w(middle));
        state.winding_c = bounded(y[0]);
        state.housing_c = bounded(if self.one_node { y[0] } else { y[1] });
    }
}

fn bounded(c: f64) -> f64 {
    let low = if c < COLDEST_C { COLDEST_C } else { c };
    if low > HOTTEST_C { HOTTEST_C } else { low }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constant_losses_end_at_the_sum_of_the_resistances() {
        let thermal = Thermal {
            winding: Node {
                capacity_j_per_k: 300.0,
                resistance_k_per_w: 0.3,
            },
            housing: Some(Node {
                capacity_j_per_k: 4000.0,
                resistance_k_per_w: 0.5,
            }),
            ambient_c: 25.0,
        };
        let plan = ThermalPlan::new(&thermal, 60.0);
        let mut state = thermal.cold();
        for _ in 0..2000 {
            plan.advance(&mut state, |_| 50.0);
        }
        assert!((state.winding_c - 65.0).abs() < 1e-9, "{state:?}");
        assert!((state.housing_c - 50.0).abs() < 1e-9, "{state:?}");
    }

    #[test]
    fn one_node_warms_with_its_time_constant() {
        let thermal = Thermal {
            winding: Node {
                capacity_j_per_k: 1000.0,
                resistance_k_per_w: 0.6,
            },
            housing: None,
            ambient_c: 20.0,
        };
        let mut state = thermal.cold();
        ThermalPlan::new(&thermal, 600.0).advance(&mut state, |_| 100.0);
        let truth = 20.0 + 60.0 * (1.0 - libm::exp(-1.0));
        assert!((state.winding_c - truth).abs() < 1e-12);
        assert_eq!(state.housing_c, state.winding_c);
    }
}
