//! Constant load and Coulomb friction, sharpened by a free run.
//!
//! Inverse dynamics leave both uncertain by their standard errors, and a free run multiplies such an error by half the square
//! of the time. So the free run decides, but only inside of what the inverse dynamics leave open: a fit made for the free run
//! alone would bend every other parameter as well.

use crate::accuracy;
use crate::plan::axis_params;
use twinstep_config::machine::{Axis, AxisTwin};
use twinstep_drivers::recording::Recording;
use twinstep_models::identify::AxisFit;

/// Longest free run that is judged (samples): beyond that noise is all that is left.
const MOST: usize = 15_000;
/// Width of the search to both sides (standard errors).
const WIDTH: f64 = 2.0;
/// Steps of the search: each narrows it to 0.618 of the last.
const STEPS: usize = 16;
/// Rounds over the two parameters.
const ROUNDS: usize = 2;

/// Searches constant load and Coulomb friction of a fitted axis in turn, in place.
pub(super) fn refine(axis: &mut Axis, n: usize, recordings: &[Recording], fit: &AxisFit) {
    let Some(first) = recordings.first() else {
        return;
    };
    let mut recording = first.clone();
    recording.time_s.truncate(MOST);
    recording.segments.retain(|s| *s < MOST);
    let Some(kf) = axis.twin.as_ref().map(|twin| twin.force_constant_n_per_a) else {
        return;
    };
    let (gravity_n, coulomb_n) = (kf * fit.gravity_a.value, kf * fit.coulomb_a.value);
    for _ in 0..ROUNDS {
        let width = WIDTH * kf * fit.gravity_a.standard_error;
        search(
            axis,
            n,
            &recording,
            (gravity_n - width, gravity_n + width),
            |twin, x| twin.gravity_n = x,
        );
        let width = WIDTH * kf * fit.coulomb_a.standard_error;
        let lowest = (coulomb_n - width).max(0.0);
        search(
            axis,
            n,
            &recording,
            (lowest, coulomb_n + width),
            |twin, x| {
                (twin.coulomb_positive_n, twin.coulomb_negative_n) = (x, x);
            },
        );
    }
}

/// Golden section over one parameter; the axis keeps what it had where that is better.
fn search(
    axis: &mut Axis,
    n: usize,
    recording: &Recording,
    range: (f64, f64),
    set: fn(&mut AxisTwin, f64),
) {
    let Some(record) = recording.axes.get(n) else {
        return;
    };
    let reference = record.reference_m.as_ref().unwrap_or(&record.position_m);
    let with = |x: Option<f64>| {
        let mut axis = axis.clone();
        if let (Some(twin), Some(x)) = (&mut axis.twin, x) {
            set(twin, x);
        }
        axis
    };
    let error_of = |axis: &Axis| {
        let tracks = accuracy::tracks(
            axis_params(axis, recording.period_s),
            recording,
            record,
            reference,
        );
        let (samples, error, _) = accuracy::free_run_squares(&tracks);
        if samples > 0 { error } else { f64::INFINITY }
    };
    let at = |x: f64| error_of(&with(Some(x)));
    const RATIO: f64 = 0.618_033_988_749_894_9;
    let (mut low, mut high) = range;
    let (mut a, mut b) = (high - RATIO * (high - low), low + RATIO * (high - low));
    let (mut at_a, mut at_b) = (at(a), at(b));
    for _ in 0..STEPS {
        if at_a < at_b {
            (high, b, at_b) = (b, a, at_a);
            a = high - RATIO * (high - low);
            at_a = at(a);
        } else {
            (low, a, at_a) = (a, b, at_b);
            b = low + RATIO * (high - low);
            at_b = at(b);
        }
    }
    let best = with(Some(0.5 * (low + high)));
    if error_of(&best) < error_of(axis) {
        *axis = best;
    }
}
