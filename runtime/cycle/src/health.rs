//! Health of every axis, press and station, fed by the pipeline. No part of the digest, and nothing here is judged.
//!
//! Every eighth cycle of a movement adds a few sums; almost everything else happens at its end. The meters of lost motion see raw
//! cycles: one at rest and right after a start, the other while an axis moves.

mod lost_motion;
mod press;
mod reading;
mod resume;
mod station;

use lost_motion::LostMotion;
pub use press::{KINDS, PressHealth, PressHealthPlan};
pub use reading::{Reading, Usage, Wear};
pub use station::StationHealth;
use twinstep_models::channel::Regime;
use twinstep_models::health::backlash::MeterParams;
use twinstep_models::health::crossing::CrossingParams;
use twinstep_models::health::movement::{EVERY, Movement, MovementFit, Scales};
use twinstep_models::health::scalar::ScalarTracker;
use twinstep_models::health::stiffness::ContactSums;
use twinstep_models::health::torque_constant::{common_factor, out_and_back};
use twinstep_models::health::tracker::{COULOMB, GRAVITY, INERTIA, PARAMETERS, Tracker, VISCOUS};
use twinstep_models::health::trend::Reservoir;

/// Reversals or strokes that make the healthy value where the configuration knows none.
const BASELINE: u32 = 8;

/// What health needs to know of an axis. Ratios are currents; the force constant turns them into forces.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct AxisHealthPlan {
    /// Scales of the movement's least squares.
    pub scales: Scales,
    /// Calibrated inertia (A s2/m), Coulomb (A, the mean of both directions), viscous friction (A s/m) and gravity (A, with half of what friction
    /// in positive direction is above that in negative).
    pub calibrated: [f64; PARAMETERS],
    /// Force per current (N/A).
    pub force_constant_n_per_a: f64,
    /// Catalogue torque constant (N m/A); 0 where the effort is a force.
    pub torque_constant_nm_per_a: f64,
    /// The meter of starts.
    pub meter: MeterParams,
    /// The meter of crossings under braking.
    pub crossing: CrossingParams,
    /// What a gain that it shows may be wrong by, relative to itself: how well the load's share of the inertia is known.
    pub crossing_error: f64,
    /// Beyond this position a press may be in its part (m).
    pub free_until_m: f64,
    /// Friction at the end of life, relative to the calibrated one (> 1).
    pub friction_limit: f64,
    /// Lost motion gained at the end of life (m).
    pub backlash_limit_m: f64,
    /// Torque constant at the end of life, relative to the catalogue's (< 1).
    pub torque_constant_limit: f64,
    /// Stiffness at the end of life, relative to the calibrated one (< 1).
    pub stiffness_limit: f64,
    /// It is a press.
    pub press: bool,
    /// It has a twin.
    pub tracked: bool,
}

impl AxisHealthPlan {
    /// Whether the gap of the axis can open, so that its load crosses it.
    fn crosses(&self) -> bool {
        self.tracked && !self.press && self.meter.observable()
    }
}

/// One cycle of an axis.
#[derive(Clone, Copy, Debug)]
pub struct HealthSample {
    /// Measured minus predicted current (A), averaged over the window; in a part behind a crank or a table without the losses of it.
    pub residual_a: f64,
    /// Contact share of the prediction (A).
    pub contact_a: f64,
    /// Position in the middle of the window (m).
    pub window_m: f64,
    /// Velocity over the window (m/s).
    pub velocity_m_per_s: f64,
    /// Acceleration over the window (m/s2).
    pub acceleration_m_per_s2: f64,
    /// Raw position (m).
    pub position_m: f64,
    /// Raw current (A).
    pub current_a: f64,
    /// Regime of the middle of the window.
    pub regime: Regime,
    /// A movement has just ended.
    pub ended: bool,
    /// The axis is warming up: its friction is not that of the others.
    pub warms: bool,
    /// Time since the start (ns).
    pub time_ns: u64,
    /// Cycle since the start.
    pub cycle: u64,
}

/// Health of one axis or press.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct AxisHealth {
    plan: AxisHealthPlan,
    movement: Movement,
    contact: ContactSums,
    lost_motion: LostMotion,
    last_window_m: Option<f64>,
    pressed: bool,
    metres: f64,
    strokes: u64,
    time_ns: u64,
    /// Hours of earlier runs; below 0: those of this run before a new baseline, which do not count.
    earlier_h: f64,
    tracker: Tracker,
    stiffness: ScalarTracker,
    before: Option<MovementFit>,
    /// Coulomb and viscous friction, torque constant, stiffness over what wears.
    trends: [Reservoir; 4],
}

impl AxisHealth {
    /// Makes this the state of `from`; the plan stays its own.
    pub(crate) fn put_back(&mut self, from: &Self) {
        let plan = self.plan;
        self.clone_from(from);
        self.plan = plan;
    }

    /// Nothing seen yet.
    pub fn new(plan: AxisHealthPlan) -> Self {
        Self {
            plan,
            movement: Movement::default(),
            contact: ContactSums::default(),
            lost_motion: LostMotion::new(),
            last_window_m: None,
            pressed: false,
            metres: 0.0,
            strokes: 0,
            time_ns: 0,
            earlier_h: 0.0,
            tracker: Tracker::default(),
            stiffness: ScalarTracker::default(),
            before: None,
            trends: [Reservoir::default(); 4],
        }
    }

    /// Follows everything from here on: what was is of the time before a repair. The limits of a life stay those of the configuration.
    pub fn renew(&mut self) {
        *self = Self {
            time_ns: self.time_ns,
            earlier_h: -(self.time_ns as f64 / 3.6e12),
            ..Self::new(self.plan)
        };
    }

    /// What wears this axis.
    const fn wear(&self) -> Wear {
        if self.plan.press {
            Wear::Strokes
        } else {
            Wear::Metres
        }
    }

    /// How much of that was used.
    fn worn(&self) -> f64 {
        self.usage().of(self.wear())
    }

    /// Hours that count, at a time of this run.
    fn hours(&self, time_ns: u64) -> f64 {
        self.earlier_h + time_ns as f64 / 3.6e12
    }

    /// Forgets the movement in progress: after a gap, or while nothing is judged.
    pub fn interrupt(&mut self) {
        self.movement.clear();
        self.contact.clear();
        self.lost_motion.interrupt();
        self.last_window_m = None;
        self.pressed = false;
    }

    /// Takes in one cycle.
    #[inline]
    pub fn cycle(&mut self, s: &HealthSample) {
        if matches!(s.regime, Regime::Standstill | Regime::Reversal)
            && let Some(way_m) = self.lost_motion.at_start(&self.plan, s)
        {
            let worn = self.worn();
            self.lost_motion.take_start(&self.plan, way_m, worn);
        }
        if self.plan.crosses()
            && let Some(gain_m) = self.lost_motion.under_braking(&self.plan, s)
        {
            let worn = self.worn();
            self.lost_motion.take_crossing(&self.plan, gain_m, worn);
        }
        if s.cycle & (EVERY - 1) == 0 {
            self.sample(s);
        }
        if s.ended {
            self.ended(s);
        }
    }

    fn sample(&mut self, s: &HealthSample) {
        if let Some(last) = self.last_window_m {
            self.metres += (s.window_m - last).abs();
        }
        self.last_window_m = Some(s.window_m);
        match s.regime {
            Regime::ConstantSpeed | Regime::Acceleration
                if !self.plan.press || s.window_m < self.plan.free_until_m =>
            {
                self.movement.push(
                    &self.plan.scales,
                    s.residual_a,
                    s.velocity_m_per_s,
                    s.acceleration_m_per_s2,
                );
            }
            Regime::Pressing if s.contact_a * s.velocity_m_per_s > 0.0 => {
                self.pressed = true;
                self.contact.push(s.contact_a, s.contact_a + s.residual_a);
            }
            _ => {}
        }
    }

    fn ended(&mut self, s: &HealthSample) {
        self.time_ns = s.time_ns;
        self.strokes += u64::from(!self.plan.press || self.pressed);
        self.pressed = false;
        let worn = self.worn();
        if let Some((ratio, sigma)) = self.contact.finish() {
            self.stiffness.push(ratio, sigma, 0.001);
            self.trends[3].push(worn, ratio, sigma);
        }
        let Some(fit) = self.movement.finish(&self.plan.scales) else {
            return;
        };
        self.lost_motion.moved(fit.direction);
        if !self.plan.tracked {
            return;
        }
        if s.warms {
            self.before = None;
            return;
        }
        self.tracker.update(&fit);
        // A movement and the one back again tell friction from gravity: independent figures for the trend.
        match self.before.take() {
            Some(before) if before.direction * fit.direction < 0.0 => {
                let (x, p) = out_and_back(&before, &fit);
                for (of, n) in [(0, COULOMB), (1, VISCOUS)] {
                    self.trends[of].push(worn, x[n], libm::sqrt(p[n][n]));
                }
                if let Some(c) =
                    common_factor(&x, &p, &self.calibrated()).filter(|c| c.factor > 0.0)
                {
                    // Relative to the catalogue's, as the reading is.
                    self.trends[2].push(worn, 1.0 / c.factor, c.sigma / (c.factor * c.factor));
                }
            }
            _ => self.before = Some(fit),
        }
    }

    /// What was used so far.
    pub fn usage(&self) -> Usage {
        Usage {
            hours: self.hours(self.time_ns),
            strokes: self.strokes,
            metres: self.metres,
        }
    }

    /// The calibrated values in scales.
    fn calibrated(&self) -> [f64; PARAMETERS] {
        let (s, c) = (&self.plan.scales, &self.plan.calibrated);
        [
            c[INERTIA] / s.inertia,
            c[COULOMB] / s.level_a,
            c[VISCOUS] / s.viscous,
            c[GRAVITY] / s.level_a,
        ]
    }
}

/// Health of everything that a pipeline runs; owned by the host.
#[derive(Debug, Default)]
pub struct HealthSlices<'a> {
    /// As long as the plan's axes.
    pub axes: &'a mut [AxisHealth],
    /// As long as the plan's stations.
    pub stations: &'a mut [StationHealth],
    /// As long as the plan's presses.
    pub presses: &'a mut [PressHealth],
}

#[cfg(test)]
mod tests;
