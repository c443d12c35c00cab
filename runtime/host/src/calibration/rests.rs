//! What holds an axis at rest in the healthy record: a figure for each rest, by the direction of the movement before.
//!
//! A rest has several figures where it is long, and they are alike: it counts once, as in the judge, in each stage of the rest by itself.
//!
//! # Derivation
//! What holds an axis creeps within a stage too, alike after each stop: the furthest figures of the rests are all their first ones. Judged
//! is each figure as it comes, and a rest that ends late in the stage leaves another one. So the mean m is that of the rests' means, and
//! the spread is about it: of the figures f that are furthest from it, one a rest,
//!
//! ```text
//! sigma^2 = E (f - m)^2 = var f + (mean f - m)^2
//! ```

use super::LEAST_SIGMA_A;
use twinstep_config::machine::{FigureLaw, FigureOf, RegimeBaseline};
use twinstep_cycle::judge::RestFigure;
use twinstep_models::identify::{FigureFit, LEAST_FIGURES, fit_figures};
use twinstep_models::rest::{RESTS, Rested, STAGES};
use twinstep_models::sample::Only;

/// Of a drive that counts in thousandths of its rated current: standard deviation of what is rounded off (1, relative to that).
const ROUNDED: f64 = 0.001 * 0.288_675;

/// The rests that were seen, by direction and stage.
#[derive(Clone, Debug, Default)]
pub(super) struct Rests([[Vec<Rest>; STAGES]; RESTS]);

/// What one rest was in one stage.
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
        let stages = &mut self.0[figure.after as usize];
        let Some(rests) = stages.get_mut(usize::from(figure.stage)) else {
            return;
        };
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

    /// Takes in those of another context.
    pub fn extend(&mut self, other: &Self) {
        for (to, from) in self.0.iter_mut().flatten().zip(other.0.iter().flatten()) {
            to.extend(from);
        }
    }

    /// Baselines of a record of `record_s`, of a drive of this rated current (A); 0: not known.
    pub fn baselines(&self, only: Only, record_s: f64, rated_a: f64) -> Vec<RegimeBaseline> {
        let mut all = Vec::new();
        for (rested, stages) in Rested::ALL.into_iter().zip(&self.0) {
            let mut rows: Vec<RegimeBaseline> = (stages.iter().zip(0..))
                .map_while(|(rests, stage)| {
                    let fit = fit(rests)?;
                    Some(RegimeBaseline {
                        of: FigureOf::CurrentLoad,
                        regime: rested.name().to_owned(),
                        only,
                        stage,
                        mean_a: fit.mean,
                        sigma_a: (fit.sigma.max(ROUNDED * rated_a)).max(LEAST_SIGMA_A),
                        law: Some(FigureLaw {
                            freedom: fit.freedom,
                            figures: fit.count as f64,
                            record_s,
                        }),
                    })
                })
                .collect();
            go_on(&mut rows);
            all.extend(rows);
        }
        all
    }

    /// Rests of the direction that has the most.
    pub fn most(&self) -> usize {
        let first = self.0.iter().map(|stages| stages[0].len());
        first.max().unwrap_or(0)
    }

    /// What is missing of an axis that has no baseline of its rests, in words; `within` says in which context, or nothing.
    pub fn lacks(&self, within: &str) -> Option<String> {
        let most = self.most();
        (most < LEAST_FIGURES).then(|| {
            format!(
                "standstill will not be judged{within}: it takes {LEAST_FIGURES} rests of a quarter of a second and more after movements in one direction, and \
                 there were {most} at most"
            )
        })
    }
}

/// The law of the rests of a stage: about the mean of their means, as wide as their furthest figures.
fn fit(rests: &[Rest]) -> Option<FigureFit> {
    let means = rests.iter().map(|rest| rest.sum_a / rest.count);
    let mean_a = means.sum::<f64>() / rests.len() as f64;
    let values: Vec<f64> = rests.iter().map(|rest| rest.furthest_a(mean_a)).collect();
    let fit = fit_figures(&values)?;
    Some(FigureFit {
        mean: mean_a,
        sigma: libm::hypot(fit.sigma, fit.mean - mean_a),
        ..fit
    })
}

/// Widens the last stage that was learnt, and adds those beyond it.
///
/// What holds an axis creeps, less in each stage than in the one before. What is left of it beyond the record is taken to be as much as
/// between the last two stages in it, as a spread. The last of these itself was seen no further than the rests of the record lasted.
/// Of one stage alone nothing of that is known, and no other is judged.
fn go_on(rows: &mut Vec<RegimeBaseline>) {
    let [.., before, last] = &rows[..] else {
        return;
    };
    let crept_a = last.mean_a - before.mean_a;
    let mut beyond = last.clone();
    beyond.sigma_a = libm::hypot(beyond.sigma_a, crept_a);
    rows.pop();
    for stage in beyond.stage..STAGES as u8 {
        rows.push(RegimeBaseline {
            stage,
            ..beyond.clone()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use twinstep_models::detect::Cusum;
    use twinstep_models::sample::Factors;

    fn figure(rest: u64, after: Rested, stage: u8, hold_a: f64) -> RestFigure {
        RestFigure {
            cycle: 0,
            rest,
            after,
            stage,
            hold_a,
            context: Factors::default(),
        }
    }

    /// Stages, means and spreads (A) of the rows.
    fn rows(rests: &Rests, rated_a: f64) -> Vec<(u8, f64, f64)> {
        (rests.baselines(Only::ALWAYS, 60.0, rated_a).iter())
            .map(|row| (row.stage, row.mean_a, row.sigma_a))
            .collect()
    }

    #[test]
    fn a_rest_counts_once_and_spreads_by_its_furthest_figure() {
        let mut rests = Rests::default();
        for n in 0..20_u8 {
            // One is long, and creeps.
            let figures = if n == 7 { 50 } else { 1 };
            for k in 0..figures {
                let hold_a = 1.0 + 0.02 * f64::from(n % 2) + 0.01 * f64::from(k);
                rests.add(0, &figure(u64::from(n), Rested::Positive, 0, hold_a));
            }
        }
        let found = rests.baselines(Only::ALWAYS, 60.0, 0.0);
        let [row] = &found[..] else {
            panic!("{found:?}")
        };
        assert_eq!(row.regime, "standstill_positive");
        let law = row.law.unwrap();
        assert_eq!((law.figures, law.record_s), (20.0, 60.0));
        // The long one has 1.265 A in the mean, and 1.51 A at most.
        assert!((row.mean_a - 1.02225).abs() < 1e-9, "{row:?}");
        assert!((0.1..0.15).contains(&row.sigma_a), "{row:?}");
        // One so far off has a heavy tail.
        assert!(law.freedom < 19.0, "{row:?}");
        assert_eq!(rests.lacks(""), None);
    }

    #[test]
    fn a_rest_of_any_length_is_quiet_where_all_creep_alike() {
        // A lift whose hold creeps, figure by figure (A above what it ends at): of stages 0 to 4.
        let crept_a: [&[f64]; 5] = [
            &[0.91],
            &[0.78],
            &[0.55, 0.39],
            &[0.276, 0.198, 0.142, 0.102],
            &[0.073, 0.052, 0.037],
        ];
        let mut rests = Rests::default();
        for rest in 0..40_u64 {
            let noise_a = 0.005 * ((rest % 3) as f64 - 1.0);
            for (held_a, stage) in crept_a.iter().zip(0..) {
                for hold_a in *held_a {
                    let figure = figure(rest, Rested::Positive, stage, 2.64 + hold_a + noise_a);
                    rests.add(0, &figure);
                }
            }
        }
        let rows = rows(&rests, 0.0);
        // Rests of every length, many of each, are judged by their latest figure, or by any other of them.
        for (held_a, row) in crept_a.iter().zip(&rows) {
            for hold_a in *held_a {
                let mut cusum = Cusum::default();
                for _ in 0..200 {
                    cusum.push((2.64 + hold_a - row.1) / row.2, 2.0, 5.0);
                }
                assert!(cusum.largest() < 5.0, "{hold_a} {row:?}");
            }
        }
        // A load that went is seen in one rest.
        assert!((2.64 - 1.0 - rows[3].1) / rows[3].2 < -7.0, "{rows:?}");
    }

    #[test]
    fn what_never_differs_has_the_spread_of_a_count() {
        let mut rests = Rests::default();
        for n in 0..8 {
            rests.add(0, &figure(n, Rested::Negative, 0, 2.0));
        }
        assert_eq!(rows(&rests, 0.0), [(0, 2.0, LEAST_SIGMA_A)]);
        assert!((rows(&rests, 10.0)[0].2 - 0.002_886_75).abs() < 1e-12);
    }

    #[test]
    fn beyond_the_longest_rests_what_crept_last_is_spread() {
        let held_a = [3.5, 3.2, 2.9, 2.7, 2.6, 2.58];
        let of = |stages: usize| {
            let mut rests = Rests::default();
            for rest in 0..10_u64 {
                for (stage, hold_a) in held_a.iter().enumerate().take(stages) {
                    let noise_a = 0.01 * (rest % 2) as f64;
                    let figure = figure(rest, Rested::Positive, stage as u8, hold_a + noise_a);
                    rests.add(0, &figure);
                }
            }
            rows(&rests, 0.0)
        };
        // Of one stage nothing is known of the others.
        assert_eq!(of(1).len(), 1);
        let found = of(3);
        let stages: Vec<u8> = found.iter().map(|row| row.0).collect();
        assert_eq!(stages, [0, 1, 2, 3, 4, 5]);
        for row in &found[3..] {
            assert!((row.1 - 2.905).abs() < 1e-9 && (row.2 - 0.3).abs() < 0.01);
            // What will really be held is no alarm.
            assert!((held_a[usize::from(row.0)] - row.1).abs() < 2.0 * row.2);
        }
        // Nor what the last learnt stage goes on to beyond the record.
        assert!(found[1].2 < 0.01 && found[2].2 > 0.29, "{found:?}");
        let all = of(STAGES);
        assert!(all[4].2 < 0.01 && all[5].2 > 0.02, "{all:?}");
    }

    #[test]
    fn recordings_are_apart_and_few_rests_are_told() {
        let mut rests = Rests::default();
        for recording in 0..3 {
            rests.add(recording, &figure(1, Rested::Positive, 0, 1.0));
        }
        assert!(rows(&rests, 1.0).is_empty());
        let told = rests.lacks("").unwrap();
        assert!(told.contains("there were 3 at most"), "{told}");
        rests.add(3, &figure(1, Rested::Positive, 0, 1.0));
        assert_eq!(rests.lacks(""), None);
        assert_eq!(rows(&rests, 1.0).len(), 1);
    }
}
