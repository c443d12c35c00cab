//! Columns that tell recipe, part, tool and load, a number or a name of the configuration each, and the temperature.
//!
//! What is neither, an empty cell among it, is [`Context::UNKNOWN`]: the row is there, and what depends on it is not judged in it.

use super::error::RecordingError;
use super::foreign::find;
use super::table::{Table, number};
use crate::bus::ProcessImage;
use twinstep_config::machine::{ContextFrom, Teller, TellerPlace, Thermometer};
use twinstep_models::sample::Context;

/// The columns.
pub(super) struct ContextSource<'a> {
    from: &'a ContextFrom,
    recipe: Option<(usize, &'a Teller)>,
    part: Option<(usize, &'a Teller)>,
    tool: Option<(usize, &'a Teller)>,
    load: Option<(usize, &'a Teller)>,
    temperature: Option<(usize, &'a Thermometer)>,
}

impl<'a> ContextSource<'a> {
    pub(super) fn new(table: &Table, from: &'a ContextFrom) -> Result<Self, RecordingError> {
        let place = |place: &TellerPlace| match place {
            TellerPlace::Column(name) => find(table, name).map(Some),
            TellerPlace::Object { .. } | TellerPlace::Controller => Ok(None),
        };
        let column = |teller: &'a Option<Teller>| {
            let Some(teller) = teller else {
                return Ok(None);
            };
            Ok(place(&teller.place)?.map(|column| (column, teller)))
        };
        let temperature = match &from.temperature {
            Some(one) => place(&one.place)?.map(|column| (column, one)),
            None => None,
        };
        Ok(Self {
            from,
            recipe: column(&from.recipe)?,
            part: column(&from.part)?,
            tool: column(&from.tool)?,
            load: column(&from.load)?,
            temperature,
        })
    }

    /// Whether a column tells tool, load or temperature.
    pub(super) const fn tells_conditions(&self) -> bool {
        self.tool.is_some() || self.load.is_some() || self.temperature.is_some()
    }

    /// Sets the context of the image, which is that of the row before, to that of the row.
    pub(super) fn read(&self, table: &Table, image: &mut ProcessImage) {
        if let Some((column, teller)) = self.recipe {
            image.recipe = index_of(table.cell(column), teller);
            if let Some(part) = self.from.part_of(image.recipe) {
                image.part = part;
            }
        }
        if let Some((column, teller)) = self.part {
            image.part = index_of(table.cell(column), teller);
        }
        let conditions = &mut image.conditions;
        if let Some((column, teller)) = self.tool {
            conditions.tool = index_of(table.cell(column), teller);
        }
        if let Some((column, teller)) = self.load {
            conditions.load = index_of(table.cell(column), teller);
        }
        if let Some((column, one)) = self.temperature {
            let band =
                number(table.cell(column)).map(|value| one.band(value, conditions.temperature));
            conditions.temperature = band.unwrap_or(Context::UNKNOWN);
        }
    }
}

/// Which of them a cell names: a name goes before a number.
fn index_of(cell: &[u8], teller: &Teller) -> u8 {
    let name = core::str::from_utf8(cell).ok();
    if let Some(index) = name.and_then(|name| teller.index_of_name(name)) {
        return index;
    }
    // What is no number is no whole one either.
    let whole =
        |value: &f64| value.trunc() == *value && (0.0..=f64::from(u32::MAX)).contains(value);
    number(cell)
        .filter(whole)
        .map_or(Context::UNKNOWN, |value| teller.index_of(value as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_a_name_or_a_whole_number_that_stands_for_one() {
        let teller = Teller {
            place: TellerPlace::Column("part".to_owned()),
            numbers: vec![10, 20, 30],
            // The name of the last is the number of the first.
            names: ["bush-a", "bush-b", "10"].map(str::to_owned).to_vec(),
        };
        let known: [(&[u8], u8); 6] = [
            (b"bush-a", 0),
            (b"bush-b", 1),
            (b"10", 2),
            (b"20", 1),
            (b"20.0", 1),
            (b"3e1", 2),
        ];
        for (cell, index) in known {
            assert_eq!(index_of(cell, &teller), index, "{cell:?}");
        }
        let none: [&[u8]; 8] = [
            b"",
            b"bush-c",
            b"0",
            b"20.5",
            b"-20",
            b"NaN",
            b"4294967316",
            b"\xff",
        ];
        for cell in none {
            assert_eq!(index_of(cell, &teller), Context::UNKNOWN, "{cell:?}");
        }
    }
}
