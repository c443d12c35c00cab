//! What the twin's one mass leaves out of an axis: each value in its bounds, and all of them beside drive and twin.

use crate::check::{Bounds, Check};
use crate::machine::{
    AxisKind, AxisServo, AxisTwin, Bristles, Drive, SpringAndGap, TransmissionKind,
};
use crate::raw::ServoTable;
use crate::units::{FORCE, MASS};
use crate::value::{At, Quantity, Span, Torque};
use std::f64::consts::TAU;

const STIFFNESS: Bounds = Bounds::between(1.0, 1e10);
const EFFICIENCY: Bounds = Bounds::between(0.05, 1.0);
const SHARE: Bounds = Bounds::between(0.0, 1.0);
/// Unless given: screw and bearings beside the guide.
const MOTOR_FRICTION_SHARE: f64 = 0.2;
/// Points of a cogging table.
const POINTS: std::ops::RangeInclusive<usize> = 4..=256;
const POINT_MAX_NM: f64 = 1e5;
/// Longest lead of a screw (m).
const LONGEST_LEAD_M: f64 = 0.2;
/// Where the position loop's encoder sits, and whether that is on the load.
const ENCODERS: [(&str, bool); 2] = [("motor", false), ("load", true)];

/// The table `[axis.servo]` beside its drive and, where there is one already, its twin.
pub(super) fn servo(
    raw: &ServoTable,
    drive: &Drive,
    twin: Option<&AxisTwin>,
    check: &mut Check,
) -> AxisServo {
    let needed = [
        (
            raw.damping.as_ref().map(|v| &v.span),
            "damping",
            raw.stiffness.is_some(),
            "stiffness",
        ),
        (
            raw.backlash.as_ref().map(|v| &v.span),
            "backlash",
            raw.stiffness.is_some(),
            "stiffness",
        ),
        (
            raw.stiffness.as_ref().map(|v| &v.span),
            "stiffness",
            raw.motor_inertia.is_some(),
            "motor_inertia",
        ),
        (
            raw.bristle_damping.as_ref().map(|v| &v.span),
            "bristle_damping",
            raw.bristle_stiffness.is_some(),
            "bristle_stiffness",
        ),
    ];
    for (span, key, is_there, other) in needed {
        if let Some(span) = span.filter(|_| !is_there) {
            check.problem(
                span,
                format!("`{key}` needs `{other}` beside it, and there is none"),
                format!("without `{other}`"),
                format!("add `{other} = ...` to the same table, or leave `{key}` out"),
            );
        }
    }
    let servo = AxisServo {
        transmission: transmission(raw.transmission.as_ref(), drive, check),
        efficiency: check.si_or("efficiency", raw.efficiency.as_ref(), EFFICIENCY, 1.0),
        efficiency_back: (raw.efficiency_back.as_ref())
            .map(|back| check.si("efficiency_back", back, SHARE)),
        motor_inertia_kg_m2: (raw.motor_inertia.as_ref())
            .map(|inertia| check.si("motor_inertia", inertia, Bounds::positive())),
        motor_friction_share: check.si_or(
            "motor_friction_share",
            raw.motor_friction_share.as_ref(),
            SHARE,
            MOTOR_FRICTION_SHARE,
        ),
        spring: spring(raw, check),
        bristles: (raw.bristle_stiffness.as_ref()).map(|stiffness| Bristles {
            stiffness_n_per_m: check.si("bristle_stiffness", stiffness, STIFFNESS),
            damping_n_s_per_m: check.si_or(
                "bristle_damping",
                raw.bristle_damping.as_ref(),
                Bounds::between(0.0, 1e7),
                0.0,
            ),
        }),
        cogging_nm: cogging(raw.cogging.as_ref(), check),
        encoder_on_load: super::evaluation::one_of(
            "encoder",
            raw.encoder.as_ref(),
            &ENCODERS,
            check,
        ),
        feedforward_mass_kg: check.si_or(
            "feedforward_mass",
            raw.feedforward_mass.as_ref(),
            Bounds::between(0.0, 1e9),
            0.0,
        ),
        found: None,
    };
    if let Some(twin) = twin {
        beside_its_twin(raw, &servo, drive, twin, check);
    }
    servo
}

fn spring(raw: &ServoTable, check: &mut Check) -> Option<SpringAndGap> {
    let damping_n_s_per_m = (raw.damping.as_ref())
        .map(|damping| check.si("damping", damping, Bounds::between(1e-3, 1e7)));
    let backlash_m = check.si_or(
        "backlash",
        raw.backlash.as_ref(),
        Bounds::between(0.0, 0.1),
        0.0,
    );
    let stiffness = raw.stiffness.as_ref()?;
    Some(SpringAndGap {
        stiffness_n_per_m: check.si("stiffness", stiffness, STIFFNESS),
        damping_n_s_per_m,
        backlash_m,
    })
}

fn cogging(raw: Option<&At<Vec<Quantity<Torque>>>>, check: &mut Check) -> Vec<f64> {
    let Some(raw) = raw else {
        return Vec::new();
    };
    if !POINTS.contains(&raw.value.len()) {
        check.problem(
            &raw.span,
            format!(
                "`cogging` has {} points, expected {} to {} over one revolution of the motor",
                raw.value.len(),
                POINTS.start(),
                POINTS.end()
            ),
            "too few or too many",
            "give torques in even steps, eight or more to each period of the cogging; leave the key out where there is none",
        );
        return Vec::new();
    }
    let bounds = Bounds::between(-POINT_MAX_NM, POINT_MAX_NM);
    let points = raw.value.iter();
    points
        .map(|point| check.si("cogging", point, bounds))
        .collect()
}

/// The kind that is named, if the drive moves the axis like that; else what its way per revolution looks like.
fn transmission(raw: Option<&At<String>>, drive: &Drive, check: &mut Check) -> TransmissionKind {
    use TransmissionKind::{BallScrew, Belt, Direct, Gear};
    let (rotary, feed) = (
        check.of_axis == Some(AxisKind::Rotary),
        drive.feed_m_per_rev,
    );
    let usual = match (rotary, feed <= LONGEST_LEAD_M) {
        (true, _) => Gear,
        (false, true) => BallScrew,
        (false, false) => Belt,
    };
    let Some(name) = raw else {
        return usual;
    };
    let kinds = TransmissionKind::ALL;
    let Some(kind) = kinds.into_iter().find(|kind| kind.name() == name.value) else {
        check.unknown("transmission", name, &kinds.map(TransmissionKind::name));
        return usual;
    };
    if kind.turns() != rotary {
        let (is, others) = if rotary {
            ("rotary", "gear or direct")
        } else {
            ("linear", "ball_screw or belt")
        };
        check.problem(
            &name.span,
            format!(
                "`transmission` is \"{}\", and this axis is {is} (`kind`)",
                kind.name()
            ),
            format!("not on a {is} axis"),
            format!("expected {others}; write one of them, or leave it out"),
        );
        return usual;
    }
    // Radius of a pinion, and turns of a motor.
    let (radius_m, turns) = (feed / TAU, TAU / feed);
    let (is, low, high, what) = match kind {
        BallScrew => (feed, 1e-4, LONGEST_LEAD_M, "m of lead"),
        Belt => (
            radius_m,
            1e-3,
            1.0,
            "m of pinion radius, which is `lead` over 2 pi",
        ),
        Gear => (turns, 0.1, 1000.0, "turns of the motor, which are `gear`"),
        Direct => (
            turns,
            1.0 - 1e-9,
            1.0 + 1e-9,
            "turn of the motor, which is `gear`",
        ),
    };
    if is < low || is > high {
        let expected = match kind {
            Direct => "1".to_owned(),
            _ => format!("{low} to {high}"),
        };
        check.problem(
            &name.span,
            format!(
                "`transmission` is \"{}\", and the drive has {is:.4} {what}; expected {expected}",
                kind.name()
            ),
            "not with this drive",
            "look at `lead` or `gear` in the table of the drive, or name another transmission",
        );
    }
    kind
}

/// What the twin contradicts.
fn beside_its_twin(
    raw: &ServoTable,
    servo: &AxisServo,
    drive: &Drive,
    twin: &AxisTwin,
    check: &mut Check,
) {
    let travel_per_rad = drive.feed_m_per_rev / TAU;
    let place = |of: Option<&Span>| of.cloned().unwrap_or_default();
    if let Some(inertia_kg_m2) = servo.motor_inertia_kg_m2 {
        let motor_kg = inertia_kg_m2 / (travel_per_rad * travel_per_rad);
        if motor_kg >= twin.mass_kg {
            let unit = check.here(&MASS).si();
            check.problem(
                &place(raw.motor_inertia.as_ref().map(|v| &v.span)),
                format!(
                    "`motor_inertia` alone is {motor_kg:.4}{unit} on this axis, and `mass` of its twin, which is all \
                     that moves, {:.4}{unit}",
                    twin.mass_kg
                ),
                "leaves nothing for the load",
                "look at its unit (kg cm2 is 1e-4 kg m2), at `lead` or `gear`, and whether the twin is that of this axis",
            );
        }
    }
    let dry_n = twin.coulomb_positive_n.min(twin.coulomb_negative_n);
    if servo.bristles.is_some() && (dry_n <= 0.0 || servo.motor_friction_share >= 1.0) {
        check.problem(
            &place(raw.bristle_stiffness.as_ref().map(|v| &v.span)),
            format!(
                "bristles need dry friction of the guide to slide at, and the twin's is {dry_n:.4}{} with a \
                 share of {} on the motor's side",
                check.here(&FORCE).si(),
                servo.motor_friction_share
            ),
            "nothing to slide at",
            "expected `coulomb_positive` and `coulomb_negative` above 0 and `motor_friction_share` below 1; leave the \
             bristles out else",
        );
    }
}
