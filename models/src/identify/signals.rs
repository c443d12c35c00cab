//! Sampled signals behind lags, delays and high-passes. Times are in periods, corners per period; between samples a signal is a straight line.

/// Behind a first-order lag; it begins as if the first sample had been there for ever.
pub(super) fn lagged(y: &[f64], time: f64) -> Vec<f64> {
    if time <= 0.0 {
        return y.to_vec();
    }
    let decay = libm::exp(-1.0 / time);
    let mean = time * (1.0 - decay);
    let mut last = y.first().copied().unwrap_or(0.0);
    let mut z = last;
    y.iter()
        .map(|y| {
            z = decay * z + (mean - decay) * last + (1.0 - mean) * y;
            last = *y;
            z
        })
        .collect()
}

/// Integral that forgets at a corner: `1 / (s + corner)`, in periods.
pub(super) fn leaked(y: &[f64], corner: f64) -> Vec<f64> {
    let behind = lagged(y, 1.0 / corner);
    behind.iter().map(|y| y / corner).collect()
}

/// What changes faster than a corner: `s / (s + corner)`.
pub(super) fn high(y: &[f64], corner: f64) -> Vec<f64> {
    let behind = lagged(y, 1.0 / corner);
    y.iter().zip(&behind).map(|(y, b)| y - b).collect()
}

/// Later by so many periods, 0 at least; it begins as if the first sample had been there for ever.
pub(super) fn delayed(y: &[f64], periods: f64) -> Vec<f64> {
    // Later than all there is, the first sample stands everywhere.
    let periods = periods.clamp(0.0, y.len() as f64);
    let whole = periods as usize;
    let part = periods - whole as f64;
    let at = |k: usize, back: usize| y[k.saturating_sub(back)];
    (0..y.len())
        .map(|k| (1.0 - part) * at(k, whole) + part * at(k, whole + 1))
        .collect()
}

/// Central differences over a period of `period_s`; 0 at both ends.
pub(super) fn slope(y: &[f64], period_s: f64) -> Vec<f64> {
    let mut out = vec![0.0; y.len()];
    for (d, w) in out.iter_mut().skip(1).zip(y.windows(3)) {
        *d = (w[2] - w[0]) * (0.5 / period_s);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_than_all_there_is_the_first_sample_stands() {
        assert_eq!(delayed(&[1.0, 2.0, 3.0], 1.5), [1.0, 1.0, 1.5]);
        assert_eq!(delayed(&[1.0, 2.0, 3.0], 1e300), [1.0, 1.0, 1.0]);
        assert_eq!(delayed(&[1.0, 2.0], -1.0), [1.0, 2.0]);
        assert!(delayed(&[], 1.0).is_empty());
    }
}
