//! The process data RAM behind the SyncManagers: who may touch it, and the mailbox hand-over.

use super::super::application::AlState;
use super::super::coe::Behind;
use super::super::mailbox::{
    ERROR_INVALID_HEADER, ERROR_UNSUPPORTED_PROTOCOL, Message, Request, TYPE_COE,
};
use super::super::registers::SYNC_MANAGER_START;
use super::super::sync_manager::{MAILBOX_FULL, SyncManager};
use super::super::synchronisation::Synchronisation;
use super::Device;

impl Device {
    fn used(&self) -> impl Iterator<Item = (usize, &SyncManager)> {
        self.sync_managers
            .iter()
            .take(self.channels.in_use)
            .enumerate()
    }

    pub(super) fn may_read(&self, start: usize, length: usize) -> bool {
        self.used().all(|(index, sm)| {
            !sm.overlaps(start, length)
                || (!sm.bus_writes() && (!sm.is_mailbox() || self.mailbox_full(index)))
        })
    }

    pub(super) fn may_write(&self, start: usize, length: usize) -> bool {
        self.used().all(|(index, sm)| {
            !sm.overlaps(start, length)
                || (sm.bus_writes() && (!sm.is_mailbox() || !self.mailbox_full(index)))
        })
    }

    pub(super) fn mailbox_full(&self, index: usize) -> bool {
        self.byte(usize::from(SYNC_MANAGER_START) + index * 8 + 5) & MAILBOX_FULL != 0
    }

    pub(super) fn set_mailbox_full(&mut self, index: usize, full: bool) {
        let status = if full { MAILBOX_FULL } else { 0 };
        self.put(usize::from(SYNC_MANAGER_START) + index * 8 + 5, &[status]);
    }

    pub(super) fn was_read(&mut self, start: usize, length: usize) {
        let tx_mailbox = self.sync_managers[1];
        if self.description.controller.mailboxes.is_some()
            && tx_mailbox.is_mailbox()
            && tx_mailbox.completed_by(start, length)
            && self.mailbox_full(1)
        {
            self.set_mailbox_full(1, false);
            // A message of several parts goes on; then a request that had to wait for room is served.
            if let Some(mut next) = self.coe.next_fragment() {
                next.set_counter(self.counter);
                self.answer = next;
                self.send_answer();
            }
            self.serve_mailbox();
        }
    }

    pub(super) fn ram_written(&mut self, start: usize, length: usize, now_ns: u64) {
        let controller = &self.description.controller;
        let rx_mailbox = self.sync_managers[0];
        if controller.mailboxes.is_some()
            && rx_mailbox.is_mailbox()
            && rx_mailbox.completed_by(start, length)
        {
            self.set_mailbox_full(0, true);
            self.serve_mailbox();
            return;
        }
        let mut completed = core::mem::take(&mut self.completed);
        for (index, sm) in self.used() {
            let single = !self.buffers[index & 15].triple && sm.bus_writes() && !sm.is_mailbox();
            if single && sm.completed_by(start, length) {
                completed |= 1 << index;
            }
        }
        let outputs = |(sm, _): (usize, usize)| completed >> sm & 1 != 0;
        if completed == 0 || !self.pdos.assignments(false).any(outputs) {
            return;
        }
        if self.al.state >= AlState::SafeOp {
            self.outputs_at = Some(now_ns);
            self.fresh = true;
        }
        for (index, fed_ns) in self.fed_ns.iter_mut().enumerate() {
            if completed >> index & 1 != 0 {
                *fed_ns = now_ns;
            }
        }
        let fed = !self.is_starved(now_ns);
        self.put(0x0440, &[u8::from(fed)]);
    }

    /// A SyncManager that feeds the watchdog was not written for its time; each has a watchdog of its own.
    pub(super) fn is_starved(&self, now_ns: u64) -> bool {
        let fed = |sm: usize| self.fed_ns.get(sm).copied().unwrap_or(0);
        self.watchdog_ns > 0
            && self.pdos.assignments(false).any(|(at, _)| {
                let sm = self.sync_managers.get(at);
                sm.is_some_and(|sm| sm.enabled && sm.feeds_watchdog())
                    && now_ns.saturating_sub(fed(at)) > self.watchdog_ns
            })
    }

    pub(super) fn serve_mailbox(&mut self) {
        if !self.mailbox_full(0) || self.mailbox_full(1) || self.al.state < AlState::PreOp {
            return;
        }
        if self.is_held_up() {
            return;
        }
        let area = self.sync_managers[0].area();
        let counter = self.byte(area.start + 5) >> 4 & 7;
        let request = self.memory.get(area).and_then(Request::parse);
        let abort = request.and_then(|request| self.firmware.abort_of(request));
        let answer = match request {
            Some(_) if abort.is_some() => abort,
            Some(request) if request.kind == TYPE_COE && self.description.controller.coe => {
                let mut behind = Behind {
                    description: &self.description,
                    sync: Synchronisation {
                        sync0_ns: self.dc.sync0.map(|sync0| sync0.cycle_ns),
                        missed: self.missed,
                        config: self.sync,
                    },
                    sync_config: &mut self.sync,
                    pdos: &mut self.pdos,
                    pre_op: self.al.state == AlState::PreOp,
                    application: self.application.as_mut(),
                };
                self.coe.answer(request.body, &mut behind)
            }
            Some(_) => Some(Message::error(ERROR_UNSUPPORTED_PROTOCOL)),
            None => Some(Message::error(ERROR_INVALID_HEADER)),
        };
        self.set_mailbox_full(0, false);
        if let Some(mut answer) = answer {
            self.counter = counter;
            answer.set_counter(counter);
            self.answer = answer;
            self.answer_made();
        }
    }

    pub(super) fn send_answer(&mut self) {
        let area = self.sync_managers[1].area();
        if let Some(target) = self.memory.get_mut(area) {
            target.fill(0);
            for (byte, source) in target.iter_mut().zip(self.answer.as_bytes()) {
                *byte = *source;
            }
            self.set_mailbox_full(1, true);
        }
    }
}
