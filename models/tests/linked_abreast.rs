//! Presses side by side are what each of them is by itself, to the last bit, as long as nothing happens to them; and little does.
#![allow(
    clippy::disallowed_methods,
    reason = "the motion that is asked for is no part of what is judged"
)]

mod reference;

use reference::press::Rig;
use twinstep_models::axis::told::Told;
use twinstep_models::axis::walk::{Walk, Ways};
use twinstep_models::axis::{AxisState, LaneParams, Reference};
use twinstep_models::lane::{LANES, Lane, ZERO};
use twinstep_models::press::linked::{Abreast, Middle, Parts};
use twinstep_models::simd::{Kernel, Level, Vector};

const PERIOD_S: f64 = 0.001;
const CYCLES: usize = 4000;
/// Below this velocity of the ram on the way in (m/s) it meets nothing.
const RETURNING_M_PER_S: f64 = -1e-4;
const DEEPEST_M: f64 = 1000.0;

struct Step<'a> {
    rams: &'a Abreast,
    of: (&'a LaneParams, &'a Reference, u8),
    parts: &'a Parts<'a>,
    before: &'a AxisState,
    after: &'a mut AxisState,
}

impl Kernel for Step<'_> {
    type Output = u8;

    #[inline(always)]
    fn run<V: Vector>(self) -> u8 {
        let (whole, mut parts) = (*self.after, *self.after);
        let one = self
            .rams
            .advance::<V>(self.of, self.parts, self.before, &mut parts);
        *self.after = whole;
        let other = self
            .rams
            .advance::<V::Whole>(self.of, self.parts, self.before, self.after);
        assert_eq!((one, &parts), (other, &*self.after));
        one
    }
}

/// Eight presses that differ in everything.
fn presses() -> [Rig; LANES] {
    core::array::from_fn(|l| {
        let share = [0.0, 0.25, 1.0, 4.0][l % 4];
        let mut rig = Rig::new(share, l % 3 == 2, PERIOD_S);
        rig.linked.motor.efficiency = 1.0 - 0.04 * l as f64;
        rig.linked.motor.efficiency_back = 1.0 - 0.06 * l as f64;
        if l % 2 == 1 {
            (rig.p.stribeck_a, rig.p.coulomb_negative_a) = (0.3, 0.9);
        }
        if l == 5 {
            rig.p.limit_a = 6.0;
        }
        rig.contact_m = rig.linked.linkage.travel(0.005).0;
        rig.stiffness_a_per_m = [0.0, 800.0][l / 2 % 2];
        rig
    })
}

/// Up and down, with a rest between.
fn target_m(k: usize, l: usize) -> f64 {
    let turn = (k + 137 * l) % 1000;
    let share = turn.clamp(200, 800) as f64 / 600.0 - 1.0 / 3.0;
    0.02 * (1.0 - (2.0 * core::f64::consts::PI * share).cos()) - 0.02
}

fn part_a(rig: &Rig, l: usize, formed: u8, m: &Middle) -> f64 {
    let way_m = m.ram_m - rig.contact_m;
    if formed & (1 << l) != 0 {
        // A curve, of any shape.
        return 300.0 * way_m.max(0.0).sqrt() * rig.stiffness_a_per_m / 800.0;
    }
    if m.ram_m_per_s() > RETURNING_M_PER_S && way_m > 0.0 && rig.stiffness_a_per_m > 0.0 {
        rig.stiffness_a_per_m * way_m.min(DEEPEST_M)
    } else {
        0.0
    }
}

fn run(level: Level) -> (AxisState, [u32; LANES]) {
    let rigs = presses();
    let p = LaneParams::new(&rigs.map(|rig| rig.p), PERIOD_S);
    let lane = |of: fn(&Rig) -> f64| -> Lane { core::array::from_fn(|l| of(&rigs[l])) };
    let (contact_m, stiffness_a_per_m) = (lane(|r| r.contact_m), lane(|r| r.stiffness_a_per_m));
    // The part of the seventh has a curve.
    let parts = Parts {
        contact_m: &contact_m,
        stiffness_a_per_m: &stiffness_a_per_m,
        direction: &[1.0; LANES],
        formed: 1 << 6,
        deepest_m: DEEPEST_M,
        returning_m_per_s: RETURNING_M_PER_S,
    };
    let mut reference = Reference::default();
    for _ in 0..8 {
        reference.push(&core::array::from_fn(|l| target_m(0, l)));
    }
    let mut s = AxisState::REST;
    s.position_m = core::array::from_fn(|l| target_m(0, l));
    let mut counts = [0; LANES];
    for k in 0..CYCLES {
        reference.push(&core::array::from_fn(|l| target_m(k, l)));
        // An observer holds something.
        s.disturbance_a = core::array::from_fn(|l| 0.2 * (0.01 * k as f64 + l as f64).sin());
        let before = s;
        let mut rams = Abreast::NONE;
        let ways = Ways::of(&p, &reference);
        let mut walked = s;
        for (l, rig) in rigs.iter().enumerate() {
            rams.put(&p, l, &rig.linked, &before);
            let walk = Walk::begin(&p, l, &ways, &Told::NOTHING, &before);
            (rig.linked).walk(walk, |m| part_a(rig, l, parts.formed, m), &mut walked);
        }
        // One of them is told something else now and then.
        let alone = if k % 50 == 0 { !1 } else { u8::MAX };
        let held = level.run(Step {
            rams: &rams,
            of: (&p, &reference, alone),
            parts: &parts,
            before: &before,
            after: &mut s,
        });
        assert_eq!(held & !alone, 0);
        for (l, count) in counts.iter_mut().enumerate() {
            let beside = |s: &AxisState| {
                [
                    s.position_m[l],
                    s.velocity_m_per_s[l],
                    s.current_a[l],
                    s.integral_a[l],
                    s.reported_a[l],
                ]
            };
            if held & (1 << l) == 0 {
                assert_eq!(beside(&s), beside(&before), "cycle {k}, {l} is left");
                continue;
            }
            *count += 1;
            let bits = |s: &AxisState| beside(s).map(f64::to_bits);
            let (side, walk) = (beside(&s), beside(&walked));
            assert_eq!(bits(&s), bits(&walked), "cycle {k}, {l}: {side:?} {walk:?}");
        }
        s = walked;
    }
    (s, counts)
}

#[test]
fn presses_side_by_side_are_what_each_is_by_itself() {
    let (s, counts) = run(Level::PORTABLE);
    println!("{counts:?} of {CYCLES} cycles side by side");
    assert!(s.position_m.iter().all(|x| x.is_finite()));
    for (l, count) in counts.into_iter().enumerate() {
        // That with a curve walks in its part, and that with a small limit at it.
        let least = if l == 5 || l == 6 { 0.3 } else { 0.9 };
        assert!(f64::from(count) > least * CYCLES as f64, "{l}: {count}");
    }
    assert_ne!(s.position_m, ZERO);
}
