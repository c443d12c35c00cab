//! The workers of a run.

use crate::crew::{Crew, Hiring};
use crate::error::HostError;
use crate::realtime::{self, Chosen};
use crate::trust::Trust;
use std::thread::Scope;
use twinstep_config::machine::Machine;

/// Starts what `[realtime] model_cores` asks for, in the cycle thread, which is on its core by now. In virtual time they work
/// too, wherever they find room.
pub(super) fn hire<'scope, 'a: 'scope>(
    scope: &'scope Scope<'scope, '_>,
    machine: &Machine,
    real: bool,
    trust: Trust,
    wait: &Chosen,
) -> Result<(Crew<'a>, Trust), HostError> {
    let settings = &machine.realtime;
    if settings.model_cores.is_empty() {
        return Ok((Crew::alone(), trust));
    }
    let hiring = Hiring {
        cores: settings.model_cores.clone(),
        real: real.then(|| (settings.clone(), machine.cycle.period_ns, wait.spin_ns)),
        hook: None,
    };
    let (crew, granted) = Crew::hire(scope, &hiring)?;
    if !real {
        return Ok((crew, trust));
    }
    let trust = trust.with_workers(granted);
    if settings.require {
        // With a rival it would have been refused before.
        realtime::refuse_without(&trust, settings.core, &[])?;
    }
    Ok((crew, trust))
}
