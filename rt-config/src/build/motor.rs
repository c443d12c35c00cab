//! The motor behind a drive.

use crate::check::{Bounds, Check};
use crate::machine::{Drive, Motor};
use crate::raw::MotorTable;

/// Insulation of class F; surroundings as of rated data.
const WINDING_LIMIT_C: f64 = 155.0;
const AMBIENT_C: f64 = 40.0;
/// What the currents of a drive are of, and the amplitude per ampere of it.
const CURRENTS: [(&str, f64); 2] = [("rms", std::f64::consts::SQRT_2), ("amplitude", 1.0)];

pub(super) fn motor(raw: &MotorTable, drive: &Drive, check: &mut Check) -> Motor {
    let amplitude_per_a = (raw.currents.as_ref()).map_or(CURRENTS[0].1, |name| {
        let found = CURRENTS.iter().find(|(known, _)| *known == name.value);
        found.map_or_else(
            || {
                check.unknown("kind of current", name, &CURRENTS.map(|(known, _)| known));
                f64::NAN
            },
            |(_, amplitude_per_a)| *amplitude_per_a,
        )
    });
    let motor = Motor {
        resistance_ohm: check.si("resistance", &raw.resistance, Bounds::between(1e-3, 1e3)),
        inductance_h: check.si("inductance", &raw.inductance, Bounds::between(1e-6, 1.0)),
        pole_pairs: check.si("pole_pairs", &raw.pole_pairs, Bounds::between(1.0, 100.0)),
        dc_link_v: check.si("dc_link", &raw.dc_link, Bounds::between(2.0, 1500.0)),
        amplitude_per_a,
        thermal_resistance_k_per_w: check.si(
            "thermal_resistance",
            &raw.thermal_resistance,
            Bounds::between(1e-3, 100.0),
        ),
        thermal_time_constant_s: check.si(
            "thermal_time_constant",
            &raw.thermal_time_constant,
            Bounds::between(1.0, 86_400.0),
        ),
        ambient_c: check.si_or(
            "ambient",
            raw.ambient.as_ref(),
            Bounds::between(-40.0, 100.0),
            AMBIENT_C,
        ),
        winding_limit_c: check.si_or(
            "winding_limit",
            raw.winding_limit.as_ref(),
            Bounds::between(50.0, 250.0),
            WINDING_LIMIT_C,
        ),
    };
    // Resistance rises by a half until 150 degrees; the loop must be the faster one then, too.
    let slowest_s = motor.inductance_h / (2.2 * motor.resistance_ohm);
    if drive.current_time_constant_s > slowest_s {
        check.problem(
            &raw.inductance.span,
            format!(
                "`inductance` over `resistance` is {:.3}ms, and the current loop of the drive takes {:.3}ms: a closed loop is at least 2.2 times \
                 faster than the winding",
                1e3 * motor.inductance_h / motor.resistance_ohm,
                1e3 * drive.current_time_constant_s
            ),
            "too little for this loop",
            "look whether the data sheet gives both between two terminals, and at `current_time_constant` of the drive",
        );
    }
    motor
}
