//! Reads an EEPROM image, as a vendor wrote it or as it was dumped from a device (ETG.1000.6, 5.4; ETG.2010).
//!
//! ```text
//! word 0x00  PDI control, alias (0x04), checksum (0x07)     0x18  mailboxes and their protocols
//!      0x08  vendor, product, revision, serial (32 bit)     0x3e  size, version
//!      0x14  mailboxes of BOOTSTRAP                         0x40  categories: type, length in words, data; 0xffff ends them
//! ```
//! Any bytes are fine as input: what cannot be an image is refused with the word where it goes wrong.

mod categories;
mod error;
#[cfg(test)]
mod tests;

pub use error::{Limit, SiiError};

pub(super) use categories::category;
use categories::{General, Walk};
use twinstep_config::machine::PdoEntry;

/// Words before the first category.
const FIRST_CATEGORY: usize = 0x40;
/// Largest image (bytes): word addresses have 16 bits in every category of the standard's first 64 Kiwords.
pub const MAX_BYTES: usize = 2 * 0x1_0000;
/// Most SyncManagers and FMMUs of an ESC.
pub const MAX_CHANNELS: usize = 16;
/// Most PDOs of one direction.
pub const MAX_PDOS: usize = 255;

/// Protocol bits of word 0x1c.
pub mod protocol {
    /// CANopen over EtherCAT.
    pub const COE: u16 = 0x0004;
}

/// A pair of mailboxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mailboxes {
    /// From the MainDevice: first address.
    pub receive_start: u16,
    /// From the MainDevice: length (bytes).
    pub receive_bytes: u16,
    /// To the MainDevice: first address.
    pub send_start: u16,
    /// To the MainDevice: length (bytes).
    pub send_bytes: u16,
}

/// A row of the SyncManager category.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncManagerRow {
    /// First address.
    pub start: u16,
    /// Length (bytes); 0 where it follows from the PDOs.
    pub length: u16,
    /// Control byte.
    pub control: u8,
    /// In use.
    pub enabled: bool,
    /// 0 unused, 1 and 2 mailbox from and to the MainDevice, 3 outputs, 4 inputs.
    pub usage: u8,
}

/// A PDO with its objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PdoRow {
    /// Index: 0x1600 to 0x17FF outputs, 0x1A00 to 0x1BFF inputs.
    pub index: u16,
    /// SyncManager that carries it unless the MainDevice assigns others; none: not assigned at start.
    pub sync_manager: Option<u8>,
    /// Name.
    pub name: String,
    /// Its objects; index 0 fills up.
    pub entries: Vec<PdoEntry>,
}

/// A row of the DC category: one way to synchronise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockRow {
    /// SYNC0 cycle (ns), 0: that of the MainDevice.
    pub sync0_ns: u32,
    /// SYNC0 shift (ns).
    pub shift_ns: u32,
    /// Value of 0x0980 and 0x0981.
    pub activate: u16,
}

/// An image, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiiImage {
    /// The image itself.
    pub bytes: Vec<u8>,
    /// Words 0 and 1: PDI control 0x0140, PDI configuration 0x0150.
    pub pdi: [u16; 2],
    /// Station alias.
    pub alias: u16,
    /// The checksum of the first words is right.
    pub checksum_fits: bool,
    /// Vendor id.
    pub vendor_id: u32,
    /// Product code.
    pub product_code: u32,
    /// Revision.
    pub revision: u32,
    /// Serial number.
    pub serial: u32,
    /// Mailboxes, where there are any.
    pub mailboxes: Option<Mailboxes>,
    /// Mailbox protocols, see [`protocol`].
    pub protocols: u16,
    /// All strings; number 1 of the image is the first.
    pub strings: Vec<String>,
    /// Order number, the name of the device as masters tell it.
    pub order: String,
    /// Name in words.
    pub name: String,
    /// CoE details: bit 0 SDO, 1 SDO information, 2 PDO assignment, 3 PDO configuration, 5 complete access.
    pub coe_details: u8,
    /// Physics of the ports 0 to 3: 0 none, 1 MII, 3 EBUS, 4 fast hot connect; none where the image does not say.
    pub ports: Option<[u8; 4]>,
    /// Usage of the FMMUs: 1 outputs, 2 inputs, 3 mailbox status, 0 and 0xff none.
    pub fmmus: Vec<u8>,
    /// SyncManagers.
    pub sync_managers: Vec<SyncManagerRow>,
    /// PDOs to the MainDevice.
    pub tx_pdos: Vec<PdoRow>,
    /// PDOs from the MainDevice.
    pub rx_pdos: Vec<PdoRow>,
    /// Ways to synchronise; empty: none.
    pub clocks: Vec<ClockRow>,
}

impl SiiImage {
    /// Takes an image apart.
    ///
    /// # Errors
    /// [`SiiError`], which names the word.
    pub fn parse(bytes: &[u8]) -> Result<Self, SiiError> {
        if bytes.len() < FIRST_CATEGORY * 2
            || bytes.len() > MAX_BYTES
            || !bytes.len().is_multiple_of(2)
        {
            return Err(SiiError::Size { bytes: bytes.len() });
        }
        let word = |at: usize| {
            let pair = bytes.get(at * 2..at * 2 + 2).unwrap_or_default();
            pair.iter()
                .rev()
                .fold(0, |value, &b| value << 8 | u16::from(b))
        };
        let long = |at: usize| u32::from(word(at)) | u32::from(word(at + 1)) << 16;
        let mailboxes = Mailboxes {
            receive_start: word(0x18),
            receive_bytes: word(0x19),
            send_start: word(0x1a),
            send_bytes: word(0x1b),
        };
        let has_mailboxes = mailboxes.receive_bytes > 0 && mailboxes.send_bytes > 0;
        let mut image = Self {
            bytes: bytes.to_vec(),
            pdi: [word(0), word(1)],
            alias: word(4),
            checksum_fits: word(7) as u8 == checksum(bytes.get(..14).unwrap_or_default()),
            vendor_id: long(0x08),
            product_code: long(0x0a),
            revision: long(0x0c),
            serial: long(0x0e),
            mailboxes: has_mailboxes.then_some(mailboxes),
            protocols: word(0x1c),
            strings: Vec::new(),
            order: String::new(),
            name: String::new(),
            coe_details: 0,
            ports: None,
            fmmus: Vec::new(),
            sync_managers: Vec::new(),
            tx_pdos: Vec::new(),
            rx_pdos: Vec::new(),
            clocks: Vec::new(),
        };
        image.read_categories(bytes)?;
        Ok(image)
    }

    fn read_categories(&mut self, bytes: &[u8]) -> Result<(), SiiError> {
        let mut general = General::default();
        // Names are looked up at the end: the strings may come after those that use them.
        let mut named = [Vec::new(), Vec::new()];
        for found in Walk::new(bytes, FIRST_CATEGORY) {
            let found = found?;
            match found.kind {
                category::STRINGS => self.strings = found.strings()?,
                category::GENERAL => general = found.general()?,
                category::FMMU => self.fmmus = found.fmmus()?,
                category::SYNC_MANAGER => self.sync_managers = found.sync_managers()?,
                category::TX_PDO => named[0].extend(found.pdos()?),
                category::RX_PDO => named[1].extend(found.pdos()?),
                category::DC => self.clocks = found.clocks()?,
                _ => {}
            }
        }
        let text = |number: u8| {
            let at = usize::from(number).checked_sub(1);
            at.and_then(|at| self.strings.get(at))
                .cloned()
                .unwrap_or_default()
        };
        let [tx, rx] = named.map(|pdos: Vec<(PdoRow, u8)>| {
            let with_name = |(pdo, name): (PdoRow, u8)| PdoRow {
                name: text(name),
                ..pdo
            };
            pdos.into_iter().map(with_name).collect::<Vec<_>>()
        });
        (self.order, self.name) = (text(general.order), text(general.name));
        self.coe_details = general.coe_details;
        self.ports = general.ports;
        for pdos in [&tx, &rx] {
            if pdos.len() > MAX_PDOS {
                return Err(SiiError::TooMany {
                    what: Limit::Pdos,
                    found: pdos.len(),
                });
            }
        }
        (self.tx_pdos, self.rx_pdos) = (tx, rx);
        Ok(())
    }

    /// The device's ESC answers AL control itself: it has no firmware with a state machine.
    pub fn is_emulated(&self) -> bool {
        self.pdi[0] & 0x0100 != 0
    }
}

/// CRC-8 over the first seven words: polynomial x8 + x2 + x + 1, start 0xFF (ETG.2010).
pub fn checksum(bytes: &[u8]) -> u8 {
    let mut crc = 0xff_u8;
    for byte in bytes {
        crc ^= byte;
        for _ in 0..8 {
            crc = if crc & 0x80 != 0 {
                crc << 1 ^ 0x07
            } else {
                crc << 1
            };
        }
    }
    crc
}
