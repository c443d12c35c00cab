//! Sampled signals behind lags and delays. Times are in periods; between samples a signal is a straight line.

/// Figures of a first-order lag.
#[derive(Clone, Copy)]
struct Lag {
    /// What is left of its output after a period.
    decay: f64,
    /// Share of the sample before.
    older: f64,
    /// Share of the newest sample.
    newer: f64,
}

/// Signals behind lags of one time each begin as if their first sample had been there for ever. Side by side they hide how long each takes.
pub(super) struct Lags<const N: usize> {
    lag: Lag,
    last: [f64; N],
    z: [f64; N],
}

impl<const N: usize> Lags<N> {
    /// Of a time, none where it is 0, with their first samples.
    pub(super) fn new(time: f64, first: [f64; N]) -> Self {
        let lag = if time > 0.0 {
            let decay = libm::exp(-1.0 / time);
            let mean = time * (1.0 - decay);
            Lag {
                decay,
                older: mean - decay,
                newer: 1.0 - mean,
            }
        } else {
            Lag {
                decay: 0.0,
                older: 0.0,
                newer: 1.0,
            }
        };
        Self {
            lag,
            last: first,
            z: first,
        }
    }

    /// What is behind the lags after the next samples.
    #[inline(always)]
    pub(super) fn next(&mut self, y: [f64; N]) -> [f64; N] {
        let Lag {
            decay,
            older,
            newer,
        } = self.lag;
        for ((z, last), y) in self.z.iter_mut().zip(&mut self.last).zip(y) {
            *z = decay * *z + older * *last + newer * y;
            *last = y;
        }
        self.z
    }
}

/// Sample `k` of a signal later by so many periods, 0 at least: it begins as if the first sample had been there for ever.
pub(super) fn delayed(y: &[f64], periods: f64, k: usize) -> f64 {
    // Later than all there is, the first sample stands everywhere.
    let periods = periods.clamp(0.0, y.len() as f64);
    let whole = periods as usize;
    let part = periods - whole as f64;
    let at = |back: usize| y[k.saturating_sub(back)];
    (1.0 - part) * at(whole) + part * at(whole + 1)
}

/// Central differences over a period of `period_s`, in place of what was in `out`; 0 at both ends.
pub(super) fn slope(y: &[f64], period_s: f64, out: &mut Vec<f64>) {
    out.clear();
    out.resize(y.len(), 0.0);
    let per_s = 0.5 / period_s;
    for (d, w) in out.iter_mut().skip(1).zip(y.windows(3)) {
        *d = (w[2] - w[0]) * per_s;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_than_all_there_is_the_first_sample_stands() {
        let all = |y: &[f64], periods| [0, 1, 2].map(|k| delayed(y, periods, k));
        let y = [1.0, 2.0, 3.0];
        assert_eq!(all(&y, 1.5), [1.0, 1.0, 1.5]);
        assert_eq!(all(&y, 1e300), [1.0, 1.0, 1.0]);
        assert_eq!(all(&y, -1.0), y);
    }

    #[test]
    fn a_ramp_is_behind_a_lag_by_its_time_and_without_one_by_nothing() {
        let ramp = |time: f64| {
            let mut lags = Lags::new(time, [0.0, 5.0]);
            let mut last = [0.0; 2];
            for k in 0..200 {
                last = lags.next([f64::from(k), 5.0]);
            }
            last
        };
        let [ramp_behind, constant] = ramp(4.0);
        assert!((ramp_behind - 195.0).abs() < 1e-9, "{ramp_behind}");
        assert!((constant - 5.0).abs() < 1e-12, "{constant}");
        assert_eq!(ramp(0.0), [199.0, 5.0]);
    }

    #[test]
    fn slopes_are_those_of_both_neighbours_and_none_at_the_ends() {
        let mut out = vec![7.0; 9];
        slope(&[0.0, 1.0, 4.0, 9.0], 0.5, &mut out);
        assert_eq!(out, [0.0, 4.0, 8.0, 0.0]);
        slope(&[1.0], 0.5, &mut out);
        assert_eq!(out, [0.0]);
    }
}
