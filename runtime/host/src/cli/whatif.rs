//! Arguments of `whatif`.

use clap::Args;
use std::path::PathBuf;

/// Arguments of `whatif`.
#[derive(Args, Clone, Debug)]
pub struct WhatifArgs {
    /// The machine, with its calibrated twins
    #[arg(value_name = "CONFIG")]
    pub config: PathBuf,

    /// What is otherwise: a value (carriage.velocity=1.2m/s), a factor (carriage.velocity=x1.2) or a difference
    /// (carriage.mass=+15kg); '*.velocity=x1.2' for all axes, period=2ms for the machine (may be repeated)
    #[arg(long, value_name = "AXIS.KEY=VALUE")]
    pub set: Vec<String>,

    /// Time that is looked at, after a first round; one round of each axis' program unless given
    #[arg(long = "for", value_name = "TIME", conflicts_with = "recording")]
    pub time: Option<String>,

    /// Way around a target within which an axis has settled: a length, or an angle; um are urad of a rotary axis
    #[arg(long, value_name = "LENGTH", default_value = "50um")]
    pub band: String,

    /// Targets of a recording instead of the program's, and what it holds in a column of its own
    #[arg(long, value_name = "FILE")]
    pub recording: Option<PathBuf>,

    /// Which of several buses
    #[arg(long, value_name = "NAME")]
    pub bus: Option<String>,

    /// Write a page with positions, following errors and currents
    #[arg(long, value_name = "FILE.html")]
    pub plot: Option<PathBuf>,

    /// Exit with 3 when an axis reaches its current limit or needs more than its rated current
    #[arg(long)]
    pub judge: bool,

    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}
