//! The exact solution of an axis under its cascade: the adaptive integrator on what is smooth, with an event wherever the
//! equations change: the axis stops or breaks away, the current that is asked for meets its limit or leaves it, a part is
//! met or left.

use super::equations::{Part, Targets, Y, dry, slopes};
use super::integrate;
use twinstep_models::axis::AxisParams;

const SCALE: Y = [1e-3, 1e-2, 1.0, 1.0, 1.0];
/// A current this close to the limit, as a share of it, is at it.
const AT_LIMIT: f64 = 1e-9;

/// What is asked for, beside its limit.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Asked {
    /// Within the limit.
    Within,
    /// Beyond the limit with this sign: the integrator waits.
    Beyond(f64),
    /// The integrator holds it at the limit with this sign: it would leave it if the integrator waited, and pass it if not.
    Along(f64),
}

#[derive(Clone, Copy, Debug)]
struct Mode {
    /// Direction of motion, 0 where friction holds the axis.
    d: f64,
    asked: Asked,
    in_part: bool,
}

/// An axis, what it is told, and the part it may meet.
pub struct Exact<'a> {
    pub p: &'a AxisParams,
    pub targets: &'a Targets,
    pub part: &'a Part,
}

impl Exact<'_> {
    fn part_a(&self, in_part: bool, y: &Y) -> f64 {
        if in_part {
            self.part.stiffness_a_per_m * (y[0] - self.part.contact_m)
        } else {
            0.0
        }
    }

    fn push_a(&self, in_part: bool, y: &Y) -> f64 {
        y[2] - self.p.gravity_a - self.part_a(in_part, y)
    }

    /// Error of the velocity loop, and the current that is asked for.
    fn loops(&self, r: (f64, f64), y: &Y) -> (f64, f64) {
        let wanted = self.p.position_gain_per_s * (r.0 - y[0]) + self.p.velocity_feedforward * r.1;
        let error = wanted - y[1];
        (error, self.p.velocity_gain * error + y[3])
    }

    /// Slope of what is asked for while the integrator waits, and what the integrator adds to it.
    fn rise(&self, mode: &Mode, r: (f64, f64), y: &Y) -> (f64, f64) {
        let (error, _) = self.loops(r, y);
        let kx = self.p.position_gain_per_s;
        let [x, v] = self.motion(mode, y);
        (
            self.p.velocity_gain * (kx * (r.1 - x) - v),
            self.p.integral_gain * error,
        )
    }

    /// Slopes of position and velocity.
    fn motion(&self, mode: &Mode, y: &Y) -> [f64; 2] {
        if mode.d == 0.0 {
            return [0.0; 2];
        }
        let friction = mode.d * dry(self.p, mode.d, y[1]) + self.p.viscous * y[1];
        let net = self.push_a(mode.in_part, y) - friction;
        [y[1], net / self.p.inertia]
    }

    fn slopes(&self, mode: &Mode, r: (f64, f64), y: &Y) -> Y {
        if self.p.sampled {
            // What flows is held.
            let friction = (mode.d != 0.0).then(|| mode.d * dry(self.p, mode.d, y[1]));
            return slopes(self.p, r, y, friction, self.part_a(mode.in_part, y));
        }
        let [x, v] = self.motion(mode, y);
        let (error, asked) = self.loops(r, y);
        let (limited, integral) = match mode.asked {
            Asked::Within => (asked, self.p.integral_gain * error),
            Asked::Beyond(side) => (side * self.p.limit_a, 0.0),
            Asked::Along(side) => (side * self.p.limit_a, -self.rise(mode, r, y).0),
        };
        [
            x,
            v,
            (limited - y[2]) / self.p.current_time_constant_s,
            integral,
            (y[2] - y[4]) / self.p.current_filter_s,
        ]
    }

    fn mode(&self, r: (f64, f64), y: &Y) -> Mode {
        let in_part = self.part.stiffness_a_per_m > 0.0
            && (y[0] > self.part.contact_m || (y[0] == self.part.contact_m && y[1] > 0.0));
        let push = self.push_a(in_part, y);
        let d = if y[1] > 0.0 || (y[1] == 0.0 && push > dry(self.p, 1.0, 0.0)) {
            1.0
        } else if y[1] < 0.0 || push < -dry(self.p, -1.0, 0.0) {
            -1.0
        } else {
            0.0
        };
        let mut mode = Mode {
            d,
            asked: Asked::Within,
            in_part,
        };
        let (_, asked) = self.loops(r, y);
        let side = asked.signum();
        let beyond = asked.abs() / self.p.limit_a - 1.0;
        if beyond > AT_LIMIT {
            mode.asked = Asked::Beyond(side);
        } else if beyond >= -AT_LIMIT {
            let (waiting, added) = self.rise(&mode, r, y);
            mode.asked = if side * waiting > 0.0 {
                Asked::Beyond(side)
            } else if side * (waiting + added) > 0.0 {
                Asked::Along(side)
            } else {
                Asked::Within
            };
        }
        mode
    }

    /// Above 0 while the mode holds.
    fn guard(&self, mode: &Mode, r: (f64, f64), y: &Y) -> f64 {
        let mut least = if mode.d == 0.0 {
            let push = self.push_a(mode.in_part, y);
            (dry(self.p, 1.0, 0.0) - push).min(push + dry(self.p, -1.0, 0.0))
        } else {
            mode.d * y[1]
        };
        if self.part.stiffness_a_per_m > 0.0 {
            let way = y[0] - self.part.contact_m;
            least = least.min(if mode.in_part { way } else { -way });
        }
        if self.p.sampled {
            return least;
        }
        let (_, asked) = self.loops(r, y);
        let limit = self.p.limit_a;
        least.min(match mode.asked {
            Asked::Within => limit - asked.abs(),
            Asked::Beyond(side) => side * asked - limit,
            Asked::Along(side) => {
                let (waiting, added) = self.rise(mode, r, y);
                (-side * waiting).min(side * (waiting + added))
            }
        })
    }

    /// Integrates over a stretch in which the set-point is one straight line.
    pub fn run(&self, y: &mut Y, from_s: f64, to_s: f64) {
        let mut t = from_s;
        for _ in 0..10_000 {
            if t >= to_s {
                return;
            }
            let r = self.targets.at(t, from_s);
            let mode = self.mode(r, y);
            if let Asked::Along(side) = mode.asked {
                // To the bit, so that nothing is left to drift.
                let (error, _) = self.loops(r, y);
                y[3] = side * self.p.limit_a - self.p.velocity_gain * error;
            }
            let (reached, next, ended) = integrate(
                |t, y: &Y| self.slopes(&mode, self.targets.at(t, from_s), y),
                |t, y: &Y| self.guard(&mode, self.targets.at(t, from_s), y),
                t,
                to_s,
                *y,
                &SCALE,
            );
            *y = next;
            if ended && mode.d * y[1] < 0.0 {
                y[1] = 0.0;
            }
            t = reached;
        }
        panic!("more than 1e4 events between {from_s} s and {to_s} s: {y:?}");
    }

    /// A cycle, cut where the dead time bends the set-point, and at these further moments (shares of the cycle).
    pub fn cycle(&self, y: &mut Y, t: f64, cuts: &[f64]) {
        let period_s = self.targets.period_s;
        let kink = (self.targets.dead_s / period_s + 1e-9).fract();
        let mut ends: Vec<f64> = cuts.to_vec();
        ends.push(1.0);
        if kink > 1e-6 {
            ends.push(kink);
        }
        ends.sort_by(f64::total_cmp);
        let mut from = 0.0;
        for end in ends {
            self.run(y, t + from * period_s, t + end * period_s);
            from = end;
        }
    }
}
