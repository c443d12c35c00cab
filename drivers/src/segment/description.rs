//! What a SubDevice is, as far as its communication shows it.

use super::controller::{Area, Controller, ControllerError};
use super::device::{INPUTS_START, MAILBOX_BYTES, OUTPUTS_START, RX_MAILBOX, TX_MAILBOX};
use super::sii;
use super::sii_image::{Mailboxes, PdoRow, SiiImage};
use twinstep_config::machine::PdoEntry;

/// Who made it: as the SII and object 0x1018 tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Vendor id.
    pub vendor_id: u32,
    /// Product code.
    pub product_code: u32,
    /// Revision.
    pub revision: u32,
    /// Serial number.
    pub serial: u32,
}

/// What a SubDevice is.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// Name: order string of the SII and 0x1008.
    pub name: String,
    /// Who made it.
    pub identity: Identity,
    /// PDOs from the MainDevice.
    pub rx_pdos: Vec<PdoRow>,
    /// PDOs to the MainDevice.
    pub tx_pdos: Vec<PdoRow>,
    /// PDOs can be assigned to SyncManagers by SDO.
    pub pdo_assignment: bool,
    /// Objects can be mapped into PDOs by SDO.
    pub pdo_mapping: bool,
    /// Its controller.
    pub controller: Controller,
    /// Its EEPROM.
    pub eeprom: Vec<u8>,
}

impl Description {
    /// A SubDevice with mailboxes, RxPDO 0x1600 on SyncManager 2 and TxPDO 0x1A00 on SyncManager 3, 0x1610 and 0x1A10 behind
    /// them for the objects of a second axis; 0x1601 and 0x1A01 are empty and for whoever wants to map something.
    pub fn new(
        name: &str,
        identity: Identity,
        outputs: Vec<PdoEntry>,
        inputs: Vec<PdoEntry>,
    ) -> Self {
        let area = |sync_manager, start, entries: &[PdoEntry]| {
            vec![Area {
                sync_manager,
                start,
                // The configuration bounds them, see `MAX_PROCESS_DATA`.
                bytes: bytes(entries) as u16,
            }]
        };
        let controller = Controller {
            kind: 0x11,
            fmmus: 8,
            sync_managers: 4,
            ports: [1, 1, 0, 0],
            // SPI, as most drives report it.
            pdi: [0x0005, 0],
            emulated: false,
            mailboxes: Some(Mailboxes {
                receive_start: RX_MAILBOX,
                receive_bytes: MAILBOX_BYTES,
                send_start: TX_MAILBOX,
                send_bytes: MAILBOX_BYTES,
            }),
            coe: true,
            outputs: area(2, OUTPUTS_START, &outputs),
            inputs: area(3, INPUTS_START, &inputs),
        };
        let pdo = |index, sync_manager, entries| {
            let (first, second) = of_axes(entries);
            let row = |index, entries: Vec<PdoEntry>, sync_manager| PdoRow {
                index,
                sync_manager,
                name: String::new(),
                entries,
            };
            let mut rows = vec![
                row(index, first, Some(sync_manager)),
                row(index + 1, Vec::new(), None),
            ];
            if !second.is_empty() {
                rows.push(row(index + 0x10, second, Some(sync_manager)));
            }
            rows
        };
        let mut description = Self {
            name: name.to_owned(),
            identity,
            rx_pdos: pdo(0x1600, 2, outputs),
            tx_pdos: pdo(0x1a00, 3, inputs),
            pdo_assignment: true,
            pdo_mapping: true,
            controller,
            eeprom: Vec::new(),
        };
        description.eeprom = sii::image(&description);
        description
    }

    /// The device that an image was taken from.
    ///
    /// # Errors
    /// [`ControllerError`] where it cannot be simulated.
    pub fn from_image(image: SiiImage) -> Result<Self, ControllerError> {
        let controller = Controller::from_image(&image)?;
        Ok(Self {
            name: image.order,
            identity: Identity {
                vendor_id: image.vendor_id,
                product_code: image.product_code,
                revision: image.revision,
                serial: image.serial,
            },
            rx_pdos: image.rx_pdos,
            tx_pdos: image.tx_pdos,
            pdo_assignment: image.coe_details & 0x04 != 0,
            pdo_mapping: image.coe_details & 0x08 != 0,
            controller,
            eeprom: image.bytes,
        })
    }

    /// Length of the outputs (bytes).
    pub fn output_bytes(&self) -> usize {
        total(&self.controller.outputs)
    }

    /// Length of the inputs (bytes).
    pub fn input_bytes(&self) -> usize {
        total(&self.controller.inputs)
    }
}

/// The objects of the first axis and those of the second one, which must stand behind them.
fn of_axes(mut entries: Vec<PdoEntry>) -> (Vec<PdoEntry>, Vec<PdoEntry>) {
    let second = entries
        .iter()
        .position(|entry| (0x6800..0x7000).contains(&entry.index))
        .unwrap_or(entries.len());
    let behind = entries.split_off(second);
    (entries, behind)
}

fn total(areas: &[Area]) -> usize {
    areas.iter().map(|area| usize::from(area.bytes)).sum()
}

/// Length of a list of objects (bytes).
pub(super) fn bytes(entries: &[PdoEntry]) -> usize {
    entries
        .iter()
        .map(|entry| usize::from(entry.bits))
        .sum::<usize>()
        .div_ceil(8)
}
