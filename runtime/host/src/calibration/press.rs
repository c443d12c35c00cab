//! What a press meets: contact and stiffness of every part that was pressed in the recordings. Of a part with a force curve, contact and one
//! factor to its forces: the shape of the curve and its elastic return are as configured.

use super::Report;
use crate::plan::{axis_params, behind, way_in};
use twinstep_config::machine::{Demand, ForceCurve, MAX_RECIPE_TWINS, Machine, Part, PartTwin};
use twinstep_drivers::recording::Recording;
use twinstep_models::axis::load::HALF_WIDTH;
use twinstep_models::identify::{ContactFit, fit_contact, fit_shape};
use twinstep_models::sample::Context;

/// Samples that a part needs.
const LEAST: usize = 100;

/// Standard error of a stiffness, relative to it, from which on it is told to be uncertain.
const UNCERTAIN: f64 = 0.1;

/// Factors that a part may have over its curve.
const FACTORS: std::ops::RangeInclusive<f64> = 0.1..=10.0;

/// Place of the ram (m), and current beyond the motion (A): behind a crank or a table the force over the force constant.
type Sample = (f64, f64);

/// A press with a twin, as its parts are fitted on it.
struct Met {
    direction: f64,
    /// Force of a current (N/A).
    kf: f64,
    frame_m_per_n: f64,
}

/// Fits all parts on each press that has a twin, in place, and reports on them.
pub(super) fn fit_parts(machine: &mut Machine, recordings: &[Recording], report: &mut Report) {
    for press in 0..machine.presses.len() {
        fit_on(press, machine, recordings, report);
    }
    let twins = machine
        .presses
        .iter()
        .any(|press| press.axis.twin.is_some());
    // What a recipe has by itself was said already.
    let own: Vec<Context> = (0..machine.presses.len())
        .flat_map(|press| recipes_of_their_own(machine, press))
        .collect();
    let expected: Vec<u8> = (machine.stroke_contexts().iter())
        .filter(|context| !own.contains(context))
        .map(|context| context.part)
        .collect();
    for (number, part) in machine.parts.iter().enumerate() {
        let mut learnt = report.parts.iter();
        let fitted = learnt.any(|one| one.part == number && one.recipe.is_none());
        let expected = expected.iter().any(|part| usize::from(*part) == number);
        let said = report.remarks.contains(&no_fit(part));
        if twins && expected && !fitted && !said {
            (report.remarks).push(format!(
                "{}: not calibrated, it was not pressed in the recordings",
                part.name
            ));
        }
    }
}

/// Fits all parts on one press.
fn fit_on(press: usize, machine: &mut Machine, recordings: &[Recording], report: &mut Report) {
    let Report { parts, remarks, .. } = report;
    let Some(met) = Met::of(machine, press) else {
        return;
    };
    // A recipe that wants to be known by itself is: its strokes teach nothing about the other recipes.
    let own = recipes_of_their_own(machine, press);
    let (general, by_recipe) = pressed(machine, press, &own, recordings);
    for (context, samples) in own.iter().zip(&by_recipe) {
        let number = usize::from(context.part);
        let before = machine.learnt_on(press, number).of(Some(context.recipe));
        let Some(part) = machine.parts.get(number) else {
            continue;
        };
        match met.fitted(part, samples, before) {
            Some((twin, errors)) => {
                say_curve(part, &twin, remarks);
                errors.say(part, remarks);
                if let Some((_, by_recipe)) = machine.learnt_on_mut(press, number) {
                    by_recipe.retain(|(recipe, _)| *recipe != context.recipe);
                    by_recipe.push((context.recipe, twin));
                }
                parts.push(LearntPart {
                    part: number,
                    press,
                    recipe: Some(context.recipe),
                    errors,
                });
            }
            None if does_not_fit(part, samples.len()) => remarks.push(no_fit(part)),
            None => remarks.push(format!(
                "{}{}: not calibrated in recipe {}, it was not pressed in the recordings with it",
                part.name,
                on_press(machine, press),
                machine
                    .recipes
                    .get(usize::from(context.recipe))
                    .map_or("unknown", |r| &r.name)
            )),
        }
    }
    for (number, samples) in general.iter().enumerate() {
        let before = machine.learnt_on(press, number).twin;
        let Some(part) = machine.parts.get(number) else {
            continue;
        };
        match met.fitted(part, samples, before) {
            Some((twin, errors)) => {
                say_curve(part, &twin, remarks);
                errors.say(part, remarks);
                if let Some((general, _)) = machine.learnt_on_mut(press, number) {
                    *general = Some(twin);
                }
                parts.push(LearntPart {
                    part: number,
                    press,
                    recipe: None,
                    errors,
                });
            }
            None if does_not_fit(part, samples.len()) => remarks.push(no_fit(part)),
            None => {}
        }
    }
}

/// What was pressed on one press, part by part, and in each of the contexts that are known by themselves.
fn pressed(
    machine: &Machine,
    press: usize,
    own: &[Context],
    recordings: &[Recording],
) -> (Vec<Vec<Sample>>, Vec<Vec<Sample>>) {
    let mut samples = vec![Vec::new(); machine.parts.len()];
    let mut own_samples = vec![Vec::new(); own.len()];
    let n = machine.axes.len() + press;
    let Some(press) = machine.presses.get(press) else {
        return (samples, own_samples);
    };
    let p = axis_params(&press.axis, machine.cycle.period_ns as f64 / 1e9);
    let stroke = &press.stroke;
    let delay_s = (press.axis.twin.as_ref()).map_or(0.0, |twin| twin.current_delay_s);
    let direction = way_in(stroke);
    let kf = (press.axis.twin.as_ref()).map_or(1.0, |twin| twin.force_constant_n_per_a);
    let linked = behind(press, kf);
    for recording in recordings {
        let Some(record) = recording.axes.get(n) else {
            continue;
        };
        let (x, i, dt) = (&record.position_m, &record.current_a, recording.period_s);
        let late = (delay_s / dt).round() as usize;
        let h = HALF_WIDTH;
        for k in h..x.len().saturating_sub(h + late) {
            let v = (x[k + 1] - x[k - 1]) / (2.0 * dt);
            let inside = direction * (x[k] - stroke.approach_m) > 0.0;
            if !record.enabled[k] || !inside || direction * v < 0.2 * stroke.press_velocity_m_per_s
            {
                continue;
            }
            let span = h as f64 * dt;
            let a = (x[k + h] - 2.0 * x[k] + x[k - h]) / (span * span);
            let ratio = v / p.stribeck_velocity_m_per_s;
            let coulomb_a = if v < 0.0 {
                p.coulomb_negative_a
            } else {
                p.coulomb_positive_a
            };
            let dry = coulomb_a + p.stribeck_a / (1.0 + ratio * ratio);
            let free = p.inertia * a + v.signum() * dry + p.viscous * v + p.gravity_a;
            let mut sample = (x[k], i[k + late] - free);
            if let Some(linked) = &linked {
                // Behind a linkage a part is met where the ram is, and what is left of the current is that of ram and part.
                let at = linked.at(x[k], v);
                let Some(part_a) = linked.part_a(&at, a, sample.1) else {
                    continue;
                };
                sample = (at.ram_m, part_a);
            }
            if !(sample.0.is_finite() && sample.1.is_finite()) {
                continue;
            }
            let context = recording.context[k].of_press();
            let list = match own.iter().position(|one| *one == context) {
                Some(place) => own_samples.get_mut(place),
                None => samples.get_mut(usize::from(context.part)),
            };
            if let Some(list) = list {
                list.push(sample);
            }
        }
    }
    (samples, own_samples)
}

impl Met {
    /// Press `press`; none where nothing tells its force from its motion.
    fn of(machine: &Machine, place: usize) -> Option<Self> {
        let press = machine.presses.get(place)?;
        Some(Self {
            direction: way_in(&press.stroke),
            kf: press.axis.twin.as_ref()?.force_constant_n_per_a,
            frame_m_per_n: press.curve.frame_m_per_n,
        })
    }

    /// What a part is met with; none where it was pressed too seldom, or its curve is another one.
    fn fitted(
        &self,
        part: &Part,
        samples: &[Sample],
        before: Option<&PartTwin>,
    ) -> Option<(PartTwin, PartErrors)> {
        if samples.len() < LEAST {
            return None;
        }
        let (kf, direction) = (self.kf, self.direction);
        let (fit, factor) = match &part.curve {
            None => (fit_contact(samples, direction)?, None),
            Some(curve) => {
                let (fit, factor) = fit_curve(curve, samples, direction, (kf, self.frame_m_per_n))?;
                (fit, Some(factor))
            }
        };
        let twin = PartTwin {
            envelope: before.and_then(|twin| twin.envelope),
            contact_m: fit.contact_m,
            stiffness_n_per_m: match factor {
                Some(factor) => factor * part.stiffness_n_per_m,
                None => fit.stiffness_a_per_m * kf,
            },
            factor,
        };
        Some((twin, PartErrors::of(&fit)))
    }
}

/// Standard errors of a part that was fitted; none where contact and stiffness could not be told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PartErrors {
    /// Of the contact (m).
    pub contact_m: Option<f64>,
    /// Of its stiffness, or of the factor of its curve, relative to it (1).
    pub share: Option<f64>,
}

impl PartErrors {
    fn of(fit: &ContactFit) -> Self {
        Self {
            contact_m: fit.standard_errors.map(|[contact_m, _]| contact_m),
            share: (fit.standard_errors).map(|[_, stiffness]| stiffness / fit.stiffness_a_per_m),
        }
    }

    /// Warns of what the strokes do not say.
    fn say(&self, part: &Part, remarks: &mut Vec<String>) {
        let uncertain = self
            .share
            .is_none_or(|share| share.is_nan() || share > UNCERTAIN);
        if uncertain {
            let by = self.share.map_or_else(
                || "it cannot be told from the contact".to_owned(),
                |share| format!("its standard error is {:.0} % of it", 100.0 * share),
            );
            remarks.push(format!(
                "{}: its stiffness is uncertain, {by}: record more strokes, and further into the part",
                part.name
            ));
        }
    }
}

/// ` on PRESS`, where the machine has several.
pub(super) fn on_press(machine: &Machine, press: usize) -> String {
    let press = machine
        .presses
        .get(press)
        .filter(|_| machine.presses.len() > 1);
    press.map_or_else(String::new, |press| format!(" on {}", press.axis.name))
}

/// A part that was learnt: the part, and the press that met it, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LearntPart {
    /// The part.
    pub part: usize,
    /// The press.
    pub press: usize,
    /// The recipe in which it is known by itself.
    pub recipe: Option<u8>,
    /// Standard errors of what was learnt.
    pub errors: PartErrors,
}

/// A part that was fitted.
pub struct PartFitted<'a> {
    /// Name of the part.
    pub name: &'a str,
    /// The press that met it, of several.
    pub press: Option<&'a str>,
    /// The recipe in which it is known by itself.
    pub recipe: Option<&'a str>,
    /// Its twin before, if it had one.
    pub old: Option<&'a PartTwin>,
    /// Its twin now.
    pub new: &'a PartTwin,
    /// Standard errors of that.
    pub errors: PartErrors,
}

/// Every part that was fitted, as it was and as it is.
pub fn parts_fitted<'a>(
    before: &'a Machine,
    after: &'a Machine,
    report: &Report,
) -> Vec<PartFitted<'a>> {
    let fitted = report.parts.iter().filter_map(|one| {
        let LearntPart {
            part,
            press,
            recipe,
            errors,
        } = *one;
        let named = recipe.and_then(|recipe| after.recipes.get(usize::from(recipe)));
        Some(PartFitted {
            name: &after.parts.get(part)?.name,
            press: (after.presses.get(press).filter(|_| after.presses.len() > 1))
                .map(|press| press.axis.name.as_str()),
            recipe: named.map(|recipe| recipe.name.as_str()),
            old: before.learnt_on(press, part).of(recipe),
            new: after.learnt_on(press, part).of(recipe)?,
            errors,
        })
    });
    fitted.collect()
}

/// Fits contact and factor of a part with a curve, `kf` being the force of a current (N/A).
///
/// The frame yields by `compliance` (m/N) to the force that there is, so over the way of the motor the shape of the curve depends on the
/// factor that is looked for. Over the way of the ram it does not: and the force that tells how far the frame has yielded is in every sample.
fn fit_curve(
    curve: &ForceCurve,
    samples: &[(f64, f64)],
    direction: f64,
    (kf, compliance): (f64, f64),
) -> Option<(ContactFit, f64)> {
    let of_ram: Vec<(f64, f64)> = (samples.iter())
        .map(|(position_m, excess_a)| (position_m - compliance * kf * excess_a, *excess_a))
        .collect();
    let fit = fit_shape(&of_ram, direction, |way| curve.force_n(way))?;
    let factor = fit.stiffness_a_per_m * kf;
    (FACTORS.contains(&factor) && !curve.snaps(factor * compliance)).then_some((fit, factor))
}

/// Whether a part was pressed often enough and its curve is another one.
fn does_not_fit(part: &Part, samples: usize) -> bool {
    samples >= LEAST && part.curve.is_some()
}

fn no_fit(part: &Part) -> String {
    format!(
        "{}: not calibrated, its force curve does not fit what was pressed: expected a force of 0.1 to 10 times the curve, and none at which the part springs back faster than the frame",
        part.name
    )
}

/// Of a part with a curve not everything is learnt.
fn say_curve(part: &Part, twin: &PartTwin, remarks: &mut Vec<String>) {
    if let Some(factor) = twin.factor {
        remarks.push(format!(
            "{}: met at {:.3} mm with {factor:.3} times the force of its curve; curve and elastic return are as configured",
            part.name,
            twin.contact_m * 1e3
        ));
    }
}

/// Contexts that the configuration wants a press to know by themselves: parts with a twin, or an envelope, for one recipe.
fn recipes_of_their_own(machine: &Machine, press: usize) -> Vec<Context> {
    let twins = (0..machine.parts.len())
        .zip(0_u8..)
        .flat_map(|(place, part)| {
            let recipes = machine.learnt_on(press, place).by_recipe.iter();
            recipes.map(move |(recipe, _)| Context::of(*recipe, part))
        });
    let demands = (machine.presses.get(press).into_iter()).flat_map(|press| &press.evaluations);
    let envelopes = demands.filter_map(|one| match &one.demand {
        Demand::Envelope(demand) => Some(Context::of(demand.recipe?, demand.part)),
        Demand::Object(_) => None,
    });
    let mut own: Vec<Context> = Vec::new();
    for context in twins.chain(envelopes) {
        if !own.contains(&context) && own.len() < MAX_RECIPE_TWINS {
            own.push(context);
        }
    }
    own
}

#[cfg(test)]
#[path = "press_tests.rs"]
mod tests;
