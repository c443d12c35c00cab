//! A recording as Parquet: the columns of the CSV form, typed, and tool, load and temperature of each cycle.

use crate::error::HostError;
use parquet::basic::{Compression, ConvertedType, Repetition, Type as Physical, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use twinstep_config::machine::ContextFrom;
use twinstep_drivers::bus::{BusFault, ProcessImage};
use twinstep_drivers::object_map::Layout;
use twinstep_drivers::recording::Form;
use twinstep_models::sample::CycleStamp;

/// Columns of bytes before the process data.
const CONTEXT: [&str; 5] = ["recipe", "part", "tool", "load", "temperature"];

/// Rows that are kept in memory and written as one group.
const GROUP_ROWS: usize = 1 << 16;

/// The values of one column, up to a group of rows.
enum Values {
    Long(Vec<i64>),
    Word(Vec<ByteArray>),
    /// With a level of 1 for a value and 0 for none.
    Short(Vec<i32>, Vec<i16>),
}

impl Values {
    fn short(&mut self, value: Option<i64>) {
        if let Self::Short(values, levels) = self {
            // 32 bits at most; unsigned ones keep their bits, as the format wants it.
            values.extend(value.map(|value| value as i32));
            levels.push(i16::from(value.is_some()));
        }
    }
}

/// Writes a recording.
pub struct ParquetWriter {
    path: PathBuf,
    writer: SerializedFileWriter<File>,
    form: Form,
    /// Which of tool, load and temperature are told.
    told: [bool; 3],
    columns: Vec<Values>,
    rows: usize,
}

impl ParquetWriter {
    /// Creates the file, or empties it. What `context` has nobody for is empty in each row.
    ///
    /// # Errors
    /// [`HostError::Usage`] when it cannot be written.
    pub fn create(path: &Path, layout: &Layout, context: &ContextFrom) -> Result<Self, HostError> {
        let failed = |error: &dyn std::fmt::Display| cannot(path, error);
        let form = Form::of(layout);
        let schema = schema(&form).map_err(|error| failed(&error))?;
        let level = ZstdLevel::try_new(3).map_err(|error| failed(&error))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_created_by(format!("twinstep {}", env!("CARGO_PKG_VERSION")))
            .build();
        let file = File::create(path).map_err(|error| failed(&error))?;
        let writer = SerializedFileWriter::new(file, schema, Arc::new(properties))
            .map_err(|error| failed(&error))?;
        let columns = columns(&form);
        Ok(Self {
            path: path.to_owned(),
            writer,
            form,
            told: [
                context.tool.is_some(),
                context.load.is_some(),
                context.temperature.is_some(),
            ],
            columns,
            rows: 0,
        })
    }

    /// Writes one cycle.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn write(
        &mut self,
        stamp: &CycleStamp,
        result: &Result<CycleStamp, BusFault>,
        image: &ProcessImage,
    ) -> Result<(), HostError> {
        self.take(stamp, result, image);
        self.rows += 1;
        if self.rows < GROUP_ROWS {
            return Ok(());
        }
        self.group().map_err(|error| cannot(&self.path, &error))
    }

    /// Puts a row to those that wait.
    fn take(
        &mut self,
        stamp: &CycleStamp,
        result: &Result<CycleStamp, BusFault>,
        image: &ProcessImage,
    ) {
        let (cause, valid) = Form::words(result, image);
        let context = [image.recipe, image.part].map(|one| Some(i64::from(one)));
        let conditions = <[u8; 3]>::from(image.conditions).into_iter().zip(self.told);
        let conditions = conditions.map(|(one, told)| told.then_some(i64::from(one)));
        let mut longs = [stamp.cycle, stamp.time_ns, stamp.dc_time_ns].into_iter();
        let mut words = [cause, valid].into_iter();
        let raws = self.form.row(image, result.is_ok());
        let mut shorts = context.into_iter().chain(conditions).chain(raws);
        for column in &mut self.columns {
            match column {
                Values::Long(values) => values.extend(longs.next().map(u64::cast_signed)),
                Values::Word(values) => values.extend(words.next().map(ByteArray::from)),
                Values::Short(..) => column.short(shorts.next().flatten()),
            }
        }
    }

    fn group(&mut self) -> Result<(), ParquetError> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for values in &mut self.columns {
            let Some(mut column) = group.next_column()? else {
                break;
            };
            match (column.untyped(), values) {
                (ColumnWriter::Int64ColumnWriter(writer), Values::Long(values)) => {
                    writer.write_batch(values, None, None)?;
                    values.clear();
                }
                (ColumnWriter::ByteArrayColumnWriter(writer), Values::Word(values)) => {
                    writer.write_batch(values, None, None)?;
                    values.clear();
                }
                (ColumnWriter::Int32ColumnWriter(writer), Values::Short(values, levels)) => {
                    writer.write_batch(values, Some(levels), None)?;
                    values.clear();
                    levels.clear();
                }
                // The schema was made of these columns.
                _ => {}
            }
            column.close()?;
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }

    /// Writes what is left and completes the file.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn finish(mut self) -> Result<(), HostError> {
        self.group().map_err(|error| cannot(&self.path, &error))?;
        let closed = self.writer.close().map(drop);
        closed.map_err(|error| cannot(&self.path, &error))
    }
}

fn cannot(path: &Path, error: &dyn std::fmt::Display) -> HostError {
    HostError::usage(
        format!("cannot write {}: {error}", path.display()),
        "name another file, on a disk with room",
    )
}

/// Empty columns, in the order of the schema.
fn columns(form: &Form) -> Vec<Values> {
    let longs = (0..3).map(|_| Values::Long(Vec::new()));
    let words = (0..2).map(|_| Values::Word(Vec::new()));
    let shorts = CONTEXT.len() + form.columns().len();
    let shorts = (0..shorts).map(|_| Values::Short(Vec::new(), Vec::new()));
    longs.chain(words).chain(shorts).collect()
}

fn schema(form: &Form) -> Result<TypePtr, ParquetError> {
    let field = |name: &str, physical, converted, repetition| {
        Type::primitive_type_builder(name, physical)
            .with_repetition(repetition)
            .with_converted_type(converted)
            .build()
            .map(Arc::new)
    };
    let mut fields = Vec::new();
    for name in ["cycle", "time_ns", "dc_time_ns"] {
        let long = ConvertedType::UINT_64;
        fields.push(field(name, Physical::INT64, long, Repetition::REQUIRED)?);
    }
    for name in ["bus", "valid"] {
        let word = ConvertedType::UTF8;
        fields.push(field(
            name,
            Physical::BYTE_ARRAY,
            word,
            Repetition::REQUIRED,
        )?);
    }
    let raws = form.columns().map(|c| (c.name, c.bits, c.signed));
    let context = CONTEXT.map(|name| (name, 8, false));
    for (name, bits, signed) in context.into_iter().chain(raws) {
        let converted = match (bits, signed) {
            (8, false) => ConvertedType::UINT_8,
            (8, true) => ConvertedType::INT_8,
            (16, false) => ConvertedType::UINT_16,
            (16, true) => ConvertedType::INT_16,
            (_, false) => ConvertedType::UINT_32,
            (_, true) => ConvertedType::INT_32,
        };
        fields.push(field(
            name,
            Physical::INT32,
            converted,
            Repetition::OPTIONAL,
        )?);
    }
    let group = Type::group_type_builder("twinstep_recording").with_fields(fields);
    group.build().map(Arc::new)
}
