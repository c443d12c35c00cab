//! How well the clock of this computer follows its grandmaster: what ptp4l says on its management socket.
//!
//! [`message`] is the wire format (IEEE 1588 management messages), [`ask`] one exchange over the Unix socket. Nothing here runs
//! in the cycle.

mod client;
pub mod message;

pub use client::{PtpError, SOCKETS, ask};
pub use message::{ClockIdentity, PortState};

/// Ports that are told apart; more are left out.
pub const MAX_PORTS: usize = 32;

/// What ptp4l says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// State of each port, by its number.
    pub ports: Vec<(u16, PortState)>,
    /// This clock minus the grandmaster's (ns); none where it was not told.
    pub offset_ns: Option<i64>,
    /// Mean time that a message is under way (ns).
    pub path_delay_ns: Option<i64>,
    /// Clocks on the way to the grandmaster.
    pub steps_removed: Option<u16>,
    /// The grandmaster.
    pub grandmaster: Option<ClockIdentity>,
    /// Whether there is a grandmaster besides this clock.
    pub follows: Option<bool>,
    /// When the last Sync message came, on the clock that is steered (ns); 0: none yet.
    pub last_sync_ns: Option<i64>,
    /// TAI - UTC as the grandmaster tells it (s); none where it says that it does not know.
    pub utc_offset_s: Option<i16>,
}

impl Health {
    /// The state that matters: that of the port which follows somebody, else the first.
    pub fn state(&self) -> Option<PortState> {
        let states = || self.ports.iter().map(|(_, state)| *state);
        let following = |state: &PortState| {
            matches!(
                state,
                PortState::Slave | PortState::Uncalibrated | PortState::Faulty
            )
        };
        states()
            .find(|state| *state == PortState::Slave)
            .or_else(|| states().find(following))
            .or_else(|| states().next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_that_follows_speaks_for_all() {
        let of = |states: &[PortState]| {
            let ports = (1..).zip(states.iter().copied()).collect();
            Health {
                ports,
                ..Health::default()
            }
            .state()
        };
        use PortState::{Faulty, Listening, Master, Slave};
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[Master, Slave]), Some(Slave));
        assert_eq!(of(&[Listening, Faulty]), Some(Faulty));
        assert_eq!(of(&[Master, Listening]), Some(Master));
    }
}
