//! The force curves of parts, as the presses meet them: over the way of the motor, and as currents.

use super::way_in;
use twinstep_config::machine::{ForceCurve, Machine, PartTwin, Press};
use twinstep_cycle::plan::PartCurve;
use twinstep_models::press::workpiece::{Forming, Workpiece};

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
            let known = machine.known_on(n, usize::from(part));
            let learnt = (known.by_recipe.iter())
                .map(|(recipe, learnt)| (Some(*recipe), learnt))
                .chain(known.twin.map(|learnt| (None, learnt)));
            for (recipe, learnt) in learnt {
                // The frame yields to the force that there is.
                let curve = (curve.scaled(learnt.factor.unwrap_or(1.0)))
                    .behind_a_frame(press.curve.frame_m_per_n);
                // What a checked configuration holds is no table that is refused.
                let Some(workpiece) = workpiece(&curve, 1.0 / twin.force_constant_n_per_a) else {
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
    let approach_m = press.drive_train.ram_m(press.stroke.approach_m);
    let way_m = way_in(&press.stroke) * (learnt.contact_m - approach_m);
    way_m.max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_yields_to_the_force_of_the_part_as_it_was_learnt() {
        let text = include_str!("../../../../rt-config/machines/forming-press.toml");
        let factor = |text: &str, factor: f64| {
            let from = text.find("\nfactor = ").unwrap() + 1;
            let to = from + text[from..].find('\n').unwrap();
            format!("{}factor = {factor}{}", &text[..from], &text[to..])
        };
        let softest = |text: &str| {
            let machine = twinstep_config::load(text, "forming-press.toml").unwrap();
            let kf =
                (machine.presses[0].axis.twin.as_ref()).map_or(1.0, |t| t.force_constant_n_per_a);
            let all = curves(&machine);
            assert_eq!((all[0].part, all[0].recipe), (0, None));
            // 9.5 kN at the last row, and one micrometre back from it.
            let ways: Vec<f64> = (0..2).map(|n| 0.02 - 1e-6 * f64::from(n)).collect();
            let force = |x: f64| kf * all[0].workpiece.force_n(x, 0.02);
            (force(ways[0]), (force(ways[0]) - force(ways[1])) / 1e-6)
        };
        let (most_n, elastic) = softest(&factor(text, 5.0));
        assert!((most_n - 5.0 * 9500.0).abs() < 1e-6, "{most_n}");
        // 100 N/um behind a frame of 240 N/um.
        let expected = 1.0 / (1.0 / 100e6 + 1.0 / 240e6);
        assert!(
            (elastic / expected - 1.0).abs() < 1e-6,
            "{elastic} {expected}"
        );
    }
}
