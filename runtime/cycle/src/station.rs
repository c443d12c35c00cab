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
use twinstep_models::rank::Ranking;
use twinstep_models::sample::{Missing, StationReading};
use twinstep_models::vacuum::cause::{self, Signs};
use twinstep_models::vacuum::{AMBIENT_PA, LeakRate, Phase, VacuumState, Verdict};

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
    /// Holds running whose leak rate is above the healthy one, and the deviation of the last one (standard deviations).
    leaky_holds: u32,
    last_hold: Option<f64>,
    /// What was told of the pressure while it is raised.
    told: Option<Cause>,
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
            // The hold goes on, and is one more.
            let ranking = cause::leak(self.leaky_holds.saturating_add(1));
            out.push(leak_event(
                at,
                Detector::FastLimit,
                EventState::Raised,
                (rate.rate_pa_per_s, mean),
                Some(ranking),
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
        let event = |state, cause, causes| {
            station_event(
                at,
                Channel::PressureNext,
                Detector::FastLimit,
                state,
                (measured, self.predicted_pa),
                (cause, causes),
            )
        };
        match self.told {
            None if size > limit => {
                let [from, to] = [self.predicted_pa, measured].map(|p| (p - AMBIENT_PA).abs());
                let ranking = cause::surprise(&Signs {
                    phase,
                    lost: to < from,
                    leak_sigma: self.last_hold,
                });
                self.told = Some(ranking.first());
                self.calm = 0;
                out.push(event(EventState::Raised, ranking.first(), Some(ranking)));
            }
            None => {}
            Some(told) => {
                self.calm = if size < 0.5 * limit { self.calm + 1 } else { 0 };
                if self.calm >= plan.vacuum.calm_cycles {
                    self.told = None;
                    out.push(event(EventState::Cleared, told, None));
                }
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
        self.last_hold = Some(self.latest_sigma);
        self.leaky_holds = if self.latest_sigma > t.slack {
            self.leaky_holds.saturating_add(1)
        } else {
            0
        };
        let state = match self.leak_raised {
            false if self.leak.up > t.threshold => EventState::Raised,
            true if self.leak.up < 0.5 * t.threshold => EventState::Cleared,
            _ => return,
        };
        self.leak_raised = state == EventState::Raised;
        let ranking = self.leak_raised.then(|| cause::leak(self.leaky_holds));
        out.push(leak_event(
            at,
            Detector::Cusum,
            state,
            (rate, mean),
            ranking,
        ));
    }
}

fn leak_event(
    at: &Occasion,
    detector: Detector,
    state: EventState,
    rates: (f64, f64),
    causes: Option<Ranking>,
) -> Event {
    let channel = Channel::LeakRate;
    station_event(at, channel, detector, state, rates, (Cause::Leak, causes))
}

fn station_event(
    at: &Occasion,
    channel: Channel,
    detector: Detector,
    state: EventState,
    (measured, predicted): (f64, f64),
    (cause, causes): (Cause, Option<Ranking>),
) -> Event {
    Event {
        causes,
        ..at.event(
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Source;
    use twinstep_models::sample::{Context, CycleStamp};
    use twinstep_models::vacuum::{Circuit, VacuumParams};

    const THRESHOLDS: Thresholds = Thresholds {
        slack: 2.0,
        threshold: 5.0,
        settle_cycles: 10,
        horizon_cycles: 100,
        warm_up: None,
    };
    const FINAL_PA: f64 = 25_000.0;
    const LEAK_PA_PER_S: f64 = 300.0;

    fn plan() -> StationPlan {
        let vacuum = VacuumParams::new(&Circuit {
            final_pressure_pa: FINAL_PA,
            time_constant_s: 0.08,
            valve_delay_s: 0.0,
            leak_pa_per_s: LEAK_PA_PER_S,
            leak_sigma_pa_per_s: 10.0,
            leak_limit_pa_per_s: Some(1000.0),
            noise_pa: 5.0,
            resolution_pa: 0.0,
            alarm_sigma: 5.0,
            period_s: 1e-3,
            settle_s: 0.1,
            least_s: 0.3,
        });
        StationPlan {
            vacuum,
            limit_pa: Some(200.0),
            leak: Some((LEAK_PA_PER_S, 10.0)),
        }
    }

    /// A station at its final pressure, and what came of it so far.
    struct Bench {
        judge: StationJudge,
        pressure_pa: f64,
        cycle: u64,
        events: Vec<Event>,
    }

    impl Bench {
        fn new() -> Self {
            let mut bench = Self {
                judge: StationJudge::default(),
                pressure_pa: FINAL_PA,
                cycle: 0,
                events: Vec::new(),
            };
            bench.run(500, true, |p| p);
            assert!(bench.events.is_empty(), "{:?}", bench.events);
            bench
        }

        /// Cycles in which the pressure becomes what `next` makes of it.
        fn run(&mut self, cycles: u32, ejector_on: bool, next: impl Fn(f64) -> f64) {
            let mut out = Outbox::default();
            for _ in 0..cycles {
                self.cycle += 1;
                self.pressure_pa = next(self.pressure_pa);
                let at = Occasion {
                    stamp: CycleStamp {
                        cycle: self.cycle,
                        ..CycleStamp::default()
                    },
                    source: Source::Station(0),
                    context: Context::default(),
                };
                let sample = Ok(StationReading {
                    pressure_pa: self.pressure_pa,
                    ejector_on,
                    blow_off: false,
                });
                self.judge.predict(&plan());
                self.judge
                    .compare(&plan(), &THRESHOLDS, &at, &sample, &mut out);
                self.events.extend(core::iter::from_fn(|| out.pop()));
            }
        }

        fn last(&self, channel: Channel) -> (EventState, Cause, Option<Ranking>) {
            let mut all = self.events.iter().rev();
            let event = all.find(|event| event.channel == channel);
            let event = event.unwrap_or_else(|| panic!("nothing on {channel:?}"));
            (event.state, event.cause, event.causes)
        }
    }

    /// What a sound circuit loses in a cycle of a hold.
    fn sound(p: f64) -> f64 {
        p + 1e-3 * LEAK_PA_PER_S
    }

    #[test]
    fn a_pressure_that_falls_where_nothing_pulls_is_no_leak() {
        let mut bench = Bench::new();
        bench.run(300, false, sound);
        bench.run(1, false, |p| p - 900.0);
        let (state, cause, causes) = bench.last(Channel::PressureNext);
        assert_eq!((state, cause), (EventState::Raised, Cause::PressureSensor));
        assert_eq!(causes.unwrap().first(), Cause::PressureSensor);
        bench.run(1000, false, sound);
        let cleared = bench.last(Channel::PressureNext);
        assert_eq!(cleared, (EventState::Cleared, Cause::PressureSensor, None));
    }

    #[test]
    fn a_pressure_that_is_not_reached_is_the_ejector_unless_the_hold_before_leaked() {
        // What was raised in one phase is cleared in another one with the cause that it was raised with.
        for (is_sound, expected) in [(true, Cause::VacuumNotReached), (false, Cause::Leak)] {
            let leak = if is_sound { sound } else { leaks };
            let mut bench = Bench::new();
            bench.run(800, false, leak);
            // Back to where the ejector holds it, and away from there.
            bench.pressure_pa = FINAL_PA;
            bench.run(200, true, |p| p);
            bench.run(1, true, |p| p + 2000.0);
            let (state, cause, causes) = bench.last(Channel::PressureNext);
            assert_eq!((state, cause), (EventState::Raised, expected));
            assert!(causes.unwrap().is_sure(), "{causes:?}");
            bench.run(1000, false, sound);
            let (state, cause, _) = bench.last(Channel::PressureNext);
            assert_eq!((state, cause), (EventState::Cleared, expected));
        }
    }

    /// Eight times the healthy leak.
    fn leaks(p: f64) -> f64 {
        p + 8e-3 * LEAK_PA_PER_S
    }

    #[test]
    fn a_leak_is_ranked_before_what_is_over_with_its_hold() {
        let mut bench = Bench::new();
        bench.run(3000, false, leaks);
        let (state, cause, causes) = bench.last(Channel::LeakRate);
        assert_eq!((state, cause), (EventState::Raised, Cause::Leak));
        let [first, second, _] = causes.unwrap().0;
        assert_eq!((first.0, second.0), (Cause::Leak, Cause::Disturbance));
        assert!(first.1 > 0.7 && second.1 > 0.1, "{causes:?}");
    }
}
