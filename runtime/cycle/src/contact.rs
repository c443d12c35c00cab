//! The part in a press, as a load current.

use crate::plan::{AxisPlan, Plan};
use twinstep_models::lane::{LANES, Lane};

/// Below this velocity on the way in (m/s) the ram is on its way back; while it holds, the velocity is noise around 0.
const RETURNING_M_PER_S: f64 = -1.0e-4;

/// Load currents of the part for the presses of lane `n`.
#[inline(never)]
pub(crate) fn contacts(plan: &Plan<'_>, n: usize, part: usize, x: &Lane, v: &Lane, out: &mut Lane) {
    for l in 0..LANES {
        if let Some(axis) = plan.axes.get(n * LANES + l) {
            out[l] = contact_a(axis, part, x[l], v[l]);
        }
    }
}

/// Load current of the part on the way in; nothing is known of the way back.
fn contact_a(axis: &AxisPlan, part: usize, position_m: f64, velocity_m_per_s: f64) -> f64 {
    // A recording may name a part that this plan does not know: nothing is in the press then.
    let Some(contact) = axis.contacts.get(part) else {
        return 0.0;
    };
    if contact.stiffness_a_per_m > 0.0 && contact.direction * velocity_m_per_s > RETURNING_M_PER_S {
        contact.current_a(position_m)
    } else {
        0.0
    }
}
