//! What the ram of a servo press meets: a part that yields as it is pressed in, behind an elastic frame.

use crate::rng::Rng;
use twinstep_config::machine::{ForceCurve, Machine, Stroke};

/// Stiffness of the frame over that of the stiffest part (1).
const FRAME_STIFFNESS: f64 = 60.0;
/// Stiffness of the elastic return over that of pressing in (1).
const ELASTIC_RETURN: f64 = 6.0;
/// Time constant with which the frame follows the force (s).
const FRAME_TIME_S: f64 = 0.5e-3;
/// Spread of the contact position from part to part (m, standard deviation).
const CONTACT_SPREAD_M: f64 = 8e-6;

/// A part variant.
#[derive(Clone, Debug)]
struct Shape {
    contact_m: f64,
    stiffness_n_per_m: f64,
    curve: Option<ForceCurve>,
    spread: f64,
}

impl Shape {
    /// Steepest rise on the way in (N/m), and what the frame is built for: it must not yield as the part does, nor as the part springs back.
    fn stiff_n_per_m(&self) -> [f64; 2] {
        match &self.curve {
            Some(curve) => {
                let steepest = curve.steepest_n_per_m();
                let returns = curve.elastic_n_per_m / ELASTIC_RETURN;
                [steepest, steepest.max(returns)]
            }
            None => [self.stiffness_n_per_m; 2],
        }
    }
}

/// What is put into the press.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Placed {
    /// The part that the recipe names.
    Recipe,
    /// Another one.
    Part(usize),
    /// No part.
    Nothing,
}

/// The tool of one press with the part in it.
///
/// With d the depth of the ram in the part, the part yields at Y(d) = k d^2 / (2 b) within its chamfer b and
/// k (d - b / 2) beyond. Below that it is elastic: F = ke (d - dp), dp being what stays pressed in. A part with a curve yields at the force of
/// its table, and has the elastic return of its own; a table that begins with a force is reached along that line.
#[derive(Clone, Debug)]
pub(super) struct Tool {
    shapes: Vec<Shape>,
    sequence: Vec<u8>,
    /// +1 when the ram goes to smaller positions to press, else -1.
    down: f64,
    approach_m: f64,
    margin_m: f64,
    chamfer_m: f64,
    /// The frame as it was built, and as it is.
    built_n_per_m: f64,
    frame_n_per_m: f64,
    stiffest_n_per_m: f64,
    frame_share: f64,
    rng: Rng,
    /// Strokes since the start.
    pub stroke: u64,
    /// What is put in, from the next change of part on.
    pub placed: Placed,
    went_down: bool,
    contact_m: f64,
    stiffness_n_per_m: f64,
    /// The part in the press, where it has a curve.
    curved: Option<usize>,
    /// Force of this part over that of its curve (1).
    curve_factor: f64,
    pressed_in_m: f64,
    frame_m: f64,
    /// Force on the ram (N), 0 or more.
    pub force_n: f64,
}

impl Tool {
    /// The tool of a press that makes this `stroke` with its ram; `machine_rng` draws frame and chamfer, `parts` the parts.
    pub fn new(
        machine: &Machine,
        stroke: &Stroke,
        machine_rng: &mut Rng,
        parts: Rng,
        dt_s: f64,
    ) -> Self {
        let shapes: Vec<Shape> = machine
            .parts
            .iter()
            .map(|part| Shape {
                contact_m: part.contact_m,
                stiffness_n_per_m: part.stiffness_n_per_m.max(0.0),
                curve: part.curve.clone(),
                spread: part.stiffness_spread,
            })
            .collect();
        let [stiffest, built_for] = shapes.iter().fold([1e5_f64; 2], |most, shape| {
            let [rise, returns] = shape.stiff_n_per_m();
            [most[0].max(rise), most[1].max(returns)]
        });
        let strokes = machine.stroke_contexts();
        let sequence = strokes.iter().map(|stroke| stroke.part).collect();
        let mut new = Self {
            shapes,
            sequence,
            down: if stroke.bottom_m <= stroke.top_m {
                1.0
            } else {
                -1.0
            },
            approach_m: stroke.approach_m,
            margin_m: (0.1 * (stroke.top_m - stroke.approach_m).abs()).min(2e-3),
            chamfer_m: 60e-6 * machine_rng.around_one(0.15),
            built_n_per_m: FRAME_STIFFNESS * built_for * machine_rng.around_one(0.1),
            frame_n_per_m: 0.0,
            stiffest_n_per_m: stiffest,
            frame_share: 1.0 - libm::exp(-dt_s / FRAME_TIME_S),
            rng: parts,
            stroke: 0,
            placed: Placed::Recipe,
            went_down: false,
            contact_m: 0.0,
            stiffness_n_per_m: 0.0,
            curved: None,
            curve_factor: 1.0,
            pressed_in_m: 0.0,
            frame_m: 0.0,
            force_n: 0.0,
        };
        new.frame_n_per_m = new.built_n_per_m;
        new.place_part();
        new
    }

    /// Makes the frame so soft that it and the stiffest part in series have `factor` (0.2 to 1) of the stiffness that they had:
    /// `1/k' = (1/kp + 1/k) / factor - 1/kp`.
    pub fn soften(&mut self, factor: f64) {
        self.frame_n_per_m = if factor < 1.0 {
            let part = 1.0 / self.stiffest_n_per_m;
            1.0 / ((part + 1.0 / self.built_n_per_m) / factor - part)
        } else {
            self.built_n_per_m
        };
    }

    /// Counts strokes from here.
    pub fn restart(&mut self) {
        self.stroke = 0;
        self.went_down = false;
        self.place_part();
    }

    fn place_part(&mut self) {
        let length = self.sequence.len() as u64;
        let recipe = if length == 0 {
            0
        } else {
            self.sequence
                .get((self.stroke % length) as usize)
                .copied()
                .map_or(0, usize::from)
        };
        let (a, b) = (self.rng.bell(), self.rng.bell());
        let part = match self.placed {
            Placed::Recipe => Some(recipe),
            Placed::Part(part) => Some(part),
            Placed::Nothing => None,
        };
        self.pressed_in_m = 0.0;
        self.curved = None;
        match part.and_then(|part| Some((part, self.shapes.get(part)?))) {
            Some((part, shape)) => {
                let factor = (1.0 + shape.spread * a).max(0.1);
                self.stiffness_n_per_m = shape.stiffness_n_per_m * factor;
                self.contact_m = shape.contact_m + CONTACT_SPREAD_M * b;
                if let Some(curve) = &shape.curve {
                    self.curved = Some(part);
                    self.curve_factor = factor;
                    let first_n = curve.forces_n.first().copied().unwrap_or(0.0);
                    self.pressed_in_m = -first_n / curve.elastic_n_per_m;
                }
            }
            // No part in the machine: the ram meets nothing.
            None => self.stiffness_n_per_m = 0.0,
        }
    }

    /// Force at which the part yields at `depth_m` (N), and its elastic stiffness (N/m).
    fn part(&self, depth_m: f64) -> (f64, f64) {
        let curve = self
            .curved
            .and_then(|part| self.shapes.get(part)?.curve.as_ref());
        if let Some(curve) = curve {
            let yields = curve.force_n(depth_m.max(0.0));
            return (
                self.curve_factor * yields,
                self.curve_factor * curve.elastic_n_per_m,
            );
        }
        let k = self.stiffness_n_per_m;
        let yields = if depth_m <= 0.0 {
            0.0
        } else if depth_m < self.chamfer_m {
            k * depth_m * depth_m / (2.0 * self.chamfer_m)
        } else {
            k * (depth_m - 0.5 * self.chamfer_m)
        };
        (yields, ELASTIC_RETURN * k)
    }

    /// Force on the load (N) in the axis' direction, with the load at `ram_m`.
    #[inline]
    pub fn step(&mut self, ram_m: f64) -> f64 {
        let below_approach = self.down * (self.approach_m - ram_m);
        if below_approach > 0.0 {
            self.went_down = true;
        } else if self.went_down && -below_approach > self.margin_m {
            self.went_down = false;
            self.stroke += 1;
            self.place_part();
        }
        let depth = self.down * (self.contact_m - ram_m) - self.frame_m;
        // A curve that begins with a force is met before its contact.
        if depth <= self.pressed_in_m.min(0.0) && self.frame_m <= 0.0 {
            self.force_n = 0.0;
            return 0.0;
        }
        let (yields, elastic) = self.part(depth);
        let mut force = elastic * (depth - self.pressed_in_m);
        if force > yields {
            force = yields;
            self.pressed_in_m = depth - yields / elastic.max(1.0);
        }
        self.force_n = force.max(0.0);
        let follows = self.frame_share * (self.force_n / self.frame_n_per_m - self.frame_m);
        self.frame_m += if self.curved.is_some() && force < yields {
            // A spring that is stiffer than the frame is told at once how the frame follows: in the step after it would be thrown back.
            follows / (1.0 + self.frame_share * elastic / self.frame_n_per_m)
        } else {
            follows
        };
        // A frame that is as good as back: let the ram travel at no cost.
        if self.frame_m < 1e-12 {
            self.frame_m = 0.0;
        }
        self.down * self.force_n
    }
}

#[cfg(test)]
#[path = "press_tests.rs"]
mod tests;
