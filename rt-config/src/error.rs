//! What is wrong with a configuration, where, and what to do about it.

use crate::value::Span;
use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode, SourceOffset, SourceSpan};
use std::fmt;

/// Problems reported at once; the rest is counted.
pub const MAX_PROBLEMS: usize = 20;

/// One problem at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What was expected and what came.
    pub message: String,
    /// What stands at the place.
    pub label: String,
    /// What to do.
    pub help: String,
    /// Place in the text: first byte and length.
    pub at: (usize, usize),
}

impl Problem {
    pub(crate) fn new(
        span: &Span,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            message: message.into(),
            label: label.into(),
            help: help.into(),
            at: (span.start, span.end.saturating_sub(span.start)),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new("configuration"))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        (!self.help.is_empty()).then(|| Box::new(&self.help) as Box<dyn fmt::Display>)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = SourceSpan::new(SourceOffset::from(self.at.0), self.at.1);
        let label = (!self.label.is_empty()).then(|| self.label.clone());
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(
            label, span,
        ))))
    }
}

/// A configuration that is no machine: at least one problem, in the order of the text.
#[derive(Clone, Debug)]
pub struct ConfigError {
    source: NamedSource<String>,
    // Boxed to keep the error small beside the machine it stands for.
    first: Box<Problem>,
    others: Vec<Problem>,
    /// Problems beyond [`MAX_PROBLEMS`].
    untold: usize,
}

impl ConfigError {
    /// Gathers problems; none if there are none.
    pub(crate) fn from_problems(
        text: &str,
        name: &str,
        mut problems: Vec<Problem>,
    ) -> Option<Self> {
        problems.sort_by_key(|problem| problem.at);
        for problem in &mut problems {
            problem.at = clamped(text, problem.at);
        }
        let untold = problems.len().saturating_sub(MAX_PROBLEMS);
        problems.truncate(MAX_PROBLEMS);
        let mut problems = problems.into_iter();
        let first = Box::new(problems.next()?);
        Some(Self {
            source: NamedSource::new(name, text.to_owned()),
            first,
            others: problems.collect(),
            untold,
        })
    }

    pub(crate) fn one(text: &str, name: &str, problem: Problem) -> Self {
        Self {
            first: Box::new(Problem {
                at: clamped(text, problem.at),
                ..problem
            }),
            source: NamedSource::new(name, text.to_owned()),
            others: Vec::new(),
            untold: 0,
        }
    }

    /// All problems in the order of the text, at most [`MAX_PROBLEMS`].
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        std::iter::once(&*self.first).chain(&self.others)
    }

    /// Line and column of a place in the text, both from 1, the column in characters.
    pub fn line_and_column(&self, at: usize) -> (usize, usize) {
        let before = self.source.inner().get(..at).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default();
        (line, column.chars().count() + 1)
    }

    /// One line a problem, `name:line:column: message; help`, for logs and `--json`.
    pub fn plain(&self) -> String {
        let mut out = String::new();
        for problem in self.problems() {
            let (line, column) = self.line_and_column(problem.at.0);
            let name = self.source.name();
            if !out.is_empty() {
                out.push('\n');
            }
            out.push_str(&format!("{name}:{line}:{column}: {}", problem.message));
            if !problem.help.is_empty() {
                out.push_str(&format!("; {}", problem.help));
            }
        }
        if self.untold > 0 {
            out.push_str(&format!(
                "\n{}: and {} more",
                self.source.name(),
                self.untold
            ));
        }
        out
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.first.message)?;
        match self.others.len() + self.untold {
            0 => Ok(()),
            1 => f.write_str(" (and 1 more)"),
            more => write!(f, " (and {more} more)"),
        }
    }
}

impl std::error::Error for ConfigError {}

impl Diagnostic for ConfigError {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.first.code()
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.first.help()
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.first.labels()
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        (!self.others.is_empty()).then(|| {
            Box::new(self.others.iter().map(|problem| problem as &dyn Diagnostic))
                as Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>
        })
    }
}

/// Keeps a place inside the text and on character boundaries, and a place of several lines on its first.
fn clamped(text: &str, (start, length): (usize, usize)) -> (usize, usize) {
    let mut from = start.min(text.len());
    while !text.is_char_boundary(from) {
        from -= 1;
    }
    let mut to = from.saturating_add(length).min(text.len());
    while !text.is_char_boundary(to) {
        to -= 1;
    }
    let part = text.get(from..to).unwrap_or_default();
    let line = part.find('\n').map_or(part, |end| &part[..end]);
    (from, line.trim_end().len())
}

/// Turns what the TOML reader says into a problem of ours.
pub(crate) fn from_toml(text: &str, error: &toml::de::Error) -> Problem {
    let span = error.span().unwrap_or(0..0);
    let message = error.message();
    if let Some((key, allowed)) = unknown_field(message) {
        let help = match closest(key, &allowed) {
            Some(near) => format!(
                "did you mean `{near}`? Allowed here: {}",
                allowed.join(", ")
            ),
            None => format!("allowed here: {}", allowed.join(", ")),
        };
        let key = shortened(key);
        return Problem::new(
            &span,
            format!("`{key}` is not a key of this table"),
            "unknown key",
            help,
        );
    }
    if let Some(key) = message
        .strip_prefix("missing field `")
        .and_then(|rest| rest.strip_suffix('`'))
    {
        let table = text
            .get(span.clone())
            .and_then(|part| part.lines().next())
            .filter(|line| line.starts_with('['))
            .unwrap_or("this table");
        return Problem::new(
            &span,
            format!("{table} needs the key `{key}`"),
            format!("`{key}` is missing"),
            format!("add `{key} = ...` to {table}; `twinstep check --schema` describes every key"),
        );
    }
    let message = message.lines().collect::<Vec<_>>().join("; ");
    let message = in_words(&message);
    let help = if message.contains("must be quoted") {
        "write text in quotes, quantities too: period = \"1ms\""
    } else if message.starts_with("invalid ") {
        "`twinstep check --schema` describes every key"
    } else {
        "mend the TOML here; tables are [name] or [[name]], values key = \"text\", a number, true, false or a list"
    };
    Problem::new(&span, message, "here", help)
}

/// The reader's names of types in words that the file's author knows.
fn in_words(message: &str) -> String {
    [
        ("invalid type: sequence", "invalid type: list"),
        ("invalid type: map", "invalid type: table"),
        ("expected a sequence", "expected a list"),
        ("expected a map", "expected a table"),
        ("expected u16", "expected a whole number from 0 to 65535"),
        (
            "expected u32",
            "expected a whole number from 0 to 0xFFFFFFFF",
        ),
        ("expected u64", "expected a whole number, 0 or more"),
        ("expected i64", "expected a whole number"),
    ]
    .iter()
    .fold(message.to_owned(), |text, (from, to)| {
        text.replace(from, to)
    })
}

/// Takes "unknown field `x`, expected one of `a`, `b`" apart.
fn unknown_field(message: &str) -> Option<(&str, Vec<&str>)> {
    let rest = message.strip_prefix("unknown field `")?;
    let (key, rest) = rest.split_once("`, ")?;
    let allowed = rest.split('`').skip(1).step_by(2).collect();
    Some((key, allowed))
}

/// The candidate that `text` most probably was meant to be.
pub(crate) fn closest<'a>(text: &str, candidates: &[&'a str]) -> Option<&'a str> {
    // Long texts are no typing errors, and the distance costs their product.
    if text.len() > 64 {
        return None;
    }
    candidates
        .iter()
        .map(|candidate| (distance(text, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance: insertions, deletions and replacements of characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut before = i + 1;
        for (slot, right) in row.iter_mut().skip(1).zip(&b) {
            let cost = (diagonal + usize::from(left != *right))
                .min(*slot + 1)
                .min(before + 1);
            diagonal = *slot;
            *slot = cost;
            before = cost;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

/// Text from a file for a message: no control characters, at most 60 characters.
pub(crate) fn shortened(text: &str) -> String {
    let mut short: String = text
        .chars()
        .take(60)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(60).is_some() {
        short.push_str("...");
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_is_levenshteins() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("lead", "lead"), 0);
    }

    #[test]
    fn only_near_names_are_proposed() {
        assert_eq!(closest("led", &["lead", "plant"]), Some("lead"));
        assert_eq!(closest("zebra", &["lead", "plant"]), None);
    }

    #[test]
    fn places_stay_inside_the_text_and_on_one_line() {
        assert_eq!(clamped("ab\ncd", (0, 5)), (0, 2));
        assert_eq!(clamped("ab", (7, 5)), (2, 0));
        assert_eq!(clamped("µm", (1, 1)), (0, 0));
    }
}
