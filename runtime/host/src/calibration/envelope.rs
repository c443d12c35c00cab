//! Envelopes: the band of good strokes of every part that the configuration wants one for.
//!
//! The strokes are those that the pipeline itself cuts out of the recordings, so that an envelope is taught on the very
//! curves that it will judge. A stroke that another object finds NOK is not good, and teaches nothing.

use crate::error::HostError;
use crate::pass;
use crate::plan::PlanStore;
use std::path::PathBuf;
use twinstep_config::machine::{Demand, EnvelopeDemand, Machine};
use twinstep_cycle::press::StrokeRecord;
use twinstep_drivers::recording::RecordingBus;
use twinstep_models::press::curve::{Branch, Curve};
use twinstep_models::press::evaluate::Shape;
use twinstep_models::press::evaluate::teach::{LEAST_STROKES, Teacher};

/// One envelope that is being taught.
struct Lesson {
    /// The press, in the plan's list.
    press: usize,
    demand: EnvelopeDemand,
    teacher: Option<Teacher>,
    /// Strokes that did not reach from end to end of the range.
    short: u32,
}

/// Teaches all envelopes of `machine` from `paths`, in place.
pub(super) fn teach(
    machine: &mut Machine,
    paths: &[PathBuf],
    remarks: &mut Vec<String>,
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
        let (d, Some(teacher)) = (&lesson.demand, &lesson.teacher) else {
            continue;
        };
        let recipe = (d.recipe)
            .and_then(|recipe| machine.recipes.get(usize::from(recipe)))
            .map_or_else(String::new, |recipe| format!(" in recipe {}", recipe.name));
        let Some(part) = machine.parts.get_mut(usize::from(d.part)) else {
            continue;
        };
        let name = format!("{}{recipe}", part.name);
        let twin = match d.recipe {
            Some(recipe) => (part.by_recipe.iter_mut())
                .find(|(index, _)| *index == recipe)
                .map(|(_, twin)| twin),
            None => part.twin.as_mut(),
        };
        let taught = teacher.envelope(d.coverage, d.confidence, d.floor_n);
        match (twin, taught) {
            (Some(twin), Some(envelope)) => twin.envelope = Some(envelope),
            (None, Some(_)) => remarks.push(format!(
                "{name}: no envelope, its contact was not calibrated"
            )),
            (_, None) => remarks.push(format!(
                "{name}: no envelope, {} good strokes reach over its range and {LEAST_STROKES} are needed ({} do not reach)",
                teacher.strokes(),
                lesson.short
            )),
        }
    }
    Ok(())
}

fn lessons(machine: &Machine) -> Vec<Lesson> {
    let judged = machine.presses.iter().filter(|p| !p.evaluations.is_empty());
    judged
        .enumerate()
        .flat_map(|(press, one)| one.evaluations.iter().map(move |e| (press, e)))
        .filter_map(|(press, evaluation)| match evaluation.demand {
            Demand::Envelope(demand) => Some(Lesson {
                press,
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
                if lesson.press == n && lesson.demand.is_for(record.context) {
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
