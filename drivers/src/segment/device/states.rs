//! The AL state machine at work: what it checks before a state, and what time alone does to it.

use super::super::al::{Decision, OP_TIMEOUT_NS, code};
use super::super::application::AlState;
use super::super::controller::Area;
use super::super::plant::Plant;
use super::super::registers::SYNC_MANAGERS;
use super::super::sync_manager::SyncManager;
use super::Device;

impl Device {
    /// What happens with time alone: the wait for OP and the watchdog.
    pub fn tick(&mut self, segment_ns: u64, plant: &mut Plant) {
        self.mailbox_tick(segment_ns);
        if let Some(until) = self.al.waiting_for_op_until {
            if self.op_conditions().is_ok() {
                self.enter(AlState::Op, segment_ns, plant);
            } else if segment_ns >= until {
                let code = self.op_conditions().err().unwrap_or(code::NO_OUTPUTS);
                self.al.fail(code);
                self.publish_al();
            }
        }
        if self.al.state == AlState::Op
            && self.channels.watched
            && self.outputs_at.is_some()
            && self.is_starved(segment_ns)
        {
            self.put(0x0440, &[0]);
            self.count_error(0x0442);
            if self.description.controller.emulated {
                // Nobody leaves OP here: the outputs fall off, and the MainDevice sees it in the watchdog's status.
                self.outputs_at = None;
                return;
            }
            self.enter(AlState::SafeOp, segment_ns, plant);
            self.al.fail(code::WATCHDOG);
            self.publish_al();
        }
    }

    pub(super) fn request_state(&mut self, control: u8, now_ns: u64, plant: &mut Plant) {
        if self.description.controller.emulated {
            // With a wrong checksum it does not know that it should emulate: nothing answers AL control.
            if let Some(state) = AlState::from_control(control)
                && state != self.al.state
                && self.eeprom_fits
            {
                self.enter(state, now_ns, plant);
            }
            return;
        }
        match self.al.request(control) {
            Decision::Ignore => {}
            Decision::Refuse(code) => self.al.fail(code),
            Decision::Enter(state) => match self.conditions(state) {
                Ok(()) if state == AlState::Op && self.op_conditions().is_err() => {
                    self.al.waiting_for_op_until = Some(now_ns.saturating_add(OP_TIMEOUT_NS));
                }
                Ok(()) => self.enter(state, now_ns, plant),
                Err(code) => self.al.fail(code),
            },
        }
        self.publish_al();
    }

    /// What must be configured before a state is entered.
    pub(super) fn conditions(&self, state: AlState) -> Result<(), u16> {
        let controller = &self.description.controller;
        let fits = |sm: &SyncManager, start: u16, length: u16| {
            sm.enabled == (length > 0) && (length == 0 || (sm.start, sm.length) == (start, length))
        };
        match state {
            // On the way down the mailboxes are as they were.
            AlState::PreOp if self.al.state == AlState::Init => {
                if !self.eeprom_fits {
                    return Err(code::EEPROM);
                }
                let Some(boxes) = controller.mailboxes else {
                    return Ok(());
                };
                let [rx, tx, ..] = &self.sync_managers;
                let right = fits(rx, boxes.receive_start, boxes.receive_bytes)
                    && fits(tx, boxes.send_start, boxes.send_bytes)
                    && rx.is_mailbox()
                    && tx.is_mailbox()
                    && rx.bus_writes()
                    && !tx.bus_writes();
                if right { Ok(()) } else { Err(code::MAILBOX) }
            }
            AlState::SafeOp if self.al.state < AlState::SafeOp => {
                let sync0_ns = self.dc.sync0.map(|sync0| sync0.cycle_ns);
                let wrong = |area: Area| {
                    let sm = self.sync_managers.get(area.sync_manager);
                    !sm.is_some_and(|sm| fits(sm, area.start, area.bytes))
                };
                if self.pdos.areas(false).any(wrong) {
                    Err(code::OUTPUTS)
                } else if self.pdos.areas(true).any(wrong) {
                    Err(code::INPUTS)
                } else if self.is_without_its_clock() {
                    Err(code::DC_SYNC)
                } else if !self.sync.cycle_fits(sync0_ns) {
                    Err(code::SYNC_CYCLE)
                } else {
                    Ok(())
                }
            }
            _ => Ok(()),
        }
    }

    /// SYNC0 was asked for and does not run, or a mode of 0x1C32 or 0x1C33 needs what does not run.
    fn is_without_its_clock(&self) -> bool {
        let sync0_ns = self.dc.sync0.map(|sync0| sync0.cycle_ns);
        (self.byte(0x0981) & 0x03 == 0x03 && sync0_ns.is_none())
            || !self.sync.fits(sync0_ns, self.dc.has_sync1())
    }

    /// What must have happened before OP.
    pub(super) fn op_conditions(&self) -> Result<(), u16> {
        if self.pdos.bytes(false) > 0 && self.outputs_at.is_none() {
            Err(code::NO_OUTPUTS)
        } else if self.byte(0x0981) & 0x03 == 0x03 && self.dc.pulses == 0 {
            Err(code::NO_SYNC)
        } else {
            Ok(())
        }
    }

    pub(super) fn enter(&mut self, state: AlState, now_ns: u64, plant: &mut Plant) {
        self.al.waiting_for_op_until = None;
        if state < AlState::SafeOp {
            self.outputs_at = None;
        }
        if state < AlState::Op {
            self.pending = [None; 2];
        }
        if state == AlState::SafeOp && self.pdos.take_changed() {
            self.apply_mapping();
        }
        if state == AlState::Op && self.outputs_at.is_some() {
            // The watchdog counts from here, not from the last frame in SAFE-OP.
            self.outputs_at = Some(now_ns);
            self.fed_ns = [now_ns; SYNC_MANAGERS];
        }
        if state == AlState::Op {
            self.missed = 0;
        }
        self.al.state = state;
        self.publish_al();
        self.application.al_state(state, plant);
    }

    /// The firmware learns what its process data consists of now.
    fn apply_mapping(&mut self) {
        let outputs: Vec<_> = self.pdos.entries(false).collect();
        let inputs: Vec<_> = self.pdos.entries(true).collect();
        self.application.map(&outputs, &inputs);
        self.apply_sync_managers();
    }

    pub(super) fn publish_al(&mut self) {
        let status = self.al.status();
        if status != self.byte(0x0130) {
            self.al_event();
        }
        let [low, high] = self.al.code.to_le_bytes();
        self.put(0x0130, &[status, 0, 0, 0, low, high]);
    }
}
