//! How the strokes of the presses are judged: from the configuration's evaluations to the cycle's objects.

use crate::plan::way_in;
use twinstep_config::machine::{Demand, EffortUnit, Machine, Press};
use twinstep_cycle::press::{ForceFrom, PressPlan};
use twinstep_models::press::curve::Sampling;
use twinstep_models::press::evaluate::{Object, Shape};
use twinstep_models::press::frame::Frame;
use twinstep_models::press::ram::Ram;
use twinstep_models::press::stroke::StrokeParams;

/// Way back, in steps of the curve, after which the ram is on its way back.
const TURN_STEPS: f64 = 4.0;
/// Share of the velocity limit below which the ram stands: friction takes any part of the force then.
const STANDSTILL_SHARE: f64 = 0.002;

/// The objects of a press that can be judged, each with its name: an envelope only once it is taught.
pub fn judged(machine: &Machine, press: &Press) -> Vec<(String, Object)> {
    let object = |demand: &Demand| match demand {
        Demand::Object(object) => Some(*object),
        Demand::Envelope(demand) => {
            let part = machine.parts.get(usize::from(demand.part))?;
            let twin = match demand.recipe {
                Some(recipe) => part.twin_of_recipe(recipe),
                None => part.twin.as_ref(),
            };
            Some(Object {
                shape: Shape::Envelope(twin?.envelope?),
                reference: demand.reference,
                branch: demand.branch,
                part: Some(demand.part),
                recipe: demand.recipe,
            })
        }
    };
    (press.evaluations.iter())
        .filter_map(|one| Some((one.name.clone(), object(&one.demand)?)))
        .collect()
}

/// Presses whose strokes are judged, and the objects of all of them.
pub fn presses(machine: &Machine) -> (Vec<PressPlan>, Vec<Object>) {
    let (mut plans, mut objects) = (Vec::new(), Vec::new());
    for (n, press) in machine.presses.iter().enumerate() {
        if press.evaluations.is_empty() {
            continue;
        }
        let first_object = objects.len();
        objects.extend(judged(machine, press).into_iter().map(|(_, object)| object));
        plans.push(PressPlan {
            // There are at most 1024 axes and presses.
            axis: (machine.axes.len() + n) as u16,
            force: force_from(press),
            ram: ram(press),
            direction: way_in(&press.stroke),
            standstill_m_per_s: STANDSTILL_SHARE * press.axis.motion.velocity_m_per_s,
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
