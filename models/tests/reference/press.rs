//! A press behind a crank or a table: the equations of variable inertia under the loops of its drive, written out apart from the kernel. The
//! losses of the linkage are what they are, friction that goes with the force: they hold an axis at rest and turn around with it.

use super::equations::{Targets, Y, dry, params};
use super::integrate_within;
use twinstep_models::axis::told::Told;
use twinstep_models::axis::walk::{Walk, Ways};
use twinstep_models::axis::{AxisParams, AxisState, LaneParams, Reference};
use twinstep_models::press::frame::{Counterbalance, Motor};
use twinstep_models::press::kinematics::{Kinematics, Table};
use twinstep_models::press::linked::Linked;
use twinstep_models::press::ram::Linkage;

/// Force per current (N/A).
pub const KF: f64 = 50.0;
/// Angle of the drive per way of the axis (rad/m), and at 0 (rad): the motion of the reference swings it from 0.2 to 3 rad.
pub const RAD_PER_M: f64 = 60.0;
const Q0_RAD: f64 = 1.6;
const RADIUS_M: f64 = 0.05;
const ROD_M: f64 = 0.2;
/// Sizes of the states, for the absolute tolerance.
const SCALE: Y = [1e-2, 0.1, 1.0, 1.0, 1.0];

/// The ram by the cosine rule, and not by the formula of the model: place, first and second derivative by the angle.
fn rod_end(q: f64) -> [f64; 3] {
    let (b, db) = (RADIUS_M * q.cos(), -RADIUS_M * q.sin());
    let rest = ROD_M * ROD_M - RADIUS_M * RADIUS_M;
    let g = (b * b + rest).sqrt();
    [
        RADIUS_M + ROD_M - (b + g),
        -db * (1.0 + b / g),
        b * (1.0 + b / g) - db * db * rest / (g * g * g),
    ]
}

/// A table in rows of 5 degrees.
fn rows() -> Table {
    let q: Vec<f64> = (0..=36)
        .map(|n| f64::from(n) * 5.0_f64.to_radians())
        .collect();
    let s: Vec<f64> = q.iter().map(|q| rod_end(*q)[0]).collect();
    Table::new(&q, &s, None).expect("rises")
}

/// What a drive follows at a moment.
#[derive(Clone, Copy)]
pub struct Follows {
    /// Reference (m) and its slope (m/s).
    pub reference: (f64, f64),
    /// What it is told besides: a velocity (m/s) and a current (A).
    pub told: (f64, f64),
}

#[derive(Clone, Copy)]
pub struct Rig {
    pub p: AxisParams,
    pub linked: Linked,
    /// Where the ram meets a part (m), and its stiffness over the force constant (A/m), elastic both ways.
    pub contact_m: f64,
    pub stiffness_a_per_m: f64,
    table: bool,
}

impl Rig {
    /// `share` is the largest inertia of the ram at the axis over that of the motor.
    pub fn new(share: f64, table: bool, period_s: f64) -> Self {
        let mut p = params(50.0, 0.1, 1.0, period_s);
        // The loops are tuned to what they move in the mean.
        p.velocity_gain *= 1.0 + 0.5 * share;
        p.integral_gain *= 1.0 + 0.5 * share;
        p.limit_a = 1e4;
        let kinematics = if table {
            Kinematics::Table(rows())
        } else {
            Kinematics::crank(RADIUS_M, ROD_M).expect("a crank")
        };
        let way = [0.2, 3.0].map(|q| (q - Q0_RAD) / RAD_PER_M);
        let linkage = Linkage::new(kinematics, RAD_PER_M, -Q0_RAD / RAD_PER_M, way);
        let ram_mass_kg = share * p.inertia * KF / (linkage.most() * linkage.most());
        Self {
            p,
            linked: Linked {
                linkage,
                motor: Motor {
                    torque_constant_nm_per_a: KF,
                    efficiency: 1.0,
                    efficiency_back: 1.0,
                },
                counterbalance: Counterbalance {
                    constant_n: 60.0,
                    rate_n_per_m: 300.0,
                    at_m: 0.0,
                },
                ram_mass_kg,
                standstill_m_per_s: 0.001,
            },
            contact_m: 1.0,
            stiffness_a_per_m: 0.0,
            table,
        }
    }

    pub fn part_a(&self, ram_m: f64) -> f64 {
        self.stiffness_a_per_m * (ram_m - self.contact_m).max(0.0)
    }

    /// Place of the ram (m), J and J'.
    pub fn ram(&self, x: f64) -> [f64; 3] {
        if self.table {
            // The table is what it is; its second derivative is a difference quotient.
            let h = 1e-7;
            let g = |x: f64| self.linked.linkage.travel(x);
            let (s, j) = g(x);
            return [s, j, (g(x + h).1 - g(x - h).1) / (2.0 * h)];
        }
        let [s, ds, dds] = rod_end(Q0_RAD + RAD_PER_M * x);
        [s, ds * RAD_PER_M, dds * RAD_PER_M * RAD_PER_M]
    }

    /// One cycle as the pipeline makes it.
    pub fn step(&self, lane: &LaneParams, reference: &Reference, told: &Told, s: &mut AxisState) {
        let walk = Walk::begin(lane, 0, &Ways::of(lane, reference), told, s);
        self.linked.walk(walk, |m| self.part_a(m.ram_m), s);
    }

    /// What the ram asks for without the acceleration of the axis (A), and its inertia there (A s2/m).
    fn asked(&self, y: &Y) -> (f64, f64) {
        let [x, v, ..] = *y;
        let [s, j, bend] = self.ram(x);
        let m = self.linked.ram_mass_kg / KF;
        let c = &self.linked.counterbalance;
        let carried_a = (c.constant_n + c.rate_n_per_m * (s - c.at_m)) / KF;
        let standing_a = j * (m * bend * v * v + self.part_a(s) + carried_a);
        (standing_a, m * j * j)
    }

    /// What the linkage takes of a force (A) in a direction, as friction.
    fn lost(&self, torque_a: f64, direction: f64) -> f64 {
        let motor = &self.linked.motor;
        if torque_a * direction > 0.0 {
            torque_a.abs() * (1.0 / motor.efficiency - 1.0)
        } else {
            torque_a.abs() * (1.0 - motor.efficiency_back)
        }
    }

    /// By how much less than what holds an axis at rest it is pushed in a direction (A).
    fn holds(&self, y: &Y, direction: f64) -> f64 {
        let (torque_a, _) = self.asked(y);
        let push = y[2] - self.p.gravity_a - torque_a;
        dry(&self.p, direction, 0.0) + self.lost(torque_a, direction) - direction * push
    }

    /// In which direction an axis goes on; none: it rests.
    fn direction(&self, y: &Y) -> Option<f64> {
        if y[1] != 0.0 {
            return Some(y[1].signum());
        }
        [1.0, -1.0]
            .into_iter()
            .find(|direction| self.holds(y, *direction) < 0.0)
    }

    fn slopes(&self, follows: &Follows, y: &Y, direction: Option<f64>) -> Y {
        let (p, [x, v, i, q, reported]) = (&self.p, *y);
        let (r, (w, c)) = (follows.reference, follows.told);
        let wanted = p.position_gain_per_s * (r.0 - x) + p.velocity_feedforward * r.1 + w;
        let error = wanted - v;
        let asked = p.velocity_gain * error + q + c;
        let limited = asked.clamp(-p.limit_a, p.limit_a);
        let a = direction.map_or(0.0, |direction| {
            let (standing_a, inertia) = self.asked(y);
            let push = i - p.gravity_a - p.viscous * v - direction * dry(p, direction, v);
            // Who drives whom does not depend on what it costs.
            let torque = standing_a * p.inertia + inertia * push;
            let motor = &self.linked.motor;
            let share = if torque * direction > 0.0 {
                1.0 / motor.efficiency
            } else {
                motor.efficiency_back
            };
            (push - share * standing_a) / (p.inertia + share * inertia)
        });
        let free = if asked == limited { 1.0 } else { 0.0 };
        // A drive that nobody knows, and one that closes its loops once a cycle, hold what flows.
        let cascade = if p.cascade_valid && !p.sampled {
            1.0
        } else {
            0.0
        };
        [
            if direction.is_some() { v } else { 0.0 },
            a,
            cascade * (limited - i) / p.current_time_constant_s,
            cascade * free * p.integral_gain * error,
            (i - reported) / p.current_filter_s,
        ]
    }

    /// A step of the classic Runge-Kutta method. Dry friction stops an axis and does not turn it around.
    pub fn rk4(&self, follows: impl Fn(f64) -> Follows, y: &mut Y, (t, h): (f64, f64)) {
        let f = |at: f64, y: &Y| self.slopes(&follows(at), y, self.direction(y));
        let shifted = |k: &Y, by: f64| core::array::from_fn(|n| y[n] + by * k[n]);
        let k1 = f(t, y);
        let k2 = f(t + 0.5 * h, &shifted(&k1, 0.5 * h));
        let k3 = f(t + 0.5 * h, &shifted(&k2, 0.5 * h));
        let k4 = f(t + h, &shifted(&k3, h));
        let before = y[1];
        for n in 0..5 {
            y[n] += h / 6.0 * (k1[n] + 2.0 * k2[n] + 2.0 * k3[n] + k4[n]);
        }
        if before * y[1] < 0.0 {
            y[1] = 0.0;
        }
    }

    /// The adaptive solution: it ends a step where the axis stops or is let go.
    pub fn exact(
        &self,
        follows: impl Fn(f64) -> Follows,
        y: &mut Y,
        (from_s, to_s): (f64, f64),
        tolerance: f64,
    ) {
        let mut t = from_s;
        while t < to_s {
            let direction = self.direction(y);
            let guard = |_: f64, y: &Y| match direction {
                Some(direction) => direction * y[1],
                None => self.holds(y, 1.0).min(self.holds(y, -1.0)),
            };
            let f = |t: f64, y: &Y| self.slopes(&follows(t), y, direction);
            let (at, reached, ended) = integrate_within(tolerance, f, guard, (t, to_s), *y, &SCALE);
            (t, *y) = (at, reached);
            if ended && direction.is_some() {
                y[1] = 0.0;
            }
        }
    }
}

/// What a controller tells a drive beside the targets, so that it follows them without a lag.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Forward {
    /// Nothing: the drive feeds the slope of the reference forward itself.
    Nothing,
    /// A velocity, of the way that the target goes, and a current, of its acceleration.
    Offsets,
}

impl Forward {
    /// Velocity (m/s) and current (A) of cycle `k`.
    pub fn of(self, targets: &Targets, k: i64, inertia: f64) -> (f64, f64) {
        let x = |k: i64| targets.of_cycle(k);
        let per_s = 1.0 / targets.period_s;
        match self {
            Self::Nothing => (0.0, 0.0),
            Self::Offsets => (
                (x(k) - x(k - 1)) * per_s,
                inertia * (x(k) - 2.0 * x(k - 1) + x(k - 2)) * per_s * per_s,
            ),
        }
    }
}
