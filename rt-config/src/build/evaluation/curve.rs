//! How the force over the travel is taken, and the bands that were taught.

use super::pairs::pair;
use crate::check::{Bounds, Check};
use crate::machine::{Curve, Stroke};
use crate::raw::{CurveTable, EnvelopeTable};
use crate::value::{At, Force, Quantity};
use twinstep_models::press::evaluate::envelope::{Envelope, NODES};
use twinstep_models::press::tare::TareParams;

/// Points over the way from `begin` to `bottom`, unless `step` is given.
const POINTS: f64 = 1000.0;
/// Force of contact unless given (N).
const CONTACT_N: f64 = 50.0;

/// What is taken where [press.curve] says nothing.
pub(in crate::build) fn default_curve(stroke: &Stroke) -> Curve {
    Curve {
        begin_m: stroke.approach_m,
        step_m: (stroke.bottom_m - stroke.approach_m).abs() / POINTS,
        step_n: f64::INFINITY,
        contact_n: CONTACT_N,
        frame_m_per_n: 0.0,
        tare: None,
    }
}

pub(super) fn curve(raw: &CurveTable, stroke: &Stroke, check: &mut Check) -> Curve {
    let begin_m = check.si_or(
        "begin",
        raw.begin.as_ref(),
        Bounds::any(),
        stroke.approach_m,
    );
    if let Some(begin) = &raw.begin
        && (begin_m >= stroke.bottom_m || begin_m < stroke.top_m)
    {
        check.problem(
            &begin.span,
            format!(
                "`begin` is {}, and the stroke goes from {}m to {}m",
                begin.scalar.shown(),
                stroke.top_m,
                stroke.bottom_m
            ),
            "outside the stroke",
            "put it between `top` and `bottom` of [press.stroke]",
        );
    }
    let frame = check.si_or(
        "frame_stiffness",
        raw.frame_stiffness.as_ref(),
        Bounds::positive(),
        f64::INFINITY,
    );
    let contact_n = check.si_or(
        "contact_force",
        raw.contact_force.as_ref(),
        Bounds::positive(),
        CONTACT_N,
    );
    Curve {
        begin_m,
        step_m: check.si_or(
            "step",
            raw.step.as_ref(),
            Bounds::positive(),
            (stroke.bottom_m - begin_m).abs() / POINTS,
        ),
        step_n: check.si_or(
            "force_step",
            raw.force_step.as_ref(),
            Bounds::positive(),
            f64::INFINITY,
        ),
        contact_n,
        frame_m_per_n: 1.0 / frame,
        tare: tare(raw, begin_m, stroke.bottom_m, contact_n, check),
    }
}

/// The free part of the way in.
fn tare(
    raw: &CurveTable,
    begin_m: f64,
    bottom_m: f64,
    contact_n: f64,
    check: &mut Check,
) -> Option<TareParams> {
    let limit_n = check.si_or(
        "tare_limit",
        raw.tare_limit.as_ref(),
        Bounds::positive(),
        contact_n,
    );
    let Some(range) = &raw.tare else {
        if let Some(limit) = &raw.tare_limit {
            check.problem(
                &limit.span,
                "`tare_limit` has no meaning without `tare`",
                "not used",
                "leave it out, or add the free part of the way in: `tare = [\"148.5mm\", \"149.5mm\"]`",
            );
        }
        return None;
    };
    let range_m = pair("tare", Some(range), check)?;
    if range_m[0] < begin_m || range_m[1] >= bottom_m {
        check.problem(
            &range.span,
            format!(
                "`tare` goes from {}m to {}m, and a stroke is seen from {begin_m}m to {bottom_m}m",
                range_m[0], range_m[1]
            ),
            "outside the stroke",
            "put it between `begin` of [press.curve], `approach` of [press.stroke] unless given, and the first contact of any part",
        );
    }
    Some(TareParams { range_m, limit_n })
}

/// The band that calibration wrote.
pub(in crate::build) fn taught(raw: &EnvelopeTable, check: &mut Check) -> Envelope {
    let mut nodes = |key: &str, raw: &At<Vec<Quantity<Force>>>| {
        let mut forces = [f64::NAN; NODES];
        if raw.value.len() != NODES {
            check.problem(
                &raw.span,
                format!(
                    "`{key}` has {} forces, and an envelope has {NODES}",
                    raw.value.len()
                ),
                "not as many",
                "teach it again with `twinstep calibrate`",
            );
        }
        for (force, raw) in forces.iter_mut().zip(&raw.value) {
            *force = check.si(key, raw, Bounds::any());
        }
        forces
    };
    let (lower_n, upper_n) = (nodes("lower", &raw.lower), nodes("upper", &raw.upper));
    let (x_min_m, x_max_m) = (
        check.si("from", &raw.from, Bounds::any()),
        check.si("to", &raw.to, Bounds::any()),
    );
    if x_max_m <= x_min_m {
        check.problem(
            &raw.to.span,
            "`to` is not beyond `from`",
            "no range",
            "teach it again with `twinstep calibrate`",
        );
    }
    if lower_n
        .iter()
        .zip(&upper_n)
        .any(|(lower, upper)| lower > upper)
    {
        check.problem(
            &raw.upper.span,
            "a force of `upper` is below its force of `lower`",
            "no band",
            "teach it again with `twinstep calibrate`",
        );
    }
    Envelope {
        x_min_m,
        x_max_m,
        lower_n,
        upper_n,
    }
}
