//! Arguments of `gateway` and `token`.

use super::web::auth::Role;
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

    /// Folder of what the gateway keeps for itself: cursors, the audit trail; that of the store unless given
    #[arg(long, value_name = "DIR")]
    pub book: Option<PathBuf>,

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

/// Arguments of `token`.
#[derive(Args, Clone, Debug)]
pub struct TokenArgs {
    /// Who gets it: the name that the audit trail shows
    #[arg(value_name = "NAME")]
    pub name: String,

    /// What they may do
    #[arg(long, value_enum)]
    pub role: Role,

    /// File of tokens that `[web] tokens` names; made where it is missing
    #[arg(long, value_name = "FILE.toml")]
    pub file: PathBuf,

    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}
