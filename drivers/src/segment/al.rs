//! The AL state machine of a simulated SubDevice (ETG.1000.6, "AL management").
//!
//! ```text
//!            mailbox SMs right        SM2, SM3, SYNC0 right        outputs and SYNC0 seen
//!   INIT ----------------------> PRE-OP --------------------> SAFE-OP ----------------> OP
//!     ^------------ any way down is always allowed ------------------------------------'
//! ```
//! A refused request leaves the state, sets the error bit and a code; nothing moves until the MainDevice acknowledges.

use super::application::AlState;

/// AL status codes that the simulated SubDevices report.
pub mod code {
    /// Invalid requested state change.
    pub const INVALID_CHANGE: u16 = 0x0011;
    /// Unknown requested state.
    pub const UNKNOWN_STATE: u16 = 0x0012;
    /// Bootstrap not supported.
    pub const NO_BOOTSTRAP: u16 = 0x0013;
    /// Invalid mailbox configuration.
    pub const MAILBOX: u16 = 0x0016;
    /// No valid outputs.
    pub const NO_OUTPUTS: u16 = 0x0019;
    /// SyncManager watchdog.
    pub const WATCHDOG: u16 = 0x001b;
    /// Invalid output configuration.
    pub const OUTPUTS: u16 = 0x001d;
    /// Invalid input configuration.
    pub const INPUTS: u16 = 0x001e;
    /// No sync error: SYNC0 never came.
    pub const NO_SYNC: u16 = 0x002d;
    /// Invalid DC SYNC configuration.
    pub const DC_SYNC: u16 = 0x0030;
    /// Invalid sync cycle time.
    pub const SYNC_CYCLE: u16 = 0x0035;
    /// EEPROM error.
    pub const EEPROM: u16 = 0x0051;
}

/// How long a request for OP waits for outputs and SYNC0 (ns).
pub const OP_TIMEOUT_NS: u64 = 500_000_000;
/// Error bit of AL status, acknowledge bit of AL control.
pub const ERROR: u8 = 0x10;

/// State of the state machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Al {
    /// Where the SubDevice is.
    pub state: AlState,
    /// The last request failed and was not acknowledged.
    pub error: bool,
    /// Why.
    pub code: u16,
    /// OP was requested; it is given up at this segment time (ns).
    pub waiting_for_op_until: Option<u64>,
    /// Simulated refusal: requests for this state fail with this code.
    pub refuse: Option<(AlState, u16)>,
    /// How many more such requests fail.
    pub refusals: u32,
}

/// What the state machine wants checked before a state is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing happens: the request is ignored.
    Ignore,
    /// Enter the state if its conditions hold.
    Enter(AlState),
    /// Refuse with a code.
    Refuse(u16),
}

impl Al {
    /// Decides on a write to AL control.
    pub fn request(&mut self, control: u8) -> Decision {
        let acknowledged = control & ERROR != 0;
        if self.error {
            if !acknowledged {
                return Decision::Ignore;
            }
            self.error = false;
            self.code = 0;
        }
        let wanted = match AlState::from_control(control) {
            Some(AlState::Bootstrap) => return Decision::Refuse(code::NO_BOOTSTRAP),
            Some(state) => state,
            None => return Decision::Refuse(code::UNKNOWN_STATE),
        };
        if let Some((state, code)) = self.refuse
            && state == wanted
            && state != self.state
            && self.refusals > 0
        {
            self.refusals -= 1;
            return Decision::Refuse(code);
        }
        let step_up = matches!(
            (self.state, wanted),
            (AlState::Init, AlState::PreOp)
                | (AlState::PreOp, AlState::SafeOp)
                | (AlState::SafeOp, AlState::Op)
        );
        if wanted == self.state {
            Decision::Ignore
        } else if step_up || wanted < self.state {
            Decision::Enter(wanted)
        } else {
            Decision::Refuse(code::INVALID_CHANGE)
        }
    }

    /// The request failed.
    pub fn fail(&mut self, code: u16) {
        self.error = true;
        self.code = code;
        self.waiting_for_op_until = None;
    }

    /// AL status byte 0x0130.
    pub fn status(&self) -> u8 {
        self.state as u8 | if self.error { ERROR } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_hold_until_acknowledged() {
        let mut al = Al::default();
        assert_eq!(al.request(8), Decision::Refuse(code::INVALID_CHANGE));
        al.fail(code::INVALID_CHANGE);
        assert_eq!(al.status(), 0x11);
        assert_eq!(al.request(2), Decision::Ignore);
        assert_eq!(al.request(0x12), Decision::Enter(AlState::PreOp));
        assert_eq!(al.status(), 0x01);
    }

    #[test]
    fn the_way_down_is_always_open() {
        let mut al = Al {
            state: AlState::Op,
            ..Al::default()
        };
        assert_eq!(al.request(1), Decision::Enter(AlState::Init));
        assert_eq!(al.request(8), Decision::Ignore);
        assert_eq!(al.request(3), Decision::Refuse(code::NO_BOOTSTRAP));
        assert_eq!(al.request(7), Decision::Refuse(code::UNKNOWN_STATE));
    }
}
