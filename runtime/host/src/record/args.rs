//! Arguments of commands that read recordings.

use super::window::Moment;
use clap::Args;
use std::path::PathBuf;

/// Arguments of `report`.
#[derive(Args, Clone, Debug)]
pub struct ReportArgs {
    /// Number of the event
    #[arg(value_name = "SEQ", value_parser = clap::value_parser!(u64).range(1..))]
    pub seq: u64,

    /// Folder of the event store
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,

    /// Folder of the gateway's book, which has what people did; that of the store unless given
    #[arg(long, value_name = "DIR")]
    pub book: Option<PathBuf>,

    /// A recording that holds the event, instead of the one that the run left of it (DIR/events/SEQ.mcap)
    #[arg(long, value_name = "FILE.mcap")]
    pub recording: Option<PathBuf>,

    /// The page; event-SEQ.html in this folder unless given
    #[arg(long, value_name = "FILE.html")]
    pub out: Option<PathBuf>,

    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `export`.
#[derive(Args, Clone, Debug)]
pub struct ExportArgs {
    /// The recording: MCAP
    #[arg(value_name = "FILE.mcap")]
    pub recording: PathBuf,

    /// Write its cycles as CSV, raw integers, in the form that `replay` and `calibrate` take
    #[arg(long, value_name = "FILE.csv", required_unless_present = "parquet")]
    pub csv: Option<PathBuf>,

    /// The same as Parquet, typed (in releases, and where it is built with the feature `parquet`)
    #[arg(long, value_name = "FILE.parquet")]
    pub parquet: Option<PathBuf>,

    /// Only cycles from then on: a time of day (2026-11-29T07:10:22Z), or seconds since the first cycle of the recording (12.5)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub from: Option<Moment>,

    /// Only cycles before then, given in the same way
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub to: Option<Moment>,

    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}
