//! Presses, what a stroke of theirs must look like, and recipes.

use super::{Axis, Machine};
use twinstep_models::press::curve::Branch;
use twinstep_models::press::evaluate::Object;
use twinstep_models::press::evaluate::reference::Reference;
use twinstep_models::press::frame::Counterbalance;
use twinstep_models::press::kinematics::Kinematics;
use twinstep_models::press::ram::Linkage;
use twinstep_models::press::tare::TareParams;
use twinstep_models::sample::Context;

/// A servo press: an axis that meets a workpiece.
#[derive(Clone, Debug, PartialEq)]
pub struct Press {
    /// The press' own axis; its motion program is one step per stroke end.
    pub axis: Axis,
    /// The stroke.
    pub stroke: Stroke,
    /// What stands between motor and ram.
    pub drive_train: DriveTrain,
    /// How the force over the travel is taken.
    pub curve: Curve,
    /// What a stroke must look like.
    pub evaluations: Vec<Evaluation>,
}

/// What stands between motor and ram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DriveTrain {
    /// Crank or table; none: a screw, and the ram is where the axis is.
    pub linkage: Option<Linkage>,
    /// Mass of ram and tool behind the linkage (kg, 0 or more); 0 behind a screw, where the axis has it.
    pub ram_mass_kg: f64,
    /// Efficiency where the motor drives the ram (1, above 0 to 1).
    pub efficiency: f64,
    /// Efficiency where the ram drives the motor (1, 0 to 1); 0 locks itself.
    pub efficiency_back: f64,
    /// What carries the ram: the force against the way in, less the weight of the ram.
    pub counterbalance: Counterbalance,
}

impl DriveTrain {
    /// A screw without losses and without a counterbalance.
    pub const SCREW: Self = Self {
        linkage: None,
        ram_mass_kg: 0.0,
        efficiency: 1.0,
        efficiency_back: 1.0,
        counterbalance: Counterbalance {
            constant_n: 0.0,
            rate_n_per_m: 0.0,
            at_m: 0.0,
        },
    };

    /// Whether a twin can explain the motion: behind a crank or a table the mass of the ram must be known.
    pub fn is_explained(&self) -> bool {
        self.linkage.is_none() || self.ram_mass_kg > 0.0
    }

    /// Largest inertia of the ram at the axis over that of what turns with the motor, `mass_kg` (1); 0 behind a screw.
    pub fn ram_share(&self, mass_kg: f64) -> f64 {
        let most = self.linkage.as_ref().map_or(0.0, Linkage::most);
        self.ram_mass_kg * most * most / mass_kg
    }

    /// What the axis moves of the ram wherever it is in a stroke (kg, seen from the axis): where the ram goes slowest. 0 behind a screw, and
    /// where there is a dead centre in the stroke.
    pub fn least_ram_kg(&self, stroke: &Stroke) -> f64 {
        let way_m = [stroke.top_m, stroke.bottom_m];
        let least = (self.linkage.as_ref()).map_or(0.0, |linkage| linkage.slowest(way_m));
        self.ram_mass_kg * least * least
    }

    /// Where the ram is with the axis at `axis_m` (m).
    pub fn ram_m(&self, axis_m: f64) -> f64 {
        (self.linkage.as_ref()).map_or(axis_m, |linkage| linkage.travel(axis_m).0)
    }

    /// Crank or table as they were written; none behind a screw.
    pub fn mechanism(&self) -> Option<Mechanism> {
        let linkage = self.linkage.as_ref()?;
        let shape = match linkage.kinematics() {
            Kinematics::Screw { .. } => return None,
            Kinematics::Crank { radius_m, rod_m } => Shape::Crank {
                radius_m: *radius_m,
                rod_m: *rod_m,
            },
            Kinematics::Table(table) => Shape::Rows(table.nodes().collect()),
        };
        let (rad_per_m, zero_m) = linkage.turn();
        Some(Mechanism {
            rad_per_m,
            zero_m,
            shape,
        })
    }
}

/// A crank or a table as the builder's drawing has it, and nothing that was made of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Mechanism {
    /// Turn of the drive per way of the axis (rad/m).
    pub rad_per_m: f64,
    /// Place of the axis at angle 0 (m).
    pub zero_m: f64,
    /// What turns the angle into travel.
    pub shape: Shape,
}

/// See [`Mechanism`].
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// A crank, its angle from the upper dead centre.
    Crank {
        /// From the shaft to the pin (m).
        radius_m: f64,
        /// From pin to pin (m, more than the crank).
        rod_m: f64,
    },
    /// Rows of angle (rad) and place of the ram (m), both rising, 2 or more.
    Rows(Vec<[f64; 2]>),
}

/// How the force over the travel of a stroke is taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Curve {
    /// Where the ram is when a stroke begins and ends (m).
    pub begin_m: f64,
    /// Travel after which a point is kept (m).
    pub step_m: f64,
    /// Change of the force after which a point is kept (N), infinite where not given.
    pub step_n: f64,
    /// Force from which on the ram has met the part (N).
    pub contact_n: f64,
    /// Yield of the frame per force (m/N), 0: rigid.
    pub frame_m_per_n: f64,
    /// The free part of the way in whose mean force is the zero of a stroke.
    pub tare: Option<TareParams>,
}

/// One evaluation object with its name.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Name, unique within its press.
    pub name: String,
    /// What it demands.
    pub demand: Demand,
}

/// What an evaluation demands.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "a few dozen a machine, built once"
)]
pub enum Demand {
    /// What stands in the configuration.
    Object(Object),
    /// The band of good strokes of one part; `calibrate` teaches it, and it is not judged before.
    Envelope(EnvelopeDemand),
}

/// How an envelope is taught and judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EnvelopeDemand {
    /// Index of the part whose strokes it is taught from.
    pub part: u8,
    /// Index of the recipe that it is for; none: every one.
    pub recipe: Option<u8>,
    /// Branch.
    pub branch: Branch,
    /// Where X is counted from.
    pub reference: Reference,
    /// Range (m).
    pub x_m: [f64; 2],
    /// Share of all good strokes that are to be within it (1).
    pub coverage: f64,
    /// Confidence of that share (1).
    pub confidence: f64,
    /// Least half width (N).
    pub floor_n: f64,
}

impl EnvelopeDemand {
    /// Whether it is for strokes of this recipe and part.
    pub fn is_for(&self, context: Context) -> bool {
        self.part == context.part && self.recipe.is_none_or(|only| only == context.recipe)
    }
}

/// The press stroke: approach fast, contact slowly, press, hold, return. Positive is down: top < approach < bottom.
#[derive(Clone, Debug, PartialEq)]
pub struct Stroke {
    /// Upper dead centre (m).
    pub top_m: f64,
    /// Where the approach ends (m).
    pub approach_m: f64,
    /// Lowest point (m).
    pub bottom_m: f64,
    /// Velocity while pressing (m/s).
    pub press_velocity_m_per_s: f64,
    /// Dwell at the bottom (s).
    pub hold_s: f64,
    /// Dwell at the top: the part is changed (s).
    pub rest_s: f64,
}

/// A recipe.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// Name.
    pub name: String,
    /// Indexes into `parts`, one a stroke, repeated.
    pub parts: Vec<u8>,
}

/// How long one recipe is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Index into `recipes`.
    pub recipe: u8,
    /// Strokes of the first press (1 to [`super::MAX_SCHEDULED_STROKES`], all turns together).
    pub strokes: u32,
}

impl Machine {
    /// Recipe and part of every stroke of the first press, repeated for ever: one round of the schedule, else the first recipe. Every turn
    /// begins with the first part of its recipe. Empty for a machine without recipes.
    pub fn stroke_contexts(&self) -> Vec<Context> {
        let turns: Vec<Turn> = match (self.schedule.is_empty(), self.recipes.first()) {
            (true, Some(first)) => vec![Turn {
                recipe: 0,
                strokes: u32::try_from(first.parts.len()).unwrap_or(u32::MAX),
            }],
            _ => self.schedule.clone(),
        };
        let mut all = Vec::new();
        for turn in turns {
            let parts = (self.recipes.get(usize::from(turn.recipe))).map_or(&[][..], |r| &r.parts);
            let strokes = parts.iter().cycle().take(turn.strokes as usize);
            all.extend(strokes.map(|part| Context::of(turn.recipe, *part)));
        }
        all
    }
}
