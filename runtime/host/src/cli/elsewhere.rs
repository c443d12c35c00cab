//! What is taken for an option, and is asked for elsewhere: the error says where.

use super::Cli;
use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::ffi::OsString;

/// Such words, and where what they mean is asked for.
const ELSEWHERE: [(&str, &str); 1] = [(
    "--standstill",
    "standstill is asked for in the configuration: write `standstill = true` under [judge], then run `twinstep calibrate` with --write again; \
     from then on the machine is judged at rest (docs/false-alarms.md, \"At rest\")",
)];

/// Reads a command line, the program's name first.
///
/// # Errors
/// What clap says of it; of a word that means a key of the configuration, where that key stands.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(args).map_err(pointed)
}

fn pointed(mut error: clap::Error) -> clap::Error {
    if error.kind() != ErrorKind::UnknownArgument {
        return error;
    }
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidArg) else {
        return error;
    };
    let Some((_, tip)) = ELSEWHERE.iter().find(|(known, _)| known == word) else {
        return error;
    };
    // An option that is spelt alike is not what was meant, nor how that is used, and neither is a value.
    error.remove(ContextKind::SuggestedArg);
    error.remove(ContextKind::Usage);
    error.insert(
        ContextKind::Suggested,
        ContextValue::StyledStrs(vec![(*tip).into()]),
    );
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> String {
        let words = line.split_whitespace().map(OsString::from);
        let text = parse(words).expect_err(line).to_string();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn standstill_is_pointed_at_where_it_is_asked_for() {
        for line in [
            "twinstep demo --standstill",
            "twinstep demo --standstill=true",
            "twinstep run cell.toml --standstill",
            "twinstep calibrate cell.toml a.mcap --standstill",
        ] {
            let said = said(line);
            assert!(said.contains("'--standstill'"), "{said}");
            assert!(
                said.contains("write `standstill = true` under [judge]"),
                "{said}"
            );
            assert!(
                !said.contains("similar")
                    && !said.contains("as a value")
                    && !said.contains("--state "),
                "{said}"
            );
        }
    }

    #[test]
    fn what_is_misspelt_has_the_tip_of_what_is_spelt_alike() {
        let said = said("twinstep demo --stat x");
        assert!(said.contains("--state"), "{said}");
    }
}
