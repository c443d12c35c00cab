//! The EEPROM of a SubDevice, put together from the words that a master reads through registers 0x0500 to 0x050F (ETG.1000.4, ETG.2010).

use super::super::exchange::Exchange;

/// Longest EEPROM that is kept (words): 16 KiB.
pub const MAX_SII_WORDS: usize = 8192;
/// Longest name (bytes).
const MAX_NAME: usize = 64;

const CONTROL: u16 = 0x0502;
const ADDRESS: u16 = 0x0504;
const DATA: u16 = 0x0508;
/// The interface is at work, its data are not there yet.
const BUSY: u16 = 0x8000;
/// It reads eight bytes at a time, else four.
const EIGHT_BYTES: u16 = 0x0040;
/// Where the categories begin (words).
const CATEGORIES: usize = 0x40;

const STRINGS: u16 = 10;
const GENERAL: u16 = 30;
const TX_PDO: u16 = 50;
const RX_PDO: u16 = 51;
const END: u16 = 0xffff;

/// A PDO as the SII describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiiPdo {
    /// 0x1600 or 0x1A00 and following.
    pub index: u16,
    /// SyncManager that it belongs to.
    pub sync_manager: u8,
    /// From the SubDevice.
    pub input: bool,
    /// Objects: index, subindex, bits.
    pub entries: Vec<(u16, u8, u8)>,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Sii {
    /// Words that were read; none where a word was not.
    words: Vec<Option<u16>>,
    address: u32,
    control: u16,
}

impl Sii {
    pub(super) fn written(&mut self, exchange: &Exchange<'_>) {
        if let Some(&[a, b, c, d]) = exchange.part(exchange.sent, ADDRESS, 4) {
            self.address = u32::from_le_bytes([a, b, c, d]);
        } else if let Some(&[a, b]) = exchange.part(exchange.sent, ADDRESS, 2) {
            self.address = u32::from(u16::from_le_bytes([a, b]));
        }
    }

    pub(super) fn read(&mut self, exchange: &Exchange<'_>) {
        if let Some(&[low, high]) = exchange.part(exchange.back, CONTROL, 2) {
            self.control = u16::from_le_bytes([low, high]);
        }
        let wide = self.control & EIGHT_BYTES != 0;
        let data = exchange
            .part(exchange.back, DATA, 8)
            .filter(|_| wide)
            .or_else(|| exchange.part(exchange.back, DATA, 4));
        let (Some(data), false) = (data, self.control & BUSY != 0) else {
            return;
        };
        let first = self.address as usize;
        for (at, word) in (first..MAX_SII_WORDS).zip(data.as_chunks::<2>().0) {
            if self.words.len() <= at {
                self.words.resize(at + 1, None);
            }
            if let Some(place) = self.words.get_mut(at) {
                *place = Some(u16::from_le_bytes(*word));
            }
        }
    }

    fn word(&self, at: usize) -> Option<u16> {
        self.words.get(at).copied().flatten()
    }

    fn double(&self, at: usize) -> Option<u32> {
        Some(u32::from(self.word(at)?) | u32::from(self.word(at + 1)?) << 16)
    }

    /// Vendor id.
    pub fn vendor_id(&self) -> Option<u32> {
        self.double(0x08)
    }

    /// Product code.
    pub fn product_code(&self) -> Option<u32> {
        self.double(0x0a)
    }

    /// Revision.
    pub fn revision(&self) -> Option<u32> {
        self.double(0x0c)
    }

    /// Serial number.
    pub fn serial(&self) -> Option<u32> {
        self.double(0x0e)
    }

    /// First word and number of words of a category; the first one of its kind.
    fn category(&self, kind: u16) -> Option<(usize, usize)> {
        let mut at = CATEGORIES;
        loop {
            let (found, words) = (self.word(at)?, usize::from(self.word(at + 1)?));
            match found {
                END => return None,
                _ if found == kind => return Some((at + 2, words)),
                _ => at += 2 + words,
            }
        }
    }

    /// A byte of a category; none where it was not read: masters pick what they need.
    fn byte(&self, (first, words): (usize, usize), at: usize) -> Option<u8> {
        let word = self.word(first + at / 2).filter(|_| at / 2 < words)?;
        word.to_le_bytes().get(at % 2).copied()
    }

    /// All bytes of a category, if all of them were read.
    fn bytes(&self, kind: u16) -> Option<Vec<u8>> {
        let place = self.category(kind)?;
        (0..place.1 * 2).map(|at| self.byte(place, at)).collect()
    }

    /// Name, or order number where the name was not read; the first string, as SOEM takes it, where neither was.
    pub fn name(&self) -> Option<String> {
        let number = |at| {
            let number = self.byte(self.category(GENERAL)?, at)?;
            self.string(number).filter(|_| number > 0)
        };
        number(3).or_else(|| number(2)).or_else(|| self.string(1))
    }

    /// String `number`, counted from 1.
    fn string(&self, number: u8) -> Option<String> {
        let strings = self.category(STRINGS)?;
        let mut at = 1;
        for _ in 1..number {
            at += 1 + usize::from(self.byte(strings, at)?);
        }
        let length = usize::from(self.byte(strings, at)?).min(MAX_NAME);
        let text = (at + 1..at + 1 + length).map(|at| self.byte(strings, at));
        let text: Option<Vec<u8>> = text.collect();
        Some(super::printable(&text?))
    }

    /// PDOs of both directions.
    pub fn pdos(&self) -> Vec<SiiPdo> {
        let mut pdos = Vec::new();
        for (kind, input) in [(TX_PDO, true), (RX_PDO, false)] {
            let bytes = self.bytes(kind).unwrap_or_default();
            let mut rest = bytes.as_slice();
            while let Some((head, tail)) = rest.split_at_checked(8) {
                let entries = usize::from(head[2]) * 8;
                let Some((body, tail)) = tail.split_at_checked(entries) else {
                    break;
                };
                let entry = |e: &[u8; 8]| (u16::from_le_bytes([e[0], e[1]]), e[2], e[5]);
                pdos.push(SiiPdo {
                    index: u16::from_le_bytes([head[0], head[1]]),
                    sync_manager: head[3],
                    input,
                    entries: body.as_chunks::<8>().0.iter().map(entry).collect(),
                });
                rest = tail;
            }
        }
        pdos
    }

    /// Objects of the PDOs that belong to SyncManager `number`.
    pub(super) fn process_objects(&self, number: u16, inputs: bool) -> Vec<(u16, u8, u8)> {
        let pdos = self.pdos();
        let mine = pdos
            .iter()
            .filter(|pdo| u16::from(pdo.sync_manager) == number && pdo.input == inputs);
        mine.flat_map(|pdo| pdo.entries.iter().copied()).collect()
    }
}
