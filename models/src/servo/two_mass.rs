//! Two masses with a spring, a damper and a gap between them.
//!
//! # Derivation
//! With the motor's force Fm, the load's F, the dry frictions D with directions d, the spring's force T:
//!
//! ```text
//! m1 v1' = Fm - k T - d1 D1 - b1 v1                k: what the motor feels of the force behind the transmission
//! m2 v2' = T - F - d2 D2 - b2 v2                   (or LuGre instead of d2 D2)
//! ```
//!
//! Motor minus load is split into the deflection s of the spring and the place g in the gap of width 2 a, with g a state
//! (Nordin, Galic, Gutman 1997): a shaft with damping does not follow the classic dead zone, it relaxes while it is free.
//!
//! ```text
//! flank:  g = +-a, g' = 0, s' = v1 - v2, T = K s + C s';   left when T would pull
//! free:   T = 0,  s' = -(K / C) s,  g' = v1 - v2 - s';     left when |g| = a
//! ```
//!
//! On a flank and in the gap, with either side moving or held by its dry friction, driving or driven, everything is linear
//! while the dry frictions are constant: sixteen combinations, each with its matrix exponential. They are precomputed for
//! the step and for its halves down to step / 2^16, which are on the way of scaling and squaring anyway. A step is taken
//! whole where nothing happens within. Where a side stops or breaks away, a flank is reached or left, or the force through
//! the transmission turns around (which decides on k), the moment is found by halving ([`super::halving`]), the states follow
//! the exact solution up to it, and the rest of the step goes on from there. Dry friction that depends on the speed and the
//! bristles' rate a are taken at the middle of each part. By Simpson's rule against the rule of the middle, with second
//! differences over start, middle and end, a part of h is wrong by
//!
//! ```text
//! dv1 = h D1" / m1,   dv2 = (h D2" + (s0 h + s1) dz) / m2,   dz = h z a" / (1 + a h)      x" = (x0 - 2 xm + x1) / 6
//! ```
//!
//! and is halved as well where that is too much. The work of a step is bounded: after some hundred tries the rest is taken
//! without looking for more, and a side that would turn around stops instead, so that dry friction never drives. Such a part,
//! and each of a step that does not resolve the spring, is held against the energy put in: a force F on a mass m adds at most
//! F h / sqrt(m) to the root of `m1 v1^2 + m2 v2^2 + K s^2 + s0 z^2` in h. A part that comes to more had the wrong k while
//! the force turned around unseen, or friction that drove: it is taken again with k = 1 and without dry friction.
//!
//! Against an independent solution (`tests/servo_mechanics.rs`, `servo_combined.rs`) positions and velocities of drawn axes, 20
//! to 200 Hz, gap, losses and bristles included, stay within 1e-5 of their range in steps of 31.25 us, 4e-4 in steps of 250 us
//! and 8e-3 in steps of 2 and 4 ms; with static friction within 3e-5 and 2e-3 in those of 250 us and 4 ms.

use super::friction::LuGre;
use super::halving::{Division, Halving, LEVELS, Outcome};
use super::linear::{self, Matrix};
use super::mechanics::{Compliance, Mechanics, MechanicsState};

/// Touching or not, motor held or not, load held or not, driving or driven.
const SITUATIONS: usize = 16;
/// The states that a step changes: load's way, deflection, way in the gap, both velocities, bristles; then two constant
/// accelerations.
const N: usize = 8;
/// What is kept of each matrix for static friction: rows x2, s, g, v1, v2 and columns s, v1, v2, f1, f2.
type Kept = [[f64; 5]; 5];
/// Share by which energy may seem to grow by rounding alone.
const ROUNDING: f64 = 1e-9;
const COLUMNS: [usize; 5] = [1, 3, 4, 6, 7];

/// What a part of a step begins with: what holds and what touches.
#[derive(Clone, Copy)]
struct Situation {
    /// On a flank: the spring acts.
    touching: bool,
    /// Direction of the motor's side, 0 where its friction holds it.
    motor: f64,
    /// Direction of the load's side, 0 where its friction holds it.
    load: f64,
    /// The motor's side drives the load's: which of the transmission's efficiencies holds.
    driving: bool,
}

/// What is constant during a part: accelerations beside those that are linear in the states, and the bristles' rate.
#[derive(Clone, Copy)]
struct Inputs {
    motor_m_per_s2: f64,
    load_m_per_s2: f64,
    rate_per_s: f64,
}

/// Two masses and their exact steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TwoMassPlan {
    mechanics: Mechanics,
    compliance: Compliance,
    step_s: f64,
    division: Division,
    /// By situation and level; level n is a step of `step_s / 2^(LEVELS - n)`.
    kept: [[Kept; LEVELS + 1]; SITUATIONS],
}

impl TwoMassPlan {
    /// The plan for steps of `step_s` (s, > 0).
    pub fn new(mechanics: &Mechanics, compliance: Compliance, step_s: f64) -> Self {
        let mut plan = Self {
            mechanics: *mechanics,
            compliance,
            step_s,
            division: Division::new(fastest_per_s(mechanics, &compliance), step_s),
            kept: [[[[0.0; 5]; 5]; LEVELS + 1]; SITUATIONS],
        };
        if mechanics.load_friction.bristles().is_none() {
            for index in 0..SITUATIONS {
                let bit = |n: usize| f64::from(u8::from(index & n != 0));
                let situation = Situation {
                    touching: index & 1 != 0,
                    motor: bit(2),
                    load: bit(4),
                    driving: index & 8 == 0,
                };
                let a = plan.generator(&situation, plan.felt(&situation), 0.0);
                let mut e = linear::expm1(&a, step_s / (1u32 << LEVELS) as f64);
                for kept in &mut plan.kept[index] {
                    *kept = keep(&e);
                    e = linear::doubled(&e);
                }
            }
        }
        plan
    }

    /// Force of the spring on the load (N).
    pub fn spring_force_n(&self, state: &MechanicsState) -> f64 {
        let relative = state.motor_velocity_m_per_s - state.load_velocity_m_per_s;
        if self.touches(state) {
            self.pull_n(state, relative)
        } else {
            0.0
        }
    }

    fn pull_n(&self, state: &MechanicsState, relative_m_per_s: f64) -> f64 {
        self.compliance.stiffness_n_per_m * state.stretch_m
            + self.compliance.damping_n_s_per_m * relative_m_per_s
    }

    fn touches(&self, state: &MechanicsState) -> bool {
        let half = 0.5 * self.compliance.gap_m;
        let relative = state.motor_velocity_m_per_s - state.load_velocity_m_per_s;
        half == 0.0
            || (state.gap_m >= half && self.pull_n(state, relative) >= 0.0)
            || (state.gap_m <= -half && self.pull_n(state, relative) <= 0.0)
    }

    fn felt(&self, situation: &Situation) -> f64 {
        let direction = if situation.driving { 1.0 } else { -1.0 };
        self.mechanics.transmission.felt(1.0, direction)
    }

    fn generator(&self, situation: &Situation, felt: f64, rate_per_s: f64) -> Matrix<N> {
        let (m, c) = (&self.mechanics, &self.compliance);
        let (k, d) = (c.stiffness_n_per_m, c.damping_n_s_per_m);
        let mut a = [[0.0; N]; N];
        a[0][4] = 1.0;
        if situation.touching {
            a[1][3] = 1.0;
            a[1][4] = -1.0;
        } else {
            a[1][1] = -k / d;
            a[2] = [0.0, k / d, 0.0, 1.0, -1.0, 0.0, 0.0, 0.0];
        }
        let spring = if situation.touching {
            [k, d, -d]
        } else {
            [0.0; 3]
        };
        if situation.motor != 0.0 {
            let mass = m.motor_mass_kg;
            a[3][1] = -felt * spring[0] / mass;
            a[3][3] = -(felt * spring[1] + m.motor_friction.viscous_n_s_per_m) / mass;
            a[3][4] = -felt * spring[2] / mass;
            a[3][6] = 1.0;
        }
        if situation.load != 0.0 {
            let mass = m.load_mass_kg;
            a[4][1] = spring[0] / mass;
            a[4][3] = spring[1] / mass;
            a[4][4] = (spring[2] - m.load_friction.map().viscous_n_s_per_m) / mass;
            a[4][7] = 1.0;
            if let Some(lugre) = m.load_friction.bristles() {
                let s1 = lugre.bristle_damping_n_s_per_m;
                a[4][4] -= s1 / mass;
                a[4][5] = -(lugre.bristle_stiffness_n_per_m - s1 * rate_per_s) / mass;
                a[5][4] = 1.0;
                a[5][5] = -rate_per_s;
            }
        }
        a
    }

    /// What holds and what touches, with the forces of the motor and of the load (N).
    fn situation(&self, state: &MechanicsState, motor_n: f64, load_n: f64) -> Situation {
        let m = &self.mechanics;
        let touching = self.touches(state);
        let pull = self.spring_force_n(state);
        let t = &m.transmission;
        let motor = direction(
            state.motor_velocity_m_per_s,
            motor_n,
            m.motor_friction.breakaway_n(1.0) + t.felt(pull, 1.0) * pull,
            -m.motor_friction.breakaway_n(-1.0) + t.felt(pull, -1.0) * pull,
        );
        let load = match m.load_friction.bristles() {
            // Bristles always give.
            Some(_) => 1.0,
            None => direction(
                state.load_velocity_m_per_s,
                pull - load_n,
                m.load_friction.map().breakaway_n(1.0),
                -m.load_friction.map().breakaway_n(-1.0),
            ),
        };
        Situation {
            touching,
            motor,
            load,
            driving: pull * motor >= 0.0,
        }
    }

    /// The constants of a part, with friction and losses as they are in the state `at`.
    fn inputs(
        &self,
        situation: &Situation,
        at: &MechanicsState,
        motor_n: f64,
        load_n: f64,
    ) -> Inputs {
        let m = &self.mechanics;
        let (d1, d2) = (situation.motor, situation.load);
        // Friction never drives: a guess beyond 0 counts as 0.
        let v1 = along(at.motor_velocity_m_per_s, d1);
        let motor = motor_n - d1 * m.motor_friction.dry_n(d1, v1);
        let (load, rate_per_s) = match m.load_friction.bristles() {
            Some(lugre) => (-load_n, lugre.rate_per_s(at.load_velocity_m_per_s)),
            None => {
                let v2 = along(at.load_velocity_m_per_s, d2);
                (-load_n - d2 * m.load_friction.map().dry_n(d2, v2), 0.0)
            }
        };
        Inputs {
            motor_m_per_s2: motor / m.motor_mass_kg,
            load_m_per_s2: load / m.load_mass_kg,
            rate_per_s,
        }
    }

    /// The exact solution after a part of level `level`.
    fn after(
        &self,
        situation: &Situation,
        inputs: &Inputs,
        state: &MechanicsState,
        level: usize,
    ) -> MechanicsState {
        if self.mechanics.load_friction.bristles().is_some() {
            return self.after_felt(situation, self.felt(situation), inputs, state, level);
        }
        let (f1, f2) = (inputs.motor_m_per_s2, inputs.load_m_per_s2);
        let (v1, v2) = (state.motor_velocity_m_per_s, state.load_velocity_m_per_s);
        let mut next = *state;
        let index = usize::from(situation.touching)
            + 2 * usize::from(situation.motor != 0.0)
            + 4 * usize::from(situation.load != 0.0)
            + 8 * usize::from(!situation.driving);
        let from = [state.stretch_m, v1, v2, f1, f2];
        let mut change = [0.0; 5];
        for (row, to) in self.kept[index][level].iter().zip(&mut change) {
            for (x, y) in row.iter().zip(&from) {
                *to += x * y;
            }
        }
        next.position_m += change[0];
        next.stretch_m += change[1];
        next.gap_m += change[2];
        next.motor_velocity_m_per_s += change[3];
        next.load_velocity_m_per_s += change[4];
        next
    }

    /// The exact solution after a part of level `level`, with a k of its own and a matrix that is not kept.
    fn after_felt(
        &self,
        situation: &Situation,
        felt: f64,
        inputs: &Inputs,
        state: &MechanicsState,
        level: usize,
    ) -> MechanicsState {
        let (f1, f2) = (inputs.motor_m_per_s2, inputs.load_m_per_s2);
        let (v1, v2) = (state.motor_velocity_m_per_s, state.load_velocity_m_per_s);
        let step_s = self.step_s * Halving::share(level);
        let e = linear::expm1(&self.generator(situation, felt, inputs.rate_per_s), step_s);
        let y = [0.0, state.stretch_m, 0.0, v1, v2, state.bristle_m, f1, f2];
        let y = linear::apply(&e, &y);
        let mut next = *state;
        next.position_m += y[0];
        next.stretch_m = y[1];
        next.gap_m += y[2];
        next.motor_velocity_m_per_s = y[3];
        next.load_velocity_m_per_s = y[4];
        if let Some(lugre) = self.mechanics.load_friction.bristles() {
            next.bristle_m = bounded_bristle(lugre, y[5]);
        }
        next
    }

    /// Whether there is more energy in `next` than the forces of a part can have put in: see the derivation.
    fn gains(
        &self,
        state: &MechanicsState,
        next: &MechanicsState,
        most: f64,
        level: usize,
    ) -> bool {
        let put_in = most * self.step_s * Halving::share(level);
        self.mechanics.root(next) > (self.mechanics.root(state) + put_in) * (1.0 + ROUNDING)
    }

    /// Whether something happened on the way to `next`.
    fn happened(&self, now: &Situation, next: &MechanicsState, motor_n: f64, load_n: f64) -> bool {
        let half = 0.5 * self.compliance.gap_m;
        let relative = next.motor_velocity_m_per_s - next.load_velocity_m_per_s;
        let flank = if now.touching {
            half > 0.0 && self.pull_n(next, relative) * next.gap_m < 0.0
        } else {
            next.gap_m.abs() > half
        };
        let static_load = self.mechanics.load_friction.bristles().is_none();
        let stopped = next.motor_velocity_m_per_s * now.motor < 0.0
            || (static_load && next.load_velocity_m_per_s * now.load < 0.0);
        // Where both efficiencies are 1 it does not matter which side drives.
        let t = &self.mechanics.transmission;
        let turned = now.touching
            && now.motor != 0.0
            && t.felt(1.0, 1.0) != t.felt(1.0, -1.0)
            && (self.pull_n(next, relative) * now.motor >= 0.0) != now.driving;
        if flank || stopped || turned {
            return true;
        }
        if now.motor != 0.0 && now.load != 0.0 {
            return false;
        }
        let then = self.situation(next, motor_n, load_n);
        (now.motor == 0.0 && then.motor != 0.0) || (now.load == 0.0 && then.load != 0.0)
    }

    /// Puts what has just happened into effect: sides that would turn around stand, the gap ends at its flanks.
    /// With `found` this is the moment itself, to the smallest part.
    fn settle(
        &self,
        now: &Situation,
        from: &MechanicsState,
        next: &mut MechanicsState,
        found: bool,
    ) {
        if next.motor_velocity_m_per_s * now.motor < 0.0 {
            next.motor_velocity_m_per_s = 0.0;
        }
        let static_load = self.mechanics.load_friction.bristles().is_none();
        if static_load && next.load_velocity_m_per_s * now.load < 0.0 {
            next.load_velocity_m_per_s = 0.0;
        }
        let half = 0.5 * self.compliance.gap_m;
        let place = crate::lane::clamp(next.gap_m, half);
        let beyond = next.gap_m - place;
        next.stretch_m += beyond;
        if !found && !now.touching {
            // In a part that was not halved down to the moment a way beyond the flank that comes from the sides is not put into
            // the spring: it would be energy from nowhere. The sides give way instead, by their masses, so that their common
            // centre stays. What comes from the relaxing spring goes back to it.
            let most = crate::lane::clamp(next.stretch_m, from.stretch_m.abs());
            next.position_m += (next.stretch_m - most) * self.load_gives(now);
            next.stretch_m = most;
        }
        next.gap_m = place;
    }

    /// Share of a way between the sides that the load takes: all of it where the motor's side is held (1).
    fn load_gives(&self, now: &Situation) -> f64 {
        let (m1, m2) = (self.mechanics.motor_mass_kg, self.mechanics.load_mass_kg);
        if now.motor == 0.0 {
            1.0
        } else if now.load == 0.0 {
            0.0
        } else {
            m1 / (m1 + m2)
        }
    }

    /// Advances by one step with constant forces of the motor and of the load, gravity left to the model (N).
    pub fn advance(&self, state: &mut MechanicsState, motor_force_n: f64, load_force_n: f64) {
        let load_n = load_force_n + self.mechanics.gravity_n;
        let (m, lost) = (&self.mechanics, self.division.lost());
        let mut step = Halving::new(self.division);
        while let Some(level) = step.level() {
            let now = self.situation(state, motor_force_n, load_n);
            if now.touching && now.motor == 0.0 && now.load == 0.0 {
                return;
            }
            let start = self.inputs(&now, state, motor_force_n, load_n);
            let middle = if level > 0 {
                let at = self.after(&now, &start, state, level - 1);
                self.inputs(&now, &at, motor_force_n, load_n)
            } else {
                start
            };
            let mut next = self.after(&now, &middle, state, level);
            let happened = self.happened(&now, &next, motor_force_n, load_n);
            let end = self.inputs(&now, &next, motor_force_n, load_n);
            let error = self.error_m_per_s(&next, &[start, middle, end], level);
            let fastest =
                |s: &MechanicsState| s.motor_velocity_m_per_s.abs() + s.load_velocity_m_per_s.abs();
            let by_forces = start.motor_m_per_s2.abs() + start.load_m_per_s2.abs();
            let v = fastest(state) + fastest(&next);
            if step.takes(level, Outcome::new(happened, error, v, by_forces)) {
                let found = level == 0 && !lost;
                if happened {
                    self.settle(&now, state, &mut next, found);
                }
                if lost || (happened && !found) {
                    let most = motor_force_n.abs() / libm::sqrt(m.motor_mass_kg)
                        + load_n.abs() / libm::sqrt(m.load_mass_kg);
                    if self.gains(state, &next, most, level) {
                        let forces = Inputs {
                            motor_m_per_s2: motor_force_n / m.motor_mass_kg,
                            load_m_per_s2: -load_n / m.load_mass_kg,
                            rate_per_s: middle.rate_per_s,
                        };
                        next = self.after_felt(&now, 1.0, &forces, state, level);
                        self.settle(&now, state, &mut next, false);
                    }
                }
                *state = next;
            }
        }
    }

    /// How far a part may be off by what was taken at its middle (m/s): see the derivation.
    fn error_m_per_s(&self, next: &MechanicsState, inputs: &[Inputs; 3], level: usize) -> f64 {
        let h = self.step_s * Halving::share(level);
        let [start, middle, end] = inputs;
        let off = |a: f64, b: f64, c: f64| ((a - 2.0 * b + c) / 6.0).abs();
        let (a, b, c) = (
            start.motor_m_per_s2,
            middle.motor_m_per_s2,
            end.motor_m_per_s2,
        );
        let motor = h * off(a, b, c);
        let (a, b, c) = (start.load_m_per_s2, middle.load_m_per_s2, end.load_m_per_s2);
        let load = h * off(a, b, c);
        let Some(lugre) = self.mechanics.load_friction.bristles() else {
            return motor + load;
        };
        let rate = off(start.rate_per_s, middle.rate_per_s, end.rate_per_s);
        let z = h * next.bristle_m.abs() * rate / (1.0 + middle.rate_per_s * h);
        let force = lugre.bristle_stiffness_n_per_m * h + lugre.bristle_damping_n_s_per_m;
        motor + load + z * force / self.mechanics.load_mass_kg
    }
}

/// The fastest oscillation (rad/s): masses on the spring, and the load on its bristles.
fn fastest_per_s(m: &Mechanics, c: &Compliance) -> f64 {
    let felt = m.transmission.felt(1.0, 1.0);
    let spring = c.stiffness_n_per_m * (felt / m.motor_mass_kg + 1.0 / m.load_mass_kg);
    let bristles = match m.load_friction.bristles() {
        Some(lugre) => lugre.bristle_stiffness_n_per_m / m.load_mass_kg,
        None => 0.0,
    };
    libm::sqrt(spring + bristles)
}

/// The direction in which a side with velocity v moves, or 0 where forces between `down` and `up` hold it.
fn direction(v: f64, force_n: f64, up_n: f64, down_n: f64) -> f64 {
    if v > 0.0 || (v == 0.0 && force_n > up_n) {
        1.0
    } else if v < 0.0 || force_n < down_n {
        -1.0
    } else {
        0.0
    }
}

fn along(v: f64, direction: f64) -> f64 {
    if v * direction > 0.0 { v } else { 0.0 }
}

fn bounded_bristle(lugre: &LuGre, z_m: f64) -> f64 {
    crate::lane::clamp(z_m, lugre.bristle_max_m())
}

fn keep(e: &Matrix<N>) -> Kept {
    let mut kept = [[0.0; 5]; 5];
    for (row, from) in kept.iter_mut().zip(e) {
        for (to, &column) in row.iter_mut().zip(&COLUMNS) {
            *to = from[column];
        }
    }
    kept
}
