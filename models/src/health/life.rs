//! Remaining useful life: when does the value reach its limit, with a 90 % interval, or why that is not known yet.
//!
//! # Derivation
//! Wear goes on evenly, feeds itself, or begins some time after the record did. With u the usage, scaled to 0 at the first and 1 at the
//! latest bin,
//!
//! ```text
//! y(u) = a + b f(u),   f(u) = (exp(k u) - 1) / (exp(k) - 1),   k = -1.5 (slowing down), 0 (linear, f = u) to 6 (exponential)
//!                 or   f(u) = max(0, u - c) / (1 - c),         c = 0.025 to 0.85
//! ```
//!
//! For each f of a list a and b are a weighted straight line over f, with covariance. The weight of f is its prior times
//! `exp(-left / 2 s^2)`. Without the second kind what was even for long and then rises looks like wear that feeds itself: of a ramp that began
//! a third into the record not half of what was left was told. At a usage u the line is normal with mean m and variance v, and with it the
//! chance that the limit L lies behind,
//!
//! ```text
//! P(life < u - 1) = sum of weight_k Phi((m_k(u) - L) / sqrt(v_k(u)))
//! ```
//!
//! The interval is the 5 %, 50 % and 95 % of that, by bisection: no random numbers, the same bits everywhere. A small number of bins
//! widens v, more than a Student t would, because no line of the list is the one that the wear follows.
//!
//! A life is told only if the trend is significant, straight (4 standard deviations) or from the best c on (6: it was chosen), leads towards
//! the limit, has already used up a share of the way, and the upper
//! end of the interval lies within ten times of what was seen. Otherwise the reason is told.

use super::trend::{LEAST_BINS, Line, Points, trend};

/// Number of shapes that grow.
const GROWING: usize = 61;
/// Number of shapes that begin late.
const LATE: usize = 34;
/// Number of all shapes.
const SHAPES: usize = GROWING + LATE;
/// Growth of the first shape: it slows down a little, else noise could bend a straight line to one side only.
const FIRST_GROWTH: f64 = -1.5;
/// Prior of even wear over that of the shapes beside it.
const EVEN: f64 = 25.0;
/// Growth from shape to shape: fine against what good data can tell apart.
const GROWTH_STEP: f64 = 0.125;

/// How far into the record a shape begins that begins last: behind it six bins of forty tell its slope.
const LAST_BEGIN: f64 = 0.85;
/// Prior of a shape that begins late: all of them together some eight times as likely as one that grows.
const LATE_PRIOR: f64 = 0.25;
/// Standard deviations that the slope behind the best begin must stand out by: as often by chance as the four of a straight line.
const LATE_SIGNIFICANT: f64 = 6.0;

/// How wear goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    /// Exponentially with this growth (1, 0: evenly), from the first bin on.
    Grows(f64),
    /// Evenly, from this share of the record on (1, 0 to below 1).
    Begins(f64),
}

impl Shape {
    /// Shape `n` and its prior: even wear [`EVEN`] times as likely as any other one that grows, and those less likely the more they bend.
    fn and_prior(n: usize) -> (Self, f64) {
        if n >= GROWING {
            let share = (n - GROWING + 1) as f64 / LATE as f64;
            return (Self::Begins(LAST_BEGIN * share), LATE_PRIOR);
        }
        let k = FIRST_GROWTH + GROWTH_STEP * n as f64;
        let prior = 1.0 / (1.0 + k.abs() / 4.0);
        (Self::Grows(k), if k == 0.0 { EVEN * prior } else { prior })
    }

    /// Its value at `u`: 0 at the start, 1 at the latest bin.
    fn at(self, u: f64) -> f64 {
        match self {
            Self::Grows(k) => grown(k, u),
            Self::Begins(c) => (u - c).max(0.0) / (1.0 - c),
        }
    }
}

/// Share of the way from the healthy value to the limit that must have been seen to go.
const MATERIAL: f64 = 0.1;
/// How far ahead is believed, in spans of what was seen.
const HORIZON: f64 = 10.0;
/// Standard deviations of a normal figure that 90 % lie within.
const NINETY: f64 = 1.645;
/// Quantiles that are told.
pub const QUANTILES: [f64; 3] = [0.05, 0.5, 0.95];

/// Why a life is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// Not enough was seen.
    TooFew,
    /// No trend stands out of its error.
    NoTrend,
    /// The value moves away from its limit.
    AwayFromLimit,
    /// The trend has not used up a tenth of the way to the limit.
    TooSmall,
    /// The interval reaches beyond ten times of what was seen.
    TooFar,
    /// All currents change together: it is the torque constant or the current sensor.
    TorqueConstant,
    /// Some currents change and others do not: no common factor, so no change of the torque constant can be seen.
    NotTogether,
    /// Gravity keeps the gap closed.
    NotObservable,
    /// The value may be more than it is told: starts at reversals show a part of the gap.
    LowerBound,
    /// The healthy value is not known.
    NoBaseline,
    /// Nobody says at which value its life ends.
    NoLimit,
}

impl Unknown {
    /// The reason in words, stable.
    pub const fn text(self) -> &'static str {
        match self {
            Self::TooFew => "too few movements yet",
            Self::NoTrend => "no trend stands out of its error",
            Self::AwayFromLimit => "the value moves away from its limit",
            Self::TooSmall => "the trend has not used up a tenth of the way to the limit",
            Self::TooFar => "the interval reaches beyond ten times of what was seen",
            Self::TorqueConstant => "all currents change together: see the torque constant",
            Self::NotTogether => "the currents do not change together: something else has changed",
            Self::NotObservable => "gravity keeps the gap closed",
            Self::LowerBound => "the value is a lower bound yet",
            Self::NoBaseline => "the healthy value is not known",
            Self::NoLimit => "no limit is set for it",
        }
    }
}

/// Remaining useful life in usage: lower end, middle and upper end of the 90 % interval.
pub type Life = Result<[f64; 3], Unknown>;

/// Life until `limit` is reached from `healthy`, counted from `now`.
///
/// # Errors
/// Why it is not known yet.
pub fn life(points: &Points, healthy: f64, limit: f64, now: f64) -> Life {
    life_beyond(points, healthy, limit, MATERIAL, now)
}

/// [`life`] of a trend that has used up more than the share `material` of the way.
fn life_beyond(points: &Points, healthy: f64, limit: f64, material: f64, now: f64) -> Life {
    if points.count < LEAST_BINS {
        return Err(Unknown::TooFew);
    }
    let t = trend(points).ok_or(Unknown::TooFew)?;
    let span = points.span();
    let moved = if t.significant {
        t.slope * span
    } else {
        begun(points).ok_or(Unknown::NoTrend)?
    };
    let way = limit - healthy;
    if moved * way <= 0.0 {
        return Err(Unknown::AwayFromLimit);
    }
    let gone = moved / way;
    if gone.is_nan() || gone <= material {
        return Err(Unknown::TooSmall);
    }
    let mixture = Mixture::new(points, limit, if way > 0.0 { 1.0 } else { -1.0 });
    let start = points.usage[0];
    let here = (now - start) / span;
    let mut out = [0.0; 3];
    for (out, q) in out.iter_mut().zip(QUANTILES) {
        let at = mixture.quantile(q, here).ok_or(Unknown::TooFar)?;
        *out = (at - here) * span;
    }
    Ok(out)
}

/// How far the value has moved from where it began to on, where it stands out of its error; the begin is the one that leaves least.
fn begun(points: &Points) -> Option<f64> {
    let (start, span) = (points.usage[0], points.span());
    let mut best: Option<Line> = None;
    for n in GROWING..SHAPES {
        let (shape, _) = Shape::and_prior(n);
        let line = points.fit(|u| shape.at((u - start) / span));
        if let Some(line) = line
            && best.is_none_or(|best| line.left < best.left)
        {
            best = Some(line);
        }
    }
    let best = best?;
    let sigma = libm::sqrt(best.covariance[2]);
    (best.slope.abs() > LATE_SIGNIFICANT * sigma).then_some(best.slope)
}

/// As [`life`] where all values may be wrong by one factor, with the standard deviation `error` (relative, 0 to 0.5): the limit then
/// lies nearer or farther.
///
/// # Errors
/// Why it is not known yet.
pub fn uncertain_life(points: &Points, healthy: f64, limit: f64, error: f64, now: f64) -> Life {
    let [low, middle, high] = life(points, healthy, limit, now)?;
    let ninety = NINETY * error;
    // Whether enough of the way was used up is asked of the limit itself.
    let at = |factor: f64| {
        let limit = healthy + factor * (limit - healthy);
        life_beyond(points, healthy, limit, 0.0, now)
    };
    let [_, near, _] = at(1.0 - ninety)?;
    let [_, far, _] = at(1.0 + ninety)?;
    Ok([
        (middle - libm::hypot(middle - low, middle - near)).max(0.0),
        middle,
        middle + libm::hypot(high - middle, far - middle),
    ])
}

/// The lines of all shapes with their weights.
struct Mixture {
    lines: [Option<(Shape, f64, Line)>; SHAPES],
    limit: f64,
    direction: f64,
    widen: f64,
}

impl Mixture {
    fn new(points: &Points, limit: f64, direction: f64) -> Self {
        let (start, span) = (points.usage[0], points.span());
        let mut lines = [None; SHAPES];
        // What is left and its correlation, of the shape that fits best.
        let mut best = (f64::INFINITY, 1.0);
        for (n, slot) in lines.iter_mut().enumerate() {
            let (shape, prior) = Shape::and_prior(n);
            *slot = points
                .fit(|u| shape.at((u - start) / span))
                .map(|line| (shape, prior, line));
            if let Some((_, _, line)) = slot
                && line.left < best.0
            {
                best = (line.left, line.correlation);
            }
        }
        let freedom = points.count as f64 - 2.0;
        let (least, correlation) = best;
        let variance = (correlation * least / freedom).max(1e-300);
        let mut sum = 0.0;
        for (_, weight, line) in lines.iter_mut().flatten() {
            *weight *= libm::exp(-0.5 * (line.left - least) / variance);
            sum += *weight;
        }
        for (_, weight, _) in lines.iter_mut().flatten() {
            *weight /= sum;
        }
        Self {
            lines,
            limit,
            direction,
            widen: 1.0 + 8.0 / freedom,
        }
    }

    /// Chance that the limit lies at or before `u`.
    fn reached(&self, u: f64) -> f64 {
        let mut sum = 0.0;
        for (shape, weight, line) in self.lines.iter().flatten() {
            if *weight < 1e-6 {
                continue;
            }
            let f = shape.at(u);
            let mean = line.offset + line.slope * f;
            let [aa, ab, bb] = line.covariance;
            let variance = self.widen * (aa + 2.0 * f * ab + f * f * bb);
            let z = self.direction * (mean - self.limit) / libm::sqrt(variance.max(1e-300));
            sum += weight * 0.5 * libm::erfc(-z * core::f64::consts::FRAC_1_SQRT_2);
        }
        sum
    }

    /// Where the chance reaches `q`, not before `here`; none beyond the horizon.
    fn quantile(&self, q: f64, here: f64) -> Option<f64> {
        let (mut low, mut high) = (here, here + HORIZON);
        if self.reached(low) >= q {
            return Some(here);
        }
        let at_most = self.reached(high);
        if at_most.is_nan() || at_most < q {
            return None;
        }
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if self.reached(middle) < q {
                low = middle;
            } else {
                high = middle;
            }
        }
        Some(high)
    }
}

/// Wear with growth `k` at `u` (0 at the start, 1 at the latest bin).
fn grown(k: f64, u: f64) -> f64 {
    if k == 0.0 {
        u
    } else {
        libm::expm1((k * u).min(600.0)) / libm::expm1(k)
    }
}

#[cfg(test)]
#[path = "life_ramps_tests.rs"]
mod ramps;

#[cfg(test)]
mod tests {
    use super::super::trend::Reservoir;
    use super::super::trend::tests::normal;
    use super::*;

    /// A degradation from 1 towards 1.5, linear or exponential, seen until a share of its life; usage in hours.
    fn degrade(growth: f64, end_h: f64, seen: f64, noise: f64, seed: u64) -> (Points, f64) {
        let (mut r, mut seed) = (Reservoir::default(), seed);
        let count = 400;
        let until = seen * end_h;
        for n in 0..count {
            let u = until * f64::from(n) / f64::from(count - 1);
            let y = 1.0 + 0.5 * grown(growth, u / end_h);
            r.push(u, y + noise * normal(&mut seed), noise);
        }
        (r.points(), until)
    }

    #[test]
    fn the_interval_covers_what_it_says() {
        let (mut known, mut inside, mut low, mut high) = (0, 0, 0, 0);
        let mut seed = 77;
        for case in 0..900 {
            let growth = [0.0, 0.0, 1.5, 3.0][case % 4];
            let seen = 0.3 + 0.1 * (case % 5) as f64;
            let end_h = 100.0 + 30.0 * normal(&mut seed).abs();
            let noise = [0.02, 0.05, 0.1][case % 3];
            let (points, now) = degrade(growth, end_h, seen, noise, seed);
            let Ok([a, _, b]) = life(&points, 1.0, 1.5, now) else {
                continue;
            };
            known += 1;
            let left = end_h - now;
            low += usize::from(left < a);
            high += usize::from(left > b);
            inside += usize::from(left >= a && left <= b);
        }
        let share = inside as f64 / known as f64;
        println!("{known} known, {inside} inside ({share:.3}), {low} ended sooner, {high} later");
        assert!(known >= 500, "{known} known");
        assert!(
            (0.86..=0.96).contains(&share),
            "{inside} of {known}, {low} sooner, {high} later"
        );
    }

    #[test]
    fn a_life_is_not_known_without_reason_to() {
        let (flat, now) = degrade(0.0, 1e9, 1e-7, 0.05, 3);
        assert_eq!(life(&flat, 1.0, 1.5, now), Err(Unknown::NoTrend));
        assert_eq!(
            life(&Reservoir::default().points(), 1.0, 1.5, 0.0),
            Err(Unknown::TooFew)
        );
        let (falling, now) = degrade(0.0, 100.0, 0.5, 0.01, 3);
        assert_eq!(life(&falling, 1.0, 0.5, now), Err(Unknown::AwayFromLimit));
        let (small, now) = degrade(0.0, 100.0, 0.06, 0.001, 3);
        assert_eq!(life(&small, 1.0, 1.5, now), Err(Unknown::TooSmall));
        let (far, now) = degrade(0.0, 100.0, 0.5, 0.01, 3);
        assert_eq!(life(&far, 1.0, 11.0, now), Err(Unknown::TooSmall));
    }

    #[test]
    fn a_factor_that_is_not_known_widens_the_interval() {
        let (points, now) = degrade(0.0, 100.0, 0.7, 0.01, 5);
        let [low, middle, high] = life(&points, 1.0, 1.5, now).expect("known");
        assert_eq!(
            uncertain_life(&points, 1.0, 1.5, 0.0, now),
            Ok([low, middle, high])
        );
        let [near, same, far] = uncertain_life(&points, 1.0, 1.5, 0.1, now).expect("known");
        assert_eq!(middle, same);
        // Of 100 h 16 % are 16 h.
        assert!((middle - near - 16.5).abs() < 2.0, "{near} {middle}");
        assert!((far - middle - 16.5).abs() < 3.0, "{middle} {far}");
        assert!(near < low && far > high);
    }

    #[test]
    fn past_the_limit_nothing_is_left() {
        let (points, now) = degrade(0.0, 100.0, 1.3, 0.01, 5);
        assert_eq!(life(&points, 1.0, 1.5, now), Ok([0.0; 3]));
    }

    #[test]
    fn the_middle_is_near_the_truth_where_the_data_is_good() {
        for growth in [0.0, 3.0] {
            let (points, now) = degrade(growth, 100.0, 0.85, 0.005, 11);
            let [a, m, b] = life(&points, 1.0, 1.5, now).expect("known");
            assert!(
                (m - 15.0).abs() < 1.5 && a <= m && m <= b,
                "{growth}: {a} {m} {b}"
            );
        }
    }
}
