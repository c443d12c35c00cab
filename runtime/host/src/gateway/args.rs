//! Arguments of `gateway`.

use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Arguments of `gateway`.
#[derive(Args, Clone, Debug)]
pub struct GatewayArgs {
    /// What is served, and to whom (see docs/gateway.md); a page for this computer alone unless given
    #[arg(long, value_name = "FILE.toml")]
    pub config: Option<PathBuf>,

    /// Control socket of the instance; the one that writes to the store, else the only one that runs
    #[arg(long, value_name = "PATH")]
    pub control: Option<PathBuf>,

    /// Folder of the event store, that of the instance unless given
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,

    /// Where the page is served, instead of the configuration's
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,

    /// End when standard input ends: whoever started it has gone
    #[arg(long, hide = true)]
    pub attached: bool,

    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}
