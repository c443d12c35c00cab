//! The force curves of parts, as the presses meet them: over the way of the motor, and as currents.

use super::way_in;
use twinstep_config::machine::{ForceCurve, Machine, PartTwin, Press};
use twinstep_cycle::plan::PartCurve;
use twinstep_models::press::workpiece::{Forming, Workpiece};

/// A curve over the way that the motor makes: the frame yields by force times `compliance` (m/N), so that way and spring are softer.
pub(crate) fn behind_a_frame(curve: &ForceCurve, compliance: f64) -> ForceCurve {
    let rows = curve.ways_m.iter().zip(&curve.forces_n);
    ForceCurve {
        ways_m: rows.map(|(way, force)| way + compliance * force).collect(),
        forces_n: curve.forces_n.clone(),
        elastic_n_per_m: 1.0 / (1.0 / curve.elastic_n_per_m + compliance),
    }
}

/// What presses with a twin meet of parts that have a curve and were calibrated.
pub(super) fn curves(machine: &Machine) -> Vec<PartCurve> {
    let mut curves = Vec::new();
    for (n, press) in machine.presses.iter().enumerate() {
        let Some(twin) = &press.axis.twin else {
            continue;
        };
        for (part, one) in (0_u8..).zip(&machine.parts) {
            let Some(curve) = &one.curve else {
                continue;
            };
            let curve = behind_a_frame(curve, press.curve.frame_m_per_n);
            let learnt = (one.by_recipe.iter())
                .map(|(recipe, learnt)| (Some(*recipe), learnt))
                .chain(one.twin.iter().map(|learnt| (None, learnt)));
            for (recipe, learnt) in learnt {
                let per_n = learnt.factor.unwrap_or(1.0) / twin.force_constant_n_per_a;
                // What a checked configuration holds is no table that is refused.
                let Some(workpiece) = workpiece(&curve, per_n) else {
                    continue;
                };
                curves.push(PartCurve {
                    // There are at most 1024 axes and presses.
                    axis: (machine.axes.len() + n) as u16,
                    part,
                    recipe,
                    workpiece,
                    clear_m: clear_m(press, learnt),
                });
            }
        }
    }
    curves
}

/// The curve as currents, `per_n` being the current of a force (A/N).
fn workpiece(curve: &ForceCurve, per_n: f64) -> Option<Workpiece> {
    let currents_a: Vec<f64> = curve.forces_n.iter().map(|force| force * per_n).collect();
    let table = Forming::new(&curve.ways_m, &currents_a, curve.elastic_n_per_m * per_n);
    table.ok().map(Workpiece::Forming)
}

/// Way from the contact back to where the next part is put in (m): a contact that was found before the end of the approach is out of it at
/// once.
fn clear_m(press: &Press, learnt: &PartTwin) -> f64 {
    let way_m = way_in(&press.stroke) * (learnt.contact_m - press.stroke.approach_m);
    way_m.max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_makes_way_and_spring_softer() {
        let rigid = ForceCurve {
            ways_m: vec![0.0, 1e-3, 2e-3],
            forces_n: vec![100.0, 3000.0, 2000.0],
            elastic_n_per_m: 2e7,
        };
        let near = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-12;
        assert_eq!(behind_a_frame(&rigid, 0.0).ways_m, rigid.ways_m);
        let soft = behind_a_frame(&rigid, 1e-8);
        assert!(near(soft.ways_m[0], 1e-6) && near(soft.ways_m[1], 1.03e-3));
        assert!(near(soft.ways_m[2], 2.02e-3));
        assert_eq!(soft.forces_n, rigid.forces_n);
        assert!(near(soft.elastic_n_per_m, 1.0 / 6e-8));
    }
}
