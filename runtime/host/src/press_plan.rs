//! How the strokes of the presses are judged: from the configuration's evaluations to the cycle's objects.

use crate::plan::way_in;
use twinstep_config::machine::{Demand, EffortUnit, EnvelopeDemand, Evaluation, Machine, Press};
use twinstep_cycle::press::{ForceFrom, PressPlan};
use twinstep_models::press::curve::Sampling;
use twinstep_models::press::evaluate::envelope::Envelope;
use twinstep_models::press::evaluate::{Object, Shape};
use twinstep_models::press::frame::Frame;
use twinstep_models::press::ram::Ram;
use twinstep_models::press::stroke::StrokeParams;

/// Way back, in steps of the curve, after which the ram is on its way back.
const TURN_STEPS: f64 = 4.0;
/// Share of the velocity limit below which the ram stands: friction takes any part of the force then.
const STANDSTILL_SHARE: f64 = 0.002;

/// The objects of press `n` that can be judged, each with its name: an envelope only once it is taught.
pub fn judged(machine: &Machine, n: usize) -> Vec<(String, Object)> {
    let object = |demand: &Demand| match demand {
        Demand::Object(object) => Some(*object),
        Demand::Envelope(demand) => Some(Object {
            shape: Shape::Envelope(taught(machine, n, demand)?),
            reference: demand.reference,
            branch: demand.branch,
            part: Some(demand.part),
            recipe: demand.recipe,
        }),
    };
    (evaluations(machine, n))
        .filter_map(|one| Some((one.name.clone(), object(&one.demand)?)))
        .collect()
}

/// The envelopes of press `n` that are not taught yet, each with its name: they judge no stroke.
pub fn not_taught(machine: &Machine, n: usize) -> Vec<(String, EnvelopeDemand)> {
    (evaluations(machine, n))
        .filter_map(|one| match &one.demand {
            Demand::Envelope(demand) if taught(machine, n, demand).is_none() => {
                Some((one.name.clone(), *demand))
            }
            Demand::Envelope(_) | Demand::Object(_) => None,
        })
        .collect()
}

fn evaluations(machine: &Machine, n: usize) -> impl Iterator<Item = &Evaluation> {
    (machine.presses.get(n).into_iter()).flat_map(|press| &press.evaluations)
}

/// The band that press `n` was taught itself: that of another press has its frame and its zero in it.
fn taught(machine: &Machine, n: usize, demand: &EnvelopeDemand) -> Option<Envelope> {
    let learnt = machine.learnt_on(n, usize::from(demand.part));
    learnt.of(demand.recipe)?.envelope
}

/// What a person is told of an envelope that is not taught.
pub fn not_taught_text(press: &str, object: &str) -> String {
    format!(
        "{press}: the envelope {object} is not taught, and judges no stroke; record good strokes and teach it: \
         twinstep calibrate CONFIG RECORDING... --write"
    )
}

/// Presses whose strokes are judged, and the objects of all of them.
pub fn presses(machine: &Machine) -> (Vec<PressPlan>, Vec<Object>) {
    let (mut plans, mut objects) = (Vec::new(), Vec::new());
    for (n, press) in machine.presses.iter().enumerate() {
        if press.evaluations.is_empty() {
            continue;
        }
        let first_object = objects.len();
        objects.extend(judged(machine, n).into_iter().map(|(_, object)| object));
        plans.push(PressPlan {
            // There are at most 1024 axes and presses.
            axis: (machine.axes.len() + n) as u16,
            force: force_from(press),
            ram: ram(press),
            direction: way_in(&press.stroke),
            standstill_m_per_s: standstill_m_per_s(press),
            stroke: StrokeParams {
                begin_m: way_in(&press.stroke) * press.curve.begin_m,
                turn_m: TURN_STEPS * press.curve.step_m,
                contact_n: press.curve.contact_n,
            },
            sampling: Sampling {
                step_m: press.curve.step_m,
                step_n: press.curve.step_n,
                step_samples: f64::INFINITY,
            },
            frame: Frame {
                compliance_m_per_n: press.curve.frame_m_per_n,
            },
            tare: press.curve.tare,
            first_object,
            objects: objects.len() - first_object,
        });
    }
    (plans, objects)
}

/// Below this velocity (m/s) the axis of a press stands.
pub(crate) fn standstill_m_per_s(press: &Press) -> f64 {
    STANDSTILL_SHARE * press.axis.motion.velocity_m_per_s
}

/// Where the force on the ram is taken from.
pub fn force_from(press: &Press) -> ForceFrom {
    match (&press.axis.twin, press.axis.effort_unit) {
        (Some(_), _) => ForceFrom::Load,
        (None, EffortUnit::Ampere) => ForceFrom::Current,
        (None, EffortUnit::Newton) => ForceFrom::Sensor,
    }
}

/// From the axis to the ram.
fn ram(press: &Press) -> Ram {
    let train = &press.drive_train;
    let mut ram = Ram::screw(force_constant(press));
    ram.linkage = train.linkage;
    ram.motor.efficiency = train.efficiency;
    ram.motor.efficiency_back = train.efficiency_back;
    if press.axis.twin.is_none() {
        // The gravity of a twin is what was left of the weight when it was calibrated: the counterbalance is in it.
        ram.counterbalance = train.counterbalance;
    }
    ram
}

/// Force of the axis per current (N/A): the twin's, else that of drive and lead; 1 where a recording holds a force.
fn force_constant(press: &Press) -> f64 {
    match (&press.axis.twin, press.axis.effort_unit) {
        (Some(twin), _) => twin.force_constant_n_per_a,
        (None, EffortUnit::Newton) => 1.0,
        (None, EffortUnit::Ampere) => {
            let drive = &press.axis.drive;
            2.0 * std::f64::consts::PI * drive.torque_constant_nm_per_a / drive.feed_m_per_rev
        }
    }
}
