//! Eight axes side by side: the unit in which everything is stored and stepped.
//!
//! A lane is a plain array, so that a loop over it becomes SIMD where the target has it and gives the same bits where not:
//! only + - * / and comparisons are used, in one order, never contracted.

/// Axes per lane.
pub const LANES: usize = 8;

/// One quantity of eight axes.
pub type Lane = [f64; LANES];

/// A threshold of eight axes, which needs no more digits; what is computed with is a [`Lane`].
pub type Narrow = [f32; LANES];

/// The largest narrow number that is not above `x`.
pub const fn rounded_down(x: f64) -> f32 {
    let nearest = x as f32;
    if nearest as f64 > x {
        nearest.next_down()
    } else {
        nearest
    }
}

/// All zeros.
pub const ZERO: Lane = [0.0; LANES];

/// Number of lanes that hold `axes` axes.
pub const fn lanes_for(axes: usize) -> usize {
    axes.div_ceil(LANES)
}

/// The larger of both.
#[inline(always)]
pub const fn larger(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

/// Limits `x` to `-limit..=limit`.
#[inline(always)]
pub fn clamp(x: f64, limit: f64) -> f64 {
    let low = if x < -limit { -limit } else { x };
    if low > limit { limit } else { low }
}
