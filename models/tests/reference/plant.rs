//! The continuous equations of an axis, as a hybrid system: which side is held and which flank touches is its mode.

use super::integrate;

/// Dry and viscous friction of one side.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rub {
    pub coulomb_up_n: f64,
    pub coulomb_down_n: f64,
    pub extra_n: f64,
    pub fade_m_per_s: f64,
    pub viscous: f64,
}

impl Rub {
    /// Dry part against motion with sign `d` at speed v.
    fn dry(&self, d: f64, v: f64) -> f64 {
        let level = if d > 0.0 {
            self.coulomb_up_n
        } else {
            self.coulomb_down_n
        };
        let fade = if self.extra_n > 0.0 {
            (-(v / self.fade_m_per_s).powi(2)).exp()
        } else {
            0.0
        };
        level + self.extra_n * fade
    }
}

/// Spring, damper and half of the gap.
#[derive(Clone, Copy, Debug)]
pub struct Shaft {
    pub k: f64,
    pub c: f64,
    pub half_gap: f64,
}

/// A motor behind the current loop; without one the force is given.
#[derive(Clone, Copy, Debug)]
pub struct Winding {
    pub kt: f64,
    pub r_ohm: f64,
    pub l_h: f64,
    pub pairs: f64,
    pub u_max: f64,
    pub tau_s: f64,
    /// Travel per radian.
    pub travel: f64,
    /// Amplitude and periods per revolution of a sinusoidal cogging torque.
    pub cogging: (f64, f64),
}

/// An axis.
#[derive(Clone, Copy, Debug)]
pub struct Plant {
    pub m1: f64,
    pub m2: f64,
    pub rub1: Rub,
    pub rub2: Rub,
    /// Bristle stiffness and damping of the load's guide.
    pub bristles: Option<(f64, f64)>,
    pub shaft: Option<Shaft>,
    pub winding: Option<Winding>,
    pub eta_forward: f64,
    pub eta_backward: f64,
}

/// Motor and load position and velocity, place in the gap, bristles, current.
pub type State = [f64; 7];

const X1: usize = 0;
const V1: usize = 1;
const X2: usize = 2;
const V2: usize = 3;
const GAP: usize = 4;
const Z: usize = 5;
const I: usize = 6;

const SCALE: State = [1e-3, 1e-2, 1e-3, 1e-2, 1e-4, 1e-5, 1.0];

#[derive(Clone, Copy, Debug, PartialEq)]
struct Mode {
    /// Signs of motion, 0 held.
    motor: i8,
    load: i8,
    /// Which flank touches, 0 none.
    flank: i8,
}

/// What acts from outside: `asked` is a force (N) without a winding, with one a current (A).
#[derive(Clone, Copy, Debug)]
pub struct Push {
    pub asked: f64,
    pub load_n: f64,
}

impl Plant {
    fn current_slope(&self, w: &Winding, asked: f64, y: &State) -> f64 {
        let speed = y[V1] / w.travel;
        let flux_speed = w.pairs * speed;
        // psi = Kt / (1.5 p)
        let back_emf = flux_speed * (w.kt / (1.5 * w.pairs));
        let wanted = w.r_ohm * y[I] + back_emf + w.l_h * (asked - y[I]) / w.tau_s;
        let d_axis = -flux_speed * w.l_h * y[I];
        let room = (w.u_max.powi(2) - d_axis.powi(2)).max(0.0).sqrt();
        (wanted.clamp(-room, room) - w.r_ohm * y[I] - back_emf) / w.l_h
    }

    /// Force of the motor on the axis' coordinate.
    fn drive_n(&self, push: &Push, y: &State) -> f64 {
        match &self.winding {
            None => push.asked,
            Some(w) => {
                let cogging = w.cogging.0 * (w.cogging.1 * y[X1] / w.travel).sin();
                (w.kt * y[I] + cogging) / w.travel
            }
        }
    }

    fn shaft_n(&self, flank: i8, y: &State) -> f64 {
        match &self.shaft {
            Some(s) if flank != 0 || s.half_gap == 0.0 => {
                s.k * (y[X1] - y[X2] - y[GAP]) + s.c * (y[V1] - y[V2])
            }
            _ => 0.0,
        }
    }

    /// What the transmission takes from the motor to pass on `force` while moving with sign d.
    fn passed(&self, force: f64, d: f64) -> f64 {
        if force * d > 0.0 {
            force / self.eta_forward
        } else {
            force * self.eta_backward
        }
    }

    fn guide_n(&self, d: f64, y: &State) -> f64 {
        match self.bristles {
            None => d * self.rub2.dry(d, y[V2]) + self.rub2.viscous * y[V2],
            Some((s0, s1)) => {
                s0 * y[Z] + s1 * self.bristle_slope(s0, y) + self.rub2.viscous * y[V2]
            }
        }
    }

    fn bristle_slope(&self, s0: f64, y: &State) -> f64 {
        let v = y[V2];
        v - s0 * v.abs() / self.rub2.dry(v.signum(), v) * y[Z]
    }

    /// Acceleration of the rigid axis moving with sign d: the one of both efficiencies that agrees with itself.
    fn rigid(&self, push: &Push, d: f64, y: &State) -> f64 {
        let friction1 = d * self.rub1.dry(d, y[V1]) + self.rub1.viscous * y[V1];
        let outer = push.load_n + self.guide_n(d, y);
        let net = self.drive_n(push, y) - friction1;
        for k in [1.0 / self.eta_forward, self.eta_backward] {
            let a = (net - k * outer) / (self.m1 + k * self.m2);
            let force = self.m2 * a + outer;
            let expected = if force * d >= 0.0 {
                1.0 / self.eta_forward
            } else {
                self.eta_backward
            };
            if k == expected {
                return a;
            }
        }
        // On the border, where nothing is transmitted, both are the same.
        (net - outer) / (self.m1 + self.m2)
    }

    fn slopes(&self, mode: Mode, push: &Push, y: &State) -> State {
        let mut f = [0.0; 7];
        if let Some(w) = &self.winding {
            f[I] = self.current_slope(w, push.asked, y);
        }
        let Some(shaft) = &self.shaft else {
            if mode.motor != 0 {
                let a = self.rigid(push, f64::from(mode.motor), y);
                (f[X1], f[X2], f[V1], f[V2]) = (y[V1], y[V1], a, a);
                if let Some((s0, _)) = self.bristles {
                    f[Z] = self.bristle_slope(s0, y);
                }
            }
            return f;
        };
        let force = self.shaft_n(mode.flank, y);
        if mode.motor != 0 {
            let d = f64::from(mode.motor);
            let rub = d * self.rub1.dry(d, y[V1]) + self.rub1.viscous * y[V1];
            f[X1] = y[V1];
            f[V1] = (self.drive_n(push, y) - self.passed(force, d) - rub) / self.m1;
        }
        if mode.load != 0 {
            f[X2] = y[V2];
            f[V2] = (force - push.load_n - self.guide_n(f64::from(mode.load), y)) / self.m2;
            if let Some((s0, _)) = self.bristles {
                f[Z] = self.bristle_slope(s0, y);
            }
        }
        if mode.flank == 0 && shaft.half_gap > 0.0 {
            f[GAP] = y[V1] - y[V2] + shaft.k / shaft.c * (y[X1] - y[X2] - y[GAP]);
        }
        f
    }

    /// Forces of the motor between which a rigid axis or the motor's side is held.
    fn cone(&self, push: &Push, mode: Mode, y: &State) -> (f64, f64) {
        let (s_up, s_down) = (self.rub1.dry(1.0, 0.0), self.rub1.dry(-1.0, 0.0));
        let (outer_up, outer_down) = match (&self.shaft, self.bristles) {
            (Some(_), _) => {
                let force = self.shaft_n(mode.flank, y);
                (force, force)
            }
            (None, Some((s0, _))) => (push.load_n + s0 * y[Z], push.load_n + s0 * y[Z]),
            (None, None) => (
                push.load_n + self.rub2.dry(1.0, 0.0),
                push.load_n - self.rub2.dry(-1.0, 0.0),
            ),
        };
        (
            -s_down + self.passed(outer_down, -1.0),
            s_up + self.passed(outer_up, 1.0),
        )
    }

    fn mode(&self, push: &Push, y: &State) -> Mode {
        let mut mode = Mode {
            motor: 0,
            load: 0,
            flank: 0,
        };
        if let Some(s) = &self.shaft {
            for side in [1i8, -1] {
                let there = y[GAP] * f64::from(side) >= s.half_gap && s.half_gap > 0.0;
                if there && self.shaft_n(side, y) * f64::from(side) >= 0.0 {
                    mode.flank = side;
                }
            }
        }
        let sign = |v: f64, force: f64, low: f64, high: f64| {
            if v > 0.0 || (v == 0.0 && force > high) {
                1
            } else if v < 0.0 || force < low {
                -1
            } else {
                0
            }
        };
        let (low, high) = self.cone(push, mode, y);
        mode.motor = sign(y[V1], self.drive_n(push, y), low, high);
        let through = self.shaft_n(mode.flank, y) - push.load_n;
        mode.load = if self.bristles.is_some() {
            1
        } else {
            sign(
                y[V2],
                through,
                -self.rub2.dry(-1.0, 0.0),
                self.rub2.dry(1.0, 0.0),
            )
        };
        mode
    }

    /// What is above 0 as long as the mode holds, each in its own unit.
    fn guard(&self, mode: Mode, push: &Push, y: &State) -> f64 {
        let mut least = f64::INFINITY;
        if mode.motor != 0 {
            least = least.min(f64::from(mode.motor) * y[V1]);
        } else {
            let (low, high) = self.cone(push, mode, y);
            let force = self.drive_n(push, y);
            least = least.min(force - low).min(high - force);
        }
        let Some(shaft) = &self.shaft else {
            return least;
        };
        let through = self.shaft_n(mode.flank, y) - push.load_n;
        if self.bristles.is_none() {
            if mode.load != 0 {
                least = least.min(f64::from(mode.load) * y[V2]);
            } else {
                least = least
                    .min(self.rub2.dry(1.0, 0.0) - through)
                    .min(through + self.rub2.dry(-1.0, 0.0));
            }
        }
        if shaft.half_gap > 0.0 {
            if mode.flank != 0 {
                least = least.min(f64::from(mode.flank) * self.shaft_n(mode.flank, y));
            } else {
                least = least.min(shaft.half_gap - y[GAP].abs());
            }
        }
        least
    }

    /// Integrates over `span_s` with constant asked force or current and constant load.
    pub fn run(&self, y: &mut State, push: &Push, span_s: f64) {
        let mut t = 0.0;
        for _ in 0..100_000 {
            let mode = self.mode(push, y);
            let (reached, next, ended) = integrate(
                |_, y| self.slopes(mode, push, y),
                |_, y| self.guard(mode, push, y),
                t,
                span_s,
                *y,
                &SCALE,
            );
            *y = next;
            if !ended {
                return;
            }
            // What ended it has reached its border: put it there.
            if f64::from(mode.motor) * y[V1] < 0.0 {
                y[V1] = 0.0;
                if self.shaft.is_none() {
                    y[V2] = 0.0;
                }
            }
            if self.shaft.is_some() && self.bristles.is_none() && f64::from(mode.load) * y[V2] < 0.0
            {
                y[V2] = 0.0;
            }
            if let Some(s) = &self.shaft
                && mode.flank == 0
                && y[GAP].abs() > s.half_gap
            {
                y[GAP] = s.half_gap.copysign(y[GAP]);
            }
            t = reached;
        }
        panic!("more than 1e5 events in {span_s} s");
    }
}
