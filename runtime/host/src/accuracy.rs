//! How far the twin can be believed: its errors over horizons and in free run, beside what needs no physics at all.
//!
//! A horizon of h cycles starts from what the twin knew at cycle k and uses no measurement after it; the reference is known
//! ahead, since a controller knows where it will go. Free run starts from the measured initial state and is driven by the
//! measured effort alone. A drive that is not enabled follows nothing: such cycles end a stretch. Of a press those starts count that neither
//! come from a part nor lead into one, and there is no free run, which a part would end.
#![allow(
    clippy::needless_range_loop,
    reason = "one sample index runs over several records"
)]

use crate::arx::{Arx, ORDER};
use crate::calibration::free_of_part;
use crate::lines::{AccuracyLine, FreeRunLine};
use crate::plan::{PlanStore, behind};
use twinstep_config::machine::{Axis, Machine};
use twinstep_drivers::recording::{AxisRecord, Recording};
use twinstep_models::axis::cascade::TARGETS;
use twinstep_models::axis::told::Told;
use twinstep_models::axis::{AxisParams, AxisState, LaneParams, Reference, cascade, observer};
use twinstep_models::channel::Channel;
use twinstep_models::lane::{LANES, ZERO};
use twinstep_models::press::linked::Linked;
use twinstep_models::sample;

/// Horizons of the table (cycles).
pub const HORIZONS: [usize; 4] = [1, 10, 100, 1000];
/// Most starts per horizon: beyond that the figures do not change any more.
const MOST_STARTS: usize = 20_000;
/// Shortest stretch that is judged (cycles).
const LEAST_CYCLES: usize = 1000;
/// Step of the constant load whose effect on the free run is told (N).
const OFFSET_STEP_N: f64 = 0.1;
/// Cycles that the observer is given before the first start.
const LOCK_CYCLES: usize = 500;
/// Cycles after a part until the observer has forgotten it.
const CALM_CYCLES: usize = 100;

/// What the twin knew after each cycle of one segment of one axis.
pub struct Track<'a> {
    params: AxisParams,
    linked: Option<Linked>,
    period_s: f64,
    record: &'a AxisRecord,
    reference: &'a [f64],
    /// Estimate after cycle k: what was told until then stands in the record.
    known: Vec<Estimate>,
    from: usize,
    to: usize,
}

/// The state of one axis: see [`AxisState`], in its order.
type Estimate = [f64; 6];

fn estimate(s: &AxisState, l: usize) -> Estimate {
    [
        s.position_m[l],
        s.velocity_m_per_s[l],
        s.current_a[l],
        s.reported_a[l],
        s.integral_a[l],
        s.disturbance_a[l],
    ]
}

fn put(s: &mut AxisState, l: usize, estimate: &Estimate) {
    [
        s.position_m[l],
        s.velocity_m_per_s[l],
        s.current_a[l],
        s.reported_a[l],
        s.integral_a[l],
        s.disturbance_a[l],
    ] = *estimate;
}

/// Judges every axis that has a twin with a cascade; segments are judged apart and added up.
pub fn judge(
    machine: &Machine,
    plan: &PlanStore,
    recording: &Recording,
) -> (Vec<AccuracyLine>, Vec<FreeRunLine>) {
    let (mut tables, mut free) = (Vec::new(), Vec::new());
    let presses = machine.presses.iter().map(|press| &press.axis);
    let all = machine.axes.iter().chain(presses).zip(&recording.axes);
    for (n, (axis, record)) in all.enumerate() {
        let enabled = while_enabled(record);
        let record = enabled.as_ref().unwrap_or(record);
        let (Some(params), Some(reference)) = (plan.params.get(n), &record.reference_m) else {
            continue;
        };
        let Some(twin) = &axis.twin else {
            continue;
        };
        let press = n.checked_sub(machine.axes.len());
        let press = press.and_then(|n| machine.presses.get(n));
        let is_press = press.is_some();
        let linked = press.and_then(|press| behind(press, twin.force_constant_n_per_a));
        let tracks = tracks(*params, linked, recording, record, reference);
        if !is_press {
            free.extend(free_run(axis, twin.force_constant_n_per_a, &tracks));
        }
        let usable = |k: usize, horizon: usize| {
            let near = k.saturating_sub(CALM_CYCLES)..=k + horizon;
            let near = record.position_m.get(near);
            !is_press || near.is_some_and(|x| x.iter().all(|x| free_of_part(machine, n, *x)))
        };
        if params.cascade_valid {
            for channel in [Channel::PositionNext, Channel::CurrentNext] {
                let unit = if channel == Channel::PositionNext {
                    axis.kind.unit("m")
                } else {
                    axis.effort()
                };
                for horizon in HORIZONS {
                    let about = (axis.name.as_str(), unit);
                    tables.extend(table(about, channel, horizon, &tracks, usable));
                }
            }
        }
    }
    (tables, free)
}

/// The record with nothing measured where the drive was not enabled; none where that is nowhere, or not known.
fn while_enabled(record: &AxisRecord) -> Option<AxisRecord> {
    let knows = record.enabled.iter().any(|on| *on);
    if !knows || record.enabled.iter().all(|on| *on) {
        return None;
    }
    let mut masked = record.clone();
    for (x, on) in masked.position_m.iter_mut().zip(&record.enabled) {
        if !on {
            *x = f64::NAN;
        }
    }
    Some(masked)
}

/// Runs the twin with `params` over every stretch of an axis that was measured without a gap. `linked` is what a press has between its axis
/// and its ram.
pub fn tracks<'a>(
    params: AxisParams,
    linked: Option<Linked>,
    recording: &Recording,
    record: &'a AxisRecord,
    reference: &'a [f64],
) -> Vec<Track<'a>> {
    let mut of_each = tracks_of_each((&[params], linked), recording, record, reference);
    of_each.pop().unwrap_or_default()
}

/// The same with each of several sets of parameters, eight side by side: the tracks of each set.
pub fn tracks_of_each<'a>(
    (params, linked): (&[AxisParams], Option<Linked>),
    recording: &Recording,
    record: &'a AxisRecord,
    reference: &'a [f64],
) -> Vec<Vec<Track<'a>>> {
    let stretches = stretches(recording, record, reference);
    let mut of_each = Vec::with_capacity(params.len());
    for some in params.chunks(LANES) {
        let first = of_each.len();
        of_each.resize_with(first + some.len(), Vec::new);
        for &(from, to) in &stretches {
            let twins = (some, linked);
            let found = side_by_side(twins, recording.period_s, record, reference, (from, to));
            for (tracks, track) in of_each[first..].iter_mut().zip(found) {
                tracks.push(track);
            }
        }
    }
    of_each
}

/// Stretches without a gap, inside of the segments and long enough to be judged.
fn stretches(recording: &Recording, r: &AxisRecord, reference: &[f64]) -> Vec<(usize, usize)> {
    let measured = |k: usize| {
        r.position_m[k].is_finite() && r.current_a[k].is_finite() && reference[k].is_finite()
    };
    let mut all = Vec::new();
    let mut from = None;
    for k in 0..=recording.time_s.len() {
        let end = k == recording.time_s.len()
            || !measured(k)
            || recording.segments.contains(&k)
            || (k > 0 && !told(r, k).0.same_mode(told(r, k - 1).0));
        if let (true, Some(start)) = (end, from) {
            if k - start > LEAST_CYCLES {
                all.push((start, k));
            }
            from = None;
        }
        if from.is_none() && k < recording.time_s.len() && measured(k) {
            from = Some(k);
        }
    }
    all
}

/// What the axis was told besides in cycle `k`.
fn told(r: &AxisRecord, k: usize) -> (sample::Told, f64, f64) {
    let told = r.told.get(k).copied();
    told.unwrap_or((sample::Told::Position, 0.0, 0.0))
}

/// Advances axes by a cycle, told what they are.
fn advance(
    (lane, linked): (&LaneParams, Option<&Linked>),
    targets: &Reference,
    told: &Told,
    state: &mut AxisState,
) {
    if let Some(linked) = linked {
        linked.advance(lane, targets, told, u8::MAX, state);
    } else if told.any() == 0 {
        cascade::advance(lane, targets, state, &ZERO);
    } else {
        cascade::advance_told(lane, targets, told, state, None);
    }
}

/// Runs up to eight twins over a segment just as the pipeline does.
fn side_by_side<'a>(
    (params, linked): (&[AxisParams], Option<Linked>),
    period_s: f64,
    record: &'a AxisRecord,
    reference: &'a [f64],
    (from, to): (usize, usize),
) -> Vec<Track<'a>> {
    let lane = LaneParams::new(params, period_s);
    let used = u8::MAX >> (LANES - params.len());
    let mut state = AxisState::REST;
    // The first sample of a recording without a velocity column has none.
    let velocity = Some(record.velocity_m_per_s[from])
        .filter(|v| v.is_finite())
        .unwrap_or(0.0);
    for l in 0..params.len() {
        let (x, i) = (record.position_m[from], record.current_a[from]);
        observer::lock(&lane, &mut state, l, x, velocity, i);
    }
    let mut all: Vec<Track<'a>> = (params.iter().enumerate())
        .map(|(l, params)| {
            let mut known = Vec::with_capacity(to - from);
            known.push(estimate(&state, l));
            Track {
                params: *params,
                linked,
                period_s,
                record,
                reference,
                known,
                from,
                to,
            }
        })
        .collect();
    let (mut targets, mut besides) = (Reference::default(), Told::NOTHING);
    for l in 0..params.len() {
        recall(
            record,
            reference,
            from,
            from,
            (&mut targets, &mut besides),
            l,
        );
    }
    for k in from + 1..to {
        advance((&lane, linked.as_ref()), &targets, &besides, &mut state);
        let (position, current) = ([record.position_m[k]; LANES], [record.current_a[k]; LANES]);
        observer::correct(&lane, &lane.gains, &mut state, &position, &current, used);
        targets.push(&[reference[k]; LANES]);
        let (told, m_per_s, a) = told(record, k);
        for l in 0..params.len() {
            besides.push(l, told, m_per_s, a);
        }
        for (l, track) in all.iter_mut().enumerate() {
            track.known.push(estimate(&state, l));
        }
    }
    all
}

/// Puts into place `l` what an axis had been told until cycle `k` of a stretch that begins at `from`, as if its first cycle had been there
/// for ever.
fn recall(
    record: &AxisRecord,
    reference: &[f64],
    from: usize,
    k: usize,
    (targets, besides): (&mut Reference, &mut Told),
    l: usize,
) {
    for ago in (0..TARGETS).rev() {
        let then = k.saturating_sub(ago).max(from);
        targets.put_ago(ago, l, reference[then]);
        let (told, m_per_s, a) = told(record, then);
        besides.push(l, told, m_per_s, a);
    }
}

impl Track<'_> {
    /// Rolls the twin from each start over `horizon` cycles, eight starts side by side.
    fn ahead(&self, starts: &[usize], horizon: usize, channel: Channel) -> Vec<f64> {
        // The reference is known ahead: it is pushed a cycle early, and the dead time grows by that cycle.
        let params = AxisParams {
            dead_time_s: self.params.dead_time_s + self.period_s,
            reference_delay_s: (self.params.reference_delay_s).map(|delay| delay + self.period_s),
            ..self.params
        };
        let lane = LaneParams::new(&[params; LANES], self.period_s);
        let mut out = Vec::with_capacity(starts.len());
        for group in starts.chunks(LANES) {
            let mut state = AxisState::REST;
            let (mut targets, mut besides) = (Reference::default(), Told::NOTHING);
            for (l, k) in group.iter().enumerate() {
                put(&mut state, l, &self.known[k - self.from]);
                let into = (&mut targets, &mut besides);
                recall(self.record, self.reference, self.from, *k, into, l);
            }
            for step in 1..=horizon {
                let mut next = ZERO;
                for (l, k) in group.iter().enumerate() {
                    next[l] = self.reference[k + step];
                    let (told, m_per_s, a) = told(self.record, k + step);
                    besides.push(l, told, m_per_s, a);
                }
                targets.push(&next);
                let twin = (&lane, self.linked.as_ref());
                advance(twin, &targets, &besides, &mut state);
            }
            let values = if channel == Channel::PositionNext {
                &state.position_m
            } else {
                &state.reported_a
            };
            out.extend_from_slice(&values[..group.len()]);
        }
        out
    }
}

/// Root mean square errors of the twin and of holding the last value, over the starts that are `stride` apart and `usable`.
pub fn errors(
    tracks: &[Track<'_>],
    channel: Channel,
    horizon: usize,
    stride: usize,
    usable: impl Fn(usize) -> bool,
) -> Option<(f64, f64)> {
    let (mut n, mut twin_sum, mut hold_sum) = (0_u64, 0.0, 0.0);
    for t in tracks {
        let y = if channel == Channel::PositionNext {
            &t.record.position_m
        } else {
            &t.record.current_a
        };
        let all = (t.from + LOCK_CYCLES..t.to.saturating_sub(horizon)).step_by(stride);
        let starts: Vec<usize> = all.filter(|k| usable(*k)).collect();
        for (k, twin) in starts.iter().zip(t.ahead(&starts, horizon, channel)) {
            let truth = y[k + horizon];
            n += 1;
            twin_sum += (twin - truth) * (twin - truth);
            hold_sum += (y[*k] - truth) * (y[*k] - truth);
        }
    }
    (n > 0).then(|| ((twin_sum / n as f64).sqrt(), (hold_sum / n as f64).sqrt()))
}

#[derive(Default)]
struct Squares {
    n: usize,
    twin: f64,
    hold: f64,
    linear: f64,
    arx: f64,
    arx_n: usize,
}

fn table(
    (source, unit): (&str, &'static str),
    channel: Channel,
    horizon: usize,
    tracks: &[Track<'_>],
    usable: impl Fn(usize, usize) -> bool,
) -> Option<AccuracyLine> {
    let mut sums = Squares::default();
    for t in tracks {
        let y = match channel {
            Channel::PositionNext => &t.record.position_m[t.from..t.to],
            _ => &t.record.current_a[t.from..t.to],
        };
        let reference = &t.reference[t.from..t.to];
        let first = LOCK_CYCLES.max(ORDER);
        let Some(last) = y.len().checked_sub(horizon) else {
            continue;
        };
        if last <= first {
            continue;
        }
        let stride = (last - first)
            .div_ceil(MOST_STARTS * 1000 / (1000 + 4 * horizon))
            .max(1);
        let starts: Vec<usize> = (first..last)
            .step_by(stride)
            .filter(|k| usable(k + t.from, horizon))
            .collect();
        let absolute: Vec<usize> = starts.iter().map(|k| k + t.from).collect();
        let arx = Arx::fit(y, Some(reference), y.len() / 2);
        let mut buffer = Vec::new();
        for (k, twin) in starts.iter().zip(t.ahead(&absolute, horizon, channel)) {
            let truth = y[k + horizon];
            let square = |x: f64| (x - truth) * (x - truth);
            sums.n += 1;
            sums.twin += square(twin);
            sums.hold += square(y[*k]);
            sums.linear += square(y[*k] + (y[*k] - y[k - 1]) * horizon as f64);
            if let Some(arx) = &arx {
                sums.arx += square(arx.ahead(y, Some(reference), *k, horizon, &mut buffer));
                sums.arx_n += 1;
            }
        }
    }
    if sums.n == 0 {
        return None;
    }
    let rms = |sum: f64| (sum / sums.n as f64).sqrt();
    let arx = rms(sums.arx);
    Some(AccuracyLine {
        source: source.to_owned(),
        channel: channel.name().to_owned(),
        unit: unit.to_owned(),
        horizon_cycles: horizon as u64,
        samples: sums.n as u64,
        twin_rms: rms(sums.twin),
        hold_rms: rms(sums.hold),
        linear_rms: rms(sums.linear),
        // Not a number is printed as null: there is no such model for this record.
        arx10_rms: if sums.arx_n == sums.n { arx } else { f64::NAN },
    })
}

fn free_run(axis: &Axis, kf: f64, tracks: &[Track<'_>]) -> Option<FreeRunLine> {
    let fit = |(_, error, spread): (u64, f64, f64)| 100.0 * (1.0 - (error / spread).sqrt());
    let as_is = free_run_with(tracks, 0.0);
    let (n, error, _) = as_is;
    (n > 0).then(|| FreeRunLine {
        source: axis.name.clone(),
        channel: "position".to_owned(),
        unit: axis.kind.unit("m").to_owned(),
        samples: n,
        rms: (error / n as f64).sqrt(),
        fit_percent: fit(as_is),
        offset_step_n: OFFSET_STEP_N,
        fit_percent_offset_less: fit(free_run_with(tracks, -OFFSET_STEP_N / kf)),
        fit_percent_offset_more: fit(free_run_with(tracks, OFFSET_STEP_N / kf)),
    })
}

/// Samples, squared error and squared distance from the mean of a free run over all tracks, with `more_a` of constant load.
fn free_run_with(tracks: &[Track<'_>], more_a: f64) -> (u64, f64, f64) {
    let (mut n, mut error, mut spread) = (0_u64, 0.0, 0.0);
    for t in tracks {
        let (x, i) = (
            &t.record.position_m[t.from..t.to],
            &t.record.current_a[t.from..t.to],
        );
        let lane = LaneParams::new(&[t.params], t.period_s);
        let mean = x.iter().sum::<f64>() / x.len() as f64;
        let (mut position, mut velocity) = (x[0], (x[1] - x[0]) / t.period_s);
        for k in 0..x.len() {
            error += (x[k] - position) * (x[k] - position);
            spread += (x[k] - mean) * (x[k] - mean);
            n += 1;
            let next = i.get(k + 1).copied().unwrap_or(i[k]);
            // Between two samples the effort is held by a sampled drive, else taken as a straight line.
            let pieces = twinstep_models::axis::params::SUBSTEPS;
            for piece in 0..pieces {
                let share = if t.params.sampled {
                    0.0
                } else {
                    (piece as f64 + 0.5) / pieces as f64
                };
                let effort = i[k] + share * (next - i[k]);
                (position, velocity) =
                    cascade::mechanics(&lane, 0, position, velocity, effort, more_a, lane.step_s);
            }
        }
    }
    (n, error, spread)
}
