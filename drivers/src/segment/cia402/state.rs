//! The state machine of a CiA 402 drive.
//!
//! ```text
//!  NotReadyToSwitchOn --> SwitchOnDisabled <--> ReadyToSwitchOn <--> SwitchedOn <--> OperationEnabled
//!                              ^  ^                                                     |      ^
//!                              |  +------------------ QuickStopActive <-----------------+      |
//!                            Fault <-- FaultReactionActive <-- (any)      ... (option 5-8) ----+
//! ```

/// States, without the details of how one is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    NotReadyToSwitchOn,
    SwitchOnDisabled,
    ReadyToSwitchOn,
    SwitchedOn,
    OperationEnabled,
    QuickStopActive,
    FaultReactionActive,
    Fault,
}

/// Commands in the controlword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    DisableVoltage,
    QuickStop,
    Shutdown,
    SwitchOn,
    EnableOperation,
}

/// Bit 7 of the controlword: its rising edge resets a fault.
pub(super) const FAULT_RESET: i64 = 0x0080;
/// Time to check the logic supply (ns).
const SELF_TEST_NS: u64 = 5_000_000;
/// Time to charge and check the power supply (ns).
const SWITCH_ON_NS: u64 = 10_000_000;
/// Time from output stage on until it follows (ns): the brake opens meanwhile and the axis is held where it stands.
const ENABLE_NS: u64 = 100_000_000;

impl Command {
    /// The command of a controlword, fault reset apart.
    pub const fn decode(controlword: i64) -> Self {
        match controlword & 0x000f {
            word if word & 0x02 == 0 => Self::DisableVoltage,
            word if word & 0x04 == 0 => Self::QuickStop,
            word if word & 0x01 == 0 => Self::Shutdown,
            word if word & 0x08 == 0 => Self::SwitchOn,
            _ => Self::EnableOperation,
        }
    }
}

/// What the state machine wants to know of the drive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Situation {
    /// Time (ns).
    pub now_ns: u64,
    /// Nothing moves.
    pub standstill: bool,
    /// The output stage is on.
    pub powered: bool,
    /// The drive has an error.
    pub error: bool,
    /// Rising edge of the fault reset.
    pub reset: bool,
    /// 0x605A.
    pub quick_stop_option: i64,
    /// 0x605B: 0 switches off at once, else the axis is ramped down first.
    pub shutdown_option: i64,
    /// 0x605C, likewise.
    pub disable_option: i64,
}

/// The state machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine {
    pub state: State,
    /// Since when the command for the next state stands (ns).
    since_ns: Option<u64>,
    /// Operation is being left: ramp to standstill first.
    pub stopping: bool,
}

impl Machine {
    pub const fn new() -> Self {
        Self {
            state: State::NotReadyToSwitchOn,
            since_ns: None,
            stopping: false,
        }
    }

    /// True once `delay_ns` have passed with the same wish.
    fn after(&mut self, now_ns: u64, delay_ns: u64) -> bool {
        let since = *self.since_ns.get_or_insert(now_ns);
        now_ns.saturating_sub(since) >= delay_ns
    }

    fn go(&mut self, state: State) {
        if state != self.state {
            self.state = state;
            self.since_ns = None;
            self.stopping = false;
        }
    }

    /// A fault: with `reaction` the drive ramps down by itself first.
    pub fn fault(&mut self, reaction: bool) {
        self.go(if reaction {
            State::FaultReactionActive
        } else {
            State::Fault
        });
    }

    /// One look at command and situation. Returns true when a fault is to be reset.
    pub fn step(&mut self, command: Command, now: &Situation) -> bool {
        use State::*;
        if now.error && !matches!(self.state, Fault | FaultReactionActive) {
            self.fault(now.powered);
        }
        match (self.state, command) {
            (NotReadyToSwitchOn, _) => {
                if self.after(now.now_ns, SELF_TEST_NS) {
                    self.go(SwitchOnDisabled);
                }
            }
            (SwitchOnDisabled, Command::Shutdown) => self.go(ReadyToSwitchOn),
            (ReadyToSwitchOn | SwitchedOn, Command::DisableVoltage | Command::QuickStop) => {
                self.go(SwitchOnDisabled);
            }
            (ReadyToSwitchOn, Command::SwitchOn | Command::EnableOperation) => {
                if self.after(now.now_ns, SWITCH_ON_NS) {
                    self.go(SwitchedOn);
                }
            }
            (SwitchedOn, Command::Shutdown) => self.go(ReadyToSwitchOn),
            (SwitchedOn, Command::EnableOperation) => {
                if self.after(now.now_ns, ENABLE_NS) {
                    self.go(OperationEnabled);
                }
            }
            (OperationEnabled, Command::DisableVoltage) => self.go(SwitchOnDisabled),
            (OperationEnabled, Command::QuickStop) => self.go(QuickStopActive),
            (OperationEnabled, Command::Shutdown | Command::SwitchOn) => {
                let (option, state) = if command == Command::Shutdown {
                    (now.shutdown_option, ReadyToSwitchOn)
                } else {
                    (now.disable_option, SwitchedOn)
                };
                self.stopping = option != 0;
                if now.standstill || option == 0 {
                    self.go(state);
                }
            }
            (OperationEnabled, Command::EnableOperation) => self.stopping = false,
            (QuickStopActive, Command::DisableVoltage) => self.go(SwitchOnDisabled),
            (QuickStopActive, _) if now.quick_stop_option >= 5 => {
                if command == Command::EnableOperation {
                    self.go(OperationEnabled);
                }
            }
            (QuickStopActive, _) => {
                if now.standstill || now.quick_stop_option == 0 {
                    self.go(SwitchOnDisabled);
                }
            }
            (FaultReactionActive, _) => {
                if !now.powered {
                    self.go(Fault);
                }
            }
            (Fault, _) => {
                if now.reset {
                    self.go(SwitchOnDisabled);
                    return true;
                }
            }
            // Nothing to wait for: a wish that was given up counts anew.
            (SwitchOnDisabled | ReadyToSwitchOn | SwitchedOn, _) => self.since_ns = None,
        }
        false
    }

    /// State bits of the statusword, table "state coding".
    pub const fn statusword(&self) -> i64 {
        match self.state {
            State::NotReadyToSwitchOn => 0x0000,
            State::SwitchOnDisabled => 0x0040,
            State::ReadyToSwitchOn => 0x0021,
            State::SwitchedOn => 0x0023,
            State::OperationEnabled => 0x0027,
            State::QuickStopActive => 0x0007,
            State::FaultReactionActive => 0x000f,
            State::Fault => 0x0008,
        }
    }

    /// The output stage is on already and holds the axis, but does not follow yet.
    pub const fn enabling(&self) -> bool {
        matches!(self.state, State::SwitchedOn) && self.since_ns.is_some()
    }

    /// The output stage is to be on.
    pub const fn powered(&self) -> bool {
        matches!(self.state, State::OperationEnabled | State::QuickStopActive) || self.enabling()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STILL: Situation = Situation {
        now_ns: 0,
        standstill: true,
        powered: false,
        error: false,
        reset: false,
        quick_stop_option: 2,
        shutdown_option: 1,
        disable_option: 1,
    };

    fn settle(machine: &mut Machine, controlword: i64, now: Situation) -> State {
        for ms in 0..150 {
            machine.step(
                Command::decode(controlword),
                &Situation {
                    now_ns: ms * 1_000_000,
                    ..now
                },
            );
        }
        machine.state
    }

    #[test]
    fn controlwords_mean_what_the_profile_says() {
        for (word, command) in [
            (0x00, Command::DisableVoltage),
            (0x0d, Command::DisableVoltage),
            (0x02, Command::QuickStop),
            (0x0b, Command::QuickStop),
            (0x06, Command::Shutdown),
            (0x0e, Command::Shutdown),
            (0x07, Command::SwitchOn),
            (0x0f, Command::EnableOperation),
            (0x1f, Command::EnableOperation),
        ] {
            assert_eq!(Command::decode(word), command, "{word:#x}");
        }
    }

    #[test]
    fn the_way_up_and_down() {
        let mut machine = Machine::new();
        assert_eq!(settle(&mut machine, 0x00, STILL), State::SwitchOnDisabled);
        assert_eq!(settle(&mut machine, 0x0f, STILL), State::SwitchOnDisabled);
        assert_eq!(settle(&mut machine, 0x06, STILL), State::ReadyToSwitchOn);
        assert_eq!(settle(&mut machine, 0x07, STILL), State::SwitchedOn);
        assert_eq!(settle(&mut machine, 0x0f, STILL), State::OperationEnabled);
        let moving = Situation {
            standstill: false,
            powered: true,
            ..STILL
        };
        assert_eq!(settle(&mut machine, 0x07, moving), State::OperationEnabled);
        assert!(machine.stopping);
        assert_eq!(settle(&mut machine, 0x07, STILL), State::SwitchedOn);
        assert_eq!(settle(&mut machine, 0x06, STILL), State::ReadyToSwitchOn);
        assert_eq!(settle(&mut machine, 0x00, STILL), State::SwitchOnDisabled);
    }

    #[test]
    fn quick_stop_ends_as_its_option_says() {
        for (option, end) in [(2, State::SwitchOnDisabled), (6, State::QuickStopActive)] {
            let mut machine = Machine {
                state: State::OperationEnabled,
                ..Machine::new()
            };
            let moving = Situation {
                standstill: false,
                quick_stop_option: option,
                ..STILL
            };
            assert_eq!(settle(&mut machine, 0x0b, moving), State::QuickStopActive);
            let still = Situation {
                quick_stop_option: option,
                ..STILL
            };
            assert_eq!(settle(&mut machine, 0x0b, still), end);
        }
    }

    #[test]
    fn a_fault_is_left_by_a_reset_and_by_nothing_else() {
        let mut machine = Machine {
            state: State::OperationEnabled,
            ..Machine::new()
        };
        let error = Situation {
            error: true,
            powered: true,
            ..STILL
        };
        machine.step(Command::EnableOperation, &error);
        assert_eq!(machine.state, State::FaultReactionActive);
        machine.step(
            Command::EnableOperation,
            &Situation {
                powered: false,
                ..error
            },
        );
        assert_eq!(machine.state, State::Fault);
        for word in [0x00, 0x06, 0x07, 0x0f] {
            assert_eq!(settle(&mut machine, word, STILL), State::Fault);
        }
        assert!(machine.step(
            Command::DisableVoltage,
            &Situation {
                reset: true,
                ..STILL
            }
        ));
        assert_eq!(machine.state, State::SwitchOnDisabled);
    }
}
