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
use twinstep_config::machine::{Axis, AxisTwin, FigureLaw, FigureOf, Machine, RegimeBaseline};
use twinstep_cycle::plan::{Baseline, DIRECTIONS, SlowPlan};
use twinstep_models::blocks::{FEATURES, Feature};
use twinstep_models::detect;
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

/// Baselines of `current_load` and of what is judged beside it.
pub(super) fn baselines(
    twin: &AxisTwin,
    presses: bool,
    asked_s: f64,
    shares: Shares,
) -> ([Option<Baseline>; FEATURES], SlowPlan) {
    let figures = asked(asked_s, shares);
    let of = |of: FigureOf, feature: Feature| {
        let found = (twin.baseline.iter()).find(|b| b.of == of && b.regime == feature.name())?;
        Some(Baseline {
            mean_a: found.mean_a,
            sigma_a: found.sigma_a * found.law.map_or(1.0, |law| widening(&law, figures)),
        })
    };
    let slow = SlowPlan {
        disturbance: Feature::ALL.map(|feature| of(FigureOf::Disturbance, feature)),
        // Before it meets the part that is expected, a ram that meets another one ripples.
        ripple: std::array::from_fn::<_, DIRECTIONS, _>(|f| {
            of(FigureOf::Ripple, Feature::ALL[f]).filter(|_| !presses)
        }),
        paces: Feature::ALL.map(|feature| {
            let found = (twin.paces.iter()).find(|one| one.regime == feature.name())?;
            Some(found.paces)
        }),
    };
    let load = Feature::ALL.map(|feature| of(FigureOf::CurrentLoad, feature));
    (load, slow)
}

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

/// All figures of the machine that are judged.
pub(super) fn all(machine: &Machine) -> impl Iterator<Item = &RegimeBaseline> {
    let press = |axis: &Axis| machine.presses.iter().any(|p| p.axis.name == axis.name);
    let presses = machine.presses.iter().map(|press| &press.axis);
    (machine.axes.iter().chain(presses))
        .filter_map(move |axis| Some((axis.twin.as_ref()?, press(axis))))
        .flat_map(|(twin, press)| {
            (twin.baseline.iter()).filter(move |b| b.of != FigureOf::Ripple || !press)
        })
}

/// The laws of those that have one.
pub(crate) fn laws(machine: &Machine) -> impl Iterator<Item = FigureLaw> {
    all(machine).filter_map(|b| b.law)
}

/// Adds what the figures of movements say at the thresholds in force.
pub(crate) fn extrapolate(machine: &Machine, shares: Shares, all_of: &mut Extrapolated) {
    let asked_s = machine.judge.false_alarm_interval_s;
    let (figures, h) = (asked(asked_s, shares), threshold(asked_s, shares));
    for law in laws(machine) {
        let per_s = law.figures / law.record_s;
        let wider = widening(&law, figures);
        add(all_of, per_s, SLACK, h, wider, law.freedom);
    }
    for axis in &machine.axes {
        if let (Some(healthy), true) = (&axis.healthy, axis.signature.is_some()) {
            let rate = shares.per_s(asked_s);
            let doubt = doubt(healthy.degrees_of_freedom);
            // The threshold holds for the worse of two laws: its rate is the share, and falls with the spread as that of normal figures.
            let (slack, h) = super::signature::in_force(healthy, 1.0 / rate);
            let normal = detect::run_length(slack, h);
            let more = normal / detect::run_length(slack * doubt, h * doubt);
            for _ in 0..twinstep_models::signature::FAMILIES {
                all_of.add_rate(rate, rate * more);
            }
        }
    }
}

/// One figure that comes `per_s` (1/s) times, judged with `slack` and threshold `h` in spreads that were taken `wider`.
fn add(all: &mut Extrapolated, per_s: f64, slack: f64, h: f64, wider: f64, freedom: f64) {
    // Two sides.
    let rate = |scale: f64| 2.0 * per_s / detect::run_length(slack * scale, h * scale);
    let high = rate((wider * doubt(freedom)).min(1.0));
    all.add_rate(rate(1.0), high);
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
mod tests {
    use super::*;

    fn law(freedom: f64) -> FigureLaw {
        FigureLaw {
            freedom,
            figures: 60.0,
            record_s: 180.0,
        }
    }

    #[test]
    fn few_movements_widen_and_many_leave_the_spread_as_it_is() {
        let wider = [4.0, 9.0, 59.0, 1e4].map(|n| widening(&law(n), 1e8));
        assert!(wider.is_sorted_by(|a, b| a > b), "{wider:?}");
        // t of 59 degrees of freedom exceeds 6.5 as rarely as a normal figure 5.73.
        assert!((1.1..1.2).contains(&wider[2]), "{wider:?}");
        assert!(wider[3] < 1.01 && wider[0] > 10.0, "{wider:?}");
        assert!((normal_quantile(0.025) - 1.959_964).abs() < 1e-5);
        assert_eq!(widening(&law(9.0), 1.0), 1.0);
    }

    #[test]
    fn doubt_is_that_of_the_tables() {
        // Lower 5 % points of chi-square: 3.325 with 9 degrees of freedom, 43.19 with 60.
        for (freedom, chi2) in [(9.0, 3.325), (60.0, 43.19)] {
            let found = doubt(freedom);
            let table = (chi2 / freedom).sqrt();
            assert!((found / table - 1.0).abs() < 0.01, "{found} for {table}");
        }
    }

    #[test]
    fn what_is_asked_is_extrapolated_and_its_lower_end_is_less() {
        let machine =
            twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
        let count = all(&machine).filter(|b| b.law.is_some()).count();
        let shares = Shares {
            tails: 27,
            figures: count,
        };
        let mut found = Extrapolated::default();
        extrapolate(&machine, shares, &mut found);
        assert_eq!(found.streams, count);
        let share = shares.per_s(machine.judge.false_alarm_interval_s);
        // The formula is for one figure a second; no axis moves as often.
        assert!(found.rate_per_s <= count as f64 * share, "{found:?}");
        assert!(found.rate_per_s > 0.05 * count as f64 * share, "{found:?}");
        assert!(found.high_per_s >= found.rate_per_s, "{found:?}");
    }
}
