//! What is wrong with a parameter: which one, what it is, and what it may be.

use core::fmt;

/// A parameter outside of its allowed range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ParamError {
    /// Name of the parameter with its unit as the last word.
    pub name: &'static str,
    /// The value that came.
    pub value: f64,
    /// Smallest allowed value.
    pub low: f64,
    /// Largest allowed value.
    pub high: f64,
    /// Why, or what to do.
    pub hint: &'static str,
}

impl fmt::Display for ParamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            value,
            low,
            high,
            hint,
        } = self;
        write!(f, "{name} is {value}, expected {low} to {high}: {hint}")
    }
}

impl core::error::Error for ParamError {}

/// Fails unless `low <= value <= high`; NaN fails.
pub fn within(
    name: &'static str,
    value: f64,
    low: f64,
    high: f64,
    hint: &'static str,
) -> Result<(), ParamError> {
    if value >= low && value <= high {
        Ok(())
    } else {
        Err(ParamError {
            name,
            value,
            low,
            high,
            hint,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_which_value_and_range() {
        let error = within("lead_m", -1.0, 1e-4, 0.2, "metres per revolution").unwrap_err();
        let text = std::format!("{error}");
        assert_eq!(
            text,
            "lead_m is -1, expected 0.0001 to 0.2: metres per revolution"
        );
    }

    #[test]
    fn nan_is_out_of_every_range() {
        assert!(within("x", f64::NAN, f64::MIN, f64::MAX, "").is_err());
        assert!(within("x", 1.0, 1.0, 1.0, "").is_ok());
    }
}
