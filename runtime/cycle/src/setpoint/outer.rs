//! The loops that a drive leaves open in the mode it is in: the position loop in CSV, the velocity loop too in CST.
//!
//! They are closed here, once a cycle, over the bus: a set-point acts two cycles after the sample that it follows from, and is
//! measured one later. So the axis is compared with where it was to be [`LATE`] cycles ago, and the gains are a share of those that
//! the drive closes its own loops with: a half of the position gain in CSV, a quarter of everything in CST.

use twinstep_models::sample::{AxisReading, Told};

/// Cycles from a set-point to the sample that shows it.
const LATE: usize = 3;

/// Gains of the drive, of which shares are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OuterGains {
    /// Position gain (1/s).
    pub position_gain_per_s: f64,
    /// Velocity gain (A s/m).
    pub velocity_gain: f64,
    /// Integral time of the velocity loop (s, > 0).
    pub integral_time_s: f64,
    /// Current limit (A).
    pub limit_a: f64,
}

/// State of these loops.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Outer {
    told: Told,
    /// Targets, newest first (m).
    targets_m: [f64; LATE + 1],
    integral_a: f64,
    /// The target is about to be put elsewhere, and moves at this velocity from there (m/s).
    put_elsewhere: Option<f64>,
}

/// How the target of the coming frame came about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Advance {
    /// Time since the target before it (s, > 0): several periods where starts were left out.
    pub(super) time_s: f64,
    /// Period (s, > 0).
    pub(super) period_s: f64,
    /// Fastest that the program asks for (m/s, > 0).
    pub(super) fastest_m_per_s: f64,
}

/// What the loops may ask for beyond what the program does (1), to catch up.
const CATCH_UP: f64 = 1.25;

impl Outer {
    /// The next target is where the axis was found, and goes on from there at this velocity (m/s): the way to it is none that the axis
    /// has to go.
    pub(super) fn put_elsewhere(&mut self, velocity_m_per_s: f64) {
        self.put_elsewhere = Some(velocity_m_per_s);
    }

    /// Takes in the target of the coming frame, and the reading that came last. Returns the mode to be in, and velocity (m/s) and current (A)
    /// to be told.
    pub(super) fn step(
        &mut self,
        gains: &OuterGains,
        told: Told,
        target_m: f64,
        reading: Option<&AxisReading>,
        advance: Advance,
    ) -> (Told, f64, f64) {
        let Advance {
            time_s,
            period_s,
            fastest_m_per_s,
        } = advance;
        let elsewhere = self.put_elsewhere.take();
        if elsewhere.is_some() {
            self.targets_m = [target_m; LATE + 1];
        }
        if told != self.told {
            // What flows at this moment goes on flowing.
            self.integral_a = reading.map_or(0.0, |r| r.current_a);
            self.targets_m = [target_m; LATE + 1];
            self.told = told;
        }
        self.targets_m.rotate_right(1);
        self.targets_m[0] = target_m;
        let fastest = CATCH_UP * fastest_m_per_s;
        // Set-points never step by more than the program allows, whatever became of the cycles before.
        let way_m = target_m - self.targets_m[1];
        let ahead_m_per_s = match elsewhere {
            Some(velocity_m_per_s) => velocity_m_per_s,
            None => way_m / time_s,
        };
        let ahead_m_per_s = ahead_m_per_s.clamp(-fastest, fastest);
        let share = match told {
            Told::Velocity => 0.5,
            Told::Torque => 0.25,
            Told::Position | Told::PositionAndOffsets | Told::Own => return (told, 0.0, 0.0),
        };
        // Without a measurement the axis goes on as it was to; in CST what held its load goes on to.
        let Some(r) = reading else {
            return match told {
                Told::Velocity => (told, ahead_m_per_s, 0.0),
                _ => (told, 0.0, self.integral_a),
            };
        };
        let error_m = self.targets_m[LATE] - r.position_m;
        let wanted = ahead_m_per_s + share * gains.position_gain_per_s * error_m;
        let wanted = wanted.clamp(-fastest, fastest);
        if told == Told::Velocity {
            return (told, wanted, 0.0);
        }
        let gain = share * gains.velocity_gain;
        let error = wanted - r.velocity_m_per_s;
        let asked_a = gain * error + self.integral_a;
        let limit_a = gains.limit_a;
        if (-limit_a..=limit_a).contains(&asked_a) {
            self.integral_a += share * gain / gains.integral_time_s * error * period_s;
            (told, 0.0, asked_a)
        } else {
            (told, 0.0, if asked_a < 0.0 { -limit_a } else { limit_a })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAINS: OuterGains = OuterGains {
        position_gain_per_s: 60.0,
        velocity_gain: 140.0,
        integral_time_s: 0.018,
        limit_a: 10.0,
    };

    const USUAL: Advance = Advance {
        time_s: 1e-3,
        period_s: 1e-3,
        fastest_m_per_s: 1.0,
    };

    #[test]
    fn starts_that_were_left_out_and_a_target_put_elsewhere_make_no_spike() {
        for told in [Told::Velocity, Told::Torque] {
            let mut outer = Outer::default();
            let at = |position_m| AxisReading {
                position_m,
                velocity_m_per_s: 0.6,
                ..AxisReading::default()
            };
            let mut ask = |target_m, advance| {
                let reading = at(target_m - 3.0 * 0.6e-3);
                let (_, m_per_s, a) = outer.step(&GAINS, told, target_m, Some(&reading), advance);
                if told == Told::Torque {
                    a / 35.0
                } else {
                    m_per_s
                }
            };
            for k in 0..10 {
                ask(0.6e-3 * f64::from(k), USUAL);
            }
            // Four starts passed unused: the target is five periods further, and the axis still goes at its speed.
            let advance = Advance {
                time_s: 5e-3,
                ..USUAL
            };
            let late = ask(0.6e-3 * 14.0, advance);
            let usual = if told == Told::Torque { 0.0 } else { 0.6 };
            assert!((late - usual).abs() < 0.3, "{told:?}: {late}");
        }
        // It was lost for long, found 10 mm behind, and brakes from there.
        let mut outer = Outer::default();
        let found = AxisReading {
            position_m: 0.09,
            velocity_m_per_s: 0.6,
            ..AxisReading::default()
        };
        for k in 0..10 {
            let target_m = 0.1 - 0.6e-3 * f64::from(9 - k);
            outer.step(&GAINS, Told::Velocity, target_m, None, USUAL);
        }
        outer.put_elsewhere(0.594);
        let (_, m_per_s, _) = outer.step(&GAINS, Told::Velocity, 0.0906, Some(&found), USUAL);
        assert!((0.5..0.65).contains(&m_per_s), "{m_per_s}");
        // Whatever is asked for, it is not much more than the program does.
        let (_, m_per_s, _) = outer.step(&GAINS, Told::Velocity, 9.0, Some(&found), USUAL);
        assert!((1.0..=1.25).contains(&m_per_s), "{m_per_s}");
    }

    /// An axis of 0.4 A s2/m with 0.8 A of friction and 1 A of weight, three cycles behind: where it ends.
    fn driven(told: Told, drives: impl Fn(f64, f64) -> f64) -> f64 {
        let (mut outer, mut behind) = (Outer::default(), [(0.0, 0.0); 2]);
        let (mut x, mut v, mut i) = (0.0_f64, 0.0_f64, 1.0_f64);
        for k in 0..3000 {
            let t = (f64::from(k) / 1000.0).min(1.0);
            let target_m = 0.1 * t * t * (3.0 - 2.0 * t);
            let reading = AxisReading {
                position_m: x,
                velocity_m_per_s: v,
                current_a: i,
                ..AxisReading::default()
            };
            let (mode, m_per_s, a) = outer.step(&GAINS, told, target_m, Some(&reading), USUAL);
            assert_eq!(mode, told);
            behind.rotate_right(1);
            let (m_per_s, a) = core::mem::replace(&mut behind[0], (m_per_s, a));
            i = if told == Told::Torque {
                a
            } else {
                drives(m_per_s, v)
            };
            let push = i - 1.0 - 0.3 * v;
            let friction = if v == 0.0 {
                push.clamp(-0.8, 0.8)
            } else {
                0.8 * v.signum()
            };
            let next = v + (push - friction) / 0.4 * 1e-3;
            v = if v * next < 0.0 { 0.0 } else { next };
            x += v * 1e-3;
        }
        x
    }

    #[test]
    fn the_axis_arrives_in_either_mode() {
        let velocity = driven(Told::Velocity, |w, v| {
            (140.0 * (w - v) + 1.0).clamp(-10.0, 10.0)
        });
        assert!((velocity - 0.1).abs() < 3e-4, "{velocity}");
        let torque = driven(Told::Torque, |_, _| 0.0);
        assert!((torque - 0.1).abs() < 1e-4, "{torque}");
    }

    #[test]
    fn without_a_measurement_nothing_is_torn_at() {
        let mut outer = Outer::default();
        let standing = AxisReading {
            current_a: 2.0,
            ..AxisReading::default()
        };
        let told = outer.step(&GAINS, Told::Torque, 0.0, Some(&standing), USUAL);
        assert_eq!(told, (Told::Torque, 0.0, 2.0));
        assert_eq!(outer.step(&GAINS, Told::Torque, 0.5, None, USUAL), told);
        let back = outer.step(&GAINS, Told::Position, 0.5, None, USUAL);
        assert_eq!(back, (Told::Position, 0.0, 0.0));
    }
}
