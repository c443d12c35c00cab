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
//! the middle of the step, `v' = .. - k (s0 z + s1 (v - a z))`, `z' = v - a z` is linear; its determinant (s0 + b a) k / m
//! is positive and its trace negative, so its exact step is stable in steps of any length. Bristles together
//! with dry friction on the motor's side or losses are first order where that side stops: 2e-3 of the range in steps of
//! 31.25 us, 2e-2 in steps of 250 us.

use super::friction::{LuGre, StaticFriction};
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

fn advance_lugre(forces: &Forces, lugre: &LuGre, state: &mut MechanicsState, step_s: f64) {
    let m = forces.m;
    let (v, z) = (state.motor_velocity_m_per_s, state.bristle_m);
    // Dry friction of the motor's side beside the bristles: an impulse that may stop but never turn around.
    let behind = forces.load_n + lugre.bristle_stiffness_n_per_m * z;
    let d = if v != 0.0 {
        v
    } else {
        let dry = &m.motor_friction;
        let (up, down) = (
            m.transmission.felt(behind, 1.0) * behind,
            m.transmission.felt(behind, -1.0) * behind,
        );
        if forces.motor_n > up + dry.breakaway_n(1.0) {
            1.0
        } else if forces.motor_n < down - dry.breakaway_n(-1.0) {
            -1.0
        } else {
            return;
        }
    };
    let d = if d > 0.0 { 1.0 } else { -1.0 };
    let step = |rate_per_s: f64, at: f64, step_s: f64| {
        // k that agrees with the force it leads to, as with static friction.
        let dry_n = d * m.motor_friction.dry_n(d, at);
        let friction_n = lugre.bristle_stiffness_n_per_m * z
            + lugre.bristle_damping_n_s_per_m * (v - rate_per_s * z)
            + lugre.map.viscous_n_s_per_m * v;
        let outer = forces.load_n + friction_n;
        let mut k = m.transmission.felt(d, d);
        let b1 = m.motor_friction.viscous_n_s_per_m;
        let a =
            (forces.motor_n - dry_n - b1 * v - k * outer) / (m.motor_mass_kg + k * m.load_mass_kg);
        if (m.load_mass_kg * a + outer) * d < 0.0 {
            k = m.transmission.felt(-d, d);
        }
        let force = forces.motor_n - dry_n - k * forces.load_n;
        let e = linear::expm1(&lugre_matrix(forces, lugre, k, rate_per_s), step_s);
        linear::apply(&e, &[0.0, v, z, force])
    };
    let guess = step(lugre.rate_per_s(v), v, 0.5 * step_s);
    let y = step(lugre.rate_per_s(guess[1]), guess[1], step_s);
    state.position_m += y[0];
    let has_dry = m.motor_friction.breakaway_n(d) > 0.0;
    state.motor_velocity_m_per_s = if has_dry && y[1] * d < 0.0 { 0.0 } else { y[1] };
    state.bristle_m = crate::lane::clamp(y[2], lugre.bristle_max_m());
}
