//! An axis that stands, and is pushed harder than static friction holds: it is let go at the first moment of a cycle, and moves in one exact step.
#![allow(
    clippy::disallowed_methods,
    reason = "the yardstick is judged by its accuracy, not by its bits"
)]

mod reference;

use reference::equations::{Part, RK4_SUBSTEPS, Targets, Y, params, rk4};
use twinstep_models::axis::{AxisParams, AxisState, LaneParams, Reference, cascade};
use twinstep_models::lane::LANES;
use twinstep_models::simd::{Portable, Vector};

/// Substeps of Runge-Kutta that stand for the exact solution.
const FINE_SUBSTEPS: usize = 20_000;
/// How far the kernel may be from it where the equations are linear: its rounding, and that of the yardstick.
const ROUNDING: f64 = 1e-9;
/// What its errors may be where there is Stribeck friction, which it takes at the mean velocity of the cycle: of way and velocity as shares of what the
/// cycle makes of them, of currents in A. Where all is as smooth as in these cycles Runge-Kutta in four substeps is up to sixty times nearer; over free
/// runs it is not (`kernel_accuracy.rs`). More passes would find the same: what is off is friction at the mean velocity beside the mean of friction.
const STRIBECK_MAX: f64 = 2e-3;
/// The same of its way (m).
const STRIBECK_MAX_M: f64 = 6e-9;

/// An axis at rest on its way, behind or before its reference, with `push_a` beyond its weight.
struct Stands {
    p: AxisParams,
    period_s: f64,
    reference: Reference,
    targets: Targets,
    begin_s: f64,
    y: Y,
}

impl Stands {
    fn new(stribeck_a: f64, dead_cycles: f64, period_s: f64, push_a: f64) -> Self {
        let p = params(100.0, stribeck_a, dead_cycles, period_s);
        let targets = Targets::new(period_s, p.dead_time_s);
        let mut reference = Reference::default();
        // The reference goes where the push does.
        let at_s = if push_a > 0.0 { 0.05 } else { 0.4 };
        let cycles = (at_s / period_s) as i64;
        for k in 0..=cycles {
            reference.push(&[targets.of_cycle(k); LANES]);
        }
        let begin_s = cycles as f64 * period_s;
        let (at_m, slope) = targets.at(begin_s, begin_s);
        let e = 2e-6 * push_a.signum();
        let i = p.gravity_a + push_a;
        // The drive asks for what flows: it neither brakes what is let go nor drives it away.
        let error = p.position_gain_per_s * e + p.velocity_feedforward * slope;
        let q = i - p.velocity_gain * error;
        Self {
            p,
            period_s,
            reference,
            targets,
            begin_s,
            y: [at_m - e, 0.0, i, q, i],
        }
    }

    fn state(&self) -> AxisState {
        let [x, v, i, q, r] = self.y.map(|y| [y; LANES]);
        AxisState {
            position_m: x,
            velocity_m_per_s: v,
            current_a: i,
            integral_a: q,
            reported_a: r,
            ..AxisState::REST
        }
    }

    fn kernel(&self) -> Y {
        let mut s = self.state();
        let lane = LaneParams::new(&[self.p; LANES], self.period_s);
        cascade::advance(&lane, &self.reference, &mut s, &[0.0; LANES]);
        [
            s.position_m[3],
            s.velocity_m_per_s[3],
            s.current_a[3],
            s.integral_a[3],
            s.reported_a[3],
        ]
    }

    fn runge_kutta(&self, substeps: usize) -> Y {
        let (mut y, h) = (self.y, self.period_s / substeps as f64);
        for n in 0..substeps {
            let at = (self.begin_s + n as f64 * h, h);
            rk4(&self.p, (&self.targets, &Part::NONE), &mut y, at, None);
        }
        y
    }
}

#[test]
fn what_is_let_go_is_as_near_to_the_exact_solution_as_what_moves() {
    let mut worse = Vec::new();
    for period_s in [0.00025, 0.001] {
        for stribeck_a in [0.0, 0.1] {
            // A push just beyond what holds, and one far beyond it, both ways; with a bend of the reference within the cycle too.
            for (dead_cycles, push_a) in [
                (1.0, 1.0),
                (1.0, -1.0),
                (1.0, 3.0),
                (1.0, -3.0),
                (1.5, 1.0),
                (1.5, -1.0),
            ] {
                let stands = Stands::new(stribeck_a, dead_cycles, period_s, push_a);
                let exact = stands.runge_kutta(FINE_SUBSTEPS);
                assert!(exact[1] * push_a > 0.0, "it is let go: {exact:?}");
                // Way and velocity as shares of what the cycle makes of them.
                let sizes = [exact[0] - stands.y[0], exact[1], 1.0, 1.0, 1.0];
                let errors = |found: &Y| -> Y {
                    std::array::from_fn(|n| ((found[n] - exact[n]) / sizes[n]).abs())
                };
                let kernel = errors(&stands.kernel());
                let rk4 = errors(&stands.runge_kutta(RK4_SUBSTEPS));
                let of = format!(
                    "{:4.0} us stribeck {stribeck_a} dead {dead_cycles} push {push_a}: {kernel:?} beside {rk4:?}",
                    period_s * 1e6
                );
                println!("{of}; {:.3} nm", kernel[0] * sizes[0].abs() * 1e9);
                assert!(kernel[0] * sizes[0].abs() < STRIBECK_MAX_M, "{of}");
                for n in 0..5 {
                    let most = if stribeck_a == 0.0 {
                        // Far below what is beside it, too.
                        ROUNDING + 1e-3 * rk4[n]
                    } else {
                        STRIBECK_MAX
                    };
                    if kernel[n] > most {
                        worse.push(format!("figure {n} of {of}"));
                    }
                }
            }
        }
    }
    assert!(worse.is_empty(), "{worse:#?}");
}

#[test]
fn what_friction_holds_stays() {
    for push_a in [0.85, -0.75] {
        let stands = Stands::new(0.1, 1.0, 0.00025, push_a);
        let mut s = stands.state();
        (s.position_m, s.integral_a) = ([0.0; LANES], s.current_a);
        let lane = LaneParams::new(&[stands.p; LANES], stands.period_s);
        let x = s.position_m;
        cascade::advance(&lane, &Reference::default(), &mut s, &[0.0; LANES]);
        assert_eq!((s.position_m, s.velocity_m_per_s), (x, [0.0; LANES]));
    }
}

/// A lane with two axes waits for nobody else, and takes shorter ways to the same bits.
#[test]
fn two_axes_by_themselves_are_let_go_as_two_of_eight() {
    type Few = <Portable as Vector>::Few;
    for pushes_a in [
        [3.0, 1.0],
        [-3.0, 0.5],
        [0.2, 0.5],
        [0.5, -1.0],
        [-0.3, 3.0],
    ] {
        let all = pushes_a.map(|push_a| Stands::new(0.1, 1.0, 0.001, push_a));
        let axes: [AxisParams; LANES] = [all[0].p; LANES];
        let mut eight = all[0].state();
        for l in 0..LANES {
            let [x, v, i, q, r] = all[l % 2].y;
            (eight.position_m[l], eight.velocity_m_per_s[l]) = (x, v);
            (eight.current_a[l], eight.integral_a[l], eight.reported_a[l]) = (i, q, r);
        }
        let mut two = eight;
        let lanes = [
            LaneParams::new(&axes[..2], 0.001),
            LaneParams::new(&axes, 0.001),
        ];
        for k in 0..40 {
            cascade::advance_on::<Few>(&lanes[0], &all[0].reference, &mut two, None);
            cascade::advance_on::<Portable>(&lanes[1], &all[0].reference, &mut eight, None);
            let of = |s: &AxisState| {
                [
                    s.position_m,
                    s.velocity_m_per_s,
                    s.current_a,
                    s.integral_a,
                    s.reported_a,
                ]
                .map(|lane| [lane[0].to_bits(), lane[1].to_bits()])
            };
            assert_eq!(of(&two), of(&eight), "{pushes_a:?} in cycle {k}");
        }
    }
}
