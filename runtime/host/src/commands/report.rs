//! `twinstep report`: the page of one event.

use crate::error::{Exit, HostError};
use crate::output::Output;
use crate::record::args::ReportArgs;
use crate::{report, store};
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What was written.
#[derive(Debug, Serialize)]
struct ReportLine {
    #[serde(rename = "type")]
    kind: &'static str,
    seq: u64,
    file: String,
    /// Where the curves come from; `null` where there are none.
    recording: Option<PathBuf>,
    /// What is missing on the page.
    missing: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// [`HostError::Usage`] where there is no such event, a recording that was named cannot be read, or the page not be written.
pub fn run(args: &ReportArgs, output: &Output) -> Result<Exit, HostError> {
    let folder = store::folder(args.state.as_deref())?;
    let (book, recording) = (args.book.as_deref(), args.recording.as_deref());
    let made = report::make(&folder, book, args.seq, recording)?;
    let file = (args.out.clone()).unwrap_or_else(|| format!("event-{}.html", args.seq).into());
    write(&file, &made.html).map_err(|error| {
        HostError::usage(
            format!("cannot write {}: {error}", file.display()),
            "name another file with --out",
        )
    })?;
    let line = ReportLine {
        kind: "report",
        seq: args.seq,
        file: file.display().to_string(),
        recording: made.recording,
        missing: made.missing,
    };
    if output.json() {
        output.json_line(&line);
    } else {
        line.missing.iter().for_each(|why| output.note(why));
        output.line(&line.file);
    }
    Ok(Exit::Fine)
}

/// Puts the whole page in place of what is there, or nothing.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    file.persist(path)?;
    Ok(())
}
