//! What can be wrong with a recording: where, what, and what to do about it.

use super::{MAX_BYTES, MAX_GAP_CYCLES, MAX_LINE_BYTES, MAX_ROWS};
use crate::object_map::ObjectMapError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Longest piece of a cell that a message repeats (characters).
const MAX_SHOWN: usize = 40;
/// Most column names that a message lists.
const MAX_LISTED: usize = 24;

/// A recording could not be read or written.
#[derive(Debug)]
pub struct RecordingError(Box<Place>);

#[derive(Debug)]
struct Place {
    path: PathBuf,
    line: Option<u64>,
    column: Option<String>,
    problem: Problem,
}

/// What is wrong.
#[derive(Debug)]
pub enum Problem {
    /// The file could not be opened, read or written.
    Io(io::Error),
    /// The path is a directory.
    Directory,
    /// The file has no bytes.
    Empty,
    /// There is a header but no row.
    NoRows,
    /// The first line is no header: not UTF-8, or with control characters.
    NotText,
    /// A line longer than [`MAX_LINE_BYTES`].
    LineTooLong,
    /// A quotation mark without its partner.
    OpenQuote,
    /// The last line has no line break: the file was cut short.
    Truncated,
    /// A row with another number of cells than the header.
    Cells {
        /// Columns in the header.
        expected: usize,
        /// Cells in the row.
        actual: usize,
    },
    /// A cell that cannot be read.
    Cell {
        /// What belongs there.
        expected: String,
        /// What stands there.
        actual: String,
    },
    /// A column of the configuration is not in the file.
    MissingColumn {
        /// All columns of the file.
        available: Vec<String>,
    },
    /// A column of the configuration is in the file more than once.
    DoubleColumn,
    /// A recording of ours, but not of this machine: the headers differ.
    OtherMachine {
        /// Header that this machine's recordings have.
        expected: String,
        /// Header in the file.
        actual: String,
    },
    /// A recording of ours in a newer form.
    Version {
        /// Its mark.
        actual: String,
    },
    /// A table from elsewhere, and the configuration maps no columns.
    NoMap {
        /// All columns of the file.
        available: Vec<String>,
    },
    /// A table from elsewhere, and the machine has a bus, whose bytes it cannot bring.
    ForeignOnBus,
    /// A recording of ours holds process data, and the machine has no bus.
    NoBus,
    /// The machine's process data cannot be laid out.
    Map(ObjectMapError),
    /// Cycle numbers do not rise.
    CycleOrder {
        /// Number in the row before.
        previous: u64,
        /// Number in this row.
        actual: u64,
    },
    /// Time does not rise.
    TimeOrder {
        /// Time in the row before (s).
        previous_s: f64,
        /// Time in this row (s).
        actual_s: f64,
    },
    /// The step in time is further than 10 % from the period.
    Uneven {
        /// Period of the configuration (s).
        period_s: f64,
        /// Step (s).
        actual_s: f64,
        /// Cycles that the step spans.
        cycles: u64,
        /// The file is a recording of ours, where unevenness cannot be declared.
        own: bool,
    },
    /// More than [`MAX_GAP_CYCLES`] cycles are missing.
    GapTooLong {
        /// How many are.
        actual: u64,
    },
    /// More than [`MAX_ROWS`] rows or [`MAX_BYTES`] of memory.
    TooLarge,
    /// More memory than may be used for it here.
    OverBound {
        /// What may be used (bytes).
        max_bytes: usize,
    },
    /// The process image has another size than the machine's.
    ImageSize,
    /// An MCAP file that is none of ours.
    NotOurs,
    /// An MCAP file that cannot be read.
    Container(String),
}

impl RecordingError {
    pub(super) fn new(path: &Path, problem: Problem) -> Self {
        Self(Box::new(Place {
            path: path.to_owned(),
            line: None,
            column: None,
            problem,
        }))
    }

    pub(super) fn at(mut self, line: u64) -> Self {
        self.0.line = Some(line);
        self
    }

    pub(super) fn column_named(mut self, name: &str) -> Self {
        self.0.column = Some(shown(name));
        self
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The line, counted from 1 (the header).
    pub fn line(&self) -> Option<u64> {
        self.0.line
    }

    /// Header of the column.
    pub fn column(&self) -> Option<&str> {
        self.0.column.as_deref()
    }

    /// What is wrong.
    pub fn problem(&self) -> &Problem {
        &self.0.problem
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match &self.0.problem {
            Problem::Io(error) if error.kind() == io::ErrorKind::NotFound => "check the path",
            Problem::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                "check the permissions of the file and its folder"
            }
            Problem::Io(_) => "check the disk and the file",
            Problem::Directory => "name the CSV file itself",
            Problem::Empty | Problem::NoRows => "record again, or name another file",
            Problem::NotText | Problem::LineTooLong => {
                "only CSV is read: a line of column names, then one row a cycle"
            }
            Problem::OpenQuote => "close the quotation mark on the same line",
            Problem::Truncated => {
                "the file was cut short: record it again, or delete the last line; if that line is complete, end it with a line break"
            }
            Problem::Cells { .. } => {
                "every row needs one cell per column, separated by commas: repair or delete the line"
            }
            Problem::Cell { .. } => "repair the cell or delete the line",
            Problem::MissingColumn { .. } => {
                "name one of the file's columns in [recording] or [context]; columns are separated by commas"
            }
            Problem::DoubleColumn => "give the columns of the file different names",
            Problem::OtherMachine { .. } => {
                "replay it with the configuration that it was recorded with"
            }
            Problem::Version { .. } => {
                "replay it with the twinstep that recorded it, or a newer one"
            }
            Problem::NoMap { .. } => {
                "map these columns to axes under [recording] in the configuration"
            }
            Problem::ForeignOnBus => {
                "use a configuration without [bus], with [recording] alone, for tables from elsewhere"
            }
            Problem::NoBus => "use the configuration with the [bus] that it was recorded on",
            Problem::Map(_) => "correct the configuration",
            Problem::CycleOrder { .. } => "rows must stand in the order of their cycles, each once",
            Problem::TimeOrder { .. } => {
                "rows must stand in the order of time; where time restarts, name the column that changes there in `segment_by`"
            }
            Problem::Uneven { own: true, .. } => {
                "replay it with the period that it was recorded with"
            }
            Problem::Uneven { .. } => {
                "set `period` to the recording's own, or declare `uneven = true` under [recording]"
            }
            Problem::GapTooLong { .. } => "cut the recording in two at the gap",
            Problem::TooLarge => "cut the recording into several files",
            Problem::OverBound { .. } => {
                "name the file with --recording where there is room for it, then all of it is read"
            }
            Problem::NotOurs => "name a file that `twinstep --record FILE.mcap` has written",
            Problem::Container(_) => {
                "record it again; a file that was only cut is read up to there"
            }
            Problem::ImageSize => "build image and recording from the same machine",
        }
    }
}

impl fmt::Display for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.path.display())?;
        if let Some(line) = self.0.line {
            write!(f, ", line {line}")?;
        }
        if let Some(column) = &self.0.column {
            write!(f, ", column `{column}`")?;
        }
        write!(f, ": {}; {}", self.0.problem, self.remedy())
    }
}

impl std::error::Error for RecordingError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.problem {
            Problem::Io(error) => Some(error),
            Problem::Map(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::Directory => write!(f, "this is a directory"),
            Self::Empty => write!(f, "the file is empty"),
            Self::NoRows => write!(f, "the file has a header but no rows"),
            Self::NotText => write!(f, "the first line is no text"),
            Self::LineTooLong => write!(f, "the line is longer than {MAX_LINE_BYTES} bytes"),
            Self::OpenQuote => write!(f, "a quotation mark is not closed"),
            Self::Truncated => write!(f, "the last line does not end with a line break"),
            Self::Cells { expected, actual } => {
                write!(
                    f,
                    "{expected} cells expected as in the header, {actual} found"
                )
            }
            Self::Cell { expected, actual } => {
                write!(f, "{expected} expected, `{}` found", shown(actual))
            }
            Self::MissingColumn { available } => {
                write!(f, "there is no such column; the file has ")?;
                list(f, available)
            }
            Self::DoubleColumn => write!(f, "this column is there more than once"),
            Self::OtherMachine { expected, actual } => write!(
                f,
                "this was recorded with another configuration: column `{}` expected, `{}` found",
                shown(expected),
                shown(actual)
            ),
            Self::Version { actual } => write!(f, "unknown form `{}`", shown(actual)),
            Self::NoMap { available } => {
                write!(
                    f,
                    "this is no recording made by twinstep, and the configuration maps no columns; the file has "
                )?;
                list(f, available)
            }
            Self::ForeignOnBus => write!(
                f,
                "this is no recording made by twinstep, and the machine takes its process data from a bus"
            ),
            Self::NoBus => write!(
                f,
                "this is about the process data of a bus, and the machine has none"
            ),
            Self::Map(error) => write!(f, "{error}"),
            Self::CycleOrder { previous, actual } => {
                write!(f, "cycle {actual} follows cycle {previous}")
            }
            Self::TimeOrder {
                previous_s,
                actual_s,
            } => write!(f, "time {actual_s} s follows {previous_s} s"),
            Self::Uneven {
                period_s,
                actual_s,
                cycles,
                ..
            } => {
                write!(
                    f,
                    "a step of {actual_s} s where the period is {period_s} s (10 % are allowed)"
                )?;
                // A thousand missing rows are a gap, and a step of a thousand periods from the first row on is a unit.
                let ratio = actual_s / period_s;
                if (900.0..=1100.0).contains(&ratio) {
                    write!(f, ": a thousand times that, is the column in milliseconds?")?;
                } else if (0.9e-3..=1.1e-3).contains(&ratio) {
                    write!(
                        f,
                        ": a thousandth of that, is the column in seconds and the configuration in milliseconds?"
                    )?;
                } else if *cycles > 1 {
                    write!(f, ": about {} rows are missing", cycles - 1)?;
                }
                Ok(())
            }
            Self::GapTooLong { actual } => write!(
                f,
                "{actual} cycles are missing, at most {MAX_GAP_CYCLES} are bridged"
            ),
            Self::TooLarge => write!(
                f,
                "the recording has more than {MAX_ROWS} rows or takes more than {} GiB",
                MAX_BYTES >> 30
            ),
            Self::OverBound { max_bytes } => write!(
                f,
                "its cycles take more than {} MiB of memory, which is the most for a recording that nobody has named",
                max_bytes >> 20
            ),
            Self::NotOurs => write!(f, "this is no recording of twinstep"),
            Self::Container(what) => write!(f, "this MCAP file cannot be read: {what}"),
            Self::ImageSize => write!(f, "the process image has another size than the machine's"),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, names: &[String]) -> fmt::Result {
    for (number, name) in names.iter().take(MAX_LISTED).enumerate() {
        let comma = if number == 0 { "" } else { ", " };
        write!(f, "{comma}`{}`", shown(name))?;
    }
    match names.len().checked_sub(MAX_LISTED) {
        Some(more) if more > 0 => write!(f, " and {more} more"),
        _ => Ok(()),
    }
}

/// A piece of the file that is safe to print: short and without control characters.
fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(MAX_SHOWN)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(MAX_SHOWN).is_some() {
        shown.push('…');
    }
    shown
}
