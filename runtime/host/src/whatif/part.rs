//! The part in a press, as a load: what the live twin knows of it, in the same numbers.

use twinstep_cycle::plan::Plan;
use twinstep_models::sample::Context;

/// Below this velocity on the way in (m/s) the ram is on its way back: see `twinstep_cycle::contact`.
const RETURNING_M_PER_S: f64 = -1.0e-4;

/// What a part with a force curve remembers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Part {
    context: Context,
    /// Deepest way behind the contact (m).
    deepest_m: f64,
}

impl Part {
    /// Load of the part that recipe and part of `context` say, on press `n` with its ram here (A); 0 where it touches none.
    pub fn load_a(
        &mut self,
        plan: &Plan<'_>,
        n: usize,
        context: Context,
        position_m: f64,
        velocity_m_per_s: f64,
    ) -> f64 {
        let context = context.of_press();
        if self.context != context {
            *self = Self {
                context,
                deepest_m: 0.0,
            };
        }
        let Some(met) = plan.axes.get(n).and_then(|axis| axis.contact(context)) else {
            return 0.0;
        };
        let way_m = met.direction * (position_m - met.contact_m);
        let Some(curve) = plan.curve(n, context).and_then(|c| plan.curves.get(c)) else {
            let into = met.direction * velocity_m_per_s > RETURNING_M_PER_S;
            let meets = way_m > 0.0 && into;
            return if meets {
                met.direction * met.stiffness_a_per_m * way_m
            } else {
                0.0
            };
        };
        self.deepest_m = if way_m < -curve.clear_m {
            0.0
        } else {
            self.deepest_m.max(way_m)
        };
        met.direction * curve.workpiece.force_n(way_m, self.deepest_m)
    }
}
