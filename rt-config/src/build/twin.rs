//! The twin of an axis or press.

mod figures;
mod loops;

use super::{MAX_LAG_S, Whole};
use crate::check::{Bounds, Check, duration};
use crate::machine::{AxisKind, AxisTwin, Cascade, EffortUnit, HealthyInnovation, OperationModes};
use crate::raw::{CalibrateTable, CascadeTable, InnovationTable, NoiseTable, TailTable, TwinTable};
use crate::units::{
    CURRENT, CURRENT_PER_LENGTH, CURRENT_PER_VELOCITY, Dimension, FORCE, LENGTH, STIFFNESS,
    VELOCITY, VISCOUS,
};
use crate::value::{At, Quantity, Time};
use twinstep_models::axis::load::DELAY_MAX;
use twinstep_models::axis::params::DEAD_MAX;
use twinstep_models::axis::range;
use twinstep_models::innovation::CORRELATION_MAX;
use twinstep_models::kalman::AxisNoise;
use twinstep_models::tail::{SHAPES, Tail};

/// Dead times that the twin's ring of targets holds (periods).
const DEAD_PERIODS: (f64, f64) = (0.0, DEAD_MAX);
/// Delays that the window of the load estimate holds (periods).
const DELAY_PERIODS: (f64, f64) = (-1.0, DELAY_MAX);
/// Beyond a limit by less is the rounding of a calibrated multiple of the period (periods).
const ROUNDING_PERIODS: f64 = 1e-9;

/// The dimensions of what depends on whether the effort is a current or a force.
struct Efforts {
    effort: &'static Dimension,
    per_velocity: &'static Dimension,
    per_length: &'static Dimension,
}

const CURRENTS: Efforts = Efforts {
    effort: &CURRENT,
    per_velocity: &CURRENT_PER_VELOCITY,
    per_length: &CURRENT_PER_LENGTH,
};
const FORCES: Efforts = Efforts {
    effort: &FORCE,
    per_velocity: &VISCOUS,
    per_length: &STIFFNESS,
};

/// `carried_kg` is what the axis moves behind a linkage wherever it is (kg).
pub(super) fn twin(
    raw: &TwinTable,
    effort: EffortUnit,
    carried_kg: f64,
    whole: &Whole,
    check: &mut Check,
) -> AxisTwin {
    let efforts = match effort {
        EffortUnit::Ampere => &CURRENTS,
        EffortUnit::Newton => &FORCES,
    };
    let force_constant_n_per_a = match (&raw.force_constant, effort) {
        (Some(constant), EffortUnit::Ampere) => check.si(
            "force_constant",
            constant,
            Bounds::of(range::FORCE_CONSTANT_N_PER_A),
        ),
        (None, EffortUnit::Newton) => 1.0,
        (Some(constant), EffortUnit::Newton) => {
            check.problem(
                &constant.span,
                "`force_constant` has no meaning here: the recording of this axis holds a force or a torque itself",
                "not with a force",
                "leave it out",
            );
            f64::NAN
        }
        (None, EffortUnit::Ampere) => {
            check.problem(
                &raw.mass.span,
                "the twin needs `force_constant`: its force per current",
                "beside this key",
                if check.of_axis == Some(AxisKind::Rotary) {
                    "add `force_constant = \"35N m/A\"` (torque constant times gear), or map the recording's `current` to a unit of torque"
                } else {
                    "add `force_constant = \"440N/A\"` (2 pi times torque constant by lead), or map the recording's `current` to a unit of force"
                },
            );
            f64::NAN
        }
    };
    let force = Bounds::of(range::FORCE_N);
    let stribeck_n = check.si_or("stribeck", raw.stribeck.as_ref(), force, 0.0);
    let stribeck_velocity_m_per_s = match (&raw.stribeck_velocity, &raw.stribeck) {
        (Some(velocity), _) => check.si(
            "stribeck_velocity",
            velocity,
            Bounds::of(range::STRIBECK_VELOCITY_M_PER_S),
        ),
        (None, Some(stribeck)) if stribeck_n != 0.0 => {
            check.problem(
                &stribeck.span,
                "`stribeck` needs `stribeck_velocity` beside it",
                "at which velocity?",
                format!(
                    "add `stribeck_velocity = \"{}\"`, or leave `stribeck` out",
                    if check.of_axis == Some(AxisKind::Rotary) {
                        "1deg/s"
                    } else {
                        "5mm/s"
                    }
                ),
            );
            f64::NAN
        }
        // Not used while the Stribeck force is 0, but never a division by 0.
        (None, _) => 1e-3,
    };
    let twin = AxisTwin {
        force_constant_n_per_a,
        mass_kg: check.si("mass", &raw.mass, Bounds::of(range::MASS_KG)),
        coulomb_positive_n: check.si("coulomb_positive", &raw.coulomb_positive, force),
        coulomb_negative_n: check.si("coulomb_negative", &raw.coulomb_negative, force),
        viscous_n_s_per_m: check.si(
            "viscous",
            &raw.viscous,
            Bounds::of(range::VISCOUS_N_S_PER_M),
        ),
        stribeck_n,
        stribeck_velocity_m_per_s,
        gravity_n: check.si_or(
            "gravity",
            raw.gravity.as_ref(),
            Bounds::either_way(range::FORCE_N),
            0.0,
        ),
        cascade: raw
            .cascade
            .as_ref()
            .map(|raw| cascade(raw, efforts, whole, check)),
        cascade_off: cascade_off(raw, check),
        noise: raw.noise.as_ref().map(|raw| noise(raw, efforts, check)),
        current_delay_s: in_periods(
            "current_delay",
            raw.current_delay.as_ref(),
            DELAY_PERIODS,
            whole,
            check,
        ),
        load_lag_s: check.si_or(
            "load_lag",
            raw.load_lag.as_ref(),
            Bounds::between(0.0, 1.0),
            0.0,
        ),
        baseline: figures::baselines(&raw.baseline, efforts.effort, whole.factors, check),
        paces: figures::paces(&raw.pace, whole.factors, check),
        modes: modes(raw.modes.as_deref(), check),
        position_limit_m: (raw.position_limit.as_ref())
            .map(|limit| check.si("position_limit", limit, Bounds::positive())),
        velocity_limit_m_per_s: (raw.velocity_limit.as_ref())
            .map(|limit| check.si("velocity_limit", limit, Bounds::positive())),
        current_limit_a: (raw.current_limit.as_ref())
            .map(|limit| check.si_of("current_limit", limit, efforts.effort, Bounds::positive())),
        innovations: innovations(&raw.innovation, efforts, check),
    };
    figures::bounds(raw, &twin, check);
    loops::loops(raw, &twin, carried_kg, whole, check);
    twin
}

/// Gravity as the user states it (N); none: calibration seeks it.
/// `force_is_known`: the axis has a drive, or its recording has forces.
pub(super) fn stated_gravity(
    raw: Option<&CalibrateTable>,
    force_is_known: bool,
    check: &mut Check,
) -> Option<f64> {
    let gravity = raw?.gravity.as_ref()?;
    let value = check.si("gravity", gravity, Bounds::either_way(range::FORCE_N));
    if value != 0.0 && !force_is_known {
        check.problem(
            &gravity.span,
            "`gravity` is stated, and without a table `drive` nothing says what force a current is",
            "needs a drive",
            "add the table `drive`, or leave `gravity` out",
        );
    }
    Some(value)
}

/// A time (s) that the cycle looks back or ahead by whole periods and a share of one: beyond its rings there is
/// nothing, and a time cut to fit would be another twin than the calibrated one. 0 where the key is missing.
fn in_periods(
    key: &str,
    raw: Option<&Quantity<Time>>,
    (min, max): (f64, f64),
    whole: &Whole,
    check: &mut Check,
) -> f64 {
    let Some(raw) = raw else { return 0.0 };
    let value_s = check.si(key, raw, Bounds::any());
    // Without a period its own problem is the one to mend, and no limit is known.
    if whole.period_ns == 0 {
        return value_s;
    }
    let period_ns = whole.period_ns as f64;
    let periods = value_s * 1e9 / period_ns;
    if periods < min - ROUNDING_PERIODS || periods > max + ROUNDING_PERIODS {
        let time = |periods: f64| {
            let sign = if periods < 0.0 { "-" } else { "" };
            format!("{sign}{}", duration((periods.abs() * period_ns) as u64))
        };
        let period = duration(whole.period_ns);
        check.problem(
            &raw.span,
            format!(
                "`{key}` is {}, and with the period of {period} a twin can have {min} to {max} periods: {} to {}",
                raw.scalar.shown(),
                time(min),
                time(max)
            ),
            format!("not within {min} to {max} periods"),
            format!(
                "recalibrate for this period: take the twin out, and run `twinstep calibrate` with a recording at {period}"
            ),
        );
        return f64::NAN;
    }
    value_s
}

/// Why there is no cascade: beside one it contradicts it.
fn cascade_off(raw: &TwinTable, check: &mut Check) -> Option<String> {
    let why = raw.cascade_off.as_ref()?;
    if raw.cascade.is_some() {
        check.problem(
            &why.span,
            "`cascade_off` says why there is no cascade, and there is one",
            "contradicts the table `cascade`",
            "leave `cascade_off` out, or the table `cascade`",
        );
    }
    Some(why.value.clone())
}

fn cascade(raw: &CascadeTable, efforts: &Efforts, whole: &Whole, check: &mut Check) -> Cascade {
    Cascade {
        position_gain_per_s: check.si(
            "position_gain",
            &raw.position_gain,
            Bounds::of(range::POSITION_GAIN_PER_S),
        ),
        velocity_gain_a_s_per_m: check.si_of(
            "velocity_gain",
            &raw.velocity_gain,
            efforts.per_velocity,
            Bounds::of(range::VELOCITY_GAIN),
        ),
        integral_gain_a_per_m: raw.integral_gain.as_ref().map_or(0.0, |gain| {
            check.si_of(
                "integral_gain",
                gain,
                efforts.per_length,
                Bounds::of(range::INTEGRAL_GAIN),
            )
        }),
        velocity_feedforward: check.si_or(
            "velocity_feedforward",
            raw.velocity_feedforward.as_ref(),
            Bounds::between(0.0, 1.0),
            0.0,
        ),
        dead_time_s: in_periods(
            "dead_time",
            raw.dead_time.as_ref(),
            DEAD_PERIODS,
            whole,
            check,
        ),
        reference_delay_s: (raw.reference_delay.as_ref())
            .map(|delay| in_periods("reference_delay", Some(delay), DEAD_PERIODS, whole, check)),
        limit_a: check.si_of(
            "limit",
            &raw.limit,
            efforts.effort,
            Bounds::of(range::LIMIT_A),
        ),
        current_time_constant_s: check.si_or(
            "current_time_constant",
            raw.current_time_constant.as_ref(),
            Bounds::between(0.0, MAX_LAG_S),
            0.0,
        ),
        current_filter_s: check.si_or(
            "current_filter",
            raw.current_filter.as_ref(),
            Bounds::between(0.0, MAX_LAG_S),
            0.0,
        ),
        sampled: raw.sampled,
    }
}

fn noise(raw: &NoiseTable, efforts: &Efforts, check: &mut Check) -> AxisNoise {
    let walk = Bounds::not_negative();
    AxisNoise {
        position_m: check.si(
            "position",
            &raw.position,
            Bounds::of(range::POSITION_NOISE_M),
        ),
        position_walk: check.si_or("position_walk", raw.position_walk.as_ref(), walk, 0.0),
        velocity_walk: check.si_or("velocity_walk", raw.velocity_walk.as_ref(), walk, 0.0),
        disturbance_walk: check.si_of(
            "disturbance_walk",
            &raw.disturbance_walk,
            efforts.effort,
            Bounds::positive(),
        ),
    }
}

fn innovations(
    raw: &[InnovationTable],
    efforts: &Efforts,
    check: &mut Check,
) -> [Option<HealthyInnovation>; HealthyInnovation::COUNT] {
    check.unique("channels", raw.iter().map(|one| &one.channel));
    let dimensions = [&LENGTH, &VELOCITY, efforts.effort, &LENGTH];
    let mut all = [None; HealthyInnovation::COUNT];
    for one in raw {
        let place =
            (HealthyInnovation::CHANNELS.iter()).position(|name| *name == one.channel.value);
        let Some(c) = place else {
            check.unknown(
                "channel with an innovation",
                &one.channel,
                &HealthyInnovation::CHANNELS,
            );
            continue;
        };
        check.unique("detectors", one.tails.iter().map(|tail| &tail.detector));
        let correlation = Bounds::between(-CORRELATION_MAX, CORRELATION_MAX);
        let mut healthy = HealthyInnovation {
            correlation: check.si("correlation", &one.correlation, correlation),
            sigma: check.si_of("sigma", &one.sigma, dimensions[c], Bounds::of(range::SIGMA)),
            fast_limit: None,
            window: None,
            cusum: None,
        };
        for raw in &one.tails {
            let tail = Some(tail(raw, check));
            match raw.detector.value.as_str() {
                "fast_limit" => healthy.fast_limit = tail,
                // A run is a figure of its own: nothing is summed up over it.
                _ if c == HealthyInnovation::DRIFT => {
                    check.unknown("detector of a drift", &raw.detector, &["fast_limit"]);
                }
                "window" => healthy.window = tail,
                "cusum" => healthy.cusum = tail,
                _ => check.unknown("detector", &raw.detector, &HealthyInnovation::DETECTORS),
            }
        }
        all[c] = Some(healthy);
    }
    all
}

pub(super) fn tail(raw: &TailTable, check: &mut Check) -> Tail {
    let clusters = check.si("clusters", &raw.clusters, Bounds::between(1.0, 1e9));
    let reach = check.si_or("reach", raw.reach.as_ref(), Bounds::up_to(1.0), 1.0);
    Tail {
        threshold: check.si("threshold", &raw.threshold, Bounds::not_negative()),
        scale: check.si("scale", &raw.scale, Bounds::positive()),
        shape: check.si("shape", &raw.shape, Bounds::between(SHAPES.0, SHAPES.1)),
        beyond_shape: check.si(
            "beyond_shape",
            &raw.beyond_shape,
            Bounds::between(0.0, SHAPES.1),
        ),
        clusters,
        record_s: check.si("record", &raw.record, Bounds::positive()),
        largest: check.si("largest", &raw.largest, Bounds::not_negative()),
        reach,
        raised: Tail::raise_of(reach, clusters),
    }
}

fn modes(raw: Option<&[At<String>]>, check: &mut Check) -> OperationModes {
    let Some(raw) = raw else {
        return OperationModes::default();
    };
    check.unique("modes", raw.iter());
    raw.iter().fold(OperationModes::NONE, |modes, name| {
        modes.with(super::axis::mode(name, check))
    })
}
