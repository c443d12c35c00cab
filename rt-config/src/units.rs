//! Units in configuration values: `"10mm"`, `"0.7N m/A"`, `"30days"`.
//!
//! A quantity is a decimal number and a unit of the dimension that the key asks for. Powers of ten are
//! applied to the decimal text before it is parsed, so `"50um"` is the very number that `50e-6` is.

mod rotary;
mod table;

pub use rotary::*;
pub use table::*;

use std::fmt;

/// One unit of a dimension: the value in SI is `number * 10^pow10 * mul / div`.
#[derive(Debug, PartialEq)]
pub struct Unit {
    /// As people write it; white space, `*`, `·` and `^` are ignored when read.
    pub name: &'static str,
    /// Power of ten to the SI unit.
    pub pow10: i32,
    /// Factor to the SI unit beside the power of ten.
    pub mul: f64,
    /// Divisor to the SI unit beside the power of ten.
    pub div: f64,
}

/// What a key measures, and the units it may be written in. The first unit is the SI unit.
#[derive(Debug, PartialEq)]
pub struct Dimension {
    /// In words: "a length".
    pub name: &'static str,
    /// A value as it may be written.
    pub example: &'static str,
    /// Allowed units, SI first. A dimensionless quantity has the empty unit first.
    pub units: &'static [Unit],
}

impl Dimension {
    /// Name of the SI unit; empty for a dimensionless quantity.
    pub fn si(&self) -> &'static str {
        self.units.first().map_or("", |unit| unit.name)
    }

    /// True when plain numbers are accepted.
    pub fn is_number(&self) -> bool {
        self.si().is_empty()
    }

    /// The allowed units as a list for messages: `m, mm, um`.
    pub fn allowed(&self) -> String {
        let names: Vec<&str> = self
            .units
            .iter()
            .map(|unit| unit.name)
            .filter(|name| !name.is_empty())
            .collect();
        names.join(", ")
    }

    /// The unit that is written as `text`.
    pub fn unit(&self, text: &str) -> Option<&'static Unit> {
        let wanted = normal(text);
        self.units.iter().find(|unit| normal(unit.name) == wanted)
    }

    /// Reads `text` as a quantity of this dimension in SI.
    ///
    /// # Errors
    /// When it has no number, no unit or the wrong one, or is beyond the range of numbers.
    pub fn parse(&self, text: &str) -> Result<f64, UnitError> {
        self.parse_scaled(text, 0)
    }

    /// As [`Self::parse`], times `10^pow10`: whole nanoseconds out of seconds without rounding on the way.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_scaled(&self, text: &str, pow10: i32) -> Result<f64, UnitError> {
        let (number, unit_text) = split(text).ok_or(UnitError::NoNumber)?;
        let Some(unit) = self.unit(unit_text) else {
            return Err(if unit_text.trim().is_empty() {
                UnitError::NoUnit
            } else {
                UnitError::WrongUnit(unit_text.trim().to_owned())
            });
        };
        let value = number.times_ten_to(unit.pow10 + pow10) * unit.mul / unit.div;
        if value.is_finite() {
            Ok(value)
        } else {
            Err(UnitError::TooLarge)
        }
    }
}

/// Why a text is no quantity of the dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnitError {
    /// It does not begin with a decimal number.
    NoNumber,
    /// A unit is needed and missing.
    NoUnit,
    /// The unit is none of this dimension.
    WrongUnit(String),
    /// The value is beyond the range of numbers.
    TooLarge,
}

impl fmt::Display for UnitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNumber => f.write_str("it does not begin with a number"),
            Self::NoUnit => f.write_str("it has no unit"),
            Self::WrongUnit(unit) => write!(f, "`{unit}` is not a unit of it"),
            Self::TooLarge => f.write_str("it is too large"),
        }
    }
}

/// A decimal number as it was written.
struct Decimal<'a> {
    mantissa: &'a str,
    exponent: i32,
}

impl Decimal<'_> {
    /// Its value times a power of ten, rounded once.
    fn times_ten_to(&self, pow10: i32) -> f64 {
        let text = format!("{}e{}", self.mantissa, self.exponent.saturating_add(pow10));
        // `split` let only digits, a sign and one point through, which always parse; NaN is refused by the caller.
        text.parse().unwrap_or(f64::NAN)
    }
}

/// Splits `"-1.5e3 mm"` into number and unit; none if it does not begin with a number.
fn split(text: &str) -> Option<(Decimal<'_>, &str)> {
    let text = text.trim();
    let bytes = text.as_bytes();
    let digits = |from: usize| {
        bytes
            .iter()
            .skip(from)
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    };
    let mut at = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let whole = digits(at);
    at += whole;
    if bytes.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if fraction == 0 {
            return None;
        }
        at += 1 + fraction;
    } else if whole == 0 {
        return None;
    }
    let mantissa = text.get(..at)?;
    let mut exponent = 0;
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let count = digits(at + 1 + sign);
        if count > 0 {
            let end = at + 1 + sign + count;
            // Four digits are beyond any f64 already.
            exponent = text
                .get(at + 1..end)?
                .parse::<i32>()
                .ok()
                .filter(|exponent| exponent.abs() < 10_000)?;
            at = end;
        }
    }
    Some((Decimal { mantissa, exponent }, text.get(at..)?))
}

/// A unit's spelling without what people write differently.
fn normal(unit: &str) -> String {
    unit.chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '*' | '·' | '⋅' | '^'))
        .map(|c| match c {
            'µ' | 'μ' => 'u',
            '²' => '2',
            '³' => '3',
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests;
