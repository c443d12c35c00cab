//! Health of a press by the curves of its strokes: for a press without a twin, of which nothing else is known.
//!
//! # What a stroke says
//! The **gradient** of its rise, from 20 to 80 % of its peak, is the stiffness of press and part together: part, frame and drive are
//! springs in series, and one that gives way lowers it. The **tare** is the mean force on the free way in: friction, and what the
//! counterbalance does not carry. Both depend on the part and on how it is met, so each is followed for each part in each
//! recipe by itself, from its own healthy value, over all strokes of the press.
//!
//! | stroke | counts as used | gradient | tare |
//! |---|---|---|---|
//! | OK, a part was met | stroke and way | taken | taken, if there is one |
//! | NOK, a part was met | stroke and way | left out: a wrong part is no wear | taken, if there is one |
//! | no part was met | way | there is none | taken, if there is one |
//! | part or recipe not told | nothing | | |
//!
//! A tare beyond its limit, or of too few samples, is none: a part that is met too early is no friction. Another part or recipe has
//! figures of its own, and those of the one before wait until it comes again. There are places for [`KINDS`] of them, for those that came
//! first; strokes of others are counted as used, and as left out.

use super::{BASELINE, Reading, Usage, Wear};
use crate::press::StrokeRecord;
use twinstep_models::health::life::{Life, Unknown, uncertain_life};
use twinstep_models::health::scalar::ScalarTracker;
use twinstep_models::health::scatter::Scatter;
use twinstep_models::health::trend::{Reservoir, trend};
use twinstep_models::press::tare::Tare;
use twinstep_models::sample::Context;

/// Parts, each in its recipe, that are followed.
pub const KINDS: usize = 16;
/// Standard deviation of a gradient until several have shown how much they scatter, relative to the first one: from part to part.
const EXPECTED_GRADIENT: f64 = 0.01;
/// The same of a tare, relative to the force of contact, which stands out of the noise.
const EXPECTED_TARE: f64 = 0.05;
/// What a figure may change by from stroke to stroke, relative to the scatter of one.
const WALK: f64 = 0.1;
/// Most that a life is told with, relative to the way to its limit.
const LARGEST_ERROR: f64 = 0.5;

/// What is followed of a press, and where its life ends.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PressHealthPlan {
    /// Its axis in the plan.
    pub axis: u16,
    /// It is followed; else its strokes are not looked at.
    pub tracked: bool,
    /// The force is told from a current, not measured.
    pub inferred: bool,
    /// Where its strokes begin, in the direction of the way in (m).
    pub begin_m: f64,
    /// Force from which on it has met a part (N, > 0).
    pub contact_n: f64,
    /// Changes with all that the figures depend on: where the force comes from, what stands between motor and ram, where the tare is taken.
    pub measures: u64,
    /// Gradient at the end of life, relative to the healthy one (0.1 to 0.99); none: nobody says.
    pub gradient_limit: Option<f64>,
    /// Tare at the end of life (N, > 0); none: nobody says.
    pub tare_limit_n: Option<f64>,
}

impl PressHealthPlan {
    /// That of no press.
    const NONE: Self = Self {
        axis: 0,
        tracked: false,
        inferred: false,
        begin_m: 0.0,
        contact_n: 1.0,
        measures: 0,
        gradient_limit: None,
        tare_limit_n: None,
    };

    /// Whether what was tracked under `other` means the same under this plan: all agrees but its number and the limits of lives.
    fn measures_as(&self, other: &Self) -> bool {
        *self
            == Self {
                axis: self.axis,
                gradient_limit: self.gradient_limit,
                tare_limit_n: self.tare_limit_n,
                ..*other
            }
    }
}

/// One figure of the strokes with one part in one recipe.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Figure {
    now: ScalarTracker,
    /// Of the first strokes.
    healthy: ScalarTracker,
    scatter: Scatter,
    /// Over strokes of the press.
    trend: Reservoir,
}

impl Figure {
    /// Nothing seen yet; `sigma` (> 0) is what a stroke is expected to scatter by.
    fn new(sigma: f64) -> Self {
        Self {
            now: ScalarTracker::default(),
            healthy: ScalarTracker::default(),
            scatter: Scatter::new(sigma),
            trend: Reservoir::default(),
        }
    }

    fn push(&mut self, value: f64, worn: f64) {
        if self.now.seen > 0 {
            self.scatter.take(value - self.now.x, self.now.p);
        }
        let sigma = self.scatter.sigma();
        self.now.push(value, sigma, WALK * sigma);
        if self.healthy.seen < BASELINE {
            self.healthy.push(value, sigma, 0.0);
        }
        self.trend.push(worn, value, sigma);
    }

    /// The healthy value; none where it is not known yet.
    fn healthy(&self) -> Option<f64> {
        (self.healthy.seen >= BASELINE).then_some(self.healthy.x)
    }
}

/// What the strokes with one part in one recipe say.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Kind {
    #[serde(with = "of_press")]
    context: Context,
    gradient: Option<Figure>,
    tare: Option<Figure>,
}

/// Health of one press by its strokes.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PressHealth {
    plan: PressHealthPlan,
    kinds: [Option<Kind>; KINDS],
    /// Strokes whose part and recipe had no place.
    left_out: u32,
    strokes: u64,
    metres: f64,
    time_ns: u64,
    /// Hours of earlier runs; below 0: those of this run before a new baseline, which do not count.
    earlier_h: f64,
}

impl PressHealth {
    /// Nothing seen yet.
    pub const fn new(plan: PressHealthPlan) -> Self {
        Self {
            plan,
            kinds: [const { None }; KINDS],
            left_out: 0,
            strokes: 0,
            metres: 0.0,
            time_ns: 0,
            earlier_h: 0.0,
        }
    }

    /// Room for a copy of that of some press.
    pub const fn room() -> Self {
        Self::new(PressHealthPlan::NONE)
    }

    /// Whether it is followed.
    pub const fn is_tracked(&self) -> bool {
        self.plan.tracked
    }

    /// Its axis in the plan.
    pub const fn axis(&self) -> u16 {
        self.plan.axis
    }

    /// Makes this the state of `from`; the plan stays its own.
    pub(crate) fn put_back(&mut self, from: &Self) {
        let plan = self.plan;
        self.copy_from(from);
        self.plan = plan;
    }

    /// Makes step `n` of a copy of `from`, from 0 on: one part in its recipe, and all the rest with the last. Whether that was the last.
    pub fn copy_step(&mut self, from: &Self, n: usize) -> bool {
        if let (Some(to), Some(from)) = (self.kinds.get_mut(n), from.kinds.get(n)) {
            to.clone_from(from);
            return false;
        }
        self.copy_counts(from);
        true
    }

    /// Makes this a copy of `from`, which costs as much as there are parts and recipes in it.
    pub(crate) fn copy_from(&mut self, from: &Self) {
        for (to, from) in self.kinds.iter_mut().zip(&from.kinds) {
            to.clone_from(from);
        }
        self.copy_counts(from);
    }

    /// Copies all but what is known of parts.
    fn copy_counts(&mut self, from: &Self) {
        let Self {
            plan,
            kinds: _,
            left_out,
            strokes,
            metres,
            time_ns,
            earlier_h,
        } = from;
        (self.plan, self.left_out, self.strokes) = (*plan, *left_out, *strokes);
        (self.metres, self.time_ns, self.earlier_h) = (*metres, *time_ns, *earlier_h);
    }

    /// Follows everything from here on: what was is of the time before a repair. The limits of a life stay those of the configuration.
    pub fn renew(&mut self) {
        *self = Self {
            time_ns: self.time_ns,
            earlier_h: -(self.time_ns as f64 / 3.6e12),
            ..Self::new(self.plan)
        };
    }

    /// Goes on from `from`, which an earlier run left after `time_ns` of its time. `now` says which part and recipe of this machine those of
    /// then are; what is none of them any more is forgotten. The limits of lives stay those of this plan. False, and nothing happens,
    /// where the other was tracked under a plan that measures something else.
    pub fn resume(
        &mut self,
        from: &Self,
        time_ns: u64,
        now: impl Fn(Context) -> Option<Context>,
    ) -> bool {
        if !self.plan.measures_as(&from.plan) {
            return false;
        }
        *self = Self {
            left_out: from.left_out,
            strokes: from.strokes,
            metres: from.metres,
            earlier_h: from.hours(time_ns),
            ..Self::new(self.plan)
        };
        let known = from.kinds.iter().flatten();
        let known = known.filter_map(|kind| Some((kind, now(kind.context)?)));
        for (place, (kind, context)) in self.kinds.iter_mut().zip(known) {
            *place = Some(Kind {
                context,
                ..kind.clone()
            });
        }
        true
    }

    /// Parts and recipes that something is known of.
    pub fn contexts(&self) -> impl Iterator<Item = Context> {
        self.kinds.iter().flatten().map(|kind| kind.context)
    }

    /// Takes in a judged stroke.
    pub fn stroke(&mut self, record: &StrokeRecord) {
        if !self.plan.tracked || !record.context.is_known() {
            return;
        }
        let totals = &record.features.totals;
        self.time_ns = record.stamp.time_ns;
        // In and back again.
        self.metres += 2.0 * (totals.block.position_m - self.plan.begin_m).max(0.0);
        let met = totals.contact_m.is_some();
        self.strokes = self.strokes.saturating_add(u64::from(met));
        let gradient = record.features.gradient_n_per_m;
        let gradient = gradient.filter(|g| met && record.verdict.ok() && *g > 0.0);
        let tare_n = match record.tare {
            Tare::Taken(tare_n) => Some(tare_n),
            Tare::Off | Tare::TooFew(_) | Tare::BeyondLimit(_) => None,
        };
        if gradient.is_none() && tare_n.is_none() {
            return;
        }
        let (worn, contact_n) = (self.strokes as f64, self.plan.contact_n);
        let Some(kind) = self.kind(record.context) else {
            self.left_out = self.left_out.saturating_add(1);
            return;
        };
        if let Some(value) = gradient {
            let new = || Figure::new(EXPECTED_GRADIENT * value);
            kind.gradient.get_or_insert_with(new).push(value, worn);
        }
        if let Some(value) = tare_n {
            let new = || Figure::new(EXPECTED_TARE * contact_n);
            kind.tare.get_or_insert_with(new).push(value, worn);
        }
    }

    /// The place of a part in a recipe; none where all are taken.
    fn kind(&mut self, context: Context) -> Option<&mut Kind> {
        let context = context.of_press();
        let kinds = &self.kinds;
        let own = |kind: &Option<Kind>| kind.as_ref().is_some_and(|kind| kind.context == context);
        let place =
            (kinds.iter().position(own)).or_else(|| kinds.iter().position(Option::is_none))?;
        let kind = self.kinds.get_mut(place)?;
        Some(kind.get_or_insert_with(|| Kind {
            context,
            gradient: None,
            tare: None,
        }))
    }

    /// Hours that count, at a time of this run.
    fn hours(&self, time_ns: u64) -> f64 {
        self.earlier_h + time_ns as f64 / 3.6e12
    }

    /// What was used so far: strokes that have met a part, and the way of the ram within all strokes.
    pub fn usage(&self) -> Usage {
        Usage {
            hours: self.hours(self.time_ns),
            strokes: self.strokes,
            metres: self.metres,
        }
    }

    /// Everything that is known: `gradient` and `tare` of each part in each recipe, in the order in which they came.
    pub fn readings(&self) -> impl Iterator<Item = (Context, Reading)> {
        self.kinds.iter().flatten().flat_map(move |kind| {
            let gradient = kind.gradient.as_ref().map(|of| self.gradient(of));
            let tare = kind.tare.as_ref().map(|of| self.tare(of));
            let both = [gradient, tare].into_iter().flatten();
            both.map(move |reading| (kind.context, reading))
        })
    }

    /// The loading gradient. Its limit is a share of the healthy one, and not known better than that.
    fn gradient(&self, figure: &Figure) -> Reading {
        let limit = self.plan.gradient_limit;
        let ends = limit.zip(figure.healthy());
        let life = match (limit, ends) {
            (None, _) => Err(Unknown::NoLimit),
            (Some(_), None) => Err(Unknown::NoBaseline),
            (Some(_), Some((share, healthy))) => {
                let (limit, way) = (share * healthy, (1.0 - share) * healthy);
                let error = share * figure.healthy.sigma() / way;
                let points = figure.trend.points();
                uncertain_life(
                    &points,
                    healthy,
                    limit,
                    error.min(LARGEST_ERROR),
                    self.worn(),
                )
            }
        };
        let limit = ends.map(|(share, healthy)| share * healthy);
        self.reading("gradient", "N/m", figure, limit, life)
    }

    /// The tare. It ends where it has risen to its limit.
    fn tare(&self, figure: &Figure) -> Reading {
        let limit = self.plan.tare_limit_n;
        let life = match (limit, figure.healthy()) {
            (None, _) => Err(Unknown::NoLimit),
            (Some(_), None) => Err(Unknown::NoBaseline),
            // It was beyond it from the first.
            (Some(limit_n), Some(healthy_n)) if healthy_n >= limit_n => Ok([0.0; 3]),
            (Some(limit_n), Some(healthy_n)) => {
                uncertain_life(&figure.trend.points(), healthy_n, limit_n, 0.0, self.worn())
            }
        };
        self.reading("tare", "N", figure, limit, life)
    }

    fn worn(&self) -> f64 {
        self.strokes as f64
    }

    fn reading(
        &self,
        parameter: &'static str,
        unit: &'static str,
        figure: &Figure,
        limit: Option<f64>,
        life: Life,
    ) -> Reading {
        let points = figure.trend.points();
        Reading {
            parameter,
            unit,
            value: figure.now.x,
            sigma: figure.now.sigma(),
            healthy: figure.healthy(),
            limit,
            lower_bound: false,
            left_out: self.left_out,
            inferred: self.plan.inferred,
            over: Wear::Strokes,
            course: points,
            trend: trend(&points),
            life,
        }
    }
}

/// A context as files of health have it: nothing beside recipe and part counts here.
mod of_press {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use twinstep_models::sample::Context;

    #[derive(Serialize, Deserialize)]
    #[serde(rename = "Context")]
    struct Written {
        recipe: u8,
        part: u8,
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
    pub fn serialize<S: Serializer>(context: &Context, to: S) -> Result<S::Ok, S::Error> {
        let Context { recipe, part, .. } = *context;
        Written { recipe, part }.serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Context, D::Error> {
        let Written { recipe, part } = Written::deserialize(from)?;
        Ok(Context::of(recipe, part))
    }
}

#[cfg(test)]
#[path = "press_tests.rs"]
mod tests;
