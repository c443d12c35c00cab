//! What a press meets: contact and stiffness of every part that was pressed in the recordings.

use crate::plan::{axis_params, way_in};
use twinstep_config::machine::{Machine, PartTwin};
use twinstep_drivers::recording::Recording;
use twinstep_models::axis::load::HALF_WIDTH;
use twinstep_models::identify::fit_contact;

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
    let mut samples = vec![Vec::new(); machine.parts.len()];
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
            let part = usize::from(recording.context[k].part);
            if let Some(list) = samples
                .get_mut(part)
                .filter(|_| sample.0.is_finite() && sample.1.is_finite())
            {
                list.push(sample);
            }
        }
    }
    let pressed = machine
        .recipes
        .first()
        .map(|recipe| recipe.parts.clone())
        .unwrap_or_default();
    for (number, (part, samples)) in machine.parts.iter_mut().zip(&samples).enumerate() {
        match fit_contact(samples, direction).filter(|_| samples.len() >= LEAST) {
            Some(fit) => {
                let envelope = part.twin.and_then(|twin| twin.envelope);
                part.twin = Some(PartTwin {
                    envelope,
                    contact_m: fit.contact_m,
                    stiffness_n_per_m: fit.stiffness_a_per_m * kf,
                });
            }
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
