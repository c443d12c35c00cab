//! Healthy one-cycle innovations of one axis, gathered from recordings: how they are whitened, and the tails of their detectors.
//!
//! The detectors are the cycle's own ([`Watch`]), with no thresholds, fed with the innovations that the pipeline judged.

use twinstep_config::machine::HealthyInnovation;
use twinstep_cycle::drift::CALM_RUNS;
use twinstep_cycle::judge::CALM_CYCLES;
use twinstep_models::identify::{
    AMPLITUDE_SHAPE, SQUARE_SHAPE, WhitenFit, fit_tail, fit_whitening,
};
use twinstep_models::innovation::{
    NEXT, Statistics, WHITENED, WHITENED_CHANNELS, Watch, WatchParams, Whitened,
};
use twinstep_models::lane::ZERO;
use twinstep_models::tail::Tail;

/// Runs that a drift needs: fewer say nothing of its tail.
const LEAST_RUNS: usize = 30;

/// How a healthy axis drifts in free runs (m each) that were made over `record_s`; none for too few runs.
pub(super) fn learn_drift(runs_m: &[f64], record_s: f64) -> Option<HealthyInnovation> {
    if runs_m.len() < LEAST_RUNS {
        return None;
    }
    let count = runs_m.len() as f64;
    let sigma = (runs_m.iter().map(|e| e * e).sum::<f64>() / count).sqrt();
    if sigma.is_nan() || sigma <= 0.0 {
        return None;
    }
    let sizes: Vec<f64> = runs_m.iter().map(|e| e.abs() / sigma).collect();
    // Runs stand for the time between them; as many as are needed to clear one are one alarm.
    let fit = fit_tail(
        &[sizes],
        record_s / count,
        CALM_RUNS.into(),
        AMPLITUDE_SHAPE,
    )?;
    Some(HealthyInnovation {
        correlation: 0.0,
        sigma,
        fast_limit: Some(fit.tail),
        window: None,
        cusum: None,
    })
}

/// One-cycle innovations of a station's pressure (Pa), in stretches without gaps.
#[derive(Clone, Debug, Default)]
pub(super) struct Pressure {
    stretches: Vec<Vec<f64>>,
    joined: bool,
}

impl Pressure {
    /// A cycle that was judged.
    pub(super) fn push(&mut self, innovation_pa: f64) {
        match self.stretches.last_mut() {
            Some(stretch) if self.joined => stretch.push(innovation_pa.abs()),
            _ => self.stretches.push(vec![innovation_pa.abs()]),
        }
        self.joined = true;
    }

    /// A cycle that was not.
    pub(super) fn gap(&mut self) {
        self.joined = false;
    }

    /// Standard deviation (Pa) and the tail of the size in that unit; none for a pressure that was not judged, or never errs. One that is
    /// raised is cleared after `calm_cycles`: what comes later is another alarm.
    pub(super) fn learn(mut self, period_s: f64, calm_cycles: u32) -> Option<(f64, Tail)> {
        let count: usize = self.stretches.iter().map(Vec::len).sum();
        let square: f64 = self.stretches.iter().flatten().map(|e| e * e).sum();
        let sigma_pa = (square / count.max(1) as f64).sqrt();
        if sigma_pa.is_nan() || sigma_pa <= 0.0 {
            return None;
        }
        for e in self.stretches.iter_mut().flatten() {
            *e /= sigma_pa;
        }
        let fit = fit_tail(
            &self.stretches,
            period_s,
            calm_cycles as usize,
            AMPLITUDE_SHAPE,
        )?;
        Some((sigma_pa, fit.tail))
    }
}

/// Innovations of position (m), velocity (m/s) and current (A), in stretches without gaps.
#[derive(Clone, Debug, Default)]
pub(super) struct Innovations {
    stretches: [Vec<Vec<f64>>; NEXT],
    joined: bool,
}

impl Innovations {
    /// A cycle that was judged.
    pub(super) fn push(&mut self, innovation: [f64; NEXT]) {
        for (stretches, e) in self.stretches.iter_mut().zip(innovation) {
            match stretches.last_mut() {
                Some(stretch) if self.joined => stretch.push(e),
                _ => stretches.push(vec![e]),
            }
        }
        self.joined = true;
    }

    /// A cycle that was not: the detectors forget.
    pub(super) fn gap(&mut self) {
        self.joined = false;
    }

    /// What was healthy. A channel is off that was judged for too short, or never errs.
    pub(super) fn learn(
        &self,
        period_s: f64,
    ) -> [Option<HealthyInnovation>; HealthyInnovation::COUNT] {
        let fits: [Option<WhitenFit>; NEXT] =
            std::array::from_fn(|c| fit_whitening(&self.stretches[c]));
        let statistics = self.statistics(&fits);
        std::array::from_fn(|c| {
            let fit = (*fits.get(c)?)?;
            let sizes: Vec<Vec<f64>> = (self.stretches[c].iter())
                .map(|stretch| stretch.iter().map(|e| e.abs() / fit.sigma).collect())
                .collect();
            let tail = |stretches: &[Vec<f64>], prior| {
                fit_tail(stretches, period_s, CALM_CYCLES as usize, prior).map(|fit| fit.tail)
            };
            let of_whitened = |which: usize, prior| {
                let w = WHITENED_CHANNELS.iter().position(|channel| *channel == c)?;
                tail(&statistics[w][which], prior)
            };
            Some(HealthyInnovation {
                correlation: fit.correlation,
                sigma: fit.sigma,
                fast_limit: tail(&sizes, AMPLITUDE_SHAPE),
                window: of_whitened(0, SQUARE_SHAPE),
                cusum: of_whitened(1, AMPLITUDE_SHAPE),
            })
        })
    }

    /// Window and CUSUM of the whitened channels.
    fn statistics(&self, fits: &[Option<WhitenFit>; NEXT]) -> [[Vec<Vec<f64>>; 2]; WHITENED] {
        let whitened = WHITENED_CHANNELS.map(|c| {
            fits[c].map(|fit| Whitened {
                correlation: fit.correlation,
                sigma: fit.sigma,
                window: f64::INFINITY,
                cusum: f64::INFINITY,
            })
        });
        let mut params = WatchParams::OFF;
        params.put(0, &[None; NEXT], &whitened);
        let mut all: [[Vec<Vec<f64>>; 2]; WHITENED] = Default::default();
        for (n, stretch) in self.stretches[0].iter().enumerate() {
            let mut watch = Watch::NEW;
            for channel in all.iter_mut().flatten() {
                channel.push(Vec::with_capacity(stretch.len()));
            }
            for k in 0..stretch.len() {
                let mut innovation = [ZERO; NEXT];
                for (to, from) in innovation.iter_mut().zip(&self.stretches) {
                    to[0] = from[n][k];
                }
                watch.push(&params, &innovation, u8::MAX);
                for (w, [window, cusum]) in all.iter_mut().enumerate() {
                    let s = Statistics::of(&watch, w, 0);
                    window[n].push(s.window);
                    cusum[n].push(s.cusum);
                }
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would show a station whose alarms are counted with the calm of an axis: at 100 ms that is 20 s, and the station clears after 0.2 s.
    #[test]
    fn pressures_that_are_cleared_between_them_are_as_many_alarms() {
        let mut seen = Pressure::default();
        for k in 0..1400 {
            // Every half second one that is larger than the ones before.
            let large = k % 5 == 0;
            seen.push(if large {
                10.0 + 0.01 * f64::from(k)
            } else {
                1.0
            });
        }
        let one = seen.clone().learn(0.1, CALM_CYCLES).unwrap().1;
        let each = seen.learn(0.1, 2).unwrap().1;
        assert_eq!(one.clusters, 1.0, "never calm for 20 s: {one:?}");
        assert!(each.clusters > 30.0, "{each:?}");
        assert_eq!((one.largest, one.record_s), (each.largest, each.record_s));
    }

    #[test]
    fn tails_are_in_sigmas_and_a_still_channel_is_off() {
        let mut seen = Innovations::default();
        let mut state = 1_u64;
        let mut largest = 0.0_f64;
        for k in 0..40_000 {
            if k == 20_000 {
                seen.gap();
            }
            // Uniform figures of a linear congruential generator.
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let e = 2e-6 * ((state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5);
            largest = largest.max(e.abs());
            seen.push([e, 0.0, 1e3 * e]);
        }
        assert_eq!(seen.stretches[0].len(), 2);
        let [position, velocity, current, _] = seen.learn(1e-3);
        let (position, current) = (position.unwrap(), current.unwrap());
        assert_eq!(velocity, None);
        assert!(position.correlation.abs() < 0.03, "{position:?}");
        // The standard deviation of a uniform figure is its width over the root of 12.
        assert!((position.sigma / (2e-6 / 12_f64.sqrt()) - 1.0).abs() < 0.01);
        let tail = position.fast_limit.unwrap();
        assert!((tail.largest * position.sigma / largest - 1.0).abs() < 1e-9);
        assert!((tail.record_s - 40.0).abs() < 1e-9);
        // Another unit changes sigma alone.
        assert!((current.sigma / position.sigma / 1e3 - 1.0).abs() < 1e-9);
        assert!(
            (current.cusum.unwrap().largest / position.cusum.unwrap().largest - 1.0).abs() < 1e-6
        );
        assert!(position.window.unwrap().largest > 1.0);
    }
}
