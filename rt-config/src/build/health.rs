//! The limits of remaining life.

use crate::check::{Bounds, Check};
use crate::machine::{HealthLimits, LEAK_FACTOR};
use crate::raw::{AxisHealthTable, PressHealthTable, StationHealthTable};
use crate::value::{Dim, Number, Quantity};

/// What grows ends above what it was at first, by more than its own error.
const GROWN: Bounds = Bounds::between(1.01, 100.0);
/// What falls ends below what it was at first.
const FALLEN: Bounds = Bounds::between(0.1, 0.99);
/// Lost motion (m): an encoder's increment to what no machine could work with.
const GAP: Bounds = Bounds::between(1e-6, 0.1);
/// Both sides of a gap have some inertia.
const SHARE: Bounds = Bounds::between(0.02, 0.98);
/// A leak grows over decades.
const LEAK: Bounds = Bounds::between(1.01, 1e6);

pub(super) fn axis(raw: Option<&AxisHealthTable>, check: &mut Check) -> HealthLimits {
    let Some(raw) = raw else {
        return HealthLimits::default();
    };
    let share = raw.motor_inertia_share.as_ref();
    HealthLimits {
        motor_inertia_share: share.map(|raw| check.si("motor_inertia_share", raw, SHARE)),
        ..limits(
            raw.friction_factor.as_ref(),
            raw.backlash_gap.as_ref(),
            raw.torque_constant_fraction.as_ref(),
            check,
        )
    }
}

/// `tares`: the strokes of the press are given a zero.
pub(super) fn press(
    raw: Option<&PressHealthTable>,
    tares: bool,
    check: &mut Check,
) -> HealthLimits {
    let Some(raw) = raw else {
        return HealthLimits::default();
    };
    if let (Some(limit), false) = (&raw.tare, tares) {
        check.problem(
            &limit.span,
            "`tare` of [press.health] has no meaning without `tare` of [press.curve]",
            "not used",
            "leave it out, or add the free part of the way in to [press.curve]: `tare = [\"148.5mm\", \"149.5mm\"]`",
        );
    }
    let shared = limits(
        raw.friction_factor.as_ref(),
        raw.backlash_gap.as_ref(),
        raw.torque_constant_fraction.as_ref(),
        check,
    );
    HealthLimits {
        stiffness_factor: check.si_or(
            "stiffness_factor",
            raw.stiffness_factor.as_ref(),
            FALLEN,
            shared.stiffness_factor,
        ),
        gradient_factor: (raw.gradient_factor.as_ref())
            .map(|raw| check.si("gradient_factor", raw, FALLEN)),
        tare_n: (raw.tare.as_ref()).map(|raw| check.si("tare", raw, Bounds::positive())),
        ..shared
    }
}

fn limits<D: Dim>(
    friction: Option<&Quantity<Number>>,
    gap: Option<&Quantity<D>>,
    torque_constant: Option<&Quantity<Number>>,
    check: &mut Check,
) -> HealthLimits {
    let usual = HealthLimits::default();
    HealthLimits {
        friction_factor: check.si_or("friction_factor", friction, GROWN, usual.friction_factor),
        backlash_gap_m: check.si_or("backlash_gap", gap, GAP, usual.backlash_gap_m),
        torque_constant_fraction: check.si_or(
            "torque_constant_fraction",
            torque_constant,
            FALLEN,
            usual.torque_constant_fraction,
        ),
        ..usual
    }
}

/// Leak rate at the end of a station's life, relative to the calibrated one.
pub(super) fn leak_factor(raw: Option<&StationHealthTable>, check: &mut Check) -> f64 {
    let raw = raw.and_then(|raw| raw.leak_factor.as_ref());
    check.si_or("leak_factor", raw, LEAK, LEAK_FACTOR)
}
