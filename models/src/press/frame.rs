//! The frame that yields, the counterbalance that carries, and the current that the motor needs for a force on the ram.
//!
//! # Derivation
//! The frame is a spring between drive and ram: the drive is at `x_d`, the ram at `x = x_d - F / k`. What the workpiece
//! answers depends on where the ram is, and where the ram is on the answer, so `F = W(x_d - F / k)`. The left side rises
//! with F and the right side falls as long as the workpiece does not soften faster than the frame is stiff, so there is one
//! solution, and it lies between 0 and `W(x_d)`: halving finds it without a derivative.
//!
//! The counterbalance pushes against the way in. A spring of weights is constant; a pneumatic one over its vessel is linear
//! in the travel to first order: `F_c = c + r (x - x_0)`.
//!
//! The motor turns the sum into torque by the Jacobian of the drive, `T = F ds/dq`. Losses depend on who drives whom: with
//! efficiency eta the motor pays `T / eta` where it drives the ram and gets back `T eta_b` where the ram drives it.

/// The frame as a spring.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Frame {
    /// Yield per force (m/N, >= 0); 0: rigid.
    pub compliance_m_per_n: f64,
}

/// Halvings: 2^-60 of the first interval is below the last bit of any force.
const HALVINGS: usize = 60;

impl Frame {
    /// A frame of this stiffness (N/m, > 0); anything else is rigid.
    pub fn of_stiffness(stiffness_n_per_m: f64) -> Self {
        Self {
            compliance_m_per_n: if stiffness_n_per_m > 0.0 {
                1.0 / stiffness_n_per_m
            } else {
                0.0
            },
        }
    }

    /// Where the ram is (m) with the drive at `drive_m` and `force_n` on the ram.
    #[inline]
    pub fn ram_m(&self, drive_m: f64, force_n: f64) -> f64 {
        drive_m - self.compliance_m_per_n * force_n
    }

    /// The force (N) with the drive at `drive_m` on a workpiece that answers `workpiece(ram position)` with 0 or more.
    pub fn force_n(&self, drive_m: f64, mut workpiece: impl FnMut(f64) -> f64) -> f64 {
        let most = workpiece(drive_m);
        if self.compliance_m_per_n <= 0.0 || most <= 0.0 {
            return if most > 0.0 { most } else { 0.0 };
        }
        let (mut low, mut high) = (0.0, most);
        for _ in 0..HALVINGS {
            let middle = 0.5 * (low + high);
            if workpiece(self.ram_m(drive_m, middle)) > middle {
                low = middle;
            } else {
                high = middle;
            }
        }
        0.5 * (low + high)
    }
}

/// What carries the weight of the ram.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counterbalance {
    /// Force at `at_m` against the way in (N).
    pub constant_n: f64,
    /// Rise of the force with the travel (N/m): pneumatic, 0 for weights.
    pub rate_n_per_m: f64,
    /// Where the constant holds (m).
    pub at_m: f64,
}

impl Counterbalance {
    /// Force against the way in with the ram at `ram_m` (N).
    #[inline]
    pub fn force_n(&self, ram_m: f64) -> f64 {
        self.constant_n + self.rate_n_per_m * (ram_m - self.at_m)
    }
}

/// The motor behind the drive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Motor {
    /// Torque per current at the drive's angle, gear included (N m/A, > 0).
    pub torque_constant_nm_per_a: f64,
    /// Efficiency where the motor drives the ram (1, above 0 to 1).
    pub efficiency: f64,
    /// Efficiency where the ram drives the motor (1, 0 to 1); 0 locks itself.
    pub efficiency_back: f64,
}

impl Motor {
    /// Current (A) that `force_n` against the way in takes at the Jacobian `m_per_rad`, turning at `rad_per_s`.
    ///
    /// At rest the motor holds the whole force: friction may help it, and nobody can tell by how much.
    pub fn current_a(&self, force_n: f64, m_per_rad: f64, rad_per_s: f64) -> f64 {
        let torque_nm = force_n * m_per_rad;
        let power = torque_nm * rad_per_s;
        let paid_nm = if power > 0.0 {
            torque_nm / self.efficiency
        } else if power < 0.0 {
            torque_nm * self.efficiency_back
        } else {
            torque_nm
        };
        paid_nm / self.torque_constant_nm_per_a
    }

    /// The inverse: force against the way in (N) from a current (A), where the Jacobian is `least_m_per_rad` or more in size.
    ///
    /// # Errors
    /// [`ForceUnknown`] where the current says nothing of the force.
    #[inline]
    pub fn force_n(
        &self,
        current_a: f64,
        m_per_rad: f64,
        least_m_per_rad: f64,
        rad_per_s: f64,
    ) -> Result<f64, ForceUnknown> {
        let size = if m_per_rad < 0.0 {
            -m_per_rad
        } else {
            m_per_rad
        };
        // Written so that a Jacobian that is no number is refused too.
        if !(size > 0.0 && size >= least_m_per_rad) {
            return Err(ForceUnknown::DeadCentre);
        }
        let paid_nm = current_a * self.torque_constant_nm_per_a;
        let power = paid_nm * rad_per_s;
        let torque_nm = if power > 0.0 {
            paid_nm * self.efficiency
        } else if power < 0.0 {
            if self.efficiency_back > 0.0 {
                paid_nm / self.efficiency_back
            } else {
                return Err(ForceUnknown::SelfLocking);
            }
        } else {
            paid_nm
        };
        Ok(torque_nm / m_per_rad)
    }
}

/// Why a current says nothing of the force on the ram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[repr(u8)]
pub enum ForceUnknown {
    /// In a dead centre no current holds any force.
    DeadCentre = 0,
    /// The ram drives a drive that locks itself: friction takes any part of the force.
    SelfLocking = 1,
}

impl ForceUnknown {
    /// The stable word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DeadCentre => "dead_centre",
            Self::SelfLocking => "self_locking",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::press::kinematics::Kinematics;
    use proptest::prelude::*;

    #[test]
    fn a_spring_behind_a_spring_is_solved_in_closed_form() {
        // F = k (x - F / kf)  =>  F = k kf x / (k + kf).
        let (k, kf) = (2.0e6, 1.0e8);
        let frame = Frame::of_stiffness(kf);
        for x in [0.0, 1e-6, 1e-3, 0.01] {
            let force = frame.force_n(x, |ram| k * ram.max(0.0));
            let exact = k * kf * x / (k + kf);
            assert!(
                (force - exact).abs() <= 1e-12 * exact.max(1.0),
                "{force} {exact}"
            );
        }
        assert_eq!(Frame::default().force_n(0.5, |ram| 10.0 * ram), 5.0);
        assert_eq!(frame.force_n(-0.5, |ram| 10.0 * ram), 0.0);
    }

    #[test]
    fn a_counterbalance_is_linear() {
        let c = Counterbalance {
            constant_n: 800.0,
            rate_n_per_m: 2000.0,
            at_m: 0.04,
        };
        assert_eq!(c.force_n(0.04), 800.0);
        assert!((c.force_n(0.14) - 1000.0).abs() < 1e-9);
    }

    #[test]
    fn the_motor_pays_for_the_losses_and_never_gains() {
        let motor = Motor {
            torque_constant_nm_per_a: 1.2,
            efficiency: 0.9,
            efficiency_back: 0.8,
        };
        let m_per_rad = 0.006 / (2.0 * core::f64::consts::PI);
        let ideal = 1.0e4 * m_per_rad / 1.2;
        assert!((motor.current_a(1.0e4, m_per_rad, 3.0) - ideal / 0.9).abs() < 1e-12);
        assert!((motor.current_a(1.0e4, m_per_rad, -3.0) - ideal * 0.8).abs() < 1e-12);
        assert_eq!(motor.current_a(1.0e4, m_per_rad, 0.0), ideal);
        let dead = Err(ForceUnknown::DeadCentre);
        assert_eq!(motor.force_n(5.0, 0.0, 0.0, 1.0), dead);
        assert_eq!(motor.force_n(5.0, f64::NAN, 0.0, 1.0), dead);
        assert_eq!(motor.force_n(5.0, -0.9e-3, 1e-3, 1.0), dead);
        assert!(motor.force_n(5.0, -1e-3, 1e-3, 1.0).is_ok());
        let locks = Motor {
            efficiency_back: 0.0,
            ..motor
        };
        assert_eq!(
            locks.force_n(5.0, 1e-3, 0.0, -1.0),
            Err(ForceUnknown::SelfLocking)
        );
    }

    proptest! {
        #[test]
        fn current_and_force_are_inverse_at_every_angle(
            force in -1e6..1e6f64, q in 0.05..3.0f64, speed in -100.0..100.0f64,
            efficiency in 0.3..1.0f64, back in 0.1..1.0f64, kt in 0.01..50.0f64,
        ) {
            let motor = Motor { torque_constant_nm_per_a: kt, efficiency, efficiency_back: back };
            let (_, m_per_rad) = Kinematics::crank(0.1, 0.4).expect("a crank").travel(q);
            let current = motor.current_a(force, m_per_rad, speed);
            let again = motor.force_n(current, m_per_rad, 0.0, speed).expect("no dead centre");
            prop_assert!((again - force).abs() <= 1e-9 * force.abs().max(1.0), "{again} {force}");
            let loss = current * kt * speed - force * m_per_rad * speed;
            prop_assert!(loss >= -1e-9 * (force * speed).abs(), "the drive gained {loss} W");
        }

        #[test]
        fn the_frame_is_in_balance(k in 1e3..1e9f64, kf in 1e5..1e12f64, x in -0.1..0.1f64) {
            let frame = Frame::of_stiffness(kf);
            let part = |ram: f64| if ram > 0.0 { k * ram } else { 0.0 };
            let force = frame.force_n(x, part);
            let answer = part(frame.ram_m(x, force));
            prop_assert!(force.is_finite() && force >= 0.0);
            prop_assert!((answer - force).abs() <= 1e-9 * (1.0 + force) * (1.0 + k / kf), "{answer} {force}");
        }
    }
}
