//! What stands around the pipeline in the cycle thread, with readings made by a fleet.

use crate::fleet::Fleet;
use heapless::spsc::Queue;
use twinstep_cycle::event::Event;
use twinstep_cycle::pipeline::Pipeline;
use twinstep_host::crew::Crew;
use twinstep_host::scribe::EVENT_QUEUE;
use twinstep_models::sample::{AxisReading, CycleStamp, Missing, Samples, StationReading};

/// Readings of axes and stations of one cycle.
pub type Readings = (
    Vec<Result<AxisReading, Missing>>,
    Vec<Result<StationReading, Missing>>,
);

/// Everything that stands around the pipeline in the cycle thread.
pub struct Rig<'a> {
    /// What is measured.
    pub pipeline: Pipeline<'a>,
    crew: Crew<'a>,
    queue: Queue<Event, EVENT_QUEUE>,
    period_ns: u64,
    cycle: u64,
}

impl<'a> Rig<'a> {
    /// Around `pipeline`, at cycle 0.
    pub fn new(pipeline: Pipeline<'a>) -> Self {
        Self {
            period_ns: pipeline.plan().period_ns,
            pipeline,
            crew: Crew::alone(),
            queue: Queue::new(),
            cycle: 0,
        }
    }

    /// Has `crew` work on the pipeline too.
    pub fn with_crew(mut self, crew: Crew<'a>) -> Self {
        self.crew = crew;
        self
    }

    /// The workers may rest until shortly before this time (ns on CLOCK_MONOTONIC).
    pub fn rest_until(&self, start_ns: u64) {
        self.crew.rest_until(start_ns);
    }

    fn stamp(&self) -> CycleStamp {
        CycleStamp {
            cycle: self.cycle,
            time_ns: self.cycle * self.period_ns,
            dc_time_ns: 0,
        }
    }

    /// While the frame is on the wire.
    // Never inlined, like those that follow: callgrind counts by function.
    #[inline(never)]
    pub fn measured_predict(&mut self) {
        self.pipeline.predict_by(&mut self.crew, |_| {});
    }

    /// When the frame is there.
    #[inline(never)]
    pub fn measured_compare(&mut self, readings: &Readings) {
        let stamp = self.stamp();
        let samples = samples(readings);
        self.pipeline
            .compare_by(&mut self.crew, stamp, &samples, |_| {});
        while let Some(event) = self.pipeline.take_event() {
            // What does not fit is counted by the host; here the queue is emptied after every batch.
            let _ = self.queue.enqueue(event);
        }
    }

    /// After the events are out.
    #[inline(never)]
    pub fn measured_correct(&mut self, readings: &Readings) {
        let stamp = self.stamp();
        let samples = samples(readings);
        self.pipeline
            .correct_by(&mut self.crew, stamp, &samples, |_| {});
        self.cycle += 1;
    }

    /// Health, which the host tracks apart, of the cycle that was corrected last.
    pub fn track(&mut self) {
        let stamp = CycleStamp {
            cycle: self.cycle - 1,
            ..self.stamp()
        };
        self.pipeline.track_by(&mut self.crew, stamp);
    }

    /// The three phases.
    pub fn whole(&mut self, readings: &Readings) {
        self.measured_predict();
        self.measured_compare(readings);
        self.measured_correct(readings);
    }

    /// Empties the queue.
    pub fn events(&mut self) -> u64 {
        let mut events = 0;
        while self.queue.dequeue().is_some() {
            events += 1;
        }
        events
    }
}

/// The readings as the pipeline takes them.
pub fn samples(readings: &Readings) -> Samples<'_> {
    Samples {
        axes: &readings.0,
        stations: &readings.1,
        context: Default::default(),
        bus: Ok(()),
    }
}

/// Moves the fleet on by a cycle.
pub fn next_readings(fleet: &mut Fleet, readings: &mut Readings) {
    fleet.next();
    readings.0.copy_from_slice(&fleet.axis_readings);
    readings.1.copy_from_slice(&fleet.station_readings);
}
