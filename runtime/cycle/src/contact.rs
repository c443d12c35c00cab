//! The part in a press, as a load current.

use crate::plan::{AxisPlan, Plan};
use twinstep_models::lane::{LANES, Lane};

/// Below this velocity on the way in (m/s) the ram is on its way back; while it holds, the velocity is noise around 0.
const RETURNING_M_PER_S: f64 = -1.0e-4;

/// Load currents of the part for the presses of lane `n`, at their positions (m) and velocities (m/s). Others have none.
#[inline]
pub(crate) fn contacts(
    plan: &Plan<'_>,
    n: usize,
    part: usize,
    (x, v): (&Lane, &Lane),
    out: &mut Lane,
) {
    let mut left = plan.judges.get(n).map_or(0, |judge| judge.presses);
    while left != 0 {
        let l = left.trailing_zeros() as usize;
        left &= left - 1;
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
