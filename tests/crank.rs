//! What the motor of the shipped crank press says of its strokes, by geometry and virtual work.
#![expect(
    clippy::disallowed_methods,
    reason = "expected values within a tolerance, on whatever platform"
)]

use std::fmt::Write as _;

/// The figures of the shipped machine, once more and by hand.
pub const CRANK_M: f64 = 0.06;
/// Length of the rod (m).
pub const ROD_M: f64 = 0.3;
/// Turns of the motor per turn of the crank.
pub const GEAR: f64 = 12.0;
/// Torque constant (N m/A).
pub const KT: f64 = 2.0;
/// Stiffness of the part (N/m).
pub const PART_N_PER_M: f64 = 1.5e6;
/// Stiffness of the frame (N/m).
pub const FRAME_N_PER_M: f64 = 400.0e6;
/// Where the part is met (m).
pub const CONTACT_M: f64 = 0.1;
/// Counterbalance (N).
pub const BALANCE_N: f64 = 1500.0;

/// Rows of one swing, at 1 kHz.
const SWING: usize = 2000;

/// Travel of a rigid ram at this angle of the crank (rad), by the cosine rule (m).
#[must_use]
pub fn travel_m(q: f64) -> f64 {
    let b = CRANK_M * q.cos();
    CRANK_M + ROD_M - (b + (b * b + ROD_M * ROD_M - CRANK_M * CRANK_M).sqrt())
}

/// Force of part and frame in series, the part `factor` times as stiff as it should be, the ram at `travel_m` behind a rigid frame (N).
#[must_use]
pub fn part_n(travel_m: f64, factor: f64) -> f64 {
    let part = factor * PART_N_PER_M;
    let both = part * FRAME_N_PER_M / (part + FRAME_N_PER_M);
    both * (travel_m - CONTACT_M).max(0.0)
}

/// Angle of the crank (rad), force of the part (N), and whether the ram goes in, at row `k`: a swing of 2 s from 10 to 170 deg and back for
/// each of the parts, which are so many times as stiff as they should be. On the way back a part springs with ten times its stiffness.
fn ram(parts: &[f64], k: usize) -> (f64, f64, bool) {
    let factor = (parts.get(k / SWING).or(parts.last()))
        .copied()
        .unwrap_or(1.0);
    let t = k as f64 * 1e-3;
    let q = (90.0 - 80.0 * (std::f64::consts::PI * t).cos()).to_radians();
    let goes_in = (std::f64::consts::PI * t).sin() > 0.0;
    if goes_in {
        return (q, part_n(travel_m(q), factor), goes_in);
    }
    let deepest_m = travel_m(170.0_f64.to_radians());
    let elastic = 10.0 * factor * PART_N_PER_M;
    let both = elastic * FRAME_N_PER_M / (elastic + FRAME_N_PER_M);
    let back_n = part_n(deepest_m, factor) - both * (deepest_m - travel_m(q));
    (q, back_n.max(0.0), goes_in)
}

fn rows(parts: &[f64]) -> std::ops::Range<usize> {
    0..parts.len() * SWING + SWING / 10
}

/// Angle (deg) and current (A) of the motor, row by row, with this friction of the ram's guide.
#[must_use]
pub fn swings(parts: &[f64], friction_n: f64) -> Vec<[f64; 2]> {
    let row = |k: usize| {
        let (q, part_n, goes_in) = ram(parts, k);
        // Virtual work, by a difference quotient.
        let h = 1e-5;
        let m_per_rad = (travel_m(q + h) - travel_m(q - h)) / (2.0 * h);
        let current = if goes_in {
            (part_n + BALANCE_N + friction_n) * m_per_rad / 0.92 / GEAR / KT
        } else {
            (part_n + BALANCE_N - friction_n) * m_per_rad * 0.9 / GEAR / KT
        };
        [GEAR * q.to_degrees(), current]
    };
    rows(parts).map(row).collect()
}

/// Angle of the motor (deg) and what a sensor on the ram says (N), row by row.
#[must_use]
pub fn forces(parts: &[f64]) -> Vec<[f64; 2]> {
    let row = |k: usize| {
        let (q, part_n, _) = ram(parts, k);
        [GEAR * q.to_degrees(), part_n]
    };
    rows(parts).map(row).collect()
}

/// A table of the shipped machine with these rows, currents or forces.
#[must_use]
pub fn table(rows: &[[f64; 2]]) -> String {
    let mut text = "t_s,motor_deg,current_a\n".to_owned();
    for (k, [angle, current]) in rows.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{},{angle},{current}", k as f64 * 1e-3);
    }
    text
}
