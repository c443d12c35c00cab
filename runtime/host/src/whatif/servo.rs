//! The servo axis in full ([`twinstep_models::servo`]) of one axis: motor and drive from their tables, what moves from the
//! twin, and what the twin's one mass leaves out from `[axis.servo]`. This is the one place where it is built.
//!
//! # Derivation
//! The twin knows the force at the motor, losses of the transmission included. Of its friction the share s is on the motor's
//! side; behind that, the motor holds at a creeping speed
//!
//! ```text
//! U = G + (1 - s) C+   on the way up,   D = G - (1 - s) C-   on the way down
//! ```
//!
//! of which the load has, with k = 1 / e where the motor drives and k = e_back where it is driven,
//!
//! ```text
//! L+ = U / k(U, +) = g + c+,   L- = D / k(D, -) = g - c-
//! ```
//!
//! Two equations for gravity g and two frictions c: what C+ and C- differ by is kept, so that without losses g = G and
//! c = (1 - s) C. At creeping speed the servo then holds what the twin was found with, and what differs is what a larger load loses. The mean of both
//! directions' losses may be more than the friction that the twin has: the efficiency contradicts it then. Stribeck and
//! viscous friction are e (1 - s) times the twin's, as the motor drives them: a hanging load that drives the motor on its way down feels
//! less of them than the twin has. Of a part the twin knows the force at the motor too: the ram has e of it. Masses are not changed: what 1 / e adds
//! while an axis gains speed e_back takes off while it brakes.

use super::text::percent;
use crate::error::HostError;
use std::f64::consts::TAU;
use twinstep_config::machine::{
    AxisServo, AxisTwin, Cascade, Drive, EffortUnit, Machine, Motor, TransmissionKind,
};
use twinstep_models::servo::thermal::Node;
use twinstep_models::servo::{
    self, Cogging, Compliance, Feedback, Friction, Loops, LuGre, Mechanics, ParamError,
    ServoParams, ServoParts, StaticFriction, Thermal, Transmission,
};

/// Rate of the drive's loops (s).
const TICK_S: f64 = 62.5e-6;
/// Magnets of neodymium: what their torque constant changes by (1/K).
pub(super) const MAGNET_PER_K: f64 = -0.001;
/// Longest lead of a screw (m); what goes farther in a revolution is a belt.
const LONGEST_LEAD_M: f64 = 0.2;
/// Damping of a spring of which nothing is said, relative to the critical one.
const DAMPING_RATIO: f64 = 0.02;
/// Least and most of it that the model takes (N s/m).
const DAMPING: (f64, f64) = (1e-3, 1e7);

/// The parameters of the axis; `limit_a` is the drive's current limit as it tells currents.
///
/// # Errors
/// Why the tables make no servo axis.
pub fn params(
    drive: &Drive,
    motor: &Motor,
    twin: &AxisTwin,
    cascade: &Cascade,
    servo: Option<&AxisServo>,
    limit_a: f64,
) -> Result<ServoParams, String> {
    let mut parts = of_twin(drive, motor, twin, cascade, limit_a);
    if let Some(servo) = servo {
        complete(&mut parts, drive, twin, servo)?;
        // Amplitudes, as all currents here.
        let per_kg = motor.amplitude_per_a / twin.force_constant_n_per_a;
        parts.loops.acceleration_feedforward_a_s2_per_m = servo.feedforward_mass_kg * per_kg;
    }
    ServoParams::new(parts).map_err(|error| told(&error))
}

/// Whether every axis of which more is said than its twin's one mass is one, as far as it is calibrated.
///
/// # Errors
/// [`HostError::Usage`]: the tables of an axis contradict each other.
pub fn check(machine: &Machine) -> Result<(), HostError> {
    // A press behind a crank or a table is not computed ahead.
    let presses = (machine.presses.iter())
        .filter(|press| press.drive_train.linkage.is_none())
        .map(|press| &press.axis);
    let axes =
        (machine.axes.iter().map(|axis| (axis, "axis"))).chain(presses.map(|axis| (axis, "press")));
    for (axis, table) in axes {
        let (Some(motor), Some(twin), Some(servo)) = (&axis.motor, &axis.twin, &axis.servo) else {
            continue;
        };
        let computed = twin.cascade.filter(|cascade| !cascade.sampled);
        let Some(cascade) = computed.filter(|_| axis.effort_unit == EffortUnit::Ampere) else {
            continue;
        };
        let made = params(
            &axis.drive,
            motor,
            twin,
            &cascade,
            Some(servo),
            cascade.limit_a,
        );
        if let Err(why) = made {
            return Err(HostError::usage(
                format!(
                    "[{table}.servo] of '{}' does not go with its other tables: {why}",
                    axis.name
                ),
                format!(
                    "look at [{table}.servo], [{table}.motor], [{table}.drive] and [{table}.twin] of it"
                ),
            ));
        }
    }
    Ok(())
}

/// Share of the force of a part at the motor that the ram has (1), beside the losses that the twin was found with.
pub(super) fn part_share(servo: Option<&AxisServo>, twin: &AxisTwin) -> f64 {
    servo.map_or(1.0, |servo| servo.found_with(twin).efficiency)
}

/// Losses that a twin was found with are those of the machine as it is, whatever is set.
pub(super) fn keep_what_was_found(machine: &mut Machine) {
    let presses = machine.presses.iter_mut().map(|press| &mut press.axis);
    for axis in machine.axes.iter_mut().chain(presses) {
        if let (Some(servo), Some(twin)) = (&mut axis.servo, &axis.twin) {
            servo.found = Some(servo.found_with(twin));
        }
    }
}

pub(super) fn told(error: &ParamError) -> String {
    format!("its motor and twin make no servo axis: {error}")
}

/// Motor from its table, the rest from the twin. Currents are amplitudes here.
fn of_twin(
    drive: &Drive,
    motor: &Motor,
    twin: &AxisTwin,
    cascade: &Cascade,
    limit_a: f64,
) -> ServoParts {
    let amplitude = motor.amplitude_per_a;
    // What the drive is told by is what the twin was found with: its force constant.
    let travel_per_rad = drive.feed_m_per_rev / (2.0 * std::f64::consts::PI);
    ServoParts {
        motor: servo::Motor {
            torque_constant_nm_per_a: twin.force_constant_n_per_a * travel_per_rad / amplitude,
            magnet_per_k: MAGNET_PER_K,
            resistance_ohm: motor.resistance_ohm,
            inductance_h: motor.inductance_h,
            pole_pairs: motor.pole_pairs,
            voltage_max_v: motor.dc_link_v / 3_f64.sqrt(),
            current_max_a: limit_a * amplitude,
            current_time_constant_s: drive.current_time_constant_s,
            dead_time_s: 0.0,
        },
        thermal: Thermal {
            winding: Node {
                capacity_j_per_k: motor.thermal_time_constant_s / motor.thermal_resistance_k_per_w,
                resistance_k_per_w: motor.thermal_resistance_k_per_w,
            },
            housing: None,
            ambient_c: motor.ambient_c,
        },
        loops: Loops {
            position_gain_per_s: cascade.position_gain_per_s,
            velocity_gain_a_s_per_m: cascade.velocity_gain_a_s_per_m * amplitude,
            integral_gain_a_per_m: cascade.integral_gain_a_per_m * amplitude,
            velocity_feedforward: cascade.velocity_feedforward,
            acceleration_feedforward_a_s2_per_m: 0.0,
            velocity_max_m_per_s: 1e4,
        },
        feedback: Feedback::Motor,
        mechanics: Mechanics {
            motor_mass_kg: twin.mass_kg,
            load_mass_kg: 0.0,
            motor_friction: StaticFriction {
                coulomb_positive_n: twin.coulomb_positive_n,
                coulomb_negative_n: twin.coulomb_negative_n,
                stribeck_n: twin.stribeck_n,
                stribeck_velocity_m_per_s: twin.stribeck_velocity_m_per_s,
                viscous_n_s_per_m: twin.viscous_n_s_per_m,
            },
            load_friction: Friction::Static(StaticFriction::NONE),
            gravity_n: twin.gravity_n,
            compliance: None,
            transmission: Transmission::lossless(if drive.feed_m_per_rev <= LONGEST_LEAD_M {
                servo::Drive::BallScrew {
                    lead_m: drive.feed_m_per_rev,
                }
            } else {
                servo::Drive::Belt {
                    pinion_radius_m: travel_per_rad,
                }
            }),
        },
        cogging: None,
        tick_s: TICK_S,
    }
}

/// Puts in what the twin's one mass leaves out.
fn complete(
    parts: &mut ServoParts,
    drive: &Drive,
    twin: &AxisTwin,
    servo: &AxisServo,
) -> Result<(), String> {
    let travel_per_rad = drive.feed_m_per_rev / TAU;
    let m = &mut parts.mechanics;
    m.transmission = Transmission {
        drive: match servo.transmission {
            TransmissionKind::BallScrew => servo::Drive::BallScrew {
                lead_m: drive.feed_m_per_rev,
            },
            TransmissionKind::Belt => servo::Drive::Belt {
                pinion_radius_m: travel_per_rad,
            },
            TransmissionKind::Gear => servo::Drive::Gear {
                ratio: 1.0 / travel_per_rad,
            },
            TransmissionKind::Direct => servo::Drive::Direct,
        },
        efficiency_forward: servo.efficiency,
        efficiency_backward: servo.efficiency_back(),
    };
    if let Some(inertia_kg_m2) = servo.motor_inertia_kg_m2 {
        m.motor_mass_kg = inertia_kg_m2 / (travel_per_rad * travel_per_rad);
        m.load_mass_kg = twin.mass_kg - m.motor_mass_kg;
        if m.load_mass_kg <= 0.0 {
            return Err(format!(
                "its motor alone is {:.4} kg of the {:.4} kg that it moves: \
                 `motor_inertia` and `mass` leave nothing for the load",
                m.motor_mass_kg, twin.mass_kg
            ));
        }
    }
    let behind = behind(twin, servo)?;
    m.gravity_n = behind.gravity_n;
    m.motor_friction = scaled(&m.motor_friction, servo.motor_friction_share);
    m.load_friction = match servo.bristles {
        None => Friction::Static(behind.friction),
        Some(bristles) => Friction::LuGre(LuGre {
            map: behind.friction,
            bristle_stiffness_n_per_m: bristles.stiffness_n_per_m,
            bristle_damping_n_s_per_m: bristles.damping_n_s_per_m,
        }),
    };
    m.compliance = servo.spring.map(|spring| {
        let reduced_kg = m.motor_mass_kg * m.load_mass_kg / (m.motor_mass_kg + m.load_mass_kg);
        let critical = 2.0 * (spring.stiffness_n_per_m * reduced_kg).sqrt();
        Compliance {
            stiffness_n_per_m: spring.stiffness_n_per_m,
            damping_n_s_per_m: (spring.damping_n_s_per_m)
                .unwrap_or((DAMPING_RATIO * critical).clamp(DAMPING.0, DAMPING.1)),
            gap_m: spring.backlash_m,
        }
    });
    if servo.encoder_on_load {
        parts.feedback = Feedback::Load;
    }
    if !servo.cogging_nm.is_empty() {
        parts.cogging = Some(Cogging::new(&servo.cogging_nm).map_err(|error| told(&error))?);
    }
    Ok(())
}

fn scaled(friction: &StaticFriction, by: f64) -> StaticFriction {
    StaticFriction {
        coulomb_positive_n: by * friction.coulomb_positive_n,
        coulomb_negative_n: by * friction.coulomb_negative_n,
        stribeck_n: by * friction.stribeck_n,
        viscous_n_s_per_m: by * friction.viscous_n_s_per_m,
        ..*friction
    }
}

/// What is behind the transmission.
struct Behind {
    gravity_n: f64,
    friction: StaticFriction,
}

/// The twin's gravity and friction as the load has them: see the derivation. What a what-if changed since hangs on the load.
fn behind(twin: &AxisTwin, servo: &AxisServo) -> Result<Behind, String> {
    let found = servo.found_with(twin);
    let transmission = Transmission {
        efficiency_forward: found.efficiency,
        efficiency_backward: found.efficiency_back,
        // Only the losses count here.
        drive: servo::Drive::Direct,
    };
    let rest = 1.0 - servo.motor_friction_share;
    let (up_n, down_n) = (
        found.gravity_n + rest * found.coulomb_positive_n,
        found.gravity_n - rest * found.coulomb_negative_n,
    );
    let of_load = |motor_n: f64, direction: f64| {
        // Nothing is held by a motor that the load cannot drive.
        if motor_n == 0.0 {
            0.0
        } else {
            motor_n / transmission.felt(motor_n, direction)
        }
    };
    let (above_n, below_n) = (of_load(up_n, 1.0), of_load(down_n, -1.0));
    let uneven_n = 0.5 * rest * (found.coulomb_positive_n - found.coulomb_negative_n);
    let mean_n = 0.5 * (above_n - below_n);
    let (positive_n, negative_n) = (mean_n + uneven_n, mean_n - uneven_n);
    // What rounding leaves of a guide without friction is none.
    let least_n = -1e-9 * (up_n.abs() + down_n.abs());
    if !(positive_n >= least_n && negative_n >= least_n) {
        return Err(format!(
            "an efficiency of {} and of {} back would lose more of its weight than all the friction that its twin has; \
             expected at most as much; give higher ones or a smaller `motor_friction_share`, or calibrate again",
            percent(transmission.efficiency_forward),
            percent(transmission.efficiency_backward)
        ));
    }
    let other = found.efficiency * rest;
    // Friction that was set is that of both sides alike.
    let now = |load_n: f64, now_n: f64, found_n: f64| {
        (load_n.max(0.0) + other * (now_n - found_n)).max(0.0)
    };
    let hung_n = twin.gravity_n - found.gravity_n;
    Ok(Behind {
        gravity_n: 0.5 * (above_n + below_n) - uneven_n + hung_n,
        friction: StaticFriction {
            coulomb_positive_n: now(
                positive_n,
                twin.coulomb_positive_n,
                found.coulomb_positive_n,
            ),
            coulomb_negative_n: now(
                negative_n,
                twin.coulomb_negative_n,
                found.coulomb_negative_n,
            ),
            stribeck_n: other * twin.stribeck_n,
            stribeck_velocity_m_per_s: twin.stribeck_velocity_m_per_s,
            viscous_n_s_per_m: other * twin.viscous_n_s_per_m,
        },
    })
}

#[cfg(test)]
#[path = "servo_tests.rs"]
mod tests;
