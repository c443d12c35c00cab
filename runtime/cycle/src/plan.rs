//! The plan: everything the cycle needs to know, built once by the host. Immutable; a new plan is a new value.

pub use crate::judge::{DIRECTIONS, WarmUp};
use crate::press::PressPlan;
use twinstep_models::axis::{self, LaneParams};
use twinstep_models::blocks::{FEATURES, Paces};
pub use twinstep_models::innovation::NEXT;
use twinstep_models::innovation::{WHITENED, WatchParams, Whitened};
use twinstep_models::kalman::Steady;
use twinstep_models::lane::LANES;
use twinstep_models::press::Contact;
use twinstep_models::press::evaluate::Object;
use twinstep_models::press::linked::Linked;
use twinstep_models::press::workpiece::Workpiece;
use twinstep_models::regime::{RegimeLane, RegimeParams};
use twinstep_models::rest::{RESTS, STAGES};
use twinstep_models::sample::{Context, Only, Told};
use twinstep_models::simd::{Level, Vector};
use twinstep_models::vacuum::VacuumParams;

/// Most part variants that one press knows.
pub const MAX_PARTS: usize = 16;
/// Most parts that are met otherwise in one recipe: a press looks through all of them when recipe or part change.
pub const MAX_BY_RECIPE: usize = 16;

/// Most contexts, of recipe, tool, load and temperature, in which one axis has baselines of its own: a new baseline is learnt in each of
/// them.
pub const MAX_CONTEXT_BASES: usize = 16;

/// Most parts with a curve, over all presses: their number is kept in two bytes.
pub const MAX_CURVES: usize = 0xffff;

/// Healthy residual of one feature.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Baseline {
    /// Mean (A).
    pub mean_a: f64,
    /// Standard deviation from movement to movement (A, > 0).
    pub sigma_a: f64,
}

/// Healthy figures of movements beside those of `current_load`; none: not judged.
#[derive(Clone, Copy, Default, PartialEq)]
pub struct SlowPlan {
    /// The observer's disturbance.
    pub disturbance: [Option<Baseline>; FEATURES],
    /// The ripple at constant speed, in both directions; the mean (> 0) is the geometric one.
    pub ripple: [Option<Baseline>; DIRECTIONS],
    /// The paces at which the figures of a regime were learnt, those of `current_load` too; none: at any.
    pub paces: [Option<Paces>; FEATURES],
    /// Rests have figures, whether or not they are judged.
    pub rests: bool,
    /// What holds the axis at rest, by the direction of the movement before and the stage of the rest.
    pub standstill: [Rests; RESTS],
}

/// What holds an axis at rest, by the stage of the rest; none: not judged.
pub type Rests = [Option<Baseline>; STAGES];

/// A plan without paces, or without rests, is called as it was before there were any: its hash is made of this text.
impl core::fmt::Debug for SlowPlan {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut text = f.debug_struct("SlowPlan");
        let text = text
            .field("disturbance", &self.disturbance)
            .field("ripple", &self.ripple);
        if self.paces.iter().any(Option::is_some) {
            text.field("paces", &self.paces);
        }
        if self.rests {
            text.field("standstill", &self.standstill);
        }
        text.finish()
    }
}

/// How one axis is judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AxisPlan {
    /// Limits of the one-cycle innovations of position (m), velocity (m/s) and current (A); none: the channel is switched off.
    pub limits: [Option<f64>; NEXT],
    /// How the innovations of position and current are whitened for window and CUSUM; none: these two are off.
    pub whitened: [Option<Whitened>; WHITENED],
    /// When a motion counts as what.
    pub regime: RegimeParams,
    /// Healthy features; none: not judged.
    pub baseline: [Option<Baseline>; FEATURES],
    /// The figures beside them.
    pub slow: SlowPlan,
    /// Constant load current (A), as in the axis' parameters.
    pub gravity_a: f64,
    /// The observer: while the axis is not in steady state, its gains follow the covariance.
    pub observer: Steady,
    /// Inertia (A s2/m), where it is known: it tells added mass from gravity alone.
    pub inertia: Option<f64>,
    /// Gravity is more than a small share of friction: it closes the gaps of the axis.
    pub carries_weight: bool,
    /// Viscous friction (A s/m).
    pub viscous: f64,
    /// Way of a cycle at the acceleration of the whole current limit (m, > 0): a position further off has jumped.
    pub cycle_way_m: f64,
    /// Least way off the prediction that may be a slip of the encoder (m): [`twinstep_models::abrupt::least_hop_m`].
    pub hop_m: f64,
    /// Share of an innovation of position that the observer carries into the position predicted for the next cycle (1).
    pub carried: f64,
    /// Parts that a press may meet; empty for a servo axis.
    pub contacts: [Contact; MAX_PARTS],
    /// Limit of the drift of a free run (m); none: switched off.
    pub drift_limit_m: Option<f64>,
    /// Parts that are met otherwise in one recipe, filled from the front.
    pub by_recipe: [Option<RecipeContact>; MAX_BY_RECIPE],
    /// Way after which an axis that is not enabled has moved (m).
    pub movement_m: f64,
    /// Modes in which its innovations were learnt.
    pub modes: Modes,
}

/// A set of modes of operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modes(u8);

impl Modes {
    /// All that are predicted.
    pub const ALL: Self = Self(0b111);
    /// None.
    pub const NONE: Self = Self(0);
    /// Cyclic synchronous position alone, without offsets or with them.
    pub const POSITION: Self = Self(0b001);

    /// With this mode too; one in which drives make their own set-points is never in it.
    pub const fn with(self, told: Told) -> Self {
        Self(self.0 | Self::bit(told))
    }

    /// Whether this mode is in it.
    pub const fn hold(self, told: Told) -> bool {
        self.0 & Self::bit(told) != 0
    }

    const fn bit(told: Told) -> u8 {
        match told {
            Told::Position | Told::PositionAndOffsets => 0b001,
            Told::Velocity => 0b010,
            Told::Torque => 0b100,
            Told::Own => 0,
        }
    }
}

/// A part that is met otherwise in one recipe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RecipeContact {
    /// The recipe and the part.
    pub context: Context,
    /// What is met then.
    pub contact: Contact,
}

/// What is healthy of one axis in one context.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ContextBases {
    /// The axis: its place among all axes.
    pub axis: u16,
    /// The context: of the first one that holds these are in force.
    pub only: Only,
    /// Instead of that of [`AxisPlan`]: what holds in more contexts is in here too where this one has no row of its own.
    pub baseline: [Option<Baseline>; FEATURES],
    /// Likewise.
    pub slow: SlowPlan,
}

/// What one press meets of one part that has a force curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PartCurve {
    /// The press: its place among all axes.
    pub axis: u16,
    /// The part.
    pub part: u8,
    /// The recipe in which it is so; none: every one that has no curve of its own.
    pub recipe: Option<u8>,
    /// Current over the way behind the contact, in the direction of the way in (m, A instead of N).
    pub workpiece: Workpiece,
    /// Way before the contact (m, >= 0) at which the ram is out of the part: the next one is new.
    pub clear_m: f64,
}

/// A press with a twin behind a crank or a table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkedPress {
    /// The press: its place among all axes. Its contacts and curves are those of the ram, in amperes instead of newtons.
    pub axis: u16,
    /// What stands between its axis and its ram.
    pub linked: Linked,
}

impl AxisPlan {
    /// What is met in this context: what the recipe says of the part, else what holds in every recipe. None for a part that
    /// the plan does not know.
    #[inline]
    pub fn contact(&self, context: Context) -> Option<&Contact> {
        (self.by_recipe.iter().map_while(Option::as_ref))
            .find(|one| one.context == context.of_press())
            .map(|one| &one.contact)
            .or_else(|| self.contacts.get(usize::from(context.part)))
    }

    /// Whether a part may be met.
    pub(crate) fn presses(&self) -> bool {
        let by_recipe = self.by_recipe.iter().flatten().map(|one| &one.contact);
        (self.contacts.iter().chain(by_recipe)).any(|c| c.stiffness_a_per_m > 0.0)
    }
}

/// What every cycle needs of the judging of eight axes, in the order of their sizes: vectors are not cut by lines of the cache.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct JudgeLane {
    /// When a motion counts as what.
    pub regime: RegimeLane,
    /// Thresholds of the innovations.
    pub watch: WatchParams,
    /// A bit for each axis that is a press which knows a part, or stands behind a crank or a table.
    pub presses: u8,
    /// A bit for each place with an axis: the first ones.
    pub places: u8,
    /// A bit for each axis whose innovations were learnt in CSP, in CSV, in CST.
    learnt: [u8; 3],
    /// A bit for each axis whose rests have figures.
    pub rests: u8,
}

impl JudgeLane {
    /// Builds the lane for up to eight axes.
    pub fn new(axes: &[AxisPlan]) -> Self {
        let mut watch = WatchParams::OFF;
        for (l, axis) in axes.iter().take(LANES).enumerate() {
            watch.put(l, &axis.limits, &axis.whitened);
        }
        Self {
            regime: RegimeLane::new(axes.iter().map(|a| a.regime)),
            watch,
            presses: (axes.iter().take(LANES).enumerate())
                .fold(0, |bits, (l, axis)| bits | (u8::from(axis.presses()) << l)),
            rests: (axes.iter().take(LANES).enumerate())
                .fold(0, |bits, (l, axis)| bits | (u8::from(axis.slow.rests) << l)),
            places: (0..axes.len().min(LANES)).fold(0, |bits, l| bits | (1 << l)),
            learnt: [Told::Position, Told::Velocity, Told::Torque].map(|mode| {
                (axes.iter().take(LANES).enumerate()).fold(0, |bits, (l, axis)| {
                    bits | (u8::from(axis.modes.hold(mode)) << l)
                })
            }),
        }
    }

    /// A bit for each axis whose innovations were learnt in the mode that it is told in: never one of a drive's own.
    pub(crate) const fn learnt(&self, told: &axis::told::Told) -> u8 {
        let velocity = told.places(Told::Velocity);
        let torque = told.places(Told::Torque);
        let position = !(velocity | torque | told.places(Told::Own));
        let [in_position, in_velocity, in_torque] = self.learnt;
        position & in_position | velocity & in_velocity | torque & in_torque
    }

    /// No place but those of the narrow vector has an axis.
    #[inline(always)]
    pub(crate) fn few<V: Vector>(&self) -> bool {
        self.places & !V::Few::places(0) == 0
    }
}

/// How one vacuum station is judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StationPlan {
    /// The circuit.
    pub vacuum: VacuumParams,
    /// Limit of the one-cycle innovation (Pa); none: switched off.
    pub limit_pa: Option<f64>,
    /// Healthy leak rate and its standard deviation (Pa/s); none: not judged.
    pub leak: Option<(f64, f64)>,
}

/// Thresholds that follow from the false-alarm interval that was asked for, and when they hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// Slack of the CUSUM (standard deviations).
    pub slack: f64,
    /// Threshold of the CUSUM.
    pub threshold: f64,
    /// Cycles after a start, a gap or a lock in which nothing is judged.
    pub settle_cycles: u32,
    /// Horizon of the free run of `drift` (cycles, >= 1).
    pub horizon_cycles: u32,
    /// When an axis is warming up; none: never.
    pub warm_up: Option<WarmUp>,
}

/// The plan of one bus. Slices are owned by the host.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// Period (ns).
    pub period_ns: u64,
    /// Physics of the axes, eight to a lane.
    pub lanes: &'a [LaneParams],
    /// Judging of the axes, eight to a lane: made of `axes`.
    pub judges: &'a [JudgeLane],
    /// Judging of the axes; its length is the number of axes and presses.
    pub axes: &'a [AxisPlan],
    /// Stations.
    pub stations: &'a [StationPlan],
    /// Presses whose strokes are judged.
    pub presses: &'a [PressPlan],
    /// Evaluation objects of all presses.
    pub objects: &'a [Object],
    /// Parts with a force curve, of all presses, in the order of presses and parts; no more than [`MAX_CURVES`] are known.
    pub curves: &'a [PartCurve],
    /// Presses with a twin behind a crank or a table, in the order of the axes. Their bits are set in `judges`.
    pub linked: &'a [LinkedPress],
    /// What is healthy in one recipe, with one tool or load or in one band of the temperature alone, in the order of axes, and of an axis
    /// those that name most first: at most [`MAX_CONTEXT_BASES`] of an axis are known.
    pub contexts: &'a [ContextBases],
    /// Place of the first of `axes` among all axes: not 0 where the plan is that of a section.
    pub first_axis: usize,
    /// Thresholds.
    pub thresholds: Thresholds,
    /// The vector unit that lanes are stepped on; no result depends on it.
    pub level: Level,
}

impl Plan<'_> {
    /// The contexts in which axis `n` of this plan has baselines of its own.
    pub fn contexts_of(&self, n: usize) -> &[ContextBases] {
        let axis = self.first_axis + n;
        let first = (self.contexts).partition_point(|one| usize::from(one.axis) < axis);
        let from = &self.contexts[first..];
        let count = from.partition_point(|one| usize::from(one.axis) == axis);
        &from[..count.min(MAX_CONTEXT_BASES)]
    }

    /// The presses behind a crank or a table in lane `n` of this plan.
    pub(crate) fn linked_of(&self, n: usize) -> &[LinkedPress] {
        let first = self.first_axis + n * LANES;
        let before =
            |axis: usize| (self.linked).partition_point(|one| usize::from(one.axis) < axis);
        &self.linked[before(first)..before(first + LANES)]
    }

    /// What stands between axis `n` of this plan and its ram; none: it is no press with a twin behind a crank or a table.
    pub(crate) fn linked_at(&self, n: usize) -> Option<&Linked> {
        let axis = self.first_axis + n;
        let mut all = self.linked_of(n / LANES).iter();
        all.find(|one| usize::from(one.axis) == axis)
            .map(|one| &one.linked)
    }

    /// The curve of what axis `n` of this plan meets in this context, by its place in `curves`; none: it meets no part with a curve.
    pub fn curve(&self, n: usize, context: Context) -> Option<usize> {
        let wanted = (self.first_axis + n, context.part);
        let place = |one: &PartCurve| (usize::from(one.axis), one.part);
        let known = &self.curves[..self.curves.len().min(MAX_CURVES)];
        let first = known.partition_point(|one| place(one) < wanted);
        // One for every recipe that has its own, and one for the others: there are at most 257.
        let mut other = None;
        for (at, one) in known.iter().enumerate().skip(first) {
            if place(one) != wanted {
                break;
            }
            match one.recipe {
                Some(recipe) if recipe == context.recipe => return Some(at),
                None => other = Some(at),
                Some(_) => {}
            }
        }
        other
    }
}

#[cfg(test)]
mod tests;
