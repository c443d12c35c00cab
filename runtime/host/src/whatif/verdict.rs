//! What the figures of an axis come to: limits that are exceeded, and a sentence.

use super::simulate::AxisResult;
use super::text::{length, minutes, percent};

/// A limit that an axis does not keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The loops ask for more current than the drive gives.
    CurrentLimit,
    /// The root mean square of the current is above the rated one.
    RatedCurrent,
    /// The motor needs more voltage than the converter has.
    Voltage,
    /// The winding gets warmer than its insulation bears.
    WindingTemperature,
}

impl Limit {
    /// As it is told.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CurrentLimit => "current limit",
            Self::RatedCurrent => "rated current",
            Self::Voltage => "voltage of the converter",
            Self::WindingTemperature => "temperature of the winding",
        }
    }
}

/// The limits that are exceeded.
pub fn exceeded(axis: &AxisResult) -> Vec<Limit> {
    let mut all = Vec::new();
    if axis.whole.limited > 0 || servo_limited(axis) > 0.0 {
        all.push(Limit::CurrentLimit);
    }
    if axis
        .rated_a
        .is_some_and(|rated_a| axis.whole.rms_a() > rated_a)
    {
        all.push(Limit::RatedCurrent);
    }
    if let Some(Ok(motor)) = &axis.motor {
        if motor.limited_share > 0.0 {
            all.push(Limit::Voltage);
        }
        if motor.winding_c > motor.winding_limit_c {
            all.push(Limit::WindingTemperature);
        }
    }
    all
}

/// Share of the cycles in which the servo axis in full was at its current limit (1).
fn servo_limited(axis: &AxisResult) -> f64 {
    let known = axis.motor.as_ref().and_then(|motor| motor.as_ref().ok());
    known
        .and_then(|motor| motor.servo)
        .map_or(0.0, |servo| servo.limited_share)
}

/// Moves in which the current was at its limit.
pub fn limited_moves(axis: &AxisResult) -> usize {
    let limited = axis.moves.iter().filter(|one| one.figures.limited > 0);
    limited.count()
}

/// Moves with a rest at whose end the axis was outside of the band.
pub fn unsettled_moves(axis: &AxisResult) -> usize {
    let moves = axis.moves.iter().zip(&axis.round.moves);
    let unsettled =
        moves.filter(|(one, planned)| planned.dwell_s > 0.0 && one.settling_s.is_none());
    unsettled.count()
}

/// The figures in a sentence or two.
pub fn verdict(axis: &AxisResult, band_m: f64) -> String {
    let mut said = Vec::new();
    let whole = &axis.whole;
    let share = |n: u64| n as f64 / whole.samples.max(1) as f64;
    if whole.limited > 0 {
        let worst_m = (axis.moves.iter().filter(|one| one.figures.limited > 0))
            .map(|one| one.figures.following_error_m)
            .fold(0.0, f64::max)
            .max(if axis.moves.is_empty() {
                whole.following_error_m
            } else {
                0.0
            });
        let of_moves = if axis.moves.is_empty() {
            String::new()
        } else {
            format!("in {} of {} moves, ", limited_moves(axis), axis.moves.len())
        };
        said.push(format!(
            "current limit reached {of_moves}{} of the time: the axis falls behind by {}",
            percent(share(whole.limited)),
            length(axis.kind, worst_m),
        ));
    }
    let in_full = servo_limited(axis);
    if in_full > 0.0 {
        said.push(format!(
            "in full, with what its one mass leaves out, it is at the current limit {} of the time",
            percent(in_full)
        ));
    }
    if let Some(rated_a) = axis.rated_a {
        let load = whole.rms_a() / rated_a;
        if load > 1.0 {
            said.push(format!(
                "the RMS current is {} of the rated one: {} of the rated heat",
                percent(load),
                percent(load * load)
            ));
        }
    }
    if let Some(Ok(motor)) = &axis.motor {
        if motor.limited_share > 0.0 {
            said.push(format!(
                "the converter has not the voltage for {} of the cycles",
                percent(motor.limited_share)
            ));
        }
        if let Some(after_s) = motor.limit_after_s {
            said.push(format!(
                "the winding reaches {} degC after {}",
                motor.winding_limit_c,
                minutes(after_s)
            ));
        }
    }
    if said.is_empty() {
        said.push(format!(
            "within its limits: peak at {} of the current limit{}",
            percent(whole.peak_a / axis.limit_a),
            axis.rated_a.map_or_else(String::new, |rated_a| format!(
                ", RMS at {} of the rated current",
                percent(whole.rms_a() / rated_a)
            ))
        ));
    }
    let unsettled = unsettled_moves(axis);
    if unsettled > 0 {
        said.push(format!(
            "not within {} of the target at the end of the rest after {unsettled} of {} moves",
            length(axis.kind, band_m),
            axis.moves.len()
        ));
    }
    said.join("; ")
}

#[cfg(test)]
mod tests {
    use super::super::meter::{Figures, MoveFigures};
    use super::*;

    fn axis(limited: u64, peak_a: f64) -> AxisResult {
        let figures = Figures {
            samples: 1000,
            limited,
            peak_a,
            following_error_m: 0.0041,
            ..Figures::default()
        };
        let one = MoveFigures {
            figures,
            settling_s: Some(0.01),
            ..MoveFigures::default()
        };
        let quiet = MoveFigures {
            settling_s: Some(0.0),
            ..MoveFigures::default()
        };
        AxisResult {
            moves: vec![one, quiet],
            whole: figures,
            limit_a: 10.0,
            rated_a: Some(5.0),
            unit: "A",
            ..AxisResult::default()
        }
    }

    #[test]
    fn a_limit_that_is_reached_is_said_with_what_comes_of_it() {
        let axis = axis(120, 10.0);
        assert_eq!(exceeded(&axis), [Limit::CurrentLimit]);
        assert_eq!(
            verdict(&axis, 5e-5),
            "current limit reached in 1 of 2 moves, 12 % of the time: the axis falls behind by 4.1 mm"
        );
    }

    #[test]
    fn what_keeps_its_limits_says_how_near_it_is() {
        let axis = axis(0, 6.3);
        assert_eq!(exceeded(&axis), []);
        assert_eq!(
            verdict(&axis, 5e-5),
            "within its limits: peak at 63 % of the current limit, RMS at 0 % of the rated current"
        );
    }

    #[test]
    fn a_motor_that_gets_too_warm_is_said() {
        let mut axis = axis(0, 6.3);
        let moment = twinstep_models::rollout::Moment {
            reported_a: 6.0,
            ..Default::default()
        };
        let against = super::super::meter::Against {
            period_s: 0.001,
            band_m: 1.0,
            force_constant_n_per_a: 1.0,
        };
        axis.whole = Figures::default();
        axis.whole.take(&against, &moment, 0.0, 0.0);
        assert_eq!(exceeded(&axis), [Limit::RatedCurrent]);
        assert!(verdict(&axis, 5e-5).contains("120 % of the rated one: 144 % of the rated heat"));
    }
}
