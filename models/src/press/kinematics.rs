//! From the drive's angle to the travel of the ram, and from the force on the ram to the torque on the drive.
//!
//! # Derivation
//! Without losses the work of the motor is the work of the ram, `T dq = F ds`, whatever stands between the two, so
//! `T = F ds/dq`: the Jacobian of the drive is all that the current needs to know of it.
//!
//! - Direct screw: `s = p q / (2 pi)`, `ds/dq = p / (2 pi)`.
//! - Slider-crank, q from the upper dead centre, r the crank, l > r the rod:
//!   `s = r (1 - cos q) + l - w`, `w = sqrt(l^2 - r^2 sin^2 q)`, and because `dw/dq = -r^2 sin q cos q / w`,
//!   `ds/dq = r sin q (1 + r cos q / w)`. It is 0 in both dead centres, where no torque holds any force.
//!   Once more, `d2s/dq2 = c + (c^2 - a^2) / w + a^2 c^2 / w^3` with `a = r sin q` and `c = r cos q`.
//! - Knuckle, toggle and link drives: `s` and `ds/dq` in a table, from the builder's drawing. Between two nodes the cubic
//!   that has both values and both slopes (Hermite): C1, and its error falls with the fourth power of the distance of the
//!   nodes. `ds/dq` is the derivative of that very cubic and never a table of its own, so that work is kept exactly.
//!   Where the builder gives no slopes they are those of parabolas through three nodes each, limited (Fritsch and Carlson) so
//!   that no travel is invented between two nodes: where the values rise the cubic rises. Close to a dead centre, where a
//!   Jacobian that is off makes a force that is off, they are exact to second order.

use core::f64::consts::PI;

/// Most nodes of a table.
pub const MAX_NODES: usize = 64;

/// What turns the drive's angle into travel.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "one drive a press, in place: there is no heap to put the table on"
)]
pub enum Kinematics {
    /// A screw.
    Screw {
        /// Travel per turn (m, not 0).
        lead_m: f64,
    },
    /// A crank, from the upper dead centre.
    Crank {
        /// Crank (m, > 0).
        radius_m: f64,
        /// Rod (m, more than the crank).
        rod_m: f64,
    },
    /// A table of travel over angle.
    Table(Table),
}

/// Why a drive was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KinematicsError {
    /// A table needs at least two nodes.
    TooFew {
        /// Nodes that came.
        actual: usize,
    },
    /// A table has at most [`MAX_NODES`].
    TooMany {
        /// Nodes that came.
        actual: usize,
    },
    /// Lists of different length.
    Lengths,
    /// A value that is no finite number.
    NotFinite {
        /// Its node.
        node: usize,
    },
    /// Angles must rise.
    Order {
        /// The first node that is not beyond the one before it.
        node: usize,
    },
    /// The lead is 0, or the rod is not longer than the crank.
    Degenerate,
}

impl core::fmt::Display for KinematicsError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::TooFew { actual } => {
                write!(
                    f,
                    "a table of a drive needs 2 nodes or more, and has {actual}"
                )
            }
            Self::TooMany { actual } => write!(
                f,
                "a table of a drive holds {MAX_NODES} nodes, and {actual} came: leave out every second one"
            ),
            Self::Lengths => f.write_str("angles, travels and slopes differ in number"),
            Self::NotFinite { node } => write!(f, "node {node} of the table is no finite number"),
            Self::Order { node } => {
                write!(
                    f,
                    "the angle of node {node} is not beyond the one before it: sort the table"
                )
            }
            Self::Degenerate => f.write_str(
                "expected a lead that is not 0, or a crank above 0 and a rod longer than it",
            ),
        }
    }
}

impl core::error::Error for KinematicsError {}

impl Kinematics {
    /// A screw.
    ///
    /// # Errors
    /// [`KinematicsError::Degenerate`] for a lead of 0 or no number.
    pub fn screw(lead_m: f64) -> Result<Self, KinematicsError> {
        if lead_m.is_finite() && lead_m != 0.0 {
            Ok(Self::Screw { lead_m })
        } else {
            Err(KinematicsError::Degenerate)
        }
    }

    /// A slider-crank.
    ///
    /// # Errors
    /// [`KinematicsError::Degenerate`] unless `0 < radius_m < rod_m`.
    pub fn crank(radius_m: f64, rod_m: f64) -> Result<Self, KinematicsError> {
        if radius_m > 0.0 && rod_m > radius_m && rod_m.is_finite() {
            Ok(Self::Crank { radius_m, rod_m })
        } else {
            Err(KinematicsError::Degenerate)
        }
    }

    /// Travel (m) and its derivative (m/rad) at the angle `q_rad` of the drive.
    ///
    /// A table goes on beyond its ends with its last slope: a press that is there has other worries, and nothing jumps.
    pub fn travel(&self, q_rad: f64) -> (f64, f64) {
        match self {
            Self::Screw { lead_m } => {
                let m_per_rad = lead_m / (2.0 * PI);
                (m_per_rad * q_rad, m_per_rad)
            }
            Self::Crank { radius_m, rod_m } => {
                let (sin, cos) = libm::sincos(q_rad);
                let across_m = radius_m * sin;
                let along_m = libm::sqrt(rod_m * rod_m - across_m * across_m);
                (
                    radius_m * (1.0 - cos) + rod_m - along_m,
                    across_m * (1.0 + radius_m * cos / along_m),
                )
            }
            Self::Table(table) => table.travel(q_rad),
        }
    }

    /// [`Self::travel`], to the last bit, and how its derivative changes with the angle (m/rad2): a crank's sine and root, or the piece
    /// of a table, are found once. Of a table that change is the one of the piece, and jumps a little from one to the next; 0 beyond its
    /// ends.
    pub fn follow(&self, q_rad: f64) -> (f64, f64, f64) {
        match self {
            Self::Screw { .. } => {
                let (s_m, m_per_rad) = self.travel(q_rad);
                (s_m, m_per_rad, 0.0)
            }
            Self::Crank { radius_m, rod_m } => {
                let (sin, cos) = libm::sincos(q_rad);
                let (a, c) = (radius_m * sin, radius_m * cos);
                let along_m = libm::sqrt(rod_m * rod_m - a * a);
                let ac = a * c;
                (
                    radius_m * (1.0 - cos) + rod_m - along_m,
                    a * (1.0 + c / along_m),
                    c + (c * c - a * a) / along_m + ac * ac / (along_m * along_m * along_m),
                )
            }
            Self::Table(table) => table.follow(q_rad),
        }
    }
}

/// Travel over angle as nodes, with slopes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Table {
    q_rad: [f64; MAX_NODES],
    s_m: [f64; MAX_NODES],
    slope_m_per_rad: [f64; MAX_NODES],
    count: usize,
}

impl Table {
    /// A table from angles (rad, rising), travels (m) and, where the builder gives them, slopes (m/rad).
    ///
    /// # Errors
    /// [`KinematicsError`] with the node that is wrong.
    pub fn new(
        q_rad: &[f64],
        s_m: &[f64],
        slope_m_per_rad: Option<&[f64]>,
    ) -> Result<Self, KinematicsError> {
        let count = q_rad.len();
        if count < 2 {
            return Err(KinematicsError::TooFew { actual: count });
        }
        if count > MAX_NODES {
            return Err(KinematicsError::TooMany { actual: count });
        }
        if s_m.len() != count || slope_m_per_rad.is_some_and(|slopes| slopes.len() != count) {
            return Err(KinematicsError::Lengths);
        }
        let mut table = Self {
            q_rad: [0.0; MAX_NODES],
            s_m: [0.0; MAX_NODES],
            slope_m_per_rad: [0.0; MAX_NODES],
            count,
        };
        for node in 0..count {
            let (q, s) = (q_rad[node], s_m[node]);
            let slope = slope_m_per_rad.map_or(0.0, |slopes| slopes[node]);
            if !(q.is_finite() && s.is_finite() && slope.is_finite()) {
                return Err(KinematicsError::NotFinite { node });
            }
            if node > 0 && q <= q_rad[node - 1] {
                return Err(KinematicsError::Order { node });
            }
            (table.q_rad[node], table.s_m[node]) = (q, s);
            table.slope_m_per_rad[node] = slope;
        }
        if slope_m_per_rad.is_none() {
            table.slopes();
        }
        Ok(table)
    }

    /// Slopes that keep the cubic monotone wherever the values are (Fritsch and Carlson 1980).
    fn slopes(&mut self) {
        let last = self.count - 1;
        for node in 0..self.count {
            self.slope_m_per_rad[node] = if last == 1 {
                self.chord(0)
            } else if node == 0 {
                self.end_slope(0, 1)
            } else if node == last {
                self.end_slope(last - 1, last - 2)
            } else {
                let (before, after) = (self.chord(node - 1), self.chord(node));
                if before * after <= 0.0 {
                    0.0
                } else {
                    // Of the parabola through three nodes; no more than three times the smaller chord keeps it monotone.
                    let (h0, h1) = (self.width(node - 1), self.width(node));
                    let slope = (h1 * before + h0 * after) / (h0 + h1);
                    let smaller = if before * before < after * after {
                        before
                    } else {
                        after
                    };
                    if slope * slope > 9.0 * smaller * smaller {
                        3.0 * smaller
                    } else {
                        slope
                    }
                }
            };
        }
    }

    /// Slope at an end of the table: that of the parabola through the last three nodes, so that it is 0 in a dead centre,
    /// but never against its own piece.
    fn end_slope(&self, piece: usize, next: usize) -> f64 {
        let (h0, h1) = (self.width(piece), self.width(next));
        let (own, beside) = (self.chord(piece), self.chord(next));
        let slope = own + h0 * (own - beside) / (h0 + h1);
        if slope * own <= 0.0 {
            0.0
        } else if own * beside <= 0.0 && slope * slope > 9.0 * own * own {
            3.0 * own
        } else {
            slope
        }
    }

    fn width(&self, node: usize) -> f64 {
        self.q_rad[node + 1] - self.q_rad[node]
    }

    fn chord(&self, node: usize) -> f64 {
        (self.s_m[node + 1] - self.s_m[node]) / self.width(node)
    }

    /// Angle (rad) and travel (m) of every node.
    pub fn nodes(&self) -> impl Iterator<Item = [f64; 2]> + '_ {
        let nodes = self.q_rad.iter().zip(&self.s_m).take(self.count);
        nodes.map(|(q_rad, s_m)| [*q_rad, *s_m])
    }

    /// Angles of the first and of the last node (rad).
    pub fn ends_rad(&self) -> [f64; 2] {
        [self.q_rad[0], self.q_rad[self.count - 1]]
    }

    /// Travel (m) and its derivative (m/rad) at `q_rad`.
    pub fn travel(&self, q_rad: f64) -> (f64, f64) {
        let (s_m, m_per_rad, _) = self.follow(q_rad);
        (s_m, m_per_rad)
    }

    /// The same, and the second derivative (m/rad2), 0 beyond the ends.
    #[inline]
    pub(super) fn follow(&self, q_rad: f64) -> (f64, f64, f64) {
        let last = self.count - 1;
        let beyond = |node: usize| {
            let slope = self.slope_m_per_rad[node];
            let s_m = self.s_m[node] + slope * (q_rad - self.q_rad[node]);
            (s_m, slope, 0.0)
        };
        if q_rad <= self.q_rad[0] {
            return beyond(0);
        }
        if q_rad >= self.q_rad[last] {
            return beyond(last);
        }
        let (u, h, [s0, m0, c2, c3]) = self.cubic(q_rad);
        (
            s0 + u * (m0 + u * (c2 + u * c3)),
            (m0 + u * (2.0 * c2 + 3.0 * u * c3)) / h,
            (2.0 * c2 + 6.0 * u * c3) / (h * h),
        )
    }

    /// Ends (rad) of the piece that holds `q_rad`, which is between the ends of the table, and its third derivative (m/rad3).
    pub(super) fn piece(&self, q_rad: f64) -> ([f64; 2], f64) {
        let (u, h, [_, _, _, c3]) = self.cubic(q_rad);
        let low_rad = q_rad - u * h;
        ([low_rad, low_rad + h], 6.0 * c3 / (h * h * h))
    }

    /// The piece that holds `q_rad`, which is between the ends: the share of it that is passed, its width (rad), and
    /// `s = s0 + u (m0 + u (c2 + u c3))`, the Hermite cubic by powers of that share.
    fn cubic(&self, q_rad: f64) -> (f64, f64, [f64; 4]) {
        let (mut low, mut high) = (0, self.count - 1);
        while high - low > 1 {
            let middle = usize::midpoint(low, high);
            if self.q_rad[middle] <= q_rad {
                low = middle;
            } else {
                high = middle;
            }
        }
        let h = self.width(low);
        let u = (q_rad - self.q_rad[low]) / h;
        let (s0, s1) = (self.s_m[low], self.s_m[low + 1]);
        let (m0, m1) = (
            h * self.slope_m_per_rad[low],
            h * self.slope_m_per_rad[low + 1],
        );
        let (c2, c3) = (3.0 * (s1 - s0) - 2.0 * m0 - m1, 2.0 * (s0 - s1) + m0 + m1);
        (u, h, [s0, m0, c2, c3])
    }
}

#[cfg(test)]
mod tests;
