//! What is known of an axis' health: values with their uncertainty, trends, lives.

use super::AxisHealth;
use twinstep_models::health::life::{Life, Unknown, uncertain_life};
use twinstep_models::health::torque_constant::{CommonFactor, common_factor};
use twinstep_models::health::tracker::{COULOMB, PARAMETERS, VISCOUS};
use twinstep_models::health::trend::{Points, Trend, trend};

/// What the model may be wrong by, relative to the calibrated value: warm-up of friction, part spread.
const MODEL_ERROR: [f64; PARAMETERS] = [0.01, 0.03, 0.10, 0.02];
/// Most that a life is told with, relative to the way to its limit.
const LARGEST_ERROR: f64 = 0.5;

/// A tracked figure, in SI units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// `coulomb`, `viscous`, `torque_constant`, `backlash`, `stiffness`, `gradient`, `tare`, `leak_rate`.
    pub parameter: &'static str,
    /// Unit.
    pub unit: &'static str,
    /// Value.
    pub value: f64,
    /// Its standard deviation, model error included. Of a lost motion it is that of what was gained since it was healthy.
    pub sigma: f64,
    /// Healthy value; none where it is not known yet.
    pub healthy: Option<f64>,
    /// Value at the end of life; none where it is not known yet.
    pub limit: Option<f64>,
    /// It may be more.
    pub lower_bound: bool,
    /// Movements that were not used, because their kind had no place: of a lost motion, and of the curves of strokes.
    pub left_out: u32,
    /// Inferred, not measured.
    pub inferred: bool,
    /// What trend and life count.
    pub over: Wear,
    /// Means of equally many movements over what was used, in the unit of the value: what the trend is a line through.
    pub course: Points,
    /// Trend per metre or stroke.
    pub trend: Option<Trend>,
    /// Remaining life in metres or strokes, or why it is not known.
    pub life: Life,
}

/// What wears a thing: an axis its way, a press its strokes, a gripper its holds. Where it stands idle nothing wears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wear {
    /// Way (m).
    Metres,
    /// Strokes, or holds.
    Strokes,
}

/// What was used so far, for turning one of them into the others.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Hours.
    pub hours: f64,
    /// Movements, of a press those into a part, of a station holds.
    pub strokes: u64,
    /// Way (m).
    pub metres: f64,
}

impl Usage {
    /// What of it wears.
    pub fn of(&self, wear: Wear) -> f64 {
        match wear {
            Wear::Metres => self.metres,
            Wear::Strokes => self.strokes as f64,
        }
    }
}

impl AxisHealth {
    /// Do all currents move together?
    pub fn common(&self) -> Option<CommonFactor> {
        if self.tracker.ready() {
            common_factor(&self.tracker.x, &self.tracker.p, &self.calibrated())
        } else {
            None
        }
    }

    /// Everything that is known; none where nothing is.
    pub fn readings(&self) -> [Option<Reading>; 5] {
        let p = &self.plan;
        let mut out = [None; 5];
        let common = self.common();
        let shared = common.is_some_and(|c| c.explains());
        if p.tracked && self.tracker.ready() {
            out[0] = Some(self.ratio("coulomb", "N", COULOMB, p.scales.level_a, 0, shared));
            out[1] = Some(self.ratio("viscous", "N s/m", VISCOUS, p.scales.viscous, 1, shared));
        }
        if let Some(c) = common.filter(|_| p.torque_constant_nm_per_a > 0.0) {
            out[2] = Some(self.torque_constant(&c));
        }
        out[3] = self.backlash();
        if self.stiffness.seen > 0 {
            out[4] = Some(self.reading(
                "stiffness",
                "1",
                [self.stiffness.x, self.stiffness.sigma()],
                Some(1.0),
                Some(p.stiffness_limit),
                (3, 1.0, 0.0, 0.0),
                true,
            ));
        }
        out
    }

    /// Coulomb or viscous friction, as a force.
    fn ratio(
        &self,
        parameter: &'static str,
        unit: &'static str,
        n: usize,
        scale: f64,
        of: usize,
        shared: bool,
    ) -> Reading {
        let kf = self.plan.force_constant_n_per_a;
        let healthy = kf * self.plan.calibrated[n];
        let (own, model) = (kf * scale * self.tracker.sigma(n), MODEL_ERROR[n] * healthy);
        let value = healthy + kf * scale * self.tracker.x[n];
        let sigma = libm::sqrt(own * own + model * model);
        let limit = (healthy > 0.0).then_some(healthy * self.plan.friction_limit);
        // What the model is wrong by grows with what the friction has grown by: the limit lies nearer or farther.
        let way = self.plan.friction_limit - 1.0;
        let error = (MODEL_ERROR[n] / way).min(LARGEST_ERROR);
        let mut reading = self.reading(
            parameter,
            unit,
            [value, sigma],
            Some(healthy),
            limit,
            (of, kf * scale, healthy, error),
            false,
        );
        if shared {
            // The ratio to the torque constant has a trend, the friction has none of its own.
            reading.trend = reading.trend.map(not_its_own);
            reading.life = Err(Unknown::TorqueConstant);
        }
        reading
    }

    /// The torque constant, where all currents move together; else a change is not its own.
    fn torque_constant(&self, c: &CommonFactor) -> Reading {
        let kt = self.plan.torque_constant_nm_per_a;
        let mut reading = self.reading(
            "torque_constant",
            "N m/A",
            [kt / c.factor, kt * c.sigma / (c.factor * c.factor)],
            Some(kt),
            Some(kt * self.plan.torque_constant_limit),
            (2, kt, 0.0, 0.0),
            true,
        );
        if !c.explains() {
            reading.trend = reading.trend.map(not_its_own);
            reading.life = Err(match reading.life {
                Err(Unknown::TooFew) => Unknown::TooFew,
                _ if c.consistent => Unknown::NoTrend,
                _ => Unknown::NotTogether,
            });
        }
        reading
    }

    /// Lost motion, of starts and crossings.
    fn backlash(&self) -> Option<Reading> {
        let p = &self.plan;
        let friction = if p.tracked && self.tracker.ready() {
            self.tracker.x[COULOMB]
        } else {
            0.0
        };
        let figure = self.lost_motion.figure(p, friction)?;
        let points = figure.trend.points();
        let life = match figure.healthy_m {
            None => Err(Unknown::NoBaseline),
            Some(_) if figure.lower_bound => Err(Unknown::LowerBound),
            Some(healthy_m) => {
                let healthy = figure.trend_healthy_m;
                let limit = healthy + p.backlash_limit_m;
                match uncertain_life(&points, healthy, limit, figure.error, self.worn()) {
                    Ok(_) if figure.value_m - healthy_m < 2.0 * figure.sigma_m => {
                        Err(Unknown::NoTrend)
                    }
                    life => life,
                }
            }
        };
        let healthy_m = figure.healthy_m.unwrap_or(figure.trend_healthy_m);
        Some(Reading {
            parameter: "backlash",
            unit: "m",
            value: figure.value_m,
            sigma: figure.sigma_m,
            healthy: figure.healthy_m,
            limit: figure.healthy_m.map(|m| m + p.backlash_limit_m),
            lower_bound: figure.lower_bound,
            left_out: figure.left_out,
            inferred: true,
            over: self.wear(),
            course: told(points, 1.0, healthy_m - figure.trend_healthy_m),
            trend: trend(&points),
            life,
        })
    }

    /// `of`: which reservoir, how its values become those of the reading, factor and offset, and what all of them may be wrong by together,
    /// relative to the way from healthy (0 to 0.5).
    #[expect(
        clippy::too_many_arguments,
        reason = "a reading has this many fields and is built in one place"
    )]
    fn reading(
        &self,
        parameter: &'static str,
        unit: &'static str,
        [value, sigma]: [f64; 2],
        healthy: Option<f64>,
        limit: Option<f64>,
        (of, factor, offset, error): (usize, f64, f64, f64),
        inferred: bool,
    ) -> Reading {
        let points = self.trends[of].points();
        let trend = trend(&points).map(|t| Trend {
            slope: factor * t.slope,
            sigma: factor * t.sigma,
            significant: t.significant,
        });
        let life = match (healthy, limit) {
            (Some(healthy), Some(limit)) => uncertain_life(
                &points,
                (healthy - offset) / factor,
                (limit - offset) / factor,
                error,
                self.worn(),
            ),
            _ => Err(Unknown::NoBaseline),
        };
        Reading {
            parameter,
            unit,
            value,
            sigma,
            healthy,
            limit,
            lower_bound: false,
            left_out: 0,
            inferred,
            over: self.wear(),
            course: told(points, factor, offset),
            trend,
            life,
        }
    }
}

/// Points in the unit of a reading.
fn told(mut points: Points, factor: f64, offset: f64) -> Points {
    for value in points.value.iter_mut().take(points.count) {
        *value = offset + factor * *value;
    }
    points
}

/// A trend that something else makes.
fn not_its_own(t: Trend) -> Trend {
    Trend {
        significant: false,
        ..t
    }
}
