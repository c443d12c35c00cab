//! What the cycle shows of itself, and what it is told between two cycles: a bounded slice of the acyclic phase.

use super::Runner;
use crate::attached::Attached;
use crate::control::health::HealthBuffer;
use crate::control::queue::{Answer, Command, Refusal, Request};
use crate::control::status::{StatusBuffer, WrongWorkingCounter};
use crate::cycle_clock::ClockFigures;
use crate::launch::LaunchLine;
use crate::not_judged::NotJudged;
use crate::phases::Row;
use crate::record::checks::BASELINE;
use crate::snapshot::{LIVE_AXES, LIVE_STATIONS, LiveAxis, LiveSnapshot, LiveStation};
use crate::uadp::Predictions;
use twinstep_drivers::bus::{BusCause, BusFault};
use twinstep_models::channel::Regime;
use twinstep_models::sample::{AxisReading, CycleStamp, Missing};

/// Axes of a status that are filled in in one cycle.
const AXES_A_CYCLE: usize = 16;
/// Rows whose coarse histograms are: as much to copy as so many axes. The buffer was last in the hands of another core, and every line of
/// it costs as much as one from memory.
const ROWS_A_CYCLE: usize = 4;

/// A status on its way: some of it a cycle.
pub(super) struct Filling {
    id: u64,
    buffer: Box<StatusBuffer>,
    /// Rows whose histograms are there.
    rows: usize,
}

impl Filling {
    fn new(id: u64, mut buffer: Box<StatusBuffer>) -> Self {
        buffer.clear();
        Self {
            id,
            buffer,
            rows: 0,
        }
    }
}

/// Health on its way: one axis a cycle.
pub(super) struct Copying {
    id: u64,
    buffer: Box<HealthBuffer>,
}

impl<B: Attached> Runner<'_, B> {
    /// Keeps the last wrong working counter for the status.
    pub(super) fn keep_wrong_counter(&mut self, result: &Result<CycleStamp, BusFault>) {
        if let Err(BusFault {
            stamp,
            cause: BusCause::WorkingCounter { expected, actual },
        }) = *result
        {
            self.wrong_working_counter = Some(WrongWorkingCounter {
                cycle: stamp.cycle,
                expected,
                actual,
            });
        }
    }

    /// Takes one command, if there is one: it applies from the next cycle on.
    pub(super) fn obey(&mut self) {
        self.obey_as_recorded();
        let Some(Request { id, command }) = self.outlets.commands.as_mut().and_then(|c| c.take())
        else {
            return;
        };
        let answer = match command {
            Command::SetBudget { row, budget_ns } => {
                self.phases.set_budget(row, budget_ns);
                match budget_ns {
                    Some(ns) => self.tell(format_args!("budget {}={ns}ns", row.name())),
                    None => self.tell(format_args!("budget {}=none", row.name())),
                }
                Answer::Done
            }
            Command::Reset => {
                self.reset();
                self.tell(format_args!("reset"));
                Answer::Done
            }
            Command::Arm => match &mut self.source {
                Some(source) => {
                    source.arm();
                    self.armed = source.armed();
                    self.tell(format_args!("arm"));
                    Answer::Done
                }
                None => Answer::Refused(Refusal::NoOutputs),
            },
            Command::Inject(fault) => {
                let result = self.bus.inject(&fault);
                if result.is_ok() {
                    self.tell(format_args!("inject {fault}"));
                }
                Answer::Injected { fault, result }
            }
            Command::ClearFaults => {
                if self.bus.clear_faults() {
                    self.tell(format_args!("clear"));
                    Answer::Done
                } else {
                    Answer::Refused(Refusal::NotSimulated)
                }
            }
            Command::Baseline(n) => {
                if self.pipeline.renew(n) {
                    self.tell(format_args!("{BASELINE}{n}"));
                    if let Some(health) = &mut self.outlets.health {
                        health.soon();
                    }
                    Answer::Done
                } else {
                    Answer::Refused(Refusal::Busy)
                }
            }
            Command::Status(buffer) => {
                // There is one buffer, so that none is being filled.
                self.status = Some(Filling::new(id, buffer));
                return;
            }
            Command::Health(mut buffer) => {
                // There is one of these too.
                buffer.clear();
                self.health = Some(Copying { id, buffer });
                return;
            }
        };
        self.answer(id, answer);
    }

    /// Forgets the durations so far. A status that is on its way begins anew: its rows must be of one span.
    fn reset(&mut self) {
        self.phases.reset();
        if let Some(filling) = &mut self.status {
            filling.rows = 0;
        }
    }

    fn answer(&mut self, id: u64, answer: Answer) {
        if let Some(commands) = &mut self.outlets.commands {
            commands.answer(id, answer);
        }
    }

    /// Snapshots and statuses, after the phases were measured.
    pub(super) fn show(&mut self, stamp: CycleStamp) {
        self.phases.refresh_one();
        if self.outlets.control.take_reset() {
            self.reset();
        }
        if let Some(filling) = self.status.take() {
            self.fill(filling, stamp);
        }
        if let Some(mut copying) = self.health.take() {
            if copying.buffer.copy_one(&self.pipeline) {
                self.answer(copying.id, Answer::Health(copying.buffer));
            } else {
                self.health = Some(copying);
            }
        }
        if let Some(health) = &mut self.outlets.health {
            health.cycle(&self.pipeline, stamp.time_ns);
        }
        if stamp.time_ns < self.next_snapshot_ns || !self.outlets.snapshots.has_view() {
            return;
        }
        self.next_snapshot_ns = stamp
            .time_ns
            .saturating_add(self.outlets.snapshots.every_ns());
        let mut snapshot = LiveSnapshot {
            cycle: stamp.cycle,
            time_ns: stamp.time_ns,
            axis_count: self.axes.len(),
            station_count: self.stations.len(),
            phases: *self.phases.snapshot(),
            bus: self.bus.counters(),
            events: self.raised,
            dropped_events: self.outlets.events.dropped(),
            trust: self.trust,
            ..LiveSnapshot::default()
        };
        let axes = snapshot.axes.iter_mut().zip(&self.axes);
        for (n, (live, reading)) in axes.enumerate().take(LIVE_AXES) {
            *live = self.live_axis(n, reading);
        }
        let stations = snapshot.stations.iter_mut().zip(0..self.stations.len());
        for (live, n) in stations.take(LIVE_STATIONS) {
            *live = self.live_station(n);
        }
        self.outlets.snapshots.push(&snapshot);
    }

    /// Fills some axes in, then some rows a cycle; all the rest at the end.
    fn fill(&mut self, mut filling: Filling, stamp: CycleStamp) {
        let buffer: &mut StatusBuffer = &mut filling.buffer;
        let from = buffer.axes.len();
        for (n, reading) in self.axes.iter().enumerate().skip(from).take(AXES_A_CYCLE) {
            // The buffer was made with room for all.
            buffer.axes.push(self.live_axis(n, reading));
        }
        if buffer.axes.len() > from {
            self.status = Some(filling);
            return;
        }
        let rows = filling.rows..Row::COUNT.min(filling.rows + ROWS_A_CYCLE);
        if !rows.is_empty() {
            filling.rows = rows.end;
            let all = self.phases.buckets();
            for (copy, row) in (buffer.buckets.iter_mut().zip(all))
                .take(rows.end)
                .skip(rows.start)
            {
                *copy = *row;
            }
            self.status = Some(filling);
            return;
        }
        for n in 0..self.stations.len() {
            buffer.stations.push(self.live_station(n));
        }
        for (n, valid) in self.image.valid.iter().enumerate() {
            if *valid == Err(Missing::NotOperational) {
                // As many as a bus can have.
                let _ = buffer.not_operational.push(n as u16);
            }
        }
        buffer.cycle = stamp.cycle;
        buffer.time_ns = stamp.time_ns;
        buffer.trust = self.trust;
        buffer.armed = self.armed;
        buffer.phases = *self.phases.snapshot();
        buffer.bus = self.bus.counters();
        buffer.phase_error_ns = self.bus.phase_error_ns();
        buffer.launches = self.outlets.uadp.as_mut().and_then(Predictions::launches);
        buffer.unpublished = self.unpublished();
        buffer.clock = self.pacer.clock_figures();
        buffer.shared = self.shared_counts();
        buffer.wrong_working_counter = self.wrong_working_counter;
        buffer.events = self.raised;
        buffer.dropped_events = self.outlets.events.dropped();
        self.answer(filling.id, Answer::Status(filling.buffer));
    }

    /// All of health after the last cycle, where somebody keeps it. Takes memory: the cycle is over.
    pub fn copy_health(&self) -> Option<Box<HealthBuffer>> {
        let health = self.outlets.health.as_ref()?;
        Some(health.copy_all(&self.pipeline))
    }

    /// What became of launch times; none where none are given.
    pub fn launches(&mut self) -> Option<LaunchLine> {
        self.outlets.uadp.as_mut()?.launches()
    }

    /// Frames with predictions that did not leave; none where nothing is published.
    pub fn unpublished(&self) -> Option<u64> {
        self.outlets.uadp.as_ref().map(Predictions::failed)
    }

    /// The clock that the cycle is held against; none where there is none.
    pub fn clock(&self) -> Option<ClockFigures> {
        self.pacer.clock_figures()
    }

    fn live_station(&self, n: usize) -> LiveStation {
        let reading = self.stations.get(n).and_then(|reading| reading.ok());
        LiveStation {
            valid: reading.is_some(),
            pressure_pa: reading.map_or(0.0, |r| r.pressure_pa),
            predicted_pressure_pa: self.pipeline.predicted_pressure_pa(n).unwrap_or(0.0),
            residual_sigma: self.pipeline.station(n).map_or(0.0, |s| s.latest_sigma),
        }
    }

    fn live_axis(&self, n: usize, reading: &Result<AxisReading, Missing>) -> LiveAxis {
        let Ok(reading) = reading else {
            return LiveAxis::default();
        };
        let predicted = self.pipeline.compared(n).unwrap_or_default();
        let widening = self.pipeline.widening(n).filter(|w| *w >= 1.0);
        LiveAxis {
            valid: true,
            position_m: reading.position_m,
            predicted_position_m: predicted[0],
            velocity_m_per_s: reading.velocity_m_per_s,
            predicted_velocity_m_per_s: predicted[1],
            current_a: reading.current_a,
            predicted_current_a: predicted[2],
            residual_sigma: self.pipeline.judge(n).map_or(0.0, |j| j.latest_sigma),
            regime: self
                .pipeline
                .load(n)
                .map_or(Regime::Settling, |(_, _, regime)| regime),
            confidence: widening.map_or(0.0, |w| 1.0 / w),
            judged: self.pipeline.judged(n),
            renewal: self.pipeline.renewal_seen(n),
            not_judged: NotJudged::of(&self.pipeline, n),
        }
    }
}
