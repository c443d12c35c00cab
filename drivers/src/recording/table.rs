//! CSV, line by line, with the number of every line.
//!
//! Commas separate cells; a cell may be quoted, but a line break inside quotes is refused. A byte order mark, carriage
//! returns, blank lines and blanks around cells are tolerated. The last line must end with a line break: without one
//! nobody can tell a complete number from half of one.

use super::error::{Problem, RecordingError};
use super::{MAX_LINE_BYTES, MAX_ROWS};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A table, open and at some line.
pub(super) struct Table {
    path: PathBuf,
    reader: BufReader<File>,
    header: Vec<String>,
    line: Vec<u8>,
    cells: Vec<Range<usize>>,
    number: u64,
    rows: usize,
}

impl Table {
    /// Opens a file and reads its header.
    pub(super) fn open(path: &Path) -> Result<Self, RecordingError> {
        let io = |error| RecordingError::new(path, Problem::Io(error));
        // Looked at before opening: a named pipe without a writer would block for ever.
        let metadata = std::fs::metadata(path).map_err(io)?;
        if metadata.is_dir() {
            return Err(RecordingError::new(path, Problem::Directory));
        }
        if metadata.is_file() && metadata.len() == 0 {
            return Err(RecordingError::new(path, Problem::Empty));
        }
        let file = File::open(path).map_err(io)?;
        let mut table = Self {
            path: path.to_owned(),
            reader: BufReader::with_capacity(1 << 16, file),
            header: Vec::new(),
            line: Vec::new(),
            cells: Vec::new(),
            number: 0,
            rows: 0,
        };
        if !table.read_line()? {
            return Err(table.error(Problem::Empty));
        }
        if let Some(rest) = table.line.strip_prefix(b"\xef\xbb\xbf") {
            table.line = rest.to_vec();
        }
        let text = match std::str::from_utf8(&table.line) {
            Ok(text) if !text.chars().any(|c| c.is_control() && c != '\t') => text,
            _ => return Err(table.error(Problem::NotText)),
        };
        if !split(text.as_bytes(), &mut table.cells) {
            return Err(table.error(Problem::OpenQuote));
        }
        table.header = table
            .cells
            .iter()
            .map(|range| text.get(range.clone()).unwrap_or("").replace("\"\"", "\""))
            .collect();
        Ok(table)
    }

    /// The columns' names.
    pub(super) fn header(&self) -> &[String] {
        &self.header
    }

    /// Moves to the next row; false at the end.
    pub(super) fn next_row(&mut self) -> Result<bool, RecordingError> {
        if !self.read_line()? {
            if self.rows == 0 {
                return Err(self.error(Problem::NoRows));
            }
            return Ok(false);
        }
        self.rows += 1;
        if self.rows > MAX_ROWS {
            return Err(self.error(Problem::TooLarge));
        }
        if !split(&self.line, &mut self.cells) {
            return Err(self.error(Problem::OpenQuote));
        }
        if self.cells.len() != self.header.len() {
            return Err(self.error(Problem::Cells {
                expected: self.header.len(),
                actual: self.cells.len(),
            }));
        }
        Ok(true)
    }

    /// A cell of the row, without blanks and quotes.
    pub(super) fn cell(&self, column: usize) -> &[u8] {
        self.cells
            .get(column)
            .and_then(|range| self.line.get(range.clone()))
            .unwrap_or(b"")
    }

    /// An error at this line.
    pub(super) fn error(&self, problem: Problem) -> RecordingError {
        let error = RecordingError::new(&self.path, problem);
        if self.number == 0 {
            error
        } else {
            error.at(self.number)
        }
    }

    /// An error in a cell of this line.
    pub(super) fn cell_error(&self, column: usize, expected: impl Into<String>) -> RecordingError {
        let problem = Problem::Cell {
            expected: expected.into(),
            actual: String::from_utf8_lossy(self.cell(column)).into_owned(),
        };
        self.column_error(column, problem)
    }

    /// An error in a column of this line.
    pub(super) fn column_error(&self, column: usize, problem: Problem) -> RecordingError {
        let name = self.header.get(column).map_or("", String::as_str);
        self.error(problem).column_named(name)
    }

    /// Reads the next line that is not blank, without its line break; false at the end.
    fn read_line(&mut self) -> Result<bool, RecordingError> {
        loop {
            self.line.clear();
            let limit = MAX_LINE_BYTES as u64 + 2;
            let read = Read::take(&mut self.reader, limit)
                .read_until(b'\n', &mut self.line)
                .map_err(|error| RecordingError::new(&self.path, Problem::Io(error)))?;
            if read == 0 {
                return Ok(false);
            }
            self.number += 1;
            let ended = self.line.last() == Some(&b'\n');
            if self.line.len() > MAX_LINE_BYTES {
                return Err(self.error(Problem::LineTooLong));
            }
            let length = self.line.trim_ascii_end().len();
            self.line.truncate(length);
            if self.line.is_empty() {
                continue;
            }
            if !ended && self.number > 1 {
                return Err(self.error(Problem::Truncated));
            }
            return Ok(true);
        }
    }
}

/// Cuts a line into cells; false where a quotation mark is not closed.
fn split(line: &[u8], cells: &mut Vec<Range<usize>>) -> bool {
    cells.clear();
    let mut start = 0;
    let mut quoted = false;
    for (position, &byte) in line.iter().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                cells.push(trim(line, start..position));
                start = position + 1;
            }
            _ => {}
        }
    }
    cells.push(trim(line, start..line.len()));
    !quoted
}

/// Takes blanks and one pair of quotation marks off a cell.
fn trim(line: &[u8], range: Range<usize>) -> Range<usize> {
    let bare = strip(line, range);
    let cell = line.get(bare.clone()).unwrap_or(b"");
    if cell.len() >= 2 && cell.first() == Some(&b'"') && cell.last() == Some(&b'"') {
        strip(line, bare.start + 1..bare.end - 1)
    } else {
        bare
    }
}

fn strip(line: &[u8], range: Range<usize>) -> Range<usize> {
    let cell = line.get(range.clone()).unwrap_or(b"");
    let start = range.start + (cell.len() - cell.trim_ascii_start().len());
    let end = start + cell.trim_ascii().len();
    start..end
}

/// A decimal integer with nothing around it.
pub(super) fn integer(cell: &[u8]) -> Option<i64> {
    let (negative, digits) = match cell.split_first() {
        Some((b'-', rest)) => (true, rest),
        _ => (false, cell),
    };
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_i64, |value, digit| {
        if !digit.is_ascii_digit() {
            return None;
        }
        let digit = i64::from(digit - b'0');
        let value = value.checked_mul(10)?;
        if negative {
            value.checked_sub(digit)
        } else {
            value.checked_add(digit)
        }
    })
}

/// A decimal integer from 0 on.
pub(super) fn unsigned(cell: &[u8]) -> Option<u64> {
    if cell.is_empty() {
        return None;
    }
    cell.iter().try_fold(0_u64, |value, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

/// A number; NaN for an empty cell and for everything that tools write where a value is missing; none for other text.
pub(super) fn number(cell: &[u8]) -> Option<f64> {
    const MISSING: [&str; 6] = ["", "na", "n/a", "null", "none", "-"];
    let text = std::str::from_utf8(cell).ok()?;
    if MISSING
        .iter()
        .any(|missing| text.eq_ignore_ascii_case(missing))
    {
        return Some(f64::NAN);
    }
    // One bit pattern for all that is not finite, so that a replay does not depend on how a tool writes it.
    let value: f64 = text.parse().ok()?;
    Some(if value.is_finite() { value } else { f64::NAN })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(integer(b"-2147483648"), Some(-2_147_483_648));
        assert_eq!(integer(b"-9223372036854775808"), Some(i64::MIN));
        for bad in [
            &b""[..],
            b"-",
            b"+1",
            b"1.0",
            b"0x1",
            b"9223372036854775808",
        ] {
            assert_eq!(integer(bad), None);
        }
        assert_eq!(unsigned(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(unsigned(b"18446744073709551616"), None);
        assert_eq!(unsigned(b""), None);
        assert_eq!(number(b"-1.5e-3"), Some(-0.0015));
        assert_eq!(number(b"1,5"), None);
        for missing in [&b""[..], b"NaN", b"inf", b"-Infinity", b"NULL", b"1e999"] {
            assert!(number(missing).is_some_and(f64::is_nan));
        }
    }

    #[test]
    fn cells() {
        let mut cells = Vec::new();
        let line = b" a ,\"b, c\" , ,\"\",d";
        assert!(split(line, &mut cells));
        let text: Vec<&[u8]> = cells.iter().map(|range| &line[range.clone()]).collect();
        assert_eq!(text, [&b"a"[..], b"b, c", b"", b"", b"d"]);
        assert!(!split(b"a,\"b", &mut cells));
        assert!(split(b"", &mut cells));
        assert_eq!(cells.len(), 1);
    }
}
