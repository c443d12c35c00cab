//! The pipeline: a pure function of plan, state, stamp and samples.
//!
//! The host calls, in this order: [`Pipeline::predict`] while the frame is on the wire, [`Pipeline::compare`] when the
//! samples are there, takes the events out of the outbox, and then [`Pipeline::correct`]. What `compare` does is all that
//! stands between a frame and its flag.
//!
//! Cut into sections, the same pipeline may be worked on by several cores: each of these has a twin `.._by` that takes a
//! [`Crew`]. Nothing that comes out depends on who did what.

mod checkpoint;
mod renewal;
mod views;

use crate::digest::{finish, mix, mix_event, mix_stroke};
use crate::drift::{Drifted, Ended, FreeRun, horizon_cycles};
use crate::event::{Detector, EventState, Severity, Source};
use crate::group::Group;
use crate::health::{AxisHealth, HealthSlices, PressHealth, StationHealth};
use crate::judge::{AxisJudge, Occasion};
use crate::lanes::LaneState;
use crate::outbox::Outbox;
use crate::plan::Plan;
use crate::press::{ForceFrom, StrokeJudge, StrokeRecord};
use crate::section::{Alone, Crew, Luggage, Order, Sections, Stage};
use crate::signature::{SignatureJudge, SignaturePlan};
use crate::station::StationJudge;
use twinstep_models::cause::Cause;
use twinstep_models::channel::{Channel, Regime};
use twinstep_models::lane::LANES;
use twinstep_models::sample::{Context, CycleStamp, Missing, Samples};

/// Good cycles after which a bus fault is cleared.
const BUS_CALM_CYCLES: u32 = 1000;

/// State of the whole pipeline; slices are owned by the host and as long as the plan's.
#[derive(Debug)]
pub struct Pipeline<'a> {
    plan: Plan<'a>,
    /// All lanes.
    sections: Sections<'a>,
    stations: &'a mut [StationJudge],
    signatures: (&'a [SignaturePlan], &'a mut [SignatureJudge]),
    presses: &'a mut [StrokeJudge],
    /// Events of this cycle.
    pub outbox: Outbox,
    context: Context,
    cycle: u64,
    bus_raised: bool,
    bus_good: u32,
    bus_cause: Cause,
    hash: u64,
    station_health: &'a mut [StationHealth],
    press_health: &'a mut [PressHealth],
    free_run: FreeRun,
    drifted: Option<Drifted>,
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
        Self {
            plan,
            sections: Sections::whole(plan, lanes, axes),
            stations,
            signatures: (&[], &mut []),
            presses,
            outbox: Outbox::default(),
            context: Context::default(),
            cycle: 0,
            bus_raised: false,
            bus_good: 0,
            bus_cause: Cause::FramesLost,
            hash: 0,
            station_health: &mut [],
            press_health: &mut [],
            free_run: FreeRun::NEW,
            drifted: None,
        }
    }

    /// Judges the signatures of movements too. Lengths that do not match are cut to the shorter.
    pub fn with_signatures(
        mut self,
        plans: &'a [SignaturePlan],
        judges: &'a mut [SignatureJudge],
    ) -> Self {
        self.signatures = (plans, judges);
        self
    }

    /// Judging of the signatures, in the order of their plans.
    pub fn signatures(&self) -> &[SignatureJudge] {
        self.signatures.1
    }

    /// Has health tracked in `health`; without it nothing is. Before the pipeline is cut into sections.
    pub fn with_health(mut self, health: HealthSlices<'a>) -> Self {
        self.sections.set_health(health.axes);
        self.station_health = health.stations;
        self.press_health = health.presses;
        self
    }

    /// Cuts it into sections of whole lanes, one for each piece of luggage, as far as there are lanes, and at most
    /// [`MAX_SECTIONS`](crate::section::MAX_SECTIONS). Each takes along the samples of
    /// [`lanes_each`](crate::section::lanes_each) lanes.
    pub fn in_sections(mut self, luggage: impl ExactSizeIterator<Item = Luggage<'a>>) -> Self {
        self.sections.cut(self.plan.lanes.len(), luggage);
        self
    }

    /// Whether all lanes are there: a crew has brought back what it was given.
    pub fn is_whole(&self) -> bool {
        self.sections.are_all_there()
    }

    /// Tracks health, after [`Pipeline::correct`]. Nothing that is predicted or judged waits for it.
    pub fn track(&mut self, stamp: CycleStamp) {
        self.track_by(&mut Alone, stamp);
    }

    /// The same by a crew.
    pub fn track_by(&mut self, crew: &mut impl Crew<'a>, stamp: CycleStamp) {
        let order = Order {
            stage: Stage::Track,
            stamp: &stamp,
            context: self.context,
            samples: &[],
        };
        self.sections.work(crew, &order, &mut self.outbox);
    }

    /// Health of axis `n`.
    pub fn health(&self, n: usize) -> Option<&AxisHealth> {
        self.sections.health(n)
    }

    /// Health of station `n`.
    pub fn station_health(&self, n: usize) -> Option<&StationHealth> {
        self.station_health.get(n)
    }

    /// The plan in force.
    pub fn plan(&self) -> &Plan<'a> {
        &self.plan
    }

    /// Advances every model to the sample that is about to arrive.
    pub fn predict(&mut self) {
        self.predict_by(&mut Alone, |_| {});
    }

    /// The same by a crew; `done` is told of every group of models that has been worked on.
    pub fn predict_by(&mut self, crew: &mut impl Crew<'a>, mut done: impl FnMut(Group)) {
        let order = Order {
            stage: Stage::Predict,
            stamp: &CycleStamp::default(),
            context: self.context,
            samples: &[],
        };
        self.sections.work(crew, &order, &mut self.outbox);
        done(Group::Servo);
        if self.stations.is_empty() {
            return;
        }
        for (plan, station) in self.plan.stations.iter().zip(self.stations.iter_mut()) {
            station.predict(plan);
        }
        done(Group::Station);
    }

    /// Compares the samples with the predictions; what deviates is in the outbox afterwards.
    pub fn compare(&mut self, stamp: CycleStamp, samples: &Samples<'_>) {
        self.compare_by(&mut Alone, stamp, samples, |_| {});
    }

    /// The same by a crew; `done` is told of every group of models that has been worked on.
    pub fn compare_by(
        &mut self,
        crew: &mut impl Crew<'a>,
        stamp: CycleStamp,
        samples: &Samples<'_>,
        mut done: impl FnMut(Group),
    ) {
        self.bus(&stamp, samples);
        let order = Order {
            stage: Stage::Compare,
            stamp: &stamp,
            context: samples.context,
            samples: samples.axes,
        };
        self.sections.work(crew, &order, &mut self.outbox);
        done(Group::Servo);
        if self.stations.is_empty() {
            return;
        }
        for (n, (sample, plan)) in samples.stations.iter().zip(self.plan.stations).enumerate() {
            if let Some(station) = self.stations.get_mut(n) {
                let at = Occasion {
                    stamp,
                    source: Source::Station(n as u16),
                    context: samples.context,
                };
                station.compare(plan, &self.plan.thresholds, &at, sample, &mut self.outbox);
                if let (Some((rate, sigma)), Some(health)) =
                    (station.ended_leak, self.station_health.get_mut(n))
                {
                    health.hold(rate, sigma, stamp.time_ns);
                }
            }
        }
        done(Group::Station);
    }

    /// The slow channel, whose evidence is that of whole movements, is judged. The observers take the sample in with the next
    /// [`Self::predict`].
    pub fn correct(&mut self, stamp: CycleStamp, samples: &Samples<'_>) {
        self.correct_by(&mut Alone, stamp, samples, |_| {});
    }

    /// The same by a crew; `done` is told of every group of models that has been worked on.
    pub fn correct_by(
        &mut self,
        crew: &mut impl Crew<'a>,
        stamp: CycleStamp,
        samples: &Samples<'_>,
        mut done: impl FnMut(Group),
    ) {
        self.cycle = stamp.cycle;
        self.free_run(&stamp, samples.context);
        let order = Order {
            stage: Stage::Correct,
            stamp: &stamp,
            context: samples.context,
            samples: &[],
        };
        self.sections.work(crew, &order, &mut self.outbox);
        let (plans, judges) = &mut self.signatures;
        for (plan, judge) in plans.iter().zip(judges.iter_mut()) {
            if let Some(sample) = samples.axes.get(usize::from(plan.axis)) {
                let at = Occasion {
                    stamp,
                    source: Source::Axis(plan.axis),
                    context: samples.context,
                };
                judge.push(
                    plan,
                    self.plan.thresholds.warm_up.as_ref(),
                    &at,
                    sample,
                    &mut self.outbox,
                );
            }
        }
        done(Group::Servo);
        if !self.presses.is_empty() {
            self.strokes(&stamp, samples);
            done(Group::Press);
        }
        for station in self.stations.iter_mut() {
            self.hash = mix(self.hash, station.predicted_pa().to_bits());
        }
        self.context = samples.context;
    }

    /// The free run in progress, and what one that has ended says.
    fn free_run(&mut self, stamp: &CycleStamp, context: Context) {
        // A run rests on the sample of its last cycle: like what the load explains it enters the digest a cycle later.
        if let Some(run) = &self.drifted {
            for (l, free_m) in run.free_m.iter().enumerate() {
                if run.counts & (1 << l) != 0 {
                    self.hash = mix(self.hash, free_m.to_bits());
                }
            }
            self.drifted = None;
        }
        let lane = self.sections.lane_mut(self.free_run.lane());
        if self.free_run.push(&self.plan, lane, context) {
            self.ran_free(*stamp, context);
        }
    }

    /// A free run has ended.
    #[cold]
    #[inline(never)]
    fn ran_free(&mut self, stamp: CycleStamp, context: Context) {
        let run = self.free_run.end(&self.plan);
        self.drifted = Some(run);
        for l in (0..LANES).filter(|l| run.counts & (1 << l) != 0) {
            let n = run.lane * LANES + l;
            let Some(plan) = self.plan.axes.get(n) else {
                continue;
            };
            let lane = self.sections.lane(run.lane);
            let (regime, velocity_m_per_s, period_s) =
                lane.map_or((Regime::Settling, 0.0, 0.0), |(lane, params)| {
                    let (velocity, _) = lane.load_motion(params, l);
                    (lane.load(l).2, velocity, params.period_s)
                });
            let Some(judge) = self.sections.axis_mut(n) else {
                continue;
            };
            let at = Occasion {
                stamp,
                source: Source::Axis(n as u16),
                context,
            };
            let ended = Ended {
                measured_m: run.measured_m[l],
                free_m: run.free_m[l],
                regime,
                velocity_m_per_s,
                horizon_s: f64::from(horizon_cycles(&self.plan)) * period_s,
            };
            judge.drifted(plan, &self.plan.thresholds, &at, &ended, &mut self.outbox);
        }
    }

    /// Drift of axis `n` in a free run that ended in the last cycle, and counts: measured minus free (m).
    pub fn drift_m(&self, n: usize) -> Option<f64> {
        let l = n % LANES;
        let run = self
            .drifted
            .filter(|run| run.lane == n / LANES && run.counts & (1 << l) != 0)?;
        Some(run.measured_m[l] - run.free_m[l])
    }

    /// The free run that ended in the last cycle.
    pub const fn drifted(&self) -> Option<&Drifted> {
        self.drifted.as_ref()
    }

    /// Strokes of the presses: each takes in the cycle, and judges a portion of the stroke before.
    fn strokes(&mut self, stamp: &CycleStamp, samples: &Samples<'_>) {
        for (plan, press) in self.plan.presses.iter().zip(self.presses.iter_mut()) {
            let n = usize::from(plan.axis);
            let objects = plan.objects(self.plan.objects);
            let at = Occasion {
                stamp: *stamp,
                source: Source::Axis(plan.axis),
                context: samples.context,
            };
            press.judge(plan, objects, &at, &mut self.outbox);
            if !samples.context.is_known() {
                press.clear();
                continue;
            }
            let Some((lane, params)) = self.sections.lane(n / LANES) else {
                continue;
            };
            let sample = match samples.axes.get(n) {
                Some(Ok(r)) if plan.force == ForceFrom::Sensor => {
                    plan.of_force(r.position_m, r.velocity_m_per_s, r.current_a)
                }
                Some(Ok(r)) if plan.force == ForceFrom::Current => {
                    plan.of_current(r.position_m, r.velocity_m_per_s, r.current_a, None)
                }
                Some(Ok(_)) if !lane.settles(n % LANES) => {
                    // At rest there is nothing to be taken: most of the time of a press.
                    if plan.stands(lane.load_motion(params, n % LANES).0) {
                        continue;
                    }
                    lane.press_sample(params, plan, self.plan.linked_at(n), n % LANES)
                }
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

    /// Takes a judged stroke of press `n` out, into the digest, and into the health of the press.
    pub fn take_stroke(&mut self, n: usize) -> Option<StrokeRecord> {
        let stroke = self.presses.get_mut(n)?.take()?;
        self.hash = mix_stroke(self.hash, &stroke);
        if let Some(health) = self.press_health.get_mut(n) {
            health.stroke(&stroke);
        }
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
        for lane in self.sections.lanes() {
            for word in lane.digest() {
                hash = mix(hash, word);
            }
        }
        finish(hash)
    }

    fn bus(&mut self, stamp: &CycleStamp, samples: &Samples<'_>) {
        if samples.bus.is_ok() && !self.bus_raised {
            return;
        }
        let at = Occasion {
            stamp: *stamp,
            source: Source::Bus,
            context: samples.context,
        };
        if samples.bus == Err(Missing::NewSegment) {
            return;
        }
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
        Missing::Gap | Missing::NewSegment => Cause::RecordingGap,
        Missing::NoFrame | Missing::NotANumber | Missing::NotMapped => Cause::FramesLost,
    }
}
