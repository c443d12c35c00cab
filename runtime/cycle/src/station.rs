//! Judges one vacuum station: the pressure one cycle ahead, the leak rate of every hold, and a hold while it lasts.
//!
//! A leak is raised by whichever sees it first: the hold in progress, when its rate is beyond the limit of the configuration
//! (found within about a second), or the CUSUM over the rates of whole holds. It is cleared when neither sees it any more.

use crate::event::{Detector, Event, EventState, Severity};
use crate::judge::Occasion;
use crate::outbox::Outbox;
use crate::plan::{StationPlan, Thresholds};
use twinstep_models::cause::Cause;
use twinstep_models::channel::{Channel, Regime};
use twinstep_models::detect::Cusum;
use twinstep_models::sample::{Missing, StationReading};
use twinstep_models::vacuum::{LeakRate, Phase, VacuumState, Verdict};

/// Cycles without a sample that a hold outlasts.
const COAST_CYCLES: u32 = 20;
/// Relative spread of the leak rate that is always there.
const LEAK_SPREAD: f64 = 0.2;

/// State of the judging of one station.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct StationJudge {
    vacuum: VacuumState,
    predicted_pa: f64,
    /// Measured minus predicted where it is judged (Pa), for calibration.
    pub innovation_pa: Option<f64>,
    /// Leak rate of a hold that ended in this cycle and its standard deviation (Pa/s), for health.
    pub ended_leak: Option<(f64, f64)>,
    /// The latest hold's deviation from the healthy leak rate (standard deviations), for display.
    pub latest_sigma: f64,
    settle_left: u32,
    locked: bool,
    coasted: u32,
    leak: Cusum,
    leak_raised: bool,
    limit_raised: bool,
    calm: u32,
}

impl StationJudge {
    /// The pressure that is expected in the coming sample (Pa).
    pub fn predicted_pa(&self) -> f64 {
        self.predicted_pa
    }

    /// Advances by one cycle.
    pub fn predict(&mut self, plan: &StationPlan) {
        self.predicted_pa = self.vacuum.predict(&plan.vacuum);
    }

    /// Compares and takes the measurement in.
    pub fn compare(
        &mut self,
        plan: &StationPlan,
        t: &Thresholds,
        at: &Occasion,
        sample: &Result<StationReading, Missing>,
        out: &mut Outbox,
    ) {
        self.ended_leak = None;
        let r = match sample {
            Ok(r) => r,
            Err(reason) => {
                self.coasted = self.coasted.saturating_add(1);
                self.settle_left = t.settle_cycles;
                if matches!(reason, Missing::Gap | Missing::NewSegment)
                    || self.coasted > COAST_CYCLES
                {
                    self.vacuum.interrupt();
                } else {
                    self.vacuum.coast();
                }
                return;
            }
        };
        self.coasted = 0;
        let phase = match (r.ejector_on, r.blow_off) {
            (true, false) => Phase::Evacuate,
            (false, false) => Phase::Hold,
            (_, true) => Phase::Release,
        };
        if !self.locked {
            self.locked = true;
            self.settle_left = t.settle_cycles;
            self.vacuum.pressure_pa = r.pressure_pa;
        }
        let (before, in_phase) = self.vacuum.phase();
        self.innovation_pa = None;
        if self.settle_left > 0 {
            self.settle_left -= 1;
        } else if before == phase && phase != Phase::Release && in_phase > plan.vacuum.change_cycles
        {
            self.innovation_pa = Some(r.pressure_pa - self.predicted_pa);
            self.limit(plan, at, r.pressure_pa, phase, out);
        }
        let found = self.vacuum.correct(&plan.vacuum, r.pressure_pa, phase);
        let Some((mean, sigma)) = plan.leak else {
            return;
        };
        if let Some((Verdict::Leaky, rate)) = found.verdict
            && !self.leak_raised
        {
            self.leak_raised = true;
            out.push(leak_event(
                at,
                Detector::FastLimit,
                EventState::Raised,
                rate.rate_pa_per_s,
                mean,
            ));
        }
        if let Some(rate) = found.ended {
            self.ended_leak = Some((rate.rate_pa_per_s, rate.sigma_pa_per_s));
            self.judge_leak(t, at, rate, mean, sigma, out);
        }
    }

    /// The circuit: leak rate and verdict of the hold in progress.
    pub fn vacuum(&self) -> &VacuumState {
        &self.vacuum
    }

    fn limit(
        &mut self,
        plan: &StationPlan,
        at: &Occasion,
        measured: f64,
        phase: Phase,
        out: &mut Outbox,
    ) {
        let Some(limit) = plan.limit_pa else { return };
        let residual = measured - self.predicted_pa;
        let size = if residual < 0.0 { -residual } else { residual };
        let cause = if phase == Phase::Evacuate {
            Cause::VacuumNotReached
        } else {
            Cause::Leak
        };
        let event = |state| {
            station_event(
                at,
                Channel::PressureNext,
                Detector::FastLimit,
                state,
                measured,
                self.predicted_pa,
                cause,
            )
        };
        if size > limit && !self.limit_raised {
            self.limit_raised = true;
            self.calm = 0;
            out.push(event(EventState::Raised));
        } else if self.limit_raised {
            self.calm = if size < 0.5 * limit { self.calm + 1 } else { 0 };
            if self.calm >= plan.vacuum.calm_cycles {
                self.limit_raised = false;
                out.push(event(EventState::Cleared));
            }
        }
    }

    fn judge_leak(
        &mut self,
        t: &Thresholds,
        at: &Occasion,
        found: LeakRate,
        mean: f64,
        sigma: f64,
        out: &mut Outbox,
    ) {
        let rate = found.rate_pa_per_s;
        let spread = LEAK_SPREAD * mean;
        let error = libm::hypot(libm::hypot(sigma, spread), found.sigma_pa_per_s);
        self.latest_sigma = (rate - mean) / error;
        self.leak.push(self.latest_sigma, t.slack, t.threshold);
        let state = match self.leak_raised {
            false if self.leak.up > t.threshold => EventState::Raised,
            true if self.leak.up < 0.5 * t.threshold => EventState::Cleared,
            _ => return,
        };
        self.leak_raised = state == EventState::Raised;
        out.push(leak_event(at, Detector::Cusum, state, rate, mean));
    }
}

fn leak_event(at: &Occasion, detector: Detector, state: EventState, rate: f64, mean: f64) -> Event {
    let channel = Channel::LeakRate;
    station_event(at, channel, detector, state, rate, mean, Cause::Leak)
}

fn station_event(
    at: &Occasion,
    channel: Channel,
    detector: Detector,
    state: EventState,
    measured: f64,
    predicted: f64,
    cause: Cause,
) -> Event {
    at.event(
        channel,
        state,
        detector,
        Severity::Warning,
        measured,
        predicted,
        Regime::Standstill,
        cause,
    )
}
