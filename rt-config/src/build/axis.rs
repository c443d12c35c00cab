//! Servo axes: drive, motion and plant.

use super::press::recipe_index;
use super::signature::signature;
use super::twin::{stated_gravity, twin};
use super::{MAX_DWELL_S, MAX_LAG_S, Whole, asset_id, in_counts, needs};
use crate::check::{Bounds, Check};
use crate::machine::{
    Axis, AxisKind, AxisPlant, Drive, EffortUnit, MAX_STEPS, Motion, OperationMode, Step,
};
use crate::raw::{AxisTable, DriveTable, MotionTable, PlantTable, RecipeTable};
use crate::units::VELOCITY;
use crate::value::{At, Span};

/// Largest torque unless given (per mille of the rated torque).
const MAX_TORQUE_PERMILLE: u16 = 3000;

/// Kinds of axes, by their words in the configuration.
const KINDS: [(&str, AxisKind); 2] = [
    (AxisKind::Linear.name(), AxisKind::Linear),
    (AxisKind::Rotary.name(), AxisKind::Rotary),
];

/// The kind of an axis, which its units follow from; linear where it is none.
pub(super) fn kind(raw: &AxisTable, check: &mut Check) -> AxisKind {
    super::evaluation::one_of("kind", raw.kind.as_ref(), &KINDS, check)
}

pub(super) fn axis(
    raw: &AxisTable,
    kind: AxisKind,
    effort: EffortUnit,
    whole: &Whole,
    check: &mut Check,
) -> Axis {
    check.of_axis = Some(kind);
    let axis = of_kind(raw, kind, effort, whole, check);
    check.of_axis = None;
    axis
}

fn of_kind(
    raw: &AxisTable,
    kind: AxisKind,
    effort: EffortUnit,
    whole: &Whole,
    check: &mut Check,
) -> Axis {
    let drive = drive_or_neutral(&raw.name, raw.drive.as_ref(), "axis.drive", whole, check);
    let motion = raw.motion.as_ref().map_or_else(still, |motion| {
        self::motion(motion, counts_per_m(&drive), check)
    });
    if raw.motor.is_some() && raw.drive.is_none() {
        needs(check, &raw.name, "axis.drive", "to have a motor");
    }
    if raw.servo.is_some() && raw.motor.is_none() {
        needs(check, &raw.name, "axis.motor", "beside [axis.servo]");
    }
    let (signature, healthy) = signature(raw, effort, check);
    let twin = (raw.twin.as_ref()).map(|raw| twin(raw, effort, 0.0, whole, check));
    Axis {
        name: raw.name.value.clone(),
        asset_id: asset_id(raw.asset_id.as_ref(), check),
        kind,
        motion,
        motor: (raw.motor.as_ref()).map(|raw| super::motor::motor(raw, &drive, check)),
        servo: (raw.servo.as_ref())
            .map(|raw| super::servo::servo(raw, &drive, twin.as_ref(), check)),
        drive,
        twin,
        stated_gravity_n: stated_gravity(
            raw.calibrate.as_ref(),
            raw.drive.is_some() || effort == EffortUnit::Newton,
            check,
        ),
        signature,
        healthy,
        health: super::health::axis(raw.health.as_ref(), check),
        plant: plant_if_simulated(&raw.name, raw.plant.as_ref(), "axis.plant", whole, check),
        effort_unit: effort,
    }
}

/// Encoder increments per metre, NaN where the drive has a problem.
pub(super) fn counts_per_m(drive: &Drive) -> f64 {
    drive.counts_per_rev / drive.feed_m_per_rev
}

pub(super) fn drive_or_neutral(
    name: &At<String>,
    raw: Option<&DriveTable>,
    table: &str,
    whole: &Whole,
    check: &mut Check,
) -> Drive {
    if raw.is_none() && whole.bus {
        needs(check, name, table, "on a bus");
    }
    raw.map_or_else(neutral_drive, |raw| drive(raw, table, check))
}

pub(super) fn plant_if_simulated(
    name: &At<String>,
    raw: Option<&PlantTable>,
    table: &str,
    whole: &Whole,
    check: &mut Check,
) -> Option<AxisPlant> {
    if raw.is_none() && whole.simulated {
        needs(check, name, table, "to be simulated");
    }
    raw.map(|raw| plant(raw, whole.recipes, check))
}

/// A drive that nobody asks anything of: 1 N/A, 1 um increments.
fn neutral_drive() -> Drive {
    Drive {
        feed_m_per_rev: 1.0,
        counts_per_rev: 1e6,
        rated_current_a: 1.0,
        torque_constant_nm_per_a: 1.0 / (2.0 * std::f64::consts::PI),
        max_torque_permille: 1000,
        position_gain_per_s: 1.0,
        velocity_gain_a_s_per_m: 1.0,
        velocity_integral_time_s: 1.0,
        current_time_constant_s: 1e-3,
        torque_filter_s: 0.0,
        direction: 1.0,
    }
}

/// Way per motor revolution: the lead, or what the gear leaves of a turn.
fn feed(raw: &DriveTable, table: &str, check: &mut Check) -> f64 {
    let rotary = check.of_axis == Some(AxisKind::Rotary);
    match (&raw.lead, &raw.gear) {
        (Some(lead), None) if !rotary => check.si("lead", lead, Bounds::up_to(100.0)),
        (None, Some(gear)) if rotary => {
            let turns = check.si("gear", gear, Bounds::between(0.1, 1e4));
            2.0 * std::f64::consts::PI / turns
        }
        (Some(lead), _) if rotary => {
            check.problem(
                &lead.span,
                "`lead` is the way of a linear axis per motor revolution, and this axis is rotary (`kind`)",
                "not on a rotary axis",
                "write `gear` instead: motor turns per turn of the axis, 1 for a direct drive",
            );
            f64::NAN
        }
        (_, Some(gear)) => {
            check.problem(
                &gear.span,
                "`gear` is the motor's turns per turn of a rotary axis, and this one is linear",
                "not on a linear axis",
                "write `lead` instead, the way per motor revolution, or `kind = \"rotary\"` in [[axis]] where the axis turns",
            );
            f64::NAN
        }
        _ => {
            let (key, what) = if rotary {
                (
                    "gear",
                    "motor turns per turn of the axis, 1 for a direct drive",
                )
            } else {
                ("lead", "the way per motor revolution")
            };
            check.problem(
                &raw.counts_per_rev.span,
                format!("[{table}] needs the key `{key}`, {what}"),
                format!("`{key}` is missing beside this key"),
                format!(
                    "add `{key} = ...` to [{table}]; `twinstep check --schema` describes every key"
                ),
            );
            f64::NAN
        }
    }
}

fn drive(raw: &DriveTable, table: &str, check: &mut Check) -> Drive {
    let max_torque_permille =
        raw.max_torque_permille
            .as_ref()
            .map_or(MAX_TORQUE_PERMILLE, |permille| {
                if permille.value == 0 {
                    check.problem(
                        &permille.span,
                        "`max_torque_permille` is 0: the axis could never move",
                        "out of range",
                        "give it 1 to 65535 per mille of the rated torque; 3000 is usual",
                    );
                }
                permille.value
            });
    let direction = raw
        .direction
        .as_ref()
        .map_or(1.0, |direction| match direction.value {
            1 => 1.0,
            -1 => -1.0,
            other => {
                check.problem(
                    &direction.span,
                    format!("`direction` is {other}"),
                    "neither 1 nor -1",
                    "write 1 if the positive motor direction moves to larger positions, else -1",
                );
                f64::NAN
            }
        });
    Drive {
        feed_m_per_rev: feed(raw, table, check),
        counts_per_rev: check.si(
            "counts_per_rev",
            &raw.counts_per_rev,
            Bounds::between(1.0, 4_294_967_296.0),
        ),
        rated_current_a: check.si("rated_current", &raw.rated_current, Bounds::up_to(10_000.0)),
        torque_constant_nm_per_a: check.si(
            "torque_constant",
            &raw.torque_constant,
            Bounds::up_to(10_000.0),
        ),
        max_torque_permille,
        position_gain_per_s: check.si("position_gain", &raw.position_gain, Bounds::up_to(1e5)),
        velocity_gain_a_s_per_m: check.si("velocity_gain", &raw.velocity_gain, Bounds::positive()),
        velocity_integral_time_s: check.si(
            "velocity_integral_time",
            &raw.velocity_integral_time,
            Bounds::up_to(MAX_LAG_S),
        ),
        current_time_constant_s: check.si(
            "current_time_constant",
            &raw.current_time_constant,
            Bounds::up_to(MAX_LAG_S),
        ),
        torque_filter_s: check.si_or(
            "torque_filter",
            raw.torque_filter.as_ref(),
            Bounds::between(0.0, MAX_LAG_S),
            0.0,
        ),
        direction,
    }
}

/// No program: the axis stands where it is.
fn still() -> Motion {
    Motion {
        start_m: 0.0,
        velocity_m_per_s: 1.0,
        acceleration_m_per_s2: 1.0,
        jerk_m_per_s3: 1.0,
        program: Vec::new(),
    }
}

fn motion(raw: &MotionTable, counts_per_m: f64, check: &mut Check) -> Motion {
    let mut motion = Motion {
        start_m: check.si_or("start", raw.start.as_ref(), Bounds::any(), 0.0),
        velocity_m_per_s: check.si("velocity", &raw.velocity, Bounds::up_to(1000.0)),
        acceleration_m_per_s2: check.si("acceleration", &raw.acceleration, Bounds::up_to(1e5)),
        jerk_m_per_s3: check.si("jerk", &raw.jerk, Bounds::up_to(1e8)),
        program: Vec::new(),
    };
    if let Some(start) = &raw.start {
        in_counts("start", motion.start_m, counts_per_m, &start.span, check);
    }
    if let Some(last) = raw.program.last() {
        check.at_most(
            &last.span,
            "steps in a program",
            raw.program.len(),
            MAX_STEPS,
        );
    }
    for step in &raw.program {
        let (span, raw) = (&step.span, &step.value);
        let to_m = check.si("to", &raw.to, Bounds::any());
        in_counts("to", to_m, counts_per_m, &raw.to.span, check);
        let velocity_m_per_s = raw.velocity.as_ref().map(|velocity| {
            let value = check.si("velocity", velocity, Bounds::up_to(1000.0));
            if value > motion.velocity_m_per_s {
                check.problem(
                    &velocity.span,
                    format!(
                        "`velocity` of a step is {}, more than the axis' own limit of {}{}",
                        velocity.scalar.shown(),
                        motion.velocity_m_per_s,
                        check.here(&VELOCITY).si()
                    ),
                    "above the limit",
                    "lower it, or raise `velocity` in [axis.motion]",
                );
            }
            value
        });
        let dwell_s = check.si_or(
            "dwell",
            raw.dwell.as_ref(),
            Bounds::between(0.0, MAX_DWELL_S),
            0.0,
        );
        motion.program.push(Step {
            to_m,
            velocity_m_per_s,
            dwell_s,
            mode: (raw.mode.as_ref()).map_or_else(OperationMode::default, |name| mode(name, check)),
        });
        empty_step(&motion.program, span, check);
    }
    if let (Some(first), Some(last)) = (motion.program.first(), motion.program.last())
        && first.to_m == last.to_m
        && first.dwell_s == 0.0
        && let Some(step) = raw.program.first()
    {
        // The program repeats, so the first step follows the last one.
        takes_no_time(&step.span, check);
    }
    motion
}

/// A mode of operation by its name; csp where it is none.
pub(super) fn mode(name: &At<String>, check: &mut Check) -> OperationMode {
    let found = OperationMode::ALL
        .iter()
        .find(|mode| mode.name() == name.value);
    found.copied().unwrap_or_else(|| {
        let names = OperationMode::ALL.map(OperationMode::name);
        check.unknown("mode of operation", name, &names);
        OperationMode::default()
    })
}

/// Refuses a step that goes nowhere and does not dwell: a program of such steps takes no time.
fn empty_step(program: &[Step], span: &Span, check: &mut Check) {
    if let [.., before, step] = program
        && before.to_m == step.to_m
        && step.dwell_s == 0.0
    {
        takes_no_time(span, check);
    }
}

fn takes_no_time(span: &Span, check: &mut Check) {
    check.problem(
        span,
        "this step ends where the one before it ended and does not dwell: it takes no time",
        "does nothing",
        "give it another target or a dwell, or leave it out",
    );
}

fn plant(raw: &PlantTable, recipes: &[RecipeTable], check: &mut Check) -> AxisPlant {
    if let (Some(AxisKind::Rotary), Some(gravity)) = (check.of_axis, &raw.gravity) {
        check.problem(
            &gravity.span,
            "`gravity` of a simulated axis is the weight of its mass, and this axis is rotary (`kind`)",
            "not on a rotary axis",
            "leave it out: a rotary axis is simulated in balance",
        );
    }
    let payloads = raw.payload.iter();
    check.unique(
        "the payloads of an axis",
        payloads.clone().map(|one| &one.recipe),
    );
    let payloads = payloads.filter_map(|one| {
        let mass_kg = check.si("mass", &one.mass, Bounds::not_negative());
        Some((recipe_index(&one.recipe, recipes, check)?, mass_kg))
    });
    AxisPlant {
        payloads: payloads.collect(),
        load_mass_kg: check.si("load_mass", &raw.load_mass, Bounds::positive()),
        motor_inertia_kg_m2: check.si("motor_inertia", &raw.motor_inertia, Bounds::positive()),
        coulomb_n: check.si("coulomb", &raw.coulomb, Bounds::not_negative()),
        static_ratio: check.si(
            "static_ratio",
            &raw.static_ratio,
            Bounds::between(1.0, 10.0),
        ),
        stribeck_velocity_m_per_s: check.si(
            "stribeck_velocity",
            &raw.stribeck_velocity,
            Bounds::positive(),
        ),
        viscous_n_s_per_m: check.si("viscous", &raw.viscous, Bounds::not_negative()),
        gravity: check.si_or(
            "gravity",
            raw.gravity.as_ref(),
            Bounds::between(-1.0, 1.0),
            0.0,
        ),
        stiffness_n_per_m: check.si("stiffness", &raw.stiffness, Bounds::positive()),
        backlash_m: check.si_or(
            "backlash",
            raw.backlash.as_ref(),
            Bounds::between(0.0, 0.1),
            0.0,
        ),
        cogging_nm: check.si_or("cogging", raw.cogging.as_ref(), Bounds::not_negative(), 0.0),
        efficiency: check.si("efficiency", &raw.efficiency, Bounds::up_to(1.0)),
        efficiency_back: (raw.efficiency_back.as_ref())
            .map(|back| check.si("efficiency_back", back, Bounds::between(0.0, 1.0))),
        switches: super::switches::switches(raw.switches.as_ref(), check),
    }
}
