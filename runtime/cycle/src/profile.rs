//! A jerk-limited move from rest to rest.
//!
//! # Derivation
//! Speeding up to a peak velocity v with acceleration a and jerk j takes `v/a + a/j` when a is reached (v >= a^2/j), else
//! `2 sqrt(v/j)`, and covers half of v times that. A move of distance D that has no cruise solves `v Ta(v) = D` for v: with a
//! reached it is a quadratic, else `v^3 = D^2 j / 4`. Slowing down mirrors speeding up.

/// Limits of a move; all > 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Velocity (m/s).
    pub velocity_m_per_s: f64,
    /// Acceleration (m/s2).
    pub acceleration_m_per_s2: f64,
    /// Jerk (m/s3).
    pub jerk_m_per_s3: f64,
}

/// A planned move.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Profile {
    from_m: f64,
    to_m: f64,
    direction: f64,
    jerk: f64,
    /// Time of each jerk phase (s).
    jerk_s: f64,
    /// Time of constant acceleration (s).
    steady_s: f64,
    /// Time at peak velocity (s).
    cruise_s: f64,
}

impl Profile {
    /// Plans a move. A distance of 0 gives a move of no duration.
    pub fn new(from_m: f64, to_m: f64, limits: &Limits) -> Self {
        let (v, a, j) = (
            limits.velocity_m_per_s,
            limits.acceleration_m_per_s2,
            limits.jerk_m_per_s3,
        );
        let way = to_m - from_m;
        let distance = if way < 0.0 { -way } else { way };
        let direction = if way < 0.0 { -1.0 } else { 1.0 };
        let mut peak = v;
        if peak * speed_up_s(peak, a, j) > distance {
            let rounding = a / j;
            peak = 0.5 * a * (libm::sqrt(rounding * rounding + 4.0 * distance / a) - rounding);
            if peak < a * a / j {
                peak = libm::cbrt(distance * distance * j * 0.25);
            }
        }
        let (jerk_s, steady_s) = if peak >= a * a / j {
            (a / j, peak / a - a / j)
        } else {
            (libm::sqrt(peak / j), 0.0)
        };
        let cruise = if peak > 0.0 {
            distance / peak - (2.0 * jerk_s + steady_s)
        } else {
            0.0
        };
        let cruise_s = if cruise > 0.0 { cruise } else { 0.0 };
        Self {
            from_m,
            to_m,
            direction,
            jerk: j,
            jerk_s,
            steady_s,
            cruise_s,
        }
    }

    /// Duration (s).
    pub fn duration_s(&self) -> f64 {
        2.0 * self.speed_up_s() + self.cruise_s
    }

    fn speed_up_s(&self) -> f64 {
        2.0 * self.jerk_s + self.steady_s
    }

    /// Position at `time_s` after the start (m).
    pub fn position_m(&self, time_s: f64) -> f64 {
        let total = self.duration_s();
        if time_s >= total {
            return self.to_m;
        }
        if time_s <= 0.0 {
            return self.from_m;
        }
        let up = self.speed_up_s();
        if time_s < up {
            self.from_m + self.direction * self.speeding_up_m(time_s)
        } else if time_s > total - up {
            self.to_m - self.direction * self.speeding_up_m(total - time_s)
        } else {
            let peak = self.jerk * self.jerk_s * (self.jerk_s + self.steady_s);
            self.from_m + self.direction * (0.5 * peak * up + peak * (time_s - up))
        }
    }

    /// Way covered `t` after the start while speeding up.
    fn speeding_up_m(&self, t: f64) -> f64 {
        let (j, t1, t2) = (self.jerk, self.jerk_s, self.steady_s);
        let a = j * t1;
        if t < t1 {
            return j * t * t * t / 6.0;
        }
        let v1 = 0.5 * a * t1;
        let x1 = j * t1 * t1 * t1 / 6.0;
        if t < t1 + t2 {
            let u = t - t1;
            return x1 + v1 * u + 0.5 * a * u * u;
        }
        let v2 = v1 + a * t2;
        let x2 = x1 + v1 * t2 + 0.5 * a * t2 * t2;
        let u = t - t1 - t2;
        x2 + v2 * u + 0.5 * a * u * u - j * u * u * u / 6.0
    }
}

/// Time to reach velocity `v` (s).
fn speed_up_s(v: f64, a: f64, j: f64) -> f64 {
    if v >= a * a / j {
        v / a + a / j
    } else {
        2.0 * libm::sqrt(v / j)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_move_keeps_its_limits_and_arrives(
            from in -2.0..2.0f64, to in -2.0..2.0f64, v in 0.001..3.0f64, a in 0.01..50.0f64, j in 0.1..5000.0f64,
        ) {
            let limits = Limits { velocity_m_per_s: v, acceleration_m_per_s2: a, jerk_m_per_s3: j };
            let p = Profile::new(from, to, &limits);
            let total = p.duration_s();
            prop_assert!(total.is_finite() && total >= 0.0);
            let n = 400;
            let dt = total / f64::from(n);
            prop_assume!(dt > 1e-7);
            let x: Vec<f64> = (0..=n).map(|k| p.position_m(f64::from(k) * dt)).collect();
            prop_assert_eq!(x[0], from);
            prop_assert!((x[400] - to).abs() < 1e-9);
            let noise = 1e-14 * (1.0 + from.abs() + to.abs());
            for w in x.windows(2) {
                let speed = (w[1] - w[0]).abs() / dt;
                prop_assert!(speed <= v * 1.000_001 + 2.0 * noise / dt, "velocity {} over {}", speed, v);
            }
            for w in x.windows(3) {
                let acc = (w[2] - 2.0 * w[1] + w[0]).abs() / (dt * dt);
                prop_assert!(acc <= a * 1.000_01 + 8.0 * noise / (dt * dt), "acceleration {} over {}", acc, a);
            }
            for w in x.windows(4) {
                let jerk = (w[3] - 3.0 * w[2] + 3.0 * w[1] - w[0]).abs() / (dt * dt * dt);
                prop_assert!(jerk <= j * 1.001 + 16.0 * noise / (dt * dt * dt), "jerk {} over {}", jerk, j);
            }
        }
    }

    #[test]
    fn no_distance_takes_no_time() {
        let p = Profile::new(
            0.3,
            0.3,
            &Limits {
                velocity_m_per_s: 1.0,
                acceleration_m_per_s2: 1.0,
                jerk_m_per_s3: 1.0,
            },
        );
        assert_eq!(p.duration_s(), 0.0);
        assert_eq!(p.position_m(0.5), 0.3);
    }
}
