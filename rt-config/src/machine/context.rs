//! Who tells recipe and part while the machine runs.

use super::PdoEntry;
use twinstep_models::sample::Context;

/// Who tells recipe and part, `[context]`. What nobody tells is that of whoever brings the process data: the program, a controller, a
/// recording of ours, else the first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContextFrom {
    /// Who tells the recipe; none: nobody.
    pub recipe: Option<Teller>,
    /// Who tells the part; none: nobody.
    pub part: Option<Teller>,
    /// The part of each recipe, where the recipe is told and its only part follows from it; else empty.
    pub part_of: Vec<u8>,
}

impl ContextFrom {
    /// Anything is told.
    pub const fn is_told(&self) -> bool {
        self.recipe.is_some() || self.part.is_some()
    }

    /// The part is told, or follows from what is.
    pub const fn tells_part(&self) -> bool {
        self.part.is_some() || !self.part_of.is_empty()
    }

    /// The part that follows from a recipe that is told.
    pub fn part_of(&self, recipe: u8) -> Option<u8> {
        if self.part_of.is_empty() {
            return None;
        }
        let part = self.part_of.get(usize::from(recipe)).copied();
        Some(part.unwrap_or(Context::UNKNOWN))
    }
}

/// Who tells the recipe, or the part.
#[derive(Clone, Debug, PartialEq)]
pub struct Teller {
    /// Where.
    pub place: TellerPlace,
    /// The number that stands for each of them, in the order of the configuration; none twice.
    pub numbers: Vec<u32>,
    /// Their names, which a column may hold instead.
    pub names: Vec<String>,
}

/// Where it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TellerPlace {
    /// In the process data of a SubDevice.
    Object {
        /// Position of the SubDevice on the bus.
        subdevice: usize,
        /// The object.
        entry: PdoEntry,
        /// Among its outputs, which another MainDevice writes; else among its inputs.
        output: bool,
    },
    /// In a column of a recording from elsewhere.
    Column(String),
}

impl Teller {
    /// Which of them a number stands for: its index, [`Context::UNKNOWN`] for none.
    pub fn index_of(&self, number: u32) -> u8 {
        let index = self.numbers.iter().position(|known| *known == number);
        index.map_or(Context::UNKNOWN, to_index)
    }

    /// Which of them has this name.
    pub fn index_of_name(&self, name: &str) -> Option<u8> {
        let index = self.names.iter().position(|known| known == name);
        index.map(to_index)
    }
}

/// There are at most 64 recipes and 16 parts.
fn to_index(index: usize) -> u8 {
    u8::try_from(index).unwrap_or(Context::UNKNOWN)
}
