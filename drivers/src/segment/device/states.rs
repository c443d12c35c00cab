//! The AL state machine at work: what it checks before a state, and what time alone does to it.

use super::super::al::{Decision, OP_TIMEOUT_NS, code};
use super::super::application::AlState;
use super::super::plant::Plant;
use super::super::sync_manager::SyncManager;
use super::{Device, INPUTS_START, MAILBOX_BYTES, OUTPUTS_START, RX_MAILBOX, TX_MAILBOX};

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
        let [_, _, outputs, _] = self.sync_managers;
        if self.al.state == AlState::Op
            && outputs.enabled
            && outputs.feeds_watchdog()
            && self.watchdog_ns > 0
            && self
                .outputs_at
                .is_some_and(|at| segment_ns.saturating_sub(at) > self.watchdog_ns)
        {
            self.put(0x0440, &[0]);
            let count = self.byte(0x0442).saturating_add(1);
            self.put(0x0442, &[count]);
            self.enter(AlState::SafeOp, segment_ns, plant);
            self.al.fail(code::WATCHDOG);
            self.publish_al();
        }
    }

    pub(super) fn request_state(&mut self, control: u8, now_ns: u64, plant: &mut Plant) {
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
        let [rx_mailbox, tx_mailbox, outputs, inputs] = self.sync_managers;
        let fits = |sm: &SyncManager, start: u16, length: usize| {
            sm.enabled == (length > 0)
                && (length == 0 || (sm.start == start && usize::from(sm.length) == length))
        };
        let mailbox = usize::from(MAILBOX_BYTES);
        match state {
            AlState::PreOp
                if !(fits(&rx_mailbox, RX_MAILBOX, mailbox)
                    && fits(&tx_mailbox, TX_MAILBOX, mailbox)
                    && rx_mailbox.is_mailbox()
                    && tx_mailbox.is_mailbox()
                    && rx_mailbox.bus_writes()
                    && !tx_mailbox.bus_writes()) =>
            {
                // On the way down the mailboxes are as they were.
                if self.al.state == AlState::Init {
                    Err(code::MAILBOX)
                } else {
                    Ok(())
                }
            }
            AlState::SafeOp if self.al.state < AlState::SafeOp => {
                if !fits(&outputs, OUTPUTS_START, self.description.output_bytes()) {
                    Err(code::OUTPUTS)
                } else if !fits(&inputs, INPUTS_START, self.description.input_bytes()) {
                    Err(code::INPUTS)
                } else if self.byte(0x0981) & 0x03 == 0x03 && self.dc.sync0.is_none() {
                    Err(code::DC_SYNC)
                } else {
                    Ok(())
                }
            }
            _ => Ok(()),
        }
    }

    /// What must have happened before OP.
    pub(super) fn op_conditions(&self) -> Result<(), u16> {
        if self.description.output_bytes() > 0 && self.outputs_at.is_none() {
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
        if state == AlState::Op && self.outputs_at.is_some() {
            // The watchdog counts from here, not from the last frame in SAFE-OP.
            self.outputs_at = Some(now_ns);
        }
        if state == AlState::Op {
            self.missed = 0;
        }
        self.al.state = state;
        self.publish_al();
        self.application.al_state(state, plant);
    }

    pub(super) fn publish_al(&mut self) {
        let status = self.al.status();
        let [low, high] = self.al.code.to_le_bytes();
        self.put(0x0130, &[status, 0, 0, 0, low, high]);
    }
}
