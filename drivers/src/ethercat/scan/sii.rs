//! What a scan wants of an SII: identity, names, process data (ETG.2010).

use twinstep_config::machine::PdoEntry;

/// First word of the categories.
const CATEGORIES: usize = 0x40;
const STRINGS: u16 = 10;
const GENERAL: u16 = 30;
const TX_PDO: u16 = 50;
const RX_PDO: u16 = 51;
/// Longest SII that is read (words).
const MOST_WORDS: usize = 4_096;

/// An SII, as far as it was read.
#[derive(Clone, Debug, Default)]
pub struct Sii {
    bytes: Vec<u8>,
}

impl Sii {
    /// The word that is missing next; none at the end of the categories.
    pub fn next_word(&self) -> Option<u16> {
        let words = self.bytes.len() / 2;
        let ended = words > CATEGORIES && self.end().is_some_and(|end| end < words);
        (!ended && words < MOST_WORDS).then_some(words as u16)
    }

    /// More of it.
    pub fn take(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// All of it.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// A word; 0 where it was not read.
    pub fn word(&self, at: usize) -> u16 {
        let byte = |at: usize| self.bytes.get(at).copied().unwrap_or_default();
        u16::from_le_bytes([byte(2 * at), byte(2 * at + 1)])
    }

    /// Two words.
    pub fn long(&self, at: usize) -> u32 {
        u32::from(self.word(at)) | u32::from(self.word(at + 1)) << 16
    }

    /// Word of the end mark; none while it was not read.
    fn end(&self) -> Option<usize> {
        let mut at = CATEGORIES;
        while 2 * at + 1 < self.bytes.len() {
            if self.word(at) == 0xffff {
                return Some(at);
            }
            at += 2 + usize::from(self.word(at + 1));
        }
        None
    }

    /// Contents of the categories of one kind.
    fn categories(&self, kind: u16) -> impl Iterator<Item = &[u8]> {
        let mut at = CATEGORIES;
        core::iter::from_fn(move || {
            if 2 * at + 3 >= self.bytes.len() || self.word(at) == 0xffff {
                return None;
            }
            let (found, from) = (self.word(at), at + 2);
            at = from + usize::from(self.word(at + 1));
            let end = (2 * at).min(self.bytes.len());
            Some((found, self.bytes.get(2 * from..end).unwrap_or_default()))
        })
        .filter(move |(found, _)| *found == kind)
        .map(|(_, data)| data)
    }

    /// String `n`, counted from 1; empty where there is none.
    fn string(&self, n: u8) -> String {
        let Some((count, mut rest)) = self
            .categories(STRINGS)
            .next()
            .and_then(|data| data.split_first())
        else {
            return String::new();
        };
        for at in 1..=*count {
            let Some((length, from)) = rest.split_first() else {
                break;
            };
            let Some((text, behind)) = from.split_at_checked(usize::from(*length)) else {
                break;
            };
            if at == n {
                let printable = |b: &u8| {
                    if (0x20..0x7f).contains(b) {
                        *b as char
                    } else {
                        '?'
                    }
                };
                return text.iter().map(printable).collect::<String>().trim().into();
            }
            rest = behind;
        }
        String::new()
    }

    fn general(&self, at: usize) -> u8 {
        let data = self.categories(GENERAL).next();
        data.and_then(|data| data.get(at)).copied().unwrap_or(0)
    }

    /// Order code.
    pub fn order(&self) -> String {
        self.string(self.general(2))
    }

    /// Name.
    pub fn name(&self) -> String {
        self.string(self.general(3))
    }

    /// Entries of all RxPDOs that belong to a SyncManager.
    pub fn outputs(&self) -> Vec<PdoEntry> {
        self.pdos(RX_PDO)
    }

    /// Entries of all TxPDOs that belong to a SyncManager.
    pub fn inputs(&self) -> Vec<PdoEntry> {
        self.pdos(TX_PDO)
    }

    fn pdos(&self, kind: u16) -> Vec<PdoEntry> {
        let mut all = Vec::new();
        for mut data in self.categories(kind) {
            // A header of 8 bytes, then entries of 8 bytes.
            while let Some((header, rest)) = data.split_at_checked(8) {
                let entries = usize::from(header[2]);
                let assigned = header[3] != 0xff;
                let Some((list, behind)) = rest.split_at_checked(8 * entries) else {
                    break;
                };
                if assigned {
                    all.extend(list.chunks_exact(8).map(|entry| PdoEntry {
                        index: u16::from_le_bytes([entry[0], entry[1]]),
                        subindex: entry[2],
                        bits: entry[5],
                    }));
                }
                data = behind;
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_an_sii_of_some_kind(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let mut sii = Sii::default();
            sii.take(&[0; 128]);
            sii.take(&bytes);
            let _ = (sii.order(), sii.name(), sii.outputs(), sii.inputs(), sii.next_word());
        }
    }
}
