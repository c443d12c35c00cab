//! The leak rate of a hold while it lasts: what it is, how well it is known, and whether the circuit is sound.
//!
//! # Derivation
//! While nothing but the leak acts, `ln |u|` with `u = (p - pa) / (p + pa)` falls on a straight line of slope `-2 c pa`, on both
//! sides of the ambient pressure (see [`super`]). A line is fitted to it (see [`Line`]); a reading of constant variance has the
//! weight `(dp / dln|u|)^2 = ((p^2 - pa^2) / 2 pa)^2` there. The slope times `-|pa^2 - pr^2| / 2 pa` is the rate at the circuit's
//! own final pressure pr, whatever pressure is left.
//!
//! Samples are averaged over blocks of [`BLOCK_S`] first: a sensor's filter and a converter's dither are over then, and the
//! price does not grow with the rate of the cycle. Two lines are kept: one through the last second, which sees a leak soon after
//! it opens, and one through the whole hold, which sees a small one. The noise of a block is learnt from second differences,
//! `(m - 2 m' + m'')^2 / 6`, which no leak moves, over many holds.
//!
//! A circuit is **leaky** once a rate stands above the healthy one by as many standard errors as the asked-for interval between
//! false alarms needs, and above the limit by [`BEYOND`] after a step of the converter was taken off: a converter that sticks
//! moves by a whole step q at once, and a step in the middle of a time T has the slope 1.5 q / T. A circuit is **sound** once [`SOUND_S`] have passed and the rate of the whole
//! hold lies below the limit by [`WITHIN`]. Until then it is not yet known. A circuit with less than 5 % of its pressure
//! left has nothing to leak: such blocks say nothing.

use super::line::Line;
use super::{AMBIENT_PA, VacuumParams};

/// Shortest time that readings are averaged over (s).
pub const BLOCK_S: f64 = 0.05;
/// Time that the short line reaches back (s), where that is 9 blocks or more.
pub const WINDOW_S: f64 = 1.0;
/// Blocks in the short line.
pub const WINDOW_MAX: usize = 20;
/// Least blocks in the short line.
pub const WINDOW_MIN: usize = 9;
/// Least blocks in the line through a whole hold.
const HOLD_MIN: u32 = 4;
/// Time from which on a circuit may be called sound: a leak that opens late must have had the time to show (s).
pub const SOUND_S: f64 = 8.0;
/// Standard errors by which a leak stands above the limit, a step of the converter taken off.
const BEYOND: f64 = 1.0;
/// Standard errors by which a sound circuit stays below the limit.
const WITHIN: f64 = 3.0;
/// Share of the final vacuum or pressure below which nothing can be said.
const LEAST_SHARE: f64 = 0.05;
/// Second differences behind a configured noise, and the most that are remembered.
const NOISE_PRIOR: f64 = 20.0;
const NOISE_MEMORY: f64 = 200.0;
/// Second differences that count as known beside a line's own residuals.
const NOISE_KNOWN: f64 = 50.0;

/// A leak rate at the circuit's final pressure: positive towards the ambient pressure.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LeakRate {
    /// Rate (Pa/s).
    pub rate_pa_per_s: f64,
    /// Its standard error (Pa/s).
    pub sigma_pa_per_s: f64,
}

/// What is known of a circuit.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[repr(u8)]
pub enum Verdict {
    /// Not enough data, or no limit to judge by.
    #[default]
    NotYetKnown = 0,
    /// Leaks less than the limit.
    Sound = 1,
    /// Leaks more than the limit.
    Leaky = 2,
}

impl Verdict {
    /// The stable word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotYetKnown => "not_yet_known",
            Self::Sound => "sound",
            Self::Leaky => "leaky",
        }
    }
}

/// One block as a point of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
struct Point {
    t: f64,
    y: f64,
    w: f64,
}

/// State of one hold, and the noise that was learnt over all of them.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LeakMeter {
    cycles: u32,
    sum_pa: f64,
    in_block: u32,
    hold: Line,
    ring: [Point; WINDOW_MAX],
    points: u32,
    means: [f64; 2],
    noise: f64,
    noise_weight: f64,
    window: Option<LeakRate>,
    verdict: Verdict,
}

impl Default for LeakMeter {
    fn default() -> Self {
        Self {
            cycles: 0,
            sum_pa: 0.0,
            in_block: 0,
            hold: Line::default(),
            ring: [Point::default(); WINDOW_MAX],
            points: 0,
            means: [0.0; 2],
            noise: 0.0,
            noise_weight: 0.0,
            window: None,
            verdict: Verdict::NotYetKnown,
        }
    }
}

impl LeakMeter {
    /// Begins a new hold; what was learnt of the noise stays.
    pub fn restart(&mut self) {
        *self = Self {
            noise: self.noise,
            noise_weight: self.noise_weight,
            ..Self::default()
        };
    }

    /// A cycle without a sample.
    pub fn coast(&mut self) {
        self.cycles = self.cycles.saturating_add(1);
    }

    /// Takes in one sample. True when a block was completed and the figures are new.
    pub fn push(&mut self, p: &VacuumParams, measured_pa: f64) -> bool {
        self.cycles = self.cycles.saturating_add(1);
        self.sum_pa += measured_pa;
        self.in_block += 1;
        if self.in_block < p.block_cycles {
            return false;
        }
        let mean_pa = self.sum_pa / f64::from(self.in_block);
        // The middle of the block, as long as nothing was missing in it; blocks are short.
        let t = (f64::from(self.cycles) - 0.5 * f64::from(self.in_block)) * p.period_s;
        (self.sum_pa, self.in_block) = (0.0, 0);
        self.point(p, t, mean_pa);
        true
    }

    fn point(&mut self, p: &VacuumParams, t: f64, mean_pa: f64) {
        let share = (mean_pa - AMBIENT_PA) / p.span_pa;
        if !(share > LEAST_SHARE && mean_pa >= 0.0) {
            self.window = None;
            return;
        }
        if self.noise_weight == 0.0 && p.noise_pa2 > 0.0 {
            (self.noise, self.noise_weight) = (p.noise_pa2 * NOISE_PRIOR, NOISE_PRIOR);
        }
        if self.points >= 2 {
            let second = mean_pa - 2.0 * self.means[1] + self.means[0];
            if self.noise_weight >= NOISE_MEMORY {
                self.noise -= self.noise / self.noise_weight;
                self.noise_weight -= 1.0;
            }
            self.noise += second * second / 6.0;
            self.noise_weight += 1.0;
        }
        self.means = [self.means[1], mean_pa];
        let u = (mean_pa - AMBIENT_PA) / (mean_pa + AMBIENT_PA);
        let per_y = (mean_pa * mean_pa - AMBIENT_PA * AMBIENT_PA) / (2.0 * AMBIENT_PA);
        let point = Point {
            t,
            y: libm::log(if u < 0.0 { -u } else { u }),
            w: per_y * per_y,
        };
        self.hold.push(point.t, point.y, point.w);
        let place = self.points as usize % WINDOW_MAX;
        if let Some(place) = self.ring.get_mut(place) {
            *place = point;
        }
        self.points = self.points.saturating_add(1);
        self.window = self.last_second(p);
        self.judge(p);
    }

    fn last_second(&self, p: &VacuumParams) -> Option<LeakRate> {
        let count = (self.points as usize).min(p.window_points);
        if count < WINDOW_MIN {
            return None;
        }
        let mut line = Line::default();
        for back in (1..=count).rev() {
            let point = self.ring.get((self.points as usize - back) % WINDOW_MAX)?;
            line.push(point.t, point.y, point.w);
        }
        self.rate(p, &line)
    }

    fn rate(&self, p: &VacuumParams, line: &Line) -> Option<LeakRate> {
        let (noise, weight) = if self.noise_weight > 0.0 {
            let known = if self.noise_weight < NOISE_KNOWN {
                self.noise_weight
            } else {
                NOISE_KNOWN
            };
            (self.noise / self.noise_weight, known)
        } else {
            (0.0, 0.0)
        };
        let (slope, sigma) = line.slope(p.floor_pa2, (noise, weight))?;
        Some(LeakRate {
            rate_pa_per_s: -slope * p.rate_per_slope,
            sigma_pa_per_s: sigma * p.rate_per_slope,
        })
    }

    fn judge(&mut self, p: &VacuumParams) {
        let Some(limit) = p.leak_limit_pa_per_s else {
            return;
        };
        let hold = self.hold_rate(p);
        let leaky = |r: LeakRate, over_s: f64| {
            let stuck = 1.5 * p.resolution_pa / over_s;
            let sigma = libm::hypot(r.sigma_pa_per_s, p.leak_sigma_pa_per_s);
            r.rate_pa_per_s - p.leak_pa_per_s > p.alarm_sigma * sigma
                && r.rate_pa_per_s - BEYOND * r.sigma_pa_per_s - stuck > limit
        };
        let block_s = f64::from(p.block_cycles) * p.period_s;
        let in_window = (self.points as usize).min(p.window_points) as f64;
        let in_hold = self.hold.points() as usize >= WINDOW_MIN;
        if self.window.is_some_and(|r| leaky(r, in_window * block_s))
            || hold.is_some_and(|r| in_hold && leaky(r, self.held_s(p)))
        {
            self.verdict = Verdict::Leaky;
        } else if self.verdict == Verdict::NotYetKnown
            && self.held_s(p) >= SOUND_S
            && self.is_sound(p, limit)
        {
            self.verdict = Verdict::Sound;
        }
    }

    fn is_sound(&self, p: &VacuumParams, limit: f64) -> bool {
        self.hold_rate(p).is_some_and(|r| {
            let sigma = libm::hypot(r.sigma_pa_per_s, p.leak_sigma_pa_per_s);
            r.rate_pa_per_s + WITHIN * sigma < limit
        })
    }

    /// Rate of the hold so far, over at least 4 blocks of it.
    pub fn hold_rate(&self, p: &VacuumParams) -> Option<LeakRate> {
        if self.hold.points() < HOLD_MIN {
            return None;
        }
        self.rate(p, &self.hold)
    }

    /// Rate of the last second of the hold.
    pub fn window_rate(&self) -> Option<LeakRate> {
        self.window
    }

    /// What is known so far.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// What is known when the hold ends here: a short one may be called sound too.
    pub fn final_verdict(&self, p: &VacuumParams) -> Verdict {
        match (self.verdict, p.leak_limit_pa_per_s) {
            (Verdict::NotYetKnown, Some(limit)) if self.is_sound(p, limit) => Verdict::Sound,
            (verdict, _) => verdict,
        }
    }

    /// Time since the hold was settled (s).
    pub fn held_s(&self, p: &VacuumParams) -> f64 {
        f64::from(self.cycles) * p.period_s
    }
}

/// Standard deviations that a standard normal exceeds once in `tests` tests, 2 to 8.
///
/// For thresholds that follow from an asked-for interval between false alarms; solved by bisection.
pub fn alarm_sigma(tests: f64) -> f64 {
    let (mut low, mut high) = (2.0, 8.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if 0.5 * libm::erfc(middle * core::f64::consts::FRAC_1_SQRT_2) * tests > 1.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}
