//! Why a bus could not be brought up, in words that name the SubDevice and the remedy.

use super::al_status::{AlReport, state_name};
use super::sdo_abort;
use crate::link::LinkError;

/// See the module.
#[derive(Debug)]
pub enum BringUpError {
    /// The machine has no bus.
    NoBus,
    /// The link failed.
    Link(LinkError),
    /// No frame came back at all.
    NoAnswer,
    /// The configuration lists other SubDevices than the bus has.
    Count {
        /// SubDevices in the configuration.
        expected: usize,
        /// SubDevices that answered.
        found: usize,
        /// Name of the first one that is missing, if any is.
        missing: Option<String>,
    },
    /// All SubDevices answer, but not all from the first end of the ring.
    Ring {
        /// The last that answers there; none: nobody does.
        before: Option<String>,
        /// The first that answers only at the second end.
        behind: Option<String>,
    },
    /// A SubDevice is not the configured one.
    Identity {
        /// Position on the wire, from 0.
        position: usize,
        /// Name in the configuration.
        name: String,
        /// Vendor id and product code in the configuration.
        expected: (u32, u32),
        /// Vendor id and product code in its SII.
        found: (u32, u32),
    },
    /// The process data of a SubDevice is not as configured.
    ProcessData {
        /// Name of the SubDevice.
        name: String,
        /// `outputs` or `inputs`.
        direction: &'static str,
        /// Bytes in the configuration.
        expected: usize,
        /// Bytes that the SubDevice maps.
        found: usize,
    },
    /// A SubDevice refused a state.
    Refused {
        /// Name of the SubDevice.
        name: String,
        /// State that was asked for.
        wanted: u8,
        /// Where it is and why.
        report: AlReport,
    },
    /// A SubDevice did not reach a state in time and reports no error.
    StateTimeout {
        /// Name of the SubDevice.
        name: String,
        /// State that was asked for.
        wanted: u8,
        /// Where it is.
        report: AlReport,
    },
    /// A SubDevice cannot read its EEPROM.
    Eeprom {
        /// Position on the wire, from 0.
        position: usize,
        /// Name of the SubDevice.
        name: String,
    },
    /// A SubDevice aborts an SDO that it cannot do without.
    SdoAborted {
        /// Name of the SubDevice.
        name: String,
        /// Object index.
        index: u16,
        /// Subindex.
        subindex: u8,
        /// Abort code.
        code: u32,
    },
    /// The mailbox of a SubDevice does not answer.
    MailboxSilent {
        /// Name of the SubDevice.
        name: String,
        /// Object index that was asked for.
        index: u16,
        /// Subindex.
        subindex: u8,
    },
    /// The start-up sequence failed otherwise.
    Protocol {
        /// What was being done.
        step: &'static str,
        /// What ethercrab said.
        error: ethercrab::error::Error,
    },
}

impl core::fmt::Display for BringUpError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoBus => write!(f, "the machine has no bus"),
            Self::Link(error) => write!(f, "{error}"),
            Self::NoAnswer => write!(
                f,
                "no frame came back: is the cable plugged in, the first SubDevice powered, the interface up?"
            ),
            Self::Count {
                expected,
                found,
                missing,
            } => {
                write!(
                    f,
                    "the configuration lists {expected} SubDevices, {found} answered"
                )?;
                match missing {
                    Some(name) => write!(
                        f,
                        "; the line ends before '{name}': check its cable and power"
                    ),
                    None => write!(f, "; the bus has more than the configuration"),
                }
            }
            Self::Ring { before, behind } => {
                let of = |name: &Option<String>, none: &str| {
                    name.as_ref()
                        .map_or_else(|| none.to_owned(), |name| format!("'{name}'"))
                };
                write!(
                    f,
                    "the ring is broken between {} and {}: a start needs all SubDevices in reach of the first interface; \
                     mend the cable, or exchange the two interfaces where the first cable is the broken one",
                    of(before, "the first interface"),
                    of(behind, "the second interface"),
                )
            }
            Self::Identity {
                position,
                name,
                expected,
                found,
            } => write!(
                f,
                "SubDevice '{name}' at position {position}: the configuration expects vendor 0x{:08x} product \
                 0x{:08x}, the bus has vendor 0x{:08x} product 0x{:08x}; devices swapped, or the wrong configuration?",
                expected.0, expected.1, found.0, found.1
            ),
            Self::ProcessData {
                name,
                direction,
                expected,
                found,
            } => write!(
                f,
                "SubDevice '{name}' maps {found} bytes of {direction}, the configuration lists {expected}: \
                 change its PDO mapping or the list"
            ),
            Self::Refused {
                name,
                wanted,
                report,
            } => {
                write!(
                    f,
                    "refused {}: {}",
                    state_name(*wanted),
                    report.describe(name)
                )
            }
            Self::StateTimeout {
                name,
                wanted,
                report,
            } => {
                write!(
                    f,
                    "timed out on the way to {}: {}",
                    state_name(*wanted),
                    report.describe(name)
                )
            }
            Self::Eeprom { position, name } => write!(
                f,
                "SubDevice '{name}' at position {position} reports a wrong checksum of its EEPROM (0x0502, bit 11): \
                 write its EEPROM anew, or replace it"
            ),
            Self::SdoAborted {
                name,
                index,
                subindex,
                code,
            } => write!(
                f,
                "SubDevice '{name}' aborts the SDO of object 0x{index:04x}:{subindex:02x} with 0x{code:08x}, {}: \
                 see its manual for this object, and restart it",
                sdo_abort::meaning(*code)
            ),
            Self::MailboxSilent {
                name,
                index,
                subindex,
            } => write!(
                f,
                "the mailbox of SubDevice '{name}' does not answer the SDO of object 0x{index:04x}:{subindex:02x}: restart it"
            ),
            Self::Protocol { step, error } => write!(f, "{step}: {error}"),
        }
    }
}

impl std::error::Error for BringUpError {}

impl From<LinkError> for BringUpError {
    fn from(error: LinkError) -> Self {
        Self::Link(error)
    }
}
