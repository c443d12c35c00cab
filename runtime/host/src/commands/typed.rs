//! Lines that somebody types or pipes into a running command: of bounded length, and never the end of it because of what they hold.

use std::io::{self, BufRead, Read};

/// Longest line (bytes).
pub const MOST_BYTES: usize = 4096;

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub enum Typed {
    /// A line without its end. Bytes that are no UTF-8 are replaced.
    Line(String),
    /// A line of more than [`MOST_BYTES`], which was left out.
    TooLong,
}

/// The next line of `input`; none at its end.
///
/// # Errors
/// Those of `input`.
pub fn next_line(input: &mut impl BufRead) -> io::Result<Option<Typed>> {
    let mut line = Vec::new();
    let most = MOST_BYTES as u64 + 1;
    if input.by_ref().take(most).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() > MOST_BYTES {
        input.skip_until(b'\n')?;
        return Ok(Some(Typed::TooLong));
    }
    Ok(Some(Typed::Line(
        String::from_utf8_lossy(&line).into_owned(),
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Vec<Typed> {
        let mut input = bytes;
        core::iter::from_fn(|| next_line(&mut input).unwrap()).collect()
    }

    fn line(text: &str) -> Typed {
        Typed::Line(text.into())
    }

    #[test]
    fn lines_come_one_by_one_and_the_last_needs_no_end() {
        assert_eq!(all(b""), []);
        assert_eq!(all(b"a\n\nb"), [line("a"), line(""), line("b")]);
    }

    #[test]
    fn what_is_no_text_is_a_line_too() {
        assert_eq!(all(b"a\xff\nb\n"), [line("a\u{fffd}"), line("b")]);
    }

    #[test]
    fn a_line_that_is_too_long_is_left_out_and_the_next_one_is_not() {
        for (length, whole) in [
            (MOST_BYTES, true),
            (MOST_BYTES + 1, false),
            (1 << 20, false),
        ] {
            let mut text = "x".repeat(length).into_bytes();
            let first = if whole {
                line(&"x".repeat(length))
            } else {
                Typed::TooLong
            };
            text.extend_from_slice(b"\nnext\n");
            assert_eq!(all(&text), [first, line("next")], "{length}");
        }
        assert_eq!(all(&[b'x'; MOST_BYTES + 7]), [Typed::TooLong]);
    }
}
