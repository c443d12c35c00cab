//! The scalar servo model as a whole: every axis that its ranges allow, and motor with mechanics against the reference.
#![allow(
    clippy::disallowed_methods,
    reason = "the yardstick is judged by its accuracy, not by its bits"
)]

mod reference;

use proptest::prelude::*;
use reference::Random;
use reference::axes::{plant, winding};
use reference::plant::{Push, State};
use twinstep_models::servo::thermal::{COLDEST_C, HOTTEST_C, Node};
use twinstep_models::servo::{
    Cogging, Command, Compliance, Drive, Feedback, Friction, LuGre, PERIOD_MAX_S, PERIOD_MIN_S,
    ServoParams, ServoParts, ServoPlan, ServoState, StaticFriction, Thermal,
};

/// Values from 0 to 1 that become parameters, the borders more often than chance has them.
struct Draw<'a>(std::slice::Iter<'a, f64>);

impl Draw<'_> {
    fn even(&mut self, low: f64, high: f64) -> f64 {
        let u = *self.0.next().expect("enough values");
        (low + (high - low) * u).clamp(low, high)
    }

    fn decades(&mut self, low: f64, high: f64) -> f64 {
        let u = *self.0.next().expect("enough values");
        (low * (high / low).powf(u)).clamp(low, high)
    }

    fn yes(&mut self) -> bool {
        self.even(0.0, 1.0) > 0.5
    }

    fn friction(&mut self, least_n: f64) -> StaticFriction {
        let low = least_n.max(1e-6);
        let mut size = |from: f64| match self.decades(low, 1e6) {
            n if n <= low => from,
            n => n,
        };
        StaticFriction {
            coulomb_positive_n: size(least_n),
            coulomb_negative_n: size(least_n),
            stribeck_n: size(0.0),
            viscous_n_s_per_m: size(0.0),
            stribeck_velocity_m_per_s: self.decades(1e-6, 10.0),
        }
    }

    /// From 0 upwards: 0 at the lower end, as often as the borders come.
    fn zero_or(&mut self, low: f64, high: f64) -> f64 {
        match self.decades(low, high) {
            x if x <= low => 0.0,
            x => x,
        }
    }

    fn thermal(&mut self) -> Thermal {
        let mut node = || Node {
            capacity_j_per_k: self.decades(0.1, 1e6),
            resistance_k_per_w: self.decades(1e-3, 100.0),
        };
        let (winding, housing) = (node(), node());
        Thermal {
            winding,
            housing: self.yes().then_some(housing),
            ambient_c: self.even(-40.0, 100.0),
        }
    }

    /// A table of a few harmonics, or none.
    fn cogging(&mut self) -> Option<Cogging> {
        let size_nm = self.decades(1e-3, 1e5);
        let (points, harmonic) = (self.even(4.0, 256.0) as usize, self.even(1.0, 50.0).round());
        let angle = |n: usize| std::f64::consts::TAU * harmonic * n as f64 / points as f64;
        let table: Vec<f64> = (0..points).map(|n| size_nm * angle(n).sin()).collect();
        let cogging = Cogging::new(&table).expect("within the range");
        self.yes().then_some(cogging)
    }

    fn axis(&mut self) -> ServoParts {
        let drive = match self.even(0.0, 3.99) as usize {
            0 => Drive::BallScrew {
                lead_m: self.decades(1e-4, 0.2),
            },
            1 => Drive::Belt {
                pinion_radius_m: self.decades(1e-3, 1.0),
            },
            2 => Drive::Gear {
                ratio: self.decades(0.1, 1000.0),
            },
            _ => Drive::Direct,
        };
        let mut parts = ServoParts::example(drive);
        let m = &mut parts.motor;
        m.torque_constant_nm_per_a = self.decades(1e-3, 1e3);
        m.magnet_per_k = self.even(-0.003, 0.0);
        m.resistance_ohm = self.decades(1e-3, 1e3);
        let least = (2.2 * m.resistance_ohm * 1e-5 * (1.0 + 1e-9)).max(1e-6);
        m.inductance_h = self.decades(least, 1.0);
        m.pole_pairs = self.even(1.0, 100.0).round();
        m.voltage_max_v = self.decades(1.0, 1000.0);
        m.current_max_a = self.decades(0.01, 5000.0);
        let most = m.inductance_h / (2.2 * m.resistance_ohm);
        m.current_time_constant_s = self.decades(1e-5, most);
        parts.tick_s = self.decades(1.5e-5, 1e-3);
        m.dead_time_s = self.even(0.0, (60.0 * parts.tick_s).min(1e-3));
        parts.thermal = self.thermal();
        parts.cogging = self.cogging();
        let l = &mut parts.loops;
        l.position_gain_per_s = self.even(0.0, 1e3);
        l.velocity_gain_a_s_per_m = self.zero_or(1e-6, 1e7);
        l.integral_gain_a_per_m = self.zero_or(1e-6, 1e9);
        l.velocity_feedforward = self.even(0.0, 1.2);
        l.acceleration_feedforward_a_s2_per_m = self.zero_or(1e-6, 1e6);
        l.velocity_max_m_per_s = self.decades(1e-4, 1e4);
        if self.yes() {
            parts.feedback = Feedback::Load;
        }
        let t = &mut parts.mechanics.transmission;
        t.efficiency_forward = self.even(0.05, 1.0);
        t.efficiency_backward = self.even(0.0, 1.0);
        let (with_lugre, with_compliance, with_gap) = (self.yes(), self.yes(), self.yes());
        let m = &mut parts.mechanics;
        m.motor_mass_kg = self.decades(1e-6, 1e9);
        m.load_mass_kg = self.decades(1e-6, 1e9);
        m.gravity_n = self.even(-1e6, 1e6);
        m.motor_friction = self.friction(0.0);
        m.load_friction = if with_lugre {
            Friction::LuGre(LuGre {
                map: self.friction(1e-6),
                bristle_stiffness_n_per_m: self.decades(1.0, 1e10),
                bristle_damping_n_s_per_m: self.zero_or(1e-6, 1e7),
            })
        } else {
            Friction::Static(self.friction(0.0))
        };
        m.compliance = with_compliance.then(|| Compliance {
            stiffness_n_per_m: self.decades(1.0, 1e10),
            damping_n_s_per_m: if with_gap {
                self.decades(1e-3, 1e7)
            } else {
                self.zero_or(1e-3, 1e7)
            },
            gap_m: if with_gap {
                self.decades(1e-6, 0.1)
            } else {
                0.0
            },
        });
        if !with_compliance {
            m.load_mass_kg = self.zero_or(1e-6, 1e9);
        }
        parts
    }
}

fn unit() -> impl Strategy<Value = f64> {
    prop_oneof![1 => Just(0.0), 1 => Just(1.0), 8 => 0.0..1.0f64]
}

/// The fastest that an axis can be by the energy that is put in, and the farthest it can have come.
struct Reach {
    /// Root of twice the energy (sqrt J).
    root: f64,
    /// Speeds of motor and load (m/s).
    fastest: [f64; 2],
    /// Ways of motor and load (m).
    farthest: [f64; 2],
}

impl Reach {
    fn new() -> Self {
        Self {
            root: 0.0,
            fastest: [0.0; 2],
            farthest: [0.0; 2],
        }
    }

    /// A cycle of so many parts with at most the force `load_n` of the process. A force adds at most the power F v, with v at
    /// most root / sqrt(m), and the root grows by F / sqrt(m).
    fn cycle(&mut self, parts: &ServoParts, load_n: f64, period_s: f64, pieces: f64) {
        let m = &parts.mechanics;
        // The warmest and the coldest winding that there is.
        let kt = parts.motor.torque_constant_nm_per_a * (1.0 - parts.motor.magnet_per_k * 80.0);
        let cogging = parts.cogging.as_ref().map_or(0.0, Cogging::bound_nm);
        let motor_n = (kt * parts.motor.current_max_a + cogging) / m.transmission.travel_per_rad();
        let load_n = load_n + m.gravity_n.abs();
        let (m1, m2) = if m.compliance.is_some() {
            (m.motor_mass_kg, m.load_mass_kg)
        } else {
            let both = m.motor_mass_kg + m.load_mass_kg;
            (both, both)
        };
        self.root += (motor_n / m1.sqrt() + load_n / m2.sqrt()) * period_s;
        if let Some(l) = m.load_friction.bristles() {
            // Bristles that snap back give a kick by their damping, at most that of their whole range.
            let kick = 2.0 * l.bristle_damping_n_s_per_m * l.bristle_max_m();
            self.root += pieces * kick / m2.sqrt();
        }
        for (n, mass) in [m1, m2].into_iter().enumerate() {
            self.fastest[n] = self.root / mass.sqrt();
            self.farthest[n] += self.fastest[n] * period_s;
        }
    }
}

/// Cycles of a case.
const CYCLES: usize = 200;
/// Most ticks in a cycle: more of them are the same again.
const TICKS_MAX: f64 = 12.0;

/// A part of a case: mode, sign and exponent of the value asked for, and the process' force from -1e6 to 1e6 N (0 to 1).
type Part = (usize, f64, f64, f64);

/// Runs a case and holds every cycle against the current's limit and the energy that is put in.
fn stays_within(
    parts: &ServoParts,
    params: &ServoParams,
    period_s: f64,
    commands: &[Part],
) -> Result<(), TestCaseError> {
    // Longer ticks than asked for do not exist, shorter ones may make the dead time too long.
    let Ok(plan) = ServoPlan::new(params, period_s) else {
        return Ok(());
    };
    let mut state = ServoState::rest(&plan, 0.0);
    let mut reach = Reach::new();
    let pieces = 2.0 * (period_s / plan.tick_s()).round();
    let limit = parts.motor.current_max_a;
    for k in 0..CYCLES {
        let (mode, sign, exponent, load) = commands[k * commands.len() / CYCLES];
        let value = sign * 10f64.powf(exponent);
        let command = match mode {
            0 => Command::position(value),
            1 => Command::velocity(value),
            _ => Command::Cst { current_a: value },
        };
        let load_n = (2.0 * load - 1.0) * 1e6;
        plan.step(&mut state, command, load_n);
        reach.cycle(parts, load_n.abs(), period_s, pieces);
        let m = &state.mechanics;
        for (n, (v, x)) in [
            (m.motor_velocity_m_per_s, m.motor_position_m()),
            (m.load_velocity_m_per_s, m.position_m),
        ]
        .into_iter()
        .enumerate()
        {
            let (fastest, farthest) = (reach.fastest[n], reach.farthest[n]);
            // What is no number is not below either.
            prop_assert!(
                v.abs() <= fastest * (1.0 + 1e-6),
                "side {n}, cycle {k}: {v} m/s, at most {fastest}\n{state:?}\n{parts:?}"
            );
            prop_assert!(
                x.abs() <= farthest * (1.0 + 1e-6),
                "side {n}, cycle {k}: {x} m, at most {farthest}\n{state:?}\n{parts:?}"
            );
        }
        if let Some(l) = parts.mechanics.load_friction.bristles() {
            prop_assert!(
                m.bristle_m.abs() <= l.bristle_max_m(),
                "{state:?}\n{parts:?}"
            );
        }
        prop_assert!(
            state.current_a.abs() <= limit,
            "{} of {limit}\n{parts:?}",
            state.current_a
        );
        prop_assert!(
            state.mean_squared_a2 >= 0.0 && state.mean_squared_a2 <= limit * limit * (1.0 + 1e-9)
        );
        for c in [state.thermal.winding_c, state.thermal.housing_c] {
            prop_assert!((COLDEST_C..=HOTTEST_C).contains(&c), "{c}\n{parts:?}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(120) })]

    #[test]
    fn any_allowed_axis_stays_within_its_current_and_the_energy_put_in(
        values in prop::collection::vec(unit(), 96),
        period in unit(),
        commands in prop::collection::vec((0..3usize, -1.0..1.0f64, -6.0..6.0f64, unit()), 10),
    ) {
        let parts = Draw(values.iter()).axis();
        let params = ServoParams::new(parts).expect("within the ranges");
        let longest_s = (TICKS_MAX * parts.tick_s).min(PERIOD_MAX_S);
        let period_s = (PERIOD_MIN_S * (longest_s / PERIOD_MIN_S).powf(period)).clamp(PERIOD_MIN_S, PERIOD_MAX_S);
        stays_within(&parts, &params, period_s, &commands)?;
    }
}

/// No friction at all.
const SMOOTH: StaticFriction = StaticFriction {
    coulomb_positive_n: 0.0,
    coulomb_negative_n: 0.0,
    stribeck_n: 0.0,
    stribeck_velocity_m_per_s: 1e-6,
    viscous_n_s_per_m: 0.0,
};

/// A load of a milligram behind a spring, driven by tons: the spring's oscillation is far beyond what a step resolves, and the
/// motor is held by a transmission that locks itself while the load is thrown to and fro in its gap.
#[test]
fn a_load_thrown_through_its_gap_does_not_carry_the_motor_along() {
    let mut parts = ServoParts::example(Drive::Direct);
    parts.motor.torque_constant_nm_per_a = 0.001;
    parts.motor.current_max_a = 0.01;
    parts.cogging = None;
    parts.tick_s = 0.001;
    // The motor is not asked for anything.
    let l = &mut parts.loops;
    l.position_gain_per_s = 0.0;
    l.velocity_gain_a_s_per_m = 0.0;
    l.integral_gain_a_per_m = 0.0;
    l.velocity_feedforward = 0.0;
    l.acceleration_feedforward_a_s2_per_m = 0.0;
    l.velocity_max_m_per_s = 1e-4;
    let m = &mut parts.mechanics;
    m.motor_mass_kg = 1e9;
    m.load_mass_kg = 1e-6;
    m.motor_friction = SMOOTH;
    m.load_friction = Friction::Static(StaticFriction {
        viscous_n_s_per_m: 0.0014046031131396196,
        ..SMOOTH
    });
    m.gravity_n = 506_550.811_512_752_44;
    m.compliance = Some(Compliance {
        stiffness_n_per_m: 3_778_679.408_890_111,
        damping_n_s_per_m: 0.001,
        gap_m: 1e-6,
    });
    m.transmission.efficiency_forward = 0.05;
    m.transmission.efficiency_backward = 0.0;
    let params = ServoParams::new(parts).expect("within the ranges");
    let mut commands = [(0, 0.0, 0.0, 0.0); 10];
    commands[8].3 = 1.0;
    stays_within(&parts, &params, PERIOD_MIN_S, &commands).expect("within the bounds");
}

/// A motor of a milligram that locks itself, on a spring far beyond what a step resolves: where it drives the load and is taken
/// for driven it feels nothing of the spring that it stretches, and what the load gets is taken from nowhere.
#[test]
fn a_motor_that_locks_itself_gives_the_load_no_more_than_it_has() {
    let mut parts = ServoParts::example(Drive::Direct);
    parts.motor.torque_constant_nm_per_a = 1000.0;
    parts.motor.current_max_a = 5000.0;
    parts.motor.dead_time_s = 0.0;
    parts.cogging = None;
    parts.tick_s = 0.001;
    let m = &mut parts.mechanics;
    m.motor_mass_kg = 1e-6;
    m.load_mass_kg = 11.810035898783013;
    m.motor_friction = SMOOTH;
    m.load_friction = Friction::Static(SMOOTH);
    m.gravity_n = -1e6;
    m.compliance = Some(Compliance {
        stiffness_n_per_m: 1e10,
        damping_n_s_per_m: 0.0,
        gap_m: 0.0,
    });
    m.transmission.efficiency_forward = 1.0;
    m.transmission.efficiency_backward = 0.0;
    let params = ServoParams::new(parts).expect("within the ranges");
    for current_a in [-5000.0f64, -50.0, 50.0, 5000.0] {
        let exponent = current_a.abs().log10();
        let part = |load| (2, current_a.signum(), exponent, load);
        let commands: [Part; 10] = std::array::from_fn(|n| part([0.5, 1.0, 0.0][n % 3]));
        stays_within(&parts, &params, PERIOD_MIN_S, &commands).expect("within the bounds");
    }
}

/// Current, voltage limit and mechanics together, without dead time, with the torque given (CST): the largest error of
/// speed and current over their ranges.
fn whole_axis(tick_s: f64, with_cogging: bool, seed: u64) -> [f64; 2] {
    let mut random = Random(seed);
    let mut parts = ServoParts::example(Drive::BallScrew { lead_m: 0.01 });
    parts.tick_s = tick_s;
    parts.motor.dead_time_s = 0.0;
    parts.motor.voltage_max_v = random.between(30.0, 300.0);
    // Cold for good: the reference has no temperature.
    parts.thermal.ambient_c = 20.0;
    parts.thermal.winding.capacity_j_per_k = 1e6;
    let cogging = (random.between(0.0, 0.2), 12.0);
    let angle = |n: usize| 2.0 * std::f64::consts::PI * n as f64 / 256.0;
    let table: Vec<f64> = (0..256)
        .map(|n| cogging.0 * (cogging.1 * angle(n)).sin())
        .collect();
    parts.cogging = with_cogging.then(|| Cogging::new(&table).expect("a table"));
    let cogging = if with_cogging { cogging } else { (0.0, 1.0) };
    parts.mechanics.gravity_n = random.between(-200.0, 200.0);
    let plan = ServoPlan::new(&ServoParams::new(parts).expect("in range"), 0.001).expect("a plan");
    let mut truth = plant(&parts.mechanics);
    truth.winding = Some(winding(&parts, cogging));
    let mut state = ServoState::rest(&plan, 0.0);
    let mut y: State = [0.0; 7];
    let (mut error, mut size) = ([0.0f64; 2], [1e-9f64; 2]);
    for _ in 0..12 {
        let asked = random.between(-5.0, 5.0);
        for _ in 0..10 {
            plan.step(&mut state, Command::Cst { current_a: asked }, 0.0);
        }
        let push = Push {
            asked,
            load_n: parts.mechanics.gravity_n,
        };
        truth.run(&mut y, &push, 0.01);
        let pairs = [
            (state.mechanics.motor_velocity_m_per_s, y[1]),
            (state.current_a, y[6]),
        ];
        for (n, (model, truth)) in pairs.into_iter().enumerate() {
            error[n] = error[n].max((model - truth).abs());
            size[n] = size[n].max(truth.abs());
        }
    }
    [error[0] / size[0], error[1] / size[1]]
}

#[test]
fn the_whole_axis_follows_the_reference_under_given_torque() {
    for (tick_s, bound) in [(15.625e-6, 2e-4), (62.5e-6, 1e-3)] {
        let mut worst = [0.0f64; 2];
        for seed in 0..20 {
            let error = whole_axis(tick_s, seed % 2 == 0, seed);
            worst = [worst[0].max(error[0]), worst[1].max(error[1])];
        }
        println!("whole axis, tick {tick_s}: {worst:?}");
        assert!(worst.iter().all(|x| *x < bound), "{worst:?}");
    }
}
