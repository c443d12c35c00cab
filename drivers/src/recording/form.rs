//! The columns of our own form, for those who write them in other containers than CSV.

use super::own::{DataColumn, data_columns, letter};
use super::writer::push_cause;
use crate::bus::{BusFault, ProcessImage};
use crate::object_map::Layout;
use twinstep_models::sample::CycleStamp;

/// Columns of the process data of a machine, in their order. Before them stand `cycle`, `time_ns`, `dc_time_ns`, `bus`, `valid`,
/// `recipe` and `part`; behind them in CSV `tool`, `load` and `temperature`, where a controller tells some of them.
#[derive(Clone, Debug)]
pub struct Form(Vec<DataColumn>);

/// One of the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column<'a> {
    /// `SUBDEVICE.0x6064`, as in CSV.
    pub name: &'a str,
    /// Length of the integer (bits): 8, 16 or 32.
    pub bits: u8,
    /// Two's complement.
    pub signed: bool,
    /// Sent to the SubDevice; there in every row.
    pub output: bool,
}

impl Form {
    /// The columns of a machine whose process data lie as in `layout`.
    pub fn of(layout: &Layout) -> Self {
        Self(data_columns(layout))
    }

    /// The columns.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = Column<'_>> {
        self.0.iter().map(|column| Column {
            name: &column.name,
            // Slots have 1, 2 or 4 bytes.
            bits: (8 * column.slot.bytes()) as u8,
            signed: column.slot.signed(),
            output: column.output,
        })
    }

    /// The integers of a row, in the order of the columns; none for inputs of an exchange that failed.
    pub fn row<'a>(
        &'a self,
        image: &'a ProcessImage,
        exchanged: bool,
    ) -> impl Iterator<Item = Option<i64>> + 'a {
        self.0.iter().map(move |column| {
            let bytes = match (column.output, exchanged) {
                (true, _) => &image.outputs,
                (false, true) => &image.inputs,
                (false, false) => return None,
            };
            column.slot.get(bytes)
        })
    }

    /// The words of `bus` and `valid`, as in CSV.
    pub fn words(
        result: &Result<CycleStamp, BusFault>,
        image: &ProcessImage,
    ) -> (Vec<u8>, Vec<u8>) {
        let mut cause = Vec::new();
        push_cause(&mut cause, result.map_err(|fault| fault.cause).err());
        (
            cause,
            image.valid.iter().map(|valid| letter(*valid)).collect(),
        )
    }
}
