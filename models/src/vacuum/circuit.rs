//! The pressure of one circuit over one period, exactly.

use super::AMBIENT_PA;

/// Pressures beyond this are no reading of a sensor (Pa); the step treats them as if they were it.
pub const LARGEST_PA: f64 = 1e8;

/// One exact step of `p' = (pf - p) / tau + c (pa^2 - p^2)`; see the derivation in [`super`].
///
/// Immutable; built when the plan is built.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    equilibrium_pa: f64,
    decay: f64,
    /// `c (1 - decay) / lambda` (1/Pa).
    curve_per_pa: f64,
}

impl Step {
    /// The step of a circuit.
    ///
    /// `pull_per_s` is 1 / tau (1/s, >= 0; 0 with the ejector off), `final_pa` where it pulls to (Pa, >= 0), `leak_per_pa_s`
    /// is c (1/(Pa s), >= 0), `period_s` > 0. What is out of range counts as 0.
    pub fn new(pull_per_s: f64, final_pa: f64, leak_per_pa_s: f64, period_s: f64) -> Self {
        let positive = |x: f64| if x > 0.0 && x.is_finite() { x } else { 0.0 };
        let (b, c) = (positive(pull_per_s), positive(leak_per_pa_s));
        let q = b * positive(final_pa) + c * AMBIENT_PA * AMBIENT_PA;
        let lambda = libm::sqrt(b * b + 4.0 * c * q);
        if lambda <= 0.0 {
            return Self {
                equilibrium_pa: 0.0,
                decay: 1.0,
                curve_per_pa: 0.0,
            };
        }
        let lambda_t = lambda * positive(period_s);
        Self {
            // The stable form of the root: no difference of near numbers, and no division by c.
            equilibrium_pa: 2.0 * q / (b + lambda),
            decay: libm::exp(-lambda_t),
            curve_per_pa: c * -libm::expm1(-lambda_t) / lambda,
        }
    }

    /// Pressure after one period (Pa), from `pressure_pa`.
    ///
    /// A reading below vacuum or beyond [`LARGEST_PA`] keeps its distance to that bound: the equation has no meaning there.
    pub fn advance(&self, pressure_pa: f64) -> f64 {
        let inside = pressure_pa.clamp(0.0, LARGEST_PA);
        let d = inside - self.equilibrium_pa;
        // At p >= 0 the denominator is above 0: c (p1 - p) / lambda < p1 / (p1 - p2) < 1, since p2 < 0 < p1.
        let after = self.equilibrium_pa + d * self.decay / (1.0 + self.curve_per_pa * d);
        pressure_pa - inside + after
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(p: f64, pull: f64, final_pa: f64, c: f64) -> f64 {
        pull * (final_pa - p) + c * (AMBIENT_PA * AMBIENT_PA - p * p)
    }

    /// An independent solution: Bogacki-Shampine with error control, 1e-10 of the pressure a step.
    fn adaptive(mut p: f64, end_s: f64, f: impl Fn(f64) -> f64) -> f64 {
        let (mut t, mut h) = (0.0, end_s / 16.0);
        while t < end_s {
            h = h.min(end_s - t);
            let k1 = f(p);
            let k2 = f(p + 0.5 * h * k1);
            let k3 = f(p + 0.75 * h * k2);
            let next = p + h * (2.0 * k1 + 3.0 * k2 + 4.0 * k3) / 9.0;
            let k4 = f(next);
            let error = h * (-5.0 * k1 / 72.0 + k2 / 12.0 + k3 / 9.0 - k4 / 8.0).abs();
            let allowed = 1e-10 * (p.abs() + 1.0);
            if error <= allowed {
                (t, p) = (t + h, next);
            }
            h *= (0.9 * libm::cbrt(allowed / error.max(1e-300))).clamp(0.2, 4.0);
        }
        p
    }

    #[test]
    fn the_step_agrees_with_an_adaptive_solution() {
        // Vacuum and pressure, ejector on and off, from the shortest period to a second.
        for final_pa in [5_000.0, 30_000.0, 880_000.0] {
            for pull in [0.0, 2.0, 12.0] {
                for leak_pa_per_s in [0.0, 30.0, 3000.0, 60_000.0] {
                    let c = leak_pa_per_s / (AMBIENT_PA * AMBIENT_PA - final_pa * final_pa).abs();
                    for period_s in [31.25e-6, 1e-3, 0.1, 1.0] {
                        for start in [0.0, 20_000.0, AMBIENT_PA, 900_000.0] {
                            let step = Step::new(pull, final_pa, c, period_s);
                            let found = step.advance(start);
                            let truth = adaptive(start, period_s, |p| rate(p, pull, final_pa, c));
                            assert!(
                                (found - truth).abs() <= 1e-7 * (truth.abs() + 1.0),
                                "{found} {truth}: pf {final_pa}, 1/tau {pull}, leak {leak_pa_per_s}, T {period_s}, p {start}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_circuit_that_nothing_moves_keeps_its_pressure() {
        for p in [-500.0, 0.0, 12_345.678, 9e5, 2e8] {
            assert_eq!(Step::new(0.0, 20_000.0, 0.0, 1e-3).advance(p), p);
        }
    }

    proptest! {
        #[test]
        fn two_steps_are_one_of_twice_the_length(
            pull in 0.0..1e3_f64, final_pa in 0.0..1e7_f64, c in 0.0..1e-3_f64,
            period_s in 31.25e-6..0.5_f64, p in 0.0..1e7_f64,
        ) {
            let once = Step::new(pull, final_pa, c, period_s);
            let twice = Step::new(pull, final_pa, c, 2.0 * period_s).advance(p);
            let in_two = once.advance(once.advance(p));
            prop_assert!((twice - in_two).abs() <= 1e-9 * (1.0 + p + final_pa + AMBIENT_PA), "{twice} {in_two}");
        }

        #[test]
        fn the_pressure_goes_to_its_equilibrium_and_never_past_it(
            pull in 0.0..1e6_f64, final_pa in 0.0..1e8_f64, c in 0.0..1e3_f64,
            period_s in 1e-6..10.0_f64, p in 0.0..1e8_f64,
        ) {
            let step = Step::new(pull, final_pa, c, period_s);
            let next = step.advance(p);
            let (low, high) = (p.min(step.equilibrium_pa), p.max(step.equilibrium_pa));
            let slack = 1e-9 * (1.0 + high);
            prop_assert!(next >= low - slack || pull + c == 0.0, "{next} below {low}");
            prop_assert!(next <= high + slack, "{next} above {high}");
        }

        #[test]
        fn any_finite_reading_gives_a_finite_pressure(
            pull in 0.0..1e6_f64, final_pa in 0.0..1e8_f64, c in 0.0..1e3_f64,
            period_s in 1e-6..10.0_f64, p in -1e300..1e300_f64,
        ) {
            prop_assert!(Step::new(pull, final_pa, c, period_s).advance(p).is_finite());
        }
    }
}
