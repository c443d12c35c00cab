//! LuGre friction: bristles that bend before they slip, so that a body at rest really rests.

/// The bristles of one sliding pair. Equation, with the steady-state level g >= 0 (N) given from outside:
///
/// z' = v - s0 |v| z / g, F = s0 z + s1 z'
///
/// z is advanced implicitly: at speed the equation is far stiffer than any step, and the implicit form goes to
/// z = g / s0 without overshoot whatever the step is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bristles {
    /// Bristle stiffness s0 (N/m).
    pub stiffness_n_per_m: f64,
    /// Bristle damping s1 (N s/m).
    pub damping_n_s_per_m: f64,
    /// Bristle deflection z (m).
    pub deflection_m: f64,
}

impl Bristles {
    /// Bristles that hold `level_n` at a deflection of `presliding_m` on a body of `mass_kg`.
    pub fn new(level_n: f64, presliding_m: f64, mass_kg: f64) -> Self {
        let stiffness = level_n / presliding_m;
        Self {
            stiffness_n_per_m: stiffness,
            damping_n_s_per_m: 0.6 * libm::sqrt(stiffness * mass_kg),
            deflection_m: 0.0,
        }
    }

    /// Advances by `dt_s` at velocity `v` (m/s) and level `g` (N); returns the force against the motion (N).
    #[inline]
    pub fn step(&mut self, v: f64, g: f64, dt_s: f64) -> f64 {
        let slip = self.stiffness_n_per_m * v.abs() * dt_s;
        // The smallest level keeps a pair without friction from dividing nothing by nothing.
        let z = (self.deflection_m + v * dt_s) * g / (g + slip).max(1e-12);
        let rate = (z - self.deflection_m) / dt_s;
        self.deflection_m = z;
        self.stiffness_n_per_m * z + self.damping_n_s_per_m * rate
    }

    /// As [`Self::step`] for a closed brake: below the level the bristles only bend. Sliding bristles would let a hanging load creep
    /// down with every small vibration.
    #[inline]
    pub fn clamp(&mut self, v: f64, g: f64, dt_s: f64) -> f64 {
        let limit = g / self.stiffness_n_per_m;
        let z = (self.deflection_m + v * dt_s).clamp(-limit, limit);
        let rate = (z - self.deflection_m) / dt_s;
        self.deflection_m = z;
        self.stiffness_n_per_m * z + self.damping_n_s_per_m * rate
    }
}

/// Stribeck level over velocity: 1 at speed, `static_ratio` at rest.
#[inline]
pub(super) fn stribeck(v: f64, inverse_velocity: f64, excess: f64) -> f64 {
    let u = v * inverse_velocity;
    1.0 + excess / (1.0 + u * u)
}

/// Friction over a revolution of a spalled screw (-1 to 1): every ball passes the pit.
pub(super) fn spalled(revolutions: f64) -> f64 {
    let angle = core::f64::consts::TAU * (revolutions - libm::floor(revolutions));
    0.7 * libm::sin(angle) + 0.3 * libm::sin(2.0 * angle)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DT_S: f64 = 62.5e-6;

    #[test]
    fn a_body_under_less_than_the_level_comes_to_rest_and_stays() {
        let mut bristles = Bristles::new(50.0, 6e-6, 20.0);
        let (mut x, mut v) = (0.0, 0.0);
        let mut after_1_s = 0.0;
        for n in 0..160_000 {
            x += v * DT_S;
            v += DT_S * (45.0 - bristles.step(v, 50.0, DT_S)) / 20.0;
            if n == 16_000 {
                after_1_s = x;
            }
        }
        assert!(x > 0.0 && x < 100e-6, "{x}");
        assert!(
            (x - after_1_s).abs() < 1e-12 && v.abs() < 1e-12,
            "{x} {after_1_s} {v}"
        );
    }

    #[test]
    fn a_clamped_body_does_not_creep_under_vibration() {
        let creep = |clamped: bool| {
            let mut bristles = Bristles::new(500.0, 6e-6, 20.0);
            let (mut x, mut v) = (0.0, 0.0);
            let mut settled = 0.0;
            for n in 0..320_000_u32 {
                x += v * DT_S;
                let load = 200.0 + if n % 32 < 16 { 60.0 } else { -60.0 };
                let friction = if clamped {
                    bristles.clamp(v, 500.0, DT_S)
                } else {
                    bristles.step(v, 500.0, DT_S)
                };
                v += DT_S * (load - friction) / 20.0;
                if n == 32_000 {
                    settled = x;
                }
            }
            x - settled
        };
        assert!(creep(true).abs() < 2e-6, "{}", creep(true));
        assert!(creep(false) > 1e-5, "{}", creep(false));
    }

    #[test]
    fn above_the_level_it_slips_with_the_difference() {
        let mut bristles = Bristles::new(50.0, 6e-6, 20.0);
        let mut v = 0.0;
        for _ in 0..16_000 {
            v += DT_S * (70.0 - bristles.step(v, 50.0, DT_S)) / 20.0;
        }
        assert!((v - 1.0).abs() < 0.01, "{v}");
    }

    #[test]
    fn friction_takes_energy_out_over_a_swing_in_the_presliding_range() {
        let mut bristles = Bristles::new(50.0, 6e-6, 20.0);
        let mut work = 0.0;
        for n in 0..32_000 {
            let v = 1e-3 * libm::sin(f64::from(n) * DT_S * 50.0);
            work += bristles.step(v, 50.0, DT_S) * v * DT_S;
        }
        assert!(work > 0.0);
    }

    #[test]
    fn stribeck_falls_from_static_to_coulomb() {
        assert!((stribeck(0.0, 100.0, 0.25) - 1.25).abs() < 1e-12);
        assert!((stribeck(0.01, 100.0, 0.25) - 1.125).abs() < 1e-12);
        assert!(stribeck(1.0, 100.0, 0.25) < 1.0001);
    }
}
