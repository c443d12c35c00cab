//! Why bytes are no EEPROM image.

use super::{MAX_BYTES, MAX_CHANNELS, MAX_PDOS};

/// What there can be too many of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// FMMUs.
    Fmmus,
    /// SyncManagers.
    SyncManagers,
    /// PDOs of one direction.
    Pdos,
}

/// Why bytes are no EEPROM image, and at which word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SiiError {
    /// Not between 128 bytes and 128 KiB, or an odd number.
    Size {
        /// Length of the image (bytes).
        bytes: usize,
    },
    /// A category is longer than what is left of the image.
    Category {
        /// Word of its header.
        word: usize,
        /// Its type.
        kind: u16,
        /// Words that it claims.
        claimed: usize,
        /// Words that are left.
        left: usize,
    },
    /// A category is no whole number of rows.
    Rows {
        /// Word of its header.
        word: usize,
        /// Its type.
        kind: u16,
        /// Its length (bytes).
        bytes: usize,
        /// Length of a row (bytes).
        row: usize,
    },
    /// A string is longer than what is left of its category.
    Text {
        /// Word that it begins in.
        word: usize,
        /// Its number, from 1 on.
        number: usize,
        /// Bytes that it claims.
        claimed: usize,
        /// Bytes that are left.
        left: usize,
    },
    /// A PDO has more objects than its category has room for.
    Pdo {
        /// Word that it begins in.
        word: usize,
        /// Its index.
        index: u16,
        /// Objects that it claims.
        claimed: usize,
        /// Objects that there is room for.
        left: usize,
    },
    /// More than an ESC has, or than is simulated.
    TooMany {
        /// Of what.
        what: Limit,
        /// How many.
        found: usize,
    },
}

impl core::fmt::Display for SiiError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match *self {
            Self::Size { bytes } => write!(
                f,
                "{bytes} bytes: an EEPROM image has an even number of them, from 128 to {MAX_BYTES}; is it binary, and complete?"
            ),
            Self::Category {
                word,
                kind,
                claimed,
                left,
            } => write!(
                f,
                "word {word:#06x}: category {kind} claims {claimed} words, {left} are left; is the image complete?"
            ),
            Self::Rows {
                word,
                kind,
                bytes,
                row,
            } => write!(
                f,
                "word {word:#06x}: category {kind} has {bytes} bytes, no multiple of its rows of {row}"
            ),
            Self::Text {
                word,
                number,
                claimed,
                left,
            } => write!(
                f,
                "word {word:#06x}: string {number} claims {claimed} bytes, {left} are left in its category"
            ),
            Self::Pdo {
                word,
                index,
                claimed,
                left,
            } => write!(
                f,
                "word {word:#06x}: PDO {index:#06x} claims {claimed} objects, its category has room for {left}"
            ),
            Self::TooMany { what, found } => {
                let (name, most) = match what {
                    Limit::Fmmus => ("FMMUs", MAX_CHANNELS),
                    Limit::SyncManagers => ("SyncManagers", MAX_CHANNELS),
                    Limit::Pdos => ("PDOs in one direction", MAX_PDOS),
                };
                write!(f, "{found} {name}, at most {most} are possible")
            }
        }
    }
}

impl std::error::Error for SiiError {}
