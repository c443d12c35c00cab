//! Faults of the bus: frames, cables, power, and what SubDevices do wrong on it.

use std::fmt;

/// Most frames, or refusals, of one fault.
pub const MAX_COUNT: u32 = 1_000_000;

/// What happens on the bus. `count` is how many times in a row.
///
/// Without `@TIME` a fault of a SubDevice's firmware (`al_refuse`, `sdo_abort`, `mailbox_late`, `mailbox_busy`, `emergency`,
/// `eeprom_checksum`) is there from power-up, so that bring-up meets it; all else counts from the first cycle in OP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusFault {
    /// `frame_late:bus:by=900us,count=3`
    FrameLate {
        /// How much later the answer comes (ns).
        by_ns: u64,
        /// Answers.
        count: u32,
    },
    /// `frame_duplicate:bus:count=3`
    FrameDuplicate {
        /// Answers that come twice.
        count: u32,
    },
    /// `frame_truncate:bus:count=3`
    FrameTruncate {
        /// Answers that end before their last datagram does.
        count: u32,
    },
    /// `frame_corrupt:NAME:count=3`
    FrameCorrupt {
        /// Frames that are damaged on the cable in front of the SubDevice, which counts them (0x0300).
        count: u32,
    },
    /// `frame_foreign:bus:count=3`
    FrameForeign {
        /// Answers before which comes a frame that nobody sent.
        count: u32,
    },
    /// `working_counter:NAME:count=5`
    WorkingCounter {
        /// Frames whose logical datagrams the SubDevice lets pass.
        count: u32,
    },
    /// `cable:NAME:for=500ms`
    Cable {
        /// Time until the cable in front of the SubDevice is whole again (ns).
        for_ns: u64,
    },
    /// `power:NAME:for=1s`
    Power {
        /// Time without power (ns).
        for_ns: u64,
    },
    /// `al_refuse:NAME:state=op,code=0x001b,count=1`: the SubDevice leaves the state, where it is in it, and refuses it.
    AlRefuse {
        /// AL state: 2 PRE-OP, 4 SAFE-OP, 8 OP.
        state: u8,
        /// AL status code.
        code: u16,
        /// Refusals.
        count: u32,
    },
    /// `sdo_abort:NAME:code=0x08000000,count=1`
    SdoAbort {
        /// Abort code.
        code: u32,
        /// Requests that are aborted.
        count: u32,
    },
    /// `mailbox_late:NAME:by=50ms,count=1`
    MailboxLate {
        /// How much later the answer is there (ns).
        by_ns: u64,
        /// Answers.
        count: u32,
    },
    /// `mailbox_busy:NAME:for=100ms`
    MailboxBusy {
        /// Time for which requests stay where they are (ns).
        for_ns: u64,
    },
    /// `emergency:NAME:code=0x8130`: an emergency message, in front of an SDO answer where one is due.
    Emergency {
        /// Error code of CiA 301 and 402.
        code: u16,
    },
    /// `watchdog:NAME`: outputs have come too late, says the SubDevice.
    Watchdog,
    /// `clock_drift:bus:rate=50ppm`
    ClockDrift {
        /// Rate of all clocks of the segment against the MainDevice's (1e-9).
        rate_ppb: i32,
    },
    /// `clock_jump:NAME:step=20us`
    ClockJump {
        /// Step of the SubDevice's clock (ns).
        step_ns: i64,
    },
    /// `eeprom_checksum:NAME`: from its next start on the SubDevice cannot read its EEPROM.
    EepromChecksum,
}

impl BusFault {
    /// Kind, and the keys with their values, as [`super::Fault::parse`] reads them.
    pub(super) fn write(&self, target: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = |state: u8| match state {
            2 => "preop",
            4 => "safeop",
            _ => "op",
        };
        match *self {
            Self::FrameLate { by_ns, count } => {
                write!(f, "frame_late:{target}:by={by_ns}ns,count={count}")
            }
            Self::FrameDuplicate { count } => write!(f, "frame_duplicate:{target}:count={count}"),
            Self::FrameTruncate { count } => write!(f, "frame_truncate:{target}:count={count}"),
            Self::FrameCorrupt { count } => write!(f, "frame_corrupt:{target}:count={count}"),
            Self::FrameForeign { count } => write!(f, "frame_foreign:{target}:count={count}"),
            Self::WorkingCounter { count } => write!(f, "working_counter:{target}:count={count}"),
            Self::Cable { for_ns } => write!(f, "cable:{target}:for={for_ns}ns"),
            Self::Power { for_ns } => write!(f, "power:{target}:for={for_ns}ns"),
            Self::AlRefuse {
                state: refused,
                code,
                count,
            } => write!(
                f,
                "al_refuse:{target}:state={},code=0x{code:04X},count={count}",
                state(refused)
            ),
            Self::SdoAbort { code, count } => {
                write!(f, "sdo_abort:{target}:code=0x{code:08X},count={count}")
            }
            Self::MailboxLate { by_ns, count } => {
                write!(f, "mailbox_late:{target}:by={by_ns}ns,count={count}")
            }
            Self::MailboxBusy { for_ns } => write!(f, "mailbox_busy:{target}:for={for_ns}ns"),
            Self::Emergency { code } => write!(f, "emergency:{target}:code=0x{code:04X}"),
            Self::Watchdog => write!(f, "watchdog:{target}"),
            Self::ClockDrift { rate_ppb } => {
                write!(
                    f,
                    "clock_drift:{target}:rate={:?}ppm",
                    f64::from(rate_ppb) / 1000.0
                )
            }
            Self::ClockJump { step_ns } => write!(f, "clock_jump:{target}:step={step_ns}ns"),
            Self::EepromChecksum => write!(f, "eeprom_checksum:{target}"),
        }
    }
}
