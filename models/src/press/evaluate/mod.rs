//! Evaluation objects: what the force over the travel of one stroke must look like, and one verdict on it.
//!
//! As on the force-travel monitors of press shops: windows with entry and exit side, thresholds in X and Y, trapezia,
//! envelopes, and features with limits. Every object is a fold over the pieces of the curve (from one kept point to the
//! next), so that a stroke can be judged in portions of any size, and the verdict does not depend on them.
//!
//! X is the travel in the direction of the way in (m), counted from the object's [`mod@reference`]; Y is the force against it (N).

pub mod envelope;
pub mod features;
pub mod passage;
pub mod reference;
pub mod teach;
pub mod threshold;
pub mod trapezium;
pub mod verdict;
pub mod window;

use super::curve::{Branch, Point};
use crate::sample::Context;
use envelope::{Envelope, EnvelopeState};
use features::{Chord, ChordState, Gap, GapState, Limits, Loop, LoopState, Peak, PeakState};
use passage::{Passage, Quad};
use reference::Reference;
use threshold::{Threshold, ThresholdState};

/// Most objects of one press, all its parts together.
pub const MAX_OBJECTS: usize = 32;

/// Unit of a value and of what it misses by.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[repr(u8)]
pub enum Unit {
    /// Force.
    #[default]
    Newton = 0,
    /// Travel.
    Metre = 1,
    /// Work.
    Joule = 2,
    /// Gradient.
    NewtonPerMetre = 3,
}

impl Unit {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Newton => "N",
            Self::Metre => "m",
            Self::Joule => "J",
            Self::NewtonPerMetre => "N/m",
        }
    }
}

/// A side of a window, or where between its limits a value is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[repr(u8)]
pub enum Side {
    /// Smaller travel.
    Left = 0,
    /// Larger travel.
    Right = 1,
    /// Smaller force or value.
    Bottom = 2,
    /// Larger force or value.
    Top = 3,
}

impl Side {
    /// All sides in the order of their codes.
    pub const ALL: [Self; 4] = [Self::Left, Self::Right, Self::Bottom, Self::Top];

    /// The stable word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
            Self::Bottom => "bottom",
            Self::Top => "top",
        }
    }
}

/// What is wrong with a curve at one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[repr(u8)]
pub enum Miss {
    /// It never was in the window.
    NotEntered = 0,
    /// It came in through a side that is no entry.
    WrongEntry = 1,
    /// It went out through a side that is no exit.
    WrongExit = 2,
    /// It did not leave the window.
    NotLeft = 3,
    /// It never reached what is judged there.
    NotReached = 4,
    /// A value is below its limit.
    Below = 5,
    /// A value is above its limit.
    Above = 6,
    /// The reference of the object was not found in this stroke.
    NoReference = 7,
}

impl Miss {
    /// The stable word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotEntered => "not_entered",
            Self::WrongEntry => "wrong_entry",
            Self::WrongExit => "wrong_exit",
            Self::NotLeft => "not_left",
            Self::NotReached => "not_reached",
            Self::Below => "below",
            Self::Above => "above",
            Self::NoReference => "no_reference",
        }
    }
}

/// Why an object is NOK: what, at which side, where, and by how much.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Violation {
    /// What.
    pub miss: Miss,
    /// Which side; none where no side is to blame.
    pub side: Option<Side>,
    /// Where, counted from the object's reference.
    pub at: Point,
    /// By how much (0 or more, in `unit`).
    pub by: f64,
    /// Unit of `by`.
    pub unit: Unit,
}

/// What one object says of one stroke.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Outcome {
    /// The figure that was judged, where the object has one (in `unit`).
    pub value: Option<f64>,
    /// Unit of `value`.
    pub unit: Unit,
    /// None: OK.
    pub violation: Option<Violation>,
}

impl Outcome {
    /// A value against its limits, found at `at`.
    pub fn of_value(value: f64, limits: Limits, unit: Unit, at: Point) -> Self {
        Self {
            value: Some(value),
            unit,
            violation: limits.violation(value, unit, at),
        }
    }

    /// An object that found nothing to judge.
    pub fn nothing(miss: Miss, at: Point, unit: Unit) -> Self {
        Self {
            value: None,
            unit,
            violation: Some(Violation {
                miss,
                side: None,
                at,
                by: 0.0,
                unit,
            }),
        }
    }
}

/// What an object demands.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "objects stand in one list of the plan: there is no heap to put an envelope on"
)]
pub enum Shape {
    /// A window or a trapezium, with entry and exit sides.
    Passage(Quad),
    /// A crossing of a line in X or Y.
    Threshold(Threshold),
    /// A band.
    Envelope(Envelope),
    /// The largest force in a range.
    Peak(Peak),
    /// Work of the branch in a range (J).
    Work(Loop),
    /// Area between the branches in a range (J).
    Hysteresis(Loop),
    /// Force on the way in minus force on the way back at one place (N).
    Gap(Gap),
    /// Gradient between two places (N/m).
    Gradient(Chord),
    /// The deepest travel of the stroke (m), and the force there (N).
    Block {
        /// Travel (m).
        position: Limits,
        /// Force (N).
        force: Limits,
    },
}

/// One evaluation object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Object {
    /// What it demands.
    pub shape: Shape,
    /// Where X is counted from.
    pub reference: Reference,
    /// On which branch; objects over both branches ignore it.
    pub branch: Branch,
    /// For which part only; none: all.
    pub part: Option<u8>,
    /// In which recipe only; none: in every one.
    pub recipe: Option<u8>,
}

/// Progress of one object through one stroke.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum State {
    /// Of a passage.
    Passage(Passage),
    /// Of a threshold.
    Threshold(ThresholdState),
    /// Of an envelope.
    Envelope(EnvelopeState),
    /// Of a peak.
    Peak(PeakState),
    /// Of work and hysteresis.
    Loop(LoopState),
    /// Of a gap.
    Gap(GapState),
    /// Of a gradient.
    Chord(ChordState),
    /// Nothing to remember.
    Block,
}

impl Object {
    /// Whether it is for strokes of this recipe and part.
    pub fn is_for(&self, context: Context) -> bool {
        self.part.is_none_or(|only| only == context.part)
            && self.recipe.is_none_or(|only| only == context.recipe)
    }

    /// Before the first piece.
    pub fn start(&self) -> State {
        match &self.shape {
            Shape::Passage(_) => State::Passage(Passage::default()),
            Shape::Threshold(_) => State::Threshold(ThresholdState::default()),
            Shape::Envelope(_) => State::Envelope(EnvelopeState::default()),
            Shape::Peak(_) => State::Peak(PeakState::default()),
            Shape::Work(_) | Shape::Hysteresis(_) => State::Loop(LoopState::default()),
            Shape::Gap(_) => State::Gap(GapState::default()),
            Shape::Gradient(_) => State::Chord(ChordState::default()),
            Shape::Block { .. } => State::Block,
        }
    }

    /// Takes in the piece from `a` to `b`, both counted from the object's reference, on `branch`.
    pub fn push(&self, state: &mut State, branch: Branch, a: Point, b: Point) {
        match (&self.shape, state) {
            (Shape::Hysteresis(l), State::Loop(s)) => s.push(l, a, b),
            (Shape::Gap(g), State::Gap(s)) => s.push(g, branch, a, b),
            _ if branch != self.branch => {}
            (Shape::Passage(q), State::Passage(s)) => s.push(q, a, b),
            (Shape::Threshold(t), State::Threshold(s)) => s.push(t, a, b),
            (Shape::Envelope(e), State::Envelope(s)) => s.push(e, a, b),
            (Shape::Peak(p), State::Peak(s)) => s.push(p, a, b),
            (Shape::Work(l), State::Loop(s)) => s.push(l, a, b),
            (Shape::Gradient(c), State::Chord(s)) => s.push(c, a, b),
            _ => {}
        }
    }

    /// After the last piece; `block` is the deepest point, counted from the object's reference.
    pub fn finish(&self, state: &State, block: Point) -> Outcome {
        match (&self.shape, state) {
            (Shape::Passage(q), State::Passage(s)) => s.finish(q),
            (Shape::Threshold(t), State::Threshold(s)) => s.finish(t, block),
            (Shape::Envelope(e), State::Envelope(s)) => s.finish(e, block),
            (Shape::Peak(p), State::Peak(s)) => s.finish(p, block),
            (Shape::Work(l), State::Loop(s)) => s.finish(l, block, self.branch),
            (Shape::Hysteresis(l), State::Loop(s)) => s.finish(l, block, Branch::Forward),
            (Shape::Gap(g), State::Gap(s)) => s.finish(g, block),
            (Shape::Gradient(c), State::Chord(s)) => s.finish(c, block),
            (Shape::Block { position, force }, _) => {
                let place = Outcome::of_value(block.position_m, *position, Unit::Metre, block);
                Outcome {
                    violation: (place.violation)
                        .or_else(|| force.violation(block.force_n, Unit::Newton, block)),
                    ..place
                }
            }
            _ => Outcome::default(),
        }
    }
}
