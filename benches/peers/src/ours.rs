//! The kernel of `twinstep_models`, driven over the same motion.
//!
//! All that knows the kernel's interface is in this file. `c/axis_soa.c` is the same algorithm in C.

use crate::Runner;
use crate::scenario::{Params, Scenario, State};
use std::error::Error;
use twinstep_models::axis::cascade::{Measured, TARGETS};
use twinstep_models::axis::load::{LoadFilter, Newest};
use twinstep_models::axis::{AxisParams, AxisState, LaneParams, Reference, cascade, observer};
use twinstep_models::innovation::{NEXT, Watch, WatchParams, Whitened};
use twinstep_models::kalman::Gains;
use twinstep_models::lane::{LANES, Lane, ZERO, lanes_for};
use twinstep_models::simd::{Kernel, Level, Vector};

/// Eight axes.
struct Group {
    params: LaneParams,
    watch_params: WatchParams,
    reference: Reference,
    state: AxisState,
    watch: Watch,
    filter: LoadFilter,
    newest: Newest,
    /// A bit for each axis whose newest sample the observer has yet to take in: the pipeline does so when it predicts.
    used: u8,
    /// Cycles with a detector beyond its threshold, counted.
    deviations: Lane,
}

/// All axes.
pub struct Ours {
    groups: Vec<Group>,
    axes: usize,
    level: Level,
    /// With `compare` and `correct`, not only `predict`.
    full: bool,
}

/// The SIMD level of that name; the best one that the processor has without a name.
fn level(name: Option<&str>) -> Result<Level, Box<dyn Error>> {
    let mut levels = vec![Level::PORTABLE];
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has just said that it has AVX2.
        #[expect(unsafe_code, reason = "vouches for the processor")]
        levels.push(unsafe { Level::avx2() });
    }
    if is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512bw")
    {
        // SAFETY: the processor has just said that it has all that the level asks for.
        #[expect(unsafe_code, reason = "vouches for the processor")]
        levels.push(unsafe { Level::avx512() });
    }
    let names: Vec<&str> = levels.iter().map(|level| level.name()).collect();
    levels
        .iter()
        .rfind(|level| name.is_none_or(|name| name == level.name()))
        .copied()
        .ok_or_else(|| format!("--simd {name:?}, but this processor has {names:?}").into())
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
        observer: placed(p.observer_hz, p.inertia, period_s),
        cascade_valid: true,
        ..AxisParams::IDLE
    }
}

/// Gains that put three poles at exp(-2 pi f T): the scenario knows a bandwidth, and no noise.
fn placed(observer_hz: f64, inertia: f64, period_s: f64) -> Gains {
    let p = (-2.0 * std::f64::consts::PI * observer_hz * period_s).exp();
    let q = 1.0 - p;
    Gains {
        position: 1.0 - p * p * p,
        velocity_per_s: 1.5 * q * q * (1.0 + p) / period_s,
        disturbance_a_per_m: q * q * q * inertia / (period_s * period_s),
    }
}

/// Thresholds of the detectors; the same as in `c/axis_soa.c`.
fn watch_params(limits: &[f64; 3]) -> WatchParams {
    let whitened = |limit: f64| {
        Some(Whitened {
            correlation: 0.5,
            sigma: 0.25 * limit,
            window: 3.0,
            cusum: 12.0,
        })
    };
    let mut watch = WatchParams::OFF;
    for l in 0..LANES {
        let both = [whitened(limits[0]), whitened(limits[2])];
        watch.put(l, &limits.map(Some), &both);
    }
    watch
}

/// Eight values from `values`; a lane that is not full takes the last axis again, in `room`.
#[inline(always)]
fn lane<'a>(values: &'a [f64], group: usize, room: &'a mut Lane) -> &'a Lane {
    let rest = &values[group * LANES..];
    if let Some(lane) = rest.first_chunk() {
        return lane;
    }
    for (l, place) in room.iter_mut().enumerate() {
        *place = rest[l.min(rest.len() - 1)];
    }
    room
}

impl Group {
    fn new(params: &[Params], start: &[State], targets_m: [Lane; 2], scenario: &Scenario) -> Self {
        let period_s = scenario.period_s;
        let axes: Vec<AxisParams> = params.iter().map(|p| axis_params(p, period_s)).collect();
        let mut state = AxisState::REST;
        let mut filter = LoadFilter::EMPTY;
        for (l, &[x, v, i, q, reported]) in start.iter().enumerate() {
            state.position_m[l] = x;
            state.velocity_m_per_s[l] = v;
            state.current_a[l] = i;
            state.integral_a[l] = q;
            state.reported_a[l] = reported;
            filter.lock(l, x, reported, axes[l].gravity_a);
        }
        Self {
            params: LaneParams::new(&axes, period_s),
            watch_params: watch_params(&scenario.limits),
            reference: under_way(&targets_m),
            state,
            watch: Watch::NEW,
            filter,
            newest: Newest::FIRST,
            used: 0,
            deviations: ZERO,
        }
    }

    /// Counts the axes with a detector beyond its threshold.
    #[cold]
    fn count(&mut self, beyond: u8) {
        for (l, deviations) in self.deviations.iter_mut().enumerate() {
            *deviations += f64::from(beyond >> l & 1);
        }
    }

    /// What detectors and filter of axis `l` have come to, in the order of `c/axis_soa.c`.
    fn evidence(&self, l: usize) -> [f64; 13] {
        let (w, load) = (&self.watch, self.filter.estimate(&self.params, l));
        [
            self.deviations[l],
            f64::from(w.window[0][l]),
            f64::from(w.window[1][l]),
            f64::from(w.up[0][l]),
            f64::from(w.up[1][l]),
            f64::from(w.down[0][l]),
            f64::from(w.down[1][l]),
            f64::from(w.square[l]),
            load.measured_a,
            load.predicted_a,
            load.position_m,
            load.velocity_m_per_s,
            load.acceleration_m_per_s2,
        ]
    }
}

/// Targets on their way already: those before lie on the first line.
fn under_way([m, next_m]: &[Lane; 2]) -> Reference {
    let mut reference = Reference::default();
    for n in (0..TARGETS).rev() {
        reference.push(&std::array::from_fn(|l| m[l] - n as f64 * (next_m[l] - m[l])));
    }
    reference
}

struct Predict<'a> {
    groups: &'a mut [Group],
    targets_m: &'a [f64],
    full: bool,
}

impl Kernel for Predict<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        for (n, g) in self.groups.iter_mut().enumerate() {
            g.reference.push(lane(self.targets_m, n, &mut { ZERO }));
            let [position_m, current_a] = g.filter.sample(g.newest);
            let measured = Measured {
                gains: &g.params.gains,
                position_m,
                current_a,
                used: g.used,
            };
            let s = &mut g.state;
            if self.full {
                cascade::correct_and_advance_on::<V>(&g.params, &measured, &g.reference, s);
            } else {
                cascade::advance_on::<V>(&g.params, &g.reference, s, None);
            }
        }
    }
}

struct Compare<'a> {
    groups: &'a mut [Group],
    measured: [&'a [f64]; 3],
}

impl Kernel for Compare<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        for (n, g) in self.groups.iter_mut().enumerate() {
            let [x, v, i] = self.measured;
            let mut room = [ZERO; 3];
            let [a, b, c] = &mut room;
            let measured = [lane(x, n, a), lane(v, n, b), lane(i, n, c)];
            let mut innovation = [[0.0; LANES]; NEXT];
            g.newest = g.newest.next();
            g.used = u8::MAX;
            for part in 0..V::PARTS {
                let s = &g.state;
                let predicted = [&s.position_m, &s.velocity_m_per_s, &s.reported_a];
                let predicted = V::each(predicted, part);
                let measured = V::each(measured, part);
                g.filter.put(g.newest, [measured[0], measured[2]], part);
                for c in 0..NEXT {
                    (measured[c] - predicted[c]).narrow(&mut innovation[c], part);
                }
            }
            let beyond = (g.watch).push_on::<V>(&g.watch_params, &innovation, u8::MAX);
            if beyond != 0 {
                g.count(beyond);
            }
        }
    }
}

struct Correct<'a> {
    groups: &'a mut [Group],
}

impl Kernel for Correct<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        for g in self.groups {
            for part in 0..V::PARTS {
                let motion = g.filter.motion::<V>(&g.params, g.newest, part);
                g.filter
                    .balance::<V>(&g.params, g.newest, &motion, None, part);
            }
        }
    }
}

impl Ours {
    /// `name` is a SIMD level, refused when the processor has it not.
    pub fn new(axes: usize, name: Option<&str>, full: bool) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            groups: Vec::new(),
            axes,
            level: level(name)?,
            full,
        })
    }
}

impl Runner for Ours {
    fn start(&mut self, scenario: &Scenario) -> Result<(), Box<dyn Error>> {
        let params = scenario.params.chunks(LANES);
        let parts = params.zip(scenario.start.chunks(LANES)).enumerate();
        let first = |n| [0, 1].map(|k| *lane(scenario.targets_m(k), n, &mut { ZERO }));
        self.groups = parts
            .map(|(n, (params, start))| Group::new(params, start, first(n), scenario))
            .collect();
        debug_assert_eq!(self.groups.len(), lanes_for(self.axes));
        Ok(())
    }

    fn cycle(&mut self, scenario: &Scenario, k: usize) -> Result<(), Box<dyn Error>> {
        let (groups, targets_m) = (&mut self.groups[..], scenario.targets_m(k + 1));
        let full = self.full;
        self.level.run(Predict {
            groups,
            targets_m,
            full,
        });
        if self.full {
            let (groups, measured) = (&mut self.groups[..], scenario.measured(k));
            self.level.run(Compare { groups, measured });
            let groups = &mut self.groups[..];
            self.level.run(Correct { groups });
        }
        Ok(())
    }

    fn states(&mut self, states: &mut [State]) -> Result<(), Box<dyn Error>> {
        for (n, state) in states.iter_mut().enumerate() {
            let (g, l) = (&self.groups[n / LANES], n % LANES);
            let mut s = g.state;
            let [x, i] = g.filter.sample(g.newest);
            observer::correct(&g.params, &g.params.gains, &mut s, x, i, g.used);
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

    fn evidence(&self) -> Vec<f64> {
        let mut sums = Vec::new();
        if self.full {
            sums.resize(13, 0.0);
            for n in 0..self.axes {
                let figures = self.groups[n / LANES].evidence(n % LANES);
                for (sum, figure) in sums.iter_mut().zip(figures) {
                    *sum += figure.abs();
                }
            }
        }
        sums
    }
}
