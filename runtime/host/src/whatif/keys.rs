//! What can be otherwise: each key with its unit, its bounds, and where its value stands in the machine.

use super::changes::Asked;
use twinstep_config::machine::{Axis, AxisKind, AxisServo, EffortUnit, SpringAndGap, Stroke};
use twinstep_config::units::{
    ACCELERATION, CURRENT_PER_VELOCITY, Dimension, FORCE, JERK, LENGTH, MASS, NUMBER, PER_SECOND,
    STIFFNESS, TIME, Unit, VELOCITY, VISCOUS,
};
use twinstep_models::axis::range::{self, Range};
use twinstep_models::rank::VERTICAL;

/// Standard gravity (m/s2).
const GRAVITY_M_PER_S2: f64 = 9.806_65;

/// Torque relative to the rated one, as drives have it.
const PERMILLE: Dimension = Dimension {
    name: "a torque in per mille of the rated one",
    example: "1500",
    units: &[unit("", 0), unit("permille", 0), unit("%", 1)],
};

const fn unit(name: &'static str, pow10: i32) -> Unit {
    Unit {
        name,
        pow10,
        mul: 1.0,
        div: 1.0,
    }
}

/// One key of an axis.
#[derive(Clone, Copy)]
pub struct Key {
    /// Name.
    pub name: &'static str,
    /// What it measures, on this axis.
    pub dimension: fn(&Axis) -> &'static Dimension,
    /// Smallest and largest value (SI).
    pub bounds: (f64, f64),
    /// Only a factor has a meaning.
    pub factor_only: bool,
    /// What an axis must have, in words.
    pub needs: &'static str,
    /// The value as it is; none where the axis has nothing of it.
    pub get: fn(&Axis) -> Option<f64>,
    /// Sets it.
    pub put: fn(&mut Axis, f64, Asked),
    /// Where it stands, if it is a key of presses alone.
    pub of_press: Option<OfPress>,
}

/// A value of a stroke.
#[derive(Clone, Copy)]
pub struct OfPress {
    /// The value as it is.
    pub get: fn(&Stroke) -> f64,
    /// Sets it.
    pub put: fn(&mut Stroke, f64),
}

const PROGRAM: &str = "a motion program";
const TWIN: &str = "a twin";
const CASCADE: &str = "a twin with a cascade";
const SERVO: &str = "the table [axis.servo]";
const SPRING: &str = "a `stiffness` in [axis.servo]";
/// A time that nobody waits for.
const MAX_DWELL_S: f64 = 3600.0;

const fn motion(
    name: &'static str,
    dimension: fn(&Axis) -> &'static Dimension,
    bounds: (f64, f64),
    get: fn(&Axis) -> Option<f64>,
    put: fn(&mut Axis, f64, Asked),
) -> Key {
    Key {
        name,
        dimension,
        bounds,
        factor_only: false,
        needs: PROGRAM,
        get,
        put,
        of_press: None,
    }
}

const fn twin(
    name: &'static str,
    dimension: fn(&Axis) -> &'static Dimension,
    bounds: (f64, f64),
    get: fn(&Axis) -> Option<f64>,
    put: fn(&mut Axis, f64, Asked),
) -> Key {
    Key {
        needs: TWIN,
        ..motion(name, dimension, bounds, get, put)
    }
}

const fn cascade(
    name: &'static str,
    dimension: fn(&Axis) -> &'static Dimension,
    bounds: (f64, f64),
    get: fn(&Axis) -> Option<f64>,
    put: fn(&mut Axis, f64, Asked),
) -> Key {
    Key {
        needs: CASCADE,
        ..motion(name, dimension, bounds, get, put)
    }
}

/// A key of the servo axis in full; none of them is in the figures of the twin's one mass.
const fn servo(
    name: &'static str,
    dimension: fn(&Axis) -> &'static Dimension,
    bounds: (f64, f64),
    get: fn(&Axis) -> Option<f64>,
    put: fn(&mut Axis, f64, Asked),
) -> Key {
    Key {
        needs: SERVO,
        ..motion(name, dimension, bounds, get, put)
    }
}

/// Bounds as `check` has them.
const fn of(range: Range) -> (f64, f64) {
    (range.low, range.high)
}

/// Keys of axes and presses.
pub const KEYS: &[Key] = &[
    motion(
        "velocity",
        |_| &VELOCITY,
        (1e-9, 1000.0),
        |axis| Some(axis.motion.velocity_m_per_s),
        put_velocity,
    ),
    motion(
        "acceleration",
        |_| &ACCELERATION,
        (1e-9, 1e5),
        |axis| Some(axis.motion.acceleration_m_per_s2),
        |axis, to, _| axis.motion.acceleration_m_per_s2 = to,
    ),
    motion(
        "jerk",
        |_| &JERK,
        (1e-9, 1e8),
        |axis| Some(axis.motion.jerk_m_per_s3),
        |axis, to, _| axis.motion.jerk_m_per_s3 = to,
    ),
    motion(
        "dwell",
        |_| &TIME,
        (0.0, MAX_DWELL_S),
        |axis| (!axis.motion.program.is_empty()).then(|| longest_dwell_s(axis)),
        put_dwell,
    ),
    twin(
        "mass",
        |_| &MASS,
        of(range::MASS_KG),
        |axis| Some(axis.twin.as_ref()?.mass_kg),
        put_mass,
    ),
    Key {
        factor_only: true,
        ..twin(
            "friction",
            |_| &NUMBER,
            (0.01, 100.0),
            |axis| axis.twin.as_ref().map(|_| 1.0),
            put_friction,
        )
    },
    twin(
        "coulomb",
        |_| &FORCE,
        of(range::FORCE_N),
        |axis| {
            let twin = axis.twin.as_ref()?;
            Some(0.5 * (twin.coulomb_positive_n + twin.coulomb_negative_n))
        },
        put_coulomb,
    ),
    twin(
        "viscous",
        |_| &VISCOUS,
        of(range::VISCOUS_N_S_PER_M),
        |axis| Some(axis.twin.as_ref()?.viscous_n_s_per_m),
        |axis, to, _| {
            if let Some(twin) = &mut axis.twin {
                twin.viscous_n_s_per_m = to;
            }
        },
    ),
    twin(
        "gravity",
        |_| &FORCE,
        (-range::FORCE_N.high, range::FORCE_N.high),
        |axis| Some(axis.twin.as_ref()?.gravity_n),
        |axis, to, _| {
            if let Some(twin) = &mut axis.twin {
                twin.gravity_n = to;
            }
        },
    ),
    cascade(
        "position_gain",
        |_| &PER_SECOND,
        of(range::POSITION_GAIN_PER_S),
        |axis| Some(axis.twin.as_ref()?.cascade?.position_gain_per_s),
        |axis, to, _| {
            if let Some(cascade) = cascade_of(axis) {
                cascade.position_gain_per_s = to;
            }
        },
    ),
    cascade(
        "velocity_gain",
        per_velocity,
        of(range::VELOCITY_GAIN),
        |axis| Some(axis.twin.as_ref()?.cascade?.velocity_gain_a_s_per_m),
        put_velocity_gain,
    ),
    cascade(
        "velocity_integral_time",
        |_| &TIME,
        (1e-6, 100.0),
        |axis| {
            let cascade = axis.twin.as_ref()?.cascade?;
            let has = cascade.integral_gain_a_per_m > 0.0;
            has.then(|| cascade.velocity_gain_a_s_per_m / cascade.integral_gain_a_per_m)
        },
        |axis, to, _| {
            if let Some(cascade) = cascade_of(axis) {
                cascade.integral_gain_a_per_m = cascade.velocity_gain_a_s_per_m / to;
            }
        },
    ),
    cascade(
        "velocity_feedforward",
        |_| &NUMBER,
        (0.0, 1.0),
        |axis| Some(axis.twin.as_ref()?.cascade?.velocity_feedforward),
        |axis, to, _| {
            if let Some(cascade) = cascade_of(axis) {
                cascade.velocity_feedforward = to;
            }
        },
    ),
    cascade(
        "max_torque_permille",
        |_| &PERMILLE,
        (1.0, 65_535.0),
        |axis| {
            let cascade = axis.twin.as_ref()?.cascade?;
            Some(1000.0 * cascade.limit_a / rated_a(axis)?)
        },
        |axis, to, _| {
            if let (Some(rated_a), Some(cascade)) = (rated_a(axis), cascade_of(axis)) {
                cascade.limit_a = to / 1000.0 * rated_a;
            }
        },
    ),
    Key {
        needs: SPRING,
        ..servo(
            "stiffness",
            |_| &STIFFNESS,
            (1.0, 1e10),
            |axis| Some(axis.servo.as_ref()?.spring?.stiffness_n_per_m),
            |axis, to, _| {
                if let Some(spring) = spring_of(axis) {
                    spring.stiffness_n_per_m = to;
                }
            },
        )
    },
    Key {
        needs: SPRING,
        ..servo(
            "backlash",
            |_| &LENGTH,
            (0.0, 0.1),
            |axis| Some(axis.servo.as_ref()?.spring?.backlash_m),
            |axis, to, _| {
                if let Some(spring) = spring_of(axis) {
                    spring.backlash_m = to;
                }
            },
        )
    },
    servo(
        "efficiency",
        |_| &NUMBER,
        (0.05, 1.0),
        |axis| Some(axis.servo.as_ref()?.efficiency),
        |axis, to, _| {
            if let Some(servo) = servo_of(axis) {
                servo.efficiency = to;
            }
        },
    ),
    servo(
        "efficiency_back",
        |_| &NUMBER,
        (0.0, 1.0),
        |axis| Some(axis.servo.as_ref()?.efficiency_back()),
        |axis, to, _| {
            if let Some(servo) = servo_of(axis) {
                servo.efficiency_back = Some(to);
            }
        },
    ),
    servo(
        "feedforward_mass",
        |_| &MASS,
        (0.0, 1e9),
        |axis| Some(axis.servo.as_ref()?.feedforward_mass_kg),
        |axis, to, _| {
            if let Some(servo) = servo_of(axis) {
                servo.feedforward_mass_kg = to;
            }
        },
    ),
];

/// Keys that only the servo axis in full knows of.
pub const OF_SERVO: [&str; 5] = [
    "stiffness",
    "backlash",
    "efficiency",
    "efficiency_back",
    "feedforward_mass",
];

/// Keys of presses alone, beside `recipe`.
pub const PRESS_KEYS: &[Key] = &[Key {
    of_press: Some(OfPress {
        get: |stroke| stroke.press_velocity_m_per_s,
        put: |stroke, to| stroke.press_velocity_m_per_s = to,
    }),
    ..motion(
        "press_velocity",
        |_| &VELOCITY,
        (1e-9, 1000.0),
        |_| None,
        |_, _, _| {},
    )
}];

/// Rated current of the drive (A); none where the configuration has no drive, as for a recording from elsewhere.
pub fn rated_a(axis: &Axis) -> Option<f64> {
    let drive = &axis.drive;
    // What the configuration puts in for a drive that is not there.
    let gains = [
        drive.position_gain_per_s,
        drive.velocity_gain_a_s_per_m,
        drive.velocity_integral_time_s,
    ];
    (axis.effort_unit == EffortUnit::Ampere && gains != [1.0; 3]).then_some(drive.rated_current_a)
}

fn cascade_of(axis: &mut Axis) -> Option<&mut twinstep_config::machine::Cascade> {
    axis.twin.as_mut()?.cascade.as_mut()
}

fn servo_of(axis: &mut Axis) -> Option<&mut AxisServo> {
    axis.servo.as_mut()
}

fn spring_of(axis: &mut Axis) -> Option<&mut SpringAndGap> {
    axis.servo.as_mut()?.spring.as_mut()
}

fn per_velocity(axis: &Axis) -> &'static Dimension {
    match axis.effort_unit {
        EffortUnit::Ampere => &CURRENT_PER_VELOCITY,
        EffortUnit::Newton => &VISCOUS,
    }
}

/// A factor is one on the velocities of the steps too; a step is never faster than its axis.
fn put_velocity(axis: &mut Axis, to: f64, asked: Asked) {
    axis.motion.velocity_m_per_s = to;
    for step in &mut axis.motion.program {
        if let Some(own) = &mut step.velocity_m_per_s {
            if let Asked::Factor(factor) = asked {
                *own *= factor;
            }
            *own = own.min(to);
        }
    }
}

fn longest_dwell_s(axis: &Axis) -> f64 {
    let dwells = axis.motion.program.iter().map(|step| step.dwell_s);
    dwells.fold(0.0, f64::max)
}

/// Every dwell, not only the longest.
fn put_dwell(axis: &mut Axis, _: f64, asked: Asked) {
    for step in &mut axis.motion.program {
        step.dwell_s = asked.of(step.dwell_s).clamp(0.0, MAX_DWELL_S);
    }
}

/// What an axis that carries a weight carries more hangs on it, too.
fn put_mass(axis: &mut Axis, to: f64, _: Asked) {
    let Some(twin) = &mut axis.twin else {
        return;
    };
    let more_kg = to - twin.mass_kg;
    twin.mass_kg = to;
    // Of an inertia nothing hangs.
    let carries = axis.kind == AxisKind::Linear;
    let coulomb_n = 0.5 * (twin.coulomb_positive_n + twin.coulomb_negative_n);
    if carries && twin.gravity_n.abs() > VERTICAL * coulomb_n {
        twin.gravity_n += twin.gravity_n.signum() * GRAVITY_M_PER_S2 * more_kg;
    }
}

fn put_friction(axis: &mut Axis, factor: f64, _: Asked) {
    if let Some(twin) = &mut axis.twin {
        twin.coulomb_positive_n *= factor;
        twin.coulomb_negative_n *= factor;
        twin.viscous_n_s_per_m *= factor;
        twin.stribeck_n *= factor;
    }
}

/// Both directions by the same factor, where there was any.
fn put_coulomb(axis: &mut Axis, to: f64, _: Asked) {
    let Some(twin) = &mut axis.twin else {
        return;
    };
    let before = 0.5 * (twin.coulomb_positive_n + twin.coulomb_negative_n);
    if before > 0.0 {
        twin.coulomb_positive_n *= to / before;
        twin.coulomb_negative_n *= to / before;
    } else {
        (twin.coulomb_positive_n, twin.coulomb_negative_n) = (to, to);
    }
}

/// The integral time stays.
fn put_velocity_gain(axis: &mut Axis, to: f64, _: Asked) {
    if let Some(cascade) = cascade_of(axis) {
        let factor = to / cascade.velocity_gain_a_s_per_m;
        cascade.velocity_gain_a_s_per_m = to;
        if factor.is_finite() {
            cascade.integral_gain_a_per_m *= factor;
        }
    }
}
