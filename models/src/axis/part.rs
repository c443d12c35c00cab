//! What a part asks of an axis within a cycle: a spring, or a curve with elastic return, one straight line after the other.

use crate::press::workpiece::{Forming, Line};

/// A part of one axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'a> {
    /// Where it begins (m).
    pub contact_m: f64,
    /// Direction of the way in (1 or -1).
    pub direction: f64,
    /// What it answers.
    pub answer: Answer<'a>,
}

/// What a part answers, in amperes over the way behind its contact.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer<'a> {
    /// A stiffness (A/m).
    Spring(f64),
    /// A table of currents.
    Formed(&'a Forming),
}

impl Part<'_> {
    /// Way behind the contact (m).
    pub fn way_m(&self, x: f64) -> f64 {
        self.direction * (x - self.contact_m)
    }

    /// The largest stiffness that is met (A/m).
    pub fn stiffest_a_per_m(&self) -> f64 {
        match self.answer {
            Answer::Spring(stiffness_a_per_m) => stiffness_a_per_m,
            Answer::Formed(table) => table.stiffest_n_per_m(),
        }
    }

    /// What holds around a way (m) in a part that has been pressed as deep as `deepest_m`, on the way in or back: in amperes.
    pub fn line(&self, way_m: f64, deepest_m: f64, inward: bool) -> Line {
        match self.answer {
            Answer::Formed(table) => table.line(way_m, deepest_m, inward),
            Answer::Spring(stiffness_a_per_m) => {
                if way_m > 0.0 || (inward && way_m >= 0.0) {
                    Line {
                        from_m: 0.0,
                        rise_n_per_m: stiffness_a_per_m,
                        ..Line::NOTHING
                    }
                } else {
                    Line {
                        to_m: 0.0,
                        ..Line::NOTHING
                    }
                }
            }
        }
    }

    /// What it asks of the drive at a position, while a line holds (A).
    pub fn force_a(&self, x: f64, line: &Line) -> f64 {
        let at_m = self.contact_m + self.direction * line.at_m;
        self.direction * line.force_n + line.rise_n_per_m * (x - at_m)
    }

    /// What it asks of the drive at the middle of a step (A).
    pub fn middle_a(&self, [x, v]: [f64; 2], deepest_m: f64, step_s: f64) -> f64 {
        let middle_m = x + 0.5 * step_s * v;
        let line = self.line(self.way_m(middle_m), deepest_m, v * self.direction > 0.0);
        self.force_a(middle_m, &line)
    }
}

/// Where a line of a part ends on the way in (1) or back (-1) (m).
pub(super) fn end_m(line: &Line, side: f64) -> f64 {
    if side > 0.0 { line.to_m } else { line.from_m }
}
