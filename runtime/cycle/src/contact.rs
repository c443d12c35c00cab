//! The part in a press, as a load current.

use crate::plan::Plan;
use twinstep_models::lane::{LANES, Lane};
use twinstep_models::sample::Context;

/// Load currents of the part for the presses of lane `n`, at their positions (m) and velocities (m/s). Others have none.
#[inline]
pub(crate) fn contacts(
    plan: &Plan<'_>,
    n: usize,
    context: Context,
    (x, v): (&Lane, &Lane),
    out: &mut Lane,
) {
    let mut left = plan.judges.get(n).map_or(0, |judge| judge.presses);
    while left != 0 {
        let l = left.trailing_zeros() as usize;
        left &= left - 1;
        if let Some(axis) = plan.axes.get(n * LANES + l) {
            out[l] = axis.contact_a(context, x[l], v[l]);
        }
    }
}
