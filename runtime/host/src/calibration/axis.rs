//! One axis: inverse dynamics, cascade, output error, and what of them becomes the twin.
//!
//! The rule: what is written are the parameters of the inverse dynamics. Where the output error agrees with them in every
//! parameter within two combined standard errors (or 1 %), both are estimates of the same thing and their weighted mean is
//! written. Where they do not agree, the output error has bent its parameters to make up for what the model lacks, and they are
//! shown and left alone.
//!
//! Where gravity is stated it is held, and Coulomb friction is found for each direction. Elsewhere one figure is found for both.

use super::gains::Gains;
use super::noise::{self, RegimeNoise};
use super::page::{self, Curve};
use super::parameters;
use super::{Kind, MAX_FIT_PERIOD_NS, column_name, force_constant};
use twinstep_config::machine::{Axis, AxisTwin, HealthyInnovation, Machine, OperationModes};
use twinstep_models::identify::{
    self, Agreement, AxisFit, AxisRecord, CascadeFit, OutputErrorFit, Parameters, agreement,
    fit_axis, fit_axis_under, fit_output_error, free_runs,
};

/// Starts this far off on either side must lead to the same minimum of the output error.
const ELSEWHERE: [f64; 2] = [0.7, 1.3];
/// Difference by which two minima are the same (standard errors).
const SAME: f64 = 1.0;
/// Coulomb friction in one direction over that in the other from which on the stated gravity is doubted.
const FAR_APART: f64 = 3.0;

/// How far two ends of the output error lie apart, in the parameter that is farthest; infinite where there is no other end.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Apart {
    /// In standard errors.
    pub standard_errors: f64,
    /// In % of the parameter, of a load of the friction where that is more.
    pub percent: f64,
}

impl Apart {
    const NOWHERE: Self = Self {
        standard_errors: f64::INFINITY,
        percent: f64::INFINITY,
    };

    fn max(self, other: Self) -> Self {
        Self {
            standard_errors: self.standard_errors.max(other.standard_errors),
            percent: self.percent.max(other.percent),
        }
    }
}

/// What was found for one axis or press beside its twin.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AxisReport {
    /// Inverse dynamics; none where the recording does not allow it.
    pub fit: Option<AxisFit>,
    /// Output error, beside it.
    pub output_error: Option<OutputErrorFit>,
    /// Farthest from its values that it ends at from starts 30 % below and above.
    pub restarted: Option<Apart>,
    /// How the two go together.
    pub agreement: Option<Agreement>,
    /// The cascade where it was fitted to the recording; elsewhere its gains are those of the drive's table, or what `gains` says.
    pub cascade: Option<CascadeFit>,
    /// What the recording says of the gains of the drive's own table.
    pub gains: Option<Gains>,
    /// Residual of the inverse dynamics, per regime.
    pub noise: Vec<RegimeNoise>,
    /// What is uncertain, contradictory or missing.
    pub warnings: Vec<String>,
    /// Measured and predicted, for the page.
    pub curves: Vec<Curve>,
}

impl AxisReport {
    /// The four parameters that are written, and whether the output error has a share in them.
    pub fn adopted(&self) -> Option<(Parameters, bool)> {
        let fit = self.fit.as_ref()?;
        let combined = self.agreement.as_ref().and_then(|a| a.combined);
        Some((
            combined.unwrap_or_else(|| identify::parameters(fit)),
            combined.is_some(),
        ))
    }
}

/// Inverse dynamics of axis `n`; the error names the column at fault.
pub(super) fn fit(
    machine: &Machine,
    axis: &Axis,
    n: usize,
    record: &AxisRecord<'_>,
) -> Result<AxisFit, String> {
    use identify::MissingMotion::{ConstantCurrent, Inertia};
    if machine.cycle.period_ns > MAX_FIT_PERIOD_NS {
        return Err("its period is too long to tell accelerations".to_owned());
    }
    let fit = match axis.stated_gravity_n {
        Some(gravity_n) => fit_axis_under(record, gravity_n / force_constant(axis)),
        None => fit_axis(record),
    };
    fit.map_err(|missing| {
        let kind = match missing {
            ConstantCurrent | Inertia => Kind::Current,
            _ => Kind::Position,
        };
        format!("column `{}`: {missing}", column_name(machine, n, kind))
    })
}

/// What is to be said of Coulomb friction by direction, of an axis that still has the twin that was there.
pub(super) fn directions(axis: &Axis, fit: &AxisFit) -> Option<String> {
    let (kf, unit) = (force_constant(axis), axis.kind.unit("N"));
    let was_n = axis.twin.as_ref().map(coulomb_n);
    let Some(negative) = fit.coulomb_negative_a else {
        let [positive_n, negative_n] = was_n.filter(|[p, n]| p != n)?;
        return Some(format!(
            "Coulomb friction of the twin that was there differs by direction, {positive_n:.4} {unit} and {negative_n:.4} {unit}, and a recording cannot tell that from a constant load: their ratio is kept; state `gravity` in its table `calibrate`, and both are found"
        ));
    };
    if let Some(positive) = fit.one_way {
        let (is, lacks) = if positive {
            ("positive", "negative")
        } else {
            ("negative", "positive")
        };
        let taken = was_n.map_or_else(
            || "is taken to be the same".to_owned(),
            |was_n| {
                let was_n = was_n[usize::from(positive)];
                format!("is left at {was_n:.4} {unit}, as the twin has it")
            },
        );
        return Some(format!(
            "it moves in {is} direction only: Coulomb friction in {lacks} direction {taken}; record moves in {lacks} direction too"
        ));
    }
    let found_n = [fit.coulomb_a, negative].map(|e| kf * e.value);
    let (less, more) = (found_n[0].min(found_n[1]), found_n[0].max(found_n[1]));
    (less * FAR_APART < more).then(|| {
        format!(
            "with the stated gravity of {:.4} {unit} Coulomb friction is {:.4} {unit} in positive and {:.4} {unit} in negative direction: a gravity that is off by {:.4} {unit} makes as much of alike ones; look whether `gravity` in its table `calibrate` is what hangs on it",
            axis.stated_gravity_n.unwrap_or_default(),
            found_n[0],
            found_n[1],
            0.5 * (found_n[0] - found_n[1]).abs(),
        )
    })
}

/// Coulomb friction in positive and in negative direction (N).
fn coulomb_n(twin: &AxisTwin) -> [f64; 2] {
    [twin.coulomb_positive_n, twin.coulomb_negative_n]
}

/// The twin of the inverse dynamics alone.
pub(super) fn twin_of(axis: &Axis, fit: &AxisFit) -> AxisTwin {
    let mut twin = AxisTwin {
        force_constant_n_per_a: force_constant(axis),
        mass_kg: 0.0,
        coulomb_positive_n: 0.0,
        coulomb_negative_n: 0.0,
        viscous_n_s_per_m: 0.0,
        stribeck_n: force_constant(axis) * fit.stribeck_a.value,
        stribeck_velocity_m_per_s: fit.stribeck_velocity_m_per_s,
        gravity_n: axis.stated_gravity_n.unwrap_or(0.0),
        cascade: None,
        cascade_off: None,
        noise: None,
        current_delay_s: fit.current_delay_s,
        load_lag_s: fit.load_lag_s,
        baseline: Vec::new(),
        paces: Vec::new(),
        modes: OperationModes::default(),
        position_limit_m: None,
        velocity_limit_m_per_s: None,
        current_limit_a: None,
        innovations: [None; HealthyInnovation::COUNT],
    };
    let was_n = axis.twin.as_ref().map(coulomb_n);
    put(&mut twin, fit, identify::parameters(fit), was_n);
    twin
}

/// Writes the common parameters, in currents, into a twin; `was_n` is the Coulomb friction by direction that was there.
fn put(twin: &mut AxisTwin, fit: &AxisFit, found: Parameters, was_n: Option<[f64; 2]>) {
    let kf = twin.force_constant_n_per_a;
    let [inertia, coulomb_a, viscous, other_a] = found;
    twin.mass_kg = kf * inertia;
    // Friction cannot drive: what a fit says below zero is zero.
    let coulomb_n = (kf * coulomb_a).max(0.0);
    twin.viscous_n_s_per_m = (kf * viscous).max(0.0);
    let [positive_n, negative_n] = if fit.known_a().is_some() {
        let negative_n = (kf * other_a).max(0.0);
        // Of a direction that was not moved nothing is known but what was there.
        match (fit.one_way, was_n) {
            (Some(true), was_n) => [coulomb_n, was_n.map_or(coulomb_n, |[_, was_n]| was_n)],
            (Some(false), was_n) => [was_n.map_or(negative_n, |[was_n, _]| was_n), negative_n],
            (None, _) => [coulomb_n, negative_n],
        }
    } else {
        // One figure was found. Where somebody wrote two their ratio stays, and the load gives back the half of the difference that it holds.
        let by_direction_n = match was_n.filter(|[p, n]| p != n) {
            Some([p, n]) => {
                let negative_n = 2.0 * coulomb_n * (n / (p + n));
                [2.0 * coulomb_n - negative_n, negative_n]
            }
            None => [coulomb_n; 2],
        };
        twin.gravity_n = kf * other_a - 0.5 * (by_direction_n[0] - by_direction_n[1]);
        by_direction_n
    };
    (twin.coulomb_positive_n, twin.coulomb_negative_n) = (positive_n, negative_n);
}

/// Refines a fitted axis whose cascade is chosen, by the rule of this module, and reports on it.
pub(super) fn refine(
    machine: &Machine,
    axis: &mut Axis,
    record: &AxisRecord<'_>,
    fit: AxisFit,
) -> AxisReport {
    let mut report = AxisReport {
        warnings: fit.warnings.clone(),
        noise: noise::per_regime(machine, axis, record, &fit),
        ..AxisReport::default()
    };
    let sampled = (axis.twin.as_ref())
        .and_then(|t| t.cascade)
        .is_some_and(|c| c.sampled);
    match fit_output_error(record, &fit, identify::parameters(&fit), sampled) {
        Ok(other) => {
            let together = agreement(&fit, &other);
            if let Some(warning) = disagreement(axis, &fit, &other, &together) {
                report.warnings.push(warning);
            }
            let apart = restarted(record, &fit, &other, sampled);
            let errors = apart.standard_errors;
            if errors > SAME {
                let ends = if errors.is_finite() {
                    format!("{errors:.1} standard errors elsewhere")
                } else {
                    "nowhere".to_owned()
                };
                report.warnings.push(format!(
                    "output error has more than one minimum: from a start 30 % off it ends {ends}"
                ));
            }
            report.restarted = Some(apart);
            report.output_error = Some(other);
            report.agreement = Some(together);
        }
        Err(why) => report.warnings.push(format!("no output error: {why}")),
    }
    let runs = free_runs(record, &fit, sampled);
    report.curves = page::free_run_curves(axis.kind, record, &runs);
    report.fit = Some(fit);
    if let (Some(twin), Some(fit), Some((adopted, true))) =
        (&mut axis.twin, &report.fit, report.adopted())
    {
        let was_n = coulomb_n(twin);
        put(twin, fit, adopted, Some(was_n));
    }
    report
}

/// How far from `found` the output error ends from other starts. Both fits at a time.
fn restarted(
    record: &AxisRecord<'_>,
    fit: &AxisFit,
    found: &OutputErrorFit,
    sampled: bool,
) -> Apart {
    let friction_a = found.estimates[1].value.abs();
    // A load of nothing is known to a share of the friction.
    let size = |c: usize, value: f64| value.abs().max(if c == 3 { friction_a } else { 0.0 });
    let from = |share: f64| {
        let start = identify::parameters(fit).map(|p| share * p);
        let Ok(again) = fit_output_error(record, fit, start, sampled) else {
            return Apart::NOWHERE;
        };
        let both = found.estimates.iter().zip(&again.estimates).enumerate();
        both.fold(Apart::default(), |apart, (c, (a, b))| {
            let difference = (a.value - b.value).abs();
            let errors = difference / a.standard_error;
            apart.max(Apart {
                // What has no standard error cannot be said to be the same.
                standard_errors: if errors.is_nan() {
                    f64::INFINITY
                } else {
                    errors
                },
                percent: 100.0 * difference / size(c, a.value).max(f64::MIN_POSITIVE),
            })
        })
    };
    std::thread::scope(|scope| {
        let [low, high] = ELSEWHERE;
        let beside = scope.spawn(move || from(low));
        let high = from(high);
        // A thread that ended badly has found nothing.
        beside.join().unwrap_or(Apart::NOWHERE).max(high)
    })
}

fn disagreement(
    axis: &Axis,
    fit: &AxisFit,
    other: &OutputErrorFit,
    together: &Agreement,
) -> Option<String> {
    if together.combined.is_some() {
        return None;
    }
    let kf = force_constant(axis);
    // An output error without a standard error says nothing of how far it is off.
    if together.distance.iter().any(|d| d.is_nan()) {
        return Some("output error has no standard error: it is not compared".to_owned());
    }
    let worst = (0..identify::COMMON).max_by(|a, b| {
        f64::total_cmp(&together.distance[*a].abs(), &together.distance[*b].abs())
    })?;
    Some(format!(
        "output error contradicts inverse dynamics, most of all {}: {:.4} against {:.4}, {:.1} combined standard errors; the model lacks something that both make up for in their own way, and what is written is the inverse dynamics",
        parameters::common(fit)[worst].name,
        kf * other.estimates[worst].value,
        kf * identify::parameters(fit)[worst],
        together.distance[worst].abs(),
    ))
}

#[cfg(test)]
#[path = "directions_tests.rs"]
mod tests;
