//! The scenario file that `py/scenario.py` writes: one motion of many axes. All numbers are f64, little endian.

use std::error::Error;
use std::path::Path;

/// Parameters of an axis, in the order of `struct axis` in `c/axis.h`.
pub const PARAMS: usize = 16;
/// Position (m), velocity (m/s), motor current, integrator, reported current (A).
pub const STATES: usize = 5;
/// Numbers before the arrays.
const HEADER: usize = 8;

/// State of one axis.
pub type State = [f64; STATES];

/// Parameters of one axis, as they stand in the file; units in `c/axis.h`.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "documented in c/axis.h")]
pub struct Params {
    pub inertia: f64,
    pub coulomb_positive_a: f64,
    pub coulomb_negative_a: f64,
    pub viscous: f64,
    pub stribeck_a: f64,
    pub stribeck_velocity_m_per_s: f64,
    pub gravity_a: f64,
    pub position_gain_per_s: f64,
    pub velocity_gain: f64,
    pub integral_gain: f64,
    pub velocity_feedforward: f64,
    pub limit_a: f64,
    pub current_time_constant_s: f64,
    pub current_filter_s: f64,
    pub smooth_m_per_s: f64,
    pub observer_hz: f64,
}

impl Params {
    fn new(p: &[f64; PARAMS]) -> Self {
        let &[
            inertia,
            coulomb_positive_a,
            coulomb_negative_a,
            viscous,
            stribeck_a,
            stribeck_velocity_m_per_s,
            gravity_a,
            position_gain_per_s,
            velocity_gain,
            integral_gain,
            velocity_feedforward,
            limit_a,
            current_time_constant_s,
            current_filter_s,
            smooth_m_per_s,
            observer_hz,
        ] = p;
        Self {
            inertia,
            coulomb_positive_a,
            coulomb_negative_a,
            viscous,
            stribeck_a,
            stribeck_velocity_m_per_s,
            gravity_a,
            position_gain_per_s,
            velocity_gain,
            integral_gain,
            velocity_feedforward,
            limit_a,
            current_time_constant_s,
            current_filter_s,
            smooth_m_per_s,
            observer_hz,
        }
    }
}

/// One motion of all axes. Arrays are `[cycle][axis]`.
pub struct Scenario {
    /// Number of axes.
    pub axes: usize,
    /// Number of cycles.
    pub cycles: usize,
    /// Period (s).
    pub period_s: f64,
    /// Limits on the residuals of position (m), velocity (m/s) and current (A).
    pub limits: [f64; 3],
    /// Parameters by axis.
    pub params: Vec<Params>,
    /// State to start from, by axis.
    pub start: Vec<State>,
    targets_m: Vec<f64>,
    measured: [Vec<f64>; 3],
}

impl Scenario {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, Box<dyn Error>> {
        let bytes = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let all: Vec<f64> = bytes
            .as_chunks()
            .0
            .iter()
            .map(|b| f64::from_le_bytes(*b))
            .collect();
        let bad = |what: &str| format!("{}: {what}: make the scenario anew", path.display());
        let Some((&[axes, cycles, params, states, period_s, a, b, c], data)) =
            all.split_first_chunk::<HEADER>()
        else {
            return Err(bad("no header").into());
        };
        let (axes, cycles) = (axes as usize, cycles as usize);
        if (params, states) != (PARAMS as f64, STATES as f64)
            || !(1..=1024).contains(&axes)
            || !(1..=1_000_000).contains(&cycles)
        {
            return Err(bad("other numbers of parameters, states, axes or cycles").into());
        }
        let samples = axes * cycles;
        let expected = axes * (PARAMS + STATES + 1) + 4 * samples;
        if data.len() != expected {
            return Err(bad(&format!(
                "{expected} numbers expected, {} found",
                data.len()
            ))
            .into());
        }
        let (params, data) = data.split_at(axes * PARAMS);
        let (start, data) = data.split_at(axes * STATES);
        let (targets, data) = data.split_at(samples + axes);
        let mut measured = data.chunks_exact(samples).map(<[f64]>::to_vec);
        Ok(Self {
            axes,
            cycles,
            period_s,
            limits: [a, b, c],
            params: params.as_chunks().0.iter().map(Params::new).collect(),
            start: start.as_chunks().0.to_vec(),
            targets_m: targets.to_vec(),
            measured: std::array::from_fn(|_| measured.next().unwrap_or_default()),
        })
    }

    /// Targets of all axes at the end of cycle `k` - 1, which is the start of cycle `k` (m).
    pub fn targets_m(&self, k: usize) -> &[f64] {
        &self.targets_m[k * self.axes..][..self.axes]
    }

    /// Position (m), velocity (m/s) and current (A) measured at the end of cycle `k`, by axis.
    pub fn measured(&self, k: usize) -> [&[f64]; 3] {
        self.measured
            .each_ref()
            .map(|m| &m[k * self.axes..][..self.axes])
    }
}
