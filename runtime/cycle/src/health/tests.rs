//! An axis that moves out and back, with friction that rises.

use super::*;
use twinstep_models::health::life::Unknown;

const PERIOD_NS: u64 = 1_000_000;
/// Cycles of a movement.
const MOVEMENT: u64 = 400;

pub(super) fn plan() -> AxisHealthPlan {
    AxisHealthPlan {
        scales: Scales {
            inertia: 0.4,
            level_a: 0.9,
            viscous: 0.2,
            least_m_per_s: 0.005,
        },
        calibrated: [0.4, 0.9, 0.2, 0.0],
        force_constant_n_per_a: 100.0,
        torque_constant_nm_per_a: 0.0,
        meter: MeterParams::default(),
        crossing: CrossingParams::default(),
        crossing_error: 0.1,
        free_until_m: f64::INFINITY,
        friction_limit: 1.5,
        backlash_limit_m: 1e-4,
        torque_constant_limit: 0.9,
        stiffness_limit: 0.8,
        press: false,
        tracked: true,
    }
}

/// An axis in one run of a machine.
struct Rig {
    health: AxisHealth,
    cycle: u64,
    position_m: f64,
    movements: u64,
    warms: bool,
    seed: u64,
}

impl Rig {
    fn new(plan: AxisHealthPlan) -> Self {
        Self {
            health: AxisHealth::new(plan),
            cycle: 0,
            position_m: 0.0,
            movements: 0,
            warms: false,
            seed: 1,
        }
    }

    /// The next run of the same machine.
    fn next_run(mut self) -> Self {
        let mut health = AxisHealth::new(plan());
        assert!(health.resume(&self.health, self.cycle * PERIOD_NS));
        (self.health, self.cycle) = (health, 0);
        self
    }

    fn noise(&mut self) -> f64 {
        self.seed = (self.seed)
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
    }

    fn push(&mut self, s: HealthSample) {
        self.health.cycle(&HealthSample {
            window_m: self.position_m,
            position_m: self.position_m,
            time_ns: self.cycle * PERIOD_NS,
            cycle: self.cycle,
            ..s
        });
        self.cycle += 1;
    }

    /// A movement, then a rest. Wear goes with the movements: Coulomb friction rises by `per_movement_a` with each.
    fn go(&mut self, per_movement_a: f64, rest: u64) {
        let s = if self.movements.is_multiple_of(2) {
            1.0
        } else {
            -1.0
        };
        self.movements += 1;
        let risen_a = per_movement_a * self.movements as f64;
        for k in 0..MOVEMENT {
            let ramp = MOVEMENT / 4;
            let (speed, acceleration) = match k {
                k if k < ramp => (k as f64 / ramp as f64, 2.0),
                k if k < 3 * ramp => (1.0, 0.0),
                k => ((MOVEMENT - k) as f64 / ramp as f64, -2.0),
            };
            self.position_m += 0.2 * s * speed * 1e-3;
            let residual_a = s * risen_a + 0.02 * self.noise();
            self.push(HealthSample {
                residual_a,
                velocity_m_per_s: 0.2 * s * speed,
                acceleration_m_per_s2: s * acceleration,
                regime: if acceleration == 0.0 {
                    Regime::ConstantSpeed
                } else {
                    Regime::Acceleration
                },
                ended: k + 1 == MOVEMENT,
                warms: self.warms,
                ..STANDS
            });
        }
        for _ in 0..rest {
            self.push(STANDS);
        }
    }

    fn coulomb(&self) -> Reading {
        self.health.readings()[0].expect("friction is known")
    }
}

pub(super) const STANDS: HealthSample = HealthSample {
    residual_a: 0.0,
    contact_a: 0.0,
    window_m: 0.0,
    velocity_m_per_s: 0.0,
    acceleration_m_per_s2: 0.0,
    position_m: 0.0,
    current_a: 0.0,
    regime: Regime::Standstill,
    ended: false,
    warms: false,
    time_ns: 0,
    cycle: 0,
};

/// Both to a millionth.
fn same(one: f64, other: f64) {
    assert!((one - other).abs() <= 1e-6 * one.abs(), "{one} {other}");
}

#[test]
fn wear_over_two_runs_has_the_life_of_one_run() {
    let (mut one, mut two) = (Rig::new(plan()), Rig::new(plan()));
    for n in 0..200 {
        one.go(0.001, 100);
        if n == 89 || n == 149 {
            // An even number of movements: no pair of them is torn.
            two.go(0.001, 100);
            two = two.next_run();
        } else {
            two.go(0.001, 100);
        }
    }
    let (whole, cut) = (one.coulomb(), two.coulomb());
    same(whole.value, cut.value);
    let [a, b] = [whole, cut].map(|reading| reading.trend.expect("a trend"));
    same(a.slope, b.slope);
    assert!(b.significant);
    let [a, b] = [whole, cut].map(|reading| reading.life.expect("a life"));
    for (a, b) in a.into_iter().zip(b) {
        same(a, b);
    }
    // What the trend goes through is in the unit of the value, and over both runs.
    let (a, b) = (whole.course, cut.course);
    assert!(
        a.count == b.count && b.count >= 8,
        "{} {}",
        a.count,
        b.count
    );
    let last = b.count - 1;
    same(a.value[0], b.value[0]);
    same(a.usage[last], b.usage[last]);
    let healthy = cut.healthy.expect("it is calibrated");
    assert!((b.value[0] / healthy - 1.0).abs() < 0.05, "{}", b.value[0]);
    assert!((b.value[last] / cut.value - 1.0).abs() < 0.05);
    assert_eq!(cut.limit, Some(1.5 * healthy));
    let [a, b] = [one, two].map(|rig| rig.health.usage());
    same(a.hours, b.hours);
    same(a.metres, b.metres);
    assert_eq!(a.strokes, b.strokes);
}

#[test]
fn another_twin_is_not_gone_on_with_and_other_limits_are() {
    let mut rig = Rig::new(plan());
    (0..20).for_each(|_| rig.go(0.001, 10));
    let now_ns = rig.cycle * PERIOD_NS;
    let mut twin = plan();
    twin.calibrated[1] = 1.0;
    let mut other = AxisHealth::new(twin);
    assert!(!other.resume(&rig.health, now_ns));
    assert_eq!(other.usage(), Usage::default());
    let mut limit = plan();
    limit.friction_limit = 3.0;
    let mut other = AxisHealth::new(limit);
    assert!(other.resume(&rig.health, now_ns));
    assert_eq!(other.plan.friction_limit, 3.0);
    // The rest after the last movement counts too.
    same(other.usage().hours, now_ns as f64 / 3.6e12);
    same(other.usage().metres, rig.health.usage().metres);
}

#[test]
fn a_new_baseline_counts_from_itself_over_the_next_run() {
    let mut rig = Rig::new(plan());
    (0..40).for_each(|_| rig.go(0.001, 50));
    let renewed = rig.health.usage().hours;
    rig.health.renew();
    assert_eq!(rig.health.usage(), Usage::default());
    (0..20).for_each(|_| rig.go(0.001, 50));
    let mut rig = rig.next_run();
    (0..20).for_each(|_| rig.go(0.001, 50));
    // Every movement has the same length, so that so do 40 of them.
    let used = rig.health.usage();
    assert!(
        (used.hours / renewed - 1.0).abs() < 0.02,
        "{used:?} {renewed}"
    );
    assert_eq!(used.strokes, 40);
}

#[test]
fn the_same_wear_with_half_of_the_time_idle_has_the_same_metres() {
    let (mut busy, mut idle) = (Rig::new(plan()), Rig::new(plan()));
    for n in 0..160 {
        busy.go(0.001, 100);
        // From the middle on it stands as long as it works: over hours the wear would seem to slow down.
        idle.go(0.001, if n < 80 { 100 } else { 1100 });
    }
    let [a, b] = [&busy, &idle].map(Rig::coulomb);
    assert_eq!(a.over, Wear::Metres);
    assert_eq!((a.trend, a.life), (b.trend, b.life));
    // 0.16 of 0.45 A are gone after so many metres.
    let [low, middle, high] = a.life.expect("a life");
    let left = busy.health.usage().metres * (0.45 - 0.16) / 0.16;
    assert!(low <= left && left <= high, "{low} {left} {high}");
    assert!((middle / left - 1.0).abs() < 0.1, "{middle} {left}");
    let [a, b] = [busy, idle].map(|rig| rig.health.usage());
    assert_eq!((a.metres, a.strokes), (b.metres, b.strokes));
    assert!(b.hours > 1.9 * a.hours, "{a:?} {b:?}");
}

#[test]
fn a_press_wears_with_its_strokes() {
    let mut rig = Rig::new(AxisHealthPlan {
        press: true,
        ..plan()
    });
    (0..60).for_each(|_| rig.go(0.002, 20));
    let reading = rig.coulomb();
    assert_eq!(reading.over, Wear::Strokes);
    // It has moved a lot and never pressed.
    assert_eq!((reading.trend, reading.life), (None, Err(Unknown::TooFew)));
    assert_eq!(rig.health.usage().strokes, 0);
}

#[test]
fn a_cold_axis_wears_and_its_friction_is_left_out() {
    let mut rig = Rig::new(plan());
    rig.warms = true;
    (0..40).for_each(|_| rig.go(0.0, 10));
    assert_eq!(rig.health.readings()[0], None);
    assert_eq!(rig.health.usage().strokes, 40);
    rig.warms = false;
    (0..40).for_each(|_| rig.go(0.0, 10));
    assert!(rig.health.readings()[0].is_some());
}
