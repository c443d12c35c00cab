//! Parts on which an axis swings fast.
//!
//! # Derivation
//! In a cycle the force of a part stands still, as that of the middle of the cycle. What that leaves out of the position is of second order in the period
//! T, as is what the classic Runge-Kutta method in four substeps leaves out where friction turns around and the part is met: their ratio depends on
//! the stiffness k alone, and passes 1 where the axis swings on the part at some 14 Hz, `w^2 = k / m`. What it leaves out of the velocity at the end of the
//! cycle, because the loops act on the staircase, is of second order where Runge-Kutta's is nearly of first: their ratio grows with `w^2 T`, and
//! passes 1 at some 4 per second (`models/tests/kernel_fine_steps.rs`). From `w` of [`SWING_HZ`] or `w^2 T` of [`KICK_PER_S`] on the part is a
//! spring of the equations while the axis is near it, and the axis is stepped by itself (`axis/pieces.rs`). Softer parts cost nothing.
//!
//! So is a part with a force curve, on its steepest line, which is that of its elastic return. Its rows bend the curve within the cycle, and so does the
//! ram where it turns around: each line holds to its end, which is found at its moment, and the deepest point is that of the cycle and not of its ends.

use super::cascade::AxisState;
use super::params::{LaneParams, SUBSTEPS};
use super::part::{Answer, Part};
use super::pieces::{Acts, PIECES_MAX, Stretch};
use super::reference::Reference;
use super::substeps::{Loops, Path, substep};
use super::walk::{Burden, Ways, places};
use crate::lane::{LANES, Lane, ZERO, larger};
use crate::press::workpiece::Forming;

/// From this frequency on, with which the bare inertia of an axis would swing on a part, the part is a spring within the cycle (Hz).
pub const SWING_HZ: f64 = 10.0;
/// From this on, too: stiffness times period over inertia (1/s).
pub const KICK_PER_S: f64 = 2.5;

/// [`SWING_HZ`] as stiffness over inertia (1/s2).
const SWING_PER_S2: f64 =
    (2.0 * core::f64::consts::PI * SWING_HZ) * (2.0 * core::f64::consts::PI * SWING_HZ);

/// Square of the angle by which an axis may swing on a part in a substep in which its force stands still: it would be thrown back further and further
/// where that is not far below 4.
const SUBSTEP_PHASE2_MAX: f64 = 0.25;

/// Whether a part of this stiffness (A/m) is a spring for axis `l`. What a sampled drive, or one that nobody knows, holds over the cycle is
/// stepped as on any part.
pub fn swings(p: &LaneParams, l: usize, stiffness_a_per_m: f64) -> bool {
    let per_s2 = stiffness_a_per_m * p.acceleration_per_a[l];
    let stiff = per_s2 > SWING_PER_S2 || per_s2 * p.period_s > KICK_PER_S;
    stiff && p.continuous & (1 << l) != 0
}

/// The stiff parts that the axes of a lane may meet in a cycle.
#[derive(Clone, Copy, Debug)]
pub struct Met<'a> {
    /// A bit for each axis that may meet one.
    pub places: u8,
    /// Where they begin (m).
    pub contact_m: &'a Lane,
    /// Their stiffness (A/m).
    pub stiffness_a_per_m: &'a Lane,
    /// Direction of the way in (1 or -1).
    pub direction: &'a Lane,
    /// Currents (A instead of N) over the way behind the contact, of those that have a curve: it holds instead of the stiffness.
    pub formed: [Option<&'a Forming>; LANES],
    /// How deep these have been pressed (m behind the contact).
    pub deepest_m: &'a Lane,
}

/// Steps those axes by a cycle, from `before` into `after`, which is what the cycle makes of all axes with a force of the part that stands still: so an
/// axis is left that swings within a substep. They follow positions alone ([`told`](super::told)).
///
/// Returns how far each has gone back at the end of the cycle from a point in it that is deeper than it has ever been (m): 0 where there is none.
#[cold]
#[inline(never)]
pub fn advance_met(
    p: &LaneParams,
    reference: &Reference,
    met: &Met<'_>,
    before: &AxisState,
    after: &mut AxisState,
) -> Lane {
    let mut back_m = ZERO;
    let ways = Ways::of(p, reference);
    for l in places(met.places) {
        let path = ways.path(l);
        let spring = Answer::Spring(met.stiffness_a_per_m[l]);
        let of = Part {
            contact_m: met.contact_m[l],
            direction: met.direction[l],
            answer: met.formed[l].map_or(spring, Answer::Formed),
        };
        let known_m = larger(met.deepest_m[l], of.way_m(before.position_m[l]));
        let Some(([x, v, i, q, r], deepest_m)) = stepped(p, l, &path, (before, known_m), of) else {
            continue;
        };
        if met.formed[l].is_some() && deepest_m > known_m {
            back_m[l] = deepest_m - of.way_m(x);
        }
        after.position_m[l] = x;
        after.velocity_m_per_s[l] = v;
        after.current_a[l] = i;
        after.integral_a[l] = q;
        after.reported_a[l] = r;
    }
    back_m
}

/// One axis: from moment to moment, and where it is too fast for that in substeps, in each of which the force of the part stands still; none
/// where it swings on the part within these. Beside it stands how deep it has been in the part (m).
fn stepped(
    p: &LaneParams,
    l: usize,
    path: &Path,
    (before, mut deepest_m): (&AxisState, f64),
    part: Part<'_>,
) -> Option<([f64; 5], f64)> {
    let loops = Loops::position(p, l);
    let load_a = before.disturbance_a[l];
    let mut z = [
        before.position_m[l],
        before.velocity_m_per_s[l],
        before.current_a[l],
        before.integral_a[l],
        before.reported_a[l],
    ];
    let acts = Acts {
        p,
        l,
        loops: &loops,
        burden: Burden::of(load_a),
        part: Some(part),
    };
    let bend = p.bend[l];
    let stretch = |from: f64, to: f64| Stretch {
        from_m: path.at(from, bend),
        to_m: path.at(to, bend),
        length_s: (to - from) * p.period_s,
    };
    let mut left = PIECES_MAX;
    let found = if bend > 0.0 && bend < 1.0 {
        let stretches = [stretch(0.0, bend), stretch(bend, 1.0)];
        acts.along((z, deepest_m), &stretches, &mut left)
    } else {
        acts.along((z, deepest_m), &[stretch(0.0, 1.0)], &mut left)
    };
    let phase2 = part.stiffest_a_per_m() * p.acceleration_per_a[l] * p.step_s * p.step_s;
    if found.is_some() || phase2.is_nan() || phase2 > SUBSTEP_PHASE2_MAX {
        return found;
    }
    let mut left = PIECES_MAX;
    for n in 0..SUBSTEPS {
        let [from_m, to_m] = [n, n + 1].map(|n| path.at(n as f64 / SUBSTEPS as f64, bend));
        let part_a = part.middle_a([z[0], z[1]], deepest_m, p.step_s);
        let burden = Burden::of(load_a + part_a);
        z = substep(p, l, &loops, z, [from_m, to_m], &burden, &mut left);
        deepest_m = larger(deepest_m, part.way_m(z[0]));
    }
    Some((z, deepest_m))
}
