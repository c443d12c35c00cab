//! Which drive cascade predicts best: the one of the drive's own gains (as its table has them, or as the recording says), or one fitted to
//! the recording; or none.

use super::force_constant;
use super::gains::Gains;
use crate::accuracy;
use crate::plan::axis_params;
use twinstep_config::machine::{Axis, Cascade, EffortUnit};
use twinstep_drivers::recording::Recording;
use twinstep_models::axis::{AxisParams, range};
use twinstep_models::channel::Channel;
use twinstep_models::identify::{self, CascadeFit, fit_cascade};
use twinstep_models::lane::LANES;
use twinstep_models::press::linked::Linked;
use twinstep_models::sample::Told;

/// Samples of the first recording over which cascades are compared.
const LOOKED_AT: usize = 30_000;
/// Horizon at which cascades are compared (cycles): long enough that the drive has reacted to its own error.
const HORIZON: usize = 10;
/// Samples after a contact until the observer has forgotten it.
const CALM: usize = 100;
/// The score of holding the last value.
const HOLD: f64 = 1.0;
/// Cycles between two starts.
const STRIDE: usize = 37;

/// What came of a choice beside the cascade itself.
#[derive(Default)]
pub(super) struct Chosen {
    /// The cascade that was fitted to the recording, if it was.
    pub(super) fitted: Option<CascadeFit>,
    /// The gains of the drive's table against the recordings, or why they do not say them.
    pub(super) gains: Option<Result<Gains, String>>,
    /// A remark where no cascade predicts better than holding the last value.
    pub(super) remark: Option<String>,
}

/// Chooses the cascade of a fitted axis, in place, `gains` being what the recordings say of those of its drive, `linked` what a press
/// has between its axis and its ram, and `carried_kg` what it moves of that wherever it is.
///
/// Starts near a position where `free` says that the axis is in a part are left out: the part is not known yet.
pub(super) fn choose(
    axis: &mut Axis,
    n: usize,
    recordings: &[Recording],
    (gains, linked, carried_kg): (Option<Result<Gains, String>>, Option<Linked>, f64),
    free: impl Fn(f64) -> bool,
) -> Chosen {
    let Some(recording) = recordings.first().map(shortened) else {
        return Chosen::default();
    };
    let Some(record) = recording.axes.get(n).filter(|_| axis.twin.is_some()) else {
        return Chosen::default();
    };
    let Some(reference) = record.reference_m.as_ref() else {
        let why = "the recording has no reference";
        let remark = format!("{}: no cascade, {why}", axis.name);
        if let Some(twin) = &mut axis.twin {
            twin.cascade_off = Some(why.to_owned());
        }
        return Chosen {
            remark: Some(remark),
            ..Chosen::default()
        };
    };
    let identified = gains.as_ref().and_then(|found| found.as_ref().ok());
    let (candidates, fitted) = candidates(axis, &recording, n, identified);
    let mut hold = f64::INFINITY;
    let mut refused = None;
    let mut best_of = |axis: &mut Axis, candidates: &[Cascade], all_modes: bool| {
        let usable = |k: usize| {
            let told = record.told.get(k).map_or(Told::Position, |told| told.0);
            let near = k.saturating_sub(CALM)..=k + HORIZON;
            record
                .position_m
                .get(near)
                .is_some_and(|x| x.iter().all(|x| free(*x)))
                && (all_modes || told.same_mode(Told::Position))
        };
        let mut allowed = Vec::new();
        let carried = carried_kg / force_constant(axis);
        for candidate in candidates {
            if let Some(twin) = &mut axis.twin {
                twin.cascade = Some(*candidate);
            }
            let params = axis_params(axis, recording.period_s);
            // What `check` would refuse is not written.
            match range::loops_carrying(&params, carried, recording.period_s) {
                Ok(()) => allowed.push((*candidate, params)),
                Err(error) => refused = Some(error),
            }
        }
        let mut best: Option<(f64, Cascade)> = None;
        for some in allowed.chunks(LANES) {
            let params: Vec<AxisParams> = some.iter().map(|(_, params)| *params).collect();
            let of_each =
                accuracy::tracks_of_each((&params, linked), &recording, record, reference);
            for ((candidate, _), tracks) in some.iter().zip(&of_each) {
                let errors = |channel| accuracy::errors(tracks, channel, HORIZON, STRIDE, usable);
                let both = errors(Channel::PositionNext).zip(errors(Channel::CurrentNext));
                let Some(((x, x_hold), (i, i_hold))) = both else {
                    continue;
                };
                hold = HOLD;
                let score = (x / x_hold).max(i / i_hold);
                if score.is_finite() && best.is_none_or(|(b, _)| score < b) {
                    best = Some((score, *candidate));
                }
            }
        }
        best
    };
    let mut best = best_of(axis, &candidates, false);
    let contradicts = identified.is_some_and(|one| one.fit.contradicts());
    if contradicts && best.is_none_or(|(score, _)| score >= HOLD) {
        // What the current says is no twin of it: that of the table may be one.
        let table = self::candidates(axis, &recording, n, None).0;
        best = best_of(axis, &table, false);
    }
    let mut unseen = None;
    if record.told.iter().any(|told| told.0 != Told::Position) {
        // What is told besides positions has a delay of its own; without positions it stands for their dead time.
        let delays: Vec<Cascade> = match best {
            Some((_, chosen)) => dead_times(0.0, 3.0, recording.period_s)
                .map(|delay_s| Cascade {
                    reference_delay_s: Some(delay_s),
                    ..chosen
                })
                .collect(),
            None => {
                unseen = Some(format!(
                    "{}: the recordings hold no csp, so that nothing shows the gain of the position loop: it is the drive's own",
                    axis.name
                ));
                candidates
            }
        };
        best = best_of(axis, &delays, true);
    }
    let chosen = best
        .filter(|(score, _)| *score < hold)
        .map(|(_, cascade)| cascade);
    let off = chosen
        .is_none()
        .then(|| match refused.filter(|_| hold.is_infinite()) {
            None => "no cascade predicts better than the last value".to_owned(),
            Some(error) => format!(
                "no cascade was compared: those that were tried are beyond a period of {} s, {error}",
                recording.period_s
            ),
        });
    let remark = off.as_ref().map(|why| {
        format!(
            "{}: position_next, velocity_next and current_next are off, {why}",
            axis.name
        )
    });
    if let Some(twin) = &mut axis.twin {
        twin.cascade = chosen;
        twin.cascade_off = off;
    }
    Chosen {
        fitted: fitted.filter(|_| chosen.is_some()),
        gains: gains.and_then(|found| told_of(found, chosen.as_ref())),
        remark: remark.or(unseen),
    }
}

/// What is told of the gains beside the cascade that was chosen: without one nothing has gains.
fn told_of(
    found: Result<Gains, String>,
    chosen: Option<&Cascade>,
) -> Option<Result<Gains, String>> {
    let Ok(gains) = found else {
        return Some(found);
    };
    let _ = chosen?;
    let [kx, kv, _] = gains.written();
    let is_written = |cascade: &Cascade| {
        cascade.position_gain_per_s == kx && cascade.velocity_gain_a_s_per_m == kv
    };
    Some(if chosen.is_some_and(is_written) {
        Ok(gains)
    } else if gains.fit.contradicts() {
        Err(format!(
            "its current alone says {kx:.2} /s and {kv:.2} A s/m, but with them the twin predicts no better than the last value"
        ))
    } else {
        return None;
    })
}

fn shortened(recording: &Recording) -> Recording {
    let mut short = recording.clone();
    short.time_s.truncate(LOOKED_AT);
    short.segments.retain(|s| *s < LOOKED_AT);
    short
}

/// Dead times worth a try (s), from and to so many periods.
fn dead_times(from: f64, to: f64, period_s: f64) -> impl Iterator<Item = f64> {
    let steps = ((to - from) / 0.1).round() as usize;
    (0..=steps).map(move |s| (from + 0.1 * s as f64) * period_s)
}

/// Cascades that are worth a try, and the fit that they come from, if they do.
fn candidates(
    axis: &Axis,
    recording: &Recording,
    n: usize,
    identified: Option<&Gains>,
) -> (Vec<Cascade>, Option<CascadeFit>) {
    let period_s = recording.period_s;
    let mut all = Vec::new();
    if axis.effort_unit == EffortUnit::Ampere {
        let drive = &axis.drive;
        let table = [
            drive.position_gain_per_s,
            drive.velocity_gain_a_s_per_m,
            drive.velocity_integral_time_s,
        ];
        let limit_a = drive.rated_current_a * f64::from(drive.max_torque_permille) / 1000.0;
        let [kx, kv, time_s] = identified.map_or(table, Gains::written);
        all.extend(dead_times(1.0, 3.0, period_s).map(|dead_time_s| Cascade {
            position_gain_per_s: kx,
            velocity_gain_a_s_per_m: kv,
            integral_gain_a_per_m: kv / time_s,
            velocity_feedforward: 1.0,
            dead_time_s,
            reference_delay_s: None,
            limit_a,
            current_time_constant_s: drive.current_time_constant_s,
            current_filter_s: drive.torque_filter_s,
            sampled: false,
        }));
        return (all, None);
    }
    let Some(record) = recording.axes.get(n) else {
        return (all, None);
    };
    let Some(reference) = record.reference_m.as_ref() else {
        return (all, None);
    };
    let length = recording.time_s.len();
    let usable: Vec<bool> = (0..length)
        .map(|k| {
            record.position_m[k].is_finite()
                && record.current_a[k].is_finite()
                && reference[k].is_finite()
        })
        .collect();
    let most = record.current_a.iter().fold(0.0_f64, |m, i| m.max(i.abs()));
    let fit = fit_cascade(
        &identify::AxisRecord {
            period_s,
            position_m: &record.position_m[..length],
            current_a: &record.current_a[..length],
            reference_m: &reference[..length],
            usable: &usable,
        },
        1.02 * most,
    );
    if let Some(fit) = fit {
        // A sampled drive takes its reference at the sample; a continuous one may lie between two.
        let (from, to) = if fit.sampled {
            (fit.dead_cycles, fit.dead_cycles)
        } else {
            ((fit.dead_cycles - 1.0).max(0.0), fit.dead_cycles + 1.0)
        };
        for dead_time_s in dead_times(from, to, period_s) {
            all.push(Cascade {
                position_gain_per_s: fit.position_gain_per_s,
                velocity_gain_a_s_per_m: fit.velocity_gain,
                integral_gain_a_per_m: 0.0,
                velocity_feedforward: fit.velocity_feedforward.clamp(0.0, 1.0),
                dead_time_s,
                reference_delay_s: None,
                // What was never reached cannot be known; twice the largest seen leaves the model free.
                limit_a: 2.0 * most * force_constant(axis),
                current_time_constant_s: 0.0,
                current_filter_s: 0.0,
                sampled: fit.sampled,
            });
        }
    }
    (all, fit)
}
