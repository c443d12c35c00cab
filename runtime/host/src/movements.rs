//! The movements of a recording, one by one: what calibration learns from and what `replay` shows.

use crate::error::HostError;
use crate::lines::MovementLine;
use crate::plan::PlanStore;
use std::fmt::Write as _;
use std::path::Path;
use twinstep_config::machine::Machine;
use twinstep_cycle::event::Source;
use twinstep_cycle::judge::Occasion;
use twinstep_cycle::outbox::Outbox;
use twinstep_cycle::signature::{SignatureJudge, SignaturePlan};
use twinstep_drivers::bus::{Bus, BusCause};
use twinstep_drivers::object_map::outcome;
use twinstep_drivers::recording::RecordingBus;
use twinstep_models::sample::{Context, CycleStamp, Missing};
use twinstep_models::signature::{Family, Figure, Signature};

/// Runs the judge of one axis over what is left of a recording and hands every movement on. Events are thrown away.
pub fn each(
    bus: &mut RecordingBus,
    plan: &SignaturePlan,
    mut movement: impl FnMut(CycleStamp, &Signature, &SignatureJudge),
) {
    let map = bus.object_map().clone();
    let mut image = map.image();
    let mut axes = vec![Err(Missing::NoFrame); map.axis_names().len()];
    let mut stations = vec![Err(Missing::NoFrame); map.station_count()];
    let (mut judge, mut out) = (SignatureJudge::default(), Outbox::default());
    loop {
        let result = bus.exchange(&mut image, &mut || ());
        let stamp = match &result {
            Ok(stamp) => *stamp,
            Err(fault) if fault.cause == BusCause::End => return,
            Err(fault) => fault.stamp,
        };
        map.read(&image, outcome(&result), &mut axes, &mut stations);
        let Some(sample) = axes.get(usize::from(plan.axis)) else {
            return;
        };
        let at = Occasion {
            stamp,
            source: Source::Axis(plan.axis),
            context: Context::default(),
        };
        judge.push(plan, None, &at, sample, &mut out);
        while out.pop().is_some() {}
        if let Some(signature) = judge.ended {
            movement(stamp, &signature, &judge);
        }
    }
}

/// All movements of all axes that have a signature.
///
/// # Errors
/// [`HostError::Usage`] when the recording is refused.
pub fn lines(
    machine: &Machine,
    plan: &PlanStore,
    path: &Path,
) -> Result<Vec<MovementLine>, HostError> {
    let mut lines = Vec::new();
    for plan in plan.signatures() {
        let Some(axis) = machine.axes.get(usize::from(plan.axis)) else {
            continue;
        };
        let mut bus =
            RecordingBus::open(path, machine).map_err(crate::commands::replay::refused)?;
        each(&mut bus, plan, |stamp, signature, judge| {
            let figure = |figure: Figure| signature.figures[figure as usize];
            let score = |family: Family| judge.scores().map(|scores| scores[family as usize]);
            lines.push(MovementLine {
                source: axis.name.clone(),
                cycle: stamp.cycle,
                time_ns: stamp.time_ns,
                axis_kind: axis.kind.told(),
                unit: axis.effort(),
                load: signature.load_a,
                friction: figure(Figure::Friction),
                hunting_m: figure(Figure::Hunting),
                roughness_m: figure(Figure::Roughness),
                ripple: figure(Figure::Ripple),
                unrest: figure(Figure::Unrest),
                lubrication: score(Family::Lubrication),
                backlash: score(Family::Backlash),
                spalling: score(Family::Spalling),
                evidence: plan
                    .healthy
                    .as_ref()
                    .map(|h| judge.evidence() / h.threshold),
            });
        });
    }
    Ok(lines)
}

/// One line an axis, for people; the movements themselves are in the lines of JSON.
pub fn text(lines: &[MovementLine]) -> String {
    let mut text = String::new();
    let mut rest = lines;
    while let Some(first) = rest.first() {
        let count = rest.iter().take_while(|l| l.source == first.source).count();
        let (axis, others) = rest.split_at(count);
        rest = others;
        let friction = axis.iter().map(|line| line.friction);
        let (least, most) = friction.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), f| {
            (low.min(f), high.max(f))
        });
        // Writing to a String has no way to fail.
        let _ = write!(
            text,
            "{}: {count} movements out and back, friction {least:.3} to {most:.3} {}",
            first.source, first.unit
        );
        let evidence = axis.iter().filter_map(|line| line.evidence);
        let _ = match evidence.reduce(f64::max) {
            Some(evidence) => writeln!(text, ", evidence up to {evidence:.2} of the threshold"),
            None => writeln!(text, ", not judged: no [axis.healthy]"),
        };
    }
    text
}
