//! What the inverse dynamics leave unexplained, per regime of the motion. At standstill static friction hides the load: there
//! is no residual.

use crate::plan::axis_params;
use twinstep_config::machine::{Axis, Machine};
use twinstep_models::axis::load::Motion;
use twinstep_models::channel::Regime;
use twinstep_models::identify::{AxisFit, AxisRecord, explain};

use twinstep_models::regime::{Course, RegimeLane, RegimeParams, Seen, Segments};
use twinstep_models::simd::{Portable, Vector};

/// Share of the largest velocity below which an axis stands.
const STANDSTILL: f64 = 0.02;
/// Share of the largest acceleration from which on it accelerates.
const STEADY: f64 = 0.05;
/// Time after a start in the other direction that counts as reversal (s).
const REVERSAL_S: f64 = 0.03;

/// Residual of one regime.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RegimeNoise {
    /// Regime.
    pub regime: Regime,
    /// Residual (A, or what stands for it; root mean square, averaged over the window).
    pub rms_a: f64,
    /// Samples.
    pub samples: usize,
}

/// Residuals per regime, in the order of a movement; regimes without samples are left out.
pub(super) fn per_regime(
    machine: &Machine,
    axis: &Axis,
    record: &AxisRecord<'_>,
    fit: &AxisFit,
) -> Vec<RegimeNoise> {
    let rows = explain(record, fit);
    let most = |get: fn(&twinstep_models::identify::Explained) -> f64| {
        rows.iter().fold(0.0_f64, |m, r| m.max(get(r).abs()))
    };
    let period_s = machine.cycle.period_ns as f64 / 1e9;
    let p = RegimeParams {
        standstill_m_per_s: STANDSTILL * most(|r| r.velocity_m_per_s),
        steady_m_per_s2: STEADY * most(|r| r.acceleration_m_per_s2),
        // A cast from float saturates.
        reversal_cycles: (REVERSAL_S / period_s) as u32,
        pressing_a: axis_params(axis, period_s).limit_a,
    };
    // One axis in a lane of its own.
    let lane = RegimeLane::new(std::iter::once(p));
    let (mut course, mut segments) = (Course::NEW, Segments::NEW);
    let mut all: Vec<RegimeNoise> = [
        Regime::ConstantSpeed,
        Regime::Acceleration,
        Regime::Reversal,
    ]
    .map(|regime| RegimeNoise {
        regime,
        rms_a: 0.0,
        samples: 0,
    })
    .into();
    for row in &rows {
        let motion = Motion {
            velocity_m_per_s: Portable::splat(row.velocity_m_per_s),
            acceleration_m_per_s2: Portable::splat(row.acceleration_m_per_s2),
        };
        let mut seen = Seen::default();
        seen.put(&lane, &motion, None, 0);
        let classified = course.classify(&mut segments, &lane, &seen, 0);
        course.begin::<Portable>(&mut segments, &classified);
        let regime = course.regime(0);
        let residual = row.measured_a - row.predicted_a;
        if let Some(one) = all.iter_mut().find(|one| one.regime == regime) {
            one.rms_a += residual * residual;
            one.samples += 1;
        }
    }
    all.retain(|one| one.samples > 0);
    for one in &mut all {
        one.rms_a = (one.rms_a / one.samples as f64).sqrt();
    }
    all
}
