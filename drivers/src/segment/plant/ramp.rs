//! The trajectory generator of a drive: trapezoids of velocity towards a position or a velocity, at the rate of its loops.
//!
//! Slowing down from v by a dt a step takes v^2 / 2a + v dt / 2 until it stands, so the fastest that still stops in front of
//! a target at distance d is v = a (sqrt(dt^2 / 4 + 2 d / a) - dt / 2).

/// Where a generated movement is to end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// At rest in this place (m).
    Position(f64),
    /// In motion at this velocity (m/s).
    Velocity(f64),
}

/// How fast it may go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RampLimits {
    /// Velocity on the way to a place (m/s).
    pub velocity_m_per_s: f64,
    /// Acceleration (m/s2).
    pub acceleration_m_per_s2: f64,
    /// Deceleration (m/s2).
    pub deceleration_m_per_s2: f64,
}

impl Default for RampLimits {
    fn default() -> Self {
        Self {
            velocity_m_per_s: 0.0,
            acceleration_m_per_s2: 1.0,
            deceleration_m_per_s2: 1.0,
        }
    }
}

/// State of a generated movement.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ramp {
    /// Position asked for (m).
    pub position_m: f64,
    /// Velocity asked for (m/s).
    pub velocity_m_per_s: f64,
    /// The goal of the last step is reached.
    pub reached: bool,
}

impl Ramp {
    /// One step of `dt_s` (s) towards the goal. Limits that are 0 or no number let nothing move.
    #[inline]
    pub fn step(&mut self, goal: Goal, limits: &RampLimits, dt_s: f64) {
        let up = positive(limits.acceleration_m_per_s2) * dt_s;
        let down = positive(limits.deceleration_m_per_s2) * dt_s;
        let v = self.velocity_m_per_s;
        match goal {
            Goal::Position(target_m) => {
                let way = target_m - self.position_m;
                if way.abs() <= v.abs().max(down) * dt_s && v.abs() <= down {
                    self.position_m = target_m;
                    self.velocity_m_per_s = 0.0;
                    self.reached = true;
                    return;
                }
                let half = 0.5 * down;
                // In velocities: a dt = down, so d / dt stands for d.
                let stopping = libm::sqrt(half * half + 2.0 * down * way.abs() / dt_s) - half;
                let fastest = positive(limits.velocity_m_per_s).min(stopping);
                self.towards(if way < 0.0 { -fastest } else { fastest }, up, down);
                self.reached = false;
            }
            Goal::Velocity(target) => {
                self.towards(if target.is_finite() { target } else { 0.0 }, up, down);
                self.reached = self.velocity_m_per_s == target;
            }
        }
        self.position_m += self.velocity_m_per_s * dt_s;
    }

    /// Changes the velocity by at most `up` away from zero or `down` towards it (m/s).
    fn towards(&mut self, wanted: f64, up: f64, down: f64) {
        let v = self.velocity_m_per_s;
        let turns = v * wanted < 0.0;
        let wanted = if turns { 0.0 } else { wanted };
        let most = if wanted.abs() < v.abs() { down } else { up };
        self.velocity_m_per_s = if (wanted - v).abs() <= most {
            wanted
        } else if wanted > v {
            v + most
        } else {
            v - most
        };
    }
}

fn positive(value: f64) -> f64 {
    if value > 0.0 { value } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DT_S: f64 = 62.5e-6;

    /// Runs until the goal is reached; returns time (s), largest speed and largest change of velocity a step.
    fn run(ramp: &mut Ramp, goal: Goal, limits: &RampLimits) -> (f64, f64, f64) {
        let (mut time, mut fastest, mut hardest) = (0.0, 0.0_f64, 0.0_f64);
        while time < 20.0 {
            let before = ramp.velocity_m_per_s;
            ramp.step(goal, limits, DT_S);
            time += DT_S;
            fastest = fastest.max(ramp.velocity_m_per_s.abs());
            hardest = hardest.max((ramp.velocity_m_per_s - before).abs());
            if ramp.reached {
                return (time, fastest, hardest);
            }
        }
        panic!("{goal:?} is not reached: {ramp:?}")
    }

    #[test]
    fn a_move_takes_the_time_of_its_trapezoid() {
        let limits = RampLimits {
            velocity_m_per_s: 0.5,
            acceleration_m_per_s2: 2.0,
            deceleration_m_per_s2: 4.0,
        };
        for sign in [1.0, -1.0] {
            let mut ramp = Ramp::default();
            let (time, fastest, hardest) = run(&mut ramp, Goal::Position(sign), &limits);
            // 0.25 s up over 62.5 mm, 0.125 s down over 31.25 mm, the rest at speed.
            let expected = 0.25 + 0.125 + (1.0 - 0.062_5 - 0.031_25) / 0.5;
            assert!((time - expected).abs() < 1e-3, "{time} {expected}");
            assert!(fastest <= 0.5 && hardest <= 4.0 * DT_S + 1e-12);
            assert_eq!((ramp.position_m, ramp.velocity_m_per_s), (sign, 0.0));
        }
    }

    #[test]
    fn any_move_from_any_speed_ends_in_its_place_within_its_limits() {
        let mut rng = crate::rng::Rng::new(7, 1);
        for case in 0..300 {
            let limits = RampLimits {
                velocity_m_per_s: 0.1 + rng.uniform(),
                acceleration_m_per_s2: 0.1 + 20.0 * rng.uniform(),
                deceleration_m_per_s2: 0.1 + 20.0 * rng.uniform(),
            };
            let mut ramp = Ramp {
                position_m: rng.symmetric(),
                velocity_m_per_s: rng.symmetric(),
                reached: false,
            };
            let target = 0.3 * rng.symmetric();
            let most = limits
                .acceleration_m_per_s2
                .max(limits.deceleration_m_per_s2);
            let (_, _, hardest) = run(&mut ramp, Goal::Position(target), &limits);
            assert_eq!(ramp.position_m, target, "case {case}");
            assert!(hardest <= most * DT_S * (1.0 + 1e-9), "case {case}");
        }
    }

    #[test]
    fn a_velocity_is_ramped_through_zero() {
        let limits = RampLimits {
            velocity_m_per_s: 0.0,
            acceleration_m_per_s2: 1.0,
            deceleration_m_per_s2: 2.0,
        };
        let mut ramp = Ramp {
            velocity_m_per_s: 1.0,
            ..Ramp::default()
        };
        let (time, ..) = run(&mut ramp, Goal::Velocity(-1.0), &limits);
        assert!((time - 1.5).abs() < 1e-3, "{time}");
    }

    #[test]
    fn what_is_no_number_moves_nothing() {
        let bad = [f64::NAN, f64::INFINITY, -1.0, 0.0];
        for value in bad {
            let limits = RampLimits {
                velocity_m_per_s: value,
                acceleration_m_per_s2: value,
                deceleration_m_per_s2: value,
            };
            let mut ramp = Ramp::default();
            for _ in 0..10 {
                ramp.step(Goal::Velocity(value), &limits, DT_S);
            }
            assert!(ramp.velocity_m_per_s.is_finite(), "{value}");
        }
    }
}
