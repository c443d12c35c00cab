//! How the figures of movements are judged: their baselines, widened to what their record is worth.
//!
//! Siegmund's formula gives the threshold of all figures, and holds for normal figures of known spread. The spread of a figure was
//! learnt from few movements, and Student's t says how much further than a normal figure it may stray as rarely as is asked:
//! its spread is taken that much wider. So few movements, or a heavy tail, cost sensitivity and no false alarms.
//!
//! What the thresholds in force mean follows from the same law: the rate of the formula, and for its upper end the rate with the spread
//! at the upper end of its 95 % interval, `sigma sqrt(freedom / chi2)`, chi2 in the Wilson-Hilferty form.

use super::SLACK;
use crate::false_alarms::{Extrapolated, Shares};
use twinstep_config::machine::{AxisTwin, FigureLaw, FigureOf, Judge, Machine, RegimeBaseline};
use twinstep_cycle::plan::{Baseline, ContextBases, DIRECTIONS, MAX_CONTEXT_BASES, SlowPlan};
use twinstep_models::blocks::{FEATURES, Feature};
use twinstep_models::detect;
use twinstep_models::rest::{Rested, STAGES};
use twinstep_models::sample::Only;
use twinstep_models::signature::quantile;

/// Fastest rate at which one feature is judged, for sharing out false alarms (1/s).
const FEATURES_PER_S: f64 = 1.0;
/// Degrees of freedom beyond which t is as good as normal.
const MOST_FREEDOM: f64 = 1e4;
/// 95 % point of the normal distribution.
const Z: f64 = 1.644_853_626_951_472_7;

/// Figures between two false alarms of one stream.
pub(super) fn asked(asked_s: f64, shares: Shares) -> f64 {
    (FEATURES_PER_S / shares.per_s(asked_s)).max(1.0)
}

/// Threshold of the CUSUMs over all figures.
pub(super) fn threshold(asked_s: f64, shares: Shares) -> f64 {
    detect::threshold(SLACK, asked(asked_s, shares))
}

/// Baselines of `current_load` and of what is judged beside it: in a context, or in every one that has none of its own. Where a context has no
/// row for a figure, that holds in it which names most of the same, and at last that of all.
pub(super) fn baselines(
    twin: &AxisTwin,
    presses: bool,
    only: Only,
    judge: &Judge,
    shares: Shares,
) -> ([Option<Baseline>; FEATURES], SlowPlan) {
    let figures = asked(judge.false_alarm_interval_s, shares);
    let row = |of: FigureOf, regime: &str, stage: u8| {
        let same = |b: &&RegimeBaseline| b.of == of && b.regime == regime && b.stage == stage;
        let rows = twin.baseline.iter().filter(same);
        let holding = rows.filter(|b| b.only.holds_within(&only));
        let found = holding.min_by_key(|b| b.only.rank())?;
        Some(Baseline {
            mean_a: found.mean_a,
            sigma_a: found.sigma_a * found.law.map_or(1.0, |law| widening(&law, figures)),
        })
    };
    let of = |of: FigureOf, feature: Feature| row(of, feature.name(), 0);
    let slow = SlowPlan {
        disturbance: Feature::ALL.map(|feature| of(FigureOf::Disturbance, feature)),
        // Before it meets the part that is expected, a ram that meets another one ripples.
        ripple: std::array::from_fn::<_, DIRECTIONS, _>(|f| {
            of(FigureOf::Ripple, Feature::ALL[f]).filter(|_| !presses)
        }),
        paces: Feature::ALL.map(|feature| {
            let rows = || (twin.paces.iter()).filter(|one| one.regime == feature.name());
            let holding = rows().filter(|one| one.only.holds_within(&only));
            Some(holding.min_by_key(|one| one.only.rank())?.paces)
        }),
        rests: !presses && (judge.standstill || twin.baseline.iter().any(is_of_rests)),
        // What a press holds is its part.
        standstill: Rested::ALL.map(|rested| {
            std::array::from_fn(|stage| {
                row(FigureOf::CurrentLoad, rested.name(), stage as u8).filter(|_| !presses)
            })
        }),
    };
    let load = Feature::ALL.map(|feature| of(FigureOf::CurrentLoad, feature));
    (load, slow)
}

/// Whether a row is of what holds an axis at rest.
pub(crate) fn is_of_rests(row: &RegimeBaseline) -> bool {
    row.of == FigureOf::CurrentLoad && Rested::ALL.iter().any(|one| one.name() == row.regime)
}

/// The same of all contexts that have rows of their own, axis by axis.
pub(super) fn by_context(machine: &Machine, shares: Shares) -> Vec<ContextBases> {
    (twins(machine).zip(0..))
        .filter_map(|((twin, presses), axis)| Some((twin?, presses, axis)))
        .flat_map(|(twin, presses, axis)| {
            // No more than the cycle knows: the configuration has no more.
            (twin.contexts().into_iter().take(MAX_CONTEXT_BASES)).map(move |only| {
                let (baseline, slow) = baselines(twin, presses, only, &machine.judge, shares);
                ContextBases {
                    axis,
                    only,
                    baseline,
                    slow,
                }
            })
        })
        .collect()
}

const _: () = assert!(twinstep_config::machine::MAX_CONTEXT_BASES <= MAX_CONTEXT_BASES);

/// How much further than a normal figure this one may stray as rarely as one in `figures` (>= 1).
fn widening(law: &FigureLaw, figures: f64) -> f64 {
    let probability = 0.5 / figures.max(1.0);
    // Close to the middle both are 0.
    let normal = normal_quantile(probability);
    if normal < 0.1 {
        return 1.0;
    }
    (quantile(probability, law.freedom.min(MOST_FREEDOM)) / normal).max(1.0)
}

/// What a normal figure exceeds with `probability` (above 0, at most 0.5).
fn normal_quantile(probability: f64) -> f64 {
    let (mut low, mut high) = (0.0, 38.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if 0.5 * libm::erfc(middle * std::f64::consts::FRAC_1_SQRT_2) > probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// The twins of all axes and presses, in the order of the plan, and whether each is of a press.
fn twins(machine: &Machine) -> impl Iterator<Item = (Option<&AxisTwin>, bool)> {
    let axes = machine.axes.iter().map(|axis| (axis.twin.as_ref(), false));
    let presses = machine.presses.iter();
    axes.chain(presses.map(|press| (press.axis.twin.as_ref(), true)))
}

/// All figures of the machine that are judged, each with its rows.
///
/// The rows of a figure are those of several contexts, of which one is in force at a time: one sum goes on over all of them, in the standard
/// deviations of the row in force. So they are one stream and have one share, and shares do not get smaller with the number of contexts.
fn streams(machine: &Machine) -> impl Iterator<Item = Vec<&RegimeBaseline>> {
    (twins(machine))
        .filter_map(|(twin, press)| Some((twin?, press)))
        .flat_map(|(twin, press)| {
            let judged =
                |b: &&RegimeBaseline| !press || (b.of != FigureOf::Ripple && !is_of_rests(b));
            let mut streams: Vec<Vec<&RegimeBaseline>> = Vec::new();
            for row in twin.baseline.iter().filter(judged) {
                let same = |one: &&mut Vec<&RegimeBaseline>| {
                    (one.first()).is_some_and(|b| b.of == row.of && b.regime == row.regime)
                };
                match streams.iter_mut().find(same) {
                    Some(stream) => stream.push(row),
                    None => streams.push(vec![row]),
                }
            }
            streams
        })
}

/// The laws of the rows of a figure, if all of them have one.
fn laws_of(rows: &[&RegimeBaseline]) -> Option<Vec<FigureLaw>> {
    rows.iter().map(|row| row.law).collect()
}

/// How many figures have laws, and how many have not.
pub(crate) fn counts(machine: &Machine) -> (usize, usize) {
    let known = streams(machine).filter(|rows| laws_of(rows).is_some());
    let known = known.count();
    (known, streams(machine).count() - known)
}

/// The laws of all rows that have one.
pub(crate) fn laws(machine: &Machine) -> impl Iterator<Item = FigureLaw> {
    streams(machine).flatten().filter_map(|row| row.law)
}

/// Adds what the figures of movements say at the thresholds in force.
pub(crate) fn extrapolate(machine: &Machine, shares: Shares, all_of: &mut Extrapolated) {
    let asked_s = machine.judge.false_alarm_interval_s;
    let (figures, h) = (asked(asked_s, shares), threshold(asked_s, shares));
    for rows in streams(machine) {
        let Some(laws) = laws_of(&rows) else {
            continue;
        };
        let mut stages = [[0.0_f64; 2]; STAGES];
        for (row, law) in rows.iter().zip(&laws) {
            let per_s = law.figures / law.record_s;
            let [rate, high] = rates(per_s, SLACK, h, widening(law, figures), law.freedom);
            // Whichever context is in force: no more than in the worst of them.
            if let Some(worst) = stages.get_mut(usize::from(row.stage)) {
                *worst = [worst[0].max(rate), worst[1].max(high)];
            }
        }
        // A rest goes through its stages one after the other, and is judged in each.
        let sum = |side: usize| stages.iter().map(|worst| worst[side]).sum();
        all_of.add_rate(sum(0), sum(1));
    }
    for axis in &machine.axes {
        if let (Some(healthy), true) = (&axis.healthy, axis.signature.is_some()) {
            let share = shares.per_s(asked_s);
            let doubt = doubt(healthy.degrees_of_freedom);
            // The threshold holds for the worse of two laws: its rate is the share, or less where that is more than the least threshold gives,
            // and falls with the spread as that of normal figures.
            let (slack, h) = super::signature::in_force(healthy, 1.0 / share);
            let rate = share.min(super::signature::rate_per_s(healthy, slack, h));
            let normal = detect::run_length(slack, h);
            let more = normal / detect::run_length(slack * doubt, h * doubt);
            for _ in 0..twinstep_models::signature::FAMILIES {
                all_of.add_rate(rate, rate * more);
            }
        }
    }
}

/// Rate of false alarms (1/s) of one figure that comes `per_s` (1/s) times, judged with `slack` and threshold `h` in spreads that were taken
/// `wider`, and its upper end.
fn rates(per_s: f64, slack: f64, h: f64, wider: f64, freedom: f64) -> [f64; 2] {
    // Two sides.
    let rate = |scale: f64| 2.0 * per_s / detect::run_length(slack * scale, h * scale);
    [rate(1.0), rate((wider * doubt(freedom)).min(1.0))]
}

/// Learnt spread over the one at the upper end of its 95 % interval.
fn doubt(freedom: f64) -> f64 {
    let spread = 2.0 / (9.0 * freedom);
    let root = 1.0 - spread - Z * spread.sqrt();
    // Below two degrees of freedom nothing is known: the form has no figure there.
    let root = root.max(0.1);
    (root * root * root).sqrt()
}

#[cfg(test)]
#[path = "figures_tests.rs"]
mod tests;
