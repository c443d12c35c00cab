//! One bus as the control thread sees it: its cycle's queues, its budgets, its status.

use super::around::Around;
use super::budgets::Budgets;
use super::health::{HealthBuffer, HealthDesk};
use super::queue::{Command, ControlEnd};
use super::status::{Identity, StatusBuffer, StatusLine};
use crate::clock::monotonic_ns;
use crate::cycle_clock::ClockLine;
use crate::doctor::Root;
use crate::health::CourseLine;
use crate::names::RunInfo;
use crate::overruns::watcher::SharedCauses;
use crate::snapshot::Control;
use crate::strokes::StrokeBoard;
use std::path::PathBuf;
use std::sync::Arc;
use twinstep_config::machine::Machine;

/// What the server knows of the run on one bus.
pub struct Setting {
    /// What does not change.
    pub identity: Identity,
    /// The machine, or its part on this bus, for faults and budgets.
    pub machine: Machine,
    /// Names.
    pub info: Arc<RunInfo>,
    /// Folder of the event store.
    pub state: PathBuf,
    /// Causes of overruns; none in virtual time.
    pub causes: Option<SharedCauses>,
    /// Network interfaces of the bus; none where it is simulated in this process.
    pub interfaces: Vec<String>,
    /// The last strokes.
    pub strokes: StrokeBoard,
    /// Says whether its cycle has begun, and whether it has ended.
    pub control: Control,
}

/// How far a round of statuses has come at one bus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Round {
    /// It has still to be asked.
    #[default]
    Due,
    /// Its cycle has the buffer.
    Asked,
    /// Nothing more is to come.
    Over,
}

/// See the module.
pub(super) struct BusEnd {
    pub setting: Setting,
    pub cycle: ControlEnd,
    pub budgets: Budgets,
    around: Around,
    /// The one buffer for statuses; none while the cycle has it.
    buffer: Option<Box<StatusBuffer>>,
    health: HealthDesk,
    round: Round,
    /// The last status.
    last: Option<StatusLine>,
}

impl BusEnd {
    pub fn new(setting: Setting, cycle: ControlEnd) -> Self {
        let budgets = Budgets::of(&setting.machine.cycle);
        let around = Around::new(Root::live(), &setting.machine, setting.interfaces.clone());
        let buffer = Some(empty_buffer(&setting));
        let names = &setting.info.names;
        let health = HealthDesk::new(names);
        Self {
            setting,
            cycle,
            budgets,
            around,
            buffer,
            health,
            round: Round::Over,
            last: None,
        }
    }

    /// Its name where the machine has several.
    pub fn name(&self) -> Option<&str> {
        self.setting.info.names.bus()
    }

    /// Its cycle has ended: nobody answers.
    pub fn has_ended(&self) -> bool {
        self.setting.control.is_finished()
    }

    /// Its first cycle in OP has been.
    pub fn has_begun(&self) -> bool {
        self.setting.control.beat() > 0
    }

    /// A new round of statuses begins.
    pub fn begin(&mut self) {
        self.round = Round::Due;
    }

    /// Goes on with the round. `alone`: the machine has no other bus, and its cycle is waited for even before it has begun.
    pub fn go_on(&mut self, alone: bool) {
        if self.round == Round::Over {
            return;
        }
        if !alone && (self.has_ended() || !self.has_begun()) {
            if self.buffer.is_none() {
                // The cycle that had it is no more.
                self.buffer = Some(empty_buffer(&self.setting));
            }
            self.round = Round::Over;
            return;
        }
        if self.round == Round::Due
            && let Some(buffer) = self.buffer.take()
        {
            match self.cycle.send(Command::Status(buffer)) {
                Ok(_) => self.round = Round::Asked,
                Err(Command::Status(buffer)) => self.buffer = Some(buffer),
                Err(_) => {}
            }
        }
    }

    /// Whether its part of the round is there.
    pub fn is_over(&self) -> bool {
        self.round == Round::Over
    }

    /// Takes what the cycle has copied of the health.
    pub fn copied(&mut self, buffer: Box<HealthBuffer>) {
        self.health.take(buffer, &self.setting.info.names);
    }

    /// How a tracked parameter has gone; none where it is not tracked.
    pub fn course(&self, source: &str, parameter: &str) -> Option<CourseLine> {
        let names = &self.setting.info.names;
        self.health.course(names, source, parameter)
    }

    /// Takes the buffer that the cycle has filled in.
    pub fn filled(&mut self, mut buffer: Box<StatusBuffer>) {
        self.health.refresh(monotonic_ns(), &mut self.cycle);
        self.last = Some(self.line(&mut buffer));
        self.buffer = Some(buffer);
        if self.round == Round::Asked {
            self.round = Round::Over;
        }
    }

    /// The last status; one of no cycles where its cycle has not begun.
    pub fn status(&mut self) -> StatusLine {
        if let Some(last) = &self.last {
            return last.clone();
        }
        let mut buffer = empty_buffer(&self.setting);
        self.line(&mut buffer)
    }

    fn line(&mut self, buffer: &mut StatusBuffer) -> StatusLine {
        let setting = &self.setting;
        buffer.trust.ptp = setting.info.ptp();
        self.around.look(monotonic_ns(), buffer.trust.core);
        let mut status = StatusLine::new(
            None,
            &setting.identity,
            &setting.info.names,
            buffer,
            setting.causes.as_ref().map(SharedCauses::get),
            &self.around,
        );
        status.time_utc_ns = setting.info.utc_ns(buffer.time_ns);
        status.clock = ClockLine::of(&setting.machine, buffer.clock);
        status.recording = setting.info.recording();
        status.event_recordings = setting.info.event_recordings();
        status.strokes = setting.strokes.lines();
        status.health = self.health.lines().to_vec();
        status.false_alarms = Some(setting.info.false_alarms(buffer.time_ns));
        status
    }
}

fn empty_buffer(setting: &Setting) -> Box<StatusBuffer> {
    let names = &setting.info.names;
    Box::new(StatusBuffer::new(names.axis_count(), names.station_count()))
}
