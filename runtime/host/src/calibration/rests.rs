//! What holds an axis at rest in the healthy record: a figure for each rest, by the direction of the movement before.
//!
//! A rest has several figures where it is long, and they are alike: it counts once, as in the judge. Judged is each of them as it
//! comes, so what counts is the one that is furthest from what all rests have in common. Where the current creeps, the spread holds that too, as far
//! as rests in the record are as long as those that follow.

use twinstep_config::machine::{FigureLaw, FigureOf, RegimeBaseline};
use twinstep_cycle::judge::RestFigure;
use twinstep_models::identify::{LEAST_FIGURES, fit_figures};
use twinstep_models::rest::{RESTS, Rested};

/// Of a drive that counts in thousandths of its rated current: standard deviation of what is rounded off (1, relative to that).
const ROUNDED: f64 = 0.001 * 0.288_675;

/// The rests that were seen, by direction: the number of each, its first figure and the sum of all, how many, least and most (A).
#[derive(Clone, Debug, Default)]
pub(super) struct Rests([Vec<Rest>; RESTS]);

/// One rest.
#[derive(Clone, Copy, Debug)]
struct Rest {
    /// Which recording, and which rest in it.
    of: (usize, u64),
    sum_a: f64,
    count: f64,
    least_a: f64,
    most_a: f64,
}

impl Rest {
    /// The figure that is furthest from `mean_a` (A).
    fn furthest_a(&self, mean_a: f64) -> f64 {
        if self.most_a - mean_a > mean_a - self.least_a {
            self.most_a
        } else {
            self.least_a
        }
    }
}

impl Rests {
    /// A figure of a rest in this recording.
    pub fn add(&mut self, recording: usize, figure: &RestFigure) {
        let rests = &mut self.0[figure.after as usize];
        let of = (recording, figure.rest);
        let hold_a = figure.hold_a;
        match rests.last_mut().filter(|last| last.of == of) {
            Some(last) => {
                last.sum_a += hold_a;
                last.count += 1.0;
                last.least_a = last.least_a.min(hold_a);
                last.most_a = last.most_a.max(hold_a);
            }
            None => rests.push(Rest {
                of,
                sum_a: hold_a,
                count: 1.0,
                least_a: hold_a,
                most_a: hold_a,
            }),
        }
    }

    /// Takes in those of another recipe.
    pub fn extend(&mut self, other: &Self) {
        for (to, from) in self.0.iter_mut().zip(&other.0) {
            to.extend(from);
        }
    }

    /// Baselines of a record of `record_s`, of a drive of this rated current (A); 0: not known.
    pub fn baselines(
        &self,
        recipe: Option<u8>,
        record_s: f64,
        rated_a: f64,
    ) -> impl Iterator<Item = RegimeBaseline> {
        Rested::ALL.into_iter().filter_map(move |rested| {
            let rests = &self.0[rested as usize];
            let means = rests.iter().map(|rest| rest.sum_a / rest.count);
            let mean_a = means.sum::<f64>() / rests.len() as f64;
            let values: Vec<f64> = rests.iter().map(|rest| rest.furthest_a(mean_a)).collect();
            let fit = fit_figures(&values)?;
            Some(RegimeBaseline {
                of: FigureOf::CurrentLoad,
                regime: rested.name().to_owned(),
                recipe,
                mean_a: fit.mean,
                sigma_a: fit.sigma.max(ROUNDED * rated_a).max(super::LEAST_SIGMA_A),
                law: Some(FigureLaw {
                    freedom: fit.freedom,
                    figures: fit.count as f64,
                    record_s,
                }),
            })
        })
    }

    /// What is missing of an axis that has no baseline of its rests, in words.
    pub fn lacks(&self) -> Option<String> {
        let most = self.0.iter().map(Vec::len).max().unwrap_or(0);
        (most < LEAST_FIGURES).then(|| {
            format!(
                "standstill will not be judged: it takes {LEAST_FIGURES} rests of a quarter of a second and more after movements in one direction, and \
                 there were {most} at most"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(rest: u64, after: Rested, hold_a: f64) -> RestFigure {
        RestFigure {
            cycle: 0,
            rest,
            after,
            hold_a,
            recipe: Some(0),
        }
    }

    #[test]
    fn a_rest_counts_once_and_by_its_furthest_figure() {
        let mut rests = Rests::default();
        for n in 0..20 {
            // One is long, and creeps.
            let figures = if n == 7 { 50 } else { 1 };
            for k in 0..figures {
                let creep_a = 0.01 * f64::from(k);
                let hold_a = 1.0 + 0.02 * f64::from(n % 2) + creep_a;
                rests.add(0, &figure(u64::from(n as u8), Rested::Positive, hold_a));
            }
        }
        let rows: Vec<_> = rests.baselines(None, 60.0, 0.0).collect();
        let [row] = &rows[..] else { panic!("{rows:?}") };
        assert_eq!(row.regime, "standstill_positive");
        let law = row.law.unwrap();
        assert_eq!((law.figures, law.record_s), (20.0, 60.0));
        assert!((row.mean_a - 1.0345).abs() < 1e-9, "{row:?}");
        assert!((0.1..0.15).contains(&row.sigma_a), "{row:?}");
        // One so far off has a heavy tail.
        assert!(law.freedom < 19.0, "{row:?}");
        assert_eq!(rests.lacks(), None);
    }

    #[test]
    fn what_never_differs_has_the_spread_of_a_count() {
        let mut rests = Rests::default();
        for n in 0..8 {
            rests.add(0, &figure(n, Rested::Negative, 2.0));
        }
        let of = |rated_a| {
            let rows: Vec<_> = rests.baselines(Some(3), 60.0, rated_a).collect();
            (rows[0].recipe, rows[0].sigma_a)
        };
        assert_eq!(of(0.0), (Some(3), super::super::LEAST_SIGMA_A));
        assert!((of(10.0).1 - 0.002_886_75).abs() < 1e-12);
    }

    #[test]
    fn recordings_are_apart_and_few_rests_are_told() {
        let mut rests = Rests::default();
        for recording in 0..3 {
            rests.add(recording, &figure(1, Rested::Positive, 1.0));
        }
        assert_eq!(rests.baselines(None, 60.0, 1.0).count(), 0);
        let told = rests.lacks().unwrap();
        assert!(told.contains("there were 3 at most"), "{told}");
        rests.add(3, &figure(1, Rested::Positive, 1.0));
        assert_eq!(rests.lacks(), None);
        assert_eq!(rests.baselines(None, 60.0, 1.0).count(), 1);
    }
}
