//! Figures of movements: baselines and paces, in all contexts or in one.

use crate::check::{Bounds, Check};
use crate::machine::{
    AxisTwin, FigureLaw, FigureOf, MAX_CONTEXT_BASES, RegimeBaseline, RegimePaces,
};
use crate::raw::{BaselineTable, PaceTable, TwinTable};
use crate::units::{ACCELERATION, Dimension, VELOCITY};
use crate::value::At;
use std::collections::BTreeSet;
use twinstep_models::blocks::{Feature, Paces};
use twinstep_models::rest::{Rested, STAGES, STAGES_S};
use twinstep_models::sample::{FACTOR_NAMES, FACTORS, Only};

/// The names of recipes, tools, loads and bands of the temperature.
type Names = [Vec<String>; FACTORS];

/// Baselines, in the unit of the axis' effort.
pub(super) fn baselines(
    raw: &[BaselineTable],
    effort: &'static Dimension,
    names: &Names,
    check: &mut Check,
) -> Vec<RegimeBaseline> {
    let all: Vec<RegimeBaseline> = (raw.iter())
        .map(|one| one_baseline(one, effort, names, check))
        .collect();
    for of in FigureOf::ALL {
        for stage in (0..STAGES).map(|stage| stage as u8) {
            let rows = raw.iter().zip(&all);
            let rows = rows.filter(|(_, one)| one.of == of && one.stage == stage);
            unique(rows.map(|(raw, _)| (&raw.regime, of_baseline(raw))), check);
        }
    }
    all
}

/// What a row names: recipe, tool, load and temperature.
type Of<'a> = [Option<&'a At<String>>; FACTORS];

fn of_baseline(row: &BaselineTable) -> Of<'_> {
    [&row.recipe, &row.tool, &row.load, &row.temperature].map(Option::as_ref)
}

fn of_pace(row: &PaceTable) -> Of<'_> {
    [&row.recipe, &row.tool, &row.load, &row.temperature].map(Option::as_ref)
}

/// Reports rows of the same regime in the same context, or in all of them.
fn unique<'a>(rows: impl Iterator<Item = (&'a At<String>, Of<'a>)> + Clone, check: &mut Check) {
    let named = |of: Of<'a>| of.map(|one| one.map(|name| name.value.as_str()));
    let contexts: BTreeSet<[Option<&str>; FACTORS]> =
        rows.clone().map(|(_, of)| named(of)).collect();
    for context in contexts {
        let same = rows.clone().filter(|(_, of)| named(*of) == context);
        let what = match context {
            [None, None, None, None] => "regimes",
            [Some(_), None, None, None] => "regimes of one recipe",
            _ => "regimes of one context",
        };
        check.unique(what, same.map(|(regime, _)| regime));
    }
}

/// The context of a row.
fn only(of: Of<'_>, names: &Names, check: &mut Check) -> Only {
    let mut found = [None; FACTORS];
    for (((to, of), what), names) in found.iter_mut().zip(of).zip(FACTOR_NAMES).zip(names) {
        let Some(name) = of else { continue };
        match names.iter().position(|known| *known == name.value) {
            // Longer lists are refused elsewhere, so the index of an accepted machine fits.
            Some(index) => *to = Some(u8::try_from(index).unwrap_or(u8::MAX)),
            None => {
                let known: Vec<&str> = names.iter().map(String::as_str).collect();
                check.unknown(what, name, &known);
            }
        }
    }
    Only::from_factors(found)
}

/// Refuses rows for more contexts than the cycle knows of one axis.
pub(super) fn bounds(raw: &TwinTable, twin: &AxisTwin, check: &mut Check) {
    let baselines = raw.baseline.iter().flat_map(of_baseline);
    let named = baselines.chain(raw.pace.iter().flat_map(of_pace));
    if let Some(last) = named.flatten().last() {
        let contexts = twin.contexts();
        let of_recipes = |only: &Only| only.named() == 1;
        let what = if contexts.iter().all(of_recipes) {
            "recipes in which an axis has rows of its own"
        } else {
            "contexts in which an axis has rows of its own"
        };
        check.at_most(&last.span, what, contexts.len(), MAX_CONTEXT_BASES);
    }
}

fn one_baseline(
    one: &BaselineTable,
    effort: &'static Dimension,
    names: &Names,
    check: &mut Check,
) -> RegimeBaseline {
    let channels = FigureOf::ALL.map(FigureOf::name);
    let of = one.channel.as_ref().map_or(FigureOf::default(), |channel| {
        let found = FigureOf::ALL.iter().find(|of| of.name() == channel.value);
        found.copied().unwrap_or_else(|| {
            check.unknown("channel with a baseline", channel, &channels);
            FigureOf::default()
        })
    });
    let regimes = Feature::ALL.map(Feature::name);
    let judged: Vec<&str> = match of {
        FigureOf::CurrentLoad => (regimes.into_iter())
            .chain(Rested::ALL.map(Rested::name))
            .collect(),
        // A gap is a surprise, and no disturbance that lasts.
        FigureOf::Disturbance => (regimes.into_iter())
            .filter(|r| *r != Feature::Reversal.name())
            .collect(),
        FigureOf::Ripple => regimes.iter().take(2).copied().collect(),
    };
    if !judged.contains(&one.regime.value.as_str()) {
        check.unknown("judged regime", &one.regime, &judged);
    }
    // A ripple is a size, and is judged by its logarithm.
    let mean = match of {
        FigureOf::Ripple => Bounds::positive(),
        FigureOf::CurrentLoad | FigureOf::Disturbance => Bounds::any(),
    };
    RegimeBaseline {
        of,
        regime: one.regime.value.clone(),
        only: only(of_baseline(one), names, check),
        stage: stage_of(one, check),
        mean_a: check.si_of("mean", &one.mean, effort, mean),
        sigma_a: check.si_of("sigma", &one.sigma, effort, Bounds::positive()),
        law: law(one, check),
    }
}

/// The stage of a row of rests.
fn stage_of(one: &BaselineTable, check: &mut Check) -> u8 {
    let Some(rest) = &one.rest else { return 0 };
    let rest_s = check.si("rest", rest, Bounds::positive());
    let of_rests = Rested::ALL
        .iter()
        .any(|rested| rested.name() == one.regime.value);
    let found = (STAGES_S.iter().zip(0..).skip(1)).find(|(begins_s, _)| **begins_s == rest_s);
    match found {
        Some((_, stage)) if of_rests => stage,
        _ => {
            check.problem(
                &rest.span,
                "`rest` is 1s, 2s, 4s, 8s or 16s, in rows of standstill_positive and standstill_negative",
                "this is another time, or the regime is none of them",
                "run `twinstep calibrate` again, or leave the row out: at rest for so long the axis is not judged then",
            );
            0
        }
    }
}

/// Paces at which they were learnt.
pub(super) fn paces(raw: &[PaceTable], names: &Names, check: &mut Check) -> Vec<RegimePaces> {
    let rows = raw.iter();
    unique(rows.map(|one| (&one.regime, of_pace(one))), check);
    (raw.iter())
        .map(|one| one_pace(one, names, check))
        .collect()
}

fn one_pace(one: &PaceTable, names: &Names, check: &mut Check) -> RegimePaces {
    let regimes = Feature::ALL.map(Feature::name);
    if !regimes.contains(&one.regime.value.as_str()) {
        check.unknown("judged regime", &one.regime, &regimes);
    }
    let dimension = if one.regime.value == Feature::Acceleration.name() {
        &ACCELERATION
    } else {
        &VELOCITY
    };
    let bounds = Bounds::not_negative();
    let least = check.si_of("least", &one.least, dimension, bounds);
    let most = check.si_of("most", &one.most, dimension, bounds);
    if least > most {
        check.problem(
            &one.most.span,
            format!(
                "`most` is {}, below `least`, {}",
                one.most.scalar.shown(),
                one.least.scalar.shown()
            ),
            "nothing is between them",
            "run `twinstep calibrate` again, or leave the table out to judge at any pace",
        );
    }
    RegimePaces {
        regime: one.regime.value.clone(),
        only: only(of_pace(one), names, check),
        paces: Paces { least, most },
    }
}

/// The law of a figure: all of its keys, or none.
fn law(one: &BaselineTable, check: &mut Check) -> Option<FigureLaw> {
    let count = Bounds::between(1.0, 1e9);
    match (&one.degrees_of_freedom, &one.figures, &one.record) {
        (Some(freedom), Some(figures), Some(record)) => Some(FigureLaw {
            freedom: check.si("degrees_of_freedom", freedom, count),
            figures: check.si("figures", figures, count),
            record_s: check.si("record", record, Bounds::positive()),
        }),
        (None, None, None) => None,
        _ => {
            check.problem(
                &one.regime.span,
                "a baseline has `degrees_of_freedom`, `figures` and `record` together, or none of them",
                "one of them is missing",
                "run `twinstep calibrate` again, or leave all three out",
            );
            None
        }
    }
}
