//! What the program of an axis asks of its motor: the servo axis in full ([`twinstep_models::servo`]) goes through one round beside the kernel.
//!
//! # Derivation
//! A round is short beside the winding's time constant tau, so the winding has one temperature T in it, and the round a mean squared current
//! I2, of which the copper makes `P = 1.5 R20 (1 + c (T - 20)) I2`. With the thermal resistance Rth
//!
//! ```text
//! tau T' = Ta + Rth P(T) - T = a - b T,   g = 1.5 Rth R20 I2,   a = Ta + g (1 - 20 c),   b = 1 - c g
//! ```
//!
//! which ends at `a / b`, and nowhere where b is not above 0: the winding warms faster than it gives off. The limit is reached after
//! `-(tau / b) ln((Tl - a / b) / (Ta - a / b))`. A warm magnet asks for more current, so the round is gone through again at the temperature
//! that it ends at, until that stands.

use super::part::Part;
use super::round::Round;
use super::servo;
use super::servo_figures::{ServoFigures, Tally};
use twinstep_config::machine::{Axis, AxisTwin, EffortUnit, Motor};
use twinstep_cycle::plan::Plan;
use twinstep_models::servo::motor::{COPPER_PER_K, Electrical, RATED_C};
use twinstep_models::servo::thermal::HOTTEST_C;
use twinstep_models::servo::{
    Command, Feedback, Motor as ServoMotor, ServoParams, ServoPlan, ServoState, ThermalState,
};

/// Most cycles of a round that is gone through: each is computed in ticks of the drive.
const MAX_CYCLES: f64 = 1e6;
/// The same of an axis with bristles, whose ticks are halved many times: minutes.
const MAX_CYCLES_OF_BRISTLES: f64 = 1e5;
/// Passes until the temperature stands, and when it does (K).
const PASSES: usize = 5;
const STANDS_K: f64 = 0.2;

/// What a round asks of a motor.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct MotorFigures {
    /// Root mean square of the current (A, as the drive tells it).
    pub rms_a: f64,
    /// Largest voltage at the motor, relative to what the converter has (1).
    pub voltage_share: f64,
    /// Share of the cycles in which the voltage was at its limit (1).
    pub limited_share: f64,
    /// What the winding warms up to, at most 300 (degrees Celsius).
    pub winding_c: f64,
    /// What its insulation bears (degrees Celsius).
    pub winding_limit_c: f64,
    /// When it reaches that limit, from cold (s); none: it does not.
    pub limit_after_s: Option<f64>,
    /// What the whole axis shows; none where nothing is said of it beyond the twin's one mass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub servo: Option<ServoFigures>,
}

/// What `round` asks of the motor of `axis`; none where nothing is known of it. `press` is the plan and the place of a press in it.
///
/// # Errors
/// Why it cannot be computed.
pub fn figures(
    axis: &Axis,
    round: &Round,
    press: Option<(&Plan<'_>, usize)>,
    limit_a: f64,
    period_s: f64,
) -> Option<Result<MotorFigures, String>> {
    let (motor, twin) = (axis.motor.as_ref()?, axis.twin.as_ref()?);
    let cascade = twin.cascade.as_ref()?;
    let extra = axis.servo.as_ref();
    let bristles = extra.is_some_and(|servo| servo.bristles.is_some());
    let most = if bristles {
        MAX_CYCLES_OF_BRISTLES
    } else {
        MAX_CYCLES
    };
    if round.length_s / period_s > most {
        return Some(Err(format!(
            "a round of its program has more than {most:.0} cycles{}",
            if bristles {
                ", which its bristles take too long for"
            } else {
                ""
            }
        )));
    }
    if axis.effort_unit == EffortUnit::Newton {
        return Some(Err(
            "its recording holds a force: what current its motor draws is not known".to_owned(),
        ));
    }
    if cascade.sampled {
        return Some(Err("its drive closes its loops once a cycle".to_owned()));
    }
    let part_share = servo::part_share(extra, twin);
    let plan =
        servo::params(&axis.drive, motor, twin, cascade, extra, limit_a).and_then(|params| {
            let plan = ServoPlan::new(&params, period_s).map_err(|error| servo::told(&error))?;
            Ok((params, plan))
        });
    Some(plan.map(|(params, plan)| {
        let mut figures = settled(motor, (twin, part_share), &params, &plan, round, press);
        figures.servo = figures.servo.filter(|_| extra.is_some());
        figures
    }))
}

/// The figures at the temperature that the round ends at.
fn settled(
    motor: &Motor,
    of: (&AxisTwin, f64),
    params: &ServoParams,
    plan: &ServoPlan,
    round: &Round,
    press: Option<(&Plan<'_>, usize)>,
) -> MotorFigures {
    let mut winding_c = motor.ambient_c;
    let mut figures = MotorFigures::default();
    for _ in 0..PASSES {
        let one = pass(of, params, plan, round, press, winding_c);
        let heat = Heat::new(motor, one.squared_a2);
        let before_c = winding_c;
        winding_c = heat.ends_at_c();
        figures = MotorFigures {
            rms_a: one.squared_a2.sqrt() / motor.amplitude_per_a,
            voltage_share: one.voltage_share,
            limited_share: one.limited_share,
            winding_c,
            winding_limit_c: motor.winding_limit_c,
            limit_after_s: heat.reaches_after_s(motor.winding_limit_c),
            servo: Some(
                one.tally
                    .finish(&params.parts().mechanics, motor.amplitude_per_a),
            ),
        };
        if (winding_c - before_c).abs() < STANDS_K {
            break;
        }
    }
    figures
}

/// What one round comes to.
struct Pass {
    /// Mean squared amplitude (A2).
    squared_a2: f64,
    voltage_share: f64,
    limited_share: f64,
    tally: Tally,
}

/// A round that begins at rest, and the one after it, which counts. The winding keeps its temperature.
fn pass(
    (twin, part_share): (&AxisTwin, f64),
    params: &ServoParams,
    plan: &ServoPlan,
    round: &Round,
    press: Option<(&Plan<'_>, usize)>,
    winding_c: f64,
) -> Pass {
    let thermal = ThermalState {
        winding_c,
        housing_c: winding_c,
    };
    let motor = &params.parts().motor;
    let warm = motor.at(winding_c, winding_c);
    let mut state = ServoState::rest(plan, round.start_m());
    let mut part = Part::default();
    let cycles = (round.length_s / plan.period_s()).ceil() as u64;
    let (mut squares_a2, mut limited, mut voltage_share) = (0.0, 0_u64, 0.0_f64);
    let mut tally = Tally::default();
    for k in 0..2 * cycles {
        let time_s = (k % cycles) as f64 * plan.period_s();
        state.thermal = thermal;
        let (number, since_s) = round.at(time_s);
        let m = &state.mechanics;
        // Of the middle of the cycle, as in the twin.
        let middle_m = m.position_m + 0.5 * plan.period_s() * m.load_velocity_m_per_s;
        let part_n = press.map_or(0.0, |(plan, n)| {
            let context = round.moves[number].context;
            let part_a = part.load_a(plan, n, context, middle_m, m.load_velocity_m_per_s);
            part_share * part_a * twin.force_constant_n_per_a
        });
        let target_m = round.target_m(time_s);
        plan.step(&mut state, Command::position(target_m), part_n);
        if k >= cycles {
            let m = &state.mechanics;
            let encoder_m = match params.parts().feedback {
                Feedback::Motor => m.motor_position_m(),
                Feedback::Load => m.position_m,
            };
            let limit_a = motor.current_max_a;
            let stood = (round.moves.get(number)).is_some_and(|one| since_s > one.move_s);
            let rests = stood.then_some(number);
            tally.take(rests, part_n != 0.0, target_m, &state, encoder_m, limit_a);
            squares_a2 += state.mean_squared_a2;
            limited += u64::from(state.voltage_limited);
            let speed = state.mechanics.motor_velocity_m_per_s / travel_per_rad(params);
            voltage_share = voltage_share.max(share(motor, &warm, state.current_a, speed));
        }
    }
    let counted = cycles.max(1) as f64;
    Pass {
        squared_a2: squares_a2 / counted,
        voltage_share,
        limited_share: limited as f64 / counted,
        tally,
    }
}

fn travel_per_rad(params: &ServoParams) -> f64 {
    params.parts().mechanics.transmission.travel_per_rad()
}

/// Voltage of the motor at a speed, without that of a change of its current, relative to the converter's.
fn share(motor: &ServoMotor, warm: &Electrical, current_a: f64, speed_rad_per_s: f64) -> f64 {
    let emf_v = warm.torque_constant_nm_per_a / 1.5 * speed_rad_per_s;
    let q_v = warm.resistance_ohm * current_a + emf_v;
    let d_v = motor.pole_pairs * speed_rad_per_s * motor.inductance_h * current_a;
    libm::hypot(q_v, d_v) / motor.voltage_max_v
}

/// `tau T' = a - b T`.
struct Heat {
    a: f64,
    b: f64,
    tau_s: f64,
    ambient_c: f64,
}

impl Heat {
    fn new(motor: &Motor, squared_a2: f64) -> Self {
        let g = 1.5 * motor.thermal_resistance_k_per_w * motor.resistance_ohm * squared_a2;
        Self {
            a: motor.ambient_c + g * (1.0 - RATED_C * COPPER_PER_K),
            b: 1.0 - COPPER_PER_K * g,
            tau_s: motor.thermal_time_constant_s,
            ambient_c: motor.ambient_c,
        }
    }

    /// At most what the model gives.
    fn ends_at_c(&self) -> f64 {
        if self.b <= 0.0 {
            return HOTTEST_C;
        }
        (self.a / self.b).min(HOTTEST_C)
    }

    /// From cold; none: not at all.
    fn reaches_after_s(&self, limit_c: f64) -> Option<f64> {
        if self.b == 0.0 {
            let rate = self.a / self.tau_s;
            return (rate > 0.0).then(|| ((limit_c - self.ambient_c) / rate).max(0.0));
        }
        let end_c = self.a / self.b;
        let left = (limit_c - end_c) / (self.ambient_c - end_c);
        if self.ambient_c >= limit_c {
            return Some(0.0);
        }
        let reaches = if self.b > 0.0 { end_c > limit_c } else { true };
        reaches.then(|| -self.tau_s / self.b * libm::log(left))
    }
}

#[cfg(test)]
#[path = "motor_tests.rs"]
pub(super) mod tests;
