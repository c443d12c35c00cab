//! Where the life of what wears ends, as `check` shows it.

use serde::Serialize;
use twinstep_config::machine::{AxisKind, Machine};

/// Where the life of one tracked parameter ends.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct LimitReport {
    pub source: String,
    /// As in the lines of type `health`.
    pub parameter: &'static str,
    /// Value at the end of life.
    pub limit: f64,
    /// What `limit` is: `healthy` (relative to the healthy value), `m`, of a rotary axis `rad` (gained), or `N` (the value itself).
    pub unit: &'static str,
}

/// The limits of everything that wears, in the order of the machine.
pub(super) fn limits(machine: &Machine) -> Vec<LimitReport> {
    let axes = machine.axes.iter().map(|axis| (axis, false));
    let presses = machine.presses.iter().map(|press| (&press.axis, true));
    let mut limits = Vec::new();
    let mut add = |source: &str, parameter, limit, unit| {
        limits.push(LimitReport {
            source: source.to_owned(),
            parameter,
            limit,
            unit,
        });
    };
    for (axis, press) in axes.chain(presses) {
        let (name, at) = (axis.name.as_str(), &axis.health);
        add(name, "coulomb", at.friction_factor, "healthy");
        add(name, "viscous", at.friction_factor, "healthy");
        add(name, "backlash", at.backlash_gap_m, axis.kind.unit("m"));
        add(
            name,
            "torque_constant",
            at.torque_constant_fraction,
            "healthy",
        );
        if press {
            add(name, "stiffness", at.stiffness_factor, "healthy");
        }
        if let Some(factor) = at.gradient_factor {
            add(name, "gradient", factor, "healthy");
        }
        if let Some(tare_n) = at.tare_n {
            add(name, "tare", tare_n, "N");
        }
    }
    for station in &machine.stations {
        add(&station.name, "leak_rate", station.leak_factor, "healthy");
    }
    limits
}

impl LimitReport {
    pub fn text(&self) -> String {
        match self.unit {
            "m" => format!("{} +{:.0} um", self.parameter, self.limit * 1e6),
            "N" => format!("{} {} N", self.parameter, self.limit),
            "rad" => {
                let (per_rad, unit) = AxisKind::Rotary.small();
                format!("{} +{:.1} {unit}", self.parameter, self.limit * per_rad)
            }
            _ => format!("{} x{}", self.parameter, self.limit),
        }
    }
}
