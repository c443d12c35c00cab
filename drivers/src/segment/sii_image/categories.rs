//! The categories behind word 0x40.

use super::{ClockRow, Limit, MAX_CHANNELS, PdoRow, SiiError, SyncManagerRow};
use twinstep_config::machine::PdoEntry;

/// Category numbers of ETG.2010.
pub mod category {
    pub const STRINGS: u16 = 10;
    pub const GENERAL: u16 = 30;
    pub const FMMU: u16 = 40;
    pub const SYNC_MANAGER: u16 = 41;
    pub const TX_PDO: u16 = 50;
    pub const RX_PDO: u16 = 51;
    pub const DC: u16 = 60;
    pub const END: u16 = 0xffff;
}

/// Bytes of a row of the SyncManager category.
const SYNC_MANAGER_ROW: usize = 8;
/// Bytes of the head of a PDO, and of each of its objects.
const PDO_ROW: usize = 8;
/// Bytes of a row of the DC category.
const DC_ROW: usize = 24;

/// What the General category says, as far as it is used.
#[derive(Clone, Copy, Debug, Default)]
pub struct General {
    /// Number of the string with the order number.
    pub order: u8,
    /// Number of the string with the name.
    pub name: u8,
    pub coe_details: u8,
    pub ports: Option<[u8; 4]>,
}

/// One category.
#[derive(Clone, Copy, Debug)]
pub struct Category<'a> {
    pub kind: u16,
    /// Word of its header.
    word: usize,
    data: &'a [u8],
}

/// Walks over the categories until their end; an image may also end without a mark.
#[derive(Debug)]
pub struct Walk<'a> {
    bytes: &'a [u8],
    word: usize,
}

impl<'a> Walk<'a> {
    pub fn new(bytes: &'a [u8], word: usize) -> Self {
        Self { bytes, word }
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Result<Category<'a>, SiiError>;

    fn next(&mut self) -> Option<Self::Item> {
        let word = self.word;
        let rest = self.bytes.get(word * 2..)?;
        let kind = u16::from_le_bytes(rest.get(..2)?.try_into().ok()?);
        if kind == category::END {
            return None;
        }
        let length = rest.get(2..4).map(|b| u16::from_le_bytes([b[0], b[1]]));
        let claimed = usize::from(length.unwrap_or(u16::MAX));
        let left = rest.len().saturating_sub(4) / 2;
        let Some(data) = rest.get(4..4 + claimed * 2) else {
            // Nothing can be read behind it.
            self.word = self.bytes.len();
            return Some(Err(SiiError::Category {
                word,
                kind,
                claimed,
                left,
            }));
        };
        self.word = word + 2 + claimed;
        Some(Ok(Category { kind, word, data }))
    }
}

impl Category<'_> {
    /// Word of byte `at` of the data.
    fn word_of(&self, at: usize) -> usize {
        self.word + 2 + at / 2
    }

    fn rows(&self, row: usize) -> Result<impl Iterator<Item = &[u8]>, SiiError> {
        if !self.data.len().is_multiple_of(row) {
            return Err(SiiError::Rows {
                word: self.word,
                kind: self.kind,
                bytes: self.data.len(),
                row,
            });
        }
        Ok(self.data.chunks_exact(row))
    }

    pub fn strings(&self) -> Result<Vec<String>, SiiError> {
        let count = usize::from(self.data.first().copied().unwrap_or(0));
        let mut strings = Vec::with_capacity(count);
        let mut at = 1;
        for number in 1..=count {
            let rest = self.data.get(at..).unwrap_or_default();
            let (&length, text) = rest.split_first().unwrap_or((&u8::MAX, &[]));
            let claimed = usize::from(length);
            let Some(text) = text.get(..claimed) else {
                return Err(SiiError::Text {
                    word: self.word_of(at),
                    number,
                    claimed,
                    left: text.len(),
                });
            };
            // ISO 8859-1: every byte is the character of its number.
            let plain: String = text.iter().map(|&byte| char::from(byte)).collect();
            strings.push(plain.trim_end_matches('\0').to_owned());
            at += 1 + claimed;
        }
        Ok(strings)
    }

    pub fn general(&self) -> Result<General, SiiError> {
        let byte = |at: usize| self.data.get(at).copied().unwrap_or(0);
        // Image, order and name are in every edition of the standard; older ones end before the ports.
        if self.data.len() < 4 {
            return Err(SiiError::Rows {
                word: self.word,
                kind: self.kind,
                bytes: self.data.len(),
                row: 32,
            });
        }
        let ports = [
            byte(16) & 0x0f,
            byte(16) >> 4,
            byte(17) & 0x0f,
            byte(17) >> 4,
        ];
        Ok(General {
            order: byte(2),
            name: byte(3),
            coe_details: byte(5),
            ports: (ports != [0; 4]).then_some(ports),
        })
    }

    pub fn fmmus(&self) -> Result<Vec<u8>, SiiError> {
        // What is filled up with is no FMMU.
        let used = self
            .data
            .iter()
            .rposition(|&usage| usage != 0xff && usage != 0);
        let fmmus = self.data.get(..used.map_or(0, |last| last + 1));
        let fmmus = fmmus.unwrap_or_default().to_vec();
        at_most(Limit::Fmmus, fmmus.len())?;
        Ok(fmmus)
    }

    pub fn sync_managers(&self) -> Result<Vec<SyncManagerRow>, SiiError> {
        let row = |row: &[u8]| SyncManagerRow {
            start: u16::from_le_bytes([row[0], row[1]]),
            length: u16::from_le_bytes([row[2], row[3]]),
            control: row[4],
            enabled: row[6] & 1 != 0,
            usage: row[7],
        };
        let rows: Vec<_> = self.rows(SYNC_MANAGER_ROW)?.map(row).collect();
        at_most(Limit::SyncManagers, rows.len())?;
        Ok(rows)
    }

    /// PDOs and the numbers of their names.
    pub fn pdos(&self) -> Result<Vec<(PdoRow, u8)>, SiiError> {
        let mut rows = self.rows(PDO_ROW)?;
        let mut pdos = Vec::new();
        let mut at = 0;
        let all = self.data.len() / PDO_ROW;
        while let Some(head) = rows.next() {
            let index = u16::from_le_bytes([head[0], head[1]]);
            let claimed = usize::from(head[2]);
            let left = all - at - 1;
            if claimed > left {
                return Err(SiiError::Pdo {
                    word: self.word_of(at * PDO_ROW),
                    index,
                    claimed,
                    left,
                });
            }
            let entry = |row: &[u8]| PdoEntry {
                index: u16::from_le_bytes([row[0], row[1]]),
                subindex: row[2],
                bits: row[5],
            };
            let row = PdoRow {
                index,
                sync_manager: (usize::from(head[3]) < MAX_CHANNELS).then_some(head[3]),
                name: String::new(),
                entries: rows.by_ref().take(claimed).map(entry).collect(),
            };
            pdos.push((row, head[5]));
            at += 1 + claimed;
        }
        Ok(pdos)
    }

    pub fn clocks(&self) -> Result<Vec<ClockRow>, SiiError> {
        let row = |row: &[u8]| ClockRow {
            sync0_ns: u32::from_le_bytes([row[0], row[1], row[2], row[3]]),
            shift_ns: u32::from_le_bytes([row[4], row[5], row[6], row[7]]),
            activate: u16::from_le_bytes([row[14], row[15]]),
        };
        Ok(self.rows(DC_ROW)?.map(row).collect())
    }
}

fn at_most(what: Limit, found: usize) -> Result<(), SiiError> {
    if found > MAX_CHANNELS {
        return Err(SiiError::TooMany { what, found });
    }
    Ok(())
}
