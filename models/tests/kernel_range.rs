//! The kernel of the cycle over the whole range that a configuration may have (`axis::range`): whatever is measured, told or missing, every
//! prediction is a finite number, nothing moves by more than its forces allow, and what was wrong is forgotten.
//!
//! Axes of a lane are drawn each by itself, so that every one of the ways through the kernel is taken beside the others.
#![allow(
    clippy::disallowed_methods,
    reason = "powers of ten that become parameters need not be the same bits everywhere"
)]
#![allow(
    clippy::needless_range_loop,
    reason = "a place of a lane is one of many arrays"
)]

mod draw;

use draw::{Draw, Noise, unit};
use proptest::prelude::*;
use twinstep_models::axis::cascade::TARGETS;
use twinstep_models::axis::load::{LoadFilter, Newest};
use twinstep_models::axis::stiff::{Met, advance_met, swings};
use twinstep_models::axis::told::Told;
use twinstep_models::axis::{AxisParams, AxisState, LaneParams, Reference, cascade, observer};
use twinstep_models::innovation::{Watch, WatchParams, Whitened};
use twinstep_models::lane::{LANES, Lane, ZERO};
use twinstep_models::sample;
use twinstep_models::simd::{Portable, Vector};

/// Cycles in which anything may come.
const WILD_CYCLES: usize = 120;
/// Cycles of rest after it.
const CALM_CYCLES: usize = 20;
/// What flows within a cycle at most, in what may flow at its ends.
const WITHIN: f64 = 10.0;

/// Eight axes with all that the cycle keeps of them.
struct Twin {
    p: LaneParams,
    watch_params: WatchParams,
    state: AxisState,
    reference: Reference,
    told: Told,
    /// Ways of what was told a velocity (m).
    told_m: [Lane; TARGETS],
    parts: Parts,
    filter: LoadFilter,
    newest: Newest,
    watch: Watch,
}

/// Parts in the ways of the axes: those with a stiffness.
struct Parts {
    contact_m: Lane,
    stiffness_a_per_m: Lane,
    direction: Lane,
}

impl Parts {
    const NONE: Self = Self {
        contact_m: ZERO,
        stiffness_a_per_m: ZERO,
        direction: [1.0; LANES],
    };

    /// Those that are stiff.
    fn met(&self, p: &LaneParams) -> Met<'_> {
        let stiff = (0..LANES).filter(|l| swings(p, *l, self.stiffness_a_per_m[*l]));
        Met {
            places: stiff.fold(0, |places, l| places | 1 << l),
            contact_m: &self.contact_m,
            stiffness_a_per_m: &self.stiffness_a_per_m,
            direction: &self.direction,
            formed: [None; LANES],
            deepest_m: &ZERO,
        }
    }
}

impl Twin {
    fn new(axes: &[AxisParams; LANES], period_s: f64, sigma: f64) -> Self {
        let mut watch_params = WatchParams::OFF;
        let whitened = Whitened {
            correlation: 0.99,
            sigma,
            window: 10.0,
            cusum: 20.0,
        };
        for l in 0..LANES {
            watch_params.put(l, &[Some(sigma); 3], &[Some(whitened); 2]);
        }
        Self {
            p: LaneParams::new(axes, period_s),
            watch_params,
            state: AxisState::REST,
            reference: Reference::default(),
            told: Told::NOTHING,
            told_m: [ZERO; TARGETS],
            parts: Parts::NONE,
            filter: LoadFilter::EMPTY,
            newest: Newest::FIRST,
            watch: Watch::NEW,
        }
    }

    fn predict(&mut self, contact_a: &Lane) {
        let (p, reference) = (&self.p, &self.reference);
        self.told_m.rotate_right(1);
        self.told_m[0] = array(|l| self.told.velocity_m_per_s(l) * p.period_s);
        let before = self.state;
        if self.told.any() == 0 {
            cascade::advance(p, reference, &mut self.state, contact_a);
        } else {
            cascade::advance_told(p, reference, &self.told, &mut self.state, Some(contact_a));
        }
        let mut met = self.parts.met(p);
        met.places &= !self.told.any();
        advance_met(p, reference, &met, &before, &mut self.state);
    }

    fn lock(&mut self, l: usize, position_m: f64, current_a: f64) {
        observer::lock(&self.p, &mut self.state, l, position_m, 0.0, current_a);
        self.reference.lock(l, position_m);
        self.filter
            .lock(l, position_m, current_a, self.p.gravity_a[l]);
    }

    /// Takes a sample in. Returns all that was computed of it.
    fn measure(&mut self, position_m: &Lane, current_a: &Lane, used: u8) -> Vec<f64> {
        let innovation = [
            array(|l| position_m[l] - self.state.position_m[l]),
            array(|l| -self.state.velocity_m_per_s[l]),
            array(|l| current_a[l] - self.state.reported_a[l]),
        ];
        self.watch.push(&self.watch_params, &innovation, used);
        let (p, s) = (&self.p, &mut self.state);
        observer::correct(p, &p.gains, s, position_m, current_a, used);
        self.newest = self.newest.next();
        let mut all = Vec::new();
        for part in 0..Portable::PARTS {
            let sample = Portable::each([position_m, current_a], part);
            self.filter.put(self.newest, sample, part);
            let motion = self.filter.motion::<Portable>(p, self.newest, part);
            let balance = self
                .filter
                .balance::<Portable>(p, self.newest, &motion, None, part);
            for of in [balance.measured_a, balance.predicted_a, balance.inertial_a] {
                let mut lane = ZERO;
                of.store(&mut lane, part);
                all.extend(lane);
            }
        }
        let w = &self.watch;
        for lane in w.window.iter().chain(&w.up).chain(&w.down) {
            all.extend(lane.map(f64::from));
        }
        all.extend(w.square.map(f64::from));
        all
    }
}

fn array(of: impl Fn(usize) -> f64) -> Lane {
    std::array::from_fn(of)
}

/// Everything of a state, an axis.
fn figures(s: &AxisState, l: usize) -> [f64; 6] {
    [
        s.position_m[l],
        s.velocity_m_per_s[l],
        s.current_a[l],
        s.reported_a[l],
        s.integral_a[l],
        s.disturbance_a[l],
    ]
}

/// What axis `l` may do in a cycle that began with `before`.
fn moved_as_it_may(
    twin: &Twin,
    l: usize,
    before: &AxisState,
    contact_a: f64,
) -> Result<(), TestCaseError> {
    let (p, s) = (&twin.p, &twin.state);
    let own_a = before.current_a[l].abs();
    let most_a = if (p.continuous | p.sampled) & (1 << l) != 0 {
        p.limit_a[l].max(own_a)
    } else {
        own_a
    };
    let slack = 1.0 + 1e-6;
    prop_assert!(
        s.current_a[l].abs() <= most_a * slack,
        "current of axis {l}: {} of {most_a}",
        s.current_a[l]
    );
    let reported = most_a.max(before.reported_a[l].abs());
    prop_assert!(
        s.reported_a[l].abs() <= WITHIN * reported * slack,
        "reported current of axis {l}: {} of {reported}",
        s.reported_a[l]
    );
    let (v0, v1) = (before.velocity_m_per_s[l], s.velocity_m_per_s[l]);
    let mut load_a = p.gravity_a[l].abs() + before.disturbance_a[l].abs() + contact_a.abs();
    let gained = |load_a: f64| (WITHIN * most_a + load_a) * p.acceleration_per_a[l] * p.period_s;
    if twin.parts.met(p).places & (1 << l) != 0 {
        // A part is as deep as the axis is in it, and may come within the cycle.
        let deep_m = (before.position_m[l] - twin.parts.contact_m[l]).abs();
        let comes_m = (v0.abs() + gained(load_a)) * p.period_s;
        load_a += twin.parts.stiffness_a_per_m[l] * (deep_m + comes_m);
    }
    let gain = gained(load_a);
    prop_assert!(
        (v1 - v0).abs() <= (gain + v0.abs()) * slack,
        "velocity of axis {l}: {v1} after {v0}, with at most {gain} more"
    );
    let way = (s.position_m[l] - before.position_m[l]).abs();
    // What is told may be so far off that its last digits are a way.
    let targets_m = (0..TARGETS).map(|n| twin.reference.ago_m(n));
    let told = targets_m.chain(&twin.told_m);
    let largest_m = told.fold(before.position_m[l].abs(), |largest, told| {
        largest.max(told[l].abs())
    });
    let most_m = (v0.abs() + gain) * p.period_s + 1e-12 * largest_m;
    prop_assert!(
        way <= most_m * slack,
        "axis {l} went by {way} of {most_m} m"
    );
    Ok(())
}

const TOLD: [sample::Told; 5] = [
    sample::Told::Position,
    sample::Told::PositionAndOffsets,
    sample::Told::Velocity,
    sample::Told::Torque,
    sample::Told::Own,
];

/// What axes are told in a case.
#[derive(Clone, Copy, Debug)]
enum Modes {
    /// Positions alone.
    Position,
    /// Anything: a mode changes now and then.
    Any,
    /// All are in this mode from the beginning, so that a lane takes its step as a whole.
    All(sample::Told),
}

fn modes() -> impl Strategy<Value = Modes> {
    prop_oneof![
        Just(Modes::Position),
        Just(Modes::Any),
        Just(Modes::All(sample::Told::Velocity)),
        Just(Modes::All(sample::Told::Torque)),
        Just(Modes::All(sample::Told::PositionAndOffsets)),
    ]
}

/// A cycle of axis `l` as it may come: mostly as predicted, now and then anything.
fn told(twin: &mut Twin, l: usize, modes: Modes, noise: &mut Noise) -> f64 {
    let mut target = twin.reference.ago_m(0)[l];
    if noise.one_in(8) {
        target = noise.anything();
    }
    match modes {
        Modes::Position => {}
        Modes::Any if noise.one_in(12) => {
            let mode = TOLD[noise.below(TOLD.len())];
            let (m_per_s, a) = match mode {
                sample::Told::Position | sample::Told::Own => (0.0, 0.0),
                _ => (noise.anything(), noise.anything()),
            };
            twin.told.push(l, mode, m_per_s, a);
        }
        Modes::Any => twin.told.repeat(l),
        Modes::All(mode) => {
            // Mostly what a machine may do, so that its steps are exact.
            let (limit_a, v) = (twin.p.limit_a[l], twin.state.velocity_m_per_s[l]);
            let (m_per_s, a) = match noise.below(6) {
                0 => (noise.anything(), noise.anything()),
                1 => (0.0, 0.0),
                2 => (noise.near(v), 0.0),
                3 => (v, 0.5 * limit_a),
                4 => (v, -0.9 * limit_a),
                _ => (twin.told.velocity_m_per_s(l), twin.p.gravity_a[l]),
            };
            twin.told.push(l, mode, m_per_s, a);
        }
    }
    target
}

/// As many cases as `PROPTEST_CASES` says, 150 without it.
fn config() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok();
    ProptestConfig {
        cases: asked.and_then(|cases| cases.parse().ok()).unwrap_or(150),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_comes_predictions_are_finite_and_bounded_and_recover(
        values in prop::collection::vec(unit(), 32 * LANES),
        period in unit(),
        sigma in unit(),
        modes in modes(),
        parts in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let period_s = 31.25e-6 * (1e-2_f64 / 31.25e-6).powf(period);
        let mut draw = Draw(values.iter());
        let axes: [AxisParams; LANES] = std::array::from_fn(|_| draw.axis(period_s));
        let mut twin = Twin::new(&axes, period_s, 10f64.powf(-18.0 + 33.0 * sigma));
        let mut noise = Noise(seed);
        let (mut position_m, mut current_a, mut contact_a) = (ZERO, ZERO, ZERO);
        for cycle in 0..WILD_CYCLES {
            let mut targets = ZERO;
            for l in 0..LANES {
                targets[l] = match modes {
                    Modes::Position => noise.near(position_m[l]),
                    _ => told(&mut twin, l, modes, &mut noise),
                };
                if parts && noise.one_in(15) {
                    twin.parts.contact_m[l] = noise.near(twin.state.position_m[l]);
                    twin.parts.stiffness_a_per_m[l] = noise.anything().abs();
                    twin.parts.direction[l] = if noise.one_in(2) { 1.0 } else { -1.0 };
                }
                if noise.one_in(20) {
                    contact_a[l] = if noise.one_in(2) { 0.0 } else { noise.anything() };
                }
            }
            twin.reference.push(&targets);
            let before = twin.state;
            twin.predict(&contact_a);
            for l in 0..LANES {
                for x in figures(&twin.state, l) {
                    prop_assert!(x.is_finite(), "cycle {cycle}, axis {l}: {:?}\n{:?}", figures(&twin.state, l), axes[l]);
                }
                if let Err(error) = moved_as_it_may(&twin, l, &before, contact_a[l]) {
                    return Err(TestCaseError::fail(format!("{error}\ncycle {cycle}, period {period_s}, before {:?}, after {:?}, {modes:?}\n{:?}", figures(&before, l), figures(&twin.state, l), axes[l])));
                }
            }
            let mut used = u8::MAX;
            for l in 0..LANES {
                position_m[l] = match noise.below(10) {
                    0 => noise.anything(),
                    1..=4 => noise.near(position_m[l]),
                    _ => position_m[l],
                };
                current_a[l] = if noise.one_in(6) { noise.anything() } else { current_a[l] };
                if noise.one_in(10) {
                    used &= !(1 << l);
                }
                if noise.one_in(40) {
                    twin.lock(l, position_m[l], current_a[l]);
                }
            }
            let computed = twin.measure(&position_m, &current_a, used);
            prop_assert!(computed.iter().all(|x| x.is_finite()), "cycle {cycle}: {computed:?}\n{axes:?}");
            for l in 0..LANES {
                for x in figures(&twin.state, l) {
                    prop_assert!(x.is_finite(), "corrected in cycle {cycle}, axis {l}: {:?}\n{:?}", figures(&twin.state, l), axes[l]);
                }
            }
        }
        // After a gap an axis that stands, held by what it is held by, is predicted to stand there.
        let hold_a = array(|l| {
            let p = &twin.p;
            if p.continuous & (1 << l) != 0 { p.gravity_a[l].clamp(-p.limit_a[l], p.limit_a[l]) } else { p.gravity_a[l] }
        });
        let rest_m = array(|l| 0.01 * l as f64);
        for l in 0..LANES {
            twin.told.push(l, sample::Told::Own, 0.0, 0.0);
            twin.told.push(l, sample::Told::Position, 0.0, 0.0);
            twin.lock(l, rest_m[l], hold_a[l]);
        }
        twin.parts = Parts::NONE;
        for cycle in 0..CALM_CYCLES {
            twin.reference.push(&rest_m);
            twin.predict(&ZERO);
            for l in (0..LANES).filter(|l| hold_a[*l] == twin.p.gravity_a[*l]) {
                let off = (twin.state.position_m[l] - rest_m[l]).abs();
                // Without friction nothing holds what a rounding of the weight pushes.
                let p = &twin.p;
                let way_m_per_a = p.acceleration_per_a[l] * p.period_s * p.period_s;
                let rounding = 1e-12 * p.gravity_a[l].abs() * way_m_per_a * (cycle + 1) as f64;
                prop_assert!(off <= 1e-9 + rounding, "cycle {cycle} of rest, axis {l} is off by {off}: {:?}\n{:?}", figures(&twin.state, l), axes[l]);
            }
            twin.measure(&rest_m, &hold_a, u8::MAX);
        }
    }

    #[test]
    fn an_observer_forgets_what_was_wrong_without_a_gap(
        values in prop::collection::vec(unit(), 12),
        period in unit(),
        jump in unit(),
        wrong in 1..6usize,
    ) {
        let period_s = 31.25e-6 * (1e-2_f64 / 31.25e-6).powf(period);
        let mut draw = Draw(values.iter());
        let (axis, observer_hz) = draw.plain(period_s);
        let mut twin = Twin::new(&[axis; LANES], period_s, 1e-6);
        let hold_a = [axis.gravity_a; LANES];
        for l in 0..LANES {
            twin.lock(l, 0.0, hold_a[l]);
        }
        let jump_m = 10f64.powf(-6.0 + 8.0 * jump);
        // What is wrong falls by a factor of e in a radian of the observer.
        let radian = 1.0 / (2.0 * std::f64::consts::PI * observer_hz * period_s);
        // And what the predicted drive has integrated meanwhile, with its position loop.
        let drive = 1.0 / (axis.position_gain_per_s * period_s);
        let cycles = (80.0 * radian + 12.0 * drive) as usize + 200;
        for cycle in 0..wrong + cycles {
            twin.reference.push(&ZERO);
            twin.predict(&ZERO);
            let x = if cycle < wrong { [jump_m; LANES] } else { ZERO };
            twin.measure(&x, &hold_a, u8::MAX);
        }
        twin.predict(&ZERO);
        let off = twin.state.position_m[0].abs();
        prop_assert!(off <= 1e-6 + 1e-5 * jump_m, "off by {off} m {cycles} cycles after {jump_m} m, observer {observer_hz} Hz, period {period_s}\n{axis:?}");
    }
}
