//! Power series of smooth solutions: how far they converge, what they are at a moment, and when something that is made of them changes its sign.

/// Coefficients of a series beside its first.
pub(super) const ORDER: usize = 12;
/// What the last two terms of a series may be in the whole of it.
const REMAINDER: f64 = 1e-7;
/// How often a piece is halved until its series converges.
const HALVINGS: usize = 6;
/// Steps in which a moment is found: every third one halves what is left.
const SEARCH_MAX: usize = 105;
/// How near to it that has to be (share of a piece).
pub(super) const NEAR: f64 = 1e-10;

/// Coefficients of the powers of time, which is counted in lengths of the piece.
pub(super) type Series = [f64; ORDER + 1];
/// A series of nothing.
pub(super) const ZEROS: Series = [0.0; ORDER + 1];

/// The largest share of a piece, halved again and again, at which all series have converged.
pub(super) fn convergence(all: [&Series; 4]) -> Option<f64> {
    let mut share = 1.0;
    for _ in 0..=HALVINGS {
        if all.iter().all(|series| converged(series, share)) {
            return Some(share);
        }
        share *= 0.5;
    }
    None
}

/// Whether the last terms of a series are small at `t`.
fn converged(series: &Series, t: f64) -> bool {
    let (mut power, mut whole) = (1.0, 0.0);
    let mut last = [0.0; 2];
    for c in series {
        let term = c.abs() * power;
        whole += term;
        last = [last[1], term];
        power *= t;
    }
    whole.is_finite() && last[0] + last[1] <= REMAINDER * whole
}

/// A series at `t`.
pub(super) fn at(series: &Series, t: f64) -> f64 {
    series.iter().rev().fold(0.0, |sum, c| sum * t + c)
}

/// The slope of a series at `t`.
pub(super) fn slope_at(series: &Series, t: f64) -> f64 {
    let terms = series.iter().enumerate().skip(1).rev();
    terms.fold(0.0, |sum, (n, c)| sum * t + n as f64 * c)
}

/// When a gap that is not below 0 at the beginning, and is at `end`, has closed: false position, its ends weighed so that both
/// move, and bisection now and then.
pub(super) fn moment(gap: impl Fn(f64) -> f64, end: f64) -> f64 {
    let (mut low, mut high) = (0.0, end);
    let (mut above, mut below) = (gap(low), gap(high));
    if above < 0.0 {
        return low;
    }
    for n in 0..SEARCH_MAX {
        if high - low <= NEAR {
            break;
        }
        let crossing = low + (high - low) * (above / (above - below));
        // Where the ends are of very different size false position creeps.
        let t = if n % 3 < 2 && crossing > low && crossing < high {
            crossing
        } else {
            0.5 * (low + high)
        };
        let found = gap(t);
        if found < 0.0 {
            (high, below) = (t, found);
            above *= 0.5;
        } else {
            (low, above) = (t, found);
            below *= 0.5;
        }
    }
    high
}

/// The same of a gap that is a series, times `scale` and with `offset` added: by Newton's method, which is not let out from between the
/// last two moments of either sign. What it finds is aimed at from both sides in turn, so that both close in.
pub(super) fn moment_of(series: &Series, scale: f64, offset: f64, end: f64) -> f64 {
    let gap = |t: f64| {
        let (value, slope) = with_slope(series, t);
        (offset + scale * value, scale * slope)
    };
    let (mut low, mut high) = (0.0, end);
    if gap(low).0 < 0.0 {
        return low;
    }
    let mut t = high;
    let (mut found, mut slope) = gap(t);
    for _ in 0..SEARCH_MAX {
        if high - low <= NEAR {
            break;
        }
        let beside = if found < 0.0 { -0.4 * NEAR } else { 0.4 * NEAR };
        let crossing = t - found / slope + beside;
        t = if crossing > low && crossing < high {
            crossing
        } else {
            0.5 * (low + high)
        };
        (found, slope) = gap(t);
        if found < 0.0 {
            high = t;
        } else {
            low = t;
        }
    }
    high
}

/// A series at `t`, and its slope there.
fn with_slope(series: &Series, t: f64) -> (f64, f64) {
    let (mut value, mut slope) = (0.0, 0.0);
    for c in series.iter().rev() {
        slope = slope * t + value;
        value = value * t + c;
    }
    (value, slope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_of_a_series_is_that_of_any_gap() {
        let of = |first: &[f64]| {
            let mut series = ZEROS;
            series[..first.len()].copy_from_slice(first);
            series
        };
        let cases = [
            // Straight, bent both ways, nearly grazing, and from 0 on.
            (of(&[1.0, -2.0]), 1.0, 0.0),
            (of(&[-1.0, 1.5, 1.0]), -1.0, 0.0),
            (of(&[1.0, -0.5, -1.0, 0.25]), 1.0, 0.0),
            (of(&[0.250_001, -1.0, 0.999_99]), 1.0, 0.0),
            (of(&[0.0, 1.0, -3.0]), 1.0, 0.0),
            (of(&[2.0, 3.0, 0.5, -0.1]), -0.5, 1.7),
            (
                of(&[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -8.0]),
                1.0,
                0.0,
            ),
        ];
        for (n, (series, scale, offset)) in cases.iter().enumerate() {
            let gap = |t: f64| offset + scale * at(series, t);
            for end in [1.0, 0.8, 0.5005] {
                if gap(end) >= 0.0 {
                    continue;
                }
                let (any, newton) = (moment(gap, end), moment_of(series, *scale, *offset, end));
                assert!((any - newton).abs() <= 2.0 * NEAR, "{n}: {any}, {newton}");
                // It is beyond, or it is the end: what stops has stopped.
                assert!(gap(newton) < 0.0, "{n}");
            }
        }
    }

    #[test]
    fn a_moment_of_what_is_no_number_is_within_its_piece() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut series = ZEROS;
            series[1] = bad;
            let t = moment_of(&series, 1.0, 1.0, 0.5);
            assert!((0.0..=0.5).contains(&t), "{bad}: {t}");
        }
    }

    #[test]
    fn what_is_no_number_has_not_converged() {
        assert_eq!(convergence([&[0.0; ORDER + 1]; 4]), Some(1.0));
        for none in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
            let mut series = ZEROS;
            series[0] = none;
            assert_eq!(convergence([&series, &ZEROS, &ZEROS, &ZEROS]), None);
        }
        assert_eq!(convergence([&[f64::MAX; ORDER + 1]; 4]), None);
    }
}
