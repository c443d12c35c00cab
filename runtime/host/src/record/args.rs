//! Arguments of commands that read recordings.

use clap::Args;
use std::path::PathBuf;

/// Arguments of `export`.
#[derive(Args, Clone, Debug)]
pub struct ExportArgs {
    /// The recording: MCAP
    #[arg(value_name = "FILE.mcap")]
    pub recording: PathBuf,

    /// Write its cycles as CSV, raw integers, in the form that `replay` and `calibrate` take
    #[arg(long, value_name = "FILE.csv", required = true)]
    pub csv: PathBuf,

    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}
