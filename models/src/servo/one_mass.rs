//! One mass behind a transmission.
//!
//! # Derivation
//! Moving in the direction d with the motor's force Fm, the load's F (gravity and process) and k what the motor feels of
//! the force behind the transmission ([`super::transmission`]):
//!
//! ```text
//! (m1 + k m2) v' = Fm - k F - d (D1 + k D2) - (b1 + k b2) v
//! ```
//!
//! k depends on the sign of the transmitted force `m2 v' + F + d D2 + b2 v`, which grows with v' while the right side falls:
//! exactly one of the two values of k agrees with itself. With constant forces and the dry friction D taken at the middle of
//! the step this is `v' = A - L v`, whose solution, way included, is an exponential: the step is exact. So is the moment at
//! which v reaches 0. There the axis stays if the motor's force lies in the cone
//!
//! ```text
//! -S1 + k_neg (F - S2)  <=  Fm  <=  S1 + k_pos (F + S2)
//! ```
//!
//! (S: break-away forces) and otherwise leaves it in the direction of the excess, with the rest of the step. Nothing is
//! thresholded: an axis at rest keeps its position to the bit, in steps of any length. Stribeck friction, and k where the
//! transmitted force turns around within a step, are second order: below 2e-3 of the range in steps of 4 ms.
//!
//! With LuGre, v and z are stiff together: sqrt(s0 / m) is often above 1000 rad/s. With the bristles' rate a(v) frozen at
//! the middle of a part, `v' = .. - k (s0 z + s1 (v - a z))`, `z' = v - a z` is linear; its determinant (s0 + b a) k / m
//! is positive and its trace negative, so its exact step is stable in steps of any length. Where dry friction of the motor's
//! side or losses bring the axis to a stop, and where the transmitted force turns around, the moment is found by halving
//! ([`super::halving`]); a part is also halved where what was taken at its middle makes it wrong by too much, as in
//! [`super::two_mass`].

use super::friction::{LuGre, StaticFriction};
use super::halving::{Division, Halving, Outcome};
use super::linear::{self, Matrix};
use super::mechanics::{Mechanics, MechanicsState};

/// Starts and stops within a step: it can stop once and leave once.
const SEGMENTS_MAX: usize = 3;

/// The motion within a step: `v' = a - l v`.
#[derive(Clone, Copy)]
struct Decay {
    a: f64,
    l: f64,
}

impl Decay {
    /// (1 - exp(-l t)) / l and its integral.
    fn phi(&self, t: f64) -> (f64, f64) {
        let x = self.l * t;
        if x < 0.02 {
            // The series: next terms are below 1e-14 of the first.
            let one = 1.0
                - x / 2.0 * (1.0 - x / 3.0 * (1.0 - x / 4.0 * (1.0 - x / 5.0 * (1.0 - x / 6.0))));
            let two = 0.5
                - x / 6.0 * (1.0 - x / 4.0 * (1.0 - x / 5.0 * (1.0 - x / 6.0 * (1.0 - x / 7.0))));
            return (one * t, two * t * t);
        }
        let one = -libm::expm1(-x) / self.l;
        (one, (t - one) / self.l)
    }

    /// Velocity after t, and the way until then.
    fn after(&self, v: f64, t: f64) -> (f64, f64) {
        let (one, two) = self.phi(t);
        let a = self.a - self.l * v;
        (v + a * one, v * t + a * two)
    }

    /// When the velocity that starts at v reaches 0.
    fn stop(&self, v: f64) -> f64 {
        // v + (a - l v) phi(t) = 0
        let phi = -v / (self.a - self.l * v);
        if self.l * phi < 1e-12 {
            phi
        } else {
            -libm::log1p(-self.l * phi) / self.l
        }
    }
}

/// The forces on the axis in one step.
struct Forces<'a> {
    m: &'a Mechanics,
    motor_n: f64,
    load_n: f64,
}

impl Forces<'_> {
    /// The direction in which an axis at rest leaves, or 0 where it stays.
    fn excess(&self, load_friction: &StaticFriction) -> f64 {
        let t = &self.m.transmission;
        let s1 = &self.m.motor_friction;
        let up = self.load_n + load_friction.breakaway_n(1.0);
        let down = self.load_n - load_friction.breakaway_n(-1.0);
        if self.motor_n > s1.breakaway_n(1.0) + t.felt(up, 1.0) * up {
            1.0
        } else if self.motor_n < -s1.breakaway_n(-1.0) + t.felt(down, -1.0) * down {
            -1.0
        } else {
            0.0
        }
    }

    /// The motion in direction d with the dry friction of the speed `at`, started at v.
    fn motion(&self, load_friction: &StaticFriction, d: f64, at: f64, v: f64) -> Decay {
        let m = self.m;
        let d1 = m.motor_friction.dry_n(d, at);
        let d2 = load_friction.dry_n(d, at);
        let (b1, b2) = (
            m.motor_friction.viscous_n_s_per_m,
            load_friction.viscous_n_s_per_m,
        );
        let with = |k: f64| {
            let mass = m.motor_mass_kg + k * m.load_mass_kg;
            Decay {
                a: (self.motor_n - k * self.load_n - d * (d1 + k * d2)) / mass,
                l: (b1 + k * b2) / mass,
            }
        };
        let forward = with(m.transmission.felt(d, d));
        let a = forward.a - forward.l * v;
        let transmitted = m.load_mass_kg * a + self.load_n + d * d2 + b2 * v;
        if transmitted * d >= 0.0 {
            forward
        } else {
            with(m.transmission.felt(-d, d))
        }
    }
}

/// Advances one mass by `step_s` with constant forces (N).
pub fn advance(
    mechanics: &Mechanics,
    state: &mut MechanicsState,
    motor_force_n: f64,
    load_force_n: f64,
    step_s: f64,
) {
    let forces = Forces {
        m: mechanics,
        motor_n: motor_force_n,
        load_n: load_force_n + mechanics.gravity_n,
    };
    if let Some(lugre) = mechanics.load_friction.bristles() {
        advance_lugre(&forces, lugre, state, step_s);
    } else {
        advance_static(&forces, mechanics.load_friction.map(), state, step_s);
    }
    state.load_velocity_m_per_s = state.motor_velocity_m_per_s;
}

fn advance_static(
    forces: &Forces,
    load_friction: &StaticFriction,
    state: &mut MechanicsState,
    step_s: f64,
) {
    let mut left_s = step_s;
    let mut v = state.motor_velocity_m_per_s;
    for _ in 0..SEGMENTS_MAX {
        let d = if v != 0.0 {
            v
        } else {
            forces.excess(load_friction)
        };
        if d == 0.0 {
            break;
        }
        let d = if d > 0.0 { 1.0 } else { -1.0 };
        // Friction at the middle of the step; it never drives, so a guess beyond 0 counts as 0.
        let guess = forces
            .motion(load_friction, d, v, v)
            .after(v, 0.5 * left_s)
            .0;
        let middle = if guess * d > 0.0 { guess } else { 0.0 };
        let motion = forces.motion(load_friction, d, middle, v);
        let (end, way) = motion.after(v, left_s);
        if end * d > 0.0 {
            state.position_m += way;
            v = end;
            break;
        }
        if v == 0.0 {
            // On the edge of the cone: the excess is below what rounding can tell.
            break;
        }
        let stop = motion.stop(v);
        let stop = if stop < left_s { stop } else { left_s };
        state.position_m += motion.after(v, stop).1;
        left_s -= stop;
        v = 0.0;
    }
    state.motor_velocity_m_per_s = v;
}

/// The states v, z and a constant force.
fn lugre_matrix(forces: &Forces, lugre: &LuGre, k: f64, rate_per_s: f64) -> Matrix<4> {
    let m = forces.m;
    let mass = m.motor_mass_kg + k * m.load_mass_kg;
    let (s0, s1) = (
        lugre.bristle_stiffness_n_per_m,
        lugre.bristle_damping_n_s_per_m,
    );
    let viscous = m.motor_friction.viscous_n_s_per_m + k * (s1 + lugre.map.viscous_n_s_per_m);
    [
        [0.0, 1.0, 0.0, 0.0],
        [
            0.0,
            -viscous / mass,
            -k * (s0 - s1 * rate_per_s) / mass,
            1.0 / mass,
        ],
        [0.0, 1.0, -rate_per_s, 0.0],
        [0.0; 4],
    ]
}

/// An axis on bristles that moves, or leaves, in the direction d.
struct Sliding<'a> {
    forces: &'a Forces<'a>,
    lugre: &'a LuGre,
    d: f64,
}

/// Velocity and deflection of the bristles, after a way.
#[derive(Clone, Copy)]
struct OnBristles {
    way: f64,
    v: f64,
    z: f64,
}

impl Sliding<'_> {
    /// Dry friction of the motor's side at the speed `v`, which never drives (N).
    fn dry_n(&self, v: f64) -> f64 {
        let v = if v * self.d > 0.0 { v } else { 0.0 };
        self.d * self.forces.m.motor_friction.dry_n(self.d, v)
    }

    /// k that agrees with the transmitted force it leads to, as with static friction.
    fn felt(&self, at: &OnBristles) -> f64 {
        let (m, d, v) = (self.forces.m, self.d, at.v);
        let outer = self.forces.load_n + self.lugre.force_n(at.z, v);
        let k = m.transmission.felt(d, d);
        let b1 = m.motor_friction.viscous_n_s_per_m;
        let net = self.forces.motor_n - self.dry_n(v) - b1 * v - k * outer;
        let a = net / (m.motor_mass_kg + k * m.load_mass_kg);
        if (m.load_mass_kg * a + outer) * d < 0.0 {
            m.transmission.felt(-d, d)
        } else {
            k
        }
    }

    /// After `step_s` with dry friction and rate given.
    fn after(&self, at: &OnBristles, k: f64, (dry_n, rate): (f64, f64), step_s: f64) -> OnBristles {
        let force = self.forces.motor_n - dry_n - k * self.forces.load_n;
        let e = linear::expm1(&lugre_matrix(self.forces, self.lugre, k, rate), step_s);
        let [way, v, z, _] = linear::apply(&e, &[0.0, at.v, at.z, force]);
        let z = crate::lane::clamp(z, self.lugre.bristle_max_m());
        OnBristles { way, v, z }
    }
}

/// The direction in which an axis at rest on its bristles leaves, or 0 where dry friction of the motor's side and losses
/// hold it.
fn excess_on_bristles(forces: &Forces, lugre: &LuGre, z: f64) -> f64 {
    let (t, dry) = (&forces.m.transmission, &forces.m.motor_friction);
    let behind = forces.load_n + lugre.bristle_stiffness_n_per_m * z;
    if forces.motor_n > t.felt(behind, 1.0) * behind + dry.breakaway_n(1.0) {
        1.0
    } else if forces.motor_n < t.felt(behind, -1.0) * behind - dry.breakaway_n(-1.0) {
        -1.0
    } else {
        0.0
    }
}

fn advance_lugre(forces: &Forces, lugre: &LuGre, state: &mut MechanicsState, step_s: f64) {
    let m = forces.m;
    let mass = m.motor_mass_kg + m.load_mass_kg;
    let (s0, s1) = (
        lugre.bristle_stiffness_n_per_m,
        lugre.bristle_damping_n_s_per_m,
    );
    let most = m.transmission.felt(1.0, 1.0);
    let mut step = Halving::new(Division::new(libm::sqrt(most * s0 / mass), step_s));
    let lossy = m.transmission.felt(1.0, 1.0) != m.transmission.felt(1.0, -1.0);
    while let Some(level) = step.level() {
        let at = OnBristles {
            way: 0.0,
            v: state.motor_velocity_m_per_s,
            z: state.bristle_m,
        };
        let direction = if at.v != 0.0 {
            at.v
        } else {
            excess_on_bristles(forces, lugre, at.z)
        };
        if direction == 0.0 {
            // Forces and bristles stay as they are for the rest of the step.
            return;
        }
        let d = if direction > 0.0 { 1.0 } else { -1.0 };
        let sliding = Sliding { forces, lugre, d };
        let (k, h) = (sliding.felt(&at), step_s * Halving::share(level));
        let inputs = |at: &OnBristles| (sliding.dry_n(at.v), lugre.rate_per_s(at.v));
        let start = inputs(&at);
        let middle = inputs(&sliding.after(&at, k, start, 0.5 * h));
        let next = sliding.after(&at, k, middle, h);
        let end = inputs(&next);
        // Without dry friction and losses nothing holds, and the bristles alone see the axis turn around.
        let stops = (lossy || m.motor_friction.breakaway_n(d) > 0.0) && next.v * d < 0.0;
        let happened = stops || (lossy && sliding.felt(&next) != k);
        let off = |a: f64, b: f64, c: f64| ((a - 2.0 * b + c) / 6.0).abs();
        let z = h * next.z.abs() * off(start.1, middle.1, end.1) / (1.0 + middle.1 * h);
        let error = (h * off(start.0, middle.0, end.0) + most * z * (s0 * h + s1)) / mass;
        let by_forces = (forces.motor_n.abs() + forces.load_n.abs()) / mass;
        let outcome = Outcome::new(happened, error, at.v.abs() + next.v.abs(), by_forces);
        if step.takes(level, outcome) {
            state.position_m += next.way;
            state.motor_velocity_m_per_s = if stops { 0.0 } else { next.v };
            state.bristle_m = next.z;
        }
    }
}
