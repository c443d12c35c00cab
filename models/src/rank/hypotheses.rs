//! The hypotheses about a deviation: what each moves, how much of it is usual, and how often it is met.

use crate::cause::Cause;

/// Shares of inertia that may hang on gravity, where the inertia is not given.
pub(super) const LOAD_SHARES: [f64; 3] = [0.45, 0.7, 1.0];

/// What moves the features.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) enum Shape {
    Friction,
    /// As friction, with bumps.
    Rough,
    /// With the share of the inertia that hangs on gravity.
    Load(f64),
    /// Mass, exactly: gravity (A) for a doubled inertia.
    Mass(f64),
    /// What a ram behind a linkage asks for at constant speed.
    Carried,
    Gain,
    Gap,
    Part,
    /// No pattern: every feature for itself.
    Any,
}

/// How sure a proportion is: share of each, share of the largest.
#[derive(Clone, Copy)]
pub(super) struct Doubt {
    pub(super) own: f64,
    pub(super) largest: f64,
}

/// One hypothesis: what it moves, how much is usual, and what it means upwards and downwards with their priors.
#[derive(Clone, Copy)]
pub(super) struct Hypothesis {
    pub(super) shape: Shape,
    pub(super) width: f64,
    pub(super) doubt: Doubt,
    pub(super) up: (Cause, f64),
    pub(super) down: Option<(Cause, f64)>,
    /// Mean and spread of ripple, of the viscous share, and of what two parts leave ([`crate::evidence::Parts`]) under it.
    pub(super) beside: [(f64, f64); 3],
}

/// An axis that carries a weight takes up parts every day; its motor loses torque a few times in its life.
pub(super) const LIFTED: f64 = 2.0;

/// Two parts may differ by anything.
const PARTS: (f64, f64) = (0.0, 0.3);
/// Ripple as it was; all of friction moves together.
const CALM: [(f64, f64); 3] = [(0.0, 0.15), (0.0, 0.12), PARTS];
/// Ripple as it was; what moves is no friction.
const OTHER: [(f64, f64); 3] = [(0.0, 0.15), (0.0, 0.6), PARTS];
/// Whatever: without its part a press moves at constant speed where it would have pressed.
const ANY: [(f64, f64); 3] = [(0.0, 1.0), (0.0, 1.0), PARTS];
const LOOSE: Doubt = Doubt {
    own: 0.1,
    largest: 0.07,
};
/// Ripple does not average out over a movement: its figures scatter.
const ROUGH: Doubt = Doubt {
    own: 0.5,
    largest: 0.5,
};
/// The proportion is exact but for what the screw loses.
const EXACT: Doubt = Doubt {
    own: 0.05,
    largest: 0.04,
};
const TIGHT: Doubt = Doubt {
    own: 0.03,
    largest: 0.02,
};

/// What is always asked. Load is added by [`loads`].
pub(super) const HYPOTHESES: [Hypothesis; 6] = [
    Hypothesis {
        shape: Shape::Friction,
        width: 0.3,
        doubt: LOOSE,
        up: (Cause::FrictionIncreased, 0.30),
        down: Some((Cause::FrictionDecreased, 0.06)),
        beside: CALM,
    },
    Hypothesis {
        shape: Shape::Gain,
        width: 0.07,
        doubt: TIGHT,
        up: (Cause::TorqueConstantChanged, 0.07),
        down: Some((Cause::TorqueConstantChanged, 0.07)),
        beside: CALM,
    },
    Hypothesis {
        shape: Shape::Gap,
        width: 1.0,
        doubt: LOOSE,
        up: (Cause::Backlash, 0.20),
        down: None,
        beside: OTHER,
    },
    Hypothesis {
        shape: Shape::Part,
        width: 0.3,
        doubt: LOOSE,
        up: (Cause::WrongPart, 0.08),
        down: Some((Cause::WrongPart, 0.08)),
        beside: ANY,
    },
    // A press that yields more than it did: less of every part's force. A wrong part is met more often; two parts tell.
    Hypothesis {
        shape: Shape::Part,
        width: 0.2,
        doubt: LOOSE,
        up: (Cause::PressStiffness, 0.0),
        down: Some((Cause::PressStiffness, 0.03)),
        beside: [(0.0, 1.0), (0.0, 1.0), (0.0, 0.01)],
    },
    Hypothesis {
        shape: Shape::Any,
        width: 1.0,
        doubt: LOOSE,
        up: (Cause::Disturbance, 0.02),
        down: Some((Cause::Disturbance, 0.02)),
        beside: ANY,
    },
];

/// What is asked where there is evidence beside the features: without it these look like friction.
pub(super) const BESIDE: [Hypothesis; 2] = [
    // Dry surfaces drag: friction rises with the velocity more than by itself, and hardly in its ripple.
    Hypothesis {
        shape: Shape::Friction,
        width: 0.5,
        doubt: LOOSE,
        up: (Cause::LubricationLacking, 0.15),
        down: None,
        beside: [(0.1, 0.3), (0.35, 0.2), PARTS],
    },
    // Pits in a raceway: much more ripple, and a mean current that may fall as well as rise.
    Hypothesis {
        shape: Shape::Rough,
        width: 0.2,
        doubt: ROUGH,
        up: (Cause::Spalling, 0.05),
        down: Some((Cause::Spalling, 0.05)),
        beside: [(1.6, 0.9), (0.0, 0.4), PARTS],
    },
];

/// What is asked of an axis that carries weight: it has a holding brake. One that drags takes as much at every speed, where friction has
/// a viscous share, usually a third; and a brake holds many times the friction of its axis, so that more than the whole of it is usual.
pub(super) const BRAKE: Hypothesis = Hypothesis {
    shape: Shape::Friction,
    width: 2.0,
    doubt: LOOSE,
    up: (Cause::BrakeDrags, 0.04),
    down: None,
    beside: [(0.0, 0.15), (-0.33, 0.15), PARTS],
};

/// What is asked where a ram behind a linkage asks for something at constant speed, with the sign of the way: its counterbalance has changed, and no
/// mass with it.
pub(super) const CARRIED: Hypothesis = Hypothesis {
    shape: Shape::Carried,
    width: 0.3,
    doubt: LOOSE,
    up: (Cause::LoadAdded, 0.10),
    down: Some((Cause::LoadRemoved, 0.10)),
    beside: OTHER,
};

/// The hypothesis of added or removed mass.
pub(super) const fn load(shape: Shape, share: f64) -> Hypothesis {
    Hypothesis {
        shape,
        width: 0.2,
        doubt: match shape {
            Shape::Mass(_) => EXACT,
            _ => LOOSE,
        },
        up: (Cause::LoadAdded, 0.18 * share),
        down: Some((Cause::LoadRemoved, 0.07 * share)),
        beside: OTHER,
    }
}
