//! How accurate the cycle's kernel is in parts with a force curve, on the way in and back: forming by table, and press fits with a shoulder.
//! `axis::cascade::advance`, as a press of the cycle is told of its part, stands beside the classic Runge-Kutta method with four
//! substeps, both against the adaptive solution of the same equations with the part written out apart from the kernel. Nothing is corrected by
//! a measurement: what is compared is the free run, its memory of the deepest point too.
#![allow(
    clippy::disallowed_methods,
    reason = "the yardstick is judged by its accuracy, not by its bits"
)]

mod reference;

use reference::equations::{RK4_SUBSTEPS, RUN_S, Targets, Y, dry, params, rk4_in, slopes};
use reference::{integrate, rms};
use twinstep_models::axis::stiff::{Met, advance_met, swings};
use twinstep_models::axis::{AxisParams, AxisState, LaneParams, Reference, cascade};
use twinstep_models::lane::LANES;
use twinstep_models::press::workpiece::{Forming, Workpiece};

/// What the kernel's RMS errors may be, in those of Runge-Kutta's better variant.
const RATIO_MAX: f64 = 1.0;
const PERIODS_S: [f64; 5] = [125e-6, 0.00025, 0.001, 0.002, 0.004];
/// So far before its contact (m) the ram is out of the part, and the next one is new.
const CLEAR_M: f64 = 0.005;

/// A part in the way of positive motion: currents (A) over ways behind the contact (m), and what it springs back with (A/m).
struct Curve {
    name: &'static str,
    contact_m: f64,
    ways_m: &'static [f64],
    currents_a: &'static [f64],
    /// What all currents are multiplied with.
    factor: f64,
    elastic_a_per_m: f64,
}

const TABLE: Curve = Curve {
    name: "forming",
    contact_m: 0.012,
    ways_m: &[0.0, 0.0015, 0.003, 0.005, 0.012],
    currents_a: &[0.0, 3.0, 4.0, 9.5, 14.0],
    factor: 1.0,
    elastic_a_per_m: 20e3,
};

const CURVES: [Curve; 9] = [
    // Soft both ways: at the shorter periods its force stands still over a cycle.
    Curve {
        factor: 0.2,
        elastic_a_per_m: 800.0,
        ..TABLE
    },
    Curve {
        factor: 0.2,
        elastic_a_per_m: 5000.0,
        ..TABLE
    },
    Curve {
        elastic_a_per_m: 5000.0,
        ..TABLE
    },
    TABLE,
    Curve {
        factor: 1.5,
        elastic_a_per_m: 100e3,
        ..TABLE
    },
    Curve {
        name: "yield point",
        ways_m: &[0.0, 0.004, 0.012],
        currents_a: &[2.0, 3.0, 8.0],
        ..TABLE
    },
    Curve {
        name: "buckling",
        ways_m: &[0.0, 0.002, 0.004, 0.012],
        currents_a: &[0.0, 6.0, 3.0, 10.0],
        elastic_a_per_m: 5000.0,
        ..TABLE
    },
    Curve {
        name: "press fit",
        contact_m: 0.0165,
        ways_m: &[0.0, 0.004, 0.005],
        currents_a: &[0.0, 4.0, 24.0],
        elastic_a_per_m: 100e3,
        ..TABLE
    },
    Curve {
        name: "press fit",
        contact_m: 0.0165,
        ways_m: &[0.0, 0.004, 0.005],
        currents_a: &[0.0, 0.8, 5.8],
        ..TABLE
    },
];

/// A straight piece of the current over the way.
struct Straight {
    /// Where it begins and ends (m).
    ends_m: [f64; 2],
    /// A place on it: way (m) and current (A).
    at: [f64; 2],
    rise_a_per_m: f64,
    /// The part yields there.
    yields: bool,
}

impl Curve {
    fn current_of_row(&self, n: usize) -> f64 {
        self.factor * self.currents_a[n]
    }

    /// The curve of a part that has never been as deep as here.
    fn yielding(&self, way_m: f64) -> Straight {
        let last = self.ways_m.len() - 1;
        let n = (1..=last).find(|n| way_m < self.ways_m[*n]);
        let from = n.map_or(last, |n| n - 1);
        let to_m = n.map_or(f64::INFINITY, |n| self.ways_m[n]);
        let rise = n.map_or(0.0, |n| {
            (self.current_of_row(n) - self.current_of_row(from)) / (to_m - self.ways_m[from])
        });
        Straight {
            ends_m: [f64::NEG_INFINITY, to_m],
            at: [self.ways_m[from], self.current_of_row(from)],
            rise_a_per_m: rise,
            yields: true,
        }
    }

    /// What holds from a way on, of a part that was as deep as that.
    fn piece(&self, way_m: f64, deepest_m: f64, inward: bool) -> Straight {
        let deepest_m = deepest_m.max(self.ways_m[0]).max(way_m);
        if inward && way_m >= deepest_m {
            return self.yielding(way_m);
        }
        let most = self.yielding(deepest_m).current_a(deepest_m);
        let springs_m = deepest_m - most / self.elastic_a_per_m;
        let pressed = way_m > springs_m;
        Straight {
            ends_m: if pressed {
                [springs_m, deepest_m]
            } else {
                [f64::NEG_INFINITY, springs_m]
            },
            at: [deepest_m, if pressed { most } else { 0.0 }],
            rise_a_per_m: if pressed { self.elastic_a_per_m } else { 0.0 },
            yields: false,
        }
    }

    /// Current (A) at a position (m).
    fn current_a(&self, x: f64, deepest_m: f64) -> f64 {
        let way_m = x - self.contact_m;
        self.piece(way_m, deepest_m, true).current_a(way_m)
    }

    /// What is remembered at the end of a cycle.
    fn remembered(&self, x: f64, deepest_m: f64) -> f64 {
        if x < self.contact_m - CLEAR_M {
            return 0.0;
        }
        deepest_m.max(x - self.contact_m)
    }

    fn workpiece(&self) -> Forming {
        let currents_a: Vec<f64> = (0..self.ways_m.len())
            .map(|n| self.current_of_row(n))
            .collect();
        Forming::new(self.ways_m, &currents_a, self.elastic_a_per_m).expect("a table")
    }
}

impl Straight {
    fn current_a(&self, way_m: f64) -> f64 {
        self.at[1] + self.rise_a_per_m * (way_m - self.at[0])
    }
}

/// The adaptive solution over one stretch without a kink of the set-point.
fn exact(
    p: &AxisParams,
    targets: &Targets,
    curve: &Curve,
    (y, deepest_m): (&mut Y, &mut f64),
    [from_s, to_s]: [f64; 2],
) {
    let scale = [1e-3, 1e-2, 1.0, 1.0, 1.0];
    let mut t = from_s;
    while t < to_s {
        let push = y[2] - p.gravity_a - curve.current_a(y[0], *deepest_m);
        let d = if y[1] > 0.0 || (y[1] == 0.0 && push > dry(p, 1.0, 0.0)) {
            1.0
        } else if y[1] < 0.0 || push < -dry(p, -1.0, 0.0) {
            -1.0
        } else {
            0.0
        };
        let piece = curve.piece(y[0] - curve.contact_m, *deepest_m, d > 0.0);
        let (reached, next, ended) = integrate(
            |t, y: &Y| {
                let friction = (d != 0.0).then(|| d * dry(p, d, y[1]));
                let part_a = piece.current_a(y[0] - curve.contact_m);
                slopes(p, targets.at(t, from_s), y, friction, part_a)
            },
            |_, y| {
                let way_m = y[0] - curve.contact_m;
                if d > 0.0 {
                    y[1].min(piece.ends_m[1] - way_m)
                } else if d < 0.0 {
                    (-y[1]).min(way_m - piece.ends_m[0])
                } else {
                    let push = y[2] - p.gravity_a - piece.current_a(way_m);
                    (dry(p, 1.0, 0.0) - push).min(push + dry(p, -1.0, 0.0))
                }
            },
            t,
            to_s,
            *y,
            &scale,
        );
        *y = next;
        if piece.yields && d > 0.0 {
            *deepest_m = deepest_m.max(y[0] - curve.contact_m);
        }
        if ended && d * y[1] < 0.0 {
            y[1] = 0.0;
        }
        t = reached;
    }
}

/// A cycle of Runge-Kutta, which remembers how deep it was from substep to substep.
fn runge_kutta(
    p: &AxisParams,
    targets: &Targets,
    curve: &Curve,
    (y, deepest_m): (&mut Y, &mut f64),
    (t, h): (f64, f64),
    slope: Option<f64>,
) {
    for n in 0..RK4_SUBSTEPS {
        let at = (t + n as f64 * h, h);
        rk4_in(
            p,
            (targets, |x| curve.current_a(x, *deepest_m)),
            y,
            at,
            slope,
        );
        *deepest_m = deepest_m.max(y[0] - curve.contact_m);
    }
}

/// A cycle of the kernel, as a press of the cycle is told of its part (`runtime/cycle/src/contact.rs`).
fn kernel_cycle(
    lane: &LaneParams,
    reference: &Reference,
    forming: &Forming,
    curve: &Curve,
    (kernel, deepest_m): (&mut AxisState, &mut f64),
) {
    let before = *kernel;
    let middle_m = before.position_m[0] + 0.5 * lane.period_s * before.velocity_m_per_s[0];
    let way_m = middle_m - curve.contact_m;
    let met_a = [Workpiece::Forming(*forming).force_n(way_m, *deepest_m); LANES];
    cascade::advance(lane, reference, kernel, &met_a);
    let mut back_m = 0.0;
    let ahead_m = 2.0 * lane.period_s * before.velocity_m_per_s[0].max(0.0);
    let comes_m = before.position_m[0] - curve.contact_m + ahead_m;
    if swings(lane, 0, forming.stiffest_n_per_m()) && comes_m > forming.meets_m(*deepest_m) {
        let met = Met {
            places: 1,
            contact_m: &[curve.contact_m; LANES],
            stiffness_a_per_m: &[0.0; LANES],
            direction: &[1.0; LANES],
            formed: [Some(forming); LANES],
            deepest_m: &[*deepest_m; LANES],
        };
        back_m = advance_met(lane, reference, &met, &before, kernel)[0];
    }
    *deepest_m = curve.remembered(kernel.position_m[0] + back_m, *deepest_m);
}

/// RMS errors of position (m), velocity (m/s) and reported current (A).
type Figures = [f64; 3];

/// Of the kernel, of RK4 with the sign of v, and of RK4 with tanh; cycles in the part, and how often the part was met.
fn compare(p: &AxisParams, curve: &Curve, period_s: f64) -> ([Figures; 3], usize, usize) {
    let lane = LaneParams::new(&[*p; LANES], period_s);
    let targets = Targets::new(period_s, p.dead_time_s);
    let forming = curve.workpiece();
    let (mut kernel, mut kernel_deepest_m) = (AxisState::REST, 0.0);
    let mut reference = Reference::default();
    let (mut truth, mut deepest_m) = ([0.0; 5], 0.0);
    let tanh_slope = 100.0 / p.stribeck_velocity_m_per_s;
    let mut variants: [(Option<f64>, Y, f64); 2] =
        [None, Some(tanh_slope)].map(|slope| (slope, [0.0; 5], 0.0));
    let mut errors: [[Vec<f64>; 3]; 3] = Default::default();
    let (mut pressed, mut met, mut was) = (0, 0, false);
    let kink_s = (p.dead_time_s / period_s).fract() * period_s;
    for k in 0..(RUN_S / period_s) as usize {
        let t = k as f64 * period_s;
        reference.push(&[targets.of_cycle(k as i64); LANES]);
        let of = (&mut kernel, &mut kernel_deepest_m);
        kernel_cycle(&lane, &reference, &forming, curve, of);
        for [from, to] in [[0.0, kink_s], [kink_s, period_s]] {
            if to > from {
                let of = (&mut truth, &mut deepest_m);
                exact(p, &targets, curve, of, [t + from, t + to]);
            }
        }
        deepest_m = curve.remembered(truth[0], deepest_m);
        for (slope, y, deepest_m) in &mut variants {
            let at = (t, period_s / RK4_SUBSTEPS as f64);
            runge_kutta(p, &targets, curve, (y, deepest_m), at, *slope);
            *deepest_m = curve.remembered(y[0], *deepest_m);
        }
        let touches = curve.current_a(truth[0], deepest_m) > 0.0;
        pressed += usize::from(touches);
        met += usize::from(touches && !was);
        was = touches;
        let found = [
            kernel.position_m[0],
            kernel.velocity_m_per_s[0],
            kernel.reported_a[0],
        ];
        let of = |y: &Y| [y[0], y[1], y[4]];
        let found = [found, of(&variants[0].1), of(&variants[1].1)];
        for (lists, values) in errors.iter_mut().zip(found) {
            for n in 0..3 {
                lists[n].push(values[n] - of(&truth)[n]);
            }
        }
    }
    let figures = errors.map(|lists| lists.map(|list| rms(&list)));
    (figures, pressed, met)
}

#[test]
fn in_a_part_with_a_curve_the_kernel_is_as_good_as_runge_kutta() {
    let mut worse = Vec::new();
    let (mut all, mut largest) = (0, [0.0f64; 3]);
    let mut smallest = [f64::INFINITY; 3];
    for period_s in PERIODS_S {
        for (velocity_hz, dead_cycles) in [(50.0, 1.0), (100.0, 1.0), (100.0, 2.5)] {
            for curve in &CURVES {
                let mut p = params(velocity_hz, 0.1, dead_cycles, period_s);
                // The adaptive solution has no event for the limit.
                p.limit_a = 300.0;
                let ([kernel, sign, tanh], pressed, met) = compare(&p, curve, period_s);
                let ratios: Figures = std::array::from_fn(|n| kernel[n] / sign[n].min(tanh[n]));
                let text = [kernel, sign, tanh].map(|f| {
                    format!(
                        "{:9.4} um {:8.4} mm/s {:8.3} mA",
                        f[0] * 1e6,
                        f[1] * 1e3,
                        f[2] * 1e3
                    )
                });
                let of = format!(
                    "{:4.0} us {velocity_hz:3.0} Hz dead {dead_cycles} {} x{} elastic {:6.0} A/m: {}; ratios {:.3} {:.3} {:.3}; in it {pressed} cycles, {met} times",
                    period_s * 1e6,
                    curve.name,
                    curve.factor,
                    curve.elastic_a_per_m,
                    text.join(" | "),
                    ratios[0],
                    ratios[1],
                    ratios[2],
                );
                println!("{of}");
                assert!(pressed > 20 && met >= 2, "{of}");
                for n in 0..3 {
                    largest[n] = largest[n].max(ratios[n]);
                    smallest[n] = smallest[n].min(ratios[n]);
                }
                if !ratios.iter().all(|ratio| *ratio <= RATIO_MAX) {
                    worse.push(of);
                }
                all += 1;
            }
        }
    }
    println!("{all} cases: ratios from {smallest:?} to {largest:?}");
    assert!(worse.is_empty(), "{} of {all}: {worse:#?}", worse.len());
}
