//! Motor and load as two masses with stiffness, damping and a gap between them.
//!
//! Everything is referred to the axis: the motor's inertia is a mass, its torque a force. Integration is
//! semi-implicit (positions first, then the forces at the new positions), which keeps energy bounded for
//! omega dt < 2; `substeps` keeps it below 0.4.
//!
//! Behind a crank or a table the load is what turns with the drive, and [`super::linkage`] hangs the ram on it.

use super::friction::{Bristles, stribeck};
use super::linkage::Ram;

/// Largest number of steps of the mechanics within one of the drive.
const MAX_SUBSTEPS: u32 = 8;
/// Largest omega dt of any oscillation in here.
const MAX_PHASE: f64 = 0.4;
/// Standard gravity (m/s2).
pub(super) const GRAVITY_M_PER_S2: f64 = 9.806_65;

/// What the mechanics are made of, after the draw.
#[derive(Clone, Copy, Debug)]
pub(super) struct MechanicsParameters {
    /// Motor and screw as a mass on the axis (kg).
    pub motor_mass_kg: f64,
    /// Moved mass (kg); behind a linkage without the ram.
    pub load_mass_kg: f64,
    /// Coulomb friction of the whole axis in positive direction (N).
    pub coulomb_positive_n: f64,
    /// Coulomb friction of the whole axis in negative direction (N).
    pub coulomb_negative_n: f64,
    /// Share of it that sits in motor and screw bearings (1).
    pub motor_friction_share: f64,
    /// Static over Coulomb friction minus 1 (1).
    pub static_excess: f64,
    /// Stribeck velocity (m/s).
    pub stribeck_velocity_m_per_s: f64,
    /// Viscous friction of the whole axis (N s/m).
    pub viscous_n_s_per_m: f64,
    /// Way before the guide slips (m).
    pub presliding_m: f64,
    /// Way before the motor's bearings slip, on the axis (m).
    pub motor_presliding_m: f64,
    /// Share of weight along the axis (1), positive pulls towards smaller positions.
    pub gravity: f64,
    /// Constant force, as of a cable chain (N), positive pulls towards smaller positions.
    pub offset_n: f64,
    /// Stiffness between motor and load (N/m).
    pub stiffness_n_per_m: f64,
    /// Damping ratio of that spring (1).
    pub damping_ratio: f64,
    /// Gap between motor and load (m).
    pub backlash_m: f64,
    /// Share of the transmitted force that the screw or belt takes as friction (1).
    pub loss: f64,
    /// The same where the load drives the motor; none: as much.
    pub loss_back: Option<f64>,
    /// Holding torque of the brake as a force (N), 0 without one.
    pub brake_n: f64,
    /// Length of a step (s).
    pub dt_s: f64,
}

/// What changes from step to step.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Loads {
    /// Force of the motor, cogging included (N).
    pub motor_n: f64,
    /// Force on the load, or on the ram behind a linkage, from outside: part, frame (N).
    pub load_n: f64,
    /// Factor on Coulomb and viscous friction: warm-up, faults (1).
    pub friction_factor: f64,
    /// Factor on viscous friction, and on what static friction has beyond that in motion: lubrication (1).
    pub dry_factor: f64,
    /// Mass that a fault has added to it (kg).
    pub added_mass_kg: f64,
    /// Gap that a fault has added (m).
    pub added_gap_m: f64,
    /// How far the brake is closed (0 to 1).
    pub brake: f64,
}

/// The two masses.
#[derive(Clone, Debug)]
pub(super) struct Mechanics {
    p: MechanicsParameters,
    /// Substeps within one step of the drive.
    pub substeps: u32,
    dt_s: f64,
    stiffness: f64,
    damping: f64,
    inverse_stribeck: f64,
    guide: Bristles,
    bearings: Bristles,
    /// Motor position and velocity on the axis (m, m/s).
    pub motor_m: f64,
    /// See `motor_m`.
    pub motor_m_per_s: f64,
    /// Load position and velocity (m, m/s).
    pub load_m: f64,
    /// See `load_m`.
    pub load_m_per_s: f64,
    /// Acceleration of the load or the ram (m/s2), for its neighbours.
    pub load_m_per_s2: f64,
    /// Where in the gap the transmission stands (m), -gap/2 to gap/2.
    gap_m: f64,
    /// Force from motor to load (N).
    pub transmitted_n: f64,
    /// What hangs on the load behind a crank or a table.
    ram: Option<Ram>,
}

impl Mechanics {
    /// Two masses at rest at `start_m`.
    #[cfg(test)]
    pub fn new(p: MechanicsParameters, start_m: f64) -> Self {
        Self::behind(p, start_m, None)
    }

    /// Two masses at rest at `start_m`, the second with a ram on it behind a linkage.
    pub fn behind(p: MechanicsParameters, start_m: f64, ram: Option<Ram>) -> Self {
        let reduced = p.motor_mass_kg * p.load_mass_kg / (p.motor_mass_kg + p.load_mass_kg);
        let level = 0.5 * (p.coulomb_positive_n + p.coulomb_negative_n) * (1.0 + p.static_excess);
        let guide = Bristles::new(
            (1.0 - p.motor_friction_share) * level,
            p.presliding_m,
            p.load_mass_kg,
        );
        let bearings = Bristles::new(
            p.motor_friction_share * level,
            p.motor_presliding_m,
            p.motor_mass_kg,
        );
        let fastest = (p.stiffness_n_per_m / reduced)
            .max(guide.stiffness_n_per_m / p.load_mass_kg)
            .max(bearings.stiffness_n_per_m / p.motor_mass_kg);
        let phase = libm::sqrt(fastest) * p.dt_s;
        let substeps = ((phase / MAX_PHASE) as u32 + 1).min(MAX_SUBSTEPS);
        let dt_s = p.dt_s / f64::from(substeps);
        // Stiffer than the finest step can follow: as stiff as it can. Such a spring acts rigid at any speed of the loops.
        let limit = MAX_PHASE / dt_s;
        let limit = limit * limit;
        let soften = |b: Bristles, mass: f64| {
            let most = limit * mass;
            if b.stiffness_n_per_m > most {
                Bristles::new(most, 1.0, mass)
            } else {
                b
            }
        };
        let stiffness = p.stiffness_n_per_m.min(limit * reduced);
        let mut new = Self {
            substeps,
            dt_s,
            stiffness,
            damping: 2.0 * p.damping_ratio * libm::sqrt(stiffness * reduced),
            inverse_stribeck: 1.0 / p.stribeck_velocity_m_per_s,
            guide: soften(guide, p.load_mass_kg),
            bearings: soften(bearings, p.motor_mass_kg),
            motor_m: start_m,
            motor_m_per_s: 0.0,
            load_m: start_m,
            load_m_per_s: 0.0,
            load_m_per_s2: 0.0,
            gap_m: 0.0,
            transmitted_n: 0.0,
            ram,
            p,
        };
        // The load rests on the flank that its weight presses it to, and hangs on the spring and the closed brake,
        // so that a vertical axis does not drop at the start.
        let weight = match &new.ram {
            None => p.load_mass_kg * p.gravity * GRAVITY_M_PER_S2,
            Some(ram) => -ram.force_on_axis_n(0.0, 0.0),
        };
        new.gap_m = 0.5 * p.backlash_m * if weight < 0.0 { -1.0 } else { 1.0 };
        new.load_m = start_m - new.gap_m - weight / stiffness;
        new.transmitted_n = weight;
        if let Some(ram) = &mut new.ram {
            ram.put_at(new.load_m);
        }
        if p.brake_n > 0.0 {
            new.bearings.deflection_m = -weight / new.bearings.stiffness_n_per_m;
        }
        new
    }

    /// Where the ram of a press is (m): where the load is, or where its linkage holds it.
    #[inline]
    pub fn ram_m(&self) -> f64 {
        self.ram.as_ref().map_or(self.load_m, |ram| ram.at_m)
    }

    /// Its velocity (m/s).
    #[inline]
    pub fn ram_m_per_s(&self) -> f64 {
        (self.ram.as_ref()).map_or(self.load_m_per_s, |ram| ram.m_per_s)
    }

    /// Advances by one step of the drive.
    #[cfg(test)]
    pub fn step(&mut self, loads: &Loads) {
        for number in 0..MAX_SUBSTEPS {
            self.substep_of(number, loads);
        }
    }

    /// Substep `number` of a step, 0 to [`MAX_SUBSTEPS`] - 1; nothing where it has fewer.
    #[inline]
    pub fn substep_of(&mut self, number: u32, loads: &Loads) {
        if number < self.substeps {
            self.substep(loads);
        }
    }

    #[inline]
    fn substep(&mut self, loads: &Loads) {
        let p = &self.p;
        let dt = self.dt_s;
        self.motor_m += self.motor_m_per_s * dt;
        self.load_m += self.load_m_per_s * dt;
        let load_mass = match &mut self.ram {
            None => p.load_mass_kg + loads.added_mass_kg,
            Some(ram) => {
                let before = p.load_mass_kg + ram.on_axis_kg(loads.added_mass_kg);
                ram.put_at(self.load_m);
                let now = p.load_mass_kg + ram.on_axis_kg(loads.added_mass_kg);
                self.load_m_per_s *= libm::sqrt(before / now);
                now
            }
        };

        // Spring and damper in series with the gap. In contact the gap stands at its end and the spring carries;
        // within the gap it moves just so that the force is nothing. Solved implicitly for the new gap position:
        // k (d - b) + c (d' - (b - b0) / dt) = 0, then held within the ends. A flank can only push.
        let twist = self.motor_m - self.load_m;
        let twist_rate = self.motor_m_per_s - self.load_m_per_s;
        let half = 0.5 * (p.backlash_m + loads.added_gap_m);
        let c_per_dt = self.damping / dt;
        let free = (self.stiffness * twist + self.damping * twist_rate + c_per_dt * self.gap_m)
            / (self.stiffness + c_per_dt);
        let transmitted = if free.abs() < half {
            self.gap_m = free;
            0.0
        } else {
            let gap = if free < 0.0 { -half } else { half };
            let rate = (gap - self.gap_m) / dt;
            self.gap_m = gap;
            self.stiffness * (twist - gap) + self.damping * (twist_rate - rate)
        };

        let factor = loads.friction_factor;
        let v2 = self.load_m_per_s;
        let coulomb2 = if v2 < 0.0 {
            p.coulomb_negative_n
        } else {
            p.coulomb_positive_n
        };
        let level2 = factor
            * (1.0 - p.motor_friction_share)
            * coulomb2
            * stribeck(
                v2,
                self.inverse_stribeck,
                p.static_excess * loads.dry_factor,
            );
        let friction2 = self.guide.step(v2, level2, dt)
            + factor * (1.0 - p.motor_friction_share) * p.viscous_n_s_per_m * loads.dry_factor * v2;

        // What the screw or belt loses is friction that grows with the force it carries: the efficiency of driving
        // and of being driven, and no chatter at rest.
        let v1 = self.motor_m_per_s;
        let coulomb1 = if v1 < 0.0 {
            p.coulomb_negative_n
        } else {
            p.coulomb_positive_n
        };
        // The load drives where its force goes with the motion.
        let loss = match p.loss_back {
            Some(back) if transmitted * v1 < 0.0 => back,
            _ => p.loss,
        };
        let level1 = factor * p.motor_friction_share * coulomb1
            + loss * transmitted.abs()
            + loads.brake * p.brake_n;
        let dry1 = if loads.brake >= 1.0 {
            self.bearings.clamp(v1, level1, dt)
        } else {
            self.bearings.step(v1, level1, dt)
        };
        let friction1 =
            dry1 + factor * p.motor_friction_share * p.viscous_n_s_per_m * loads.dry_factor * v1;

        match &mut self.ram {
            None => {
                let weight = load_mass * p.gravity * GRAVITY_M_PER_S2 + p.offset_n;
                self.load_m_per_s2 = (transmitted - friction2 - weight + loads.load_n) / load_mass;
                self.load_m_per_s += dt * self.load_m_per_s2;
            }
            Some(ram) => {
                let on_ram = ram.force_on_axis_n(loads.load_n, loads.added_mass_kg);
                self.load_m_per_s +=
                    dt * (transmitted - friction2 - p.offset_n + on_ram) / load_mass;
                let m_per_s = ram.per_way * self.load_m_per_s;
                self.load_m_per_s2 = (m_per_s - ram.m_per_s) / dt;
                ram.m_per_s = m_per_s;
            }
        }
        self.motor_m_per_s += dt * (loads.motor_n - transmitted - friction1) / p.motor_mass_kg;
        self.transmitted_n = transmitted;
    }
}

#[cfg(test)]
#[path = "linked_tests.rs"]
mod linked_tests;
#[cfg(test)]
#[path = "mechanics_tests.rs"]
mod tests;
