//! What a command may fail with, how it is shown, and the exit code that results.

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, Report};
use std::fmt;

/// Exit codes of every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All is well.
    Fine = 0,
    /// The machine or its bus failed.
    MachineFailed = 1,
    /// The configuration or the arguments are wrong.
    Usage = 2,
    /// Deviations were found by a command that was asked to judge.
    Deviations = 3,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A failure that ends the command.
#[derive(Debug)]
pub enum HostError {
    /// Configuration, arguments or files given by the user are wrong: exit code 2.
    Usage(Report),
    /// The machine, its bus or this computer failed while running: exit code 1.
    Machine(Report),
}

/// A failure in one sentence, with its remedy.
#[derive(Debug)]
struct Problem {
    message: String,
    remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        (!self.remedy.is_empty()).then(|| Box::new(&self.remedy) as Box<dyn fmt::Display>)
    }
}

impl HostError {
    /// The user's input is wrong: what is, and what to do about it.
    pub fn usage(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Usage(Report::new(Problem {
            message: message.into(),
            remedy: remedy.into(),
        }))
    }

    /// The machine or the computer failed: what did, and what to do about it.
    pub fn machine(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Machine(Report::new(Problem {
            message: message.into(),
            remedy: remedy.into(),
        }))
    }

    /// Wraps a diagnostic about the user's input, such as an error in a configuration.
    pub fn from_usage(error: impl Diagnostic + Send + Sync + 'static) -> Self {
        Self::Usage(Report::new(error))
    }

    /// Wraps a diagnostic about the machine.
    pub fn from_machine(error: impl Diagnostic + Send + Sync + 'static) -> Self {
        Self::Machine(Report::new(error))
    }

    /// The exit code that it leads to.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Machine(_) => Exit::MachineFailed,
        }
    }

    /// The same, of one of several buses: its name stands in front.
    pub fn of(self, bus: &str) -> Self {
        let (Self::Usage(report) | Self::Machine(report)) = &self;
        let remedy = report
            .help()
            .map(|help| help.to_string())
            .unwrap_or_default();
        let message = format!("bus {bus}: {report}");
        match self {
            Self::Usage(_) => Self::usage(message, remedy),
            Self::Machine(_) => Self::machine(message, remedy),
        }
    }

    /// The sentence and its remedy in one line, for where there is no room for more.
    pub fn in_a_line(&self) -> String {
        let (Self::Usage(report) | Self::Machine(report)) = self;
        match report.help() {
            Some(remedy) => format!("{report}; {remedy}"),
            None => report.to_string(),
        }
    }

    /// The text for the user: drawn with colours and lines on a terminal, plain ASCII elsewhere.
    pub fn render(&self, terminal: bool) -> String {
        let theme = if terminal {
            GraphicalTheme::unicode()
        } else {
            GraphicalTheme::none()
        };
        let (Self::Usage(report) | Self::Machine(report)) = self;
        let mut text = String::new();
        let handler = GraphicalReportHandler::new_themed(theme).with_width(100);
        if handler.render_report(&mut text, report.as_ref()).is_err() {
            // The picture is a luxury, the sentence is not.
            text = format!("error: {report}\n");
        }
        text
    }
}

/// Reads a text file that the user named.
///
/// # Errors
/// [`HostError::Usage`] naming the path and the remedy.
pub fn read_text(path: &std::path::Path, what: &str) -> Result<String, HostError> {
    std::fs::read_to_string(path).map_err(|error| {
        let remedy = match error.kind() {
            std::io::ErrorKind::NotFound => {
                "check the path; it is taken relative to the current folder"
            }
            std::io::ErrorKind::PermissionDenied => "give this user read permission on it",
            std::io::ErrorKind::InvalidData => "the file must be UTF-8 text",
            std::io::ErrorKind::IsADirectory => "name a file, not a folder",
            _ => "check that the file can be read",
        };
        HostError::usage(
            format!("cannot read the {what} {}: {error}", path.display()),
            remedy,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_the_documented_ones() {
        assert_eq!(Exit::Fine as u8, 0);
        assert_eq!(HostError::machine("bus", "").exit() as u8, 1);
        assert_eq!(HostError::usage("argument", "").exit() as u8, 2);
        assert_eq!(Exit::Deviations as u8, 3);
    }

    #[test]
    fn plain_text_carries_message_and_remedy_without_escapes() {
        let text =
            HostError::usage("no such interface: eth9", "list them with `ip link`").render(false);
        assert!(text.contains("no such interface: eth9"), "{text}");
        assert!(text.contains("list them with `ip link`"), "{text}");
        assert!(text.is_ascii(), "{text}");
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn one_line_holds_message_and_remedy() {
        let error = HostError::machine("nobody answers", "start it");
        assert_eq!(error.in_a_line(), "nobody answers; start it");
        assert_eq!(HostError::usage("no", "").in_a_line(), "no");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read_text(
            std::path::Path::new("/nonexistent/cell.toml"),
            "configuration",
        )
        .unwrap_err();
        assert_eq!(error.exit(), Exit::Usage);
        assert!(error.render(false).contains("/nonexistent/cell.toml"));
    }
}
