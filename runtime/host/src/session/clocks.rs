//! The clocks of a run besides CLOCK_MONOTONIC: the one that the cycle is held against, and ptp4l, which may keep it.

use super::Options;
use crate::clock;
use crate::cycle_clock::Grid;
use crate::error::HostError;
use crate::names::RunInfo;
use crate::output::Output;
use crate::ptp::PtpWatch;
use crate::runner::Outlets;
use crate::trust::Trust;
use crate::uadp::Predictions;
use twinstep_config::machine::{ClockSource, Machine};

/// The clock that the cycle is held against; none where none is asked for, and in virtual time. To be opened before the bus.
pub(super) fn grid(machine: &Machine, options: &Options) -> Result<Option<Grid>, HostError> {
    let asked = machine.realtime.clock.as_ref();
    let asked = asked.filter(|_| options.real_time);
    let open = |clock| Grid::open(clock, machine.cycle.period_ns);
    asked.map(open).transpose()
}

/// Asks ptp4l beside the cycle, where the configuration wants it.
pub(super) fn watch(
    machine: &Machine,
    options: &Options,
    output: &Output,
) -> Result<Option<PtpWatch>, HostError> {
    let Some(asked) = machine.realtime.ptp.as_ref().filter(|_| options.real_time) else {
        return Ok(None);
    };
    // A remark would tear the live view.
    let output = (options.quiet || !output.is_terminal()).then(|| output.clone());
    let remark = move |text: &str| {
        if let Some(output) = &output {
            output.note(text);
        }
    };
    let started = PtpWatch::start(asked, remark);
    started.map(Some).map_err(|error| {
        HostError::machine(
            format!("ptp4l cannot be watched: {error}"),
            "raise the limit of processes",
        )
    })
}

/// Says in `trust` what clocks and launch times are worth.
pub(super) fn tell(
    trust: &mut Trust,
    machine: &Machine,
    outlets: &mut Outlets,
    info: &RunInfo,
    remark: &dyn Fn(&str),
) {
    let launch = outlets.uadp.as_mut().and_then(Predictions::launches);
    trust.launch_times_kept = launch.map(|launch| launch.kept);
    trust.ptp = info.ptp();
    let source = machine.realtime.clock.as_ref().map(|clock| &clock.source);
    let by_tai = source == Some(&ClockSource::Tai) || trust.launch_times_kept == Some(true);
    trust.tai_offset_s = by_tai.then(clock::tai_offset_s);
    // [tsn] has said so already.
    if trust.tai_offset_s == Some(0) && machine.tsn.is_none() {
        remark(
            "TAI - UTC is 0 on this computer: the cycle follows its own idea of CLOCK_TAI, not that of the network \
             (see clock.tai of `twinstep doctor`)",
        );
    }
}
