//! Figures of movements as TOML: baselines and paces, in all contexts or in one.

use super::quantity;
use crate::machine::{Axis, AxisTwin};
use std::fmt::{self, Write};
use twinstep_models::blocks::Feature;
use twinstep_models::rest::STAGES_S;
use twinstep_models::sample::{FACTOR_NAMES, FACTORS, Only};

pub(super) fn write_figures(
    out: &mut String,
    list: &str,
    twin: &AxisTwin,
    axis: &Axis,
    names: &[Vec<String>; FACTORS],
) -> fmt::Result {
    let unit = axis.effort();
    for one in &twin.baseline {
        writeln!(
            out,
            "\n[[{list}.twin.baseline]]\nchannel = \"{}\"\nregime = \"{}\"",
            one.of.name(),
            one.regime
        )?;
        write_only(out, &one.only, names)?;
        if let Some(rest_s) = (STAGES_S.get(usize::from(one.stage))).filter(|s| **s > 0.0) {
            quantity(out, "rest", *rest_s, "s")?;
        }
        quantity(out, "mean", one.mean_a, unit)?;
        quantity(out, "sigma", one.sigma_a, unit)?;
        if let Some(law) = one.law {
            writeln!(out, "degrees_of_freedom = {:?}", law.freedom)?;
            writeln!(out, "figures = {:?}", law.figures)?;
            quantity(out, "record", law.record_s, "s")?;
        }
    }
    for one in &twin.paces {
        let unit = axis
            .kind
            .unit(if one.regime == Feature::Acceleration.name() {
                "m/s2"
            } else {
                "m/s"
            });
        writeln!(out, "\n[[{list}.twin.pace]]\nregime = \"{}\"", one.regime)?;
        write_only(out, &one.only, names)?;
        quantity(out, "least", one.paces.least, unit)?;
        quantity(out, "most", one.paces.most, unit)?;
    }
    Ok(())
}

/// The keys of what a row is of. Names have no character that TOML would escape.
fn write_only(out: &mut String, only: &Only, names: &[Vec<String>; FACTORS]) -> fmt::Result {
    for ((key, of), names) in FACTOR_NAMES.iter().zip(only.factors()).zip(names) {
        if let Some(name) = of.and_then(|n| names.get(usize::from(n))) {
            writeln!(out, "{key} = \"{name}\"")?;
        }
    }
    Ok(())
}
