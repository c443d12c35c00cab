//! What a violation says, and what may be behind it.

use super::StrokeRecord;
use twinstep_models::cause::Cause;
use twinstep_models::press::cause::{Missed, Residual, Signs, rank};
use twinstep_models::press::evaluate::{Side, Unit, Violation};
use twinstep_models::rank::Ranking;

/// What a violation points to.
pub(super) fn cause_of(v: &Violation) -> Cause {
    match missed(v) {
        Missed::High => Cause::StrokeForceHigh,
        Missed::Low => Cause::StrokeForceLow,
        Missed::Travel => Cause::StrokeTravel,
    }
}

fn missed(v: &Violation) -> Missed {
    match (v.side, v.unit) {
        (Some(Side::Top), Unit::Newton | Unit::Joule | Unit::NewtonPerMetre) => Missed::High,
        (Some(Side::Bottom), Unit::Newton | Unit::Joule | Unit::NewtonPerMetre) => Missed::Low,
        _ => Missed::Travel,
    }
}

/// What may be behind a stroke; `common_n` is what all of its way in shares of the residual (N). None where it is OK.
pub(super) fn behind(record: &StrokeRecord, common_n: f64) -> Option<Ranking> {
    let (_, violation) = record.verdict.first?;
    let residual = record.residual.map(|r| Residual {
        measured_n: r.measured_n,
        predicted_n: r.predicted_n,
        common_n,
    });
    Some(rank(&Signs {
        missed: missed(&violation),
        met: record.features.totals.contact_m.is_some(),
        residual,
    }))
}
