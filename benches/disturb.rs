//! Machines in motion of which one axis after the other leaves its path, each time in bytes of the process image: from then on
//! everything between the frame and the flag is timed.

use crate::before::Before;
use crate::commission::commission;
use crate::wire::Wire;
use twinstep_config::machine::Machine;
use twinstep_cycle::event::{Detector, Event, EventState, Source};
use twinstep_drivers::object_map::ObjectMap;
use twinstep_host::clock::monotonic_ns;
use twinstep_host::plan::PlanStore;
use twinstep_models::channel::Channel;
use twinstep_models::sample::{CycleStamp, Missing, Samples};

/// Seed of machines, noise and start phases.
pub const SEED: u64 = 1;
/// Cycles of the commissioning run.
const COMMISSIONING_CYCLES: u64 = 6000;
/// Cycles in which an axis that was disturbed is left alone: its limit must clear first, and what comes
/// back soon would not count as new.
const REST_CYCLES: u64 = 4000;
/// The jump, over the axis' limit.
const JUMP: f64 = 10.0;

/// Where flags go.
pub trait Flags {
    /// The next cycle will be timed: outside of what is timed.
    fn prepare(&mut self) {}

    /// One event.
    fn send(&mut self, event: Event);

    /// Looks whether one can be read on the other side of this thread; called once behind all events of a cycle.
    fn is_readable(&mut self) -> bool;

    /// The cycle is over: outside of what is timed. Returns whether a flag about the position of this axis can be believed to be
    /// there.
    fn finish(&mut self, disturbed: Option<usize>) -> bool;
}

/// One disturbed cycle.
#[derive(Clone, Copy, Debug)]
pub struct Shot {
    /// The cycle.
    pub cycle: u64,
    /// The axis that left its path.
    pub axis: usize,
    /// When the frame was in memory.
    pub start_ns: u64,
    /// When the flags could be read on this thread's side.
    pub end_ns: u64,
}

/// Whether `event` is what a disturbance leads to.
pub fn is_flag(event: &Event) -> bool {
    event.channel == Channel::PositionNext
        && event.detector == Detector::FastLimit
        && event.state == EventState::Raised
}

/// Whether `event` is what a disturbance of `axis` leads to.
pub fn is_flag_of(event: &Event, axis: usize) -> bool {
    is_flag(event) && event.source == Source::Axis(axis as u16)
}

/// Disturbs one axis after the other, `repeats` times in all; `flags` is made when the machine is commissioned. `before` is what the
/// thread does before the frame of a disturbed cycle.
///
/// # Panics
/// When a disturbance raises no event on its axis: then nothing was measured.
#[expect(
    clippy::expect_used,
    reason = "a machine that has no process data cannot be measured"
)]
pub fn shots<F: Flags>(
    machine: &mut Machine,
    repeats: usize,
    before: Before,
    flags: impl FnOnce() -> F,
) -> (Vec<Shot>, F) {
    let (plan, mut fleet) = commission(machine, SEED, COMMISSIONING_CYCLES);
    let axes = plan.params.len();
    let map = ObjectMap::new(machine).expect("the machine has process data");
    let wire = Wire::new(machine, &map).expect("the drives map what a reading needs");
    let mut image = map.image();
    let mut state = plan.state();
    let mut pipeline = plan.pipeline(&mut state);
    let mut axis_readings = vec![Err(Missing::NoFrame); axes];
    let mut station_readings = vec![Err(Missing::NoFrame); machine.stations.len()];
    let mut shots = Vec::with_capacity(repeats);
    let mut flags = flags();

    let settled = 2 * u64::from(plan.plan().thresholds.settle_cycles);
    let every = (REST_CYCLES / axes as u64).max(4);
    let mut scratch = Vec::new();
    let mut cycle = 0;
    while shots.len() < repeats {
        let stamp = CycleStamp {
            cycle,
            time_ns: cycle * machine.cycle.period_ns,
            dc_time_ns: 0,
        };
        let predicted = !before.precedes_predict();
        if predicted {
            pipeline.predict();
        }
        fleet.next();
        wire.fill(
            &map,
            &mut image,
            &fleet.axis_readings,
            &fleet.station_readings,
        );
        let disturbed = if cycle > settled && cycle.is_multiple_of(every) {
            let axis = (cycle / every) as usize % axes;
            let jump = position_limit_m(&plan, axis).zip(fleet.axis_readings[axis].ok());
            if let Some((limit_m, reading)) = jump {
                wire.put_position(&mut image, axis, reading.position_m + JUMP * limit_m);
            }
            flags.prepare();
            Some(axis)
        } else {
            None
        };
        // What the slow channel found in the last cycle is no part of this one's latency.
        while pipeline.take_event().is_some() {}
        if disturbed.is_some() {
            before.rest(&mut scratch);
        }
        if !predicted {
            pipeline.predict();
        }

        let start_ns = monotonic_ns();
        map.read(&image, Ok(()), &mut axis_readings, &mut station_readings);
        let samples = Samples {
            axes: &axis_readings,
            stations: &station_readings,
            context: fleet.context(),
            bus: Ok(()),
        };
        pipeline.compare(stamp, &samples);
        while let Some(event) = pipeline.take_event() {
            flags.send(event);
        }
        let seen = flags.is_readable();
        let end_ns = monotonic_ns();

        let found = flags.finish(disturbed);
        if let Some(axis) = disturbed {
            assert!(
                seen && found,
                "cycle {cycle}: the jump of axis {axis} raised no event"
            );
            shots.push(Shot {
                cycle,
                axis,
                start_ns,
                end_ns,
            });
        }
        pipeline.correct(stamp, &samples);
        cycle += 1;
    }
    (shots, flags)
}

/// The fast limit on the position of an axis (m).
fn position_limit_m(plan: &PlanStore, axis: usize) -> Option<f64> {
    plan.plan().axes.get(axis)?.limits[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machines;

    /// Remembers the axes of the flags of one cycle.
    #[derive(Default)]
    struct Seen(Vec<Source>);

    impl Flags for Seen {
        fn prepare(&mut self) {
            self.0.clear();
        }

        fn send(&mut self, event: Event) {
            if is_flag(&event) {
                self.0.push(event.source);
            }
        }

        fn is_readable(&mut self) -> bool {
            !self.0.is_empty()
        }

        fn finish(&mut self, disturbed: Option<usize>) -> bool {
            disturbed.is_none_or(|axis| self.0.contains(&Source::Axis(axis as u16)))
        }
    }

    /// Would show readings that nothing is judged by, such as those of drives that show no mode: then nothing is measured either.
    #[test]
    fn every_jump_raises_a_flag_on_its_axis() {
        let mut machine = machines::press_cell();
        let axes = machine.axes.len() + machine.presses.len();
        let (shots, _) = shots(&mut machine, axes, Before::Nothing, Seen::default);
        let mut seen: Vec<usize> = shots.iter().map(|shot| shot.axis).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..axes).collect::<Vec<_>>());
    }
}
