//! Force curves of parts: a table, or a press fit.

use crate::check::{Bounds, Check};
use crate::machine::{ForceCurve, MAX_ELASTIC_N_PER_M};
use crate::raw::{PartTable, PressFitTable};
use crate::units::{FORCE, LENGTH};
use twinstep_models::press::workpiece::{MAX_NODES, PressFit};

/// The table of `force` with its elastic return.
pub(super) fn force_curve(raw: &PartTable, check: &mut Check) -> Option<ForceCurve> {
    let rows = raw.force.as_ref()?;
    let count = rows.value.len();
    if !(2..=MAX_NODES).contains(&count) {
        check.problem(
            &rows.span,
            format!("`force` has {count} rows, and it takes 2 to {MAX_NODES}"),
            "not as many",
            "write [[\"0mm\", \"0kN\"], [\"1.5mm\", \"3kN\"], ...]: way behind `contact` and force",
        );
        return None;
    }
    let (mut ways_m, mut forces_n) = (Vec::new(), Vec::new());
    for row in &rows.value {
        let [way, force] = row.value.as_slice() else {
            check.problem(
                &row.span,
                format!("this row has {} values, and needs two", row.value.len()),
                "not two values",
                "write [way behind `contact`, force]",
            );
            return None;
        };
        ways_m.push(check.si_of("force", way, &LENGTH, Bounds::not_negative()));
        forces_n.push(check.si_of("force", force, &FORCE, Bounds::not_negative()));
    }
    let first = rows.value.first()?;
    if ways_m.first().is_some_and(|way| *way > 0.0) {
        check.problem(
            &first.span,
            "row 1 of `force`: expected the way 0, where `contact` is",
            "begins behind the contact",
            "begin with [\"0mm\", ...]; `contact` says where that is",
        );
        return None;
    }
    for (n, row) in rows.value.iter().enumerate().skip(1) {
        if ways_m[n] <= ways_m[n - 1] {
            check.problem(
                &row.span,
                format!(
                    "row {} of `force`: expected a way beyond that of the row before",
                    n + 1
                ),
                "must rise",
                "sort the rows by their way behind `contact`",
            );
            return None;
        }
    }
    if forces_n.iter().all(|force| *force == 0.0) {
        check.problem(
            &rows.span,
            "`force` is 0 in all rows: no part answers like this",
            "no force",
            "give the force of the part at its ways, or leave the part out",
        );
        return None;
    }
    let Some(elastic) = &raw.elastic else {
        check.problem(
            &rows.span,
            "`force` needs `elastic`, the stiffness with which the workpiece springs back",
            "no elastic return",
            "add for example `elastic = \"20kN/mm\"`",
        );
        return None;
    };
    let curve = ForceCurve {
        ways_m,
        forces_n,
        elastic_n_per_m: check.si("elastic", elastic, Bounds::up_to(MAX_ELASTIC_N_PER_M)),
    };
    let steepest = curve.steepest_n_per_m();
    if curve.elastic_n_per_m < steepest {
        check.problem(
            &elastic.span,
            format!(
                "`elastic` is {}, and `force` rises by {:.0}N/mm: more would come back than was put in",
                elastic.scalar.shown(),
                steepest / 1e3
            ),
            "softer than the way in",
            "raise it to the stiffness of the finished workpiece",
        );
        return None;
    }
    // What could not be read was reported.
    let read = (curve
        .ways_m
        .iter()
        .chain(&curve.forces_n)
        .chain([&curve.elastic_n_per_m]))
    .all(|x| x.is_finite());
    read.then_some(curve)
}

/// The curve of a pin in a hub. One that is stiffer than what counts as rigid cannot be pressed in by any press.
pub(super) fn curve_of_fit(raw: &PressFitTable, check: &mut Check) -> Option<ForceCurve> {
    let curve = ForceCurve::of_press_fit(&press_fit(raw, check)?);
    if curve.elastic_n_per_m > MAX_ELASTIC_N_PER_M {
        check.problem(
            &raw.friction.span,
            format!(
                "the force of this fit rises by {:.0}N/mm, and at most {:.0}N/mm count as anything but rigid",
                curve.steepest_n_per_m() / 1e3,
                MAX_ELASTIC_N_PER_M / 1e3
            ),
            "no press presses this in",
            "check `interference`, `friction`, `modulus` and `joint_radius`",
        );
        return None;
    }
    Some(curve)
}

/// A pin in a hub, from its table.
fn press_fit(raw: &PressFitTable, check: &mut Check) -> Option<PressFit> {
    let joint_radius_m = check.si("joint_radius", &raw.joint_radius, Bounds::up_to(1.0));
    let fit = PressFit {
        contact_m: 0.0,
        joint_radius_m,
        hub_radius_m: check.si("hub_radius", &raw.hub_radius, Bounds::up_to(10.0)),
        interference_m: check.si(
            "interference",
            &raw.interference,
            Bounds::up_to(if joint_radius_m > 0.0 {
                0.01 * joint_radius_m
            } else {
                0.01
            }),
        ),
        modulus_pa: check.si("modulus", &raw.modulus, Bounds::up_to(2e12)),
        friction: check.si("friction", &raw.friction, Bounds::up_to(2.0)),
        shoulder_m: check.si("shoulder", &raw.shoulder, Bounds::up_to(1.0)),
        seating_n_per_m: check.si(
            "seating",
            &raw.seating,
            Bounds::between(0.0, MAX_ELASTIC_N_PER_M),
        ),
    };
    if fit.hub_radius_m <= fit.joint_radius_m {
        check.problem(
            &raw.hub_radius.span,
            format!(
                "`hub_radius` is {}, and the joint in it has {}",
                raw.hub_radius.scalar.shown(),
                raw.joint_radius.scalar.shown()
            ),
            "no larger than the joint",
            "give the outer radius of the hub; `joint_radius` is that of the pin",
        );
        return None;
    }
    let all = [
        fit.joint_radius_m,
        fit.hub_radius_m,
        fit.interference_m,
        fit.modulus_pa,
        fit.friction,
        fit.shoulder_m,
        fit.seating_n_per_m,
    ];
    all.iter().all(|x| x.is_finite()).then_some(fit)
}
