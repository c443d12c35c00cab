//! One pass of the very pipeline over a recording: what calibration learns from, and what `replay` says before it runs.
//!
//! No clock, no scribe and no thread: events are thrown away, and whoever asks looks into the pipeline after every cycle.

use crate::runner::samples_of;
use twinstep_cycle::pipeline::Pipeline;
use twinstep_drivers::bus::{Bus, BusCause};
use twinstep_drivers::object_map::outcome;
use twinstep_drivers::recording::RecordingBus;
use twinstep_models::sample::{AxisReading, CycleStamp, Missing};

/// Runs `pipeline` over what is left of the recording. `cycle` is called after each one, with the readings of the axes.
pub fn over<'p>(
    bus: &mut RecordingBus,
    pipeline: &mut Pipeline<'p>,
    mut cycle: impl FnMut(&mut Pipeline<'p>, CycleStamp, &[Result<AxisReading, Missing>]),
) {
    let map = bus.object_map().clone();
    let mut image = map.image();
    let mut axes = vec![Err(Missing::NoFrame); pipeline.plan().axes.len()];
    let mut stations = vec![Err(Missing::NoFrame); pipeline.plan().stations.len()];
    loop {
        let result = bus.exchange(&mut image, &mut || pipeline.predict());
        let stamp = match &result {
            Ok(stamp) => *stamp,
            Err(fault) if fault.cause == BusCause::End => return,
            Err(fault) => fault.stamp,
        };
        let exchange = outcome(&result);
        map.tell_context(&mut image, exchange, pipeline.context().conditions);
        map.read(&image, exchange, &mut axes, &mut stations);
        let samples = samples_of(&axes, &stations, &image, exchange);
        pipeline.compare(stamp, &samples);
        while pipeline.take_event().is_some() {}
        pipeline.correct(stamp, &samples);
        cycle(pipeline, stamp, &axes);
    }
}
