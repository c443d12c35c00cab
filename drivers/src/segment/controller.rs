//! The controller (ESC) of a SubDevice: its channels and ports, and where the firmware behind it expects what.

use super::registers::{MEMORY_BYTES, RAM_START};
use super::sii_image::{MAX_CHANNELS, Mailboxes, PdoRow, SiiImage, protocol};

/// First address that a digital terminal may use for its process data.
const DIGITAL_START: u16 = 0x0f00;
/// Largest mailbox (bytes).
pub const MAX_MAILBOX: u16 = 1024;
/// Smallest mailbox (bytes): header, CoE header and one expedited SDO.
const MIN_MAILBOX: u16 = 16;
/// Most outputs or inputs of one SubDevice with an image (bytes): what a datagram of one frame takes.
pub const MAX_AREAS: usize = 1486;

/// Process data of one SyncManager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// The SyncManager.
    pub sync_manager: usize,
    /// First address.
    pub start: u16,
    /// Length (bytes).
    pub bytes: u16,
}

/// What a controller is. A power of its own has it: nothing of it changes while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Controller {
    /// Type 0x0000: 0x11 ET1100, 0x12 ET1200.
    pub kind: u8,
    /// FMMUs, at most 16.
    pub fmmus: usize,
    /// SyncManagers, at most 16.
    pub sync_managers: usize,
    /// Physics of the ports 0 to 3: 0 none, 1 MII, 3 EBUS, 4 fast hot connect.
    pub ports: [u8; 4],
    /// PDI control 0x0140 with the ESC configuration 0x0141, and PDI configuration 0x0150.
    pub pdi: [u16; 2],
    /// AL control is copied to AL status: there is no firmware.
    pub emulated: bool,
    /// Mailboxes, on SyncManagers 0 and 1.
    pub mailboxes: Option<Mailboxes>,
    /// The mailboxes speak CoE.
    pub coe: bool,
    /// Outputs, in the order of the process data.
    pub outputs: Vec<Area>,
    /// Inputs, in the order of the process data.
    pub inputs: Vec<Area>,
}

/// Why an image cannot be simulated although it can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControllerError {
    /// A SyncManager's area is not in the process data RAM.
    Area(Area),
    /// More process data in one direction than a frame takes.
    ProcessData {
        /// How much (bytes).
        bytes: usize,
    },
    /// A mailbox is too small, too large or outside of the RAM.
    Mailbox {
        /// First address.
        start: u16,
        /// Length (bytes).
        bytes: u16,
    },
    /// There are mailboxes, and SyncManagers 0 and 1 are not for them.
    MailboxChannels,
}

impl core::fmt::Display for ControllerError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match *self {
            Self::Area(Area {
                sync_manager,
                start,
                bytes,
            }) => write!(
                f,
                "SyncManager {sync_manager} has {bytes} bytes at {start:#06x}: process data lies from {DIGITAL_START:#06x} to {:#06x}",
                MEMORY_BYTES - 1
            ),
            Self::ProcessData { bytes } => write!(
                f,
                "{bytes} bytes of process data in one direction, at most {MAX_AREAS} are simulated"
            ),
            Self::Mailbox { start, bytes } => write!(
                f,
                "a mailbox of {bytes} bytes at {start:#06x}: {MIN_MAILBOX} to {MAX_MAILBOX} bytes from {RAM_START:#06x} on are simulated"
            ),
            Self::MailboxChannels => write!(
                f,
                "it has mailboxes, and its SyncManagers 0 and 1 are not for them"
            ),
        }
    }
}

impl std::error::Error for ControllerError {}

impl Controller {
    /// The controller that an image tells of. The number of its channels is that of the usual chips, since no image tells it:
    /// 8 FMMUs and 8 SyncManagers with a mailbox, 3 and 4 without; more where the image uses more.
    ///
    /// # Errors
    /// [`ControllerError`] where memory or mailboxes are not as any ESC has them.
    pub fn from_image(image: &SiiImage) -> Result<Self, ControllerError> {
        let complex = image.mailboxes.is_some();
        let channels = |used: usize, simple: usize| match used {
            _ if used > 8 => MAX_CHANNELS,
            _ if complex || used > simple => 8,
            _ => simple,
        };
        if let Some(boxes) = image.mailboxes {
            for (start, bytes) in [
                (boxes.receive_start, boxes.receive_bytes),
                (boxes.send_start, boxes.send_bytes),
            ] {
                let sized = (MIN_MAILBOX..=MAX_MAILBOX).contains(&bytes);
                if !sized || start < RAM_START || !fits(start, bytes) {
                    return Err(ControllerError::Mailbox { start, bytes });
                }
            }
            let usage = |n: usize| image.sync_managers.get(n).map(|row| row.usage);
            if (usage(0), usage(1)) != (Some(1), Some(2)) {
                return Err(ControllerError::MailboxChannels);
            }
        }
        Ok(Self {
            kind: if complex { 0x11 } else { 0x12 },
            // One more for the state of the mailbox, which masters like to map.
            fmmus: channels(image.fmmus.len(), 3),
            sync_managers: channels(image.sync_managers.len(), 4),
            ports: image.ports.unwrap_or([1, 1, 0, 0]),
            pdi: image.pdi,
            emulated: image.is_emulated(),
            mailboxes: image.mailboxes,
            coe: image.protocols & protocol::COE != 0,
            outputs: areas(image, 3, &image.rx_pdos)?,
            inputs: areas(image, 4, &image.tx_pdos)?,
        })
    }

    /// Port descriptor 0x0007.
    pub fn port_descriptor(&self) -> u8 {
        let code = |physics: u8| match physics {
            0 => 0,
            3 => 2,
            _ => 3,
        };
        let ports = self.ports.iter().rev();
        ports.fold(0, |byte, &physics| byte << 2 | code(physics))
    }
}

/// The SyncManagers of a usage, each as long as the PDOs that it carries.
fn areas(image: &SiiImage, usage: u8, pdos: &[PdoRow]) -> Result<Vec<Area>, ControllerError> {
    let mut areas = Vec::new();
    for (sync_manager, row) in image.sync_managers.iter().enumerate() {
        if row.usage != usage {
            continue;
        }
        let carried = pdos
            .iter()
            .filter(|pdo| pdo.sync_manager.map(usize::from) == Some(sync_manager));
        let bits: usize = carried
            .flat_map(|pdo| &pdo.entries)
            .map(|entry| usize::from(entry.bits))
            .sum();
        // At most 255 PDOs of 255 objects of 255 bits: it fits.
        let bytes = match bits.div_ceil(8) {
            0 => usize::from(row.length),
            bytes => bytes,
        };
        let area = Area {
            sync_manager,
            start: row.start,
            bytes: u16::try_from(bytes).map_err(|_| ControllerError::ProcessData { bytes })?,
        };
        if area.bytes > 0 && (area.start < DIGITAL_START || !fits(area.start, area.bytes)) {
            return Err(ControllerError::Area(area));
        }
        areas.push(area);
    }
    let bytes = areas.iter().map(|area| usize::from(area.bytes)).sum();
    if bytes > MAX_AREAS {
        return Err(ControllerError::ProcessData { bytes });
    }
    Ok(areas)
}

fn fits(start: u16, bytes: u16) -> bool {
    usize::from(start) + usize::from(bytes) <= MEMORY_BYTES
}
