//! CoE as it passes: SDO uploads and downloads, expedited, normal, segmented and complete, put together into objects.
//!
//! Kept are the objects that say what a SubDevice is and what its process data hold; all others are only counted.
//! Bounds: [`MAX_OBJECTS`], [`MAX_OBJECT_BYTES`].

use super::sii::Sii;
use std::collections::BTreeMap;

/// Most values that are kept of one SubDevice.
pub const MAX_OBJECTS: usize = 4096;
/// Longest object that is put together (bytes).
pub const MAX_OBJECT_BYTES: usize = 4096;

/// Header of a mailbox message (bytes).
const HEADER: usize = 6;
/// Mailbox type CoE.
const COE: u8 = 3;
const EMERGENCY: u8 = 1;
const SDO_REQUEST: u8 = 2;
const SDO_RESPONSE: u8 = 3;
/// Most PDOs of one SyncManager, and objects of one PDO.
const MAX_ENTRIES: u8 = 254;

/// A transfer under way.
#[derive(Clone, Debug)]
struct Transfer {
    index: u16,
    subindex: u8,
    complete: bool,
    download: bool,
    data: Vec<u8>,
    /// Toggle bit of the last segment; none before the first.
    toggle: Option<u8>,
    /// The last segment of a download has passed, its confirmation has not.
    whole: bool,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Mailbox {
    objects: BTreeMap<(u16, u8), Vec<u8>>,
    transfer: Option<Transfer>,
    /// Transfers that were completed.
    pub transfers: u64,
    /// Transfers that were refused.
    pub aborts: u64,
    /// Emergencies.
    pub emergencies: u64,
    /// Messages of other protocols, and SDO services that are not followed.
    pub other: u64,
}

/// An SDO message: command byte and what follows it.
struct Sdo<'a> {
    command: u8,
    body: &'a [u8],
}

impl<'a> Sdo<'a> {
    fn index(&self) -> Option<(u16, u8)> {
        match self.body {
            [low, high, subindex, ..] => Some((u16::from_le_bytes([*low, *high]), *subindex)),
            _ => None,
        }
    }

    /// Data of an initiating message: four bytes or less in the header, or all that follows the size.
    fn initial(&self) -> (&'a [u8], Option<usize>) {
        if self.command & 0x02 != 0 {
            let unused = if self.command & 0x01 != 0 {
                usize::from(self.command >> 2 & 3)
            } else {
                0
            };
            return (self.body.get(3..7 - unused).unwrap_or_default(), None);
        }
        let size = self.body.get(3..7).and_then(|size| size.try_into().ok());
        let size = size.map_or(0, |size| u32::from_le_bytes(size) as usize);
        (self.body.get(7..).unwrap_or_default(), Some(size))
    }

    /// Data of a segment, and whether it is the last one. The shortest message has seven bytes, some of them unused.
    fn segment(&self) -> (&'a [u8], bool) {
        let unused = if self.body.len() <= 7 {
            usize::from(self.command >> 1 & 7)
        } else {
            0
        };
        let data = self.body.get(..self.body.len().saturating_sub(unused));
        (data.unwrap_or_default(), self.command & 1 != 0)
    }
}

/// The CoE service and SDO of a mailbox message.
fn parse(message: &[u8]) -> Option<(u8, Sdo<'_>)> {
    let length = usize::from(u16::from_le_bytes([*message.first()?, *message.get(1)?]));
    if message.get(5)? & 0x0f != COE {
        return None;
    }
    let body = message.get(HEADER..HEADER.checked_add(length)?)?;
    let service = body.get(1)? >> 4;
    let command = *body.get(2)?;
    Some((
        service,
        Sdo {
            command,
            body: body.get(3..)?,
        },
    ))
}

/// Objects that are kept: what the device is, which PDOs it exchanges and what is in them.
fn is_kept(index: u16) -> bool {
    matches!(index, 0x1000..=0x1018 | 0x1c00..=0x1c2f | 0x1600..=0x17ff | 0x1a00..=0x1bff)
}

impl Mailbox {
    /// A value, as its bytes.
    pub fn object(&self, index: u16, subindex: u8) -> Option<&[u8]> {
        self.objects.get(&(index, subindex)).map(Vec::as_slice)
    }

    /// The device's own name for itself, 0x1008.
    pub fn name(&self) -> Option<String> {
        let bytes = self.object(0x1008, 0)?;
        let text: Vec<u8> = bytes
            .iter()
            .copied()
            .take_while(|byte| *byte != 0)
            .take(64)
            .collect();
        Some(super::printable(&text))
    }

    fn number(&self, index: u16, subindex: u8) -> Option<u32> {
        let bytes = self.object(index, subindex)?;
        let mut all = [0; 4];
        all.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(u32::from_le_bytes(all))
    }

    /// Objects in the PDOs that are assigned to SyncManager `number`: index, subindex, bits. PDOs whose content did not
    /// pass are looked up in the SII. None where the assignment or a content is not known.
    pub(super) fn process_objects(&self, number: u16, sii: &Sii) -> Option<Vec<(u16, u8, u8)>> {
        let assignment = 0x1c10_u16.checked_add(number)?;
        let count = u8::try_from(self.number(assignment, 0)?)
            .ok()?
            .min(MAX_ENTRIES);
        let mut objects = Vec::new();
        for place in 1..=count {
            let pdo = u16::try_from(self.number(assignment, place)?).ok()?;
            match self.pdo(pdo) {
                Some(entries) => objects.extend(entries),
                None => {
                    let known = sii.pdos().into_iter().find(|known| known.index == pdo)?;
                    objects.extend(known.entries);
                }
            }
        }
        Some(objects)
    }

    fn pdo(&self, index: u16) -> Option<Vec<(u16, u8, u8)>> {
        let count = u8::try_from(self.number(index, 0)?).ok()?.min(MAX_ENTRIES);
        let entry = |place| {
            let [bits, subindex, low, high] = self.number(index, place)?.to_le_bytes();
            Some((u16::from_le_bytes([low, high]), subindex, bits))
        };
        (1..=count).map(entry).collect()
    }

    pub(super) fn sent(&mut self, message: &[u8]) {
        let Some((SDO_REQUEST, sdo)) = parse(message) else {
            self.other += 1;
            return;
        };
        match (sdo.command >> 5, sdo.index()) {
            (1 | 2, Some((index, subindex))) => {
                let download = sdo.command >> 5 == 1;
                let (data, size) = if download {
                    sdo.initial()
                } else {
                    (&[][..], None)
                };
                self.transfer = Some(Transfer {
                    index,
                    subindex,
                    complete: sdo.command & 0x10 != 0,
                    download,
                    data: clipped(data, size),
                    toggle: None,
                    // What is longer than one message goes on in segments.
                    whole: size.is_none_or(|size| data.len() >= size),
                });
            }
            (0, _) => {
                if let Some(transfer) = self.transfer.as_mut().filter(|known| known.download) {
                    transfer.extend(&sdo);
                }
            }
            (3, _) => {}
            (4, _) => {
                self.transfer = None;
                self.aborts += 1;
            }
            _ => self.other += 1,
        }
    }

    pub(super) fn received(&mut self, message: &[u8]) {
        let sdo = match parse(message) {
            Some((SDO_RESPONSE, sdo)) => sdo,
            // The drive speaks of itself; the transfer goes on afterwards.
            Some((EMERGENCY, _)) => {
                self.emergencies += 1;
                return;
            }
            // An empty mailbox is read as zeros by some masters.
            _ => {
                self.other += u64::from(message.iter().any(|byte| *byte != 0));
                return;
            }
        };
        let Some(transfer) = &mut self.transfer else {
            return;
        };
        let mine = sdo.index() == Some((transfer.index, transfer.subindex));
        match sdo.command >> 5 {
            2 if mine && !transfer.download => {
                let (data, size) = sdo.initial();
                transfer.data = clipped(data, size);
                transfer.whole = size.is_none_or(|size| data.len() >= size);
                if transfer.whole {
                    self.complete();
                }
            }
            3 if mine && transfer.download && transfer.whole => self.complete(),
            0 if !transfer.download => {
                transfer.extend(&sdo);
                if transfer.whole {
                    self.complete();
                }
            }
            1 if transfer.download && transfer.whole => self.complete(),
            4 => {
                self.transfer = None;
                self.aborts += 1;
            }
            _ => {}
        }
    }

    fn complete(&mut self) {
        let Some(transfer) = self.transfer.take() else {
            return;
        };
        self.transfers += 1;
        if !is_kept(transfer.index) {
            return;
        }
        if !transfer.complete {
            self.keep(transfer.index, transfer.subindex, &transfer.data);
            return;
        }
        // Subindex 0 takes two bytes, the others what their kind of object has.
        let entry = if transfer.index >= 0x1c00 { 2 } else { 4 };
        let (mut data, mut subindex) = (transfer.data.as_slice(), transfer.subindex);
        if let (0, Some((count, rest))) = (subindex, data.split_at_checked(2)) {
            self.keep(transfer.index, 0, count.get(..1).unwrap_or_default());
            (data, subindex) = (rest, 1);
        }
        for (place, value) in (subindex..=MAX_ENTRIES).zip(data.chunks_exact(entry)) {
            self.keep(transfer.index, place, value);
        }
    }

    fn keep(&mut self, index: u16, subindex: u8, value: &[u8]) {
        if self.objects.len() < MAX_OBJECTS || self.objects.contains_key(&(index, subindex)) {
            self.objects.insert((index, subindex), value.to_vec());
        }
    }
}

impl Transfer {
    /// Takes a segment in; one that is repeated has the toggle bit of the one before it.
    fn extend(&mut self, sdo: &Sdo<'_>) {
        let toggle = sdo.command & 0x10;
        if self.toggle == Some(toggle) {
            return;
        }
        self.toggle = Some(toggle);
        let (data, last) = sdo.segment();
        let room = MAX_OBJECT_BYTES.saturating_sub(self.data.len());
        self.data
            .extend_from_slice(data.get(..room.min(data.len())).unwrap_or_default());
        self.whole = last;
    }
}

/// The first `size` bytes, and no more than are kept.
fn clipped(data: &[u8], size: Option<usize>) -> Vec<u8> {
    let length = data
        .len()
        .min(size.unwrap_or(data.len()))
        .min(MAX_OBJECT_BYTES);
    data.get(..length).unwrap_or_default().to_vec()
}
