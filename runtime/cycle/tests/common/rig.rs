//! A plain axis, watched by the pipeline: how a test of one begins.

#![allow(dead_code, reason = "each test has its part of it")]

use twinstep_cycle::plan::{AxisPlan, MAX_BY_RECIPE, MAX_PARTS, Modes, SlowPlan};
use twinstep_models::blocks::FEATURES;
use twinstep_models::kalman::{AxisNoise, Steady, steady};
use twinstep_models::press::Contact;
use twinstep_models::regime::RegimeParams;
use twinstep_models::sample::{AxisReading, Context, CycleStamp, Missing, Samples};

/// The observer of an axis of this inertia (A s2/m), as quick as 60 rad/s.
pub fn observer(inertia: f64, period_s: f64) -> Steady {
    let noise = AxisNoise::of_bandwidth(60.0, 1e-7, inertia, period_s);
    steady(period_s, inertia, &noise).expect("a plain axis")
}

/// An axis in which nothing is judged yet, accelerating beyond `steady_m_per_s2` and pressing beyond `pressing_a`: a test says
/// what it has besides.
pub fn axis(
    observer: Steady,
    [inertia, viscous]: [f64; 2],
    [steady_m_per_s2, pressing_a]: [f64; 2],
) -> AxisPlan {
    AxisPlan {
        limits: [None; 3],
        whitened: [None; 2],
        regime: RegimeParams {
            standstill_m_per_s: 0.001,
            steady_m_per_s2,
            reversal_cycles: 30,
            pressing_a,
        },
        baseline: [None; FEATURES],
        slow: SlowPlan::default(),
        gravity_a: 0.0,
        observer,
        inertia: Some(inertia),
        viscous,
        cycle_way_m: 1.0,
        hop_m: 1.0,
        carried: 0.0,
        carries_weight: false,
        contacts: [Contact::default(); MAX_PARTS],
        by_recipe: [None; MAX_BY_RECIPE],
        drift_limit_m: None,
        movement_m: 5e-4,
        modes: Modes::ALL,
    }
}

/// What is seen of these axes on a bus that is well, in the first recipe.
pub fn samples(axes: &[Result<AxisReading, Missing>]) -> Samples<'_> {
    Samples {
        axes,
        stations: &[],
        context: Context::of(0, 0),
        bus: Ok(()),
    }
}

/// The stamp of a cycle without a distributed clock.
pub fn stamp(cycle: u64, period_ns: u64) -> CycleStamp {
    CycleStamp {
        cycle,
        time_ns: cycle * period_ns,
        dc_time_ns: 0,
    }
}

/// Figures between 0 and 1 that look like chance.
pub struct Chance(pub u64);

impl Chance {
    /// Evenly, from 0 to below 1.
    pub fn uniform(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// As a normal figure of mean 0 and variance 1, nearly.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}
