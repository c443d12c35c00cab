//! The cycle thread from its set-up to the end of its bus.

use super::workers::hire;
use super::{Options, clocks};
use crate::attached::Attached;
use crate::coast_watch::CoastLine;
use crate::context_watch::ContextLine;
use crate::control::health::HealthBuffer;
use crate::cycle_clock::ClockFigures;
use crate::doctor;
use crate::error::HostError;
use crate::findings::PhaseLine;
use crate::health::{self, HealthLine};
use crate::launch::LaunchLine;
use crate::lines::{BusLine, PhasesLine};
use crate::names::RunInfo;
use crate::not_judged::{self, NotJudgedLine};
use crate::pacer::Pacer;
use crate::phases::{
    Measured, PhaseFigures, PhaseSettings, PhaseStatistics, Timing, Trace, WarmUp,
};
use crate::realtime::{self, Chosen, Held, capabilities};
use crate::runner::{Outlets, Runner};
use crate::shared::{self, Moved, SharedLine};
use crate::trust::Trust;
use crate::{clock, tables};
use std::thread::Scope;
use twinstep_config::machine::{Machine, Overrun};
use twinstep_cycle::pipeline::Pipeline;
use twinstep_cycle::setpoint::{ProgramSource, SetpointSource};
use twinstep_drivers::object_map::ObjectMap;

/// What the cycle thread brings back.
pub(super) struct Done {
    pub cycles: u64,
    pub digest: u64,
    pub summary_phases: PhasesLine,
    /// Of the starts; none in virtual time.
    pub jitter: Option<PhaseFigures>,
    pub overruns: u64,
    pub bus: BusLine,
    pub phase: Option<PhaseLine>,
    pub coast: CoastLine,
    pub context: Option<ContextLine>,
    pub not_judged: Vec<NotJudgedLine>,
    pub launch: Option<LaunchLine>,
    pub unpublished: Option<u64>,
    pub clock: Option<ClockFigures>,
    pub shared: Option<SharedLine>,
    pub trust: Trust,
    pub trouble: Option<String>,
    /// Why the run ended before anybody asked it to.
    pub ended: Option<String>,
    /// The outputs of the machine are ours.
    pub owns_outputs: bool,
    pub health: Vec<HealthLine>,
    /// What is kept of it for the next run.
    pub kept: Option<Box<HealthBuffer>>,
}

#[expect(
    clippy::too_many_arguments,
    reason = "the one place where the parts of the cycle thread come together"
)]
pub(super) fn cycle_thread<'scope, 'a: 'scope, B, F>(
    scope: &'scope Scope<'scope, '_>,
    machine: &Machine,
    options: &'a Options,
    pipeline: Pipeline<'a>,
    (source, moved): (ProgramSource<'a>, &'a mut Moved),
    map: ObjectMap,
    mut outlets: Outlets,
    info: &RunInfo,
    remark: &dyn Fn(&str),
    attach: F,
) -> Result<Done, HostError>
where
    B: Attached,
    F: FnOnce() -> Result<(B, Pacer), HostError>,
{
    // What is held stays held until the machine has stopped.
    let (trust, wait, _held) = if options.real_time {
        let entered = realtime::enter(&machine.realtime, machine.cycle.period_ns)?;
        if !entered.rivals.is_empty() {
            remark(&format!(
                "at or above the cycle's priority: {} ({})",
                entered.rivals.join(", "),
                doctor::REMEDY_OF_RIVALS
            ));
        }
        if !entered.seen.is_empty() {
            remark(&format!(
                "at or above the cycle's priority, may come to its core and ran there last: {} ({})",
                entered.seen.join(", "),
                doctor::REMEDY_OF_RIVALS
            ));
        }
        (entered.trust, entered.wait, entered.held)
    } else {
        (Trust::observe(), Chosen::default(), Held::default())
    };
    let (crew, mut trust) = hire(scope, machine, options.real_time, trust, &wait)?;
    trust.nic_denied = options.nic_denied;
    clocks::tell(&mut trust, machine, &mut outlets, info, remark);
    info.set_trust(tables::trust_text(&trust));
    if options.interface.is_some() {
        remark(&tables::trust_text(&trust));
        remark(&format!("wait: {}", wait.text()));
    }
    let timing = if options.real_time {
        Timing::Real
    } else {
        Timing::Virtual
    };
    let period_ns = machine.cycle.period_ns;
    let phases = PhaseStatistics::new(&PhaseSettings {
        timing,
        period_ns,
        budget_ns: machine.cycle.budget_ns,
        model_budget_ns: machine.cycle.model_budget_ns,
        warm_up: (machine.cycle.warm_up_cycles).map_or(WarmUp::Usual, WarmUp::Cycles),
        cycles: options.cycles,
    })
    .map_err(|error| {
        HostError::machine(
            format!("histograms: {error}"),
            "this is a fault of twinstep: please report it",
        )
    })?;
    let phases = match (&options.samples, options.cycles) {
        (Some(_), Some(cycles)) => phases.with_trace(Trace::new(cycles)),
        _ => phases,
    };
    // In virtual time there is nobody to share with.
    let settings = machine.shared.as_ref().filter(|_| options.real_time);
    let (outlet, controller) = shared::open(settings, machine, moved, options.armed)?;
    // The bus comes last: once it is in OP, the watchdogs of the SubDevices wait for the first cycle.
    let grid = clocks::grid(machine, options)?;
    let (mut bus, mut pacer) = attach()?;
    pacer.spin_for(wait.spin_ns);
    if let Some(grid) = grid {
        pacer.hold_against(grid);
    }
    // A tap waits for somebody else's master.
    while !bus.ready()? && !outlets.control.stop_requested() {}
    // Sockets are open and the policy is set: from here on no rights are needed.
    if let Err(error) = capabilities::give_up_all() {
        remark(&format!(
            "rights that are not needed any more could not be given up: {error}"
        ));
    }
    let owns_outputs = bus.takes_outputs();
    let asks = (machine.shared.as_ref()).is_some_and(|shared| shared.controller.is_some());
    if owns_outputs && asks && controller.is_none() {
        remark(
            "in virtual time nothing is shared: the axes run their programs, not a controller's set-points",
        );
    }
    let source: Option<Box<dyn SetpointSource>> = match controller {
        _ if !owns_outputs => None,
        Some(controller) => Some(Box::new(controller)),
        None => Some(Box::new(source)),
    };
    info.set_start_utc_ns(clock::utc_ns());
    let learnt = bus.process_data();
    info.set_process_data(learnt);
    if let Some(learnt) = learnt {
        remark(learnt.text());
    }
    let mut runner =
        Runner::new(bus, pacer, map, pipeline, source, outlets, phases, trust).with_crew(crew);
    if let Some(outlet) = outlet {
        runner.share(outlet);
    }
    if (machine.bus.as_ref()).is_some_and(|bus| bus.overrun == Overrun::Stop) {
        runner.stop_on_overrun();
    }
    if let Some(checks) = &options.checks {
        runner.follow(checks.follow());
    }
    runner.run(options.cycles);
    // A master that started again may have been learnt since.
    info.set_process_data(runner.bus().process_data());
    if let Some(samples) = &options.samples {
        samples.put(Measured {
            trace: runner.take_trace(),
            phases: *runner.phases().snapshot(),
            trust,
        });
    }
    // What is counted belongs to the run; the stop comes after it.
    let done = Done {
        cycles: runner.cycles(),
        digest: runner.digest(),
        summary_phases: PhasesLine(runner.phases().figures()),
        jitter: runner.phases().jitter(),
        overruns: runner.phases().overruns(),
        bus: BusLine::from(runner.bus().counters()),
        phase: runner.phase().line(),
        coast: runner.coast().line(),
        context: runner.told_context(),
        not_judged: not_judged::lines(runner.pipeline(), &info.names),
        launch: runner.launches(),
        unpublished: runner.unpublished(),
        clock: runner.clock(),
        trust: Trust {
            ptp: info.ptp(),
            ..trust
        },
        shared: (runner.shared_counts()).map(|counts| SharedLine::new(counts, &info.names)),
        trouble: None,
        ended: runner.take_ended(),
        owns_outputs,
        health: Vec::new(),
        kept: None,
    };
    // Lives take their time, and drives that move wait for no one: first they are stopped, which judges nothing.
    let trouble = runner.stop();
    Ok(Done {
        trouble,
        health: health::lines(runner.pipeline(), &info.names),
        kept: runner.copy_health(),
        ..done
    })
}
