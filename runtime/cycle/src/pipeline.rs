//! The pipeline: a pure function of plan, state, stamp and samples.
//!
//! The host calls, in this order: [`Pipeline::predict`] while the frame is on the wire, [`Pipeline::compare`] when the
//! samples are there, takes the events out of the outbox, and then [`Pipeline::correct`]. What `compare` does is all that
//! stands between a frame and its flag.

use crate::digest::{finish, mix, mix_event, mix_stroke};
use crate::event::{Detector, EventState, Severity, Source};
use crate::judge::{AxisJudge, Occasion};
use crate::outbox::Outbox;
use crate::plan::{AxisPlan, Plan};
use crate::press::{PressPlan, PressSample, StrokeJudge, StrokeRecord};
use crate::station::StationJudge;
use twinstep_models::axis::load::{LoadEstimate, LoadWindow};
use twinstep_models::axis::{AxisState, Reference, cascade, observer};
use twinstep_models::blocks::LoadSample;
use twinstep_models::cause::Cause;
use twinstep_models::channel::{Channel, Regime};
use twinstep_models::lane::{LANES, Lane, ZERO};
use twinstep_models::sample::{Context, CycleStamp, DriveState, Missing, Samples};

/// Good cycles after which a bus fault is cleared.
const BUS_CALM_CYCLES: u32 = 1000;
/// Below this velocity on the way in (m/s) the ram is on its way back; while it holds, the velocity is noise around 0.
const RETURNING_M_PER_S: f64 = -1.0e-4;
/// Cycles that an axis may coast before its next sample locks it anew.
const COAST_CYCLES: u32 = 20;

/// State of eight axes.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneState {
    /// What the twin believes; after `predict` it is the prediction for the coming sample.
    pub twin: AxisState,
    /// Targets sent.
    pub reference: Reference,
    /// Window of `current_load`.
    pub window: LoadWindow,
    /// What the window says.
    pub load: LoadEstimate,
    measured_m: Lane,
    measured_a: Lane,
    target_m: Lane,
    contact_a: Lane,
    /// What was predicted for this cycle, before the measurement was taken in.
    predicted: [Lane; 3],
    /// 1 where the sample of this cycle may be used.
    used: Lane,
    /// 1 where the axis has been locked, else the next good sample locks it.
    locked: Lane,
    hash: [u64; LANES],
}

impl LaneState {
    /// Nothing known yet.
    pub const NEW: Self = Self {
        twin: AxisState::REST,
        reference: Reference {
            history_m: [ZERO; cascade::TARGETS],
        },
        window: LoadWindow::EMPTY,
        load: LoadEstimate::NONE,
        measured_m: ZERO,
        measured_a: ZERO,
        target_m: ZERO,
        contact_a: ZERO,
        predicted: [ZERO; 3],
        used: ZERO,
        locked: ZERO,
        hash: [0; LANES],
    };
}

/// State of the whole pipeline; slices are owned by the host and as long as the plan's.
#[derive(Debug)]
pub struct Pipeline<'a> {
    plan: Plan<'a>,
    lanes: &'a mut [LaneState],
    axes: &'a mut [AxisJudge],
    stations: &'a mut [StationJudge],
    presses: &'a mut [StrokeJudge],
    /// Events of this cycle.
    pub outbox: Outbox,
    part: u8,
    bus_raised: bool,
    bus_good: u32,
    bus_cause: Cause,
    hash: u64,
}

impl<'a> Pipeline<'a> {
    /// Ties a plan to its state. Lengths that do not match are cut to the shortest.
    pub fn new(
        plan: Plan<'a>,
        lanes: &'a mut [LaneState],
        axes: &'a mut [AxisJudge],
        stations: &'a mut [StationJudge],
        presses: &'a mut [StrokeJudge],
    ) -> Self {
        for axis in axes.iter_mut() {
            axis.settle(plan.thresholds.settle_cycles);
        }
        let outbox = Outbox::default();
        let bus_cause = Cause::FramesLost;
        Self {
            plan,
            lanes,
            axes,
            stations,
            presses,
            outbox,
            part: 0,
            bus_raised: false,
            bus_good: 0,
            bus_cause,
            hash: 0,
        }
    }

    /// The plan in force.
    pub fn plan(&self) -> &Plan<'a> {
        &self.plan
    }

    /// Advances every model to the sample that is about to arrive.
    pub fn predict(&mut self) {
        let part = usize::from(self.part);
        for (n, (params, lane)) in self
            .plan
            .lanes
            .iter()
            .zip(self.lanes.iter_mut())
            .enumerate()
        {
            for l in 0..LANES {
                if let Some(axis) = self.plan.axes.get(n * LANES + l) {
                    lane.contact_a[l] = contact_a(
                        axis,
                        part,
                        lane.twin.position_m[l],
                        lane.twin.velocity_m_per_s[l],
                    );
                }
            }
            cascade::advance(params, &lane.reference, &mut lane.twin, &lane.contact_a);
            lane.predicted = [
                lane.twin.position_m,
                lane.twin.velocity_m_per_s,
                lane.twin.reported_a,
            ];
        }
        for (plan, station) in self.plan.stations.iter().zip(self.stations.iter_mut()) {
            station.predict(plan);
        }
    }

    /// Compares the samples with the predictions; what deviates is in the outbox afterwards.
    pub fn compare(&mut self, stamp: CycleStamp, samples: &Samples<'_>) {
        self.bus(stamp, samples);
        for (n, (sample, plan)) in samples.axes.iter().zip(self.plan.axes).enumerate() {
            let (Some(lane), Some(judge)) = (self.lanes.get_mut(n / LANES), self.axes.get_mut(n))
            else {
                break;
            };
            let l = n % LANES;
            let at = Occasion {
                stamp,
                source: Source::Axis(n as u16),
                context: samples.context,
            };
            let r = match sample {
                Ok(r) => r,
                Err(reason) => {
                    // The axis coasts; nothing is judged until the observer has taken in enough samples again. After a
                    // gap, or when it has coasted for long, it may be anywhere: the next sample locks it.
                    lane.used[l] = 0.0;
                    judge.settle(self.plan.thresholds.settle_cycles);
                    judge.coasted = judge.coasted.saturating_add(1);
                    if *reason == Missing::Gap || judge.coasted > COAST_CYCLES {
                        lane.locked[l] = 0.0;
                    }
                    continue;
                }
            };
            judge.coasted = 0;
            lane.used[l] = 1.0;
            lane.measured_m[l] = r.position_m;
            lane.measured_a[l] = r.current_a;
            lane.target_m[l] = r.target_m;
            let enabled = r.state == DriveState::OperationEnabled;
            if lane.locked[l] == 0.0 || !enabled {
                let Some(params) = self.plan.lanes.get(n / LANES) else {
                    break;
                };
                observer::lock(
                    params,
                    &mut lane.twin,
                    l,
                    r.position_m,
                    r.velocity_m_per_s,
                    r.current_a,
                );
                for target in &mut lane.reference.history_m {
                    target[l] = r.target_m;
                }
                lane.locked[l] = 1.0;
                judge.settle(self.plan.thresholds.settle_cycles);
            } else if judge.settle_left > 0 {
                judge.settle_left -= 1;
            } else {
                let predicted = [
                    lane.twin.position_m[l],
                    lane.twin.velocity_m_per_s[l],
                    lane.twin.reported_a[l],
                ];
                let measured = [r.position_m, r.velocity_m_per_s, r.current_a];
                judge.fast_limit(plan, &at, measured, predicted, &mut self.outbox);
            }
            judge.states(plan, &at, r, &mut self.outbox);
        }
        for (n, (sample, plan)) in samples.stations.iter().zip(self.plan.stations).enumerate() {
            if let Some(station) = self.stations.get_mut(n) {
                let at = Occasion {
                    stamp,
                    source: Source::Station(n as u16),
                    context: samples.context,
                };
                station.compare(plan, &self.plan.thresholds, &at, sample, &mut self.outbox);
            }
        }
    }

    /// Observers take the measurement in; then the slow channel, whose evidence is that of whole movements, is judged.
    pub fn correct(&mut self, stamp: CycleStamp, samples: &Samples<'_>) {
        let part = usize::from(samples.context.part);
        let lanes = self
            .lanes
            .iter_mut()
            .zip(self.plan.lanes.iter().zip(self.plan.delay_cycles));
        for (n, (lane, (params, delay))) in lanes.enumerate() {
            hash_lane(lane);
            observer::correct(
                params,
                &mut lane.twin,
                &lane.measured_m,
                &lane.measured_a,
                &lane.used,
            );
            lane.reference.push(&lane.target_m);
            let base = n * LANES;
            for l in 0..LANES {
                // A gap would show as a jump in the window: the coasting twin stands in, and settling outlasts the window.
                if lane.used[l] == 0.0 {
                    lane.measured_m[l] = lane.twin.position_m[l];
                    lane.measured_a[l] = lane.twin.reported_a[l];
                }
                if let Some(axis) = self.plan.axes.get(base + l) {
                    lane.contact_a[l] = contact_a(
                        axis,
                        part,
                        lane.measured_m[l],
                        lane.twin.velocity_m_per_s[l],
                    );
                }
            }
            let (position, current) = (&lane.measured_m, &lane.measured_a);
            if !lane.window.push(
                params,
                delay,
                position,
                current,
                &lane.contact_a,
                &mut lane.load,
            ) {
                continue;
            }
            for l in 0..LANES {
                let (Some(plan), Some(judge)) =
                    (self.plan.axes.get(base + l), self.axes.get_mut(base + l))
                else {
                    break;
                };
                if judge.settle_left > 0 {
                    continue;
                }
                let sample = LoadSample {
                    measured_a: lane.load.measured_a[l],
                    predicted_a: lane.load.predicted_a[l],
                    inertial_a: lane.load.inertial_a[l],
                    contact_a: lane.load.contact_a[l],
                    gravity_a: plan.gravity_a,
                    velocity_m_per_s: lane.load.velocity_m_per_s[l],
                    acceleration_m_per_s2: lane.load.acceleration_m_per_s2[l],
                    ..LoadSample::default()
                };
                let source = Source::Axis((base + l) as u16);
                let at = Occasion {
                    stamp,
                    source,
                    context: samples.context,
                };
                judge.load(plan, &self.plan.thresholds, &at, &sample, &mut self.outbox);
            }
        }
        self.strokes(stamp, samples);
        for station in self.stations.iter_mut() {
            self.hash = mix(self.hash, station.predicted_pa().to_bits());
        }
        self.part = samples.context.part;
    }

    /// Strokes of the presses: each takes in the cycle, and judges a portion of the stroke before.
    fn strokes(&mut self, stamp: CycleStamp, samples: &Samples<'_>) {
        for (plan, press) in self.plan.presses.iter().zip(self.presses.iter_mut()) {
            let n = usize::from(plan.axis);
            let objects = plan.objects(self.plan.objects);
            let at = Occasion {
                stamp,
                source: Source::Axis(plan.axis),
                context: samples.context,
            };
            press.judge(plan, objects, &at, &mut self.outbox);
            let (Some(lane), Some(judge)) = (self.lanes.get(n / LANES), self.axes.get(n)) else {
                continue;
            };
            let sample = match samples.axes.get(n) {
                Some(Ok(r)) if !plan.from_load => PressSample {
                    position_m: r.position_m,
                    velocity_m_per_s: r.velocity_m_per_s,
                    force_n: plan.force_n_per_a * r.current_a,
                    predicted_n: None,
                },
                Some(Ok(_)) if judge.settle_left == 0 => load_sample(plan, &lane.load, n % LANES),
                _ => {
                    press.clear();
                    continue;
                }
            };
            press.push(plan, objects, &at, &sample, &mut self.outbox);
        }
    }

    /// At the end of a run: judges all that is left of strokes that have ended.
    pub fn finish_strokes(&mut self, stamp: CycleStamp, context: Context) {
        for (plan, press) in self.plan.presses.iter().zip(self.presses.iter_mut()) {
            let at = Occasion {
                stamp,
                source: Source::Axis(plan.axis),
                context,
            };
            press.finish(plan, plan.objects(self.plan.objects), &at, &mut self.outbox);
        }
    }

    /// Takes a judged stroke of press `n` out and into the digest.
    pub fn take_stroke(&mut self, n: usize) -> Option<StrokeRecord> {
        let stroke = self.presses.get_mut(n)?.take()?;
        self.hash = mix_stroke(self.hash, &stroke);
        Some(stroke)
    }

    /// Judging of the strokes of press `n`.
    pub fn press(&self, n: usize) -> Option<&StrokeJudge> {
        self.presses.get(n)
    }

    /// Takes an event out of the outbox and into the digest.
    pub fn take_event(&mut self) -> Option<crate::event::Event> {
        let event = self.outbox.pop()?;
        self.hash = mix_event(self.hash, &event);
        Some(event)
    }

    /// Digest of all predictions and events so far.
    pub fn digest(&self) -> u64 {
        let mut hash = self.hash;
        for lane in self.lanes.iter() {
            for word in lane.hash {
                hash = mix(hash, word);
            }
        }
        finish(hash)
    }

    /// The last evaluation of `current_load` of axis `n`: measured and predicted (A), and its regime.
    pub fn load(&self, n: usize) -> Option<(f64, f64, Regime)> {
        let (lane, l) = (self.lanes.get(n / LANES)?, n % LANES);
        Some((
            lane.load.measured_a[l],
            lane.load.predicted_a[l],
            self.axes.get(n)?.regime,
        ))
    }

    /// What was predicted for the sample that was compared last: position (m), velocity (m/s), current (A).
    pub fn compared(&self, n: usize) -> Option<[f64; 3]> {
        let (lane, l) = (self.lanes.get(n / LANES)?, n % LANES);
        Some([
            lane.predicted[0][l],
            lane.predicted[1][l],
            lane.predicted[2][l],
        ])
    }

    /// Judging of axis `n`: regime, and the features of a movement that has just ended.
    pub fn judge(&self, n: usize) -> Option<&AxisJudge> {
        self.axes.get(n)
    }

    /// Judging of station `n`.
    pub fn station(&self, n: usize) -> Option<&StationJudge> {
        self.stations.get(n)
    }

    /// The pressure that was predicted for the sample that was compared last (Pa).
    pub fn predicted_pressure_pa(&self, n: usize) -> Option<f64> {
        self.stations.get(n).map(StationJudge::predicted_pa)
    }

    fn bus(&mut self, stamp: CycleStamp, samples: &Samples<'_>) {
        let at = Occasion {
            stamp,
            source: Source::Bus,
            context: samples.context,
        };
        if let (Err(reason), false) = (samples.bus, self.bus_raised) {
            // What is cleared later is what was raised.
            self.bus_cause = cause_of(reason);
        }
        let cause = self.bus_cause;
        let event = |state, measured| {
            at.event(
                Channel::Frames,
                state,
                Detector::State,
                Severity::Warning,
                measured,
                0.0,
                Regime::Settling,
                cause,
            )
        };
        if samples.bus.is_err() {
            self.bus_good = 0;
            if !self.bus_raised {
                self.bus_raised = true;
                self.outbox.push(event(EventState::Raised, 1.0));
            }
        } else if self.bus_raised {
            self.bus_good += 1;
            if self.bus_good >= BUS_CALM_CYCLES {
                self.bus_raised = false;
                self.outbox.push(event(EventState::Cleared, 0.0));
            }
        }
    }
}

/// What a cycle without process data points to.
const fn cause_of(reason: Missing) -> Cause {
    match reason {
        Missing::WorkingCounter | Missing::NotOperational => Cause::WorkingCounter,
        Missing::Gap => Cause::RecordingGap,
        Missing::NoFrame | Missing::NotANumber | Missing::NotMapped => Cause::FramesLost,
    }
}

/// Load current of the part on the way in; nothing is known of the way back.
fn contact_a(axis: &AxisPlan, part: usize, position_m: f64, velocity_m_per_s: f64) -> f64 {
    // A recording may name a part that this plan does not know: nothing is in the press then.
    let Some(contact) = axis.contacts.get(part) else {
        return 0.0;
    };
    if contact.stiffness_a_per_m > 0.0 && contact.direction * velocity_m_per_s > RETURNING_M_PER_S {
        contact.current_a(position_m)
    } else {
        0.0
    }
}

/// The force on the ram in the middle of the window of `current_load`.
fn load_sample(plan: &PressPlan, load: &LoadEstimate, l: usize) -> PressSample {
    let contact_a = load.contact_a[l];
    PressSample {
        position_m: load.position_m[l],
        velocity_m_per_s: load.velocity_m_per_s[l],
        force_n: plan.force_n_per_a * (load.measured_a[l] - load.predicted_a[l] + contact_a),
        predicted_n: Some(plan.force_n_per_a * contact_a),
    }
}

/// Takes the predictions of this cycle into the digest: four figures an axis.
fn hash_lane(lane: &mut LaneState) {
    for l in 0..LANES {
        let mut h = lane.hash[l];
        for predicted in &lane.predicted {
            h = mix(h, predicted[l].to_bits());
        }
        lane.hash[l] = mix(h, lane.load.predicted_a[l].to_bits());
    }
}
