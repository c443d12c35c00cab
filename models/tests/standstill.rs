//! Rest without chatter: bristles under load and a drive that holds them, and static friction in the vector of the cycle,
//! over many cycles in the shortest and in a long period.
#![allow(
    clippy::disallowed_methods,
    reason = "the yardstick is judged by its accuracy, not by its bits"
)]

mod reference;

use reference::Random;
use reference::axes::{one_mass, two_masses, with_bristles};
use reference::equations::{dry, params};
use twinstep_models::axis::{AxisParams, AxisState, LaneParams, Reference, cascade};
use twinstep_models::lane::{LANES, Lane, ZERO};
use twinstep_models::servo::{
    Command, Drive, Friction, LuGre, MechanicsPlan, MechanicsState, ServoParams, ServoParts,
    ServoPlan, ServoState, StaticFriction,
};

const PERIODS_S: [f64; 2] = [31.25e-6, 0.004];

/// How often a velocity changes its sign, and its largest size.
#[derive(Debug, Default)]
struct Seen {
    last: f64,
    changes: usize,
    fastest: f64,
}

impl Seen {
    /// Sizes below 1e-12 m/s are rounding.
    fn push(&mut self, v: f64) {
        self.fastest = self.fastest.max(v.abs());
        if v.abs() > 1e-12 {
            self.changes += usize::from(v * self.last < 0.0);
            self.last = v;
        }
    }
}

#[test]
fn bristles_under_a_constant_load_come_to_rest_and_stay_there() {
    for step_s in PERIODS_S {
        for seed in 0..4 {
            let mut random = Random(seed);
            let base = if seed % 2 == 0 {
                one_mass(&mut random, true)
            } else {
                two_masses(&mut random, false, true)
            };
            let mut m = with_bristles(&mut random, base);
            let mut lugre = *m.load_friction.bristles().expect("bristles");
            // What swings has come to rest after a second or two.
            let stiffness = lugre.bristle_stiffness_n_per_m;
            let mass = m.motor_mass_kg + m.load_mass_kg;
            lugre.bristle_damping_n_s_per_m = (stiffness * mass).sqrt();
            m.load_friction = Friction::LuGre(lugre);
            if let Some(c) = &mut m.compliance {
                c.damping_n_s_per_m = 0.4 * (c.stiffness_n_per_m * m.motor_mass_kg).sqrt();
            }
            let map = &lugre.map;
            let least_n = map.coulomb_positive_n.min(map.coulomb_negative_n);
            let load_n = random.between(-0.8, 0.8) * least_n;
            let plan = MechanicsPlan::new(&m, step_s);
            let mut state = MechanicsState::rest(0.0);
            for _ in 0..(3.0 / step_s) as usize {
                plan.advance(&mut state, 0.0, load_n);
            }
            let (start, mut seen) = (state, Seen::default());
            for _ in 0..(1.0 / step_s) as usize {
                plan.advance(&mut state, 0.0, load_n);
                seen.push(state.load_velocity_m_per_s);
            }
            // The load hangs on its bristles.
            let hang_m = -load_n / lugre.bristle_stiffness_n_per_m;
            let of = format!("{step_s} s, seed {seed}: {seen:?}\n{m:?}\n{state:?}");
            assert!(
                (state.bristle_m - hang_m).abs() < 1e-3 * hang_m.abs(),
                "{of}"
            );
            let way = (state.position_m - start.position_m).abs();
            assert!(seen.fastest < 1e-8 && seen.changes <= 1, "{of}");
            assert!(way < 1e-3 * lugre.bristle_max_m(), "{way}, {of}");
        }
    }
}

/// A ball screw whose guide has bristles, with or without dry friction on the motor's side.
fn on_bristles(dry: bool, gravity_n: f64) -> ServoParts {
    let mut parts = ServoParts::example(Drive::BallScrew { lead_m: 0.01 });
    let m = &mut parts.mechanics;
    m.gravity_n = gravity_n;
    if !dry {
        m.motor_friction = StaticFriction::NONE;
    }
    let stiffness = 2e7;
    m.load_friction = Friction::LuGre(LuGre {
        map: *m.load_friction.map(),
        bristle_stiffness_n_per_m: stiffness,
        bristle_damping_n_s_per_m: (stiffness * m.load_mass_kg).sqrt(),
    });
    parts
}

#[test]
fn a_drive_that_holds_its_bristles_under_load_creeps_and_does_not_chatter() {
    for period_s in PERIODS_S {
        for dry in [false, true] {
            for gravity_n in [60.0, -200.0] {
                let parts = on_bristles(dry, gravity_n);
                let params = ServoParams::new(parts).expect("in range");
                let plan = ServoPlan::new(&params, period_s).expect("a plan");
                let mut state = ServoState::rest(&plan, 0.0);
                let cycles = |s: f64| (s / period_s).round() as usize;
                let to = |k: usize| (0.05 * k as f64 * period_s).min(0.01);
                for k in 0..cycles(2.0) {
                    plan.step(&mut state, Command::position(to(k)), 0.0);
                }
                let (start, mut seen) = (state.mechanics, Seen::default());
                for k in cycles(2.0)..cycles(3.0) {
                    plan.step(&mut state, Command::position(to(k)), 0.0);
                    seen.push(state.mechanics.load_velocity_m_per_s);
                }
                let lugre = parts.mechanics.load_friction.bristles().expect("bristles");
                let most_m = lugre.bristle_max_m();
                let way = (state.mechanics.position_m - start.position_m).abs();
                println!(
                    "{period_s} s, dry {dry}, gravity {gravity_n} N: {seen:?}, way {way:.2e} of {most_m:.2e} m"
                );
                // Creep: the integrator moves the axis through what the bristles give, in no less than a second.
                assert!(seen.fastest < most_m && way < most_m, "{seen:?}");
                assert!(seen.changes <= 1, "{seen:?}");
            }
        }
    }
}

/// Eight axes that differ.
fn eight(period_s: f64, integral: bool) -> [AxisParams; LANES] {
    std::array::from_fn(|n| {
        let velocity_hz = [20.0, 50.0, 100.0, 150.0][n % 4];
        let (stribeck_a, dead_cycles) = ([0.0, 0.1, 0.3][n % 3], [1.0, 1.5, 2.0][n % 3]);
        let mut p = params(velocity_hz, stribeck_a, dead_cycles, period_s);
        p.gravity_a = 0.6 * (n as f64 - 3.5) / 3.5;
        if !integral {
            p.integral_gain = 0.0;
        }
        p
    })
}

/// Up to 20 mm, and then what `hold` says.
fn to_m(t: f64, hold: Option<&Lane>) -> Lane {
    match hold {
        None => [(0.1 * t).min(0.02); LANES],
        Some(hold) => *hold,
    }
}

/// Set-points at which the loops ask for just what gravity pulls with: friction brings the axes to rest there. Without this an
/// axis whose loop is slower than its friction creeps towards the edge of what friction holds for ever.
fn at_ease(axes: &[AxisParams; LANES], s: &AxisState) -> Lane {
    std::array::from_fn(|n| {
        let p = &axes[n];
        let missing_a = p.gravity_a - s.integral_a[n];
        s.position_m[n] + missing_a / (p.velocity_gain * p.position_gain_per_s)
    })
}

#[test]
fn eight_axes_that_have_stopped_keep_their_bits() {
    for period_s in PERIODS_S {
        let axes = eight(period_s, false);
        let lane = LaneParams::new(&axes, period_s);
        let (mut s, mut reference) = (AxisState::REST, Reference::default());
        let (mut hold, mut stopped) = (None, None);
        for k in 0..(4.0 / period_s).round() as usize {
            let t = k as f64 * period_s;
            if t >= 0.4 && hold.is_none() {
                hold = Some(at_ease(&axes, &s));
            }
            reference.push(&to_m(t, hold.as_ref()));
            cascade::advance(&lane, &reference, &mut s, &ZERO);
            if t > 0.8 {
                let first = stopped.get_or_insert(s);
                assert_eq!(s.velocity_m_per_s, ZERO, "{period_s} s, cycle {k}");
                assert_eq!(s.position_m, first.position_m, "{period_s} s, cycle {k}");
            }
        }
    }
}

/// An integrator beside static friction pushes until the axis breaks away. Until then it stands, to the bit.
#[test]
fn eight_axes_stand_still_for_as_long_as_friction_holds_them() {
    for period_s in PERIODS_S {
        let axes = eight(period_s, true);
        let lane = LaneParams::new(&axes, period_s);
        let (mut s, mut reference) = (AxisState::REST, Reference::default());
        let held = |n: usize, s: &AxisState| {
            let push = s.current_a[n] - axes[n].gravity_a;
            let inside = 1.0 - 1e-9;
            push < inside * dry(&axes[n], 1.0, 0.0) && push > -inside * dry(&axes[n], -1.0, 0.0)
        };
        let (mut stood, mut moved) = ([0usize; LANES], [0usize; LANES]);
        let cycles = (4.0 / period_s).round() as usize;
        let often = (0.1 / period_s).round() as usize;
        let mut hold = None;
        for k in 0..cycles {
            let before = s;
            let t = k as f64 * period_s;
            if t >= 0.4 && k % often == 0 {
                hold = Some(at_ease(&axes, &s));
            }
            reference.push(&to_m(t, hold.as_ref()));
            cascade::advance(&lane, &reference, &mut s, &ZERO);
            for n in 0..LANES {
                let rests = before.velocity_m_per_s[n] == 0.0;
                if rests && held(n, &before) && held(n, &s) && t > 0.5 {
                    let of = format!("{period_s} s, axis {n}, cycle {k}: {:?}", axes[n]);
                    assert_eq!(s.velocity_m_per_s[n], 0.0, "{of}");
                    assert_eq!(s.position_m[n], before.position_m[n], "{of}");
                    stood[n] += 1;
                }
                moved[n] += usize::from(s.velocity_m_per_s[n] != 0.0);
            }
        }
        println!("{period_s} s: {cycles} cycles, stood {stood:?}, moved {moved:?}");
        // In each of the 35 times for some while, and more often than not it has moved in between.
        assert!(stood.iter().sum::<usize>() > cycles / 2, "{stood:?}");
        assert!(moved.iter().all(|n| *n > 0), "{moved:?}");
    }
}
