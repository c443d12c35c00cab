//! The movement signature of an axis.

use super::MAX_DWELL_S;
use crate::check::{Bounds, Check};
use crate::error::{Problem, shortened};
use crate::machine::{EffortUnit, Healthy, HealthyLoad, MAX_LOADS, SignatureSettings};
use crate::raw::{AxisTable, HealthyTable, SignatureTable};
use crate::units::{CURRENT, Dimension, FORCE};
use crate::value::Span;
use twinstep_models::blocks::Paces;

/// Longest settling time (s): beyond it no stroke is at constant speed for so long.
const MAX_SETTLE_S: f64 = 600.0;

/// Both tables; what was learnt means nothing without how it was taken.
pub(super) fn signature(
    raw: &AxisTable,
    effort: EffortUnit,
    check: &mut Check,
) -> (Option<SignatureSettings>, Option<Healthy>) {
    if raw.healthy.is_some() && raw.signature.is_none() {
        check.problem(
            &raw.name.span,
            format!(
                "[axis.healthy] of {} needs [axis.signature]",
                shortened(&raw.name.value)
            ),
            "has no [axis.signature]",
            "add [axis.signature] with `screw_lead` and `settle`, as it was when the axis was calibrated",
        );
    }
    (
        raw.signature.as_ref().map(|raw| settings(raw, check)),
        raw.healthy.as_ref().map(|raw| healthy(raw, effort, check)),
    )
}

fn settings(raw: &SignatureTable, check: &mut Check) -> SignatureSettings {
    SignatureSettings {
        screw_lead_m: check.si("screw_lead", &raw.screw_lead, Bounds::up_to(100.0)),
        settle_s: check.si("settle", &raw.settle, Bounds::between(0.0, MAX_SETTLE_S)),
    }
}

fn healthy(raw: &HealthyTable, effort: EffortUnit, check: &mut Check) -> Healthy {
    let effort: &Dimension = match effort {
        EffortUnit::Ampere => &CURRENT,
        EffortUnit::Newton => &FORCE,
    };
    let positive = Bounds::positive();
    let loads = &raw.load.value;
    if loads.is_empty() || loads.len() > MAX_LOADS {
        check.problems.push(Problem::new(
            &raw.load.span,
            format!(
                "{} loads, and an axis can have 1 to {MAX_LOADS}",
                loads.len()
            ),
            "not 1 to 8 of them",
            "calibrate with fewer loads",
        ));
    }
    Healthy {
        movements: raw.movements.value,
        degrees_of_freedom: check.si(
            "degrees_of_freedom",
            &raw.degrees_of_freedom,
            Bounds::between(1.0, 1e6),
        ),
        movement_time_s: check.si(
            "movement_time",
            &raw.movement_time,
            Bounds::up_to(MAX_DWELL_S),
        ),
        load_sigma_a: check.si_of("load_sigma", &raw.load_sigma, effort, positive),
        figure_sigmas: [
            check.si_of("friction_sigma", &raw.friction_sigma, effort, positive),
            check.si("hunting_sigma", &raw.hunting_sigma, positive),
            check.si("roughness_sigma", &raw.roughness_sigma, positive),
            check.si("ripple_sigma", &raw.ripple_sigma, positive),
            check.si("unrest_sigma", &raw.unrest_sigma, positive),
        ],
        family_sigmas: [
            check.si("lubrication_sigma", &raw.lubrication_sigma, positive),
            check.si("backlash_sigma", &raw.backlash_sigma, positive),
            check.si("spalling_sigma", &raw.spalling_sigma, positive),
        ],
        loads: loads
            .iter()
            .map(|raw| HealthyLoad {
                load_a: check.si_of("load", &raw.load, effort, Bounds::any()),
                figures: [
                    check.si_of("friction", &raw.friction, effort, Bounds::any()),
                    check.si("hunting", &raw.hunting, Bounds::not_negative()),
                    check.si("roughness", &raw.roughness, Bounds::not_negative()),
                    check.si_of("ripple", &raw.ripple, effort, Bounds::not_negative()),
                    check.si_of("unrest", &raw.unrest, effort, Bounds::not_negative()),
                ],
            })
            .collect(),
        speeds: speeds(raw, check),
    }
}

/// Speeds of the movements: both ends, or none.
fn speeds(raw: &HealthyTable, check: &mut Check) -> Option<Paces> {
    let mut wrong = |span: &Span, message: &str, label: &str| {
        check.problem(
            span,
            message,
            label,
            "run `twinstep calibrate` again, or leave both out to judge at any speed",
        );
    };
    match (&raw.slowest, &raw.fastest) {
        (Some(slowest), Some(fastest)) => {
            let bounds = Bounds::not_negative();
            let paces = Paces {
                least: check.si("slowest", slowest, bounds),
                most: check.si("fastest", fastest, bounds),
            };
            if paces.least > paces.most {
                check.problem(
                    &fastest.span,
                    format!(
                        "`fastest` is {}, below `slowest`, {}",
                        fastest.scalar.shown(),
                        slowest.scalar.shown()
                    ),
                    "nothing is between them",
                    "run `twinstep calibrate` again, or leave both out to judge at any speed",
                );
            }
            Some(paces)
        }
        (None, None) => None,
        (Some(one), None) => {
            wrong(&one.span, "`slowest` needs `fastest` beside it", "alone");
            None
        }
        (None, Some(one)) => {
            wrong(&one.span, "`fastest` needs `slowest` beside it", "alone");
            None
        }
    }
}
