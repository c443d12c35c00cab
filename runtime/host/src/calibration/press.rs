//! What a press meets: contact and stiffness of every part that was pressed in the recordings. Of a part with a force curve, contact and one
//! factor to its forces: the shape of the curve and its elastic return are as configured.

use crate::plan::curves::behind_a_frame;
use crate::plan::{axis_params, way_in};
use twinstep_config::machine::{Demand, MAX_RECIPE_TWINS, Machine, Part, PartTwin};
use twinstep_drivers::recording::Recording;
use twinstep_models::axis::load::HALF_WIDTH;
use twinstep_models::identify::{fit_contact, fit_shape};
use twinstep_models::sample::Context;

/// Samples that a part needs.
const LEAST: usize = 100;

/// Fits all parts, in place.
pub(super) fn fit_parts(
    machine: &mut Machine,
    recordings: &[Recording],
    remarks: &mut Vec<String>,
) {
    let Some(press) = machine.presses.first() else {
        return;
    };
    if press.axis.twin.is_none() {
        return;
    }
    let n = machine.axes.len();
    let p = axis_params(&press.axis, machine.cycle.period_ns as f64 / 1e9);
    let (stroke, twin) = (&press.stroke, press.axis.twin.as_ref());
    let (kf, delay_s) = twin.map_or((1.0, 0.0), |t| {
        (t.force_constant_n_per_a, t.current_delay_s)
    });
    let direction = way_in(stroke);
    // A recipe that wants to be known by itself is: its strokes teach nothing about the other recipes.
    let own = recipes_of_their_own(machine);
    let mut samples = vec![Vec::new(); machine.parts.len()];
    let mut own_samples = vec![Vec::new(); own.len()];
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
            let dry = p.coulomb_positive_a + p.stribeck_a / (1.0 + ratio * ratio);
            let free = p.inertia * a + v.signum() * dry + p.viscous * v + p.gravity_a;
            let sample = (x[k], i[k + late] - free);
            if !(sample.0.is_finite() && sample.1.is_finite()) {
                continue;
            }
            let context = recording.context[k];
            let list = match own.iter().position(|one| *one == context) {
                Some(place) => own_samples.get_mut(place),
                None => samples.get_mut(usize::from(context.part)),
            };
            if let Some(list) = list {
                list.push(sample);
            }
        }
    }
    let frame_m_per_n = press.curve.frame_m_per_n;
    let fitted = |part: &Part, samples: &[(f64, f64)], before: Option<&PartTwin>| {
        if samples.len() < LEAST {
            return None;
        }
        let (fit, factor) = match &part.curve {
            None => (fit_contact(samples, direction)?, None),
            Some(curve) => {
                let curve = behind_a_frame(curve, frame_m_per_n);
                let fit = fit_shape(samples, direction, |way| curve.force_n(way))?;
                let factor = fit.stiffness_a_per_m * kf;
                (fit, Some(factor))
            }
        };
        if factor.is_some_and(|factor| !(0.1..=10.0).contains(&factor)) {
            return None;
        }
        Some(PartTwin {
            envelope: before.and_then(|twin| twin.envelope),
            contact_m: fit.contact_m,
            stiffness_n_per_m: match factor {
                Some(factor) => factor * part.stiffness_n_per_m,
                None => fit.stiffness_a_per_m * kf,
            },
            factor,
        })
    };
    for (context, samples) in own.iter().zip(&own_samples) {
        let Some(part) = machine.parts.get_mut(usize::from(context.part)) else {
            continue;
        };
        match fitted(part, samples, part.twin_of_recipe(context.recipe)) {
            Some(twin) => {
                say_curve(part, &twin, remarks);
                part.by_recipe
                    .retain(|(recipe, _)| *recipe != context.recipe);
                part.by_recipe.push((context.recipe, twin));
            }
            None if does_not_fit(part, samples.len()) => remarks.push(no_fit(part)),
            None => remarks.push(format!(
                "{}: not calibrated in recipe {}, it was not pressed in the recordings with it",
                part.name,
                machine
                    .recipes
                    .get(usize::from(context.recipe))
                    .map_or("unknown", |r| &r.name)
            )),
        }
    }
    // What a recipe has by itself was said above.
    let pressed: Vec<u8> = (machine.stroke_contexts().iter())
        .filter(|context| !own.contains(context))
        .map(|context| context.part)
        .collect();
    for (number, (part, samples)) in machine.parts.iter_mut().zip(&samples).enumerate() {
        match fitted(part, samples, part.twin.as_ref()) {
            Some(twin) => {
                say_curve(part, &twin, remarks);
                part.twin = Some(twin);
            }
            None if does_not_fit(part, samples.len()) => remarks.push(no_fit(part)),
            None if pressed.iter().any(|p| usize::from(*p) == number) => {
                remarks.push(format!(
                    "{}: not calibrated, it was not pressed in the recordings",
                    part.name
                ));
            }
            None => {}
        }
    }
}

/// Whether a part was pressed often enough and its curve is another one.
fn does_not_fit(part: &Part, samples: usize) -> bool {
    samples >= LEAST && part.curve.is_some()
}

fn no_fit(part: &Part) -> String {
    format!(
        "{}: not calibrated, its force curve does not fit what was pressed: expected a force of 0.1 to 10 times the curve",
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

/// Contexts that the configuration wants known by themselves: parts with a twin, or an envelope, for one recipe.
fn recipes_of_their_own(machine: &Machine) -> Vec<Context> {
    let twins = (0_u8..).zip(&machine.parts).flat_map(|(part, one)| {
        let recipes = one.by_recipe.iter();
        recipes.map(move |(recipe, _)| Context {
            recipe: *recipe,
            part,
        })
    });
    let demands = machine.presses.iter().flat_map(|press| &press.evaluations);
    let envelopes = demands.filter_map(|one| match &one.demand {
        Demand::Envelope(demand) => Some(Context {
            recipe: demand.recipe?,
            part: demand.part,
        }),
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
