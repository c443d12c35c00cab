//! Writes our own form.

use super::error::{Problem, RecordingError};
use super::own::{DataColumn, HEAD_COLUMNS, condition_columns, data_columns, letter};
use crate::bus::{BusCause, BusFault, ProcessImage};
use crate::object_map::Layout;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use twinstep_config::machine::Machine;
use twinstep_models::sample::CycleStamp;

/// Rows wait in a buffer of this size before they go to the file (bytes).
const BUFFER_BYTES: usize = 1 << 18;

/// Records a run, one row a cycle.
///
/// A row costs no allocation. It may reach the disk, though, which takes what it takes: a cycle in real time hands its
/// rows to another thread.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    file: BufWriter<File>,
    columns: Vec<DataColumn>,
    sizes: [usize; 3],
    /// Tool, load and temperature come behind.
    conditions: bool,
    row: Vec<u8>,
}

impl Writer {
    /// Creates the file, or empties it, and writes the header.
    ///
    /// # Errors
    /// [`RecordingError`] when the machine has no bus or the file cannot be created.
    pub fn create(path: impl AsRef<Path>, machine: &Machine) -> Result<Self, RecordingError> {
        let path = path.as_ref();
        let layout =
            Layout::new(machine).map_err(|error| RecordingError::new(path, Problem::Map(error)))?;
        if machine.bus.is_none() {
            return Err(RecordingError::new(path, Problem::NoBus));
        }
        if path.is_dir() {
            return Err(RecordingError::new(path, Problem::Directory));
        }
        let columns = data_columns(&layout);
        let file =
            File::create(path).map_err(|error| RecordingError::new(path, Problem::Io(error)))?;
        let mut header = Vec::new();
        let names = HEAD_COLUMNS
            .iter()
            .copied()
            .chain(columns.iter().map(|column| column.name.as_str()))
            .chain(condition_columns(&layout).iter().copied());
        for (number, name) in names.enumerate() {
            if number > 0 {
                header.push(b',');
            }
            quote(&mut header, name);
        }
        header.push(b'\n');
        let sizes = [
            layout.subdevices.len(),
            layout.output_bytes,
            layout.input_bytes,
        ];
        let mut writer = Self {
            path: path.to_owned(),
            file: BufWriter::with_capacity(BUFFER_BYTES, file),
            // Longest cells: three times, a working counter, five bytes, and 32-bit integers.
            row: Vec::with_capacity(3 * 21 + 32 + 5 * 4 + sizes[0] + 2 + columns.len() * 12),
            conditions: layout.conditions,
            columns,
            sizes,
        };
        writer.put(&header)?;
        Ok(writer)
    }

    /// Writes one cycle: its number, how the exchange ended, and the image after it.
    ///
    /// `stamp` counts where the exchange went well, else the one in the fault. The end of the source is no cycle and
    /// writes nothing.
    ///
    /// # Errors
    /// [`RecordingError`] when the file cannot be written or the image is not this machine's.
    pub fn write(
        &mut self,
        stamp: &CycleStamp,
        result: &Result<CycleStamp, BusFault>,
        image: &ProcessImage,
    ) -> Result<(), RecordingError> {
        if [image.valid.len(), image.outputs.len(), image.inputs.len()] != self.sizes {
            return Err(RecordingError::new(&self.path, Problem::ImageSize));
        }
        let stamp = match result {
            Ok(_) => stamp,
            Err(fault) => &fault.stamp,
        };
        let row = &mut self.row;
        row.clear();
        for number in [stamp.cycle, stamp.time_ns, stamp.dc_time_ns] {
            push_integer(row, false, number);
            row.push(b',');
        }
        let cause = result.map_err(|fault| fault.cause).err();
        if cause == Some(BusCause::End) {
            return Ok(());
        }
        push_cause(row, cause);
        row.push(b',');
        row.extend(image.valid.iter().map(|valid| letter(*valid)));
        for number in [image.recipe, image.part] {
            row.push(b',');
            push_integer(row, false, u64::from(number));
        }
        row.push(b',');
        for column in &self.columns {
            row.push(b',');
            let bytes = match (column.output, result.is_ok()) {
                (true, _) => &image.outputs,
                (false, true) => &image.inputs,
                (false, false) => continue,
            };
            if let Some(raw) = column.slot.get(bytes) {
                push_integer(row, raw < 0, raw.unsigned_abs());
            }
        }
        for told in <[u8; 3]>::from(image.conditions) {
            if self.conditions {
                row.push(b',');
                push_integer(row, false, u64::from(told));
            }
        }
        row.push(b'\n');
        self.file
            .write_all(&self.row)
            .map_err(|error| RecordingError::new(&self.path, Problem::Io(error)))
    }

    /// Writes what is still in the buffer and waits until the disk has it.
    ///
    /// # Errors
    /// [`RecordingError`] when the file cannot be written.
    pub fn finish(mut self) -> Result<(), RecordingError> {
        self.file
            .flush()
            .and_then(|()| self.file.get_ref().sync_all())
            .map_err(|error| RecordingError::new(&self.path, Problem::Io(error)))
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), RecordingError> {
        self.file
            .write_all(bytes)
            .map_err(|error| RecordingError::new(&self.path, Problem::Io(error)))
    }
}

/// Appends what became of the exchange; the end of a source is no cycle and has no word.
pub(super) fn push_cause(row: &mut Vec<u8>, cause: Option<BusCause>) {
    match cause {
        None => row.extend_from_slice(b"ok"),
        Some(BusCause::NoFrame) => row.extend_from_slice(b"no_frame"),
        Some(BusCause::WorkingCounter { expected, actual }) => {
            row.extend_from_slice(b"working_counter:");
            push_integer(row, false, u64::from(expected));
            row.push(b':');
            push_integer(row, false, u64::from(actual));
        }
        Some(BusCause::Gap) => row.extend_from_slice(b"gap"),
        Some(BusCause::Segment) => row.extend_from_slice(b"segment"),
        Some(BusCause::End) => {}
    }
}

/// Appends an integer; a hundred of them a row make the formatting machinery of the standard library the larger part of it.
fn push_integer(row: &mut Vec<u8>, negative: bool, mut magnitude: u64) {
    // 20 digits hold every 64-bit number.
    let mut digits = [0_u8; 20];
    let mut count = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (magnitude % 10) as u8;
        count += 1;
        magnitude /= 10;
        if magnitude == 0 {
            break;
        }
    }
    if negative {
        row.push(b'-');
    }
    row.extend(digits.iter().skip(digits.len() - count));
}

/// A name as a cell: quoted where it has to be.
fn quote(cell: &mut Vec<u8>, name: &str) {
    if name.contains([',', '"']) {
        cell.push(b'"');
        cell.extend(name.replace('"', "\"\"").bytes());
        cell.push(b'"');
    } else {
        cell.extend(name.bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::press_cell;
    use super::*;

    #[test]
    fn the_longest_row_fits_what_was_reserved() {
        let path = std::env::temp_dir().join(format!("twinstep-writer-{}.csv", std::process::id()));
        let machine = press_cell();
        let mut writer = Writer::create(&path, &machine).unwrap();
        let mut image = Layout::new(&machine).unwrap().image();
        // The longest integers there are, and the longest cause.
        image.outputs.fill(0x80);
        image.inputs.fill(0x80);
        (image.recipe, image.part) = (255, 255);
        let stamp = CycleStamp {
            cycle: u64::MAX,
            time_ns: u64::MAX,
            dc_time_ns: u64::MAX,
        };
        let cause = BusCause::WorkingCounter {
            expected: u16::MAX,
            actual: u16::MAX,
        };
        let reserved = writer.row.capacity();
        for result in [Ok(stamp), Err(BusFault { stamp, cause })] {
            writer.write(&stamp, &result, &image).unwrap();
            assert!(writer.row.len() <= reserved);
            assert_eq!(writer.row.capacity(), reserved);
        }
        image.inputs.pop();
        let error = writer.write(&stamp, &Ok(stamp), &image).unwrap_err();
        assert!(matches!(error.problem(), Problem::ImageSize));
        writer.finish().unwrap();
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn integers_are_written_in_full() {
        for number in [
            0,
            7,
            -1,
            10,
            -2_147_483_648,
            4_294_967_295,
            i64::MAX,
            i64::MIN,
        ] {
            let mut row = Vec::new();
            push_integer(&mut row, number < 0, number.unsigned_abs());
            assert_eq!(String::from_utf8(row).unwrap(), number.to_string());
        }
        let mut row = Vec::new();
        push_integer(&mut row, false, u64::MAX);
        assert_eq!(String::from_utf8(row).unwrap(), u64::MAX.to_string());
    }

    #[test]
    fn odd_names_are_quoted() {
        let mut cell = Vec::new();
        quote(&mut cell, "a,\"b\".0x6064");
        assert_eq!(cell, b"\"a,\"\"b\"\".0x6064\"");
    }
}
