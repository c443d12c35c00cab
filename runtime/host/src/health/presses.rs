//! Health of a press by its strokes: whether it is followed, and its lines, each named with its part and recipe.

use super::{CourseLine, HealthLine, line};
use crate::names::Names;
use twinstep_config::machine::{AxisKind, Machine, Press};
use twinstep_cycle::digest::{finish, mix};
use twinstep_cycle::event::Source;
use twinstep_cycle::health::{PressHealth, PressHealthPlan};
use twinstep_cycle::press::{ForceFrom, PressPlan};
use twinstep_models::sample::Context;

/// Whether a press is followed by its strokes: where nothing else is known of it, or somebody has set a limit for it.
pub fn is_followed(press: &Press) -> bool {
    let limits = &press.axis.health;
    press.axis.twin.is_none() || limits.gradient_factor.is_some() || limits.tare_n.is_some()
}

/// Health of the presses whose strokes are judged, one for each of `plans`.
pub fn press_health(machine: &Machine, plans: &[PressPlan]) -> Vec<PressHealth> {
    let of = |plan: &PressPlan| {
        let n = usize::from(plan.axis).checked_sub(machine.axes.len());
        let press = n.and_then(|n| machine.presses.get(n));
        let limits = press.map(|press| press.axis.health).unwrap_or_default();
        PressHealth::new(PressHealthPlan {
            axis: plan.axis,
            tracked: press.is_some_and(is_followed),
            inferred: plan.force != ForceFrom::Sensor,
            begin_m: plan.stroke.begin_m,
            contact_n: plan.stroke.contact_n,
            measures: measures(plan),
            gradient_limit: limits.gradient_factor,
            tare_limit_n: limits.tare_n,
        })
    };
    plans.iter().map(of).collect()
}

/// A number that changes with all that gradient and tare depend on.
fn measures(plan: &PressPlan) -> u64 {
    let text = format!(
        "{:?} {:?} {} {:?} {:?}",
        plan.force,
        plan.ram,
        plan.direction,
        plan.frame,
        plan.tare.map(|tare| tare.range_m)
    );
    let bytes = text.as_bytes().iter();
    finish(bytes.fold(0, |hash, byte| mix(hash, u64::from(*byte))))
}

/// The name of a figure: of each part and recipe it is another one, `gradient:PART:RECIPE`. A machine without parts or recipes has none
/// to name.
fn named(parameter: &str, names: &Names, context: Context) -> String {
    let mut name = parameter.to_owned();
    for of in [names.part(context), names.recipe(context)]
        .into_iter()
        .flatten()
    {
        name.push(':');
        name.push_str(of);
    }
    name
}

/// Adds the lines of the press with this axis.
pub fn press_lines(names: &Names, axis: u16, health: &PressHealth, lines: &mut Vec<HealthLine>) {
    let (source, usage) = (names.source(Source::Axis(axis)), health.usage());
    for (context, reading) in health.readings() {
        lines.push(HealthLine {
            parameter: named(reading.parameter, names, context).into(),
            part: names.part(context).map(str::to_owned),
            recipe: names.recipe(context).map(str::to_owned),
            ..line(source, AxisKind::Linear, &reading, usage)
        });
    }
}

/// How a figure of the press with this axis has gone; none where it has none of this name.
pub fn press_course(
    names: &Names,
    axis: u16,
    health: &PressHealth,
    parameter: &str,
) -> Option<CourseLine> {
    let (context, reading) = (health.readings())
        .find(|(context, reading)| named(reading.parameter, names, *context) == parameter)?;
    Some(CourseLine {
        parameter: named(reading.parameter, names, context).into(),
        ..CourseLine::of(
            names.source(Source::Axis(axis)),
            AxisKind::Linear,
            &reading,
            health.usage(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::PlanStore;
    use crate::press_plan;

    fn cell() -> Machine {
        twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap()
    }

    fn followed(machine: &Machine) -> bool {
        let (plans, _) = press_plan::presses(machine);
        press_health(machine, &plans)[0].is_tracked()
    }

    #[test]
    fn a_press_is_followed_by_its_strokes_where_it_has_no_twin_or_a_limit() {
        let mut machine = cell();
        assert!(!followed(&machine));
        machine.presses[0].axis.health.gradient_factor = Some(0.8);
        assert!(followed(&machine));
        machine.presses[0].axis.health.gradient_factor = None;
        machine.presses[0].axis.health.tare_n = Some(900.0);
        assert!(followed(&machine));
        machine.presses[0].axis.health.tare_n = None;
        machine.presses[0].axis.twin = None;
        assert!(followed(&machine));
    }

    #[test]
    fn limits_of_its_life_do_not_change_the_plan() {
        let mut machine = cell();
        let before = PlanStore::new(&machine).hash();
        machine.presses[0].axis.health.gradient_factor = Some(0.8);
        assert_eq!(PlanStore::new(&machine).hash(), before);
    }

    #[test]
    fn what_a_figure_depends_on_makes_it_another_one() {
        let machine = cell();
        let plan = press_plan::presses(&machine).0[0];
        let mut other = plan;
        other.frame.compliance_m_per_n = 1e-9;
        assert_ne!(measures(&plan), measures(&other));
        let mut other = plan;
        other.ram.counterbalance.constant_n += 1.0;
        assert_ne!(measures(&plan), measures(&other));
        let mut other = plan;
        other.stroke.turn_m *= 2.0;
        assert_eq!(measures(&plan), measures(&other));
    }

    #[test]
    fn figures_are_named_by_part_and_recipe() {
        let machine = cell();
        let names = Names::of(&machine);
        let (recipe, part) = (&machine.recipes[0].name, &machine.parts[1].name);
        let context = Context::of(0, 1);
        assert_eq!(
            named("gradient", &names, context),
            format!("gradient:{part}:{recipe}")
        );
        assert_eq!(named("tare", &Names::default(), context), "tare");
    }
}
