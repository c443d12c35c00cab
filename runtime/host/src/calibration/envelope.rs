//! Envelopes: the band of good strokes of every part that the configuration wants one for.
//!
//! The strokes are those that the pipeline itself cuts out of the recordings, so that an envelope is taught on the very
//! curves that it will judge. A stroke that another object finds NOK is not good, and teaches nothing.

use super::Report;
use super::press::on_press;
use crate::error::HostError;
use crate::pass;
use crate::plan::PlanStore;
use std::path::PathBuf;
use twinstep_config::machine::{Demand, EnvelopeDemand, MAX_RECIPE_TWINS, Machine, Part};
use twinstep_cycle::press::StrokeRecord;
use twinstep_drivers::recording::RecordingBus;
use twinstep_models::press::curve::{Branch, Curve};
use twinstep_models::press::evaluate::Shape;
use twinstep_models::press::evaluate::envelope::Envelope;
use twinstep_models::press::evaluate::teach::{LEAST_STROKES, Teacher};

/// An envelope that was taught.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taught {
    /// Name of the press.
    pub press: String,
    /// Name of the object.
    pub object: String,
    /// Name of the part.
    pub part: String,
    /// Name of the recipe that it is for alone.
    pub recipe: Option<String>,
    /// Good strokes that it was taught from.
    pub strokes: u32,
}

/// One envelope that is being taught.
struct Lesson {
    /// The press, in the plan's list.
    judged: usize,
    /// The press, in the machine's.
    press: usize,
    object: String,
    demand: EnvelopeDemand,
    teacher: Option<Teacher>,
    /// Strokes that did not reach from end to end of the range.
    short: u32,
}

/// Teaches all envelopes of `machine` from `paths`, in place. A press without a twin learns the band alone: contact and stiffness are as
/// configured there.
pub(super) fn teach(
    machine: &mut Machine,
    paths: &[PathBuf],
    report: &mut Report,
) -> Result<(), HostError> {
    let mut lessons = lessons(machine);
    if lessons.is_empty() {
        return Ok(());
    }
    let store = PlanStore::new(machine);
    for path in paths {
        let bus = RecordingBus::open(path, machine).map_err(crate::commands::replay::refused)?;
        run(bus, &store, &mut lessons);
    }
    for lesson in &lessons {
        let Some(taught) = name(machine, lesson) else {
            continue;
        };
        let what = format!(
            "{}{}{}",
            taught.part,
            (taught.recipe.as_ref())
                .map_or_else(String::new, |recipe| format!(" in recipe {recipe}")),
            on_press(machine, lesson.press)
        );
        match lesson.envelope() {
            Some(envelope) if put(machine, lesson, envelope) => report.envelopes.push(taught),
            Some(_) => {
                let twin = machine.presses.get(lesson.press).map(|press| &press.axis.twin);
                let why = match twin {
                    Some(None) => format!(
                        "a press has {MAX_RECIPE_TWINS} parts that are known by themselves in a recipe, at most"
                    ),
                    _ => "its contact was not calibrated".to_owned(),
                };
                report.remarks.push(format!("{what}: no envelope, {why}"));
            }
            None => report.remarks.push(format!(
                "{what}: no envelope, {} good strokes reach over its range and {LEAST_STROKES} are needed ({} do not reach)",
                taught.strokes, lesson.short
            )),
        }
    }
    Ok(())
}

/// What a lesson is called; none where the machine does not have its part.
fn name(machine: &Machine, lesson: &Lesson) -> Option<Taught> {
    let d = &lesson.demand;
    let recipe = d.recipe.and_then(|n| machine.recipes.get(usize::from(n)));
    Some(Taught {
        press: machine.presses.get(lesson.press)?.axis.name.clone(),
        object: lesson.object.clone(),
        part: machine.parts.get(usize::from(d.part))?.name.clone(),
        recipe: recipe.map(|recipe| recipe.name.clone()),
        strokes: lesson.teacher.as_ref()?.strokes(),
    })
}

/// Puts a band where the press keeps what it has learnt; false where it has a twin, and has not learnt the part.
fn put(machine: &mut Machine, lesson: &Lesson, envelope: Envelope) -> bool {
    let (press, part) = (lesson.press, usize::from(lesson.demand.part));
    // Where no twin tells the force of the part, nothing is predicted with what stands beside the band.
    let has_twin = (machine.presses.get(press)).is_some_and(|press| press.axis.twin.is_some());
    let configured = (machine.parts.get(part).filter(|_| !has_twin)).map(Part::as_configured);
    let recipe = lesson.demand.recipe;
    let learnt = |n: usize| machine.learnt_on(press, n);
    let has_place = recipe.is_none_or(|recipe| learnt(part).of(Some(recipe)).is_some());
    let all = (0..machine.parts.len()).map(|n| learnt(n).by_recipe.len());
    // The configuration takes so many of all parts together.
    let has_room = has_place || all.sum::<usize>() < MAX_RECIPE_TWINS;
    let Some((general, by_recipe)) = machine.learnt_on_mut(press, part) else {
        return false;
    };
    let twin = match (lesson.demand.recipe, configured) {
        (None, Some(configured)) => Some(general.insert(configured)),
        (None, None) => general.as_mut(),
        (Some(recipe), configured) => {
            if let Some(configured) = configured.filter(|_| has_room) {
                by_recipe.retain(|(index, _)| *index != recipe);
                by_recipe.push((recipe, configured));
            }
            let found = by_recipe.iter_mut().find(|(index, _)| *index == recipe);
            found.map(|(_, twin)| twin)
        }
    };
    match twin {
        Some(twin) => twin.envelope = Some(envelope),
        None => return false,
    }
    true
}

fn lessons(machine: &Machine) -> Vec<Lesson> {
    let presses = machine.presses.iter().enumerate();
    let judged = presses.filter(|(_, press)| !press.evaluations.is_empty());
    judged
        .enumerate()
        .flat_map(|(judged, (press, one))| one.evaluations.iter().map(move |e| (judged, press, e)))
        .filter_map(|(judged, press, evaluation)| match evaluation.demand {
            Demand::Envelope(demand) => Some(Lesson {
                judged,
                press,
                object: evaluation.name.clone(),
                demand,
                teacher: Teacher::new(demand.x_m[0], demand.x_m[1]),
                short: 0,
            }),
            Demand::Object(_) => None,
        })
        .collect()
}

fn run(mut bus: RecordingBus, store: &PlanStore, lessons: &mut [Lesson]) {
    let mut state = store.state();
    let mut pipeline = store.pipeline(&mut state);
    pass::over(&mut bus, &mut pipeline, |pipeline, _, _| {
        for n in 0..store.plan().presses.len() {
            let Some(record) = pipeline.take_stroke(n) else {
                continue;
            };
            let (Some(press), true) = (pipeline.press(n), is_good(store, n, &record)) else {
                continue;
            };
            for lesson in lessons.iter_mut() {
                if lesson.judged == n && lesson.demand.is_for(record.context) {
                    lesson.learn(press.curve(), &record);
                }
            }
        }
    });
}

/// Whether no object but the envelopes that are taught anew found the stroke NOK.
fn is_good(store: &PlanStore, press: usize, record: &StrokeRecord) -> bool {
    let plan = store.plan();
    let Some(press) = plan.presses.get(press) else {
        return false;
    };
    let outcomes = record.outcomes.iter().zip(press.objects(plan.objects));
    outcomes
        .filter(|(_, object)| !matches!(object.shape, Shape::Envelope(_)))
        .all(|(outcome, _)| outcome.is_none_or(|o| o.violation.is_none()))
}

impl Lesson {
    /// The band of the strokes so far; none of too few.
    fn envelope(&self) -> Option<Envelope> {
        let d = &self.demand;
        (self.teacher.as_ref()?).envelope(d.coverage, d.confidence, d.floor_n)
    }

    fn learn(&mut self, curve: &Curve, record: &StrokeRecord) {
        let (points, turn) = (curve.points(), curve.turn());
        let way_in = points.get(..=turn).unwrap_or_default();
        let deepest_m = record.features.totals.block.position_m;
        let branch = match self.demand.branch {
            Branch::Forward => way_in,
            Branch::Return => points.get(turn..).unwrap_or_default(),
        };
        let origin = self.demand.reference.origin_m(way_in, deepest_m);
        let learnt = origin
            .zip(self.teacher.as_mut())
            .is_some_and(|(origin_m, teacher)| teacher.learn(branch, origin_m));
        self.short += u32::from(!learnt);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine of two presses without a twin that have learnt nothing, and a band.
    fn untaught() -> (Machine, Envelope, EnvelopeDemand) {
        let mut machine =
            twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
        let envelope = machine.learnt_on(0, 0).twin.unwrap().envelope.unwrap();
        let mut demands = machine.presses[0].evaluations.iter();
        let demand = demands.find_map(|one| match one.demand {
            Demand::Envelope(demand) => Some(demand),
            Demand::Object(_) => None,
        });
        let demand = demand.unwrap();
        for part in &mut machine.parts {
            (part.twin, part.by_recipe) = (None, Vec::new());
        }
        machine.presses[0].axis.twin = None;
        let mut second = machine.presses[0].clone();
        second.axis.name = "second".to_owned();
        machine.presses.push(second);
        (machine, envelope, demand)
    }

    /// Would show a patch that the configuration refuses, because all parts together have more twins by recipe than it takes; or places that
    /// one press takes from another.
    #[test]
    fn a_press_has_so_many_bands_by_recipe_and_no_more() {
        let (mut machine, envelope, demand) = untaught();
        let lesson = |press, part, recipe| Lesson {
            judged: 0,
            press,
            object: "band".to_owned(),
            demand: EnvelopeDemand {
                part,
                recipe,
                ..demand
            },
            teacher: None,
            short: 0,
        };
        let places = |machine: &Machine, press| {
            let parts = 0..machine.parts.len();
            parts
                .map(|part| machine.learnt_on(press, part).by_recipe.len())
                .sum::<usize>()
        };
        // Of two parts in turn, none of which has all of them.
        for recipe in 0..MAX_RECIPE_TWINS as u8 {
            let one = lesson(0, recipe % 2, Some(recipe));
            assert!(put(&mut machine, &one, envelope), "{recipe}");
        }
        assert_eq!(places(&machine, 0), MAX_RECIPE_TWINS);
        let one_more = lesson(0, 0, Some(MAX_RECIPE_TWINS as u8));
        assert!(!put(&mut machine, &one_more, envelope));
        assert_eq!(places(&machine, 0), MAX_RECIPE_TWINS);
        // One that is there already is taught anew, and a band in every recipe needs no place.
        assert!(put(&mut machine, &lesson(0, 0, Some(0)), envelope));
        assert!(put(&mut machine, &lesson(0, 1, None), envelope));
        assert_eq!(places(&machine, 0), MAX_RECIPE_TWINS);
        let taught = machine.learnt_on(0, 1).twin.unwrap();
        assert_eq!(taught.contact_m, machine.parts[1].contact_m);
        assert_eq!(taught.envelope, Some(envelope));
        // The other press has places of its own.
        assert!(put(&mut machine, &lesson(1, 0, Some(40)), envelope));
        assert_eq!(
            (places(&machine, 0), places(&machine, 1)),
            (MAX_RECIPE_TWINS, 1)
        );
    }

    /// Would show a band that stands beside a contact which nobody found: a press with a twin would predict with it.
    #[test]
    fn a_press_with_a_twin_keeps_a_band_beside_what_it_has_found_alone() {
        let (mut machine, envelope, demand) = untaught();
        let twinned =
            twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
        machine.presses[0].axis.twin = twinned.presses[0].axis.twin.clone();
        let one = Lesson {
            judged: 0,
            press: 0,
            object: "band".to_owned(),
            demand,
            teacher: None,
            short: 0,
        };
        assert!(!put(&mut machine, &one, envelope));
        let part = usize::from(demand.part);
        assert!(machine.learnt_on(0, part).is_empty());
        let found = *twinned.learnt_on(0, part).twin.unwrap();
        machine.parts[part].twin = Some(found);
        assert!(put(&mut machine, &one, envelope));
        let kept = machine.learnt_on(0, part).twin.unwrap();
        assert_eq!(
            (kept.contact_m, kept.envelope),
            (found.contact_m, Some(envelope))
        );
    }
}
