//! What everything that runs the cycle is told.

use crate::record::folder::limit;
use clap::Args;
use std::path::PathBuf;

/// Arguments of everything that runs the cycle.
#[derive(Args, Clone, Debug, Default)]
pub struct CycleArgs {
    /// End after N cycles, counted from the first one in OP
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub cycles: Option<u64>,

    /// Draws noise, parts and start phase of a simulated machine
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,

    /// Draws the simulated machine itself, instead of the configuration's machine_seed
    #[arg(long, value_name = "M")]
    pub machine_seed: Option<u64>,

    /// Virtual time: as fast as the processor allows (simulated machines only)
    #[arg(long)]
    pub fast: bool,

    /// With --fast too, go on from the health of the last run in --state, and keep it for the next one; runs in real time always do
    #[arg(long, requires = "fast")]
    pub keep_health: bool,

    /// A redundant cable from the last SubDevice of the simulated machine back to the computer
    #[arg(long)]
    pub ring: bool,

    /// Record every cycle into a file that `replay` takes: FILE.mcap with all of the run, or FILE.csv; FOLDER/ gets files of an
    /// hour at most, and loses the oldest
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,

    /// Keep no recordings around events, which go into the folder `events` of the event store
    #[arg(long)]
    pub no_event_recordings: bool,

    /// Most that stands in the folder of --record: 500MB, 4GB (4GB unless given)
    #[arg(long, value_name = "SIZE", requires = "record", value_parser = limit)]
    pub record_limit: Option<u64>,

    /// Capture every frame into a pcap file
    #[arg(long, value_name = "FILE")]
    pub pcap: Option<PathBuf>,

    /// Faults to inject, in the syntax of [`twinstep_config::fault`].
    #[arg(
        long,
        value_name = "FAULT",
        help = "Inject a fault, KIND:TARGET[:KEY=VALUE,...][@TIME], such as friction:x:factor=1.2@10s \
                (simulated machines only; may be repeated)"
    )]
    pub inject: Vec<String>,

    /// Folder of the event store
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,

    /// The machine's former name: what stands in the event store under it is this machine's from now on
    #[arg(long, value_name = "NAME")]
    pub was: Option<String>,

    /// Path of the control socket, instead of the usual one (see docs/control.md)
    #[arg(long, value_name = "PATH")]
    pub control: Option<PathBuf>,

    /// Let the members of this group use the control socket too
    #[arg(long, value_name = "GROUP")]
    pub control_group: Option<String>,

    /// One of several buses alone; all of them unless given
    #[arg(long, value_name = "NAME")]
    pub bus: Option<String>,

    /// Exit with 3 when deviations were found
    #[arg(long)]
    pub judge: bool,

    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}
