//! What a benchmark was called for. Cargo and nextest call a binary without a harness with arguments of their own.

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Measure: `cargo bench` passes `--bench`.
    Measure,
    /// A few cycles only, to see that everything still works: called as a test.
    Smoke,
    /// Name the one test there is, for a test runner that asks.
    List,
    /// Count instructions under callgrind: `--instructions`.
    Instructions,
    /// The process that callgrind watches: `--counted`, for internal use.
    Counted,
}

impl Mode {
    /// Reads the arguments, the program's name left out. Unknown ones (filters, formats) are ignored.
    pub fn from_arguments(arguments: impl IntoIterator<Item = String>) -> Self {
        let arguments: Vec<String> = arguments.into_iter().collect();
        let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
        if has("--list") {
            Self::List
        } else if has("--counted") {
            Self::Counted
        } else if has("--instructions") {
            Self::Instructions
        } else if has("--bench") && !has("--test") {
            Self::Measure
        } else {
            Self::Smoke
        }
    }

    /// The same, from the process.
    pub fn from_process() -> Self {
        Self::from_arguments(std::env::args().skip(1))
    }

    /// What a test runner wants to read for [`Mode::List`]. Nothing is ignored, so that list stays empty.
    pub fn list() {
        if !std::env::args().any(|argument| argument == "--ignored") {
            println!("smoke: test");
        }
    }
}

/// Which rows of a table are asked for: `--rows 100,press alone`; all of them without it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows(Option<Vec<String>>);

impl Rows {
    /// Reads the arguments, the program's name left out.
    pub fn from_arguments(arguments: impl IntoIterator<Item = String>) -> Self {
        let mut arguments = arguments.into_iter();
        let found = arguments.by_ref().any(|argument| argument == "--rows");
        // `--rows` with nothing behind it asks for a row without a name, which there is not.
        let names = found.then(|| arguments.next().unwrap_or_default());
        Self(names.map(|names| {
            names
                .split(',')
                .map(|name| name.trim().to_owned())
                .collect()
        }))
    }

    /// The same, from the process.
    pub fn from_process() -> Self {
        Self::from_arguments(std::env::args().skip(1))
    }

    /// Whether the row of this name is asked for.
    pub fn has(&self, name: &str) -> bool {
        (self.0.as_ref()).is_none_or(|names| names.iter().any(|asked| asked == name))
    }

    /// Refuses a name that no row has.
    ///
    /// # Errors
    /// What was asked for and which rows there are, in words.
    pub fn known<'a>(&self, rows: impl IntoIterator<Item = &'a str>) -> Result<(), String> {
        let rows: Vec<&str> = rows.into_iter().collect();
        let unknown = |asked: &&String| !rows.contains(&asked.as_str());
        match self.0.iter().flatten().find(unknown) {
            None => Ok(()),
            Some(asked) => Err(format!(
                "--rows: there is no row \"{asked}\"; give some of: {}",
                rows.join(", ")
            )),
        }
    }

    /// Whether all are asked for.
    pub const fn all(&self) -> bool {
        self.0.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(arguments: &[&str]) -> Mode {
        Mode::from_arguments(arguments.iter().map(|argument| (*argument).to_owned()))
    }

    #[test]
    fn rows_are_named_or_all() {
        let rows = |arguments: &[&str]| {
            Rows::from_arguments(arguments.iter().map(|argument| (*argument).to_owned()))
        };
        assert!(rows(&["--bench"]).all() && rows(&["--bench"]).has("100"));
        let some = rows(&["--bench", "--rows", "100,press alone"]);
        assert!(!some.all() && some.has("100") && some.has("press alone"));
        assert!(!some.has("100 csv"));
    }

    #[test]
    fn a_row_that_there_is_not_is_refused_by_name() {
        let known = |arguments: &[&str]| {
            let rows = arguments.iter().map(|argument| (*argument).to_owned());
            Rows::from_arguments(rows).known(["100", "100 csv"])
        };
        assert_eq!(known(&["--bench"]), Ok(()));
        assert_eq!(known(&["--rows", "100, 100 csv"]), Ok(()));
        let refused = known(&["--bench", "--rows", "100,100 cvs"]).unwrap_err();
        assert!(
            refused.contains("\"100 cvs\"; give some of: 100, 100 csv"),
            "{refused}"
        );
        assert!(known(&["--rows"]).is_err(), "which rows?");
        assert!(known(&["--rows", ""]).is_err());
    }

    #[test]
    fn only_cargo_bench_measures() {
        assert_eq!(mode(&["--bench"]), Mode::Measure);
        assert_eq!(mode(&[]), Mode::Smoke);
        assert_eq!(mode(&["--test", "--bench"]), Mode::Smoke);
        assert_eq!(mode(&["smoke", "--exact", "--nocapture"]), Mode::Smoke);
        assert_eq!(mode(&["--list", "--format", "terse"]), Mode::List);
        assert_eq!(mode(&["--instructions", "--bench"]), Mode::Instructions);
    }
}
