//! What the workpiece answers to the ram: a press fit, or a forming force by table with elastic return.
//!
//! # Derivation
//! **Press fit.** A solid pin of radius r_c in a hub of outer radius r_o, both of modulus E, with the interference d on the
//! radius: by Lame the pressure in the joint is `p = d E (r_o^2 - r_c^2) / (2 r_c r_o^2)`. The pin slides in against
//! `F = mu p` times the area in contact, `2 pi r_c` times the way since contact: it rises linearly. Once the shoulder seats,
//! pin and hub are pressed together elastically: `k_s` times the way beyond is added. Pulled back, the fit holds by the
//! same friction in the other direction and does not push the ram; only what was elastic in the shoulder pushes it back.
//!
//! **Forming.** `F(x)` of the yielding material is a table. On the way back the workpiece springs: from the deepest point
//! `x_p` the force falls with the elastic stiffness, `F = F(x_p) - k_e (x_p - x)`, until it is 0; pressed again it rises
//! along the same line up to the old curve. So the only memory is the deepest point. A table that begins with a force is reached
//! along such a line too: a force out of nothing would give back work that nobody had put in.

/// Most nodes of a forming table.
pub const MAX_NODES: usize = 64;

/// A press fit with a shoulder.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PressFit {
    /// Where the pin meets the hub (m, in the direction of the way in).
    pub contact_m: f64,
    /// Radius of the joint (m, > 0).
    pub joint_radius_m: f64,
    /// Outer radius of the hub (m, more than that of the joint).
    pub hub_radius_m: f64,
    /// Interference on the radius (m, >= 0).
    pub interference_m: f64,
    /// Modulus of elasticity of both (Pa, > 0).
    pub modulus_pa: f64,
    /// Friction of the joint (1, >= 0).
    pub friction: f64,
    /// Way after contact at which the shoulder seats (m, >= 0).
    pub shoulder_m: f64,
    /// Stiffness of the seated shoulder (N/m, >= 0).
    pub seating_n_per_m: f64,
}

impl PressFit {
    /// Pressure in the joint (Pa).
    pub fn pressure_pa(&self) -> f64 {
        let (r, o) = (self.joint_radius_m, self.hub_radius_m);
        self.interference_m * self.modulus_pa * (o * o - r * r) / (2.0 * r * o * o)
    }

    /// Rise of the force with the way (N/m).
    pub fn stiffness_n_per_m(&self) -> f64 {
        self.friction * self.pressure_pa() * 2.0 * core::f64::consts::PI * self.joint_radius_m
    }

    /// Force on the way in (N), 0 or more, at the way `w_m` after contact.
    fn in_n(&self, w_m: f64) -> f64 {
        if w_m <= 0.0 {
            return 0.0;
        }
        // Beyond the shoulder no more of the joint comes into contact.
        let (joint_m, seated_m) = if w_m > self.shoulder_m {
            (self.shoulder_m, w_m - self.shoulder_m)
        } else {
            (w_m, 0.0)
        };
        self.stiffness_n_per_m() * joint_m + self.seating_n_per_m * seated_m
    }
}

/// A forming force over the ram position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forming {
    x_m: [f64; MAX_NODES],
    force_n: [f64; MAX_NODES],
    count: usize,
    /// Stiffness of the elastic return (N/m, > 0).
    elastic_n_per_m: f64,
}

/// A straight piece of the force over the ram position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// Where it ends on the way back (m); -infinity where it does not.
    pub from_m: f64,
    /// Where it ends on the way in (m); infinity where it does not.
    pub to_m: f64,
    /// A place (m).
    pub at_m: f64,
    /// The force there (N).
    pub force_n: f64,
    /// How it rises on the way in (N/m).
    pub rise_n_per_m: f64,
    /// The material yields: on the way back something else holds.
    pub yields: bool,
}

impl Line {
    /// No force anywhere.
    pub const NOTHING: Self = Self {
        from_m: f64::NEG_INFINITY,
        to_m: f64::INFINITY,
        at_m: 0.0,
        force_n: 0.0,
        rise_n_per_m: 0.0,
        yields: false,
    };
}

/// Why a forming table was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormingError {
    /// It takes 2 to [`MAX_NODES`] nodes, and as many forces as positions.
    Nodes {
        /// Positions that came.
        actual: usize,
    },
    /// Positions must rise, forces must be 0 or more, and all of them finite.
    Node {
        /// The first that is not so.
        node: usize,
    },
    /// The elastic return must be more than 0 and finite.
    Elastic,
}

impl core::fmt::Display for FormingError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Nodes { actual } => write!(
                f,
                "a forming table takes 2 to {MAX_NODES} nodes with a position and a force each, and {actual} positions came"
            ),
            Self::Node { node } => write!(
                f,
                "node {node} of the forming table: expected a position beyond the one before it and a force of 0 N or more"
            ),
            Self::Elastic => {
                f.write_str("the stiffness of the elastic return must be more than 0 N/m")
            }
        }
    }
}

impl core::error::Error for FormingError {}

impl Forming {
    /// A table of positions (m, rising, in the direction of the way in) and forces (N, 0 or more).
    ///
    /// # Errors
    /// [`FormingError`] with the node that is wrong.
    pub fn new(x_m: &[f64], force_n: &[f64], elastic_n_per_m: f64) -> Result<Self, FormingError> {
        let count = x_m.len();
        if !(2..=MAX_NODES).contains(&count) || force_n.len() != count {
            return Err(FormingError::Nodes { actual: count });
        }
        if !(elastic_n_per_m > 0.0 && elastic_n_per_m.is_finite()) {
            return Err(FormingError::Elastic);
        }
        let mut forming = Self {
            x_m: [0.0; MAX_NODES],
            force_n: [0.0; MAX_NODES],
            count,
            elastic_n_per_m,
        };
        for node in 0..count {
            let (x, f) = (x_m[node], force_n[node]);
            let rises = node == 0 || x > x_m[node - 1];
            if !(x.is_finite() && f.is_finite() && f >= 0.0 && rises) {
                return Err(FormingError::Node { node });
            }
            (forming.x_m[node], forming.force_n[node]) = (x, f);
        }
        Ok(forming)
    }

    /// The largest stiffness that the ram meets, on the way in or back (N/m).
    pub fn stiffest_n_per_m(&self) -> f64 {
        let mut stiffest = self.elastic_n_per_m;
        for node in 1..self.count {
            let rise = self.row(node - 1).rise_n_per_m.abs();
            if rise > stiffest {
                stiffest = rise;
            }
        }
        stiffest
    }

    /// Where the ram meets the workpiece (m) that has been as deep as `deepest_m` (m).
    pub fn meets_m(&self, deepest_m: f64) -> f64 {
        let deepest_m = self.behind_the_first(deepest_m);
        deepest_m - self.yields_n(deepest_m) / self.elastic_n_per_m
    }

    /// What holds around `x_m` (m) on the way in or back, when the ram has been as deep as `deepest_m` (m) in this workpiece. Where a line ends the next
    /// one begins with the same force.
    pub fn line(&self, x_m: f64, deepest_m: f64, inward: bool) -> Line {
        let mut deepest_m = self.behind_the_first(deepest_m);
        if x_m >= deepest_m {
            if inward {
                let row = (1..self.count).find(|node| x_m < self.x_m[*node]);
                return self.row(row.unwrap_or(self.count) - 1);
            }
            deepest_m = x_m;
        }
        let most_n = self.yields_n(deepest_m);
        let meets_m = deepest_m - most_n / self.elastic_n_per_m;
        if x_m > meets_m || (inward && x_m >= meets_m) {
            Line {
                from_m: meets_m,
                to_m: deepest_m,
                at_m: deepest_m,
                force_n: most_n,
                rise_n_per_m: self.elastic_n_per_m,
                yields: false,
            }
        } else {
            Line {
                to_m: meets_m,
                ..Line::NOTHING
            }
        }
    }

    /// Before the table it is as elastic as after it.
    fn behind_the_first(&self, deepest_m: f64) -> f64 {
        let first_m = self.x_m[0];
        if deepest_m > first_m {
            deepest_m
        } else {
            first_m
        }
    }

    /// From a node to the next one, or beyond the last.
    fn row(&self, node: usize) -> Line {
        let (at_m, force_n) = (self.x_m[node], self.force_n[node]);
        let mut row = Line {
            at_m,
            force_n,
            yields: true,
            ..Line::NOTHING
        };
        if node + 1 < self.count {
            row.to_m = self.x_m[node + 1];
            row.rise_n_per_m = (self.force_n[node + 1] - force_n) / (row.to_m - at_m);
        }
        row
    }

    /// Force of the yielding material at `x_m` (N): 0 before the table, the last value beyond it.
    fn yields_n(&self, x_m: f64) -> f64 {
        if x_m < self.x_m[0] {
            return 0.0;
        }
        for node in 1..self.count {
            if x_m < self.x_m[node] {
                let share = (x_m - self.x_m[node - 1]) / (self.x_m[node] - self.x_m[node - 1]);
                return self.force_n[node - 1]
                    + share * (self.force_n[node] - self.force_n[node - 1]);
            }
        }
        self.force_n[self.count - 1]
    }
}

/// What is in the press.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "one workpiece a part, in place: there is no heap to put the table on"
)]
pub enum Workpiece {
    /// A press fit.
    Fit(PressFit),
    /// Forming by table.
    Forming(Forming),
}

impl Workpiece {
    /// Force (N), 0 or more, with the ram at `x_m`, when it has been as deep as `deepest_m` (m) in this workpiece.
    pub fn force_n(&self, x_m: f64, deepest_m: f64) -> f64 {
        let deepest_m = if deepest_m > x_m { deepest_m } else { x_m };
        let force = match self {
            Self::Fit(fit) => {
                let (way, deepest) = (x_m - fit.contact_m, deepest_m - fit.contact_m);
                if way >= deepest {
                    fit.in_n(way)
                } else {
                    let seated = fit.seating_n_per_m * (way - fit.shoulder_m);
                    // The joint holds the pin where it is; what pushes is the shoulder alone.
                    if way > fit.shoulder_m { seated } else { 0.0 }
                }
            }
            Self::Forming(table) => {
                let deepest_m = table.behind_the_first(deepest_m);
                let line = table.yields_n(deepest_m) - table.elastic_n_per_m * (deepest_m - x_m);
                let yields = table.yields_n(x_m);
                // A table that falls is below the elastic line on its own: the smaller of the two is what is there.
                if x_m < deepest_m { line } else { yields }
            }
        };
        if force > 0.0 { force } else { 0.0 }
    }
}

/// A workpiece in the press: what it is, and how deep the ram has been.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pressed {
    /// The workpiece.
    pub workpiece: Workpiece,
    /// The deepest position so far (m).
    pub deepest_m: f64,
}

impl Pressed {
    /// A new workpiece.
    pub const fn new(workpiece: Workpiece) -> Self {
        Self {
            workpiece,
            deepest_m: f64::NEG_INFINITY,
        }
    }

    /// Force (N) with the ram at `x_m`; the workpiece remembers it.
    pub fn press(&mut self, x_m: f64) -> f64 {
        if x_m > self.deepest_m {
            self.deepest_m = x_m;
        }
        self.workpiece.force_n(x_m, self.deepest_m)
    }
}

#[cfg(test)]
mod tests;
