//! A crank or a table close to one place: its power series there.
//!
//! # Derivation
//! Within a cycle a drive turns by some hundredths of a radian, and where the ram is is asked a dozen times. So sine and root are
//! found once, in the middle of the way, and the rest is a polynomial. All series of
//! `W = l^2 - r^2 sin^2 q = l^2 - r^2 / 2 + r^2 / 2 cos 2q` are known; that of its root w follows from `w w = W`, one after the other:
//!
//! ```text
//! W_n = sum of w_k w_(n-k):   w_n = (W_n - w_1 w_(n-1) - ... - w_(n-1) w_1) / (2 w_0)
//! ```
//!
//! Up to [`REACH_RAD`] from there what is left out of the Jacobian is below 1e-8 of the crank for common rods, and 1e-12 a tenth
//! of that way from there. A rod that is hardly longer than its crank has a root that bends too sharply for that: its series
//! holds nowhere, and nothing is won. The piece of a table is a polynomial already: it holds to the ends of the piece.

use super::kinematics::{Kinematics, Table};

/// Coefficients of the place of the ram.
pub const TERMS: usize = 6;
/// How far from its middle the series of a crank holds (rad).
pub const REACH_RAD: f64 = 0.05;
/// What the last two terms of the Jacobian may be there (share of the crank): each is some hundredth of the one before, or every
/// second is 0.
const LAST_TERMS_MAX: f64 = 1e-4;

/// The ram around a place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Near {
    /// Middle: an angle of the drive (rad), or a place of the axis (m).
    pub middle: f64,
    /// Place of the ram by powers of the way from the middle.
    pub series: [f64; TERMS],
    /// Ways from the middle between which it holds.
    pub reach: [f64; 2],
}

impl Near {
    /// Around an angle of the drive (rad).
    pub fn of(kinematics: &Kinematics, q_rad: f64) -> Self {
        let (series, reach) = match kinematics {
            Kinematics::Screw { .. } => {
                let (s_m, m_per_rad) = kinematics.travel(q_rad);
                (straight(s_m, m_per_rad), [f64::NEG_INFINITY, f64::INFINITY])
            }
            Kinematics::Crank { radius_m, rod_m } => crank(*radius_m, *rod_m, q_rad),
            Kinematics::Table(table) => of_table(table, q_rad),
        };
        Self {
            middle: q_rad,
            series,
            reach,
        }
    }

    /// The same around a place of an axis `at_m` (m) that turns the drive by `rad_per_m` (rad/m).
    pub fn of_axis(self, at_m: f64, rad_per_m: f64) -> Self {
        let mut new = Self {
            middle: at_m,
            ..self
        };
        let mut factor = 1.0;
        for c in &mut new.series {
            *c *= factor;
            factor *= rad_per_m;
        }
        let per_rad = 1.0 / rad_per_m;
        let [low, high] = self.reach.map(|rad| rad * per_rad);
        new.reach = if rad_per_m > 0.0 {
            [low, high]
        } else {
            [high, low]
        };
        new
    }

    /// Place of the ram (m) and its first three derivatives at a place of what it is around; none beyond its reach.
    pub fn follow(&self, at: f64) -> Option<[f64; 4]> {
        let d = at - self.middle;
        let [low, high] = self.reach;
        if !(d >= low && d <= high) {
            return None;
        }
        let [c0, c1, c2, c3, c4, c5] = self.series;
        // Pairs of terms are known sooner than one after the other.
        let d2 = d * d;
        let place = (c0 + c1 * d) + ((c2 + c3 * d) + (c4 + c5 * d) * d2) * d2;
        let slope = (c1 + 2.0 * c2 * d) + ((3.0 * c3 + 4.0 * c4 * d) + 5.0 * c5 * d2) * d2;
        let bend = (2.0 * c2 + 6.0 * c3 * d) + (12.0 * c4 + 20.0 * c5 * d) * d2;
        let third = (6.0 * c3 + 24.0 * c4 * d) + 60.0 * c5 * d2;
        Some([place, slope, bend, third])
    }
}

/// Coefficients of powers.
type Series = [f64; TERMS];

fn straight(s_m: f64, slope: f64) -> Series {
    let mut series = [0.0; TERMS];
    (series[0], series[1]) = (s_m, slope);
    series
}

/// Series and reach of a crank.
fn crank(radius_m: f64, rod_m: f64, q_rad: f64) -> (Series, [f64; 2]) {
    /// 1 / n!.
    const PER_FACTORIAL: Series = [1.0, 1.0, 0.5, 1.0 / 6.0, 1.0 / 24.0, 1.0 / 120.0];
    let (sin, cos) = libm::sincos(q_rad);
    let (a, c) = (radius_m * sin, radius_m * cos);
    // Of r cos q, and of W without its constant: each derivative turns by a quarter.
    let turns = [c, -a, -c, a];
    let (cos2, sin2) = (0.5 * (c * c - a * a), a * c);
    let twice = [cos2, -sin2, -cos2, sin2];
    let mut w = [0.0; TERMS];
    w[0] = libm::sqrt(rod_m * rod_m - a * a);
    let half = 0.5 / w[0];
    let mut series = [0.0; TERMS];
    series[0] = radius_m * (1.0 - cos) + rod_m - w[0];
    w[1] = 2.0 * twice[1] * half;
    w[2] = (2.0 * twice[2] - w[1] * w[1]) * half;
    w[3] = (4.0 / 3.0 * twice[3] - 2.0 * (w[1] * w[2])) * half;
    w[4] = (2.0 / 3.0 * twice[0] - 2.0 * (w[1] * w[3]) - w[2] * w[2]) * half;
    w[5] = (4.0 / 15.0 * twice[1] - 2.0 * (w[1] * w[4] + w[2] * w[3])) * half;
    for n in 1..TERMS {
        series[n] = -(PER_FACTORIAL[n] * turns[n % 4]) - w[n];
    }
    let mut power = radius_m;
    let mut holds = true;
    for (n, c) in series.iter().enumerate().skip(1) {
        let term = n as f64 * c * power;
        let small = LAST_TERMS_MAX * radius_m * radius_m;
        holds &= n < TERMS - 2 || term * term <= small * small;
        power *= REACH_RAD;
    }
    let reach = if holds { REACH_RAD } else { 0.0 };
    (series, [-reach, reach])
}

/// Series and reach of the piece of a table.
fn of_table(table: &Table, q_rad: f64) -> (Series, [f64; 2]) {
    let [first, last] = table.ends_rad();
    let (s_m, m_per_rad, bend) = table.follow(q_rad);
    let mut series = straight(s_m, m_per_rad);
    if q_rad <= first {
        return (series, [f64::NEG_INFINITY, first - q_rad]);
    }
    if q_rad >= last {
        return (series, [last - q_rad, f64::INFINITY]);
    }
    let (ends, third) = table.piece(q_rad);
    (series[2], series[3]) = (0.5 * bend, third / 6.0);
    (series, ends.map(|end_rad| end_rad - q_rad))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How far the series are from what is looked up, of place, slope and bend, over all of their reach.
    fn off(kinematics: &Kinematics, q: f64) -> [f64; 3] {
        let near = Near::of(kinematics, q);
        let [low, high] = near.reach.map(|reach| reach.clamp(-0.2, 0.2));
        let mut worst = [0.0; 3];
        for n in 0..=20 {
            // Not the very ends, where another piece of a table begins.
            let at = q + low + (high - low) * (0.001 + 0.998 * f64::from(n) / 20.0);
            let [s, j, b, _] = near.follow(at).expect("within reach");
            let (s1, j1, b1) = kinematics.follow(at);
            for (worst, off) in worst.iter_mut().zip([s - s1, j - j1, b - b1]) {
                *worst = off.abs().max(*worst);
            }
        }
        worst
    }

    #[test]
    fn a_crank_is_its_series_to_seven_digits() {
        for rod_m in [0.15, 0.3, 0.9] {
            let crank = Kinematics::crank(0.06, rod_m).expect("a crank");
            for n in -70..70 {
                let [s, j, b] = off(&crank, 0.1 * f64::from(n));
                assert!(
                    s < 2e-11 && j < 2e-9 && b < 2e-7,
                    "{rod_m}, {n}: {s} {j} {b}"
                );
            }
        }
    }

    #[test]
    fn a_rod_as_long_as_its_crank_is_never_taken_for_a_series_that_is_wrong() {
        let crank = Kinematics::crank(0.06, 0.0601).expect("a crank");
        let mut held = 0;
        for n in -70..70 {
            let q = 0.1 * f64::from(n);
            held += i32::from(Near::of(&crank, q).reach[1] > 0.0);
            let [s, j, _] = off(&crank, q);
            assert!(s < 1e-7 && j < 1e-5, "{n}: {s} {j}");
        }
        assert!((1..140).contains(&held), "{held}");
    }

    #[test]
    fn a_table_is_its_piece_and_a_screw_is_straight() {
        let nodes = [0.0, 0.4, 0.9, 1.3];
        let table = Table::new(&nodes, &[0.0, 0.02, 0.09, 0.13], None).expect("rises");
        let all = [
            Kinematics::Table(table),
            Kinematics::screw(0.01).expect("a screw"),
        ];
        for kinematics in all {
            for n in -10..30 {
                let [s, j, b] = off(&kinematics, 0.0503 * f64::from(n));
                assert!(s < 1e-15 && j < 1e-15 && b < 1e-13, "{n}: {s} {j} {b}");
            }
        }
    }

    #[test]
    fn an_axis_turns_the_drive_either_way() {
        let crank = Kinematics::crank(0.06, 0.3).expect("a crank");
        for rad_per_m in [30.0, -30.0] {
            let near = Near::of(&crank, 0.7).of_axis(0.2, rad_per_m);
            for d_m in [-0.0001, 0.0, 0.0001] {
                let [s, j, b, _] = near.follow(0.2 + d_m).expect("within reach");
                let (s1, j1, b1) = crank.follow(0.7 + d_m * rad_per_m);
                assert!((s - s1).abs() < 1e-13);
                assert!((j - j1 * rad_per_m).abs() < 1e-10);
                assert!((b - b1 * rad_per_m * rad_per_m).abs() < 1e-6);
            }
            assert_eq!(near.follow(0.202), None);
            assert_eq!(near.follow(f64::NAN), None);
        }
    }
}
