//! How noisy an axis is: the bandwidth at which the observer predicts the next position best, and what noise that is.
//!
//! Of the noise only ratios decide the gains. They are chosen from the family whose optimum has three equal poles, by its one
//! parameter, the bandwidth: that of the smallest one-cycle innovation, which is the most likely one. The size of the
//! innovation then says how noisy the measurement is.

use crate::accuracy;
use crate::plan::axis_params;
use twinstep_config::machine::Axis;
use twinstep_drivers::recording::Recording;
use twinstep_models::axis::AxisParams;
use twinstep_models::channel::Channel;
use twinstep_models::kalman::{AxisNoise, steady};
use twinstep_models::lane::LANES;
use twinstep_models::press::linked::Linked;

/// Slowest bandwidth that is tried (Hz): below it the disturbance would lag behind the friction of a start.
const SLOWEST_HZ: f64 = 20.0;
/// Fastest (share of the cycle's rate): above it the observer follows the noise of every sample.
const FASTEST: f64 = 0.2;
/// Bandwidths that are tried, each this much above the one before.
const RATIO: f64 = 1.1;
/// Samples after a contact until the observer has forgotten it.
const CALM: usize = 100;
/// Cycles between two predictions that count.
const STRIDE: usize = 3;

/// Learns the noise of axis `n` from a healthy recording, with its cascade chosen. None where there is nothing to predict
/// from, or the innovation is 0: a recording without noise tells nothing of it. `linked` is what a press has between its axis and its ram.
pub(super) fn learn(
    axis: &Axis,
    n: usize,
    recordings: &[Recording],
    linked: Option<Linked>,
    free: impl Fn(f64) -> bool,
) -> Option<AxisNoise> {
    let recording = recordings.first()?;
    let record = recording.axes.get(n)?;
    let reference = record.reference_m.as_ref()?;
    let twin = axis.twin.as_ref().filter(|twin| twin.cascade.is_some())?;
    let period_s = recording.period_s;
    let inertia = twin.mass_kg / twin.force_constant_n_per_a;
    let usable = |k: usize| {
        let near = k.saturating_sub(CALM)..=k + 1;
        (record.position_m.get(near)).is_some_and(|x| x.iter().all(|x| free(*x)))
    };
    let mut bandwidths = Vec::new();
    let mut hz = SLOWEST_HZ.min(FASTEST / period_s);
    while hz <= FASTEST / period_s * (1.0 + 1e-9) {
        bandwidths.push(hz);
        hz *= RATIO;
    }
    let plain = axis_params(axis, period_s);
    let mut best: Option<(f64, f64)> = None;
    for some in bandwidths.chunks(LANES) {
        let mut params = Vec::with_capacity(LANES);
        for hz in some {
            let noise = AxisNoise::of_bandwidth(*hz, 1.0, inertia, period_s);
            params.push(AxisParams {
                observer: steady(period_s, inertia, &noise).ok()?.gains,
                ..plain
            });
        }
        let of_each = accuracy::tracks_of_each((&params, linked), recording, record, reference);
        for (hz, tracks) in some.iter().zip(&of_each) {
            let (rms, _) = accuracy::errors(tracks, Channel::PositionNext, 1, STRIDE, usable)?;
            if rms.is_finite() && best.is_none_or(|(least, _)| rms < least) {
                best = Some((rms, *hz));
            }
        }
    }
    let (rms, hz) = best.filter(|(rms, _)| *rms > 0.0)?;
    let of_one = AxisNoise::of_bandwidth(hz, 1.0, inertia, period_s);
    let share = steady(period_s, inertia, &of_one)
        .ok()?
        .innovation_m2
        .sqrt();
    Some(AxisNoise::of_bandwidth(hz, rms / share, inertia, period_s))
}
