//! The twin of an axis as TOML.

use super::quantity;
use crate::machine::{
    Axis, AxisTwin, EffortUnit, HealthyInnovation, OperationMode, OperationModes,
};
use std::fmt::{self, Write};
use twinstep_models::tail::Tail;

pub(super) fn write_twin(
    out: &mut String,
    list: &str,
    twin: &AxisTwin,
    axis: &Axis,
) -> fmt::Result {
    let of = |linear| axis.kind.unit(linear);
    let [unit, per_velocity, per_length] = match axis.effort_unit {
        EffortUnit::Ampere => ["A", "A s/m", "A/m"],
        EffortUnit::Newton => ["N", "N s/m", "N/m"],
    }
    .map(of);
    if axis.effort_unit == EffortUnit::Ampere {
        quantity(
            out,
            "force_constant",
            twin.force_constant_n_per_a,
            of("N/A"),
        )?;
    }
    quantity(out, "mass", twin.mass_kg, of("kg"))?;
    quantity(out, "coulomb_positive", twin.coulomb_positive_n, of("N"))?;
    quantity(out, "coulomb_negative", twin.coulomb_negative_n, of("N"))?;
    quantity(out, "viscous", twin.viscous_n_s_per_m, of("N s/m"))?;
    quantity(out, "stribeck", twin.stribeck_n, of("N"))?;
    quantity(
        out,
        "stribeck_velocity",
        twin.stribeck_velocity_m_per_s,
        of("m/s"),
    )?;
    quantity(out, "gravity", twin.gravity_n, of("N"))?;
    quantity(out, "current_delay", twin.current_delay_s, "s")?;
    if twin.modes != OperationModes::default() {
        let names = OperationMode::ALL
            .iter()
            .filter(|mode| twin.modes.hold(**mode));
        let names: Vec<&str> = names.map(|mode| mode.name()).collect();
        writeln!(out, "modes = {names:?}")?;
    }
    if twin.load_lag_s > 0.0 {
        quantity(out, "load_lag", twin.load_lag_s, "s")?;
    }
    let limits = [
        ("position_limit", twin.position_limit_m, of("m")),
        ("velocity_limit", twin.velocity_limit_m_per_s, of("m/s")),
        ("current_limit", twin.current_limit_a, unit),
    ];
    for (key, limit, unit) in limits {
        if let Some(limit) = limit {
            quantity(out, key, limit, unit)?;
        }
    }
    if let (None, Some(why)) = (&twin.cascade, &twin.cascade_off) {
        writeln!(out, "cascade_off = \"{}\"", why.replace(['"', '\\'], "'"))?;
    }
    if let Some(cascade) = &twin.cascade {
        writeln!(out, "\n[{list}.twin.cascade]")?;
        quantity(out, "position_gain", cascade.position_gain_per_s, "/s")?;
        quantity(
            out,
            "velocity_gain",
            cascade.velocity_gain_a_s_per_m,
            per_velocity,
        )?;
        quantity(
            out,
            "integral_gain",
            cascade.integral_gain_a_per_m,
            per_length,
        )?;
        writeln!(
            out,
            "velocity_feedforward = {:?}",
            cascade.velocity_feedforward
        )?;
        quantity(out, "dead_time", cascade.dead_time_s, "s")?;
        quantity(out, "limit", cascade.limit_a, unit)?;
        if let Some(delay_s) = cascade.reference_delay_s {
            quantity(out, "reference_delay", delay_s, "s")?;
        }
        let filter_s = cascade.current_filter_s;
        quantity(
            out,
            "current_time_constant",
            cascade.current_time_constant_s,
            "s",
        )?;
        quantity(out, "current_filter", filter_s, "s")?;
        if cascade.sampled {
            writeln!(out, "sampled = true")?;
        }
    }
    if let Some(noise) = &twin.noise {
        writeln!(out, "\n[{list}.twin.noise]")?;
        quantity(out, "position", noise.position_m, of("m"))?;
        quantity(out, "position_walk", noise.position_walk, of("m"))?;
        quantity(out, "velocity_walk", noise.velocity_walk, of("m/s"))?;
        quantity(out, "disturbance_walk", noise.disturbance_walk, unit)?;
    }
    let units = [of("m"), of("m/s"), unit, of("m")];
    for ((one, channel), unit) in (twin.innovations.iter())
        .zip(HealthyInnovation::CHANNELS)
        .zip(units)
    {
        if let Some(one) = one {
            write_innovation(out, list, one, channel, unit)?;
        }
    }
    Ok(())
}

fn write_innovation(
    out: &mut String,
    list: &str,
    one: &HealthyInnovation,
    channel: &str,
    unit: &str,
) -> fmt::Result {
    writeln!(
        out,
        "\n[[{list}.twin.innovation]]\nchannel = \"{channel}\"\ncorrelation = {:?}",
        one.correlation
    )?;
    quantity(out, "sigma", one.sigma, unit)?;
    writeln!(out, "tails = [")?;
    for (tail, detector) in one.tails().iter().zip(HealthyInnovation::DETECTORS) {
        if let Some(tail) = tail {
            writeln!(out, "    {},", inline(tail, detector))?;
        }
    }
    writeln!(out, "]")
}

/// A tail as an inline table. One that was read from an earlier calibration has no `reach`, and is written without.
pub(super) fn inline(t: &Tail, detector: &str) -> String {
    let reach = if t.reach == 1.0 {
        String::new()
    } else {
        format!(", reach = {:?}", t.reach)
    };
    format!(
        "{{ detector = \"{detector}\", threshold = {:?}, scale = {:?}, shape = {:?}, beyond_shape = {:?}, \
         clusters = {:?}, record = \"{}s\", largest = {:?}{reach} }}",
        t.threshold, t.scale, t.shape, t.beyond_shape, t.clusters, t.record_s, t.largest
    )
}
