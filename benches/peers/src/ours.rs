//! The kernel of `twinstep_models`, driven over the same motion.
//!
//! All that knows the kernel's interface is in this file. `c/axis_soa.c` is the same algorithm in C.

use crate::Runner;
use crate::scenario::{Params, Scenario, State};
use std::error::Error;
use twinstep_models::axis::{AxisParams, AxisState, LaneParams, Reference, cascade, observer};
use twinstep_models::lane::{LANES, Lane, ZERO, lanes_for};

/// Eight axes.
struct Group {
    params: LaneParams,
    reference: Reference,
    state: AxisState,
    /// Residuals beyond their limits, counted.
    deviations: Lane,
}

/// All axes.
pub struct Ours {
    groups: Vec<Group>,
    axes: usize,
    /// With `compare` and `correct`, not only `predict`.
    full: bool,
}

/// The SIMD level that this program was built for: the kernel has one path, which the compiler's target decides.
const fn built_for() -> &'static str {
    if cfg!(target_feature = "avx512f") {
        "avx512"
    } else if cfg!(target_feature = "avx2") {
        "avx2"
    } else {
        "portable"
    }
}

fn axis_params(p: &Params, period_s: f64) -> AxisParams {
    AxisParams {
        inertia: p.inertia,
        coulomb_positive_a: p.coulomb_positive_a,
        coulomb_negative_a: p.coulomb_negative_a,
        viscous: p.viscous,
        stribeck_a: p.stribeck_a,
        stribeck_velocity_m_per_s: p.stribeck_velocity_m_per_s,
        gravity_a: p.gravity_a,
        position_gain_per_s: p.position_gain_per_s,
        velocity_gain: p.velocity_gain,
        integral_gain: p.integral_gain,
        velocity_feedforward: p.velocity_feedforward,
        limit_a: p.limit_a,
        current_time_constant_s: p.current_time_constant_s,
        current_filter_s: p.current_filter_s,
        // One cycle: the drive goes from the target before to the newest, as the peers do.
        dead_time_s: period_s,
        observer_hz: p.observer_hz,
        cascade_valid: true,
        ..AxisParams::IDLE
    }
}

/// Eight values from `values`; a lane that is not full takes the last axis again.
fn lane(values: &[f64], group: usize) -> Lane {
    let rest = &values[group * LANES..];
    match rest.first_chunk() {
        Some(lane) => *lane,
        None => std::array::from_fn(|l| rest[l.min(rest.len() - 1)]),
    }
}

fn beyond(residual: f64, limit: f64) -> f64 {
    if residual > limit || residual < -limit {
        1.0
    } else {
        0.0
    }
}

impl Group {
    fn new(params: &[Params], start: &[State], targets_m: [Lane; 2], period_s: f64) -> Self {
        let axes: Vec<AxisParams> = params.iter().map(|p| axis_params(p, period_s)).collect();
        let mut state = AxisState::REST;
        for (l, &[x, v, i, q, reported]) in start.iter().enumerate() {
            state.position_m[l] = x;
            state.velocity_m_per_s[l] = v;
            state.current_a[l] = i;
            state.integral_a[l] = q;
            state.reported_a[l] = reported;
        }
        Self {
            params: LaneParams::new(&axes, period_s),
            reference: Reference {
                // On its way already: the targets before lie on the first line.
                history_m: std::array::from_fn(|n| {
                    let [m, next_m] = &targets_m;
                    std::array::from_fn(|l| m[l] - n as f64 * (next_m[l] - m[l]))
                }),
            },
            state,
            deviations: ZERO,
        }
    }

    fn compare(&mut self, limits: &[f64; 3], measured: &[Lane; 3]) {
        let s = &self.state;
        let predicted = [&s.position_m, &s.velocity_m_per_s, &s.reported_a];
        for l in 0..LANES {
            for n in 0..3 {
                self.deviations[l] += beyond(measured[n][l] - predicted[n][l], limits[n]);
            }
        }
    }
}

impl Ours {
    /// `level` is refused when this build is for another.
    pub fn new(axes: usize, level: Option<&str>, full: bool) -> Result<Self, Box<dyn Error>> {
        if let Some(level) = level.filter(|level| *level != built_for()) {
            return Err(format!(
                "--simd {level}, but this program is built for {}: build it with RUSTFLAGS for {level}",
                built_for()
            )
            .into());
        }
        Ok(Self {
            groups: Vec::new(),
            axes,
            full,
        })
    }
}

impl Runner for Ours {
    fn start(&mut self, scenario: &Scenario) -> Result<(), Box<dyn Error>> {
        let params = scenario.params.chunks(LANES);
        let parts = params.zip(scenario.start.chunks(LANES)).enumerate();
        let first = |n| [0, 1].map(|k| lane(scenario.targets_m(k), n));
        self.groups = parts
            .map(|(n, (params, start))| Group::new(params, start, first(n), scenario.period_s))
            .collect();
        debug_assert_eq!(self.groups.len(), lanes_for(self.axes));
        Ok(())
    }

    fn cycle(&mut self, scenario: &Scenario, k: usize) -> Result<(), Box<dyn Error>> {
        let targets_m = scenario.targets_m(k + 1);
        for (n, g) in self.groups.iter_mut().enumerate() {
            g.reference.push(&lane(targets_m, n));
            cascade::advance(&g.params, &g.reference, &mut g.state, &ZERO);
        }
        if self.full {
            let measured = scenario.measured(k);
            for (n, g) in self.groups.iter_mut().enumerate() {
                g.compare(&scenario.limits, &measured.map(|m| lane(m, n)));
            }
            for (n, g) in self.groups.iter_mut().enumerate() {
                let [position_m, _, current_a] = measured.map(|m| lane(m, n));
                observer::correct(
                    &g.params,
                    &mut g.state,
                    &position_m,
                    &current_a,
                    &[1.0; LANES],
                );
            }
        }
        Ok(())
    }

    fn states(&mut self, states: &mut [State]) -> Result<(), Box<dyn Error>> {
        for (n, state) in states.iter_mut().enumerate() {
            let (s, l) = (&self.groups[n / LANES].state, n % LANES);
            *state = [
                s.position_m[l],
                s.velocity_m_per_s[l],
                s.current_a[l],
                s.integral_a[l],
                s.reported_a[l],
            ];
        }
        Ok(())
    }
}
