//! Checkpoints: the state of a pipeline in parts, one a cycle, so that no cycle copies more than a part.
//!
//! A part is a lane with the judging of its axes, the health of [`HEALTH`] axes, a signature, a station or a press. Each carries
//! what all of them have in common, [`Common`], as it was in the same moment: after the whole cycle. A **round** is all parts, in the
//! order of their numbers, in rising cycles.
//!
//! Who starts from nothing and puts each part in after the cycle that it was taken after has the state of the run once the round is
//! whole. A lane depends on its own samples and on no other lane. The free run of `drift` reads one lane and speaks to the judging
//! of that lane only, and every part brings its state along: while that lane is not there yet its judging is overwritten later, and
//! from the part of that lane on both are those of the run. Presses and health read lanes, and come after all of them. Signatures
//! and stations depend on samples alone.

use crate::drift::{Drifted, FreeRun};
use crate::health::{AxisHealth, PressHealth, StationHealth};
use crate::judge::AxisJudge;
use crate::lanes::LaneState;
use crate::outbox::Outbox;
use crate::press::StrokeJudge;
use crate::signature::SignatureJudge;
use crate::station::StationJudge;
use serde::{Deserialize, Serialize};
use twinstep_models::cause::Cause;
use twinstep_models::lane::LANES;
use twinstep_models::sample::{Conditions, Context};

/// Axes whose health is one part.
pub const HEALTH: usize = 2;

/// What belongs to no single part.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Common {
    pub(crate) outbox: Outbox,
    pub(crate) context: Context,
    pub(crate) cycle: u64,
    pub(crate) bus_raised: bool,
    pub(crate) bus_good: u32,
    pub(crate) bus_cause: Cause,
    pub(crate) hash: u64,
    pub(crate) free_run: FreeRun,
    pub(crate) drifted: Option<Drifted>,
}

impl Common {
    /// Tool, load and temperature after the cycle that the part was taken after.
    pub const fn conditions(&self) -> Conditions {
        self.context.conditions
    }
}

/// One part as it is read back.
#[derive(Clone, Debug, Deserialize)]
#[expect(
    clippy::large_enum_variant,
    reason = "one is read at a time, and put on the heap by who keeps it"
)]
pub enum Piece {
    /// A lane, and its axes; places without an axis are as new.
    Lane(LaneState, [AxisJudge; LANES]),
    /// Health of some axes.
    Health([Option<AxisHealth>; HEALTH]),
    /// The signature of an axis.
    Signature(SignatureJudge),
    /// A station, and its health.
    Station(StationJudge, Option<StationHealth>),
    /// A press, and its health by its strokes.
    Press(StrokeJudge, Option<PressHealth>),
}

/// One part as it is written: variants and fields are those of [`Piece`].
#[derive(Serialize)]
#[serde(rename = "Piece")]
enum Written<'s> {
    Lane(&'s LaneState, &'s [AxisJudge; LANES]),
    Health(&'s [Option<AxisHealth>; HEALTH]),
    Signature(&'s SignatureJudge),
    Station(&'s StationJudge, &'s Option<StationHealth>),
    Press(&'s StrokeJudge, &'s Option<PressHealth>),
}

/// One part that was read back.
#[derive(Clone, Debug, Deserialize)]
pub struct Part {
    /// What all parts have in common.
    pub common: Common,
    /// The part itself.
    pub piece: Piece,
}

/// One part as it is written.
#[derive(Serialize)]
#[serde(rename = "Part")]
struct WrittenPart<'s> {
    common: &'s Common,
    piece: Written<'s>,
}

/// Which of a [`Slot`]'s places is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Lane,
    Health,
    Signature,
    Station,
    Press,
}

/// Room for a part of any kind, made before the first cycle. What is serialised is the part that was copied last, in the form in
/// which [`Part`] is read.
#[derive(Clone, Debug)]
pub struct Slot {
    /// Number of the part, from 0.
    pub number: usize,
    /// The cycle that it was taken after.
    pub cycle: u64,
    pub(crate) kind: Kind,
    pub(crate) common: Common,
    pub(crate) lane: LaneState,
    pub(crate) axes: [AxisJudge; LANES],
    pub(crate) health: [Option<AxisHealth>; HEALTH],
    pub(crate) signature: SignatureJudge,
    pub(crate) station: StationJudge,
    pub(crate) station_health: Option<StationHealth>,
    pub(crate) press: StrokeJudge,
    pub(crate) press_health: Option<PressHealth>,
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            number: 0,
            cycle: 0,
            kind: Kind::Lane,
            common: Common {
                outbox: Outbox::default(),
                context: Context::default(),
                cycle: 0,
                bus_raised: false,
                bus_good: 0,
                bus_cause: Cause::FramesLost,
                hash: 0,
                free_run: FreeRun::NEW,
                drifted: None,
            },
            lane: LaneState::NEW,
            axes: [AxisJudge::default(); LANES],
            health: [const { None }; HEALTH],
            signature: SignatureJudge::default(),
            station: StationJudge::default(),
            station_health: None,
            press: StrokeJudge::default(),
            press_health: None,
        }
    }
}

impl Serialize for Slot {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let piece = match self.kind {
            Kind::Lane => Written::Lane(&self.lane, &self.axes),
            Kind::Health => Written::Health(&self.health),
            Kind::Signature => Written::Signature(&self.signature),
            Kind::Station => Written::Station(&self.station, &self.station_health),
            Kind::Press => Written::Press(&self.press, &self.press_health),
        };
        let common = &self.common;
        WrittenPart { common, piece }.serialize(serializer)
    }
}
