//! The command line: what can be asked of `twinstep`.

mod cycle;
mod elsewhere;
mod whatif;

pub use cycle::CycleArgs;
pub use elsewhere::parse;
pub use whatif::WhatifArgs;

use crate::gateway::args::{GatewayArgs, TokenArgs};
use crate::record::args::{ExportArgs, ReportArgs};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// A digital twin inside the machine's own cycle.
///
/// Exit codes: 0 fine; 1 the machine or bus failed; 2 the configuration or arguments are wrong;
/// 3 deviations were found with --judge.
#[derive(Clone, Debug, Parser)]
#[command(name = "twinstep", version, about, long_about, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run the simulated press cell with its twins: no root, no hardware
    Demo(DemoArgs),
    /// Run a machine with its twins in the cycle
    Run(RunArgs),
    /// Look at a bus, or at a capture of somebody's: SubDevices, topology, error counters, process data
    Scan(ScanArgs),
    /// Serve the simulated machine to any MainDevice on a network interface
    Sim(SimArgs),
    /// Check a configuration and show what results from it
    Check(CheckArgs),
    /// Feed a recording through the same pipeline
    Replay(ReplayArgs),
    /// Identify the twin's parameters from a commissioning run
    Calibrate(CalibrateArgs),
    /// What would be at other speeds, loads, friction, gains or limits: the program on the twins, before and after
    Whatif(WhatifArgs),
    /// List stored events, or follow them as they are stored
    Events(EventsArgs),
    /// Write a page of one event: curves, cause, timeline, action
    Report(ReportArgs),
    /// Write a recording in a form that other programs read
    Export(ExportArgs),
    /// What a running instance does: durations, budgets, axes, bus
    Status(StatusArgs),
    /// Watch a running instance: durations, axes, histograms, overruns, bus, events; inject and reset by key
    Top(TopArgs),
    /// Show or change the budgets of a running instance, or run a machine and recommend some
    Budget(BudgetArgs),
    /// Inject faults into a running simulated machine
    Inject(InjectArgs),
    /// Forget the statistics of a running instance
    Reset(RunningArgs),
    /// Enable the outputs of a running instance
    Arm(RunningArgs),
    /// Learn anew what is healthy of an axis or press, after a repair
    Baseline(BaselineArgs),
    /// Look at this computer: what keeps the cycle from its time, and what to do about it
    Doctor(DoctorArgs),
    /// Serve people and plant systems from a running instance and its events: the page
    Gateway(GatewayArgs),
    /// Make a token for somebody who may use the gateway
    Token(TokenArgs),
}

impl Command {
    /// Whether the output is one JSON object a line.
    pub const fn json(&self) -> bool {
        match self {
            Self::Demo(DemoArgs { cycle, .. }) | Self::Run(RunArgs { cycle, .. }) => cycle.json,
            Self::Scan(args) => args.json,
            Self::Sim(args) => args.json,
            Self::Check(args) => args.json,
            Self::Replay(args) => args.json,
            Self::Calibrate(args) => args.json,
            Self::Whatif(args) => args.json,
            Self::Events(args) => args.json,
            Self::Export(args) => args.json,
            Self::Report(args) => args.json,
            Self::Status(args) => args.json,
            Self::Top(args) => args.json,
            Self::Budget(args) => args.json,
            Self::Inject(args) => args.running.json,
            Self::Reset(args) | Self::Arm(args) => args.json,
            Self::Baseline(args) => args.running.json,
            Self::Doctor(args) => args.json,
            Self::Gateway(args) => args.json,
            Self::Token(args) => args.json,
        }
    }
}

/// Arguments of `demo`.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// Another simulated machine instead of the built-in press cell
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// No page in the browser; there is none with --fast either
    #[arg(long)]
    pub no_page: bool,

    /// How it runs.
    #[command(flatten)]
    pub cycle: CycleArgs,
}

/// Arguments of `run`.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// The machine
    #[arg(value_name = "CONFIG")]
    pub config: PathBuf,

    /// Network interface of the bus, instead of the configuration's (simulated when neither names one)
    #[arg(long, value_name = "NAME", conflicts_with_all = ["fast", "inject"])]
    pub interface: Option<String>,

    /// Second interface, which a redundant cable from the last SubDevice leads back to
    #[arg(long, value_name = "NAME", conflicts_with_all = ["fast", "inject", "ring"])]
    pub redundant_interface: Option<String>,

    /// Enable the outputs on a real interface; without it, axes stay disabled
    #[arg(long)]
    pub arm: bool,

    /// How it runs.
    #[command(flatten)]
    pub cycle: CycleArgs,
}

/// Arguments of `scan`.
#[derive(Args, Clone, Debug)]
pub struct ScanArgs {
    /// Network interface of the bus, which nobody else runs
    #[arg(long, value_name = "IF", required_unless_present = "capture")]
    pub interface: Option<String>,

    /// A capture instead, pcap or pcapng
    #[arg(long, value_name = "FILE", conflicts_with_all = ["interface", "write"])]
    pub capture: Option<PathBuf>,

    /// Second interface of a bus with a redundant cable
    #[arg(long, value_name = "IF", requires = "interface")]
    pub redundant_interface: Option<String>,

    /// Take SubDevices to PRE-OP and ask by CoE what they map; without it nothing but the EEPROM interface is changed, and the
    /// process data are those of the SII
    #[arg(long, requires = "interface")]
    pub preop: bool,

    /// Write a configuration for what is found; the file must not exist
    #[arg(long, value_name = "FILE")]
    pub write: Option<PathBuf>,

    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `sim`.
#[derive(Args, Clone, Debug)]
pub struct SimArgs {
    /// The machine
    #[arg(value_name = "CONFIG")]
    pub config: PathBuf,

    /// Network interface on which MainDevices find it: one end of a veth pair, or a real one
    #[arg(long, value_name = "IF")]
    pub interface: String,

    /// Second interface: the other end of the line, where a master has a redundant cable
    #[arg(long, value_name = "IF", conflicts_with = "pcap")]
    pub redundant_interface: Option<String>,

    /// Faults to inject, in the syntax of [`twinstep_config::fault`].
    #[arg(
        long,
        visible_alias = "fault",
        value_name = "FAULT",
        help = "Inject a fault, KIND:TARGET[:KEY=VALUE,...][@TIME], counted from OP (may be repeated); \
                lines of the same form are taken from standard input while it runs"
    )]
    pub inject: Vec<String>,

    /// Take faults from `twinstep inject --control PATH` at a socket, too
    #[arg(long, value_name = "PATH")]
    pub control: Option<PathBuf>,

    /// Which of several buses
    #[arg(long, value_name = "NAME")]
    pub bus: Option<String>,

    /// Publish the process data of every cycle on this interface too, as OPC UA PubSub (UADP)
    #[arg(long, value_name = "IF")]
    pub publish_uadp: Option<String>,

    /// Draws noise, parts and start phase
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,

    /// Draws the machine itself, instead of machine_seed
    #[arg(long, value_name = "M")]
    pub machine_seed: Option<u64>,

    /// Capture every frame into a pcap file
    #[arg(long, value_name = "FILE")]
    pub pcap: Option<PathBuf>,

    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `check`.
#[derive(Args, Clone, Debug)]
pub struct CheckArgs {
    /// The machine
    #[arg(value_name = "CONFIG", required_unless_present = "schema")]
    pub config: Option<PathBuf>,

    /// Print the JSON Schema of configurations, for editors
    #[arg(long)]
    pub schema: bool,

    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `replay`.
#[derive(Args, Clone, Debug)]
#[command(allow_missing_positional = true)]
pub struct ReplayArgs {
    /// The machine; an MCAP recording has its own
    #[arg(value_name = "CONFIG")]
    pub config: Option<PathBuf>,

    /// The recording: MCAP, CSV, or a capture (pcap, pcapng) of the machine's bus
    #[arg(value_name = "FILE", required = true)]
    pub recording: PathBuf,

    /// Of which of several buses it is, unless the name of the file says so: FILE.NAME.csv or FILE.NAME.mcap
    #[arg(long, value_name = "NAME")]
    pub bus: Option<String>,

    /// Begin at the last checkpoint of an MCAP recording by this cycle, not at its first cycle
    #[arg(long, value_name = "CYCLE")]
    pub from: Option<u64>,

    /// Say first how far the twins can be believed on it, and what is odd in it; of tables from elsewhere that is said anyway
    #[arg(long)]
    pub accuracy: bool,

    /// Folder of the event store
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,

    /// Exit with 3 when deviations were found
    #[arg(long)]
    pub judge: bool,

    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `calibrate`.
#[derive(Args, Clone, Debug)]
pub struct CalibrateArgs {
    /// The machine
    #[arg(value_name = "CONFIG")]
    pub config: PathBuf,

    /// Recordings of the commissioning run
    #[arg(value_name = "RECORDING", required = true)]
    pub recordings: Vec<PathBuf>,

    /// Which of several buses
    #[arg(long, value_name = "NAME")]
    pub bus: Option<String>,

    /// Write the result into CONFIG instead of printing the patch; CONFIG as it was is kept as CONFIG.bak
    #[arg(long)]
    pub write: bool,

    /// Write a page of measured against predicted and residuals; with --write it goes beside CONFIG unless named
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,

    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `events`.
#[derive(Args, Clone, Debug)]
pub struct EventsArgs {
    /// Only events with a larger number; with --follow only new ones unless given
    #[arg(long, value_name = "SEQ")]
    pub since: Option<u64>,

    /// Go on with every event that is stored, until interrupted
    #[arg(long)]
    pub follow: bool,

    /// Folder of the event store
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,

    /// The store of the running instance with this control socket
    #[arg(long, value_name = "PATH", conflicts_with = "state")]
    pub control: Option<PathBuf>,

    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// Arguments of commands that speak to a running instance.
#[derive(Args, Clone, Debug)]
pub struct RunningArgs {
    /// Its control socket, where several run or it is not at a usual place
    #[arg(long, value_name = "PATH")]
    pub control: Option<PathBuf>,

    /// Of which of several buses; of all of them unless given
    #[arg(long, value_name = "NAME")]
    pub bus: Option<String>,

    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `status`.
pub type StatusArgs = RunningArgs;

/// Arguments of `top`.
#[derive(Args, Clone, Debug)]
pub struct TopArgs {
    /// The machine whose run is watched; the only running instance unless given
    #[arg(value_name = "CONFIG", conflicts_with = "control")]
    pub config: Option<PathBuf>,

    /// Its control socket, where several run or it is not at a usual place
    #[arg(long, visible_alias = "socket", value_name = "PATH")]
    pub control: Option<PathBuf>,

    /// No screen: one status a second, as one JSON object a line, until the run ends
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `inject`.
#[derive(Args, Clone, Debug)]
pub struct InjectArgs {
    /// Faults to inject, in the syntax of [`twinstep_config::fault`].
    #[arg(
        value_name = "FAULT",
        required_unless_present = "clear",
        help = "Faults, KIND:TARGET[:KEY=VALUE,...][@TIME], such as friction:x:factor=1.2; their time counts from now"
    )]
    pub faults: Vec<String>,

    /// Take back those that last or wait, before any other is injected
    #[arg(long)]
    pub clear: bool,

    /// Which instance.
    #[command(flatten)]
    pub running: RunningArgs,
}

/// Arguments of `baseline`.
#[derive(Args, Clone, Debug)]
pub struct BaselineArgs {
    /// The axis or press that was repaired
    #[arg(value_name = "AXIS")]
    pub source: String,

    /// Which instance.
    #[command(flatten)]
    pub running: RunningArgs,
}

/// Arguments of `budget`.
#[derive(Args, Clone, Debug)]
pub struct BudgetArgs {
    /// Run this machine and recommend budgets for it, instead of asking a running instance
    #[arg(value_name = "CONFIG", conflicts_with = "set")]
    pub config: Option<PathBuf>,

    /// Which of several buses
    #[arg(long, value_name = "NAME")]
    pub bus: Option<String>,

    /// How long it is to run, 60s unless given
    #[arg(long = "for", value_name = "TIME", requires = "config")]
    pub time: Option<String>,

    /// Probability a cycle with which a budget may be exceeded, 1e-6 unless given
    #[arg(long, value_name = "P", requires = "config")]
    pub probability: Option<f64>,

    /// Write the budgets into CONFIG; CONFIG as it was is kept as CONFIG.bak
    #[arg(long, requires = "config")]
    pub write: bool,

    /// Network interface of the bus, as with `run`
    #[arg(long, value_name = "NAME", requires = "config")]
    pub interface: Option<String>,

    /// Enable the outputs on a real interface, as with `run`: the machine moves
    #[arg(long, requires = "config")]
    pub arm: bool,

    /// Folder of the event store of that run, a fresh one unless given
    #[arg(long, value_name = "DIR", requires = "config")]
    pub state: Option<PathBuf>,

    /// Set the budget of a phase or group of models, such as predict=50us; `none` takes it away (may be repeated)
    #[arg(long, value_name = "PHASE=TIME")]
    pub set: Vec<String>,

    /// Its control socket, where several run or it is not at a usual place
    #[arg(long, value_name = "PATH")]
    pub control: Option<PathBuf>,

    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `doctor`.
#[derive(Args, Clone, Debug)]
pub struct DoctorArgs {
    /// The machine, for its core and its interface
    #[arg(value_name = "CONFIG")]
    pub config: Option<PathBuf>,

    /// Which of several buses; the first one, with the cores of all, unless given
    #[arg(long, value_name = "NAME")]
    pub bus: Option<String>,

    /// Print a shell script that mends what can be mended without a new start of the computer
    #[arg(long, conflicts_with = "json")]
    pub fix_script: bool,

    /// Look at copies of /proc and /sys below DIR, not at this computer
    #[arg(long, value_name = "DIR")]
    pub sysroot: Option<PathBuf>,

    /// Network interface of the bus, instead of the configuration's
    #[arg(long, value_name = "IF")]
    pub interface: Option<String>,

    /// Core of the cycle, instead of the configuration's
    #[arg(long, value_name = "N")]
    pub core: Option<usize>,

    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

#[cfg(test)]
#[path = "cli_tests.rs"]
mod tests;
