//! The energy of the cycle's kernel: over a movement the work of the current is what the axis has in motion, what friction
//! takes and what the load takes. Work is summed over the cycles that the kernel gives: the sum itself is of second order.
#![allow(
    clippy::disallowed_methods,
    reason = "the yardstick is judged by its accuracy, not by its bits"
)]

mod reference;

use reference::equations::{RUN_S, dry, params, target};
use twinstep_models::axis::{AxisParams, AxisState, LaneParams, Reference, cascade};
use twinstep_models::lane::LANES;

/// What the process takes (A), against positive motion.
const LOAD_A: f64 = 0.5;

/// What is missing in the balance over all that went through, for a run of these eight axes. Everything is in A m: times the
/// force constant it is in J.
fn missing(axes: &[AxisParams; LANES], period_s: f64) -> ([f64; LANES], usize) {
    let lane = LaneParams::new(axes, period_s);
    let (mut s, mut reference) = (AxisState::REST, Reference::default());
    let (mut balance, mut through, mut limited) = ([0.0; LANES], [0.0; LANES], 0);
    for k in 0..(RUN_S / period_s) as usize {
        let before = s;
        reference.push(&[target(k as f64 * period_s); LANES]);
        cascade::advance(&lane, &reference, &mut s, &[LOAD_A; LANES]);
        for (n, p) in axes.iter().enumerate() {
            let way = s.position_m[n] - before.position_m[n];
            let (v0, v1) = (before.velocity_m_per_s[n], s.velocity_m_per_s[n]);
            let (i0, i1) = (before.current_a[n], s.current_a[n]);
            // Simpson's rule for the product of what changes evenly.
            let work = ((2.0 * i0 + i1) * v0 + (i0 + 2.0 * i1) * v1) / 6.0 * period_s;
            let friction = dry(p, way, 0.5 * (v0 + v1)) * way.abs()
                + p.viscous * (v0 * v0 + v0 * v1 + v1 * v1) / 3.0 * period_s;
            balance[n] += work - friction - (p.gravity_a + LOAD_A) * way;
            through[n] += work.abs();
            limited += usize::from(i1.abs() > 0.999 * p.limit_a);
        }
    }
    let missing = std::array::from_fn(|n| {
        let kinetic = 0.5 * axes[n].inertia * s.velocity_m_per_s[n].powi(2);
        (balance[n] - kinetic).abs() / through[n]
    });
    (missing, limited)
}

#[test]
fn the_work_of_the_current_is_in_motion_friction_and_load() {
    for limit_a in [30.0, 3.5] {
        let of = |period_s: f64| {
            let axes = std::array::from_fn(|n| {
                let hz = [20.0, 50.0, 100.0, 150.0][n % 4];
                let mut p = params(hz, if n < 4 { 0.0 } else { 0.1 }, 1.0, period_s);
                p.limit_a = limit_a;
                p
            });
            let (missing, limited) = missing(&axes, period_s);
            let worst = missing.into_iter().fold(0.0, f64::max);
            println!(
                "limit {limit_a} A, {period_s} s: {missing:?} of the work, {limited} times at the limit"
            );
            assert!((limited > 100) == (limit_a < 10.0), "{limited}");
            worst
        };
        let (fine, coarse) = (of(31.25e-6), of(125e-6));
        assert!(fine < 1e-4, "{fine}");
        // What is missing is missing in the sum: it goes with the square of the period.
        assert!(fine < 0.3 * coarse, "{fine} {coarse}");
    }
}
